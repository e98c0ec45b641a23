"""Every public function of losslib: what it takes, what it is, and what is claimed of it.

An entry is data: the tests run every check over all entries, and a page prints what is claimed. To
add a loss is to add its entry; a loss without one fails the tests. Nothing here computes with
losslib: `Entry.exact` is the definition, for one sample, on numbers of mpmath.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial, wraps
from itertools import product
from typing import Any, Literal

import mpmath
import numpy as np
from mpmath import (
    acos,
    cos,
    exp,
    expm1,
    fsum,
    log,
    log1p,
    loggamma,
    mpf,
    pi,
    sqrt,
    workdps,
)

Kind = Literal["loss", "penalty", "link", "measure", "reduction", "weight"]
Shape = tuple[int, ...]

# --- What an argument may hold ----------------------------------------------------------------

FLOATING = "real floating"
REAL = "real"  # labels that are multiplied with: any real dtype
CLASSES = "class indices"
SIZES = [1e-30, 1e-8, 0.3, 1.0, 40.0, 1e4, 1e30]


@dataclass(frozen=True)
class Domain:
    """A set of numbers: its name, how to draw from it, and its extreme members."""

    name: str
    draw: Callable[[np.random.Generator, Shape, int, float], np.ndarray]
    extremes: tuple[float, ...] = ()
    dtype: str = FLOATING


def class_axis(shape: Shape) -> int:
    """Return the axis of the classes of ``(C,)`` or ``(N, C, d1, …)``."""
    return min(1, len(shape) - 1)


def _log_p(
    rng: np.random.Generator,
    shape: Shape,
    n: int,
    size: float,
    axis: int | None = None,
) -> np.ndarray:
    axis = class_axis(shape) if axis is None else axis
    z = size * rng.normal(size=shape)
    z -= z.max(axis=axis, keepdims=True, initial=-np.inf)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def _label_lists(
    rng: np.random.Generator, shape: Shape, n: int, size: float
) -> np.ndarray:
    """Return labels in front, and -1 behind the last; what follows that is no label."""
    rows = np.argsort(rng.random((*shape[:-1], n)), axis=-1)
    end = rng.integers(n + 1, size=shape[:-1])[..., None]
    return np.where(np.arange(n) == end, -1, rows)


def _precisions(
    rng: np.random.Generator, shape: Shape, n: int, size: float
) -> np.ndarray:
    """Return positive definite matrices."""
    root = rng.normal(size=shape)
    return root @ np.swapaxes(root, -2, -1) + 0.1 * np.eye(shape[-1])


REALS = Domain(
    "real numbers",
    lambda rng, shape, n, size: size * rng.normal(size=shape),
    (0.0, *SIZES, *(-x for x in SIZES)),
)
UNIT = Domain(
    "[0, 1]",
    lambda rng, shape, n, size: rng.random(shape) ** max(size / 2, 1),
    (0.0, 1e-300, 1e-30, 1e-8, 0.25, 1 - 2**-20, 1.0),
)
INSIDE = Domain(
    "(0, 1)",
    lambda rng, shape, n, size: 1e-4 + 0.9998 * rng.random(shape),
    (1e-30, 1e-8, 0.25, 1 - 2**-20),
)
POSITIVE = Domain(
    "positive numbers",
    lambda rng, shape, n, size: 0.1 + size * np.abs(rng.normal(size=shape)),
    (*SIZES,),
)
DISTANCES = Domain("[0, ∞)", POSITIVE.draw, (0.0, *SIZES))
VARIANCES = Domain(
    "[0, ∞)",
    lambda rng, shape, n, size: np.exp(
        -size * np.abs(rng.normal(size=shape))
    ),
    DISTANCES.extremes,
)
LOG_P = Domain(
    "logarithms of distributions", _log_p, (-0.0, *(-x for x in SIZES))
)
DISTRIBUTIONS = Domain(
    "distributions",
    lambda rng, shape, n, size: np.exp(_log_p(rng, shape, n, size)),
)
FRACTIONS = Domain(
    "[0, 1]",
    lambda rng, shape, n, size: np.clip(
        rng.uniform(-0.25, 1.25, shape), 0.0, 1.0
    ),
    (0.0, 0.25, 1.0),
    REAL,
)
BITS = Domain(
    "0 or 1",
    lambda rng, shape, n, size: 1.0 * rng.integers(2, size=shape),
    (0.0, 1.0),
    REAL,
)
SIGNS = Domain(
    "-1 or 1",
    lambda rng, shape, n, size: rng.choice([-1.0, 1.0], size=shape),
    (-1.0, 1.0),
    REAL,
)
COUNTS = Domain(
    "0, 1, 2, …",
    lambda rng, shape, n, size: 1.0 * rng.integers(9, size=shape),
    (0.0, 1.0, 7.0, 1e4),
    REAL,
)
FEW = Domain(COUNTS.name, COUNTS.draw, (0.0, 1.0, 7.0), REAL)
AMOUNTS = Domain("[0, ∞)", POSITIVE.draw, DISTANCES.extremes, REAL)
GRADES = Domain(
    "grades 0, 1, 2, …",
    lambda rng, shape, n, size: np.floor(2 * size * rng.random(shape)),
    (0.0, 1.0, 4.0, 30.0),
    REAL,
)
CUTS = Domain(
    "increasing numbers",
    lambda rng, shape, n, size: (
        np.cumsum(0.1 + np.abs(size * rng.normal(size=shape)), axis=-1)
        - size * shape[-1] / 2
    ),
)
TALLIES = Domain(
    "1, 2, 3, …",
    lambda rng, shape, n, size: np.ceil(
        np.exp(size * np.abs(rng.normal(size=shape)))
    ),
    (1.0, 7.0, 1e4, 1e9),
    REAL,
)
TAGS = Domain(
    "labels",
    lambda rng, shape, n, size: 1.0 * rng.integers(3, size=shape),
    (0.0, 1.0, 7.0),
    REAL,
)
CLASS = Domain(
    "classes",
    lambda rng, shape, n, size: rng.integers(n, size=shape),
    dtype=CLASSES,
)
LABEL = Domain(
    "classes other than the blank",
    lambda rng, shape, n, size: 1 + rng.integers(n - 1, size=shape),
    dtype=CLASSES,
)
LABEL_LISTS = Domain("lists of classes", _label_lists, dtype=CLASSES)
SYMBOLS = Domain(
    "three symbols",
    lambda rng, shape, n, size: 1.0 * rng.integers(3, size=shape),
    (0.0, 1.0, 1e30),
    REAL,
)
PRECISIONS = Domain("inverse covariances", _precisions)

# --- The shape of an argument -----------------------------------------------------------------


def full(shape: Shape) -> Shape:
    """Return the shape of the first argument."""
    return shape


def per_sample(shape: Shape) -> Shape:
    """Return a shape without its axis of classes."""
    axis = class_axis(shape)
    return shape[:axis] + shape[axis + 1 :]


def per_class(shape: Shape) -> Shape:
    """Return the shape of one number per class."""
    return (shape[class_axis(shape)],)


def per_row(shape: Shape) -> Shape:
    """Return a shape without its last axis."""
    return shape[:-1]


def last(shape: Shape) -> Shape:
    """Return the last axis alone."""
    return shape[-1:]


def square(shape: Shape) -> Shape:
    """Return the last axis twice."""
    return shape[-1:] * 2


@dataclass(frozen=True)
class Argument:
    """An array: what it may hold, its shape by that of the first, and its axis of samples."""

    domain: Domain
    shape: Callable[[Shape], Shape] = full
    axis: int | None = 0
    or_number: bool = False  # a number may stand for it


@dataclass(frozen=True)
class Form:
    """What several losses take in common; the first shape is the usual one."""

    arguments: Mapping[str, Argument]
    shapes: tuple[Shape, ...] = ((4, 3), (2, 3, 2), (3,), (0, 3))
    refused: tuple[Shape, ...] = ()  # shapes with too few or too many axes
    inner: int = 1  # the axes of one sample of the first argument; 0: one loss per element
    broadcasts: bool = False  # whether the axes before the last do
    n: Callable[[Shape], int] = lambda shape: (
        shape[class_axis(shape)] if shape else 1
    )


FAR = Domain(
    REALS.name,
    REALS.draw,
    tuple(x for x in REALS.extremes if abs(x) < 1e16),
)
UNSCALED = Domain(REALS.name, REALS.draw)
PER_CLASS = Argument(POSITIVE, per_class, None)
PER_SAMPLE = Argument(POSITIVE, per_sample)
PER_ELEMENT = Argument(POSITIVE)
KEPT = Argument(
    Domain(
        "True or False",
        lambda rng, shape, n, size: rng.random(shape) < 0.7,
        dtype="bool",
    )
)
WEIGHTED: Mapping[str, Argument] = {
    "weight": PER_CLASS,
    "sample_weight": PER_SAMPLE,
}
MASKED: Mapping[str, Argument] = {"weight": PER_ELEMENT, "mask": KEPT}
TABLES = ((4, 3), (3,), (0, 3))
SCALARS = ((4, 3), (2, 3, 2), (), (0, 3))


def _elements(
    of: Domain, target: Domain, shapes: tuple[Shape, ...] = SCALARS
) -> Form:
    arguments = {"input": Argument(of), "target": Argument(target)}
    return Form(arguments, shapes, inner=0)


def _rows(target: Domain, refused: tuple[Shape, ...] = ((),)) -> Form:
    arguments = {"input": Argument(REALS), "target": Argument(target)}
    return Form(arguments, ((4, 3), (2, 4, 3), (3,), (0, 3)), refused)


def _classified(of: Domain = REALS) -> Form:
    return Form(
        {"input": Argument(of), "target": Argument(CLASS, per_sample)},
        refused=((),),
    )


OF_CLASSES = _classified()
OF_TABLES = Form(OF_CLASSES.arguments, TABLES, ((4, 3, 2),))
OF_LISTS = Form(
    {"input": Argument(REALS), "target": Argument(LABEL_LISTS)},
    TABLES,
    ((4, 3, 2),),
)
OF_ANGLES = Form(
    {
        "input": Argument(REALS),
        "target": Argument(CLASS, per_row),
        "weight": Argument(UNSCALED, lambda shape: (3, shape[-1]), None),
    },
    ((5, 4), (4,), (0, 4)),
    ((), (2, 3, 4)),
    n=lambda shape: 3,
)
OF_TRIPLETS = Form(
    {x: Argument(FAR) for x in ("anchor", "positive", "negative")},
    ((4, 3), (3,), (0, 3)),
    ((),),
)
OF_PAIRS = Form(
    {
        "input1": Argument(REALS),
        "input2": Argument(REALS),
        "target": Argument(SIGNS, per_row),
    },
    ((4, 3), (3,), (0, 3)),
    ((), (4, 3, 2)),
)


def _vectors(of: Domain = REALS, **more: Argument) -> Form:
    return Form(
        {"u": Argument(of), "v": Argument(of), **more},
        ((4, 3), (2, 4, 3), (3,), (0, 3)),
        ((),),
        n=lambda shape: shape[-1],
        broadcasts=True,
    )


OF_GRADES = Form(
    {"input": Argument(REALS), "target": Argument(GRADES)},
    ((4, 3), (2, 4, 3), (3,), (0, 3)),
    ((),),
)
OF_LAYERS = Form(  # shape (N, F): five classes
    {
        "input": Argument(REALS),
        "linear_weight": Argument(
            UNSCALED,
            lambda shape: (5, shape[-1]),
            None,
        ),
        "target": Argument(CLASS, per_row),
    },
    ((4, 3), (3,), (0, 3)),
    ((), (2, 3, 4)),
    n=lambda shape: 5,
)
OF_STRINGS = Form(  # shape (T, N, C): strings of three labels or fewer
    {
        "log_probs": Argument(
            Domain(LOG_P.name, partial(_log_p, axis=-1)), axis=1
        ),
        "targets": Argument(LABEL, lambda shape: (shape[1], 3)),
        "input_lengths": Argument(
            Domain(
                "lengths",
                lambda rng, shape, n, size: (
                    np.full(shape, 5) - np.arange(*shape) % 2
                ),
                dtype=CLASSES,
            ),
            lambda shape: shape[1:2],
        ),
        "target_lengths": Argument(
            Domain(
                "lengths",
                lambda rng, shape, n, size: (
                    np.full(shape, 3) - np.arange(*shape) % 2
                ),
                dtype=CLASSES,
            ),
            lambda shape: shape[1:2],
        ),
    },
    ((5, 2, 4), (5, 1, 3), (5, 0, 4)),
    ((), (5,), (5, 2, 4, 1)),
    n=lambda shape: shape[-1],
)


OF_LINES = Form(
    {"u_values": Argument(REALS), "v_values": Argument(REALS)},
    ((4, 3), (3,)),
)
OF_LINE_WEIGHTS: Mapping[str, Argument] = {
    "u_weights": PER_ELEMENT,
    "v_weights": PER_ELEMENT,
}
BAD_WEIGHTS = (
    (
        {"u_weights": -np.ones((4, 3))},
        r"u_weights must not be negative, got -1.0 at position \(0, 0\)",
    ),
    (
        {"v_weights": np.zeros((4, 3))},
        "v_weights must have a sum above 0 and finite, got 0.0",
    ),
)
OF_POINTS = Form(
    {"x": Argument(REALS), "y": Argument(REALS)},
    ((3, 4, 2), (4, 2)),
    inner=2,
)
COSTS = Domain(  # near enough for the steps to come to their end
    "costs",
    lambda rng, shape, n, size: size * (1 + 0.02 * rng.random(shape)),
)
SHARES: Mapping[str, Argument] = {
    "a": Argument(DISTRIBUTIONS, per_row),
    "b": Argument(DISTRIBUTIONS, lambda shape: (*shape[:-2], shape[-1])),
}


def _of_costs(*names: str) -> Form:
    return Form(
        {name: Argument(COSTS) for name in names},
        ((3, 2, 2), (2, 2)),
        inner=2,
    )


OF_VIEWS = Form(  # shape (B, N, D): batches of N vectors, each with a loss
    {"input1": Argument(REALS), "input2": Argument(REALS)},
    ((2, 4, 3), (4, 3), (0, 4, 3)),
    ((), (3,), (2, 2, 4, 3)),
    inner=2,
)
OF_LABELLED = Form(
    {
        "input": Argument(REALS),
        "target": Argument(TAGS, per_row),
    },
    ((2, 5, 3), (5, 3), (0, 5, 3)),
    ((), (3,), (2, 2, 5, 3)),
    inner=2,
)
OF_SQUARES = Form(  # shape (B, N, N): scores of N queries and N keys
    {"input": Argument(REALS)},
    ((2, 3, 3), (4, 4), (0, 3, 3)),
    ((), (3,), (2, 3), (2, 2, 3, 3)),
    inner=2,
    n=lambda shape: shape[-1],
)


def _one(name: str, domain: Domain, *shapes: Shape) -> Form:
    return Form(
        {name: Argument(domain)}, shapes or SCALARS, inner=int(bool(shapes))
    )


# --- Entries ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A public function: what it takes, its definition, and what is true of it.

    Attributes
    ----------
    name, kind, form
        Its name in losslib, what it is, and its required arrays.
    optional : mapping
        The arrays it can do without.
    options : tuple
        Options under which it is tried; without any first of all.
    exact : callable
        The definition for one sample, by the required arrays and the options, on numbers of mpmath.
    slack : float
        How much of the largest argument may be lost to rounding, besides 1e-14 of the result.
    bad : tuple
        What is refused, and the words of the message.
    convex : tuple
        Arguments in which together it is convex; empty if it is not convex in the first.
    bounds : tuple
        Infimum and supremum of the loss of one sample, as expressions in n, the number of classes;
        None where neither is stated.
    lipschitz : str
        The Lipschitz constant of the loss of one sample in the first argument, in the maximum norm
        (the largest sum of the sizes of its slopes): "oo" if there is none, "" if none is stated.
    scores : callable
        The first argument that says a distribution (or the probability of a 1).
    proper : bool
        Whether the expected loss is least at those scores alone; None where there are none.
    torch : str
        Its counterpart in PyTorch, if it has one.
    metric : bool
        Whether it is a metric of its first two arguments: symmetric, 0 between a vector and itself
        alone, and no detour is shorter. None where it is no distance.
    part : str
        Which of the arrays that it returns, by name, is tried; "" if it returns one.
    """

    name: str
    form: Form
    kind: Kind = "loss"
    optional: Mapping[str, Argument] = field(default_factory=dict)
    options: tuple[Mapping[str, Any], ...] = ()
    exact: Callable[..., Any] | None = None
    slack: float = 0.0
    bad: tuple[tuple[Mapping[str, Any], str], ...] = ()
    convex: tuple[str, ...] = ()
    bounds: tuple[str, str] | None = ("0", "oo")
    lipschitz: str = ""
    scores: Callable[[np.ndarray], np.ndarray] | None = None
    proper: bool | None = None
    torch: str = ""
    metric: bool | None = None
    part: str = ""

    @property
    def ours(self) -> Callable[..., Any]:
        """The function itself, or the part that is tried of what it returns."""
        function = getattr(importlib.import_module("losslib"), self.name)
        if not self.part:
            return function

        @wraps(function)
        def part_of_it(*args: Any, **options: Any) -> Any:
            return getattr(function(*args, **options), self.part)

        return part_of_it

    @property
    def theirs(self) -> Callable[..., Any]:
        """PyTorch's function."""
        home, _, name = self.torch.rpartition(".")
        return getattr(importlib.import_module(home), name)

    @property
    def module(self) -> str:
        """The module of losslib that has it."""
        return self.ours.__module__.rpartition(".")[2]

    @property
    def first(self) -> str:
        """The name of the first argument."""
        return next(iter(self.form.arguments))

    @property
    def arguments(self) -> dict[str, Argument]:
        """All arrays, the required ones first."""
        return {**self.form.arguments, **self.optional}

    @property
    def each(self) -> bool:
        """Whether there is one loss per element, whatever the shape."""
        return self.form.inner == 0

    @property
    def n_classes(self) -> int:
        """The number of classes of the usual arrays."""
        return self.form.n(self.form.shapes[0])

    @property
    def tried(self) -> tuple[Mapping[str, Any], ...]:
        """Every set of options under which it is tried."""
        return ({}, *self.options)

    def takes(self, option: str) -> bool:
        """Tell whether the function has a parameter of that name."""
        return option in inspect.signature(self.ours).parameters

    def draw(
        self,
        seed: int = 7,
        shape: Shape | None = None,
        size: float = 2.0,
        *,
        extreme: bool = False,
    ) -> dict[str, np.ndarray]:
        """Return good arrays of a shape of the first, ordinary ones or extreme ones."""
        shape = self.form.shapes[0] if shape is None else shape
        rng, n = np.random.default_rng(seed), self.form.n(shape)
        found = {}
        for name, argument in self.arguments.items():
            of, where = argument.domain, argument.shape(shape)
            found[name] = np.asarray(
                rng.choice(of.extremes, size=where)
                if extreme and of.extremes
                else of.draw(rng, where, n, size)
            )
        return found

    @cached_property
    def all(self) -> dict[str, np.ndarray]:
        """Every array, of the usual shape."""
        return self.draw()

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The required arrays, of the usual shape."""
        return {key: self.all[key] for key in self.form.arguments}

    def samples(
        self, arrays: Mapping[str, np.ndarray], shape: Shape | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the required arrays of each sample, as lists of numbers."""
        shape = self.form.shapes[0] if shape is None else shape
        of_classes = any(
            x.shape is per_sample for x in self.form.arguments.values()
        )
        inner, columns = self.form.inner, []
        for name, argument in self.form.arguments.items():
            x = arrays[name]
            if argument.shape is full:
                if of_classes:
                    x = np.moveaxis(x, class_axis(shape), -1)
                elif argument.axis:
                    x = np.moveaxis(x, argument.axis, 0)
                if not argument.axis:
                    x = x.reshape(-1, *x.shape[x.ndim - inner :])
            elif argument.shape in (per_sample, per_row):
                x = x.reshape(-1, *x.shape[x.ndim + 1 - max(inner, 1) :])
            columns.append(None if argument.axis is None else x.tolist())
        n = len(columns[0])
        return list(
            zip(
                *(
                    [arrays[name].tolist()] * n if c is None else c
                    for name, c in zip(
                        self.form.arguments, columns, strict=True
                    )
                ),
                strict=True,
            )
        )

    def exactly(
        self,
        arrays: Mapping[str, np.ndarray],
        shape: Shape | None = None,
        **options: Any,
    ) -> np.ndarray:
        """Return what the definition gives for each sample, to the last digit of float64."""
        assert self.exact is not None
        with workdps(400):
            found = [
                self.exact(*map(_precisely, sample), **options)
                for sample in self.samples(arrays, shape)
            ]
            return np.array(
                [
                    list(map(float, x)) if isinstance(x, list) else float(x)
                    for x in found
                ]
            )

    def of_dtype(self, dtype: str) -> list[str]:
        """Return the arguments that hold numbers of a kind."""
        return [
            k for k, x in self.arguments.items() if x.domain.dtype == dtype
        ]


