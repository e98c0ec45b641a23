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
from losslib.counts import (
    gamma_deviance,
    negative_binomial_nll_loss,
    poisson_deviance,
    poisson_nll_loss,
    tweedie_deviance,
)
from losslib.ctc import ctc_loss
from losslib.distance import (
    chebyshev_distance,
    cosine_distance,
    euclidean_distance,
    hamming_distance,
    mahalanobis_distance,
    manhattan_distance,
    minkowski_distance,
    pearson_distance,
    standardized_euclidean_distance,
)
from losslib.divergence import (
    bhattacharyya_distance,
    chi_squared_divergence,
    f_divergence,
    hellinger_distance,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    kl_div,
    renyi_divergence,
    total_variation_distance,
)
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
from losslib.ranking import (
    cox_loss,
    lambdarank_weight,
    listmle_loss,
    listnet_loss,
    margin_ranking_loss,
    ordinal_loss,
    ranknet_loss,
)
from losslib.regression import (
    beta_nll,
    crps_gaussian,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    log_cosh_loss,
    mse_loss,
    quantile_loss,
    smooth_l1_loss,
)
from losslib.similarity import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from losslib.smoothing import confidence_penalty_loss, smooth_labels
from losslib.transport import (
    energy_distance,
    maximum_mean_discrepancy,
    sinkhorn,
    sinkhorn_divergence,
    wasserstein_1d,
)
from losslib.vocabulary import linear_cross_entropy

__version__ = "0.1.0"

__all__ = [
    "a_softmax_loss",
    "arcface_loss",
    "asymmetric_loss",
    "beta_nll",
    "bhattacharyya_distance",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "bootstrap_loss",
    "brier_score",
    "chebyshev_distance",
    "chi_squared_divergence",
    "circle_loss",
    "confidence_penalty_loss",
    "cosface_loss",
    "cosine_distance",
    "cosine_embedding_loss",
    "cox_loss",
    "cross_entropy",
    "cross_entropy_between",
    "crps_gaussian",
    "ctc_loss",
    "effective_number_weight",
    "energy_distance",
    "entropy",
    "euclidean_distance",
    "exponential_loss",
    "f_divergence",
    "focal_loss",
    "gamma_deviance",
    "gaussian_nll_loss",
    "generalized_cross_entropy",
    "hamming_distance",
    "hellinger_distance",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "info_nce_loss",
    "jensen_shannon_distance",
    "jensen_shannon_divergence",
    "kl_div",
    "kl_divergence",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "l_softmax_loss",
    "lambdarank_weight",
    "linear_cross_entropy",
    "listmle_loss",
    "listnet_loss",
    "log_cosh_loss",
    "log_sigmoid",
    "log_softmax",
    "logistic_loss",
    "logit_adjustment",
    "logsumexp",
    "mahalanobis_distance",
    "manhattan_distance",
    "margin_ranking_loss",
    "maximum_mean_discrepancy",
    "minkowski_distance",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_categorical_cross_entropy",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "mutual_information",
    "negative_binomial_nll_loss",
    "nll_loss",
    "nt_xent_loss",
    "ordinal_loss",
    "pearson_distance",
    "poisson_deviance",
    "poisson_nll_loss",
    "poly_loss",
    "quantile_loss",
    "ranknet_loss",
    "reduce",
    "renyi_divergence",
    "self_information",
    "sigmoid",
    "sigmoid_contrastive_loss",
    "sigmoid_focal_loss",
    "sinkhorn",
    "sinkhorn_divergence",
    "smooth_l1_loss",
    "smooth_labels",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "squared_hinge_loss",
    "standardized_euclidean_distance",
    "supervised_contrastive_loss",
    "symmetric_cross_entropy",
    "total_variation_distance",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "tweedie_deviance",
    "wasserstein_1d",
    "zero_one_loss",
]
