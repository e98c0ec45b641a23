r"""Distances between vectors: row by row along the last axis, the other axes broadcast."""

from __future__ import annotations

import numpy as np

from losslib._array import (
    Array,
    cast,
    concrete,
    library,
    lift,
    matmul,
    namespace,
    quiet,
    seen,
    spoiled,
    stop_gradient,
)
from losslib._checks import (
    above_zero,
    check_floating,
    check_option,
    check_real,
    check_rows,
    first_where,
)
from losslib._vectors import cosines, norm, root


def euclidean_distance(u: Array, v: Array) -> Array:
    r"""Euclidean distance :math:`\|u-v\|_2=\sqrt{\sum_j(u_j-v_j)^2}`: a metric.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.

    Returns
    -------
    array
        In units of the coordinates, dtype of `u`: the broadcast shape of the rows, (…).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast.

    See Also
    --------
    minkowski_distance : of any order, this one of order 2.
    mse_loss : the mean of its square, over the coordinates.

    Notes
    -----
    No square overflows or vanishes: a vector whose squares would is divided by its largest entry.

    Gradient: :math:`(u-v)/\|u-v\|` in :math:`u`, of length 1 however near the two are; 0 at
    distance 0, where no direction is named. The square is smooth there.

    Examples
    --------
    >>> import numpy as np
    >>> u, v = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), np.array([0.0, 1.0, 0.0])
    >>> print(euclidean_distance(u, v).round(4))
    [1.4142 1.    ]

    References
    ----------
    Deza and Deza (2016), Encyclopedia of Distances, 4th edition.
    https://doi.org/10.1007/978-3-662-52844-0
    """
    x, y = _rows(u=u, v=v)
    return cast(norm(x - y, 2), u.dtype)


def manhattan_distance(u: Array, v: Array) -> Array:
    r"""Manhattan distance :math:`\|u-v\|_1=\sum_j|u_j-v_j|`: a metric. SciPy's `cityblock`.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.

    Returns
    -------
    array
        In units of the coordinates, dtype of `u`: the broadcast shape of the rows, (…).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast.

    See Also
    --------
    minkowski_distance : of any order, this one of order 1.
    l1_loss : the mean over the coordinates.

    Notes
    -----
    Gradient: :math:`\mathrm{sign}(u_j-v_j)` in :math:`u_j`, and 0 where the two are equal.

    Examples
    --------
    >>> import numpy as np
    >>> print(manhattan_distance(np.array([1.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])))
    3.0

    References
    ----------
    Deza and Deza (2016), Encyclopedia of Distances, 4th edition.
    https://doi.org/10.1007/978-3-662-52844-0
    """
    x, y = _rows(u=u, v=v)
    return cast(norm(x - y, 1), u.dtype)


def chebyshev_distance(u: Array, v: Array) -> Array:
    r"""Chebyshev distance :math:`\|u-v\|_\infty=\max_j|u_j-v_j|`: a metric.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.

    Returns
    -------
    array
        In units of the coordinates, dtype of `u`: the broadcast shape of the rows, (…).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast.

    See Also
    --------
    minkowski_distance : of any order, this one the limit of order infinity.

    Notes
    -----
    Gradient: that of the largest difference alone, its sign; several that are equally large share
    it evenly, in every library. 0 at distance 0.

    Examples
    --------
    >>> import numpy as np
    >>> print(chebyshev_distance(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])))
    1.0

    References
    ----------
    Deza and Deza (2016), Encyclopedia of Distances, 4th edition.
    https://doi.org/10.1007/978-3-662-52844-0
    """
    x, y = _rows(u=u, v=v)
    return cast(norm(x - y, float("inf")), u.dtype)


