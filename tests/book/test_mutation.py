"""The tool that changes a product is set to the module, and finds the changed one."""

from __future__ import annotations

import os
import subprocess
import tomllib
from types import SimpleNamespace

import pytest

from book import ROOT, mutation


def test_modules():
    assert "focal" in mutation.modules()
    assert "__init__" not in mutation.modules()
    checks = mutation.modules("equalsign")
    assert {"derivations", "tex.parser", "_rates"} <= set(checks)
    assert not [name for name in checks if "__" in name]


@pytest.mark.parametrize(
    ("product", "module", "path", "test"),
    [
        ("losslib", "focal", "losslib/focal.py", "losslib/test_focal.py"),
        (
            "equalsign",
            "tex.parser",
            "equalsign/tex/parser.py",
            "equalsign/test_tex.py",
        ),
    ],
)
def test_a_module_is_prepared(
    tmp_path, monkeypatch, product, module, path, test
):
    monkeypatch.setattr(mutation, "SCRATCH", tmp_path)
    folder = mutation.prepare(module, product)
    assert (folder / path).is_file()
    with (folder / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)["tool"]["mutmut"]
    assert settings["source_paths"] == [product]
    assert settings["only_mutate"] == [path]
    tests = settings["pytest_add_cli_args_test_selection"]
    assert f"tests/{test}" in tests
    assert all((folder / name).is_file() for name in tests)


def test_every_test_file_that_is_named_is_there():
    named = {
        x for names in mutation.EQUALSIGN_TESTS.values() for x in names
    }
    for name in named | set(mutation.TEX) | set(mutation.CHECKS):
        assert (ROOT / "tests/equalsign" / f"test_{name}.py").is_file()


def test_the_unchanged_product_is_off_the_path():
    source = str(mutation.SOURCES["equalsign"].parent)
    paths = os.pathsep.join(["a", source, "", "b"])
    assert mutation.without(paths, "equalsign") == f"a{os.pathsep}b"


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (
            1,
            "failed to collect stats",
            "focal: mutmut fails\nfailed to collect",
        ),
        (
            0,
            "".join(f"  x__mutmut_{i}: timeout\n" for i in range(20)),
            "focal: 20 of 20 take too long",
        ),
    ],
)
def test_tests_that_do_not_run_are_no_score(
    tmp_path, monkeypatch, code, said, words
):
    def run(*args, **options):
        return SimpleNamespace(returncode=code, stdout=said)

    monkeypatch.setattr(mutation, "prepare", lambda *args: tmp_path)
    monkeypatch.setattr(mutation.subprocess, "run", run)
    with pytest.raises(SystemExit, match=words):
        mutation.measure("focal", 1)


class Folder:
    """A module under change, whose tests end with the codes that are given."""

    def __init__(self, path, noticed, applies=True):
        self.source = path / "losslib" / "focal.py"
        self.source.parent.mkdir()
        self.source.write_text("unchanged")
        self.noticed, self.applies = noticed, applies

    def run(self, command, **options):
        assert options["env"]["PYTHONPATH"].startswith(".")
        code = 0
        if command[1] == "apply":
            if self.applies:
                self.source.write_text(command[2])
        else:
            assert any("(focal or classes) and (" in x for x in command)
            code = self.noticed.get(self.source.read_text(), 0)
            if code is None and options["timeout"] >= 60:
                raise subprocess.TimeoutExpired(command, options["timeout"])
        return SimpleNamespace(returncode=code, stdout="said", stderr="")


def test_what_is_missed_is_tried_against_the_slow_tests(
    tmp_path, monkeypatch
):
    folder = Folder(
        tmp_path, noticed={"two": 1, "three": 2, "four": -9, "five": None}
    )
    monkeypatch.setattr(mutation.subprocess, "run", folder.run)
    missed = mutation.unnoticed(
        tmp_path, "focal", ["one", "two", "three", "four", "five"]
    )
    assert missed == ["one", "four"]
    assert folder.source.read_text() == "unchanged"


@pytest.mark.parametrize(
    ("noticed", "applies", "words"),
    [
        ({"unchanged": 5}, True, "focal: fails unchanged\nsaid"),
        ({}, False, "one is not applied"),
    ],
)
def test_slow_tests_that_say_nothing_are_no_score(
    tmp_path, monkeypatch, noticed, applies, words
):
    folder = Folder(tmp_path, noticed, applies)
    monkeypatch.setattr(mutation.subprocess, "run", folder.run)
    with pytest.raises(SystemExit, match=words):
        mutation.unnoticed(tmp_path, "focal", ["one"])
