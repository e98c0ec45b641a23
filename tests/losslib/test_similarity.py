from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.spatial.distance
import torch
import torch.nn.functional as F  # noqa: N812

from harness import (
    BY_DTYPE,
    REDUCTIONS,
    agrees_with_pytorch,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)

hinge, cosine = hinge_embedding_loss, cosine_embedding_loss
triplet, triplet_by = triplet_margin_loss, triplet_margin_with_distance_loss


def squared(u, v):
    return ((u - v) ** 2).sum(-1)


CASES = [
    pytest.param(hinge, {"margin": 1.5}, id="hinge"),
    pytest.param(cosine, {}, id="cosine"),
    pytest.param(cosine, {"margin": 0.3}, id="cosine-margin"),
    pytest.param(triplet, {"margin": 2.0}, id="triplet"),
    pytest.param(triplet, {"p": 1, "swap": True}, id="triplet-1-swap"),
    pytest.param(triplet, {"p": 3.0, "eps": 1e-3}, id="triplet-3"),
    pytest.param(triplet, {"p": np.inf}, id="triplet-inf"),
    pytest.param(triplet_by, {}, id="by-default"),
    pytest.param(
        triplet_by,
        {"distance_function": squared, "swap": True, "margin": 3.0},
        id="by-square",
    ),
]


def problem(loss, shape=(4, 3)):
    rng = np.random.default_rng(1)
    x, y, z = (np.asarray(rng.normal(size=shape)) for _ in range(3))
    labels = np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    if loss is hinge:
        return [np.abs(x), np.asarray(labels)], 1
    if loss is cosine:
        # long vectors: PyTorch adds 1e-12 to each of their squares
        return [4 * x, 4 * y, np.asarray(labels[..., 0])], 2
    return [x, y, z], 3


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape_against_pytorch(
    backend, loss, options, reduction
) -> None:
    shapes = [(3,), (4, 3), (0, 3)]
    for shape in [*shapes, ()] if loss is hinge else shapes:
        extra = {**options, "reduction": reduction}
        agrees_with_pytorch(
            backend, "float64", loss, *problem(loss, shape), extra
        )


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_dtype_against_pytorch(backend, dtype, loss, options) -> None:
    agrees_with_pytorch(backend, dtype, loss, *problem(loss), options)


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    differentiates_and_traces(loss, *problem(loss), options)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (hinge, {}),
        (cosine, {"margin": 0.3}),
        (triplet, {"swap": True}),
        (triplet_by, {"distance_function": squared}),
    ],
)
def test_compiled_by_torch(compiled, loss, options) -> None:
    compiles(compiled, loss, problem(loss)[0], options)


X, Y = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, 3.0]]), np.array([1, -1])
T = np.sign(X - 0.3)
MISTAKES = [
    (hinge, (X.tolist(), T), {}, "input must be an array .*list"),
    (hinge, (X, 1), {}, "target must be an array .*int"),
    (hinge, (X.astype(int), T), {}, "input .*dtype, got .*int64"),
    (
        hinge,
        (X, T + 0j),
        {},
        "target must have a real dtype, got .*complex128",
    ),
    (hinge, (X, T[:1]), {}, r"target .*\(2, 3\), got \(1, 3\)"),
    (hinge, (X, T), {"reduction": "avg"}, "reduction must .*'avg'"),
    (cosine, (X.tolist(), X, Y), {}, "input1 must be an array .*list"),
    (cosine, (X, X.tolist(), Y), {}, "input2 must be an array .*list"),
    (cosine, (X, X.astype(int), Y), {}, "input2 .*dtype, got .*int64"),
    (
        cosine,
        (X, X, Y + 0j),
        {},
        "target must have a real dtype, got .*complex128",
    ),
    (cosine, (X, X[:1], Y), {}, r"input2 .*\(2, 3\), got \(1, 3\)"),
    (cosine, (X, X, Y[:1]), {}, r"target .*\(1,\) and \(2, 3\)"),
    (cosine, (X[0], X[0], Y), {}, r"target .*\(2,\) and \(3,\)"),
    (cosine, (X[0, 0], X[0, 0], Y[0]), {}, r"input1 .*\(\)"),
    (cosine, (X[None], X[None], Y[None]), {}, r"input1 .*\(1, 2, 3\)"),
    (cosine, (X[:, :0], X[:, :0], Y), {}, r"input1 .*coordinate.*\(2, 0\)"),
    (cosine, (X, X, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
    (triplet, (X.tolist(), X, X), {}, "anchor must be an array .*list"),
    (triplet, (X, X.astype(int), X), {}, "positive .*dtype, got .*int64"),
    (triplet, (X, X, X[0]), {}, r"negative .*\(2, 3\), got \(3,\)"),
    (triplet, (X[0, 0],) * 3, {}, r"anchor .*\(\)"),
    (triplet, (X[:, :0],) * 3, {}, r"anchor .*coordinate.*\(2, 0\)"),
    (
        triplet,
        (X, X, X),
        {"margin": 0.0},
        "margin must be above 0, got 0.0",
    ),
    (triplet, (X, X, X), {"p": 0}, "p must be above 0, got 0"),
    (triplet, (X, X, X), {"reduction": "avg"}, "reduction must .*'avg'"),
    (triplet_by, (X, X, None), {}, "negative must be an array .*None"),
    (triplet_by, (X, X[:1], X), {}, r"positive .*\(2, 3\), got \(1, 3\)"),
    (triplet_by, (X, X, X), {"margin": -1.0}, "margin must be above 0"),
    (
        triplet_by,
        (X, X, X),
        {"distance_function": lambda u, v: 1.0},
        "what distance_function returns must be an array .*float",
    ),
    (triplet_by, (X, X, X), {"reduction": "avg"}, "reduction must .*'avg'"),
]


@pytest.mark.parametrize(("loss", "args", "options", "words"), MISTAKES)
def test_mistakes_are_named(backend, loss, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-8, 1.0, 1e200, 1e300])
def test_the_cosine_of_tiny_and_huge_vectors(backend, scale) -> None:
    u, v = np.array([3.0, -1.0, 2.0]) * scale, np.array([1.0, 2.0, 2.5])
    with mpmath.workdps(60):
        a, b = ([mpmath.mpf(float(x)) for x in w] for w in (u, v))
        angle = mpmath.fdot(a, b) / mpmath.sqrt(
            mpmath.fdot(a, a) * mpmath.fdot(b, b)
        )
        expected = float(1 - angle)
    one, mine = backend.array(1), [backend.array(x) for x in (u, v)]
    np.testing.assert_allclose(
        backend.numpy(cosine(*mine, one)), expected, rtol=1e-14
    )
    if backend.name != "numpy" and 1e-200 <= scale <= 1e200:
        unit = backend.gradient(
            lambda x: cosine(x, mine[1], one), backend.array(u / scale)
        )
        got = backend.gradient(lambda x: cosine(x, mine[1], one), mine[0])
        np.testing.assert_allclose(got * scale, unit, rtol=1e-12)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e30])
