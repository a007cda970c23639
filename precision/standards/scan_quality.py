"""Scan quality of an exposing stage: moving average (MA) and moving standard deviation (MSD) of its error over the exposure slit.

    e_sync(t) = e_W(t) − M·e_R(t)                      wafer level; the sign of the reduction M depends on the lens
    e_x(x_s) = e_x,  e_y(x_s) = e_y + R_z·x_s,  e_z(x_s) = e_z − R_y·x_s        at a slit end x_s (small angles, right handed)
    MA_k = Σ w_i e_{k+i},   MSD_k² = Σ w_i (e_{k+i} − MA_k)²,   Σ w_i = 1        window centre t_k + (W − 1)/2·Ts

y is the scan direction. MSD is blur, not an estimate: its divisor is W. Only windows that lie fully inside the exposure interval count; what is excluded
before it is excluded by the specification, not by looking at the data. MA shifts an image (overlay in x and y, defocus in z), MSD blurs it.

Definitions of MA and MSD from memory of H. Butler, IEEE Control Systems 31(5) (2011) 28.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.moving import moving_mean_std
from ..uncertainty.readings import Readings, largest_normal
from .arrays import Array, positive, vector
from .distribution import Distribution
from .reported import Reported, figure, keyed
from .slit import Slit

AXES: Final = ("x", "y", "z", "Rx", "Ry", "Rz")
UNITS: Final[Mapping[str, str]] = MappingProxyType({**dict.fromkeys(("x", "y", "z"), "m"), **dict.fromkeys(("Rx", "Ry", "Rz"), "rad")})
QUANTILE: Final = 0.997
_LEVERS: Final[Mapping[str, tuple[str, float]]] = MappingProxyType({"y": ("Rz", 1.0), "z": ("Ry", -1.0)})
"""Which rotation adds to which direction at a slit end, and with which sign of x_s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One field of a record. Times in s, in the time of the record; the interval in which the stage exposes, after settling.

    direction : "up" for a scan towards +y, "down" towards −y.
    """

    field: str
    direction: str
    begin_s: float
    end_s: float

    def __post_init__(self) -> None:
        if self.direction not in ("up", "down"):
            raise DataError(f"field {self.field}: direction is {self.direction!r}; expected up or down")
        if not (np.isfinite(self.begin_s) and np.isfinite(self.end_s) and self.end_s > self.begin_s):
            raise DataError(f"field {self.field}: exposure from {self.begin_s:g} s to {self.end_s:g} s; an interval is expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme:
    """Largest |MA| and largest MSD of one quantity in one field, each with the time of its window's centre (s)."""

    ma: float
    ma_at_s: float
    msd: float
    msd_at_s: float
    ma_mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldQuality:
    """One exposure. extremes : quantity ("x", "Rz", "y@−", "y@+", …) -> `Extreme`. windows : how many lay inside the interval."""

    field: str
    direction: str
    windows: int
    extremes: Mapping[str, Extreme]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Scan quality over all fields. Figures "MA_y_max", "MA_y_m3s" (|mean| + 3σ), "MA_y_997", "MSD_y_max", …; with "_up" and "_down" by direction.

    fields : in the order of exposure. slit : weights that were used.
    """

    fields: tuple[FieldQuality, ...]
    slit: Slit


def synchronisation_error(wafer: ArrayLike, reticle: ArrayLike, *, reduction: float = 0.25) -> Array:
    """e_W − M·e_R at wafer level, (n,) float64.

    wafer, reticle : (n,) errors of the two stages at equal time stamps, each at its own level. reduction : M with the sign that the lens gives it.
    """
    e_w = vector("wafer", wafer)
    e_r = vector("reticle", reticle, size=e_w.size)
    if not (np.isfinite(reduction) and 0 < abs(reduction) <= 1):
        raise DataError(f"reduction is {reduction:g}; expected M with 0 < |M| ≤ 1, for example 0.25 or -0.25")
    return np.asarray(e_w - reduction * e_r)


def evaluate(
    error: Mapping[str, ArrayLike],
    exposures: Sequence[Exposure],
    slit: Slit,
    *,
    start_s: float = 0.0,
    slit_width_m: float | None = None,
    readings: Mapping[str, Readings] | None = None,
) -> Result:
    """MA and MSD of a whole record.

    Parameters
    ----------
    error : axis ("x" … "Rz", any of them) -> (n,) float64, m or rad, synchronisation error or error of one stage, equally spaced at `slit.rate_hz`
    exposures : the fields, ascending and not overlapping
    start_s : time of the first sample
    slit_width_m : across the scan; the slit's two ends, ±half of it, are then judged too, in y and z
    readings : axis -> what is known about its sensor; U of that axis' figures is stated from it

    Raises
    ------
    DataError       no axis, an unknown axis, shapes, an exposure outside the record or shorter than the slit, naming the field
    """
    arrays = {axis: np.asarray(values, dtype=np.float64) for axis, values in error.items()}
    return evaluate_blocks([arrays], exposures, slit, start_s=start_s, slit_width_m=slit_width_m, readings=readings)


def evaluate_blocks(
    blocks: Iterable[Mapping[str, ArrayLike]],
    exposures: Sequence[Exposure],
    slit: Slit,
    *,
    start_s: float = 0.0,
    slit_width_m: float | None = None,
    readings: Mapping[str, Readings] | None = None,
) -> Result:
    """`evaluate` of a record that comes in consecutive blocks, for logs that outgrow memory: only the field under exposure is held, and of all windows
    the 0.3 % that decide the quantile. The figures are those of the whole record."""
    ordered = _checked(exposures, slit)
    if slit_width_m is not None:
        positive("slit_width_m", slit_width_m, "m")
    totals = {d: sum(max(0, _span(e, slit, start_s)[1] - _span(e, slit, start_s)[0] - slit.samples + 1) for e in ordered if d in ("all", e.direction))
              for d in ("all", "up", "down")}  # fmt: skip
    seen: dict[tuple[str, str], Distribution] = {}
    fields = []
    axes: tuple[str, ...] = ()
    for exposure, piece, first in _pieces(blocks, ordered, slit, start_s):
        axes = tuple(axis for axis in AXES if axis in piece)
        made: dict[str, Extreme] = {}
        for quantity, values in _quantities(piece, slit_width_m).items():
            ma, msd = moving_mean_std(values, slit.window)
            made[quantity] = _extreme(ma, msd, first, slit, start_s)
            for kind, series in (("MA", ma), ("MSD", msd)):
                for direction in ("all", exposure.direction):
                    key = (f"{kind}_{quantity}", direction)
                    if key not in seen:
                        seen[key] = Distribution(total=totals[direction], quantile=QUANTILE)
                    seen[key].add(series)
        windows = piece[axes[0]].size - slit.samples + 1
        fields.append(FieldQuality(field=exposure.field, direction=exposure.direction, windows=windows, extremes=MappingProxyType(made)))
    return Result(
        title=f"Scan quality of {len(fields)} fields",
        stated=_stated(slit, slit_width_m),
        figures=keyed(_figures(seen, slit, slit_width_m, readings or {})),
        flags=tuple(_flags(axes, ordered, slit)),
        fields=tuple(fields),
        slit=slit,
    )


def _checked(exposures: Sequence[Exposure], slit: Slit) -> tuple[Exposure, ...]:
    ordered = tuple(exposures)
    if not ordered:
        raise DataError("no exposure was given; MA and MSD are of windows inside an exposure interval")
    for before, after in pairwise(ordered):
        if after.begin_s < before.end_s:
            raise DataError(f"field {after.field} begins at {after.begin_s:g} s, before field {before.field} ends at {before.end_s:g} s; sort the exposures")
    for exposure in ordered:
        samples = (exposure.end_s - exposure.begin_s) * slit.rate_hz
        if samples < slit.samples * (1 - 1e-9):
            raise DataError(
                f"field {exposure.field}: the exposure lasts {samples:.6g} samples, the slit {slit.samples}; no window lies inside it. "
                "The interval must be (field length + slit height)/scan speed"
            )
    return ordered


def _span(exposure: Exposure, slit: Slit, start_s: float) -> tuple[int, int]:
    """Samples [first, last) that lie inside the exposure interval, both ends included."""
    rounding = 1e-6
    first = int(np.ceil((exposure.begin_s - start_s) * slit.rate_hz - rounding))
    last = int(np.floor((exposure.end_s - start_s) * slit.rate_hz + rounding)) + 1
    return first, max(last, first + slit.samples)


def _pieces(
    blocks: Iterable[Mapping[str, ArrayLike]], exposures: tuple[Exposure, ...], slit: Slit, start_s: float
) -> Iterator[tuple[Exposure, dict[str, Array], int]]:
    """Each exposure with its samples and the index of their first one."""
    waiting = [(exposure, *_span(exposure, slit, start_s)) for exposure in exposures]
    if waiting[0][1] < 0:
        raise DataError(f"field {waiting[0][0].field} begins at {waiting[0][0].begin_s:g} s, before the record, which begins at {start_s:g} s")
    held: list[dict[str, Array]] = []
    at, held_from = 0, 0
    axes: tuple[str, ...] | None = None
    for raw in blocks:
        block = _block(raw, axes)
        axes = axes or tuple(block)
        size = block[axes[0]].size
        held.append(block)
        at += size
        while waiting and waiting[0][2] <= at:
            exposure, first, last = waiting.pop(0)
            piece = {axis: np.concatenate([part[axis] for part in held])[first - held_from : last - held_from] for axis in axes}
            for axis, values in piece.items():
                if not np.isfinite(values).all():
                    bad = first + int(np.flatnonzero(~np.isfinite(values))[0])
                    raise DataError(f"field {exposure.field}: {axis} is {values[bad - first]} at sample {bad + 1}, inside the exposure; a gap cannot be averaged over")
            yield exposure, piece, first
        held, held_from = _kept(held, held_from, at, waiting[0][1] if waiting else at)
        if not waiting:
            return
    exposure, _, last = waiting[0]
    raise DataError(f"field {exposure.field} ends at {exposure.end_s:g} s, but the record of {at} samples ends at {start_s + max(at - 1, 0) / slit.rate_hz:g} s (sample {last} is needed)")


def _block(raw: Mapping[str, ArrayLike], axes: tuple[str, ...] | None) -> dict[str, Array]:
    unknown = [str(axis)[:20] for axis in raw if axis not in AXES]
    if unknown or not raw:
        raise DataError(f"axes {', '.join(unknown) or 'none'}; expected some of {', '.join(AXES)}")
    block = {axis: np.asarray(values, dtype=np.float64) for axis, values in raw.items()}
    sizes = {axis: values.shape for axis, values in block.items()}
    if len(set(sizes.values())) != 1 or any(len(shape) != 1 for shape in sizes.values()):
        raise DataError(f"axes have shapes {', '.join(f'{axis} {shape}' for axis, shape in sizes.items())}; expected (n,) of equal length")
    if axes is not None and set(axes) != set(block):
        raise DataError(f"a block has axes {', '.join(block)}, the first had {', '.join(axes)}")
    return block


def _kept(held: list[dict[str, Array]], held_from: int, at: int, needed: int) -> tuple[list[dict[str, Array]], int]:
    """Without the blocks that lie before sample `needed`."""
    while held:
        size = next(iter(held[0].values())).size
        if held_from + size > min(needed, at):
            break
        held_from += size
        held = held[1:]
    return held, held_from


def _quantities(piece: Mapping[str, Array], slit_width_m: float | None) -> dict[str, Array]:
    """The axes, and y and z at the two ends of the slit where the rotation is known."""
    found = {axis: piece[axis] for axis in AXES if axis in piece}
    if slit_width_m is not None:
        for axis, (rotation, sign) in _LEVERS.items():
            if axis in piece and rotation in piece:
                lever = sign * slit_width_m / 2 * piece[rotation]
                found[f"{axis}@−"], found[f"{axis}@+"] = piece[axis] - lever, piece[axis] + lever
    return found


def _extreme(ma: Array, msd: Array, first: int, slit: Slit, start_s: float) -> Extreme:
    i, j = int(np.abs(ma).argmax()), int(msd.argmax())
    centre = (slit.samples - 1) / 2
    when = [start_s + (first + k + centre) / slit.rate_hz for k in (i, j)]
    return Extreme(ma=float(ma[i]), ma_at_s=when[0], msd=float(msd[j]), msd_at_s=when[1], ma_mean=float(ma.mean()))


def _stated(slit: Slit, slit_width_m: float | None) -> tuple[str, ...]:
    ends = () if slit_width_m is None else (f"slit ends at ±{slit_width_m / 2 * 1e3:g} mm across the scan",)
    return (slit.stated, "windows fully inside the exposure interval", "MSD with divisor W; σ over windows with divisor n", *ends)


def _flags(axes: tuple[str, ...], exposures: tuple[Exposure, ...], slit: Slit) -> Iterator[str]:
    if missing := [axis for axis in AXES if axis not in axes]:
        yield f"no record of {', '.join(missing)}: their part of overlay, focus and fading is not in these figures"
    directions = {exposure.direction for exposure in exposures}
    if len(directions) == 1:
        yield f"only fields scanned {directions.pop()}: the difference between directions is not known"


_PARTS: Final = (("mean", "mean"), ("3s", "3σ"), ("m3s", "|mean| + 3σ"), ("max", "largest"), ("997", "99.7 % quantile"))


def _figures(seen: Mapping[tuple[str, str], Distribution], slit: Slit, slit_width_m: float | None, readings: Mapping[str, Readings]) -> Iterator[Figure]:
    for (name, direction), found in seen.items():
        kind, _, quantity = name.partition("_")
        axis, at, end = quantity.partition("@")
        unit, where = UNITS[axis], f"{axis} at the slit's {end} end" if at else quantity
        known = _sensor(quantity, slit_width_m, readings)
        values = {"mean": found.mean, "3s": 3 * found.std, "m3s": abs(found.mean) + 3 * found.std, "max": found.largest, "997": found.quantile_value}
        ending, said = ("", "") if direction == "all" else (f"_{direction}", f", scans {direction}")
        for part, words in _PARTS:
            u = None if known is None else _uncertainty(kind, part, known, slit, found.count)
            text = f"{kind} {where}, {words}{said}"
            yield figure(f"{name}_{part}{ending}", text, values[part], unit, u, symbol=f"{kind}_{quantity} {words}{said}")
        if direction == "down" and (name, "up") in seen and kind == "MA":
            difference = seen[name, "up"].mean - found.mean
            words = f"{kind} {where}, mean of scans up − mean of scans down"
            u = None if known is None else math.hypot(*(_uncertainty(kind, "mean", known, slit, n) for n in (seen[name, "up"].count, found.count)))
            yield figure(f"{name}_up_down", words, difference, unit, u, symbol=f"{kind}_{quantity} ↑−↓")


def _sensor(quantity: str, slit_width_m: float | None, readings: Mapping[str, Readings]) -> Readings | None:
    """What is known about a quantity: its own sensor, and at a slit end the sum of the two that it is made of."""
    axis, at, _ = quantity.partition("@")
    own = readings.get(axis)
    if not at or own is None or slit_width_m is None:
        return own
    rotation = readings.get(_LEVERS[axis][0])
    if rotation is None:
        return None
    arm = slit_width_m / 2
    return Readings(
        device=own.device + arm * rotation.device,
        noise=float(np.hypot(own.noise, arm * rotation.noise)),
        drift_range=own.drift_range + arm * rotation.drift_range,
        resolution=own.resolution + arm * rotation.resolution,
    )


def _uncertainty(kind: str, part: str, sensor: Readings, slit: Slit, count: int) -> float:
    """U (k = 2), a bound by the triangle inequality: MA is linear, MSD and σ are seminorms of the sensor's error.

    Bounded errors of range g change a standard deviation by at most g/2; noise of standard deviation v adds v√(Σw²) to an MA and up to v(1 + z√(Σw²/2)) to
    an MSD, z being the largest of as many normal values as windows.
    """
    bounded = sensor.device + sensor.drift_range + sensor.resolution
    averaged = sensor.noise * math.sqrt(slit.sum_of_squares)
    if kind == "MSD":
        return bounded / 2 + sensor.noise + largest_normal(count) * averaged / math.sqrt(2)
    mean = Readings(device=sensor.device, noise=sensor.noise, drift_range=sensor.drift_range, resolution=sensor.resolution).of_mean(count)
    spread = 3 * (bounded / 2 + averaged)
    if part == "mean":
        return mean
    if part == "3s":
        return spread
    if part == "m3s":
        return mean + spread
    return bounded + largest_normal(count) * averaged
