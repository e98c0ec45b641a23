"""Never stale: what a build keeps of the one before it, and what it does anew.

A page is read anew if its source has changed, or a module that it documents. All are, if anything
else has changed that pages are read by, or if the last build warned or broke off: its warnings
would be lost with the pages that are not read.

A page is written anew if it was read. All are, if a page has changed in what others may show of it
(a title, a number of an equation, a glued value, an entry of the library), or if a template has.
A formula or a block of code that stands on it as before is not set anew for that.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pybtex.plugin
from docutils import nodes
from sphinx.search.en import SearchEnglish

import equalsign

SOUND = "book.sound"
"""The file, beside the environment, of a build without a warning: what it was made by."""

# What every page is read by, and what it is written by, beside the modules.
READ_BY = (
    "_config.yml",
    "_toc.yml",
    "conf.py",
    "references.bib",
    "requirements.txt",
)
WRITTEN_BY = ("_static", "_templates")

# What Sphinx knows of a page that no other page shows.
OWN = {
    "all_docs", "app", "book_digests", "book_shared", "config", "config_status", "doctreedir",
    "config_status_extra", "dependencies", "dlfiles", "domains", "events", "files_to_rebuild",
    "images", "included", "metadata", "original_image_uri", "project", "ref_context", "settings",
    "sphinx_exercise_gated_registry", "srcdir", "temp_data", "_pickled_doctree_cache",
    "_viewcode_modules", "_write_doc_doctree_cache",
}  # fmt: skip


HTML: dict[str, str] = {}
"""What each formula and each block of code was set as; it depends on no page."""


def sources(package: Any) -> list[Path]:
    """Give the modules of a package, and its scripts."""
    folder = Path(package.__file__).parent
    return sorted((*folder.rglob("*.py"), *folder.rglob("*.js")))


def digest(paths: Iterable[Path]) -> str:
    """Give one number for the contents of files; one that is not there counts as that."""
    whole = sha256()
    for path in paths:
        found = path.is_file()
        content = path.read_bytes() if found else b""
        whole.update(f"{path} {found} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def made_by(srcdir: str | Path) -> list[str]:
    """Give the digests of all that every page is read by, and written by."""
    from book import sphinx

    root = Path(srcdir)
    settings = [root / name for name in READ_BY]
    looks = [
        path for name in WRITTEN_BY for path in (root / name).rglob("*")
    ]
    return [
        digest([*settings, *sources(sphinx), *sources(equalsign)]),
        digest(sorted(looks)),
    ]


def clear(folder: str | Path, sign: str, keep: str | Path = "") -> None:
    """Empty a folder that Sphinx has written: its sign lies in it."""
    if not (Path(folder) / sign).is_file():
        return
    for path in Path(folder).iterdir():
        if path.is_dir() and path != Path(keep):
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def begin(app: Any) -> None:
    """Forget what the last build read and wrote, unless it was sound and would do so again."""
    sound = Path(app.doctreedir) / SOUND
    last = {"made by": ["", ""], "index": {}, "html": {}}
    with suppress(OSError, ValueError):  # none, or one that is cut off
        last = json.loads(sound.read_text(encoding="utf-8"))
    sound.unlink(missing_ok=True)
    app.book_sound = {**last, "made by": made_by(app.srcdir)}
    if last["made by"] != app.book_sound["made by"]:
        clear(app.outdir, ".buildinfo", keep=app.doctreedir)
    HTML.clear()
    if last["made by"][0] == app.book_sound["made by"][0]:
        HTML.update(last["html"])
    else:
        clear(app.doctreedir, "environment.pickle")
        for values in glued(app).rglob("*.glue.json"):
            values.unlink()


def page_digests(env: Any) -> dict[str, tuple[str, str]]:
    """Give the digest of each page that was read, and of the files that it was read with."""
    root = Path(env.srcdir)
    return {
        page: (
            digest([Path(env.doc2path(page))]),
            digest(root / path for path in sorted(env.dependencies[page])),
        )
        for page in env.all_docs
    }


def changed(app, env, added, changed, removed) -> list[str]:
    """Name the pages whose sources are not those that were read, however old the files are."""
    read = getattr(env, "book_digests", {})
    return [
        page
        for page, found in page_digests(env).items()
        if read.get(page) != found
    ]


def plain(value: Any) -> str:
    """Write what Sphinx keeps so that it can be compared, in an order of its own.

    >>> plain({"b": [2, 1], "a": {3}}) == plain({"a": {3}, "b": [1, 2]})
    True
    >>> plain((1, 2)) == plain((2, 1))
    False
    """
    if isinstance(value, nodes.Node):
        return value.pformat()
    if isinstance(value, dict):
        return plain(list(value.items()))
    if isinstance(value, tuple):
        return f"({' '.join(map(plain, value))})"
    if isinstance(value, list | set | frozenset):  # as pages were read
        return f"[{' '.join(sorted(map(plain, value)))}]"
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return plain(vars(value))
    return repr(value)


def shared(app: Any) -> str:
    """Write all that a page may show of another, and the modules that pages document."""
    known = {k: v for k, v in vars(app.env).items() if k not in OWN}
    modules = [modules for _, modules in app.env.book_digests.values()]
    values = digest(sorted(glued(app).rglob("*.glue.json")))
    return sha256(plain((known, modules, values)).encode()).hexdigest()


def glued(app: Any) -> Path:
    """Give the folder in which MyST-NB keeps what each page glues."""
    return Path(app.outdir).parent / "jupyter_execute"


def forget(app, env, page) -> None:
    """Forget what a page glues, when it is read anew or is no more."""
    (glued(app) / f"{page}.glue.json").unlink(missing_ok=True)


def dependents(app, env) -> Iterable[str]:
    """Name all pages if what they show of each other has changed; keep what it is now."""
    env.book_digests = page_digests(env)
    before, now = getattr(env, "book_shared", None), shared(app)
    env.book_shared = now
    if before == now:
        return []
    clear(app.outdir, ".buildinfo", keep=app.doctreedir)
    return env.found_docs


def keep_code(app) -> None:
    """Let a block of code be coloured once."""
    if (bridge := getattr(app.builder, "highlighter", None)) is None:
        return  # a builder that shows nothing
    colour = bridge.highlight_block

    def once(source, lang, *args, location=None, **options) -> str:
        key = f"code {lang} {args} {options} {source}"
        if key not in HTML:
            HTML[key] = colour(
                source, lang, *args, location=location, **options
            )
        return HTML[key]

    bridge.highlight_block = once


def index(app) -> list[Any]:
    """Mend what Sphinx keeps of the search: it loses index entries, and keeps words of no page."""
    if (search := getattr(app.builder, "indexer", None)) is not None:
        app.book_sound["index"] |= search._index_entries
        search._index_entries = app.book_sound["index"]
        for words in (search._mapping, search._title_mapping):
            for word in [
                word for word, pages in words.items() if not pages
            ]:
                del words[word]
    return []


def end(app, exception) -> None:
    """Drop the pictures that no page shows any more; let the next build keep what is sound."""
    if exception is not None:
        return
    shown = {name for _, name in app.env.images.values()}
    for picture in (Path(app.outdir) / "_images").glob("*"):
        if picture.name not in shown:
            picture.unlink()
    if not app._warncount:
        sound = Path(app.doctreedir) / SOUND
        app.book_sound["html"] = HTML
        sound.write_text(json.dumps(app.book_sound), encoding="utf-8")


def setup(app):
    """Connect the above to Sphinx, which has not loaded the last environment yet."""
    begin(app)
    # A build makes much that lasts and little that is thrown away, at its end neither; each
    # citation would look through all installed packages for the same plug-in, and the search
    # for the stem of a word on each page that has it.
    gc.disable()
    app.connect("build-finished", lambda *_: (gc.freeze(), gc.enable()))
    pybtex.plugin.find_plugin = cache(pybtex.plugin.find_plugin)
    SearchEnglish.stem = cache(SearchEnglish.stem)
    app.connect("builder-inited", keep_code)
    app.connect("env-get-outdated", changed)
    app.connect("env-purge-doc", forget)
    app.connect("env-get-updated", dependents, priority=950)
    app.connect("html-collect-pages", index)
    app.connect("build-finished", end)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
