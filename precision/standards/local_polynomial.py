"""Responses from one record of any signal, short ones too: the local polynomial method. Nothing is windowed, nothing averaged, and the beginning
need not have died away.

Over a few lines around k the response and the transient (what the record's beginning and end add) are smooth, so polynomials of order R hold them:

    Y(k + r) = [G + g_1 r + … + g_R r^R] U(k + r) + T + t_1 r + … + t_R r^R + noise,      r = −n … n

by least squares, 2 (R + 1) unknowns from 2n + 1 lines; what is left gives the noise with 2n + 1 − 2 (R + 1) degrees of freedom. At the ends of
the band the lines lie to
one side. With a window, leakage of lightly damped resonances lies 40 to 80 dB higher. In a closed loop the responses to the excitation are found
so, and P = G_yw/G_uw.
Source: R. Pintelon, J. Schoukens, G. Vandersteen, K. Barbé, Mechanical Systems and Signal Processing 24 (2010) 573, from memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .arrays import Array, positive
from .closed_loop import ClosedLoop, loop_of_sensitivity
from .frequency_response import Complex, Response, in_band, respond
from .sampling import samples, warnings_of

ORDER: Final = 2
HALF_WIDTH: Final = 6
"""Lines either side: 13 for 6 unknowns, 7 degrees of freedom."""
MOST_LINES: Final = 4000
SILENT: Final = 1e-2
"""Part of the largest amplitude below which a line of the input counts as not excited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """How the polynomials are laid. order : R, 0 … 6.  half_width : n."""

    order: int = ORDER
    half_width: int = HALF_WIDTH

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the noise."""
        return 2 * self.half_width + 1 - 2 * (self.order + 1)


def from_signals(
    input: ArrayLike, output: ArrayLike, /, *, rate_hz: float, band_hz: tuple[float, float] | None = None, width: Width | None = None, input_unit: str = "N",
    output_unit: str = "m", feedback: bool = False,
) -> Response:  # fmt: skip
    """Response from one record.

    Parameters
    ----------
    input, output : (n,) float64, sampled at the same times; a noisy input that has power at neighbouring lines, no multisine with lines left out
    band_hz : lines that are kept; None: all that are excited
    feedback : whether a loop was closed around the plant; then this direct estimate is drawn towards −1/C, and flagged (`indirect` is not)

    Raises
    ------
    DataError       too few lines for the polynomials, an input that never changes or is silent in the band
    """
    u, y = samples("input", input), samples("output", output)
    fitted, used, f, how = _fitted(u, y[None], rate_hz, band_hz, width or Width())
    notes = [*warnings_of("input", u), *warnings_of("output", y)]
    if feedback:
        notes.append("direct estimate in a closed loop: drawn towards −1/C where noise is not small beside the excitation")
    return _made(
        f,
        fitted.response[0],
        fitted.sd(fitted.noise[0, 0].real),
        fitted.explained(0),
        used,
        (input_unit, output_unit),
        rate_hz,
        "local polynomials",
        how,
        notes,
    )


def indirect(
    excitation: ArrayLike, input: ArrayLike, output: ArrayLike, /, *, rate_hz: float, band_hz: tuple[float, float] | None = None, width: Width | None = None,
    input_unit: str = "N", output_unit: str = "m",
) -> ClosedLoop:  # fmt: skip
    """Plant, sensitivity and loop from one record of a closed loop, by way of the excitation; arrays (n,), errors as `from_signals`."""
    signals = [samples(name, x) for name, x in (("excitation", excitation), ("input", input), ("output", output))]
    w, u, y = signals
    fitted, used, f, how = _fitted(w, np.stack([u, y]) if u.size == y.size else y[None], rate_hz, band_hz, width or Width())
    if fitted.response.shape[0] != 2:
        raise DataError(f"input has {u.size} samples and output {y.size}; expected the same, taken at the same times")
    notes = [sentence for name, x in zip(("excitation", "input", "output"), signals, strict=True) for sentence in warnings_of(name, x)]
    s, p = fitted.response[0], fitted.response[1] / fitted.response[0]
    covariance = fitted.noise
    # Of Y − P U, which the plant does not explain.
    left = covariance[1, 1].real - 2 * (np.conj(p) * covariance[1, 0]).real + np.abs(p) ** 2 * covariance[0, 0].real
    units = (input_unit, output_unit)
    sensitivity = _made(
        f, s, fitted.sd(covariance[0, 0].real), fitted.explained(0), used, (input_unit, input_unit), rate_hz, "S, local polynomials", how, notes
    )
    plant = _made(
        f, p, fitted.sd(np.clip(left, 0, None)) / np.abs(s), fitted.explained(1), used, units, rate_hz, "P = G_yw/G_uw, local polynomials", how, notes
    )
    direct = from_signals(u, y, rate_hz=rate_hz, band_hz=band_hz, width=width, input_unit=input_unit, output_unit=output_unit, feedback=True)
    return ClosedLoop(plant=plant, sensitivity=sensitivity, loop=loop_of_sensitivity(sensitivity), direct=direct)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """response : (outputs, m).  noise : (outputs, outputs, m) covariance of what is left at a line.  gain : (m,) variance of G per unit of
    noise.  power : (m,) mean |U|² of the
    window."""

    response: Complex
    noise: Complex
    gain: Array
    power: Array

    def sd(self, noise: Array) -> Array:
        return np.asarray(np.sqrt(noise * self.gain))

    def explained(self, output: int) -> Array:
        answer = np.abs(self.response[output]) ** 2 * self.power
        return np.asarray(answer / np.where(answer + self.noise[output, output].real > 0, answer + self.noise[output, output].real, 1.0))


def _fitted(u: Array, y: Array, rate_hz: float, band_hz: tuple[float, float] | None, width: Width) -> tuple[_Fit, int, Array, str]:
    rate, n = positive("rate_hz", rate_hz, "samples a second"), u.size
    if y.shape[1] != n:
        raise DataError(f"input has {n} samples and output {y.shape[1]}; expected the same, taken at the same times")
    if np.ptp(u) == 0:
        raise DataError(f"input never changes ({u[0]:g} in {n} samples): the plant was not excited, or the channel is not connected")
    if not 0 <= width.order <= 6 or width.freedom < 1:
        raise DataError(
            f"order {width.order} and {width.half_width} lines either side leave {width.freedom} degrees of freedom; expected an order of 0 … 6 and at least one left"
        )
    frequency: Array = np.asarray(np.fft.rfftfreq(n, 1 / rate), dtype=np.float64)
    if frequency.size < 2 * width.half_width + 3:
        raise DataError(
            f"the record has {frequency.size} lines; at least {2 * width.half_width + 3} are needed for polynomials over {2 * width.half_width + 1}"
        )
    spectrum_u, spectrum_y = np.fft.rfft(u) / n * 2, np.fft.rfft(y, axis=1) / n * 2
    places, lines = _windows(np.flatnonzero(in_band(frequency, rate, band_hz)), frequency.size, width.half_width)
    # A line counts where its neighbours are excited; the largest is sought without the mean.
    local = np.sqrt(np.mean(np.abs(spectrum_u[places]) ** 2, axis=1))
    alive = local > SILENT * float(np.abs(spectrum_u[1:-1]).max())
    if not alive.any():
        raise DataError("the input has no power in the band; excite there, or choose another band")
    places, lines, local = places[alive], lines[alive], local[alive]
    fit = _solve(spectrum_u, spectrum_y, places, lines, local, width)
    how = f"order {width.order} over {2 * width.half_width + 1} lines of one record, {width.freedom} degrees of freedom"
    return fit, width.freedom, np.asarray(frequency[lines]), how


def _windows(wanted: NDArray[np.int64], size: int, half: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lines of the window of each line that is evaluated (m, 2n + 1), and these lines (m,): at most so many, evenly over log f."""
    if wanted.size > MOST_LINES:
        picked = np.unique(np.rint(np.geomspace(wanted[0], wanted[-1], MOST_LINES)).astype(np.int64))
        wanted = picked[np.isin(picked, wanted)]
    # The line at 0 is the mean, and the one at half the rate is real: neither is used.
    start = np.clip(wanted - half, 1, size - 2 - 2 * half)
    return start[:, None] + np.arange(2 * half + 1), wanted


