# ruff: noqa: E501 -- a message to a person stays on one line, so that it can be searched for
"""The site, opened as a reader opens it.

Every page in a real browser with the network shut, from a server and from disk. `make book` builds
what is tested here. Every gate is itself tested, at the end of the file, on a fault planted for it.
To look at another build, set BOOK_HTML to its folder.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from book import ROOT
from book.gates import BACK_MATTER
from book.sphinx import api, maths
from book.sphinx import html as site_html
from equalsign.tex.notation import DEFINITIONS

HTML = Path(os.environ.get("BOOK_HTML", ROOT / "_build" / "html"))

SCHEMES = ("http", "file")
WIDTHS = (1280, 768, 390)
SOURCES = (
    "_config.yml",
    "_toc.yml",
    "index.md",
    "references.bib",
    "chapters",
    "api",
    "losslib",
    "equalsign/src",
    "book/src",
    "_static",
    "_templates",
)
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip

BUILD_FIRST = "Run `make book` first (or `jupyter-book build . -W --keep-going -n`), then the tests again."
NO_BROWSER = (
    "These tests open the book in Chromium, and none of {} is on the PATH.\n"
    "What to do: on Debian or Ubuntu `apt-get install --no-install-recommends chromium`; elsewhere install Chromium or "
    "Chrome, or set CHROMIUM to the path of its program."
)


def pages() -> list[str]:
    found = sorted(
        p.relative_to(HTML).as_posix()
        for p in HTML.rglob("*.html")
        if "_static" not in p.relative_to(HTML).parts
    )
    return found or ["index.html"]


PAGES = pages()
CHAPTERS = [p for p in PAGES if p.startswith("chapters/")]
# Pages of source are alike, and long: the accessibility checker looks at the shortest, the other
# gates at the longest, too; all are opened.
SOURCE_PAGES = sorted(
    (p for p in PAGES if p.startswith("_modules/")),
    key=lambda p: (HTML / p).stat().st_size,
)
DERIVING = [
    p
    for p in CHAPTERS
    if (HTML / p).is_file()
    and '<span class="reason">' in (HTML / p).read_text(encoding="utf-8")
]
CHECKED_PAGES = [p for p in PAGES if p not in SOURCE_PAGES[1:]]


def report(problems: list[str], page: str) -> None:
    """Fail with every problem of a page at once."""
    problems = list(dict.fromkeys(problems))
    assert not problems, (
        f"{page}: {len(problems)} problem(s)\n"
        + "\n".join(f"- {problem}" for problem in problems)
    )


# ---------------------------------------------------------------------------------------------------------------------
# Fixtures


def stale(html: Path, root: Path = ROOT) -> str:
    """Why the built site cannot be tested as it stands, or nothing."""
    mark = html / site_html.STAMP
    if not mark.is_file():
        return (
            f"No finished build of the book lies in {html}. {BUILD_FIRST}"
        )
    built = mark.stat().st_mtime
    files = [
        p
        for name in SOURCES
        for p in (
            [root / name]
            if (root / name).is_file()
            else (root / name).rglob("*")
        )
    ]
    newer = [
        p
        for p in files
        if p.is_file()
        and p.stat().st_mtime > built
        and not {"__pycache__", ".ipynb_checkpoints"} & set(p.parts)
    ]
    if newer:
        names = ", ".join(
            sorted(p.relative_to(root).as_posix() for p in newer)[:5]
        )
        return f"The built site is older than its sources ({names}). {BUILD_FIRST}"
    return ""


@pytest.fixture(scope="session")
def site() -> Path:
    why_not = stale(HTML) if "BOOK_HTML" not in os.environ else ""
    if why_not:
        pytest.fail(why_not, pytrace=False)
    return HTML


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def serve(folder: Path):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="session")
def base(site):
    """The address of the site, by scheme."""
    server = serve(site)
    yield {
        "http": f"http://127.0.0.1:{server.server_port}/",
        "file": site.resolve().as_uri() + "/",
    }
    server.shutdown()
    server.server_close()


def find_browser() -> str | None:
    return os.environ.get("CHROMIUM") or next(
        (path for name in BROWSERS if (path := shutil.which(name))), None
    )


@pytest.fixture(scope="module")
def browser():
    path = find_browser()
    if path is None:
        pytest.fail(NO_BROWSER.format(", ".join(BROWSERS)), pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=FLAGS
        )
        yield running
        running.close()


class Visit:
    """A page opened in a window of its own, and all that went wrong in it."""

    def __init__(self, browser, width=1280, theme="light", javascript=True):
        self.problems: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            reduced_motion="reduce",
            color_scheme=theme,
        )
        self.page = self.context.new_page()
        self.page.on(
            "console",
            lambda m: (
                m.type in {"error", "warning"}
                and self.problems.append(
                    f"the browser's console says ({m.type}): {m.text}"
                )
            ),
        )
        self.page.on(
            "pageerror",
            lambda e: self.problems.append(f"a script failed: {e}"),
        )
        self.page.on("request", self._request)
        self.page.on(
            "requestfailed",
            lambda r: self.problems.append(
                f"could not load {r.url}: {r.failure}"
            ),
        )
        self.page.on(
            "response",
            lambda r: (
                r.status >= 400
                and self.problems.append(
                    f"could not load {r.url}: status {r.status}"
                )
            ),
        )

    def _request(self, request):
        url = urlsplit(request.url)
        if (
            url.scheme in {"http", "https", "ws", "wss"}
            and url.hostname != "127.0.0.1"
        ):
            self.problems.append(
                site_html.explain_foreign(
                    request.resource_type, request.url
                )
            )

    def open(self, address, whole=False):
        """Go to an address; what a reader would see on the way down is laid out at once if the whole page is looked at."""
        self.page.goto(address, wait_until="load")
        if whole:
            self.page.add_style_tag(
                content="section { content-visibility: visible !important; }"
            )
        return self.page

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


# ---------------------------------------------------------------------------------------------------------------------
# The gates: each takes a page and says what is wrong with it

TEXTS = r"""() => {
  const article = document.querySelector("article") || document.body;
  const walk = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!parent.closest(".katex, code, pre, script, style, svg") || parent.closest(".tex-error")) texts.push(walk.currentNode.textContent);
  }
  return texts;
}"""

RAW = [
    (r"\$\$?[^\s$][^$\n]*\$", "TeX between dollar signs"),
    (r"\$\$", "a $$ that opens or closes nothing"),
    (r"\\\(|\\\[|\\[A-Za-z]{2,}", "a TeX command"),
    (r"\\begin\{|\\end\{", "a TeX environment"),
    (
        r"\{(eq|ref|numref|term|cite[:a-z]*|prf:ref|glue[:a-z]*|doc|math)\}",
        "a role that was not read",
    ),
    (r":[a-z:]+:`[^`]+`|``", "reStructuredText that was not read"),
]


def raw_tex(texts: list[str]) -> list[str]:
    """The texts of a page that show their source."""
    found = []
    for text in texts:
        for pattern, name in RAW:
            if match := re.search(pattern, text):
                around = " ".join(
                    text[
                        max(0, match.start() - 30) : match.end() + 30
                    ].split()
                )
                found.append(
                    f"the reader sees {name}: “{around}”. What to do: put a formula between $…$ or $$…$$ in Markdown (with a blank line "
                    "around $$…$$), close every dollar, and write \\$ for a price."
                )
                break
    return found


IMAGES = r"""() => [...document.images].map(image => ({
  src: image.getAttribute("src") || "", alt: image.getAttribute("alt"), loaded: image.complete && image.naturalWidth > 0,
}))"""


def bad_images(images: list[dict]) -> list[str]:
    """Images that did not load, or that say nothing to those who do not see them."""
    found = []
    for image in images:
        if not image["loaded"]:
            found.append(
                f"the image {image['src']} did not load: is the file there, under the name that the page uses?"
            )
        alt = (image["alt"] or "").strip()
        if not alt or re.search(r"\.(svg|png|jpe?g|gif|webp)$", alt):
            found.append(f"{image['src']}: {site_html.ALT_HELP}")
    return found


def sideways(page) -> list[str]:
    """What sticks out of the page, at each width."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            culprit = page.evaluate(
                """width => [...document.querySelectorAll("article *")].filter(e => e.getBoundingClientRect().right > width + 1)
                   .slice(0, 3).map(e => e.tagName.toLowerCase() + (e.className && e.className.baseVal === undefined ? "." + e.className : ""))""",
                width,
            )
            found.append(
                f"at {width} px the page is {wide} px wide and scrolls sideways; it is {culprit or 'outside the article'}. "
                "What to do: a wide formula or table scrolls in a box of its own; break a long word, and give an image no fixed width."
            )
    return found


