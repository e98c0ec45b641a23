from __future__ import annotations

import doctest

import jax
import mpmath
import numpy as np
import pytest
import scipy.spatial.distance as theirs
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from book.registry import TABLE
from harness import (
    BY_DTYPE,
    JAX,
    NUMPY,
    ROUND_OFF,
    TORCH,
    compiles,
    refuses,
)
from losslib import (
    chebyshev_distance,
    cosine_distance,
    cosine_embedding_loss,
    euclidean_distance,
    gaussian_nll_loss,
    hamming_distance,
    l1_loss,
    mahalanobis_distance,
    manhattan_distance,
    minkowski_distance,
    mse_loss,
    pearson_distance,
    standardized_euclidean_distance,
    zero_one_loss,
)

seeds = st.integers(0, 2**32 - 1)
VARIANCE = np.array([0.2, 1.0, 3.0, 0.7])
PRECISION = np.array(
    [
        [2.0, 0.5, 0.0, -0.3],
        [0.5, 1.0, 0.2, 0.0],
        [0.0, 0.2, 0.8, 0.1],
        [-0.3, 0.0, 0.1, 1.5],
    ]
)
IN_SCIPY = [
    # ours, SciPy's, what else ours takes
    (euclidean_distance, "euclidean", []),
    (manhattan_distance, "cityblock", []),
    (chebyshev_distance, "chebyshev", []),
    (minkowski_distance, "minkowski", [0.5]),
    (minkowski_distance, "minkowski", [1]),
    (minkowski_distance, "minkowski", [3.5]),
    (minkowski_distance, "minkowski", [np.inf]),
    (standardized_euclidean_distance, "seuclidean", [VARIANCE]),
    (mahalanobis_distance, "mahalanobis", [PRECISION]),
    (cosine_distance, "cosine", []),
    (pearson_distance, "correlation", []),
    (hamming_distance, "hamming", []),
]
SMOOTH = IN_SCIPY[:-1]


def on(backend, more, dtype=None):
    return [
        backend.array(x, dtype) if isinstance(x, np.ndarray) else x
        for x in more
    ]


def pairs(n=4):
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(5, 1, n)), rng.normal(size=(3, n))
    return u, v


# --- SciPy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "name", "more"), IN_SCIPY)
def test_every_pair_against_scipy(backend, ours, name, more) -> None:
    """Broadcast: each of five rows with each of three."""
    u, v = pairs()
    if ours is hamming_distance:
        u, v = np.round(u), np.round(v)
    got = ours(backend.array(u), backend.array(v), *on(backend, more))
    scipys = getattr(theirs, name)
    expected = [[scipys(a, b, *more) for b in v] for a in u[:, 0]]
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


def examples():
    """Yield every call in SciPy's own documentation, and what is printed there."""
    finder = doctest.DocTestFinder(recurse=False)
    names = dict(
        (name, ours) for ours, name, _ in IN_SCIPY
    )  # the last of each
    for name, ours in names.items():
        (test,) = finder.find(getattr(theirs, name), name)
        known = {name: ours, "distance": _Distances(names)}
        for example in test.examples:
            if example.source.startswith("iv ="):
                exec(example.source, known)
            elif "import" not in example.source:
                if "w=" in example.source or "centered" in example.source:
                    continue  # which ours has not
                yield pytest.param(
                    example.source.strip(),
                    dict(known),
                    float(example.want),
                    id=example.source.strip(),
                )


class _Distances:
    def __init__(self, names):
        self.__dict__ = names


@pytest.mark.parametrize(("call", "names", "printed"), list(examples()))
def test_what_scipys_documentation_prints(
    backend, call, names, printed
) -> None:
    def of_arrays(ours):
        return lambda *lists: ours(
            *(
                backend.array(np.array(x, float))
                if isinstance(x, list)
                else x
                for x in lists
            )
        )

    scope = {
        key: of_arrays(x) if callable(x) else x for key, x in names.items()
    }
    scope["distance"] = _Distances(
        {key: of_arrays(x) for key, x in names["distance"].__dict__.items()}
    )
    got = backend.numpy(eval(call, scope))
    np.testing.assert_allclose(got, printed, rtol=1e-15)


