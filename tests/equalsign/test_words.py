"""Words, numbers, tables and TeX, as the reader sees them."""

from __future__ import annotations

import numpy as np
import pytest

from equalsign._words import (
    _cell_text,
    aligned,
    all_digits,
    at_point,
    code_rows,
    counted,
    markdown_table,
    said,
    short_value,
    symbol,
    tex_rows,
    tex_text,
    text_columns,
    unmarked,
)


@pytest.mark.parametrize(
    ("name", "tex"),
    [
        ("lam", r"\lambda"),
        ("lamda_", r"\lambda"),
        ("z_t_k", "z_{t_k}"),
        ("omega_0", r"\omega_{0}"),
        ("gap_1", r"\mathrm{gap}_{1}"),
        ("_q", "q"),
    ],
)
def test_more_symbols(name, tex):
    assert symbol(name) == tex


def test_one_is_counted_without_an_s():
    assert counted(1, "point") == "1 point"
    assert counted(0, "point") == "0 points"
    assert counted(2, "set of two", "sets of two") == "2 sets of two"
    assert counted(1, "set of two", "sets of two") == "1 set of two"


# --- Rows short enough for a phone --------------------------------------------------------------


def words_of(rows):
    opening, end = r"& \quad{\small\rlap{\text{", "}}}"
    assert all(r.startswith(opening) and r.endswith(end) for r in rows)
    return [row.removeprefix(opening).removesuffix(end) for row in rows]


def test_a_reason_is_broken_where_a_phone_ends():
    nine = "nine---nine---nine"
    assert words_of(tex_rows(f"{nine} {nine}")) == [f"{nine} {nine}"]
    assert words_of(tex_rows(f"{nine} {nine}s")) == [nine, f"{nine}s"]
    rows = [f"{nine} {nine}"] * 3
    assert words_of(tex_rows(" ".join(rows))) == rows


def test_a_word_too_long_for_a_row_has_its_own():
    long = "x" * 50
    assert words_of(tex_rows(f"{long} {long}")) == [long, long]
    assert tex_rows("") == []


def test_maths_is_as_wide_as_what_tex_sets_and_is_not_broken():
    maths = r"$\alpha_{1}^{2}$"  # three letters and a space
    nine = " ".join([maths] * 9)
    assert words_of(tex_rows(nine)) == [nine]
    assert words_of(tex_rows(f"{nine} {maths}")) == [nine, maths]
    spaced = "$a + b + c + d + e + f$,"
    assert words_of(tex_rows(f"where it follows {spaced}")) == [
        "where it follows",
        spaced,
    ]


def said_rows(formulas):
    (block,) = said(formulas)
    opening, end = "$$\n\\begin{aligned}\n", "\n\\end{aligned}\n$$"
    assert block.startswith(opening)
    assert block.endswith(end)
    return block.removeprefix(opening).removesuffix(end).split(" \\\\\n")


def test_what_is_presumed_is_broken_between_formulas():
    assert said([]) == []
    assert said_rows(["a=1", "b=2"]) == [
        r"& {\small \text{where }a=1,\quad b=2}"
    ]
    ten = "a=bcdefghi"  # sixteen with what is between two formulas
    assert said_rows([ten, ten + "j"]) == [
        rf"& {{\small \text{{where }}{ten},\quad {ten}j}}"
    ]
    assert said_rows([ten, ten + "jk", ten, ten, ten]) == [
        rf"& {{\small \text{{where }}{ten},}}",
        rf"& {{\small {ten}jk,\quad {ten},}}",
        rf"& {{\small {ten},\quad {ten}}}",
    ]


def test_a_formula_too_long_for_a_row_has_its_own():
    long = "x=" + "y" * 40
    assert said_rows([long, "a=1"]) == [
        rf"& {{\small \text{{where }}{long},}}",
        r"& {\small a=1}",
    ]


def test_code_is_broken_at_its_spaces_only():
    assert code_rows("a_loss(logits - 1, labels, eps1)") == [
        "a_loss(logits - 1, labels, eps1)"
    ]
    assert code_rows("a_loss(logits - 1, labels, eps12)") == [
        "a_loss(logits - 1, labels,",
        "eps12)",
    ]
    hyphens = "a_loss(first-second-third-fourth-fifth)"
    assert code_rows(f"x = {hyphens}") == ["x =", hyphens]


# --- TeX and Markdown ---------------------------------------------------------------------------


def test_words_are_escaped_and_maths_is_not():
    assert (
        tex_text("50% of $n_0$ & n_0 #1 $a&b$")
        == r"\text{50\% of $n_0$ \& n\_0 \#1 $a&b$}"
    )


def test_a_block_has_its_label_behind_it():
    block = "$$\n\\begin{aligned}\n& a \\\\\n& b\n\\end{aligned}\n$$"
    assert aligned(["& a", "& b"], "eq-a") == f"{block} (eq-a)"
    assert aligned(["& a", "& b"], None) == block


def test_a_terminal_sees_no_marks():
    assert (
        unmarked("**A** <small>of $x_1$ * 2</small>, 1 < 2")
        == "A of x_1 * 2, 1 < 2"
    )


def test_bars_do_not_end_a_cell():
    cell = "a|b $|x|$\nand $\\|y\\|$ c|d"
    assert (
        _cell_text(cell) == r"a\|b $\vert x\vert $ and $\Vert y\Vert $ c\|d"
    )
    assert markdown_table(["name", ""], [["a|b", "1"], ["c", "2"]]) == (
        "| name |  |\n| --- | --- |\n| a\\|b | 1 |\n| c | 2 |"
    )


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [["", "name", "n"], ["", "x", "10"], ["", "longer", ""]]
    assert text_columns(rows) == "  name    n\n  x       10\n  longer"


# --- Numbers ------------------------------------------------------------------------------------


def test_all_digits_tell_two_numbers_apart():
    assert all_digits(0.1) == "0.10000000000000001"
    assert all_digits([0.1 + 0.2, 1]) == "[0.30000000000000004, 1]"
    assert all_digits(np.array([3, 4])) == "[3, 4]"
    assert "\n" not in all_digits(np.linspace(0, 1, 300))
    assert all_digits(np.linspace(0, 1, 300)).count(", ") == 299


def test_all_digits_of_a_tensor_with_a_gradient():
    torch = pytest.importorskip("torch")
    assert all_digits(torch.ones(2, requires_grad=True)) == "[1, 1]"


def test_a_point_is_told_by_its_names():
    assert at_point({}) == ""
    assert at_point({"n": 2, "z": [0.5, 1]}) == " at n = 2, z = [0.5, 1]"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1 / 3, "0.3333"),
        (-1 / 3, "-0.3333"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (0.001, "0.0010"),
        (-0.001, "-0.0010"),
        (0.00099951, "0.0009995"),
        (9_999_999.0, "9999999.0000"),
        (1e7, "1e+07"),
        (12_345_678.0, "1.235e+07"),
        (-np.inf, "-inf"),
        (3, "3"),
        (True, "True"),
        ("a", "a"),
        ((1, 0.5), "[1, 0.5000]"),
        ([[0.25], [2]], "[[0.2500], [2]]"),
        (np.float32(0.5), "0.5000"),
        (np.array([[1.0, 2.0]]), "[[1.0000, 2.0000]]"),
    ],
)
def test_the_reader_is_shown_four_decimals(value, shown):
    assert short_value(value) == shown
