"""Does the inference keep its promises? Simulated mice with a known truth, put through the package's own functions."""

from __future__ import annotations

import sys
from pathlib import Path

# The package runs from the checkout; a path that is there already (tests, a snapshot in PYTHONPATH) goes before this one.
_PACKAGE = str(Path(__file__).resolve().parents[2] / "workflow" / "scripts")
if _PACKAGE not in sys.path:
    sys.path.append(_PACKAGE)
