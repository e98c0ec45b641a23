"""What every loss refuses, and how it says so: which argument, what was expected, what came."""

from __future__ import annotations

import inspect
import re
from typing import Any

import jax
import numpy as np
import pytest
import torch

import losslib
from book.registry import (
    CLASSES,
    DEPRECATED,
    FLOATING,
    IN_PYTORCH,
    LOSSES,
    REAL,
    TABLE,
    Entry,
)
from harness import JAX, NUMPY, TORCH, Backend, as_dtype, by_entry

Z, P, T = (
    np.random.default_rng(7).normal(size=(4, 3)),
    np.full((4, 3), 0.25),
    np.array([0, 1, 2, 0]),
)
W = np.array([0.5, 2.0, 1.5])


def is_loss(entry: Entry) -> bool:
    return entry.kind == "loss"


def refused(
    backend: Backend,
    name: str,
    error: type[Exception],
    words: str,
    /,
    **changes: Any,
) -> str:
    """Check that a loss of good arrays refuses what is changed in them, and return the message."""
    arguments = {
        key: as_dtype(backend, x, None)
        for key, x in (TABLE[name].arrays | changes).items()
    }
    with pytest.raises((TypeError, ValueError)) as caught:
        TABLE[name].ours(**arguments)
    message = str(caught.value)
    assert caught.type is error, message
    assert re.match(words, message), message
    assert "got" in message or "is of" in message, message
    return message


# --- Signatures -------------------------------------------------------------------------------


# PyTorch's object of settings for its chunks is a number of samples here.
OURS = {"options": "chunk_size"}
# What ours can do besides, by keyword.
MORE = {"sample_weight", "mask"}


@pytest.mark.parametrize("name", IN_PYTORCH)
def test_signature_is_that_of_pytorch(name: str) -> None:
    """Its names, order and defaults, less what is deprecated; only arrays are positional."""
    theirs = inspect.signature(TABLE[name].theirs).parameters
    ours = inspect.signature(TABLE[name].ours).parameters
    expected = [
        (OURS.get(p.name, p.name), p.default)
        for p in theirs.values()
        if p.name not in DEPRECATED
    ]
    assert [
        (p.name, p.default) for p in ours.values() if p.name not in MORE
    ] == expected
    positional = {
        p.name for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD
    }
    assert set(TABLE[name].arrays) <= positional <= set(TABLE[name].all)


# --- Arrays -----------------------------------------------------------------------------------

EVERY_ARRAY = by_entry(arrays=lambda entry: entry.all)


@pytest.mark.parametrize(("name", "argument"), EVERY_ARRAY)
def test_what_is_no_array(backend, name: str, argument: str) -> None:
    good = TABLE[name].all[argument]
    bad = ["yes", torch.nn.Linear(3, 3)]
    kinds = "an array of NumPy, PyTorch or JAX"
    if argument.endswith("_lengths"):
        kinds = "an array, a tuple or a list of integers, or an integer"
    else:
        bad += [good.tolist(), tuple(good.tolist())]
    if not TABLE[name].arguments[argument].or_number:
        bad.append(1.0)
    if argument in TABLE[name].arrays:
        bad.append(None)
    for x in bad:
        refused(
            backend,
            name,
            TypeError,
            f"{argument} must be {kinds}, got {type(x).__name__}",
            **{argument: x},
        )


@pytest.mark.parametrize(("name", "argument"), EVERY_ARRAY)
@pytest.mark.parametrize(
    ("one", "other"), [(NUMPY, TORCH), (TORCH, JAX), (JAX, NUMPY)]
)
def test_mixed_libraries(
    name: str, argument: str, one: Backend, other: Backend
) -> None:
    loss = TABLE[name]
    if argument == loss.first:
        return
    arrays = {key: one.array(x) for key, x in loss.arrays.items()}
    arrays[argument] = other.array(loss.all[argument])
    with pytest.raises(
        TypeError,
        match=f"^{argument} must come from the same array library as {loss.first}: .*"
        rf"\({one.name} and {other.name}\)",
    ):
        loss.ours(**arrays)


@pytest.mark.parametrize(("name", "argument"), EVERY_ARRAY)
def test_wrong_kinds_of_numbers(backend, name, argument) -> None:
    loss = TABLE[name]
    if loss.kind == "reduction":
        return  # which takes numbers of any kind
    good = loss.all[argument]
    wrong, words = {
        FLOATING: (
            ["int64", "bool", "complex128"],
            "a real floating dtype",
        ),
        REAL: (["complex128"], "a real dtype"),
        CLASSES: (["float64", "bool", "complex128"], ".*integer dtype"),
        "bool": (["float64", "int64"], ".*bool"),
    }[loss.arguments[argument].domain.dtype]
    for dtype in wrong:
        refused(
            backend,
            name,
            TypeError,
            f"{argument} must .*{words}, got .*{dtype}",
            **{argument: good.astype(dtype)},
        )


