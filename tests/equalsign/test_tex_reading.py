"""What is read: names and heads, the places of a tree, the lines of a derivation."""

from __future__ import annotations

import pytest
from test_tex import TABLE
from test_tex_values import MORE
from tex_harness import VALUES

from equalsign.tex import tree
from equalsign.tex.errors import (
    AmbiguousName,
    NotInGrammar,
    TexError,
    UnknownName,
)
from equalsign.tex.reading import book, read
from equalsign.tex.scope import (
    Head,
    Scope,
    head_like,
    matching,
    read_head,
    spell,
    split,
    symbol,
    texts,
)
from equalsign.tex.tokens import tokenize

NAMES = list(VALUES)
SOFTMAX = r"\mathrm{softmax}"


# --- Tokens and heads -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "tokens"),
    [
        ("x_{12}", ["x", "_", "{", "12", "}"]),
        ("{x}", ["x"]),
        ("a{}", ["a", "{", "}"]),
        ("{}b", ["{", "}", "b"]),
        (r"\hat{y}", [r"\hat", "y"]),
        ("x^123", ["x", "^", "1", "23"]),
        ("1.5x", ["1.5", "x"]),
        (r"\left(x\right)", ["(", "x", ")"]),
        (r"\operatorname*{argmax}", [r"\mathrm{argmax}"]),
        (r"\mathrm{sgn}", [r"\mathrm{sign}"]),
        (r"\mathbb E", [r"\mathbb{E}"]),
        (r"\textrm{ if }", [r"\text{ if }"]),
        (r"\qquad\ldots\times\leq", [r"\quad", r"\dots", r"\cdot", r"\le"]),
    ],
)
def test_tokens(tex, tokens):
    assert list(texts(tokenize(tex))) == tokens


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("x", True),
        (r"\beta", True),
        (r"\mathrm{lr}", True),
        ("2", False),
        ("+", False),
        (r"\{", False),
        (r"\in", False),
        (r"\hat", False),
        (r"\text{ at }", False),
        (r"\begin{cases}", False),
        (r"\end{cases}", False),
    ],
)
def test_symbols(text, is_one):
    assert symbol(text) is is_one


def test_spelling():
    assert spell([r"\hat", "y", "_", "t"]) == r"\hat y_t"
    assert spell([r"\alpha", "2"]) == r"\alpha2"
    assert spell(["x", r"\beta"]) == r"x\beta"


def test_brackets_hold_what_is_between_them():
    tokens = tokenize(r"a,(b,c),\{d,[e,f]\},\begin{cases}g,h\end{cases},")
    parts = ["".join(texts(part)) for part in split(tokens, {","})]
    assert parts == [
        "a", "(b,c)", r"\{d,[e,f]\}", r"\begin{cases}g,h\end{cases}", "",
    ]  # fmt: skip
    assert matching(tokens, 2) == 6
    with pytest.raises(NotInGrammar) as caught:
        matching(tokenize("x(y"), 1)
    assert caught.value.place.start == 1


