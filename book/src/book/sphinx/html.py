# ruff: noqa: D101, D102, D103, D400, D401, E501 -- hooks have the names Sphinx gives them; a message stays on one line, to be searched for
"""What the stock theme and MyST-NB leave to us, as document transforms and a translator.

* A figure of a notebook gets its alternative text (the ``<title>`` of the SVG that
  ``book.figures.show`` writes) and its caption (the Markdown output after it). One without
  alternative text is a warning, and so fails ``-W``.
* A figure with a slider is its HTML on a screen; on paper and without scripts, its still picture.
* The output of a check is a box of its own. Code that is folded comes *below* the check or the
  figure that it made. What ``summary()`` lists is folded, under their number.
* Roles, empty table heads and landmarks that an accessibility checker refuses are mended where
  they are written.
* Anything that a page would load from another host is a warning with what to do about it.
"""

from __future__ import annotations

import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docutils import nodes
from sphinx.builders.html._assets import _JavaScript
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from book.sphinx.api import link_source
from book.sphinx.map import LossMap, MapNode, depart_map, visit_map
from book.sphinx.maths import place
from equalsign import RECORD_TYPE
from equalsign.tex import notation

logger = logging.getLogger(__name__)

STAMP = ".built"

#: Attributes by which an element loads something, without the reader's doing.
LOADS = {
    "img": ("src", "srcset"), "script": ("src",), "iframe": ("src",), "source": ("src", "srcset"), "video": ("src", "poster"),
    "audio": ("src",), "embed": ("src",), "object": ("data",), "track": ("src",), "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"), "input": ("src",),
}  # fmt: skip
LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "manifest",
}


# ---------------------------------------------------------------------------------------------------------------------
# Other hosts


def is_foreign(url: str) -> bool:
    """Whether loading this address asks another host. (A ``data:`` address does not.)"""
    url = url.strip()
    return url.startswith("//") or urlsplit(url).scheme.lower() in {
        "http",
        "https",
        "ftp",
        "ws",
        "wss",
    }


class _Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._style = False

    def handle_starttag(self, tag, attrs):
        values = {key: value or "" for key, value in attrs}
        for key in LOADS.get(tag, ()):
            urls = values.get(key, "")
            for url in (
                (
                    part.split()[0]
                    for part in urls.split(",")
                    if part.split()
                )
                if key == "srcset"
                else [urls]
            ):
                if url:
                    self.found.append((tag, url))
        if tag == "link" and LOADING_LINKS & set(
            values.get("rel", "").lower().split()
        ):
            self.found.append((tag, values.get("href", "")))
        self.found += [
            ("style", url) for url in css_urls(values.get("style", ""))
        ]
        self._style = tag == "style"

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self._style:
            self.found += [("style", url) for url in css_urls(data)]

    def handle_endtag(self, tag):
        self._style = False


def css_urls(css: str) -> list[str]:
    """The addresses that a style sheet loads."""
    return [
        a or b
        for a, b in re.findall(
            r"""url\(\s*['"]?([^'")]*)['"]?\s*\)|@import\s+['"]([^'"]+)['"]""",
            css,
        )
    ]


def loads(html: str) -> list[tuple[str, str]]:
    """(element, address) of everything that a page loads by itself."""
    parser = _Loads()
    parser.feed(html)
    parser.close()
    return parser.found


def foreign(html: str) -> list[tuple[str, str]]:
    """What a page would load from another host.

    >>> foreign('<img src="https://example.org/a.png"> <a href="https://example.org/">a link is fine</a>')
    [('img', 'https://example.org/a.png')]
    """
    return [(tag, url) for tag, url in loads(html) if is_foreign(url)]


def explain_foreign(tag: str, url: str) -> str:
    """The message for a resource of another host."""
    return (
        f"<{tag}> loads {url}, which lies on another host. The book must read the same without a network. "
        "What to do: download the file, put it under _static/ (with its licence), and refer to it by that path; "
        "or make it a link, which loads nothing until the reader follows it."
    )


