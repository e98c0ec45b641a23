from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import jax
import mpmath
import numpy as np
import pytest
import scipy.optimize
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch

from harness import JAX, TORCH, refuses
from losslib import (
    energy_distance,
    kl_divergence,
    maximum_mean_discrepancy,
    sinkhorn,
    sinkhorn_divergence,
    wasserstein_1d,
)
from losslib.transport import Transport

close = partial(np.testing.assert_allclose, rtol=1e-11, atol=1e-12)


# --- On a line --------------------------------------------------------------------------------

PRINTED = [
    # the examples in SciPy's documentation, to the digits there
    (wasserstein_1d, ([0, 1, 3], [5, 6, 8]), 5.0),
    (wasserstein_1d, ([0, 1], [0, 1], [3, 1], [2, 2]), 0.25),
    (
        wasserstein_1d,
        (
            [3.4, 3.9, 7.5, 7.8],
            [4.5, 1.4],
            [1.4, 0.9, 3.1, 7.2],
            [3.2, 3.5],
        ),
        4.0781331438047861,
    ),
    (energy_distance, ([0], [2]), 2.0),
    (energy_distance, ([0, 8], [0, 8], [3, 1], [2, 2]), 1.0),
    (
        energy_distance,
        (
            [0.7, 7.4, 2.4, 6.8],
            [1.4, 8.0],
            [2.1, 4.2, 7.4, 8.0],
            [7.6, 8.8],
        ),
        0.88003340976158217,
    ),
]


@pytest.mark.parametrize(("distance", "args", "printed"), PRINTED)
def test_the_examples_of_scipy(backend, distance, args, printed) -> None:
    arrays = (backend.array(np.array(x, dtype=float)) for x in args)
    np.testing.assert_allclose(
        backend.numpy(distance(*arrays)), printed, rtol=1e-14
    )


THEIRS = [
    (wasserstein_1d, scipy.stats.wasserstein_distance),
    (energy_distance, scipy.stats.energy_distance),
]


def sample(rng, n: int, ties: bool):
    values = rng.normal(size=n)
    return np.round(values) if ties else values


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("ours", "theirs"), THEIRS)
def test_every_size_against_scipy(
    backend, rng, ours, theirs, weighted, ties
) -> None:
    for n, m in [(1, 1), (1, 4), (5, 5), (7, 3), (40, 61)]:
        args = [sample(rng, n, ties), 0.3 + sample(rng, m, ties)]
        if weighted:
            args += [np.floor(4 * rng.random(k)) + (k < 3) for k in (n, m)]
            args[2][0] = args[3][0] = 1.0
        got = ours(*(backend.array(x) for x in args))
        assert got.shape == ()
        close(backend.numpy(got), theirs(*args))


@pytest.mark.parametrize("distance", [wasserstein_1d, energy_distance])
def test_one_sample_weighted_and_the_other_not(rng, distance) -> None:
    u, v, w = rng.normal(size=6), rng.normal(size=4), rng.random(6)
    equal = np.full(4, 7.0)
    close(distance(u, v, w), distance(u, v, w, equal))
    close(distance(v, u, None, w), distance(v, u, equal, w))
    close(distance(v, u, v_weights=w), distance(u, v, w))


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 5.0])
def test_every_order_against_linear_programming(rng, p) -> None:
    """The quantiles are matched as the best of all plans matches them."""
    u, v = rng.normal(size=5), 1 + 2 * rng.normal(size=4)
    a, b = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
    best = exact(np.abs(u[:, None] - v) ** p, a, b)
    np.testing.assert_allclose(
        wasserstein_1d(u, v, a, b, p=p), best ** (1 / p), rtol=1e-8
    )


def test_two_normal_distributions_in_closed_form() -> None:
    """Of order 2 it is the root of (difference of means)² + (difference of deviations)²."""
    q = (np.arange(200_000) + 0.5) / 200_000
    z = scipy.stats.norm.ppf(q)
    got = wasserstein_1d(1 + 2 * z, -0.5 + 0.7 * z, p=2)
    np.testing.assert_allclose(got, math.hypot(1.5, 1.3), rtol=1e-4)
    got = energy_distance(z, 1 + z)
    exact = 2 * normal_distance(1.0) - 2 * normal_distance(0.0)
    np.testing.assert_allclose(got**2, exact, rtol=1e-3)


def normal_distance(shift: float) -> float:
    """Return E|X - Y| of two standard normals, one of them shifted."""
    return 2 * scipy.stats.norm.pdf(shift / math.sqrt(2)) * math.sqrt(
        2
    ) + shift * scipy.special.erf(shift / 2)


def test_of_a_normal_distance() -> None:
    found, _ = scipy.integrate.quad(
        lambda x: abs(x + 1) * scipy.stats.norm.pdf(x, scale=math.sqrt(2)),
        -20,
        20,
    )
    np.testing.assert_allclose(normal_distance(1.0), found, rtol=1e-6)


