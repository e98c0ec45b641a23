from __future__ import annotations

from functools import partial
from typing import Any

import jax
import mpmath
import numpy as np
import pytest
import scipy.special
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
    Backend,
)
from losslib import (
    cross_entropy,
    cross_entropy_between,
    entropy,
    kl_divergence,
    log_softmax,
    nll_loss,
    softmax,
)

WEIGHT = np.array([0.5, 2.0, 1.25])
Z, P = (
    np.arange(6.0).reshape(2, 3),
    np.array([[0.0, 0.25, 0.75], [1, 0, 0]]),
)
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weight": {"weight": WEIGHT},
    "ignore": {"ignore_index": 1},
    "ignore-outside": {"ignore_index": -7},
    "smooth": {"label_smoothing": 0.1},
    "all": {"weight": WEIGHT, "ignore_index": 1, "label_smoothing": 0.3},
    "uniform": {"label_smoothing": 1.0},
}
SOFT_OPTIONS = {
    key: OPTIONS[key] for key in ("plain", "weight", "smooth", "uniform")
}
SOFT_OPTIONS["all"] = {"weight": WEIGHT, "label_smoothing": 0.3}
NLL_OPTIONS = {
    key: OPTIONS[key]
    for key in ("plain", "weight", "ignore", "ignore-outside")
}
NLL_OPTIONS["all"] = {"weight": WEIGHT, "ignore_index": 1}
CASES = [
    *(
        pytest.param("index", o, id=f"index-{k}")
        for k, o in OPTIONS.items()
    ),
    *(
        pytest.param("probability", o, id=f"probability-{k}")
        for k, o in SOFT_OPTIONS.items()
    ),
    *(
        pytest.param("nll", o, id=f"nll-{k}")
        for k, o in NLL_OPTIONS.items()
    ),
]


def problem(
    kind: str,
    shape: tuple[int, ...],
    options: dict[str, Any],
    seed: int = 0,
):
    """Return the two functions to compare, and their input and target."""
    rng = np.random.default_rng(seed)
    axis = 0 if len(shape) == 1 else 1
    z, samples = (
        2 * rng.normal(size=shape),
        shape[:axis] + shape[axis + 1 :],
    )
    if kind == "probability":
        return (
            cross_entropy,
            F.cross_entropy,
            z,
            scipy.special.softmax(rng.normal(size=shape), axis),
        )
    t = rng.integers(3, size=samples)
    if samples:
        t.flat[0] = 2  # one target at least is not ignored, and one is
        t.flat[-1] = options.get("ignore_index", 0)
    else:
        t = np.array(2)
    if kind == "nll":
        return nll_loss, F.nll_loss, scipy.special.log_softmax(z, axis), t
    return cross_entropy, F.cross_entropy, z, t


