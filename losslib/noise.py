r"""Losses for labels that may be wrong: pulls that fade at absurd labels, belief in the model.

The chapter *Labels that are wrong* derives them and reads this file.
"""

from __future__ import annotations

from losslib._array import Array, library, pick
from losslib._checks import (
    check_at_least,
    check_between,
    check_flag,
    check_number,
)
from losslib._classes import (
    best_class,
    entropy_of,
    lead,
    log_probabilities,
    samples_of,
)
from losslib.logits import sigmoid, softplus
from losslib.objective import Reduction


def generalized_cross_entropy(
    input: Array,
    target: Array,
    *,
    q: float = 0.7,
    reduction: Reduction = "mean",
) -> Array:
    r"""Generalised cross-entropy :math:`(1-\hat y_t^{\,q})/q`, a negative Box–Cox transform.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    q : float
        In [0, 1]. 0 is the limit, cross-entropy; 1 is :math:`1-\hat y_t`, half the absolute error
        between the prediction and the one-hot target.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        Dtype of `input`, in [0, 1/q]: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `q` is outside [0, 1], or
        `reduction` is unknown.

    See Also
    --------
    cross_entropy : the limit for a q of 0.
    symmetric_cross_entropy : cross-entropy, plus a pull that fades at an absurd label.
    bootstrap_loss : belief in the prediction.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial z=\hat y_t^{\,q}(\hat y-y)`: what the model doubts pulls
    less.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(0)
    >>> print(f"{generalized_cross_entropy(z, t):.4f}")
    0.8589

    References
    ----------
    Zhang and Sabuncu (2018), Generalized cross entropy loss for training deep neural networks with
    noisy labels. https://arxiv.org/abs/1805.07836
    """
    check_between(0, 1, q=q)
    s = samples_of(input, target)
    surprise = softplus(-lead(s.scores, s.index))
    # 1 - p^q without the cancellation of 1 - p near p = 1
    loss = -library(surprise).expm1(-q * surprise) / q if q else surprise
    return s.reduce(loss, reduction)


def symmetric_cross_entropy(
    input: Array,
    target: Array,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Cross-entropy and its mirror image, :math:`\alpha\,H(y,\hat y)+\beta\,H(\hat y,y)`.

    .. math:: \ell = -\alpha\log\hat y_t - \beta A\,(1-\hat y_t)

    The mirror image, reverse cross-entropy, meets the logarithm of 0 at every class but the
    target, where a constant :math:`A<0` replaces it.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices :math:`t`, any integer dtype.
    alpha, beta : float
        The weights of the two parts, at least 0.
    log_zero : float
        :math:`A`, below 0. Only the product :math:`\beta A` matters.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `alpha` or `beta` is negative,
        `log_zero` is not below 0, or `reduction` is unknown.

    See Also
    --------
    cross_entropy : the first part.
    generalized_cross_entropy : a pull that fades at an absurd label, and nothing else.
    poly_loss : the same sum, met elsewhere.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial z=(\alpha-\beta A\,\hat y_t)(\hat y-y)`.

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(0)
    >>> print(f"{symmetric_cross_entropy(z, t):.4f}")
    3.0556

    References
    ----------
    Wang, Ma, Chen, Luo, Yi and Bailey (2019), Symmetric cross entropy for robust learning with
    noisy labels. https://arxiv.org/abs/1908.06112
    """
    check_at_least(0, alpha=alpha, beta=beta)
    check_number(log_zero=log_zero)
    if not log_zero < 0:
        raise ValueError(f"log_zero must be below 0, got {log_zero!r}")
    s = samples_of(input, target)
    u = lead(s.scores, s.index)
    loss = alpha * softplus(-u) - beta * log_zero * sigmoid(-u)
    return s.reduce(loss, reduction)


def bootstrap_loss(
    input: Array,
    target: Array,
    *,
    beta: float = 0.95,
    hard: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""Bootstrapping: cross-entropy to a mixture of the label and the model's own prediction.

    .. math:: \begin{aligned}
              \ell &= -\sum_k\bigl(\beta\,y_k+(1-\beta)\,m_k\bigr)\log\hat y_k, \\
              m &= \hat y \;\text{(soft), or one-hot at}\; \arg\max_k z_k \;\text{(hard)}
              \end{aligned}

    The soft form adds :math:`(1-\beta)\,H(\hat y)`, and its gradient goes through :math:`m` too:
    held constant, :math:`m=\hat y` would only scale the gradient of cross-entropy by :math:`\beta`.

    Parameters
    ----------
    input : array, shape (C) or (N, C, d1, …)
        Logits :math:`z`, real floating; :math:`\hat y=\mathrm{softmax}(z)`.
    target : array, shape () or (N, d1, …)
        Class indices, any integer dtype.
    beta : float
        :math:`\beta` in [0, 1], the trust in the label. The paper has 0.95 (soft), 0.8 (hard).
    hard : bool
        Believe the most probable class (the first of equals) instead of the whole prediction.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        `hard` is not a bool.
    ValueError
        If shapes do not match, a class index is out of range, `beta` is outside [0, 1], or
        `reduction` is unknown.

    See Also
    --------
    cross_entropy : the loss for a beta of 1.
    confidence_penalty_loss : takes the entropy off instead.
    generalized_cross_entropy : a pull that fades at an absurd label.

    Notes
    -----
    Gradient: :math:`\beta(\hat y_k-y_k)-(1-\beta)\,\hat y_k\,(\log\hat y_k+H(\hat y))` (soft), or
    :math:`\hat y_k-\beta\,y_k-(1-\beta)\,m_k` (hard).

    Examples
    --------
    >>> import numpy as np
    >>> z, t = np.array([1.0, 2.0]), np.array(0)
    >>> print(f"{bootstrap_loss(z, t, beta=0.8, hard=True):.4f}")
    1.1133

    References
    ----------
    Reed, Lee, Anguelov, Szegedy, Erhan and Rabinovich (2015), Training deep neural networks on
    noisy labels with bootstrapping. https://arxiv.org/abs/1412.6596
    """
    check_between(0, 1, beta=beta)
    check_flag(hard=hard)
    s = samples_of(input, target)
    log_p = log_probabilities(s.scores)
    own = -pick(log_p, best_class(s.scores)) if hard else entropy_of(log_p)
    loss = -beta * pick(log_p, s.index) + (1 - beta) * own
    return s.reduce(loss, reduction)
