"""Faults planted in derivations of the chapters, as they stand: each is refused, and said why."""

import ast
import re
from pathlib import Path

import pytest

import equalsign
import losslib
from book import gates
from equalsign import CheckFailed

ROOT = Path(__file__).resolve().parents[2]
BOOK = {chapter.name: chapter for chapter in gates.chapters(ROOT)}


def call(name: str, label: str) -> ast.Call:
    """Give the call of a derivation without its last line, where that is the library's."""
    for cell in BOOK[name].code_cells:
        for found in cell.calls:
            labelled = found.keyword("label")
            if labelled is not None and ast.literal_eval(labelled) == label:
                node = found.node
                last = node.args[-1]
                if isinstance(last, ast.Call) and last.func.id == "library":
                    node.args = node.args[:-1]
                return node
    raise AssertionError(f"no derivation {label}")


def run(name: str, label: str, right: str, wrong: str, **more: list[str]):
    """Run a derivation of a chapter with a fault in it."""
    node = ast.parse(ast.unparse(call(name, label)), mode="eval").body
    planted = 0
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            planted += right in part.value
            part.value = part.value.replace(right, wrong)
    assert planted, f"{label} does not show {right}"
    for keyword, values in more.items():
        node.keywords = [k for k in node.keywords if k.arg != keyword]
        node.keywords.append(
            ast.keyword(keyword, ast.parse(repr(values), mode="eval").body)
        )
    names = {n: getattr(equalsign, n) for n in equalsign.__all__}
    names |= {"GAMMAS": (0.0, 0.5, 1.0, 2.0, 5.0), "losslib": losslib}
    names["angle"] = equalsign.between(0.001, 3.1)
    whole = ast.fix_missing_locations(ast.Expression(node))
    eval(compile(whole, label, "eval"), names)


FAULTS = {
    "a sign": ("multiclass", "eq-ce-margins",
        r"\log\sum_k e^{z_k}-z_t", r"\log\sum_k e^{z_k}+z_t",
        r"line 4, .* does not hold at n = "),
    "an omitted k≠t": ("multiclass", "eq-ce-margins",
        r"\sum_{k\ne t}e^{z_k-z_t}", r"\sum_{k}e^{z_k-z_t}",
        r"line 6, .* does not hold at n = "),
    "a wrong index set": ("multilabel", "eq-ml-zlpr",
        r"\Bigl(1+\sum_{j\notin T}e^{s_j}\Bigr)\Bigr]",
        r"\Bigl(1+\sum_{j\in T}e^{s_j}\Bigr)\Bigr]",
        r"line 3, .* does not hold at n = "),
    "a wrong exponent": ("focal", "eq-focal-one-number",
        r"\frac1{1+e^{u}}\Bigr)^{\!\gamma}",
        r"\frac1{1+e^{u}}\Bigr)^{\!2\gamma}",
        r"line 3, .* does not hold at n = "),
    "an argument that has no end": ("angular", "eq-ang-arc-shift",
        r"s\cos\theta-s", r"\cos(\theta)s-s", r"(?s)\^\n.*"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_chapter_is_refused(fault):
    name, label, right, wrong, words = FAULTS[fault]
    with pytest.raises(CheckFailed, match=words):
        run(name, label, right, wrong)


def test_a_definition_that_is_the_line_is_refused():
    with pytest.raises(
        CheckFailed,
        match=re.escape(r"the definition a=-\log\hat y_t is line 2"),
    ):
        run(
            "multiclass",
            "eq-ce-margins",
            r"-\log\frac{e^{z_t}}{\sum_k e^{z_k}}",
            "a",
            where=[
                r"\hat y=\mathrm{softmax}(z)",
                r"y=\mathrm{onehot}(t)",
                r"a=-\log\hat y_t",
            ],
        )


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_fault_it_holds(fault):
    name, label, right, *_ = FAULTS[fault]
    run(name, label, right, right)
