from __future__ import annotations

from functools import partial

import jax
import mpmath
import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    BY_DTYPE,
    JAX,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    TORCH,
    as_dtype,
    refuses,
)
from losslib import (
    a_softmax_loss,
    arcface_loss,
    cosface_loss,
    l_softmax_loss,
)

large, sphere = l_softmax_loss, a_softmax_loss
LOSSES = [large, sphere, cosface_loss, arcface_loss]
CASES = [
    pytest.param(large, {"margin": 1}, id="l-1"),
    pytest.param(large, {"margin": 2}, id="l-2"),
    pytest.param(large, {"margin": 3, "annealing": 0.5}, id="l-3-annealed"),
    pytest.param(large, {}, id="l-4"),
    pytest.param(sphere, {"margin": 3}, id="a-3"),
    pytest.param(sphere, {"annealing": 5.0}, id="a-4-annealed"),
    pytest.param(cosface_loss, {}, id="cosface"),
    pytest.param(cosface_loss, {"margin": 0.1, "scale": 3.0}, id="cos-3"),
    pytest.param(arcface_loss, {"scale": 4.0}, id="arcface"),
    pytest.param(arcface_loss, {"margin": 2.0, "scale": 2.0}, id="arc-2"),
]


def problem(shape=(7,), d=4, n_classes=3):
    """Features, targets and class vectors, at angles from 20 to 160 degrees."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(*shape, d))
    w = rng.normal(size=(n_classes, d))
    return x, np.asarray(rng.integers(n_classes, size=shape)), w


def angles(x, w):
    return np.arccos(
        (x @ w.T)
        / np.linalg.norm(x, axis=-1, keepdims=True)
        / np.linalg.norm(w, axis=-1)
    )


def psi(theta, m):
    k = np.clip(np.floor(m * theta / np.pi), 0, m - 1)
    return (-1) ** k * np.cos(m * theta) - 2 * k


def by_angles(loss, x, target, w, margin=None, annealing=0.0, scale=64.0):
    """Compute the papers' formulas from the angles, sample by sample."""
    theta = angles(x, w)
    own = np.take_along_axis(theta, target[..., None], axis=-1)[..., 0]
    if loss in (large, sphere):
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        lengths = length * np.linalg.norm(w, axis=-1)
        lengths = lengths if loss is large else length * np.ones(len(w))
        z = lengths * np.cos(theta)
        scale = np.take_along_axis(lengths, target[..., None], axis=-1)
        marked = psi(own, margin or 4) + annealing * np.cos(own)
        marked = scale[..., 0] * marked / (1 + annealing)
    else:
        z = scale * np.cos(theta)
        if loss is cosface_loss:
            m = 0.35 if margin is None else margin
            marked = scale * (np.cos(own) - m)
        else:
            m = 0.5 if margin is None else margin
            marked = scale * np.where(
                own <= np.pi - m,
                np.cos(own + m),
                np.cos(own) - 1 + np.cos(m),
            )
    np.put_along_axis(z, target[..., None], marked[..., None], axis=-1)
    return scipy.special.logsumexp(z, axis=-1) - marked


