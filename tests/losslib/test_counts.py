from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from harness import (
    BY_DTYPE,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import poisson_nll_loss

CASES = [
    pytest.param({}, id="log"),
    pytest.param({"full": True}, id="log-full"),
    pytest.param({"log_input": False}, id="rate"),
    pytest.param(
        {"log_input": False, "full": True, "eps": 1e-3}, id="rate-full"
    ),
]


def problem(options, shape=(4, 3)):
    rng = np.random.default_rng(0)
    x = np.asarray(rng.normal(size=shape))
    if not options.get("log_input", True):
        x = np.exp(x)
    return [x, np.asarray(rng.integers(8, size=shape) + 0.25)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", CASES)
def test_every_shape_against_pytorch(backend, options, reduction) -> None:
    for shape in [(), (3,), (4, 3, 2), (0, 3)]:
        arrays = problem(options, shape)
        extra = {**options, "reduction": reduction}
        agrees_with_pytorch(
            backend, "float64", poisson_nll_loss, arrays, 2, extra
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize("options", CASES)
def test_every_dtype_against_pytorch(backend, dtype, options) -> None:
    agrees_with_pytorch(
        backend, dtype, poisson_nll_loss, problem(options), 2, options
    )


@pytest.mark.parametrize("options", CASES)
def test_gradients_and_transformations(options) -> None:
    differentiates_and_traces(
        poisson_nll_loss, problem(options), 2, options
    )


def test_compiled_by_torch(compiled) -> None:
    compiles(compiled, poisson_nll_loss, problem({}), {"full": True})


X, Y = np.array([[0.5, -1.0, 2.0]]), np.array([[0, 1, 4]])


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X.tolist(), Y), {}, "input must be an array .*list"),
        ((X, 3), {}, "target must be an array .*int"),
        ((Y, Y), {}, "input .*dtype, got .*int64"),
        (
            (X, Y + 0j),
            {},
            "target must have a real dtype, got .*complex128",
        ),
        ((X, Y[0]), {}, r"target .*\(1, 3\), got \(3,\)"),
        ((X, Y), {"eps": 0.0}, "eps must be above 0, got 0.0"),
        ((X, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, poisson_nll_loss, args, options, words)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64"])
def test_every_target_dtype(backend, dtype) -> None:
    x, y = np.array([0.1, 0.4, 0.7]), np.array([0, 1, 1])
    got = poisson_nll_loss(backend.array(x), backend.array(y, dtype))
    np.testing.assert_allclose(
        backend.numpy(got), poisson_nll_loss(x, y.astype(float))
    )


@pytest.mark.parametrize("y", [0, 3, 10**6])
def test_extremes_against_mpmath(backend, y) -> None:
    x = [-1e30, -1e4, -700.0, -1.0, 0.0, 1e-30, 20.0, 300.0, 700.0]
    with mpmath.workdps(400):
        expected = [float(mpmath.exp(a) - y * mpmath.mpf(a)) for a in x]
    target = backend.array([float(y)] * len(x))
    got = poisson_nll_loss(backend.array(x), target, reduction="none")
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


def test_a_rate_of_zero_and_no_count(backend) -> None:
    zero = backend.array([0.0])
    got = poisson_nll_loss(zero, zero, log_input=False)
    np.testing.assert_array_equal(backend.numpy(got), 0.0)


def test_the_full_loss_is_near_the_likelihood(backend) -> None:
    """Stirling's approximation is low by less than 1 / 12y; it is left out at 0 and 1."""
    y = np.array([0.0, 1.0, 2.0, 5.0, 50.0])
    zero = backend.array(np.zeros(5))
    got = poisson_nll_loss(
        zero, backend.array(y), full=True, reduction="none"
    )
    gap = 1 + scipy.special.gammaln(y + 1) - backend.numpy(got)
    assert np.all((gap[2:] > 0) & (gap[2:] < 1 / (12 * y[2:])))
    np.testing.assert_array_equal(gap[:2], 0.0)


def test_half_the_deviance_of_scikit_learn(backend, rng) -> None:
    x, y = rng.normal(size=40), rng.integers(1, 9, size=40).astype(float)
    best = backend.array(np.log(y))
    x, y = backend.array(x), backend.array(y)
    got = poisson_nll_loss(x, y) - poisson_nll_loss(best, y)
    expected = sklearn.metrics.mean_poisson_deviance(
        backend.numpy(y), np.exp(backend.numpy(x))
    )
    np.testing.assert_allclose(2 * backend.numpy(got), expected, rtol=1e-12)


def test_strides_do_not_matter(backend) -> None:
    x, y = problem({}, (4, 6))
    expected = poisson_nll_loss(x[:, ::2].copy(), y[:, ::2].copy())
    got = poisson_nll_loss(
        backend.array(x)[:, ::2], backend.array(y)[:, ::2]
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)
