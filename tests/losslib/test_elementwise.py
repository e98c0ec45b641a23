"""What every loss outside the classes owes: in training, while a tracer hides values, and at 0."""

from __future__ import annotations

from functools import partial

import jax
import mpmath
import numpy as np
import pytest
import torch

import losslib
from book.registry import TABLE
from harness import BACKENDS, JAX, TORCH, as_dtype

RNG = np.random.default_rng(3)
X, Y = 2 * RNG.normal(size=(2, 4, 3))
# distributions that bfloat16 holds without rounding
P = np.array([[8, 4, 4], [2, 10, 4], [1, 3, 12], [7, 1, 8]]) / 16
Q = np.array([[4, 4, 8], [6, 6, 4], [2, 13, 1], [5, 5, 6]]) / 16
WEIGHT = RNG.random((4, 3)) + 0.5
HALF = np.array(RNG.random((4, 3)) < 0.5, dtype=float)
SIGN = 2 * HALF - 1
KEPT = RNG.random((4, 3)) < 0.7


@pytest.mark.parametrize("lower", ["float16", "bfloat16"])
def test_a_long_mean_inside_autocast(lower) -> None:
    """8192 losses of 10: their sum is beyond float16, and no sum of bfloat16."""
    z = torch.full((8192,), -10.0, dtype=getattr(torch, lower))
    ones = torch.ones_like(z)
    with torch.autocast("cpu", getattr(torch, lower)):
        for got in (
            losslib.soft_margin_loss(z, ones),
            losslib.binary_cross_entropy_with_logits(z, ones),
            losslib.reduce(-z),
            losslib.reduce(-z, weight=ones),
        ):
            assert got == 10.0


# --- What a tracer hides ----------------------------------------------------------------------

ONE = np.array([0.5, 0.25, 0.25])
TOO_MUCH = np.array([1.5, 0.25, 0.25])
LESS = np.array([-0.5, 0.75, 0.75])
COUNTS = np.array([1.0, 2.0, 3.0])
LOG = np.log(np.full((4, 3), 1 / 3))
HIDDEN = [
    ("binary_cross_entropy", (TOO_MUCH, ONE), {}),
    ("binary_cross_entropy", (ONE, TOO_MUCH), {}),
    ("binary_cross_entropy_with_logits", (ONE, LESS), {}),
    ("gaussian_nll_loss", (ONE, ONE, LESS), {}),
    ("beta_nll", (ONE, ONE, LESS), {}),
    ("crps_gaussian", (ONE, ONE, LESS), {}),
    ("quantile_loss", (ONE, np.array(0.3), TOO_MUCH), {}),
    ("poisson_nll_loss", (ONE, -COUNTS), {}),
    ("poisson_nll_loss", (ONE, -COUNTS), {"full": True}),
    ("poisson_nll_loss", (LESS, COUNTS), {"log_input": False}),
    ("brier_score", (TOO_MUCH, np.array(0)), {}),
    ("brier_score", (ONE / 2, np.array(0)), {}),
    ("brier_score", (ONE, np.array(3)), {}),
    ("brier_score", (ONE, np.array(-1)), {}),
    ("brier_score", (ONE, np.array(-100)), {}),
    ("brier_score", (ONE, np.array(255)), {}),
    ("self_information", (TOO_MUCH,), {}),
    ("entropy", (TOO_MUCH,), {}),
    ("entropy", (ONE / 2,), {}),
    ("cross_entropy_between", (ONE, ONE / 2), {}),
    ("kl_divergence", (ONE, LESS), {}),
    ("kl_divergence", (ONE, ONE / 2), {}),
    ("mutual_information", (np.array([LESS, ONE]) / 2,), {}),
]
STRINGS = [
    # targets, input_lengths, target_lengths: each wrong in one place
    ([[3, 1]], [4], [2]),
    ([[-1, 1]], [4], [2]),
    ([[0, 1]], [4], [2]),
    ([[2, 1]], [5], [2]),
    ([[2, 1]], [-1], [2]),
    ([[2, 1]], [4], [3]),
    ([[2, 1]], [4], [-2]),
    ([2, 1], [4], [3]),
]
HIDDEN += [
    ("ctc_loss", (LOG[:, None], *map(np.array, lengths)), {})
    for lengths in STRINGS
]


