"""A tracking interferometer that follows a reflector on the tool of simulated mechanics (a rig with the errors of its volume, `cell.mechanics.VOLUMES`)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.roles import Reading
from precision.errors import DeviceError, DeviceFault, PlanError

from .beside import Beside
from .connection import Place

_MOST_CYCLES: Final = 30_000
OFF_M: Final = (7e-3, -4e-3, 3e-3)
"""How far from its planned place the station stands, as one that a person puts up does."""


class TrackingInterferometer:
    """Change of the distance from the station to the reflector, m since `reset`, in air of index 1.

    The tool's position is a channel of every axis; how it is turned are the HAL signals turn-a, turn-b and turn-c, read at standstill.
    """

    compensates_air = True

    def __init__(self, place: Place, *, timeout_s: float = 5.0) -> None:
        self._place = place
        try:
            self._beside: Beside = place.beside(timeout_s=timeout_s)
        except DeviceError:
            place.release()
            raise
        try:
            if missing := [name for name in ("x_tool", "y_tool", "z_tool") if name not in self._beside.names]:
                raise DeviceFault(f"{place.address} has no simulated {missing[0]}: a real machine is measured by a real tracking interferometer; name it in the plan")
            self._turn()
        except BaseException:
            self.close()
            raise
        self._cycles = self._beside.cycles(0.1)
        self._station_m, self._reflector_m = np.zeros(3), np.zeros(3)
        self._zero_m = math.nan

    @property
    def identity(self) -> str:
        """Of the controller, and what is followed."""
        return f"{self._beside.frames.identity}, tracking interferometer on the tool of the simulated mechanics"

    def station(self, place_m: Sequence[float], reflector_m: Sequence[float]) -> None:
        """Stand near `place_m` (`OFF_M` away) and follow a reflector at this tool offset, m."""
        self._station_m, self._reflector_m = np.add(place_m, OFF_M), np.array(reflector_m, dtype=np.float64)
        self._zero_m = math.nan

    def start(self) -> None:
        """Nothing has to be started: it always measures."""
        self._distance_m()

    def set_averaging(self, duration_s: float) -> float:
        """Average over the whole number of servo cycles nearest to `duration_s`; returns the time that is, in s."""
        if not (math.isfinite(duration_s) and duration_s >= 0):
            raise PlanError(f"an averaging time of {duration_s} s; 0 or more is expected")
        self._cycles = min(max(1, round(duration_s * self._beside.frames.rate_hz)), _MOST_CYCLES)
        return self._cycles / self._beside.frames.rate_hz

    def reset(self) -> None:
        """Make the present distance the zero."""
        self._zero_m = self._distance_m()

    def displacement(self) -> Reading:
        """Mean over the servo cycles that ended now; before the first `reset` at this station it is not valid."""
        change = self._distance_m() - self._zero_m
        valid = math.isfinite(change)
        return Reading(value=change, t_mono_ns=time.monotonic_ns(), valid=valid, reason="" if valid else "no zero has been set at this station")

    def close(self) -> None:
        self._beside.close()
        self._place.release()

    def _distance_m(self) -> float:
        """From the station to the reflector: the tool's place, and its offset turned with it (first order; 200 µrad leave 5 nm of 0.25 m)."""
        tool = np.array([self._beside.mean(f"{axis}_tool", self._cycles)[0] for axis in "xyz"])
        reflector = tool + self._reflector_m + np.cross(self._turn(), self._reflector_m)
        return float(np.linalg.norm(reflector - self._station_m))

    def _turn(self) -> NDArray[np.float64]:
        """Rotation A, B, C of the tool against the workpiece, rad."""
        return np.array([float(self._beside.pin(f"turn-{axis}")) for axis in "abc"])


def open_tracker(address: str, *, axis: int = 0, timeout_s: float = 5.0) -> TrackingInterferometer:
    """The tracking interferometer at the simulated machine of a `linuxcnc://` address. axis : 0, the only one.

    Raises
    ------
    PlanError       the address, or another axis
    DeviceFault     mechanics without the errors of a volume
    """
    if axis != 0:
        raise PlanError(f"axis {axis} of a tracking interferometer; it has 0 alone")
    return TrackingInterferometer(Place(address), timeout_s=timeout_s)
