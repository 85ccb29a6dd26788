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
POOL_SIZE = "pool_size"  # mice pooled into one replicate; where the sheet has it
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
KNOWN_DOUBLET = "known_doublet"  # by multiplexing: "doublet", "singlet" or empty; only where the input says so
OTHERS = "other_features"  # of counts as read: obsm and uns of the features that are no genes
PATH = "path"  # of the sheet: the counts
RAW_PATH = "raw_path"  # of the sheet: the unfiltered matrix that they come from; where the sheet has it
HASHTAG = "hashtag"  # of the sheet: the feature that marks the sample's cells in a library that holds several
TAGS = "tags"  # hashtags that a cell bears, one or two; empty where none or untold; with the next two only where there are any
TAG_CALL = "tag_call"  # singlet, doublet (of two hashtags), negative (none), uncertain; empty of empty droplets
TAG_PROBABILITY = "tag_probability"  # posterior of what is likeliest; a call is made from .9 on
AMBIENT = "ambient_fraction"
KIND = "kind"  # coarse kind of a barcode within its sample, in its quality table: a number that means nothing elsewhere
IS_EMPTY = "is_empty"  # of barcodes above the bound of empty droplets, where cells were called: no cell
EMPTY_P_VALUE = "empty_p_value"  # probability of such counts in an empty droplet; missing above the knee, where none is
SOUP_SOURCE = "soup_source"  # of a sample: "raw matrix" (its empty droplets) or "estimated" (from its cells)
AMBIENT_FOUND_BY = "ambient_found_by"  # of a sample: "silent genes", or "cannot be told"
AMBIENT_LOW = "ambient_low"  # 95 % interval of a sample's ambient share, all UMIs together; 0 to a bound where untold
AMBIENT_HIGH = "ambient_high"
AMBIENT_CORRECTED = "ambient_corrected"  # of a sample: whether ambient counts were taken away
SET_ASIDE_BECAUSE = "set_aside"  # of a sample without kept cells: why, in words; else empty
ABSOLUTE_CELLS = "absolute_cells"  # of the sheet: live cells of the whole tissue, in number
STRESS_SCORE = "stress_score"  # dissociation: immediate-early and heat-shock genes against genes of like expression
S_SCORE = "s_score"  # cell cycle, likewise
G2M_SCORE = "g2m_score"
PHASE = "phase"  # S, G2M, G1 (neither), or empty where it cannot be told
METRICS = (N_UMIS, N_GENES, MITO, RIBO, HAEMO, DOUBLET_SCORE, AMBIENT)
LEIDEN = "leiden"
LINEAGE = "lineage"
OWN_LABEL = "label"  # what the owner of the data calls a cell, in our words
SUBSET = "subset"  # kind within a lineage, such as LSEC or tumour_associated; empty where none stands out
SECOND_OPINION = "second_opinion"  # lineage that the cell's own markers speak for, whatever its cluster is called
OPINIONS_DIFFER = "opinions_differ"  # whether both opinions name a lineage, and not the same
MARKER_LINEAGE = "marker_lineage"  # where cells have labels of their owner's: what the markers would have called them
REFERENCE_LABEL = "reference_label"  # where a reference is given: what it would call the cell
BESIDE = (SUBSET, SECOND_OPINION, OPINIONS_DIFFER, MARKER_LINEAGE, REFERENCE_LABEL)
STATE = "state"
PROGRAMMES = "programmes"  # what runs on top of the state (cycling, interferon, ...), names joined by a space
UNASSIGNED = "unassigned"  # a lineage and a state: never forced

