"""Overlay in pictures: vector maps of a wafer with the outlines of its fields, colour maps of a component, the field's fingerprint.

Vectors of one figure share a scale, so that before and after can be compared by eye; a map whose vectors would be lost at that scale is
magnified, and says so. Each map has an arrow of a round length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, in_unit, text

from . import drawing
from .document import Chart
from .drawing import DOWN_COLOR, INK, REST_COLOR, SOFT, UP_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_TYPICAL: Final = 0.95
"""The quantile of the vectors' lengths that is drawn as long as `_LENGTH` of the map: single long ones may reach further."""
_LENGTH: Final = 0.085
"""Of the map's width."""
_MAGNIFY_BELOW: Final = 0.3
MOST_ARROWS: Final = 1500
"""Of one map; of more marks as many evenly chosen ones, and the longest of them all. More could not be told apart, and make a report of tens of megabytes."""
_LONGEST: Final = 0.02
MOST_SQUARES: Final = 6000
"""Of a colour map that are drawn one by one; more are drawn as a picture."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorMap:
    """One map. position_m : (n, 2) marks. vector_m : (n, 2) overlay or error, NaN where there is none. name : "measured". numbers : a line below it.
    crossed : (k,) indices of marks that were rejected."""

    position_m: Array
    vector_m: Array
    name: str
    numbers: str = ""
    crossed: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wafer:
    """Outlines. radius_m : of the wafer, None for none. field_centres_m : (f, 2). field_size_m : width and height, None for no outlines."""

    radius_m: float | None
    field_centres_m: Array
    field_size_m: tuple[float, float] | None


@overload
def wafer_maps(maps: Sequence[VectorMap], wafer: Wafer, *, heading: str, format: Literal["svg"] = "svg") -> Chart: ...
@overload
def wafer_maps(maps: Sequence[VectorMap], wafer: Wafer, *, heading: str, format: Literal["png"]) -> bytes: ...
def wafer_maps(maps: Sequence[VectorMap], wafer: Wafer, *, heading: str, format: Literal["svg", "png"] = "svg") -> Chart | bytes:
    """One to three vector maps side by side: as measured, after correction, what is left.

    Raises
    ------
    ValueError      no map, or more than three
    """
    if not 1 <= len(maps) <= 3:
        raise ValueError(f"{len(maps)} maps; expected one to three side by side")
    half = _half_width(maps[0].position_m, wafer)
    typical = [_typical(one.vector_m) for one in maps]
    with drawing.style():
        many = maps[0].vector_m.shape[0]
        some = f"; {MOST_ARROWS} of {many} marks, and the longest" if many > MOST_ARROWS else ""
        figure = _sheet(len(maps), heading, f"arrows: from where a mark should be to where it is{some}")
        for number, (one, size) in enumerate(zip(maps, typical, strict=True)):
            axes = figure.axes[number]
            factor = _magnification(size, max(typical))
            _outline(axes, wafer, half)
            _draw_vectors(axes, one, metres_per_metre=factor * _LENGTH * 2 * half / (max(typical) or 1e-9), half=half)
            drawing.panel_title(axes, one.name + (f", arrows × {factor:g}" if factor > 1 else ""), one.numbers)
        if format == "png":
            return drawing.png(figure)
        svg = drawing.svg(figure, salt="wafer maps")
    return Chart(
        svg=svg,
        title=heading,
        how_to_read=(
            "Each arrow is a mark; its length is many times the true one, as the arrow below each map says. Arrows that turn around "
            "the centre are rotation, arrows that "
            "point away from it are magnification, and a pattern that repeats in every field belongs to the mask, the lens or the scan."
            + (" Orange crosses are marks that were rejected." if any(one.crossed is not None and one.crossed.size for one in maps) else "")
        ),
        alt=f"{heading}: " + "; ".join(f"{one.name}: {one.numbers or 'vectors'}" for one in maps),
        wide=len(maps) > 1,
    )


def component_maps(position_m: Array, values: Sequence[tuple[str, Array]], wafer: Wafer, *, heading: str, unit: str = "m") -> Chart:
    """Colour maps of one or more components (n,) on one scale that is symmetric about 0: orange is positive, blue negative, white 0."""
    half = _half_width(position_m, wafer)
    finite = np.concatenate([part[np.isfinite(part)] for _, part in values])
    largest = float(np.quantile(np.abs(finite), 0.997)) if finite.size else 0.0
    shown = display_unit(largest, unit)
    scale = in_unit(1.0, shown)
    with drawing.style():
        figure = _sheet(len(values), heading, "one colour scale for all; marks outside it are drawn in its last colour")
        image = None
        for axes, (name, part) in zip(figure.axes, values, strict=True):
            _outline(axes, wafer, half)
            there = np.isfinite(part)
            size = min(60.0, max(5.0, 8000.0 / max(1, part.size)))
            limit = largest * scale or 1.0
            image = axes.scatter(
                position_m[there, 0],
                position_m[there, 1],
                c=part[there] * scale,
                cmap=_diverging(),
                vmin=-limit,
                vmax=limit,
                s=size,
                marker="s",
                linewidths=0,
                zorder=3,
                rasterized=part.size > MOST_SQUARES,
            )
            some = part[there]
            numbers = (
                f"mean {text(float(some.mean()), unit, unit=shown, digits=2)}, 3σ {text(3 * float(some.std(ddof=1)), unit, unit=shown, digits=3)}"
                if some.size > 1
                else ""
            )
            drawing.panel_title(axes, name, numbers.replace("mean -", "mean −"))
        if image is not None:
            figure.subplots_adjust(bottom=0.13)
            bar = figure.colorbar(image, cax=figure.add_axes((0.25, 0.085, 0.5, 0.022)), orientation="horizontal", extend="both")
            bar.ax.set_xlabel(shown, labelpad=1)
            bar.outline.set_visible(False)
        svg = drawing.svg(figure, salt="component maps")
    return Chart(
        svg=svg,
        title=heading,
        how_to_read="Orange marks are moved in the positive direction, blue ones in the negative. Stripes or checks between "
        "neighbouring fields come from the scan direction; a slow change comes from the wafer or its chuck.",
        alt=f"{heading}: {', '.join(name for name, _ in values)}, colour scale ±{text(largest, unit, unit=shown, digits=3)}",
        wide=len(values) > 1,
    )


def fingerprint_chart(
    in_field_m: Array, mean_m: Array, *, field_size_m: tuple[float, float], numbers: str, standard_error_m: Array | None = None
) -> Chart:
    """The field's fingerprint: the mean vector at each place in the field, with circles of two standard errors where those are known."""
    with drawing.style():
        from matplotlib.patches import Circle, Rectangle

        width, height = field_size_m
        half = 0.68 * max(width, height)
        figure = _sheet(1, "Fingerprint of the field", numbers, size=(5.2, 5.9))
        figure.subplots_adjust(top=0.9)
        axes = figure.axes[0]
        axes.add_patch(Rectangle((-width / 2, -height / 2), width, height, facecolor="none", edgecolor=SOFT, linewidth=1.0, zorder=1))
        uncertain = 0.0 if standard_error_m is None else 2 * _typical(standard_error_m) / math.sqrt(2)
        scale = 0.11 * 2 * half / (max(_typical(mean_m), uncertain) or 1e-9)
        if standard_error_m is not None:
            for place, mean, error in zip(in_field_m, mean_m, standard_error_m, strict=True):
                if np.isfinite([*mean, *error]).all():
                    axes.add_patch(
                        Circle(
                            tuple(place + scale * mean),
                            2 * scale * float(np.hypot(*error)) / math.sqrt(2),
                            facecolor="none",
                            edgecolor=REST_COLOR,
                            linewidth=0.9,
                            zorder=1.5,
                        )
                    )
        one = VectorMap(position_m=in_field_m, vector_m=mean_m, name="")
        _limits(axes, half)
        _draw_vectors(axes, one, metres_per_metre=scale, half=half)
        svg = drawing.svg(figure, salt="fingerprint")
    return Chart(
        svg=svg,
        title="Fingerprint of the field",
        how_to_read="The mean over all fields at each place of the mask's image: what every exposure repeats. Grey circles are two "
        "standard errors of that mean; an arrow that does not leave its circle is not there.",
        alt=f"Mean vector at {in_field_m.shape[0]} places of the field. {numbers}",
    )


