"""Expanded uncertainty of positioning figures (ISO 230-2) in closed form, from what is known about the set-up.

Contributors follow ISO 230-2:2014 annex A and ISO/TR 230-9 annex C, from memory of the standard. A contributor known by its full range w is taken as
rectangular: U = 2·w/(2√3) = w/√3, which the standards print as 0.6·w.

What is covered
---------------
The measurand of a figure is that figure computed from the *true* positions of the very same stops, at 20 °C. (How another set of five runs would
come out is a different question: a standard deviation of five readings is itself uncertain by 34 %.) Reading − truth is modelled as

    e_ij = g(L_i) + v_ij,      g: grows with distance, the same in every run      v: changes from reading to reading

with g from device, misalignment, thermometers and expansion coefficients, and v from the environment (range w = E_VE, σ_v = w/(2√3) = U_EVE/2) and the
resolution r of the device. Every figure is a maximum, a minimum, or a difference of them, and for such figures the triangle inequality bounds the
error whatever the true positions are: |ΔE| ≤ range(ē), |ΔB| ≤ max|ē↑ − ē↓|, |Δs| ≤ s(v). From these bounds, N being the number of means, reversals or
standard deviations that compete for the extreme:

    x̄        √(U_g² + U_EVE²/n + U_RES²)
    B, B̄     z_N·σ_v·√(2/n) + r                              N = m;  N = 1 for B̄ and for one target (then U_EVE·√(2/n) + r)
    E, M      U_g + q_N·σ_v/√n + r                            N = 2m; for E↑, E↓ N = m; for M N = m and 2n readings a mean
    R         2k·(c_N·σ_v + b_n·r) + the part of B            N = 2m; R↑, R↓: N = m, without the part of B
    A         U_g + the part of E + the part of R↑            N = 2m; A↑, A↓: N = m

k is the factor of s in the figure (2; 3 in 1988), z_N, q_N and c_N the quantiles, at the probability of k = 2 (95.45 %), of the largest of N |normal
values|, of their range, and of the largest of N standard deviations s/σ of n values. v has the range w at most, so the parts are also limited by w
(means) and by b_n·w (s), b_n = √(⌊n²/4⌋/(n(n − 1))), however v is distributed.

Why not simpler
---------------
The rule of thumb (`rule="standard"`) combines U_g in quadrature with U_EVE/√n for E, U_EVE/√(2n) for M, U_EVE·√(2/n) for B and 2·U_EVE for R and A. It
is right where one far-out target decides the figure and the machine scatters more than the environment. Elsewhere it covers too little: the largest of
many equal reversals is biased upwards; noise alone makes R ≈ 4·s(v) on a machine that repeats perfectly, more than 2·U_EVE; and for E and A the bias adds
to U_g instead of mixing with it. Simulated with m = 10, n = 5, the true coverage of the rule of thumb falls to 64 % for B and to 0 % for R, E and A of
a flat, perfectly repeating axis. Hence the bounds above are the default; they are safe, and large only where E_VE is large.

Two limits: v is taken as independent between readings, so a drift with the period of the cycle itself (↑ always warm, ↓ always cold) is covered only as
far as the average over targets allows; and the misalignment error −δ²/(2L) has one sign, so it is covered with its full size √3·U_MISALIGNMENT.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final, Literal

from .. import units
from ..recording import Kind

RowKind = Literal["length-proportional", "systematic", "per-reading", "uncorrected"]
Rule = Literal["covering", "standard"]

PROBABILITY: Final = 2 * NormalDist().cdf(2.0) - 1
"""Coverage of k = 2 for a normal distribution, 95.45 %."""

FIGURES: Final = ("A", "A_up", "A_down", "E", "E_up", "E_down", "M", "R", "R_up", "R_down", "B", "B_mean", "mean", "reversal")
"""Keys that `Budget.for_figure` knows: the axis figures of ISO 230-2, a mean deviation x̄_i and a reversal error B_i at one target."""


_SIGNED: Final = ("machine_expansion_per_k", "device_expansion_per_k", "machine_temperature_difference_k", "device_temperature_difference_k")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributors:
    """What is known about the measurement of a linear axis. Every `range` is the full width of the interval of possible values.

    measured_length_m : L, the length over which the targets lie.
    targets, runs : m targets and n runs in each direction.
    device_relative : expanded uncertainty (k = 2) of the device's calibration as a ratio: 0.5 µm/m is 0.5e-6.
    device_resolution_m : step of the display or of the digital output.
    air_index_relative : expanded uncertainty (k = 2) of the refractive index by which an interferometer's readings were divided, as a ratio.
    air_uncorrected_m : size of the known error of readings that were not corrected for the refractive index of the air (n − 1)·L; 0 for corrected ones.
    air_variation_m : how much that error changed during the test; it is part of E_VE then, beside drift_range_m.
    misalignment_m : R_mis, lateral run-out of the measuring line against the axis over L.
    machine_expansion_per_k, machine_expansion_range_per_k : α and R(α) of the machine (workpiece side).
    machine_thermometer_range_k : R(θ) of the thermometer at the machine.
    machine_temperature_difference_k : mean temperature of the machine during the test − 20 °C, signed.
    device_… : the same of the measuring device; all zero for an interferometer with compensation for air.
    drift_range_m : E_VE, range of the reading on the unmoving axis over the time of the test.
    compensated_to_20_c : whether the readings were corrected to 20 °C (nominal differential expansion). If not, the whole differential expansion is
        an error of known size and is added.
    """

    measured_length_m: float
    targets: int
    runs: int = 5
    device_relative: float
    device_resolution_m: float
    air_index_relative: float = 0.0
    air_uncorrected_m: float = 0.0
    air_variation_m: float = 0.0
    misalignment_m: float
    machine_expansion_per_k: float
    machine_expansion_range_per_k: float
    machine_thermometer_range_k: float
    machine_temperature_difference_k: float
    device_expansion_per_k: float = 0.0
    device_expansion_range_per_k: float = 0.0
    device_thermometer_range_k: float = 0.0
    device_temperature_difference_k: float = 0.0
    drift_range_m: float
    compensated_to_20_c: bool = True

    def __post_init__(self) -> None:
        _check(self, may_be_negative=_SIGNED)
        if self.measured_length_m == 0:
            raise ValueError("measured_length_m is 0; expected the length over which the targets lie, in m")
        for name, example in (("device_relative", "0.5e-6 for 0.5 µm/m"), *((name, "11.7e-6 for steel") for name in _SIGNED[:2])):
            if abs(getattr(self, name)) > 1e-3:
                raise ValueError(f"{name} is {getattr(self, name):g}; expected at most 1e-3 in size (SI: {example})")


@dataclass(frozen=True, slots=True, kw_only=True)
class RotaryContributors:
    """What is known about the measurement of a rotary axis: no length, hence neither thermal expansion nor a cosine error.

    targets, runs : m targets and n runs in each direction.
    device_rad : expanded uncertainty (k = 2) of the device's calibration for the angle between any two targets (polygon, index table, autocollimator).
    device_resolution_rad : step of the display or of the digital output.
    drift_range_rad : E_VE, range of the reading on the unmoving axis over the time of the test.
    """

    targets: int
    runs: int = 5
    device_rad: float
    device_resolution_rad: float
    drift_range_rad: float

    def __post_init__(self) -> None:
        _check(self)


def _check(contributors: Contributors | RotaryContributors, may_be_negative: Iterable[str] = ()) -> None:
    for name, value in asdict(contributors).items():
        if not math.isfinite(value) or (value < 0 and name not in may_be_negative):
            raise ValueError(f"{name} is {value}; expected a finite number, zero or more, in the unit that the name ends with")
    if contributors.targets < 1 or contributors.runs < 1:
        raise ValueError(f"{contributors.targets} targets and {contributors.runs} runs; expected at least one of each")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a budget.

    uncertainty : expanded (k = 2), m or rad; for the kind "uncorrected" the size of the known, uncorrected error.
    kind : "length-proportional" and "systematic" are the same in every run and cancel in B and R; "per-reading" changes from reading to reading;
        "uncorrected" is added to the others instead of combined in quadrature.
    one_sided : the error has one sign only.
    """

    symbol: str
    name: str
    formula: str
    uncertainty: float
    kind: RowKind
    one_sided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Contributors turned into expanded uncertainties, and their combination for each figure. Made by `budget`.

    kind : "linear" (m) or "rotary" (rad).
    targets, runs : the numbers m and n that the combination is for; it also covers fewer targets or more runs.
    measured_length_m : L, None for a rotary axis.
    rows : the contributors.
    drift_range, resolution : E_VE and the device's step, m or rad.
    """

    kind: Kind
    targets: int
    runs: int
    measured_length_m: float | None
    rows: tuple[Row, ...]
    drift_range: float
    resolution: float

    @property
    def unit(self) -> str:
        """SI unit of every uncertainty: "m" or "rad"."""
        return "m" if self.kind == "linear" else "rad"

    def for_figure(self, key: str, *, spread_factor: float = 2.0, rule: Rule = "covering") -> tuple[float | None, str | None]:
        """Expanded uncertainty U (k = 2) of a figure, and None; or None, and the reason.

        Parameters
        ----------
        key : one of `FIGURES`
        spread_factor : factor k of s in R and A (2; 3 for ISO 230-2:1988)
        rule : "covering" (the bounds in this module's docstring) or "standard" (the rule of thumb there)

        Raises
        ------
        ValueError      an unknown key
        """
        if key not in FIGURES:
            raise ValueError(f"figure {key!r} has no uncertainty here; expected one of {', '.join(FIGURES)}")
        if key[0] in "RA" and self.runs < 2:
            return None, "the standard deviation of one run is not defined, so neither is its uncertainty"
        if rule == "standard":
            return self._rule_of_thumb(key), None
        return self._covering(key, spread_factor), None

    def parts(self, key: str, *, spread_factor: float = 2.0) -> dict[str, float]:
        """What U of a figure is the sum of (rule "covering"), m or rad: "systematic" (U_g, the root of the sum of squares of what is the same in every run,
        one-sided contributors at full size), "uncorrected" (ΔL, ΔL_n), "mean" (environment and resolution in the means), "spread" (in s) and "reversal".

        Raises
        ------
        ValueError      an unknown key
        """
        if key not in FIGURES:
            raise ValueError(f"figure {key!r} has no uncertainty here; expected one of {', '.join(FIGURES)}")
        m, n = self.targets, self.runs
        means = m if key.endswith(("_up", "_down")) or key == "M" else 2 * m
        systematic = {"systematic": self._systematic(), "uncorrected": self._uncorrected()}
        match key:
            case "mean":
                return {**systematic, "mean": self._mean()}
            case "reversal" | "B_mean":
                return {"reversal": self._reversal(1)}
            case "B":
                return {"reversal": self._reversal(m)}
            case "M":
                return {**systematic, "mean": self._range_of_means(means, 2 * n)}
            case "E" | "E_up" | "E_down":
                return {**systematic, "mean": self._range_of_means(means, n)}
            case "R":
                return {"spread": self._spread(means, spread_factor), "reversal": self._reversal(m)}
            case "R_up" | "R_down":
                return {"spread": self._spread(means, spread_factor)}
            case _:
                return {**systematic, "mean": self._range_of_means(means, n), "spread": self._spread(means, spread_factor)}

    def _covering(self, key: str, spread_factor: float) -> float:
        return sum(self.parts(key, spread_factor=spread_factor).values())

    def _rule_of_thumb(self, key: str) -> float:
        per_reading = math.hypot(*(row.uncertainty for row in self.rows if row.kind == "per-reading"))
        share = {"mean": 1.0, "E": 1.0, "M": math.sqrt(0.5), "B": math.sqrt(2), "r": math.sqrt(2)}
        random = 2 * per_reading if key[0] in "RA" else per_reading * share["mean" if key == "mean" else key[0]] / math.sqrt(self.runs)
        if key[0] in "RBr":
            return random
        combined = math.hypot(random, *(row.uncertainty for row in self.rows if row.kind in ("length-proportional", "systematic")))
        return combined + self._uncorrected()

    def _uncorrected(self) -> float:
        return sum(row.uncertainty for row in self.rows if row.kind == "uncorrected")

    def _systematic(self) -> float:
        """U_g, with the one-sided contributors in full size."""
        parts = (row.uncertainty * (math.sqrt(3) if row.one_sided else 1.0) for row in self.rows if row.kind in ("length-proportional", "systematic"))
        return math.hypot(*parts)

    @property
    def _sigma(self) -> float:
        return self.drift_range / (2 * math.sqrt(3))

    def _mean(self) -> float:
        return math.hypot(2 * self._sigma / math.sqrt(self.runs), self.resolution / math.sqrt(3))

    def _reversal(self, count: int) -> float:
        return min(_largest(count) * self._sigma * math.sqrt(2 / self.runs), self.drift_range) + self.resolution

    def _range_of_means(self, count: int, readings: int) -> float:
        return min(_range(count) * self._sigma / math.sqrt(readings), self.drift_range) + self.resolution

    def _spread(self, count: int, spread_factor: float) -> float:
        n = self.runs
        bound = math.sqrt((n * n // 4) / (n * (n - 1)))
        return 2 * spread_factor * (min(_largest_spread(count, n) * self._sigma, bound * self.drift_range) + bound * self.resolution)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{row.symbol:<8} {row.name:<{width}}  {units.text(row.uncertainty, self.unit, digits=3):>12}  {row.formula}" for row in self.rows]
        return "\n".join([f"uncertainty budget, U (k = 2), {self.targets} targets, {self.runs} runs", *lines])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; SI values in full."""
        return {"unit": self.unit, **asdict(self), "rows": [asdict(row) for row in self.rows]}


def budget(contributors: Contributors | RotaryContributors) -> Budget:
    """The uncertainty budget of a positioning test.

    >>> example = budget(Contributors(
    ...     measured_length_m=1.0, targets=5, device_relative=0.5e-6, device_resolution_m=0.0, misalignment_m=1e-3, machine_expansion_per_k=11.7e-6,
    ...     machine_expansion_range_per_k=2e-6, machine_thermometer_range_k=0.4, machine_temperature_difference_k=3.0, drift_range_m=1e-6))
    >>> [f"{row.uncertainty * 1e6:.2f}" for row in example.rows if row.uncertainty]
    ['0.50', '0.29', '2.70', '3.46', '0.58']
    """
    if isinstance(contributors, RotaryContributors):
        c = contributors
        device = Row(symbol="U_DEVICE", name="calibration of the device", formula="U_CAL", uncertainty=c.device_rad, kind="systematic")
        rows = (device, *_per_reading(c.drift_range_rad, c.device_resolution_rad))
        return Budget(
            kind="rotary", targets=c.targets, runs=c.runs, measured_length_m=None, rows=rows,
            drift_range=c.drift_range_rad, resolution=c.device_resolution_rad,
        )  # fmt: skip
    return Budget(
        kind="linear", targets=contributors.targets, runs=contributors.runs, measured_length_m=contributors.measured_length_m,
        rows=(*_length_rows(contributors), *_per_reading(contributors.drift_range_m + contributors.air_variation_m, contributors.device_resolution_m)),
        drift_range=contributors.drift_range_m + contributors.air_variation_m, resolution=contributors.device_resolution_m,
    )  # fmt: skip


def _length_rows(c: Contributors) -> Iterable[Row]:
    length, third = c.measured_length_m, 1 / math.sqrt(3)

    def row(symbol: str, name: str, formula: str, uncertainty: float, *, one_sided: bool = False) -> Row:
        return Row(symbol=symbol, name=name, formula=formula, uncertainty=uncertainty, kind="length-proportional", one_sided=one_sided)

    yield row("U_DEVICE", "calibration of the device", "U_CAL·L", c.device_relative * length)
    if c.air_index_relative:
        yield row("U_AIR", "refractive index of the air", "U(n)/n·L", c.air_index_relative * length)
    yield row("U_MIS", "misalignment of the measuring line", "R_mis²/(2√3·L)", third / 2 * c.misalignment_m**2 / length, one_sided=True)
    for name, alpha, alpha_range, theta_range, difference in (
        ("machine", c.machine_expansion_per_k, c.machine_expansion_range_per_k, c.machine_thermometer_range_k, c.machine_temperature_difference_k),
        ("device", c.device_expansion_per_k, c.device_expansion_range_per_k, c.device_thermometer_range_k, c.device_temperature_difference_k),
    ):
        yield row("U_M", f"temperature of the {name}", "|α|·L·R(θ)/√3", third * abs(alpha) * length * theta_range)
        yield row("U_E", f"expansion coefficient of the {name}", "|θ − 20 °C|·L·R(α)/√3", third * abs(difference) * length * alpha_range)
    if c.air_uncorrected_m:
        yield Row(
            symbol="ΔL_n", name="refractive index not corrected", formula="(n − 1)·L", uncertainty=c.air_uncorrected_m, kind="uncorrected",
        )  # fmt: skip
    if not c.compensated_to_20_c:
        expansion = c.machine_expansion_per_k * c.machine_temperature_difference_k - c.device_expansion_per_k * c.device_temperature_difference_k
        yield Row(
            symbol="ΔL", name="expansion not corrected to 20 °C", formula="|α·Δθ machine − α·Δθ device|·L",
            uncertainty=abs(expansion) * length, kind="uncorrected",
        )  # fmt: skip


def _per_reading(drift_range: float, resolution: float) -> tuple[Row, Row]:
    third = 1 / math.sqrt(3)
    return (
        Row(symbol="U_EVE", name="environmental variation", formula="E_VE/√3", uncertainty=third * drift_range, kind="per-reading"),
        Row(symbol="U_RES", name="resolution of the device", formula="r/√3", uncertainty=third * resolution, kind="per-reading"),
    )


def _largest(count: int) -> float:
    """z_N: quantile of the largest of N independent |standard normal| values; 2 for N = 1."""
    return NormalDist().inv_cdf((1 + PROBABILITY ** (1 / count)) / 2)


@lru_cache
def _range(count: int) -> float:
    """q_N: quantile of the range of N independent standard normal values; one value has none."""
    if count < 2:
        return 0.0
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(PROBABILITY, count, math.inf))


@lru_cache
def _largest_spread(count: int, runs: int) -> float:
    """c_N: quantile of the largest of N sample standard deviations (divisor n − 1) of n standard normal values."""
    from scipy.stats import chi2

    return math.sqrt(float(chi2.ppf(PROBABILITY ** (1 / count), runs - 1)) / (runs - 1))
