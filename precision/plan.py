"""Plans: what a run is to do, as TOML, checked strictly before anything moves.

A plan is text from outside and hostile: at most 256 kB of TOML, unknown keys refused, no NaN, no infinity, quantities with a unit from a
whitelist ("0.5 mm"). Every fault is reported at once with its path. Inside, quantities are SI floats; `dump` writes them back as text that reads
to the same float, so that the plan in a run's manifest can be run again bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from . import units
from .errors import PlanError

MAX_BYTES: Final = 256 * 1024
_DEEP_KEY: Final = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){12}")
"""Begins where a word begins and never goes back: its time grows with the length of the text, not with the square of a word's."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,5}")


class Strict(BaseModel):
    """A section of a plan: unknown keys, wrong types and non-finite numbers are faults; frozen once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True)


_LARGEST: Final = {
    "length": "1000 m", "angle": "1000 rad", "time": "1000000 s", "speed": "100 m/s", "angular speed": "10000 rad/s", "temperature": "1000 K",
    "temperature difference": "100 K", "pressure": "10000000 Pa", "ratio": "1", "expansion": "0.001 1/K", "frequency": "100000 kHz",
}
"""Dimension -> the largest size that any plan can mean. Beyond it something was mistyped; a field's own bounds are narrower."""


def within_reason(text: str, dimension: str) -> float:
    """`units.quantity`, refused beyond the largest size that a plan can mean. Raises ValueError."""
    value = units.quantity(text, dimension)
    if abs(value) > units.quantity(_LARGEST[dimension], dimension):
        raise ValueError(f"{text[:40]!r} is beyond what a plan can mean; at most {_LARGEST[dimension]} in size")
    return value


def _reader(dimension: str) -> BeforeValidator:
    def read(value: object) -> float:
        if not isinstance(value, str):
            raise ValueError(f"write a quantity with its unit in quotes, for example \"{units.example(dimension)}\"")
        return within_reason(value, dimension)

    return BeforeValidator(read)


def _quantity(dimension: str, si_unit: str) -> Any:
    """Pydantic metadata of a quantity: text with a unit outside, an SI float inside, text again that reads to the same float."""
    allowed = ["K", "°C", "degC"] if dimension == "temperature" else list(units.DIMENSIONS[dimension])
    schema = {
        "type": "string",
        "description": f"{dimension} with a unit, one of: {', '.join(unit or '(none)' for unit in allowed)}",
        "examples": [units.example(dimension)],
    }
    return (
        _reader(dimension),
        PlainSerializer(lambda value: f"{value!r} {si_unit}".strip(), return_type=str, when_used="json"),
        WithJsonSchema(schema),
    )


Length = Annotated[float, *_quantity("length", "m")]
Angle = Annotated[float, *_quantity("angle", "rad")]
Time = Annotated[float, *_quantity("time", "s")]
Speed = Annotated[float, *_quantity("speed", "m/s")]
AngularSpeed = Annotated[float, *_quantity("angular speed", "rad/s")]
Temperature = Annotated[float, *_quantity("temperature", "K")]
TemperatureDifference = Annotated[float, *_quantity("temperature difference", "K")]
Pressure = Annotated[float, *_quantity("pressure", "Pa")]
Ratio = Annotated[float, *_quantity("ratio", "")]
Expansion = Annotated[float, *_quantity("expansion", "1/K")]
Frequency = Annotated[float, *_quantity("frequency", "Hz")]
def _text(value: object) -> object:
    """A serial number may be written without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=80)]
Note = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=400)]


class Machine(Strict):
    """The machine under test, as the report's header names it. A field left out is printed as "not recorded"."""

    manufacturer: Note | None = None
    type: Note | None = Field(None, description="machine type or model")
    serial_number: Note | None = None
    location: Note | None = None
    travel: Note | None = Field(None, description="travel of the axis under test")
    kinematic_chain: Note | None = Field(None, description="for example \"[t X Y b Z w]\" after ISO 841/ISO 10791")
    feedback: Note | None = Field(None, description="feedback device of the axis: scale or encoder type, mounting")
    other_axes: Note | None = Field(None, description="positions of the axes not under test")
    offset_tool: Note | None = Field(None, description="offset of the measuring line to the tool reference point, x/y/z")
    offset_workpiece: Note | None = Field(None, description="offset of the measuring line to the workpiece reference point, x/y/z")
    warm_up: Note | None = Field(None, description="operations before the test")
    compensations_active: Note | None = Field(None, description="compensations active in the controller during the test")


