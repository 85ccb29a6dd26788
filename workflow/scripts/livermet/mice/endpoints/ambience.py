"""What the soup explains: which genes of a population may differ because the ambient RNA does.

Liver tissue spills hepatocytes' transcripts (Alb, Apoa1, ...) into every droplet, the more the sicker the liver is; where
the spill differs between arms, so do the counts of these genes in cells that do not make them. Here counts are not
corrected: each gene is asked whether the expected ambient counts could make its effect (the approach of Lun's
`ambientContrib*`, in DropletUtils, doi:10.1186/s13059-019-1662-y, and of the ambient chapter of OSCA,
doi:10.1038/s41592-019-0654-x). Where the study had counts corrected before (`quality.ambient: correct`), the expected ones
are those that the correction may have missed, and nothing is counted twice.

**The rule.** Let y be a gene's counts in an arm, a the ambient ones expected among them, R the share that is ambient of the
arm's counts of all genes, w the arm's weight in the question. Taking t times the bound of the ambient counts away, and
scaling the libraries to what is left, lowers the log2 fold change by the *pull*

    pull(t) = sum over arms of w [log2(1 - t R) - log2(1 - t a / y)],  0 < t <= 1.

A gene with the same ambient share as all genes is not pulled. The estimates of cells are uncertain: the bound is twice the
estimate and never less than 2 % of a mouse's counts. A gene is flagged if for some t

- the pull has the direction of its effect and makes up half of it or more, and half-way to the bound, about where the
  estimate is, it is more than log2(1.1): OSCA calls a bias of a fold change by up to 10 % tolerable; or if
- in every arm of the question the bound is four fifths of its counts or more: what is left is too little to tell a change.

So a gene that the soup dilutes, a strong effect on a modest share, and a small share are not flagged, whatever the effect.
A hepatocyte caught in the droplet of a cell is not soup, and its genes are not flagged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from livermet import keys
from livermet.mice.design.estimability import ARM
from livermet.mice.design.model import Contrast
from livermet.mice.models.libraries import Libraries, log_cpm

if TYPE_CHECKING:
    from livermet.mice.endpoints.pseudobulk import Selection

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LAYER = "ambient"
TIMES_ESTIMATE = 2.0  # shares of ambient RNA are known to a factor of about two
LEAST_SHARE = 0.02  # of the counts of a mouse, however low the estimate
MOSTLY = 0.8
HALF = 0.5
TOLERABLE = float(np.log2(1.1))
STEPS = np.linspace(0.1, 1.0, 10)
HALFWAY = 4  # of the steps
PRIOR = 2.0  # counts a mouse, as in the log2 CPM whose differences are explained
TINY_SHARE, MOST_SHARE = 1e-6, 0.95
NO_WEIGHT = 1e-8
HEPATOCYTE = "Hepatocyte"
PANEL_SETS = (HEPATOCYTE, "ambient_liver_sentinels")


def expected_counts(
    obs: pd.DataFrame, rows: npt.NDArray[np.int64], n_rows: int, soup: pd.DataFrame, genes: pd.Index
) -> tuple[sparse.csr_matrix, Array]:
    """Ambient counts to be expected in sums over cells: each cell's ambient UMIs, spread as the soup of its sample is.

    Parameters
    ----------
    obs
        Cells that are summed: sample, n_umis, ambient_fraction (NaN where it could not be told).
    rows
        The sum to which each cell goes.
    n_rows
        Number of sums.
    soup
        Genes x samples: share of each gene in the sample's ambient RNA. A gene that it lacks was never seen in the soup.
    genes
        Genes of the sums.

    Returns
    -------
    expected
        Sums x genes, float32; zero where the share is not known.
    share
        Of each sum's counts: the ambient ones. NaN without cells, or where a cell's share or its sample's soup is not known.
    """
    profile = soup.reindex(genes).fillna(0.0)
    samples = obs[keys.SAMPLE].astype(str)
    place = profile.columns.astype(str).get_indexer(pd.Index(samples))
    total = np.bincount(rows, weights=obs[keys.N_UMIS], minlength=n_rows)
    ambient = (obs[keys.AMBIENT] * obs[keys.N_UMIS]).to_numpy(dtype=float)
    seen = np.append(profile.to_numpy(dtype=float).sum(axis=0) > 0, False)
    unknown = np.isnan(ambient) | ~seen[place]
    known = ~unknown
    umis = sparse.csr_matrix((ambient[known], (rows[known], place[known])), shape=(n_rows, profile.shape[1]))
    share = np.full(n_rows, np.nan)
    told = (total > 0) & (np.bincount(rows[unknown], minlength=n_rows) == 0)
    share[told] = np.asarray(umis.sum(axis=1)).ravel()[told] / total[told]
    umis = sparse.diags(told.astype(float)) @ umis
    expected = umis @ profile.to_numpy(dtype=float).T
    return sparse.csr_matrix(np.asarray(expected, dtype=np.float32)), share


def panel_genes(signatures: Collection[Mapping[str, Any]]) -> frozenset[str]:
    """Symbols that stand for the soup of a liver where nothing measures it: hepatocytes' own transcripts.

    Parameters
    ----------
    signatures
        All sets: name, up.
    """
    return frozenset(gene for item in signatures if item["name"] in PANEL_SETS for gene in item["up"])


def flag_panel(symbols: pd.Series, panel: Collection[str], population: Mapping[str, Any]) -> Flags:
    """Genes of the panel; none in a population that has hepatocytes.

    Parameters
    ----------
    symbols
        Of the genes.
    panel
        As :func:`panel_genes` gives it.
    population
        Its lineages and states.
    """
    theirs = HEPATOCYTE in population.get("lineages", ())
    return np.asarray(symbols.astype(str).isin(() if theirs else panel), dtype=bool)


def explain(
    selection: Selection, libraries: Libraries, contrasts: Sequence[Contrast], panel: Flags
) -> dict[str, pd.DataFrame]:
    """Whether the soup can make the effect of each gene on each question.

    Parameters
    ----------
    selection
        Counts and expected ambient counts of a population, with the design of its units.
    libraries
        The same counts, filtered and normalised.
    contrasts
        Estimable questions.
    panel
        Over the kept genes: what is flagged where the soup of an arm is not known.

    Returns
    -------
    dict
        Question -> a row a kept gene: `ambient` (bool) and `ambient_fraction`, the largest share of the counts in an arm of
        the question for which the soup accounts by the estimate; NaN where it is not known.
    """
    design = selection.design
    if selection.ambient is None:
        return {contrast.name: _unknown(panel) for contrast in contrasts}
    codes, _ = pd.factorize(design.units[ARM])
    members = np.asarray(codes[:, None] == np.arange(codes.max() + 1)[None, :], dtype=float)
    contamination = _contaminate(selection, libraries, members)
    influence = np.linalg.pinv(design.matrix.to_numpy(dtype=float)).T
    values = log_cpm(libraries)
    found = {}
    for contrast in contrasts:
        on_units = influence @ np.asarray(contrast.vector, dtype=float)
        weights = on_units @ members
        named = np.abs(weights) > NO_WEIGHT
        if np.isnan(contamination.fraction[:, named]).any():
            found[contrast.name] = _unknown(panel)
            continue
        flags = contamination.explains(values @ on_units, weights)
        fraction = contamination.fraction[:, named].max(axis=1)
        found[contrast.name] = pd.DataFrame({keys.IS_AMBIENT: flags, keys.AMBIENT: fraction})
    return found


def _unknown(panel: Flags) -> pd.DataFrame:
    return pd.DataFrame({keys.IS_AMBIENT: panel, keys.AMBIENT: np.full(len(panel), np.nan)})


@dataclass(frozen=True)
class _Contamination:
    """What the soup is in every arm of a population.

    Attributes
    ----------
    pull
        Steps x genes x arms: by how much taking the soup away lowers the log2 level.
    fraction
        Genes x arms: share of the counts by the estimate, at most 1; NaN where not known.
    mostly
        Genes x arms: whether the bound leaves next to nothing of the counts.
    """

    pull: Array
    fraction: Array
    mostly: Flags

    def explains(self, effect: Array, weights: Array) -> Flags:
        """The rule, for effects that are sums of the arms' log2 levels with these weights."""
        named = np.abs(weights) > NO_WEIGHT
        pull = (self.pull[:, :, named] @ weights[named]) * np.sign(effect)
        made = (pull >= HALF * np.abs(effect)).any(axis=0) & (pull[HALFWAY] > TOLERABLE)
        return np.asarray(made | self.mostly[:, named].all(axis=1), dtype=bool)


