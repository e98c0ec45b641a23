"""Derivations that say something false or twofold beside what a shallow reading would run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equalsign import (
    CheckFailed,
    at_most,
    choice,
    derivation,
    distribution,
    equals,
    integer,
    joint,
    label,
    logits,
    positive,
    real,
    reals,
    subset,
    tends_to,
    unit,
)
from equalsign.tex import read

N = {"n": integer(2, 5)}
SCORES = N | {"z": reals("n")}
CHANCES = N | {"p": distribution("n")}
LABEL = N | {"t": label("n")}
X = {"x": real()}
CORNER = {
    "n": integer(3, 3),
    "p": distribution("n"),
    "edge": [{"p": [0.5, 0.5, 0.0]}],
}
CORNERED = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.0, 2.0, 3.0]]
REFUSED = [
    # what stands behind a comma is a claim if its left side has a value
    (
        "does not hold",
        r"p_t+p_t",
        r"2p_t,\quad H(p)=\log n",
        N | {"p": distribution("n"), "t": label("n")},
    ),
    (
        "does not hold",
        "f(x)",
        r"xx,\quad f(2)=7",
        {"where": ["f(x)=x^2"], "x": real()},
    ),
    (
        "does not hold",
        "f(x)",
        r"xx,\quad f'(x)=7",
        {"where": ["f(x)=x^2"], "x": real()},
    ),
    ("does not hold", "x+x", r"2x,\quad e^x=1", {"x": real()}),
    ("does not hold", "x+x", r"2x,\quad x^2=4", {"x": real()}),
    (
        "does not hold",
        "z_t+0",
        r"z_t,\quad\mathrm{softmax}(z)_k=z_k",
        SCORES | {"t": label("n")},
    ),
    (
        "does not hold",
        r"\hat y_t+0",
        r"\hat y_t,\quad\hat y_k=z_k",
        SCORES
        | {"t": label("n"), "where": [r"\hat y=\mathrm{softmax}(z)"]},
    ),
    # a definition gives a new name one value
    (
        "no definition",
        "a+b+ab",
        "3+ba",
        {"where": ["a+b=3"], "a": real(), "b": real()},
    ),
    ("no definition", "x+x", "2x", {"where": [r"\frac12=3"], "x": real()}),
    (
        "has a value already",
        "x+x",
        "2x",
        {"where": ["x=2y"], "x": real(), "y": real()},
    ),
    (
        "has a value already",
        "f(x)",
        "xx",
        {"where": ["f(x)=x^2", "x^2=4"], "x": real()},
    ),
    (
        "f is defined twice",
        "f(x)",
        "xx",
        {"where": ["f(x)=x^2", "f(x)=2x"], "x": real()},
    ),
    ("f is defined twice", "f(x)=x^2", "f(x)=2x", {"x": real()}),
    (
        "has a value already",
        "f(2)+f(x)",
        "8-1+x^2",
        {"where": ["f(x)=x^2", "f(2)=7"], "x": real()},
    ),
    (
        "has a value already",
        "f(x)",
        "x^2",
        {"where": ["f(u)=u^2", "f'(x)=7"], "x": real()},
    ),
    ("has a value already", r"f(x)=x^2,\quad f(2)=7", "xx", {"x": real()}),
    (
        "has a value already",
        "p_t+p_k",
        "8-1+z_k^2",
        SCORES | {"t": label("n"), "where": ["p_k=z_k^2", "p_t=7"]},
    ),
    (
        "does not hold",
        "x+x",
        r"2x,\quad\sum_kz_k=2",
        SCORES | {"x": real()},
    ),
    ("does not hold", "x+x", r"2x,\quad x=\log e^{2x}", {"x": real()}),
    (
        "nothing says what i runs over",
        r"m_i=\max_{j\ne i}z_j",
        r"\max_jz_j",
        SCORES,
    ),
    ("does not hold", "c_k=H(p_k)", "H(p)", N | {"p": distribution("n")}),
    (
        "does not hold",
        r"\sum_kz_k",
        r"\sum_{j<3}z_j",
        {"ranges": [r"k\notin\{1,2\}"], "z": reals(5)},
    ),
    (
        "does not hold",
        r"x[t\in\{1,\dots,m\}]",
        "x",
        {"x": real(), "t": integer(1, 3), "m": integer(1, 9)},
    ),
    (
        "a chance for each subset",
        r"\mathbb E_{T\sim P}[1]",
        "1",
        {"ranges": [r"T\subseteq\{1,2,3\}"], "P": distribution(6)},
    ),
    # a letter stands for each value, or runs
    (
        "i runs here",
        r"x_i\max_{j\ne i}|z_i-z_j|",
        r"x_i(\max_jz_j-\min_jz_j)",
        SCORES | {"x": reals("n")},
    ),
    ("k runs here", "H(p_k)p_k", "p_kH(p)", N | {"p": distribution("n")}),
    ("for each j, the line before for each i", "z_i", "z_j+0", SCORES),
    ("for each j, k", "A_{ij}", "A_{jk}+0", N | {"A": reals("n", "n")}),
    ("one is an array", "z", "z_k+0", SCORES),
    # ranges
    (
        "does not hold",
        r"\sum_kz_k",
        r"\sum_jz_j+0",
        SCORES | {"ranges": [r"k\in\{2,\dots,n\}"]},
    ),
    (
        "does not hold",
        r"\sum_{j\ne t}z_j",
        r"\sum_kz_k-z_t",
        SCORES | {"ranges": [r"j\in T"], "t": label("n"), "T": subset("n")},
    ),
    (
        "said twice",
        r"\sum_kz_k",
        r"\sum_kz_k+0",
        SCORES
        | {
            "ranges": [r"k\in T", r"k\in S"],
            "S": subset("n"),
            "T": subset("n"),
        },
    ),
    (
        "first whole numbers",
        r"\sum_S1",
        "2^n",
        N | {"ranges": [r"S\subseteq T"], "T": subset("n")},
    ),
    (
        "first whole numbers",
        r"\sum_S1",
        "16",
        {"ranges": [r"S\subseteq\{2,\dots,4\}"]},
    ),
    ("left out", r"\sum_{k\in\{1,3,\dots,9\}}k", "45", {}),
    (
        "does not hold",
        r"z_{\arg\max_{k\ne t}z_k}",
        r"\max_kz_k",
        {"z": logits(3), "t": label(3)},
    ),
    (
        "does not hold",
        r"z_{\arg\min_{k\ne t}z_k}",
        r"\min_kz_k",
        {"z": logits(3), "t": label(3)},
    ),
    ("nothing to choose from", r"z_{\arg\max_{k>n}z_k}", "1", SCORES),
    (
        "other signs between",
        r"2p(x\mid y)",
        "p(x,y)+p(x,y)",
        {"where": [r"p(x,y)=e^{-x^2-xy}"], "x": real(), "y": real()},
    ),
    (
        "other signs between",
        r"H(p\mid p)",
        "H(p)",
        N | {"p": distribution("n")},
    ),
    # entries, slopes, norms, powers
    (
        "does not hold",
        r"\mathrm{KL}(p_{xy}\|p_{yx})",
        "0",
        N | {"p": joint("n", "n")},
    ),
    (
        "entries for each y",
        r"\mathrm{KL}(p_x\|q_y)",
        "1",
        N | {"p": distribution("n"), "q": distribution("n")},
    ),
    (
        "one number is needed",
        "f'(z)",
        r"2\sum_kz_k",
        SCORES | {"where": [r"f(u)=\|u\|^2"]},
    ),
    (
        "by a whole number",
        r"\frac d{dm}\binom m2",
        "0",
        {"m": integer(2, 9)},
    ),
    (
        "does not hold",
        r"\frac d{dx}F",
        "0x",
        {"where": [r"F=\int_0^xu\,du"], "x": real()},
    ),
    (
        "sign of an integral",
        r"\int_0^1cd\,dx+0d",
        "cx",
        {"c": real(), "d": real(), "x": real()},
    ),
    (
        "which norm",
        r"\|A\|_2^2",
        r"\sum_{i,j}A_{ij}^2",
        N | {"A": reals("n", "n")},
    ),
    ("inverse function", r"\sin^{-1}x", r"\frac1{\sin x}", {"x": unit()}),
    ("no power", "x^{(2)}", "xx", {"x": real()}),
    (
        "the order, not the index",
        "z_{(t)}",
        "z_t",
        SCORES | {"t": label("n")},
    ),
    ("two numbers", r"2\frac12x", "x", {"x": real()}),
    ("where does this argument end", r"\sqrt1.5x", "5x", {"x": real()}),
    (
        "has no end",
        r"\begin{cases}1&x>0\end{pmatrix}",
        "1",
        {"x": positive()},
    ),
    (
        "one condition",
        r"\mathbb E_{k\sim p}[z_k\mid k\ne t\mid k=t]",
        "1",
        SCORES | {"p": distribution("n"), "t": label("n")},
    ),
    (
        "whole number is needed",
        r"\binom{10^{20}}2+x",
        r"\binom{10^{21}}2+x",
        {"x": real()},
    ),
    ("too many terms", r"x\sum_{k=1}^{10^9}1", "0x", {"x": real()}),
    # what has a value is defined no second time
    *[
        ("has a value already", first, second, rest | {"where": where})
        for first, second, where, rest in [
            ("f'(x)+f(x)", "xx+3x", ["f(x)=x^2", "f'(x)=3x"], X),
            (r"H(p)+\sum_kp_k", r"1+\log n", [r"H(p)=\log n"], CHANCES),
            (r"\sigma(x)+x", r"x+\frac12", [r"\sigma(x)=\frac12"], X),
            ("m_{t+1}+m_t", "7+2t", ["m_k=2k", "m_{t+1}=7"], LABEL),
            (
                r"z_t+\sum_kz_k+t",
                r"\sum_kz_k+t+2+3",
                ["z_t=5"],
                LABEL | SCORES,
            ),
            (
                r"\hat y_t+\sum_k\hat y_k+t",
                "t+6",
                [r"\hat y=\mathrm{softmax}(z)", r"\hat y_t=5"],
                LABEL | SCORES,
            ),
            (
                r"\mathbb E[k]+\sum_kp_k",
                "5+1",
                [r"k\sim p", r"\mathbb E[k]=5"],
                CHANCES,
            ),
            (r"\mathbb E[t]", r"\sum_kkp_k", [r"t\sim p"], LABEL | CHANCES),
        ]
    ],
    (
        "has a value already",
        r"1+\sigma'(x)",
        r"1+\sigma(x),\quad\sigma'(u)=\sigma(u)",
        X,
    ),
    *[
        ("has a value already", first, second, rest | {"where": where})
        for first, second, where, rest in [
            (
                r"z_{t+1}+t+\sum_kz_k",
                r"\sum_kz_k+t+3+2",
                ["z_{t+1}=5"],
                LABEL | SCORES,
            ),
            (
                r"m_1+\sum_km_k",
                r"\sum_km_k+m_1",
                ["m_k=z_k", "m_1=7"],
                SCORES,
            ),
            (r"\sum_km_k", r"\|m\|", ["m=z", "m_k=z_k+1"], SCORES),
            (r"\mathbb E[k]+k", "3+3", ["k=3", r"k\sim p"], CHANCES),
        ]
    ],
    (
        "has a value already",
        r"\sum_kz_k",
        r"\frac{n(n+1)}2",
        SCORES | {"where": ["z_k=k"], "ranges": [r"k\in\{1,\dots,n\}"]},
    ),
    # 0 log 0 over 0, or with a slope
    (
        "nan is not",
        r"(p\log A)_t",
        r"\sum_k[p_k>0]p_k\log A_{kt}",
        CORNER
        | {
            "A": reals("n", "n"),
            "t": label("n"),
            "edge": [{"p": [0.5, 0.5, 0.0], "A": CORNERED, "t": 0}],
        },
    ),
    (
        "nan is not",
        r"\sum_kp_k\frac{\log p_k}{p_k}",
        r"\sum_k[p_k>0]\log p_k",
        CORNER,
    ),
    *[
        (
            r"nan\] is not = ",
            rf"\frac{{\partial}}{{\partial p_j}}{of}",
            r"\begin{cases}-\log p_j-1&p_j>0\\0&\text{otherwise}\end{cases}",
            CORNER,
        )
        for of in (
            r"\mathbb E_{k\sim p}[-\log p_k]",
            r"(-\sum_kp_k\log p_k)",
        )
    ],
    # sets and series
    (
        "runs from 1 to 5, and is 0",
        r"\sum_k2^k+x",
        "62+x",
        X | {"ranges": [r"k\in\{0,\dots,5\}"]},
    ),
    (
        "runs from 1 to 3, and is -3",
        r"x\arg\min_{k\in\{-3,\dots,3\}}k^2",
        "x",
        X,
    ),
    (
        "runs from 1 to 3, and is 4",
        r"\sum_{k\in\{1,4\}}z_k",
        "0",
        {"z": logits(3)},
    ),
    (
        "does not hold",
        r"\sum_{k=m}^\infty2^{-k}",
        r"\sum_{k=l}^\infty2^{-k}",
        {"m": integer(1, 3), "l": integer(2, 3)},
    ),
    (
        "runs from 1 to .*, and is 0",
        r"\sum_{k=t}^nz_{k-t}",
        r"\sum_kz_k",
        LABEL | SCORES,
    ),
    # places
    ("has no value", r"\arg\max_k\log(-p_k)", "1", CHANCES),
    ("does not hold", r"\arg\max_k(1+10^{-20}z_k)", "1", SCORES),
    ("one index", r"\arg\max_{j,k}(z_jz_k)", "1", SCORES),
    ("one index", r"\arg\max_{j\ne k}(z_j-z_k)", "1", SCORES),
    ("one index", r"\arg\max_Tz", "1", SCORES | {"T": subset("n")}),
    (
        "one index",
        r"x\arg\max_S\sum_{k\in S}k",
        "x",
        X | {"ranges": [r"S\subseteq\{1,2,3\}"]},
    ),
    # what a sign applies to
    ("or a factor", r"\frac{dy}{dx}(0)", "3", X | {"where": ["y=3x"]}),
    ("in which z does not", r"\nabla_z\frac12\|z\|^2", "0z", SCORES),
    ("power of the diff", r"\int_0^1u\,du^2+x", r"x+\frac14", X),
    # chances, and letters that run
    ("k runs here", r"p_k+H(p_k)", r"p_k-p_k\log p_k", CHANCES),
    ("chances add up to", r"\mathbb E_{k\sim z}[1]", r"\sum_kz_k", SCORES),
    ("t has a value", r"|\{t:z_t>0\}|", "t", LABEL | SCORES),
    (
        "t has a value",
        r"\mathbb E_{t\sim p}[t]",
        "t",
        LABEL | CHANCES,
    ),
    # what is written twice, or not at all
    ("on two sides", "x+x", r"2x,\quad x=x", X),
    ("on two sides", "x^2=x^2", "xx", X),
    ("entry of the set", r"[x\in\{,1,\dots,3\}]", "0", X),
    ("too deeply", "(" * 400 + "x" + ")" * 400, "x", X),
]


@pytest.mark.parametrize(
    ("message", "first", "second", "rest"),
    REFUSED,
    ids=[" = ".join(row[1:3]).replace("\\", "/") for row in REFUSED],
)
def test_it_is_refused(message, first, second, rest):
    with pytest.raises(CheckFailed, match=message):
        derivation("It", first, equals(second), points=40, **rest)


@pytest.mark.parametrize(
    ("first", "second", "rest"),
    [
        (
            r"\sum_kz_k-z_1",
            r"\sum_jz_j",
            {
                "ranges": [r"j\in\{2,\dots,n\}"],
                "where": [r"z_1=\sum_i[i=1]z_i"],
            }
            | SCORES,
        ),
        (r"\sum_S1", "8", {"ranges": [r"S\subseteq\{1,2,3\}"]}),
        (r"\sum_{k\in\{1,2,\dots,9\}}k", "45", {}),
        (
            r"z_{\arg\max_{k\ne t}z_k}",
            r"\max_{k\ne t}z_k",
            {"z": logits(3), "t": label(3)},
        ),
        (
            r"\mathrm{KL}(p_{xy}\|r_yq_x)",
            r"\sum_{x,y}p_{xy}\log\frac{p_{xy}}{q_xr_y}",
            N
            | {
                "p": joint("n", "n"),
                "q": distribution("n"),
                "r": distribution("n"),
            },
        ),
        (
            r"-\log x\quad(\log0:=\log y)",
            "-[x>0]\\log x-[x=0]\\log y",
            {"x": choice(0.0, 2.0), "y": positive()},
        ),
        (r"\int_0^1\frac d{1+u}\,du", r"d\log2", {"d": real()}),
        (
            r"\frac d{dx}F",
            "x",
            {"where": [r"F=\int_0^xu\,du"], "x": real()},
        ),
        (
            r"\sum_{k=m}^\infty2^{-k}",
            "2^{1-m}",
            {"m": integer(1, 3)},
        ),
        # what does not count may lead nowhere
        (
            r"\sum_{k=t}^nz_{k-t+1}",
            r"\sum_{k=1}^{n-t+1}z_k",
            LABEL | SCORES,
        ),
        (
            r"\begin{cases}z_{t-1}&t>1\\0&\text{otherwise}\end{cases}",
            r"\sum_k[k=t-1]z_k",
            LABEL | SCORES,
        ),
        (
            r"\sum_{k\ge t}a-\sum_{k<t}a",
            "(n-t+1)a-(t-1)a",
            LABEL
            | SCORES
            | {
                "where": [r"a=\sum_i[i=t]z_i"],
                "ranges": [r"k\in\{1,\dots,n\}"],
            },
        ),
        (
            r"\begin{cases}\arg\max_k\log(x+p_k)&x>0\\0&\text{otherwise}\end{cases}",
            r"[x>0]\arg\max_kp_k",
            CHANCES | X,
        ),
        (
            r"\begin{cases}\mathbb E_{k\sim q}[k]&x>0\\0&\text{otherwise}\end{cases}",
            r"[x>0]\sum_kkp_k",
            CHANCES | X | {"where": ["q=[x>0]p"]},
        ),
        (
            r"\begin{cases}\sum_{k\in\{t-1,t\}}z_k&t>1\\z_t&\text{otherwise}\end{cases}",
            r"z_t+\sum_k[k=t-1]z_k",
            LABEL | SCORES,
        ),
        (
            r"\begin{cases}0&t=1\\1&z_{t-1}>0\\0&\text{otherwise}\end{cases}",
            r"\sum_k[k=t-1,z_k>0]",
            LABEL | SCORES,
        ),
        (
            r"\sum_{j<t,\,z_{t-j}>0}z_{t-j}",
            r"\sum_{j<t}\max(z_j,0)",
            LABEL | SCORES,
        ),
        (
            r"\sum_{k\in\{t-1,t+1\},1\le k\le n}z_k",
            r"\sum_k[|k-t|=1]z_k",
            LABEL | SCORES,
        ),
        (r"\sum_k[k\in\{0,\dots,n\}]z_k", r"\sum_kz_k", SCORES),
        (r"\arg\max_k\frac{p_k+p_k^2}{p_k(1+p_k)}", "1", CHANCES),
        (r"\arg\max_k\frac{p_k}{[k\ne2]}", "1+1", CHANCES),
        (r"\arg\min_k\frac{-p_k}{[k\ne2]}", "1+1", CHANCES),
        (
            r"\begin{cases}a&t>1\\0&\text{otherwise}\end{cases}+\sum_{j<t}a",
            r"t\sum_k[k=t-1]z_k",
            LABEL | SCORES | {"where": ["a=z_{t-1}"]},
        ),
        (
            r"\arg\max_{j<t}z_{t-j}",
            r"t-\arg\max_{j<t}z_j",
            {
                "n": integer(3, 5),
                "z": reals("n"),
                "t": choice(2, 3),
                "ranges": [r"j\in\{1,\dots,n\}"],
            },
        ),
        # a name of its own beside a family
        (
            r"m_++\sum_km_k",
            r"\sum_kz_k+1",
            SCORES | {"where": ["m_k=z_k", "m_+=1"]},
        ),
        # a name of the book may be hidden
        (
            r"(\sigma')^2",
            r"\sigma^2+1",
            {
                "where": [r"\sigma'=\sqrt{\sigma^2+1}"],
                "sigma": positive(),
            },
        ),
        (
            r"\mathbb E_{I\sim p}[z_I]",
            r"\langle p,z\rangle",
            CHANCES | SCORES,
        ),
        # 0 times the logarithm of 0
        (r"-\sum_kp_k\log_2p_k", r"H(p)/\log2", CORNER),
        (r"\mathbb E_{k\sim p}[-\log p_k]", "H(p)", CORNER),
        (r"\sigma(\|z\|)", r"\frac1{1+e^{-\|z\|}}", SCORES),
        (r"\arg\max_k\sigma(20z_k)", r"\arg\max_kz_k", SCORES),
        (r"\nabla_z(\frac12\|z\|^2)", "z", SCORES),
        (
            r"1+\hat y",
            r"\hat{y}+1",
            {"names": {"y": r"\hat{y}"}, "y": real()},
        ),
    ],
)
def test_it_holds(first, second, rest):
    derivation("It", first, equals(second), points=40, **rest)


@pytest.mark.parametrize(
    ("first", "second", "rest"),
    [
        (
            "x+x",
            r"2x,\quad z=\log e^z,\quad\sum_k\mathrm{softmax}(z)_k=1",
            SCORES | {"x": real()},
        ),
        (
            r"\ell+y",
            r"y+\ell,\quad\ell=\log\sum_ke^{z_k-y}+y",
            SCORES | {"y": real(), "where": [r"\ell=\mathrm{LSE}(z)"]},
        ),
        (
            r"\sum_{k\notin\{1,2\}}z_k",
            r"\sum_kz_k-\sum_{k\in\{1,2\}}z_k",
            {"z": reals(3)},
        ),
        (
            r"\sum_kz_k",
            r"\sum_jz_j[j>2]",
            {"ranges": [r"k\notin\{1,2\}"], "z": reals(5)},
        ),
        (r"\sum_{k\in\{2,3,\dots,5\}}k+x", "14+x", {"x": real()}),
        (
            r"x[t\in\{1,\dots,m\}]",
            r"x[t\le m]",
            {"x": real(), "t": integer(1, 3), "m": integer(1, 9)},
        ),
        (
            r"\mathbb E_{T\sim P}[1]",
            r"\sum_kP_k",
            {"ranges": [r"T\subseteq\{1,2,3\}"], "P": distribution(8)},
        ),
        (
            r"2\frac1{1+e^{-x}}-1",
            r"\frac{e^{x/2}-e^{-x/2}}{e^{x/2}+e^{-x/2}}",
            {"x": real()},
        ),
        (
            r"\int_{-\infty}^{+\infty}e^{-u^2}x\,du",
            r"x\sqrt\pi",
            {"x": real()},
        ),
        ("e^{(x)}", "1e^x", {"x": real()}),
    ],
)
def test_it_is_ordinary_writing(first, second, rest):
    derivation("It", first, equals(second), points=40, **rest)


def test_the_best_of_what_is_infinite_heeds_the_condition():
    derivation(
        "It",
        r"z_{\arg\max_{k\ne t}\log[k=t]}",
        equals(r"\sum_{k\ne t}z_k"),
        z=reals(2),
        t=label(2),
    )


def test_a_place_knows_among_how_many_it_is():
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation(
            "It",
            r"\sum_{k\ne s}1+x",
            equals("n-2+x"),
            where=[r"s=\arg\max_{k<n}z_k"],
            x=real(),
            **SCORES,
        )


@pytest.mark.parametrize("rate", [1, 2, 3, 4])
def test_a_rate_at_infinity(rate):
    derivation(
        "It",
        rf"x+\frac1{{100m^{rate}}}",
        tends_to("x", m=math.inf, rate=rate),
        x=real(),
    )


@pytest.mark.parametrize(
    ("note", "limit"),
    [(r"(m\to+\infty)", math.inf), (r"(m\to0^+)", 0.0), (r"(m\to0)", 0.0)],
)
def test_a_limit_may_be_written_from_its_side(note, limit):
    first = r"x+\frac1m" if limit else "x+m"
    derivation("It", first, tends_to(rf"x\quad{note}", m=limit), x=real())


def test_a_parameter_may_go_to_one_limit_twice():
    derivation(
        "It",
        "x+h",
        tends_to("x", h=0.0),
        at_most("x+1+h"),
        tends_to("x+1", h=0.0),
        x=real(),
    )


def test_a_parameter_is_drawn_or_goes_to_a_limit():
    with pytest.raises(
        CheckFailed, match="x goes to a limit, and is drawn"
    ):
        derivation(
            "It",
            "|x|y",
            equals("xy"),
            tends_to("0", x=0.0),
            x=real(),
            y=real(),
        )


def test_a_parameter_goes_to_one_limit():
    with pytest.raises(
        CheckFailed, match="h goes to a limit, and is drawn or goes to"
    ):
        derivation(
            "It",
            r"\frac h{1+h}",
            tends_to("1", h=0.0),
            at_most(r"1+\frac1h"),
            tends_to("1-0", h=math.inf),
        )


def test_a_symbol_is_drawn_once():
    with pytest.raises(CheckFailed, match="x is drawn twice"):
        derivation(
            "It",
            "|x|",
            equals("x"),
            names={"a": "x"},
            a=real(),
            x=positive(),
        )


@pytest.mark.parametrize(
    ("first", "steps"),
    [
        (r"(-1)^m+\frac xm", [tends_to("1", m=math.inf)]),
        (r"h\cos\frac{2\pi}h+x", [equals("h+x"), tends_to("x", h=0.0)]),
    ],
)
def test_what_agrees_at_even_distances_only(first, steps):
    with pytest.raises(
        CheckFailed, match=r"is not the limit|does not hold|at the rate -"
    ):
        derivation("It", first, *steps, x=real())


def test_limits_are_taken_one_after_the_other():
    first = r"\frac h{h+g}+h+g+x"
    derivation(
        "It", first, tends_to("g+x", h=0.0), tends_to("x", g=0.0), x=real()
    )
    with pytest.raises(CheckFailed, match="is not the limit in h"):
        derivation(
            "It",
            first,
            tends_to(r"\frac12+g+x", h=0.0),
            tends_to(r"\frac12+x", g=0.0),
            x=real(),
        )


@pytest.mark.parametrize(
    ("message", "first", "second", "rest"),
    [
        ("for each j", "z_i+h", "z_j", SCORES),
        (
            "has shape",
            "hz+z",
            "w",
            SCORES | {"m": integer(6, 7), "w": reals("m")},
        ),
        ("error is nan", r"x+\sqrt{h-10^{-9}}", "x", X),
        ("error is nan", r"(\sqrt{-h},x+h)", "(x,x)", X),
    ],
)
def test_a_limit_is_no_other_letter_shape_or_nan(
    message, first, second, rest
):
    with pytest.raises(CheckFailed, match=message):
        derivation("It", first, tends_to(second, h=0.0, rate=0.5), **rest)


def test_a_limit_is_written_with_all_its_digits():
    derivation(
        "It",
        "x+h-0.123456789",
        tends_to(r"x\quad(h\to0.123456789)", h=0.123456789),
        x=real(),
    )
    with pytest.raises(CheckFailed, match="is what runs"):
        derivation(
            "It",
            r"x+\frac1h",
            tends_to(r"x\quad(h\to-+\infty)", h=-math.inf),
            x=real(),
        )


def test_how_far_a_limit_is_met_is_said(capsys):
    derivation("It", "x+h", tends_to("x", h=0.0), x=real())
    derivation("It", "x+h^{1/4}", tends_to("x", h=0.0, rate=0.25), x=real())
    said = capsys.readouterr().out
    assert "The limit is met to 1e-05." in said
    assert "The limit is met to 1e-03." in said  # 9.56e-4


def test_a_failure_counts_labels_from_one():
    with pytest.raises(CheckFailed, match=r"at t = 2: 0\.5 is not = 1"):
        derivation("It", r"\frac1t", equals("1"), t=label(2))


def test_a_meaning_of_its_own_is_said_of_functions_too(capsys):
    derivation(
        "It", r"\Gamma(x)", equals("x+x"), where=[r"\Gamma(u)=2u"], x=real()
    )
    assert (
        r"Here \Gamma has a meaning of its own." in capsys.readouterr().out
    )


def test_a_definition_is_evaluated_once_in_a_series():
    at = read(
        [r"\sum_{k=0}^\infty r^k"],
        names=["z"],
        where=[r"s=\sum_kz_k", r"r=\frac s{1+s}"],
    )
    evaluator = at.evaluator({"z": np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert np.allclose(at.evaluate(evaluator, at.formulas[0])[0], [4, 8])
    assert {"s", "r"} <= {*evaluator.cache}


def test_what_differs_in_the_twentieth_digit_is_refused():
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation("It", "x", equals(r"x(1+10^{-20})"), x=positive())


def test_two_limits_are_met(capsys):
    steps = tends_to("x+g", h=0.0), tends_to("x", g=0.0)
    derivation("It", "x+h+g", *steps, x=real())
    assert "Limits are met to 1e-05." in capsys.readouterr().out
