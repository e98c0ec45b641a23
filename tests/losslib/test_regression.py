from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    BY_DTYPE,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    beta_nll,
    crps_gaussian,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    log_cosh_loss,
    mse_loss,
    quantile_loss,
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
    (log_cosh_loss, (X, Y[0]), {}, r"target .*\(1, 3\), got \(3,\)"),
    (quantile_loss, (X, Y), {"q": 1.0}, "q must be above 0 and .*got 1.0"),
    (
        quantile_loss,
        (X, Y),
        {"q": "0.5"},
        "q must be a real number .*'0.5'",
    ),
    (quantile_loss, (X, Y), {"q": None}, "q must be a real number .*None"),
    (quantile_loss, (X, Y), {"q": True}, "q must be a real number .*True"),
    (quantile_loss, (X, Y[0]), {}, r"target .*\(1, 3\), got \(3,\)"),
    (
        quantile_loss,
        (X, Y[:, 0]),
        {"q": [0.1, 0.5, 0]},
        "q must be above 0 and below 1, got 0",
    ),
    (
        quantile_loss,
        (X, Y[:, 0]),
        {"q": [0.1, 0.5, "b"]},
        "q must be a real number, got 'b'",
    ),
    (
        quantile_loss,
        (X, Y[:, 0]),
        {"q": [0.1, 0.5]},
        r"input must hold a prediction for each level of q .*\(2,\).*\(1, 3\)",
    ),
    (
        quantile_loss,
        (X[0, 0], Y[0, 0]),
        {"q": [0.5]},
        r"input must hold a prediction for each level of q .*\(1,\).*\(\)",
    ),
    (
        quantile_loss,
        (X, Y),
        {"q": [0.1, 0.5, 0.9]},
        r"target must have the shape of input without its levels, \(1,\), got \(1, 3\)",
    ),
    (
        quantile_loss,
        (X, Y[:, 0]),
        {"q": [0.1, 0.5, 0.9], "weight": X[0]},
        r"weight must have the shape .*levels, \(1,\), got \(3,\)",
    ),
    (
        quantile_loss,
        (X, Y[:, 0].tolist()),
        {"q": [0.1, 0.5, 0.9]},
        "target must be an array .*list",
    ),
    (crps_gaussian, (X, Y, -1), {}, "std must not be negative, got -1"),
    (crps_gaussian, (X, Y, X[:, :2]), {}, r"std .*\(1, 2\)"),
    (crps_gaussian, (X, Y, None), {}, "std must be an array .*NoneType"),
    (beta_nll, (X, Y, Y), {"beta": 1.5}, r"beta must be in \[0, 1\].*1.5"),
    (beta_nll, (X, Y, Y), {"eps": 0.0}, "eps must be above 0"),
    (beta_nll, (X, Y, -Y), {}, "var must not be negative, got -1.0"),
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


def test_what_is_infinite_costs_infinitely_much(backend) -> None:
    x, one, wide = (backend.array([a]) for a in (np.inf, 1.0, np.inf))
    for loss in (gaussian_nll_loss, beta_nll, crps_gaussian):
        for args in [(x, one, 1.0), (-x, one, 1.0), (one, one, wide)]:
            assert backend.numpy(loss(*args)) == np.inf
    assert backend.numpy(crps_gaussian(x, one, 0.0)) == np.inf


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_seam_may_be_a_number_of_numpy(backend, kind) -> None:
    x, zero = (backend.array([a]) for a in (3.0, 0.0))
    assert backend.numpy(huber_loss(x, zero, delta=kind(2))) == 4.0
    assert backend.numpy(smooth_l1_loss(x, zero, beta=kind(2))) == 2.0


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


@pytest.mark.parametrize(
    "loss", [log_cosh_loss, quantile_loss, crps_gaussian, beta_nll]
)
@given(shift=st.floats(-100, 100))
def test_only_the_residual_counts(loss, shift) -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 20))
    spread = () if loss in (log_cosh_loss, quantile_loss) else (0.7,)
    np.testing.assert_allclose(
        loss(x + shift, y + shift, *spread), loss(x, y, *spread), atol=1e-11
    )