def examine(visit: Visit) -> list[str]:
    """All gates but accessibility, on the page that is open."""
    page = visit.page
    found = raw_tex(page.evaluate(TEXTS))
    found += [
        f"this formula did not set: {tex}"
        for tex in page.eval_on_selector_all(
            ".tex-error, .katex-error", "all => all.map(e => e.textContent)"
        )
    ]
    return found + loaded(visit) + sideways(page)


def loaded(visit: Visit) -> list[str]:
    """What failed while the page that is open was loaded, which its address may decide."""
    return visit.problems + bad_images(visit.page.evaluate(IMAGES))


UNFOLD = """() => {
  document.querySelectorAll("article details").forEach(e => e.open = true);
  document.querySelectorAll(".toggle-hidden").forEach(e => e.classList.remove("toggle-hidden"));
}"""


THIN_OUT = """() => {
  const seen = new Set();
  document.querySelectorAll("article pre span").forEach(word => {
    const kind = word.closest("pre").parentElement.parentElement.className + " " + word.className;
    if (seen.has(kind)) word.replaceWith(...word.childNodes);
    seen.add(kind);
  });
  const formulas = {};
  document.querySelectorAll("article .katex").forEach(formula => {
    const kind = [formula.tagName, formula.getAttribute("role"), formula.parentElement.className, formula.parentElement.tagName];
    formulas[kind] = (formulas[kind] || 0) + 1;
    if (formulas[kind] <= 5) return;
    formula.removeAttribute("role");
    formula.removeAttribute("aria-label");
    formula.textContent = "x";
  });
}"""


@functools.lru_cache(maxsize=1)
def axe_script() -> str:
    import axe_playwright_python

    return (
        Path(axe_playwright_python.__file__).parent / "axe.min.js"
    ).read_text(encoding="utf-8")


