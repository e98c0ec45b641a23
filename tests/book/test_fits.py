"""Linear models at their minimum."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from book.fits import bottom, with_one


def test_the_minimum_is_that_of_scikit_learn_with_a_free_bias():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 3
    y = (x[:, 0] + rng.normal(size=60) > 3).astype(int)

    def pull(z):
        p = 1 / (1 + np.exp(-z))
        each = np.logaddexp(0, z) - y[:, None] * z
        return each.mean(), (p - y[:, None]) / len(y)

    found = bottom(with_one(x), pull, 0.01, 1)
    theirs = LogisticRegression(C=1 / (0.01 * 60), tol=1e-9).fit(x, y)
    np.testing.assert_allclose(found[:-1, 0], theirs.coef_[0], atol=1e-5)
    np.testing.assert_allclose(found[-1], theirs.intercept_, atol=1e-4)


def test_more_columns_than_one():
    target = np.eye(3)
    x = with_one(np.arange(3.0)[:, None])

    def pull(z):
        return np.sum((z - target) ** 2) / 2, z - target

    found = bottom(x, pull, 1e-9, 3)
    line = np.linalg.lstsq(x, target, rcond=None)[0]
    np.testing.assert_allclose(found, line, atol=1e-5)
