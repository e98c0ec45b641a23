"""Figures and source listings of the book, in one style.

A figure is stored as SVG, with its alternative text and a summary of the data that it draws. The
summary is what the tests compare: bytes of an SVG differ between machines, its data do not.
"""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython.display import display
from matplotlib.figure import Figure

# Okabe and Ito's colours: told apart by every kind of colour vision.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9",
)  # fmt: skip
GREY = "#6b6b6b"

_RC = {
    "figure.figsize": (6.4, 3.6),
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": cycler(
        color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]
    ),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "font.size": 12,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "losses-from-entropy",
}


def use() -> None:
    """Set the style of the book's figures: wide strokes, large type, direct labels, no frame."""
    plt.rcParams.update(_RC)


def show(figure: Figure, alt: str, caption: str) -> None:
    """Display a figure with its alternative text and its caption, and close it.

    Parameters
    ----------
    figure : Figure
        The figure to show.
    alt : str
        What the figure shows, for those who do not see it.
    caption : str
        The answer that the figure gives, in Markdown.

    Raises
    ------
    ValueError
        If `alt` or `caption` is empty, or the figure draws no data.
    """
    if not alt.strip() or not caption.strip():
        raise ValueError(
            "alt and caption must say what the figure shows, got an empty text"
        )
    summary = _summary(figure)
    if not summary:
        raise ValueError(
            "figure must draw at least one line, patch or collection"
        )
    svg = io.StringIO()
    figure.savefig(
        svg, format="svg", bbox_inches="tight", metadata={"Date": None, "Title": alt},
        transparent=True,
    )  # fmt: skip
    plt.close(figure)
    plain = "\n".join([f"Figure: {alt}", *summary])
    display(
        {"image/svg+xml": svg.getvalue(), "text/plain": plain}, raw=True
    )
    display({"text/markdown": caption, "text/plain": caption}, raw=True)


def source(function: Callable[..., Any]) -> None:
    """Display the source of a function, without its docstring.

    Parameters
    ----------
    function : callable
        A function written in Python.
    """
    text = textwrap.dedent(inspect.getsource(function))
    body = ast.parse(text).body[0]
    assert isinstance(body, ast.FunctionDef)
    first = body.body[0]
    if ast.get_docstring(body) is not None:
        lines = text.splitlines(keepends=True)
        text = "".join(
            lines[: first.lineno - 1] + lines[first.end_lineno :]
        )
    display(
        {"text/markdown": f"```python\n{text}```", "text/plain": text},
        raw=True,
    )


def _summary(figure: Figure) -> list[str]:
    """Describe what each axes draws, to three significant digits."""
    return [
        f"  {artist}"
        for axes in figure.axes
        for artist in (
            *(
                _describe("line", line.get_label(), line.get_xydata())
                for line in axes.lines
            ),
            *(
                _describe("points", item.get_label(), item.get_offsets())
                if np.size(item.get_offsets()) > 2
                else _describe("area", item.get_label(), _vertices(item))
                for item in axes.collections
            ),
            *(
                _describe("patch", patch.get_label(), _outline(patch))
                for patch in axes.patches
            ),
            *(
                _describe("image", image.get_label(), _pixels(image))
                for image in axes.images
            ),
        )
    ]


def _vertices(collection: Any) -> np.ndarray:
    paths = [path.vertices for path in collection.get_paths()]
    return np.concatenate(paths) if paths else np.empty((0, 2))


def _outline(patch: Any) -> np.ndarray:
    return np.asarray(
        patch.get_patch_transform().transform(patch.get_path().vertices)
    )


def _pixels(image: Any) -> np.ndarray:
    values = np.ravel(np.asarray(image.get_array(), dtype=float))
    return np.column_stack([np.arange(len(values)), values])


def _describe(kind: str, label: object, points: Any) -> str:
    """Write one artist as its count of points and the least, mean and greatest x and y."""
    xy = np.asarray(points, dtype=float).reshape(-1, 2)
    xy = xy[np.isfinite(xy).all(axis=1)]
    name = "" if str(label).startswith("_") else f" {label}"
    if not len(xy):
        return f"{kind}{name}: empty"
    spans = (
        f"{axis} {' '.join(f'{_rounded(v):g}' for v in (c.min(), c.mean(), c.max()))}"
        for axis, c in zip("xy", xy.T, strict=True)
    )
    return f"{kind}{name}: {len(xy)} points, least, mean and greatest {'; '.join(spans)}"


def _rounded(value: float) -> float:
    """Round to three significant digits, and to 0 what is only round-off."""
    return 0.0 if abs(value) < 1e-9 else float(f"{value:.3g}")
