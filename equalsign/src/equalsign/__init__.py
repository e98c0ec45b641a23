r"""Checks for the book: every equals sign runs.

A check is one call. It evaluates what it displays, raises :class:`CheckFailed` if that is false,
shows the reader the statement that held, and leaves a record for the ledger.

* :func:`derivation` -- a chain of formulas, each compared with the one before it;
* :func:`gradient` -- a derived gradient against autograd and central differences;
* :func:`published` -- numbers as somebody printed them, equal to every digit;
* :func:`refutes` -- a false claim, with the counter-example that the run found;
* :func:`finding` -- what an experiment shows, tried on seeds that the page has not seen.

>>> import numpy as np
>>> derivation(
...     "A log-odds undoes a sigmoid",
...     start("x", lambda x: x),
...     equals(r"\log\frac{p}{1-p},\ p=\sigma(x)",
...            lambda x: np.log(1 / (1 + np.exp(-x)) / (1 - 1 / (1 + np.exp(-x)))),
...            "definition of the sigmoid"),
...     x=real(),
... )
A log-odds undoes a sigmoid
      x
    = \log\frac{p}{1-p},\ p=\sigma(x)    ✓ definition of the sigmoid
✓ 1 step held at 300 random points: x a real number (normal, sd 2). Equal sides agree to 1e-9.
"""

from equalsign._base import RECORD_TYPE, CheckFailed
from equalsign.accounts import ledger, summary
from equalsign.derivations import (
    Line,
    at_least,
    at_most,
    derivation,
    equals,
    start,
    tends_to,
)
from equalsign.findings import finding, stress
from equalsign.gradients import gradient
from equalsign.publications import published
from equalsign.refutations import refutes
from equalsign.samplers import (
    Sampler,
    choice,
    distribution,
    integer,
    joint,
    label,
    logits,
    positive,
    real,
    reals,
    stochastic,
    unit,
)

__all__ = [
    "RECORD_TYPE",
    "CheckFailed",
    "Line",
    "Sampler",
    "at_least",
    "at_most",
    "choice",
    "derivation",
    "distribution",
    "equals",
    "finding",
    "gradient",
    "integer",
    "joint",
    "label",
    "ledger",
    "logits",
    "positive",
    "published",
    "real",
    "reals",
    "refutes",
    "start",
    "stochastic",
    "stress",
    "summary",
    "tends_to",
    "unit",
]
