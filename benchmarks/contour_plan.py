# mypy: disable-error-code="assignment, arg-type"
"""The plan of a contour test: a part program that is driven and recorded, and how its recording is judged."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from precision.models.contour_pieces import PIECES
from precision.plan import Device, DeviceSet, Length, Machine, Note, Speed, Strict, Test, Time

from .runnable import Runnable
from .step_stream import StepStream

Plane = Literal["XY", "ZX", "YZ"]
LONGEST_PROGRAM: Final = 8 << 20
"""Characters of a part program that a run keeps."""
Path = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PROGRAM)]


class Devices(DeviceSet):
    """The controller, and a stream of command, feedback and tool position on one clock."""

    controller: Device = Device(driver="grbl")
    recorder: Device = Device(driver="frames")


class Program(Strict):
    """The part program, as it was recorded."""

    file: Path | None = Field(None, description="a file of G-code, as seen from the folder in which the command is given; its text is kept in the run")
    text: Text | None = Field(None, description="the program itself; a run keeps what its file held")
    units: Literal["mm", "inch"] | None = Field(None, description="in which a program begins that says neither G20 nor G21 before its first length")
    plane: Plane = Field("XY", description="in which the contour error is evaluated")
    start: tuple[Length, Length, Length] | None = Field(
        None, description="work position of X, Y and Z where the program begins; left out: 0, or in a run where a piece begins", strict=False
    )
    origin: Literal["as recorded", "first sample"] = Field(
        "as recorded", description='"first sample": recorded positions are shifted so that the first command is the start of the program, for example from machine to work coordinates'
    )


class DrivenProgram(Program):
    """The part program, or a test piece, and how it is driven."""

    origin: Literal["as recorded", "first sample"] = Field("first sample", description="the machine stands at the start of the program when the recording begins")
    piece: Literal[PIECES] | None = Field(None, description="a test piece; a file goes before it")  # type: ignore[valid-type]
    centre: tuple[Length, Length] = Field(("500 mm", "300 mm"), description="of the piece: work coordinates of the two axes, in the order of the plane's letters", strict=False)
    height: Length = Field("-250 mm", description="of the piece: work coordinate of the third axis")
    size: Length = Field("100 mm", ge=1e-3, le=10, description="of the piece: side of its outer square, diameter of a circle")
    feed: Speed = Field("3000 mm/min", ge=1e-6, le=10, description="of the piece")
    slow_feed: Speed = Field("500 mm/min", ge=1e-6, le=10, description='of the slow turns of "arcs"')
    approach_feed: Speed = Field("3000 mm/min", ge=1e-6, le=10, description="to the start of the program")
    dwell: Time = Field("0.5 s", ge=0.1, le=60, description="standing still before and after; what the readings scatter then is their noise")


def _named(value: object) -> object:
    """`--set program=part.ngc` names the file."""
    return {"file": value} if isinstance(value, str) else value


class Evaluation(Strict):
    """How the recording is judged."""

    tolerance: Length = Field("0.1 mm", gt=0, le=10e-3, description="how far the command may be from the program: corners that the controller rounds, digits of the recording")
    window: Length | None = Field(None, gt=0, le=0.1, description="how far along the path the nearest place is looked for; left out: twice the largest distance of position and command")
    alignment: Literal["none", "offset", "offset and rotation"] = Field(
        "none", description="what of the tool's readings is taken off before they are judged, by least squares of the contour error: where the instrument's zero lies, how it is turned"
    )
    rapids: bool = Field(False, description="whether rapid motions (G0) count")


class Uncertainty(Strict):
    """What is known about the readings, for U (k = 2)."""

    tool_sensor: Length | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the difference of two readings of the tool's position, one axis")
    tool_noise: Length | None = Field(None, ge=0, le=1e-3, description="standard deviation of one reading; left out, or smaller than what is seen at standstill: the latter")
    tool_resolution: Length = Field("0 µm", ge=0, le=1e-3, description="of the tool's readings; the smallest step in the recording where that is larger")
    feedback_resolution: Length = Field("0 µm", ge=0, le=1e-3, description="one count of the motors' feedback; the smallest step in the recording where that is larger")
    drift: Length | None = Field(None, ge=0, le=1e-3, description="E_VE, drift range between tool and workpiece over the program")
    skew: Time = Field("0 s", ge=0, le=1, description="largest time between the readings of the two axes of one row; at speed v it is worth v·skew/2")
    synchronisation: Time | None = Field(None, ge=0, le=1, description="largest time between command and feedback of one row, for U of the lags; contour errors do not depend on it")


class Limits(Strict):
    """Limits of acceptance."""

    contour: Length | None = Field(None, gt=0, le=1, description="largest contour error, of the tool where it was recorded, else of the feedback, else of the command")
    contour_rms: Length | None = Field(None, gt=0, le=1, description="its root mean square")
    overshoot: Length | None = Field(None, gt=0, le=1, description="at a corner")
    undershoot: Length | None = Field(None, gt=0, le=1, description="at a corner")
    following: Length | None = Field(None, gt=0, le=1, description="largest following error, distance of command and feedback")


class Evaluated(Strict):
    """What a recording needs to be judged: shared by a measured run and an imported one."""

    procedure: Literal["contour"] = "contour"
    title: Note = "Contour test"
    program: Annotated[Program, BeforeValidator(_named)] = Program()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()


class Imported(Evaluated):
    """A recording from elsewhere, with the program that was run."""

    steps: StepStream = StepStream()


class Parameters(Runnable, Evaluated):
    """A contour test to be run."""

    procedure: Literal["contour"] = "contour"
    title: Note = "Contour test"
    program: Annotated[DrivenProgram, BeforeValidator(_named)] = DrivenProgram()
    devices: Devices = Devices()

    @model_validator(mode="before")
    @classmethod
    def _a_file_before_a_piece_and_a_piece_where_nothing_is_named(cls, value: Any) -> Any:
        program = value.get("program", {}) if isinstance(value, dict) else None
        if isinstance(program, dict) and "file" in program and "piece" in program:
            return {**value, "program": {key: of for key, of in program.items() if key != "piece"}}
        if isinstance(program, dict) and not {"file", "text", "piece"} & set(program):
            return {**value, "program": {**program, "piece": PIECES[0]}}
        return value