def minkowski_distance(u: Array, v: Array, p: float = 2.0) -> Array:
    r"""Minkowski distance :math:`\|u-v\|_p=\bigl(\sum_j|u_j-v_j|^p\bigr)^{1/p}` of order p.

    A metric for :math:`p\ge1`. Below 1 it breaks the triangle inequality; its power
    :math:`\|u-v\|_p^p` is then a metric. With ``p=inf`` it is the Chebyshev distance.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.
    p : float
        The order, above 0; may be infinite.

    Returns
    -------
    array
        In units of the coordinates, dtype of `u`: the broadcast shape of the rows, (…).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        `p` is no number.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast, or `p` is not
        above 0.

    See Also
    --------
    manhattan_distance : of order 1.
    euclidean_distance : of order 2.
    chebyshev_distance : of order infinity.
    triplet_margin_loss : a loss of two such distances.

    Notes
    -----
    Gradient: :math:`\mathrm{sign}(u_j-v_j)\,(|u_j-v_j|/\|u-v\|_p)^{p-1}` in :math:`u_j`. It is 0
    at distance 0. For :math:`p<1` it grows without bound as :math:`u_j` comes near :math:`v_j`;
    where the two are equal it is taken as 0.

    Examples
    --------
    >>> import numpy as np
    >>> u, v = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    >>> print(*(f"{minkowski_distance(u, v, p):.4f}" for p in (0.5, 1, 2, 3, np.inf)))
    4.0000 2.0000 1.4142 1.2599 1.0000

    References
    ----------
    Deza and Deza (2016), Encyclopedia of Distances, 4th edition.
    https://doi.org/10.1007/978-3-662-52844-0
    """
    check_option(p=p)
    x, y = _rows(u=u, v=v)
    return cast(norm(x - y, p), u.dtype)


def standardized_euclidean_distance(
    u: Array, v: Array, variance: Array
) -> Array:
    r"""Standardised Euclidean distance :math:`\sqrt{\sum_j(u_j-v_j)^2/\sigma_j^2}`: a metric.

    SciPy's `seuclidean`. It does not change if a coordinate is measured in another unit, and its
    variance with it.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.
    variance : array, shape (…, n)
        A variance :math:`\sigma_j^2` for each coordinate, real floating, above 0; SciPy's `V`.

    Returns
    -------
    array
        A pure number, dtype of `u`: the broadcast shape of the rows, (…).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast, or a variance
        is not above 0.

    See Also
    --------
    mahalanobis_distance : the same with correlations; this one is its case of a diagonal matrix.
    gaussian_nll_loss : half the square of it, and the logarithm of the variance.

    Notes
    -----
    Gradient: :math:`(u_j-v_j)/(\sigma_j^2\,d)` in :math:`u_j`, with :math:`d` the distance; 0 at
    distance 0.

    A variance of 0, a constant coordinate, is an error (SciPy's `cdist` returns nan or infinity),
    and where a compiler, `vmap` or `jit` hides it the distance is nan.

    Examples
    --------
    >>> import numpy as np
    >>> u, v = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    >>> print(f"{standardized_euclidean_distance(u, v, np.array([1.0, 0.1, 0.1])):.4f}")
    3.3166

    References
    ----------
    Deza and Deza (2016), Encyclopedia of Distances, 4th edition.
    https://doi.org/10.1007/978-3-662-52844-0
    """
    x, y, scale = _rows(u=u, v=v, variance=variance)
    deviation = library(x).sqrt(above_zero(scale, "variance"))
    return cast(norm((x - y) / deviation, 2), u.dtype)


def mahalanobis_distance(u: Array, v: Array, precision: Array) -> Array:
    r"""Mahalanobis distance :math:`\sqrt{(u-v)^\top P\,(u-v)}`, with P the inverse covariance.

    A metric if P is positive definite. Half its square is the KL divergence of two normal
    densities with that covariance and the means :math:`u` and :math:`v`.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.
    precision : array, shape (…, n, n)
        :math:`P=\Sigma^{-1}`, real floating: the *inverse* of a covariance, as SciPy's `VI`. Of a
        matrix that is not symmetric only the symmetric part counts.

    Returns
    -------
    array
        A pure number, dtype of `u`: the broadcast shape of the rows, (…).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast, `precision`
        has another shape, or a squared distance is negative, as with a matrix that is not positive
        semidefinite.

    See Also
    --------
    standardized_euclidean_distance : without correlations.
    euclidean_distance : with the unit matrix.

    Notes
    -----
    Gradient: :math:`P\,(u-v)/d` in :math:`u`, with :math:`d` the distance; 0 at distance 0.

    A square below 0 by no more than rounding is 0. Where a compiler, `vmap` or `jit` hides one
    that is further below, the distance is nan; SciPy's is nan everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> precision = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
    >>> u, v = np.array([[0.0, 2.0, 0.0], [2.0, 0.0, 0.0]]), np.array([0.0, 1.0, 0.0])
    >>> print(mahalanobis_distance(u, v, precision).round(4))
    [1.     1.7321]

    References
    ----------
    Mahalanobis (1936), On the generalised distance in statistics; reprinted in 2018.
    https://doi.org/10.1007/s13171-019-00164-5
    """
    x, y = _rows(u=u, v=v)
    gap, form = x - y, _forms(precision, u, x)
    xp = library(x)
    top = xp.max(xp.abs(stop_gradient(gap)), axis=-1, keepdims=True)
    size = xp.where((top > 0) & xp.isfinite(top), top, 1.0)
    square = _squares(gap / size, form, size[..., 0])  # of entries up to 1
    return cast(size[..., 0] * root(square), u.dtype)


