"""Figures show the numbers that they are given: read back from the artists."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from livermet.plots.answers import plot_answers
from livermet.plots.cell_figures import draw_cells
from livermet.plots.design import plot_design
from livermet.plots.genes import count_genes, plot_gene_counts, plot_volcanoes, population_colours
from livermet.plots.markers import plot_markers
from livermet.plots.mice import plot_mice
from livermet.plots.mouse_figures import draw_answers, draw_mice
from livermet.plots.pathways import plot_pathways
from livermet.plots.quality_figures import draw_quality
from livermet.plots.rescue import plot_rescue
from livermet.plots.robustness import plot_robustness
from livermet.plots.samples import share_dropped
from livermet.plots.stability import order_tree, plot_stability
from livermet.plots.state_scores import plot_state_scores
from livermet.plots.style import LINEAGES, TIERS, as_outputs
from livermet.plots.tcell_figures import draw_tcells
from livermet.plots.truth import plot_truth

POPULATIONS = ["CD8_activated", "Neutrophil"]


def texts(figure: Figure) -> list[str]:
    """Every text within a figure's panels."""
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def clusters_of(toy: SimpleNamespace) -> tuple[pd.DataFrame, ...]:
    return toy.clusters, toy.stability, toy.cluster_stability


def questions(toy: SimpleNamespace) -> dict[str, str]:
    return {name: one["sentence"] for name, one in toy.design["questions"].items()}


def all_figures(toy: SimpleNamespace) -> dict[str, Figure]:
    markers = pd.DataFrame(
        {
            "lineage": ["T_cell", "Neutrophil"],
            "gene": "Cd3e",
            "of": "T_cell",
            "n_cells": [9, 8],
            "mean": [2.0, 0.1],
            "share": [0.9, 0.1],
        }
    )
    t_layout = toy.layout.loc[toy.states.index]
    return {
        **draw_quality(toy.barcodes, toy.samples, toy.design, toy.config["quality"]),
        **draw_cells(toy.layout, toy.labels, toy.barcodes, toy.samples, *clusters_of(toy), markers, toy.design),
        **draw_tcells(t_layout, toy.states, toy.scores, toy.barcodes, toy.samples),
        **draw_answers(toy.answers, toy.expression, toy.mechanism, toy.calls, toy.left_out, toy.design),
        **draw_mice(toy.pathways, toy.proportions, toy.readouts, toy.mechanism, toy.composition, toy.design),
        "truth": plot_truth(toy.truth),
    }  # fmt: skip


def test_every_figure_is_written_as_png_and_pdf_and_says_what_is_seen(toy: SimpleNamespace) -> None:
    figures = all_figures(toy)
    for name, figure in as_outputs(figures).items():
        stream = io.BytesIO()
        figure.savefig(stream, format=name.rsplit("_", 1)[1])
        assert stream.tell() > 4000, name
    for name, figure in figures.items():
        assert len(figure.get_suptitle()) > 20, name


def test_dots_are_mice_and_bars_are_means() -> None:
    factors = {"health": ["healthy", "tumour"]}
    table = pd.DataFrame(
        {"quantity": "x", "arm": ["healthy"] * 3 + ["tumour"] * 2, "value": [1.0, 3.0, 2.0, 7.0, np.nan]}
    )
    axis = plot_mice(table, factors, title="t", labels={"x": "X"}).axes[0]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    bars = [line for line in axis.lines if line.get_marker() == "None"]
    assert [list(line.get_ydata()) for line in dots] == [[1.0, 2.0, 3.0], [7.0]]
    assert len(set(dots[0].get_xdata())) == 3  # no dot hides another
    assert [line.get_ydata()[0] for line in bars] == [2.0, 7.0]


def test_log_panels_take_geometric_means_and_keep_zeros_in_sight() -> None:
    factors = {"health": ["healthy", "tumour"]}
    table = pd.DataFrame({"quantity": "x", "arm": "healthy", "value": [0.0, 0.02, 0.32]})
    axis = plot_mice(table, factors, title="t", labels={"x": "X"}, log=True).axes[0]
    dots, bar = axis.lines[0].get_ydata(), axis.lines[1].get_ydata()[0]
    assert list(dots) == pytest.approx([0.01, 0.02, 0.32])
    assert bar == pytest.approx((0.01 * 0.02 * 0.32) ** (1 / 3))
    assert axis.get_yscale() == "log"


