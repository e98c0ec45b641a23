from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812

from harness import (
    BY_DTYPE,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import kl_div, kl_divergence, log_softmax

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
