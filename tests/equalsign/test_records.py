"""What a check leaves behind, and what a notebook and a terminal are given."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from equalsign import RECORD_TYPE
from equalsign._records import display_check, keep_record, records


@pytest.fixture(autouse=True)
def _fresh():
    records.clear()


def ipython(monkeypatch, shell):
    """Stand in for IPython, with a shell or none; collect what it displays."""
    shown = []

    def display(data, raw=False):
        shown.append(data if raw else {"text/plain": repr(data)})

    module = SimpleNamespace(
        display=SimpleNamespace(display=display),
        get_ipython=lambda: shell,
    )
    monkeypatch.setitem(sys.modules, "IPython", module)
    return shown


def test_a_record_holds_all_that_was_said():
    kept = keep_record(
        "published",
        "Pi",
        points=3,
        name="eq-pi",
        source="Archimedes",
        lines=[{"tex": "3.14"}],
        detail={"place": "p. 1"},
    )
    assert kept == {
        "kind": "published",
        "statement": "Pi",
        "label": "eq-pi",
        "source": "Archimedes",
        "lines": [{"tex": "3.14"}],
        "points": 3,
        "detail": {"place": "p. 1"},
    }
    assert list(records.values()) == [kept]


def test_a_record_may_have_no_label_source_and_lines():
    kept = keep_record("refutes", "It holds", points=1, detail={})
    assert (kept["label"], kept["source"], kept["lines"]) == (
        None,
        None,
        [],
    )


def test_a_cell_that_runs_again_replaces_its_own_record_only():
    for kind, statement in [
        ("refutes", "A"),
        ("finding", "A"),
        ("refutes", "B"),
    ]:
        keep_record(kind, statement, points=1, detail={})
    keep_record("refutes", "A", points=2, detail={})
    assert [(r["kind"], r["statement"], r["points"]) for r in records.values()] == [
        ("refutes", "A", 2),
        ("finding", "A", 1),
        ("refutes", "B", 1),
    ]  # fmt: skip


def test_a_record_does_not_follow_what_it_was_made_of():
    line, detail = {"tex": "x"}, {"wrt": "z"}
    kept = keep_record(
        "gradient", "G", points=1, lines=[line], detail=detail
    )
    line["tex"], detail["wrt"] = "y", "t"
    assert kept["lines"] == [{"tex": "x"}]
    assert kept["detail"] == {"wrt": "z"}


def test_a_page_is_given_markdown_text_and_the_record(monkeypatch, capsys):
    shown = ipython(monkeypatch, shell=object())
    display_check("**A**", "A", {"kind": "refutes"})
    display_check("**B**", "B")
    assert shown == [
        {
            "text/markdown": "**A**",
            "text/plain": "A",
            RECORD_TYPE: {"kind": "refutes"},
        },
        {"text/markdown": "**B**", "text/plain": "B"},
    ]
    assert capsys.readouterr().out == ""


def test_a_terminal_is_given_text(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    display_check("**A**", "A", {"kind": "refutes"})
    shown = ipython(monkeypatch, shell=None)  # imported, but not in use
    display_check("**B**", "B", {"kind": "refutes"})
    assert capsys.readouterr().out == "A\nB\n"
    assert not shown
