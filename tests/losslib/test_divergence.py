from __future__ import annotations

from functools import partial

import jax
import mpmath
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    BY_DTYPE,
    JAX,
    REDUCTIONS,
    TORCH,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    bhattacharyya_distance,
    chi_squared_divergence,
    f_divergence,
    hellinger_distance,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    kl_div,
    kl_divergence,
    log_softmax,
    renyi_divergence,
    total_variation_distance,
)
from losslib._array import library
from losslib.divergence import GENERATORS

REDUCTIONS = [*REDUCTIONS, "batchmean"]


def problem(log_target: bool, shape=(4, 3)):
    rng = np.random.default_rng(0)
    x, y = (np.asarray(rng.normal(size=shape)) for _ in range(2))
    if shape:
        x, y = (scipy.special.log_softmax(a, axis=-1) for a in (x, y))
    return [x, y if log_target else np.exp(y)]


@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_every_shape_against_pytorch(
    backend, log_target, reduction
) -> None:
    for shape in [(), (3,), (4, 3, 2), (0, 3)]:
        if not shape and reduction == "batchmean":
            continue  # PyTorch has no batch to divide by
        extra = {"log_target": log_target, "reduction": reduction}
        arrays = problem(log_target, shape)
        agrees_with_pytorch(backend, "float64", kl_div, arrays, 2, extra)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize("log_target", [False, True])
def test_every_dtype_against_pytorch(backend, dtype, log_target) -> None:
    for reduction in REDUCTIONS:
        extra = {"log_target": log_target, "reduction": reduction}
        agrees_with_pytorch(
            backend, dtype, kl_div, problem(log_target), 2, extra
        )


@pytest.mark.parametrize("log_target", [False, True])
def test_gradients_and_transformations(log_target) -> None:
    differentiates_and_traces(
        kl_div, problem(log_target), 2, {"log_target": log_target}
    )


def test_compiled_by_torch(compiled) -> None:
    compiles(compiled, kl_div, problem(False), {"reduction": "batchmean"})


X, P = np.array([[-0.5, -1.0, -2.0]]), np.array([[0.2, 0.3, 0.5]])


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X.tolist(), P), {}, "input must be an array .*list"),
        ((X, 0.5), {}, "target must be an array .*float"),
        ((X.astype(int), P), {}, "input .*dtype, got .*int64"),
        ((X, P.astype(int)), {}, "target .*dtype, got .*int64"),
        ((X, P[0]), {}, r"target .*\(1, 3\), got \(3,\)"),
        ((X, P), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, kl_div, args, options, words)


def test_against_scipy_and_the_divergence_of_the_theory(backend) -> None:
    x, p = problem(False)
    mine = backend.array(x), backend.array(p)
    got = backend.numpy(kl_div(*mine, reduction="none"))
    pointwise = scipy.special.rel_entr(p, np.exp(x))
    np.testing.assert_allclose(got, pointwise, rtol=1e-11)
    got = backend.numpy(kl_div(*mine, reduction="batchmean"))
    np.testing.assert_allclose(got, pointwise.sum() / 4, rtol=1e-12)
    expected = kl_divergence(p, np.exp(x)).mean()
    np.testing.assert_allclose(got, expected, rtol=1e-12)


EDGES = [
    # log-prediction, target, loss, its slope in the log-prediction
    (-1.0, 0.0, 0.0, 0.0),
    (-np.inf, 0.0, 0.0, 0.0),
    (-np.inf, 0.5, np.inf, -0.5),
    (-1.0, 1.0, 1.0, -1.0),
    (-1e30, 0.25, 2.5e29, -0.25),
    (0.0, 1e-300, -300 * np.log(10) * 1e-300, -1e-300),
]


@pytest.mark.parametrize("log_target", [False, True])
def test_edges(backend, log_target) -> None:
    """Where the target is 0 so are loss and slope, whatever the prediction."""
    x, p, loss, slope = map(np.array, zip(*EDGES, strict=True))
    if log_target:
        with np.errstate(divide="ignore"):
            p = np.log(p)
    y = backend.array(p)

    def f(x):
        return kl_div(x, y, reduction="none", log_target=log_target)

    x = backend.array(x)
    np.testing.assert_allclose(backend.numpy(f(x)), loss, rtol=1e-12)
    if backend.name != "numpy":
        np.testing.assert_allclose(
            backend.gradient(f, x), slope, rtol=1e-12, atol=1e-305
        )


