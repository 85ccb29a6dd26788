"""The curve shows its numbers: sorted estimates, the choices behind each, the study's own, and what failed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from livermet.mice.checks.multiverse import summarise_curves
from livermet.plots.specification_curve import GREY, OWN, SHOWN, plot_curves

HEADLINES = [("site", "CD8_activated", "composition", "abundance"), ("site", "", "mechanism", "Fasl"),
             ("repair", "CD8_activated", "rescue", "abundance")]  # fmt: skip
CHOICES = list(product([3.0, 5.0], ["remove", "keep"], ["harmony"], [0.5, 1.0]))
DESIGN = {
    "questions": {
        "site": {"sentence": "What does it do?"},
        "other": {"sentence": "-"},
        "repair": {"sentence": "Undone?"},
    }
}
MECHANISM = pd.DataFrame({"readout": ["Fasl"], "label": ["Fasl in macrophages"]})


def table() -> pd.DataFrame:
    """Estimates 0 to 7 in the order of the grid, reversed for the second headline; the third has none in one place."""
    rows = []
    for which, headline in enumerate(HEADLINES):
        for place, choice in enumerate(CHOICES):
            estimate = float(7 - place if which == 1 else place) - 3.0
            if which == 2 and place == 0:
                estimate = np.nan
            rows.append(
                dict(zip(("question", "population", "endpoint", "readout"), headline, strict=True))
                | dict(zip(("mads", "doublets", "integrate", "resolution"), choice, strict=True))
                | {"specification": f"s{place}", "is_default": place == 5, "unit": "log2", "estimate": estimate,
                   "ci_low": estimate - 1, "ci_high": np.inf if place == 7 else estimate + 1,
                   "p_value": 0.1, "adjusted_p_value": 0.1, "tier": "confirmatory", "clear": estimate >= 2,
                   "equivalent": pd.NA}
            )  # fmt: skip
    return pd.DataFrame(rows)


def specifications(failure: str = "") -> pd.DataFrame:
    frame = pd.DataFrame(CHOICES, columns=["mads", "doublets", "integrate", "resolution"])
    frame["specification"] = [f"s{place}" for place in range(len(frame))]
    frame["failure"] = ["", failure, *[""] * (len(frame) - 2)]
    return frame


@pytest.fixture
def figure() -> Figure:
    estimates = table()
    return plot_curves(estimates, summarise_curves(estimates), specifications(), MECHANISM, DESIGN)


def dots(figure: Figure, panel: int, colour: str) -> list[tuple[float, float]]:
    """Dots of a colour in one curve."""
    found = []
    for artist in figure.axes[2 * panel].collections:
        if isinstance(artist, PathCollection):
            offsets, colours = np.asarray(artist.get_offsets()), artist.get_facecolor()
            shades = np.broadcast_to(colours, (len(offsets), 4)) if len(colours) else []
            found += [
                tuple(place) for place, shade in zip(offsets, shades, strict=False) if to_hex(shade) == colour.lower()
            ]
    return found


def test_estimates_are_sorted_and_coloured_by_what_they_show(figure: Figure) -> None:
    for panel in (0, 1):
        shown, hidden = dots(figure, panel, SHOWN), dots(figure, panel, GREY)
        own = set(dots(figure, panel, OWN))
        every = sorted({*shown, *hidden, *own})
        assert [height for _, height in every] == [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
        assert all(height >= 2 for _, height in shown)
        assert all(height < 2 for _, height in hidden)
    assert set(dots(figure, 0, OWN)) == {(5.0, 2.0)}
    assert set(dots(figure, 1, OWN)) == {(2.0, -1.0)}  # turned round: the sixth is the third from below


def test_the_choices_stand_below_their_estimates(figure: Figure) -> None:
    below = figure.axes[1]
    assert [text.get_text() for text in below.get_yticklabels()] == [
        "outliers at 3 MADs", "outliers at 5 MADs", "doublets kept", "doublets removed", "resolution 0.5", "resolution 1",
    ]  # fmt: skip  # one integration is no choice
    columns = [
        sorted(float(segment[0, 0]) for segment in artist.get_segments())
        for artist in below.collections
        if isinstance(artist, LineCollection)
    ]
    assert columns[0] == [0.0, 1.0, 2.0, 3.0]
    assert columns[2] == [2.0, 3.0, 6.0, 7.0]
    assert columns[5] == [1.0, 3.0, 5.0, 7.0]


def test_titles_count_what_holds(figure: Figure) -> None:
    assert figure.get_suptitle() == "0 of 3 headlines say the same in every one of 8 specifications"
    titles = [axis.get_title(loc="left") for axis in figure.axes[::2]]
    assert titles[0].endswith("3 of 8 say the same")
    assert titles[1].startswith("Fasl in macrophages")
    heads = [text.get_text() for text in figure.texts]
    assert "What does it do?" in heads
    assert "Undone?" in heads
    assert "-" not in heads  # a question without a headline has no place


def test_a_boundless_interval_and_a_missing_answer_leave_the_frame_finite(figure: Figure) -> None:
    for axis in figure.axes[::2]:
        assert np.isfinite(axis.get_ylim()).all()
        assert axis.get_ylim()[1] < 10


def test_failures_are_named() -> None:
    estimates = table()
    figure = plot_curves(estimates, summarise_curves(estimates), specifications("no cells"), MECHANISM, DESIGN)
    assert any("1 of 8 failed: s1" in text.get_text() for text in figure.texts)


def test_nothing_declared_says_so() -> None:
    empty = table().iloc[:0]
    assert "Nothing" in plot_curves(empty, summarise_curves(empty), specifications(), MECHANISM, DESIGN).get_suptitle()
