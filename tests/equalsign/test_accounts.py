"""What the ledger counts."""

from __future__ import annotations

from equalsign import reach, totals


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
        "gradients_from_tex": 1,
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
