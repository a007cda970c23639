# mypy: disable-error-code="assignment"
"""The plan of an overlay measurement: which marks of which wafers an overlay tool reads, and how their overlay is modelled."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from precision.models.overlay import MODELS, Coordinates, OverlayModel, Sign
from precision.plan import Device, DeviceSet, Length, Machine, Note, Strict, Test

from .runnable import Runnable

TermName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_0-9]{1,20}$")]


class Devices(DeviceSet):
    """The overlay tool, as one stream with a row a mark."""

    tool: Device = Device(driver="frames")


class Layout(Strict):
    """Full fields on a grid around the wafer's centre, and marks on a grid in each."""

    wafers: int = Field(3, ge=1, le=10_000)
    wafer_radius: Length = Field("150 mm", gt=0, le=1)
    within_radius: Length = Field("147 mm", gt=0, le=1, description="that the corners of the fields have to keep")
    field_width: Length = Field("26 mm", gt=0, le=0.5)
    field_height: Length = Field("33 mm", gt=0, le=0.5)
    columns: int = Field(3, ge=1, le=100, description="of marks in a field")
    rows: int = Field(3, ge=1, le=100)
    mark_width: Length = Field("24 mm", ge=0, le=0.5, description="between the outer columns")
    mark_height: Length = Field("30 mm", ge=0, le=0.5, description="between the outer rows")

    @model_validator(mode="after")
    def _marks_have_places(self) -> Self:
        for name, count, marks, field in (
            ("columns", self.columns, self.mark_width, self.field_width),
            ("rows", self.rows, self.mark_height, self.field_height),
        ):
            if count > 1 and not 0 < marks <= field:
                raise ValueError(
                    f"{name}: {count} of them over {marks * 1e3:g} mm in a field of {field * 1e3:g} mm; expected more than 0, and no more than the field"
                )
        if self.within_radius > self.wafer_radius:
            raise ValueError(
                f"within_radius: {self.within_radius * 1e3:g} mm on a wafer of {self.wafer_radius * 1e3:g} mm radius; expected no more than that"
            )
        return self


def _as_written(model: object) -> object:
    """A model given as a whole number (10) is the one of that name ("10")."""
    return str(model) if type(model) is int else model


class Evaluation(Strict):
    """The model, and what is done with marks that do not fit."""

    model: Annotated[Literal["2", "3", "4", "6", "8", "10", "20", "38"], BeforeValidator(_as_written)] = Field(
        "10", description="number of parameters; 20: k1 … k20 of the wafer, 38: with the field's k3 … k20"
    )
    without: tuple[TermName, ...] = Field(
        (), strict=False, max_length=38, description='terms that the scanner cannot correct, for example ["rx", "k20"]'
    )
    coordinates: Literal["field centre", "mark"] = Field("field centre", description="what the inter-field terms take")
    sign: Literal["second - first", "first - second"] = Field("second - first", description="what a positive overlay means")
    robust: Literal["none", "huber", "tukey"] = Field("tukey", description="how marks that do not fit are found")
    reject_beyond: float = Field(4.685, ge=2, le=100, description="scales of the residuals")
    most_rejected: float = Field(0.05, ge=0, lt=0.5, description="part of a wafer's marks that may be rejected")
    errors: Literal["by field", "independent"] = Field(
        "by field", description="for U of the terms of one wafer: what is left of each field, or of each mark, is independent"
    )
    per_field: bool = Field(True, description="take off corrections per exposure, k1 … k6 of each field, as the last step")
    regularisation: float = Field(0.0, ge=0, le=1e6, description="readings by which a field's correction is held to the wafer model")

    @model_validator(mode="after")
    def _terms_are_there(self) -> Self:
        unknown = [key for key in self.without if key not in MODELS[self.model].keys]
        if unknown:
            raise ValueError(
                f"without: the {self.model}-parameter model has no term {', '.join(unknown)}; it has {', '.join(MODELS[self.model].keys)}"
            )
        if len(set(self.without)) == len(MODELS[self.model].terms):
            raise ValueError("without: no term is left")
        return self

    @property
    def overlay_model(self) -> OverlayModel:
        """The model that is meant."""
        model = MODELS[self.model].without(*dict.fromkeys(self.without))
        return model.absolute() if self.coordinates == "mark" else model

    @property
    def meaning(self) -> Sign:
        """The sign that is meant."""
        return Sign.SECOND_MINUS_FIRST if self.sign == "second - first" else Sign.FIRST_MINUS_SECOND

    @property
    def coordinate_rule(self) -> Coordinates:
        """The coordinates that are meant."""
        return self.overlay_model.coordinates


class Uncertainty(Strict):
    """What is known about the tool, for U (k = 2)."""

    tool_induced_shift: Length | None = Field(None, ge=0, le=1e-6, description="U (k = 2) of what the tool adds to every reading alike")


class Limits(Strict):
    """Limits of |mean| + 3σ, for dx and dy alike; what is left out is reported without a verdict."""

    measured: Length | None = Field(None, gt=0, le=1e-3)
    left: Length | None = Field(None, gt=0, le=1e-3, description="after the model")


class Recorded(Strict):
    """Overlay that someone else has measured."""

    procedure: Literal["overlay"] = "overlay"
    title: Note = "Overlay"
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()


class Parameters(Runnable):
    """An overlay measurement."""

    procedure: Literal["overlay"] = "overlay"
    title: Note = "Overlay"
    devices: Devices = Devices()
    layout: Layout = Layout()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
