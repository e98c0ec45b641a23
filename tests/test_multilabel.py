from __future__ import annotations

import numpy as np
import pytest

from conftest import (
    BY_DTYPE,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    binary_cross_entropy_with_logits,
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
