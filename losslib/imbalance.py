r"""Weights and shifts for classes that are rare.

The chapter *Rare classes* derives both functions and reads this file.
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
    log,
    namespace,
    poison,
    seen,
)
from losslib._checks import (
    check_at_least,
    check_between,
    check_real,
    first_where,
)


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

    See Also
    --------
    logit_adjustment : a shift of the logits instead.
    cross_entropy : takes the weights.
    focal_loss : takes the weights.

    Notes
    -----
    Gradient: that of the formula; the counts are data, and seldom have one.
    The weights have no unit.

    Examples
    --------
    >>> import numpy as np
    >>> print(effective_number_weight(np.array([1000, 100, 10])).round(2))
    [0.04 0.28 2.68]

    References
    ----------
    Cui, Jia, Lin, Song and Belongie (2019), Class-balanced loss based on effective number of
    samples.
    https://doi.org/10.1109/CVPR.2019.00949
    """
    check_between(0, 1, beta=beta)
    if beta == 1:
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

    See Also
    --------
    effective_number_weight : weights for the classes instead.
    cross_entropy : the loss of the shifted logits.

    Notes
    -----
    Gradient: that of the formula; the counts are data, and seldom have one.
    The shift is in nats, as the logits are.

    Examples
    --------
    >>> import numpy as np
    >>> print(logit_adjustment(np.array([90, 10])).round(2))
    [-0.11 -2.3 ]

    References
    ----------
    Menon, Jayasumana, Rawat, Jain, Veit and Kumar (2021), Long-tail learning via logit adjustment.
    https://arxiv.org/abs/2007.07314
    """
    check_at_least(0, tau=tau)
    n, dtype = _counts(counts)
    return cast(tau * (log(n) - log(library(n).sum(n))), dtype)


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
    if not concrete(n):
        n = poison(n, ~(n > 0))
    return n, counts.dtype if floating else n.dtype
