"""What the ledger counts."""

from __future__ import annotations

import json

import pytest

from equalsign import (
    RECORD_TYPE,
    CheckFailed,
    ledger,
    published,
    reach,
    summary,
    totals,
)
from equalsign._records import records


def record(kind: str, points: int, **detail):
    return {"kind": kind, "points": points, "detail": detail}


ROWS = [
    record("derivation", 300, steps=3, from_tex=2, by_code=1, by_definition=0, library=1),
    record("derivation", 20, steps=1, from_tex=1, by_code=0, by_definition=1, library=0),
    record("gradient", 200, from_tex=1),
    record("gradient", 100, from_tex=0),
    record("published", 4),
    record("published", 1),
    record("refutes", 7),
    record("finding", 8, holds=["16 other seeds", "four times the steps"], axes=["steps"]),
    record("finding", 8, holds=["16 other seeds"], axes=[]),
    record("finding", 8, holds=[], axes=["rate"]),
]  # fmt: skip


def test_totals():
    assert totals(ROWS) == {
        "derivations": 2,
        "steps": 4,
        "lines": 6,
        "from_tex": 3,
        "by_definition": 1,
        "library": 1,
        "by_code": 1,
        "gradients": 2,
        "published": 5,
        "refuted": 1,
        "findings": 3,
        "stressed": 2,
        "places": 3,
        "axes": 1,
        "points": 627,
    }
    assert set(totals(iter(())).values()) == {0}


def test_reach():
    assert [reach(row) for row in ROWS[-3:]] == [
        "8 seeds, 16 other seeds; four times the steps",
        "8 seeds, 16 other seeds",
        "8 seeds; not yet tried elsewhere",
    ]


def test_a_record_that_says_less_counts_less():
    assert totals([record("derivation", 1)])["from_tex"] == 0


def test_reach_names_every_place():
    row = record("finding", 8, holds=["a", "b", "c"], axes=["x", "y"])
    assert reach(row) == "8 seeds, a; b; c"


def stored(path, *kinds):
    outputs = [{"data": {RECORD_TYPE: {"kind": kind}}} for kind in kinds]
    cells = [
        {"cell_type": "markdown"},
        {"outputs": [{"output_type": "stream"}, {"data": {}}, *outputs]},
    ]
    path.write_text(
        json.dumps({"cells": cells, "title": "ŷ"}, ensure_ascii=False),
        "utf-8",
    )


def test_ledger_reads_what_is_stored_in_order(tmp_path):
    stored(tmp_path / "b.ipynb", "derivation", "published")
    stored(tmp_path / "a.ipynb", "finding")
    (tmp_path / "c.txt").write_text("no notebook")
    rows = [
        {"chapter": "b", "kind": "derivation"},
        {"chapter": "b", "kind": "published"},
        {"chapter": "a", "kind": "finding"},
    ]
    assert ledger(tmp_path) == [rows[2], *rows[:2]]
    assert ledger(str(tmp_path / "b.ipynb"), tmp_path / "a.ipynb") == rows
    with pytest.raises(FileNotFoundError, match=r"there is no .*d\.ipynb"):
        ledger(tmp_path / "a.ipynb", tmp_path / "d.ipynb")


def test_summary_as_text(capsys):
    records.clear()
    with pytest.raises(CheckFailed, match=r"^nothing was checked$"):
        summary()
    published("Pi", "3.14", source="a", place="b", numpy=3.14159)
    capsys.readouterr()
    summary()
    assert capsys.readouterr().out.splitlines() == [
        "  kind       statement  checked at",
        "  published  Pi         1 number",
        "1 check held: 1 set of published numbers.",
    ]
