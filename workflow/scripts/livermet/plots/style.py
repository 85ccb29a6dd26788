"""One look for every figure: type, lines, and colours that mean the same thing everywhere.

Hues are from the palettes of Okabe & Ito (https://jfly.uni-koeln.de/color/) and Tol
(https://sronpersonalpages.nl/~pault/), which stay apart for the colour-blind. Where there are more classes than hues
can carry (lineages), classes are also labelled where they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from livermet.keys import CONFIRMATORY, DESCRIPTIVE, EXPLORATORY, NOT_ESTIMABLE, UNASSIGNED
from livermet.plots.words import ARM_SEPARATOR, arm_words

INK = "#1f2933"
GREY = "#8a94a0"
PALE = "#e3e7eb"
WIDTH = 9.6  # inches: fills the report's column at 130 dpi

DIVERGING = "RdBu_r"
HUES = ("#7b8794", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#B8A300")
MARKERS = ("o", "s", "^", "D", "v", "P")
TIERS = {CONFIRMATORY: "#0072B2", EXPLORATORY: "#E69F00", DESCRIPTIVE: "#7b8794", NOT_ESTIMABLE: "#c3cad1"}

LINEAGES = {
    "T_cell": "#0072B2", "NK_cell": "#56B4E9", "ILC": "#88CCEE", "B_cell": "#009E73", "Plasma_cell": "#44AA99",
    "Neutrophil": "#E69F00", "Classical_monocyte": "#D55E00", "Patrolling_monocyte": "#EE8866",
    "Monocyte_derived_macrophage": "#882255", "Kupffer_cell": "#CC79A7", "cDC1": "#332288", "cDC2": "#6A5ACD",
    "mregDC": "#9E8FE0", "pDC": "#AA4499", "Mast_cell": "#B8A300", "Basophil": "#DDCC77", "Hepatocyte": "#8B5A2B",
    "Endothelial_cell": "#117733", "Fibroblast": "#999933", "Epithelial_cell": "#C2A878", "Erythrocyte": "#CC3311",
    "Platelet": "#EE99AA", UNASSIGNED: "#c3cad1",
}  # fmt: skip
STATES = {
    "CD8_naive_like": "#FEDA8B", "CD8_activated": "#D55E00", "CD8_effector_memory": "#E69F00", "CD8_Tpex": "#AA4499",
    "CD8_Tex": "#661100", "CD4_naive_like": "#B7DDF2", "CD4_Th1": "#56B4E9", "CD4_Tfh": "#0072B2",
    "CD4_Th17": "#332288", "Treg": "#009E73", "gamma_delta_T": "#B8A300", "NKT": "#44AA99",
    "T_proliferating": "#1f2933", "T_IFN_stimulated": "#CC79A7", "CD8_central_memory": "#F0E442", "CD8_effector": "#882255",
    "MAIT": "#117733", "T_naive_like": "#DDCC99", UNASSIGNED: "#c3cad1",
}  # fmt: skip

_RC = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "axes.edgecolor": "#52606d",
    "axes.labelcolor": INK, "axes.linewidth": 0.7, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.titlecolor": INK, "axes.axisbelow": True,
    "text.color": INK, "xtick.color": "#52606d", "ytick.color": "#52606d", "xtick.labelcolor": INK,
    "ytick.labelcolor": INK, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "xtick.major.width": 0.7,
    "ytick.major.width": 0.7, "xtick.major.size": 3, "ytick.major.size": 3, "legend.frameon": False,
    "legend.fontsize": 8.5, "grid.color": PALE, "grid.linewidth": 0.7, "figure.dpi": 130, "savefig.dpi": 130,
    "pdf.fonttype": 42, "figure.facecolor": "white", "axes.unicode_minus": True,
    "text.parse_math": False,  # a name with dollar signs is no formula
}  # fmt: skip


@contextmanager
def look() -> Iterator[None]:
    """The house's style for everything drawn within."""
    with mpl.rc_context(_RC):
        yield


