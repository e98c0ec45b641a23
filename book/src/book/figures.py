"""Figures and source listings of the book, in one style.

A figure is stored as SVG, with its alternative text and a summary of the data that it draws. The
summary is what the tests compare: bytes of an SVG differ between machines, its data do not.

A figure with a slider holds every frame, computed here; what moves it in the page is one line of
script, which asks no server and no library.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython.display import display
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

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


# The least contrast of type with its ground by WCAG 2, of 1 to 21.
READABLE = 4.5


def contrast(color: ColorType) -> float:
    """Give the contrast of a colour with white, as WCAG defines it: from 1 (white) to 21 (black).

    >>> round(contrast("black"), 2), round(contrast(ORANGE), 2)
    (21.0, 2.25)
    """
    channels = np.array(to_rgb(color))
    light = np.where(
        channels <= 0.04045,
        channels / 12.92,
        ((channels + 0.055) / 1.055) ** 2.4,
    )
    return float(1.05 / (light @ (0.2126, 0.7152, 0.0722) + 0.05))


def legible(color: ColorType) -> str:
    """Darken a colour as far as needed for type on white; its hue stays.

    >>> legible(BLUE) == BLUE.lower(), legible(ORANGE)
    (True, '#9c6c00')
    """
    shades = (
        to_hex(darker * np.array(to_rgb(color)))
        for darker in np.linspace(1, 0, 101)
    )
    return next(shade for shade in shades if contrast(shade) >= READABLE)


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
    summary = _summary(figure)
    if not summary:
        raise ValueError(
            "figure must draw at least one line, patch or collection"
        )
    _display(_described(figure, alt, caption), alt, caption, summary)


def slider(
    name: str,
    values: Sequence[float],
    *,
    alt: str,
    caption: str,
    curves: Mapping[str, tuple[Any, Any]] | None = None,
    bars: Mapping[str, Any] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    xticks: Sequence[float] | None = None,
    yticks: Sequence[float] | None = None,
    colors: Mapping[str, str] | None = None,
    at: Mapping[str, float] | None = None,
    says: Sequence[str] | None = None,
    start: int = 0,
) -> None:
    """Display a figure that the reader moves, by mouse or by keyboard, with a slider.

    There is one frame for each value of a parameter, and all of them are computed here. Where
    nothing can move (on paper, without scripts), five frames (all, of up to six) stand in one still
    picture.

    Parameters
    ----------
    name : str
        What the slider sets, such as ``"temperature *τ*"``; text between stars is italic, here and
        in every label.
    values : sequence of float
        The values of the parameter, at least two: one frame each, in this order.
    alt : str
        What the figure shows over all frames, for those who do not see it.
    caption : str
        The answer that the figure gives, in Markdown.
    curves : mapping of str to (x, y)
        Curves by their labels: `x` of shape (points,), `y` of shape (frames, points) for a curve
        that moves, or (points,) for one that stands still (it is grey). Not with `bars`.
    bars : mapping of str to heights
        Bars by their labels, each with its heights of shape (frames,). Not with `curves`.
    xlabel, ylabel : str
        What the axes show.
    xlim, ylim : (float, float)
        Ends of the axes, the same in every frame; by default, what holds all data.
    xticks, yticks : sequence of float
        Where the axes carry numbers; by default round numbers.
    colors : mapping of str to str
        Colours by label; by default those of the book, in order.
    at : mapping of str to float
        Where on the x axis a curve carries its label; by default at its right end.
    says : sequence of str
        What to say beside the slider, one text for each frame; by default the value. A screen
        reader reads it too.
    start : int
        The frame that is shown first.

    Raises
    ------
    ValueError
        If a text is empty, or shapes do not fit the values.
    """
    names = [f"{_rounded(value):g}" for value in values]
    texts = names if says is None else says
    frames = len(values)
    _check_slider(frames, len(texts), start, curves, bars)
    plot = _Plot(name, names, list(texts), start)
    marks = (
        _bars(bars, frames, colors or {})
        if bars
        else _curves(curves or {}, frames, colors or {}, at or {})
    )
    x = [m.x for m in marks] if curves else [[-0.5], [len(marks) - 0.5]]
    y = [m.y[np.isfinite(m.y)] for m in marks] + ([] if curves else [[0.0]])
    plot.xlim = xlim or _span(x, pad=0.0)
    plot.ylim = ylim or _span(y, pad=0.04)
    plot.xticks = _round_numbers(*plot.xlim) if xticks is None else xticks
    plot.yticks = _round_numbers(*plot.ylim) if yticks is None else yticks
    plot.labels = (xlabel, ylabel)
    still = _still(plot, marks)
    summary = [
        f"  slider {_plain(name)}: {line}" for line in _frames(plot, marks)
    ]
    _display(
        _described(still, alt, caption), alt, caption, summary,
        {"text/html": plot.html(marks, alt)},
    )  # fmt: skip


def _described(figure: Figure, alt: str, caption: str) -> str:
    """Write a figure as SVG with its alternative text, and close it."""
    if not alt.strip() or not caption.strip():
        raise ValueError(
            "alt and caption must say what the figure shows, got an empty text"
        )
    svg = io.StringIO()
    figure.savefig(
        svg, format="svg", bbox_inches="tight", metadata={"Date": None, "Title": alt},
        transparent=True,
    )  # fmt: skip
    plt.close(figure)
    return svg.getvalue()


def _display(
    svg: str,
    alt: str,
    caption: str,
    summary: Iterable[str],
    more: Mapping[str, str] | None = None,
) -> None:
    plain = "\n".join([f"Figure: {alt}", *summary])
    data = {"image/svg+xml": svg, "text/plain": plain}
    display({**data, **(more or {})}, raw=True)
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


# --- Figures with a slider ----------------------------------------------------------------------

# The picture, in units of its own: its ground, and the rectangle in which curves are drawn.
_WIDTH, _HEIGHT = 400, 270
_LEFT, _TOP, _BOTTOM = 44, 30, 226
_LETTER = 8.0  # the width of a letter, on average
_LINE = 17.0  # the least distance of two labels
_MINUS = "\N{MINUS SIGN}"

# Everything that moves carries all of its frames; each is put in its place.
_MOVE = (
    "const i=this.value,f=this.closest('.book-slider');"
    "f.querySelectorAll('[data-points],[data-y],[data-t]').forEach(e=>{for(const k in e.dataset){"
    "const v=e.dataset[k].split('|')[i];if(k=='t')e.textContent=v;else e.setAttribute(k,v)}});"
    "this.setAttribute('aria-valuetext',f.querySelector('output').textContent)"
)


@dataclass
class _Mark:
    """A curve or a bar: in data units, `y` has one row for each frame, or one row in all."""

    label: str
    color: str
    x: np.ndarray
    y: np.ndarray
    bar: bool = False
    at: float | None = None

    @property
    def moves(self) -> bool:
        return len(self.y) > 1

    def frame(self, index: int) -> np.ndarray:
        """Give the points of a frame."""
        y = self.y[index if self.moves else 0]
        points: np.ndarray = np.column_stack([self.x, y])[np.isfinite(y)]
        return points


def _check_slider(
    frames: int, texts: int, start: int, curves: Any, bars: Any
) -> None:
    if frames < 2:
        raise ValueError(f"values must be at least 2, got {frames}")
    if texts != frames:
        raise ValueError(
            f"says must have one text for each of {frames} values, got {texts}"
        )
    if not 0 <= start < frames:
        raise ValueError(f"start must be in [0, {frames}), got {start}")
    if bool(curves) == bool(bars):
        raise ValueError("slider must have either curves or bars")


def _curves(
    curves: Mapping[str, tuple[Any, Any]],
    frames: int,
    colors: Mapping[str, str],
    at: Mapping[str, float],
) -> list[_Mark]:
    palette = iter([BLUE, RED, GREEN, PURPLE, ORANGE, SKY] * 2)
    marks = []
    for label, (x, y) in curves.items():
        points = np.asarray(x, dtype=float)
        rows = np.atleast_2d(np.asarray(y, dtype=float))
        if rows.shape not in {(1, len(points)), (frames, len(points))}:
            raise ValueError(
                f"the curve {label!r} must have y of shape ({frames}, {len(points)}) or "
                f"({len(points)},), got {np.shape(y)}"
            )
        color = GREY if len(rows) == 1 else next(palette)
        marks.append(
            _Mark(
                label,
                colors.get(label, color),
                points,
                rows,
                at=at.get(label),
            )
        )
    return marks


def _bars(
    bars: Mapping[str, Any], frames: int, colors: Mapping[str, str]
) -> list[_Mark]:
    marks = []
    for place, (label, heights) in enumerate(bars.items()):
        y = np.asarray(heights, dtype=float)
        if y.shape != (frames,) or not np.isfinite(y).all():
            raise ValueError(
                f"the bar {label!r} must have {frames} finite heights, got shape {y.shape}"
            )
        color = colors.get(label, BLUE)
        marks.append(
            _Mark(label, color, np.array([place]), y[:, None], bar=True)
        )
    return marks


class _Plot:
    """The frame that all frames share, and how data find their place in it."""

    xlim: tuple[float, float]
    ylim: tuple[float, float]
    xticks: Sequence[float]
    yticks: Sequence[float]
    labels: tuple[str, str]

    def __init__(
        self, name: str, values: list[str], texts: list[str], start: int
    ) -> None:
        self.name, self.values, self.texts = name, values, texts
        self.start = start
        self.right = float(_WIDTH)

    def to_x(self, x: Any) -> Any:
        low, high = self.xlim
        return _LEFT + (x - low) / (high - low) * (self.right - _LEFT)

    def to_y(self, y: Any) -> Any:
        low, high = self.ylim
        place = _BOTTOM - (y - low) / (high - low) * (_BOTTOM - _TOP)
        return np.clip(place, 2 * _TOP - _BOTTOM, 2 * _BOTTOM - _TOP)

    def html(self, marks: list[_Mark], alt: str) -> str:
        """Draw all frames as inline SVG, with the slider that moves it."""
        named = [m.label for m in marks if not m.bar and m.at is None]
        room = max((len(_plain(label)) for label in named), default=0)
        self.right = _WIDTH - (room * _LETTER + 10 if room else 4)
        width, height = self.right - _LEFT + 6, _BOTTOM - _TOP + 6
        box = f"{_LEFT - 3} {_TOP - 3} {_n(width)} {height}"
        drawn = "".join(map(self._draw, marks))
        named_ends = self._labels([m for m in marks if not m.bar])
        top = len(self.values) - 1
        says = escape("|".join(self.texts))
        shown = escape(self.texts[self.start])
        wide = max(map(len, self.texts))
        return (
            '<div class="book-slider" style="max-width:30rem;margin:auto">'
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" '
            f'aria-label="{escape(alt)}" font-family="sans-serif" font-size="15" '
            f'fill="currentColor">{self._axes(marks)}'
            f'<svg x="{_LEFT - 3}" y="{_TOP - 3}" width="{_n(width)}" height="{height}" '
            f'viewBox="{box}">{drawn}</svg>{named_ends}</svg>'
            f'<div class="book-slider-set"><label><span>{_italic(self.name, "i")}</span> '
            f'<input type="range" min="0" max="{top}" step="1" value="{self.start}" '
            f'autocomplete="off" aria-valuetext="{shown}" oninput="{escape(_MOVE)}"></label> '
            f'<output aria-live="off" style="min-width:min({wide}ch,100%)" data-t="{says}">{shown}'
            "</output></div></div>"
        )

    def _draw(self, mark: _Mark) -> str:
        frames = [
            self._outline(mark, i) if mark.bar else self._line(mark, i)
            for i in range(len(mark.y))
        ]
        first = frames[self.start if mark.moves else 0]
        moving = f' data-points="{"|".join(frames)}"' if mark.moves else ""
        if mark.bar:
            heights = mark.y[:, 0]
            texts = [
                f"{v + 1e-9:.2f}".replace("-", _MINUS) for v in heights
            ]
            tops = [_n(self.to_y(v) - 5) for v in heights]
            value = (
                f'<text class="value" x="{_n(self.to_x(mark.x[0]))}" y="{tops[self.start]}" '
                f'text-anchor="middle" data-y="{"|".join(tops)}" data-t="{"|".join(texts)}">'
                f"{texts[self.start]}</text>"
            )
            shape = f'<polygon points="{first}"{moving} fill="currentColor"/>{value}'
        else:
            kind = "" if mark.moves else ' stroke-dasharray="5 4"'
            shape = (
                f'<polyline points="{first}"{moving} fill="none" stroke="currentColor" '
                f'stroke-width="2.5"{kind}/>'
            )
        return f'<g color="{mark.color}">{shape}</g>'

    def _line(self, mark: _Mark, index: int) -> str:
        x, y = mark.frame(index).T
        pairs = zip(self.to_x(x), self.to_y(y), strict=True)
        return " ".join(f"{_n(a)},{_n(b)}" for a, b in pairs)

    def _outline(self, mark: _Mark, index: int) -> str:
        place, height = mark.frame(index)[0]
        left, right = self.to_x(place - 0.32), self.to_x(place + 0.32)
        top, foot = self.to_y(height), self.to_y(0.0)
        corners = (left, foot), (left, top), (right, top), (right, foot)
        return " ".join(f"{_n(a)},{_n(b)}" for a, b in corners)

    def _labels(self, marks: list[_Mark]) -> str:
        """Name each curve where it ends, or where it is asked to carry its name."""
        ends = [m for m in marks if m.at is None]
        rows = [
            spread(
                [self.to_y(m.frame(i)[-1, 1]) + 5 for m in ends],
                gap=_LINE,
                highest=_BOTTOM + 5,
            )
            for i in range(len(self.values))
        ]
        texts = [
            _text(m, self.right + 6, [row[k] for row in rows], self.start)
            for k, m in enumerate(ends)
        ]
        texts += [
            self._beside(m, m.at, marks) for m in marks if m.at is not None
        ]
        return "".join(texts)

    def _beside(self, mark: _Mark, at: float, marks: list[_Mark]) -> str:
        """Name a curve where it passes `at`: below the lowest curve, above any other."""
        frames = range(len(mark.y))
        y = [np.interp(at, *mark.frame(i).T) for i in frames]
        here = [np.interp(at, *m.frame(self.start).T) for m in marks]
        own = y[self.start if mark.moves else 0]
        below = len(marks) > 1 and own <= min(here)
        later = at + (self.xlim[1] - self.xlim[0]) / 50
        falls = np.interp(later, *mark.frame(self.start).T) <= own
        aside, anchor = (5, "start") if falls != below else (-5, "end")
        places = [self.to_y(v) + (16 if below else -7) for v in y]
        return _text(
            mark, self.to_x(at) + aside, places, self.start, anchor
        )

    def _axes(self, marks: list[_Mark]) -> str:
        xlabel, ylabel = (_italic(t, "tspan") for t in self.labels)
        foot, middle = _BOTTOM + 19, _n((_LEFT + self.right) / 2)
        bars = [m for m in marks if m.bar]
        below = [(m.x[0], _italic(m.label, "tspan")) for m in bars] or [
            (t, _number(t)) for t in self.xticks
        ]
        left = [(_n(self.to_y(t)), _number(t)) for t in self.yticks]
        return "".join(
            [
                f'<g class="axes"><path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_n(self.right)}'
                + "".join(f"M{_LEFT} {y}h-4" for y, _ in left)
                + (
                    ""
                    if bars
                    else "".join(
                        f"M{_n(self.to_x(t))} {_BOTTOM}v4" for t, _ in below
                    )
                )
                + '" fill="none" stroke="currentColor" stroke-opacity=".6"/>',
                *(
                    f'<text x="{_n(self.to_x(t))}" y="{foot}" text-anchor="middle">{text}</text>'
                    for t, text in below
                ),
                *(
                    f'<text x="{_LEFT - 7}" y="{y}" dy="5" text-anchor="end">{text}</text>'
                    for y, text in left
                ),
                f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{xlabel}</text>',
                f'<text x="2" y="14">{ylabel}</text></g>',
            ]
        )


def _text(
    mark: _Mark,
    x: float,
    places: list[float],
    start: int,
    anchor: str = "start",
) -> str:
    y = [_n(np.clip(v, _TOP + 2, _BOTTOM + 5)) for v in places]
    first = y[start if len(y) > 1 else 0]
    moving = f' data-y="{"|".join(y)}"' if len(set(y)) > 1 else ""
    return (
        f'<g color="{mark.color}"><text x="{_n(x)}" y="{first}"{moving} text-anchor="{anchor}">'
        f"{_italic(mark.label, 'tspan')}</text></g>"
    )


def spread(
    places: list[float], *, gap: float, highest: float
) -> list[float]:
    """Push labels apart that would lie on each other, and keep them below `highest`."""
    order = np.argsort(places, kind="stable")
    y = np.array(places)[order]
    for i in range(1, len(y)):
        y[i] = max(y[i], y[i - 1] + gap)
    for i in range(len(y) - 1, -1, -1):
        y[i] = min(y[i], highest - gap * (len(y) - 1 - i))
    apart = np.empty(len(y))
    apart[order] = y
    return [float(v) for v in apart]


def _n(value: float) -> str:
    """Write a coordinate to one decimal, the same on every machine.

    A little is added, so that round-off cannot tip a number that lies half-way.
    """
    return f"{float(value) + 1e-6:.1f}".removesuffix(".0")


def _number(value: float) -> str:
    return f"{value:g}".replace("-", _MINUS)


def _italic(text: str, tag: str) -> str:
    """Set text between stars in italics."""
    attribute = ' font-style="italic"' if tag == "tspan" else ""
    return re.sub(
        r"\*(.+?)\*", rf"<{tag}{attribute}>\1</{tag}>", escape(text)
    )


def _plain(text: str) -> str:
    return text.replace("*", "")


def mathtext(text: str) -> str:
    """Set text between stars in italics, as Matplotlib does it."""
    return re.sub(r"\*(.+?)\*", r"$\1$", text)


def _span(parts: Iterable[Any], pad: float) -> tuple[float, float]:
    values = np.concatenate([np.ravel(part) for part in parts])
    low, high = float(values.min()), float(values.max())
    more = pad * (high - low) or (0.5 if high == low else 0.0)
    return low if low == 0 else low - more, high + more


def _round_numbers(low: float, high: float) -> list[float]:
    """Give three to six round numbers in an interval."""
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(
        s * power for s in (1, 2, 5, 10) if s * power >= 0.8 * rough
    )
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(k * step) for k in np.arange(first, last + 1) + 0.0]


def _frames(plot: _Plot, marks: list[_Mark]) -> list[str]:
    """Describe what each frame draws, to three significant digits."""
    lines = []
    for mark in marks:
        label = _plain(mark.label)
        if mark.bar:
            heights = " ".join(f"{_rounded(v):g}" for v in mark.y[:, 0])
            lines.append(f"bar {label}: {heights}")
            continue
        for index in range(len(mark.y)):
            here = f"{plot.values[index]}, " if mark.moves else ""
            lines.append(here + _describe("line", label, mark.frame(index)))
    values = " ".join(plot.values)
    return [f"values {values}", *lines]


def _still(plot: _Plot, marks: list[_Mark]) -> Figure:
    """Draw five frames in one picture, or all if there are no more than six."""
    figure: Figure = plt.figure()
    axes = figure.add_subplot()
    frames = len(plot.values)
    count = frames if frames <= 6 else 5
    picked = np.unique(
        np.linspace(0, frames - 1, count).round().astype(int)
    )
    shades = np.linspace(0.3, 1.0, len(picked))
    for mark in marks:
        chosen = (
            zip(picked, shades, strict=True) if mark.moves else [(0, 1.0)]
        )
        for k, (index, shade) in enumerate(chosen):
            x, y = mark.frame(index).T
            if mark.bar:
                left = x + (k - (len(picked) - 1) / 2) * 0.16
                axes.bar(left, y, 0.15, color=mark.color, alpha=shade)
            else:
                style = "-" if mark.moves else "--"
                axes.plot(x, y, style, color=mark.color, alpha=shade)
    named = [
        Line2D(
            [],
            [],
            color=m.color,
            ls="-" if m.moves else "--",
            label=mathtext(m.label),
        )
        for m in marks
        if not m.bar
    ]
    shaded = [
        Line2D([], [], color=GREY, alpha=shade, lw=4, label=plot.values[i])
        for i, shade in zip(picked, shades, strict=True)
    ]
    axes.legend(
        handles=shaded + named,
        title=mathtext(plot.name),
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        alignment="left",
    )
    xlabel, ylabel = map(mathtext, plot.labels)
    axes.set(xlim=plot.xlim, ylim=plot.ylim, xlabel=xlabel, ylabel=ylabel)
    if marks[0].bar:
        names = [mathtext(m.label) for m in marks]
        axes.set_xticks(range(len(marks)), names)
    else:
        axes.set_xticks(plot.xticks)
    axes.set_yticks(plot.yticks)
    return figure