# --- Quantiles --------------------------------------------------------------------------------

LEVELS = [0.05, 0.5, 0.9]


@pytest.mark.parametrize("q", [0.01, 0.5, 0.75, 1 / 3])
def test_quantile_loss_against_scikit_learn(backend, rng, q) -> None:
    x, y, weight = rng.normal(size=(3, 50)) * [[1], [2], [1]]
    weight = np.abs(weight)
    mine = [backend.array(a) for a in (x, y)]
    theirs = sklearn.metrics.mean_pinball_loss
    for extra, sample_weight in (
        ({}, None),
        ({"weight": backend.array(weight)}, weight),
    ):
        got = quantile_loss(*mine, q, **extra)
        expected = theirs(y, x, sample_weight=sample_weight, alpha=q)
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


def test_quantile_loss_is_the_likelihood_of_asymmetric_laplace_noise(
    backend, rng
) -> None:
    x, y, q = rng.normal(size=30), rng.normal(size=30), 0.2
    noise = scipy.stats.laplace_asymmetric(
        np.sqrt(q / (1 - q)), scale=1 / np.sqrt(q * (1 - q))
    )
    got = quantile_loss(
        backend.array(x), backend.array(y), q, reduction="none"
    )
    expected = -noise.logpdf(y - x) + np.log(q * (1 - q))
    np.testing.assert_allclose(backend.numpy(got), expected, atol=1e-12)


def test_it_is_least_at_the_quantile(rng) -> None:
    y = rng.standard_gamma(2.0, size=101)
    for q in (0.1, 0.5, 0.83):
        best = np.quantile(y, q, method="inverted_cdf")
        values = [
            quantile_loss(np.full(101, x), y, q) for x in np.append(y, best)
        ]
        np.testing.assert_allclose(values[-1], min(values), rtol=1e-13)


