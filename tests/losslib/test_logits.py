from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness import BY_DTYPE, JAX, NUMPY, ROUND_OFF, TORCH
from losslib import (
    log_sigmoid,
    log_softmax,
    logsumexp,
    sigmoid,
    softmax,
    softplus,
)

ALONG_AXIS = {
    logsumexp: torch.logsumexp,
    log_softmax: F.log_softmax,
    softmax: F.softmax,
}
ELEMENTWISE = {
    sigmoid: F.sigmoid,
    log_sigmoid: F.logsigmoid,
    softplus: F.softplus,
}
EXTREMES = [
    0.0,
    1e-30,
    1e-8,
    0.1,
    1.0,
    5.0,
    19.9,
    40.0,
    300.3,
    700.0,
    745.0,
    1e4,
    1e30,
]
EXTREMES = sorted({*EXTREMES, *(-x for x in EXTREMES)})
logits = arrays(np.float64, st.integers(1, 6), elements=st.floats(-50, 50))
pairs = st.tuples(st.just(2), st.integers(1, 6))
two_logits = arrays(np.float64, pairs, elements=st.floats(-50, 50))


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize("f", ALONG_AXIS, ids=lambda f: f.__name__)
def test_along_an_axis_against_pytorch(backend, dtype, f, rng) -> None:
    z = 3 * rng.normal(size=(4, 3, 5))
    x = backend.array(z, dtype)
    for axis in (-1, 0, 1):
        got = f(x, axis)
        assert backend.dtype_of(got) == dtype
        expected = ALONG_AXIS[f](torch.from_numpy(backend.numpy(x)), axis)
        tolerance = ROUND_OFF[dtype]
        np.testing.assert_allclose(
            backend.numpy(got), expected, tolerance, tolerance
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize("f", ELEMENTWISE, ids=lambda f: f.__name__)
def test_elementwise_against_pytorch(backend, dtype, f, rng) -> None:
    for z in (rng.normal(size=(4, 5)), np.array(0.3), np.empty((0, 2))):
        x = backend.array(z, dtype)
        got = f(x)
        assert backend.dtype_of(got) == dtype
        assert tuple(got.shape) == z.shape
        expected = ELEMENTWISE[f](
            torch.from_numpy(np.asarray(backend.numpy(x)))
        )
        tolerance = ROUND_OFF[dtype]
        np.testing.assert_allclose(
            backend.numpy(got), expected, tolerance, tolerance
        )


@pytest.mark.parametrize(
    "f", [*ALONG_AXIS, *ELEMENTWISE], ids=lambda f: f.__name__
)
def test_gradients_against_pytorch(differentiable, f, rng) -> None:
    z = rng.normal(size=(4, 3))
    z[0, 0] = z[0, 1] = z[0].max()  # a tie for the largest
    cotangent = rng.normal(size=(4,) if f is logsumexp else (4, 3))
    theirs = {**ALONG_AXIS, **ELEMENTWISE}[f]
    leaf = torch.tensor(z, requires_grad=True)
    (theirs(leaf, -1) if f in ALONG_AXIS else theirs(leaf)).backward(
        torch.tensor(cotangent)
    )
    weight = differentiable.array(cotangent)
    got = differentiable.gradient(
        lambda x: f(x) * weight, differentiable.array(z)
    )
    np.testing.assert_allclose(got, leaf.grad, rtol=1e-12, atol=1e-15)


def test_slopes_at_zero(differentiable) -> None:
    zero = differentiable.array([0.0, -0.0])
    for f, slope in [(sigmoid, 0.25), (softplus, 0.5), (log_sigmoid, 0.5)]:
        got = differentiable.gradient(f, zero)
        np.testing.assert_array_equal(got, [slope, slope])


@pytest.mark.parametrize("f", ALONG_AXIS, ids=lambda f: f.__name__)
def test_a_row_far_below_another_is_on_its_own(backend, f) -> None:
    z = np.array([[1e4, 1e4 - 1], [3.0, 2.0], [-1e4, -1e4 - 1]])
    got = backend.numpy(f(backend.array(z), -1))
    alone = [backend.numpy(f(backend.array(row), -1)) for row in z]
    np.testing.assert_array_equal(got, alone)


@pytest.mark.parametrize(
    "f", [*ALONG_AXIS, *ELEMENTWISE], ids=lambda f: f.__name__
)
def test_gradients_by_finite_differences(f) -> None:
    z = torch.randn(
        3,
        4,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(0),
    )
    z[0, 0] = z[0, 1] = z[0].max() if f not in ALONG_AXIS else z[0, 1]
    z.requires_grad_()
    assert torch.autograd.gradcheck(f, z)
    assert torch.autograd.gradgradcheck(f, z)


def test_against_scipy(rng) -> None:
    z = 30 * rng.normal(size=(20, 7))
    for ours, theirs in [
        (logsumexp(z, 1), scipy.special.logsumexp(z, 1)),
        (
            logsumexp(z, 1, keepdims=True),
            scipy.special.logsumexp(z, 1, keepdims=True),
        ),
        (log_softmax(z, 1), scipy.special.log_softmax(z, 1)),
        (softmax(z, 1), scipy.special.softmax(z, 1)),
        (sigmoid(z), scipy.special.expit(z)),
        (log_sigmoid(z), scipy.special.log_expit(z)),
        (softplus(z), -scipy.special.log_expit(-z)),
    ]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def exact(f, z):
    """Return f(z), worked out with 100 digits, as floats."""
    with mpmath.workdps(100):
        z = [mpmath.mpf(float(x)) for x in np.atleast_1d(z)]
        top = max(z)
        total = mpmath.fsum(mpmath.exp(x - top) for x in z)
        if f is logsumexp:
            return float(top + mpmath.log(total))
        if f is log_softmax:
            return [float(x - top - mpmath.log(total)) for x in z]
        if f is softmax:
            return [float(mpmath.exp(x - top) / total) for x in z]
        (x,) = z
        if f is sigmoid:
            return float(
                1 / (1 + mpmath.exp(-x))
                if x > 0
                else mpmath.exp(x) / (1 + mpmath.exp(x))
            )
        y = x if f is softplus else -x  # log_sigmoid(x) is -softplus(-x)
        small = mpmath.exp(-abs(y))
        value = max(y, 0) + mpmath.log1p(small)
        return float(value if f is softplus else -value)


@pytest.mark.parametrize("f", ELEMENTWISE, ids=lambda f: f.__name__)
def test_extremes_elementwise_against_mpmath(backend, f) -> None:
    got = backend.numpy(f(backend.array(EXTREMES)))
    expected = np.array([exact(f, x) for x in EXTREMES])
    normal = (
        np.abs(expected) > 1e-300
    )  # below, a float has fewer digits, and XLA has none
    np.testing.assert_allclose(got[normal], expected[normal], rtol=1e-14)
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("f", ALONG_AXIS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "z",
    [
        [1.0, 2.0, 3.0],
        [40.0, 0.0, -40.0],
        [700.0, -700.0, 0.5],
        [1e4, 1e4 - 3, -1e4],
        [-1e4, -1e4 + 1, -1e4 - 5],
        [1e30, -1e30, 0.0],
        [-1e30, -1e30, -1e30],
        [1e30, 1e30, 1.0],
        [20.0, 0.0, 1.0],
        [0.0, 1e-30, -1e-30],
    ],
)
def test_extremes_along_an_axis_against_mpmath(backend, f, z) -> None:
    got = backend.numpy(f(backend.array(z)))
    # The log-probability of the top class is good to the round-off of 1, as PyTorch's is.
    atol = 3e-16 if f is log_softmax else 1e-300
    np.testing.assert_allclose(got, exact(f, z), rtol=1e-14, atol=atol)


def test_no_logits(backend) -> None:
    """A sum of nothing is 0, and its logarithm minus infinity; no class has a probability."""
    z = backend.array(np.zeros((3, 0)))
    assert (backend.numpy(logsumexp(z)) == [-np.inf] * 3).all()
    assert logsumexp(z, axis=0).shape == (0,)
    assert softmax(z).shape == log_softmax(z).shape == (3, 0)


def test_infinite_logits(backend) -> None:
    """Minus infinity leaves a class out, whatever the library."""
    z = backend.array([[0.0, -np.inf, 0.0], [-np.inf, -np.inf, 3.0]])
    np.testing.assert_allclose(
        backend.numpy(logsumexp(z)), [np.log(2), 3.0]
    )
    np.testing.assert_allclose(
        backend.numpy(softmax(z)), [[0.5, 0, 0.5], [0, 0, 1]]
    )
    half = -np.log(2)
    np.testing.assert_allclose(
        backend.numpy(log_softmax(z)),
        [[half, -np.inf, half], [-np.inf, -np.inf, 0.0]],
    )
    assert (
        backend.numpy(logsumexp(backend.array([-np.inf, -np.inf])))
        == -np.inf
    )
    assert backend.numpy(logsumexp(backend.array([np.inf, 0.0]))) == np.inf
    ends = backend.array([-np.inf, np.inf])
    np.testing.assert_array_equal(
        backend.numpy(softplus(ends)), [0.0, np.inf]
    )
    np.testing.assert_array_equal(
        backend.numpy(log_sigmoid(ends)), [-np.inf, 0.0]
    )
    np.testing.assert_array_equal(backend.numpy(sigmoid(ends)), [0.0, 1.0])


def test_gradients_with_a_class_left_out(differentiable) -> None:
    z = differentiable.array([0.0, -np.inf, 1.0])
    got = differentiable.gradient(logsumexp, z)
    np.testing.assert_allclose(
        got, [sigmoid(np.array(-1.0)), 0.0, sigmoid(np.array(1.0))]
    )


def test_half_precision_sums_in_float32(backend) -> None:
    """65 504 is the largest float16: a sum of 70 000 equal terms must not be made in it."""
    z = backend.array(np.zeros(70_000), "float16")
    np.testing.assert_allclose(
        backend.numpy(logsumexp(z)), np.log(70_000), rtol=1e-3
    )


def test_strides_and_flags_do_not_matter(rng) -> None:
    z = rng.normal(size=(4, 6))
    frozen = z.T[::2].copy().T
    frozen.flags.writeable = False
    view = z[:, ::2]
    for f in (*ALONG_AXIS, *ELEMENTWISE):
        np.testing.assert_array_equal(f(view), f(frozen))
        np.testing.assert_array_equal(
            f(torch.from_numpy(z)[:, ::2]), f(TORCH.array(view.copy()))
        )


@given(logits, st.floats(-100, 100))
def test_shift(z, shift) -> None:
    np.testing.assert_allclose(
        logsumexp(z + shift), logsumexp(z) + shift, atol=1e-12
    )
    np.testing.assert_allclose(softmax(z + shift), softmax(z), atol=1e-12)
    np.testing.assert_allclose(
        log_softmax(z + shift), log_softmax(z), atol=1e-12
    )


@given(logits)
def test_bounds_of_log_sum_exp(z) -> None:
    value = logsumexp(z)
    assert (
        z.max()
        <= value
        <= z.max() + np.log(z.size) + 1e-14 * (1 + abs(value))
    )


@given(two_logits, st.floats(0, 1))
def test_log_sum_exp_is_convex(pair, share) -> None:
    a, b = pair
    on_chord = share * logsumexp(a) + (1 - share) * logsumexp(b)
    assert logsumexp(share * a + (1 - share) * b) <= on_chord + 1e-12


@given(logits, st.integers(0, 2**32 - 1))
def test_identity_m(z, seed) -> None:
    """Identity (M): log-sum-exp is <p, z> + H(p) + KL(p || softmax(z)), for any p."""
    from losslib import entropy, kl_divergence

    p = np.random.default_rng(seed).dirichlet(np.ones(z.size))
    right = p @ z + entropy(p) + kl_divergence(p, softmax(z))
    np.testing.assert_allclose(logsumexp(z), right, rtol=1e-12, atol=1e-12)


@given(logits)
def test_softmax_is_a_distribution_and_keeps_order(z) -> None:
    p = softmax(z)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(), 1.0)
    assert (np.diff(p[np.argsort(z, kind="stable")]) >= 0).all()


