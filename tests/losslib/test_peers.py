"""The material with which PyTorch tests its own losses, through losslib on three libraries.

It comes from four places in its wheel: the samples of its operators, those of its modules, and two
older lists of tests. A module, and a test that wraps a function, is run once under watch: what it
passes to the function in ``torch.nn.functional`` is what losslib gets.
"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import losslib
from book.registry import DEPRECATED
from book.registry import IN_PYTORCH as LOSSES
from harness import BACKENDS, JAX, NUMPY, TORCH, Backend

CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5}
# A sum over 50 frames, in which float32 rounds at every one.
LONG_SUMS = {"ctc_loss": 50}
PREFIX = "nn.functional."

# --- Where we differ from PyTorch on its own material -----------------------------------------

# PyTorch documents "same shape" and broadcasts none the less; ours refuses, since a target (N, 1)
# against (N) would silently make N² losses.
NO_BROADCAST = {"hinge_embedding_loss", "margin_ranking_loss"}
REFUSED = {
    "a target that would be broadcast": "must have the shape of",
    "complex numbers": "must have a real floating dtype",
    "a target outside [0, 1]": "must hold probabilities in",
    "a negative count": "target must not be negative",
}
COUNTS = {"poisson_nll_loss"}
PROBABILITIES = {"binary_cross_entropy_with_logits"}
# Where a score is nan the loss is nan in both; the gradient of PyTorch is 0 there, ours is not.
NAN_GRADIENT = {"margin_ranking_loss"}
# An error of PyTorch that is none of ours: weights of another floating dtype are cast.
ACCEPTED = {"nll_loss": "expected scalar type"}
# How PyTorch cuts its work into chunks; ours has `chunk_size`.
DROPPED = {*DEPRECATED, "options"}
# PyTorch's gradient of the CTC loss is that of the logits, ours is the true one: both are compared
# behind a log_softmax.
BEHIND = {"ctc_loss": "log_probs"}


# --- The material -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One call of a loss, as PyTorch makes it in its tests."""

    source: str
    arguments: dict[str, Any]
    reference: Callable[[], Any] | None = None

    @property
    def leaves(self) -> dict[str, torch.Tensor]:
        return {
            name: x
            for name, x in self.arguments.items()
            if isinstance(x, torch.Tensor) and x.requires_grad
        }


def by_name(
    theirs: Any, args: tuple[Any, ...], kwargs: Any
) -> dict[str, Any]:
    """Return the arguments of a call by name, in the terms of today: without what is deprecated."""
    bound = inspect.signature(theirs).bind(*args, **kwargs)
    arguments = dict(bound.arguments)
    if arguments.get("reduce") is False:
        arguments["reduction"] = "none"
    return {
        key: alone(x) for key, x in arguments.items() if key not in DROPPED
    }


def alone(x: Any) -> Any:
    """Return a tensor without its history: PyTorch makes some targets out of the input."""
    if not isinstance(x, torch.Tensor):
        return x
    return x.detach().clone().requires_grad_(x.requires_grad)


@contextmanager
def watched(name: str) -> Iterator[list[dict[str, Any]]]:
    """Yield a list that fills with the arguments of every call of a loss of PyTorch."""
    calls: list[dict[str, Any]] = []
    theirs = getattr(F, name)

    def watcher(*args: Any, **kwargs: Any) -> Any:
        calls.append(by_name(theirs, args, kwargs))
        return theirs(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, name, watcher)
        yield calls


@cache
def internals() -> Any:
    """Import PyTorch's internal test lists, which warn of themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal import (
            common_methods_invocations,
            common_modules,
            common_nn,
        )
    return common_methods_invocations, common_modules, common_nn


@cache
def operators() -> dict[str, Any]:
    found = [
        op
        for op in internals()[0].op_db
        if op.name.removeprefix(PREFIX) in LOSSES
    ]
    names = [op.name.removeprefix(PREFIX) for op in found]
    return dict(zip(names, found, strict=True))


@cache
def modules() -> dict[str, Any]:
    """Return PyTorch's entries for the modules of losses, by the name of the function."""
    entries = {m.module_cls.__name__: m for m in internals()[1].module_db}
    loss_of = {
        "BCELoss": "binary_cross_entropy",
        "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
        "KLDivLoss": "kl_div",
    }
    squeezed = {name.replace("_", ""): name for name in LOSSES}
    found = {}
    for cls, entry in entries.items():
        bare = cls.lower()
        name = loss_of.get(cls) or next(
            (squeezed[x] for x in (bare, bare[:-4]) if x in squeezed), None
        )
        if name in LOSSES:
            found[name] = entry
    return found


