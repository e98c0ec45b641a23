from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from harness import (
    BY_DTYPE,
    JAX,
    LABEL_DTYPES,
    REDUCTIONS,
    TORCH,
    agrees_with_pytorch,
    compiles,
    refuses,
)
from losslib import cross_entropy, linear_cross_entropy
from losslib.vocabulary import _chunk_size

N, D, C = 7, 5, 4
RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(N, D)), RNG.normal(size=(C, D))
B, V = RNG.normal(size=C), np.array([0.5, 2.0, 1.5, 1.0])
T = np.array([0, 1, 2, 3, 1, 0, 2])
P = RNG.dirichlet(np.ones(C), size=N)
ALL = {
    "linear_bias": B,
    "weight": V,
    "ignore_index": 1,
    "label_smoothing": 0.3,
}
CASES = [
    pytest.param([X, W, T], {}, id="plain"),
    pytest.param([X, W, T], {"linear_bias": B}, id="bias"),
    pytest.param([X, W, T], {"weight": V}, id="weight"),
    pytest.param([X, W, T], {"ignore_index": 1}, id="ignored"),
    pytest.param([X, W, T], ALL, id="all"),
    pytest.param([X, W, P], {}, id="probability"),
    pytest.param(
        [X, W, P],
        {"weight": V, "linear_bias": B, "label_smoothing": 0.3},
        id="probability-all",
    ),
    pytest.param([X[0], W, T[0]], {"linear_bias": B}, id="one"),
    pytest.param([X[0], W, P[0]], {}, id="one-probability"),
    pytest.param(
        [X, RNG.normal(size=(C, 2, D)), RNG.integers(C, size=(N, 2))],
        {"linear_bias": RNG.normal(size=(C, 2)), "weight": V},
        id="positions",
    ),
]


def in_chunks_of(size: int | None):
    def linear_cross_entropy_(*arrays, **options):
        return linear_cross_entropy(*arrays, **options, chunk_size=size)

    linear_cross_entropy_.__name__ = "linear_cross_entropy"
    return linear_cross_entropy_


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("arrays", "options"), CASES)
def test_every_chunk_size_against_pytorch(
    backend, arrays, options, reduction
) -> None:
    """Sizes of one, that do not divide the samples, of more than there are, and the default."""
    for size in (1, 3, 100, None):
        agrees_with_pytorch(
            backend,
            "float64",
            in_chunks_of(size),
            arrays,
            2,
            {**options, "reduction": reduction},
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_every_dtype_against_pytorch(backend, dtype) -> None:
    for options in ({}, ALL):
        agrees_with_pytorch(
            backend, dtype, in_chunks_of(3), [X, W, T], 2, options
        )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_of_every_array(differentiable, reduction) -> None:
    """Also of the bias, the weights of the classes and the probabilities."""
    for t in (T, P):
        arrays = [X, W, B, V, *([t] if t is P else [])]

        def chunked(*xs, t=t):
            x, w, b, v, *y = xs
            return linear_cross_entropy(
                x,
                w,
                *(y or [differentiable.array(t)]),
                linear_bias=b,
                weight=v,
                label_smoothing=0.1,
                reduction=reduction,
                chunk_size=3,
            )

        def at_once(*xs, t=t):
            x, w, b, v, *y = xs
            return cross_entropy(
                x @ w.T + b,
                *(y or [differentiable.array(t)]),
                v,
                label_smoothing=0.1,
                reduction=reduction,
            )

        own = [differentiable.array(x) for x in arrays]
        for i, x in enumerate(own):
            got, expected = (
                differentiable.gradient(
                    lambda leaf, f=f, i=i, own=own: f(
                        *own[:i], leaf, *own[i + 1 :]
                    ),
                    x,
                )
                for f in (chunked, at_once)
            )
            np.testing.assert_allclose(got, expected, atol=1e-14)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("t", [T, P], ids=["index", "probability"])
def test_gradients_of_gradients(reduction, t) -> None:
    leaves = [TORCH.array(x).requires_grad_() for x in (X, W, B, V)]

    def f(x, w, b, v):
        return linear_cross_entropy(
            x,
            w,
            TORCH.array(t),
            linear_bias=b,
            weight=v,
            reduction=reduction,
            chunk_size=3,
        )

    assert torch.autograd.gradcheck(f, leaves)
    assert torch.autograd.gradgradcheck(f, leaves)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_transformations(reduction) -> None:
    f = partial(linear_cross_entropy, reduction=reduction, chunk_size=3)

    def total(*args):
        return f(*args).sum()

    close = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-14)
    x, w, t = map(TORCH.array, (X, W, T))
    leaves = [x.clone().requires_grad_(), w.clone().requires_grad_()]
    expected = torch.autograd.grad(total(*leaves, t), leaves)
    xs = [JAX.array(a) for a in (X, W, T)]
    for got in (
        torch.func.grad(total, (0, 1))(x, w, t),
        jax.grad(total, (0, 1))(*xs),
        jax.jit(jax.grad(total, (0, 1)))(*xs),
    ):
        for a, b in zip(got, expected, strict=True):
            close(a, b)
    close(jax.jit(f)(*xs), f(x, w, t))
    batch = [np.stack([a, a[::-1]]) for a in (X, T)]
    separate = [f(x, w, t), f(x.flip(0), w, t.flip(0))]
    for vmap, backend in [(torch.func.vmap, TORCH), (jax.vmap, JAX)]:
        features, targets = map(backend.array, batch)
        got = vmap(f, (0, None, 0))(features, backend.array(W), targets)
        close(got, torch.stack(separate))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_compiled_by_torch(compiled, reduction) -> None:
    options = {**ALL, "reduction": reduction}
    compiles(compiled, in_chunks_of(3), [X, W, T], options)


