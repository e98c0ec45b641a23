r"""Self-information, entropy, cross-entropy, KL divergence, mutual information, Brier score.

All take probabilities, and none takes logits: for those see `losslib.logits` and the losses.
Units are nats; ``base=2`` gives bits.
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
    log1p,
    namespace,
    one_hot,
    seen,
    spoiled,
    stop_gradient,
    sum_along,
    xlogy,
)
from losslib._checks import (
    check_axis,
    check_classification,
    check_floating,
    check_number,
    check_same_shape,
    probabilities,
)
from losslib.objective import Reduction, reduce


def self_information(p: Array, *, base: float = math.e) -> Array:
    r"""Self-information :math:`I(p)=-\log p` of an event of probability :math:`p`.

    Parameters
    ----------
    p : array, any shape
        Probabilities, real floating, in [0, 1].
    base : float
        The base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    array
        In nats, or in the unit of `base`; shape and dtype of `p`; infinite where `p` is 0.

    Raises
    ------
    TypeError
        If `p` is not a real floating array, or `base` is no number.
    ValueError
        If a value of `p` lies outside [0, 1], or `base` is not above 1.

    See Also
    --------
    entropy : its expectation.

    Notes
    -----
    Gradient: :math:`-1/p`.

    Examples
    --------
    >>> import numpy as np
    >>> print(self_information(np.array([0.5, 0.25]), base=2))
    [1. 2.]

    References
    ----------
    Shannon (1948), A mathematical theory of communication.
    https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
    """
    namespace(p=p)
    check_floating(p=p)
    surprise = 0.0 - log(
        probabilities(lift(p), "p")
    )  # of 1 it is 0, not -0
    return cast(surprise / _nats(base), p.dtype)


def entropy(p: Array, axis: int = -1, *, base: float = math.e) -> Array:
    r"""Entropy :math:`H(P)=-\sum_k p_k\log p_k`, the expected self-information.

    Parameters
    ----------
    p : array, any shape with at least one axis
        Distributions along `axis`, real floating; :math:`0\log0=0`.
    axis : int
        The axis of the outcomes.
    base : float
        The base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    array
        In nats, or in the unit of `base`; dtype of `p`, its shape without
        `axis`, between 0 and :math:`\log n`.

    Raises
    ------
    TypeError
        If `p` is not a real floating array, or `base` is no number.
    ValueError
        If a value of `p` lies outside [0, 1], a distribution does not sum to 1 (within 0.001), or
        `base` is not above 1.

    See Also
    --------
    self_information : what it is the expectation of.
    cross_entropy_between : the expectation when another distribution is predicted.

    Notes
    -----
    Gradient: :math:`-\log p_k-1`, and 0 where :math:`p_k` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{entropy(np.array([0.5, 0.5])):.4f} nats")
    0.6931 nats

    References
    ----------
    Shannon (1948), A mathematical theory of communication.
    https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
    """
    (q,) = _distributions(axis, p=p)
    total = 0.0 - sum_along(xlogy(q, q), axis)
    return cast(total / _nats(base), p.dtype)


def cross_entropy_between(
    p: Array, q: Array, axis: int = -1, *, base: float = math.e
) -> Array:
    r"""Cross-entropy :math:`H(P,Q)=-\sum_k p_k\log q_k` of two distributions.

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The true and the predicted distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.
    base : float
        The base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    array
        In nats, or in the unit of `base`; dtype of `p`, its shape without
        `axis`; infinite where `q` is 0 and `p` is not.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, they come from two libraries, or `base` is no
        number.
    ValueError
        If the shapes differ, a value lies outside [0, 1], a distribution does not sum to 1 (within
        0.001), or `base` is not above 1.

    See Also
    --------
    cross_entropy : the loss, of logits.
    kl_divergence : what of it the prediction can lower.

    Notes
    -----
    Gradient: :math:`-p_k/q_k` in :math:`q`, and 0 where :math:`p_k` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{cross_entropy_between(np.array([1.0, 0.0]), np.array([0.6, 0.4])):.4f}")
    0.5108

    References
    ----------
    Cover and Thomas (2006), Elements of Information Theory, chapter 5.
    https://doi.org/10.1002/047174882X
    """
    true, predicted = _distributions(axis, p=p, q=q)
    total = 0.0 - sum_along(xlogy(true, predicted), axis)
    return cast(total / _nats(base), p.dtype)


def kl_divergence(
    p: Array, q: Array, axis: int = -1, *, base: float = math.e
) -> Array:
    r"""KL divergence :math:`\mathrm{KL}(P\|Q)=\sum_k p_k\log(p_k/q_k)`.

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.
    base : float
        The base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    array
        In nats, or in the unit of `base`; dtype of `p`, its shape without
        `axis`; infinite where `q` is 0 and `p` is not.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, they come from two libraries, or `base` is no
        number.
    ValueError
        If the shapes differ, a value lies outside [0, 1], a distribution does not sum to 1 (within
        0.001), or `base` is not above 1.

    See Also
    --------
    kl_div : the loss of log-probabilities, pointwise.
    mutual_information : the divergence of a joint distribution from its marginals' product.

    Notes
    -----
    Near :math:`p=q` the sum of :math:`p\log(p/q)` is a small difference of large terms, of which
    rounding leaves nothing, not even the sign. Both distributions sum to 1, so with
    :math:`r_k=(q_k-p_k)/p_k`

    .. math:: \mathrm{KL}(P\|Q)=\sum_k p_k\,\bigl(r_k-\log(1+r_k)\bigr),

    whose terms are never negative, in floating point too; this form is the one computed. Of
    distributions whose sums are a little off 1 it is the divergence with
    :math:`\sum_k(q_k-p_k)` added.

    Gradient: :math:`1-p_k/q_k` in :math:`q`, and :math:`\log(p_k/q_k)` in :math:`p`: those of the
    textbook's form plus a constant, which no change of a distribution feels. Where :math:`p_k` is
    0 the second is :math:`-\infty`, and -1 is taken.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    >>> print(f"{kl_divergence(p, q, base=2):.4f} bits, {kl_divergence(q, p, base=2):.4f} bits")
    0.7370 bits, 0.5310 bits

    References
    ----------
    Kullback and Leibler (1951), On information and sufficiency.
    https://doi.org/10.1214/aoms/1177729694
    """
    true, predicted = _distributions(axis, p=p, q=q)
    total = sum_along(relative_entropy(true, predicted), axis)
    return cast(total / _nats(base), p.dtype)


def mutual_information(joint: Array, *, base: float = math.e) -> Array:
    r"""Mutual information :math:`I(X;Y)=\mathrm{KL}(p_{xy}\,\|\,p_x\,p_y)`.

    Parameters
    ----------
    joint : array, shape (…, n, m)
        Joint distributions of :math:`X` (rows) and :math:`Y` (columns), real floating.
    base : float
        The base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    array
        In nats, or in the unit of `base`; dtype of `joint`, its shape without the last two axes;
        0 where :math:`X` and :math:`Y` are independent.

    Raises
    ------
    TypeError
        If `joint` is not a real floating array, or `base` is no number.
    ValueError
        If `joint` has fewer than two axes, a value lies outside [0, 1], a joint distribution does
        not sum to 1 (within 0.001), or `base` is not above 1.

    See Also
    --------
    kl_divergence : what it is an instance of, and computed as: never negative.
    entropy : :math:`I(X;Y)=H(X)+H(Y)-H(X,Y)`.

    Notes
    -----
    Gradient: :math:`\log\frac{p_{xy}}{p_x p_y}` up to a constant, which no change of a distribution
    feels. Where :math:`p_{xy}` is 0 that is :math:`-\infty`, and -1 is taken.

    Examples
    --------
    >>> import numpy as np
    >>> joint = np.array([[0.5, 0.0], [0.0, 0.5]])
    >>> print(f"{mutual_information(joint, base=2):.4f} bits")
    1.0000 bits

    References
    ----------
    Cover and Thomas (2006), Elements of Information Theory, section 2.3.
    https://doi.org/10.1002/047174882X
    """
    namespace(joint=joint)
    check_floating(joint=joint)
    if joint.ndim < 2:
        raise ValueError(
            f"joint must have two axes, one per variable, got shape {tuple(joint.shape)}"
        )
    pair = _distribution(joint, (-2, -1), "joint")
    rows = sum_along(pair, -1, keepdims=True)
    columns = sum_along(pair, -2, keepdims=True)
    total = sum_along(relative_entropy(pair, rows * columns), (-2, -1))
    return cast(total / _nats(base), joint.dtype)


def brier_score(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Brier score :math:`\sum_k(\hat y_k-y_k)^2`, with :math:`y` the one-hot target.

    It is a strictly proper score, like the logarithmic one. For two classes it is twice the
    one-sided form :math:`(\hat y_1-y_1)^2`.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Predicted probabilities, real floating.
    target : array, shape () or (N, d1, …)
        Class indices, any integer dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In squared units of probability, dtype of `input`: the shape of `target` for "none", else a
        scalar array; the loss of a sample lies in [0, 2].

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class is out of range, or `input` is no distribution.

    See Also
    --------
    cross_entropy : the logarithmic score, of logits.
    mse_loss : the squared error, of which it is C times the mean.

    Notes
    -----
    Gradient: :math:`2\,(\hat y-y)`.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{brier_score(np.array([[0.7, 0.2, 0.1]]), np.array([0])):.4f}")
    0.1400

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability.
    https://doi.org/10.1175/1520-0493%281950%29078%3C0001:VOFEIT%3E2.0.CO;2
    """
    _check_class_probabilities(input, target)
    xp, target = check_classification(input, target, ignore_index=None)
    axis = class_axis(input)
    (p,) = _distributions(axis, input=input)
    hot = one_hot(target, p)
    if not concrete(target):  # no class is hot where it is out of range
        p = spoiled(p, xp.sum(hot, axis=axis, keepdims=True) == 0)
    return reduce(sum_along((p - hot) ** 2, axis), reduction, like=input)


