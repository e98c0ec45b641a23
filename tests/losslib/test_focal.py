from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    BY_DTYPE,
    LABEL_DTYPES,
    REDUCTIONS,
    ROUND_OFF,
    SHAPES,
    as_dtype,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    asymmetric_loss,
    binary_cross_entropy_with_logits,
    cross_entropy,
    entropy,
    focal_loss,
    poly_loss,
    sigmoid_focal_loss,
    softmax,
)

focal, sigmoid_focal = focal_loss, sigmoid_focal_loss
poly, asymmetric = poly_loss, asymmetric_loss
INDEXED = (focal, poly)
WEIGHT = np.array([0.5, 2.0, 1.25])
CASES = [
    pytest.param(focal, {}, id="focal"),
    pytest.param(focal, {"gamma": 0.5, "weight": WEIGHT}, id="root"),
    pytest.param(focal, {"gamma": 0.0, "ignore_index": 1}, id="ce"),
    pytest.param(
        focal,
        {"gamma": 5.0, "weight": WEIGHT, "ignore_index": 1},
        id="focal-all",
    ),
    pytest.param(sigmoid_focal, {}, id="sigmoid"),
    pytest.param(sigmoid_focal, {"alpha": None, "gamma": 0.5}, id="plain"),
    pytest.param(sigmoid_focal, {"alpha": 1.0, "gamma": 0.0}, id="bce"),
    pytest.param(sigmoid_focal, {"alpha": 0.0, "gamma": 3.5}, id="zero"),
    pytest.param(poly, {}, id="poly"),
    pytest.param(
        poly,
        {"epsilon": -1.0, "weight": WEIGHT, "ignore_index": 1},
        id="poly-all",
    ),
    pytest.param(asymmetric, {}, id="asymmetric"),
    pytest.param(
        asymmetric,
        {"gamma_pos": 0.5, "gamma_neg": 0.5, "clip": 0.0},
        id="symmetric",
    ),
    pytest.param(
        asymmetric,
        {"gamma_pos": 0.0, "gamma_neg": 0.0, "clip": 0.2},
        id="clipped",
    ),
]


def problem(loss, shape=(4, 3), options=None):
    """Return scores and targets; soft ones, and every hard one, where they may be soft."""
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=shape)
    if loss not in INDEXED:
        y = np.clip(rng.uniform(-1, 2, size=shape), 0, 1)
        return [z, np.round(y) if loss is asymmetric else y]
    axis = 0 if len(shape) == 1 else 1
    t = np.asarray(rng.integers(3, size=shape[:axis] + shape[axis + 1 :]))
    if t.ndim and t.size:
        t.flat[0] = 2
        t.flat[-1] = (options or {}).get("ignore_index", 0)
    return [z, t]


def by_optax(loss, z, y, options):
    """Return the losses of the samples, by optax or from parts that PyTorch or optax computes."""
    if loss is sigmoid_focal:
        return optax.losses.sigmoid_focal_loss(
            z, y, **{"alpha": 0.25, "gamma": 2.0, **options}
        )
    if loss is asymmetric:
        plus, minus, m = ({"gamma_pos": 1.0, "gamma_neg": 4.0, "clip": 0.05}
                          | options).values()  # fmt: skip
        p = jax.nn.sigmoid(z)
        p_m = jnp.maximum(p - m, 0)
        loss_neg = jnp.where(
            p > m,
            -(jnp.where(p > m, p_m, 0.5) ** minus) * jnp.log1p(-p_m),
            0,
        )
        return -y * (1 - p) ** plus * jnp.log(p) + (1 - y) * loss_neg
    rows = jnp.moveaxis(z, min(1, z.ndim - 1), -1)
    hot = jax.nn.one_hot(y, 3, dtype=z.dtype)
    if loss is poly:
        cost = optax.losses.poly_loss_cross_entropy(
            rows, hot, epsilon=options.get("epsilon", 2.0)
        )
    else:
        rest = 1 - jnp.sum(hot * jax.nn.softmax(rows), axis=-1)
        cost = optax.losses.softmax_cross_entropy(rows, hot)
        cost = cost * rest ** options.get("gamma", 2.0)
    return cost * own_weight(y, options)


def own_weight(y, options):
    own = jnp.asarray(options.get("weight", np.ones(3)))[y]
    return jnp.where(y == options.get("ignore_index", -100), 0, own)


