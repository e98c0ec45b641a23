from __future__ import annotations

from itertools import permutations

import jax
import numpy as np
import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.miscmodels.ordinal_model import OrderedModel

import losslib
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
from losslib import margin_ranking_loss as loss


def problem(shape=(4, 3)):
    rng = np.random.default_rng(0)
    x1, x2 = (np.asarray(2 * rng.normal(size=shape)) for _ in range(2))
    return [
        x1,
        x2,
        np.asarray(np.where(rng.random(shape) < 0.5, -1.0, 1.0)),
    ]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.0, 0.7, -0.7])
def test_every_shape_against_pytorch(backend, margin, reduction) -> None:
    for shape in [(), (3,), (4, 3, 2), (0, 3)]:
        extra = {"margin": margin, "reduction": reduction}
        agrees_with_pytorch(
            backend, "float64", loss, problem(shape), 2, extra
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_every_dtype_against_pytorch(backend, dtype) -> None:
    agrees_with_pytorch(backend, dtype, loss, problem(), 2, {"margin": 0.7})


def test_gradients_and_transformations() -> None:
    differentiates_and_traces(loss, problem(), 2, {"margin": 0.7})


def test_compiled_by_torch(compiled) -> None:
    compiles(compiled, loss, problem(), {"margin": 0.7})


X, Y = np.array([[0.5, -1.0, 2.0]]), np.array([[-1, 1, 1]])


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X.tolist(), X, Y), {}, "input1 must be an array .*list"),
        ((X, X.tolist(), Y), {}, "input2 must be an array .*list"),
        ((X, X, 1), {}, "target must be an array .*int"),
        ((Y, X, Y), {}, "input1 .*dtype, got .*int64"),
        ((X, Y, Y), {}, "input2 .*dtype, got .*int64"),
        (
            (X, X, Y + 0j),
            {},
            "target must have a real dtype, got .*complex128",
        ),
        ((X, X[0], Y), {}, r"input2 .*\(1, 3\), got \(3,\)"),
        ((X, X, Y.T), {}, r"target .*\(1, 3\), got \(3, 1\)"),
        ((X, X, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "float16"])
def test_every_target_dtype(backend, dtype) -> None:
    x1, x2, y = problem()
    got = loss(*map(backend.array, (x1, x2)), backend.array(y, dtype))
    np.testing.assert_allclose(backend.numpy(got), loss(x1, x2, y))


def test_with_a_margin_it_is_the_hinge_loss_of_scikit_learn(
    backend,
) -> None:
    x1, x2, y = (a.ravel() for a in problem((40,)))
    got = loss(*map(backend.array, (x1, x2, y)), margin=1.0)
    expected = sklearn.metrics.hinge_loss(y, x1 - x2)
    np.testing.assert_allclose(backend.numpy(got), expected)


def test_infinite_scores(backend) -> None:
    x1, x2 = [np.inf, -np.inf, 1e30], [0.0, 0.0, -1e30]
    y = backend.array([1.0, 1.0, -1.0])
    got = loss(*map(backend.array, (x1, x2)), y, reduction="none")
    np.testing.assert_allclose(backend.numpy(got), [0.0, np.inf, 2e30])


def test_strides_do_not_matter(backend) -> None:
    arrays = problem((4, 6))
    expected = loss(*(x[:, ::2].copy() for x in arrays), margin=0.7)
    got = loss(*(backend.array(x)[:, ::2] for x in arrays), margin=0.7)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


# --- Lists ------------------------------------------------------------------------------------

LISTWISE = ["ranknet_loss", "listnet_loss", "listmle_loss"]
close = np.testing.assert_allclose


def lists(n: int = 6, rows: int = 4, seed: int = 0):
    """Return scores, grades with ties, and a mask that leaves out a fifth."""
    rng = np.random.default_rng(seed)
    return (
        2 * rng.normal(size=(rows, n)),
        rng.integers(4, size=(rows, n)),
        rng.random((rows, n)) < 0.8,
    )


def call(backend, name, *arrays, **options):
    f = getattr(losslib, name)
    return backend.numpy(f(*map(backend.array, arrays), **options))


