"""What every check shares: how it fails, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

RECORD_TYPE = "application/vnd.equalsign.check+json"


SEED = 20_250_101


TOLERANCE = 1e-9


DIFFERENCE_TOLERANCE = 1e-5


RATE_TOLERANCE = 0.15


Point = dict[str, Any]


Function = Callable[..., Any]


class CheckFailed(AssertionError):  # noqa: N818
    """A statement of the book is false, or its check would not show that it is true."""


@contextmanager
def about(statement: str) -> Iterator[None]:
    """Let every failure begin with the statement that failed."""
    try:
        yield
    except CheckFailed as failure:
        raise CheckFailed(f"{statement}: {failure}") from failure.__cause__