def _sheet(panels: int, heading: str, below: str, *, size: tuple[float, float] | None = None) -> Figure:
    from matplotlib.figure import Figure

    width, height = size or {1: (5.2, 5.9), 2: (10.6, 6.6)}.get(panels, (3.55 * panels, 4.75))
    figure = Figure(figsize=(width, height), dpi=72)
    figure.subplots(1, panels)
    top = 1 - 78 / (height * 72)
    figure.subplots_adjust(left=0.01, right=0.99, top=top, bottom=0.035, wspace=0.04)
    figure.text(0.0, 1 - 8 / (height * 72), heading, fontsize=13.5, fontweight="bold", va="top")
    figure.text(0.0, 1 - 30 / (height * 72), below, fontsize=10.5, color=SOFT, va="top")
    return figure


def _limits(axes: Axes, half: float) -> None:
    axes.set_xlim(-half, half)
    axes.set_ylim(-1.16 * half, half)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _outline(axes: Axes, wafer: Wafer, half: float) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    _limits(axes, half)
    if wafer.field_size_m is not None:
        width, height = wafer.field_size_m
        boxes = [Rectangle((x - width / 2, y - height / 2), width, height) for x, y in wafer.field_centres_m]
        axes.add_collection(PatchCollection(boxes, facecolor="none", edgecolor="#cdd5dc", linewidth=0.6, zorder=1))
    if wafer.radius_m is not None:
        notch = 0.03
        angle = np.linspace(-math.pi / 2 + notch, 3 * math.pi / 2 - notch, 361)
        x, y = wafer.radius_m * np.cos(angle), wafer.radius_m * np.sin(angle)
        axes.plot(np.r_[x, 0, x[0]], np.r_[y, -wafer.radius_m * (1 - 1.4 * notch), y[0]], color=SOFT, linewidth=1.0, zorder=1.2)


