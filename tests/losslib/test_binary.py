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

from harness import BY_DTYPE, JAX, REDUCTIONS, ROUND_OFF, TORCH, Backend
from losslib import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    entropy,
    kl_divergence,
    log_sigmoid,
    sigmoid,
    soft_margin_loss,
)

bce, bce_logits, margin = (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    soft_margin_loss,
)
SHAPES = [(), (3,), (4, 3), (4, 3, 2), (0, 3)]
CASES = [
    pytest.param(bce, [], id="bce"),
    pytest.param(bce, ["weight"], id="bce-weight"),
    pytest.param(bce_logits, [], id="logits"),
    pytest.param(bce_logits, ["weight"], id="logits-weight"),
    pytest.param(bce_logits, ["pos_weight"], id="logits-pos_weight"),
    pytest.param(bce_logits, ["weight", "pos_weight"], id="logits-both"),
    pytest.param(margin, [], id="margin"),
]


def problem(
    loss, options: list[str], shape: tuple[int, ...], seed: int = 0
):
    """Return input, target and weights; the weights broadcast."""
    rng = np.random.default_rng(seed)
    z, y = (
        np.asarray(2 * rng.normal(size=shape)),
        np.asarray(rng.random(shape)),
    )
    if loss is bce:
        z = scipy.special.expit(z)
    if loss is margin:
        y = np.where(y < 0.5, -1.0, 1.0)
    return z, y, {name: rng.random(shape[-1:]) + 0.5 for name in options}


def compare(
    backend: Backend, dtype: str, loss, options, shape, reduction
) -> None:
    z, y, weights = problem(loss, options, shape)
    x, t = backend.array(z, dtype), backend.array(y, dtype)
    mine = {name: backend.array(w, dtype) for name, w in weights.items()}
    f = partial(loss, target=t, reduction=reduction, **mine)
    got = f(x)
    assert backend.dtype_of(got) == dtype

    leaf = torch.tensor(backend.numpy(x), requires_grad=True)
    exact = {
        name: torch.tensor(backend.numpy(w)) for name, w in mine.items()
    }
    theirs = getattr(F, loss.__name__)
    expected = theirs(
        leaf, torch.tensor(backend.numpy(t)), reduction=reduction, **exact
    )
    assert tuple(got.shape) == tuple(expected.shape)
    tolerance = ROUND_OFF[dtype]
    close = partial(
        np.testing.assert_allclose, rtol=tolerance, atol=tolerance
    )
    close(backend.numpy(got), expected.detach())
    if backend.name != "numpy":
        expected.sum().backward()
        close(backend.gradient(f, x), leaf.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape_against_pytorch(
    backend, loss, options, reduction
) -> None:
    for shape in SHAPES:
        compare(backend, "float64", loss, options, shape, reduction)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype_against_pytorch(backend, dtype, loss, options) -> None:
    for reduction in REDUCTIONS:
        compare(backend, dtype, loss, options, (4, 3), reduction)


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "float32",
        "float16",
    ],
)
@pytest.mark.parametrize("loss", [bce, bce_logits, margin])
def test_every_target_dtype(backend, loss, dtype) -> None:
    x, y = np.array([0.1, 0.4, 0.7]), np.array([0, 1, 1])
    got = loss(backend.array(x), backend.array(y, dtype), reduction="none")
    np.testing.assert_allclose(
        backend.numpy(got), loss(x, y.astype(float), reduction="none")
    )


def test_the_mean_divides_by_the_number_of_elements(backend) -> None:
    """Whatever the weights are: unlike the mean of cross_entropy."""
    z, y, w = (
        backend.array(x)
        for x in ([0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 3.0, 8.0])
    )
    got = backend.numpy(bce_logits(z, y, w))
    np.testing.assert_allclose(got, np.log(2) * 12 / 3)
    got = backend.numpy(bce_logits(z, y, pos_weight=w))
    np.testing.assert_allclose(got, np.log(2) * (1 + 3 + 8) / 3)
    half = backend.array([0.5, 0.5, 0.5])
    np.testing.assert_allclose(
        backend.numpy(bce(half, y, w)), np.log(2) * 12 / 3
    )


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
    1e4,
    1e30,
]
EXTREMES = sorted({*EXTREMES, *(-x for x in EXTREMES)})


