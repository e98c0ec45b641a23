r"""Divergences between distributions: the loss `kl_div`, and the relatives of the KL.

The relatives take probabilities along an axis, as `losslib.information` does. Each says whether it
is a *distance* (a metric: symmetric, and no detour is shorter) or only a *divergence* (never
negative, and 0 between equals alone). All but two are sums of :math:`q_k\,f(p_k/q_k)`; `GENERATORS`
has those sums, term by term, in forms that lose no digits where :math:`p` and :math:`q` are close.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeAlias, get_args

from losslib._array import (
    Array,
    absolute,
    cast,
    concrete,
    is_array,
    library,
    log,
    log1p,
    number,
    quotient,
    relu,
    seen,
    spoiled,
    stop_gradient,
    sum_along,
    xlogy,
)
from losslib._checks import (
    check_at_least,
    check_flag,
    elements,
    first_where,
)
from losslib.information import (
    _distributions,
    _nats,
    relative_entropy,
)
from losslib.objective import Reduction, reduce, weighted

BatchReduction: TypeAlias = Reduction | Literal["batchmean"]
Generator: TypeAlias = str | Callable[[Array], Array]


def kl_div(
    input: Array,
    target: Array,
    *,
    reduction: BatchReduction = "mean",
    log_target: bool = False,
    mask: Array | None = None,
) -> Array:
    r"""Pointwise KL divergence :math:`y\,(\log y - x)`, with :math:`x` the log-prediction.

    The *second* argument is the true distribution. The KL of one distribution is the "sum"; the
    mean KL of a batch ``(N, C)`` is "batchmean"; "mean" divides by all elements and is neither.

    Parameters
    ----------
    input : array, any shape
        Predicted log-probabilities :math:`x`, real floating.
    target : array, shape of `input`
        True probabilities :math:`y`, or their logarithms with ``log_target=True``; real floating.
    reduction : {"none", "mean", "sum", "batchmean"}
        "batchmean" is the sum over the length of the first axis.
    log_target : bool
        Whether `target` holds logarithms.
    mask : array of bool, broadcasts to the shape of `input`, optional
        Which elements count: where it is False, neither loss nor gradient nor the divisor of a mean
        know of the element, whatever stands there. "batchmean" then divides by the number of
        samples of which any element counts.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array. Where :math:`y` is 0
        the divergence is 0, also where :math:`x` is infinite.

    Raises
    ------
    TypeError
        If an array has the wrong kind of dtype or comes from another library, or `log_target` is
        not a bool.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    See Also
    --------
    kl_divergence : the divergence of the theory, of two distributions, never negative.
    f_divergence : what else is a mean of a convex function of :math:`p/q`.
    cross_entropy : of logits, with probabilities as target: the same up to the target's entropy.

    Notes
    -----
    The arguments need not sum to 1, so a term, and the sum, may be negative.

    Gradient: :math:`-y` in :math:`x`, and :math:`\log y-x+1` in :math:`y`; where
    :math:`y` is 0, both are taken as 0.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    >>> print(f"{kl_div(np.log(q), p, reduction='sum'):.4f}")
    0.5108
    >>> import torch
    >>> x = torch.log(torch.tensor([[0.9, 0.1]])).requires_grad_()
    >>> kl_div(x, torch.tensor([[0.5, 0.5]]), reduction="batchmean").backward()
    >>> print(x.grad)
    tensor([[-0.5000, -0.5000]])

    References
    ----------
    Kullback and Leibler (1951), On information and sufficiency.
    https://doi.org/10.1214/aoms/1177729694
    """
    check_flag(log_target=log_target)
    if reduction not in (*get_args(Reduction), "batchmean"):
        raise ValueError(
            "reduction must be 'none', 'mean', 'sum' or 'batchmean', "
            f"got {reduction!r}"
        )
    x, y, kept = elements(input=input, target=target, mask=mask)
    xp = library(x)
    p = xp.exp(y) if log_target else y
    absent = p == 0  # and 0·log 0 = 0
    x = xp.where(absent, 0.0, x)
    y = xp.where(absent, 0.0 if log_target else 1.0, y)
    log_p = y if log_target else xp.log(y)
    loss = weighted(p * (log_p - x), kept)
    if reduction == "batchmean":
        total = quotient(xp.sum(loss), _batch_size(loss, kept))
        return cast(total, input.dtype)
    return reduce(loss, reduction, weight=kept, like=input)


def jensen_shannon_divergence(
    p: Array, q: Array, axis: int = -1, *, base: float = math.e
) -> Array:
    r"""Jensen–Shannon divergence :math:`\tfrac12\mathrm{KL}(P\|M)+\tfrac12\mathrm{KL}(Q\|M)`.

    :math:`M=\tfrac12(P+Q)` is the mixture of the two. A divergence: symmetric and bounded, but a
    detour can be shorter. Its root is a metric.

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
        In nats, or in the unit of `base`; dtype of `p`, its shape without `axis`, between 0 and
        :math:`\ln2` (1 in bits), which it is where the two have no outcome in common.

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
    jensen_shannon_distance : its root, a metric.
    kl_divergence : what it is the mean of.

    Notes
    -----
    With :math:`t_k=(p_k-q_k)/(p_k+q_k)` it is a sum of terms that are never negative and keep their
    digits where :math:`p` and :math:`q` are close:

    .. math:: \sum_k m_k\,\bigl(t_k\,\mathrm{artanh}\,t_k+\tfrac12\log(1-t_k^2)\bigr).

    Gradient: :math:`\tfrac12\log(q_k/m_k)` in :math:`q`, and likewise in :math:`p`. Where
    :math:`q_k` is 0 and :math:`p_k` is not, that is :math:`-\infty`, and :math:`-\tfrac12` is
    taken.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    >>> print(f"{jensen_shannon_divergence(p, q):.4f} nats")
    0.2158 nats

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy.
    https://doi.org/10.1109/18.61115
    """
    total = _total(_jensen_shannon, p, q, axis)
    return cast(total / _nats(base), p.dtype)


def jensen_shannon_distance(
    p: Array, q: Array, axis: int = -1, *, base: float = math.e
) -> Array:
    r"""Jensen–Shannon distance, the root of the Jensen–Shannon divergence.

    A metric. SciPy's ``jensenshannon`` is this one, too, and not the divergence; it divides `p` and
    `q` by their sums first, and its outcomes lie on axis 0.

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
        In roots of nats, or of the unit of `base`; dtype of `p`, its shape without `axis`, between
        0 and :math:`\sqrt{\ln2}` (1 with ``base=2``).

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
    jensen_shannon_divergence : its square.
    hellinger_distance : another metric that sees the same outcomes.

    Notes
    -----
    Gradient: :math:`\tfrac1{4d}\log(q_k/m_k)` in :math:`q`, with :math:`d` the distance; at
    :math:`d=0`, where it has a kink, 0 is taken.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    >>> print(f"{jensen_shannon_distance(p, q):.4f}")
    0.4645

    References
    ----------
    Endres and Schindelin (2003), A new metric for probability distributions.
    https://doi.org/10.1109/TIT.2003.813506
    """
    total = _total(_jensen_shannon, p, q, axis)
    return cast(_root(total / _nats(base)), p.dtype)


def hellinger_distance(p: Array, q: Array, axis: int = -1) -> Array:
    r"""Hellinger distance :math:`\sqrt{\tfrac12\sum_k(\sqrt{p_k}-\sqrt{q_k})^2}`.

    A metric. (Some leave out the :math:`\tfrac12`; with it the largest distance is 1.)

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.

    Returns
    -------
    array
        Without unit; dtype of `p`, its shape without `axis`, between 0 and 1, which it is where the
        two have no outcome in common.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, or they come from two libraries.
    ValueError
        If the shapes differ, a value lies outside [0, 1], or a distribution does not sum to 1
        (within 0.001).

    See Also
    --------
    bhattacharyya_distance : :math:`-\log(1-H^2)`, of this distance :math:`H`.
    total_variation_distance : between :math:`H^2` and :math:`\sqrt2\,H`.

    Notes
    -----
    A difference of roots is computed as :math:`(p_k-q_k)/(\sqrt{p_k}+\sqrt{q_k})`.

    Gradient: :math:`\tfrac1{4H}\bigl(1-\sqrt{p_k/q_k}\bigr)` in :math:`q`, and likewise in
    :math:`p`; at :math:`H=0`, where it has a kink, 0 is taken. Where :math:`q_k` is 0 and
    :math:`p_k` is not it is :math:`-\infty`, and a finite slope is taken.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    >>> print(f"{hellinger_distance(p, q):.4f}")
    0.5412

    References
    ----------
    Le Cam and Yang (2000), Asymptotics in Statistics, chapter 3.
    https://doi.org/10.1007/978-1-4612-1166-2
    """
    total = _total(_squared_hellinger, p, q, axis)
    return cast(_root(total), p.dtype)


def bhattacharyya_distance(
    p: Array, q: Array, axis: int = -1, *, base: float = math.e
) -> Array:
    r"""Bhattacharyya distance :math:`-\log\sum_k\sqrt{p_kq_k}`.

    In spite of its name a divergence, and no metric: it is symmetric, but a detour can be shorter.

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
        In nats, or in the unit of `base`; dtype of `p`, its shape without `axis`; infinite where
        the two have no outcome in common.

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
    hellinger_distance : the metric :math:`H` with :math:`1-H^2=\sum_k\sqrt{p_kq_k}`.
    renyi_divergence : of order 1/2, which is twice this.

    Notes
    -----
    Near 0 it is computed as :math:`-\log(1-H^2)`, of the Hellinger distance.

    Gradient: :math:`-\tfrac12\sqrt{p_k/q_k}\,/\sum_j\sqrt{p_jq_j}` in :math:`q`, up to a constant,
    which no change of a distribution feels; likewise in :math:`p`. Where :math:`q_k` is 0 and
    :math:`p_k` is not it is :math:`-\infty`, and a finite slope is taken; where the distance is
    infinite, the slope is 0.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    >>> print(f"{bhattacharyya_distance(p, q, base=2):.4f} bits")
    0.5000 bits

    References
    ----------
    Bhattacharyya (1946), On a measure of divergence between two multinomial populations.
    https://www.jstor.org/stable/25047882
    """
    first, second = _distributions(axis, p=p, q=q)
    xp = library(p)
    apart = sum_along(_squared_hellinger(first, second), axis)  # H²
    common = sum_along(_root(first) * _root(second), axis)  # 1 - H²
    near, never = apart < 0.5, common == 0
    distance = xp.where(
        near,
        -log1p(-xp.where(near, apart, 0.0)),
        -log(xp.where(near | never, 1.0, common)),
    )
    distance = xp.where(never, math.inf, distance)
    return cast((0.0 + distance) / _nats(base), p.dtype)


def total_variation_distance(p: Array, q: Array, axis: int = -1) -> Array:
    r"""Total variation distance :math:`\tfrac12\sum_k|p_k-q_k|`.

    A metric: the largest difference of the probabilities that the two give to one event. (Some
    leave out the :math:`\tfrac12`.)

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.

    Returns
    -------
    array
        Without unit; dtype of `p`, its shape without `axis`, between 0 and 1.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, or they come from two libraries.
    ValueError
        If the shapes differ, a value lies outside [0, 1], or a distribution does not sum to 1
        (within 0.001).

    See Also
    --------
    hellinger_distance : :math:`H^2\le\mathrm{TV}\le\sqrt2\,H`.
    kl_divergence : at least :math:`2\,\mathrm{TV}^2` (Pinsker).

    Notes
    -----
    Gradient: :math:`\tfrac12\operatorname{sign}(p_k-q_k)` in :math:`p`, and minus that in
    :math:`q`; 0 where :math:`p_k=q_k`.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    >>> print(total_variation_distance(p, q))
    0.5

    References
    ----------
    Levin and Peres (2017), Markov Chains and Mixing Times, chapter 4.
    https://doi.org/10.1090/mbk/107
    """
    return cast(_total(_total_variation, p, q, axis), p.dtype)


def chi_squared_divergence(p: Array, q: Array, axis: int = -1) -> Array:
    r"""Chi-squared divergence :math:`\chi^2(P\|Q)=\sum_k(p_k-q_k)^2/q_k`.

    A divergence, not symmetric. Pearson's: the second argument divides. Neyman's is the other way
    round.

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.

    Returns
    -------
    array
        Without unit; dtype of `p`, its shape without `axis`; infinite where `q` is 0 and `p` is
        not.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, or they come from two libraries.
    ValueError
        If the shapes differ, a value lies outside [0, 1], or a distribution does not sum to 1
        (within 0.001).

    See Also
    --------
    renyi_divergence : of order 2, which is :math:`\log(1+\chi^2)`.
    kl_divergence : never larger.

    Notes
    -----
    With frequencies of :math:`N` observations in the place of `p`, :math:`N\chi^2` is the
    statistic of Pearson's test (``scipy.stats.chisquare``).

    Gradient: :math:`2\,(p_k-q_k)/q_k` in :math:`p`, and :math:`1-p_k^2/q_k^2` in :math:`q`; both
    are infinite where `q` is 0 and `p` is not.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> print(f"{chi_squared_divergence(p, q):.4f}, {chi_squared_divergence(q, p):.4f}")
    0.3333, 0.2500

    References
    ----------
    Pearson (1900), On the criterion that a given system of deviations from the probable in the case
    of a correlated system of variables is such that it can be reasonably supposed to have arisen
    from random sampling. https://doi.org/10.1080/14786440009463897
    """
    return cast(_total(_chi_squared, p, q, axis), p.dtype)


def renyi_divergence(
    p: Array,
    q: Array,
    axis: int = -1,
    *,
    order: float = 2.0,
    base: float = math.e,
) -> Array:
    r"""Rényi divergence :math:`D_\alpha(P\|Q)=\frac1{\alpha-1}\log\sum_kp_k^\alpha q_k^{1-\alpha}`.

    A divergence for every order above 0, symmetric for :math:`\tfrac12` alone. It grows with the
    order. At order 0 it is 0 for any two that have the same outcomes.

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.
    order : float
        :math:`\alpha\ge0`. At 0, 1 and infinity its limits: :math:`-\log Q(p>0)`, the KL
        divergence, and :math:`\log\max_kp_k/q_k`.
    base : float
        The base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    array
        In nats, or in the unit of `base`; dtype of `p`, its shape without `axis`. Infinite where
        the two have no outcome in common; from order 1 on, also where `q` is 0 and `p` is not.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, they come from two libraries, or `order` or
        `base` is no number.
    ValueError
        If the shapes differ, a value lies outside [0, 1], a distribution does not sum to 1 (within
        0.001), `order` is negative, or `base` is not above 1.

    See Also
    --------
    kl_divergence : order 1.
    bhattacharyya_distance : half of order 1/2.
    chi_squared_divergence : :math:`\chi^2`, of which order 2 is :math:`\log(1+\chi^2)`.

    Notes
    -----
    It is a log-sum-exp of :math:`\alpha\log p_k+(1-\alpha)\log q_k`. Where that is small it is
    computed from :math:`\sum_k(p_k^\alpha q_k^{1-\alpha}-\alpha p_k-(1-\alpha)\,q_k)`, whose
    terms all have one sign.

    Gradient: :math:`-r_k/q_k` in :math:`q` and :math:`\tfrac\alpha{\alpha-1}\,r_k/p_k` in
    :math:`p`, with :math:`r_k\propto p_k^\alpha q_k^{1-\alpha}` a distribution; up to a constant,
    which no change of a distribution feels. Where a probability is 0 it is 0, up to that constant.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> print(*(f"{renyi_divergence(p, q, order=a):.4f}" for a in (0, 0.5, 1, 2, np.inf)))
    0.0000 0.0693 0.1438 0.2877 0.6931

    References
    ----------
    Rényi (1961), On measures of entropy and information.
    https://projecteuclid.org/euclid.bsmsp/1200512181

    van Erven and Harremoës (2014), Rényi divergence and Kullback-Leibler divergence.
    https://doi.org/10.1109/TIT.2014.2320500
    """
    check_at_least(0, order=order)
    first, second = _distributions(axis, p=p, q=q)
    if order == 1:
        nats = sum_along(relative_entropy(first, second), axis)
    elif order > 1e30:  # no digit is that of another than the limit
        nats = _largest_ratio(first, second, axis)
    else:
        nats = _renyi(first, second, axis, float(order))
    return cast(nats / _nats(base), p.dtype)


def f_divergence(
    p: Array,
    q: Array,
    axis: int = -1,
    *,
    generator: Generator = "kl",
) -> Array:
    r"""Divergence :math:`D_f(P\|Q)=\sum_kq_k\,f(p_k/q_k)` of a convex :math:`f`, its generator.

    A divergence, if :math:`f(1)=0` and :math:`f` bends there. No processing of the outcomes,
    however noisy, makes it larger.

    Parameters
    ----------
    p, q : array, same shape, at least one axis
        The distributions along `axis`, real floating.
    axis : int
        The axis of the outcomes.
    generator : str or callable
        :math:`f`, by name:

        =========================  ==============================================================
        "kl"                       :math:`u\log u-u+1`
        "reverse_kl"               :math:`-\log u+u-1`, the KL of :math:`Q` from :math:`P`
        "jensen_shannon"           :math:`\tfrac12u\log u-\tfrac12(u+1)\log\tfrac{u+1}2`
        "squared_hellinger"        :math:`\tfrac12(\sqrt u-1)^2`
        "total_variation"          :math:`\tfrac12|u-1|`
        "chi_squared"              :math:`(u-1)^2`, Pearson's
        "neyman_chi_squared"       :math:`(u-1)^2/u`
        =========================  ==============================================================

        or a function of an array :math:`u\ge0`, in the operations of its library, that returns
        :math:`f(u)` of each element; at 0 it must give the limit.

    Returns
    -------
    array
        In the unit of :math:`f` (nats where it has a logarithm); dtype of `p`, its shape without
        `axis`.

    Raises
    ------
    TypeError
        If `p` or `q` is not a real floating array, they come from two libraries, or `generator` is
        neither a name nor callable, or does not return an array of the shape that it is given.
    ValueError
        If the shapes differ, a value lies outside [0, 1], a distribution does not sum to 1 (within
        0.001), `generator` is no name of the table, or a function that is not 0 at 1 or returns
        nan; or if it is a function and `q` is 0 where `p` is not, because the term is then the
        limit of :math:`p\,f(u)/u` as :math:`u\to\infty`, which no value of :math:`f` tells.

    See Also
    --------
    kl_divergence, chi_squared_divergence, jensen_shannon_divergence : some by their names.
    hellinger_distance : the root of one.
    total_variation_distance : another one.

    Notes
    -----
    :math:`f(u)+c\,(u-1)` is the same divergence for every :math:`c`. A convex function of your
    own is best written with the slope 0 at 1: then no term is negative, and rounding hardly makes
    the sum so.

    Gradient: :math:`f(u_k)-u_kf'(u_k)` in :math:`q`, and :math:`f'(u_k)` in :math:`p`, with
    :math:`u=p/q`; for the names as the functions of the same name say.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> print(f"{f_divergence(p, q, generator='chi_squared'):.4f}")
    0.3333
    >>> le_cam = f_divergence(p, q, generator=lambda u: (u - 1) ** 2 / (u + 1))
    >>> print(f"{le_cam:.4f}")
    0.1333

    References
    ----------
    Liese and Vajda (2006), On divergences and informations in statistics and information theory.
    https://doi.org/10.1109/TIT.2006.881731

    Ali and Silvey (1966), A general class of coefficients of divergence of one distribution from
    another. https://doi.org/10.1111/j.2517-6161.1966.tb00626.x
    """
    return cast(_total(_terms_of(generator), p, q, axis), p.dtype)


def _total(
    terms: Callable[[Array, Array], Array], p: Array, q: Array, axis: int
) -> Array:
    """Check two distributions, and return the sum over the outcomes of what is said of each."""
    p, q = _distributions(axis, p=p, q=q)
    return sum_along(terms(p, q), axis)


def _jensen_shannon(p: Array, q: Array) -> Array:
    """Return ½ p log(p/m) + ½ q log(q/m), m the mean: near p = q from t = (p - q)/(p + q)."""
    xp = library(p)
    both = xp.where(p + q == 0, 1.0, p + q)
    t = (p - q) / both
    near = xp.abs(t) < 0.5
    t = xp.where(near, t, 0.0)
    close = both * (t * xp.atanh(t) + 0.5 * log1p(-t * t))
    far = xlogy(p, 2 * (p / both)) + xlogy(q, 2 * (q / both))
    return 0.5 * xp.where(near, close, far)


def _squared_hellinger(p: Array, q: Array) -> Array:
    """Return ½ (√p - √q)², the difference of the roots without cancellation."""
    roots = _root(p) + _root(q)
    gap = (p - q) / library(p).where(roots == 0, 1.0, roots)
    return 0.5 * gap * gap


def _total_variation(p: Array, q: Array) -> Array:
    return 0.5 * absolute(p - q)


def _chi_squared(p: Array, q: Array) -> Array:
    absent = (p == 0) & (q == 0)
    gap = p - q
    return gap * quotient(gap, library(p).where(absent, 1.0, q))


GENERATORS: Mapping[str, Callable[[Array, Array], Array]] = {
    "kl": relative_entropy,
    "reverse_kl": lambda p, q: relative_entropy(q, p),
    "jensen_shannon": _jensen_shannon,
    "squared_hellinger": _squared_hellinger,
    "total_variation": _total_variation,
    "chi_squared": _chi_squared,
    "neyman_chi_squared": lambda p, q: _chi_squared(q, p),
}
"""The terms q·f(p/q) of each outcome, by the name of f."""


def _terms_of(generator: Generator) -> Callable[[Array, Array], Array]:
    """Return the function that gives q·f(p/q) of each outcome, f by its name or as a function."""
    if isinstance(generator, str):
        if generator not in GENERATORS:
            raise ValueError(
                f"generator must be one of {', '.join(map(repr, GENERATORS))}, or a function, "
                f"got {generator!r}"
            )
        return GENERATORS[generator]
    if not callable(generator):
        raise TypeError(
            f"generator must be a name or a function, got {type(generator).__name__}"
        )
    return partial(_terms, generator)


def _terms(
    generator: Callable[[Array], Array], p: Array, q: Array
) -> Array:
    """Return q·f(p/q) of each outcome, f a function of somebody's own."""
    xp = library(p)
    gone = q == 0
    endless = gone & (p != 0)
    if seen(endless):
        raise ValueError(
            "q must not be 0 where p is not, for a generator that is a function, "
            f"got {first_where(p, endless)} in p"
        )
    at_one = generator(number(1.0, p))
    ratios = xp.where(gone, 1.0, p / xp.where(gone, 1.0, q))
    found = generator(ratios)
    if not is_array(found) or tuple(found.shape) != tuple(p.shape):
        shape = (
            tuple(found.shape) if is_array(found) else type(found).__name__
        )
        raise TypeError(
            f"generator must return an array of the shape that it is given, {tuple(p.shape)}, "
            f"got {shape}"
        )
    not_0 = ~(xp.abs(at_one) <= 1e-6)
    if seen(not_0):
        raise ValueError(
            f"generator must be 0 at 1, got {float(at_one):.4g}"
        )
    lost = xp.isnan(found)
    if seen(lost):
        raise ValueError(
            "generator must return numbers, and at 0 its limit, "
            f"got nan for u = {first_where(ratios, lost)}"
        )
    terms = q * found
    return terms if concrete(terms) else spoiled(terms, endless | not_0)


