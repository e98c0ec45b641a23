from __future__ import annotations

import re

import jax
import numpy as np
import pytest

from harness import JAX, LABEL_DTYPES
from losslib import _array, _checks


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_labels_of_any_integer_dtype(backend, dtype) -> None:
    x = backend.array(np.arange(600.0).reshape(3, 200))
    labels = [
        1,
        100,
        127 if dtype == "int8" else 156,
    ]  # 156 is -100 in eight bits
    _, target = _checks.check_classification(
        x, backend.array(labels, dtype)
    )
    picked = backend.numpy(_array.pick(x, target))
    np.testing.assert_array_equal(picked, [1.0, 300.0, 400.0 + labels[2]])
    hot = backend.numpy(_array.one_hot(target, x))
    assert hot.sum() == 3
    np.testing.assert_array_equal(hot.argmax(1), labels)


@pytest.mark.parametrize(
    "value", [-1e-9, 1 + 1e-9, np.nan, np.inf, -np.inf]
)
def test_check_unit_interval(backend, value) -> None:
    _checks.check_unit_interval(
        p=backend.array([0.0, 1.0, -0.0]), q=backend.array([])
    )
    _checks.check_unit_interval(
        p=backend.array([True, False]), q=backend.array([0, 1])
    )
    with pytest.raises(
        ValueError, match=r"q must hold probabilities .* at position \(1,\)"
    ):
        _checks.check_unit_interval(
            p=backend.array([0.5]), q=backend.array([0.0, value])
        )


@pytest.mark.parametrize("axis", [2, -3, None, "0", 1.0])
def test_check_axis(axis) -> None:
    _checks.check_axis(-2, p=np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"axis must be an axis of p, 2-dimensional, got"
    ):
        _checks.check_axis(axis, p=np.ones((2, 3)))


def test_zero_is_not_negative(backend) -> None:
    _checks.check_not_negative(x=backend.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"^x .*-0.5 at position \(1,\)"):
        _checks.check_not_negative(x=backend.array([0.0, -0.5]))


def test_rows_that_do_not_broadcast_are_named(backend) -> None:
    x, y, z = (
        backend.array(np.ones(shape))
        for shape in [(4, 1, 3), (2, 3), (5, 3)]
    )
    _checks.check_rows(x=x, y=y)
    _checks.check_rows(x=x, z=z)
    told = (
        "z must broadcast to the rows of x, shape (4, 2), got shape (5, 3)"
    )
    with pytest.raises(ValueError, match=re.escape(told)):
        _checks.check_rows(x=x, y=y, z=z)
    told = "z must broadcast to the rows of y, shape (2,), got shape (5, 3)"
    with pytest.raises(ValueError, match=re.escape(told)):
        _checks.check_rows(y=y, z=z)


def test_what_jax_hides_is_nan_where_it_is_wrong() -> None:
    x = JAX.array([-0.5, 0.0, 0.5, 1.0, 1.05, 1.2])
    for check, wrong in (
        (lambda x: _checks.probabilities(x, "x"), [0, 4, 5]),
        (lambda x: _checks.probabilities(x, "x", slack=0.1), [0, 5]),
        (lambda x: _checks.at_least_zero(x, "x"), [0]),
        (lambda x: _checks.above_zero(x, "x"), [0, 1]),
    ):
        expected = np.array(x)
        expected[wrong] = np.nan
        np.testing.assert_array_equal(jax.jit(check)(x), expected)
