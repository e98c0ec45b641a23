from __future__ import annotations

import itertools
import math
from functools import partial

import jax
import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import forward_ad

from harness import (
    BY_DTYPE,
    JAX,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    TORCH,
    refuses,
)
from losslib import ctc_loss

close = np.testing.assert_allclose
same = np.testing.assert_array_equal

# (frames, labels) of each sample; repeats need a blank between, and one sample has no label.
SAMPLES = [
    (5, [1]),
    (5, [1, 1]),
    (5, [2, 1, 2]),
    (4, [1, 1, 2]),
    (3, [2, 1]),
    (2, []),
    (1, [2]),
    (0, []),
]


def problem(samples=SAMPLES, n_classes=3, blank=0, seed=0):
    """Return scores that sum to no distribution, rows of labels with rubbish behind, lengths."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, len(samples), n_classes))
    longest = max(len(labels) for _, labels in samples)
    rows = np.full((len(samples), longest), 99)
    for row, (_, labels) in zip(rows, samples, strict=True):
        # the label that is the blank gives way to class 0
        row[: len(labels)] = [0 if k == blank else k for k in labels]
    frames = np.array([frames for frames, _ in samples])
    return x, rows, frames, np.array([len(y) for _, y in samples])


def of_problem(backend, arrays, dtype="float64"):
    x, *integers = arrays
    return backend.array(x, dtype), *map(backend.array, integers)


def spelled(alignment, blank):
    merged = [k for k, _ in itertools.groupby(alignment)]
    return [k for k in merged if k != blank]


def by_enumeration(x, labels, blank=0):
    """Return the loss and its gradient, from every alignment one by one, to fifty digits."""
    n_frames, n_classes = x.shape
    with mpmath.workdps(50):
        parts = np.full(x.shape, mpmath.mpf(0))
        total = mpmath.mpf(0)
        for pi in itertools.product(range(n_classes), repeat=n_frames):
            if spelled(pi, blank) == list(labels):
                score = mpmath.fsum(
                    mpmath.mpf(float(x[t, k])) for t, k in enumerate(pi)
                )
                total += mpmath.exp(score)
                for t, k in enumerate(pi):
                    parts[t, k] += mpmath.exp(score)
        if total == 0:
            return math.inf, np.zeros(x.shape)
        return float(-mpmath.log(total)), (-parts / total).astype(float)


@pytest.mark.parametrize("blank", [0, 1, 2])
def test_every_alignment_one_by_one(backend, blank) -> None:
    """The gradient is the true one: the scores are of no distribution."""
    arrays = problem(blank=blank)
    x, rows, frames, lengths = arrays
    mine = of_problem(backend, arrays)
    loss = partial(ctc_loss, blank=blank, reduction="none")
    got = backend.numpy(loss(*mine))
    gradient = np.zeros(x.shape)
    if backend.name != "numpy":
        gradient = backend.gradient(lambda z: loss(z, *mine[1:]), mine[0])
    for i, (t, s) in enumerate(zip(frames, lengths, strict=True)):
        value, slope = by_enumeration(x[:t, i], rows[i, :s], blank)
        close(got[i], value, rtol=1e-13, atol=1e-15)
        if backend.name != "numpy":
            close(gradient[:t, i], slope, rtol=1e-12, atol=1e-15)
            same(gradient[t:, i], 0.0)


@pytest.mark.parametrize("n_frames", range(1, 8))
def test_every_target_of_four_labels_or_fewer(n_frames) -> None:
    """All alignments of all targets over four classes and the blank, value and gradient."""
    targets = [
        y
        for n in range(5)
        for y in itertools.product(range(1, 5), repeat=n)
    ]
    place = {y: i for i, y in enumerate(targets)}
    x = log_probs((n_frames, 5), seed=n_frames)
    alignments = np.array(
        list(itertools.product(range(5), repeat=n_frames))
    )
    target = np.array(
        [
            place[tuple(spelled(a, 0))] if len(spelled(a, 0)) < 5 else -1
            for a in alignments.tolist()
        ]
    )
    alignments, target = alignments[target >= 0], target[target >= 0]
    p = np.exp(x[np.arange(n_frames), alignments].sum(axis=1))
    total = np.bincount(target, p, len(targets))
    parts = np.zeros((n_frames, len(targets), 5))
    for t in range(n_frames):
        np.add.at(parts[t], (target, alignments[:, t]), p)
    possible = total > 0
    slope = np.where(
        possible[:, None], -parts / np.where(possible, total, 1)[:, None], 0
    )

    z = torch.tensor(
        np.repeat(x[:, None], len(targets), 1), requires_grad=True
    )
    rows = torch.tensor([[*y, *[0] * (4 - len(y))] for y in targets])
    lengths = torch.tensor([len(y) for y in targets])
    loss = ctc_loss(
        z, rows, (n_frames,) * len(targets), lengths, reduction="none"
    )
    loss.sum().backward()
    with np.errstate(divide="ignore"):
        close(loss.detach(), -np.log(total), rtol=1e-12)
    close(z.grad, slope, rtol=1e-10, atol=1e-14)


def test_no_frame_is_kept_for_the_gradient() -> None:
    """What is stored for it are the arguments and one slope, however many frames there are."""

    def stored(n_frames: int) -> int:
        kept = []
        x = torch.tensor(log_probs((n_frames, 2, 3))).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(
            kept.append, lambda i: i
        ):
            ctc_loss(
                x, torch.tensor([[1, 2], [2, 1]]), (n_frames,) * 2, (2, 2)
            )
        return len(kept)

    assert stored(4) == stored(40) < 20


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_forward_derivatives() -> None:
    x, rest = (
        torch.tensor(log_probs((6, 3))),
        (torch.tensor([1, 2]), (6,), (2,)),
    )
    dx = torch.tensor(log_probs((6, 3), seed=2))
    z = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(ctc_loss(z, *rest), z)
    with forward_ad.dual_level():
        along = forward_ad.unpack_dual(
            ctc_loss(forward_ad.make_dual(x, dx), *rest)
        ).tangent
    close(along, (slope * dx).sum())


WITHOUT_GRADIENTS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@pytest.mark.parametrize("shape", ["rows", "one sample", "no label"])
@pytest.mark.parametrize("mode", WITHOUT_GRADIENTS)
def test_what_is_written_in_place_is_what_the_formula_gives(
    mode, shape
) -> None:
    """Without gradients the states are written where they stay; with them, each is made anew."""
    arrays = [convert(TORCH, x) for x in SHAPES[shape]]
    loss = partial(ctc_loss, reduction="none")
    with WITHOUT_GRADIENTS[mode]():
        got = loss(*arrays)
    close(got, loss(*arrays), rtol=1e-14)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_transforms_without_gradients() -> None:
    """Where nothing is recorded, forward derivatives and vmap still follow each state."""
    x = torch.tensor(log_probs((3, 6, 3)))
    dx, rest = x.flip(0), (torch.tensor([1, 2]), (6,), (2,))
    loss = [ctc_loss(one, *rest) for one in x]
    along = torch.func.jvp(lambda x: ctc_loss(x, *rest), (x[0],), (dx[0],))
    with torch.no_grad():
        mapped = torch.func.vmap(lambda x: ctc_loss(x, *rest))(x)
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x[0], dx[0])
            got = forward_ad.unpack_dual(ctc_loss(dual, *rest))
    close(mapped, torch.stack(loss))
    close(got.primal, along[0])
    close(got.tangent, along[1])


def log_probs(shape, seed=1):
    x = 2 * np.random.default_rng(seed).normal(size=shape)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


LENGTHS = np.array([30, 26, 18]), np.array([7, 0, 5])
ROWS = np.array(
    [[1, 1, 2, 4, 4, 4, 1], [3, 3, 3, 3, 3, 3, 3], [2, 1, 1, 4, 2, 3, 3]]
)
ONE_AXIS = np.array([1, 1, 2, 4, 4, 4, 1, 2, 1, 1, 4, 2])
SHAPES = {
    "rows": (log_probs((30, 3, 5)), ROWS, *LENGTHS),
    "one axis": (log_probs((30, 3, 5)), ONE_AXIS, *LENGTHS),
    "tuples": (log_probs((30, 3, 5)), ROWS, (30, 26, 18), (7, 0, 5)),
    "lists": (log_probs((30, 3, 5)), ONE_AXIS, [30, 26, 18], [7, 0, 5]),
    "one sample": (log_probs((20, 5)), ROWS[0], np.array(18), np.array(7)),
    "in a row": (log_probs((20, 5)), ROWS[:1], np.array([18]), (3,)),
    "one label": (log_probs((1, 5)), np.array([4]), (1,), (1,)),
    "no label": (log_probs((4, 2, 5)), ROWS[:2, :0], (4, 3), (0, 0)),
}


def convert(backend, x, dtype=None):
    if not isinstance(x, np.ndarray):
        return x
    return backend.array(x, dtype if x.dtype.kind == "f" else None)


def agrees(backend, dtype, shape, reduction, blank) -> None:
    x, targets, *lengths = SHAPES[shape]
    arrays = [x, np.where(targets == blank, 0, targets), *lengths]
    options = {"blank": blank, "reduction": reduction}
    mine = [convert(backend, x, dtype) for x in arrays]
    exact = torch.tensor(backend.numpy(mine[0]))
    # PyTorch takes arrays or tuples, no mixture
    rest = [torch.tensor(x) for x in arrays[1:]]
    expected = F.ctc_loss(exact, *rest, **options)
    got = ctc_loss(*mine, **options)
    assert backend.dtype_of(got) == dtype
    assert tuple(got.shape) == tuple(expected.shape)
    close(backend.numpy(got), expected, rtol=ROUND_OFF[dtype], atol=1e-15)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_against_pytorch(backend, shape, reduction) -> None:
    blank = 4 if reduction == "sum" else 0
    agrees(backend, "float64", shape, reduction, blank)


@pytest.mark.parametrize("shape", ["rows", "one sample"])
@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_every_dtype_against_pytorch(backend, dtype, shape) -> None:
    agrees(backend, dtype, shape, "mean", 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_logits_against_pytorch(differentiable, shape) -> None:
    """Behind a log_softmax; there the gradient of PyTorch is one."""
    z, *rest = SHAPES[shape]
    others = [torch.tensor(x) for x in rest]
    leaf = torch.tensor(z, requires_grad=True)
    F.ctc_loss(leaf.log_softmax(-1), *others).backward()
    soften = {"torch": torch.log_softmax, "jax": jax.nn.log_softmax}
    mine = [convert(differentiable, x) for x in rest]
    got = differentiable.gradient(
        lambda x: ctc_loss(soften[differentiable.name](x, -1), *mine),
        convert(differentiable, z),
    )
    close(got, leaf.grad, rtol=1e-11, atol=1e-13)


def test_where_the_gradient_of_pytorch_is_none() -> None:
    """A documented difference; these are PyTorch's own results, to hear of it if they change."""
    x = torch.tensor(log_probs((5, 1, 4)), requires_grad=True)
    rest = torch.tensor([[1, 2]]), (4,), (2,)
    (theirs,) = torch.autograd.grad(F.ctc_loss(x, *rest).sum() * 2, x)
    (ours,) = torch.autograd.grad(ctc_loss(x, *rest) * 2, x)
    assert not torch.allclose(ours, theirs)
    close(theirs[:4], ours[:4] + x[:4].exp().detach(), rtol=1e-12)
    impossible = torch.tensor([[1, 1]]), (2,), (2,)
    (theirs,) = torch.autograd.grad(F.ctc_loss(x, *impossible), x)
    assert theirs[:2].isnan().all()
    with torch.no_grad():
        z = x.clone()
        z[:, :, 3] = -math.inf  # as a mask does, in no label's way
    z.requires_grad_()
    (theirs,) = torch.autograd.grad(F.ctc_loss(z, *rest), z)
    assert theirs[..., 3].isnan().any()


