# Contract: needs the sheet and the design section of the config, the counts of all kept cells (merge_samples) and their
# labels (label_cells); gives, with mice as replicates, the checked design, the sums per mouse and population, and the
# answers: genes, signatures, abundances, mechanism, rescue, and the tables that people read.


rule check_design:
    """Say what the mice can tell and what not: arms, rank, aliasing, and each question's contrast and tier."""
    input:
        code=sources(
            "step",
            "mice.design.model",
            "mice.design.doctor",
            "mice.design.integrating",
        ),
    output:
        design=f"{STEPS}/check_design/design.json",
        findings=f"{STEPS}/check_design/findings.json",
    log:
        f"{LOGS}/check_design.log",
    benchmark:
        f"{BENCHMARKS}/check_design.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        sheet=SHEET.reset_index().to_dict("records"),
        settings=config["design"],
        embed={key: config["embed"][key] for key in ("integrate", "batch_key")},
    script:
        "../scripts/check_design.py"


rule sum_pseudobulk:
    """Add up the raw counts of each mouse's cells of a population, one measurement a mouse, and the ambient ones in them."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        labels=f"{STEPS}/label_cells/labels.parquet",
        soup=f"{STEPS}/merge_samples/soup.parquet",
        code=sources("step", "mice.endpoints.pseudobulk", "mice.design.units"),
    output:
        pseudobulk=f"{STEPS}/sum_pseudobulk/pseudobulk.h5ad",
    log:
        f"{LOGS}/sum_pseudobulk.log",
    benchmark:
        f"{BENCHMARKS}/sum_pseudobulk.tsv"
    priority: 10
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        sheet=SHEET.reset_index().to_dict("records"),
        settings={
            key: config["design"][key]
            for key in ("factors", "covariates", "populations")
        },
    script:
        "../scripts/sum_pseudobulk.py"


rule test_expression:
    """Put every question to every gene of every population, and flag the genes whose effect the soup can explain."""
    input:
        pseudobulk=f"{STEPS}/sum_pseudobulk/pseudobulk.h5ad",
        design=f"{STEPS}/check_design/design.json",
        signatures="resources/signatures.yaml",
        code=sources("step", "mice.endpoints.expression"),
    output:
        expression=f"{STEPS}/test_expression/expression.parquet",
        samples=f"{STEPS}/test_expression/samples.tsv",
    log:
        f"{LOGS}/test_expression.log",
    benchmark:
        f"{BENCHMARKS}/test_expression.tsv"
    priority: 10
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    script:
        "../scripts/test_expression.py"


rule compare_cell_tests:
    """Count what a test with cells as replicates would have claimed, beside what the mice support; no p-value is kept."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        labels=f"{STEPS}/label_cells/labels.parquet",
        design=f"{STEPS}/check_design/design.json",
        expression=f"{STEPS}/test_expression/expression.parquet",
        samples=f"{STEPS}/test_expression/samples.tsv",
        true_genes=f"{TRUTH}/genes.parquet" if config["demo"]["simulate"] else [],
        true_abundance=(
            f"{TRUTH}/abundance.parquet" if config["demo"]["simulate"] else []
        ),
        code=sources("step", "mice.checks.cells_as_replicates", "demo.known"),
    output:
        calls=f"{STEPS}/compare_cell_tests/calls.tsv",
    log:
        f"{LOGS}/compare_cell_tests.log",
    benchmark:
        f"{BENCHMARKS}/compare_cell_tests.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    script:
        "../scripts/compare_cell_tests.py"


rule test_pathways:
    """Put every question to every gene set that applies to a population: fry, camera and a score a mouse."""
    input:
        pseudobulk=f"{STEPS}/sum_pseudobulk/pseudobulk.h5ad",
        design=f"{STEPS}/check_design/design.json",
        signatures="resources/signatures.yaml",
        states=config["tcells"]["states"],
        macrophages=MACROPHAGES,
        lineages=config["annotate"]["markers"],
        code=sources("step", "mice.endpoints.pathways"),
    output:
        pathways=f"{STEPS}/test_pathways/pathways.parquet",
    log:
        f"{LOGS}/test_pathways.log",
    benchmark:
        f"{BENCHMARKS}/test_pathways.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    script:
        "../scripts/test_pathways.py"