@pytest.mark.parametrize(("name", "args", "options"), HIDDEN)
def test_a_bad_value_is_refused_or_compiled_to_nan(
    name, args, options
) -> None:
    """Eager it is named; where a compiler hides it, the value and the gradient are nan."""
    loss = partial(getattr(losslib, name), **options)
    for backend in BACKENDS:
        with pytest.raises(ValueError, match=r"must|sum"):
            loss(*map(backend.array, args))

    def total(*xs):
        return loss(*xs).sum()

    xs = [JAX.array(x) for x in args]
    value, slope = jax.jit(jax.value_and_grad(total))(*xs)
    assert np.isnan(value)
    assert np.isnan(slope).any()
    torch.compiler.reset()
    compiled = torch.compile(total, fullgraph=True, backend="aot_eager")
    mine = [TORCH.array(x) for x in args]
    leaf = mine[0].requires_grad_()
    got = compiled(*mine)
    got.backward()
    assert torch.isnan(got)
    assert torch.isnan(leaf.grad).any()
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("name", "args", "options"), [c for c in HIDDEN if c[0] != "ctc_loss"]
)
def test_a_bad_value_of_one_mapped_row_is_nan(name, args, options) -> None:
    loss = partial(getattr(losslib, name), **options)
    xs = [TORCH.array(x)[None] for x in args]
    assert torch.isnan(torch.func.vmap(loss)(*xs)).any()


# --- Silence ----------------------------------------------------------------------------------

SILENCED = [
    ("mse_loss", {}, [np.nan, np.inf, 1e300]),
    ("l1_loss", {}, [np.nan, np.inf, -np.inf]),
    ("huber_loss", {}, [np.nan, np.inf, -np.inf]),
    ("log_cosh_loss", {}, [np.nan, np.inf, -np.inf]),
    ("quantile_loss", {}, [np.nan, np.inf, -np.inf]),
    ("binary_cross_entropy", {}, [np.nan, 7.0, -1.0]),
    ("binary_cross_entropy_with_logits", {}, [np.nan, np.inf, -np.inf]),
    ("binary_cross_entropy", {"mask": 1}, [np.nan, 7.0, -1.0]),
    (
        "binary_cross_entropy_with_logits",
        {"mask": 1},
        [np.nan, np.inf, -np.inf],
    ),
    ("kl_div", {"mask": 1}, [np.nan, np.inf, -np.inf]),
    ("kl_div", {"mask": 1, "log_target": True}, [np.nan, np.inf, -np.inf]),
]
BY_WEIGHT = ("mse_loss", "l1_loss", "log_cosh_loss", "quantile_loss")


@pytest.mark.parametrize(("name", "options", "junk"), SILENCED)
def test_a_weight_of_zero_and_a_mask_silence(
    backend, name, options, junk
) -> None:
    """Whatever stands in the input or in the target, value and gradient are those without it."""
    loss, good = getattr(losslib, name), np.array([0.5, 0.25])
    off = np.array([True, False, True])
    if "mask" in options:
        silence, rest = {"mask": off}, {}
    else:
        silence = {"weight": np.where(off, 2.0, 0.0)}
        rest = {"weight": np.full(2, 2.0)}
    extra = {k: x for k, x in options.items() if k != "mask"}
    silence, rest = (
        {k: backend.array(x) for k, x in group.items()}
        for group in (silence, rest)
    )
    expected = loss(
        *map(backend.array, (good, good[::-1])), **rest, **extra
    )
    plain = rest and name not in BY_WEIGHT
    divides = 1.5 if plain else 1.0
    for bad in junk:
        for x, y in [(bad, 1.0), (0.3, bad), (bad, bad)]:
            x = backend.array([good[0], x, good[1]])
            y = backend.array([good[1], y, good[0]])
            f = partial(loss, target=y, **silence, **extra)
            np.testing.assert_allclose(
                divides * backend.numpy(f(x)),
                backend.numpy(expected),
                rtol=1e-14,
            )
            if backend.name != "numpy":
                slope = backend.gradient(f, x)
                assert slope[1] == 0.0
                assert np.isfinite(slope).all()
                assert np.all(slope[[0, 2]] != 0)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss"])
