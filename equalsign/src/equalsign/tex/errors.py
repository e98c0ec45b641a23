"""What is wrong with a formula, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AmbiguousName",
    "AmbiguousRange",
    "NotInGrammar",
    "Place",
    "ShapeMismatch",
    "TexError",
    "UnknownName",
    "WithoutValue",
]


@dataclass(frozen=True)
class Place:
    """A position in a formula."""

    text: str
    start: int


class TexError(ValueError):
    r"""A formula cannot be run; the message points at the place.

    Parameters
    ----------
    problem : str
        What is wrong.
    place : Place
        Where.
    meant : str, optional
        What could be meant instead.

    Examples
    --------
    >>> print(TexError("no such name", Place(r"a+\beta", 2), "declare it"))
    no such name
        a+\beta
          ^
    (declare it)
    """

    def __init__(self, problem: str, place: Place, meant: str = "") -> None:
        self.problem, self.place, self.meant = problem, place, meant
        line = place.text.replace("\n", " ")
        caret = " " * place.start + "^"
        message = f"{problem}\n    {line}\n    {caret}"
        super().__init__(f"{message}\n({meant})" if meant else message)


class NotInGrammar(TexError):  # noqa: N818
    """The formula is not written in the dialect."""


class UnknownName(TexError):  # noqa: N818
    """Nothing gives this name a value."""


class AmbiguousName(TexError):  # noqa: N818
    """The name has two meanings here."""


class AmbiguousRange(TexError):  # noqa: N818
    """Nothing says what an index runs over, or two things disagree."""


class ShapeMismatch(TexError):  # noqa: N818
    """Arrays of these shapes cannot be joined this way."""


class WithoutValue(TexError):  # noqa: N818
    """The formula has no value at a point."""
