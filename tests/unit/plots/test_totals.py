"""Zones of the total: read back from the artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from livermet.plots.totals import FEWER, MORE, OPEN, PALE_FEWER, PALE_MORE, plot_totals

POPULATIONS = ["CD8_activated", "Macrophage", "B_cell", "Kupffer_cell"]


@pytest.fixture
def table() -> pd.DataFrame:
    shares = {
        "CD8_activated": (-2.0, -1.0),
        "Macrophage": (0.5, 1.5),
        "B_cell": (-0.4, 0.6),
        "Kupffer_cell": (0.3, 5.0),
    }
    rows = [
        {"question": "site", "population": name, "log_fold_change": (low + high) / 2, "share_log_fold_change": (low + high) / 2,
         "share_ci_low": low, "share_ci_high": high, "adjusted_p_value": 0.3 if name == "B_cell" else 0.01,
         "holds_if_total_below": 2.0 if name == "CD8_activated" else np.nan,
         "holds_if_total_above": 2.0**-low if low > 0 else np.nan}
        for name, (low, high) in shares.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(references_agree=pd.array([True, True, pd.NA, False], dtype="boolean"))


def zones(figure: Figure) -> dict[float, list[tuple[float, float, str]]]:
    """Line -> its zones: from, to, colour."""
    found: dict[float, list[tuple[float, float, str]]] = {}
    boxes = next(artist for artist in figure.axes[0].collections if isinstance(artist, PolyCollection))
    for path, colour in zip(boxes.get_paths(), boxes.get_facecolor(), strict=True):
        x, y = path.vertices[:, 0], path.vertices[:, 1]
        found.setdefault(round(float((y.min() + y.max()) / 2), 6), []).append(
            (round(float(x.min()), 6), round(float(x.max()), 6), to_hex(colour))
        )
    return found


def test_zones_end_where_the_interval_of_the_share_says(table: pd.DataFrame) -> None:
    figure = plot_totals(table, {"site": "What does the tumour do?"}, POPULATIONS)
    assert zones(figure) == {
        0.0: [(-3, 1, FEWER), (1, 2, OPEN), (2, 3, PALE_MORE)],
        1.0: [(-3, -1.5, PALE_FEWER), (-1.5, -0.5, OPEN), (-0.5, 3, MORE)],
        2.0: [(-3, -0.6, PALE_FEWER), (-0.6, 0.4, OPEN), (0.4, 3, PALE_MORE)],
        3.0: [(-3, -3, PALE_FEWER), (-3, -0.3, OPEN), (-0.3, 3, MORE)],
    }
    assert "3 of 3 changes shown hold in number if the total stayed the same; the weakest bears 1.2-fold" in (
        figure.get_suptitle()
    )
    ticks = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert list(ticks[0].get_xdata()) == pytest.approx([1.5, -1.0, -0.1, -2.65])


def test_only_what_a_reference_does_not_show_is_hatched(table: pd.DataFrame) -> None:
    figure = plot_totals(table, {"site": "What does the tumour do?"}, POPULATIONS)
    hatched = [artist for artist in figure.axes[0].collections if artist.get_hatch()]
    assert [len(artist.get_paths()) for artist in hatched] == [1]
    assert hatched[0].get_paths()[0].vertices[:, 1].mean() == pytest.approx(3, abs=0.2)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "a reference does not agree" in legend
    agreed = plot_totals(table.assign(references_agree=True), {"site": "What?"}, POPULATIONS)
    assert "a reference does not agree" not in [text.get_text() for text in agreed.legends[0].get_texts()]


def test_a_counted_total_is_drawn_where_it_is(table: pd.DataFrame) -> None:
    counted = table.assign(total_log_fold_change=-0.8, total_ci_low=-1.2, total_ci_high=-0.4)
    axis = plot_totals(counted, {"site": "What does the tumour do?"}, POPULATIONS).axes[0]
    places = [
        line.get_xdata()[0] for line in axis.lines if len(line.get_xdata()) == 2 and line.get_color() == "#E69F00"
    ]
    assert places == [-0.8]
    band = axis.patches[0]
    assert (band.get_x(), band.get_width()) == pytest.approx((-1.2, 0.8))


def test_questions_without_intervals_have_no_panel(table: pd.DataFrame) -> None:
    blind = pd.concat([table, table.assign(question="drug", share_ci_low=np.nan)])
    figure = plot_totals(blind, {"drug": "What does the drug do?", "site": "What does the tumour do?"}, POPULATIONS)
    assert [axis.get_title("left") for axis in figure.axes if axis.get_visible()] == ["What does the tumour do?"]
    empty = plot_totals(table.iloc[:0], {"site": "What?"}, POPULATIONS)
    assert empty.axes[0].texts[0].get_text() == "No abundance has an interval."