class NoForeignHosts(SphinxTransform):
    default_priority = 400

    def apply(self, **kwargs):
        for node in self.document.findall(nodes.image):
            if is_foreign(node.get("uri", "")):
                logger.warning(
                    explain_foreign("img", node["uri"]),
                    location=place(node, self.env),
                    type="book",
                    subtype="host",
                )
        for node in self.document.findall(nodes.raw):
            if "html" in node.get("format", ""):
                for tag, url in foreign(node.astext()):
                    logger.warning(
                        explain_foreign(tag, url),
                        location=place(node, self.env),
                        type="book",
                        subtype="host",
                    )


# ---------------------------------------------------------------------------------------------------------------------
# Figures and checks


def svg_title(svg: str) -> str:
    """The text of the first ``<title>`` of an SVG image, which is what a figure shows, in words."""
    import xml.etree.ElementTree as ElementTree

    try:
        title = ElementTree.fromstring(svg).find(
            "{http://www.w3.org/2000/svg}title"
        )
    except ElementTree.ParseError:
        return ""
    return (
        " ".join("".join(title.itertext()).split())
        if title is not None
        else ""
    )


ALT_HELP = (
    "this image has no alternative text, so a reader who does not see it learns nothing from it. What to do: say in one "
    "sentence what it shows, in a figure as show(fig, alt=\"…\"), in Markdown as ![what it shows](path)."
)  # fmt: skip


class AlternativeText(SphinxTransform):
    """Give each image its alternative text; one that has none is a warning."""

    default_priority = 410

    def apply(self, **kwargs):
        for node in self.document.findall(nodes.image):
            if not node.get("alt", "").strip() and node.get(
                "uri", ""
            ).endswith(".svg"):
                uri = unquote(node["uri"])
                here = Path(self.env.doc2path(self.env.docname)).parent
                for path in (
                    Path(self.env.srcdir) / uri.lstrip("/"),
                    here / uri,
                    Path(uri),
                ):
                    if path.is_file():
                        node["alt"] = svg_title(
                            path.read_text(encoding="utf-8")
                        )
                        break
            if not node.get("alt", "").strip():
                logger.warning(
                    ALT_HELP,
                    location=place(node, self.env),
                    type="book",
                    subtype="alt",
                )


def is_cell(node):
    return (
        isinstance(node, nodes.container)
        and node.get("nb_element") == "cell_code"
    )


def is_bundle(node, mime_type=None):
    return (
        isinstance(node, nodes.container)
        and node.get("nb_element") == "mime_bundle"
        and (
            mime_type is None
            or any(
                child.get("mime_type") == mime_type
                for child in node.children
            )
        )
    )


def part_of(bundle, mime_type):
    return next(
        child
        for child in bundle.children
        if child.get("mime_type") == mime_type
    )


def source_of(cell):
    return next(
        (
            block.astext().strip()
            for block in cell.findall(nodes.literal_block)
        ),
        "",
    )