# Columns of tables by cell or sample: a column of the sheet, which travels with both, may not bear such a name.
TAKEN = frozenset(
    {
        CELL, BARCODE, KEPT, DROP_REASON, KIND, *METRICS, IS_DOUBLET, KNOWN_DOUBLET, TAGS, TAG_CALL, TAG_PROBABILITY, IS_EMPTY, EMPTY_P_VALUE, SOUP_SOURCE,
        AMBIENT_FOUND_BY, AMBIENT_LOW, AMBIENT_HIGH, AMBIENT_CORRECTED, STRESS_SCORE, S_SCORE, G2M_SCORE, PHASE, LEIDEN,
        LINEAGE, OWN_LABEL, *BESIDE, STATE, PROGRAMMES, SET_ASIDE_BECAUSE,
        "n_barcodes", "n_kept", "n_dropped", "n_doublets", f"mean_{AMBIENT}", *(f"median_{name}" for name in METRICS),
        "unit", "arm", "index", "_index", "row",
    }
)  # fmt: skip

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
VOOM_P_VALUE = "voom_p_value"  # limma-voom's, beside edgeR's p_value
CONSENSUS_P_VALUE = "consensus_p_value"  # the larger of the two; 1 where they see opposite changes
ADJUSTED_P_VALUE = "adjusted_p_value"  # within question x FAMILY
MEAN_LOG_CPM = "mean_log_cpm"
IS_AMBIENT = "ambient"  # whether the soup can explain a gene's effect; its share of the counts is AMBIENT
N_AMBIENT_GENES = "n_ambient_genes"  # of a set
ESTIMATE_WITHOUT_AMBIENT = "estimate_without_ambient"
P_VALUE_WITHOUT_AMBIENT = "p_value_without_ambient"
MDE = "minimum_detectable_log_fold_change"
MICE_NEEDED = "mice_per_arm_needed"
N_MICE = "n_mice_"  # prefix: one column per arm, "n_mice_<arm>"
TIER = "tier"
DECLARED = "declared"  # whether a row was declared beforehand: such rows are the headlines
FAMILY = "family"  # which rows a row is adjusted with: DECLARED (Holm), or its endpoint (Benjamini-Hochberg)
LEAD = "lead"  # the strongest row of its question and endpoint that was not declared: picked after looking
LOO_LOW = "loo_low"  # smallest and largest estimate without any one mouse
LOO_HIGH = "loo_high"
LOO_MOUSE = "loo_mouse"  # the mouse whose absence changes the estimate most
SIGN_FLIPS = "sign_flips"
PERMUTATION_P_VALUE = "permutation_p_value"
SMALLEST_P = "smallest_p_attainable"
MARGIN = "margin"  # of an equivalence: the largest difference that still counts as the same
EQUIVALENCE_P_VALUE = "equivalence_p_value"  # two one-sided tests; of an equivalence it is the p_value, too
TOST_LOW = "tost_ci_low"  # interval of level 1 - 2 alpha: within the margin where the p-value is under alpha
TOST_HIGH = "tost_ci_high"
DIFFERENCE_P_VALUE = "difference_p_value"  # of an equivalence: the usual two-sided test against 0
DIFFERENCE_ADJUSTED = "difference_adjusted_p_value"
EQUIVALENT = "equivalent"  # the same within the margin, or not shown; missing where not asked
SENTENCE = "sentence"
N_CELLS = "n_cells"
ALR = "alr_"  # prefix: additive log-ratios, "alr_<reference>_log_fold_change" (log2), "_ci_low", "_ci_high", "_p_value"
REFERENCES_AGREE = "references_agree"  # every declared reference shows what the centred log-ratio shows
HOLDS_ABOVE = "holds_if_total_above"  # fold change of all cells above which a rise is one of numbers
HOLDS_BELOW = "holds_if_total_below"  # fold change of all cells below which a loss is one of numbers

IS_DEFAULT = "is_default"  # of a specification: the study's own choices
FAILURE = "failure"  # of a specification: why it gave no answer; empty where it did
CLEAR = "clear"  # whether a change (sameness, where that is asked) was shown
N_SPECIFICATIONS = "n_specifications"
SHARE_SAME_VERDICT = "share_same_verdict"  # of specifications: those that say what the study says

CONFIRMATORY = "confirmatory"
EXPLORATORY = "exploratory"
DESCRIPTIVE = "descriptive"
NOT_ESTIMABLE = "not estimable"
TIERS = (CONFIRMATORY, EXPLORATORY, DESCRIPTIVE, NOT_ESTIMABLE)
