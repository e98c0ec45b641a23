"""A false claim, with the counter-example that a run found, and what is so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from equalsign._base import CheckFailed, Function, Point, about
from equalsign._formula import Formula, check_names
from equalsign._points import Points, draw_points
from equalsign._records import display_check, keep_record
from equalsign._words import (
    at_point,
    counted,
    short_value,
    symbol,
    unmarked,
)
from equalsign.samplers import Sampler

_CLAIM_KINDS = ("wrong", "incomplete", "outdated", "trap")


def refutes(
    claim: str,
    /,
    *,
    source: str,
    says: str,
    kind: str = "wrong",
    erratum: int | str | None = None,
    holds: Function | None = None,
    raises: tuple[type[BaseException], Callable[[], Any]] | None = None,
    truth: Function | None = None,
    never: str | None = None,
    points: int = 300,
    edge: Sequence[Mapping[str, Any]] | None = None,
    show: Mapping[str, Function] | Function | None = None,
    **samplers: Sampler,
) -> None:
    r"""Refute a claim by a counter-example, and check what is true instead.

    Parameters
    ----------
    claim : str
        The claim, in words.
    source : str
        Who claims it, and where.
    says : str
        What is so instead: a sentence, with maths between dollar signs.
    kind : {"wrong", "incomplete", "outdated", "trap"}
        In what way the claim fails.
    erratum : int or str, optional
        Its number in the list of errata.
    holds : callable
        The claim, as a function of the symbols that gives one bool.
    raises : (exception, callable), optional
        In place of `holds`: the claim fails because the call raises.
    truth : callable, optional
        What is so instead, as a function like `holds`; it must hold at every point.
    never : str, optional
        Why the claim holds nowhere, where that is so: a reason for the reader. Without it, a claim
        that held at no point is refused, since its predicate may say something else.
    points, edge, **samplers
        As in :func:`derivation`; the hand-picked points are tried first.
    show : dict of callable, or callable giving a dict
        Values to print beside the counter-example of `holds`, by name.

    Raises
    ------
    CheckFailed
        If the claim held at all points, if it held at none without a reason or somewhere in spite
        of one, or if what is said instead fails at a point.
    TypeError
        If there is not one of `holds` and `raises`, or `show` without `holds`.
    ValueError
        If `kind` is none of these.

    Examples
    --------
    >>> from equalsign import real
    >>> refutes("The square of a number exceeds it", source="a slip",
    ...         says="It does outside [0, 1].", holds=lambda x: x**2 > x,
    ...         truth=lambda x: x**2 > x or 0 <= x <= 1,
    ...         show={"$x^2$": lambda x: x**2}, edge=[{"x": 0.5}], x=real())
    Claim (a slip; wrong): “The square of a number exceeds it”
    Counter-example: x = 0.5000; x^2 = 0.2500
    What is so: It does outside [0, 1].
    ✓ refuted; what is so held at 300 random points: x a real number (normal, sd 2); and at 1
    hand-picked point.
    """
    if kind not in _CLAIM_KINDS:
        raise ValueError(
            f"kind must be one of {', '.join(_CLAIM_KINDS)}, not {kind!r}"
        )
    if (holds is None) == (raises is None):
        raise TypeError("refutes takes one of holds and raises")
    if raises is not None and show is not None:
        raise TypeError("show needs the counter-example of holds")
    with about(claim):
        drawn = draw_points(samplers, points, edge)
        formulas = {
            name: Formula(name, fn)
            for name, fn in _named_functions(holds, truth, show).items()
        }
        check_names(list(formulas.values()), drawn.names, drawn.names)
        if raises is not None:
            point, tried = None, 1
            example = _raised(*raises)
        else:
            point = _counter_example(formulas["the claim"], drawn, never)
            tried = len(drawn)
            example = _values(point, formulas, show)
        if truth is not None:
            _check_truth(formulas["what is so"], drawn)
    record = keep_record(
        "refutes",
        claim,
        source=source,
        points=len(drawn) if truth else tried,
        detail={
            "kind": kind,
            "erratum": erratum,
            "says": says,
            "example": example,
            "never": never,
        },
    )
    origin = "; ".join(
        filter(
            None, [source, f"erratum {erratum}" if erratum else "", kind]
        )
    )
    foot = "✓ refuted"
    if truth is not None:
        foot = f"✓ refuted; what is so held {drawn.words()}".rstrip()
    if never is not None:
        example = f"{example}. It holds nowhere: {never}"
    parts = [
        f"**Claim** ({origin}): “{claim}”",
        f"**Counter-example:** {example}",
        f"**What is so:** {says}",
        f"<small>{foot}.</small>",
    ]
    markdown = "\n>\n".join(f"> {part}" for part in parts) + "\n"
    display_check(
        markdown, "\n".join(unmarked(part) for part in parts), record
    )


def _named_functions(
    holds: Function | None,
    truth: Function | None,
    show: Mapping[str, Function] | Function | None,
) -> dict[str, Function]:
    functions = {"the claim": holds, "what is so": truth}
    if callable(show):
        functions["show"] = show
    else:
        functions |= {
            f"show {name}": fn for name, fn in (show or {}).items()
        }
    return {name: fn for name, fn in functions.items() if fn is not None}


def _bool(formula: Formula, point: Point) -> bool:
    result = formula(point)
    if not isinstance(result, bool | np.bool_):
        raise CheckFailed(
            f"{formula.where} must give one bool, not {result!r}"
        )
    return bool(result)


def _counter_example(
    claim: Formula, drawn: Points, never: str | None
) -> Point:
    """Return the first point at which the claim fails; it must hold at some point, too."""
    held = [_bool(claim, point) for point, _ in drawn]
    if all(held):
        raise CheckFailed(
            f"the claim held at all {len(drawn)} points: strike it"
        )
    if not any(held) and never is None:
        raise CheckFailed(
            f"the claim held at none of {counted(len(held), 'point')}, as a predicate that is "
            "always false would: try it where it can hold, or say why it cannot, by never="
        )
    if any(held) and never is not None:
        raise CheckFailed(
            f"the claim is said to hold nowhere ({never}), but held at "
            f"{held.count(True)} of {len(held)} points"
        )
    return next(
        point
        for (point, _), holds in zip(drawn, held, strict=True)
        if not holds
    )


def _check_truth(truth: Formula, drawn: Points) -> None:
    for point, _ in drawn:
        if not _bool(truth, point):
            raise CheckFailed(
                f"what is said instead is false{at_point(point)}"
            )


def _raised(expected: type[BaseException], call: Callable[[], Any]) -> str:
    try:
        call()
    except expected as error:
        return f"the call raises `{type(error).__name__}`"
    except Exception as error:
        got = type(error).__name__
        raise CheckFailed(
            f"{got} was raised, not {expected.__name__}: {error}"
        ) from error
    raise CheckFailed(
        f"the call raised no {expected.__name__}: strike the claim"
    )


def _values(
    point: Point,
    formulas: Mapping[str, Formula],
    show: Mapping[str, Function] | Function | None,
) -> str:
    """Write the counter-example and what it gives, in Markdown."""
    shown = {f"${symbol(name)}$": value for name, value in point.items()}
    if callable(show):
        shown |= formulas["show"](point)
    else:
        shown |= {
            name: formulas[f"show {name}"](point) for name in show or {}
        }
    return "; ".join(
        f"{name} = {short_value(value)}" for name, value in shown.items()
    )
