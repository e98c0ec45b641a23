"""Samplers: what they say they draw is what they draw, with sizes that are drawn too."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from equalsign import (
    between,
    bits,
    choice,
    distribution,
    integer,
    joint,
    label,
    labels,
    logits,
    positive,
    real,
    reals,
    signs,
    stochastic,
    subset,
    unit,
)
from equalsign.tex.arithmetic import DOUBLE, MULTI
from equalsign.tex.evaluate import Position, Subset

DRAWN = {"n": 3, "m": 4}
# They are made in the tests: what is made before is not changed when mutmut changes how.
SIZED = [
    (partial(logits, "n"), "$n$ logits (normal, sd 2)", (3,)),
    (partial(logits, "n", 0.5), "$n$ logits (normal, sd 0.5)", (3,)),
    (partial(label, "n"), "a label among $n$ classes", ()),
    (partial(labels, "m", "n"), "$m$ labels among $n$ classes", (4,)),
    (partial(labels, 2, "n"), "2 labels among $n$ classes", (2,)),
    (partial(subset, "n"), "a set of some of $n$ classes", (3,)),
    (partial(bits, "m"), "$m$ zeros and ones", (4,)),
    (partial(distribution, "n"), "a distribution over $n$ outcomes", (3,)),
    (
        partial(joint, "n", "m"),
        "a joint distribution of $n$ × $m$ outcomes",
        (3, 4),
    ),
    (
        partial(stochastic, "n", "m"),
        "$n$ distributions over $m$ outcomes each",
        (3, 4),
    ),
    (partial(reals, "n", 2), "$n$ × 2 real numbers (normal, sd 2)", (3, 2)),
    (
        partial(reals, "m", scale=0.1),
        "$m$ real numbers (normal, sd 0.1)",
        (4,),
    ),
    (partial(signs, "m"), "$m$ signs, both present", (4,)),
    (partial(real, 3), "a real number (normal, sd 3)", ()),
    (positive, "a positive number (log-normal)", ()),
    (unit, "a number in (0, 1)", ()),
    (partial(between, -1, 0.5), "a number in (-1, 0.5)", ()),
    (partial(integer, 2, 9), "an integer from 2 to 9", ()),
    (partial(choice, 1, "a"), "one of 1, a", ()),
]


@pytest.mark.parametrize(
    ("make", "words", "shape"), SIZED, ids=[words for _, words, _ in SIZED]
)  # fmt: skip
def test_a_sampler_says_what_it_draws_and_of_which_size(make, words, shape):
    sampler = make()
    assert sampler.words == words
    value = sampler.at(np.random.default_rng(0), DRAWN)
    assert np.shape(value) == shape
    used = [name for name in DRAWN if f"${name}$" in words]
    assert sorted(sampler.names) == sorted(used)


def many(sampler, count=400):
    rng = np.random.default_rng(0)
    return np.array([sampler.at(rng, DRAWN) for _ in range(count)])


@pytest.mark.parametrize(
    ("make", "sd"),
    [
        (partial(logits, "n"), 2.0),
        (partial(logits, "n", scale=0.5), 0.5),
        (real, 2.0),
        (partial(real, 5.0), 5.0),
        (partial(reals, "n", 2), 2.0),
        (partial(reals, 3, scale=0.1), 0.1),
    ],
)
def test_normal_numbers_have_the_standard_deviation_that_is_said(make, sd):
    drawn = many(make())
    assert drawn.std() == pytest.approx(sd, rel=0.1)
    assert drawn.mean() == pytest.approx(0.0, abs=0.2 * sd)


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [
        (unit, 0.0, 1.0),
        (partial(between, -1.0, 0.5), -1.0, 0.5),
    ],
)
def test_uniform_numbers_fill_their_interval(make, low, high):
    drawn, width = many(make()), high - low
    assert low < drawn.min() < low + 0.05 * width
    assert high - 0.05 * width < drawn.max() < high


def test_the_logarithm_of_a_positive_number_is_normal():
    drawn = np.log(many(positive()))
    assert drawn.std() == pytest.approx(1.0, rel=0.1)
    assert drawn.mean() == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (partial(label, "n"), {0, 1, 2}),
        (partial(labels, "m", "n"), {0, 1, 2}),
        (partial(bits, "m"), {0.0, 1.0}),
        (partial(subset, "n"), {False, True}),
        (partial(signs, "m"), {-1.0, 1.0}),
        (partial(integer, 2, 4), {2, 3, 4}),
        (partial(choice, 5, 7, 9), {5, 7, 9}),
    ],
)
def test_every_value_is_drawn_about_equally_often(make, values):
    drawn, counts = np.unique(many(make()), return_counts=True)
    assert set(drawn.tolist()) == values
    assert counts.min() > 0.7 * counts.sum() / len(values)


def test_what_is_drawn_has_the_type_of_its_kind():
    rng = np.random.default_rng(0)
    assert isinstance(label(3).at(rng, {}), int)
    assert isinstance(integer(1, 2).at(rng, {}), int)
    assert labels(2, 3).at(rng, {}).dtype.kind == "i"
    assert subset(3).at(rng, {}).dtype == bool
    assert bits(3).at(rng, {}).dtype == float


def test_both_signs_are_there_at_every_place():
    drawn = many(signs("n"), 100)
    assert all(set(row) == {-1.0, 1.0} for row in drawn)
    assert all(set(column) == {-1.0, 1.0} for column in drawn.T)
    assert {tuple(sorted(row)) for row in many(signs(2), 20)} == {
        (-1.0, 1.0)
    }


@pytest.mark.parametrize(
    ("make", "axes", "count"),
    [
        (partial(distribution, "m"), -1, 4),
        (partial(stochastic, "n", "m"), -1, 4),
        (partial(joint, "n", "m"), (-2, -1), 12),
    ],
)
def test_shares_sum_to_one_and_are_uniform_on_the_simplex(
    make, axes, count
):
    drawn, mean = many(make()), 1 / count
    np.testing.assert_allclose(drawn.sum(axis=axes), 1.0, rtol=1e-12)
    sd = np.sqrt(mean * (1 - mean) / (count + 1))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=sd / 4)
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.25)


def test_sizes_are_read_off_a_value_that_was_given():
    assert logits("n").lengths([1.0, 2.0]) == [("n", 2)]
    assert joint("n", "m").lengths(np.ones((2, 3))) == [("n", 2), ("m", 3)]
    assert reals(2, "m").lengths(np.ones((2, 3))) == [("m", 3)]
    assert labels("N", "n").lengths([0, 1, 1]) == [("N", 3)]
    assert label("n").lengths(2) == []
    assert logits(4).lengths(np.zeros(4)) == []


# --- What formulas are given --------------------------------------------------------------------


def test_a_set_is_given_as_which_are_in_it():
    found = subset("n").values([[1, 0, 1], [0, 0, 1]], [{}, {}], DOUBLE)
    assert isinstance(found, Subset)
    assert found.mask.tolist() == [
        [True, False, True],
        [False, False, True],
    ]


@pytest.mark.parametrize(
    ("make", "raw", "size"),
    [
        (partial(label, "n"), [2, 0], 3),
        (partial(label, 7), [2, 0], 7),
        (partial(labels, "m", "n"), [[0, 1, 2, 0], [1, 1, 1, 1]], 3),
    ],
)
def test_an_index_is_given_with_how_many_there_are(make, raw, size):
    found = make().values(raw, [DRAWN, DRAWN], DOUBLE)
    assert isinstance(found, Position)
    assert found.at.tolist() == raw
    assert found.size == size


def test_numbers_are_given_as_they_were_drawn():
    raw = [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]
    for sampler in (distribution(3), logits(3)):
        found = sampler.values(raw, [{}, {}], DOUBLE)
        assert found.dtype == np.float64
        assert found.tolist() == raw
    exact = logits(3).values(raw, [{}, {}], MULTI)
    assert exact.tolist() == raw
    assert exact.dtype == object


@pytest.mark.parametrize(
    ("make", "axes"),
    [
        (partial(distribution, 3), (1,)),
        (partial(stochastic, 2, 3), (2,)),
        (partial(joint, 2, 3), (1, 2)),
    ],
)
def test_shares_sum_to_one_to_all_digits_in_multiprecision(make, axes):
    sampler = make()
    rng = np.random.default_rng(0)
    raw = [sampler.at(rng, {}) for _ in range(4)]
    found = sampler.values(raw, [{}] * 4, MULTI)
    assert found.shape == np.shape(raw)
    off = found.sum(axis=axes) - 1
    assert (abs(off) < 1e-45).all()
    np.testing.assert_allclose(found.astype(float), raw, rtol=1e-14)
