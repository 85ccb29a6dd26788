"""Jinja2 with everything escaped; markdown, which is no markup for a browser, apart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment(escape: bool) -> Environment:
    return Environment(  # nosec B701
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escape,  # noqa: S701 - off for markdown only # nosec B701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **context: Any) -> str:
    """Fill a template in.

    Parameters
    ----------
    template
        Its file name; values are escaped in `.html.j2`, not in `.md.j2`.
    context
        What it shows. A name that the template uses and the context lacks is an error.

    Returns
    -------
    str
        The text.
    """
    return _environment(not template.endswith(".md.j2")).get_template(template).render(**context)