@pytest.mark.parametrize(
    ("distance", "options"),
    [
        (wasserstein_1d, {}),
        (wasserstein_1d, {"p": 2.0}),
        (energy_distance, {}),
    ],
)
def test_slopes_in_values_and_weights(rng, distance, options) -> None:
    tensors = [
        torch.tensor(x, requires_grad=True)
        for x in (
            rng.normal(size=(2, 4)),
            rng.normal(size=(2, 3)),
            0.5 + rng.random((2, 4)),
            0.5 + rng.random((2, 3)),
        )
    ]
    f = partial(distance, **options)
    assert torch.autograd.gradcheck(f, tensors)
    assert torch.autograd.gradgradcheck(f, tensors)


def test_the_slope_is_the_weight_of_what_moves(differentiable) -> None:
    """One away from the other, each value of five pulls with a fifth, however far they are."""
    u = np.arange(5.0)
    for far in (10.0, 1e6):
        v = differentiable.array(u + far)
        slope = differentiable.gradient(
            lambda x, v=v: wasserstein_1d(x, v), differentiable.array(u)
        )
        close(slope, np.full(5, -0.2))


def test_the_slope_of_the_squared_energy(rng, differentiable) -> None:
    u, v = rng.normal(size=5), rng.normal(size=3)
    slope = differentiable.gradient(
        lambda x: energy_distance(x, differentiable.array(v)) ** 2,
        differentiable.array(u),
    )
    by_pairs = 2 * (
        np.sign(u[:, None] - v).mean(1) / 5
        - np.sign(u[:, None] - u).sum(1) / 25
    )
    close(slope, by_pairs)


@pytest.mark.parametrize("distance", [wasserstein_1d, energy_distance])
@pytest.mark.parametrize("options", [{}, {"p": 2.0}])
def test_two_equal_samples(differentiable, rng, distance, options) -> None:
    """Value and slope are 0, in any order."""
    if distance is energy_distance:
        options = {}
    u = rng.normal(size=6)
    x, y = differentiable.array(u), differentiable.array(u[::-1].copy())
    f = partial(distance, **options)
    np.testing.assert_allclose(differentiable.numpy(f(x, y)), 0, atol=1e-8)
    slope = differentiable.gradient(lambda x: f(x, x), x)
    np.testing.assert_array_equal(slope, np.zeros(6))


ORDERS = [1, 1.5, 2, 10, 50]


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("size", "times"), [(3, 2), (7, 3), (49, 5)])
def test_a_sample_and_the_same_some_times(
    backend, size, times, dtype, p
) -> None:
    """Levels of both are met to the last digit: a sliver between them would be lifted by a root."""
    values = np.arange(size, dtype=dtype)
    values[-1] = 6000
    arrays = values, np.repeat(values, times)
    u, v = (backend.array(x, dtype) for x in arrays)
    once, weighted = (
        wasserstein_1d(u, v, p=p),
        wasserstein_1d(u, u, backend.array(np.full(size, 3), dtype), p=p),
    )
    assert once == 0 == weighted
    assert energy_distance(u, v) == 0
    if backend is TORCH:
        u.requires_grad_()
        for distance in (partial(wasserstein_1d, p=p), energy_distance):
            (slope,) = torch.autograd.grad(distance(u, v), u)
            assert not slope.any()


def test_a_weight_in_two_parts(backend, rng) -> None:
    """Here levels differ by rounding, at which a root of order p would be lifted from 0."""
    u, a, share = rng.normal(size=50), rng.random(50), rng.random(50)
    parts = np.stack([a * share, a - a * share], axis=1).ravel()
    arrays = u, np.repeat(u, 2), a, parts
    mine = [backend.array(x) for x in arrays]
    assert wasserstein_1d(*mine, p=10) == 0 == energy_distance(*mine)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize(
    ("dtype", "least"), [("float64", 1e-15), ("float32", 1.2e-7)]
)
def test_a_weight_of_the_size_of_rounding(backend, dtype, least, p) -> None:
    """It is no sliver between two levels where both samples have it."""
    u = backend.array(np.arange(3), dtype)
    w = backend.array(np.array([1, least, 1]), dtype)
    assert wasserstein_1d(u, u, w, w, p=p) == 0


@pytest.mark.parametrize(("n", "m"), [(100_000, 50_000), (99_999, 100_000)])
def test_large_samples_in_single_precision(backend, rng, n, m) -> None:
    x, y = rng.normal(size=n), rng.normal(size=m) + 0.01
    u, v = (backend.array(z, "float32") for z in (x, y))
    x, y = (z.astype("float32").astype("float64") for z in (x, y))
    near = partial(np.testing.assert_allclose, rtol=0, atol=1e-6)
    near(wasserstein_1d(u, v), scipy.stats.wasserstein_distance(x, y))
    near(energy_distance(u, v), scipy.stats.energy_distance(x, y))
    square = wasserstein_1d(u, v, p=2) ** 2
    near(square, wasserstein_1d(x, y, p=2) ** 2)


def test_energy_at_the_edge_of_a_range() -> None:
    x = torch.tensor([3e38, -3e38])
    assert energy_distance(x, x.flip(0)) == 0


