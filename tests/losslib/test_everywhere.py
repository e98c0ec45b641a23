"""What holds of every function: the same checks over all entries of the registry.

Each kind of input on which a loss was once found wrong has its check here, for all losses that
share it. What one family needs beyond that stands in the tests of the family.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import losslib
from book.registry import (
    CLASSES,
    FLOATING,
    LOSSES,
    REALS,
    TABLE,
    Argument,
    Entry,
    per_sample,
)
from harness import (
    HALVES,
    JAX,
    NUMPY,
    REDUCTIONS,
    ROUND_OFF,
    TORCH,
    Backend,
    as_dtype,
    by_entry,
)

EAGER = [NUMPY, TORCH]
DIFFERENTIATED = {entry.name for entry in TABLE.values()} - {
    "effective_number_weight",
    "lambdarank_weight",
    "logit_adjustment",
    "smooth_labels",
}
close = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12)


def defined(entry: Entry) -> bool:
    return entry.exact is not None


def is_loss(entry: Entry) -> bool:
    return entry.kind == "loss"


def has_gradient(entry: Entry) -> bool:
    return entry.name in DIFFERENTIATED


def required(entry: Entry, arrays: dict[str, Any]) -> dict[str, Any]:
    return {key: arrays[key] for key in entry.form.arguments}


def on(backend: Backend, arrays: Any, dtype: str | None = None) -> Any:
    return {key: as_dtype(backend, x, dtype) for key, x in arrays.items()}


def each(entry: Entry) -> Any:
    """Return the function without its reduction."""
    if entry.takes("reduction"):
        return partial(entry.ours, reduction="none")
    return entry.ours


def value_and_slope(
    entry: Entry,
    backend: Backend,
    arrays: Any,
    *,
    constant: bool = False,
    **options: Any,
):
    """Return value and gradient in the first argument, in one program on JAX."""
    f = partial(each(entry), **options)
    x = arrays[entry.first]
    rest = {k: v for k, v in arrays.items() if k != entry.first}
    if backend is JAX:

        def both(x: Any, rest: Any) -> Any:
            got, pull = jax.vjp(
                lambda leaf: f(**{entry.first: leaf}, **rest), x
            )
            return got, pull(jnp.ones_like(got))[0]

        if constant:
            got, slope = jax.jit(lambda x: both(x, rest))(x)
        else:
            got, slope = jax.jit(both)(x, rest)
        return backend.numpy(got), backend.numpy(slope)
    if backend is NUMPY:
        return backend.numpy(f(**arrays)), None
    leaf = x.clone().requires_grad_()
    got = f(**{entry.first: leaf}, **rest)
    got.sum().backward()
    return backend.numpy(got), backend.numpy(leaf.grad)


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", EAGER, ids=lambda b: b.name)
@pytest.mark.parametrize("name", by_entry(defined))
def test_the_definition(backend, name) -> None:
    """In every shape and under every set of options, from mpmath."""
    entry = TABLE[name]
    for options in entry.tried:
        for shape in entry.form.shapes:
            if 0 in shape:
                continue
            arrays = required(entry, entry.draw(shape=shape))
            got = backend.numpy(
                each(entry)(**on(backend, arrays), **options)
            )
            expected = entry.exactly(arrays, shape, **options)
            if (
                expected.ndim == 1
                or len(shape) == 2
                or entry.form.inner == 2
            ):  # else rows along another axis
                close(got.ravel(), expected.ravel(), rtol=1e-11)


def furthest(entry: Entry, arrays: Any) -> float:
    return max(
        np.abs(x).max() for x in arrays.values() if x.dtype.kind == "f"
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", by_entry(defined))
def test_extremes(name, dtype) -> None:
    """To nearly all digits at 1e±30 too, on NumPy and PyTorch; in float32 what is tiny as well."""
    entry = TABLE[name]
    if name == "ctc_loss":
        pytest.skip("its alignments are many: test_ctc.py")
    eps = float(np.finfo(dtype).eps)
    for seed in range(8):
        arrays = required(entry, entry.draw(seed, extreme=True))
        rounded = {
            key: x.astype(dtype) if x.dtype.kind == "f" else x
            for key, x in arrays.items()
        }
        exact = {
            key: x.astype(np.float64) if x.dtype.kind == "f" else x
            for key, x in rounded.items()
        }
        for options in entry.tried:
            expected = entry.exactly(exact, **options)
            with np.errstate(over="ignore"):
                expected = expected.astype(dtype).astype(np.float64)
            slack = entry.slack / 2.2e-16 * eps * furthest(entry, exact)
            for backend in EAGER:
                beyond = "ignore" if np.isinf(expected).any() else "warn"
                with np.errstate(over=beyond):
                    got = each(entry)(**on(backend, rounded), **options)
                got = backend.numpy(got).reshape(expected.shape)
                tiny = float(np.finfo(dtype).tiny)
                both = np.isinf(expected) & (got == expected)
                error = np.abs(
                    np.where(both, 0, got) - np.where(both, 0, expected)
                )
                assert np.all(
                    error <= 50 * eps * np.abs(expected) + slack + tiny
                ), (seed, options, backend.name, got, expected)


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize(
    "name",
    by_entry(
        lambda e: has_gradient(e) and e.arguments[e.first].domain is REALS
    ),
)
def test_extreme_scores_have_slopes_that_are_numbers(name, size) -> None:
    entry = TABLE[name]
    for options in entry.tried:
        arrays = required(entry, entry.all)
        arrays[entry.first] = size * np.sign(arrays[entry.first])
        if name in ("poisson_nll_loss", "exponential_loss"):
            arrays[entry.first] = -size * np.abs(arrays["target"]) - size
            arrays["target"] = (
                -np.abs(arrays["target"])
                if "exp" in name
                else arrays["target"]
            )
        _, slope = value_and_slope(
            entry, TORCH, on(TORCH, arrays), **options
        )
        assert np.all(np.isfinite(slope)), options


# --- Dtypes, shapes, reductions ---------------------------------------------------------------


def sums_to_one(entry: Entry, key: str) -> bool:
    domain = entry.arguments[key].domain.name
    return "distributions" in domain and not domain.startswith("loga")


def summing_to_one(entry: Entry, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return what was rounded to halves with sums of 1, in float64 checked to more digits."""
    axes = (-2, -1) if entry.form.inner == 2 else (-1,)
    return {
        key: x / x.sum(axes, keepdims=True)
        if sums_to_one(entry, key)
        else x
        for key, x in arrays.items()
    }


