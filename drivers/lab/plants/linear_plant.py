"""A linear plant under sampled control, simulated without approximation.

Between samples the input is held, so the state moves by the matrix exponential (zero-order hold): what comes out at the samples is exact, resonances near half the
rate included. The controller is a discrete system of its own. Noise is drawn from a Philox generator by seed and channel, so that runs repeat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True, eq=False)
class StateSpace:
    """ẋ = A x + B u, y = C x + D u; or x[k+1] = A x[k] + B u[k] where `step_s` is given. One or more inputs and outputs."""

    a: Array
    b: Array
    c: Array
    d: Array
    step_s: float | None = None

    def response(self, frequency_hz: ArrayLike) -> Complex:
        """(m, outputs, inputs) at the frequencies: the truth itself, not an estimate."""
        f = np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
        z = 2j * math.pi * f if self.step_s is None else np.exp(2j * math.pi * f * self.step_s)
        identity = np.eye(self.a.shape[0])
        return np.asarray(self.c @ np.linalg.solve(z[:, None, None] * identity - self.a, np.broadcast_to(self.b, (f.size, *self.b.shape))) + self.d)

    def held(self, step_s: float) -> StateSpace:
        """The same plant seen at samples `step_s` apart while its input is held between them, exactly."""
        from scipy.linalg import expm

        if self.step_s is not None:
            raise ValueError("the plant is a sampled one already; expected a continuous one")
        n, inputs = self.b.shape
        whole = np.zeros((n + inputs, n + inputs))
        whole[:n, :n], whole[:n, n:] = self.a * step_s, self.b * step_s
        moved = np.asarray(expm(whole))
        return StateSpace(a=moved[:n, :n], b=moved[:n, n:], c=self.c, d=self.d, step_s=step_s)

    def poles(self) -> Complex:
        """Eigenvalues of A."""
        return np.asarray(np.linalg.eigvals(self.a), dtype=np.complex128)


def of_polynomials(numerator: ArrayLike, denominator: ArrayLike, *, step_s: float | None = None) -> StateSpace:
    """One input and output from the coefficients of a transfer function, highest power first; the order of the numerator at most that of the denominator."""
    from scipy.signal import tf2ss

    a, b, c, d = tf2ss(np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64))
    return StateSpace(a=np.asarray(a), b=np.asarray(b), c=np.asarray(c), d=np.asarray(d), step_s=step_s)


def of_modes(omega: ArrayLike, zeta: ArrayLike, gain: ArrayLike) -> StateSpace:
    """Σ g/(s² + 2ζωs + ω²), each mode with a state of its own: orders that would lose their digits as a polynomial keep them."""
    w, z, g = (np.asarray(part, dtype=np.float64) for part in (omega, zeta, gain))
    n = w.size
    # States scaled by ω (1 rad/s for a rigid body), so that fast and slow modes have entries of one size.
    size = np.where(w > 0, w, 1.0)
    a, b, c = np.zeros((2 * n, 2 * n)), np.zeros((2 * n, 1)), np.zeros((1, 2 * n))
    for k in range(n):
        a[2 * k, 2 * k + 1] = size[k]
        a[2 * k + 1, 2 * k], a[2 * k + 1, 2 * k + 1] = -(w[k] ** 2) / size[k], -2 * z[k] * w[k]
        b[2 * k + 1, 0], c[0, 2 * k] = g[k] / size[k], 1.0
    return StateSpace(a=a, b=b, c=c, d=np.zeros((1, 1)))


def of_zeros_and_poles(zeros: ArrayLike, poles: ArrayLike, gain: float) -> StateSpace:
    """One input and output from zeros, poles and gain, as a chain of sections of second order."""
    z, p = (np.asarray(part, dtype=np.complex128) for part in (zeros, poles))
    sections = list(zip(_pairs(z, (p.size + 1) // 2), _pairs(p, (p.size + 1) // 2), strict=True))
    chain: StateSpace | None = None
    for numerator, denominator in sections:
        one = of_polynomials(numerator, denominator)
        chain = one if chain is None else connected(chain, one)
    if chain is None:
        raise ValueError("there are no poles; expected at least one, and not more zeros than poles")
    return StateSpace(a=chain.a, b=chain.b, c=chain.c * gain, d=chain.d * gain)


def connected(first: StateSpace, second: StateSpace) -> StateSpace:
    """The second behind the first."""
    n, m = first.a.shape[0], second.a.shape[0]
    a = np.block([[first.a, np.zeros((n, m))], [second.b @ first.c, second.a]])
    return StateSpace(
        a=a, b=np.vstack([first.b, second.b @ first.d]), c=np.hstack([second.d @ first.c, second.c]), d=second.d @ first.d, step_s=first.step_s
    )


def _pairs(roots: Complex, count: int) -> list[Array]:
    """Polynomials of second order (or less) of conjugate pairs and pairs of real roots; 1 where no roots are left."""
    upper = sorted((root for root in roots if root.imag > 0), key=abs)
    real = sorted((root.real for root in roots if root.imag == 0), key=abs)
    found = [np.array([1.0, -2 * root.real, abs(root) ** 2]) for root in upper]
    while real:
        pair = [real.pop(0) for _ in range(min(2, len(real)))]
        found.append(np.array([1.0, -pair[0]]) if len(pair) == 1 else np.array([1.0, -(pair[0] + pair[1]), pair[0] * pair[1]]))
    return [*found, *([np.array([1.0])] * (count - len(found)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Standard deviations of white noise, drawn at each sample: disturbance at the plant's input, of the sensor at its output, of the steps by which the sensor wanders;
    and the sensor's resolution (0: none)."""

    input: float = 0.0
    output: float = 0.0
    walk: float = 0.0
    resolution: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What a run shows: (n,) excitation w, plant input u (after the limit), measured output y, its noise-free value, and whether the drive was at its limit."""

    step_s: float
    excitation: Array
    input: Array
    output: Array
    noise_free: Array
    limited: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """A plant of one input and output with a controller around it, or without.

    plant : continuous.  step_s : of the controller.  controller : discrete, from the error r − y to the input, with no direct path from this sample's y needed in the
    plant (its D is 0); None: open loop.  limit : of the plant's input.  seed : of the noise.  delay : samples between computing an input and its being there.
    """

    plant: StateSpace
    step_s: float
    controller: StateSpace | None = None
    limit: float = math.inf
    noise: Noise = field(default_factory=Noise)
    seed: int = 0
    delay: int = 0

    @property
    def sampled(self) -> StateSpace:
        """The plant at the samples."""
        return self.plant.held(self.step_s)

    def plant_response(self, frequency_hz: ArrayLike) -> Complex:
        """(m,) truth of the sampled plant with its hold and delay."""
        f = np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
        return np.asarray(self.sampled.response(f)[:, 0, 0] * np.exp(-2j * math.pi * f * self.step_s * self.delay))

    def loop_response(self, frequency_hz: ArrayLike) -> Complex:
        """(m,) truth of L = P C; 0 in open loop."""
        p = self.plant_response(frequency_hz)
        return np.zeros_like(p) if self.controller is None else np.asarray(p * self.controller.response(frequency_hz)[:, 0, 0])

    def run(self, excitation: ArrayLike, *, reference: ArrayLike | None = None) -> Trace:
        """Add `excitation` (n,) to the plant's input while the loop follows `reference` (n,), 0 if none is given; all at rest before."""
        return Loop(self).advance(excitation, reference=reference)


