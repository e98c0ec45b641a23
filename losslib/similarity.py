r"""Losses of pairs and triplets: what belongs together lies close, what does not lies apart."""

from __future__ import annotations

from collections.abc import Callable

from losslib._array import Array, library, namespace, relu, remade
from losslib._checks import (
    check_flag,
    check_number,
    check_option,
    check_real,
    check_rows,
    elements,
)
from losslib._vectors import cosines, norm
from losslib.objective import Reduction, reduce


def hinge_embedding_loss(
    input: Array,
    target: Array,
    *,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Hinge loss of a distance: :math:`x` for a pair that belongs together, else a hinge.

    .. math:: \ell = \begin{cases} x & y = 1 \\ \max(0,\; m - x) & y = -1 \end{cases}

    Parameters
    ----------
    input : array, any shape
        Distances :math:`x`, real floating.
    target : array, shape of `input`
        :math:`y`: 1 for a pair that belongs together, -1 for one that does not; any real dtype.
        Any other value counts as both, as in PyTorch.
    margin : float
        The distance :math:`m` from which a pair is far enough apart.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype,
        or an option the wrong type.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    See Also
    --------
    cosine_embedding_loss : of the vectors themselves, and their angle.
    triplet_margin_loss : what is near and what is far at once.

    Notes
    -----
    Gradient: 1 where :math:`y=1`; where :math:`y=-1`, -1 for :math:`x<m` and 0 from :math:`m` on.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([0.3, 0.3]), np.array([1, -1])
    >>> print(hinge_embedding_loss(x, y, reduction="none"))
    [0.3 0.7]

    References
    ----------
    Hadsell, Chopra and LeCun (2006), Dimensionality reduction by learning an invariant mapping
    (half the squares of both cases). https://doi.org/10.1109/CVPR.2006.100
    """
    check_number(margin=margin)
    x, y = elements(input=input, target=target, labels=("target",))
    xp = library(x)

    def hinge(x: Array, y: Array) -> Array:
        together = xp.where(y == -1, 0.0, x)
        apart = xp.where(y == 1, 0.0, relu(margin - x))
        return together + apart

    return reduce(remade(hinge, x, y), reduction, like=input)


def cosine_embedding_loss(
    input1: Array,
    input2: Array,
    target: Array,
    *,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Loss of the cosine of two vectors.

    .. math:: \ell = \begin{cases} 1-\cos(x_1,x_2) & y = 1 \\
              \max\bigl(0,\; \cos(x_1,x_2) - m\bigr) & y = -1 \end{cases}

    The cosine is exact for tiny and for huge vectors, where PyTorch's is not; with a vector of
    zeros it is 0.

    Parameters
    ----------
    input1, input2 : array, shape (D) or (N, D)
        The vectors, real floating.
    target : array, shape () or (N)
        :math:`y`: 1 for a pair that belongs together, -1 for one that does not; any real dtype.
        For any other value the loss is 0, as in PyTorch.
    margin : float
        The cosine :math:`m` from which a pair is far enough apart.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of a cosine, dtype of `input1`: the shape of `target` for "none", else a scalar
        array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype,
        or an option the wrong type.
    ValueError
        If shapes do not match, the vectors have no coordinates, or `reduction` is unknown.

    See Also
    --------
    hinge_embedding_loss : of any distance.
    cosface_loss : the cosine as the score of a class.

    Notes
    -----
    For vectors of one length, :math:`1-\cos=\|x_1-x_2\|^2/(2\|x_2\|^2)`: this form is computed,
    with :math:`x_1` brought to the length of :math:`x_2`, since it is never negative and keeps its
    digits where the vectors are nearly parallel.

    Gradient: with :math:`\hat x=x/\|x\|`, that of the cosine in :math:`x_1` is
    :math:`(\hat x_2-\cos\,\hat x_1)/\|x_1\|`, and 0 for a vector of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> x1, x2 = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[3.0, 4.0], [3.0, 4.0]])
    >>> print(cosine_embedding_loss(x1, x2, np.array([1, -1]), reduction="none"))
    [0.4 0.6]

    References
    ----------
    Chopra, Hadsell and LeCun (2005), Learning a similarity metric discriminatively, with
    application to face verification. https://doi.org/10.1109/CVPR.2005.202
    """
    check_number(margin=margin)
    u, v, y = _vector_pairs(input1, input2, target)
    xp = library(u)
    one_less, cosine = cosines(u, v)
    together = xp.where(y == 1, one_less, 0.0)
    apart = xp.where(y == -1, relu(cosine - margin), 0.0)
    return reduce(together + apart, reduction, like=input1)


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""Triplet loss: the positive lies nearer to the anchor than the negative, by a margin.

    .. math:: \ell = \max\bigl(0,\; m + d(a, p) - d(a, n)\bigr), \qquad
              d(u,v) = \|u - v + \varepsilon\|_p

    Parameters
    ----------
    anchor, positive, negative : array, same shape (…, D)
        The vectors, real floating.
    margin : float
        :math:`m`, above 0.
    p : float
        The order of the norm, above 0; may be infinite.
    eps : float
        :math:`\varepsilon`, added to every difference. It makes :math:`d` asymmetric, a little.
    swap : bool
        Take the negative's distance from the positive instead where that is the smaller.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of the vectors, dtype of `anchor`: shape (…) for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If the shapes differ, the vectors have no coordinates, `margin` or `p` is not above 0, or
        `reduction` is unknown.

    See Also
    --------
    triplet_margin_with_distance_loss : the same with a distance of one's own.
    margin_ranking_loss : the hinge of two scores.

    Notes
    -----
    Gradient: that of :math:`d(a,p)-d(a,n)` where the hinge is open, else 0. A distance of 0 has
    the slope 0, and so has :math:`|u_i-v_i+\varepsilon|` where it is 0.

    Examples
    --------
    >>> import numpy as np
    >>> a, p, n = np.zeros(2), np.array([3.0, 4.0]), np.array([0.0, 4.5])
    >>> print(f"{triplet_margin_loss(a, p, n):.4f}")
    1.5000

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet: a unified embedding for face recognition and
    clustering (squared distances). https://doi.org/10.1109/CVPR.2015.7298682

    Balntas et al. (2016), Learning local feature descriptors with triplets and shallow
    convolutional neural networks (swap). https://doi.org/10.5244/C.30.119
    """
    check_option(p=p)
    check_number(eps=eps)

    def distance(u: Array, v: Array) -> Array:
        return norm(u - v + eps, p)

    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=distance,
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    distance_function: Callable[[Array, Array], Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""Triplet loss :math:`\max\bigl(0,\; m + d(a,p) - d(a,n)\bigr)` with a distance of one's own.

    Parameters
    ----------
    anchor, positive, negative : array, same shape (…, D)
        The vectors, real floating.
    distance_function : callable, optional
        :math:`d`: takes two of the arrays, float32 at least, and returns one distance per vector,
        an array of their library; its shape is not checked. The Euclidean distance by default,
        with :math:`10^{-6}` added to every difference.
    margin : float
        :math:`m`, above 0.
    swap : bool
        Take the negative's distance from the positive instead where that is the smaller.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of the distance, dtype of `anchor`: the shape of the distances for "none",
        else a scalar array.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, an option has the wrong
        type, or `distance_function` returns no array of that library.
    ValueError
        If the shapes differ, the vectors have no coordinates, `margin` is not above 0, or
        `reduction` is unknown.

    See Also
    --------
    triplet_margin_loss : the same with a p-norm.

    Notes
    -----
    Gradient: that of :math:`d(a,p)-d(a,n)` where the hinge is open, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> a, p, n = np.zeros(2), np.array([3.0, 4.0]), np.array([0.0, 4.5])
    >>> manhattan = lambda u, v: np.sum(np.abs(u - v), axis=-1)
    >>> print(triplet_margin_with_distance_loss(a, p, n, distance_function=manhattan))
    3.5

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet: a unified embedding for face recognition and
    clustering (squared distances). https://doi.org/10.1109/CVPR.2015.7298682
    """
    check_option(margin=margin)
    check_flag(swap=swap)
    distance = distance_function
    if distance is None:
        distance = _euclidean
    if not callable(distance):
        raise TypeError(
            f"distance_function must be callable, got {distance!r}"
        )
    a, near, far = elements(
        anchor=anchor, positive=positive, negative=negative
    )
    check_rows(anchor=anchor)
    together, apart = distance(a, near), distance(a, far)
    namespace(**{"anchor": a, "what distance_function returns": together})
    if swap:
        apart = library(a).minimum(apart, distance(near, far))
    return reduce(relu(margin + together - apart), reduction, like=anchor)


def _euclidean(u: Array, v: Array) -> Array:
    return norm(u - v + 1e-6, 2.0)


def _vector_pairs(
    input1: Array, input2: Array, target: Array
) -> tuple[Array, ...]:
    """Check two vectors and a label, or a batch of such, and return them in one dtype."""
    namespace(input1=input1, input2=input2, target=target)
    u, v = elements(input1=input1, input2=input2)
    check_real(target=target)
    if u.ndim not in (1, 2):
        raise ValueError(
            f"input1 must have shape (D) or (N, D), got {tuple(u.shape)}"
        )
    check_rows(input1=u)
    if tuple(target.shape) != tuple(u.shape[:-1]):
        raise ValueError(
            f"target must have one entry per pair of vectors (D) or (N, D), got shapes "
            f"{tuple(target.shape)} and {tuple(u.shape)}"
        )
    return u, v, target
