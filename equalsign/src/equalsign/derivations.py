"""A chain of formulas, each compared with the one before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equalsign._base import (
    RATE_TOLERANCE,
    TOLERANCE,
    CheckFailed,
    Function,
    Point,
    about,
)
from equalsign._formula import (
    Formula,
    check_names,
    fingerprint,
    from_package,
)
from equalsign._points import Points, draw_points
from equalsign._records import display_check, keep_record
from equalsign._words import (
    _escape,
    aligned,
    all_digits,
    at_point,
    counted,
    symbol,
    tex_rows,
    unmarked,
)
from equalsign.samplers import Sampler

_MARKS = {"=": "=", "≥": r"\ge", "≤": r"\le", "→": r"\to"}


_ORDINARY_DISTANCES = (1.0, 0.5, 0.2, 0.1)


_SMALLEST_ERROR = 1e-5


_HALVINGS = 40


_WINDOW = 5


@dataclass(frozen=True)
class Line:
    """One line of a derivation; made by :func:`start`, :func:`equals` and its neighbours.

    Examples
    --------
    >>> start("x", lambda x: x).tex
    'x'
    """

    relation: str
    tex: str
    fn: Function
    reason: str = ""
    code: bool = False
    parameter: str = ""
    limit: float = 0.0
    rate: float = 1.0

    def at(self, distance: float) -> float:
        """Give the parameter its value at this distance from the limit."""
        return (
            1 / distance
            if math.isinf(self.limit)
            else self.limit + distance
        )

    def shown(self) -> str:
        """Give the TeX of the line; of code, its name."""
        if not self.code:
            return self.tex
        return rf"\texttt{{{_escape(self.tex)}}}"

    def convergence(self) -> str:
        """Say what converges how fast, in Markdown."""
        if self.relation != "→":
            return ""
        name = symbol(self.parameter)
        goal = r"\infty" if math.isinf(self.limit) else f"{self.limit:g}"
        if math.isinf(self.rate):
            return rf"as ${name}\to{goal}$, faster than every power"
        power = "" if self.rate == 1 else f"^{{{self.rate:g}}}"
        if math.isinf(self.limit):
            size = f"1/{name}{power}"
        elif self.limit == 0:
            size = f"{name}{power}"
        else:
            base = f"{name}-{goal}"
            size = f"({base}){power}" if power else base
        return rf"as ${name}\to{goal}$, with an error $O({size})$"


def start(tex: str, fn: Function) -> Line:
    r"""Write the first line of a derivation.

    Parameters
    ----------
    tex : str
        The formula, as TeX.
    fn : callable
        Computes it, from the values it names as arguments.

    Examples
    --------
    >>> line = start(r"\log x^2", lambda x: np.log(x**2))
    """
    return Line("", tex, fn)


def equals(
    tex: str, fn: Function, reason: str = "", *, code: bool = False
) -> Line:
    r"""Write a line that equals the line before it.

    Parameters
    ----------
    tex : str
        The formula, as TeX; with `code`, the call as plain text, such as ``"kl_div(p, q)"``.
    fn : callable
        Computes it, from the values it names as arguments.
    reason : str
        Why the step may be taken: words, with maths between dollar signs (signs such as ≥ and ×
        are maths).
    code : bool
        Whether the line is what `losslib` computes. Only the last line may be.

    Examples
    --------
    >>> line = equals(r"2\log |x|", lambda x: 2 * np.log(abs(x)), "log of a power")
    """
    return Line("=", tex, fn, reason, code)


def at_least(tex: str, fn: Function, reason: str = "") -> Line:
    r"""Write a line that the line before it is at least as large as.

    Examples
    --------
    >>> line = at_least("0", lambda: 0.0, "a square is not negative")
    """
    return Line("≥", tex, fn, reason)


def at_most(tex: str, fn: Function, reason: str = "") -> Line:
    r"""Write a line that the line before it is at most as large as.

    Examples
    --------
    >>> line = at_most("1", lambda: 1.0, "a probability is at most one")
    """
    return Line("≤", tex, fn, reason)


def tends_to(
    tex: str,
    fn: Function,
    reason: str = "",
    *,
    rate: float = 1,
    **parameter: float,
) -> Line:
    r"""Write the limit of the line before it.

    Parameters
    ----------
    tex, fn, reason
        As in :func:`equals`; `fn` does not take the parameter.
    rate : float
        The power of the distance to the limit (of ``1 / parameter`` if that is infinite) at which
        the error falls; ``math.inf`` if it falls faster than every power.
    **parameter : float
        One name and its limit, such as ``tau=0.0`` (from above) or ``n=math.inf``.

    Raises
    ------
    TypeError
        If there is not exactly one parameter.

    Examples
    --------
    >>> line = tends_to("x", lambda x: x, "the first term of the series", h=0.0, rate=2)
    """
    if len(parameter) != 1:
        raise TypeError(
            f"tends_to takes one parameter and its limit, not {sorted(parameter)}"
        )
    if not rate > 0:
        raise ValueError(f"rate must be positive, not {rate}")
    ((name, limit),) = parameter.items()
    return Line(
        "→",
        tex,
        fn,
        reason,
        parameter=name,
        limit=float(limit),
        rate=float(rate),
    )


def derivation(
    statement: str,
    /,
    *lines: Line,
    label: str | None = None,
    points: int = 300,
    edge: Sequence[Mapping[str, Any]] | None = None,
    **samplers: Sampler,
) -> None:
    r"""Run a derivation: compare every line with the line before it.

    Parameters
    ----------
    statement : str
        What is derived, in words.
    *lines : Line
        :func:`start`, then :func:`equals`, :func:`at_least`, :func:`at_most` or :func:`tends_to`.
    label : str, optional
        The label of the equation, for ``{eq}``.
    points : int
        How many random points.
    edge : sequence of dict, optional
        Hand-picked points; what one leaves out is drawn. Only here may both sides be infinite.
    **samplers : Sampler
        Where the value of each symbol comes from.

    Raises
    ------
    CheckFailed
        If a line does not hold, or if the check would show nothing.

    Examples
    --------
    >>> from equalsign import real
    >>> derivation(
    ...     "A square completed",
    ...     start("x^2 + 2x", lambda x: x**2 + 2 * x),
    ...     equals("(x+1)^2 - 1", lambda x: (x + 1) ** 2 - 1, "binomial formula"),
    ...     at_least("-1", lambda: -1.0, "a square is not negative"),
    ...     x=real(), edge=[{"x": -1.0}],
    ... )
    A square completed
          x^2 + 2x
        = (x+1)^2 - 1    ✓ binomial formula
        ≥ -1             ✓ a square is not negative
    ✓ 2 steps held at 300 random points: x a real number (normal, sd 2); and at 1 hand-picked
    point. Equal sides agree to 1e-9.
    """
    with about(statement):
        _check_structure(lines)
        drawn = draw_points(samplers, points, edge)
        formulas = [
            Formula(f"line {number}, {line.tex},", line.fn)
            for number, line in enumerate(lines, start=1)
        ]
        _check_arguments(lines, formulas, drawn)
        _check_steps(lines, formulas, drawn)
        _check_limits(lines, formulas, drawn)
        _check_losslib(lines, formulas)
    record = keep_record(
        "derivation",
        statement,
        name=label,
        points=len(drawn),
        lines=[
            {"relation": x.relation, "tex": x.tex, "reason": x.reason}
            for x in lines
        ],
        detail={"steps": len(lines) - 1, "samplers": drawn.detail()},
    )
    foot = _derivation_foot(lines, drawn)
    block = aligned(_derivation_rows(lines), label)
    markdown = f"**{statement}**\n\n{block}\n\n<small>{foot}</small>\n"
    display_check(
        markdown,
        f"{statement}\n{_derivation_text(lines)}\n{unmarked(foot)}",
        record,
    )


def _check_structure(lines: Sequence[Line]) -> None:
    if not lines or lines[0].relation:
        raise CheckFailed("the first line must be start(...)")
    if len(lines) < 2:
        raise CheckFailed(
            "there is no line after start: nothing is derived"
        )
    seen: dict[Any, int] = {}
    for number, line in enumerate(lines, start=1):
        if number > 1 and not line.relation:
            raise CheckFailed(
                f"line {number}, {line.tex}, is a second start(...)"
            )
        if line.code and number < len(lines):
            raise CheckFailed(
                f"line {number}, {line.tex}, is losslib's but not the last line"
            )
        earlier = seen.setdefault(fingerprint(line.fn), number)
        if earlier != number:
            raise CheckFailed(
                f"line {number}, {line.tex}, computes exactly what line {earlier} computes; "
                "compute it from the formula displayed"
            )


def _check_arguments(
    lines: Sequence[Line], formulas: Sequence[Formula], drawn: Points
) -> None:
    """Each line may use the samplers and the parameters whose limit is still to come."""
    known = drawn.names
    for index, line in enumerate(lines):
        if line.relation != "→":
            continue
        if line.parameter in known:
            raise CheckFailed(
                f"line {index + 1}, {line.tex}, takes the limit of {line.parameter}, which is drawn"
            )
        if line.parameter not in formulas[index - 1].names:
            raise CheckFailed(
                f"line {index + 1}, {line.tex}, is a limit in {line.parameter}, but line {index}, "
                f"{lines[index - 1].tex}, does not depend on {line.parameter}"
            )
    for index, formula in enumerate(formulas):
        coming = {
            line.parameter
            for line in lines[index + 1 :]
            if line.relation == "→"
        }
        check_names([formula], known | coming, set())
    check_names(
        formulas, {n for f in formulas for n in f.names}, drawn.names
    )


def _with_parameters(
    lines: Sequence[Line], point: Point, index: int
) -> Point:
    """Add an ordinary value of every parameter of a limit, a different one from point to point."""
    distance = _ORDINARY_DISTANCES[index % len(_ORDINARY_DISTANCES)]
    return point | {
        line.parameter: line.at(distance)
        for line in lines
        if line.relation == "→"
    }


def _check_steps(
    lines: Sequence[Line], formulas: Sequence[Formula], drawn: Points
) -> None:
    for index, (point, edge) in enumerate(drawn):
        full = _with_parameters(lines, point, index)
        values = [formula.value(full) for formula in formulas]
        for number in range(1, len(lines)):
            if lines[number].relation != "→":
                _check_step(
                    lines,
                    formulas,
                    number,
                    values[number - 1],
                    values[number],
                    full,
                    edge,
                )


def _check_step(
    lines: Sequence[Line],
    formulas: Sequence[Formula],
    number: int,
    left: np.ndarray,
    right: np.ndarray,
    point: Point,
    edge: bool,
) -> None:
    before, line = formulas[number - 1], formulas[number]
    names = set(before.names) | set(line.names)
    where = at_point(
        {name: value for name, value in point.items() if name in names}
    )
    _check_shapes(before, line, left, right, where)
    if not edge:
        _check_finite(before, left, where)
        _check_finite(line, right, where)
    if not _holds(lines[number].relation, left, right):
        raise CheckFailed(
            f"{line.where} does not hold{where}: {before.where} is "
            f"{all_digits(left)}, which is not {lines[number].relation} {all_digits(right)}"
        )


def _check_shapes(
    before: Formula,
    line: Formula,
    left: np.ndarray,
    right: np.ndarray,
    where: str,
) -> None:
    if left.shape != right.shape:
        raise CheckFailed(
            f"{line.where} has shape {right.shape} where {before.where} has {left.shape}{where}"
        )


def _check_finite(formula: Formula, value: np.ndarray, where: str) -> None:
    if not np.isfinite(value).all():
        raise CheckFailed(
            f"{formula.where} is infinite at a random point{where}: {all_digits(value)}"
        )


@np.errstate(all="ignore")
def _holds(
    relation: str,
    left: np.ndarray,
    right: np.ndarray,
    tolerance: float = TOLERANCE,
) -> bool:
    """Compare within tolerance; of infinities only the same ones are related."""
    same = left == right
    finite = np.isfinite(left) & np.isfinite(right)
    a, b = np.where(finite, left, 0.0), np.where(finite, right, 0.0)
    slack = tolerance * np.maximum(1.0, np.maximum(abs(a), abs(b)))
    related = {
        "=": abs(a - b) <= slack,
        "≥": a >= b - slack,
        "≤": a <= b + slack,
    }[relation]
    return bool(np.all(same | (finite & related)))


def _check_limits(
    lines: Sequence[Line], formulas: Sequence[Formula], drawn: Points
) -> None:
    for number, line in enumerate(lines):
        if line.relation == "→":
            _check_limit(lines, formulas, number, drawn)


def _check_limit(
    lines: Sequence[Line],
    formulas: Sequence[Formula],
    number: int,
    drawn: Points,
) -> None:
    line, formula = lines[number], formulas[number]
    orders = []
    for index, (point, edge) in enumerate(drawn):
        if edge and not all(
            np.isfinite(value).all() for value in point.values()
        ):
            continue
        full = _with_parameters(lines, point, index)
        errors = _errors(line, formulas[number - 1], formula, full)
        order = _order(errors, math.isinf(line.rate))
        if errors[-1] > _SMALLEST_ERROR and not (
            order is not None and order > line.rate / 2
        ):
            raise CheckFailed(
                f"{formula.where} is not the limit in {line.parameter}{at_point(point)}: after "
                f"{len(errors) - 1} halvings of the distance the relative error is {errors[-1]:.3g}"
            )
        if order is not None and not edge:
            orders.append(order)
    if len(orders) < max(1, len(drawn.random) // 4):
        raise CheckFailed(
            f"{formula.where} leaves no error to measure a rate by: {formulas[number - 1].where} "
            f"is within {_SMALLEST_ERROR:g} of it far from {line.parameter} = {line.limit:g}"
        )
    observed = float(np.median(orders))
    if not _rate_holds(line.rate, observed):
        raise CheckFailed(
            f"{formula.where} is approached at the rate {observed:.2f} in {line.parameter}, "
            f"where {line.rate:g} is declared"
        )


@np.errstate(all="ignore")
def _errors(
    line: Line, before: Formula, formula: Formula, point: Point
) -> list[float]:
    """Measure the relative error at distances 1, 1/2, 1/4, ... until twice it is too small."""
    limit = formula.value(point)
    scale = max(1.0, float(np.max(abs(limit), initial=0.0)))
    errors: list[float] = []
    for halving in range(_HALVINGS + 1):
        near = point | {line.parameter: line.at(0.5**halving)}
        value = before.value(near)
        _check_shapes(before, formula, value, limit, at_point(near))
        _check_finite(before, value, at_point(near))
        _check_finite(formula, limit, at_point(near))
        errors.append(
            float(np.max(abs(value - limit), initial=0.0)) / scale
        )
        if max(errors[-2:]) <= _SMALLEST_ERROR:
            break
    return errors


def _order(errors: Sequence[float], growing: bool) -> float | None:
    """Fit the slope of log error against log distance, where errors are last well above round-off.

    For an error that falls faster than every power (`growing`), infinity if the slope grows.
    """
    measured = [error for error in errors if error > _SMALLEST_ERROR][
        -_WINDOW:
    ]
    if len(measured) < 3:
        return None
    logs = np.log2(measured)
    if growing:
        slopes = -np.diff(logs)
        return (
            math.inf
            if slopes[-1] > 1.5 * max(1.0, slopes[-2])
            else float(slopes[-1])
        )
    return -float(np.polyfit(np.arange(len(logs)), logs, 1)[0])


def _rate_holds(rate: float, observed: float) -> bool:
    return observed == rate or abs(observed - rate) <= RATE_TOLERANCE


def _check_losslib(
    lines: Sequence[Line], formulas: Sequence[Formula]
) -> None:
    for line, formula in zip(lines, formulas, strict=True):
        called = from_package(formula, "losslib")
        if called and not line.code:
            raise CheckFailed(
                f"{formula.where} calls {called}: a derivation computes its formulas itself; only "
                "the last line may be losslib's, by equals(..., code=True)"
            )
        if line.code and not called:
            raise CheckFailed(
                f"{formula.where} is said to be losslib's, but calls nothing from it"
            )


def _derivation_rows(lines: Sequence[Line]) -> list[str]:
    rows = [f"& {lines[0].shown()}"]
    for line in lines[1:]:
        rows.append(
            rf"& {_MARKS[line.relation]} {line.shown()} && \checkmark"
        )
        rows += tex_rows(line.convergence())
        rows += tex_rows(_reason(line))
    return rows


def _reason(line: Line) -> str:
    if not line.code:
        return line.reason
    return f"losslib: {line.reason}" if line.reason else "losslib"


def _derivation_text(lines: Sequence[Line]) -> str:
    width = max(len(line.tex) for line in lines[1:])
    rows = [f"      {lines[0].tex}"]
    for line in lines[1:]:
        words = "; ".join(filter(None, [line.convergence(), _reason(line)]))
        rows.append(
            f"    {line.relation} {line.tex:<{width}}    ✓ {unmarked(words)}".rstrip()
        )
    return "\n".join(rows)


def _derivation_foot(lines: Sequence[Line], drawn: Points) -> str:
    foot = (
        f"✓ {counted(len(lines) - 1, 'step')} held {drawn.words()}".rstrip()
        + "."
    )
    if any(line.relation == "=" for line in lines):
        foot += f" Equal sides agree to {TOLERANCE:.0e}.".replace(
            "e-0", "e-"
        )
    return foot
