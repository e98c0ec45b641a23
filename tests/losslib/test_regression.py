from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
import torch

from harness import (
    BY_DTYPE,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)

WEIGHT = "of the shape of input"
CASES = [
    pytest.param(mse_loss, {}, id="mse"),
    pytest.param(mse_loss, {"weight": WEIGHT}, id="mse-weight"),
    pytest.param(l1_loss, {}, id="l1"),
    pytest.param(l1_loss, {"weight": WEIGHT}, id="l1-weight"),
    pytest.param(huber_loss, {"delta": 0.7}, id="huber"),
    pytest.param(huber_loss, {"weight": WEIGHT}, id="huber-weight"),
    pytest.param(smooth_l1_loss, {"beta": 2.0}, id="smooth"),
    pytest.param(smooth_l1_loss, {"beta": 0}, id="smooth-l1"),
    pytest.param(gaussian_nll_loss, {}, id="gaussian"),
    pytest.param(gaussian_nll_loss, {"full": True, "eps": 1e-3}, id="full"),
]


def problem(loss, options, shape=(4, 3)):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(2 * rng.normal(size=shape)) for _ in range(2)]
    if loss is gaussian_nll_loss:
        arrays.append(np.asarray(rng.random(shape) + 0.5))
    weight = np.asarray(rng.random(shape) + 0.5)
    return arrays, {
        key: weight if x is WEIGHT else x for key, x in options.items()
    }


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape_against_pytorch(
    backend, loss, options, reduction
) -> None:
    for shape in [(), (3,), (4, 3, 2), (0, 3)]:
        arrays, extra = problem(loss, options, shape)
        extra["reduction"] = reduction
        agrees_with_pytorch(
            backend, "float64", loss, arrays, len(arrays), extra
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype_against_pytorch(backend, dtype, loss, options) -> None:
    arrays, extra = problem(loss, options)
    agrees_with_pytorch(backend, dtype, loss, arrays, len(arrays), extra)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    arrays, extra = problem(loss, options)
    differentiates_and_traces(loss, arrays, len(arrays), extra)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (mse_loss, {"weight": WEIGHT}),
        (l1_loss, {}),
        (huber_loss, {}),
        (smooth_l1_loss, {}),
        (gaussian_nll_loss, {"full": True}),
    ],
)
def test_compiled_by_torch(compiled, loss, options) -> None:
    compiles(compiled, loss, *problem(loss, options))


