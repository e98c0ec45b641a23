r"""Focal loss and its relatives: cross-entropy reshaped by how sure the model is of the target.

With the lead :math:`u = z_t - \log\sum_{k\ne t}e^{z_k}` of the target, its probability is
:math:`\sigma(u)`: every loss here is one function of one number. The chapter *Focal loss* derives
them and reads this file.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    cast,
    class_axis,
    library,
    lift,
    log,
    namespace,
    one_hot,
    pick,
    stop_gradient,
)
from losslib._checks import (
    check_classification,
    check_floating,
    check_real,
    check_same_shape,
    check_unit_interval,
)
from losslib.binary import binary_cross_entropy_with_logits
from losslib.logits import below_max, logsumexp, sigmoid, softplus
from losslib.multiclass import _class_weight
from losslib.objective import Reduction, reduce


def focal_loss(
    input: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Array:
    r"""Focal loss of softmax with class indices.

    .. math:: \ell = -w_t\,(1-\hat y_t)^\gamma\log\hat y_t, \qquad \hat y = \mathrm{softmax}(z)

    With :math:`\gamma=0` it is `cross_entropy`. The factor is computed from the logits, as
    :math:`e^{\gamma\log(1-\hat y_t)}`: its gradient is finite where :math:`\hat y_t` rounds to 1.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    gamma : float
        :math:`\gamma\ge0`: how much less a sample counts that the model is sure of.
    weight : array, shape (C), optional
        Weights :math:`w` of the classes, such as those of the class-balanced focal loss.
    ignore_index : int
        Samples with this class index count nowhere.
    reduction : {"none", "mean", "sum"}
        The mean divides by the sum of the weights of the targets, as in `cross_entropy`.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array. The mean
        over no sample is nan.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `gamma` is negative, or `reduction`
        is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]])
    >>> print(focal_loss(logits, np.array([0, 1, 1]), reduction="none").round(4))
    [0.7019 0.0018 0.0018]

    References
    ----------
    Lin et al. (2017), Focal loss for dense object detection.
    """
    _check_not_negative(gamma=gamma)
    xp, target = check_classification(input, target, weight, ignore_index)
    own, kept = _class_weight(input, target, weight, ignore_index)
    lead = _lead(input, xp.where(kept, target, 0))
    loss = _modulated(softplus(-lead), -softplus(lead), gamma)
    return reduce(
        xp.where(kept, own * loss, 0.0), reduction, weight=own, like=input
    )


def sigmoid_focal_loss(
    input: Array,
    target: Array,
    *,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Focal loss of the sigmoid of logits, a yes or no for each.

    .. math:: \ell = \alpha_t\,(1-p_t)^\gamma\,\mathrm{BCE}, \qquad
              p_t = yp + (1-y)(1-p), \qquad
              \alpha_t = y\alpha + (1-y)(1-\alpha), \qquad p = \sigma(z)

    The function of torchvision, except that the reduction is "mean" unless another is asked for.

    Parameters
    ----------
    input : array, any shape
        Logits :math:`z`, real floating.
    target : array, shape of `input`
        Labels or probabilities :math:`y` in [0, 1], any real dtype or bool; a constant, no
        gradient flows to it.
    alpha : float or None
        Weight :math:`\alpha` of the positives in [0, 1], the negatives have :math:`1-\alpha`;
        None or -1 for no weights.
    gamma : float
        :math:`\gamma\ge0`: how much less a label counts that the model is sure of.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a value of `target` or `alpha` is out of range, `gamma` is
        negative, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([0.0, 0.0, 4.0]), np.array([1.0, 0.0, 1.0])
    >>> print(sigmoid_focal_loss(z, y, reduction="none").round(4))
    [0.0433 0.13   0.    ]

    References
    ----------
    Lin et al. (2017), Focal loss for dense object detection.
    """
    _check_not_negative(gamma=gamma)
    if alpha not in (None, -1) and not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha must be in [0, 1], or None or -1 for no weights, got {alpha!r}"
        )
    z, y = _check_labels(input, target)
    cost = binary_cross_entropy_with_logits(z, y, reduction="none")
    loss = _modulated(cost, _log_rest(z, y), gamma)
    if alpha is not None and alpha >= 0:
        loss = (alpha * y + (1 - alpha) * (1 - y)) * loss
    return reduce(loss, reduction, like=input)