def of_operator(name: str, dtype: torch.dtype) -> Iterator[Case]:
    """Yield every sample input, and every reference input where the operator has its own."""
    if name not in operators():
        return
    op = operators()[name]
    draws = {"sample": op.sample_inputs}
    if op.reference_inputs_func is not None:
        draws["reference"] = op.reference_inputs
    for source, draw in draws.items():
        for case in draw("cpu", dtype, requires_grad=True):
            args = (case.input, *case.args)
            yield Case(source, by_name(op.op, args, case.kwargs))


def of_module(name: str, dtype: torch.dtype) -> Iterator[Case]:
    if name not in modules():
        return
    entry = modules()[name]
    for case in entry.module_inputs_func(
        entry, device="cpu", dtype=dtype, requires_grad=True, training=True
    ):
        given, made = case.forward_input, case.constructor_input
        with watched(name) as calls:
            module = entry.module_cls(*made.args, **made.kwargs)
            module.to(dtype)(*given.args, **given.kwargs)
        (call,) = calls
        fixed = [
            x.detach() if isinstance(x, torch.Tensor) else x
            for x in given.args
        ]
        yield Case(
            "module", call, partial(case.reference_fn, module, *fixed)
        )


@cache
def older_tests() -> list[Any]:
    """Return PyTorch's older tests of losses: of modules without a batch, and of functions."""
    common = internals()[2]
    entries = [
        *(common.CriterionTest(**x) for x in common.criterion_tests),
        *(
            common.NewModuleTest(**x)
            for x in common.get_new_module_tests()
            if "Loss" in x.get("fullname", "")
        ),
    ]
    assert len(entries) > 80
    return entries


def loss_of(test: Any) -> str:
    """Return the name of the loss that an older test is about, from its own name."""
    spelled = {
        "BCEWithLogits": "binary_cross_entropy_with_logits",
        "BCE": "binary_cross_entropy",
        "KLDiv": "kl_div",
    }
    stem = test.fullname.partition("Loss")[0]
    if stem in spelled:
        return spelled[stem]
    bare = {x.replace("_", ""): x for x in LOSSES}
    return bare[stem.lower() + "loss"]


def of_older_tests(name: str, dtype: torch.dtype) -> Iterator[Case]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        for test in older_tests():
            if loss_of(test) != name:
                continue
            test._arg_cache.clear()
            with watched(name) as calls:
                module = test.constructor(*test.constructor_args)
                inputs = test._get_input()
                inputs = (
                    inputs if isinstance(inputs, tuple | list) else [inputs]
                )
                leaves = [as_leaf(x, dtype) for x in inputs]
                criterion = isinstance(test, internals()[2].CriterionTest)
                rest = [test._get_target()] if criterion else []
                rest = [
                    y
                    for x in rest
                    for y in (x if isinstance(x, tuple | list) else [x])
                ]
                module(*leaves, *(as_floats(x, dtype) for x in rest))
            yield Case("criterion" if criterion else "function", *calls)
    finally:
        torch.set_default_dtype(default)


def as_floats(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return x.detach().to(dtype) if x.is_floating_point() else x.detach()


def as_leaf(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return as_floats(x, dtype).requires_grad_(x.dtype.is_floating_point)


def material(name: str, dtype: torch.dtype) -> list[Case]:
    """Return every input that PyTorch ships; it draws them from its global generator."""
    torch.manual_seed(0)
    draws = (of_operator, of_module, of_older_tests)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for draw in draws for case in draw(name, dtype)]


# --- The comparison ---------------------------------------------------------------------------


def as_library(backend: Backend, x: Any) -> Any:
    if isinstance(x, torch.nn.PairwiseDistance):
        return x if backend is TORCH else None  # ours is the default
    if not isinstance(x, torch.Tensor):
        return x
    return backend.array(x.detach().numpy())


def close(
    actual: Any, expected: Any, dtype: torch.dtype, slack: float = 1.0
) -> None:
    tolerance = slack * CLOSE[dtype]
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance
    )


def in_unit_interval(arguments: dict[str, Any]) -> bool:
    y = arguments["target"]
    return bool(((y >= 0) & (y <= 1)).all())