X, Y = np.array([[0.5, -1.0, 2.0]]), np.array([[0.0, 1.0, 4.0]])
MISTAKES = [
    (mse_loss, (X.tolist(), Y), {}, "input must be an array .*list"),
    (mse_loss, (X, 1.0), {}, "target must be an array .*float"),
    (mse_loss, (X.astype(int), Y), {}, "input .*dtype, got .*int64"),
    (mse_loss, (X, Y.astype(int)), {}, "target .*dtype, got .*int64"),
    (mse_loss, (X, Y.T), {}, r"target .*\(1, 3\), got \(3, 1\)"),
    (mse_loss, (X, Y), {"weight": Y[0]}, r"weight .*\(3,\)"),
    (mse_loss, (X, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
    (l1_loss, (X, Y[0]), {}, r"target .*\(3,\)"),
    (l1_loss, (X, Y > 0), {}, "target .*dtype, got .*bool"),
    (l1_loss, (X, Y), {"reduction": None}, "reduction must .*None"),
    (huber_loss, (X, Y), {"delta": 0.0}, "delta must be above 0, got 0.0"),
    (
        huber_loss,
        (X, Y),
        {"delta": np.nan},
        "delta must be above 0, got nan",
    ),
    (huber_loss, (X, Y[0]), {}, r"target .*\(3,\)"),
    (smooth_l1_loss, (X, Y), {"beta": -1.0}, "beta must .*-1.0"),
    (smooth_l1_loss, (X, Y.tolist()), {}, "target must be an array .*list"),
    (
        gaussian_nll_loss,
        (X, Y, -Y),
        {},
        "var must not be negative, got -1.0",
    ),
    (
        gaussian_nll_loss,
        (X, Y, -1.0),
        {},
        "var must not be negative, got -1",
    ),
    (gaussian_nll_loss, (X, Y, X[:, :2]), {}, r"var .*\(1, 2\)"),
    (gaussian_nll_loss, (X, Y, Y.astype(int)), {}, "var .*dtype"),
    (
        gaussian_nll_loss,
        (X, Y, Y.tolist()),
        {},
        "var must be an array .*list",
    ),
    (
        gaussian_nll_loss,
        (X, Y.T, Y),
        {},
        r"target must broadcast .*\(3, 1\)",
    ),
    (gaussian_nll_loss, (X, Y, Y), {"eps": 0.0}, "eps must be above 0"),
    (
        gaussian_nll_loss,
        (X, Y, Y),
        {"reduction": ""},
        "reduction must .*''",
    ),
]


@pytest.mark.parametrize(("loss", "args", "options", "words"), MISTAKES)
def test_mistakes_are_named(backend, loss, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


def test_against_scipy_and_scikit_learn(backend, rng) -> None:
    x, y, var = (
        rng.normal(size=40),
        rng.normal(size=40),
        rng.random(40) + 0.1,
    )
    weight = rng.random(40)
    mine = [backend.array(a) for a in (x, y)]
    for got, expected in [
        (mse_loss(*mine), sklearn.metrics.mean_squared_error(y, x)),
        (l1_loss(*mine), sklearn.metrics.mean_absolute_error(y, x)),
        (
            mse_loss(*mine, weight=backend.array(weight)),
            sklearn.metrics.mean_squared_error(y, x, sample_weight=weight),
        ),
        (
            huber_loss(*mine, delta=0.7),
            scipy.special.huber(0.7, x - y).mean(),
        ),
        (
            gaussian_nll_loss(*mine, backend.array(var), full=True),
            -scipy.stats.norm.logpdf(y, x, np.sqrt(var)).mean(),
        ),
    ]:
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


@pytest.mark.parametrize("delta", [1e-3, 1.0, 1e6])
def test_huber_at_the_extremes_against_mpmath(backend, delta) -> None:
    r = [0.0, 1e-150, 1e-8, 0.5, 1.0, 3.0, 1e8, 1e30, 1e200, -1e30]
    with mpmath.workdps(60):
        d = mpmath.mpf(delta)
        expected = [
            float(a * a / 2 if a <= d else d * (a - d / 2))
            for a in (abs(mpmath.mpf(x)) for x in r)
        ]
    x = backend.array(r)
    zero = backend.array(np.zeros(len(r)))
    got = huber_loss(x, zero, reduction="none", delta=delta)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)
    got = smooth_l1_loss(x, zero, reduction="none", beta=delta)
    np.testing.assert_allclose(
        backend.numpy(got), np.array(expected) / delta, rtol=1e-14
    )


def test_large_residuals_of_float32(backend) -> None:
    """The square of 1e30 is beyond float32; the Huber loss is not."""
    x, y = (backend.array([a], "float32") for a in (1e30, 0.0))
    np.testing.assert_allclose(backend.numpy(huber_loss(x, y)), 1e30)
    np.testing.assert_allclose(backend.numpy(smooth_l1_loss(x, y)), 1e30)


def test_a_variance_is_held_at_eps(differentiable) -> None:
    """Its gradient is as if it were not, so that it can leave 0."""
    x, y = (differentiable.array([a]) for a in (1.0, 1.5))
    got = gaussian_nll_loss(x, y, differentiable.array([0.0]), eps=0.1)
    np.testing.assert_allclose(
        differentiable.numpy(got), 0.5 * (np.log(0.1) + 2.5)
    )
    slope = differentiable.gradient(
        lambda v: gaussian_nll_loss(x, y, v, eps=0.1),
        differentiable.array([0.0]),
    )
    np.testing.assert_allclose(slope, [0.5 * (10 - 25)])


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (1, 3), (4,), None])
def test_every_shape_of_the_variance(backend, shape) -> None:
    (x, y, _), _ = problem(gaussian_nll_loss, {})
    var = (
        0.5 if shape is None else np.random.default_rng(1).random(shape) + 1
    )
    agrees_with_pytorch(
        backend, "float64", gaussian_nll_loss, [x, y, var], 2, {}
    )


def test_variance_without_the_last_of_three_axes(backend, rng) -> None:
    x, y = rng.normal(size=(2, 2, 3, 4))
    var = rng.random((2, 3)) + 1
    agrees_with_pytorch(
        backend, "float64", gaussian_nll_loss, [x, y, var], 2, {}
    )


def test_strides_do_not_matter() -> None:
    for case in CASES:
        loss, options = case.values
        arrays, extra = problem(loss, options, (4, 6))
        thin = [x[:, ::2] for x in arrays]
        extra = {
            k: v[:, ::2] if np.ndim(v) else v for k, v in extra.items()
        }
        expected = loss(*(x.copy() for x in thin), **extra)
        np.testing.assert_allclose(
            loss(*thin, **extra), expected, rtol=1e-15
        )
        extra = {
            k: torch.tensor(v.copy()) if np.ndim(v) else v
            for k, v in extra.items()
        }
        got = loss(*(torch.tensor(x)[:, ::2] for x in arrays), **extra)
        np.testing.assert_allclose(got, expected, rtol=1e-14)
