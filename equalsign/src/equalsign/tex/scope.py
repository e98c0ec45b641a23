"""What the names of a derivation mean: drawn values, definitions, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from equalsign.tex.errors import NotInGrammar
from equalsign.tex.tokens import Token, tokenize
from equalsign.tex.tree import Node

__all__ = [
    "Definition",
    "Head",
    "Scope",
    "matching",
    "read_head",
    "spell",
    "split",
    "symbol",
    "texts",
]

ACCENTS = frozenset({r"\hat", r"\bar", r"\tilde", r"\vec", r"\dot"})
SEPARATORS = frozenset({",", ";", r"\|", r"\mid"})
RELATIONS = frozenset(
    {"=", r"\ne", "<", ">", r"\le", r"\ge", r"\in", r"\notin"}
)
OPENING = {
    "(": ")",
    "[": "]",
    "{": "}",
    r"\{": r"\}",
    r"\langle": r"\rangle",
    r"\lfloor": r"\rfloor",
    r"\lceil": r"\rceil",
}
_NO_NAMES = RELATIONS | {
    r"\cdot", r"\sum", r"\prod", r"\int", r"\frac", r"\sqrt", r"\binom",
    r"\partial", r"\nabla", r"\max", r"\min", r"\arg", r"\sim", r"\to",
    r"\propto", r"\dots", r"\infty", r"\subseteq", r"\pm", r"\mp", r"\top",
    r"\odot", r"\log", r"\ln", r"\exp", r"\sin", r"\cos", r"\tan", r"\quad",
    r"\arcsin", r"\arccos", r"\arctan", r"\sinh", r"\cosh", r"\tanh",
    r"\mathbb{E}", r"\mathbb{1}", r"\mathbf{1}", r"\mid", r"\lim",
    r"\approx", r"\mapsto", r"\\",
    *OPENING, *OPENING.values(), r"\|", *ACCENTS,
}  # fmt: skip


def texts(tokens: Iterable[Token]) -> tuple[str, ...]:
    """Give the texts of tokens."""
    return tuple(token.text for token in tokens)


def spell(tokens: Iterable[str]) -> str:
    r"""Write tokens as TeX again.

    Examples
    --------
    >>> spell(["\\hat", "y", "_", "t"])
    '\\hat y_t'
    """
    out = ""
    for token in tokens:
        if re.search(r"\\[A-Za-z]+$", out) and token[0].isalpha():
            out += " "
        out += token
    return out


def symbol(text: str) -> bool:
    """Whether a token may stand for a value: a letter, or a command that is no operator."""
    if text in _NO_NAMES or text.startswith((r"\text", r"\begin", r"\end")):
        return False
    return text.isalpha() or (text.startswith("\\") and len(text) > 2)


def matching(tokens: Sequence[Token], start: int) -> int:
    """Give the position of the bracket that closes the one at `start`."""
    waiting: list[str] = []
    for position in range(start, len(tokens)):
        text = tokens[position].text
        if text in OPENING:
            waiting.append(OPENING[text])
        elif text in OPENING.values():
            if text != waiting.pop():
                raise NotInGrammar(
                    "this closes another kind of bracket",
                    tokens[position].place,
                )
            if not waiting:
                return position
    raise NotInGrammar("this bracket is not closed", tokens[start].place)


def split(tokens: Sequence[Token], at: Iterable[str]) -> list[list[Token]]:
    """Cut tokens at separators that stand in no bracket."""
    ends = [-1, *_cuts(tokens, at), len(tokens)]
    return [list(tokens[a + 1 : b]) for a, b in pairwise(ends)]


def _cuts(tokens: Sequence[Token], at: Iterable[str]) -> list[int]:
    """Give the positions of separators that stand in no bracket."""
    found = []
    depth = 0
    at = frozenset(at)
    for position, token in enumerate(tokens):
        text = token.text
        if text in OPENING or text.startswith(r"\begin"):
            depth += 1
        elif text in OPENING.values() or text.startswith(r"\end"):
            depth -= 1
        if depth == 0 and text in at:
            found.append(position)
    return found


@dataclass(frozen=True)
class Head:
    """The left side of a definition: a name, its index and argument names."""

    base: tuple[str, ...]
    subs: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name as TeX."""
        return spell(self.base)


