from __future__ import annotations

from functools import partial

import jax
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
    binary_cross_entropy_with_logits,
    gamma_deviance,
    kl_divergence,
    negative_binomial_nll_loss,
    poisson_deviance,
    poisson_nll_loss,
    tweedie_deviance,
)

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


# --- log y! -----------------------------------------------------------------------------------


def test_the_exact_loss_is_the_likelihood(backend) -> None:
    y = np.array([0.0, 1.0, 2.0, 5.0, 50.0, 1e4])
    x = np.array([-3.0, 0.0, 1.0, 2.0, 4.0, 9.0])
    got = poisson_nll_loss(
        backend.array(x), backend.array(y), full="exact", reduction="none"
    )
    expected = -scipy.stats.poisson.logpmf(y, np.exp(x))
    np.testing.assert_allclose(
        backend.numpy(got), expected, rtol=1e-13, atol=1e-11
    )


@pytest.mark.parametrize("full", [1, 0, None, 2.0, ["exact"]])
def test_full_of_a_wrong_type(full) -> None:
    with pytest.raises(
        TypeError, match=r"^full must be True, False or 'exact'"
    ):
        poisson_nll_loss(X, Y, full=full)


def test_the_constant_leaves_the_gradient_alone(differentiable) -> None:
    y = differentiable.array([0.0, 1.0, 5.0])

    def f(x, full):
        return poisson_nll_loss(x, y, full=full, reduction="sum")

    x = differentiable.array([0.3, -1.0, 2.0])
    plain, exact = (
        differentiable.gradient(partial(f, full=full), x)
        for full in (False, "exact")
    )
    np.testing.assert_array_equal(plain, exact)


# --- Deviances --------------------------------------------------------------------------------

DEVIANCES = [
    pytest.param(poisson_deviance, 1.0, id="poisson"),
    pytest.param(gamma_deviance, 2.0, id="gamma"),
    *(
        pytest.param(partial(tweedie_deviance, power=p), p, id=f"power {p}")
        for p in (-1.0, 0.0, 1.0, 1.2, 1.5, 2, 2.5, 3.0)
    ),
]
MEAN = np.array([0.5, 0.5, 2.0, 2.0])


@pytest.mark.parametrize(
    ("dtype", "means"),
    [(torch.float32, (1e-20, 1e20)), (torch.float64, (1e-200, 1e150))],
)
@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.1, 10.0])
def test_slopes_of_the_gamma_deviance_at_any_size(
    dtype, means, ratio
) -> None:
    for mean in means:
        x = torch.tensor(mean, dtype=dtype, requires_grad=True)
        y = ratio * x.detach()
        gamma_deviance(x, y).backward()
        expected = 2 * (1 - ratio) / mean
        np.testing.assert_allclose(x.grad.item(), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "power", [-1, 1, 1 + 1e-6, 1.3, 1.5, 1.7, 2 - 1e-6, 2, 2 + 1e-6, 2.3, 3]
)
def test_tweedie_keeps_its_digits_at_every_power(power, dtype) -> None:
    """Near the powers 1 and 2 the terms of the formula grow without bound."""
    p, rng = mpmath.mpf(power), np.random.default_rng(0)
    a, b = 1 - p, 2 - p
    for _ in range(100):
        x, y = np.exp(3 * rng.normal(size=2)).astype(dtype)
        mean, target = mpmath.mpf(float(x)), mpmath.mpf(float(y))
        with mpmath.workdps(40):
            if power in (1, 2):
                log = mpmath.log(target / mean)
                first = target * log if power == 1 else target / mean - log
                rest = mean - target if power == 1 else -1
                expected = 2 * (first + rest)
            else:
                expected = 2 * (
                    target**b / (a * b) - target * mean**a / a + mean**b / b
                )
        got = tweedie_deviance(np.asarray(x), np.asarray(y), power=power)
        rtol = 300 * float(np.finfo(dtype).eps)
        np.testing.assert_allclose(got, float(expected), rtol=rtol)