# --- What has no alignment ----------------------------------------------------------------------

IMPOSSIBLE = [
    ("fewer frames than labels", (2,), [1, 2, 1], None),
    ("no frame for the blank between", (2,), [1, 1], None),
    ("no frame", (0,), [1], None),
    ("a probability of 0", (3,), [1], (slice(None), 0, 1)),
    ("no blank", (3,), [1, 1], (slice(None), 0, 0)),
    ("a frame of nothing", (3,), [1, 2], (1, 0, slice(None))),
]


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize(("case", "frames", "labels", "gone"), IMPOSSIBLE)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_alignment(
    backend, dtype, case, frames, labels, gone, zero_infinity
) -> None:
    x = log_probs((3, 2, 4))
    if gone is not None:
        x[gone] = -math.inf
    # the other sample has an alignment, which no neighbour changes
    mine = backend.array(x, dtype), backend.array([labels, labels])
    lengths = (*frames, 3), (len(labels),) * 2
    loss = partial(ctc_loss, reduction="none", zero_infinity=zero_infinity)
    got = backend.numpy(loss(*mine, *lengths))
    assert got[0] == (0.0 if zero_infinity else math.inf), case
    value, slope = by_enumeration(backend.numpy(mine[0])[:, 1], labels)
    close(got[1], value, rtol=ROUND_OFF[dtype])
    if backend.name != "numpy":
        gradient = backend.gradient(
            lambda z: loss(z, *mine[1:], *lengths), mine[0]
        )
        same(gradient[:, 0], 0.0)
        close(gradient[:, 1], slope, rtol=1e-4, atol=ROUND_OFF[dtype])
    mean = backend.numpy(
        ctc_loss(*mine, *lengths, zero_infinity=zero_infinity)
    )
    close(mean, got.mean() / len(labels), rtol=1e-6)


