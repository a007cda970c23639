"""The virtual scanner: a long stroke that carries a short stroke, which carries the wafer; sampled servo loops, a flexible mode, delays and noise.

    long stroke 45 kg ── k = 200 N/m, c = 20 N s/m ── short stroke 18 kg with a mode of 800 Hz

The mechanics are advanced exactly from sample to sample (matrix exponential, forces held), the controllers are difference equations as they would run in a
controller at 20 kHz with one sample of delay. The parameters are a published set whose loop is known: crossing 152 Hz, phase margin 26.3°, Ms 2.49. The reticle
stage is a stage of the same design that scans four times as far. Other degrees of freedom follow the scan error through the offsets of the drive, with noise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .noise import Channel

Array = NDArray[np.float64]

RATE_HZ: Final = 20_000.0
_TS: Final = 1 / RATE_HZ
AXES: Final = ("x", "y", "z", "Rx", "Ry", "Rz")
_REST_S: Final = 0.030
"""Recorded at rest before the motion of each field, and after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage. The last three say how x, z (m/m) and Rx, Ry, Rz (rad/m) follow the error in y, this many samples later."""

    long_kg: float = 45.0
    short_kg: float = 18.0
    coupling_n_per_m: float = 200.0
    damping_n_s_per_m: float = 20.0
    mode_hz: float = 800.0
    mode_damping: float = 0.01
    participation: float = -0.3
    long_loop_hz: float = 12.0
    short_loop_hz: float = 150.0
    feed_forward: float = 0.9995
    advance_samples: float = 1.5
    sensor_m: float = 0.10e-9
    gap_sensor_m: float = 50e-9
    short_force_n: float = 2e-3
    long_force_n: float = 0.3
    cross: tuple[float, float] = (0.12, 0.05)
    turn: tuple[float, float, float] = (0.3, 0.2, 0.8)
    late_samples: int = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A fourth-order set-point: length, and bounds of speed, acceleration, jerk and snap."""

    length_m: float = 0.075
    speed_m_per_s: float = 0.30
    acceleration_m_per_s2: float = 12.0
    jerk_m_per_s3: float = 2000.0
    snap_m_per_s4: float = 5e5

    @property
    def segments_s(self) -> tuple[float, float, float, float]:
        """Times of constant snap, jerk, acceleration and speed. Raises ValueError where the length does not reach the speed."""
        v, a, j, s = self.speed_m_per_s, self.acceleration_m_per_s2, self.jerk_m_per_s3, self.snap_m_per_s4
        t1 = j / s
        t2 = a / j - t1
        t3 = v / a - t2 - 2 * t1
        t4 = self.length_m / v - (4 * t1 + 2 * t2 + t3)
        if min(t2, t3, t4) < 0:
            raise ValueError(f"a scan of {self.length_m:g} m does not reach {v:g} m/s within its bounds; make it longer or slower")
        return t1, t2, t3, t4

    @classmethod
    def at(cls, speed_m_per_s: float, *, constant_s: float) -> Scan:
        """A scan at another speed that is constant for at least `constant_s`. Slower than the published one it accelerates in proportion less, in the same time;
        faster with the same bounds, for longer."""
        usual = cls()
        slower = min(1.0, speed_m_per_s / usual.speed_m_per_s)
        a, j, s = (slower * bound for bound in (usual.acceleration_m_per_s2, usual.jerk_m_per_s3, usual.snap_m_per_s4))
        ramp = speed_m_per_s / a + a / j + j / s  # 4 t1 + 2 t2 + t3
        length = max(usual.length_m if speed_m_per_s == usual.speed_m_per_s else 0.0, speed_m_per_s * (ramp + constant_s))
        return cls(length_m=length, speed_m_per_s=speed_m_per_s, acceleration_m_per_s2=a, jerk_m_per_s3=j, snap_m_per_s4=s)

    def constant_speed_s(self) -> tuple[float, float]:
        """Begin and end of the constant speed, s from the start of the motion."""
        t1, t2, t3, t4 = self.segments_s
        ramp = 4 * t1 + 2 * t2 + t3
        return ramp, ramp + t4

    def acceleration(self, time_s: Array) -> tuple[Array, Array]:
        """(n,) acceleration and (n,) position at times from the start of the motion, each exact."""
        t1, t2, t3, t4 = self.segments_s
        s = self.snap_m_per_s4
        ramp = [(t1, s), (t2, 0.0), (t1, -s), (t3, 0.0), (t1, -s), (t2, 0.0), (t1, s)]
        pieces = [*ramp, (t4, 0.0), *((t, -snap) for t, snap in ramp)]
        acceleration, position = np.zeros_like(time_s), np.zeros_like(time_s)
        begin, p, v, a, j = 0.0, 0.0, 0.0, 0.0, 0.0
        for length, snap in pieces:
            inside = (time_s >= begin) & (time_s < begin + length)
            t = time_s[inside] - begin
            acceleration[inside] = a + j * t + snap * t**2 / 2
            position[inside] = p + v * t + a * t**2 / 2 + j * t**3 / 6 + snap * t**4 / 24
            p += v * length + a * length**2 / 2 + j * length**3 / 6 + snap * length**4 / 24
            v += a * length + j * length**2 / 2 + snap * length**3 / 6
            a += j * length + snap * length**2 / 2
            j += snap * length
            begin += length
        position[time_s >= begin] = self.length_m
        return acceleration, position