def softplus_exact(z: float) -> Any:
    return max(mpmath.mpf(z), 0) + mpmath.log1p(
        mpmath.exp(-abs(mpmath.mpf(z)))
    )


@pytest.mark.parametrize("y", [0.0, 0.25, 0.5, 1.0])
def test_extremes_against_mpmath(backend, y) -> None:
    """With logits no digit is lost: PyTorch gives 0 for z = -40 and y = 0, and this 4.2e-18."""
    got = bce_logits(
        backend.array(EXTREMES),
        backend.array([y] * len(EXTREMES)),
        reduction="none",
    )
    with mpmath.workdps(60):
        expected = [
            float(y * softplus_exact(-z) + (1 - y) * softplus_exact(z))
            for z in EXTREMES
        ]
    np.testing.assert_allclose(
        backend.numpy(got), expected, rtol=1e-14, atol=1e-300
    )


@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_extremes_of_soft_margin_against_mpmath(backend, y) -> None:
    got = margin(
        backend.array(EXTREMES),
        backend.array([y] * len(EXTREMES)),
        reduction="none",
    )
    with mpmath.workdps(60):
        expected = [float(softplus_exact(-y * z)) for z in EXTREMES]
    np.testing.assert_allclose(
        backend.numpy(got), expected, rtol=1e-14, atol=1e-300
    )


def test_where_pytorch_loses_digits() -> None:
    """Documented differences: these are PyTorch's own results, to hear of it if they change."""
    z, y = (
        torch.tensor(-40.0, dtype=torch.float64),
        torch.tensor(0.0, dtype=torch.float64),
    )
    assert F.binary_cross_entropy_with_logits(z, y) == 0.0
    np.testing.assert_allclose(
        bce_logits(z, y), 4.248354255291589e-18, rtol=1e-14
    )
    assert (
        F.soft_margin_loss(torch.tensor(-200.0), torch.tensor(1.0))
        == np.inf
    )
    assert margin(torch.tensor(-200.0), torch.tensor(1.0)) == 200.0


@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
def test_probabilities_against_mpmath(backend, y) -> None:
    """Down to 1e-13, and as near to 1 as a float is."""
    p = np.array(
        [1e-13, 1e-9, 1e-5, 0.3, 0.5, 0.7, 1 - 1e-5, 1 - 1e-9, 1 - 2**-52]
    )
    got = bce(
        backend.array(p),
        backend.array(np.full(p.shape, y)),
        reduction="none",
    )
    with mpmath.workdps(60):
        expected = [
            float(
                -y * mpmath.log(mpmath.mpf(x))
                - (1 - y) * mpmath.log1p(-mpmath.mpf(x))
            )
            for x in map(float, p)
        ]
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


def test_probabilities_of_exactly_zero_and_one(backend) -> None:
    """The logarithm stops at -100, as PyTorch's does; what is held has no slope."""
    p, y = (
        np.array([0.0, 0.0, 1.0, 1.0, 1e-60]),
        np.array([0.0, 1.0, 0.0, 1.0, 1.0]),
    )
    f = partial(bce, target=backend.array(y), reduction="none")
    np.testing.assert_array_equal(
        backend.numpy(f(backend.array(p))), [0, 100, 100, 0, 100]
    )
    if backend.name != "numpy":
        np.testing.assert_array_equal(
            backend.gradient(f, backend.array(p)), [1, 0, 0, -1, 0]
        )


def test_gradient_near_zero_and_one(differentiable) -> None:
    """A documented difference: PyTorch divides by 1e-12 at least."""
    p = np.array([1e-40, 1e-14, 1e-13, 1e-6, 1 - 1e-6, 1 - 1e-13])
    for y in (0.0, 0.3, 1.0):
        f = partial(bce, target=differentiable.array(np.full(6, y)))
        got = 6 * differentiable.gradient(f, differentiable.array(p))
        np.testing.assert_allclose(
            got, (1 - y) / (1 - p) - y / p, rtol=1e-12
        )
    leaf = torch.tensor([1e-14], dtype=torch.float64, requires_grad=True)
    F.binary_cross_entropy(leaf, torch.ones(1).double()).backward()
    assert leaf.grad == pytest.approx(-1e12)  # and not -1e14


