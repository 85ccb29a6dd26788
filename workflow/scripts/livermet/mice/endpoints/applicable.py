"""Which gene sets are asked of which population, and without which genes.

Every set says in its `lineage` field which cells it is about ("CD8/CD4 T", "macrophage", "any"). A set is put to the
populations that have such cells. Two things are never tested: sets that define an identity (kind lineage) or watch over
technique (kind technical), unless the config names them; and, in a population made of one label, the genes by which that
label was called: that they are high there is how the cells were chosen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from livermet.cells.lineages.marker_tables import as_content

if TYPE_CHECKING:
    import pandas as pd

TESTED_KINDS = ("state",)
LABELLED = ("states", "macrophages", "lineages")  # inputs that say what labels are called by
ANY = "any"
WHOLE_T = frozenset({"t", "cd8", "cd4", "gd", "nkt", "mait"})
MYELOID = frozenset({"myeloid"})
MONONUCLEAR = frozenset({"myeloid", "macrophage"})  # monocytes are on their way to macrophages

LINEAGE_WORDS: dict[str, frozenset[str]] = {
    "T_cell": WHOLE_T,
    "NK_cell": frozenset({"nk"}),
    "ILC": frozenset({"ilc"}),
    "B_cell": frozenset({"b"}),
    "Plasma_cell": frozenset({"b"}),
    "Neutrophil": MYELOID,
    "Mast_cell": MYELOID,
    "Basophil": MYELOID,
    "Classical_monocyte": MONONUCLEAR,
    "Patrolling_monocyte": MONONUCLEAR,
    "Monocyte_derived_macrophage": MONONUCLEAR,
    "Kupffer_cell": MONONUCLEAR,
    "cDC1": MYELOID,
    "cDC2": MYELOID,
    "mregDC": MYELOID,
    "pDC": MYELOID,
    "Hepatocyte": frozenset({"parenchyma"}),
    "Epithelial_cell": frozenset({"parenchyma"}),
    "Endothelial_cell": frozenset({"endothelium"}),
    "Fibroblast": frozenset({"stroma"}),
    "Erythrocyte": frozenset({"erythroid"}),
    "Platelet": frozenset({"megakaryocyte"}),
}
STATE_WORDS: dict[str, frozenset[str]] = {
    "gamma_delta_T": frozenset({"t", "gd"}),
    "NKT": frozenset({"t", "nkt"}),
    "MAIT": frozenset({"t", "mait"}),
    "T_proliferating": frozenset({"t", "cd8", "cd4"}),
    "T_IFN_stimulated": frozenset({"t", "cd8", "cd4"}),
}


def words_of_population(population: Mapping[str, Any]) -> frozenset[str]:
    """What cells a population is made of, in the words of the sets' `lineage` field."""
    words: set[str] = set()
    for lineage in population["lineages"]:
        words |= LINEAGE_WORDS.get(lineage, frozenset())
    for state in population["states"]:
        if state in LINEAGE_WORDS:
            words |= LINEAGE_WORDS[state]
        elif state.startswith("Mac_"):
            words |= MONONUCLEAR
        elif state.startswith("CD8"):
            words |= {"t", "cd8"}
        elif state.startswith("CD4") or state == "Treg":
            words |= {"t", "cd4"}
        else:
            words |= STATE_WORDS.get(state, frozenset({"t"}))
    return frozenset(words)


def words_of_signature(lineage: str) -> frozenset[str]:
    """The cells a set is about: "CD8/CD4 T, NK" is cd8, cd4 and nk; "any immune" is any."""
    words: set[str] = set()
    for piece in re.split(r"[/,]", lineage.lower()):
        parts = piece.split()
        # In "CD8 T" the T says nothing more; alone it stands for all T cells.
        words |= set(parts) - {"t"} if len(parts) > 1 else set(parts)
    return frozenset(words)


def applies(signature: Mapping[str, Any], population: Mapping[str, Any]) -> bool:
    """Whether a set is about cells that a population has."""
    about = words_of_signature(signature["lineage"])
    return ANY in about or bool(about & words_of_population(population))


def choose(
    signatures: Iterable[Mapping[str, Any]], population: Mapping[str, Any], chosen: Collection[str] = ()
) -> list[Mapping[str, Any]]:
    """Sets that are put to a population.

    Parameters
    ----------
    signatures
        All sets: name, kind, lineage, up, down.
    population
        Lineages and states of the population.
    chosen
        Names given in the config; empty: every set of a kind that is tested.

    Returns
    -------
    list
        In the order given. Identity and technical sets that the config names are put to every population.
    """
    found = []
    for signature in signatures:
        tested = signature["kind"] in TESTED_KINDS
        if chosen and signature["name"] not in chosen:
            continue
        if applies(signature, population) if tested else bool(chosen):
            found.append(signature)
    return found


def defining_genes(
    states: Mapping[str, Any],
    macrophages: Mapping[str, Any] | None,
    lineages: Mapping[str, Any] | pd.DataFrame,
    signatures: Iterable[Mapping[str, Any]],
) -> dict[str, frozenset[str]]:
    """Genes by which each lineage and state is called.

    Parameters
    ----------
    states
        The content of `resources/states.yaml`: states with their signature and further requirements.
    macrophages
        The same of the macrophages, where their states are called.
    lineages
        The content of `resources/lineages.yaml`: up and down genes, or kinds of a lineage with theirs; or a table of them.
    signatures
        All sets.

    Returns
    -------
    dict
        Label -> symbols.
    """
    sets = {signature["name"]: signature for signature in signatures}
    found: dict[str, set[str]] = {}
    for state in [*states["states"], *(macrophages or {"states": ()})["states"]]:
        genes = found.setdefault(state["name"], set())
        genes |= _genes(sets.get(state["signature"], {}))
        genes |= set(state.get("above", ()))
        for evidence in (*state.get("requires", ()), *state.get("lacks", ())):
            genes |= set(evidence["genes"])
    for name, lineage in as_content(lineages)["lineages"].items():
        genes = found.setdefault(name, set())
        genes |= _genes(lineage)
        for subset in (lineage.get("subsets") or {}).values():
            genes |= _genes(subset)
    return {label: frozenset(genes) for label, genes in found.items()}


def _genes(signature: Mapping[str, Any]) -> set[str]:
    return {*(signature.get("up") or ()), *(signature.get("down") or ())}


def circular_genes(population: Mapping[str, Any], defining: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Genes not to be tested in a population: those of its label, where it is made of a single one."""
    labels = [*population["lineages"], *population["states"]]
    return frozenset(defining.get(labels[0], ())) if len(labels) == 1 else frozenset()
