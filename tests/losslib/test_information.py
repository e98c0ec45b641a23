from __future__ import annotations

import jax
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    BY_DTYPE,
    JAX,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    SHAPES,
    TORCH,
)
from losslib import (
    brier_score,
    cross_entropy_between,
    entropy,
    kl_divergence,
    mutual_information,
    self_information,
)
from losslib._array import class_axis

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)
TINY = 1e-12


def distribution(seed: int, n: int, spread: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(n, spread))


def sparse(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return distributions along the last axis, some of whose probabilities are exactly 0."""
    p = rng.random(shape) * (rng.random(shape) < 0.7)
    p[..., 0] += 0.1
    return p / p.sum(-1, keepdims=True)


def test_against_scipy(backend, rng) -> None:
    p, q = sparse(rng, 5, 4), rng.dirichlet(np.ones(4), 5)
    P, Q = backend.array(p), backend.array(q)
    relative = scipy.special.rel_entr(p, q).sum(-1)
    for base in (np.e, 2, 10.0):
        unit = np.log(base)
        for got, expected in [
            (
                entropy(P, base=base),
                scipy.stats.entropy(p, base=base, axis=-1),
            ),
            (
                kl_divergence(P, Q, base=base),
                scipy.stats.entropy(p, q, base=base, axis=-1),
            ),
            (kl_divergence(P, Q, base=base), relative / unit),
            (
                cross_entropy_between(P, Q, base=base),
                -scipy.special.xlogy(p, q).sum(-1) / unit,
            ),
            (self_information(Q, base=base), -np.log(q) / unit),
        ]:
            np.testing.assert_allclose(
                backend.numpy(got), expected, rtol=1e-12, atol=1e-14
            )


def test_against_scikit_learn(backend, rng) -> None:
    counts = rng.integers(0, 9, (4, 3))
    got = mutual_information(backend.array(counts / counts.sum()))
    bits = mutual_information(backend.array(counts / counts.sum()), base=2)
    np.testing.assert_allclose(
        backend.numpy(bits), backend.numpy(got) / np.log(2), rtol=1e-14
    )
    expected = sklearn.metrics.mutual_info_score(
        None, None, contingency=counts
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)

    p = rng.dirichlet(np.ones(4), 30)
    t = rng.integers(4, size=30)
    got = cross_entropy_between(
        backend.array(np.eye(4)[t]), backend.array(p)
    )
    expected = sklearn.metrics.log_loss(t, p, labels=range(4))
    np.testing.assert_allclose(
        backend.numpy(got).mean(), expected, rtol=1e-12
    )

    got = brier_score(backend.array(p), backend.array(t))
    expected = sklearn.metrics.brier_score_loss(
        t, p, labels=range(4), scale_by_half=False
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)
    pair = np.stack([1 - p[:, 0], p[:, 0]], 1)
    got = brier_score(backend.array(pair), backend.array(t % 2))
    expected = sklearn.metrics.brier_score_loss(
        t % 2, p[:, 0]
    )  # one-sided: half of ours
    np.testing.assert_allclose(backend.numpy(got), 2 * expected, rtol=1e-12)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_axes_and_dtypes(backend, dtype, rng) -> None:
    p, q = (
        rng.dirichlet(np.ones(3), (2, 4)),
        rng.dirichlet(np.ones(3), (2, 4)),
    )
    last = [backend.array(x, dtype) for x in (p, q)]
    middle = [backend.array(np.moveaxis(x, -1, 1), dtype) for x in (p, q)]
    for f in (entropy, cross_entropy_between, kl_divergence):
        arguments = 1 if f is entropy else 2
        expected = f(*(p, q)[:arguments])
        for got in (f(*last[:arguments]), f(*middle[:arguments], axis=1)):
            assert backend.dtype_of(got) == dtype
            assert tuple(got.shape) == (2, 4)
            tolerance = 4 * ROUND_OFF[dtype]
            np.testing.assert_allclose(
                backend.numpy(got), expected, tolerance, tolerance
            )
    joint = rng.dirichlet(np.ones(6), 5).reshape(5, 2, 3)
    got = mutual_information(backend.array(joint, dtype))
    assert backend.dtype_of(got) == dtype
    assert tuple(got.shape) == (5,)
    np.testing.assert_allclose(
        backend.numpy(got), mutual_information(joint), atol=ROUND_OFF[dtype]
    )
    got = brier_score(
        backend.array([[0.25, 0.75]], dtype), backend.array([0])
    )
    assert (backend.dtype_of(got), float(got)) == (dtype, 1.125)
    got = self_information(backend.array(0.25, dtype), base=2)
    assert (backend.dtype_of(got), float(got)) == (dtype, 2.0)


def test_zero_and_one(backend) -> None:
    """An impossible outcome adds nothing, a certain one says nothing, and no minus zero is left."""
    one, zero = backend.array([1.0, 0.0]), backend.array([0.0, 1.0])
    assert str(backend.numpy(entropy(one))) == "0.0"
    assert str(backend.numpy(kl_divergence(one, one))) == "0.0"
    assert backend.numpy(kl_divergence(one, zero)) == np.inf
    assert backend.numpy(cross_entropy_between(one, zero)) == np.inf
    assert str(backend.numpy(self_information(one))) == "[ 0. inf]"
    independent = backend.array([[0.25, 0.25], [0.25, 0.25]])
    assert backend.numpy(mutual_information(independent)) == 0.0


def test_rounded_sums_are_distributions(backend) -> None:
    """What sums of probabilities give, a little above 1, is a distribution all the same."""
    assert backend.numpy(
        entropy(backend.array([1 + 2**-52, 0.0]))
    ) == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(
        ValueError, match=r"p must hold probabilities .*got -1e-16"
    ):
        entropy(backend.array([1.0, -1e-16]))
    with pytest.raises(
        ValueError, match=r"p must hold probabilities .*nan"
    ):
        entropy(backend.array([1.0, np.nan]))


def test_empty_batches(backend) -> None:
    nothing = backend.array(np.empty((0, 3)))
    assert entropy(nothing).shape == (0,)
    assert kl_divergence(nothing, nothing).shape == (0,)
    assert mutual_information(backend.array(np.empty((0, 2, 3)))).shape == (
        0,
    )
    assert np.isnan(
        backend.numpy(brier_score(nothing, backend.array(np.empty(0, int))))
    )


def test_gradients(differentiable) -> None:
    make, gradient = differentiable.array, differentiable.gradient
    p, q = [0.0, 0.25, 0.75], [0.5, 0.25, 0.25]
    by_q = gradient(lambda q: kl_divergence(make(p), q), make(q))
    np.testing.assert_allclose(by_q, [1.0, 0.0, -2.0])  # 1 - p/q
    by_p = gradient(entropy, make(q))
    np.testing.assert_allclose(by_p, -np.log(q) - 1)
    by_p = gradient(entropy, make(p))
    assert np.isfinite(by_p).all()


def test_gradients_by_finite_differences() -> None:
    """The gradients are taken along logits: a step off the simplex is refused."""
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.randn(
            3,
            4,
            dtype=torch.float64,
            generator=generator,
            requires_grad=True,
        )
        for _ in range(2)
    )

    def all_of_them(a, b):
        p, q = torch.softmax(a, -1), torch.softmax(b, -1)
        joint = torch.softmax(a.reshape(-1), 0).reshape(3, 4)
        score = brier_score(p, torch.tensor([0, 3, 1]))
        return (
            entropy(p),
            kl_divergence(p, q),
            cross_entropy_between(p, q),
            score,
            (mutual_information(joint)),
        )

    assert torch.autograd.gradcheck(all_of_them, (a, b))
    assert torch.autograd.gradgradcheck(all_of_them, (a, b))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_brier_score_on_every_shape(backend, shape, reduction, rng) -> None:
    axis = 0 if len(shape) == 1 else 1
    p = np.moveaxis(
        rng.dirichlet(np.ones(3), shape[:axis] + shape[axis + 1 :]),
        -1,
        axis,
    )
    t = rng.integers(3, size=shape[:axis] + shape[axis + 1 :])
    hot = np.moveaxis(np.eye(3)[t], -1, axis)
    assert axis == class_axis(p)
    expected = ((p - hot) ** 2).sum(axis)
    expected = {
        "none": expected,
        "mean": expected.mean(),
        "sum": expected.sum(),
    }[reduction]
    got = brier_score(
        backend.array(p), backend.array(t), reduction=reduction
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_brier_score_takes_every_label_dtype(backend, dtype) -> None:
    p = backend.array(np.full((2, 4), 0.25))
    got = brier_score(p, backend.array([0, 3], dtype))
    np.testing.assert_allclose(backend.numpy(got), 0.75)


@given(seeds, sizes, st.floats(0.1, 10))
def test_kl_is_at_least_zero_and_zero_only_at_equality(
    seed, n, spread
) -> None:
    p, q = distribution(seed, n, spread), distribution(seed + 1, n, spread)
    q = np.maximum(q, 1e-15) / np.maximum(q, 1e-15).sum()
    divergence = kl_divergence(p, q)
    distance = np.abs(p - q).sum()
    assert (
        divergence >= distance**2 / 2 - TINY
    )  # Pinsker: above 0 unless p is q
    assert abs(kl_divergence(p, p)) == 0.0


@given(seeds, sizes)
def test_bounds_and_identities(seed, n) -> None:
    p, q = distribution(seed, n), distribution(seed + 1, n)
    assert -TINY <= entropy(p) <= np.log(n) + TINY
    np.testing.assert_allclose(
        cross_entropy_between(p, q),
        entropy(p) + kl_divergence(p, q),
        rtol=1e-10,
        atol=TINY,
    )
    uniform = np.full(n, 1 / n)
    np.testing.assert_allclose(
        kl_divergence(p, uniform), np.log(n) - entropy(p), atol=TINY
    )
    np.testing.assert_allclose(
        p @ self_information(p), entropy(p), rtol=1e-12
    )


@given(seeds, sizes, st.floats(0, 1))
def test_entropy_is_concave_and_kl_is_jointly_convex(
    seed, n, share
) -> None:
    p1, p2, q1, q2 = (distribution(seed + i, n) for i in range(4))
    p, q = share * p1 + (1 - share) * p2, share * q1 + (1 - share) * q2
    assert (
        entropy(p) >= share * entropy(p1) + (1 - share) * entropy(p2) - TINY
    )
    chord = share * kl_divergence(p1, q1) + (1 - share) * kl_divergence(
        p2, q2
    )
    assert kl_divergence(p, q) <= chord + TINY * (1 + chord)


@given(seeds, sizes, sizes)
def test_chain_rule_and_data_processing(seed, n, m) -> None:
    joint = distribution(seed, n * m).reshape(n, m)
    x, y = joint.sum(1), joint.sum(0)
    information = mutual_information(joint)
    np.testing.assert_allclose(
        information,
        entropy(x) + entropy(y) - entropy(joint.reshape(-1)),
        atol=TINY,
    )
    given_x = entropy(joint / x[:, None]) @ x
    np.testing.assert_allclose(
        entropy(joint.reshape(-1)), entropy(x) + given_x, atol=TINY
    )
    assert -TINY <= information <= min(entropy(x), entropy(y)) + TINY

    channel = np.random.default_rng(seed + 1).dirichlet(np.ones(3), m)
    assert mutual_information(joint @ channel) <= information + TINY
    other = distribution(seed + 2, m)
    assert (
        kl_divergence(y @ channel, other @ channel)
        <= kl_divergence(y, other) + TINY
    )
    np.testing.assert_allclose(
        mutual_information(np.outer(x, y)), 0.0, atol=TINY
    )


@given(seeds, st.integers(2, 6))
def test_both_scores_are_strictly_proper(seed, n) -> None:
    """The expected score is least where the forecast is the truth, and only there."""
    p, q = distribution(seed, n), distribution(seed + 1, n)
    each = np.arange(n)

    def expected_brier(q):
        return p @ brier_score(np.tile(q, (n, 1)), each, reduction="none")

    distance = ((p - q) ** 2).sum()
    np.testing.assert_allclose(
        expected_brier(q) - expected_brier(p), distance, atol=TINY
    )
    assert cross_entropy_between(p, q) >= entropy(p) + distance / 2 - TINY
    scores = brier_score(np.tile(q, (n, 1)), each, reduction="none")
    assert (scores >= 0).all()
    assert (scores <= 2).all()


def test_brier_score_is_a_squared_error(rng) -> None:
    p, t = rng.dirichlet(np.ones(3), 8), rng.integers(3, size=8)
    expected = (
        F.mse_loss(torch.tensor(p), torch.eye(3, dtype=torch.float64)[t])
        * 3
    )
    np.testing.assert_allclose(brier_score(p, t), expected, rtol=1e-12)


def test_compiled_and_traced(compiled, rng) -> None:
    p, q = rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(4), 3)
    t = np.array([0, 3, 1])

    def f(p, q, t):
        return (
            kl_divergence(p, q)
            + entropy(p)
            + brier_score(q, t, reduction="none")
        )

    expected = f(p, q, t)
    torches, jaxes = (
        [TORCH.array(x) for x in (p, q, t)],
        [JAX.array(x) for x in (p, q, t)],
    )
    for got in (
        compiled(f)(*torches),
        torch.func.vmap(f)(*torches),
        jax.jit(f)(*jaxes),
        jax.vmap(f)(*jaxes),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "f", [entropy, cross_entropy_between, kl_divergence]
)
def test_mistakes_are_named(backend, f) -> None:
    def call(p, *rest, **options):
        return (
            f(p, *rest, **options)
            if f is entropy
            else f(p, p, *rest, **options)
        )

    good = backend.array([0.5, 0.5])
    with pytest.raises(TypeError, match=r"p must be an array .*list"):
        call([0.5, 0.5])
    with pytest.raises(
        TypeError, match=r"p must have a real floating dtype, got .*int64"
    ):
        call(backend.array([1, 0]))
    with pytest.raises(
        ValueError, match=r"p must hold probabilities in \[0, 1\], got -0.5"
    ):
        call(backend.array([-0.5, 1.5]))
    with pytest.raises(ValueError, match=r"p must sum to 1 along axis -1"):
        call(backend.array([0.5, 0.4]))
    with pytest.raises(
        ValueError, match=r"axis must be an axis of p, 1-dimensional, got 1"
    ):
        call(good, 1)
    for base in (1, 0.5, -2.0, float("nan")):
        with pytest.raises(ValueError, match=r"base must be above 1 .*got"):
            call(good, base=base)
    if f is not entropy:
        with pytest.raises(ValueError, match=r"q must have the shape of p"):
            f(good, backend.array([[0.5, 0.5]]))
        with pytest.raises(TypeError, match=r"q must be an array"):
            f(good, [0.5, 0.5])


def test_other_mistakes_are_named(backend) -> None:
    make = backend.array
    with pytest.raises(
        ValueError, match=r"joint must have two axes, .*got shape \(2,\)"
    ):
        mutual_information(make([0.5, 0.5]))
    with pytest.raises(
        TypeError, match=r"joint must have a real floating dtype"
    ):
        mutual_information(make([[1, 0], [0, 0]]))
    with pytest.raises(ValueError, match=r"joint must sum to 1"):
        mutual_information(make([[0.5, 0.5], [0.5, 0.5]]))
    with pytest.raises(
        ValueError, match=r"p must hold probabilities .*got 2.0"
    ):
        self_information(make([0.5, 2.0]))
    with pytest.raises(TypeError, match=r"p must be an array"):
        self_information(0.5)
    with pytest.raises(ValueError, match=r"input must sum to 1"):
        brier_score(make([[0.5, 0.4]]), make([0]))
    with pytest.raises(
        ValueError, match=r"target must hold classes in 0 … 1, got 2"
    ):
        brier_score(make([[0.5, 0.5]]), make([2]))
    with pytest.raises(ValueError, match=r"reduction must be"):
        brier_score(make([[0.5, 0.5]]), make([1]), reduction="average")
