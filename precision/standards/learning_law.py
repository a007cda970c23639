"""A learning law designed from a measured response, and what it will do.

    e_j = e_0 − J u_j        e_0: error without the signal, J: output over signal, measured in the closed loop
    u_{j+1} = Q (u_j + L e_j)

A trial of n samples is set in 2n of which the second half is 0, so that what a filter reaches beyond the ends of the trial is cut off and does
not come in again at its
other end; J is measured at the lines of 2n samples. In the last twentieth of a trial learning fades out, and the error there is not judged. Line
by line the error shrinks by M = Q (1 − L J) towards (1 − Q) e_0/(1 − M); where |M| < 1 at all lines no trial is
worse than the one before, and cutting off can only lower that (it is a projection, of norm 1). What the trials themselves do is forecast by
repeating the law with J.
What differs from trial to trial, n of variance s², is learned too, one trial late, and adds |Q L J|² s² (1 + |M|² + … + |M|^(2j−2)) to trial j
at each line.

    inverse    L = g/J, 0 < g ≤ 1: M = Q (1 − g)
    PD         L = (k_p + k_d 2πif) exp(2πif·lead)

Q = 1/(1 + (f/f_c)^(2n)) has no phase (a Butterworth filter of order n run forwards and backwards); above the measured lines Q = 0; the line 0 is
not measured and not learned.
Source: D. Bristow, M. Tharayil, A. Alleyne, IEEE Control Systems Magazine 26 (2006) 96, from memory; the sums over trials are our own derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, frozen, positive, vector
from .frequency_response import Complex, Response

LARGEST: Final = 1e12
"""Of a signal or an error, in its unit."""
FADE: Final = 20
"""The last part of a trial in which what is learned fades to nothing: one in so many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """A law for trials of `samples` samples.

    frequency_hz : (samples + 1,) lines of 2·samples samples, 0 … half the rate.  plant : (samples + 1,) J, 0 where it was not measured.  plant_u
    : standard uncertainty of a
    component of J.  learning : L.  filter : Q.  measured : where J is known.  stated : the law in words.
    """

    samples: int
    frequency_hz: Array
    plant: Complex
    plant_u: Array
    learning: Complex
    filter: Array
    measured: NDArray[np.bool_]
    stated: str

    @property
    def contraction(self) -> Complex:
        """(samples + 1,) M, 0 where Q is; it decides only at the lines measured."""
        return np.asarray(self.filter * (1 - self.learning * self.plant))

    @property
    def contraction_u(self) -> Array:
        """(samples + 1,) standard uncertainty of |M| from that of J."""
        return np.asarray(self.filter * np.abs(self.learning) * self.plant_u)

    @property
    def worst(self) -> tuple[float, float, float]:
        """|M| and its U (k = 2) where their sum is largest, and the frequency of that."""
        size, u = np.abs(self.contraction), 2 * self.contraction_u
        k = int(np.argmax(np.where(self.measured, size + u, -1.0)))
        return float(size[k]), float(u[k]), float(self.frequency_hz[k])

    def next_signal(self, signal: ArrayLike, error: ArrayLike) -> Array:
        """(samples,) u_{j+1} from u_j and e_j. DataError for other lengths."""
        u, e = (vector(name, values, size=self.samples, largest=LARGEST) for name, values in (("signal", signal), ("error", error)))
        return self._cut(self.filter * (self._padded(u) + self.learning * self._padded(self.fade * e)))

    @property
    def ringing(self) -> float:
        """What J still answers a trial after a blow, over the largest that it answers: so much of a forecast is in doubt, which has J as a circle of two trials."""
        impulse = np.abs(np.fft.irfft(self.plant, 2 * self.samples))
        return float(impulse[self.samples : 2 * self.samples - self.samples // 8].max() / impulse.max())

    @property
    def judged(self) -> int:
        """Samples from the beginning in which the error is learned whole."""
        return self.samples - max(1, self.samples // FADE)

    @property
    def fade(self) -> Array:
        """(samples,) 1, and behind the judged ones half a cosine down to 0: an error that is cut off there would look like a step, which an
        inverse answers with a blow."""
        faded = self.samples - self.judged
        return np.concatenate([np.ones(self.judged), 0.5 + 0.5 * np.cos(np.pi * (np.arange(faded) + 1) / faded)])

    def answer(self, signal: ArrayLike) -> Array:
        """(samples,) J u: what the response says that the output does."""
        return self._cut(self.plant * self._padded(vector("signal", signal, size=self.samples, largest=LARGEST)))

    def _padded(self, values: Array) -> Complex:
        return np.asarray(np.fft.rfft(values, 2 * self.samples))

    def _cut(self, spectrum: Complex) -> Array:
        return np.asarray(np.fft.irfft(spectrum, 2 * self.samples)[: self.samples])


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """What a law will do to an error.

    repeatable : (trials + 1, judged) error of each trial, the first without signal, without what does not repeat.  rms : (trials + 1,) with it.
    distance : (trials + 1,) rms of each trial's error less that of the last.  distance_u : (trials + 1,) its standard uncertainty from that of J.
    """

    repeatable: Array
    rms: Array
    distance: Array
    distance_u: Array


def design(
    response: Response,
    *,
    samples: int,
    rate_hz: float,
    cutoff_hz: float,
    order: int = 2,
    gain: float | None = None,
    pd: tuple[float, float, float] | None = None,
) -> Law:
    """The law for trials of `samples` samples from a response measured at lines of the trial.

    Parameters
    ----------
    response : J at multiples of rate_hz/(2·samples) without holes from the first on, output over signal
    cutoff_hz, order : f_c and n of Q, 1 … 10
    gain, pd : g of the inverse, or k_p, k_d, lead (s) of the PD law: one of them

    Raises
    ------
    DataError       lines that are not those of the trial, a cutoff beyond them, no law or two
    """
    rate = positive("rate_hz", rate_hz, "samples a second")
    frequency = np.fft.rfftfreq(2 * samples, 1 / rate)
    step = rate / (2 * samples)
    lines = np.rint(response.frequency_hz / step).astype(np.int64)
    if (
        not np.array_equal(lines, np.arange(1, lines.size + 1))
        or not np.allclose(lines * step, response.frequency_hz, rtol=1e-6)
        or lines[-1] >= frequency.size
    ):
        raise DataError(
            f"the response has {lines.size} lines, {response.frequency_hz[0]:.5g} … {response.frequency_hz[-1]:.5g} Hz; every multiple of {step:.5g} Hz from the first on is expected: "
            "excite with a period of two trials"
        )
    highest = float(response.frequency_hz[-1])
    if not step <= cutoff_hz <= highest:
        raise DataError(f"the cutoff is {cutoff_hz:g} Hz; {step:.4g} … {highest:.5g} Hz, where the response was measured, is expected")
    if not 1 <= order <= 10:
        raise DataError(f"the order of the filter is {order}; 1 … 10 is expected")
    if (gain is None) == (pd is None):
        raise DataError("give either a gain (inverse law) or k_p, k_d and lead (PD law)")
    plant, u = np.zeros(frequency.size, dtype=np.complex128), np.zeros(frequency.size)
    plant[lines], u[lines] = response.response, response.component_u
    measured = np.zeros(frequency.size, dtype=np.bool_)
    measured[lines] = True
    learning = np.zeros(frequency.size, dtype=np.complex128)
    if gain is not None:
        if not np.all(np.abs(response.response) > 0):
            raise DataError("the response is 0 at a line; it has no inverse there: lower the highest frequency")
        learning[lines] = gain / response.response
        words = f"inverse of the measured response, gain {gain:g}"
    else:
        assert pd is not None
        kp, kd, lead = pd
        learning[lines] = (kp + 2j * math.pi * frequency[lines] * kd) * np.exp(2j * math.pi * frequency[lines] * lead)
        words = f"PD, k_p = {kp:g}, k_d = {kd:g}, {lead:g} s ahead"
    filtered = np.where(measured, 1 / (1 + (frequency / cutoff_hz) ** (2 * order)), 0.0)
    return Law(
        samples=samples, frequency_hz=frozen(np.asarray(frequency)), plant=plant, plant_u=frozen(u), learning=learning, filter=frozen(filtered), measured=measured,
        stated=f"{words}; Q without phase, {cutoff_hz:g} Hz, order {order}, 0 above {highest:.5g} Hz",
    )  # fmt: skip


def forecast(law: Law, error: ArrayLike, noise: ArrayLike, *, trials: int) -> Forecast:
    """What `trials` trials will do.

    Parameters
    ----------
    error : (n,) what repeats of the error without a signal.  noise : (n + 1,) mean square by line of what does not repeat (`noise_by_line`)
    """
    first = vector("error", error, size=law.samples, largest=LARGEST)
    s2 = vector("noise", noise, size=law.frequency_hz.size)
    if not 1 <= trials <= 10_000:
        raise DataError(f"trials is {trials}; expected 1 … 10000")
    rows, signal = [first], np.zeros(law.samples)
    for _ in range(trials):
        signal = law.next_signal(signal, rows[-1])
        rows.append(first - law.answer(signal))
    repeatable = np.array(rows)[:, : law.judged]
    size = np.where(law.measured, np.abs(law.contraction), 0.0)
    learned = np.abs(law.filter * law.learning * law.plant) ** 2
    rms, spread = np.empty(trials + 1), np.empty(trials + 1)
    away = np.fft.rfft(repeatable[0] - repeatable[-1], 2 * law.samples) / law.samples
    gathered = np.zeros(size.size)
    for j in range(trials + 1):
        rms[j] = math.sqrt(float(np.mean(repeatable[j] ** 2) + np.sum(s2 * (1 + learned * gathered))))
        gathered += size ** (2 * j)
        # δe_j = j M^(j−1) δM (e_0 − e_∞), each line by itself; along e_j − e_∞ it makes that longer or shorter.
        off = j * size ** max(j - 1, 0) * law.contraction_u * np.abs(away)
        length = size**j * np.abs(away)
        spread[j] = math.sqrt(float(np.sum((length * off) ** 2)) / max(float(np.sum(length**2)), 1e-300))
    distance = np.sqrt(np.mean((repeatable - repeatable[-1]) ** 2, axis=1))
    return Forecast(repeatable=frozen(repeatable), rms=frozen(rms), distance=frozen(distance), distance_u=frozen(spread))


def noise_by_line(errors: ArrayLike) -> Array:
    """(n + 1,) mean square, by lines of 2n samples, of what differs between repeated trials (r, n), r ≥ 2: its sum is the variance over trials,
    divisor r − 1."""
    e = np.asarray(errors, dtype=np.float64)
    if e.ndim != 2 or e.shape[0] < 2:
        raise DataError(f"errors has shape {e.shape}; expected (trials, samples), 2 trials or more")
    n = e.shape[1]
    spectra = np.fft.rfft(e - e.mean(axis=0), 2 * n, axis=1)
    weight = np.full(n + 1, 2.0)
    weight[[0, -1]] = 1.0
    # Σ|E|² over all 2n lines is 2n Σe²; the mean square is that over n.
    return np.asarray(weight * np.sum(np.abs(spectra) ** 2, axis=0) / (2 * n * n * (e.shape[0] - 1)))
