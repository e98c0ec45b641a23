r"""Softer targets and bounded pulls: label smoothing, and losses for labels that may be wrong.

Smoothing is cross-entropy to a mixed target. `cross_entropy` has it as ``label_smoothing``, and
here are the target itself and the losses that the chapter *Label smoothing* compares with it.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    cast,
    class_axis,
    library,
    lift,
    one_hot,
    pick,
    stop_gradient,
)
from losslib._checks import check_classification
from losslib.logits import log_softmax
from losslib.objective import Reduction, reduce


def smooth_labels(
    input: Array, target: Array, label_smoothing: float = 0.1
) -> Array:
    r"""Target distribution :math:`(1-\varepsilon)\,y+\varepsilon/n` of class indices.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        The scores that the target is meant for, real floating. Only their shape, dtype and device
        count.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype; :math:`y` is 1 at the target, else 0.
    label_smoothing : float
        :math:`\varepsilon` in [0, 1]: the part that goes to all classes alike.

    Returns
    -------
    array
        Shape and dtype of `input`: :math:`1-\varepsilon+\varepsilon/n` at the target,
        :math:`\varepsilon/n` elsewhere.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, or `label_smoothing` is outside
        [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> print(smooth_labels(np.zeros(4), np.array(1), 0.1))
    [0.025 0.925 0.025 0.025]

    References
    ----------
    Szegedy et al. (2016), Rethinking the Inception architecture for computer vision.
    """
    _check_share(label_smoothing=label_smoothing)
    _, classes = check_classification(input, target, ignore_index=None)
    y = one_hot(classes, lift(input))
    n = input.shape[class_axis(input)]
    smooth = (1 - label_smoothing) * y + label_smoothing / n
    return cast(smooth, input.dtype)


def confidence_penalty_loss(
    input: Array,
    target: Array,
    *,
    beta: float = 0.1,
    reduction: Reduction = "mean",
) -> Array:
    r"""Cross-entropy that rewards doubt, :math:`-\log\hat y_t-\beta\,H(\hat y)`.

    Up to the constant :math:`\beta\log n` it is cross-entropy and :math:`\beta` times the KL from
    the prediction to the uniform distribution; label smoothing has that KL the other way round.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    beta : float
        The strength :math:`\beta\ge0` of the penalty.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array. It may be
        negative, never below :math:`-\beta\log n`.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `beta` is negative, or `reduction`
        is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(1)
    >>> print(f"{confidence_penalty_loss(z, t, beta=0.5):.4f}")
    0.0222

    References
    ----------
    Pereyra et al. (2017), Regularizing neural networks by penalizing confident output
    distributions.
    """
    if not beta >= 0:
        raise ValueError(f"beta must be at least 0, got {beta!r}")
    log_p, log_p_t = _log_probabilities(input, target)
    loss = -log_p_t - beta * _entropy(log_p)
    return reduce(loss, reduction, like=input)


def generalized_cross_entropy(
    input: Array,
    target: Array,
    *,
    q: float = 0.7,
    reduction: Reduction = "mean",
) -> Array:
    r"""Generalised cross-entropy :math:`(1-\hat y_t^{\,q})/q`, a negative Box–Cox transform.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    q : float
        In [0, 1]. 0 is the limit, cross-entropy; 1 is :math:`1-\hat y_t`, half the absolute error
        between the prediction and the one-hot target.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        Dtype of `input`, in [0, 1/q]: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `q` is outside [0, 1], or
        `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(0)
    >>> print(f"{generalized_cross_entropy(z, t):.4f}")
    0.8589

    References
    ----------
    Zhang and Sabuncu (2018), Generalized cross entropy loss for training deep neural networks with
    noisy labels.
    """
    _check_share(q=q)
    _, log_p_t = _log_probabilities(input, target)
    loss = -library(input).expm1(q * log_p_t) / q if q else -log_p_t
    return reduce(loss, reduction, like=input)


def symmetric_cross_entropy(
    input: Array,
    target: Array,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Cross-entropy and its mirror image, :math:`\alpha\,H(y,\hat y)+\beta\,H(\hat y,y)`.

    .. math:: \ell = -\alpha\log\hat y_t - \beta A\,(1-\hat y_t)

    The mirror image, reverse cross-entropy, meets the logarithm of 0 at every class but the
    target, where a constant :math:`A<0` replaces it.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    alpha, beta : float
        The weights of the two parts, at least 0.
    log_zero : float
        :math:`A`, below 0. Only the product :math:`\beta A` matters.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `alpha` or `beta` is negative,
        `log_zero` is not below 0, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(0)
    >>> print(f"{symmetric_cross_entropy(z, t):.4f}")
    3.0556

    References
    ----------
    Wang et al. (2019), Symmetric cross entropy for robust learning with noisy labels.
    """
    for name, value in {"alpha": alpha, "beta": beta}.items():
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value!r}")
    if not log_zero < 0:
        raise ValueError(f"log_zero must be below 0, got {log_zero!r}")
    _, log_p_t = _log_probabilities(input, target)
    rest = -library(input).expm1(log_p_t)  # 1 - p_t
    loss = -alpha * log_p_t - beta * log_zero * rest
    return reduce(loss, reduction, like=input)


def bootstrap_loss(
    input: Array,
    target: Array,
    *,
    beta: float = 0.95,
    hard: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""Bootstrapping: cross-entropy to a mixture of the label and the model's own prediction.

    .. math:: \ell = -\sum_k\bigl(\beta\,y_k+(1-\beta)\,m_k\bigr)\log\hat y_k, \qquad
              m=\hat y \;\text{(soft), or one-hot at}\; \arg\max_k z_k \;\text{(hard)}

    The soft form is :math:`\beta` times cross-entropy and :math:`1-\beta` times the entropy of the
    prediction. Its gradient goes through :math:`m` too: held constant, :math:`m=\hat y` would only
    scale the gradient of cross-entropy by :math:`\beta`.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices, any integer dtype.
    beta : float
        :math:`\beta` in [0, 1], the trust in the label. The paper has 0.95 (soft), 0.8 (hard).
    hard : bool
        Believe the most probable class (the first of equals) instead of the whole prediction.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `beta` is outside [0, 1], or
        `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(0)
    >>> print(f"{bootstrap_loss(z, t, beta=0.8, hard=True):.4f}")
    1.1133

    References
    ----------
    Reed et al. (2015), Training deep neural networks on noisy labels with bootstrapping.
    """
    _check_share(beta=beta)
    log_p, log_p_t = _log_probabilities(input, target)
    if hard:
        best = library(input).argmax(
            stop_gradient(log_p), axis=class_axis(log_p)
        )
        own = -pick(log_p, best)
    else:
        own = _entropy(log_p)
    return reduce(-beta * log_p_t + (1 - beta) * own, reduction, like=input)


def _check_share(**options: float) -> None:
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value!r}")


def _log_probabilities(input: Array, target: Array) -> tuple[Array, Array]:
    """Return the log-probabilities of all classes, and those of the targets."""
    _, classes = check_classification(input, target, ignore_index=None)
    log_p = log_softmax(lift(input), class_axis(input))
    return log_p, pick(log_p, classes)


def _entropy(log_p: Array) -> Array:
    """Return the entropy of log-probabilities; a class that cannot happen adds 0."""
    xp = library(log_p)
    happens = xp.where(log_p == -math.inf, 0.0, log_p)
    return -xp.sum(xp.exp(log_p) * happens, axis=class_axis(log_p))