SIZES = (256, 16, 512)  # rows, features, classes
LOGITS = 4 * 256 * 512


def most_at_once(loss, reduction: str) -> int:
    """Return the most bytes that a step, forward and backward, has allocated at any time."""
    torch.manual_seed(0)
    n, features, classes = SIZES
    x, w = torch.randn(n, features), torch.randn(classes, features)
    t = torch.randint(classes, (n,))
    leaves = [x.requires_grad_(), w.requires_grad_()]
    loss(*leaves, t, reduction=reduction).sum().backward()  # imports
    with torch.profiler.profile(profile_memory=True) as seen:
        value = loss(*leaves, t, reduction=reduction)
        torch.autograd.grad(value.sum(), leaves)
    events = [
        (e.start_ns(), e.nbytes())
        for e in seen.profiler.kineto_results.events()
        if e.name() == "[memory]"
    ]
    return int(np.cumsum([size for _, size in sorted(events)]).max())


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_all_logits_are_never_there_at_once(reduction) -> None:
    """Neither in one array nor in the chunks, forward and backward."""
    f = partial(linear_cross_entropy, chunk_size=8)
    assert most_at_once(f, reduction) < 0.5 * LOGITS
    whole = partial(linear_cross_entropy, chunk_size=256)
    assert most_at_once(whole, reduction) > 2 * LOGITS


