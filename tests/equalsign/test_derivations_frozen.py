"""Every frozen derivation, run by the new verb at fresh points of its own draws."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from tex_oracle import DERIVATIONS, NEEDS, tex_name

from equalsign import (
    Sampler,
    Step,
    between,
    choice,
    derivation,
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
from equalsign._records import records

_WORDS: list[tuple[str, Any]] = [
    (r"(\d+) logits \(normal, sd (\S+)\)", lambda n, s: logits(int(n), float(s))),
    (r"a label among (\d+) classes", lambda n: label(int(n))),
    (r"(\d+) labels among (\d+) classes", lambda c, n: labels(int(c), int(n))),
    (r"a distribution over (\d+) outcomes", lambda n: distribution(int(n))),
    (r"a joint distribution of (\d+) × (\d+) outcomes", lambda n, m: joint(int(n), int(m))),
    (r"(\d+) distributions over (\d+) .*", lambda n, m: stochastic(int(n), int(m))),
    (r"a real number \(normal, sd (\S+)\)", lambda s: real(float(s))),
    (r"(\d+) real numbers \(normal, sd (\S+)\)", lambda n, s: reals(int(n), scale=float(s))),
    (r"(\d+) × (\d+) real numbers .*", lambda n, m: reals(int(n), int(m))),
    (r"a positive number .*", positive),
    (r"a number in \(0, 1\)", unit),
    (r"a number in \(0, π/2\)", lambda: between(0, math.pi / 2)),
    (r"a number in \(-1/2, 1/2\)", lambda: between(-0.5, 0.5)),
    (r"an angle in \(0, π\)", lambda: between(1e-6, math.pi)),
    (r"a number in \((\S+), (\S+)\)", lambda a, b: between(float(a), float(b))),
    (r"an integer from (\S+) to (\S+)", lambda a, b: integer(int(a), int(b))),
    (r"one of (.*)", lambda v: choice(*(float(x) for x in v.split(", ")))),
    (r"(\d+) signs, both present", lambda n: signs(int(n))),
]  # fmt: skip


def _draw(words: str) -> Sampler:
    for pattern, make in _WORDS:
        match = re.fullmatch(pattern, words)
        if match:
            return make(*match.groups())
    raise AssertionError(words)


def _index(low: int, high: int, size: int) -> Sampler:
    """Sampler an index from a part of the classes."""
    return Sampler(
        f"an index among {size}",
        lambda rng, size: int(rng.integers(low, high + 1)),
        (size,),
        "index",
    )


def _bits(size: int) -> Sampler:
    return Sampler(
        f"{size} zeros and ones",
        lambda rng, size: rng.integers(2, size=size).astype(float),
        (size,),
    )


def as_call(frozen: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Turn a frozen derivation into the arguments of the new verb."""
    needs = NEEDS.get(frozen["label"], {})
    first = frozen["points"][0]["at"]
    tex = {key: name for name, key in needs.get("names", {}).items()}
    where, ranges = (
        list(needs.get("where", [])),
        list(needs.get("ranges", [])),
    )
    coded = {of.split(":")[0] for kind in ("subsets", "bits")
             for of in needs.get(kind, {}).values()}  # fmt: skip
    draws: dict[str, Sampler] = {}
    names: dict[str, str] = {}
    for key, words in frozen["draws"].items():
        if key in coded:
            continue
        names[key] = tex.get(key, tex_name(key))
        draws[key] = _draw(words)
        if key in needs.get("positions", ()):
            low, high = map(int, re.findall(r"\d+", words))
            draws[key] = _index(low, high, 5)
    for name, of in needs.get("subsets", {}).items():
        draws[name] = subset(int(of.split(":")[1]))
    for name, of in needs.get("bits", {}).items():
        draws[name] = _bits(int(of.split(":")[1]))
    for name, at in needs.get("at", {}).items():
        size = needs.get("among", {}).get(name, 1)
        draws[name] = _index(at, at, size)
    for name, of in needs.get("sizes", {}).items():
        where.append(f"{name}={np.shape(first[of])[0]}")
    mended = {int(k): v for k, v in needs.get("mended", {}).items()}
    left = {int(k) for k in needs.get("left", {})}
    steps = [
        Step(
            line["relation"],
            mended.get(n, line["tex"]),
            line["reason"],
            parameter=line["parameter"],
            limit=float(line.get("limit") or 0),
            rate=float(line.get("rate") or 1),
        )
        for n, line in enumerate(frozen["lines"], start=1)
        if not line["code"] and n not in left
    ]
    return steps, {
        "where": where,
        "ranges": ranges,
        "names": names,
        **draws,
    }


# Steps that only write out a definition, or say the line before again.
EMPTY: dict[str, str] = {}


@pytest.mark.parametrize("frozen", DERIVATIONS, ids=lambda d: d["label"])
def test_holds_at_fresh_points(frozen, capsys):
    steps, arguments = as_call(frozen)
    if len(steps) < 2:
        pytest.skip("what is left is no chain")
    records.clear()
    derivation(frozen["title"], steps[0].tex, *steps[1:], **arguments)
    (record,) = records.values()
    assert record["detail"]["from_tex"] == len(steps)
