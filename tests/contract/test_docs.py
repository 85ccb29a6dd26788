"""Generated pages are not stale, links lead somewhere, and nothing names a machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from make_docs import pages

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_page_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == pages()[name], f"run `make docs`: {name} is stale"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_editors_are_told_of_the_schema_and_it_says_what_the_gate_says() -> None:
    config = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
    assert config.startswith("# yaml-language-server: $schema=schema.json\n")
    schema = json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))
    judge = jsonschema.Draft202012Validator(schema)
    content = yaml.safe_load(config)
    assert list(judge.iter_errors(content)) == []
    content["quality"]["min_gene"] = 3
    content["design"]["questions"][0]["level"] = "../x"
    said = sorted(error.json_path for error in judge.iter_errors(content))
    assert said == ["$.design.questions[0]", "$.quality"]