def refusal(name: str, case: Case) -> str | None:
    """Return why losslib refuses what PyTorch takes, and check that it says so."""
    arguments = case.arguments
    tensors = [x for x in arguments.values() if isinstance(x, torch.Tensor)]
    shapes = {tuple(x.shape) for x in tensors}
    if name in NO_BROADCAST and len(shapes) > 1:
        reason = "a target that would be broadcast"
    elif any(x.is_complex() for x in tensors):
        reason = "complex numbers"
    elif name in PROBABILITIES and not in_unit_interval(arguments):
        reason = "a target outside [0, 1]"
    elif name in COUNTS and bool((arguments["target"] < 0).any()):
        reason = "a negative count"
    else:
        return None
    with pytest.raises((TypeError, ValueError), match=REFUSED[reason]):
        getattr(losslib, name)(**arguments)
    return reason


def behind_softmax(
    name: str, loss: Callable[..., Any], library: Any
) -> Callable[..., Any]:
    """Return the loss of raw scores, where gradients are compared behind a log_softmax."""
    if name not in BEHIND:
        return loss

    def composed(**arguments: Any) -> Any:
        key = BEHIND[name]
        scores = library(arguments[key], -1)
        return loss(**{**arguments, key: scores})

    return composed


def agrees(
    name: str, case: Case, dtype: torch.dtype, *, traced: bool
) -> int:
    """Compare values and gradients, on JAX if it is to be traced; return how many gradients."""
    close_to = partial(close, dtype=dtype, slack=LONG_SUMS.get(name, 1.0))
    theirs = behind_softmax(name, getattr(F, name), torch.log_softmax)
    ours = getattr(losslib, name)
    mine = behind_softmax(name, ours, torch.log_softmax)
    leaves = case.leaves
    wanted = list(leaves.values())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "reduction: 'mean' divides")
        expected = theirs(**case.arguments)
    cotangent = torch.linspace(
        0.5, 1.5, expected.numel(), dtype=dtype
    ).reshape(expected.shape)
    # 0 for a leaf that is only compared with (a target of -1 and 1)
    differentiate = partial(
        torch.autograd.grad,
        inputs=wanted,
        grad_outputs=cotangent,
        allow_unused=True,
        materialize_grads=True,
    )
    gradients = differentiate(expected) if wanted else []

    kept: Any = ...
    if name in NAN_GRADIENT:
        kept = ~torch.stack([x.isnan() for x in wanted]).any(0).numpy()

    value = mine(**case.arguments)
    assert (value.dtype, value.shape) == (dtype, expected.shape)
    close_to(value.detach(), expected.detach())
    for got, gradient in zip(
        differentiate(value) if wanted else [], gradients, strict=True
    ):
        close_to(np.asarray(got)[kept], gradient.numpy()[kept])
    if case.reference is not None and name not in BEHIND:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference = case.reference()
        close_to(value.detach(), reference.detach())

    arrays = {k: as_library(NUMPY, x) for k, x in case.arguments.items()}
    if name in BEHIND:
        key = BEHIND[name]
        scores = torch.log_softmax(case.arguments[key].detach(), -1)
        arrays[key] = scores.numpy()
    with np.errstate(invalid="ignore"):  # some of its targets are negative
        close_to(ours(**arrays), expected.detach())

    if not traced:
        return len(leaves)
    arrays = {k: as_library(JAX, x) for k, x in case.arguments.items()}
    mine = behind_softmax(name, ours, jax.nn.log_softmax)

    @jax.jit
    def both(xs: Any, cotangent: Any) -> Any:
        value, pullback = jax.vjp(lambda xs: mine(**{**arrays, **xs}), xs)
        return value, pullback(cotangent)

    value, (got,) = both(
        {k: arrays[k] for k in leaves}, jnp.asarray(cotangent.numpy())
    )
    close_to(value, expected.detach())
    for key, gradient in zip(leaves, gradients, strict=True):
        close_to(np.asarray(got[key])[kept], gradient.numpy()[kept])
    return 2 * len(leaves)


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_every_input_of_pytorch(
    name: str, dtype: torch.dtype, record_property: Any
) -> None:
    cases = material(name, dtype)
    counts = Counter(shipped=len(cases))
    try:
        for case in cases:
            reason = refusal(name, case)
            if reason is None:
                # JAX compiles every shape anew: two of each source, in float64
                traced = counts[case.source] < 2 and dtype is torch.float64
                counts["gradients"] += agrees(
                    name, case, dtype, traced=traced
                )
            else:
                counts[f"refused: {reason}"] += 1
            counts[case.source] += 1
    finally:  # what failed is missing from 100 %
        record_property("peers", (name, dict(counts)))
    assert sum(counts[source] for source in SOURCES) == len(cases) > 0


