from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness import (
    BY_DTYPE,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    SHAPES,
    as_dtype,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    bootstrap_loss,
    cross_entropy,
    generalized_cross_entropy,
    symmetric_cross_entropy,
)

generalised, symmetric = generalized_cross_entropy, symmetric_cross_entropy
bootstrap = bootstrap_loss

CASES = [
    pytest.param(generalised, {}, id="generalised"),
    pytest.param(generalised, {"q": 0.0}, id="q-0"),
    pytest.param(generalised, {"q": 1.0}, id="q-1"),
    pytest.param(symmetric, {}, id="symmetric"),
    pytest.param(
        symmetric,
        {"alpha": 6.0, "beta": 0.1, "log_zero": -9.2},
        id="symmetric-options",
    ),
    pytest.param(bootstrap, {}, id="soft"),
    pytest.param(bootstrap, {"beta": 0.3}, id="soft-doubt"),
    pytest.param(bootstrap, {"beta": 0.8, "hard": True}, id="hard"),
]


def problem(shape=(4, 3)):
    rng = np.random.default_rng(0)
    of_target = shape[:1] * (len(shape) > 1) + shape[2:]
    return [
        2 * rng.normal(size=shape),
        np.asarray(rng.integers(3, size=of_target)),
    ]


def theirs(loss, z, t, **options):
    """Return the same loss, unreduced, from operators of PyTorch and SciPy alone."""
    axis = min(z.ndim - 1, 1)
    rows = z.movedim(axis, -1)
    predicted = torch.distributions.Categorical(
        logits=rows, validate_args=False
    )
    surprise = F.cross_entropy(z, t, reduction="none")
    if loss is generalised:
        q = options.get("q", 0.7)
        p_t = predicted.log_prob(t).exp()
        return BoxCox.apply(p_t, q)
    if loss is symmetric:
        log_y = torch.full_like(rows, options.get("log_zero", -4.0))
        log_y = log_y.scatter(-1, t[..., None], 0.0)
        reverse = F.kl_div(log_y, predicted.probs, reduction="none").sum(-1)
        reverse = reverse + predicted.entropy()
        alpha, beta = options.get("alpha", 0.1), options.get("beta", 1.0)
        return alpha * surprise + beta * reverse
    beta, own = options.get("beta", 0.95), predicted.probs
    y = F.one_hot(t, z.shape[axis]).double()
    if options.get("hard"):
        own = F.one_hot(rows.argmax(-1), z.shape[axis]).double()
    mixed = beta * y + (1 - beta) * own
    return F.cross_entropy(z, mixed.movedim(-1, axis), reduction="none")


class BoxCox(torch.autograd.Function):
    """Minus SciPy's Box–Cox transform of a probability."""

    @staticmethod
    def forward(ctx, p, q):
        ctx.save_for_backward(p)
        ctx.q = q
        return -torch.as_tensor(scipy.special.boxcox(p.detach().numpy(), q))

    @staticmethod
    def backward(ctx, cotangent):
        (p,) = ctx.saved_tensors
        return -cotangent * p ** (ctx.q - 1), None


