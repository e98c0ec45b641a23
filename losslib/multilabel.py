r"""Losses of many labels at once, and the weights and shifts for classes that are rare.

The chapter *Many labels, rare classes* derives the functions and reads this file.
"""

from __future__ import annotations

import math
from typing import Any

from losslib._array import (
    Array,
    cast,
    library,
    lift,
    log,
    log1p,
    namespace,
    relu,
    seen,
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

    Examples
    --------
    >>> import numpy as np
    >>> z, y = np.array([[0.3, -1.2, 0.8, 2.0]]), np.array([[0, 1, 0, 1]])
    >>> print(f"{multilabel_soft_margin_loss(z, y):.4f}")
    0.9039

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    """
    xp = namespace(input=input, target=target, **given(weight=weight))
    check_floating(input=input, **given(weight=weight))
    check_real(target=target)
    check_same_shape(input=input, target=target)
    check_vectors(input=input)
    check_broadcasts(tuple(input.shape), **given(weight=weight))
    z = lift(input)
    y = cast(target, z.dtype)
    loss = bernoulli_nll(z, y)
    if weight is not None:
        loss = cast(weight, z.dtype) * loss
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

    Examples
    --------
    >>> import numpy as np
    >>> s, y = np.array([[0.3, -1.2, 0.8, 2.0]]), np.array([[0, 1, 0, 1]])
    >>> print(f"{multilabel_categorical_cross_entropy(s, y):.4f}")
    3.0148

    References
    ----------
    Su et al. (2022), ZLPR: a novel loss for multi-label classification.
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
    missed = _log_one_plus_sum_exp(xp.where(y == 1, -s, -math.inf))
    alarms = _log_one_plus_sum_exp(xp.where(y == 1, -math.inf, s))
    return reduce(missed + alarms, reduction, like=input)


def effective_number_weight(counts: Array, *, beta: float = 0.999) -> Array:
    r"""Class weights by the effective number of samples, of mean 1.

    .. math:: w_k \propto \frac{1-\beta}{1-\beta^{N_k}}, \qquad \frac1C\sum_k w_k = 1

    All are 1 for :math:`\beta=0`, and proportional to :math:`1/N_k` in the limit
    :math:`\beta\to1`. The paper scales them to sum to the number of classes, as here.

    Parameters
    ----------
    counts : array, shape (C)
        The number of samples of each class, above 0, any real dtype.
    beta : float
        In [0, 1). Samples past about :math:`1/(1-\beta)` count for little.

    Returns
    -------
    array
        Shape (C), for the `weight` of a loss. Dtype of `counts`, or the default floating dtype of
        its library if they are integers.

    Raises
    ------
    TypeError
        If `counts` is no array or complex.
    ValueError
        If `counts` is not of shape (C) or not above 0, or `beta` is outside [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> print(effective_number_weight(np.array([1000, 100, 10])).round(2))
    [0.04 0.28 2.68]

    References
    ----------
    Cui et al. (2019), Class-balanced loss based on effective number of samples.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), got {beta!r}")
    n, dtype = _counts(counts)
    xp = library(n)
    log_beta = math.log(beta) if beta else -math.inf
    w = -1 / xp.expm1(n * log_beta)  # 1 - beta^n would lose digits
    return cast(w / xp.mean(w), dtype)


def logit_adjustment(counts: Array, *, tau: float = 1.0) -> Array:
    r"""Shift :math:`\tau\log\pi_k` of the logits, with :math:`\pi_k=N_k/\sum_jN_j` the prior.

    Added to the logits in the loss, and left out when predicting, it makes the logits those for
    balanced classes (:math:`\tau=1`). Taken off the logits of a model that is trained, it does
    the same after the fact.

    Parameters
    ----------
    counts : array, shape (C)
        The number of samples of each class, or its share of them, above 0, any real dtype.
    tau : float
        Not negative; 0 shifts nothing.

    Returns
    -------
    array
        Shape (C), none above 0. Dtype of `counts`, or the default floating dtype of its library if
        they are integers.

    Raises
    ------
    TypeError
        If `counts` is no array or complex.
    ValueError
        If `counts` is not of shape (C) or not above 0, or `tau` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> print(logit_adjustment(np.array([90, 10])).round(2))
    [-0.11 -2.3 ]

    References
    ----------
    Menon et al. (2021), Long-tail learning via logit adjustment.
    """
    if not tau >= 0:
        raise ValueError(f"tau must not be negative, got {tau!r}")
    n, dtype = _counts(counts)
    return cast(tau * (log(n) - log(library(n).sum(n))), dtype)


def _log_one_plus_sum_exp(x: Array) -> Array:
    """Return log(1 + sum of exp(x)) along the last axis, to all digits of it, however small."""
    xp = library(x)
    top = relu(xp.max(stop_gradient(x), axis=-1, keepdims=True))
    top = xp.where(xp.isfinite(top), top, 0.0)
    more = xp.sum(xp.exp(x - top), axis=-1, keepdims=True)
    return xp.squeeze(top + log1p(more + xp.expm1(-top)), axis=-1)


def _counts(counts: Array) -> tuple[Array, Any]:
    """Return the sizes of the classes, fit to compute with, and the dtype of what comes of them."""
    xp = namespace(counts=counts)
    check_real(counts=counts)
    if counts.ndim != 1 or counts.shape[0] == 0:
        raise ValueError(
            f"counts must hold one number per class, shape (C), got shape {tuple(counts.shape)}"
        )
    floating = xp.isdtype(counts.dtype, "real floating")
    n = lift(counts) if floating else counts * 1.0
    if seen(~(n > 0)):
        raise ValueError(
            f"counts must be above 0, got {first_where(counts, ~(n > 0))}"
        )
    return n, counts.dtype if floating else n.dtype