def poly_loss(
    input: Array,
    target: Array,
    *,
    epsilon: float = 2.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Array:
    r"""Poly-1: cross-entropy with another first coefficient in its powers of :math:`1-\hat y_t`.

    .. math:: \ell = w_t\bigl[-\log\hat y_t + \epsilon\,(1-\hat y_t)\bigr],
              \qquad \hat y = \mathrm{softmax}(z)

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    epsilon : float
        What is added to the coefficient 1 of the first power; below -1 the loss would reward doubt.
    weight : array, shape (C), optional
        Weights :math:`w` of the classes.
    ignore_index : int
        Samples with this class index count nowhere.
    reduction : {"none", "mean", "sum"}
        The mean divides by the sum of the weights of the targets, as in `cross_entropy`.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array. The mean
        over no sample is nan.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `epsilon` is below -1, or
        `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]])
    >>> print(poly_loss(logits, np.array([0, 1, 1]), reduction="none").round(4))
    [2.7754 0.3653 0.3653]

    References
    ----------
    Leng et al. (2022), PolyLoss: a polynomial expansion perspective of classification losses.
    """
    if not epsilon >= -1:
        raise ValueError(f"epsilon must be at least -1, got {epsilon!r}")
    xp, target = check_classification(input, target, weight, ignore_index)
    own, kept = _class_weight(input, target, weight, ignore_index)
    lead = _lead(input, xp.where(kept, target, 0))
    loss = softplus(-lead) + epsilon * sigmoid(-lead)
    return reduce(
        xp.where(kept, own * loss, 0.0), reduction, weight=own, like=input
    )


def asymmetric_loss(
    input: Array,
    target: Array,
    *,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    clip: float = 0.05,
    reduction: Reduction = "mean",
) -> Array:
    r"""Asymmetric loss of many labels: a power each for positives and negatives, and a blind spot.

    .. math:: \ell = -y\,(1-p)^{\gamma_+}\log p - (1-y)\,p_m^{\gamma_-}\log(1-p_m), \qquad
              p_m = \max(p-m,\,0), \qquad p = \sigma(z)

    Parameters
    ----------
    input : array, any shape
        Logits :math:`z`, real floating.
    target : array, shape of `input`
        Labels or probabilities :math:`y` in [0, 1], any real dtype or bool; a constant, no
        gradient flows to it.
    gamma_pos, gamma_neg : float
        The powers :math:`\gamma_+,\gamma_-\ge0` of the positives and of the negatives.
    clip : float
        The margin :math:`m` in [0, 1): negatives of a probability up to it cost nothing.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements; the authors' code sums.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a value of `target` or `clip` is out of range, a power is negative,
        or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([0.0, 0.0, -4.0]), np.array([1.0, 0.0, 0.0])
    >>> print(asymmetric_loss(z, y, reduction="none").round(4))
    [0.3466 0.0245 0.    ]

    References
    ----------
    Ben-Baruch et al. (2021), Asymmetric loss for multi-label classification.
    """
    _check_not_negative(gamma_pos=gamma_pos, gamma_neg=gamma_neg)
    if not 0 <= clip < 1:
        raise ValueError(f"clip must be in [0, 1), got {clip!r}")
    z, y = _check_labels(input, target)
    xp = library(z)
    miss = _modulated(softplus(-z), -softplus(z), gamma_pos)
    alarm = _false_alarm(z, gamma_neg, clip)
    loss = y * xp.where(y > 0, miss, 0.0)
    loss = loss + (1 - y) * xp.where(y < 1, alarm, 0.0)
    return reduce(loss, reduction, like=input)


def _check_not_negative(**powers: float) -> None:
    for name, value in powers.items():
        if not value >= 0:
            raise ValueError(
                f"{name} must be a number of at least 0, got {value!r}"
            )


def _check_labels(input: Array, target: Array) -> tuple[Array, Array]:
    """Return the logits and the labels, both in the dtype in which the loss is computed."""
    namespace(input=input, target=target)
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    check_unit_interval(target=target)
    z = lift(input)
    return z, stop_gradient(cast(target, z.dtype))


def _lead(input: Array, target: Array) -> Array:
    """Return z_t less the log-sum-exp of all other logits; infinity where there are none."""
    xp, axis, z = library(input), class_axis(input), lift(input)
    rivals = xp.where(one_hot(target, z) > 0, -math.inf, z)
    shifted, top = below_max(rivals, axis)
    total = xp.sum(xp.exp(shifted), axis=axis)
    alone = total == 0
    best = log(xp.where(alone, 1.0, total)) + xp.squeeze(top, axis=axis)
    return pick(z, target) - xp.where(alone, -math.inf, best)


def _log_rest(z: Array, y: Array) -> Array:
    """Return log(1 - p_t), which is log(y (1 - p) + (1 - y) p)."""
    terms = [log(y) - softplus(z), log(1 - y) - softplus(-z)]
    return logsumexp(library(z).stack(terms, axis=-1))


def _modulated(cost: Array, log_rest: Array, gamma: float) -> Array:
    """Return the cost times (1 - p)^gamma, from log(1 - p): no slope is taken at 0^gamma."""
    if not gamma:
        return cost
    xp = library(cost)
    hopeless = cost == math.inf  # there the factor is 1, with slope 0
    return xp.exp(gamma * xp.where(hopeless, 0.0, log_rest)) * cost


def _false_alarm(z: Array, gamma: float, clip: float) -> Array:
    """Return the cost of a negative, 0 where its probability is at most `clip`."""
    if not clip:
        return _modulated(softplus(z), -softplus(-z), gamma)
    xp, p = library(z), sigmoid(z)
    seen = p > clip
    p_m = xp.where(seen, p - clip, 0.5)
    return xp.where(seen, _modulated(-xp.log1p(-p_m), log(p_m), gamma), 0.0)