def test_design_counts_mice_and_not_samples(toy: SimpleNamespace) -> None:
    twice = pd.concat([toy.samples, toy.samples.assign(sample=toy.samples["sample"] + "x")])
    figure = plot_design(twice, toy.design["factors"], ["batch", "sex"])
    assert "12 mice in 4 arms" in figure.get_suptitle()
    assert [text.get_text() for text in figure.axes[0].texts] == ["3", "3", "3", "3"]
    assert [axis.get_title("left") for axis in figure.axes if axis.get_visible()] == [
        "Mice",
        "batch b1",
        "batch b2",
        "batch b3",
    ]


def test_dropped_barcodes_count_under_their_first_reason(toy: SimpleNamespace) -> None:
    shares = share_dropped(toy.barcodes)
    assert list(shares.columns) == ["too few UMIs", "doublet"]
    assert shares.loc["s01"].to_dict() == pytest.approx({"too few UMIs": 6 / 50, "doublet": 4 / 50})


def test_answers_draw_the_interval_and_fill_what_was_shown(toy: SimpleNamespace) -> None:
    rows = toy.answers[toy.answers["declared"] & (toy.answers["endpoint"] != "rescue")].copy()
    # An interval of its own may exclude zero where the adjusted p-value does not pass.
    rows.loc[rows["endpoint"] == "mechanism", "ci_low"] = 0.05
    figure = plot_answers(rows, questions(toy), {"Fas_in_activated_CD8": "Fas in activated CD8 T cells"})
    axis = figure.axes[0]
    labels = [tick.get_text() for tick in axis.get_yticklabels()]
    assert labels == ["", "CD8 activated: abundance", "Fas in activated CD8 T cells"]
    headings = [text.get_text() for text in axis.findobj(Text) if text.get_fontweight() == "bold" and text.get_text()]
    assert "What does a liver metastasis do?" in headings
    ranges = [
        list(line.get_xdata()) for line in axis.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 1.5
    ]
    assert ranges == [[-2.1, -0.9], [0.05, 0.9]]
    dots = [line for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    assert [dot.get_xdata()[0] for dot in dots] == [-1.5, 0.4]
    assert [to_hex(dot.get_markerfacecolor()) for dot in dots] == [TIERS["confirmatory"].lower(), "#ffffff"]
    assert figure.get_suptitle().startswith("1 of 2 declared estimates of 1 questions")


def test_robustness_draws_a_stroke_for_every_mouse_left_out(toy: SimpleNamespace) -> None:
    rows = toy.answers[toy.answers["declared"]].copy()
    first = rows.iloc[0]
    keys = {name: first[name] for name in ("question", "endpoint", "population", "readout")}
    left_out = pd.DataFrame({**keys, "mouse": ["m01", "m02", "m03"], "estimate": [-1.2, 0.3, np.nan]})
    figure = plot_robustness(rows, left_out, questions(toy), {})
    strokes = [line for line in figure.axes[0].lines if line.get_marker() == "|" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in strokes] == [[-1.2], [0.3]]
    assert strokes[0].get_color() != strokes[1].get_color()
    # The abundance was shown and turns; the rescue was shown and does not.
    assert figure.get_suptitle() == "Without any one mouse: 1 of 2 declared changes that were shown keep their sign"
    assert texts(figure).count("p .10, smallest") == 3
    empty = plot_robustness(rows.iloc[:0], left_out, questions(toy), {})
    assert "No endpoint is declared" in empty.axes[0].texts[0].get_text()


def test_rescue_says_not_estimable_and_ends_boundless_intervals_in_arrows(toy: SimpleNamespace) -> None:
    rows = toy.answers[toy.answers["endpoint"] == "rescue"].copy()
    rows.loc[rows.index[0], "ci_high"] = np.inf
    figure = plot_rescue(rows, questions(toy))
    axis = figure.axes[0]
    assert "1 of 2 read-outs show a rescue" in figure.get_suptitle()
    assert "not estimable" in texts(figure)
    assert [line.get_marker() for line in axis.lines if line.get_marker() in "<>"] == [">"]
    assert plot_rescue(rows.iloc[:0], questions(toy)).axes[0].texts[0].get_text() == "No rescue was asked for."


def test_gene_counts_equal_a_count_by_hand(toy: SimpleNamespace) -> None:
    counts = count_genes(toy.expression).set_index(["question", "population"])
    one = toy.expression[
        (toy.expression["question"] == "site_untreated") & (toy.expression["population"] == "Neutrophil")
    ]
    below = one["adjusted_p_value"] < 0.05
    assert counts.loc[("site_untreated", "Neutrophil"), "n_up"] == (below & (one["log_fold_change"] > 0)).sum()
    assert counts.loc[("site_untreated", "Neutrophil"), "n_down"] == (below & (one["log_fold_change"] < 0)).sum()
    untested = toy.expression.copy()
    untested.loc[untested["population"] == "Neutrophil", ["p_value", "adjusted_p_value"]] = np.nan
    assert texts(plot_gene_counts(untested, ["site_untreated"], POPULATIONS))[1] == "–"


def test_volcano_draws_every_gene_that_passes_and_names_the_strongest(toy: SimpleNamespace) -> None:
    figure = plot_volcanoes(toy.expression, questions(toy), POPULATIONS)
    one = toy.expression[toy.expression["question"] == "site_untreated"]
    below = one[one["adjusted_p_value"] < 0.05]
    dots = figure.axes[0].collections[0].get_offsets()
    assert len(dots) == len(below) > 0
    assert sorted(dots[:, 0]) == pytest.approx(sorted(below["log_fold_change"].clip(-6, 6)))
    assert below.loc[below["p_value"].idxmin(), "gene"] in texts(figure)
    density = figure.axes[0].images[0].get_array()
    assert np.nansum(density) == len(one) - len(below)  # and no gene is lost from the density
    assert "no gene passes" in [text.get_text() for text in figure.axes[1].texts]


def test_pathways_mark_what_passes(toy: SimpleNamespace) -> None:
    figure = plot_pathways(toy.pathways, questions(toy), POPULATIONS)
    marks = sum(len(line.get_xdata()) for axis in figure.axes[:2] for line in axis.lines)
    assert marks == (toy.pathways["adjusted_p_value"] < 0.05).sum() > 0
    passing = toy.pathways.groupby("signature")["adjusted_p_value"].min().lt(0.05).sum()
    assert figure.get_suptitle().startswith(f"{passing} of 3 signatures")


def test_states_show_the_mean_score() -> None:
    cells = [f"c{place}" for place in range(4)]
    scores = pd.DataFrame({"z:Treg": [4.0, 2.0, 0.0, -1.0], "ucell:Treg": 9.0}, index=cells)
    states = pd.DataFrame({"state": ["Treg", "Treg", "CD8_Tex", "unassigned"]}, index=cells)
    figure = plot_state_scores(scores, states)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        "CD8 Tex  (1)",
        "Treg  (2)",
        "unassigned  (1)",
    ]
    assert figure.axes[0].images[0].get_array().ravel().tolist() == [0.0, 3.0, -1.0]
    assert figure.get_suptitle().startswith("75% of 4 T cells take one of 2 states")


