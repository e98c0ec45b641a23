r"""Losses of an order: which of two scores should be the larger."""

from __future__ import annotations

from losslib._array import Array, relu, remade
from losslib._checks import check_number, elements
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
