r"""Divergences between distributions, as losses."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from losslib._array import Array, cast, lift, namespace, quotient
from losslib._checks import check_floating, check_same_shape
from losslib.objective import Reduction, reduce

BatchReduction: TypeAlias = Reduction | Literal["batchmean"]


def kl_div(
    input: Array,
    target: Array,
    *,
    reduction: BatchReduction = "mean",
    log_target: bool = False,
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

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array. Where :math:`y` is 0
        the divergence is 0, also where :math:`x` is infinite.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    >>> print(f"{kl_div(np.log(q), p, reduction='sum'):.4f}")
    0.5108

    References
    ----------
    Kullback and Leibler (1951), On information and sufficiency.
    """
    if reduction not in (*get_args(Reduction), "batchmean"):
        raise ValueError(
            "reduction must be 'none', 'mean', 'sum' or 'batchmean', "
            f"got {reduction!r}"
        )
    xp = namespace(input=input, target=target)
    check_floating(input=input, target=target)
    check_same_shape(input=input, target=target)
    x = lift(input)
    y = cast(target, x.dtype)
    p = xp.exp(y) if log_target else y
    absent = p == 0  # and 0·log 0 = 0
    x = xp.where(absent, 0.0, x)
    y = xp.where(absent, 0.0 if log_target else 1.0, y)
    loss = p * ((y if log_target else xp.log(y)) - x)
    if reduction == "batchmean":
        count = loss.shape[0] if loss.ndim else 1
        return cast(quotient(xp.sum(loss), count), input.dtype)
    return reduce(loss, reduction, like=input)