# --- Definitions, for one sample --------------------------------------------------------------


def _precisely(x: Any) -> Any:
    if isinstance(x, list):
        return [_precisely(a) for a in x]
    return x if isinstance(x, int) else mpf(x)


def _hinge(x: Any) -> Any:
    return max(x, mpf(0))


def _dot(x: Any, y: Any) -> Any:
    return fsum(a * b for a, b in zip(x, y, strict=True))


def _norm(x: Any, p: float = 2) -> Any:
    if p == np.inf:
        return max(map(abs, x))
    return fsum(abs(a) ** p for a in x) ** (1 / mpf(p))


def _softplus(x: Any) -> Any:
    return _hinge(x) + log1p(exp(-abs(x)))


def _lse(z: Any) -> Any:
    top = max(z)
    return top + log(fsum(exp(x - top) for x in z))


def _surprise(z: Any, t: int) -> Any:
    """Minus the log-probability of a class."""
    below = [x - z[t] for k, x in enumerate(z) if k != t]
    if not below:
        return mpf(0)
    top = _hinge(max(below))
    rest = fsum(exp(x - top) for x in below)
    return top + log1p(rest + expm1(-top))


def _softmax(z: Any) -> Any:
    return [exp(-_surprise(z, k)) for k in range(len(z))]


