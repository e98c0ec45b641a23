r"""Distances between samples: how far mass must be moved, and how far apart averages are.

None of them compares densities point by point, so none is infinite or flat where two distributions
do not overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from losslib._array import (
    Array,
    absolute,
    cast,
    clip,
    concrete,
    is_array,
    library,
    lift,
    log,
    namespace,
    number,
    positions,
    quiet,
    relu,
    repeat,
    seen,
    spoiled,
    stop_gradient,
    wider,
)
from losslib._checks import (
    at_least_zero,
    check_at_least,
    check_flag,
    check_floating,
    check_option,
    check_same_shape,
    check_vectors,
    check_whole,
    first_where,
    given,
)
from losslib.information import _distributions
from losslib.logits import logsumexp

Kernel: TypeAlias = Literal["gaussian", "laplacian", "energy"]


class Transport(NamedTuple):
    r"""What `sinkhorn` found; only `value` carries a gradient.

    Attributes
    ----------
    value : array
        The entropic cost :math:`\langle P,C\rangle+\varepsilon\,\mathrm{KL}(P\|a\otimes b)`, or
        less where the residual is not 0.
    cost : array
        The transport cost :math:`\langle P,C\rangle` alone.
    plan : array
        :math:`P_{ij}`: how much mass goes from :math:`i` to :math:`j`.
    f, g : array
        The potentials: the price of a unit of mass at :math:`i`, and at :math:`j`.
    residual : array
        How far the rows of the plan are from :math:`a`: :math:`\sum_i|\sum_j P_{ij}-a_i|`, what is
        missing and what is too much together.
    """

    value: Array
    cost: Array
    plan: Array
    f: Array
    g: Array
    residual: Array


def wasserstein_1d(
    u_values: Array,
    v_values: Array,
    u_weights: Array | None = None,
    v_weights: Array | None = None,
    *,
    p: float = 1.0,
) -> Array:
    r"""Wasserstein distance :math:`(\int_0^1|U^{-1}(q)-V^{-1}(q)|^p\,dq)^{1/p}` on a line.

    :math:`U^{-1}` and :math:`V^{-1}` are the quantile functions of the two weighted samples. With
    ``p=1`` it is SciPy's ``wasserstein_distance``.

    Parameters
    ----------
    u_values, v_values : array, shapes (…, n) and (…, m)
        The two samples along the last axis, real floating.
    u_weights, v_weights : array, shapes of the values, optional
        The weight of each value, real floating, of any positive sum; equal ones by default.
    p : float
        The order, at least 1 and finite.

    Returns
    -------
    array
        In units of the values, dtype of `u_values`, its shape without the last axis.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or `p` is no number.
    ValueError
        If shapes do not match, a sample is empty, a weight is negative or all are 0, or `p` is
        below 1 or infinite.

    See Also
    --------
    energy_distance : the squared difference of the distribution functions, not of the quantiles.
    sinkhorn : the distance for any cost, in any dimension.

    Notes
    -----
    Both samples are sorted, once; where their cumulated weights are merged, mass of one pair of
    quantiles stands between two levels.

    Gradient: with ``p=1``, in a value :math:`u_i`, its weight where it lies above the quantile that
    it is matched with, and minus that below. Where values of a sample are equal, they are matched
    in the order in which they stand; where the distance is 0, the slope is 0. In a weight, where
    two levels are equal, it is one of the one-sided slopes.

    Levels of whole weights, or of none, are exact while the dtype holds their sum (below 2²⁴ in
    float32). Those of other weights may be off by a rounding for each, of which ``p`` above 1 takes
    the root: what is below that counts as equal, unless weights are as small themselves.

    Examples
    --------
    >>> import numpy as np
    >>> print(wasserstein_1d(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0])))
    5.0

    References
    ----------
    Vallender (1974), Calculation of the Wasserstein distance between probability distributions on
    the line. https://doi.org/10.1137/1118101
    """
    check_at_least(1, p=p)
    if math.isinf(p):
        raise ValueError(f"p must be finite, got {p!r}")
    u, a, v, b = _weighted_samples(u_values, v_values, u_weights, v_weights)
    (u, a), (v, b) = _sorted(u, a), _sorted(v, b)
    xp, n = library(u), u.shape[-1]
    level, order = _in_order(xp.concat([_levels(a), _levels(b)], axis=-1))
    mass = _masses(level)
    move = absolute(_quantile(u, order < n) - _quantile(v, order >= n))
    if p != 1:
        moved = xp.where(mass > 0, stop_gradient(move), 0.0)
        top = xp.max(moved, axis=-1, keepdims=True)
        endless = xp.isinf(top[..., 0])
        top = xp.where((top > 0) & xp.isfinite(top), top, 1.0)
        share = clip(move / top, 2.0)  # above 1 it is of no mass
        total = xp.sum(mass * _power(share, p), axis=-1)
        result = top[..., 0] * _power(total, 1 / p)
        return cast(xp.where(endless, math.inf, result), u_values.dtype)
    move = xp.where((mass > 0) | xp.isfinite(move), move, 0.0)
    return cast(xp.sum(mass * move, axis=-1), u_values.dtype)


def energy_distance(
    u_values: Array,
    v_values: Array,
    u_weights: Array | None = None,
    v_weights: Array | None = None,
) -> Array:
    r"""Energy distance :math:`\sqrt{2\,E|X-Y|-E|X-X'|-E|Y-Y'|}` of two samples on a line.

    It is :math:`\sqrt{2\int(U-V)^2}`, with :math:`U` and :math:`V` the distribution functions:
    SciPy's ``energy_distance``, with the root.

    Parameters
    ----------
    u_values, v_values : array, shapes (…, n) and (…, m)
        The two samples along the last axis, real floating.
    u_weights, v_weights : array, shapes of the values, optional
        The weight of each value, real floating, of any positive sum; equal ones by default.

    Returns
    -------
    array
        In square roots of units of the values, dtype of `u_values`, its shape without the last
        axis.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library.
    ValueError
        If shapes do not match, a sample is empty, or a weight is negative or all are 0.

    See Also
    --------
    maximum_mean_discrepancy : with ``kernel="energy"`` its square, in any dimension.
    wasserstein_1d : the integral of :math:`|U-V|`.

    Notes
    -----
    :math:`U` and :math:`V` are cumulated sums over all values in order: no pair of values is
    formed. Where they differ by rounding alone, they count as equal.

    Gradient: of the square, in a value of weight :math:`w` of the first sample,
    :math:`-2w\,(F_-+F_+)` with :math:`F_\pm` the difference :math:`U-V` before and behind it. Equal
    values count in the order in which they stand, and where the distance is 0 the slope is 0.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{energy_distance(np.array([0.0]), np.array([2.0])):.1f}")
    2.0

    References
    ----------
    Székely and Rizzo (2013), Energy statistics: a class of statistics based on distances.
    https://doi.org/10.1016/j.jspi.2013.03.018
    """
    u, a, v, b = _weighted_samples(u_values, v_values, u_weights, v_weights)
    xp = library(u)
    values, order = _in_order(xp.concat([u, v], axis=-1))
    below, other = (
        _levels(xp.take_along_axis(weights, order, axis=-1))
        for weights in (
            xp.concat([a, xp.zeros_like(b)], axis=-1),
            xp.concat([xp.zeros_like(a), b], axis=-1),
        )
    )
    apart = (below - other)[..., :-1]
    same = xp.abs(apart) <= _rounding(below)[..., :-1]
    apart = xp.where(same, apart - stop_gradient(apart), apart)
    gap = values[..., 1:] - values[..., :-1]
    gap = xp.where((apart == 0) & xp.isinf(gap), 0.0, gap)
    square = 2 * xp.sum(gap * apart * apart, axis=-1)
    return cast(_power(square, 0.5), u_values.dtype)


def maximum_mean_discrepancy(
    x: Array,
    y: Array,
    *,
    kernel: Kernel | Callable[[Array, Array], Array] = "gaussian",
    bandwidth: float | None = None,
    unbiased: bool = False,
) -> Array:
    r"""Squared maximum mean discrepancy :math:`E\,k(X,X')+E\,k(Y,Y')-2\,E\,k(X,Y)`.

    Parameters
    ----------
    x, y : array, shapes (…, n, d) and (…, m, d)
        The two samples of points of d coordinates, real floating.
    kernel : {"gaussian", "laplacian", "energy"} or callable
        :math:`e^{-r^2/2\sigma^2}`, :math:`e^{-r/\sigma}` or :math:`-r`, with :math:`r` the
        Euclidean distance of two points; or a function of two samples that gives a number for each
        pair, shape (…, n, m).
    bandwidth : float, optional
        :math:`\sigma`, in units of the coordinates; "energy" and a function have none. By default
        the median distance of two points of the pooled sample (the mean one where that is 0), of
        each pair of samples its own, and a constant to the gradient.
    unbiased : bool
        Whether to leave out the pairs of a point with itself. Under a fixed kernel the estimate is
        then right on average, and may be negative; with them it never is, and 0 only for the same
        kernel means, unless a function is no kernel.

    Returns
    -------
    array
        The square: without a unit, or in units of the coordinates for "energy"; dtype of `x`, its
        shape without the last two axes.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, `bandwidth` is no number, or
        `unbiased` no bool.
    ValueError
        If shapes do not match, points have no coordinates, a sample has no point (or only one, with
        ``unbiased=True``), the kernel is unknown or gives another shape, or `bandwidth` is not
        above 0.

    See Also
    --------
    energy_distance : on a line, the root of what ``kernel="energy"`` gives.
    sinkhorn_divergence : tends to half of this, with the kernel :math:`-C`, as its blur grows.

    Notes
    -----
    The differences of all pairs are formed, (n + m)² d numbers: nothing cancels where points are
    close and far from 0. Nor do kernels near 1 where :math:`\sigma` is wider than the samples:
    of each, 1 is left out. Where the means of the samples are equal as well, what is left of order
    :math:`\sigma^{-2}` cancels, and with :math:`\sigma` grows what rounding takes.

    Gradient: in :math:`x_i`,
    :math:`\frac2n\bigl(\frac1n\sum_j\nabla k(x_i,x_j)-\frac1m\sum_j\nabla k(x_i,y_j)\bigr)` with
    pairs of equal points left out: of a kernel with a kink, the slope at :math:`r=0` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0]]), np.array([[3.0], [4.0]])
    >>> print(f"{maximum_mean_discrepancy(x, y, kernel='energy'):.4f}")
    5.0000

    References
    ----------
    Gretton et al. (2012), A kernel two-sample test.
    https://jmlr.org/papers/v13/gretton12a.html
    """
    check_flag(unbiased=unbiased)
    if bandwidth is not None:
        check_option(bandwidth=bandwidth)
    one, two = _point_samples(x, y, 2 if unbiased else 1)
    k = _kernel(kernel, one, two, bandwidth)
    within = _pair_mean(k(one, one), unbiased) + _pair_mean(
        k(two, two), unbiased
    )
    square = within - 2 * _pair_mean(k(one, two), False)
    if not (unbiased or callable(kernel)):
        square = relu(square)  # below 0 by rounding alone
    return cast(square, x.dtype)


def sinkhorn(
    cost: Array,
    a: Array | None = None,
    b: Array | None = None,
    *,
    epsilon: float = 0.01,
    steps: int = 200,
) -> Transport:
    r"""Entropic transport :math:`\min_P\langle P,C\rangle+\varepsilon\,\mathrm{KL}(P\|a\otimes b)`.

    The minimum is over plans :math:`P` whose rows sum to :math:`a` and whose columns sum to
    :math:`b`. As :math:`\varepsilon\to0` it tends to the least cost of moving :math:`a` onto
    :math:`b`.

    Parameters
    ----------
    cost : array, shape (…, n, m)
        :math:`C_{ij}`, the cost of moving a unit of mass from :math:`i` to :math:`j`: finite
        numbers, real floating.
    a, b : array, shapes (…, n) and (…, m), optional
        The two distributions, real floating, of sum 1; uniform by default.
    epsilon : float
        The blur as a share of the largest size of a cost: :math:`\varepsilon` is that share of it.
    steps : int
        How often rows and columns are scaled; the blur falls from the largest cost to its value
        over the first half of them.

    Returns
    -------
    Transport
        A named tuple, in the dtype of `cost`: `value`, the minimum, or less where the residual is
        not 0; `cost`, the transport cost :math:`\langle P,C\rangle` alone; `plan` (…, n, m), how
        much mass goes from :math:`i` to :math:`j`; `f` (…, n) and `g` (…, m), the price of a unit
        of mass at :math:`i` and at :math:`j`; `residual`, how far the rows of the plan are from
        :math:`a`, :math:`\sum_i|\sum_j P_{ij}-a_i|`: where it is too large, take more steps. Those
        without a shape here have that of `cost` without its last two axes.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option is no number.
    ValueError
        If shapes do not match, a cost is not finite, `a` or `b` is no distribution (within 0.001),
        `epsilon` is not above 0 and finite, or `steps` is not whole or below 1.

    See Also
    --------
    sinkhorn_divergence : what is 0 where the two distributions are the same.
    wasserstein_1d : on a line, without blur.

    Notes
    -----
    A step is :math:`f_i=-\varepsilon\log\sum_j b_j e^{(g_j-C_{ij})/\varepsilon}`, and the same for
    :math:`g`: log-sum-exps of differences, which overflow for no :math:`\varepsilon`. `value` is
    the dual :math:`\langle a,f\rangle+\langle b,g\rangle`: never above the minimum, and right to
    second order in what the potentials lack.

    Gradient: of `value`, by the envelope theorem, :math:`P` in the cost, :math:`f` in :math:`a` and
    :math:`g` in :math:`b` (less their means under :math:`a` and :math:`b`): nothing is
    differentiated through the steps, and the largest cost that :math:`\varepsilon` is measured in
    is a constant. `cost` and the rest are constants. There is no second derivative in
    the cost: PyTorch refuses to take one, its transforms and JAX give 0. Of points behind a cost, a
    second derivative is that under a constant plan.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0])
    >>> found = sinkhorn(abs(x[:, None] - y), epsilon=0.001, steps=500)
    >>> print(f"{found.cost:.3f}")
    5.000
    >>> bool(found.residual < 1e-6)
    True

    References
    ----------
    Cuturi (2013), Sinkhorn distances: lightspeed computation of optimal transport.
    https://arxiv.org/abs/1306.0895

    Peyré and Cuturi (2019), Computational optimal transport, chapter 4.
    https://doi.org/10.1561/2200000073
    """
    _check_blur(epsilon, steps)
    c, a, b = _problem(a, b, cost=cost)
    xp, scale = library(c), _largest(c)
    f, g, plan = _potentials(c / scale, a, b, epsilon, steps)
    value = _dual(f, g, plan, c / scale, a, b, epsilon) * scale
    a, c = stop_gradient(a), stop_gradient(c)
    found = (
        value[..., 0, 0],
        xp.sum(plan * c, axis=(-2, -1)),
        plan,
        (scale * f)[..., 0],
        (scale * g)[..., 0, :],
        xp.sum(xp.abs(xp.sum(plan, axis=-1) - a), axis=-1),
    )
    return Transport(*(cast(x, cost.dtype) for x in found))


def sinkhorn_divergence(
    cost: Array,
    cost_a: Array,
    cost_b: Array,
    a: Array | None = None,
    b: Array | None = None,
    *,
    epsilon: float = 0.01,
    steps: int = 200,
) -> Array:
    r"""Debiased transport :math:`W(a,b)-\tfrac12W(a,a)-\tfrac12W(b,b)`, :math:`W` of `sinkhorn`.

    Parameters
    ----------
    cost : array, shape (…, n, m)
        The costs from the support of :math:`a` to that of :math:`b`: finite numbers, real floating.
    cost_a, cost_b : array, shapes (…, n, n) and (…, m, m)
        The costs within the support of :math:`a`, and within that of :math:`b`.
    a, b : array, shapes (…, n) and (…, m), optional
        The two distributions, real floating, of sum 1; uniform by default.
    epsilon : float
        The blur of all three, as a share of the largest size in `cost`.
    steps : int
        How often rows and columns are scaled.

    Returns
    -------
    array
        In units of the cost, dtype of `cost`, its shape without the last two axes.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option is no number.
    ValueError
        If shapes do not match, a cost is not finite, `a` or `b` is no distribution (within 0.001),
        `epsilon` is not above 0 and finite, or `steps` is not whole or below 1.

    See Also
    --------
    sinkhorn : one transport, with its plan and its residual.
    maximum_mean_discrepancy : where it tends as the blur grows.

    Notes
    -----
    It is 0 where the two distributions and the three costs are the same. Of costs between and
    within two sets of points it is above 0 for all others, once the steps have settled, where
    :math:`e^{-C/\varepsilon}` is a positive definite kernel, as for :math:`|x-y|` and
    :math:`|x-y|^2`. As the blur grows, it tends to half the squared maximum mean discrepancy with
    the kernel :math:`-C`.

    Where the true divergence is 0 or nearly, rounding may leave less than 0.

    Gradient: in each cost the plan, times 1, :math:`-\tfrac12` and :math:`-\tfrac12`; there is no
    second derivative.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0])
    >>> costs = ((s[:, None] - t) ** 2 for s, t in ((x, y), (x, x), (y, y)))
    >>> print(f"{sinkhorn_divergence(*costs, epsilon=0.1):.3f}")
    25.000

    References
    ----------
    Feydy et al. (2019), Interpolating between optimal transport and MMD using Sinkhorn divergences.
    https://proceedings.mlr.press/v89/feydy19a.html
    """
    _check_blur(epsilon, steps)
    c, a, b, *within = _problem(
        a, b, cost=cost, cost_a=cost_a, cost_b=cost_b
    )
    scale = _largest(c)

    def value(c: Array, a: Array, b: Array) -> Array:
        f, g, plan = _potentials(c / scale, a, b, epsilon, steps)
        return _dual(f, g, plan, c / scale, a, b, epsilon)

    own = value(within[0], a, a) + value(within[1], b, b)
    divergence = (value(c, a, b) - 0.5 * own) * scale
    return cast(divergence[..., 0, 0], cost.dtype)


# --- On a line --------------------------------------------------------------------------------


def _weighted_samples(
    u_values: Array,
    v_values: Array,
    u_weights: Array | None,
    v_weights: Array | None,
) -> tuple[Array, ...]:
    """Check two weighted samples along the last axis, and return each with its weights."""
    arrays = {"u_values": u_values, "v_values": v_values}
    weights = given(u_weights=u_weights, v_weights=v_weights)
    namespace(**arrays, **weights)
    check_floating(**arrays, **weights)
    check_vectors(**arrays)
    lead = tuple(u_values.shape[:-1])
    found: list[Array] = []
    for name, x in arrays.items():
        if tuple(x.shape[:-1]) != lead or not x.shape[-1]:
            raise ValueError(
                f"{name} must hold at least one value in each sample along its last axis, "
                f"{'all other axes those of u_values, ' * (name != 'u_values')}"
                f"got shape {tuple(x.shape)}"
            )
        found += _weighted(
            cast(x, lift(u_values).dtype),
            weights.get(f"{name[0]}_weights"),
            name[0],
        )
    return tuple(found)


def _weighted(
    values: Array, weights: Array | None, name: str
) -> tuple[Array, Array]:
    xp = library(values)
    if weights is None:
        return values, xp.ones_like(values)
    check_same_shape(
        **{f"{name}_values": values, f"{name}_weights": weights}
    )
    w = at_least_zero(cast(weights, values.dtype), f"{name}_weights")
    total = xp.sum(w, axis=-1, keepdims=True)
    none = ~((total > 0) & (total < math.inf))
    if seen(none):
        raise ValueError(
            f"{name}_weights must have a sum above 0 and finite, "
            f"got {first_where(total, none)}"
        )
    if not concrete(none):
        w = spoiled(w, none)
    there = xp.where(w == 0, -math.inf, stop_gradient(values))
    top = xp.max(there, axis=-1, keepdims=True)  # in no gap of the others
    return xp.where(w == 0, top, values), w


def _in_order(x: Array) -> tuple[Array, Array]:
    """Return x in order along the last axis, equal numbers as they stand, and where they were."""
    xp = library(x)
    order = xp.argsort(stop_gradient(x), axis=-1, stable=True)
    return xp.take_along_axis(x, order, axis=-1), order


def _sorted(values: Array, weights: Array) -> tuple[Array, Array]:
    values, order = _in_order(values)
    return values, library(values).take_along_axis(weights, order, axis=-1)


def _cumulated(weights: Array) -> Array:
    """Return the sum up to each weight, as NumPy would take it in the dtype of one, in float64."""
    sums = library(weights).cumsum(weights, axis=-1, **wider(weights))
    return cast(sums, weights.dtype)


def _levels(weights: Array) -> Array:
    """Return the share of the whole up to each weight: of whole weights, to the last digit."""
    ends = _cumulated(weights)
    return ends / ends[..., -1:]


def _rounding(level: Array) -> Array:
    """Return how far a level may be off by the rounding of sums and quotients.

    Sums are taken one by one in float64, or in a tree.
    """
    own = 6 * library(level).finfo(level.dtype).eps
    return level * max(own, (9 + level.shape[-1] / 4) * 2.3e-16)


def _masses(level: Array) -> Array:
    """Return the mass up to each level; what is there by rounding alone goes to the next one.

    Not where the next is the same level to the last digit: then the mass is one of both samples.
    """
    xp, start = library(level), level[..., :1]
    mass = xp.concat([start, level[..., 1:] - level[..., :-1]], axis=-1)
    tied = xp.concat([mass[..., 1:] == 0, level[..., -1:] > 0], axis=-1)
    sliver = xp.where((mass <= _rounding(level)) & ~tied, mass, 0.0)
    passed_on = xp.concat([0.0 * start, sliver[..., :-1]], axis=-1)
    return mass - sliver + passed_on


def _quantile(values: Array, passed: Array) -> Array:
    """Return the value in force at each merged level: the next after those that were passed."""
    xp = library(values)
    step = cast(passed, xp.arange(0).dtype)
    before = xp.cumsum(step, axis=-1) - step
    last = xp.clip(before, None, values.shape[-1] - 1)
    return xp.take_along_axis(values, last, axis=-1)


def _power(x: Array, p: float) -> Array:
    """Return x^p of what is not negative; where x is 0 it is 0, and has no slope."""
    xp = library(x)
    none = x == 0
    return xp.where(none, 0.0, xp.where(none, 1.0, x) ** p)


# --- Of points --------------------------------------------------------------------------------


def _point_samples(x: Array, y: Array, least: int) -> tuple[Array, Array]:
    """Check two samples of points, and return them in one dtype."""
    namespace(x=x, y=y)
    check_floating(x=x, y=y)
    for name, z in (("x", x), ("y", y)):
        if (
            z.ndim < 2
            or z.shape[-2] < least
            or not z.shape[-1]
            or tuple(z.shape[:-2]) != tuple(x.shape[:-2])
            or z.shape[-1] != x.shape[-1]
        ):
            of_x = f", and the other axes of x {tuple(x.shape)}"
            raise ValueError(
                f"{name} must have shape (…, n, d) with n at least {least} and d at least 1"
                f"{of_x * (name == 'y')}, got {tuple(z.shape)}"
            )
    return lift(x), cast(y, lift(x).dtype)


def _kernel(
    kernel: str | Callable[[Array, Array], Array],
    x: Array,
    y: Array,
    bandwidth: float | None,
) -> Callable[[Array, Array], Array]:
    """Return the function of two samples that gives the kernel of each pair."""
    if bandwidth is not None and (callable(kernel) or kernel == "energy"):
        raise ValueError(
            "bandwidth must be None for the kernel 'energy' and for a function, "
            f"got {bandwidth!r}"
        )
    if callable(kernel):

        def own(x: Array, y: Array) -> Array:
            k = kernel(x, y)
            shape = (*x.shape[:-1], y.shape[-2])
            if not is_array(k) or tuple(k.shape) != shape:
                got = tuple(k.shape) if is_array(k) else type(k).__name__
                raise ValueError(
                    "kernel must give a number for each pair of points, "
                    f"shape {shape}, got {got}"
                )
            return k

        return own
    if kernel not in get_args(Kernel):
        raise ValueError(
            "kernel must be 'gaussian', 'laplacian', 'energy' or a function of two samples, "
            f"got {kernel!r}"
        )
    if kernel == "energy":
        return lambda x, y: -_distances(x, y)
    xp = library(x)
    width = number(bandwidth, x) if bandwidth else _median_distance(x, y)
    pooled = xp.concat([stop_gradient(x), stop_gradient(y)], axis=-2)
    with quiet(x, over="ignore"):
        edges = xp.max(pooled, axis=-2) - xp.min(pooled, axis=-2)
        wide = width > xp.sum(edges, axis=-1)[..., None, None]

    def decays(x: Array) -> Array:
        """Return exp(-x), less 1 where all kernels are near it: no mean of them feels that."""
        if concrete(wide) and not seen(wide):
            return xp.exp(-x)
        return xp.where(wide, xp.expm1(-x), xp.exp(-x))

    if kernel == "laplacian":
        return lambda x, y: decays(_distances(x, y) / width)

    def gaussian(x: Array, y: Array) -> Array:
        apart = _differences(x, y) / width[..., None]
        apart = clip(apart, 1e4)  # further off, the kernel is 0
        return decays(0.5 * xp.sum(apart * apart, axis=-1))

    return gaussian


def _differences(x: Array, y: Array) -> Array:
    return x[..., :, None, :] - y[..., None, :, :]


def _distances(x: Array, y: Array) -> Array:
    """Return the Euclidean distance of each pair, without a slope where it is 0."""
    xp, apart = library(x), _differences(x, y)
    top = xp.max(
        xp.abs(stop_gradient(apart)), axis=(-3, -2, -1), keepdims=True
    )
    top = xp.where(top > 0, top, 1.0)  # no square overflows
    apart = apart / top
    return top[..., 0] * _power(xp.sum(apart * apart, axis=-1), 0.5)


def _median_distance(x: Array, y: Array) -> Array:
    """Return the median distance of two points of both samples, a constant, as (…, 1, 1)."""
    xp = library(x)
    pooled = xp.concat([stop_gradient(x), stop_gradient(y)], axis=-2)
    size = pooled.shape[-2]
    apart = xp.reshape(
        _distances(pooled, pooled), (*x.shape[:-2], size * size)
    )
    # each pair twice, and each point with itself in front
    apart = xp.sort(apart, axis=-1)[..., size::2]
    pairs = apart.shape[-1]
    middle = 0.5 * (
        apart[..., (pairs - 1) // 2, None] + apart[..., pairs // 2, None]
    )
    middle = xp.where(
        middle > 0, middle, xp.mean(apart, axis=-1, keepdims=True)
    )
    return xp.where(middle > 0, middle, 1.0)[..., None]


def _pair_mean(k: Array, distinct: bool) -> Array:
    """Return the mean over pairs, or over pairs of two distinct points."""
    xp = library(k)
    if not distinct:
        return xp.mean(k, axis=(-2, -1))
    n = k.shape[-1]
    index = positions(k, -1)
    other = cast(index[:, None] != index, k.dtype)
    return xp.sum(k * other, axis=(-2, -1)) / (n * (n - 1))


# --- By plans ---------------------------------------------------------------------------------


def _problem(
    a: Array | None, b: Array | None, **costs: Array
) -> tuple[Array, ...]:
    """Check costs and distributions; return the first cost, both distributions, the other costs."""
    weights = given(a=a, b=b)
    namespace(**costs, **weights)
    check_floating(**costs, **weights)
    cost = costs["cost"]
    if cost.ndim < 2 or 0 in cost.shape[-2:]:
        raise ValueError(
            "cost must have shape (…, n, m), n and m at least 1, "
            f"got {tuple(cost.shape)}"
        )
    (*lead, n, m), ready = cost.shape, []
    for name, c in costs.items():
        shape = {"cost_a": (n, n), "cost_b": (m, m)}.get(name, (n, m))
        _check_shape(name, c, (*lead, *shape))
        wrong = ~library(c).isfinite(lift(c))
        if seen(wrong):
            raise ValueError(
                f"{name} must hold finite numbers, got {first_where(c, wrong)}"
            )
        ready.append(cast(c, lift(cost).dtype))
    c, *within = ready
    xp = library(c)
    shares = []
    for name, w, like in (("a", a, c[..., 0]), ("b", b, c[..., 0, :])):
        if w is None:
            w = xp.zeros_like(like) + 1 / like.shape[-1]
        else:
            _check_shape(name, w, tuple(like.shape))
            (w,) = _distributions(-1, **{name: w})
            w = cast(w, c.dtype)
        shares.append(w / xp.sum(w, axis=-1, keepdims=True))
    return c, *shares, *within


def _check_shape(name: str, x: Array, shape: tuple[int, ...]) -> None:
    if tuple(x.shape) != shape:
        raise ValueError(
            f"{name} must have shape {shape}, to match cost, got {tuple(x.shape)}"
        )


def _check_blur(epsilon: float, steps: int) -> None:
    check_option(epsilon=epsilon)
    if math.isinf(epsilon):
        raise ValueError(f"epsilon must be finite, got {epsilon!r}")
    check_whole(1, steps=steps)


def _largest(c: Array) -> Array:
    """Return the largest size of a cost, a constant, as (…, 1, 1); 1 where all are 0."""
    xp = library(c)
    top = xp.max(xp.abs(stop_gradient(c)), axis=(-2, -1), keepdims=True)
    return xp.where(top == 0, 1.0, top)


def _potentials(
    c: Array, a: Array, b: Array, epsilon: float, steps: int
) -> tuple[Array, Array, Array]:
    """Return the potentials as (…, n, 1) and (…, 1, m) and their plan, all of them constants."""
    xp = library(c)
    fixed = stop_gradient(c)
    log_a = log(stop_gradient(a))[..., :, None]
    log_b = log(stop_gradient(b))[..., None, :]

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        k, f, g = state
        blur = epsilon ** clip(2 * k / steps, 1.0)  # from 1 to epsilon
        f = -blur * logsumexp(log_b + (g - fixed) / blur, -1, keepdims=True)
        g = -blur * logsumexp(log_a + (f - fixed) / blur, -2, keepdims=True)
        return k + 1, f, g

    start = (
        number(1.0, fixed),
        xp.zeros_like(fixed[..., :1]),
        xp.zeros_like(fixed[..., :1, :]),
    )
    _, f, g = repeat(step, start, int(steps))
    return f, g, xp.exp((f + g - fixed) / epsilon + log_a + log_b)


def _dual(
    f: Array,
    g: Array,
    plan: Array,
    c: Array,
    a: Array,
    b: Array,
    epsilon: float,
) -> Array:
    """Return the dual objective as (…, 1, 1); to it the potentials and the plan are constants."""

    def total(x: Array) -> Array:
        return library(x).sum(x, axis=(-2, -1), keepdims=True)

    price = total(a[..., :, None] * f) + total(b[..., None, :] * g)
    slope = total(plan * (c - stop_gradient(c)))
    return price - epsilon * (total(plan) - 1) + slope
