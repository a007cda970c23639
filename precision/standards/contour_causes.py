"""What makes a contour error: the servos between command and motor feedback, the mechanics between motor feedback and tool.

    servo        r − y_fb = τ_a v_a + c                                lag of axis a behind its command; τ_x − τ_y makes circles elliptic
    mechanics    ε_tool − ε_fb = n · q, n to the left of the path:
                     q_x = a + k_x x + (s/2 − φ) y − (b_x/2) sgn(v_x) − τ' v_x
                     q_y = b + k_y y + (s/2 + φ) x − (b_y/2) sgn(v_y)

b backlash of an axis (its carriage stands b/2 behind a positive motion), k_x − k_y scale mismatch, C = −s squareness, positive where the angle of the axes is
beyond 90° (the signs of `ballbar`), φ how the instrument lies on the machine, τ' by how much more the structure lags in x than in y: what lags in both axes
alike, an instrument's clock too, is no error across the path. Linear least squares over the samples in which the command moves. Lost motion of one axis is
known only where the path is driven in both directions; where two columns say the same, the figure has no value.

U (k = 2) is from the covariance of the fit with the measured correlation of its residuals (`uncertainty.least_squares`), so that what the model does not
hold (cyclic errors, straightness, vibration) widens it, and the bounded errors of the readings.
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
from ..uncertainty.readings import Readings
from .arrays import Array, positive, table, vector
from .reported import NOT_SAID, Reported, figure, keyed

FEWEST: Final = 64
"""Moving samples."""
_MOST: Final = 50_000
"""Samples of the fit; more are thinned out evenly."""
_STANDING: Final = 1e-3
"""Share of an axis' highest speed below which its direction is that of its last motion."""
_CONFOUNDED: Final = 0.3
"""Smallest share of a column that has to be its own, not a combination of the others: with less, what the model does not hold (transients at corners, waves of a
screw) is taken for the error, several times over. Circles driven both ways have 0.35 and more, the sides of a square 0.1 for backlash and scales."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures "lag_X", "lag_Y", "servo_mismatch" (s), "structure_mismatch" (s), "backlash_X", "backlash_Y" (m), "squareness" (rad), "scale_mismatch",
    named after the axes."""


def evaluate(
    command_m: ArrayLike, *, rate_hz: float, moving: NDArray[np.bool_], axes: tuple[str, str] = ("X", "Y"), feedback_m: ArrayLike | None = None,
    added_m: ArrayLike | None = None, normal: ArrayLike | None = None, feedback: Readings | None = None, tool: Readings | None = None, synchronisation_s: float | None = None,
) -> Result:  # fmt: skip
    """Causes of a contour error.

    Parameters
    ----------
    command_m, feedback_m : (2, n) m, of the same instants; what is None was not recorded
    added_m : (n,) contour error of the tool less that of the feedback, m, + to the left; None: the tool was not recorded
    normal : (2, n) to the left of the path at each sample, unit vectors
    moving : (n,) bool, samples in which the command moves
    feedback, tool : what is known of their readings, both axes alike; without it U is not stated
    synchronisation_s : largest time between a command and the feedback beside it, for U of the lags

    Raises
    ------
    DataError       shapes, rate; fewer than 64 moving samples
    """
    positive("rate_hz", rate_hz, "Hz")
    command = table("command_m", command_m, (2, None))
    if int(moving.sum()) < FEWEST:
        raise DataError(f"the command moves in {int(moving.sum())} samples; {FEWEST} at least are expected")
    fb = None if feedback_m is None else table("feedback_m", feedback_m, command.shape)
    added = None if added_m is None else vector("added_m", added_m, size=command.shape[1])
    left = None if normal is None else table("normal", normal, command.shape)
    chosen = np.flatnonzero(moving)
    chosen = chosen[:: math.ceil(chosen.size / _MOST)]
    servo = _servo(command, fb, rate_hz, chosen, axes, feedback, synchronisation_s)
    mechanics = _mechanics(fb, added, left, rate_hz, chosen, axes, tool, feedback)
    return Result(title="Causes of the contour error", stated=("linear least squares", f"{chosen.size} samples"), figures=keyed([*servo, *mechanics]), flags=())


def _servo(
    command: Array, fb: Array | None, rate_hz: float, chosen: NDArray[np.int64], axes: tuple[str, str], known: Readings | None, late_s: float | None
) -> list[Figure]:
    found: list[tuple[float | str, float | str]] = []
    bounds = []
    for k, axis in enumerate(axes):
        if fb is None:
            found.append(("the feedback was not recorded", NOT_SAID))
            continue
        velocity = np.gradient(fb[k]) * rate_hz
        v, e = velocity[chosen], (command[k] - fb[k])[chosen]
        if np.abs(v).max() <= 0:
            found.append((f"{axis} does not move", NOT_SAID))
            continue
        columns = np.stack([v, np.ones_like(v)], axis=1)
        value, covariance = _fit(columns, e)
        bound = None if known is None else (known.resolution / 2 + known.device) * float(np.abs(v).mean() / np.mean(v**2))
        bounds.append(bound)
        u: float | str = NOT_SAID if bound is None or late_s is None else math.hypot(2 * math.sqrt(covariance[0, 0]), bound) + late_s
        found.append((float(value[0]), u))
    figures = [
        figure(f"lag_{axis}", f"lag of {axis} behind its command", value, "s", u, symbol=f"τ_{axis}") for axis, (value, u) in zip(axes, found, strict=True)
    ]
    (one, u_one), (two, u_two) = found
    mismatch: float | str = one - two if not isinstance(one, str) and not isinstance(two, str) else one if isinstance(one, str) else str(two)
    u_both: float | str = NOT_SAID
    if not isinstance(u_one, str) and not isinstance(u_two, str) and late_s is not None:
        # what both axes are late by in common drops out
        u_both = math.hypot(u_one - late_s, u_two - late_s)
    name = f"servo mismatch, lag of {axes[0]} behind {axes[1]}"
    return [*figures, figure("servo_mismatch", name, mismatch, "s", u_both, symbol=f"τ_{axes[0]} − τ_{axes[1]}")]


