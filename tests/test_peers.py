"""The material with which PyTorch tests its own losses, through losslib on three libraries."""

from __future__ import annotations

import inspect
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import losslib
from conftest import BACKENDS, JAX, NUMPY, TORCH, Backend

LOSSES = [
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "soft_margin_loss",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
    "huber_loss",
    "gaussian_nll_loss",
    "poisson_nll_loss",
    "kl_div",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "margin_ranking_loss",
    "hinge_embedding_loss",
    "cosine_embedding_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5}
DEPRECATED = {"size_average", "reduce"}
# Where we differ from PyTorch on its own material:
# PyTorch documents "same shape" and broadcasts none the less; ours refuses, since a target (N, 1)
# against (N) would silently make N² losses.
NO_BROADCAST = {"hinge_embedding_loss", "margin_ranking_loss"}
# Where a score is nan the loss is nan in both; the gradient of PyTorch is 0 there, ours is not.
NAN_GRADIENT = {"margin_ranking_loss"}


@cache
def operators() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what PyTorch's internals warn of on import
        from torch.testing._internal.common_methods_invocations import op_db
    prefix = "nn.functional."
    found = [op for op in op_db if op.name.removeprefix(prefix) in LOSSES]
    assert Counter(op.name for op in found) == Counter(
        {prefix + name: 1 for name in LOSSES}
    )
    return {op.name.removeprefix(prefix): op for op in found}


def material(name: str, dtype: torch.dtype) -> Iterator[tuple[str, Any]]:
    """Yield every sample input, and every reference input where the operator has its own.

    PyTorch draws them from its global generator.
    """
    op = operators()[name]
    torch.manual_seed(0)
    draws = {"sample": op.sample_inputs}
    if op.reference_inputs_func is not None:
        draws["reference"] = op.reference_inputs
    for kind, draw in draws.items():
        for case in draw("cpu", dtype, requires_grad=True):
            yield kind, case


def as_library(backend: Backend, x: Any) -> Any:
    if isinstance(x, torch.nn.PairwiseDistance):
        return x if backend is TORCH else None  # ours is the default
    if not isinstance(x, torch.Tensor):
        return x
    return backend.array(x.detach().numpy())


def torch_gradients(
    value: torch.Tensor, leaves: list[torch.Tensor], cotangent: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Return the gradients; 0 for a leaf that is only compared with (a target of -1 and 1)."""
    return torch.autograd.grad(
        value, leaves, cotangent, allow_unused=True, materialize_grads=True
    )


def close(actual: Any, expected: Any, dtype: torch.dtype) -> None:
    tolerance = CLOSE[dtype]
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_every_input_of_pytorch(
    name: str, dtype: torch.dtype, record_property: Any
) -> None:
    ours, theirs = getattr(losslib, name), getattr(F, name)
    counts = Counter()
    for kind, case in material(name, dtype):
        tensors = (case.input, *case.args)
        leaves = [i for i, x in enumerate(tensors) if x.requires_grad]
        wanted = [tensors[i] for i in leaves]

        if name in NO_BROADCAST and len({x.shape for x in tensors}) > 1:
            with pytest.raises(ValueError, match="must have the shape of"):
                ours(*tensors, **case.kwargs)
            counts["refused"] += 1
            continue

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "reduction: 'mean' divides")
            expected = theirs(*tensors, **case.kwargs)
        cotangent = torch.linspace(
            0.5, 1.5, expected.numel(), dtype=dtype
        ).reshape(expected.shape)
        gradients = torch_gradients(expected, wanted, cotangent)

        kept: Any = ...
        if name in NAN_GRADIENT:
            kept = ~torch.stack([x.isnan() for x in tensors]).any(0).numpy()

        value = ours(*tensors, **case.kwargs)
        assert (value.dtype, value.shape) == (dtype, expected.shape)
        close(value.detach(), expected.detach(), dtype)
        for got, gradient in zip(
            torch_gradients(value, wanted, cotangent),
            gradients,
            strict=True,
        ):
            close(np.asarray(got)[kept], gradient.numpy()[kept], dtype)

        arrays = [as_library(NUMPY, x) for x in tensors]
        options = {
            key: as_library(NUMPY, x) for key, x in case.kwargs.items()
        }
        close(ours(*arrays, **options), expected.detach(), dtype)

        arrays = [as_library(JAX, x) for x in tensors]
        options = {
            key: as_library(JAX, x) for key, x in case.kwargs.items()
        }

        def of_leaves(
            *xs: Any, arrays: Any = arrays, options: Any = options
        ) -> Any:
            full = [*xs, *arrays[len(xs) :]]
            return ours(*full, **options)

        assert leaves == list(range(len(leaves)))  # the leaves come first
        value, pullback = jax.vjp(of_leaves, *(arrays[i] for i in leaves))
        close(value, expected.detach(), dtype)
        for got, gradient in zip(
            pullback(jnp.asarray(cotangent.numpy())), gradients, strict=True
        ):
            close(np.asarray(got)[kept], gradient.numpy()[kept], dtype)
        counts[kind] += 1
        counts["gradients"] += 2 * len(leaves)
    assert counts["sample"] > 0
    assert (counts["refused"] > 0) == (name in NO_BROADCAST)
    line = (
        f"{name:34}{str(dtype).removeprefix('torch.'):8}{counts['sample']:4} sample inputs, "
        f"{counts['reference']:3} reference inputs, 3 libraries, {counts['gradients']:4} gradients"
    )
    if counts["refused"]:
        line += f", {counts['refused']} refused"
    record_property("peers", line)


def test_every_error_input_of_pytorch(record_property: Any) -> None:
    shipped = {}
    for name, op in operators().items():
        shipped[name] = (
            list(op.error_inputs("cpu")) if op.error_inputs_func else []
        )
        for case in shipped[name]:
            sample = case.sample_input
            for backend in BACKENDS:
                arrays = [
                    as_library(backend, x)
                    for x in (sample.input, *sample.args)
                ]
                options = {
                    key: as_library(backend, x)
                    for key, x in sample.kwargs.items()
                }
                with pytest.raises((TypeError, ValueError)) as caught:
                    getattr(losslib, name)(*arrays, **options)
                argument, verb, *_ = str(caught.value).split()
                assert argument in inspect.signature(op.op).parameters
                assert verb == "must", caught.value
        record_property(
            "peers", f"{name:34}errors  {len(shipped[name]):4} error inputs"
        )
    assert len(shipped["soft_margin_loss"]) >= 2


@pytest.mark.parametrize("name", LOSSES)
def test_signature_is_that_of_pytorch(name: str) -> None:
    theirs = inspect.signature(getattr(F, name)).parameters
    ours = inspect.signature(getattr(losslib, name)).parameters
    expected = [
        (p.name, p.default)
        for p in theirs.values()
        if p.name not in DEPRECATED
    ]
    assert [(p.name, p.default) for p in ours.values()] == expected


X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
P = np.full((4, 3), 0.25)
T = np.array([0, 1, 2, 0])
W = np.ones(3)
MISTAKES = [
    # loss, positional arguments, options, exception, what the message says
    ("cross_entropy", (X.tolist(), T), {}, TypeError, "input .*list"),
    ("cross_entropy", (X, T.tolist()), {}, TypeError, "target .*list"),
    ("cross_entropy", (X, 0), {}, TypeError, "target .*int"),
    (
        "cross_entropy",
        (X, T, [1.0, 1.0, 1.0]),
        {},
        TypeError,
        "weight .*list",
    ),
    ("cross_entropy", (None, T), {}, TypeError, "input .*None"),
    ("cross_entropy", (X, None), {}, TypeError, "target .*None"),
    ("cross_entropy", (X.astype(int), T), {}, TypeError, "input .*int64"),
    ("cross_entropy", (X > 0, T), {}, TypeError, "input .*bool"),
    ("cross_entropy", (X + 0j, T), {}, TypeError, "input .*complex128"),
    (
        "cross_entropy",
        (X, T.astype(float)),
        {},
        TypeError,
        "target .*float64",
    ),
    ("cross_entropy", (X, T > 0), {}, TypeError, "target .*bool"),
    (
        "cross_entropy",
        (X, T, W.astype(int)),
        {},
        TypeError,
        "weight .*int64",
    ),
    (
        "cross_entropy",
        (X, T + 1),
        {},
        ValueError,
        r"target .*0 … 2 .*got 3 at position \(2,",
    ),
    (
        "cross_entropy",
        (X, T - 1),
        {},
        ValueError,
        r"target .*got -1 at position \(0,",
    ),
    (
        "cross_entropy",
        (X, T[:3]),
        {},
        ValueError,
        r"target .*\(4,\).*got \(3,\)",
    ),
    (
        "cross_entropy",
        (X, T[:, None]),
        {},
        ValueError,
        r"target .*got \(4, 1\)",
    ),
    ("cross_entropy", (X[0], T), {}, ValueError, r"target .*got \(4,\)"),
    (
        "cross_entropy",
        (X[0, 0], T[0]),
        {},
        ValueError,
        r"input .*got shape \(\)",
    ),
    (
        "cross_entropy",
        (X, T, W[:2]),
        {},
        ValueError,
        r"weight .*\(3,\).*\(2,\)",
    ),
    (
        "cross_entropy",
        (X, T, W[None]),
        {},
        ValueError,
        r"weight .*\(3,\).*\(1, 3\)",
    ),
    (
        "cross_entropy",
        (X, P, W[:2]),
        {},
        ValueError,
        r"weight .*\(3,\).*\(2,\)",
    ),
    (
        "cross_entropy",
        (X, T),
        {"reduction": "avg"},
        ValueError,
        "reduction .*'avg'",
    ),
    (
        "cross_entropy",
        (X, T),
        {"reduction": None},
        ValueError,
        "reduction .*None",
    ),
    (
        "cross_entropy",
        (X, P),
        {"reduction": "avg"},
        ValueError,
        "reduction .*'avg'",
    ),
    (
        "cross_entropy",
        (X, T),
        {"label_smoothing": -0.1},
        ValueError,
        "label_smoothing .*-0.1",
    ),
    (
        "cross_entropy",
        (X, T),
        {"label_smoothing": 1.5},
        ValueError,
        "label_smoothing .*1.5",
    ),
    (
        "cross_entropy",
        (X, P - 0.5),
        {},
        ValueError,
        r"target .*\[0, 1\].*got -0.25",
    ),
    (
        "cross_entropy",
        (X, P + 1),
        {},
        ValueError,
        r"target .*\[0, 1\].*got 1.25",
    ),
    ("cross_entropy", (X, P * np.nan), {}, ValueError, "target .*nan"),
    (
        "cross_entropy",
        (X, P),
        {"ignore_index": 1},
        ValueError,
        "ignore_index .*1",
    ),
    ("nll_loss", (X.tolist(), T), {}, TypeError, "input .*list"),
    ("nll_loss", (X, P), {}, TypeError, "target .*float64"),
    ("nll_loss", (X.astype(int), T), {}, TypeError, "input .*int64"),
    ("nll_loss", (X, T + 1), {}, ValueError, "target .*got 3"),
    ("nll_loss", (X, T[:3]), {}, ValueError, r"target .*got \(3,\)"),
    ("nll_loss", (X, T, W[:2]), {}, ValueError, r"weight .*\(2,\)"),
    (
        "nll_loss",
        (X, T),
        {"reduction": "avg"},
        ValueError,
        "reduction .*'avg'",
    ),
    (
        "binary_cross_entropy",
        (P.tolist(), P),
        {},
        TypeError,
        "input .*list",
    ),
    ("binary_cross_entropy", (P, 1.0), {}, TypeError, "target .*float"),
    (
        "binary_cross_entropy",
        (P.astype(int), P),
        {},
        TypeError,
        "input .*int64",
    ),
    (
        "binary_cross_entropy",
        (P, P + 0j),
        {},
        TypeError,
        "target .*complex128",
    ),
    (
        "binary_cross_entropy",
        (P, P, P.astype(int)),
        {},
        TypeError,
        "weight .*int64",
    ),
    (
        "binary_cross_entropy",
        (X, P),
        {},
        ValueError,
        r"input .*\[0, 1\].*got -1",
    ),
    (
        "binary_cross_entropy",
        (P * np.nan, P),
        {},
        ValueError,
        r"input .*\[0, 1\].*nan",
    ),
    (
        "binary_cross_entropy",
        (P, X),
        {},
        ValueError,
        r"target .*\[0, 1\].*got -1",
    ),
    (
        "binary_cross_entropy",
        (P, P[0]),
        {},
        ValueError,
        r"target .*\(4, 3\).*\(3,\)",
    ),
    (
        "binary_cross_entropy",
        (P, P, P[:, :2]),
        {},
        ValueError,
        r"weight .*\(4, 2\)",
    ),
    (
        "binary_cross_entropy",
        (P, P, P[None]),
        {},
        ValueError,
        r"weight .*\(1, 4, 3\)",
    ),
    (
        "binary_cross_entropy",
        (P, P),
        {"reduction": "avg"},
        ValueError,
        "reduction .*'avg'",
    ),
    (
        "binary_cross_entropy_with_logits",
        ([0.0], P),
        {},
        TypeError,
        "input .*list",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X.astype(int), P),
        {},
        TypeError,
        "input .*int64",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X, X),
        {},
        ValueError,
        r"target .*\[0, 1\].*-1",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X, P[:3]),
        {},
        ValueError,
        r"target .*\(3, 3\)",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X, P, W[:2]),
        {},
        ValueError,
        r"weight .*\(2,\)",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X, P),
        {"pos_weight": W[:2]},
        ValueError,
        r"pos_weight .*\(2,\)",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X, P),
        {"pos_weight": [1.0]},
        TypeError,
        "pos_weight",
    ),
    (
        "binary_cross_entropy_with_logits",
        (X, P),
        {"reduction": ""},
        ValueError,
        "reduction .*''",
    ),
    ("soft_margin_loss", (X.tolist(), T), {}, TypeError, "input .*list"),
    ("soft_margin_loss", (X, "yes"), {}, TypeError, "target .*str"),
    (
        "soft_margin_loss",
        (X.astype(int), X),
        {},
        TypeError,
        "input .*int64",
    ),
    ("soft_margin_loss", (X, X + 0j), {}, TypeError, "target .*complex128"),
    ("soft_margin_loss", (X, X[0]), {}, ValueError, r"target .*\(3,\)"),
    (
        "soft_margin_loss",
        (X, X),
        {"reduction": "avg"},
        ValueError,
        "reduction .*'avg'",
    ),
]


@pytest.mark.parametrize(
    ("name", "args", "options", "error", "words"), MISTAKES
)
def test_mistakes_are_named(
    backend, name, args, options, error, words
) -> None:
    def convert(x: Any) -> Any:
        return (
            backend.array(x)
            if isinstance(x, np.ndarray | np.generic)
            else x
        )

    arrays = [convert(x) for x in args]
    options = {key: convert(x) for key, x in options.items()}
    with pytest.raises(error) as caught:
        getattr(losslib, name)(*arrays, **options)
    assert re.search(words, str(caught.value)), str(caught.value)


CLASSES = {
    "cross_entropy": T,
    "nll_loss": T,
    "multi_margin_loss": T,
    "multilabel_margin_loss": np.tile([2, 0, -1], (4, 1)),
    "cosine_embedding_loss": np.ones(4),
}


def valid(name: str) -> dict[str, np.ndarray]:
    """Return arrays that a loss accepts, one for each of its required arguments."""
    names = inspect.signature(getattr(losslib, name)).parameters.values()
    required = [p.name for p in names if p.default is p.empty]
    return {
        key: CLASSES.get(name, P) if key == "target" else P
        for key in required
    }


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("one", "other"), [(NUMPY, TORCH), (TORCH, JAX), (JAX, NUMPY)]
)
def test_mixed_libraries_are_refused(
    name: str, one: Backend, other: Backend
) -> None:
    arrays = valid(name)
    first, *rest = arrays
    for argument in rest:
        mixed = {
            key: (other if key == argument else one).array(x)
            for key, x in arrays.items()
        }
        with pytest.raises(
            TypeError,
            match=f"{argument} must come from the same array library as {first}",
        ):
            getattr(losslib, name)(**mixed)


@pytest.mark.parametrize("name", LOSSES)
def test_a_module_is_no_array(name: str) -> None:
    first, *rest = arrays = valid(name)
    others = {key: TORCH.array(arrays[key]) for key in rest}
    with pytest.raises(
        TypeError, match=f"{first} must be an array .*Linear"
    ):
        getattr(losslib, name)(**{first: torch.nn.Linear(3, 3)}, **others)