def test_markers_scale_each_gene_to_its_best_lineage() -> None:
    table = pd.DataFrame(
        {"lineage": ["B_cell", "T_cell"] * 2, "gene": ["Cd3e", "Cd3e", "Cd79a", "Cd79a"], "of": ["T_cell", "T_cell", "B_cell", "B_cell"],
         "n_cells": [5, 6, 5, 6], "mean": [0.5, 2.0, 3.0, 0.0], "share": [0.1, 0.8, 1.0, 0.0]}
    )  # fmt: skip
    axis = plot_markers(table).axes[0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["Cd3e", "Cd79a"]
    assert axis.collections[0].get_array().tolist() == [1.0, 0.0, 0.25, 1.0]
    assert axis.collections[0].get_sizes().tolist() == pytest.approx([115 * share for share in (0.8, 0.0, 0.1, 1.0)])


def test_arms_show_equal_numbers_of_cells(toy: SimpleNamespace) -> None:
    uneven = toy.barcodes[~((toy.barcodes["sample"] == "s01") & (np.arange(len(toy.barcodes)) % 2 == 0))]
    layout = toy.layout[toy.layout.index.isin(uneven.index)]
    figures = draw_cells(layout, toy.labels, uneven, toy.samples, *clusters_of(toy), pd.DataFrame(), toy.design)
    shown = {len(axis.collections[1].get_offsets()) for axis in figures["umap_arms"].axes}
    assert shown == {100}  # the smallest arm: 40 + 40 + 20
    assert "No marker gene" in texts(figures["markers"])[0]
    colours = {to_hex(colour) for colour in figures["umap"].axes[0].collections[0].get_facecolors()}
    assert LINEAGES["Neutrophil"].lower() in colours


def test_the_clustering_tree_shows_where_cells_come_from_and_what_holds(toy: SimpleNamespace) -> None:
    figure = plot_stability(toy.stability, toy.clusters, toy.cluster_stability)
    assert figure.get_suptitle() == "Resolution 1 is taken: 4 clusters, agreement 0.93 when cells are left out"
    tree, beside = figure.axes
    assert [tick.get_text() for tick in tree.get_yticklabels()] == ["0.5\n3 clusters", "1\n4 clusters"]
    assert [text.get_text() for text in tree.texts[:3]] == ["0", "1", "2"]
    assert sorted(text.get_text() for text in tree.texts[3:]) == ["0", "1", "2", "3"]
    colours = [[to_hex(colour) for colour in nodes.get_facecolors()] for nodes in tree.collections]
    assert colours[0] == ["#0072b2", "#0072b2", "#56b4e9"]
    assert colours[1].count("#d55e00") == 2
    areas = tree.collections[0].get_sizes() - 30
    assert list(areas / areas[0]) == pytest.approx([1, 2 / 3, 1 / 3])
    # Cluster 1 is the only one that is cut: four lines, two of them from the same node.
    ends = [tuple(line.get_xdata()) for line in tree.lines]
    assert len(ends) == 4
    assert len({start for start, _ in ends}) == 3
    assert list(beside.lines[-1].get_xdata()) == [0.99, 0.97]
    assert plot_stability(toy.stability.iloc[:0], toy.clusters, toy.cluster_stability).axes[0].texts


def test_a_single_resolution_is_a_row_of_clusters(toy: SimpleNamespace) -> None:
    one = toy.stability.iloc[1:]
    figure = plot_stability(one, toy.clusters, toy.cluster_stability[toy.cluster_stability["resolution"] == 1.0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2", "3"]
    assert len(figure.axes[0].lines) == 0


def test_tree_lines_do_not_cross_where_they_need_not() -> None:
    # Fine clusters named by size come from coarse ones in another order.
    names = ["0", "1", "2"]
    parts = pd.DataFrame([[0, 0, 50, 0], [90, 0, 0, 40], [0, 60, 0, 0]], index=names, columns=["0", "1", "2", "3"])
    above, below = order_tree([parts])
    places = {name: number for number, name in enumerate(above)}
    parents = [places[str(parts[name].idxmax())] for name in below]
    assert parents == sorted(parents)


def test_truth_counts_verdicts_and_keeps_nulls_off_the_line(toy: SimpleNamespace) -> None:
    figure = plot_truth(toy.truth)
    assert figure.get_suptitle().startswith("2 of 3 planted")
    dots = np.vstack([part.get_offsets() for part in figure.axes[0].collections if len(part.get_offsets())])
    assert dots.tolist() == [[-1.5, -1.4], [1.0, 1.1]]


def test_truth_is_drawn_where_no_effect_could_be_estimated(toy: SimpleNamespace) -> None:
    figure = plot_truth(toy.truth[toy.truth["planted"].isna()])
    assert figure.axes[0].get_xlim() == (-0.3, 1.3)


def test_without_t_cells_the_figures_say_so(toy: SimpleNamespace) -> None:
    empty = toy.states.iloc[:0]
    figures = draw_tcells(toy.layout.iloc[:0], empty, toy.scores.iloc[:0], toy.barcodes, toy.samples)
    assert all("too few" in texts(figure)[0] for figure in figures.values())


def test_a_study_of_one_factor_without_batches_is_drawn(toy: SimpleNamespace) -> None:
    design = {**toy.design, "factors": {"site": toy.design["factors"]["site"]}}
    samples = toy.samples.drop(columns=["batch", "sex", "treatment"])
    figures = draw_quality(toy.barcodes, samples, design, toy.config["quality"])
    figures |= draw_cells(toy.layout, toy.labels, toy.barcodes, samples, *clusters_of(toy), pd.DataFrame(), design)
    assert [text.get_text() for text in figures["design"].axes[0].texts] == ["6", "6"]
    assert [axis.get_title("left") for axis in figures["umap_arms"].axes] == ["subcutaneous", "subcutaneous + liver"]
    for figure in as_outputs(figures).values():
        figure.savefig(io.BytesIO(), format="png")


def test_populations_of_a_volcano_do_not_share_a_colour() -> None:
    names = [
        "T_cell",
        "CD8_T",
        "CD8_activated",
        "Treg",
        "B_cell",
        "NK_cell",
        "Neutrophil",
        "Classical_monocyte",
        "Kupffer_cell",
    ]
    found = population_colours(names)
    assert len(set(found.values())) == len(names)
    assert found["T_cell"] == LINEAGES["T_cell"]


def test_a_study_without_results_is_drawn_as_reasons(toy: SimpleNamespace) -> None:
    nothing = [
        table.iloc[:0] for table in (toy.pathways, toy.proportions, toy.readouts, toy.mechanism, toy.composition)
    ]
    figures = draw_mice(*nothing, toy.design)
    empty = [getattr(toy, name).iloc[:0] for name in ("answers", "expression", "mechanism", "calls", "left_out")]
    figures |= draw_answers(*empty, toy.design)
    assert all(len(texts(figure)) == 1 and texts(figure)[0].endswith(".") for figure in figures.values())
