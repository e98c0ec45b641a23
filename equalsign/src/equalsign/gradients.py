"""A derived gradient against automatic and numerical differentiation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equalsign._base import (
    DIFFERENCE_TOLERANCE,
    TOLERANCE,
    CheckFailed,
    Function,
    Point,
    about,
)
from equalsign._formula import Formula
from equalsign._points import draw_points
from equalsign._records import display_check, keep_record
from equalsign._words import (
    aligned,
    all_digits,
    at_point,
    said,
    unmarked,
)
from equalsign.derivations import FINE_POINTS, Run, Step
from equalsign.samplers import Sampler
from equalsign.tex.reading import Formula as TexFormula
from equalsign.tex.tree import Derivative, walk


def gradient(
    statement: str,
    loss: Function,
    tex: str,
    /,
    *,
    wrt: str = "z",
    where: Sequence[str] = (),
    ranges: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    label: str | None = None,
    words: str | None = None,
    points: int = 100,
    edge: Sequence[Mapping[str, Any]] | None = None,
    **samplers: Sampler,
) -> None:
    r"""Run a derived gradient against autograd and against central differences.

    Parameters
    ----------
    statement : str
        What is derived, in words.
    loss : callable
        The scalar loss, of float64 PyTorch tensors (integers come as 0-d int64 tensors).
    tex : str
        The gradient as derived. It runs, and so does the derivative that it begins with, if `where`
        defines the loss.
    wrt : str
        The name of the argument that the gradient is with respect to.
    where, ranges, names
        As in :func:`derivation`.
    label : str, optional
        The label of the equation, for ``{eq}``.
    words : str, optional
        What the gradient says, in words.
    points, edge, **samplers
        As in :func:`derivation`.

    Raises
    ------
    CheckFailed
        If the gradients differ, have different shapes, or hold a nan.

    Examples
    --------
    >>> from equalsign import integer, reals
    >>> gradient("A parabola", lambda z: (z**2).sum(), r"\nabla_z \ell=2z", where=[r"\ell=\|z\|^2"],
    ...          n=integer(1, 5), z=reals("n"))
    A parabola
        \nabla_z \ell=2z    ✓ autograd ✓ differences
      where \ell=\|z\|^2
    ✓ equal to autograd and to central differences at 100 random points: n an integer from 1 to 5;
    z n real numbers (normal, sd 2); both sides to 25 digits at ten.
    """
    with about(statement):
        drawn = draw_points(samplers, points, edge, names)
        value = Formula("the loss", loss)
        run = Run([Step("", tex)], drawn, where, ranges, value.names)
        run.check()
        if wrt not in value.names:
            raise CheckFailed(
                f"the loss does not take {wrt}, the argument to derive by"
            )
        formula = run.formulas[0]
        axes = _axes(formula)
        for point, expected in run.values():
            expected = expected.transpose(axes) if axes else expected
            _check_gradient(value, expected, wrt, point)
    record = keep_record(
        "gradient",
        statement,
        name=label,
        points=len(drawn),
        lines=[{"relation": "=", "tex": tex, "reason": words or ""}],
        detail={
            "wrt": wrt,
            "samplers": drawn.detail(),
            "where": list(where),
            "ranges": list(ranges),
        },
    )
    foot = f"✓ equal to autograd and to central differences {drawn.words()}"
    few = len(drawn.random) < FINE_POINTS
    fine = "at all of them" if few else "at ten"
    both = f"; both sides to 25 digits {fine}" if formula.sides[1:] else ""
    foot += f"{both}."
    beside = [*where, *ranges]
    marks = r"& \quad{\small \checkmark\ \text{autograd}\quad\checkmark\ \text{differences}}"
    parts = [
        f"**{statement}**",
        aligned([f"& {tex}", marks], label),
        *said(beside),
        f"<small>{foot}</small>",
    ]
    text = [
        statement,
        f"    {tex}    ✓ autograd ✓ differences",
        unmarked(foot),
    ]
    if beside:
        text.insert(-1, f"  where {', '.join(beside)}")
    if words:
        parts.append(words)
        text.append(unmarked(words))
    display_check("\n\n".join(parts) + "\n", "\n".join(text), record)


def _axes(formula: TexFormula) -> list[int]:
    r"""Give the place of each axis in the order of \partial W_{ji}; nothing if none is said."""
    free = formula.free
    for side in formula.sides:
        for node in walk(side):
            if isinstance(node, Derivative):
                below = getattr(node.variables[0], "subs", ())
                order = [getattr(sub, "name", "") for sub in below]
                if sorted(order) == [*free]:
                    return [free.index(name) for name in order]
    return []


@np.errstate(all="ignore")
def _check_gradient(
    loss: Formula, expected: np.ndarray, wrt: str, point: Point
) -> None:
    where = at_point(point)
    shape = np.shape(point[wrt])
    if expected.shape != shape:
        raise CheckFailed(
            f"the derived gradient has shape {expected.shape}, but {wrt} has {shape}"
        )
    automatic, size = _autograd(loss, wrt, point)
    if not _equal(expected, automatic):
        raise CheckFailed(
            f"the derived gradient is {all_digits(expected)}, "
            f"but autograd's is {all_digits(automatic)}{where}"
        )
    eps = np.finfo(np.float64).eps
    steps = eps ** (1 / 3) * np.clip(
        abs(np.asarray(point[wrt], dtype=np.float64)), 1e-3, 1
    )
    rounding = 16 * eps * abs(size) / steps
    slack = DIFFERENCE_TOLERANCE * np.maximum(1.0, abs(expected)) + rounding
    numeric = _differences(loss, wrt, point, steps, expected, slack)
    taken = np.isfinite(np.asarray(point[wrt], dtype=np.float64))
    if not np.all((abs(numeric - expected) <= slack)[taken]):
        raise CheckFailed(
            f"the derived gradient is {all_digits(expected)}, but central differences give "
            f"{all_digits(numeric)}{where}"
        )


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    slack = TOLERANCE * np.maximum(1.0, np.maximum(abs(a), abs(b)))
    near = np.isfinite(a) & np.isfinite(b) & (abs(a - b) <= slack)
    return bool(np.all((a == b) | near))


def _tensors(point: Point) -> Point:
    import torch

    return {
        name: torch.tensor(value, dtype=torch.int64)
        if np.asarray(value).dtype.kind in "iu"
        else torch.tensor(value, dtype=torch.float64)
        for name, value in point.items()
    }


def _autograd(
    loss: Formula, wrt: str, point: Point
) -> tuple[np.ndarray, float]:
    """Give the gradient by PyTorch, and the value of the loss."""
    tensors = _tensors(point)
    variable = tensors[wrt].double().requires_grad_()
    value = loss(tensors | {wrt: variable})
    if not hasattr(value, "backward") or value.ndim != 0:
        raise CheckFailed(
            f"{loss.where} must be one scalar tensor{at_point(point)}, not {value!r}"
        )
    if not value.requires_grad:
        raise CheckFailed(
            f"{loss.where} does not depend on {wrt}{at_point(point)}"
        )
    value.backward()
    if variable.grad is None:
        raise CheckFailed(
            f"{loss.where} does not depend on {wrt}{at_point(point)}"
        )
    slope = variable.grad.numpy()
    if np.isnan(slope).any():
        raise CheckFailed(
            f"autograd's gradient is nan{at_point(point)}: {all_digits(slope)}"
        )
    return slope, float(value.detach())


def _differences(
    loss: Formula,
    wrt: str,
    point: Point,
    steps: np.ndarray,
    expected: np.ndarray,
    slack: np.ndarray,
) -> np.ndarray:
    """Central differences of the loss in every finite entry of the argument.

    Where one is off, that of half the step is taken, too, and the two are extrapolated: the error
    then falls with the fourth power of the step.
    """
    import torch

    base = np.asarray(point[wrt], dtype=np.float64)
    slopes, tensors = np.zeros(base.shape), _tensors(point)

    def slope(index: tuple[int, ...], step: float) -> float:
        above, below = base.copy(), base.copy()
        above[index] += step
        below[index] -= step
        high, low = (
            float(loss(tensors | {wrt: torch.from_numpy(end)}))
            for end in (above, below)
        )
        return float((high - low) / (above[index] - below[index]))

    for index in np.ndindex(base.shape):
        if np.isfinite(base[index]):
            step = float(steps[index])
            slopes[index] = slope(index, step)
            if not abs(slopes[index] - expected[index]) <= slack[index]:
                finer = slope(index, step / 2)
                slopes[index] = (4 * finer - slopes[index]) / 3
    return slopes
