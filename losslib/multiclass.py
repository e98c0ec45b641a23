r"""Cross-entropy of classes that exclude each other, :math:`\mathrm{KL}(y\|\mathrm{softmax}(z))`.

The chapter *Cross-entropy* derives both functions from identity (M) and reads this file.
"""

from __future__ import annotations

from losslib._array import (
    Array,
    along_classes,
    cast,
    class_axis,
    library,
    lift,
    log,
    namespace,
    pick,
    times,
)
from losslib._checks import (
    check_class_weight,
    check_classification,
    check_floating,
    check_unit_interval,
    check_vectors,
    given,
)
from losslib.logits import below_max
from losslib.objective import Reduction, reduce


def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    r"""Cross-entropy of softmax with class indices or class probabilities.

    .. math:: \ell = -\sum_c w_c\,y_c \log \hat y_c, \qquad
              \hat y = \mathrm{softmax}(z), \qquad
              y \leftarrow (1-\varepsilon)\,y + \varepsilon/C.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating.
    target : array, shape () or (N, d1, …), or the shape of `input`
        Class indices of any integer dtype, or class probabilities :math:`y`, real floating.
    weight : array, shape (C), optional
        Weights :math:`w` of the classes.
    ignore_index : int
        Samples with this class index count nowhere. Class probabilities know no such index.
    reduction : {"none", "mean", "sum"}
        With class indices the mean divides by the sum of the weights of the targets, with class
        probabilities by the number of samples.
    label_smoothing : float
        :math:`\varepsilon` in [0, 1]: the part of the target that goes to all classes alike. With
        class indices the smoothed term is weighted by each class, the mean still divides by the
        weights of the targets.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of the samples for "none", else a scalar array. The
        mean over no sample is nan.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index or a probability is out of range, `label_smoothing`
        is outside [0, 1], `reduction` is unknown, or `ignore_index` is set for probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]])
    >>> print(cross_entropy(logits, np.array([0, 1, 1]), reduction="none").round(4))
    [1.3133 0.1269 0.1269]

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    Szegedy et al. (2016), Rethinking the Inception architecture (label smoothing).
    """
    namespace(input=input, target=target, **given(weight=weight))
    if not 0 <= label_smoothing <= 1:
        raise ValueError(
            f"label_smoothing must be in [0, 1], got {label_smoothing!r}"
        )
    if _holds_probabilities(input, target):
        return _soft_cross_entropy(
            input, target, weight, ignore_index, reduction, label_smoothing
        )
    xp, target = check_classification(input, target, weight, ignore_index)
    margins, log_sum = _margins(input)
    own, kept = _class_weight(input, target, weight, ignore_index)
    chosen = xp.where(kept, target, 0)
    loss = log_sum - pick(margins, chosen)
    if label_smoothing:
        spread = _weighted_mean(log_sum, margins, weight)
        loss = (1 - label_smoothing) * own * loss + label_smoothing * spread
    elif weight is not None:
        loss = own * loss
    loss = xp.where(kept, loss, 0.0)
    return reduce(loss, reduction, weight=own, like=input)


def nll_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Array:
    r"""Negative log-likelihood :math:`-w_t\,x_t` of log-probabilities :math:`x`.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Log-probabilities :math:`x`, real floating, such as `log_softmax` returns. Nothing is
        normalised here: raw scores give minus the score of the target.
    target : array, shape () or (N, d1, …)
        Class indices, any integer dtype.
    weight : array, shape (C), optional
        Weights :math:`w` of the classes.
    ignore_index : int
        Samples with this class index count nowhere.
    reduction : {"none", "mean", "sum"}
        The mean divides by the sum of the weights of the targets.

    Returns
    -------
    array
        Dtype of `input`: the shape of `target` for "none", else a scalar array. The mean over no
        sample is nan.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> log_p = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    >>> print(nll_loss(log_p, np.array([0, 1]), reduction="none").round(4))
    [1.3863 0.6931]

    References
    ----------
    Fisher (1922), On the mathematical foundations of theoretical statistics.
    """
    xp, target = check_classification(input, target, weight, ignore_index)
    own, kept = _class_weight(input, target, weight, ignore_index)
    loss = -pick(lift(input), xp.where(kept, target, 0))
    if weight is not None:
        loss = own * loss
    return reduce(
        xp.where(kept, loss, 0.0), reduction, weight=own, like=input
    )


def _soft_cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: Reduction,
    label_smoothing: float,
) -> Array:
    check_floating(input=input, **given(weight=weight))
    check_vectors(input=input)
    xp, axis = library(input), class_axis(input)
    check_unit_interval(target=target)
    check_class_weight(weight, input.shape[axis])
    if ignore_index >= 0:
        raise ValueError(
            f"ignore_index needs class indices in target, got {ignore_index}"
        )
    margins, log_sum = _margins(input)
    y = cast(target, margins.dtype)
    if label_smoothing:
        y = (1 - label_smoothing) * y + label_smoothing / input.shape[axis]
    if weight is not None:
        y = y * along_classes(cast(weight, y.dtype), y)
    pull = times(y, margins)  # 0·log 0 = 0
    loss = xp.sum(y, axis=axis) * log_sum - xp.sum(pull, axis=axis)
    return reduce(loss, reduction, like=input)


def _holds_probabilities(input: Array, target: Array) -> bool:
    same_shape = tuple(target.shape) == tuple(input.shape)
    floating = library(target).isdtype(target.dtype, "real floating")
    return same_shape and bool(floating)


def _margins(input: Array) -> tuple[Array, Array]:
    """Return every logit less the largest, and the log-sum-exp of those."""
    xp, axis = library(input), class_axis(input)
    margins, _ = below_max(lift(input), axis)
    return margins, log(xp.sum(xp.exp(margins), axis=axis))


def _class_weight(
    input: Array, target: Array, weight: Array | None, ignore_index: int
) -> tuple[Array, Array]:
    """Return the weight of each sample, 0 where it is ignored, and the mask of the others."""
    xp = library(input)
    kept = target != ignore_index
    dtype = lift(input).dtype
    if weight is None:
        return cast(kept, dtype), kept
    index = xp.where(kept, target, 0)
    own = xp.take(cast(weight, dtype), xp.reshape(index, (-1,)), axis=0)
    own = xp.reshape(own, tuple(target.shape))
    return xp.where(kept, own, 0.0), kept


def _weighted_mean(
    log_sum: Array, margins: Array, weight: Array | None
) -> Array:
    """Return the mean over the classes of the weighted cross-entropies."""
    xp, axis = library(margins), class_axis(margins)
    if weight is None:
        return log_sum - xp.mean(margins, axis=axis)
    w = cast(weight, margins.dtype)
    return log_sum * xp.mean(w) - xp.mean(
        along_classes(w, margins) * margins, axis=axis
    )