class Scanner:
    """Wafer and reticle stage that scan field after field, up and down in turn."""

    def __init__(self, seed: int, *, scan: Scan | None = None, wafer: Stage | None = None, reticle: Stage | None = None, reduction: float = 0.25) -> None:
        self.scan, self.wafer, self.reduction = scan or Scan(), wafer or Stage(), reduction
        self.reticle = reticle or Stage(long_kg=30.0, short_kg=10.0, short_loop_hz=180.0, mode_hz=950.0, feed_forward=0.9997, late_samples=18)
        self._seed = seed
        moving = sum(part * count for part, count in zip(self.scan.segments_s, (8, 4, 2, 1), strict=True))
        self.samples_a_field = math.ceil((moving + 2 * _REST_S) * RATE_HZ)

    def field(self, number: int) -> dict[str, Array]:
        """Everything that is logged of field `number`: "y_set" (m, wafer level), "scanning" (1 at constant speed), "w_x" … "r_Rz" (positions, each stage's level)."""
        count = self.samples_a_field
        time: Array = np.asarray(np.arange(count) * _TS - _REST_S, dtype=np.float64)
        sense = 1.0 if number % 2 == 0 else -1.0
        begin, end = self.scan.constant_speed_s()
        logged = {"y_set": np.empty(0), "scanning": ((time >= begin) & (time < end)).astype(np.float64)}
        for letter, stage, gain in (("w", self.wafer, 1.0), ("r", self.reticle, 1 / self.reduction)):
            acceleration, place = self.scan.acceleration(time)
            ahead, _ = self.scan.acceleration(time + stage.advance_samples * _TS)
            noise = [Channel(self._seed, f"scanner/{letter}/{kind}").normals(number * count, count) for kind in ("sensor", "gap", "short", "long")]
            set_m = sense * gain * place
            error = _closed_loop(stage, set_m, sense * gain * acceleration, sense * gain * ahead, noise)
            if letter == "w":
                logged["y_set"] = set_m
            logged |= {f"{letter}_{axis}": values for axis, values in self._six(letter, stage, set_m, error, number).items()}
        return logged

    def error(self, number: int, letter: str = "w") -> Array:
        """(n,) m: true error of a stage in y over field `number`, position − set-point, without what its sensor adds."""
        logged, gain = self.field(number), 1.0 if letter == "w" else 1 / self.reduction
        sensor = (self.wafer if letter == "w" else self.reticle).sensor_m
        noise = Channel(self._seed, f"scanner/{letter}/sensor").normals(number * self.samples_a_field, self.samples_a_field)
        return np.asarray(logged[f"{letter}_y"] - gain * logged["y_set"] - sensor * noise)

    def truth(self) -> dict[str, Any]:
        """All that the scanner holds, as plain JSON types."""
        return {"scan": asdict(self.scan), "wafer": asdict(self.wafer), "reticle": asdict(self.reticle), "reduction": self.reduction, "rate_hz": RATE_HZ}

    def _six(self, letter: str, stage: Stage, set_m: Array, error: Array, number: int) -> dict[str, Array]:
        late = np.concatenate([np.full(stage.late_samples, error[0]), error[: -stage.late_samples]])
        found = {"x": stage.cross[0] * late, "y": set_m + error, "z": stage.cross[1] * late}
        found |= {axis: gain * late for axis, gain in zip(("Rx", "Ry", "Rz"), stage.turn, strict=True)}
        for axis in AXES:
            if axis == "y":
                kind, sigma = "sensor", stage.sensor_m
            else:
                kind, sigma = axis, stage.sensor_m * (1.0 if len(axis) == 1 else 10.0)
            found[axis] = found[axis] + sigma * Channel(self._seed, f"scanner/{letter}/{kind}").normals(number * set_m.size, set_m.size)
        return {axis: found[axis] for axis in AXES}


