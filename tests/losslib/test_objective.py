from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import BY_DTYPE, ROUND_OFF
from losslib import l1_penalty, l2_penalty, reduce

VALUES = np.array([[0.5, 1.0], [3.0, -0.5]])
WEIGHTS = np.array([[1.0, 2.0], [0.0, 1.0]])


def test_reduce(backend) -> None:
    x = backend.array(VALUES)
    np.testing.assert_array_equal(backend.numpy(reduce(x, "none")), VALUES)
    assert backend.numpy(reduce(x, "sum")) == 4.0
    assert (
        backend.numpy(reduce(x, "mean")) == backend.numpy(reduce(x)) == 1.0
    )


def test_weighted_mean_divides_by_the_weights(backend) -> None:
    x, w = backend.array(VALUES * WEIGHTS), backend.array(WEIGHTS)
    np.testing.assert_allclose(
        backend.numpy(reduce(x, weight=w)), (0.5 + 2.0 - 0.5) / 4
    )
    assert backend.numpy(reduce(x, "sum", weight=w)) == 2.0


def test_mean_of_nothing_is_nan(backend) -> None:
    nothing = backend.array(np.empty((0, 3)))
    assert np.isnan(backend.numpy(reduce(nothing)))
    assert backend.numpy(reduce(nothing, "sum")) == 0.0
    assert reduce(nothing, "none").shape == (0, 3)
    assert np.isnan(
        backend.numpy(
            reduce(backend.array([0.0]), weight=backend.array([0.0]))
        )
    )


def test_result_has_the_dtype_of_like(backend) -> None:
    x = backend.array([1.0], "float32")
    like = backend.array([1.0], "float16")
    assert [
        backend.dtype_of(reduce(x, r, like=like))
        for r in ("none", "mean", "sum")
    ] == ["float16"] * 3
    assert backend.dtype_of(reduce(x)) == "float32"


def test_reduce_names_mistakes(backend) -> None:
    with pytest.raises(
        ValueError,
        match=r"reduction must be 'none', 'mean' or 'sum', got 'Mean'",
    ):
        reduce(backend.array([1.0]), "Mean")
    with pytest.raises(TypeError, match=r"values must be an array .*list"):
        reduce([1.0])
    with pytest.raises(TypeError, match=r"weight must be an array .*list"):
        reduce(backend.array([1.0]), weight=[1.0])


@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_penalties(backend, dtype) -> None:
    x = backend.array(VALUES, dtype)
    for penalty, expected in [
        (l1_penalty, 0.3 * 5.0),
        (l2_penalty, 0.15 * 10.5),
    ]:
        got = penalty(x, 0.3)
        assert backend.dtype_of(got) == dtype
        assert tuple(got.shape) == ()
        np.testing.assert_allclose(
            backend.numpy(got), expected, rtol=ROUND_OFF[dtype]
        )


def test_strength_of_a_penalty(backend) -> None:
    x = backend.array(VALUES)
    for penalty in (l1_penalty, l2_penalty):
        assert backend.numpy(penalty(x)) == backend.numpy(penalty(x, 1.0))
        assert backend.numpy(penalty(x, 0.0)) == 0.0


def test_penalties_in_half_precision_do_not_overflow_on_the_way(
    backend,
) -> None:
    x = backend.array(np.full(1000, 200.0), "float16")
    assert (
        backend.numpy(l2_penalty(x, 1e-3)) == 20000.0
    )  # the sum of squares is 4e7


def test_gradients_of_penalties(differentiable) -> None:
    x = differentiable.array(VALUES)
    by_l1 = differentiable.gradient(lambda x: l1_penalty(x, 0.3), x)
    by_l2 = differentiable.gradient(lambda x: l2_penalty(x, 0.3), x)
    np.testing.assert_allclose(by_l1, 0.3 * np.sign(VALUES))
    np.testing.assert_allclose(by_l2, 0.3 * VALUES)


def test_l2_penalty_is_weight_decay() -> None:
    """A step of SGD on the penalty is a step of SGD with ``weight_decay``."""
    ours, theirs = (
        torch.tensor([3.0, -4.0], requires_grad=True) for _ in range(2)
    )
    l2_penalty(ours, 0.1).backward()
    torch.optim.SGD([ours], lr=0.5).step()
    theirs.grad = torch.zeros(2)
    torch.optim.SGD([theirs], lr=0.5, weight_decay=0.1).step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("penalty", [l1_penalty, l2_penalty])
def test_penalties_name_mistakes(backend, penalty) -> None:
    with pytest.raises(ValueError, match=r"strength must be .*-1"):
        penalty(backend.array([1.0]), -1.0)
    with pytest.raises(ValueError, match=r"strength must be .*nan"):
        penalty(backend.array([1.0]), float("nan"))
    with pytest.raises(
        TypeError, match=r"input must have a real floating dtype"
    ):
        penalty(backend.array([1]))
    with pytest.raises(TypeError, match=r"input must be an array"):
        penalty([1.0])


def test_weights_of_another_shape_are_refused(backend) -> None:
    losses, weight = backend.array([1.0, 2.0]), backend.array([1.0])
    with pytest.raises(
        ValueError, match=r"weight must have the shape of values, \(2,\)"
    ):
        reduce(losses, weight=weight)
