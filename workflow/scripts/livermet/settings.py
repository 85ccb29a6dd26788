"""The typed config: one class a section, every field described, nothing unknown let through.

The Snakefile validates the config once with :func:`resolve` and puts the plain resolved dictionary back; rules hand the
sections on as plain `params:` (an object would not be tracked, and its change would re-run nothing).
"""

from __future__ import annotations

import difflib
import re
from reprlib import Repr
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from livermet.errors import InputError, Problem
from livermet.names import EXPECTED, PATTERN, as_name, has_control, is_formula, visible


def _one_line(text: str) -> str:
    """Free text on one line; it goes to the terminal, to HTML and to tables."""
    text = " ".join(text.split())
    if has_control(text):
        raise ValueError("text without control characters")
    if is_formula(text):
        raise ValueError("text that does not begin like a spreadsheet's formula (=, @, +, -)")
    return text


Fraction = Annotated[float, Field(ge=0, le=1)]
Integration = Literal["harmony", "none", "scanorama", "scvi"]


def _plain_path(path: str) -> str:
    if has_control(path) or "{" in path or "}" in path:
        raise ValueError("a path without braces, which Snakemake has its own use for, and without control characters")
    return path


Name = Annotated[str, Field(pattern=PATTERN)]
FilePath = Annotated[str, Field(min_length=1), AfterValidator(_plain_path)]
Text = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
FeatureName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]


class Section(BaseModel):
    """A part of the config; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Demo(Section):
    """The simulated cohort (only in the demo study)."""

    simulate: bool = Field(False, description="simulate the input named in the sheet before anything else")
    n_genes: int = Field(12000, ge=2000, le=12000, description="genes in the simulated feature table")
    cells_per_mouse: int = Field(500, ge=50, description="median number of cells in a mouse")
    n_empty_droplets: int = Field(1500, ge=100, description="empty droplets in each raw matrix")


class Quality(Section):
    """Which barcodes are kept: adaptive thresholds per sample, hard floors and ceilings."""

    min_umis: int = Field(500, ge=0, description="hard floor on UMIs")
    min_genes: int = Field(200, ge=0, description="hard floor on detected genes")
    max_mitochondrial_fraction: Fraction = Field(0.2, description="hard ceiling on the mitochondrial share")
    max_haemoglobin_fraction: Fraction = Field(0.2, description="hard ceiling on the haemoglobin share")
    mads: float = Field(5.0, gt=0, description="log-scale median absolute deviations that make an outlier")
    min_mitochondrial_cut: Fraction = Field(0.05, description="the adaptive mitochondrial cut never falls below this")
    remove_doublets: bool = Field(True, description="drop called doublets (their score is kept in any case)")
    expected_doublet_rate_per_1000: Fraction = Field(0.008, description="doublet share per 1,000 recovered cells")
    ambient: Literal["estimate", "correct"] = Field(
        "estimate",
        description="estimate: ambient RNA is measured and counts stay as they are; correct: its expected counts are taken "
        "away before samples are merged, the raw counts kept beside",
    )
    call_cells: Literal["auto", "never"] = Field(
        "auto",
        description="auto: where `path` is a raw matrix (no `raw_path`, and most barcodes hold next to nothing) cells are "
        "told from empty droplets; never: every barcode is taken for a cell",
    )
    hashtags: Literal["auto", "never"] | Annotated[list[FeatureName], Field(min_length=1)] = Field(
        "auto",
        description="which features of the counts are hashtags, which tell cells of several samples in one library: auto: those "
        "of 10x's type Multiplexing Capture and antibodies called hashtag, HTO, CMO and the like; never: none; or their ids or "
        "names, and no others",
    )
    counts: Literal["raw", "corrected"] = Field(
        "raw",
        description="raw: counts are whole numbers as they were counted; corrected: CellBender or SoupX took ambient RNA away "
        "beforehand, so fractions are taken, and rounded so that sums are kept (normalised values are refused none the less)",
    )
    min_cells_per_sample: int = Field(50, ge=1, description="a sample that keeps fewer cells is set aside, by name")


class Embed(Section):
    """Normalisation, genes, PCA, integration, neighbours and layout."""

    n_top_genes: int = Field(2000, ge=100, description="highly variable genes (seurat_v3, per batch)")
    n_pcs: int = Field(30, ge=2, description="principal components")
    n_neighbors: int = Field(15, ge=2, description="neighbours in the graph")
    integrate: Integration = Field(
        "harmony", description="how batches are brought together: harmony, none; scanorama, scvi where installed"
    )
    batch_key: str = Field(
        "batch",
        description="the sheet's column that holds the batch; ignored where constant, refused where it is the treatment",
    )


class Cluster(Section):
    """Leiden at several resolutions; the finest that is about as stable as the best is taken."""

    resolutions: list[Annotated[float, Field(gt=0)]] = Field(
        [0.5, 1.0, 1.5, 2.0], min_length=1, description="resolutions tried"
    )
    resolution: float | None = Field(None, gt=0, description="take this one, whatever its stability")
    n_subsamples: int = Field(20, ge=2, description="subsamples for the stability of each resolution")
    subsample_fraction: Fraction = Field(0.8, description="share of cells in a subsample")


class OwnLabels(Section):
    """What the cells are called already: used as given, the markers' calls beside them."""

    column: str | None = Field(None, min_length=1, description="column of obs in every sample's h5ad")
    table: FilePath | None = Field(None, description="or a .tsv or .csv file: sample, barcode, and a column of labels")
    names: dict[str, Name] = Field(
        {}, description="label as given -> lineage; others keep their words, joined by underscores"
    )

    @model_validator(mode="after")
    def _one_source(self) -> OwnLabels:
        if (self.column is None) == (self.table is None):
            raise ValueError("either `column:` or `table:`")
        return self