def test_there_are_that_many_examples() -> None:
    assert len(list(examples())) == 27


# --- Other oracles ----------------------------------------------------------------------------


def test_against_pytorch_and_its_gradients() -> None:
    rng = np.random.default_rng(0)
    for ours, other in (
        (euclidean_distance, lambda u, v: F.pairwise_distance(u, v, eps=0)),
        (
            lambda u, v: minkowski_distance(u, v, 3.0),
            lambda u, v: F.pairwise_distance(u, v, p=3, eps=0),
        ),
        (
            manhattan_distance,
            lambda u, v: torch.cdist(u, v, p=1).diagonal(),
        ),
        (
            chebyshev_distance,
            lambda u, v: torch.linalg.vector_norm(
                u - v, ord=np.inf, dim=-1
            ),
        ),
        (cosine_distance, lambda u, v: 1 - F.cosine_similarity(u, v)),
        (
            pearson_distance,
            lambda u, v: torch.stack(
                [
                    1 - torch.corrcoef(torch.stack([a, b]))[0, 1]
                    for a, b in zip(u, v, strict=True)
                ]
            ),
        ),
    ):
        mine = [torch.tensor(x) for x in rng.normal(size=(2, 6, 4))]
        own = [x.clone().requires_grad_() for x in mine]
        its = [x.clone().requires_grad_() for x in mine]
        got, expected = ours(*own), other(*its)
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)
        got.sum().backward()
        expected.sum().backward()
        for a, b in zip(own, its, strict=True):
            torch.testing.assert_close(
                a.grad, b.grad, rtol=1e-9, atol=1e-11
            )


def test_half_a_square_is_a_divergence_of_normal_densities(rng) -> None:
    """By torch.distributions: with one covariance, one variance, and one deviation."""
    u, v = torch.tensor(rng.normal(size=(2, 4)))
    normal = torch.distributions.MultivariateNormal
    form = torch.tensor(PRECISION)
    kl = torch.distributions.kl_divergence(
        normal(u, precision_matrix=form), normal(v, precision_matrix=form)
    )
    half = mahalanobis_distance(u, v, form) ** 2 / 2
    torch.testing.assert_close(half, kl, rtol=1e-12, atol=0)
    spread = torch.tensor(VARIANCE)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(u, spread.sqrt()),
        torch.distributions.Normal(v, spread.sqrt()),
    ).sum()
    half = standardized_euclidean_distance(u, v, spread) ** 2 / 2
    torch.testing.assert_close(half, kl, rtol=1e-12, atol=0)


def test_against_scikit_learn(rng) -> None:
    u, v = rng.normal(size=(2, 5, 4))
    got = cosine_distance(u[:, None], v)
    expected = sklearn.metrics.pairwise.cosine_distances(u, v)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    a, b = rng.integers(3, size=(2, 9))
    np.testing.assert_allclose(
        hamming_distance(a, b), sklearn.metrics.hamming_loss(a, b)
    )


def test_the_losses_that_are_distances(backend, rng) -> None:
    u, v = (backend.array(x) for x in rng.normal(size=(2, 5, 4)))
    one = backend.array(np.ones(5))
    near = {"rtol": 1e-12}
    for got, expected in (
        (euclidean_distance(u, v) ** 2, 4 * row_means(mse_loss, u, v)),
        (manhattan_distance(u, v), 4 * row_means(l1_loss, u, v)),
        (
            cosine_distance(u, v),
            cosine_embedding_loss(u, v, one, reduction="none"),
        ),
    ):
        np.testing.assert_allclose(
            backend.numpy(got), backend.numpy(expected), **near
        )
    signs = np.sign(rng.normal(size=(2, 20)))
    np.testing.assert_allclose(
        hamming_distance(*signs), zero_one_loss(*signs)
    )


def row_means(loss, u, v):
    return loss(u, v, reduction="none").mean(-1)


