# Contract: needs the kept cells with raw counts (merge_samples), the study's embedding (embed_cells) and the lineage of
# every cell (annotate_cells); gives the T cells' own embedding and map, their scores, their states, and the labels of
# all cells (label_cells). Where the config asks for them, macrophages get states by the same machinery (call_macrophages).


rule embed_tcells:
    """Find each T cell's neighbours among the T cells alone."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        lineages=f"{STEPS}/annotate_cells/lineages.parquet",
        pca=f"{STEPS}/embed_cells/pca.parquet",
        connectivities=f"{STEPS}/embed_cells/connectivities.npz",
        signatures="resources/signatures.yaml",
        definitions=config["tcells"]["states"],
        code=sources("step", "tcells.embed"),
    output:
        pca=f"{STEPS}/embed_tcells/pca.parquet",
        connectivities=f"{STEPS}/embed_tcells/connectivities.npz",
        integration=f"{STEPS}/embed_tcells/integration.tsv",
        groups=f"{STEPS}/embed_tcells/groups.tsv",
    log:
        f"{LOGS}/embed_tcells.log",
    benchmark:
        f"{BENCHMARKS}/embed_tcells.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        settings={
            key: config["tcells"][key]
            for key in ("lineages", "min_cells", "n_top_genes", "n_pcs")
        }
        | {
            key: config["embed"][key]
            for key in ("n_neighbors", "integrate", "batch_key")
        },
        seed=config["seed"],
    script:
        "../scripts/embed_tcells.py"


rule lay_out_tcells:
    """Place the T cells on a map of their own (UMAP), for the eye only."""
    input:
        pca=f"{STEPS}/embed_tcells/pca.parquet",
        connectivities=f"{STEPS}/embed_tcells/connectivities.npz",
        code=sources("step", "tcells.embed"),
    output:
        umap=f"{STEPS}/lay_out_tcells/umap.parquet",
    log:
        f"{LOGS}/lay_out_tcells.log",
    benchmark:
        f"{BENCHMARKS}/lay_out_tcells.tsv"
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        seed=config["seed"],
    script:
        "../scripts/lay_out_tcells.py"


rule score_tcells:
    """Score every T cell on gene sets, against frozen matched controls and by UCell."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        lineages=f"{STEPS}/annotate_cells/lineages.parquet",
        signatures="resources/signatures.yaml",
        states=config["tcells"]["states"],
        bins="resources/expression_bins.tsv",
        code=sources("step", "tcells.scores"),
    output:
        scores=f"{STEPS}/score_tcells/scores.parquet",
        coverage=f"{STEPS}/score_tcells/coverage.tsv",
    log:
        f"{LOGS}/score_tcells.log",
    benchmark:
        f"{BENCHMARKS}/score_tcells.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        settings={key: config["tcells"][key] for key in ("lineages", "n_control_sets")},
    script:
        "../scripts/score_tcells.py"


rule call_states:
    """Name the state of every T cell that shows one, and leave the others unassigned."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        lineages=f"{STEPS}/annotate_cells/lineages.parquet",
        scores=f"{STEPS}/score_tcells/scores.parquet",
        connectivities=f"{STEPS}/embed_tcells/connectivities.npz",
        signatures="resources/signatures.yaml",
        definitions=config["tcells"]["states"],
        bins="resources/expression_bins.tsv",
        code=sources("step", "tcells.calls"),
    output:
        states=f"{STEPS}/call_states/states.parquet",
        summary=f"{STEPS}/call_states/summary.tsv",
    log:
        f"{LOGS}/call_states.log",
    benchmark:
        f"{BENCHMARKS}/call_states.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        settings={
            key: config["tcells"][key]
            for key in ("lineages", "n_control_sets", "min_z")
        },
    script:
        "../scripts/call_states.py"


if MACROPHAGES:

    rule call_macrophages:
        """Score macrophages and name their states, on the study's own neighbour graph."""
        input:
            counts=f"{STEPS}/merge_samples/counts.h5ad",
            lineages=f"{STEPS}/annotate_cells/lineages.parquet",
            connectivities=f"{STEPS}/embed_cells/connectivities.npz",
            signatures="resources/signatures.yaml",
            definitions=MACROPHAGES,
            bins="resources/expression_bins.tsv",
            code=sources("step", "tcells.calls"),
        output:
            states=f"{STEPS}/call_macrophages/states.parquet",
            summary=f"{STEPS}/call_macrophages/summary.tsv",
            scores=f"{STEPS}/call_macrophages/scores.parquet",
            coverage=f"{STEPS}/call_macrophages/coverage.tsv",
        log:
            f"{LOGS}/call_macrophages.log",
        benchmark:
            f"{BENCHMARKS}/call_macrophages.tsv"
        priority: 10
        conda:
            "../../envs/cells.yaml"
        threads: 1
        resources:
            mem_mb=1500,
        params:
            settings={
                key: config["macrophages"][key]
                for key in ("lineages", "n_control_sets", "min_z")
            },
        script:
            "../scripts/call_macrophages.py"


rule label_cells:
    """Give every kept cell its cluster, its lineage and its state."""
    input:
        lineages=f"{STEPS}/annotate_cells/lineages.parquet",
        states=f"{STEPS}/call_states/states.parquet",
        macrophages=(f"{STEPS}/call_macrophages/states.parquet" if MACROPHAGES else []),
        code=sources("step", "tcells.labels"),
    output:
        labels=f"{STEPS}/label_cells/labels.parquet",
    log:
        f"{LOGS}/label_cells.log",
    benchmark:
        f"{BENCHMARKS}/label_cells.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=500,
    script:
        "../scripts/label_cells.py"
