from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from conftest import (
    BY_DTYPE,
    LABEL_DTYPES,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import multi_margin_loss, multilabel_margin_loss

CASES = [
    pytest.param(multi_margin_loss, {}, id="multi"),
    pytest.param(multi_margin_loss, {"p": 2, "margin": 1.5}, id="squared"),
    pytest.param(
        multi_margin_loss,
        {"weight": np.array([0.5, 2.0, 1.5])},
        id="weight",
    ),
    pytest.param(multilabel_margin_loss, {}, id="multilabel"),
]


def problem(loss, shape=(4, 3)):
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=shape)
    if loss is multi_margin_loss:
        return [z, np.asarray(rng.integers(3, size=shape[:-1]))]
    rows = np.array([[2, 0, -1], [-1, 1, 2], [0, 1, 2], [1, -1, 0]])
    return [z, rows[0] if len(shape) == 1 else rows[: shape[0]]]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape_against_pytorch(
    backend, loss, options, reduction
) -> None:
    for shape in [(3,), (4, 3), (0, 3)]:
        extra = {**options, "reduction": reduction}
        arrays = problem(loss, shape)
        if shape[0] == 0 and reduction != "none":
            # a documented difference: PyTorch returns memory that it never wrote
            got = loss(*map(backend.array, arrays), reduction=reduction)
            expected = 0.0 if reduction == "sum" else np.nan
            np.testing.assert_array_equal(backend.numpy(got), expected)
            continue
        agrees_with_pytorch(backend, "float64", loss, arrays, 1, extra)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype_against_pytorch(backend, dtype, loss, options) -> None:
    agrees_with_pytorch(backend, dtype, loss, problem(loss), 1, options)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_sample_has_the_shape_of_its_target(backend, shape) -> None:
    z, y = np.array([0.1, 0.4, 0.3]), np.full(shape, 2)
    for scores, target in [(z, y), (np.array(0.3), np.zeros(shape, int))]:
        agrees_with_pytorch(
            backend,
            "float64",
            multi_margin_loss,
            [scores, target],
            1,
            {"reduction": "none"},
        )
    agrees_with_pytorch(
        backend,
        "float64",
        multilabel_margin_loss,
        [np.full(shape, 0.3), np.zeros(shape, int)],
        1,
        {"reduction": "none"},
    )


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    differentiates_and_traces(loss, problem(loss), 1, options)


@pytest.mark.parametrize(("loss", "options"), [c.values for c in CASES[2:]])
def test_compiled_by_torch(compiled, loss, options) -> None:
    compiles(compiled, loss, problem(loss), options)


Z, T = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, 3.0]]), np.array([0, 2])
L = np.array([[2, 0, -1], [1, -1, 7]])
multi, many = multi_margin_loss, multilabel_margin_loss


@pytest.mark.parametrize(
    ("loss", "args", "options", "words"),
    [
        (multi, (Z.tolist(), T), {}, "input must be an array .*list"),
        (multi, (Z, 0), {}, "target must be an array .*int"),
        (multi, (T, T), {}, "input .*dtype, got .*int64"),
        (multi, (Z, T * 1.0), {}, "target .*dtype, got .*float64"),
        (multi, (Z, T + 1), {}, "target .*0 … 2, got 3"),
        (multi, (Z, T - 1), {}, "target .*0 … 2, got -1"),
        (multi, (Z, T - 100), {}, "target .*0 … 2.*got -100"),
        (multi, (Z, T[:1]), {}, r"target .*\(2,\).*got \(1,\)"),
        (multi, (Z[0], T), {}, r"target .*got \(2,\)"),
        (multi, (Z[None], T[None]), {}, r"input .*\(1, 2, 3\)"),
        (multi, (Z[:, :0], T), {}, r"input .*\(2, 0\)"),
        (multi, (Z, T), {"p": 3}, "p must be 1 or 2, got 3"),
        (multi, (Z, T), {"weight": Z[0, :2]}, r"weight .*\(2,\)"),
        (
            multi,
            (Z, T),
            {"weight": [1.0]},
            "weight must be an array .*list",
        ),
        (multi, (Z, T), {"weight": np.ones(3, int)}, "weight .*dtype"),
        (multi, (Z, T), {"reduction": "avg"}, "reduction must .*'avg'"),
        (many, (Z, [[0]]), {}, "target must be an array .*list"),
        (many, (L, L), {}, "input .*dtype, got .*int64"),
        (many, (Z, Z), {}, "target .*dtype, got .*float64"),
        (many, (Z, L + 1), {}, "target .*0 … 2.*got 3"),
        (many, (Z, L - 1), {}, "target .*got -2"),
        (many, (Z, L[0]), {}, r"target .*\(2, 3\), got \(3,\)"),
        (many, (Z[None], L[None]), {}, r"input .*\(1, 2, 3\)"),
        (many, (Z[:, :0], L[:, :0]), {}, r"input .*\(2, 0\)"),
        (many, (Z, L), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_mistakes_are_named(backend, loss, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_every_target_dtype(backend, dtype) -> None:
    z, y = problem(multi)
    got = multi(backend.array(z), backend.array(y, dtype))
    np.testing.assert_allclose(backend.numpy(got), multi(z, y))
    if dtype.startswith("int"):
        z, y = problem(many)
        got = many(backend.array(z), backend.array(y, dtype))
        np.testing.assert_allclose(backend.numpy(got), many(z, y))


def test_the_numbers_of_the_documentation(backend) -> None:
    z = backend.array([[0.1, 0.2, 0.4, 0.8]])
    got = multi(z, backend.array([3]))
    np.testing.assert_allclose(backend.numpy(got), 0.325)
    got = many(z, backend.array([[3, 0, -1, 1]]))
    np.testing.assert_allclose(backend.numpy(got), 0.85)


def test_what_stands_behind_the_first_minus_one_counts_nowhere(
    backend,
) -> None:
    """PyTorch does not even look whether it is a class."""
    z = backend.array([[0.1, 0.2, 0.4]])
    got = [
        backend.numpy(many(z, backend.array([[2, -1, last]])))
        for last in (-1, 0, 1, 2, 7)
    ]
    np.testing.assert_array_equal(got, got[0])


def test_two_classes_are_the_hinge_loss_of_scikit_learn(
    backend, rng
) -> None:
    """Half of it: the mean over the classes has a term 0."""
    z, y = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    got = multi(backend.array(z), backend.array(y))
    expected = sklearn.metrics.hinge_loss(y, z[:, 1] - z[:, 0])
    np.testing.assert_allclose(2 * backend.numpy(got), expected)


def test_infinite_scores(backend) -> None:
    z = backend.array([[0.0, -np.inf], [1e30, -1e30]])
    got = multi(z, backend.array([0, 0]), reduction="none")
    np.testing.assert_array_equal(backend.numpy(got), [0.0, 0.0])


def test_strides_do_not_matter(backend) -> None:
    for loss in (multi, many):
        z, y = problem(loss)
        wide = backend.array(np.repeat(z, 2, axis=1))[:, ::2]
        labels = backend.array(np.repeat(y, 2, axis=0))[::2]
        np.testing.assert_allclose(
            backend.numpy(loss(wide, labels)), loss(z, y), rtol=1e-14
        )