@dataclass
class Definition:
    """A definition in TeX; `ranks` count the indices of its arguments."""

    head: Head
    body: Node
    tex: str
    ranks: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Scope:
    """The meaning of names, in order of precedence."""

    names: dict[tuple[str, ...], str] = field(default_factory=dict)
    functions: dict[tuple[str, ...], list[Head]] = field(
        default_factory=dict
    )
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    ranges: dict[str, Node] = field(default_factory=dict)
    random: dict[str, Node] = field(default_factory=dict)
    gradient: str = ""
    log_zero: Node | None = None
    below: Scope | None = None

    def declares(self, base: tuple[str, ...]) -> bool:
        """Whether the name is known here or in the book."""
        return (
            base in self.names
            or base in self.functions
            or (self.below is not None and self.below.declares(base))
        )

    def longest(
        self, tokens: Sequence[str]
    ) -> tuple[tuple[str, ...], Scope] | None:
        """Find the longest name that `tokens` begin with, and the scope that knows it."""
        for length in range(len(tokens), 0, -1):
            name = tuple(tokens[:length])
            if name in self.names or name in self.functions:
                return name, self
        return self.below.longest(tokens) if self.below else None

    def is_function(self, name: tuple[str, ...]) -> bool:
        """Whether the name is a function with arguments, here or in the book."""
        return self.function_below(name) or any(
            head.args for head in self.functions.get(name, ())
        )

    def function_below(self, name: tuple[str, ...]) -> bool:
        """Whether the name is a function with arguments in the book."""
        return self.below is not None and any(
            head.args for head in self.below.functions.get(name, ())
        )


def read_head(
    tokens: Sequence[Token],
    body: Iterable[str],
    declared: Scope,
    said: Iterable[str] = (),
) -> Head:
    """Read the left side of a definition; what does not vary is part of its name.

    A subscript or an argument varies if it is a symbol which nothing declares, and which the right
    side mentions or whose range is said. Without such, the whole left side is one name.
    """
    mentioned = {*body, *said}
    all_texts = texts(tokens)
    whole = Head(all_texts)
    before, args, entries = _cut(tokens)
    if args is not None:
        parameters = [texts(part) for part in split(args, SEPARATORS)]
        if not all(
            _parameter(part) and set(part) <= mentioned
            for part in parameters
        ):
            return whole
    base = before
    subs: tuple[str, ...] = ()
    if "_" in before[1:]:
        at = len(before) - 1 - before[::-1].index("_")
        below = script(before[at + 1 :])
        if below and all(
            symbol(text)
            and (text,) not in declared.names
            and text in mentioned
            for text in below
        ):
            base, subs = before[:at], below
    if args is None and not subs:
        return whole
    names = (
        () if args is None else tuple(spell(part) for part in parameters)
    )
    return Head(base, subs, names, entries, marks(args or ()))


def marks(
    tokens: Sequence[Token], at: Iterable[str] = SEPARATORS
) -> tuple[str, ...]:
    """Give what stands between arguments."""
    return texts(tokens[n] for n in _cuts(tokens, at))


def _parameter(part: tuple[str, ...]) -> bool:
    if len(part) == 2 and part[0] in ACCENTS:
        part = part[1:]
    return len(part) == 1 and symbol(part[0])


def _cut(
    tokens: Sequence[Token],
) -> tuple[tuple[str, ...], list[Token] | None, tuple[str, ...]]:
    """Cut a left side into what stands before the arguments, they, and an entry after them."""
    plain = texts(tokens)
    if "(" not in plain:
        return plain, None, ()
    start = plain.index("(")
    end = matching(tokens, start)
    after = plain[end + 1 :]
    if after and after[0] == "_":
        entries = script(after[1:])
    elif after:
        return plain, None, ()
    else:
        entries = ()
    return plain[:start], list(tokens[start + 1 : end]), entries


def script(words: tuple[str, ...]) -> tuple[str, ...]:
    """Give the symbols of a subscript."""
    if words[:1] == ("{",) and words[-1:] == ("}",):
        words = words[1:-1]
    elif len(words) != 1:
        return ()
    return tuple(text for text in words if text != ",")


def head_like(tokens: Sequence[Token]) -> bool:
    """Whether tokens look like the left side of a definition: one name, scripts, arguments."""
    if not tokens:
        return False
    start = 0
    while start < len(tokens) and tokens[start].text in ACCENTS:
        start += 1
    if start >= len(tokens) or not symbol(tokens[start].text):
        return False
    position = start + 1
    while position < len(tokens):
        text = tokens[position].text
        if text == "'":
            position += 1
        elif text in {"_", "^"} and position + 1 < len(tokens):
            position += 1
            position = (
                matching(tokens, position) + 1
                if tokens[position].text == "{"
                else position + 1
            )
        elif text == "(":
            position = matching(tokens, position) + 1
        else:
            return False
    return True


def name_tokens(tex: str) -> tuple[str, ...]:
    r"""Give the tokens of a name.

    Examples
    --------
    >>> name_tokens(r"\hat{y}")
    ('\\hat', 'y')
    """
    return texts(tokenize(tex))