# Where two arguments disagree, and the other one is named.
BLAMED = {
    ("ctc_loss", "targets"): "targets|target_lengths",
    ("linear_cross_entropy", "linear_weight"): "linear_weight|target",
    ("ordinal_loss", "thresholds"): "thresholds|target",
}
# Samples of any size.
ANY_LENGTH = {
    ("energy_distance", "v_values"),
    ("wasserstein_1d", "v_values"),
}


@pytest.mark.parametrize(("name", "argument"), EVERY_ARRAY)
def test_shapes_that_do_not_match(backend, name, argument) -> None:
    loss = TABLE[name]
    good = loss.all[argument]
    if argument == loss.first:
        return
    for bad in (good[..., :-1], good[None, None]):
        if loss.form.broadcasts and bad.ndim > good.ndim:
            continue
        if bad.ndim == good.ndim and (name, argument) in ANY_LENGTH:
            continue
        named = BLAMED.get((name, argument), argument)
        message = refused(
            backend,
            name,
            ValueError,
            f"({named}) must ",
            **{argument: bad},
        )
        shape = str(tuple(bad.shape))
        assert named != argument or shape in message, message


@pytest.mark.parametrize("name", by_entry(is_loss))
def test_wrong_ranks(backend, name) -> None:
    """A loss of one element each knows no wrong rank."""
    loss = TABLE[name]
    assert bool(loss.form.refused) != loss.each
    for shape in loss.form.refused:
        bad = {
            key: np.zeros(shape, x.dtype)
            for key, x in loss.arrays.items()
            if name != "ctc_loss" or key == loss.first
        }
        message = refused(
            backend, name, ValueError, f"{loss.first} must ", **bad
        )
        assert str(shape) in message, message


@pytest.mark.parametrize("name", by_entry(is_loss))
def test_shapes_are_checked_while_a_compiler_traces(name) -> None:
    loss = TABLE[name]
    *_, last = loss.arrays
    arrays = {key: JAX.array(x) for key, x in loss.arrays.items()}
    arrays[last] = arrays[last][None, None]
    with pytest.raises(ValueError, match=f"^{last} must "):
        jax.jit(loss.ours)(**arrays)


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", by_entry(lambda e: bool(e.of_dtype(CLASSES)))
)
def test_classes_out_of_range(backend, name) -> None:
    loss = TABLE[name]
    argument = loss.of_dtype(CLASSES)[0]
    few = [-2] if name == "multilabel_margin_loss" else [-1]
    if not loss.takes("ignore_index") and name not in NO_LABEL:
        few.append(-100)
    for bad in (*few, 255, loss.n_classes):
        target = loss.arrays[argument].copy()
        target.flat[0] = bad
        message = refused(
            backend,
            name,
            ValueError,
            rf"{argument} must hold .* … {loss.n_classes - 1}.*"
            rf"got {bad} at position \(0,",
            **{argument: target},
        )
        assert " 0 … " in message or " 1 … " in message


NO_LABEL = {"ctc_loss", "smooth_labels", "multilabel_margin_loss"}
PROBABILITIES = {
    "binary_cross_entropy": ["input", "target"],
    "binary_cross_entropy_with_logits": ["target"],
    "cross_entropy": ["target"],
    "linear_cross_entropy": ["target"],
}


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, x) for name in LOSSES for x in PROBABILITIES.get(name, [])],
)
@pytest.mark.parametrize("bad", [-0.25, 1.5, np.nan, np.inf])
def test_probabilities_out_of_range(backend, name, argument, bad) -> None:
    p = np.full((4, TABLE[name].n_classes), 0.25)
    p[1, 2] = bad
    refused(
        backend,
        name,
        ValueError,
        rf"{argument} must hold probabilities in \[0, 1\], "
        rf"got {bad} at position \(1, 2\)",
        **{argument: p},
    )


# --- Options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_entry(is_loss))
@pytest.mark.parametrize("bad", ["avg", "batchmean", "", None, 1])
def test_unknown_reductions(backend, name, bad) -> None:
    known = "'none', 'mean' or 'sum'"
    if name == "kl_div":
        known = "'none', 'mean', 'sum' or 'batchmean'"
        bad = "Mean" if bad == "batchmean" else bad
    refused(
        backend,
        name,
        ValueError,
        f"reduction must be {known}, got {bad!r}$",
        reduction=bad,
    )


