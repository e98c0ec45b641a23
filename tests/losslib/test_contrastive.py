"""Losses of a batch of pairs, against PyTorch, a loop over pairs, and what is known exactly."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from harness import (
    BACKENDS,
    JAX,
    NUMPY,
    TORCH,
    compiles,
    differentiates_and_traces,
    refuses,
)
from losslib import (
    circle_loss,
    contrastive,
    info_nce_loss,
    multilabel_categorical_cross_entropy,
    nt_xent_loss,
    sigmoid_contrastive_loss,
    supervised_contrastive_loss,
)

close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-13)
N, D = 6, 4
RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(2, N, D))
TAGS = np.array([0, 1, 0, 2, 1, 0])  # 2 stands alone
BITS = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
COSINES = np.random.default_rng(4).uniform(-1, 1, BITS.shape)


# --- The same losses, as PyTorch says them ----------------------------------------------------


def clip_of_torch(x, y, temperature=0.1, symmetric=False):
    s = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T / temperature
    at = torch.arange(len(x))
    rows = F.cross_entropy(s, at, reduction="none")
    if not symmetric:
        return rows
    return (rows + F.cross_entropy(s.T, at, reduction="none")) / 2


def nt_xent_of_torch(x, y, temperature=0.1):
    u = F.normalize(torch.cat([x, y]), dim=-1)
    s = (u @ u.T / temperature).fill_diagonal_(-torch.inf)
    at = torch.arange(len(u)).roll(len(x))
    return F.cross_entropy(s, at, reduction="none")


def supervised_of_torch(x, y, temperature=0.1):
    """By class probabilities: those of one's own are equal."""
    u = F.normalize(x, dim=-1)
    s = (u @ u.T / temperature).fill_diagonal_(-1e9)
    own = (y[:, None] == y).to(s).fill_diagonal_(0)
    shares = own / own.sum(1, keepdim=True).clamp(min=1)
    return F.cross_entropy(s, shares, reduction="none")


def siglip_of_torch(x, y, temperature=0.1, bias=-10.0):
    z = (
        F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T / temperature
        + bias
    )
    return F.binary_cross_entropy_with_logits(
        z, torch.eye(len(x)).to(z), reduction="none"
    ).sum(1)


def circle_of_torch(s, y, margin=0.25, gamma=256.0):
    found = []
    for row, own in zip(s, y.bool(), strict=True):
        p, n = row[own], row[~own]
        a, b = F.relu(1 + margin - p), F.relu(n + margin)
        pairs = (
            gamma * (b * (n - margin))[:, None]
            - gamma * (a * (p - 1 + margin))[None]
        )
        zero = torch.zeros(1, dtype=row.dtype)
        found.append(torch.cat([zero, pairs.ravel()]).logsumexp(0))
    return torch.stack(found)


CASES = [
    (info_nce_loss, clip_of_torch, (X, Y), {}),
    (
        info_nce_loss,
        clip_of_torch,
        (X, Y),
        {"symmetric": True, "temperature": 0.5},
    ),
    (nt_xent_loss, nt_xent_of_torch, (X, Y), {}),
    (nt_xent_loss, nt_xent_of_torch, (X, Y), {"temperature": 2.0}),
    (supervised_contrastive_loss, supervised_of_torch, (X, TAGS), {}),
    (
        supervised_contrastive_loss,
        supervised_of_torch,
        (X, TAGS),
        {"temperature": 0.7},
    ),
    (sigmoid_contrastive_loss, siglip_of_torch, (X, Y), {}),
    (
        sigmoid_contrastive_loss,
        siglip_of_torch,
        (X, Y),
        {"temperature": 0.5, "bias": 1.0},
    ),
    (circle_loss, circle_of_torch, (COSINES, BITS), {}),
    (
        circle_loss,
        circle_of_torch,
        (COSINES, BITS),
        {"margin": 0.4, "gamma": 8.0},
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "arrays", "options"), CASES)
def test_values_and_gradients_of_pytorch(
    backend, ours, theirs, arrays, options
) -> None:
    first, second = (torch.tensor(x) for x in arrays)
    first.requires_grad_()
    expected = theirs(first, second, **options)
    for reduction in ("none", "mean", "sum"):
        got = ours(
            *(backend.array(x) for x in arrays),
            **options,
            reduction=reduction,
        )
        whole = {"none": lambda x: x, "mean": torch.mean, "sum": torch.sum}
        close(
            backend.numpy(got),
            whole[reduction](expected).detach(),
            rtol=1e-10,
        )
    if backend.name == "numpy":
        return
    expected.sum().backward()
    other = backend.array(arrays[1])
    f = partial(ours, reduction="none", **options)
    slope = backend.gradient(
        lambda x: f(x, other), backend.array(arrays[0])
    )
    close(slope, first.grad, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_scores_and_vectors(backend) -> None:
    """Scores are taken as they are; a learned temperature comes in with them."""
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (X, Y)]
    s = backend.array(unit[0] @ unit[1].T / 0.1)
    x, y = backend.array(X), backend.array(Y)
    close(
        backend.numpy(info_nce_loss(s)), backend.numpy(info_nce_loss(x, y))
    )
    close(
        backend.numpy(sigmoid_contrastive_loss(s, bias=-10.0)),
        backend.numpy(sigmoid_contrastive_loss(x, y)),
    )
    close(
        backend.numpy(info_nce_loss(s, symmetric=True)),
        backend.numpy(info_nce_loss(y, x, symmetric=True)),
    )