def agrees(backend, dtype, loss, arrays, options, reduction="mean") -> None:
    z, t = (as_dtype(backend, x, dtype) for x in arrays)
    got = loss(z, t, **options, reduction=reduction)
    assert backend.dtype_of(got) == dtype
    leaf = torch.tensor(backend.numpy(z), requires_grad=True)
    expected = theirs(loss, leaf, torch.tensor(arrays[1]), **options)
    if reduction != "none":
        expected = getattr(expected, reduction)()
    assert tuple(got.shape) == tuple(expected.shape)
    close = partial(
        np.testing.assert_allclose,
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )
    close(backend.numpy(got), expected.detach())
    if backend.name == "numpy":
        return
    expected.sum().backward()
    f = lambda x: loss(x, t, **options, reduction=reduction)  # noqa: E731
    close(backend.gradient(f, z), leaf.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape(backend, loss, options, reduction) -> None:
    for shape in SHAPES if reduction == "none" else [(4, 3, 2), (0, 3)]:
        agrees(backend, "float64", loss, problem(shape), options, reduction)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype(backend, dtype, loss, options) -> None:
    agrees(backend, dtype, loss, problem(), options)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    differentiates_and_traces(loss, problem(), 1, options)


@pytest.mark.parametrize(("loss", "options"), [c.values for c in CASES[1:]])
def test_compiled_by_torch(compiled, loss, options) -> None:
    compiles(compiled, loss, problem(), options)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
@pytest.mark.parametrize(("loss", "options"), CASES[::3])
def test_every_target_dtype(backend, loss, options, dtype) -> None:
    z, t = problem()
    got = loss(backend.array(z), backend.array(t, dtype), **options)
    np.testing.assert_allclose(
        backend.numpy(got), loss(z, t, **options), rtol=1e-14
    )


# --- The laws ---------------------------------------------------------------------------------

SCORES = arrays(float, (5, 4), elements=st.floats(-30, 30))
TARGETS = arrays(int, 5, elements=st.integers(0, 3))


@given(z=SCORES, t=TARGETS, q=st.floats(0.01, 1))
def test_generalised_lies_between_its_ends(z, t, q) -> None:
    """And its sum over the classes is bounded on both sides: that is its robustness."""
    at = partial(generalised, z, t, reduction="none")
    assert np.all(at(q=1.0) <= at(q=q) + 1e-12)
    assert np.all(at(q=q) <= at(q=0.0) + 1e-12)
    assert np.all(at(q=q) <= 1 / q)
    every = sum(
        generalised(z, np.full(5, k), q=q, reduction="none")
        for k in range(4)
    )
    assert np.all(every >= (4 - 4 ** (1 - q)) / q - 1e-9)
    assert np.all(every <= 3 / q + 1e-9)


@given(z=SCORES, t=TARGETS)
def test_half_of_the_absolute_error(z, t) -> None:
    p, y = scipy.special.softmax(z, axis=1), np.eye(4)[t]
    np.testing.assert_allclose(
        generalised(z, t, q=1.0, reduction="none"),
        np.abs(p - y).sum(axis=1) / 2,
        rtol=1e-9,
        atol=1e-12,
    )


def test_q_to_0_is_cross_entropy(backend) -> None:
    z, t = (backend.array(x) for x in problem())
    for q in (1e-3, 1e-6, 1e-9, 1e-300):
        gap = cross_entropy(z, t) - generalised(z, t, q=q)
        assert 0 <= float(gap) + 1e-12 < 6 * q + 2e-12


@given(z=SCORES)
def test_reverse_cross_entropy_sums_to_a_constant(z) -> None:
    only = partial(symmetric, alpha=0.0, beta=0.5, reduction="none")
    every = sum(only(z, np.full(5, k)) for k in range(4))
    np.testing.assert_allclose(every, 0.5 * 4.0 * 3)


@given(z=SCORES, t=TARGETS)
def test_full_trust_in_the_label_is_cross_entropy(z, t) -> None:
    expected = cross_entropy(z, t)
    for hard in (False, True):
        got = bootstrap(z, t, beta=1.0, hard=hard)
        np.testing.assert_allclose(got, expected, atol=1e-12)


# --- Far out ----------------------------------------------------------------------------------


def exact(loss, z, t, **options):
    """Return a loss of two scores with fifty digits."""
    with mpmath.workdps(50):
        a, b = (mpmath.mpf(float(x)) for x in (z[t], z[1 - t]))
        log_p = [-mpmath.log1p(mpmath.exp(-d)) for d in (a - b, b - a)]
        p = [mpmath.exp(x) for x in log_p]
        if loss is generalised:
            q = mpmath.mpf(options.get("q", 0.7))
            value = (1 - mpmath.exp(q * log_p[0])) / q
        elif loss is symmetric:
            value = -mpmath.mpf(0.1) * log_p[0] + 4 * p[1]
        else:
            beta = mpmath.mpf(options.get("beta", 0.95))
            own = (
                -max(log_p)
                if options.get("hard")
                else -sum(map(mpmath.fmul, p, log_p))
            )
            value = -beta * log_p[0] + (1 - beta) * own
        return float(value)


@pytest.mark.parametrize("lead", [-1e30, -1e4, -700, -20, 3, 20, 1e4, 1e30])
@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (generalised, {}),
        (generalised, {"q": 1.0}),
        (symmetric, {}),
        (bootstrap, {}),
        (bootstrap, {"beta": 0.8, "hard": True}),
    ],
)
def test_far_out(backend, loss, options, lead) -> None:
    z = np.array([lead, 0.0])
    arrays = backend.array(z), backend.array(np.asarray(0))
    got = backend.numpy(loss(*arrays, **options))
    np.testing.assert_allclose(
        got, exact(loss, z, 0, **options), rtol=1e-14, atol=3e-16
    )
    if backend.name == "numpy":
        return
    gradient = backend.gradient(
        lambda x: loss(x, arrays[1], **options), arrays[0]
    )
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(), 0.0, atol=1e-15)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_a_class_that_cannot_happen(differentiable, loss, options) -> None:
    """A masked logit that is not the target changes nothing and gets no gradient."""
    z, t = problem()
    wide = np.concatenate([z, np.full((4, 1), -np.inf)], axis=1)
    f = partial(loss, target=differentiable.array(t), **options)
    got = f(differentiable.array(wide))
    np.testing.assert_allclose(
        differentiable.numpy(got), loss(z, t, **options), rtol=1e-14
    )
    slope = differentiable.gradient(f, differentiable.array(wide))
    plain = differentiable.gradient(f, differentiable.array(z))
    np.testing.assert_allclose(slope[:, :3], plain, atol=1e-15)
    np.testing.assert_array_equal(slope[:, 3], 0.0)


