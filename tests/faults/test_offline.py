"""A run needs no network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.faults.harness import is_root, results

pytestmark = pytest.mark.workflow


@is_root
def test_a_run_needs_no_network(half: Path) -> None:
    """The clean run behind these tests was made where there is none (harness.run, `offline`); the complete one, too."""
    probe = "import socket; socket.create_connection(('1.1.1.1', 53), timeout=3)"
    there = subprocess.run(["unshare", "--net", "python3", "-c", probe], capture_output=True, text=True, check=False)
    assert there.returncode != 0
    assert "Network is unreachable" in there.stderr
    assert len(list((results(half) / "steps" / "read_sample").glob("*.h5ad"))) == 6
