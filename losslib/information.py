r"""Self-information, entropy, cross-entropy, KL divergence, mutual information, Brier score.

All take probabilities, and none takes logits: for those see `losslib.logits` and the losses.
Units are nats; ``base=2`` gives bits.
"""

from __future__ import annotations

import math
from typing import Any

from losslib._array import (
    Array,
    cast,
    class_axis,
    lift,
    log,
    namespace,
    one_hot,
    seen,
    stop_gradient,
    xlogy,
)
from losslib._checks import (
    check_axis,
    check_classification,
    check_floating,
    check_same_shape,
    check_unit_interval,
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
        Shape and dtype of `p`; infinite where `p` is 0.

    Raises
    ------
    TypeError
        If `p` is not a real floating array.
    ValueError
        If a value of `p` lies outside [0, 1], or `base` is not above 1.

    Examples
    --------
    >>> import numpy as np
    >>> print(self_information(np.array([0.5, 0.25]), base=2))
    [1. 2.]

    References
    ----------
    Shannon (1948), A mathematical theory of communication.
    """
    namespace(p=p)
    check_floating(p=p)
    check_unit_interval(p=p)
    return cast(
        (0.0 - log(lift(p))) / _nats(base), p.dtype
    )  # 0 - 0 is 0, and -0 is not


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
        Shape of `p` without `axis`, between 0 and :math:`\log n`.

    Raises
    ------
    TypeError
        If `p` is not a real floating array.
    ValueError
        If a value of `p` lies outside [0, 1], a distribution does not sum to 1 (within 0.001), or
        `base` is not above 1.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{entropy(np.array([0.5, 0.5])):.4f} nats")
    0.6931 nats

    References
    ----------
    Shannon (1948), A mathematical theory of communication.
    """
    xp = _check_distributions(axis, p=p)
    q = lift(p)
    return cast(
        (0.0 - xp.sum(xlogy(q, q), axis=axis)) / _nats(base), p.dtype
    )


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
        Shape of `p` without `axis`; infinite where `q` is 0 and `p` is not.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, or they come from two libraries.
    ValueError
        If the shapes differ, a value lies outside [0, 1], a distribution does not sum to 1 (within
        0.001), or `base` is not above 1.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{cross_entropy_between(np.array([1.0, 0.0]), np.array([0.6, 0.4])):.4f}")
    0.5108

    References
    ----------
    Cover and Thomas (2006), Elements of Information Theory, chapter 5.
    """
    xp = _check_distributions(axis, p=p, q=q)
    return cast(
        (0.0 - xp.sum(xlogy(lift(p), lift(q)), axis=axis)) / _nats(base),
        p.dtype,
    )


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
        Shape of `p` without `axis`; infinite where `q` is 0 and `p` is not.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, or they come from two libraries.
    ValueError
        If the shapes differ, a value lies outside [0, 1], a distribution does not sum to 1 (within
        0.001), or `base` is not above 1.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    >>> print(f"{kl_divergence(p, q, base=2):.4f} bits, {kl_divergence(q, p, base=2):.4f} bits")
    0.7370 bits, 0.5310 bits

    References
    ----------
    Kullback and Leibler (1951), On information and sufficiency.
    """
    xp = _check_distributions(axis, p=p, q=q)
    true, predicted = lift(p), lift(q)
    terms = xlogy(true, true) - xlogy(true, predicted)
    return cast(xp.sum(terms, axis=axis) / _nats(base), p.dtype)


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
        Shape of `joint` without its last two axes; 0 where :math:`X` and :math:`Y` are independent.

    Raises
    ------
    TypeError
        If `joint` is not a real floating array.
    ValueError
        If `joint` has fewer than two axes, a value lies outside [0, 1], a joint distribution does
        not sum to 1 (within 0.001), or `base` is not above 1.

    Examples
    --------
    >>> import numpy as np
    >>> print(mutual_information(np.array([[0.5, 0.0], [0.0, 0.5]]), base=2))
    1.0

    References
    ----------
    Cover and Thomas (2006), Elements of Information Theory, section 2.3.
    """
    xp = namespace(joint=joint)
    check_floating(joint=joint)
    if joint.ndim < 2:
        raise ValueError(
            f"joint must have two axes, one per variable, got shape {tuple(joint.shape)}"
        )
    cells = (*joint.shape[:-2], math.prod(joint.shape[-2:]))
    _check_distributions(-1, joint=xp.reshape(joint, cells))
    pair = lift(joint)
    apart = xp.sum(pair, axis=-1, keepdims=True) * xp.sum(
        pair, axis=-2, keepdims=True
    )
    p, q = xp.reshape(pair, cells), xp.reshape(apart, cells)
    return cast(
        xp.sum(xlogy(p, p) - xlogy(p, q), axis=-1) / _nats(base),
        joint.dtype,
    )


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
        Shape of `target` for "none", else a scalar array; each entry lies in [0, 2].

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class is out of range, or `input` is no distribution.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{brier_score(np.array([[0.7, 0.2, 0.1]]), np.array([0])):.4f}")
    0.1400

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability.
    """
    xp, target = check_classification(input, target)
    axis = class_axis(input)
    _check_distributions(axis, input=input)
    p = lift(input)
    return reduce(
        xp.sum((p - one_hot(target, p)) ** 2, axis=axis),
        reduction,
        like=input,
    )


def _nats(base: float) -> float:
    if not base > 1:
        raise ValueError(
            f"base must be above 1 (e for nats, 2 for bits), got {base!r}"
        )
    return math.log(base)


def _check_distributions(axis: int, **arrays: Array) -> Any:
    xp = namespace(**arrays)
    check_floating(**arrays)
    check_same_shape(**arrays)
    check_axis(axis, **arrays)
    for name, p in arrays.items():
        slack = max(
            1e-3, float(xp.finfo(p.dtype).eps)
        )  # a sum of probabilities is rounded too
        check_unit_interval(slack=slack, **{name: p})
        off = xp.abs(xp.sum(lift(stop_gradient(p)), axis=axis) - 1)
        if seen(~(off <= slack)):
            raise ValueError(
                f"{name} must sum to 1 along axis {axis}, "
                f"got a sum that is off by {float(xp.max(off)):.4g}"
            )
    return xp