def _root(x: Array) -> Array:
    """Return √x, with a slope of 0 at 0."""
    xp = library(x)
    nothing = x == 0
    return xp.where(nothing, 0.0, xp.sqrt(xp.where(nothing, 1.0, x)))


def _largest_ratio(p: Array, q: Array, axis: int) -> Array:
    """Return log max p/q, over the outcomes that p has."""
    xp = library(p)
    absent = p == 0
    ratios = log(xp.where(absent, 1.0, p)) - log(xp.where(absent, 1.0, q))
    return relu(xp.max(xp.where(absent, -math.inf, ratios), axis=axis))


def _renyi(p: Array, q: Array, axis: int, order: float) -> Array:
    """Return the Rényi divergence of an order other than 1 and infinity.

    With s = order - 1 and l = log(p/q) it is log(Σ p exp(s·l)) / s. Where the sum is near 1 it is
    1 + s·Σ a with a = p·expm1(s·l)/s - p + q, and no a is negative.
    """
    xp, s = library(p), order - 1
    absent = (p == 0) | (q == 0)
    p_, q_ = xp.where(absent, 1.0, p), xp.where(absent, 1.0, q)
    near = xp.abs(q_ - p_) < 0.5 * p_
    r = xp.where(near, (q_ - p_) / p_, 0.0)
    power = s * xp.where(near, -log1p(r), log(p_) - log(q_))
    exponent = xp.where(absent, -math.inf, log(p_) + power)
    most = xp.max(exponent, axis=axis, keepdims=True)
    most = stop_gradient(xp.where(most == -math.inf, 0.0, most))
    mass = sum_along(xp.exp(exponent - most), axis)
    far = log(mass) + xp.squeeze(most, axis=axis)
    small = xp.where(power < 1, power, 0.0)
    large = xp.where(power < 1, 0.0, xp.where(exponent < 1, exponent, 0.0))
    grown = xp.where(power < 1, p_ * xp.expm1(small), xp.exp(large) - p_)
    excess = xp.where(absent, -p, grown) / s + (q - p)
    total = s * sum_along(relu(excess), axis)
    close = xp.abs(far) < 0.5
    nats = xp.where(close, log1p(xp.where(close, total, 0.0)), far) / s
    if s < 0:
        return nats
    impossible = xp.any((p != 0) & (q == 0), axis=axis)
    return xp.where(impossible, math.inf, nats)


def _batch_size(loss: Array, kept: Array | None) -> Array | int:
    """Return the length of the first axis, of which only samples count that are kept in part."""
    if kept is None or not loss.ndim:
        return loss.shape[0] if loss.ndim else 1
    xp = library(loss)
    rows = xp.reshape(kept, (loss.shape[0], -1))
    return xp.sum(cast(xp.any(rows != 0, axis=1), loss.dtype))
