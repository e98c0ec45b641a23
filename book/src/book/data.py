"""Tables that packages ship, read without importing the package, which takes longer.

Usage: ``from book.data import handwritten_digits, shipped``.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np


def shipped(package: str, file: str, skip: int = 0) -> np.ndarray[Any, Any]:
    """Read a table of numbers from the folder ``datasets`` of an installed package.

    Parameters
    ----------
    package : str
        The package.
    file : str
        The file in that folder: numbers with commas between, may be packed.
    skip : int
        How many lines stand above the numbers.

    Returns
    -------
    array
        The numbers, shape (rows, columns), float64; nan where there is none.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.

    Examples
    --------
    >>> shipped("sklearn", "data/digits.csv.gz").shape
    (1797, 65)
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"package must be installed: {package!r}")
    folder = Path(found.origin).parent / "datasets"
    return np.genfromtxt(folder / file, delimiter=",", skip_header=skip)


@cache
def handwritten_digits() -> tuple[
    np.ndarray[Any, Any], np.ndarray[Any, Any]
]:
    """Give the handwritten digits that scikit-learn ships, as its ``load_digits`` does.

    Returns
    -------
    images : array
        Shape (1797, 64): 8 by 8 pixels from 0 to 1 (scikit-learn: to 16), float64.
    kinds : array
        Shape (1797,): which digit each is, int64.

    Both are the same arrays at each call, and cannot be written to.

    Examples
    --------
    >>> images, kinds = handwritten_digits()
    >>> images.shape, images.max(), kinds[:3]
    ((1797, 64), np.float64(1.0), array([0, 1, 2]))
    """
    table = shipped("sklearn", "data/digits.csv.gz")
    images, kinds = table[:, :-1] / 16, table[:, -1].astype(np.int64)
    images.flags.writeable = kinds.flags.writeable = False
    return images, kinds
