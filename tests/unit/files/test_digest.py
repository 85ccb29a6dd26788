"""The digest sees what a file says and not how it was packed."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from compare_results import differences
from pyarrow import parquet

from livermet.files.digest import digest, digest_folder
from livermet.files.formats import save


@pytest.fixture
def cells() -> anndata.AnnData:
    counts = scipy.sparse.random(50, 20, density=0.3, format="csr", random_state=1)
    return anndata.AnnData(counts, obs=pd.DataFrame({"mouse": ["a", "b"] * 25}, index=[f"c{i}" for i in range(50)]))


def test_packing_does_not_count(tmp_path: Path, cells: anndata.AnnData) -> None:
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]})
    table.to_parquet(tmp_path / "one.parquet", compression="zstd")
    table.to_parquet(tmp_path / "two.parquet", compression="snappy")
    cells.write_h5ad(tmp_path / "one.h5ad", compression="gzip")
    cells.write_h5ad(tmp_path / "two.h5ad", compression="lzf")
    for ending in ("parquet", "h5ad"):
        one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
        assert one.read_bytes() != two.read_bytes()
        assert digest(one) == digest(two)


def test_a_single_value_counts(tmp_path: Path, cells: anndata.AnnData) -> None:
    save(cells, tmp_path / "one.h5ad")
    cells.X.data[-1] += 1e-12
    save(cells, tmp_path / "two.h5ad")
    save(cells.X, tmp_path / "one.npz")
    cells.X.data[0] = np.nextafter(cells.X.data[0], 2)
    save(cells.X, tmp_path / "two.npz")
    save(pd.DataFrame({"a": [1.0, 2.0]}), tmp_path / "one.parquet")
    save(pd.DataFrame({"a": [1.0, np.nextafter(2.0, 3)]}), tmp_path / "two.parquet")
    save(pd.DataFrame({"a": [1, 2]}), tmp_path / "three.parquet")
    for ending in ("h5ad", "npz", "parquet"):
        assert digest(tmp_path / f"one.{ending}") != digest(tmp_path / f"two.{ending}")
    assert digest(tmp_path / "one.parquet") != digest(tmp_path / "three.parquet"), "types count"


def test_what_is_missing_is_not_nothing(tmp_path: Path) -> None:
    columns = [
        pa.array([1.0, None]), pa.array([1.0, 0.0]), pa.array([1.0, np.nan], from_pandas=False), pa.array(["a", None]),
        pa.array(["a", ""]), pa.array(["", "a"]), pa.array([True, None]), pa.array([True, False]), pa.array([1, None]),
        pa.array([1, 0]), pa.array(["a", None]).dictionary_encode(), pa.array([["a"], ["b", "c"]]), pa.array([["a", "b"], ["c"]]),
    ]  # fmt: skip
    digests = set()
    for number, column in enumerate(columns):
        parquet.write_table(pa.table({"x": column}), tmp_path / f"{number}.parquet")
        digests.add(digest(tmp_path / f"{number}.parquet"))
    assert len(digests) == len(columns)
    chunks = pa.table({"x": pa.chunked_array([["a"], ["b", None]])})
    parquet.write_table(chunks, tmp_path / "chunks.parquet", row_group_size=1)
    parquet.write_table(chunks.combine_chunks(), tmp_path / "one.parquet")
    assert digest(tmp_path / "chunks.parquet") == digest(tmp_path / "one.parquet"), "pieces do not count"


@pytest.mark.parametrize("name", ["a.h5ad", "t.parquet", "t.tsv", "m.npz", "f.png", "f.pdf", "o.json", "o.yaml"])
def test_the_same_content_makes_the_same_bytes(tmp_path: Path, cells: anndata.AnnData, name: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    content = {
        "h5ad": cells,
        "parquet": cells.obs,
        "tsv": cells.obs,
        "npz": cells.X,
        "json": {"b": 1, "a": 2},
        "yaml": {"b": 1},
    }
    ending = name.split(".")[1]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        if ending in ("png", "pdf"):
            figure = Figure()
            figure.subplots().plot([1, 2], label="x")
            save(figure, tmp_path / folder / name)
        else:
            save(content[ending], tmp_path / folder / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_folders_are_compared_file_by_file(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for name in ("tables/t.tsv", "logs/x.log", ".run/lock"):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text(name if name.startswith("tables") else folder)
    assert differences(tmp_path / "one", tmp_path / "two") == []
    assert list(digest_folder(tmp_path / "one")) == ["tables/t.tsv"]
    (tmp_path / "two" / "tables" / "t.tsv").write_text("other")
    (tmp_path / "one" / "only.md").write_text("here")
    assert differences(tmp_path / "one", tmp_path / "two") == ["only.md", "tables/t.tsv"]
