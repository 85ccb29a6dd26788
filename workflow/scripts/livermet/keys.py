"""Every column name that crosses a room's wall, once.

`cells/` and `tcells/` write tables keyed by cell (index `CELL`), `mice/` writes tables keyed by mouse, population, gene
and question. Whoever reads or writes such a column takes its name from here.
"""

from __future__ import annotations

# -- samples and cells ------------------------------------------------------------------------------------------------
CELL = "cell"  # index of per-cell tables: "<sample>_<barcode>"
SAMPLE = "sample"
BARCODE = "barcode"
MOUSE = "mouse"
TISSUE = "tissue"
BATCH = "batch"
KEPT = "kept"
DROP_REASON = "drop_reason"  # empty string where kept
N_UMIS = "n_umis"
N_GENES = "n_genes"
MITO = "mitochondrial_fraction"
RIBO = "ribosomal_fraction"
HAEMO = "haemoglobin_fraction"
DOUBLET_SCORE = "doublet_score"
IS_DOUBLET = "is_doublet"
AMBIENT = "ambient_fraction"
METRICS = (N_UMIS, N_GENES, MITO, RIBO, HAEMO, DOUBLET_SCORE, AMBIENT)
LEIDEN = "leiden"
LINEAGE = "lineage"
STATE = "state"
UNASSIGNED = "unassigned"  # a lineage and a state: never forced

# -- genes: columns of `var`, index is the gene id (Ensembl where there is one) ---------------------------------------
GENE_ID = "gene_id"
SYMBOL = "symbol"
IS_MITO = "mitochondrial"
IS_RIBO = "ribosomal"
IS_HAEMO = "haemoglobin"

# -- mice: columns of the result tables -------------------------------------------------------------------------------
QUESTION = "question"
POPULATION = "population"
GENE = "gene"  # symbol, for people
ENDPOINT = "endpoint"  # signature | composition | mechanism | rescue | expression
READOUT = "readout"  # what was measured within the endpoint: a signature, a population, a mechanism read-out
ESTIMATE = "estimate"
LOG_FOLD_CHANGE = "log_fold_change"  # log2
STANDARD_ERROR = "standard_error"
CI_LOW = "ci_low"
CI_HIGH = "ci_high"
P_VALUE = "p_value"
ADJUSTED_P_VALUE = "adjusted_p_value"  # Benjamini-Hochberg within question x endpoint family
MEAN_LOG_CPM = "mean_log_cpm"
MDE = "minimum_detectable_log_fold_change"
MICE_NEEDED = "mice_per_arm_needed"
N_MICE = "n_mice_"  # prefix: one column per arm, "n_mice_<arm>"
TIER = "tier"
SENTENCE = "sentence"
N_CELLS = "n_cells"

CONFIRMATORY = "confirmatory"
EXPLORATORY = "exploratory"
DESCRIPTIVE = "descriptive"
NOT_ESTIMABLE = "not estimable"
TIERS = (CONFIRMATORY, EXPLORATORY, DESCRIPTIVE, NOT_ESTIMABLE)