def test_standardised_is_half_a_likelihood(rng) -> None:
    u, v = rng.normal(size=(2, 4))
    nll = gaussian_nll_loss(u, v, VARIANCE, reduction="sum")
    got = standardized_euclidean_distance(u, v, VARIANCE) ** 2 / 2
    np.testing.assert_allclose(got, nll - np.log(VARIANCE).sum() / 2)


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "name", "more"), SMOOTH)
def test_gradients_by_finite_differences(ours, name, more) -> None:
    """In every array, the variance and the precision too; and once more."""
    arrays = [*pairs(), *(x for x in more if isinstance(x, np.ndarray))]
    numbers = [x for x in more if not isinstance(x, np.ndarray)]
    leaves = [TORCH.array(x).requires_grad_() for x in arrays]
    assert torch.autograd.gradcheck(lambda *x: ours(*x, *numbers), leaves)
    assert torch.autograd.gradgradcheck(
        lambda *x: ours(*x, *numbers), leaves
    )


@pytest.mark.parametrize(("ours", "name", "more"), IN_SCIPY)
def test_no_slope_at_distance_zero(
    differentiable, ours, name, more
) -> None:
    """Nor is one nan: where no direction is named, the subgradient is 0."""
    u = np.array([[1.0, -2.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    v = differentiable.array(u)
    rest = on(differentiable, more)
    if "cosine" in name or "correlation" in name:
        u = u[:1]  # the vector of zeros is none of another
        v = differentiable.array(u)
    np.testing.assert_array_equal(
        differentiable.numpy(ours(v, v, *rest)), 0.0
    )
    for f in (lambda x: ours(x, v, *rest), lambda x: ours(v, x, *rest)):
        slope = differentiable.gradient(f, v)
        np.testing.assert_allclose(slope, 0.0, atol=1e-15)


def test_near_distance_zero_the_slope_has_length_one(
    differentiable,
) -> None:
    """Even at 1e-200, where the square of a difference is 0."""
    zero = differentiable.array(np.zeros(2))
    for size in (1e-300, 1e-200, 1e-8, 1.0, 1e200):
        x = differentiable.array(np.array([3.0, -4.0]) * size)
        slope = differentiable.gradient(
            lambda x: euclidean_distance(x, zero), x
        )
        np.testing.assert_allclose(slope, [0.6, -0.8], rtol=1e-12)


def test_what_is_largest_twice_shares_the_slope(differentiable) -> None:
    zero = differentiable.array(np.zeros(3))
    x = differentiable.array([2.0, 1.0, -2.0])
    for f in (
        lambda x: chebyshev_distance(x, zero),
        lambda x: minkowski_distance(x, zero, np.inf),
    ):
        slope = differentiable.gradient(f, x)
        np.testing.assert_allclose(slope, [0.5, 0.0, -0.5])


def test_below_order_one_an_equal_entry_has_no_slope(
    differentiable,
) -> None:
    """And one that is nearly equal a steep one: sign · (size / distance)^(p-1)."""
    zero = differentiable.array(np.zeros(3))
    x = np.array([1e-8, 0.0, -4.0])
    slope = differentiable.gradient(
        lambda x: minkowski_distance(x, zero, 0.5), differentiable.array(x)
    )
    d = theirs.minkowski(x, np.zeros(3), 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(
            x == 0, 0.0, np.sign(x) * (np.abs(x) / d) ** -0.5
        )
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_no_number_beside_a_vector_of_zeros(backend, entry) -> None:
    u, v = backend.array([entry, 1.0]), backend.array([0.0, 0.0])
    with np.errstate(invalid="ignore"):
        for pair in ((u, v), (v, u)):
            assert np.isnan(backend.numpy(cosine_distance(*pair)))


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e30])
def test_a_tiny_vector_and_itself(backend, size) -> None:
    v = backend.array(np.array([size, 2 * size]), "float32")
    assert backend.numpy(cosine_distance(v, v)) == 0


def test_a_vector_without_a_direction(backend, differentiable) -> None:
    """Documented: the distance is 1, and nothing pulls; SciPy's is nan."""
    zero, flat = np.zeros(3), np.full(3, 0.3)
    x = np.array([1.0, 2.0, -4.0])
    for ours, name, none in (
        (cosine_distance, "cosine", zero),
        (pearson_distance, "correlation", zero),
        (pearson_distance, "correlation", flat),
        (pearson_distance, "correlation", np.full(3, 1e8 + 0.1)),
    ):
        for a, b in ((none, x), (x, none), (none, none)):
            got = ours(backend.array(a), backend.array(b))
            assert backend.numpy(got) == 1.0
            slope = differentiable.gradient(
                lambda u, ours=ours, b=b: ours(u, differentiable.array(b)),
                differentiable.array(a),
            )
            np.testing.assert_array_equal(slope, 0.0)
        if none is zero:
            with np.errstate(invalid="ignore"):
                assert np.isnan(getattr(theirs, name)(none, x))


def test_nothing_can_be_trained_on_hamming(differentiable) -> None:
    u = differentiable.array([1.0, 2.0, 3.0])
    v = differentiable.array([1.0, 2.0, 4.0])
    slope = differentiable.gradient(lambda x: hamming_distance(x, v), u)
    np.testing.assert_array_equal(slope, 0.0)


def test_the_gradient_of_pearson_feels_no_shift(differentiable) -> None:
    u, v = (differentiable.array(x[..., :]) for x in pairs())
    slope = differentiable.gradient(lambda x: pearson_distance(x, v), u)
    np.testing.assert_allclose(slope.sum(-1), 0.0, atol=1e-14)
    slope = differentiable.gradient(lambda x: cosine_distance(x, v), u)
    np.testing.assert_allclose(
        (slope * differentiable.numpy(u)).sum(-1), 0.0, atol=1e-14
    )


def test_the_gradient_of_pearson_at_its_first_entry(differentiable) -> None:
    """In float32 to the digits of the others: all are shifted by it, as by a constant."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 100_000)).astype(np.float32)
    u[0] = 3.0
    slope = differentiable.gradient(
        lambda x: pearson_distance(x, differentiable.array(v, "float32")),
        differentiable.array(u, "float32"),
    )
    a, b = (x - x.mean() for x in (u.astype(float), v.astype(float)))
    size = np.linalg.norm(a)
    a, b = a / size, b / np.linalg.norm(b)
    expected = (a @ b * a - b) / size
    np.testing.assert_allclose(
        slope, expected, rtol=0, atol=1e-6 * np.abs(expected).max()
    )


# --- Extremes, dtypes, shapes -----------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1.0, 1e18, 1e30])
@pytest.mark.parametrize(("ours", "name", "more"), SMOOTH)
def test_single_precision_neither_overflows_nor_vanishes(
    backend, ours, name, more, scale
) -> None:
    """The square of 1e30 is infinite there, and that of 1e-30 zero."""
    rng = np.random.default_rng(1)
    u, v = (scale * rng.normal(size=(2, 6, 4))).astype(np.float32)
    u, v = u.astype(float), v.astype(float)
    if more and isinstance(more[0], np.ndarray):
        more = [more[0].astype(np.float32).astype(float)]
    single = [backend.array(x, "float32") for x in (u, v)]
    rest = on(backend, more, "float32")
    got = ours(*single, *rest)
    expected = [
        getattr(theirs, name)(a, b, *more)
        for a, b in zip(u, v, strict=True)
    ]
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=3e-6)
    if backend is not NUMPY:
        slope = backend.gradient(lambda x: ours(x, single[1], *rest), single[0])  # fmt: skip
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() > 0


@pytest.mark.parametrize("ours", [cosine_distance, pearson_distance])
@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-8])
def test_an_angle_of_nearly_zero_keeps_its_digits(
    backend, ours, gap
) -> None:
    """1 - cos would leave none at 1e-8; against 60 digits."""
    u = np.array([3.0, 1.0, -2.0, 0.5])
    v = 7 * (u + gap * np.array([0.3, -1.0, 0.2, 0.4]))
    with mpmath.workdps(60):
        a, b = ([mpmath.mpf(float(x)) for x in w] for w in (u, v))
        if ours is pearson_distance:
            a, b = ([x - mpmath.fsum(w) / 4 for x in w] for w in (a, b))
        cos = mpmath.fdot(a, b) / mpmath.sqrt(
            mpmath.fdot(a, a) * mpmath.fdot(b, b)
        )
        expected = float(1 - cos)
    got = backend.numpy(ours(backend.array(u), backend.array(v)))
    np.testing.assert_allclose(got, expected, rtol=1e-14 / gap)
    assert got > 0


def test_a_shift_leaves_pearsons_digits(backend) -> None:
    """A mean of 1e8, and differences of order 1."""
    u, v = pairs()
    expected = pearson_distance(u, v)
    got = pearson_distance(
        backend.array(u + 2.0**27), backend.array(v - 2.0**27)
    )
    np.testing.assert_allclose(backend.numpy(got), expected, atol=1e-7)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("ours", "name", "more"), IN_SCIPY)
def test_every_dtype(backend, dtype, ours, name, more) -> None:
    u, v = (backend.array(4 * x, dtype) for x in pairs())
    rest = on(backend, more, dtype)
    got = ours(u, v, *rest)
    assert backend.dtype_of(got) == dtype
    assert tuple(got.shape) == (5, 3)
    exact = [
        backend.numpy(x) if hasattr(x, "dtype") else x
        for x in (u, v, *rest)
    ]
    np.testing.assert_allclose(
        backend.numpy(got),
        ours(*exact),
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )


def test_halves_whose_squares_are_beyond_them(backend) -> None:
    u = backend.array([300.0, 400.0], "float16")
    zero = backend.array([0.0, 0.0], "float16")
    assert float(euclidean_distance(u, zero)) == 500.0


@pytest.mark.parametrize(("ours", "name", "more"), IN_SCIPY)
def test_inside_autocast(ours, name, more) -> None:
    u, v = (TORCH.array(x, "float32") for x in pairs())
    rest = on(TORCH, more, "float32")
    with torch.autocast("cpu", torch.bfloat16):
        got = ours(u, v, *rest)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, ours(u, v, *rest))


@pytest.mark.parametrize(("ours", "name", "more"), IN_SCIPY)
def test_no_rows_and_one(backend, ours, name, more) -> None:
    rest = on(backend, more)
    one = backend.array(np.arange(4.0))
    none = backend.array(np.zeros((0, 4)))
    assert tuple(ours(none, none, *rest).shape) == (0,)
    assert tuple(ours(none, one, *rest).shape) == (0,)
    assert tuple(ours(one, one + 1, *rest).shape) == ()
    if backend is not NUMPY:
        slope = backend.gradient(lambda x: ours(x, one, *rest), none)
        assert slope.shape == (0, 4)


def test_a_variance_and_a_precision_for_each_row(backend, rng) -> None:
    u, v = rng.normal(size=(2, 3, 4))
    spread = rng.random((3, 4)) + 0.1
    root = rng.normal(size=(3, 4, 4))
    form = root @ root.swapaxes(1, 2)
    own = [backend.array(x) for x in (u, v)]
    for ours, name, more in (
        (standardized_euclidean_distance, "seuclidean", spread),
        (mahalanobis_distance, "mahalanobis", form),
    ):
        got = backend.numpy(ours(*own, backend.array(more)))
        for k in range(3):
            expected = getattr(theirs, name)(u[k], v[k], more[k])
            np.testing.assert_allclose(got[k], expected, rtol=1e-12)


@pytest.mark.parametrize(("ours", "name", "more"), IN_SCIPY[3:9])
def test_compiled_and_mapped(compiled, ours, name, more) -> None:
    u, v = pairs()
    u = np.ascontiguousarray(np.repeat(u[:3, 0], 1, axis=0))
    arrays = [u, v, *(x for x in more if isinstance(x, np.ndarray))]
    numbers = [x for x in more if not isinstance(x, np.ndarray)]

    def total(*xs, **options):
        return ours(*xs, *numbers).sum()

    compiles(compiled, total, arrays, {})
    expected = ours(u, v, *more)
    axes = (0, 0, *(None,) * (len(arrays) - 2))
    for backend, vmap in ((TORCH, torch.func.vmap), (JAX, jax.vmap)):
        mapped = vmap(lambda *xs: ours(*xs, *numbers), axes)
        got = mapped(*(backend.array(x) for x in arrays))
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


# --- Symbols ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["int8", "int64", "uint8", "uint16", "uint64", "bool"]
)
def test_hamming_of_symbols_of_every_dtype(backend, dtype) -> None:
    u, v = np.array([[1, 0, 0], [1, 1, 1]]), np.array([1, 0, 1])
    got = hamming_distance(backend.array(u, dtype), backend.array(v, dtype))
    default = backend.dtype_of(backend.xp.asarray(0.0))
    assert backend.dtype_of(got) == default
    np.testing.assert_allclose(
        backend.numpy(got), [1 / 3, 1 / 3], rtol=1e-6
    )


def test_hamming_sees_equality_alone(backend) -> None:
    """Not how far apart: the next float is another, two infinities are one, nan is none."""
    u = np.array([1.0, np.inf, 1e300, -np.inf])
    v = np.array([np.nextafter(1.0, 2.0), np.inf, -1e300, np.inf])
    got = hamming_distance(backend.array(u), backend.array(v))
    assert backend.numpy(got) == 0.75
    u = backend.array(np.array([2**62 + 1, 5]))
    v = backend.array(np.array([2**62, 5]))
    assert backend.numpy(hamming_distance(u, v)) == 0.5  # one float64
    v = backend.array(np.array([np.nan, 1.0]))
    assert np.isnan(backend.numpy(hamming_distance(v, v)))


# --- Errors -----------------------------------------------------------------------------------

X = np.arange(12.0).reshape(4, 3)
MISTAKES = [
    (euclidean_distance, (X.tolist(), X), "u must be an array .*list"),
    (euclidean_distance, (X, X.astype(int)), "v .*dtype, got .*int64"),
    (euclidean_distance, (X[0, 0], X), r"u must have at least one axis"),
    (manhattan_distance, (X, X[0, 0]), r"v must have at least one axis"),
    (
        manhattan_distance,
        (X, X[:, :1]),
        r"v must have 3 coordinates .*u of shape \(4, 3\), got shape \(4, 1\)",
    ),
    (
        chebyshev_distance,
        (X, X[:2]),
        r"v must broadcast to the rows of u, shape \(4,\), got shape \(2, 3\)",
    ),
    (
        chebyshev_distance,
        (X[:, :0], X[:, :0]),
        r"u must have at least one coordinate, got shape \(4, 0\)",
    ),
    (
        standardized_euclidean_distance,
        (X, X, np.ones(2)),
        r"variance must have 3 coordinates .*got shape \(2,\)",
    ),
    (
        standardized_euclidean_distance,
        (X, X, np.array([1.0, -2.0, 1.0])),
        r"variance must be above 0, got -2.0 at position \(1,\)",
    ),
    (
        standardized_euclidean_distance,
        (X, X, np.array([1.0, np.nan, 1.0])),
        "variance must be above 0, got nan",
    ),
    (
        mahalanobis_distance,
        (X, X, np.ones((3, 2))),
        r"precision must hold a matrix \(3, 3\).*got shape \(3, 2\)",
    ),
    (
        mahalanobis_distance,
        (X, X, np.eye(3).astype(int)),
        "precision .*dtype, got .*int64",
    ),
    (
        mahalanobis_distance,
        (X, X + 1, np.diag([1.0, 1.0, -5.0])),
        r"precision must be positive semidefinite, got the squared distance -3.0",
    ),
    (
        mahalanobis_distance,
        (X, X + 2, np.diag([1.0, 1.0, -5.0])),
        "got the squared distance -12.0",  # of the vectors, not of scaled ones
    ),
    (
        mahalanobis_distance,
        (X, X, np.stack([np.eye(3)] * 5)),
        r"precision must have a matrix for each of the rows \(4,\), .*\(5, 3, 3\)",
    ),
    (hamming_distance, (X, X + 0j), "v must have a real dtype"),
    (
        hamming_distance,
        (X, X.astype(int)),
        "v must have the dtype of u, .*float64, got .*int64",
    ),
    (
        hamming_distance,
        (X, X[:, :2]),
        r"v must have 3 coordinates .*got shape \(4, 2\)",
    ),
]


@pytest.mark.parametrize(("ours", "args", "words"), MISTAKES)
def test_mistakes_are_named(backend, ours, args, words) -> None:
    refuses(backend, ours, args, {}, words)


@pytest.mark.parametrize("how", ["compile", "vmap", "jit"])
def test_what_a_compiler_hides_gives_nan(compiled, how) -> None:
    """A variance of 0, or a matrix that is not positive semidefinite, in the second row alone."""
    u, v = np.zeros((2, 2)), np.ones((2, 2))
    spread = np.array([[1.0, 1.0], [1.0, 0.0]])
    form = np.stack([np.eye(2), np.diag([1.0, -2.0])])
    for ours, more in (
        (standardized_euclidean_distance, spread),
        (mahalanobis_distance, form),
    ):
        backend = JAX if how == "jit" else TORCH
        own = [backend.array(x) for x in (u, v, more)]
        if how == "compile":
            got = compiled(ours)(*own)
        elif how == "vmap":
            got = torch.func.vmap(ours)(*own)
        else:
            got = jax.jit(ours)(*own)
        got = backend.numpy(got)
        np.testing.assert_allclose(got[0], np.sqrt(2))
        assert np.isnan(got[1])


def test_rounding_makes_no_negative_square(backend) -> None:
    """A singular matrix, and a gap along its null space."""
    w = np.array([0.1, 0.3, 0.7])
    form = np.eye(3) - np.outer(w, w) / (w @ w)
    gap = np.linspace(0.1, 3.0, 50)[:, None] * w
    got = mahalanobis_distance(
        backend.array(gap), backend.array(np.zeros(3)), backend.array(form)
    )
    got = backend.numpy(got)
    assert np.all((got >= 0) & (got < 1e-7))
    assert np.isnan(
        backend.numpy(
            mahalanobis_distance(
                backend.array([np.nan, 1.0]),
                backend.array([0.0, 0.0]),
                backend.array(np.eye(2)),
            )
        )
    )


def test_opposite_vectors_are_at_2_and_no_further(backend, rng) -> None:
    """One more than that by rounding has no angle: its arccos is nan."""
    u = rng.normal(size=(500, 5))
    for ours in (cosine_distance, pearson_distance):
        got = backend.numpy(ours(backend.array(u), backend.array(-3 * u)))
        assert np.all(got <= 2)
        np.testing.assert_allclose(got, 2, rtol=1e-12)


def test_what_rounding_cannot_explain_is_refused(backend) -> None:
    """Squares below 0 by 1e-9 and 1e-13 of their terms: small, and a thousand round-offs."""
    gap, zero = backend.array([1.0, -1.0]), backend.array([0.0, 0.0])
    for more in (1e-3, 1e-9, 1e-13):
        form = np.array([[1.0, 1.0 + more], [1.0 + more, 1.0]])
        with pytest.raises(ValueError, match="positive semidefinite"):
            mahalanobis_distance(gap, zero, backend.array(form))
    single = np.array([[1.0, 1.0 + 1e-4], [1.0 + 1e-4, 1.0]])
    with pytest.raises(ValueError, match="positive semidefinite"):
        mahalanobis_distance(
            backend.array([1.0, -1.0], "float32"),
            backend.array([0.0, 0.0], "float32"),
            backend.array(single, "float32"),
        )


# --- Laws -------------------------------------------------------------------------------------


@given(seeds, st.floats(0.1, 20))
def test_between_the_largest_and_its_multiple(seed, p) -> None:
    u, v = np.random.default_rng(seed).normal(size=(2, 6, 5))
    top, d = chebyshev_distance(u, v), minkowski_distance(u, v, p)
    assert np.all(d >= top * (1 - 1e-12))
    assert np.all(d <= 5 ** (1 / p) * top * (1 + 1e-12))
    assert np.all(minkowski_distance(u, v, 1.3 * p) <= d * (1 + 1e-12))


@given(seeds)
def test_what_each_does_not_see(seed) -> None:
    """A shift, a unit, a turn, a basis, a length, a level: each its own invariance."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(2, 6, 4))
    shift, unit = rng.normal(size=4), np.exp(rng.normal(size=4))
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    basis = rng.normal(size=(4, 4)) + 3 * np.eye(4)
    near = {"rtol": 1e-8, "atol": 1e-11}

    def same(a, b):
        np.testing.assert_allclose(a, b, **near)

    for ours, _, more in IN_SCIPY[:9]:
        same(ours(u + shift, v + shift, *more), ours(u, v, *more))
    for ours in (euclidean_distance, cosine_distance):
        same(ours(u @ turn, v @ turn), ours(u, v))
    same(
        standardized_euclidean_distance(
            unit * u, unit * v, unit**2 * VARIANCE
        ),
        standardized_euclidean_distance(u, v, VARIANCE),
    )
    back = np.linalg.inv(basis)
    same(
        mahalanobis_distance(
            u @ basis, v @ basis, back @ PRECISION @ back.T
        ),
        mahalanobis_distance(u, v, PRECISION),
    )
    long = unit[:1]
    same(cosine_distance(long * u, v), cosine_distance(u, v))
    same(
        pearson_distance(long * u + shift[0], v - shift[1]),
        pearson_distance(u, v),
    )
    same(cosine_distance(-u, v), 2 - cosine_distance(u, v))


@given(seeds)
def test_diagonal_and_unit_matrices(seed) -> None:
    u, v = np.random.default_rng(seed).normal(size=(2, 6, 4))
    np.testing.assert_allclose(
        mahalanobis_distance(u, v, np.diag(1 / VARIANCE)),
        standardized_euclidean_distance(u, v, VARIANCE),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        mahalanobis_distance(u, v, np.eye(4)), euclidean_distance(u, v)
    )
    np.testing.assert_allclose(
        standardized_euclidean_distance(u, v, np.ones(4)),
        euclidean_distance(u, v),
    )


def detour(d, a, b, c):
    """How much longer the way from a to c is than that by b; above 0 no metric has it."""
    return d(a, c) - d(a, b) - d(b, c)


def test_what_breaks_the_triangle_inequality() -> None:
    """Counter-examples, each by hand."""
    a, b, c = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(
        detour(cosine_distance, a, b, c), 1 - 2 * (1 - np.sqrt(0.5))
    )
    x, y, z = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    half = detour(lambda u, v: minkowski_distance(u, v, 0.5), x, y, z)
    np.testing.assert_allclose(half, 4 - 2)
    square = detour(
        lambda u, v: euclidean_distance(u, v) ** 2, *np.eye(3)[:1] * 0,
        np.array([1.0, 0, 0]), np.array([2.0, 0, 0]),
    )  # fmt: skip
    np.testing.assert_allclose(square, 2)


@given(seeds, st.floats(0.2, 1.0))
def test_what_mends_it(seed, p) -> None:
    """The root of the cosine distance, the angle, and the power of an order below 1."""
    a, b, c = np.random.default_rng(seed).normal(size=(3, 200, 3))
    for d in (
        lambda u, v: np.sqrt(cosine_distance(u, v)),
        lambda u, v: np.arccos(np.clip(1 - cosine_distance(u, v), -1, 1)),
        lambda u, v: np.sqrt(pearson_distance(u, v)),
        lambda u, v: minkowski_distance(u, v, p) ** p,
        lambda u, v: minkowski_distance(u, v, 1 / p),
    ):
        assert np.all(detour(d, a, b, c) <= 1e-9)


def test_the_registry_says_the_same() -> None:
    no_metric = {
        name for name, entry in TABLE.items() if entry.metric is False
    }
    assert no_metric == {
        "bhattacharyya_distance",
        "cosine_distance",
        "pearson_distance",
    }
    for entry in TABLE.values():
        if entry.metric is not None:
            said = entry.ours.__doc__.partition("Parameters")[0]
            assert ("no metric" in said) is not entry.metric
            assert "metric" in said.lower()
