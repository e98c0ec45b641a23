r"""Losses of an order: which of two scores should be the larger, and in what order many should lie.

The chapter *Ranking* derives the functions and reads this file.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    cast,
    concrete,
    indices,
    library,
    lift,
    log,
    log1p,
    namespace,
    poison,
    positions,
    product_sum,
    quiet,
    relu,
    remade,
    running,
    seen,
    spoiled,
)
from losslib._checks import (
    check_broadcasts,
    check_class_indices,
    check_floating,
    check_mask,
    check_number,
    check_real,
    check_same_shape,
    check_vectors,
    elements,
    first_where,
    given,
)
from losslib._classes import log_probabilities, of_class
from losslib.logits import softplus
from losslib.objective import Reduction, reduce


def margin_ranking_loss(
    input1: Array,
    input2: Array,
    target: Array,
    *,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Margin ranking loss :math:`\max\bigl(0, m - y\,(x_1-x_2)\bigr)`.

    Parameters
    ----------
    input1, input2 : array, same shape
        The two scores :math:`x_1` and :math:`x_2`, real floating.
    target : array, shape of `input1`
        :math:`y`: 1 where the first score should be the larger, -1 where the second; any real
        dtype.
    margin : float
        By how much, :math:`m`.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of the scores, dtype of `input1`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype,
        or `margin` is no number.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    See Also
    --------
    hinge_loss : the hinge of one score.
    triplet_margin_loss : the hinge of two distances.
    ranknet_loss : the logistic loss of all pairs of a list.

    Notes
    -----
    Gradient: :math:`-y` in :math:`x_1` and :math:`y` in :math:`x_2` where
    :math:`y\,(x_1-x_2)<m`, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> x1, x2, y = np.array([3.0, 1.0]), np.array([1.0, 2.0]), np.array([1, 1])
    >>> print(margin_ranking_loss(x1, x2, y, margin=0.5, reduction="none"))
    [0.  1.5]

    References
    ----------
    Herbrich, Graepel and Obermayer (2000), Large margin rank boundaries for ordinal regression, in
    Advances in large margin classifiers. https://doi.org/10.7551/mitpress/1113.001.0001
    """
    check_number(margin=margin)
    x1, x2, y = elements(
        input1=input1, input2=input2, target=target, labels=("target",)
    )

    def hinge(x1: Array, x2: Array, y: Array) -> Array:
        return relu(margin - y * (x1 - x2))

    return reduce(remade(hinge, x1, x2, y), reduction, like=input1)