def cosine_distance(u: Array, v: Array) -> Array:
    r"""Cosine distance :math:`1-\cos(u,v)=1-\langle u,v\rangle/(\|u\|\,\|v\|)`: no metric.

    It breaks the triangle inequality, and is 0 for all vectors of one direction. On the sphere it
    is half the squared Euclidean distance, so that its root is a metric there, and so is the
    angle.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.

    Returns
    -------
    array
        Between 0 and 2, dtype of `u`: the broadcast shape of the rows, (…); 1 with a vector of
        zeros, which has no direction (SciPy returns nan).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast.

    See Also
    --------
    pearson_distance : of centred vectors.
    cosine_embedding_loss : a loss of it.

    Notes
    -----
    For vectors of one length :math:`1-\cos=\|u-v\|^2/(2\|v\|^2)`: this form is computed, with
    :math:`u` brought to the length of :math:`v`. It is never negative, and keeps its digits where
    the vectors are nearly parallel.

    Gradient: with :math:`\hat u=u/\|u\|`, it is :math:`-(\hat v-\cos\,\hat u)/\|u\|` in
    :math:`u`: across :math:`u`, never along it. 0 for a vector of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{cosine_distance(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0])):.4f}")
    0.2929

    References
    ----------
    Salton, Wong and Yang (1975), A vector space model for automatic indexing.
    https://doi.org/10.1145/361219.361220
    """
    one_less, _ = cosines(*_rows(u=u, v=v))
    return cast(one_less, u.dtype)


def pearson_distance(u: Array, v: Array) -> Array:
    r"""Pearson distance :math:`1-\rho(u,v)`, the cosine distance of centred vectors: no metric.

    SciPy's `correlation`. With :math:`\rho` the correlation coefficient of the coordinates, as if
    each were one observation of two quantities.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, real floating; the axes before it broadcast.

    Returns
    -------
    array
        Between 0 and 2, dtype of `u`: the broadcast shape of the rows, (…); 1 with a constant
        vector, which has no correlation (SciPy returns nan).

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast.

    See Also
    --------
    cosine_distance : of vectors as they are.

    Notes
    -----
    Gradient: with the centred :math:`\tilde u,\tilde v` for :math:`u,v` it is that of the cosine
    distance. Its entries add up to 0: a shift of all coordinates changes nothing. 0 for a constant
    vector.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{pearson_distance(np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0])):.4f}")
    1.5000

    References
    ----------
    Pearson (1895), Note on regression and inheritance in the case of two parents.
    https://doi.org/10.1098/rspl.1895.0041
    """
    x, y = _rows(u=u, v=v)
    one_less, _ = cosines(_centred(x), _centred(y))
    return cast(one_less, u.dtype)


