# mypy: disable-error-code="assignment"
"""The plan of a diagonal test after ISO 230-6: positioning along the body or face diagonals of a volume."""

from __future__ import annotations

import math
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from precision.plan import Angle, Expansion, Length, Note, Ratio, Strict
from precision.standards.iso230_6 import BODY, FACES

from .lines import AXES, Line
from .lines_plan import Cycle, Devices
from .positioning_plan import Uncertainty
from .runnable import Runnable

Span = tuple[Length, Length]
CONTRIBUTORS: Final = (
    "device_calibration", "device_resolution", "air_index", "misalignment_range", "material_temperature_range", "expansion_coefficient_range", "environmental_variation",
)  # fmt: skip


class Diagonals(Strict):
    """The volume and its diagonals."""

    kind: Literal["body", "face"] = Field("body", description="the four through the body, or the two of each face")
    x: Span = Field(("20 mm", "980 mm"), strict=False, description="lowest and highest position")
    y: Span = Field(("20 mm", "580 mm"), strict=False)
    z: Span = Field(("-480 mm", "-20 mm"), strict=False)
    faces: tuple[Literal["XY", "XZ", "YZ"], ...] = Field(("XY", "XZ", "YZ"), min_length=1, max_length=3, strict=False, description="kind = \"face\": which of them")
    points: int = Field(9, ge=2, le=2000, description="of each diagonal, evenly spaced with a random offset each")
    random_offset: Ratio = Field("20 %", ge=0, lt=0.5, description="largest random offset of a point, as a share of the spacing")

    @model_validator(mode="after")
    def _is_a_volume(self) -> Self:
        for name, (low, high) in self.spans.items():
            if not high > low:
                raise ValueError(f"{name}: the highest position must lie above the lowest")
        if len(set(self.faces)) != len(self.faces):
            raise ValueError("faces: each once")
        return self

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Axis -> lowest and highest position, m."""
        return {"X": self.x, "Y": self.y, "Z": self.z}

    @property
    def sides_m(self) -> tuple[float, float, float]:
        """Travels in X, Y, Z."""
        a, b, c = (high - low for low, high in self.spans.values())
        return a, b, c


class Evaluation(Strict):
    """Corrections of the lengths, as for positioning."""

    co2: Ratio = Field("450 ppm", gt=0, le=2e-3)
    normalise_to_20_degrees: bool = Field(True, description="correct lengths to 20 °C with the material temperature (NDE)")
    expansion_coefficient: Expansion = Field("11.7 µm/m/K", ge=0)


class Instrument(Strict):
    """How the interferometer is set up on each diagonal."""

    vacuum_wavelength: Length = Field("1530 nm", ge=300e-9, le=1690e-9)
    dead_path: Length = Field("100 mm", ge=0, le=100, description="unmeasured path at the diagonal's start")


class Limits(Strict):
    """Limits of acceptance."""

    E_D: Length | None = Field(None, gt=0, le=1)
    B_D: Length | None = Field(None, gt=0, le=1)
    E_C0Y: Angle | None = Field(None, gt=0, le=1, description="|squareness of Y to X|, like the following")
    E_B0Z: Angle | None = Field(None, gt=0, le=1)
    E_A0Z: Angle | None = Field(None, gt=0, le=1)


class Parameters(Runnable):
    """A diagonal test."""

    procedure: Literal["diagonals"] = "diagonals"
    title: Note = "Positioning on the diagonals"
    devices: Devices = Devices()
    diagonals: Diagonals = Diagonals()
    cycle: Cycle = Cycle()
    instrument: Instrument = Instrument()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the diagonals, in the order of the lines."""
        if self.diagonals.kind == "body":
            return tuple(BODY)
        return tuple(f"{sense} {face}" for face in self.diagonals.faces for sense in ("PP", "NP"))

    @property
    def lines(self) -> tuple[Line, ...]:
        """One line a diagonal, in the sense of its name."""
        import numpy as np

        wanted = self.diagonals
        random = np.random.default_rng(self.seed)
        made = []
        for name in self.names:
            senses = self._senses(name)
            start, end = [], []
            for axis, sense in zip(AXES, senses, strict=True):
                low, high = wanted.spans[axis]
                middle = (low + high) / 2
                start.append(middle if sense == 0 else low if sense > 0 else high)
                end.append(middle if sense == 0 else high if sense > 0 else low)
            steps = wanted.points - 1
            offsets = random.uniform(-wanted.random_offset, wanted.random_offset, wanted.points)
            share = [0.0, *((k + float(offsets[k])) / steps for k in range(1, steps)), 1.0]
            direction = tuple(b - a for a, b in zip(start, end, strict=True))
            made.append(
                Line(
                    name=name, start_m=(start[0], start[1], start[2]), end_m=(end[0], end[1], end[2]), share=tuple(share), beam=0, set_up="line",
                    direction=(direction[0], direction[1], direction[2]),
                    words=f"aim the beam along the diagonal {name}, {math.hypot(*direction) * 1e3:.0f} mm from here towards "
                    + ", ".join(f"{axis} {value * 1e3:.0f} mm" for axis, value in zip(AXES, end, strict=True)),
                )
            )  # fmt: skip
        return tuple(made)

    @staticmethod
    def _senses(name: str) -> tuple[int, int, int]:
        if name in BODY:
            return BODY[name]
        sense, face = name.split(" ")
        found = [0, 0, 0]
        for letter, axis in zip(sense, FACES[face], strict=True):
            found[axis] = 1 if letter == "P" else -1
        return found[0], found[1], found[2]
