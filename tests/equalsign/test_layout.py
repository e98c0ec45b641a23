"""What a check displays is read back whole, so that a page may lay it out anew."""

from __future__ import annotations

import json
import re
from math import inf

import pytest

from book import ROOT
from equalsign import RECORD_TYPE, layout, tends_to
from equalsign._words import tex_rows

BLOCK = re.compile(r"\$\$\n(\\begin\{aligned\}.*?)\n\$\$", re.DOTALL)


def displayed() -> list[tuple[dict, list[str]]]:
    """Give the record of every stored check, and the blocks that it displays."""
    found = []
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                if RECORD_TYPE in data and "text/markdown" in data:
                    markdown = "".join(data["text/markdown"])
                    blocks = BLOCK.findall(markdown)
                    found.append((data[RECORD_TYPE], blocks))
    return found


CHECKS = displayed()


def plain(tex: str) -> str:
    return re.sub(r"\s", "", tex)


def test_every_stored_line_is_read_back():
    steps = 0
    for record, blocks in CHECKS:
        if record["kind"] != "derivation":
            continue
        read = layout.lines(blocks[0])
        lines = record["lines"]
        assert len(read) == len(lines), record["statement"]
        for shown, line in zip(read, lines, strict=True):
            if shown.code:
                assert plain(shown.code) == plain(line["tex"])
            else:
                assert shown.tex.endswith(line["tex"])
            by_code = r"(\checkmark)" in blocks[0].partition(r"\\")[0]
            assert bool(shown.mark) == (bool(line["relation"]) or by_code)
            assert shown.words.endswith(" ".join(line["reason"].split()))
            steps += 1
    assert steps > 400


@pytest.mark.parametrize(
    ("rate", "limit"), [(1, 0.0), (2, 3.0), (inf, inf)]
)
def test_how_fast_a_limit_is_approached_stands_apart_from_the_reason(
    rate, limit
):
    step = tends_to("x", "only one term is left", rate=rate, h=limit)
    rows = [*tex_rows(step.convergence()), *tex_rows(step.reason)]
    block = "\\begin{aligned}\n& y \\\\\n& \\to x && \\checkmark \\\\\n"
    block += " \\\\\n".join(rows) + "\n\\end{aligned}"
    line = layout.lines(block)[1]
    assert line.words == f"{step.convergence()}; only one term is left"


def test_every_stored_definition_is_read_back():
    some = 0
    for record, blocks in CHECKS:
        detail = record["detail"]
        beside = [*detail.get("where", ()), *detail.get("ranges", ())]
        shown = [x for block in blocks if (x := layout.presumed(block))]
        assert shown == ([beside] if beside else [])
        some += bool(beside)
    assert some > 100


def test_every_stored_gradient_is_read_back():
    gradients = [
        layout.lines(blocks[0])
        for record, blocks in CHECKS
        if record["kind"] == "gradient" and record["lines"]
    ]
    assert gradients
    for (line,) in gradients:
        assert (line.mark, line.words) == ("✓", "autograd ✓ differences")


def test_no_block_is_read_both_ways():
    for _, blocks in CHECKS:
        for block in blocks:
            assert bool(layout.lines(block)) != bool(layout.presumed(block))


def test_marks():
    rows = [
        r"x",
        r"= x^2 && (\checkmark)",
        r"\ge y && \triangleq",
        r"= {\small\texttt{losslib.f\_g(x,}} && \checkmark",
        r"\quad {\small\texttt{y)}}",
        r"\quad{\small\rlap{\text{5\% of a\_b, $a_b$}}}",
    ]
    block = "\n".join(
        [
            r"\begin{aligned}",
            " \\\\\n".join(f"& {row}" for row in rows),
            r"\end{aligned}",
        ]
    )
    assert layout.lines(block) == [
        layout.Line("x"),
        layout.Line("= x^2", mark="(✓)"),
        layout.Line(r"\ge y", mark="≜"),
        layout.Line("=", "losslib.f_g(x, y)", "✓", "5% of a_b, $a_b$"),
    ]


def test_a_first_line_by_code_has_its_mark():
    block = "\\begin{aligned}\n& x && (\\checkmark) \\\\\n& = y && \\checkmark\n\\end{aligned}"
    assert layout.lines(block) == [
        layout.Line("x", mark="(✓)"),
        layout.Line("= y", mark="✓"),
    ]


def test_maths_in_words_keeps_its_signs():
    block = (
        "\\begin{aligned}\n& x \\\\\n& = y && \\checkmark \\\\\n"
        r"& \quad{\small\rlap{\text{5\% of $a\_b$}}}"
        "\n\\end{aligned}"
    )
    assert layout.lines(block)[1].words == r"5% of $a\_b$"


def test_code_without_a_mark_has_none():
    block = (
        "\\begin{aligned}\n& x \\\\\n"
        r"& = {\small\texttt{f(x)}}"
        "\n\\end{aligned}"
    )
    assert layout.lines(block)[1] == layout.Line("=", "f(x)", "")


@pytest.mark.parametrize(
    "tex",
    [
        "x",
        "\\begin{aligned}\n& a &= b\n& c\n\\end{aligned} d",
        "\\begin{aligned}\n& a \\\\\n& = b\n\\end{aligned}",
    ],
)
def test_other_blocks_are_left_alone(tex):
    assert layout.lines(tex) == []
    assert layout.presumed(tex) == []
