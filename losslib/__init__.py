"""Losses from entropy: one implementation of each loss, on NumPy, PyTorch and JAX.

Every function takes arrays of one library and returns arrays of that library. Importing this
package imports neither PyTorch nor JAX.
"""

from losslib.angular import (
    a_softmax_loss,
    arcface_loss,
    cosface_loss,
    l_softmax_loss,
)
from losslib.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    soft_margin_loss,
)
from losslib.contrastive import (
    circle_loss,
    info_nce_loss,
    nt_xent_loss,
    sigmoid_contrastive_loss,
    supervised_contrastive_loss,
)
from losslib.counts import poisson_nll_loss
from losslib.ctc import ctc_loss
from losslib.divergence import kl_div
from losslib.focal import (
    asymmetric_loss,
    focal_loss,
    poly_loss,
    sigmoid_focal_loss,
)
from losslib.imbalance import effective_number_weight, logit_adjustment
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
from losslib.margin import (
    exponential_loss,
    hinge_loss,
    logistic_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    squared_hinge_loss,
    zero_one_loss,
)
from losslib.multiclass import cross_entropy, nll_loss
from losslib.multilabel import (
    multilabel_categorical_cross_entropy,
    multilabel_soft_margin_loss,
)
from losslib.noise import (
    bootstrap_loss,
    generalized_cross_entropy,
    symmetric_cross_entropy,
)
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
from losslib.smoothing import confidence_penalty_loss, smooth_labels
from losslib.vocabulary import linear_cross_entropy

__version__ = "0.1.0"

__all__ = [
    "a_softmax_loss",
    "arcface_loss",
    "asymmetric_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "bootstrap_loss",
    "brier_score",
    "circle_loss",
    "confidence_penalty_loss",
    "cosface_loss",
    "cosine_embedding_loss",
    "cross_entropy",
    "cross_entropy_between",
    "ctc_loss",
    "effective_number_weight",
    "entropy",
    "exponential_loss",
    "focal_loss",
    "gaussian_nll_loss",
    "generalized_cross_entropy",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "info_nce_loss",
    "kl_div",
    "kl_divergence",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "l_softmax_loss",
    "linear_cross_entropy",
    "log_sigmoid",
    "log_softmax",
    "logistic_loss",
    "logit_adjustment",
    "logsumexp",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_categorical_cross_entropy",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "mutual_information",
    "nll_loss",
    "nt_xent_loss",
    "poisson_nll_loss",
    "poly_loss",
    "reduce",
    "self_information",
    "sigmoid",
    "sigmoid_contrastive_loss",
    "sigmoid_focal_loss",
    "smooth_l1_loss",
    "smooth_labels",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "squared_hinge_loss",
    "supervised_contrastive_loss",
    "symmetric_cross_entropy",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "zero_one_loss",
]
