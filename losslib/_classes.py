"""The gate of every loss that picks a class: scores and labels, checked and fit to compute with.

A loss takes ``s = samples_of(…)``, computes its formula of ``s.scores`` and ``s.index``, and ends
with ``s.reduce(loss, reduction)``.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    along_classes,
    cast,
    class_axis,
    class_indices,
    concrete,
    library,
    lift,
    log,
    log1p,
    namespace,
    one_hot,
    pick,
    poison,
    runs_eagerly,
    seen,
    stop_gradient,
    sum_along,
)
from losslib._checks import (
    check_between,
    check_class_indices,
    check_class_weight,
    check_classes,
    check_floating,
    check_ignore_index,
    check_sample_weight,
    check_unit_interval,
    check_vectors,
    given,
)
from losslib.logits import below_max
from losslib.objective import Reduction, reduce

_NEARLY_ONE = 1.5
"""Below this sum of exponentials, of which one is 1, its logarithm is taken of the others."""


class Samples:
    """Samples, each with its label, and what each of them counts.

    A sample that is ignored, or whose factor is 0, is silent: neither its scores nor their
    gradient come in, whatever they are.

    Attributes
    ----------
    index : array or None
        The class of each sample, safe to index with; None if its label is a distribution.
    factor : array or None
        What multiplies the loss of each sample; None is 1.
    counts : array or None
        What each sample adds to that by which the mean divides; None is 1.
    kept : array or None
        Which samples are not silent; None is all.
    hidden : array or None
        Where a label is bad and cannot be looked at; None if all can be.
    scores : array
        In the dtype to compute in, masked as `mask` does it.
    shares : array or None
        The part of the label that each class has, times its weight; None if it is all of one.
    """

    scores: Array
    shares: Array | None = None

    def __init__(
        self,
        like: Array,
        target: Array,
        n_classes: int,
        weight: Array | None = None,
        sample_weight: Array | None = None,
        *,
        ignore_index: int | None = None,
        smooth: bool = False,
        axis: int,
    ) -> None:
        if not n_classes:
            check_classes(axis, input=like)
        xp, dtype = library(like), lift(like).dtype
        part = None if sample_weight is None else cast(sample_weight, dtype)
        self.like, self.axis = like, axis
        self.index, self.factor, self.counts, kept = None, part, part, None
        bad = None
        if is_soft(target):
            if not concrete(target):
                bad = xp.any(~((target >= 0) & (target <= 1)), axis=axis)
        else:
            bad = (target < 0) | (target >= n_classes)
            self.index = xp.where(bad, 0, target)
            if ignore_index is not None:
                kept = target != ignore_index
            if weight is not None:
                own = of_class(cast(weight, dtype), self.index)
                self.counts = own if part is None else own * part
                self.factor = part if smooth else self.counts
        if self.factor is not None:
            counts = self.factor != 0
            kept = counts if kept is None else kept & counts
        if kept is not None and concrete(kept) and bool(xp.all(kept)):
            kept = None
        if kept is not None:
            if bad is not None:
                bad = bad & kept
            ones = self.counts is None
            self.counts = (
                cast(kept, dtype)
                if ones
                else xp.where(kept, self.counts, 0.0)
            )
        self.kept = kept
        self.hidden = None if bad is None or concrete(bad) else bad

    def mask(self, x: Array) -> Array:
        """Return `x` with 0 for a silent sample."""
        if self.kept is None:
            return x
        xp = library(x)
        return xp.where(xp.expand_dims(self.kept, axis=self.axis), x, 0.0)

    def own(self, x: Array) -> Array:
        """Return the entry of `x` at the class of each sample, 0 for a silent one."""
        picked = pick(x, self.index)
        if self.kept is None:
            return picked
        return library(x).where(self.kept, picked, 0.0)

    def hold(self, x: Array) -> Array:
        """Return `x` with 0 for a silent sample, and nan where a bad label cannot be looked at."""
        x = self.mask(x)
        if self.hidden is None:
            return x
        bad = library(x).expand_dims(self.hidden, axis=self.axis)
        return poison(x, bad)

    def mute(self, rows: Array) -> Array:
        """Return rows, one for each first index of the samples, with 0 where all are silent."""
        if self.kept is None:
            return rows
        xp = library(rows)
        heard = xp.reshape(self.kept, (rows.shape[0], -1))
        return xp.where(xp.any(heard, axis=1, keepdims=True), rows, 0.0)

    def weighted(self, loss: Array) -> Array:
        """Return each loss times its factor, 0 for a silent sample, nan for a hidden bad label."""
        if self.factor is not None:
            loss = self.factor * loss
        if self.hidden is not None:
            loss = poison(loss, self.hidden)
        if self.kept is not None:
            loss = library(loss).where(self.kept, loss, 0.0)
        return loss

    def reduce(self, loss: Array, reduction: Reduction) -> Array:
        """Return the weighted losses, or their sum, or their mean by what counts."""
        values = self.weighted(loss)
        return reduce(values, reduction, weight=self.counts, like=self.like)


def samples_of(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int | None = None,
    sample_weight: Array | None = None,
    label_smoothing: float | None = None,
) -> Samples:
    """Check scores ``(C,)`` or ``(N, C, d1, …)`` and their labels, and return them as samples.

    The labels are class indices of any integer dtype. With `label_smoothing`, which may be 0, they
    may also be class probabilities, in the shape of `input`.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes do not match, a label or `label_smoothing` is out of range, or
        `ignore_index` is set for probabilities.
    """
    weights = given(weight=weight, sample_weight=sample_weight)
    namespace(input=input, target=target, **weights)
    check_floating(input=input, **weights)
    check_vectors(input=input)
    axis, shape = class_axis(input), tuple(input.shape)
    n_classes, one_each = shape[axis], shape[:axis] + shape[axis + 1 :]
    check_class_weight(weight, n_classes)
    check_sample_weight(sample_weight, one_each)
    check_ignore_index(ignore_index)
    mixable = label_smoothing is not None
    share = label_smoothing or 0.0
    check_between(0, 1, label_smoothing=share)
    if mixable and tuple(target.shape) == shape and is_soft(target):
        check_unit_interval(target=target)
        if ignore_index is not None and ignore_index >= 0:
            raise ValueError(
                f"ignore_index needs class indices in target, got {ignore_index}"
            )
    else:
        why = f"one class per sample of input {shape} with its classes on axis {axis}"
        if mixable:
            why += ", or hold probabilities, of a floating dtype"
        target = check_class_indices(
            target, n_classes, one_each, why, ignore_index
        )
    s = Samples(
        input,
        target,
        n_classes,
        weight,
        sample_weight,
        ignore_index=ignore_index,
        smooth=share > 0,
        axis=axis,
    )
    z = lift(input)
    s.scores = s.mask(z)
    if s.index is None or share:
        y = (
            cast(target, z.dtype)
            if s.index is None
            else one_hot(s.index, z)
        )
        s.shares = smooth(y, share, n_classes)
        if weight is not None:
            s.shares = s.shares * along_classes(cast(weight, z.dtype), z)
    return s


def is_soft(target: Array) -> bool:
    """Tell whether labels are probabilities, by their dtype."""
    return bool(library(target).isdtype(target.dtype, "real floating"))


def smooth(y: Array, share: float, n: int) -> Array:
    """Return labels of which `share` goes to all n classes alike."""
    return (1 - share) * y + share / n if share else y


def of_class(weight: Array, index: Array) -> Array:
    """Return the row of `weight`, one per class, of the class of each sample."""
    xp = library(weight)
    rows = xp.take(weight, xp.reshape(index, (-1,)), axis=0)
    return xp.reshape(rows, (*index.shape, *weight.shape[1:]))


def is_class(index: Array, x: Array) -> Array:
    """Tell for each entry of `x` whether it is that of the class of its sample."""
    xp = library(x)
    classes = along_classes(class_indices(x), x)
    return xp.expand_dims(index, axis=class_axis(x)) == classes


def surprise(z: Array, index: Array) -> Array:
    """Return minus the log-softmax of the class of each sample, a sum of what is at least 0.

    With the margins m below the largest score, it is log(1 + S) - m_t, where S is the sum of the
    rivals' exp(m_k) and of exp(m_t) - 1. If t leads, the rivals are all that is left of S, and none
    of their digits is lost beside a 1.
    """
    xp, axis = library(z), class_axis(z)
    margins, top = below_max(z, axis)
    own = pick(z, index) - xp.squeeze(top, axis=axis)
    rivals = sum_along(xp.exp(_left_out(margins, index)), axis)
    return log1p(rivals + xp.expm1(own)) - own


def _left_out(margins: Array, index: Array) -> Array:
    """Return scores with minus infinity at the class of each sample, in place where that is safe.

    It is where nobody has kept them, and autograd finds the gradient there, which is 0, without it.
    """
    if runs_eagerly(margins) and concrete(margins) and concrete(index):
        at = index.unsqueeze(class_axis(margins))
        margins.detach().scatter_(class_axis(margins), at, -math.inf)
        return margins
    return library(margins).where(
        is_class(index, margins), -math.inf, margins
    )


def log_sum(margins: Array, z: Array) -> Array:
    """Return the log of the sum of exp(margins), which are `z` less its largest score.

    Where the largest score is nearly all of the sum, the sum is that of what it has above 1.
    """
    xp, axis = library(margins), class_axis(margins)
    parts = xp.exp(margins)
    total = sum_along(parts, axis)
    near = total < _NEARLY_ONE
    if concrete(near) and not seen(near):
        return log(total)
    above = sum_along(_less_one_at(parts, best_class(z)), axis)
    return log1p(above)


def _less_one_at(x: Array, index: Array) -> Array:
    """Return `x`, less 1 at the class of each sample."""
    if not runs_eagerly(x):
        return x - one_hot(index, x)
    axis = class_axis(x)
    at = index.unsqueeze(axis)
    return x.scatter_add(axis, at, -x.new_ones(()).expand(at.shape))


def log_probabilities(z: Array) -> Array:
    """Return the logarithm of softmax, with all digits of that of a class of nearly 1."""
    xp, axis = library(z), class_axis(z)
    margins, _ = below_max(z, axis)
    total = log_sum(margins, z)
    return margins - xp.expand_dims(total, axis=axis)


def best_class(z: Array) -> Array:
    """Return the class of the largest score of each sample, the first of equals."""
    z, axis = stop_gradient(z), class_axis(z)
    if hasattr(
        z, "detach"
    ):  # PyTorch's argmax takes almost three times as long
        return z.max(axis).indices
    return library(z).argmax(z, axis=axis)


def lead(z: Array, index: Array) -> Array:
    """Return z_t less the log-sum-exp of all other scores; infinity where there are none."""
    xp, axis = library(z), class_axis(z)
    rivals = xp.where(is_class(index, z), -math.inf, z)
    shifted, top = below_max(rivals, axis)
    total = sum_along(xp.exp(shifted), axis)
    alone = total == 0
    more = xp.where(alone, -math.inf, log(xp.where(alone, 1.0, total)))
    return pick(z, index) - xp.squeeze(top, axis=axis) - more


def entropy_of(log_p: Array) -> Array:
    """Return the entropy of log-probabilities; a class that cannot happen adds 0."""
    xp = library(log_p)
    happens = xp.where(log_p == -math.inf, 0.0, log_p)
    return -sum_along(xp.exp(log_p) * happens, class_axis(log_p))