class CellReference(Section):
    """A labelled reference that every cell is held against, for a second opinion."""

    path: FilePath = Field(
        description="labelled cells (.h5ad), mean profiles (.tsv, .csv) or a CellTypist model (.pkl)"
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] = Field(description="checksum of the file, pinned")
    label: str = Field("", description="of an h5ad: the column of obs that holds the labels")
    allow_pickle: bool = Field(False, description="load a .pkl, which runs whatever code is in it")


class Annotate(Section):
    """Lineages from marker sets, from labels of one's own, and second opinions."""

    markers: FilePath = Field(
        "resources/lineages.yaml",
        description="marker sets: lineage -> up and down genes (.yaml), or a table lineage, gene, direction (.tsv)",
    )
    labels: OwnLabels | None = Field(None, description="labels of one's own take precedence; see below")
    reference: CellReference | None = Field(None, description="a reference for a second opinion; see below")
    min_margin: float = Field(0.15, ge=0, description="a cluster nearer than this to a second lineage stays unassigned")
    min_score: float = Field(0.3, description="a cluster scoring below this for every lineage stays unassigned")


class TCells(Section):
    """T-cell states."""

    states: FilePath = Field("resources/states.yaml", description="state definitions: gates and signatures")
    lineages: list[Name] = Field(["T_cell"], min_length=1, description="lineages taken as T cells")
    min_z: float = Field(1.64, description="a cell whose best state scores below this stays unassigned")
    n_control_sets: int = Field(100, ge=20, description="random matched gene sets behind each z-score")
    n_pcs: int = Field(25, ge=2, description="principal components of the T-cell embedding: more than there are states")
    n_top_genes: int = Field(
        500, ge=100, description="highly variable genes of the T-cell embedding, beside those of the states' signatures"
    )
    min_cells: int = Field(50, ge=2, description="with fewer T cells no embedding of their own is made")


