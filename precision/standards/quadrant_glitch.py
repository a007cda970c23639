"""Quadrant glitches: what friction and lost motion do to one axis of a circle where its direction of motion changes.

    e = actual − set = a₀ + a₁ cos φ + b₁ sin φ + (h/2) sgn v + g

The set-point is a sine of phase φ. The first three terms are offset, amplitude error and lag; h is the step between the
two directions, which backlash and friction under a loop without integrator leave; g is the rest, the glitch: the axis
stands still while its set-point has turned. All but g are fitted outside ±window after each reversal. A step h that is
the same at all speeds is lost motion; a glitch whose height or width changes with speed is friction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.least_squares import correlated_covariance
from ..uncertainty.readings import largest_normal
from .arrays import Array, frozen, positive, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed

FEWEST: Final = 200
_WINDOW: Final = math.radians(30)
"""After a reversal, of the circle: glitches have passed by then on machines that contour at all."""
_HARMONIC: Final = 0.02
"""Share of the set-point's amplitude that may be other than its one sine."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Quadrant glitches of an axis. Figures "step", "height_upper", "height_lower", "width_upper", "width_lower",
    "time_upper", "time_lower", "lag", "speed".

    angle_rad : (k,) after a reversal, over one window. upper, lower : (reversals, k) g at reversals from + to −, and
    from − to +.
    """

    angle_rad: Array
    upper: Array
    lower: Array


def evaluate(
    set_point: ArrayLike, actual: ArrayLike, *, rate_hz: float, unit: str = "m", window_rad: float = _WINDOW
) -> Result:
    """Quadrant glitches of a sinusoidal motion.

    Parameters
    ----------
    set_point, actual : (n,) float64, n ≥ 200, m or rad, equally spaced, at least one and a half periods of a sine
    window_rad : after each reversal, that is left out of the fit and searched for the glitch

    Raises
    ------
    DataError       shapes, a set-point that is no sine, fewer than two reversals of a kind
    """
    r = vector("set_point", set_point, fewest=FEWEST)
    y = vector("actual", actual, size=r.size)
    positive("rate_hz", rate_hz, "Hz")
    if not 0 < window_rad <= math.pi / 2:
        raise DataError(f"window_rad is {window_rad:g}; expected above 0, at most π/2")
    omega, amplitude, phase = _sine(r, rate_hz, unit)
    turn = np.mod(phase, math.pi)  # since the last reversal, the set-point being offset + amplitude·cos φ
    moving_up = np.sin(phase) < 0
    sense = np.where(moving_up, 1.0, -1.0)
    outside = turn > window_rad
    columns = np.column_stack([np.ones_like(phase), np.cos(phase), np.sin(phase), sense / 2])
    error = y - r
    theta = np.linalg.lstsq(columns[outside], error[outside], rcond=None)[0]
    rest = error - columns @ theta
    sigma = float(np.diff(rest[outside]).std() / math.sqrt(2))
    # The step and the sine go together, so that their uncertainties are several times those of the noise over √n.
    u = 2 * np.sqrt(np.diag(correlated_covariance(columns[outside], rest[outside])))
    per_window = max(8, round(window_rad / omega * rate_hz))
    at = np.linspace(0, window_rad, per_window)
    begins = np.flatnonzero(np.diff(np.floor(phase / math.pi)) != 0) + 1
    windows: dict[str, list[Array]] = {"upper": [], "lower": []}
    for begin in begins.tolist():
        start = phase[begin] - np.mod(phase[begin], math.pi)
        if start + window_rad <= phase[-1] and begin > 0:
            side = "upper" if round(start / math.pi) % 2 == 0 else "lower"
            windows[side].append(
                np.interp(start + at, phase[begin:], rest[begin:])
            )  # what was before the reversal is another side
    if not windows["upper"] or not windows["lower"]:
        raise DataError(
            f"{len(windows['upper'])} upper and {len(windows['lower'])} lower reversals; at least one of each is needed: "
            "record one and a half periods or more"
        )
    figures = [
        figure(
            "step",
            "step of the error between the directions, negative where the axis stays behind",
            float(theta[3]),
            unit,
            float(u[3]),
            symbol="h",
        ),
        *(one for side in ("upper", "lower") for one in _side(side, windows[side], at / omega, sigma, unit, 1 / rate_hz)),
        figure(
            "lag",
            "lag of the axis",
            float(theta[2]) / (amplitude * omega),
            "s",
            float(u[2]) / (amplitude * omega),
            symbol="τ",
        ),
        figure("speed", "largest speed of the set-point", amplitude * omega, f"{unit}/s", symbol="v"),
    ]
    return Result(
        title=f"Quadrant glitches at {amplitude * omega:.4g} {unit}/s",
        stated=(
            f"{begins.size} reversals of a sine of amplitude {amplitude:.4g} {unit}",
            f"glitch: what is left of the error within {math.degrees(window_rad):.3g}° after a reversal",
            "positive: outward, beyond the reversal",
        ),
        figures=keyed(figures),
        flags=(),
        angle_rad=frozen(at),
        upper=frozen(np.stack(windows["upper"])),
        lower=frozen(np.stack(windows["lower"])),
    )


def _sine(r: Array, rate_hz: float, unit: str) -> tuple[float, float, Array]:
    """ω, amplitude and phase (n,) of r = offset + amplitude·cos φ; the frequency from the spectrum, refined by least
    squares."""
    from scipy.optimize import minimize_scalar

    t = np.arange(r.size) / rate_hz
    centred = r - (r.max() + r.min()) / 2
    half = float(np.ptp(r)) / 2
    if half == 0:
        raise DataError(f"the set-point stays at {r[0]:g} {unit}; a sine is expected")
    crossings = int(np.count_nonzero(np.diff(np.signbit(centred).astype(np.int8))))
    first = math.pi * max(1, crossings) / float(t[-1])

    def fitted(omega: float, every: int = 1) -> tuple[Array, Array]:
        at = omega * t[::every]
        columns = np.column_stack([np.ones_like(at), np.cos(at), np.sin(at)])
        theta = np.asarray(np.linalg.lstsq(columns, r[::every], rcond=None)[0], dtype=np.float64)
        return theta, np.asarray(r[::every] - columns @ theta, dtype=np.float64)

    def left(omega: float) -> float:
        rest = fitted(omega, max(1, r.size // 1000))[1]
        return float(rest @ rest)

    around = np.linspace(0.5, 1.6, 111) * first
    best = float(around[int(np.argmin([left(float(one)) for one in around]))])
    omega = float(
        minimize_scalar(left, bounds=(best * 0.985, best * 1.015), method="bounded", options={"xatol": 1e-10 * best}).x
    )
    theta, rest = fitted(omega)
    amplitude = math.hypot(float(theta[1]), float(theta[2]))
    if float(np.abs(rest).max()) > _HARMONIC * amplitude:
        raise DataError(
            f"the set-point is no sine: {np.abs(rest).max():.3g} {unit} are left of an amplitude of {amplitude:.3g} "
            f"{unit}; cut out the circle, without run-in and run-out"
        )
    if omega * t[-1] < 3 * math.pi:
        raise DataError(f"{omega * t[-1] / (2 * math.pi):.2g} periods; at least 1.5 are needed")
    return omega, amplitude, omega * t - math.atan2(float(theta[2]), float(theta[1]))


def _side(side: str, windows: list[Array], since_s: Array, sigma: float, unit: str, interval: float) -> list[Figure]:
    """Height, width at half height and time of the mean glitch; outward is up at the upper reversal and down at the
    lower."""
    outward = 1.0 if side == "upper" else -1.0
    curves = outward * np.stack(windows)
    mean = curves.mean(axis=0)
    peak = int(np.argmax(np.abs(mean)))
    height = float(mean[peak])
    each = curves[:, peak]
    scatter = coverage_factor(each.size - 1) * float(each.std(ddof=1)) / math.sqrt(each.size) if each.size > 1 else 0.0
    u_height = math.hypot(scatter, largest_normal(mean.size) * sigma / math.sqrt(len(windows)))
    where: NDArray[np.bool_] = mean * np.sign(height) >= abs(height) / 2
    step = float(since_s[1] - since_s[0])
    words = f"{side} reversals, mean of {len(windows)}"
    small: str | None = None if abs(height) > u_height else f"the glitch of {height:.3g} {unit} is not larger than its U"
    return [
        figure(
            f"height_{side}",
            f"height of the glitch, {words}",
            height,
            unit,
            u_height,
            symbol=f"g {'↑' if side == 'upper' else '↓'}",
        ),
        figure(
            f"width_{side}",
            f"width at half height, {words}",
            small or int(where.sum()) * step,
            "s",
            2 * interval + 2 * step,
            symbol=f"w {'↑' if side == 'upper' else '↓'}",
        ),
        figure(
            f"time_{side}",
            f"time of the glitch after the reversal, {words}",
            small or float(since_s[peak]),
            "s",
            2 * interval + 2 * step,
            symbol=f"t {'↑' if side == 'upper' else '↓'}",
        ),
    ]
