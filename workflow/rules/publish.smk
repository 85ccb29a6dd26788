# Contract: needs everything that people read, complete, below steps/deliverables; puts it where they read it, all together:
# report.html, atlas.h5ad, methods.md, tables/, figures/ and provenance/. A run that fails before leaves the last set as it is.
DELIVERABLES = [
    f"{STAGED}/report.html",
    f"{STAGED}/atlas.h5ad",
    f"{STAGED}/methods.md",
    *expand(
        f"{PROVENANCE}/{{file}}", file=["config.yaml", "versions.json", "inputs.tsv"]
    ),
    *TABLE_FILES,
    *FIGURE_FILES,
]
# What was damaged and no deliverable waits for is made again, too, as long as this config has it.
MADE_AGAIN = [
    name for name in DAMAGED if any(one.is_producer(name) for one in workflow.rules)
]


localrules:
    publish_results,


rule publish_results:
    """Put report, atlas, methods, tables, figures and provenance where people read them, all of them together."""
    input:
        files=DELIVERABLES,
        code=sources("step", "runs.publishing"),
    output:
        published=f"{RESULTS}/{publishing.MARKER}",
    log:
        f"{LOGS}/publish_results.log",
    benchmark:
        f"{BENCHMARKS}/publish_results.tsv"
    conda:
        "../../envs/inputs.yaml"
    threads: 1
    resources:
        mem_mb=200,
    script:
        "../scripts/publish_results.py"
