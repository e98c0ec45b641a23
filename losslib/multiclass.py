r"""Cross-entropy of classes that exclude each other, :math:`\mathrm{KL}(y\|\mathrm{softmax}(z))`.

The chapter *Cross-entropy* derives both functions from identity (M) and reads this file.
"""

from __future__ import annotations

from losslib._array import (
    Array,
    class_axis,
    lift,
    product_sum,
    sum_along,
)
from losslib._classes import log_sum, samples_of, surprise
from losslib.logits import below_max
from losslib.objective import Reduction


def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    sample_weight: Array | None = None,
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
        If shapes do not match, a class index or a probability is out of range, `label_smoothing`
        is outside [0, 1], `reduction` is unknown, or `ignore_index` is set for probabilities.

    See Also
    --------
    nll_loss : the same of log-probabilities.
    linear_cross_entropy : the same of a linear layer, without all of its logits.
    focal_loss : less weight for what the model is sure of.
    smooth_labels : the target of label smoothing.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial z_k=\hat y_k\sum_c w_cy_c-w_ky_k`.

    Less its largest logit, the loss of one class is :math:`\log(1+\sum_{k\ne t}e^{z_k-z_t})` where
    the target leads, and no digit of a small one is lost. A sample that is ignored, or whose weight
    is 0, has no loss and no gradient, whatever its logits. A class out of range that a compiler,
    `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]])
    >>> print(cross_entropy(logits, np.array([0, 1, 1]), reduction="none").round(4))
    [1.3133 0.1269 0.1269]

    >>> import torch
    >>> z = torch.tensor([[1.0, 2.0], [1.0, 3.0]], requires_grad=True)
    >>> cross_entropy(z, torch.tensor([0, 1])).backward()
    >>> print(z.grad)
    tensor([[-0.3655,  0.3655],
            [ 0.0596, -0.0596]])

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    https://doi.org/10.1007/978-3-642-76153-9_28

    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), Rethinking the Inception architecture for
    computer vision. https://doi.org/10.1109/CVPR.2016.308
    """
    s = samples_of(
        input,
        target,
        weight,
        ignore_index=ignore_index,
        sample_weight=sample_weight,
        label_smoothing=label_smoothing,
    )
    if s.shares is None:
        return s.reduce(surprise(s.scores, s.index), reduction)
    return s.reduce(_mean_surprise(s.scores, s.shares), reduction)


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
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array. The mean
        over no sample is nan.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, or `reduction` is unknown.

    See Also
    --------
    cross_entropy : the same of logits.
    log_softmax : log-probabilities of logits.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial x_k=-w_t` at the target, 0 elsewhere.

    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> log_p = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    >>> print(nll_loss(log_p, np.array([0, 1]), reduction="none").round(4))
    [1.3863 0.6931]

    References
    ----------
    Fisher (1922), On the mathematical foundations of theoretical statistics.
    https://doi.org/10.1098/rsta.1922.0009
    """
    s = samples_of(input, target, weight, ignore_index=ignore_index)
    return s.reduce(-s.own(lift(input)), reduction)


def _mean_surprise(z: Array, shares: Array) -> Array:
    """Return minus the log-softmax of all classes, each times its share, summed."""
    axis = class_axis(z)
    margins, _ = below_max(z, axis)
    pull = product_sum(shares, margins, axis)
    return sum_along(shares, axis) * log_sum(margins, z) - pull
