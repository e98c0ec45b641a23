"""The points at which a check runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equalsign._base import SEED, CheckFailed, Point
from equalsign._words import counted, symbol
from equalsign.samplers import Sampler
from equalsign.tex.arithmetic import Field
from equalsign.tex.errors import TexError
from equalsign.tex.scope import name_tokens, spell

SAME_SIZES = 15
"""How many points in a row have the same sizes: they run together."""


@dataclass
class Group:
    """Points that share the shapes of their values, and the sizes."""

    points: list[Point]
    edge: list[bool]
    number: list[int]

    def one(self, index: int) -> Group:
        """Give one of the points."""
        return Group(
            [self.points[index]], [self.edge[index]], [self.number[index]]
        )


@dataclass(frozen=True)
class Points:
    """The points a check runs at: the hand-picked ones first, then the random ones."""

    edge: list[Point]
    random: list[Point]
    samplers: Mapping[str, Sampler]
    tex: Mapping[str, str]

    def __iter__(self) -> Iterator[tuple[Point, bool]]:
        yield from ((point, True) for point in self.edge)
        yield from ((point, False) for point in self.random)

    def __len__(self) -> int:
        return len(self.edge) + len(self.random)

    @property
    def names(self) -> set[str]:
        """The symbols that have a value at every point."""
        return set(self.samplers) or {
            name for point in self.edge for name in point
        }

    def words(self) -> str:
        """Say how many points of which kind there were, in Markdown."""
        drawn = "; ".join(
            f"${self.tex[n]}$ {s.words}" for n, s in self.samplers.items()
        )
        parts = []
        if self.samplers:
            parts.append(
                f"at {counted(len(self.random), 'random point')}: {drawn}"
            )
        if self.edge:
            parts.append(
                f"at {counted(len(self.edge), 'hand-picked point')}"
            )
        return "; and ".join(parts)

    def groups(self, chosen: Iterable[tuple[Point, bool]]) -> list[Group]:
        """Sort points by the shapes of their values, and by the sizes."""
        groups: dict[Any, Group] = {}
        sizes = {size for s in self.samplers.values() for size in s.names}
        for number, (point, edge) in enumerate(chosen):
            key = tuple(
                (np.shape(value), value if name in sizes else None)
                for name, value in point.items()
            )
            group = groups.setdefault(key, Group([], [], []))
            group.points.append(point)
            group.edge.append(edge)
            group.number.append(number)
        return list(groups.values())

    def values(
        self, points: Sequence[Point], field: Field
    ) -> dict[str, Any]:
        """Give what formulas use, by TeX name."""
        return {
            self.tex[name]: sampler.values(
                [point[name] for point in points], points, field
            )
            for name, sampler in self.samplers.items()
        }

    def written(self, name: str, value: Any) -> Any:
        """Give a value as formulas count it: labels from 1."""
        return value + 1 if self.samplers[name].kind == "index" else value

    def detail(self) -> dict[str, str]:
        return {
            name: sampler.words for name, sampler in self.samplers.items()
        }


def draw_points(
    samplers: Mapping[str, Sampler],
    points: int,
    edge: Sequence[Mapping[str, Any]] | None,
    names: Mapping[str, str] | None = None,
) -> Points:
    """Draw the points; `names` holds the TeX of symbols that Python cannot spell."""
    for place, (name, sampler) in enumerate(samplers.items()):
        if not isinstance(sampler, Sampler):
            raise TypeError(
                f"{name} must be a sampler such as logits(5), not {sampler!r}"
            )
        for size in sampler.names:
            if size not in list(samplers)[:place]:
                raise CheckFailed(f"{size} must be drawn before {name}")
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points}")
    misspelt = {name for point in edge or [] for name in point} - set(
        samplers
    )
    if samplers and misspelt:
        raise CheckFailed(
            f"a hand-picked point gives {', '.join(sorted(misspelt))}, which is not drawn"
        )
    rng = np.random.default_rng(SEED)

    def draw(given: Mapping[str, Any]) -> Point:
        drawn = {name: frozen(value) for name, value in given.items()}
        for name in [name for name in samplers if name in drawn]:
            for size, length in samplers[name].lengths(drawn[name]):
                if drawn.setdefault(size, length) != length:
                    raise CheckFailed(
                        f"a hand-picked point gives {name} of {size} = {length}, "
                        f"but {size} is {drawn[size]}"
                    )
        for name, sampler in samplers.items():
            value = sampler.at(rng, drawn)
            drawn.setdefault(name, frozen(value))
        return {name: drawn[name] for name in samplers or drawn}

    picked = [draw(given) for given in edge or []]
    drawn: list[Point] = [] if picked or samplers else [{}]
    sizes = {size for s in samplers.values() for size in s.names}
    for number in range(points if samplers else 0):
        new = number % SAME_SIZES == 0
        drawn.append(
            draw({} if new else {size: drawn[-1][size] for size in sizes})
        )
    try:
        tex = {
            name: spell(name_tokens((names or {}).get(name, symbol(name))))
            for name in samplers
        }
    except TexError as error:
        raise CheckFailed(str(error)) from error
    twice = [t for t, count in Counter(tex.values()).items() if count > 1]
    if twice:
        raise CheckFailed(f"{twice[0]} is drawn twice")
    return Points(picked, drawn, samplers, tex)


def frozen(value: Any) -> Any:
    """Turn lists into float64 arrays, and make arrays read-only: no line may change its inputs."""
    if isinstance(value, list | tuple):
        value = np.array(value, dtype=np.float64)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
    return value
