"""What every loss that picks a class owes: silence, nan where a label is hidden, all digits."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch

import losslib
from harness import JAX, TORCH, Backend
from losslib import (
    arcface_loss,
    asymmetric_loss,
    cross_entropy,
    focal_loss,
    linear_cross_entropy,
    multilabel_categorical_cross_entropy,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    poly_loss,
    sigmoid_focal_loss,
)

RNG = np.random.default_rng(5)
Z, T = 2 * RNG.normal(size=(4, 3)), np.array([0, 2, 1, 1])
W, V = np.array([0.5, 2.0, 1.5]), RNG.normal(size=(3, 3))
SHARE = np.array([1.0, 0.25, 2.0, 0.5])
IGNORING = [cross_entropy, nll_loss, focal_loss, poly_loss]
INDEXED = [
    *IGNORING,
    losslib.multi_margin_loss,
    losslib.generalized_cross_entropy,
    losslib.symmetric_cross_entropy,
    losslib.bootstrap_loss,
    losslib.confidence_penalty_loss,
]
ON_LAYERS = [
    arcface_loss,
    losslib.cosface_loss,
    losslib.l_softmax_loss,
    losslib.a_softmax_loss,
]


def linear(x: Any, t: Any, w: Any, **options: Any) -> Any:
    return linear_cross_entropy(x, w, t, chunk_size=2, **options)


def of_scores(backend: Backend, loss: Any) -> Any:
    """Return a loss of features and labels; those that have a layer get one."""
    if loss in INDEXED:
        return loss
    return lambda x, t, **options: loss(x, t, backend.array(V), **options)


EVERY = [*INDEXED, *ON_LAYERS, linear]


# --- A bad label that cannot be looked at -----------------------------------------------------


@pytest.mark.parametrize("label", [-1, 3, 255, -100])
@pytest.mark.parametrize("loss", EVERY)
def test_a_hidden_bad_label_gives_nan(loss, label) -> None:
    """In loss and gradient, under `vmap` and `jit`; the other samples are as they were."""
    if label == -100 and (loss in IGNORING or loss is linear):
        return
    t = np.where(T == 2, label, T)
    for backend in (TORCH, JAX):
        f = partial(of_scores(backend, loss), reduction="none")
        x, labels = backend.array(Z), backend.array(t)
        if backend is TORCH:
            slope, value = torch.func.vmap(
                torch.func.grad_and_value(lambda a, b, f=f: f(a, b))
            )(x, labels)
        else:
            total = jax.jit(lambda a, b, f=f: jnp.sum(f(a, b)))
            value = jax.jit(f)(x, labels)
            slope = jax.grad(total)(x, labels)
        good = backend.array(T)
        expected = backend.numpy(f(x, good))
        value, slope = backend.numpy(value), backend.numpy(slope)
        assert np.isnan(value[1])
        assert np.isnan(slope[1]).any()
        others = [0, 2, 3]
        np.testing.assert_allclose(value[others], expected[others])
        pull = backend.gradient(lambda a, f=f, good=good: f(a, good), x)
        np.testing.assert_allclose(slope[others], pull[others], atol=1e-14)


@pytest.mark.parametrize("loss", EVERY)
def test_a_hidden_bad_label_gives_nan_when_compiled(loss) -> None:
    torch.compiler.reset()
    f = torch.compile(
        of_scores(TORCH, loss), fullgraph=True, backend="aot_eager"
    )
    for label in (-1, 3, 255):
        x = TORCH.array(Z).requires_grad_()
        value = f(x, TORCH.array(np.where(T == 2, label, T)))
        value.backward()
        assert torch.isnan(value)
        assert torch.isnan(x.grad[1]).any()


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        (cross_entropy, 1.5),
        (focal_loss, -0.5),
        (sigmoid_focal_loss, 1.5),
        (asymmetric_loss, -0.5),
        (multilabel_categorical_cross_entropy, 0.5),
        (losslib.hinge_loss, 0.0),
        (losslib.squared_hinge_loss, 0.0),
        (losslib.exponential_loss, 0.0),
        (losslib.logistic_loss, 0.0),
        (losslib.zero_one_loss, 0.0),
        (multilabel_margin_loss, 7),
        (multilabel_margin_loss, -2),
    ],
)
def test_a_hidden_bad_share_gives_nan(loss, label) -> None:
    y = np.array([[1, 0, -1] if isinstance(label, int) else [1.0] * 3] * 4)
    y[1, 1] = label
    f = jax.jit(lambda x, y: jnp.sum(loss(x, y, reduction="none")))
    value, slope = jax.value_and_grad(f)(JAX.array(Z), JAX.array(y))
    assert np.isnan(value)
    if (
        loss is not losslib.zero_one_loss
    ):  # to JAX its slope is 0, come what may
        assert np.isnan(slope[1, 1])


def test_a_hidden_bad_alpha_gives_nan() -> None:
    f = jax.jit(lambda z, a: sigmoid_focal_loss(z, jnp.ones(3), alpha=a))
    for bad in (-0.1, 1.5, np.nan):
        assert np.isnan(f(JAX.array(Z[0]), JAX.array([0.5, bad, 0.5])))
    edges = JAX.array([0.0, 1.0, 0.5])
    expected = sigmoid_focal_loss(Z[0], np.ones(3), alpha=np.array(edges))
    np.testing.assert_allclose(f(JAX.array(Z[0]), edges), expected)


# --- Silence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf, 1e300])
@pytest.mark.parametrize(
    "how", ["ignored", "class weight", "sample weight"]
)
@pytest.mark.parametrize("loss", [*IGNORING, linear])
def test_a_silent_sample_may_hold_anything(backend, loss, how, bad) -> None:
    """Neither its value nor its gradient comes in, and nothing warns."""
    if how == "sample weight" and loss in (nll_loss, poly_loss):
        return
    options: dict[str, Any] = {}
    t, z = T.copy(), Z.copy()
    z[1] = bad
    if how == "ignored":
        t[1] = -100
    elif how == "class weight":
        options = {"weight": np.array([0.5, 2.0, 0.0])}
    else:
        options = {"sample_weight": np.array([1.0, 0.0, 2.0, 0.5])}
    mine = {k: backend.array(x) for k, x in options.items()}
    f = of_scores(backend, loss)
    keep = [0, 2, 3]
    few = {k: x[keep] if len(x) == 4 else x for k, x in options.items()}
    few = {k: backend.array(x) for k, x in few.items()}
    few_z, few_t = backend.array(z[keep]), backend.array(t[keep])
    labels = backend.array(t)
    for reduction in ("mean", "sum"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = f(backend.array(z), labels, **mine, reduction=reduction)
        expected = f(few_z, few_t, **few, reduction=reduction)
        close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-14)
        close(backend.numpy(got), backend.numpy(expected))
        if backend.name == "numpy":
            continue
        slope = backend.gradient(
            lambda x, r=reduction: f(x, labels, **mine, reduction=r),
            backend.array(z),
        )
        wanted = backend.gradient(
            lambda x, r=reduction: f(x, few_t, **few, reduction=r), few_z
        )
        np.testing.assert_array_equal(slope[1], 0.0)
        close(slope[keep], wanted)


def test_an_ignored_row_leaves_the_layer_alone() -> None:
    x = TORCH.array(Z)
    x[1] = np.nan
    w = TORCH.array(V).requires_grad_()
    t = torch.tensor([0, -100, 1, 1])
    for reduction in ("none", "mean", "sum"):
        got = linear(x, t, w, reduction=reduction).sum()
        (slope,) = torch.autograd.grad(got, w)
        assert torch.isfinite(slope).all()


@pytest.mark.parametrize("loss", [*IGNORING, linear])
def test_where_nothing_counts_nothing_pulls(differentiable, loss) -> None:
    """The mean over nothing is nan, and its gradient is 0."""
    make = differentiable.array
    for t, options in (
        (np.full(4, -100), {}),
        (np.full(4, 2), {"weight": make(np.array([1.0, 1.0, 0.0]))}),
    ):
        f = (
            partial(of_scores(differentiable, loss), t=make(t), **options)
            if loss is linear
            else partial(loss, target=make(t), **options)
        )
        if loss is linear:
            f = lambda x, t=t, options=options: linear(  # noqa: E731
                x, make(t), make(V), **options
            )
        assert np.isnan(differentiable.numpy(f(make(Z))))
        np.testing.assert_array_equal(
            differentiable.gradient(f, make(Z)), 0.0
        )


def test_nothing_times_infinity_is_nothing(backend) -> None:
    got = cross_entropy(
        backend.array([[-np.inf, 0.0, 1.0]]),
        backend.array([1]),
        backend.array([0.0, 1.0, 1.0]),
        label_smoothing=0.1,
    )
    np.testing.assert_allclose(backend.numpy(got), 1.23615, rtol=1e-5)
    z, y = backend.array([[-np.inf, 0.5]]), backend.array([[1.0, 1.0]])
    got = multilabel_soft_margin_loss(z, y, backend.array([0.0, 1.0]))
    np.testing.assert_allclose(
        backend.numpy(got), np.log1p(np.exp(-0.5)) / 2
    )
    got = sigmoid_focal_loss(z, y, alpha=backend.array([0.0, 1.0]))
    assert np.isfinite(backend.numpy(got))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_infinite_logits_on_the_right_side(differentiable, gamma) -> None:
    z = differentiable.array([np.inf, -np.inf])
    y = differentiable.array([1.0, 0.0])
    both = {"gamma_pos": gamma, "gamma_neg": gamma}
    for f in (
        partial(sigmoid_focal_loss, gamma=gamma),
        partial(asymmetric_loss, **both),
        partial(asymmetric_loss, **both, clip=0.0),
    ):
        g = partial(f, target=y, reduction="none")
        np.testing.assert_array_equal(differentiable.numpy(g(z)), 0.0)
        np.testing.assert_array_equal(differentiable.gradient(g, z), 0.0)


# --- Digits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 1000.0])
@pytest.mark.parametrize("lead", [5.0, 25.0, 80.0])
def test_a_small_loss_keeps_its_digits(backend, lead, shift) -> None:
    """float32 has no number between 1 and 1 + 1.2e-7, and the loss needs none."""
    with mpmath.workdps(60):
        rest = 2 * mpmath.exp(-mpmath.mpf(lead))
        expected = float(mpmath.log1p(rest))
    z = backend.array([[lead + shift, shift, shift]], "float32")
    t, y = backend.array([0]), backend.array([[1.0, 0.0, 0.0]], "float32")
    eye = backend.array(np.eye(3), "float32")
    for got in (
        cross_entropy(z, t),
        cross_entropy(z, y),
        linear_cross_entropy(z, eye, t),
        focal_loss(z, t, gamma=0.0),
        focal_loss(z, y, gamma=0.0),
        poly_loss(z, t, epsilon=0.0),
        losslib.generalized_cross_entropy(z, t, q=1.0)
        if lead > 20
        else cross_entropy(z, t),
    ):
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=2e-6)


# --- Autocast ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("given", ["float32", "half"])
@pytest.mark.parametrize("loss", EVERY)
def test_autocast_takes_no_digits(loss, given, dtype) -> None:
    x = TORCH.array(Z).to(dtype if given == "half" else torch.float32)
    v, t = torch.tensor(V).float(), torch.tensor(T)
    args = (x, t) if loss in INDEXED else (x, t, v)
    exact = [a.double() if a.is_floating_point() else a for a in args]
    with torch.autocast("cpu", dtype):
        leaf = x.clone().requires_grad_()
        got = loss(leaf, *args[1:], reduction="none")
    got.sum().backward()
    other = exact[0].clone().requires_grad_()
    expected = loss(other, *exact[1:], reduction="none")
    expected.sum().backward()
    size = 2e-5 if given == "float32" else torch.finfo(dtype).eps
    for a, b in ((got, expected), (leaf.grad, other.grad)):
        bound = size * (1 + b.abs().max().item())
        np.testing.assert_allclose(
            a.double().detach(), b.detach(), rtol=0, atol=4 * bound
        )


def three_sums() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """Return the input, weights and targets of the report that named it, and what is right."""
    n = 8192
    x, w = torch.ones(n, 1), torch.tensor([[-5.0], [5.0]])
    return (
        x,
        w,
        torch.zeros(n, dtype=torch.int64),
        10 + np.log1p(np.exp(-10.0)),
    )


def test_autocast_does_not_sum_in_halves_compiled(compiled) -> None:
    x, w, t, right = three_sums()
    f = compiled(linear_cross_entropy)
    with torch.autocast("cpu", torch.float16):
        assert float(f(x, w, t)) == pytest.approx(right, rel=1e-6)


def test_autocast_does_not_sum_in_halves() -> None:
    x, w, t, right = three_sums()
    with torch.autocast("cpu", torch.float16):
        got = linear_cross_entropy(x, w, t)
        assert float(got) == pytest.approx(right, rel=1e-6)
    x = torch.ones(4096, 1, requires_grad=True)
    w = torch.zeros(2, 1, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        got = linear_cross_entropy(x, w, t[:4096], chunk_size=64)
        assert got.item() == pytest.approx(np.log(2), rel=1e-6)
    torch.manual_seed(0)
    x, w = torch.randn(16384, 64), torch.randn(1000, 64)
    t = torch.randint(1000, (16384,))
    exact = torch.nn.functional.cross_entropy((x @ w.T).double(), t)
    with torch.autocast("cpu", torch.bfloat16):
        got = linear_cross_entropy(x, w, t)
    assert float(got) == pytest.approx(float(exact), rel=1e-6)


# --- Weights of samples, soft labels ----------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", [cross_entropy, focal_loss, linear])
def test_sample_weights(backend, loss, smoothing) -> None:
    """The mean divides by all weights that were used; a weight of 2 is a sample twice."""
    make = backend.array
    f = partial(of_scores(backend, loss), label_smoothing=smoothing)
    z, t, w, s = make(Z), make(T), make(W), make(SHARE)
    each = backend.numpy(f(z, t, weight=w, reduction="none"))
    got = f(z, t, weight=w, sample_weight=s, reduction="none")
    close = partial(np.testing.assert_allclose, rtol=1e-12)
    close(backend.numpy(got), SHARE * each)
    got = f(z, t, weight=w, sample_weight=s)
    close(backend.numpy(got), (SHARE * each).sum() / (SHARE * W[T]).sum())
    y = make(np.eye(3)[T])
    soft = backend.numpy(f(z, y, reduction="none"))
    got = f(z, y, sample_weight=s)
    close(backend.numpy(got), (SHARE * soft).sum() / SHARE.sum())
    twice = make(np.array([1.0, 2.0, 1.0, 1.0]))
    again = [0, 1, 1, 2, 3]
    got = f(z, t, weight=w, sample_weight=twice)
    expected = f(make(Z[again]), make(T[again]), weight=w)
    close(backend.numpy(got), backend.numpy(expected))


@pytest.mark.parametrize("gamma", [0.0, 0.7, 2.0])
def test_focal_loss_of_soft_labels(differentiable, gamma) -> None:
    """It is the sum over the classes of y (1 - p)^gamma times minus log p."""
    y = RNG.dirichlet(np.ones(3), size=4)
    p = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
    expected = -np.sum(W * y * (1 - p) ** gamma * np.log(p), axis=1)
    z, labels, w = map(differentiable.array, (Z, y, W))
    f = partial(focal_loss, gamma=gamma, weight=w, reduction="none")
    got = differentiable.numpy(f(z, labels))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    hard = differentiable.array(T)
    smooth = differentiable.array(0.8 * np.eye(3)[T] + 0.2 / 3)
    np.testing.assert_allclose(
        differentiable.numpy(f(z, hard, label_smoothing=0.2)),
        differentiable.numpy(f(z, smooth)),
        rtol=1e-12,
    )
    x = TORCH.array(Z).requires_grad_()
    g = partial(focal_loss, target=TORCH.array(y), gamma=gamma)
    assert torch.autograd.gradcheck(g, x)
    assert torch.autograd.gradgradcheck(g, x)


def test_focal_loss_of_soft_labels_far_out(differentiable) -> None:
    z = differentiable.array([[700.0, 0.0, -np.inf]])
    y = differentiable.array([[0.5, 0.5, 0.0]])
    f = partial(focal_loss, target=y, gamma=0.5)
    np.testing.assert_allclose(differentiable.numpy(f(z)), 350.0)
    slope = differentiable.gradient(f, z)
    np.testing.assert_allclose(slope, [[0.5, -0.5, 0.0]])


def test_alpha_of_each_class(backend, rng) -> None:
    z, y = rng.normal(size=(5, 3)), rng.random((5, 3))
    alpha, share = np.array([0.1, 0.5, 0.9]), rng.random((5, 3))
    make = backend.array
    f = partial(sigmoid_focal_loss, make(z), make(y))
    close = partial(np.testing.assert_allclose, rtol=1e-12)
    got = backend.numpy(f(alpha=make(alpha), reduction="none"))
    for k, a in enumerate(alpha):
        column = f(alpha=float(a), reduction="none")
        close(got[:, k], backend.numpy(column)[:, k])
    weighed = f(alpha=make(alpha), sample_weight=make(share))
    close(backend.numpy(weighed), (share * got).sum() / share.sum())
    smooth = f(label_smoothing=0.2)
    by_hand = sigmoid_focal_loss(make(z), make(0.8 * y + 0.1))
    close(backend.numpy(smooth), backend.numpy(by_hand))


# --- Messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "args", "options", "kind", "words"),
    [
        (cross_entropy, (Z, np.eye(3, dtype=int)[T]), {}, ValueError,
         r"target .*probabilities.*floating.*\(4, 3\)"),
        (cross_entropy, (Z, T), {"sample_weight": W}, ValueError,
         r"sample_weight .*\(4,\), got shape \(3,\)"),
        (focal_loss, (Z, T), {"sample_weight": T}, TypeError,
         "sample_weight .*int64"),
        (linear_cross_entropy, (Z, V, T), {"sample_weight": W}, ValueError,
         r"sample_weight .*\(4,\)"),
        (sigmoid_focal_loss, (Z, Z > 0), {"sample_weight": SHARE},
         ValueError, r"sample_weight .*\(4, 3\)"),
        (sigmoid_focal_loss, (Z, Z > 0), {"alpha": SHARE}, ValueError,
         r"alpha must broadcast .*\(4,\)"),
        (sigmoid_focal_loss, (Z, Z > 0), {"alpha": 2 * W}, ValueError,
         r"alpha .*\[0, 1\]"),
        (cross_entropy, (Z, T), {"ignore_index": 1.5}, TypeError,
         "ignore_index must be an integer, got 1.5"),
        (cross_entropy, (Z, T), {"label_smoothing": "0"}, TypeError,
         "label_smoothing must be a real number, got '0'"),
        (focal_loss, (Z, T), {"gamma": W}, TypeError,
         "gamma must be a real number"),
        (focal_loss, (Z, T), {"gamma": "2"}, TypeError,
         "gamma must be a real number, got '2'"),
        (arcface_loss, (Z, T, V), {"margin": "1"}, TypeError,
         "margin must be a real number"),
        (losslib.l_softmax_loss, (Z, T, V), {"margin": None}, TypeError,
         "margin must be a real number"),
        (multilabel_margin_loss, (Z[None], T), {}, ValueError,
         r"input must have shape \(C\) or \(N, C\), got \(1, 4, 3\)"),
    ],
)  # fmt: skip
def test_messages(f, args, options, kind, words) -> None:
    with pytest.raises(kind, match=words):
        f(*args, **options)