class Macrophages(Section):
    """Macrophage states, by the same machinery as the T cells'."""

    states: FilePath | None = Field(
        None, description="state definitions, such as resources/macrophage_states.yaml; null: no states are called"
    )
    lineages: list[Name] = Field(
        ["Monocyte_derived_macrophage", "Kupffer_cell"], min_length=1, description="lineages taken as macrophages"
    )
    min_z: float = Field(1.64, description="a macrophage whose best state scores below this keeps its lineage only")
    n_control_sets: int = Field(100, ge=20, description="random matched gene sets behind each z-score")


class Population(Section):
    """A group of cells that is tested: the union of the labels named."""

    lineages: list[Name] = Field([], description="lineages that belong to it")
    states: list[Name] = Field([], description="T-cell (and macrophage) states that belong to it")

    @model_validator(mode="after")
    def _not_empty(self) -> Population:
        if not self.lineages and not self.states:
            raise ValueError("name at least one lineage or state")
        return self


class Effect(Section):
    """`level` against `reference` of one factor, within fixed levels of others (averaged over those not named)."""

    kind: Literal["effect"]
    name: Name
    sentence: Text = Field("", description="the question in words; made from the levels where empty")
    factor: Name
    level: Name
    reference: Name
    within: dict[Name, Name] = Field({}, description="factor -> level held fixed")
    tissue: str | None = Field(None, description="tissue the question is about, where the sheet has several")


class Difference(Section):
    """Difference of two effects: the first named minus the second."""

    kind: Literal["difference"]
    name: Name
    sentence: Text = ""
    of: Annotated[list[Name], Field(min_length=2, max_length=2)]


class Synergy(Section):
    """Bliss-like synergy on the log scale: combination - single 1 - single 2 + reference."""

    kind: Literal["synergy"]
    name: Name
    sentence: Text = ""
    factor: Name
    combination: Name
    singles: Annotated[list[Name], Field(min_length=2, max_length=2)]
    reference: Name
    within: dict[Name, Name] = {}
    tissue: str | None = None


class Equivalence(Section):
    """Are the mice of `arm` like those of `like`, within a margin? Two one-sided tests of arm - like."""

    kind: Literal["equivalence"]
    name: Name
    sentence: Text = Field("", description="the question in words; made from the levels where empty")
    arm: Annotated[dict[Name, Name], Field(min_length=1)] = Field(description="factor -> level of the arm judged")
    like: Annotated[dict[Name, Name], Field(min_length=1)] = Field(
        description="factor -> level of the arm it is held against"
    )
    margin: float | None = Field(
        None,
        gt=0,
        description="log2 difference (log2 odds for shares) still called the same; empty: effect_of_interest",
    )
    signature_margin: float | None = Field(
        None, gt=0, description="margin for gene sets, whose means move less than an abundance; empty: margin"
    )
    tissue: str | None = Field(None, description="tissue the question is about, where the sheet has several")


class RescueReadout(Section):
    """What a rescue is measured on: declared before the data are seen."""

    population: Name
    readout: Literal["abundance", "signature", "axis"] = Field(
        description="abundance; signature: a declared gene set; axis: all genes, weighed by the damage in other mice"
    )
    signature: str | None = Field(None, description="the declared axis, for readout: signature")
    margin: float | None = Field(
        None, gt=0, description="log2 difference to the healthy arm still called complete; empty: effect_of_interest"
    )

    @model_validator(mode="after")
    def _signature_named(self) -> RescueReadout:
        if (self.readout == "signature") != (self.signature is not None):
            raise ValueError("readout: signature needs `signature:`, and only that readout takes it")
        return self


class Rescue(Section):
    """How much of a damage a repair undoes: repair effect / -(damage effect), with a Fieller interval."""

    kind: Literal["rescue"]
    name: Name
    sentence: Text = ""
    damage: Name = Field(description="an effect question: what the disease does")
    repair: Name = Field(description="an effect question: what the treatment does in the diseased")
    readouts: Annotated[list[RescueReadout], Field(min_length=1)]


def _tell_apart(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise ValueError(f"names that differ by more than case, not '{other}' and '{name}'")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"every name once, not '{twice}' twice")


