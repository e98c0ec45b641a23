r"""Derivations whose displayed TeX is the program.

>>> from equalsign import real
>>> derivation(
...     "A square completed",
...     r"x^2+2x",
...     equals(r"(x+1)^2-1", "binomial formula"),
...     at_least(r"-1", "a square is not negative"),
...     x=real(),
... )
A square completed
      x^2+2x
    = (x+1)^2-1    ✓ binomial formula
    ≥ -1           ✓ a square is not negative
✓ 2 steps held at 300 random points: x a real number (normal, sd 2). Equal sides agree to 1e-9, and
at ten points to 25 digits. Line 3 comes nearest, to 1.3e-06, at x = -1.0011.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from types import CodeType
from typing import Any

import numpy as np

from equalsign._base import TOLERANCE, CheckFailed, Point, about
from equalsign._formula import Formula as PythonFormula
from equalsign._formula import from_package
from equalsign._points import Group, Points, draw_points
from equalsign._rates import (
    HALVED_DISTANCES,
    ORDINARY_DISTANCES,
    SMALLEST_ERROR,
    convergence,
    goes_to,
    kept,
    moved,
    order,
    rate_holds,
)
from equalsign._records import display_check, keep_record
from equalsign._words import (
    aligned,
    all_digits,
    at_point,
    code_rows,
    counted,
    escaped,
    rounded_up,
    said,
    short_value,
    symbol,
    tex_rows,
    unmarked,
)
from equalsign.samplers import Sampler
from equalsign.tex.arithmetic import DOUBLE, MULTI, Field
from equalsign.tex.errors import TexError
from equalsign.tex.evaluate import Evaluator, free_names
from equalsign.tex.parser import PREFIX
from equalsign.tex.reading import Formula, Reading, book, read
from equalsign.tex.scope import name_tokens, spell, texts
from equalsign.tex.tokens import tokenize

__all__ = [
    "Step",
    "at_least",
    "at_most",
    "by_definition",
    "derivation",
    "equals",
    "library",
    "tends_to",
]

DIGITS = 25
FINE_POINTS = 10

_RELATIONS = {"=": "=", "≥": r"\ge", "≤": r"\le", "→": r"\to"}

# How a line was run: its mark as TeX, and in a terminal.
_MARKS = {
    "from_tex": (r"\checkmark", "✓"),
    "by_code": (r"(\checkmark)", "(✓)"),
    "by_definition": (r"\triangleq", "≜"),
    "library": (r"\checkmark", "✓"),
}


@dataclass(frozen=True)
class Step:
    r"""A line of a derivation; made by :func:`equals` and its neighbours.

    Examples
    --------
    >>> equals(r"2\log x", "log of a power").kind
    'from_tex'
    """

    relation: str
    tex: str
    reason: str = ""
    kind: str = "from_tex"
    by: Callable[..., Any] | None = None
    parameter: str = ""
    limit: float = 0.0
    rate: float = 1.0

    def shown(self) -> list[str]:
        """Give the rows of the line: TeX, or library code as it ran."""
        if self.kind != "library":
            return [self.tex]
        rows = code_rows(self.tex)
        return [rf"{{\small\texttt{{{escaped(row)}}}}}" for row in rows]

    def convergence(self) -> str:
        """Say what converges how fast, in Markdown."""
        if self.relation != "→":
            return ""
        return convergence(self.parameter, self.limit, self.rate)


def _step(
    relation: str, tex: str, reason: str, by: Callable[..., Any] | None
) -> Step:
    return Step(relation, tex, reason, "by_code" if by else "from_tex", by)


def equals(
    tex: str, reason: str = "", *, by: Callable[..., Any] | None = None
) -> Step:
    r"""Write a line that equals the line before it.

    Parameters
    ----------
    tex : str
        The formula, as TeX: it runs.
    reason : str
        Why the step may be taken: words, with maths between dollar signs.
    by : callable, optional
        Computes what the grammar cannot say; the line has another mark, and its own count.

    Examples
    --------
    >>> step = equals(r"2\log|x|", "log of a power")
    """
    return _step("=", tex, reason, by)


def at_least(
    tex: str, reason: str = "", *, by: Callable[..., Any] | None = None
) -> Step:
    r"""Write a line that the line before it is at least as large as.

    Examples
    --------
    >>> step = at_least("0", "a square is not negative")
    """
    return _step("≥", tex, reason, by)


def at_most(
    tex: str, reason: str = "", *, by: Callable[..., Any] | None = None
) -> Step:
    r"""Write a line that the line before it is at most as large as.

    Examples
    --------
    >>> step = at_most("1", "a probability is at most one")
    """
    return _step("≤", tex, reason, by)


def by_definition(tex: str, reason: str = "") -> Step:
    r"""Write a line that only writes out a definition, or takes one back.

    Examples
    --------
    >>> step = by_definition(r"\frac{e^{z_t}}{\sum_ke^{z_k}}", "of softmax")
    """
    return Step("=", tex, reason, "by_definition")


def library(call: Callable[..., Any], reason: str = "") -> Step:
    """Write what the library computes; shown is the code that ran.

    Parameters
    ----------
    call : callable
        A lambda that calls the library, from the draws that it names.
    reason : str
        What there is to say about it.

    Examples
    --------
    >>> library(lambda z: abs(z)).tex
    'abs(z)'
    """
    return Step("=", _source(call), reason, "library", call)


def tends_to(
    tex: str, reason: str = "", *, rate: float = 1, **parameter: float
) -> Step:
    r"""Write the limit of the line before it.

    Parameters
    ----------
    tex, reason
        As in :func:`equals`; the formula does not contain the parameter.
    rate : float
        The power of the distance to the limit (of ``1 / parameter`` if that is infinite) at which
        the error falls; ``math.inf`` if it falls faster than every power.
    **parameter : float
        One name and its limit, such as ``tau=0.0`` (from above) or ``n=math.inf`` (through whole
        numbers).

    Raises
    ------
    TypeError
        If there is not exactly one parameter.
    ValueError
        If the rate is not positive, or the limit is nan.

    Examples
    --------
    >>> step = tends_to("x", "the first term of the series", h=0.0, rate=2)
    """
    if len(parameter) != 1:
        raise TypeError(
            f"tends_to takes one parameter and its limit, not {sorted(parameter)}"
        )
    if not rate > 0:
        raise ValueError(f"rate must be positive, not {rate}")
    ((name, limit),) = parameter.items()
    if math.isnan(limit):
        raise ValueError(f"{name} must have a limit, not nan")
    return Step(
        "→", tex, reason, "from_tex", None, name, float(limit), rate
    )


# --- What ran ---------------------------------------------------------------------------------


def _source(call: Callable[..., Any]) -> str:
    """Give the body of a lambda, as Python writes it."""
    code = call.__code__
    lines, _ = inspect.findsource(call)
    found = {
        ast.unparse(node.body)
        for node in ast.walk(ast.parse("".join(lines)))
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and _same_code(node, code)
    }
    if len(found) != 1:
        raise CheckFailed(
            "the code that ran cannot be told from its source: give library(...) one lambda a line"
        )
    return found.pop()


def _same_code(node: ast.Lambda, code: CodeType) -> bool:
    """Whether a lambda of the source is the one that ran: same arguments, names, constants."""
    expression = ast.fix_missing_locations(ast.Expression(node))
    compiled = compile(expression, "<lambda>", "eval").co_consts[0]
    return (
        isinstance(compiled, CodeType)
        and compiled.co_varnames == code.co_varnames
        and {*compiled.co_names} == {*code.co_names, *code.co_freevars}
        and [type(c) for c in compiled.co_consts]
        == [type(c) for c in code.co_consts]
    )


# --- The derivation ---------------------------------------------------------------------------


def derivation(
    statement: str,
    first: str,
    /,
    *steps: Step,
    where: Sequence[str] = (),
    ranges: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    label: str | None = None,
    points: int = 300,
    edge: Sequence[Mapping[str, Any]] = (),
    start: Callable[..., Any] | None = None,
    **samplers: Sampler,
) -> None:
    r"""Run a derivation from its TeX: compare every line with the line before it.

    Parameters
    ----------
    statement : str
        What is derived, in words.
    first : str
        The first line, as TeX.
    *steps : Step
        :func:`equals`, :func:`at_least`, :func:`at_most`, :func:`tends_to`, :func:`by_definition`
        and, last, :func:`library`.
    where : sequence of str
        Definitions, as TeX; they are shown.
    ranges : sequence of str
        What indices run over where no array says it, such as ``i\in T``; shown too.
    names : mapping, optional
        The TeX of names that Python cannot spell: ``{"w": "w_+"}``.
    label : str, optional
        The label of the equation, for ``{eq}``.
    points : int
        How many random points in double precision. Ten of them run in multiprecision too.
    edge : sequence of dict
        Hand-picked points; what one leaves out is drawn. Only here may both sides be infinite.
    start : callable, optional
        Computes the first line, where the grammar cannot say it.
    **samplers : Sampler
        Where the value of each symbol comes from; a size is an integer drawn before.

    Raises
    ------
    CheckFailed
        If a line does not hold, or if the check would show nothing.

    Examples
    --------
    >>> from equalsign import integer, label, logits
    >>> derivation(
    ...     "Cross-entropy is a log-sum-exp",
    ...     r"-\log\hat y_t",
    ...     equals(r"\log\sum_ke^{z_k}-z_t", "log of a quotient"),
    ...     where=[r"\hat y=\mathrm{softmax}(z)"],
    ...     n=integer(2, 9), z=logits("n"), t=label("n"),
    ... )
    Cross-entropy is a log-sum-exp
          -\log\hat y_t
        = \log\sum_ke^{z_k}-z_t    ✓ log of a quotient
      where \hat y=\mathrm{softmax}(z)
    ✓ 1 step held at 300 random points: n an integer from 2 to 9; z n logits (normal, sd 2); t a
    label among n classes. Equal sides agree to 1e-9, and at ten points to 25 digits.
    """
    with about(statement):
        lines = [
            Step(
                "", first, kind="by_code" if start else "from_tex", by=start
            ),
            *steps,
        ]
        if not steps:
            raise CheckFailed("there is no second line: nothing is derived")
        drawn = draw_points(samplers, points, edge, names)
        if not samplers and any(step.relation == "→" for step in steps):
            drawn.random.extend({} for _ in ORDINARY_DISTANCES[1:])
        run = Run(lines, drawn, where, ranges)
        run.check()
    run.show(statement, label)


@dataclass
class _Nearest:
    """Where an inequality comes nearest to being an equality."""

    gap: float = math.inf
    point: Point = field(default_factory=dict)


class Run:
    """A derivation while it is checked."""

    def __init__(
        self,
        lines: Sequence[Step],
        drawn: Points,
        where: Sequence[str],
        ranges: Sequence[str],
        elsewhere: Sequence[str] = (),
    ) -> None:
        self.elsewhere = set(elsewhere)
        self.lines, self.drawn = list(lines), drawn
        self.where, self.ranges = list(where), list(ranges)
        self.nearest: dict[int, _Nearest] = {}
        self.met = SMALLEST_ERROR  # by all limits
        self._check_order()
        self.formulas: dict[int, Formula] = {}
        self.reading = self._read()
        self.code = {
            n: PythonFormula(self._place(n), line.by)
            for n, line in enumerate(lines)
            if line.by is not None
        }

    def _place(self, n: int) -> str:
        return f"line {n + 1}, {self.lines[n].tex},"

    # --- What is refused before anything runs ---------------------------------

    def _check_order(self) -> None:
        for n, line in enumerate(self.lines):
            if line.kind == "library" and n < len(self.lines) - 1:
                raise CheckFailed(
                    f"{self._place(n)} is the library's but not the last line"
                )

    def _read(self) -> Reading:
        numbers = [
            n for n, line in enumerate(self.lines) if line.by is None
        ]
        limits: dict[str, float] = {}
        for line in self.lines:
            if line.relation == "→":
                name = symbol(line.parameter)
                if (
                    name in self.drawn.tex.values()
                    or limits.setdefault(name, line.limit) != line.limit
                ):
                    raise CheckFailed(
                        f"{name} goes to a limit, and is drawn or goes to another one"
                    )
        try:
            reading = read(
                [self.lines[n].tex for n in numbers],
                names=[*self.drawn.tex.values(), *limits],
                where=self.where,
                ranges=self.ranges,
            )
        except TexError as error:
            raise CheckFailed(str(error)) from error
        self.formulas = dict(zip(numbers, reading.formulas, strict=True))
        return reading

    def _check_notes(self) -> None:
        r"""Refuse a limit beside a line, such as ``(h\to0)``, that is not the one that runs."""
        for n, formula in self.formulas.items():
            if not formula.note:
                continue
            line = self.lines[n]
            if line.relation != "→":
                raise CheckFailed(
                    f"{self._place(n)} names a limit, and is none: say tends_to"
                )
            runs = f"({goes_to(line.parameter, line.limit)})"
            side = (
                runs.replace(r"\to\infty", r"\to+\infty")
                if math.isinf(line.limit)
                else runs.replace(")", "^+)")
            )
            if formula.note not in {
                texts(tokenize(t)) for t in (runs, side)
            }:
                raise CheckFailed(
                    f"{self._place(n)} names {spell(formula.note)}, and {runs} is what runs"
                )

    def _check_trees(self) -> None:
        """Refuse lines that say the same, and definitions that leave nothing to check."""
        seen: dict[Any, int] = {}
        for n, formula in self.formulas.items():
            for part in (formula, *formula.beside):
                if len({*part.sides}) < len(part.sides):
                    raise CheckFailed(
                        f"{self._place(n)} has the same formula on two sides"
                    )
            for side in formula.sides:
                earlier = seen.setdefault(side, n)
                if earlier != n:
                    raise CheckFailed(
                        f"{self._place(n)} is the same formula as line {earlier + 1}"
                    )
        self._check_definitions()
        for a, b in pairwise(self.formulas):
            if b != a + 1:
                continue
            same = self.reading.expanded(
                self.formulas[a].tree
            ) == self.reading.expanded(self.formulas[b].sides[0])
            marked = self.lines[b].kind == "by_definition"
            if same and not marked:
                raise CheckFailed(
                    f"{self._place(b)} only writes out a definition: say by_definition"
                )
            if marked and not same:
                raise CheckFailed(
                    f"{self._place(b)} does more than write out a definition: say equals"
                )

    def _check_definitions(self) -> None:
        """Refuse a definition that is a line itself, unless a step says so."""
        said = {
            m
            for n, line in enumerate(self.lines)
            if line.kind == "by_definition"
            for m in (n - 1, n)
        }
        for definition in self.reading.definitions:
            if definition.tex not in self.where:
                continue
            for n, formula in self.formulas.items():
                if n and n not in said and definition.body in formula.sides:
                    raise CheckFailed(
                        f"the definition {definition.tex} is line {n + 1} itself"
                    )

    def _check_used(self) -> None:
        """Refuse a draw, a definition or a range that nothing uses."""
        self._check_said()
        scope = self.reading.scope
        used: set[str] = set()
        for formula in self.formulas.values():
            for part in (formula, *formula.beside):
                for node in (*part.sides, *part.conditions):
                    used |= free_names(node, scope)
        for extra in (*scope.ranges.values(), *scope.random.values()):
            used |= free_names(extra, scope)
        if scope.log_zero is not None:
            used |= free_names(scope.log_zero, scope)
        coded = {name for f in self.code.values() for name in f.names}
        coded |= self.elsewhere
        sizes = {s for d in self.drawn.samplers.values() for s in d.names}
        for name in self.drawn.samplers:
            tokens = name_tokens(self.drawn.tex[name])
            if (
                scope.names[tokens] not in used
                and name not in coded | sizes
            ):
                raise CheckFailed(
                    f"{name} is drawn, but nothing in this check uses it"
                )
        for n, code in self.code.items():
            unknown = set(code.names) - set(self.drawn.samplers)
            unknown -= {line.parameter for line in self.lines[n:]}
            if unknown:
                raise CheckFailed(
                    f"{self._place(n)} takes {', '.join(sorted(unknown))}, which is not drawn"
                )

    def _check_said(self) -> None:
        mentioned = self.reading.mentioned()
        for definition in self.reading.definitions:
            used = definition.head.name in mentioned
            if definition.tex in self.where and not used:
                raise CheckFailed(
                    f"nothing uses the definition {definition.tex}"
                )
        for name in self.reading.scope.ranges:
            if name not in mentioned:
                raise CheckFailed(f"nothing runs over the range of {name}")

    # --- Running --------------------------------------------------------------

    def check(self) -> None:
        """Run every line at every point."""
        self._check_notes()
        self._check_trees()
        self._check_used()
        for group in self.drawn.groups(self.drawn):
            self._check_double(group)
        edges = [(point, True) for point in self.drawn.edge]
        for group in self.drawn.groups(edges + self._few()):
            self._check_fine(group)
        for n, line in enumerate(self.lines):
            if line.relation == "→":
                self._check_limit(n)
        self._check_library()

    def _few(self) -> list[tuple[Point, bool]]:
        """Give some of the random points, of many sizes."""
        every = max(1, len(self.drawn.random) // FINE_POINTS)
        some = self.drawn.random[::every][:FINE_POINTS]
        return [(point, False) for point in some]

    def _evaluator(
        self,
        group: Group,
        field_: Field,
        moving: str = "",
        distance: float = 0.0,
    ) -> Evaluator:
        """Give an evaluator at the points of a group, with parameters away from their limits.

        The one that is `moving` stands at `distance`, any other at a distance of the point's own.
        """
        values = self.drawn.values(group.points, field_)
        for line in self.lines:
            if line.relation == "→":
                near = line.parameter == moving
                values[symbol(line.parameter)] = field_.array(
                    [
                        moved(
                            line.limit,
                            distance if near else _ordinary(number),
                        )
                        for number in group.number
                    ]
                )
        return self.reading.evaluator(values, field_)

    def _sides(self, at: Evaluator, n: int, count: int) -> list[np.ndarray]:
        """Give the sides of a line, one entry a point."""
        return self._values(at, n, self.formulas[n], count)

    def _values(
        self, at: Evaluator, n: int, formula: Formula, count: int
    ) -> list[np.ndarray]:
        try:
            found = self.reading.evaluate(at, formula)
        except TexError as error:
            raise CheckFailed(f"{self._place(n)} {error}") from error
        return [
            np.broadcast_to(side, (count, *side.shape[1:]))
            for side in found
        ]

    def _equal(
        self, at: Evaluator, n: int, sides: list[np.ndarray]
    ) -> list[tuple[str, np.ndarray, np.ndarray, int]]:
        """Give what is equal within a line: its sides, and what it says of its names."""
        beside = self.formulas[n].beside if n in self.formulas else ()
        chains = [
            sides,
            *(self._values(at, n, f, len(sides[0])) for f in beside),
        ]
        return [("=", a, b, n) for c in chains for a, b in pairwise(c)]

    def _coded(self, n: int, group: Group) -> list[np.ndarray]:
        rows = []
        for number, point in zip(group.number, group.points, strict=True):
            parameters = {
                line.parameter: moved(line.limit, _ordinary(number))
                for line in self.lines
                if line.relation == "→"
            }
            rows.append(self.code[n].value(point | parameters))
        return [np.stack(rows)]

    def _check_double(self, group: Group) -> None:
        at = self._evaluator(group, DOUBLE)
        for name, (base, indices) in self.reading.perhaps.items():
            with suppress(TexError):
                if np.ndim(at.number(base, {})) == indices + 1:
                    raise CheckFailed(f"{name} has a value already")
        doubtful: dict[int, None] = {}
        before: np.ndarray | None = None
        count = len(group.points)
        for n, line in enumerate(self.lines):
            sides = (
                self._coded(n, group)
                if n in self.code
                else self._sides(at, n, count)
            )
            pairs = self._equal(at, n, sides)
            if before is not None and line.relation != "→":
                pairs.insert(0, (line.relation, before, sides[0], n - 1))
            for relation, a, b, m in pairs:
                held = self._held(
                    relation, *self._same_shape(a, b, m, n), n, group
                )
                doubtful |= dict.fromkeys(np.flatnonzero(~held).tolist())
            before = sides[-1]
        for index in doubtful:
            self._check_fine(group.one(index))

    def _held(
        self,
        relation: str,
        a: np.ndarray,
        b: np.ndarray,
        n: int,
        group: Group,
    ) -> np.ndarray:
        """Tell at which points two sides are related."""
        finite = _finite(a) & _finite(b)
        held = _related(relation, a, b, TOLERANCE)
        held &= np.array(group.edge) | finite
        if relation in "≥≤":
            nearest = self.nearest.setdefault(n, _Nearest())
            for index in np.flatnonzero(finite).tolist():
                gap = float(abs(a[index] - b[index]).min())
                gap = gap if gap > TOLERANCE else 0.0
                if gap < nearest.gap:
                    nearest.gap = gap
                    nearest.point = group.points[index]
        return held

    def _same_shape(
        self, a: np.ndarray, b: np.ndarray, m: int, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Let a number without a free index stand for each value of the other side's.

        The sides are of the lines `m` and `n`.
        """
        here, there = (
            self.formulas[line].free if line in self.formulas else ()
            for line in (n, m)
        )
        if here and there and here != there:
            raise CheckFailed(
                f"{self._place(n)} is claimed for each {', '.join(here)}, "
                f"the line before for each {', '.join(there)}"
            )
        if here and not there and a.ndim == 1:
            a = a.reshape(len(a), *[1] * (b.ndim - 1))
        elif there and not here and b.ndim == 1:
            b = b.reshape(len(b), *[1] * (a.ndim - 1))
        elif a.shape != b.shape:
            raise CheckFailed(
                f"{self._place(n)} has shape {b.shape[1:]} where the line before has {a.shape[1:]}"
            )
        elif bool(here) != bool(there) and {m, n} <= {*self.formulas}:
            raise CheckFailed(
                f"{self._place(n)} and the line before: one is an array, the other is claimed "
                f"for each {', '.join(here or there)}"
            )
        left, right = np.broadcast_arrays(a, b)
        return left, right

    def _check_fine(self, group: Group) -> None:
        """Compare in multiprecision; where code stands beside it, in double precision."""
        at = self._evaluator(group, MULTI)
        before: np.ndarray | None = None
        count = len(group.points)
        for n, line in enumerate(self.lines):
            exact = n not in self.code
            sides = (
                self._sides(at, n, count)
                if exact
                else self._coded(n, group)
            )
            pairs = self._equal(at, n, sides)
            if before is not None and line.relation != "→":
                pairs.insert(0, (line.relation, before, sides[0], n - 1))
            for relation, a, b, m in pairs:
                fine = a.dtype == object and b.dtype == object
                if not fine:
                    a, b = a.astype(float), b.astype(float)
                tolerance = 10.0**-DIGITS if fine else TOLERANCE
                a, b = self._same_shape(a, b, m, n)
                held = _related(relation, a, b, tolerance)
                held &= np.array(group.edge) | _finite(a) & _finite(b)
                for index in np.flatnonzero(~held).tolist():
                    self._fail(
                        n, relation, a, b, group.points[index], index
                    )
            before = sides[-1]

    def _fail(
        self,
        n: int,
        relation: str,
        a: np.ndarray,
        b: np.ndarray,
        point: Point,
        index: int,
    ) -> None:
        left, right = (
            all_digits(np.asarray(x[index], dtype=float)) for x in (a, b)
        )
        written = {k: self.drawn.written(k, v) for k, v in point.items()}
        raise CheckFailed(
            f"{self._place(n)} does not hold{at_point(written)}: {left} is not {relation} {right}"
        )

    def values(self) -> list[tuple[Point, np.ndarray]]:
        """Give the value of the last line at every point, in double precision."""
        last = len(self.lines) - 1
        found = []
        for group in self.drawn.groups(self.drawn):
            at = self._evaluator(group, DOUBLE)
            sides = self._sides(at, last, len(group.points))
            found += list(zip(group.points, sides[-1], strict=True))
        return found

    # --- Limits and the library -----------------------------------------------

    def _check_limit(self, n: int) -> None:
        """Measure in multiprecision how fast a limit is approached."""
        line = self.lines[n]
        if n - 1 in self.code or n in self.code:
            raise CheckFailed(f"{self._place(n)} is a limit between code")
        parameter = symbol(line.parameter)
        name = self.reading.scope.names[name_tokens(parameter)]
        if name not in self._names(n - 1) or name in self._names(n):
            raise CheckFailed(
                f"{self._place(n)} is a limit in {line.parameter}, which the line before must "
                "contain, and it must not"
            )
        orders: list[float] = []
        tried = self._few()
        for group in self.drawn.groups(tried):
            for errors in self._errors(n, group):
                distances = [
                    kept(line.limit, distance)
                    for distance in HALVED_DISTANCES[: len(errors)]
                ]
                slope = order(errors, distances, math.isinf(line.rate))
                falls = slope is not None and slope > line.rate / 2
                if math.isnan(errors[-1]) or (
                    errors[-1] > SMALLEST_ERROR and not falls
                ):
                    raise CheckFailed(
                        f"{self._place(n)} is not the limit in {line.parameter}: after "
                        f"{len(errors) - 1} halvings of the distance the relative error is "
                        f"{errors[-1]:.3g}"
                    )
                self.met = max(self.met, errors[-1])
                if slope is not None:
                    orders.append(slope)
        if len(orders) < max(1, len(tried) // 4):
            raise CheckFailed(
                f"{self._place(n)} leaves no error to measure a rate by"
            )
        observed = float(np.median(orders))
        if not rate_holds(line.rate, observed):
            raise CheckFailed(
                f"{self._place(n)} is approached at the rate {observed:.2f} in {line.parameter}, "
                f"where {line.rate:g} is declared"
            )

    def _names(self, n: int) -> frozenset[str]:
        scope = self.reading.scope
        sides = self.formulas[n].sides
        return frozenset().union(*(free_names(s, scope) for s in sides))

    def _errors(self, n: int, group: Group) -> list[list[float]]:
        """Measure the relative error at smaller and smaller distances, for every point."""
        count = len(group.points)
        rows: list[np.ndarray] = []
        for distance in HALVED_DISTANCES:
            at = self._evaluator(
                group, MULTI, self.lines[n].parameter, distance
            )
            near, limit = map(
                _flat,
                self._same_shape(
                    self._sides(at, n - 1, count)[-1],
                    self._sides(at, n, count)[0],
                    n - 1,
                    n,
                ),
            )
            # As floats: of objects, the largest may lose a nan.
            gap, size = (
                abs(x).astype(float).max(axis=1)
                for x in (near - limit, limit)
            )
            rows.append(gap / np.maximum(1.0, size))
            if len(rows) > 1 and (
                max(rows[-1].max(), rows[-2].max()) <= SMALLEST_ERROR
            ):
                break
        return [[float(row[k]) for row in rows] for k in range(count)]

    def _check_library(self) -> None:
        for n, formula in self.code.items():
            called = from_package(formula, "losslib")
            if called and self.lines[n].kind != "library":
                raise CheckFailed(
                    f"{self._place(n)} calls {called}: say library(...)"
                )
            if self.lines[n].kind == "library" and not called:
                raise CheckFailed(
                    f"{self._place(n)} calls nothing of losslib"
                )

    # --- Showing --------------------------------------------------------------

    def show(self, statement: str, label: str | None) -> None:
        """Display the derivation, and keep its record."""
        lines = self.lines
        kinds = [line.kind for line in lines]
        record = keep_record(
            "derivation",
            statement,
            name=label,
            points=len(self.drawn),
            lines=[
                {"relation": x.relation, "tex": x.tex, "reason": x.reason}
                for x in lines
            ],
            detail={
                "steps": len(lines) - 1,
                "samplers": self.drawn.detail(),
                "where": self.where,
                "ranges": self.ranges,
                **{kind: kinds.count(kind) for kind in _MARKS},
            },
        )
        foot = self._foot()
        block = aligned(self._rows(), label)
        beside = [*self.where, *self.ranges]
        body = "\n\n".join([block, *said(beside)])
        markdown = f"**{statement}**\n\n{body}\n\n<small>{foot}</small>\n"
        plain = "\n".join(
            [
                statement,
                self._text(),
                *([f"  where {', '.join(beside)}"] if beside else []),
                unmarked(foot),
            ]
        )
        display_check(markdown, plain, record)

    def _rows(self) -> list[str]:
        opening = self.lines[0]
        beside = f" && {_MARKS[opening.kind][0]}" if opening.by else ""
        rows = [f"& {opening.tex}{beside}"]
        for line in self.lines[1:]:
            mark = _MARKS[line.kind][0]
            relation = _RELATIONS[line.relation]
            first, *more = line.shown()
            rows.append(rf"& {relation} {first} && {mark}")
            rows += [rf"& \quad {row}" for row in more]
            rows += tex_rows(line.convergence())
            rows += tex_rows(line.reason)
        return rows

    def _text(self) -> str:
        width = max(len(line.tex) for line in self.lines[1:])
        opening = self.lines[0]
        beside = f"    {_MARKS[opening.kind][1]}" if opening.by else ""
        rows = [f"      {opening.tex}{beside}"]
        for line in self.lines[1:]:
            words = "; ".join(
                filter(None, [line.convergence(), line.reason])
            )
            rows.append(
                f"    {line.relation} {line.tex:<{width}}    {_MARKS[line.kind][1]} "
                f"{unmarked(words)}".rstrip()
            )
        return "\n".join(rows)

    def _foot(self) -> str:
        steps = counted(len(self.lines) - 1, "step")
        foot = f"✓ {steps} held {self.drawn.words()}".rstrip() + "."
        if any(line.relation == "=" for line in self.lines):
            few = len(self.drawn.random) < FINE_POINTS
            fine = "at all of them" if few else "at ten points"
            which = " those from TeX" if self.code else ""
            foot += f" Equal sides agree to 1e-9, and {fine}{which} to 25 digits."
        limits = sum(line.relation == "→" for line in self.lines)
        if limits:
            are = "The limit is" if limits == 1 else "Limits are"
            foot += f" {are} met to {rounded_up(self.met)}."
        for n, nearest in self.nearest.items():
            if nearest.point:
                place = ", ".join(
                    f"${self.drawn.tex[k]}$ = {short_value(self.drawn.written(k, v))}"
                    for k, v in nearest.point.items()
                )
                how = (
                    f"comes nearest, to {nearest.gap:.1e},"
                    if nearest.gap
                    else "is attained to 1e-9"
                )
                foot += f" Line {n + 1} {how} at {place}."
        shadowed = self._shadowed()
        if shadowed:
            words = ", ".join(f"${tex}$" for tex in shadowed)
            own = (
                "has a meaning of its own"
                if len(shadowed) == 1
                else "have meanings of their own"
            )
            foot += f" Here {words} {own}."
        return foot

    def _shadowed(self) -> list[str]:
        """Give the names that mean something else in the book."""
        scope, below = self.reading.scope, book()
        own = {**scope.names, **dict.fromkeys(scope.functions)}
        return [
            "".join(base)
            for base in own
            if below.declares(base)
            or (len(base) == 1 and base[0] in {"e", r"\pi", *PREFIX})
        ]


def _ordinary(number: int) -> float:
    distances = ORDINARY_DISTANCES
    return distances[number % len(distances)]


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)


def _finite(array: np.ndarray) -> np.ndarray:
    """Tell at which points all entries are finite."""
    finite = np.isfinite(_flat(array).astype(float))
    return np.asarray(finite.all(axis=1))


@np.errstate(all="ignore")
def _related(
    relation: str, a: np.ndarray, b: np.ndarray, tolerance: float
) -> np.ndarray:
    """Tell at which points two sides are related.

    An infinity equals only itself; it is compared with a number, not with the other infinity.
    """
    a, b = _flat(a), _flat(b)
    whole = np.isfinite(a.astype(float)), np.isfinite(b.astype(float))
    finite, one = whole[0] & whole[1], whole[0] ^ whole[1]
    same = (a == b).astype(bool)
    x, y = np.where(finite, a, 0), np.where(finite, b, 0)
    slack = tolerance * np.maximum(1, np.maximum(abs(x), abs(y)))
    related = {
        "=": abs(x - y) <= slack,
        "≥": x >= y - slack,
        "≤": x <= y + slack,
    }[relation].astype(bool)
    apart = {"=": same, "≥": a > b, "≤": a < b}[relation].astype(bool)
    return np.asarray(
        (same | (one & apart) | (finite & related)).all(axis=1)
    )
