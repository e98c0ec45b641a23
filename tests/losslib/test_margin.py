from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest
import sklearn._loss.loss
import sklearn.ensemble
import sklearn.metrics
import sklearn.tree
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model._sgd_fast import Hinge, SquaredHinge

from harness import (
    BY_DTYPE,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    exponential_loss,
    hinge_loss,
    logistic_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    reduce,
    soft_margin_loss,
    squared_hinge_loss,
    zero_one_loss,
)

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
    """PyTorch reads it no more, but refuses a 7."""
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


def of_sgd(loss):
    def oracle(z, y):
        pair = np.stack([z, y], axis=-1).reshape(-1, 2)
        value = np.array([loss.py_loss(*x) for x in pair])
        slope = np.array([loss.py_dloss(*x) for x in pair])
        return value.reshape(z.shape), slope.reshape(z.shape)

    return oracle


def of_boosting(loss):
    def oracle(z, y):
        value, slope = loss().loss_gradient(
            np.ascontiguousarray((y.ravel() + 1) / 2), z.ravel().copy()
        )
        return value.reshape(z.shape), slope.reshape(z.shape)

    return oracle


def counted(z, y):
    label = np.where(z > 0, 1, -1)
    return (label != y).astype(float), np.zeros_like(z)


def in_bits(z, y):
    value, slope = ORACLES[logistic_loss](z, y)
    return value / np.log(2), slope / np.log(2)


# What scikit-learn's own solvers minimise: values and slopes by the score.
ORACLES = {
    zero_one_loss: counted,
    hinge_loss: of_sgd(Hinge(1.0)),
    squared_hinge_loss: of_sgd(SquaredHinge(1.0)),
    exponential_loss: of_boosting(sklearn._loss.loss.ExponentialLoss),
    logistic_loss: of_boosting(sklearn._loss.loss.HalfBinomialLoss),
}
BINARY = [pytest.param(f, {}, f.__name__, id=f.__name__) for f in ORACLES]
BINARY += [pytest.param(logistic_loss, {"base": 2}, "bits", id="bits")]
binary_losses = pytest.mark.parametrize(("loss", "options", "name"), BINARY)


def scores_and_labels(shape=(4, 3)):
    rng = np.random.default_rng(0)
    z = np.asarray(2 * rng.normal(size=shape))
    return [z, np.asarray(np.where(rng.random(shape) < 0.5, -1.0, 1.0))]


@binary_losses
@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_margins_against_scikit_learn(
    backend, dtype, loss, options, name
) -> None:
    oracle = in_bits if name == "bits" else ORACLES[loss]
    close = partial(
        np.testing.assert_allclose,
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )
    for shape in [(), (3,), (4, 3, 2), (0, 3)]:
        arrays = scores_and_labels(shape)
        z, y = (backend.array(x, dtype) for x in arrays)
        value, slope = oracle(backend.numpy(z), arrays[1])
        for reduction in REDUCTIONS:
            got = loss(z, y, **options, reduction=reduction)
            assert backend.dtype_of(got) == dtype
            close(backend.numpy(got), reduce(value, reduction))
        if backend.name != "numpy":
            f = partial(loss, target=y, **options, reduction="none")
            close(backend.gradient(f, z), slope)


@binary_losses
def test_transformations_of_margins(loss, options, name) -> None:
    arrays = scores_and_labels()
    if loss is zero_one_loss:  # of its zeros there is no second gradient
        z, y = map(torch.tensor, arrays)
        each = partial(loss, reduction="none")
        assert torch.equal(torch.func.vmap(each)(z, y), each(z, y))
        leaf = z.requires_grad_()
        assert torch.autograd.gradcheck(partial(loss, target=y), leaf)
        return
    differentiates_and_traces(loss, arrays, 1, options)


@pytest.mark.parametrize("loss", ORACLES)
def test_margins_compiled_by_torch(compiled, loss) -> None:
    compiles(compiled, loss, scores_and_labels(), {})


M = np.array([-1e30, -1e4, -300.3, -20, -1, -1e-8, -1e-30])
M = np.sort([*M, 0.0, *-M])
EXACT = {
    zero_one_loss: lambda m: m <= 0,
    hinge_loss: lambda m: max(0, 1 - m),
    squared_hinge_loss: lambda m: max(0, 1 - m) ** 2,
    exponential_loss: lambda m: mpmath.exp(-m),
    logistic_loss: lambda m: mpmath.log1p(mpmath.exp(-m)),
}


@pytest.mark.parametrize("y", [-1, 1])
@pytest.mark.parametrize("loss", EXACT)
def test_extreme_margins_against_mpmath(backend, loss, y) -> None:
    """An exponential beyond the largest float is infinite, and so is its slope."""
    with mpmath.workdps(60):
        exact = [EXACT[loss](mpmath.mpf(m)) for m in M]
        expected = np.array(
            [np.inf if x > 1.7e308 else float(x) for x in exact]
        )
    z, target = backend.array(y * M), backend.array(np.full(M.shape, y))
    with np.errstate(over="ignore"):
        got = backend.numpy(loss(z, target, reduction="none"))
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-300)
    assert np.isinf(got).sum() == (2 if loss is exponential_loss else 0)
    if backend.name != "numpy":
        slope = backend.gradient(
            partial(loss, target=target, reduction="none"), z
        )
        assert not np.isnan(slope).any()
        assert np.isinf(slope).sum() == np.isinf(got).sum()


def test_where_the_exponential_overflows(backend) -> None:
    y = backend.array(np.ones(2), "float32")
    z = backend.array([-88.7, -88.8], "float32")
    with np.errstate(over="ignore"):
        got = exponential_loss(z, y, reduction="none")
    assert np.isfinite(backend.numpy(got)).tolist() == [True, False]
    if backend.name == "torch":
        slope = backend.gradient(partial(exponential_loss, target=y), z)
        assert np.isfinite(slope).tolist() == [True, False]