def hamming_distance(u: Array, v: Array) -> Array:
    r"""Hamming distance :math:`\frac1n\sum_j[u_j\ne v_j]`, the share of unequal entries: a metric.

    As in SciPy the *share*; times :math:`n` it is Hamming's count. It is the mean of 0-1 losses.

    Parameters
    ----------
    u, v : array, shape (…, n)
        The vectors along the last axis, any real dtype: symbols, of which only equality counts.
        The two have one dtype, or both a real floating one. The axes before the last broadcast.

    Returns
    -------
    array
        Between 0 and 1, dtype of `u`: the broadcast shape of the rows, (…); for integers and bools
        the default dtype of the library.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        the two have different dtypes that are not both floating.
    ValueError
        If the vectors have different lengths or none, or the rows do not broadcast.

    See Also
    --------
    zero_one_loss : of the sign of a score.

    Notes
    -----
    Gradient: 0 everywhere, in the graph of autograd, too: nothing can be trained on it.

    An entry of nan gives nan.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{hamming_distance(np.array([1, 0, 0]), np.array([3, 0, 0])):.4f}")
    0.3333

    References
    ----------
    Hamming (1950), Error detecting and error correcting codes.
    https://doi.org/10.1002/j.1538-7305.1950.tb00463.x
    """
    differs = _unequal(u, v)
    share = library(differs).mean(lift(differs), axis=-1)
    return cast(share, differs.dtype)


def _rows(**arrays: Array) -> tuple[Array, ...]:
    """Check vectors along the last axis, and return them in one dtype, float32 at least."""
    namespace(**arrays)
    check_floating(**arrays)
    check_rows(**arrays)
    dtype = lift(next(iter(arrays.values()))).dtype
    return tuple(cast(x, dtype) for x in arrays.values())


def _centred(x: Array) -> Array:
    """Return vectors less their means: a constant one, whatever its rounding, is exactly 0."""
    x = x - stop_gradient(x[..., :1])  # which the mean takes out again
    return x - library(x).mean(x, axis=-1, keepdims=True)


def _forms(precision: Array, u: Array, x: Array) -> Array:
    """Check the matrices of quadratic forms of vectors, and return them in the dtype of `x`."""
    namespace(u=u, precision=precision)
    check_floating(precision=precision)
    n, shape = x.shape[-1], tuple(precision.shape)
    if shape[-2:] != (n, n):
        raise ValueError(
            f"precision must hold a matrix ({n}, {n}) for vectors of {n} coordinates, "
            f"got shape {shape}"
        )
    rows = tuple(x.shape[:-1])
    try:
        np.broadcast_shapes(rows, shape[:-2])
    except ValueError:
        raise ValueError(
            f"precision must have a matrix for each of the rows {rows}, or one for all, "
            f"got shape {shape}"
        ) from None
    return cast(precision, x.dtype)


def _squares(gap: Array, form: Array, size: Array) -> Array:
    """Return the quadratic forms of vectors; one that is negative by rounding alone is 0.

    An error message names the form of the vectors times `size`.
    """
    xp = library(gap)
    square = _form(gap, form)
    below = square < 0
    if concrete(below) and not seen(below):
        return square
    reach = _form(xp.abs(gap), xp.abs(form))
    wrong = square < -gap.shape[-1] * xp.finfo(gap.dtype).eps * reach
    if seen(wrong):
        raise ValueError(
            "precision must be positive semidefinite, "
            f"got the squared distance {first_where(size * size * square, wrong)}"
        )
    return spoiled(xp.where(below, 0.0, square), wrong)


def _form(gap: Array, form: Array) -> Array:
    image = matmul(form, library(gap).expand_dims(gap, axis=-1))[..., 0]
    return library(gap).sum(gap * image, axis=-1)


def _unequal(u: Array, v: Array) -> Array:
    """Return 1 where two arrays differ, else 0; floating ones with a slope, which is 0."""
    xp = namespace(u=u, v=v)
    check_real(u=u, v=v)
    check_rows(u=u, v=v)
    floating = [xp.isdtype(x.dtype, "real floating") for x in (u, v)]
    if u.dtype != v.dtype and not all(floating):
        raise TypeError(
            f"v must have the dtype of u, {u.dtype}, got {v.dtype}"
        )
    if not all(floating):
        return cast(u != v, xp.asarray(0.0).dtype)
    # flat as a comparison, but autograd and nan pass through it
    x, y = lift(u), lift(v)
    with quiet(x, invalid="ignore", over="ignore"):
        step = xp.ceil(xp.clip(xp.abs(x - y), 0.0, 1.0))
    return cast(xp.where(x == y, 0.0, step), u.dtype)