@pytest.mark.parametrize("size", [300, 3000, 100_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_weights_that_are_not_whole(
    backend, rng, dtype, size
) -> None:
    """Their sums drift, a rounding at each step; of equal samples the distance is 0, and flat."""
    u = backend.array(rng.normal(size=size), dtype)
    for weight in (1 / size, 0.7):
        w = backend.array(np.full(size, weight), dtype)
        assert energy_distance(u, u, w) == 0
        assert wasserstein_1d(u, u, w, p=2) == 0
        if backend.name != "numpy":
            slope = backend.gradient(
                lambda x, w=w: energy_distance(x, u, w), u
            )
            assert not np.any(slope)


@pytest.mark.parametrize("distance", [wasserstein_1d, energy_distance])
@pytest.mark.parametrize("junk", [1e30, np.inf, np.nan])
def test_a_value_without_weight_is_silent(
    differentiable, rng, distance, junk
) -> None:
    u, v, w = rng.normal(size=5), rng.normal(size=4), rng.random(5)
    few = distance(u[1:], v, w[1:])
    w[0], u[0] = 0, junk
    v, w = differentiable.array(v), differentiable.array(w)

    def f(x):
        return distance(x, v, w)

    close(differentiable.numpy(f(differentiable.array(u))), few)
    slope = differentiable.gradient(f, differentiable.array(u))
    assert slope[0] == 0
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize(
    "distance",
    [wasserstein_1d, partial(wasserstein_1d, p=2), energy_distance],
    ids=["first", "second", "energy"],
)
def test_a_value_of_infinity(backend, distance) -> None:
    u, v = backend.array([np.inf, 1.0]), backend.array([0.0, 1.0])
    assert backend.numpy(distance(u, v)) == np.inf


@pytest.mark.parametrize("distance", [wasserstein_1d, energy_distance])
def test_a_shift_far_from_0(rng, distance) -> None:
    u, v = rng.integers(9, size=(2, 20)) / 8.0
    close(distance(u + 2.0**40, v + 2.0**40), distance(u, v))


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes(backend, rng, size, dtype) -> None:
    """A distance grows with its unit, the energy with the root of it."""
    u, v = rng.normal(size=(2, 6))
    mine = [backend.array(size * x, dtype) for x in (u, v)]
    near = partial(np.testing.assert_allclose, rtol=1e-5)
    for p in (1.0, 2.0):
        got = backend.numpy(wasserstein_1d(*mine, p=p))
        near(got, size * wasserstein_1d(u, v, p=p))
    got = backend.numpy(energy_distance(*mine))
    near(got, math.sqrt(size) * energy_distance(u, v))
    x, y = (backend.array(size * z.reshape(3, 2), dtype) for z in (u, v))
    for kernel, unit in (
        ("gaussian", 1.0),
        ("laplacian", 1.0),
        ("energy", size),
    ):
        got = backend.numpy(maximum_mean_discrepancy(x, y, kernel=kernel))
        near(
            got,
            unit
            * maximum_mean_discrepancy(
                u.reshape(3, 2), v.reshape(3, 2), kernel=kernel
            ),
        )
    cost = np.abs(u[:, None] - v)
    got = sinkhorn(backend.array(size * cost, dtype), epsilon=0.1)
    expected = sinkhorn(cost, epsilon=0.1)
    near(backend.numpy(got.value), size * expected.value)
    np.testing.assert_allclose(
        backend.numpy(got.plan), expected.plan, atol=1e-5
    )


U = np.array([[0.0, 1.0], [2.0, 3.0]])


@pytest.mark.parametrize("distance", [wasserstein_1d, energy_distance])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((U.tolist(), U), "u_values must be an array .*list"),
        ((U, U.astype(int)), "v_values .*dtype, got .*int64"),
        (
            (U, U[0]),
            r"v_values must .* those of u_values.*got shape \(2,\)",
        ),
        (
            (U[:, :0], U),
            r"u_values must .*at least one.*got shape \(2, 0\)",
        ),
        (
            (U, U[:, :0]),
            r"v_values must .*at least one.*got shape \(2, 0\)",
        ),
        ((np.array(1.0), U), r"u_values must have .* one axis, got .*\(\)"),
        ((U, U, U[0]), r"u_weights must have the shape of u_values"),
        ((U, U, None, U - 1), r"v_weights must not be negative, got -1.0"),
        ((U, U, np.inf + U), r"u_weights must have a sum .*got inf"),
    ],
)
def test_mistakes_are_named(backend, distance, args, words) -> None:
    refuses(backend, distance, args, {}, words)


def test_an_order_that_is_none(backend) -> None:
    refuses(
        backend, wasserstein_1d, (U, U), {"p": np.inf}, "p must be finite"
    )


@pytest.mark.parametrize("distance", [wasserstein_1d, energy_distance])
def test_bad_weights_that_nobody_sees(distance) -> None:
    """Where `vmap` or ``jit`` hides them, they give nan."""
    w = np.array([[1.0, 1.0], [-1.0, 2.0], [0.0, 0.0]])
    u, v = np.ones((3, 2)) * [1.0, 2.0], np.ones((3, 2)) * [3.0, 5.0]
    for backend, vmap in ((TORCH, torch.func.vmap), (JAX, jax.vmap)):
        got = vmap(distance)(*(backend.array(x) for x in (u, v, w)))
        found = np.isnan(backend.numpy(got))
        np.testing.assert_array_equal(found, [False, True, True])


# --- Of points --------------------------------------------------------------------------------


