"""The registry is whole, and what it claims of a function is true of it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import sympy
import torch
import torch.nn.functional as F  # noqa: N812

import losslib
from book.registry import (
    LOSSES,
    REALS,
    SIGNS,
    TABLE,
    Entry,
)
from harness import by_entry

DRAWS = 300
SIZES = (0.001, 0.1, 1.0, 3.0, 10.0, 100.0)


def of(expression: str, entry: Entry) -> float:
    """Return the number that a claim stands for, for the classes of the usual arrays."""
    n = entry.n_classes
    if entry.kind == "penalty":
        n = entry.arrays[entry.first].size
    return float(sympy.sympify(expression, locals={"n": sympy.Integer(n)}))


def one_sample(entry: Entry, seed: int, size: float) -> dict:
    """Return the arrays of a sample of its own, drawn at random."""
    shape = entry.form.shapes[0]
    if entry.arguments[entry.first].axis:  # of samples: the second
        shape = (shape[0], 1, *shape[2:])
    elif entry.kind != "penalty":
        shape = (1, *shape[1:]) if entry.form.inner else ()
    drawn = entry.draw(seed, shape, size)
    return {key: drawn[key] for key in entry.form.arguments}


def value(entry: Entry, **arrays):
    """Return what a function gives, summed where it is more than one number."""
    return entry.ours(**arrays, **unreduced(entry)).sum()


def unreduced(entry: Entry) -> dict:
    return {"reduction": "none"} if entry.takes("reduction") else {}


def slope(entry: Entry, arrays) -> np.ndarray:
    tensors = {key: torch.tensor(x) for key, x in arrays.items()}
    leaf = tensors[entry.first].requires_grad_()
    value(entry, **tensors).backward()
    return leaf.grad.numpy()


# --- Whole ------------------------------------------------------------------------------------


def test_every_public_function_has_an_entry() -> None:
    missing = sorted(set(losslib.__all__) - set(TABLE))
    assert not missing, f"no Entry in book/src/book/registry.py: {missing}"
    extra = sorted(set(TABLE) - set(losslib.__all__))
    assert not extra, f"an Entry, but not in losslib.__all__: {extra}"
    for entry in TABLE.values():
        assert inspect.unwrap(entry.ours) is inspect.unwrap(
            getattr(losslib, entry.name)
        )
        parameters = inspect.signature(entry.ours).parameters
        assert set(entry.arguments) <= set(parameters), entry.name
        required = [
            name for name, p in parameters.items() if p.default is p.empty
        ]
        assert list(entry.form.arguments) == required, entry.name


def test_every_loss_of_pytorch_has_an_entry() -> None:
    there = {
        name
        for name in dir(F)
        if callable(getattr(F, name))
        and (name.endswith(("_loss", "cross_entropy", "kl_div")) or "cross_entropy_with" in name)
    }  # fmt: skip
    named = {TABLE[name].theirs for name in LOSSES if TABLE[name].torch}
    assert {getattr(F, name) for name in there} == named
    assert len(named) == 22


def test_the_registry_needs_no_array_library_but_numpy() -> None:
    code = (
        "import sys, book.registry as r; assert not {'torch', 'jax', 'pytest'} & set(sys.modules);"
        "r.TABLE['cross_entropy'].draw()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_loss_is_defined_and_has_its_options_refused() -> None:
    """Each option that is a number is refused somewhere, unless any number is good."""
    free = {"margin", "ignore_index", "blank", "zero_infinity"}
    for name in LOSSES:
        entry = TABLE[name]
        assert entry.exact is not None, name
        named = {key for changes, _ in entry.bad for key in changes}
        for key, p in inspect.signature(entry.ours).parameters.items():
            number = isinstance(p.default, int | float)
            if number and not isinstance(p.default, bool):
                assert key in named | free | {"eps"}, (name, key)


# --- True -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_entry(lambda e: e.bounds is not None))
def test_bounds(name) -> None:
    """No value lies outside, and some come near each end."""
    entry = TABLE[name]
    low, high = (of(end, entry) for end in entry.bounds)
    found = []
    for seed in range(DRAWS):
        one, other = (
            entry.draw(seed, size=SIZES[k % len(SIZES)])
            for k in (seed, seed // len(SIZES))
        )
        arrays = {
            key: (one if x.domain is REALS else other)[key]
            for key, x in entry.form.arguments.items()
        }
        found.append(np.ravel(entry.ours(**arrays, **unreduced(entry))))
    found = np.concatenate(found)
    slack = 1e-12 * (1 + np.abs(found))
    assert np.all((found >= low - slack) & (found <= high + slack)), (
        f"claimed bounds {low:g} to {high:g}, found {found.min()} to {found.max()}"
    )
    if np.isfinite(low):
        assert found.min() <= low + 0.05 * (1 + abs(low))
    if np.isfinite(high):
        assert found.max() >= 0.8 * high if high else found.max() >= -0.05


def segment(entry: Entry, keys, seed: int):
    size = SIZES[2 + seed % 3]
    a = one_sample(entry, seed, size)
    b = a | {
        key: one_sample(entry, seed + 10_000, size)[key] for key in keys
    }
    share = np.random.default_rng(seed).random()
    between = {key: share * a[key] + (1 - share) * b[key] for key in keys}
    middle = value(entry, **{**a, **between})
    ends = share * value(entry, **a) + (1 - share) * value(entry, **b)
    return middle, ends


@pytest.mark.parametrize("name", by_entry(lambda e: e.convex))
def test_convex_on_random_segments(name) -> None:
    entry = TABLE[name]
    for seed in range(DRAWS):
        middle, ends = segment(entry, entry.convex, seed)
        assert middle <= ends + 1e-10 * (1 + abs(ends)), (
            f"claimed convex in {entry.convex}, is not on the segment of seed {seed}"
        )


@pytest.mark.parametrize(
    "name", by_entry(lambda e: not e.convex and e.kind == "loss")
)
def test_not_convex_on_some_segment(name) -> None:
    entry = TABLE[name]
    for seed in range(20 * DRAWS):
        middle, ends = segment(entry, [entry.first], seed)
        if middle > ends + 1e-12 * (1 + abs(ends)):
            return
    pytest.fail(f"{name} is convex on every segment")


def steepness(entry: Entry):
    """Yield the sum of the sizes of the slopes, and of a difference over a short step."""
    for seed in range(4 * DRAWS):
        size = SIZES[seed % len(SIZES)]
        arrays = one_sample(entry, seed, size)
        yield np.abs(slope(entry, arrays)).sum()
        if arrays[entry.first].size == 1:
            x = arrays[entry.first]
            step = 1e-6 * x
            ends = (
                value(entry, **{**arrays, entry.first: end})
                for end in (step, -step)
            )
            if (
                x > 0
                and entry.arguments[entry.first].domain.name
                == "real numbers"
            ):
                yield abs(float(np.subtract(*ends))) / (2 * step)


@pytest.mark.parametrize("name", by_entry(lambda e: e.lipschitz))
def test_lipschitz_constant(name) -> None:
    """It is never passed, and it is reached: within a tenth, by chance."""
    entry = TABLE[name]
    most, constant = max(steepness(entry)), of(entry.lipschitz, entry)
    says = f"claimed Lipschitz constant {constant:g}, steepest slope found {most:g}"
    if np.isinf(constant):
        assert most > 100, says
    else:
        assert 0.9 * constant <= most <= constant * (1 + 1e-4), says


def expected(entry: Entry, y: np.ndarray, scores: np.ndarray) -> float:
    """Return the expected loss of scores, with targets of the distribution `y`."""
    if entry.each:
        low = -1.0 if entry.arguments["target"].domain is SIGNS else 0.0
        pair = entry.ours(
            np.array([scores, scores]),
            np.array([1.0, low]),
            reduction="none",
        )
        return float(pair @ np.array([y, 1 - y]))
    n = len(y)
    rows = np.tile(scores, (n, 1))
    return float(y @ entry.ours(rows, np.arange(n), reduction="none"))


def others(entry: Entry, y, rng):
    """Yield the scores of other distributions, near and far."""
    for step in (1e-2, 0.1, 0.5):
        for _ in range(20):
            move = np.exp(step * rng.normal(size=np.shape(y) or (2,)))
            if entry.each:
                a, b = y * move[0], (1 - y) * move[1]
                yield entry.scores(a / (a + b))
            else:
                q = y * move
                yield entry.scores(q / q.sum())


@pytest.mark.parametrize("name", by_entry(lambda e: e.proper is not None))
def test_proper_or_not(name) -> None:
    """The expected loss is least at the truth and nowhere else; or not, for some truth."""
    entry, rng = TABLE[name], np.random.default_rng(5)
    for _ in range(40):
        y = rng.dirichlet(np.ones(3) * 2)
        y = y[0] if entry.each else y
        best = expected(entry, y, entry.scores(y))
        values = np.array(
            [expected(entry, y, z) for z in others(entry, y, rng)]
        )
        if entry.proper:
            assert np.all(values > best), (
                f"claimed proper; with the truth {y} other scores cost no more"
            )
        elif np.any(values <= best):
            return
    assert entry.proper, (
        "claimed not proper; for 40 truths the true scores were best"
    )


def broken_axiom(entry: Entry, seed: int) -> str:
    """Say which axiom of a metric three vectors break, or nothing."""
    size = SIZES[seed % len(SIZES)]
    drawn = one_sample(entry, seed, size)
    a, b = (drawn.pop(key) for key in list(drawn)[:2])
    c = one_sample(entry, seed + 10_000, size)[entry.first]

    def apart(x, y) -> float:
        return entry.ours(x, y, **drawn).item()

    slack = 1 + 1e-12
    if apart(a, a) or (apart(a, b) == 0 and np.any(a != b)):
        return "0 between a vector and itself alone"
    if abs(apart(a, b) - apart(b, a)) > 1e-12 * apart(a, b):
        return "symmetry"
    if apart(a, c) > (apart(a, b) + apart(b, c)) * slack:
        return "the triangle inequality"
    return ""


@pytest.mark.parametrize("name", by_entry(lambda e: e.metric is not None))
def test_metric_or_not(name) -> None:
    """The axioms hold for random triples; or some triple breaks the triangle inequality."""
    entry = TABLE[name]
    found = {broken_axiom(entry, seed) for seed in range(DRAWS)} - {""}
    if entry.metric:
        assert not found, f"claimed a metric, but {found} fails"
    else:
        assert found == {"the triangle inequality"}, found


def test_what_is_a_distance_says_so() -> None:
    distances = {name for name in TABLE if name.endswith("_distance")}
    distances.remove(
        "energy_distance"
    )  # of samples: 0 between two orders of one
    claimed = {name for name, e in TABLE.items() if e.metric is not None}
    assert distances <= claimed