class Test(Strict):
    """Who measured, where and with what."""

    __test__ = False
    operator: Note | None = None
    date: Note | None = Field(None, description="date of the measurement, where the data do not carry one")
    instrument: Note | None = Field(None, description="type and serial number of every component of the measuring instrument")
    certificate: Note | None = Field(None, description="calibration certificate and its date")
    sensor_positions: Note | None = Field(None, description="where the air and material temperature sensors were")
    remarks: Note | None = None


DriverName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
Address = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Options = dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")], bool | int | float | str]
SIMULATED: Final = "sim://lab"


class Device(Strict):
    """A device: which driver speaks to it, and where. "sim://lab" starts the virtual lab."""

    driver: DriverName
    address: Address = Field(SIMULATED, description='"sim://lab", "serial:///dev/ttyUSB0?baud=115200", "serial://COM3", "tcp://host:port", "visa://RESOURCE"')
    options: Options = Field(default_factory=dict, description="keyword options of the driver")


class DeviceSet(Strict):
    """The devices of a procedure: a subclass has one field a role. All on "sim://lab", or all real: a run never mixes the two."""

    @property
    def by_role(self) -> dict[str, Device]:
        """Role -> device, in the order of the fields; without those that the plan leaves out."""
        return {role: device for role, device in self if isinstance(device, Device)}

    @property
    def simulated(self) -> bool:
        """Whether all devices are the virtual lab's."""
        return all(device.address == SIMULATED for device in self.by_role.values())

    @property
    def mixed(self) -> bool:
        """Whether some are and some are not."""
        return not self.simulated and any(device.address == SIMULATED for device in self.by_role.values())


class Devices(DeviceSet):
    """The devices of a positioning test."""

    controller: Device = Device(driver="grbl")
    interferometer: Device = Device(driver="ids3010")
    environment: Device = Device(driver="scpi")


class Simulation(Strict):
    """How the virtual lab is run."""

    controller: Literal["auto", "pty", "tcp"] = Field("auto", description="transport of the simulated controller; auto: pty where there is one")
    time_scale: float = Field(0.0, ge=0.0, le=1e6, description="lab seconds per second; 0 runs as fast as this computer allows, 1 in real time")


Model = TypeVar("Model", bound=Strict)


def read(source: Path | str, *, name: str = "") -> dict[str, Any]:
    """The TOML of a plan as plain dictionaries. `source` is a path, or the text itself with the `name` it is known by.

    Raises
    ------
    PlanError       file missing, over 256 kB, not UTF-8, not TOML, or with keys nested beyond reason
    """
    if isinstance(source, Path):
        name = str(source)
        try:
            with source.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise PlanError(f"{name}: cannot be read ({error.strerror}); `precision plan list` shows the ready plans") from error
    else:
        data = source.encode("utf-8", "surrogatepass")  # refused below, as bytes that are not UTF-8 are
    if len(data) > MAX_BYTES:
        raise PlanError(f"{name}: larger than {MAX_BYTES // 1024} kB; a plan is a page of TOML")
    try:
        text = data.decode("utf-8")
        if _DEEP_KEY.search(text):
            raise PlanError(f"{name}: a key with more than 12 dotted parts; plans have at most 3")
        plan = tomllib.loads(text)
        _of_64_bits(plan, name)
        return plan
    except UnicodeDecodeError as error:
        raise PlanError(f"{name}: not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{name}: not valid TOML: {error}") from error
    except ValueError as error:  # Python turns no more than 4300 digits into an integer
        raise PlanError(f"{name}: {_TOO_LARGE}") from error
    except RecursionError as error:
        raise PlanError(f"{name}: nested too deeply") from error


_TOO_LARGE: Final = "an integer is too large; TOML has integers of 64 bits"


