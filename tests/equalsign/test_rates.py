"""How fast a limit is approached, by hand."""

from __future__ import annotations

import math

import pytest

from equalsign._rates import (
    SMALLEST_ERROR,
    convergence,
    moved,
    order,
    rate_holds,
)

SQUARES = [1.0, 0.25, 0.0625]
HALVED = [0.5**k for k in range(12)]


def test_a_parameter_is_moved_from_its_limit():
    assert moved(2.0, 0.25) == 2.25
    assert moved(math.inf, 0.25) == 4.0
    assert moved(-math.inf, 0.25) == -4.0


@pytest.mark.parametrize(
    ("limit", "rate", "words"),
    [
        (0.0, 1, r"as $h\to0$, with an error $O(h)$"),
        (0.0, 2, r"as $h\to0$, with an error $O(h^{2})$"),
        (1.0, 1, r"as $h\to1$, with an error $O(h-1)$"),
        (1.0, 2, r"as $h\to1$, with an error $O((h-1)^{2})$"),
        (-1.0, 1, r"as $h\to-1$, with an error $O(h+1)$"),
        (math.inf, 2, r"as $h\to\infty$, with an error $O(1/h^{2})$"),
        (
            -math.inf,
            1,
            r"as $h\to-\infty$, with an error $O(1/\lvert h\rvert)$",
        ),
        (0.0, math.inf, r"as $h\to0$, faster than every power"),
    ],
)
def test_convergence_in_words(limit, rate, words):
    assert convergence("h", limit, rate) == words


def test_an_order_is_the_slope_of_the_last_errors():
    assert order(SQUARES, HALVED[:3], False) == pytest.approx(2)
    assert order(
        [9.0, 1.0, *(0.5**k for k in range(5))], HALVED[:7], False
    ) == (pytest.approx(1))
    quarters = [0.25**k for k in range(3)]
    assert order(SQUARES, quarters, growing=False) == pytest.approx(1)
    assert order(SQUARES, quarters, growing=True) == pytest.approx(1)


def test_an_order_needs_three_errors_above_the_smallest():
    assert order(SQUARES[:2], HALVED[:2], False) is None
    assert order([*SQUARES[:2], SMALLEST_ERROR], HALVED[:3], False) is None


@pytest.mark.parametrize(
    ("slopes", "found"),
    [
        ([1.0, 2.0], math.inf),
        ([2.0, 3.0], 3.0),  # not more than half as much again
        ([2.0, 3.5], math.inf),
        ([0.5, 1.4], 1.4),  # a slope below 1 counts as 1
        ([0.5, 1.6], math.inf),
        ([3.0, 1.0, 1.2], 1.2),
    ],
)
def test_faster_than_every_power_is_a_slope_that_grows(slopes, found):
    errors = [1.0]
    for slope in slopes:
        errors.append(errors[-1] * 0.5**slope)
    assert order(errors, HALVED[: len(errors)], True) == pytest.approx(
        found
    )


def test_a_rate_holds_near_what_was_observed():
    assert rate_holds(math.inf, math.inf)
    assert rate_holds(2.0, 2.1)
    assert not rate_holds(2.0, 3.0)
