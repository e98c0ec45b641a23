"""Never stale: what a build keeps of the one before it, and what it does anew.

Every page is written anew, so that a number, a title or a link that comes from another page is
right. A page is read anew if its source has changed, or a module that it documents. All are, if
anything else has changed that the reading depends on, or if the last build warned or broke off: its
warnings would be lost with the pages that are not read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import equalsign

SOUND = "book.sound"
"""The file, beside the environment, of a build without a warning: what its pages were read by."""

SETTINGS = (
    "_config.yml",
    "_toc.yml",
    "conf.py",
    "references.bib",
    "requirements.txt",
)


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


def read_by(srcdir: str | Path) -> str:
    """Give the digest of all that every page is read by."""
    from book import sphinx

    settings = [Path(srcdir) / name for name in SETTINGS]
    return digest([*settings, *sources(sphinx), *sources(equalsign)])


def begin(app: Any) -> None:
    """Clear the site; and what the last build read, unless it was sound and read the same way."""
    sound = Path(app.doctreedir) / SOUND
    key = read_by(app.srcdir)
    if not sound.is_file() or sound.read_text() != key:
        shutil.rmtree(app.doctreedir, ignore_errors=True)
        Path(app.doctreedir).mkdir(parents=True)
    sound.unlink(missing_ok=True)
    if (Path(app.outdir) / ".buildinfo").is_file():  # Sphinx wrote it
        shutil.rmtree(app.outdir)
        Path(app.outdir).mkdir()


def page_digests(env: Any) -> dict[str, str]:
    """Give the digest of each page that was read, with the files that it was read with."""
    return {
        page: digest(
            Path(env.srcdir) / path
            for path in (env.doc2path(page), *sorted(env.dependencies[page]))
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


def remember(app, env) -> None:
    """Keep with the environment what its pages were read from."""
    env.book_digests = page_digests(env)


def end(app, exception) -> None:
    """Let the next build keep what this one read, if nothing was wrong with it."""
    if exception is None and not app._warncount:
        (Path(app.doctreedir) / SOUND).write_text(read_by(app.srcdir))


def setup(app):
    """Connect the above to Sphinx, which has not loaded the last environment yet."""
    begin(app)
    app.connect("env-get-outdated", changed)
    app.connect("env-updated", remember)
    app.connect("build-finished", end)
    return {
        "version": "1",
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
