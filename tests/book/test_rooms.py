"""Three products in three rooms: what is imported where, and what is installed.

And one home for each constant, and for each list that people read.
"""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import book
import equalsign
import losslib
from book import ROOT, gates
from book.refresh import KERNELSPEC

# Folders from which people run Python; in the first two lie folders of the packages' names.
FOLDERS = (".", "equalsign", "book", "chapters", "tests", "tests/losslib")
REQUIREMENTS = ROOT / "requirements.txt"


def run(*command: object, **options: object) -> subprocess.CompletedProcess:
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    "package", [losslib, equalsign, book], ids=lambda p: p.__name__
)
def test_the_package_is_the_real_one(package, folder):
    """An empty namespace has no file, and would be imported without a word."""
    name = package.__name__
    code = f"import {name}; print({name}.__file__)"
    done = run(sys.executable, "-c", code, cwd=ROOT / folder)
    assert Path(done.stdout.strip()) == Path(package.__file__)
    assert Path(package.__file__).is_relative_to(ROOT)


# --- losslib alone ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel that `pip install .` builds, from a copy without what was built before."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("losslib", "equalsign", "book", "chapters", "tests"):
        shutil.copytree(
            ROOT / name,
            source / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    run(
        sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index",
        "--wheel-dir", folder, source,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_losses_alone(wheel):
    assert wheel.name.startswith("losses_from_entropy-")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    found = {name for name in names if ".dist-info/" not in name}
    modules = {f"losslib/{p.name}" for p in (ROOT / "losslib").glob("*.py")}
    assert found == modules | {"losslib/py.typed"}


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory) -> Path:
    """A Python that has losslib, NumPy and array-api-compat, and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=False, symlinks=True)
    base = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", base))
    here = Path(sysconfig.get_path("purelib"))
    run(
        sys.executable, "-m", "pip", "install", "--no-index", "--no-deps",
        "--target", packages, wheel,
    )  # fmt: skip
    for name in ("numpy", "numpy.libs", "array_api_compat"):
        if (here / name).is_dir():
            (packages / name).symlink_to(here / name)
    return Path(sysconfig.get_path("scripts", "venv", base)) / "python"


EVERY_MODULE = """
import importlib, pkgutil, sys
import losslib
for module in pkgutil.walk_packages(losslib.__path__, "losslib."):
    importlib.import_module(module.name)
    print(module.name)
absent = ("torch", "jax", "scipy", "IPython", "matplotlib", "equalsign", "book")
assert not [name for name in absent if importlib.util.find_spec(name)]
import numpy as np
assert round(float(losslib.mse_loss(np.ones(2), np.zeros(2))), 3) == 1
"""


def test_every_module_imports_beside_numpy_alone(alone, tmp_path):
    done = run(alone, "-I", "-W", "error", "-c", EVERY_MODULE, cwd=tmp_path)
    modules = {f"losslib.{p.stem}" for p in (ROOT / "losslib").glob("*.py")}
    assert set(done.stdout.split()) == modules - {"losslib.__init__"}


def test_the_needs_are_two():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())[
        "project"
    ]
    needs = {re.split(r"\W", n)[0] for n in project["dependencies"]}
    assert (project["name"], needs) == ("losses-from-entropy", {"numpy", "array"})  # fmt: skip


# --- One home for each constant ---------------------------------------------------------------


def python_files() -> list[Path]:
    files = [p for p in gates.tracked_files(ROOT) if p.suffix == ".py"]
    assert files
    return files


HOMES = {
    equalsign.RECORD_TYPE: "equalsign/src/equalsign/",
    KERNELSPEC["display_name"]: "book/src/book/refresh.py",
}


@pytest.mark.parametrize("constant", HOMES)
def test_a_constant_has_one_home(constant):
    holders = [
        path.relative_to(ROOT).as_posix()
        for path in python_files()
        if re.search(
            rf"""["']{re.escape(constant)}["']""", path.read_text("utf-8")
        )
    ]
    assert len(holders) == 1
    assert holders[0].startswith(HOMES[constant])


def repeated_lists(text: str, names: set[str], most: int = 12) -> list[str]:
    """Give the literal lists, tuples and sets with more than `most` of these names.

    >>> repeated_lists("x = ['a', 'b', 'c']", {"a", "b", "c"}, most=2)
    ['line 1: a, b, c']
    """
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            items = node.keys if isinstance(node, ast.Dict) else node.elts
            held = [
                item.value
                for item in items
                if isinstance(item, ast.Constant) and item.value in names
            ]
            if len(held) > most:
                found.append(f"line {node.lineno}: {', '.join(held)}")
    return found


