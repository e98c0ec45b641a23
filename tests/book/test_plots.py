"""A figure of curves, points and bars: what it draws, and where its labels stand."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from book import figures, plots
from book.plots import Panel, panels, plot

SAID = {"alt": "What it shows.", "caption": "*The answer.*"}
X = np.linspace(0, 1, 5)


@pytest.fixture
def drawn(monkeypatch):
    """Keep what would be shown."""
    figures.use()
    kept = []
    monkeypatch.setattr(
        plots, "show", lambda figure, alt, caption: kept.append(figure)
    )
    yield kept
    plt.close("all")


def labels(figure, axes=0):
    figure.canvas.draw()
    return {
        text.get_text(): text.get_window_extent()
        for text in figure.axes[axes].texts
    }


def test_a_curve_a_band_points_bars_and_a_level(drawn):
    plot(
        curves={"a": (X, X), "b": (X, X**2, 0.1 + X)},
        points={"c": ([0.5], [0.3], [0.1])},
        levels={"chance": 0.25},
        **SAID,
    )
    (axes,) = drawn[0].axes
    by_label = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(by_label["b"].get_ydata(), X**2)
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(-0.35)
    assert band.max() == pytest.approx(2.1)
    assert list(by_label["chance"].get_ydata()) == [0.25, 0.25]
    assert set(labels(drawn[0])) == {"a", "b", "c", "chance"}


def test_ticks_that_are_given_on_a_log_axis_are_plain_numbers(drawn):
    plot(
        curves={"a": ([1, 100], [0, 1])},
        xscale="log",
        xticks=(1, 30),
        **SAID,
    )
    plot(
        curves={"a": ([0, 1], [0.1, 1])},
        yscale="log",
        yticks=(0.2, 1),
        **SAID,
    )
    for axis, words in (
        (drawn[0].axes[0].xaxis, ["1", "30"]),
        (drawn[1].axes[0].yaxis, ["0.2", "1"]),
    ):
        assert [t.get_text() for t in axis.get_ticklabels()] == words
        assert not axis.get_minorticklocs().size


def test_bars_carry_their_names_and_errors(drawn):
    plot(bars={"x": 0.5, "*y*": (0.25, 0.1)}, **SAID)
    (axes,) = drawn[0].axes
    assert [p.get_height() for p in axes.patches] == [0.5, 0.25]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["x", "$y$"]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_labels_never_lie_on_each_other(drawn, scale):
    plot(
        curves={
            name: (X, 1e-3 + X * (1 + i / 1000))
            for i, name in enumerate("abcdef")
        },
        levels={"one": 1.0},
        yscale=scale,
        **SAID,
    )
    boxes = sorted(labels(drawn[0]).values(), key=lambda box: box.y0)
    inner = [(box.y0 + box.y1) / 2 for box in boxes]
    letter = min(np.diff(inner))
    assert letter > plt.rcParams["font.size"] * drawn[0].dpi / 72
    assert len(boxes) == 7


def test_a_label_has_the_colour_of_its_curve_and_the_place_asked_for(drawn):
    plot(
        curves={"a": (X, X), "b": (X, -X)},
        colors={"b": "#123456"},
        at={"a": 0.5},
        **SAID,
    )
    (axes,) = drawn[0].axes
    by_text = {t.get_text(): t for t in axes.texts}
    assert by_text["b"].get_color() == "#123456"
    assert by_text["a"].xy == (0.5, 0.5)


def test_every_label_can_be_read_on_white(drawn):
    colors = (*plots._PALETTE, figures.GREY, "yellow", "white")
    plot(
        curves={name: (X, k * X) for k, name in enumerate("abcdefghi")},
        colors=dict(zip("abcdefghi", colors, strict=True)),
        at={"a": 0.5, "e": 0.5},
        **SAID,
    )
    texts = drawn[0].axes[0].texts
    assert len(texts) == len(colors)
    for text in texts:
        rgb = np.array(to_rgb(text.get_color()))
        linear = np.where(
            rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4
        )
        assert 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05) >= 4.5


def test_a_label_at_a_place_covers_no_curve(drawn):
    curves = {
        "rises": (X, X),
        "falls": (X, 1 - X),
        "flat": (X, 0 * X + 0.5),
    }
    plot(curves=curves, at={"rises": 0.3, "falls": 0.3}, **SAID)
    (axes,) = drawn[0].axes
    boxes = labels(drawn[0])
    for name in ("rises", "falls"):
        for line in axes.lines:
            points = axes.transData.transform(line.get_xydata())
            along = np.linspace(*points[[0, -1]], 500)
            assert not boxes[name].count_contains(along)


def test_panels_stand_in_the_order_of_reading(drawn):
    panels(
        *(Panel(curves={"a": (X, X)}, title=t) for t in ("1", "2", "3")),
        **SAID,
    )
    shown = [axes.get_title("left") for axes in drawn[0].axes]
    assert shown == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        ({}, "must have curves, points or bars"),
        ({"curves": {"a": (X, X)}, "at": {"b": 1}}, "at names 'b'"),
        ({"bars": {"a": 1.0}, "colors": {"A": "red"}}, "colors names 'A'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panel, words):
    with pytest.raises(ValueError, match=words):
        plot(**panel, **SAID)
