"""Pictures of a scanning stage: one field's error with its exposure, and MA and MSD of all fields along the scan with their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from precision.units import display_unit, text

from .document import Chart
from .drawing import DOWN_COLOR, FAINT, INK, REST_COLOR, SOFT, UP_COLOR, few_ticks, sheet, style, svg, title

Array = NDArray[np.float64]

_PER_UNIT: Final = {"pm": 1e12, "nm": 1e9, "µm": 1e6, "mm": 1e3, "m": 1.0}


class Trace(Protocol):
    """One field; see `benchmarks.scan_quality_evaluation.FieldTrace`."""

    @property
    def field(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def time_s(self) -> Array: ...
    @property
    def error_m(self) -> Array: ...
    @property
    def centre_s(self) -> Array: ...
    @property
    def ma_m(self) -> Array: ...
    @property
    def msd_m(self) -> Array: ...
    @property
    def begin_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def inside(self) -> NDArray[np.bool_]: ...


def exposure_chart(trace: Trace) -> Chart:
    """The error of one field over time: acceleration, settling, exposure."""
    seen = (trace.time_s > -0.06) & (trace.time_s < trace.end_s + 0.04)
    unit = display_unit(float(np.abs(trace.error_m[seen]).max()) or 1e-9, "m")
    with style():
        figure, axes = sheet(width=10.5, height=3.9)
        figure.subplots_adjust(left=0.085, right=0.97, top=0.77, bottom=0.15)
        plot: Any = axes
        plot.axvspan(trace.begin_s * 1e3, trace.end_s * 1e3, color=FAINT, alpha=0.7, linewidth=0)
        plot.axvline(0, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        plot.axhline(0, color=SOFT, linewidth=0.8)
        plot.plot(trace.time_s[seen] * 1e3, trace.error_m[seen] * _PER_UNIT[unit], color=UP_COLOR if trace.direction == "up" else DOWN_COLOR, linewidth=0.9)
        plot.set_xlabel("time from the end of acceleration in ms")
        plot.set_ylabel(f"error in y in {unit}")
        inside = (trace.time_s >= trace.begin_s) & (trace.time_s <= trace.end_s)
        key = f"largest error: {text(float(np.abs(trace.error_m[seen]).max()), 'm', digits=3)} in all, {text(float(np.abs(trace.error_m[inside]).max()), 'm', digits=3)} while exposing"
        title(plot, f"Field {trace.field}, scanned {trace.direction}", key)
        drawing = svg(figure, salt="exposure")
    return Chart(
        svg=drawing,
        title=f"Field {trace.field}: error in the scan direction",
        how_to_read="The error dies away after the acceleration ends (dashed). The shaded time is the exposure: from the end of settling, by specification, until the last point has passed the slit.",
        alt=key,
        wide=True,
    )


def moving_chart(traces: Sequence[Trace], *, limits_m: tuple[float | None, float | None], key_numbers: str) -> Chart:
    """MA and MSD of y over the windows inside each exposure, all fields on one another; limits_m : of |MA| and of MSD."""
    with style():
        figure, axes = sheet(width=10.5, height=5.6, rows=(1.0, 1.0))
        figure.subplots_adjust(left=0.085, right=0.97, top=0.84, bottom=0.1, hspace=0.14)
        for plot, name, limit, values in zip(axes, ("MA", "MSD"), limits_m, ("ma_m", "msd_m"), strict=True):
            inside = [trace.inside for trace in traces]
            largest = max((float(np.abs(getattr(t, values)[w]).max()) for t, w in zip(traces, inside, strict=True) if w.any()), default=1e-9)
            unit = display_unit(max(largest, limit or 0.0), "m")
            for trace, window in zip(traces, inside, strict=True):
                color = UP_COLOR if trace.direction == "up" else DOWN_COLOR
                plot.plot(trace.centre_s * 1e3, getattr(trace, values) * _PER_UNIT[unit], color=REST_COLOR, linewidth=0.5, alpha=0.45)
                plot.plot(trace.centre_s[window] * 1e3, getattr(trace, values)[window] * _PER_UNIT[unit], color=color, linewidth=1.0, alpha=0.75)
            for sign in (1, -1) if name == "MA" else (1,):
                if limit is not None:
                    plot.axhline(sign * limit * _PER_UNIT[unit], color=INK, linewidth=1.0, linestyle=(0, (6, 3)))
            reach = 1.3 * max(largest, limit or 0.0) * _PER_UNIT[unit]
            plot.set_ylim(-reach if name == "MA" else 0.0, reach)
            plot.axhline(0, color=SOFT, linewidth=0.8)
            plot.set_ylabel(f"{name} in {unit}")
            few_ticks(plot.yaxis)
        begin, end = min(t.begin_s for t in traces), max(t.end_s for t in traces)
        axes[-1].set_xlim((begin - 0.012) * 1e3, end * 1e3)
        axes[-1].set_xlabel("centre of the window, time from the end of acceleration in ms")
        title(axes[0], "Moving average and moving standard deviation along the scan", key_numbers)
        drawing = svg(figure, salt="moving")
    return Chart(
        svg=drawing,
        title="MA and MSD along the scan",
        how_to_read=(
            "Each line is a field, blue scanned up and orange down; grey outside its exposure. MA is the error averaged over the slit: it shifts the image. MSD is what is left "
            "inside the slit: it blurs the image. Dashed: the limits."
        ),
        alt=key_numbers,
        wide=True,
    )

