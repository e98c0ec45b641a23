r"""Margin losses: what a score costs, by how far it lies on the right side.

The chapter *Margins* derives the functions from the zero-temperature limit and reads this file.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    cast,
    class_indices,
    concrete,
    library,
    lift,
    listed_classes,
    namespace,
    pick,
    poison,
    relu,
    remake_masks,
    seen,
)
from losslib._checks import (
    check_floating,
    check_number,
    check_real,
    check_same_shape,
    first_where,
)
from losslib._classes import is_class, samples_of
from losslib.information import _nats
from losslib.logits import softplus
from losslib.objective import Reduction, reduce


def zero_one_loss(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""0-1 loss of the margin: 1 where :math:`yz\le0`, else 0.

    A score of 0 names no label and counts as an error. The gradient is 0 everywhere: the loss
    counts errors, and cannot be trained on.

    Parameters
    ----------
    input : array, any shape
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, -1 or 1, any real dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a label is neither -1 nor 1, or `reduction` is unknown.

    See Also
    --------
    hinge_loss : the straight bound.
    squared_hinge_loss : the bound without a kink.
    exponential_loss : the bound of boosting.
    logistic_loss : the bound of logistic regression.

    Notes
    -----
    Gradient: 0 everywhere.

    The loss has no unit.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([2.0, 0.5, 2.0]), np.array([1, 1, -1])
    >>> print(zero_one_loss(z, y, reduction="none"))
    [0. 0. 1.]

    References
    ----------
    Bartlett, Jordan and McAuliffe (2006), Convexity, classification, and risk bounds.
    https://doi.org/10.1198/016214505000000907
    """
    m = _margin(input, target)
    xp = library(m)
    # flat as a comparison, but autograd and nan pass through it
    right = xp.ceil(xp.clip(m, 0.0, 1.0))
    return reduce(1 - right, reduction, like=input)


