r"""Margin losses on angles: cross-entropy in which the right class is marked down.

Every logit is a feature times a class vector, :math:`z_k=\|w_k\|\,\|x\|\cos\theta_k`. Each loss
takes a shift from the logit of the target alone, and is the cross-entropy of what is left.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    cast,
    library,
    lift,
    matmul,
    namespace,
    one_hot,
    stop_gradient,
)
from losslib._checks import (
    check_at_least,
    check_class_indices,
    check_floating,
    check_number,
    check_option,
    check_whole,
)
from losslib._classes import Samples, of_class, surprise
from losslib.objective import Reduction


def l_softmax_loss(
    input: Array,
    target: Array,
    weight: Array,
    *,
    margin: int = 4,
    annealing: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Large-margin softmax: the angle to the right class vector counts `margin` times.

    .. math:: \ell = -\log\frac{e^{f_t}}{e^{f_t}+\sum_{k\ne t}e^{z_k}}, \qquad
              f_t = \|w_t\|\,\|x\|\,\frac{\psi(\theta_t)+\lambda\cos\theta_t}{1+\lambda},

    .. math:: \psi(\theta) = (-1)^k\cos(m\theta)-2k, \qquad
              \theta\in\Bigl[\frac{k\pi}{m},\frac{(k+1)\pi}{m}\Bigr],

    with :math:`z_k=\langle w_k,x\rangle=\|w_k\|\,\|x\|\cos\theta_k`. Nothing is normalised, and
    there is no bias.

    Parameters
    ----------
    input : array, shape (d) or (N, d)
        Features :math:`x`, real floating. A vector of zeros has no angle: for it all logits are
        0, and the margin has no gradient.
    target : array, shape () or (N)
        Class indices :math:`t`, any integer dtype.
    weight : array, shape (C, d)
        Class vectors :math:`w_k`, real floating.
    margin : int
        :math:`m`, at least 1; with 1 the loss is the cross-entropy of :math:`z`.
    annealing : float
        :math:`\lambda`, not negative: the papers begin training with a large one, and lower it.
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
        If shapes do not match, a class index is out of range, `margin` is no whole number of at
        least 1, `annealing` is negative, or `reduction` is unknown.

    See Also
    --------
    a_softmax_loss : the same, with class vectors of length 1.
    cosface_loss : a constant is taken from the cosine.
    arcface_loss : a constant is added to the angle.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial x=(\hat y_t-1)\,\nabla f_t+\sum_{k\ne t}\hat y_k\,w_k`,
    with :math:`\hat y` the softmax of the marked logits.

    The products are taken in float32 or better, also inside ``torch.autocast``.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([[2.0, 0.0]]), np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> for margin in (1, 2):
    ...     print(f"{l_softmax_loss(x, np.array([0]), w, margin=margin):.4f}")
    0.6931
    2.1269

    References
    ----------
    Liu, Wen, Yu and Yang (2016), Large-margin softmax loss for convolutional neural networks.
    https://arxiv.org/abs/1612.02295
    """
    s, x, w = _samples(input, target, weight)
    loss = _angle_times(x, s.index, w, margin, annealing)
    return s.reduce(loss, reduction)


