"""The template of a chapter runs as it stands, and has one of each verb."""

from __future__ import annotations

import os
from collections import Counter

import nbformat
import pytest
from nbclient import NotebookClient

from book import new
from equalsign import ledger

VERBS = {"derivation", "gradient", "published", "refutes", "finding"}


def test_template_runs(tmp_path, monkeypatch):
    (tmp_path / "chapters").mkdir()
    path = new.begin("hinge_like", "Hinges", tmp_path)
    notebook = nbformat.read(path, 4)
    assert "NAME" not in path.read_text("utf-8")
    assert notebook.cells[0].source.startswith(
        "(ch-hinge_like)=\n# Hinges\n"
    )
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    client = NotebookClient(
        notebook,
        timeout=120,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    nbformat.write(notebook, path)
    counted = Counter(record["kind"] for record in ledger(path))
    assert counted == dict.fromkeys(VERBS, 1)
    shown = [
        output.data
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert any("image/svg+xml" in data for data in shown)


def test_template_is_stored_without_outputs():
    notebook = nbformat.read(new.TEMPLATE, 4)
    assert all(not cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize("name", ["Hinge", "a b", "", "1a"])
def test_a_name_is_that_of_a_module(tmp_path, name):
    with pytest.raises(SystemExit, match="no name of a module"):
        new.begin(name, root=tmp_path)


def test_a_chapter_is_not_written_over(tmp_path):
    (tmp_path / "chapters").mkdir()
    path = new.begin("hinge", root=tmp_path)
    path.write_text("mine")
    with pytest.raises(SystemExit, match="there already"):
        new.begin("hinge", root=tmp_path)
    assert path.read_text() == "mine"


def test_what_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(new, "begin", lambda *a: tmp_path / a[0])
    new.main(["hinge"])
    assert "make findings NB=hinge" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="how it is called"):
        new.main([])
