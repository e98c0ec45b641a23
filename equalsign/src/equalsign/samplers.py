"""Where the random values of the symbols come from, with sizes that are drawn too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equalsign.tex.arithmetic import Field
from equalsign.tex.evaluate import Position, Subset

Size = int | str


@dataclass(frozen=True)
class Sampler:
    """Where the random values of one symbol come from.

    Parameters
    ----------
    words : str
        What is drawn, in words for the reader.
    draw : callable
        Draws one value from a ``numpy.random.Generator`` and the sizes.
    sizes : tuple of int or str
        The sizes, or the names of the integers, drawn before, that are.
    kind : {"number", "index", "set"}
        What a formula may do with it: an index stands below others.
    whole : int, optional
        How many of the last axes hold shares that sum to one.

    Examples
    --------
    >>> logits(5).words
    '5 logits (normal, sd 2)'
    >>> logits("n").words
    '$n$ logits (normal, sd 2)'
    """

    words: str
    draw: Callable[..., Any]
    sizes: tuple[Size, ...] = ()
    kind: str = "number"
    whole: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols that this one takes a size from."""
        return tuple(s for s in self.sizes if isinstance(s, str))

    def lengths(self, value: Any) -> list[tuple[str, int]]:
        """Read the sizes off a value that was given."""
        shape = np.shape(value)
        pairs = zip(self.sizes, shape, strict=False)
        return [(s, n) for s, n in pairs if isinstance(s, str)]

    def at(self, rng: np.random.Generator, drawn: Mapping[str, Any]) -> Any:
        """Draw one value, given what was drawn before."""
        return self.draw(rng, *self._sizes(drawn))

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


def _shown(size: Size) -> str:
    return f"${size}$" if isinstance(size, str) else str(size)


def _times(shape: Sequence[Size]) -> str:
    return " × ".join(_shown(length) for length in shape)


def logits(n: Size, scale: float = 2.0) -> Sampler:
    """Draw `n` independent normal logits with standard deviation `scale`.

    Examples
    --------
    >>> logits(3).at(np.random.default_rng(0), {}).shape
    (3,)
    """
    return Sampler(
        f"{_shown(n)} logits (normal, sd {scale:g})",
        lambda rng, n: rng.normal(scale=scale, size=n),
        (n,),
    )


def label(n: Size) -> Sampler:
    """Draw a class index from 0 to ``n - 1``.

    Examples
    --------
    >>> label(3).words
    'a label among 3 classes'
    """
    return Sampler(
        f"a label among {_shown(n)} classes",
        lambda rng, n: int(rng.integers(n)),
        (n,),
        "index",
    )


def labels(count: Size, n: Size) -> Sampler:
    """Draw `count` times one of `n` classes.

    Examples
    --------
    >>> labels("N", 4).words
    '$N$ labels among 4 classes'
    """
    return Sampler(
        f"{_shown(count)} labels among {_shown(n)} classes",
        lambda rng, count, n: rng.integers(n, size=count),
        (count, n),
        "index",
    )


def subset(n: Size) -> Sampler:
    """Draw a set of some of `n` classes: each is in it or not, like a coin.

    Examples
    --------
    >>> subset("n").words
    'a set of some of $n$ classes'
    """
    return Sampler(
        f"a set of some of {_shown(n)} classes",
        lambda rng, n: rng.integers(2, size=n).astype(bool),
        (n,),
        "set",
    )


def bits(n: Size) -> Sampler:
    """Draw `n` zeros and ones, each like a coin.

    Examples
    --------
    >>> bits("n").words
    '$n$ zeros and ones'
    """
    return Sampler(
        f"{_shown(n)} zeros and ones",
        lambda rng, n: rng.integers(2, size=n).astype(float),
        (n,),
    )