def test_where_pytorch_has_no_limit() -> None:
    """A documented difference: for 0 log 0 PyTorch returns nan."""
    x, p = torch.tensor([-torch.inf]), torch.tensor([0.0])
    assert torch.isnan(F.kl_div(x, p, reduction="sum"))
    assert kl_div(x, p, reduction="sum") == 0.0
    nothing = {"reduction": "sum", "log_target": True}
    assert torch.isnan(F.kl_div(x, x, **nothing))
    assert kl_div(x, x, **nothing) == 0.0


def test_a_batch_of_one_number(backend) -> None:
    got = kl_div(
        backend.array(-1.0), backend.array(1.0), reduction="batchmean"
    )
    np.testing.assert_allclose(backend.numpy(got), 1.0)


def test_strides_do_not_matter(backend) -> None:
    x, p = problem(False, (4, 6))
    expected = kl_div(x[:, ::2].copy(), p[:, ::2].copy())
    got = kl_div(backend.array(x)[:, ::2], backend.array(p)[:, ::2])
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


def test_zero_only_at_equality(rng) -> None:
    z = rng.normal(size=(50, 4))
    x, y = log_softmax(z[:25]), log_softmax(z[25:])
    each = kl_div(x, y, reduction="none", log_target=True).sum(axis=-1)
    assert np.all(each > 0)
    np.testing.assert_array_equal(kl_div(x, x, log_target=True), 0.0)


# --- The relatives ----------------------------------------------------------------------------

NAMED = [
    jensen_shannon_divergence,
    jensen_shannon_distance,
    hellinger_distance,
    bhattacharyya_distance,
    total_variation_distance,
    chi_squared_divergence,
    renyi_divergence,
    f_divergence,
]
METRICS = [
    jensen_shannon_distance,
    hellinger_distance,
    total_variation_distance,
]
ORDERS = [0, 0.5, 0.999, 1, 1.001, 2, 30.0, np.inf]
WITH_ORDERS = [f for f in NAMED if f is not renyi_divergence] + [
    partial(renyi_divergence, order=order) for order in ORDERS
]
WITH_BASE = [
    jensen_shannon_divergence,
    jensen_shannon_distance,
    bhattacharyya_distance,
    renyi_divergence,
]


def name_of(f) -> str:
    if isinstance(f, partial):
        return (
            f"{f.func.__name__}({', '.join(map(str, f.keywords.values()))})"
        )
    return f.__name__


