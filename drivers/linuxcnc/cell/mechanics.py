"""What the simulated machines behind the controller are made of: the planted truth, in one table a machine.

The controller sees the encoder of the motor. Between motor and tool stand, in this order, the screw's error, the lost motion (its width may depend on the
position), a structural mode, slow drift and vibration of the floor. At standstill after an approach upwards

    tool − motor = screw(x) − lost(x) / 2 + drift

and downwards with + lost(x) / 2, so that the reversal value of each position is −lost(x). The rig "volumetric" has 21 geometric errors on top, that couple its axes.
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
    "volumetric": {
        name: Axis(
            at_m=(-0.1, 0.1), screw_m=(0.0, 0.0), lost_m=(1e-6, 1e-6), mode_hz=mode_hz, drift_m=0.05e-6, vibration_m=0.04e-6, travel_m=(-travel_m, travel_m),
        )
        for name, mode_hz, travel_m in (("X", 41.0, 0.2), ("Y", 36.0, 0.2), ("Z", 55.0, 0.1))
    },
}  # fmt: skip
"""Name of the machine -> axis -> what it is made of. "router": a screw error and a constant lost motion; "worn": a screw that is worn in its middle, so that
the two directions differ from place to place; "volumetric": exact screws, whose axes `VOLUMES` couples."""



@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """The 21 errors of the volume (ISO 230-1 notation: of the tool relative to the workpiece), linear between nodes.

    chain : from workpiece to tool, F the frame. at_m : axis -> nodes, at most 16. errors : "EXX" … "ECZ" -> values there, m or rad. squareness_rad : C0Y, B0Z, A0Z.
    """

    chain: str
    at_m: dict[str, tuple[float, ...]]
    errors: dict[str, tuple[float, ...]]
    squareness_rad: dict[str, float]

    def slide_m(self, letter: str, axis: str) -> NDArray[np.float64]:
        """(k,) translation of an axis in X, Y or Z at its nodes, with what squareness adds: Δx −= C0Y·y, Δx += B0Z·z, Δy −= A0Z·z."""
        slope = {"XY": -self.squareness_rad["C0Y"], "XZ": self.squareness_rad["B0Z"], "YZ": -self.squareness_rad["A0Z"]}.get(letter + axis, 0.0)
        return np.array(self.errors[f"E{letter}{axis}"]) + slope * np.array(self.at_m[axis])

    def products(self) -> list[tuple[str, str, str, str, int]]:
        """(component, rotation, axis, lever, sign): Δ of the component gains sign × rotation of the axis × position of the lever axis.

        The lever arm of an axis on the tool's side are the axes between it and the tool; on the workpiece's side itself, those between it and the frame, and
        all of the tool's side.
        """
        workpiece, tool = self.chain.split("F")
        levers = {axis: tool[k + 1 :] for k, axis in enumerate(tool)} | {axis: workpiece[k:] + tool for k, axis in enumerate(workpiece)}
        cross = (("X", "B", "Z", 1), ("X", "C", "Y", -1), ("Y", "C", "X", 1), ("Y", "A", "Z", -1), ("Z", "A", "Y", 1), ("Z", "B", "X", -1))
        return [(component, rotation, axis, lever, sign) for axis in "XYZ" for component, rotation, lever, sign in cross if lever in levers[axis]]


def _waves(sizes: dict[str, tuple[float, float, float]], at_m: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """Name -> size × sin(π (periods·u + phase)) at the nodes of its axis, u from −1 to 1 over them."""
    curves = {}
    for name, (size, periods, phase) in sizes.items():
        u = np.linspace(-1, 1, len(at_m[name[2]]))
        curves[name] = tuple(float(value) for value in size * np.sin(np.pi * (periods * u + phase)))
    return curves


_NODES: Final = {
    "X": tuple(float(v) for v in np.linspace(-0.15, 0.15, 7)), "Y": tuple(float(v) for v in np.linspace(-0.15, 0.15, 7)),
    "Z": tuple(float(v) for v in np.linspace(-0.08, 0.08, 5)),
}  # fmt: skip

VOLUMES: Final = {
    "volumetric": Volume(
        chain="XFYZ", at_m=_NODES, squareness_rad={"C0Y": 110e-6, "B0Z": -140e-6, "A0Z": 125e-6},
        errors=_waves(
            {
                "EXX": (22e-6, 0.6, 0.1), "EYX": (9e-6, 0.9, 0.4), "EZX": (12e-6, 0.7, -0.3), "EAX": (60e-6, 0.6, 0.2), "EBX": (75e-6, 0.5, -0.1), "ECX": (80e-6, 0.8, 0.3),
                "EXY": (8e-6, 0.8, -0.2), "EYY": (18e-6, 0.7, 0.3), "EZY": (10e-6, 1.0, 0.5), "EAY": (90e-6, 0.5, 0.4), "EBY": (70e-6, 0.7, 0.0), "ECY": (65e-6, 0.9, -0.4),
                "EXZ": (7e-6, 0.9, 0.3), "EYZ": (11e-6, 0.6, -0.5), "EZZ": (20e-6, 0.5, 0.0), "EAZ": (85e-6, 0.8, 0.1), "EBZ": (55e-6, 0.6, 0.4), "ECZ": (60e-6, 0.5, -0.2),
            },
            _NODES,
        ),
    )
}  # fmt: skip
"""Name of the machine -> the errors of its volume: each makes the tool err by 10 … 50 µm somewhere, all together by up to 0.1 mm."""

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
        **({"volume": _volume_truth(VOLUMES[rig])} if rig in VOLUMES else {}),
    }  # fmt: skip


def _volume_truth(volume: Volume) -> dict[str, Any]:
    return {
        "chain": volume.chain, "at_m": {axis: list(at) for axis, at in volume.at_m.items()}, "errors": {name: list(one) for name, one in volume.errors.items()},
        "squareness_rad": dict(volume.squareness_rad),
    }  # fmt: skip