@pytest.mark.parametrize("backend", EAGER, ids=lambda b: b.name)
@pytest.mark.parametrize("name", by_entry())
def test_every_dtype(backend, name) -> None:
    """The result is of the dtype of the input, and right to its digits."""
    entry = TABLE[name]
    for dtype in backend.floats:
        arrays = on(backend, required(entry, entry.all), dtype)
        got = entry.ours(**arrays)
        assert backend.dtype_of(got) == dtype
        exact = summing_to_one(
            entry, {key: backend.numpy(x) for key, x in arrays.items()}
        )
        np.testing.assert_allclose(
            backend.numpy(got),
            entry.ours(**exact),
            rtol=8 * ROUND_OFF[dtype],
            atol=8 * ROUND_OFF[dtype],
        )


@pytest.mark.parametrize("backend", EAGER, ids=lambda b: b.name)
@pytest.mark.parametrize("name", by_entry(is_loss))
def test_reductions_and_empty_batches(backend, name) -> None:
    """Sum and mean are those of the values; over no sample they are 0 and nan."""
    entry = TABLE[name]
    for shape in entry.form.shapes:
        arrays = required(entry, entry.draw(shape=shape))
        own = on(backend, arrays)
        values, total, mean = (
            backend.numpy(entry.ours(**own, reduction=r))
            for r in REDUCTIONS_
        )
        assert total.shape == mean.shape == ()
        close(total, values.sum())
        if name == "ctc_loss":
            values = values / arrays["target_lengths"]
        if name == "cox_loss":  # whose mean is over the events
            values = values[arrays["event"] == 1]
        if 0 in shape:
            assert values.size == 0
            assert np.isnan(mean)
        else:
            close(mean, values.mean())


