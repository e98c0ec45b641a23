"""The new derivation: what it runs, shows, counts and refuses."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from equalsign import (
    CheckFailed,
    at_least,
    at_most,
    by_definition,
    derivation,
    derivations,
    distribution,
    equals,
    integer,
    label,
    library,
    logits,
    positive,
    real,
    subset,
    tends_to,
    unit,
)
from equalsign._points import draw_points
from equalsign._records import records
from losslib import logsumexp

SOFTMAX = r"\hat y=\mathrm{softmax}(z)"


@pytest.fixture(autouse=True)
def _fresh():
    records.clear()


def record():
    (kept,) = records.values()
    return kept


def test_a_whole_derivation(capsys):
    derivation(
        "Cross-entropy",
        r"\mathrm{KL}(y\,\|\,\hat y)",
        equals(r"-\log\hat y_t", "$y$ is one-hot"),
        by_definition(
            r"-\log\frac{e^{z_t}}{\sum_je^{z_j}}", "definition of softmax"
        ),
        equals(r"\log\sum_k e^{z_k}-z_t", "log of a quotient"),
        equals(
            "the same by hand",
            "in Python",
            by=lambda z, t: np.log(np.exp(z).sum()) - z[t],
        ),
        library(lambda z, t: logsumexp(z) - z[t], "agrees"),
        where=[
            r"\hat y_k=\frac{e^{z_k}}{\sum_je^{z_j}}",
            r"y=\mathrm{onehot}(t)",
        ],
        n=integer(2, 9),
        z=logits("n"),
        t=label("n"),
        label="eq-ce",
    )
    out = capsys.readouterr().out
    assert "≜ definition of softmax" in out
    assert "(✓) in Python" in out
    assert re.search(r"= logsumexp\(z\) - z\[t\] +✓ agrees", out)
    assert "where \\hat y_k=" in out
    assert "n an integer from 2 to 9; z n logits (normal, sd 2)" in out
    assert "to 25 digits" in out
    detail = record()["detail"]
    counts = {
        k: detail[k]
        for k in ("from_tex", "by_code", "by_definition", "library")
    }
    assert counts == {
        "from_tex": 3,
        "by_code": 1,
        "by_definition": 1,
        "library": 1,
    }
    assert record()["label"] == "eq-ce"


def test_naive_forms_that_overflow_run_in_multiprecision():
    derivation(
        "Log-sum-exp",
        r"\log\sum_ke^{z_k}",
        equals(r"m+\log\sum_ke^{z_k-m}", "largest out"),
        where=[r"m=\max_kz_k"],
        z=logits(3, scale=1000.0),
    )


def test_cancellation_is_judged_in_multiprecision():
    derivation(
        "A difference of squares",
        r"(10^9+x)^2-(10^9-x)^2",
        equals(r"4\cdot10^9x"),
        x=real(),
    )


@pytest.mark.parametrize(
    ("wrong", "draws"),
    [
        (r"\log\sum_ke^{z_k}+z_t", {}),
        (r"\log\sum_{k\ne t}e^{z_k}-z_t", {}),
        (r"\log\sum_ke^{z_k}-z_t+10^{-12}", {}),
    ],
)
def test_a_false_line_fails(wrong, draws):
    with pytest.raises(CheckFailed, match="does not hold at n = "):
        derivation(
            "Cross-entropy",
            r"-\log\hat y_t",
            equals(wrong),
            where=[SOFTMAX],
            n=integer(2, 9),
            z=logits("n"),
            t=label("n"),
            **draws,
        )


def test_a_special_case_cannot_hide_in_a_size():
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation(
            "Uniform",
            r"H(p)+\sum_kp_k\log p_k+\log5",
            equals(r"\log n"),
            n=integer(2, 9),
            p=distribution("n"),
        )


def test_sets_are_drawn():
    derivation(
        "A sum in two",
        r"\sum_kz_k",
        equals(r"\sum_iz_i+\sum_{k\notin T}z_k"),
        ranges=[r"i\in T"],
        n=integer(1, 6),
        z=logits("n"),
        T=subset("n"),
    )


def test_sums_to_one_hold_to_all_digits():
    derivation(
        "Shares",
        r"\sum_kp_k",
        equals("1"),
        n=integer(2, 9),
        p=distribution("n"),
    )


def test_an_inequality_says_where_it_comes_nearest(capsys):
    derivation("A square", "x^2", at_least("0"), x=real())
    out = capsys.readouterr().out
    assert "Line 2 comes nearest" in out


def test_an_inequality_that_fails():
    with pytest.raises(CheckFailed, match="is not ≤"):
        derivation("A square", "x^2", at_most("x"), x=positive())


def test_limits_and_their_rate(capsys):
    derivation(
        "Cold",
        r"\tau\log\sum_ke^{z_k/\tau}",
        tends_to(r"\max_kz_k", tau=0.0, rate=math.inf),
        z=logits(4),
    )
    assert "faster than every power" in capsys.readouterr().out


@pytest.mark.parametrize("rate", [1, 3])
def test_a_wrong_rate(rate):
    with pytest.raises(CheckFailed, match=r"at the rate 2\.0"):
        derivation(
            "Cosine",
            r"\cos hx",
            tends_to("1", h=0.0, rate=rate),
            x=real(),
        )


def test_a_wrong_limit():
    with pytest.raises(CheckFailed, match="is not the limit"):
        derivation("Cosine", r"\cos hx", tends_to("2", h=0.0), x=real())


def test_a_limit_from_minus_infinity(capsys):
    derivation(
        "Away",
        r"\frac a{1+e^x}",
        tends_to("a", x=-math.inf, rate=math.inf),
        a=real(),
    )
    assert r"as x\to-\infty, faster" in capsys.readouterr().out
    with pytest.raises(CheckFailed, match="is not the limit"):
        derivation(
            "Away",
            r"\frac a{1+e^{-x}}",
            tends_to("a", x=-math.inf),
            a=real(),
        )


def test_a_limit_is_a_number():
    with pytest.raises(ValueError, match="x must have a limit, not nan"):
        tends_to("1", x=math.nan)


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (r"(h\to0)", ""),
        (r"(h\to1)", r"names (h\to1), and (h\to0) is what runs"),
        (r"(x\to0)", r"names (x\to0), and (h\to0) is what runs"),
        (r"(h\to0)\quad(h\to0)", r"is what runs"),
    ],
)
def test_the_limit_beside_a_line_is_the_one_that_runs(note, message):
    def run():
        derivation(
            "Cosine",
            r"\cos hx",
            tends_to(rf"1\quad{note}", h=0.0, rate=2),
            x=real(),
        )

    if message:
        with pytest.raises(CheckFailed, match=re.escape(message)):
            run()
    else:
        run()


def test_a_limit_beside_a_line_that_is_none():
    with pytest.raises(CheckFailed, match="names a limit, and is none"):
        derivation("Twice", "x+x", equals(r"2x\quad(x\to0)"), x=real())


def test_all_that_a_name_is_said_to_equal_runs():
    def run(last):
        derivation(
            "Odds",
            rf"\log\frac p{{1-p}},\quad p=\sigma(x)={last}",
            equals("x"),
            x=real(),
        )

    run(r"\frac1{1+e^{-x}}=\frac{e^x}{1+e^x}")
    for wrong in (
        r"\frac1{1+e^x}",
        r"\frac1{1+e^{-x}}=\frac{e^x}{1-e^x}",
        r"\sigma(-x)",
    ):
        with pytest.raises(
            CheckFailed, match=r"line 1, .* does not hold at x ="
        ):
            run(wrong)


def test_what_a_family_is_said_to_equal_runs_for_every_index():
    def run(last):
        derivation(
            "One",
            rf"\sum_kq_k,\quad q_k=\frac{{e^{{z_k}}}}{{\sum_je^{{z_j}}}}={last}",
            equals("1"),
            n=integer(2, 4),
            z=logits("n"),
        )

    run(r"e^{z_k-\mathrm{LSE}(z)}")
    with pytest.raises(CheckFailed, match="does not hold at n ="):
        run(r"e^{z_k-\max_jz_j}")


def test_a_free_index_holds_for_every_value():
    derivation(
        "The gradient",
        r"\frac{\partial\ell}{\partial z_j}",
        equals(r"\hat y_j-[j=t]"),
        where=[SOFTMAX, r"\ell=-\log\hat y_t"],
        n=integer(2, 5),
        z=logits("n"),
        t=label("n"),
        points=40,
    )


def test_hand_picked_points_may_be_infinite():
    derivation(
        "Surprise",
        r"-\log p",
        equals(r"\log\frac1p"),
        edge=[{"p": 0.0}, {"p": 1.0}],
        p=unit(),
    )


def test_names_that_python_cannot_spell(capsys):
    derivation(
        "Weights",
        "w_+(1+x)",
        equals("w_++w_+x"),
        names={"w": "w_+"},
        w=positive(),
        x=real(),
    )
    assert "w_+ a positive number" in capsys.readouterr().out


def test_the_foot_names_what_is_shadowed(capsys):
    derivation("A prior", r"\pi(1-\pi)", equals(r"\pi-\pi^2"), pi=unit())
    out = capsys.readouterr().out
    assert r"Here \pi has a meaning of its own" in out


def test_a_first_line_by_code(capsys):
    derivation(
        "By hand", "x + x", equals("2x"), start=lambda x: x + x, x=real()
    )
    assert record()["detail"]["by_code"] == 1


@pytest.mark.parametrize(
    ("message", "first", "steps", "more"),
    [
        ("nothing is derived", "x", [], {}),
        ("same formula as line 1", "x+1", [equals(r"\bigl(x+1\bigr)")], {}),
        ("say by_definition", "a+1", [equals("x^2+1")],
         {"where": ["a=x^2"]}),
        ("more than write out", "x+x", [by_definition("2x")], {}),
        ("is line 2 itself", "x+x", [equals("2x"), equals("a")],
         {"where": ["a=2x"]}),
        ("y is drawn, but nothing", "x+x", [equals("2x")], {"y": real()}),
        ("nothing gives y a value", "x+x", [equals("2y")], {}),
        ("which is not drawn", "x", [equals("y", by=lambda y: y)], {}),
        ("not the last line", "x",
         [library(lambda x: abs(x)), equals("2x")], {}),
        ("calls nothing of losslib", "x", [library(lambda x: x + 0)], {}),
        ("say library", "x", [equals("f", by=lambda x: logsumexp(np.array([x])))], {}),
        ("which is not drawn", "x+x", [equals("2x")], {"edge": [{"y": 1.0}]}),
        ("n must be drawn before", "x+x", [equals("2x")],
         {"z": logits("n")}),
        ("has shape", "x", [equals("(x,x)")], {}),
        ("which the line before must contain", "x", [tends_to("1", h=0.0)], {}),
        ("is defined twice", "a+x", [equals("x+a")],
         {"where": ["a=1", "a=2"]}),
    ],
)  # fmt: skip
def test_what_would_show_nothing_is_refused(message, first, steps, more):
    with pytest.raises(CheckFailed, match=message):
        derivation("A", first, *steps, x=real(), **more)


def test_what_nothing_uses_is_refused():
    with pytest.raises(
        CheckFailed, match="nothing uses the definition a=1"
    ):
        derivation("A", "x+x", equals("2x"), where=["a=1"], x=real())
    with pytest.raises(CheckFailed, match="the range of k"):
        derivation(
            "A",
            "x+x",
            equals("2x"),
            ranges=[r"k\in\{1,\dots,3\}"],
            x=real(),
        )


def test_infinite_at_a_random_point_is_no_equality():
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation("A", r"\frac x0", equals(r"\frac{2x}0"), x=positive())


def test_a_definition_that_needs_itself():
    with pytest.raises(CheckFailed, match="needs itself"):
        derivation(
            "A", "a+x", equals("x+a"), where=["a=b", "b=a"], x=real()
        )


def test_no_draw():
    derivation("Numbers", r"\log4", equals(r"2\log2"))
    with pytest.raises(TypeError, match="must be a sampler"):
        derivation("A", "x+x", equals("2x"), x=3.0)


def test_two_lambdas_on_a_line_are_told_apart_or_refused():
    assert library(lambda x: abs(x)).tex == "abs(x)"
    shared = 2
    assert library(lambda x: x * shared).tex == "x * shared"
    with pytest.raises(CheckFailed, match="one lambda a line"):
        [library(lambda x: x + 1), library(lambda x: x - 1)]


def test_infinities_match_only_themselves_and_only_at_edges():
    for wrong in (r"\log p", "1"):
        with pytest.raises(CheckFailed, match="does not hold at p = 0"):
            derivation(
                "Surprise",
                r"-\log p",
                equals(wrong),
                edge=[{"p": 0.0}],
                p=unit(),
            )


def test_inequalities_between_infinities_are_refused():
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation(
            "Surprise",
            r"-\log p",
            at_least(r"\log p"),
            edge=[{"p": 0.0}],
            p=unit(),
        )


def test_an_infinity_is_on_one_side_of_every_number():
    edge = [{"p": 0.0}]
    derivation("A", r"-\log p", at_least("-p"), edge=edge, p=unit())
    derivation("A", r"\log p", at_most("p"), edge=edge, p=unit())
    with pytest.raises(CheckFailed, match="does not hold at p = 0"):
        derivation("A", "-p", at_least(r"p-\log p-99"), edge=edge, p=unit())
    with pytest.raises(CheckFailed, match="does not hold at p = 0"):
        derivation(  # which is no number at 0
            "A",
            "-p",
            at_least(r"\frac1p\log p+\frac1p-99"),
            edge=edge,
            p=unit(),
        )


def test_an_inequality_that_is_attained(capsys):
    derivation(
        "A square", "x^2", at_least("0"), x=real(), edge=[{"x": 0.0}]
    )
    assert (
        "Line 2 is attained to 1e-9 at x = 0.0000."
        in capsys.readouterr().out
    )


def test_edges_give_a_part_and_sizes_follow(recwarn):
    derivation(
        "A sum",
        r"\sum_kz_k-z_t",
        equals(r"\sum_{k\ne t}z_k"),
        edge=[{"n": 1}, {"z": [1e300, -1e300], "n": 2}],
        n=integer(2, 5),
        z=logits("n"),
        t=label("n"),
    )
    assert record()["points"] == 302
    assert not recwarn


def test_a_limit_takes_one_parameter_and_a_positive_rate():
    with pytest.raises(TypeError, match="one parameter"):
        tends_to("1")
    with pytest.raises(ValueError, match="rate must be positive"):
        tends_to("1", rate=0, h=0.0)


def test_lines_before_a_limit_run_at_several_values_of_its_parameter():
    derivation(
        "Sine",
        r"\frac{\sin h}h",
        equals(r"\frac{2\sin(h/2)\cos(h/2)}h", "double angle"),
        tends_to("1", rate=2, h=0.0),
    )
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation(
            "Sine",
            r"\frac{\sin h}h",
            equals(r"\sin h"),
            tends_to("1", rate=2, h=0.0),
        )


def test_what_is_shown_and_kept_of_a_derivation(capsys):
    derivation(
        "Doubled",
        "x+x",
        equals("a", "count"),
        by_definition("2x", "$a$ written out"),
        label="eq-doubled",
        where=["a=2x"],
        points=5,
        x=real(),
    )
    assert capsys.readouterr().out == (
        "Doubled\n"
        "      x+x\n"
        "    = a     ✓ count\n"
        "    = 2x    ≜ a written out\n"
        "  where a=2x\n"
        "✓ 2 steps held at 5 random points: x a real number (normal, sd 2). Equal sides agree to "
        "1e-9, and at all of them to 25 digits.\n"
    )
    assert record() == {
        "kind": "derivation",
        "statement": "Doubled",
        "label": "eq-doubled",
        "source": None,
        "lines": [
            {"relation": "", "tex": "x+x", "reason": ""},
            {"relation": "=", "tex": "a", "reason": "count"},
            {"relation": "=", "tex": "2x", "reason": "$a$ written out"},
        ],
        "points": 5,
        "detail": {
            "steps": 2,
            "samplers": record()["detail"]["samplers"],
            "where": ["a=2x"],
            "ranges": [],
            "from_tex": 2,
            "by_code": 0,
            "by_definition": 1,
            "library": 0,
        },
    }


@pytest.mark.parametrize(
    ("points", "words"), [(9, "all of them"), (10, "ten points")]
)
def test_how_many_points_are_compared_to_25_digits(capsys, points, words):
    derivation("Twice", "x+x", equals("2x"), points=points, x=real())
    assert f"at {words} to 25 digits" in " ".join(
        capsys.readouterr().out.split()
    )


def test_each_inequality_says_where_it_comes_nearest(capsys):
    derivation(
        "Squares",
        "x^2+y^2",
        at_least("2xy"),
        at_least("2xy-1"),
        x=real(),
        y=real(),
        edge=[{"x": 1.0, "y": 1.0}],
    )
    out = " ".join(capsys.readouterr().out.split())
    assert (
        out.count("Line 2 is attained to 1e-9 at x = 1.0000, y = 1.0000.")
        == 1
    )
    assert "Line 3 comes nearest, to 1.0e+00, at x = " in out
    assert out.index("held at") < out.index("Line 2") < out.index("Line 3")


def test_two_shadowed_names_have_meanings_of_their_own(capsys):
    derivation(
        "Priors",
        r"\pi e",
        equals(r"e\pi"),
        names={"e": "e"},
        pi=unit(),
        e=unit(),
    )
    out = " ".join(capsys.readouterr().out.split())
    assert r"Here \pi, e have meanings of their own." in out


def test_a_first_line_by_code_is_run_by_the_code():
    with pytest.raises(CheckFailed, match="does not hold"):
        derivation(
            "By hand",
            "x + x",
            equals("2x"),
            start=lambda x: 3 * x,
            x=real(),
        )


def test_a_limit_between_code_is_refused():
    with pytest.raises(CheckFailed, match="is a limit between code"):
        derivation(
            "By hand",
            "x + h",
            tends_to("x", h=0.0),
            start=lambda x, h: x + h,
            x=real(),
        )


def test_a_number_stands_for_each_value_of_free_indices_on_either_side():
    indexed, plain = "z_iz_j-z_jz_i", "0"
    ranges = [r"i\in\{1,\dots,n\}", r"j\in\{1,\dots,n\}"]
    for first, then in ((indexed, plain), (plain, indexed)):
        derivation(
            "Commute",
            first,
            equals(then),
            ranges=ranges,
            n=integer(2, 4),
            z=logits("n"),
            points=20,
        )


def test_a_definition_may_be_the_line_before_one_that_writes_it_out():
    derivation(
        "Doubled",
        "x+x",
        equals("a"),
        by_definition("2x"),
        equals("4x/2"),
        where=["a=2x"],
        x=real(),
    )
    with pytest.raises(CheckFailed, match="is line 3 itself"):
        derivation(
            "Doubled",
            "x+x",
            equals("4x/2"),
            equals("2x"),
            equals("a+x-x"),
            by_definition("2x+x-x"),
            where=["a=2x"],
            x=real(),
        )


def test_lambdas_on_a_line_are_told_apart_by_arguments_names_constants():
    shared = 2
    texts = [
        [step.tex for step in steps]
        for steps in (
            [library(lambda x: abs(x)), library(lambda x: min(x))],
            [library(lambda x: abs(x)), library(lambda y: abs(y))],
            [library(lambda x: x + 1), library(lambda x: x + 1.5)],
            [library(lambda x: x + shared), library(lambda x: x + 1)],
        )
    ]
    assert texts == [
        ["abs(x)", "min(x)"],
        ["abs(x)", "abs(y)"],
        ["x + 1", "x + 1.5"],
        ["x + shared", "x + 1"],
    ]


def test_an_error_at_a_limit_is_relative_to_a_large_limit_only():
    with pytest.raises(CheckFailed, match="leaves no error"):
        derivation(
            "Large",
            r"10^{9}(1+x)+h",
            tends_to(r"10^{9}(1+x)", h=0.0),
            x=positive(),
        )
    derivation(
        "Small", r"10^{-9}x+h", tends_to(r"10^{-9}x", h=0.0), x=positive()
    )


def test_a_function_of_the_book_is_shadowed_by_a_draw(capsys):
    derivation("A name", "H+H", equals("2H"), H=real())
    out = " ".join(capsys.readouterr().out.split())
    assert "Here H has a meaning of its own." in out


def test_what_is_displayed_goes_with_its_record(monkeypatch):
    seen = []
    monkeypatch.setattr(
        derivations, "display_check", lambda *shown: seen.append(shown)
    )
    derivation("Twice", "x+x", equals("2x", "count"), points=5, x=real())
    ((markdown, plain, kept),) = seen
    assert kept is record()
    assert markdown.startswith("**Twice**\n\n$$\n\\begin{aligned}\n& x+x")
    assert plain.startswith("Twice\n      x+x\n    = 2x")


def test_the_values_of_the_last_line():
    samplers = {"n": integer(2, 4), "z": logits("n")}
    drawn = draw_points(samplers, 300, [])
    lines = [derivations.Step("", "z_k"), equals("2z_k")]
    found = derivations.Run(lines, drawn, [], []).values()
    assert len(found) == 300
    assert {len(point["z"]) for point, _ in found} == {2, 3, 4}
    for point, value in found:
        np.testing.assert_allclose(value, 2 * np.asarray(point["z"]))


def test_the_sides_of_a_line_are_compared_with_each_other():
    derivation("A", "x+x=2x", equals("3x-x=x+x+0"), x=real())
    for first, then in (("x+x=3x", "4x-2x"), ("x+x", "3x-x=2x+1")):
        with pytest.raises(CheckFailed, match="does not hold at x = "):
            derivation("A", first, equals(then), x=real())


def test_a_first_line_by_code_has_its_mark_and_the_foot_says_what_is_fine(
    capsys,
):
    derivation(
        "Twice", "x+x", equals("2x"), x=real(), start=lambda x: 2 * x
    )
    out = capsys.readouterr().out
    assert "      x+x    (✓)\n    = 2x    ✓\n" in out
    assert "and at ten points those from TeX to 25 digits." in " ".join(
        out.split()
    )
    derivation("Twice", "x+x", equals("2x"), x=real())
    out = capsys.readouterr().out
    assert "      x+x\n    = 2x    ✓\n" in out
    assert "and at ten points to 25 digits." in " ".join(out.split())
