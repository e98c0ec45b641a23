r"""From raw scores to probabilities: softmax, sigmoid and the smooth maximum behind them.

For logits :math:`z` and any distribution :math:`p` on the classes, identity (M) of the book,

.. math:: \log\sum_k e^{z_k} = \langle p, z\rangle + H(p) + \mathrm{KL}(p\,\|\,\mathrm{softmax}(z)),

makes log-sum-exp the smooth maximum and softmax the distribution that attains it. No exponential
here overflows: the largest logit is subtracted first.
"""

from __future__ import annotations

import math
from typing import Any

from losslib._array import (
    Array,
    cast,
    library,
    lift,
    log,
    log1p,
    namespace,
    relu,
    stop_gradient,
    sum_along,
)
from losslib._checks import check_axis, check_flag, check_floating


def below_max(input: Array, axis: int) -> tuple[Array, Array]:
    """Return the logits less the largest along `axis`, and that largest, kept as an axis.

    The largest is a constant to autograd: whatever is subtracted from all logits has no gradient.
    Of no logits it is 0.
    """
    xp = library(input)
    if not input.shape[axis]:
        return input, xp.sum(input, axis=axis, keepdims=True)
    top = xp.max(stop_gradient(input), axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)  # -inf - -inf is no number
    return input - top, top


def logsumexp(
    input: Array, axis: int = -1, *, keepdims: bool = False
) -> Array:
    r"""Log-sum-exp :math:`\log\sum_k e^{z_k}`, the smooth maximum.

    Parameters
    ----------
    input : array, any shape with at least one axis
        Logits, real floating; :math:`-\infty` leaves a class out.
    axis : int
        The axis that is summed over.
    keepdims : bool
        Keep that axis, with length 1.

    Returns
    -------
    array
        Dtype of `input`, its shape without `axis`; :math:`-\infty` where all logits are, or there
        are none.

    Raises
    ------
    TypeError
        If `input` is not a real floating array, or `keepdims` is not a bool.
    ValueError
        If `input` has no such axis.

    See Also
    --------
    softmax : its gradient.
    log_softmax : the logits less their log-sum-exp.

    Notes
    -----
    Gradient: :math:`\operatorname{softmax}(z)`, and 0 where all logits are :math:`-\infty`.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{logsumexp(np.array([1000.0, 1000.0])):.4f}")
    1000.6931

    References
    ----------
    Boyd and Vandenberghe (2004), Convex Optimization, section 3.1.5.
    https://doi.org/10.1017/CBO9780511804441

    Blanchard, Higham and Higham (2021), Accurately computing the log-sum-exp and softmax functions.
    https://doi.org/10.1093/imanum/draa038
    """
    xp = _check_logits(input, axis)
    check_flag(keepdims=keepdims)
    shifted, top = below_max(lift(input), axis)
    result = _log_sum(shifted, axis) + top
    return cast(
        result if keepdims else xp.squeeze(result, axis=axis), input.dtype
    )


def log_softmax(input: Array, axis: int = -1) -> Array:
    r"""Log-softmax :math:`z_i-\log\sum_k e^{z_k}`: the log-probabilities of the classes.

    Parameters
    ----------
    input : array, any shape with at least one axis
        Logits, real floating.
    axis : int
        The axis of the classes.

    Returns
    -------
    array
        Shape and dtype of `input`; each slice along `axis` is the log of a distribution.

    Raises
    ------
    TypeError
        If `input` is not a real floating array.
    ValueError
        If `input` has no such axis.

    See Also
    --------
    softmax : the probabilities.
    logsumexp : what is subtracted from the logits.

    Notes
    -----
    Where all logits of a slice are :math:`-\infty`, no class is left, and the slice is nan. The
    logarithm of a probability near 1 has no more digits than the sum of the exponentials, and may
    round to 0; `cross_entropy` keeps them all.

    Gradient: :math:`\partial\log p_i/\partial z_k = [i=k]-p_k`.

    Examples
    --------
    >>> import numpy as np
    >>> print(log_softmax(np.array([1.0, 2.0])).round(4))
    [-1.3133 -0.3133]
    >>> import torch
    >>> z = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> log_softmax(z)[1].backward()
    >>> print(z.grad)
    tensor([-0.2689,  0.2689])

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    https://doi.org/10.1007/978-3-642-76153-9_28

    Blanchard, Higham and Higham (2021), Accurately computing the log-sum-exp and softmax functions.
    https://doi.org/10.1093/imanum/draa038
    """
    _check_logits(input, axis)
    shifted, _ = below_max(lift(input), axis)
    return cast(shifted - _log_sum(shifted, axis), input.dtype)


