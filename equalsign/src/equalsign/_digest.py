"""A digest of what a function computes: its code, and all that it reaches outside of libraries."""

from __future__ import annotations

import ast
import linecache
import sysconfig
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve())
    for name in ("stdlib", "purelib", "platlib")
)


def digest(*functions: Callable[..., Any]) -> str:
    """Return a digest that changes with the code of the functions, or with what they reach.

    Reached are the functions that they call, the functions which those call, and the values that
    they read from where they are defined; code of installed libraries is not looked into. Names,
    comments, docstrings and layout of the file do not count.

    Examples
    --------
    >>> def double(x):
    ...     return 2 * x
    >>> digest(double) == digest(double)
    True
    """
    seen: dict[int, Any] = {}  # by identity, and kept alive
    parts = [part for f in functions for part in _parts(f, seen)]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def _parts(thing: Any, seen: dict[int, Any]) -> Iterator[str]:
    """Describe a thing, and whatever it reaches that has not been described yet."""
    if isinstance(thing, partial):
        parts = (thing.func, thing.args, thing.keywords)
        yield "partial"
        for part in parts:
            yield from _parts(part, seen)
        return
    if isinstance(thing, ModuleType | type) or not callable(thing):
        yield _value(thing)
        for function in _held(thing):
            yield from _parts(function, seen)
        return
    function = getattr(thing, "__wrapped__", thing)
    if not isinstance(function, FunctionType) or _of_library(
        function.__code__.co_filename
    ):
        # The ufuncs of SciPy have a name and nothing else.
        module = getattr(function, "__module__", None)
        name = getattr(function, "__name__", "")
        yield f"{module}.{getattr(function, '__qualname__', name)}"
        return
    if id(function) in seen:
        return
    seen[id(function)] = function
    tree, dump = _tree(function)
    yield dump
    defaults = (function.__defaults__, function.__kwdefaults__)
    if " at 0x" in repr(defaults):  # another address in every process
        yield from _parts(defaults, seen)
    else:
        yield repr(defaults)
    scope = _scope(function)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in scope:
            yield f"{node.id}:"
            yield from _parts(scope[node.id], seen)
        elif isinstance(node, ast.Attribute):
            owner = _module(node.value, scope)
            if owner is not None and hasattr(owner, node.attr):
                yield from _parts(getattr(owner, node.attr), seen)


def _held(thing: Any) -> Iterator[Any]:
    """Give the functions that a container holds."""
    if isinstance(thing, dict):
        thing = list(thing.values())
    if isinstance(thing, list | tuple):
        for item in thing:
            if callable(item) and not isinstance(item, type):
                yield item
            else:
                yield from _held(item)


def _of_library(file: str | None) -> bool:
    if file is None:  # built in
        return True
    return file.startswith("<frozen") or (
        not file.startswith("<")
        and str(Path(file).resolve()).startswith(_LIBRARIES)
    )


def _scope(function: FunctionType) -> dict[str, Any]:
    """Return what the free names of a function stand for."""
    cells = zip(
        function.__code__.co_freevars,
        function.__closure__ or (),
        strict=True,
    )
    known = function.__globals__ | {
        name: cell.cell_contents for name, cell in cells
    }
    return {
        name: known[name]
        for name in _outside(function.__code__)
        if name in known
    }


def _outside(code: CodeType) -> set[str]:
    """Return the names that code reads from outside of itself, not those of its own variables."""
    names = {*code.co_names, *code.co_freevars}
    for part in code.co_consts:
        if isinstance(part, CodeType):
            # what an inner function closes over is a variable of this one, or among the names
            names |= _outside(part) - {*part.co_freevars}
    return names


def _module(node: ast.expr, scope: dict[str, Any]) -> Any:
    """Return the module of one's own that an expression such as ``a.b`` names, or None."""
    if isinstance(node, ast.Name):
        found = scope.get(node.id)
    elif isinstance(node, ast.Attribute):
        owner = _module(node.value, scope)
        found = getattr(owner, node.attr, None)
    else:
        found = None
    if not isinstance(found, ModuleType):
        return None
    return None if _of_library(getattr(found, "__file__", None)) else found


def _tree(function: FunctionType) -> tuple[ast.AST, str]:
    """Parse the definition of a function, without its docstrings and its name; and dump it."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    source = "".join(linecache.getlines(code.co_filename))
    if not source:
        raise ValueError(
            f"the source of {function.__qualname__} cannot be read"
        )
    return _bare(source, code.co_firstlineno, code.co_name == "<lambda>")


@lru_cache(maxsize=1024)
def _bare(source: str, line: int, is_lambda: bool) -> tuple[ast.AST, str]:
    """Return what a file defines at a line, and its dump; the findings of a page reach the same."""
    found = [
        deepcopy(node)
        for node in _definitions(source)
        if _first_line(node) == line
        and isinstance(node, ast.Lambda) == is_lambda
    ]
    for node in (n for tree in found for n in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    bodies = [
        ast.Lambda(node.args, ast.Tuple(node.body, ast.Load()))  # type: ignore[arg-type]
        if isinstance(node, ast.FunctionDef)
        else node
        for node in found
    ]
    tree = ast.Module(bodies, [])  # type: ignore[arg-type]
    return tree, ast.dump(tree)


@lru_cache(maxsize=256)
def _definitions(source: str) -> list[ast.FunctionDef | ast.Lambda]:
    """Find what a file defines; one experiment reaches many functions of few files."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
    ]


def _first_line(node: ast.FunctionDef | ast.Lambda) -> int:
    decorators = getattr(node, "decorator_list", [])
    lines: list[int] = [node.lineno, *(d.lineno for d in decorators)]
    return min(lines)


@lru_cache(maxsize=16)
def _rounded(data: bytes) -> str:
    """Digest floats by six digits of each; the findings of a page read the same data."""
    text = np.char.mod("%.6g", np.frombuffer(data))
    return sha256(" ".join(text).encode()).hexdigest()


def _value(thing: Any) -> str:
    """Describe a value, floats to six digits: the last ones differ between processors."""
    if hasattr(thing, "detach") and not isinstance(
        thing, ModuleType | type
    ):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, np.generic):
        thing = thing.item()
    if isinstance(thing, np.ndarray) and thing.dtype.kind == "c":
        thing = np.stack([thing.real, thing.imag])
    if isinstance(thing, np.ndarray) and thing.dtype.kind == "f":
        return (
            f"{thing.shape} {_rounded(thing.astype(np.float64).tobytes())}"
        )
    if isinstance(thing, np.ndarray):
        return f"{thing.shape} {sha256(thing.tobytes()).hexdigest()}"
    if isinstance(thing, float | complex):
        return f"{thing:.6g}"
    if isinstance(thing, list | tuple):
        return f"[{', '.join(map(_value, thing))}]"
    if isinstance(thing, set | frozenset):  # in the same order everywhere
        items = sorted(map(_value, thing), key=lambda x: (len(x), x))
        return f"[{', '.join(items)}]"
    if isinstance(thing, dict):
        pairs = (f"{k!r}: {_value(v)}" for k, v in thing.items())
        return f"{{{', '.join(pairs)}}}"
    if thing is None or isinstance(thing, str | bytes | bool | int):
        return repr(thing)
    if isinstance(thing, ModuleType | type):
        return thing.__name__
    return type(thing).__qualname__