def compare(backend, dtype, loss, options, shape, reduction) -> None:
    """Compare value and gradient with the oracle in float64, on the rounded arrays."""
    arrays = problem(loss, shape, options)
    own = [as_dtype(backend, x, dtype) for x in arrays]
    mine = {k: as_dtype(backend, x, dtype) for k, x in options.items()}
    got = loss(*own, **mine, reduction=reduction)
    assert backend.dtype_of(got) == dtype
    z, y = (jnp.asarray(backend.numpy(x)) for x in own)
    rounded = {
        k: backend.numpy(x) if k == "weight" else x for k, x in mine.items()
    }
    indexed = loss in INDEXED
    total = jnp.sum(own_weight(y, rounded)) if indexed else max(z.size, 1)

    def f(z):
        values = by_optax(loss, z, y, rounded)
        if reduction == "none":
            return values
        return jnp.sum(values) / (total if reduction == "mean" else 1)

    close = partial(
        np.testing.assert_allclose,
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )
    assert tuple(got.shape) == f(z).shape
    close(backend.numpy(got), f(z))
    if backend.name != "numpy":
        each = partial(loss, target=own[1], **mine, reduction=reduction)
        expected = jax.grad(lambda z: jnp.sum(f(z)))(z)
        close(backend.gradient(each, own[0]), expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "options"), CASES)
def test_every_shape(backend, loss, options, reduction) -> None:
    for shape in SHAPES[::2] if reduction == "none" else SHAPES[2:3]:
        compare(backend, "float64", loss, options, shape, reduction)


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
@pytest.mark.parametrize(("loss", "options"), CASES[1::3])
def test_every_dtype(backend, dtype, loss, options) -> None:
    compare(backend, dtype, loss, options, (4, 3), "mean")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", [{}, {"weight": WEIGHT}])
def test_gamma_0_is_cross_entropy(backend, options, reduction, rng) -> None:
    z, t = rng.normal(size=(6, 3)), np.array([0, 1, 2, 2, -100, 0])
    theirs = {k: torch.tensor(w) for k, w in options.items()}
    mine = {k: backend.array(w) for k, w in options.items()}
    expected = F.cross_entropy(
        torch.tensor(z), torch.tensor(t), **theirs, reduction=reduction
    )
    for loss, key in ((focal, "gamma"), (poly, "epsilon")):
        got = loss(
            backend.array(z),
            backend.array(t),
            **mine,
            **{key: 0.0},
            reduction=reduction,
        )
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


def test_two_classes_are_the_sigmoid_form_of_optax(backend, rng) -> None:
    z, t = 3 * rng.normal(size=(40, 2)), rng.integers(2, size=40)
    for gamma in (0.0, 0.5, 2.0):
        expected = optax.losses.sigmoid_focal_loss(
            z[:, 1] - z[:, 0], t, gamma=gamma
        )
        got = focal(
            backend.array(z),
            backend.array(t),
            gamma=gamma,
            reduction="none",
        )
        np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-10)


