# mypy: disable-error-code="assignment, arg-type"
"""The plan of the 21 errors from lines: three beams along X, Y and Z, their reflectors at several places on the tool, and a mirror square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from precision.plan import Angle, Device, Length, Note, Strict

from . import lines_plan, volumetric_plan
from .lines import AXES, Line
from .lines_plan import Cycle
from .runnable import Runnable
from .squareness_plan import PLANES
from .volumetric_plan import Limits, Point, Span, VirtualMachine

CONTRIBUTORS: Final = (*volumetric_plan.CONTRIBUTORS, "mirror_form", "square", "environmental_variation")
"""What a plan must state before any figure can have an uncertainty; with corrections also theirs."""


class Devices(lines_plan.Devices):
    """Also a sensor on Y's and on Z's screw where there is one."""

    environment_y: Device | None = None
    environment_z: Device | None = None


class Volume(Strict):
    """Where the errors are wanted, work coordinates, and how the machine is built."""

    x: Span = Field(("20 mm", "980 mm"), description="lowest and highest position", strict=False)
    y: Span = Field(("20 mm", "580 mm"), strict=False)
    z: Span = Field(("-480 mm", "-20 mm"), strict=False)
    at: Point | None = Field(None, description="where an axis stands while another moves; by default the middle of the volume", strict=False)
    chain: Annotated[str, StringConstraints(pattern=r"^[FXYZ]{4}$")] = Field("XYFZ", description="from workpiece to tool, F the frame")
    points: int = Field(25, ge=5, le=2000, description="of each line, evenly spaced with a random offset each, so that errors of a short period are met at all phases")

    @model_validator(mode="after")
    def _is_a_machine(self) -> Self:
        if sorted(self.chain) != sorted("FXYZ"):
            raise ValueError(f"chain is {self.chain!r}; expected X, Y, Z and F, each once")
        for name, (low, high) in self.spans.items():
            if not high > low:
                raise ValueError(f"{name}: the highest position must lie above the lowest")
        return self

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Axis -> lowest and highest position, m."""
        return {"X": self.x, "Y": self.y, "Z": self.z}

    @property
    def at_m(self) -> tuple[float, float, float]:
        """Where the axes stand that do not move."""
        if self.at is not None:
            return self.at
        x, y, z = ((low + high) / 2 for low, high in self.spans.values())
        return x, y, z


class Optics(Strict):
    """How the beams are mounted. Angles are told by reflectors at different places on the tool, while the beams stay as they were aligned."""

    reflectors: tuple[Annotated[Point, Field(strict=False)], ...] = Field(
        (("0 mm", "0 mm", "-120 mm"), ("250 mm", "0 mm", "-120 mm"), ("0 mm", "250 mm", "-120 mm"), ("0 mm", "0 mm", "-370 mm")),
        min_length=1, max_length=12, strict=False, description="places of the three reflectors, as tool offsets from the spindle's reference point; one in each set-up",
    )  # fmt: skip
    squares: tuple[Literal["XY", "XZ", "YZ"], ...] = Field(("XY", "XZ", "YZ"), max_length=3, strict=False, description="planes in which a mirror square is read")
    square_tool: Point = Field(("0 mm", "0 mm", "-120 mm"), strict=False, description="tool offset of the point that is read against the square")
    dead_path: Length = Field("100 mm", ge=0, le=100, description="unmeasured path of each beam at the low end of its axis, with the first reflectors")

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        for name, given in (("reflectors", self.reflectors), ("squares", self.squares)):
            if len(set(given)) != len(given):
                raise ValueError(f"{name}: each once")
        return self


class Evaluation(volumetric_plan.Evaluation):
    """As of distances; the nodes are no more than the points of a line."""

    nodes: tuple[int, int, int] = Field((17, 13, 11), description="of X, Y, Z: errors are followed from node to node", strict=False)


