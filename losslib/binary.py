r"""Binary cross-entropy: the KL divergence between two Bernoulli distributions.

The chapter *Binary cross-entropy* derives the three functions and reads this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from losslib._array import (
    Array,
    cast,
    library,
    log,
    log1p,
    stop_gradient,
    times,
)
from losslib._checks import elements, probabilities
from losslib.logits import softplus
from losslib.objective import Reduction, reduce, weighted


def binary_cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: Reduction = "mean",
    mask: Array | None = None,
) -> Array:
    r"""Binary cross-entropy of probabilities, with its logarithms held at -100 or above.

    .. math:: \ell = -w\,\bigl[y\log p + (1-y)\log(1-p)\bigr]

    From logits, use `binary_cross_entropy_with_logits`: it loses no digits.

    Parameters
    ----------
    input : array, any shape
        Probabilities :math:`p`, real floating, in [0, 1].
    target : array, shape of `input`
        Labels or probabilities :math:`y` in [0, 1], any real dtype or bool.
    weight : array, broadcasts to the shape of `input`, optional
        A weight :math:`w` per element; one of 0 silences whatever stands there.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements, whatever the weights are.
    mask : array of bool, broadcasts to the shape of `input`, optional
        Which elements count: where it is False, neither loss nor gradient nor the divisor of the
        mean know of the element, whatever stands there.

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

    See Also
    --------
    binary_cross_entropy_with_logits : the same of logits, to all digits.
    brier_score : a proper score without a logarithm.

    Notes
    -----
    Gradient: :math:`w\,\frac{p-y}{p\,(1-p)}`, the derivative of what is computed: a logarithm that
    is held, or of a number that is subnormal where it is computed, has none.

    Examples
    --------
    >>> import numpy as np
    >>> print(binary_cross_entropy(np.array([0.5, 0.9]), np.array([1.0, 1.0])).round(4))
    0.3993

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
    """
    p, y, w, kept = elements(
        input=input,
        target=target,
        weight=weight,
        mask=mask,
        labels=("target",),
        broadcast=("weight",),
    )
    p, y = probabilities(p, "input"), probabilities(y, "target")
    log_p, log_rest = _held(log, p, p), _held(log1p, -p, 1 - p)
    loss = weighted(-y * log_p - (1 - y) * log_rest, w, kept)
    return reduce(loss, reduction, weight=kept, like=input)


def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: Reduction = "mean",
    pos_weight: Array | float | None = None,
    mask: Array | None = None,
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
        A weight :math:`w` per element; one of 0 silences whatever stands there.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements, whatever the weights are.
    pos_weight : array that broadcasts to the shape of `input`, or float, optional
        :math:`w_+`, the weight of the positive part only.
    mask : array of bool, broadcasts to the shape of `input`, optional
        Which elements count: where it is False, neither loss nor gradient nor the divisor of the
        mean know of the element, whatever stands there.

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

    See Also
    --------
    binary_cross_entropy : the same of probabilities.
    soft_margin_loss : the same with labels of -1 and 1.
    sigmoid_focal_loss : the same, with what is easy weighted down.
    multilabel_soft_margin_loss : its mean over the labels of a sample.

    Notes
    -----
    Gradient: :math:`w\,\bigl[(1-y)\,\sigma(z)-w_+\,y\,\sigma(-z)\bigr]`; without weights
    :math:`\sigma(z)-y`.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    >>> print(binary_cross_entropy_with_logits(z, y, reduction="none").round(4))
    [0.3133 2.1269]

    In PyTorch, with labels of -100 where there is none:

    >>> import torch
    >>> z = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = torch.tensor([1, 0, -100])
    >>> loss = binary_cross_entropy_with_logits(z, y, mask=y != -100)
    >>> loss.backward()
    >>> print(loss.detach(), z.grad)
    tensor(1.2201) tensor([-0.1345,  0.4404,  0.0000])

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
    """
    z, y, w, w_pos, kept = elements(
        input=input,
        target=target,
        weight=weight,
        pos_weight=pos_weight,
        mask=mask,
        labels=("target",),
        broadcast=("weight", "pos_weight"),
    )
    y = probabilities(y, "target")
    loss = weighted(bernoulli_nll(z, y, w_pos), w, kept)
    return reduce(loss, reduction, weight=kept, like=input)


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

    See Also
    --------
    binary_cross_entropy_with_logits : the same with labels of 0 and 1.
    logistic_loss : the same, and any other label is refused.

    Notes
    -----
    Gradient: :math:`-y\,\sigma(-yz)`.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([1.0, -200.0]), np.array([1, 1])
    >>> print(soft_margin_loss(z, y, reduction="none").round(2))
    [  0.31 200.  ]

    References
    ----------
    Friedman, Hastie and Tibshirani (2000), Additive logistic regression: a statistical view of
    boosting. https://doi.org/10.1214/aos/1016218223
    """
    z, y = elements(input=input, target=target, labels=("target",))
    return reduce(softplus(-y * z), reduction, like=input)


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


def _held(logarithm: Callable[[Array], Array], x: Array, p: Array) -> Array:
    """Return log p, computed of x, or -100 if less: without slope, as where p is subnormal."""
    xp = library(x)
    tiny = float(xp.finfo(p.dtype).smallest_normal)
    held = p < max(tiny, math.exp(-100))
    log_p = logarithm(xp.where(held, stop_gradient(x), x))
    lowest = xp.clip(stop_gradient(log_p), -100.0, None)
    return xp.where(held, lowest, log_p)
