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
    concrete,
    library,
    lift,
    log,
    namespace,
    poison,
    silence,
    stop_gradient,
    sum_along,
    times,
)
from losslib._checks import (
    check_at_least,
    check_between,
    check_broadcasts,
    check_floating,
    check_real,
    check_same_shape,
    check_sample_weight,
    check_unit_interval,
)
from losslib._classes import (
    best_class,
    is_class,
    lead,
    log_probabilities,
    samples_of,
    smooth,
)
from losslib.binary import bernoulli_nll
from losslib.logits import minus_abs, sigmoid, softplus
from losslib.objective import Reduction, reduce


def focal_loss(
    input: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
) -> Array:
    r"""Focal loss of softmax with class indices or class probabilities.

    .. math:: \begin{aligned}
              \ell &= -\sum_c w_c\,y_c\,(1-\hat y_c)^\gamma\log\hat y_c, \\
              \hat y &= \mathrm{softmax}(z), \qquad
              y \leftarrow (1-\varepsilon)\,y + \varepsilon/C.
              \end{aligned}

    With :math:`\gamma=0` it is `cross_entropy`. The factor is computed from the logits, as
    :math:`e^{\gamma\log(1-\hat y_c)}`: its gradient is finite where :math:`\hat y_c` rounds to 1.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating.
    target : array, shape () or (N, d1, …), or the shape of `input`
        Class indices of any integer dtype, or class probabilities :math:`y`, real floating.
    gamma : float
        :math:`\gamma\ge0`: how much less a sample counts that the model is sure of.
    weight : array, shape (C), optional
        Weights :math:`w` of the classes, such as those of the class-balanced focal loss.
    ignore_index : int
        Samples with this class index count nowhere.
    reduction : {"none", "mean", "sum"}
        The mean divides by the sum of the weights of the targets, as in `cross_entropy`.
    label_smoothing : float
        :math:`\varepsilon` in [0, 1]: the part of the target that goes to all classes alike.
    sample_weight : array, shape of the samples, optional
        A weight of each sample, real floating; the mean divides by the sum of all weights used.

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
        If shapes do not match, a class index or a probability is out of range, `gamma` is negative,
        `label_smoothing` is outside [0, 1], or `reduction` is unknown.

    See Also
    --------
    cross_entropy : the loss for a gamma of 0.
    sigmoid_focal_loss : the form for labels that do not exclude each other.
    poly_loss : another change of cross-entropy.
    effective_number_weight : weights for the classes.

    Notes
    -----
    Gradient: for one class that of cross-entropy, :math:`w_t(\hat y-y)`, times
    :math:`(1-\hat y_t)^\gamma-\gamma\,\hat y_t(1-\hat y_t)^{\gamma-1}\log\hat y_t`.

    A label that is a distribution costs the mean, under it, of what its classes cost alone; so does
    ``tf.keras.losses.CategoricalFocalCrossentropy``. The weights :math:`w` are the
    :math:`\alpha` of the paper, one for each class. A sample that is ignored, or whose weight is
    0, has no loss and no gradient.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]])
    >>> print(focal_loss(logits, np.array([0, 1, 1]), reduction="none").round(4))
    [0.7019 0.0018 0.0018]

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár (2017), Focal loss for dense object detection.
    https://doi.org/10.1109/ICCV.2017.324

    Mukhoti, Kulharia, Sanyal, Golodetz, Torr and Dokania (2020), Calibrating deep neural networks
    using focal loss. https://arxiv.org/abs/2002.09437
    """
    check_at_least(0, gamma=gamma)
    s = samples_of(
        input,
        target,
        weight,
        ignore_index=ignore_index,
        sample_weight=sample_weight,
        label_smoothing=label_smoothing,
    )
    if s.shares is None:
        u = lead(s.scores, s.index)
        loss = _modulated(softplus(-u), -softplus(u), gamma)
    else:
        log_p = log_probabilities(s.scores)
        each = _modulated(-log_p, _log_others(s.scores, log_p), gamma)
        loss = -sum_along(times(s.shares, -each), s.axis)
    return s.reduce(loss, reduction)