def distribution(n: Size) -> Sampler:
    """Draw `n` probabilities that sum to one, uniformly on the simplex.

    Examples
    --------
    >>> round(float(distribution(4).at(np.random.default_rng(0), {}).sum()), 12)
    1.0
    """
    return Sampler(
        f"a distribution over {_shown(n)} outcomes",
        lambda rng, n: rng.dirichlet(np.ones(n)),
        (n,),
        whole=1,
    )


def joint(n: Size, m: Size) -> Sampler:
    """Draw an `n` by `m` matrix of probabilities that sums to one.

    Examples
    --------
    >>> joint(2, 3).at(np.random.default_rng(0), {}).shape
    (2, 3)
    """
    return Sampler(
        f"a joint distribution of {_times((n, m))} outcomes",
        lambda rng, n, m: rng.dirichlet(np.ones(n * m)).reshape(n, m),
        (n, m),
        whole=2,
    )


def stochastic(n: Size, m: Size) -> Sampler:
    """Draw an `n` by `m` matrix whose rows are distributions.

    Examples
    --------
    >>> stochastic(2, 3).words
    '2 distributions over 3 outcomes each'
    """
    return Sampler(
        f"{_shown(n)} distributions over {_shown(m)} outcomes each",
        lambda rng, n, m: rng.dirichlet(np.ones(m), size=n),
        (n, m),
        whole=1,
    )


def real(scale: float = 2.0) -> Sampler:
    """Draw a normal number with standard deviation `scale`.

    Examples
    --------
    >>> real(1).words
    'a real number (normal, sd 1)'
    """
    return Sampler(
        f"a real number (normal, sd {scale:g})",
        lambda rng: float(rng.normal(scale=scale)),
    )


def reals(*shape: Size, scale: float = 2.0) -> Sampler:
    """Draw an array of independent normal numbers with standard deviation `scale`.

    Examples
    --------
    >>> reals(2, 3).words
    '2 × 3 real numbers (normal, sd 2)'
    """
    return Sampler(
        f"{_times(shape)} real numbers (normal, sd {scale:g})",
        lambda rng, *shape: rng.normal(scale=scale, size=shape),
        shape,
    )


def positive() -> Sampler:
    """Draw a positive number, log-normal.

    Examples
    --------
    >>> positive().words
    'a positive number (log-normal)'
    """
    return Sampler(
        "a positive number (log-normal)", lambda rng: float(rng.lognormal())
    )


def unit() -> Sampler:
    """Draw a number strictly between 0 and 1, uniformly.

    Examples
    --------
    >>> unit().words
    'a number in (0, 1)'
    """
    return Sampler(
        "a number in (0, 1)", lambda rng: float(rng.uniform(1e-9, 1.0))
    )


def between(low: float, high: float) -> Sampler:
    """Draw a number from `low` to `high`, uniformly.

    Examples
    --------
    >>> between(1, 3).words
    'a number in (1, 3)'
    """
    return Sampler(
        f"a number in ({low:g}, {high:g})",
        lambda rng: float(rng.uniform(low, high)),
    )


def signs(n: Size) -> Sampler:
    """Draw `n` signs, both present.

    Examples
    --------
    >>> signs("n").words
    '$n$ signs, both present'
    """
    return Sampler(
        f"{_shown(n)} signs, both present",
        lambda rng, n: rng.permutation(
            np.append([1.0, -1.0], rng.choice([-1.0, 1.0], size=n - 2))
        ),
        (n,),
    )


def integer(low: int, high: int) -> Sampler:
    """Draw an integer from `low` to `high`, both included.

    Examples
    --------
    >>> integer(1, 6).words
    'an integer from 1 to 6'
    """
    return Sampler(
        f"an integer from {low} to {high}",
        lambda rng: int(rng.integers(low, high + 1)),
    )


def choice(*values: Any) -> Sampler:
    """Draw one of `values`.

    Examples
    --------
    >>> choice(-1, 1).words
    'one of -1, 1'
    """
    words = ", ".join(str(value) for value in values)
    return Sampler(
        f"one of {words}",
        lambda rng: values[int(rng.integers(len(values)))],
    )
