r"""Divergences between distributions, as losses."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from losslib._array import Array, cast, library, quotient
from losslib._checks import check_flag, elements
from losslib.objective import Reduction, reduce, weighted

BatchReduction: TypeAlias = Reduction | Literal["batchmean"]


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


def _batch_size(loss: Array, kept: Array | None) -> Array | int:
    """Return the length of the first axis, of which only samples count that are kept in part."""
    if kept is None or not loss.ndim:
        return loss.shape[0] if loss.ndim else 1
    xp = library(loss)
    rows = xp.reshape(kept, (loss.shape[0], -1))
    return xp.sum(cast(xp.any(rows != 0, axis=1), loss.dtype))
