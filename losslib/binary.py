r"""Binary cross-entropy: the KL divergence between two Bernoulli distributions.

The chapter *Binary cross-entropy* derives the three functions and reads this file.
"""

from __future__ import annotations

from typing import Any

from losslib._array import (
    Array,
    cast,
    library,
    lift,
    log,
    log1p,
    namespace,
    stop_gradient,
    times,
)
from losslib._checks import (
    check_broadcasts,
    check_floating,
    check_real,
    check_same_shape,
    check_unit_interval,
    given,
)
from losslib.logits import softplus
from losslib.objective import Reduction, reduce


def binary_cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""Binary cross-entropy of probabilities, with its logarithms held at -100 or above.

    .. math:: \ell = -w\,\bigl[y\log p + (1-y)\log(1-p)\bigr]

    From logits, use `binary_cross_entropy_with_logits`: it loses no digits. The gradient is that
    of PyTorch, :math:`(p-y)/\max(p(1-p),10^{-12})`, finite at 0 and 1.

    Parameters
    ----------
    input : array, any shape
        Probabilities :math:`p`, real floating, in [0, 1].
    target : array, shape of `input`
        Labels or probabilities :math:`y` in [0, 1], any real dtype or bool.
    weight : array, broadcasts to the shape of `input`, optional
        A weight per element.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements, whatever the weights are.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a value of `input` or `target` is outside [0, 1], or `reduction` is
        unknown.

    Examples
    --------
    >>> import numpy as np
    >>> print(binary_cross_entropy(np.array([0.5, 0.9]), np.array([1.0, 1.0])).round(4))
    0.3993

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    """
    xp = _check_binary(input, target, weight=weight)
    check_unit_interval(input=input, target=target)
    p = lift(input)
    y = cast(target, p.dtype)
    held = stop_gradient(p)
    edge = held * (1 - held) < 1e-12
    inside = xp.where(edge, held, p)
    log_p = xp.clip(log(inside), -100.0, 0.0)
    log_rest = xp.clip(log1p(-inside), -100.0, 0.0)
    loss = -y * log_p - (1 - y) * log_rest
    rise = (held - y) * ((p - held) / 1e-12)  # 0, with PyTorch's slope
    loss = xp.where(edge, loss + rise, loss)
    return reduce(_weighted(loss, weight), reduction, like=input)


def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: Reduction = "mean",
    pos_weight: Array | None = None,
) -> Array:
    r"""Binary cross-entropy of the sigmoid of logits.

    .. math:: \ell = w\,\bigl[w_+\,y\log(1+e^{-z}) + (1-y)\log(1+e^{z})\bigr]

    Parameters
    ----------
    input : array, any shape
        Logits :math:`z`, real floating.
    target : array, shape of `input`
        Labels or probabilities :math:`y` in [0, 1], any real dtype or bool.
    weight : array, broadcasts to the shape of `input`, optional
        A weight per element.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements, whatever the weights are.
    pos_weight : array, broadcasts to the shape of `input`, optional
        :math:`w_+`, the weight of the positive part only.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a value of `target` is outside [0, 1], or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    >>> print(binary_cross_entropy_with_logits(z, y, reduction="none").round(4))
    [0.3133 2.1269]

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    """
    _check_binary(input, target, weight=weight, pos_weight=pos_weight)
    check_unit_interval(target=target)
    z = lift(input)
    y = cast(target, z.dtype)
    if pos_weight is not None:
        pos_weight = cast(pos_weight, z.dtype)
    loss = bernoulli_nll(z, y, pos_weight)
    return reduce(_weighted(loss, weight), reduction, like=input)


def soft_margin_loss(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Logistic loss of the margin, :math:`\log(1+e^{-yz})` with labels of -1 and 1.

    Parameters
    ----------
    input : array, any shape
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, -1 or 1, any real dtype. Other values scale the score.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([1.0, -200.0]), np.array([1, 1])
    >>> print(soft_margin_loss(z, y, reduction="none").round(2))
    [  0.31 200.  ]

    References
    ----------
    Friedman, Hastie and Tibshirani (2000), Additive logistic regression.
    """
    _check_binary(input, target)
    z = lift(input)
    return reduce(
        softplus(-cast(target, z.dtype) * z), reduction, like=input
    )


def bernoulli_nll(
    z: Array, y: Array, pos_weight: Array | None = None
) -> Array:
    """Return pos_weight · y · softplus(-z) + (1 - y) · softplus(z), to all digits of both.

    Each softplus is the tail log(1 + exp(-|z|)), and |z| besides if z is on its wrong side.
    """
    xp, above = library(z), cast(z > 0, z.dtype)
    side = 1 - 2 * above
    low = z * side  # -|z|
    tail = log1p(xp.exp(low))
    if pos_weight is None:
        return tail - times(above + side * y, low)
    positive, negative = y * pos_weight, 1 - y
    wrong = (1 - above) * positive + above * negative
    return (positive + negative) * tail - times(wrong, low)


def _check_binary(
    input: Array, target: Array, **optional: Array | None
) -> Any:
    weights = given(**optional)
    xp = namespace(input=input, target=target, **weights)
    check_floating(input=input)
    check_real(target=target)
    check_floating(**weights)
    check_same_shape(input=input, target=target)
    check_broadcasts(tuple(input.shape), **weights)
    return xp


def _weighted(loss: Array, weight: Array | None) -> Array:
    return loss if weight is None else loss * cast(weight, loss.dtype)