@pytest.mark.parametrize(
    ("left", "right", "head"),
    [
        ("a", "2", Head(("a",))),
        ("f(u)", "u^2", Head(("f",), (), ("u",))),
        ("f(u,w)", "uw", Head(("f",), (), ("u", "w"), (), (",",))),
        ("f(u;w)", "uw", Head(("f",), (), ("u", "w"), (), (";",))),
        (r"f(u\|w)", "uw", Head(("f",), (), ("u", "w"), (), (r"\|",))),
        (r"f(\hat u)", r"\hat u", Head(("f",), (), (r"\hat u",))),
        ("f(u)", "2", Head(("f", "(", "u", ")"))),
        ("f(u,w)", "u", Head(("f", "(", "u", ",", "w", ")"))),
        ("f(2)", "2", Head(("f", "(", "2", ")"))),
        ("f(uw)", "uw", Head(("f", "(", "u", "w", ")"))),
        (
            r"f(\hat uw)",
            r"\hat uw",
            Head(("f", "(", r"\hat", "u", "w", ")")),
        ),
        (r"f(u')", "u'", Head(("f", "(", "u", "'", ")"))),
        ("f(u)w", "uw", Head(("f", "(", "u", ")", "w"))),
        ("m_k", "2k", Head(("m",), ("k",))),
        ("m_k", "2", Head(("m", "_", "k"))),
        ("m_s", "2", Head(("m",), ("s",))),
        ("m_x", "x", Head(("m", "_", "x"))),
        ("m_2", "2", Head(("m", "_", "2"))),
        ("m_{ij}", "ij", Head(("m",), ("i", "j"))),
        ("m_{i,j}", "ij", Head(("m",), ("i", "j"))),
        ("m_{ij}", "i", Head(("m", "_", "{", "i", "j", "}"))),
        ("m_{ix}", "ix", Head(("m", "_", "{", "i", "x", "}"))),
        ("m_b_k", "k", Head(("m", "_", "b"), ("k",))),
        ("m_k^*", "k", Head(("m", "_", "k", "^", "*"))),
        (r"\hat m_k", "k", Head((r"\hat", "m"), ("k",))),
        ("g_k(u)", "ku", Head(("g",), ("k",), ("u",))),
        ("g_b(u)", "u", Head(("g", "_", "b"), (), ("u",))),
        ("g(u)_k", "u_k", Head(("g",), (), ("u",), ("k",))),
        ("g(u)_{ij}", "u_iu_j", Head(("g",), (), ("u",), ("i", "j"))),
        ("g(u)^2", "u", Head(("g", "(", "u", ")", "^", "2"))),
    ],
)
def test_a_left_side(left, right, head):
    declared = Scope(names={("x",): "x"})
    found = read_head(
        tokenize(left), texts(tokenize(right)), declared, ["s"]
    )
    assert found == head


@pytest.mark.parametrize(
    ("tex", "is_one"),
    [(x, True) for x in (
        "x", r"\beta", r"\hat x", r"\hat\bar x", "x_k", "x_{kj}", "x^*", "x'", "x''", "x_k'",
        "x'_k", "f(u)", "f(u,w)_k", "f_k(u)", "f(u)^{ab}_c", "x_k^{ij}",
    )] + [(x, False) for x in (
        "", "2", "2x", "x+y", "xy", "x_", "x^", r"\hat", r"\hat\bar", "(x)", r"\sum_kx", "x[k]",
        "x_ky", "x_k+1", "x'y", "f(u)w", r"\hat2", "x_{k}y",
    )],
)  # fmt: skip
def test_what_looks_like_a_left_side(tex, is_one):
    assert head_like(tokenize(tex)) is is_one


# --- Places in a tree -------------------------------------------------------------------------

NOTHING = ("",)
BETWEEN = (
    tree.Add,
    tree.Multiply,
    tree.Relation,
    tree.And,
    tree.Vector,
    tree.Family,
)
# What each kind of node begins with, where it has a sign of its own.
BEGINS = {
    tree.Negative: ("-",),
    tree.Divide: (r"\frac", r"\tfrac", "/", r"\sqrt", r"\log", r"\big/"),
    tree.Power: ("^", r"\sqrt", r"\sin", r"\cos", r"\log", r"\exp"),
    tree.Transpose: ("^",),
    tree.Iverson: ("[", r"\mathbb", r"\mathbf"),
    tree.Cases: (r"\begin",),
    tree.Big: (r"\sum", r"\prod", r"\max", r"\min", r"\arg", r"\mathrm{arg", r"\operatorname{arg"),
    tree.Integral: (r"\int",),
    tree.Derivative: (r"\frac",),
    tree.Gradient: (r"\nabla",),
    tree.Expectation: (r"\mathbb",),
    tree.Collection: (r"\{",),
    tree.Such: (r"\{",),
}  # fmt: skip
SIGNS = {
    "absolute": ("|", r"\lvert", r"\vert"),
    "norm": (r"\|", r"\lVert", r"\Vert"),
    "inner": (r"\langle",),
    "floor": (r"\lfloor",),
    "ceil": (r"\lceil",),
    "maximum": (r"\max",),
    "minimum": (r"\min",),
    "sqrt": (r"\sqrt",),
    "binomial": (r"\binom",),
    "pi": (r"\pi",),
    "e": ("e",),
    "log": (r"\log", r"\ln"),
    "exp": (r"\exp",),
    "gamma": (r"\Gamma",),
    "others": (r"\notin",),
}


