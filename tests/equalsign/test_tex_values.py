"""What formulas give: beside each other, at many points, at infinities, in both precisions."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from test_tex import FUNCTIONS, TABLE
from tex_harness import VALUES, run

from equalsign.tex import arithmetic
from equalsign.tex.arithmetic import DOUBLE, MULTI, Dual, Field
from equalsign.tex.evaluate import Position, Subset
from equalsign.tex.reading import read

INF, NAN = math.inf, math.nan
LOG3 = math.log(3)


def agree(found: Any, wanted: Any) -> None:
    wanted = np.asarray(wanted, dtype=float)
    assert np.shape(found) == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


# --- Factors beside each other ----------------------------------------------------------------

# What begins a factor, and ends an argument without brackets; x is 3, y is 4.
FACTORS = {
    r"(x+1)": 4,
    "[x+1]": 4,
    "[x<y]": 1,
    "|-x|": 3,
    r"\|z\|_1": 7,
    r"\lfloor x/2\rfloor": 1,
    r"\lceil x/2\rceil": 2,
    r"\langle z,v\rangle": 12,
    r"\int_0^1u\,du": 0.5,
    r"\mathbb E_{k\sim p}[z_k]": 2,
    r"\mathbb 1[x<y]": 1,
    r"\mathbf 1[x<y]": 1,
    r"\begin{cases}5&x>y\\6&x=3\end{cases}": 6,
    r"\max(x,y)": 4,
    r"\min(x,y)": 3,
    r"\sigma(0)": 0.5,
    r"\sin y": math.sin(4),
    r"\sum_kz_k": 7,
    r"\prod_kz_k": 8,
    r"\arg\max_kv_k": 3,
    r"\arg\min_kv_k": 2,
    r"\mathrm{argmax}_kv_k": 3,
    r"\mathrm{argmin}_kv_k": 2,
}
AROUND = {
    "x%s": lambda v: 3 * v,
    "y-%s": lambda v: 4 - v,
    "-%s": lambda v: -v,
    r"y\cdot%s": lambda v: 4 * v,
    r"\frac{%s}2": lambda v: v / 2,
    r"1/%s": lambda v: 1 / v,
    "|%s|": lambda v: abs(v),
    "(%s)^2": lambda v: v**2,
    "2^{%s}": lambda v: 2**v,
    "[%s=0]": lambda v: 0,
    r"\log x%s": lambda v: LOG3 * v,
    r"\log\pi%s": lambda v: math.log(math.pi) * v,
    r"\sum_{j=1}^2%s": lambda v: 2 * v,
}


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_beside_others(factor):
    for around, wanted in AROUND.items():
        agree(run(around % factor), wanted(FACTORS[factor]))


# --- More values by hand ----------------------------------------------------------------------

MORE: list[tuple[str, Any, dict[str, Any]]] = [
    # arguments without brackets
    (r"\log\pi x", math.log(3 * math.pi), {}),
    (r"\log ex", 1 + LOG3, {}),
    (r"\log\sqrt yx", math.log(6), {}),
    (r"\log z_tx", math.log(6), {}),
    (r"\log z_t^2x", math.log(12), {}),
    (r"\log m_tx", math.log(12), {"where": ["m_k=2z_k"]}),
    (r"\log2x\frac12", LOG3, {}),
    (r"\log|x|", LOG3, {}),
    (r"\log\sum_kz_kx", math.log(21), {}),
    (r"\log_2^28", 9, {}),
    (r"\log_xx^2", 2, {}),
    (r"\sin^2(x)", math.sin(3) ** 2, {}),
    (r"\mathrm{erf}(x)\,y", 4 * math.erf(3), {}),
    # arguments of one token
    (r"\sqrt12", 2, {}),
    (r"\binom42", 6, {}),
    (r"\frac123", 1.5, {}),
    (r"y^\frac12", 2, {}),
    (r"\sqrt\frac14", 0.5, {}),
    (r"\frac\bar xy", 2.25, {"where": [r"\bar x=9"]}),
    (r"y^{12}", 4**12, {}),
    (r"\sqrt[\frac12]{x}", 9, {}),
    (r"\sqrt[x]8x", 6, {}),
    (r"\sqrt[[x<y]]x", 3, {}),
    # names
    ("f(1)", 8, {"where": ["w_+=7", "f(w)=w_++w"]}),
    ("f(y)", 16, {"where": ["f(x)=x^2"]}),
    ("f(y)", 20, {"where": [r"f(\hat y)=\hat y^2+\hat y"]}),
    ("f(x;y)", 5, {"where": ["f(a;b)=2b-a"]}),
    (r"f(x\mid y)", 5, {"where": [r"f(a\mid b)=2b-a"]}),
    ("f(x,y)", [6, 8], {"where": ["f(u)_k=2u_k"]}),
    ("f(z)_t", 4, {"where": ["f(u)_k=2u_k"]}),
    ("f(z)", 7, {"where": ["f(u)=u^2", r"f(u)=\sum_ku_k"]}),
    ("f(x)", 9, {"where": [r"f(u)=\sum_ku_k", "f(u)=u^2"]}),
    ("f(T)", 2, {"where": ["f(u)=|u|", r"f(u)=\sum_ku_k"]}),
    (r"\sum_{i=1}^2\sum_kf_k(1)", 21, {"where": ["f_k(u)=(A_i)_ku"]}),
    ("f(A)", 21, {"where": ["f(u)=u^2", r"f(u)=\sum_{ij}u_{ij}"]}),
    ("g_t(x)", 6, {"where": ["g_k(u)=z_ku"]}),
    ("g_{xy}", 12, {"where": ["g_{ab}=ab"]}),
    ("g_{x,y}", 12, {"where": ["g_{a,b}=ab"]}),
    ("a_t", 2, {"where": ["a=z"]}),
    ("(z+v)_t", 1, {}),
    (r"\hat z_t", 1, {"where": [r"\hat z=z+v"]}),
    ("t", 2, {}),
    ("t+1", 3, {}),
    ("-t", -2, {}),
    ("xt", 6, {}),
    ("t^2", 4, {}),
    (r"\frac t2", 1, {}),
    ("(t,x)", [2, 3], {}),
    ("l_t", 3, {}),
    ("l_tx", 9, {}),
    # conditions and sets
    ("[x<y<5]+[x<y>5]", 1, {}),
    ("[x<y,x>y]", 0, {}),
    ("[x<y,x=3]", 1, {}),
    (r"[t=2]+[t=1]+[t\ne1]+[t\le1]", 2, {}),
    (r"[x\in\{1,3\}]+[y\in\{1,3\}]", 1, {}),
    (r"[x\in\{1,\dots,3\}]+[y\in\{1,\dots,3\}]", 1, {}),
    (r"[1\in\{2,\dots,4\}]+[2\in\{2,\dots,4\}]", 1, {}),
    (r"[x\notin\{1,3\}]+[y\notin\{1,3\}]", 1, {}),
    (r"[x\in T]+[2\in T]", 1, {}),
    (r"\sum_{j\in\{2,\dots,4\}}j", 9, {}),
    (r"\sum_{i<j}z_iz_j", 14, {}),
    (r"\sum_i\sum_{j<i}z_iz_j", 14, {}),
    (r"\sum_{k\in T,k\ne1}z_k", 4, {}),
    (r"\sum_{i\in T,j\in T}z_iz_j", 25, {}),
    (r"\sum_{k\ne l_1}z_k", 6, {"where": ["l_1=1"]}),
    (r"|\{k\mid z_k>1\}|", 2, {}),
    (r"|\{k:z_k>1,k\ne t\}|", 1, {}),
    (r"\prod_Tz-\prod_{\notin T}z", 2, {}),
    (r"\max_Tz-\min_Tz", 3, {}),
    (r"\max_{\notin T}z", 2, {}),
    (r"\begin{cases}1&x>y\end{cases}", NAN, {}),
    (r"\begin{cases}\\7,&x<y\\\\8&x=3\\\end{cases}", 7, {}),
    (r"\begin{cases}\begin{cases}5&x>9\\6&\text{otherwise}\end{cases}"
     r"&x<y\\1&x=x\end{cases}", 6, {}),
    (r"\begin{cases}1&x>y,x=3\\2&x<y,x=3\end{cases}", 2, {}),
    # nothing, and less
    (r"\sum_{k=2}^1k", 0, {}),
    (r"\prod_{k=2}^1k", 1, {}),
    (r"\max_{k=2}^1k", -INF, {}),
    (r"\min_{k=2}^1k", INF, {}),
    (r"\sum_{z_k>9}z_k+\prod_{z_k>9}z_k", 1, {}),
    (r"\max_{z_k>9}z_k", -INF, {}),
    (r"\min_{z_k>9}z_k", INF, {}),
    (r"\binom50+\binom05", 1, {}),
    (r"\binom{-1}3", -1, {}),
    (r"\sum_{j=1}^\infty0", 0, {}),
    (r"\sum_{j=1}^\infty[j=3]", 1, {}),
    (r"\sum_{j=1}^\infty([j=1]+[j=4])", 2, {}),
    (r"\mathrm{onehot}(l_t)", [0, 0, 1], {}),
    (r"\sum_{j=0}^\infty\frac{x^j}{\Gamma(j+1)}", math.exp(3), {}),
    (r"\sum_{j=2}^\infty\frac1{2^j}", 0.5, {}),
    # infinities, and what is undefined
    (r"\frac x0", INF, {}),
    (r"-\frac x0", -INF, {}),
    (r"\frac{-x}0", -INF, {}),
    (r"\frac00", NAN, {}),
    ("0^{-1}", INF, {}),
    ("0^0", 1, {}),
    (r"(-1)^{1/2}", NAN, {}),
    (r"\log0", -INF, {}),
    (r"\log(-1)", NAN, {}),
    (r"\sqrt{-1}", NAN, {}),
    (r"\arcsin2", NAN, {}),
    (r"0\log0", 0, {}),
    (r"-\log0\cdot0", 0, {}),
    (r"x\log0", -INF, {}),
    (r"0\cdot\frac x0", NAN, {}),
    (r"(0,1)\log0", [0, -INF], {}),
    (r"(0,1)\log(-1)", [0, NAN], {}),
    (r"(0,1)(-\log0)", [0, INF], {}),
    (r"(A-A)\log0", [[0, 0, 0], [0, 0, 0]], {}),
    (r"0\log(0,1)", [0, 0], {}),
    (r"\frac00\log1", NAN, {}),
    (r"\bigl(z^\top\log x\bigr)v", 12 * LOG3, {}),
    # arrays
    (r"\|A\|^2", 91, {}),
    (r"\|v\|_2", math.sqrt(14), {}),
    (r"\|z\|_{x-1}", math.sqrt(21), {}),
    (r"\bigl((1,2)^\top A\bigr)^\top", [9, 12, 15], {}),
    (r"\bigl((1,2)^\top A\bigr)v", 51, {}),
    (r"(xz^\top)v", 36, {}),
    (r"(z^\top x)v", 36, {}),
    (r"(z^\top+v^\top)v", 26, {}),
    (r"(z^\top-v^\top)v", -2, {}),
    (r"(-z^\top)v", -12, {}),
    (r"(z^\top)^\top", [1, 2, 4], {}),
    (r"A^\top(1,2)", [9, 12, 15], {}),
    (r"A^\top", [[1, 4], [2, 5], [3, 6]], {}),
    (r"AA^\top", [[14, 32], [32, 77]], {}),
    (r"zv^\top z", [12, 24, 48], {}),
    ("xA", [[3, 6, 9], [12, 15, 18]], {}),
    ("Ax", [[3, 6, 9], [12, 15, 18]], {}),
    ("zx", [3, 6, 12], {}),
    ("-A", [[-1, -2, -3], [-4, -5, -6]], {}),
    ("A/x", [[1 / 3, 2 / 3, 1], [4 / 3, 5 / 3, 2]], {}),
    ("A+A", [[2, 4, 6], [8, 10, 12]], {}),
    (r"\frac AA", [[1, 1, 1], [1, 1, 1]], {}),
    (r"\frac zv", [0.5, -2, 4 / 3], {}),
    ("x^z", [3, 9, 81], {}),
    ("z^x", [1, 8, 64], {}),
    ("e^A", np.exp([[1, 2, 3], [4, 5, 6]]), {}),
    (r"\max(z,v)", [2, 2, 4], {}),
    (r"\min(z,v)", [1, -1, 3], {}),
    (r"\max(z)-\min(z)", 3, {}),
    (r"\max(x)", 3, {}),
    (r"\max(x,y,5)", 5, {}),
    (r"A_1", 9, {"where": ["A_1=9"]}),
    (r"\mathrm{KL}(P_{ij}\|P_{ij})", 0, {"where": ["P_{ij}=p_ip_j"]}),
    ("H(P_{ij})", 3 * math.log(2), {"where": ["P_{ij}=p_ip_j"]}),
    # expectations
    (r"\mathbb E_{k\sim p}[k]", 1.75, {}),
    (r"\mathbb E_{k\sim p}(k)", 1.75, {}),
    (r"\mathbb E_{k\sim p}[z_k\mid k>1]", 3, {}),
    (r"\mathbb E_{k\sim p}[z_k\mid k>1,k\ne t]", 4, {}),
    # derivatives
    (r"\frac d{dx}y", 0, {}),
    (r"\nabla_z(x+0z_t)", [0, 0, 0], {}),
    (r"\frac{\partial^3}{\partial x^2\partial y}(x^2y^3)", 96, {}),
    (r"\frac{\partial^2}{\partial x^2}(x^2y^3)", 128, {}),
    (r"\frac d{dx}[x^2]", 6, {}),
    (r"\frac d{dx}x^2+1", 7, {}),
    (r"\frac{dx^2}{dx}", 6, {}),
    (r"\frac{\partial x^2y}{\partial x}", 24, {}),
    (r"\frac{\partial\ell}{\partial u_t}", 4,
     {"where": ["u_k=z_k^2", r"\ell=\tfrac12\sum_ku_k^2"]}),
    (r"\frac\partial{\partial x}\frac x{x^2+y}", (4 - 9) / 169, {}),
    (r"\nabla_xx^2", 6, {}),
    (r"\nabla_x^2x^3", 18, {}),
    (r"\nabla_{\hat w}\hat w^2", 6, {"where": [r"\hat w=x"]}),
    (r"\nabla_z\frac1{\|z\|}", -np.array([1, 2, 4]) / 21**1.5, {}),
    (r"\nabla_z\max_kz_k", [0, 0, 1], {}),
    (r"\nabla_z\min(z)", [1, 0, 0], {}),
    (r"\nabla_zz_t", [0, 1, 0], {}),
    (r"\nabla_z(z^\top v)", [2, -1, 3], {}),
    (r"\nabla_z\|Az\|^2", 2 * np.array([17 + 4 * 38, 34 + 5 * 38, 51 + 6 * 38]), {}),
    (r"\nabla_z\|z\|_x^x", [3, 12, 48], {}),
    (r"\nabla_z\sum_k[z_k>1]z_k^2", [0, 4, 8], {}),
    (r"\nabla_z\int_0^1\langle z,v\rangle u\,du", [1, -0.5, 1.5], {}),
    (r"\nabla_z\begin{cases}0&x>y\\\|z\|^2&x=3\end{cases}", [2, 4, 8], {}),
    (r"\sigma''(0)", 0, {}),
    ("f'(x)+f''(x)", 27 + 18, {"where": ["f(u)=u^3"]}),
    ("f_t'(x)", 2, {"where": ["f_k(u)=z_ku"]}),
    (r"\frac d{dx}f'(x)", 18, {"where": ["f(u)=u^3"]}),
    # integrals
    (r"\int_y^xu\,du", -3.5, {}),
    (r"\int_x^xu\,du", 0, {}),
    (r"\int_{-\infty}^xe^u\,du", math.exp(3), {}),
    (r"\int_1^\infty u^{-2}\,du", 1, {}),
    (r"\int_{-1}^1\sqrt{1-u^2}\,du", math.pi / 2, {}),
    (r"\int_{-\infty}^\infty e^{-u^2}\,du", math.sqrt(math.pi), {}),
    (r"\int_0^1\log u\,du", -1, {}),
    (r"\int_0^1\frac{d}{1+u}\,du", 5 * math.log(2), {"where": ["d=5"]}),
]  # fmt: skip


@pytest.mark.parametrize("row", MORE, ids=lambda r: r[0].replace("\\", "/"))
def test_a_value_in_both_precisions(row):
    tex, wanted, needs = row
    for field in (DOUBLE, MULTI):
        agree(run(tex, field, **needs), wanted)


with mpmath.workdps(50):
    DIGITS = [
        (r"\frac13+0.1", mpmath.mpf(13) / 30, 45),
        (r"\pi-e", mpmath.pi - mpmath.e, 45),
        (r"\int_0^1u^2\,du+0.1", mpmath.mpf(13) / 30, 25),
        (r"\sum_{j=1}^\infty3^{-j}-0.4", mpmath.mpf(1) / 10, 45),
        (r"\|(1,1)\|+\sqrt[3]2", mpmath.sqrt(2) + mpmath.cbrt(2), 45),
        (r"\frac d{dx}\mathrm{erf}(x)", 2 / mpmath.e / mpmath.sqrt(mpmath.pi), 45),
    ]  # fmt: skip


@pytest.mark.parametrize(("tex", "known", "digits"), DIGITS)
def test_digits_beyond_a_double(tex, known, digits):
    reading = read([tex], names=["x"])
    at = reading.evaluator({"x": MULTI.number(1)}, MULTI)
    (found,) = reading.evaluate(at, reading.formulas[0])
    with mpmath.workdps(50):
        error = mpmath.mpf(arithmetic.plain(found)[0]) - known
    assert abs(error) < 10.0**-digits


# --- Many points ------------------------------------------------------------------------------

OTHER = {
    "x": 2.0,
    "y": 3.0,
    "z": [1.5, -2.0, 3.0],
    "v": [0.5, 4.0, 1.0],
    "p": [0.25, 0.5, 0.25],
    "A": [[1.0, 0.0, 2.0], [2.0, 1.0, -1.0]],
    "t": 2,
    "T": [False, True, True],
}


def _drawn(points: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the values at points, together."""
    found: dict[str, Any] = {}
    for name, value in VALUES.items():
        column = [point.get(name, value) for point in points]
        if name == "t":
            at = [x if isinstance(x, int) else x.at[0] for x in column]
            found[name] = Position(np.array(at), 3)
        elif name == "T":
            rows = [x if isinstance(x, list) else x.mask[0] for x in column]
            found[name] = Subset(np.array(rows))
        elif name == "l":
            found[name] = Position(np.repeat(value.at, len(points), 0), 3)
        else:
            found[name] = DOUBLE.array(np.array(column))
    return found


