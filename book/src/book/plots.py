"""Still figures in the vocabulary of the slider: curves, points, bars, each named at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from book.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    legible,
    mathtext,
    show,
    spread,
)

_PALETTE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
_LETTERS = 1.15  # the least distance of two labels, in heights of a letter


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One set of axes, with what it draws; :func:`plot` says what each part is."""

    curves: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    points: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    bars: Mapping[str, Any] = field(default_factory=dict)
    levels: Mapping[str, float] = field(default_factory=dict)
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    xticks: Sequence[float] | None = None
    yticks: Sequence[float] | None = None
    xscale: str = "linear"
    yscale: str = "linear"
    colors: Mapping[str, str] = field(default_factory=dict)
    at: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.curves or self.points or self.bars):
            raise ValueError("a panel must have curves, points or bars")
        drawn = [*self.curves, *self.points, *self.bars, *self.levels]
        for option, named, known in (
            ("colors", self.colors, drawn),
            ("at", self.at, [*self.curves, *self.levels]),
        ):
            for label in named:
                if label not in known:
                    raise ValueError(
                        f"{option} names {label!r}, which is none of {known}"
                    )


def plot(*, alt: str, caption: str, **panel: Any) -> None:
    """Display one picture: curves, points or bars, labelled where they end.

    Parameters
    ----------
    alt : str
        What the figure shows, for those who do not see it.
    caption : str
        The answer that the figure gives, in Markdown.
    **panel
        What is drawn, each a mapping by labels; text between stars is italic:

        ``curves``
            ``(x, y)``, or ``(x, y, error)`` for a curve in a band of one error to each side.
        ``points``
            ``(x, y)``, or ``(x, y, error)`` for points with error bars.
        ``bars``
            A height, or ``(height, error)``; not with curves or points.
        ``levels``
            A height, drawn as a grey broken line from side to side.
        ``colors``, ``at``
            Colours, and where on the x axis a curve carries its label; by default the colours of
            the book, in order, and the right end.

        And ``title``, ``xlabel``, ``ylabel``, ``xlim``, ``ylim``, ``xticks``, ``yticks``,
        ``xscale``, ``yscale``, as in Matplotlib.

    Raises
    ------
    ValueError
        If nothing is drawn, a text is empty, or a label is given a colour or a place and is not
        drawn.
    """
    panels(Panel(**panel), alt=alt, caption=caption)


def panels(*parts: Panel, alt: str, caption: str) -> None:
    """Display several pictures as one figure, one under the other: on a phone too, type is legible.

    Parameters
    ----------
    *parts : Panel
        The pictures, in the order of reading.
    alt, caption : str
        As in :func:`plot`.
    """
    height = 3.6 if len(parts) == 1 else 3.0 * len(parts)
    figure, grid = plt.subplots(
        len(parts), squeeze=False, figsize=(6.4, height)
    )
    drawn = list(zip(grid.flat, parts, strict=True))
    ends = [_draw(axes, part) for axes, part in drawn]
    figure.draw_without_rendering()
    for (axes, _), labels in zip(drawn, ends, strict=True):
        _name_ends(axes, labels)
    figure.draw_without_rendering()  # those labels have taken their room
    for axes, part in drawn:
        _name_within(axes, part)
    show(figure, alt, caption)


Ends = list[tuple[str, float, str]]


