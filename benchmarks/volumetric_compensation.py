"""Volumetric compensation in software: the errors of a file taken off every command, as a controller with such a file does it.

For a controller that has none (Grbl), and to try a file before it is loaded. The tool is the one that is set (the reflector, while distances are measured), as
controllers take the active tool's length. Only end points are corrected; the way between them is a straight line. The file's errors are written into the
run's plan, so that the run does not depend on the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, StringConstraints

from precision.compensation import error_map, volumetric
from precision.compensation.error_map import ErrorMap
from precision.compensation.lines import text_of
from precision.drivers.roles import MotionController
from precision.errors import DataError
from precision.models.rigid_body import AXES, NO_TOOL, RigidBody
from precision.plan import Strict

from .software_compensation import Compensated, Compensation

CORNERS: Final = 9
"""Points along each axis where the largest correction is looked for, for the soft limits."""


class VolumetricCompensation(Strict):
    """A file of error parameters, or an error map, that is taken off the commands; or its text."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = Field(
        None, description="file of the errors; read when the run is made"
    )
    format: Literal["etalon", "isg-csv", "linuxcnc-volumetric"] = Field("etalon", description="an error map (linuxcnc-volumetric) is recognised")
    text: Annotated[str, StringConstraints(max_length=1_000_000)] | None = Field(None, description="the file as it was read")

    def read(self) -> VolumetricCompensation:
        """The same with the text of the file, where it has none yet.

        Raises
        ------
        DataError       no such file, or neither file nor text
        """
        if self.text is not None:
            return self
        if self.file is None:
            raise DataError("compensation: give the file of error parameters, for example compensation.file=machine.etalon")
        text = text_of(Path(self.file))
        return self.model_copy(update={"text": text, "format": "linuxcnc-volumetric" if text.startswith(error_map.HEAD) else self.format})

    def errors(self, chain: str) -> RigidBody | ErrorMap:
        """The errors in the text. Raises `DataError` naming what is wrong in it, with its line."""
        if self.text is None:
            raise DataError("the compensation has not been read yet; read its file first")
        if self.format == "linuxcnc-volumetric":
            return error_map.read(self.text)
        return volumetric.machine_of(volumetric.read_parameters(self.text, self.format), chain).machine

    @property
    def sentence(self) -> str:
        """What the report says of it."""
        return f"volumetric compensation in the plan ({self.format}{f', from {Path(self.file).name}' if self.file else ''}), taken off the commanded positions with the active tool"


class AxisTables(Strict):
    """Tables of single axes, as controllers without volumetric compensation have them; each corrects its own axis by its own position."""

    x: Compensation | None = None
    y: Compensation | None = None
    z: Compensation | None = None

    @property
    def by_axis(self) -> dict[str, Compensation]:
        """Axis -> its table, of those that are there."""
        return {axis: table for axis, table in zip(AXES, (self.x, self.y, self.z), strict=True) if table is not None}

    def read(self) -> AxisTables:
        """The same with the points of the files."""
        return self.model_copy(update={axis.lower(): table.read(axis) for axis, table in self.by_axis.items()})

    def around(self, controller: MotionController) -> MotionController:
        """The controller with the tables between it and the commands."""
        for axis, table in self.by_axis.items():
            controller = Compensated(controller, table.table(axis))
        return controller

    @property
    def sentence(self) -> str:
        """What the report says of it."""
        return "tables of single axes: " + "; ".join(f"{axis}: {table.sentence}" for axis, table in self.by_axis.items())


class VolumetricallyCompensated:
    """A motion controller whose commands are corrected by a machine of 21 errors, or by an error map: a `MotionController` itself, with a tool that can be set.

    Positions outside are the uncorrected ones. The soft limits are narrower by the largest correction, so that no corrected command lies outside those of
    the machine. A command has to name all three axes: an error of one depends on where the others stand.
    """

    def __init__(self, controller: MotionController, machine: RigidBody | ErrorMap) -> None:
        self._controller, self._machine = controller, machine
        self.tool_m: tuple[float, float, float] = NO_TOOL
        self._added: dict[str, float] = {}

    @property
    def identity(self) -> str:
        return self._controller.identity

    def close(self) -> None:
        self._controller.close()

    def home(self) -> None:
        self._controller.home()
        self._added = {}

    @property
    def homed(self) -> bool:
        return self._controller.homed

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        limits = dict(self._controller.soft_limits())
        if not all(axis in limits for axis in AXES):
            return limits
        largest = (
            np.abs(self._machine.correction(np.stack(np.meshgrid(*(np.linspace(*limits[axis], CORNERS) for axis in AXES))), self.tool_m))
            .reshape(3, -1)
            .max(axis=1)
        )
        return limits | {axis: (limits[axis][0] + float(by), limits[axis][1] - float(by)) for axis, by in zip(AXES, largest, strict=True)}

    def max_feed(self) -> Mapping[str, float]:
        return self._controller.max_feed()

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        missing = [axis for axis in AXES if axis not in position_m]
        if missing:
            raise DataError(f"a volumetrically compensated move without {', '.join(missing)}; its correction depends on all three axes")
        added = dict(zip(AXES, self.correction([position_m[axis] for axis in AXES]), strict=True))
        self._controller.move_to({axis: value + added.get(axis, 0.0) for axis, value in position_m.items()}, feed_m_per_s=feed_m_per_s)
        self._added = added

    def correction(self, position_m: Sequence[float]) -> tuple[float, float, float]:
        """What is added to a command, m."""
        x, y, z = (float(value) for value in self._machine.correction(np.array(position_m, dtype=np.float64), self.tool_m))
        return x, y, z

    def dwell(self, duration_s: float) -> None:
        self._controller.dwell(duration_s)

    def position(self) -> Mapping[str, float]:
        return {axis: value - self._added.get(axis, 0.0) for axis, value in self._controller.position().items()}

    def stop(self) -> None:
        self._controller.stop()
