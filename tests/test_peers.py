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
]
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5}
DEPRECATED = {"size_average", "reduce"}


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
    """Yield every sample and reference input; PyTorch draws them from its global generator."""
    op = operators()[name]
    torch.manual_seed(0)
    for kind, draw in [
        ("sample", op.sample_inputs),
        ("reference", op.reference_inputs),
    ]:
        for case in draw("cpu", dtype, requires_grad=True):
            yield kind, case


def as_library(backend: Backend, x: Any) -> Any:
    if not isinstance(x, torch.Tensor):
        return x
    return backend.array(x.detach().numpy())


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

        expected = theirs(*tensors, **case.kwargs)
        cotangent = torch.linspace(
            0.5, 1.5, expected.numel(), dtype=dtype
        ).reshape(expected.shape)
        gradients = torch.autograd.grad(expected, wanted, cotangent)

        value = ours(*tensors, **case.kwargs)
        assert (value.dtype, value.shape) == (dtype, expected.shape)
        close(value.detach(), expected.detach(), dtype)
        for got, gradient in zip(
            torch.autograd.grad(value, wanted, cotangent),
            gradients,
            strict=True,
        ):
            close(got, gradient, dtype)

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
            close(got, gradient, dtype)
        counts[kind] += 1
        counts["gradients"] += 2 * len(leaves)
    assert counts["sample"] > 0
    assert counts["reference"] >= counts["sample"]
    line = (
        f"{name:33}{str(dtype).removeprefix('torch.'):8}{counts['sample']:4} sample inputs, "
        f"{counts['reference']:3} reference inputs, 3 libraries, {counts['gradients']:4} gradients"
    )
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
                with pytest.raises(
                    (TypeError, ValueError), match=r"\w+ must "
                ):
                    getattr(losslib, name)(*arrays, **sample.kwargs)
        record_property(
            "peers", f"{name:33}errors  {len(shipped[name]):4} error inputs"
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


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("one", "other"), [(NUMPY, TORCH), (TORCH, JAX), (JAX, NUMPY)]
)
def test_mixed_libraries_are_refused(
    name: str, one: Backend, other: Backend
) -> None:
    target = T if name in ("cross_entropy", "nll_loss") else P
    with pytest.raises(
        TypeError,
        match=r"target must come from the same array library as input",
    ):
        getattr(losslib, name)(one.array(P), other.array(target))


@pytest.mark.parametrize("name", LOSSES)
def test_a_module_is_no_array(name: str) -> None:
    with pytest.raises(TypeError, match=r"input must be an array .*Linear"):
        getattr(losslib, name)(torch.nn.Linear(3, 3), TORCH.array(T))
