"""Draws the inputs of the comparison with R: `PYTHONPATH=.:workflow/scripts python tests/golden/draw_inputs.py`.

Counts are negative binomial sums of a mouse and a population: abundances over four orders of magnitude, libraries that
differ fourfold, dispersions that differ between genes, planted changes, genes that are silent in one arm or everywhere, and
single mice that stand out.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from tests.golden.studies import INPUTS, N_GENES, Study, make_sets, make_studies

SEED = 20211
Array = npt.NDArray[np.float64]


def draw_counts(study: Study, rng: np.random.Generator) -> pd.DataFrame:
    """Genes x units."""
    units = study.design.units
    genes = [f"Gene{number:03d}" for number in range(N_GENES)]
    level = np.exp(rng.normal(0, 2.2, N_GENES))
    level[:60] = np.exp(rng.normal(0.5, 1.0, 60))  # what the sets are made of is measured
    dispersion = 0.03 + 0.1 / np.sqrt(1 + level) + rng.gamma(1.5, 0.02, N_GENES)
    change = {str(arm): _draw_change(rng) for arm in pd.unique(units["arm"])}
    # Mice differ, in single genes and in thirty at a time, and are like themselves in their other tissues.
    likeness = {
        str(mouse): rng.normal(0, 0.25, N_GENES) + np.repeat(rng.normal(0, 0.25, N_GENES // 30), 30)
        for mouse in pd.unique(units["mouse"])
    }
    columns = {}
    for unit, row in units.iterrows():
        mean = rng.lognormal(np.log(6e4), 0.45) * level / level.sum()
        mean *= 2 ** (change[str(row["arm"])] + likeness[str(row["mouse"])])
        columns[str(unit)] = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion))
    counts = pd.DataFrame(columns, index=pd.Index(genes, name="gene"))
    first = (units["arm"] == units["arm"].iloc[0]).to_numpy()
    counts.loc[counts.index[285:290], first] = 0  # silent in one arm
    counts.iloc[290:294] = 0  # silent everywhere
    counts.iloc[294:296] = rng.poisson(30, (2, len(units)))
    counts.iloc[294, 0], counts.iloc[295, -1] = 4000, 2000  # one mouse stands out; the second so that edgeR gives up
    return counts


def _draw_change(rng: np.random.Generator) -> Array:
    """Log2 change of an arm: two sets together, and a tenth of the other genes on their own."""
    change = np.where(rng.random(N_GENES) < 0.1, rng.normal(0, 1.5, N_GENES), 0.0)
    change[:20] = rng.normal(0, 0.5)
    change[20:32] = -rng.normal(0, 0.5)
    return change


def draw_rows(study: Study, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forty quantities of every unit of a study, correlated within mice, some not measured; weights with mean 1."""
    units = study.design.units
    mice = pd.Categorical(units["mouse"]).codes
    values = rng.normal(0, 1, (40, len(units))) * rng.uniform(0.3, 1.2, (40, 1))
    values += (rng.normal(0, 0.6, (40, mice.max() + 1)))[:, mice] + rng.normal(0, 1, (40, 1))
    values[rng.random(values.shape) < 0.08] = np.nan
    values[:10] = np.nan_to_num(values[:10])
    weights = np.where(np.isnan(values), np.nan, rng.gamma(6, 1 / 6, values.shape))
    weights /= np.nanmean(weights, axis=1, keepdims=True)
    index = pd.Index([f"row{number:02d}" for number in range(40)], name="row")
    columns = list(units.index)
    return pd.DataFrame(values, index, columns), pd.DataFrame(weights, index, columns)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Gzipped TSV, the same bytes every time."""
    text = io.StringIO()
    table.to_csv(text, sep="\t", na_rep="NA")
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.getvalue().encode())


def main() -> None:
    """Write inputs/."""
    INPUTS.mkdir(exist_ok=True)
    studies = make_studies()
    for number, (name, study) in enumerate(studies.items()):
        design = study.design
        write_table(draw_counts(study, np.random.default_rng([SEED, number])), INPUTS / f"{name}.counts.tsv.gz")
        design.matrix.to_csv(INPUTS / f"{name}.matrix.tsv", sep="\t", index_label="unit")
        design.units["mouse"].to_csv(INPUTS / f"{name}.mice.tsv", sep="\t", index_label="unit")
        contrasts = {question: design.vector(question) for question in design.contrasts}
        table = pd.DataFrame.from_dict(contrasts, orient="index", columns=list(design.matrix.columns))
        table.to_csv(INPUTS / f"{name}.contrasts.tsv", sep="\t", index_label="question")
    values, weights = draw_rows(studies["tissues"], np.random.default_rng([SEED, 100]))
    write_table(values, INPUTS / "rows.values.tsv.gz")
    write_table(weights, INPUTS / "rows.weights.tsv.gz")
    rng = np.random.default_rng([SEED, 101])
    df = np.where(rng.random(200) < 0.2, 0.0, rng.integers(1, 6, 200).astype(float))
    variance = 0.4 * rng.f(4, 6, 200)
    variances = pd.DataFrame({"variance": variance, "df": df}, index=pd.Index(range(200), name="row"))
    write_table(variances, INPUTS / "variances.tsv.gz")
    sets = [
        {"set": item["name"], "gene": gene, "sign": sign}
        for item in make_sets()
        for direction, sign in (("up", 1), ("down", -1))
        for gene in item[direction]
    ]
    pd.DataFrame(sets).to_csv(INPUTS / "sets.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main()
