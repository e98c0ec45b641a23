"""Run a tree: at all points at once, in double precision or in multiprecision."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from equalsign.tex import arithmetic as ar
from equalsign.tex.arithmetic import DOUBLE, Dual, Field
from equalsign.tex.errors import (
    AmbiguousRange,
    NotInGrammar,
    ShapeMismatch,
    TexError,
    UnknownName,
    WithoutValue,
)
from equalsign.tex.scope import Definition, Scope
from equalsign.tex.tree import (
    Add,
    And,
    Apply,
    Big,
    Call,
    Cases,
    Collection,
    Derivative,
    Divide,
    Expectation,
    Family,
    Gradient,
    Index,
    Integral,
    Iverson,
    Multiply,
    Name,
    Negative,
    Node,
    Number,
    Power,
    Relation,
    Such,
    Transpose,
    Vector,
    children,
)

__all__ = ["Evaluator", "Position", "Row", "Subset", "free_names"]

Environment = Mapping[str, Any]

_MOST_TERMS = 100_000
_TOO_LARGE = 2.0**53  # from here on not every whole number is a double
_HALVINGS = 6


@dataclass(frozen=True)
class Position:
    """Indices, from 0, with how many there are; as a number, an index counts from 1."""

    at: np.ndarray
    size: int | None = None


@dataclass(frozen=True)
class Subset:
    """A set of indices: which of them are in it, at every point."""

    mask: np.ndarray


@dataclass(frozen=True)
class Row:
    """A vector laid flat by a transpose."""

    array: Any


def free_names(node: Node, scope: Scope) -> frozenset[str]:
    """Give the names that a tree takes from outside, also through definitions."""
    return _free(node, scope, frozenset())


def _free(node: Node, scope: Scope, busy: frozenset[str]) -> frozenset[str]:
    names: set[str] = set()
    outside: frozenset[str] = frozenset()
    for child in children(node):
        found = _free(child, scope, busy)
        names |= found
        if (isinstance(node, Integral) and child is not node.body) or (
            isinstance(node, Expectation) and child is node.distribution
        ):
            outside |= found
    if isinstance(node, Name | Call):
        if isinstance(node, Name) or not node.args:
            names.add(node.name)
        if node.name not in busy:
            for definition in scope.definitions.get(node.name, ()):
                head = definition.head
                inner = _free(definition.body, scope, busy | {node.name})
                names |= inner - {*head.subs, *head.args, *head.entries}
    elif isinstance(node, Gradient):
        names.add(node.variable)
    elif isinstance(node, Big | Family):
        names -= set(node.indices)
    elif isinstance(node, Such):
        names.discard(node.index)
    elif isinstance(node, Integral | Expectation):
        names.discard(node.variable)
    elif _is_log(node) and scope.log_zero and r"\log 0" not in busy:
        names |= _free(scope.log_zero, scope, busy | {r"\log 0"})
    return frozenset(names | outside)


class Evaluator:
    """Gives trees their values at points that share their shapes.

    Parameters
    ----------
    scope : Scope
        The definitions.
    values : mapping
        What is drawn: arrays with the points along their first axis, :class:`Position`,
        :class:`Subset`.
    field : Field
        The numbers to count in.
    """

    def __init__(
        self,
        scope: Scope,
        values: Mapping[str, Any],
        field: Field = DOUBLE,
        shared: Evaluator | None = None,
    ) -> None:
        self.scope, self.values, self.field = scope, dict(values), field
        self.cache: dict[Any, Any] = {}
        self._numbers: dict[str, np.ndarray] = {}
        self._free: dict[int, frozenset[str]] = {}
        self._levels: list[int] = shared._levels if shared else []
        self._counted: list[np.ndarray] = shared._counted if shared else []
        self._busy: list[str] = []
        self._below = (
            Evaluator(scope.below, {}, field, self) if scope.below else None
        )

    # --- Values of every kind -------------------------------------------------

    def value(self, node: Node, env: Environment) -> Any:
        """Give a value of any kind: an array, a position, a set."""
        return getattr(self, f"_{type(node).__name__.lower()}")(node, env)

    def number(self, node: Node, env: Environment) -> Any:
        """Give a value as an array of numbers."""
        value = self.value(node, env)
        if isinstance(value, Row):
            raise ShapeMismatch(
                "a transposed vector cannot stand alone here", node.place
            )
        return self._plain_number(value, node)

    def scalar(self, node: Node, env: Environment) -> Any:
        """Give one number for each point."""
        value = self.number(node, env)
        if ar.rank(value):
            raise ShapeMismatch(
                f"one number is needed here, not an array {_shape(value)}",
                node.place,
            )
        return value

    def tensor(
        self, node: Node, indices: Sequence[str], env: Environment
    ) -> Any:
        """Give the values for all values of `indices`, along an axis for each."""
        if not indices:
            return self.number(node, env)
        index, rest = indices[0], indices[1:]
        size = self.size(index, [node], env, node)
        return ar.stack(
            [
                self.tensor(node, rest, {**env, index: position})
                for position in _positions(size)
            ]
        )

    def _number(self, node: Number, env: Environment) -> Any:
        if node.text not in self._numbers:
            self._numbers[node.text] = self.field.number(node.text)
        return self._numbers[node.text]

    def _name(self, node: Name, env: Environment) -> Any:
        name = node.name
        if name in env:
            return env[name]
        definitions = [
            d
            for d in self.scope.definitions.get(name, ())
            if not d.head.args
        ]
        for definition in definitions:
            if not definition.head.subs:
                return self._defined(name, definition, env, node)
        if name in self.values:
            return self.values[name]
        if definitions:
            return self._defined(name, definitions[0], env, node)
        raise UnknownName(f"nothing gives {name} a value", node.place)

    def _defined(
        self,
        name: str,
        definition: Definition,
        env: Environment,
        node: Node,
    ) -> Any:
        """Evaluate a definition without arguments; once, if it takes nothing from outside."""
        outside = self._outside(definition, env)

        def evaluate() -> Any:
            with _Busy(self._busy, name, node):
                if definition.head.subs:
                    subs = definition.head.subs
                    return self.tensor(definition.body, subs, outside)
                return self.value(definition.body, outside)

        return evaluate() if outside else self._once(name, evaluate)

    def _once(self, key: Any, evaluate: Callable[[], Any]) -> Any:
        """Evaluate what takes nothing from outside, and keep it if it has a value at all points."""
        if key in self.cache:
            return self.cache[key]
        counted = self._counted[:]
        self._counted.clear()
        try:
            self.cache[key] = evaluate()
        except TexError:
            if not counted:
                raise
        finally:
            self._counted.extend(counted)
        return self.cache[key] if key in self.cache else evaluate()

    def _outside(
        self, definition: Definition, env: Environment
    ) -> dict[str, Any]:
        """Give what a definition takes from where it is used."""
        key = id(definition)
        if key not in self._free:
            self._free[key] = free_names(definition.body, self.scope)
        free = self._free[key]
        return {name: value for name, value in env.items() if name in free}

    def _index(self, node: Index, env: Environment) -> Any:
        base = self.value(node.base, env)
        if isinstance(base, Row):
            base = base.array
        size = None
        if isinstance(base, Position):
            size, base = base.size, base.at
        if not hasattr(base, "ndim") or ar.rank(base) < len(node.subs):
            raise ShapeMismatch("it has no such index", node.place)
        for sub in node.subs:
            base = self._entry(base, self.position(sub, env), sub)
        return Position(base, size) if size is not None else base

    def position(self, node: Node, env: Environment) -> np.ndarray:
        """Give a value as an index from 0."""
        value = self.value(node, env)
        if isinstance(value, Position):
            return value.at
        return _whole(self._plain_number(value, node), node) - 1

    def _entry(self, base: Any, at: np.ndarray, node: Node) -> Any:
        """Take the entry at a position, which may differ from point to point."""
        if at.ndim != 1:
            raise ShapeMismatch("an index is one number", node.place)
        if base.shape[1]:
            nowhere = (at < 0) | (at >= base.shape[1])
            at = np.where(nowhere, self._if_counted(at, 0), at)
        _check_index(at, base.shape[1], node)
        if len(at) == 1:
            where = int(at[0])
            return ar.linear(lambda x: x[:, where], base)
        points = np.arange(len(at))

        def take(x: np.ndarray) -> Any:
            return x[points if len(x) > 1 else 0, at]

        return ar.linear(take, base)

    @contextmanager
    def _counting(self, mask: np.ndarray | None) -> Iterator[None]:
        """Let only these points count meanwhile: at another, an index may lead nowhere."""
        if mask is None or mask.all():
            yield
            return
        self._counted.append(mask)
        try:
            yield
        finally:
            self._counted.pop()

    def _if_counted(self, array: np.ndarray, other: Any) -> np.ndarray:
        """Put something else where a point does not count."""
        if not self._counted:
            return array
        return np.where(reduce(np.logical_and, self._counted), array, other)

    # --- Functions of the book ------------------------------------------------

    def _call(self, node: Call, env: Environment) -> Any:
        if node.name in env and not node.args:
            base = Name(node.name, place=node.place)
            return self._index(
                Index(base, node.subs, place=node.place), env
            )
        args = [self.value(arg, env) for arg in node.args]
        subs = [self.value(sub, env) for sub in node.subs]
        if node.primes:
            return self._prime(node, args, subs, env)
        return self._apply_definition(node, args, subs, env)

    def _apply_definition(
        self,
        node: Call,
        args: Sequence[Any],
        subs: Sequence[Any],
        env: Environment,
    ) -> Any:
        if self._below and node.name not in self.scope.definitions:
            return self._below._apply_definition(node, args, subs, {})
        definition = self._choose(node, args, subs)
        head = definition.head
        outside = self._outside(definition, env)
        key = None if outside or args else _key(node.name, subs)
        inside = outside | dict(
            zip((*head.subs, *head.args), (*subs, *args), strict=True)
        )

        def evaluate() -> Any:
            return self._inside(node, definition, inside)

        return self._once(key, evaluate) if key else evaluate()

    def _inside(
        self, node: Call, definition: Definition, inside: Environment
    ) -> Any:
        head = definition.head
        try:
            with _Busy(self._busy, node.name, node, limit=50):
                if head.entries:
                    return self.tensor(
                        definition.body, head.entries, inside
                    )
                return self.value(definition.body, inside)
        except ShapeMismatch as error:
            raise ShapeMismatch(
                f"{node.name} cannot take this ({error.problem})",
                node.place,
            ) from error

    def _choose(
        self, node: Call, args: Sequence[Any], subs: Sequence[Any]
    ) -> Definition:
        """Choose among definitions of one name by how many indices the arguments have."""
        fitting = [
            d
            for d in self.scope.definitions.get(node.name, ())
            if len(d.head.args) == len(args)
            and len(d.head.subs) == len(subs)
        ]
        best = [
            d
            for d in fitting
            if all(
                d.ranks.get(name, 0) == _rank(arg)
                for name, arg in zip(d.head.args, args, strict=True)
            )
        ]
        if not fitting:
            raise ShapeMismatch(
                f"{node.name} is defined for other arguments", node.place
            )
        if len(fitting) > 1 and not best:
            raise ShapeMismatch(
                f"{node.name} has no meaning for arguments with "
                f"{', '.join(str(_rank(a)) for a in args)} indices",
                node.place,
            )
        return (best or fitting)[0]

    def _prime(
        self,
        node: Call,
        args: Sequence[Any],
        subs: Sequence[Any],
        env: Environment,
    ) -> Any:
        """Differentiate a function of one argument."""
        if len(args) != 1:
            raise NotInGrammar(
                "a prime needs a function of one argument", node.place
            )

        function: Callable[[Any], Any] = lambda x: (  # noqa: E731
            self._apply_definition(node, [x], subs, env)
        )
        for _ in range(node.primes):
            function = self._slope_of(function)
        return function(self.scalar(node.args[0], env))

    def _slope_of(
        self, function: Callable[[Any], Any]
    ) -> Callable[[Any], Any]:
        return lambda x: self._slope(
            function, x, self._constant_like(ar.plain(x), 1)
        )

    def _constant_like(self, x: np.ndarray, value: int) -> np.ndarray:
        return self.field.array(np.full(x.shape, value))

    def _slope(
        self, function: Callable[[Any], Any], x: Any, direction: Any
    ) -> Any:
        """Give the slope of a function at `x` along `direction`."""
        level = len(self._levels) + 1
        self._levels.append(level)
        try:
            result = function(Dual(level, x, direction))
        finally:
            self._levels.pop()
        if isinstance(result, Dual) and result.level == level:
            return result.slope
        return self._constant_like(ar.plain(result), 0)

    # --- Built-in functions ---------------------------------------------------

    def _apply(self, node: Apply, env: Environment) -> Any:
        special = getattr(self, f"_apply_{node.function}", None)
        if special:
            return special(node, env)
        (argument,) = node.args
        value = self.value(argument, env)
        if node.function == "absolute" and isinstance(value, Subset):
            return self.field.array(value.mask.sum(axis=1))
        return ar.unary(node.function, self.number(argument, env))

    def _apply_pi(self, node: Apply, env: Environment) -> Any:
        return self.field.constant("pi")

    def _apply_e(self, node: Apply, env: Environment) -> Any:
        return self.field.constant("e")

    def _apply_log(self, node: Apply, env: Environment) -> Any:
        x = self.number(node.args[0], env)
        result = ar.unary("log", x)
        if self.scope.log_zero is not None and (ar.plain(x) == 0).any():
            with _Busy(self._busy, r"\log 0", node):
                zero = self.scalar(self.scope.log_zero, env)
            zero = _widen(zero, ar.rank(x))
            result = ar.where(ar.plain(x) == 0, zero, result)
        return result

    def _apply_inner(self, node: Apply, env: Environment) -> Any:
        a, b = (self.number(arg, env) for arg in node.args)
        if ar.rank(a) != 1 or a.shape[1:] != b.shape[1:]:
            raise ShapeMismatch(
                f"an inner product of {_shape(a)} and {_shape(b)}",
                node.place,
            )
        return ar.total(a * b, 1)

    def _apply_norm(self, node: Apply, env: Environment) -> Any:
        x = self.number(node.args[0], env)
        matrix = ar.rank(x) > 1
        for axis in range(ar.rank(x) - 1):
            del axis
            x = ar.linear(lambda a: a.reshape(len(a), -1), x)
        if ar.rank(x) != 1:
            raise ShapeMismatch("a norm of a number", node.place)
        if len(node.args) > 1 and matrix:
            raise ShapeMismatch(
                "which norm of a matrix is this?",
                node.place,
                r"without an index it is the root of the sum of all squares",
            )
        if len(node.args) == 1:
            return ar.unary("sqrt", ar.total(x * x, 1))
        order = node.args[1]
        if order == Name(r"\infty"):
            return reduce(ar.maximum, _entries(ar.absolute(x)))
        if order == Number("1"):
            return ar.total(ar.absolute(x), 1)
        p = self.scalar(order, env)
        inside = ar.total(ar.power(ar.absolute(x), _widen(p, 1)), 1)
        return ar.power(inside, ar.divide(self.field.number(1), p))

    def _apply_maximum(self, node: Apply, env: Environment) -> Any:
        return reduce(ar.maximum, self._aligned(node, env))

    def _apply_minimum(self, node: Apply, env: Environment) -> Any:
        return reduce(ar.minimum, self._aligned(node, env))

    def _aligned(self, node: Apply, env: Environment) -> list[Any]:
        values = [self.number(arg, env) for arg in node.args]
        if len(values) == 1 and ar.rank(values[0]) == 1:
            return _entries(values[0])
        if len({v.shape[1:] for v in values}) > 1:
            raise ShapeMismatch(
                "these have different shapes: "
                + ", ".join(_shape(v) for v in values),
                node.place,
            )
        return values

    def _apply_binomial(self, node: Apply, env: Environment) -> Any:
        n, k = (_whole(self.scalar(a, env), a) for a in node.args)
        if k.min() < 0:
            raise WithoutValue("a binomial coefficient below 0", node.place)
        result = self.field.number(1)
        for j in range(int(k.max())):
            factor = ar.divide(
                self.field.array(n - j), self.field.number(j + 1)
            )
            result = ar.where(j < k, result * factor, result)
        return result

    # --- Sums and products ----------------------------------------------------

    def _add(self, node: Add, env: Environment) -> Any:
        result = self.value(node.terms[0], env)
        for term in node.terms[1:]:
            result = self._plus(result, self.value(term, env), term)
        return result

    def _plus(self, a: Any, b: Any, node: Node) -> Any:
        if isinstance(a, Row) and isinstance(b, Row):
            return Row(self._plus(a.array, b.array, node))
        a, b = self._plain_number(a, node), self._plain_number(b, node)
        if a.shape[1:] != b.shape[1:]:
            raise ShapeMismatch(
                f"{_shape(a)} and {_shape(b)} cannot be added", node.place
            )
        return a + b

    def _plain_number(self, value: Any, node: Node) -> Any:
        if isinstance(value, Position):
            return self.field.array(value.at + 1)
        if isinstance(value, Row | Subset | list):
            raise ShapeMismatch("this is no number", node.place)
        return value

    def _negative(self, node: Negative, env: Environment) -> Any:
        value = self.value(node.term, env)
        if isinstance(value, Row):
            return Row(-value.array)
        return -self._plain_number(value, node.term)

    def _multiply(self, node: Multiply, env: Environment) -> Any:
        """Multiply in order; 0 times the infinite logarithm of 0 is 0."""
        result = self.value(node.factors[0], env)
        for factor in node.factors[1:]:
            result = self._times(result, self.value(factor, env), factor)
        if any(_has_log(factor) for factor in node.factors):
            result = self._zero_log_zero(node, env, result)
        return result

    def _zero_log_zero(
        self, node: Multiply, env: Environment, result: Any
    ) -> Any:
        if isinstance(result, Row):
            return result
        plain = ar.plain(result)
        undefined = (plain != plain).astype(bool)
        if not undefined.any():
            return result
        values = [self._flat(f, env) for f in node.factors]
        if sum(ar.rank(value) > 0 for value in values) > 1:
            return result
        zero = np.zeros(plain.shape, dtype=bool)
        for factor, value in zip(node.factors, values, strict=True):
            if not _has_log(factor):
                axes = ar.rank(plain) - ar.rank(value)
                zero |= _widen(_is_nothing(value), axes)
        nothing = self._constant_like(plain, 0)
        return ar.where(undefined & zero, nothing, result)

    def _flat(self, node: Node, env: Environment) -> Any:
        value = self.value(node, env)
        return (
            value.array
            if isinstance(value, Row)
            else self._plain_number(value, node)
        )

    def _times(self, a: Any, b: Any, node: Node) -> Any:
        """Multiply numbers, rows, columns and matrices."""
        rows = isinstance(a, Row), isinstance(b, Row)
        a = a.array if rows[0] else self._plain_number(a, node)
        b = b.array if rows[1] else self._plain_number(b, node)
        ranks = ar.rank(a), ar.rank(b)
        if 0 in ranks:
            product = _widen(a, ranks[1] - ranks[0]) * _widen(
                b, ranks[0] - ranks[1]
            )
            return Row(product) if any(rows) else product
        if ranks == (1, 1) and rows == (False, True):
            return _widen(a, 1) * ar.linear(lambda x: x[:, None], b)
        if ranks == (1, 1) and rows != (True, False):
            raise ShapeMismatch(
                "a product of two vectors: which one?",
                node.place,
                r"write \langle a,b\rangle, a^\top b or ab^\top",
            )
        if (
            max(ranks) > 2
            or a.shape[-1] != b.shape[1]
            or (rows[1] and ranks[0] == 2)
        ):
            raise ShapeMismatch(
                f"{_shape(a)} times {_shape(b)}", node.place
            )
        product = ar.contract(a, b)
        return Row(product) if rows[0] and ranks[1] == 2 else product

    def _divide(self, node: Divide, env: Environment) -> Any:
        a, b = self.number(node.above, env), self.number(node.below, env)
        if ar.rank(b) == 0:
            return ar.divide(a, _widen(b, ar.rank(a)))
        if a.shape[1:] != b.shape[1:]:
            raise ShapeMismatch(
                f"{_shape(a)} cannot be divided by {_shape(b)}", node.place
            )
        return ar.divide(a, b)

    def _power(self, node: Power, env: Environment) -> Any:
        if node.base == Apply("e", ()):
            return ar.unary("exp", self.number(node.exponent, env))
        a, b = self.number(node.base, env), self.number(node.exponent, env)
        ranks = ar.rank(a), ar.rank(b)
        if max(ranks) == 2 or (ranks[0] and ranks[1]):
            raise ShapeMismatch("a power of these arrays", node.place)
        return ar.power(
            _widen(a, ranks[1] - ranks[0]), _widen(b, ranks[0] - ranks[1])
        )

    def _transpose(self, node: Transpose, env: Environment) -> Any:
        value = self.value(node.term, env)
        if isinstance(value, Row):
            return value.array
        value = self._plain_number(value, node)
        if ar.rank(value) == 1:
            return Row(value)
        if ar.rank(value) != 2:
            raise ShapeMismatch(
                f"{_shape(value)} has no transpose", node.place
            )
        return ar.linear(lambda x: np.swapaxes(x, 1, 2), value)

    def _vector(self, node: Vector, env: Environment) -> Any:
        return ar.stack([self.scalar(entry, env) for entry in node.entries])

    def _family(self, node: Family, env: Environment) -> Any:
        value = self.tensor(node.body, node.indices, env)
        return ar.linear(lambda x: x.reshape(len(x), -1), value)

    # --- Conditions and sets --------------------------------------------------

    def condition(self, node: Node, env: Environment) -> np.ndarray:
        """Tell at which points a condition holds."""
        if isinstance(node, And):
            mask = np.ones(1, dtype=bool)
            for part in node.conditions:
                with self._counting(mask):
                    mask = mask & self.condition(part, env)
            return mask
        if not isinstance(node, Relation):
            raise NotInGrammar("this is no condition", node.place)
        left = self.value(node.left, env)
        if node.relation in {r"\in", r"\notin"}:
            inside = self._member(left, node, env)
            return inside if node.relation == r"\in" else ~inside
        right = self.value(node.right, env)
        if isinstance(left, Position) and isinstance(right, Position):
            a, b = left.at, right.at
        else:
            a = ar.plain(self._plain_number(left, node.left))
            b = ar.plain(self._plain_number(right, node.right))
        if a.ndim != 1 or b.ndim != 1:
            raise ShapeMismatch(
                f"numbers are compared, not {_shape(a)} with {_shape(b)}",
                node.place,
            )
        result = _COMPARE[node.relation](a, b)
        return np.asarray(result).astype(bool)

    def _member(
        self, element: Any, node: Relation, env: Environment
    ) -> np.ndarray:
        if isinstance(node.right, Collection) and node.right.through:
            ends = (node.right.entries[0], node.right.entries[-1])
            first, last = (_whole(self.scalar(e, env), e) for e in ends)
            number = ar.plain(self._plain_number(element, node.left))
            inside = (first <= number) & (number <= last)
            whole = np.floor(number.astype(float)) == number
            return np.asarray(inside & whole, dtype=bool)
        members = self.value(node.right, env)
        if isinstance(members, Subset):
            number = self._plain_number(element, node.left)
            at = _whole(number, node.left) - 1
            return np.asarray(self._entry(members.mask, at, node.left))
        if not isinstance(members, list):
            raise ShapeMismatch("this is no set", node.right.place)
        number = ar.plain(self._plain_number(element, node.left))
        masks = [(number == ar.plain(m)).astype(bool) for m in members]
        return reduce(np.logical_or, masks)

    def _collection(self, node: Collection, env: Environment) -> Any:
        return [self.scalar(entry, env) for entry in node.entries]

    def _such(self, node: Such, env: Environment) -> Any:
        size = self.size(node.index, [node.condition], env, node)
        masks = [
            self.condition(node.condition, {**env, node.index: position})
            for position in _positions(size)
        ]
        return Subset(np.asarray(ar.stack(masks)))

    def _iverson(self, node: Iverson, env: Environment) -> Any:
        return self.field.flags(self.condition(node.condition, env))

    def _cases(self, node: Cases, env: Environment) -> Any:
        left = np.ones(1, dtype=bool)
        result: Any = self.field.number("nan")
        for value, condition in zip(
            node.values, node.conditions, strict=True
        ):
            mask = left
            if condition is not None:
                with self._counting(left):
                    mask = left & self.condition(condition, env)
            left = left & ~mask
            with self._counting(mask):
                new = self.scalar(value, env)
            result = ar.where(mask, new, result)
        return result

    # --- Ranges ---------------------------------------------------------------

    def size(
        self,
        index: str,
        nodes: Iterable[Node],
        env: Environment,
        where: Node,
    ) -> int:
        """Find how far an index runs, from the arrays that it stands below."""
        said = self.scope.ranges.get(index)
        sizes = self._sizes(index, said, env, 0) if said else set()
        if not sizes:
            for node in nodes:
                sizes |= self._sizes(index, node, env, 0)
        if len(sizes) != 1:
            problem = (
                f"the range of {index} is ambiguous: "
                + " or ".join(map(str, sorted(sizes)))
                if sizes
                else f"nothing says what {index} runs over"
            )
            raise AmbiguousRange(
                problem,
                where.place,
                rf"say it: ranges=[r'{index}\in\{{1,\dots,n\}}']",
            )
        size = sizes.pop()
        if isinstance(said, Relation):
            self._check_members(index, size, [said], env)
        return size

    def _sizes(
        self, index: str, node: Node, env: Environment, depth: int
    ) -> set[int]:
        """Collect the lengths of what `index` stands below."""
        if depth > 20:
            return set()
        this = Name(index)
        sizes: set[int] = set()
        if isinstance(node, Index):
            for axis, sub in enumerate(node.subs):
                if sub == this:
                    sizes |= self._length(node.base, axis, env)
        elif isinstance(node, Relation) and this in (node.left, node.right):
            other = node.right if node.left == this else node.left
            if node.relation != r"\notin" or not isinstance(
                other, Collection
            ):
                sizes |= self._universe(other, env)
        elif isinstance(node, Call):
            sizes |= self._sizes_in_call(index, node, env, depth)
        elif isinstance(node, Name):
            for definition in self.scope.definitions.get(node.name, ()):
                if not definition.head.subs and not definition.head.args:
                    sizes |= self._sizes(
                        index, definition.body, env, depth + 1
                    )
        if isinstance(node, Big | Family) and index in node.indices:
            return sizes
        for child in children(node):
            sizes |= self._sizes(index, child, env, depth)
        return sizes

    def _sizes_in_call(
        self, index: str, node: Call, env: Environment, depth: int
    ) -> set[int]:
        """Look into the definitions of a function that takes the index."""
        sizes: set[int] = set()
        given = (*node.subs, *node.args)
        if Name(index) not in given:
            return sizes
        for definition in self.scope.definitions.get(node.name, ()):
            names = (*definition.head.subs, *definition.head.args)
            if len(names) != len(given):
                continue
            inside = {k: v for k, v in env.items() if k not in names}
            for name, argument in zip(names, given, strict=True):
                with suppress(UnknownName, AmbiguousRange):
                    inside[name] = self.value(argument, env)
            for name, argument in zip(names, given, strict=True):
                if argument == Name(index):
                    sizes |= self._sizes(
                        name, definition.body, inside, depth + 1
                    )
        return sizes

    def _length(self, base: Node, axis: int, env: Environment) -> set[int]:
        try:
            value = self.value(base, env)
        except (UnknownName, AmbiguousRange):
            return set()
        if isinstance(value, Row):
            value = value.array
        if isinstance(value, Position):
            value = value.at
        if getattr(value, "ndim", 0) <= axis + 1:
            return set()
        return {value.shape[axis + 1]}

    def _universe(self, node: Node, env: Environment) -> set[int]:
        """Give how many indices there are where a label or a set comes from."""
        if isinstance(node, Collection):
            if not node.through:
                return set()
            last = _whole(self.scalar(node.entries[-1], env), node)
            if last.min() != last.max():
                raise AmbiguousRange(
                    "its end differs from point to point", node.place
                )
            return {int(last.max())}
        if not isinstance(node, Name | Index | Such):
            return set()
        base = node.base if isinstance(node, Index) else node
        try:
            value = self.value(base, env)
        except (UnknownName, AmbiguousRange):
            return set()
        if isinstance(value, Subset):
            return {value.mask.shape[1]}
        if isinstance(value, Position) and value.size is not None:
            return {value.size}
        return set()

    # --- Sums, products, maxima ----------------------------------------------

    def _big(self, node: Big, env: Environment) -> Any:
        if node.over is not None:
            return self._over(node, env)
        if node.last == Name(r"\infty"):
            return self._series(node, env)
        if node.kind.startswith("place"):
            return self._place_of(node, env)
        join = _JOIN[node.kind]
        result = None
        for mask, inside in self._runs(node, env):
            with self._counting(mask):
                term = self._plain_number(
                    self.value(node.body, inside), node.body
                )
            if mask is not None:
                empty = self._empty(node.kind, term)
                term = ar.where(_widen(mask, ar.rank(term)), term, empty)
            result = term if result is None else join(result, term)
        if result is None:
            return self._empty(node.kind, np.zeros(1))
        return result

    def _empty(self, kind: str, like: Any) -> Any:
        """Give what a sum, product or maximum over nothing is."""
        value = {
            "sum": 0, "product": 1, "largest": "-inf", "smallest": "inf",
        }[kind]  # fmt: skip
        plain = ar.plain(like)
        return self.field.array(np.full(plain.shape, value, dtype=object))

    def _runs(
        self, node: Big, env: Environment
    ) -> Iterator[tuple[np.ndarray | None, dict[str, Any]]]:
        """Give the values of the indices one after the other, and where they count."""
        if node.first is not None and node.last is not None:
            yield from self._between(node, env)
            return
        for values in self._combinations(node, node.indices, env):
            inside = {**env, **values}
            masks = [
                self.condition(c, inside) for c in self._conditions(node)
            ]
            if not masks:
                yield None, inside
                continue
            mask = reduce(np.logical_and, masks)
            if mask.any():
                yield (None if mask.all() else mask), inside

    def _combinations(
        self, node: Big, indices: Sequence[str], env: Environment
    ) -> Iterator[dict[str, Any]]:
        if not indices:
            yield {}
            return
        index, rest = indices[0], indices[1:]
        for value in self._index_values(index, node, env):
            for others in self._combinations(
                node, rest, {**env, index: value}
            ):
                yield {index: value, **others}

    def _index_values(
        self, index: str, node: Big, env: Environment
    ) -> Iterator[Any]:
        said = self.scope.ranges.get(index)
        if isinstance(said, Apply) and said.function == "subsets":
            listed = _listed(said)
            among = (
                {listed} if listed else self._universe(said.args[0], env)
            )
            if not among:
                raise AmbiguousRange(
                    f"nothing says among how many {index} is a subset",
                    node.place,
                    rf"say it: ranges=[r'{index}\subseteq\{{1,\dots,n\}}']",
                )
            return _subsets(among.pop())
        return _positions(self._run_of(index, node, env))

    def _run_of(self, index: str, node: Big, env: Environment) -> int:
        """Find how far an index runs without an end of its own."""
        nodes = [node.body]
        if node.condition is not None:
            nodes.append(node.condition)
        size = self.size(index, nodes, env, node)
        self._check_members(index, size, self._conditions(node), env)
        return size

    def _check_members(
        self,
        index: str,
        size: int,
        conditions: Sequence[Node],
        env: Environment,
    ) -> None:
        """Refuse a written member of the index's set that it does not reach."""
        parts = [
            part
            for condition in conditions
            for part in (
                condition.conditions
                if isinstance(condition, And)
                else [condition]
            )
        ]
        for part in parts:
            if (
                isinstance(part, Relation)
                and part.relation == r"\in"
                and part.left == Name(index)
                and isinstance(part.right, Collection)
            ):
                with suppress(UnknownName):
                    for entry in part.right.entries:
                        member = _whole(self.scalar(entry, env), entry)
                        outside = (member < 1) | (member > size)
                        if outside.any():
                            at = {**env, index: Position(member - 1)}
                            masks = [self.condition(c, at) for c in parts]
                            outside = reduce(np.logical_and, masks, outside)
                            outside = self._if_counted(outside, other=False)
                            _check_index(
                                np.where(outside, member - 1, 0),
                                size,
                                entry,
                            )

    def _conditions(self, node: Big) -> list[Node]:
        """Give the written condition, and what is said of the indices."""
        written = [] if node.condition is None else [node.condition]
        said = [self.scope.ranges.get(index) for index in node.indices]
        return written + [
            r
            for r in said
            if isinstance(r, Relation)
            and not (r.relation == r"\in" and _counts(r.right))
        ]

    def _between(
        self, node: Big, env: Environment
    ) -> Iterator[tuple[np.ndarray | None, dict[str, Any]]]:
        (index,) = node.indices
        assert node.first is not None
        assert node.last is not None
        first = _whole(self.scalar(node.first, env), node.first)
        last = _whole(self.scalar(node.last, env), node.last)
        if last.max() - first.min() > _MOST_TERMS:
            raise WithoutValue("these are too many terms", node.place)
        for n in range(int(first.min()), int(last.max()) + 1):
            mask = (first <= n) & (n <= last)
            position = Position(np.array([n - 1]))
            yield (None if mask.all() else mask), {**env, index: position}

    def _series(self, node: Big, env: Environment) -> Any:
        """Add up a series until its terms no longer count."""
        (index,) = node.indices
        assert node.first is not None
        if node.kind != "sum":
            raise NotInGrammar("this has no end", node.place)
        first = _whole(self.scalar(node.first, env), node.first)
        tiny = self.field.number(10) ** -self.field.digits
        result = self.field.number(0)
        small = 0
        for n in range(int(first.min()), int(first.max()) + _MOST_TERMS):
            position = Position(np.array([n - 1]))
            with self._counting(first <= n):
                term = self.scalar(node.body, {**env, index: position})
            term = ar.where(
                first <= n, term, self._constant_like(ar.plain(term), 0)
            )
            result = result + term
            size = abs(ar.plain(term))
            small = (
                small + 1
                if n >= first.max()
                and (size <= tiny * abs(ar.plain(result))).all()
                else 0
            )
            if small == 3:
                return result
        raise WithoutValue("this series does not end", node.place)

    def _place_of(self, node: Big, env: Environment) -> Position:
        """Give the first place of the largest or smallest."""
        index, *more = node.indices
        if more or isinstance(self.scope.ranges.get(index), Apply):
            raise NotInGrammar("a place is one index", node.place)
        least = -np.inf if node.kind.endswith("largest") else np.inf
        places, counted, terms = [], [], []
        for mask, inside in self._runs(node, env):
            with self._counting(mask):
                term = ar.plain(self.scalar(node.body, inside))
            counted.append(np.ones(1, dtype=bool) if mask is None else mask)
            nothing = self._if_counted(
                (term != term).astype(bool), other=False
            )
            if (counted[-1] & nothing).any():
                raise WithoutValue(
                    "what is compared has no value", node.body.place
                )
            terms.append(np.where(counted[-1], term, least))
            places.append(int(inside[index].at[0]))
        if not reduce(
            np.logical_or, counted, np.zeros(1, dtype=bool)
        ).all():
            raise WithoutValue(
                "there is nothing to choose from", node.place
            )
        table, counts = (
            np.stack(np.broadcast_arrays(*rows), axis=1)
            for rows in (terms, counted)
        )
        score = -table if least > 0 else table
        top = score.max(axis=1, keepdims=True)
        # Among equals the first, whatever the last digits say.
        near = (
            10.0 ** (5 - self.field.digits)
            * np.maximum(1, np.where(abs(top) < np.inf, abs(top), 1))
            if self.field.exact
            else 0
        )
        best = (score >= top - near).astype(bool).argmax(axis=1)
        infinite = (table == least).astype(bool).all(axis=1)
        best = np.where(infinite, counts.argmax(axis=1), best)
        ends = node.first is not None
        return Position(
            np.array(places)[best],
            None if ends else self._run_of(index, node, env),
        )

    def _over(self, node: Big, env: Environment) -> Any:
        """Join the entries of a vector that belong to a set."""
        assert node.over is not None
        if node.kind not in _JOIN:
            raise NotInGrammar("a place is one index", node.place)
        others = isinstance(node.over, Apply)
        name = (
            node.over.args[0] if isinstance(node.over, Apply) else node.over
        )
        members = self.value(name, env)
        if not isinstance(members, Subset):
            raise AmbiguousRange("this is no set", name.place)
        mask = ~members.mask if others else members.mask
        body = self.number(node.body, env)
        if ar.rank(body) != 1 or body.shape[1] != mask.shape[1]:
            raise ShapeMismatch(
                "one entry for each member is needed", node.body.place
            )
        chosen = ar.where(mask, body, self._empty(node.kind, body))
        return reduce(_JOIN[node.kind], _entries(chosen))

    # --- Expectations ---------------------------------------------------------

    def _expectation(self, node: Expectation, env: Environment) -> Any:
        chances = self.number(node.distribution, env)
        if ar.rank(chances) != 1:
            raise ShapeMismatch(
                "a chance for each outcome is needed here",
                node.distribution.place,
            )
        whole = ar.plain(ar.total(chances, 1)).astype(float)
        whole = self._if_counted(whole, 1.0)
        if (abs(whole - 1) > 1e-9).any():
            raise WithoutValue(
                f"the chances add up to {whole.flat[np.argmax(abs(whole - 1))]:.6g}, not to 1",
                node.distribution.place,
            )
        outcomes = self._outcomes(node.variable, chances.shape[1])
        above: Any = self.field.number(0)
        below: Any = self.field.number(0)
        for n, outcome in enumerate(outcomes):
            inside = {**env, node.variable: outcome}
            chance = self._entry(chances, np.array([n]), node)
            mask = None
            if node.given is not None:
                mask = self.condition(node.given, inside)
                if not mask.any():
                    continue
                chance = chance * self.field.flags(mask)
                below = below + chance
            with self._counting(mask):
                term = chance * self.scalar(node.body, inside)
            never = _is_nothing(chance)
            undefined = ar.plain(term) != ar.plain(term)
            nothing = self._constant_like(ar.plain(term), 0)
            above = above + ar.where(
                (never & undefined).astype(bool), nothing, term
            )
        return above if node.given is None else ar.divide(above, below)

    def _outcomes(self, variable: str, count: int) -> Iterator[Any]:
        said = self.scope.ranges.get(variable)
        if isinstance(said, Apply) and said.function == "subsets":
            size = _listed(said) or count.bit_length() - 1
            if 2**size != count:
                raise ShapeMismatch(
                    f"a chance for each subset is needed here, not {count}",
                    said.args[0].place,
                )
            return _subsets(size)
        return _positions(count)

    # --- Derivatives and integrals --------------------------------------------

    def _derivative(self, node: Derivative, env: Environment) -> Any:
        body: Callable[[Environment], Any] = lambda inside: (  # noqa: E731
            self.number(node.body, inside)
        )
        for variable in node.variables:
            body = self._along(body, variable)
        return body(env)

    def _along(
        self, body: Callable[[Environment], Any], variable: Node
    ) -> Callable[[Environment], Any]:
        """Differentiate a function of the environment along a name or one entry of it."""
        base = variable.base if isinstance(variable, Index) else variable
        assert isinstance(base, Name)
        subs = variable.subs if isinstance(variable, Index) else ()

        def slope(env: Environment) -> Any:
            if isinstance(self.value(base, env), Position):
                raise ShapeMismatch(
                    f"{base.name} is a position, and has no slope",
                    variable.place,
                )
            x = self.number(base, env)
            if ar.rank(x) != len(subs):
                raise ShapeMismatch(
                    f"{base.name} has {ar.rank(x)} indices", variable.place
                )
            at = [self.position(sub, env) for sub in subs]
            for where, size, sub in zip(at, x.shape[1:], subs, strict=True):
                _check_index(where, size, sub)
            direction = self._unit(x, at)
            return self._slope(
                lambda moved: body({**env, base.name: moved}), x, direction
            )

        return slope

    def _unit(self, x: Any, at: Sequence[np.ndarray]) -> np.ndarray:
        """Give the direction of one entry."""
        shape = ar.plain(x).shape
        points = max([shape[0], *(len(p) for p in at)])
        direction = np.zeros((points, *shape[1:]), dtype=int)
        direction[(np.arange(points), *at)] = 1
        return self.field.array(direction)

    def _gradient(self, node: Gradient, env: Environment) -> Any:
        if node.variable not in free_names(node.body, self.scope):
            raise NotInGrammar(
                f"the gradient of the next factor, in which {node.variable} does not stand",
                node.body.place,
                "put all that is differentiated in brackets",
            )

        def body(inside: Environment) -> Any:
            return self.number(node.body, inside)

        return self._all_slopes(body, node.variable, node.order, node)(env)

    def _all_slopes(
        self,
        body: Callable[[Environment], Any],
        variable: str,
        order: int,
        node: Node,
    ) -> Callable[[Environment], Any]:
        def gradient(env: Environment) -> Any:
            name = Name(variable, place=node.place)
            x = self.number(name, env)
            if ar.rank(x) == 0:
                return self._along(body, name)(env)
            if ar.rank(x) > 1:
                raise ShapeMismatch(
                    "the gradient is by a number or a vector", node.place
                )

            def along(k: int) -> Any:
                direction = self._unit(x, [np.array([k])])
                return self._slope(
                    lambda moved: body({**env, variable: moved}),
                    x,
                    direction,
                )

            return ar.stack([along(k) for k in range(x.shape[1])])

        if order == 1:
            return gradient
        return self._all_slopes(gradient, variable, order - 1, node)

    def _integral(self, node: Integral, env: Environment) -> Any:
        """Integrate by the double-exponential rule, halving its step until nothing changes.

        To halve the step squares the error: what changes in the fifteenth digit is known to 29.
        """
        lower = None if node.lower is None else self.scalar(node.lower, env)
        upper = None if node.upper is None else self.scalar(node.upper, env)

        def term(t: Any) -> Any:
            half_pi = ar.divide(self.field.constant("pi"), self._of(2))
            s = half_pi * ar.unary("sinh", t)
            ds = half_pi * ar.unary("cosh", t)
            u, weight = _substitute(s, ds, lower, upper)
            return weight * self.scalar(
                node.body, {**env, node.variable: u}
            )

        tolerance = 10.0 ** (-10 if not self.field.exact else -15)
        h = ar.divide(self._of(1), self._of(8))
        result = self._trapezium(term, h, 0)
        for _ in range(_HALVINGS):
            between = self._trapezium(term, h, 1)
            fine = ar.divide(result + between, self._of(2))
            gap = abs(ar.plain(fine - result)) / (1 + abs(ar.plain(fine)))
            if (gap <= tolerance).all():
                return fine
            result, h = fine, ar.divide(h, self._of(2))
        raise WithoutValue(
            f"the integral is not known well enough (to {float(np.max(gap)):.0e})",
            node.place,
        )

    def _of(self, value: int) -> np.ndarray:
        return self.field.number(value)

    def _trapezium(
        self, term: Callable[[Any], Any], h: Any, half: int
    ) -> Any:
        """Add up terms at distance `h`, from 0 or from half of `h` outwards, while they count."""
        reach = 4.0 if not self.field.exact else 4.8
        tiny = 10.0**-self.field.digits
        shift = ar.divide(h * self._of(half), self._of(2))
        result = term(shift)
        for way in (1, -1):
            last = result
            ended = np.zeros(1, dtype=bool)
            for n in range(1, int(reach / float(h[0])) + 2):
                new = term(h * self._of(way * n) + shift)
                size = abs(ar.plain(new))
                whole = abs(ar.plain(result))
                lost = ~((size < np.inf).astype(bool))
                lost &= (abs(ar.plain(last)) <= tiny * whole).astype(bool)
                nothing = (size <= tiny**4 * whole) & (whole > 0)
                ended = ended | lost | nothing.astype(bool)
                if ended.all():
                    break
                new = ar.where(ended, self._constant_like(size, 0), new)
                result, last = result + new, new
        return result * h


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    r"\ne": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    r"\le": operator.le,
    r"\ge": operator.ge,
}
_JOIN: dict[str, Callable[[Any, Any], Any]] = {
    "sum": operator.add,
    "product": operator.mul,
    "largest": ar.maximum,
    "smallest": ar.minimum,
}


