r"""Losses of many labels at once: a product of Bernoulli distributions."""

from __future__ import annotations

from losslib._array import (
    Array,
    cast,
    check_broadcasts,
    check_floating,
    check_real,
    check_same_shape,
    check_vectors,
    given,
    lift,
    namespace,
)
from losslib.logits import softplus
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
    loss = y * softplus(-z) + (1 - y) * softplus(z)
    if weight is not None:
        loss = cast(weight, z.dtype) * loss
    return reduce(xp.mean(loss, axis=-1), reduction, like=input)
