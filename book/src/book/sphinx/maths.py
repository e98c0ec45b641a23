# ruff: noqa: D103, D401, E501 -- hooks have the names Sphinx gives them; a message stays on one line, to be searched for
"""Formulas, set when the book is built.

A Sphinx maths renderer: every formula goes through KaTeX (the script lies next to this file, V8
runs it), and the page receives finished HTML and MathML. The reader's browser runs no script for
maths and asks no other host for one. A formula that KaTeX refuses becomes a Sphinx warning that
says where it is and what to do, so ``-W`` makes the build fail on it.
"""

from __future__ import annotations

import atexit
import json
import re
import threading
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue

from docutils import nodes
from py_mini_racer import MiniRacer, init_mini_racer
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from book.sphinx.fresh import HTML
from book.sphinx.light import lighten
from equalsign import layout

logger = logging.getLogger(__name__)

KATEX = Path(__file__).parent / "katex" / "katex.min.js"

#: Equations with a name in place of a number. ``{eq}`eq-m``` reads "(M)" all through the book.
NAMED_EQUATIONS = {"eq-m": "M"}

OPTIONS = {
    "output": "htmlAndMathml",
    "throwOnError": True,
    "trust": False,
    "macros": {},
}

HELP = {
    "unicodeTextInMathMode": "letters outside TeX belong in \\text{…}; for Greek write \\alpha, \\pi, …",
    "Undefined control sequence": "KaTeX does not know this command, or it is misspelt: see its list of supported functions",
    "Expected 'EOF'": "a brace, an & or an environment ends where none began",
    "Expected '}'": "a brace is opened and not closed",
    "Expected group": "a command misses its argument: write \\frac{a}{b}, x^{2}, …",
    "Double superscript": "two ^ on one symbol: group them with braces, {x^a}^b",
    "Double subscript": "two _ on one symbol: group them with braces, {x_a}_b",
}

_SCRIPT = """
function setFormula(tex, display, options) {
  options.displayMode = display;
  options.strict = function (code) { return code === "newLineInDisplayMode" ? "ignore" : "error"; };
  try { return {html: katex.renderToString(tex, options)}; }
  catch (error) { return {error: String(error.message || error)}; }
}
"""


class TeXError(ValueError):
    """A formula that KaTeX refuses."""


class Engine(threading.Thread):
    """V8 with KaTeX, which one thread starts, runs and closes.

    V8 opens its memory to the thread that initialises it and to the threads which that one starts;
    on a processor with memory protection keys, any other that frees a context ends the program. So
    the thread that sets the first formula initialises V8, this one descends from it, and nothing is
    left to the garbage collector.
    """

    def __init__(self) -> None:
        super().__init__(name="katex", daemon=True)
        self._calls: SimpleQueue[tuple[Future[str], str] | None]
        self._calls = SimpleQueue()
        self._ready: Future[None] = Future()
        init_mini_racer(ignore_duplicate_init=True)
        self.start()
        self._ready.result()

    def run(self) -> None:
        """Answer calls until there is none to come."""
        try:
            racer = MiniRacer()
            racer.eval(KATEX.read_text(encoding="utf-8"))
            racer.eval(_SCRIPT)
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        while (call := self._calls.get()) is not None:
            answer, script = call
            try:
                answer.set_result(racer.eval(script))
            except Exception as error:
                answer.set_exception(error)
        racer.close()

    def eval(self, script: str) -> str:
        """Run a script that gives a text."""
        answer: Future[str] = Future()
        self._calls.put((answer, script))
        return answer.result()

    def close(self) -> None:
        """Close V8's context, in its own thread."""
        self._calls.put(None)
        self.join()


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Give the engine that runs; start it if none does."""
    started = Engine()
    atexit.register(started.close)
    return started


def close_engine(*_: object) -> None:
    """Close the engine, if one runs; the next formula starts another."""
    if engine.cache_info().currsize:
        running = engine()
        engine.cache_clear()
        atexit.unregister(running.close)
        running.close()


def render(tex: str, display: bool = False) -> str:
    r"""HTML and MathML of a formula; raises `TeXError` on one that is not TeX.

    >>> "katex" in render(r"\frac12")
    True
    """
    key = f"formula {display} {tex}"
    if key not in HTML:
        HTML[key] = by_katex(tex, display)
    return HTML[key]


def by_katex(tex: str, display: bool = False) -> str:
    """The same, set anew."""
    call = f"setFormula({json.dumps(tex)}, {json.dumps(display)}, {json.dumps(OPTIONS)})"
    answer = json.loads(engine().eval(f"JSON.stringify({call})"))
    if "error" in answer:
        raise TeXError(re.sub(r"^KaTeX parse error: ", "", answer["error"]))
    return lighten(answer["html"])


def explain(tex: str, error: Exception) -> str:
    """The warning for a formula that did not set: what KaTeX said, the formula, and what to try."""
    hint = next(
        (
            text
            for sign, text in HELP.items()
            if sign.lower() in str(error).lower()
        ),
        "look where the message points",
    )
    shown = " ".join(tex.split())
    shown = shown if len(shown) <= 160 else shown[:157] + "…"
    return (
        f"this formula is not TeX that KaTeX can set: {error}\n"
        f"    the formula: {shown}\n"
        f"    what to do:  {hint}. Mend it in the source named above; if it is an output of a notebook, mend the cell "
        "and run it again."
    )


def place(node: nodes.Node, env) -> object:
    """Where a node stands, for a warning. In a notebook, the cell and its line instead of MyST-NB's running line number."""
    line, probe = None, node
    while probe is not None and not line:
        line, probe = probe.line, probe.parent
    docname = env.docname or getattr(
        node.document.settings.env, "docname", ""
    )
    source = env.doc2path(docname, False)
    if source.endswith(".ipynb") and line and line >= 10000:
        return f"{env.doc2path(docname)}: cell {line // 10000}, line {max(1, line % 10000 - 1)}"
    return (docname, line)


