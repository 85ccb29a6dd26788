"""The profile of a cluster knows every rule: what a job may take grows with its input and with every try."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_args

ROOT = Path(__file__).resolve().parents[2]
# On the machine of Snakemake itself: the last renames, and what only gathers.
LOCAL = {"publish_results", "all"}


def declared() -> dict[str, int]:
    """Rule -> memory in MB that it asks for by itself."""
    found = {}
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"^ *rule ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            found[block.split(":")[0]] = int(re.search(r"mem_mb=(\d+)", block)[1])  # type: ignore[index]
    return found


@pytest.fixture(scope="module")
def profile() -> dict:
    """As Snakemake's own parser reads it."""
    return vars(parse_args(["--profile", str(ROOT / "profiles" / "slurm")])[1])


class Input:
    """What Snakemake gives an expression for the input."""

    def __init__(self, size_mb: float) -> None:
        self.size_mb = size_mb


def memory(expression: str, size_mb: float, attempt: int) -> float:
    return float(eval(expression, {"input": Input(size_mb), "attempt": attempt, "max": max}))  # noqa: S307 - our own file


def asked(profile: dict) -> dict[str, str]:
    """Rule -> expression; the rules as Snakemake has found them there."""
    content = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    expressions = {rule: one["mem_mb"] for rule, one in content["set-resources"].items()}
    assert set(profile["set_resources"]) == set(expressions)
    return expressions


def test_every_rule_that_is_sent_to_the_cluster_has_memory_that_grows(profile: dict) -> None:
    rules = declared()
    expressions = asked(profile)
    assert set(expressions) == set(rules) - LOCAL
    for rule, expression in expressions.items():
        assert memory(expression, 1, 1) >= rules[rule], f"{rule} gets less than it asks for"
        assert memory(expression, 1, 1) >= 500, f"{rule}: the Snakemake in a job takes 220 MB by itself"
        assert memory(expression, 2000, 1) >= 4 * 2000, rule
        assert memory(expression, 2000, 2) == 2 * memory(expression, 2000, 1), rule


def test_local_rules_are_those_that_the_workflow_names() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    named = re.findall(r"^localrules:\n((?:    \w+,?\n)+)", text, flags=re.M)
    assert {name for block in named for name in re.findall(r"\w+", block)} == LOCAL - {"all"}


def test_a_killed_job_is_tried_again_and_jobs_are_bounded(profile: dict) -> None:
    assert profile["executor"] == "slurm"
    assert int(profile["retries"]) == 2
    assert int(profile["jobs"]) == 50
    assert profile["rerun_incomplete"] is True
    assert profile["keep_going"] is True
