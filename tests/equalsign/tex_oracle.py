"""The frozen lines of the book, and what each needs to run from its TeX."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equalsign.tex.arithmetic import DOUBLE, Field
from equalsign.tex.evaluate import Position, Subset
from equalsign.tex.reading import Reading, read

HERE = Path(__file__).parent
DERIVATIONS: list[dict[str, Any]] = json.loads(
    (HERE / "tex-lines.json").read_text(encoding="utf-8")
)
NEEDS: dict[str, Any] = tomllib.loads(
    (HERE / "tex-needs.toml").read_text(encoding="utf-8")
)
_GREEK = re.compile(
    "alpha|beta|gamma|delta|eta|theta|kappa|lambda|mu|pi|rho|sigma|tau|phi"
)
_ALIASES = {
    "epsilon": r"\varepsilon",
    "eps": r"\varepsilon",
    "lam": r"\lambda",
    "ell": r"\ell",
    "lr": r"\mathrm{lr}",
}


def tex_name(key: str) -> str:
    """Give the TeX of the name of a draw."""
    return _ALIASES.get(key) or (
        rf"\{key}" if _GREEK.fullmatch(key) else key
    )


@dataclass
class Case:
    """A frozen derivation, ready to run."""

    label: str
    chapter: str
    lines: list[dict[str, Any]]
    run: dict[int, str]
    left: dict[int, str]
    stored: list[Any]
    values: dict[str, Any]
    needs: dict[str, Any]

    def read(self, replaced: dict[int, str] | None = None) -> Reading:
        run = self.run | (replaced or {})
        return read(
            list(run.values()),
            names=list(self.values),
            where=self.needs.get("where", []),
            ranges=self.needs.get("ranges", []),
        )

    def expected(self, number: int) -> np.ndarray:
        """Give the stored values of a line, one a point."""
        return np.array(
            [values[number - 1] for values in self.stored], dtype=float
        )


def bits(code: int, size: int) -> list[int]:
    return [code >> k & 1 for k in range(size)]


def cases(derivation: dict[str, Any], field: Field = DOUBLE) -> list[Case]:
    """Prepare a frozen derivation: one case, or one a point where sizes differ."""
    points = derivation["points"]
    if "among" in NEEDS.get(derivation["label"], {}):
        return [case(derivation, [point], field) for point in points]
    return [case(derivation, points, field)]


def case(
    derivation: dict[str, Any],
    chosen: list[dict[str, Any]],
    field: Field = DOUBLE,
) -> Case:
    """Prepare points of a frozen derivation: values in `field`, lines as they run."""
    label = derivation["label"]
    needs = NEEDS.get(label, {})
    points = [point["at"] for point in chosen]
    by_key = {key: [point[key] for point in points] for key in points[0]}
    values: dict[str, Any] = {}
    renamed = {key: tex for tex, key in needs.get("names", {}).items()}
    for key, drawn in by_key.items():
        words = derivation["draws"].get(key, "")
        array = np.array(drawn)
        among = re.search(r"labels? among (\d+) classes", words)
        name = renamed.get(key, tex_name(key))
        if among or key in needs.get("positions", ()):
            size = int(among.group(1)) if among else None
            values[name] = Position(array, size)
        else:
            values[name] = field.array(array)
    for name, of in needs.get("sizes", {}).items():
        key, _, axis = of.partition(":")
        length = np.array(by_key[key]).shape[1 + int(axis or 0)]
        values[name] = field.number(length)
    for name, of in needs.get("subsets", {}).items():
        key, size = of.split(":")
        values[name] = Subset(
            np.array([bits(m, int(size)) for m in by_key[key]], dtype=bool)
        )
    for name, of in needs.get("bits", {}).items():
        key, size = of.split(":")
        values[name] = field.array(
            [bits(m, int(size)) for m in by_key[key]]
        )
    for name, at in needs.get("at", {}).items():
        size = needs.get("among", {}).get(name)
        values[name] = Position(
            np.array([at]), int(values[size][0]) if size else None
        )
    left = {int(k): why for k, why in needs.get("left", {}).items()}
    mended = {int(k): tex for k, tex in needs.get("mended", {}).items()}
    run = {
        number: mended.get(number, line["tex"])
        for number, line in enumerate(derivation["lines"], start=1)
        if not line["code"] and number not in left
    }
    return Case(
        label,
        derivation["chapter"],
        derivation["lines"],
        run,
        left,
        [point["values"] for point in chosen],
        values,
        needs,
    )


def agree(value: Any, expected: np.ndarray, tolerance: float) -> bool:
    value = np.asarray(value, dtype=float)
    if value.ndim > expected.ndim:
        return False
    with np.errstate(invalid="ignore"):
        value = value.reshape(
            value.shape + (1,) * (expected.ndim - value.ndim)
        )
        gap = np.abs(value - expected)
        near = gap <= tolerance * np.maximum(1.0, np.abs(expected))
    same = (value == expected) | (np.isnan(value) & np.isnan(expected))
    return bool(np.all(near | same))