def _draw(axes: Axes, part: Panel) -> Ends:
    """Draw a panel, and return its labels, each with the height at which it ends and its colour."""
    palette = iter(_PALETTE * 3)
    ends: Ends = []
    for label, data in part.curves.items():
        color = part.colors.get(label) or next(palette)
        x, y, *error = (np.asarray(v, dtype=float) for v in data)
        axes.plot(x, y, color=color, label=mathtext(label))
        if error:
            axes.fill_between(
                x, y - error[0], y + error[0], color=color, alpha=0.2, lw=0
            )
        ends.append((label, y[np.isfinite(y)][-1], color))
    for label, data in part.points.items():
        color = part.colors.get(label) or next(palette)
        x, y, *error = (
            np.atleast_1d(np.asarray(v, dtype=float)) for v in data
        )
        axes.errorbar(
            x, y, yerr=error[0] if error else None, fmt="o", ms=5, color=color,
            label=mathtext(label),
        )  # fmt: skip
        ends.append((label, y[np.argmax(x)], color))
    for place, (label, height) in enumerate(part.bars.items()):
        value, *error = np.atleast_1d(np.asarray(height, dtype=float))
        color = part.colors.get(label, BLUE)
        axes.bar(
            place, value, 0.64, color=color, label=mathtext(label),
            yerr=error or None, error_kw={"ecolor": GREY},
        )  # fmt: skip
    for label, height in part.levels.items():
        color = part.colors.get(label, GREY)
        axes.axhline(
            height, color=color, ls="--", lw=1.2, label=mathtext(label)
        )
        ends.append((label, height, color))
    axes.set(
        title=mathtext(part.title), xlabel=mathtext(part.xlabel), ylabel=mathtext(part.ylabel),
        xscale=part.xscale, yscale=part.yscale,
    )  # fmt: skip
    if part.bars:
        axes.set_xticks(range(len(part.bars)), map(mathtext, part.bars))
    for name in ("xlim", "ylim", "xticks", "yticks"):
        value = getattr(part, name)
        if value is not None:
            axes.set(**{name: value})
    for axis, ticks, scale in (
        (axes.xaxis, part.xticks, part.xscale),
        (axes.yaxis, part.yticks, part.yscale),
    ):
        if ticks is not None and scale == "log":  # 100, not 10^2
            axis.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
            axis.minorticks_off()
    return [end for end in ends if end[0] not in part.at]


def _name_ends(axes: Axes, ends: Ends) -> None:
    """Write the labels at the right side, pushed apart where they would lie on each other."""
    height = axes.get_window_extent().height
    letter = plt.rcParams["font.size"] * axes.figure.dpi / 72
    places = [
        axes.transAxes.inverted().transform(
            axes.transData.transform((axes.get_xlim()[1], y))
        )[1]
        for _, y, _ in ends
    ]
    apart = spread(
        [min(max(y, 0.0), 1.0) for y in places],
        gap=_LETTERS * letter / height,
        highest=1.0,
    )
    for (label, _, color), y in zip(ends, apart, strict=True):
        axes.annotate(
            mathtext(label), (1.02, y), xycoords="axes fraction", color=legible(color), va="center",
            annotation_clip=False,
        )  # fmt: skip


def _name_within(axes: Axes, part: Panel) -> None:
    """Write a label beside its curve, on the side where the fewest curves would cross it."""
    for label, x in part.at.items():
        (line,) = (
            one for one in axes.lines if one.get_label() == mathtext(label)
        )
        y = float(np.interp(x, *np.asarray(line.get_xydata()).T))
        text = axes.annotate(
            mathtext(label), (x, y), xytext=(0, 0), textcoords="offset points",
            color=legible(line.get_color()), ha="center", va="center",
        )  # fmt: skip
        places = _places(text)
        text.set_position(
            min(places, key=lambda place: _crossed(axes, text, place))
        )


def _places(text: Annotation) -> list[tuple[float, float]]:
    """Give where a label may stand around its point, in points: near places first."""
    box = text.get_window_extent()
    wide, high = (
        n * 72 / text.figure.dpi / 2 for n in (box.width, box.height)
    )
    return [
        (side * (wide + gap), up * (high + gap))
        for gap in (2, 5, 8)
        for up in (1, -1, 0)
        for side in (1, -1, 0)
        if side or up
    ]


def _crossed(
    axes: Axes, text: Annotation, place: tuple[float, float]
) -> int:
    """Count the points of curves, close together, that a label would cover at a place."""
    text.set_position(place)
    box = text.get_window_extent()
    covered = 0
    for line in axes.lines:
        x, y = axes.transData.transform(line.get_xydata()).T
        along = np.linspace(0, len(x) - 1, 2000)
        knots = np.arange(len(x))
        x, y = np.interp(along, knots, x), np.interp(along, knots, y)
        covered += int(
            np.sum(
                (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
            )
        )
    frame = axes.get_window_extent()
    outside = not (frame.x0 <= box.x0 and box.x1 <= frame.x1)
    outside |= not (frame.y0 <= box.y0 and box.y1 <= frame.y1)
    others = (other for other in axes.texts if other is not text)
    meets = any(box.overlaps(other.get_window_extent()) for other in others)
    return covered + 10_000 * (outside or meets)
