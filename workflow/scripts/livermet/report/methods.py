"""The methods section, written from what was run: the settings, the versions, the numbers that came out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from livermet.keys import AMBIENT_FOUND_BY, HASHTAG, KEPT, SAMPLE, SOUP_SOURCE
from livermet.plots.words import words
from livermet.report.references import REFERENCES

INTEGRATIONS = {
    "harmony": ("Harmony", "harmonypy"),
    "scanorama": ("Scanorama", "scanorama"),
    "scvi": ("scVI", "scvi-tools"),
}
PICKLES = (".pkl", ".pickle", ".joblib")
CITATION = re.compile(r"\[@([a-z]+)\]")


@dataclass
class Facts:
    """What came out of a run, as far as the methods tell it.

    Attributes
    ----------
    barcodes
        One row an input barcode: sample, kept.
    samples
        One row a sample: sample, mouse, the factors, the batch, soup_source ("raw matrix" or "estimated"),
        ambient_found_by; "dropped: empty droplet" where cells were called.
    stability
        One row a resolution: resolution, n_clusters, stability, chosen.
    integration
        How well batches mix, before and after; empty where there was a single batch.
    states
        One row a T cell.
    design
        What the design check found: formula, residual_df and more.
    """

    barcodes: pd.DataFrame
    samples: pd.DataFrame
    stability: pd.DataFrame
    integration: pd.DataFrame
    states: pd.DataFrame
    design: Mapping[str, Any]


@dataclass
class _Writer:
    """Collects sections and numbers citations by their first use."""

    cited: list[str] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)

    def section(self, title: str, *paragraphs: str) -> None:
        self.sections.append({"title": title, "paragraphs": [self._runs(text) for text in paragraphs if text]})

    def _runs(self, text: str) -> list[dict[str, Any]]:
        """Text in pieces, each followed by the number of the publication that it cites, if any."""
        pieces = CITATION.split(" ".join(text.split()))
        runs = [{"text": piece, "cites": None} for piece in pieces[::2]]
        for run, key in zip(runs, pieces[1::2], strict=False):
            if key not in REFERENCES:
                raise KeyError(f"no reference {key!r}")
            if key not in self.cited:
                self.cited.append(key)
            run["cites"] = self.cited.index(key) + 1
        return [run for run in runs if run["text"] or run["cites"]]


def compose_methods(config: Mapping[str, Any], versions: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Write the methods of a run.

    Parameters
    ----------
    config
        The resolved config.
    versions
        See :func:`livermet.report.versions.read_versions`.
    facts
        What came out of the run.

    Returns
    -------
    dict
        Plain types: `title`; `sections`, each a title and paragraphs of runs (text, number of the publication cited or
        None); `references`, each number, text, doi, url. Only what was run is described and cited.
    """
    writer = _Writer()
    for write in (
        _write_data,
        _write_quality,
        _write_embedding,
        _write_labels,
        _write_tcells,
        _write_design,
        _write_tests,
        _write_multiverse,
    ):
        write(writer, config, versions["packages"], facts)
    _write_software(writer, versions)
    references = [
        {"number": number, "text": REFERENCES[key].text, "doi": REFERENCES[key].doi, "url": REFERENCES[key].url}
        for number, key in enumerate(writer.cited, 1)
    ]
    title = config["title"] or config["study"]
    return {"title": title, "sections": writer.sections, "references": references}


