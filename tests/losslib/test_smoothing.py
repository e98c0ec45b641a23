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

from harness import BY_DTYPE, ROUND_OFF, SHAPES, TORCH
from losslib import confidence_penalty_loss, cross_entropy, smooth_labels

penalised = confidence_penalty_loss
SCORES = arrays(float, (5, 4), elements=st.floats(-30, 30))
TARGETS = arrays(int, 5, elements=st.integers(0, 3))


def problem(shape=(4, 3)):
    rng = np.random.default_rng(0)
    of_target = shape[:1] * (len(shape) > 1) + shape[2:]
    return [
        2 * rng.normal(size=shape),
        np.asarray(rng.integers(3, size=of_target)),
    ]


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
    z=SCORES,
    t=TARGETS,
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


# --- The penalty ------------------------------------------------------------------------------


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


def test_a_class_that_cannot_happen(differentiable) -> None:
    """A masked logit that is not the target changes nothing and gets no gradient."""
    z, t = problem()
    wide = np.concatenate([z, np.full((4, 1), -np.inf)], axis=1)
    f = partial(penalised, target=differentiable.array(t))
    got = f(differentiable.array(wide))
    np.testing.assert_allclose(
        differentiable.numpy(got), penalised(z, t), rtol=1e-14
    )
    slope = differentiable.gradient(f, differentiable.array(wide))
    plain = differentiable.gradient(f, differentiable.array(z))
    np.testing.assert_allclose(slope[:, :3], plain, atol=1e-15)
    np.testing.assert_array_equal(slope[:, 3], 0.0)