def compare(
    backend: Backend, dtype: str, shape, kind, options, reduction
) -> None:
    """Compare value and gradient with PyTorch's in float64, on the rounded inputs."""
    ours, theirs, z, t = problem(kind, shape, options)
    soft = kind == "probability"
    x, y = (
        backend.array(z, dtype),
        backend.array(t, dtype if soft else None),
    )
    convert = {
        k: backend.array(v, dtype) if k == "weight" else v
        for k, v in options.items()
    }
    loss = partial(ours, reduction=reduction, **convert)
    got = loss(x, y)
    assert backend.dtype_of(got) == dtype

    leaf = torch.tensor(backend.numpy(x), requires_grad=True)
    exact = {
        k: torch.tensor(backend.numpy(v)) if k == "weight" else v
        for k, v in convert.items()
    }
    expected = theirs(
        leaf, torch.tensor(backend.numpy(y)), reduction=reduction, **exact
    )
    assert tuple(got.shape) == tuple(expected.shape)
    tolerance = ROUND_OFF[dtype]
    close = partial(
        np.testing.assert_allclose, rtol=tolerance, atol=tolerance
    )
    close(backend.numpy(got), expected.detach())
    if backend.name != "numpy":
        expected.sum().backward()
        close(backend.gradient(lambda x: loss(x, y), x), leaf.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_every_shape_against_pytorch(
    backend, kind, options, reduction
) -> None:
    for shape in SHAPES:
        compare(backend, "float64", shape, kind, options, reduction)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_every_dtype_against_pytorch(backend, dtype, kind, options) -> None:
    for reduction in REDUCTIONS:
        compare(backend, dtype, (4, 3, 2), kind, options, reduction)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_every_label_dtype(backend, loss, dtype, rng) -> None:
    x = -rng.random((4, 200))
    t = np.array(
        [0, 1, 2, 127 if dtype == "int8" else 156]
    )  # 156 is -100 in eight bits
    theirs = getattr(F, loss.__name__)
    expected = theirs(torch.tensor(x), torch.tensor(t), reduction="none")
    got = loss(backend.array(x), backend.array(t, dtype), reduction="none")
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)
    expected = theirs(torch.tensor(x), torch.tensor(t), ignore_index=1)
    got = loss(backend.array(x), backend.array(t, dtype), ignore_index=1)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_the_mean_divides_by_the_weights_of_the_targets(
    backend, loss
) -> None:
    """With class indices the mean is Σwℓ/Σw; with probabilities it is Σwℓ/N."""
    x = np.log([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    t, w = backend.array([0, 1, 1]), backend.array([1.0, 3.0, 7.0])
    got = backend.numpy(loss(backend.array(x), t, w))
    np.testing.assert_allclose(got, np.log(2) * (1 + 3 + 3 * 2) / 7)
    if loss is cross_entropy:
        got = backend.numpy(
            loss(backend.array(x), backend.array(np.eye(3)[[0, 1, 1]]), w)
        )
        np.testing.assert_allclose(got, np.log(2) * (1 + 3 + 3 * 2) / 3)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_empty_batches(backend, loss, reduction) -> None:
    x, t = np.empty((0, 3)), np.empty(0, int)
    got = backend.numpy(
        loss(backend.array(x), backend.array(t), reduction=reduction)
    )
    theirs = getattr(F, loss.__name__)(
        torch.tensor(x), torch.tensor(t), reduction=reduction
    )
    np.testing.assert_array_equal(got, theirs)
    if loss is cross_entropy:
        got = loss(backend.array(x), backend.array(x), reduction=reduction)
        expected = F.cross_entropy(
            torch.tensor(x), torch.tensor(x), reduction=reduction
        )
        np.testing.assert_array_equal(backend.numpy(got), expected)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_all_ignored(backend, loss, weight, rng) -> None:
    x = rng.normal(size=(4, 3))
    t, w = backend.array(np.full(4, -100)), backend.array(weight)
    for reduction, expected in [
        ("none", np.zeros(4)),
        ("mean", np.nan),
        ("sum", 0.0),
    ]:
        f = partial(loss, target=t, weight=w, reduction=reduction)
        np.testing.assert_array_equal(
            backend.numpy(f(backend.array(x))), expected
        )
        if backend.name != "numpy":
            np.testing.assert_array_equal(
                backend.gradient(f, backend.array(x)), np.zeros((4, 3))
            )


def test_ignored_samples_may_hold_anything(backend, rng) -> None:
    """A nan, or a class that is out of range, does not reach the loss where it is ignored."""
    z = rng.normal(size=(4, 3))
    t = np.array([0, -100, 2, -100])
    bad = z.copy()
    bad[1] = np.nan
    expected = cross_entropy(z[[0, 2]], t[[0, 2]])
    f = partial(cross_entropy, target=backend.array(t))
    np.testing.assert_allclose(backend.numpy(f(backend.array(z))), expected)
    np.testing.assert_allclose(
        backend.numpy(f(backend.array(bad))), expected
    )


def test_the_only_class_may_be_ignored(backend) -> None:
    z, t = backend.array(np.array([[2.0], [3.0]])), np.array([-100, 0])
    for loss, expected in [(cross_entropy, [0, 0]), (nll_loss, [0, -3])]:
        for weight in (None, backend.array(np.array([1.0]))):
            got = loss(z, backend.array(t), weight, reduction="none")
            np.testing.assert_array_equal(backend.numpy(got), expected)


@pytest.mark.parametrize(
    ("kind", "arguments", "options", "message"),
    [
        (
            TypeError,
            (Z, torch.tensor(P)),
            {},
            "target .*same array library",
        ),
        (
            TypeError,
            (Z, P, torch.ones(3)),
            {},
            "weight .*same array library",
        ),
        (TypeError, (Z.astype(int), P), {}, "input .*real floating.*int64"),
        (
            TypeError,
            (Z, P, np.ones(3, int)),
            {},
            "weight .*real floating.*int64",
        ),
        (ValueError, (Z, P, np.ones(2)), {}, r"weight .*\(3,\).*\(2,\)"),
        (ValueError, (Z[0, 0], P[0, 0]), {}, r"input .*axis.*\(\)"),
        (ValueError, (Z, 2 * P), {}, r"target .*\[0, 1\].*"),
        (ValueError, (Z, P), {"ignore_index": 0}, "ignore_index .*got 0"),
        (
            TypeError,
            (Z, P.astype(complex)),
            {},
            "target .*integer.*complex",
        ),
    ],
)
def test_bad_class_probabilities(kind, arguments, options, message) -> None:
    with pytest.raises(kind, match=message):
        cross_entropy(*arguments, **options)


def test_strides_and_flags_do_not_matter(rng) -> None:
    z, t = rng.normal(size=(6, 8)), rng.integers(4, size=12)
    expected = cross_entropy(z[:, ::2].copy(), t[::2].copy())
    frozen = z[:, ::2].copy()
    frozen.flags.writeable = False
    assert cross_entropy(frozen, t[::2]) == expected
    assert cross_entropy(z[:, ::2], t[::2]) == cross_entropy(
        np.asfortranarray(frozen), t[::2]
    )
    got = cross_entropy(torch.tensor(z)[:, ::2], torch.tensor(t)[::2])
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_input_is_left_as_it_was(backend, rng) -> None:
    z, t = rng.normal(size=(4, 3)), np.array([0, 1, -100, 2])
    x, y, w = (
        backend.array(z.copy()),
        backend.array(t.copy()),
        backend.array(WEIGHT.copy()),
    )
    cross_entropy(x, y, w, label_smoothing=0.1)
    np.testing.assert_array_equal(backend.numpy(x), z)
    np.testing.assert_array_equal(backend.numpy(y), t)
    np.testing.assert_array_equal(backend.numpy(w), WEIGHT)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_gradients_by_finite_differences(kind, options) -> None:
    ours, _, z, t = problem(kind, (3, 3, 2), options)
    convert = {
        k: torch.tensor(v) if k == "weight" else v
        for k, v in options.items()
    }
    leaf, target = torch.tensor(z, requires_grad=True), torch.tensor(t)
    for reduction in ("none", "mean"):
        f = partial(ours, target=target, reduction=reduction, **convert)
        assert torch.autograd.gradcheck(f, leaf)
        assert torch.autograd.gradgradcheck(f, leaf)
    if kind == "probability":
        inner = (0.9 * target + 0.03).requires_grad_()
        assert torch.autograd.gradcheck(
            partial(ours, leaf.detach(), **convert), inner
        )


def test_gradient_is_softmax_less_target(differentiable, rng) -> None:
    z, t = rng.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    expected = (scipy.special.softmax(z, 1) - np.eye(3)[t]) / 4
    for target in (t, np.eye(3)[t]):
        f = partial(cross_entropy, target=differentiable.array(target))
        got = differentiable.gradient(f, differentiable.array(z))
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_gradient_with_two_largest_logits(differentiable) -> None:
    """The largest is a constant to autograd, so a tie leaves no trace."""
    f = partial(cross_entropy, target=differentiable.array(0))
    got = differentiable.gradient(f, differentiable.array([2.0, 2.0, 2.0]))
    np.testing.assert_allclose(got, [1 / 3 - 1, 1 / 3, 1 / 3], rtol=1e-12)


@pytest.mark.parametrize(
    "target", [np.array([0, 2]), np.array([[1.0, 0, 0], [0.25, 0, 0.75]])]
)
def test_a_class_masked_by_minus_infinity(backend, target) -> None:
    """With probabilities PyTorch gives nan here: it multiplies 0 by infinity."""
    z = np.array([[1.0, -np.inf, 2.0], [0.0, -np.inf, -1.0]])
    kept = target if target.ndim == 1 else target[:, [0, 2]]
    kept = kept // 2 if target.ndim == 1 else kept
    f = partial(cross_entropy, target=backend.array(target))
    np.testing.assert_allclose(
        backend.numpy(f(backend.array(z))),
        cross_entropy(z[:, [0, 2]], kept),
        rtol=1e-14,
    )
    if backend.name != "numpy":
        got = backend.gradient(f, backend.array(z))
        p = scipy.special.softmax(z, 1)
        hot = np.eye(3)[target] if target.ndim == 1 else target
        np.testing.assert_allclose(
            got, (p - hot) / 2, rtol=1e-12, atol=1e-15
        )


def test_a_target_masked_by_minus_infinity_costs_infinitely_much(
    backend,
) -> None:
    z = backend.array([[1.0, -np.inf]])
    assert backend.numpy(cross_entropy(z, backend.array([1]))) == np.inf
    assert (
        backend.numpy(cross_entropy(z, backend.array([[0.5, 0.5]])))
        == np.inf
    )
    assert (
        backend.numpy(
            cross_entropy(z, backend.array([0]), label_smoothing=0.1)
        )
        == np.inf
    )


@pytest.mark.parametrize("target", [0, 1, 2])
@pytest.mark.parametrize(
    "z",
    [
        [1.0, 2.0, 3.0],
        [1e4, -1e4, 0.0],
        [-1e4, 1e4, 1e4 - 3],
        [1e30, -1e30, 0.0],
        [-1e30, -1e30, -1e30],
        [40.0, 0.0, -40.0],
        [0.0, 1e-8, -1e-30],
    ],
)
def test_extremes_against_mpmath(backend, z, target) -> None:
    with mpmath.workdps(100):
        total = mpmath.fsum(mpmath.exp(mpmath.mpf(x) - max(z)) for x in z)
        expected = float(mpmath.log(total) + max(z) - mpmath.mpf(z[target]))
    hot = backend.array(np.eye(3)[target])
    for y in (backend.array(target), hot):
        got = backend.numpy(cross_entropy(backend.array(z), y))
        # Of a loss far below 1, as with PyTorch, the digits below the round-off of 1 are lost.
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=3e-16)


def test_half_precision_is_worked_out_in_float32(backend) -> None:
    z, t = np.zeros((2, 70_000)), np.array([0, 1])
    got = backend.numpy(
        cross_entropy(backend.array(z, "float16"), backend.array(t))
    )
    np.testing.assert_allclose(got, np.log(70_000), rtol=1e-3)
    z = np.zeros((10_000, 10))
    t = backend.array(np.zeros(10_000, int))
    got = backend.numpy(cross_entropy(backend.array(z, "float16"), t))
    np.testing.assert_allclose(got, np.log(10), rtol=1e-3)


def test_against_scikit_learn(backend, rng) -> None:
    z, t, w = (
        rng.normal(size=(30, 4)),
        rng.integers(4, size=30),
        rng.random(4) + 0.1,
    )
    p = scipy.special.softmax(z, 1)
    got = backend.numpy(
        cross_entropy(backend.array(z), backend.array(t), backend.array(w))
    )
    expected = sklearn.metrics.log_loss(
        t, p, sample_weight=w[t], labels=range(4)
    )
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    got = backend.numpy(
        nll_loss(
            backend.array(np.log(p)), backend.array(t), backend.array(w)
        )
    )
    np.testing.assert_allclose(got, expected, rtol=1e-12)


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 6), st.floats(0, 1))
def test_theory(seed, n, share) -> None:
    rng = np.random.default_rng(seed)
    z, u = 3 * rng.normal(size=(2, n))
    y, t = rng.dirichlet(np.ones(n)), rng.integers(n)
    q = softmax(z)
    loss = cross_entropy(z, y)
    close = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12)
    close(loss, cross_entropy_between(y, q))
    close(loss, entropy(y) + kl_divergence(y, q))
    close(loss, y @ -log_softmax(z))
    assert (
        loss >= entropy(y) - 1e-12
    )  # and equal to it where softmax(z) is y
    close(cross_entropy(np.log(y), y), entropy(y))
    close(cross_entropy(z + 7.5, y), loss)  # shift
    close(cross_entropy(z, np.eye(n)[t]), cross_entropy(z, t))
    close(cross_entropy(z, t), nll_loss(log_softmax(z), t))
    gap = z.max() - z[t]
    assert gap - 1e-12 <= cross_entropy(z, t) <= gap + np.log(n) + 1e-12
    chord = share * cross_entropy(z, t) + (1 - share) * cross_entropy(u, t)
    assert (
        cross_entropy(share * z + (1 - share) * u, t) <= chord + 1e-12
    )  # convex
    smoothed = (1 - share) * np.eye(n)[t] + share / n
    close(
        cross_entropy(z, t, label_smoothing=share),
        cross_entropy(z, smoothed),
    )
    order = rng.permutation(n)
    close(cross_entropy(z[order], y[order]), loss)  # no class is special