def _begins(node: tree.Node) -> tuple[str, ...]:
    if isinstance(node, tree.Number):
        return (node.text, r"\sqrt")
    if isinstance(node, tree.Apply):
        return SIGNS.get(
            node.function,
            (rf"\{node.function}", r"\mathrm", r"\operatorname"),
        )
    if isinstance(node, tree.Name | tree.Call):
        return ("".join(texts(tokenize(node.name))[:1])[:7],)
    return BEGINS.get(type(node), NOTHING)


def _roots(needs, lines):
    names = [name for name in NAMES if name not in needs.get("drop", ())]
    where, ranges = needs.get("where", []), needs.get("ranges", [])
    reading = read(lines, names=names, where=where, ranges=ranges)
    (formula,) = reading.formulas
    return [
        *formula.sides,
        *formula.conditions,
        *(definition.body for definition in reading.definitions),
        *reading.scope.random.values(),
        *(
            said.right if isinstance(said, tree.Relation) else said.args[0]
            for said in reading.scope.ranges.values()
        ),
    ]


def test_every_part_points_at_where_it_begins():
    for tex, _, needs in [*TABLE, *MORE]:
        lines = needs.get("lines", [tex])
        said = {*lines, *needs.get("where", []), *needs.get("ranges", [])}
        for root in _roots(needs, lines):
            for node in tree.walk(root):
                place = node.place
                assert place.text in said, (node, tex)
                rest = place.text[place.start :]
                assert rest.startswith(_begins(node)), (node, rest)
                if isinstance(node, BETWEEN):
                    first = min(c.place.start for c in tree.children(node))
                    assert place.start <= first


# --- Lines ------------------------------------------------------------------------------------


def _read(*lines, where=(), ranges=()):
    return read(list(lines), names=NAMES, where=where, ranges=ranges)


def test_a_line_has_its_sides_its_indices_and_its_conditions():
    (formula,) = _read(
        r"z_kv_i=v_j=x,\quad t\ne1,x<y\quad\text{for }y>1"
    ).formulas
    assert formula.tex.startswith("z_kv_i")
    assert len(formula.sides) == 3
    assert formula.tree == formula.sides[-1] == tree.Name("x")
    assert formula.free == ("i", "j", "k")
    assert [c.relation for c in formula.conditions] == [r"\ne", "<", ">"]


@pytest.mark.parametrize(
    ("clause", "conditions"),
    [
        (r"(n\to\infty)", 0),
        (r"(x+1)y>2", 1),
        (r"x=3", 0),
        (r"a=3", 0),
        (r"\hat a=3", 0),
        (r"f(u)=u", 0),
        (r"x+1=4", 0),
        (r"(\log0:=1)", 0),
        (r"x<y,\quad x>1", 2),
        (r"x<y\quad\text{and }x>1", 2),
    ],
)
def test_what_stands_after_a_formula(clause, conditions):
    line = rf"x,\quad {clause}"
    reading = _read(line)
    (formula,) = reading.formulas
    assert len(formula.conditions) == conditions
    assert formula.sides == (tree.Name("x"),)
    assert {d.tex for d in reading.definitions} <= {line}


