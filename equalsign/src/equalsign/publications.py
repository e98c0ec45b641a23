"""Numbers as somebody printed them, equal to every digit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from equalsign._base import CheckFailed, about
from equalsign._records import display_check, keep_record
from equalsign._words import counted, markdown_table, text_columns, unmarked

_HEADS = {
    "losslib": "`losslib`",
    "pytorch": "PyTorch",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "jax": "JAX",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
}


def published(
    statement: str,
    printed: str | Mapping[str, str],
    /,
    *,
    source: str,
    place: str,
    **columns: Any,
) -> None:
    r"""Compare numbers with what somebody printed, digit for digit.

    Parameters
    ----------
    statement : str
        What the numbers are.
    printed : str or dict of str
        The numbers as printed, separated by spaces; or rows of them by name.
    source : str
        Who printed them.
    place : str
        Where they stand there: a page, a table, a section, an example.
    **columns
        The same numbers, computed: an array, a number or a nested list of them; for rows, a dict
        with the same names or a function of the name. ``by_hand`` is headed "by hand".

    Raises
    ------
    CheckFailed
        If a number, rounded to the decimals printed, is not the one printed, or if `place` does
        not say where they are printed.

    Examples
    --------
    >>> import numpy as np
    >>> published("Entropy of a fair die", "1.7918 2.585", source="a handbook", place="table 1",
    ...           by_hand=[np.log(6), np.log2(6)])
    Entropy of a fair die (a handbook, table 1)
      printed       by hand       held
      1.7918 2.585  1.7918 2.585  ✓
    ✓ 2 numbers equal to every printed digit.
    """
    if not place.strip():
        raise CheckFailed(
            f"{statement}: place must say where {source} prints the numbers"
        )
    rows = {"": printed} if isinstance(printed, str) else dict(printed)
    with about(statement):
        cells = _published_cells(rows, columns)
    total = sum(len(text.split()) for text in rows.values())
    record = keep_record(
        "published",
        statement,
        source=f"{source}, {place}",
        points=total,
        detail={"columns": list(columns), "printed": dict(rows)},
    )
    heads = [
        "printed",
        *(_HEADS.get(name, name.replace("_", " ")) for name in columns),
        "held",
    ]
    body = [
        [
            " ".join(text.split()),
            *(cells[name][row] for name in columns),
            "✓",
        ]
        for row, text in rows.items()
    ]
    if not isinstance(printed, str):
        heads = ["what", *heads]
        body = [[row, *rest] for row, rest in zip(rows, body, strict=True)]
    foot = f"✓ {counted(total, 'number')} equal to every printed digit."
    markdown = (
        f"**{statement}** ({source}, {place})\n\n{markdown_table(heads, body)}\n\n"
        f"<small>{foot}</small>\n"
    )
    table = text_columns(
        [
            ["", *(unmarked(head).strip("`") for head in heads)],
            *(["", *r] for r in body),
        ]
    )
    display_check(
        markdown,
        f"{statement} ({source}, {place})\n{table}\n{foot}",
        record,
    )


def _published_cells(
    rows: Mapping[str, str], columns: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Format every column like what was printed, by column and row."""
    if not columns:
        raise CheckFailed(
            "there is no column to compare with what was printed"
        )
    if not all(text.split() for text in rows.values()) or not rows:
        raise CheckFailed("a row of what was printed holds no number")
    return {
        name: {
            row: _printed_as(text, row, name, _row_value(column, rows, row))
            for row, text in rows.items()
        }
        for name, column in columns.items()
    }


def _row_value(column: Any, rows: Mapping[str, str], row: str) -> Any:
    if callable(column):
        return column(row)
    if isinstance(column, Mapping):
        if set(column) != set(rows):
            raise CheckFailed(
                f"a column has the rows {list(column)} where {list(rows)} are printed"
            )
        return column[row]
    if len(rows) > 1:
        raise CheckFailed(
            f"a column must give a value for each of the rows {list(rows)}"
        )
    return column


def _printed_as(text: str, row: str, column: str, value: Any) -> str:
    """Format `value` like `text`, number by number, and refuse what differs."""
    wanted, got = text.split(), _flatten(value)
    place = f"row {row}, column {column}" if row else f"column {column}"
    if len(wanted) != len(got):
        raise CheckFailed(
            f"{place}: {len(got)} numbers where {len(wanted)} are printed"
        )
    shown = []
    for index, (target, number) in enumerate(zip(wanted, got, strict=True)):
        digits = _format_like(target, number)
        if not _same_number(target, digits):
            raise CheckFailed(
                f"{place}, number {index + 1}: printed {target}, got {digits} ({number:.17g})"
            )
        shown.append(digits)
    return " ".join(shown)


def _flatten(value: Any) -> list[float]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [number for item in value for number in _flatten(item)]
    if isinstance(value, str):
        raise TypeError(
            f"a column holds computed numbers, not the text {value!r}"
        )
    return [float(value)]


def _format_like(printed: str, number: float) -> str:
    mantissa, _, exponent = printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    digits = f"{number:.{decimals}{'e' if exponent else 'f'}}"
    return (
        digits[1:]
        if digits.startswith("-") and not digits.strip("-0.")
        else digits
    )


def _same_number(printed: str, digits: str) -> bool:
    try:
        target = Decimal(printed)
    except InvalidOperation:
        raise ValueError(
            f"{printed!r} is not a number as printed"
        ) from None
    return target == Decimal(digits) or (
        target.is_nan() and Decimal(digits).is_nan()
    )