def _contaminate(selection: Selection, libraries: Libraries, members: Array) -> _Contamination:
    """Counts and ambient counts, arm by arm: single mice have too few counts of a gene to tell its share."""
    unknown, total = np.isnan(selection.ambient_share), selection.counts.sum(axis=0)
    share = np.where(unknown, 0.0, selection.ambient_share)
    least = np.maximum(share, TINY_SHARE)
    times = np.minimum(np.maximum(TIMES_ESTIMATE, LEAST_SHARE / least), MOST_SHARE / least)
    ambient = np.asarray(selection.ambient)[libraries.kept]
    counts, estimate, bound = (part @ members for part in (libraries.counts, ambient, ambient * times))
    whole = (times * share * total) @ members / (total @ members)
    prior = (PRIOR * libraries.size / libraries.size.mean()) @ members
    pulls = []
    for step in STEPS:
        # The prior belongs to the library and shrinks with it, so that a gene as ambient as all genes is not pulled.
        left = np.maximum(counts - step * bound, 0) + prior * (1 - step * whole)
        pulls.append(np.log2(1 - step * whole) - np.log2(left / (counts + prior)))
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(counts > 0, np.minimum(estimate / counts, 1.0), 0.0)
    fraction[:, (unknown @ members) > 0] = np.nan
    return _Contamination(np.array(pulls), fraction, bound >= MOSTLY * counts)