def reduced(values, reduction):
    return {"none": np.asarray, "mean": np.mean, "sum": np.sum}[reduction](
        values
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_the_formulas_of_the_papers(
    backend, loss, options, reduction
) -> None:
    for shape in [(), (100,)]:
        x, target, w = problem(shape)
        got = loss(
            *map(backend.array, (x, target, w)),
            **options,
            reduction=reduction,
        )
        expected = reduced(
            by_angles(loss, x, target, w, **options), reduction
        )
        assert tuple(got.shape) == expected.shape
        np.testing.assert_allclose(
            backend.numpy(got), expected, rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype(backend, dtype, loss, options) -> None:
    x, target, w = problem()
    x, w = as_dtype(backend, x, dtype), as_dtype(backend, w, dtype)
    got = loss(x, backend.array(target), w, **options, reduction="none")
    assert backend.dtype_of(got) == dtype
    expected = by_angles(
        loss, backend.numpy(x), target, backend.numpy(w), **options
    )
    np.testing.assert_allclose(
        backend.numpy(got),
        expected,
        rtol=20 * ROUND_OFF[dtype],
        atol=20 * ROUND_OFF[dtype],
    )


def by_pytorch(loss, x, target, w, margin, annealing=0.0, scale=64.0):
    """Build the logits with PyTorch alone, and leave the rest to its cross-entropy."""
    right = F.one_hot(target, len(w)).bool()
    own = F.linear(F.normalize(x), F.normalize(w))
    theta = torch.acos(own)
    if loss is cosface_loss:
        z, marked = scale * own, scale * (own - margin)
    elif loss is arcface_loss:
        z, marked = scale * own, scale * torch.cos(theta + margin)
    else:
        w = w if loss is large else F.normalize(w)
        lengths = x.norm(dim=1, keepdim=True) * w.norm(dim=1)
        k = torch.floor(margin * theta.detach() / np.pi)
        folded = (-1) ** k * torch.cos(margin * theta) - 2 * k
        z = F.linear(x, w)
        marked = (lengths * folded + annealing * z) / (1 + annealing)
    return F.cross_entropy(torch.where(right, marked, z), target)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (large, {"margin": 2}),
        (large, {"margin": 4, "annealing": 3.0}),
        (sphere, {"margin": 3}),
        (cosface_loss, {"margin": 0.35}),
        (arcface_loss, {"margin": 0.2, "scale": 5.0}),
    ],
)
def test_logits_built_by_hand_for_pytorch(loss, options) -> None:
    """Values, and gradients with respect to features and class vectors."""
    x, target, w = problem((50,))
    kept = angles(x, w).max(axis=1) < np.pi - 0.2  # no second branch
    x, target = x[kept], target[kept]
    assert len(x) > 30
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, w)]
    expected = by_pytorch(
        loss, leaves[0], torch.tensor(target), leaves[1], **options
    )
    expected.backward()
    ours = [TORCH.array(a) for a in (x, target, w)]
    got = loss(*ours, **options)
    np.testing.assert_allclose(
        TORCH.numpy(got), expected.item(), rtol=1e-10
    )
    for i, leaf in zip((0, 2), leaves, strict=True):
        slope = TORCH.gradient(
            lambda a, i=i: loss(*ours[:i], a, *ours[i + 1 :], **options),
            ours[i],
        )
        np.testing.assert_allclose(slope, leaf.grad, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    x, target, w = problem((4,), d=2)
    f = partial(loss, **options)
    tx, tw = (torch.tensor(a, requires_grad=True) for a in (x, w))
    tt = torch.tensor(target)
    assert torch.autograd.gradcheck(lambda a, b: f(a, tt, b), (tx, tw))
    assert torch.autograd.gradgradcheck(lambda a, b: f(a, tt, b), (tx, tw))

    close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
    each = partial(f, reduction="none")
    whole = each(tx.detach(), tt, tw.detach())
    mapped = torch.func.vmap(each, (0, 0, None))
    close(mapped(tx.detach(), tt, tw.detach()), whole)
    expected = f(tx, tt, tw)
    slopes = torch.autograd.grad(expected, (tx, tw))
    ours = [JAX.array(a) for a in (x, target, w)]
    close(jax.jit(jax.vmap(each, (0, 0, None)))(*ours), whole)
    value, grads = jax.jit(jax.value_and_grad(f, (0, 2)))(*ours)
    close(value, expected.item())
    for slope, mine in zip(slopes, grads, strict=True):
        close(mine, slope)


@pytest.mark.parametrize("loss", LOSSES)
def test_compiled_by_torch(compiled, loss) -> None:
    x, target, w = problem()
    grads = []
    for f in (compiled(loss), loss):
        tx, tw = (torch.tensor(a, requires_grad=True) for a in (x, w))
        f(tx, torch.tensor(target), tw, margin=2.0).backward()
        grads.append((tx.grad, tw.grad))
    torch.testing.assert_close(*grads, rtol=1e-11, atol=1e-11)


X, T = np.array([[0.5, -1.0], [2.0, 1.0], [0.0, 3.0]]), np.array([0, 2, 1])
W = np.array([[1.0, 0.5], [0.0, 2.0], [-1.0, 1.0], [3.0, 0.1]])
BY_ALL = [
    ((X.tolist(), T, W), {}, "input must be an array .*list"),
    ((X, 0, W), {}, "target must be an array .*int"),
    ((X, T, W.tolist()), {}, "weight must be an array .*list"),
    ((X.astype(int), T, W), {}, "input .*dtype, got .*int64"),
    ((X, T * 1.0, W), {}, "target .*dtype, got .*float64"),
    ((X, T, W.astype(int)), {}, "weight .*dtype, got .*int64"),
    ((X, T + 2, W), {}, "target .*0 … 3, got 4"),
    ((X, T - 1, W), {}, "target .*0 … 3, got -1"),
    ((X, T - 100, W), {}, "target .*0 … 3, got -100"),
    ((X, T[:2], W), {}, r"target .*\(3,\), .*got \(2,\)"),
    ((X[0], T, W), {}, r"target .*\(\), .*got \(3,\)"),
    ((X[None], T[None], W), {}, r"input .*\(1, 3, 2\)"),
    ((X[0, 0], T[0], W), {}, r"input .*got shape \(\)"),
    ((X[:, :0], T, W[:, :0]), {}, r"input .*\(3, 0\)"),
    ((X, T, W.T), {}, r"weight .*\(C, 2\) .*\(3, 2\), got shape \(2, 4\)"),
    ((X, T, W[0]), {}, r"weight .*got shape \(2,\)"),
    ((X, T, W[:0]), {}, r"weight .*got shape \(0, 2\)"),
    ((X, T, W), {"reduction": "avg"}, "reduction must .*'avg'"),
]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("args", "options", "words"), BY_ALL)
def test_mistakes_are_named(backend, loss, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


@pytest.mark.parametrize(
    ("losses", "options", "words"),
    [
        (LOSSES[:2], {"margin": 0}, "margin .*at least 1, got 0"),
        (LOSSES[:2], {"margin": 1.5}, "margin .*whole .*got 1.5"),
        (LOSSES[:2], {"margin": np.inf}, "margin .*whole .*got inf"),
        (LOSSES[:2], {"margin": np.nan}, "margin .*whole .*got nan"),
        (LOSSES[:2], {"annealing": -0.1}, "annealing .*got -0.1"),
        (LOSSES[:2], {"annealing": np.nan}, "annealing .*got nan"),
        (LOSSES[2:], {"margin": -0.1}, "margin must .*got -0.1"),
        (LOSSES[2:], {"margin": np.nan}, "margin must .*got nan"),
        (LOSSES[2:], {"scale": 0.0}, "scale must be above 0, got 0.0"),
        (LOSSES[3:], {"margin": 3.2}, r"margin must be in \[0, pi\]"),
    ],
)
def test_options_out_of_range(losses, options, words) -> None:
    for loss in losses:
        with pytest.raises(ValueError, match=words):
            loss(X, T, W, **options)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_every_target_dtype(backend, dtype) -> None:
    for loss in LOSSES:
        got = loss(
            backend.array(X), backend.array(T, dtype), backend.array(W)
        )
        np.testing.assert_allclose(backend.numpy(got), loss(X, T, W))


@pytest.mark.parametrize("loss", LOSSES)
def test_no_sample(backend, loss) -> None:
    empty = [backend.array(a) for a in (X[:0], T[:0], W)]
    assert tuple(loss(*empty, reduction="none").shape) == (0,)
    assert float(loss(*empty, reduction="sum")) == 0.0
    if backend.name != "numpy":
        assert np.isnan(float(loss(*empty)))


def test_without_a_margin_all_are_a_plain_cross_entropy() -> None:
    x, w = torch.tensor(X), torch.tensor(W)
    target = torch.tensor(T)
    plain = F.cross_entropy(x @ w.T, target)
    torch.testing.assert_close(large(x, target, w, margin=1), plain)
    cosine = F.normalize(x) @ F.normalize(w).T
    plain = F.cross_entropy(64 * cosine, target)
    for loss in (cosface_loss, arcface_loss):
        torch.testing.assert_close(loss(x, target, w, margin=0.0), plain)
    length = x.norm(dim=1, keepdim=True)
    plain = F.cross_entropy(length * cosine, target)
    torch.testing.assert_close(sphere(x, target, w, margin=1), plain)


def test_much_annealing_leaves_no_margin() -> None:
    plain = large(X, T, W, margin=1)
    gaps = [
        large(X, T, W, margin=4, annealing=10.0**p) - plain for p in (4, 5)
    ]
    assert 0 < gaps[1] < 1e-3
    np.testing.assert_allclose(gaps[0] / gaps[1], 10, rtol=1e-2)


# --- Laws -------------------------------------------------------------------------------------


finite = st.floats(-5, 5).map(lambda v: round(v, 3))
vectors = st.lists(finite, min_size=9, max_size=9).map(
    lambda v: np.reshape(v, (3, 3))
)


@given(x=vectors, w=vectors, m=st.integers(1, 5))
def test_a_margin_never_lowers_the_loss(x, w, m) -> None:
    for loss in (large, sphere):
        one, two = (loss(x, T, w, margin=k) for k in (m, m + 1))
        assert two >= one - 1e-9
    for loss in (cosface_loss, arcface_loss):
        one, two = (loss(x, T, w, margin=k / 6) for k in (m - 1, m))
        assert two >= one - 1e-9


@given(x=vectors, w=vectors, size=st.floats(0.1, 10))
def test_lengths_that_do_not_matter(x, w, size) -> None:
    for loss in (cosface_loss, arcface_loss):
        np.testing.assert_allclose(
            loss(size * x, T, w), loss(x, T, size * w), rtol=1e-6, atol=1e-6
        )
    np.testing.assert_allclose(
        sphere(x, T, size * w), sphere(x, T, w), rtol=1e-7
    )
    np.testing.assert_allclose(
        large(x, T, size * w), large(size * x, T, w), rtol=1e-7
    )


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 7])
def test_psi_is_continuous_and_falls(m) -> None:
    """Read off the loss of one feature of length 1 on two class vectors, one of length 0."""
    theta = np.linspace(0, np.pi, 20_001)
    x = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    w = np.array([[1.0, 0.0], [0.0, 0.0]])
    loss = large(x, np.zeros(len(x), int), w, margin=m, reduction="none")
    read = -np.log(np.expm1(loss))  # the loss is log(1 + exp(-psi))
    np.testing.assert_allclose(read, psi(theta, m), atol=1e-10)
    steps = np.diff(read)
    assert steps.max() < 1e-12
    assert steps.min() > -m * theta[1] * 1.01
    np.testing.assert_allclose(read[[0, -1]], [1, 1 - 2 * m], atol=1e-12)


