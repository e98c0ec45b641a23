r"""Checks for the book: every equals sign runs.

A check is one call. It evaluates what it displays, raises :class:`CheckFailed` if that is false,
shows the reader the statement that held, and leaves a record for the ledger.

* :func:`derivation` -- a chain of formulas, run from its TeX, each compared with the one before it;
* :func:`gradient` -- a derived gradient against autograd and central differences;
* :func:`published` -- numbers as somebody printed them, equal to every digit;
* :func:`refutes` -- a false claim, with the counter-example that the run found;
* :func:`finding` -- what an experiment shows, tried on seeds that the page has not seen.

>>> derivation(
...     "A log-odds undoes a sigmoid",
...     r"\log\frac p{1-p}",
...     equals("x", "definition of the sigmoid"),
...     where=[r"p=\sigma(x)"],
...     x=real(),
... )
A log-odds undoes a sigmoid
      \log\frac p{1-p}
    = x                   ✓ definition of the sigmoid
  where p=\sigma(x)
✓ 1 step held at 300 random points: x a real number (normal, sd 2). Equal sides agree to 1e-9, and
at ten points to 25 digits.
"""

from equalsign._base import RECORD_TYPE, CheckFailed
from equalsign.accounts import ledger, reach, summary, totals
from equalsign.derivations import (
    Step,
    at_least,
    at_most,
    by_definition,
    derivation,
    equals,
    library,
    tends_to,
)
from equalsign.findings import finding, stress
from equalsign.gradients import gradient
from equalsign.publications import published
from equalsign.refutations import refutes
from equalsign.samplers import (
    Sampler,
    between,
    bits,
    choice,
    distribution,
    integer,
    joint,
    label,
    labels,
    logits,
    positive,
    real,
    reals,
    signs,
    stochastic,
    subset,
    unit,
)

__all__ = [
    "RECORD_TYPE",
    "CheckFailed",
    "Sampler",
    "Step",
    "at_least",
    "at_most",
    "between",
    "bits",
    "by_definition",
    "choice",
    "derivation",
    "distribution",
    "equals",
    "finding",
    "gradient",
    "integer",
    "joint",
    "label",
    "labels",
    "ledger",
    "library",
    "logits",
    "positive",
    "published",
    "reach",
    "real",
    "reals",
    "refutes",
    "signs",
    "stochastic",
    "stress",
    "subset",
    "summary",
    "tends_to",
    "totals",
    "unit",
]
