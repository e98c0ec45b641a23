r"""Checks for the book: every equals sign runs.

A check is one call. It evaluates what it displays, raises :class:`CheckFailed` if that is false,
shows the reader the statement that held, and leaves a record for the ledger.

* :func:`derivation` -- a chain of formulas, each compared with the one before it;
* :func:`gradient` -- a derived gradient against autograd and central differences;
* :func:`published` -- numbers as somebody printed them, equal to every digit;
* :func:`refutes` -- a false claim, with the counter-example that the run found.

>>> import numpy as np
>>> derivation(
...     "A log-odds undoes a sigmoid",
...     start("x", lambda x: x),
...     equals(r"\log\frac{p}{1-p},\ p=\sigma(x)",
...            lambda x: np.log(1 / (1 + np.exp(-x)) / (1 - 1 / (1 + np.exp(-x)))),
...            "definition of the sigmoid"),
...     x=real(),
... )
A log-odds undoes a sigmoid
      x
    = \log\frac{p}{1-p},\ p=\sigma(x)    ✓ definition of the sigmoid
✓ 1 step held at 300 random points: x a real number (normal, sd 2). Equal sides agree to 1e-9.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

__all__ = [
    "RECORD_TYPE",
    "CheckFailed",
    "Line",
    "Sampler",
    "at_least",
    "at_most",
    "choice",
    "derivation",
    "distribution",
    "equals",
    "gradient",
    "integer",
    "joint",
    "label",
    "ledger",
    "logits",
    "positive",
    "published",
    "real",
    "reals",
    "refutes",
    "start",
    "stochastic",
    "summary",
    "tends_to",
    "unit",
]

RECORD_TYPE = "application/vnd.equalsign.check+json"
SEED = 20_250_101
TOLERANCE = 1e-9
DIFFERENCE_TOLERANCE = 1e-5
RATE_TOLERANCE = 0.15

Point = dict[str, Any]
Function = Callable[..., Any]


class CheckFailed(AssertionError):  # noqa: N818
    """A statement of the book is false, or its check would not show that it is true."""


@contextmanager
def _about(statement: str) -> Iterator[None]:
    """Let every failure begin with the statement that failed."""
    try:
        yield
    except CheckFailed as failure:
        raise CheckFailed(f"{statement}: {failure}") from failure.__cause__


# --- Samplers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sampler:
    """Where the random values of one symbol come from.

    Parameters
    ----------
    words : str
        What is drawn, in words for the reader.
    draw : callable
        Draws one value from a ``numpy.random.Generator``.

    Examples
    --------
    >>> logits(5).words
    '5 logits (normal, sd 2)'
    """

    words: str
    draw: Callable[[np.random.Generator], Any]


def _times(shape: Sequence[int]) -> str:
    return " × ".join(str(length) for length in shape)


def logits(n: int, scale: float = 2.0) -> Sampler:
    """Draw `n` independent normal logits with standard deviation `scale`.

    Examples
    --------
    >>> logits(3).draw(np.random.default_rng(0)).shape
    (3,)
    """
    return Sampler(
        f"{n} logits (normal, sd {scale:g})",
        lambda rng: rng.normal(scale=scale, size=n),
    )


def label(n: int) -> Sampler:
    """Draw a class index from 0 to ``n - 1``.

    Examples
    --------
    >>> label(3).words
    'a label among 3 classes'
    """
    return Sampler(
        f"a label among {n} classes", lambda rng: int(rng.integers(n))
    )


def distribution(n: int) -> Sampler:
    """Draw `n` probabilities that sum to one, uniformly on the simplex.

    Examples
    --------
    >>> round(float(distribution(4).draw(np.random.default_rng(0)).sum()), 12)
    1.0
    """
    return Sampler(
        f"a distribution over {n} outcomes",
        lambda rng: rng.dirichlet(np.ones(n)),
    )


def joint(n: int, m: int) -> Sampler:
    """Draw an `n` by `m` matrix of probabilities that sums to one.

    Examples
    --------
    >>> joint(2, 3).draw(np.random.default_rng(0)).shape
    (2, 3)
    """
    return Sampler(
        f"a joint distribution of {_times((n, m))} outcomes",
        lambda rng: rng.dirichlet(np.ones(n * m)).reshape(n, m),
    )


def stochastic(n: int, m: int) -> Sampler:
    """Draw an `n` by `m` matrix whose rows are distributions.

    Examples
    --------
    >>> stochastic(2, 3).words
    '2 distributions over 3 outcomes each'
    """
    return Sampler(
        f"{n} distributions over {m} outcomes each",
        lambda rng: rng.dirichlet(np.ones(m), size=n),
    )


def real(scale: float = 2.0) -> Sampler:
    """Draw a normal number with standard deviation `scale`.

    Examples
    --------
    >>> real(1).words
    'a real number (normal, sd 1)'
    """
    return Sampler(
        f"a real number (normal, sd {scale:g})",
        lambda rng: float(rng.normal(scale=scale)),
    )


def reals(*shape: int, scale: float = 2.0) -> Sampler:
    """Draw an array of independent normal numbers with standard deviation `scale`.

    Examples
    --------
    >>> reals(2, 3).words
    '2 × 3 real numbers (normal, sd 2)'
    """
    return Sampler(
        f"{_times(shape)} real numbers (normal, sd {scale:g})",
        lambda rng: rng.normal(scale=scale, size=shape),
    )


def positive() -> Sampler:
    """Draw a positive number, log-normal.

    Examples
    --------
    >>> positive().words
    'a positive number (log-normal)'
    """
    return Sampler(
        "a positive number (log-normal)", lambda rng: float(rng.lognormal())
    )


def unit() -> Sampler:
    """Draw a number strictly between 0 and 1, uniformly.

    Examples
    --------
    >>> unit().words
    'a number in (0, 1)'
    """
    return Sampler(
        "a number in (0, 1)", lambda rng: float(rng.uniform(1e-9, 1.0))
    )


def integer(low: int, high: int) -> Sampler:
    """Draw an integer from `low` to `high`, both included.

    Examples
    --------
    >>> integer(1, 6).words
    'an integer from 1 to 6'
    """
    return Sampler(
        f"an integer from {low} to {high}",
        lambda rng: int(rng.integers(low, high + 1)),
    )


def choice(*values: Any) -> Sampler:
    """Draw one of `values`.

    Examples
    --------
    >>> choice(-1, 1).words
    'one of -1, 1'
    """
    words = ", ".join(str(value) for value in values)
    return Sampler(
        f"one of {words}",
        lambda rng: values[int(rng.integers(len(values)))],
    )


# --- Points -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Points:
    """The points a check runs at: the hand-picked ones first, then the random ones."""

    edge: list[Point]
    random: list[Point]
    samplers: Mapping[str, Sampler]

    def __iter__(self) -> Iterator[tuple[Point, bool]]:
        yield from ((point, True) for point in self.edge)
        yield from ((point, False) for point in self.random)

    def __len__(self) -> int:
        return len(self.edge) + len(self.random)

    @property
    def names(self) -> set[str]:
        """The symbols that have a value at every point."""
        return set(self.samplers) or {
            name for point in self.edge for name in point
        }

    def words(self) -> str:
        """Say how many points of which kind there were, in Markdown."""
        drawn = "; ".join(
            f"${_symbol(n)}$ {s.words}" for n, s in self.samplers.items()
        )
        parts = []
        if self.samplers:
            parts.append(
                f"at {_count(len(self.random), 'random point')}: {drawn}"
            )
        if self.edge:
            parts.append(
                f"at {_count(len(self.edge), 'hand-picked point')}"
            )
        return "; and ".join(parts)

    def detail(self) -> dict[str, str]:
        return {
            name: sampler.words for name, sampler in self.samplers.items()
        }


def _draw_points(
    samplers: Mapping[str, Sampler],
    points: int,
    edge: Sequence[Mapping[str, Any]] | None,
) -> _Points:
    for name, sampler in samplers.items():
        if not isinstance(sampler, Sampler):
            raise TypeError(
                f"{name} must be a sampler such as logits(5), not {sampler!r}"
            )
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points}")
    misspelt = {name for point in edge or [] for name in point} - set(
        samplers
    )
    if samplers and misspelt:
        raise CheckFailed(
            f"a hand-picked point gives {', '.join(misspelt)}, which is not drawn"
        )
    rng = np.random.default_rng(SEED)

    def draw() -> Point:
        return {
            name: _frozen(sampler.draw(rng))
            for name, sampler in samplers.items()
        }

    picked = [
        draw() | {name: _frozen(v) for name, v in p.items()}
        for p in edge or []
    ]
    drawn = (
        [draw() for _ in range(points)]
        if samplers
        else []
        if picked
        else [{}]
    )
    return _Points(picked, drawn, samplers)


def _frozen(value: Any) -> Any:
    """Turn lists into float64 arrays, and make arrays read-only: no line may change its inputs."""
    if isinstance(value, list | tuple):
        value = np.array(value, dtype=np.float64)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
    return value


# --- Formulas ---------------------------------------------------------------------------------


@dataclass
class _Formula:
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
                f"{self.where} fails{_at(point)} with {problem}"
            ) from error

    def value(self, point: Point) -> np.ndarray:
        """Evaluate in float64, note which packages of interest were called, refuse a nan."""
        with _watch({"losslib", "torch"}) as seen:
            result = self(point)
        self.foreign += seen
        try:
            array = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckFailed(
                f"{self.where} gives no real numbers{_at(point)}: {error}"
            ) from error
        if np.isnan(array).any():
            raise CheckFailed(
                f"{self.where} is nan{_at(point)}: {_number(array)}"
            )
        return array


@contextmanager
def _watch(packages: set[str]) -> Iterator[dict[str, None]]:
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
        if module.partition(".")[0] in packages and module != __name__:
            seen[f"{module}.{name}"] = None

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(previous)


def _from_package(formula: _Formula, package: str) -> str | None:
    return next(
        (
            name
            for name in formula.foreign
            if name.partition(".")[0] == package
        ),
        None,
    )


def _check_names(
    formulas: Sequence[_Formula], known: set[str], drawn: set[str]
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


def _fingerprint(fn: Any) -> Any:
    """Tell what a function computes, as far as its code and what it closes over show."""
    code = getattr(fn, "__code__", None)
    if code is None:
        return fn
    cells = tuple(id(cell.cell_contents) for cell in fn.__closure__ or ())
    return (
        _code_key(code),
        cells,
        repr(fn.__defaults__),
        repr(fn.__kwdefaults__),
    )


def _code_key(code: CodeType) -> Any:
    constants = tuple(
        _code_key(c)
        if isinstance(c, CodeType)
        else (type(c).__name__, repr(c))
        for c in code.co_consts
    )
    arguments = code.co_varnames[
        : code.co_argcount + code.co_kwonlyargcount
    ]
    return code.co_code, constants, code.co_names, arguments


# --- Words and TeX ----------------------------------------------------------------------------

_GREEK = frozenset(
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega""".split()  # noqa: SIM905
)
_ALIASES = {
    "ell": r"\ell",
    "eps": r"\varepsilon",
    "lam": r"\lambda",
    "lamda": r"\lambda",
}
_ROW_WIDTH = 38


