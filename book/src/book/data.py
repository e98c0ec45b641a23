"""Tables that packages ship, read without importing the package, which takes longer.

Usage: ``from book.data import shipped``.
"""

from __future__ import annotations

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