# --- By loops over the pairs ------------------------------------------------------------------


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_by_hand() -> None:
    u = np.concatenate([X, Y])
    for i, got in enumerate(nt_xent_loss(X, Y, reduction="none")):
        terms = [
            np.exp(cosine(u[i], u[k]) / 0.1) for k in range(2 * N) if k != i
        ]
        own = np.exp(cosine(u[i], u[(i + N) % (2 * N)]) / 0.1)
        close(got, np.log(sum(terms) / own))
    for i, got in enumerate(
        supervised_contrastive_loss(X, TAGS, reduction="none")
    ):
        rest = [k for k in range(N) if k != i]
        own = [k for k in rest if TAGS[k] == TAGS[i]]
        total = sum(np.exp(cosine(X[i], X[k]) / 0.1) for k in rest)
        parts = [np.log(total) - cosine(X[i], X[k]) / 0.1 for k in own]
        close(got, np.mean(parts) if parts else 0.0)


# --- How they hang together -------------------------------------------------------------------


def test_labels_of_two_views_are_nt_xent() -> None:
    both, tags = np.concatenate([X, Y]), np.tile(np.arange(N), 2)
    close(
        supervised_contrastive_loss(both, tags, reduction="none"),
        nt_xent_loss(X, Y, reduction="none"),
    )


def test_zlpr_is_a_circle_without_weights_and_with_a_zero_in_both_sets() -> (
    None
):
    s = RNG.normal(size=7)
    own = np.array([1, 0, 0, 1, 1, 0, 0], bool)
    mine, others = np.append(s[own], 0.0), np.append(s[~own], 0.0)
    pairs = np.exp(others[:, None] - mine)
    close(multilabel_categorical_cross_entropy(s, own), np.log(pairs.sum()))
    # the circle's own pairs, and its 1
    unweighted = np.log1p(np.exp(s[~own][:, None] - s[own]).sum())
    assert unweighted < np.log(pairs.sum())


def test_bounds_of_the_supervised_loss() -> None:
    """It is at least the log of how many belong together: all of them in one place reach it."""
    x = np.concatenate([np.tile([1.0, 0.0], (4, 1)), [[-1.0, 0.0]]])
    got = supervised_contrastive_loss(
        x, np.array([0, 0, 0, 0, 1]), temperature=0.05, reduction="none"
    )
    close(got, [*4 * [np.log(3)], 0.0])


