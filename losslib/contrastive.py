r"""Losses of a batch of pairs: what belongs together is picked out among all the rest of the batch.

The chapter *Contrastive losses* reads them as (M) with a place in the batch as the outcome.
"""

from __future__ import annotations

import math
from typing import Any

from losslib._array import (
    Array,
    cast,
    concrete,
    library,
    lift,
    matmul,
    namespace,
    poison,
    positions,
    quiet,
    relu,
    seen,
)
from losslib._checks import (
    check_between,
    check_flag,
    check_floating,
    check_number,
    check_option,
    check_real,
    check_same_shape,
    check_vectors,
    first_where,
    given,
)
from losslib._classes import log_probabilities, surprise
from losslib.angular import _polar
from losslib.logits import logsumexp, softplus
from losslib.objective import Reduction, reduce

TEMPERATURE = 0.1
"""The temperature of cosines, where none is given."""


def info_nce_loss(
    input: Array,
    key: Array | None = None,
    *,
    temperature: float | None = None,
    symmetric: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""InfoNCE: each query picks its own key among the N keys of the batch.

    .. math:: \ell_i = -\log\frac{e^{s_{ii}/\tau}}{\sum_{k=1}^N e^{s_{ik}/\tau}}, \qquad
              s_{ik} = \cos(x_i, y_k)

    With `symmetric`, the loss of CLIP: half of this, and half of the same with the roles exchanged,
    where key i picks its query.

    Parameters
    ----------
    input : array, shape (N, D) or (B, N, D)
        Queries :math:`x`, real floating: a batch, or B batches. Without `key`: scores
        :math:`s_{ik}` of query i and key k, shape (N, N) or (B, N, N), of any similarity.
    key : array, shape of `input`, optional
        Keys :math:`y`, real floating; the one of row i belongs to query i. Lengths of vectors do
        not matter. A vector of zeros has cosine 0 with every other, and a gradient of 0.
    temperature : float, optional
        :math:`\tau`, above 0; 0.1 for vectors and 1 for scores, if none is given. One that is
        learned, a tensor, comes in with the scores.
    symmetric : bool
        Whether keys pick queries, too.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: shape (N) or (B, N) for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        an option the wrong type.
    ValueError
        If shapes do not match, `temperature` is not above 0, or `reduction` is unknown.

    See Also
    --------
    nt_xent_loss : the other queries are rivals, too.
    sigmoid_contrastive_loss : each pair is a question of its own.
    cross_entropy : what it is, with the class i for row i; also for more keys than queries.

    Notes
    -----
    :math:`\log N` less the mean loss is a lower bound of the mutual information of the two
    variables, in expectation over independent pairs, for scores that do not know which key is whose
    (any function of one query and one key); it cannot pass :math:`\log N`.

    Gradient: :math:`\partial\ell_i/\partial s_{ik}=(\hat y_{ik}-[i=k])/\tau`, with
    :math:`\hat y_i=\operatorname{softmax}(s_i/\tau)`.

    The products are taken in float32 or better, also inside ``torch.autocast``.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])
    >>> print(info_nce_loss(x, y, temperature=0.2, reduction="none").round(4))
    [0.0486 0.3133]

    References
    ----------
    van den Oord, Li and Vinyals (2018), Representation learning with contrastive predictive
    coding. https://arxiv.org/abs/1807.03748

    Radford et al. (2021), Learning transferable visual models from natural language supervision
    (symmetric). https://arxiv.org/abs/2103.00020
    """
    check_flag(symmetric=symmetric)
    s = _scores(input, key, temperature)
    loss = _picks(s, 0)
    if symmetric:
        loss = (loss + _picks(library(s).matrix_transpose(s), 0)) / 2
    return reduce(loss, reduction, like=input)


def nt_xent_loss(
    input1: Array,
    input2: Array,
    *,
    temperature: float = TEMPERATURE,
    reduction: Reduction = "mean",
) -> Array:
    r"""Normalised temperature-scaled cross-entropy of SimCLR: each view picks the other one.

    .. math:: \ell_i = -\log\frac{e^{s_{ij}/\tau}}{\sum_{k\ne i} e^{s_{ik}/\tau}}, \qquad
              s_{ik} = \cos(u_i, u_k),

    where :math:`u_1,\dots,u_{2N}` are both batches of views in a row, and j is the other view of
    what i is a view of.

    Parameters
    ----------
    input1, input2 : array, same shape (N, D) or (B, N, D)
        Two views of the same N things in the same order, real floating: a batch, or B batches.
        Lengths of vectors do not matter. A vector of zeros has cosine 0 with every other, and a
        gradient of 0.
    temperature : float
        :math:`\tau`, above 0, by default 0.1.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input1`: shape (2N) or (B, 2N) for "none", those of the first views
        before those of the second, else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        an option the wrong type.
    ValueError
        If shapes do not match, `temperature` is not above 0, or `reduction` is unknown.

    See Also
    --------
    info_nce_loss : only the other batch holds rivals.
    supervised_contrastive_loss : what belongs together is told by labels.

    Notes
    -----
    Gradient: :math:`\partial\ell_i/\partial s_{ik}=(\hat y_{ik}-[k=j])/\tau` for :math:`k\ne i`,
    with :math:`\hat y_i` the softmax of :math:`s_i/\tau` over all but i.

    The products are taken in float32 or better, also inside ``torch.autocast``.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    >>> print(nt_xent_loss(a, b, temperature=0.5, reduction="none").round(4))
    [0.5259 0.3962 0.5259 1.0986]

    References
    ----------
    Chen, Kornblith, Norouzi and Hinton (2020), A simple framework for contrastive learning of
    visual representations. https://arxiv.org/abs/2002.05709

    Sohn (2016), Improved deep metric learning with multi-class N-pair loss objective.
    https://papers.nips.cc/paper/6200-improved-deep-metric-learning-with-multi-class-n-pair-loss-objective
    """
    check_option(temperature=temperature)
    xp = _batches(input1=input1, input2=input2)
    u = lift(xp.concat([input1, cast(input2, input1.dtype)], axis=-2))
    s = _but_self(_cosines(u, u) / temperature)
    return reduce(_picks(s, input1.shape[-2]), reduction, like=input1)


def supervised_contrastive_loss(
    input: Array,
    target: Array,
    *,
    temperature: float = TEMPERATURE,
    reduction: Reduction = "mean",
) -> Array:
    r"""Supervised contrastive loss: whoever bears the label of i belongs to i.

    .. math:: \begin{aligned}
              \ell_i &= -\frac1{|P_i|}\sum_{p\in P_i}
              \log\frac{e^{s_{ip}/\tau}}{\sum_{k\ne i} e^{s_{ik}/\tau}}, \\
              s_{ik} &= \cos(x_i, x_k), \quad P_i = \{p\ne i: y_p=y_i\}
              \end{aligned}

    The mean over :math:`P_i` stands outside of the logarithm: the form that its authors call
    :math:`L_{\mathrm{out}}`, and recommend.

    Parameters
    ----------
    input : array, shape (N, D) or (B, N, D)
        Vectors :math:`x`, real floating: a batch, or B batches. Several views of one thing are
        several rows. Lengths of vectors do not matter. A vector of zeros has cosine 0 with every
        other, and a gradient of 0.
    target : array, shape (N) or (B, N)
        Labels :math:`y`, any real dtype: equal ones belong together.
    temperature : float
        :math:`\tau`, above 0, by default 0.1.
    reduction : {"none", "mean", "sum"}
        What to return. The mean divides by all rows.

    Returns
    -------
    array
        In nats, dtype of `input`: shape of `target` for "none", else a scalar array. A row whose
        label no other bears has the loss 0; a label of nan is one.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        an option the wrong type.
    ValueError
        If shapes do not match, `temperature` is not above 0, or `reduction` is unknown.

    See Also
    --------
    nt_xent_loss : the same if each label stands twice.
    circle_loss : one loss for all of one's own, each with a weight.

    Notes
    -----
    It is the cross-entropy of the uniform distribution on :math:`P_i`, and at least
    :math:`\log|P_i|`.

    Gradient: :math:`\partial\ell_i/\partial s_{ik}=(\hat y_{ik}-[k\in P_i]/|P_i|)/\tau` for
    :math:`k\ne i`, with :math:`\hat y_i` the softmax of :math:`s_i/\tau` over all but i.

    The products are taken in float32 or better, also inside ``torch.autocast``.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), np.array([0, 0, 1, 0])
    >>> print(supervised_contrastive_loss(x, y, temperature=0.5, reduction="none").round(4))
    [0.8188 1.0986 0.     0.8188]

    References
    ----------
    Khosla et al. (2020), Supervised contrastive learning. https://arxiv.org/abs/2004.11362
    """
    check_option(temperature=temperature)
    xp = _batches(input=input)
    namespace(input=input, target=target)
    check_real(target=target)
    if tuple(target.shape) != tuple(input.shape[:-1]):
        raise ValueError(
            f"target must hold one label per vector of input {tuple(input.shape)}, "
            f"got shape {tuple(target.shape)}"
        )
    x = lift(input)
    s = _cosines(x, x) / temperature
    label = _comparable(target)
    own = (label[..., :, None] == label[..., None, :]) & ~_eye(s)
    log_p = _log_shares(s)
    count = xp.sum(cast(own, s.dtype), axis=-1)
    some = xp.where(count == 0, 1.0, count)
    loss = xp.sum(xp.where(own, -log_p, 0.0), axis=-1) / some
    return reduce(loss, reduction, like=input)


def sigmoid_contrastive_loss(
    input: Array,
    key: Array | None = None,
    *,
    temperature: float | None = None,
    bias: float | None = None,
    reduction: Reduction = "mean",
) -> Array:
    r"""Sigmoid loss of SigLIP: of each query and each key, whether they belong together.

    .. math:: \begin{aligned}
              \ell_i &= \sum_{k=1}^N \log\bigl(1+e^{-c_{ik}(s_{ik}/\tau+b)}\bigr), \\
              s_{ik} &= \cos(x_i, y_k), \quad c_{ik} = \begin{cases} 1 & i = k \\ -1 & i \ne k
              \end{cases}
              \end{aligned}

    Parameters
    ----------
    input : array, shape (N, D) or (B, N, D)
        Queries :math:`x`, real floating: a batch, or B batches. Without `key`: scores
        :math:`s_{ik}` of query i and key k, shape (N, N) or (B, N, N), of any similarity.
    key : array, shape of `input`, optional
        Keys :math:`y`, real floating; the one of row i belongs to query i. Lengths of vectors do
        not matter. A vector of zeros has cosine 0 with every other, and a gradient of 0.
    temperature : float, optional
        :math:`\tau`, above 0; 0.1 for vectors and 1 for scores, if none is given.
    bias : float, optional
        :math:`b`, the log-odds of a pair whose score is 0; -10 for vectors and 0 for scores, if
        none is given. The authors begin with :math:`\tau=0.1` and -10, and learn both; what is
        learned, a tensor, comes in with the scores.
    reduction : {"none", "mean", "sum"}
        What to return: the mean divides the sum over all pairs by N, as the authors do.

    Returns
    -------
    array
        In nats, dtype of `input`: shape (N) or (B, N) for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        an option the wrong type.
    ValueError
        If shapes do not match, `temperature` is not above 0, or `reduction` is unknown.

    See Also
    --------
    info_nce_loss : the keys compete.
    binary_cross_entropy_with_logits : of each pair.

    Notes
    -----
    Gradient: :math:`\partial\ell_i/\partial s_{ik}=(\sigma(s_{ik}/\tau+b)-[i=k])/\tau`.

    The products are taken in float32 or better, also inside ``torch.autocast``.

    Examples
    --------
    >>> import numpy as np
    >>> s = np.array([[2.0, -1.0], [0.0, 3.0]])
    >>> print(sigmoid_contrastive_loss(s, reduction="none").round(4))
    [0.4402 0.7417]

    References
    ----------
    Zhai, Mustafa, Kolesnikov and Beyer (2023), Sigmoid loss for language image pre-training.
    https://doi.org/10.1109/ICCV51070.2023.01100
    """
    if bias is None:
        bias = 0.0 if key is None else -10.0
    check_number(bias=bias)
    s = _scores(input, key, temperature) + bias
    xp = library(s)
    loss = xp.sum(softplus(xp.where(_eye(s), -s, s)), axis=-1)
    return reduce(loss, reduction, like=input)


def circle_loss(
    input: Array,
    target: Array,
    *,
    margin: float = 0.25,
    gamma: float = 256.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Circle loss of Sun et al. (2020): what is similar enough already pulls less.

    .. math:: \begin{aligned}
              \ell &= \log\Bigl(1+\sum_{j\notin T}e^{\gamma\alpha_j(s_j-m)}
              \sum_{i\in T}e^{-\gamma\alpha_i(s_i-1+m)}\Bigr), \\
              \alpha_j &= \max(0, s_j+m), \quad \alpha_i = \max(0, 1+m-s_i)
              \end{aligned}

    Parameters
    ----------
    input : array, shape (…, K)
        Similarities :math:`s` of one thing and K others, real floating and finite; cosines, by
        design.
    target : array, shape of `input`
        1 for those in the set :math:`T`, which belong to it, 0 for the others, any real dtype or
        bool.
    margin : float
        :math:`m`, from 0 to 1. The loss asks for :math:`s_i > 1-m` and :math:`s_j < m`.
    gamma : float
        :math:`\gamma`, the scale, above 0.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape less the last axis for "none", else a scalar array. It
        is 0 if :math:`T` is empty or all: there is no pair to compare.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        an option the wrong type.
    ValueError
        If shapes do not match, there is nothing to compare with, a value of `target` is neither 0
        nor 1, an option is out of range, or `reduction` is unknown.

    See Also
    --------
    multilabel_categorical_cross_entropy : the same without weights, and with a 0 in both sets.
    supervised_contrastive_loss : each of one's own by itself.

    Notes
    -----
    Gradient: with :math:`Z=1-e^{-\ell}` and the shares :math:`P_j`, :math:`Q_i` of the terms in
    their sums, :math:`2\gamma ZP_js_j` where :math:`\alpha_j>0`, and
    :math:`-2\gamma ZQ_i(1-s_i)` where :math:`\alpha_i>0`. It is that of the whole formula.
    The authors' gradient, and many programs', holds the weights :math:`\alpha` constant, and is
    :math:`\gamma ZP_j\alpha_j` and :math:`-\gamma ZQ_i\alpha_i`. Between :math:`-m` and 0 the two
    differ in sign: the loss of a :math:`j` outside the set is least at 0, a right angle.

    Examples
    --------
    >>> import numpy as np
    >>> s, y = np.array([[0.7, 0.8, 0.3, 0.1]]), np.array([[1, 1, 0, 0]])
    >>> print(f"{circle_loss(s, y, gamma=8.0):.4f}")
    1.6016

    References
    ----------
    Sun, Cheng, Zhang, Zhang, Zheng, Wang and Wei (2020), Circle loss: a unified perspective of pair
    similarity optimization. https://doi.org/10.1109/CVPR42600.2020.00643
    """
    check_between(0, 1, margin=margin)
    check_option(gamma=gamma)
    xp = namespace(input=input, target=target)
    s, own, bad = _members(input, target)
    near, far = xp.where(own, s, 1.0), xp.where(own, 0.0, s)
    with quiet(s, over="ignore"):
        mine = -gamma * relu(1 + margin - near) * (near - 1 + margin)
        others = gamma * relu(far + margin) * (far - margin)
    pairs = xp.any(own, axis=-1) & xp.any(~own, axis=-1)
    some = pairs | xp.any(bad, axis=-1)
    worst = _of_some(mine, own, some) + _of_some(others, ~own, some)
    return reduce(
        xp.where(some, softplus(worst), 0.0), reduction, like=input
    )


def _batches(**arrays: Array) -> Any:
    """Check vectors (N, D), or batches of such, and return their namespace."""
    xp = namespace(**arrays)
    check_floating(**arrays)
    name, x = next(iter(arrays.items()))
    if x.ndim not in (2, 3):
        raise ValueError(
            f"{name} must have shape (N, D) or (B, N, D), got {tuple(x.shape)}"
        )
    if x.shape[-1] == 0 < x.shape[-2]:
        raise ValueError(
            f"{name} must hold at least one number in each row, got shape {tuple(x.shape)}"
        )
    check_same_shape(**arrays)
    return xp


def _scores(
    input: Array, key: Array | None, temperature: float | None
) -> Array:
    """Return cosines, or scores that are given, over the temperature."""
    if temperature is None:
        temperature = 1.0 if key is None else TEMPERATURE
    check_option(temperature=temperature)
    _batches(input=input, **given(key=key))
    x = lift(input)
    if key is not None:
        return _cosines(x, cast(key, x.dtype)) / temperature
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(
            "input must hold the scores of N queries and N keys, shape (N, N) or (B, N, N), "
            f"if no key is given, got {tuple(x.shape)}"
        )
    return x / temperature


def _cosines(x: Array, y: Array) -> Array:
    """Return the cosine of each row of x and each row of y."""
    return matmul(_polar(x)[0], library(y).matrix_transpose(_polar(y)[0]))


def _eye(s: Array) -> Array:
    """Tell for each entry of square matrices whether it lies on the diagonal."""
    place = positions(s, -1)
    return place[:, None] == place


def _but_self(s: Array) -> Array:
    """Return scores with minus infinity for each row and itself."""
    return library(s).where(_eye(s), -math.inf, s)


def _log_shares(s: Array) -> Array:
    """Return the log-softmax of each row without itself; what is left of one row is 0."""
    if s.shape[-1] < 2:
        return 0.0 * s
    log_p = log_probabilities(_rows(_but_self(s)))
    return library(s).reshape(log_p, tuple(s.shape))


def _rows(s: Array) -> Array:
    """Return the rows of all batches, one under the other."""
    n = s.shape[-1]
    return library(s).reshape(s, (math.prod(s.shape[:-1]), n))


def _picks(s: Array, shift: int) -> Array:
    """Return minus the log-softmax of each row at its own place, moved on by a shift."""
    xp, n = library(s), s.shape[-1]
    if not n:
        return xp.sum(s, axis=-1)
    place = (positions(s, -1) + shift) % n
    index = xp.broadcast_to(place, tuple(s.shape[:-1]))
    loss = surprise(_rows(s), xp.reshape(index, (math.prod(index.shape),)))
    return xp.reshape(loss, tuple(s.shape[:-1]))


def _comparable(target: Array) -> Array:
    """Return labels in a dtype that every library compares."""
    xp = library(target)
    if xp.isdtype(target.dtype, "real floating"):
        return target
    return cast(target, xp.arange(0).dtype)


def _members(input: Array, target: Array) -> tuple[Array, Array, Array]:
    """Return similarities, which are of the set, and which have a bad target, and are nan."""
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    check_vectors(input=input)
    if input.shape[-1] == 0:
        raise ValueError(
            f"input must hold at least one similarity, got shape {tuple(input.shape)}"
        )
    s = lift(input)
    y = cast(target, s.dtype)
    bad = (y != 0) & (y != 1)
    if seen(bad):
        raise ValueError(
            "target must be 1 for what belongs to the set and 0 for what does not, "
            f"got {first_where(target, bad)}"
        )
    return s if concrete(bad) else poison(s, bad), y == 1, bad


def _of_some(x: Array, members: Array, some: Array) -> Array:
    """Return the log-sum-exp of the members of each row that counts: -inf + inf would be nan."""
    xp = library(x)
    x = xp.where(members, x, -math.inf)
    return logsumexp(xp.where(some[..., None], x, 0.0))