@given(st.floats(-700, 700))
def test_two_sides_of_the_sigmoid(x) -> None:
    z = np.array(x)
    np.testing.assert_allclose(sigmoid(z) + sigmoid(-z), 1.0)
    np.testing.assert_allclose(softplus(z) - softplus(-z), x, atol=1e-12)
    np.testing.assert_allclose(log_sigmoid(z), -softplus(-z))
    np.testing.assert_allclose(
        softplus(z), logsumexp(np.array([x, 0.0])), rtol=1e-12, atol=1e-15
    )


def test_compiled_and_traced(compiled) -> None:
    z = np.linspace(-3.0, 3.0, 12).reshape(4, 3)
    expected = log_softmax(z) + softplus(z) + sigmoid(z)

    def f(z):
        return log_softmax(z) + softplus(z) + sigmoid(z)

    t, j = TORCH.array(z), JAX.array(z)
    for got in (
        compiled(f)(t),
        torch.func.vmap(f)(t),
        jax.jit(f)(j),
        jax.vmap(f)(j),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "f", [*ALONG_AXIS, *ELEMENTWISE], ids=lambda f: f.__name__
)
def test_mistakes_are_named(backend, f) -> None:
    with pytest.raises(TypeError, match=r"input must be an array .*list"):
        f([1.0])
    with pytest.raises(
        TypeError, match=r"input must be an array .*NoneType"
    ):
        f(None)
    with pytest.raises(
        TypeError,
        match=r"input must have a real floating dtype, got .*int64",
    ):
        f(backend.array([1, 2]))
    if f in ALONG_AXIS:
        with pytest.raises(
            ValueError, match=r"axis must be an axis of input, 2-dim.*got 2"
        ):
            f(backend.array(np.ones((2, 2))), 2)
        with pytest.raises(
            ValueError,
            match=r"axis must be an axis of input, 0-dimensional",
        ):
            f(backend.array(1.0))


def test_scalars_of_numpy_and_keepdims() -> None:
    assert softplus(np.float64(0.0)) == np.log(2)
    assert logsumexp(
        NUMPY.array(np.ones((2, 3))), 0, keepdims=True
    ).shape == (
        1,
        3,
    )
    assert logsumexp(jnp.ones((2, 3)), 1, keepdims=True).shape == (2, 1)
