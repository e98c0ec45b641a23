r"""Cross-entropy of a linear layer with many classes, without ever holding all of its logits.

A language model scores every token of a batch against every word it knows. The logits
:math:`z = Wx + b` of all tokens are by far the largest array of its training step, yet the loss
of a token needs no row but its own: the rows are made a few at a time.
"""

from __future__ import annotations

import math

from losslib._array import Array, lift, namespace
from losslib._checks import (
    check_class_indices,
    check_class_weight,
    check_floating,
    check_ignore_index,
    check_sample_weight,
    check_unit_interval,
    check_whole,
    given,
)
from losslib._chunks import behind_layer, in_chunks, sum_in_chunks
from losslib._classes import Samples, is_soft
from losslib.multiclass import cross_entropy
from losslib.objective import Reduction, reduce

SMALLEST_CHUNK = 2**18
"""Logits that are not worth a second chunk: a megabyte of float32."""


def linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    target: Array,
    *,
    linear_bias: Array | None = None,
    weight: Array | None = None,
    reduction: Reduction = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    chunk_size: int | None = None,
    sample_weight: Array | None = None,
) -> Array:
    r"""Cross-entropy of the logits of a linear layer, a few samples at a time.

    .. math:: \begin{aligned}
              \ell &= -\sum_c w_c\,y_c \log \hat y_c, \qquad
              \hat y = \mathrm{softmax}(Wx + b), \\
              &\quad y \leftarrow (1-\varepsilon)\,y + \varepsilon/C.
              \end{aligned}

    The value and the gradients are those of ``cross_entropy(x @ W.T + b, …)``; what is held is the
    logits of one chunk. PyTorch, run eagerly, takes the gradient of "mean" and "sum" chunk by
    chunk in the forward pass. The gradient of "none", that of a forward derivative, of a compiled
    function and of JAX make each chunk again. Transforms of ``torch.func`` keep every chunk.

    Parameters
    ----------
    input : array, shape (F) or (N, F)
        Features :math:`x`, real floating.
    linear_weight : array, shape (C, F) or (C, d1, …, F)
        Weights :math:`W` of the layer; the second form needs `input` of shape (N, F).
    target : array, shape (), (N) or (N, d1, …), or (C), (N, C) or (N, C, d1, …)
        Class indices of any integer dtype, or class probabilities :math:`y`, real floating.
    linear_bias : array, shape (C) or (C, d1, …), optional
        Bias :math:`b` of the layer.
    weight : array, shape (C), optional
        Weights :math:`w` of the classes.
    reduction : {"none", "mean", "sum"}
        With class indices the mean divides by the sum of the weights of the targets, with class
        probabilities by the number of samples.
    ignore_index : int, optional
        Samples with this class index count nowhere; None is -100. Class probabilities know no
        such index.
    label_smoothing : float
        :math:`\varepsilon` in [0, 1]: the part of the target that goes to all classes alike.
    chunk_size : int, optional
        How many samples are scored at a time; None takes so many that their logits fill three
        fifths of the memory of `input` or of `linear_weight`, whichever is larger, but no less
        than a megabyte. It stands in the place of PyTorch's ``options``, without which PyTorch
        holds all logits.
    sample_weight : array, shape of the samples, optional
        A weight of each sample, real floating; the mean divides by the sum of all weights used.

    Returns
    -------
    array
        In nats, dtype of `input`: the shape of the samples for "none", else a scalar array. The
        mean over no sample is nan. Half precision is lifted before the layer.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, a class index or a probability is out of range, `label_smoothing`
        is outside [0, 1], `reduction` is unknown, `chunk_size` is below 1, or `ignore_index` is
        given for probabilities.

    See Also
    --------
    cross_entropy : the loss of logits that are there.

    Notes
    -----
    Gradient: :math:`\partial\ell/\partial x=W^\top g` and :math:`\partial\ell/\partial
    W=g\,x^\top`,
    with :math:`g_k=\hat y_k\sum_c w_cy_c-w_ky_k` the gradient in the logits.

    The layer is worked out in float32 or better, also inside ``torch.autocast``.
    A class out of range that a compiler, `vmap` or `jit` hides gives nan, in loss and gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x, words = np.array([[1.0, 0.0], [0.0, 2.0]]), np.eye(3)[:, :2]
    >>> loss = linear_cross_entropy(x, words, np.array([0, 1]), chunk_size=1)
    >>> print(f"{loss:.4f}")
    0.3955

    References
    ----------
    Wijmans, Huval, Hertzberg, Koltun and Krähenbühl (2025), Cut your losses in large-vocabulary
    language models. https://arxiv.org/abs/2411.09009

    Hsu, Dai, Kothapalli, Song, Tang, Zhu, Shimizu, Sahni, Ning and Chen (2024), Liger kernel:
    efficient Triton kernels for LLM training. https://arxiv.org/abs/2410.10989
    """
    xp = namespace(
        input=input,
        linear_weight=linear_weight,
        target=target,
        **given(
            linear_bias=linear_bias,
            weight=weight,
            sample_weight=sample_weight,
        ),
    )
    _check_layer(input, linear_weight, linear_bias)
    t = _check_target(input, linear_weight, target, ignore_index)
    outputs, x = tuple(linear_weight.shape[:-1]), lift(input)
    each = (*input.shape[:-1], *outputs[1:])  # the shape of the losses
    check_floating(**given(weight=weight, sample_weight=sample_weight))
    check_class_weight(weight, outputs[0])
    check_sample_weight(sample_weight, each)
    if input.ndim == 1:
        x, t = x[None], t[None]
        if sample_weight is not None:
            sample_weight = sample_weight[None]
    ignored = -100 if ignore_index is None else ignore_index
    s = Samples(
        input,
        t,
        outputs[0],
        weight,
        sample_weight,
        ignore_index=None if is_soft(t) else ignored,
        smooth=label_smoothing != 0,
        axis=1,
    )

    def losses(
        logits: Array, t: Array, share: Array | None, w: Array | None
    ) -> Array:
        return cross_entropy(
            xp.reshape(logits, (logits.shape[0], *outputs)),
            t,
            w,
            ignore_index=ignored,
            reduction="none",
            label_smoothing=label_smoothing,
            sample_weight=share,
        )

    matrix = xp.reshape(lift(linear_weight), (-1, x.shape[1]))
    if linear_bias is not None:
        linear_bias = xp.reshape(lift(linear_bias), (-1,))
    size = _chunk_size(x, matrix, chunk_size)
    rows = (s.mute(x), t, sample_weight)
    shared = (matrix, linear_bias, weight)
    if reduction == "none":
        values = in_chunks(behind_layer(losses), size, rows, shared)
        values = xp.reshape(values, each)
    else:
        values = sum_in_chunks(losses, size, rows, shared)
        if s.kept is not None:  # of no sample there is no gradient
            values = xp.where(xp.any(s.kept), values, 0.0)
    if reduction != "mean":
        return reduce(values, reduction, like=input)
    label = t[:, 0] if is_soft(t) else t
    counts = (
        xp.ones_like(label, dtype=x.dtype) if s.counts is None else s.counts
    )
    return reduce(values, weight=xp.sum(counts), like=input)