@given(seeds, st.integers(2, 6))
def test_minimised_at_the_truth(seed, n) -> None:
    """Properness: gradient descent on the logits ends at the target distribution."""
    rng = np.random.default_rng(seed)
    y = rng.dirichlet(np.full(n, 5.0))
    z = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    z.data = torch.tensor(np.log(y) + rng.normal())
    cross_entropy(z, torch.tensor(y)).backward()
    np.testing.assert_allclose(z.grad, np.zeros(n), atol=1e-15)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("index", OPTIONS["all"]),
        ("probability", SOFT_OPTIONS["all"]),
        ("nll", NLL_OPTIONS["all"]),
    ],
)
def test_compiled_by_torch(compiled, kind, options) -> None:
    ours, _, z, t = problem(kind, (4, 3), options)
    convert = {
        k: torch.tensor(v) if k == "weight" else v
        for k, v in options.items()
    }
    f = partial(ours, target=torch.tensor(t), **convert)
    leaf, other = (torch.tensor(z, requires_grad=True) for _ in range(2))
    got, expected = compiled(f)(leaf), f(other)
    got.backward()
    expected.backward()
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        leaf.grad, other.grad, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_traced_by_jax(kind, options) -> None:
    ours, _, z, t = problem(kind, (4, 3), options)
    convert = {
        k: JAX.array(v) if k == "weight" else v for k, v in options.items()
    }
    f, x, y = partial(ours, **convert), JAX.array(z), JAX.array(t)
    np.testing.assert_allclose(jax.jit(f)(x, y), f(x, y), rtol=1e-12)
    np.testing.assert_allclose(
        jax.jit(jax.grad(f))(x, y), jax.grad(f)(x, y), atol=1e-15
    )
    each = partial(f, reduction="none")
    np.testing.assert_allclose(jax.vmap(each)(x, y), each(x, y), rtol=1e-12)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_mapped_by_torch(kind, options) -> None:
    ours, _, z, t = problem(kind, (4, 3), options)
    convert = {
        k: TORCH.array(v) if k == "weight" else v
        for k, v in options.items()
    }
    each = partial(ours, reduction="none", **convert)
    x, y = torch.tensor(z), torch.tensor(t)
    np.testing.assert_allclose(
        torch.func.vmap(each)(x, y), each(x, y), rtol=1e-12
    )
    gradients = torch.func.vmap(torch.func.grad(each))(x, y)
    x.requires_grad_()
    each(x, y).sum().backward()
    np.testing.assert_allclose(gradients, x.grad, atol=1e-15)