def _solve(u: Complex, y: Complex, places: NDArray[np.int64], lines: NDArray[np.int64], local: Array, width: Width) -> _Fit:
    r = (places - lines[:, None]) / width.half_width  # so that powers stay near 1
    powers = np.stack([r**k for k in range(width.order + 1)], axis=2)
    # Both halves of the design of one size: the input by its own, the transient by 1.
    design = np.concatenate([powers * (u[places] / local[:, None])[:, :, None], powers.astype(np.complex128)], axis=2)
    q, triangle = np.linalg.qr(design)
    seen = np.moveaxis(y[:, places], 0, 2)  # (m, lines, outputs)
    projected = np.conj(np.swapaxes(q, 1, 2)) @ seen
    solution = np.linalg.solve(triangle, projected)
    left = seen - q @ projected
    noise = np.einsum("mli,mlj->ijm", left, np.conj(left)) / width.freedom
    inverse = np.linalg.inv(triangle)
    gain = np.sum(np.abs(inverse[:, 0, :]) ** 2, axis=1) / local**2
    return _Fit(
        response=np.asarray((solution[:, 0, :] / local[:, None]).T), noise=np.asarray(noise), gain=np.asarray(gain), power=np.asarray(local**2)
    )


def _made(
    f: Array,
    response: Complex,
    sd: Array,
    coherence: Array,
    freedom: int,
    units: tuple[str, str],
    rate_hz: float,
    estimator: str,
    how: str,
    notes: list[str],
) -> Response:
    return respond(
        f,
        response,
        sd,
        coherence,
        averages=freedom,
        effective=float(freedom),
        units=units,
        rate_hz=rate_hz,
        estimator=estimator,
        how=how,
        flags=notes,
    )