@pytest.mark.parametrize(
    ("loss", "target", "printed"),
    [
        (poisson_deviance, [2, 0, 1, 4], "1.4260"),
        (gamma_deviance, [2, 0.5, 1, 4], "1.0568"),
        (partial(tweedie_deviance, power=1), [2, 0, 1, 4], "1.4260"),
    ],
)
def test_the_numbers_of_the_documentation(
    backend, loss, target, printed
) -> None:
    """Of scikit-learn, which cuts them after the fourth place."""
    got = loss(backend.array(MEAN), backend.array(target))
    assert str(float(got))[:6] == printed


@pytest.mark.parametrize(("loss", "power"), DEVIANCES)
def test_deviances_against_scikit_learn(backend, rng, loss, power) -> None:
    for spread in (3.0, 0.1):
        x = np.exp(rng.normal(size=60))
        y = x * np.exp(spread * rng.normal(size=60))
        if 1 <= power < 2:
            y[:9] = 0.0
        if power <= 0:
            y[:9] *= -1
        got = loss(backend.array(x), backend.array(y))
        expected = sklearn.metrics.mean_tweedie_deviance(y, x, power=power)
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


@pytest.mark.parametrize(("loss", "power"), DEVIANCES)
def test_gradients_of_deviances(differentiable, rng, loss, power) -> None:
    """2 (μ - y) / μ^p, in the target twice the integral of -1 / t^p."""
    x = np.exp(rng.normal(size=40))
    y = x * np.exp(rng.normal(size=40))
    y[:5] = x[:5]
    y[5:10] = x[5:10] * (1 + 1e-9)
    own = partial(loss, reduction="sum")
    got = differentiable.gradient(
        lambda a: own(a, differentiable.array(y)), differentiable.array(x)
    )
    expected = 2 * (x - y) / x**power
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)
    got = differentiable.gradient(
        lambda b: own(differentiable.array(x), b), differentiable.array(y)
    )
    with mpmath.workdps(30):
        expected = [
            2
            * float(
                mpmath.log(mpmath.mpf(b) / mpmath.mpf(a))
                if power == 1
                else (
                    mpmath.mpf(b) ** (1 - mpmath.mpf(power))
                    - mpmath.mpf(a) ** (1 - mpmath.mpf(power))
                )
                / (1 - mpmath.mpf(power))
            )
            for a, b in zip(x, y, strict=True)
        ]
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("loss", "power"), DEVIANCES)
def test_near_the_target_to_all_digits(backend, loss, power) -> None:
    """Where the closed form loses all of them; and never below 0."""
    steps = np.array(
        [0.0, 1e-15, -1e-12, 1e-8, -1e-4, 0.1, 0.1999, 0.2001, -0.3, 5.0]
    )
    x = np.full(steps.shape, 3.7)
    y = x * (1 + steps)
    got = backend.numpy(
        loss(backend.array(x), backend.array(y), reduction="none")
    )
    with mpmath.workdps(80):
        p = mpmath.mpf(power)
        expected = []
        for a, b in zip(
            map(mpmath.mpf, x), map(mpmath.mpf, y), strict=True
        ):
            if power == 1:
                d = b * mpmath.log(b / a) - b + a
            elif power == 2:
                d = mpmath.log(a / b) + b / a - 1
            else:
                d = (
                    b ** (2 - p) / ((1 - p) * (2 - p))
                    - b * a ** (1 - p) / (1 - p)
                    + a ** (2 - p) / (2 - p)
                )
            expected.append(float(2 * d))
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-70)
    np.testing.assert_allclose(
        got[:7], expected[:7], rtol=1e-14, atol=1e-70
    )
    assert np.all(got >= 0)