@pytest.mark.parametrize("shape", [(), (4,), (2, 4), (0,)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_several_levels_are_each_its_own_loss(
    backend, rng, shape, reduction
) -> None:
    x, y = rng.normal(size=(*shape, 3)), rng.normal(size=shape)
    weight = np.asarray(rng.random(shape))
    each = np.stack(
        [
            quantile_loss(x[..., k], np.asarray(y), q, reduction="none")
            for k, q in enumerate(LEVELS)
        ],
        axis=-1,
    )
    for w in (None, weight):
        expected = each if w is None else each * w[..., None]
        if reduction == "sum":
            expected = expected.sum()
        elif reduction == "mean" and expected.size:
            total = each.size if w is None else 3 * w.sum()
            expected = expected.sum() / total
        elif reduction == "mean":
            expected = np.nan
        for target in (np.asarray(y), np.asarray(y)[..., None]):
            for q in (LEVELS, tuple(LEVELS), np.array(LEVELS)):
                got = quantile_loss(
                    backend.array(x),
                    backend.array(target),
                    q,
                    reduction=reduction,
                    weight=backend.array(w),
                )
                np.testing.assert_allclose(
                    backend.numpy(got), expected, rtol=1e-12
                )


def test_levels_may_be_an_array_of_any_library_and_dtype(backend) -> None:
    x, y = backend.array([[1.0, 2.0, 4.0]]), backend.array([3.0])
    for dtype in ("float32", "float64"):
        got = quantile_loss(x, y, backend.array(LEVELS, dtype))
        np.testing.assert_allclose(
            backend.numpy(got), (0.1 + 0.5 + 0.1) / 3, rtol=1e-6
        )
        assert backend.dtype_of(got) == "float64"


def test_levels_have_a_gradient(differentiable, rng) -> None:
    """y - x in each, wherever they stand: below the target or above it."""
    x, y = rng.normal(size=(4, 3)), rng.normal(size=4)
    for dtype in ("float32", "float64"):
        slope = differentiable.gradient(
            lambda q: quantile_loss(
                differentiable.array(x),
                differentiable.array(y),
                q,
                reduction="sum",
            ),
            differentiable.array(LEVELS, dtype),
        )
        expected = (y[:, None] - x).sum(0)
        np.testing.assert_allclose(slope, expected, rtol=1e-5)


def test_levels_under_jit_and_a_compiler(compiled) -> None:
    x, y = np.array([[1.0, 2.0, 4.0]]), np.array([3.0])
    expected = quantile_loss(x, y, LEVELS)
    levels = np.array(LEVELS)
    jitted = jax.jit(quantile_loss)(*map(jnp.asarray, (x, y, levels)))
    np.testing.assert_allclose(jitted, expected, rtol=1e-12)
    mine = [torch.tensor(a) for a in (x, y)]
    for q in (LEVELS, torch.tensor(LEVELS)):
        got = compiled(
            lambda a, b, q=q: quantile_loss(a, b, q), "aot_eager"
        )(*mine)
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_nothing_pulls_at_the_kink(differentiable) -> None:
    x = differentiable.array([0.0, 1.0, -1.0])
    zero = differentiable.array([0.0, 0.0, 0.0])
    slope = differentiable.gradient(
        lambda x: quantile_loss(x, zero, 0.3, reduction="sum"), x
    )
    np.testing.assert_allclose(slope, [0.0, 0.7, -0.3], rtol=1e-15)


@given(st.integers(0, 2**32 - 1))
def test_sorting_the_levels_never_costs(seed) -> None:
    """Chernozhukov, Fernandez-Val and Galichon (2010), on a grid of levels."""
    rng = np.random.default_rng(seed)
    q = (np.arange(9) + 1) / 10
    x, y = rng.normal(size=(20, 9)), rng.normal(size=20)
    crossed = quantile_loss(x, y, q, reduction="none").sum(-1)
    in_order = quantile_loss(np.sort(x), y, q, reduction="none").sum(-1)
    assert np.all(in_order <= crossed + 1e-12)


# --- Log-cosh ---------------------------------------------------------------------------------


def test_log_cosh_is_the_likelihood_of_hyperbolic_secant_noise(
    backend, rng
) -> None:
    x, y = 3 * rng.normal(size=(2, 40))
    got = log_cosh_loss(
        backend.array(x), backend.array(y), reduction="none"
    )
    expected = -scipy.stats.hypsecant.logpdf(y - x) - np.log(np.pi)
    np.testing.assert_allclose(backend.numpy(got), expected, atol=1e-12)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_log_cosh_keeps_its_digits(backend, dtype) -> None:
    """Near 0 a loss of |r| + log(1 + exp(-2|r|)) - log 2 has none left in float32."""
    r = backend.array([0.0, 1e-4, 3e-3, 0.99, 1.0, 1.01, 20.0, -6e4], dtype)
    zero = backend.array(np.zeros(8), dtype)
    with mpmath.workdps(60):
        expected = [
            float(mpmath.log(mpmath.cosh(mpmath.mpf(float(a)))))
            for a in backend.numpy(r)
        ]
    got = backend.numpy(log_cosh_loss(r, zero, reduction="none"))
    rtol = {"float64": 1e-14, "float32": 1e-6, "float16": 1e-3}
    atol = 6e-8 if dtype == "float16" else 0.0
    np.testing.assert_allclose(
        got, expected, rtol=rtol.get(dtype, 8e-3), atol=atol
    )


def test_the_slope_of_log_cosh_is_tanh(differentiable) -> None:
    r = np.array([0.0, 1e-9, 0.3, 1.0, -1.5, 500.0, -1e30])
    slope = differentiable.gradient(
        lambda x: log_cosh_loss(x, 0.0 * x, reduction="sum"),
        differentiable.array(r),
    )
    np.testing.assert_allclose(slope, np.tanh(r), rtol=1e-13)


def test_log_cosh_between_the_losses_that_it_mixes(rng) -> None:
    r = 3 * rng.normal(size=200)
    got = log_cosh_loss(r, np.zeros(200), reduction="none")
    assert np.all(got <= np.minimum(np.abs(r), r * r / 2))
    assert np.all(got >= np.abs(r) - np.log(2))


# --- Scores of a predicted normal distribution ------------------------------------------------

PREDICTED = [
    (0.0, 1.0, 0.0),
    (1.0, 0.5, 3.0),
    (-2.0, 3.0, -1.5),
    (5.0, 0.1, 5.05),
]


@pytest.mark.parametrize(("mean", "std", "y"), PREDICTED)
def test_crps_against_its_integrals(backend, mean, std, y) -> None:
    """Over the threshold of a Brier score, and over the level of a quantile loss."""
    noise = scipy.stats.norm(mean, std)
    quad = partial(scipy.integrate.quad, epsabs=1e-12, limit=200)
    below, _ = quad(lambda t: noise.cdf(t) ** 2, min(mean, y) - 12 * std, y)
    above, _ = quad(lambda t: noise.sf(t) ** 2, y, max(mean, y) + 12 * std)
    bend = noise.cdf(y)

    def pinball(a):
        return 2 * quantile_loss(np.array(noise.ppf(a)), np.array(y), a)

    by_level = quad(pinball, 0, bend)[0] + quad(pinball, bend, 1)[0]
    got = crps_gaussian(
        *(backend.array(np.array([a])) for a in (mean, y, std))
    )
    np.testing.assert_allclose(backend.numpy(got), below + above, rtol=1e-9)
    np.testing.assert_allclose(backend.numpy(got), by_level, rtol=1e-7)


def test_crps_is_the_distance_to_a_draw_less_half_that_of_two() -> None:
    rng = np.random.default_rng(0)
    one, other = 1 + 2 * rng.normal(size=(2, 400_000))
    expected = np.abs(one - 0.3).mean() - np.abs(one - other).mean() / 2
    got = crps_gaussian(np.array(1.0), np.array(0.3), 2.0)
    np.testing.assert_allclose(got, expected, atol=0.01)


def test_crps_without_spread_is_the_absolute_error(differentiable) -> None:
    x, y, zero = (
        differentiable.array(a)
        for a in ([1.0, -2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    )
    got = crps_gaussian(x, y, zero, reduction="none")
    np.testing.assert_allclose(differentiable.numpy(got), [1.0, 2.0, 0.0])
    by_mean = differentiable.gradient(
        lambda x: crps_gaussian(x, y, zero, reduction="sum"), x
    )
    np.testing.assert_allclose(by_mean, [1.0, -1.0, 0.0])
    by_std = differentiable.gradient(
        lambda s: crps_gaussian(x, y, s, reduction="sum"), zero
    )
    c = 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(by_std, [-c, -c, (np.sqrt(2) - 1) * c])


@pytest.mark.parametrize("std", [1e-30, 1e-4, 1.0, 1e30])
def test_the_slopes_of_crps(differentiable, std) -> None:
    x = np.array([0.0, 1e-6, -0.5, 3.0, 1e6, -1e30])
    zero, s = np.zeros(6), np.full(6, std)
    mine = [differentiable.array(a) for a in (x, zero, s)]
    by_mean = differentiable.gradient(
        lambda x: crps_gaussian(x, *mine[1:], reduction="sum"), mine[0]
    )
    by_std = differentiable.gradient(
        lambda s: crps_gaussian(*mine[:2], s, reduction="sum"), mine[2]
    )
    with np.errstate(over="ignore"):
        z = x / s
        density = 2 * scipy.stats.norm.pdf(z)
    close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-13)
    close(by_mean, scipy.special.erf(z / np.sqrt(2)))
    close(by_std, density - 1 / np.sqrt(np.pi))


@given(st.integers(0, 2**32 - 1))
def test_crps_is_proper_and_scales_with_its_unit(seed) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=4000)
    right = crps_gaussian(0 * y, y, 1.0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def expected(mean, std):
        loss = crps_gaussian(
            np.full(120, mean), nodes, std, reduction="none"
        )
        return weights @ loss

    best = expected(0.0, 1.0)
    np.testing.assert_allclose(best, 1 / np.sqrt(np.pi), rtol=1e-3)
    mean, std = rng.normal(), np.exp(rng.normal())
    if abs(mean) > 0.2 or abs(np.log(std)) > 0.3:
        assert expected(mean, std) > best
    np.testing.assert_allclose(
        crps_gaussian(0 * y, 60 * y, 60.0), 60 * right, rtol=1e-12
    )


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (1, 3), (4,), None])
def test_every_shape_of_the_spread(backend, shape) -> None:
    (x, y, _), _ = problem(gaussian_nll_loss, {})
    spread = (
        0.5 if shape is None else np.random.default_rng(1).random(shape) + 1
    )
    whole = np.array(spread)
    whole = whole[:, None] if shape == (4,) else whole
    given_spread = spread if shape is None else backend.array(spread)
    mine = [backend.array(a) for a in (x, y)]
    got = crps_gaussian(*mine, given_spread, reduction="none")
    z = (y - x) / whole
    by_hand = whole * (
        z * (2 * scipy.stats.norm.cdf(z) - 1)
        + 2 * scipy.stats.norm.pdf(z)
        - 1 / np.sqrt(np.pi)
    )
    np.testing.assert_allclose(backend.numpy(got), by_hand, rtol=1e-12)
    got = beta_nll(*mine, given_spread, beta=0.0, full=True)
    by_hand = -scipy.stats.norm(x, np.sqrt(whole)).logpdf(y).mean()
    np.testing.assert_allclose(backend.numpy(got), by_hand, rtol=1e-12)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("beta", [0, 0.5, 1.0])
def test_beta_nll_against_pytorch_weighted(beta, full) -> None:
    """Value and gradients of PyTorch's likelihood times a power of the variance, held fixed."""
    (x, y, var), _ = problem(gaussian_nll_loss, {})
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, var)]
    y = torch.tensor(y)

    def slopes(loss):
        return torch.autograd.grad(loss, leaves)

    got = beta_nll(leaves[0], y, leaves[1], beta=beta, full=full)
    theirs = F.gaussian_nll_loss(
        leaves[0], y, leaves[1], full=full, reduction="none"
    )
    theirs = (leaves[1].detach() ** beta * theirs).mean()
    torch.testing.assert_close(got, theirs)
    for mine, its in zip(slopes(got), slopes(theirs), strict=True):
        torch.testing.assert_close(mine, its)


