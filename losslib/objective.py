r"""From the loss of one sample to the objective that is minimised: reductions and penalties.

The chapter *Loss, cost, objective* derives both: the mean is the expectation under the empirical
distribution, and a penalty is the negative log-density of a prior.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from losslib._array import (
    Array,
    absolute,
    cast,
    library,
    lift,
    namespace,
    quotient,
)
from losslib._checks import (
    check_at_least,
    check_floating,
    check_same_shape,
    given,
)

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
        The result gets the dtype of this array; without it, that of `values`.

    Returns
    -------
    array
        In units of `values`, their dtype: their shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If `values` is no real floating array.
    ValueError
        If `weight` has another shape than `values`, or `reduction` is not one of the three.

    See Also
    --------
    l1_penalty, l2_penalty : what is added to a mean loss to make it an objective.

    Notes
    -----
    Sums are accumulated in float32 or better, whatever the dtype of `values`.

    Gradient: :math:`\partial\,\text{mean}/\partial\ell_i = 1/\sum_j w_j`, and 0 where the weights
    sum to 0.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.array([0.5, 1.0, 3.0])
    >>> print(reduce(losses), reduce(losses, "sum"), reduce(losses, "none"))
    1.5 4.5 [0.5 1.  3. ]

    References
    ----------
    Bottou, Curtis and Nocedal (2018), Optimization methods for large-scale machine learning,
    section 2. https://doi.org/10.1137/16M1080173
    """
    xp = namespace(values=values, **given(weight=weight))
    check_floating(values=values)
    check_same_shape(values=values, **given(weight=weight))
    result = lift(values)
    if reduction == "sum":
        result = xp.sum(result)
    elif reduction == "mean" and weight is None:
        result = quotient(xp.sum(result), math.prod(values.shape))
    elif reduction == "mean":
        total = xp.sum(cast(weight, result.dtype))
        result = _over(xp.sum(result), total)
    elif reduction != "none":
        raise ValueError(
            f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}"
        )
    return cast(result, values.dtype if like is None else like.dtype)


def weighted(loss: Array, *weights: Array | None) -> Array:
    """Return the losses times those of the weights that are not None."""
    for weight in weights:
        loss = loss if weight is None else loss * weight
    return loss


def _over(total: Array, weight: Array) -> Array:
    """Return total / weight; nan, with a gradient of 0, where nothing has a weight."""
    xp = library(total)
    nothing = weight == 0
    return xp.where(
        nothing, math.nan, total / xp.where(nothing, 1.0, weight)
    )


def l1_penalty(input: Array, strength: float = 1.0) -> Array:
    r"""L1 penalty :math:`\lambda\sum_j|w_j|`, the negative log of a Laplace prior.

    Parameters
    ----------
    input : array, any shape
        The parameters, real floating.
    strength : float
        :math:`\lambda\ge0`; beside a *sum* of losses in nats, the scale of the prior is
        :math:`1/\lambda`.

    Returns
    -------
    array
        In nats, a scalar array of the dtype of `input`.

    Raises
    ------
    TypeError
        If `input` is not a real floating array, or `strength` is no number.
    ValueError
        If `strength` is negative.

    See Also
    --------
    l2_penalty : the Gaussian prior, whose pull fades near 0.

    Notes
    -----
    Gradient: :math:`\lambda\,\operatorname{sign}(w)`, which is 0 at the kink :math:`w=0`.

    Examples
    --------
    >>> import numpy as np
    >>> print(l1_penalty(np.array([3.0, -4.0]), 0.1))
    0.7000000000000001

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso.
    https://doi.org/10.1111/j.2517-6161.1996.tb02080.x
    """
    weights = _parameters(input, strength)
    total = library(input).sum(absolute(weights))
    return cast(strength * total, input.dtype)


def l2_penalty(input: Array, strength: float = 1.0) -> Array:
    r"""L2 penalty :math:`\tfrac\lambda2\sum_j w_j^2`, the negative log of a Gaussian prior.

    The half makes its gradient :math:`\lambda w`: PyTorch's ``weight_decay`` in SGD and Adam.

    Parameters
    ----------
    input : array, any shape
        The parameters, real floating.
    strength : float
        :math:`\lambda\ge0`; beside a *sum* of losses in nats, the variance of the prior is
        :math:`1/\lambda`.

    Returns
    -------
    array
        In nats, a scalar array of the dtype of `input`.

    Raises
    ------
    TypeError
        If `input` is not a real floating array, or `strength` is no number.
    ValueError
        If `strength` is negative.

    See Also
    --------
    l1_penalty : the Laplace prior, which sets parameters to 0.

    Notes
    -----
    Gradient: :math:`\lambda w`.

    Examples
    --------
    >>> import numpy as np
    >>> print(l2_penalty(np.array([3.0, -4.0]), 0.5))
    6.25

    References
    ----------
    Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems.
    https://doi.org/10.1080/00401706.1970.10488634
    """
    weights = _parameters(input, strength)
    total = library(input).sum(weights * weights)
    return cast(0.5 * strength * total, input.dtype)


def _parameters(input: Array, strength: float) -> Array:
    namespace(input=input)
    check_floating(input=input)
    check_at_least(0, strength=strength)
    return lift(input)
