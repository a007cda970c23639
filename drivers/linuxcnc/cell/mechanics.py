"""What the simulated machines behind the controller are made of: the planted truth, in one table a machine.

The controller sees the encoder of the motor. Between motor and tool stand, in this order, the screw's error, the lost motion (its width may depend on the
position), a structural mode, slow drift and vibration of the floor. At standstill after an approach upwards

    tool − motor = screw(x) − lost(x) / 2 + drift

and downwards with + lost(x) / 2, so that the reversal value of each position is −lost(x).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

UM: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis. `at_m`: where the two tables that follow are given, at most 16 positions; linear between them, constant outside.

    travel_m : lowest and highest position that the controller allows. gain_per_s, feed_forward : of the position loop.
    """

    at_m: tuple[float, ...]
    screw_m: tuple[float, ...]
    lost_m: tuple[float, ...]
    mode_hz: float
    mode_q: float = 1.2
    drift_m: float
    drift_hz: float = 0.004
    vibration_m: float
    vibration_hz: float = 19.0
    travel_m: tuple[float, float] = (-0.2, 0.2)
    gain_per_s: float = 60.0
    feed_forward: float = 0.99
    encoder_m: float = 0.1e-6

    def deviation_m(self, position_m: NDArray[np.float64], direction: int) -> NDArray[np.float64]:
        """(n,) tool − motor at standstill without drift and vibration, m; direction 0 ↑, 1 ↓."""
        lost = np.interp(position_m, self.at_m, self.lost_m)
        return np.interp(position_m, self.at_m, self.screw_m) + (lost / 2 if direction else -lost / 2)


_EVERY_30_MM: Final = (-0.15, -0.12, -0.09, -0.06, -0.03, 0.0, 0.03, 0.06, 0.09, 0.12, 0.15)

RIGS: Final[dict[str, dict[str, Axis]]] = {
    "router": {
        "X": Axis(
            at_m=_EVERY_30_MM, screw_m=(-14.1e-6, -11.8e-6, -8.2e-6, -6.4e-6, -2.9e-6, 0.0, 2.2e-6, 5.9e-6, 7.7e-6, 11.2e-6, 13.0e-6),
            lost_m=(5e-6,) * 11, mode_hz=37.0, drift_m=0.05e-6, vibration_m=0.04e-6,
        ),
        "Y": Axis(
            at_m=_EVERY_30_MM, screw_m=(8.4e-6, 7.1e-6, 4.8e-6, 3.9e-6, 1.4e-6, 0.0, -2.3e-6, -3.1e-6, -5.6e-6, -6.8e-6, -9.0e-6),
            lost_m=(8e-6,) * 11, mode_hz=31.0, drift_m=0.04e-6, vibration_m=0.03e-6, gain_per_s=55.0, feed_forward=0.97,
        ),
        "Z": Axis(
            at_m=(-0.1, 0.1), screw_m=(0.0, 0.0), lost_m=(4e-6, 4e-6), mode_hz=52.0, drift_m=0.08e-6, vibration_m=0.05e-6, travel_m=(-0.1, 0.1),
        ),
    },
    "worn": {
        "X": Axis(
            at_m=(-0.16, -0.11, -0.07, -0.02, 0.03, 0.06, 0.1, 0.16), screw_m=(21.0e-6, 9.5e-6, 13.2e-6, 1.1e-6, -4.4e-6, 2.6e-6, -12.9e-6, -7.3e-6),
            lost_m=(4.0e-6, 7.5e-6, 11.0e-6, 15.0e-6, 13.0e-6, 9.0e-6, 6.0e-6, 4.5e-6), mode_hz=44.0, drift_m=0.06e-6, vibration_m=0.05e-6,
        ),
        "Y": Axis(
            at_m=(-0.15, 0.0, 0.15), screw_m=(-6.0e-6, 0.0, 3.0e-6), lost_m=(3e-6, 6e-6, 12e-6), mode_hz=33.0, drift_m=0.05e-6, vibration_m=0.05e-6,
        ),
        "Z": Axis(
            at_m=(-0.1, 0.1), screw_m=(2e-6, -2e-6), lost_m=(5e-6, 5e-6), mode_hz=50.0, drift_m=0.05e-6, vibration_m=0.05e-6, travel_m=(-0.1, 0.1),
        ),
    },
}  # fmt: skip
"""Name of the machine -> axis -> what it is made of. "router": a screw error and a constant lost motion; "worn": a screw that is worn in its middle, so that
the two directions differ from place to place."""

MAX_FEED_M_PER_S: Final = 0.1
MAX_ACCELERATION_M_PER_S2: Final = 1.0
VELOCITY_LOOP_HZ: Final = 60.0
SETTLE_S: Final = 0.25
WINDOW_S: Final = 0.10
"""How long an axis stands in position before the program's input 0 says "settled", and how long output 0 stands before input 1 says "measured"."""


def truth(rig: str) -> dict[str, Any]:
    """What no measurement can know, plain JSON types."""
    return {
        "machine": f"simulated mechanics {rig!r} behind LinuxCNC",
        "axes": {
            name: {
                "at_m": list(axis.at_m), "screw_m": list(axis.screw_m), "lost_motion_m": list(axis.lost_m), "drift_amplitude_m": axis.drift_m,
                "drift_hz": axis.drift_hz, "vibration_amplitude_m": axis.vibration_m, "vibration_hz": axis.vibration_hz, "mode_hz": axis.mode_hz,
                "encoder_m": axis.encoder_m,
            }
            for name, axis in RIGS[rig].items()
        },
    }  # fmt: skip