@pytest.mark.parametrize("name", LISTWISE)
def test_padding_is_as_if_it_were_not_there(backend, name) -> None:
    s, y, kept = lists()
    kept[3] = False
    junk = np.where(kept, s, np.nan), np.where(kept, y, np.nan), kept
    got = call(backend, name, *junk, reduction="none")
    expected = [
        getattr(losslib, name)(s[i, m], y[i, m])
        for i, m in enumerate(kept[:3])
    ]
    close(got, [*expected, 0.0], rtol=1e-13)
    close(call(backend, name, *junk), np.mean(expected), rtol=1e-13)
    assert np.isnan(call(backend, name, s, y, np.zeros_like(kept)))


def test_padding_has_no_weight_and_is_never_at_risk(backend) -> None:
    s, t, kept = lists()
    d = np.asarray(np.arange(24).reshape(4, 6) % 3 > 0)
    got = call(backend, "lambdarank_weight", s, t, kept)
    cox = call(backend, "cox_loss", s, t, d, kept, reduction="none")
    for i, m in enumerate(kept):
        few = losslib.lambdarank_weight(s[i, m], t[i, m])
        close(got[i][np.ix_(m, m)], few, rtol=1e-13)
        few = losslib.cox_loss(s[i, m], t[i, m], d[i, m], reduction="none")
        close(cox[i, m], few, rtol=1e-13)
    outside = ~(kept[:, :, None] & kept[:, None, :])
    assert np.all(got[outside] == 0)
    assert np.all(cox[~kept] == 0)


@pytest.mark.parametrize("name", LISTWISE)
def test_more_axes_are_more_lists(backend, name) -> None:
    s, y, _ = lists(6, 8)
    got = call(
        backend,
        name,
        s.reshape(2, 4, 6),
        y.reshape(2, 4, 6),
        reduction="none",
    )
    close(got.ravel(), getattr(losslib, name)(s, y, reduction="none"))


@pytest.mark.parametrize("name", [*LISTWISE, "lambdarank_weight"])
def test_lists_that_do_not_fit(backend, name) -> None:
    s, y, kept = lists()
    for args, words in [
        ((s, y[:, :-1]), r"target must have the shape .*got \(4, 5\)"),
        ((s, y, kept[:, :-1]), r"mask must broadcast .*got \(4, 5\)"),
        ((s, y, 1.0 * kept), "mask must have dtype bool"),
        ((s[0, 0], y[0, 0]), "input must have at least one axis"),
    ]:
        refuses(backend, getattr(losslib, name), args, {}, words)


# --- RankNet ----------------------------------------------------------------------------------


def test_ranknet_is_bce_on_the_differences(backend) -> None:
    s, y, _ = lists()
    expected = []
    for a, b in zip(s, y, strict=True):
        i, j = np.nonzero(b[:, None] > b[None, :])
        ahead = torch.tensor(a[i] - a[j])
        right = torch.ones_like(ahead)
        expected.append(
            F.binary_cross_entropy_with_logits(
                ahead, right, reduction="sum"
            )
        )
    got = call(backend, "ranknet_loss", s, y, reduction="none")
    close(got, expected, rtol=1e-13)


def test_cold_ranknet_is_the_margin_ranking_loss(backend) -> None:
    s, y, _ = lists()
    tau = 1e-4
    i, j = np.nonzero(y[0][:, None] > y[0][None, :])
    hinge = loss(s[0][i], s[0][j], np.ones(len(i)), reduction="sum")
    cold = tau * call(backend, "ranknet_loss", s[0] / tau, y[0])
    close(cold, hinge, atol=1e-10)


def test_a_weight_counts_a_pair_as_often(backend) -> None:
    s, y, _ = lists(4, 3)
    w = np.random.default_rng(1).integers(3, size=(3, 4, 4)) * 1.0
    expected = np.zeros(3)
    for row in range(3):
        for i in range(4):
            for j in range(4):
                if y[row, i] > y[row, j]:
                    pair = s[row, [i, j]], np.array([1, 0])
                    expected[row] += w[row, i, j] * losslib.ranknet_loss(
                        *pair
                    )
    got = losslib.ranknet_loss(
        *map(backend.array, (s, y)),
        weight=backend.array(w),
        reduction="none",
    )
    close(backend.numpy(got), expected, rtol=1e-13)
    refuses(
        backend,
        losslib.ranknet_loss,
        (s, y),
        {"weight": w[0]},
        r"weight must hold one number per pair, shape \(3, 4, 4\), got \(4, 4\)",
    )


