r"""Losses of many labels at once.

The chapter *Many labels* derives the functions and reads this file.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    cast,
    concrete,
    library,
    lift,
    log1p,
    namespace,
    poison,
    relu,
    seen,
    silence,
    stop_gradient,
)
from losslib._checks import (
    check_broadcasts,
    check_floating,
    check_real,
    check_same_shape,
    check_vectors,
    first_where,
    given,
)
from losslib.binary import bernoulli_nll
from losslib.objective import Reduction, reduce


def multilabel_soft_margin_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""Binary cross-entropy of every label, averaged over the labels.

    .. math:: \ell = \frac1C\sum_c w_c\,\bigl[y_c\log(1+e^{-z_c}) + (1-y_c)\log(1+e^{z_c})\bigr]

    Parameters
    ----------
    input : array, shape (…, C)
        Logits :math:`z`, real floating.
    target : array, shape of `input`
        Labels :math:`y`, any real dtype or bool. An absent label is 0; -1 gives another loss and no
        error, as in PyTorch.
    weight : array, broadcasts to the shape of `input`, optional
        Weights :math:`w`, of shape (C) most often.
    reduction : {"none", "mean", "sum"}
        Over the samples.

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
    binary_cross_entropy_with_logits : the same, before the mean.
    multilabel_categorical_cross_entropy : labels against each other.
    asymmetric_loss : less weight for easy labels.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial z_c=w_c\,(\sigma(z_c)-y_c)/C`.

    A label whose weight is 0 has no loss and no gradient, whatever its logit.

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([[0.3, -1.2, 0.8, 2.0]]), np.array([[0, 1, 0, 1]])
    >>> print(f"{multilabel_soft_margin_loss(z, y):.4f}")
    0.9039

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
    """
    xp = namespace(input=input, target=target, **given(weight=weight))
    check_floating(input=input, **given(weight=weight))
    check_real(target=target)
    check_same_shape(input=input, target=target)
    check_vectors(input=input)
    check_broadcasts(tuple(input.shape), **given(weight=weight))
    z = lift(input)
    y = cast(target, z.dtype)
    if weight is None:
        loss = bernoulli_nll(z, y)
    else:
        w = cast(weight, z.dtype)
        loss = silence(w, w) * bernoulli_nll(silence(z, w), y)
    return reduce(xp.mean(loss, axis=-1), reduction, like=input)


def multilabel_categorical_cross_entropy(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""ZLPR loss: scores of the labels present above 0, and of the absent ones below.

    .. math:: \ell = \log\Bigl(1+\sum_{i\in T}e^{-s_i}\Bigr)
              + \log\Bigl(1+\sum_{j\notin T}e^{s_j}\Bigr)

    A label is predicted where its score is above 0. The sigmoid of a score is not the probability
    of its label, unless there is one label only.

    Parameters
    ----------
    input : array, shape (…, C)
        Scores :math:`s`, real floating.
    target : array, shape of `input`
        1 for the labels in the set :math:`T`, 0 for the others, any real dtype or bool. The set
        may be empty, or hold all labels.
    reduction : {"none", "mean", "sum"}
        Over the samples.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape less the last axis for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, there is no label, a value of `target` is neither 0 nor 1, or
        `reduction` is unknown.

    See Also
    --------
    multilabel_soft_margin_loss : each label by itself.
    cross_entropy : exactly one label.
    logsumexp : of which it is two, with a 0 put in.

    Notes
    -----
    Gradient: :math:`-e^{-s_i}/(1+\sum_{i'\in T}e^{-s_{i'}})` for a label present, and
    :math:`e^{s_j}/(1+\sum_{j'\notin T}e^{s_{j'}})` for one that is absent.

    Examples
    --------
    >>> import numpy as np
    >>> s, y = np.array([[0.3, -1.2, 0.8, 2.0]]), np.array([[0, 1, 0, 1]])
    >>> print(f"{multilabel_categorical_cross_entropy(s, y):.4f}")
    3.0148

    References
    ----------
    Su, Zhu, Murtadha, Pan, Wen and Liu (2022), ZLPR: a novel loss for multi-label classification.
    https://arxiv.org/abs/2208.02955
    """
    xp = namespace(input=input, target=target)
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    check_vectors(input=input)
    if input.shape[-1] == 0:
        raise ValueError(
            f"input must hold at least one score per sample, got shape {tuple(input.shape)}"
        )
    s = lift(input)
    y = cast(target, s.dtype)
    other = (y != 0) & (y != 1)
    if seen(other):
        raise ValueError(
            "target must be 1 for a label that is present and 0 for one that is absent, "
            f"got {first_where(target, other)}"
        )
    if not concrete(other):
        s = poison(s, other)
    missed = _log_one_plus_sum_exp(xp.where(y == 1, -s, -math.inf))
    alarms = _log_one_plus_sum_exp(xp.where(y == 1, -math.inf, s))
    return reduce(missed + alarms, reduction, like=input)


def _log_one_plus_sum_exp(x: Array) -> Array:
    """Return log(1 + sum of exp(x)) along the last axis, to all digits of it, however small."""
    xp = library(x)
    top = relu(xp.max(stop_gradient(x), axis=-1, keepdims=True))
    top = xp.where(xp.isfinite(top), top, 0.0)
    more = xp.sum(xp.exp(x - top), axis=-1, keepdims=True)
    return xp.squeeze(top + log1p(more + xp.expm1(-top)), axis=-1)
