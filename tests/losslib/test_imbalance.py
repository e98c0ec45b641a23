from __future__ import annotations

import jax
import mpmath
import numpy as np
import pytest
import torch

from harness import (
    BY_DTYPE,
    JAX,
    LABEL_DTYPES,
    ROUND_OFF,
    TORCH,
    as_dtype,
    refuses,
)
from losslib import cross_entropy, effective_number_weight, logit_adjustment

COUNTS = np.array([5000.0, 400.0, 30.0, 1.0])


def effective(counts, beta):
    """Compute the paper's formula at fifty digits."""
    with mpmath.workdps(50):
        b = mpmath.mpf(beta)
        w = [(1 - b) / (1 - b ** mpmath.mpf(float(n))) for n in counts]
        return np.array([float(len(w) * x / mpmath.fsum(w)) for x in w])


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999, 1 - 1e-9])
@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_effective_number_weight(backend, dtype, beta) -> None:
    n = as_dtype(backend, COUNTS, dtype)
    got = effective_number_weight(n, beta=beta)
    assert backend.dtype_of(got) == dtype
    expected = effective(backend.numpy(n), beta)
    np.testing.assert_allclose(
        backend.numpy(got), expected, rtol=ROUND_OFF[dtype]
    )


def test_effective_number_weight_between_none_and_the_inverse(
    backend,
) -> None:
    n = backend.array(COUNTS)
    first = backend.numpy(effective_number_weight(n, beta=0.0))
    np.testing.assert_array_equal(first, np.ones(4))
    last = backend.numpy(effective_number_weight(n, beta=1 - 1e-13))
    np.testing.assert_allclose(
        last, 4 / COUNTS / np.sum(1 / COUNTS), rtol=1e-8
    )


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize(("backend", "dtype"), BY_DTYPE)
def test_logit_adjustment(backend, dtype, tau) -> None:
    n = as_dtype(backend, COUNTS, dtype)
    got = logit_adjustment(n, tau=tau)
    assert backend.dtype_of(got) == dtype
    share = backend.numpy(n) / backend.numpy(n).sum()
    np.testing.assert_allclose(
        backend.numpy(got), tau * np.log(share), rtol=ROUND_OFF[dtype]
    )


def test_logit_adjustment_is_the_weight_of_a_sum_inside_the_log(
    backend,
) -> None:
    """The paper's other form: each rival counts by the ratio of the priors."""
    z = np.random.default_rng(0).normal(size=(6, 4))
    t = np.arange(6) % 4
    ratio = (COUNTS / COUNTS[t][:, None]) ** 0.7
    gaps = z - np.take_along_axis(z, t[:, None], axis=1)
    expected = np.log(np.sum(ratio * np.exp(gaps), axis=1))
    shift = logit_adjustment(backend.array(COUNTS), tau=0.7)
    got = cross_entropy(
        backend.array(z) + shift, backend.array(t), reduction="none"
    )
    np.testing.assert_allclose(backend.numpy(got), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", LABEL_DTYPES)
@pytest.mark.parametrize("f", [effective_number_weight, logit_adjustment])
def test_counts_of_every_integer_dtype(backend, dtype, f) -> None:
    counts = np.array([100, 7, 1])
    got = f(backend.array(counts, dtype))
    wide = "float32" if backend.name == "torch" else "float64"
    assert backend.dtype_of(got) == wide
    np.testing.assert_allclose(
        backend.numpy(got), f(1.0 * counts), rtol=1e-5
    )


@pytest.mark.parametrize("f", [effective_number_weight, logit_adjustment])
def test_counts_under_jit_and_compile(f, compiled) -> None:
    x = JAX.array(COUNTS)
    np.testing.assert_allclose(jax.jit(f)(x), f(x), rtol=1e-12)
    leaf = TORCH.array(COUNTS)
    torch.testing.assert_close(compiled(f)(leaf), f(leaf))
    leaf.requires_grad_()
    assert torch.autograd.gradcheck(f, [leaf], atol=1e-4)


@pytest.mark.parametrize("f", [effective_number_weight, logit_adjustment])
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([3, 4], "counts must be an array .*list"),
        (COUNTS + 0j, "counts must have a real dtype"),
        (COUNTS[None], r"counts must hold .*\(1, 4\)"),
        (COUNTS[:0], r"counts must hold .*\(0,\)"),
        (
            COUNTS - 1,
            r"counts must be above 0, got 0\.0 at position \(3,\)",
        ),
        (COUNTS * np.nan, "counts must be above 0, got nan"),
    ],
)
def test_counts_that_are_none(backend, f, counts, words) -> None:
    refuses(backend, f, (counts,), {}, words)


@pytest.mark.parametrize(
    ("f", "options", "words"),
    [
        (effective_number_weight, {"beta": 1.0}, r"beta .*\[0, 1\), got 1"),
        (effective_number_weight, {"beta": -0.1}, "beta .*got -0.1"),
        (
            logit_adjustment,
            {"tau": -1.0},
            "tau must be a number of at least 0, got",
        ),
        (logit_adjustment, {"tau": np.nan}, "tau must be .*got nan"),
    ],
)
def test_options_out_of_range(backend, f, options, words) -> None:
    refuses(backend, f, (COUNTS,), options, words)


def test_logit_adjustment_is_by_the_whole_prior_unless_told(
    backend,
) -> None:
    counts = backend.array([90, 10])
    np.testing.assert_allclose(
        backend.numpy(logit_adjustment(counts)), np.log([0.9, 0.1])
    )


@pytest.mark.parametrize("f", [effective_number_weight, logit_adjustment])
def test_a_bad_count_that_cannot_be_looked_at(f) -> None:
    got = jax.jit(f)(JAX.array(COUNTS - 1))
    assert np.isnan(np.asarray(got)).any()