def ndcg(y, s):
    return sklearn.metrics.ndcg_score([2.0**y - 1], [s])


def test_the_weights_of_lambdarank_are_what_a_swap_does_to_ndcg(
    backend,
) -> None:
    s, y, _ = lists(5, 6)
    y[5] = 0
    got = call(backend, "lambdarank_weight", s, y)
    for row in range(5):
        for i in range(5):
            for j in range(5):
                other = s[row].copy()
                other[[i, j]] = other[[j, i]]
                change = abs(ndcg(y[row], s[row]) - ndcg(y[row], other))
                close(got[row, i, j], change, atol=1e-14)
    assert np.all(got[5] == 0)


def test_of_equal_scores_the_first_is_ahead(backend) -> None:
    y = np.array([0, 2, 1, 0])
    got = call(backend, "lambdarank_weight", np.zeros(4), y)
    close(got, losslib.lambdarank_weight(-np.arange(4.0), y))


def test_grades_on_a_scale_of_tiny_numbers(backend) -> None:
    """Their gains are as their logarithms: the unit cancels."""
    s, y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])
    one, other = (
        call(backend, "lambdarank_weight", s, y * unit)
        for unit in (1e-20, 1e-30)
    )
    close(one, other, rtol=1e-12)
    assert one.max() > 0.3


def test_grades_on_a_scale_of_hundreds(backend) -> None:
    """Beside a list of small ones."""
    y = np.array([[346.0, 25.0, 344.0], [0.0, 2.0, 1.0]])
    s = np.array([[0.0, 1.0, 2.0]] * 2)
    got = backend.numpy(
        losslib.lambdarank_weight(
            backend.array(s, "float32"), backend.array(y)
        )
    )
    gain, discount = 2.0 ** y[0] - 1, 1 / np.log2([4, 3, 2])
    ideal = gain @ (1 / np.log2([2, 4, 3]))
    change = np.subtract.outer(gain, gain) / ideal
    change = change * np.subtract.outer(discount, discount)
    close(got[0], np.abs(change), rtol=1e-5)
    close(got[1], losslib.lambdarank_weight(s[1], y[1]), rtol=1e-5)
    assert call(backend, "lambdarank_weight", s[:, :0], y[:, :0]).size == 0
    refuses(
        backend,
        losslib.lambdarank_weight,
        (s, -y),
        {},
        r"target must not be negative, got -346.0 at position \(0, 0\)",
    )
    padded = np.array([[-1.0, 2.0, 0.0]]), np.array([[False, True, True]])
    got = call(backend, "lambdarank_weight", s[:1], *padded)
    close(
        got[0, 1:, 1:],
        losslib.lambdarank_weight(s[0, 1:], padded[0][0, 1:]),
    )


def test_a_negative_grade_that_is_hidden_gives_nan() -> None:
    args = map(JAX.array, (np.zeros(3), np.array([1, -2, 0])))
    assert np.isnan(jax.jit(losslib.lambdarank_weight)(*args)).all()


def test_the_weight_of_what_is_no_pair_is_not_looked_at(backend) -> None:
    s, y, _ = lists(4, 3)
    pair = y[:, :, None] > y[:, None, :]
    got = losslib.ranknet_loss(
        *map(backend.array, (s, y)),
        weight=backend.array(np.where(pair, 1.0, np.nan)),
    )
    close(backend.numpy(got), losslib.ranknet_loss(s, y), rtol=1e-13)


# --- ListNet, ListMLE -------------------------------------------------------------------------


