"""Numbers in double precision, in multiprecision, and with a slope.

An array has the points along its first axis (of length 1 if it is the same at all points) and its
own axes after. Its entries are float64, or mpmath numbers of :data:`DIGITS` digits. A
:class:`Dual` is an array together with its slope along a direction: forward differentiation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import mpmath
import numpy as np
import scipy.special

__all__ = [
    "DIGITS",
    "DOUBLE",
    "MULTI",
    "Dual",
    "Field",
    "absolute",
    "contract",
    "divide",
    "linear",
    "maximum",
    "minimum",
    "plain",
    "power",
    "rank",
    "stack",
    "total",
    "unary",
    "where",
]

DIGITS = 50
MP = mpmath.MPContext()
MP.dps = DIGITS


class Field:
    """A kind of numbers: how constants are made."""

    def __init__(self, digits: int) -> None:
        self.digits = digits
        self.exact = digits > 16

    def number(self, value: Any) -> np.ndarray:
        """Make an array of one point from a number or the text of one."""
        return self.array(np.array([value], dtype=object))

    def array(self, values: Any) -> np.ndarray:
        """Make an array, entry by entry."""
        if not self.exact:
            return np.asarray(values, dtype=np.float64)
        return np.asarray(_to_mp(np.asarray(values, dtype=object)))

    def constant(self, name: str) -> np.ndarray:
        """Give π or e."""
        if not self.exact:
            return np.array([getattr(math, name)])
        return self.number(+getattr(MP, name))

    def flags(self, mask: np.ndarray) -> np.ndarray:
        """Give 1 where `mask` holds, else 0."""
        return self.array(mask.astype(int))


_to_mp = np.frompyfunc(MP.mpf, 1, 1)
DOUBLE = Field(16)
MULTI = Field(DIGITS)


# --- Slopes -----------------------------------------------------------------------------------


class Dual:
    """A value and its slope; `level` tells nested directions apart."""

    __array_ufunc__ = None  # NumPy leaves mixed operations to this class

    def __init__(self, level: int, value: Any, slope: Any) -> None:
        self.level, self.value, self.slope = level, value, slope

    @property
    def shape(self) -> Any:
        """The length of every axis."""
        return self.value.shape

    @property
    def ndim(self) -> Any:
        """The number of axes."""
        return self.value.ndim

    def __getitem__(self, key: Any) -> Any:
        return linear(lambda x: x[key], self)

    def __neg__(self) -> Any:
        return linear(lambda x: -x, self)

    def __add__(self, other: Any) -> Any:
        return linear(lambda x, y: x + y, self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return linear(lambda x, y: x - y, self, other)

    def __rsub__(self, other: Any) -> Any:
        return linear(lambda x, y: x - y, other, self)

    def __mul__(self, other: Any) -> Any:
        return _through(
            lambda x, y: x * y, self, other, lambda x, y, _: (y, x)
        )

    __rmul__ = __mul__


def linear(function: Callable[..., Any], *arrays: Any) -> Any:
    """Apply a function that is linear in `arrays` to values and slopes alike."""
    level = max((a.level for a in arrays if isinstance(a, Dual)), default=0)
    if not level:
        return function(*arrays)
    parts = [_parts(array, level) for array in arrays]
    values = [value for value, _ in parts]
    slopes = [
        _zeros(value) if slope is None else slope for value, slope in parts
    ]
    return Dual(level, linear(function, *values), linear(function, *slopes))


def _parts(array: Any, level: int) -> tuple[Any, Any]:
    if isinstance(array, Dual) and array.level == level:
        return array.value, array.slope
    return array, None


def _zeros(array: Any) -> Any:
    if isinstance(array, Dual):
        return linear(_zeros, array)
    if isinstance(array, int):
        return 0
    zeros = np.zeros_like(array)
    return zeros if array.dtype != object else MULTI.array(zeros)


def _through(
    function: Callable[..., Any],
    a: Any,
    b: Any,
    partials: Callable[[Any, Any, Any], tuple[Any, Any]],
) -> Any:
    """Apply a function of two arrays, with its partial derivatives."""
    level = max(
        a.level if isinstance(a, Dual) else 0, getattr(b, "level", 0)
    )
    if not level:
        return function(a, b)
    (x, dx), (y, dy) = _parts(a, level), _parts(b, level)
    value = _through(function, x, y, partials)
    by_x, by_y = partials(x, y, value)
    slopes = [
        d * by() if callable(by) else d * by
        for d, by in ((dx, by_x), (dy, by_y))
        if d is not None
    ]
    return Dual(
        level,
        value,
        slopes[0] if len(slopes) == 1 else slopes[0] + slopes[1],
    )


def plain(array: Any) -> Any:
    """Give the value without its slopes."""
    while isinstance(array, Dual):
        array = array.value
    return array


# --- Functions --------------------------------------------------------------------------------


def _boxed(function: Callable[..., Any], arguments: int = 1) -> Any:
    """Let a multiprecision function run over arrays: nan where it has no real value."""

    def real(*values: Any) -> Any:
        try:
            result = function(*values)
        except (ValueError, ZeroDivisionError, OverflowError):
            return MP.nan
        return MP.nan if isinstance(result, MP.mpc) else result

    return np.frompyfunc(real, arguments, 1)


def _quotient(a: Any, b: Any) -> Any:
    if b:
        return a / b
    return MP.nan if not a or MP.isnan(a) else MP.sign(a) * MP.inf


def _power(a: Any, b: Any) -> Any:
    if not a and b < 0:
        return MP.inf
    return MP.power(a, b)


_BOTH: dict[str, tuple[Any, Any]] = {
    "exp": (np.exp, MP.exp),
    "log": (np.log, MP.log),
    "sqrt": (np.sqrt, MP.sqrt),
    "sin": (np.sin, MP.sin),
    "cos": (np.cos, MP.cos),
    "tan": (np.tan, MP.tan),
    "arcsin": (np.arcsin, MP.asin),
    "arccos": (np.arccos, MP.acos),
    "arctan": (np.arctan, MP.atan),
    "sinh": (np.sinh, MP.sinh),
    "cosh": (np.cosh, MP.cosh),
    "tanh": (np.tanh, MP.tanh),
    "arsinh": (np.arcsinh, MP.asinh),
    "arcosh": (np.arccosh, MP.acosh),
    "artanh": (np.arctanh, MP.atanh),
    "erf": (scipy.special.erf, MP.erf),
    "erfc": (scipy.special.erfc, MP.erfc),
    "gamma": (scipy.special.gamma, MP.gamma),
    "digamma": (scipy.special.digamma, MP.digamma),
    "sign": (np.sign, MP.sign),
    "absolute": (np.abs, abs),
    "floor": (np.floor, MP.floor),
    "ceil": (np.ceil, MP.ceil),
}
_FUNCTIONS = {
    name: (double, _boxed(multi)) for name, (double, multi) in _BOTH.items()
}
_divide = _boxed(_quotient, 2)
_raise = _boxed(_power, 2)


def _one(x: Any) -> Any:
    return _zeros(x) + 1


# The slope of each function, from its argument and its value.
_SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "exp": lambda x, y: y,
    "log": lambda x, y: divide(_one(x), x),
    "sqrt": lambda x, y: divide(_one(x), y + y),
    "sin": lambda x, y: unary("cos", x),
    "cos": lambda x, y: -unary("sin", x),
    "tan": lambda x, y: y * y + 1,
    "arcsin": lambda x, y: divide(_one(x), unary("sqrt", 1 - x * x)),
    "arccos": lambda x, y: -divide(_one(x), unary("sqrt", 1 - x * x)),
    "arctan": lambda x, y: divide(_one(x), x * x + 1),
    "sinh": lambda x, y: unary("cosh", x),
    "cosh": lambda x, y: unary("sinh", x),
    "tanh": lambda x, y: 1 - y * y,
    "arsinh": lambda x, y: divide(_one(x), unary("sqrt", x * x + 1)),
    "arcosh": lambda x, y: divide(_one(x), unary("sqrt", x * x - 1)),
    "artanh": lambda x, y: divide(_one(x), 1 - x * x),
    "erf": lambda x, y: _bell(x),
    "erfc": lambda x, y: -_bell(x),
    "gamma": lambda x, y: y * unary("digamma", x),
    "digamma": lambda x, y: unary(_polygamma(1), x),
    "sign": lambda x, y: _zeros(x),
    "absolute": lambda x, y: unary("sign", x),
    "floor": lambda x, y: _zeros(x),
    "ceil": lambda x, y: _zeros(x),
}


def _polygamma(order: int) -> str:
    """Give the name of a derivative of digamma, which is known from then on."""
    name = f"polygamma {order}"
    if name not in _FUNCTIONS:
        _FUNCTIONS[name] = (
            partial(scipy.special.polygamma, order),
            _boxed(partial(MP.psi, order)),
        )
        _SLOPES[name] = lambda x, y: unary(_polygamma(order + 1), x)
    return name


def _bell(x: Any) -> Any:
    field = MULTI if plain(x).dtype == object else DOUBLE
    root = unary("sqrt", field.constant("pi"))
    return unary("exp", -(x * x)) * (2 / root)


def unary(name: str, x: Any) -> Any:
    """Apply a function of one number to every entry.

    Examples
    --------
    >>> unary("exp", np.array([0.0]))
    array([1.])
    """
    if isinstance(x, Dual):
        value = unary(name, x.value)
        return Dual(x.level, value, x.slope * _SLOPES[name](x.value, value))
    double, multi = _FUNCTIONS[name]
    return multi(x) if x.dtype == object else double(x)


def absolute(x: Any) -> Any:
    """Give the size of every entry."""
    return unary("absolute", x)


def divide(a: Any, b: Any) -> Any:
    """Divide; a number by 0 is infinite, 0 by 0 is nan."""
    return _through(
        lambda x, y: x / y if x.dtype != object else _divide(x, y),
        a,
        b,
        lambda x, y, value: (
            lambda: divide(_one(y), y),
            lambda: -divide(value, y),
        ),
    )


def power(a: Any, b: Any) -> Any:
    """Raise to a power."""
    return _through(
        lambda x, y: x**y if x.dtype != object else _raise(x, y),
        a,
        b,
        lambda x, y, value: (
            lambda: y * power(x, y - 1),
            lambda: value * unary("log", x),
        ),
    )


def where(mask: np.ndarray, a: Any, b: Any) -> Any:
    """Choose between two arrays, entry by entry."""
    return linear(lambda x, y: np.where(mask, x, y), a, b)


def maximum(a: Any, b: Any) -> Any:
    """Give the larger of two, entry by entry."""
    x, y = plain(a), plain(b)
    return where(((x >= y) | (x != x)).astype(bool), a, b)


def minimum(a: Any, b: Any) -> Any:
    """Give the smaller of two, entry by entry."""
    x, y = plain(a), plain(b)
    return where(((x <= y) | (x != x)).astype(bool), a, b)


def rank(array: Any) -> int:
    """Count the axes beside that of the points."""
    return int(array.ndim) - 1


def total(array: Any, axis: int) -> Any:
    """Add up along an axis."""
    return linear(lambda x: x.sum(axis=axis), array)


def contract(a: Any, b: Any) -> Any:
    """Sum products over the last axis of `a` and the first own axis of `b`."""
    left = linear(lambda x: x[(..., *[None] * (rank(b) - 1))], a)
    right = linear(lambda x: x[(slice(None), *[None] * (rank(a) - 1))], b)
    return total(left * right, rank(a))


def stack(arrays: Sequence[Any]) -> Any:
    """Join arrays along a new first own axis."""
    points = max(array.shape[0] for array in arrays)
    own = arrays[0].shape[1:]

    def join(*parts: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.broadcast_to(part, (points, *own)) for part in parts],
            axis=1,
        )

    return linear(join, *arrays)