def gram(x, y, kernel: str, sigma: float):
    apart = scipy.spatial.distance.cdist(x, y)
    return {
        "gaussian": np.exp(-(apart**2) / (2 * sigma**2)),
        "laplacian": np.exp(-apart / sigma),
        "energy": -apart,
    }[kernel]


@pytest.mark.parametrize(
    ("kernel", "bandwidth"),
    [
        ("gaussian", None),
        ("gaussian", 0.7),
        ("laplacian", None),
        ("laplacian", 0.7),
        ("energy", None),
    ],
)
def test_against_distances_of_scipy(
    backend, rng, kernel, bandwidth
) -> None:
    for n, m, d in [(2, 2, 1), (5, 8, 3), (20, 13, 2)]:
        x, y = rng.normal(size=(n, d)), 0.4 + rng.normal(size=(m, d))
        sigma = bandwidth or np.median(
            scipy.spatial.distance.pdist(np.concatenate([x, y]))
        )
        xx, yy, xy = (
            gram(*pair, kernel, sigma) for pair in ((x, x), (y, y), (x, y))
        )
        mine = backend.array(x), backend.array(y)
        f = partial(
            maximum_mean_discrepancy, kernel=kernel, bandwidth=bandwidth
        )
        close(
            backend.numpy(f(*mine)), xx.mean() + yy.mean() - 2 * xy.mean()
        )
        pairs = (
            (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))
            for k in (xx, yy)
        )
        close(
            backend.numpy(f(*mine, unbiased=True)),
            sum(pairs) - 2 * xy.mean(),
        )


def test_a_kernel_of_ones_own(backend, rng) -> None:
    """Of the inner product it is the distance of the means, squared."""
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    got = maximum_mean_discrepancy(
        backend.array(x), backend.array(y), kernel=lambda x, y: x @ y.T
    )
    close(backend.numpy(got), ((x.mean(0) - y.mean(0)) ** 2).sum())


def test_what_is_no_kernel_shows(backend, rng) -> None:
    """A wrong sign gives a number below 0, and a wrong shape is named."""
    x, y = (backend.array(rng.normal(size=(n, 1))) for n in (5, 7))
    f = partial(maximum_mean_discrepancy, x, y)
    assert backend.numpy(f(kernel=lambda x, y: abs(x - y.T))) < 0
    for wrong in (lambda x, y: y @ x.T, lambda x, y: x, lambda x, y: 1.0):
        with pytest.raises(ValueError, match="kernel must give a number"):
            f(kernel=wrong)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "energy"])
def test_no_pair_of_samples(backend, kernel) -> None:
    x, y = (backend.array(np.zeros((0, n, 2))) for n in (3, 4))
    got = maximum_mean_discrepancy(x, y, kernel=kernel)
    assert got.shape == (0,)


def test_the_energy_kernel_is_the_energy_distance(rng) -> None:
    u, v = rng.normal(size=9), 1 + rng.normal(size=6)
    got = maximum_mean_discrepancy(u[:, None], v[:, None], kernel="energy")
    close(got, scipy.stats.energy_distance(u, v) ** 2)


def test_two_normal_samples_on_average() -> None:
    """Without bias the mean is the closed form; with it, it is above, by what theory says."""
    rng, n, found = np.random.default_rng(0), 6, []
    x, y = rng.normal(size=(2, 4000, n, 1))
    y = y + 1
    for unbiased in (True, False):
        found.append(
            maximum_mean_discrepancy(x, y, bandwidth=1.0, unbiased=unbiased)
        )
    one, apart = 1 / math.sqrt(3), math.exp(-1 / 6) / math.sqrt(3)
    truth = 2 * one - 2 * apart
    error = 4 * found[0].std() / math.sqrt(4000)
    assert abs(found[0].mean() - truth) < error
    bias = 2 * (1 - one) / n
    assert abs(found[1].mean() - truth - bias) < error
    assert found[0].min() < 0 <= found[1].min()


