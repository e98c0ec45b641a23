"""Formulas are set by V8, which must be closed by a thread that may touch its memory."""

import subprocess
import sys
import threading

import pytest

from book.sphinx import maths

CONTEXTS = "init_mini_racer(ignore_duplicate_init=True).mr_context_count()"
ON_THE_MAIN_THREAD = r"maths.render(r'\frac12')"
ON_ANOTHER = r"""
import threading
thread = threading.Thread(target=maths.render, args=(r'\frac12',))
thread.start()
thread.join()
"""
IN_AN_EVENT_LOOP = r"""
import asyncio
async def main():
    return maths.render(r'\frac12')
asyncio.run(main())
"""
TWICE = r"""
maths.render(r'\frac12')
maths.close_engine()
maths.close_engine()
maths.render(r'\frac13')
"""
AFTER_A_FAILURE = r"""
try:
    maths.render(r'\frac12{')
except maths.TeXError:
    pass
"""
IN_SPHINX = r"""
import threading
from book.sphinx import maths

init = maths.init_mini_racer


def watched(**options):
    print("V8 begins on", threading.current_thread().name)
    return init(**options)


class Racer(maths.MiniRacer):
    def __init__(self):
        print("a context begins on", threading.current_thread().name)
        super().__init__()

    def close(self, *error):
        if self._own_context_maker is not None:
            print("it ends on", threading.current_thread().name)
        super().close(*error)


maths.init_mini_racer, maths.MiniRacer = watched, Racer
extensions = ["book.sphinx.maths"]
html_math_renderer = "book_katex"
html_theme = "basic"
"""


def run(*command: object, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "script",
    [
        ON_THE_MAIN_THREAD,
        ON_ANOTHER,
        IN_AN_EVENT_LOOP,
        TWICE,
        AFTER_A_FAILURE,
    ],
    ids=["main", "another", "loop", "twice", "failure"],
)
def test_a_process_that_renders_ends_well(script):
    # What is registered first runs last: when all engines are closed.
    count = (
        "import atexit\nfrom py_mini_racer import init_mini_racer\n"
        f"atexit.register(lambda: print({CONTEXTS}, 'contexts are left'))\n"
    )
    done = run("-c", f"{count}from book.sphinx import maths\n{script}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == "0 contexts are left\n"


def test_a_build_ends_well(tmp_path):
    (tmp_path / "conf.py").write_text(IN_SPHINX)
    (tmp_path / "index.rst").write_text("Title\n=====\n\n:math:`x^2`\n")
    done = run(
        "-m", "sphinx", "-W", "-q", tmp_path, tmp_path / "_build" / "html"
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "_build/html/index.html").read_text(encoding="utf-8")
    assert 'class="katex ' in page
    threads = [line for line in done.stdout.splitlines() if " on " in line]
    assert threads == [
        "V8 begins on MainThread",
        "V8 begins on MainThread",  # again, which changes nothing
        "a context begins on katex",
        "it ends on katex",
    ]


def test_one_thread_starts_runs_and_closes_the_engine(monkeypatch):
    maths.close_engine()
    seen = []

    class Racer(maths.MiniRacer):
        def __init__(self):
            seen.append(threading.current_thread().name)
            super().__init__()

        def close(self, *error):
            if self._own_context_maker is not None:
                seen.append(threading.current_thread().name)
            super().close(*error)

    monkeypatch.setattr(maths, "MiniRacer", Racer)
    before = threading.active_count()
    maths.by_katex(r"\sqrt{2}")
    maths.close_engine()
    assert seen == ["katex", "katex"]
    assert threading.active_count() == before


def test_an_engine_that_does_not_start_says_so(monkeypatch, tmp_path):
    maths.close_engine()
    monkeypatch.setattr(maths, "KATEX", tmp_path / "none.js")
    with pytest.raises(FileNotFoundError):
        maths.by_katex("x")
    monkeypatch.undo()
    assert "katex" in maths.by_katex("x")