def test_nothing_has_a_weight(differentiable, name) -> None:
    x, none = (differentiable.array(a) for a in ([1.0, np.inf], [0.0, 0.0]))
    f = partial(getattr(losslib, name), target=none, weight=none)
    assert np.isnan(differentiable.numpy(f(x)))
    np.testing.assert_array_equal(differentiable.gradient(f, x), 0.0)


def test_masks_and_their_means(backend) -> None:
    z, y = (
        np.array([[0.5, -1.0], [2.0, 0.3]]),
        np.array([[1.0, 0.0], [0.0, 1.0]]),
    )
    x, t = backend.array(z), backend.array(y)
    mask = np.array([[True, False], [True, True]])
    each = losslib.binary_cross_entropy_with_logits(z, y, reduction="none")
    for loss, of in [
        (losslib.binary_cross_entropy_with_logits, x),
        (losslib.binary_cross_entropy, backend.array(losslib.sigmoid(z))),
    ]:
        close = partial(np.testing.assert_allclose, rtol=1e-14)
        got = loss(of, t, mask=backend.array(mask))
        close(backend.numpy(got), each[mask].mean())
        got = loss(of, t, mask=backend.array(mask), reduction="none")
        close(backend.numpy(got), np.where(mask, each, 0.0))
        two = backend.array([2.0, 2.0])
        got = loss(of, t, two, mask=backend.array(mask[:1]))
        close(backend.numpy(got), 2 * each[:, 0].mean())
        got = loss(of, t, mask=backend.array(np.zeros_like(mask)))
        assert np.isnan(backend.numpy(got))


def test_masks_of_kl_div(backend) -> None:
    """The batch of "batchmean" is the samples of which something counts."""
    x, p = np.log(Q), P
    mask = np.array(
        [[True] * 3, [False] * 3, [True, False, True], [False] * 3]
    )
    each = losslib.kl_div(x, p, reduction="none")
    mine = [backend.array(a) for a in (x, p)]
    for reduction, expected in [
        ("none", np.where(mask, each, 0.0)),
        ("sum", each[mask].sum()),
        ("mean", each[mask].mean()),
        ("batchmean", each[mask].sum() / 2),
    ]:
        got = losslib.kl_div(
            *mine, mask=backend.array(mask), reduction=reduction
        )
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)
    rows = backend.array(mask[:, :1])
    got = losslib.kl_div(*mine, mask=rows, reduction="batchmean")
    expected = each[mask[:, 0]].sum() / 2
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("binary_cross_entropy", (P, HALF)),
        ("binary_cross_entropy_with_logits", (X, HALF)),
        ("kl_div", (X, P)),
    ],
)
def test_wrong_masks_are_named(backend, name, args) -> None:
    loss = partial(getattr(losslib, name), *map(backend.array, args))
    with pytest.raises(
        TypeError, match=r"mask must have dtype bool, got .*64"
    ):
        loss(mask=backend.array(HALF))
    with pytest.raises(TypeError, match=r"mask must be an array .*list"):
        loss(mask=[True])
    with pytest.raises(ValueError, match=r"mask must broadcast .*\(2,\)"):
        loss(mask=backend.array([True, False]))


# --- Kinks ------------------------------------------------------------------------------------