def test_the_false_alarms_of_a_test() -> None:
    """At a level of 5 %, by permutations, as many in a hundred of two samples of one kind."""
    rng, size, rounds = np.random.default_rng(1), 24, 2000
    sides = np.stack(
        [rng.permutation(np.repeat([1, -1], size // 2)) for _ in range(99)]
    )
    alarms = 0
    for _ in range(rounds):
        z = rng.standard_t(3, size=(size, 2))
        k = gram(z, z, "gaussian", 1.0)
        found = maximum_mean_discrepancy(
            z[: size // 2], z[size // 2 :], bandwidth=1.0
        )
        null = ((sides @ k) * sides).sum(1) / (size // 2) ** 2
        alarms += (1 + (null >= found - 1e-12).sum()) / 100 <= 0.05
    assert abs(alarms / rounds - 0.05) < 4 * math.sqrt(0.05 * 0.95 / rounds)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "energy"])
@pytest.mark.parametrize("unbiased", [False, True])
def test_slopes_of_the_discrepancy(rng, kernel, unbiased) -> None:
    x, y = (
        torch.tensor(rng.normal(size=(2, n, 3)), requires_grad=True)
        for n in (4, 5)
    )
    f = partial(
        maximum_mean_discrepancy,
        kernel=kernel,
        bandwidth=None if kernel == "energy" else 0.8,
        unbiased=unbiased,
    )
    assert torch.autograd.gradcheck(f, (x, y))
    assert torch.autograd.gradgradcheck(f, (x, y))


def test_the_median_is_a_constant_to_the_gradient(
    differentiable, rng
) -> None:
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    sigma = np.median(scipy.spatial.distance.pdist(np.concatenate([x, y])))
    y = differentiable.array(y)
    slopes = [
        differentiable.gradient(
            lambda x, b=b: maximum_mean_discrepancy(x, y, bandwidth=b),
            differentiable.array(x),
        )
        for b in (None, float(sigma))
    ]
    close(*slopes)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "energy"])
def test_points_that_are_all_the_same(differentiable, kernel) -> None:
    x = differentiable.array(np.ones((4, 2)))
    f = partial(maximum_mean_discrepancy, kernel=kernel)
    assert differentiable.numpy(f(x, x)) == 0
    slope = differentiable.gradient(lambda x: f(x, x), x)
    np.testing.assert_array_equal(slope, np.zeros((4, 2)))
    y = differentiable.array(np.concatenate([np.ones((7, 2)), [[2.0, 3]]]))
    slope = differentiable.gradient(lambda x: f(x, y), x)
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_kernel_wider_than_the_samples(
    backend, dtype, kernel, unbiased
) -> None:
    """In single precision nothing is left of the differences of kernels that are all near 1."""
    x, y = np.arange(6.0)[:, None], np.arange(5.0)[:, None]
    width = 5e3

    def exact(one, two) -> mpmath.mpf:
        total, count = mpmath.mpf(0), 0
        for i, a in enumerate(one[:, 0]):
            for j, b in enumerate(two[:, 0]):
                if one is two and unbiased and i == j:
                    continue
                r = mpmath.mpf(abs(a - b)) / width
                total += mpmath.exp(
                    -r * r / 2 if kernel == "gaussian" else -r
                )
                count += 1
        return total / count

    with mpmath.workdps(30):
        expected = float(exact(x, x) + exact(y, y) - 2 * exact(x, y))
    got = maximum_mean_discrepancy(
        backend.array(x, dtype),
        backend.array(y, dtype),
        kernel=kernel,
        bandwidth=width,
        unbiased=unbiased,
    )
    digits = {"float64": 1e-9, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=digits)


def test_one_width_and_two_spreads(backend) -> None:
    """Which kernels are all near 1 is asked of each pair of samples."""
    x, y = np.arange(6.0), np.arange(5.0)
    x, y = np.stack([x, 1e5 * x]), np.stack([y, 5e4 + 1e5 * y])
    found = [
        maximum_mean_discrepancy(
            *(backend.array(z[..., None], dtype) for z in (x, y)),
            bandwidth=5e3,
            unbiased=True,
        )
        for dtype in ("float32", "float64")
    ]
    np.testing.assert_allclose(*map(backend.numpy, found), rtol=1e-4)


def test_points_at_the_edge_of_a_range(backend) -> None:
    x = np.full((2, 3), [[1e308], [0]])
    arrays = backend.array(x), backend.array(0 * x)
    got = maximum_mean_discrepancy(*arrays, kernel="laplacian", bandwidth=1)
    close(backend.numpy(got), 0.5)


def test_the_width_where_the_median_is_0(backend) -> None:
    x = np.array([[0.0], [0.0], [0.0], [1.0]])
    y = np.zeros((2, 1))
    got = maximum_mean_discrepancy(backend.array(x), backend.array(y))
    mean = scipy.spatial.distance.pdist(np.concatenate([x, y])).mean()
    k = 1 / 16 * (10 + 6 * np.exp(-0.5 / mean**2))
    close(got, k + 1 - 2 * (0.75 + 0.25 * np.exp(-0.5 / mean**2)))


def test_points_far_from_the_others(differentiable) -> None:
    """Beyond the reach of the kernel, the slope is 0 and not nan."""
    x = differentiable.array(np.array([[0.0], [1e30], [-1e300]]))
    for kernel in ("gaussian", "laplacian"):
        f = partial(
            maximum_mean_discrepancy, y=x, bandwidth=1.0, kernel=kernel
        )
        slope = differentiable.gradient(f, x + 0)
        np.testing.assert_array_equal(slope, np.zeros((3, 1)))


X = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X[0], X), {}, r"x must have shape .*got \(2,\)"),
        ((X, X[:, :1]), {}, r"y must have shape .*axes of x.*got \(3, 1\)"),
        ((X[:0], X), {}, r"x must .* n at least 1 .*, got \(0, 2\)"),
        (
            (X[:, :0], X[:, :0]),
            {},
            r"x must .* d at least 1, got \(3, 0\)",
        ),
        (
            (X, X[:1]),
            {"unbiased": True},
            r"y must .* n at least 2.*\(1, 2\)",
        ),
        ((X, X), {"kernel": "rbf"}, "kernel must be 'gaussian', .*'rbf'"),
        (
            (X, X),
            {"kernel": "energy", "bandwidth": 2.0},
            "bandwidth must be None for the kernel 'energy' .*got 2.0",
        ),
    ],
)
def test_mistakes_in_points_are_named(
    backend, args, options, words
) -> None:
    refuses(backend, maximum_mean_discrepancy, args, options, words)


