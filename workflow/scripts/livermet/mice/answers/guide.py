"""The page beside a question's tables: what was asked, of which mice, with which contrast, and how p-values are adjusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from livermet import keys
from livermet.mice.design.declared import RESCUE, declare
from livermet.mice.design.questions import EQUIVALENCE

TABLES = {
    "expression.tsv": "genes: edgeR's quasi-likelihood test (`p_value`) and limma-voom's (`voom_p_value`). A gene is called where "
    "both call it: `consensus_p_value` is the larger of the two, and `adjusted_p_value` goes by it. Family: all genes of all "
    "populations that were tested; secondary to the signatures.",
    "pathways.tsv": "gene sets: fry (self-contained) and camera (competitive). Family: all sets of all populations.",
    "composition.tsv": "abundance relative to the other cells of the same mouse. Family: all rows of one `level`.",
    "mechanism.tsv": "Fasl-Fas read-outs, one value a mouse. Family: all read-outs.",
    "robustness.tsv": "the declared rows without each mouse in turn, and among all ways to exchange the mice's labels; "
    "nothing is adjusted.",
}
RESCUE_TABLES = {
    "rescue.tsv": "the share of the damage that is undone, with a Fieller interval. Every read-out was declared in the "
    "config; nothing is adjusted.",
    "rescue_genes.tsv": "genes that the damage moves and the repair moves back. Two stages, each Benjamini-Hochberg "
    "within a population; `strict` asks both of every gene at once.",
}
TIERS = {
    keys.EXPLORATORY: "**Exploratory.** Too few mice to rely on: a lead for a next study, not a result.",
    keys.DESCRIPTIVE: "**Descriptive.** Effects are ranked by their size. There is no p-value and no interval in any table.",
    keys.NOT_ESTIMABLE: "**Not estimable.** The tables have no numbers for this question.",
}


def describe_question(name: str, findings: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """One question in Markdown.

    Parameters
    ----------
    name
        The question.
    findings
        See :meth:`livermet.mice.design.doctor.Findings.to_dict`.
    settings
        The resolved `design` section.

    Returns
    -------
    str
        Sentence, formula, contrast vector, mice, tier with its reason, what the tables hold, the family of adjustment.
    """
    verdict = next(verdict for verdict in findings["verdicts"] if verdict["name"] == name)
    lines = [f"# {verdict['sentence']}", ""]
    if verdict["tier"] in TIERS:
        lines += [TIERS[verdict["tier"]], ""]
    lines += [
        f"- Question: `{name}` ({verdict['kind']})",
        f"- Formula, log2 scale: `{verdict['formula']}`",
        f"- Contrast vector: `{verdict['vector'] or 'none'}`{_of_what(verdict)}",
        f"- Model of a mouse's value: `{findings['formula']}` ({findings['model']})",
        *(f"- Mice in `{group}`: {', '.join(mice) or 'none'}" for group, mice in verdict["mice"].items()),
        f"- Evidence: {verdict['tier']}, because {verdict['because']}",
    ]
    if verdict["smallest_p"] is not None:
        lines.append(
            f"- Smallest p-value that exchanging labels of these mice can give: {verdict['smallest_p']:.3g}, two-sided"
        )
    if verdict["advice"]:
        lines.append(f"- What would help: {verdict['advice']}")
    lines += [
        "",
        f"In a population where mice have fewer than {settings['min_cells']} cells these are left out and the question is "
        "judged anew: the column `tier` of the tables says how far each row can be trusted.",
        "",
        "## Tables",
        "",
        *(f"- `{table}`: {text}" for table, text in (*TABLES.items(), *(RESCUE_TABLES if verdict["kind"] == RESCUE else {}).items())),
        "",
        "## Adjusted p-values",
        "",
        *_families(verdict, settings),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _of_what(verdict: Mapping[str, Any]) -> str:
    return (
        " (of the repair; the tables hold damage and repair, told apart by `question`)"
        if verdict["kind"] == RESCUE
        else ""
    )


def _families(verdict: Mapping[str, Any], settings: Mapping[str, Any]) -> Sequence[str]:
    """Which p-values are adjusted together, in words."""
    told = [
        "Benjamini-Hochberg within this question and one table: the family is what a reader of this table may look through, as "
        "said beside each above. Other questions are other families; nothing is adjusted over questions.",
    ]
    declared = [one for one in declare(settings) if one.question == verdict["name"]]
    if declared:
        named = "; ".join(f"{one.readout} {one.population}".strip() for one in declared)
        told += [
            "",
            f"Declared before the data were seen, and adjusted among themselves by Holm in `answers.tsv`: {named}.",
        ]
    if verdict["kind"] == EQUIVALENCE:
        told += [
            "",
            "This question asks for sameness. Its `p_value` is that of two one-sided tests (`equivalence_p_value`): a small "
            "one says that the difference lies within `margin` (log2; log2 odds for shares). `tost_ci_low` to `tost_ci_high` "
            "is the interval that these tests stand for. The usual test against no difference is `difference_p_value`. "
            "Genes are not tested one by one: `expression.tsv` has no rows.",
        ]
    return told