def test_the_slope_of_an_absolute_value_at_zero_is_zero(
    differentiable,
) -> None:
    zero = differentiable.array([0.0, -0.0, 2.0])
    rest = differentiable.array([0.0, 0.0, 0.0])
    for f in (
        lambda x: 3 * losslib.l1_loss(x, rest),
        lambda x: 3 * losslib.smooth_l1_loss(x, rest, beta=0.0),
        losslib.l1_penalty,
        lambda x: losslib.triplet_margin_loss(
            rest, x, rest + 9, p=1, eps=0.0, margin=99.0
        ),
    ):
        np.testing.assert_array_equal(
            differentiable.gradient(f, zero), [0.0, 0.0, 1.0]
        )


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, np.inf])
def test_a_norm_has_no_slope_where_a_size_is_zero(
    differentiable, p
) -> None:
    x, zero = (differentiable.array(a) for a in ([0.0, 3.0], [0.0, 0.0]))
    f = partial(
        losslib.triplet_margin_loss,
        positive=zero,
        negative=zero,
        p=p,
        eps=0.0,
    )
    by_near = differentiable.gradient(
        lambda a: f(
            a,
            negative=differentiable.array([9.0, 9.0]) + 0 * a,
            margin=50.0,
        ),
        x,
    )
    assert np.isfinite(by_near).all()


# --- Cancellation -----------------------------------------------------------------------------


def exact_kl(p, q):
    with mpmath.workdps(60):
        p, q = ([mpmath.mpf(float(a)) for a in x] for x in (p, q))
        return mpmath.fsum(
            a * mpmath.log(a / b) - a + b for a, b in zip(p, q, strict=True)
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_divergence_is_never_negative(backend, dtype, rng) -> None:
    p = rng.dirichlet(np.ones(5), 4000)
    for distance in (1e-7, 1e-5, 1e-4, 1e-2):
        q = p * (1 + distance * rng.uniform(-1, 1, p.shape))
        near = [
            backend.array(x / x.sum(-1, keepdims=True), dtype)
            for x in (p, q)
        ]
        got = backend.numpy(losslib.kl_divergence(*near))
        assert (got >= 0).all()
        if distance == 1e-4:
            own = [backend.numpy(x)[:50] for x in near]
            expected = [
                float(exact_kl(*pair)) for pair in zip(*own, strict=True)
            ]
            error = np.abs(got[:50] / expected - 1)
            assert np.median(error) < (
                1e-3 if dtype == "float32" else 1e-11
            )
    rows, columns = (
        rng.dirichlet(np.ones(3), 300),
        rng.dirichlet(np.ones(4), 300),
    )
    joint = backend.array(rows[:, :, None] * columns[:, None], dtype)
    assert (backend.numpy(losslib.mutual_information(joint)) >= 0).all()
    two = [
        backend.array(x, dtype)
        for x in ([0.2, 0.3, 0.5], [0.20002, 0.29998, 0.5])
    ]
    np.testing.assert_allclose(
        backend.numpy(losslib.kl_divergence(*two)), 1.666e-9, rtol=2e-3
    )


def test_far_pairs_of_distributions(backend) -> None:
    p = np.array(
        [
            [0.5, 0.5],
            [1e-320, 1.0],
            [1.0, 0.0],
            [1e-300, 1.0],
            [1.0, 1e-200],
        ]
    )
    q = np.array(
        [[1e-30, 1.0], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5], [1e-300, 1.0]]
    )
    expected = [
        -np.log(2) - 0.5 * np.log(1e-30),
        np.log(2),
        np.log(4),
        np.log(2),
        300 * np.log(10),
    ]
    got = losslib.kl_divergence(backend.array(p), backend.array(q))
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