def sparse(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return distributions some of whose probabilities are exactly 0."""
    p = rng.random(shape) * (rng.random(shape) < 0.7)
    p[..., 0] += 0.1
    return p / p.sum(-1, keepdims=True)


def test_jensen_shannon_against_scipy(backend, rng) -> None:
    p, q = sparse(rng, 6, 5), sparse(rng, 6, 5)
    P, Q = backend.array(p), backend.array(q)
    for base in (np.e, 2.0, 10):
        expected = scipy.spatial.distance.jensenshannon(p, q, base, axis=-1)
        got = jensen_shannon_distance(P, Q, base=base)
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)
        got = jensen_shannon_divergence(P, Q, base=base)
        np.testing.assert_allclose(
            backend.numpy(got), expected**2, rtol=1e-12
        )


@pytest.mark.parametrize(
    ("generator", "statistic", "times"),
    [
        ("chi_squared", "pearson", 1),
        ("kl", "log-likelihood", 2),
        ("squared_hellinger", "freeman-tukey", 8),
        ("reverse_kl", "mod-log-likelihood", 2),
        ("neyman_chi_squared", "neyman", 1),
        (
            lambda u: 9 / 5 * (u ** (5 / 3) - u) - 6 / 5 * (u - 1),
            "cressie-read",
            1,
        ),
    ],
)
def test_tests_of_fit_against_scipy(
    backend, rng, generator, statistic, times
) -> None:
    """The statistics of Cressie and Read are f-divergences of N observations."""
    counts = rng.integers(1, 30, (4, 6)).astype(float)
    N = counts.sum(-1, keepdims=True)
    q = rng.dirichlet(np.full(6, 5.0), 4)
    expected = scipy.stats.power_divergence(
        counts, N * q, lambda_=statistic, axis=-1
    ).statistic
    p, q = backend.array(counts / N), backend.array(q)
    got = backend.numpy(f_divergence(p, q, generator=generator))
    np.testing.assert_allclose(times * N[:, 0] * got, expected, rtol=1e-11)
    if generator == "chi_squared":
        got = backend.numpy(chi_squared_divergence(p, q))
        np.testing.assert_allclose(N[:, 0] * got, expected, rtol=1e-11)


def test_norms_against_scipy(backend, rng) -> None:
    p, q = sparse(rng, 6, 5), sparse(rng, 6, 5)
    P, Q = backend.array(p), backend.array(q)
    for f, metric, scale, g in (
        (total_variation_distance, "cityblock", 2, lambda x: x),
        (hellinger_distance, "euclidean", np.sqrt(2), np.sqrt),
    ):
        pairs = scipy.spatial.distance.cdist(g(p), g(q), metric)
        np.testing.assert_allclose(
            backend.numpy(f(P, Q)), np.diag(pairs) / scale, rtol=1e-12
        )


def test_closed_forms_of_gaussians(backend) -> None:
    """Summed over a fine grid, which for Gaussians is exact: N(0, 1) and N(m, 1)."""
    x, m = np.linspace(-16, 17, 2001), 1.3
    p, q = (scipy.stats.norm.pdf(x, mean) for mean in (0, m))
    p, q = backend.array(p / p.sum()), backend.array(q / q.sum())
    closed = [
        (hellinger_distance, {}, np.sqrt(-np.expm1(-m * m / 8))),
        (bhattacharyya_distance, {}, m * m / 8),
        (chi_squared_divergence, {}, np.expm1(m * m)),
        (total_variation_distance, {}, 2 * scipy.stats.norm.cdf(m / 2) - 1),
    ]
    closed += [
        (renyi_divergence, {"order": a}, a * m * m / 2)
        for a in (0.1, 0.5, 0.999999, 1, 1.000001, 2, 5)
    ]
    for f, options, expected in closed:
        got = float(f(p, q, **options))
        rtol = 1e-4 if f is total_variation_distance else 1e-9
        np.testing.assert_allclose(got, expected, rtol=rtol)


def test_renyi_of_coins(backend) -> None:
    """Every order, also its limits, against the definition at 50 digits."""
    p, q = np.array([0.3, 0.7]), np.array([0.85, 0.15])
    P, Q = backend.array(p), backend.array(q)
    for order in [0.01, 0.5, 0.999, 1.001, 2, 3, 700.0]:
        with mpmath.workdps(50):
            a = mpmath.mpf(order)
            mass = mpmath.fsum(
                mpmath.mpf(x) ** a * mpmath.mpf(y) ** (1 - a)
                for x, y in zip(p.tolist(), q.tolist(), strict=True)
            )
            expected = float(mpmath.log(mass) / (a - 1))
        got = float(renyi_divergence(P, Q, order=order))
        np.testing.assert_allclose(got, expected, rtol=2e-13)
    assert float(renyi_divergence(P, Q, order=0)) == 0.0
    np.testing.assert_allclose(
        float(renyi_divergence(P, Q, order=1)), float(kl_divergence(P, Q))
    )
    np.testing.assert_allclose(
        float(renyi_divergence(P, Q, order=np.inf)), np.log(0.7 / 0.15)
    )
    half = backend.array([0.5, 0.5, 0.0, 0.0])
    third = backend.array([0.25, 0.25, 0.25, 0.25])
    for order in ORDERS:  # uniform on half of what the other may be
        got = float(renyi_divergence(half, third, order=order))
        np.testing.assert_allclose(got, np.log(2), rtol=1e-14)
    for order in ORDERS[:3]:  # and the other way round
        got = float(renyi_divergence(third, half, order=order))
        expected = order / (1 - order) * np.log(2)
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    for order in ORDERS[3:]:
        assert float(renyi_divergence(third, half, order=order)) == np.inf


@pytest.mark.parametrize("f", WITH_ORDERS, ids=name_of)
def test_close_by_no_digit_is_lost(backend, f) -> None:
    """At a step of a millionth all are a parabola, to the digits that the numbers have."""
    p = np.array([0.25, 0.25, 0.5])
    step = 2.0**-22 * np.array([1.0, 1.0, -2.0])
    q = p + step
    got = float(f(backend.array(p), backend.array(q)))
    chi = (step**2 / p).sum()
    name, order = name_of(f), getattr(f, "keywords", {}).get("order")
    expected = {
        "jensen_shannon_divergence": chi / 8,
        "jensen_shannon_distance": np.sqrt(chi / 8),
        "hellinger_distance": np.sqrt(chi / 8),
        "bhattacharyya_distance": chi / 8,
        "total_variation_distance": np.abs(step).sum() / 2,
        "chi_squared_divergence": chi,
        "f_divergence": chi / 2,
    }.get(name, order and order * chi / 2)
    if order == np.inf:
        expected = np.log((p / q).max())
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    same = f(backend.array(p), backend.array(p))
    assert str(backend.numpy(same)) == "0.0"


@pytest.mark.parametrize("f", WITH_ORDERS, ids=name_of)
def test_never_negative(f, rng) -> None:
    for dtype in ("float64", "float32"):
        p = rng.dirichlet(np.ones(10), 2000)
        q = p * (1 + 1e-7 * rng.uniform(-1, 1, p.shape))
        p, q = p.astype(dtype), (q / q.sum(-1, keepdims=True)).astype(dtype)
        assert np.all(f(p, q) >= 0)


def test_two_that_have_nothing_in_common(backend) -> None:
    p, q = backend.array([0.5, 0.5, 0.0]), backend.array([0.0, 0.0, 1.0])
    for f, most in (
        (jensen_shannon_divergence, np.log(2)),
        (partial(jensen_shannon_distance, base=2), 1),
        (hellinger_distance, 1),
        (bhattacharyya_distance, np.inf),
        (total_variation_distance, 1),
        (chi_squared_divergence, np.inf),
        *((partial(renyi_divergence, order=a), np.inf) for a in ORDERS),
        (partial(f_divergence, generator="neyman_chi_squared"), np.inf),
        (partial(f_divergence, generator="reverse_kl"), np.inf),
        (partial(f_divergence, generator="squared_hellinger"), 1),
    ):
        for got in (f(p, q), f(q, p)):
            np.testing.assert_allclose(backend.numpy(got), most, rtol=1e-15)
        if backend is TORCH:
            leaves = [x.clone().requires_grad_() for x in (p, q)]
            for slope in torch.autograd.grad(f(*leaves), leaves):
                assert not slope.isnan().any()


def test_an_order_beyond_all_digits(backend) -> None:
    for dtype in ("float64", "float32"):
        p, q = (backend.array(x, dtype) for x in ([0.5, 0.5], [0.75, 0.25]))
        got = renyi_divergence(p, q, order=1e39)
        np.testing.assert_allclose(got, np.log(2), rtol=1e-6)


def test_bases(backend, rng) -> None:
    p, q = (backend.array(x) for x in rng.dirichlet(np.ones(4), (2, 3)))
    for f in WITH_BASE:
        unit = np.log(2)
        if f is jensen_shannon_distance:
            unit = np.sqrt(unit)
        np.testing.assert_allclose(
            backend.numpy(f(p, q, base=2)),
            backend.numpy(f(p, q)) / unit,
            rtol=1e-13,
        )


@pytest.mark.parametrize("f", NAMED, ids=name_of)
def test_axes_and_empty_batches(backend, f, rng) -> None:
    p, q = (
        rng.dirichlet(np.ones(3), (2, 4)),
        rng.dirichlet(np.ones(3), (2, 4)),
    )
    expected = f(p, q)
    assert expected.shape == (2, 4)
    got = f(*(backend.array(np.moveaxis(x, -1, 0)) for x in (p, q)), axis=0)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-13)
    nothing = backend.array(np.empty((0, 3)))
    assert f(nothing, nothing).shape == (0,)
    assert f(nothing, nothing, 1).shape == (0,)


# --- What holds of them -----------------------------------------------------------------------


@pytest.mark.parametrize("f", WITH_ORDERS, ids=name_of)
def test_metric_or_not(f) -> None:
    """The distances keep the triangle inequality; for all others some detour is shorter."""
    if getattr(f, "keywords", {}).get("order") == 0:
        return  # it is 0 wherever no probability is
    rng = np.random.default_rng(0)
    p, q, r = rng.dirichlet(np.full(3, 0.7), (3, 20_000))
    q[::2] = (p[::2] + r[::2]) / 2
    slack = f(p, q) + f(q, r) - f(p, r)
    symmetric = np.allclose(f(p, q), f(q, p), rtol=1e-9)
    metric = symmetric and bool(np.all(slack > -1e-12))
    assert metric == (f in METRICS)
    if f in METRICS:
        assert slack.min() < 1e-3
    assert symmetric == (
        f in METRICS
        or name_of(f)
        in (
            "jensen_shannon_divergence",
            "bhattacharyya_distance",
            "renyi_divergence(0.5)",
        )
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_their_order(seed, n) -> None:
    p, q = np.random.default_rng(seed).dirichlet(np.ones(n), 2)
    tv, h = total_variation_distance(p, q), hellinger_distance(p, q)
    js = jensen_shannon_divergence(p, q)
    chain = [
        tv**2,
        h**2 * (2 - h**2),
        2 * h**2,
        2 * bhattacharyya_distance(p, q),
        kl_divergence(p, q),
        renyi_divergence(p, q),
        chi_squared_divergence(p, q),
    ]
    assert np.all(np.diff(chain) >= -1e-12)
    assert h**2 <= tv + 1e-12
    assert js <= np.log(2) * tv + 1e-12
    assert tv**2 / 2 <= js + 1e-12
    np.testing.assert_allclose(
        [
            renyi_divergence(p, q, order=0.5),
            renyi_divergence(p, q),
            -np.log1p(-(h**2)),
        ],
        [
            2 * bhattacharyya_distance(p, q),
            np.log1p(chi_squared_divergence(p, q)),
            bhattacharyya_distance(p, q),
        ],
        rtol=1e-9,
        atol=1e-14,
    )
    orders = [renyi_divergence(p, q, order=a) for a in ORDERS]
    assert np.all(np.diff(orders) >= -1e-12)


@pytest.mark.parametrize(
    "generator", [*GENERATORS, lambda u: abs(u - 1) ** 1.5]
)
def test_no_processing_makes_it_larger(generator) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        p, q = rng.dirichlet(np.ones(5), 2)
        channel = rng.dirichlet(np.ones(3), 5)
        before = f_divergence(p, q, generator=generator)
        after = f_divergence(p @ channel, q @ channel, generator=generator)
        assert after <= before + 1e-12


def test_generators_are_those_of_the_table(backend, rng) -> None:
    """The names, the same functions written out, and the functions that bear the names."""
    p, q = rng.dirichlet(np.ones(4), (2, 5))
    P, Q = backend.array(p), backend.array(q)
    xp = library(P)
    written = {
        "kl": lambda u: u * xp.log(u) - u + 1,
        "reverse_kl": lambda u: u - 1 - xp.log(u),
        "jensen_shannon": lambda u: (
            0.5 * u * xp.log(u) - 0.5 * (u + 1) * xp.log((u + 1) / 2)
        ),
        "squared_hellinger": lambda u: 0.5 * (xp.sqrt(u) - 1) ** 2,
        "total_variation": lambda u: 0.5 * xp.abs(u - 1),
        "chi_squared": lambda u: (u - 1) ** 2,
        "neyman_chi_squared": lambda u: (u - 1) ** 2 / u,
    }
    own = {
        "kl": kl_divergence,
        "reverse_kl": lambda p, q: kl_divergence(q, p),
        "jensen_shannon": jensen_shannon_divergence,
        "squared_hellinger": lambda p, q: hellinger_distance(p, q) ** 2,
        "total_variation": total_variation_distance,
        "chi_squared": chi_squared_divergence,
        "neyman_chi_squared": lambda p, q: chi_squared_divergence(q, p),
    }
    assert list(written) == list(GENERATORS) == list(own)
    for name, f in written.items():
        got = backend.numpy(f_divergence(P, Q, generator=name))
        for other in (f_divergence(P, Q, generator=f), own[name](P, Q)):
            np.testing.assert_allclose(
                backend.numpy(other), got, rtol=1e-10
            )
        assert f'"{name}"' in f_divergence.__doc__


# --- Slopes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("f", WITH_ORDERS, ids=name_of)
def test_gradients_by_finite_differences(f) -> None:
    """Taken along logits: a step off the simplex is refused."""
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.randn(
            3, 4, dtype=torch.float64, generator=generator
        ).requires_grad_()
        for _ in range(2)
    )
    if getattr(f, "keywords", {}).get("order") == 0:
        return  # it is 0 wherever no probability is

    def along(a, b):
        return f(torch.softmax(a, -1), torch.softmax(b, -1))

    assert torch.autograd.gradcheck(along, (a, b))
    assert torch.autograd.gradgradcheck(along, (a, b))


@pytest.mark.parametrize("name", GENERATORS)
def test_gradients_of_every_generator(name) -> None:
    a, b = torch.tensor(
        [[0.3, -1.0, 2.0], [1.0, 0.1, -0.7]], dtype=torch.float64
    )

    def along(a, b):
        return f_divergence(a.softmax(-1), b.softmax(-1), generator=name)

    assert torch.autograd.gradcheck(
        along, (a.requires_grad_(), b.requires_grad_())
    )


@pytest.mark.parametrize("f", WITH_ORDERS, ids=name_of)
def test_slopes_at_equality(differentiable, f) -> None:
    """At its least no divergence pulls; a distance has a kink there, and its slope is 0."""
    p = differentiable.array([0.25, 0.25, 0.5])
    if getattr(f, "keywords", {}).get("order") == np.inf:
        return  # it is a maximum, and has a kink
    for g in (lambda x: f(p, x), lambda x: f(x, p)):
        slope = differentiable.gradient(g, p)
        slope = slope - slope.mean()  # which no change of p feels
        np.testing.assert_allclose(slope, 0.0, atol=1e-12)


@pytest.mark.parametrize("f", WITH_ORDERS, ids=name_of)
def test_slopes_where_a_probability_is_zero(differentiable, f) -> None:
    """Finite wherever the value is; so what comes from a softmax that underflows can be trained."""
    p = differentiable.array([0.25, 0.75, 0.0, 0.0])
    q = differentiable.array([0.5, 0.25, 0.25, 0.0])
    for g in (lambda x: f(p, x), lambda x: f(x, q)):
        for x in (p, q):
            value = float(g(x))
            if np.isfinite(value):
                slope = differentiable.gradient(g, x)
                assert np.all(np.isfinite(slope)), value


def test_slopes_of_the_docstrings(differentiable) -> None:
    p, q = np.array([0.3, 0.7]), np.array([0.85, 0.15])
    P, Q = differentiable.array(p), differentiable.array(q)
    h, js = (
        float(hellinger_distance(P, Q)),
        float(jensen_shannon_distance(P, Q)),
    )
    m, u = (p + q) / 2, p / q
    r = p**3 * q**-2 / (p**3 * q**-2).sum()
    for f, slope in (
        (jensen_shannon_divergence, np.log(q / m) / 2),
        (jensen_shannon_distance, np.log(q / m) / (4 * js)),
        (hellinger_distance, (1 - np.sqrt(u)) / (4 * h)),
        (bhattacharyya_distance, -np.sqrt(u) / 2 / np.sqrt(p * q).sum()),
        (total_variation_distance, -np.sign(p - q) / 2),
        (chi_squared_divergence, 1 - u**2),
        (partial(renyi_divergence, order=3), -r / q),
        (f_divergence, 1 - u),
    ):
        got = differentiable.gradient(partial(f, P), Q)
        np.testing.assert_allclose(
            got - got.mean(), slope - slope.mean(), rtol=1e-10
        )
    got = differentiable.gradient(
        lambda x: renyi_divergence(x, Q, order=3), P
    )
    np.testing.assert_allclose(
        got - got.mean(), 1.5 * (r / p - (r / p).mean()), rtol=1e-10
    )


# --- What is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("f", NAMED, ids=name_of)
def test_mistakes_of_the_relatives_are_named(backend, f) -> None:
    good = backend.array([0.5, 0.5])
    for args, error, words in (
        (([0.5, 0.5], good), TypeError, "p must be an array .*list"),
        ((good, 0.5), TypeError, "q must be an array .*float"),
        ((good, backend.array([[0.5, 0.5]])), ValueError, "q must have"),
        ((backend.array([0.5, 0.4]), good), ValueError, "p must sum to 1"),
        (
            (good, backend.array([-0.5, 1.5])),
            ValueError,
            "q must hold prob",
        ),
        ((good, good, 1), ValueError, "axis must be an axis of p"),
    ):
        with pytest.raises(error, match=words):
            f(*args)
    if f in WITH_BASE:
        for base in (1, -2.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match=r"base must be above 1"):
                f(good, good, base=base)
        with pytest.raises(TypeError, match=r"base must be a real number"):
            f(good, good, base="2")


def test_orders_that_are_none(backend) -> None:
    good = backend.array([0.5, 0.5])
    for order in (-0.5, float("nan")):
        with pytest.raises(ValueError, match=r"order must be .*at least 0"):
            renyi_divergence(good, good, order=order)
    with pytest.raises(TypeError, match=r"order must be a real number"):
        renyi_divergence(good, good, order=None)


def test_generators_that_are_none(backend) -> None:
    p, q = backend.array([0.5, 0.5]), backend.array([1.0, 0.0])
    for generator, error, words in (
        ("KL", ValueError, "generator must be one of 'kl', .*got 'KL'"),
        (None, TypeError, "generator must be a name or a function, .*None"),
        (lambda u: u * u, ValueError, "generator must be 0 at 1, got 1"),
        (
            lambda u: (u - 1).sum(),
            TypeError,
            r"generator .*\(2,\), got \(\)",
        ),
        (lambda u: 0.0, TypeError, r"generator .*\(2,\), got float"),
    ):
        with pytest.raises(error, match=words):
            f_divergence(p, p, generator=generator)
    one, half = backend.array([1.0, 0.0]), backend.array([0.5, 0.5])

    def root(u):
        return (u - 1) * u * u / (u * u)  # nan at 0

    with (
        np.errstate(invalid="ignore"),
        pytest.raises(
            ValueError, match=r"at 0 its limit, got nan for u = .*0"
        ),
    ):
        f_divergence(one, half, generator=root)
    own = {"generator": lambda u: (u - 1) ** 2}
    with pytest.raises(
        ValueError, match=r"q must not be 0 where p is not.*got 0.5 at .*1"
    ):
        f_divergence(p, q, **own)
    got = f_divergence(q, p, **own)
    np.testing.assert_allclose(backend.numpy(got), 1.0)


def test_values_hidden_from_a_compiler(compiled) -> None:
    """Where nobody sees them, wrong ones give nan, and the other samples are right."""
    p = np.array([[0.5, 0.5], [0.5, 0.5]])
    q = np.array([[1.0, 0.0], [0.25, 0.75]])

    def f(p, q):
        return f_divergence(p, q, generator=lambda u: (u - 1) ** 2)

    for got in (
        jax.jit(f)(JAX.array(p), JAX.array(q)),
        torch.func.vmap(f)(TORCH.array(p), TORCH.array(q)),
        compiled(f, "aot_eager")(TORCH.array(p), TORCH.array(q)),
    ):
        np.testing.assert_allclose(got, [np.nan, 1 / 3])
    shifted = jax.jit(partial(f_divergence, generator=lambda u: u**2))
    assert np.isnan(shifted(JAX.array(p), JAX.array(p))).all()
    for g in NAMED:
        got = jax.jit(g)(JAX.array(2 * p), JAX.array(p))
        assert np.all(np.isnan(got)), g


def test_halves() -> None:
    """A softmax in half precision sums to 1 only nearly."""
    p, q = (
        torch.tensor(x, dtype=torch.float16)
        for x in ([0.3333, 0.3333, 0.3333], [0.2, 0.3, 0.5])
    )
    for f in WITH_ORDERS:
        got = f(p, q)
        assert got.dtype == torch.float16
        exact = f(
            p.double() / p.double().sum(), q.double() / q.double().sum()
        )
        np.testing.assert_allclose(float(got), float(exact), atol=3e-3)
