"""Figures: what is drawn, what is said of it, and that every run gives the same bytes."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from book import figures as style

VALUES = [0.1, 1.0, 10.0]
X = np.array([0.0, 0.5, 1.0])
RISES = np.array([[0, 1, 2], [0, 2, 4], [0, 4, 8]])


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed."""
    outputs = []
    monkeypatch.setattr(
        style, "display", lambda data, raw: outputs.append(data)
    )
    style.use()
    return outputs


def draw(**changes):
    options = {
        "alt": "A line rises faster as the factor grows.",
        "caption": "*It rises.*",
        "curves": {"moves": (X, RISES), "*x* stands": (X, X)},
        "start": 1,
    }
    style.slider("factor *a*", VALUES, **(options | changes))


def parsed(output):
    """Read the HTML of a slider, which is well-formed but for its void input."""
    return ElementTree.fromstring(
        re.sub(r"(<input [^>]*\")>", r"\1/>", output["text/html"])
    )


def points(text):
    return [tuple(map(float, pair.split(","))) for pair in text.split(" ")]


def moving(tree, tag):
    return [e for e in tree.iter(tag) if e.get("data-points")]


def test_a_slider_has_one_frame_a_value(shown):
    draw()
    figure, caption = shown
    assert caption["text/markdown"] == "*It rises.*"
    (line,) = moving(parsed(figure), "polyline")
    frames = line.get("data-points").split("|")
    assert len(frames) == len(set(frames)) == len(VALUES)
    assert line.get("points") == frames[1]
    assert [len(points(frame)) for frame in frames] == [len(X)] * 3


def test_places_are_proportional_to_data(shown):
    draw(xlim=(0, 1), ylim=(0, 8))
    (line,) = moving(parsed(shown[0]), "polyline")
    drawn = np.array(
        [points(frame) for frame in line.get("data-points").split("|")]
    )
    # Both ends of both axes fix the map; everything else must lie on it.
    left, right = drawn[0, 0, 0], drawn[0, 2, 0]
    foot, top = drawn[2, 0, 1], drawn[2, 2, 1]
    np.testing.assert_allclose(
        (drawn[..., 0] - left) / (right - left), [X] * 3, atol=1e-3
    )
    np.testing.assert_allclose(
        8 * (drawn[..., 1] - foot) / (top - foot), RISES, atol=5e-3
    )
    assert top < foot  # y grows upwards


def test_what_stands_still_has_one_frame(shown):
    draw()
    still = [
        e
        for e in parsed(shown[0]).iter("polyline")
        if not e.get("data-points")
    ]
    assert len(still) == 1


def test_labels_never_lie_on_each_other(shown):
    same = np.array([[0, 1, 2]] * 3)
    curves = {name: (X, same + 1e-9 * k) for k, name in enumerate("abcd")}
    draw(curves=curves)
    labels = [
        e
        for e in parsed(shown[0]).iter("text")
        if "".join(e.itertext()) in curves
    ]
    assert len(labels) == 4
    rows = [
        [float(v) for v in (e.get("data-y") or e.get("y")).split("|")]
        for e in labels
    ]
    for places in zip(*rows, strict=True):
        assert min(np.diff(sorted(places))) >= 16


@pytest.mark.parametrize(
    ("rising", "lowest", "anchor", "above"),
    [
        (True, False, "end", True),
        (False, False, "start", True),
        (True, True, "start", False),
        (False, True, "end", False),
    ],
)
def test_a_label_stands_on_the_free_side(
    shown, rising, lowest, anchor, above
):
    own, other = (1.0, 2.0) if lowest else (2.0, 1.0)
    slope = 0.5 * X if rising else -0.5 * X
    draw(
        curves={
            "mine": (X, np.stack([own + slope] * 3)),
            "other": (X, other + slope),
        },
        at={"mine": 0.5, "other": 0.5},
        xlim=(0, 1),
        ylim=(0, 3),
    )
    tree = parsed(shown[0])
    (label,) = [e for e in tree.iter("text") if e.text == "mine"]
    (line,) = moving(tree, "polyline")
    at = points(line.get("points"))[1]
    assert label.get("text-anchor") == anchor
    assert (float(label.get("y")) < at[1]) is above
    assert (float(label.get("x")) < at[0]) is (anchor == "end")


def test_bars_grow_from_zero(shown):
    draw(curves=None, bars={"a": [0, 1, 2], "b": [1, 0.5, -1]})
    tree = parsed(shown[0])
    first, second = moving(tree, "polygon")
    heights = []
    for bar in (first, second):
        frames = [
            points(frame) for frame in bar.get("data-points").split("|")
        ]
        assert {len(frame) for frame in frames} == {4}
        heights.append([frame[0][1] - frame[1][1] for frame in frames])
    unit = heights[0][1]
    np.testing.assert_allclose(
        np.array(heights) / unit, [[0, 1, 2], [1, 0.5, -1]], atol=2e-3
    )
    said = [e.get("data-t") for e in tree.iter("text") if e.get("data-t")]
    assert said == ["0.00|1.00|2.00", "1.00|0.50|−1.00"]


def test_a_slider_is_named_and_says_its_value(shown):
    draw(says=["low", "middle & more", "high"])
    tree = parsed(shown[0])
    (label,) = tree.iter("label")
    (knob,) = label.iter("input")
    (value,) = tree.iter("output")
    assert "".join(label.itertext()).strip() == "factor a"
    assert (knob.get("min"), knob.get("max")) == ("0", "2")
    assert knob.get("value") == "1"
    assert knob.get("aria-valuetext") == value.text == "middle & more"
    assert value.get("data-t") == "low|middle & more|high"
    picture = tree.find("svg")
    assert picture.get("role") == "img"
    assert picture.get("aria-label").startswith("A line rises")