def _sigmoid(x: Any) -> Any:
    return exp(-_softplus(-x))


def _xlogy(x: Any, y: Any) -> Any:
    if not x:
        return mpf(0)
    return x * log(y) if y else mpf("-inf")


def _entropy(p: Any) -> Any:
    return -fsum(_xlogy(x, x) for x in p)


def _kl(p: Any, q: Any) -> Any:
    return fsum(
        _xlogy(x, x) - _xlogy(x, y) for x, y in zip(p, q, strict=True)
    )


def _mixed(p: Any, q: Any) -> Any:
    m = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return (_kl(p, m) + _kl(q, m)) / 2


def _roots_apart(p: Any, q: Any) -> Any:
    """Half the squared distance of the roots."""
    return (
        fsum((sqrt(x) - sqrt(y)) ** 2 for x, y in zip(p, q, strict=True))
        / 2
    )


def _renyi(p: Any, q: Any, order: float = 2.0) -> Any:
    if order == 1:
        return _kl(p, q)
    if order == np.inf:
        return log(max(x / y for x, y in zip(p, q, strict=True)))
    a = mpf(order)
    mass = fsum(x**a * y ** (1 - a) for x, y in zip(p, q, strict=True))
    return log(mass) / (a - 1)


def _generated(p: Any, q: Any, generator: str = "kl") -> Any:
    def f(u: Any) -> Any:
        return {
            "kl": lambda: u * log(u),
            "reverse_kl": lambda: -log(u),
            "jensen_shannon": lambda: (
                (u * log(u) - (u + 1) * log((u + 1) / 2)) / 2
            ),
            "squared_hellinger": lambda: (sqrt(u) - 1) ** 2 / 2,
            "total_variation": lambda: abs(u - 1) / 2,
            "chi_squared": lambda: (u - 1) ** 2,
            "neyman_chi_squared": lambda: (u - 1) ** 2 / u,
        }[generator]()

    return fsum(y * f(x / y) for x, y in zip(p, q, strict=True))


def _moved(u: Any, v: Any, p: float = 1.0) -> Any:
    """Return the Wasserstein distance of two samples of one size: sorted, each to its partner."""
    moves = [abs(x - y) for x, y in zip(sorted(u), sorted(v), strict=True)]
    return (fsum(x ** mpf(p) for x in moves) / len(u)) ** (1 / mpf(p))


def _mean_of_pairs(k: Any, x: Any, y: Any) -> Any:
    return fsum(k(a, b) for a in x for b in y) / (len(x) * len(y))


def _energy(u: Any, v: Any) -> Any:
    def apart(x: Any, y: Any) -> Any:
        return _mean_of_pairs(lambda a, b: abs(a - b), x, y)

    return (2 * apart(u, v) - apart(u, u) - apart(v, v)) ** mpf("0.5")