def _mechanics(
    fb: Array | None, added: Array | None, normal: Array | None, rate_hz: float, chosen: NDArray[np.int64], axes: tuple[str, str], tool: Readings | None, encoder: Readings | None
) -> list[Figure]:
    x, y = axes
    named = {
        f"backlash_{x}": (f"backlash of {x}", "m", f"b_{x}"), f"backlash_{y}": (f"backlash of {y}", "m", f"b_{y}"),
        "structure_mismatch": (f"lag of {x} behind {y} between motor and tool", "s", f"τ'_{x} − τ'_{y}"),
        "squareness": (f"squareness of {x} and {y}, positive: beyond 90°", "rad", "C"), "scale_mismatch": (f"scale mismatch, {x} less {y}", "", f"k_{x} − k_{y}"),
    }  # fmt: skip
    if fb is None or added is None or normal is None:
        why = "the feedback was not recorded" if fb is None else "the tool's position was not recorded"
        return [figure(key, name, why, unit, symbol=symbol) for key, (name, unit, symbol) in named.items()]
    senses = [_sense(fb[k])[chosen] for k in (0, 1)]
    middle = 0.5 * (fb[:, chosen].max(axis=1) + fb[:, chosen].min(axis=1))
    u, v = fb[:, chosen] - middle[:, None]
    n_x, n_y = normal[:, chosen]
    fast = np.gradient(fb[0])[chosen] * rate_hz
    # zero in x and y, k_x, k_y, s, φ, b_x, b_y, τ'
    terms = (n_x, n_y, n_x * u, n_y * v, (n_x * v + n_y * u) / 2, n_y * u - n_x * v, -n_x * senses[0] / 2, -n_y * senses[1] / 2, -n_x * fast)
    columns = np.stack(terms, axis=1)
    value, covariance = _fit(columns, added[chosen])
    own = _own_share(columns)
    reach = float(min(np.ptp(u), np.ptp(v)))
    bound = None if tool is None or encoder is None else tool.device + tool.drift_range + tool.resolution / 2 + encoder.resolution / 2 + encoder.device
    figures = []
    fastest = float(np.abs(fast * n_x).max())
    for key, weights, bounded in (
        ("structure_mismatch", {8: 1.0}, 3.0 / fastest if fastest else 0.0),
        (f"backlash_{x}", {6: 1.0}, 1.0), (f"backlash_{y}", {7: 1.0}, 1.0), ("squareness", {4: -1.0}, 3.0 / reach if reach else 0.0),
        ("scale_mismatch", {2: 1.0, 3: -1.0}, 3.0 / reach if reach else 0.0),
    ):  # fmt: skip
        name, unit, symbol = named[key]
        if any(own[k] < _CONFOUNDED for k in weights):
            why = f"the path does not tell it from the other errors: drive it in both directions, in {x} and in {y}"
            figures.append(figure(key, name, why, unit, symbol=symbol))
            continue
        weight = np.zeros(columns.shape[1])
        for k, w in weights.items():
            weight[k] = w
        spread = 2 * math.sqrt(float(weight @ covariance @ weight))
        figures.append(figure(key, name, float(weight @ value), unit, NOT_SAID if bound is None else math.hypot(spread, bounded * bound), symbol=symbol))
    return figures


def _sense(position: Array) -> Array:
    """(n,) +1 or −1, the direction of the last motion; 0 before the first."""
    step = np.diff(position, prepend=position[0])
    smooth = np.convolve(step, np.ones(5) / 5, mode="same")
    sign = np.where(np.abs(smooth) > _STANDING * float(np.abs(smooth).max(initial=0.0)), np.sign(smooth), 0.0)
    last = np.maximum.accumulate(np.where(sign != 0, np.arange(sign.size), 0))
    return np.asarray(sign[last])


def _fit(columns: Array, values: Array) -> tuple[Array, Array]:
    """Coefficients (p,) and their covariance (p, p); columns without content have 0 and no variance."""
    used = np.flatnonzero(_own_share(columns) > 1e-9)
    value, covariance = np.zeros(columns.shape[1]), np.zeros((columns.shape[1],) * 2)
    if used.size:
        part = columns[:, used]
        value[used] = np.linalg.lstsq(part, values, rcond=None)[0]
        covariance[np.ix_(used, used)] = correlated_covariance(part, values - part @ value[used])
    return value, covariance


def _own_share(columns: Array) -> Array:
    """(p,) of each column, the share of its length that no combination of the others makes."""
    size = np.sqrt((columns**2).sum(axis=0))
    share = np.zeros(columns.shape[1])
    filled = np.flatnonzero(size > 0)
    unit = columns[:, filled] / size[filled]
    for k, column in enumerate(filled):
        others = np.delete(unit, k, axis=1)
        rest = unit[:, k] - others @ np.linalg.lstsq(others, unit[:, k], rcond=None)[0]
        share[column] = float(np.sqrt((rest**2).sum()))
    return share
