"""What the benchmarks share: errors over data sets, verdicts, runs that are kept setting by setting."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The package runs from the checkout; a path that is there already (tests, a snapshot in PYTHONPATH) goes before this one.
_PACKAGE = str(ROOT / "workflow" / "scripts")
if _PACKAGE not in sys.path:
    sys.path.append(_PACKAGE)

import livermet  # noqa: E402 - found through the path above

#: The checkout whose package is measured: usually this one.
MEASURED = Path(livermet.__file__).resolve().parents[3]
