"""Losses from entropy: one implementation of each loss, on NumPy, PyTorch and JAX.

Every function takes arrays of one library and returns arrays of that library. Importing this
package imports neither PyTorch nor JAX.
"""

from losslib.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    soft_margin_loss,
)
from losslib.information import (
    brier_score,
    cross_entropy_between,
    entropy,
    kl_divergence,
    mutual_information,
    self_information,
)
from losslib.logits import (
    log_sigmoid,
    log_softmax,
    logsumexp,
    sigmoid,
    softmax,
    softplus,
)
from losslib.multiclass import cross_entropy, nll_loss
from losslib.objective import l1_penalty, l2_penalty, reduce

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "brier_score",
    "cross_entropy",
    "cross_entropy_between",
    "entropy",
    "kl_divergence",
    "l1_penalty",
    "l2_penalty",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "mutual_information",
    "nll_loss",
    "reduce",
    "self_information",
    "sigmoid",
    "soft_margin_loss",
    "softmax",
    "softplus",
]