def test_a_flag_that_is_none() -> None:
    with pytest.raises(TypeError, match="unbiased must be True or False"):
        maximum_mean_discrepancy(X, X, unbiased=1)


# --- By plans ---------------------------------------------------------------------------------


def exact(cost, a, b) -> float:
    """Return the least cost of a plan, by SciPy's linear programming."""
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    found = scipy.optimize.linprog(
        cost.ravel(),
        A_eq=np.concatenate([rows, columns]),
        b_eq=np.concatenate([a, b]),
        method="highs",
    )
    assert found.success
    return found.fun


def problem(rng, n=6, m=5):
    x, y = rng.normal(size=(n, 2)), 0.5 + rng.normal(size=(m, 2))
    cost = scipy.spatial.distance.cdist(x, y, "sqeuclidean")
    return cost, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))


def test_both_costs_tend_to_the_exact_one(backend, rng) -> None:
    """From above: the entropic cost by its divergence, at most log of the size; no overflow."""
    cost, a, b = problem(rng)
    best, top = exact(cost, a, b), cost.max()
    mine = [backend.array(x) for x in (cost, a, b)]
    gaps = []
    for epsilon in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001):
        found = sinkhorn(*mine, epsilon=epsilon, steps=3000)
        got = Transport(*map(backend.numpy, found))
        assert got.residual < 1e-6
        assert got.value >= best - 1e-9
        assert got.cost >= best - 1e-6 * top
        gaps.append((got.cost - best, got.value - best))
        most = epsilon * top * math.log(min(cost.shape))
        assert gaps[-1][0] <= most
        assert gaps[-1][1] <= epsilon * top * -np.log(
            np.concatenate([a, b]).min()
        )
    for one, other in pairwise(gaps):
        assert other[0] < one[0] + 1e-9
        assert other[1] < one[1]
    assert gaps[-1][0] < 1e-3 * top


def test_against_an_assignment(rng) -> None:
    """Of as many points on each side, the least cost is that of SciPy's best pairs."""
    x, y = rng.normal(size=(2, 30, 2))
    cost = scipy.spatial.distance.cdist(x, y)
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    best = cost[rows, columns].mean()
    found = sinkhorn(cost, epsilon=0.001, steps=2000)
    np.testing.assert_allclose(found.cost, best, rtol=2e-3)
    assert best <= found.value <= best + 0.001 * cost.max() * math.log(30)
    assert np.mean(found.plan[rows, columns] > 0.5 / 30) > 0.75


@pytest.mark.parametrize("epsilon", [1.0, 0.1, 0.01])
def test_two_points_on_each_side_in_closed_form(rng, epsilon) -> None:
    """The odds ratio of the plan is that of exp(-C/ε): a quadratic equation."""
    for _ in range(20):
        c, (a, b) = rng.random((2, 2)), rng.dirichlet(np.ones(2), 2)
        blur = epsilon * c.max()
        odds = math.exp((c[0, 1] + c[1, 0] - c[0, 0] - c[1, 1]) / blur)

        def odd(p, a=a, b=b, odds=odds):
            return p * (1 - a[0] - b[0] + p) - odds * (a[0] - p) * (
                b[0] - p
            )

        low, high = max(0, a[0] + b[0] - 1), min(a[0], b[0])
        p = scipy.optimize.brentq(odd, low, high, xtol=1e-15)
        plan = np.array([[p, a[0] - p], [b[0] - p, 1 - a[0] - b[0] + p]])
        plan = np.maximum(plan, 0.0)  # what rounding left below
        kl = scipy.special.rel_entr(plan, np.outer(a, b)).sum()
        found = sinkhorn(c, a, b, epsilon=epsilon, steps=3000)
        if found.residual < 1e-10:
            np.testing.assert_allclose(found.plan, plan, atol=1e-9)
            close(found.cost, (plan * c).sum(), rtol=1e-8)
        assert found.value <= (plan * c).sum() + blur * kl + 1e-12
        np.testing.assert_allclose(
            found.value, (plan * c).sum() + blur * kl, rtol=1e-4
        )


def test_what_the_arrays_are(backend, rng) -> None:
    """Value, cost, plan and potentials are those of one another."""
    cost, a, b = problem(rng)
    mine = [backend.array(x) for x in (cost, a, b)]
    got = Transport(
        *map(backend.numpy, sinkhorn(*mine, epsilon=0.1, steps=500))
    )
    blur = 0.1 * cost.max()
    close(got.plan.sum(0), b)
    np.testing.assert_allclose(got.plan.sum(1), a, atol=1e-12)
    close(got.residual, np.abs(got.plan.sum(1) - a).sum(), atol=1e-15)
    close(got.cost, (got.plan * cost).sum())
    kl = kl_divergence(got.plan.ravel(), np.outer(a, b).ravel())
    close(got.value, got.cost + blur * kl)
    close(got.value, a @ got.f + b @ got.g)
    expected = np.exp((got.f[:, None] + got.g - cost) / blur)
    close(got.plan, expected * np.outer(a, b))


def test_the_limit_of_a_large_blur(rng) -> None:
    cost, a, b = problem(rng)
    found = sinkhorn(cost, a, b, epsilon=1e6)
    np.testing.assert_allclose(found.plan, np.outer(a, b), rtol=1e-5)
    np.testing.assert_allclose(found.value, a @ cost @ b, rtol=1e-5)


