r"""Softer targets: label smoothing, and the penalty on confidence.

`cross_entropy` has smoothing as ``label_smoothing``; here is its target. The chapter *Label
smoothing* derives both and reads this file.
"""

from __future__ import annotations

import math

from losslib._array import Array, cast, library, one_hot, pick
from losslib._checks import check_at_least, check_between
from losslib._classes import (
    entropy_of,
    log_probabilities,
    samples_of,
    smooth,
)
from losslib.objective import Reduction


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

    See Also
    --------
    cross_entropy : takes the share as ``label_smoothing``.
    confidence_penalty_loss : rewards doubt, without a target.

    Notes
    -----
    Gradient: none, the target is a constant.

    Examples
    --------
    >>> import numpy as np
    >>> print(smooth_labels(np.zeros(4), np.array(1), 0.1))
    [0.025 0.925 0.025 0.025]

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), Rethinking the Inception architecture for
    computer vision. https://doi.org/10.1109/CVPR.2016.308
    """
    check_between(0, 1, label_smoothing=label_smoothing)
    s = samples_of(input, target)
    y = one_hot(s.index, s.scores)
    y = smooth(y, label_smoothing, input.shape[s.axis])
    if s.hidden is not None:
        xp = library(y)
        y = xp.where(xp.expand_dims(s.hidden, axis=s.axis), math.nan, y)
    return cast(y, input.dtype)


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

    See Also
    --------
    cross_entropy : the loss for a beta of 0.
    smooth_labels : the target of label smoothing.
    entropy : what is rewarded.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial z_k=\hat y_k-y_k+\beta\,\hat y_k\,(\log\hat y_k+H(\hat
    y))`.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(1)
    >>> print(f"{confidence_penalty_loss(z, t, beta=0.5):.4f}")
    0.0222

    References
    ----------
    Pereyra, Tucker, Chorowski, Kaiser and Hinton (2017), Regularizing neural networks by penalizing
    confident output distributions. https://arxiv.org/abs/1701.06548
    """
    check_at_least(0, beta=beta)
    s = samples_of(input, target)
    log_p = log_probabilities(s.scores)
    loss = -pick(log_p, s.index) - beta * entropy_of(log_p)
    return s.reduce(loss, reduction)