def test_mutual_information_of_a_table_is_never_passed() -> None:
    """Exactly, for two keys: I - log 2 + L is two divergences, by a sum over all batches."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        joint = rng.dirichlet(np.ones(12)).reshape(3, 4)
        p, q = joint.sum(1), joint.sum(0)
        true = np.sum(joint * np.log(joint / np.outer(p, q)))
        for critic in (
            np.log(joint / np.outer(p, q)),
            rng.normal(size=(3, 4)),
        ):
            loss = 0.0
            for x, y, other in np.ndindex(3, 4, 4):
                s = np.array([[critic[x, y], critic[x, other]], [0.0, 0.0]])
                own = info_nce_loss(s, reduction="none")[0]
                loss += joint[x, y] * q[other] * own
            assert np.log(2) - loss < true


def test_the_limits_of_temperature() -> None:
    s = 0.3 * RNG.normal(size=(N, N))
    lead = (s - np.diag(s)[:, None])[~np.eye(N, dtype=bool)]
    lead = lead.reshape(N, N - 1)
    tau = 1e-4
    cold = tau * info_nce_loss(s, temperature=tau, reduction="none")
    close(cold, np.maximum(0, lead.max(1)), atol=tau * np.log(N))
    tau = 1e6
    hot = tau * (
        info_nce_loss(s, temperature=tau, reduction="none") - np.log(N)
    )
    close(hot, lead.sum(1) / N, atol=1e-5)


def test_the_slopes_of_a_circle() -> None:
    """2γ ZP s and -2γ ZQ (1 - s), and none where a weight is 0."""
    s = np.array([0.2, 0.9, 1.5, -0.4, 0.1, 0.4])
    own = np.array([1, 1, 1, 0, 0, 0], bool)
    gamma, m = 4.0, 0.25
    up = -gamma * np.maximum(0, 1 + m - s[own]) * (s[own] - 1 + m)
    down = gamma * np.maximum(0, s[~own] + m) * (s[~own] - m)
    share = [np.exp(v) / np.exp(v).sum() for v in (up, down)]
    z = 1 - np.exp(-circle_loss(s, own, gamma=gamma))
    expected = np.concatenate(
        [
            -2 * gamma * z * share[0] * (1 - s[own]) * (s[own] < 1 + m),
            2 * gamma * z * share[1] * s[~own] * (s[~own] > -m),
        ]
    )
    t = TORCH.array(own)
    f = partial(circle_loss, target=t, gamma=gamma)
    close(TORCH.gradient(f, TORCH.array(s)), expected)


# --- Edges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_a_batch_of_one_and_none(backend) -> None:
    """One alone has no rival, but the sigmoid asks anyway; the mean of none is nan."""
    x, y = backend.array(X[:1]), backend.array(Y[:1])
    for loss in (info_nce_loss, nt_xent_loss):
        assert np.all(backend.numpy(loss(x, y, reduction="none")) == 0)
    tag = backend.array(TAGS[:1])
    assert float(supervised_contrastive_loss(x, tag)) == 0
    if backend is not NUMPY:
        for f in (
            partial(nt_xent_loss, input2=y),
            partial(supervised_contrastive_loss, target=tag),
        ):
            assert np.all(backend.gradient(f, x) == 0)
    assert float(sigmoid_contrastive_loss(x, y)) > 0
    x, y = backend.array(X[:0]), backend.array(Y[:0])
    tag = backend.array(TAGS[:0])
    for loss, other in (
        (info_nce_loss, y),
        (nt_xent_loss, y),
        (sigmoid_contrastive_loss, y),
        (supervised_contrastive_loss, tag),
    ):
        assert np.isnan(backend.numpy(loss(x, other)))
        assert float(loss(x, other, reduction="sum")) == 0


@pytest.mark.parametrize("backend", [TORCH, JAX], ids=lambda b: b.name)
def test_vectors_of_zeros_and_ties(backend) -> None:
    """They have cosine 0 and no slope; equal vectors have a slope that is a number."""
    x = X.copy()
    x[2] = 0
    x[3] = x[4]
    y, tags = backend.array(Y), backend.array(TAGS)
    for f in (
        lambda u: info_nce_loss(u, y, symmetric=True),
        lambda u: nt_xent_loss(u, y),
        lambda u: nt_xent_loss(u, u),
        lambda u: sigmoid_contrastive_loss(u, y),
        lambda u: supervised_contrastive_loss(u, tags),
    ):
        slope = backend.gradient(f, backend.array(x))
        assert np.all(np.isfinite(slope))
        assert np.all(slope[2] == 0)


def test_the_length_of_a_vector_does_not_matter() -> None:
    far = X * np.array([1e-30, 1e30, 1e150, 1.0, 1e-150, 7.0])[:, None]
    for loss, other in (
        (info_nce_loss, Y),
        (nt_xent_loss, Y),
        (sigmoid_contrastive_loss, Y),
        (supervised_contrastive_loss, TAGS),
    ):
        close(loss(far, other), loss(X, other))


def test_small_losses_keep_their_digits() -> None:
    """A loss of 1e-20 is not rounded to 0."""
    s = np.array([[46.0, 0.0], [0.0, 46.0]])
    close(info_nce_loss(s, reduction="none"), np.log1p(np.exp(-46.0)))
    x = np.array([[1.0, 0.0], [-1.0, 0.0]])
    got = nt_xent_loss(x, x, temperature=0.04, reduction="none")
    close(got, np.log1p(2 * np.exp(-50.0)), atol=0)
    got = supervised_contrastive_loss(
        np.concatenate([x, x]), np.array([0, 1, 0, 1]), temperature=0.04
    )
    close(got, np.log1p(2 * np.exp(-50.0)), atol=0)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_large_batch_in_halves(half) -> None:
    """Of 512 rows; the sums are taken in float32, also inside autocast."""
    x, y = np.random.default_rng(0).normal(size=(2, 512, 16))
    a, b = TORCH.array(x, half), TORCH.array(y, half)
    for loss in (info_nce_loss, nt_xent_loss, sigmoid_contrastive_loss):
        exact = loss(a.double(), b.double())
        with torch.autocast("cpu", getattr(torch, half)):
            got = loss(a, b)
        assert got.dtype == a.dtype
        torch.testing.assert_close(got.double(), exact, rtol=8e-3, atol=0)


@pytest.mark.parametrize(
    ("loss", "arrays", "leaves", "options"),
    [
        (info_nce_loss, [X[None], Y[None]], 2, {"symmetric": True}),
        (nt_xent_loss, [X[None], Y[None]], 2, {}),
        (sigmoid_contrastive_loss, [X[None], Y[None]], 2, {}),
        (supervised_contrastive_loss, [X[None], TAGS[None]], 1, {}),
        (circle_loss, [COSINES, BITS], 1, {"gamma": 8.0}),
    ],
)
def test_gradients_and_transformations(
    loss, arrays, leaves, options
) -> None:
    differentiates_and_traces(loss, arrays, leaves, options)


@pytest.mark.parametrize(
    ("loss", "arrays"),
    [
        (info_nce_loss, [X, Y]),
        (nt_xent_loss, [X, Y]),
        (supervised_contrastive_loss, [X, TAGS]),
        (circle_loss, [COSINES, BITS]),
    ],
)
def test_compiled_by_torch(compiled, loss, arrays) -> None:
    compiles(compiled, loss, arrays, {})


# --- Mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "args", "options", "words"),
    [
        (info_nce_loss, (X,), {}, r"input must hold the scores.*\(6, 4\)"),
        (info_nce_loss, (X[0],), {}, r"input must have shape.*\(4,\)"),
        (
            info_nce_loss,
            (X, Y[:3]),
            {},
            r"key must .*\(6, 4\), got \(3, 4\)",
        ),
        (info_nce_loss, (X, Y.astype(int)), {}, "key must .*dtype"),
        (
            info_nce_loss,
            (X[:, :0], Y[:, :0]),
            {},
            r"input must hold at least one number in each row, got shape \(6, 0\)",
        ),
        (
            info_nce_loss,
            (X, Y),
            {"temperature": 0},
            "temperature must be above 0, got 0",
        ),
        (
            info_nce_loss,
            (X, Y),
            {"temperature": "warm"},
            "temperature must be a real number, got 'warm'",
        ),
        (nt_xent_loss, (X, Y[:, :2]), {}, r"input2 must .*\(6, 4\)"),
        (
            supervised_contrastive_loss,
            (X, TAGS[:3]),
            {},
            r"target must hold one label per vector of input \(6, 4\), got shape \(3,\)",
        ),
        (
            sigmoid_contrastive_loss,
            (X, Y),
            {"bias": "low"},
            "bias must be a real number, got 'low'",
        ),
        (
            circle_loss,
            (COSINES, 2 * BITS),
            {},
            r"target must be 1 .* got 2.* at position \(0, 0\)",
        ),
        (
            circle_loss,
            (COSINES[:, :0], BITS[:, :0]),
            {},
            r"input must hold at least one similarity.*\(4, 0\)",
        ),
        (
            circle_loss,
            (COSINES, BITS),
            {"margin": -0.1},
            r"margin must be in \[0, 1\], got -0.1",
        ),
    ],
)
def test_mistakes_are_named(backend, loss, args, options, words) -> None:
    refuses(backend, loss, args, options, words)


@pytest.mark.parametrize("dtype", ["U1", object, "M8[D]"])
def test_labels_are_numbers(dtype) -> None:
    """Names of classes are no numbers, also where NumPy would read some as such."""
    with pytest.raises(TypeError, match="target must have a real dtype"):
        supervised_contrastive_loss(X, np.array([1] * N).astype(dtype))


def test_a_flag_is_a_flag() -> None:
    with pytest.raises(TypeError, match="symmetric must be True or False"):
        info_nce_loss(X, Y, symmetric=1)


@pytest.mark.parametrize("how", ["vmap", "jit"])
def test_a_bad_member_that_nobody_sees_gives_nan(how) -> None:
    import jax

    if how == "jit":
        s, y = JAX.array(COSINES), JAX.array(2 * BITS)
        got = JAX.numpy(
            jax.jit(partial(circle_loss, reduction="none"))(s, y)
        )
    else:
        s, y = TORCH.array(COSINES), TORCH.array(2 * BITS)
        got = torch.func.vmap(circle_loss)(s, y).numpy()
    assert np.all(np.isnan(got) == (BITS == 1).any(1))


def test_the_default_temperature_is_said() -> None:
    for loss in (nt_xent_loss, supervised_contrastive_loss):
        assert f"by default {contrastive.TEMPERATURE:g}." in loss.__doc__