def test_jax_holds_one_chunk() -> None:
    x, w = jnp.ones((512, 8)), jnp.ones((1000, 8))
    t = jnp.zeros(512, int)

    def scratch(f) -> int:
        compiled = jax.jit(jax.grad(f, (0, 1))).lower(x, w, t).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    logits = 512 * 1000 * 8
    few = partial(linear_cross_entropy, chunk_size=32)
    assert scratch(few) < 0.5 * logits
    assert scratch(partial(linear_cross_entropy, chunk_size=512)) > logits


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
def test_every_label_dtype(backend, dtype) -> None:
    x, w = RNG.normal(size=(4, D)), RNG.normal(size=(200, D))
    t = np.array([0, 1, 2, 127 if dtype == "int8" else 156])
    got = linear_cross_entropy(
        *map(backend.array, (x, w)), backend.array(t, dtype), ignore_index=1
    )
    expected = F.cross_entropy(
        torch.tensor(x @ w.T), torch.tensor(t), ignore_index=1
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


def test_no_sample_counts(backend) -> None:
    f = linear_cross_entropy
    w = backend.array(W)
    for x, t in [(X, np.full(N, -100)), (X[:0], T[:0])]:
        x, t = backend.array(x), backend.array(t)
        assert np.isnan(backend.numpy(f(x, w, t)))
        assert backend.numpy(f(x, w, t, reduction="sum")) == 0
        got = backend.numpy(f(x, w, t, reduction="none"))
        np.testing.assert_array_equal(got, np.zeros(x.shape[0]))


def test_the_half_that_differs_from_its_layer(backend) -> None:
    """Under autocast the features are halves, and the layer is not."""
    x, w = backend.array(X, "float16"), backend.array(W, "float32")
    got = linear_cross_entropy(x, w, backend.array(T))
    expected = F.cross_entropy(
        torch.tensor(X.astype("float16") @ W.T), torch.tensor(T)
    )
    assert backend.dtype_of(got) == "float16"
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=2e-3)


def test_extreme_logits(backend) -> None:
    """Logits of ±10⁴: the loss is the distance to the largest, its gradient saturates."""
    x = backend.array([[1e4], [-1e4]])
    w, t = backend.array([[1.0], [-1.0], [0.0]]), backend.array([1, 1])
    f = partial(linear_cross_entropy, reduction="none", chunk_size=1)
    np.testing.assert_array_equal(backend.numpy(f(x, w, t)), [2e4, 0.0])
    if backend.name != "numpy":
        got = backend.gradient(lambda x: f(x, w, t), x)
        np.testing.assert_array_equal(got, [[2.0], [0.0]])


def test_the_gradient_scales_and_the_graph_can_be_kept() -> None:
    x, w, t = map(TORCH.array, (X, W, T))
    leaves = [x.requires_grad_(), w.requires_grad_()]
    loss = linear_cross_entropy(x, w, t)
    once = torch.autograd.grad(loss, leaves, retain_graph=True)
    thrice = torch.autograd.grad(3 * loss, leaves)
    torch.testing.assert_close([3 * g for g in once], list(thrice))
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(x, w, t), loss)


def test_inside_a_checkpoint() -> None:
    leaf, other = (TORCH.array(X).requires_grad_() for _ in range(2))
    w, t = map(TORCH.array, (W, T))
    checkpoint(
        linear_cross_entropy, leaf, w, t, use_reentrant=False
    ).backward()
    linear_cross_entropy(other, w, t).backward()
    torch.testing.assert_close(leaf.grad, other.grad)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_forward_derivatives() -> None:
    """Also where an argument without a tangent needs a gradient, as a layer does."""
    x, w, t = map(TORCH.array, (X, W, T))
    w.requires_grad_()
    found = []
    for loss in (
        lambda x: linear_cross_entropy(x, w, t, chunk_size=3),
        lambda x: cross_entropy(x @ w.T, t),
    ):
        with forward_ad.dual_level():
            dual = loss(forward_ad.make_dual(x, x.flip(0)))
            along = forward_ad.unpack_dual(dual).tangent
            found.append((along, *torch.autograd.grad(along, w)))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("twice", [False, True])
