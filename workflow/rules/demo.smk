# Contract: needs the sheet and, to be run, `demo: simulate: true`; gives the very input files that the sheet names, and
# what was planted in them (truth/*.parquet), which check_truth alone reads.
TRUTH = f"{RESULTS}/truth"


if config["demo"]["simulate"]:

    rule simulate_demo:
        """Simulate the mice of the demo: the counts that the sheet names, and the truth behind them."""
        input:
            genes="resources/demo_genes.tsv.gz",
            code=sources("step", "demo.cohort"),
        output:
            counts=[file for s in SAMPLES for file in (*input_files(s), *raw_files(s))],
            cells=f"{TRUTH}/cells.parquet",
            genes=f"{TRUTH}/genes.parquet",
            abundance=f"{TRUTH}/abundance.parquet",
            rescue=f"{TRUTH}/rescue.parquet",
            samples=f"{TRUTH}/samples.parquet",
        log:
            f"{LOGS}/simulate_demo.log",
        benchmark:
            f"{BENCHMARKS}/simulate_demo.tsv"
        conda:
            "../../envs/inputs.yaml"
        threads: 4
        resources:
            mem_mb=1500,
        params:
            settings={
                "samples": SHEET.reset_index().to_dict("records"),
                "n_genes": config["demo"]["n_genes"],
                "cells_per_mouse": config["demo"]["cells_per_mouse"],
                "n_empty_droplets": config["demo"]["n_empty_droplets"],
                "seed": config["seed"],
            },
        script:
            "../scripts/simulate_demo.py"

    rule check_truth:
        """Set what the demo found beside what was planted in it."""
        input:
            barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
            labels=f"{STEPS}/label_cells/labels.parquet",
            composition=f"{STEPS}/test_composition/composition.parquet",
            rescue=f"{STEPS}/test_rescue/rescue.parquet",
            expression=f"{STEPS}/test_expression/expression.parquet",
            true_cells=f"{TRUTH}/cells.parquet",
            true_genes=f"{TRUTH}/genes.parquet",
            true_abundance=f"{TRUTH}/abundance.parquet",
            true_rescue=f"{TRUTH}/rescue.parquet",
            true_samples=f"{TRUTH}/samples.parquet",
            code=sources("step", "demo.comparison"),
        output:
            truth=f"{STEPS}/check_truth/truth.tsv",
        log:
            f"{LOGS}/check_truth.log",
        benchmark:
            f"{BENCHMARKS}/check_truth.tsv"
        conda:
            "../../envs/cells.yaml"
        threads: 1
        resources:
            mem_mb=1000,
        params:
            design={
                "questions": config["design"]["questions"],
                "factors": config["design"]["factors"],
            },
        script:
            "../scripts/check_truth.py"