COLOURS = ["color-contrast", "link-in-text-block"]

# Words that look the same, on the same ground, have the same contrast: one of each look is enough.
LOOKS = """() => {
  const seen = new Set(), grounds = new Map();
  function ground(e) {
    if (!e) return "";
    if (!grounds.has(e)) {
      const style = getComputedStyle(e), own = style.backgroundColor + style.backgroundImage + style.opacity + style.filter;
      grounds.set(e, ground(e.parentElement) + (own === "rgba(0, 0, 0, 0)none1none" ? "" : own + ">"));
    }
    return grounds.get(e);
  }
  document.querySelectorAll("[data-look]").forEach(e => e.removeAttribute("data-look"));
  document.querySelectorAll("body *").forEach(e => {
    if (![...e.childNodes].some(part => part.nodeType === Node.TEXT_NODE && part.textContent.trim())) return;
    if (!e.checkVisibility()) return;
    const style = getComputedStyle(e), link = e.closest("a");
    const look = [style.color, style.fontSize, style.fontWeight, style.textDecorationLine, ground(e), link && getComputedStyle(link.parentElement).color].join();
    if (!seen.has(look)) e.setAttribute("data-look", "");
    seen.add(look);
  });
  return seen.size;
}"""


def axe(
    page, rules: list[str] | None = None, around: bool = False
) -> list[str]:
    """What the accessibility checker finds, by all its rules or by some, in the page or around its article.

    The rules about colours see one of all words that look the same.
    """
    page.evaluate(axe_script())
    # Two kinds of node make most of a chapter, and the checker takes minutes over them: words of code,
    # of which one of each colour stays, and formulas, of which five of each kind stay.
    page.evaluate(THIN_OUT)
    # No preload: it fetches the style sheets again, which a browser forbids on file://.
    options: dict = {"preload": False, "resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = rules
    else:
        options["rules"] = {rule: {"enabled": False} for rule in COLOURS}
    where = {"exclude": [["article"]]} if around else {}
    violations = [] if rules == COLOURS else run_axe(page, where, options)
    if (rules is None or rules == COLOURS) and page.evaluate(LOOKS):
        del options["runOnly" if rules else "rules"]
        options["runOnly"] = COLOURS
        where = {"include": [["[data-look]"]], **where}
        violations += run_axe(page, where, options)
    return [
        f"{violation['id']}: {violation['help']} ({len(violation['nodes'])} ×), first in {violation['nodes'][0]['html'][:200]}\n"
        f"    {' '.join(violation['nodes'][0]['failureSummary'].split())}\n    what it is and how to mend it: {violation['helpUrl'].split('?')[0]}"
        for violation in violations
    ]


def run_axe(page, where: dict, options: dict) -> list[dict]:
    return page.evaluate(
        "([where, o]) => axe.run(Object.keys(where).length ? where : document, o)",
        [where, options],
    )["violations"]


SCROLLS = """() => [...document.querySelectorAll(".math-scroll")].filter(
  e => e.clientWidth && (e.scrollWidth > e.clientWidth) !== e.hasAttribute("tabindex")).map(e => e.getAttribute("aria-label"))"""

SETTLED = """() => document.fonts.ready.then(() => new Promise(done =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)))))"""


def unreached(page) -> list[str]:
    """Boxes that scroll sideways and cannot be focused, and stops at boxes that do not."""
    return [
        f"at {page.viewport_size['width']} px the keyboard does not stop at {name}, which scrolls, or stops where nothing does"
        for name in page.evaluate(SCROLLS)
    ]


# ---------------------------------------------------------------------------------------------------------------------
# The site in the browser


@pytest.mark.parametrize("page", PAGES)
def test_page(browser, base, page):
    """No failed request, no console message, no raw TeX, every image there and described, nothing sticking out.

    And nothing that the accessibility checker refuses, in the light and in the dark, on a wide screen and on a phone.
    """
    with Visit(browser) as visit:
        look = loaded if page in SOURCE_PAGES[1:-1] else examine
        opened = visit.open(base["http"] + page, whole=look is examine)
        problems = look(visit)
        if page in CHECKED_PAGES:
            problems += accessible(opened)
        report(problems, page)


def accessible(page) -> list[str]:
    """What is not accessible in a page, each thing looked for where it can differ."""
    page.evaluate(UNFOLD)
    assert theme_of(page) == "light"
    page.evaluate(SETTLED)  # still as wide as a phone
    found = unreached(page)
    # The article is the same on a phone, but for what scrolls; what stands around it is not.
    found += axe(page, around=True) + axe(
        page, ["scrollable-region-focusable"]
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate(SETTLED)
    found += axe(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "document.documentElement.dataset.theme == 'dark'"
    )
    # The structure of the page is the same in the dark; only its colours are not.
    return found + axe(page, COLOURS)


def theme_of(page) -> str:
    return page.evaluate("document.documentElement.dataset.theme")


@pytest.mark.parametrize("page", PAGES)
def test_page_from_disk(browser, base, page):
    with Visit(browser) as visit:
        visit.open(base["file"] + page)
        report(loaded(visit), f"{page} (from disk)")


def test_a_stop_where_nothing_scrolls_is_found(browser):
    box = '<div class="math-scroll" aria-label="E" style="overflow:auto;width:50px" {}><p style="width:{}px">x</p></div>'
    with Visit(browser) as visit:
        visit.page.set_content(
            box.format("", 20) + box.format("tabindex=0", 200)
        )
        assert unreached(visit.page) == []
        visit.page.set_content(
            box.format("tabindex=0", 20) + box.format("", 200)
        )
        assert len(unreached(visit.page)) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_search(browser, base, scheme):
    with Visit(browser) as visit:
        page = visit.open(base[scheme] + "index.html")
        page.locator(
            ".search-button-field, .search-button__button"
        ).first.click()
        field = page.locator("#pst-search-dialog input[type=search]")
        field.fill("entropy")
        field.press("Enter")
        page.wait_for_url("**/search.html?q=entropy*")
        page.wait_for_selector("#search-results li a")
        hits = page.eval_on_selector_all(
            "#search-results li a", "all => all.map(a => a.textContent)"
        )
        assert hits, "the search for “entropy” found nothing"
        page.locator("#search-results li a").first.click()
        page.wait_for_load_state()
        assert "entropy" in page.inner_text("article").lower()
        report(visit.problems, f"search ({scheme})")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dark_mode(browser, base, scheme):
    ground = "getComputedStyle(document.body).backgroundColor"
    with Visit(browser) as visit:
        page = visit.open(base[scheme] + "index.html")
        light = page.evaluate(ground)
        for _ in range(3):
            page.locator("button.theme-switch-button:visible").first.click()
            if (
                page.evaluate("document.documentElement.dataset.theme")
                == "dark"
            ):
                break
        assert (
            page.evaluate("document.documentElement.dataset.theme")
            == "dark"
        ), "the button does not lead to the dark theme"
        assert page.evaluate(ground) != light, (
            "the dark theme has the ground of the light one"
        )
        page.wait_for_timeout(500)  # the browser stores it in its own time
        page.reload()
        assert (
            page.evaluate("document.documentElement.dataset.theme")
            == "dark"
        ), "the choice is forgotten when the page is opened again"
        report(visit.problems, f"dark mode ({scheme})")


SLIDERS = [
    page
    for page in PAGES
    if (HTML / page).is_file()
    and '<div class="book-slider"' in (HTML / page).read_text("utf-8")
]

MOVED = """figure => ({
  value: figure.querySelector("output").textContent,
  spoken: figure.querySelector("input").getAttribute("aria-valuetext"),
  points: [...figure.querySelectorAll("[data-points]")].map(e => e.getAttribute("points")).join(";"),
})"""


def sliders(page) -> list[str]:
    """What is wrong with the sliders of a page, each moved by keyboard to its ends and back."""
    found = []
    for figure in page.query_selector_all(".book-slider"):
        knob = figure.query_selector("input[type=range]")
        last = int(knob.get_attribute("max"))
        first = int(knob.get_attribute("value"))
        knob.focus()
        seen = {}
        moves = ["Home", *["ArrowRight"] * last, "ArrowRight", "End"]
        places = [*range(last + 1), last, last]
        for key, place in zip(moves, places, strict=True):
            knob.press(key)
            state = figure.evaluate(MOVED)
            if int(knob.input_value()) != place:
                found.append(f"{key} does not lead to step {place}")
            if not state["points"] or "undefined" in str(state):
                found.append(f"step {place} has no points: {state}")
            if state["spoken"] != state["value"]:
                found.append(
                    f"step {place} is read out as {state['spoken']!r}, and shows {state['value']!r}"
                )
            if seen.setdefault(place, state) != state:
                found.append(
                    f"step {place} is not the same when it is come back to"
                )
        for key in ("value", "points"):
            shown = [state[key] for state in seen.values()]
            found += [
                f"between steps {i} and {i + 1} its {key} does not change"
                for i in range(last)
                if shown[i] == shown[i + 1]
            ]
        if first not in seen or not figure.query_selector(
            "svg[role=img][aria-label]"
        ):
            found.append("it has no first frame, or no alternative text")
        if not figure.evaluate(
            "f => [...f.querySelector('input').labels].some(l => l.innerText.trim())"
        ):
            found.append("its slider has no label that is seen")
    return found


def test_some_page_has_a_slider(site):
    assert "chapters/logits.html" in SLIDERS


@pytest.mark.parametrize("page", SLIDERS)
def test_slider_by_keyboard(browser, base, page):
    with Visit(browser) as visit:
        opened = visit.open(base["file"] + page)
        report(sliders(opened) + visit.problems, page)


@pytest.fixture(scope="module")
def slider_html() -> str:
    """A slider that works."""
    from book import figures as style

    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            style, "display", lambda data, raw: shown.append(data)
        )
        rows = [[0, k, 2 * k] for k in range(4)]
        style.slider("*a*", range(4), alt="Up it goes", caption="Up", curves={"a": ([0, 1, 2], rows)}, start=2)  # fmt: skip
    return shown[0]["text/html"]


def test_slider_that_works(browser, slider_html):
    with Visit(browser) as visit:
        visit.page.set_content(slider_html)
        assert sliders(visit.page) + visit.problems == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("e.setAttribute(k,v)", "0", "its points does not change"),
        ("e.textContent=v", "0", "its value does not change"),
        (
            "split(&#x27;|&#x27;)[i]",
            "split(&#x27;|&#x27;)[+i+1]",
            "undefined",
        ),
        ("this.setAttribute(", "void(", "is read out as"),
        ('max="3"', 'max="4"', "undefined"),
        ("<span><i>a</i></span>", "", "no label that is seen"),
        ('role="img"', "", "no alternative text"),
    ],
)
def test_faulty_slider_is_found(browser, slider_html, old, new, words):
    assert old in slider_html
    with Visit(browser) as visit:
        visit.page.set_content(slider_html.replace(old, new))
        assert words in "\n".join(sliders(visit.page))


