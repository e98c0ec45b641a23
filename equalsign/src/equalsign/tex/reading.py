"""Read a whole derivation: its lines, the definitions in and beside them, its ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from equalsign.tex.arithmetic import DOUBLE, Field
from equalsign.tex.errors import (
    AmbiguousName,
    AmbiguousRange,
    NotInGrammar,
    Place,
    TexError,
    WithoutValue,
)
from equalsign.tex.evaluate import Evaluator, from_one
from equalsign.tex.notation import DEFINITIONS
from equalsign.tex.parser import Parser
from equalsign.tex.scope import (
    ACCENTS,
    RELATIONS,
    Definition,
    Head,
    Scope,
    head_like,
    name_tokens,
    read_head,
    script,
    spell,
    split,
    texts,
)
from equalsign.tex.tokens import Token, tokenize
from equalsign.tex.tree import (
    Apply,
    Big,
    Call,
    Family,
    Index,
    Name,
    Node,
    Relation,
    rebuild,
    walk,
)

__all__ = ["Formula", "Reading", "book", "read"]

_WORDS = frozenset(
    rf"\text{{{word}}}"
    for word in ("at", "where", "with", "for", "if", "and", "otherwise")
)


@dataclass(frozen=True)
class Formula:
    r"""A line: sides that are equal, and the conditions under which it is claimed.

    Parameters
    ----------
    tex : str
        The line as written.
    sides : tuple of Node
        What stands between its equals signs.
    free : tuple of str
        The indices for each of which the line is claimed.
    conditions : tuple of Node
        What is said to hold, such as ``i\ne j``.
    beside : tuple of Formula
        What else it claims: ``,\quad p=a=b`` that a is b, and ``,\quad H(p)=a`` that H(p) is a.
    note : tuple of str
        The limit that it names beside the formula, token by token: ``(h\to0)``.
    """

    tex: str
    sides: tuple[Node, ...]
    free: tuple[str, ...]
    conditions: tuple[Node, ...] = ()
    beside: tuple[Formula, ...] = ()
    note: tuple[str, ...] = ()

    @property
    def tree(self) -> Node:
        """The last side: what the next line is compared with."""
        return self.sides[-1]


@dataclass
class Reading:
    """A derivation that was read: its formulas, and what their names mean.

    In `perhaps` stand the names that are defined and look like entries: of what, and with how many
    indices.
    """

    formulas: list[Formula]
    scope: Scope
    definitions: list[Definition]
    perhaps: Mapping[str, tuple[Node, int]] = field(default_factory=dict)

    def evaluator(
        self, values: Mapping[str, Any], field: Field = DOUBLE
    ) -> Evaluator:
        """Give an evaluator at points that share their shapes."""
        return Evaluator(self.scope, values, field)

    def evaluate(self, evaluator: Evaluator, formula: Formula) -> list[Any]:
        """Give the value of every side of a formula.

        Raises
        ------
        WithoutValue
            If a condition of the line does not hold.
        """
        with np.errstate(all="ignore"):
            for condition in formula.conditions:
                if not evaluator.condition(condition, {}).all():
                    raise WithoutValue(
                        "this condition does not hold at every point",
                        condition.place,
                    )
            return [
                evaluator.tensor(side, formula.free, {})
                for side in formula.sides
            ]

    def expanded(
        self, node: Node, busy: frozenset[str] = frozenset()
    ) -> Node:
        """Put definitions in the place of what they define."""
        if isinstance(node, Name | Call) and node.name not in busy:
            args = node.args if isinstance(node, Call) else ()
            subs = node.subs if isinstance(node, Call) else ()
            found = [
                d
                for d in self.scope.definitions.get(node.name, ())
                if len(d.head.args) == len(args)
                and len(d.head.subs) == len(subs)
                and not d.head.entries
            ]
            if len(found) == 1 and not getattr(node, "primes", 0):
                head = found[0].head
                given = dict(
                    zip(
                        (*head.subs, *head.args),
                        (*subs, *args),
                        strict=True,
                    )
                )
                body = _replace(found[0].body, given)
                return self.expanded(body, busy | {node.name})
        return rebuild(node, lambda part: self.expanded(part, busy))

    def mentioned(self) -> set[str]:
        """Give all names and indices in the formulas, and in the definitions that they use."""
        scope = self.scope
        waiting: list[Node] = [
            said.right if isinstance(said, Relation) else said
            for said in scope.ranges.values()
        ]
        waiting += scope.random.values()
        for formula in self.formulas:
            for part in (formula, *formula.beside):
                waiting += [*part.sides, *part.conditions]
        if scope.log_zero is not None:
            waiting.append(scope.log_zero)
        names: set[str] = set()
        while waiting:
            for node in walk(waiting.pop()):
                new = {
                    getattr(node, "name", ""),
                    *getattr(node, "indices", ()),
                }
                new.add(getattr(node, "variable", ""))
                for name in new - names:
                    names.add(name)
                    for definition in scope.definitions.get(name, ()):
                        names.update(definition.head.subs)
                        waiting.append(definition.body)
        return names


def _replace(node: Node, given: Mapping[str, Node]) -> Node:
    if isinstance(node, Name) and node.name in given:
        return given[node.name]
    return rebuild(node, lambda part: _replace(part, given))


def read(
    lines: Sequence[str],
    *,
    names: Iterable[str] = (),
    where: Iterable[str] = (),
    ranges: Iterable[str] = (),
) -> Reading:
    r"""Read the lines of a derivation.

    Parameters
    ----------
    lines : sequence of str
        The formulas, as TeX.
    names : iterable of str
        The names that have a value, as TeX.
    where : iterable of str
        Definitions, as TeX: ``\hat y=\mathrm{softmax}(z)``, ``T\sim P``.
    ranges : iterable of str
        What indices run over where no array says it: ``i\in T``.

    Raises
    ------
    TexError
        If a formula is outside the grammar, or a name has no meaning or two.

    Examples
    --------
    >>> reading = read([r"(a+b)^2", r"a^2+2ab+b^2"], names=["a", "b"])
    >>> at = reading.evaluator({"a": np.array([1.0]), "b": np.array([2.0])})
    >>> [reading.evaluate(at, formula)[0] for formula in reading.formulas]
    [array([9.]), array([9.])]
    """
    scope = Scope(below=book())
    for name in names:
        tokens = name_tokens(name)
        scope.names[tokens] = spell(tokens)
    try:
        return _Reader(scope).read(list(lines), list(where), list(ranges))
    except RecursionError:
        deepest = max([*lines, *where], key=len)
        raise NotInGrammar(
            "this is nested too deeply", Place(deepest, 0)
        ) from None


@cache
def book() -> Scope:
    """Give the book-wide definitions."""
    scope = Scope()
    reader = _Reader(scope)
    for tex in DEFINITIONS:
        left, *right = split(tokenize(tex), {"="})
        reader.declare(left, right, tex)
    reader.finish()
    return scope


@dataclass
class _Pending:
    """A definition whose right side is not read yet."""

    left: list[Token]
    right: list[Token]
    tex: str
    more: bool = False
    head: Head | None = None

    @property
    def indices(self) -> tuple[str, ...]:
        """For each of which it says something."""
        return (*self.head.subs, *self.head.entries) if self.head else ()


@dataclass
class _Line:
    """A line in tokens: its formula, and what stands beside it."""

    tex: str
    main: list[Token]
    conditions: list[list[Token]] = field(default_factory=list)
    chains: list[tuple[_Pending | None, list[list[Token]]]] = field(
        default_factory=list
    )
    defines: _Pending | None = None
    note: tuple[str, ...] = ()


class _Reader:
    """Collects what is defined, then reads everything in its light."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.pending: list[_Pending] = []
        self.definitions: list[Definition] = []
        self.said: set[str] = set()
        self.log_zero: tuple[list[Token], str] | None = None
        self.perhaps: dict[str, tuple[Node, int]] = {}

    def read(
        self, lines: list[str], where: list[str], ranges: list[str]
    ) -> Reading:
        random: list[tuple[list[Token], str]] = []
        for tex in where:
            for clause in _clauses(tokenize(tex)):
                if any(t.text == r"\sim" for t in clause):
                    random.append((clause, tex))
                elif self._define(clause, tex).more:
                    raise NotInGrammar(
                        "a definition has one equals sign",
                        clause[0].place,
                        "write what else it equals as a line",
                    )
        self.said = {t.text for tex in ranges for t in tokenize(tex)[:1]}
        for clause, _ in random:
            variable = clause[0].text
            if (variable,) in self.scope.names:
                raise AmbiguousName(
                    f"{variable} has a value already", clause[0].place
                )
            self.scope.names[variable,] = variable
            self.scope.random[variable] = Name(variable)  # read below
        self._heads()
        cut = [self._cut(tex) for tex in lines]
        self._heads()
        for clause, tex in random:
            self._random(clause, tex)
        sides = [
            split(line.main, {"="})[self._introduces(line) :]
            for line in cut
        ]
        self.finish()
        for tex in ranges:
            self._range(tex)
        if self.log_zero:
            self.scope.log_zero = self._tree(*self.log_zero)
        formulas = [
            self._formula(line, equal, line.defines)
            for line, equal in zip(cut, sides, strict=True)
        ]
        return Reading(formulas, self.scope, self.definitions, self.perhaps)

    # --- Definitions ----------------------------------------------------------

    def _define(self, clause: list[Token], tex: str) -> _Pending:
        """Take note of a definition."""
        left, *right = split(clause, {"="})
        words = texts(left)
        if not right or not (
            head_like(left)
            or words[:1] in {(r"\mathbb{E}",), (r"\nabla",)}
            or not ACCENTS.isdisjoint(words[:1])
        ):
            raise NotInGrammar(
                "this is no definition",
                clause[0].place,
                "write what is defined, =, and what it is",
            )
        if words in self.scope.names:
            raise AmbiguousName(
                f"{spell(words)} has a value already", left[0].place
            )
        return self.declare(left, right, tex)

    def declare(
        self, left: list[Token], right: list[list[Token]], tex: str
    ) -> _Pending:
        """Take note of a definition."""
        self.pending.append(_Pending(left, right[0], tex, bool(right[1:])))
        return self.pending[-1]

    def finish(self) -> None:
        """Read the right sides of all definitions."""
        self._heads()
        for pending in self.pending:
            self._check_new(pending)
            self._body(pending)

    def _heads(self) -> None:
        """Read the left sides; of two families of one name, each is a name of its own."""
        for pending in self.pending:
            if pending.head is None:
                pending.head = read_head(
                    pending.left,
                    texts(pending.right),
                    self.scope,
                    self.said,
                )
        families: dict[Any, list[_Pending]] = {}
        for pending in self.pending:
            head = pending.head
            assert head is not None
            if head.subs and not head.args:
                families.setdefault((head.base, len(head.subs)), []).append(
                    pending
                )
        for group in families.values():
            if len(group) > 1:
                for pending in group:
                    pending.head = Head(texts(pending.left))
        self.scope.functions.clear()
        for pending in self.pending:
            head = pending.head
            assert head is not None
            if head == Head((r"\nabla",)):
                if texts(pending.right)[:2] != (r"\nabla", "_"):
                    raise NotInGrammar(
                        "the gradient by which name?",
                        pending.left[0].place,
                        r"write \nabla=\nabla_w",
                    )
                self.scope.gradient = spell(texts(pending.right)[2:])
            elif head.args or head.subs:
                heads = self.scope.functions.setdefault(head.base, [])
                if head not in heads:
                    heads.append(head)
            else:
                self.scope.names.setdefault(head.base, head.name)
        for base, heads in self.scope.functions.items():
            if base in self.scope.names and any(h.args for h in heads):
                raise AmbiguousName(
                    f"{spell(base)} is a value and a function",
                    self.pending[-1].left[0].place,
                )

    def _check_new(self, pending: _Pending) -> None:
        """Refuse to define what the other definitions and the draws give a value."""
        words, head = texts(pending.left), pending.head
        assert head is not None
        others = {**self.scope.names}
        others.pop(words, None)
        parser = Parser(
            pending.left, replace(self.scope, names=others), pending.tex
        )
        whole = head == Head(words)
        tree = _tried(parser) if whole and words[1:] else None
        slope = head.args and head.base[-1] == "'"
        if head.subs and head.base in self.scope.names:
            self.perhaps[head.name] = Name(head.name), len(head.subs)
        elif isinstance(tree, Index):
            self.perhaps[head.name] = tree.base, len(tree.subs)
        elif (
            (slope and self.scope.is_function(words[: words.index("'")]))
            or (tree and not parser.free)
            or words in {(name,) for name in self.scope.random}
            or (whole and self._is_member(words))
        ):
            raise AmbiguousName(
                f"{spell(words)} has a value already",
                pending.left[0].place,
            )

    def _is_member(self, words: tuple[str, ...]) -> bool:
        """Whether a name is that of a family, with as many indices."""
        for base, heads in self.scope.functions.items():
            below = script(words[len(base) + 1 :])
            if words[: len(base) + 1] == (*base, "_") and not {
                "+", "-", "*",
            }.intersection(below):  # fmt: skip
                return any(
                    not head.args and len(head.subs) == len(below)
                    for head in heads
                )
        return False

    def _body(self, pending: _Pending) -> None:
        head = pending.head
        assert head is not None
        if head == Head((r"\nabla",)):
            return
        parameters = (*head.subs, *head.args, *head.entries)
        parser = Parser(pending.right, self.scope, pending.tex, parameters)
        body = parser.whole(parser.expression)
        ranks = {name: _indexed(name, body) for name in head.args}
        definition = Definition(head, body, pending.tex, ranks=ranks)
        same = self.scope.definitions.setdefault(head.name, [])
        if any(_takes(d) == _takes(definition) for d in same):
            raise AmbiguousName(
                f"{head.name} is defined twice", pending.left[0].place
            )
        same.append(definition)
        self.definitions.append(definition)

    # --- Clauses --------------------------------------------------------------

    def _cut(self, tex: str) -> _Line:
        """Cut a line into its formula and what stands beside it."""
        main, *clauses = _clauses(tokenize(tex)) or [[]]
        if not main:
            raise NotInGrammar("nothing stands here", Place(tex, 0))
        line = _Line(tex, main)
        for clause in clauses:
            self._clause(clause, line)
        return line

    def _clause(self, clause: list[Token], line: _Line) -> None:
        """Take note of what a clause after the formula says."""
        words = texts(clause)
        left, *right = split(clause, {"="})
        if ":=" in words:
            self._log_zero(clause, line.tex)
        elif words[0] == "(" and r"\to" in words:
            line.note += words
        elif right and not RELATIONS.intersection(words) - {"="}:
            known = texts(left) in self.scope.names or (
                texts(left) not in self.scope.functions
                and self._has_value(left, line.tex)
            )
            if known or not head_like(left):
                line.chains.append((None, [left, *right]))
            else:
                pending = self._define(clause, line.tex)
                line.chains.append((pending, right))
        elif r"\propto" in words:
            raise NotInGrammar(
                "proportional to: with which factor?",
                clause[words.index(r"\propto")].place,
                "write what it equals",
            )
        else:
            line.conditions.append(clause)

    def _log_zero(self, clause: list[Token], tex: str) -> None:
        """Take note of what the logarithm of 0 is set to."""
        words = texts(clause)
        if words[:4] != ("(", r"\log", "0", ":=") or words[-1] != ")":
            raise NotInGrammar(
                "this says nothing that is known here",
                clause[words.index(":=")].place,
                r"only the logarithm of 0 is set so: (\log0:=-A)",
            )
        value = clause[4:-1]
        if self.log_zero and texts(self.log_zero[0]) != texts(value):
            raise AmbiguousName("log 0 is set twice", clause[0].place)
        self.log_zero = value, tex

    def _introduces(self, line: _Line) -> bool:
        """Whether the line defines its own left side; if so, take note of it.

        It does if its name is new, or is a function of the book of names that are all new.
        """
        left, *right = split(line.main, {"="})
        if not right or not head_like(left):
            return False
        start = 2 if left[0].text in ACCENTS else 1
        if self.scope.declares(texts(left[:start])) and any(
            self.scope.declares((token.text,)) or token.text.isdigit()
            for token in left[start:]
        ):
            return False
        if self._has_value(left, line.tex):
            return False
        line.defines = self.declare(left, right, line.tex)
        return True

    def _has_value(self, left: list[Token], tex: str) -> bool:
        """Whether a left side means something already."""
        return _tried(Parser(left, self.scope, tex)) is not None

    # --- Ranges and random variables ------------------------------------------

    def _range(self, tex: str) -> None:
        tokens = tokenize(tex)
        name, relation = (*texts(tokens[:2]), "", "")[:2]
        if relation not in {r"\in", r"\notin", r"\subseteq"}:
            raise NotInGrammar(
                "this is no range",
                Place(tex, 0),
                r"write k\in\{1,\dots,n\}, j\notin T or T\subseteq\{1,2,3\}",
            )
        if name in self.scope.ranges:
            raise AmbiguousName(
                f"the range of {name} is said twice", Place(tex, 0)
            )
        parser = Parser(tokens[2:], self.scope, tex, [name])
        right = parser.whole(parser.collection)
        if relation == r"\subseteq" and not from_one(right):
            raise NotInGrammar(
                "subsets are of the first whole numbers",
                tokens[2].place,
                rf"write {name}\subseteq\{{1,\dots,n\}}",
            )
        self.scope.ranges[name] = (
            Apply("subsets", (right,))
            if relation == r"\subseteq"
            else Relation(
                relation, Name(name), right, place=tokens[0].place
            )
        )

    def _random(self, clause: list[Token], tex: str) -> None:
        variable = clause[0].text
        self.scope.random[variable] = self._tree(clause[2:], tex)

    # --- Lines ----------------------------------------------------------------

    def _tree(self, tokens: list[Token], tex: str) -> Node:
        parser = Parser(tokens, self.scope, tex)
        return parser.whole(parser.expression)

    def _formula(
        self,
        line: _Line,
        equal: list[list[Token]],
        defines: _Pending | None,
    ) -> Formula:
        sides: list[Node] = []
        indices = defines.indices if defines else ()
        free: dict[str, None] = {}
        for side in equal:
            parser = Parser(side, self.scope, line.tex, indices)
            sides.append(parser.whole(parser.expression))
            free |= dict.fromkeys(parser.free)
        found = {
            getattr(node, "name", "")
            for side in sides
            for node in walk(side)
        }
        free |= dict.fromkeys(found.intersection(indices))
        conditions = []
        for clause in line.conditions:
            parser = Parser(clause, self.scope, line.tex)
            conditions.append(parser.whole(parser.conditions))
        for tree in sides:
            self._check_free(tree, {*free})
        beside = [
            self._formula(_Line(line.tex, line.main), chain, pending)
            for pending, chain in line.chains
            if len(chain) > 1
        ]
        return Formula(
            line.tex,
            tuple(sides),
            tuple(sorted(free)),
            tuple(conditions),
            tuple(beside),
            line.note,
        )

    def _check_free(self, tree: Node, free: set[str]) -> None:
        """Refuse a letter that stands for each value in the line and runs beside another one."""
        for node in walk(tree):
            if isinstance(node, Family) or (
                isinstance(node, Big) and len(node.indices) > 1
            ):
                for index in free.intersection(node.indices):
                    raise AmbiguousRange(
                        f"{index} runs here, and stands free in the line",
                        node.place,
                        "use another letter for one of them",
                    )


def _tried(parser: Parser) -> Node | None:
    """Read an expression, if it is one."""
    try:
        return parser.whole(parser.expression)
    except TexError:
        return None


def _takes(definition: Definition) -> tuple[int, tuple[int, ...]]:
    """Tell definitions of one name apart: by how many indices they and their arguments have."""
    head = definition.head
    ranks = (definition.ranks.get(name, 0) for name in head.args)
    return len(head.subs), tuple(ranks)


def _clauses(tokens: list[Token]) -> list[list[Token]]:
    """Cut a line at the commas, wide spaces and words that stand in no bracket."""
    for token in tokens:
        if token.text.startswith(r"\text") and (
            token.text.replace(" ", "") not in _WORDS
        ):
            raise NotInGrammar(
                "these words do not run",
                token.place,
                "write a formula, or give the line as code: by=…",
            )
    words = {t.text for t in tokens if t.text.startswith(r"\text")}
    return [part for part in split(tokens, {",", r"\quad", *words}) if part]


def _indexed(name: str, body: Node) -> int:
    """Count the indices that a definition's argument has in its body."""
    return max(
        (
            len(node.subs)
            for node in walk(body)
            if isinstance(node, Index) and node.base == Name(name)
        ),
        default=0,
    )
