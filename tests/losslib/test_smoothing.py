from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness import (
    BY_DTYPE,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    SHAPES,
    TORCH,
    as_dtype,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    confidence_penalty_loss,
    cross_entropy,
    smooth_labels,
)

penalised = confidence_penalty_loss

CASES = [
    pytest.param(penalised, {}, id="penalty"),
    pytest.param(penalised, {"beta": 1.5}, id="strong-penalty"),
]


def problem(shape=(4, 3)):
    rng = np.random.default_rng(0)
    of_target = shape[:1] * (len(shape) > 1) + shape[2:]
    return [
        2 * rng.normal(size=shape),
        np.asarray(rng.integers(3, size=of_target)),
    ]


def theirs(loss, z, t, **options):
    """Return the same loss, unreduced, from operators of PyTorch and SciPy alone."""
    axis = min(z.ndim - 1, 1)
    rows = z.movedim(axis, -1)
    predicted = torch.distributions.Categorical(
        logits=rows, validate_args=False
    )
    surprise = F.cross_entropy(z, t, reduction="none")
    return surprise - options.get("beta", 0.1) * predicted.entropy()


def agrees(backend, dtype, loss, arrays, options, reduction="mean") -> None:
    z, t = (as_dtype(backend, x, dtype) for x in arrays)
    got = loss(z, t, **options, reduction=reduction)
    assert backend.dtype_of(got) == dtype
    leaf = torch.tensor(backend.numpy(z), requires_grad=True)
    expected = theirs(loss, leaf, torch.tensor(arrays[1]), **options)
    if reduction != "none":
        expected = getattr(expected, reduction)()
    assert tuple(got.shape) == tuple(expected.shape)
    close = partial(
        np.testing.assert_allclose,
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )
    close(backend.numpy(got), expected.detach())
    if backend.name == "numpy":
        return
    expected.sum().backward()
    f = lambda x: loss(x, t, **options, reduction=reduction)  # noqa: E731
    close(backend.gradient(f, z), leaf.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape(backend, loss, options, reduction) -> None:
    for shape in SHAPES if reduction == "none" else [(4, 3, 2), (0, 3)]:
        agrees(backend, "float64", loss, problem(shape), options, reduction)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype(backend, dtype, loss, options) -> None:
    agrees(backend, dtype, loss, problem(), options)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    differentiates_and_traces(loss, problem(), 1, options)


@pytest.mark.parametrize(("loss", "options"), [c.values for c in CASES])
def test_compiled_by_torch(compiled, loss, options) -> None:
    compiles(compiled, loss, problem(), options)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_target_dtype(backend, loss, options, dtype) -> None:
    z, t = problem()
    got = loss(backend.array(z), backend.array(t, dtype), **options)
    np.testing.assert_allclose(
        backend.numpy(got), loss(z, t, **options), rtol=1e-14
    )


# --- The target -------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.35, 1.0])
def test_the_target_that_pytorch_aims_at(backend, dtype, epsilon) -> None:
    """Its cross-entropy pulls by prediction minus target, so its gradient tells the target."""
    for shape in SHAPES:
        z, t = problem(shape)
        leaf = torch.tensor(z, requires_grad=True)
        loss = F.cross_entropy(
            leaf, torch.tensor(t), label_smoothing=epsilon, reduction="sum"
        )
        loss.backward()
        axis = min(len(shape) - 1, 1)
        expected = torch.softmax(leaf, axis).detach() - leaf.grad
        scores, target = backend.array(z, dtype), backend.array(t)
        got = smooth_labels(scores, target, epsilon)
        assert backend.dtype_of(got) == dtype
        np.testing.assert_allclose(
            backend.numpy(got),
            expected,
            rtol=ROUND_OFF[dtype],
            atol=1e-15,
        )


def test_the_target_of_a_thousand_classes(backend) -> None:
    y = smooth_labels(
        backend.array(np.zeros(1000)), backend.array(np.asarray(7)), 0.1
    )
    y = backend.numpy(y)
    np.testing.assert_allclose(y[7], 0.9001, rtol=1e-14)
    np.testing.assert_allclose(np.delete(y, 7), 0.0001, rtol=1e-14)
    np.testing.assert_allclose(y.sum(), 1.0)


def test_the_target_when_compiled_or_traced(compiled) -> None:
    import jax

    z, t = problem()
    expected = smooth_labels(z, t)
    tensors = [TORCH.array(x) for x in (z, t)]
    close = partial(np.testing.assert_allclose, rtol=1e-15)
    close(compiled(smooth_labels)(*tensors), expected)
    close(torch.func.vmap(smooth_labels)(*tensors), expected)
    close(jax.jit(smooth_labels)(z, t), expected)
    close(jax.vmap(smooth_labels)(z, t), expected)


@given(
    z=arrays(float, (5, 4), elements=st.floats(-30, 30)),
    t=arrays(int, 5, elements=st.integers(0, 3)),
    epsilon=st.floats(0, 1),
)
def test_smoothing_twice_is_smoothing_once(z, t, epsilon) -> None:
    """Cross-entropy to the smooth target is cross-entropy smoothed, and never below its entropy."""
    y = smooth_labels(z, t, epsilon)
    by_target = cross_entropy(z, y, reduction="none")
    by_option = cross_entropy(
        z, t, label_smoothing=epsilon, reduction="none"
    )
    np.testing.assert_allclose(by_target, by_option, rtol=1e-9, atol=1e-12)
    floor = scipy.special.entr(y).sum(axis=1)
    assert np.all(by_target >= floor - 1e-9)
    at_target = cross_entropy(np.log(np.maximum(y, 1e-300)), y)
    np.testing.assert_allclose(at_target, floor.mean(), atol=1e-9)


# --- The laws ---------------------------------------------------------------------------------

SCORES = arrays(float, (5, 4), elements=st.floats(-30, 30))
TARGETS = arrays(int, 5, elements=st.integers(0, 3))


@given(z=SCORES, t=TARGETS, beta=st.floats(0, 3))
def test_the_penalty_is_the_reverse_kl_to_uniform(z, t, beta) -> None:
    p = scipy.special.softmax(z, axis=1)
    reverse = scipy.special.rel_entr(p, 1 / 4).sum(axis=1)
    expected = F.cross_entropy(
        torch.tensor(z), torch.tensor(t), reduction="none"
    )
    got = penalised(z, t, beta=beta, reduction="none")
    np.testing.assert_allclose(
        got + beta * np.log(4),
        expected.numpy() + beta * reverse,
        rtol=1e-9,
        atol=1e-9,
    )
    assert np.all(got >= -beta * np.log(4) - 1e-9)


# --- Far out ----------------------------------------------------------------------------------


def exact(loss, z, t, **options):
    """Return a loss of two scores with fifty digits."""
    with mpmath.workdps(50):
        a, b = (mpmath.mpf(float(x)) for x in (z[t], z[1 - t]))
        log_p = [-mpmath.log1p(mpmath.exp(-d)) for d in (a - b, b - a)]
        p = [mpmath.exp(x) for x in log_p]
        doubt = -sum(map(mpmath.fmul, p, log_p))
        return float(-log_p[0] - mpmath.mpf(0.1) * doubt)


@pytest.mark.parametrize("lead", [-1e30, -1e4, -700, -20, 3, 20, 1e4, 1e30])
@pytest.mark.parametrize(("loss", "options"), [(penalised, {})])
def test_far_out(backend, loss, options, lead) -> None:
    z = np.array([lead, 0.0])
    arrays = backend.array(z), backend.array(np.asarray(0))
    got = backend.numpy(loss(*arrays, **options))
    np.testing.assert_allclose(
        got, exact(loss, z, 0, **options), rtol=1e-14, atol=3e-16
    )
    if backend.name == "numpy":
        return
    gradient = backend.gradient(
        lambda x: loss(x, arrays[1], **options), arrays[0]
    )
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(), 0.0, atol=1e-15)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_a_class_that_cannot_happen(differentiable, loss, options) -> None:
    """A masked logit that is not the target changes nothing and gets no gradient."""
    z, t = problem()
    wide = np.concatenate([z, np.full((4, 1), -np.inf)], axis=1)
    f = partial(loss, target=differentiable.array(t), **options)
    got = f(differentiable.array(wide))
    np.testing.assert_allclose(
        differentiable.numpy(got), loss(z, t, **options), rtol=1e-14
    )
    slope = differentiable.gradient(f, differentiable.array(wide))
    plain = differentiable.gradient(f, differentiable.array(z))
    np.testing.assert_allclose(slope[:, :3], plain, atol=1e-15)
    np.testing.assert_array_equal(slope[:, 3], 0.0)


