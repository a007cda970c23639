"""`python -m precision.drivers.lab.scanner_serve`: the virtual scanner's interferometers at 20 kHz, as frames on 127.0.0.1.

Channels: field (number, from 0), scanning (1 at constant speed), y_set (wafer level), then positions of wafer and reticle, each at its own level: w_x … w_Rz, r_x …
r_Rz. --speed, --constant and --reduction change the scan. Field follows field until the stream is stopped. Time is the scanner's own: by default it waits for nothing, and a field is made faster than it would be scanned where
Numba is installed. The first line on standard output is JSON, {"stream": address, "truth": {...}}; the process leaves when its standard input ends.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.codec import Header
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel

from . import serving
from .scanner import AXES, RATE_HZ, Scan, Scanner

Array = NDArray[np.float64]

MOST_FIELDS: Final = 100_000
SLOWEST_M_PER_S: Final = 0.005
FASTEST_M_PER_S: Final = 3.0
LONGEST_S: Final = 20.0
POSITIONS: Final = tuple(f"{letter}_{axis}" for letter in "wr" for axis in AXES)


class Instrument:
    """The interferometers of one scanner."""

    header = Header(
        identity="virtual dual-stage scanner, 12-axis interferometer", rate_hz=RATE_HZ, simulated=True,
        channels=(
            Channel("field", ""), Channel("scanning", ""), Channel("y_set", "m"),
            *(Channel(name, "rad" if "R" in name else "m") for name in POSITIONS),
        ),
    )  # fmt: skip

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self._field = functools.lru_cache(maxsize=2)(self._made)

    def device(self, time_scale: float) -> FrameSimulator:
        """One client's."""
        total = MOST_FIELDS * self.scanner.samples_a_field
        return FrameSimulator(self.header, self.rows, total=total, time_scale=time_scale)

    def rows(self, first: int, count: int) -> Array:
        """(count, 15): samples as the interferometers give them. After the last field the stages rest."""
        pieces = []
        each = self.scanner.samples_a_field
        while count > 0:
            number, at = divmod(first, each)
            part = min(count, each - at)
            pieces.append(self._field(number)[at : at + part])
            first, count = first + part, count - part
        return np.concatenate(pieces)

    def _made(self, number: int) -> Array:
        logged = self.scanner.field(number)
        each = logged["y_set"].size
        return np.stack([np.full(each, float(number)), logged["scanning"], logged["y_set"], *(logged[name] for name in POSITIONS)], axis=1)


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("scanner_serve", "A dual-stage scanner's interferometers on 127.0.0.1.")
    parser.add_argument("--speed", type=float, default=Scan().speed_m_per_s, help="of the wafer, m/s")
    parser.add_argument("--constant", type=float, default=0.0, help="how long the speed has to be constant at least, s")
    parser.add_argument("--reduction", type=float, default=0.25, help="M of the lens, with its sign")
    arguments = parser.parse_args(argv)
    if not (SLOWEST_M_PER_S <= arguments.speed <= FASTEST_M_PER_S and 0 <= arguments.constant <= LONGEST_S and 0 < abs(arguments.reduction) <= 1):
        parser.error(f"--speed {SLOWEST_M_PER_S:g} … {FASTEST_M_PER_S:g}, --constant up to {LONGEST_S:g}, --reduction above 0 up to 1 with its sign are expected")
    scan = Scan.at(arguments.speed, constant_s=arguments.constant)
    instrument = Instrument(Scanner(arguments.seed, scan=scan, reduction=arguments.reduction))
    # The loop is compiled before anybody waits for it.
    return serving.serve(
        lambda: instrument.device(arguments.time_scale), instrument.scanner.truth(), port=arguments.port, ready=lambda: instrument.rows(0, 1)
    )


if __name__ == "__main__":
    raise SystemExit(main())
