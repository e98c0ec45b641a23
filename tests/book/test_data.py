"""The tables that packages ship, against those packages' own readers."""

import numpy as np
import pytest

from book.data import handwritten_digits, shipped


def test_the_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    images, kinds = load_digits(return_X_y=True)
    ours = handwritten_digits()
    assert np.array_equal(16 * ours[0], images)
    assert np.array_equal(ours[1], kinds)
    assert ours[1].dtype == kinds.dtype


def test_nobody_can_write_to_the_digits():
    for array in handwritten_digits():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_package_that_is_missing_is_named():
    with pytest.raises(ModuleNotFoundError, match="'no_such_package'"):
        shipped("no_such_package", "data/digits.csv.gz")
