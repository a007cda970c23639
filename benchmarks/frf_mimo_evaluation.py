"""From excitations, inputs and outputs of a plant to its matrix of responses, its singular values, and the sensitivity of the loop. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import frequency_response, mimo_response, modal_fit, sampling
from precision.standards.reported import figure

from . import frf_mimo
from .frf_mimo_plan import Parameters, Recorded
from .procedure import Readings

Array = NDArray[np.float64]
LARGE_U: Final = 0.5
"""Of a singular value that U reaches: then its direction is not known either."""


NO_EXCITATION: Final = "no excitation was recorded beside the inputs: the loop cannot be told from the plant"


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """plant : outputs over inputs.  sensitivity : inputs over excitations, None in open loop or without excitation; then `no_sensitivity` says
    why.  singular, singular_u :
    (m, k) of the plant, largest first, and their standard uncertainty; sensitivity_singular : of the sensitivity.  extremes : (output, input) ->
    of that entry.
    figures : by key.  flags : sentences."""

    plant: mimo_response.Response
    sensitivity: mimo_response.Response | None
    no_sensitivity: str
    singular: Array
    singular_u: Array
    sensitivity_singular: Array | None
    extremes: dict[tuple[int, int], tuple[modal_fit.Extreme, ...]]
    figures: dict[str, Figure]
    flags: tuple[str, ...]


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a frequency response of several inputs and outputs.

    Raises
    ------
    DataError       too little was recorded, uneven samples, inputs that go together, channels that lack
    """
    rate, signals, flags = _experiments(plan, readings)
    inputs, outputs = plan.size.inputs, plan.size.outputs
    w, u, y = signals[:, :inputs], signals[:, inputs : 2 * inputs], signals[:, 2 * inputs :]
    have_w = bool(np.isfinite(w).all() and np.ptp(w) > 0)
    for k, name in enumerate(frf_mimo.channels(plan.size)):
        if have_w or k >= inputs:  # excitations may all be left out, or lie idle
            sampling.refuse_dead(name, signals[:, k].ravel())
    closed = plan.evaluation.loop == "closed"
    sensitivity, why = None, "the plan says that the loop was open: there is no sensitivity"
    if isinstance(plan, Recorded) and plan.evaluation.period is None:
        plant, sensitivity = _of_noise(plan, w if closed and have_w else None, u, y, rate)
        if closed and sensitivity is None:
            flags.append("direct estimate in a closed loop: drawn towards −1/C where noise is not small beside the excitation; columns excitation_1 … are lacking")
            why = NO_EXCITATION
    else:
        period, drop, lines = _periods(plan, rate, np.concatenate([w, u], axis=1) if have_w else u)
        plant = mimo_response.from_experiments(u, y, rate_hz=rate, period=period, drop=drop, lines=lines)
        if closed and have_w:
            sensitivity = mimo_response.from_experiments(w, u, rate_hz=rate, period=period, drop=drop, lines=lines)
        elif closed:
            why = NO_EXCITATION
    singular, singular_u = plant.singular_values, plant.singular_values_u
    figures = {one.key: one for one in plant.figures.values()}
    figures |= {one.key: one for one in _plant_figures(plan, plant, singular, singular_u)}
    sensitive = None
    if sensitivity is not None:
        sensitive = sensitivity.singular_values
        figures |= {one.key: one for one in _loop_figures(sensitivity, sensitive)}
    found = {
        (i, k): modal_fit.extremes(plant.frequency_hz, plant.response[:, i, k], prominence_db=6.0) if plant.frequency_hz.size >= 5 else ()
        for i in range(outputs) for k in range(inputs)
    }  # fmt: skip
    return Analysis(
        plant=plant, sensitivity=sensitivity, no_sensitivity="" if sensitivity is not None else why, singular=singular, singular_u=singular_u, sensitivity_singular=sensitive,
        extremes=found, figures=figures, flags=tuple(dict.fromkeys([*flags, *plant.flags])),
    )  # fmt: skip


def _experiments(plan: Parameters | Recorded, readings: Readings) -> tuple[float, Array, list[str]]:
    """Rate, (experiments, channels, n) and flags; a channel that was not recorded is NaN throughout."""
    names = frf_mimo.channels(plan.size)
    absent = [name for name in names if not np.isfinite(readings[name]).any()]
    if missing := [name for name in absent if not name.startswith("excitation")]:
        raise DataError(f"no {' and no '.join(missing)} was recorded; a response is the outputs over the inputs. [size] says how many there are")
    present = [name for name in names if name not in absent]
    number = np.asarray(readings["experiment"])
    resample = isinstance(plan, Recorded) and plan.evaluation.resample
    records, flags = [], []
    for experiment in np.unique(number):
        rows = number == experiment
        if np.count_nonzero(rows) < 16:
            raise DataError(f"experiment {experiment} holds {np.count_nonzero(rows)} samples; at least 16 are needed")
        values = np.stack([np.asarray(readings[name], dtype=np.float64)[rows] for name in present])
        record = sampling.even_record(np.asarray(readings["t_s"], dtype=np.float64)[rows], values, resample_to_even=resample)
        records.append(record)
        flags += list(record.flags)
    rates = [record.rate_hz for record in records]
    if np.ptp(rates) > 1e-6 * rates[0]:
        raise DataError(f"the experiments were sampled at {min(rates):.6g} … {max(rates):.6g} Hz; one rate is expected")
    length = min(record.values.shape[1] for record in records)
    whole = np.full((len(records), len(names), length), np.nan)
    for k, record in enumerate(records):
        whole[k, [names.index(name) for name in present]] = record.values[:, :length]
    return float(f"{rates[0]:.9g}"), whole, flags


