"""Where the values of a derivation's symbols come from, with sizes that are drawn too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equalsign import verify
from equalsign.tex.arithmetic import Field
from equalsign.tex.evaluate import Position, Subset
from equalsign.verify import Sampler

__all__ = [
    "Draw",
    "between",
    "choice",
    "distribution",
    "integer",
    "joint",
    "label",
    "labels",
    "logits",
    "positive",
    "real",
    "reals",
    "signs",
    "stochastic",
    "subset",
    "unit",
]

Size = int | str


@dataclass(frozen=True)
class Draw:
    """A sampler whose sizes may be the names of other draws.

    Parameters
    ----------
    sampler : callable
        Makes the sampler, from the sizes.
    sizes : tuple of int or str
        The sizes, or the names of the integers that are.
    kind : {"number", "index", "set"}
        What a formula may do with it: an index stands below others.
    whole : int, optional
        How many of the last axes hold shares that sum to one.

    Examples
    --------
    >>> logits("n").words
    '$n$ logits (normal, sd 2)'
    """

    sampler: Callable[..., Sampler]
    sizes: tuple[Size, ...] = ()
    kind: str = "number"
    whole: int = 0

    @property
    def words(self) -> str:
        """Say what is drawn."""
        return self.sampler(*(_shown(size) for size in self.sizes)).words

    @property
    def names(self) -> tuple[str, ...]:
        """The draws that this one takes a size from."""
        return tuple(s for s in self.sizes if isinstance(s, str))

    def draw(
        self, rng: np.random.Generator, drawn: Mapping[str, Any]
    ) -> Any:
        """Draw one value, given what was drawn before."""
        return self.sampler(*self._sizes(drawn)).draw(rng)

    def values(
        self,
        raw: Sequence[Any],
        points: Sequence[Mapping[str, Any]],
        field: Field,
    ) -> Any:
        """Make what formulas use from values at points of one size."""
        array = np.array(raw)
        if self.kind == "set":
            return Subset(array.astype(bool))
        if self.kind == "index":
            return Position(array, self._sizes(points[0])[-1])
        numbers = field.array(array)
        if self.whole and field.exact:
            axes = tuple(range(numbers.ndim - self.whole, numbers.ndim))
            numbers = numbers / numbers.sum(axis=axes, keepdims=True)
        return numbers

    def _sizes(self, drawn: Mapping[str, Any]) -> list[int]:
        return [
            int(drawn[size]) if isinstance(size, str) else size
            for size in self.sizes
        ]


def _shown(size: Size) -> Any:
    return f"${size}$" if isinstance(size, str) else size


def logits(n: Size, scale: float = 2.0) -> Draw:
    """Draw `n` independent normal logits with standard deviation `scale`."""
    return Draw(lambda n: verify.logits(n, scale), (n,))


def label(n: Size) -> Draw:
    """Draw one of `n` classes."""
    return Draw(verify.label, (n,), "index")


def labels(count: Size, n: Size) -> Draw:
    """Draw `count` times one of `n` classes.

    Examples
    --------
    >>> labels("N", 4).words
    '$N$ labels among 4 classes'
    """
    return Draw(
        lambda count, n: Sampler(
            f"{count} labels among {n} classes",
            lambda rng: rng.integers(n, size=count),
        ),
        (count, n),
        "index",
    )


def subset(n: Size) -> Draw:
    """Draw a set of some of `n` classes: each is in it or not, like a coin.

    Examples
    --------
    >>> subset("n").words
    'a set of some of $n$ classes'
    """
    return Draw(
        lambda n: Sampler(
            f"a set of some of {n} classes",
            lambda rng: rng.integers(2, size=n).astype(bool),
        ),
        (n,),
        "set",
    )


def distribution(n: Size) -> Draw:
    """Draw `n` probabilities that sum to one, uniformly on the simplex."""
    return Draw(verify.distribution, (n,), whole=1)


def joint(n: Size, m: Size) -> Draw:
    """Draw an `n` by `m` matrix of probabilities that sums to one."""
    return Draw(verify.joint, (n, m), whole=2)


def stochastic(n: Size, m: Size) -> Draw:
    """Draw an `n` by `m` matrix whose rows are distributions."""
    return Draw(verify.stochastic, (n, m), whole=1)


def real(scale: float = 2.0) -> Draw:
    """Draw a normal number with standard deviation `scale`."""
    return Draw(lambda: verify.real(scale))


def reals(*shape: Size, scale: float = 2.0) -> Draw:
    """Draw an array of independent normal numbers with standard deviation `scale`."""
    return Draw(lambda *n: verify.reals(*n, scale=scale), shape)


def positive() -> Draw:
    """Draw a positive number, log-normal."""
    return Draw(verify.positive)


def unit() -> Draw:
    """Draw a number strictly between 0 and 1, uniformly."""
    return Draw(verify.unit)


def between(low: float, high: float) -> Draw:
    """Draw a number from `low` to `high`, uniformly.

    Examples
    --------
    >>> between(1, 3).words
    'a number in (1, 3)'
    """
    return Draw(
        lambda: Sampler(
            f"a number in ({low:g}, {high:g})",
            lambda rng: float(rng.uniform(low, high)),
        )
    )


def signs(n: Size) -> Draw:
    """Draw `n` signs, both present.

    Examples
    --------
    >>> signs("n").words
    '$n$ signs, both present'
    """
    return Draw(
        lambda n: Sampler(
            f"{n} signs, both present",
            lambda rng: rng.permutation(
                np.append([1.0, -1.0], rng.choice([-1.0, 1.0], size=n - 2))
            ),
        ),
        (n,),
    )


def integer(low: int, high: int) -> Draw:
    """Draw an integer from `low` to `high`, both included."""
    return Draw(lambda: verify.integer(low, high))


def choice(*values: float) -> Draw:
    """Draw one of `values`."""
    return Draw(lambda: verify.choice(*values))
