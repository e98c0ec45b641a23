r"""Read a displayed block back, for whoever lays it out anew.

A check displays its lines as one block of TeX that every notebook can show, with the reasons broken
into rows that are short enough for a phone. A page of its own can do better, with reasons as words
that flow beside their lines, and asks here what the block says.

>>> for line in lines(r'''\begin{aligned}
... & 2\log x \\
... & = \log x^2 && \checkmark \\
... & \quad{\small\rlap{\text{the log of a power, for}}} \\
... & \quad{\small\rlap{\text{$x>0$}}}
... \end{aligned}'''):
...     print(line)
Line(tex='2\\log x', code='', mark='', words='')
Line(tex='= \\log x^2', code='', mark='✓', words='the log of a power, for $x>0$')
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Line", "lines", "presumed"]

_MARKS = {
    r"\checkmark": "✓",
    r"(\checkmark)": "(✓)",
    r"\triangleq": "≜",
}
_GRADIENT = r"\quad{\small \checkmark\ \text{autograd}\quad\checkmark\ \text{differences}}"
_REASON = re.compile(r"\\quad\{\\small\\rlap\{\\text\{(.*)\}\}\}")
_CODE = re.compile(r"(?:\\quad |(\S+) )\{\\small\\texttt\{(.*)\}\}")
# how fast a limit is approached: the reason comes behind it, in a row of its own
_RATE = re.compile(
    r"as \$[^$]*\$, (with an error \$[^$]*\$|faster than every power)"
)
_PRESUMED = re.compile(r"\{\\small (.*)\}")


@dataclass(frozen=True)
class Line:
    """A line of a check, as it is shown.

    Parameters
    ----------
    tex : str
        The formula, with its relation to the line before; for library code the relation alone.
    code : str
        The library code that ran.
    mark : str
        How it ran.
    words : str
        Why the step may be taken, with maths between dollar signs.

    Examples
    --------
    >>> Line("= x", words="because").mark
    ''
    """

    tex: str
    code: str = ""
    mark: str = ""
    words: str = ""


def _rows(tex: str) -> list[str]:
    """Give the rows of a block, or none."""
    opening, end = "\\begin{aligned}\n& ", "\n\\end{aligned}"
    tex = tex.strip()
    if not (tex.startswith(opening) and tex.endswith(end)):
        return []
    return tex[len(opening) : -len(end)].split(" \\\\\n& ")


def _unescaped(words: str) -> str:
    """Take back what TeX needs in words, not in the maths between them."""
    pieces = words.split("$")
    pieces[::2] = [re.sub(r"\\([%#&_])", r"\1", p) for p in pieces[::2]]
    return "$".join(pieces)


def lines(tex: str) -> list[Line]:
    r"""Give the lines of a derivation or a gradient; none, if the block is something else.

    Parameters
    ----------
    tex : str
        The block, as a check displays it.

    Returns
    -------
    list of Line

    Examples
    --------
    >>> lines(r"x^2")
    []
    """
    found: list[dict[str, str]] = []

    def more(key: str, words: str) -> None:
        said = found[-1].get(key, "")
        if key == "words" and _RATE.fullmatch(said):
            said += ";"
        found[-1][key] = f"{said} {_unescaped(words)}".lstrip()

    for number, whole in enumerate(_rows(tex)):
        row, _, mark = whole.partition(" && ")
        if number == 0:
            if _PRESUMED.fullmatch(row):
                return []
            found.append({"tex": row, "mark": _MARKS.get(mark, "")})
        elif row == _GRADIENT:
            found[-1] |= {"mark": "✓", "words": "autograd ✓ differences"}
        elif reason := _REASON.fullmatch(row):
            more("words", reason[1])
        elif code := _CODE.fullmatch(row):
            if code[1]:
                found.append({"tex": code[1], "mark": _MARKS.get(mark, "")})
            more("code", code[2])
        elif mark in _MARKS:
            found.append({"tex": row, "mark": _MARKS[mark]})
        else:
            return []
    return [Line(**line) for line in found]


def presumed(tex: str) -> list[str]:
    r"""Give the definitions and ranges that a check presumes; none, if the block is something else.

    Parameters
    ----------
    tex : str
        The block, as a check displays it.

    Returns
    -------
    list of str
        Formulas, as TeX.

    Examples
    --------
    >>> presumed(r'''\begin{aligned}
    ... & {\small \text{where }q=1-p,\quad A=-\log p,} \\
    ... & {\small B=-\log q}
    ... \end{aligned}''')
    ['q=1-p', 'A=-\\log p', 'B=-\\log q']
    """
    found: list[str] = []
    for row in _rows(tex):
        inside = _PRESUMED.fullmatch(row)
        if not inside:
            return []
        found += inside[1].removesuffix(",").split(r",\quad ")
    if not found or not found[0].startswith(r"\text{where }"):
        return []
    found[0] = found[0].removeprefix(r"\text{where }")
    return found
