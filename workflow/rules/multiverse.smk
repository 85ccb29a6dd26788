# Contract: needs, where `multiverse: enabled` is true, every sample's counts and quality table, the resolution that the
# study chose (cluster_cells), its design and its answers; gives the headlines under every combination of QC strictness,
# doublet rule, integration and resolution (tables/multiverse/) and their specification curves. Otherwise nothing.
from livermet.multiverse.grid import cell_sets, integrations

MULTIVERSE_FIGURES = ["specification_curve"] if config["multiverse"]["enabled"] else []


if config["multiverse"]["enabled"]:
    CELL_SETS = [one.name for one in cell_sets(config["multiverse"], config["quality"])]
    INTEGRATIONS = integrations(
        config["multiverse"],
        config["embed"],
        list(SHEET.get(config["embed"]["batch_key"], [])),
    )
    UNIVERSE = "{cells}_{integrate}"
    TABLE_FILES += expand(
        f"{TABLES}/multiverse/{{table}}.tsv",
        table=["estimates", "summary", "specifications"],
    )

    rule vary_quality:
        """Say which barcodes are kept under other strictness and doublet rules, and gather the counts of all of them."""
        input:
            counts=expand(f"{STEPS}/read_sample/{{sample}}.h5ad", sample=SAMPLES),
            merged=expand(COUNTS, sample=SAMPLES),
            quality=expand(f"{STEPS}/assess_quality/{{sample}}.parquet", sample=SAMPLES),
            soup=expand(
                f"{STEPS}/assess_quality/{{sample}}.soup.parquet", sample=SAMPLES
            ),
            code=sources("step", "multiverse.verdicts"),
        output:
            counts=f"{STEPS}/vary_quality/counts.h5ad",
            kept=f"{STEPS}/vary_quality/kept.parquet",
        log:
            f"{LOGS}/vary_quality.log",
        benchmark:
            f"{BENCHMARKS}/vary_quality.tsv"
        conda:
            "../../envs/inputs.yaml"
        threads: 1
        resources:
            mem_mb=2000,
        params:
            sheet=SHEET.to_dict("index"),
            sets=CELL_SETS,
            settings=QUALITY,
            seed=config["seed"],
        script:
            "../scripts/vary_quality.py"

    rule relabel_cells:
        """Label one choice of cells anew, batches brought together in one way, at every resolution."""
        input:
            counts=f"{STEPS}/vary_quality/counts.h5ad",
            kept=f"{STEPS}/vary_quality/kept.parquet",
            stability=f"{STEPS}/cluster_cells/stability.tsv",
            markers=config["annotate"]["markers"],
            labels=OWN_LABELS,
            signatures="resources/signatures.yaml",
            states=config["tcells"]["states"],
            macrophages=MACROPHAGES,
            bins="resources/expression_bins.tsv",
            code=sources("step", "multiverse.labels"),
        output:
            labels=f"{STEPS}/relabel_cells/{UNIVERSE}.parquet",
            outcomes=f"{STEPS}/relabel_cells/{UNIVERSE}.tsv",
        log:
            f"{LOGS}/relabel_cells/{UNIVERSE}.log",
        benchmark:
            f"{BENCHMARKS}/relabel_cells/{UNIVERSE}.tsv"
        wildcard_constraints:
            cells="|".join(CELL_SETS).replace(".", r"\."),
            integrate="|".join(INTEGRATIONS),
        conda:
            "../../envs/cells.yaml"
        threads: 1
        resources:
            mem_mb=1500,
        params:
            multiverse=config["multiverse"],
            cluster=config["cluster"],
            settings={
                "embed": config["embed"],
                "annotate": {
                    key: config["annotate"][key] for key in ("min_margin", "min_score")
                },
                "tcells": config["tcells"],
                "macrophages": config["macrophages"],
            },
            seed=config["seed"],
        script:
            "../scripts/relabel_cells.py"

    rule retest_mice:
        """Put the study's questions to the mice once more, for every labelling of one choice of cells."""
        input:
            counts=f"{STEPS}/vary_quality/counts.h5ad",
            labels=f"{STEPS}/relabel_cells/{UNIVERSE}.parquet",
            outcomes=f"{STEPS}/relabel_cells/{UNIVERSE}.tsv",
            design=f"{STEPS}/check_design/design.json",
            signatures="resources/signatures.yaml",
            states=config["tcells"]["states"],
            macrophages=MACROPHAGES,
            lineages=config["annotate"]["markers"],
            mechanism="resources/mechanism.yaml",
            code=sources("step", "multiverse.answers"),
        output:
            estimates=f"{STEPS}/retest_mice/{UNIVERSE}.parquet",
            outcomes=f"{STEPS}/retest_mice/{UNIVERSE}.tsv",
        log:
            f"{LOGS}/retest_mice/{UNIVERSE}.log",
        benchmark:
            f"{BENCHMARKS}/retest_mice/{UNIVERSE}.tsv"
        wildcard_constraints:
            cells="|".join(CELL_SETS).replace(".", r"\."),
            integrate="|".join(INTEGRATIONS),
        conda:
            "../../envs/mice.yaml"
        threads: 1
        resources:
            mem_mb=1500,
        params:
            sheet=SHEET[["mouse", "tissue"]].to_dict("index"),
        script:
            "../scripts/retest_mice.py"

    rule collect_multiverse:
        """Set every headline beside what it would have been under the other choices, and count where it holds."""
        input:
            estimates=expand(
                f"{STEPS}/retest_mice/{UNIVERSE}.parquet",
                cells=CELL_SETS,
                integrate=INTEGRATIONS,
            ),
            outcomes=expand(
                f"{STEPS}/retest_mice/{UNIVERSE}.tsv",
                cells=CELL_SETS,
                integrate=INTEGRATIONS,
            ),
            answers=f"{TABLES}/answers.tsv",
            stability=f"{STEPS}/cluster_cells/stability.tsv",
            code=sources("step", "mice.checks.multiverse"),
        output:
            estimates=f"{TABLES}/multiverse/estimates.tsv",
            summary=f"{TABLES}/multiverse/summary.tsv",
            specifications=f"{TABLES}/multiverse/specifications.tsv",
        log:
            f"{LOGS}/collect_multiverse.log",
        benchmark:
            f"{BENCHMARKS}/collect_multiverse.tsv"
        conda:
            "../../envs/mice.yaml"
        threads: 1
        resources:
            mem_mb=500,
        params:
            settings={key: config[key] for key in ("quality", "embed")},
            confidence=config["design"]["confidence"],
        script:
            "../scripts/collect_multiverse.py"

    rule draw_multiverse:
        """Draw the specification curve of every headline."""
        input:
            estimates=f"{TABLES}/multiverse/estimates.tsv",
            summary=f"{TABLES}/multiverse/summary.tsv",
            specifications=f"{TABLES}/multiverse/specifications.tsv",
            mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
            design=f"{STEPS}/check_design/design.json",
            code=sources("step", "plots.specification_curve"),
        output:
            specification_curve_png=report(
                f"{FIGURES}/specification_curve.png",
                caption="../report/specification_curve.rst",
                category="Answers",
            ),
            specification_curve_pdf=f"{FIGURES}/specification_curve.pdf",
        log:
            f"{LOGS}/draw_multiverse.log",
        benchmark:
            f"{BENCHMARKS}/draw_multiverse.tsv"
        conda:
            "../../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=1000,
        script:
            "../scripts/draw_multiverse.py"