def test_without_shift_asymmetric_is_focal_and_bce(backend, rng) -> None:
    z, y = rng.normal(size=(5, 3)), rng.integers(2, size=(5, 3)) * 1.0
    a, b = backend.array(z), backend.array(y)
    same = partial(asymmetric, clip=0.0, reduction="none")
    got = same(a, b, gamma_pos=2.0, gamma_neg=2.0)
    expected = optax.losses.sigmoid_focal_loss(z, y, gamma=2.0)
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)
    got = same(a, b, gamma_pos=0.0, gamma_neg=0.0)
    expected = F.binary_cross_entropy_with_logits(
        torch.tensor(z), torch.tensor(y), reduction="none"
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


def test_a_negative_alpha_is_none(backend, rng) -> None:
    z, y = backend.array(rng.normal(size=9)), backend.array(np.ones(9))
    np.testing.assert_array_equal(
        backend.numpy(sigmoid_focal(z, y, alpha=-1)),
        backend.numpy(sigmoid_focal(z, y, alpha=None)),
    )


@pytest.mark.parametrize("dtype", [*LABEL_DTYPES, "bool", "float32"])
@pytest.mark.parametrize("loss", [focal, sigmoid_focal, poly, asymmetric])
def test_every_target_dtype(backend, loss, dtype) -> None:
    if loss in INDEXED and dtype in ("bool", "float32"):
        return
    if loss not in INDEXED and dtype in ("uint16", "uint32", "uint64"):
        return  # PyTorch has no minimum of them
    z, y = np.array([[0.5, -1.0], [0.0, 1.0]]), np.array([1, 0])
    y = y if loss in INDEXED else np.stack([y, 1 - y])
    got = loss(backend.array(z), backend.array(y, dtype))
    np.testing.assert_allclose(backend.numpy(got), loss(z, y), rtol=1e-14)


@pytest.mark.parametrize("loss", INDEXED)
def test_a_label_to_ignore_need_be_no_class(backend, loss) -> None:
    t = backend.array(np.array([-7, 0]))
    z = backend.array(np.array([[1.0, 2.0], [3.0, 1.0]]))
    got = loss(z, t, ignore_index=-7, reduction="none")
    alone = loss(z[1:], t[1:], reduction="none")
    expected = [0.0, float(alone[0])]
    np.testing.assert_array_equal(backend.numpy(got), expected)
    got = loss(z[:, :1], t, ignore_index=-7, reduction="none")  # one class
    np.testing.assert_array_equal(backend.numpy(got), [0.0, 0.0])


def test_asymmetric_loss_of_a_share(backend) -> None:
    """A probability as target mixes the costs of both labels; infinite logits cost one of them."""
    f = partial(asymmetric, reduction="none")
    z = backend.array([-2.0, 0.5, 3.0])
    ones, zeros = backend.array([1.0] * 3), backend.array([0.0] * 3)
    got = backend.numpy(f(z, 0.3 * ones))
    expected = 0.3 * f(z, ones) + 0.7 * f(z, zeros)
    np.testing.assert_allclose(got, backend.numpy(expected), rtol=1e-14)
    surely = backend.array([-np.inf, np.inf])
    got = f(surely, backend.array([0.0, 1.0]), clip=0.0)
    np.testing.assert_array_equal(backend.numpy(got), [0.0, 0.0])


@pytest.mark.parametrize("loss", [focal, sigmoid_focal, poly, asymmetric])
def test_over_no_sample(backend, loss) -> None:
    z, y = (backend.array(x) for x in problem(loss, (0, 3)))
    assert np.isnan(backend.numpy(loss(z, y)))
    assert backend.numpy(loss(z, y, reduction="sum")) == 0
    assert 0 in loss(z, y, reduction="none").shape
    if loss in INDEXED:
        z, y = backend.array(np.ones((2, 3))), backend.array([-100, -100])
        assert np.isnan(backend.numpy(loss(z, y)))


def exact(loss, z, y, options):
    """Return the loss of one sample and its derivative by z[0], with a thousand digits."""
    with mpmath.workdps(1000):

        def p_of(first):
            terms = [mpmath.exp(x) for x in [first, *z[1:]] if x > -np.inf]
            return mpmath.exp([first, *z[1:]][y]) / mpmath.fsum(terms)

        def sigmoid(u):
            return 1 / (1 + mpmath.exp(-u))

        def f(first):
            if loss is focal:
                p, gamma = p_of(first), options["gamma"]
                return -((1 - p) ** gamma) * mpmath.log(p)
            if loss is poly:
                p = p_of(first)
                return 2 * (1 - p) - mpmath.log(p)
            p, rest = sigmoid(first), sigmoid(-first)
            if loss is sigmoid_focal:
                p, rest = (p, rest) if y else (rest, p)
                return -(rest ** options["gamma"]) * mpmath.log(p)
            if y:
                return -(rest ** options["gamma_pos"]) * mpmath.log(p)
            p_m = max(p - mpmath.mpf(options["clip"]), mpmath.mpf(0))
            return -(p_m ** options["gamma_neg"]) * mpmath.log(1 - p_m)

        start = mpmath.mpf(z[0])
        step = mpmath.mpf(10) ** -300
        slope = (f(start + step) - f(start - step)) / (2 * step)
        return float(f(start)), float(slope)


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize(
    ("z", "y"),
    [
        ([40.0, 0.0, 1.0], 0),
        ([40.0, 0.0, 1.0], 1),
        ([-40.0, 0.0, 3.0], 0),
        ([0.0, 1e-8, -1e-9], 2),
        ([700.0, 0.0, -700.0], 0),
        ([700.0, 0.0, -700.0], 2),
        ([3.0, -np.inf, 1.0], 0),
    ],
)
def test_saturation_against_mpmath(backend, z, y, gamma) -> None:
    """Values and slopes, where 1 - p rounds to 0: here 0 to a power below 1 has no slope."""
    for loss, options in ((focal, {"gamma": gamma}), (poly, {})):
        value, slope = exact(loss, z, y, options)
        f = partial(loss, target=backend.array([y]), **options)
        got = backend.numpy(f(backend.array([z])))
        np.testing.assert_allclose(got, value, rtol=1e-12)
        if backend.name != "numpy":
            got = backend.gradient(f, backend.array([z]))[0, 0]
            np.testing.assert_allclose(got, slope, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("z", [-700.0, -40.0, -1e-9, 0.0, 3.0, 40.0, 700.0])
def test_saturation_of_the_sigmoid_forms(backend, z, y, gamma) -> None:
    shifted = {"gamma_pos": gamma, "gamma_neg": gamma, "clip": 0.05}
    for loss, options, extra in (
        (sigmoid_focal, {"gamma": gamma}, {"alpha": None}),
        (asymmetric, {**shifted, "clip": 0.0}, {}),
        (asymmetric, shifted, {}),
    ):
        value, slope = exact(loss, [z], y, options)
        f = partial(loss, target=backend.array([y]), **options, **extra)
        got = backend.numpy(f(backend.array([z])))
        np.testing.assert_allclose(got, value, rtol=1e-12, atol=1e-300)
        if backend.name != "numpy":
            got = backend.gradient(f, backend.array([z]))[0]
            # deep in the tail log(1 - p_m) and its slope pass through p itself, never through 1 - p
            np.testing.assert_allclose(got, slope, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extremes(differentiable, size, gamma) -> None:
    """A hopeless sample costs its lead and pulls by 1, a solved one costs and pulls 0."""
    z = differentiable.array(size * np.array([[1, -1, 0], [-1, 0, 1.0]]))
    t = differentiable.array([0, 0])
    f = partial(focal, target=t, gamma=gamma, reduction="none")
    np.testing.assert_allclose(differentiable.numpy(f(z)), [0, 2 * size])
    np.testing.assert_allclose(
        differentiable.gradient(f, z), [[0, 0, 0], [-1, 0, 1]]
    )
    u = differentiable.array(size * np.array([1.0, -1, 1, -1]))
    y = differentiable.array([1.0, 1, 0, 0])
    f = partial(
        sigmoid_focal, target=y, alpha=None, gamma=gamma, reduction="none"
    )
    np.testing.assert_allclose(
        differentiable.numpy(f(u)), [0, size, size, 0]
    )
    np.testing.assert_allclose(differentiable.gradient(f, u), [0, -1, 1, 0])
    f = partial(asymmetric, target=y, gamma_pos=gamma, reduction="none")
    bounded = -(0.95**4) * np.log(0.05)
    np.testing.assert_allclose(
        differentiable.numpy(f(u)), [0, size, bounded, 0]
    )
    np.testing.assert_allclose(differentiable.gradient(f, u), [0, -1, 0, 0])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_infinite_logits(backend, gamma) -> None:
    z = np.array([[2.0, -np.inf, -np.inf], [-np.inf, 1.0, 0.0]])
    for loss, options in ((focal, {"gamma": gamma}), (poly, {})):
        f = partial(loss, target=backend.array([0, 0]), reduction="none")
        f = partial(f, **options)
        np.testing.assert_array_equal(
            backend.numpy(f(backend.array(z))), [0, np.inf]
        )
        if backend.name != "numpy":
            got = backend.gradient(f, backend.array(z))
            expected = [[0, 0, 0], [-1, *softmax(z[1, 1:])]]
            np.testing.assert_allclose(got, expected)
    u = backend.array([np.inf, -np.inf, np.inf, -np.inf])
    y = backend.array([1.0, 1.0, 0.0, 0.0])
    got = sigmoid_focal(u, y, gamma=gamma, reduction="none")
    np.testing.assert_array_equal(
        backend.numpy(got), [0, np.inf, np.inf, 0]
    )
    got = asymmetric(u, y, gamma_pos=gamma, reduction="none")
    np.testing.assert_allclose(
        backend.numpy(got), [0, np.inf, -(0.95**4) * np.log(0.05), 0]
    )


def test_one_class_costs_nothing(differentiable) -> None:
    z, t = differentiable.array([[3.0]]), differentiable.array([0])
    for loss in INDEXED:
        assert differentiable.numpy(loss(z, t)) == 0
        assert differentiable.gradient(partial(loss, target=t), z) == 0


def test_half_precision_is_worked_out_in_float32(backend) -> None:
    """Halves have no number below 1 nearer to it than 5e-4: 1 - p would be lost."""
    z, t = np.array([[9.0, 0.0]]), np.array([0])
    got = focal(backend.array(z, "float16"), backend.array(t), gamma=0.5)
    np.testing.assert_allclose(
        backend.numpy(got), focal(z, t, gamma=0.5), rtol=2e-2
    )
    assert backend.numpy(got) > 0


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_gradients_and_transformations(loss, options) -> None:
    differentiates_and_traces(loss, problem(loss), 1, options)


@pytest.mark.parametrize(
    ("loss", "options"), [CASES[i].values for i in (3, 5, 9, 10)]
)
def test_compiled_by_torch(compiled, loss, options) -> None:
    compiles(compiled, loss, problem(loss, (4, 3), options), options)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 6),
    gamma=st.floats(0, 8),
    more=st.floats(0, 8),
)
def test_theory(seed, n, gamma, more) -> None:
    rng = np.random.default_rng(seed)
    z, t = 3 * rng.normal(size=(8, n)), rng.integers(n, size=8)
    each = partial(focal, z, t, reduction="none")
    fl, ce = each(gamma=gamma), cross_entropy(z, t, reduction="none")
    p = softmax(z)
    p_t = p[np.arange(8), t]
    assert np.all(fl >= 0)
    # a larger gamma lowers every loss
    assert np.all(each(gamma=gamma + more) <= fl)
    # the entropy bound, for every gamma; by way of log p log(1 - p)
    middle = ce - gamma * np.log(p_t) * np.log1p(-p_t)
    assert np.all(fl >= middle - 1e-12 * (1 + gamma) * (1 + ce))
    assert np.all(middle >= ce - gamma * entropy(p) - 1e-12 * (1 + gamma))
    # shifts of all logits, and scaled weights, change nothing
    np.testing.assert_allclose(
        focal(z + 7.0, t, gamma=gamma, reduction="none"),
        fl,
        rtol=1e-9,
        atol=1e-12,
    )
    w = rng.uniform(0.5, 2, size=n)
    np.testing.assert_allclose(
        focal(z, t, weight=3 * w), focal(z, t, weight=w), rtol=1e-12
    )
    # poly-1 is linear in epsilon; asymmetric loss ignores negatives up to the clip
    np.testing.assert_allclose(
        poly(z, t, epsilon=gamma, reduction="none"),
        ce + gamma * (1 - p_t),
        rtol=1e-9,
        atol=1e-12,
    )
    u = np.log(0.05 / 0.95) - rng.exponential(size=8) - 1e-9
    np.testing.assert_array_equal(
        asymmetric(u, np.zeros(8), reduction="none"), 0
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    gamma=st.floats(0, 6),
    eta=st.floats(0.02, 0.98),
)
def test_its_least_risk_is_not_at_the_truth(seed, gamma, eta) -> None:
    """But at p with odds eta/(1-eta) = h(p)/h(1-p): nearer to one half, on the same side."""
    u = np.linspace(-8, 8, 16001)
    ones = np.ones_like(u)
    f = partial(sigmoid_focal, alpha=None, gamma=gamma, reduction="none")
    risk = eta * f(u, ones) + (1 - eta) * f(u, 0 * ones)
    best = u[np.argmin(risk)]
    p, q = 1 / (1 + np.exp(-best)), 1 / (1 + np.exp(best))
    h = [
        a / (b**gamma - gamma * b ** (gamma - 1) * a * np.log(a))
        for a, b in ((p, q), (q, p))
    ]
    np.testing.assert_allclose(h[0] / (h[0] + h[1]), eta, atol=2e-3)
    assert abs(p - 0.5) <= abs(eta - 0.5) + 1e-3
    assert (p - 0.5) * (eta - 0.5) >= -1e-3


def test_the_gradient_is_that_of_cross_entropy_times_one_factor(
    differentiable, rng
) -> None:
    z, t = rng.normal(size=(9, 4)), rng.integers(4, size=9)
    own = differentiable.array(z), differentiable.array(t)
    p = softmax(z)
    p_t = p[np.arange(9), t][:, None]
    for gamma in (0.5, 1.0, 3.0):
        f = partial(focal, target=own[1], gamma=gamma, reduction="sum")
        factor = (1 - p_t) ** gamma - gamma * p_t * (1 - p_t) ** (
            gamma - 1
        ) * np.log(p_t)
        np.testing.assert_allclose(
            differentiable.gradient(f, own[0]),
            factor * (p - np.eye(4)[t]),
            rtol=1e-10,
        )
    f = partial(poly, target=own[1], epsilon=1.5, reduction="sum")
    np.testing.assert_allclose(
        differentiable.gradient(f, own[0]),
        (1 + 1.5 * p_t) * (p - np.eye(4)[t]),
        rtol=1e-10,
    )


def test_no_gradient_flows_to_the_target() -> None:
    z = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    for loss in (sigmoid_focal, asymmetric):
        loss(z, y).backward()
        assert y.grad is None


def test_strides_and_flags_do_not_matter(rng) -> None:
    z, y = rng.normal(size=(4, 6)), rng.uniform(size=(4, 6))
    t = rng.integers(3, size=4)
    z.flags.writeable = y.flags.writeable = t.flags.writeable = False
    for loss, target in ((focal, t), (poly, t)):
        np.testing.assert_allclose(
            loss(z[:, ::2], target), loss(z[:, ::2].copy(), target)
        )
    for loss in (sigmoid_focal, asymmetric):
        np.testing.assert_allclose(
            loss(z[:, ::2], y[:, ::2]),
            loss(z[:, ::2].copy(), y[:, ::2].copy()),
        )
    np.testing.assert_allclose(
        sigmoid_focal(z, y, alpha=None, gamma=0.0),
        binary_cross_entropy_with_logits(z, y),
    )


Z, T = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, 3.0]]), np.array([0, 2])
Y = np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("loss", "args", "options", "words"),
    [
        *(
            (loss, args, options, words)
            for loss in INDEXED
            for args, options, words in [
                ((Z.tolist(), T), {}, "input must be an array .*list"),
                ((Z, 0), {}, "target must be an array .*int"),
                ((T, T), {}, "input .*dtype, got .*int64"),
                ((Z, T * 1.0), {}, "target .*dtype, got .*float64"),
                ((Z, T + 1), {}, "target .*0 … 2.*got 3"),
                ((Z, T - 1), {}, "target .*0 … 2.*got -1"),
                ((Z, T[:1]), {}, r"target .*\(2,\).*got \(1,\)"),
                ((Z, T), {"weight": Z[0, :2]}, r"weight .*\(2,\)"),
                ((Z, T), {"weight": [1.0]}, "weight must be an array"),
                ((Z, T), {"reduction": "avg"}, "reduction must .*'avg'"),
            ]
        ),
        *(
            (loss, args, options, words)
            for loss in (sigmoid_focal, asymmetric)
            for args, options, words in [
                ((Z.tolist(), Y), {}, "input must be an array .*list"),
                ((Z, 0.5), {}, "target must be an array .*float"),
                ((T, Y), {}, "input .*dtype, got .*int64"),
                ((Z, Y * 1j), {}, "target .*dtype, got .*complex128"),
                ((Z, Y[0]), {}, r"target .*\(2, 3\), got \(3,\)"),
                ((Z, -Y), {}, r"target .*\[0, 1\], got -"),
                ((Z, Y * np.nan), {}, r"target .*\[0, 1\], got nan"),
                ((Z, Y), {"reduction": "avg"}, "reduction must .*'avg'"),
            ]
        ),
        (focal, (Z, T), {"gamma": -0.1}, "gamma .*at least 0, got -0.1"),
        (focal, (Z, T), {"gamma": np.nan}, "gamma .*at least 0, got nan"),
        (sigmoid_focal, (Z, Y), {"gamma": -1.0}, "gamma .*got -1.0"),
        (sigmoid_focal, (Z, Y), {"alpha": 1.5}, r"alpha .*\[0, 1\].*1.5"),
        (sigmoid_focal, (Z, Y), {"alpha": -0.5}, "alpha .*got -0.5"),
        (sigmoid_focal, (Z, Y), {"alpha": np.nan}, "alpha .*got nan"),
        (poly, (Z, T), {"epsilon": -1.5}, "epsilon .*at least -1, got"),
        (poly, (Z, T), {"epsilon": np.nan}, "epsilon .*got nan"),
        (asymmetric, (Z, Y), {"gamma_pos": -1.0}, "gamma_pos .*got -1.0"),
        (asymmetric, (Z, Y), {"gamma_neg": -1.0}, "gamma_neg .*got -1.0"),
        (asymmetric, (Z, Y), {"clip": 1.0}, r"clip .*\[0, 1\), got 1.0"),
        (asymmetric, (Z, Y), {"clip": -0.1}, "clip .*got -0.1"),
    ],
)
def test_mistakes_are_named(backend, loss, args, options, words) -> None:
    refuses(backend, loss, args, options, words)