def _symbol(name: str) -> str:
    """TeX for the name of an argument: ``tau`` is a Greek letter, ``p_t`` has a subscript."""
    base, _, below = name.strip("_").partition("_")
    tex = _ALIASES.get(base) or (f"\\{base}" if base in _GREEK else base)
    if len(base) > 1 and tex == base:
        tex = rf"\mathrm{{{base}}}"
    return f"{tex}_{{{below}}}" if below else tex


def _count(number: int, noun: str, plural: str = "") -> str:
    return (
        f"{number} {noun}"
        if number == 1
        else f"{number} {plural or noun + 's'}"
    )


def _rows(words: str) -> list[str]:
    """Break words that may hold ``$maths$`` into TeX rows short enough for a phone."""
    rows: list[list[str]] = [[]]
    width = 0
    for token in re.findall(r"(?:\$[^$]*\$|[^\s$])+", words):
        length = (
            len(
                re.sub(r"[{}$_^\\]", "", re.sub(r"\\[a-zA-Z]+", "x", token))
            )
            + 1
        )
        if rows[-1] and width + length > _ROW_WIDTH:
            rows.append([])
            width = 0
        rows[-1].append(token)
        width += length
    return [
        rf"& \quad{{\small\rlap{{{_tex_text(' '.join(row))}}}}}"
        for row in rows
        if row
    ]