def test_steps_may_be_a_whole_number_of_any_kind(backend) -> None:
    cost = backend.array([[0.0, 1.0], [2.0, 0.5]])
    one, other = (sinkhorn(cost, steps=n).value for n in (20, 20.0))
    assert backend.numpy(one) == backend.numpy(other)


def test_more_steps_leave_a_smaller_residual(rng) -> None:
    cost, a, b = problem(rng, 20, 20)
    found = [sinkhorn(cost, a, b, steps=k) for k in (5, 20, 100, 1000)]
    residuals = [x.residual for x in found]
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 1e-8
    values = [x.value for x in found]
    assert max(values) <= values[-1] + 1e-12  # the dual, from below


def test_slopes_by_the_envelope_theorem(rng) -> None:
    """Against finite differences, under a largest cost that does not move."""
    cost, a, b = problem(rng, 4, 3)
    cost[0, 0] = 2 * cost.max()
    free = np.ones_like(cost)
    free[0, 0] = 0

    def f(move, a, b):
        shares = (x / x.sum() for x in (a, b))
        c = torch.tensor(cost) + torch.tensor(free) * move
        return sinkhorn(c, *shares, epsilon=0.1, steps=400).value

    leaves = (np.zeros_like(cost), a, b)
    assert torch.autograd.gradcheck(
        f, tuple(torch.tensor(x, requires_grad=True) for x in leaves)
    )


def test_slopes_are_plan_and_potentials(differentiable, rng) -> None:
    cost, a, b = (differentiable.array(x) for x in problem(rng))
    found = sinkhorn(cost, a, b, steps=1000)
    got = Transport(*map(differentiable.numpy, found))
    slope = differentiable.gradient
    close(
        slope(lambda c: sinkhorn(c, a, b, steps=1000).value, cost), got.plan
    )
    for f, x, potential in (
        (lambda a: sinkhorn(cost, a, b, steps=1000).value, a, got.f),
        (lambda b: sinkhorn(cost, a, b, steps=1000).value, b, got.g),
    ):
        share = differentiable.numpy(x)
        close(slope(f, x), potential - share @ potential)


def test_only_the_value_has_a_gradient(rng) -> None:
    cost, a, b = (torch.tensor(x, requires_grad=True) for x in problem(rng))
    found = sinkhorn(cost, a, b)
    assert [x.requires_grad for x in found] == [True] + [False] * 5


def test_no_second_derivative_of_transport(rng) -> None:
    """In the cost, of which the plan is a constant."""
    x = torch.tensor(rng.random((3, 3)), requires_grad=True)
    within = (x @ x.T).detach()
    divergence = partial(sinkhorn_divergence, cost_a=within, cost_b=within)
    for f in (lambda c: sinkhorn(c, epsilon=0.1).value, divergence):
        (slope,) = torch.autograd.grad(f(x), x, create_graph=True)
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.autograd.grad(slope.sum(), x)
    hessian = jax.hessian(lambda c: sinkhorn(c, epsilon=0.1).value)
    assert not hessian(x.detach().numpy()).any()


def test_mass_that_is_not_there(differentiable, rng) -> None:
    """A share of 0 on either side changes nothing, and its potential is what it would pay."""
    cost, a, b = problem(rng)
    few = sinkhorn(cost, a, b)
    a0, b0 = np.append(a, 0.0), np.append(b, 0.0)
    more = np.pad(cost, ((0, 1), (0, 1)), constant_values=0.3)
    x, y, c = (differentiable.array(x) for x in (a0, b0, more))
    got = Transport(*map(differentiable.numpy, sinkhorn(c, x, y)))
    close(got.value, few.value)
    close(got.plan[:-1, :-1], few.plan)
    assert got.plan[-1].sum() == got.plan[:, -1].sum() == 0
    for x_ in got:
        assert np.all(np.isfinite(x_))
    slope = differentiable.gradient(lambda a: sinkhorn(c, a, y).value, x)
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("n", [1, 3])
def test_one_point_on_a_side(backend, rng, n) -> None:
    cost = rng.random((n, 1))
    got = sinkhorn(backend.array(cost))
    close(backend.numpy(got.value), cost.mean())
    close(backend.numpy(got.plan), np.full((n, 1), 1 / n))


def test_costs_of_0_and_below(backend, rng) -> None:
    zero = sinkhorn(backend.array(np.zeros((3, 4))))
    close(backend.numpy(zero.value), 0)
    cost = rng.random((3, 4))
    value = sinkhorn(cost, epsilon=0.1).value
    scale = np.abs(cost - 0.25).max()
    lower = sinkhorn(cost - 0.25, epsilon=0.1 * cost.max() / scale)
    close(lower.value, value - 0.25)


def test_every_array_under_every_compiler(compiled, rng) -> None:
    costs = rng.random((3, 5, 4))
    expected = sinkhorn(costs)
    own = {
        "compile": compiled(sinkhorn)(torch.tensor(costs)),
        "vmap": torch.func.vmap(sinkhorn)(torch.tensor(costs)),
        "jit": jax.jit(sinkhorn)(JAX.array(costs)),
        "jax.vmap": jax.vmap(sinkhorn)(JAX.array(costs)),
    }
    for how, found in own.items():
        assert isinstance(found, Transport), how
        for name in Transport._fields:
            got = np.asarray(getattr(found, name))
            np.testing.assert_allclose(
                got, getattr(expected, name), rtol=1e-9, atol=1e-12
            )


