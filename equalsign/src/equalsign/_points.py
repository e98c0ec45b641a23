"""The points at which a check runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equalsign._base import SEED, CheckFailed, Point
from equalsign._words import counted, symbol
from equalsign.samplers import Sampler


@dataclass(frozen=True)
class Points:
    """The points a check runs at: the hand-picked ones first, then the random ones."""

    edge: list[Point]
    random: list[Point]
    samplers: Mapping[str, Sampler]

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
            f"${symbol(n)}$ {s.words}" for n, s in self.samplers.items()
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

    def detail(self) -> dict[str, str]:
        return {
            name: sampler.words for name, sampler in self.samplers.items()
        }


def draw_points(
    samplers: Mapping[str, Sampler],
    points: int,
    edge: Sequence[Mapping[str, Any]] | None,
) -> Points:
    for name, sampler in samplers.items():
        if not isinstance(sampler, Sampler):
            raise TypeError(
                f"{name} must be a sampler such as logits(5), not {sampler!r}"
            )
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points}")
    misspelt = {name for point in edge or [] for name in point} - set(
        samplers
    )
    if samplers and misspelt:
        raise CheckFailed(
            f"a hand-picked point gives {', '.join(misspelt)}, which is not drawn"
        )
    rng = np.random.default_rng(SEED)

    def draw() -> Point:
        return {
            name: frozen(sampler.draw(rng))
            for name, sampler in samplers.items()
        }

    picked = [
        draw() | {name: frozen(v) for name, v in p.items()}
        for p in edge or []
    ]
    drawn = (
        [draw() for _ in range(points)]
        if samplers
        else []
        if picked
        else [{}]
    )
    return Points(picked, drawn, samplers)


def frozen(value: Any) -> Any:
    """Turn lists into float64 arrays, and make arrays read-only: no line may change its inputs."""
    if isinstance(value, list | tuple):
        value = np.array(value, dtype=np.float64)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
    return value