@pytest.mark.parametrize("m", [0.0, 0.1, 0.5, 1.5, 2.5, np.pi])
def test_the_target_logit_of_arcface_is_continuous_and_falls(m) -> None:
    theta = np.linspace(0, np.pi, 20_001)
    x = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    w = np.array([[1.0, 0.0], [0.0, 0.0]])
    loss = arcface_loss(
        x, np.zeros(len(x), int), w, margin=m, scale=1.0, reduction="none"
    )
    read = -np.log(np.expm1(loss))
    paper = theta + m <= np.pi
    np.testing.assert_allclose(
        read[paper], np.cos(theta + m)[paper], atol=1e-12
    )
    steps = np.diff(read)
    assert steps.max() < 1e-12
    assert steps.min() > -1.01 * theta[1]
    np.testing.assert_allclose(read[-1], np.cos(m) - 2)


# --- Edges ------------------------------------------------------------------------------------


SIZES = {"float64": (1e-300, 1e-30, 1e30, 1e150), "float32": (1e-30, 1e18)}


@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize("loss", LOSSES[1:])
def test_tiny_and_huge_vectors(backend, loss, dtype) -> None:
    """Only the directions of class vectors count, and for two losses those of features."""
    x, target, w = problem()
    for size in SIZES[dtype]:
        got = loss(
            backend.array(x, dtype),
            backend.array(target),
            backend.array(size * w, dtype),
        )
        np.testing.assert_allclose(
            backend.numpy(got),
            by_angles(loss, x, target, w).mean(),
            rtol=1e-9 if dtype == "float64" else 1e-4,
        )
        if loss is not sphere:
            again = loss(
                backend.array(size * x, dtype),
                backend.array(target),
                backend.array(w, dtype),
            )
            np.testing.assert_allclose(
                backend.numpy(again),
                backend.numpy(got),
                rtol=1e-9 if dtype == "float64" else 1e-4,
            )