def _check_layer(
    input: Array, linear_weight: Array, linear_bias: Array | None
) -> None:
    layer = given(linear_weight=linear_weight, linear_bias=linear_bias)
    check_floating(input=input, **layer)
    shape = tuple(linear_weight.shape)
    if input.ndim not in (1, 2):
        raise ValueError(
            f"input must have shape (F) or (N, F), got {tuple(input.shape)}"
        )
    if len(shape) < 2 or shape[-1] != input.shape[-1] or 0 in shape[:-1]:
        raise ValueError(
            "linear_weight must have shape (C, F) or (C, d1, …, F), with at least one class and "
            f"the {input.shape[-1]} features of input, got {shape}"
        )
    if input.ndim == 1 and len(shape) > 2:
        raise ValueError(
            "input must have shape (N, F) for linear_weight of shape (C, d1, …, F), "
            f"got {tuple(input.shape)}"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != shape[:-1]:
        raise ValueError(
            f"linear_bias must have shape {shape[:-1]}, that of linear_weight without the "
            f"features, got {tuple(linear_bias.shape)}"
        )
    for name, x in layer.items():
        if lift(x[:0]).dtype != lift(input[:0]).dtype:
            raise TypeError(
                f"{name} must have the dtype of input, {input.dtype}, got {x.dtype}"
            )


def _check_target(
    input: Array,
    linear_weight: Array,
    target: Array,
    ignore_index: int | None,
) -> Array:
    """Return class probabilities as they are, and class indices in the dtype that indexes."""
    check_ignore_index(ignore_index)
    samples, outputs = tuple(input.shape[:-1]), linear_weight.shape[:-1]
    if tuple(target.shape) == (*samples, *outputs) and is_soft(target):
        if ignore_index is not None:
            raise ValueError(
                f"ignore_index must be None for class probabilities, got {ignore_index!r}"
            )
        check_unit_interval(target=target)
        return target
    return check_class_indices(
        target,
        outputs[0],
        (*samples, *outputs[1:]),
        f"one class per sample of input {tuple(input.shape)} "
        f"and linear_weight {tuple(linear_weight.shape)}",
        -100 if ignore_index is None else ignore_index,
    )


def _chunk_size(x: Array, matrix: Array, chunk_size: int | None) -> int:
    """Return how many samples have logits three fifths as large as the larger of both arrays."""
    if chunk_size is None:
        largest: int = max(math.prod(x.shape), math.prod(matrix.shape))
        logits = max(3 * largest // 5, SMALLEST_CHUNK)
        return max(1, logits // int(matrix.shape[0]))
    check_whole(1, chunk_size=chunk_size)
    return int(chunk_size)