@remake_masks
def hinge_loss(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Hinge loss of the margin, :math:`\max(0,\;1-yz)`.

    At the kink, :math:`yz=1`, the slope is 0: a margin of 1 is enough.

    Parameters
    ----------
    input : array, any shape
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, -1 or 1, any real dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a label is neither -1 nor 1, or `reduction` is unknown.

    See Also
    --------
    zero_one_loss : what the others bound.
    squared_hinge_loss : the bound without a kink.
    exponential_loss : the bound of boosting.
    logistic_loss : the bound of logistic regression.

    Notes
    -----
    Gradient: :math:`-y` where :math:`yz<1`, else 0.

    The loss has no unit.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([2.0, 0.5, 2.0]), np.array([1, 1, -1])
    >>> print(hinge_loss(z, y, reduction="none"))
    [0.  0.5 3. ]

    References
    ----------
    Cortes and Vapnik (1995), Support-vector networks. https://doi.org/10.1007/BF00994018
    """
    return reduce(relu(1 - _margin(input, target)), reduction, like=input)


@remake_masks
def squared_hinge_loss(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Squared hinge loss of the margin, :math:`\max(0,\;1-yz)^2`.

    Parameters
    ----------
    input : array, any shape
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, -1 or 1, any real dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a label is neither -1 nor 1, or `reduction` is unknown.

    See Also
    --------
    zero_one_loss : what the others bound.
    hinge_loss : the straight bound.
    exponential_loss : the bound of boosting.
    logistic_loss : the bound of logistic regression.

    Notes
    -----
    Gradient: :math:`-2y\max(0,\;1-yz)`.

    The loss has no unit.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([2.0, 0.5, 2.0]), np.array([1, 1, -1])
    >>> print(squared_hinge_loss(z, y, reduction="none"))
    [0.   0.25 9.  ]

    References
    ----------
    Cortes and Vapnik (1995), Support-vector networks. https://doi.org/10.1007/BF00994018
    """
    hinge = relu(1 - _margin(input, target))
    return reduce(hinge * hinge, reduction, like=input)


def exponential_loss(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Exponential loss of the margin, :math:`e^{-yz}`, that of AdaBoost.

    It overflows: from a margin of about -88.7 in float32, and -709.8 in float64, the loss and
    the gradient are infinite. Half precision is worked out in float32, and overflows from -11.1
    in float16.

    Parameters
    ----------
    input : array, any shape
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, -1 or 1, any real dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a label is neither -1 nor 1, or `reduction` is unknown.

    See Also
    --------
    zero_one_loss : what the others bound.
    hinge_loss : the straight bound.
    squared_hinge_loss : the bound without a kink.
    logistic_loss : the bound of logistic regression.

    Notes
    -----
    Gradient: :math:`-y\,e^{-yz}`.

    The loss has no unit.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([2.0, 0.5, 2.0]), np.array([1, 1, -1])
    >>> print(exponential_loss(z, y, reduction="none").round(2))
    [0.14 0.61 7.39]

    References
    ----------
    Friedman, Hastie and Tibshirani (2000), Additive logistic regression: a statistical view of
    boosting. https://doi.org/10.1214/aos/1016218223
    """
    m = _margin(input, target)
    return reduce(library(m).exp(-m), reduction, like=input)


def logistic_loss(
    input: Array,
    target: Array,
    *,
    base: float = math.e,
    reduction: Reduction = "mean",
) -> Array:
    r"""Logistic loss of the margin, :math:`\log(1+e^{-yz})`.

    The same as `soft_margin_loss`, which is PyTorch's and takes any label for a factor; this one
    takes labels only. In bits it is 1 at margin 0, and an upper bound of the 0-1 loss.

    Parameters
    ----------
    input : array, any shape
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, -1 or 1, any real dtype.
    base : float
        The base of the logarithm: e for nats, 2 for bits.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, or the unit of `base`; dtype of `input`: its shape for "none", else a scalar
        array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a label is neither -1 nor 1, `base` is not above 1,
        or `reduction` is unknown.

    See Also
    --------
    zero_one_loss : what the others bound.
    hinge_loss : the straight bound.
    squared_hinge_loss : the bound without a kink.
    exponential_loss : the bound of boosting.

    Notes
    -----
    Gradient: :math:`-y\,\sigma(-yz)`, over the log of `base`.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([2.0, 0.5, 2.0]), np.array([1, 1, -1])
    >>> print(logistic_loss(z, y, reduction="none").round(2))
    [0.13 0.47 2.13]

    References
    ----------
    Friedman, Hastie and Tibshirani (2000), Additive logistic regression: a statistical view of
    boosting. https://doi.org/10.1214/aos/1016218223
    """
    loss = softplus(-_margin(input, target)) / _nats(base)
    return reduce(loss, reduction, like=input)


@remake_masks
def multi_margin_loss(
    input: Array,
    target: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    reduction: Reduction = "mean",
) -> Array:
    r"""Multi-class hinge loss of Weston and Watkins.

    .. math:: \ell = \frac{w_t}{C}\sum_{k\ne t}\max(0,\; m - z_t + z_k)^p

    Parameters
    ----------
    input : array, shape (C) or (N, C)
        Scores :math:`z`, real floating.
    target : array, shape (), (1) or (N)
        Class indices :math:`t`, any integer dtype; for scores (C) one class, shape () or (1).
    p : {1, 2}
        The power of each hinge.
    margin : float
        The lead :math:`m` that is asked for.
    weight : array, shape (C), optional
        Weights of the classes, applied after the power.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        Dtype of `input`: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `p` is neither 1 nor 2, or
        `reduction` is unknown.

    See Also
    --------
    hinge_loss : of two classes.
    multilabel_margin_loss : of several right classes.
    cross_entropy : its smooth relative.

    Notes
    -----
    Gradient: for p = 1, :math:`w_t/C` for each rival :math:`k` with :math:`z_t-z_k<m`, and minus
    their sum for the target; for p = 2 each times twice its hinge.

    The loss has the unit of the scores, to the power `p`. A sample whose weight is 0 has no loss
    and no gradient.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{multi_margin_loss(np.array([0.1, 0.2, 0.4, 0.8]), np.array(3)):.4f}")
    0.3250

    References
    ----------
    Weston and Watkins (1999), Support vector machines for multi-class pattern recognition.
    https://www.elen.ucl.ac.be/Proceedings/esann/esannpdf/es1999-461.pdf
    """
    if p not in (1, 2):
        raise ValueError(f"p must be 1 or 2, got {p!r}")
    check_number(margin=margin)
    scores, one_target = _one_sample(input, target)
    s = samples_of(scores, one_target, weight)
    xp, z = library(scores), s.hold(lift(scores))
    lead = xp.expand_dims(pick(z, s.index), axis=s.axis) - z
    hinge = relu(margin - lead)
    hinge = xp.where(is_class(s.index, z), xp.zeros_like(z), hinge)
    loss = xp.mean(hinge if p == 1 else hinge * hinge, axis=s.axis)
    loss = xp.reshape(s.weighted(loss), tuple(target.shape))
    return reduce(loss, reduction, like=input)


@remake_masks
def multilabel_margin_loss(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Hinge loss of every right label against every wrong one.

    .. math:: \ell = \frac1C\sum_{j\in T}\sum_{k\notin T}\max(0,\; 1 - z_j + z_k)

    Parameters
    ----------
    input : array, shape (C) or (N, C)
        Scores :math:`z`, real floating.
    target : array, shape of `input`
        Class indices, any signed integer dtype: the right labels :math:`T`, in front; the first
        -1 ends the list; what stands behind it, -1 at least, counts nowhere.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        Dtype of `input`: shape () or (N) for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, or `reduction` is unknown.

    See Also
    --------
    multi_margin_loss : of one right class.
    multilabel_soft_margin_loss : its smooth relative.

    Notes
    -----
    Gradient: each pair :math:`(j,k)` with :math:`z_j-z_k<1` gives :math:`-1/C` to :math:`z_j` and
    :math:`1/C` to :math:`z_k`.

    The loss has the unit of the scores.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([0.1, 0.2, 0.4, 0.8])
    >>> print(f"{multilabel_margin_loss(z, np.array([3, 0, -1, 1])):.4f}")
    0.8500

    References
    ----------
    Elisseeff and Weston (2001), A kernel method for multi-labelled classification.
    https://papers.nips.cc/paper/2001/hash/39dcaf7a053dc372fbc391d4e6b5d693-Abstract.html
    """
    xp = namespace(input=input, target=target)
    check_floating(input=input)
    scores, _ = _one_sample(input, target)
    check_same_shape(input=input, target=target)
    labels, listed, bad = _listed_labels(xp.reshape(target, scores.shape))
    if concrete(listed) and labels.shape[0]:  # most lists are short
        most = int(xp.max(xp.sum(cast(listed, xp.int64), axis=-1)))
        labels, listed = labels[..., :most], listed[..., :most]
    z, n = lift(scores), scores.shape[-1]
    if not concrete(bad):
        z = poison(z, xp.any(bad, axis=-1, keepdims=True))
    wrong = ~listed_classes(labels, listed, z)
    score = xp.take_along_axis(z, labels, axis=-1)
    hinge = relu(1 - (score[..., :, None] - z[..., None, :]))
    counts = listed[..., :, None] & wrong[..., None, :]
    hinge = xp.where(counts, hinge, xp.zeros_like(hinge))
    loss = xp.sum(hinge, axis=(-2, -1)) / n
    if not concrete(bad):
        loss = poison(loss, xp.any(bad, axis=-1))
    return reduce(loss, reduction, like=input)


def _margin(input: Array, target: Array) -> Array:
    """Return y·z for labels of -1 and 1; any other is refused, 0 above all."""
    xp = namespace(input=input, target=target)
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    z = lift(input)
    y = cast(target, z.dtype)
    outside = xp.abs(y) != 1
    if seen(outside):
        raise ValueError(
            f"target must hold labels -1 or 1, got {first_where(target, outside)}"
        )
    return y * z if concrete(outside) else poison(y * z, outside)


def _one_sample(input: Array, target: Array) -> tuple[Array, Array]:
    """Return scores (C) or (N, C); as PyTorch does, take a scalar score as that of one class."""
    xp = namespace(input=input, target=target)
    if input.ndim > 2:
        raise ValueError(
            f"input must have shape (C) or (N, C), got {tuple(input.shape)}"
        )
    if 0 in input.shape[-1:]:
        raise ValueError(
            f"input must have at least one class, got shape {tuple(input.shape)}"
        )
    scores = input if input.ndim else xp.reshape(input, (1,))
    alone = scores.ndim == target.ndim == 1 == target.shape[0]
    return scores, xp.reshape(target, ()) if alone else target


def _listed_labels(target: Array) -> tuple[Array, Array, Array]:
    """Return the labels, 0 where none is listed, and where one is, and where one is no class."""
    xp = library(target)
    if not xp.isdtype(target.dtype, "signed integer"):
        raise TypeError(
            f"target must hold class indices of a signed integer dtype, got {target.dtype}"
        )
    labels = cast(target, xp.int64)
    place, n = class_indices(labels), labels.shape[-1]
    end = xp.where(labels < 0, place, n)
    listed = place < xp.min(end, axis=-1, keepdims=True)
    outside = (labels < -1) | (labels >= n)
    bad = outside & listed | (labels < -1)
    if seen(bad):
        raise ValueError(
            f"target must hold classes in 0 … {n - 1}, or -1 behind the last, "
            f"got {first_where(labels, bad)}"
        )
    safe = listed & ~outside
    return xp.where(safe, labels, xp.zeros_like(labels)), listed, bad
