# Contract: needs the kept cells of the whole study with raw counts (merge_samples) and, for the atlas, the labels of all
# cells (label_cells); gives the embedding, the clusters, the lineage of every cell with its evidence, and atlas.h5ad.
OWN_LABELS = (
    f"{STEPS}/read_labels/labels.parquet" if config["annotate"]["labels"] else []
)


rule embed_cells:
    """Find each cell's neighbours: variable genes, principal components, batches brought together."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        code=sources("step", "cells.embedding.embed"),
    output:
        pca=f"{STEPS}/embed_cells/pca.parquet",
        genes=f"{STEPS}/embed_cells/genes.parquet",
        connectivities=f"{STEPS}/embed_cells/connectivities.npz",
        distances=f"{STEPS}/embed_cells/distances.npz",
        integration=f"{STEPS}/embed_cells/integration.tsv",
        groups=f"{STEPS}/embed_cells/groups.tsv",
    log:
        f"{LOGS}/embed_cells.log",
    benchmark:
        f"{BENCHMARKS}/embed_cells.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        settings=config["embed"],
        seed=config["seed"],
    script:
        "../scripts/embed_cells.py"


rule lay_out_cells:
    """Place the cells on a map (UMAP), for the eye only."""
    input:
        pca=f"{STEPS}/embed_cells/pca.parquet",
        connectivities=f"{STEPS}/embed_cells/connectivities.npz",
        code=sources("step", "cells.embedding.layout"),
    output:
        umap=f"{STEPS}/lay_out_cells/umap.parquet",
    log:
        f"{LOGS}/lay_out_cells.log",
    benchmark:
        f"{BENCHMARKS}/lay_out_cells.tsv"
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=700,
    params:
        seed=config["seed"],
    script:
        "../scripts/lay_out_cells.py"


rule cluster_cells:
    """Group the cells at several resolutions and choose one that holds when cells are left out."""
    input:
        pca=f"{STEPS}/embed_cells/pca.parquet",
        connectivities=f"{STEPS}/embed_cells/connectivities.npz",
        code=sources("step", "cells.clusters.cluster"),
    output:
        clusters=f"{STEPS}/cluster_cells/clusters.parquet",
        stability=f"{STEPS}/cluster_cells/stability.tsv",
        cluster_stability=f"{STEPS}/cluster_cells/cluster_stability.tsv",
    log:
        f"{LOGS}/cluster_cells.log",
    benchmark:
        f"{BENCHMARKS}/cluster_cells.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        settings=config["cluster"],
        seed=config["seed"],
    script:
        "../scripts/cluster_cells.py"


if config["annotate"]["labels"]:

    rule read_labels:
        """Read what the study's owner calls the cells."""
        input:
            samples=[file for sample in SAMPLES for file in input_files(sample)],
            table=config["annotate"]["labels"]["table"] or [],
            code=sources("step", "inputs.labels"),
        output:
            labels=f"{STEPS}/read_labels/labels.parquet",
        log:
            f"{LOGS}/read_labels.log",
        benchmark:
            f"{BENCHMARKS}/read_labels.tsv"
        conda:
            "../../envs/inputs.yaml"
        threads: 1
        resources:
            mem_mb=500,
        params:
            settings=config["annotate"]["labels"],
            paths=SHEET["path"].to_dict(),
        script:
            "../scripts/read_labels.py"


rule annotate_cells:
    """Name the lineage of every cluster and cell by its marker genes, and keep the evidence and other opinions."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        clusters=f"{STEPS}/cluster_cells/clusters.parquet",
        connectivities=f"{STEPS}/embed_cells/connectivities.npz",
        markers=config["annotate"]["markers"],
        labels=OWN_LABELS,
        reference=(config["annotate"]["reference"] or {}).get("path", []),
        code=sources("step", "cells.lineages.precedence", "inputs.references"),
    output:
        lineages=f"{STEPS}/annotate_cells/lineages.parquet",
        evidence=f"{STEPS}/annotate_cells/evidence.tsv",
        coverage=f"{STEPS}/annotate_cells/coverage.tsv",
        opinions=f"{STEPS}/annotate_cells/opinions.tsv",
    log:
        f"{LOGS}/annotate_cells.log",
    benchmark:
        f"{BENCHMARKS}/annotate_cells.tsv"
    priority: 10
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        settings={key: config["annotate"][key] for key in ("min_margin", "min_score")},
        reference=config["annotate"]["reference"],
        seed=config["seed"],
    script:
        "../scripts/annotate_cells.py"


rule check_cells:
    """Score stress and cell cycle, read each sample's sex, and flag clusters that look damaged or doubled."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        lineages=f"{STEPS}/annotate_cells/lineages.parquet",
        evidence=f"{STEPS}/annotate_cells/evidence.tsv",
        signatures="resources/signatures.yaml",
        bins="resources/expression_bins.tsv",
        code=sources("step", "cells.checks.check"),
    output:
        programmes=f"{STEPS}/check_cells/programmes.parquet",
        profiles=f"{STEPS}/check_cells/profiles.tsv",
        suspects=f"{STEPS}/check_cells/suspects.tsv",
        notices=f"{STEPS}/check_cells/notices.tsv",
    log:
        f"{LOGS}/check_cells.log",
    benchmark:
        f"{BENCHMARKS}/check_cells.tsv"
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        sheet=SHEET[[c for c in ("mouse", "sex", "pool_size") if c in SHEET]].to_dict(
            "index"
        ),
    script:
        "../scripts/check_cells.py"


rule assemble_atlas:
    """Put counts, labels and coordinates into one file that scanpy and others open."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        labels=f"{STEPS}/label_cells/labels.parquet",
        clusters=f"{STEPS}/cluster_cells/clusters.parquet",
        pca=f"{STEPS}/embed_cells/pca.parquet",
        genes=f"{STEPS}/embed_cells/genes.parquet",
        connectivities=f"{STEPS}/embed_cells/connectivities.npz",
        distances=f"{STEPS}/embed_cells/distances.npz",
        umap=f"{STEPS}/lay_out_cells/umap.parquet",
        programmes=f"{STEPS}/check_cells/programmes.parquet",
        code=sources("step", "cells.atlas"),
    output:
        atlas=f"{STAGED}/atlas.h5ad",
    log:
        f"{LOGS}/assemble_atlas.log",
    benchmark:
        f"{BENCHMARKS}/assemble_atlas.tsv"
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1200,
    params:
        about={
            "study": config["study"],
            "species": config["species"],
            "n_neighbors": config["embed"]["n_neighbors"],
        },
    script:
        "../scripts/assemble_atlas.py"