def canvas(height: float, title: str, width: float = WIDTH) -> Figure:
    """An empty figure with a title that says what is seen.

    Parameters
    ----------
    height, width
        In inches.
    title
        One sentence, set at the left.
    """
    engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.04)
    figure = Figure(figsize=(width, height), layout=engine)
    # Matplotlib takes dollar signs for mathematics while it wraps, whatever `text.parse_math` says.
    wrap = "$" not in title
    figure.suptitle(title, x=0.008, ha="left", fontsize=11.5, fontweight="bold", color=INK, wrap=wrap)
    return figure


def blank(reason: str, title: str = "Nothing to draw") -> Figure:
    """A figure that says why it is empty."""
    with look():
        figure = canvas(1.6, title)
        axes = figure.subplots()
        axes.axis("off")
        axes.text(0.0, 0.5, reason, color=GREY, va="center", fontsize=10, wrap="$" not in reason)
    return figure


def colour_of(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A colour for every name: the house's where it has one, else the next of a fixed row."""
    row = [to_hex(colormaps["tab20"](place)) for place in range(20)]
    unknown = [name for name in names if name not in known]
    spare = {name: row[place % len(row)] for place, name in enumerate(unknown)}
    return {name: known.get(name, spare.get(name, GREY)) for name in names}


@dataclass(frozen=True)
class ArmStyle:
    """How an arm's mice are drawn: the factor with most levels gives the hue, the others marker and filling."""

    colour: str
    marker: str
    filled: bool

    @property
    def face(self) -> str:
        """Colour inside the marker."""
        return self.colour if self.filled else "white"


def arm_styles(factors: Mapping[str, list[str]]) -> dict[str, ArmStyle]:
    """A style for every arm.

    Parameters
    ----------
    factors
        Factor -> levels, reference first.

    Returns
    -------
    dict
        Arm (levels joined by dots) -> style. The reference of the hue factor is grey.
    """
    names = list(factors)
    hue = max(names, key=lambda name: (len(factors[name]), names.index(name)))
    others = [name for name in names if name != hue]
    styles: dict[str, ArmStyle] = {}
    arms: list[tuple[str, ...]] = [()]
    for levels in factors.values():
        arms = [(*arm, level) for arm in arms for level in levels]
    for arm in arms:
        place = dict(zip(names, arm, strict=True))
        shape = sum(factors[name].index(place[name]) * len(MARKERS) ** rank for rank, name in enumerate(others))
        filled = not others or shape > 0
        # Two groups differ in filling alone; more of them need shapes, too.
        marker = MARKERS[shape % len(MARKERS)] if shape > 1 else MARKERS[0]
        styles[ARM_SEPARATOR.join(arm)] = ArmStyle(HUES[factors[hue].index(place[hue]) % len(HUES)], marker, filled)
    return styles


def arm_legend(figure: Figure, arms: Iterable[str], factors: Mapping[str, list[str]], columns: int = 4) -> None:
    """A legend of arms below the figure."""
    styles = arm_styles(factors)
    handles = [
        Line2D([], [], linestyle="", marker=styles[arm].marker, markersize=6.5, markeredgecolor=styles[arm].colour,
               markerfacecolor=styles[arm].face, markeredgewidth=1.4, label=arm_words(arm, factors))
        for arm in arms
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handletextpad=0.2, columnspacing=1.4)


def jitter(count: int, width: float) -> np.ndarray:
    """Even sideways places for `count` dots, centred on 0: nothing random, nothing hidden."""
    return np.linspace(-width, width, count) if count > 1 else np.zeros(count)


def bare(axes: Axes) -> None:
    """No ticks, no frame: for layouts whose coordinates mean nothing."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def dark(colour: str) -> bool:
    """Whether white text reads better on this colour than black."""
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5


def as_outputs(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Every figure under the names of its two files: `<name>_png` and `<name>_pdf`."""
    for figure in figures.values():
        # Laid out once and not again for each file.
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
    return {f"{name}_{ending}": figure for name, figure in figures.items() for ending in ("png", "pdf")}
