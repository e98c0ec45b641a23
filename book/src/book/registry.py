"""What the tests of every loss at once share: which there are, and good arguments for each."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch.nn.functional as F  # noqa: N812

import losslib

IN_PYTORCH = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "linear_cross_entropy",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
LOSSES = [name for name in IN_PYTORCH if hasattr(losslib, name)]
DEPRECATED = {"size_average", "reduce"}

# The kinds of arrays that a loss takes.
FLOATING = "real floating"
REAL = "real"  # labels that are multiplied with: any real dtype
CLASSES = "class indices"


@dataclass(frozen=True)
class Loss:
    """A loss, and arrays that it accepts: the required ones, and those it can do without."""

    name: str
    arrays: dict[str, np.ndarray]
    optional: dict[str, np.ndarray] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    n_classes: int = 3
    each: bool = False  # one loss per element, whatever the shape

    @property
    def ours(self) -> Any:
        return getattr(losslib, self.name)

    @property
    def theirs(self) -> Any:
        return getattr(F, self.name)

    @property
    def first(self) -> str:
        return next(iter(self.arrays))

    @property
    def all(self) -> dict[str, np.ndarray]:
        return self.arrays | self.optional

    def kind(self, argument: str) -> str:
        return self.kinds.get(argument, FLOATING)

    def of_kind(self, kind: str) -> list[str]:
        return [name for name in self.all if self.kind(name) == kind]

    def required(self) -> list[str]:
        parameters = inspect.signature(self.theirs).parameters.values()
        return [p.name for p in parameters if p.default is p.empty]


_RNG = np.random.default_rng(7)
Z, U, V = 2 * _RNG.normal(size=(3, 4, 3))
P, Q = _RNG.uniform(0.1, 0.9, size=(2, 4, 3))
T = np.array([0, 1, 2, 0])
W = np.array([0.5, 2.0, 1.5])
SIGNS = np.where(_RNG.random((4, 3)) < 0.5, -1.0, 1.0)
LABELS = np.array([[2, 0, -1], [-1, 1, 2], [0, 1, 2], [1, -1, 0]])
LOG_P = Z - np.log(np.exp(Z).sum(axis=-1, keepdims=True))
FRAMES = 2 * _RNG.normal(size=(5, 2, 4))
FRAMES -= np.log(np.exp(FRAMES).sum(axis=-1, keepdims=True))
TRIPLET = {"anchor": Z, "positive": U, "negative": V}

_TABLE = [
    Loss(
        "cross_entropy",
        {"input": Z, "target": T},
        {"weight": W},
        {"target": CLASSES},
    ),
    Loss(
        "nll_loss",
        {"input": LOG_P, "target": T},
        {"weight": W},
        {"target": CLASSES},
    ),
    Loss(
        "linear_cross_entropy",
        {"input": Z, "linear_weight": np.vstack([U, V])[:5], "target": T},
        {
            "linear_bias": np.linspace(-1.0, 1.0, 5),
            "weight": np.linspace(0.5, 1.5, 5),
        },
        {"target": CLASSES},
        n_classes=5,
    ),
    Loss(
        "ctc_loss",
        {
            "log_probs": FRAMES,
            "targets": np.array([[1, 2, 3], [3, 3, 1]]),
            "input_lengths": np.array([5, 4]),
            "target_lengths": np.array([3, 2]),
        },
        {},
        dict.fromkeys(
            ["targets", "input_lengths", "target_lengths"], CLASSES
        ),
        n_classes=4,
    ),
    Loss(
        "binary_cross_entropy",
        {"input": P, "target": Q},
        {"weight": V * V},
        {"target": REAL},
        each=True,
    ),
    Loss(
        "binary_cross_entropy_with_logits",
        {"input": Z, "target": Q},
        {"weight": V * V, "pos_weight": W},
        {"target": REAL},
        each=True,
    ),
    Loss(
        "soft_margin_loss",
        {"input": Z, "target": SIGNS},
        {},
        {"target": REAL},
        each=True,
    ),
    Loss(
        "multilabel_soft_margin_loss",
        {"input": Z, "target": Q},
        {"weight": W},
        {"target": REAL},
    ),
    Loss(
        "multi_margin_loss",
        {"input": Z, "target": T},
        {"weight": W},
        {"target": CLASSES},
    ),
    Loss(
        "multilabel_margin_loss",
        {"input": Z, "target": LABELS},
        {},
        {"target": CLASSES},
    ),
    *(
        Loss(name, {"input": Z, "target": U}, {"weight": V * V}, each=True)
        for name in ("mse_loss", "l1_loss", "huber_loss")
    ),
    Loss("smooth_l1_loss", {"input": Z, "target": U}, each=True),
    Loss(
        "gaussian_nll_loss",
        {"input": Z, "target": U, "var": P + 0.1},
        each=True,
    ),
    Loss(
        "poisson_nll_loss",
        {"input": Z, "target": np.floor(9 * Q)},
        {},
        {"target": REAL},
        each=True,
    ),
    Loss("kl_div", {"input": LOG_P, "target": Q}, each=True),
    Loss(
        "hinge_embedding_loss",
        {"input": 2 * P, "target": SIGNS},
        {},
        {"target": REAL},
        each=True,
    ),
    Loss(
        "margin_ranking_loss",
        {"input1": Z, "input2": U, "target": SIGNS},
        {},
        {"target": REAL},
        each=True,
    ),
    Loss(
        "cosine_embedding_loss",
        {"input1": Z, "input2": U, "target": SIGNS[:, 0]},
        {},
        {"target": REAL},
    ),
    Loss("triplet_margin_loss", TRIPLET),
    Loss("triplet_margin_with_distance_loss", TRIPLET),
]
TABLE = {loss.name: loss for loss in _TABLE if loss.name in LOSSES}