@pytest.mark.parametrize("loss", LOSSES)
def test_a_large_margin_loss_against_mpmath(backend, loss) -> None:
    """At 1e4 and beyond, where most exponentials vanish or overflow."""
    theta, m = 0.3, {large: 3, sphere: 3}.get(loss, 0.25)
    for size in (1e-4, 1.0, 1e4, 1e30):
        x = np.array([size, 0.0])
        w = np.array(
            [[np.cos(theta), np.sin(theta)], [np.cos(1.0), -np.sin(1.0)]]
        )
        options = {} if loss in (large, sphere) else {"scale": size}
        got = loss(
            *map(backend.array, (x, np.array(0), w)), margin=m, **options
        )
        theta_t, other = mpmath.mpf(theta), mpmath.cos(1)
        marked = {
            large: mpmath.cos(m * theta_t),
            sphere: mpmath.cos(m * theta_t),
            cosface_loss: mpmath.cos(theta_t) - m,
            arcface_loss: mpmath.cos(theta_t + m),
        }[loss]
        gap = float(other - marked)
        with mpmath.workdps(40):
            expected = float(mpmath.log1p(mpmath.exp(size * gap)))
        np.testing.assert_allclose(
            backend.numpy(got), expected, rtol=1e-10, atol=1e-11
        )


