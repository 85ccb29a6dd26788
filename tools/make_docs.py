"""Write the generated pages: the table of config keys and their JSON schema, the page of gene signatures, the contract of column names.

Run by `make docs`; a test fails when a page and its source differ.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import types
import typing
from pathlib import Path

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from livermet import keys, settings

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks.cells.page import cells_page  # noqa: E402 - found through the path above

MARK = "<!-- made by `make docs` from settings.py: do not edit below -->\n"


def pages() -> dict[str, str]:
    """Path below the root -> content, for every generated page."""
    head = (ROOT / "config" / "README.md").read_text(encoding="utf-8").split(MARK)[0]
    made = {"config/README.md": head + MARK + "\n" + config_table(), "docs/contract.md": contract_page()}
    from livermet.tcells.signatures import signature_page

    raw = yaml.safe_load((ROOT / "resources" / "signatures.yaml").read_text(encoding="utf-8"))
    made["docs/signatures.md"] = signature_page(raw)
    made["docs/cells.md"] = cells_page()
    made["config/schema.json"] = json.dumps(config_schema(), indent=1, ensure_ascii=False) + "\n"
    return made


def config_schema() -> dict[str, typing.Any]:
    """The config as a JSON schema, for editors that check a file while it is written."""
    schema = settings.Settings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Config of a livermet study"}


def config_table() -> str:
    """Every key of the config with its default and description."""
    lines = ["| key | default | what |", "|---|---|---|"]
    lines += _rows(settings.Settings, "")
    return "\n".join(lines) + "\n"


def _rows(section: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            rows += _rows(inner, f"{prefix}{name}.")
            continue
        default = "needed" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        rows.append(f"| `{prefix}{name}` | {default} | {field.description or _about(field.annotation)} |")
    return rows


def _shown(value: object) -> str:
    if value is PydanticUndefined:
        return "needed"
    return "`" + yaml.safe_dump(value, default_flow_style=True).replace("\n...", "").strip() + "`"


def _about(annotation: object) -> str:
    """First line of the docstring of the model that an annotation holds."""
    for part in typing.get_args(annotation):
        if isinstance(part, type) and not isinstance(part, types.GenericAlias) and issubclass(part, BaseModel):
            return (part.__doc__ or "").strip().split("\n")[0]
    return ""


def contract_page() -> str:
    """The column names that cross a wall, from keys.py: its sections, names and comments."""
    source = (ROOT / "workflow/scripts/livermet/keys.py").read_text(encoding="utf-8")
    constants = {
        target.id: node.lineno
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    lines = [
        "# Column names",
        "",
        "Made by `make docs` from `keys.py`. `results/README.md` says which file holds what.",
        "",
    ]
    table_open = False
    for number, line in enumerate(source.split("\n"), 1):
        heading = re.match(r"# -- (.+?) -+$", line)
        if heading:
            lines += ["", f"## {heading[1]}", "", "| column | what |", "|---|---|"]
            table_open = True
        name = next((name for name, where in constants.items() if where == number), None)
        if name and table_open and isinstance(getattr(keys, name), str):
            comment = line.split("  # ")[1] if "  # " in line else ""
            lines.append(f"| `{getattr(keys, name)}` | {comment.replace('|', ', ')} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    for name, content in pages().items():
        (ROOT / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
