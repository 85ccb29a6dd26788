"""Colours mean the same thing everywhere and stay apart for the colour-blind."""

from __future__ import annotations

import io
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from livermet.plots.style import HUES, LINEAGES, STATES, arm_styles, as_outputs, blank, canvas, colour_of, look
from livermet.plots.words import arm_of, arm_order, arm_words, capital, words

# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113: full deuteranopia and protanopia, linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def seen(colour: str, matrix: np.ndarray) -> np.ndarray:
    """A colour as CIE Lab, seen through a dichromat's eyes."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(
        matrix @ linear, 0, 1
    )
    f = np.cbrt(np.maximum(xyz / np.array([0.9505, 1.0, 1.089]), 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("matrix", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["normal", "deuteranopia", "protanopia"])
def test_arm_hues_stay_apart(matrix: np.ndarray) -> None:
    # The four treatments of the default study; 10 in CIE76 is a difference seen at a glance.
    for first, second in combinations(HUES[:4], 2):
        assert np.linalg.norm(seen(first, matrix) - seen(second, matrix)) > 10


def test_no_two_classes_share_a_colour() -> None:
    for palette in (LINEAGES, STATES):
        assert len({colour.lower() for colour in palette.values()}) == len(palette)


def test_arms_take_hue_from_the_larger_factor_and_filling_from_the_other() -> None:
    factors = {"site": ["sc", "liver"], "treatment": ["none", "rt", "ici"]}
    styles = arm_styles(factors)
    assert list(styles) == ["sc.none", "sc.rt", "sc.ici", "liver.none", "liver.rt", "liver.ici"]
    assert styles["sc.rt"].colour == styles["liver.rt"].colour == HUES[1]
    assert styles["sc.rt"].face == "white"
    assert styles["liver.rt"].face == HUES[1]
    assert len({(style.colour, style.marker, style.filled) for style in styles.values()}) == 6


def test_arms_of_three_groups_differ_in_shape() -> None:
    styles = arm_styles({"site": ["a", "b", "c"], "treatment": ["x", "y", "z"]})
    assert len({(style.colour, style.marker, style.filled) for style in styles.values()}) == 9


def test_a_single_factor_is_filled() -> None:
    styles = arm_styles({"health": ["healthy", "tumour"]})
    assert [(style.colour, style.filled) for style in styles.values()] == [(HUES[0], True), (HUES[1], True)]


def test_unknown_names_get_colours_of_their_own() -> None:
    found = colour_of(["T_cell", "Odd", "Odder"], LINEAGES)
    assert found["T_cell"] == LINEAGES["T_cell"]
    assert len(set(found.values())) == 3


def test_words() -> None:
    assert words("rt_anti_pdl1") == "RT + anti-PD-L1"
    assert words("my_own_level") == "my own level"
    assert words("anti_pdl1_then_rt") == "anti-PD-L1 then RT"
    assert words("art_start") == "art start"
    assert capital("p53 response") == "p53 response"
    assert capital("share of cells") == "Share of cells"
    assert words(float("nan")) == words(None) == ""
    factors = {"site": ["subcutaneous", "subcutaneous_liver"], "treatment": ["untreated", "rt"]}
    assert arm_words("subcutaneous_liver.rt", factors) == "subcutaneous + liver · RT"
    assert arm_order(factors, ["subcutaneous_liver.rt", "subcutaneous.rt"]) == [
        "subcutaneous.rt",
        "subcutaneous_liver.rt",
    ]


def test_levels_with_dots_keep_their_arm(toy) -> None:
    factors = {"dose": ["0.5", "1.5"], "day": ["1", "2"]}
    table = toy.samples.head(2).assign(dose=["0.5", "1.5"], day=["2", "1"])
    assert list(arm_of(table, factors)) == ["0.5.2", "1.5.1"]
    assert arm_words("0.5.2", factors) == "0.5 · 2"


def test_the_look_is_left_behind() -> None:
    before = mpl.rcParams["font.size"]
    with look():
        assert mpl.rcParams["font.size"] == 9
    assert mpl.rcParams["font.size"] == before


def test_figures_have_two_files_and_are_laid_out_once() -> None:
    figure = canvas(2, "A title")
    axis = figure.subplots()
    axis.set_ylabel("a label")
    before = axis.get_position().x0
    outputs = as_outputs({"one": figure})
    assert set(outputs) == {"one_png", "one_pdf"}
    assert outputs["one_png"] is outputs["one_pdf"] is figure
    assert figure.get_layout_engine() is None or type(figure.get_layout_engine()).__name__ == "PlaceHolderLayoutEngine"
    assert axis.get_position().x0 != before
    assert "because" in blank("because").axes[0].texts[0].get_text()


def test_dollar_signs_in_a_name_are_drawn_as_they_are() -> None:
    """As mathematics this name could not be set, and the figure would fail when it is saved."""
    with look():
        figure = canvas(2, r"$\frac{$ of mice")
        figure.subplots().set_xlabel("$x_1$")
        figure.savefig(io.BytesIO(), format="png")
        assert figure.axes[0].xaxis.label.get_parse_math() is False
