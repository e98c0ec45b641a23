from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    BY_DTYPE,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    agrees_with_pytorch,
    as_dtype,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    binary_cross_entropy_with_logits,
    multilabel_categorical_cross_entropy,
    multilabel_soft_margin_loss,
)

loss = multilabel_soft_margin_loss
CASES = [{}, {"weight": np.array([0.5, 2.0, 1.5])}]


def problem(shape=(4, 3)):
    rng = np.random.default_rng(0)
    return [2 * rng.normal(size=shape), 1.0 * rng.integers(2, size=shape)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", CASES, ids=["", "weight"])
def test_every_shape_against_pytorch(backend, options, reduction) -> None:
    for shape in [(3,), (4, 3), (2, 4, 3), (0, 3)]:
        extra = {**options, "reduction": reduction}
        agrees_with_pytorch(
            backend, "float64", loss, problem(shape), 2, extra
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize("options", CASES, ids=["", "weight"])
def test_every_dtype_against_pytorch(backend, dtype, options) -> None:
    agrees_with_pytorch(backend, dtype, loss, problem(), 2, options)


@pytest.mark.parametrize("options", CASES, ids=["", "weight"])
def test_gradients_and_transformations(options) -> None:
    differentiates_and_traces(loss, problem(), 2, options)


def test_compiled_by_torch(compiled) -> None:
    compiles(compiled, loss, problem(), CASES[1])


Z, Y = np.array([[0.5, -1.0, 2.0]]), np.array([[0, 1, 1]])


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((Z.tolist(), Y), {}, "input must be an array .*list"),
        ((Z, 1), {}, "target must be an array .*int"),
        ((Y, Y), {}, "input .*dtype, got .*int64"),
        (
            (Z, Y + 0j),
            {},
            "target must have a real dtype, got .*complex128",
        ),
        ((Z, Y[0]), {}, r"target .*\(1, 3\), got \(3,\)"),
        ((Z[0, 0], Y[0, 0]), {}, r"input .*\(\)"),
        ((Z, Y), {"weight": Z[0, :2]}, r"weight must broadcast .*\(2,\)"),
        ((Z, Y), {"weight": Y}, "weight .*dtype, got .*int64"),
        ((Z, Y), {"weight": [1.0]}, "weight must be an array .*list"),
        ((Z, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64"])
def test_every_target_dtype(backend, dtype) -> None:
    z, y = problem()
    got = loss(backend.array(z), backend.array(y, dtype))
    np.testing.assert_allclose(backend.numpy(got), loss(z, y))


def test_an_absent_label_is_zero_and_not_minus_one(backend) -> None:
    """With -1 for absent the loss is another one, in PyTorch as here, and no error says so."""
    z = backend.array([[0.3, -1.2, 0.8, 2.0]])
    for y, expected in [
        ([[0, 1, 0, 1]], 0.9039),
        ([[-1, 1, -1, 1]], 1.1789),
    ]:
        got = loss(z, backend.array(y))
        np.testing.assert_allclose(backend.numpy(got), expected, atol=5e-5)


def test_it_is_the_binary_cross_entropy_of_every_label(backend) -> None:
    """No label is lost at a large logit: PyTorch's log(sigmoid) agrees."""
    z = np.array([[-1e4, -40.0, 0.0, 40.0, 1e4, 1e30]])
    for y in (np.zeros((1, 6)), np.ones((1, 6))):
        mine = backend.array(z), backend.array(y)
        np.testing.assert_allclose(
            backend.numpy(loss(*mine)),
            backend.numpy(binary_cross_entropy_with_logits(*mine)),
            rtol=1e-14,
        )


def test_strides_do_not_matter(backend) -> None:
    z, y = problem((4, 6))
    expected = loss(z[:, ::2].copy(), y[:, ::2].copy())
    got = loss(backend.array(z)[:, ::2], backend.array(y)[:, ::2])
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-14)


zlpr = multilabel_categorical_cross_entropy


def by_pytorch(s, y):
    """Compute ZLPR as two of PyTorch's log-sum-exps, each with a 0 put in front."""
    zero = torch.zeros_like(s[..., :1])
    missed = torch.where(y == 1, -s, -torch.inf)
    alarms = torch.where(y == 1, -torch.inf, s)
    return sum(
        torch.logsumexp(torch.cat([zero, x], dim=-1), dim=-1)
        for x in (missed, alarms)
    )


def exactly(s, y):
    """Compute ZLPR from its definition, at fifty digits and for a single sample."""
    with mpmath.workdps(50):
        exp = [mpmath.exp(mpmath.mpf(float(x))) for x in s]
        missed = mpmath.log1p(
            mpmath.fsum(1 / e for e, v in zip(exp, y, strict=True) if v)
        )
        alarms = mpmath.log1p(
            mpmath.fsum(e for e, v in zip(exp, y, strict=True) if not v)
        )
        return float(missed + alarms)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_zlpr_is_two_log_sum_exps_of_pytorch(backend, reduction) -> None:
    for shape in [(3,), (5, 4), (2, 4, 3), (0, 3), (6, 1)]:
        s, y = problem(shape)
        got = zlpr(*map(backend.array, (s, y)), reduction=reduction)
        each = by_pytorch(torch.tensor(s), torch.tensor(y))
        expected = {
            "none": lambda x: x,
            "mean": torch.mean,
            "sum": torch.sum,
        }
        expected = expected[reduction](each)
        assert tuple(got.shape) == tuple(expected.shape)
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-13)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_zlpr_in_every_dtype_and_its_gradient(backend, dtype) -> None:
    s, y = problem((5, 4))
    mine = as_dtype(backend, s, dtype)
    got = zlpr(mine, backend.array(y), reduction="none")
    assert backend.dtype_of(got) == dtype
    theirs = torch.tensor(backend.numpy(mine), requires_grad=True)
    expected = by_pytorch(theirs, torch.tensor(y))
    close = partial(
        np.testing.assert_allclose,
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )
    close(backend.numpy(got), expected.detach())
    if backend.name == "numpy":
        return
    expected.sum().backward()
    f = lambda s: zlpr(s, backend.array(y), reduction="sum")  # noqa: E731
    close(backend.gradient(f, mine), theirs.grad)


def test_zlpr_gradients_and_transformations() -> None:
    s, y = problem((5, 4))
    y[0], y[1] = 0, 1  # none present, none absent
    differentiates_and_traces(zlpr, [s, y], 1, {})


def test_zlpr_compiled_by_torch(compiled) -> None:
    compiles(compiled, zlpr, problem(), {})


EXTREMES = [0.0, 40.0, -40.0, 700.0, 1e4, -1e4, 1e30, -1e30]


def test_zlpr_at_extreme_scores(backend) -> None:
    """To the last digits, where all is right (tiny losses) and where all is wrong."""
    rng = np.random.default_rng(1)
    s = rng.choice(EXTREMES, size=(60, 4)) + rng.normal(size=(60, 4))
    y = rng.integers(2, size=(60, 4))
    y[:3], y[3:6] = 0, 1
    s[6:20] = np.where(y[6:20], 1, -1) * np.abs(s[6:20])
    got = zlpr(backend.array(s), backend.array(y), reduction="none")
    expected = [exactly(*row) for row in zip(s, y, strict=True)]
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=4e-15)
    assert min(expected) < 1e-17


def test_zlpr_has_finite_gradients_everywhere(differentiable) -> None:
    s = np.array(
        [[1e4, -1e4, 1e30], [-1e30, 1e30, 0.0], [-np.inf, 2.0, np.inf]]
    )
    for y in ([0, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 1]):
        # the last row costs infinitely much, unless its labels are right
        rows = s if y == [0, 1, 1] else s[:2]
        target = differentiable.array(np.array([y] * len(rows)))
        f = partial(zlpr, target=target, reduction="sum")
        slope = differentiable.gradient(f, differentiable.array(rows))
        assert np.isfinite(slope).all()
        assert (np.abs(slope) <= 1).all()


@given(
    st.lists(st.tuples(st.floats(-20, 20), st.booleans()), min_size=1),
)
def test_zlpr_laws(labels) -> None:
    s = np.array([score for score, _ in labels])
    y = np.array([present for _, present in labels])
    loss_ = zlpr(s, y)
    # symmetric in what is present and what is absent
    np.testing.assert_allclose(zlpr(-s, ~y), loss_, rtol=1e-12)
    # at most the sum of all the binary cross-entropies, and no less than the worst
    each = binary_cross_entropy_with_logits(s, y, reduction="none")
    assert max(each) * (1 - 1e-12) <= loss_
    assert loss_ <= np.sum(each) * (1 + 1e-12)
    # the log-sum-exp of all four wishes
    p, n = -s[y], s[~y]
    wishes = np.concatenate([[0], p, n, np.ravel(p[:, None] + n)])
    np.testing.assert_allclose(
        loss_, scipy.special.logsumexp(wishes), rtol=1e-12, atol=1e-12
    )


def test_zlpr_of_one_label_is_its_binary_cross_entropy(backend) -> None:
    s, y = problem((7, 1))
    mine = backend.array(s), backend.array(y)
    np.testing.assert_allclose(
        backend.numpy(zlpr(*mine)),
        backend.numpy(binary_cross_entropy_with_logits(*mine)),
        rtol=1e-14,
    )


def test_zlpr_pulls_each_side_with_less_than_one(differentiable) -> None:
    s, y = np.zeros((1, 1000)), np.arange(1000) == 0
    f = lambda s: zlpr(s, differentiable.array(y[None]))  # noqa: E731
    slope = differentiable.gradient(f, differentiable.array(s))[0]
    np.testing.assert_allclose(slope[y].sum(), -1 / 2)
    np.testing.assert_allclose(slope[~y].sum(), 999 / 1000)


@pytest.mark.parametrize("dtype", ["bool", *LABEL_DTYPES, "float32"])
def test_zlpr_every_target_dtype(backend, dtype) -> None:
    s, y = problem()
    got = zlpr(backend.array(s), backend.array(y, dtype))
    np.testing.assert_allclose(backend.numpy(got), zlpr(s, y), rtol=1e-14)


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((Z.tolist(), Y), {}, "input must be an array .*list"),
        ((Z, 1), {}, "target must be an array .*int"),
        ((Y, Y), {}, "input .*dtype, got .*int64"),
        ((Z, Y + 0j), {}, "target must have a real dtype, got"),
        ((Z, Y[0]), {}, r"target .*\(1, 3\), got \(3,\)"),
        ((Z[0, 0], Y[0, 0]), {}, r"input .*\(\)"),
        ((Z[:, :0], Y[:, :0]), {}, r"input must hold .*\(1, 0\)"),
        ((Z, 2 * Y - 1), {}, r"target must be 1 .* 0 .*got -1 .*\(0, 0\)"),
        ((Z, 0.9 * Y), {}, r"target must be 1 .* 0 .*got 0\.9"),
        ((Z, np.nan * Y), {}, r"target must be 1 .* 0 .*got nan"),
        ((Z, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_zlpr_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, zlpr, args, options, words)
