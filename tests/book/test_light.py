# ruff: noqa: E501 -- HTML is not broken into lines
"""A formula with few nodes has the glyphs of the formula with many, at the same places."""

from __future__ import annotations

import json
import re

import pytest
from test_site import find_browser

from book import ROOT
from book.sphinx import light, maths

FORMULAS = [
    "z",
    r"\gamma",
    "z_t",
    r"\hat y_t",
    r"\hat y_{t,k}^{(i)}",
    r"x_i^2",
    "x'_i",
    r"\bar x+\tilde y-\dot z",
    r"\hat Y",
    r"e^{z_{t_1}}",
    r"e^{-\|x-\mu_k\|^2/2\sigma_k^2}",
    r"-\log\hat y_t=\log\sum_ke^{z_k}-z_t",
    r"\displaystyle\sum_{k\ne t}\hat y_k",
    r"\frac{e^{z_t}}{\sum_k e^{z_k}}",
    r"\sqrt{x_1^2+x_2^2}",
    r"\mathbb E_{x\sim p}[f(x)]\to0",
    r"\Bigl(\sum_{k\ne t}\hat y_k\Bigr)^{\!\gamma}\log\hat y_t",
    r"\begin{cases}x_+&x>0\\0&\text{else}\end{cases}",
    r"\begin{aligned}a_1&=b\\&\le c^2\end{aligned}",
    r"\mathrm{KL}(p\,\|\,q)\ge0",
    r"\langle w,x\rangle",
    r"\underbrace{a+b}_{n}",
    r"w^\top x",
    r"\max_{j\ne t}z_j",
    r"\widehat{ab}",
    r"\operatorname*{arg\,max}_k z_k",
    r"\nabla\!_z\,\ell",
    r"p\in(0,1)",
    r"\;\alpha",
]

GLYPHS = """() => [...document.querySelectorAll("p")].map(p => {
  const walk = document.createTreeWalker(p, NodeFilter.SHOW_TEXT), start = p.getBoundingClientRect(), found = [];
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (node.parentElement.closest(".katex-mathml")) continue;
    for (let i = 0; i < node.length; i++) {
      if ("\\u200b\\n ".includes(node.data[i])) continue;
      const range = document.createRange();
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const box = range.getBoundingClientRect();
      found.push([node.data[i], box.left - start.left, box.bottom - start.top, box.height]);
    }
  }
  return [found.sort((a, b) => a[1] - b[1] || a[2] - b[2]), p.getBoundingClientRect().height];
})"""


@pytest.fixture(scope="module")
def engine():
    yield
    maths.close_engine()


def many(tex: str, display: bool = False) -> str:
    """A formula as KaTeX writes it."""
    call = f"setFormula({json.dumps(tex)}, {json.dumps(display)}, {json.dumps(maths.OPTIONS)})"
    return json.loads(maths.engine().eval(f"JSON.stringify({call})"))[
        "html"
    ]


def sheet() -> str:
    folder = ROOT / "_static"
    katex = (folder / "katex" / "katex.min.css").read_text("utf-8")
    fonts = (folder / "katex" / "fonts").as_uri()
    own = (folder / "book.css").read_text("utf-8")
    # What stands in the style sheet of the book about formulas, with the size of what is around them.
    rules = "\n".join(
        line
        for line in own.splitlines()
        if re.match(r"(span\.math)?\.katex[ .>:]|\.katex \.", line)
    )
    return (
        katex.replace("url(fonts", f"url({fonts}")
        + rules
        + "sub, sup { position: relative; font-size: .75em; line-height: 0; vertical-align: baseline } sub { bottom: -.25em } sup { top: -.5em }"
        + "p { font-size: 20px; line-height: 1.6; margin: 0; white-space: nowrap; width: max-content }"
    )


def test_glyphs_stay_where_they_are(engine, tmp_path):
    from playwright.sync_api import sync_playwright

    found = []
    for name, form in (("many", many), ("few", maths.render)):
        body = "".join(f"<p>a {form(tex)} b</p>" for tex in FORMULAS)
        page = tmp_path / f"{name}.html"
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>{sheet()}</style>{body}",
            encoding="utf-8",
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"]
        )
        for name in ("many", "few"):
            page = browser.new_page()
            page.goto((tmp_path / f"{name}.html").as_uri())
            page.evaluate("() => document.fonts.ready")
            found.append(page.evaluate(GLYPHS))
        browser.close()
    wrong = []
    for tex, (before, high), (after, now) in zip(
        FORMULAS, *found, strict=True
    ):
        if [x[0] for x in before] != [x[0] for x in after]:
            wrong.append(f"{tex}: other glyphs, or another order")
            continue
        gap = max(
            abs(a - b)
            for x, y in zip(before, after, strict=True)
            for a, b in zip(x[1:], y[1:], strict=True)
        )
        if gap > 0.7 or abs(high - now) > 1:
            wrong.append(
                f"{tex}: {gap:.2f} px apart, {now - high:.2f} higher"
            )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("tex", "most"), [("z", 1), ("z_t", 3), (r"\hat y_t", 4), ("H(p)", 3)]
)
def test_simple_formulas_have_few_nodes(engine, tex, most):
    html = maths.render(tex)
    assert html.count("</") <= most < many(tex).count("</")


@pytest.mark.parametrize(
    ("tex", "words"),
    [
        ("z_t", "z sub t"),
        (r"\hat y_t", "y hat sub t"),
        ("x_i^2", "x sub i to the 2"),
        ("10^{-9}", "10 to the minus 9"),
        (r"w^\top x", "w transposed x"),
        ("f'(x)", "f prime (x)"),
    ],
)
def test_simple_formulas_are_spoken(engine, tex, words):
    html = maths.render(tex)
    assert f'role="math" aria-label="{words}"' in html
    assert "<math" not in html


@pytest.mark.parametrize(
    "tex", ["a=b", r"\frac12", r"\sum_k p_k", r"\sqrt x"]
)
def test_other_formulas_keep_their_mathml(engine, tex):
    html = maths.render(tex)
    assert "<math>" in html
    assert "annotation" not in html


def test_what_is_not_from_katex_stays():
    assert light.lighten("<b>x</b>") == "<b>x</b>"