def test_compiled_code_keeps_the_loop(compiled, rng) -> None:
    """Compiled by inductor, the steps are one loop and the gradient is the plan."""
    cost = torch.tensor(rng.random((5, 4)), requires_grad=True)
    found = compiled(sinkhorn, "inductor")(cost)
    found.value.backward()
    torch.testing.assert_close(cost.grad, found.plan)
    torch.testing.assert_close(
        found.value.detach(), sinkhorn(cost).value.detach()
    )


# --- Without bias -----------------------------------------------------------------------------


def three(x, y, power: int = 2):
    x, y = (z.reshape(len(z), -1) for z in (x, y))
    return tuple(
        scipy.spatial.distance.cdist(s, t) ** power
        for s, t in ((x, y), (x, x), (y, y))
    )


@pytest.mark.parametrize("epsilon", [1.0, 0.1, 0.01])
def test_nothing_between_equal_distributions(backend, rng, epsilon) -> None:
    x = rng.normal(size=(6, 2))
    costs = [backend.array(c) for c in three(x, x)]
    got = backend.numpy(sinkhorn_divergence(*costs, epsilon=epsilon))
    np.testing.assert_allclose(got, 0, atol=1e-12)
    assert sinkhorn(three(x, x)[0], epsilon=epsilon).value > 1e-3


@pytest.mark.parametrize("power", [1, 2])
def test_never_negative(rng, power) -> None:
    for _ in range(30):
        x, y = rng.normal(size=(5, 2)), 0.1 + rng.normal(size=(7, 2))
        a, b = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(7))
        for epsilon in (1.0, 0.1):
            got = sinkhorn_divergence(
                *three(x, y, power), a, b, epsilon=epsilon, steps=400
            )
            assert got > 0


def test_between_transport_and_mean_discrepancy(rng) -> None:
    """A small blur gives the exact cost, a large one half the discrepancy of -C."""
    x, y = rng.normal(size=8), 1 + rng.normal(size=8)
    costs = three(x, y, 1)
    small = sinkhorn_divergence(*costs, epsilon=1e-3, steps=4000)
    np.testing.assert_allclose(small, wasserstein_1d(x, y), rtol=1e-2)
    large = sinkhorn_divergence(*costs, epsilon=1e5)
    half = scipy.stats.energy_distance(x, y) ** 2 / 2
    np.testing.assert_allclose(large, half, rtol=1e-4)


def test_a_shift_costs_its_square(rng) -> None:
    """Under squared distances the blur cancels: the divergence of a shift is its square."""
    x = rng.normal(size=(7, 2))
    shift = np.array([3.0, -1.0])
    for epsilon in (1.0, 0.1):
        got = sinkhorn_divergence(
            *three(x, x + shift), epsilon=epsilon, steps=2000
        )
        np.testing.assert_allclose(got, 10.0, rtol=1e-6)


def test_slopes_of_the_divergence(differentiable, rng) -> None:
    """In each cost its plan, with its sign and share."""
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(4, 2))
    costs = [differentiable.array(c) for c in three(x, y)]
    top = differentiable.numpy(costs[0]).max()
    for k, share in enumerate((1.0, -0.5, -0.5)):
        slope = differentiable.gradient(
            lambda c, k=k: sinkhorn_divergence(
                *costs[:k], c, *costs[k + 1 :], epsilon=0.1
            ),
            costs[k],
        )
        own = 0.1 * top / differentiable.numpy(costs[k]).max()
        plan = sinkhorn(differentiable.numpy(costs[k]), epsilon=own).plan
        np.testing.assert_allclose(slope, share * plan, atol=1e-6)


C = np.ones((3, 2))


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((C[0],), {}, r"cost must have shape .*got \(2,\)"),
        ((C[:0],), {}, r"cost must have shape .*got \(0, 2\)"),
        ((C + np.inf,), {}, r"cost must hold finite numbers, got inf"),
        ((C.astype(int),), {}, "cost must have a real floating dtype"),
        ((C, C[0] / 2), {}, r"a must have shape \(3,\), .*got \(2,\)"),
        ((C, C[:, 0] / 2), {}, r"a must sum to 1 .*off by 0.5"),
        ((C, None, C[0] / 2 + [0.6, -0.6]), {}, r"b must hold prob"),
        ((C,), {"epsilon": -1.0}, "epsilon must be above 0, got -1.0"),
        ((C,), {"epsilon": np.inf}, "epsilon must be finite, got inf"),
        ((C,), {"steps": 1.5}, "steps must be a whole number .*got 1.5"),
    ],
)
def test_mistakes_in_costs_are_named(backend, args, options, words) -> None:
    refuses(backend, sinkhorn, args, options, words)


def test_costs_within_a_side_of_another_shape(backend) -> None:
    words = r"cost_b must have shape \(2, 2\), to match cost, got \(3, 3\)"
    three_ = np.ones((3, 3))
    refuses(backend, sinkhorn_divergence, (C, three_, three_), {}, words)