V = np.array([[0.3, -0.4, 1.2], [2.0, 0.1, 0.1]])
EDGES = [
    np.stack([V[0], -V[0], 7.7 * V[0], 0 * V[0], V[1], -1e-3 * V[1]]),
    np.array([0, 0, 0, 0, 1, 1]),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_stay_finite(loss, options, dtype) -> None:
    """Zero vectors, and angles of 0 and 180 degrees, where arccos has an infinite slope."""
    for w in (V, 3.3 * V, np.stack([V[0], 0 * V[0]])):
        x, target, w = (as_dtype(TORCH, a, dtype) for a in (*EDGES, w))
        x.requires_grad_()
        w.requires_grad_()
        loss(x, target, w, **options).backward()
        for leaf in (x, w):
            assert leaf.grad.isfinite().all()
            assert leaf.grad.abs().max() < 1e6


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_stay_finite_in_jax(loss) -> None:
    x, target, w = (as_dtype(JAX, a, "float32") for a in (*EDGES, V))
    for slope in jax.jit(jax.grad(loss, (0, 2)))(x, target, w):
        assert np.isfinite(slope).all()


def test_arcface_pulls_on_the_angle_with_the_sine_of_the_marked_angle(
    differentiable,
) -> None:
    """Its gradient is bounded however small the angle: sin(θ + m), not 1 / sin θ."""
    s, m = 1.0, 0.5
    theta = 10.0 ** -np.arange(1, 9)
    x = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    arrays = [x, np.zeros(len(x), int), np.eye(2)[:1]]
    two = np.concatenate([arrays[2], np.zeros((1, 2))])
    ours = [differentiable.array(a) for a in (x, arrays[1], two)]
    slope = differentiable.gradient(
        lambda a: arcface_loss(
            a, ours[1], ours[2], margin=m, scale=s, reduction="sum"
        ),
        ours[0],
    )
    marked = np.cos(theta + m)
    wrong = 1 / (1 + np.exp(s * marked))
    np.testing.assert_allclose(
        np.linalg.norm(slope, axis=1),
        s * wrong * np.sin(theta + m),
        rtol=1e-7,
    )


def test_a_vector_of_zeros(differentiable) -> None:
    x, target = differentiable.array(np.zeros((1, 2))), np.array([0])
    target, w = differentiable.array(target), differentiable.array(W)
    n = len(W)
    expected = {
        large: np.log(n),
        sphere: np.log(n),
        cosface_loss: np.log1p((n - 1) * np.exp(0.35 * 64)),
        arcface_loss: np.log(n),
    }
    for loss in LOSSES:
        got = differentiable.numpy(loss(x, target, w))
        np.testing.assert_allclose(got, expected[loss], rtol=1e-12)
        slope = differentiable.gradient(
            lambda a, loss=loss: loss(a, target, w), x
        )
        # without an angle the margin says nothing; linear logits keep their slope
        linear = {large: W, sphere: W / np.linalg.norm(W, axis=1)[:, None]}
        v = linear.get(loss, np.zeros_like(W))
        np.testing.assert_allclose(
            slope[0], v.mean(axis=0) - v[0], atol=1e-15
        )


def test_strides_do_not_matter(backend) -> None:
    for loss in LOSSES:
        wide = backend.array(np.repeat(X, 2, axis=1))[:, ::2]
        labels = backend.array(np.repeat(T, 2))[::2]
        tall = backend.array(np.repeat(W, 2, axis=0))[::2]
        np.testing.assert_allclose(
            backend.numpy(loss(wide, labels, tall)),
            loss(X, T, W),
            rtol=1e-13,
        )


def test_gradient_of_a_feature_is_at_right_angles_to_it() -> None:
    """A step along it can only make the feature longer."""
    x, target, w = problem()
    for loss in (cosface_loss, arcface_loss):
        slope = TORCH.gradient(
            lambda a, loss=loss: loss(
                a, torch.tensor(target), torch.tensor(w)
            ),
            torch.tensor(x),
        )
        np.testing.assert_allclose((slope * x).sum(axis=1), 0, atol=1e-13)