def _at(points: list[dict[str, Any]], tex: str, needs: Any) -> np.ndarray:
    drawn = _drawn(points)
    for name in needs.get("drop", ()):
        del drawn[name]
    reading = read(
        needs.get("lines", [tex]),
        names=list(drawn),
        where=needs.get("where", ()),
        ranges=needs.get("ranges", ()),
    )
    (found,) = reading.evaluate(
        reading.evaluator(drawn), reading.formulas[0]
    )
    found = arithmetic.plain(found)
    return np.broadcast_to(found, (len(points), *found.shape[1:]))


def test_two_points_together_are_the_two():
    for tex, _, needs in [*TABLE, *MORE]:
        together = _at([{}, OTHER], tex, needs)
        for n, point in enumerate([{}, OTHER]):
            alone = _at([point], tex, needs)[0]
            np.testing.assert_allclose(
                together[n], alone, rtol=1e-9, atol=1e-9, err_msg=tex
            )


MANY = {
    "n": np.array([1.0, 3.0, 2.0]),
    "x": np.array([0.0, 1.0, 2.0]),
    "z": np.array([[1.0, 2.0, 4.0], [5.0, 3.0, 1.0], [0.0, 7.0, 7.0]]),
    "t": Position(np.array([1, 0, 2]), 3),
    "T": Subset(np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=bool)),
}


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        ("z_t", [2, 5, 7]),
        ("z_n", [1, 1, 7]),
        (r"\sum_{k=1}^nk", [1, 6, 3]),
        (r"\prod_{k=n}^3k", [6, 3, 6]),
        (r"\max_{k=1}^nz_k", [1, 5, 7]),
        (r"\min_{k=n}^3z_k", [1, 1, 7]),
        (r"\sum_{k\in T}z_k", [5, 0, 14]),
        (r"\prod_{k\notin T}z_k", [2, 15, 1]),
        (r"\max_{k\in T}z_k", [4, -math.inf, 7]),
        (r"\sum_Tz", [5, 0, 14]),
        (r"\sum_{z_k>x}z_k", [7, 8, 14]),
        (r"\sum_{k\ne t}z_k", [5, 4, 7]),
        (r"|T|", [2, 0, 3]),
        (r"[t\in T]", [0, 0, 1]),
        (r"[n\in T]", [1, 0, 1]),
        (r"\binom3n", [3, 1, 3]),
        (r"\binom n2", [0, 3, 1]),
        (r"\arg\max_kz_k", [3, 1, 2]),
        (r"\arg\min_kz_k", [1, 3, 1]),
        (r"\begin{cases}1&x<1\\z_n&x<2\end{cases}", [1, 1, math.nan]),
        (r"x\log x", [0, 0, 2 * math.log(2)]),
        (r"\mathrm{onehot}(t)", [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        (r"\frac\partial{\partial z_t}\|z\|^2", [4, 10, 14]),
        (r"\nabla_z(z_tx)", [[0, 0, 0], [1, 0, 0], [0, 0, 2]]),
        (r"\max(x,1)", [1, 1, 2]),
        (r"\sum_{j=0}^\infty\frac x{2^j}", [0, 2, 4]),
        (r"\int_0^xu\,du", [0, 0.5, 2]),
        (r"f(x)", [0, 1, 4]),
        (r"m_t", [4, 10, 14]),
        (r"\mathbb E_{k\sim q}[z_k\mid k\ne t]", [2.5, 7 / 3, 14 / 3]),
    ],
)  # fmt: skip
def test_points_differ(tex, wanted):
    reading = read(
        [tex],
        names=list(MANY),
        where=["f(u)=u^2", "m_k=2z_k", r"q=(\frac14,\frac12,\frac14)"],
    )
    at = reading.evaluator(MANY)
    agree(reading.evaluate(at, reading.formulas[0])[0], wanted)