def test_words_inside_and_beside_cases():
    (formula,) = _read(
        r"\begin{cases}x&\text{if }x<y\\y&\text{otherwise}\end{cases}"
        r"\quad\text{for }y>1"
    ).formulas
    assert isinstance(formula.tree, tree.Cases)
    assert len(formula.tree.values) == 2
    assert len(formula.conditions) == 1


@pytest.mark.parametrize(
    ("line", "sides"),
    [
        ("a=x^2", 1),
        ("f(x)=x^2", 1),
        (r"\hat a=x", 1),
        (r"\sigma(a)=x", 1),
        (r"\sigma(x)=y", 2),
        (r"\sigma(2)=y", 2),
        (r"\hat x=y", 1),
        ("x=y", 2),
        ("z_k=v_k", 2),
        ("x+1=y", 2),
        ("x", 1),
        ("a=x=3", 2),
    ],
)
def test_a_line_may_define_its_left_side(line, sides):
    reading = _read(line)
    assert len(reading.formulas[0].sides) == sides
    new = "=" in line and len(line.split("=")) > sides
    assert [d.tex for d in reading.definitions] == [line] * new


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (r"x,\quad n\to\infty", NotInGrammar),
        (r"x,\quad(x", NotInGrammar),
        (r"x\quad(\log0:=b)", UnknownName),
        (r"b+1=x", UnknownName),
    ],
)
def test_a_line_that_is_refused(line, error):
    with pytest.raises(error):
        _read(line)


def test_a_definition_keeps_its_words_its_names_and_its_indices():
    reading = _read(
        "f(x,z)+m_k",
        where=["f(u,w)=u_iy+u_{ij}+w", "m_k=2z_kv_k"],
        ranges=[r"i\in\{1,2\}", r"j\in\{1,2\}"],
    )
    f, m = reading.definitions
    assert f.head == Head(("f",), (), ("u", "w"), (), (",",))
    assert (f.tex, m.tex) == ("f(u,w)=u_iy+u_{ij}+w", "m_k=2z_kv_k")
    assert f.ranks == {"u": 2, "w": 0}
    assert m.head == Head(("m",), ("k",))


def test_a_range_and_a_draw_are_kept():
    scope = _read(
        r"\sum_i\sum_Sx\,\mathbb E[z_k]",
        where=[r"k\sim p", r"\nabla=\nabla_z"],
        ranges=[r"i\in T", r"S\subseteq\{1,\dots,3\}"],
    ).scope
    i, subsets = scope.ranges["i"], scope.ranges["S"]
    assert i == tree.Relation(r"\in", tree.Name("i"), tree.Name("T"))
    assert i.place.text[i.place.start :] == r"i\in T"
    assert isinstance(subsets, tree.Apply)
    assert subsets.function == "subsets"
    assert scope.random == {"k": tree.Name("p")}
    assert scope.gradient == "z"


def test_what_stands_behind_a_comma_is_kept():
    (formula,) = _read(
        r"a+x,\quad a=y=\sigma(x),\quad x<y\qquad(x\to0)"
    ).formulas
    assert formula.note == ("(", "x", r"\to", "0", ")")
    (beside,) = formula.beside
    assert beside.sides == (
        tree.Name("y"),
        tree.Call(r"\sigma", (), (tree.Name("x"),)),
    )
    assert [c.relation for c in formula.conditions] == ["<"]
    assert (beside.beside, beside.note, beside.conditions) == ((), (), ())


