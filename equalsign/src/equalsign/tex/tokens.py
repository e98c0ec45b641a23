r"""Cut a formula into tokens.

Spaces, sizes of brackets and thin spaces mean nothing and are dropped, and braces around one
token, so that ``\hat{y}`` and ``\hat y`` are the same. After ``_`` and ``^`` a number is one digit
long, as in TeX.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from equalsign.tex.errors import NotInGrammar, Place

__all__ = ["Token", "tokenize"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|~|\\[,;:!\ ])
  | (?P<text>\\(?:text|texttt|textrm)\s*\{[^{}]*\})
  | (?P<word>\\(?:mathrm|operatorname\*?|mathcal|mathbb|mathbf)
      \s*(?:\{[A-Za-z0-9 ]+\}|[A-Za-z0-9]))
  | (?P<environment>\\(?:begin|end)\{[a-z]+\*?\})
  | (?P<command>\\[A-Za-z]+|\\\\|\\[|{}])
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<letter>[A-Za-z])
  | (?P<sign>:=|[-+*/=<>()\[\]{}|,;:.!'^_&])
    """,
    re.VERBOSE,
)
_SPACES = re.compile(
    r"\\([bB]igg?[lrm]?|left|right|middle|displaystyle|limits|nolimits)"
)
_SAME = {
    r"\lvert": "|",
    r"\rvert": "|",
    r"\vert": "|",
    r"\lVert": r"\|",
    r"\rVert": r"\|",
    r"\Vert": r"\|",
    r"\mid": r"\mid",
    r"\neq": r"\ne",
    r"\leq": r"\le",
    r"\geq": r"\ge",
    r"\lt": "<",
    r"\gt": ">",
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\times": r"\cdot",
    r"\ldots": r"\dots",
    r"\cdots": r"\dots",
    r"\intercal": r"\top",
    r"\qquad": r"\quad",
}


@dataclass(frozen=True)
class Token:
    """A token: its canonical text, and the place where it stands."""

    text: str
    place: Place


def tokenize(tex: str) -> list[Token]:
    r"""Cut `tex` into tokens.

    Raises
    ------
    NotInGrammar
        If a character belongs to no token.

    Examples
    --------
    >>> [token.text for token in tokenize(r"\bigl(\hat{y}_{k}\,x\bigr)^{12}")]
    ['(', '\\hat', 'y', '_', 'k', 'x', ')', '^', '{', '12', '}']
    """
    tokens: list[Token] = []
    start = 0
    while start < len(tex):
        match = _TOKEN.match(tex, start)
        if match is None:
            raise NotInGrammar(
                f"{tex[start]!r} is not in the grammar", Place(tex, start)
            )
        kind, text = match.lastgroup, match.group()
        if kind == "number" and tokens and tokens[-1].text in "_^":
            text = text[0]
        end = start + len(text)
        if kind != "space" and not _SPACES.fullmatch(text):
            tokens.append(Token(_canonical(kind, text), Place(tex, start)))
        start = end
    return _without_single_braces(tokens)


def _canonical(kind: str | None, text: str) -> str:
    if kind == "word":
        command, letters = re.fullmatch(
            r"(\\[a-z]+)\*?\s*\{?([^{}]+)\}?", text
        ).groups()  # type: ignore[union-attr]
        if command == r"\operatorname":
            command = r"\mathrm"
        text = f"{command}{{{letters.strip()}}}"
        if text == r"\mathrm{sgn}":
            text = r"\mathrm{sign}"
    if kind == "text":
        text = re.sub(r"^\\text(tt|rm)?\s*", r"\\text", text)
    return _SAME.get(text, text)


def _without_single_braces(tokens: list[Token]) -> list[Token]:
    """Drop braces around a single token that is no number of several digits."""
    kept: list[Token] = []
    for token in tokens:
        kept.append(token)
        if (
            len(kept) > 2
            and token.text == "}"
            and kept[-3].text == "{"
            and len(kept[-2].text.lstrip("\\")) >= 1
            and not re.fullmatch(r"\d.+", kept[-2].text)
        ):
            kept[-3:] = [kept[-2]]
    return kept
