"""Tests of gene sets on the genes of one population: fry and camera, with units of one mouse correlated where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.models.blocks import whitener
from livermet.mice.models.linear import squeeze

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GeneSet:
    """A set among the genes of one population.

    Attributes
    ----------
    name
        Its name.
    places
        Its genes among the kept ones.
    signs
        1 for genes that speak for it, -1 against.
    """

    name: str
    places: npt.NDArray[np.int64]
    signs: Array

    def without(self, genes: npt.NDArray[np.bool_]) -> GeneSet:
        """The set without some of the population's genes."""
        left = ~genes[self.places]
        return GeneSet(self.name, self.places[left], self.signs[left])


@dataclass(frozen=True)
class Measured:
    """Expression of one population.

    Attributes
    ----------
    values
        Genes x units, log2 CPM.
    precision
        One number a gene: the reciprocal variance that voom expects of it.
    weights
        One number a unit, mean 1.
    design
        Of those units.
    correlation
        Of a gene in two units of the same mouse.
    """

    values: Array
    precision: Array
    weights: Array
    design: Design
    correlation: float = 0.0

    @property
    def scaled(self) -> Array:
        """Values of every gene on a scale on which all genes are expected to vary alike."""
        return np.asarray(self.values * np.sqrt(self.precision)[:, None])

    @property
    def mice(self) -> list[str]:
        """The mouse of each unit."""
        return [str(mouse) for mouse in self.design.units[keys.MOUSE]]

    def basis(self, correlation: float) -> Array:
        """Units x units: turns values and design into those of independent units of equal weight."""
        return np.asarray(whitener(self.mice, correlation) * np.sqrt(self.weights)[None, :])


def score(measured: Measured, item: GeneSet) -> Array:
    """Mean log2 CPM of a set in each unit, down genes with the sign turned."""
    return np.asarray(item.signs @ measured.values[item.places] / len(item.places), dtype=float)


def score_sets(measured: Measured, sets: Sequence[GeneSet]) -> Array:
    """:func:`score` of every set, sets x units."""
    return np.array([score(measured, item) for item in sets]).reshape(len(sets), measured.values.shape[1])


def self_contained(measured: Measured, sets: Sequence[GeneSet], contrast: Array, correlation: float = 0.0) -> Array:
    """Two-sided p-values of fry, the genes of a set weighted by their signs.

    Parameters
    ----------
    measured
        Log2 CPM with unit weights; at least one residual degree of freedom.
    sets
        The sets.
    contrast
        One number a column of the design.
    correlation
        Of a set's score in two units of the same mouse. It is higher than that of a gene, whose counting noise differs
        between the units; fry's statistic is a mean over genes and needs the correlation of such means.

    Returns
    -------
    numpy.ndarray
        One number a set.
    """
    import pylimma

    index = {str(place): pd.DataFrame({"place": item.places, "sign": item.signs}) for place, item in enumerate(sets)}
    block = {"block": np.asarray(measured.mice), "correlation": correlation} if correlation else {}
    table = pylimma.fry(
        measured.scaled,
        index=index,
        design=measured.design.matrix.to_numpy(),
        contrast=contrast,
        sort="none",
        array_weights=measured.weights,
        **block,
    )
    return np.asarray(table["p_value"].to_numpy(), dtype=float)


def competitive(z: Array, sets: Sequence[GeneSet]) -> Array:
    """Two-sided p-values of camera, at its preset correlation between genes of a set (.01).

    Parameters
    ----------
    z
        Moderated t-statistics of all genes as normal deviates.
    sets
        The sets; the deviates of down genes are turned round.

    Returns
    -------
    numpy.ndarray
        One number a set.
    """
    from pylimma import camera_pr

    one_way = {item.name: item.places for item in sets if (item.signs > 0).all()}
    found = dict(camera_pr(z, one_way, sort=False)["p_value"]) if one_way else {}
    for item in sets:
        if item.name not in found:
            turned = z.copy()
            turned[item.places] *= item.signs
            found[item.name] = camera_pr(turned, {item.name: item.places}, sort=False)["p_value"].iloc[0]
    return np.array([found[item.name] for item in sets], dtype=float)


class ModeratedGenes:
    """Moderated t-statistics of all genes, for any contrast."""

    def __init__(self, measured: Measured) -> None:
        basis = measured.basis(measured.correlation)
        matrix = basis @ measured.design.matrix.to_numpy(dtype=float)
        y = basis @ measured.scaled.T
        self.inverse = np.linalg.pinv(matrix)
        self.coefficients = self.inverse @ y
        df = float(measured.design.residual_df)
        variance = ((y - matrix @ self.coefficients) ** 2).sum(axis=0) / df
        self.variance, self.df = squeeze(variance, df)

    def z(self, contrast: Array) -> Array:
        """The statistics of a contrast as normal deviates."""
        from pylimma import zscore_t

        t = contrast @ self.coefficients / (np.linalg.norm(contrast @ self.inverse) * np.sqrt(self.variance))
        return np.asarray(zscore_t(t, df=self.df, approx=True, method="hill"), dtype=float)
