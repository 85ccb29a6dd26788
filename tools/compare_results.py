"""Do two runs say the same? `python tools/compare_results.py results/a other/results/a` names every file that differs.

With one folder it prints the digest of every file's content.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from livermet.files.digest import digest_folder


def differences(one: str | Path, other: str | Path) -> list[str]:
    """Files of two results folders that say something else, or are in one of them only."""
    first, second = digest_folder(one), digest_folder(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def bytes_differ(one: str | Path, other: str | Path) -> list[str]:
    """Files in both folders whose bytes differ."""
    names = digest_folder(one).keys() & digest_folder(other).keys()
    return sorted(name for name in names if (Path(one) / name).read_bytes() != (Path(other) / name).read_bytes())


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(*(f"{digest}  {name}" for name, digest in digest_folder(sys.argv[1]).items()), sep="\n")
    else:
        found = differences(sys.argv[1], sys.argv[2])
        print(*found, sep="\n")
        sys.exit(bool(found))