class NotebookOutputs(SphinxPostTransform):
    """Boxes for checks, figures with captions, and the code that made them folded below."""

    default_priority = (
        3  # before MyST-NB selects one mime type of each bundle
    )

    def run(self, **kwargs):
        if self.app.builder.format != "html":
            return
        for cell in list(self.document.findall(is_cell)):
            for output in [
                n
                for n in cell.children
                if n.get("nb_element") == "cell_code_output"
            ]:
                for bundle in list(output.children):
                    if is_bundle(bundle, RECORD_TYPE) and is_bundle(
                        bundle, "text/markdown"
                    ):
                        self.box(bundle)
                        cell["result_first"] = True
                    elif is_bundle(bundle, "image/svg+xml"):
                        self.figure(output, bundle)
                        cell["result_first"] = True
                    elif source_of(cell) == "summary()":
                        self.fold(part_of(bundle, "text/markdown"))
                        cell["result_first"] = True

    def box(self, bundle):
        markdown, record = (
            part_of(bundle, "text/markdown"),
            part_of(bundle, RECORD_TYPE),
        )
        kind = re.sub(r"[^a-z_-]", "", record.astext())
        box = nodes.container(classes=["check", f"check-{kind}"])
        box.extend(markdown.children)
        for block in box.findall(nodes.math_block):
            block["check"] = True
        markdown.children = []
        markdown.append(box)

    def fold(self, account):
        table, total = account.children
        account.children = []
        account.extend(
            [
                total,
                nodes.raw(
                    "",
                    '<details class="account"><summary>One by one</summary>',
                    format="html",
                ),
                table,
                nodes.raw("", "</details>", format="html"),
            ]
        )

    def figure(self, output, bundle):
        image = part_of(bundle, "image/svg+xml")
        picture = next(image.findall(nodes.image), None)
        if picture is None:
            return
        figure = nodes.figure(
            classes=["book-figure"],
            ids=[
                "figure-" + sha256(picture["uri"].encode()).hexdigest()[:8]
            ],
        )
        after = output.index(bundle) + 1
        follower = output[after] if after < len(output) else None
        figure.extend(image.children)
        if is_bundle(bundle, "text/html"):
            moving = part_of(bundle, "text/html").astext()
            figure.insert(0, nodes.raw("", moving, format="html"))
            figure["classes"].append("moves")
        if (
            follower is not None
            and is_bundle(follower, "text/markdown")
            and not is_bundle(follower, RECORD_TYPE)
        ):
            words = part_of(follower, "text/markdown").children
            if words and isinstance(words[0], nodes.paragraph):
                figure.append(nodes.caption("", "", *words[0].children))
                if words[1:]:
                    figure.append(nodes.legend("", *words[1:]))
                output.remove(follower)
        image.children = []
        image.append(figure)


class ResultFirst(SphinxPostTransform):
    """The result first; whoever wants to know how it came about opens the folded code under it."""

    default_priority = 250  # after MyST-NB has folded the code

    def run(self, **kwargs):
        for cell in self.document.findall(is_cell):
            if cell.get("result_first"):
                for folded in [
                    n
                    for n in cell.children
                    if type(n).__name__ == "HideCodeCellNode"
                ]:
                    cell.remove(folded)
                    cell.append(folded)


def keep_record(render):
    """MyST-NB knows no record of a check; keep its kind for the box around it, and warn of everything else as before."""

    def render_unhandled(self, data):
        if data.mime_type == RECORD_TYPE:
            kind = (
                data.content.get("kind", "")
                if isinstance(data.content, dict)
                else ""
            )
            return [nodes.comment(kind, kind)]
        return render(self, data)

    render_unhandled.keeps_record = True
    return render_unhandled


class TableHeads(SphinxTransform):
    """A head without a text is no head (`DataFrame` writes one over its index)."""

    default_priority = 420

    def apply(self, **kwargs):
        for node in self.document.findall(nodes.raw):
            if (
                "html" in node.get("format", "")
                and "<th></th>" in node.astext()
            ):
                text = node.astext().replace("<th></th>", "<td></td>")
                node.children = [nodes.Text(text)]
                node.rawsource = text


# ---------------------------------------------------------------------------------------------------------------------
# The translator

#: Kinds of words of code that have the colour of the text around them, in the light and in the dark.
PLAIN_WORDS = ("n", "nn", "nx", "p", "pm", "w")


def plain_words(html: str) -> str:
    """Take from highlighted code the elements that colour nothing.

    >>> plain_words('<pre><span></span><span class="k">if</span><span class="w"> </span><span class="n">x</span></pre>')
    '<pre><span class="k">if</span> x</pre>'
    """
    html = re.sub(
        rf'<span class="(?:{"|".join(PLAIN_WORDS)})">([^<]*)</span>',
        r"\1",
        html,
    )
    return html.replace("<span></span>", "")


