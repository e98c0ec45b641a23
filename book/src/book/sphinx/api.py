# ruff: noqa: D101, D102, D103, E501 -- hooks have the names Sphinx gives them; a message stays on one line, to be searched for
"""The pages of the library, made from its docstrings.

``lossapi`` writes the entries of one region of the map (``I`` to ``VI``), or of one tool of the book
(``equalsign``, ``book.figures``); ``lossapi-index`` lists all functions with their first lines. A function that
is added to ``losslib.__all__`` is there at the next build, under the region that has its chapter.
Every function leads to the chapter that derives it, and the source that a chapter shows
(``figures.source``) leads back.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode, nested_parse_with_titles

from book.sphinx.fresh import sources
from book.sphinx.map import REGIONS

TOOLS = ("equalsign", "book.figures")
REST = "rest"  # modules that the map does not have yet


@cache
def exported() -> dict[str, list[str]]:
    """Give the public functions of losslib by their module, in the order of its source."""
    losslib = importlib.import_module("losslib")
    modules: dict[str, list[str]] = {}
    for name in losslib.__all__:
        module = getattr(losslib, name).__module__
        modules.setdefault(module.rpartition(".")[2], []).append(name)
    return {
        module: sorted(names, key=_definitions(f"losslib.{module}").index)
        for module, names in modules.items()
    }


def tool(name: str) -> list[str]:
    """Give the public names of a tool of the book, module by module, in the order of their source."""
    package = importlib.import_module(name)
    names = getattr(package, "__all__", None) or [
        key
        for key, value in vars(package).items()
        if getattr(value, "__module__", None) == package.__name__
        and not key.startswith("_")
    ]
    modules: dict[str, list[str]] = {}
    for key in names:
        if callable(thing := getattr(package, key)):
            modules.setdefault(thing.__module__, []).append(key)
    return [
        key
        for module, found in modules.items()
        for key in sorted(found, key=_definitions(module).index)
    ]


@cache
def _definitions(module: str) -> list[str]:
    """Give the names of the functions and classes of a module, in the order of its source."""
    source = inspect.getsource(importlib.import_module(module))
    return [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]


def region_modules(numeral: str) -> list[str]:
    """Give the modules of a region that export something; those without a region are the rest."""
    present = exported()
    placed = {
        region.title.split()[0]: [name for _, name in region.places]
        for region in REGIONS
    }
    if numeral == REST:
        known = {name for names in placed.values() for name in names}
        return sorted(set(present) - known)
    return [name for name in placed[numeral] if name in present]


def has_chapter(env, module: str) -> bool:
    return f"chapters/{module}" in env.found_docs


def where_derived(env, module: str) -> str:
    """Which chapter derives a function, as a sentence."""
    if has_chapter(env, module):
        return f"Derived in :doc:`/chapters/{module}`."
    return "Its chapter is still to come."


def first_line(thing: object) -> str:
    return (
        (inspect.getdoc(thing) or "")
        .partition("\n\n")[0]
        .replace("\n", " ")
    )


class _Written(SphinxDirective):
    """A directive that writes reStructuredText."""

    def parse(self, lines: list[str]) -> list[nodes.Node]:
        for name in ("losslib", *TOOLS):
            for path in sources(importlib.import_module(name)):
                self.env.note_dependency(str(path))
        container = nodes.section(document=self.state.document)
        nested_parse_with_titles(
            self.state, StringList(lines, source="losslib"), container
        )
        return container.children


class LossApi(_Written):
    required_arguments = 1

    def run(self):
        place = self.arguments[0]
        if place in TOOLS:
            return self.parse(_section(place, tool(place)))
        present = exported()
        lines = []
        for module in region_modules(place):
            lines += _section(f"losslib.{module}", present[module])
        return self.parse(lines)


def _section(module: str, names: list[str]) -> list[str]:
    source = importlib.import_module(module)
    short = module.rpartition(".")[2]
    owner = module if module in TOOLS else "losslib"
    lines = [
        f".. _api-{short}:", "", module, "-" * len(module), "",
        first_line(source), "",
    ]  # fmt: skip
    for name in names:
        thing = getattr(source, name)
        kind = "function"
        if inspect.isclass(thing):
            kind = "exception" if issubclass(thing, Exception) else "class"
        lines += [f".. auto{kind}:: {owner}.{name}", ""]
    return lines


class LossApiIndex(_Written):
    def run(self):
        present = exported()
        losslib = importlib.import_module("losslib")
        lines = []
        titles = {r.title.split()[0]: r.title for r in REGIONS}
        for numeral in (*titles, REST):
            modules = region_modules(numeral)
            if not modules:
                continue
            title = titles.get(numeral, "Elsewhere").replace("  ", ". ")
            lines += [title, "-" * len(title), ""]
            for module in modules:
                if has_chapter(self.env, module):
                    lines += [f"From :doc:`/chapters/{module}`:", ""]
                else:
                    lines += [
                        f"From `losslib.{module}`, whose chapter is still to come:",
                        "",
                    ]
                lines += [".. container:: api-list", ""]
                for name in present[module]:
                    lines += [
                        f"    :py:func:`{name} <losslib.{name}>`",
                        f"        {first_line(getattr(losslib, name))}", "",
                    ]  # fmt: skip
        return self.parse(lines)


def quote(app, what, name, obj, options, lines):
    """Set a value in quotation marks as code, before Napoleon: it is typed with straight ones."""
    example = False
    for i, line in enumerate(lines):
        example = line == "Examples" or (example and line != "References")
        if not example and not line.lstrip().startswith((">>>", "...")):
            lines[i] = re.sub(
                r'(?<![`"])"([\w.-]+)"(?![`"])', r'``"\1"``', line
            )


def lead_to_chapter(app, what, name, obj, options, lines):
    """Say in each entry which chapter derives it, after the mathematics and before the parameters."""
    module = (getattr(obj, "__module__", None) or "").rpartition(".")[2]
    if what != "function" or module not in exported():
        return
    place = next(
        (
            i
            for i, line in enumerate(lines)
            if re.match(r":(?!math:)\w|\.\. rubric::", line)
        ),
        len(lines),
    )
    lines[place:place] = ["", where_derived(app.env, module), ""]


def find_alias(app, env, node, contnode):
    """Lead a type in a signature to the alias that the library gives it."""
    if (node.get("refdomain"), node.get("reftype")) != ("py", "class"):
        return None
    found = env.get_domain("py").objects.get(node["reftarget"])
    if found is None or found.objtype != "type":
        return None
    return make_refnode(
        app.builder, node["refdoc"], found.docname, found.node_id, contnode
    )


def link_source(translator, node, html: str) -> str:
    """In the source that a chapter shows, lead the function's name to its entry."""
    parent = node.parent
    while (
        parent is not None
        and parent.get("nb_element") != "cell_code_output"
    ):
        parent = parent.parent
    shown = re.match(r"(?:@.*\n)*def (\w+)\(", node.astext())
    if parent is None or shown is None:
        return html
    builder = translator.builder
    entry = f"losslib.{shown[1]}"
    found = builder.env.get_domain("py").objects.get(entry)
    if found is None:
        return html
    uri = builder.get_relative_uri(builder.current_docname, found.docname)
    return re.sub(
        rf'<span class="nf">{shown[1]}</span>',
        lambda name: (
            f'<a class="api-link" href="{uri}#{found.node_id}" title="{entry} in the library">{name[0]}</a>'
        ),
        html,
        count=1,
    )


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("lossapi", LossApi)
    app.add_directive("lossapi-index", LossApiIndex)
    app.connect("autodoc-process-docstring", quote, priority=400)
    # After Napoleon (500), which makes fields of the headings.
    app.connect("autodoc-process-docstring", lead_to_chapter, priority=900)
    app.connect("missing-reference", find_alias)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