def _set(translator, node, tex: str, display: bool) -> str:
    try:
        return render(tex, display)
    except TeXError as error:
        env = translator.builder.env
        docname = (
            getattr(translator.builder, "current_docname", None)
            or env.docname
        )
        env.temp_data.setdefault("docname", docname)
        logger.warning(
            explain(tex, error),
            location=place(node, env),
            type="book",
            subtype="tex",
        )
        return f'<code class="tex-error">{translator.encode(tex)}</code>'


def visit_inline(translator, node):
    tag = translator.starttag(node, "span", "", CLASS="math notranslate")
    html = _set(translator, node, node.astext(), display=False)
    # One element for both, where the formula is one.
    own = re.match(r'<span class="(katex[^"]*)"', html)
    if own:
        tag = tag.replace('class="', f'class="{own[1]} ', 1)
        translator.body.append(tag[:-1] + html[own.end() :])
    else:
        translator.body.append(f"{tag}{html}</span>")
    raise nodes.SkipNode


def visit_block(translator, node):
    tex = node.astext()
    if node.get("check"):
        if presumed := layout.presumed(tex):
            formulas = ", ".join(
                _set(translator, node, formula, display=False)
                for formula in presumed
            )
            translator.body.append(
                f'<p class="presumed math notranslate">where {formulas}</p>\n'
            )
            raise nodes.SkipNode
        lines = layout.lines(tex)
    else:
        lines = []
    number = eqno = ""
    if node.get("number"):
        number = NAMED_EQUATIONS.get(
            node.get("label")
        ) or get_node_equation_number(translator, node)
    kind = " lines" if lines else " numbered" if number else ""
    translator.body.append(
        translator.starttag(node, "div", CLASS="math notranslate" + kind)
    )
    if number:
        start = len(translator.body)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
        eqno = "".join(translator.body[start:])
        del translator.body[start:]
    # A formula wider than the page scrolls in its own box, and the box is reached by keyboard. (book.js drops the
    # tab stop where nothing scrolls.)
    name = f"Equation {number}" if number else "Formula"
    translator.body.append(
        f'<div class="math-scroll" tabindex="0" role="group" aria-label="{name}">'
    )
    if lines:
        translator.body += [
            _line(translator, node, line, "" if i else eqno)
            for i, line in enumerate(lines)
        ]
        translator.body.append("</div></div>\n")
    else:
        translator.body.append(_set(translator, node, tex, display=True))
        translator.body.append(f"</div>{eqno}</div>\n")
    raise nodes.SkipNode


def _line(translator, node, line: layout.Line, eqno: str) -> str:
    """A line of a check: its formula, and beside it, or below, its mark and its reason."""
    formula = _set(
        translator, node, rf"\displaystyle {line.tex}", display=False
    )
    if line.code:
        code = re.sub(
            r"(?<=[(_])(?=\w)", "<wbr>", translator.encode(line.code)
        )
        formula += f" <code>{code}</code>"
    pieces = [
        _set(translator, node, piece, display=False)
        if index % 2
        else translator.encode(piece)
        for index, piece in enumerate(line.words.split("$"))
    ]
    beside = eqno
    if line.mark:
        beside = f'<span class="reason">{line.mark} {"".join(pieces)}{eqno}</span>'
    return f'<div class="line"><span class="formula">{formula}</span>{beside}</div>'


def name_equations(app, env):
    """Give the named equations their names, and close the gap they leave in the numbers of their page."""
    for label, name in NAMED_EQUATIONS.items():
        docname, _ = env.get_domain("math").equations.get(
            label, (None, None)
        )
        if docname is None:
            continue
        numbers = env.toc_fignumbers.get(docname, {}).get("displaymath", {})
        gone = numbers.get(f"equation-{label}")
        if not gone or gone == (name,):
            continue
        for key, number in numbers.items():
            if (
                number[:-1] == gone[:-1]
                and isinstance(number[-1], int)
                and number[-1] > gone[-1]
            ):
                numbers[key] = (*number[:-1], number[-1] - 1)
        numbers[f"equation-{label}"] = (name,)
    return []  # the pages to write anew for this: all are


def setup(app):
    init_mini_racer(ignore_duplicate_init=True)  # in the main thread
    app.add_html_math_renderer(
        "book_katex", (visit_inline, None), (visit_block, None)
    )
    # After the numbers are given, at each build, whether or not a page was read.
    app.connect("env-get-updated", name_equations, priority=900)
    app.connect("build-finished", close_engine)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": False,
    }
