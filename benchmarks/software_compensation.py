"""Software compensation: a table in the plan that is added to every commanded position, as a controller with that table would do it.

For a controller that has no tables of its own (Grbl), and to try a table before it is loaded. It is not the controller's: only moves of this run are
corrected. The side of the table follows the sign of the last commanded motion and is held at standstill; the correction is part of the same move. What is
commanded is still rounded to the controller's steps. The points are written into the run's plan, so that the run does not depend on the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, StringConstraints, model_validator

from precision.compensation.formats import FORMATS, format_named
from precision.compensation.lines import text_of
from precision.compensation.table import Table
from precision.drivers.roles import MotionController
from precision.errors import DataError
from precision.plan import Length, Strict
from precision.recording import DOWN, UP


class Compensation(Strict):
    """A compensation table: a controller's file, or its points."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = Field(None, description="file of the table; read when the run is made")
    format: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] = Field("linuxcnc", description=f"format of the file: {', '.join(FORMATS)}")
    nominal: tuple[Length, ...] | None = Field(None, description="positions of the points, ascending; instead of the file, or as it was read", max_length=10_000, strict=False)
    forward: tuple[Length, ...] | None = Field(None, description="correction −(actual − target) added when moving in the positive direction", max_length=10_000, strict=False)
    reverse: tuple[Length, ...] | None = Field(None, description="the same for the negative direction", max_length=10_000, strict=False)

    @model_validator(mode="after")
    def _is_one_table(self) -> Self:
        points = (self.nominal, self.forward, self.reverse)
        if self.file is None and None in points:
            raise ValueError("give file, or nominal, forward and reverse")
        if any(part is not None for part in points) and None in points:
            raise ValueError("nominal, forward and reverse belong together")
        if None not in points:
            try:
                self.table("X")
            except DataError as error:
                raise ValueError(str(error)) from error
        return self

    def read(self, axis: str) -> Compensation:
        """The same with the points of the file, where it has none yet.

        Raises
        ------
        PlanError       no such format
        DataError       no such file, or what is wrong in it, with its line
        """
        if self.nominal is not None or self.file is None:
            return self
        table = format_named(self.format).read(text_of(Path(self.file)), axis=axis)
        return self.model_copy(update={name: tuple(getattr(table, name).tolist()) for name in ("nominal", "forward", "reverse")})

    def table(self, axis: str) -> Table:
        """The table of the points. Raises `DataError` as `Table` does, and where they have not been read."""
        if self.nominal is None or self.forward is None or self.reverse is None:
            raise DataError("the compensation has no points yet; read its file first")
        return Table(axis=axis, nominal=np.array(self.nominal), forward=np.array(self.forward), reverse=np.array(self.reverse))

    @property
    def sentence(self) -> str:
        """What the report says of it."""
        number = f"{len(self.nominal)} points" if self.nominal is not None else "points not read"
        return f"software compensation in the plan ({number}{f', from {Path(self.file).name}' if self.file else ''}), added to the commanded positions"


class Compensated:
    """A motion controller whose commands on one axis are corrected by a table: a `MotionController` itself.

    Positions outside are the uncorrected ones, as a controller with a table of its own reports them. The soft limits are narrower by the largest
    correction, so that no corrected command lies outside those of the machine.
    """

    def __init__(self, controller: MotionController, table: Table) -> None:
        self._controller, self._table, self._axis = controller, table, table.axis
        self._commanded: float | None = None
        self._direction = UP
        self._added = 0.0

    @property
    def identity(self) -> str:
        return self._controller.identity

    def close(self) -> None:
        self._controller.close()

    def home(self) -> None:
        self._controller.home()
        self._commanded, self._added = None, 0.0

    @property
    def homed(self) -> bool:
        return self._controller.homed

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        limits = dict(self._controller.soft_limits())
        if self._axis in limits:
            low, high = limits[self._axis]
            corrections = np.concatenate([self._table.forward, self._table.reverse])
            limits[self._axis] = (low - min(0.0, float(corrections.min())), high - max(0.0, float(corrections.max())))
        return limits

    def max_feed(self) -> Mapping[str, float]:
        return self._controller.max_feed()

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        if self._axis not in position_m:
            self._controller.move_to(position_m, feed_m_per_s=feed_m_per_s)
            return
        target = position_m[self._axis]
        before = self.position()[self._axis] if self._commanded is None else self._commanded
        direction = self._direction if target == before else UP if target > before else DOWN
        added = float(self._table.correction(target, direction))
        # Known before it moves: after a fault on the way, the position is what the controller says, and the next move asks it.
        self._commanded = None
        self._direction, self._added = direction, added
        self._controller.move_to({**position_m, self._axis: target + added}, feed_m_per_s=feed_m_per_s)
        self._commanded = target

    def dwell(self, duration_s: float) -> None:
        self._controller.dwell(duration_s)

    def position(self) -> Mapping[str, float]:
        position = dict(self._controller.position())
        if self._axis in position:
            position[self._axis] -= self._added
        return position

    def stop(self) -> None:
        self._controller.stop()