def discrete(stage: Stage) -> tuple[Array, Array]:
    """State (long x, v, short x, v, mode q, v) from sample to sample: x⁺ = A x + B (long force, short force), forces held."""
    from scipy.linalg import expm

    k, c, big, small, w = stage.coupling_n_per_m, stage.damping_n_s_per_m, stage.long_kg, stage.short_kg, 2 * math.pi * stage.mode_hz
    a, b = np.zeros((6, 6)), np.zeros((6, 2))
    a[0, 1] = a[2, 3] = a[4, 5] = 1.0
    a[1, :4] = -k / big, -c / big, k / big, c / big
    a[3, :4] = k / small, c / small, -k / small, -c / small
    a[5, 4:] = -w * w, -2 * stage.mode_damping * w
    b[1, 0], b[3, 1], b[5, 1] = 1 / big, 1 / small, 1 / small
    whole = expm(np.block([[a, b], [np.zeros((2, 8))]]) * _TS)
    return np.ascontiguousarray(whole[:6, :6]), np.ascontiguousarray(whole[:6, 6:])


def controller(kg: float, loop_hz: float, *, notch_hz: float | None) -> Array:
    """(sections, 6) of m ω²/3.5 · lead(3.5) · (s + ω/6)/s · low-pass at 7ω · notch, by Tustin's rule."""
    from scipy.signal import bilinear_zpk, zpk2sos

    w = 2 * math.pi * loop_hz
    zeros, poles = [-w / 3.5, -w / 6], [-3.5 * w, 0.0]
    gain = kg * w * w / 3.5 * 3.5 * 3.5
    low = np.roots([1.0, 2 * 0.7 * 7 * w, (7 * w) ** 2])
    poles += list(low)
    gain *= (7 * w) ** 2
    if notch_hz is not None:
        wn = 2 * math.pi * notch_hz
        zeros += list(np.roots([1.0, 2 * 0.05 * wn, wn * wn]))
        poles += list(np.roots([1.0, 2 * 0.35 * wn, wn * wn]))
    z, p, k = bilinear_zpk(np.array(zeros), np.array(poles), gain, RATE_HZ)
    return np.ascontiguousarray(zpk2sos(z, p, k))


def _closed_loop(stage: Stage, set_m: Array, acceleration: Array, ahead: Array, noise: list[Array]) -> Array:
    """(n,) m: true position of the wafer − set-point."""
    a, b = discrete(stage)
    short = controller(stage.short_kg, stage.short_loop_hz, notch_hz=stage.mode_hz)
    long = controller(stage.long_kg, stage.long_loop_hz, notch_hz=None)
    error = np.empty_like(set_m)
    forward = stage.feed_forward * ahead
    _advance()(
        a, b, short, long, stage.participation, set_m, forward * stage.short_kg, forward * stage.long_kg, stage.sensor_m * noise[0], stage.gap_sensor_m * noise[1],
        stage.short_force_n * noise[2], stage.long_force_n * noise[3], error,
    )  # fmt: skip
    return error


@functools.cache
def _advance() -> Callable[..., None]:
    """The sample loop, compiled where Numba is installed: the same arithmetic in the same order."""
    from precision.kernels import compiled

    if compiled.numba_or_none() is None:
        return _samples
    table, line, number = compiled.frozen(2), compiled.frozen(1), compiled.scalar("float64")
    signature = (table, table, table, table, number, *(line for _ in range(7)), compiled.writable(1))
    made: Callable[..., None] = compiled.jit(_samples, signature)
    return made


def _samples(a, b, short, long, participation, set_m, short_ff, long_ff, sensor, gap_sensor, short_noise, long_noise, error):  # type: ignore[no-untyped-def]
    """Sample by sample. Positions are held relative to the set-point's start, as the set-point is."""
    state, after = np.zeros(6), np.zeros(6)
    short_memory, long_memory = np.zeros((short.shape[0], 2)), np.zeros((long.shape[0], 2))
    short_force, long_force = 0.0, 0.0
    for n in range(set_m.size):
        wafer = state[2] + participation * state[4]
        error[n] = wafer - set_m[n]
        value = set_m[n] - (wafer + sensor[n])
        for section in range(short.shape[0]):
            out = short[section, 0] * value + short_memory[section, 0]
            short_memory[section, 0] = short[section, 1] * value - short[section, 4] * out + short_memory[section, 1]
            short_memory[section, 1] = short[section, 2] * value - short[section, 5] * out
            value = out
        gap = state[2] - state[0] + gap_sensor[n]
        for section in range(long.shape[0]):
            out = long[section, 0] * gap + long_memory[section, 0]
            long_memory[section, 0] = long[section, 1] * gap - long[section, 4] * out + long_memory[section, 1]
            long_memory[section, 1] = long[section, 2] * gap - long[section, 5] * out
            gap = out
        u_long, u_short = long_force + long_noise[n], short_force + short_noise[n]
        for i in range(6):
            total = b[i, 0] * u_long + b[i, 1] * u_short
            for j in range(6):
                total += a[i, j] * state[j]
            after[i] = total
        for i in range(6):
            state[i] = after[i]
        short_force, long_force = value + short_ff[n], gap + long_ff[n]