def test_second_derivative_of_kl_at_equality() -> None:
    """The Fisher information: 1 / p."""
    kl, p = losslib.kl_divergence, torch.tensor([0.2, 0.3, 0.5]).double()
    p = p / p.sum()
    got = torch.autograd.functional.hessian(partial(kl, p), p)
    torch.testing.assert_close(got, torch.diag(1 / p))
    got = torch.autograd.functional.hessian(lambda q: kl(q, p), p)
    torch.testing.assert_close(got, torch.diag(1 / p))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_of_parallel_vectors(backend, dtype, rng) -> None:
    u = rng.normal(size=(500, 7))
    v = u * rng.uniform(0.1, 9.0, size=(500, 1))
    got = losslib.cosine_embedding_loss(
        backend.array(u, dtype),
        backend.array(v, dtype),
        backend.array(np.ones(500)),
        reduction="none",
    )
    got = backend.numpy(got)
    assert (got >= 0).all()
    assert got.max() < (1e-12 if dtype == "float32" else 1e-29)
    a = backend.array([1.0, 1e-5], dtype), backend.array([1.0, 0.0], dtype)
    got = losslib.cosine_embedding_loss(*a, backend.array(1))
    np.testing.assert_allclose(backend.numpy(got), 0.5e-10, rtol=1e-6)


# --- Large and small --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "x", "expected"),
    [
        (1e-50, 1.0, 1.0),
        (1e-50, 0.0, 0.0),
        (1e25, 1e20, 5e14),
        (1e-30, 1e-20, 1e-20),
        (1e-38, 1e10, 1e10),
        (1e30, 1e25, 5e19),
    ],
)
def test_smooth_l1_of_float32(backend, beta, x, expected) -> None:
    x, zero = (backend.array([a], "float32") for a in (x, 0.0))
    f = partial(losslib.smooth_l1_loss, target=zero, beta=beta)
    np.testing.assert_allclose(backend.numpy(f(x)), expected, rtol=1e-6)
    if backend.name != "numpy":
        slope = min(backend.numpy(x)[0] / beta, 1.0)
        np.testing.assert_allclose(
            backend.gradient(f, x), [slope], rtol=1e-6
        )


def test_options_beyond_float32(backend) -> None:
    x, zero = (backend.array([a], "float32") for a in (3.0, 0.0))
    for delta in (1e300, np.inf, 3.5e38):
        assert (
            backend.numpy(losslib.huber_loss(x, zero, delta=delta)) == 4.5
        )
    with pytest.raises(
        ValueError, match=r"beta must be at most .*float32, 3.4.*got 1e"
    ):
        losslib.smooth_l1_loss(x, zero, beta=1e300)


def test_a_large_residual_and_a_large_variance(backend) -> None:
    x, zero, v = (backend.array([a], "float32") for a in (1e25, 0.0, 1e30))
    got = losslib.gaussian_nll_loss(x, zero, v)
    np.testing.assert_allclose(backend.numpy(got), 5e19, rtol=1e-6)


@pytest.mark.parametrize(
    "shape", [(4, 3, 1, 1), (1, 1, 2, 2), (1, 1, 1, 1), (4, 3, 2)]
)
def test_variances_that_broadcast(backend, shape, rng) -> None:
    x, y = rng.normal(size=(2, 4, 3, 2, 2))
    var = rng.random(shape) + 0.5
    whole = np.broadcast_to(
        var if var.ndim == 4 else var[..., None], x.shape
    )
    got = losslib.gaussian_nll_loss(*map(backend.array, (x, y, var)))
    expected = losslib.gaussian_nll_loss(x, y, whole)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


def test_no_count_at_a_rate_of_zero(differentiable) -> None:
    x, y = (differentiable.array(a) for a in ([-np.inf, 1.0], [0.0, 0.0]))
    f = partial(losslib.poisson_nll_loss, target=y, reduction="sum")
    np.testing.assert_allclose(differentiable.numpy(f(x)), np.e)
    np.testing.assert_allclose(differentiable.gradient(f, x), [0.0, np.e])


