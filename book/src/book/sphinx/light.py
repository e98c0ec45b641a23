# ruff: noqa: E501 -- HTML is not broken into lines
r"""Formulas with few nodes: the same glyphs at the same places.

KaTeX writes a letter with a subscript as 25 elements: fourteen boxes that place two glyphs, and
MathML beside them. A page has some two thousand formulas. Here a subscript becomes a ``<sub>`` that
is moved by as much, spaces become margins of their neighbours, and boxes that say nothing go.

A formula of a few signs in a row (``z_t``, ``\hat y_t``, ``10^{-9}``) is read aloud from a label;
every other keeps its MathML, without the copy of its TeX.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from html import escape

SIZES = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.44, 1.728, 2.074, 2.488)

# Classes that the style sheet of KaTeX says nothing about, outside the boxes that place things.
SILENT = {
    "mord", "mbin", "mrel", "mopen", "mclose", "mpunct", "minner", "mtight", "mop", "msupsub",
}  # fmt: skip
FONTS = {
    "mathnormal",
    "mathrm",
    "mathbf",
    "mathbb",
    "mathcal",
    "boldsymbol",
}
OPERATORS = {"mbin", "mrel"}
ACCENTS = {
    "^": "hat", "ˉ": "bar", "¯": "bar", "~": "tilde", "˙": "dot", "ˇ": "check", "⃗": "vector",
}  # fmt: skip
POWERS = {"′": "prime", "∗": "star", "*": "star", "⋆": "star", "⊤": "transposed"}  # fmt: skip
SIGNS = {"−": "minus", "∣": "bar", "∥": "norm", "⋅": "dot"}

# The height of a line of type: a strut within it holds nothing open.
ABOVE, BELOW = 0.86, 0.26


@dataclass
class Box:
    """An element of a formula."""

    tag: str
    classes: list[str] = field(default_factory=list)
    style: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)
    inside: list[Box | str] = field(default_factory=list)

    @property
    def boxes(self) -> list[Box]:
        """The elements in it."""
        return [part for part in self.inside if isinstance(part, Box)]

    @property
    def text(self) -> str:
        """The signs in it."""
        return "".join(
            part if isinstance(part, str) else part.text
            for part in self.inside
        )

    def em(self, name: str) -> float:
        """Give a length of its style."""
        return float(self.style.get(name, "0").removesuffix("em"))

    def add(self, name: str, length: float) -> None:
        """Add to a length of its style."""
        self.style[name] = f"{round(self.em(name) + length, 4):g}em"

    def all(self) -> list[Box]:
        """Give the element, and all that are in it."""
        return [self, *(x for part in self.boxes for x in part.all())]

    def html(self) -> str:
        """Write it."""
        style = ";".join(f"{k}:{v}" for k, v in self.style.items())
        values = {
            "class": " ".join(self.classes),
            **self.other,
            "style": style,
        }
        values = {key: value for key, value in values.items() if value}
        head = "".join(f' {k}="{escape(v)}"' for k, v in values.items())
        body = "".join(
            escape(part, quote=False)
            if isinstance(part, str)
            else part.html()
            for part in self.inside
        )
        return f"<{self.tag}{head}>{body}</{self.tag}>"


def _box(element: ElementTree.Element) -> Box:
    values = dict(element.attrib)
    classes = values.pop("class", "").split()
    style = dict(
        part.split(":", 1)
        for part in values.pop("style", "").split(";")
        if part
    )
    inside: list[Box | str] = [element.text] if element.text else []
    for child in element:
        inside.append(_box(child))
        if child.tail:
            inside.append(child.tail)
    return Box(element.tag, classes, style, values, inside)


def _stack(box: Box) -> list[tuple[Box, float, Box]] | None:
    """Give the entries of a stack: each with how far down it is, and what it holds."""
    if not (box.classes and box.classes[0] == "vlist-t"):
        return None
    entries = box.boxes[0].boxes[0].boxes
    found = []
    for entry in entries:
        if len(entry.boxes) != 2 or entry.boxes[0].classes != ["pstrut"]:
            return None
        strut, content = entry.boxes
        found.append((entry, strut.em("height") + entry.em("top"), content))
    return found


def _ratio(content: Box) -> float:
    """Give the size of what is set smaller, as a part of what is around it."""
    sizes = [
        int(name.rpartition("size")[2])
        for name in content.classes
        if re.fullmatch(r"(reset-)?size\d+", name)
    ]
    if not sizes:
        return 1
    return SIZES[sizes[1] - 1] / SIZES[sizes[0] - 1]


def _scripts(box: Box) -> list[Box] | None:
    """Give what stands below and above a sign, as elements of the line."""
    stack = _stack(box.boxes[0]) if len(box.boxes) == 1 else None
    if not stack or len(stack) > 2:
        return None
    found = []
    for entry, down, content in stack:
        ratio = _ratio(content)
        if entry.style.keys() - {
            "top",
            "margin-left",
            "margin-right",
        }:
            return None
        script = Box(
            "sub" if down > 0 else "sup",
            inside=list(content.inside) if ratio != 1 else [content],
        )
        script.add("top", down / ratio)
        if entry.em("margin-left"):
            script.add("margin-left", entry.em("margin-left") / ratio)
        if entry.style.get("margin-right") != "0.05em":
            script.add("margin-right", entry.em("margin-right") / ratio)
        if abs(ratio - 0.7) > 1e-6:
            script.style["font-size"] = f"{round(ratio, 4):g}em"
        _join(script)
        _take_in(script)
        found.append(script)
    if len(found) == 2:
        if [script.tag for script in found] != ["sub", "sup"]:
            return None
        return [Box("span", ["scripts"], inside=list(found))]
    return found


def _accented(box: Box) -> bool:
    """Set an accent over one sign beside it, moved back."""
    stack = _stack(box.boxes[0]) if len(box.boxes) == 1 else None
    if not stack or len(stack) != 2:
        return False
    (_, shift, base), (_, up, accent) = stack
    plain = not base.boxes and not shift and not base.other
    if not plain or accent.classes != ["accent-body"]:
        return False
    mark = Box("span", ["accent-body"], inside=[accent.text])
    half = base.em("margin-right") / 2
    back = round(accent.em("left") + half, 4)
    mark.style["left"] = f"calc(-50% + {back:g}em)"
    if up:
        mark.style["top"] = f"{round(up, 4):g}em"
    box.classes = ["over", *(set(base.classes) - SILENT)]
    box.style |= base.style
    box.inside = [*base.inside, mark]
    return True


def _flows(box: Box) -> bool:
    """Whether what is in an element stands in a line, with nothing that asks who stands where."""
    return (
        box.tag in {"sub", "sup"}
        or set(box.classes) <= SILENT | {"base", "katex"}
    ) and not box.other


def _spaces(box: Box) -> None:
    """Let spaces be margins of their neighbours."""
    kept: list[Box | str] = []
    carried = 0.0
    parts = box.inside
    for place, part in enumerate(parts):
        if isinstance(part, Box) and part.classes == ["mspace"]:
            width = part.em("margin-right")
            after = parts[place + 1] if place + 1 < len(parts) else None
            before = kept[-1] if kept else None
            if isinstance(after, Box) and OPERATORS & set(after.classes):
                carried += width
            elif (
                isinstance(before, Box)
                and before.tag == "span"
                and before.classes != ["strut"]
            ):
                before.add("margin-right", width)
            else:
                kept.append(part)
            continue
        if carried and isinstance(part, Box):
            part.add("margin-left", carried)
            carried = 0.0
        kept.append(part)
    box.inside = kept


def _take_in(box: Box) -> None:
    """Let an element be what is alone in it."""
    if len(box.inside) != 1 or not box.boxes:
        return
    (inner,) = box.boxes
    if (
        inner.tag != "span"
        or inner.other
        or inner.style.keys() - {"margin-right"}
    ):
        return
    if inner.boxes or set(inner.classes) - FONTS:
        return
    box.classes += inner.classes
    if inner.style:
        # Its own is of the size around it, which the style sheet gives where none is written.
        box.style.setdefault("margin-right", "0.0714em")
        box.add("margin-right", inner.em("margin-right"))
    box.inside = inner.inside


def _lighten(box: Box, stacked: bool = False) -> None:
    """Take from an element what says nothing; one that is stacked keeps its parts."""
    for part in box.boxes:
        _lighten(part, box.classes == ["vlist"])
    if "accent" in box.classes:
        _accented(box)
    if box.classes == ["vlist"]:  # an entry that only an old browser needs
        box.inside = [x for x in box.boxes if x.inside or x.style]
    if _flows(box) and not stacked:
        _join(box)


def _join(box: Box) -> None:
    """Set what stands in a line with as few elements as it takes."""
    _spaces(box)
    inside: list[Box | str] = []
    for part in box.inside:
        if isinstance(part, Box) and part.classes == ["msupsub"]:
            scripts = _scripts(part)
            inside += [part] if scripts is None else scripts
        elif isinstance(part, Box) and part.classes == ["strut"]:
            down = -part.em("vertical-align")
            if part.em("height") - down > ABOVE or down > BELOW:
                inside.append(part)
        elif (
            isinstance(part, Box)
            and part.tag == "span"
            and not part.style
            and not part.other
            and set(part.classes) <= SILENT
        ):
            inside += part.inside
        else:
            if isinstance(part, Box) and FONTS & set(part.classes):
                part.classes = [x for x in part.classes if x not in SILENT]
            inside.append(part)
    box.inside = []
    for item in inside:  # text beside text is one
        if (
            isinstance(item, str)
            and box.inside
            and isinstance(box.inside[-1], str)
        ):
            box.inside[-1] += item
        else:
            box.inside.append(item)


def spoken(box: Box) -> str:
    """Say a formula of a few signs in a row.

    >>> spoken(Box("span", inside=["z", Box("sub", inside=["t"])]))
    'z sub t'
    """
    words = []
    for part in box.inside:
        if isinstance(part, str):
            said = "".join(
                f" {SIGNS[sign]} " if sign in SIGNS else sign
                for sign in part
                if sign != "\u200b"
            )
        elif part.classes == ["accent-body"]:
            said = ACCENTS.get(part.text, part.text)
        elif part.tag == "sub":
            said = f"sub {spoken(part)}"
        elif part.tag == "sup":
            power = spoken(part)
            said = POWERS.get(power, f"to the {power}")
        else:
            said = spoken(part)
        words.append(said)
    said = " ".join(" ".join(words).split())
    return re.sub(r"(?<=\() | (?=[),])", "", said)


def _in_a_row(box: Box, margins: bool) -> bool:
    """Whether a formula is a few signs in a row."""
    known = (
        SILENT
        | FONTS
        | {"over", "accent-body", "scripts", "katex-html", "base"}
    )
    return (
        not margins
        and len(box.text) <= 12
        and all(
            x.tag in {"span", "sub", "sup"} and set(x.classes) <= known
            for x in box.all()
        )
    )


def lighten(html: str) -> str:
    r"""Give the HTML of KaTeX with fewer nodes.

    >>> from book.sphinx.maths import render
    >>> render("x")
    '<span class="katex mathnormal">x</span>'
    >>> render("2^n")
    '<span class="katex" role="math" aria-label="2 to the n">2<sup class="mathnormal" style="top:-0.5186em">n</sup></span>'
    """
    opening = '<span class="katex-display">'
    display = html.startswith(opening)
    whole = html[len(opening) : -len("</span>")] if display else html
    found = re.fullmatch(
        r'<span class="katex"><span class="katex-mathml">(.*)</span>'
        r'(<span class="katex-html" aria-hidden="true">.*</span>)</span>',
        whole,
        re.DOTALL,
    )
    if not found:
        return html
    mathml, glyphs = found.groups()
    glyphs = glyphs.replace(' xmlns="http://www.w3.org/2000/svg"', "")
    root = _box(ElementTree.fromstring(glyphs))
    spaced = any("mspace" in x.classes for x in root.all())
    for base in root.boxes:
        _lighten(base)
    mathml = re.sub(
        r"<semantics><mrow>(.*)</mrow><annotation .*</annotation></semantics>",
        r"\1",
        mathml,
        flags=re.DOTALL,
    ).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    if not display and _in_a_row(root, spaced) and len(root.boxes) == 1:
        line = Box("span", ["katex"], inside=root.boxes[0].inside)
        only = (
            line.boxes[0]
            if len(line.inside) == len(line.boxes) == 1
            else line
        )
        if only.tag == "span" and only.classes == ["mathnormal"]:
            line = Box(
                "span",
                ["katex", *only.classes],
                only.style,
                inside=only.inside,
            )
        if any(
            x.tag != "span" or x.classes == ["accent-body"]
            for x in line.all()
        ):
            line.other = {"role": "math", "aria-label": spoken(line)}
        return line.html()
    body = f'<span class="katex"><span class="katex-mathml">{mathml}</span>{root.html()}</span>'
    return f"{opening}{body}</span>" if display else body