# --- Slopes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tex", FUNCTIONS)
def test_the_second_slope_of_every_function(tex):
    def value(formula: str, x: float, field: Field) -> float:
        reading = read([formula], names=["x"])
        at = reading.evaluator({"x": field.number(x)}, field)
        (found,) = reading.evaluate(at, reading.formulas[0])
        return float(arithmetic.plain(found)[0])

    first = rf"\frac d{{dx}}\bigl({tex}\bigr)"
    twice = rf"\frac{{d^2}}{{dx^2}}\bigl({tex}\bigr)"
    for field in (DOUBLE, MULTI):
        second = value(twice, 0.7, field)
        up, down = (value(first, 0.7 + h, field) for h in (1e-5, -1e-5))
        error = (up - down) / 2e-5 - second
        assert abs(error) < 1e-6 * max(1, abs(second))


def test_a_dual_is_a_value_with_its_slope():
    x = Dual(1, np.array([2.0, 3.0]), np.array([1.0, -1.0]))
    for found, value, slope in (
        (x - 5, [-3, -2], [1, -1]),
        (5 - x, [3, 2], [-1, 1]),
        (x + 5, [7, 8], [1, -1]),
        (5 + x, [7, 8], [1, -1]),
        (x - x, [0, 0], [0, 0]),
        (-x, [-2, -3], [-1, 1]),
        (2 * x, [4, 6], [2, -2]),
        (x * x, [4, 9], [4, -6]),
        (x[1:], [3], [-1]),
        (arithmetic.divide(np.ones(2), x), [1 / 2, 1 / 3], [-1 / 4, 1 / 9]),
        (arithmetic.power(x, np.full(2, 3)), [8, 27], [12, -27]),
    ):
        assert found.shape == np.shape(value)
        assert found.ndim == 1
        agree(found.value, value)
        agree(found.slope, slope)
