"""How our charts are drawn: one palette, one type, quiet axes, and files that are the same bytes whenever and wherever they are drawn.

matplotlib is imported inside the functions (start-up), used without pyplot (no global state), and never reads text as mathematics: a "$" in a name
is a dollar.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UP_COLOR: Final = "#0072B2"
DOWN_COLOR: Final = "#D55E00"
DARK: Final = {UP_COLOR: "#00456d", DOWN_COLOR: "#8a3a00"}
"""Readings stand out on the lines and bands of their own direction."""
MEAN_COLOR: Final = "#3d4854"
REST_COLOR: Final = "#9aa7b4"
ACCENTS: Final = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#16202c")
INK: Final = "#16202c"
SOFT: Final = "#5b6876"
FAINT: Final = "#e1e6eb"

LAYOUT_FONT: Final = "DejaVu Sans"
"""Comes with matplotlib, so the layout is the same on every computer; it is wider than the fonts the reader sees, so nothing collides."""
SHOWN_FONTS: Final = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw inside this context: our settings over matplotlib's defaults, whatever the user's own configuration is."""
    import matplotlib

    settings: dict[str, Any] = {
        "font.family": ["sans-serif"],
        "font.sans-serif": [LAYOUT_FONT],
        "font.size": 10.5,
        "text.color": INK,
        "text.parse_math": False,
        "text.usetex": False,
        "axes.edgecolor": SOFT,
        "axes.linewidth": 0.8,
        "axes.labelcolor": SOFT,
        "axes.labelsize": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "axes.formatter.use_mathtext": False,
        "axes.formatter.limits": (-5, 6),
        "grid.color": FAINT,
        "grid.linewidth": 0.7,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "xtick.major.size": 3.5,
        "ytick.major.size": 0,
        "legend.frameon": False,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "none",
        "svg.image_inline": True,
        "path.simplify": False,
        "savefig.facecolor": "white",
    }
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A name may hold letters that the layout font lacks; the reader's browser has them.
        warnings.filterwarnings("ignore", message=r"(?s).*(Glyph .* missing|does not support .* natively)", category=UserWarning)
        matplotlib.rcdefaults()
        parameters: Any = matplotlib.rcParams
        parameters.update(settings)
        yield


def sheet(*, width: float, height: float, rows: Sequence[float] = (1.0,)) -> tuple[Figure, Any]:
    """A figure of `width` × `height` inches with one axes, or a column of axes with the given heights and one x axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=72)
    axes = figure.subplots(len(rows), 1, sharex=True, height_ratios=rows, squeeze=True)
    for one in figure.axes:
        one.grid(axis="x", visible=False)
    return figure, axes


def title(axes: Axes, text: str, key_numbers: str) -> None:
    """The title at the left edge of the sheet, above the axes, and the key numbers below it."""
    sheet: Any = axes.figure
    place: Any = (sheet.transFigure, axes.transAxes)
    lines: tuple[tuple[str, int, dict[str, Any]], ...] = ((text, 46, {"fontsize": 13.5, "fontweight": "bold"}), (key_numbers, 27, {"fontsize": 10.5, "color": SOFT}))
    for line, height, settings in lines:
        axes.annotate(line, (0.0, 1), (0, height), xycoords=place, textcoords="offset points", va="bottom", **settings)


def panel_title(axes: Axes, text: str, numbers: str) -> None:
    """Name and numbers of one of several panels, centred above it."""
    lines: tuple[tuple[str, int, dict[str, Any]], ...] = ((text, 15, {"fontsize": 11, "fontweight": "bold", "color": INK}), (numbers, 2, {"fontsize": 9.5, "color": SOFT}))
    for line, height, settings in lines:
        axes.annotate(line, (0.5, 1.0), (0, height), xycoords="axes fraction", textcoords="offset points", ha="center", va="bottom", **settings)


def legend(axes: Axes, handles: Sequence[Artist]) -> None:
    """One row between the key numbers and the axes."""
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.005, 1.0), ncols=len(handles), fontsize=10, borderaxespad=0, borderpad=0.5, handlelength=2.2,
                columnspacing=1.8, handletextpad=0.6)


def svg(figure: Figure, *, salt: str) -> str:
    """The figure as SVG: text stays text, no date, no version, identifiers that depend on nothing but the drawing."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    # A white outline behind the letters; as a style it leaves them text, which an outline drawn by matplotlib would not.
    text = re.sub(r'<g id="halo"(>.*?<text style=")', r'<g\1paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; ', buffer.getvalue(), flags=re.DOTALL)
    # Lay out in the font that is everywhere, show in the one the reader's system reads best.
    text = re.sub(r"(<text style=\"[^\"<>]*?)'DejaVu Sans'(?:, sans-serif)?", lambda match: match[1] + SHOWN_FONTS, text)
    return re.sub(r"<\?xml[^>]*\?>\s*|<!DOCTYPE[^>]*>\s*|<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)


def png(figure: Figure, *, dots_per_inch: int = 180) -> bytes:
    """The figure as PNG, without date or version."""
    from matplotlib.patheffects import withStroke

    for letters in figure.findobj(lambda artist: artist.get_gid() == "halo"):
        letters.set_path_effects([withStroke(linewidth=3, foreground="white")])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, bbox_inches="tight", pad_inches=0.2, metadata={"Software": None})
    return buffer.getvalue()


