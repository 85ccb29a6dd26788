from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from livermet.errors import InputError
from livermet.settings import Settings, resolve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def test_demo_config_resolves_to_plain_types_with_defaults(config: dict[str, Any]) -> None:
    del config["cluster"]
    resolved = resolve(config)
    assert resolved["cluster"]["resolutions"] == [0.5, 1.0, 1.5, 2.0]
    assert resolved["design"]["questions"][0]["within"] == {"treatment": "untreated"}
    assert yaml.safe_load(yaml.safe_dump(resolved)) == resolved  # plain: an object would not be tracked
    assert resolve(resolved) == resolved


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("quality", "min_gene", 200, "quality.min_gene: unknown key. Did you mean 'min_genes'?"),
        ("quality", "min_genes", "200", "quality.min_genes: '200' (expected Input should be a valid integer)"),
        ("quality", "max_mitochondrial_fraction", 20, "quality.max_mitochondrial_fraction: 20"),
        (
            "embed",
            "integrate",
            "combat",
            "embed.integrate: 'combat' (expected Input should be 'harmony', 'none', 'scanorama' or 'scvi')",
        ),
        ("design", "replicate", "cell", "design.replicate: 'cell'"),
    ],
)
def test_a_wrong_key_or_value_is_named(
    config: dict[str, Any], section: str, key: str, value: object, words: str
) -> None:
    config[section][key] = value
    with pytest.raises(InputError) as error:
        resolve(config)
    assert words in str(error.value)


def test_every_problem_is_said_at_once(config: dict[str, Any]) -> None:
    config["qualty"] = {}
    del config["samples"]
    config["design"]["questions"][0]["levl"] = "x"
    with pytest.raises(InputError) as error:
        resolve(config)
    found = sorted(problem.where for problem in error.value.problems)
    assert found == ["config design.questions.0.levl", "config qualty", "config samples"]
    assert "Did you mean 'level'?" in str(error.value)
    assert "Did you mean 'quality'?" in str(error.value)


def test_every_field_of_a_section_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        if section is None:
            assert field.description, name
    for section_name in ("demo", "quality", "embed", "cluster", "annotate", "tcells"):
        annotation = Settings.model_fields[section_name].annotation
        for name, field in annotation.model_fields.items():  # type: ignore[union-attr]
            assert field.description, f"{section_name}.{name}"
