"""What is left out of a page says nothing."""

from __future__ import annotations

import pytest
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Token

from book import ROOT
from book.sphinx import html

ORDINARY = (Token.Text, Token.Name)
SETTINGS = (ROOT / "_config.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_plain_words_have_the_colour_of_what_is_around_them(theme):
    (line,) = (x for x in SETTINGS.splitlines() if f"pygments_{theme}" in x)
    style = get_style_by_name(line.split()[-1])
    around = style.style_for_token(Token)
    for name in html.PLAIN_WORDS:
        (kind,) = (
            k for k, short in STANDARD_TYPES.items() if short == name
        )
        found = style.style_for_token(kind)
        for part in ("bold", "italic", "underline", "bgcolor", "border"):
            assert not found[part], (name, part)
        same = {style.style_for_token(k)["color"] for k in ORDINARY}
        assert found["color"] in same | {around["color"]}, name


def test_coloured_words_stay():
    word = '<span class="k">if</span>'
    plain = '<span class="n">a</span><span class="p">:</span>'
    code = f"<pre><span></span>{word} {plain}</pre>"
    assert html.plain_words(code) == f"<pre>{word} a:</pre>"
