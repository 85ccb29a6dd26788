"""A changed config value or an edited module re-runs what depends on it, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.conftest import rules_to_run

pytestmark = pytest.mark.workflow

UPSTREAM = {"simulate_demo", "read_sample", "assess_quality", "merge_samples"}
CELLS = {"embed_cells", "lay_out_cells", "cluster_cells", "annotate_cells"}
TCELLS = {"embed_tcells", "lay_out_tcells", "score_tcells", "call_states", "label_cells"}


@pytest.fixture(scope="module")
def run(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished demo, to be edited by one test at a time."""
    return Path(shutil.copytree(demo, tmp_path_factory.mktemp("rerun") / "livermet", copy_function=shutil.copy2))


def with_edit(folder: Path, name: str, old: str, new: str) -> dict[str, int]:
    """What would re-run after an edit, which is taken back."""
    path = folder / name
    before, stat = path.read_text(), path.stat()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    try:
        return rules_to_run(folder)
    finally:
        path.write_text(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_nothing_changed_nothing_runs(run: Path) -> None:
    assert rules_to_run(run) == {}


def test_a_quality_threshold_spares_reading(run: Path) -> None:
    jobs = with_edit(run, "config/config.yaml", "min_genes: 200", "min_genes: 250")
    assert jobs["assess_quality"] == 24
    assert "read_sample" not in jobs
    assert "simulate_demo" not in jobs
    assert {"merge_samples", "embed_cells", "test_expression", "write_report"} <= set(jobs)


def test_a_resolution_spares_the_embedding(run: Path) -> None:
    jobs = with_edit(run, "config/config.yaml", "resolutions: [0.5, 1.0, 1.5, 2.0]", "resolutions: [0.5, 1.0, 1.5]")
    assert "cluster_cells" in jobs
    assert not set(jobs) & (UPSTREAM | {"embed_cells", "lay_out_cells"})


def test_a_call_threshold_spares_the_scores(run: Path) -> None:
    jobs = with_edit(run, "config/config.yaml", "min_z: 1.64", "min_z: 1.8")
    assert "call_states" in jobs
    assert not set(jobs) & (UPSTREAM | CELLS | {"embed_tcells", "lay_out_tcells"})


def test_a_question_of_the_mice_spares_the_cells(run: Path) -> None:
    jobs = with_edit(run, "config/config.yaml", "effect_of_interest: 1.0", "effect_of_interest: 1.5")
    assert "test_expression" in jobs
    assert not set(jobs) & (UPSTREAM | CELLS | TCELLS)


def test_a_title_touches_the_report_alone(run: Path) -> None:
    jobs = with_edit(run, "config/config.yaml", "in 24 simulated mice", "in 24 mice that were simulated")
    assert "write_report" in jobs
    assert set(jobs) <= {"write_report", "write_methods", "record_provenance", "publish_results", "all"}


@pytest.mark.parametrize(
    ("module", "runs", "spares"),
    [
        ("cells/clusters/cluster.py", {"cluster_cells", "annotate_cells"}, UPSTREAM | {"embed_cells", "lay_out_cells"}),
        ("mice/endpoints/rescue.py", {"test_rescue"}, UPSTREAM | CELLS | TCELLS | {"sum_pseudobulk", "test_pathways"}),
        ("report/page.py", {"write_report"}, UPSTREAM | CELLS | TCELLS | {"test_expression", "draw_cells"}),
        ("inputs/readers.py", {"read_sample"}, {"simulate_demo"}),
    ],
)
def test_an_edited_module_reruns_the_rules_that_use_it(
    run: Path, module: str, runs: set[str], spares: set[str]
) -> None:
    path = run / "workflow" / "scripts" / "livermet" / module
    first = path.read_text().split("\n", 1)[0]
    jobs = with_edit(run, f"workflow/scripts/livermet/{module}", first, first + "\n# edited")
    assert runs <= set(jobs)
    assert not set(jobs) & spares