def relative_entropy(p: Array, q: Array) -> Array:
    r"""Return :math:`p\log(p/q) - p + q` of each outcome, never negative; over all, the sum is KL.

    Near p it is :math:`p\,(r-\log(1+r))` with :math:`r=(q-p)/p`: the difference q - p is exact
    there, and no rounding takes log1p(r) above r. Far from p nothing cancels.
    """
    xp = library(p)
    near = xp.abs(q - p) < 0.5 * p
    r = xp.where(near, (q - p) / xp.where(near, p, 1.0), 0.0)
    far = (q - p) - (xlogy(p, q) - xlogy(p, p))
    return xp.where(near, p * (r - log1p(r)), far)


def _nats(base: float) -> float:
    check_number(base=base)
    if not 1 < base < math.inf:
        raise ValueError(
            f"base must be above 1 and finite (e for nats, 2 for bits), got {base!r}"
        )
    return math.log(base)


def _distributions(axis: int, **arrays: Array) -> tuple[Array, ...]:
    """Check distributions along an axis, and return them in one dtype, float32 at least.

    One that is none, where a compiler hides its values, is nan.
    """
    namespace(**arrays)
    check_floating(**arrays)
    check_same_shape(**arrays)
    check_axis(axis, **arrays)
    first = next(iter(arrays.values()))
    return tuple(
        cast(_distribution(p, axis, name), lift(first).dtype)
        for name, p in arrays.items()
    )


def _distribution(
    p: Array, axis: int | tuple[int, ...], name: str
) -> Array:
    xp = library(p)
    # a sum of probabilities is rounded too
    slack = max(1e-3, float(xp.finfo(p.dtype).eps))
    p = probabilities(lift(p), name, slack=slack)
    total = sum_along(stop_gradient(p), axis, keepdims=True)
    off = xp.abs(total - 1)
    if seen(~(off <= slack)):
        raise ValueError(
            f"{name} must sum to 1 along axis {axis}, "
            f"got a sum that is off by {float(xp.max(off)):.4g}"
        )
    return p if concrete(p) else spoiled(p, ~(off <= slack))


def _check_class_probabilities(input: Array, target: Array) -> None:
    """Raise a ValueError if `input` holds one probability per sample, and not one per class."""
    namespace(input=input, target=target)
    if input.ndim == 1 and tuple(target.shape) == tuple(input.shape):
        raise ValueError(
            "input must hold a probability for each class, shape (C) or (N, C, …), got shape "
            f"{tuple(input.shape)} with a target for each: of two classes, stack 1 - p and p"
        )
