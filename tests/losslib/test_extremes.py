"""Extreme inputs, awkward arrays, laws and transformations: every loss through the same mill.

What one family needs beyond that stands in the tests of the family.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import jax
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import losslib
from book.registry import CLASSES, LOSSES, REAL, TABLE, Loss
from harness import (
    JAX,
    LABEL_DTYPES,
    NUMPY,
    ROUND_OFF,
    TORCH,
    as_dtype,
)

EACH = [name for name in LOSSES if TABLE[name].each]
BATCH_AXIS = {"log_probs": 1}


def arrays_of(backend, loss: Loss, dtype=None, **changes) -> dict[str, Any]:
    return {
        key: as_dtype(backend, x, dtype)
        for key, x in (loss.arrays | changes).items()
    }


def batched(loss: Loss) -> dict[str, int | None]:
    """Return the axis of the samples of every array, None for weights of classes."""
    n = loss.arrays[loss.first].shape[BATCH_AXIS.get(loss.first, 0)]
    axes = {key: BATCH_AXIS.get(key, 0) for key in loss.all}
    return {
        key: axis
        if loss.all[key].shape[axis] == n and own(loss, key)
        else None
        for key, axis in axes.items()
    }


def own(loss: Loss, key: str) -> bool:
    """Tell whether an array has a row for every sample, rather than for every class."""
    if key == "linear_weight":
        return False
    return key in loss.arrays or loss.all[key].ndim == 2


# --- Against mpmath ---------------------------------------------------------------------------
# The family tests have such tables of cross_entropy, of the binary losses, of Huber, Poisson and
# the cosine.

SIZES = [0.0, 1e-30, 1e-8, 0.3, 1.0, 40.0, 1e4, 1e30]
X = np.array(sorted({*SIZES, *(-x for x in SIZES)}))


def grid(*ys: float) -> list[np.ndarray]:
    """Return every pair of an extreme number and one of `ys`."""
    pairs = np.array([(x, y) for x in X for y in ys])
    return [pairs[:, 0].copy(), pairs[:, 1].copy()]


def rows() -> np.ndarray:
    """Return rows of three extreme scores."""
    return np.random.default_rng(3).choice(X, size=(60, 3))


def hinge(x: Any) -> Any:
    return max(x, mpmath.mpf(0))


def softplus(x: Any) -> Any:
    return hinge(x) + mpmath.log1p(mpmath.exp(-abs(x)))


def lead(z: Any, right: int) -> Any:
    return sum(hinge(1 - z[right] + z[k]) for k in range(3) if k != right)


def norm(x: Any) -> Any:
    return mpmath.sqrt(sum(a * a for a in x))


def triplet(a: Any, p: Any, n: Any) -> Any:
    eps = mpmath.mpf(1e-6)
    near = norm([u - v + eps for u, v in zip(a, p, strict=True)])
    far = norm([u - v + eps for u, v in zip(a, n, strict=True)])
    return hinge(1 + near - far)


def gaussian(x: Any, y: Any, v: Any) -> Any:
    v = max(v, mpmath.mpf(1e-6))
    return (mpmath.log(v) + (x - y) ** 2 / v) / 2


ROWS = rows()
TARGETS = np.arange(60) % 3
EXACT = {
    # loss: its arrays, and the loss of one sample
    "l1_loss": (grid(0.0, 0.25, -1e30), lambda x, y: abs(x - y)),
    "mse_loss": (grid(0.0, 0.25, -1e30), lambda x, y: (x - y) ** 2),
    "gaussian_nll_loss": (
        [*grid(0.25, -1e4, 1e30), np.resize([0, 1e-30, 1, 1e30], 3 * len(X))],
        gaussian,
    ),
    "kl_div": (
        grid(0.0, 1e-300, 0.25, 1.0),
        lambda x, y: y * (mpmath.log(y) - x) if y else mpmath.mpf(0),
    ),
    "hinge_embedding_loss": (
        grid(-1.0, 1.0),
        lambda x, y: x if y == 1 else hinge(1 - x),
    ),
    "margin_ranking_loss": (
        [*grid(0.0, 0.25, 1e30), np.resize([-1.0, 1.0], 3 * len(X))],
        lambda a, b, y: hinge(-y * (a - b)),
    ),
    "nll_loss": ([ROWS, TARGETS], lambda z, t: -z[t]),
    "multi_margin_loss": ([ROWS, TARGETS], lambda z, t: lead(z, t) / 3),
    "multilabel_margin_loss": (
        [ROWS, np.stack([TARGETS, -np.ones(60), TARGETS], 1).astype(int)],
        lambda z, t: lead(z, t[0]) / 3,
    ),
    "multilabel_soft_margin_loss": (
        [ROWS, np.random.default_rng(4).choice([0.0, 0.5, 1.0], (60, 3))],
        lambda z, y: sum(
            b * softplus(-a) + (1 - b) * softplus(a)
            for a, b in zip(z, y, strict=True)
        )
        / 3,
    ),
    "triplet_margin_loss": ([ROWS, rows()[::-1], rows()[:, ::-1]], triplet),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_extremes_against_mpmath(backend, name) -> None:
    arrays, exact = EXACT[name]
    got = getattr(losslib, name)(
        *(backend.array(np.ascontiguousarray(x)) for x in arrays),
        reduction="none",
    )

    def precise(x: Any) -> Any:
        if isinstance(x, list):
            return [precise(a) for a in x]
        return x if isinstance(x, int) else mpmath.mpf(x)

    with mpmath.workdps(400):
        expected = [
            float(exact(*map(precise, sample)))
            for sample in zip(*(x.tolist() for x in arrays), strict=True)
        ]
    # of a difference of distances the digits below its larger term are lost
    slack = (
        1e-15 * np.abs(ROWS).max(-1) if name.startswith("triplet") else 0
    )
    got = backend.numpy(got)
    assert np.all(np.isfinite(got))
    error = np.abs(got - expected)
    assert np.all(error <= 1e-14 * np.abs(expected) + slack + 1e-300)


# --- Losses and slopes are numbers ------------------------------------------------------------

SLOPED = [
    name
    for name in LOSSES
    if name not in {"binary_cross_entropy", "ctc_loss", "kl_div"}
]


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("name", SLOPED)
def test_extreme_scores_have_finite_losses_and_slopes(
    differentiable, name, size
) -> None:
    loss = TABLE[name]
    signs = np.sign(loss.arrays[loss.first])
    if name == "poisson_nll_loss":
        signs = -np.abs(signs)  # the rate is the exponential of it
    arrays = arrays_of(differentiable, loss)

    def f(x: Any) -> Any:
        return loss.ours(**{**arrays, loss.first: x}, reduction="none")

    x = differentiable.array(size * signs)
    assert np.all(np.isfinite(differentiable.numpy(f(x))))
    assert np.all(np.isfinite(differentiable.gradient(f, x)))


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("cross_entropy", {}),
        ("nll_loss", {}),
        ("multi_margin_loss", {"p": 2}),
        ("multilabel_margin_loss", {}),
        ("linear_cross_entropy", {}),
        ("ctc_loss", {}),
    ],
)
def test_a_class_of_probability_zero_that_is_no_target(
    differentiable, name, option
) -> None:
    """Minus infinity as its score leaves a finite loss, and no slope that is nan."""
    if name not in LOSSES:
        pytest.skip(f"{name} is not there yet")
    loss = TABLE[name]
    arrays = arrays_of(differentiable, loss)
    first = loss.arrays[loss.first].copy()
    key = loss.first
    if name == "linear_cross_entropy":
        key = "linear_bias"
        first = np.array([0.5, 0.1, -1.0, -np.inf, 2.0])  # 3 is no target
    elif name == "ctc_loss":
        first[:, 1, 2] = -np.inf  # nor is 2 in the second string
    elif name == "multilabel_margin_loss":
        first[[0, 3], [1, 2]] = -np.inf  # which rows 0 and 3 do not list
    else:
        first[[0, 1, 2], [2, 0, 0]] = -np.inf

    def f(x: Any) -> Any:
        return loss.ours(**{**arrays, key: x}, reduction="none", **option)

    x = differentiable.array(first)
    assert np.all(np.isfinite(differentiable.numpy(f(x))))
    assert np.all(np.isfinite(differentiable.gradient(f, x)))


# --- Precision, shapes, memory ----------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_means_of_many_halves(backend, name) -> None:
    """Sums are taken in float32: of 80,000 halves they would overflow, or come to a halt."""
    loss = TABLE[name]
    axes = batched(loss)
    for dtype in ("float16", "bfloat16"):
        if dtype not in backend.floats:
            continue
        few = arrays_of(backend, loss, dtype)
        many = {}
        for key, x in loss.arrays.items():
            times = [1] * x.ndim
            if axes[key] is not None:
                n = x.shape[axes[key]]
                times[axes[key]] = (
                    80_000 // n if name != "ctc_loss" else 2000
                )
            many[key] = np.tile(x, times)
        many = arrays_of(backend, loss, dtype, **many)
        got, expected = loss.ours(**many), loss.ours(**few)
        assert backend.dtype_of(got) == dtype
        np.testing.assert_allclose(
            backend.numpy(got),
            backend.numpy(expected),
            rtol=ROUND_OFF[dtype],
        )


@pytest.mark.parametrize("name", EACH)
def test_no_axis_to_five(backend, name) -> None:
    """A loss of one element each knows no shape."""
    loss = TABLE[name]
    flat = {key: x.ravel() for key, x in loss.arrays.items()}
    expected = loss.ours(**flat, reduction="none")
    for shape in [(3, 4), (2, 3, 2), (2, 1, 3, 2), (1, 2, 3, 1, 2)]:
        reshaped = {key: x.reshape(shape) for key, x in flat.items()}
        got = loss.ours(
            **arrays_of(backend, loss, **reshaped), reduction="none"
        )
        assert tuple(got.shape) == shape
        np.testing.assert_allclose(
            backend.numpy(got).ravel(), expected, rtol=1e-12
        )
    one = {key: np.asarray(x[5]) for key, x in flat.items()}
    for reduction in ("none", "mean", "sum"):
        got = loss.ours(
            **arrays_of(backend, loss, **one), reduction=reduction
        )
        assert tuple(got.shape) == ()
        np.testing.assert_allclose(
            backend.numpy(got), expected[5], rtol=1e-12
        )


LAYOUTS = {
    "frozen": lambda x: x.copy(),
    "Fortran": lambda x: np.asfortranarray(x),
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
    "a row of more": lambda x: np.stack([x, x], axis=-1)[..., 0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LOSSES)
def test_how_arrays_lie_in_memory_does_not_matter(name, layout) -> None:
    """Nor whether they may be written to: nothing is, and they are as they were."""
    loss = TABLE[name]
    expected = loss.ours(**loss.all, reduction="none")
    lain = {key: LAYOUTS[layout](x) for key, x in loss.all.items()}
    for x in lain.values():
        x.flags.writeable = False
    got = loss.ours(**lain, reduction="none")
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-15)
    if layout != "backwards":  # which PyTorch has not
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "The given NumPy array is not"
            )
            tensors = {key: torch.as_tensor(x) for key, x in lain.items()}
        got = loss.ours(**tensors, reduction="none")
        np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)
    for key, x in loss.all.items():
        np.testing.assert_array_equal(lain[key], x)


@pytest.mark.parametrize("dtype", [*LABEL_DTYPES, "bool"])
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, key)
        for name in LOSSES
        for kind in (CLASSES, REAL)
        for key in TABLE[name].of_kind(kind)
    ],
)
def test_labels_of_every_dtype(backend, name, argument, dtype) -> None:
    loss = TABLE[name]
    labels = loss.arrays[argument]
    if loss.kind(argument) == REAL:
        labels = np.round(labels)
        if not dtype.startswith("int"):
            labels = np.abs(labels)
        if dtype == "bool":
            labels = np.minimum(labels, 1)
    elif dtype == "bool":
        return  # no class index: test_errors.py
    if name == "multilabel_margin_loss" and dtype.startswith("uint"):
        # its list ends with -1
        with pytest.raises(
            TypeError, match=r"target must .* signed integer"
        ):
            loss.ours(
                **arrays_of(backend, loss, target=labels.astype(dtype))
            )
        return
    expected = loss.ours(**{**loss.arrays, argument: labels})
    cast = backend.array(labels, dtype)
    got = loss.ours(**{**arrays_of(backend, loss), argument: cast})
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_reductions_of_a_loss_are_those_of_its_values(
    backend, name
) -> None:
    loss = TABLE[name]
    arrays = arrays_of(backend, loss)
    each = backend.numpy(loss.ours(**arrays, reduction="none"))
    close = partial(np.testing.assert_allclose, rtol=1e-13)
    close(backend.numpy(loss.ours(**arrays, reduction="sum")), each.sum())
    if name == "ctc_loss":
        each = each / loss.arrays["target_lengths"]
    close(backend.numpy(loss.ours(**arrays)), each.mean())


# --- Laws -------------------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)
CONVEX = [
    # in all of its scores together
    ("cross_entropy", ["input"]),
    ("linear_cross_entropy", ["input"]),
    ("linear_cross_entropy", ["linear_weight", "linear_bias"]),
    ("binary_cross_entropy", ["input"]),
    ("binary_cross_entropy_with_logits", ["input"]),
    ("soft_margin_loss", ["input"]),
    ("multilabel_soft_margin_loss", ["input"]),
    ("multi_margin_loss", ["input"]),
    ("multilabel_margin_loss", ["input"]),
    ("mse_loss", ["input", "target"]),
    ("l1_loss", ["input", "target"]),
    ("huber_loss", ["input", "target"]),
    ("smooth_l1_loss", ["input", "target"]),
    ("poisson_nll_loss", ["input"]),
    ("kl_div", ["target"]),
    ("hinge_embedding_loss", ["input"]),
    ("margin_ranking_loss", ["input1", "input2"]),
]


@pytest.mark.parametrize(
    ("name", "keys"), [case for case in CONVEX if case[0] in LOSSES]
)
@given(seed=seeds, share=st.floats(0, 1))
def test_convex_on_random_segments(name, keys, seed, share) -> None:
    rng = np.random.default_rng(seed)
    loss = TABLE[name]

    def draw(x: np.ndarray) -> np.ndarray:
        if name == "binary_cross_entropy" or keys == ["target"]:
            return rng.random(x.shape)
        return 3 * rng.normal(size=x.shape)

    a, b = ({key: draw(loss.all[key]) for key in keys} for _ in range(2))
    between = {key: share * a[key] + (1 - share) * b[key] for key in keys}
    at_a, at_b, at_between = (
        loss.ours(**{**loss.all, **x}, reduction="sum")
        for x in (a, b, between)
    )
    chord = share * at_a + (1 - share) * at_b
    assert at_between <= chord + 1e-10 * (1 + abs(chord))


# What may be added to several arguments at once, the same for all classes of a sample.
SHIFTS = {
    "cross_entropy": ["input"],
    "multi_margin_loss": ["input"],
    "multilabel_margin_loss": ["input"],
    "linear_cross_entropy": ["linear_bias"],
    "mse_loss": ["input", "target"],
    "l1_loss": ["input", "target"],
    "huber_loss": ["input", "target"],
    "smooth_l1_loss": ["input", "target"],
    "gaussian_nll_loss": ["input", "target"],
    "margin_ranking_loss": ["input1", "input2"],
    "triplet_margin_loss": ["anchor", "positive", "negative"],
    "triplet_margin_with_distance_loss": ["anchor", "positive", "negative"],
}


@pytest.mark.parametrize("name", [x for x in SHIFTS if x in LOSSES])
@given(shift=st.floats(-100, 100))
def test_shift_invariance(name, shift) -> None:
    loss = TABLE[name]
    keys = SHIFTS[name]
    arrays = loss.arrays | {key: loss.all[key] for key in keys}
    moved = arrays | {key: arrays[key] + shift for key in keys}
    np.testing.assert_allclose(
        loss.ours(**moved, reduction="none"),
        loss.ours(**arrays, reduction="none"),
        atol=1e-11,
    )


SYMMETRIC = {
    "mse_loss": ["input", "target"],
    "l1_loss": ["input", "target"],
    "huber_loss": ["input", "target"],
    "smooth_l1_loss": ["input", "target"],
    "gaussian_nll_loss": ["input", "target"],
    "cosine_embedding_loss": ["input1", "input2"],
}


@pytest.mark.parametrize("name", SYMMETRIC)
@given(seed=seeds)
def test_symmetry(name, seed) -> None:
    rng = np.random.default_rng(seed)
    loss, (one, other) = TABLE[name], SYMMETRIC[name]
    a, b = 3 * rng.normal(size=(2, *loss.arrays[one].shape))
    here, there = (
        loss.ours(**{**loss.arrays, one: x, other: y}, reduction="none")
        for x, y in ((a, b), (b, a))
    )
    np.testing.assert_allclose(here, there, rtol=1e-13, atol=1e-14)


# A loss is at least 0, but for a score that is read as it is, and for a density.
UNBOUNDED = {"nll_loss", "gaussian_nll_loss", "poisson_nll_loss", "kl_div"}


@pytest.mark.parametrize("name", [x for x in LOSSES if x not in UNBOUNDED])
@given(seed=seeds)
def test_no_loss_is_negative(name, seed) -> None:
    rng = np.random.default_rng(seed)
    loss = TABLE[name]
    x = 3 * rng.normal(size=loss.arrays[loss.first].shape)
    if name in ("binary_cross_entropy", "hinge_embedding_loss"):
        x = rng.random(x.shape)
    if name == "ctc_loss":
        x = losslib.log_softmax(x, axis=-1)
    each = loss.ours(**{**loss.arrays, loss.first: x}, reduction="none")
    assert np.all(each >= 0)


@given(seeds, st.floats(0.1, 10))
def test_limits_by_their_rate(seed, tau) -> None:
    """Huber tends to half the square and, over delta, to the absolute value: from below."""
    rng = np.random.default_rng(seed)
    x, y = tau * rng.normal(size=(2, 20))
    none = {"reduction": "none"}
    size = np.abs(x - y)
    for delta in (1e-2, 1e-4, 1e-6):
        gap = size - losslib.smooth_l1_loss(x, y, beta=delta, **none)
        assert np.all(gap >= -1e-12)
        assert np.all(gap <= delta / 2 + 1e-12)
    half = losslib.mse_loss(x, y, **none) / 2
    assert np.all(losslib.huber_loss(x, y, **none) <= half + 1e-12)
    np.testing.assert_allclose(
        losslib.huber_loss(x, y, delta=size.max() + 1, **none), half
    )
    z = rng.normal(size=20)
    for t in (1.0, 0.1, 0.01):  # softplus less hinge is at most tau log 2
        soft = t * losslib.soft_margin_loss(z / t, np.ones(20), **none)
        gap = soft - np.maximum(-z, 0)
        assert np.all((gap >= -1e-15) & (gap <= t * np.log(2) + 1e-15))


@given(seeds)
def test_minimised_at_the_truth(seed) -> None:
    """Each regression loss at its own centre; a density at its own parameters."""
    rng = np.random.default_rng(seed)
    y, step = rng.normal(size=31), 0.1 + rng.random()

    def at(f: Any, best: float) -> None:
        values = [
            f(np.full(31, best + move), y) for move in (-step, 0.0, step)
        ]
        assert values[1] <= min(values) + 1e-12

    at(losslib.mse_loss, y.mean())
    at(losslib.l1_loss, np.median(y))
    var = np.mean((y - y.mean()) ** 2)
    middle = np.full(31, y.mean())
    best, *others = (
        losslib.gaussian_nll_loss(middle, y, np.full(31, var * share))
        for share in (1.0, 0.7, 1.4)
    )
    assert best <= min(others)
    counts = np.floor(10 * rng.random(31)) + 1
    best, *others = (
        losslib.poisson_nll_loss(
            np.full(31, np.log(counts.mean()) + move), counts
        )
        for move in (0.0, -step, step)
    )
    assert best <= min(others)
    z = rng.normal(size=(31, 4))
    log_p, log_q = losslib.log_softmax(z), losslib.log_softmax(z[::-1])
    kl = partial(losslib.kl_div, log_target=True, reduction="none")
    assert np.all(kl(log_q, log_p).sum(-1) >= -1e-12)
    np.testing.assert_array_equal(kl(log_p, log_p), 0.0)


@given(seeds, st.floats(-3, 3))
def test_the_cosine_knows_no_length(seed, exponent) -> None:
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(2, 6, 4))
    y = np.where(rng.random(6) < 0.5, -1, 1)
    loss = partial(losslib.cosine_embedding_loss, reduction="none")
    close = partial(np.testing.assert_allclose, atol=1e-13)
    close(loss(10.0**exponent * u, v, y), loss(u, v, y))
    assert np.all(loss(u, v, y) <= 2)


# --- Transformations --------------------------------------------------------------------------


def every_array(backend, loss: Loss) -> dict[str, Any]:
    return {key: backend.array(x) for key, x in loss.all.items()}


@pytest.mark.parametrize("name", LOSSES)
def test_jit_grad_and_vmap_of_jax(name) -> None:
    loss = TABLE[name]
    arrays = every_array(JAX, loss)
    first = arrays.pop(loss.first)

    def f(x: Any, arrays: Any) -> Any:
        return loss.ours(**{loss.first: x}, **arrays)

    close = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-13)
    value, slope = jax.jit(jax.value_and_grad(f))(first, arrays)
    close(value, loss.ours(**loss.all))
    leaf = TORCH.array(loss.all[loss.first]).requires_grad_()
    tensors = {**every_array(TORCH, loss), loss.first: leaf}
    loss.ours(**tensors).backward()
    close(slope, leaf.grad)

    axes = batched(loss)
    each = partial(loss.ours, reduction="none")
    mapped = jax.vmap(
        lambda xs: each(**xs), in_axes=({k: axes[k] for k in loss.all},)
    )
    close(
        mapped({loss.first: first, **arrays}),
        loss.ours(**loss.all, reduction="none"),
    )


@pytest.mark.parametrize("name", LOSSES)
def test_vmap_of_torch(name) -> None:
    loss = TABLE[name]
    tensors, axes = every_array(TORCH, loss), batched(loss)
    names = list(loss.all)

    def each(*xs: Any) -> Any:
        return loss.ours(
            **dict(zip(names, xs, strict=True)), reduction="none"
        )

    mapped = torch.func.vmap(each, tuple(axes[key] for key in names))
    np.testing.assert_allclose(
        mapped(*tensors.values()),
        loss.ours(**loss.all, reduction="none"),
        rtol=1e-12,
        atol=1e-15,
    )


@pytest.mark.parametrize("name", LOSSES)
def test_one_graph_of_torch(compiled, name) -> None:
    """Every loss is one graph, forward and backward; the families run it through inductor."""
    loss = TABLE[name]
    f = torch.compile(loss.ours, fullgraph=True, backend="aot_eager")
    values, slopes = [], []
    for call in (f, loss.ours):
        tensors = every_array(TORCH, loss)
        leaf = tensors[loss.first].requires_grad_()
        values.append(call(**tensors))
        values[-1].backward()
        slopes.append(leaf.grad)
    close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-13)
    close(*values)
    close(*slopes)


def test_every_loss_is_in_every_table() -> None:
    """What a table leaves out is left out by name."""
    assert set(SLOPED) | {"binary_cross_entropy", "ctc_loss", "kl_div"} == {
        *LOSSES,
        *({"ctc_loss"} - set(LOSSES)),
    }
    in_families = {
        "cross_entropy",
        "linear_cross_entropy",
        "ctc_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "soft_margin_loss",
        "huber_loss",
        "smooth_l1_loss",
        "poisson_nll_loss",
        "cosine_embedding_loss",
        "triplet_margin_with_distance_loss",
    }
    assert set(LOSSES) == set(EXACT) | in_families & set(LOSSES)
    assert NUMPY.xp is np
