"""The tree of a formula: what is left when layout and brackets are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from equalsign.tex.errors import Place

__all__ = [
    "Add",
    "And",
    "Apply",
    "Big",
    "Call",
    "Cases",
    "Collection",
    "Derivative",
    "Divide",
    "Expectation",
    "Family",
    "Gradient",
    "Index",
    "Integral",
    "Iverson",
    "Multiply",
    "Name",
    "Negative",
    "Node",
    "Number",
    "Power",
    "Relation",
    "Such",
    "Transpose",
    "Vector",
    "children",
    "rebuild",
    "walk",
]

_NOWHERE = Place("", 0)


@dataclass(frozen=True)
class Node:
    """A part of a formula; two are equal if they say the same, wherever they stand."""

    place: Place = field(
        default=_NOWHERE, compare=False, repr=False, kw_only=True
    )


@dataclass(frozen=True)
class Number(Node):
    """A number, as written."""

    text: str


@dataclass(frozen=True)
class Name(Node):
    """A symbol that stands for a value."""

    name: str


@dataclass(frozen=True)
class Index(Node):
    """An entry, ``z_k`` or ``W_{ij}``."""

    base: Node
    subs: tuple[Node, ...]


@dataclass(frozen=True)
class Call(Node):
    """A function of the book with its arguments; `primes` counts derivatives."""

    name: str
    subs: tuple[Node, ...]
    args: tuple[Node, ...]
    primes: int = 0


@dataclass(frozen=True)
class Apply(Node):
    """A built-in function: a logarithm, a norm, a largest of several."""

    function: str
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Add(Node):
    """A sum of terms."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Negative(Node):
    """A term with a minus."""

    term: Node


@dataclass(frozen=True)
class Multiply(Node):
    """A product of factors."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Divide(Node):
    """A fraction."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Power(Node):
    """A power."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Transpose(Node):
    """A transpose."""

    term: Node


@dataclass(frozen=True)
class Vector(Node):
    """A list of entries, ``(1, 0)``."""

    entries: tuple[Node, ...]


@dataclass(frozen=True)
class Relation(Node):
    """A comparison or a membership."""

    relation: str
    left: Node
    right: Node


@dataclass(frozen=True)
class And(Node):
    """Several conditions at once."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True)
class Iverson(Node):
    """1 where the condition holds, else 0."""

    condition: Node


@dataclass(frozen=True)
class Cases(Node):
    """The first value whose condition holds; a missing condition always does."""

    values: tuple[Node, ...]
    conditions: tuple[Node | None, ...]


@dataclass(frozen=True)
class Big(Node):
    """A sum, a product, a maximum, a minimum or the place of one, over indices."""

    kind: str
    indices: tuple[str, ...]
    body: Node
    first: Node | None = None
    last: Node | None = None
    condition: Node | None = None
    over: Node | None = None


@dataclass(frozen=True)
class Integral(Node):
    """An integral in one dimension; without bounds, over all numbers."""

    variable: str
    body: Node
    lower: Node | None = None
    upper: Node | None = None


@dataclass(frozen=True)
class Derivative(Node):
    """A derivative with respect to each of the places in turn."""

    body: Node
    variables: tuple[Node, ...]


@dataclass(frozen=True)
class Gradient(Node):
    """All derivatives with respect to the entries of a name; of order 2, the Hessian."""

    body: Node
    variable: str
    order: int = 1


@dataclass(frozen=True)
class Expectation(Node):
    """A mean over a finite distribution, on condition."""

    variable: str
    distribution: Node
    body: Node
    given: Node | None = None
    spread: bool = False


@dataclass(frozen=True)
class Collection(Node):
    """A set written out; with `through`, from its first to its last entry."""

    entries: tuple[Node, ...]
    through: bool = False


@dataclass(frozen=True)
class Such(Node):
    """The indices that meet a condition."""

    index: str
    condition: Node


@dataclass(frozen=True)
class Family(Node):
    """All entries, one after the other: a distribution written ``p_{xy}``."""

    body: Node
    indices: tuple[str, ...]


def children(node: Node) -> Iterator[Node]:
    """Give the parts of `node`, in order."""
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def walk(node: Node) -> Iterator[Node]:
    """Give `node` and everything in it."""
    yield node
    for child in children(node):
        yield from walk(child)


def rebuild(node: Node, change: Callable[[Node], Node]) -> Node:
    """Put `change` of every part in the place of the part."""
    new: dict[str, Any] = {}
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, Node):
            new[part.name] = change(value)
        elif isinstance(value, tuple):
            new[part.name] = tuple(
                change(item) if isinstance(item, Node) else item
                for item in value
            )
    return replace(node, **new)
