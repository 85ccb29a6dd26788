"""The good study, from the demo's simulator, and the hands that change it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from tests.conftest import ROOT

from livermet.demo.cohort import simulate_cohort
from livermet.inputs.libraries import read_library
from livermet.notices import Notice
from livermet.study import enter, pool, tell

CONFIG = """\
study: mine
samples: samples.tsv
design:
  factors:
    treatment: [untreated, drug]
  populations:
    T_cell: {lineages: [T_cell]}
  questions:
    - name: drug
      kind: effect
      factor: treatment
      level: drug
      reference: untreated
"""
SHEET = """\
sample\tmouse\ttreatment\tbatch\tpath
a\tm1\tuntreated\tb1\tdata/a
b\tm2\tuntreated\tb2\tdata/b.h5
c\tm3\tdrug\tb1\tdata/c
d\tm4\tdrug\tb2\tdata/d.h5
"""
SAMPLES = ("a", "b", "c", "d")


def make_study(folder: Path) -> Path:
    """Four mice of two arms, 2,000 genes, about 120 cells each; two 10x folders and two h5."""
    folder.mkdir(parents=True)
    rows = [
        {
            "sample": name,
            "mouse": f"m{number}",
            "site": "subcutaneous_liver",
            "treatment": "untreated" if number < 3 else "rt",
            "batch": f"b{1 + (number + 1) % 2}",
            "path": str(folder / "data" / name) + ("" if number % 2 else ".h5"),
        }
        for number, name in enumerate(SAMPLES, 1)
    ]
    genes = pd.read_csv(ROOT / "resources" / "demo_genes.tsv.gz", sep="\t")
    simulate_cohort(samples=rows, gene_table=genes, n_genes=2000, cells_per_mouse=120, n_empty_droplets=100, seed=5)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "samples.tsv").write_text(SHEET)
    for name in ("resources", "workflow"):  # where a run looks for them
        (folder / name).symlink_to(ROOT / name)
    return folder


class Study:
    """A copy of the good study that a case may spoil. Each hand asserts that it changed something.

    Paths: `config`, `samples` (the sheet), `data` (the folder of inputs: `a/`, `b.h5`, `c/`, `d.h5`).
    """

    def __init__(self, good: Path, folder: Path) -> None:
        shutil.copytree(good, folder, symlinks=True)
        self.good, self.folder = good, folder
        self.config, self.samples, self.data = folder / "config.yaml", folder / "samples.tsv", folder / "data"

    def sheet(self, *changes: str, encoding: str = "utf-8") -> Study:
        """Replace texts of the sheet: old, new, old, new ...; or, with one text, all of it."""
        return self._change(self.samples, changes, encoding)

    def settings(self, *changes: str) -> Study:
        """Replace texts of the config: old, new, old, new ...; or, with one text, all of it."""
        return self._change(self.config, changes, "utf-8")

    def add(self, text: str) -> Study:
        """Lines at the end of the config, at its top level."""
        return self.settings(self.config.read_text() + text)

    def change(self, path: str, how: Callable[[bytes], bytes]) -> Study:
        """The bytes of a file of the study, changed."""
        file = self.folder / path
        before = file.read_bytes()
        file.write_bytes(how(before))
        assert file.read_bytes() != before, f"{path} was not changed"
        return self

    def write(self, path: str, content: str | bytes) -> Study:
        """A file of the study, new or anew."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def put(self, sample: str, write: Callable[[Path], Any], name: str) -> Study:
        """Another input for a sample: `write` makes it at data/<name>, and the sheet names that."""
        path = self.data / name
        write(path)
        old = next(line for line in self.samples.read_text().splitlines() if line.startswith(f"{sample}\t"))
        return self.sheet(old, "\t".join([*old.split("\t")[:-1], f"data/{name}"]))

    def _change(self, file: Path, changes: tuple[str, ...], encoding: str) -> Study:
        text = file.read_text()
        if len(changes) == 1:
            text = changes[0]
        for old, new in zip(changes[::2], changes[1::2], strict=False):
            assert old in text, f"{old!r} does not stand in {file.name}"
            text = text.replace(old, new)
        file.write_bytes(text.encode(encoding))
        return self

    def fingerprints(self) -> dict[str, str]:
        """Every file of the study by the hash of its content: what must be the same before and after."""
        return fingerprints(self.folder)


def fingerprints(folder: Path) -> dict[str, str]:
    """Every file below a folder by the hash of its content, but what Snakemake keeps for itself and what is only linked."""
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in (".snakemake", "resources", "workflow")
    }


class Opened:
    """What the gate let through: the working folder is the study's while it is looked at."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.config: dict[str, Any]
        self.config, self.sheet = enter({"file": "config.yaml"}, [], "", inspect=True)
        self.notices = [Notice(**one) for one in tell(self.sheet, self.config)]

    def read(self, sample: str) -> Any:
        """Counts of a sample, canonical, as the workflow's first step reads them."""
        return self._library(sample)[0]

    def told(self, sample: str) -> str:
        """What is to be told of a sample, when it is read."""
        notices = self._library(sample)[2]
        return "; ".join(notices["what"] + " (" + notices["evidence"] + ")")

    def _library(self, sample: str) -> Any:
        row = self.sheet.loc[sample]
        return read_library(
            row["path"],
            row["raw_path"],
            sample=sample,
            species=self.config["species"],
            call_cells=self.config["quality"]["call_cells"],
            counts=self.config["quality"]["counts"],
            hashtags=self.config["quality"]["hashtags"],
            pool=pool(self.sheet, sample),
            seed=self.config["seed"],
        )

    @cached_property
    def counts(self) -> dict[str, Any]:
        """Every sample's counts."""
        return {str(sample): self.read(str(sample)) for sample in self.sheet.index}
