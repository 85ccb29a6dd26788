# Contract: needs the tables of all rooms (steps/*, tables/answers.tsv) and, in the demo, the comparison with the truth;
# gives every figure (png and pdf), methods.md, provenance/ and report.html. Only measure_markers looks at counts: figures
# and report are drawn from tables, so that restyling them computes nothing anew.
SAMPLE_FIGURES = ["design", "quality", "samples"]
CELL_FIGURES = ["umap", "umap_arms", "markers", "stability"]
TCELL_FIGURES = ["umap_tcells", "states"]
MOUSE_FIGURES = ["composition", "totals", "mechanism", "pathways"]
ANSWER_FIGURES = [
    "answers",
    "robustness",
    "gene_counts",
    "volcanoes",
    "rescue",
    "pseudoreplication",
]
TRUTH_FIGURES = ["truth"] if config["demo"]["simulate"] else []
FIGURE_NAMES = (
    SAMPLE_FIGURES
    + CELL_FIGURES
    + TCELL_FIGURES
    + MOUSE_FIGURES
    + ANSWER_FIGURES
    + MULTIVERSE_FIGURES
    + TRUTH_FIGURES
)
FIGURE_FILES = expand(
    f"{FIGURES}/{{name}}.{{ending}}", name=FIGURE_NAMES, ending=["png", "pdf"]
)
TEMPLATES = expand(
    "workflow/scripts/livermet/report/templates/{file}",
    file=["page.html.j2", "macros.html.j2", "page.css", "page.js", "methods.md.j2"],
)
DESIGN = f"{STEPS}/check_design/design.json"


rule measure_markers:
    """Measure the marker genes in every lineage, for the marker figure."""
    input:
        counts=f"{STEPS}/merge_samples/counts.h5ad",
        labels=f"{STEPS}/label_cells/labels.parquet",
        markers=config["annotate"]["markers"],
        code=sources("step", "plots.marker_levels"),
    output:
        markers=f"{STEPS}/measure_markers/markers.tsv",
    log:
        f"{LOGS}/measure_markers.log",
    benchmark:
        f"{BENCHMARKS}/measure_markers.tsv"
    conda:
        "../../envs/cells.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    script:
        "../scripts/measure_markers.py"


rule draw_quality:
    """Draw the study's mice and the quality of its samples."""
    input:
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        design=DESIGN,
        code=sources("step", "plots.quality_figures"),
    output:
        design_png=report(
            f"{FIGURES}/design.png",
            caption="../report/design.rst",
            category="Samples",
        ),
        design_pdf=f"{FIGURES}/design.pdf",
        quality_png=report(
            f"{FIGURES}/quality.png",
            caption="../report/quality.rst",
            category="Samples",
        ),
        quality_pdf=f"{FIGURES}/quality.pdf",
        samples_png=report(
            f"{FIGURES}/samples.png",
            caption="../report/samples.rst",
            category="Samples",
        ),
        samples_pdf=f"{FIGURES}/samples.pdf",
    log:
        f"{LOGS}/draw_quality.log",
    benchmark:
        f"{BENCHMARKS}/draw_quality.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=900,
    params:
        limits=config["quality"],
    script:
        "../scripts/draw_quality.py"


rule draw_cells:
    """Draw all kept cells, their lineages and their clusters."""
    input:
        layout=f"{STEPS}/lay_out_cells/umap.parquet",
        labels=f"{STEPS}/label_cells/labels.parquet",
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        clusters=f"{STEPS}/cluster_cells/clusters.parquet",
        stability=f"{STEPS}/cluster_cells/stability.tsv",
        cluster_stability=f"{STEPS}/cluster_cells/cluster_stability.tsv",
        markers=f"{STEPS}/measure_markers/markers.tsv",
        design=DESIGN,
        code=sources("step", "plots.cell_figures"),
    output:
        umap_png=report(
            f"{FIGURES}/umap.png", caption="../report/umap.rst", category="Cells"
        ),
        umap_pdf=f"{FIGURES}/umap.pdf",
        umap_arms_png=report(
            f"{FIGURES}/umap_arms.png",
            caption="../report/umap_arms.rst",
            category="Cells",
        ),
        umap_arms_pdf=f"{FIGURES}/umap_arms.pdf",
        markers_png=report(
            f"{FIGURES}/markers.png",
            caption="../report/markers.rst",
            category="Cells",
        ),
        markers_pdf=f"{FIGURES}/markers.pdf",
        stability_png=report(
            f"{FIGURES}/stability.png",
            caption="../report/stability.rst",
            category="Cells",
        ),
        stability_pdf=f"{FIGURES}/stability.pdf",
    log:
        f"{LOGS}/draw_cells.log",
    benchmark:
        f"{BENCHMARKS}/draw_cells.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=700,
    script:
        "../scripts/draw_cells.py"


