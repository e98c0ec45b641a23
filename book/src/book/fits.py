"""Linear models at the minimum of their cost, fast enough to be fitted many times on a page.

Usage: ``from book.fits import bottom, with_one``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize

Pull = Callable[[np.ndarray[Any, Any]], tuple[float, np.ndarray[Any, Any]]]


def with_one(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Append a column of ones, which is multiplied by the bias.

    Examples
    --------
    >>> with_one(np.zeros((2, 1)))
    array([[0., 1.],
           [0., 1.]])
    """
    return np.append(x, np.ones((len(x), 1)), axis=1)


def bottom(
    x: np.ndarray[Any, Any],
    pull: Pull,
    penalty: float,
    columns: int = 10,
    *,
    steps: int = 200,
) -> np.ndarray[Any, Any]:
    r"""Find the weights :math:`W` with the least cost of the scores :math:`xW`, plus a penalty.

    The penalty is :math:`\tfrac\lambda2\|W\|^2` without the last row, the bias, which is free. The
    inputs are decorrelated first; that moves no minimum and saves most of the steps.

    Parameters
    ----------
    x : array, shape (N, d)
        The inputs; the last column is 1.
    pull : callable
        Gives the cost of scores of shape (N, n), and its slope along each of them.
    penalty : float
        The strength :math:`\lambda` of the penalty, above 0.
    columns : int
        How many scores a sample has, n.
    steps : int
        The most steps of L-BFGS.

    Returns
    -------
    array
        The weights, shape (d, n).

    Examples
    --------
    >>> x = with_one(np.array([[0.0], [1.0], [2.0]]))
    >>> def square(z):
    ...     gap = z - np.array([[1.0], [2.0], [3.0]])
    ...     return (gap**2).sum() / 2, gap
    >>> print(bottom(x, square, 1e-9, 1).round(3).ravel())
    [1. 1.]
    """
    free = np.append(np.ones(x.shape[1] - 1), 0.0)[:, None]
    bend = x.T @ x / (4 * len(x)) + np.diag(penalty * free[:, 0] + 1e-9)
    mix = np.linalg.inv(np.linalg.cholesky(bend)).T
    shape = (x.shape[1], columns)

    def objective(v: np.ndarray[Any, Any]) -> tuple[float, Any]:
        weights = mix @ v.reshape(shape)
        cost, slope = pull(x @ weights)
        drag = penalty * free * weights
        return (
            cost + np.sum(drag * weights) / 2,
            (mix.T @ (x.T @ slope + drag)).ravel(),
        )

    found = minimize(
        objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B",
        options={"maxiter": steps, "ftol": 1e-10, "gtol": 1e-6},
    )  # fmt: skip
    weights: np.ndarray[Any, Any] = mix @ found.x.reshape(shape)
    return weights