REDUCTIONS_ = ("none", "sum", "mean")
assert set(REDUCTIONS_) == set(REDUCTIONS)


# --- Compilers --------------------------------------------------------------------------------


UNREAD = {
    ("nll_loss", "input"): "only the class of the target is read",
    ("sigmoid_focal_loss", "input"): "an alpha of 1 silences negatives",
    ("multilabel_margin_loss", "input"): "without a label, no pair",
    ("hinge_embedding_loss", "target"): "any other label counts as both",
    ("cosine_embedding_loss", "target"): "any other label has the loss 0",
    ("supervised_contrastive_loss", "target"): "nan is no other's label",
    ("circle_loss", "input"): "without a label, no pair",
    ("ctc_loss", "log_probs"): "classes outside the string, late frames",
    ("smooth_labels", "input"): "only its shape is read",
}


@pytest.mark.parametrize(
    ("name", "key"), by_entry(arrays=lambda entry: entry.form.arguments)
)
def test_a_nan_is_seen_wherever_it_stands(name, key) -> None:
    """A model that has become nan must not seem to fit."""
    entry = TABLE[name]
    arrays = required(entry, entry.all)
    if arrays[key].dtype.kind != "f":
        return
    lost = []
    for options in entry.tried:
        for place in range(arrays[key].size):
            x = arrays[key].copy()
            x.flat[place] = np.nan
            given = on(TORCH, arrays | {key: x})
            try:
                got = TORCH.numpy(each(entry)(**given, **options))
            except ValueError:
                continue
            if not np.isnan(got).any():
                lost.append((options, place))
    assert bool(lost) == ((name, key) in UNREAD), lost


@pytest.mark.parametrize("name", by_entry())
def test_a_tensor_without_values_has_a_shape(name) -> None:
    entry = TABLE[name]
    arrays = on(TORCH, required(entry, entry.all))
    real = each(entry)(**arrays)
    got = each(entry)(**{key: x.to("meta") for key, x in arrays.items()})
    assert got.device.type == "meta"
    assert (got.shape, got.dtype) == (real.shape, real.dtype)


LONG = [
    "brier_score",
    "cross_entropy",
    "entropy",
    "hellinger_distance",
    "jensen_shannon_divergence",
    "kl_divergence",
    "renyi_divergence",
]


@pytest.mark.parametrize("name", LONG)
def test_numpy_adds_along_any_axis_to_all_digits(name, rng) -> None:
    """Along all but the last it adds one by one: in float32, of many, to four digits or none."""
    p, q = rng.dirichlet(np.ones(300_000), (2, 1, 2)).astype("float32")
    first, second = np.swapaxes(p, 1, 2), np.swapaxes(q, 1, 2)
    loss, label = getattr(losslib, name), np.zeros((1, 2), dtype=int)
    if name == "entropy":
        f = partial(loss, axis=1)
    elif name == "cross_entropy":
        f = partial(loss, target=label, label_smoothing=0.5)
    elif name == "brier_score":
        f = partial(loss, target=label)
    else:

        def f(p: Any) -> Any:
            return loss(p, second.astype(p.dtype), axis=1)

    first = np.ascontiguousarray(first)
    expected = f(first.astype("float64"))
    np.testing.assert_allclose(f(first), expected, rtol=2e-6)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("binary_cross_entropy_with_logits", "weight"),
        ("binary_cross_entropy", "weight"),
        ("multilabel_soft_margin_loss", "weight"),
        ("sigmoid_focal_loss", "sample_weight"),
        ("mse_loss", "weight"),
    ],
)
def test_a_weight_of_0_has_no_gradient(name, key) -> None:
    """It is a mask: of what it hides nothing is known, not even how the loss would rise with it."""
    entry = TABLE[name]
    arrays = on(TORCH, required(entry, entry.all))
    weight = torch.ones_like(arrays[entry.first])
    weight[..., 0] = 0
    weight.requires_grad_()
    for reduction in ("sum", "mean"):
        loss = entry.ours(**arrays, **{key: weight}, reduction=reduction)
        (slope,) = torch.autograd.grad(loss, weight)
        assert not slope[..., 0].any()
        assert slope[..., 1:].any()