class BookTranslator(HTML5Translator):
    """HTML without the deprecated roles, empty heads and unreachable boxes of the stock translator."""

    def visit_citation(self, node):
        if not isinstance(node.previous_sibling(), nodes.citation):
            self.body.append('<div role="list" class="citation-list">\n')
        self.body.append(
            self.starttag(
                node, "div", classes=["citation"], role="listitem"
            )
        )

    def visit_desc_parameterlist(self, node):
        node["from"] = len(self.body)
        super().visit_desc_parameterlist(node)

    def depart_desc_parameterlist(self, node):
        # The stock translator makes a list of definitions without anything defined.
        super().depart_desc_parameterlist(node)
        for i in range(node["from"], len(self.body)):
            line = re.sub(r"^<dd>", '<div class="sig-line">', self.body[i])
            line = re.sub(r"^<dl>", '<div class="sig-lines">', line)
            self.body[i] = re.sub(r"^</d[dl]>", "</div>", line)

    def visit_literal_block(self, node):
        start = len(self.body)
        try:
            super().visit_literal_block(node)
        finally:
            self.body[start:] = [
                plain_words(link_source(self, node, html))
                for html in self.body[start:]
            ]

    def visit_label(self, node):
        # References are author and year, and the list is in their order: a second name for each serves nobody.
        if isinstance(node.parent, nodes.citation):
            raise nodes.SkipNode
        super().visit_label(node)

    def visit_entry(self, node):
        super().visit_entry(node)
        if (
            self.body[-1].startswith("<th")
            and not node.astext().strip()
            and not list(node.findall(nodes.image))
        ):
            self.body[-1] = "<td" + self.body[-1][3:]
            self.context[-1] = self.context[-1].replace("</th>", "</td>")


class Definitions(SphinxDirective):
    """The definitions that every formula of the book may use, as its formulas read them."""

    def run(self):
        self.env.note_dependency(notation.__file__)
        rows = nodes.bullet_list(classes=["definitions"])
        rows += [
            nodes.list_item(
                "", nodes.paragraph("", "", nodes.math(tex, tex))
            )
            for tex in notation.DEFINITIONS
        ]
        return [rows]


def name_toggles(app, pagename, templatename, context, doctree):
    """Name what unfolds a part of the contents; the theme writes a picture without a text."""
    contents = context.get("generate_toctree_html")
    if contents is None:
        return

    def named(*args, **options):
        soup = contents(*args, **options)
        for item in [] if isinstance(soup, str) else soup.select("li"):
            summary, link = item.find("summary"), item.find("a")
            if summary and link and not summary.get_text(strip=True):
                summary["aria-label"] = (
                    f"Pages of: {link.get_text(strip=True)}"
                )
        return soup

    context["generate_toctree_html"] = named


def defer_scripts(app, pagename, templatename, context, doctree):
    """Let no script hold up a page, but the one that the scripts in the page ask, and those of the search."""
    if pagename == "search":
        return
    files = []
    for script in context.get("script_files", ()):
        name = str(script.filename or "")
        if name and "documentation_options" not in name:
            attributes = {**script.attributes, "defer": "defer"}
            script = _JavaScript(
                script.filename, priority=script.priority, **attributes
            )
        files.append(script)
    context["script_files"] = files


def stamp(app, exception):
    """Leave a mark of when the site was built without a warning, for the tests to compare with the sources."""
    mark = Path(app.outdir) / STAMP
    mark.unlink(missing_ok=True)
    if (
        exception is None
        and not app._warncount
        and app.builder.format == "html"
    ):
        mark.write_text(
            "The book was built when this file was written.\n",
            encoding="utf-8",
        )


def setup(app):
    from myst_nb.core.render import NbElementRenderer

    if not getattr(
        NbElementRenderer.render_unhandled, "keeps_record", False
    ):
        NbElementRenderer.render_unhandled = keep_record(
            NbElementRenderer.render_unhandled
        )
    app.set_translator("html", BookTranslator, override=True)
    app.add_node(MapNode, html=(visit_map, depart_map))
    app.add_directive("lossmap", LossMap)
    app.add_directive("definitions", Definitions)
    for transform in (NoForeignHosts, AlternativeText, TableHeads):
        app.add_transform(transform)
    app.add_post_transform(NotebookOutputs)
    app.add_post_transform(ResultFirst)
    app.connect("html-page-context", name_toggles, priority=600)
    app.connect("html-page-context", defer_scripts, priority=900)
    app.connect("build-finished", stamp)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