def _tex_text(words: str) -> str:
    pieces = words.split("$")
    text = (
        f"${piece}$" if index % 2 else _escape(piece)
        for index, piece in enumerate(pieces)
    )
    return rf"\text{{{''.join(text)}}}"


def _escape(text: str) -> str:
    return re.sub(r"([%#&_])", r"\\\1", text)


def _aligned(rows: Sequence[str], name: str | None) -> str:
    body = " \\\\\n".join(rows)
    tail = f" ({name})" if name else ""
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$${tail}"


def _plain(markdown: str) -> str:
    return re.sub(r"\*\*|[$]|</?small>", "", markdown)


def _cell_text(words: str) -> str:
    """Escape the bars of a table cell, inside maths so that every renderer agrees."""
    pieces = words.replace("\n", " ").split("$")
    for index, piece in enumerate(pieces):
        if index % 2:
            pieces[index] = piece.replace(r"\|", r"\Vert ").replace(
                "|", r"\vert "
            )
        else:
            pieces[index] = piece.replace("|", r"\|")
    return "$".join(pieces)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([_cell_text(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out in columns for a terminal."""
    widths = [
        max(len(cell) for cell in column)
        for column in zip(*rows, strict=True)
    ]
    return "\n".join(
        "  ".join(
            cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _number(value: Any) -> str:
    """All digits that tell two float64 apart, for messages."""
    return np.array2string(
        np.asarray(value.detach() if hasattr(value, "detach") else value),
        max_line_width=10_000,
        separator=", ",
        formatter={"float_kind": lambda x: f"{x:.17g}"},
    )


def _at(point: Point) -> str:
    if not point:
        return ""
    return " at " + ", ".join(
        f"{name} = {_number(value)}" for name, value in point.items()
    )


def _short(value: Any) -> str:
    """Four decimals, for the reader: digits that another machine prints as well."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_short(item) for item in value)}]"
    if isinstance(value, float):
        text = (
            f"{value:.4f}"
            if value == 0 or 1e-3 <= abs(value) < 1e7
            else f"{value:.4g}"
        )
        return "0.0000" if text == "-0.0000" else text
    return str(value)


# --- Records ----------------------------------------------------------------------------------

_KIND_WORDS = {
    "derivation": ("derivation", "derivations"),
    "gradient": ("gradient", "gradients"),
    "published": ("set of published numbers", "sets of published numbers"),
    "refutes": ("claim refuted", "claims refuted"),
}
_records: dict[tuple[str, str], dict[str, Any]] = {}


def _record(
    kind: str,
    statement: str,
    *,
    points: int,
    name: str | None = None,
    source: str | None = None,
    lines: Sequence[Mapping[str, str]] = (),
    detail: Mapping[str, Any],
) -> dict[str, Any]:
    """Keep a record; a cell that runs again replaces its own."""
    record = {
        "kind": kind,
        "statement": statement,
        "label": name,
        "source": source,
        "lines": [dict(line) for line in lines],
        "points": points,
        "detail": dict(detail),
    }
    _records[kind, statement] = record
    return record


def _show(
    markdown: str, plain: str, record: Mapping[str, Any] | None = None
) -> None:
    """Display in a notebook, print in a terminal."""
    if "IPython" in sys.modules:
        from IPython import display, get_ipython

        if get_ipython() is not None:
            data: dict[str, Any] = {
                "text/markdown": markdown,
                "text/plain": plain,
            }
            if record is not None:
                data[RECORD_TYPE] = record
            display.display(data, raw=True)
            return
    print(plain)


# --- Derivations ------------------------------------------------------------------------------

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
        symbol = _symbol(self.parameter)
        goal = r"\infty" if math.isinf(self.limit) else f"{self.limit:g}"
        if math.isinf(self.rate):
            return rf"as ${symbol}\to{goal}$, faster than every power"
        power = "" if self.rate == 1 else f"^{{{self.rate:g}}}"
        if math.isinf(self.limit):
            size = f"1/{symbol}{power}"
        elif self.limit == 0:
            size = f"{symbol}{power}"
        else:
            base = f"{symbol}-{goal}"
            size = f"({base}){power}" if power else base
        return rf"as ${symbol}\to{goal}$, with an error $O({size})$"


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
    with _about(statement):
        _check_structure(lines)
        drawn = _draw_points(samplers, points, edge)
        formulas = [
            _Formula(f"line {number}, {line.tex},", line.fn)
            for number, line in enumerate(lines, start=1)
        ]
        _check_arguments(lines, formulas, drawn)
        _check_steps(lines, formulas, drawn)
        _check_limits(lines, formulas, drawn)
        _check_losslib(lines, formulas)
    record = _record(
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
    block = _aligned(_derivation_rows(lines), label)
    markdown = f"**{statement}**\n\n{block}\n\n<small>{foot}</small>\n"
    _show(
        markdown,
        f"{statement}\n{_derivation_text(lines)}\n{_plain(foot)}",
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
        earlier = seen.setdefault(_fingerprint(line.fn), number)
        if earlier != number:
            raise CheckFailed(
                f"line {number}, {line.tex}, computes exactly what line {earlier} computes; "
                "compute it from the formula displayed"
            )


def _check_arguments(
    lines: Sequence[Line], formulas: Sequence[_Formula], drawn: _Points
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
        _check_names([formula], known | coming, set())
    _check_names(
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
    lines: Sequence[Line], formulas: Sequence[_Formula], drawn: _Points
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
    formulas: Sequence[_Formula],
    number: int,
    left: np.ndarray,
    right: np.ndarray,
    point: Point,
    edge: bool,
) -> None:
    before, line = formulas[number - 1], formulas[number]
    names = set(before.names) | set(line.names)
    where = _at(
        {name: value for name, value in point.items() if name in names}
    )
    _check_shapes(before, line, left, right, where)
    if not edge:
        _check_finite(before, left, where)
        _check_finite(line, right, where)
    if not _holds(lines[number].relation, left, right):
        raise CheckFailed(
            f"{line.where} does not hold{where}: {before.where} is {_number(left)}, which is not "
            f"{lines[number].relation} {_number(right)}"
        )


def _check_shapes(
    before: _Formula,
    line: _Formula,
    left: np.ndarray,
    right: np.ndarray,
    where: str,
) -> None:
    if left.shape != right.shape:
        raise CheckFailed(
            f"{line.where} has shape {right.shape} where {before.where} has {left.shape}{where}"
        )


def _check_finite(formula: _Formula, value: np.ndarray, where: str) -> None:
    if not np.isfinite(value).all():
        raise CheckFailed(
            f"{formula.where} is infinite at a random point{where}: {_number(value)}"
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
    lines: Sequence[Line], formulas: Sequence[_Formula], drawn: _Points
) -> None:
    for number, line in enumerate(lines):
        if line.relation == "→":
            _check_limit(lines, formulas, number, drawn)


def _check_limit(
    lines: Sequence[Line],
    formulas: Sequence[_Formula],
    number: int,
    drawn: _Points,
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
                f"{formula.where} is not the limit in {line.parameter}{_at(point)}: after "
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
    line: Line, before: _Formula, formula: _Formula, point: Point
) -> list[float]:
    """Measure the relative error at distances 1, 1/2, 1/4, ... until twice it is too small."""
    limit = formula.value(point)
    scale = max(1.0, float(np.max(abs(limit), initial=0.0)))
    errors: list[float] = []
    for halving in range(_HALVINGS + 1):
        near = point | {line.parameter: line.at(0.5**halving)}
        value = before.value(near)
        _check_shapes(before, formula, value, limit, _at(near))
        _check_finite(before, value, _at(near))
        _check_finite(formula, limit, _at(near))
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
    lines: Sequence[Line], formulas: Sequence[_Formula]
) -> None:
    for line, formula in zip(lines, formulas, strict=True):
        called = _from_package(formula, "losslib")
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
        rows += _rows(line.convergence())
        rows += _rows(_reason(line))
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
            f"    {line.relation} {line.tex:<{width}}    ✓ {_plain(words)}".rstrip()
        )
    return "\n".join(rows)


def _derivation_foot(lines: Sequence[Line], drawn: _Points) -> str:
    foot = (
        f"✓ {_count(len(lines) - 1, 'step')} held {drawn.words()}".rstrip()
        + "."
    )
    if any(line.relation == "=" for line in lines):
        foot += f" Equal sides agree to {TOLERANCE:.0e}.".replace(
            "e-0", "e-"
        )
    return foot


# --- Gradients --------------------------------------------------------------------------------


def gradient(
    statement: str,
    loss: Function,
    derived: Function,
    /,
    *,
    wrt: str = "z",
    tex: str | None = None,
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
    derived : callable
        The gradient as derived, of NumPy arrays; it calls neither PyTorch nor `losslib`.
    wrt : str
        The name of the argument that the gradient is with respect to.
    tex : str, optional
        The formula that `derived` computes.
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
    >>> gradient("A parabola", lambda z: (z**2).sum(), lambda z: 2 * z,
    ...          tex=r"\nabla_z \|z\|^2 = 2z", z=reals(3))
    A parabola
        \nabla_z \|z\|^2 = 2z    ✓ autograd ✓ differences
    ✓ equal to autograd and to central differences at 100 random points: z 3 real numbers
    (normal, sd 2).
    """
    with _about(statement):
        drawn = _draw_points(samplers, points, edge)
        value, slope = (
            _Formula("the loss", loss),
            _Formula("the derived gradient", derived),
        )
        _check_names([value, slope], drawn.names, drawn.names)
        if wrt not in value.names:
            raise CheckFailed(
                f"the loss does not take {wrt}, the argument to derive by"
            )
        for point, _ in drawn:
            _check_gradient(value, slope, wrt, point)
        for package in ("torch", "losslib"):
            if called := _from_package(slope, package):
                raise CheckFailed(
                    f"{slope.where} calls {called}; compute it from its formula"
                )
    record = _record(
        "gradient",
        statement,
        name=label,
        points=len(drawn),
        lines=[{"relation": "=", "tex": tex, "reason": words or ""}]
        if tex
        else [],
        detail={"wrt": wrt, "samplers": drawn.detail()},
    )
    foot = (
        f"✓ equal to autograd and to central differences {drawn.words()}."
    )
    parts = [f"**{statement}**", f"<small>{foot}</small>"]
    text = [statement, _plain(foot)]
    if tex:
        marks = r"& \quad{\small \checkmark\ \text{autograd}\quad\checkmark\ \text{differences}}"
        parts.insert(1, _aligned([f"& {tex}", marks], label))
        text.insert(1, f"    {tex}    ✓ autograd ✓ differences")
    if words:
        parts.append(words)
        text.append(_plain(words))
    _show("\n\n".join(parts) + "\n", "\n".join(text), record)


@np.errstate(all="ignore")
def _check_gradient(
    loss: _Formula, derived: _Formula, wrt: str, point: Point
) -> None:
    expected = derived.value(point)
    where = _at(point)
    shape = np.shape(point[wrt])
    if expected.shape != shape:
        raise CheckFailed(
            f"{derived.where} has shape {expected.shape}, but {wrt} has {shape}"
        )
    automatic, size = _autograd(loss, wrt, point)
    if not _holds("=", expected, automatic):
        raise CheckFailed(
            f"{derived.where} is {_number(expected)}, but autograd's is {_number(automatic)}{where}"
        )
    eps = np.finfo(np.float64).eps
    steps = eps ** (1 / 3) * np.clip(
        abs(np.asarray(point[wrt], dtype=np.float64)), 1e-3, 1
    )
    numeric = _differences(loss, wrt, point, steps)
    rounding = 16 * eps * abs(size) / steps
    slack = DIFFERENCE_TOLERANCE * np.maximum(1.0, abs(expected)) + rounding
    taken = np.isfinite(np.asarray(point[wrt], dtype=np.float64))
    if not np.all((abs(numeric - expected) <= slack)[taken]):
        raise CheckFailed(
            f"{derived.where} is {_number(expected)}, but central differences give "
            f"{_number(numeric)}{where}"
        )


def _tensors(point: Point) -> Point:
    import torch

    return {
        name: torch.tensor(value, dtype=torch.int64)
        if np.asarray(value).dtype.kind in "iu"
        else torch.tensor(value, dtype=torch.float64)
        for name, value in point.items()
    }


def _autograd(
    loss: _Formula, wrt: str, point: Point
) -> tuple[np.ndarray, float]:
    """Give the gradient by PyTorch, and the value of the loss."""
    tensors = _tensors(point)
    variable = tensors[wrt].double().requires_grad_()
    value = loss(tensors | {wrt: variable})
    if not hasattr(value, "backward") or value.ndim != 0:
        raise CheckFailed(
            f"{loss.where} must be one scalar tensor{_at(point)}, not {value!r}"
        )
    if not value.requires_grad:
        raise CheckFailed(
            f"{loss.where} does not depend on {wrt}{_at(point)}"
        )
    value.backward()
    if variable.grad is None:
        raise CheckFailed(
            f"{loss.where} does not depend on {wrt}{_at(point)}"
        )
    slope = variable.grad.numpy()
    if np.isnan(slope).any():
        raise CheckFailed(
            f"autograd's gradient is nan{_at(point)}: {_number(slope)}"
        )
    return slope, float(value.detach())


def _differences(
    loss: _Formula, wrt: str, point: Point, steps: np.ndarray
) -> np.ndarray:
    """Central differences of the loss in every finite entry of the argument.

    Those of two steps are extrapolated, so that the error falls with the fourth power of the step.
    """
    base = np.asarray(point[wrt], dtype=np.float64)
    slopes = np.zeros(base.shape)

    def slope(index: tuple[int, ...], step: float) -> float:
        above, below = base.copy(), base.copy()
        above[index] += step
        below[index] -= step
        high, low = (
            float(loss(_tensors(point | {wrt: end})))
            for end in (above, below)
        )
        return float((high - low) / (above[index] - below[index]))

    for index in np.ndindex(base.shape):
        if np.isfinite(base[index]):
            step = float(steps[index])
            slopes[index] = (
                4 * slope(index, step / 2) - slope(index, step)
            ) / 3
    return slopes


# --- Published numbers ------------------------------------------------------------------------

_HEADS = {
    "losslib": "`losslib`",
    "pytorch": "PyTorch",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "jax": "JAX",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
}


def published(
    statement: str,
    printed: str | Mapping[str, str],
    /,
    *,
    source: str,
    **columns: Any,
) -> None:
    r"""Compare numbers with what somebody printed, digit for digit.

    Parameters
    ----------
    statement : str
        What the numbers are.
    printed : str or dict of str
        The numbers as printed, separated by spaces; or rows of them by name.
    source : str
        Who printed them, and where.
    **columns
        The same numbers, computed: an array, a number or a nested list of them; for rows, a dict
        with the same names or a function of the name. ``by_hand`` is headed "by hand".

    Raises
    ------
    CheckFailed
        If a number, rounded to the decimals printed, is not the one printed.

    Examples
    --------
    >>> published("Entropy of a fair die", "1.7918 2.585", source="a table",
    ...           by_hand=[np.log(6), np.log2(6)])
    Entropy of a fair die (a table)
      printed       by hand       held
      1.7918 2.585  1.7918 2.585  ✓
    ✓ 2 numbers equal to every printed digit.
    """
    rows = {"": printed} if isinstance(printed, str) else dict(printed)
    with _about(statement):
        cells = _published_cells(rows, columns)
    total = sum(len(text.split()) for text in rows.values())
    record = _record(
        "published",
        statement,
        source=source,
        points=total,
        detail={"columns": list(columns), "printed": dict(rows)},
    )
    heads = [
        "printed",
        *(_HEADS.get(name, name.replace("_", " ")) for name in columns),
        "held",
    ]
    body = [
        [
            " ".join(text.split()),
            *(cells[name][row] for name in columns),
            "✓",
        ]
        for row, text in rows.items()
    ]
    if not isinstance(printed, str):
        heads = ["what", *heads]
        body = [[row, *rest] for row, rest in zip(rows, body, strict=True)]
    foot = f"✓ {_count(total, 'number')} equal to every printed digit."
    markdown = f"**{statement}** ({source})\n\n{_table(heads, body)}\n\n<small>{foot}</small>\n"
    table = _columns(
        [
            ["", *(_plain(head).strip("`") for head in heads)],
            *(["", *r] for r in body),
        ]
    )
    _show(markdown, f"{statement} ({source})\n{table}\n{foot}", record)


def _published_cells(
    rows: Mapping[str, str], columns: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Format every column like what was printed, by column and row."""
    if not columns:
        raise CheckFailed(
            "there is no column to compare with what was printed"
        )
    if not all(text.split() for text in rows.values()) or not rows:
        raise CheckFailed("a row of what was printed holds no number")
    return {
        name: {
            row: _printed_as(text, row, name, _row_value(column, rows, row))
            for row, text in rows.items()
        }
        for name, column in columns.items()
    }


def _row_value(column: Any, rows: Mapping[str, str], row: str) -> Any:
    if callable(column):
        return column(row)
    if isinstance(column, Mapping):
        if set(column) != set(rows):
            raise CheckFailed(
                f"a column has the rows {list(column)} where {list(rows)} are printed"
            )
        return column[row]
    if len(rows) > 1:
        raise CheckFailed(
            f"a column must give a value for each of the rows {list(rows)}"
        )
    return column


def _printed_as(text: str, row: str, column: str, value: Any) -> str:
    """Format `value` like `text`, number by number, and refuse what differs."""
    wanted, got = text.split(), _flatten(value)
    place = f"row {row}, column {column}" if row else f"column {column}"
    if len(wanted) != len(got):
        raise CheckFailed(
            f"{place}: {len(got)} numbers where {len(wanted)} are printed"
        )
    shown = []
    for index, (target, number) in enumerate(zip(wanted, got, strict=True)):
        digits = _format_like(target, number)
        if not _same_number(target, digits):
            raise CheckFailed(
                f"{place}, number {index + 1}: printed {target}, got {digits} ({number:.17g})"
            )
        shown.append(digits)
    return " ".join(shown)


def _flatten(value: Any) -> list[float]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [number for item in value for number in _flatten(item)]
    if isinstance(value, str):
        raise TypeError(
            f"a column holds computed numbers, not the text {value!r}"
        )
    return [float(value)]


def _format_like(printed: str, number: float) -> str:
    mantissa, _, exponent = printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    digits = f"{number:.{decimals}{'e' if exponent else 'f'}}"
    return (
        digits[1:]
        if digits.startswith("-") and not digits.strip("-0.")
        else digits
    )


def _same_number(printed: str, digits: str) -> bool:
    try:
        target = Decimal(printed)
    except InvalidOperation:
        raise ValueError(
            f"{printed!r} is not a number as printed"
        ) from None
    return target == Decimal(digits) or (
        target.is_nan() and Decimal(digits).is_nan()
    )


# --- Refutations ------------------------------------------------------------------------------

_CLAIM_KINDS = ("wrong", "incomplete", "outdated", "trap")


def refutes(
    claim: str,
    /,
    *,
    source: str,
    says: str,
    kind: str = "wrong",
    erratum: int | str | None = None,
    holds: Function | None = None,
    raises: tuple[type[BaseException], Callable[[], Any]] | None = None,
    truth: Function | None = None,
    points: int = 300,
    edge: Sequence[Mapping[str, Any]] | None = None,
    show: Mapping[str, Function] | Function | None = None,
    **samplers: Sampler,
) -> None:
    r"""Refute a claim by a counter-example, and check what is true instead.

    Parameters
    ----------
    claim : str
        The claim, in words.
    source : str
        Who claims it, and where.
    says : str
        What is so instead: a sentence, with maths between dollar signs.
    kind : {"wrong", "incomplete", "outdated", "trap"}
        In what way the claim fails.
    erratum : int or str, optional
        Its number in the list of errata.
    holds : callable
        The claim, as a function of the symbols that gives one bool.
    raises : (exception, callable), optional
        In place of `holds`: the claim fails because the call raises.
    truth : callable, optional
        What is so instead, as a function like `holds`; it must hold at every point.
    points, edge, **samplers
        As in :func:`derivation`; the hand-picked points are tried first.
    show : dict of callable, or callable giving a dict
        Values to print beside the counter-example of `holds`, by name.

    Raises
    ------
    CheckFailed
        If the claim held at all points, or if what is said instead fails at one.
    TypeError
        If there is not one of `holds` and `raises`, or `show` without `holds`.
    ValueError
        If `kind` is none of these.

    Examples
    --------
    >>> refutes("The square of a number exceeds it", source="a slip",
    ...         says="It does outside [0, 1].", holds=lambda x: x**2 > x,
    ...         truth=lambda x: x**2 > x or 0 <= x <= 1,
    ...         show={"$x^2$": lambda x: x**2}, edge=[{"x": 0.5}], x=real())
    Claim (a slip; wrong): “The square of a number exceeds it”
    Counter-example: x = 0.5000; x^2 = 0.2500
    What is so: It does outside [0, 1].
    ✓ refuted; what is so held at 300 random points: x a real number (normal, sd 2); and at 1
    hand-picked point.
    """
    if kind not in _CLAIM_KINDS:
        raise ValueError(
            f"kind must be one of {', '.join(_CLAIM_KINDS)}, not {kind!r}"
        )
    if (holds is None) == (raises is None):
        raise TypeError("refutes takes one of holds and raises")
    if raises is not None and show is not None:
        raise TypeError("show needs the counter-example of holds")
    with _about(claim):
        drawn = _draw_points(samplers, points, edge)
        formulas = {
            name: _Formula(name, fn)
            for name, fn in _named_functions(holds, truth, show).items()
        }
        _check_names(list(formulas.values()), drawn.names, drawn.names)
        if raises is not None:
            point, tried = None, 1
            example = _raised(*raises)
        else:
            point, tried = _counter_example(formulas["the claim"], drawn)
            example = _values(point, formulas, show)
        if truth is not None:
            _check_truth(formulas["what is so"], drawn)
    record = _record(
        "refutes",
        claim,
        source=source,
        points=len(drawn) if truth else tried,
        detail={
            "kind": kind,
            "erratum": erratum,
            "says": says,
            "example": example,
        },
    )
    origin = "; ".join(
        filter(
            None, [source, f"erratum {erratum}" if erratum else "", kind]
        )
    )
    foot = "✓ refuted"
    if truth is not None:
        foot = f"✓ refuted; what is so held {drawn.words()}".rstrip()
    parts = [
        f"**Claim** ({origin}): “{claim}”",
        f"**Counter-example:** {example}",
        f"**What is so:** {says}",
        f"<small>{foot}.</small>",
    ]
    markdown = "\n>\n".join(f"> {part}" for part in parts) + "\n"
    _show(markdown, "\n".join(_plain(part) for part in parts), record)


def _named_functions(
    holds: Function | None,
    truth: Function | None,
    show: Mapping[str, Function] | Function | None,
) -> dict[str, Function]:
    functions = {"the claim": holds, "what is so": truth}
    if callable(show):
        functions["show"] = show
    else:
        functions |= {
            f"show {name}": fn for name, fn in (show or {}).items()
        }
    return {name: fn for name, fn in functions.items() if fn is not None}


def _bool(formula: _Formula, point: Point) -> bool:
    result = formula(point)
    if not isinstance(result, bool | np.bool_):
        raise CheckFailed(
            f"{formula.where} must give one bool, not {result!r}"
        )
    return bool(result)


def _counter_example(claim: _Formula, drawn: _Points) -> tuple[Point, int]:
    for tried, (point, _) in enumerate(drawn, start=1):
        if not _bool(claim, point):
            return point, tried
    raise CheckFailed(
        f"the claim held at all {len(drawn)} points: strike it"
    )


def _check_truth(truth: _Formula, drawn: _Points) -> None:
    for point, _ in drawn:
        if not _bool(truth, point):
            raise CheckFailed(f"what is said instead is false{_at(point)}")


def _raised(expected: type[BaseException], call: Callable[[], Any]) -> str:
    try:
        call()
    except expected as error:
        return f"the call raises `{type(error).__name__}`"
    except Exception as error:
        got = type(error).__name__
        raise CheckFailed(
            f"{got} was raised, not {expected.__name__}: {error}"
        ) from error
    raise CheckFailed(
        f"the call raised no {expected.__name__}: strike the claim"
    )


def _values(
    point: Point,
    formulas: Mapping[str, _Formula],
    show: Mapping[str, Function] | Function | None,
) -> str:
    """Write the counter-example and what it gives, in Markdown."""
    shown = {f"${_symbol(name)}$": value for name, value in point.items()}
    if callable(show):
        shown |= formulas["show"](point)
    else:
        shown |= {
            name: formulas[f"show {name}"](point) for name in show or {}
        }
    return "; ".join(
        f"{name} = {_short(value)}" for name, value in shown.items()
    )


# --- What was checked -------------------------------------------------------------------------


def summary() -> None:
    """Display the checks recorded so far in this session.

    Raises
    ------
    CheckFailed
        If there is none.

    Examples
    --------
    >>> _records.clear()
    >>> published("Pi", "3.14", source="Archimedes", numpy=np.pi)
    Pi (Archimedes)
      printed  NumPy  held
      3.14     3.14   ✓
    ✓ 1 number equal to every printed digit.
    >>> summary()
      kind       statement  checked at
      published  Pi         1 number
    1 check held: 1 set of published numbers.
    """
    if not _records:
        raise CheckFailed("nothing was checked")
    rows = [
        [r["kind"], r["statement"], _extent(r)] for r in _records.values()
    ]
    kinds = [kind for kind, _ in _records]
    counts = ", ".join(
        _count(kinds.count(kind), *_KIND_WORDS[kind])
        for kind in dict.fromkeys(kinds)
    )
    total = f"{_count(len(rows), 'check')} held: {counts}."
    heads = ["kind", "statement", "checked at"]
    plain = _columns(
        [
            ["", *heads],
            *(["", *(_plain(cell) for cell in row)] for row in rows),
        ]
    )
    _show(f"{_table(heads, rows)}\n\n{total}\n", f"{plain}\n{total}")


def _extent(record: Mapping[str, Any]) -> str:
    return _count(
        record["points"],
        "number" if record["kind"] == "published" else "point",
    )


def ledger(*places: str | Path) -> list[dict[str, Any]]:
    """Read the records that stored notebooks hold.

    Parameters
    ----------
    *places : str or Path
        Notebooks, in the order to read them; of a folder, all its notebooks by name.

    Returns
    -------
    list of dict
        The record of every check, with the name of its ``"chapter"`` first.

    Raises
    ------
    FileNotFoundError
        If a place does not exist.

    Examples
    --------
    >>> ledger()
    []
    """
    return [
        record
        for path in _notebooks(places)
        for record in _stored_records(path)
    ]


def _notebooks(places: Iterable[str | Path]) -> Iterator[Path]:
    for place in map(Path, places):
        if not place.exists():
            raise FileNotFoundError(f"there is no {place}")
        yield from (
            sorted(place.glob("*.ipynb")) if place.is_dir() else [place]
        )


def _stored_records(path: Path) -> Iterator[dict[str, Any]]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(RECORD_TYPE)
            if record is not None:
                yield {"chapter": path.stem, **record}