class _Busy:
    """Refuse a definition that needs itself."""

    def __init__(
        self, busy: list[str], name: str, node: Node, limit: int = 1
    ) -> None:
        self.busy, self.name, self.node, self.limit = (
            busy,
            name,
            node,
            limit,
        )

    def __enter__(self) -> None:
        if self.busy.count(self.name) >= self.limit:
            raise NotInGrammar(
                f"the definition of {self.name} needs itself",
                self.node.place,
            )
        self.busy.append(self.name)

    def __exit__(self, *_: object) -> None:
        self.busy.pop()


def _substitute(s: Any, ds: Any, lower: Any, upper: Any) -> tuple[Any, Any]:
    """Map the whole line onto the interval, and give the stretch."""
    if lower is None and upper is None:
        return ar.unary("sinh", s), ar.unary("cosh", s) * ds
    if lower is not None and upper is not None:
        share = ar.divide(s * 0 + 1, ar.unary("exp", -(s + s)) + 1)
        width = upper - lower
        return lower + width * share, width * share * (1 - share) * (
            ds + ds
        )
    growth = ar.unary("exp", s)
    if upper is None:
        return lower + growth, growth * ds
    return upper - growth, growth * ds


def _positions(size: int) -> Iterator[Position]:
    return (Position(np.array([n]), size) for n in range(size))


