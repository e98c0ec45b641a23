"""`make check` runs what it says, and its exit code says whether that passed."""

import sys

import pytest

import losslib
from book import ROOT, check


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("focal", "focal"),
        ("focal_loss", "focal"),
        ("ledger", "ledger"),
        ("_array", "_array"),
        ("nothing", None),
    ],
)
def test_a_name_is_that_of_a_chapter_a_module_or_a_function(name, found):
    assert check.subject(name) == found


def test_every_function_has_its_module_and_tests():
    for name in losslib.__all__:
        _, module, tests = check.rooms(check.subject(name))
        assert module.is_file(), name
        assert tests.is_file(), name


def names(name):
    return [step.name for row in check.steps(name, name) for step in row]


def test_what_is_run():
    every = ["style", "layout", "the notebook, run again", "gates", "types"]
    tests = "tests on NumPy and PyTorch"
    assert names("focal") == [*every, tests, "the registry's tests"]
    assert names("_array") == ["style", "layout", "types", tests]
    assert names("ledger") == every[:4]


def test_of_the_registry_runs_what_was_named():
    last = check.steps("focal", "poly_loss")[1][-1]
    assert last.command[-1].startswith("poly_loss and ")


def test_the_touched_files_exist_and_include_those_of_the_name():
    files = check.touched("focal")
    assert {
        "chapters/focal.ipynb",
        "losslib/focal.py",
        "tests/losslib/test_focal.py",
    } <= set(files)
    assert all((ROOT / file).is_file() for file in files)


def test_nothing_is_named(capsys):
    assert check.main([]) == 2
    assert "make check NB=focal" in capsys.readouterr().out


def test_a_name_that_is_not_there(capsys):
    assert check.main(["nothing"]) == 2
    assert "no chapter, module or function 'nothing'" in capsys.readouterr().out  # fmt: skip


ABORT = "import os; print('so far', flush=True); os.abort()"


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise SystemExit('planted')", "planted"), (ABORT, "so far")],
    ids=["failure", "signal"],
)
def test_a_step_that_fails_is_shown_and_fails_all(
    monkeypatch, capsys, code, words
):
    rows = [
        [
            check.Step("bad", [sys.executable, "-c", code]),
            check.Step("good", [sys.executable, "-c", ""]),
        ]
    ]
    monkeypatch.setattr(check, "steps", lambda *names: rows)
    assert check.main(["focal"]) == 1
    said = capsys.readouterr().out
    assert words in said
    assert "✗ (exit" in said
    assert "✓ good" in said
    rows[0].pop(0)
    assert check.main(["focal"]) == 0