def test_listnet_is_a_kl_and_an_entropy(backend) -> None:
    s, y, _ = lists()
    p = torch.tensor(1.0 * y).softmax(-1)
    log_q = torch.tensor(s).log_softmax(-1)
    got = call(backend, "listnet_loss", s, y)
    close(got, F.cross_entropy(torch.tensor(s), p), rtol=1e-13)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    close(got, kl + torch.special.entr(p).sum(-1).mean(), rtol=1e-13)
    refuses(
        backend,
        losslib.listnet_loss,
        (s[:, :0], y[:, :0]),
        {},
        r"input must hold at least one score per list, got shape \(4, 0\)",
    )


def test_the_probabilities_of_all_orders_sum_to_1(backend) -> None:
    s = np.random.default_rng(0).normal(size=5)
    orders = np.array(list(permutations(range(5))))
    cost = call(
        backend,
        "listmle_loss",
        np.tile(s, (120, 1)),
        -orders,
        reduction="none",
    )
    close(np.exp(-cost).sum(), 1.0, rtol=1e-13)
    first = np.exp(-cost) @ (orders.argmin(1)[:, None] == np.arange(5))
    close(first, losslib.softmax(s), rtol=1e-12)


@pytest.mark.parametrize("n", range(1, 18))
def test_every_length_of_list(backend, n) -> None:
    """Sums in log n steps, of lengths that are no power of 2 too."""
    rng = np.random.default_rng(n)
    s, y = 5 * rng.normal(size=n), rng.permutation(n)
    z = torch.tensor(s[np.argsort(-y)], requires_grad=True)
    sums = z.flip(0).logcumsumexp(0).flip(0)
    (sums - z).sum().backward()
    close(
        call(backend, "listmle_loss", s, y),
        (sums - z).detach().sum(),
        rtol=1e-12,
    )
    if backend.name == "torch":
        slope = backend.gradient(
            lambda x: losslib.listmle_loss(x, torch.tensor(y)),
            torch.tensor(s),
        )
        back = torch.empty_like(z).scatter(
            0, torch.tensor(np.argsort(-y)), z.grad
        )
        close(slope, back, atol=1e-12)


def test_equals_are_placed_as_they_stand(backend) -> None:
    s, y = np.array([0.0, 1.0, 2.0]), np.array([1, 1, 0])
    got = call(backend, "listmle_loss", s, y)
    close(got, losslib.listmle_loss(s, np.array([3, 2, 1])))
    assert abs(got - losslib.listmle_loss(s[[1, 0, 2]], y)) > 0.1


# --- Cox --------------------------------------------------------------------------------------