def test_beta_of_one_pulls_the_mean_like_half_the_square(
    differentiable,
) -> None:
    (x, y, var), _ = problem(gaussian_nll_loss, {})
    x, y, var = map(differentiable.array, (x, y, var))
    for beta, of in (
        (1.0, lambda x: mse_loss(x, y) / 2),
        (0.0, lambda x: gaussian_nll_loss(x, y, var)),
    ):
        got = differentiable.gradient(
            lambda x, beta=beta: beta_nll(x, y, var, beta=beta), x
        )
        np.testing.assert_allclose(
            got, differentiable.gradient(of, x), rtol=1e-12
        )


def test_beta_nll_holds_the_variance_at_eps(differentiable) -> None:
    x, y = (differentiable.array([a]) for a in (1.0, 1.5))
    slope = differentiable.gradient(
        lambda v: beta_nll(x, y, v, eps=0.25),
        differentiable.array([0.0]),
    )
    np.testing.assert_allclose(slope, [0.5 * 0.5 * (4 - 0.25 * 16)])


def test_levels_that_are_not_dense() -> None:
    x, y = torch.ones(3, 2), torch.zeros(3)
    with pytest.raises(TypeError, match=r"^q must be a dense tensor"):
        quantile_loss(x, y, torch.tensor([0.1, 0.5]).to_sparse())
