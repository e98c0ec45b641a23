"""Extreme inputs, awkward arrays, laws and transformations: every loss through the same mill.

What one family needs beyond that stands in the tests of the family.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import losslib
from book.registry import CLASSES, LOSSES, REAL, TABLE, Entry
from harness import (
    LABEL_DTYPES,
    ROUND_OFF,
    as_dtype,
)


def arrays_of(
    backend, loss: Entry, dtype=None, **changes
) -> dict[str, Any]:
    return {
        key: as_dtype(backend, x, dtype)
        for key, x in (loss.arrays | changes).items()
    }


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
    targets = {
        "ctc_loss": {"targets": np.array([[1, 2, 3], [3, 3, 1]])},
        "multilabel_margin_loss": {
            "target": np.array(
                [[2, 0, -1], [-1, 1, 2], [0, 1, 2], [1, -1, 0]]
            )
        },
    }.get(name, {"target": np.array([0, 1, 2, 0])})
    arrays = arrays_of(differentiable, loss, **targets)
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
    for dtype in ("float16", "bfloat16"):
        if dtype not in backend.floats:
            continue
        few = arrays_of(backend, loss, dtype)
        many = {}
        for key, x in loss.arrays.items():
            times = [1] * x.ndim
            axis = loss.arguments[key].axis
            if axis is not None:
                n = x.shape[axis]
                times[axis] = 80_000 // n if name != "ctc_loss" else 2000
            many[key] = np.tile(x, times)
        many = arrays_of(backend, loss, dtype, **many)
        got, expected = loss.ours(**many), loss.ours(**few)
        assert backend.dtype_of(got) == dtype
        np.testing.assert_allclose(
            backend.numpy(got),
            backend.numpy(expected),
            rtol=ROUND_OFF[dtype],
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
        for key in TABLE[name].of_dtype(kind)
    ],
)
def test_labels_of_every_dtype(backend, name, argument, dtype) -> None:
    loss = TABLE[name]
    labels = loss.arrays[argument]
    if loss.arguments[argument].domain.dtype == REAL:
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


# --- Laws -------------------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)
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
    "beta_nll": ["input", "target"],
    "crps_gaussian": ["input", "target"],
    "log_cosh_loss": ["input", "target"],
    "quantile_loss": ["input", "target"],
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