rule draw_tcells:
    """Draw the T cells and what their states were called from."""
    input:
        layout=f"{STEPS}/lay_out_tcells/umap.parquet",
        states=f"{STEPS}/call_states/states.parquet",
        scores=f"{STEPS}/score_tcells/scores.parquet",
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        code=sources("step", "plots.tcell_figures"),
    output:
        umap_tcells_png=report(
            f"{FIGURES}/umap_tcells.png",
            caption="../report/umap_tcells.rst",
            category="T cells",
        ),
        umap_tcells_pdf=f"{FIGURES}/umap_tcells.pdf",
        states_png=report(
            f"{FIGURES}/states.png",
            caption="../report/states.rst",
            category="T cells",
        ),
        states_pdf=f"{FIGURES}/states.pdf",
    log:
        f"{LOGS}/draw_tcells.log",
    benchmark:
        f"{BENCHMARKS}/draw_tcells.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=700,
    script:
        "../scripts/draw_tcells.py"


rule draw_mice:
    """Draw the mice behind the answers."""
    input:
        pathways=f"{STEPS}/test_pathways/pathways.parquet",
        proportions=f"{STEPS}/test_composition/proportions.tsv",
        readouts=f"{STEPS}/test_mechanism/readouts.tsv",
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        composition=f"{STEPS}/test_composition/composition.parquet",
        design=DESIGN,
        code=sources("step", "plots.mouse_figures"),
    output:
        **{
            f"{name}_png": report(
                f"{FIGURES}/{name}.png",
                caption=f"../report/{name}.rst",
                category="Mice",
            )
            for name in MOUSE_FIGURES
        },
        **{f"{name}_pdf": f"{FIGURES}/{name}.pdf" for name in MOUSE_FIGURES},
    log:
        f"{LOGS}/draw_mice.log",
    benchmark:
        f"{BENCHMARKS}/draw_mice.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    script:
        "../scripts/draw_mice.py"


rule draw_answers:
    """Draw the answers and the genes that changed."""
    input:
        answers=f"{TABLES}/answers.tsv",
        expression=f"{STEPS}/test_expression/expression.parquet",
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        calls=f"{STEPS}/compare_cell_tests/calls.tsv",
        left_out=f"{STEPS}/test_robustness/left_out.tsv",
        design=DESIGN,
        code=sources("step", "plots.mouse_figures"),
    output:
        **{
            f"{name}_png": report(
                f"{FIGURES}/{name}.png",
                caption=f"../report/{name}.rst",
                category="Answers",
            )
            for name in ANSWER_FIGURES
        },
        **{f"{name}_pdf": f"{FIGURES}/{name}.pdf" for name in ANSWER_FIGURES},
    log:
        f"{LOGS}/draw_answers.log",
    benchmark:
        f"{BENCHMARKS}/draw_answers.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    script:
        "../scripts/draw_answers.py"


if config["demo"]["simulate"]:

    rule draw_truth:
        """Draw what was planted in the demo against what was found."""
        input:
            truth=f"{STEPS}/check_truth/truth.tsv",
            code=sources("step", "plots.truth"),
        output:
            truth_png=report(
                f"{FIGURES}/truth.png",
                caption="../report/truth.rst",
                category="Truth of the demo",
            ),
            truth_pdf=f"{FIGURES}/truth.pdf",
        log:
            f"{LOGS}/draw_truth.log",
        benchmark:
            f"{BENCHMARKS}/draw_truth.tsv"
        conda:
            "../../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=500,
        script:
            "../scripts/draw_truth.py"