def test_a_norm_of_huge_vectors_does_not_overflow(
    backend, scale, p
) -> None:
    """In float32, where the square of 1e20 is infinite."""
    a, near, far = (
        np.array(x) * scale
        for x in ([1.0, -2.0, 3.0], [0.5, -1.0, 3.0], [1.0, -2.5, 3.0])
    )
    d = [scipy.spatial.distance.minkowski(a, x, p) for x in (near, far)]
    arrays = [backend.array(x, "float32") for x in (a, near, far)]
    margin = 2 * max(d)
    got = triplet_margin_loss(*arrays, margin=margin, p=p, eps=0.0)
    np.testing.assert_allclose(
        backend.numpy(got), margin + d[0] - d[1], rtol=1e-5
    )
    if backend.name != "numpy":
        slope = backend.gradient(
            lambda x: triplet_margin_loss(
                x, *arrays[1:], margin=margin, p=p, eps=0.0
            ),
            arrays[0],
        )
        assert np.isfinite(slope).all()


def test_where_the_cosine_of_pytorch_is_lost() -> None:
    """A documented difference; this is PyTorch's own result, to hear of it if it changes."""
    u = torch.tensor([1e-200, 0.0], dtype=torch.float64)
    assert F.cosine_embedding_loss(u, u, torch.tensor(1)) == 1.0
    assert cosine(u, u, torch.tensor(1)) == 0.0


def test_vectors_of_zeros(backend) -> None:
    """The cosine is 0, and so are the gradients: of it, and of a distance of 0."""
    zero, one = backend.array(np.zeros(3)), backend.array(np.ones(3))
    y = backend.array(1)
    np.testing.assert_array_equal(backend.numpy(cosine(zero, one, y)), 1.0)
    np.testing.assert_array_equal(backend.numpy(cosine(zero, zero, y)), 1.0)
    if backend.name != "numpy":
        for f in (
            lambda x: cosine(x, zero, y),
            lambda x: triplet(x, zero, zero, eps=0.0),
            lambda x: triplet(x, zero, zero, eps=0.0, p=3.0),
        ):
            np.testing.assert_array_equal(backend.gradient(f, zero), 0.0)


def test_against_scipy(backend, rng) -> None:
    u, v, w = rng.normal(size=(3, 3))
    mine = [backend.array(x) for x in (u, v, w)]
    got = cosine(*mine[:2], backend.array(1))
    np.testing.assert_allclose(
        backend.numpy(got), scipy.spatial.distance.cosine(u, v), rtol=1e-12
    )
    for p in (1, 2, 3.5, np.inf):
        far, near = (np.linalg.norm(u - x, ord=p) for x in (w, v))
        got = triplet(*mine, p=p, eps=0.0, margin=9.0)
        np.testing.assert_allclose(backend.numpy(got), 9 + near - far)


def test_any_other_target(backend) -> None:
    """As in PyTorch: the hinge counts it as both, the cosine as neither."""
    x, y = np.array([0.3]), np.array([0.0])
    agrees_with_pytorch(backend, "float64", hinge, [x, y], 1, {})
    rows = np.array([[1.0, 2.0]]), np.array([[2.0, 0.5]])
    agrees_with_pytorch(backend, "float64", cosine, [*rows, y], 2, {})


@pytest.mark.parametrize("distance", [0, False, "euclid"])
def test_a_distance_of_ones_own_is_callable(distance) -> None:
    """Also where it counts as false: only None stands for the default."""
    with pytest.raises(
        TypeError, match="distance_function must be callable"
    ):
        triplet_by(X, X, X, distance_function=distance)


def test_strides_do_not_matter(backend) -> None:
    for case in CASES:
        loss, options = case.values
        arrays, _ = problem(loss)
        wide = [backend.array(np.repeat(x, 2, axis=0))[::2] for x in arrays]
        np.testing.assert_allclose(
            backend.numpy(loss(*wide, **options)),
            loss(*arrays, **options),
            rtol=1e-12,
        )