def _of_64_bits(value: Any, name: str) -> Any:
    """`value`, without integers that no JSON number, seed or count can be."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise PlanError(f"{name}: {_TOO_LARGE}")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _of_64_bits(inner, name)
    return value


_WRITTEN_OUT: Final = "; beside other keys of it name the file with program.file=…"


def with_settings(plan: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """`plan` with every "key.path=value" applied; a value is read as TOML ("5", "true", "[1, 2]") and otherwise taken as text ("0.5 mm").

    Raises
    ------
    PlanError       naming each setting that is not key=value
    """
    result: dict[str, Any] = json.loads(json.dumps(plan, default=str))
    faults = []
    set_before: list[str] = []
    for setting in settings:
        key, equals, value = setting.partition("=")
        key = key.strip()
        if not equals or not _KEY.fullmatch(key):
            faults.append(f"--set {setting[:80]!r}: write section.key=value, for example cycle.runs=5")
            continue
        section = result
        *parents, last = key.split(".")
        for parent in parents:
            deeper = section.setdefault(parent, {})
            if not isinstance(deeper, dict):
                faults.append(f"--set {key}: {parent} is a value, {str(deeper)[:60]!r}, not a section{_WRITTEN_OUT if parent == 'program' else ''}")
                break
            section = deeper
        else:
            if lost := [one for one in set_before if one.startswith(f"{key}.")]:
                faults.append(f"--set {key}: would undo --set {lost[0]}{_WRITTEN_OUT if key == 'program' else ''}")
            set_before.append(key)
            section[last] = _of_64_bits(_toml_value(value.strip()), f"--set {key}")
    if faults:
        raise PlanError("settings cannot be applied", faults)
    return result


def _toml_value(text: str) -> Any:
    try:
        if len(text) > 4096 or _DEEP_KEY.search(text) or "\n" in text:
            return text
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, or an integer of more digits than Python reads
        return text


_MOST_FAULTS: Final = 50
"""Of one plan that are told; nobody reads more."""


def check(model: type[Model], plan: Mapping[str, Any], *, name: str, consequence: str = "nothing was moved") -> Model:
    """The checked plan. `consequence` ends the first line of the message.

    Raises
    ------
    PlanError       every fault at once: path in the file, what was seen, what is allowed
    """
    try:
        return model.model_validate(dict(plan))
    except ValidationError as error:
        found = error.errors(include_url=False)
        faults = [_fault(detail, model, plan) for detail in found[:_MOST_FAULTS]]
        if len(found) > _MOST_FAULTS:
            faults.append(f"and {len(found) - _MOST_FAULTS} more")
        count = f"{len(found)} fault" + ("s" if len(found) != 1 else "")
        raise PlanError(f"{name}: {count} in the plan; {consequence}", faults) from error


_BOUNDS: Final = {"greater_than": ("gt", "more than"), "greater_than_equal": ("ge", "at least"), "less_than": ("lt", "less than"), "less_than_equal": ("le", "at most")}


def _fault(detail: Any, model: type[BaseModel], plan: Mapping[str, Any]) -> str:
    """One line of a person's words for one of pydantic's."""
    # Where a key takes one of several kinds, pydantic adds the kind it tried: "literal['three',...]", "tuple[...]".
    path = ".".join(str(part)[:80] for part in detail["loc"] if not str(part).startswith(("literal[", "tuple["))) or "(plan)"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(_section_keys(model, detail["loc"][:-1]))
        return f"{path}: unknown key; allowed here: {allowed}"
    if detail["type"] == "missing":
        return f"{path}: missing"
    seen = _as_written(plan, detail["loc"])
    if detail["type"] in _BOUNDS:
        key, words = _BOUNDS[detail["type"]]
        message = f"must be {words} {detail['ctx'][key]:g} {units.si_unit_of(seen) if isinstance(seen, str) else ''}".rstrip()
    shown = f" (seen: {seen[:60] if isinstance(seen, str) else seen!r})" if isinstance(seen, str | int | float | bool) and str(seen)[:40] not in message else ""
    return f"{path}: {message}{shown}"


def _as_written(plan: Any, path: Iterable[Any]) -> Any:
    """What stands in the plan at `path`, before any conversion; None where there is nothing."""
    for part in path:
        try:
            plan = plan[part]
        except (KeyError, IndexError, TypeError):
            return None
    return plan


def _section_keys(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def dump(plan: BaseModel) -> dict[str, Any]:
    """The plan as plain JSON types, every default written out, quantities as text in SI units that read to the same float."""
    dumped: dict[str, Any] = plan.model_dump(mode="json", exclude_none=True)
    return dumped


def canonical_sha256(plan: Mapping[str, Any]) -> str:
    """SHA-256 of the plan's canonical JSON: sorted keys, no blanks, full floats."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()).hexdigest()


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a plan, for editors that complete and check TOML."""
    schema: dict[str, Any] = _bounds_in_words(model.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _bounds_in_words(schema: Any) -> Any:
    """A quantity is a string in the file: its bounds belong in the description, where a schema of strings has no `minimum`."""
    if isinstance(schema, list):
        return [_bounds_in_words(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _bounds_in_words(value) for key, value in schema.items()}
    if result.get("type") == "string":
        words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "less than"}
        for key in words.keys() & result.keys():
            result["description"] = f"{result.get('description', '')}; {words[key]} {result.pop(key):g} in SI units".lstrip("; ")
    return result