@pytest.mark.parametrize("power", [-10, -3.5, -1, 2.6, 3, 4, 10, 30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tweedie_is_finite_where_it_is(backend, power, dtype) -> None:
    """Though powers on the way to it overflow, of the means or of what the powers balance."""
    info = np.finfo(dtype)
    means = np.array([1e-20, 1e-5, 0.0174, 1.0, 50.0, 1e5, 1e20])
    ratios = np.array([1.0, 1.001, 0.5, 0.79, 1.3, 1e-3, 1e3, 1e-9, 1e9])
    x = np.repeat(means, len(ratios)).astype(dtype)
    y = (x * np.tile(ratios, len(means))).astype(dtype)
    with np.errstate(over="ignore"):
        got = backend.numpy(
            tweedie_deviance(
                backend.array(x, dtype),
                backend.array(y, dtype),
                power=power,
                reduction="none",
            )
        )
    np.testing.assert_array_equal(got[:: len(ratios)], 0.0)
    expected = []
    with mpmath.workdps(80):
        p = mpmath.mpf(power)
        for a, b in zip(
            map(mpmath.mpf, x.tolist()),
            map(mpmath.mpf, y.tolist()),
            strict=True,
        ):
            d = (
                b ** (2 - p) / ((1 - p) * (2 - p))
                - b * a ** (1 - p) / (1 - p)
                + a ** (2 - p) / (2 - p)
            )
            expected.append(0.0 if a == b else float(2 * d))
    expected = np.array(expected)
    expected[expected > info.max] = np.inf
    seen = (expected == 0) | (expected > 1e4 * info.tiny)
    np.testing.assert_allclose(
        got[seen], expected[seen], rtol=2e3 * info.eps
    )


def test_slopes_of_tweedie_at_any_size(differentiable) -> None:
    """Where the powers of the mean overflow, too: 0 at the target, not nan."""
    for power, mean in [(-10, 1e5), (-1, 1e20), (4, 1e-20), (30, 1e-3)]:
        x = np.array([mean, mean, mean])
        y = differentiable.array([mean, 3 * mean, mean / 3], "float32")
        slope = differentiable.gradient(
            lambda a, y=y, p=power: tweedie_deviance(
                a, y, power=p, reduction="none"
            )[:1],
            differentiable.array(x, "float32"),
        )
        np.testing.assert_array_equal(slope, 0.0)


def test_a_deviance_is_twice_a_kl_divergence(backend) -> None:
    """Of the two distributions, summed up or integrated."""
    k = np.arange(100)
    for y, mean in [(3.0, 7.5), (40.0, 2.0), (0.2, 0.1)]:
        p, q = (scipy.stats.poisson.pmf(k, m) for m in (y, mean))
        kl = scipy.special.rel_entr(p, q).sum()
        got = poisson_deviance(backend.array([mean]), backend.array([y]))
        np.testing.assert_allclose(backend.numpy(got), 2 * kl, rtol=1e-10)
        for shape in (0.7, 1.0, 4.0):
            p, q = (
                torch.distributions.Gamma(
                    torch.tensor(shape, dtype=torch.float64),
                    torch.tensor(shape / m, dtype=torch.float64),
                )
                for m in (y, mean)
            )
            kl = torch.distributions.kl_divergence(p, q).item() / shape
            got = gamma_deviance(backend.array([mean]), backend.array([y]))
            np.testing.assert_allclose(
                backend.numpy(got), 2 * kl, rtol=1e-10
            )
    counts = np.array([3.0, 0.0, 5.0])  # the sums equal: a KL of shares
    means = np.array([2.0, 2.0, 4.0])
    got = poisson_deviance(
        backend.array(means), backend.array(counts), reduction="sum"
    )
    kl = kl_divergence(counts / 8, means / 8)
    np.testing.assert_allclose(backend.numpy(got), 16 * kl, rtol=1e-12)


def test_the_inverse_gaussian_is_at_power_three(backend) -> None:
    mean, y, shape = 1.7, 0.6, 2.5
    got = tweedie_deviance(
        backend.array([mean]), backend.array([y]), power=3
    )
    nll = [
        -scipy.stats.invgauss.logpdf(y, m / shape, scale=shape)
        for m in (mean, y)
    ]
    expected = 2 * (nll[0] - nll[1]) / shape
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


NONE, ONE, TWO = np.zeros(2), np.ones(2), np.ones(3)
BINOMIAL = negative_binomial_nll_loss


@pytest.mark.parametrize(
    ("loss", "args", "options", "words"),
    [
        (poisson_deviance, (NONE, ONE), {}, "input must be above 0, got 0.0"),
        (poisson_deviance, (ONE, -ONE), {}, "target must not be negative, got -1.0"),
        (poisson_deviance, (ONE, TWO), {}, r"target .*\(2,\), got \(3,\)"),
        (gamma_deviance, (-ONE, ONE), {}, "input must be above 0, got -1.0"),
        (gamma_deviance, (ONE, NONE), {}, "target must be above 0, got 0.0"),
        (gamma_deviance, (ONE, np.full(2, np.nan)), {}, "target must be above 0, got nan"),
        (tweedie_deviance, (NONE, ONE), {"power": 1.5}, "input must be above 0"),
        (tweedie_deviance, (NONE, ONE), {"power": -1}, "input must be above 0"),
        (tweedie_deviance, (ONE, -ONE), {"power": 1.5}, "target must not be negative"),
        (tweedie_deviance, (ONE, NONE), {"power": 2}, "target must be above 0"),
        (tweedie_deviance, (ONE, NONE), {"power": 3}, "target must be above 0"),
        (tweedie_deviance, (ONE, ONE), {"power": "1"}, "power must be a real number"),
        (tweedie_deviance, (ONE, ONE), {"power": 0.99}, "power must be .* got 0.99"),
        (tweedie_deviance, (ONE, ONE), {"power": np.inf}, "power must be .* finite, got inf"),
        (BINOMIAL, (ONE.astype(int), ONE, 1.0), {}, "input .*dtype, got .*int64"),
        (BINOMIAL, (ONE, -ONE, 1.0), {}, "target must not be negative"),
        (BINOMIAL, (-ONE, ONE, 1.0), {"log_input": False}, "input must not be negative"),
        (BINOMIAL, (ONE, ONE, -1.0), {}, "dispersion must not be negative"),
        (BINOMIAL, (ONE, ONE, TWO), {}, r"dispersion must .* got \(3,\)"),
        (BINOMIAL, (ONE, ONE, "1"), {}, "dispersion must be an array .*str"),
        (BINOMIAL, (ONE, ONE, True), {}, "dispersion must be an array .*bool"),
    ],
)  # fmt: skip
def test_more_mistakes_are_named(
    backend, loss, args, options, words
) -> None:
    refuses(backend, loss, args, options, words)


def test_where_values_are_hidden_a_bad_one_gives_nan() -> None:
    one, zero = np.ones(2), np.array([0.0, 1.0])
    for loss, x, y in [
        (poisson_deviance, zero, one),
        (poisson_deviance, one, zero - 1),
        (gamma_deviance, zero, one),
        (gamma_deviance, one, zero),
        (partial(tweedie_deviance, power=1.5), zero, one),
        (partial(tweedie_deviance, power=1.5), one, zero - 1),
        (partial(tweedie_deviance, power=2.5), one, zero),
        (
            partial(negative_binomial_nll_loss, dispersion=1.0),
            one,
            zero - 1,
        ),
    ]:
        got = jax.jit(partial(loss, reduction="none"))(x, y)
        assert np.isnan(got[0])
        assert np.isfinite(got[1])
    got = jax.jit(partial(negative_binomial_nll_loss, reduction="none"))(
        one, one, zero - 1
    )
    np.testing.assert_array_equal(np.isnan(got), [True, False])


def test_deviances_in_halves_and_whole_numbers() -> None:
    x = torch.tensor([0.5, 1.0, 300.0], dtype=torch.float16)
    y = torch.tensor([2, 0, 299])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = poisson_deviance(x, y, reduction="none")
    assert got.dtype == torch.float16
    expected = [
        sklearn.metrics.mean_poisson_deviance([b], [a])
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    np.testing.assert_allclose(got.double(), expected, rtol=1e-3)


def test_a_deviance_of_nothing(backend) -> None:
    none = backend.array(np.zeros((0, 3)))
    for loss in (poisson_deviance, gamma_deviance, tweedie_deviance):
        assert backend.numpy(loss(none, none, reduction="sum")) == 0
        assert np.isnan(backend.numpy(loss(none, none)))


# --- Negative binomial ------------------------------------------------------------------------

DISPERSIONS = [1e-3, 0.02, 0.0499, 0.0501, 0.3, 1.0, 7.0, 100.0]


@pytest.mark.parametrize("a", DISPERSIONS)
def test_negative_binomial_against_scipy(backend, rng, a) -> None:
    x = rng.normal(size=50)
    y = rng.integers(30, size=50)
    got = negative_binomial_nll_loss(
        backend.array(x), backend.array(y), a, reduction="none"
    )
    expected = -scipy.stats.nbinom.logpmf(y, 1 / a, 1 / (1 + a * np.exp(x)))
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-10)
    mean = backend.array(np.exp(x) - 1e-8)
    from_means = negative_binomial_nll_loss(
        mean, backend.array(y), a, log_input=False, reduction="none"
    )
    np.testing.assert_allclose(
        backend.numpy(from_means), expected, rtol=1e-10
    )


def test_negative_binomial_against_torch_and_its_gradients(rng) -> None:
    """In the mean and in the dispersion, which each sample may have for itself."""
    x = torch.tensor(rng.normal(size=(6, 5)), requires_grad=True)
    a = torch.tensor(np.exp(rng.normal(size=(6, 1))), requires_grad=True)
    y = torch.tensor(rng.integers(12, size=(6, 5)))
    theirs = -torch.distributions.NegativeBinomial(
        1 / a, logits=x + a.log()
    ).log_prob(y.double())  # whole numbers it takes to float32
    ours = negative_binomial_nll_loss(x, y, a, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    for got, expected in zip(
        torch.autograd.grad(ours.sum(), (x, a)),
        torch.autograd.grad(theirs.sum(), (x, a)),
        strict=True,
    ):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-10)


def test_without_dispersion_it_is_poisson(differentiable, rng) -> None:
    """With the gradient of a Poisson count in x, and that of the score test in the dispersion."""
    x, y = rng.normal(size=20), rng.integers(9, size=20).astype(float)
    own = differentiable.array(x), differentiable.array(y)
    poisson = differentiable.numpy(
        poisson_nll_loss(*own, full="exact", reduction="none")
    )
    for a in (0.0, 1e-300, 1e-20, 1e-13):
        got = negative_binomial_nll_loss(*own, a, reduction="none")
        np.testing.assert_allclose(
            differentiable.numpy(got), poisson, rtol=1e-10, atol=1e-10
        )
        got = differentiable.gradient(
            lambda d: negative_binomial_nll_loss(*own, d, reduction="sum"),
            differentiable.array(np.full(20, a)),
        )
        expected = (y - (y - np.exp(x)) ** 2) / 2
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
        of_x = partial(
            negative_binomial_nll_loss,
            target=own[1],
            dispersion=a,
            reduction="sum",
        )
        got = differentiable.gradient(of_x, own[0])
        np.testing.assert_allclose(got, np.exp(x) - y, rtol=1e-10)


def test_twice_differentiable_at_every_dispersion() -> None:
    y = torch.tensor([0, 3, 8, 1])
    for a in (1e-3, 0.03, 0.2, 4.0):
        x = torch.tensor([0.3, -2.0, 3.0, 1.0]).double().requires_grad_()
        alpha = torch.full((4,), a).double().requires_grad_()

        def f(x, alpha):
            return negative_binomial_nll_loss(x, y, alpha, reduction="none")

        assert torch.autograd.gradcheck(f, (x, alpha))
        assert torch.autograd.gradgradcheck(f, (x, alpha))


@pytest.mark.parametrize("a", [0.0, 1e-30, 1e-3, 1.0, 1e30])
def test_negative_binomial_at_the_extremes(differentiable, a) -> None:
    """Finite, with finite slopes; to the digits of log y! where the count is large."""
    x = np.array([-np.inf, -1e30, -700.0, 0.0, 20.0, 300.0, 700.0])
    for y in (0.0, 3.0, 1e6):
        own = np.full(x.shape, y)
        if y:
            x = x[1:] if np.isinf(x[0]) else x
            own = own[: len(x)]
        f = partial(
            negative_binomial_nll_loss,
            target=differentiable.array(own),
            dispersion=a,
            reduction="sum",
        )
        slope = differentiable.gradient(f, differentiable.array(x))
        means = [mpmath.exp(b) for b in x]
        expected = [float((m - y) / (1 + mpmath.mpf(a) * m)) for m in means]
        np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-300)
    y = 1e6
    with mpmath.workdps(80):
        alpha = mpmath.mpf(a)
        mean = mpmath.exp(20)
        if a:
            r = 1 / alpha
            expected = (
                mpmath.loggamma(y + 1) + mpmath.loggamma(r)
                - mpmath.loggamma(y + r)
                + (y + r) * mpmath.log1p(alpha * mean)
                - y * mpmath.log(alpha * mean)
            )  # fmt: skip
        else:
            expected = mean - 20 * y + mpmath.loggamma(y + 1)
    got = negative_binomial_nll_loss(
        differentiable.array([20.0]), differentiable.array([y]), a
    )
    size = float(mpmath.loggamma(y + 1))
    assert abs(float(got) - float(expected)) < 1e-13 * max(
        size, abs(float(expected))
    )


def exact(x, y, a):
    """Return the loss and its slopes in x and in the dispersion, by mpmath."""
    with mpmath.workdps(60):
        x, y, a = map(mpmath.mpf, (x, y, a))
        mean = mpmath.exp(x)
        if a == 0:
            value = mean - x * y + mpmath.loggamma(y + 1)
            slopes = mean - y, (y - (y - mean) ** 2) / 2
        else:
            r, log1p = 1 / a, mpmath.log1p(a * mean)
            value = (
                mpmath.loggamma(y + 1) + mpmath.loggamma(r) - mpmath.loggamma(y + r)
                + (y + r) * log1p - y * mpmath.log(a * mean)
            )  # fmt: skip
            rising = mpmath.digamma(y + r) - mpmath.digamma(r)
            slopes = (
                (mean - y) / (1 + a * mean),
                (y + r) * mean / (1 + a * mean)
                - y / a
                - (log1p - rising) / a**2,
            )
        return [float(v) for v in (value, *slopes)]


@pytest.mark.parametrize(
    "a", [0.0, 1e-6, 1e-3, 0.049, 0.051, 0.125, 1.0, 10.0, 1e6]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_counts_keep_their_digits(backend, dtype, a) -> None:
    """Though the logarithms of the factorial, and y log μ, are a million times as large."""
    y = np.repeat([20.0, 1e3, 1e4, 1e6, 1e7], 7)
    gap = np.tile([0.0, 1e-3, -0.01, 0.1, -0.6, 2.0, -9.0], 5)
    x = (np.log(y) + gap).astype(dtype)
    a = float(np.asarray(a, dtype))
    value, in_x, in_a = np.array(
        [exact(float(b), c, a) for b, c in zip(x, y, strict=True)]
    ).T
    own = [backend.array(v, dtype) for v in (x, y)]
    losses = [partial(negative_binomial_nll_loss, dispersion=a)]
    if a == 0:
        losses.append(partial(poisson_nll_loss, full="exact"))
    eps = np.finfo(dtype).eps
    for loss in losses:
        got = backend.numpy(loss(*own, reduction="none"))
        slack = np.abs(value) + np.abs(in_x * x)  # of x itself
        assert np.all(np.abs(got - value) <= 30 * eps * slack)
    if backend.name == "numpy":
        return
    got = backend.gradient(
        lambda b: negative_binomial_nll_loss(b, own[1], a, reduction="sum"),
        own[0],
    )
    mean = np.exp(x.astype(float))
    slack = np.abs(in_x) + mean * (1 + a * y) / (1 + a * mean) ** 2
    assert np.all(np.abs(got - in_x) <= 30 * eps * slack)
    got = backend.gradient(
        lambda b: negative_binomial_nll_loss(*own, b, reduction="sum"),
        backend.array(np.full_like(x, a), dtype),
    )
    slack = (
        np.abs(in_a)
        + np.abs(mean - y) * mean * np.abs(x) / (1 + a * mean) ** 2
    )
    assert np.all(np.abs(got - in_a) <= 150 * eps * slack)


@pytest.mark.parametrize(
    ("a", "y", "x"),
    [
        (1e33, 1e6, 13.0),
        (1e36, 1e3, 7.0),
        (1e38, 30.0, 3.0),
        (1e38, 3.0, 1.0),
        (6e4, 2.1e24, -36.0),
        (1e26, 1e13, -60.0),
        (1e27, 1e12, -60.0),
        (1e28, 1e12, -30.0),
    ],
)
def test_a_dispersion_whose_product_overflows(backend, a, y, x) -> None:
    x, y = (backend.array(np.array([v]), "float32") for v in (x, y))
    loss = partial(negative_binomial_nll_loss, x, y, reduction="sum")
    value, in_x, _ = exact(float(x[0]), float(y[0]), a)
    np.testing.assert_allclose(loss(dispersion=a), value, rtol=1e-5)
    if backend.name != "numpy":
        own = backend.array(np.array([a]), "float32")
        slope = backend.gradient(lambda a: loss(dispersion=a), own)
        assert np.all(np.isfinite(slope))
        slope = backend.gradient(
            lambda x: negative_binomial_nll_loss(x, y, a, reduction="sum"),
            x,
        )
        slack = 1e-6 * (abs(in_x) + 1 / a) + np.finfo(np.float32).tiny
        np.testing.assert_allclose(slope, in_x, rtol=1e-5, atol=slack)


@pytest.mark.parametrize("y", [0.0, 3.0, 30.0])
def test_a_mean_that_overflows(backend, y) -> None:
    """At the dispersion 0 as in the Poisson likelihood: infinite, and so is the slope."""
    x = backend.array(np.array([89.0]), "float32")
    y = backend.array(np.array([y]), "float32")
    for loss in (
        partial(negative_binomial_nll_loss, dispersion=0.0),
        partial(poisson_nll_loss, full="exact"),
    ):
        with np.errstate(over="ignore"):
            assert float(loss(x, y)) == np.inf
        if backend.name != "numpy":
            assert backend.gradient(lambda x, f=loss: f(x, y), x) == np.inf


@pytest.mark.parametrize("loss", ["poisson", "negative binomial"])
def test_vast_counts_near_their_mean(backend, loss) -> None:
    """The difference of the mean and the logarithm of their ratio is not formed."""
    y = np.array([1e6, 1e10, 1e12, 2.0500872e17, 1e20, 1e20], np.float32)
    mean = y * np.array([1.000001] * 5 + [1.1], np.float32)
    with mpmath.workdps(60):
        expected = [
            exact(mpmath.log(float(m)), float(n), 0)[0]
            for m, n in zip(mean, y, strict=True)
        ]
    x, y = (backend.array(v, "float32") for v in (mean, y))
    if loss == "poisson":
        f = partial(poisson_nll_loss, full="exact")
    else:
        f = partial(negative_binomial_nll_loss, dispersion=0.0)
    f = partial(f, log_input=False)
    got = backend.numpy(f(x, y, reduction="none"))
    np.testing.assert_allclose(got, expected, rtol=2e-6)
    if backend.name != "numpy":
        got = backend.gradient(lambda x: f(x, y, reduction="sum"), x)
        n = backend.numpy(y).astype(float)
        np.testing.assert_allclose(got, (mean - n) / mean, rtol=1e-5)


@pytest.mark.parametrize(
    ("power", "mean", "y"),
    [(1.9, 1e-27, 1.01e-27), (2.5, 1e-23, 1.01e-23), (1.5, 1e-31, 0.0)],
)
def test_the_slope_of_small_means(backend, power, mean, y) -> None:
    """Though powers overflow of which none is in the gradient."""
    if backend.name == "numpy":
        return
    mean, y = (backend.array(np.array([v]), "float32") for v in (mean, y))
    got = backend.gradient(
        lambda x: tweedie_deviance(x, y, power=power, reduction="sum"), mean
    )
    m, n = (float(v[0]) for v in (mean, y))
    np.testing.assert_allclose(got, 2 * (m - n) / m**power, rtol=1e-4)


def test_large_counts_from_means(backend) -> None:
    y = np.array([1e6, 1e6, 1e6, 30.0, 19.0])
    mean = np.array([1e6, 1.001e6, 3e6, 31.0, 1e-3])
    for eps in (1e-8, 0.5):
        x = np.log(mean + eps)
        expected = [exact(*b, 0)[0] - eps for b in zip(x, y, strict=True)]
        for dtype, rtol in (("float64", 1e-9), ("float32", 2e-5)):
            got = poisson_nll_loss(
                *(backend.array(v, dtype) for v in (mean, y)),
                log_input=False,
                full="exact",
                eps=eps,
                reduction="none",
            )
            np.testing.assert_allclose(
                backend.numpy(got), expected, rtol=rtol
            )


def test_large_counts_are_twice_differentiable() -> None:
    """In every argument, where the forms of few and many, near and far meet."""
    leaf = partial(torch.tensor, dtype=torch.float64, requires_grad=True)
    y = leaf([21.0, 25.0, 40.0, 60.0, 90.0])
    x = leaf([3.1, 2.0, 6.0, 4.05, 4.6])
    for a in (0.01, 0.3, 4.0):
        alpha = leaf([a] * 5)
        f = partial(negative_binomial_nll_loss, reduction="none")
        assert torch.autograd.gradcheck(f, (x, y, alpha))
        assert torch.autograd.gradgradcheck(f, (x, y, alpha))
    for log_input in (True, False):
        f = partial(
            poisson_nll_loss,
            log_input=log_input,
            full="exact",
            reduction="none",
        )
        rate = x if log_input else leaf(x.exp().tolist())
        assert torch.autograd.gradcheck(f, (rate, y))
        assert torch.autograd.gradgradcheck(f, (rate, y))


def test_it_is_a_weighted_binary_cross_entropy(backend, rng) -> None:
    """With the logit x + log α: y times a success, r times a failure; less the number of ways."""
    x, y, a = rng.normal(size=9), rng.integers(9, size=9), 0.4
    r = 1 / a
    z = backend.array(x + np.log(a))
    one, none = backend.array(np.ones(9)), backend.array(np.zeros(9))
    each = partial(binary_cross_entropy_with_logits, reduction="none")
    trials = y * backend.numpy(each(z, one)) + r * backend.numpy(
        each(z, none)
    )
    ways = (
        scipy.special.gammaln(y + r)
        - scipy.special.gammaln(r)
        - scipy.special.gammaln(y + 1)
    )
    got = negative_binomial_nll_loss(
        backend.array(x), backend.array(y), a, reduction="none"
    )
    np.testing.assert_allclose(
        backend.numpy(got), trials - ways, rtol=1e-12
    )


def test_its_mean_and_variance_are_as_said() -> None:
    """NB2: the variance is μ + αμ²."""
    mean, a, k = 3.0, 0.7, np.arange(3000)
    p = np.exp(
        -negative_binomial_nll_loss(
            np.full(k.shape, np.log(mean)), k, a, reduction="none"
        )
    )
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(p @ k, mean, rtol=1e-12)
    np.testing.assert_allclose(p @ (k - mean) ** 2, mean + a * mean**2)


def test_negative_binomial_in_halves_and_compiled(compiled) -> None:
    x, y = np.array([0.5, 1.0, -2.0]), np.array([2.0, 0.0, 7.0])
    exact = negative_binomial_nll_loss(x, y, 0.5, reduction="none")
    half = torch.tensor(x, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = negative_binomial_nll_loss(
            half, torch.tensor(y), 0.5, reduction="none"
        )
    assert got.dtype == torch.bfloat16
    np.testing.assert_allclose(got.double(), exact, rtol=1e-2)
    compiles(
        compiled, negative_binomial_nll_loss, [x, y, np.full(3, 0.5)], {}
    )
    compiles(compiled, tweedie_deviance, [np.exp(x), y], {"power": 1.5})
    compiles(compiled, poisson_nll_loss, [x, y], {"full": "exact"})