@pytest.mark.parametrize("page", SLIDERS)
def test_slider_stands_still_on_paper_and_without_scripts(
    browser, base, page
):
    with Visit(browser) as visit:
        opened = visit.open(base["http"] + page)
        assert opened.locator(".book-slider:visible").count()
        assert not opened.locator("figure.moves img:visible").count()
        opened.emulate_media(media="print")
        assert not opened.locator(".book-slider:visible").count()
        assert opened.locator("figure.moves img:visible").count()
    with Visit(browser, javascript=False) as visit:
        opened = visit.open(base["http"] + page)
        assert not opened.locator(".book-slider:visible").count()
        assert opened.locator("figure.moves img:visible").count()


def test_every_check_with_a_label_shows_its_number():
    numbered = 0
    for page in CHAPTERS:
        html = (HTML / page).read_text(encoding="utf-8")
        for block in html.split('<div class="math notranslate')[1:]:
            if block.startswith(' lines" id="equation-'):
                numbered += 1
                assert 'class="eqno"' in block, f"{page}: {block[:80]}"
    assert numbered > 300


TALL = """() => {
  document.head.insertAdjacentHTML("beforeend", "<style>section { content-visibility: visible !important }</style>");
  return document.documentElement.scrollHeight; }"""


@pytest.mark.parametrize(
    "page", [p for p in DERIVING if Path(p).stem not in BACK_MATTER]
)
def test_a_chapter_is_read_within_thirty_screens(browser, base, page):
    with Visit(browser) as visit:
        opened = visit.open(base["file"] + page)
        opened.evaluate(SETTLED)
        screens = opened.evaluate(TALL) / 1000
        assert screens <= 30, (
            f"{page} is {screens:.1f} screens of 1000 px long, and may be 30: fold what few need, or cut"
        )


