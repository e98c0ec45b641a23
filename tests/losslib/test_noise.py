"""What is their own; shapes, dtypes, libraries and mistakes are tried by the registry."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from losslib import (
    bootstrap_loss,
    cross_entropy,
    generalized_cross_entropy,
    symmetric_cross_entropy,
)

generalised, symmetric = generalized_cross_entropy, symmetric_cross_entropy
bootstrap = bootstrap_loss

CASES = [
    pytest.param(generalised, {}, id="generalised"),
    pytest.param(generalised, {"q": 0.0}, id="q-0"),
    pytest.param(generalised, {"q": 1.0}, id="q-1"),
    pytest.param(symmetric, {}, id="symmetric"),
    pytest.param(
        symmetric,
        {"alpha": 6.0, "beta": 0.1, "log_zero": -9.2},
        id="symmetric-options",
    ),
    pytest.param(bootstrap, {}, id="soft"),
    pytest.param(bootstrap, {"beta": 0.3}, id="soft-doubt"),
    pytest.param(bootstrap, {"beta": 0.8, "hard": True}, id="hard"),
]


def problem():
    rng = np.random.default_rng(0)
    return 2 * rng.normal(size=(4, 3)), rng.integers(3, size=4)


def theirs(loss, z, t, **options):
    """Return the same loss, unreduced, from operators of PyTorch and SciPy alone."""
    axis = min(z.ndim - 1, 1)
    rows = z.movedim(axis, -1)
    predicted = torch.distributions.Categorical(
        logits=rows, validate_args=False
    )
    surprise = F.cross_entropy(z, t, reduction="none")
    if loss is generalised:
        q = options.get("q", 0.7)
        p_t = predicted.log_prob(t).exp()
        return BoxCox.apply(p_t, q)
    if loss is symmetric:
        log_y = torch.full_like(rows, options.get("log_zero", -4.0))
        log_y = log_y.scatter(-1, t[..., None], 0.0)
        reverse = F.kl_div(log_y, predicted.probs, reduction="none").sum(-1)
        reverse = reverse + predicted.entropy()
        alpha, beta = options.get("alpha", 0.1), options.get("beta", 1.0)
        return alpha * surprise + beta * reverse
    beta, own = options.get("beta", 0.95), predicted.probs
    y = F.one_hot(t, z.shape[axis]).double()
    if options.get("hard"):
        own = F.one_hot(rows.argmax(-1), z.shape[axis]).double()
    mixed = beta * y + (1 - beta) * own
    return F.cross_entropy(z, mixed.movedim(-1, axis), reduction="none")


class BoxCox(torch.autograd.Function):
    """Minus SciPy's Box–Cox transform of a probability."""

    @staticmethod
    def forward(ctx, p, q):
        ctx.save_for_backward(p)
        ctx.q = q
        return -torch.as_tensor(scipy.special.boxcox(p.detach().numpy(), q))

    @staticmethod
    def backward(ctx, cotangent):
        (p,) = ctx.saved_tensors
        return -cotangent * p ** (ctx.q - 1), None


@pytest.mark.parametrize(("loss", "options"), CASES)
def test_by_pytorch_and_scipy(loss, options) -> None:
    """Value and gradient."""
    z, t = map(torch.tensor, problem())
    leaves = z.clone().requires_grad_(), z.clone().requires_grad_()
    got = loss(leaves[0], t, **options, reduction="none")
    expected = theirs(loss, leaves[1], t, **options)
    for value in (got, expected):
        value.sum().backward()
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)


# --- The laws ---------------------------------------------------------------------------------

SCORES = arrays(float, (5, 4), elements=st.floats(-30, 30))
TARGETS = arrays(int, 5, elements=st.integers(0, 3))


@given(z=SCORES, t=TARGETS, q=st.floats(0.01, 1))
def test_generalised_lies_between_its_ends(z, t, q) -> None:
    """And its sum over the classes is bounded on both sides: that is its robustness."""
    at = partial(generalised, z, t, reduction="none")
    assert np.all(at(q=1.0) <= at(q=q) + 1e-12)
    assert np.all(at(q=q) <= at(q=0.0) + 1e-12)
    assert np.all(at(q=q) <= 1 / q)
    every = sum(
        generalised(z, np.full(5, k), q=q, reduction="none")
        for k in range(4)
    )
    assert np.all(every >= (4 - 4 ** (1 - q)) / q - 1e-9)
    assert np.all(every <= 3 / q + 1e-9)


@given(z=SCORES, t=TARGETS)
def test_half_of_the_absolute_error(z, t) -> None:
    p, y = scipy.special.softmax(z, axis=1), np.eye(4)[t]
    np.testing.assert_allclose(
        generalised(z, t, q=1.0, reduction="none"),
        np.abs(p - y).sum(axis=1) / 2,
        rtol=1e-9,
        atol=1e-12,
    )


def test_q_to_0_is_cross_entropy(backend) -> None:
    z, t = (backend.array(x) for x in problem())
    for q in (1e-3, 1e-6, 1e-9, 1e-300):
        gap = cross_entropy(z, t) - generalised(z, t, q=q)
        assert 0 <= float(gap) + 1e-12 < 6 * q + 2e-12


@given(z=SCORES)
def test_reverse_cross_entropy_sums_to_a_constant(z) -> None:
    only = partial(symmetric, alpha=0.0, beta=0.5, reduction="none")
    every = sum(only(z, np.full(5, k)) for k in range(4))
    np.testing.assert_allclose(every, 0.5 * 4.0 * 3)


@given(z=SCORES, t=TARGETS)
def test_full_trust_in_the_label_is_cross_entropy(z, t) -> None:
    expected = cross_entropy(z, t)
    for hard in (False, True):
        got = bootstrap(z, t, beta=1.0, hard=hard)
        np.testing.assert_allclose(got, expected, atol=1e-12)


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


def test_a_target_that_cannot_happen(backend) -> None:
    z = backend.array(np.array([[-np.inf, 1.0]]))
    t = backend.array(np.array([0]))
    got = [
        float(generalised(z, t)),
        float(generalised(z, t, q=0.0)),
        float(symmetric(z, t, alpha=1.0)),
    ]
    np.testing.assert_allclose(got, [1 / 0.7, np.inf, np.inf])


def test_of_equals_the_first_is_believed(differentiable) -> None:
    z = differentiable.array(np.zeros(3))
    t = differentiable.array(np.asarray(2))
    slope = differentiable.gradient(
        lambda x: bootstrap(x, t, beta=0.0, hard=True), z
    )
    np.testing.assert_allclose(slope, np.array([-2, 1, 1]) / 3)