def _subsets(size: int) -> Iterator[Subset]:
    """Give all subsets; the first index is the lowest bit."""
    for bits in itertools.product((False, True), repeat=size):
        yield Subset(np.array([bits[::-1]]))


def _whole(value: Any, node: Node) -> np.ndarray:
    """Give numbers as integers, which they must be."""
    if isinstance(value, Dual) and (ar.plain(value.slope) != 0).any():
        raise ShapeMismatch(
            "one does not differentiate by a whole number", node.place
        )
    numbers = ar.plain(value)
    rounded = np.rint(numbers.astype(float))
    if not ((abs(rounded) < _TOO_LARGE) & (rounded == numbers)).all():
        raise WithoutValue("a whole number is needed here", node.place)
    whole: np.ndarray = rounded.astype(int)
    return whole


def _key(name: str, subs: Sequence[Any]) -> tuple[str, ...] | None:
    """Tell entries of a family apart, if their indices are the same at all points."""
    if all(isinstance(sub, Position) and len(sub.at) == 1 for sub in subs):
        return (name, *(str(sub.at[0]) for sub in subs))
    return None


def _widen(array: Any, axes: int) -> Any:
    """Add axes of length 1 at the end."""
    if axes <= 0:
        return array
    return ar.linear(lambda x: x[(..., *[None] * axes)], array)


