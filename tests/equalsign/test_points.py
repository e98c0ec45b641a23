"""The points at which a check runs: which are drawn, which are given, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from equalsign import (
    CheckFailed,
    bits,
    integer,
    joint,
    label,
    logits,
    real,
    reals,
    unit,
)
from equalsign._points import SAME_SIZES, draw_points
from equalsign.tex.arithmetic import DOUBLE, MULTI

SIZED = {"n": integer(2, 9), "z": logits("n"), "t": label("n")}


def fails(words):
    """Expect a CheckFailed that says exactly these words."""
    return pytest.raises(CheckFailed, match=f"^{re.escape(words)}$")


# --- Random points ------------------------------------------------------------------------------


def test_as_many_points_as_asked_are_drawn():
    for count in (1, 40):
        drawn = draw_points(SIZED, count, None)
        assert len(drawn) == len(drawn.random) == count
        assert drawn.edge == []
        assert drawn.names == {"n", "z", "t"}
        for point in drawn.random:
            assert list(point) == ["n", "z", "t"]
            assert point["z"].shape == (point["n"],)
            assert 0 <= point["t"] < point["n"]


def test_every_run_draws_the_same_points_and_no_two_are_alike():
    first, second = (draw_points({"x": real()}, 20, None) for _ in "ab")
    assert first.random == second.random
    assert len({point["x"] for point in first.random}) == 20


def test_points_in_a_row_share_their_sizes_and_nothing_else():
    samplers = {**SIZED, "k": integer(2, 9)}
    points = draw_points(samplers, 8 * SAME_SIZES, None).random
    rows = [points[i : i + SAME_SIZES] for i in range(0, len(points), SAME_SIZES)]  # fmt: skip
    sizes = [{point["n"] for point in row} for row in rows]
    assert [len(size) for size in sizes] == [1] * 8
    assert len(set.union(*sizes)) > 3
    for row in rows:
        assert len({point["k"] for point in row}) > 3
        assert len({tuple(point["z"]) for point in row}) == SAME_SIZES


def test_a_matrix_takes_both_sizes():
    samplers = {
        "n": integer(2, 5),
        "m": integer(6, 9),
        "p": joint("m", "n"),
    }
    for point in draw_points(samplers, 20, None).random:
        assert point["p"].shape == (point["m"], point["n"])


def test_nothing_is_drawn_where_there_is_no_sampler():
    drawn = draw_points({}, 300, None)
    assert list(drawn) == [({}, False)]
    assert drawn.names == set()
    assert drawn.words() == ""
    picked = draw_points({}, 300, [{"x": 1.0, "a": 2.0}])
    assert list(picked) == [({"x": 1.0, "a": 2.0}, True)]
    assert picked.names == {"x", "a"}
    assert picked.words() == "at 1 hand-picked point"


# --- Hand-picked points -------------------------------------------------------------------------


def test_hand_picked_points_come_first_and_are_marked():
    drawn = draw_points({"x": real()}, 2, [{"x": 7.0}, {"x": 8.0}])
    assert len(drawn) == 4
    assert [edge for _, edge in drawn] == [True, True, False, False]
    assert [point["x"] for point, _ in drawn][:2] == [7.0, 8.0]


def test_what_a_hand_picked_point_leaves_out_is_drawn():
    (point,) = draw_points({"x": real(), "p": unit()}, 1, [{"p": 0.0}]).edge
    assert list(point) == ["x", "p"]
    assert point["p"] == 0.0
    assert isinstance(point["x"], float)


def test_a_given_value_sets_the_sizes_that_others_are_drawn_with():
    samplers = {**SIZED, "y": bits("n")}
    for given in ({"z": [0.0] * 12}, {"n": 12}, {"n": 12, "z": [0.0] * 12}):
        (point,) = draw_points(samplers, 1, [given]).edge
        assert list(point) == ["n", "z", "t", "y"]
        assert point["n"] == 12
        assert point["z"].shape == point["y"].shape == (12,)


def test_sizes_of_a_hand_picked_point_that_disagree_are_refused():
    samplers = {**SIZED, "y": bits("n")}
    with fails("a hand-picked point gives z of n = 2, but n is 5"):
        draw_points(samplers, 1, [{"n": 5, "z": [1.0, 2.0]}])
    with fails("a hand-picked point gives y of n = 3, but n is 2"):
        draw_points(samplers, 1, [{"y": [0, 1, 1], "z": [1.0, 2.0]}])


def test_a_line_cannot_change_its_inputs():
    given = np.array([1.0, 2.0])
    drawn = draw_points(
        SIZED, 1, [{"z": given}, {"z": [1, 2]}, {"z": (1, 2)}]
    )
    for point, _ in drawn:
        assert point["z"].dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            point["z"][0] = 5.0
    given[0] = 5.0  # it is still the caller's
    assert drawn.edge[0]["z"].tolist() == [1.0, 2.0]


# --- What is refused ----------------------------------------------------------------------------


def test_a_size_is_drawn_before_what_has_it():
    with fails("n must be drawn before z"):
        draw_points({"z": logits("n"), "n": integer(2, 5)}, 1, None)
    with fails("n must be drawn before n"):
        draw_points({"n": label("n")}, 1, None)


def test_what_is_not_drawn_cannot_be_hand_picked():
    with fails("a hand-picked point gives a, y, which is not drawn"):
        draw_points({"x": real()}, 1, [{"x": 1.0}, {"y": 1.0, "a": 2.0}])


def test_a_check_needs_a_point_and_samplers():
    with pytest.raises(
        ValueError, match="points must be at least 1, not 0"
    ):
        draw_points({"x": real()}, 0, None)
    with pytest.raises(TypeError, match="x must be a sampler such as"):
        draw_points({"x": 3.0}, 1, None)


# --- What is told -------------------------------------------------------------------------------


def test_points_are_counted_in_words():
    samplers = {"n": integer(2, 9), "tau": unit()}
    words = "$n$ an integer from 2 to 9; $\\tau$ a number in (0, 1)"
    assert draw_points(samplers, 1, []).words() == (
        f"at 1 random point: {words}"
    )
    assert draw_points(samplers, 20, [{"n": 2}, {"n": 3}]).words() == (
        f"at 20 random points: {words}; and at 2 hand-picked points"
    )


def test_symbols_are_told_as_tex_and_by_name():
    samplers = {"w": unit(), "tau": real()}
    drawn = draw_points(samplers, 1, None, {"w": "w_+"})
    assert drawn.tex == {"w": "w_+", "tau": r"\tau"}
    assert drawn.words().startswith("at 1 random point: $w_+$ a number")
    assert drawn.detail() == {
        "w": "a number in (0, 1)",
        "tau": "a real number (normal, sd 2)",
    }


# --- Points that run together -------------------------------------------------------------------


def test_points_of_one_size_run_together():
    """Those whose sizes differ do not, not even where the shapes are the same."""
    samplers = {"n": integer(1, 9), "t": label("n"), "x": reals(2)}
    picked = [
        {"n": 3, "t": 0}, {"n": 4, "t": 0}, {"n": 3, "t": 2},
    ]  # fmt: skip
    drawn = draw_points(samplers, 1, picked)
    groups = drawn.groups([*list(drawn)[:3], (drawn.edge[1], False)])
    assert [group.number for group in groups] == [[0, 2], [1, 3]]
    assert [group.edge for group in groups] == [[True, True], [True, False]]
    assert [[p["t"] for p in group.points] for group in groups] == [
        [0, 2],
        [0, 0],
    ]


def test_points_of_different_shapes_do_not_run_together():
    drawn = draw_points({}, 1, [{"a": [1.0]}, {"a": 1.0}, {"a": [2.0]}])
    groups = drawn.groups(drawn)
    assert [group.number for group in groups] == [[0, 2], [1]]


def test_one_point_of_a_group():
    drawn = draw_points({"x": real()}, 2, [{"x": 7.0}])
    (group,) = drawn.groups(drawn)
    for index, (point, edge) in enumerate(drawn):
        one = group.one(index)
        assert (one.points, one.edge, one.number) == (
            [point],
            [edge],
            [index],
        )


def test_formulas_are_given_the_values_by_tex_name():
    drawn = draw_points({"n": integer(2, 9), "t": label("n"), "tau": unit()}, 3, None)  # fmt: skip
    for field in (DOUBLE, MULTI):
        values = drawn.values(drawn.random, field)
        assert list(values) == ["n", "t", r"\tau"]
        assert values[r"\tau"].tolist() == [p["tau"] for p in drawn.random]
        assert values["t"].at.tolist() == [p["t"] for p in drawn.random]
        assert values["t"].size == drawn.random[0]["n"]
    assert values[r"\tau"].dtype == object