def _write_data(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    arms = facts.samples.drop_duplicates("mouse").groupby(list(config["design"]["factors"])).size()
    simulated = (
        f"The cohort is simulated: {config['demo']['n_genes']:,} genes and a median of {config['demo']['cells_per_mouse']} "
        f"cells a mouse, with effects planted on known genes and populations, from seed {config['seed']}."
        if config["demo"]["simulate"]
        else ""
    )
    writer.section(
        "Data",
        simulated,
        f"""Counts of {facts.samples[SAMPLE].nunique()} samples from {facts.samples["mouse"].nunique()} mice in {len(arms)} arms
        ({arms.min()} to {arms.max()} mice an arm) were read as raw integers; {len(facts.barcodes):,} barcodes went in. The
        question follows Yu et al. [@yu]. The mouse is the unit of replication in every test.""",
    )


def _write_quality(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    quality = config["quality"]
    kept = int(facts.barcodes[KEPT].sum())
    measured = int((facts.samples[SOUP_SOURCE] == "raw matrix").sum())
    estimated = len(facts.samples) - measured
    where = f"taken from the empty droplets of the raw matrix in {measured} samples" if measured else ""
    guess = f"estimated from all barcodes of the filtered matrix in {estimated} samples" if estimated else ""
    untold = int((facts.samples[AMBIENT_FOUND_BY] == "cannot be told").sum())
    unsure = (
        f"; in {untold} samples silent genes do not pile up and the share has an upper bound at most" if untold else ""
    )
    spilt = (
        """; without empty droplets, silent genes of each origin were read apart and their shares weighed by what the sample holds
        of each origin, since cells burst at different rates"""
        if estimated
        else ""
    )
    doublets = "were dropped" if quality["remove_doublets"] else "were kept and marked"
    writer.section(
        "Quality control",
        _called(facts),
        _hashtags(facts),
        f"""Hard limits dropped barcodes with fewer than {quality["min_umis"]} UMIs, fewer than {quality["min_genes"]} genes, a
        mitochondrial share above {quality["max_mitochondrial_fraction"]:.0%} or a haemoglobin share above
        {quality["max_haemoglobin_fraction"]:.0%}. Within each sample, barcodes were then dropped whose log UMIs or log genes
        lay more than {quality["mads"]:g} median absolute deviations from the median both of the sample and of cells of their
        own kind, so that no kind of cell is dropped for what it is; and those above a mitochondrial cut found in the same
        way, never below {quality["min_mitochondrial_cut"]:.0%}. Doublets were scored after the idea of Scrublet [@scrublet],
        against pairs of unlike cells of the same sample added up; their share was estimated from the scores, and no more
        were called than {quality["expected_doublet_rate_per_1000"]:.2%} for every 1,000 barcodes lead to expect; called
        doublets {doublets}. Samples that kept fewer than {quality["min_cells_per_sample"]} cells, or whose cells were no
        farther from the empty droplets than draws from these, were set aside. Dissociation stress, cell-cycle phase
        [@tirosh] and each sample's sex were read from the kept cells and changed nothing. The share of
        ambient RNA was read, after the idea of SoupX [@soupx], from genes that a kind of cell does not express: the share at
        which the counts of all kinds are likeliest, where what cells express themselves has a smooth distribution [@efron],
        with the ambient profile {" and ".join(part for part in (where, guess) if part)}{spilt}{unsure}. {kept:,} cells
        ({kept / max(len(facts.barcodes), 1):.1%} of the barcodes) were kept; {_altered(quality["ambient"])}.""",
    )


def _called(facts: Facts) -> str:
    """How cells were told from empty droplets, where that was done here."""
    column = "dropped: empty droplet"
    empty = facts.samples[column] if column in facts.samples else pd.Series(dtype=int)
    if not (empty > 0).any():
        return ""
    return f"""In {int((empty > 0).sum())} samples, given as raw matrices, cells were told from empty droplets after EmptyDrops
        [@emptydrops]: droplets of at most 100 UMIs gave the ambient profile, a larger one below the knee of the barcode curve
        was kept as a cell where its counts do not come from that profile (Dirichlet-multinomial likelihood, 10,000 simulated
        droplets, Benjamini-Hochberg at .1 %); {int(empty.sum()):,} were empty."""


def _hashtags(facts: Facts) -> str:
    """How cells were told apart by their hashtags, where there were any."""
    column = "hashtags: singlet"
    tagged = facts.samples[facts.samples[column].notna()] if column in facts.samples else facts.samples.iloc[:0]
    if tagged.empty:
        return ""
    apart = int((tagged[HASHTAG].fillna("") != "").sum()) if HASHTAG in tagged else 0
    doublets = int(tagged["hashtags: doublet"].sum())
    split = f"{apart} samples are the cells of one hashtag in a library of several" if apart else ""
    known = f"{doublets:,} droplets of two hashtags count as called doublets" if apart < len(tagged) else ""
    return f"""Counts of hashtags [@hashing] were read in {len(tagged)} samples: which ones a cell bears was told by a mixture over
        sets of at most two, with a background that depends on the droplet and its RNA as in demuxmix [@demuxmix] and a
        lognormal stain on top of it; calls were made from a posterior of 90 % on. {"; ".join(filter(None, (split, known)))}."""


def _altered(ambient: str) -> str:
    if ambient == "estimate":
        return "counts were not altered"
    return """counts were then corrected: each kind of cell lost the ambient counts of each gene that its share and the profile
        lead to expect, and no more than it had, each cell its own share of UMIs, in whole counts [@soupx]. Quality control
        rests on the counts as they were read"""


def _write_embedding(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    embed = config["embed"]
    harmony = _integration(embed, packages, facts)
    chosen = facts.stability[facts.stability["chosen"].astype(bool)].iloc[0]
    how = (
        "was set in the config"
        if config["cluster"]["resolution"] is not None
        else f"""is the finest whose agreement under subsampling ({config["cluster"]["n_subsamples"]} subsamples of
        {config["cluster"]["subsample_fraction"]:.0%} of the cells), less one standard deviation, is within .025 of the best"""
    )
    writer.section(
        "Embedding and clusters",
        f"""Counts were scaled to 10,000 per cell and log-transformed. {embed["n_top_genes"]:,} highly variable genes were
        chosen within batches by the variance of standardised counts [@hvg] and reduced to {embed["n_pcs"]} principal
        components. {harmony} Neighbours ({embed["n_neighbors"]} with the cell itself) were found exactly with faiss [@faiss]
        and laid out with UMAP [@umap]; nothing is computed from the layout. Data structures follow scanpy [@scanpy].""",
        f"""Cells were clustered with the Leiden algorithm [@leiden] at resolutions
        {", ".join(f"{value:g}" for value in facts.stability["resolution"])}. Resolution {chosen["resolution"]:g}
        ({int(chosen["n_clusters"])} clusters; adjusted Rand index {chosen["stability"]:.2f}) {how}. Of several runs the one of
        highest modularity was taken; how well each cluster holds was measured by its Jaccard similarity to the most like
        cluster of every subsample [@hennig].""",
    )


def _integration(embed: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> str:
    """How batches were brought together, and what that did; or that they were not."""
    mixing = facts.integration.set_index("measure")
    if embed["integrate"] == "none" or "batch_mixing" not in mixing.index:
        return "Batches were not brought together."
    name, package = INTEGRATIONS[embed["integrate"]]
    # What is not in the lock has no recorded version.
    told = f" ({package} {packages[package]})" if packages.get(package) else ""
    return f"""Batches ({words(embed["batch_key"])}) were brought together with {name} [@{embed["integrate"]}]{told}; batch mixing
        among a cell's neighbours went from {mixing.loc["batch_mixing", "before"]:.2f} to
        {mixing.loc["batch_mixing", "after"]:.2f} (0 own batch only, 1 as in the whole study), and
        {mixing.loc["structure_kept", "after"]:.0%} of a cell's neighbours within its batch stayed its neighbours. The
        measures follow scIB [@scib], on groups that were found within each batch beforehand."""


def _write_labels(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    annotate = config["annotate"]
    own = (
        """The cells carry labels that were given with the data; the calls below stand beside them as a second opinion."""
        if annotate["labels"]
        else ""
    )
    reference = _reference(annotate["reference"], packages) if annotate["reference"] else ""
    writer.section(
        "Lineages",
        f"""{own} Each cluster took the lineage whose marker genes it expresses most, genes shared by several lineages weighing
        less, as in ScType [@sctype]; marker sets of which the counts know less than 60 % are left out. Clusters that score
        below {annotate["min_score"]:g} or lead the second lineage by less than {annotate["min_margin"]:g} stay unassigned;
        they, and clusters in which many cells speak for another lineage, were first divided again by the graph of their cells
        alone. Cells whose own marker genes are a hundred times likelier in another lineage than in their cluster's were moved
        to it, also to lineages too rare for a cluster of their own. Cell-cycle genes, Fas and Fasl are in no marker set. Each
        cell's own markers give a second opinion that knows no cluster's name. {reference}""",
    )


def _reference(reference: Mapping[str, Any], packages: Mapping[str, Any]) -> str:
    asked = "held against a labelled reference by rank correlation, after SingleR [@singler]"
    if str(reference["path"]).lower().endswith(PICKLES):
        version = f" {packages['celltypist']}" if packages.get("celltypist") else ""
        asked = f"given to a CellTypist{version} model [@celltypist], whose best match was taken"
    return f"""Every cell was also {asked}; this labels no cell and is reported beside the calls. The reference's SHA-256 begins
        with {str(reference["sha256"])[:12]}."""


def _write_tcells(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    tcells = config["tcells"]
    if facts.states.empty:
        writer.section("T-cell states", "No T cells were found; no states were called.")
        return
    writer.section(
        "T-cell states",
        f"""{len(facts.states):,} cells of {", ".join(words(name) for name in tcells["lineages"])} lineage were scored for
        signatures against control genes of like expression (after Tirosh et al. [@tirosh]), {tcells["n_control_sets"]} matched
        sets a signature, drawn by a rule that looks at no other cell of the study: a score does not move when a sample is
        added. Every cell was held to the same depth, by the chance that each gene would be seen in it [@rarefaction], so that
        a score does not drift with depth either. UCell [@ucell] gives a second opinion. For the calls T cells were embedded
        by themselves ({tcells["n_top_genes"]:,} variable genes and those of the signatures, each weighted by how much more it
        varies than its mean lets expect). Their subsets were told by a mixture model of receptor counts with the neighbours'
        chances as prior. Calls were made on scores averaged over each cell's neighbours: subset and gates come first, then the
        state with the highest z against the matched sets, as they are or in their rise above the middle of all T-cell clusters;
        a cell whose best z is below {tcells["min_z"]:g} stays unassigned. The cell cycle, interferon and residency are flagged
        beside the state. Fas and Fasl define no state.""",
    )


def _write_design(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    design = config["design"]
    formula, df = facts.design.get("formula"), facts.design.get("residual_df")
    fitted = f" ({formula}; {df} residual degrees of freedom)" if formula is not None and df is not None else ""
    adjusted = (
        ", adjusted for " + ", ".join(words(name) for name in design["covariates"]) if design["covariates"] else ""
    )
    form = "every arm has its own mean" if design["model"] == "full" else "main effects only"
    writer.section(
        "Design",
        f"""Factors were {", ".join(f"{words(name)} ({', '.join(words(level) for level in levels)})" for name, levels in design["factors"].items())};
        {form}{adjusted}{fitted}. {len(design["questions"])} questions and {len(design["populations"])} populations were
        named in the config before the data were seen, and each question was checked for estimability before anything was
        computed. A mouse with fewer than {design["min_cells"]} cells of a population was left out of it.""",
    )


def _write_tests(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    level = config["design"]["confidence"]
    writer.section(
        "Tests, mouse by mouse",
        f"""Expression: raw counts were summed per mouse and population, since cells of one mouse are not replicates
        [@squair], scaled by TMM [@tmm], and tested by the quasi-likelihood F-test of edgeR v4 [@edger] (edgepython
        {packages["edgepython"]}). limma-voom [@voom] (pylimma {packages["pylimma"]}) gives a second opinion, and a gene is called
        where both tests call it: Benjamini-Hochberg goes over the larger of the two p-values. Intervals are {level:.0%}
        intervals of edgeR's test. The smallest effect detectable with 80 % power is printed beside every test.""",
        """Signatures, the primary endpoint: the estimate is the mean log2 fold change of a signature's genes, with an interval
        from one score a mouse; fry, the analytic limit of the rotation test ROAST [@roast], asks whether its genes change, and
        camera [@camera] whether they change more than other genes. Genes that define a population are not tested in it.""",
        f"""Composition: centred log-ratios [@aitchison] weighted by their precision, with a linear model whose variances are
        moderated across populations [@limma], as in crumblr [@crumblr]. Single-cell counts carry ratios only: a fold change
        is relative to the other cells of the mouse. {_tell_references(config["design"])} The interval of a population's share
        says which change of all cells together, unseen by sequencing, would undo a change in number.""",
        """Mechanism: Fasl-Fas read-outs declared in advance, one value a mouse, tested with precision-weighted linear
        models. The T cells that died are not in the data; Fas is a target of p53, so the p53 response is scored beside it.""",
        _tell_rescue(config["design"]),
        """Equivalence: the difference of two arms was held against a margin named beforehand by two one-sided tests [@tost],
        whose p-value is small where the arms are the same within it; abundances, mean scores of signatures and mechanism
        read-outs, no single genes."""
        if _asks(config["design"], "equivalence")
        else "",
        _tell_families(config["design"]),
        """Robustness: every declared estimate was found anew without each mouse that can change it, measurements as they
        were. Labels were exchanged between mice that are alike in all other factors and categorical covariates, all ways
        where they are at most 1,000, else 999 drawn at random [@phipson]; the statistic is the t of the same fit. The null of
        a difference or a synergy leaves main effects standing: there the residuals of the model without the contrast are
        permuted [@freedmanlane], which is approximate. The smallest p-value that so few mice can give stands beside.""",
    )


def _asks(design: Mapping[str, Any], kind: str) -> bool:
    return any(question["kind"] == kind for question in design["questions"])


def _tell_rescue(design: Mapping[str, Any]) -> str:
    if not _asks(design, "rescue"):
        return ""
    learned = any(one["readout"] == "axis" for asked in design["questions"] for one in asked.get("readouts", ()))
    axis = """ A learned axis weighs all genes by their shrunken change [@ash] in the other mice: every pair of a healthy and a
        diseased mouse was scored on the axis of the rest, the treated on all of these axes, and intervals were widened for
        the noise that scores share through the axes."""
    return f"""Rescue: the repair over minus the damage, on read-outs declared in the config, with Fieller's interval
        [@fieller] from the joint covariance of both effects, which share mice; not estimable where the damage is not
        separated from zero.{axis if learned else ""} It is called complete where the repaired mice are the same as the healthy
        within a margin by two one-sided tests [@tost]. Genes are called in two stages, the repair's p-value given the damage
        seen, since both share the diseased mice."""


def _tell_families(design: Mapping[str, Any]) -> str:
    others = "Benjamini-Hochberg [@bh] within a question and endpoint"
    n = len(design["endpoints"])
    if not n:
        return f"Adjusted p-values are {others}. No primary endpoint was declared: what stands out was picked after looking."
    return f"""Primary endpoints, declared before the data were seen ({n}), are adjusted within their question among themselves
        by Holm [@holm], which holds the probability of any false claim; all other p-values by {others}, the declared ones
        among them counted."""


def _tell_references(design: Mapping[str, Any]) -> str:
    names = [words(name) for name in design["references"]]
    if not names:
        return "No reference populations were declared, so that no additive log-ratios stand beside."
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"Additive log-ratios against {listed}, declared beforehand, stand beside: a change that each shows is not theirs."


def _write_multiverse(writer: _Writer, config: Mapping[str, Any], packages: Mapping[str, Any], facts: Facts) -> None:
    choices = config["multiverse"]
    if not choices["enabled"]:
        return
    levels = choices["resolutions"] or list(facts.stability["resolution"])
    writer.section(
        "Other choices",
        f"""Cells, labels and tests were repeated for every combination of QC strictness
        ({_listed(choices["mads"], config["quality"]["mads"])} median absolute deviations), doublets ({", ".join(choices["doublets"])}), integration
        ({", ".join(choices["integrate"])}) and resolution ({", ".join(f"{value:g}" for value in levels)}), the study's own
        choices among them. Each headline is shown over all of them as a specification curve [@multiverse]. Combinations share
        their mice and most of their cells, so no p-value was made from them.""",
    )


def _listed(values: list[float], own: float) -> str:
    return ", ".join(f"{value:g}" for value in sorted({*map(float, values), float(own)}))


def _write_software(writer: _Writer, versions: Mapping[str, Any]) -> None:
    packages = versions["packages"]
    listed = ", ".join(
        f"{name} {packages[name]}" for name in ("scanpy", "anndata", "numpy", "scipy", "pandas") if packages.get(name)
    )
    commit = (
        f" (commit {versions['commit'][:10]}{', with changes' if versions.get('modified') else ''})"
        if versions.get("commit")
        else ""
    )
    writer.section(
        "Software",
        f"""livermet {versions["livermet"]}{commit} ran under Snakemake [@snakemake] {packages.get("snakemake")} with Python
        {versions["python"]}, {listed}. All versions, the resolved config and the checksums of the input lie in
        provenance/.""",
    )