def test_the_list_of_losses_has_one_home():
    """`losslib.__all__` exports, `book.registry` describes; nothing else lists them all."""
    homes = ("losslib/__init__.py", "book/src/book/registry.py")
    found = [
        f"{path.relative_to(ROOT)}, {where}"
        for path in python_files()
        if path.relative_to(ROOT).as_posix() not in homes
        for where in repeated_lists(
            path.read_text("utf-8"), set(losslib.__all__)
        )
    ]
    assert not found


# --- What people are told ---------------------------------------------------------------------


def test_nobody_is_told_to_install_another_package():
    messages = gates.installs_ours(gates.tracked_files(ROOT), ROOT)
    assert not messages, "\n".join(messages)


@pytest.mark.parametrize(
    "line",
    [
        "pip install {}",
        "`pip install -U {}`",
        "%pip install numpy {}",
        "uv pip install {}[torch]",
        "python -m pip install '{}>=0.1'",
    ],
)
def test_the_wrong_command_is_found(tmp_path, line):
    page = tmp_path / "page.md"
    page.write_text(f"Type\n{line.format('losslib')}\n")
    (message,) = gates.installs_ours([page], tmp_path)
    assert "page.md, line 2" in message
    assert "pip install ." in message


@pytest.mark.parametrize(
    "line", ["pip install .", "pip install ./losslib", "import losslib"]
)
def test_the_right_command_passes(tmp_path, line):
    page = tmp_path / "page.md"
    page.write_text(line)
    assert gates.installs_ours([page], tmp_path) == []


def test_the_chapters_are_listed():
    messages = gates.lists_agree(ROOT)
    assert not messages, "\n".join(messages)


def test_a_chapter_that_is_not_listed(tmp_path, monkeypatch):
    for name in ("README.md", "_toc.yml", "chapters"):
        (tmp_path / name).symlink_to(ROOT / name)
    readme = (ROOT / "README.md").read_text("utf-8")
    lost = re.sub(r"(?m)^.*chapters/focal.*\n", "", readme)
    (tmp_path / "README.md").unlink()
    (tmp_path / "README.md").write_text(lost, encoding="utf-8")
    (message,) = gates.lists_agree(tmp_path)
    assert "| II | [Focal loss](chapters/focal.ipynb) |" in message
    (tmp_path / "README.md").write_text(readme, encoding="utf-8")
    monkeypatch.setattr(gates, "REGIONS", gates.REGIONS[2:])
    assert "REGIONS" in gates.lists_agree(tmp_path)[0]


def test_the_map_names_what_is_there():
    """Every path of the README's map is in the repository, and every folder is in the map."""
    readme = (ROOT / "README.md").read_text("utf-8")
    drawn = readme.partition("## Map of the repository")[2].split("```")[1]
    named = [
        path
        for line in drawn.strip().splitlines()
        for path in re.split(r"\s{2,}", line)[0].split(", ")
    ]
    missing = [
        path
        for path in named
        if not list(ROOT.glob(re.sub(r"<\w+>", "*", path.rstrip("/"))))
    ]
    assert not missing
    folders = {
        path.relative_to(ROOT).parts[0]
        for path in gates.tracked_files(ROOT)
        if len(path.relative_to(ROOT).parts) > 1
    }
    assert folders <= {path.split("/")[0] for path in named}


@pytest.mark.parametrize(
    "name", re.findall(r"(?m)^([\w.-]+)==", REQUIREMENTS.read_text("utf-8"))
)
def test_what_is_pinned_runs_on_the_first_python_3_11(name):
    """Which is older than the last by years, and what a distribution may ship."""
    takes = metadata(name)["Requires-Python"] or ""
    assert SpecifierSet(takes).contains("3.11.0"), takes


@pytest.mark.parametrize(
    "command",
    [
        "install -r requirements.txt",
        "--no-deps --no-build-isolation --config-settings editable_mode=compat --editable . "
        "--editable ./equalsign --editable ./book",
        "jupyter-book build . -W --keep-going -n",
        "--nbval chapters",
    ],
)
def test_the_plain_commands_are_those_of_the_makefile(command):
    def words(name: str) -> str:
        return (ROOT / name).read_text("utf-8").replace("\\\n", " ")

    assert re.search(re.escape(command), words("README.md"))
    pieces = command.replace("install -r", "-r")
    assert pieces in words("Makefile")