def ranknet_loss(
    input: Array,
    target: Array,
    mask: Array | None = None,
    weight: Array | None = None,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""RankNet: the logistic loss of every pair of a list of which one should lie above the other.

    .. math:: \ell = \sum_{y_i>y_j} w_{ij}\,\log\bigl(1+e^{-(z_i-z_j)}\bigr)

    With the weights of `lambdarank_weight` it is LambdaRank.

    Parameters
    ----------
    input : array, shape (L) or (…, L)
        The scores :math:`z` of the items of a list, real floating.
    target : array, shape of `input`
        The relevance :math:`y`, the larger the better; any real dtype. Two items that are equally
        relevant are no pair.
    mask : array of bool, broadcasts to the shape of `input`, optional
        True for an item, False for padding.
    weight : array, shape (…, L, L), optional
        The weight :math:`w_{ij}` of the pair in which item i should lie above item j, real
        floating; only those are looked at.
    reduction : {"none", "mean", "sum"}
        Over the lists; one that is all padding counts nowhere.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape less the last axis for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, or `reduction` is unknown.

    See Also
    --------
    margin_ranking_loss : the hinge of a pair.
    lambdarank_weight : weights that look at the top of the list.
    listmle_loss : the whole order at once.

    Notes
    -----
    A sum over pairs: long lists weigh more, and a list of equals costs nothing but counts in the
    mean. It takes memory for all :math:`L^2` pairs.

    Gradient: a pair pulls :math:`z_i` up and :math:`z_j` down by
    :math:`w_{ij}\,\sigma(z_j-z_i)`.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([[2.0, 0.0, 1.0]]), np.array([[2, 1, 0]])
    >>> print(f"{ranknet_loss(z, y):.4f}")
    1.7535

    References
    ----------
    Bradley and Terry (1952), Rank analysis of incomplete block designs: I. The method of paired
    comparisons. https://doi.org/10.2307/2334029

    Burges et al. (2005), Learning to rank using gradient descent.
    https://doi.org/10.1145/1102351.1102363
    """
    z, y, kept = _lists(mask, input=input, target=target)
    xp = library(z)
    pairs = ~(y[..., :, None] <= y[..., None, :])
    pairs = pairs & kept[..., :, None] & kept[..., None, :]
    if weight is not None:
        w = xp.where(pairs, _of_pairs(weight, z), 0.0)
        pairs = pairs & (w != 0)
    with quiet(z, invalid="ignore"):  # of what is no pair
        ahead = xp.where(pairs, z[..., :, None] - z[..., None, :], 0.0)
    loss = xp.where(pairs, softplus(-ahead), 0.0)
    total = xp.sum(loss if weight is None else w * loss, axis=(-2, -1))
    return _over_lists(total, kept, reduction, input)


def lambdarank_weight(
    input: Array, target: Array, mask: Array | None = None
) -> Array:
    r"""Weights of LambdaRank: by how much NDCG would change if two items swapped their places.

    .. math:: w_{ij} = \frac{|2^{y_i}-2^{y_j}|}{Z}\,
              \Bigl|\frac1{\log_2(1+r_i)}-\frac1{\log_2(1+r_j)}\Bigr|

    with the ranks :math:`r` by the scores, and :math:`Z` the DCG of the best order.

    Parameters
    ----------
    input : array, shape (L) or (…, L)
        The scores :math:`z` of the items of a list, real floating.
    target : array, shape of `input`
        The relevance :math:`y`, the larger the better, at least 0; any real dtype.
    mask : array of bool, broadcasts to the shape of `input`, optional
        True for an item, False for padding.

    Returns
    -------
    array
        For `ranknet_loss`: shape (…, L, L), dtype of `input`, without a gradient. All 0 where no
        item is more relevant than 0; nan in a list with a score that is nan.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, or a relevance is negative.

    See Also
    --------
    ranknet_loss : which takes them.

    Notes
    -----
    Of equal scores the first has the better rank. The gains :math:`2^y-1` are those of web
    search: relevance on a scale of hundreds makes all but the best item count for nothing.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([0.3, 2.0, 1.0]), np.array([2, 0, 1])
    >>> print(lambdarank_weight(z, y).round(4))
    [[0.     0.4131 0.0721]
     [0.4131 0.     0.1016]
     [0.0721 0.1016 0.    ]]

    References
    ----------
    Burges, Ragno and Le (2006), Learning to rank with nonsmooth cost functions.
    https://papers.nips.cc/paper/2971-learning-to-rank-with-nonsmooth-cost-functions
    """
    z, y, kept = _lists(mask, input=input, target=target)
    xp, below = library(z), kept & (y < 0)
    if seen(below):
        raise ValueError(
            f"target must not be negative, got {first_where(target, below)}"
        )
    y = xp.where(kept, cast(y, z.dtype), 0.0)
    if not concrete(below):
        y = spoiled(y, below)
    most = xp.max(y, axis=-1, keepdims=True) if y.shape[-1] else 0.0
    # over 2^most, as Z is
    gain = -xp.expm1(-y * math.log(2)) * 2.0 ** (y - most)
    discount = math.log(2) / log1p(cast(_ranks(z, kept), z.dtype))
    best = math.log(2) / log1p(cast(_ranks(y, kept), z.dtype))
    ideal = xp.sum(gain * best, axis=-1)[..., None, None]
    swap = xp.abs(
        (gain[..., :, None] - gain[..., None, :])
        * (discount[..., :, None] - discount[..., None, :])
    )
    nothing = ideal == 0
    swap = xp.where(nothing, 0.0, swap / xp.where(nothing, 1.0, ideal))
    unknown = xp.any(kept & (z != z), axis=-1)[..., None, None]
    swap = xp.where(unknown, math.nan, swap)
    swap = xp.where(kept[..., :, None] & kept[..., None, :], swap, 0.0)
    return cast(swap, input.dtype)


def listnet_loss(
    input: Array,
    target: Array,
    mask: Array | None = None,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""ListNet: the cross-entropy of two guesses of which item comes first.

    .. math:: \ell = -\sum_i p_i\,\log q_i, \qquad p=\mathrm{softmax}(y),\ q=\mathrm{softmax}(z)

    It is :math:`\mathrm{KL}(p\,\|\,q)` plus the entropy of :math:`p`.

    Parameters
    ----------
    input : array, shape (L) or (…, L)
        The scores :math:`z` of the items of a list, real floating.
    target : array, shape of `input`
        The relevance :math:`y`, on the scale of scores; any real dtype.
    mask : array of bool, broadcasts to the shape of `input`, optional
        True for an item, False for padding.
    reduction : {"none", "mean", "sum"}
        Over the lists; one that is all padding counts nowhere.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape less the last axis for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, or `reduction` is unknown.

    See Also
    --------
    listmle_loss : the whole order, not the first place alone.
    cross_entropy : where the probabilities are given.

    Notes
    -----
    Gradient: :math:`q-p`.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([[2.0, 0.0, 1.0]]), np.array([[2, 1, 0]])
    >>> print(f"{listnet_loss(z, y):.4f}")
    0.9871

    References
    ----------
    Cao, Qin, Liu, Tsai and Li (2007), Learning to rank: from pairwise approach to listwise
    approach. https://doi.org/10.1145/1273496.1273513
    """
    z, y, kept = _lists(mask, input=input, target=target)
    xp, rows = library(z), (math.prod(z.shape[:-1]), z.shape[-1])
    if z.shape[-1] == 0:
        raise ValueError(
            f"input must hold at least one score per list, got shape {tuple(input.shape)}"
        )
    some = xp.any(kept, axis=-1, keepdims=True)
    log_q, log_p = (
        log_probabilities(
            xp.reshape(xp.where(kept | ~some, x, -math.inf), rows)
        )
        for x in (z, cast(y, z.dtype))
    )
    p = xp.where(xp.reshape(kept, rows), xp.exp(log_p), 0.0)
    loss = xp.reshape(-product_sum(p, log_q, 1), tuple(z.shape[:-1]))
    return _over_lists(loss, kept, reduction, input)


def listmle_loss(
    input: Array,
    target: Array,
    mask: Array | None = None,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""ListMLE: the negative log-likelihood of an order, each place drawn from what is left.

    .. math:: \ell = \sum_{k=1}^L\Bigl(\log\sum_{j=k}^L e^{z_{\pi_j}} - z_{\pi_k}\Bigr)

    with the order :math:`\pi` from the most relevant item to the least (Plackett and Luce).

    Parameters
    ----------
    input : array, shape (L) or (…, L)
        The scores :math:`z` of the items of a list, real floating.
    target : array, shape of `input`
        The relevance, the larger the better; any real dtype. Only the order counts, and equals
        have that in which they stand.
    mask : array of bool, broadcasts to the shape of `input`, optional
        True for an item, False for padding.
    reduction : {"none", "mean", "sum"}
        Over the lists; one that is all padding counts nowhere.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape less the last axis for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, or `reduction` is unknown.

    See Also
    --------
    listnet_loss : the first place alone.
    cox_loss : which treats equals alike, and knows of items whose place is not seen.

    Notes
    -----
    To treat equals alike, shuffle each list before, or use `cox_loss` with the times
    ``-target``, an event for each, ``reduction="sum"`` for one list.
    Scores of -inf are as good as padding where they belong last; elsewhere the loss is infinite.

    Gradient: :math:`\sum_k[\,j\text{ not placed before }k\,]\,q_k(j) - 1` in :math:`z_j`, with
    :math:`q_k` the softmax over what is left at place k.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([[2.0, 0.0, 1.0]]), np.array([[2, 1, 0]])
    >>> print(f"{listmle_loss(z, y):.4f}")
    1.7209

    References
    ----------
    Plackett (1975), The analysis of permutations. https://doi.org/10.2307/2346567

    Xia, Liu, Wang, Zhang and Li (2008), Listwise approach to learning to rank: theory and
    algorithm. https://doi.org/10.1145/1390156.1390306
    """
    z, y, kept = _lists(mask, input=input, target=target)
    xp = library(z)
    order = _order(-y, kept)
    z = xp.take_along_axis(z, order, axis=-1)
    top, more = _log_sums(z)
    loss = xp.where(
        xp.take_along_axis(kept, order, axis=-1), _less(top, z) + more, 0.0
    )
    return _over_lists(xp.sum(loss, axis=-1), kept, reduction, input)


def cox_loss(
    input: Array,
    time: Array,
    event: Array,
    mask: Array | None = None,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""Cox's partial likelihood: at each event, who of those still at risk had it.

    .. math:: \ell_i = \Bigl[\log\sum_{t_j\ge t_i} e^{z_j} - z_i\Bigr]
              \quad\text{where there is an event, else }0

    Of events at one time each meets all who are at risk then, the others included: Breslow's
    approximation for ties.

    Parameters
    ----------
    input : array, shape (N) or (…, N)
        Logarithms of the risks :math:`z` of N persons, real floating. Those along the last axis
        are at risk together; the axes before it are strata.
    time : array, shape of `input`
        When a person was seen last, :math:`t`; any real dtype.
    event : array, shape of `input`
        1 for an event at that time, 0 for none up to it (censored); any real dtype or bool.
    mask : array of bool, broadcasts to the shape of `input`, optional
        True for a person, False for padding.
    reduction : {"none", "mean", "sum"}
        The mean is over the events.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array. Minus the sum is the
        logarithm of the partial likelihood.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a value of `event` is neither 0 nor 1, or `reduction` is unknown.

    See Also
    --------
    listmle_loss : the same without censoring and ties.
    cross_entropy : of one choice among fixed classes.

    Notes
    -----
    Nothing that is added to all scores of a stratum changes it: no bias can be learned. In
    batches, only those of the batch are at risk together. A column of scores, of shape (N, 1), is
    N strata of one person each, and costs nothing: squeeze it.

    Gradient: :math:`\sum_{i\text{ an event}}[t_j\ge t_i]\,q_i(j)-[j\text{ an event}]` in
    :math:`z_j`, with :math:`q_i` the softmax over those at risk at :math:`t_i`.

    Examples
    --------
    >>> import numpy as np
    >>> z, t, d = np.array([1.0, 0.0, 2.0]), np.array([3, 5, 8]), np.array([1, 0, 1])
    >>> print(cox_loss(z, t, d, reduction="none").round(4) + 0.0)
    [1.4076 0.     0.    ]

    References
    ----------
    Cox (1972), Regression models and life-tables.
    https://doi.org/10.1111/j.2517-6161.1972.tb00899.x

    Breslow (1974), Covariance analysis of censored survival data. https://doi.org/10.2307/2529620
    """
    z, t, kept, d = _lists(mask, input=input, time=time, event=event)
    xp, dies = library(z), kept & (d == 1)
    other = kept & (d != 0) & (d != 1)
    if seen(other):
        raise ValueError(
            "event must be 1 for one that was seen and 0 for none, "
            f"got {first_where(event, other)}"
        )
    if not concrete(other):
        z = poison(z, other)
    order = _order(t, kept)
    back = xp.argsort(order, axis=-1)
    top, more = _log_sums(xp.take_along_axis(z, order, axis=-1))
    first = xp.take_along_axis(
        _first_of_equals(t, kept, order), back, axis=-1
    )
    top, more = (xp.take_along_axis(x, first, axis=-1) for x in (top, more))
    loss = xp.where(dies, _less(top, z) + more, _nothing(z))
    return reduce(loss, reduction, weight=cast(dies, z.dtype), like=input)


def ordinal_loss(
    input: Array,
    target: Array,
    thresholds: Array,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""Proportional odds: classes in an order, cut from one score by thresholds.

    .. math:: \ell = -\log\bigl[\sigma(\theta_y-z)-\sigma(\theta_{y-1}-z)\bigr], \qquad
              \theta_{-1}=-\infty,\ \theta_{n-1}=\infty

    That is, :math:`P(Y\le k)=\sigma(\theta_k-z)`, as in statsmodels' ``OrderedModel``.

    Parameters
    ----------
    input : array, any shape
        The scores :math:`z`, real floating: one for each sample.
    target : array, shape of `input`
        The classes :math:`y`, from 0 for the lowest to n - 1; any integer dtype.
    thresholds : array, shape (n - 1)
        :math:`\theta_0<\theta_1<\dots`, real floating.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class is out of range, the thresholds do not increase, or
        `reduction` is unknown.

    See Also
    --------
    binary_cross_entropy_with_logits : what it is with two classes.
    cross_entropy : classes without an order.

    Notes
    -----
    To learn thresholds that keep their order, learn the first and the logarithms of the steps.

    Gradient: :math:`P(Y>y)-P(Y<y)` in :math:`z`.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([0.0, 0.0, 3.0]), np.array([0, 1, 2])
    >>> print(ordinal_loss(z, y, np.array([-1.0, 1.0]), reduction="none").round(4))
    [1.3133 0.7719 0.1269]

    References
    ----------
    McCullagh (1980), Regression models for ordinal data.
    https://doi.org/10.1111/j.2517-6161.1980.tb01109.x
    """
    xp = namespace(input=input, target=target, thresholds=thresholds)
    check_floating(input=input, thresholds=thresholds)
    if thresholds.ndim != 1 or thresholds.shape[0] == 0:
        raise ValueError(
            "thresholds must hold one number between each class and the next, shape (n - 1,), "
            f"got shape {tuple(thresholds.shape)}"
        )
    z, cuts, last = lift(input), thresholds, thresholds.shape[0]
    samples = f"one class per score of input {tuple(input.shape)}"
    y = check_class_indices(
        target, last + 1, tuple(input.shape), samples, None
    )
    cuts = cast(cuts, z.dtype)
    steps = cuts[1:] - cuts[:-1]
    if seen(~(steps > 0)):
        raise ValueError(
            f"thresholds must increase, got a step of {first_where(steps, ~(steps > 0))}"
        )
    if not concrete(y):
        outside = (y < 0) | (y > last)
        z, y = spoiled(z, outside), xp.where(outside, 0, y)
    if not concrete(steps):
        z = spoiled(z, ~xp.all(steps > 0))
    above = of_class(cuts, xp.where(y < last, y, last - 1)) - z
    below = of_class(cuts, xp.where(y > 0, y - 1, 0)) - z
    top, bottom = y >= last, y <= 0
    loss = xp.where(top, _nothing(z), softplus(-above)) + xp.where(
        bottom, _nothing(z), softplus(below)
    )
    if last > 1:  # σ(a) - σ(b) = σ(a) σ(-b) (1 - e^(b-a))
        inner = xp.where(top, last - 2, xp.where(bottom, 0, y - 1))
        between = of_class(_log_one_less_exp(steps), inner)
        loss = loss - xp.where(top | bottom, 0.0, between)
    return reduce(loss, reduction, like=input)


def _lists(
    mask: Array | None, *, input: Array, **columns: Array
) -> tuple[Array, ...]:
    """Check scores along the last axis and what else is said of each, and return them to compute.

    The scores are lifted to float32 at least, and 0 where they are padding; the first column and
    the others compare as they are. The third is what is no padding. A list whose first column has
    nan has scores of nan, as nan has no place in an order.
    """
    xp = namespace(input=input, **columns, **given(mask=mask))
    check_floating(input=input)
    check_real(**columns)
    check_vectors(input=input)
    check_same_shape(input=input, **columns)
    z = lift(input)
    first, *others = (
        lift(x) if xp.isdtype(x.dtype, "real floating") else indices(x, z)
        for x in columns.values()
    )
    if mask is None:
        kept = xp.ones_like(z, dtype=xp.bool)
    else:
        check_mask(mask=mask)
        check_broadcasts(tuple(input.shape), mask=mask)
        kept = xp.broadcast_to(mask, tuple(input.shape))
        z = xp.where(kept, z, 0.0)
    unknown = kept & (first != first)
    if seen(unknown) or not concrete(unknown):
        z = spoiled(z, xp.any(unknown, axis=-1, keepdims=True))
    return z, first, kept, *others


def _over_lists(
    loss: Array, kept: Array, reduction: Reduction, input: Array
) -> Array:
    """Reduce the losses of lists, of which those without an item count nowhere."""
    some = library(loss).any(kept, axis=-1)
    weight = cast(some, loss.dtype)
    return reduce(loss, reduction, weight=weight, like=input)


def _of_pairs(weight: Array, z: Array) -> Array:
    """Check a weight for each pair, and return it in the dtype of the scores."""
    namespace(input=z, weight=weight)
    check_floating(weight=weight)
    shape = (*z.shape, z.shape[-1])
    if tuple(weight.shape) != shape:
        raise ValueError(
            f"weight must hold one number per pair, shape {shape}, got {tuple(weight.shape)}"
        )
    return cast(weight, z.dtype)


def _order(key: Array, kept: Array) -> Array:
    """Return the positions that sort lists by a key, equals as they stand, padding first."""
    xp = library(key)
    order = xp.argsort(key, axis=-1, stable=True)
    item = xp.take_along_axis(kept, order, axis=-1)
    padding_first = xp.argsort(indices(item, key), axis=-1, stable=True)
    return xp.take_along_axis(order, padding_first, axis=-1)


def _ranks(x: Array, kept: Array) -> Array:
    """Return 1 for the largest of each list, 2 for the next; of equals the first is ahead."""
    xp = library(x)
    place = positions(x, x.ndim - 1)
    one, other = x[..., :, None], x[..., None, :]
    earlier = place[None, :] < place[:, None]
    ahead = (other > one) | ((other == one) & earlier)
    return 1 + xp.sum(indices(ahead & kept[..., None, :], x), axis=-1)


def _log_sums(z: Array) -> tuple[Array, Array]:
    """Return, for each place, the largest score from there on, and by how much log-sum-exp is more.

    Σ e^z is kept as e^m (1 + r), with the largest score m: no digit of what it has above e^m is
    lost beside it, nor does it overflow.
    """
    xp = library(z)

    def both(
        one: tuple[Array, ...], other: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        (m, r), (n, q) = one, other
        ahead = m >= n
        top, low = xp.where(ahead, m, n), xp.where(ahead, n, m)
        rest, more = xp.where(ahead, r, q), xp.where(ahead, q, r)
        return top, rest + (1 + more) * xp.exp(_less(low, top, -math.inf))

    z = xp.flip(z, axis=-1)
    top, more = running(both, z, _nothing(z))
    return xp.flip(top, axis=-1), xp.flip(log1p(more), axis=-1)


def _less(x: Array, y: Array, none: float = 0.0) -> Array:
    """Return x - y, and what is given where both are -inf."""
    xp = library(x)
    with quiet(x, invalid="ignore"):
        gap = x - y
    return xp.where((x == y) & (x == -math.inf), none, gap)


def _nothing(z: Array) -> Array:
    """Return 0, and nan where z is nan."""
    return library(z).where(z == z, 0.0, z)


def _first_of_equals(t: Array, kept: Array, order: Array) -> Array:
    """Return, for each place in an order, the first place with the same time."""
    xp = library(t)
    t, kept = (xp.take_along_axis(x, order, axis=-1) for x in (t, kept))
    new = (t[..., 1:] != t[..., :-1]) | (kept[..., 1:] != kept[..., :-1])
    new = xp.concat([xp.ones_like(kept[..., :1]), new], axis=-1)
    place = xp.where(new, positions(t, t.ndim - 1), 0)
    (first,) = running(
        lambda one, other: (xp.maximum(*one, *other),), place
    )
    return first


def _log_one_less_exp(x: Array) -> Array:
    """Return log(1 - exp(-x)) of positive x, to all digits."""
    xp = library(x)
    small = x < math.log(2)
    near, far = xp.where(small, x, 1.0), xp.where(small, 1.0, x)
    return xp.where(small, log(-xp.expm1(-near)), log1p(-xp.exp(-far)))