def test_probabilities_of_0(backend) -> None:
    """Where other alignments are left, the loss is theirs, and nothing is nan."""
    x = log_probs((4, 3))
    x[0, 2] = x[1, 0] = x[3, 1] = -math.inf
    for labels in ([1], [1, 2], [1, 1], [2, 1, 2], [1, 2, 1]):
        value, slope = by_enumeration(x, labels)
        rest = backend.array(labels), (4,), (len(labels),)
        close(
            backend.numpy(
                ctc_loss(backend.array(x), *rest, reduction="sum")
            ),
            value,
        )
        if backend.name != "numpy":
            got = backend.gradient(
                lambda z: ctc_loss(z, *rest, reduction="sum"),  # noqa: B023
                backend.array(x),
            )
            close(got, slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("where", ["own", "blank", "other"])
def test_nan_comes_through_where_it_is_looked_at(backend, where) -> None:
    x = log_probs((3, 4))
    x[1, {"own": 2, "blank": 0, "other": 3}[where]] = math.nan
    got = ctc_loss(backend.array(x), backend.array([2]), (3,), (1,))
    assert np.isnan(backend.numpy(got)) == (where != "other")


# --- Extremes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e3, 1e4, 1e10, 1e28])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_extreme_scores(backend, dtype, size) -> None:
    x = size * np.random.default_rng(3).normal(size=(4, 6, 3))
    mine = backend.array(x, dtype)
    labels = backend.array([[1, 2, 1]] * 3 + [[2, 2, 0]] * 3)
    rest = labels, (4,) * 6, (3,) * 3 + (2,) * 3
    loss = partial(ctc_loss, reduction="none")
    got = backend.numpy(loss(mine, *rest))
    exact = backend.numpy(mine)
    tables = [
        by_enumeration(exact[:, i], [1, 2, 1] if i < 3 else [2, 2])
        for i in range(6)
    ]
    atol = size * ROUND_OFF[dtype] / 10
    close(got, [value for value, _ in tables], rtol=0, atol=atol)
    if backend.name != "numpy" and (dtype == "float64" or size < 1e4):
        gradient = backend.gradient(lambda z: loss(z, *rest), mine)
        for i, (_, slope) in enumerate(tables):
            close(gradient[:, i], slope, atol=1e-3)


def test_losses_that_count_as_infinite(backend) -> None:
    x = backend.array(np.full((1, 2), -1e300))
    got = ctc_loss(x, backend.array([1]), (1,), (1,))
    assert backend.numpy(got) == math.inf


def test_the_second_derivative_where_the_scores_are_far_apart(
    differentiable,
) -> None:
    """It is 0 there, and no nan."""
    x = differentiable.array(1e4 * log_probs((4, 1, 3)))
    rest = differentiable.array([[1, 2]]), (4,), (2,)

    def loss(z):
        return ctc_loss(z, *rest, reduction="sum")

    if differentiable.name == "jax":
        same(differentiable.numpy(jax.hessian(loss)(x)), 0.0)
    else:
        same(torch.autograd.functional.hessian(loss, x).numpy(), 0.0)


def by_scaled_probabilities(x, labels):
    """Return the loss by the textbook's other way: probabilities, scaled to sum 1 at each frame.

    The string has its blanks written out, and the arithmetic is as long as the machine has it.
    """
    p = np.exp(x.astype(np.longdouble))
    string = [0, *(k for label in labels for k in (label, 0))]
    forward, log_total = np.eye(1, len(string), dtype=np.longdouble)[0], 0
    for t, row in enumerate(p):
        old = forward
        forward = np.zeros_like(old)
        for s, k in enumerate(string):
            ways = old[s] + (old[s - 1] if s else 0)
            if s > 1 and k not in (0, string[s - 2]):
                ways += old[s - 2]
            forward[s] = ways * row[k]
        if t == 0:
            forward = np.where(np.arange(len(string)) < 2, row[string], 0)
        log_total += np.log(forward.sum())
        forward = forward / forward.sum()
    return float(-(log_total + np.log(forward[-2:].sum())))


def test_three_thousand_frames(backend, rng) -> None:
    x = log_probs((3000, 2, 8), seed=4)
    labels = rng.integers(1, 8, size=(2, 40))
    labels[0, 3:6] = 5
    frames, lengths = (3000, 2500), (40, 33)
    mine = backend.array(x), backend.array(labels)
    got = ctc_loss(*mine, frames, lengths, reduction="none")
    expected = [
        by_scaled_probabilities(x[:t, i], labels[i, :s])
        for i, (t, s) in enumerate(zip(frames, lengths, strict=True))
    ]
    close(backend.numpy(got), expected, rtol=1e-13)
    if backend.name == "numpy":
        return
    gradient = backend.gradient(
        lambda z: ctc_loss(z, mine[1], frames, lengths, reduction="sum"),
        mine[0],
    )
    # minus a posterior over the classes at each frame
    close(gradient[:2500].sum(axis=-1), -1.0, rtol=1e-9)
    leaf = torch.tensor(x, requires_grad=True)
    F.ctc_loss(
        leaf, torch.tensor(labels), frames, lengths, reduction="sum"
    ).backward()
    theirs = leaf.grad.numpy() - np.exp(x)
    close(gradient[:2500], theirs[:2500], rtol=0, atol=1e-8)


# --- Laws ---------------------------------------------------------------------------------------


@given(
    scores=st.lists(st.floats(-8, 8), min_size=3 * 5, max_size=3 * 5),
    n_frames=st.integers(0, 5),
    blank=st.integers(0, 2),
)
def test_the_strings_share_a_probability_of_one(
    scores, n_frames, blank
) -> None:
    """Every alignment spells one string, which is no longer than the frames."""
    z = np.array(scores).reshape(5, 3)[:n_frames]
    x = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    labels = [k for k in range(3) if k != blank]
    strings = [
        y
        for n in range(n_frames + 1)
        for y in itertools.product(labels, repeat=n)
    ]
    each = np.repeat(x[:, None], len(strings), axis=1)
    loss = ctc_loss(
        each,
        np.array([k for y in strings for k in y], dtype=int),
        (n_frames,) * len(strings),
        tuple(map(len, strings)),
        blank=blank,
        reduction="none",
    )
    close(np.exp(-loss).sum(), 1.0, rtol=1e-12)


@given(seed=st.integers(0, 10**6), n_labels=st.integers(0, 4))
def test_symmetries(seed, n_labels) -> None:
    """Time may run backwards, classes may change names; a factor on a frame is one on the sum."""
    rng = np.random.default_rng(seed)
    x, y = (
        rng.normal(size=(6, 1, 4)),
        rng.integers(1, 4, size=(1, n_labels)),
    )
    loss = partial(
        ctc_loss,
        input_lengths=(6,),
        target_lengths=(n_labels,),
        reduction="sum",
    )
    value, shift = loss(x, y), rng.normal(size=(6, 1, 1))
    close(loss(x[::-1], y[:, ::-1]), value, rtol=1e-12, atol=1e-12)
    close(loss(x + shift, y), value - shift.sum(), rtol=1e-11, atol=1e-11)
    names = rng.permutation(4)
    renamed = loss(x[..., np.argsort(names)], names[y], blank=int(names[0]))
    close(renamed, value, rtol=1e-12, atol=1e-12)


@given(seed=st.integers(0, 10**6))
def test_padding_changes_nothing(seed) -> None:
    """Neither frames behind the last, nor labels, nor other samples."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(7, 3, 4)), rng.integers(1, 4, size=(3, 3))
    frames, lengths = rng.integers(0, 8, size=3), rng.integers(0, 4, size=3)
    together = ctc_loss(x, y, frames, lengths, reduction="none")
    for i, (t, s) in enumerate(zip(frames, lengths, strict=True)):
        alone = ctc_loss(x[:t, i], y[i, :s], (t,), (s,), reduction="none")
        close(together[i], alone, rtol=1e-13, atol=1e-13)


# --- Differentiation, compilers -----------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_derivatives_by_differences(reduction) -> None:
    x, *rest = of_problem(TORCH, problem())
    loss = partial(ctc_loss, reduction=reduction)
    assert torch.autograd.gradcheck(
        lambda z: loss(z, *rest), x.requires_grad_()
    )
    assert torch.autograd.gradgradcheck(lambda z: loss(z, *rest), x)
    # ties are where a derivative taken through a maximum would go wrong
    flat = torch.zeros_like(x, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda z: loss(z, *rest), flat)


def test_jit_grad_and_vmap() -> None:
    x, *rest = arrays = of_problem(JAX, problem())
    one_axis = JAX.array([1, 1, 1, 2, 1, 2, 1, 1, 2, 2, 1, 2])
    for loss in (
        ctc_loss,
        lambda x, y, f, n: ctc_loss(x, one_axis, f, n),
        lambda x, y, f, n: ctc_loss(x, *rest),  # constants of the graph
    ):
        expected = loss(*arrays)
        close(jax.jit(loss)(*arrays), expected, rtol=1e-13)
        close(
            jax.jit(jax.grad(loss))(*arrays),
            jax.grad(loss)(*arrays),
            rtol=1e-12,
        )
    for other in (
        one_axis[:-1],
        JAX.array([*one_axis, 1]),
    ):  # too few, too many
        assert np.isnan(jax.jit(ctc_loss)(x, other, *rest[1:]))
    each = partial(ctc_loss, reduction="none")
    got = jax.jit(jax.vmap(each, (1, 0, 0, 0)))(*arrays)
    close(got, each(*arrays), rtol=1e-13)
    with_tuples = partial(
        each, input_lengths=(5,) * 8, target_lengths=(0,) * 8
    )
    assert jax.jit(with_tuples)(x, rest[0]).shape == (8,)


def test_vmap_and_functional_gradients_of_torch() -> None:
    arrays = of_problem(TORCH, problem())
    each = partial(ctc_loss, reduction="none")
    got = torch.func.vmap(each, (1, 0, 0, 0))(*arrays)
    close(got, each(*arrays), rtol=1e-13)
    slopes = torch.func.vmap(torch.func.grad(each), (1, 0, 0, 0), 1)(
        *arrays
    )
    summed = torch.func.grad(partial(ctc_loss, reduction="sum"))(*arrays)
    close(slopes, summed, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("targets", "frames", "lengths"),
    [
        (np.array([[1, 1], [2, 9]]), np.array([4, 3]), np.array([2, 1])),
        (np.array([1, 1, 2]), (4, 3), (2, 1)),
    ],
)
def test_compiled_by_torch(compiled, targets, frames, lengths) -> None:
    rest = [convert(TORCH, x) for x in (targets, frames, lengths)]
    leaf = torch.tensor(log_probs((4, 2, 3)), requires_grad=True)
    other = leaf.detach().clone().requires_grad_()
    got, expected = compiled(ctc_loss)(leaf, *rest), ctc_loss(other, *rest)
    got.backward()
    expected.backward()
    close(got.detach(), expected.detach(), rtol=1e-12)
    close(leaf.grad, other.grad, rtol=1e-12)


def test_a_compiler_does_not_unroll_the_frames() -> None:
    sizes = []

    def count(graph, _):
        sizes.append(len(list(graph.graph.nodes)))
        return graph

    def loss(x):
        return ctc_loss(x, y, (len(x),) * 2, (2, 2))

    y = torch.tensor([[1, 2], [3, 1]])
    for frames in (4, 40):
        torch.compiler.reset()
        x = torch.tensor(log_probs((frames, 2, 4)))
        got = torch.compile(loss, backend=count, fullgraph=True)(x)
        close(got, loss(x), rtol=1e-12)
    assert sizes[0] == sizes[1]


def test_second_derivative_of_the_one_operation(compiled) -> None:
    """By "eager": behind the others, PyTorch itself drops the second derivative."""
    rest = torch.tensor([[1, 1], [2, 1]]), (4, 3), (2, 2)
    found = []
    for loss in (compiled(ctc_loss, backend="eager"), ctc_loss):
        x = torch.tensor(log_probs((4, 2, 3)), requires_grad=True)
        (slope,) = torch.autograd.grad(loss(x, *rest), x, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), x)[0])
    close(*found, rtol=1e-12)


def test_compiled_beneath_other_transforms() -> None:
    x = torch.tensor(log_probs((3, 4, 2, 4)))
    y = torch.tensor([[1, 2], [3, 1]])
    slopes = torch.func.vmap(
        torch.func.grad(lambda x: ctc_loss(x, y, (4, 4), (2, 2)))
    )
    compiled = torch.compile(slopes, backend="aot_eager")
    close(compiled(x), slopes(x), rtol=1e-9)


# --- Arguments ----------------------------------------------------------------------------------


def test_lengths_of_one_sample_as_integers(backend) -> None:
    x, y = log_probs((5, 1, 4))[:, 0], np.array([1, 2, 2])
    expected = ctc_loss(x, y, np.array(5), np.array(3))
    for lengths in [(5, 3), (np.int64(5), np.int32(3)), ((5,), [3])]:
        got = ctc_loss(backend.array(x), backend.array(y), *lengths)
        close(backend.numpy(got), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_every_dtype_of_integers(backend, dtype) -> None:
    x, rows, frames, lengths = arrays = problem()
    expected = ctc_loss(*arrays)
    got = ctc_loss(
        backend.array(x),
        *(backend.array(y, dtype) for y in (rows, frames, lengths)),
    )
    close(backend.numpy(got), expected, rtol=1e-13)


@pytest.mark.parametrize(
    "targets", [np.zeros((0, 3), int), np.zeros(0, int)]
)
def test_no_sample(backend, targets) -> None:
    x, none = (
        backend.array(np.zeros((5, 0, 4))),
        backend.array(np.zeros(0, int)),
    )
    for lengths in [(none, none), ((), ())]:
        loss = partial(ctc_loss, x, backend.array(targets), *lengths)
        assert tuple(loss(reduction="none").shape) == (0,)
        assert backend.numpy(loss(reduction="sum")) == 0
        assert np.isnan(backend.numpy(loss()))


@pytest.mark.parametrize("labels", [[], [1]])
def test_no_frame(backend, labels) -> None:
    """Of nothing, nothing can be read; PyTorch refuses it."""
    x = backend.array(np.zeros((0, 1, 3)))
    y = backend.array(np.array([labels], dtype=int))
    got = ctc_loss(x, y, (0,), (len(labels),), reduction="none")
    same(backend.numpy(got), [math.inf if labels else 0.0])


def test_strides_do_not_matter(backend) -> None:
    x, rows, frames, lengths = arrays = problem()
    wide = backend.array(np.repeat(x, 2, axis=2))[:, :, ::2]
    tall = backend.array(np.repeat(rows, 2, axis=0))[::2]
    got = ctc_loss(
        wide, tall, backend.array(frames), backend.array(lengths)
    )
    close(backend.numpy(got), ctc_loss(*arrays), rtol=1e-13)


X = log_probs((5, 2, 4))
Y, N, S = np.array([[1, 2, 3], [3, 3, 1]]), np.array([5, 4]), (3, 2)
M = np.array(S)


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X.tolist(), Y, N, M), {}, "log_probs must be an array .*list"),
        ((X, Y.tolist(), N, M), {}, "targets must be an array .*list"),
        ((X, Y, 5, M), {}, r"input_lengths .*\(2,\), got \(\)"),
        (
            (X, Y, 5.0, M),
            {},
            "input_lengths must be an array, .*integer, got float",
        ),
        (
            (X, Y, N, (3, 2.0)),
            {},
            "target_lengths must be an array, .*integer, got float",
        ),
        (
            (X, Y, N, [True, 2]),
            {},
            "target_lengths must be an array, .*integer, got bool",
        ),
        ((Y, Y, N, M), {}, "log_probs .*dtype, got .*int64"),
        ((X, Y * 1.0, N, M), {}, "targets .*dtype, got .*float64"),
        ((X, Y > 1, N, M), {}, "targets .*dtype, got .*bool"),
        ((X, Y, N * 1.0, M), {}, "input_lengths .*dtype, got .*float64"),
        ((X, Y, N, M * 1.0), {}, "target_lengths .*dtype, got .*float64"),
        ((X[0, 0], Y, N, M), {}, r"log_probs .*got \(4,\)"),
        ((X[None], Y, N, M), {}, r"log_probs .*got \(1, 5, 2, 4\)"),
        ((X, Y[:1], N, M), {}, r"targets .*\(2, S\).*got \(1, 3\)"),
        ((X, Y[None], N, M), {}, r"targets .*got \(1, 2, 3\)"),
        ((X, Y[0, 0], N, M), {}, r"targets .*got \(\)"),
        ((X, Y, N[:1], M), {}, r"input_lengths .*\(2,\), got \(1,\)"),
        ((X, Y, N, M[None]), {}, r"target_lengths .*\(2,\), got \(1, 2\)"),
        ((X, Y, N, (3,)), {}, r"target_lengths .*\(2,\), got \(1,\)"),
        ((X, Y, N[0], M), {}, r"input_lengths .*\(2,\), got \(\)"),
        (
            (X[:, 0], Y[0], N, M[0]),
            {},
            r"input_lengths .*\(1,\), got \(2,\)",
        ),
        ((X, Y, N + 1, M), {}, r"input_lengths .*0 … 5, got 6 at .*\(0,\)"),
        (
            (X, Y, N - 5, M),
            {},
            r"input_lengths .*0 … 5, got -1 at .*\(1,\)",
        ),
        ((X, Y, (5, 9), S), {}, "input_lengths .*0 … 5, got 9"),
        ((X, Y, N, M + 1), {}, r"target_lengths .*0 … 3, got 4"),
        ((X, Y, N, M - 3), {}, r"target_lengths .*0 … 3, got -1"),
        ((X, Y[0], N, M), {}, "targets must hold 5 labels.*got 3"),
        ((X, Y.ravel(), N, M), {}, "targets must hold 5 labels.*got 6"),
        ((X[:, 0], Y[0], (5,), (2,)), {}, "targets must hold 2 .*got 3"),
        ((X, Y + 1, N, M), {}, r"targets .*0 … 3 .*got 4 at .*\(0, 2\)"),
        ((X, Y - 1, N, M), {}, r"targets .*blank=0, got 0 at .*\(0, 0\)"),
        ((X, -Y, N, M), {}, "targets .*0 … 3 .*got -1"),
        ((X, Y, N, M), {"blank": 2}, "targets .*blank=2, got 2"),
        ((X, Y, N, M), {"blank": 4}, "blank must .*0 … 3, got 4"),
        ((X, Y, N, M), {"blank": -1}, "blank must .*0 … 3, got -1"),
        ((X, Y, N, M), {"blank": 0.5}, "blank must be an integer, got 0.5"),
        ((X, Y, N, M), {"reduction": "avg"}, "reduction must .*'avg'"),
    ],
)
def test_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, ctc_loss, args, options, words)


def test_what_stands_behind_the_lengths_counts_nowhere(backend) -> None:
    x, rows, frames, lengths = arrays = problem()
    for t, n, s, row in zip(frames, range(8), lengths, rows, strict=True):
        x[t:, n] = math.nan
        row[s:] = -7
    got = ctc_loss(*of_problem(backend, arrays))
    close(backend.numpy(got), ctc_loss(*problem()), rtol=1e-13)
    if backend.name != "numpy":
        mine = of_problem(backend, arrays)
        slope = backend.gradient(lambda z: ctc_loss(z, *mine[1:]), mine[0])
        assert np.isfinite(slope).all()
