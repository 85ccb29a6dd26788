"""Samples that share a library, told apart by hashtags: what the sheet and the config say of them, and what the files hold."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import scipy.sparse as sp
from tests.robustness.case import Case, Good
from tests.robustness.formats import counts_of
from tests.robustness.study import SHEET, Opened, Study

from livermet.pools import find_pool

LANE = "data/lane.h5"


def lane(study: Study, **tags: str) -> Study:
    """Samples b and d out of one file: cells of b in turn bear one of two hashtags, every tenth both; a sheet that names them."""
    counts = counts_of(study, "b")
    n_cells = counts.matrix.shape[0]
    rng, turn = np.random.default_rng(7), np.arange(n_cells) % 2
    two = np.arange(n_cells) % 10 == 9
    stain = rng.lognormal(6, 0.4, (n_cells, 2)) * (np.column_stack([turn == 0, turn == 1]) | two[:, None])
    protein = rng.poisson(60, (n_cells, 1))
    matrix = sp.csr_matrix(sp.hstack([counts.matrix, rng.poisson(20 + stain), protein]))
    names = ["HTO_1", "HTO_2", "CD8a"]
    with h5py.File(study.folder / LANE, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(counts.barcodes, dtype="S")
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        group["shape"] = np.array(matrix.shape[::-1])
        group["features/id"] = np.array([*counts.ids, *names], dtype="S")
        group["features/name"] = np.array([*counts.symbols, *names], dtype="S")
        kinds = ["Gene Expression"] * len(counts.ids) + ["Antibody Capture"] * 3
        group["features/feature_type"] = np.array(kinds, dtype="S")
    return sheet(study, **{"b": "HTO_1", "d": "HTO_2", **tags})


def sheet(study: Study, **tags: str) -> Study:
    """A sheet with a column of hashtags; rows that have one name the lane."""
    rows = [line.split("\t") for line in SHEET.splitlines()]
    lines = ["\t".join([*rows[0], "hashtag"])]
    for row in rows[1:]:
        lines.append("\t".join([*row[:-1], LANE if row[0] in tags else row[-1], tags.get(row[0], "")]))
    return study.sheet("\n".join(lines) + "\n")


def split(opened: Opened) -> Any:
    """Who is in the lane, hashtags of the cells read, and whether the samples share a cell."""
    b, d = opened.read("b"), opened.read("d")
    return (
        find_pool(opened.sheet, "b"),
        sorted({*b.obs["tags"]}), sorted({*d.obs["tags"]}),
        bool({*b.obs["barcode"]} & {*d.obs["barcode"]}),
        b.n_obs + d.n_obs == sum(place % 10 != 9 for place in range(counts_of(opened.study, "b").matrix.shape[0])),
    )  # fmt: skip


CASES = [
    Case("a hashtag that is not in the file", lambda s: lane(s, d="HTO_7"),
         (f"{LANE}, hashtag of sample 'd'", "'HTO_7'", "the file has HTO_1, HTO_2, CD8a", "Did you mean 'HTO_"), run=True),
    Case("a hashtag that names a gene", lambda s: lane(s, d="Cd3e"), (f"{LANE}, hashtag of sample 'd'", "'Cd3e'", "that is no gene")),
    Case("a hashtag twice", lambda s: lane(s, d="HTO_1"),
         ("samples.tsv rows 3 and 5, hashtag: 'HTO_1' of 'data/lane.h5' stands 2 times", "Name each row's own hashtag")),
    Case("a row of a lane without a hashtag", lambda s: lane(s, d=""),
         ("samples.tsv row 5, hashtag: empty, where another row of 'data/lane.h5' names a hashtag", "give the row counts of its own")),
    Case("a lane under two spellings of its path", lambda s: lane(s, d="HTO_1").sheet("b2\tdata/lane.h5\tHTO_1\nc", "b2\t./data/../data/lane.h5\tHTO_1\nc"),
         "samples.tsv rows 3 and 5, hashtag: 'HTO_1'"),
    Case("one library in two rows and no hashtags", lambda s: lane(s, b="", d=""),
         "path: input 'data/lane.h5' stands 2 times. Give each sample its own, or name each one's `hashtag`"),
    Case("a hashtag of a file of genes alone", lambda s: s.sheet(sheet(s).samples.read_text().replace("data/a\t", "data/a\tHTO_1")),
         ("data/a, hashtag of sample 'a'", "it has genes only")),
    Case("a lane's raw matrix in one of its rows alone", lambda s: lane(s).sheet(
        "\thashtag\n", "\thashtag\traw_path\n", "\tHTO_1\n", "\tHTO_1\tdata/d.h5\n", "\tHTO_2\n", "\tHTO_2\t\n", "data/a\t\n", "data/a\t\t\n",
        "data/c\t\n", "data/c\t\t\n"),
         "samples.tsv rows 3, 5, raw_path: differs, where the counts all lie in 'data/lane.h5'"),
    Case("a hashtag that a spreadsheet would run", lambda s: lane(s, d="=HTO"), "samples.tsv row 5, hashtag: '=HTO' is a formula"),
    Case("hashtags of the config that no file has", lambda s: lane(s).add("quality: {hashtags: [HTO_1, HTO_9]}\n"),
         ("quality.hashtags: no file has a feature called 'HTO_9'", "HTO_1, HTO_2")),
    Case("a word for hashtags that is none", lambda s: s.add("quality: {hashtags: sometimes}\n"), "quality.hashtags"),
]  # fmt: skip

GOOD = [
    Good("two mice in one lane", lane, split, ({"b": "HTO_1", "d": "HTO_2"}, ["HTO_1"], ["HTO_2"], False, True), run=True),
    Good("one mouse out of a lane", lambda s: sheet(lane(s), b="HTO_2"),
         lambda o: (find_pool(o.sheet, "b"), {*o.read("b").obs["tags"]}, find_pool(o.sheet, "d")), ({"b": "HTO_2"}, {"HTO_2"}, {})),
    Good("a column of hashtags that is empty", sheet, lambda o: [find_pool(o.sheet, name) for name in "abcd"], [{}] * 4),
    Good("a lane that is one sample", lambda s: sheet(lane(s), b=""),
         lambda o: ((o.read("b").obs["known_doublet"] == "doublet").sum() > 5, "2 hashtags" in o.told("b")), (True, True)),
]  # fmt: skip
