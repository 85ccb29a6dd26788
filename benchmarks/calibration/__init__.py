"""Does the inference keep its promises? Simulated mice with a known truth, put through the package's own functions."""

from __future__ import annotations

import benchmarks.common  # noqa: F401 - finds the package
