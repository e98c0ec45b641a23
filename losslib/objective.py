r"""From the loss of one sample to the objective that is minimised: reductions and penalties.

The chapter *Loss, cost, objective* derives both: the mean is the expectation under the empirical
distribution, and a penalty is the negative log-density of a prior.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

from losslib._array import Array, cast, lift, namespace, quotient
from losslib._checks import check_floating, given

Reduction: TypeAlias = Literal["none", "mean", "sum"]


def reduce(
    values: Array,
    reduction: Reduction = "mean",
    *,
    weight: Array | None = None,
    like: Array | None = None,
) -> Array:
    r"""Turn the losses of the samples into what is returned: all of them, their mean, their sum.

    .. math:: \text{mean} = \frac{\sum_i \ell_i}{\sum_i w_i},
              \qquad w_i = 1 \text{ unless weights are given.}

    Parameters
    ----------
    values : array, any shape
        The loss of each sample, already multiplied by its weight if it has one.
    reduction : {"none", "mean", "sum"}
        What to return. The mean of nothing is nan, as in PyTorch.
    weight : array, shape of `values`, optional
        The weights by which `values` were multiplied; the mean divides by their sum.
    like : array, optional
        The result gets the dtype of this array.

    Returns
    -------
    array
        Shape of `values` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If `values` is not an array.
    ValueError
        If `reduction` is not one of the three.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.array([0.5, 1.0, 3.0])
    >>> print(reduce(losses), reduce(losses, "sum"), reduce(losses, "none"))
    1.5 4.5 [0.5 1.  3. ]
    """
    xp = namespace(values=values, **given(weight=weight))
    if reduction == "sum":
        values = xp.sum(values)
    elif reduction == "mean":
        total = (
            math.prod(values.shape) if weight is None else xp.sum(weight)
        )
        values = quotient(xp.sum(values), total)
    elif reduction != "none":
        raise ValueError(
            f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}"
        )
    return values if like is None else cast(values, like.dtype)


def l1_penalty(input: Array, strength: float = 1.0) -> Array:
    r"""L1 penalty :math:`\lambda\sum_j|w_j|`, the negative log of a Laplace prior.

    Parameters
    ----------
    input : array, any shape
        The parameters, real floating.
    strength : float
        :math:`\lambda\ge0`; the scale of the prior is :math:`1/\lambda`.

    Returns
    -------
    array
        A scalar array of the dtype of `input`.

    Raises
    ------
    TypeError
        If `input` is not a real floating array.
    ValueError
        If `strength` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> print(l1_penalty(np.array([3.0, -4.0]), 0.1))
    0.7000000000000001

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso.
    """
    xp = _check_penalty(input, strength)
    return cast(strength * xp.sum(xp.abs(lift(input))), input.dtype)


def l2_penalty(input: Array, strength: float = 1.0) -> Array:
    r"""L2 penalty :math:`\tfrac\lambda2\sum_j w_j^2`, the negative log of a Gaussian prior.

    The half makes its gradient :math:`\lambda w`: PyTorch's ``weight_decay`` in SGD and Adam.

    Parameters
    ----------
    input : array, any shape
        The parameters, real floating.
    strength : float
        :math:`\lambda\ge0`; the variance of the prior is :math:`1/\lambda`.

    Returns
    -------
    array
        A scalar array of the dtype of `input`.

    Raises
    ------
    TypeError
        If `input` is not a real floating array.
    ValueError
        If `strength` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> print(l2_penalty(np.array([3.0, -4.0]), 0.5))
    6.25

    References
    ----------
    Hoerl and Kennard (1970), Ridge regression.
    """
    xp = _check_penalty(input, strength)
    weights = lift(input)
    return cast(0.5 * strength * xp.sum(weights * weights), input.dtype)


def _check_penalty(input: Array, strength: float) -> Any:
    xp = namespace(input=input)
    check_floating(input=input)
    if not strength >= 0:
        raise ValueError(
            f"strength must be a number of at least 0, got {strength!r}"
        )
    return xp
