"""How well codes line up with known factors: MIG, DCI, SAP, FactorVAE, BetaVAE, IRS, modularity, purity.

Arrays in, numbers out, no torch. codes: [N, D] floats (class indices where a hidden variable is discrete). factors:
[N, K] class indices from 0, -1 where a row's value is not known. Randomness follows from a seed.
"""

from runtime.measures.disentanglement.comparing import METRICS, Columns, code_columns, compare, factor_columns
from runtime.measures.disentanglement.fixing import HeldFactorScore, beta_vae, factor_vae
from runtime.measures.disentanglement.importance import Importance, dci, from_importances
from runtime.measures.disentanglement.information import (
    UNKNOWN,
    entropies,
    in_bins,
    information_gaps,
    modularities,
    mutual_information,
    purity,
)
from runtime.measures.disentanglement.robustness import Robustness, irs
from runtime.measures.disentanglement.thresholds import balanced_accuracy, sap, threshold_scores

__all__ = [
    "METRICS", "UNKNOWN", "Columns", "HeldFactorScore", "Importance", "Robustness", "balanced_accuracy", "beta_vae",
    "code_columns", "compare", "dci", "entropies", "factor_columns", "factor_vae", "from_importances", "in_bins",
    "information_gaps", "irs", "modularities", "mutual_information", "purity", "sap", "threshold_scores",
]  # fmt: skip