def test_small_screen_menu(browser, base):
    with Visit(browser, width=390) as visit:
        page = visit.open(base["http"] + "index.html")
        page.locator("button.primary-toggle:visible").first.click()
        page.wait_for_selector("#pst-primary-sidebar-modal[open]")
        assert page.locator(
            "#pst-primary-sidebar-modal a:visible"
        ).count() >= len(CHAPTERS)
        report(visit.problems + axe(page), "menu at 390 px")


def test_maths_needs_no_script(browser, base):
    with Visit(browser, javascript=False) as visit:
        page = visit.open(base["file"] + "index.html")
        assert page.locator("article .katex").count() > 0, (
            "the formulas of the cover were not set when the book was built"
        )
        assert page.locator("article math").count() > 0, (
            "the formulas have no MathML, which is what a screen reader reads"
        )


def test_fonts_are_the_books_own(browser, base):
    with Visit(browser) as visit:
        page = visit.open(base["http"] + "index.html")
        page.evaluate("() => document.fonts.ready")
        used = page.evaluate(
            "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family.replaceAll('\"', ''))"
        )
        assert {"Source Serif 4", "Source Sans 3"} <= set(used), (
            f"loaded: {sorted(set(used))}"
        )


LINES = """() => [...document.querySelectorAll(".line")].filter(e => e.querySelector(".reason")).map(line => {
  const formula = line.querySelector(".formula").getBoundingClientRect(), reason = line.querySelector(".reason").getBoundingClientRect();
  return [formula.width, line.clientWidth, reason.left >= formula.right - 1 && reason.top < formula.bottom, reason.top >= formula.bottom - 1];
})"""


@pytest.mark.parametrize("page", DERIVING)
def test_a_line_and_its_reason(browser, base, page):
    """They stand side by side where there is room, and one under the other on a phone."""
    with Visit(browser) as visit:
        opened = visit.open(base["http"] + page, whole=True)
        opened.evaluate(UNFOLD)
        opened.set_viewport_size({"width": 1280, "height": 900})
        opened.evaluate(SETTLED)
        lines = opened.evaluate(LINES)
        assert lines
        for formula, line, beside, below in lines:
            # Two hundred pixels are what a reason takes.
            assert beside if formula < line - 230 else beside or below
        beside = sum(line[2] for line in lines)
        assert beside >= 0.75 * len(lines), (beside, len(lines))
        opened.set_viewport_size({"width": 390, "height": 900})
        opened.evaluate(SETTLED)
        assert all(line[3] for line in opened.evaluate(LINES))


# ---------------------------------------------------------------------------------------------------------------------
# The built files


