# Contract: needs the sample sheet and the input files that it names (raw matrices where it names any); gives each
# sample's canonical counts and quality table, and the kept cells of the study in one matrix of raw counts, written once.

# What the verdict on a barcode depends on: the other keys of the section belong to other rules.
QUALITY = {
    key: value
    for key, value in config["quality"].items()
    if key not in ("ambient", "call_cells", "counts", "hashtags")
}


rule read_sample:
    """Read one sample, whatever its format, into canonical raw counts, and add up its empty droplets."""
    input:
        matrix=lambda wildcards: input_files(wildcards.sample),
        raw=lambda wildcards: raw_files(wildcards.sample),
        code=sources("step", "inputs.libraries"),
    output:
        counts=f"{STEPS}/read_sample/{{sample}}.h5ad",
        empty=f"{STEPS}/read_sample/{{sample}}.empty.parquet",
        notices=f"{STEPS}/read_sample/{{sample}}.notices.tsv",
    log:
        f"{LOGS}/read_sample/{{sample}}.log",
    benchmark:
        f"{BENCHMARKS}/read_sample/{{sample}}.tsv"
    conda:
        "../../envs/inputs.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        path=lambda wildcards: SHEET.loc[wildcards.sample, "path"],
        raw_path=lambda wildcards: SHEET.loc[wildcards.sample, "raw_path"],
        species=config["species"],
        call_cells=config["quality"]["call_cells"],
        counts=config["quality"]["counts"],
        hashtags=config["quality"]["hashtags"],
        pool=lambda wildcards: study.pool(SHEET, wildcards.sample),
        seed=config["seed"],
    script:
        "../scripts/read_sample.py"


rule assess_quality:
    """Measure every barcode of a sample and say which are kept, and why not."""
    input:
        counts=f"{STEPS}/read_sample/{{sample}}.h5ad",
        empty=f"{STEPS}/read_sample/{{sample}}.empty.parquet",
        code=sources("step", "cells.barcodes.quality"),
    output:
        quality=f"{STEPS}/assess_quality/{{sample}}.parquet",
        soup=f"{STEPS}/assess_quality/{{sample}}.soup.parquet",
    log:
        f"{LOGS}/assess_quality/{{sample}}.log",
    benchmark:
        f"{BENCHMARKS}/assess_quality/{{sample}}.tsv"
    conda:
        "../../envs/inputs.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        settings=QUALITY,
        seed=config["seed"],
    script:
        "../scripts/assess_quality.py"


if config["quality"]["ambient"] == "correct":
    COUNTS = f"{STEPS}/correct_ambient/{{sample}}.h5ad"

    rule correct_ambient:
        """Take from one sample the ambient counts that are expected in it, and keep the counts as they were beside."""
        input:
            counts=f"{STEPS}/read_sample/{{sample}}.h5ad",
            quality=f"{STEPS}/assess_quality/{{sample}}.parquet",
            soup=f"{STEPS}/assess_quality/{{sample}}.soup.parquet",
            code=sources("step", "cells.barcodes.correct"),
        output:
            counts=f"{STEPS}/correct_ambient/{{sample}}.h5ad",
        log:
            f"{LOGS}/correct_ambient/{{sample}}.log",
        benchmark:
            f"{BENCHMARKS}/correct_ambient/{{sample}}.tsv"
        conda:
            "../../envs/inputs.yaml"
        threads: 1
        resources:
            mem_mb=1000,
        params:
            seed=config["seed"],
        script:
            "../scripts/correct_ambient.py"

else:
    COUNTS = f"{STEPS}/read_sample/{{sample}}.h5ad"


rule merge_samples:
    """Put the kept cells of all samples into one matrix, and say what became of every barcode."""
    input:
        counts=expand(COUNTS, sample=SAMPLES),
        quality=expand(f"{STEPS}/assess_quality/{{sample}}.parquet", sample=SAMPLES),
        soup=expand(f"{STEPS}/assess_quality/{{sample}}.soup.parquet", sample=SAMPLES),
        code=sources("step", "cells.merge"),
    output:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        soup=f"{STEPS}/merge_samples/soup.parquet",
        notices=f"{STEPS}/merge_samples/notices.tsv",
    log:
        f"{LOGS}/merge_samples.log",
    benchmark:
        f"{BENCHMARKS}/merge_samples.tsv"
    conda:
        "../../envs/inputs.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        sheet=SHEET.to_dict("index"),
    script:
        "../scripts/merge_samples.py"
