"""Are the cells right? Planted and published truth, put through the package's own functions, beside plain scanpy."""

from __future__ import annotations

import benchmarks.common  # noqa: F401 - finds the package
