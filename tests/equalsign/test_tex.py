"""The grammar, construct by construct, against values written by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from tex_harness import VALUES, run, values

from equalsign.tex import arithmetic, evaluate
from equalsign.tex.arithmetic import DOUBLE, MULTI, Field
from equalsign.tex.errors import (
    NotInGrammar,
    TexError,
)
from equalsign.tex.evaluate import Evaluator, Position, Subset
from equalsign.tex.notation import DEFINITIONS
from equalsign.tex.reading import read
from equalsign.tex.tree import Big, Iverson

E = math.e
LN2 = math.log(2)

# TeX, its value by hand, and what it needs beside the values above.
TABLE: list[tuple[str, Any, dict[str, Any]]] = [
    # numbers, names, constants
    ("12", 12, {}),
    ("0.25", 0.25, {}),
    ("x", 3, {}),
    (r"2\pi", 2 * math.pi, {}),
    ("e^x", E**3, {}),
    ("2e", 2 * E, {}),
    (r"w_+", 7, {"where": ["w_+=7"]}),
    (r"k^*+1", 6, {"where": ["k^*=5"]}),
    (r"y'-y", 1, {"where": ["y'=5"]}),
    (r"\hat y_2", 0, {"where": [r"\hat y_2=0"]}),
    (r"\bar{\hat y}", 9, {"where": [r"\bar{\hat y}=9"]}),
    # sums, products, powers, fractions
    ("x-y", -1, {}),
    ("-x+y", 1, {}),
    ("-x^2", -9, {}),
    ("x-y-1", -2, {}),
    ("xy", 12, {}),
    (r"x\cdot y", 12, {}),
    ("2x^2y", 72, {}),
    ("x(y+1)", 15, {}),
    ("(x+1)(y+1)", 20, {}),
    ("x^{y-2}", 9, {}),
    ("x^23", 27, {}),
    (r"\frac12", 0.5, {}),
    (r"\frac{x}{y}", 0.75, {}),
    (r"\frac xy", 0.75, {}),
    (r"\tfrac1{x+1}", 0.25, {}),
    ("x/y", 0.75, {}),
    ("2x/y", 1.5, {}),
    ("1/(x+1)", 0.25, {}),
    (r"x/y\cdot2", 1.5, {}),
    (r"1\big/\bigl(x+y\bigr)", 1 / 7, {}),
    (r"\sqrt{y}", 2, {}),
    (r"\sqrt[x]{8}", 2, {}),
    (r"\sqrt y\,x", 6, {}),
    (r"\binom{5}{2}", 10, {}),
    (r"\binom yx", 4, {}),
    (r"(-1)^x", -1, {}),
    # brackets
    (r"|x-y|", 1, {}),
    (r"\lvert x-y\rvert x", 3, {}),
    (r"2|x-y|\,|y-x|", 2, {}),
    (r"\lfloor y/x\rfloor", 1, {}),
    (r"\lceil y/x\rceil", 2, {}),
    (r"\Bigl[x+1\Bigr]y", 16, {}),
    # functions and their arguments
    (r"\log e^x", 3, {}),
    (r"\log xy", math.log(12), {}),
    (r"\log x+y", math.log(3) + 4, {}),
    (r"\log x\log y", math.log(3) * math.log(4), {}),
    (r"x\log(y)", 3 * math.log(4), {}),
    (r"\log\frac xy(x+1)", 4 * math.log(0.75), {}),
    (r"\log2\,(x)", 3 * LN2, {}),
    (r"\log_28", 3, {}),
    (r"\log_{10}1000", 3, {}),
    (r"\ln x", math.log(3), {}),
    (r"\exp x", E**3, {}),
    (r"\cos\frac\pi3", 0.5, {}),
    (r"\cos x\pi", -1, {}),
    (r"\sin^2x+\cos^2x", 1, {}),
    (r"\sin x\cos y", math.sin(3) * math.cos(4), {}),
    (r"\tan x", math.tan(3), {}),
    (r"\arcsin\frac12", math.pi / 6, {}),
    (r"\arccos\frac12", math.pi / 3, {}),
    (r"\arctan1", math.pi / 4, {}),
    (r"\sinh x", math.sinh(3), {}),
    (r"\cosh x", math.cosh(3), {}),
    (r"\tanh x", math.tanh(3), {}),
    (r"\operatorname{arsinh}(x)", math.asinh(3), {}),
    (r"\operatorname{arcosh}(x)", math.acosh(3), {}),
    (r"\operatorname{artanh}(1/x)", math.atanh(1 / 3), {}),
    (r"\mathrm{erf}(x/2)", math.erf(1.5), {}),
    (r"\mathrm{erfc}(x/2)", math.erfc(1.5), {}),
    (r"\Gamma(x+2)", 24, {}),
    (r"\operatorname{sgn}(x-y)\,(x)", -3, {}),
    (r"\max(x,\,y)-\min(x,y)", 1, {}),
    # indices
    ("z_t", 2, {}),
    (r"A_{ij}", [[1, 2, 3], [4, 5, 6]], {}),
    (r"z_{i+1}-z_i", [1, 2], {"ranges": [r"i\in\{1,\dots,2\}"]}),
    (r"z_{l_i}", [1, 4, 4, 2], {}),
    (r"\delta_{it}", [0, 1, 0], {"ranges": [r"i\in\{1,\dots,3\}"]}),
    # sums, products and extremes over indices
    (r"\sum_kz_k", 7, {}),
    (r"\sum_kz_k+1", 8, {}),
    (r"\sum_kz_kv_k", 12, {}),
    (r"\sum_{i=1}^4i^2", 30, {}),
    (r"\sum_{i=0}^yi", 10, {}),
    (r"\sum_{k\ne t}z_k", 5, {}),
    (r"\sum_{k\in T}z_k", 5, {}),
    (r"\sum_{k\notin T}z_k", 2, {}),
    (r"\sum_Tz", 5, {}),
    (r"\sum_{\notin T}z", 2, {}),
    (r"\sum_{v_k>0}z_k", 5, {}),
    (r"\sum_{j\in\{1,3\}}z_j", 5, {}),
    (r"\sum_{k\in S}z_k", 6, {"where": [r"S=\{k\mid z_k\ge2\}"]}),
    (r"\sum_{i,j}z_iv_j", 28, {}),
    (r"\sum_{ij}A_{ij}", 21, {}),
    (r"\sum_{i\ne j}z_iz_j", 28, {}),
    (r"\sum_iz_i\sum_jv_j", 28, {}),
    (r"\sum_kz_k", 5, {"ranges": [r"k\in T"]}),
    (r"\sum_Sx", 24, {"ranges": [r"S\subseteq\{1,\dots,3\}"]}),
    (r"\sum_S\sum_{k\in S}z_k", 28, {"ranges": [r"S\subseteq\{1,\dots,3\}"]}),
    (r"\sum_{j=1}^\infty\frac1{2^j}", 1, {}),
    (r"\prod_kz_k", 8, {}),
    (r"\prod_{k\ne t}z_k", 4, {}),
    (r"\max_kz_k", 4, {}),
    (r"\max_{k\ne t}v_k+1", 4, {}),
    (r"\min_kv_k", -1, {}),
    (r"\max_k\,(z_k-z_t)", 2, {}),
    (r"\min_{j\ne k}(z_j-z_k)^2", 1, {}),
    (r"z_{\arg\max_kv_k}", 4, {}),
    (r"|T|", 2, {}),
    # definitions
    (r"f(x)", 10, {"where": ["f(u)=u^2+1"]}),
    (r"f(x,y)", -1, {"where": ["f(a,b)=a-b"]}),
    (r"g_y(x)", 7, {"where": ["g_y(u)=u+y"]}),
    (r"m_k", [2, 4, 8], {"where": [r"m_k=2z_k"]}),
    (r"\langle m,v\rangle", 24, {"where": [r"m_k=2z_k"]}),
    (r"E_x-E_{x-1}", 3, {"where": [r"E_m=\sum_{j=1}^mj"]}),
    (r"\sum_iA_i", [5, 7, 9], {}),
    (r"f_k(x)", [4, 5, 7], {"where": ["f_k(u)=z_k+u"]}),
    (r"N_k", [1, 1, 2], {"where": [r"N_k=\sum_i[l_i=k]"]}),
    (r"A_x-A_y", [-1], {"where": [r"A_x=1", "A_y=2"], "drop": ["A"]}),
    # conditions
    (r"[x<y]", 1, {}),
    (r"[x\ge y]", 0, {}),
    (r"[x\ne y]+[x=3]", 2, {}),
    (r"[0<x\le3]", 1, {}),
    (r"\mathbb 1[t\in T]", 0, {}),
    (r"[t\notin T]", 1, {}),
    (r"\begin{cases}1&x>y\\2&x=3\\3&\text{otherwise}\end{cases}", 2, {}),
    (r"\begin{cases}1&x>0\text{ and }x>y\\2&x>0\text{ and }y>x\end{cases}", 2, {}),
    (r"\frac{d^3}{dx^3}\Gamma(x)", 2 * (
        (1.5 - np.euler_gamma) ** 3 + 3 * (1.5 - np.euler_gamma) * (np.pi**2 / 6 - 1.25)
        + 2.25 - 2 * scipy.special.zeta(3)
    ), {}),
    (r"\frac{d^{2}}{dx^{2}}\log\Gamma(x)", np.pi**2 / 6 - 1.25, {}),
    # vectors and matrices
    (r"(1,2)", [1, 2], {}),
    (r"z+v", [3, 1, 7], {}),
    (r"xz", [3, 6, 12], {}),
    (r"z/y", [0.25, 0.5, 1], {}),
    (r"\langle z,v\rangle", 12, {}),
    (r"\lVert(x,y)\rVert", 5, {}),
    (r"\|(x,y)\|^2", 25, {}),
    (r"\|v\|_1", 6, {}),
    (r"\|v\|_\infty", 3, {}),
    (r"\|(1,2)\|_x^x", 9, {}),
    (r"z^\top v", 12, {}),
    (r"Az", [17, 38], {}),
    (r"(1,2)A", [9, 12, 15], {}),
    (r"(zv^\top)_{ij}", [[2, -1, 3], [4, -2, 6], [8, -4, 12]], {}),
    (r"v^\top\bigl(\mathrm{diag}(p)-pp^\top\bigr)v", 4.5 - 2.25, {}),
    (r"\mathrm{tr}(AA^\top)", 91, {}),
    (r"e^{z}", [E, E**2, E**4], {}),
    (r"\log p", [-LN2, -2 * LN2, -2 * LN2], {}),
    # the book's own functions
    (r"\sigma(\log x)", 0.75, {}),
    (r"\mathrm{softplus}(\log x)", math.log(4), {}),
    (r"\mathrm{softmax}(\log p)", [0.5, 0.25, 0.25], {}),
    (r"\mathrm{softmax}(\log x,0)", [0.75, 0.25], {}),
    (r"\mathrm{softmax}(\log p)_t", 0.25, {}),
    (r"\mathrm{LSE}(\log p)", 0, {}),
    (r"\mathrm{onehot}(t)", [0, 1, 0], {}),
    (r"I(1/2)", LN2, {}),
    (r"H(p)", 1.5 * LN2, {}),
    (r"H(p_k)", 1.5 * LN2, {}),
    (r"H(\tfrac12)", LN2, {}),
    (r"H(p,(\tfrac14,\tfrac14,\tfrac12))", 1.75 * LN2, {}),
    (r"\mathrm{KL}(p\,\|\,(\tfrac14,\tfrac14,\tfrac12))", 0.25 * LN2, {}),
    (r"\mathrm{KL}(\tfrac12\,\Vert\,\tfrac14)", 0.5 * LN2 - 0.5 * math.log(1.5), {}),
    (r"\mathrm{KL}((1,0)\,\|\,(\tfrac12,\tfrac12))", LN2, {}),
    (r"\mathcal N(x;y,1)", math.exp(-0.5) / math.sqrt(2 * math.pi), {}),
    (r"\Phi(0)", 0.5, {}),
    (r"-\sum_kp_k\log q_k", 1.75 * LN2,
     {"where": [r"q=(\tfrac14,\tfrac14,\tfrac12)"]}),
    (r"\sum_kq_k\log q_k", 0, {"where": ["q=(1,0)"]}),
    (r"\sum_kp_k\log q_k", -1, {"where": ["q=(1,0,1)"], "lines": [
        r"\sum_kp_k\log q_k\quad(\log0:=-4)"]}),
    # expectations
    (r"\mathbb E_{k\sim p}[z_k]", 2, {}),
    (r"\mathbb E[z_k]", 2, {"where": [r"k\sim p"]}),
    (r"\mathbb E[z_k\mid k\ne t]", 2, {"where": [r"k\sim p"]}),
    (r"\mathbb E[|S|]", 1.25,
     {"where": [r"S\sim q", r"q=(\tfrac14,\tfrac12,0,\tfrac14)"],
      "ranges": [r"S\subseteq\{1,2\}"], "value": 1.0}),
    (r"\mathbb E[1/D]+1", 3, {"where": [r"\mathbb E[1/D]=2"]}),
    # derivatives and integrals
    (r"\frac{d}{dx}(x^2y)", 24, {}),
    (r"\frac d{dx}x^2y", 24, {}),
    (r"\frac{\partial}{\partial y}x^y", 81 * math.log(3), {}),
    (r"\frac{d^2}{dx^2}x^3", 18, {}),
    (r"\frac{\partial^2}{\partial x\partial y}\bigl(x^2y^3\bigr)", 288, {}),
    (r"\frac{d}{dx}\bigl(x\,\frac{d}{dx}x^2\bigr)", 12, {}),
    (r"\frac{d}{dx}\bigl(x\,\frac{d}{dy}(xy)\bigr)", 6, {}),
    (r"\frac{\partial\ell}{\partial z_j}", [2, 4, 8],
     {"where": [r"\ell=\sum_kz_k^2"]}),
    (r"\frac{\partial\ell}{\partial z_t}", 4, {"where": [r"\ell=\sum_kz_k^2"]}),
    (r"\frac{\partial\ell}{\partial u_j}", [1, 4, 16],
     {"where": [r"u_k=z_k^2", r"\ell=\tfrac12\sum_ku_k^2"]}),
    (r"\frac{\partial^2\ell}{\partial z_i\partial z_j}",
     [[0, 4, 2], [4, 0, 1], [2, 1, 0]], {"where": [r"\ell=\prod_kz_k"]}),
    (r"\nabla_z\|z\|^2", [2, 4, 8], {}),
    (r"\nabla\ell", [2, 4, 8], {"where": [r"\ell=\|z\|^2", r"\nabla=\nabla_z"]}),
    (r"\nabla_z^2\|z\|^2", [[2, 0, 0], [0, 2, 0], [0, 0, 2]], {}),
    (r"f'(x)", 6, {"where": ["f(u)=u^2"]}),
    (r"f''(x)", 18, {"where": ["f(u)=u^3"]}),
    (r"\sigma'(0)", 0.25, {}),
    (r"\frac{d}{dx}\max(x,y)", 0, {}),
    (r"\frac{d}{dx}|x-y|", -1, {}),
    (r"\frac{d}{dx}\Gamma(x)", 2 * (1.5 - 0.5772156649015329), {}),
    (r"\frac{d}{dx}\mathrm{erf}(x)", 2 / math.sqrt(math.pi) * math.exp(-9), {}),
    (r"\int_0^x\!u^2\,du", 9, {}),
    (r"\int e^{-u^2}\,du", math.sqrt(math.pi), {}),
    (r"\int_0^\infty ue^{-u}\,du", 1, {}),
    (r"\int_{-\infty}^0e^{u}\,du", 1, {}),
    (r"\int_0^1\frac1{\sqrt u}\,du", 2, {}),
]  # fmt: skip


def expected(row: tuple[str, Any, dict[str, Any]]) -> Any:
    _, value, needs = row
    return needs.get("value", value)


@pytest.mark.parametrize("field", [DOUBLE, MULTI], ids=["double", "multi"])
@pytest.mark.parametrize(
    "row", TABLE, ids=lambda r: r[0].replace("\\", "/")
)
def test_value_by_hand(row, field):
    tex, _, needs = row
    got = run(tex, field, **needs)
    want = np.asarray(expected(row), dtype=float)
    assert got.shape == want.shape or want.shape == (1,)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_multiprecision_gives_its_digits():
    drawn = values(MULTI)
    reading = read([r"\int e^{-u^2}\,du", r"\sqrt\pi"], names=list(drawn))
    at = reading.evaluator(drawn, MULTI)
    left, right = (reading.evaluate(at, f)[0][0] for f in reading.formulas)
    assert abs(left - right) < 1e-25


# --- What is refused --------------------------------------------------------------------------


def test_the_message_of_a_refusal():
    with pytest.raises(NotInGrammar) as caught:
        run(r"1+\cos(x)y")
    assert str(caught.value) == (
        "does this belong to the argument of \\cos?\n"
        "    1+\\cos(x)y\n"
        "             ^\n"
        "(put it first, or in the bracket)"
    )


# --- Lines of a derivation --------------------------------------------------------------------


def _reading(*lines: str, where: Any = ()) -> Any:
    return read(list(lines), names=list(VALUES), where=where)


def test_equal_trees_are_equal_whatever_the_layout():
    first, second = _reading(
        r"\frac{1}{2}\Bigl(x+\hat{y}\Bigr)^{2}",
        r"\tfrac12(x+\hat y)^2",
        where=[r"\hat y=x"],
    ).formulas
    assert first.tree == second.tree


def test_different_trees_differ():
    first, second = _reading("x+y", "y+x").formulas
    assert first.tree != second.tree


def test_definitions_can_be_written_out():
    reading = _reading(
        r"\hat y_t", r"\mathrm{softmax}(z)_t", r"f(x)", "x^2",
        where=[r"\hat y=\mathrm{softmax}(z)", "f(u)=u^2"],
    )  # fmt: skip
    a, b, c, d = (reading.expanded(f.tree) for f in reading.formulas)
    assert a == b
    assert c == d
    assert a != c


def test_a_line_may_define_what_it_needs():
    reading = _reading(r"m+1,\quad m=\max_kz_k", r"m+x\quad\text{at }c=1")
    at = reading.evaluator(values(DOUBLE))
    found = [reading.evaluate(at, f)[0][0] for f in reading.formulas]
    assert found == [5, 7]


def test_a_new_name_on_the_left_is_introduced():
    reading = _reading(r"\Delta(y)=y^2+x", r"\Delta(x)")
    at = reading.evaluator(values(DOUBLE))
    found = [reading.evaluate(at, f)[0][0] for f in reading.formulas]
    assert found == [19, 12]


def test_a_free_index_is_claimed_for_every_value():
    (formula,) = _reading(r"z_i-v_j").formulas
    assert formula.free == ("i", "j")


@pytest.mark.parametrize("tex", DEFINITIONS)
def test_notation_is_read(tex):
    assert "=" in tex


# --- Properties -------------------------------------------------------------------------------

# How long an example takes says nothing of what it computes.
settings.register_profile("equalsign", deadline=None, derandomize=True)
settings.load_profile("equalsign")

numbers = st.floats(-3, 3).map(lambda x: round(x, 3))
vectors = st.lists(numbers, min_size=2, max_size=5)


def at_points(tex: str, field: Field = DOUBLE, **values: Any) -> Any:
    arrays = {
        name: field.array(np.array(value)) for name, value in values.items()
    }
    reading = read([tex], names=list(arrays))
    return np.asarray(
        reading.evaluate(
            reading.evaluator(arrays, field), reading.formulas[0]
        )[0],
        dtype=float,
    )


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_many_points_are_each_point(points):
    tex = r"x^2y-\max(x,y)+[x<y]\sin(xy)"
    together = at_points(
        tex, x=[x for x, _ in points], y=[y for _, y in points]
    )
    alone = [at_points(tex, x=[x], y=[y])[0] for x, y in points]
    np.testing.assert_allclose(together, alone, rtol=1e-14, atol=1e-14)


@given(vectors)
def test_both_precisions_agree(z):
    tex = r"\log\sum_ke^{z_k}-\max_kz_k+\frac{\sum_kz_k^2}{1+\sum_k|z_k|}"
    double, multi = at_points(tex, z=[z]), at_points(tex, MULTI, z=[z])
    np.testing.assert_allclose(double, multi, rtol=1e-12, atol=1e-12)


@given(vectors)
def test_a_derivative_is_the_limit_of_differences(z):
    tex = r"\nabla_z\Bigl(\log\sum_ke^{z_k}+\sum_k\sin z_k\cos z_k\Bigr)"
    slope = at_points(tex, z=[z])[0]
    inside = r"\log\sum_ke^{z_k}+\sum_k\sin z_k\cos z_k"
    for k in range(len(z)):
        step = np.zeros(len(z))
        step[k] = 1e-5
        up, down = (
            at_points(inside, z=[np.array(z) + s]) for s in (step, -step)
        )
        assert abs((up - down)[0] / 2e-5 - slope[k]) < 1e-6


FUNCTIONS = [
    r"\exp x", r"\log x", r"\sqrt x", r"\sin x", r"\cos x", r"\tan x",
    r"\arcsin\frac x4", r"\arccos\frac x4", r"\arctan x", r"\sinh x",
    r"\cosh x", r"\tanh x", r"\mathrm{arsinh}(x)", r"\mathrm{arcosh}(1+x)",
    r"\mathrm{artanh}(x/4)", r"\mathrm{erf}(x)", r"\mathrm{erfc}(x)",
    r"\Gamma(x)", r"x^{2.5}", r"2^x", r"x^x", r"\frac1x", r"x/(1+x)",
    r"|x|", r"\lfloor x\rfloor", r"\max(x,1)", r"\min(x,1)",
]  # fmt: skip


@pytest.mark.parametrize("tex", FUNCTIONS)
@given(x=st.floats(0.51, 0.99))
@settings(max_examples=10)
def test_the_slope_of_every_function(tex, x):
    slope = at_points(rf"\frac d{{dx}}\bigl({tex}\bigr)", x=[x])[0]
    up, down = at_points(tex, x=[x + 1e-5]), at_points(tex, x=[x - 1e-5])
    assert abs((up - down)[0] / 2e-5 - slope) < 1e-6 * max(1, abs(slope))


@given(vectors, st.data())
def test_a_condition_splits_a_sum(z, data):
    mask = data.draw(
        st.lists(st.booleans(), min_size=len(z), max_size=len(z))
    )
    values = {"z": np.array([z]), "T": Subset(np.array([mask]))}
    reading = read(
        [r"\sum_{k\in T}z_k+\sum_{k\notin T}z_k", r"\sum_kz_k"],
        names=["z", "T"],
    )
    at = reading.evaluator(values)
    left, right = (reading.evaluate(at, f)[0][0] for f in reading.formulas)
    assert left == pytest.approx(right)


@given(st.integers(1, 6))
def test_there_are_two_to_the_n_subsets(n):
    reading = read([r"\sum_S1"], ranges=[rf"S\subseteq\{{1,\dots,{n}\}}"])
    (value,) = reading.evaluate(reading.evaluator({}), reading.formulas[0])
    assert value[0] == 2**n


# --- Planted faults ---------------------------------------------------------------------------


def _all_hold() -> bool:
    """Whether every row of the table still has its value."""
    for row in TABLE:
        want = np.asarray(expected(row), dtype=float)
        try:
            got = run(row[0], **row[2])
            if got.shape != want.shape and want.shape != (1,):
                return False
            if not np.allclose(got, want, rtol=1e-9, atol=1e-9):
                return False
        except (TexError, AttributeError, ValueError, TypeError):
            return False
    return True


def _wrap(name: str, change: Any) -> Any:
    """Plant a fault: a method of the evaluator, changed."""
    original = getattr(Evaluator, name)

    def faulty(self: Any, *args: Any, **more: Any) -> Any:
        return change(original, self, *args, **more)

    return faulty


METHODS: dict[str, Any] = {
    "_negative": lambda f, s, n, e: s.value(n.term, e),
    "_add": lambda f, s, n, e: s.value(n.terms[0], e),
    "_multiply": lambda f, s, n, e: s.value(n.factors[-1], e),
    "_divide": lambda f, s, n, e: arithmetic.divide(
        s.number(n.below, e), s.number(n.above, e)
    ),
    "_power": lambda f, s, n, e: s.number(n.base, e),
    "_transpose": lambda f, s, n, e: s.value(n.term, e),
    "_index": lambda f, s, n, e: f(s, n, e) + 1,
    "position": lambda f, s, n, e: f(s, n, e) * 0,
    "_iverson": lambda f, s, n, e: 1 - f(s, n, e),
    "_cases": lambda f, s, n, e: s.number(n.values[0], e),
    "_vector": lambda f, s, n, e: -f(s, n, e),
    "_family": lambda f, s, n, e: f(s, n, e) * 2,
    "_such": lambda f, s, n, e: Subset(~f(s, n, e).mask),
    "_conditions": lambda f, s, n: [],
    "_between": lambda f, s, n, e: itertools.islice(f(s, n, e), 1, None),
    "_series": lambda f, s, n, e: f(s, n, e) + 1,
    "_place_of": lambda f, s, n, e: Position(f(s, n, e).at * 0, 3),
    "_over": lambda f, s, n, e: f(s, n, e) + 1,
    "_expectation": lambda f, s, n, e: f(s, n, e) * 2,
    "_outcomes": lambda f, s, v, c: reversed(list(f(s, v, c))),
    "_along": lambda f, s, b, v: lambda e: f(s, b, v)(e) * 2,
    "_all_slopes": lambda f, s, *a: lambda e: f(s, *a)(e) * 2,
    "_prime": lambda f, s, n, *a: f(s, n, *a) + 1,
    "_integral": lambda f, s, n, e: f(s, n, e) * 2,
    "_apply_norm": lambda f, s, n, e: f(s, n, e) + 1,
    "_apply_inner": lambda f, s, n, e: f(s, n, e) + 1,
    "_apply_maximum": lambda f, s, n, e: s._apply_minimum(n, e),
    "_apply_minimum": lambda f, s, n, e: s._apply_maximum(n, e),
    "_apply_binomial": lambda f, s, n, e: f(s, n, e) + 1,
    "_apply_pi": lambda f, s, n, e: s.field.number("3.14"),
    "_apply_e": lambda f, s, n, e: s.field.number("2.72"),
    "_apply_log": lambda f, s, n, e: arithmetic.unary(
        "log", s.number(n.args[0], e)
    ),
    "_zero_log_zero": lambda f, s, n, e, r: r,
    "_member": lambda f, s, *a: ~f(s, *a),
    "_choose": lambda f, s, n, a, b: s.scope.definitions[n.name][0],
    "tensor": lambda f, s, n, i, e: f(s, n, tuple(reversed(i)), e),
    "_collection": lambda f, s, n, e: f(s, n, e)[:-1],
    "_name": lambda f, s, n, e: (
        s.field.number(1) if n.name == "y" else f(s, n, e)
    ),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_planted_fault_is_noticed(name, monkeypatch):
    monkeypatch.setattr(Evaluator, name, _wrap(name, METHODS[name]))
    assert not _all_hold()


@pytest.mark.parametrize("kind", sorted(evaluate._JOIN))
def test_a_wrong_operator_is_noticed(kind, monkeypatch):
    monkeypatch.setitem(evaluate._JOIN, kind, lambda a, b: a - b)
    assert not _all_hold()


@pytest.mark.parametrize("function", sorted(arithmetic._FUNCTIONS))
def test_a_wrong_function_is_noticed(function, monkeypatch):
    double, multi = arithmetic._FUNCTIONS[function]
    faulty = (lambda x: double(x) + 1e-6, multi)
    monkeypatch.setitem(arithmetic._FUNCTIONS, function, faulty)
    assert not _all_hold()


def test_nothing_is_planted():
    assert _all_hold()
    assert {Big, Iverson}