Question = Annotated[Effect | Difference | Synergy | Rescue | Equivalence, Field(discriminator="kind")]


class Endpoint(Section):
    """A primary endpoint, declared before the data are seen: what a question is answered by, whatever comes out."""

    endpoint: Literal["composition", "signature", "mechanism"] = Field(description="which test it is read from")
    population: Name | None = Field(None, description="the population, for composition and signature")
    signature: str | None = Field(None, description="the gene set, for endpoint: signature")
    readout: str | None = Field(None, description="the read-out of resources/mechanism.yaml, for endpoint: mechanism")
    questions: list[Name] = Field([], description="questions it is put to; empty: every one that is not a rescue")

    @model_validator(mode="after")
    def _complete(self) -> Endpoint:
        needs = {"composition": {"population"}, "signature": {"population", "signature"}, "mechanism": {"readout"}}
        given = {name for name in ("population", "signature", "readout") if getattr(self, name) is not None}
        if given != needs[self.endpoint]:
            wanted = " and ".join(f"`{name}:`" for name in sorted(needs[self.endpoint]))
            raise ValueError(f"endpoint: {self.endpoint} needs {wanted}, and nothing else beside `questions:`")
        return self


class Design(Section):
    """Factors, replicate, covariates, populations and the questions, all named before the data are seen."""

    replicate: Literal["mouse"] = Field("mouse", description="the unit of replication; never the cell")
    factors: dict[Name, Annotated[list[Name], Field(min_length=2)]] = Field(
        min_length=1, description="factor (a sheet column) -> its levels, the reference first"
    )
    covariates: list[Name] = Field([], description="sheet columns adjusted for, such as batch or sex")
    model: Literal["full", "additive"] = Field(
        "full", description="full: every arm its own mean; additive: main effects"
    )
    min_cells: int = Field(10, ge=1, description="a mouse with fewer cells of a population is left out of it")
    populations: dict[Name, Population] = Field(min_length=1)
    references: list[Name] = Field(
        [], description="two or more populations that every abundance is held against, too; empty: none"
    )
    signatures: list[str] = Field([], description="signatures tested; empty: every set that applies to a population")
    endpoints: list[Endpoint] = Field(
        [], description="primary endpoints, four to six: the report's headlines, adjusted by Holm within a question"
    )
    effect_of_interest: float = Field(1.0, gt=0, description="log2 fold change for which mice per arm are worked out")
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(0.95, description="level of every interval")
    questions: list[Question] = Field(min_length=1)

    @field_validator("factors", "populations", "questions")
    @classmethod
    def _told_apart(cls, value: Any) -> Any:
        """No two names that differ by case only: they become columns and files."""
        _tell_apart([one.name for one in value] if isinstance(value, list) else list(value))
        for levels in value.values() if isinstance(value, dict) else ():
            _tell_apart(levels if isinstance(levels, list) else [])
        return value


class Multiverse(Section):
    """The same questions under other analytic choices: every combination, the study's own among them."""

    enabled: bool = Field(
        False, description="repeat cells, labels and tests for every combination, and draw the curves"
    )
    mads: list[Annotated[float, Field(gt=0)]] = Field([3.0, 5.0, 7.0], description="strictness of the adaptive cuts")
    doublets: list[Literal["remove", "keep", "strict"]] = Field(
        ["remove", "keep"],
        description="called doublets: remove, keep, or strict (called as if twice as many were there)",
    )
    integrate: list[Integration] = Field(
        ["harmony", "none"], description="how batches are brought together, as in `embed.integrate`"
    )
    resolutions: list[Annotated[float, Field(gt=0)]] = Field(
        [], description="resolutions of the clusters; empty: those of `cluster.resolutions`"
    )


class Words(Section):
    """What the answers call things; names that are not given are read with spaces for underscores."""

    names: dict[Name, Text] = Field({}, description="level, population or signature -> what the answers call it")
    groups: dict[Name, Text] = Field({}, description="level -> what the answers call mice of that level")


