"""A build that keeps what the last one made gives what a build from nothing gives."""

import json
import os
import re
import shutil
import subprocess
import sys
from filecmp import dircmp
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from book import ROOT
from book.refresh import KERNELSPEC

CONF = """
extensions = ["myst_nb", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
extensions += [f"book.sphinx.{name}" for name in ("maths", "html", "api", "fresh")]
html_theme = "basic"
html_math_renderer = "book_katex"
html_static_path = ["_static"]
html_css_files = ["small.css"]
math_numfig = numfig = True
math_number_all = False
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath"]
python_use_unqualified_type_names = False
default_role = "code"
nitpicky = False
"""
INDEX = """# Cover

See {ref}`here <ch-two>`, {eq}`eq-one` and {eq}`eq-two`.

There are {glue:text}`two.ipynb::count:s` checks.

```{toctree}
:numbered:

one
two
api
```
"""
ONE = """# One

A sentence.

So {glue:text}`two.ipynb::count:s` are held.

$$
x = 1
$$ (eq-one)
"""
TWO = (
    "(ch-two)=\n# Two\n\nAs {eq}`eq-one` says.\n\n$$\ny = 2\n$$ (eq-two)\n"
)
GLUE = "application/papermill.record/text/plain"


def glued(value: str):
    output = new_output(
        "display_data",
        {GLUE: repr(value)},
        metadata={"scrapbook": {"mime_prefix": GLUE[:-10], "name": "count"}},
    )  # fmt: skip
    return new_code_cell(
        "glue('count', count)", outputs=[output], execution_count=1
    )


def notebook(path: Path, *cells) -> None:
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    nb = new_notebook(cells=list(cells))
    nb.metadata.kernelspec = KERNELSPEC
    nbformat.write(nb, path)


class Book:
    """A small book, and its builds."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.source = folder / "source"
        (self.source / "_static").mkdir(parents=True)
        (self.source / "conf.py").write_text(CONF)
        (self.source / "_static" / "small.css").write_text("p {}\n")
        (self.source / "index.md").write_text(INDEX)
        (self.source / "api.rst").write_text(
            "API\n===\n\n.. lossapi:: III\n"
        )
        shutil.copytree(ROOT / "losslib", folder / "modules" / "losslib")
        notebook(self.source / "one.ipynb", new_markdown_cell(ONE))
        notebook(
            self.source / "two.ipynb", new_markdown_cell(TWO), glued("17")
        )

    def build(self, name="kept") -> subprocess.CompletedProcess:
        """Build into a folder of that name, on top of what lies there."""
        out = self.folder / name
        command = [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-N",
        ]
        command += ["-d", out / "trees", self.source, out / "html"]
        before = os.environ.get("PYTHONPATH")
        modules = [
            str(self.folder / "modules"),
            *([before] if before else []),
        ]
        settings = {
            "PYTHONPATH": os.pathsep.join(modules),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            command, env={**os.environ, **settings}, cwd=self.source,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def page(self, name: str) -> str:
        return (self.folder / "kept" / "html" / name).read_text("utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def same(self) -> None:
        """Check that a build from nothing gives the same files."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        done = self.build("new")
        assert done.returncode == 0, done.stderr
        for name in ("kept", "new"):
            for path in (self.folder / name / "html").rglob("*.html"):
                # Sphinx gives no number to a style sheet that is not there yet.
                text = re.sub(
                    r"(\.css)\?v=\w+", r"\1", path.read_text("utf-8")
                )
                path.write_text(text, encoding="utf-8")
        assert not list(
            differing(
                dircmp(
                    self.folder / "kept" / "html",
                    self.folder / "new" / "html",
                    ignore=[".built"],
                )
            )
        )


def differing(compared: dircmp):
    yield from (
        compared.left_only + compared.right_only + compared.diff_files
    )
    for below in compared.subdirs.values():
        yield from differing(below)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Build a book that tests may change, and leave built."""
    book = Book(tmp_path_factory.mktemp("book"))
    done = book.build()
    assert done.returncode == 0, done.stderr
    assert "17" in book.page("index.html")
    return book


def read(done: subprocess.CompletedProcess) -> str:
    return re.search(r"updating environment: (.*)", done.stdout)[1]


def written(done: subprocess.CompletedProcess) -> set[str]:
    return set(re.findall(r"writing output\.\.\. \[ *\d+%\] (\S+)", done.stdout))  # fmt: skip


def test_nothing_has_changed(book):
    done = book.build()
    assert done.returncode == 0, done.stderr
    assert "0 added, 0 changed, 0 removed" in read(done)
    book.same()


def test_a_sentence(book):
    """Its page is read and written, and no other is."""
    book.edit("source/one.ipynb", "A sentence.", "A sentence. Another one.")
    os.utime(book.source / "one.ipynb", (1e9, 1e9))  # an old file
    done = book.build()
    assert "Another one." in book.page("one.html")
    assert "0 added, 1 changed, 0 removed" in read(done)
    assert "two" not in written(done)
    book.same()


def test_a_docstring(book):
    book.edit("modules/losslib/counts.py", '"""', '"""A line that is new. ')
    book.edit(
        "modules/losslib/counts.py",
        'r"""Negative',
        'r"""A docstring that is new. Negative',
    )
    assert book.build().returncode == 0
    assert "A docstring that is new" in book.page("api.html")
    assert "A line that is new" in book.page("_modules/losslib/counts.html")
    book.same()