SOURCES = ["sample", "reference", "module", "criterion", "function"]


def test_nothing_that_pytorch_ships_is_left_out() -> None:
    """Every operator and module of a loss has its function here, and every older test."""
    op_db, module_db = internals()[0].op_db, internals()[1].module_db
    losses = {
        op.name.removeprefix(PREFIX)
        for op in op_db
        if "loss" in op.name or "cross_entropy" in op.name
    } | {"nn.functional.kl_div".removeprefix(PREFIX)}
    not_ours = {name for name in losses if not hasattr(F, name)}
    missing = losses - not_ours - set(operators())
    assert missing <= {"ctc_loss", "linear_cross_entropy"} - set(LOSSES)
    named = {
        m.name.removeprefix("nn.") for m in module_db if "Loss" in m.name
    }
    found = {m.module_cls.__name__ for m in modules().values()}
    later = {"ctc_loss": "CTCLoss", "linear_cross_entropy": "LinearCrossEntropyLoss"}  # fmt: skip
    assert named - found == {
        cls for name, cls in later.items() if name not in LOSSES
    }
    assert all(loss_of(test) in LOSSES for test in older_tests())


# --- Errors -----------------------------------------------------------------------------------


def bad_calls(name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every error input of the operator and of the module, and what PyTorch says of it."""
    op = operators().get(name)
    for case in (
        op.error_inputs("cpu") if op and op.error_inputs_func else []
    ):
        sample = case.sample_input
        args = (sample.input, *sample.args)
        yield by_name(op.op, args, sample.kwargs), case.error_regex
    entry = modules().get(name)
    if entry is None or entry.module_error_inputs_func is None:
        return
    for error in entry.module_error_inputs_func(
        entry,
        device="cpu",
        dtype=torch.float64,
        requires_grad=False,
        training=True,
    ):
        case = error.module_error_input
        given, made = case.forward_input, case.constructor_input
        with watched(name) as calls, pytest.raises(error.error_type):
            run(entry, made, given)
        yield (
            calls[0] if calls else unmade(name, made, given),
            (error.error_regex),
        )


def run(entry: Any, made: Any, given: Any) -> Any:
    return entry.module_cls(*made.args, **made.kwargs)(
        *given.args, **given.kwargs
    )


def unmade(name: str, made: Any, given: Any) -> dict[str, Any]:
    """Return the call that a module would make which refuses its own options."""
    known = inspect.signature(getattr(losslib, name)).parameters
    options = {k: x for k, x in made.kwargs.items() if k in known}
    args = given.args if given else (torch.zeros(3), torch.zeros(3))
    if name == "linear_cross_entropy":
        features, classes = made.args
        options["linear_weight"] = args[0].new_ones(classes, features)
    return dict(zip(["input", "target"], args, strict=True)) | options


@pytest.mark.parametrize("name", LOSSES)
def test_every_error_input_of_pytorch(
    name: str, record_property: Any
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = list(bad_calls(name))
    counts = Counter(bad=len(calls))
    try:
        for arguments, says in calls:
            taken = name in ACCEPTED and ACCEPTED[name] in says
            # One case of nll_loss is a batch of nothing, without a class besides.
            taken = taken and 0 not in arguments["input"].shape[1:2]
            for backend in BACKENDS:
                mine = {
                    k: as_library(backend, x) for k, x in arguments.items()
                }
                if taken:
                    getattr(losslib, name)(**mine)
                    continue
                with pytest.raises((TypeError, ValueError)) as caught:
                    getattr(losslib, name)(**mine)
                argument, *_ = str(caught.value).split()
                assert (
                    argument
                    in inspect.signature(getattr(F, name)).parameters
                )
                assert " got " in str(caught.value), caught.value
            if taken:
                counts["taken: a weight of another floating dtype"] += 1
            else:
                counts["error"] += 1
    finally:
        record_property("peers", (name, dict(counts)))