def _entries(vector: Any) -> list[Any]:
    return [
        ar.linear(lambda x, k=k: x[:, k], vector)
        for k in range(vector.shape[1])
    ]


def _rank(value: Any) -> int:
    if isinstance(value, Row):
        return ar.rank(value.array)
    if isinstance(value, Position):
        return value.at.ndim - 1
    return ar.rank(value) if hasattr(value, "ndim") else 0


def from_one(node: Node) -> bool:
    r"""Whether a set is written as {1, …, n}, or {1, 2, 3}."""
    if not isinstance(node, Collection):
        return False
    first = node.entries[:-1] if node.through else node.entries
    return first == tuple(Number(str(n + 1)) for n in range(len(first)))


def _counts(node: Node) -> bool:
    r"""Whether a set is written as {1, …, n}."""
    return isinstance(node, Collection) and node.through and from_one(node)


def _listed(said: Apply) -> int | None:
    """Tell how many entries a set has that is written out."""
    (of,) = said.args
    if isinstance(of, Collection) and not of.through:
        return len(of.entries)
    return None


def _check_index(at: np.ndarray, size: int, node: Node) -> None:
    """Refuse an index, counted from 0, at which nothing stands."""
    if at.min() < 0 or at.max() >= size:
        wrong = at.min() if at.min() < 0 else at.max()
        raise WithoutValue(
            f"the index runs from 1 to {size}, and is {wrong + 1} here",
            node.place,
        )


def _shape(array: Any) -> str:
    own = array.shape[1:]
    return " × ".join(map(str, own)) if own else "a number"


def _has_log(node: Node) -> bool:
    """Whether a factor is a logarithm, or one with a sign."""
    if isinstance(node, Negative):
        return _has_log(node.term)
    if isinstance(node, Divide) and isinstance(node.below, Apply):
        base = node.below.args[:1]
        constant = _is_log(node.below) and isinstance(base[0], Number)
        return constant and _has_log(node.above)
    return _is_log(node)


def _is_nothing(value: Any) -> np.ndarray:
    """Tell where a value is 0 and stays it: its slope is 0 as well."""
    zero = (ar.plain(value) == 0).astype(bool)
    if isinstance(value, Dual):
        return np.asarray(zero & _is_nothing(value.slope))
    return np.asarray(zero)


def _is_log(node: Node) -> bool:
    return isinstance(node, Apply) and node.function == "log"
