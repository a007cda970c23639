"""The 21 errors from lines with the lab's own interferometer: three beams, four places of the reflector on the tool, a line along each axis.

Pitch, yaw and roll are told by the reflector's lever arms, while the beams stay where they are: with a new alignment for each mounting the mean roll of an
axis would be lost in it. Squareness is not in three beams of unknown directions; it is given from elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from precision.drivers.lab.twin import Twin
from precision.kernels import compiled
from precision.models.air import ciddor
from precision.models.error_basis import Basis
from precision.models.rigid_body import AXES, SQUARENESS, RigidBody, rigid_motion_removed
from precision.standards.volumetric_lines import Line, Squareness, identify_lines, lines_tell
from precision.units import REFERENCE_TEMPERATURE_K

Array = NDArray[np.float64]

SPANS = ((0.02, 0.98), (0.02, 0.58), (-0.48, -0.02))
AT = (0.5, 0.3, -0.25)
OFFSETS = ((0.0, 0.0, -0.12), (0.25, 0.0, -0.12), (0.0, 0.25, -0.12), (0.0, 0.0, -0.37))
EXPANSION = 11.7e-6
NOISE_M = 0.6e-6
"""Scatter of the stops 0.3 µm, the once-per-turn error of the screws 0.5 µm (its root mean square is 0.4 µm), and drift of the structure."""


@pytest.fixture(autouse=True)
def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba compiles a kernel for the chain; the tiers are compared in tests/backends."""
    monkeypatch.setenv(compiled.SWITCH, "0")


def driven(twin: Twin, place: tuple[float, ...]) -> None:
    """Approach a place in the positive direction of all axes and stand for two seconds."""
    machine = twin.mechanics
    for target in ([value - 0.005 for value in place], place):
        machine.begin_move(dict(zip(AXES, map(float, target), strict=True)), 0.2)
        machine.complete()
    machine.begin_dwell(2.0)
    machine.complete()


def lines_of(twin: Twin, count: int = 25) -> list[Line]:
    """Every line with every place of the reflector: what each of the three beams sees, light and growth of the scales taken off as a person would."""
    p, made = twin.parameters, []
    for mounting, offset in enumerate(OFFSETS):
        for beam in range(3):
            abbe = list(p.abbe_m)
            abbe.insert(beam, 0.0)  # what nobody knows of the mounting
            twin.optics.reflectors[beam] = tuple(o + a for o, a in zip(offset, abbe, strict=True))
        for moving, span in enumerate(SPANS):
            x = np.round(np.linspace(*span, count) + 0.0037 * np.sin(7.3 * np.arange(count)) * np.r_[0, np.ones(count - 2), 0], 6)
            seen = np.empty((3, count))
            for index, at in enumerate(x):
                place = list(AT)
                place[moving] = float(at)
                driven(twin, tuple(place))
                if index == 0:
                    for beam in range(3):
                        twin.optics.reset(beam)
                air = twin.sensors
                n = float(ciddor(
                    temperature_k=air.read(101) + 273.15, pressure_pa=50_000 + 12_000 * air.read(103), relative_humidity=0.2 * air.read(104),
                    wavelength_m=p.bounds.vacuum_wavelength_m,
                ))  # fmt: skip
                warmer = [air.read(channel) + 273.15 - REFERENCE_TEMPERATURE_K for channel in (102, 105, 106)]
                for beam in range(3):
                    here = place[beam] - span[0] if beam == moving else 0.0
                    grown = EXPANSION * warmer[beam] * here if beam == moving else 0.0
                    seen[beam, index] = twin.optics.displacement_pm(beam, 0.5) * 1e-12 / n - here - grown
            for beam, letter in enumerate(AXES):
                made.append(Line(
                    name=f"E{letter}{AXES[moving]}", position_m=x, value=seen[beam], noise=NOISE_M, at_m=AT, tool_m=offset, label=f"reflector {mounting + 1}",
                    square=None if beam == moving else f"beam {letter} while {AXES[moving]} moves",
                ))  # fmt: skip
    return made


def truth_of(twin: Twin, basis: Basis) -> RigidBody:
    """The lab's machine as it is met in the positive direction at 20 °C, at the nodes."""
    curves = {}
    for axis, span in zip(twin.mechanics.axes, SPANS, strict=True):
        x = np.linspace(*span, 97)
        six = [axis.guideway(at, axis.lead_error_m(at) - axis.periodic(at) - axis.backlash_m(at) / 2) for at in map(float, x)]
        for letter, name in zip("XYZABC", ("x_m", "y_m", "z_m", "a_rad", "b_rad", "c_rad"), strict=True):
            curves[f"E{letter}{axis.name}"] = (x, np.array([getattr(one, name) for one in six]))
    constants = {name: getattr(twin.parameters, f"squareness_{name.lower()}_rad") for name in SQUARENESS}
    return basis.machine(basis.coefficients(RigidBody.from_curves("XYFZ", curves, constants)))


def test_beams_that_are_aligned_anew_for_each_mounting_lose_the_mean_roll() -> None:
    basis = Basis.even("XYFZ", SPANS, (5, 5, 5))
    lines = [
        Line(name=f"E{letter}{axis}", position_m=np.linspace(*span, 9), value=np.zeros(9), noise=NOISE_M, at_m=AT, tool_m=offset, label=str(k))
        for k, offset in enumerate(OFFSETS) for axis, span in zip(AXES, SPANS, strict=True) for letter in AXES
    ]  # fmt: skip
    told = lines_tell(lines, basis, squareness=SQUARENESS)
    assert told.undetermined == ("EAX", "EBY", "ECZ")
    assert told.unknowns - told.rank == 3


def test_three_beams_and_four_reflector_places_give_the_21_errors() -> None:
    twin = Twin(7)
    twin.mechanics.home()
    twin.mechanics.complete()
    basis = Basis.even("XYFZ", SPANS, (9, 9, 9))
    truth = truth_of(twin, basis)
    square = {name: Squareness(value=value + 1e-6, standard_uncertainty=1e-6) for name, value in truth.constants.items()}
    bounds = twin.parameters.bounds
    found = identify_lines(lines_of(twin), basis, squareness=square, scale_u=1e-6, curved=True)
    assert found.rank == found.unknowns
    outside = 0
    for name in (f"E{letter}{axis}" for axis in AXES for letter in "XYZABC"):
        at = basis.samples_m(AXES.index(name[2]))
        off = np.abs(found.machine.value(name, at) - truth.value(name, at))
        # k = 2, and for positioning what its own corrections leave: cosine of the beam and expansion, whose U is the business of a positioning test.
        length = (at - at[0]) * (bounds.misalignment_range**2 / 2 + 0.6e-6 * 2 + EXPANSION * 0.1) if name[1] == name[2] else 0.0
        outside += int(np.sum(off > 2 * found.standard_uncertainty(name) + length))
    # 162 values, 18 of them zero by convention, 95.5 % within k = 2: seven outside are expected, and neighbours go together.
    assert outside <= 20
    points = np.stack(np.meshgrid(*(np.linspace(*span, 6) for span in SPANS), indexing="ij")).reshape(3, -1)
    tool = (0.0, 0.0, -0.12)
    off = rigid_motion_removed(found.machine.error(points, tool) - truth.error(points, tool), points)
    assert np.sqrt(np.mean(off**2)) < 0.15 * np.sqrt(np.mean(rigid_motion_removed(truth.error(points, tool), points) ** 2))
