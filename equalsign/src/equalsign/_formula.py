"""Python functions as formulas: what they take, and what they call."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equalsign._base import CheckFailed, Function, Point
from equalsign._words import all_digits, at_point


@dataclass
class Formula:
    """A function of named values, and where in the check it stands."""

    where: str
    fn: Function
    names: list[str] = field(init=False)
    optional: set[str] = field(init=False)
    foreign: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.fn).parameters.values()
        if any(
            p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)
            for p in parameters
        ):
            raise TypeError(
                f"{self.where} must take its arguments by name, without * or **"
            )
        self.names = [p.name for p in parameters]
        self.optional = {
            p.name for p in parameters if p.default is not p.empty
        }

    def __call__(self, point: Point) -> Any:
        arguments = {
            name: point[name] for name in self.names if name in point
        }
        try:
            with np.errstate(all="ignore"):
                return self.fn(**arguments)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise CheckFailed(
                f"{self.where} fails{at_point(point)} with {problem}"
            ) from error

    def value(self, point: Point) -> np.ndarray:
        """Evaluate in float64, note which packages of interest were called, refuse a nan."""
        with watch({"losslib", "torch"}) as seen:
            result = self(point)
        self.foreign += seen
        try:
            array = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckFailed(
                f"{self.where} gives no real numbers{at_point(point)}: {error}"
            ) from error
        if np.isnan(array).any():
            raise CheckFailed(
                f"{self.where} is nan{at_point(point)}: {all_digits(array)}"
            )
        return array


@contextmanager
def watch(packages: set[str]) -> Iterator[dict[str, None]]:
    """Collect the names of the functions of `packages` called meanwhile, in order, each once."""
    seen: dict[str, None] = {}

    def note(frame: Any, event: str, called: Any) -> None:
        if event == "call":
            module, name = (
                frame.f_globals.get("__name__"),
                frame.f_code.co_name,
            )
        elif event == "c_call":
            owner = type(getattr(called, "__self__", None)).__module__
            module, name = (
                getattr(called, "__module__", None) or owner,
                called.__name__,
            )
        else:
            return
        module = str(module)
        if module.partition(".")[0] in packages:
            seen[f"{module}.{name}"] = None

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(previous)


def from_package(formula: Formula, package: str) -> str | None:
    return next(
        (
            name
            for name in formula.foreign
            if name.partition(".")[0] == package
        ),
        None,
    )


def check_names(
    formulas: Sequence[Formula], known: set[str], drawn: set[str]
) -> None:
    """Refuse an argument that nothing draws, and a symbol drawn that nothing uses."""
    for formula in formulas:
        unknown = [
            n
            for n in formula.names
            if n not in known and n not in formula.optional
        ]
        if unknown:
            raise CheckFailed(
                f"{formula.where} takes {', '.join(unknown)}, which no sampler draws "
                f"(there are: {', '.join(sorted(known)) or 'none'})"
            )
    unused = drawn - {
        name for formula in formulas for name in formula.names
    }
    if unused:
        raise CheckFailed(
            f"{', '.join(sorted(unused))} is drawn, but nothing in this check uses it"
        )