class Loop:
    """A bench while it runs: what it did so far is kept, so that a run in pieces is the run in one."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._plant, self._law = bench, bench.sampled, bench.controller
        if np.any(self._plant.d):
            raise ValueError("the plant answers its input at once (D is not 0); a loop around it would have no order of events")
        self._x = np.zeros(self._plant.a.shape[0])
        self._state = np.zeros(self._law.a.shape[0] if self._law is not None else 0)
        self._queue = [0.0] * bench.delay
        self._drift = 0.0
        self._sources = [generator(bench.seed, name) for name in ("input", "output", "walk")]

    def advance(self, excitation: ArrayLike, *, reference: ArrayLike | None = None) -> Trace:
        """The next samples; as `Bench.run`."""
        w = np.array(excitation, dtype=np.float64)
        r = np.zeros_like(w) if reference is None else np.array(reference, dtype=np.float64)
        if w.ndim != 1 or r.shape != w.shape:
            raise ValueError(f"excitation has shape {w.shape} and reference {r.shape}; expected the same (n,)")
        noise, limit, law = self._bench.noise, self._bench.limit, self._law
        disturbance, sensor, walk = (
            sigma * source.standard_normal(int(w.size)) for sigma, source in zip((noise.input, noise.output, noise.walk), self._sources, strict=True)
        )
        walk = self._drift + np.cumsum(walk)
        self._drift = float(walk[-1]) if w.size else self._drift
        sensor = sensor + walk
        a, b, c = self._plant.a, self._plant.b[:, 0], self._plant.c[0]
        x, state, queue = self._x, self._state, self._queue
        u, y, clean = np.empty(w.size), np.empty(w.size), np.empty(w.size)
        limited = np.zeros(w.size, dtype=np.bool_)
        for k in range(w.size):
            clean[k] = c @ x
            y[k] = clean[k] + sensor[k]
            if noise.resolution:
                y[k] = noise.resolution * round(y[k] / noise.resolution)
            feedback = 0.0
            if law is not None:
                error = r[k] - y[k]
                feedback = float(law.c[0] @ state + law.d[0, 0] * error)
                state = law.a @ state + law.b[:, 0] * error
            wanted = w[k] + feedback
            u[k] = min(limit, max(-limit, wanted))
            limited[k] = u[k] != wanted
            queue.append(u[k])
            x = a @ x + b * (queue.pop(0) + disturbance[k])
        self._x, self._state = x, state
        return Trace(step_s=self._bench.step_s, excitation=w, input=u, output=y, noise_free=clean, limited=limited)


def generator(seed: int, channel: str) -> np.random.Generator:
    """Random numbers of a channel: a Philox generator whose key is a hash of the seed and the channel's name."""
    key = np.frombuffer(blake2b(f"{seed}\0{channel}".encode(), digest_size=16).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def pid(kp: float, ki: float, kd: float, tau_s: float, *, step_s: float) -> StateSpace:
    """kp + ki/s + kd s/(τ s + 1) by Tustin's rule, as a controller computes it."""
    from scipy.signal import bilinear

    numerator = np.array([kp * tau_s + kd, kp + ki * tau_s, ki])
    denominator = np.array([tau_s, 1.0, 0.0])
    if ki == 0:
        numerator, denominator = np.array([kp * tau_s + kd, kp]), np.array([tau_s, 1.0])
    top, bottom = bilinear(numerator, denominator, fs=1 / step_s)
    return of_polynomials(top, bottom, step_s=step_s)


def gain(value: float, *, step_s: float) -> StateSpace:
    """A proportional controller."""
    return StateSpace(a=np.zeros((0, 0)), b=np.zeros((0, 1)), c=np.zeros((1, 0)), d=np.array([[value]]), step_s=step_s)


def truth_of(**numbers: Any) -> dict[str, Any]:
    """A published truth as plain JSON types."""
    return {name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value for name, value in numbers.items()}