def test_the_still_picture_and_the_summary(shown):
    draw()
    figure = shown[0]
    picture = ElementTree.fromstring(figure["image/svg+xml"])
    title = picture.find("{http://www.w3.org/2000/svg}title")
    assert title.text == "A line rises faster as the factor grows."
    for value in VALUES:  # the names of the frames that it overlays
        assert f"<!-- {value:g} -->" in figure["image/svg+xml"]
    lines = figure["text/plain"].splitlines()
    assert lines[0] == "Figure: A line rises faster as the factor grows."
    assert lines[1] == "  slider factor a: values 0.1 1 10"
    assert lines[4] == (
        "  slider factor a: 10, line moves: 3 points, "
        "least, mean and greatest x 0 0.5 1; y 0 4 8"
    )
    assert (
        len(lines) == 6
    )  # one line each: values, three frames, what stands still


@pytest.mark.parametrize(("frames", "drawn"), [(2, 2), (6, 6), (7, 5)])
def test_the_still_picture_has_all_of_a_few_frames(shown, frames, drawn):
    values = [101 + k for k in range(frames)]
    style.slider(
        "*a*", values, alt="a b c", caption="c", bars={"b": values}
    )
    svg = shown[0]["image/svg+xml"]
    assert sum(f"<!-- {value} -->" in svg for value in values) == drawn


def test_round_off_does_not_reach_the_bytes(shown):
    half_way = np.array([[0.1, 0.3, 0.5]] * 3)  # between two decimals
    for noise in (1e-13, -1e-13):
        rows = half_way * (1 + noise)
        draw(curves={"a": (X, rows)}, xlim=(0, 1), ylim=(0, 8))
    assert shown[0]["text/html"] == shown[2]["text/html"]
    assert shown[0]["text/plain"] == shown[2]["text/plain"]


PROGRAM = """
import hashlib, numpy as np
from book import figures as style
def display(data, raw):
    print({k: hashlib.sha256(v.encode()).hexdigest() for k, v in data.items()})
style.display = display
style.use()
x = np.linspace(-3, 3, 50)
curves = {"tanh": (x, np.tanh(np.outer([1, 2, 3], x)))}
style.slider("*a*", [1, 2, 3], alt="a b c", caption="c", curves=curves)
"""


def test_two_runs_give_the_same_bytes():
    runs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1
    assert "text/html" in runs.pop()


def test_nothing_is_loaded(shown):
    draw()
    html = shown[0]["text/html"]
    assert not re.search(r"\b(?:src|href|url)\b|<script|https?:", html)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alt": " "}, "alt and caption"),
        ({"caption": ""}, "alt and caption"),
        ({"curves": None}, "either curves or bars"),
        ({"bars": {"a": [1, 2, 3]}}, "either curves or bars"),
        ({"start": 3}, r"start must be in \[0, 3\), got 3"),
        ({"says": ["a"]}, "one text for each of 3 values, got 1"),
        (
            {"curves": {"moves": (X, RISES[:2])}},
            r"'moves' must have y of shape \(3, 3\) or \(3,\), got \(2, 3\)",
        ),
        (
            {"curves": None, "bars": {"a": [1, 2]}},
            r"'a' must have 3 finite heights, got shape \(2,\)",
        ),
        (
            {"curves": None, "bars": {"a": [1, 2, np.nan]}},
            "'a' must have 3 finite heights",
        ),
    ],
)
def test_a_slider_that_cannot_be_drawn(shown, changes, words):
    with pytest.raises(ValueError, match=words):
        draw(**changes)
    assert not shown


def test_one_value_is_no_slider(shown):
    with pytest.raises(ValueError, match="at least 2, got 1"):
        style.slider("a", [1.0], alt="a", caption="c", bars={"a": [1.0]})


def test_round_numbers():
    assert style._round_numbers(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])  # fmt: skip
    assert style._round_numbers(-5, 5) == [-4, -2, 0, 2, 4]
    for low, high in ((0, 1e-3), (-7, 1e5), (3, 3.1)):
        ticks = style._round_numbers(low, high)
        assert 3 <= len(ticks) <= 7
        assert low <= min(ticks) <= max(ticks) <= high + 1e-9 * high


def test_show_describes_and_closes(shown):
    figure, axes = plt.subplots()
    axes.plot(X, X, label="y")
    style.show(figure, "A line rises.", "*Up.*")
    assert not plt.fignum_exists(figure.number)
    picture, caption = shown
    assert picture["text/plain"].splitlines() == [
        "Figure: A line rises.",
        "  line y: 3 points, least, mean and greatest x 0 0.5 1; y 0 0.5 1",
    ]
    assert "<title>A line rises.</title>" in picture["image/svg+xml"]
    assert caption["text/plain"] == "*Up.*"


def test_show_refuses_an_empty_figure(shown):
    with pytest.raises(ValueError, match="at least one line"):
        style.show(plt.figure(), "a", "c")
    plt.close("all")


def test_source_leaves_the_docstring_out(shown):
    style.source(style.use)
    text = shown[0]["text/plain"]
    assert text.startswith("def use() -> None:")
    assert '"""' not in text
    assert shown[0]["text/markdown"] == f"```python\n{text}```"
