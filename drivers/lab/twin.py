"""The virtual lab's physical machine: one seeded twin that a controller moves, an interferometer watches and sensors surround.

What it *is*; how it talks is the business of each instrument's simulator. Same seed, same motions: same readings, bit for bit, however often anybody
asks. What no measurement can know, `truth` says.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .ball_bar import BallBar
from .clock import NS_PER_S, LabClock
from .interferometer import Optics
from .machine import Machine
from .parameters import AXES, Parameters
from .recorder import Recorder
from .sensors import Sensors
from .servo_record import ServoRecord
from .tracker import Tracker
from .workshop import Workshop


class Twin:
    """One lab.

    mechanics : moved by a controller's simulator.
    optics : read by an interferometer's simulator.
    sensors : read by a multimeter's simulator.
    tracker : read by a second interferometer's simulator.
    """

    def __init__(self, seed: int, parameters: Parameters | None = None) -> None:
        self.seed = seed
        self.parameters = parameters or Parameters.drawn(seed)
        self.clock = LabClock()
        workshop = Workshop(self.parameters, seed)
        self.mechanics = Machine(self.parameters, seed, self.clock, workshop)
        self.optics = Optics(self.parameters, seed, self.mechanics, workshop)
        self.sensors = Sensors(self.parameters, seed, self.mechanics, workshop)
        self.ball_bar = BallBar(self.parameters, seed, self.mechanics, workshop)
        self.recorder = Recorder(self.parameters, seed, self.mechanics, workshop)
        self.servo = ServoRecord(self.parameters, seed, self.mechanics, workshop)
        self.tracker = Tracker(self.parameters, seed, self.mechanics, workshop)

    def truth(self) -> dict[str, Any]:
        """All that the lab holds, as plain JSON types in SI units.

        `instrument_bounds` : what may be stated in an uncertainty budget. `parameters` : the particular values behind them. `axes` : the error
        functions, as (amplitude, period, phase) of sinusoids of the machine coordinate (the lead error has `lead_slope` besides). `readings` : beside each reading of the interferometer that was
        taken standing still, the true displacement of the tool point since the same reset: as it was (`true_displacement_m`), and with everything at
        20 °C and no drift of the structure (`true_displacement_20c_m`), which is what a test after ISO 230-2 asks for. `tracker` : where its stations and
        reflectors really were. `square` : normals of the mirrors, and by how much each pair is more than square.
        """
        parameters = asdict(self.parameters)
        bounds = parameters.pop("bounds")
        readings = self.optics.readings()
        return {
            "seed": self.seed,
            "lab_time_s": self.clock.now_ns / NS_PER_S,
            "instrument_bounds": bounds,
            "parameters": parameters,
            "axes": {name: self._shape(index) for index, name in enumerate(AXES)},
            "structural_drift_range_m": _ranges(readings),
            "readings": readings,
            **({"ball_bar": bar} if (bar := self.ball_bar.truth()) is not None else {}),
            **({"recorder": recorder} if (recorder := self.recorder.truth()) is not None else {}),
            **({"servo": servo} if (servo := self.servo.truth()) is not None else {}),
            "tracker": self.tracker.truth(),
            "square": self.optics.truth(),
        }

    def _shape(self, index: int) -> dict[str, Any]:
        axis = self.mechanics.axes[index]
        return {
            "lead": list(map(list, axis.lead.terms)),
            "periodic": list(map(list, axis.periodic.terms)),
            "backlash_variation": list(map(list, axis.play_along.terms)),
            "straightness": {f"E_{letter}{axis.name}": list(map(list, wave.terms)) for letter, wave in axis.straightness.items()},
            "angles": {f"E_{letter}{axis.name}": list(map(list, wave.terms)) for letter, wave in zip("ABC", axis.angles, strict=True)},
        }


def _ranges(readings: list[dict[str, Any]]) -> dict[str, float]:
    """Range of the structure's drift seen over the readings of each axis: E_VE as it really was."""
    drift: dict[str, list[float]] = {}
    for reading in readings:
        drift.setdefault(reading["axis"], []).append(reading["structure_m"])
    return {axis: max(values) - min(values) for axis, values in drift.items()}