class Settings(Section):
    """The whole config of a study."""

    study: Name = Field(description="name of the study; results go to results/<study>/")
    title: Text = Field("", description="one line for the top of the report")
    samples: FilePath = Field(description="path of the sample sheet")
    species: Literal["mouse"] = Field("mouse", description="species of the counts")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of everything that is random")
    demo: Demo = Field(default_factory=lambda: Demo())
    quality: Quality = Field(default_factory=lambda: Quality())
    embed: Embed = Field(default_factory=lambda: Embed())
    cluster: Cluster = Field(default_factory=lambda: Cluster())
    annotate: Annotate = Field(default_factory=lambda: Annotate())
    tcells: TCells = Field(default_factory=lambda: TCells())
    macrophages: Macrophages = Field(default_factory=lambda: Macrophages())
    words: Words = Field(default_factory=lambda: Words())
    multiverse: Multiverse = Field(default_factory=lambda: Multiverse())
    design: Design


def resolve(config: dict[str, Any]) -> dict[str, Any]:
    """Validate a config and fill in the defaults.

    Parameters
    ----------
    config
        The config as Snakemake read it.

    Returns
    -------
    dict
        Plain types only, every key present.

    Raises
    ------
    InputError
        With every problem of the config, each with its key.
    """
    try:
        return Settings.model_validate(config).model_dump(mode="json")
    except ValidationError as error:
        raise InputError([_explain(item) for item in error.errors()]) from None


def _explain(item: Any) -> Problem:
    """Turn pydantic's words into the house's."""
    path = [str(part) for part in item["loc"]]
    where = "config " + re.sub(r"\.(effect|difference|synergy|rescue|equivalence)(?=\.|$)", "", ".".join(path))
    if item["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Known keys here: {', '.join(known)}"
        return Problem(where, "unknown key", remedy=remedy if known else "Remove it")
    if item["type"] == "missing":
        return Problem(where, "missing", remedy="Add it; config/README.md says what it means")
    message = item["msg"].removeprefix("Value error, ")
    value = item["input"]
    found = "not valid" if isinstance(value, dict | list) else visible(_REPR.repr(value))
    if item["type"] == "string_type":
        return Problem(where, f"{found} is not text", "text", _quote(value))
    if item["type"] == "string_pattern_mismatch" and "'^[A-Za-z0-9]" in message:
        plain = as_name(str(value))
        return Problem(where, found, EXPECTED, f"Did you mean '{plain}'?" if plain and plain != value else "")
    if item["type"] in ("int_type", "float_type", "int_from_float") and isinstance(value, str | float):
        return Problem(where, found, message, _as_number(value))
    return Problem(where, found, message)


_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 200


def _quote(value: Any) -> str:
    """How a value that YAML took for something else is made a text."""
    if isinstance(value, bool | int | float) or value is None:
        text = (
            "null" if value is None else str(value).lower() if isinstance(value, bool) else visible(_REPR.repr(value))
        )
        return f"Put it in quotes: '{text}'"
    return "Write a word, in quotes where YAML would take it for something else"


def _as_number(value: str | float) -> str:
    """How a number is written so that YAML reads it as one."""
    try:
        number = float(value)
        whole = int(number) == number
    except (ValueError, OverflowError):
        return "Write a number"
    return f"Write {int(number) if whole else number}" + (", without quotes" if isinstance(value, str) else "")


def _known_keys(path: list[str]) -> list[str]:
    """Keys that the section at `path` knows; the path may step through lists, mappings and kinds of question."""
    sections: list[type[BaseModel]] = [Settings]
    for part in path:
        kinds = [section for section in sections if section.__name__.lower() == part]
        fields = [section.model_fields[part].annotation for section in sections if part in section.model_fields]
        sections = kinds or [inner for annotation in fields for inner in _models(annotation)] or sections
    return list(dict.fromkeys(key for section in sections for key in section.model_fields))


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every section that a type annotation holds, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
