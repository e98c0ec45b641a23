"""Words, numbers, tables and TeX, as the reader sees them."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from equalsign._base import Point

_GREEK = frozenset(
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega""".split()  # noqa: SIM905
)


_ALIASES = {
    "ell": r"\ell",
    "eps": r"\varepsilon",
    "epsilon": r"\varepsilon",
    "lam": r"\lambda",
    "lamda": r"\lambda",
}


_ROW_WIDTH = 38
_CODE_WIDTH = 32


def symbol(name: str) -> str:
    """TeX for the name of an argument: ``tau`` is a Greek letter, ``p_t`` has a subscript."""
    base, _, below = name.strip("_").partition("_")
    tex = _ALIASES.get(base) or (f"\\{base}" if base in _GREEK else base)
    if len(base) > 1 and tex == base:
        tex = rf"\mathrm{{{base}}}"
    return f"{tex}_{{{below}}}" if below else tex


def rounded_up(error: float) -> str:
    """Give an error to one digit, and not smaller than it is.

    >>> rounded_up(1e-5), rounded_up(1.43e-3)
    ('1e-05', '2e-03')
    """
    power = 10.0 ** math.floor(math.log10(error))
    return f"{math.ceil(error / power - 1e-9) * power:.0e}"


def counted(number: int, noun: str, plural: str = "") -> str:
    return (
        f"{number} {noun}"
        if number == 1
        else f"{number} {plural or noun + 's'}"
    )


def tex_rows(words: str) -> list[str]:
    """Break words that may hold ``$maths$`` into TeX rows short enough for a phone."""
    rows: list[list[str]] = [[]]
    width = 0
    for token in re.findall(r"(?:\$[^$]*\$|[^\s$])+", words):
        length = _width(token) + 1
        if rows[-1] and width + length > _ROW_WIDTH:
            rows.append([])
            width = 0
        rows[-1].append(token)
        width += length
    return [
        rf"& \quad{{\small\rlap{{{tex_text(' '.join(row))}}}}}"
        for row in rows
        if row
    ]


def said(formulas: Sequence[str]) -> list[str]:
    """Lay out what a check presumes, in a block with rows short enough for a phone, or in none."""
    if not formulas:
        return []
    rows: list[list[str]] = [[]]
    width = len("where")
    for formula in formulas:
        length = _width(formula) + 6
        if rows[-1] and width + length > _ROW_WIDTH:
            rows.append([])
            width = 0
        rows[-1].append(formula)
        width += length
    lines = [r",\quad ".join(row) for row in rows]
    opening = [r"\text{where }", *[""] * (len(lines) - 1)]
    end = [*[","] * (len(lines) - 1), ""]
    shown = [
        rf"& {{\small {word}{line}{comma}}}"
        for word, line, comma in zip(opening, lines, end, strict=True)
    ]
    return [aligned(shown, None)]


def _width(words: str) -> int:
    """Tell about how many letters TeX sets."""
    return len(re.sub(r"[{}$_^\\]", "", re.sub(r"\\[a-zA-Z]+", "x", words)))


def code_rows(code: str) -> list[str]:
    """Break code at its spaces into rows short enough for a phone."""
    return textwrap.wrap(
        code, _CODE_WIDTH, break_long_words=False, break_on_hyphens=False
    )


def tex_text(words: str) -> str:
    pieces = words.split("$")
    text = (
        f"${piece}$" if index % 2 else escaped(piece)
        for index, piece in enumerate(pieces)
    )
    return rf"\text{{{''.join(text)}}}"


def escaped(text: str) -> str:
    return re.sub(r"([%#&_])", r"\\\1", text)


def aligned(rows: Sequence[str], name: str | None) -> str:
    body = " \\\\\n".join(rows)
    tail = f" ({name})" if name else ""
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$${tail}"


def unmarked(markdown: str) -> str:
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


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]]
) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([_cell_text(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def text_columns(rows: Sequence[Sequence[str]]) -> str:
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


def all_digits(value: Any) -> str:
    """All digits that tell two float64 apart, for messages."""
    return np.array2string(
        np.asarray(value.detach() if hasattr(value, "detach") else value),
        max_line_width=10_000,
        separator=", ",
        formatter={"float_kind": lambda x: f"{x:.17g}"},
    )


def at_point(point: Point) -> str:
    if not point:
        return ""
    return " at " + ", ".join(
        f"{name} = {all_digits(value)}" for name, value in point.items()
    )


def short_value(value: Any) -> str:
    """Four decimals, for the reader: digits that another machine prints as well."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return f"[{', '.join(short_value(item) for item in value)}]"
    if isinstance(value, float):
        text = (
            f"{value:.4f}"
            if value == 0 or 1e-3 <= abs(value) < 1e7
            else f"{value:.4g}"
        )
        return "0.0000" if text == "-0.0000" else text
    return str(value)