@pytest.mark.parametrize("eight", ["float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("name", by_entry())
def test_eight_bits(name, eight) -> None:
    """They are computed in float32, though PyTorch neither adds nor compares them."""
    entry, dtype = TABLE[name], getattr(torch, eight)
    arrays = on(TORCH, required(entry, entry.all))
    few = {
        key: x.to(dtype) if x.is_floating_point() else x
        for key, x in in_powers_of_two(entry, arrays).items()
    }
    more = {
        key: x.float() if x.dtype == dtype else x for key, x in few.items()
    }
    got, expected = each(entry)(**few), each(entry)(**more)
    floats = expected.is_floating_point()
    assert got.dtype == (dtype if floats else expected.dtype)
    np.testing.assert_array_equal(got.float(), expected.to(dtype).float())


def in_powers_of_two(
    entry: Entry, arrays: dict[str, Any]
) -> dict[str, Any]:
    """Return the arrays, where distributions have the shares ½, ¼, … in the order of theirs."""

    def shares(x: Any) -> Any:
        rows = x.reshape(*x.shape[: x.ndim - entry.form.inner], -1)
        each = 0.5 ** torch.arange(1.0, rows.shape[-1] + 1)
        each[-1] *= 2
        return each[(-rows).argsort(-1).argsort(-1)].reshape(x.shape)

    return {
        key: shares(x) if sums_to_one(entry, key) else x
        for key, x in arrays.items()
    }


SPARSE = {
    "a torch.sparse_coo": lambda x: x.to_sparse(),
    "a nested": lambda x: torch.nested.nested_tensor([x]),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("name", by_entry())
def test_a_tensor_that_is_not_dense_is_refused(name, kind) -> None:
    entry = TABLE[name]
    arrays = on(TORCH, required(entry, entry.all))
    for key, x in arrays.items():
        bad = arrays | {key: SPARSE[kind](x)}
        words = f"^{key} must be a dense tensor, got {kind} one$"
        with pytest.raises(TypeError, match=words):
            each(entry)(**bad)


@pytest.mark.parametrize("name", by_entry(has_gradient))
def test_one_program_of_jax(name) -> None:
    """Compiled by JAX, value and gradient are those of PyTorch, in two shapes.

    Once all arrays are arguments of the program, and once all but the first are constants in it.
    """
    entry = TABLE[name]
    for constant, shape in enumerate(entry.form.shapes[:2]):
        arrays = entry.draw(shape=shape)
        value, slope = value_and_slope(
            entry, JAX, on(JAX, arrays), constant=bool(constant)
        )
        theirs, its = value_and_slope(entry, TORCH, on(TORCH, arrays))
        close(value, theirs)
        close(slope, its)


@pytest.mark.parametrize("name", by_entry(has_gradient))
def test_one_graph_of_torch(compiled, name) -> None:
    entry = TABLE[name]
    f = compiled(each(entry), "aot_eager")
    found = []
    for call in (f, each(entry)):
        tensors = on(TORCH, entry.all)
        leaf = tensors[entry.first].requires_grad_()
        value = call(**tensors)
        value.sum().backward()
        found.append((value, leaf.grad))
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", by_entry(has_gradient))
def test_finite_differences(name) -> None:
    """First and second derivatives in every floating argument that is required."""
    entry = TABLE[name]
    tensors = on(TORCH, required(entry, entry.all))
    leaves = [
        key
        for key in tensors
        if entry.arguments[key].domain.dtype == FLOATING
        and not (name == "smooth_labels" or entry.kind == "measure")
        and name != "brier_score"
        and (name, key) != ("beta_nll", "var")  # its weight is held
    ]
    if not leaves:
        pytest.skip("its argument sums to 1: the tests of its family")
    for key in leaves:
        tensors[key].requires_grad_()

    def f(*xs: Any) -> Any:
        return each(entry)(
            **{**tensors, **dict(zip(leaves, xs, strict=True))}
        )

    given = tuple(tensors[key] for key in leaves)
    assert torch.autograd.gradcheck(f, given)
    if name != "zero_one_loss":  # whose zeros have no second gradient
        assert torch.autograd.gradgradcheck(f, given)


def mapped(entry: Entry) -> dict[str, int | None]:
    return {key: x.axis for key, x in entry.arguments.items()}


@pytest.mark.parametrize(
    "name", by_entry(lambda e: is_loss(e) or e.kind == "measure")
)
def test_vmap(name) -> None:
    """Mapped over the samples, by PyTorch and by JAX."""
    entry = TABLE[name]
    axes, expected = mapped(entry), each(entry)(**entry.all)
    names = list(entry.all)

    def f(*xs: Any) -> Any:
        return each(entry)(**dict(zip(names, xs, strict=True)))

    spread = tuple(axes[key] for key in names)
    for backend, vmap in ((TORCH, torch.func.vmap), (JAX, jax.vmap)):
        xs = on(backend, entry.all).values()
        f_mapped = vmap(f, spread)
        if backend is JAX:
            f_mapped = jax.jit(f_mapped)
        close(backend.numpy(f_mapped(*xs)), expected)


# --- Autocast ---------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["half", "float32"])
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", by_entry(has_gradient))
def test_inside_autocast(name, half, given) -> None:
    """Of many samples, right to the digits of what comes in: sums are not taken in halves."""
    entry = TABLE[name]
    dtype = getattr(torch, half)
    arrays = many(entry, 2048)
    own = on(TORCH, arrays, half if given == "half" else "float32")
    exact = summing_to_one(
        entry,
        {
            key: x.double() if x.is_floating_point() else x
            for key, x in own.items()
        },
    )
    leaf = own[entry.first].requires_grad_()
    truth = exact[entry.first].requires_grad_()
    with torch.autocast("cpu", dtype):
        got = entry.ours(**own)
    expected = entry.ours(**exact)
    assert got.dtype == leaf.dtype
    digits = ROUND_OFF[half if given == "half" else "float32"]
    near = partial(np.testing.assert_allclose, rtol=8 * digits)
    near(got.detach().double(), expected.detach(), atol=8 * digits)
    pull = torch.linspace(0.5, 1.5, expected.numel()).reshape(
        expected.shape
    )
    got.backward(pull.to(got.dtype))
    expected.backward(pull.double())
    scale = float(truth.grad.abs().max())
    near(leaf.grad.double(), truth.grad, atol=8 * digits * scale)


def many(entry: Entry, times: int) -> dict[str, np.ndarray]:
    """Return the required arrays, their samples many times over."""
    found = {}
    for key in entry.form.arguments:
        x, axis = entry.all[key], entry.arguments[key].axis
        if axis is None or entry.kind in ("weight", "link", "measure"):
            found[key] = x
            continue
        repeats = [1] * x.ndim
        repeats[axis] = times if entry.name != "ctc_loss" else 64
        found[key] = np.tile(x, repeats)
    return found


# --- Classes that cannot be looked at ---------------------------------------------------------

PICKS = [
    name
    for name in [*LOSSES, "smooth_labels"]
    if TABLE[name].of_dtype(CLASSES)
]


def outside(entry: Entry) -> list[int]:
    few = -2 if entry.name == "multilabel_margin_loss" else -1
    return [few, 255, entry.n_classes]


@pytest.mark.parametrize("how", ["compile", "vmap", "jit"])
@pytest.mark.parametrize("name", by_entry(lambda e: e.name in PICKS))
def test_a_class_out_of_range_that_nobody_sees(compiled, name, how) -> None:
    """Where a compiler hides the classes a wrong one gives nan, and the other samples are right."""
    entry = TABLE[name]
    arrays = required(entry, entry.all)
    key = entry.of_dtype(CLASSES)[0]
    floats = {k: x for k, x in arrays.items() if k != key}
    expected = each(entry)(**arrays)
    f = each(entry)
    if how == "compile":
        f = compiled(f, "aot_eager")
    for bad in outside(entry):
        labels = arrays[key].copy()
        labels[0, ...] = np.where(
            np.arange(labels[0].size) == 0, bad, labels[0]
        )
        backend = JAX if how == "jit" else TORCH
        own = on(backend, {**floats, key: labels})
        if (
            name == "smooth_labels"
        ):  # no loss: the scores only give the shape
            run = {"jit": jax.jit, "vmap": torch.func.vmap}.get(how)
            hidden = run(lambda x, y: f(x, y)) if run else f
            got = backend.numpy(hidden(*own.values()))
            assert np.all(np.isnan(got[0]))
            continue
        if how == "jit":
            got, slope = value_and_slope(entry, JAX, own)
        elif how == "compile":
            leaf = own[entry.first].requires_grad_()
            got = f(**own)
            got.sum().backward()
            got, slope = TORCH.numpy(got), leaf.grad.numpy()
        else:
            axes = mapped(entry)
            names = list(own)

            def one(*xs: Any, names: list[str] = names) -> Any:
                return each(entry)(
                    **dict(zip(names, xs, strict=True))
                ).sum()

            spread = tuple(axes[k] for k in names)
            at = names.index(entry.first)
            got = torch.func.vmap(one, spread)(*own.values()).numpy()
            axis = axes[entry.first]
            slope = torch.func.vmap(torch.func.grad(one, at), spread, axis)(
                *own.values()
            ).numpy()
        rest = slope.swapaxes(0, 1) if name == "ctc_loss" else slope
        assert np.isnan(got[0]), (bad, got)
        assert np.any(np.isnan(rest[0])), (bad, rest)
        close(got[1:], expected[1:])
        assert np.all(np.isfinite(rest[1:]))


# --- What is ignored, and what has no weight --------------------------------------------------

JUNK = [np.nan, -np.inf, np.inf]


def silenced(entry: Entry, key: str) -> tuple[dict[str, Any], Any]:
    """Return all arrays with the first sample taken out, and where in the first array it lies."""
    arrays = dict(entry.all)
    at: Any = 0
    if key == "ignore_index":
        target = arrays["target"].copy()
        target[0] = -100
        return {**arrays, "target": target}, at
    x = arrays[key].copy()
    argument: Argument = entry.arguments[key]
    if argument.axis is None:  # one for each class, or for each label
        if "target" in arrays and entry.of_dtype(CLASSES):
            x[arrays["target"][0]] = 0
            at = arrays["target"] == arrays["target"][0]
        else:
            x[0], at = 0, (..., 0)
    else:
        x[0] = 0
    return {**arrays, key: x}, at


def silent(entry: Entry) -> list[str]:
    """Return by which of its arguments a loss leaves a sample out."""
    named = [
        key
        for key in ("weight", "sample_weight", "mask")
        if key in entry.optional
    ]
    return named + ["ignore_index"] * entry.takes("ignore_index")


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize(
    "backend", [NUMPY, TORCH, JAX], ids=lambda b: b.name
)
@pytest.mark.parametrize(("name", "key"), by_entry(is_loss, silent))
def test_what_counts_nowhere_may_hold_anything(
    backend, name, key, junk
) -> None:
    """An ignored sample and a weight of 0 silence value, gradient and NumPy's warnings."""
    entry = TABLE[name]
    arrays, at = silenced(entry, key)
    options = (
        {"ignore_index": -100}
        if key == "ignore_index" and entry.takes(key)
        else {}
    )
    expected, slope = value_and_slope(
        entry, TORCH, on(TORCH, arrays), **options
    )
    if not (name == "binary_cross_entropy" and np.isinf(junk)):
        first = arrays[entry.first].copy()
        first[at] = junk
        if name == "binary_cross_entropy":
            pytest.skip("a probability that is none is refused")
        arrays = {**arrays, entry.first: first}
    got, its = value_and_slope(
        entry, backend, on(backend, arrays), **options
    )
    if expected.ndim and expected.shape == arrays[entry.first].shape:
        assert np.all(expected[at] == 0)
    close(got, expected)
    if its is not None:
        close(its, slope)
        assert np.all(its[at] == 0)
    got = backend.numpy(entry.ours(**on(backend, arrays), **options))
    assert np.all(np.isfinite(got))


# --- Kinks and ties ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_entry(has_gradient))
def test_one_slope_at_kinks_and_ties(name) -> None:
    """At 0, where the two arguments are equal and where all are 1, JAX has PyTorch's slope."""
    entry = TABLE[name]
    arrays = required(entry, entry.all)
    if entry.arguments[entry.first].domain is not REALS:
        pytest.skip("its argument is a probability")
    ties = [np.zeros_like(entry.arrays[entry.first])]
    ties.append(ties[0] + 1)
    if len(arrays) > 1:
        second = list(arrays.values())[1]
        if second.shape == ties[0].shape and second.dtype.kind == "f":
            ties.append(second)
    options = [o for o in entry.tried if o.get("beta") != 1e-25]
    for first in ties:
        own = {**arrays, entry.first: first}
        for option in options[:3]:
            slopes = [
                value_and_slope(entry, b, on(b, own), **option)[1]
                for b in (TORCH, JAX)
            ]
            assert np.all(np.isfinite(slopes[0]))
            close(*slopes, err_msg=str(option))


@pytest.mark.parametrize("backend", [TORCH, JAX], ids=lambda b: b.name)
def test_the_slope_of_a_size_is_0_at_0(backend) -> None:
    x = backend.array(np.zeros(3))
    for f in (
        losslib.l1_penalty,
        partial(losslib.l1_loss, target=x, reduction="sum"),
        partial(
            losslib.smooth_l1_loss, target=x, reduction="sum", beta=0.0
        ),
    ):
        np.testing.assert_array_equal(backend.gradient(f, x), np.zeros(3))


# --- Never negative ---------------------------------------------------------------------------


@pytest.mark.parametrize("backend", EAGER, ids=lambda b: b.name)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("gap", [1e-4, 1e-6])
@pytest.mark.parametrize(
    "name", ["kl_divergence", "mutual_information", "cosine_embedding_loss"]
)
def test_never_negative_near_its_minimum(backend, dtype, gap, name) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 2000)
    q = p * (1 + gap * rng.normal(size=p.shape))
    q /= q.sum(-1, keepdims=True)
    if name == "mutual_information":
        arrays = [p[:, :, None] * q[::-1, None, :]]
    elif name == "cosine_embedding_loss":
        arrays = [p, 3 * q, np.ones(2000)]
    else:
        arrays = [p, q]
    own = [as_dtype(backend, x, dtype) for x in arrays]
    option = {"reduction": "none"} if "loss" in name else {}
    got = backend.numpy(getattr(losslib, name)(*own, **option))
    assert got.min() >= 0
    assert got.max() <= 0.01


def test_every_array_of_the_family_is_in_the_registry() -> None:
    """An array that a loss can do without is in its entry."""
    known = {"weight", "pos_weight", "linear_bias", "sample_weight", "mask"}
    for name in LOSSES:
        parameters = set(inspect.signature(TABLE[name].ours).parameters)
        assert parameters & known <= set(TABLE[name].arguments), name
    assert per_sample((4, 3, 2)) == (4, 2)
