"""Values for the names of a formula, and what a formula gives at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from equalsign.tex import arithmetic
from equalsign.tex.arithmetic import DOUBLE, Field
from equalsign.tex.evaluate import Position, Subset
from equalsign.tex.reading import read

# x=3, y=4, n=3; z=(1,2,4), v=(2,-1,3), p=(1/2,1/4,1/4); A has rows (1,2,3) and (4,5,6);
# t is the second of three classes; T holds the first and the third; l=(1,3,3,2) are labels.
VALUES: dict[str, Any] = {
    "x": 3.0,
    "y": 4.0,
    "n": 3.0,
    "z": [1.0, 2.0, 4.0],
    "v": [2.0, -1.0, 3.0],
    "p": [0.5, 0.25, 0.25],
    "A": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
    "t": Position(np.array([1]), 3),
    "l": Position(np.array([[0, 2, 2, 1]]), 3),
    "T": Subset(np.array([[True, False, True]])),
}


def values(field: Field, drop: Any = ()) -> dict[str, Any]:
    """Give the values above as arrays of one point."""
    return {
        name: (
            field.array(np.array(value)[None])
            if isinstance(value, float | list)
            else value
        )
        for name, value in VALUES.items()
        if name not in drop
    }


def run(
    tex: str,
    field: Field = DOUBLE,
    *,
    where: Any = (),
    ranges: Any = (),
    drop: Any = (),
    lines: Any = None,
    **_: Any,
) -> Any:
    """Give the value of a formula at the values above."""
    drawn = values(field, drop)
    reading = read(
        lines or [tex], names=list(drawn), where=where, ranges=ranges
    )
    (value,) = reading.evaluate(
        reading.evaluator(drawn, field), reading.formulas[0]
    )
    return np.asarray(arithmetic.plain(value), dtype=float)[0]