class Uncertainty(volumetric_plan.Uncertainty):
    """Also of the square, and of what drifts."""

    mirror_form: Length | None = Field(None, ge=0, le=1e-3, description="flatness of the square's faces, range")
    square: Angle | None = Field(None, ge=0, le=1, description="U (k = 2) of the angle between two faces")
    environmental_variation: Length | None = Field(None, ge=0, le=1e-2, description="E_VE, drift range seen on the unmoving axis during a line's time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one line is for. error : "EYX". tool_m : place of what is read on the tool. square : name of the reference of a straightness. label : its set-up."""

    line: Line
    error: str
    tool_m: tuple[float, float, float]
    square: str | None
    label: str


class Parameters(Runnable):
    """The 21 errors from lines."""

    procedure: Literal["lines-21"] = "lines-21"
    title: Note = "21 geometric errors from lines"
    devices: Devices = Devices()
    volume: Volume = Volume()
    optics: Optics = Optics()
    cycle: Cycle = Cycle()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    virtual_machine: VirtualMachine = VirtualMachine()

    @model_validator(mode="after")
    def _nodes_are_read(self) -> Self:
        if max(self.evaluation.nodes) > self.volume.points:
            raise ValueError(f"evaluation.nodes are {self.evaluation.nodes} and volume.points {self.volume.points}; nodes between points are not determined")
        return self

    compensation: ClassVar[None] = None
    axis_tables: ClassVar[None] = None
    """Its lines are driven as they are commanded; a file is tried with a test of distances."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Of each set-up the three axes, each read by all three beams; then the squares, two lines each."""
        import numpy as np

        random, made = np.random.default_rng(self.seed), []
        for number, place in enumerate(self.optics.reflectors, 1):
            for moving, axis in enumerate(AXES):
                share = self._share(axis, random.uniform(-0.3, 0.3, self.volume.points))
                for beam, letter in enumerate(AXES):
                    label = f"reflectors {number}"
                    line = self._line(
                        f"E{letter}{axis} {label}", axis, share, beam, with_previous=beam > 0, reflector_m=place if moving == beam == 0 else None,
                        words=f"mount the reflectors of the three beams at {_words(place)} from the spindle's reference point, and leave the beams as they are",
                    )  # fmt: skip
                    square = None if beam == moving else f"beam {letter} while {axis} moves"
                    made.append(Reading(line=line, error=f"E{letter}{axis}", tool_m=place, square=square, label=label))
        for plane in self.optics.squares:
            for axis, across in (PLANES[plane], PLANES[plane][::-1]):
                line = self._line(
                    f"E{across}{axis} square {plane}", axis, self._share(axis, np.zeros(self.volume.points)), AXES.index(across),
                    set_up="square" if axis == plane[0] else None, words=f"put the square into the plane {plane} and a beam on each of its two faces",
                )  # fmt: skip
                made.append(Reading(line=line, error=f"E{across}{axis}", tool_m=self.optics.square_tool, square=f"square {plane}", label=f"square {plane}"))
        return tuple(made)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all readings, in the order in which they are driven."""
        return tuple(reading.line for reading in self.readings)

    def _share(self, axis: str, offset: object) -> tuple[float, ...]:
        """Where a line is read: even, with offsets in spacings but at its ends, in whole micrometres (what a controller can follow)."""
        import numpy as np

        low, high = self.volume.spans[axis]
        steps = self.volume.points - 1
        place = np.arange(steps + 1) + np.r_[0.0, np.asarray(offset)[1:-1], 0.0]
        return tuple(float(value) / (high - low) for value in np.round(place / steps * (high - low), 6))

    def _line(self, name: str, axis: str, share: tuple[float, ...], beam: int, **how: object) -> Line:
        start, end = list(self.volume.at_m), list(self.volume.at_m)
        start[AXES.index(axis)], end[AXES.index(axis)] = self.volume.spans[axis]
        return Line(name=name, start_m=(start[0], start[1], start[2]), end_m=(end[0], end[1], end[2]), share=share, beam=beam, **how)


def _words(place: tuple[float, float, float]) -> str:
    return ", ".join(f"{axis} {value * 1e3:g} mm" for axis, value in zip(AXES, place, strict=True))