def softmax(input: Array, axis: int = -1) -> Array:
    r"""Softmax :math:`e^{z_i}/\sum_k e^{z_k}`, the gradient of log-sum-exp.

    Parameters
    ----------
    input : array, any shape with at least one axis
        Logits, real floating. For a temperature :math:`\tau`, pass :math:`z/\tau`.
    axis : int
        The axis of the classes.

    Returns
    -------
    array
        Shape and dtype of `input`; each slice along `axis` sums to 1.

    Raises
    ------
    TypeError
        If `input` is not a real floating array.
    ValueError
        If `input` has no such axis.

    See Also
    --------
    log_softmax : its logarithm, to all digits where a probability vanishes.
    logsumexp : the function whose gradient it is.
    sigmoid : the same for two classes.

    Notes
    -----
    Where all logits of a slice are :math:`-\infty`, no class is left, and the slice is nan.

    Gradient: :math:`\partial p_i/\partial z_k = p_i\,([i=k]-p_k)`.

    Examples
    --------
    >>> import numpy as np
    >>> print(softmax(np.array([1000.0, 1001.0])).round(4))
    [0.2689 0.7311]

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    https://doi.org/10.1007/978-3-642-76153-9_28
    """
    xp = _check_logits(input, axis)
    shifted, _ = below_max(lift(input), axis)
    weights = xp.exp(shifted)
    return cast(
        weights / sum_along(weights, axis, keepdims=True), input.dtype
    )


def softplus(input: Array) -> Array:
    r"""Softplus :math:`\log(1+e^{z})`: log-sum-exp of a logit and 0.

    Parameters
    ----------
    input : array, any shape
        Logits, real floating.

    Returns
    -------
    array
        Shape and dtype of `input`, at least 0.

    Raises
    ------
    TypeError
        If `input` is not a real floating array.

    See Also
    --------
    logsumexp : the same of any number of logits.
    log_sigmoid : its mirror image, :math:`-\log(1+e^{-z})`.

    Notes
    -----
    Gradient: :math:`\sigma(z)`.

    Examples
    --------
    >>> import numpy as np
    >>> print([f'{y:.4f}' for y in softplus(np.array([-1000.0, 0.0, 1000.0]))])
    ['0.0000', '0.6931', '1000.0000']

    References
    ----------
    Dugas et al. (2001), Incorporating second-order functional knowledge for better option pricing.
    https://proceedings.neurips.cc/paper/2000/file/44968aece94f667e4095002d140b5896-Paper.pdf
    """
    xp = namespace(input=input)
    check_floating(input=input)
    z = lift(input)
    tail = log1p(xp.exp(minus_abs(z)))  # all digits of it, however small
    return cast(relu(z) + tail, input.dtype)


def log_sigmoid(input: Array) -> Array:
    r"""Log-sigmoid :math:`\log\sigma(z)=-\log(1+e^{-z})`.

    Parameters
    ----------
    input : array, any shape
        Logits, real floating.

    Returns
    -------
    array
        Shape and dtype of `input`, at most 0.

    Raises
    ------
    TypeError
        If `input` is not a real floating array.

    See Also
    --------
    sigmoid : the probability itself.
    softplus : its mirror image.

    Notes
    -----
    Gradient: :math:`\sigma(-z)`.

    Examples
    --------
    >>> import numpy as np
    >>> print(log_sigmoid(np.array([-1000.0, 0.0])).round(4))
    [-1.000e+03 -6.931e-01]

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
    """
    namespace(input=input)
    check_floating(input=input)
    return cast(-softplus(-lift(input)), input.dtype)


def sigmoid(input: Array) -> Array:
    r"""Sigmoid :math:`\sigma(z)=1/(1+e^{-z})`: softmax of two logits, one of them held at 0.

    Parameters
    ----------
    input : array, any shape
        Logits, real floating.

    Returns
    -------
    array
        Shape and dtype of `input`, in [0, 1].

    Raises
    ------
    TypeError
        If `input` is not a real floating array.

    See Also
    --------
    log_sigmoid : its logarithm, to all digits where the probability vanishes.
    softmax : the same for any number of classes.

    Notes
    -----
    Gradient: :math:`\sigma(z)\,\sigma(-z)`.

    Examples
    --------
    >>> import numpy as np
    >>> print(sigmoid(np.array([-1000.0, 0.0, 1.0])).round(4))
    [0.     0.5    0.7311]

    References
    ----------
    Cox (1958), The regression analysis of binary sequences.
    https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
    """
    xp = namespace(input=input)
    check_floating(input=input)
    z = lift(input)
    small = xp.exp(minus_abs(z))
    return cast(xp.where(z > 0, 1.0, small) / (1 + small), input.dtype)


def minus_abs(z: Array) -> Array:
    """Return -|z|, with slope 1 at 0; by `abs` it would be 0 in PyTorch and -1 in JAX."""
    return z * (1 - 2 * cast(z > 0, z.dtype))


def _log_sum(shifted: Array, axis: int) -> Array:
    """Return log Σ exp along an axis, kept; where every class is left out, -inf without a slope."""
    xp = library(shifted)
    total = sum_along(xp.exp(shifted), axis, keepdims=True)
    nothing = total == 0
    return xp.where(nothing, -math.inf, log(xp.where(nothing, 1.0, total)))


def _check_logits(input: Array, axis: int) -> Any:
    xp = namespace(input=input)
    check_floating(input=input)
    check_axis(axis, input=input)
    return xp
