"""Read formulas by recursive descent: from tokens to a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from equalsign.tex.errors import (
    AmbiguousName,
    AmbiguousRange,
    NotInGrammar,
    Place,
    ShapeMismatch,
    UnknownName,
)
from equalsign.tex.scope import (
    ACCENTS,
    OPENING,
    RELATIONS,
    SEPARATORS,
    Head,
    Scope,
    marks,
    matching,
    spell,
    split,
    symbol,
    texts,
)
from equalsign.tex.tokens import Token
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
)

__all__ = ["Parser"]

T = TypeVar("T")

# Functions whose argument may stand without a bracket.
PREFIX = {
    r"\log": "log",
    r"\ln": "log",
    r"\exp": "exp",
    r"\sin": "sin",
    r"\cos": "cos",
    r"\tan": "tan",
    r"\arcsin": "arcsin",
    r"\arccos": "arccos",
    r"\arctan": "arctan",
    r"\sinh": "sinh",
    r"\cosh": "cosh",
    r"\tanh": "tanh",
    r"\mathrm{arsinh}": "arsinh",
    r"\mathrm{arcosh}": "arcosh",
    r"\mathrm{artanh}": "artanh",
    r"\mathrm{erf}": "erf",
    r"\mathrm{erfc}": "erfc",
    r"\mathrm{sign}": "sign",
    r"\Gamma": "gamma",
}
BIG = {
    r"\sum": "sum",
    r"\prod": "product",
    r"\max": "largest",
    r"\min": "smallest",
    r"\mathrm{argmax}": "place of largest",
    r"\mathrm{argmin}": "place of smallest",
}
_LISTS = {r"\max": "maximum", r"\min": "minimum"}
_BRACKETS = {
    r"\lfloor": "floor",
    r"\lceil": "ceil",
    r"\langle": "inner",
}
_INDICATORS = frozenset({r"\mathbb{1}", r"\mathbf{1}"})
_ENTRYWISE = frozenset({r"\mathrm{KL}", "H"})
_HINTS = {
    r"\dots": r"an ellipsis leaves a guess: write the sum, \sum_{j=0}^{N}…",
    r"\propto": "write what it equals, with its denominator",
    r"\pm": "write the two lines",
    r"\lim": "a limit is a step of its own: tends_to(…)",
    r"\approx": "write the limit with its rate: tends_to(…)",
    "!": r"write \Gamma(n+1), or \binom nk",
}


class Parser:
    """Reads tokens in the light of a scope.

    Parameters
    ----------
    tokens : sequence of Token
        What to read.
    scope : Scope
        What the names mean.
    bound : sequence of str
        Names that stand for arguments or indices from outside.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        scope: Scope,
        tex: str,
        bound: Sequence[str] = (),
    ) -> None:
        self.tokens = [t for t in tokens if t.text != r"\quad"]
        self.scope, self.tex = scope, tex
        self.position = 0
        self.bound: list[str] = list(bound)
        self.free: dict[str, Place] = {}
        self.loose: dict[str, Place] = {}
        self._open: list[str] = []
        self._in_subscript = False

    # --- Reading tokens -------------------------------------------------------

    @property
    def text(self) -> str:
        """The text of the next token; empty at the end."""
        if self.position < len(self.tokens):
            return self.tokens[self.position].text
        return ""

    @property
    def place(self) -> Place:
        """The place of the next token."""
        if self.position < len(self.tokens):
            return self.tokens[self.position].place
        if self.tokens:
            last = self.tokens[-1]
            return Place(last.place.text, last.place.start + len(last.text))
        return Place(self.tex, len(self.tex))

    def _take(self, *expected: str) -> str:
        """Take the next token, which must be one of `expected` if any is named."""
        text = self.text
        if expected and text not in expected:
            self._fail(
                f"expected {' or '.join(expected)}, not {text or 'the end'}"
            )
        self.position += 1
        return text

    def _accept(self, *texts_: str) -> bool:
        """Take the next token if it is one of these."""
        if self.text in texts_:
            self.position += 1
            return True
        return False

    def _fail(self, problem: str, meant: str = "") -> NoReturn:
        raise NotInGrammar(
            problem, self.place, meant or _HINTS.get(self.text, "")
        )

    def whole(self, read: Callable[[], T]) -> T:
        """Read everything, and refuse what is left over."""
        result = read()
        if self.position < len(self.tokens):
            self._fail(f"{self.text} cannot stand here")
        unknown = {
            name: place
            for name, place in self.loose.items()
            if name not in self.free
        }
        for name, place in unknown.items():
            raise UnknownName(
                f"nothing gives {name} a value",
                place,
                "draw it, define it, or use it as an index",
            )
        return result

    def _within(self, tokens: Sequence[Token], read: Callable[[], T]) -> T:
        """Read `tokens` to their end, then go on here."""
        if not tokens:
            self._fail("nothing stands here")
        kept = self.tokens, self.position, self._open
        self.tokens, self.position, self._open = list(tokens), 0, []
        result = read()
        if self.position < len(self.tokens):
            self._fail(f"{self.text} cannot stand here")
        self.tokens, self.position, self._open = kept
        return result

    def _scripts(self) -> dict[str, list[Token]]:
        """Take what stands below and above a sign, each at most once."""
        found: dict[str, list[Token]] = {}
        while self.text in {"_", "^"}:
            if self.text in found:
                self._fail(f"a second {self.text} at one sign")
            mark = self._take()
            found[mark] = self._group()
        return found

    def _group(self) -> list[Token]:
        """Take the tokens of a TeX argument: of a group, one token, or one digit."""
        if self.position >= len(self.tokens):
            self._fail("an argument is missing")
        token = self.tokens[self.position]
        if token.text == "{":
            end = matching(self.tokens, self.position)
            inside = self.tokens[self.position + 1 : end]
            self.position = end + 1
            return inside
        if "." in token.text:
            self._fail("where does this argument end?", "put it in braces")
        if re.fullmatch(r"\d.+", token.text):
            rest = Place(token.place.text, token.place.start + 1)
            self.tokens[self.position : self.position + 1] = [
                Token(token.text[0], token.place),
                Token(token.text[1:], rest),
            ]
            token = self.tokens[self.position]
        self.position += 1
        if token.text in ACCENTS or token.text == r"\frac":
            start = self.position - 1
            for _ in range(2 if token.text == r"\frac" else 1):
                self._group()
            return self.tokens[start : self.position]
        return [token]

    def _argument(self) -> Node:
        """Read a TeX argument as an expression."""
        return self._within(self._group(), self.expression)

    @contextmanager
    def _binding(self, names: Sequence[str]) -> Iterator[None]:
        """Let names stand for indices meanwhile."""
        self.bound.extend(names)
        yield
        del self.bound[len(self.bound) - len(names) :]

    @contextmanager
    def _bracket(self, mark: str) -> Iterator[None]:
        """Bars opened outside cannot be closed inside."""
        self._open.append(mark)
        yield
        self._open.pop()

    # --- Sums and products ----------------------------------------------------

    def expression(self) -> Node:
        """Read terms joined by plus and minus."""
        place = self.place
        terms = [self._signed()]
        while self.text in {"+", "-"}:
            terms.append(self._signed())
        return (
            terms[0] if len(terms) == 1 else Add(tuple(terms), place=place)
        )

    def _signed(self) -> Node:
        place = self.place
        if self._accept("-"):
            return Negative(self._term(), place=place)
        self._accept("+")
        return self._term()

    def _term(self, *, product: bool = False) -> Node:
        """Read factors up to the next plus or minus.

        Parameters
        ----------
        product : bool
            Whether this is the body of a product sign, which may not go on after a dot.
        """
        place = self.place
        factors = [self._factor()]
        while True:
            if self.text == "/":
                slash = self.place
                self._take()
                above = _product(factors, place)
                factors = [Divide(above, self._factor(), place=slash)]
                if self._starts_factor():
                    self._fail(
                        "is this below the slash or beside the fraction?",
                        r"write \frac{…}{…}, or brackets",
                    )
            elif self.text == r"\cdot":
                if product:
                    self._fail(
                        "does this factor belong to the product sign?",
                        "put the product in brackets, or the factor first",
                    )
                self._take()
                factors.append(self._factor())
            elif self._starts_factor():
                factors.append(self._beside(factors[-1]))
            else:
                return _product(factors, place)

    def _beside(self, last: Node) -> Node:
        """Read a factor without a sign before it; two numbers would look like one."""
        place, number = self.place, self.text[0].isdigit()
        fraction = self.text == r"\frac"
        factor = self._factor()
        if fraction and isinstance(factor, Divide):
            number = isinstance(factor.above, Number) and isinstance(
                factor.below, Number
            )
        if isinstance(last, Number) and number:
            raise NotInGrammar(
                "two numbers beside each other",
                place,
                r"write \cdot between",
            )
        return factor

    def _starts_factor(self) -> bool:
        """Whether the next token begins a factor."""
        text = self.text
        if not text or text in SEPARATORS - {r"\|"}:
            return False
        if text in {"|", r"\|"}:
            return self._open[-1:] != [text]
        if text in {"(", "[", *_BRACKETS, *BIG, *PREFIX, *ACCENTS}:
            return True
        if text in {
            r"\frac", r"\sqrt", r"\binom", r"\int", r"\nabla",
            r"\begin{cases}", r"\mathbb{E}", r"\arg", *_INDICATORS,
        }:  # fmt: skip
            return True
        return symbol(text) or text[0].isdigit()

    # --- Factors --------------------------------------------------------------

    def _factor(self) -> Node:
        """Read an atom with its power."""
        return self._powers(self._atom())

    def _powers(self, base: Node) -> Node:
        while self.text in {"^", "'", "_"}:
            place = self.place
            if self.text == "'":
                self._fail(
                    "a prime here is no derivative and no declared name"
                )
            if self.text == "_":
                self._fail(
                    "a subscript cannot stand here",
                    "the subscript comes before the power",
                )
            self._take("^")
            if self.text == r"\top":
                self._take()
                base = Transpose(base, place=place)
            elif self.text in {"*", "+", "-", "'"}:
                self._fail(
                    f"^{self.text} is no power, and no such name is declared"
                )
            elif base != Apply("e", ()) and self._wrapped(
                self.tokens[self.position :]
            ):
                self._fail("a number in brackets up here is no power")
            else:
                base = Power(base, self._argument(), place=place)
            if self.text == "^":
                self._fail(
                    "two powers on one base", "write {…^…}^…, or one"
                )
        return base

    def _atom(self) -> Node:
        """Read what a power can stand on."""
        place, text = self.place, self.text
        found = self.scope.longest(texts(self.tokens[self.position :]))
        if found is None or len(found[0]) == 1:
            bound = self._bound_name()
            if bound:
                return self._named((), bound, place)
        if found:
            self.position += len(found[0])
            return self._named(found[0], spell(found[0]), place, found[1])
        if text[:1].isdigit():
            return Number(self._take(), place=place)
        if text == "(":
            return self._parenthesis()
        if text == "[":
            return self._square()
        if text == r"\{":
            return self.collection()
        if text in {"|", r"\|"}:
            return self._bars()
        if text in _BRACKETS:
            return self._special_bracket()
        if text in BIG or text == r"\arg":
            return self._big()
        if text in PREFIX:
            return self._prefix()
        reader = {
            r"\frac": self._fraction,
            r"\sqrt": self._root,
            r"\binom": self._binomial,
            r"\int": self._integral,
            r"\nabla": self._gradient,
            r"\begin{cases}": self._cases,
            r"\mathbb{E}": self._expectation,
            r"\mathbb{1}": self._indicator,
            r"\mathbf{1}": self._indicator,
        }.get(text)
        if reader:
            return reader()
        if symbol(text) or text in ACCENTS:
            return self._undeclared()
        self._fail(f"{text or 'the end'} cannot begin a factor")

    def _bound_name(self) -> str:
        """Take a bound name if one stands here."""
        for length in (2, 1):
            tokens = self.tokens[self.position : self.position + length]
            name = spell(texts(tokens))
            if len(tokens) == length and name in self.bound:
                self.position += length
                return name
        return ""

    def _undeclared(self) -> Node:
        """Read a symbol that nothing declares: an index, if it is one elsewhere."""
        place = self.place
        start = self.position
        while self.text in ACCENTS:
            self._take()
        self._take()
        name = spell(texts(self.tokens[start : self.position]))
        if name == r"\pi":
            return Apply("pi", (), place=place)
        if name == "e":
            return Apply("e", (), place=place)
        if self.text in {"_", "(", "'"} or len(name) > 1:
            raise UnknownName(
                f"nothing gives {name} a value",
                place,
                "draw it, or define it",
            )
        seen = self.free if self._in_subscript else self.loose
        seen.setdefault(name, place)
        return Name(name, place=place)

    # --- Names ----------------------------------------------------------------

    def _named(
        self,
        base: tuple[str, ...],
        name: str,
        place: Place,
        scope: Scope | None = None,
    ) -> Node:
        """Read what follows a known name: indices, primes, arguments."""
        heads = scope.functions.get(base, []) if scope else []
        calls = [head for head in heads if head.args]
        if calls:
            return self._call(calls, name, place)
        node: Node = Name(name, place=place)
        if self.text == "_":
            subs = self._subscripts(name)
            if any(len(head.subs) == len(subs) for head in heads):
                return Call(name, subs, (), place=place)
            if scope and base not in scope.names:
                self.position -= 1
                self._fail(f"{name} takes another number of indices")
            node = Index(node, subs, place=place)
        if (
            self.text == "("
            and scope
            and scope.function_below(base)
            and base in scope.names
        ):
            raise AmbiguousName(
                f"{name} is a value here and a function of the book",
                place,
                r"write \cdot for the product",
            )
        return node

    def _call(self, heads: Sequence[Head], name: str, place: Place) -> Node:
        """Read the arguments of a function."""
        subs = (
            self._subscripts(name)
            if self.text == "_" and any(head.subs for head in heads)
            else ()
        )
        primes = 0
        while self._accept("'"):
            primes += 1
        if self.text != "(":
            self._fail(
                f"{name} is a function: its arguments are missing",
                f"write {name}(…)",
            )
        tokens = self._bracketed()
        bars = any(r"\|" in head.marks for head in heads)
        at = SEPARATORS if bars else SEPARATORS - {r"\|"}
        args = self._in_one_order(
            self._call_argument(part, name) for part in split(tokens, at)
        )
        between = marks(tokens, at)
        fitting = [head for head in heads if len(head.args) == len(args)]
        if fitting and between not in {head.marks for head in fitting}:
            self._fail(
                f"{name} is defined with other signs between its arguments",
                f"write {' or '.join(sorted({' '.join(h.marks) for h in fitting}))}",
            )
        if not fitting:
            if all(len(head.args) > 1 for head in heads):
                self._fail(f"{name} takes another number of arguments")
            args = (Vector(args, place=args[0].place),)
        node: Node = Call(name, subs, args, primes, place=place)
        if self.text == "_":
            node = Index(node, self._subscripts(name), place=place)
        return node

    def _in_one_order(self, args: Iterable[Node]) -> tuple[Node, ...]:
        """Let distributions that are written by their entries have these in one order."""
        result: list[Node] = []
        first: Family | None = None
        for arg in args:
            if isinstance(arg, Family):
                first = first or arg
                if {*arg.indices} != {*first.indices}:
                    raise ShapeMismatch(
                        f"entries for each {', '.join(arg.indices)} beside entries for each "
                        f"{', '.join(first.indices)}",
                        arg.place,
                    )
                arg = Family(arg.body, first.indices, place=arg.place)
            result.append(arg)
        return tuple(result)

    def _call_argument(self, part: Sequence[Token], name: str) -> Node:
        """Read an argument; of a distribution, all entries, if it is written by one of them."""
        outside, self.free = self.free, {}
        node = self._within(part, self.expression)
        new, self.free = self.free, outside
        if new and name in _ENTRYWISE:
            return Family(node, tuple(new), place=node.place)
        self.free |= new
        return node

    def _bracketed(self) -> list[Token]:
        end = matching(self.tokens, self.position)
        inside = self.tokens[self.position + 1 : end]
        self.position = end + 1
        return inside

    def _subscripts(self, name: str) -> tuple[Node, ...]:
        """Read the indices below a name."""
        self._take("_")
        place = self.place
        tokens = self._group()
        if any(token.text[0].isdigit() for token in tokens) and not (
            {"+", "-"} & set(texts(tokens))
        ):
            below = spell(texts(tokens))
            full = (
                f"{name}_{below}"
                if len(below) == 1
                else f"{name}_{{{below}}}"
            )
            raise UnknownName(
                f"{full} is a name, not a position, and nothing gives it a value",
                place,
                f"draw it or define it: {full}=…",
            )
        kept, self._in_subscript = self._in_subscript, True
        if self._wrapped(tokens):
            raise NotInGrammar(
                "in brackets it would be the order, not the index", place
            )
        result: list[Node] = []
        for part in split(tokens, {","}):
            if {"+", "-"} & set(texts(part)):
                result.append(self._within(part, self.expression))
            else:
                result.extend(self._within(part, self._indices))
        self._in_subscript = kept
        return tuple(result)

    @staticmethod
    def _wrapped(tokens: Sequence[Token]) -> bool:
        """Whether a script is one sign in round brackets, as of an order or a derivative."""
        words = texts(tokens)
        if words[:1] == ("{",):
            return words[1:2] == ("(",) and words[3:5] == (")", "}")
        return words[:1] == ("(",) and words[2:] == (")",)

    def _indices(self) -> list[Node]:
        result = [self._atom()]
        while self.text:
            result.append(self._atom())
        return result

    # --- Brackets -------------------------------------------------------------

    def _parenthesis(self) -> Node:
        place = self.place
        tokens = self._bracketed()
        parts = split(tokens, {","})
        entries = tuple(self._within(p, self.expression) for p in parts)
        if len(entries) > 1:
            return Vector(entries, place=place)
        if self.text == "_":
            return Index(entries[0], self._subscripts("(…)"), place=place)
        return entries[0]

    def _square(self) -> Node:
        """Read square brackets: 1 or 0 if they hold a condition, else a group."""
        place = self.place
        tokens = self._bracketed()
        if len(split(tokens, RELATIONS)) > 1:
            return Iverson(
                self._within(tokens, self.conditions), place=place
            )
        return self._within(tokens, self.expression)

    def _indicator(self) -> Node:
        place = self.place
        self._take()
        if self.text != "[":
            self._fail("the condition in square brackets is missing")
        return Iverson(
            self._within(self._bracketed(), self.conditions), place=place
        )

    def _bars(self) -> Node:
        """Read a size or a norm."""
        place = self.place
        mark = self._take()
        with self._bracket(mark):
            inside = self.expression()
        self._take(mark)
        if mark == "|":
            return Apply("absolute", (inside,), place=place)
        if self.text == "_":
            self._take()
            tokens = self._group()
            order: Node = (
                Name(r"\infty", place=tokens[0].place)
                if texts(tokens) == (r"\infty",)
                else self._within(tokens, self.expression)
            )
            return Apply("norm", (inside, order), place=place)
        return Apply("norm", (inside,), place=place)

    def _special_bracket(self) -> Node:
        place = self.place
        function = _BRACKETS[self.text]
        parts = split(self._bracketed(), {","})
        if len(parts) != (2 if function == "inner" else 1):
            self._fail("another number of parts is needed in this bracket")
        return Apply(
            function,
            tuple(self._within(p, self.expression) for p in parts),
            place=place,
        )

    # --- Functions with an argument without brackets --------------------------

    def _prefix(self) -> Node:
        """Read a function such as a logarithm with its argument."""
        place = self.place
        command = self._take()
        function = PREFIX[command]
        base = exponent = None
        if self.text == "_" and function == "log":
            self._take()
            base = self._argument()
        if self.text == "^":
            self._take()
            power = self.place
            exponent = self._argument()
            if exponent == Negative(Number("1")):
                raise NotInGrammar(
                    "the inverse function, or one divided by it?",
                    power,
                    r"write \arcsin or \frac1{\sin x}",
                )
        node: Node = Apply(
            function, (self._bare_argument(command),), place=place
        )
        if base is not None:
            below = Apply("log", (base,), place=place)
            node = Divide(node, below, place=place)
        return (
            node if exponent is None else Power(node, exponent, place=place)
        )

    def _bare_argument(self, command: str) -> Node:
        """Read a bracket, or what stands before the next bracket, operator or function."""
        place = self.place
        if not self._starts_factor():
            self._fail(f"the argument of {command} is missing")
        if self.text in {"(", "["}:
            node = self._atom()
            if self.text == "^":
                self._fail(
                    f"is this the power of {command}, or of its argument?",
                    f"write {command}^…(…), or a bracket more",
                )
            if not command.startswith(r"\mathrm"):
                self._nothing_after(command)
            return node
        first = self.text
        factors = [self._factor()]
        if not _simple(factors[0]):
            if first not in BIG:
                self._nothing_after(command)
            return factors[0]
        while self._starts_factor() and self._plain_next():
            factors.append(self._beside(factors[-1]))
        return _product(factors, place)

    def _plain_next(self) -> bool:
        """Whether a number, a name or a fraction comes next."""
        if self.text in {
            "(", "[", "|", r"\|", r"\int", r"\nabla", r"\begin{cases}",
            r"\mathbb{E}", r"\arg", *_INDICATORS, *_BRACKETS, *BIG, *PREFIX,
        }:  # fmt: skip
            return False
        found = self.scope.longest(texts(self.tokens[self.position :]))
        return found is None or not any(
            head.args for head in found[1].functions.get(found[0], ())
        )

    def _nothing_after(self, command: str) -> None:
        if self._starts_factor() and self._plain_next():
            self._fail(
                f"does this belong to the argument of {command}?",
                "put it first, or in the bracket",
            )
        if self.text in {"(", "["}:
            self._fail(
                f"is this bracket in the argument of {command}?",
                "put it first, or in another bracket",
            )

    # --- Fractions, roots, derivatives ----------------------------------------

    def _fraction(self) -> Node:
        place = self.place
        self._take(r"\frac")
        above, below = self._group(), self._group()
        for sign in ("d", r"\partial"):
            if (
                above[:1]
                and below[1:]
                and above[0].text == below[0].text == sign
            ):
                if sign == "d" and self._is_value("d"):
                    raise AmbiguousName(
                        "d is a value here, and the sign of a derivative",
                        place,
                        r"write \partial, or another letter for the value",
                    )
                return self._derivative(above, below, sign, place)
        return Divide(
            self._within(above, self.expression),
            self._within(below, self.expression),
            place=place,
        )

    def _is_taken(self, name: str) -> bool:
        """Whether an index of this name would hide a value; not one of the book."""
        return name in self.bound or (name,) in self.scope.names

    def _is_value(self, name: str) -> bool:
        return name in self.bound or self.scope.declares((name,))

    def _derivative(
        self,
        above: Sequence[Token],
        below: Sequence[Token],
        sign: str,
        place: Place,
    ) -> Node:
        """Read a derivative, of what stands above or of what follows."""
        order, rest = 1, list(above[1:])
        if rest:
            order, rest = self._within(
                rest, lambda: (self._times(), self._rest())
            )
        variables = self._within(below, lambda: self._variables(sign))
        if len(variables) != order:
            self._fail(
                "above and below disagree on how often to differentiate"
            )
        if rest and self.text == "(":
            self._fail(
                "is this where the derivative is taken, or a factor?",
                r"write y'(…), or \cdot for the product",
            )
        body = (
            self._within(rest, self.expression) if rest else self._operand()
        )
        return Derivative(body, tuple(variables), place=place)

    def _times(self) -> int:
        """Read how often to differentiate: once, or what the power says."""
        if not self._accept("^"):
            return 1
        place = self.place
        power = "".join(texts(self._group()))
        if not re.fullmatch("[1-9][0-9]*", power):
            raise NotInGrammar(
                "how often to differentiate is a whole number", place
            )
        return int(power)

    def _rest(self) -> list[Token]:
        """Take all that is left."""
        rest = list(self.tokens[self.position :])
        self.position = len(self.tokens)
        return rest

    def _variables(self, sign: str) -> list[Node]:
        result: list[Node] = []
        while self.text:
            self._take(sign)
            variable = self._atom()
            result += [variable] * self._times()
        result = [
            Index(Name(v.name, place=v.place), v.subs, place=v.place)
            if isinstance(v, Call) and not v.args
            else v
            for v in result
        ]
        for variable in result:
            base = (
                variable.base if isinstance(variable, Index) else variable
            )
            if not isinstance(base, Name):
                raise NotInGrammar(
                    "one differentiates by a name or an entry of one",
                    variable.place,
                )
        return result

    def _operand(self) -> Node:
        """Read what a derivative applies to: a bracket, or all up to plus or minus."""
        if self.text in {"(", "["}:
            node = self._factor()
            if self._starts_factor():
                self._fail(
                    "is this differentiated too?",
                    "put it first, or in the bracket",
                )
            return node
        return self._term()

    def _gradient(self) -> Node:
        place = self.place
        self._take(r"\nabla")
        variable, order = self.scope.gradient, 1
        if self._accept("_"):
            variable = spell(texts(self._group()))
        if self._accept("^"):
            order = int(self._take("2"))
        if not variable:
            raise AmbiguousName(
                "the gradient by which name?", place, r"write \nabla_w"
            )
        return Gradient(self._factor(), variable, order, place=place)

    def _root(self) -> Node:
        place = self.place
        self._take(r"\sqrt")
        if self.text == "[":
            tokens = self._bracketed()
            order = self._within(tokens, self.expression)
            return Power(
                self._argument(),
                Divide(Number("1", place=place), order, place=place),
                place=place,
            )
        return Apply("sqrt", (self._argument(),), place=place)

    def _binomial(self) -> Node:
        place = self.place
        self._take(r"\binom")
        return Apply(
            "binomial", (self._argument(), self._argument()), place=place
        )

    # --- Sums, products, maxima, integrals ------------------------------------

    def _big(self) -> Node:
        place, command = self.place, self._take()
        if command == r"\arg":
            extreme = self._take(r"\max", r"\min").lstrip("\\")
            command = rf"\mathrm{{arg{extreme}}}"
        if command in _LISTS and self.text == "(":
            parts = split(self._bracketed(), {","})
            return Apply(
                _LISTS[command],
                tuple(self._within(p, self.expression) for p in parts),
                place=place,
            )
        scripts = self._scripts()
        below, above = scripts.get("_", []), scripts.get("^", [])
        if not below:
            self._fail(
                f"nothing says what {command} runs over",
                f"write {command}_k",
            )
        indices, first, condition, over = self._run_over(below)
        last = self._upper(above)
        if (first is None) != (last is None):
            self._fail("one end of the range is missing")
        with self._binding(indices):
            if_ = condition and self._within(condition, self.conditions)
            set_ = over and self._within(over, self._over)
            body = self._body(command)
        return Big(
            BIG[command],
            tuple(indices),
            body,
            first,
            last,
            if_ or None,
            set_ or None,
            place=place,
        )

    def _body(self, command: str) -> Node:
        """Read what a sign applies to: all up to the next plus or minus."""
        return self._term(product=command == r"\prod")

    def _over(self) -> Node:
        """Read a set that a sum runs over without naming its index."""
        place = self.place
        if self._accept(r"\notin"):
            return Apply("others", (self._atom(),), place=place)
        return self._atom()

    def _upper(self, above: Sequence[Token]) -> Node | None:
        if not above:
            return None
        if texts(above) == (r"\infty",):
            return Name(r"\infty", place=above[0].place)
        return self._within(above, self.expression)

    def _run_over(
        self, below: list[Token]
    ) -> tuple[
        list[str], Node | None, list[Token] | None, list[Token] | None
    ]:
        """Tell which indices run, from where, on which condition, or over which set."""
        words = texts(below)
        if (
            len(below) > 2
            and words[1] == "="
            and symbol(words[0])
            and not (self._is_value(words[0]))
        ):
            first = self._within(below[2:], self.expression)
            return [words[0]], first, None, None
        indices = self._new_symbols(_before_sets(below))
        if set(words) & (RELATIONS - {r"\notin"}) or (
            r"\notin" in words and words[0] != r"\notin"
        ):
            if not indices:
                raise AmbiguousRange(
                    "no index runs here: every name has a value",
                    below[0].place,
                    "use a letter that is not drawn",
                )
            return indices, None, below, None
        if words[0] == r"\notin" or (not indices and len(below) == 1):
            if not self._is_set(below[-1].text):
                self._taken(below[-1])
            return [], None, None, below
        running = [token for token in below if token.text != ","]
        for n, token in enumerate(running):
            if token.text not in indices or token.text in texts(
                running[:n]
            ):
                self._taken(token)
        return indices, None, None, None

    def _is_set(self, name: str) -> bool:
        return (name,) in self.scope.names and name.isupper()

    def _taken(self, token: Token) -> NoReturn:
        raise AmbiguousName(
            f"{token.text} has a value, and runs here",
            token.place,
            "use another letter for the index",
        )

    def _new_symbols(self, tokens: Sequence[Token]) -> list[str]:
        """Give the symbols that nothing declares, each once."""
        names: dict[str, None] = {}
        position = 0
        while position < len(tokens):
            found = self.scope.longest(texts(tokens[position:]))
            name = tokens[position].text
            if name in self.bound:
                position += 1
            elif found:
                position += len(found[0])
            else:
                if symbol(name):
                    names[name] = None
                position += 1
        return list(names)

    def _integral(self) -> Node:
        place = self.place
        self._take(r"\int")
        bounds = self._scripts()
        if len(bounds) == 1:
            raise NotInGrammar(
                "an integral has two bounds or none, and one dimension",
                place,
            )
        end = self._differential(place)
        variable = self.tokens[end + 1].text
        inside = self.tokens[self.position : end]
        with self._binding([variable]):
            body = self._within(inside, self.expression)
        self.position = end + 2
        if self.text in {"^", "_", "'"}:
            self._fail(
                "a power of the differential",
                "put the integral in brackets",
            )
        lower, upper = (
            (
                self._bound(bounds["_"], ("-", r"\infty")),
                self._bound(bounds["^"], (r"\infty",)),
            )
            if bounds
            else (None, None)
        )
        return Integral(variable, body, lower, upper, place=place)

    def _bound(
        self, tokens: Sequence[Token], infinite: tuple[str, ...]
    ) -> Node | None:
        """Read a bound; an infinite one is none."""
        words = texts(tokens)
        if (words[1:] if words[:1] == ("+",) else words) == infinite:
            return None
        return self._within(tokens, self.expression)

    def _differential(self, place: Place) -> int:
        """Find the d that closes an integral."""
        depth, found = 0, []
        for n in range(self.position, len(self.tokens) - 1):
            text = self.tokens[n].text
            depth += (text in OPENING) - (text in OPENING.values())
            if (
                depth == 0
                and text == "d"
                and symbol(self.tokens[n + 1].text)
            ):
                found.append(n)
        if len(found) > 1 and self._is_value("d"):
            raise AmbiguousName(
                "d is a value here, and the sign of an integral",
                self.tokens[found[0]].place,
                "use another letter for the value",
            )
        if found:
            return found[0]
        raise NotInGrammar("the d of this integral is missing", place)

    # --- Expectations, conditions, cases --------------------------------------

    def _expectation(self) -> Node:
        place = self.place
        self._take()
        variable, distribution = "", None
        if self._accept("_"):
            parts = split(self._group(), {r"\sim"})
            if len(parts) != 2 or len(parts[0]) != 1:
                self._fail("write what is drawn, and from what: k\\sim p")
            variable = parts[0][0].text
            if (
                self._is_taken(variable)
                and variable not in self.scope.random
            ):
                self._taken(parts[0][0])
            distribution = self._within(parts[1], self.expression)
        elif len(self.scope.random) == 1:
            ((variable, distribution),) = self.scope.random.items()
        else:
            raise AmbiguousRange(
                "an expectation over what?",
                place,
                r"write \mathbb E_{k\sim p}, or say k\sim p",
            )
        if self.text not in {"[", "("}:
            self._fail("the expectation's bracket is missing")
        parts = split(self._bracketed(), {r"\mid"})
        if len(parts) > 2:
            self._fail("an expectation has one condition")
        with self._binding([variable]):
            body = self._within(parts[0], self.expression)
            given = (
                self._within(parts[1], self.conditions)
                if len(parts) > 1
                else None
            )
        return Expectation(variable, distribution, body, given, place=place)

    def conditions(self) -> Node:
        """Read conditions, with a comma or an "and" between them."""
        place = self.place
        found = [self._condition()]
        while self._accept(",") or self._word("and"):
            found.append(self._condition())
        return (
            found[0] if len(found) == 1 else And(tuple(found), place=place)
        )

    def _condition(self) -> Node:
        """Read a comparison or a chain of them."""
        place = self.place
        left = self.expression()
        found: list[Node] = []
        while self.text in RELATIONS:
            relation = self._take()
            right = (
                self.collection()
                if relation in {r"\in", r"\notin"}
                else self.expression()
            )
            found.append(Relation(relation, left, right, place=place))
            left = right
        if not found:
            self._fail("a condition is missing")
        return (
            found[0] if len(found) == 1 else And(tuple(found), place=place)
        )

    def collection(self) -> Node:
        """Read a set: a name, or braces around entries or a condition."""
        place = self.place
        if self.text != r"\{":
            return self._atom()
        tokens = self._bracketed()
        for bar in ("|", r"\mid", ":"):
            parts = split(tokens, {bar})
            if len(parts) == 2 and len(parts[0]) == 1:
                index = parts[0][0].text
                if self._is_taken(index):
                    self._taken(parts[0][0])
                with self._binding([index]):
                    condition = self._within(parts[1], self.conditions)
                return Such(index, condition, place=place)
        items = split(tokens, {","})
        through = [
            n for n, p in enumerate(items) if texts(p) == (r"\dots",)
        ]
        if through and (len(through) > 1 or through[0] != len(items) - 2):
            self._fail("the last entry of the set is missing")
        items = [p for p in items if texts(p) != (r"\dots",)]
        counted = [texts(p) for p in items[:-1]]
        if not all(items):
            self._fail("an entry of the set is missing")
        if through and counted[1:]:
            start = counted[0][0]
            ones = [
                (str(int(start) + n),) if start.isdecimal() else None
                for n in range(len(counted))
            ]
            if counted != ones:
                self._fail(
                    "which numbers are left out?",
                    r"1,2,\dots,n, or m,\dots,n",
                )
        return Collection(
            tuple(self._within(p, self.expression) for p in items),
            bool(through),
            place=place,
        )

    def _cases(self) -> Node:
        place = self.place
        rows = [row for row in split(self._environment(), {r"\\"}) if row]
        if not rows:
            raise NotInGrammar("the cases are missing", place)
        values: list[Node] = []
        conditions: list[Node | None] = []
        for row in rows:
            cells = split(row, {"&"})
            if len(cells) != 2:
                raise NotInGrammar(
                    "a case is a value, an & and a condition", row[0].place
                )
            values.append(self._within(cells[0], self._cell))
            if None in conditions:
                raise NotInGrammar(
                    "no case comes after the one that holds otherwise",
                    row[0].place,
                )
            conditions.append(self._within(cells[1], self._when))
        return Cases(tuple(values), tuple(conditions), place=place)

    def _environment(self) -> list[Token]:
        """Take the tokens of an environment, without its begin and its end."""
        start, depth = self.position, 0
        for end in range(start, len(self.tokens)):
            text = self.tokens[end].text
            depth += text.startswith(r"\begin")
            depth -= text.startswith(r"\end")
            if depth == 0 and text == self.text.replace("begin", "end"):
                self.position = end + 1
                return self.tokens[start + 1 : end]
        return self._fail("this has no end")

    def _when(self) -> Node | None:
        """Read when a case holds; None if it does whenever no other one does."""
        if self._word("otherwise"):
            return None
        self._word("if", "for")
        return self.conditions()

    def _word(self, *words: str) -> bool:
        """Take the next token if it is one of these words."""
        texts_ = {rf"\text{{{word}}}" for word in words}
        found = self.text.replace(" ", "") in texts_
        self.position += found
        return found

    def _cell(self) -> Node:
        node = self.expression()
        self._accept(",")
        return node


def _before_sets(tokens: Sequence[Token]) -> list[Token]:
    """Leave out the sets that indices are said to be in: nothing runs there."""
    kept: list[Token] = []
    for part in split(tokens, {","}):
        for token in part:
            if token.text in {r"\in", r"\notin"}:
                break
            kept.append(token)
    return kept


def _product(factors: list[Node], place: Place) -> Node:
    return (
        factors[0]
        if len(factors) == 1
        else Multiply(tuple(factors), place=place)
    )


def _simple(node: Node) -> bool:
    """Whether further factors may join `node` in an argument without brackets."""
    if isinstance(node, Power):
        return _simple(node.base)
    if isinstance(node, Index):
        return isinstance(node.base, Name)
    if isinstance(node, Call):
        return not node.args
    return isinstance(node, Number | Name | Divide) or (
        isinstance(node, Apply) and node.function in {"pi", "e", "sqrt"}
    )
