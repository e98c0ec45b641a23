"""Functions as formulas: what they take, how they fail, and whom they call."""

from __future__ import annotations

import math
import re
import sys
from decimal import Decimal

import numpy as np
import pytest

import losslib
from equalsign import CheckFailed
from equalsign._formula import Formula, check_names, from_package, watch


def fails(words):
    """Expect a CheckFailed that says exactly these words."""
    return pytest.raises(CheckFailed, match=f"^{re.escape(words)}$")


# --- What a function takes ----------------------------------------------------------------------


def test_arguments_are_taken_by_name():
    formula = Formula("f", lambda a, b=2, *, c, d=4: a)
    assert formula.names == ["a", "b", "c", "d"]
    assert formula.optional == {"b", "d"}


@pytest.mark.parametrize(
    "fn",
    [lambda *a: a, lambda **a: a, lambda a, /: a, lambda a, *b, c: a],
    ids=["star", "two stars", "positional", "star between"],
)
def test_arguments_without_a_name_are_refused(fn):
    with pytest.raises(TypeError, match=r"^what is so must take its arg"):
        Formula("what is so", fn)


def test_a_function_is_given_what_it_names_and_the_point_has():
    formula = Formula("f", lambda a, b=2.0: (a, b))
    assert formula({"a": 1.0, "c": 3.0}) == (1.0, 2.0)
    assert formula({"a": 1.0, "b": 5.0}) == (1.0, 5.0)


def test_names_are_to_be_drawn_or_optional():
    known = Formula("line 1", lambda a, b=1: a)
    check_names([known], {"a"}, {"a"})
    with fails(
        "line 2 takes b, c, which no sampler draws (there are: a, d)"
    ):
        check_names(
            [known, Formula("line 2", lambda b, a, c: a)],
            {"d", "a"},
            set(),
        )
    with fails("line 1 takes a, which no sampler draws (there are: none)"):
        check_names([known], set(), set())


def test_what_is_drawn_is_to_be_used_by_one_of_the_functions():
    formulas = [Formula("f", lambda a: a), Formula("g", lambda b=1: b)]
    check_names(formulas, {"a", "b"}, {"a", "b"})
    with fails("c, d is drawn, but nothing in this check uses it"):
        check_names(formulas, {"a", "b", "c", "d"}, {"d", "c", "a"})


# --- What it gives ------------------------------------------------------------------------------


def test_a_value_is_an_array_of_float64():
    value = Formula("f", lambda a: np.float32([a, 2])).value({"a": 1})
    assert value.dtype == np.float64
    assert value.tolist() == [1.0, 2.0]
    assert Formula("f", lambda: Decimal("0.5")).value({}).shape == ()


def test_an_infinity_is_a_value_and_warns_of_nothing():
    formula = Formula("f", lambda p: 1 / p + np.exp(1e4 + p))
    with np.errstate(all="warn"):
        assert formula.value({"p": np.array([0.0])}).tolist() == [math.inf]


def test_a_nan_is_no_value():
    with fails("f is nan at p = [0, 1]: [nan, 0]"):
        Formula("f", lambda p: p * np.log(p)).value(
            {"p": np.array([0.0, 1])}
        )


@pytest.mark.parametrize("result", [1j, "one", [[1], [1, 2]]])
def test_what_is_no_number_is_refused_with_its_cause(result):
    with pytest.raises(
        CheckFailed, match=r"^f gives no real numbers at a = 1: ."
    ) as refusal:
        Formula("f", lambda a: result).value({"a": 1})
    assert isinstance(refusal.value.__cause__, TypeError | ValueError)


def test_an_exception_is_told_with_the_point_and_kept_as_the_cause():
    with fails(
        "f fails at a = 0.10000000000000001 with KeyError: 'b'"
    ) as e:
        Formula("f", lambda a: {}["b"])({"a": 0.1})
    assert isinstance(e.value.__cause__, KeyError)


# --- Whom it calls ------------------------------------------------------------------------------


def test_functions_called_are_seen_in_order_each_once():
    two = np.array([1.0, 2.0])

    def calls():
        for _ in range(2):
            losslib.mse_loss(two, two)
            losslib.logsumexp(two)
            np.mean(two)

    with watch({"losslib"}) as seen:
        calls()
    names = list(seen)
    assert names[0] == "losslib.regression.mse_loss"
    assert any(name.endswith(".logsumexp") for name in names)
    assert len(names) == len(set(names))
    assert all(name.startswith("losslib.") for name in names)


def test_functions_that_are_not_of_python_are_seen():
    """Those of a module by its name, methods by the module of their type."""
    with watch({"math", "decimal"}) as seen:
        math.exp(1.0)
        Decimal(4).sqrt()
        [].append(1)
    assert list(seen) == ["math.exp", "decimal.sqrt"]


def test_a_package_whose_name_begins_alike_is_another():
    with watch({"loss", "lib"}) as seen:
        losslib.logsumexp(np.zeros(2))
    assert not seen


def test_who_watched_before_watches_on():
    before = sys.getprofile()

    def other(frame, event, called):
        pass

    sys.setprofile(other)
    try:
        with pytest.raises(KeyError), watch({"losslib"}):
            raise KeyError
        after = sys.getprofile()
    finally:
        sys.setprofile(before)
    assert after is other


def test_a_formula_notes_calls_of_losslib_and_torch():
    torch = pytest.importorskip("torch")
    formula = Formula("f", lambda a: losslib.logsumexp(a) + np.mean(a))
    assert from_package(formula, "losslib") is None
    formula.value({"a": np.zeros(2)})
    assert from_package(formula, "losslib").endswith(".logsumexp")
    assert from_package(formula, "torch") is None
    assert from_package(formula, "numpy") is None
    formula = Formula("g", lambda a: float(torch.tensor(a).exp()))
    formula.value({"a": 1.0})
    assert from_package(formula, "torch") == "torch.tensor"
    assert from_package(formula, "losslib") is None


def test_calls_at_all_points_are_noted():
    formula = Formula(
        "f", lambda a: losslib.logsumexp(np.zeros(2)) if a else 0.0
    )
    for a in (0, 1, 0):
        formula.value({"a": a})
    assert from_package(formula, "losslib")