def test_infinite_logits_give_the_limits(backend) -> None:
    """A documented difference: PyTorch returns nan in three of these four cases."""
    z, y = (
        np.array([-np.inf, -np.inf, np.inf, np.inf]),
        np.array([0.0, 1.0, 0.0, 1.0]),
    )
    f = partial(bce_logits, target=backend.array(y), reduction="none")
    np.testing.assert_array_equal(
        backend.numpy(f(backend.array(z))), [0.0, np.inf, np.inf, 0.0]
    )
    theirs = F.binary_cross_entropy_with_logits(
        *map(torch.tensor, (z, y)), reduction="none"
    )
    assert torch.isnan(theirs).sum() == 3
    half = backend.array([0.5, 0.5])
    ends = bce_logits(
        backend.array([-np.inf, np.inf]), half, reduction="none"
    )
    np.testing.assert_array_equal(backend.numpy(ends), [np.inf, np.inf])
    if backend.name != "numpy":
        np.testing.assert_array_equal(
            backend.gradient(f, backend.array(z)), [0.0, -1.0, 1.0, 0.0]
        )
    f = partial(margin, target=backend.array([1.0, 1.0]), reduction="none")
    got = backend.numpy(f(backend.array([-np.inf, np.inf])))
    np.testing.assert_array_equal(got, [np.inf, 0.0])


def test_half_precision_is_worked_out_in_float32(backend) -> None:
    z = backend.array(np.full(1000, 100.0), "float16")
    y = backend.array(np.zeros(1000), "float16")
    assert (
        backend.numpy(bce_logits(z, y)) == 100.0
    )  # the sum, 1e5, is beyond float16
    p = backend.array([0.0, 1.0], "float16")
    np.testing.assert_array_equal(
        backend.numpy(bce(p, p, reduction="none")), [0.0, 0.0]
    )


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_by_finite_differences(loss, options) -> None:
    z, y, weights = problem(loss, options, (4, 3))
    leaf, target = torch.tensor(z, requires_grad=True), torch.tensor(y)
    mine = {name: torch.tensor(w) for name, w in weights.items()}
    for reduction in ("none", "mean"):
        f = partial(loss, target=target, reduction=reduction, **mine)
        assert torch.autograd.gradcheck(f, leaf)
        assert torch.autograd.gradgradcheck(f, leaf)
    if loss is not margin:
        inner = target.clone().requires_grad_()
        assert torch.autograd.gradcheck(
            partial(loss, leaf.detach(), **mine), inner
        )


def test_second_derivative_at_zero() -> None:
    """Zero is where a form with |z| has a kink."""
    z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.3], dtype=torch.float64)
    (first,) = torch.autograd.grad(bce_logits(z, y), z, create_graph=True)
    (second,) = torch.autograd.grad(first, z)
    np.testing.assert_allclose([first.item(), second.item()], [0.2, 0.25])


def test_gradients_of_the_book(differentiable, rng) -> None:
    z, y = rng.normal(size=5), rng.random(5)
    f = partial(
        bce_logits, target=differentiable.array(y), reduction="none"
    )
    got = differentiable.gradient(f, differentiable.array(z))
    np.testing.assert_allclose(got, scipy.special.expit(z) - y, rtol=1e-12)
    p = scipy.special.expit(z)
    f = partial(bce, target=differentiable.array(y), reduction="none")
    got = differentiable.gradient(f, differentiable.array(p))
    np.testing.assert_allclose(got, (p - y) / (p * (1 - p)), rtol=1e-12)


def test_against_scipy_and_scikit_learn(backend, rng) -> None:
    z, y, w = rng.normal(size=40), rng.integers(2, size=40), rng.random(40)
    p = scipy.special.expit(z)
    expected = sklearn.metrics.log_loss(y, p)
    for got in (
        bce(backend.array(p), backend.array(y)),
        bce_logits(backend.array(z), backend.array(y)),
        margin(backend.array(z), backend.array(2 * y - 1)),
    ):
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)
    by_hand = -scipy.special.xlogy(y, p) - scipy.special.xlog1py(1 - y, -p)
    got = bce(
        backend.array(p),
        backend.array(y),
        backend.array(w),
        reduction="none",
    )
    np.testing.assert_allclose(backend.numpy(got), w * by_hand, rtol=1e-12)


