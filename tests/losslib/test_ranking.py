from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from harness import (
    BY_DTYPE,
    REDUCTIONS,
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