@pytest.mark.parametrize(
    ("lines", "needs", "names"),
    [
        (["x+y"], {}, {"x", "y"}),
        (["z_k"], {}, {"z", "k"}),
        (["x", "y"], {}, {"x", "y"}),
        (["x=y"], {}, {"x", "y"}),
        ([r"x,\quad x<y"], {}, {"x", "y"}),
        ([r"\sum_kz_k"], {}, {"z", "k"}),
        ([r"\int_0^xe^u\,du"], {}, {"x", "u"}),
        ([r"\nabla_zx"], {}, {"z", "x"}),
        ([r"\mathbb E_{k\sim p}[z_k]"], {}, {"p", "k", "z"}),
        (["f(x)"], {"where": ["f(u)=uy"]}, {"f", "x", "u", "y"}),
        (["a"], {"where": ["a=b", "b=x", "c=y"]}, {"a", "b", "x"}),
        (["m_t"], {"where": ["m_k=z_k"]}, {"m", "t", "k", "z"}),
        (["m"], {"where": ["m_k=x"], "ranges": [r"k\in T"]}, {"m", "k", "x", "T"}),
        (["x"], {"ranges": [r"k\in T"]}, {"x", "T"}),
        (["x"], {"ranges": [r"S\subseteq\{1,\dots,n\}"]}, {"x", "n"}),
        (["x"], {"where": [r"k\sim p"]}, {"x", "p"}),
        ([r"x\quad(\log0:=y)"], {}, {"x", "y"}),
    ],
)  # fmt: skip
def test_what_is_mentioned(lines, needs, names):
    assert _read(*lines, **needs).mentioned() - {""} == names


@pytest.mark.parametrize(
    ("tex", "same", "where"),
    [
        ("a", "x+1", ["a=x+1"]),
        ("2a", "2(x+1)", ["a=x+1"]),
        ("a", "x^2", ["a=b^2", "b=x"]),
        ("f(y)", "y^2", ["f(u)=u^2"]),
        ("f(f(y))", "2f(y)", ["f(u)=2u"]),
        ("g_y(x)", "xy", ["g_w(u)=uw"]),
        ("m_t", "2z_t", ["m_k=2z_k"]),
        (r"\sum_jm_j", r"\sum_j2z_j", ["m_k=2z_k"]),
        ("f'(x)", "f'(x)", ["f(u)=u^2"]),
        ("f(x)", "f(x)", ["f(u)=u^2", r"f(u)=\sum_ku_k"]),
        ("f(z)_t", "f(z)_t", ["f(u)_k=2u_k"]),
        ("a", "a+1", ["a=a+1"]),
        ("a", "a+1", ["a=b+1", "b=a"]),
    ],
)
def test_a_definition_written_out(tex, same, where):
    reading = read([tex, same], names=NAMES, where=where)
    first, second = (formula.tree for formula in reading.formulas)
    assert reading.expanded(first) == second


def test_the_book_is_read():
    scope = book()
    assert scope.definitions["H"][0].ranks == {"p": 1}
    assert scope.definitions["H"][1].ranks == {"p": 0}
    assert scope.functions[(SOFTMAX,)] == [
        Head((SOFTMAX,), (), ("z",), ("k",))
    ]
    assert scope.declares((r"\sigma",))
    assert not scope.declares(("x",))


# --- What could be meant ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "meant"),
    [
        ("z_1", "z_1="),
        ("z_{12}", "z_{12}="),
        ("z_{k1}", "z_{k1}="),
        (r"1+\dots+x", r"\sum"),
        (r"x!", r"\Gamma"),
        (r"x\pm y", "two lines"),
        (r"\sigma", r"\sigma(…)"),
        (r"\cos(x)^2", r"\cos^"),
        (r"\sum z_k", r"\sum_k"),
        (r"x_{k}+b", "draw it"),
    ],
)
def test_what_could_be_meant_is_said(tex, meant):
    with pytest.raises(TexError) as caught:
        _read(tex)
    assert meant in caught.value.meant
    assert f"({caught.value.meant})" in str(caught.value)


@pytest.mark.parametrize("tex", ["x+", "x)", "(x", "x@", r"\frac x"])
def test_where_nothing_else_is_meant_nothing_is_said(tex):
    with pytest.raises(NotInGrammar) as caught:
        _read(tex)
    assert caught.value.meant == ""


def test_a_name_with_two_meanings():
    with pytest.raises(AmbiguousName):
        _read("x", where=["x(u)=u"])
    with pytest.raises(AmbiguousName):
        _read("a", where=["a=1", "a=2"])