rule record_provenance:
    """Record the resolved config, the versions in use and the checksums of the input."""
    input:
        files=[file for s in SAMPLES for file in (*input_files(s), *raw_files(s))],
        code=sources("step", "report.versions"),
    output:
        config=f"{PROVENANCE}/config.yaml",
        versions=f"{PROVENANCE}/versions.json",
        inputs=f"{PROVENANCE}/inputs.tsv",
    log:
        f"{LOGS}/record_provenance.log",
    benchmark:
        f"{BENCHMARKS}/record_provenance.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        config=dict(config),
        files={s: [*input_files(s), *raw_files(s)] for s in SAMPLES},
    script:
        "../scripts/record_provenance.py"


rule write_methods:
    """Write the methods of this run, with its numbers and its citations."""
    input:
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        stability=f"{STEPS}/cluster_cells/stability.tsv",
        integration=f"{STEPS}/embed_cells/integration.tsv",
        states=f"{STEPS}/call_states/states.parquet",
        design=DESIGN,
        versions=f"{PROVENANCE}/versions.json",
        templates=TEMPLATES[-1],
        code=sources("step", "report.methods", "report.rendering"),
    output:
        methods=f"{STAGED}/methods.md",
        outline=f"{STEPS}/write_methods/methods.json",
    log:
        f"{LOGS}/write_methods.log",
    benchmark:
        f"{BENCHMARKS}/write_methods.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        config=dict(config),
    script:
        "../scripts/write_methods.py"


rule write_report:
    """Write the report: one page, the answers first."""
    input:
        answers=f"{TABLES}/answers.tsv",
        notices=f"{TABLES}/notices.tsv",
        profiles=f"{STEPS}/check_cells/profiles.tsv",
        suspects=f"{STEPS}/check_cells/suspects.tsv",
        expression=f"{STEPS}/test_expression/expression.parquet",
        pathways=f"{STEPS}/test_pathways/pathways.parquet",
        composition=f"{STEPS}/test_composition/composition.parquet",
        mechanism=f"{STEPS}/test_mechanism/mechanism.parquet",
        barcodes=f"{STEPS}/merge_samples/barcodes.parquet",
        samples=f"{STEPS}/merge_samples/samples.tsv",
        labels=f"{STEPS}/label_cells/labels.parquet",
        evidence=f"{STEPS}/annotate_cells/evidence.tsv",
        opinions=f"{STEPS}/annotate_cells/opinions.tsv",
        marker_coverage=f"{STEPS}/annotate_cells/coverage.tsv",
        stability=f"{STEPS}/cluster_cells/stability.tsv",
        cluster_stability=f"{STEPS}/cluster_cells/cluster_stability.tsv",
        integration=f"{STEPS}/embed_cells/integration.tsv",
        groups=f"{STEPS}/embed_cells/groups.tsv",
        tcell_integration=f"{STEPS}/embed_tcells/integration.tsv",
        tcell_groups=f"{STEPS}/embed_tcells/groups.tsv",
        coverage=f"{STEPS}/score_tcells/coverage.tsv",
        inputs=f"{PROVENANCE}/inputs.tsv",
        versions=f"{PROVENANCE}/versions.json",
        methods=f"{STEPS}/write_methods/methods.json",
        design=DESIGN,
        findings=f"{STEPS}/check_design/findings.json",
        tests=f"{STEPS}/test_expression/samples.tsv",
        calls=f"{STEPS}/compare_cell_tests/calls.tsv",
        label_permutations=f"{STEPS}/test_robustness/label_permutations.tsv",
        truth=f"{STEPS}/check_truth/truth.tsv" if config["demo"]["simulate"] else [],
        figures=expand(f"{FIGURES}/{{name}}.png", name=FIGURE_NAMES),
        captions=expand("workflow/report/{name}.rst", name=FIGURE_NAMES),
        templates=TEMPLATES,
        code=sources("step", "report.page", "report.sources"),
    output:
        report=f"{STAGED}/report.html",
    log:
        f"{LOGS}/write_report.log",
    benchmark:
        f"{BENCHMARKS}/write_report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=700,
    params:
        config=dict(config),
    script:
        "../scripts/write_report.py"
