"""Where the random values of the symbols come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sampler:
    """Where the random values of one symbol come from.

    Parameters
    ----------
    words : str
        What is drawn, in words for the reader.
    draw : callable
        Draws one value from a ``numpy.random.Generator``.

    Examples
    --------
    >>> logits(5).words
    '5 logits (normal, sd 2)'
    """

    words: str
    draw: Callable[[np.random.Generator], Any]


def _times(shape: Sequence[int]) -> str:
    return " × ".join(str(length) for length in shape)


def logits(n: int, scale: float = 2.0) -> Sampler:
    """Draw `n` independent normal logits with standard deviation `scale`.

    Examples
    --------
    >>> logits(3).draw(np.random.default_rng(0)).shape
    (3,)
    """
    return Sampler(
        f"{n} logits (normal, sd {scale:g})",
        lambda rng: rng.normal(scale=scale, size=n),
    )


def label(n: int) -> Sampler:
    """Draw a class index from 0 to ``n - 1``.

    Examples
    --------
    >>> label(3).words
    'a label among 3 classes'
    """
    return Sampler(
        f"a label among {n} classes", lambda rng: int(rng.integers(n))
    )


def distribution(n: int) -> Sampler:
    """Draw `n` probabilities that sum to one, uniformly on the simplex.

    Examples
    --------
    >>> round(float(distribution(4).draw(np.random.default_rng(0)).sum()), 12)
    1.0
    """
    return Sampler(
        f"a distribution over {n} outcomes",
        lambda rng: rng.dirichlet(np.ones(n)),
    )


def joint(n: int, m: int) -> Sampler:
    """Draw an `n` by `m` matrix of probabilities that sums to one.

    Examples
    --------
    >>> joint(2, 3).draw(np.random.default_rng(0)).shape
    (2, 3)
    """
    return Sampler(
        f"a joint distribution of {_times((n, m))} outcomes",
        lambda rng: rng.dirichlet(np.ones(n * m)).reshape(n, m),
    )


def stochastic(n: int, m: int) -> Sampler:
    """Draw an `n` by `m` matrix whose rows are distributions.

    Examples
    --------
    >>> stochastic(2, 3).words
    '2 distributions over 3 outcomes each'
    """
    return Sampler(
        f"{n} distributions over {m} outcomes each",
        lambda rng: rng.dirichlet(np.ones(m), size=n),
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


def reals(*shape: int, scale: float = 2.0) -> Sampler:
    """Draw an array of independent normal numbers with standard deviation `scale`.

    Examples
    --------
    >>> reals(2, 3).words
    '2 × 3 real numbers (normal, sd 2)'
    """
    return Sampler(
        f"{_times(shape)} real numbers (normal, sd {scale:g})",
        lambda rng: rng.normal(scale=scale, size=shape),
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