@pytest.mark.parametrize("loss", EXACT)
def test_infinite_and_missing_scores(backend, loss) -> None:
    z = backend.array([np.inf, -np.inf, np.nan])
    y = backend.array([1.0, 1.0, -1.0])
    with np.errstate(invalid="ignore"):  # NumPy's logaddexp warns of nan
        got = loss(z, y, reduction="none")
    lost = 1.0 if loss is zero_one_loss else np.inf
    np.testing.assert_array_equal(backend.numpy(got), [0.0, lost, np.nan])


def test_at_the_kinks(differentiable) -> None:
    z, y = map(differentiable.array, ([1.0, -1.0, 0.0], [1.0, -1.0, 1.0]))
    f = partial(hinge_loss, target=y, reduction="none")
    slope = differentiable.gradient(f, z)
    np.testing.assert_array_equal(slope, [0.0, 0.0, -1.0])
    f = partial(squared_hinge_loss, target=y, reduction="none")
    slope = differentiable.gradient(f, z)
    np.testing.assert_array_equal(slope, [0.0, 0.0, -2.0])


@pytest.mark.parametrize("loss", EXACT)
def test_labels_that_are_no_labels_are_refused(backend, loss) -> None:
    z, y = np.array([[0.5, -1.0, 2.0]]), np.array([[1, -1, 1]])
    for args, options, words in [
        ((z, (y + 1) // 2), {}, r"-1 or 1, got 0 .*\(0, 1\)"),
        ((z, (y + 1) / 2), {}, r"-1 or 1, got 0.0 .*\(0, 1\)"),
        ((z, y > 0), {}, r"-1 or 1, got False .*\(0, 1\)"),
        ((z, y.astype(np.uint8)), {}, r"-1 or 1, got 255 .*\(0, 1\)"),
        ((z, 2 * y), {}, r"-1 or 1, got 2 .*\(0, 0\)"),
        ((z, y * np.nan), {}, "-1 or 1, got nan"),
        ((z.tolist(), y), {}, "input must be an array .*list"),
        ((z, 1), {}, "target must be an array .*int"),
        ((y, y), {}, "input .*dtype, got .*int64"),
        ((z, y + 0j), {}, "target must have a real dtype"),
        ((z, y.T), {}, r"target .*\(1, 3\), got \(3, 1\)"),
        ((z, y), {"reduction": "avg"}, "reduction must .*'avg'"),
    ]:
        refuses(backend, loss, args, options, words)


def test_a_base_below_one_is_refused(backend) -> None:
    z = np.ones(2)
    refuses(backend, logistic_loss, (z, z), {"base": 1}, "base .*above 1")


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "float16"])
def test_every_dtype_of_the_labels(backend, dtype) -> None:
    z, y = scores_and_labels()
    for loss in ORACLES:
        got = loss(backend.array(z), backend.array(y, dtype))
        np.testing.assert_allclose(backend.numpy(got), loss(z, y))


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1))
def test_what_is_true_of_every_surrogate(a, b, share) -> None:
    one = np.array(1.0)
    bits = partial(logistic_loss, base=2)
    for loss in (hinge_loss, squared_hinge_loss, exponential_loss, bits):
        at = lambda m, loss=loss: float(loss(np.array(m), one))  # noqa: E731
        assert at(a) >= zero_one_loss(np.array(a), one)
        assert at(0.0) == 1.0  # where it touches
        middle = at(share * a + (1 - share) * b)
        chord = share * at(a) + (1 - share) * at(b)
        assert middle <= chord * (1 + 1e-12) + 1e-12  # convex
        assert at(max(a, b)) <= at(min(a, b))  # falls
        assert loss(np.array(-a), -one) == at(a)  # sees the margin alone
    assert logistic_loss(np.array(a), one) == soft_margin_loss(
        np.array(a), one
    )


def test_zero_one_and_hinge_are_those_of_scikit_learn(backend, rng) -> None:
    z, y = rng.normal(size=40), rng.choice([-1, 1], size=40)
    arrays = backend.array(z), backend.array(y)
    expected = sklearn.metrics.zero_one_loss(y, np.sign(z))
    np.testing.assert_allclose(
        backend.numpy(zero_one_loss(*arrays)), expected
    )
    expected = sklearn.metrics.hinge_loss(y, z)
    np.testing.assert_allclose(backend.numpy(hinge_loss(*arrays)), expected)


def test_adaboost_is_descent_on_the_exponential_loss(rng) -> None:
    """Its weights are the losses of the samples, and each step is the best for its learner."""
    X, y = rng.normal(size=(60, 3)), rng.choice([-1, 1], size=60)
    boost = sklearn.ensemble.AdaBoostClassifier(
        sklearn.tree.DecisionTreeClassifier(max_depth=1), n_estimators=8
    ).fit(X, y)
    z = np.zeros(60)
    for learner, twice in zip(
        boost.estimators_, boost.estimator_weights_, strict=True
    ):
        w = exponential_loss(z, y, reduction="none")
        says = learner.predict(X)
        error = np.sum(w * (says != y)) / np.sum(w)
        step = np.log((1 - error) / error) / 2
        np.testing.assert_allclose(step, twice / 2, rtol=1e-10)
        leaf = torch.tensor(step, requires_grad=True)
        exponential_loss(
            torch.tensor(z) + leaf * torch.tensor(says), torch.tensor(y)
        ).backward()
        np.testing.assert_allclose(leaf.grad, 0.0, atol=1e-14)
        z = z + step * says
    np.testing.assert_array_equal(boost.predict(X), np.sign(z))
