# mypy: disable-error-code="assignment, arg-type"
"""What belongs to a step stream of Klipper or Kalico in batch mode, as plans name it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from precision.errors import PlanError
from precision.plan import Frequency, Strict

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class StepStream(Strict):
    """What belongs to a step stream of Klipper or Kalico in batch mode."""

    dictionary: FilePath | None = Field(None, description="the micro-controller's dictionary (JSON) that batch mode was given with -d")
    config: FilePath | None = Field(None, description="the printer.cfg of the run: which motor moves which axis, and by how much with a step")
    rate: Frequency = Field("1 kHz", ge=1, le=1e6, description="at which the positions are taken out of the stream")

    def files(self, stream: Path) -> tuple[Path, Path]:
        """Dictionary and configuration of a stream; PlanError where one is not named."""
        if self.dictionary is None or self.config is None:
            lacking = [name for name in ("dictionary", "config") if getattr(self, name) is None]
            raise PlanError(
                f"{stream.name}: is a step stream of Klipper; say what belongs to it: --set steps.dictionary=machine.dict --set steps.config=printer.cfg "
                f"(missing: {', '.join(lacking)})"
            )
        return Path(self.dictionary), Path(self.config)


class PlannedSteps(StepStream):
    """The same, with the motion that the planner planned."""

    planned: FilePath | None = Field(None, description="the planned motion of the same run, which planned_motion.py writes beside the controller")