def dimension(axes: Axes, x: float, low: float, high: float, label: str) -> None:
    """A dimension line from `low` to `high` (data) at `x` (axes fraction) with end ticks and its number along it, as on an engineering drawing.

    Where the line is shorter than the number, the number continues it, upwards if there is room. The axes must have their final height and limits.
    """
    transform = axes.get_yaxis_transform()
    axes.plot([x, x], [low, high], color=INK, linewidth=1.1, marker="_", markersize=7, markeredgewidth=1.1, transform=transform, clip_on=False, zorder=6, solid_capstyle="butt")
    size, gap = 10.0, 6.0
    needed = 0.62 * size * len(label) + gap
    frame = axes.get_window_extent()
    bottom, top = (float(axes.transData.transform((0, level))[1]) for level in (low, high))
    settings: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "va": "center", "fontsize": size, "zorder": 7, "clip_on": False, "textcoords": "offset points",
                                "xycoords": transform, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2.2}}
    if top - bottom > needed + gap:
        axes.annotate(label, (x, (low + high) / 2), (0, 0), ha="center", **settings)
    elif frame.y1 - top > needed:
        axes.annotate(label, (x, high), (0, gap), ha="left", **settings)
    else:
        axes.annotate(label, (x, low), (0, -gap), ha="right", **settings)


def label_near(axes: Axes, label: str, *, x: float, low: float, high: float, lines: Sequence[tuple[Any, Any]], marks: Sequence[tuple[Any, Any]]) -> None:
    """Print `label` around the stretch `low`…`high` at `x` (data coordinates), where it covers the least of `lines` and `marks`, near before far.

    The letters have a white outline and no ground, so that what they do cover is still seen. Only their size is estimated; the axes must have their final
    limits and place.
    """
    size = 10.0
    width, height = 0.68 * size * len(label), 1.5 * size
    to_points = axes.transData.transform
    drawn = []
    for line_x, line_y in lines:
        dense = np.linspace(line_x[0], line_x[-1], 600)
        drawn.append(to_points(np.column_stack([dense, np.interp(dense, line_x, line_y)])))
    for mark_x, mark_y in marks:
        drawn += [to_points(np.column_stack([mark_x, mark_y]))] * 20  # one mark hidden is as bad as a stretch of line
    points = np.concatenate(drawn)
    frame = axes.get_window_extent()
    (_, bottom), (middle, top) = to_points((x, low)), to_points((x, high))
    left, right = frame.x0 + 0.5 * width + 2, frame.x1 - 0.5 * width - 2
    above = [(min(max(middle + side * 0.55 * width, left), right), level) for side in (0, -1, 1) for step in (0.75, 1.5, 2.25)
             for level in (top + step * height, bottom - step * height)]  # fmt: skip
    beside = [(middle + side * (0.5 * width + 8), (top + bottom) / 2 + shift * height) for shift in (0, -1, 1) for side in (1, -1)]

    def hidden(centre: tuple[float, float]) -> float:
        outside = not (left - 1 <= centre[0] <= right + 1 and frame.y0 <= centre[1] - height / 2 and centre[1] + height / 2 <= frame.y1)
        covered = (np.abs(points[:, 0] - centre[0]) < width / 2) & (np.abs(points[:, 1] - centre[1]) < height / 2)
        away = max(bottom - centre[1], centre[1] - top, 0.0) + abs(centre[0] - middle) / 2
        return float(np.count_nonzero(covered) + away / height + (1e6 if outside else 0.0))

    best = min([*above, *beside], key=hidden)
    axes.annotate(label, (x, (low + high) / 2), tuple(axes.transData.inverted().transform(best)), textcoords="data", ha="center", va="center", fontsize=size, fontweight="bold",
                  zorder=7, gid="halo")  # fmt: skip


def few_ticks(axis: Any) -> None:
    """At most seven ticks at round numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
