"""The tool that changes a product is set to the module, and finds the changed one."""

from __future__ import annotations

import os
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