def test_a_glued_value(book):
    book.edit("source/two.ipynb", "'17'", "'18'")
    assert book.build().returncode == 0
    assert "18" in book.page("index.html")
    assert "So 18 are held" in re.sub(r"<[^>]*>", "", book.page("one.html"))
    book.same()


def test_a_value_that_is_glued_no_more(book):
    book.edit("source/two.ipynb", '"name": "count"', '"name": "other"')
    done = book.build()
    assert done.returncode == 1
    assert "Glue reference 'count' not found" in done.stderr
    book.edit("source/two.ipynb", '"name": "other"', '"name": "count"')
    assert book.build().returncode == 0


def test_numbers_and_titles(book):
    """An equation before another, and a title, change the pages that refer to them."""
    before = book.page("index.html")
    book.edit(
        "source/one.ipynb",
        "# One\\n",
        "# The first\\n\\n$$\\nw = 0\\n$$ (eq-zero)\\n",
    )
    assert book.build().returncode == 0
    assert "The first" in book.page("two.html")
    assert book.page("index.html") != before
    book.same()


def test_what_is_set_once(tmp_path):
    """A change of title sets no formula and no code anew, a change of settings does."""
    book = Book(tmp_path)
    book.edit(
        "source/two.ipynb",
        "As {eq}",
        "~~~python\\nonce = 1\\n~~~\\n\\nAs {eq}",
    )
    assert book.build().returncode == 0
    mark = book.folder / "kept/trees/book.sound"
    sound = json.loads(mark.read_text())
    kept = {}
    for sign in ("x = 1", "y = 2", "once = 1", "glue("):
        (what,) = [x for x in sound["html"] if sign in x and len(x) < 99]
        kept[what] = f"<i>kept {sign}</i>"
    mark.write_text(
        json.dumps({**sound, "html": {**sound["html"], **kept}})
    )
    book.edit("source/one.ipynb", "# One", "# The first")
    assert book.build().returncode == 0
    pages = book.page("one.html") + book.page("two.html")
    assert [x for x in kept.values() if x not in pages] == []
    book.edit("source/conf.py", 'role = "code"', 'role = "emphasis"')
    assert book.build().returncode == 0
    assert "kept" not in book.page("one.html") + book.page("two.html")
    book.same()


def test_a_page_that_goes(tmp_path):
    book = Book(tmp_path)
    assert book.build().returncode == 0
    (book.source / "one.ipynb").unlink()
    book.edit("source/index.md", "\none\n", "\n")
    book.edit("source/index.md", "{eq}`eq-one` and ", "")
    book.edit("source/two.ipynb", "As {eq}`eq-one` says.", "So.")
    assert book.build().returncode == 0
    assert not (book.folder / "kept/html/one.html").exists()
    book.same()


def test_a_style_sheet(book):
    before = book.page("one.html")
    book.edit("source/_static/small.css", "p {}", "p { margin: 0 }")
    assert book.build().returncode == 0
    assert book.page("one.html") != before  # the number of the style sheet
    book.same()


def test_settings(book):
    book.edit(
        "source/conf.py",
        'default_role = "code"',
        'default_role = "emphasis"',
    )
    done = book.build()
    assert done.returncode == 0, done.stderr
    assert "4 added" in read(done)
    book.same()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("\\n\\n#### Deep", "Non-consecutive header level"),
        ("$\\\\frac{$", "not TeX that KaTeX can set"),
    ],
    ids=["reading", "writing"],
)
def test_a_warning_is_not_lost(book, fault, words):
    """The page that warned is not read again for itself, but the build fails again."""
    book.edit("source/one.ipynb", "A sentence.", f"A sentence. {fault}")
    for _ in range(2):
        done = book.build()
        assert done.returncode == 1
        assert words in done.stderr
        assert not (book.folder / "kept/html/.built").exists()
    book.edit("source/one.ipynb", f" {fault}", "")
    done = book.build()
    assert done.returncode == 0, done.stderr
    assert (book.folder / "kept/html/.built").exists()


def test_a_build_that_was_broken_off(book):
    """What it read counts for nothing, and neither does a mark that is cut off."""
    mark = book.folder / "kept/trees/book.sound"
    whole = mark.read_text()
    for left in (None, whole[:20]):
        mark.unlink()
        if left:
            mark.write_text(left)
        done = book.build()
        assert done.returncode == 0, done.stderr
        assert "4 added" in read(done)