def _mean_discrepancy(
    x: Any,
    y: Any,
    kernel: str = "gaussian",
    bandwidth: float | None = None,
    unbiased: bool = False,
) -> Any:
    def apart(a: Any, b: Any) -> Any:
        return _norm([s - t for s, t in zip(a, b, strict=True)])

    every = x + y
    if bandwidth is None:
        sizes = sorted(
            apart(a, b) for i, a in enumerate(every) for b in every[:i]
        )
        bandwidth = (
            sizes[(len(sizes) - 1) // 2] + sizes[len(sizes) // 2]
        ) / 2
        bandwidth = bandwidth or fsum(sizes) / len(sizes) or 1
    k = {
        "gaussian": lambda a, b: exp(-((apart(a, b) / bandwidth) ** 2) / 2),
        "laplacian": lambda a, b: exp(-apart(a, b) / bandwidth),
        "energy": lambda a, b: -apart(a, b),
    }[kernel]

    def within(z: Any) -> Any:
        mean, n = _mean_of_pairs(k, z, z), len(z)
        if not unbiased:
            return mean
        return (mean * n - k(z[0], z[0])) / (n - 1)

    return within(x) + within(y) - 2 * _mean_of_pairs(k, x, y)


def _entropic(c: Any, epsilon: float = 0.01, largest: Any = None) -> Any:
    """Return the entropic cost between two pairs of points of equal weights, in closed form."""
    blur = epsilon * (largest or max(abs(x) for row in c for x in row))
    stay = (
        _sigmoid((c[0][1] + c[1][0] - c[0][0] - c[1][1]) / (2 * blur)) / 2
    )
    plan = ((stay, mpf("0.5") - stay), (mpf("0.5") - stay, stay))
    return fsum(
        p * x + blur * _xlogy(p, 4 * p)
        for shares, row in zip(plan, c, strict=True)
        for p, x in zip(shares, row, strict=True)
    )


def _debiased(c: Any, c_a: Any, c_b: Any, epsilon: float = 0.01) -> Any:
    largest = max(abs(x) for row in c for x in row)
    between, of_a, of_b = (
        _entropic(x, epsilon, largest) for x in (c, c_a, c_b)
    )
    return between - (of_a + of_b) / 2


def _smoothed(z: Any, t: int, label_smoothing: float = 0) -> Any:
    share = mpf(label_smoothing)
    all_of_them = [_surprise(z, k) for k in range(len(z))]
    return (1 - share) * all_of_them[t] + share * fsum(all_of_them) / len(z)


def _bernoulli(z: Any, y: Any) -> Any:
    return y * _softplus(-z) + (1 - y) * _softplus(z)


def _held_bernoulli(p: Any, y: Any) -> Any:
    """With logarithms of -100 or above, as PyTorch has them."""
    low = mpf(-100)
    log_p = max(log(p), low) if p else low
    log_rest = max(log(1 - p), low) if p != 1 else low
    return -y * log_p - (1 - y) * log_rest


def _focal(z: Any, t: int, gamma: float = 2.0) -> Any:
    cost = _surprise(z, t)
    return (-expm1(-cost)) ** mpf(gamma) * cost


def _sigmoid_focal(
    z: Any, y: Any, alpha: float | None = 0.25, gamma: float = 2.0
) -> Any:
    p = _sigmoid(z)
    rest = y * _sigmoid(-z) + (1 - y) * p
    own = 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return own * rest ** mpf(gamma) * _bernoulli(z, y)


def _asymmetric(
    z: Any,
    y: Any,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    clip: float = 0.05,
) -> Any:
    p, m = _sigmoid(z), mpf(clip)
    miss = _sigmoid(-z) ** mpf(gamma_pos) * _softplus(-z)
    seen = _hinge(p - m)
    rest = m + _sigmoid(-z) if m else _sigmoid(-z)
    alarm = seen ** mpf(gamma_neg) * -log(rest) if seen else mpf(0)
    return y * miss + (1 - y) * alarm


def _lead(
    z: Any, right: int, wrong: Any, margin: float = 1.0, p: int = 1
) -> Any:
    return fsum(_hinge(margin - z[right] + z[k]) ** p for k in wrong) / len(
        z
    )


def _listed(z: Any, labels: Any) -> Any:
    right = labels[: (*labels, -1).index(-1)]
    wrong = [k for k in range(len(z)) if k not in right]
    return fsum(_lead(z, j, wrong) for j in right)


def _zlpr(s: Any, y: Any) -> Any:
    pairs = list(zip(s, y, strict=True))
    missed = _lse([mpf(0), *(-a for a, b in pairs if b)])
    return missed + _lse([mpf(0), *(a for a, b in pairs if not b)])


def _huber(x: Any, y: Any, delta: float = 1.0) -> Any:
    r, d = abs(x - y), mpf(delta)
    return r * r / 2 if r <= d else d * (r - d / 2)


def _log_cosh(x: Any, y: Any) -> Any:
    r = abs(x - y)
    if r < 100:
        return log(mpmath.cosh(r))
    return r - log(mpf(2)) + log1p(exp(-2 * r))


def _gaussian(
    x: Any, y: Any, v: Any, full: bool = False, eps: float = 1e-6
) -> Any:
    v = max(v, mpf(eps))
    constant = log(2 * pi) if full else 0
    return (log(v) + (x - y) ** 2 / v + constant) / 2


def _beta_gaussian(
    x: Any, y: Any, v: Any, beta: float = 0.5, eps: float = 1e-6
) -> Any:
    return max(v, mpf(eps)) ** mpf(beta) * _gaussian(x, y, v, eps=eps)


def _crps(x: Any, y: Any, s: Any) -> Any:
    """Return the mean distance to a draw, less half that of two draws."""
    r = abs(x - y)
    if not s:
        return r
    to_a_draw = r * mpmath.erf(r / s / mpmath.sqrt(2))
    to_a_draw += s * mpmath.sqrt(2 / pi) * exp(-((r / s) ** 2) / 2)
    return to_a_draw - s / mpmath.sqrt(pi)


def _poisson(
    x: Any,
    y: Any,
    log_input: bool = True,
    full: bool | str = False,
    eps: float = 1e-8,
) -> Any:
    loss = exp(x) - y * x if log_input else x - y * log(x + mpf(eps))
    if full == "exact":
        loss += loggamma(mpf(y) + 1)
    elif full and y > 1:
        loss += y * log(y) - y + log(2 * pi * y) / 2
    return loss


def _apart(u: Any, v: Any, p: float = 2.0) -> Any:
    return _norm([x - y for x, y in zip(u, v, strict=True)], p)


def _scaled(u: Any, v: Any, variance: Any) -> Any:
    gap = zip(u, v, variance, strict=True)
    return fsum((x - y) ** 2 / s for x, y, s in gap) ** mpf("0.5")


def _mahalanobis(u: Any, v: Any, precision: Any) -> Any:
    gap = [x - y for x, y in zip(u, v, strict=True)]
    return _dot(gap, [_dot(row, gap) for row in precision]) ** mpf("0.5")


def _pearson(u: Any, v: Any) -> Any:
    centred = [[x - fsum(w) / len(w) for x in w] for w in (u, v)]
    flat = any(min(w) == max(w) for w in (u, v))
    return mpf(1) if flat else 1 - _cosine(*centred)


def _negative_binomial(
    x: Any, y: Any, a: Any, log_input: bool = True, eps: float = 1e-8
) -> Any:
    x = x if log_input else log(x + mpf(eps))
    if a == 0:
        return exp(x) - y * x + loggamma(mpf(y) + 1)
    r, odds = 1 / a, exp(log(a) + x)
    ways = loggamma(y + r) - loggamma(r) - loggamma(mpf(y) + 1)
    return (y + r) * log1p(odds) - y * log(odds) - ways


def _tweedie(x: Any, y: Any, power: float = 0.0) -> Any:
    x, y, p = mpf(x), mpf(y), mpf(power)
    if p == 1:
        return 2 * (_xlogy(y, y / x) - y + x)
    if p == 2:
        return 2 * (log(x / y) + y / x - 1)
    above = (y if p == 0 else _hinge(y)) ** (2 - p) / ((1 - p) * (2 - p))
    return 2 * (above - y * x ** (1 - p) / (1 - p) + x ** (2 - p) / (2 - p))


def _cosine(x: Any, y: Any) -> Any:
    lengths = _norm(x) * _norm(y)
    return _dot(x, y) / lengths if lengths else mpf(0)


def _pair(x: Any, y: Any, t: Any, margin: float = 0.0) -> Any:
    c = _cosine(x, y)
    return 1 - c if t == 1 else _hinge(c - margin)


def _triplet(
    a: Any,
    b: Any,
    c: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> Any:
    def apart(u: Any, v: Any) -> Any:
        return _norm(
            [x - y + mpf(eps) for x, y in zip(u, v, strict=True)], p
        )

    far = min(apart(a, c), apart(b, c)) if swap else apart(a, c)
    return _hinge(margin + apart(a, b) - far)


def _marked(logits: Any, t: int, marked: Any) -> Any:
    return _surprise([*logits[:t], marked, *logits[t + 1 :]], t)


def _angle_times(
    x: Any, t: int, w: Any, margin: int = 4, annealing: float = 0.0
) -> Any:
    c = _cosine(x, w[t])
    theta = acos(max(min(c, mpf(1)), mpf(-1)))
    k = min(int(margin * theta / pi), margin - 1)
    psi = (-1) ** k * cos(margin * theta) - 2 * k
    marked = (
        _norm(w[t]) * _norm(x) * (psi + annealing * c) / (1 + annealing)
    )
    return _marked([_dot(x, row) for row in w], t, marked)


def _sphere(x: Any, t: int, w: Any, **options: Any) -> Any:
    lengths = [_norm(row) or mpf(1) for row in w]
    unit = [[a / s for a in row] for row, s in zip(w, lengths, strict=True)]
    return _angle_times(x, t, unit, **options)


def _cosface(
    x: Any, t: int, w: Any, margin: float = 0.35, scale: float = 64.0
) -> Any:
    c = [_cosine(x, row) for row in w]
    return _marked([scale * a for a in c], t, scale * (c[t] - mpf(margin)))


def _arcface(
    x: Any, t: int, w: Any, margin: float = 0.5, scale: float = 64.0
) -> Any:
    c, m = [_cosine(x, row) for row in w], mpf(margin)
    theta = acos(max(min(c[t], mpf(1)), mpf(-1)))
    if theta <= pi - m:
        phi = cos(theta + m) if _norm(x) and _norm(w[t]) else mpf(0)
    else:
        phi = c[t] - (1 - cos(m))
    return _marked([scale * a for a in c], t, scale * phi)


def _cosines(x: Any, y: Any, temperature: float) -> Any:
    return [[_cosine(a, b) / mpf(temperature) for b in y] for a in x]


def _matches(
    s: Any, temperature: float = 1.0, symmetric: bool = False
) -> Any:
    """Each query picks its own key, by its scores; and each key its query."""
    s = [[x / mpf(temperature) for x in row] for row in s]
    rows = [_surprise(row, i) for i, row in enumerate(s)]
    if not symmetric:
        return rows
    columns = [_surprise(c, i) for i, c in enumerate(zip(*s, strict=True))]
    return [(a + b) / 2 for a, b in zip(rows, columns, strict=True)]


def _among_others(s: Any, own: Callable[[int, int], bool]) -> Any:
    """Give the mean surprise of one's own, for each row, where nobody picks himself."""
    found = []
    for i, row in enumerate(s):
        others = [k for k in range(len(s)) if k != i]
        scores = [row[k] for k in others]
        parts = [
            _surprise(scores, place)
            for place, k in enumerate(others)
            if own(i, k)
        ]
        found.append(fsum(parts) / len(parts) if parts else mpf(0))
    return found


def _views(a: Any, b: Any, temperature: float = 0.1) -> Any:
    both, n = [*a, *b], len(a)
    return _among_others(
        _cosines(both, both, temperature), lambda i, k: i % n == k % n
    )


def _tagged(x: Any, y: Any, temperature: float = 0.1) -> Any:
    return _among_others(
        _cosines(x, x, temperature), lambda i, k: y[i] == y[k]
    )


def _yes_or_no(s: Any, temperature: float = 1.0, bias: float = 0.0) -> Any:
    def pair(i: int, k: int) -> Any:
        z = s[i][k] / mpf(temperature) + mpf(bias)
        return _softplus(-z if i == k else z)

    return [fsum(pair(i, k) for k in range(len(s))) for i in range(len(s))]


def _circle(
    s: Any, y: Any, margin: float = 0.25, gamma: float = 256.0
) -> Any:
    m, g = mpf(margin), mpf(gamma)
    own = [
        -g * _hinge(1 + m - a) * (a - 1 + m)
        for a, b in zip(s, y, strict=True)
        if b
    ]
    far = [
        g * _hinge(a + m) * (a - m)
        for a, b in zip(s, y, strict=True)
        if not b
    ]
    return _softplus(_lse(own) + _lse(far)) if own and far else mpf(0)


def _alignments(
    frames: Any, labels: Any, n_frames: int, n_labels: int, blank: int = 0
) -> Any:
    """Minus the log of the summed probability of every alignment of a string."""

    def string(path: Any) -> list[int]:
        kept = [k for i, k in enumerate(path) if not i or k != path[i - 1]]
        return [k for k in kept if k != blank]

    total = fsum(
        exp(fsum(row[k] for row, k in zip(frames, path, strict=False)))
        for path in product(range(len(frames[0])), repeat=n_frames)
        if string(path) == list(labels[:n_labels])
    )
    return -log(total)


def _by_grade(y: Any) -> list[int]:
    """Places from the most relevant item to the least; equals as they stand."""
    return sorted(range(len(y)), key=lambda i: -y[i])


def _ranknet(s: Any, y: Any) -> Any:
    n = range(len(y))
    return fsum(_softplus(s[j] - s[i]) for i in n for j in n if y[i] > y[j])


def _listmle(s: Any, y: Any) -> Any:
    z = [s[i] for i in _by_grade(y)]
    return fsum(_surprise(z[k:], 0) for k in range(len(z)))


def _cox(s: Any, t: Any, event: Any) -> Any:
    def cost(i: int) -> Any:
        others = [j for j in range(len(s)) if j != i and t[j] >= t[i]]
        return _surprise([s[i], *(s[j] for j in others)], 0)

    return [cost(i) if died else mpf(0) for i, died in enumerate(event)]


def _swaps(s: Any, y: Any) -> Any:
    def discounts(x: Any) -> Any:
        places = _by_grade(x)
        return [log(2) / log(2 + places.index(i)) for i in range(len(x))]

    gain, here = [2**a - 1 for a in y], discounts(s)
    ideal, n = _dot(gain, discounts(y)), range(len(y))
    return [
        abs((gain[i] - gain[j]) * (here[i] - here[j])) / (ideal or mpf(1))
        for i in n
        for j in n
    ]


def _between(z: Any, y: int, cuts: Any) -> Any:
    low = exp(-_softplus(z - cuts[y - 1])) if y else mpf(0)
    if y == len(cuts):
        return _softplus(cuts[-1] - z)
    return -log(exp(-_softplus(z - cuts[y])) - low)


def _generalised(z: Any, t: int, q: float = 0.7) -> Any:
    cost = _surprise(z, t)
    return -expm1(-q * cost) / q if q else cost


def _symmetric(
    z: Any,
    t: int,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
) -> Any:
    cost = _surprise(z, t)
    return alpha * cost + mpf(beta) * log_zero * expm1(-cost)


def _bootstrap(
    z: Any, t: int, beta: float = 0.95, hard: bool = False
) -> Any:
    own = (
        min(_surprise(z, k) for k in range(len(z)))
        if hard
        else _entropy(_softmax(z))
    )
    return beta * _surprise(z, t) + (1 - mpf(beta)) * own


def _effective(counts: Any, beta: float = 0.999) -> Any:
    w = [(1 - mpf(beta)) / -expm1(n * log(mpf(beta))) for n in counts]
    return [x * len(w) / fsum(w) for x in w]


def _independent(joint: Any) -> Any:
    columns = list(map(fsum, zip(*joint, strict=True)))
    apart = [fsum(row) * y for row in joint for y in columns]
    return _kl([x for row in joint for x in row], apart)


# --- The scores that say a distribution -------------------------------------------------------


def _same(y: np.ndarray) -> np.ndarray:
    return y


def _logit(y: np.ndarray) -> np.ndarray:
    return np.log(y) - np.log1p(-y)


# --- The table --------------------------------------------------------------------------------

F = "torch.nn.functional."
LOG_SCORE: Mapping[str, Any] = {"scores": np.log, "proper": True}
NOT_PROPER: Mapping[str, Any] = {"scores": np.log, "proper": False}
NOT_NEGATIVE = "must .*(at least 0|not be negative).*got -"
IN_0_1 = r"must .*\[0(\.0)?, 1(\.0)?\].*got "


def _out_of_unit(option: str) -> tuple[tuple[dict[str, Any], str], ...]:
    return tuple(
        ({option: bad}, f"{option} {IN_0_1}") for bad in (-0.1, 1.5, np.nan)
    )


def _regression(name: str, **claims: Any) -> Entry:
    claims = {"convex": ("input", "target"), "torch": F + name, **claims}
    return Entry(name, _elements(REALS, REALS), **claims)


def _of_a_spread(name: str, spread: str, **claims: Any) -> Entry:
    arguments = {
        "input": Argument(REALS),
        "target": Argument(REALS),
        spread: Argument(VARIANCES, or_number=True),
    }
    return Entry(name, Form(arguments, SCALARS, inner=0), **claims)


def _of_margins(
    name: str, exact: Callable[..., Any], **claims: Any
) -> Entry:
    return Entry(
        name,
        _elements(REALS, SIGNS),
        exact=lambda z, y, **options: exact(y * z, **options),
        **claims,
    )


ENTRIES = [
    # Losses of classes
    Entry(
        "cross_entropy",
        OF_CLASSES,
        optional=WEIGHTED,
        options=({"label_smoothing": 0.1},),
        exact=_smoothed,
        bad=_out_of_unit("label_smoothing"),
        convex=("input",),
        lipschitz="2",
        **LOG_SCORE,
        torch=F + "cross_entropy",
    ),
    Entry(
        "nll_loss",
        _classified(LOG_P),
        optional={"weight": PER_CLASS},
        exact=lambda z, t: -z[t],
        convex=("input",),
        lipschitz="1",
        **LOG_SCORE,
        torch=F + "nll_loss",
    ),
    Entry(
        "linear_cross_entropy",
        OF_LAYERS,
        optional={
            "linear_bias": Argument(REALS, lambda shape: (5,), None),
            "weight": Argument(POSITIVE, lambda shape: (5,), None),
            "sample_weight": Argument(POSITIVE, per_row),
        },
        options=({"label_smoothing": 0.1}, {"chunk_size": 1}),
        exact=lambda x, w, t, chunk_size=None, **options: _smoothed(
            [_dot(x, row) for row in w], t, **options
        ),
        slack=1e-15,
        bad=(
            *_out_of_unit("label_smoothing"),
            ({"chunk_size": 0}, "chunk_size must be .*at least 1.*got 0"),
        ),
        convex=("input",),
        torch=F + "linear_cross_entropy",
    ),
    Entry(
        "focal_loss",
        OF_CLASSES,
        optional=WEIGHTED,
        options=({"gamma": 0.5}, {"gamma": 0.0}),
        exact=_focal,
        bad=(
            ({"gamma": -1.0}, f"gamma {NOT_NEGATIVE}"),
            *_out_of_unit("label_smoothing"),
        ),
        lipschitz="2.257967",
        **NOT_PROPER,
    ),
    Entry(
        "poly_loss",
        OF_CLASSES,
        optional={"weight": PER_CLASS},
        options=({"epsilon": -1.0},),
        exact=lambda z, t, epsilon=2.0: (
            _surprise(z, t) - epsilon * expm1(-_surprise(z, t))
        ),
        bad=(({"epsilon": -1.5}, "epsilon must be a number of at least -1, got -1.5"),),
        lipschitz="9/4",
        **NOT_PROPER,
    ),
    Entry(
        "generalized_cross_entropy",
        OF_CLASSES,
        options=({"q": 0.0}, {"q": 1.0}),
        exact=_generalised,
        bad=_out_of_unit("q"),
        bounds=("0", "1/0.7"),
        lipschitz="2*(0.7/1.7)**0.7/1.7",
        **NOT_PROPER,
    ),
    Entry(
        "symmetric_cross_entropy",
        OF_CLASSES,
        options=({"alpha": 6.0, "beta": 0.1, "log_zero": -9.2},),
        exact=_symmetric,
        bad=(
            ({"alpha": -1.0}, f"alpha {NOT_NEGATIVE}"),
            ({"beta": -1.0}, f"beta {NOT_NEGATIVE}"),
            ({"log_zero": 0.0}, "log_zero must be below 0.*got 0.0"),
        ),
        lipschitz="2.10125",
        **NOT_PROPER,
    ),
    Entry(
        "bootstrap_loss",
        OF_CLASSES,
        options=({"beta": 0.8, "hard": True},),
        exact=_bootstrap,
        convex=("input",),  # up to e^18 classes
        bad=_out_of_unit("beta"),
        **NOT_PROPER,
    ),
    Entry(
        "confidence_penalty_loss",
        OF_CLASSES,
        options=({"beta": 1.5},),
        exact=lambda z, t, beta=0.1: (
            _surprise(z, t) - mpf(beta) * _entropy(_softmax(z))
        ),
        bad=(({"beta": -1.0}, f"beta {NOT_NEGATIVE}"),),
        bounds=None,
        **NOT_PROPER,
    ),
    Entry(
        "brier_score",
        _classified(DISTRIBUTIONS),
        exact=lambda p, t: fsum(
            (x - (k == t)) ** 2 for k, x in enumerate(p)
        ),
        bounds=("0", "2"),
        convex=("input",),
        lipschitz="4",
        scores=_same,
        proper=True,
    ),
    Entry(
        "multi_margin_loss",
        OF_TABLES,
        optional={"weight": PER_CLASS},
        options=({"p": 2, "margin": 1.5},),
        exact=lambda z, t, **options: _lead(
            z, t, [k for k in range(len(z)) if k != t], **options
        ),
        bad=(({"p": 3}, "p must be 1 or 2, got 3"),),
        convex=("input",),
        lipschitz="2*(n - 1)/n",
        **NOT_PROPER,
        torch=F + "multi_margin_loss",
    ),
    # Losses of angles, and of features
    *(
        Entry(name, OF_ANGLES, options=options, exact=exact, slack=1e-14, bad=bad)
        for name, exact, options, bad in (
            (
                "l_softmax_loss",
                _angle_times,
                ({"margin": 1}, {"margin": 3, "annealing": 0.5}),
                (
                    ({"margin": 0}, "margin must be a whole number.*got 0"),
                    ({"annealing": -1.0}, f"annealing {NOT_NEGATIVE}"),
                ),
            ),
            (
                "a_softmax_loss",
                _sphere,
                ({"margin": 3, "annealing": 5.0},),
                (
                    ({"margin": 1.5}, "margin must be a whole number.*got 1.5"),
                    ({"annealing": -1.0}, f"annealing {NOT_NEGATIVE}"),
                ),
            ),
            (
                "cosface_loss",
                _cosface,
                ({"margin": 0.1, "scale": 3.0},),
                (
                    ({"margin": -1.0}, f"margin {NOT_NEGATIVE}"),
                    ({"scale": 0.0}, "scale must be above 0.*got 0.0"),
                ),
            ),
            (
                "arcface_loss",
                _arcface,
                ({"margin": 2.0, "scale": 2.0},),
                (
                    ({"margin": 4.0}, "margin must .*got 4.0"),
                    ({"scale": -1.0}, "scale must be above 0.*got -1.0"),
                ),
            ),
        )
    ),
    # Losses of a yes or no
    Entry(
        "binary_cross_entropy",
        _elements(UNIT, FRACTIONS),
        optional=MASKED,
        exact=_held_bernoulli,
        bounds=("0", "100"),
        convex=("input",),
        lipschitz="oo",
        scores=_same,
        proper=True,
        torch=F + "binary_cross_entropy",
    ),
    Entry(
        "binary_cross_entropy_with_logits",
        _elements(REALS, FRACTIONS),
        optional={
            **MASKED,
            "pos_weight": Argument(POSITIVE, last, None, or_number=True),
        },
        exact=_bernoulli,
        convex=("input",),
        lipschitz="1",
        scores=_logit,
        proper=True,
        torch=F + "binary_cross_entropy_with_logits",
    ),
    Entry(
        "sigmoid_focal_loss",
        _elements(REALS, FRACTIONS),
        options=({"alpha": None, "gamma": 0.5}, {"alpha": 1.0, "gamma": 0.0}),
        exact=_sigmoid_focal,
        bad=(
            ({"alpha": 1.5}, "alpha must .*got 1.5"),
            ({"gamma": -1.0}, f"gamma {NOT_NEGATIVE}"),
            *_out_of_unit("label_smoothing"),
        ),
        optional={"sample_weight": PER_ELEMENT},
        lipschitz="0.846738",
        scores=_logit,
        proper=False,
    ),
    Entry(
        "asymmetric_loss",
        _elements(REALS, FRACTIONS),
        options=({"gamma_pos": 0.5, "gamma_neg": 0.5, "clip": 0.0},),
        exact=_asymmetric,
        lipschitz="1.045334",
        bad=(
            ({"gamma_pos": -1.0}, f"gamma_pos {NOT_NEGATIVE}"),
            ({"gamma_neg": -1.0}, f"gamma_neg {NOT_NEGATIVE}"),
            ({"clip": 1.0}, r"clip must be in \[0, 1\).*got 1.0"),
        ),
        scores=_logit,
        proper=False,
    ),
    _of_margins(
        "soft_margin_loss",
        lambda m: _softplus(-m),
        convex=("input",),
        lipschitz="1",
        scores=_logit,
        proper=True,
        torch=F + "soft_margin_loss",
    ),
    _of_margins(
        "logistic_loss",
        lambda m, base=None: _softplus(-m) / (log(mpf(base)) if base else 1),
        options=({"base": 2},),
        bad=(({"base": 1.0}, "base must be above 1.*got 1.0"),),
        convex=("input",),
        lipschitz="1",
        scores=_logit,
        proper=True,
    ),
    _of_margins(
        "exponential_loss",
        lambda m: exp(-m),
        convex=("input",),
        lipschitz="oo",
        scores=lambda y: _logit(y) / 2,
        proper=True,
    ),
    _of_margins(
        "squared_hinge_loss",
        lambda m: _hinge(1 - m) ** 2,
        convex=("input",),
        lipschitz="oo",
        scores=lambda y: 2 * y - 1,
        proper=True,
    ),
    _of_margins(
        "hinge_loss",
        lambda m: _hinge(1 - m),
        convex=("input",),
        lipschitz="1",
        scores=lambda y: 2 * y - 1,
        proper=False,
    ),
    _of_margins(
        "zero_one_loss",
        lambda m: mpf(m <= 0),
        bounds=("0", "1"),
        lipschitz="oo",
        scores=lambda y: 2 * y - 1,
        proper=False,
    ),
    # Losses of many labels
    Entry(
        "multilabel_soft_margin_loss",
        _rows(FRACTIONS),
        optional={"weight": Argument(POSITIVE, last, None)},
        exact=lambda z, y: fsum(map(_bernoulli, z, y)) / len(z),
        convex=("input",),
        lipschitz="1",
        torch=F + "multilabel_soft_margin_loss",
    ),
    Entry(
        "multilabel_categorical_cross_entropy",
        _rows(BITS),
        exact=_zlpr,
        convex=("input",),
        lipschitz="2",
    ),
    Entry(
        "multilabel_margin_loss",
        OF_LISTS,
        exact=_listed,
        convex=("input",),
        lipschitz="2*floor(n**2/4)/n",
        torch=F + "multilabel_margin_loss",
    ),
    # Losses of numbers
    _regression(
        "mse_loss",
        optional={"weight": PER_ELEMENT},
        exact=lambda x, y: (x - y) ** 2,
        lipschitz="oo",
    ),
    _regression(
        "l1_loss",
        optional={"weight": PER_ELEMENT},
        exact=lambda x, y: abs(x - y),
        lipschitz="1",
    ),
    _regression(
        "huber_loss",
        optional={"weight": PER_ELEMENT},
        options=({"delta": 0.1}, {"delta": 1e10}),
        exact=_huber,
        bad=(
            ({"delta": 0.0}, "delta must be above 0.*got 0.0"),
            ({"delta": np.nan}, "delta must be above 0.*got nan"),
        ),
        lipschitz="1",
    ),
    _regression(
        "smooth_l1_loss",
        options=({"beta": 0.0}, {"beta": 1e-25}, {"beta": 1e25}),
        exact=lambda x, y, beta=1.0: (
            _huber(x, y, beta) / mpf(beta) if beta else abs(x - y)
        ),
        bad=(({"beta": -1.0}, "beta must .*got -1.0"),),
        lipschitz="1",
    ),
    _regression(
        "log_cosh_loss",
        optional={"weight": PER_ELEMENT},
        exact=_log_cosh,
        lipschitz="1",
        torch="",
    ),
    _regression(
        "quantile_loss",
        optional={"weight": PER_ELEMENT},
        options=({"q": 0.9}, {"q": 1e-3}),
        exact=lambda x, y, q=0.5: max(mpf(q) * (y - x), (mpf(q) - 1) * (y - x)),
        bad=(
            ({"q": 0.0}, "q must be above 0 and below 1, got 0.0"),
            ({"q": 1}, "q must be above 0 and below 1, got 1"),
            ({"q": np.nan}, "q must be above 0 and below 1, got nan"),
            ({"q": [0.5, 0.5]}, "input must hold a prediction for each level of q"),
        ),
        lipschitz="1/2",
        torch="",
    ),
    _of_a_spread(
        "gaussian_nll_loss",
        "var",
        options=({"full": True},),
        exact=_gaussian,
        bad=(
            ({"eps": 0.0}, "eps must be above 0.*got 0.0"),
            ({"var": -1.0}, "var must not be negative, got -1.0"),
        ),
        convex=("input", "target"),
        bounds=("log(1e-6)/2", "oo"),
        lipschitz="oo",
        torch=F + "gaussian_nll_loss",
    ),
    _of_a_spread(
        "beta_nll",
        "var",
        options=({"beta": 0.0}, {"beta": 1.0}),
        exact=_beta_gaussian,
        bad=(
            *_out_of_unit("beta"),
            ({"eps": 0.0}, "eps must be above 0.*got 0.0"),
            ({"var": -1.0}, "var must not be negative, got -1.0"),
        ),
        convex=("input", "target"),
        bounds=("-exp(-1)", "oo"),
        lipschitz="oo",
    ),
    _of_a_spread(
        "crps_gaussian",
        "std",
        exact=_crps,
        bad=(({"std": -1.0}, "std must not be negative, got -1.0"),),
        convex=("input", "target", "std"),
        lipschitz="1",
    ),
    Entry(
        "poisson_nll_loss",
        _elements(REALS, COUNTS),
        options=({"full": True}, {"full": "exact"}),
        exact=_poisson,
        bad=(
            ({"eps": -1e-8}, "eps must be above 0.*got -1e-08"),
            ({"full": "all"}, "full must be True, False or 'exact', got 'all'"),
        ),
        convex=("input",),
        bounds=("-oo", "oo"),
        lipschitz="oo",
        torch=F + "poisson_nll_loss",
    ),
    Entry(
        "negative_binomial_nll_loss",
        Form(
            {
                "input": Argument(REALS),
                "target": Argument(FEW),
                "dispersion": Argument(DISTANCES, or_number=True),
            },
            SCALARS,
            inner=0,
        ),
        exact=_negative_binomial,
        bad=(
            ({"eps": 0.0}, "eps must be above 0.*got 0.0"),
            ({"dispersion": -1.0}, "dispersion must not be negative, got -1.0"),
        ),
        convex=("input",),
    ),
    Entry(
        "poisson_deviance",
        _elements(POSITIVE, COUNTS),
        exact=partial(_tweedie, power=1),
        convex=("input", "target"),
        lipschitz="oo",
    ),
    Entry(
        "gamma_deviance",
        _elements(POSITIVE, TALLIES),
        exact=partial(_tweedie, power=2),
        lipschitz="oo",
    ),
    Entry(
        "tweedie_deviance",
        _elements(POSITIVE, AMOUNTS),
        options=tuple({"power": p} for p in (1.0, 1.5, 1.9)),
        exact=_tweedie,
        bad=(
            ({"power": 0.5}, "power must be at most 0 or at least 1, and finite, got 0.5"),
            ({"power": np.nan}, "power must be at most 0 or at least 1, and finite, got nan"),
        ),
        convex=("input", "target"),
        lipschitz="oo",
    ),
    Entry(
        "kl_div",
        _elements(LOG_P, UNIT, ((4, 3), (2, 3, 2), (0, 3))),
        exact=lambda x, y: _xlogy(y, y) - (y * x if y else 0),
        optional={"mask": KEPT},
        convex=("target",),
        bounds=("-exp(-1)", "oo"),
        lipschitz="1",
        torch=F + "kl_div",
    ),
    # Losses of pairs, triplets and strings
    Entry(
        "hinge_embedding_loss",
        _elements(DISTANCES, SIGNS),
        options=({"margin": 2.5},),
        exact=lambda x, y, margin=1.0: x if y == 1 else _hinge(margin - x),
        convex=("input",),
        lipschitz="1",
        torch=F + "hinge_embedding_loss",
    ),
    Entry(
        "margin_ranking_loss",
        Form(
            {
                "input1": Argument(REALS),
                "input2": Argument(REALS),
                "target": Argument(SIGNS),
            },
            SCALARS,
            inner=0,
        ),
        options=({"margin": 0.5},),
        exact=lambda a, b, y, margin=0.0: _hinge(margin - y * (a - b)),
        convex=("input1", "input2"),
        lipschitz="1",
        torch=F + "margin_ranking_loss",
    ),
    Entry(
        "ranknet_loss",
        OF_GRADES,
        optional={
            "mask": KEPT,
            "weight": Argument(POSITIVE, lambda shape: (*shape, shape[-1])),
        },
        exact=_ranknet,
        convex=("input",),
        lipschitz="floor(n**2/2)",
    ),
    Entry(
        "listnet_loss",
        OF_GRADES,
        optional={"mask": KEPT},
        exact=lambda s, y: fsum(
            a * _surprise(s, k) for k, a in enumerate(_softmax(y))
        ),
        convex=("input",),
        lipschitz="2",
    ),
    Entry(
        "listmle_loss",
        OF_GRADES,
        optional={"mask": KEPT},
        exact=_listmle,
        convex=("input",),
        lipschitz="2*(n-1)",
    ),
    Entry(
        "cox_loss",
        Form(
            {
                "input": Argument(REALS),
                "time": Argument(COUNTS),
                "event": Argument(BITS),
            },
            OF_GRADES.shapes,
            ((),),
        ),
        optional={"mask": KEPT},
        exact=_cox,
        convex=("input",),
        lipschitz="2*(n-1)",
    ),
    Entry(
        "ordinal_loss",
        Form(
            {
                "input": Argument(REALS),
                "target": Argument(CLASS),
                "thresholds": Argument(CUTS, lambda shape: (3,), None),
            },
            ((9,), (2, 3), (), (0,)),
            inner=0,
            n=lambda shape: 4,
        ),
        exact=_between,
        convex=("input", "thresholds"),
        lipschitz="1",
    ),
    Entry(
        "cosine_embedding_loss",
        OF_PAIRS,
        options=({"margin": 0.2},),
        exact=_pair,
        slack=1e-15,
        bounds=("0", "2"),
        torch=F + "cosine_embedding_loss",
    ),
    Entry(
        "triplet_margin_loss",
        OF_TRIPLETS,
        options=({"swap": True}, {"p": 1.0, "margin": 0.5}, {"p": np.inf}),
        exact=_triplet,
        slack=4e-15,
        bad=(
            ({"margin": 0.0}, "margin must be above 0.*got 0.0"),
            ({"p": 0}, "p must be above 0.*got 0"),
        ),
        lipschitz="2*sqrt(n)",
        torch=F + "triplet_margin_loss",
    ),
    Entry(
        "triplet_margin_with_distance_loss",
        OF_TRIPLETS,
        options=({"swap": True},),
        exact=_triplet,
        slack=4e-15,
        bad=(({"margin": -1.0}, "margin must be above 0.*got -1.0"),),
        lipschitz="2*sqrt(n)",
        torch=F + "triplet_margin_with_distance_loss",
    ),
    # Losses of a batch of pairs
    Entry(
        "info_nce_loss",
        OF_SQUARES,
        optional={"key": Argument(REALS)},
        options=({"symmetric": True, "temperature": 0.5},),
        exact=_matches,
        bad=(({"temperature": 0.0}, "temperature must be above 0, got 0.0"),),
        convex=("input",),
        lipschitz="2*n",
    ),
    Entry(
        "nt_xent_loss",
        OF_VIEWS,
        options=({"temperature": 0.5},),
        exact=_views,
        slack=1e-15,
        bad=(({"temperature": 0.0}, "temperature must be above 0, got 0.0"),),
    ),
    Entry(
        "supervised_contrastive_loss",
        OF_LABELLED,
        options=({"temperature": 0.5},),
        exact=_tagged,
        slack=1e-15,
        bad=(({"temperature": -1.0}, "temperature must be above 0, got -1.0"),),
    ),
    Entry(
        "sigmoid_contrastive_loss",
        OF_SQUARES,
        optional={"key": Argument(REALS)},
        options=({"temperature": 0.5, "bias": -3.0},),
        exact=_yes_or_no,
        bad=(({"temperature": 0.0}, "temperature must be above 0, got 0.0"),),
        convex=("input",),
        lipschitz="n**2",
    ),
    Entry(
        "circle_loss",
        _rows(BITS),
        options=({"margin": 0.4, "gamma": 8.0},),
        exact=_circle,
        bad=(
            ({"margin": 1.5}, r"margin must be in \[0, 1\], got 1.5"),
            ({"gamma": 0.0}, "gamma must be above 0, got 0.0"),
        ),
        lipschitz="oo",
    ),
    Entry(
        "ctc_loss",
        OF_STRINGS,
        exact=_alignments,
        bad=(({"blank": 9}, "blank must be a class in 0 … 3, got 9"),),
        torch=F + "ctc_loss",
    ),
    # Penalties
    Entry(
        "l1_penalty",
        _one("input", REALS),
        "penalty",
        options=({"strength": 0.1},),
        bad=(({"strength": -1.0}, f"strength {NOT_NEGATIVE}"),),
        convex=("input",),
        lipschitz="n",
    ),
    Entry(
        "l2_penalty",
        _one("input", REALS),
        "penalty",
        options=({"strength": 0.1},),
        bad=(({"strength": -1.0}, f"strength {NOT_NEGATIVE}"),),
        convex=("input",),
        lipschitz="oo",
    ),
    # Links
    Entry(
        "logsumexp",
        _one("input", REALS, (4, 3), (2, 3, 2), (3,)),
        "link",
        exact=_lse,
        slack=1e-15,
        bounds=("-oo", "oo"),
        convex=("input",),
        lipschitz="1",
        torch="torch.logsumexp",
    ),
    Entry(
        "log_softmax",
        _one("input", REALS, (4, 3), (2, 3, 2), (3,)),
        "link",
        exact=lambda z: [-_surprise(z, k) for k in range(len(z))],
        slack=1e-15,
        bounds=("-oo", "0"),
        torch=F + "log_softmax",
    ),
    Entry(
        "softmax",
        _one("input", REALS, (4, 3), (2, 3, 2), (3,)),
        "link",
        exact=_softmax,
        bounds=("0", "1"),
        torch=F + "softmax",
    ),
    Entry(
        "sigmoid",
        _one("input", REALS),
        "link",
        exact=_sigmoid,
        bounds=("0", "1"),
        lipschitz="1/4",
        torch="torch.sigmoid",
    ),
    Entry(
        "log_sigmoid",
        _one("input", REALS),
        "link",
        exact=lambda z: -_softplus(-z),
        bounds=("-oo", "0"),
        lipschitz="1",
        torch=F + "logsigmoid",
    ),
    Entry(
        "softplus",
        _one("input", REALS),
        "link",
        exact=_softplus,
        convex=("input",),
        lipschitz="1",
        torch=F + "softplus",
    ),
    # Measures
    Entry(
        "self_information",
        _one("p", INSIDE),
        "measure",
        exact=lambda p: -log(p),
        convex=("p",),
        lipschitz="oo",
    ),
    Entry(
        "entropy",
        _one("p", DISTRIBUTIONS, (4, 3), (3,)),
        "measure",
        exact=_entropy,
        bounds=("0", "log(n)"),
    ),
    *(
        Entry(
            name,
            Form(
                {"p": Argument(DISTRIBUTIONS), "q": Argument(DISTRIBUTIONS)},
                ((4, 3), (3,)),
            ),
            "measure",
            exact=exact,
            convex=convex,
        )
        for name, exact, convex in (
            (
                "cross_entropy_between",
                lambda p, q: -fsum(map(_xlogy, p, q)),
                ("q",),
            ),
            ("kl_divergence", _kl, ("p", "q")),
        )
    ),
    *(
        Entry(
            name,
            Form(
                {"p": Argument(DISTRIBUTIONS), "q": Argument(DISTRIBUTIONS)},
                ((4, 3), (3,)),
            ),
            "measure",
            exact=exact,
            convex=convex,
            bounds=("0", most),
            slack=4e-16 if name == "bhattacharyya_distance" else 0.0,
            metric=metric,
        )
        for name, exact, convex, most, metric in (
            ("jensen_shannon_divergence", _mixed, ("p", "q"), "log(2)", None),
            (
                "jensen_shannon_distance",
                lambda p, q: sqrt(_mixed(p, q)),
                (),
                "sqrt(log(2))",
                True,
            ),
            (
                "hellinger_distance",
                lambda p, q: sqrt(_roots_apart(p, q)),
                (),
                "1",
                True,
            ),
            (
                "bhattacharyya_distance",
                lambda p, q: -log(
                    fsum(sqrt(x * y) for x, y in zip(p, q, strict=True))
                ),
                ("p", "q"),
                "oo",
                False,
            ),
            (
                "total_variation_distance",
                lambda p, q: (
                    fsum(abs(x - y) for x, y in zip(p, q, strict=True)) / 2
                ),
                ("p", "q"),
                "1",
                True,
            ),
            (
                "chi_squared_divergence",
                lambda p, q: _generated(p, q, "chi_squared"),
                ("p", "q"),
                "oo",
                None,
            ),
        )
    ),
    Entry(
        "renyi_divergence",
        Form(
            {"p": Argument(DISTRIBUTIONS), "q": Argument(DISTRIBUTIONS)},
            ((4, 3), (3,)),
        ),
        "measure",
        options=(
            {"order": 0.5},
            {"order": 1},
            {"order": 30.0},
            {"order": np.inf},
        ),
        exact=_renyi,
        slack=4e-16,  # of sums that are rounded
        bad=(
            ({"order": -1.0}, "order must be a number of at least 0.*-1.0"),
        ),
        convex=("q",),
    ),
    Entry(
        "f_divergence",
        Form(
            {"p": Argument(DISTRIBUTIONS), "q": Argument(DISTRIBUTIONS)},
            ((4, 3), (3,)),
        ),
        "measure",
        options=tuple(
            {"generator": name}
            for name in (
                "reverse_kl",
                "jensen_shannon",
                "squared_hellinger",
                "total_variation",
                "chi_squared",
                "neyman_chi_squared",
            )
        ),
        exact=_generated,
        convex=("p", "q"),
    ),
    Entry(
        "mutual_information",
        Form(
            {
                "joint": Argument(
                    Domain(
                        "joint distributions",
                        lambda rng, shape, n, size: rng.dirichlet(
                            np.ones(shape[-1] * shape[-2]), shape[:-2]
                        ).reshape(shape),
                    )
                )
            },
            ((4, 2, 3), (2, 3)),
            inner=2,
        ),
        "measure",
        exact=_independent,
        slack=4e-16,
        bounds=("0", "log(2)"),
    ),
    # Distances
    *(
        Entry(
            name,
            _vectors(),
            "measure",
            options=options,
            exact=exact,
            bad=bad,
            convex=("u", "v"),
            lipschitz=lipschitz,
            metric=True,
        )
        for name, exact, options, bad, lipschitz in (
            ("euclidean_distance", _apart, (), (), "sqrt(n)"),
            ("manhattan_distance", partial(_apart, p=1), (), (), "n"),
            ("chebyshev_distance", partial(_apart, p=np.inf), (), (), "1"),
            (
                "minkowski_distance",
                _apart,
                ({"p": 0.5}, {"p": 1}, {"p": 3.5}, {"p": np.inf}),
                (
                    ({"p": 0}, "p must be above 0, got 0"),
                    ({"p": np.nan}, "p must be above 0, got nan"),
                ),
                "sqrt(n)",
            ),
        )
    ),
    Entry(
        "standardized_euclidean_distance",
        _vectors(variance=Argument(POSITIVE, last, None)),
        "measure",
        exact=_scaled,
        bad=(
            (
                {"variance": np.array([1.0, 0.0, 2.0])},
                r"variance must be above 0, got 0.0 at position \(1,\)",
            ),
        ),
        convex=("u", "v"),
        metric=True,
    ),
    Entry(
        "mahalanobis_distance",
        _vectors(precision=Argument(PRECISIONS, square, None)),
        "measure",
        exact=_mahalanobis,
        bad=(
            (
                {"precision": -np.eye(3)},
                "precision must be positive semidefinite, got the squared distance -.*",
            ),
            (
                {"precision": np.ones(3)},
                r"precision must hold a matrix \(3, 3\).*got shape \(3,\)",
            ),
        ),
        convex=("u", "v"),
        metric=True,
    ),
    Entry(
        "cosine_distance",
        _vectors(),
        "measure",
        exact=lambda u, v: 1 - _cosine(u, v),
        bounds=("0", "2"),
        lipschitz="oo",
        metric=False,
    ),
    Entry(
        "pearson_distance",
        _vectors(),
        "measure",
        exact=_pearson,
        slack=1e-15,
        bounds=("0", "2"),
        lipschitz="oo",
        metric=False,
    ),
    Entry(
        "hamming_distance",
        _vectors(SYMBOLS),
        "measure",
        exact=lambda u, v: (
            fsum(x != y for x, y in zip(u, v, strict=True)) / mpf(len(u))
        ),
        bounds=("0", "1"),
        metric=True,
    ),
    # Distances of samples
    Entry(
        "wasserstein_1d",
        OF_LINES,
        "measure",
        OF_LINE_WEIGHTS,
        options=({"p": 2.0},),
        bad=(*BAD_WEIGHTS, ({"p": 0.5}, "p must be .* at least 1, got 0.5")),
        exact=_moved,
    ),
    Entry(
        "energy_distance",
        OF_LINES,
        "measure",
        OF_LINE_WEIGHTS,
        bad=BAD_WEIGHTS,
        exact=_energy,
        slack=1e-15,
    ),
    Entry(
        "maximum_mean_discrepancy",
        OF_POINTS,
        "measure",
        options=(
            {"kernel": "laplacian"},
            {"kernel": "energy"},
            {"unbiased": True},
            {"bandwidth": 0.5},
        ),
        bad=(({"bandwidth": 0.0}, "bandwidth must be above 0, got 0.0"),),
        exact=_mean_discrepancy,
        slack=1e-15,
    ),
    *(
        Entry(
            name,
            _of_costs(*costs),
            "measure",
            SHARES,
            options=({"epsilon": 0.1},),
            bad=(
                ({"epsilon": 0.0}, "epsilon must be above 0, got 0.0"),
                ({"steps": 0}, "steps must be .* at least 1, got 0"),
            ),
            exact=exact,
            bounds=bounds,
            slack=1e-15,
            part=part,
        )
        for name, costs, exact, bounds, part in (
            ("sinkhorn", ("cost",), _entropic, ("0", "oo"), "value"),
            (
                "sinkhorn_divergence",
                ("cost", "cost_a", "cost_b"),
                _debiased,
                None,
                "",
            ),
        )
    ),
    # What becomes of the losses of the samples, and what goes into a loss
    Entry(
        "reduce",
        _one("values", REALS),
        "reduction",
        bounds=None,
    ),
    Entry(
        "effective_number_weight",
        _one("counts", TALLIES, (5,)),
        "weight",
        options=({"beta": 0.5},),
        bad=(({"beta": 1.0}, r"beta must be in \[0, 1\).*got 1.0"),),
        exact=_effective,
    ),
    Entry(
        "logit_adjustment",
        _one("counts", TALLIES, (5,)),
        "weight",
        options=({"tau": 0.5},),
        bad=(({"tau": -1.0}, f"tau {NOT_NEGATIVE}"),),
        exact=lambda counts, tau=1.0: [
            tau * log(x / fsum(counts)) for x in counts
        ],
        slack=1e-23,
        bounds=("-oo", "0"),
    ),
    Entry(
        "lambdarank_weight",
        OF_GRADES,
        "weight",
        optional={"mask": KEPT},
        exact=_swaps,
        bounds=("0", "1-log(2)/log(n+1)"),
    ),
    Entry(
        "smooth_labels",
        OF_CLASSES,
        "weight",
        options=({"label_smoothing": 1.0},),
        bad=_out_of_unit("label_smoothing"),
        exact=lambda z, t, label_smoothing=0.1: [
            (1 - mpf(label_smoothing)) * (k == t)
            + mpf(label_smoothing) / len(z)
            for k in range(len(z))
        ],
        bounds=("0", "1"),
    ),
]  # fmt: skip
TABLE = {entry.name: entry for entry in ENTRIES}


def of_kind(*kinds: Kind) -> list[str]:
    """Return the names of the entries of some kinds."""
    return [name for name, entry in TABLE.items() if entry.kind in kinds]


LOSSES = of_kind("loss")
IN_PYTORCH = [name for name in LOSSES if TABLE[name].torch]
DEPRECATED = {"size_average", "reduce"}