RESCUES = [
    question["name"]
    for question in config["design"]["questions"]
    if question["kind"] == "rescue"
]
QUESTION_TABLES = f"{TABLES}/questions/{{question}}"
TABLE_FILES = [
    *expand(
        f"{TABLES}/{{table}}",
        table=[
            "cells.parquet",
            "samples.tsv",
            "composition.tsv",
            "state_scores.tsv",
            "answers.tsv",
            "notices.tsv",
        ],
    ),
    *expand(f"{QUESTION_TABLES}/README.md", question=QUESTIONS),
    *expand(
        f"{QUESTION_TABLES}/{{table}}.tsv",
        question=QUESTIONS,
        table=["expression", "pathways", "composition", "mechanism", "robustness"],
    ),
    *expand(
        f"{QUESTION_TABLES}/{{table}}.tsv",
        question=RESCUES,
        table=["rescue", "rescue_genes"],
    ),
]


rule test_composition:
    """Test the abundance of every population, relative to the other cells of the same mouse."""
    input:
        labels=f"{STEPS}/label_cells/labels.parquet",
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        design=f"{STEPS}/check_design/design.json",
        code=sources("step", "mice.endpoints.composition"),
    output:
        composition=f"{STEPS}/test_composition/composition.parquet",
        proportions=f"{STEPS}/test_composition/proportions.tsv",
        abundance=f"{STEPS}/test_composition/abundance.parquet",
    log:
        f"{LOGS}/test_composition.log",
    benchmark:
        f"{BENCHMARKS}/test_composition.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        sheet=SHEET.filter(["mouse", "tissue", "absolute_cells"]).to_dict("index"),
        settings={
            key: config["design"][key]
            for key in (
                "populations",
                "references",
                "confidence",
                "effect_of_interest",
            )
        },
    script:
        "../scripts/test_composition.py"


rule test_mechanism:
    """Read out the Fasl-Fas axis once a mouse, and put every question to it."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        pseudobulk=f"{STEPS}/sum_pseudobulk/pseudobulk.h5ad",
        labels=f"{STEPS}/label_cells/labels.parquet",
        design=f"{STEPS}/check_design/design.json",
        signatures="resources/signatures.yaml",
        states=config["tcells"]["states"],
        macrophages=MACROPHAGES,
        lineages=config["annotate"]["markers"],
        mechanism="resources/mechanism.yaml",
        code=sources("step", "mice.endpoints.mechanism", "mice.endpoints.applicable"),
    output:
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        readouts=f"{STEPS}/test_mechanism/readouts.tsv",
    log:
        f"{LOGS}/test_mechanism.log",
    benchmark:
        f"{BENCHMARKS}/test_mechanism.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        settings={
            key: config["design"][key]
            for key in ("populations", "min_cells", "confidence", "effect_of_interest")
        },
    script:
        "../scripts/test_mechanism.py"


rule test_rescue:
    """Say how much of a damage each repair undoes, with an interval, or why that cannot be said."""
    input:
        abundance=f"{STEPS}/test_composition/abundance.parquet",
        pseudobulk=f"{STEPS}/sum_pseudobulk/pseudobulk.h5ad",
        expression=f"{STEPS}/test_expression/expression.parquet",
        design=f"{STEPS}/check_design/design.json",
        signatures="resources/signatures.yaml",
        states=config["tcells"]["states"],
        macrophages=MACROPHAGES,
        lineages=config["annotate"]["markers"],
        code=sources("step", "mice.endpoints.rescue", "mice.endpoints.applicable"),
    output:
        rescue=f"{STEPS}/test_rescue/rescue.parquet",
        genes=f"{STEPS}/test_rescue/genes.parquet",
    log:
        f"{LOGS}/test_rescue.log",
    benchmark:
        f"{BENCHMARKS}/test_rescue.tsv"
    priority: 10
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        settings={
            key: config["design"][key]
            for key in ("questions", "populations", "min_cells", "confidence")
        },
    script:
        "../scripts/test_rescue.py"


rule test_robustness:
    """Leave out every mouse and hand out every label anew: does a declared endpoint hang on one of them?"""
    input:
        abundance=f"{STEPS}/test_composition/abundance.parquet",
        readouts=f"{STEPS}/test_mechanism/readouts.tsv",
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        pseudobulk=f"{STEPS}/sum_pseudobulk/pseudobulk.h5ad",
        design=f"{STEPS}/check_design/design.json",
        signatures="resources/signatures.yaml",
        states=config["tcells"]["states"],
        macrophages=MACROPHAGES,
        lineages=config["annotate"]["markers"],
        code=sources("step", "mice.checks.robustness", "mice.checks.gene_null"),
    output:
        robustness=f"{STEPS}/test_robustness/robustness.tsv",
        left_out=f"{STEPS}/test_robustness/left_out.tsv",
        label_permutations=f"{STEPS}/test_robustness/label_permutations.tsv",
    log:
        f"{LOGS}/test_robustness.log",
    benchmark:
        f"{BENCHMARKS}/test_robustness.tsv"
    priority: 10
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
    script:
        "../scripts/test_robustness.py"


rule answer_questions:
    """Answer every question in a sentence, with its estimate, its interval and its tier of evidence."""
    input:
        expression=f"{STEPS}/test_expression/expression.parquet",
        pathways=f"{STEPS}/test_pathways/pathways.parquet",
        composition=f"{STEPS}/test_composition/composition.parquet",
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        rescue=f"{STEPS}/test_rescue/rescue.parquet",
        robustness=f"{STEPS}/test_robustness/robustness.tsv",
        design=f"{STEPS}/check_design/design.json",
        code=sources("step", "mice.answers.table"),
    output:
        answers=f"{TABLES}/answers.tsv",
    log:
        f"{LOGS}/answer_questions.log",
    benchmark:
        f"{BENCHMARKS}/answer_questions.tsv"
    priority: 10
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        words=config["words"],
    script:
        "../scripts/answer_questions.py"


rule write_tables:
    """Write what became of every barcode, the study's samples, composition and mean scores, and what is to be told."""
    input:
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        labels=f"{STEPS}/label_cells/labels.parquet",
        scores=f"{STEPS}/score_tcells/scores.parquet",
        composition=f"{STEPS}/test_composition/proportions.tsv",
        design=f"{STEPS}/check_design/design.json",
        programmes=f"{STEPS}/check_cells/programmes.parquet",
        notices=NOTICES,
        code=sources("step", "mice.answers.files", "mice.design.losses", "notices"),
    output:
        notices=f"{TABLES}/notices.tsv",
        cells=f"{TABLES}/cells.parquet",
        samples=f"{TABLES}/samples.tsv",
        composition=f"{TABLES}/composition.tsv",
        state_scores=f"{TABLES}/state_scores.tsv",
    log:
        f"{LOGS}/write_tables.log",
    benchmark:
        f"{BENCHMARKS}/write_tables.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        sheet=SHEET[["mouse", "tissue"]].to_dict("index"),
        populations=config["design"]["populations"],
        told=study.tell(SHEET, config),
        tcells=config["tcells"]["lineages"],
    script:
        "../scripts/write_tables.py"


