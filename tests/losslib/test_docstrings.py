"""Every public function says the same things in the same order."""

import inspect
import re
from itertools import pairwise

import pytest

import losslib
from book.registry import LOSSES
from harness import by_entry

SECTIONS = [
    "Parameters",
    "Returns",
    "Raises",
    "See Also",
    "Notes",
    "Examples",
    "References",
]
LINK = re.compile(r"https?://\S+|\bdoi:\s*10\.\d{4,}/\S+|\barXiv:\d", re.I)
SHAPE = re.compile(r"(?i:shape|scalar)|\([A-Z](?:, [A-Za-z0-9…]+)*,?\)")
DTYPE = re.compile(r"float|integer|integral|bool|dtype|real", re.I)


def sections(text: str) -> dict[str, str]:
    """Give the sections of a NumPy docstring by their heads, in order; "" is what stands before."""
    parts = re.split(r"(?m)^(\S.*)\n-{3,}$", inspect.cleandoc(text))
    return {
        "": parts[0],
        **dict(zip(parts[1::2], parts[2::2], strict=True)),
    }


def references(text: str) -> list[str]:
    """Give the references: each begins with a line that ends its authors by a year."""
    parts = re.split(r"(?m)^(?=\w.*\(\d{4}\))", text)
    return [part.strip() for part in parts if part.strip()]


def gaps(text: str, loss: bool, arrays: bool = True) -> list[str]:
    """Say what a docstring lacks."""
    found = sections(text)
    heads = [head for head in found if head]
    messages = [
        f"it has no section {name}"
        for name in SECTIONS
        if name not in found
    ]
    messages += [
        f"it has a section {name}, which no other has"
        for name in heads
        if name not in SECTIONS
    ]
    ordered = [head for head in SECTIONS if head in heads]
    if ordered != [head for head in heads if head in SECTIONS]:
        messages.append(f"its sections are not in the order {ordered}")
    messages += [
        f"this reference has neither a DOI nor an address: {reference[:60]}"
        for reference in references(found.get("References", ""))
        if not LINK.search(reference)
    ]
    messages += [
        f"a blank line is missing before this reference: {reference[:60]}"
        for before, reference in pairwise(
            references(found.get("References", ""))
        )
        if f"{before}\n\n{reference}" not in found["References"]
    ]
    if loss and not re.search(r"(?m)^Gradient:", found.get("Notes", "")):
        messages.append('its notes have no line that begins "Gradient:"')
    for name in ("Parameters", "Returns") if arrays else ():
        said = found.get(name, "")
        if said and not SHAPE.search(said):
            messages.append(f"its {name} name no shape")
        if said and not DTYPE.search(said):
            messages.append(f"its {name} name no dtype")
    if "Examples" in found and ">>>" not in found["Examples"]:
        messages.append("its examples are not run")
    return messages


@pytest.mark.parametrize("name", by_entry())
def test_docstring(name):
    found = gaps(getattr(losslib, name).__doc__ or "", name in LOSSES)
    assert not found, "\n".join(found)


WHOLE = """One line.

Parameters
----------
input : Array
    Scores of shape (N, C), real floating.

Returns
-------
Array
    Of shape (N,), with the dtype of `input`.

Raises
------
ValueError
    If so.

See Also
--------
other : Another.

Notes
-----
Gradient: :math:`p - y`.

Examples
--------
>>> 1
1

References
----------
Author and Author (2017), A long title that
goes on. https://example.org/paper

Author (2018), Title. https://doi.org/10.1000/182
"""


def test_a_whole_docstring_passes():
    assert gaps(WHOLE, loss=True) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Raises\n------\n", "", "no section Raises"),
        ("See Also\n--------", "Also\n----", "which no other has"),
        ("https://example.org/paper", "", "neither a DOI nor an address"),
        ("paper\n\n", "paper\n", "blank line is missing"),
        ("https://doi.org/10.1000/182", "", "address: Author (2018)"),
        ("Gradient:", "The gradient is", "Gradient:"),
        ("of shape (N, C), ", "", "name no shape"),
        (", real floating", "", "Parameters name no dtype"),
        (">>> 1", "1", "not run"),
    ],
)
def test_a_gap_is_found(old, new, words):
    assert old in WHOLE
    assert words in "\n".join(gaps(WHOLE.replace(old, new), loss=True))


def test_another_order_is_found():
    head, notes, rest = WHOLE.partition("Notes\n")
    moved = head.replace("Raises\n", f"{notes}{rest}\nRaises\n", 1)
    assert "order" in "\n".join(gaps(moved, loss=True))