@pytest.mark.parametrize("name", by_entry(lambda e: bool(e.bad)))
def test_what_each_function_refuses(backend, name) -> None:
    entry = TABLE[name]
    for changes, words in entry.bad:
        refused(backend, name, ValueError, words, **changes)


ONE_OF = {
    ("multi_margin_loss", "p"),  # any other value is one too many
    ("poisson_nll_loss", "full"),
    ("quantile_loss", "q"),  # a list of levels is welcome
}


@pytest.mark.parametrize("name", by_entry(lambda e: bool(e.bad)))
def test_options_of_another_type(name) -> None:
    """A number is no string, and no array of several."""
    entry = TABLE[name]
    for key in {key for changes, _ in entry.bad for key in changes}:
        for bad in ("1", [1.0]):
            if key not in entry.arguments and (name, key) not in ONE_OF:
                refused(
                    NUMPY, name, TypeError, f"{key} must ", **{key: bad}
                )


@pytest.mark.parametrize("name", by_entry())
def test_flags_are_true_or_false(name) -> None:
    for key, option in inspect.signature(
        TABLE[name].ours
    ).parameters.items():
        if isinstance(option.default, bool):
            refused(NUMPY, name, TypeError, f"{key} must be", **{key: 1.0})


# --- What has a message of its own ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "error", "words"),
    [
        (
            "cross_entropy",
            {"target": T + 1},
            ValueError,
            r"target must hold classes in 0 … 2 \(or ignore_index=-100\), "
            r"got 3 at position \(2,\)",
        ),
        (
            "multilabel_margin_loss",
            {"target": np.array([[0, -1, 7], [-5, 1, 2]] * 2)},
            ValueError,
            r"target .*or -1 behind the last, got -5 at position \(1, 0\)",
        ),
        (
            "mutual_information",
            {"joint": np.full((2, 2), 0.5)},
            ValueError,
            r"joint must sum to 1 along axis \(-2, -1\), got",
        ),
        (
            "cross_entropy",
            {"target": T - 1, "ignore_index": 5},
            ValueError,
            r"target .*0 … 2 \(or ignore_index=5\), got -1",
        ),
        (
            "cross_entropy",
            {"input": Z[0]},
            ValueError,
            r"target must have shape \(\), one class per sample of input \(3,\)",
        ),
        (
            "cross_entropy",
            {"target": P, "weight": W[:2]},
            ValueError,
            r"weight must hold one number per class, shape \(3,\), got shape \(2,\)",
        ),
        (
            "cross_entropy",
            {"target": P, "ignore_index": 1},
            ValueError,
            "ignore_index needs class indices in target, got 1",
        ),
        (
            "cross_entropy",
            {"target": P, "reduction": "avg"},
            ValueError,
            "reduction must .*'avg'",
        ),
        (
            "binary_cross_entropy",
            {"weight": P[None]},
            ValueError,
            r"weight must broadcast to the shape of input, \(4, 3\), got \(1, 4, 3\)",
        ),
        (
            "gaussian_nll_loss",
            {"var": -P},
            ValueError,
            r"var must not be negative, got -0.\d+ at position \(0, 0\)",
        ),
        (
            "gaussian_nll_loss",
            {"var": -1.0},
            ValueError,
            "var must not be negative, got -1.0",
        ),
        (
            "multilabel_margin_loss",
            {"input": Z[:, :0], "target": T[:, None][:, :0]},
            ValueError,
            r"input must have at least one class, got shape \(4, 0\)",
        ),
        (
            "multilabel_margin_loss",
            {"input": Z[0, :0], "target": T[:0]},
            ValueError,
            r"input must have at least one class, got shape \(0,\)",
        ),
        *(
            (
                name,
                {"input": Z[:, :0], "target": Z[:, :0]},
                ValueError,
                r"input must have at least one class, got shape \(4, 0\)",
            )
            for name in ("cross_entropy", "focal_loss")
        ),
    ],
)
def test_the_rest(backend, name, changes, error, words) -> None:
    refused(backend, name, error, words, **changes)


@pytest.mark.parametrize(
    ("name", "args", "end"),
    [
        (
            "brier_score",
            [np.full((2, 3), 1 / 3)],
            " with its classes on axis 1",
        ),
        ("nll_loss", [Z[:2]], " with its classes on axis 1"),
        (
            "cross_entropy",
            [Z[:2]],
            " with its classes on axis 1, or hold probabilities, of a floating dtype",
        ),
        (
            "linear_cross_entropy",
            [Z[:2], np.ones((4, 3))],
            " and linear_weight (4, 3)",
        ),
    ],
)
def test_how_many_classes_are_wanted_is_said(name, args, end) -> None:
    told = f"target must have shape (2,), one class per sample of input (2, 3){end}, got (3,)"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        getattr(losslib, name)(*args, np.zeros(3, int))
