"""What a check leaves behind, and how it is displayed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from equalsign._base import RECORD_TYPE

KIND_WORDS = {
    "derivation": ("derivation", "derivations"),
    "gradient": ("gradient", "gradients"),
    "published": ("set of published numbers", "sets of published numbers"),
    "refutes": ("claim refuted", "claims refuted"),
    "finding": ("finding", "findings"),
}


records: dict[tuple[str, str], dict[str, Any]] = {}


def keep_record(
    kind: str,
    statement: str,
    *,
    points: int,
    name: str | None = None,
    source: str | None = None,
    lines: Sequence[Mapping[str, str]] = (),
    detail: Mapping[str, Any],
) -> dict[str, Any]:
    """Keep a record; a cell that runs again replaces its own."""
    record = {
        "kind": kind,
        "statement": statement,
        "label": name,
        "source": source,
        "lines": [dict(line) for line in lines],
        "points": points,
        "detail": dict(detail),
    }
    records[kind, statement] = record
    return record


def display_check(
    markdown: str, plain: str, record: Mapping[str, Any] | None = None
) -> None:
    """Display in a notebook, print in a terminal."""
    if "IPython" in sys.modules:
        from IPython import display, get_ipython

        if get_ipython() is not None:
            data: dict[str, Any] = {
                "text/markdown": markdown,
                "text/plain": plain,
            }
            if record is not None:
                data[RECORD_TYPE] = record
            display.display(data, raw=True)
            return
    print(plain)