def sigmoid_focal_loss(
    input: Array,
    target: Array,
    *,
    alpha: float | Array | None = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
) -> Array:
    r"""Focal loss of the sigmoid of logits, a yes or no for each.

    .. math:: \begin{aligned}
              \ell &= \alpha_t\,(1-p_t)^\gamma\,\mathrm{BCE}, \qquad p = \sigma(z), \\
              p_t &= yp + (1-y)(1-p), \\
              \alpha_t &= y\alpha + (1-y)(1-\alpha)
              \end{aligned}

    The function of torchvision, except that the reduction is "mean" unless another is asked for.

    Parameters
    ----------
    input : array, any shape
        Logits :math:`z`, real floating.
    target : array, shape of `input`
        Labels or probabilities :math:`y` in [0, 1], any real dtype or bool; a constant, no
        gradient flows to it.
    alpha : float, array or None
        Weight :math:`\alpha` of the positives in [0, 1], the negatives have :math:`1-\alpha`;
        None or -1 for no weights. An array broadcasts to the shape of `input`: of shape (C) it
        holds one for each class, on the last axis.
    gamma : float
        :math:`\gamma\ge0`: how much less a label counts that the model is sure of.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements, or by the sum of `sample_weight`.
    label_smoothing : float
        :math:`\varepsilon` in [0, 1]: :math:`y\leftarrow(1-\varepsilon)\,y+\varepsilon/2`.
    sample_weight : array, shape of `input`, optional
        A weight of each element, real floating.

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
        negative, `label_smoothing` is outside [0, 1], or `reduction` is unknown.

    See Also
    --------
    focal_loss : the form for classes that exclude each other.
    binary_cross_entropy_with_logits : the loss for a gamma of 0.
    asymmetric_loss : a power each for positives and negatives.

    Notes
    -----
    Gradient: for a label of 1 :math:`\partial\ell/\partial z=\alpha\,(1-p)^\gamma(\gamma\,p\log
    p-(1-p))`, and its mirror image for 0.

    For a label between 0 and 1 the factor is :math:`(1-p_t)^\gamma`, 1/2 to a power at
    :math:`p=1/2`
    whatever the label; the quality focal loss of Li et al. has :math:`|y-p|^\gamma`, which is 0 at
    :math:`p=y`. The two agree where the label is 0 or 1. An element of weight 0 has no loss and no
    gradient.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([0.0, 0.0, 4.0]), np.array([1.0, 0.0, 1.0])
    >>> print(sigmoid_focal_loss(z, y, reduction="none").round(4))
    [0.0433 0.13   0.    ]

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár (2017), Focal loss for dense object detection.
    https://doi.org/10.1109/ICCV.2017.324

    Li, Wang, Wu, Chen, Hu, Li, Tang and Yang (2020), Generalized focal loss.
    https://arxiv.org/abs/2006.04388
    """
    check_at_least(0, gamma=gamma)
    z, y = _check_labels(input, target, label_smoothing)
    own = _check_weights(alpha, sample_weight, z, y)
    heard = z if own is None else silence(z, own)
    loss = _modulated(bernoulli_nll(heard, y), _log_rest(heard, y), gamma)
    if own is not None:
        loss = silence(own, own) * loss
    loss = _spoiled(loss, z, target)
    counts = None
    if sample_weight is not None:
        counts = cast(sample_weight, z.dtype)
        counts = silence(counts, counts)
    return reduce(loss, reduction, weight=counts, like=input)


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

    See Also
    --------
    cross_entropy : the loss for an epsilon of 0.
    focal_loss : another change of the first powers.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial z=w_t\,(1+\epsilon\,\hat y_t)(\hat y-y)`, with :math:`y`
    1 at the target.

    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]])
    >>> print(poly_loss(logits, np.array([0, 1, 1]), reduction="none").round(4))
    [2.7754 0.3653 0.3653]

    References
    ----------
    Leng, Tan, Liu, Cubuk, Shi, Cheng and Anguelov (2022), PolyLoss: a polynomial expansion
    perspective of classification loss functions. https://arxiv.org/abs/2204.12511
    """
    check_at_least(-1, epsilon=epsilon)
    s = samples_of(input, target, weight, ignore_index=ignore_index)
    u = lead(s.scores, s.index)
    return s.reduce(softplus(-u) + epsilon * sigmoid(-u), reduction)


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

    .. math:: \begin{aligned}
              \ell &= -y\,(1-p)^{\gamma_+}\log p - (1-y)\,p_m^{\gamma_-}\log(1-p_m), \\
              p_m &= \max(p-m,\,0), \qquad p = \sigma(z)
              \end{aligned}

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

    See Also
    --------
    sigmoid_focal_loss : one power for both.
    multilabel_soft_margin_loss : the loss without powers and margin.

    Notes
    -----
    Gradient: :math:`(1-p)^{\gamma_+}(\gamma_+\,p\log p-(1-p))` for a label of 1, and
    :math:`p_m^{\gamma_--1}\,p(1-p)\,\bigl(p_m/(1-p_m)-\gamma_-\log(1-p_m)\bigr)` for 0, where
    :math:`p>m`.

    The authors' ``AsymmetricLoss`` has another gradient: by default it computes the powers with
    gradients switched off, so the terms that have :math:`\gamma_+` or :math:`\gamma_-` as a factor
    are lacking.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([0.0, 0.0, -4.0]), np.array([1.0, 0.0, 0.0])
    >>> print(asymmetric_loss(z, y, reduction="none").round(4))
    [0.3466 0.0245 0.    ]

    References
    ----------
    Ben-Baruch, Ridnik, Zamir, Noy, Friedman, Protter and Zelnik-Manor (2021), Asymmetric loss for
    multi-label classification. https://arxiv.org/abs/2009.14119
    """
    check_at_least(0, gamma_pos=gamma_pos, gamma_neg=gamma_neg)
    check_between(0, 1, clip=clip)
    if clip == 1:
        raise ValueError(f"clip must be in [0, 1), got {clip!r}")
    z, y = _check_labels(input, target)
    xp = library(z)
    miss = _modulated(softplus(-z), -softplus(z), gamma_pos)
    alarm = _false_alarm(z, gamma_neg, clip)
    loss = y * xp.where(y > 0, miss, 0.0)
    loss = loss + (1 - y) * xp.where(y < 1, alarm, 0.0)
    return reduce(_spoiled(loss, z, target), reduction, like=input)


def _check_labels(
    input: Array, target: Array, label_smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Return the logits and the labels, both in the dtype in which the loss is computed."""
    namespace(input=input, target=target)
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    check_unit_interval(target=target)
    check_between(0, 1, label_smoothing=label_smoothing)
    z = lift(input)
    y = stop_gradient(cast(target, z.dtype))
    return z, smooth(y, label_smoothing, 2)


def _spoiled(loss: Array, z: Array, target: Array) -> Array:
    """Return the losses, nan with a gradient of nan for labels outside [0, 1] that are hidden."""
    y = cast(target, z.dtype)  # PyTorch compares no unsigned integers
    bad = ~((y >= 0) & (y <= 1))
    if concrete(bad):
        return loss
    return loss + poison(library(z).where(bad, z, 0.0), bad)


def _check_weights(
    alpha: float | Array | None,
    sample_weight: Array | None,
    z: Array,
    y: Array,
) -> Array | None:
    """Return what multiplies the loss of each label, None if that is 1."""
    own: Array | None = None
    shape = tuple(z.shape)
    if getattr(alpha, "shape", None):
        namespace(input=z, alpha=alpha)
        check_floating(alpha=alpha)
        check_broadcasts(shape, alpha=alpha)
        check_unit_interval(alpha=alpha)
        alpha = cast(alpha, z.dtype)
        if not concrete(alpha):
            alpha = poison(alpha, ~((alpha >= 0) & (alpha <= 1)))
        own = alpha * y + (1 - alpha) * (1 - y)
    elif alpha is not None and alpha != -1:
        check_between(0, 1, alpha=alpha)
        own = alpha * y + (1 - alpha) * (1 - y)
    if sample_weight is not None:
        namespace(input=z, sample_weight=sample_weight)
        check_floating(sample_weight=sample_weight)
        check_sample_weight(sample_weight, shape)
        part = cast(sample_weight, z.dtype)
        own = part if own is None else own * part
    return own


def _log_others(z: Array, log_p: Array) -> Array:
    """Return log(1 - p) of every class; only that of the best could lose digits."""
    xp, best = library(z), best_class(z)
    top = is_class(best, z)
    rest = xp.log1p(-xp.exp(xp.where(top, -math.inf, log_p)))
    own = xp.expand_dims(-softplus(lead(z, best)), axis=class_axis(z))
    return xp.where(top, own, rest)


def _log_rest(z: Array, y: Array) -> Array:
    """Return log(1 - p_t), which is log(y (1 - p) + (1 - y) p)."""
    xp = library(z)
    wrong = xp.where(
        z > 0, 1 - y, y
    )  # the part of the label that it misses
    log_q = -softplus(-minus_abs(z))  # q is the less probable
    sure = wrong == 0
    mixed = xp.where(sure, 0.5, wrong + (1 - 2 * wrong) * xp.exp(log_q))
    return xp.where(sure, log_q, log(mixed))


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
    seen = ~(p <= clip)  # nan is seen
    p_m = xp.where(seen, p - clip, 0.5)
    return xp.where(seen, _modulated(-xp.log1p(-p_m), log(p_m), gamma), 0.0)
