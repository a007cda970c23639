"""Minimum incremental motion: a staircase of equal steps, and whether each step can be told from noise.

    step_k = x̄_{k+1} − x̄_k,   SNR = mean(step)/sd(step),   monotonic where every step has the sign of the commanded one

x̄_k are means of the plateaus after settling; sd has divisor n − 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..uncertainty.readings import Readings
from ..units import text
from .arrays import Array, frozen, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed

FEWEST_STEPS: Final = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """A staircase. Figures "mean_step", "sd_step", "snr", "smallest_step", "plateau_noise". plateau : (k,) means. step : (k − 1,) differences."""

    plateau: Array
    step: Array
    monotonic: bool


def evaluate(position: ArrayLike, plateau_of: ArrayLike, *, commanded_step: float, unit: str = "m", readings: Readings | None = None) -> Result:
    """Evaluate a staircase.

    Parameters
    ----------
    position : (n,) float64, m or rad
    plateau_of : (n,) int, number of the plateau that each sample belongs to, 0 … k − 1 in order; −1 for samples of a move or of settling
    commanded_step : with its sign, m or rad
    readings : of the sensor

    Raises
    ------
    DataError       fewer than five steps, a plateau without at least two samples, naming it
    """
    x = vector("position", position, fewest=2)
    number = np.asarray(plateau_of)
    if number.shape != x.shape or not np.issubdtype(number.dtype, np.integer):
        raise DataError(f"plateau_of has shape {number.shape} and dtype {number.dtype}; expected integers of shape {x.shape}")
    if not (math.isfinite(commanded_step) and commanded_step != 0):
        raise DataError(f"commanded_step is {commanded_step:g}; expected a step with its sign, in {unit}")
    plateaus = int(number.max(initial=-1)) + 1
    if plateaus < FEWEST_STEPS + 1:
        raise DataError(f"{max(plateaus - 1, 0)} steps; at least {FEWEST_STEPS} are needed to tell a step from noise")
    count = np.array([int(np.sum(number == k)) for k in range(plateaus)])
    if count.min() < 2:
        raise DataError(f"plateau {int(count.argmin()) + 1} of {plateaus} has {count.min()} samples; at least 2 are needed")
    mean = np.array([x[number == k].mean() for k in range(plateaus)])
    noise = math.sqrt(float(np.mean([x[number == k].var(ddof=1) for k in range(plateaus)])))
    step = np.diff(mean)
    average, sd = float(step.mean()), float(step.std(ddof=1))
    smallest = float((step * np.sign(commanded_step)).min())
    steps = step.size
    k = coverage_factor(steps - 1)
    u_mean = k * sd / math.sqrt(steps)
    if readings is not None:
        u_mean = math.hypot(u_mean, (readings.device + readings.drift_range) / steps)
    u_step = None if readings is None else readings.device + readings.drift_range + 4 * readings.noise / math.sqrt(2 * int(count.min()))
    snr: float | str = abs(average) / sd if sd > 0 else "all steps are equal to the last digit: the sensor does not resolve them"
    figures = (
        figure("mean_step", f"mean of {steps} steps; {text(commanded_step, unit)} were commanded", average, unit, u_mean, symbol="step", coverage_factor=k),
        figure("sd_step", "standard deviation of the steps, divisor n − 1", sd, unit, 2 * sd / math.sqrt(2 * (steps - 1)), symbol="s_step"),
        figure("snr", "mean step over standard deviation", snr, "", None if isinstance(snr, str) else 2 * snr / math.sqrt(2 * (steps - 1)), symbol="SNR"),
        figure("smallest_step", "smallest step in the commanded sense", smallest, unit, u_step, symbol="min step"),
        figure("plateau_noise", "standard deviation on a plateau, divisor n − 1, mean over plateaus", noise, unit, None, symbol="s_plateau"),
    )
    monotonic = smallest > 0
    flags = () if monotonic else (f"not monotonic: {int(np.sum(step * np.sign(commanded_step) <= 0))} of {steps} steps went the other way or not at all",)
    return Result(
        title="Minimum incremental motion",
        stated=(f"{steps} steps of {commanded_step:g} {unit}", f"{int(count.min())} to {int(count.max())} samples a plateau"),
        figures=keyed(figures),
        flags=flags,
        plateau=frozen(mean),
        step=frozen(step),
        monotonic=monotonic,
    )