@given(
    st.floats(-30, 30),
    st.floats(-30, 30),
    st.floats(0.001, 0.999),
    st.floats(0, 1),
)
def test_theory(a, b, y, share) -> None:
    z, u, target = np.array(a), np.array(b), np.array(y)
    p = sigmoid(z)
    loss = bce_logits(z, target)
    close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
    truth, forecast = np.array([y, 1 - y]), np.array([p, sigmoid(-z)])
    close(loss, entropy(truth) + kl_divergence(truth, forecast))
    close(
        loss, cross_entropy(np.array([a, 0.0]), truth)
    )  # softmax of two logits
    assert loss >= entropy(truth) - 1e-12
    close(
        bce_logits(scipy.special.logit(target), target), entropy(truth)
    )  # proper
    close(bce(target, target), entropy(truth))
    close(
        loss, bce_logits(-z, 1 - target)
    )  # the two classes may change places
    close(loss, -y * log_sigmoid(z) - (1 - y) * log_sigmoid(-z))
    for sign in (-1.0, 1.0):
        label = np.array((sign + 1) / 2)
        close(margin(z, np.array(sign)), bce_logits(z, label))
        assert margin(z, np.array(sign)) >= np.log(2) * (
            sign * a <= 0
        )  # bounds the 0-1 loss
    chord = share * bce_logits(z, target) + (1 - share) * bce_logits(
        u, target
    )
    assert (
        bce_logits(share * z + (1 - share) * u, target) <= chord + 1e-12
    )  # convex


def test_strides_and_flags_do_not_matter(rng) -> None:
    z, y = rng.random((4, 6)), rng.random((4, 6))
    for loss in (bce, bce_logits, margin):
        expected = loss(z[:, ::2].copy(), y[:, ::2].copy())
        frozen = z[:, ::2].copy()
        frozen.flags.writeable = False
        np.testing.assert_allclose(
            loss(frozen, y[:, ::2]), expected, rtol=1e-15
        )
        got = loss(torch.tensor(z)[:, ::2], torch.tensor(y)[:, ::2])
        np.testing.assert_allclose(got, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (bce, ["weight"]),
        (bce_logits, ["weight", "pos_weight"]),
        (margin, []),
    ],
)
def test_compiled_by_torch(compiled, loss, options) -> None:
    z, y, weights = problem(loss, options, (4, 3))
    f = partial(
        loss, **{name: torch.tensor(w) for name, w in weights.items()}
    )
    leaf, other = (torch.tensor(z, requires_grad=True) for _ in range(2))
    got, expected = (
        compiled(f)(leaf, torch.tensor(y)),
        f(other, torch.tensor(y)),
    )
    got.backward()
    expected.backward()
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        leaf.grad, other.grad, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_traced_and_mapped(loss, options) -> None:
    z, y, weights = problem(loss, options, (4, 3))
    f = partial(loss, **{name: JAX.array(w) for name, w in weights.items()})
    x, t = JAX.array(z), JAX.array(y)
    np.testing.assert_allclose(jax.jit(f)(x, t), f(x, t), rtol=1e-12)
    np.testing.assert_allclose(
        jax.jit(jax.grad(f))(x, t), jax.grad(f)(x, t), atol=1e-15
    )
    each = partial(f, reduction="none")
    np.testing.assert_allclose(jax.vmap(each)(x, t), each(x, t), rtol=1e-12)
    each = partial(
        loss,
        reduction="none",
        **{n: TORCH.array(w) for n, w in weights.items()},
    )
    x, t = torch.tensor(z), torch.tensor(y)
    np.testing.assert_allclose(
        torch.func.vmap(each)(x, t), each(x, t), rtol=1e-12
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_the_slope_ends(differentiable, dtype) -> None:
    """At the least p that has one it is -1/p, and below there is none."""
    tiny = (
        np.finfo(dtype).smallest_normal
        if dtype == "float32"
        else np.exp(-100)
    )
    least = np.asarray(tiny, dtype)
    p = np.array([least, np.nextafter(least, np.asarray(0, dtype))])
    slope = differentiable.gradient(
        lambda p: binary_cross_entropy(p, 0 * p + 1, reduction="sum"),
        differentiable.array(p, dtype),
    )
    np.testing.assert_allclose(slope, [-1 / least, 0.0], rtol=1e-6)