def _periods(plan: Parameters | Recorded, rate: float, drives: Array) -> tuple[int, int, NDArray[np.int64] | None]:
    """Period in samples, periods to drop, lines."""
    if isinstance(plan, Parameters):
        one = frf_mimo.signal(plan, rate)
        return one.period, plan.excitation.settle, one.lines
    own = plan.evaluation
    assert own.period is not None
    period = round(own.period * rate)
    if abs(own.period * rate - period) > 1e-3 * max(1.0, 1e-3 * period):
        raise DataError(f"evaluation.period of {own.period:g} s is {own.period * rate:.6g} samples at {rate:.6g} Hz; a whole number is expected")
    if own.low is None or own.high is None:
        return period, own.drop, None
    n = drives.shape[-1] // period * period
    if not n:
        raise DataError(f"an experiment has {drives.shape[-1]} samples and a period {period}; at least two periods are needed")
    mean = np.abs(np.fft.rfft(drives[..., :n].reshape(-1, n // period, period).mean(axis=1), axis=1)).max(axis=0)
    found = frequency_response.excited_lines(mean.astype(np.complex128), None)
    inside = found[(found * rate / period >= own.low * (1 - 1e-9)) & (found * rate / period <= own.high * (1 + 1e-9))]
    if not inside.size:
        raise DataError(f"the excitation has no line in {own.low:g} … {own.high:g} Hz")
    return period, own.drop, inside


def _of_noise(plan: Recorded, w: Array | None, u: Array, y: Array, rate: float) -> tuple[mimo_response.Response, mimo_response.Response | None]:
    """Plant, and sensitivity where there are excitations, from one record."""
    own = plan.evaluation
    if own.segment is None:
        raise DataError(
            'evaluation: the log says nothing about its excitation; set evaluation.period (periodic experiments) or evaluation.segment (noise), for example "1 s"'
        )
    if u.shape[0] > 1:
        raise DataError(
            f"the log has {u.shape[0]} experiments; evaluation.segment is for one record in which all inputs move independently. Set evaluation.period, or cut the log"
        )
    band = (own.low, own.high) if own.low is not None and own.high is not None else None
    segment = max(8, round(own.segment * rate))
    if w is not None:
        return mimo_response.indirect(w[0], u[0], y[0], rate_hz=rate, segment=segment, band_hz=band)
    return mimo_response.from_signals(u[0], y[0], rate_hz=rate, segment=segment, band_hz=band), None


def _plant_figures(plan: Parameters | Recorded, plant: mimo_response.Response, singular: Array, singular_u: Array) -> list[Figure]:
    """Spread of the singular values, and for two by two how far the inputs act on the other output."""
    ratio = singular[:, 0] / np.where(singular[:, -1] > 0, singular[:, -1], np.nan)
    k = int(np.nanargmax(ratio)) if np.isfinite(ratio).any() else 0
    made = []
    if singular.shape[1] > 1:
        name = f"largest singular value of the plant over its smallest, at {plant.frequency_hz[k]:.5g} Hz"
        relative = float(np.hypot(singular_u[k, 0] / singular[k, 0], singular_u[k, -1] / max(singular[k, -1], 1e-300)))
        if not np.isfinite(ratio[k]):
            made.append(figure("plant_condition", name, "the plant has a singular value of 0", ""))
        else:
            made.append(
                figure(
                    "plant_condition",
                    name,
                    float(ratio[k]),
                    "",
                    2 * float(ratio[k]) * relative if relative < LARGE_U else "the smallest is not known against its own noise",
                )
            )
    if plant.response.shape[1:] == (2, 2):
        p, f = plant.response, plant.frequency_hz
        for at, key, words in ((0, "rga_low", "lowest"), (-1, "rga_high", "highest")):
            g = p[at]
            determinant = g[0, 0] * g[1, 1] - g[0, 1] * g[1, 0]
            gain = complex(g[0, 0] * g[1, 1] / determinant)
            # δλ/λ = (1 − λ)(δ11/g11 + δ22/g22 − δ12/g12 − δ21/g21), of which the real part is that of |λ|
            weight = np.zeros((*p.shape, 1), dtype=np.complex128)
            weight[at, :, :, 0] = (1 - gain) * np.array([[1, -1], [-1, 1]]) / g
            relative = float(plant.component_u(weight)[at, 0])
            made.append(
                figure(
                    key,
                    f"relative gain of the first input to the first output at the {words} line, {f[at]:.4g} Hz, magnitude",
                    abs(gain),
                    "",
                    2 * abs(gain) * relative,
                    symbol="λ_11",
                )
            )
    return made


def _loop_figures(found: mimo_response.Response, singular: Array) -> list[Figure]:
    f, k = found.frequency_hz, int(np.argmax(singular[:, 0]))
    # T = I − S has the covariance of S.
    complementary = replace(found, response=np.eye(found.response.shape[1]) - found.response)
    t = complementary.singular_values
    j = int(np.argmax(t[:, 0]))
    singular_u, u_t = found.singular_values_u, 2 * float(complementary.singular_values_u[j, 0])
    band = f"of {f.size} lines; between them it may be larger"
    return [
        figure(
            "Ms",
            f"peak of the largest singular value of the sensitivity, {band}",
            float(singular[k, 0]),
            "",
            2 * float(singular_u[k, 0]),
            symbol="Ms",
        ),
        figure("f_Ms", "where it peaks", float(f[k]), "Hz", "the line of the peak", symbol="f(Ms)"),
        figure("Mt", f"peak of the largest singular value of the complementary sensitivity, {band}", float(t[j, 0]), "", u_t, symbol="Mt"),
        figure("f_Mt", "where it peaks", float(f[j]), "Hz", "the line of the peak", symbol="f(Mt)"),
    ]
