"""Stability margins of a measured loop L: every crossing, the delay and modulus margins, the peaks of S and T, the bandwidths by name.

Between two measured lines the complex L is interpolated over log f by the cubic through the four nearest — of L, or of 1/L where that bends less: next to a zero L is
a polynomial, next to a pole 1/L — and crossings are looked for on that curve: an angle or a magnitude interpolated by itself goes wrong where the phase wraps. Nothing is extrapolated: what does not happen between the first and the last line is None with
that reason.

    PM = 180° + arg L where |L| = 1      GM = 1/|L| where arg L = −180°      delay margin = PM/(360° f), the smallest, with PM in 0 … 360°
    MM = min |1 + L| = 1/Ms              Mt = max |L/(1 + L)|                GM ≥ Ms/(Ms − 1), PM ≥ 2 asin(1/(2 Ms))

U (k = 2) follows from the uncertainty of the measured response: with u = u(|L|)/|L| in each of the two directions, u(PM) = u √(1 + (dφ/d ln|L|)²),
u(ln GM) = u √(1 + (d ln|L|/dφ)²), u(MM) = u·|L| at that place; u holds what the two interpolations differ by. Margins are of a loop that is stable when it is closed, as one that was measured closed is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..kernels.resample import resample
from .arrays import Array
from .frequency_response import Complex, Response
from .reported import Reported, figure, keyed

FINE: Final = 32
"""Places between two lines at which the interpolated loop is looked at."""
NO_U: Final = "the response came without an uncertainty (give coherence and averages, or sd)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A place where |L| = 1 ("gain") or arg L = −180° ("phase").

    margin : phase margin in rad (−π … π), or gain margin as a factor.  u : its standard uncertainty, None where the response has none.
    rising : whether |L| rises, or the phase, with frequency.  coherence : of the lines next to it, the lower; None where not known.
    """

    frequency_hz: float
    margin: float
    u: float | None
    rising: bool
    coherence: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "PM" (rad), "GM_up", "GM_down" (factors), "delay" (s), "MM", "Ms", "Mt", their places "f_PM", "f_GM", "f_Ms", "f_Mt" (Hz), and the bandwidths "f_L_first",
    "f_L_last" (|L| = 1), "f_T" (|T| last through −3 dB), "f_S" (|S| first through −3 dB).

    gain_crossings, phase_crossings : all of them, in order of frequency.
    """

    gain_crossings: tuple[Crossing, ...]
    phase_crossings: tuple[Crossing, ...]


def of_response(loop: Response) -> Result:
    """Margins of a measured loop. DataError where it has a unit: then it is no loop, but a plant."""
    if loop.unit:
        raise DataError(
            f"the response is in {loop.unit}; a loop has no unit: multiply plant and controller (`frequency_response.series`), or measure the loop"
        )
    return evaluate(loop.frequency_hz, loop.response, component_u=loop.component_u, coherence=loop.coherence, flags=loop.flags)


def evaluate(
    frequency_hz: ArrayLike, loop: ArrayLike, *, component_u: ArrayLike | None = None, coherence: ArrayLike | None = None, flags: tuple[str, ...] = ()
) -> Result:
    """Margins of L at some frequencies.

    Parameters
    ----------
    frequency_hz : (m,) ascending, above 0, m ≥ 4
    loop : (m,) complex, open loop: not 1/(1 + L), not T, from which no phase margin can be read
    component_u : (m,) standard uncertainty of |L|; None: no U
    coherence : (m,) 0 … 1

    Raises
    ------
    DataError       shapes, order, numbers that are none
    """
    f, response = np.array(frequency_hz, dtype=np.float64), np.array(loop, dtype=np.complex128)
    if f.ndim != 1 or f.size < 4 or response.shape != f.shape:
        raise DataError(f"frequency_hz has shape {f.shape} and loop {response.shape}; expected the same (m,) with m ≥ 4")
    if not (np.all(np.isfinite(f)) and f[0] > 0 and np.all(np.diff(f) > 0)):
        raise DataError("frequency_hz must be finite, above 0 and ascend; leave out the line at 0")
    if not np.all(np.isfinite(response)) or not np.all(np.abs(response) > 0):
        raise DataError("loop holds a value that is 0 or no number; leave those lines out")
    extra = [None if one is None else np.array(one, dtype=np.float64) for one in (component_u, coherence)]
    for name, one in zip(("component_u", "coherence"), extra, strict=True):
        if one is not None and (one.shape != f.shape or not np.all(one >= 0)):
            raise DataError(f"{name} has shape {one.shape}; expected {f.shape} numbers, 0 or more")
    curve = _Curve(f, response, *extra)
    gains = tuple(curve.gain_crossing(at) for at in curve.roots(lambda x: np.log(np.abs(x))))
    phases = tuple(curve.phase_crossing(at) for at in curve.roots(lambda x: x.imag, where=lambda x: x.real < 0))
    figures = [*_margin_figures(curve, gains, phases), *_peak_figures(curve), *_bandwidths(curve, gains)]
    notes = list(flags)
    for crossing in (*gains, *phases):
        if crossing.coherence is not None and crossing.coherence < 0.8:
            notes.append(f"coherence is {crossing.coherence:.3g} at the crossing at {crossing.frequency_hz:.5g} Hz: the margin there is hardly known")
    if len(gains) > 1:
        notes.append(
            f"|L| crosses 1 {len(gains)} times ({', '.join(f'{one.frequency_hz:.5g} Hz' for one in gains[:8])}): the smallest margins are reported, all are listed"
        )
    return Result(
        title=f"Margins of a loop measured at {f.size} frequencies, {f[0]:.5g} … {f[-1]:.5g} Hz",
        stated=("complex L (or 1/L) interpolated by cubics over log f, nothing extrapolated", "margins of a loop that is stable when closed"),
        figures=keyed(figures),
        flags=tuple(notes),
        gain_crossings=gains,
        phase_crossings=phases,
    )


def gain_margin_from_peak(ms: float) -> float:
    """The gain margin that a peak of S guarantees: Ms/(Ms − 1).

    >>> gain_margin_from_peak(2.0)
    2.0
    """
    if not ms > 1:
        raise DataError(f"Ms is {ms:g}; the peak of the sensitivity is above 1")
    return ms / (ms - 1)


def phase_margin_from_peak(ms: float) -> float:
    """The phase margin (rad) that a peak of S guarantees: 2 asin(1/(2 Ms)).

    >>> round(math.degrees(phase_margin_from_peak(2.0)), 3)
    28.955
    """
    if not ms > 1:
        raise DataError(f"Ms is {ms:g}; the peak of the sensitivity is above 1")
    return 2 * math.asin(1 / (2 * ms))


class _Curve:
    """The interpolated loop."""

    def __init__(self, f: Array, loop: Complex, u: Array | None, coherence: Array | None) -> None:
        self.f, self.loop, self.u, self.coherence = f, loop, u, coherence
        self.x = np.log(f)
        self.inverse = _bends_less(self.x, 1 / loop, loop)
        part = np.arange(FINE) / FINE
        self.grid = np.append((self.x[:-1, None] + np.diff(self.x)[:, None] * part).ravel(), self.x[-1])
        self.fine = self.at(self.grid)

    def at(self, x: Array | float) -> Complex:
        """L at log f."""
        places = np.clip(np.atleast_1d(np.asarray(x, dtype=np.float64)), self.x[0], self.x[-1])
        interval = np.clip(np.searchsorted(self.x, places, side="right") - 1, 0, self.x.size - 2)
        direct, of_inverse = self.both(places)
        return np.asarray(np.where(self.inverse[interval], of_inverse, direct))

    def both(self, places: Array) -> tuple[Complex, Complex]:
        """L at log f by the cubic of L, and by that of 1/L (where that is 0, by the former)."""
        other = 1 / self.loop
        rows = np.stack([self.loop.real, self.loop.imag, other.real, other.imag])
        parts = np.asarray(resample(self.x, rows, np.clip(places, self.x[0], self.x[-1]), method="cubic"))
        direct, of_inverse = parts[0] + 1j * parts[1], parts[2] + 1j * parts[3]
        return direct, np.where(of_inverse != 0, 1 / np.where(of_inverse != 0, of_inverse, 1.0), direct)

    def value(self, x: float) -> complex:
        return complex(self.at(x)[0])

    def roots(self, of: Callable[[Complex], Array], where: Callable[[Complex], NDArray[np.bool_]] | None = None) -> list[float]:
        """log f at which a real function of L changes sign."""
        from scipy.optimize import brentq

        values = of(self.fine)
        found = []
        for k in np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0):
            at = float(brentq(lambda x: float(of(self.at(x))[0]), self.grid[k], self.grid[k + 1], xtol=1e-14))
            if where is None or bool(where(self.at(at))[0]):
                found.append(at)
        found += [float(self.grid[k]) for k in np.flatnonzero(values == 0) if where is None or bool(where(self.fine[k : k + 1])[0])]
        return sorted(found)

    def lowest(self, of: Callable[[Complex], Array]) -> tuple[float, float, bool]:
        """log f and value of the least of a real function of L, and whether it lies at an end of the band."""
        from scipy.optimize import minimize_scalar

        values = of(self.fine)
        k = int(np.argmin(values))
        if k in (0, values.size - 1):
            return float(self.grid[k]), float(values[k]), True
        found = minimize_scalar(
            lambda x: float(of(self.at(x))[0]), bounds=(self.grid[k - 1], self.grid[k + 1]), method="bounded", options={"xatol": 1e-13}
        )
        return (float(found.x), float(found.fun), False) if found.fun <= values[k] else (float(self.grid[k]), float(values[k]), False)

    def unsure(self, of: Callable[[Complex], Array], found: float) -> float:
        """Standard uncertainty of a least value by what may lie between the lines: how far below it the lower of the cubics of L and of 1/L comes, anywhere (rectangular).

        Where lines are far apart for a resonance the two differ, also in an interval where the curve that bends less shows no peak.
        """
        direct, of_inverse = self.both(self.grid)
        lower = float(np.minimum(of(direct), of(of_inverse)).min())
        return max(0.0, found - lower) / math.sqrt(3)

    def relative_u(self, x: float) -> float | None:
        """u(|L|)/|L| at log f: between the lines, which are not taken as independent, with what the cubics of L and of 1/L differ by, as half a range."""
        if self.u is None:
            return None
        one, other = (complex(part[0]) for part in self.both(np.array([x])))
        return math.hypot(float(np.interp(x, self.x, self.u / np.abs(self.loop))), abs(one - other) / abs(self.value(x)) / math.sqrt(3))

    def coherence_at(self, x: float) -> float | None:
        if self.coherence is None:
            return None
        k = int(np.clip(np.searchsorted(self.x, x), 1, self.x.size - 1))
        return float(self.coherence[k - 1 : k + 1].min())

    def slope(self, x: float) -> complex:
        """d ln L/d ln f: slope of the magnitude and, as imaginary part, of the phase."""
        h = 1e-4 * float(np.diff(self.x).min())
        low, high = max(self.x[0], x - h), min(self.x[-1], x + h)
        return complex(np.log(self.value(high) / self.value(low)) / (high - low))

    def gain_crossing(self, x: float) -> Crossing:
        value, slope, u = self.value(x), self.slope(x), self.relative_u(x)
        spread = None if u is None else u * math.hypot(1.0, slope.imag / slope.real) if slope.real else math.inf
        # 180° + arg L = arg(−L), −π … π.
        return Crossing(
            frequency_hz=math.exp(x), margin=float(np.angle(-value)), u=spread, rising=slope.real > 0, coherence=self.coherence_at(x)
        )  # fmt: skip

    def phase_crossing(self, x: float) -> Crossing:
        value, slope, u = self.value(x), self.slope(x), self.relative_u(x)
        margin = 1 / abs(value)
        spread = None if u is None else margin * u * math.hypot(1.0, slope.real / slope.imag) if slope.imag else math.inf
        return Crossing(frequency_hz=math.exp(x), margin=margin, u=spread, rising=slope.imag > 0, coherence=self.coherence_at(x))


def _bends_less(x: Array, one: Complex, other: Complex) -> NDArray[np.bool_]:
    """(m − 1,) whether `one` bends less than `other` in each interval: third divided differences of the four nearest lines, over the size of the function."""

    def bend(values: Complex) -> Array:
        for order in range(1, 4):
            values = np.diff(values) / (x[order:] - x[:-order])
        return np.abs(values)

    first = np.clip(np.arange(x.size - 1) - 1, 0, x.size - 4)
    size_one, size_other = (np.minimum(np.abs(part[:-1]), np.abs(part[1:])) for part in (one, other))
    return np.asarray(bend(one)[first] / size_one < bend(other)[first] / size_other)


def _stated(u: float | None) -> float | str:
    if u is None:
        return NO_U
    return 2 * u if math.isfinite(u) else "the loop touches the crossing without passing it: any noise moves it far"


def _margin_figures(curve: _Curve, gains: tuple[Crossing, ...], phases: tuple[Crossing, ...]) -> list[Figure]:
    band = f"{curve.f[0]:.5g} … {curve.f[-1]:.5g} Hz, where it was measured"
    figures: list[Figure] = []
    if gains:
        worst = min(gains, key=lambda one: abs(one.margin))
        figures.append(figure("PM", "phase margin, the smallest", worst.margin, "rad", _stated(worst.u)))
        figures.append(
            figure(
                "f_PM", "where |L| = 1 with that margin", worst.frequency_hz, "Hz", _place_u(curve, worst.frequency_hz, along=True), symbol="f(PM)"
            )
        )
        delays = [((one.margin % (2 * math.pi)) / (2 * math.pi * one.frequency_hz), one) for one in gains]
        shortest, place = min(delays, key=lambda pair: pair[0])
        u_delay = NO_U if place.u is None else _stated(place.u / (2 * math.pi * place.frequency_hz))
        figures.append(figure("delay", f"delay margin, at {place.frequency_hz:.5g} Hz", shortest, "s", u_delay, symbol="τ_m"))
    else:
        side = "above" if abs(curve.loop[0]) > 1 else "below"
        reason = f"|L| stays {side} 1 over {band}"
        figures += [
            figure("PM", "phase margin", reason, "rad"),
            figure("f_PM", "where |L| = 1", reason, "Hz", symbol="f(PM)"),
            figure("delay", "delay margin", reason, "s", symbol="τ_m"),
        ]
    up = min((one for one in phases if one.margin >= 1), key=lambda one: one.margin, default=None)
    down = max((one for one in phases if one.margin < 1), key=lambda one: one.margin, default=None)
    for key, name, crossing, side in (
        ("GM_up", "gain margin upwards: the loop gain may grow by this factor", up, "below 1"),
        ("GM_down", "gain margin downwards: the gain may fall to this factor", down, "above 1"),
    ):
        if crossing is None:
            figures.append(figure(key, name, f"the phase does not pass −180° with |L| {side} in {band}", ""))
        else:
            figures.append(figure(key, name, crossing.margin, "", _stated(crossing.u)))
    if up is None:
        figures.append(figure("f_GM", "where the phase passes −180°", f"it does not, with |L| below 1, in {band}", "Hz", symbol="f(GM)"))
    else:
        figures.append(
            figure(
                "f_GM",
                "where the phase passes −180° with the gain margin upwards",
                up.frequency_hz,
                "Hz",
                _place_u(curve, up.frequency_hz, along=False),
                symbol="f(GM)",
            )
        )
    return figures


def _place_u(curve: _Curve, frequency_hz: float, *, along: bool) -> float | str:
    """U of the frequency of a crossing: u over the slope of ln|L| (`along`) or of the phase."""
    u, slope = curve.relative_u(math.log(frequency_hz)), curve.slope(math.log(frequency_hz))
    part = slope.real if along else slope.imag
    return NO_U if u is None else _stated(u * frequency_hz / abs(part) if part else math.inf)


def _peak_figures(curve: _Curve) -> list[Figure]:
    figures = []
    x, nearest, at_end = curve.lowest(lambda loop: np.abs(1 + loop))
    if at_end:
        reason = f"|1 + L| is smallest, {nearest:.4g}, at the end of the band, {math.exp(x):.5g} Hz: it may be smaller beyond; measure further"
        figures += [
            figure("MM", "modulus margin", reason, ""),
            figure("Ms", "peak of the sensitivity", reason, ""),
            figure("f_Ms", "where the sensitivity peaks", reason, "Hz", symbol="f(Ms)"),
        ]
    else:
        u = curve.relative_u(x)
        spread = None if u is None else math.hypot(u * abs(curve.value(x)), curve.unsure(lambda loop: np.abs(1 + loop), nearest))
        flat = "the peak is flat: noise moves it along the curve"
        figures += [
            figure("MM", "modulus margin, least distance of L from −1", nearest, "", _stated(spread)),
            figure("Ms", "peak of the sensitivity |1/(1 + L)|", 1 / nearest, "", NO_U if spread is None else _stated(spread / nearest**2)),
            figure("f_Ms", "where the sensitivity peaks", math.exp(x), "Hz", flat, symbol="f(Ms)"),
        ]
    x, low, at_end = curve.lowest(lambda loop: np.abs(1 + 1 / loop))
    if at_end:
        reason = f"|T| is largest, {1 / low:.4g}, at the end of the band, {math.exp(x):.5g} Hz: it may be larger beyond, or has no peak"
        figures += [figure("Mt", "peak of the complementary sensitivity", reason, ""), figure("f_Mt", "where it peaks", reason, "Hz", symbol="f(Mt)")]
    else:
        u = curve.relative_u(x)
        value = curve.value(x)
        # |δT| = |δL|/|1 + L|², T = 1/low
        spread = None if u is None else math.hypot(u / (abs(1 + value) * low), curve.unsure(lambda loop: np.abs(1 + 1 / loop), low) / low**2)
        figures += [
            figure("Mt", "peak of the complementary sensitivity |L/(1 + L)|", 1 / low, "", _stated(spread)),
            figure("f_Mt", "where it peaks", math.exp(x), "Hz", "the peak is flat: noise moves it along the curve", symbol="f(Mt)"),
        ]
    return figures


def _bandwidths(curve: _Curve, gains: tuple[Crossing, ...]) -> list[Figure]:
    figures: list[Figure] = []
    band = f"{curve.f[0]:.5g} … {curve.f[-1]:.5g} Hz, where it was measured"
    for key, name, place in (("f_L_first", "bandwidth: first crossing of |L| = 1", 0), ("f_L_last", "bandwidth: last crossing of |L| = 1", -1)):
        if gains:
            at = gains[place].frequency_hz
            figures.append(figure(key, name, at, "Hz", _place_u(curve, at, along=True), symbol="f(|L| = 1)" if place == 0 else "f(|L| = 1, last)"))
        else:
            figures.append(figure(key, name, f"|L| does not cross 1 in {band}", "Hz", symbol="f(|L| = 1)" if place == 0 else "f(|L| = 1, last)"))
    third = 0.5 * math.log(0.5)
    rows: tuple[tuple[str, str, Callable[[Complex], Array], int, str], ...] = (
        ("f_T", "bandwidth: |T| passes −3 dB for the last time", lambda loop: np.log(np.abs(loop / (1 + loop))) - third, -1, "f(T, −3 dB)"),
        ("f_S", "bandwidth: |S| passes −3 dB for the first time", lambda loop: -np.log(np.abs(1 + loop)) - third, 0, "f(S, −3 dB)"),
    )
    for key, name, of, place, symbol in rows:
        places = curve.roots(of)
        if not places:
            figures.append(figure(key, name, f"it does not in {band}", "Hz", symbol=symbol))
            continue
        x = places[place]
        h = 1e-4 * float(np.diff(curve.x).min())
        slope = float(of(curve.at(min(x + h, curve.x[-1])))[0] - of(curve.at(max(x - h, curve.x[0])))[0]) / (2 * h)
        u, value = curve.relative_u(x), curve.value(x)
        gain = 1 / abs(1 + value) * (abs(value) if key == "f_S" else 1.0)  # δ ln|T| = δL/(L(1 + L)), δ ln|S| = δL/(1 + L), in units of δL/L
        figures.append(
            figure(
                key,
                name,
                math.exp(x),
                "Hz",
                NO_U if u is None else _stated(u * gain * math.exp(x) / abs(slope) if slope else math.inf),
                symbol=symbol,
            )
        )
    return figures
