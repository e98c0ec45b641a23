"""Losses from entropy: one implementation of each loss, on NumPy, PyTorch and JAX.

Every function takes arrays of one library and returns arrays of that library. Importing this
package imports neither PyTorch nor JAX.
"""

from losslib.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    soft_margin_loss,
)
from losslib.counts import poisson_nll_loss
from losslib.divergence import kl_div
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
from losslib.margin import multi_margin_loss, multilabel_margin_loss
from losslib.multiclass import cross_entropy, nll_loss
from losslib.multilabel import multilabel_soft_margin_loss
from losslib.objective import l1_penalty, l2_penalty, reduce
from losslib.ranking import margin_ranking_loss
from losslib.regression import (
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from losslib.similarity import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "brier_score",
    "cosine_embedding_loss",
    "cross_entropy",
    "cross_entropy_between",
    "entropy",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "kl_divergence",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "mutual_information",
    "nll_loss",
    "poisson_nll_loss",
    "reduce",
    "self_information",
    "sigmoid",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