def test_counts_and_rates_below_zero_are_named(backend) -> None:
    x, y = backend.array([0.5, 1.0]), backend.array([1.0, -2.0])
    with pytest.raises(
        ValueError, match=r"target must not be negative, got -2.0"
    ):
        losslib.poisson_nll_loss(x, y)
    with pytest.raises(
        ValueError, match=r"input must not be negative, got -2.0"
    ):
        losslib.poisson_nll_loss(y, x, log_input=False)


def test_log_sum_exp_of_a_row_masked_whole(differentiable) -> None:
    z = differentiable.array([[-np.inf, -np.inf], [0.0, 0.0]])
    got = differentiable.gradient(losslib.logsumexp, z)
    np.testing.assert_array_equal(got, [[0.0, 0.0], [0.5, 0.5]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bce_behind_a_sigmoid_has_the_slope_of_what_was_computed(
    differentiable, dtype
) -> None:
    z = differentiable.array([-28.0, -60.0, -80.0, -2.0], dtype)
    one = differentiable.array(np.ones(4), dtype)
    got = differentiable.gradient(
        lambda z: losslib.binary_cross_entropy(
            losslib.sigmoid(z), one, reduction="sum"
        ),
        z,
    )
    np.testing.assert_allclose(
        got, -losslib.sigmoid(np.array([28.0, 60.0, 80.0, 2.0])), rtol=1e-5
    )


# --- Options of a wrong type ------------------------------------------------------------------

NUMBERS = [
    ("huber_loss", "delta"),
    ("smooth_l1_loss", "beta"),
    ("gaussian_nll_loss", "eps"),
    ("beta_nll", "eps"),
    ("beta_nll", "beta"),
    ("poisson_nll_loss", "eps"),
    ("margin_ranking_loss", "margin"),
    ("hinge_embedding_loss", "margin"),
    ("cosine_embedding_loss", "margin"),
    ("triplet_margin_loss", "margin"),
    ("triplet_margin_loss", "p"),
    ("triplet_margin_loss", "eps"),
    ("triplet_margin_with_distance_loss", "margin"),
    ("entropy", "base"),
    ("mutual_information", "base"),
    ("l1_penalty", "strength"),
    ("l2_penalty", "strength"),
]
FLAGS = [
    ("gaussian_nll_loss", "full"),
    ("beta_nll", "full"),
    ("poisson_nll_loss", "log_input"),
    ("kl_div", "log_target"),
    ("triplet_margin_loss", "swap"),
    ("ctc_loss", "zero_infinity"),
    ("logsumexp", "keepdims"),
]


@pytest.mark.parametrize(("name", "option"), NUMBERS + FLAGS)
def test_options_of_a_wrong_type(backend, name, option) -> None:
    loss = getattr(losslib, name)
    own = {
        key: as_dtype(backend, x, None)
        for key, x in TABLE[name].arrays.items()
    }
    number = (name, option) in NUMBERS
    words = "a real number" if number else "True or False"
    for bad in (
        "1",
        None,
        backend.array(1.0),
        [1.0],
        *([True] if number else [1]),
    ):
        with pytest.raises(
            TypeError, match=f"^{option} must be {words}, got "
        ):
            loss(**(own | {option: bad}))


def test_other_messages(backend) -> None:
    p = backend.array([0.2, 0.7])
    with pytest.raises(
        ValueError,
        match=r"input must hold a probability for each class.*stack 1",
    ):
        losslib.brier_score(p, backend.array([0, 1]))
    with pytest.raises(
        TypeError, match="distance_function must be callable, got 2"
    ):
        losslib.triplet_margin_with_distance_loss(
            p, p, p, distance_function=2
        )
    for weights in (
        {"pos_weight": 2.0},
        {"pos_weight": np.float64(2)},
        {"pos_weight": 2},
    ):
        got = losslib.binary_cross_entropy_with_logits(p, p, **weights)
        expected = losslib.binary_cross_entropy_with_logits(
            p, p, pos_weight=p * 0 + 2
        )
        assert backend.numpy(got) == backend.numpy(expected)