def test_strides_do_not_matter(backend) -> None:
    z, t = problem()
    wide = backend.array(np.repeat(z, 2, axis=1))[:, ::2]
    labels = backend.array(np.repeat(t, 2))[::2]
    for case in CASES:
        loss, options = case.values
        np.testing.assert_allclose(
            backend.numpy(loss(wide, labels, **options)),
            loss(z, t, **options),
            rtol=1e-14,
        )


# --- Mistakes ---------------------------------------------------------------------------------

Z, T = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, 3.0]]), np.array([0, 2])
EVERY = [smooth_labels, penalised]


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((Z.tolist(), T), "input must be an array .*list"),
        ((Z, 0), "target must be an array .*int"),
        ((T, T), "input .*dtype, got .*int64"),
        ((Z, T * 1.0), "target .*dtype, got .*float64"),
        ((Z, T + 1), "target .*0 … 2, got 3"),
        ((Z, T - 1), "target .*0 … 2, got -1"),
        ((Z, T - 100), "target .*0 … 2, got -100"),
        ((Z, T[:1]), r"target .*\(2,\).*got \(1,\)"),
        ((Z[0, 0], T[0]), r"input .*at least one axis.*\(\)"),
    ],
)
def test_mistakes_are_named(backend, loss, args, words) -> None:
    refuses(backend, loss, args, {}, words)


@pytest.mark.parametrize(
    ("loss", "options", "words"),
    [
        (smooth_labels, {"label_smoothing": -0.1}, r"label_sm.*got -0\.1"),
        (smooth_labels, {"label_smoothing": 1.1}, r"label_sm.*got 1\.1"),
        (smooth_labels, {"label_smoothing": np.nan}, "label_sm.*got nan"),
        (penalised, {"beta": -0.1}, r"beta .*at least 0, got -0\.1"),
        (penalised, {"beta": np.nan}, "beta .*at least 0, got nan"),
        *(
            (f, {"reduction": "avg"}, "reduction .*'avg'")
            for f in EVERY[1:]
        ),
    ],
)
def test_options_out_of_range(backend, loss, options, words) -> None:
    refuses(backend, loss, (Z, T), options, words)
