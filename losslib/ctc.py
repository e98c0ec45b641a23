r"""Connectionist temporal classification: one label string, every alignment of it to the frames."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np

from losslib._array import (
    Array,
    cast,
    concrete,
    contiguous,
    fold,
    indices,
    is_array,
    library,
    lift,
    log_add,
    matmul,
    namespace,
    number,
    positions,
    seen,
    spoiled,
    with_slope,
    writable,
)
from losslib._checks import check_flag, check_floating, first_where
from losslib.logits import softmax
from losslib.objective import Reduction, reduce

IMPOSSIBLE = -1e30
"""The log of a probability of 0, finite: -inf less -inf is no number, and has no gradient."""


def ctc_loss(
    log_probs: Array,
    targets: Array,
    input_lengths: Array | Sequence[int] | int,
    target_lengths: Array | Sequence[int] | int,
    *,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Array:
    r"""Connectionist temporal classification: minus the log-likelihood of a string of labels.

    .. math:: \ell = -\log\sum_{\pi\,\to\,y}\;\prod_{t=1}^{T} p_t(\pi_t),

    the sum over all alignments :math:`\pi`: one class per frame, which spell the target
    :math:`y` when repeats are merged and then blanks are removed.

    Parameters
    ----------
    log_probs : array, shape (T, C) or (T, N, C)
        Log-probabilities :math:`\log p_t` of the classes at each frame, real floating, such as
        `log_softmax` returns; :math:`-\infty` is one.
    targets : array, shape (S), (N, S) or (sum of `target_lengths`)
        Labels, any integer dtype: classes other than `blank`. What stands in a row behind its
        `target_lengths` counts nowhere. Without rows, the strings one after the other.
    input_lengths : array, tuple of ints or int, shape () or (N)
        How many frames each sample has, at most T.
    target_lengths : array, tuple of ints or int, shape () or (N)
        How many labels each sample has, at most S; it may have none.
    blank : int
        The class that spells nothing.
    reduction : {"none", "mean", "sum"}
        The mean divides each loss by its number of labels (by 1 if it has none), then the sum of
        those by the number of samples; over none it is nan.
    zero_infinity : bool
        Turn infinite losses into 0.

    Returns
    -------
    array
        In nats, dtype of `log_probs`: shape () or (N) for "none", else a scalar array. A string
        without an alignment of positive probability (say, with fewer frames than labels and
        repeats) has the loss :math:`+\infty`, and the gradient 0: no direction lowers it. Losses
        beyond :math:`5\cdot10^{29}` count as infinite.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype, or
        an option the wrong type.
    ValueError
        If shapes do not match, a label, a length or `blank` is out of range, a label is `blank`,
        or `reduction` is unknown.

    See Also
    --------
    log_softmax : what gives the log-probabilities.
    nll_loss : the same where the alignment is known.

    Notes
    -----
    Gradient: minus the posterior probability of each class at each frame, the derivative with
    respect to `log_probs` themselves. PyTorch returns what holds behind a `log_softmax` only;
    behind one, both are equal. It is written out, by a forward and a backward recursion: no graph
    of the frames is kept. A second derivative is that of both recursions.

    `torch.compile` keeps the loss as one operation. On a GPU its time is that of starting four
    small operations a frame, which a CUDA graph takes away (``mode="reduce-overhead"``).

    Examples
    --------
    >>> import numpy as np
    >>> log_probs = np.log(np.array([[0.4, 0.6], [0.3, 0.7]]))  # a blank, and the label 1
    >>> loss = ctc_loss(log_probs, np.array([1]), (2,), (1,))
    >>> print(f"{np.exp(-loss):.4f}")  # 1 - 0.4 · 0.3: any alignment but two blanks
    0.8800

    References
    ----------
    Graves et al. (2006), Connectionist temporal classification: labelling unsegmented sequence data
    with recurrent neural networks. https://doi.org/10.1145/1143844.1143891
    """
    check_flag(zero_infinity=zero_infinity)
    targets, frames, lengths, wrong = _check_ctc(
        log_probs, targets, input_lengths, target_lengths, blank
    )
    xp, x = library(log_probs), lift(log_probs)
    labels, misspelt = _label_rows(targets, lengths, x.shape[-1], blank)
    x = x if x.ndim == 3 else x[:, None, :]
    if not concrete(misspelt):
        x = spoiled(x, (wrong | misspelt)[None, :, None])
    log_likelihood = with_slope(
        _log_likelihood,
        _alignment,
        x,
        labels,
        frames,
        lengths,
        blank,
        over=(0, 2),
    )
    never = log_likelihood < IMPOSSIBLE / 2
    loss = xp.where(
        never, 0.0 if zero_infinity else math.inf, -log_likelihood
    )
    if reduction == "mean":
        loss = loss / cast(xp.where(lengths == 0, 1, lengths), loss.dtype)
    shape = tuple(log_probs.shape[1:-1])
    return reduce(xp.reshape(loss, shape), reduction, like=log_probs)


def _log_likelihood(
    x: Array, labels: Array, frames: Array, lengths: Array, blank: int
) -> Array:
    """Return the log-likelihood of each string, shape (N), by the forward recursion alone."""
    emitted = _emissions(x, labels, frames, blank)
    last, _ = _recursion(emitted, labels.T, lengths * 0)
    return _ended(last, lengths)


def _alignment(
    x: Array, labels: Array, frames: Array, lengths: Array, blank: int
) -> tuple[Array, Array]:
    r"""Return the log-likelihood, and its gradient: the posterior of each class at each frame.

    The backward recursion is the forward one of the mirrored string in mirrored time: it joins the
    batch. With the logarithms :math:`a` and :math:`b` of both, each with the emission :math:`p` of
    its frame, all alignments through a state have the probability :math:`e^{a+b-\log p}`. Their sum
    over the states of a frame is the likelihood, and their softmax the posterior of the states.
    """
    xp, (n, longest) = library(x), labels.shape
    emitted = _emissions(x, labels, frames, blank)
    strings = xp.concat([labels, xp.flip(labels, axis=1)])
    start = xp.concat([lengths * 0, longest - lengths])
    both = xp.concat([emitted, _mirrored(emitted)], axis=2)
    last, states = _recursion(both, strings.T, start)
    through = states[..., :n] + _mirrored(states[..., n:]) - emitted
    posterior = softmax(through, axis=1)
    blanks = xp.sum(posterior[:, : longest + 1], axis=1, keepdims=True)
    shares = xp.concat([blanks, posterior[:, longest + 2 :]], axis=1)
    classes = xp.concat([lengths[:, None] * 0 + blank, labels], axis=1)
    spelt = cast(classes[..., None] == positions(x, 2), x.dtype)
    by_class = matmul(xp.permute_dims(shares, (2, 0, 1)), spelt)
    running = (positions(x, 0)[:, None] < frames)[..., None]
    slope = xp.permute_dims(by_class, (1, 0, 2)) * cast(running, x.dtype)
    return _ended(last[:, :n], lengths), slope


def _emissions(x: Array, labels: Array, frames: Array, blank: int) -> Array:
    """Return the log-probability of what each state emits at each frame, shape (T, 2S+2, N).

    Past its end, a sample emits blanks for free: all samples last T frames.
    """
    xp = library(x)
    x = xp.permute_dims(xp.where(x < IMPOSSIBLE, IMPOSSIBLE, x), (0, 2, 1))
    (n_frames, _, n), (_, longest) = x.shape, labels.shape
    each_frame = xp.broadcast_to(labels.T, (n_frames, longest, n))
    running = (positions(x, 0)[:, None] < frames)[:, None]
    blank_p = xp.where(running, x[:, blank : blank + 1], 0.0)
    label_p = xp.take_along_axis(x, each_frame, axis=1)
    label_p = xp.where(running, label_p, IMPOSSIBLE)
    blanks = xp.broadcast_to(blank_p, (n_frames, longest + 2, n))
    return xp.concat([blanks, label_p], axis=1)


def _mirrored(states: Array) -> Array:
    """Return what belongs to the states, shape (T, 2S+2, N), for mirrored strings and time."""
    xp, half = library(states), states.shape[1] // 2
    blanks = xp.flip(states[:, :half], axis=(0, 1))
    labels = xp.flip(states[:, half + 1 :], axis=(0, 1))
    return xp.concat([blanks, states[:, half : half + 1], labels], axis=1)


def _recursion(
    emitted: Array, labels: Array, start: Array
) -> tuple[Array, Array]:
    r"""Return the last state, shape (2S+2, N), and those after each frame.

    A state is the log-probability of having spelled the first :math:`j` labels, :math:`j = 0 … S`,
    and of standing on a blank behind them, and below it, on the last of them (impossible for 0):

    .. math:: b'_j = (b_j + l_j)\,p(\text{blank}), \qquad
              l'_j = (l_j + b_{j-1} + l_{j-1}[y_{j-1}\ne y_j])\,p(y_j).

    The first `start` labels of a string, a column of `labels`, are left out.
    """
    xp, labels = library(labels), contiguous(labels)
    # two equal labels have a blank between, else they would merge
    twice = (labels == xp.roll(labels, 1, axis=0)) & (
        positions(labels, 0)[:, None] > 0
    )
    states = xp.concat([start[None], labels])
    half = states.shape[0]
    never = cast(states * 0, emitted.dtype) + IMPOSSIBLE
    begins = positions(states, 0)[:, None] == start
    on_blank = xp.where(begins, number(0.0, emitted), never)
    first = xp.concat([on_blank, never])
    if writable(emitted):
        states = _written(first, twice, emitted)
        return states[-1], states[1:]

    def step(state: tuple[Array], row: tuple[Array]) -> tuple[Array]:
        on_blank, on_label = state[0][:half], state[0][half:]
        spelled = log_add(on_blank, on_label)
        leaves = xp.where(twice, on_blank[:-1], spelled[:-1])
        reached = log_add(on_label[1:], leaves)
        return (xp.concat([spelled, never[:1], reached]) + row[0],)

    (last,), (each,) = fold(step, (first,), emitted)
    return last, each


def _written(first: Array, twice: Array, emitted: Array) -> Array:
    """Return the same states, the first one too, each written in PyTorch where it is to stay.

    Without a copy, and with four operations a frame, of which each costs a GPU the time of a start.
    """
    torch, xp, half = sys.modules["torch"], library(first), len(twice) + 1
    states = xp.concat([first[None], emitted])
    on_blank, on_label = states[:-1, :half], states[:-1, half:]
    arrived = xp.asarray(first, copy=True)
    leaves = xp.empty_like(first[1:half])
    spelled, reached = arrived[:half], arrived[half + 1 :]
    spelled_before = spelled[:-1]
    frames = zip(
        on_blank,
        on_label,
        on_blank[:, :-1],
        on_label[:, 1:],
        states[1:],
        strict=True,
    )
    for blank, label, blank_before, label_there, after in frames:
        torch.logaddexp(blank, label, out=spelled)
        torch.where(twice, blank_before, spelled_before, out=leaves)
        torch.logaddexp(label_there, leaves, out=reached)
        after += arrived
    return states


def _ended(state: Array, lengths: Array) -> Array:
    """Return the log-likelihoods: all is spelled, and the last frame on a blank or a label."""
    xp, half = library(state), state.shape[0] // 2
    ends = (
        xp.take_along_axis(x, lengths[None], axis=0)[0]
        for x in (state[:half], state[half:])
    )
    return log_add(*ends)


def _check_ctc(
    log_probs: Array,
    targets: Array,
    input_lengths: Array | Sequence[int] | int,
    target_lengths: Array | Sequence[int] | int,
    blank: int,
) -> tuple[Array, Array, Array, Array]:
    """Return the targets, how many frames and labels each sample has, and which lengths are wrong.

    The last three have shape (N). Where the lengths can be seen, a wrong one raises.
    """
    namespace(log_probs=log_probs, targets=targets)
    integers = {
        "targets": targets,
        "input_lengths": _from_ints(
            input_lengths, log_probs, "input_lengths"
        ),
        "target_lengths": _from_ints(
            target_lengths, log_probs, "target_lengths"
        ),
    }
    xp = namespace(log_probs=log_probs, **integers)
    check_floating(log_probs=log_probs)
    for name, x in integers.items():
        if not xp.isdtype(x.dtype, "integral"):
            raise TypeError(
                f"{name} must have an integer dtype, got {x.dtype}"
            )
    if log_probs.ndim not in (2, 3):
        raise ValueError(
            f"log_probs must have shape (T, C) or (T, N, C), got {tuple(log_probs.shape)}"
        )
    n_frames, *samples, n_classes = log_probs.shape
    if not isinstance(blank, int | np.integer) or isinstance(blank, bool):
        raise TypeError(f"blank must be an integer, got {blank!r}")
    if not 0 <= blank < n_classes:
        raise ValueError(
            f"blank must be a class in 0 … {n_classes - 1}, got {blank!r}"
        )
    n = samples[0] if samples else 1
    for name in ("input_lengths", "target_lengths"):
        shape = tuple(integers[name].shape)
        if shape != (n,) and (samples or shape):
            raise ValueError(
                f"{name} must hold one length per sample, shape ({n},), got {shape}"
            )
    if targets.ndim != 1 and (targets.ndim != 2 or targets.shape[0] != n):
        raise ValueError(
            f"targets must have shape ({n}, S), or one axis with all labels, "
            f"got {tuple(targets.shape)}"
        )
    y, frames, lengths = (indices(x, log_probs) for x in integers.values())
    frames, late = _up_to(n_frames, frames, "input_lengths")
    lengths, long = _up_to(targets.shape[-1], lengths, "target_lengths")
    wrong = xp.reshape(late | long, (n,))
    return y, xp.reshape(frames, (n,)), xp.reshape(lengths, (n,)), wrong


def _from_ints(
    lengths: Array | Sequence[int] | int, like: Array, name: str
) -> Array:
    """Return an integer, or a tuple or a list of them, as an array; an array as it is."""
    if is_array(lengths) and not isinstance(lengths, np.integer):
        return lengths
    for n in lengths if isinstance(lengths, tuple | list) else [lengths]:
        if not isinstance(n, int | np.integer) or isinstance(n, bool):
            raise TypeError(
                f"{name} must be an array, a tuple or a list of integers, or an integer, "
                f"got {type(n).__name__}"
            )
    return indices(lengths, like)


def _up_to(most: int, lengths: Array, name: str) -> tuple[Array, Array]:
    """Return lengths in 0 … `most`, and which were not: these raise, or hidden are held at it."""
    outside = (lengths < 0) | (lengths > most)
    if seen(outside):
        raise ValueError(
            f"{name} must be in 0 … {most}, got {first_where(lengths, outside)}"
        )
    return library(lengths).where(outside, most, lengths), outside


def _label_rows(
    targets: Array, lengths: Array, n_classes: int, blank: int
) -> tuple[Array, Array]:
    """Return the labels of each sample in a row ``(N, S)``, blanks behind the last.

    And which samples have a label that is none: these raise, or are hidden and get a blank there.
    """
    xp = library(targets)
    rows = targets if targets.ndim == 2 else _rows(targets, lengths)
    listed = positions(rows, 1) < lengths[:, None]
    no_label = (rows < 0) | (rows >= n_classes) | (rows == blank)
    wrong = listed & no_label
    if seen(wrong):
        raise ValueError(
            f"targets must hold classes in 0 … {n_classes - 1} other than blank={blank}, "
            f"got {first_where(rows, wrong)}"
        )
    misspelt = xp.any(wrong, axis=1)
    if targets.ndim == 1:
        left = targets.shape[0] - xp.sum(lengths)
        # of one sample, as under vmap, a row may have blanks behind its end
        alone = lengths.shape[0] == 1
        misspelt = misspelt | (left < 0 if alone else left != 0)
    return xp.where(listed & ~no_label, rows, blank), misspelt


def _rows(targets: Array, lengths: Array) -> Array:
    """Return strings of labels that stand one after the other as rows ``(N, S)``.

    While a compiler traces, S is the length of them all.
    """
    xp, j = library(targets), positions(targets, 0)
    i = positions(lengths, 0)
    start = xp.sum(xp.where(i < i[:, None], lengths, 0), axis=1)
    if concrete(start):
        listed = lengths.tolist()
        if sum(listed) != targets.shape[0]:
            raise ValueError(
                f"targets must hold {sum(listed)} labels, the sum of target_lengths, "
                f"got {targets.shape[0]}"
            )
        j = j[: max(listed, default=0)]
    place = start[:, None] + j
    inside = (j < lengths[:, None]) & (place < targets.shape[0])
    place = xp.where(inside, place, 0)
    labels = xp.take(targets, xp.reshape(place, (-1,)), axis=0)
    return xp.reshape(labels, tuple(place.shape))