def _draw_vectors(axes: Any, one: VectorMap, *, metres_per_metre: float, half: float) -> None:
    """Arrows and, below the map, an arrow of a round length."""
    there = np.isfinite(one.vector_m).all(axis=1)
    crossed = np.zeros(there.size, dtype=bool)
    if one.crossed is not None:
        crossed[one.crossed] = True
    arrow: dict[str, Any] = {
        "angles": "xy",
        "scale_units": "xy",
        "scale": 1.0,
        "units": "inches",
        "headwidth": 3.6,
        "headlength": 4.2,
        "headaxislength": 3.8,
        "minlength": 0.5,
        "pivot": "tail",
    }
    good = _drawn(one.vector_m, there & ~crossed)
    width = 0.012 if good.sum() > 400 else 0.016
    axes.scatter(*one.position_m[~there & ~crossed].T, s=3, color=REST_COLOR, linewidths=0, zorder=2)
    axes.quiver(*one.position_m[good].T, *(one.vector_m[good] * metres_per_metre).T, color=UP_COLOR, width=width, zorder=3, **arrow)
    axes.scatter(*one.position_m[crossed].T, s=26, marker="x", color=DOWN_COLOR, linewidths=1.2, zorder=4)
    length = _round(0.16 * 2 * half / metres_per_metre)
    drawn = length * metres_per_metre
    axes.quiver([-drawn / 2], [-1.08 * half], [drawn], [0.0], color=INK, width=0.018, zorder=3, **arrow)
    label = text(length, "m", unit=display_unit(length, "m"), digits=1)
    axes.annotate(label, (drawn / 2, -1.08 * half), (6, 0), textcoords="offset points", ha="left", va="center", fontsize=10, color=INK)


def _drawn(vector_m: Array, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) those of the `good` vectors that become arrows."""
    index = np.flatnonzero(good)
    if index.size <= MOST_ARROWS:
        return good
    length = np.hypot(*vector_m[index].T)
    longest = index[np.argsort(-length, kind="stable")[: round(_LONGEST * MOST_ARROWS)]]
    chosen = np.zeros(good.size, dtype=bool)
    chosen[index[np.rint(np.linspace(0, index.size - 1, MOST_ARROWS)).astype(int)]] = True
    chosen[longest] = True
    return chosen


def _half_width(position_m: Array, wafer: Wafer) -> float:
    return 1.03 * float(wafer.radius_m or np.abs(position_m).max() or 1.0)


def _typical(vector_m: Array) -> float:
    length = np.hypot(vector_m[:, 0], vector_m[:, 1])
    some = length[np.isfinite(length)]
    return float(np.quantile(some, _TYPICAL)) if some.size else 0.0


def _magnification(size: float, largest: float) -> float:
    """1, or the largest of 2, 5, 10, 20 … that keeps vectors of this size below the largest ones."""
    if not 0 < size < _MAGNIFY_BELOW * largest:
        return 1.0
    return max(1.0, min(_round(largest / size), 1e6))


def _round(value: float) -> float:
    """The largest of 1, 2, 5·10ⁿ that is no larger."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1, 2, 5) if step * power <= value * (1 + 1e-12))


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("overlay", ["#00456d", UP_COLOR, "#9cc9e6", "#f4f6f8", "#f3b78f", DOWN_COLOR, "#8a3a00"])