def test_a_target_and_a_weight_that_follow_the_input(twice) -> None:
    """A gradient that can be differentiated is the same gradient."""
    x, w = (TORCH.array(a).requires_grad_() for a in (X, W))

    def gradients(of_layer):
        share, p = torch.sigmoid(x.sum(1)), torch.softmax(x @ w.T / 2, 1)
        loss = of_layer(x, w, p, sample_weight=share, reduction="sum")
        return torch.autograd.grad(loss, (x, w), create_graph=twice)

    def at_once(x, w, p, **options):
        return cross_entropy(x @ w.T, p, **options)

    got = gradients(partial(linear_cross_entropy, chunk_size=3))
    torch.testing.assert_close(got, gradients(at_once))


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X.tolist(), W, T), {}, "input must be an array .*list"),
        ((X, W.tolist(), T), {}, "linear_weight must be an array .*list"),
        ((X, W, 0), {}, "target must be an array .*int"),
        ((T, W, T), {}, "input .*dtype, got .*int64"),
        ((X, W > 0, T), {}, "linear_weight .*dtype, got .*bool"),
        ((X, W, T * 1.0), {}, "target .*dtype, got .*float64"),
        ((X[None], W, T), {}, r"input .*\(1, 7, 5\)"),
        ((X, W[0], T), {}, r"linear_weight .*\(5,\)"),
        ((X, W[:, :4], T), {}, r"linear_weight .*5 features.*\(4, 4\)"),
        ((X, W[:0], T), {}, r"linear_weight .*one class.*\(0, 5\)"),
        (
            (X, np.empty((4, 0, 5)), T),
            {},
            r"linear_weight .*one class.*\(4, 0, 5\)",
        ),
        ((X[0], W[:, None], T[0]), {}, r"input .*\(N, F\).*\(5,\)"),
        ((X, W, T[:3]), {}, r"target .*\(7,\).*got \(3,\)"),
        ((X, W, T + 1), {}, r"target .*0 … 3.*got 4 at position \(3,"),
        ((X, W, P + 1), {}, r"target .*\[0, 1\]"),
        ((X, W, T), {"linear_bias": B[:2]}, r"linear_bias .*\(2,\)"),
        ((X, W, T), {"weight": V[:2]}, r"weight .*\(4,\).*\(2,\)"),
        ((X, W, P), {"ignore_index": 1}, "ignore_index must .*got 1"),
        ((X, W, T), {"label_smoothing": 2.0}, "label_smoothing .*2.0"),
        ((X, W, T), {"reduction": "avg"}, "reduction must .*'avg'"),
        ((X, W, T), {"chunk_size": 0}, "chunk_size must .*got 0"),
        ((X, W, T), {"chunk_size": 1.5}, "chunk_size must .*got 1.5"),
    ],
)
def test_mistakes_are_named(backend, args, options, words) -> None:
    refuses(backend, linear_cross_entropy, args, options, words)


def test_a_label_to_ignore_need_be_no_class(backend) -> None:
    x, w = backend.array(X), backend.array(W)
    t = np.where(T == 1, -7, T)
    for reduction in REDUCTIONS:
        got, expected = (
            linear_cross_entropy(
                x,
                w,
                backend.array(labels),
                ignore_index=ignored,
                reduction=reduction,
            )
            for labels, ignored in [(t, -7), (T, 1)]
        )
        np.testing.assert_array_equal(
            backend.numpy(got), backend.numpy(expected)
        )


def test_another_dtype_is_refused(backend) -> None:
    x, w, b = (backend.array(a, "float32") for a in (X, W, B))
    t, wide = backend.array(T), backend.array
    with pytest.raises(TypeError, match=r"linear_weight .*dtype of input"):
        linear_cross_entropy(x, wide(W), t)
    with pytest.raises(TypeError, match=r"linear_bias .*dtype of input"):
        linear_cross_entropy(x, w, t, linear_bias=wide(B))
    linear_cross_entropy(x, w, t, linear_bias=b)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (
            (4096, 512, 32000),
            307,
        ),  # three fifths of the weights of the layer
        ((65536, 512, 32000), 629),  # three fifths of the features
        ((4096, 8, 1000), 262),  # a megabyte of float32
        ((4096, 8, 10**6), 4),
        ((4096, 1, 10**6), 1),
    ],
)
def test_the_size_of_a_chunk(sizes, expected) -> None:
    n, features, classes = sizes
    x = torch.empty(n, features, device="meta")
    w = torch.empty(classes, features, device="meta")
    assert _chunk_size(x, w, None) == expected
