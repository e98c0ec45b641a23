"""How fast a limit is approached."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from equalsign._base import RATE_TOLERANCE
from equalsign._words import symbol

# Irregular, so that nothing periodic agrees by accident.
ORDINARY_DISTANCES = (1.0, 0.4391, 0.2119, 0.1087)
HALVED_DISTANCES = [0.9173 * 0.5**halving for halving in range(41)]
SMALLEST_ERROR = 1e-5
_WINDOW = 5


def moved(limit: float, distance: float) -> float:
    """Give a parameter its value at this distance from the limit."""
    if math.isinf(limit):
        # a whole number: the parameter may count something
        return math.copysign(math.ceil(1 / distance), limit)
    return limit + distance


def kept(limit: float, distance: float) -> float:
    """Give the distance that :func:`moved` leaves: it rounds at infinity."""
    return 1 / math.ceil(1 / distance) if math.isinf(limit) else distance


def goes_to(parameter: str, limit: float) -> str:
    """Say in TeX what a parameter goes to."""
    goal = (
        "-" * (limit < 0) + r"\infty"
        if math.isinf(limit)
        else f"{limit:.12g}"
    )
    return rf"{symbol(parameter)}\to{goal}"


def convergence(parameter: str, limit: float, rate: float) -> str:
    """Say what converges how fast, in Markdown."""
    name, goes = symbol(parameter), goes_to(parameter, limit)
    if math.isinf(rate):
        return rf"as ${goes}$, faster than every power"
    power = "" if rate == 1 else f"^{{{rate:g}}}"
    if math.isinf(limit):
        away = name if limit > 0 else rf"\lvert {name}\rvert"
        size = f"1/{away}{power}"
    elif limit == 0:
        size = f"{name}{power}"
    else:
        base = f"{name}{-limit:+.12g}"
        size = f"({base}){power}" if power else base
    return rf"as ${goes}$, with an error $O({size})$"


def order(
    errors: Sequence[float], distances: Sequence[float], growing: bool
) -> float | None:
    """Fit the slope of log error against log distance, where errors are last well above round-off.

    For an error that falls faster than every power (`growing`), infinity if the slope grows.
    """
    measured = [
        pair
        for pair in zip(errors, distances, strict=True)
        if pair[0] > SMALLEST_ERROR
    ][-_WINDOW:]
    if len(measured) < 3:
        return None
    logs, at = np.log2(measured).T
    if growing:
        slopes = np.diff(logs) / np.diff(at)
        return (
            math.inf
            if slopes[-1] > 1.5 * max(1.0, slopes[-2])
            else float(slopes[-1])
        )
    return float(np.polyfit(at, logs, 1)[0])


def rate_holds(rate: float, observed: float) -> bool:
    return observed == rate or abs(observed - rate) <= RATE_TOLERANCE
