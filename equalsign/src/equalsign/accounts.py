"""What was checked: in this session, and in stored notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from equalsign._base import RECORD_TYPE, CheckFailed
from equalsign._records import KIND_WORDS, display_check, records
from equalsign._words import counted, markdown_table, text_columns, unmarked

_HOW = {
    "from_tex": "ran from their TeX",
    "by_definition": "only wrote out a definition",
    "library": "called the library",
    "by_code": "ran by code beside the TeX",
}


def summary() -> None:
    """Display the checks recorded so far in this session.

    Raises
    ------
    CheckFailed
        If there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from equalsign import published
    >>> records.clear()
    >>> published("Pi", "3.14", source="Archimedes", place="proposition 3", numpy=np.pi)
    Pi (Archimedes, proposition 3)
      printed  NumPy  held
      3.14     3.14   ✓
    ✓ 1 number equal to every printed digit.
    >>> summary()
      kind       statement  checked at
      published  Pi         1 number
    1 check held: 1 set of published numbers.
    """
    if not records:
        raise CheckFailed("nothing was checked")
    rows = [
        [r["kind"], r["statement"], _extent(r)] for r in records.values()
    ]
    kinds = [kind for kind, _ in records]
    counts = ", ".join(
        counted(kinds.count(kind), *KIND_WORDS[kind])
        for kind in dict.fromkeys(kinds)
    )
    total = f"{counted(len(rows), 'check')} held: {counts}.{_lines()}"
    heads = ["kind", "statement", "checked at"]
    plain = text_columns(
        [
            ["", *heads],
            *(["", *(unmarked(cell) for cell in row)] for row in rows),
        ]
    )
    display_check(
        f"{markdown_table(heads, rows)}\n\n{total}\n", f"{plain}\n{total}"
    )


def _lines() -> str:
    """Say how the lines of the derivations ran."""
    ran = {
        how: sum(
            record["detail"][how]
            for (kind, _), record in records.items()
            if kind == "derivation"
        )
        for how in _HOW
    }
    if not any(ran.values()):
        return ""
    parts = [
        f"{number} {_HOW[how]}" for how, number in ran.items() if number
    ]
    lines = counted(sum(ran.values()), "line")
    return f" Of {lines} of derivations, {', '.join(parts)}."


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count what records say was checked, and how.

    Parameters
    ----------
    rows : iterable of dict
        Records, as :func:`ledger` reads them.

    Returns
    -------
    dict of int
        The ``derivations`` and their ``steps``; their ``lines`` with those that ran ``from_tex``,
        ``by_code``, ``by_definition`` and in the ``library``; ``gradients``; ``published`` numbers;
        ``refuted`` claims; ``findings``, those tried elsewhere (``stressed``), the ``places`` where
        they held and the settings (``axes``) along which; the ``points`` at which derivations,
        gradients and refuted claims were evaluated.

    Examples
    --------
    >>> totals([])["derivations"]
    0
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {k: [] for k in KIND_WORDS}
    for row in rows:
        kinds[row["kind"]].append(row)

    def add(kind: str, name: str) -> int:
        return sum(row["detail"].get(name, 0) for row in kinds[kind])

    lines = {how: add("derivation", how) for how in _HOW}
    tried = [row["detail"] for row in kinds["finding"]]
    stressed = [detail for detail in tried if detail["holds"]]
    return {
        "derivations": len(kinds["derivation"]),
        "steps": add("derivation", "steps"),
        "lines": sum(lines.values()),
        **lines,
        "gradients": len(kinds["gradient"]),
        "published": sum(row["points"] for row in kinds["published"]),
        "refuted": len(kinds["refutes"]),
        "findings": len(tried),
        "stressed": len(stressed),
        "places": sum(len(detail["holds"]) for detail in stressed),
        "axes": sum(len(detail["axes"]) for detail in stressed),
        "points": sum(
            row["points"]
            for kind in ("derivation", "gradient", "refutes")
            for row in kinds[kind]
        ),
    }


def reach(record: Mapping[str, Any]) -> str:
    """Say how far a finding holds, in words.

    Parameters
    ----------
    record : dict
        The record of a finding.

    Examples
    --------
    >>> reach({"points": 8, "detail": {"holds": [], "axes": []}})
    '8 seeds; not yet tried elsewhere'
    """
    seeds = counted(record["points"], "seed")
    detail = record["detail"]
    if not detail["holds"]:
        return f"{seeds}; not yet tried elsewhere"
    first, *moved = detail["holds"]
    return f"{seeds}, {first}" + "".join(f"; {place}" for place in moved)


def _extent(record: Mapping[str, Any]) -> str:
    return counted(
        record["points"],
        "number" if record["kind"] == "published" else "point",
    )


def ledger(*places: str | Path) -> list[dict[str, Any]]:
    """Read the records that stored notebooks hold.

    Parameters
    ----------
    *places : str or Path
        Notebooks, in the order to read them; of a folder, all its notebooks by name.

    Returns
    -------
    list of dict
        The record of every check, with the name of its ``"chapter"`` first.

    Raises
    ------
    FileNotFoundError
        If a place does not exist.

    Examples
    --------
    >>> ledger()
    []
    """
    return [
        record
        for path in _notebooks(places)
        for record in _stored_records(path)
    ]


def _notebooks(places: Iterable[str | Path]) -> Iterator[Path]:
    for place in map(Path, places):
        if not place.exists():
            raise FileNotFoundError(f"there is no {place}")
        yield from (
            sorted(place.glob("*.ipynb")) if place.is_dir() else [place]
        )


def _stored_records(path: Path) -> Iterator[dict[str, Any]]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(RECORD_TYPE)
            if record is not None:
                yield {"chapter": path.stem, **record}
