"""Volumetric errors drawn: arrows in the volume, slices through it, before and after, and the 21 errors along their axes.

Arrows are magnified by a round number that stands on the chart; colours are cividis, which keeps its order for all eyes and in grey.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision import units
from precision.models.rigid_body import AXES, FUNCTIONS, is_rotation, symbol

from . import drawing, rounding
from .document import Chart
from .drawing import ACCENTS, DOWN_COLOR, FAINT, INK, SOFT, UP_COLOR
from .rounding import typographic
from .visible_text import visible

Array = NDArray[np.float64]

COLORMAP: Final = "cividis"
MOST_ARROWS: Final = 5
"""Along each axis in the 3-D chart; more hide one another."""
LETTER_COLORS: Final = {"X": UP_COLOR, "Y": DOWN_COLOR, "Z": ACCENTS[0], "A": UP_COLOR, "B": DOWN_COLOR, "C": ACCENTS[0]}
LETTER_DASHES: Final[Mapping[str, Any]] = {"X": "-", "Y": (0, (5, 2)), "Z": (0, (1.5, 1.5)), "A": "-", "B": (0, (5, 2)), "C": (0, (1.5, 1.5))}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """Deviations on a grid. x_m, y_m, z_m : (nx,), (ny,), (nz,). delta_m : (3, nx, ny, nz) m. name : as in "measured", "compensated"."""

    name: str
    x_m: Array
    y_m: Array
    z_m: Array
    delta_m: Array

    def __post_init__(self) -> None:
        shape = (3, self.x_m.size, self.y_m.size, self.z_m.size)
        if self.delta_m.shape != shape or min(shape) < 2 or not np.all(np.isfinite(self.delta_m)):
            raise ValueError(
                f"field {self.name!r}: deviations have shape {self.delta_m.shape}; finite ones of {shape}, with at least 2 points each way, are expected"
            )

    @property
    def length_m(self) -> Array:
        """|Δ|, (nx, ny, nz)."""
        return np.asarray(np.linalg.norm(self.delta_m, axis=0))

    @property
    def lines_m(self) -> tuple[Array, Array, Array]:
        """The grid."""
        return self.x_m, self.y_m, self.z_m


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function:
    """One of the 18 functions: name "EXX", positions (k,) m, values (k,) m or rad, and U (k = 2) at each, or None."""

    name: str
    position_m: Array
    value: Array
    u: Array | None = None


def volume_chart(field: Field, *, tool_m: Sequence[float] = (0.0, 0.0, 0.0), key_numbers: str = "") -> Chart:
    """Arrows all over the volume, as seen from above, the worst place marked."""
    keep = [np.unique(np.linspace(0, line.size - 1, min(line.size, MOST_ARROWS)).round().astype(int)) for line in field.lines_m]
    thin = field.delta_m[:, keep[0]][:, :, keep[1]][:, :, :, keep[2]]
    x, y, z = np.meshgrid(*(line[index] * 1e3 for line, index in zip(field.lines_m, keep, strict=True)), indexing="ij")
    length = np.linalg.norm(thin, axis=0)
    longest = float(field.length_m.max())
    spans = [float(np.ptp(line)) for line in field.lines_m]
    magnified = _round(0.4 * min(spans) / longest) if longest > 0 else 1.0
    unit = units.display_unit(longest, "m")
    worst = _worst(field)
    with drawing.style():
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.4, 5.9), dpi=72)
        axes: Any = figure.add_axes((-0.06, -0.15, 0.98, 1.12), projection="3d")
        axes.set_proj_type("ortho")
        axes.view_init(elev=24, azim=-58)
        norm = Normalize(0.0, units.in_unit(longest, unit) or 1.0)
        mappable = ScalarMappable(norm, COLORMAP)
        colors = mappable.to_rgba(np.array([units.in_unit(float(value), unit) for value in length.ravel()]))
        tip = thin.reshape(3, -1) * magnified * 1e3
        for start, way, color in zip(np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1), tip.T, colors, strict=True):
            axes.plot(*zip(start, start + way, strict=True), color=color, linewidth=1.7, solid_capstyle="round")
        axes.scatter(x.ravel(), y.ravel(), z.ravel(), s=5, color=INK, depthshade=False)
        place = np.array(worst) * 1e3
        end = place + _delta_at(field, worst) * magnified * 1e3
        axes.plot(*zip(place, end, strict=True), color=DOWN_COLOR, linewidth=3.0)
        axes.scatter(*end, s=46, marker="o", facecolors="none", edgecolors=DOWN_COLOR, linewidths=1.8, depthshade=False)
        _box(axes, field)
        for name, line in zip("xyz", field.lines_m, strict=True):
            getattr(axes, f"set_{name}label")(f"{name.upper()} (mm)", labelpad=8)
            getattr(axes, f"set_{name}lim")(line[0] * 1e3, line[-1] * 1e3)
            drawing.few_ticks(getattr(axes, f"{name}axis"))
            getattr(axes, f"{name}axis").pane.set_alpha(0.0)
            getattr(axes, f"{name}axis")._axinfo["grid"].update({"color": FAINT, "linewidth": 0.6})
        axes.set_box_aspect([max(span, 0.25 * max(spans)) for span in spans], zoom=0.98)
        bar = figure.colorbar(mappable, cax=figure.add_axes((0.875, 0.18, 0.018, 0.6)))
        bar.set_label(f"|Δ| ({unit})", color=SOFT)
        bar.outline.set_visible(False)
        _heading(
            figure,
            "Deviation of the tool all over the volume",
            key_numbers or f"largest {_text(longest)} at {_place(worst)}; arrows magnified {_times(magnified)}",
        )
        svg = drawing.svg(figure, salt="volume")
    return Chart(
        svg=svg, title=f"Volumetric deviations, {visible(field.name, longest=40)}",
        how_to_read=(
            f"Each dot is a place the tool is sent to, its line shows where the tool really goes, magnified {_times(magnified)}; colour is the size |Δ|, dark small, yellow large. "
            f"The ringed line is the worst place. Drawn for the tool offset {_place(tool_m)}: with another tool the angles act through another lever."
        ),
        alt=f"Arrows of the tool's deviation in the volume; the largest is {_text(longest)} at {_place(worst)}.", wide=True,
    )  # fmt: skip


def slices_chart(fields: Sequence[Field], *, key_numbers: str = "") -> Chart:
    """Slices at the bottom, middle and top of Z: colour |Δ|, arrows its part in the plane. One row a field, one scale for all: before and after.

    Raises
    ------
    ValueError      no field or more than two, or fields on different grids
    """
    if not 1 <= len(fields) <= 2 or any(not all(np.array_equal(a, b) for a, b in zip(one.lines_m, fields[0].lines_m, strict=True)) for one in fields):
        raise ValueError(f"{len(fields)} fields; one, or two on the same grid (before, after), are expected")
    first = fields[0]
    levels = [0, first.z_m.size // 2, first.z_m.size - 1]
    longest = max(float(field.length_m.max()) for field in fields)
    unit = units.display_unit(longest, "m")
    x, y = first.x_m * 1e3, first.y_m * 1e3
    magnified = _round(0.4 * min(float(np.ptp(x)), float(np.ptp(y))) / (longest * 1e3)) if longest > 0 else 1.0
    with drawing.style():
        from matplotlib.figure import Figure

        rows = len(fields)
        panel = 2.95 * float(np.ptp(y)) / float(np.ptp(x))
        height = 1.45 + rows * (min(max(panel, 1.5), 3.6) + 0.4)
        figure = Figure(figsize=(11.2, height), dpi=72)
        panels = figure.subplots(rows, 3, squeeze=False, sharex=True, sharey=True)
        mesh: Any = None
        for row, field in enumerate(fields):
            for column, level in enumerate(levels):
                axes = panels[row][column]
                size = field.length_m[:, :, level]
                shown = np.array([[units.in_unit(float(value), unit) for value in line] for line in size])
                mesh = axes.pcolormesh(
                    x, y, shown.T, cmap=COLORMAP, vmin=0.0, vmax=units.in_unit(longest, unit) or 1.0, shading="gouraud", rasterized=True
                )
                step_x, step_y = (max(1, math.ceil(line.size / 7)) for line in (x, y))
                gx, gy = np.meshgrid(x[::step_x], y[::step_y], indexing="ij")
                arrows = field.delta_m[:2, ::step_x, ::step_y, level] * magnified * 1e3
                axes.quiver(
                    gx,
                    gy,
                    arrows[0],
                    arrows[1],
                    angles="xy",
                    scale_units="xy",
                    scale=1,
                    color="white",
                    width=0.007,
                    headwidth=3.2,
                    headlength=3.6,
                    headaxislength=3.2,
                )
                axes.set_aspect("equal")
                axes.grid(visible=False)
                axes.set_title(
                    f"{visible(field.name, longest=24)}, Z {typographic(f'{field.z_m[level] * 1e3:.4g}')} mm: up to {_text(float(size.max()))}",
                    fontsize=10,
                    color=INK,
                    loc="left",
                )
                for axis in (axes.xaxis, axes.yaxis):
                    drawing.few_ticks(axis)
        for axes in panels[-1]:
            axes.set_xlabel("X (mm)")
        for axes in panels[:, 0]:
            axes.set_ylabel("Y (mm)")
        figure.subplots_adjust(left=0.065, right=0.905, top=1 - 0.92 / height, bottom=0.56 / height, wspace=0.09, hspace=0.28)
        bar = figure.colorbar(mesh, cax=figure.add_axes((0.925, 0.2, 0.012, 0.5)))
        bar.set_label(f"|Δ| ({unit})", color=SOFT)
        bar.outline.set_visible(False)
        said = "; ".join(
            f"{visible(field.name, longest=24)}: up to {_text(float(field.length_m.max()))}, rms {_text(float(np.sqrt(np.mean(field.length_m**2))))}"
            for field in fields
        )
        _heading(figure, "Slices through the volume", key_numbers or f"{said}; arrows magnified {_times(magnified)}")
        svg = drawing.svg(figure, salt="slices")
    return Chart(
        svg=svg, title="Slices through the volume" + (", before and after" if len(fields) == 2 else ""),
        how_to_read=(
            "Each panel is the plane of X and Y at one height Z. Colour is the size of the deviation in space, dark small, yellow large, on one scale for all panels; the arrows "
            f"are its part in the plane, magnified {_times(magnified)}. Arrows that turn from panel to panel come from angles and squareness, arrows that grow along an axis from its scale."
        ),
        alt=f"Slices of the volume; {said}.", wide=True,
    )  # fmt: skip


def share_chart(fields: Sequence[Field], *, key_numbers: str = "") -> Chart:
    """How much of the volume keeps within which deviation, for up to three states.

    Raises
    ------
    ValueError      no field, or more than three
    """
    if not 1 <= len(fields) <= 3:
        raise ValueError(f"{len(fields)} fields; 1 to 3 are expected")
    longest = max(float(field.length_m.max()) for field in fields)
    unit = units.display_unit(longest, "m")
    with drawing.style():
        figure, axes = drawing.sheet(width=7.4, height=4.6)
        said = []
        for field, color, dash in zip(fields, (UP_COLOR, DOWN_COLOR, ACCENTS[0]), ("-", (0, (5, 2)), (0, (1.5, 1.5))), strict=False):
            size = np.sort(field.length_m.ravel())
            share = np.arange(1, size.size + 1) / size.size * 100
            within = float(np.quantile(size, 0.95))
            axes.step(
                [units.in_unit(float(value), unit) for value in size],
                share,
                where="post",
                color=color,
                linestyle=dash,
                linewidth=1.8,
                label=visible(field.name, longest=40),
            )
            axes.plot(units.in_unit(within, unit), 95, marker="o", color=color, markersize=6, markerfacecolor="white", markeredgewidth=1.6, zorder=5)
            said.append(f"{visible(field.name, longest=24)}: 95 % within {_text(within)}, largest {_text(float(size[-1]))}")
        axes.axhline(95, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.set_ylim(0, 101)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"|Δ| ({unit})")
        axes.set_ylabel("Share of the volume (%)")
        axes.grid(axis="x", visible=True)
        drawing.few_ticks(axes.xaxis)
        drawing.title(axes, "How much of the volume keeps within", key_numbers or "; ".join(said[:2]))
        drawing.legend(axes, axes.get_legend_handles_labels()[0])
        figure.subplots_adjust(left=0.1, right=0.97, top=0.8, bottom=0.12)
        svg = drawing.svg(figure, salt="share")
    return Chart(
        svg=svg, title="How much of the volume keeps within",
        how_to_read="Choose a deviation on the axis below and read how many percent of the volume deviate by no more. A curve further to the left is the better machine; the rings mark 95 %.",
        alt="; ".join(said) + ".",
    )  # fmt: skip


def functions_chart(functions: Sequence[Function], *, key_numbers: str = "") -> Chart:
    """The 18 functions: a column an axis, translations above, rotations below, with U (k = 2) as bands.

    Raises
    ------
    ValueError      a name that is no function
    """
    for one in functions:
        if one.name not in FUNCTIONS:
            raise ValueError(f"{one.name!r} is none of the 18 functions")
    shift = units.display_unit(max((float(np.abs(one.value).max()) for one in functions if not is_rotation(one.name)), default=1e-6), "m")
    turn = "µrad"
    with drawing.style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11.2, 6.4), dpi=72)
        panels = figure.subplots(2, 3, sharey="row", sharex="col", squeeze=False)
        for one in functions:
            rotation = is_rotation(one.name)
            axes = panels[int(rotation)][AXES.index(one.name[2])]
            unit = turn if rotation else shift
            x = one.position_m * 1e3
            y = np.array([units.in_unit(float(value), unit) for value in one.value])
            color, dash = LETTER_COLORS[one.name[1]], LETTER_DASHES[one.name[1]]
            axes.plot(x, y, color=color, linestyle=dash, linewidth=1.7, label=symbol(one.name).replace("_", " "), zorder=4)
            if one.u is not None:
                band = np.array([units.in_unit(float(value), unit) for value in one.u])
                axes.fill_between(x, y - band, y + band, color=color, alpha=0.16, linewidth=0, zorder=2)
        for row in panels:
            for axes in row:
                axes.axhline(0, color=INK, linewidth=0.7, zorder=1)
                axes.grid(axis="x", visible=False)
                drawing.few_ticks(axes.xaxis)
                drawing.few_ticks(axes.yaxis)
                if axes.get_legend_handles_labels()[0]:
                    axes.legend(loc="upper left", ncols=3, fontsize=9, handlelength=2.2, columnspacing=1.1, borderaxespad=0.2)
                axes.margins(y=0.22)
        for axes, axis in zip(panels[1], AXES, strict=True):
            axes.set_xlabel(f"Position of {axis} (mm)")
        panels[0][0].set_ylabel(f"Positioning, straightness ({shift})")
        panels[1][0].set_ylabel(f"Roll, pitch, yaw ({turn})")
        figure.subplots_adjust(left=0.075, right=0.985, top=0.875, bottom=0.085, wspace=0.07, hspace=0.1)
        _heading(figure, "The errors of each axis", key_numbers)
        svg = drawing.svg(figure, salt="functions")
    return Chart(
        svg=svg, title="The errors of each axis",
        how_to_read=(
            "A column is one axis. Above: E XX is its positioning, the other two its straightness, without slope (that is squareness). Below: its rotations about X (A), Y (B) and Z (C). "
            "All are zero at the reference position. The bands are U (k = 2); between the nodes an error is drawn as it is used."
        ),
        alt="Errors along the axes: " + ", ".join(f"{symbol(one.name)} spans {_of(float(np.ptp(one.value)), 'rad' if is_rotation(one.name) else 'm')}" for one in functions) + ".", wide=True,
    )  # fmt: skip


def _heading(figure: Any, text: str, key_numbers: str) -> None:
    height = figure.get_size_inches()[1] * 72
    figure.text(0.012, 1 - 10 / height, text, fontsize=13.5, fontweight="bold", va="top", color=INK)
    figure.text(0.012, 1 - 30 / height, key_numbers, fontsize=10.5, va="top", color=SOFT)


def _box(axes: Any, field: Field) -> None:
    """The edges of the volume."""
    (x0, x1), (y0, y1), (z0, z1) = ((float(line[0]) * 1e3, float(line[-1]) * 1e3) for line in field.lines_m)
    corners = [(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)]
    for i, a in enumerate(corners):
        for b in corners[i + 1 :]:
            if sum(p != q for p, q in zip(a, b, strict=True)) == 1:
                axes.plot(*zip(a, b, strict=True), color=SOFT, linewidth=0.8, zorder=1)


def _worst(field: Field) -> tuple[float, float, float]:
    i, j, k = np.unravel_index(int(np.argmax(field.length_m)), field.length_m.shape)
    return float(field.x_m[i]), float(field.y_m[j]), float(field.z_m[k])


def _delta_at(field: Field, place: Sequence[float]) -> Array:
    i, j, k = (int(np.argmin(np.abs(line - at))) for line, at in zip(field.lines_m, place, strict=True))
    return np.asarray(field.delta_m[:, i, j, k])


def _round(value: float) -> float:
    """The next number below with one digit, 1 to 5."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1.0, 2.0, 3.0, 4.0, 5.0) if step * power <= value)


def _times(magnified: float) -> str:
    return f"{magnified:,.0f} times".replace(",", "\N{NO-BREAK SPACE}")


def _text(value: float) -> str:
    return _of(value, "m")


def _of(value: float, unit: str) -> str:
    shown = "µrad" if unit == "rad" else units.display_unit(value, unit)
    number = units.in_unit(value, shown)
    return f"{typographic(rounding.rounded(number, rounding.decimals_of(number, 3))) if number else '0'} {shown}"


def _place(point_m: Sequence[float]) -> str:
    return ", ".join(f"{axis} {typographic(f'{value * 1e3:.4g}')}" for axis, value in zip(AXES, point_m, strict=True)) + " mm"