def test_a_target_that_cannot_happen(backend) -> None:
    z = backend.array(np.array([[-np.inf, 1.0]]))
    t = backend.array(np.array([0]))
    got = [
        float(generalised(z, t)),
        float(generalised(z, t, q=0.0)),
        float(symmetric(z, t, alpha=1.0)),
    ]
    np.testing.assert_allclose(got, [1 / 0.7, np.inf, np.inf])


def test_of_equals_the_first_is_believed(differentiable) -> None:
    z = differentiable.array(np.zeros(3))
    t = differentiable.array(np.asarray(2))
    slope = differentiable.gradient(
        lambda x: bootstrap(x, t, beta=0.0, hard=True), z
    )
    np.testing.assert_allclose(slope, np.array([-2, 1, 1]) / 3)


def test_strides_do_not_matter(backend) -> None:
    z, t = problem()
    wide = backend.array(np.repeat(z, 2, axis=1))[:, ::2]
    labels = backend.array(np.repeat(t, 2))[::2]
    for case in CASES:
        loss, options = case.values
        np.testing.assert_allclose(
            backend.numpy(loss(wide, labels, **options)),
            loss(z, t, **options),
            rtol=1e-14,
        )


# --- Mistakes ---------------------------------------------------------------------------------

Z, T = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, 3.0]]), np.array([0, 2])
EVERY = [generalised, symmetric, bootstrap]


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((Z.tolist(), T), "input must be an array .*list"),
        ((Z, 0), "target must be an array .*int"),
        ((T, T), "input .*dtype, got .*int64"),
        ((Z, T * 1.0), "target .*dtype, got .*float64"),
        ((Z, T + 1), "target .*0 … 2, got 3"),
        ((Z, T - 1), "target .*0 … 2, got -1"),
        ((Z, T - 100), "target .*0 … 2, got -100"),
        ((Z, T[:1]), r"target .*\(2,\).*got \(1,\)"),
        ((Z[0, 0], T[0]), r"input .*at least one axis.*\(\)"),
    ],
)
def test_mistakes_are_named(backend, loss, args, words) -> None:
    refuses(backend, loss, args, {}, words)


@pytest.mark.parametrize(
    ("loss", "options", "words"),
    [
        (generalised, {"q": -0.1}, r"q must be in \[0, 1\], got -0\.1"),
        (generalised, {"q": 2}, r"q must be in \[0, 1\], got 2"),
        (symmetric, {"alpha": -1.0}, "alpha .*at least 0, got -1"),
        (symmetric, {"beta": -1.0}, "beta .*at least 0, got -1"),
        (symmetric, {"log_zero": 0.0}, "log_zero .*below 0, got 0"),
        (symmetric, {"log_zero": 4.0}, "log_zero .*below 0, got 4"),
        (bootstrap, {"beta": -0.1}, r"beta must be in .*got -0\.1"),
        (bootstrap, {"beta": 1.1}, r"beta must be in .*got 1\.1"),
        *((f, {"reduction": "avg"}, "reduction .*'avg'") for f in EVERY),
    ],
)
def test_options_out_of_range(backend, loss, options, words) -> None:
    refuses(backend, loss, (Z, T), options, words)
