"""Formulas with a slip: each is refused by name or has a value, and no token counts for nothing."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from tex_oracle import DERIVATIONS, Case, cases

from equalsign.tex.arithmetic import DOUBLE
from equalsign.tex.errors import TexError
from equalsign.tex.reading import Reading, read
from equalsign.tex.tokens import tokenize

EXTRA = [
    "0", "2", "99", "T", "x", "+", "=", ",", "(", ")", "[", "]", "{", "}", "_", "^", "|", "&",
    r"\\", r"\Gamma", r"\infty", r"\in", r"\sim", r"\max", r"\sum", r"\int", r"\nabla",
    r"\top", r"\to", r"\frac", r"\mid", r"\text{for}", r"\begin{cases}", r"\end{cases}",
    r"\mathbb{E}",
]  # fmt: skip
# What may be left out: it only sets apart, or says no more than the sign beside it.
SETS_APART = {",", r"\quad", r"\cdot", r"\text{at }"}


@cache
def _cases() -> list[Case]:
    found = []
    for derivation in DERIVATIONS:
        first = next(iter(cases(derivation, DOUBLE)), None)
        if first and first.run:
            found.append(first)
    return found


def _words(tex: str) -> list[str]:
    return [token.text for token in tokenize(tex)]


def _slipped(tex: str, rng: random.Random) -> str:
    words = _words(tex)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(words) + 1)
        new = rng.choice([*EXTRA, *words])
        kind = rng.choice(["leave out", "add", "replace", "swap"])
        if kind == "add":
            words.insert(at, new)
        elif kind == "replace":
            words[at : at + 1] = [new]
        elif kind == "leave out":
            del words[at : at + 1]
        elif words:
            other = rng.randrange(len(words))
            at = min(at, len(words) - 1)
            words[at], words[other] = words[other], words[at]
    return " ".join(words)


@pytest.mark.parametrize("seed", range(8))
def test_a_slip_is_refused_or_has_a_value(seed):
    rng = random.Random(seed)
    refused = 0
    for _ in range(400):
        case = rng.choice(_cases())
        number = rng.choice(list(case.run))
        beside = [
            [
                _slipped(tex, rng) if rng.random() < 0.1 else tex
                for tex in case.needs.get(kind, [])
            ]
            for kind in ("where", "ranges")
        ]
        try:
            reading = read(
                [_slipped(case.run[number], rng)],
                names=case.values,
                where=beside[0],
                ranges=beside[1],
            )
            at = reading.evaluator(case.values, DOUBLE)
            for formula in reading.formulas:
                for value in reading.evaluate(at, formula):
                    assert hasattr(value, "shape")
        except TexError:
            refused += 1
    assert 100 < refused < 390


def _meaning(reading: Reading) -> Any:
    """Give all that a reading says, without the text that it says it by."""
    said = [
        (f.sides, f.free, f.conditions, f.note, [b.sides for b in f.beside])
        for f in reading.formulas
    ]
    scope = reading.scope
    defined = [(d.head, d.body) for d in reading.definitions]
    return said, defined, scope.ranges, scope.random, scope.log_zero


def test_no_token_counts_for_nothing():
    ignored = set()
    for case in _cases():
        texts = [
            list(case.run.values()),
            case.needs.get("where", []),
            case.needs.get("ranges", []),
        ]

        def meaning(texts: list[list[str]], case: Case = case) -> Any:
            lines, where, ranges = texts
            return _meaning(
                read(lines, names=case.values, where=where, ranges=ranges)
            )

        whole = meaning(texts)
        for kind, group in enumerate(texts):
            for n, tex in enumerate(group):
                words = _words(tex)
                for at, word in enumerate(words):
                    less = [list(g) for g in texts]
                    less[kind][n] = " ".join(words[:at] + words[at + 1 :])
                    try:
                        same = meaning(less) == whole
                    except TexError:
                        continue
                    if same and word not in SETS_APART:
                        ignored.add((case.label, tex, word))
    assert not ignored