def cohort(n: int = 40, seed: int = 0):
    """Return risks, times with many ties, and events."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, rng.integers(1, 9, size=n), rng.random(n) < 0.7


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_cox_against_statsmodels(backend, n) -> None:
    x, t, d = cohort(n)
    d[0] = True
    beta = np.array([0.5, -1.0, 0.3])
    model = PHReg(1.0 * t, x, status=1 * d, ties="breslow")
    got = call(backend, "cox_loss", x @ beta, t, d, reduction="sum")
    close(-got, model.loglike(beta), rtol=1e-11, atol=1e-12)
    close(call(backend, "cox_loss", x @ beta, t, d), got / d.sum())
    if backend.name == "torch":
        args = torch.tensor(t), torch.tensor(d)
        slope = backend.gradient(
            lambda b: losslib.cox_loss(
                torch.tensor(x) @ b, *args, reduction="sum"
            ),
            torch.tensor(beta),
        )
        close(-slope, model.score(beta), atol=1e-10)


def test_strata_are_rows(backend) -> None:
    x, t, d = cohort()
    beta, rows = np.array([0.5, -1.0, 0.3]), np.arange(40) // 10
    model = PHReg(1.0 * t, x, status=1 * d, ties="breslow", strata=rows)
    arrays = (a.reshape(4, 10) for a in (x @ beta, t, d))
    got = call(backend, "cox_loss", *arrays, reduction="sum")
    close(-got, model.loglike(beta), rtol=1e-11)


def test_the_order_of_the_persons_does_not_matter(backend) -> None:
    x, t, d = cohort()
    s, other = x[:, 0], np.random.default_rng(1).permutation(40)
    each = call(backend, "cox_loss", s, t, d, reduction="none")
    got = call(
        backend, "cox_loss", s[other], t[other], d[other], reduction="none"
    )
    close(got, each[other], rtol=1e-12)
    assert np.all(each[~d] == 0)


def test_without_ties_and_censoring_it_is_listmle(backend) -> None:
    s, t = np.random.default_rng(0).normal(size=(2, 30))
    got = call(backend, "cox_loss", s, t, np.ones(30), reduction="sum")
    close(got, losslib.listmle_loss(s, -t), rtol=1e-13)


def test_times_are_not_rounded_to_the_dtype_of_the_scores(backend) -> None:
    t = 2**40 + np.arange(5)
    s = np.arange(5.0)
    for times in (t, 1.0 * t):
        args = (
            backend.array(s, "float32"),
            *map(backend.array, (times, np.ones(5))),
        )
        close(
            backend.numpy(losslib.cox_loss(*args)),
            losslib.cox_loss(s, np.arange(5), np.ones(5)),
            rtol=1e-6,
        )


def test_nothing_to_learn_from_the_censored(backend) -> None:
    x, t, d = cohort()
    none = np.zeros_like(d)
    assert np.isnan(call(backend, "cox_loss", x[:, 0], t, none))
    assert call(backend, "cox_loss", x[:, 0], t, none, reduction="sum") == 0
    refuses(
        backend,
        losslib.cox_loss,
        (x[:, 0], t, 2 * d),
        {},
        r"event must be 1 .* got 2 at position \(1,\)",
    )


def test_an_event_that_is_none_and_hidden_gives_nan() -> None:
    s, t = np.zeros(3), np.arange(3)
    args = map(JAX.array, (s, t, np.array([1, 2, 0])))
    assert np.isnan(jax.jit(losslib.cox_loss)(*args))


def test_a_large_cohort_takes_no_square_of_memory(backend) -> None:
    n = 60_000
    rng = np.random.default_rng(0)
    s, t = rng.normal(size=n), rng.integers(5000, size=n)
    d = rng.random(n) < 0.3
    got = call(backend, "cox_loss", s, t, d, reduction="sum")
    close(got, _cox_by_a_loop(s, t, d), rtol=1e-11)


def _cox_by_a_loop(s, t, d) -> float:
    at_risk = np.bincount(t, np.exp(s), 5000)[::-1].cumsum()[::-1]
    return float(np.sum(np.log(at_risk[t[d]]) - s[d]))


# --- Ordered classes --------------------------------------------------------------------------


def ordered(n: int = 50, classes: int = 4):
    rng = np.random.default_rng(0)
    cuts = np.sort(rng.normal(size=classes - 1))
    return 2 * rng.normal(size=n), rng.integers(classes, size=n), cuts


@pytest.mark.parametrize("classes", [3, 4, 7])
def test_proportional_odds_against_statsmodels(backend, classes) -> None:
    z, y, cuts = ordered(50, classes)
    model = OrderedModel(y, z[:, None], distr="logit")
    steps = np.log(np.diff(cuts))
    params = np.array([1.0, cuts[0], *steps])
    got = call(backend, "ordinal_loss", z, y, cuts, reduction="none")
    close(-got, model.loglikeobs(params), rtol=1e-11)


def test_two_ordered_classes_are_bce(backend) -> None:
    z, y, _ = ordered(50, 2)
    got = call(backend, "ordinal_loss", z, y, np.array([0.7]))
    expected = F.binary_cross_entropy_with_logits(
        torch.tensor(z - 0.7), torch.tensor(1.0 * y)
    )
    close(got, expected, rtol=1e-13)


def test_the_slope_is_what_lies_above_less_what_lies_below() -> None:
    z, y, cuts = ordered()
    slope = TORCH.gradient(
        lambda x: losslib.ordinal_loss(
            x, *map(torch.tensor, (y, cuts)), reduction="sum"
        ),
        torch.tensor(z),
    )
    up_to = 1 / (1 + np.exp(z[:, None] - cuts))
    up_to = np.pad(up_to, ((0, 0), (1, 1)), constant_values=(0, 1))
    rows = np.arange(50)
    close(slope, 1 - up_to[rows, y + 1] - up_to[rows, y], atol=1e-14)


def test_classes_far_out_in_the_tails(backend) -> None:
    """The difference of two sigmoids would be 0 there, and its logarithm infinite."""
    z, y = np.array([800.0, -800.0, 1e30]), np.array([1, 1, 1])
    got = call(
        backend,
        "ordinal_loss",
        z,
        y,
        np.array([-1.0, 1.0]),
        reduction="none",
    )
    gap = -np.log(-np.expm1(-2.0))
    close(got, [799 + gap, 799 + gap, 1e30], rtol=1e-14)
    near = call(
        backend, "ordinal_loss", z[:1] * 0, y[:1], np.array([0, 1e-9])
    )
    close(near, np.log(4e9), rtol=1e-8)


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        (
            [1.0, 0.0],
            r"thresholds must increase, got .*-1.0 at position \(0,\)",
        ),
        ([1.0, 1.0], "thresholds must increase, got .*0.0"),
        ([1.0, np.nan], "thresholds must increase, got .*nan"),
        ([[1.0]], r"thresholds must hold one number .*got shape \(1, 1\)"),
        ([], r"thresholds must hold one number .*got shape \(0,\)"),
    ],
)
def test_thresholds_that_are_none(backend, cuts, words) -> None:
    args = np.zeros(2), np.array([0, 1]), np.array(cuts)
    refuses(backend, losslib.ordinal_loss, args, {}, words)


def test_thresholds_out_of_order_and_hidden_give_nan() -> None:
    args = map(
        JAX.array, (np.zeros(2), np.array([0, 2]), np.array([1.0, 0.0]))
    )
    assert np.isnan(jax.jit(losslib.ordinal_loss)(*args))


# --- infinite scores, and what is not known -----------------------------------------------------


def test_scores_of_minus_infinity_are_padding_where_they_belong_last(
    backend,
) -> None:
    s, y = np.array([2.0, -np.inf, 1.0, -np.inf]), np.array([1, 0, 2, 0])
    few = np.array([2.0, 1.0]), np.array([1, 2])
    got = call(backend, "listmle_loss", s, y)
    close(got, losslib.listmle_loss(*few), rtol=1e-13)
    assert call(backend, "listmle_loss", s, -y) == np.inf
    for d in ([1, 0, 1, 0], [1, 0, 1, 1]):
        got = call(
            backend, "cox_loss", s, -y, np.array(d), reduction="none"
        )
        close(
            got[[0, 2]],
            losslib.cox_loss(few[0], -few[1], np.ones(2), reduction="none"),
        )
        assert np.all(got[[1, 3]] == 0)
    if backend.name == "torch":
        slope = backend.gradient(
            lambda x: losslib.listmle_loss(x, torch.tensor(y)),
            torch.tensor(s),
        )
        odds = 1 / (1 + np.exp(-1.0))
        close(slope, [odds, 0.0, -odds, 0.0], atol=1e-12)


def test_an_infinite_score_is_sure_of_an_end_class(backend) -> None:
    z, cuts = np.array([np.inf, -np.inf, np.inf]), np.array([-1.0, 1.0])
    y = np.array([2, 0, 1])
    got = call(backend, "ordinal_loss", z, y, cuts, reduction="none")
    close(got, [0.0, 0.0, np.inf])


@pytest.mark.parametrize("name", LISTWISE)
def test_a_grade_that_is_nan_gives_nan(backend, name) -> None:
    s, y = (
        np.array([[2.0, 0.0], [1.0, 0.0]]),
        np.array([[1, np.nan], [1, 0]]),
    )
    got = call(backend, name, s, y, reduction="none")
    close(got, [np.nan, getattr(losslib, name)(s[1], y[1])])
    kept = np.array([[True, False], [True, True]])
    assert np.isfinite(call(backend, name, s, y, kept))


def test_a_time_that_is_nan_gives_nan(backend) -> None:
    s, t = np.array([2.0, 0.0, 1.0]), np.array([1.0, np.nan, 3.0])
    assert np.isnan(call(backend, "cox_loss", s, t, np.ones(3)))
    hidden = jax.jit(losslib.cox_loss)(*map(JAX.array, (s, t, np.ones(3))))
    assert np.isnan(hidden)