class _Links(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key == "id" and value:
                self.ids.add(value)
            if key in {"href", "src"} and value:
                self.links.append(value)


def dead_links(html: Path) -> list[str]:
    """Links inside a site that lead to no file, or to no place in it."""
    parsed = {
        path.resolve(): _Links(path.read_text(encoding="utf-8"))
        for path in html.rglob("*.html")
        if "_static" not in path.parts
    }
    found = []
    for path, page in parsed.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or link.startswith("//"):
                continue
            target = (
                (path.parent / unquote(url.path)).resolve()
                if url.path
                else path
            )
            name = path.relative_to(html.resolve()).as_posix()
            if not target.exists():
                found.append(
                    f"{name} links to {link}, and no such file is in the site"
                )
            elif (
                url.fragment
                and target in parsed
                and unquote(url.fragment) not in parsed[target].ids
            ):
                found.append(
                    f"{name} links to {link}, and that page has no such place"
                )
    return found


def foreign_resources(html: Path) -> list[str]:
    """What the pages and style sheets of a site load from other hosts."""
    found = []
    for path in sorted(html.rglob("*")):
        name = path.relative_to(html).as_posix()
        if path.suffix == ".html" and "_static" not in path.parts:
            found += [
                f"{name}: {site_html.explain_foreign(tag, url)}"
                for tag, url in site_html.foreign(
                    path.read_text(encoding="utf-8")
                )
            ]
        elif path.suffix == ".css":
            urls = site_html.css_urls(path.read_text(encoding="utf-8"))
            found += [
                f"{name}: {site_html.explain_foreign('style', url)}"
                for url in urls
                if site_html.is_foreign(url)
            ]
        elif path.suffix == ".svg":
            found += [
                f"{name}: {site_html.explain_foreign(tag, url)}"
                for tag, url in site_html.foreign(
                    path.read_text(encoding="utf-8")
                )
            ]
    return found


@pytest.mark.parametrize(
    "page", [p for p in DERIVING if Path(p).stem not in BACK_MATTER]
)
def test_the_account_is_folded_under_its_number(site, page):
    text = (site / page).read_text(encoding="utf-8")
    (before, after) = text.split('<details class="account">')
    assert re.search(r"\d+ checks held: [^<]*</p>\s*$", before)
    assert "<table" in after.partition("</details>")[0]


def test_no_other_host(site):
    report(foreign_resources(site), "the site")


def test_no_dead_link(site):
    report(dead_links(site), "the site")


def test_every_file_of_the_toc_is_a_page(site):
    listed = re.findall(
        r"^\s*(?:- file|root):\s*(\S+)",
        (ROOT / "_toc.yml").read_text(encoding="utf-8"),
        flags=re.M,
    )
    assert {f"{name}.html" for name in listed} <= set(PAGES)
    loose = {
        p.relative_to(ROOT).with_suffix("").as_posix()
        for ext in ("ipynb", "md")
        for p in (ROOT / "chapters").glob(f"*.{ext}")
    } - set(listed)
    assert not loose, (
        f"in no entry of _toc.yml, and so in no page: {sorted(loose)}"
    )


def test_notation_prints_what_the_formulas_read(site):
    page = (site / "chapters" / "notation.html").read_text(encoding="utf-8")
    printed = page.partition('<ul class="definitions')[2].partition(
        "</ul>"
    )[0]
    rows = re.findall(r"<li>.*?</li>", printed, flags=re.DOTALL)
    assert len(rows) == len(DEFINITIONS)
    for row, tex in zip(rows, DEFINITIONS, strict=True):
        body = maths.render(tex).partition(">")[2]
        assert body in row, tex


def entries(html: Path) -> dict[str, list[tuple[str, str]]]:
    """The entries of the library's pages: the page, and its HTML, by name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted((html / "api").glob("*.html")):
        parts = re.split(
            r'<dt class="sig sig-object py" id="([\w.]+)">',
            path.read_text(encoding="utf-8"),
        )
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            found.setdefault(name, []).append((path.name, text))
    return found


def api_gaps(html: Path, modules: dict[str, list[str]]) -> list[str]:
    """Functions that lack their entry, the way from it to their chapter, or the way back."""
    found = []
    written = entries(html)
    index = (html / "genindex.html").read_text(encoding="utf-8")
    for module, names in modules.items():
        chapter = f"chapters/{module}.html"
        for name in names:
            places = written.get(f"losslib.{name}", [])
            if len(places) != 1:
                found.append(
                    f"losslib.{name} has {len(places)} entries in the pages of the library. What to do: give {module} a "
                    "place in REGIONS of book/src/book/sphinx/map.py, and its region a page in api/ with the directive lossapi."
                )
                continue
            page, text = places[0]
            if f"_modules/losslib/{module}.html#{name}" not in text:
                found.append(
                    f"{page}: losslib.{name} has no link to its source"
                )
            if (html / chapter).is_file():
                if f'href="../{chapter}"' not in text:
                    found.append(
                        f"{page}: losslib.{name} has no link to {chapter}"
                    )
            elif "still to come" not in text:
                found.append(
                    f"{page}: losslib.{name} does not say that its chapter is to come"
                )
            before = text.partition("<p>Derived in")[0].rstrip()
            last = re.sub(r"<[^>]+>", "", before[before.rfind("<p>") :])
            if before.endswith("</p>") and not last.endswith((".", ".)")):
                found.append(
                    f"{page}: the way from losslib.{name} to its chapter stands in the middle of a sentence"
                )
            if f"api/{page}#losslib.{name}" not in index:
                found.append(f"the index has no losslib.{name}")
    return found


def test_library_has_its_pages(site):
    report(api_gaps(site, api.exported()), "the library")
    written = entries(site)
    lost = [
        f"{tool}.{name} has no entry"
        for tool in api.TOOLS
        for name in api.tool(tool)
        if f"{tool}.{name}" not in written
    ]
    report(lost, "the library")


def test_gaps_of_the_library_are_found(tmp_path):
    for folder in ("api", "chapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "chapters" / "focal.html").touch()
    (tmp_path / "genindex.html").touch()
    page = tmp_path / "api" / "classification.html"
    entry = '<dt class="sig sig-object py" id="losslib.focal_loss">{}'
    page.write_text(entry.format(""), encoding="utf-8")
    modules = {"focal": ["focal_loss", "poly_loss"]}
    gaps = "\n".join(api_gaps(tmp_path, modules))
    for words in (
        "losslib.focal_loss has no link to its source",
        "losslib.focal_loss has no link to chapters/focal.html",
        "the index has no losslib.focal_loss",
        "losslib.poly_loss has 0 entries",
        "REGIONS",
    ):
        assert words in gaps
    for paragraph, cut in (
        ("Half a sentence", True),
        ("A sentence.", False),
    ):
        text = f"<p>{paragraph}</p>\n<p>Derived in the chapter.</p>"
        page.write_text(entry.format(text), encoding="utf-8")
        found = "\n".join(api_gaps(tmp_path, modules))
        assert ("in the middle of a sentence" in found) == cut
    (tmp_path / "chapters" / "focal.html").unlink()
    assert "its chapter is to come" in "\n".join(
        api_gaps(tmp_path, modules)
    )
    page.write_text(entry.format("") * 2, encoding="utf-8")
    assert "losslib.focal_loss has 2 entries" in "\n".join(
        api_gaps(tmp_path, modules)
    )


def test_an_example_is_left_as_it_is_typed():
    lines = ['One of "none" and "sum".', '>>> f("none",', '...   "sum")']
    api.quote(None, "function", "f", None, None, lines)
    assert lines[0] == 'One of ``"none"`` and ``"sum"``.'
    assert lines[1:] == ['>>> f("none",', '...   "sum")']


def test_a_shown_source_leads_to_the_library(site):
    """In a chapter, the name of a function whose source is shown is a link to its entry."""
    public = {n for names in api.exported().values() for n in names}
    shown = {
        (path.stem, name)
        for path in sorted((ROOT / "chapters").glob("*.ipynb"))
        for name in re.findall(
            r"\bsource\((?:losslib\.)?(\w+)\)",
            path.read_text(encoding="utf-8"),
        )
        if name in public
        and (site / "chapters" / f"{path.stem}.html").is_file()
    }
    assert shown, "no chapter shows a source"
    lost = [
        f"chapters/{chapter}.html shows the source of {name} without a link to its entry"
        for chapter, name in sorted(shown)
        if not re.search(
            rf'<a class="api-link" href="\.\./api/\w+\.html#losslib\.{name}"',
            (site / "chapters" / f"{chapter}.html").read_text("utf-8"),
        )
    ]
    report(lost, "the library")


@pytest.mark.parametrize("page", CHAPTERS)
def test_chapter_can_be_downloaded(site, page):
    sources = [
        name
        for ext in ("ipynb", "md")
        if (
            site / "_sources" / (name := page.removesuffix("html") + ext)
        ).is_file()
    ]
    assert sources, "the source of the page is not in the site"
    assert f"_sources/{sources[0]}" in (site / page).read_text(
        encoding="utf-8"
    ), "the page has no button that downloads its notebook"


# ---------------------------------------------------------------------------------------------------------------------
# The gates, tested on planted faults

FAULTY = """<!doctype html><html lang="en"><head><title>planted</title></head><body><main><h1>planted</h1><article>
<p>A price of 3 dollars, a formula that was not set: $\\frac12$.</p>
<img src="https://example.org/loss.png" alt="A falling curve">
<img src="there.svg"><img src="missing.svg" alt="Nothing">
<p style="width: 900px">wide</p>
<p style="color: #ccc; background: #fff">pale</p>
<script>console.error("planted message"); throw new Error("planted failure");</script>
</article></main></body></html>"""


@pytest.fixture(scope="module")
def faults(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "index.html").write_text(FAULTY, encoding="utf-8")
    (folder / "there.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        encoding="utf-8",
    )
    with Visit(browser) as visit:
        visit.open((folder / "index.html").as_uri())
        return "\n".join(
            examine(visit)
            + axe(visit.page)
            + foreign_resources(folder)
            + dead_links(folder)
        )


@pytest.mark.parametrize(
    "words",
    [
        "the reader sees TeX between dollar signs",
        "<image> loads https://example.org/loss.png, which lies on another host",
        "index.html: <img> loads https://example.org/loss.png",
        "download the file, put it under _static/",
        "there.svg: this image has no alternative text",
        "say in one sentence what it shows",
        "the image missing.svg did not load",
        "index.html links to missing.svg, and no such file",
        "scrolls sideways",
        "planted message",
        "planted failure",
        "color-contrast",
        "image-alt",
    ],
)
def test_planted_fault_is_found(faults, words):
    assert words in faults


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            '<script src="https://cdn.example.org/a.js"></script>',
            "https://cdn.example.org/a.js",
        ),
        (
            '<link rel="stylesheet" href="//cdn.example.org/a.css">',
            "//cdn.example.org/a.css",
        ),
        (
            '<iframe src="http://example.org/"></iframe>',
            "http://example.org/",
        ),
        (
            "<style>@font-face { src: url('https://example.org/a.woff2') }</style>",
            "https://example.org/a.woff2",
        ),
        (
            '<p style="background: url(https://example.org/a.png)">',
            "https://example.org/a.png",
        ),
        (
            '<img srcset="a.png 1x, https://example.org/b.png 2x">',
            "https://example.org/b.png",
        ),
        (
            '<style>@import "https://example.org/a.css";</style>',
            "https://example.org/a.css",
        ),
    ],
)
def test_other_hosts_are_seen(html, expected):
    assert [url for _, url in site_html.foreign(html)] == [expected]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.org/">a link</a>',
        '<img src="a.png">',
        '<img src="data:image/png;base64,AA">',
        '<link rel="canonical" href="https://example.org/">',
    ],
)
def test_links_and_own_files_are_fine(html):
    assert site_html.foreign(html) == []


@pytest.mark.parametrize(
    "text", ["it costs 5 or 6 $", "a \\ b", "p(x) = 1/2", "C:\\n"]
)
def test_plain_text_is_no_tex(text):
    assert raw_tex([text]) == []


def test_stale_build_is_refused(tmp_path):
    assert "make book" in stale(tmp_path, tmp_path)
    (tmp_path / site_html.STAMP).touch()
    source = tmp_path / "index.md"
    source.touch()
    os.utime(source, (2e9, 2e9))
    assert "index.md" in stale(tmp_path, tmp_path)
    os.utime(source, (1e9, 1e9))
    assert stale(tmp_path, tmp_path) == ""


NOTEBOOK_FAULTS = r"""
import json, pathlib, sys
markdown = ["# Planted\n", "\n", "A good $x^2$ and a broken $\\frac{a}{$ formula.\n", "\n", "![](https://example.org/loss.png)"]
picture = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
code = {"cell_type": "code", "id": "b", "metadata": {}, "execution_count": 1, "source": "derivation()", "outputs": [
    {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": "**D**\n\n$$\na \\foo b\n$$ (eq-d)", "text/plain": "d"}},
    {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": picture, "text/plain": "p"}}]}
cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": markdown}, code]
pathlib.Path("index.ipynb").write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
"""


@pytest.fixture(scope="module")
def faulty_build(tmp_path_factory):
    """A book of one notebook with a broken formula in its text, one in an output, and two bad images; built as ours is."""
    folder = tmp_path_factory.mktemp("faulty-book")
    (folder / "conf.py").write_text(
        "extensions = ['myst_nb', 'book.sphinx.maths', 'book.sphinx.html']\n"
        "html_theme = 'basic'\nhtml_math_renderer = 'book_katex'\nnb_execution_mode = 'off'\nnb_render_markdown_format = 'myst'\n"
        "nb_mime_priority_overrides = [('html', 'text/markdown', 0), ('html', 'image/svg+xml', 1)]\n"
        "myst_enable_extensions = ['dollarmath']\nroot_doc = 'index'\n",
        encoding="utf-8",
    )
    subprocess.run(
        [sys.executable, "-c", NOTEBOOK_FAULTS], cwd=folder, check=True
    )
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-N",
            "-q",
            ".",
            "out",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return run, folder / "out"


def test_faulty_book_does_not_build(faulty_build):
    run, out = faulty_build
    assert run.returncode != 0, run.stderr
    assert (out / "index.html").is_file(), run.stderr
    assert not (out / site_html.STAMP).exists(), (
        "a build with warnings counts as finished"
    )


@pytest.mark.parametrize(
    "words",
    [
        "index.ipynb: cell 1, line 3: WARNING: this formula is not TeX that KaTeX can set",
        r"the formula: \frac{a}{",
        r"Undefined control sequence: \foo",
        "index.ipynb: cell 2",
        "what to do:",
        "mend the cell and run it again",
        "https://example.org/loss.png, which lies on another host",
        "download the file, put it under _static/",
        "this image has no alternative text",
    ],
)
def test_faulty_book_says_where_and_what_to_do(faulty_build, words):
    assert words in faulty_build[0].stderr, faulty_build[0].stderr


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac{a}{",
        r"\undefined",
        r"x^a^b",
        r"\begin{aligned} a",
        "中",
        r"\left( a",
    ],
)
def test_broken_formula_is_refused(tex):
    with pytest.raises(maths.TeXError) as refused:
        maths.render(tex, display=True)
    message = maths.explain(tex, refused.value)
    assert tex in message
    assert "what to do:" in message


@pytest.mark.parametrize(
    "tex",
    [
        r"\log\sum_k e^{z_k} = \langle p,z\rangle + H(p) + \mathrm{KL}(p\,\|\,\mathrm{softmax}(z))",
        r"\begin{aligned} & a && \checkmark \\ & \quad{\footnotesize\text{because $x<1$}} \end{aligned}",
        r"\mathbb E_{x\sim p}\,[f(x)] \to 0 \quad\text{as } \tau\to0",
    ],
)
def test_good_formula_is_set_with_mathml(tex):
    html = maths.render(tex, display=True)
    assert 'class="katex-display"' in html
    assert "<math" in html