rule describe_questions:
    """Say beside every question's tables what was asked, of which mice, with which contrast, adjusted over what."""
    input:
        findings=f"{STEPS}/check_design/findings.json",
        design=f"{STEPS}/check_design/design.json",
        code=sources("step", "mice.answers.guide"),
    output:
        readme=expand(f"{QUESTION_TABLES}/README.md", question=QUESTIONS),
    log:
        f"{LOGS}/describe_questions.log",
    benchmark:
        f"{BENCHMARKS}/describe_questions.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        questions=QUESTIONS,
    script:
        "../scripts/describe_questions.py"


rule write_questions:
    """Write the tables of every question: genes, signatures, abundance, mechanism, and whether they hold."""
    input:
        expression=f"{STEPS}/test_expression/expression.parquet",
        pathways=f"{STEPS}/test_pathways/pathways.parquet",
        composition=f"{STEPS}/test_composition/composition.parquet",
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        robustness=f"{STEPS}/test_robustness/robustness.tsv",
        design=f"{STEPS}/check_design/design.json",
        code=sources("step", "mice.answers.files"),
    output:
        expression=expand(f"{QUESTION_TABLES}/expression.tsv", question=QUESTIONS),
        pathways=expand(f"{QUESTION_TABLES}/pathways.tsv", question=QUESTIONS),
        composition=expand(f"{QUESTION_TABLES}/composition.tsv", question=QUESTIONS),
        mechanism=expand(f"{QUESTION_TABLES}/mechanism.tsv", question=QUESTIONS),
        robustness=expand(f"{QUESTION_TABLES}/robustness.tsv", question=QUESTIONS),
    log:
        f"{LOGS}/write_questions.log",
    benchmark:
        f"{BENCHMARKS}/write_questions.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        questions=QUESTIONS,
    script:
        "../scripts/write_questions.py"


rule write_rescues:
    """Write the rescues, read-out by read-out and gene by gene."""
    input:
        rescue=f"{STEPS}/test_rescue/rescue.parquet",
        rescue_genes=f"{STEPS}/test_rescue/genes.parquet",
        design=f"{STEPS}/check_design/design.json",
        code=sources("step", "mice.answers.files"),
    output:
        rescue=expand(f"{QUESTION_TABLES}/rescue.tsv", question=RESCUES),
        rescue_genes=expand(f"{QUESTION_TABLES}/rescue_genes.tsv", question=RESCUES),
    log:
        f"{LOGS}/write_rescues.log",
    benchmark:
        f"{BENCHMARKS}/write_rescues.tsv"
    conda:
        "../../envs/mice.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        questions=RESCUES,
    script:
        "../scripts/write_rescues.py"