def a_softmax_loss(
    input: Array,
    target: Array,
    weight: Array,
    *,
    margin: int = 4,
    annealing: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Angular softmax of SphereFace: large-margin softmax with class vectors of length 1.

    .. math:: \ell = -\log\frac{e^{f_t}}{e^{f_t}+\sum_{k\ne t}e^{\|x\|\cos\theta_k}}, \qquad
              f_t = \|x\|\,\frac{\psi(\theta_t)+\lambda\cos\theta_t}{1+\lambda},

    with :math:`\psi(\theta)=(-1)^k\cos(m\theta)-2k` for :math:`\theta` between :math:`k\pi/m` and
    :math:`(k+1)\pi/m`. The lengths of the class vectors do not matter; there is no bias.

    Parameters
    ----------
    input : array, shape (d) or (N, d)
        Features :math:`x`, real floating. A vector of zeros has no angle: for it all logits are
        0, and the margin has no gradient.
    target : array, shape () or (N)
        Class indices :math:`t`, any integer dtype.
    weight : array, shape (C, d)
        Class vectors, real floating; each is divided by its length. A vector of zeros stays one.
    margin : int
        :math:`m`, at least 1.
    annealing : float
        :math:`\lambda`, not negative: the papers begin training with a large one, and lower it.
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
        If shapes do not match, a class index is out of range, `margin` is no whole number of at
        least 1, `annealing` is negative, or `reduction` is unknown.

    See Also
    --------
    l_softmax_loss : the angle counts several times.
    cosface_loss : a constant is taken from the cosine.
    arcface_loss : a constant is added to the angle.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial x=(\hat y_t-1)\,\nabla f_t+\sum_{k\ne t}\hat
    y_k\,w_k/\|w_k\|`,
    with :math:`\hat y` the softmax of the marked logits.

    The products are taken in float32 or better, also inside ``torch.autocast``.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([[2.0, 0.0]]), np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> print(f"{a_softmax_loss(x, np.array([0]), w, margin=2):.4f}")
    1.6318

    References
    ----------
    Liu, Wen, Yu, Li, Raj and Song (2017), SphereFace: deep hypersphere embedding for face
    recognition. https://doi.org/10.1109/CVPR.2017.713
    """
    s, x, w = _samples(input, target, weight)
    unit, _ = _polar(w)
    loss = _angle_times(x, s.index, unit, margin, annealing)
    return s.reduce(loss, reduction)


def cosface_loss(
    input: Array,
    target: Array,
    weight: Array,
    *,
    margin: float = 0.35,
    scale: float = 64.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Large-margin cosine loss of CosFace: a constant is taken from the cosine of the target.

    .. math:: \ell = -\log\frac{e^{s(\cos\theta_t-m)}}
              {e^{s(\cos\theta_t-m)}+\sum_{k\ne t}e^{s\cos\theta_k}}

    Parameters
    ----------
    input : array, shape (d) or (N, d)
        Features, real floating. Their lengths do not matter. A vector of zeros has cosine 0 with
        every class, and a gradient of 0.
    target : array, shape () or (N)
        Class indices :math:`t`, any integer dtype.
    weight : array, shape (C, d)
        Class vectors, real floating. Their lengths do not matter.
    margin : float
        :math:`m`, a difference of cosines; not negative.
    scale : float
        :math:`s`, above 0.
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
        If shapes do not match, a class index is out of range, `margin` is negative, `scale` is
        not above 0, or `reduction` is unknown.

    See Also
    --------
    l_softmax_loss : the angle counts several times.
    a_softmax_loss : the same, with class vectors of length 1.
    arcface_loss : a constant is added to the angle.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial x=s\sum_k(\hat y_k-y_k)\,\nabla\cos\theta_k`,
    with :math:`\hat y` the softmax of the marked logits.

    The products are taken in float32 or better, also inside ``torch.autocast``.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([[4.0, 3.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> print(f"{cosface_loss(x, np.array([0]), w, margin=0.2, scale=10.0):.4f}")
    0.6931

    References
    ----------
    Wang, Wang, Zhou, Ji, Gong, Zhou, Li and Liu (2018), CosFace: large margin cosine loss for deep
    face recognition. https://doi.org/10.1109/CVPR.2018.00552
    """
    check_option(scale=scale)
    check_at_least(0, margin=margin)
    s, x, w = _samples(input, target, weight)
    cosine = matmul(_polar(x)[0], _polar(w)[0].T)
    logits = scale * (cosine - margin * one_hot(s.index, cosine))
    return s.reduce(surprise(logits, s.index), reduction)


def arcface_loss(
    input: Array,
    target: Array,
    weight: Array,
    *,
    margin: float = 0.5,
    scale: float = 64.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Additive angular margin loss of ArcFace: an angle is added to that of the target.

    .. math:: \begin{aligned}
              \ell &= -\log\frac{e^{s\,\phi(\theta_t)}}
              {e^{s\,\phi(\theta_t)}+\sum_{k\ne t}e^{s\cos\theta_k}}, \\
              \phi(\theta) &= \begin{cases} \cos(\theta+m) & \theta\le\pi-m \\
              \cos\theta-(1-\cos m) & \theta>\pi-m \end{cases}
              \end{aligned}

    The paper has the first case alone, which rises again past :math:`\pi-m`. The second case here
    goes on falling, without a jump; the one of the authors' first program,
    :math:`\cos\theta-m\sin m`, jumps.

    Parameters
    ----------
    input : array, shape (d) or (N, d)
        Features, real floating. Their lengths do not matter. A vector of zeros counts as 0 for
        every cosine and sine, and has a gradient of 0.
    target : array, shape () or (N)
        Class indices :math:`t`, any integer dtype.
    weight : array, shape (C, d)
        Class vectors, real floating. Their lengths do not matter.
    margin : float
        :math:`m`, an angle in radians, from 0 to :math:`\pi`.
    scale : float
        :math:`s`, above 0.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of samples; over none it is nan.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of `target` for "none", else a scalar array. At
        :math:`\theta_t=0`, the tip of a cone, the gradient of :math:`\phi` is 0.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index is out of range, `margin` is outside
        :math:`[0,\pi]`, `scale` is not above 0, or `reduction` is unknown.

    See Also
    --------
    l_softmax_loss : the angle counts several times.
    a_softmax_loss : the same, with class vectors of length 1.
    cosface_loss : a constant is taken from the cosine.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial x=s\,(\hat y_t-1)\,\nabla\phi(\theta_t)+s\sum_{k\ne
    t}\hat y_k\nabla\cos\theta_k`,
    with :math:`\hat y` the softmax of the marked logits.

    The products are taken in float32 or better, also inside ``torch.autocast``.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> print(f"{arcface_loss(x, np.array([0]), w, margin=np.pi / 2):.4f}")
    0.6931

    References
    ----------
    Deng, Guo, Xue and Zafeiriou (2019), ArcFace: additive angular margin loss for deep face
    recognition. https://doi.org/10.1109/CVPR.2019.00482
    """
    check_option(scale=scale)
    check_number(margin=margin)
    if not 0 <= margin <= math.pi:
        raise ValueError(f"margin must be in [0, pi], got {margin!r}")
    s, x, w = _samples(input, target, weight)
    xp, (unit, _), (class_unit, _) = library(x), _polar(x), _polar(w)
    own, cosine = of_class(class_unit, s.index), matmul(unit, class_unit.T)
    c = xp.sum(unit * own, axis=-1, keepdims=True)
    rest = unit - c * own  # its length is the sine: no arccos, no 1 - c²
    _, sine = _polar(rest)
    cos_m, sin_m = math.cos(margin), math.sin(margin)
    marked = xp.where(c > -cos_m, c * cos_m - sine * sin_m, c - (1 - cos_m))
    logits = scale * (cosine + one_hot(s.index, cosine) * (marked - c))
    return s.reduce(surprise(logits, s.index), reduction)


def _samples(
    input: Array, target: Array, weight: Array
) -> tuple[Samples, Array, Array]:
    """Return the samples, their features and the class vectors, fit to compute with."""
    namespace(input=input, target=target, weight=weight)
    check_floating(input=input, weight=weight)
    if input.ndim not in (1, 2) or input.shape[-1] == 0:
        raise ValueError(
            f"input must hold vectors, shape (d) or (N, d), got shape {tuple(input.shape)}"
        )
    d = input.shape[-1]
    if weight.ndim != 2 or weight.shape[0] == 0 or weight.shape[1] != d:
        raise ValueError(
            f"weight must hold one vector per class, shape (C, {d}) for input of shape "
            f"{tuple(input.shape)}, got shape {tuple(weight.shape)}"
        )
    n_classes, samples = weight.shape[0], tuple(input.shape[:-1])
    why = f"one class per vector of input {tuple(input.shape)}"
    t = check_class_indices(target, n_classes, samples, why, None)
    s = Samples(input, t, n_classes, axis=-1)
    x = s.hold(lift(input))
    return s, x, cast(weight, x.dtype)


def _angle_times(
    x: Array, t: Array, w: Array, margin: int, annealing: float
) -> Array:
    """Return the cross-entropies with the target's angle taken `margin` times."""
    check_whole(1, margin=margin)
    check_at_least(0, annealing=annealing)
    xp, own = library(x), of_class(w, t)
    (unit, length), (own_unit, own_length) = _polar(x), _polar(own)
    cosine = xp.sum(unit * own_unit, axis=-1, keepdims=True)
    excess = (cosine - _psi(cosine, int(margin))) / (1 + annealing)
    z = matmul(x, w.T)
    logits = z - one_hot(t, z) * (own_length * length * excess)
    return surprise(logits, t)


def _psi(cosine: Array, m: int) -> Array:
    """Return (-1)^k cos(mθ) - 2k, with cos(mθ) as Chebyshev's polynomial of the cosine."""
    xp = library(cosine)
    before, chebyshev = xp.ones_like(cosine), cosine
    sign, steps = before, xp.zeros_like(cosine)
    for j in range(1, m):
        before, chebyshev = chebyshev, 2 * cosine * chebyshev - before
        past = cast(cosine < math.cos(j * math.pi / m), cosine.dtype)
        sign, steps = sign * (1 - 2 * past), steps + past
    return sign * chebyshev - 2 * steps


def _polar(x: Array) -> tuple[Array, Array]:
    """Return direction and length of vectors, both 0 with gradient 0 for a vector of zeros."""
    xp = library(x)
    top = xp.max(xp.abs(stop_gradient(x)), axis=-1, keepdims=True)
    size = xp.where((top > 0) & xp.isfinite(top), top, xp.ones_like(top))
    u = x / size  # no square of it overflows, nor do all vanish
    squares = xp.sum(u * u, axis=-1, keepdims=True)
    none = squares == 0
    root = xp.sqrt(xp.where(none, xp.ones_like(squares), squares))
    nothing = xp.zeros_like(x)
    return xp.where(none, nothing, u / root), xp.where(
        none, xp.zeros_like(squares), size * root
    )
