"""Klipper skew correction: `SET_SKEW XY=AC,BD,AD`, lengths in mm measured on a printed or measured parallelogram A, B, C, D (`[skew_correction]`).

AC and BD are the diagonals, AD the side along the second axis. With s = √(2·AC² + 2·BD² − 4·AD²)/2 the other side,

    factor = tan(π/2 − arccos((AC² − s² − AD²)/(2·s·AD)))        x' = x − y·xy − z·(xz − xy·yz)        y' = y − z·yz
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from .lines import number, numbered, refuse

FORMAT: Final = "Klipper skew correction"
PLANES: Final = ("XY", "XZ", "YZ")
_PLANE: Final = re.compile(r"(XY|XZ|YZ)=(\S{1,80})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelogram:
    """Its diagonals and the side along the second axis, m."""

    ac_m: float
    bd_m: float
    ad_m: float

    def __post_init__(self) -> None:
        ac, bd, ad = self.ac_m, self.bd_m, self.ad_m
        if not all(math.isfinite(length) and length > 0 for length in (ac, bd, ad)):
            raise ValueError(f"AC, BD, AD are {ac}, {bd}, {ad} m; lengths above 0 are expected")
        if 2 * ac**2 + 2 * bd**2 <= 4 * ad**2 or not abs(self._cosine) < 1:
            raise ValueError(f"AC, BD, AD of {ac * 1e3:g}, {bd * 1e3:g}, {ad * 1e3:g} mm make no parallelogram")

    @property
    def _side_m(self) -> float:
        return math.sqrt(2 * self.ac_m**2 + 2 * self.bd_m**2 - 4 * self.ad_m**2) / 2

    @property
    def _cosine(self) -> float:
        side = self._side_m
        return (self.ac_m**2 - side**2 - self.ad_m**2) / (2 * side * self.ad_m)

    @property
    def factor(self) -> float:
        """Klipper's skew factor: how far the second axis leans along the first, per length."""
        return math.tan(math.pi / 2 - math.acos(self._cosine))


def of_factor(factor: float, *, side_m: float = 0.1) -> Parallelogram:
    """The rhombus with sides of `side_m` that gives this factor: with the angle φ at A, cos φ = sin(arctan factor)."""
    cosine = math.sin(math.atan(factor))
    return Parallelogram(ac_m=side_m * math.sqrt(2 + 2 * cosine), bd_m=side_m * math.sqrt(2 - 2 * cosine), ad_m=side_m)


def write(planes: dict[str, Parallelogram]) -> str:
    """The command that sets the skew of the planes given ("XY", "XZ", "YZ"). Follow it with SKEW_PROFILE SAVE=name and SAVE_CONFIG."""
    unknown = set(planes) - set(PLANES)
    if unknown or not planes:
        raise ValueError(f"planes are {sorted(planes)}; some of {', '.join(PLANES)} are expected")
    values = (f"{plane}={','.join(f'{length * 1e3:.6f}' for length in (planes[plane].ac_m, planes[plane].bd_m, planes[plane].ad_m))}" for plane in PLANES if plane in planes)
    return f"SET_SKEW {' '.join(values)}\n"


def read(text: str) -> dict[str, Parallelogram]:
    """The planes of one SET_SKEW command.

    Raises
    ------
    DataError       naming the line
    """
    planes: dict[str, Parallelogram] = {}
    for line, content in numbered(FORMAT, text):
        content = content.partition(";")[0].strip()
        if not content or content.startswith(("SKEW_PROFILE", "SAVE_CONFIG")):
            continue
        command, *parts = content.split()
        if command != "SET_SKEW" or planes or not parts:
            refuse(FORMAT, line, f"{content[:60]!r}; one SET_SKEW with planes is expected")
        for part in parts:
            match = _PLANE.fullmatch(part)
            lengths = match[2].split(",") if match else []
            if match is None or len(lengths) != 3 or match[1] in planes:
                refuse(FORMAT, line, f"{part[:60]!r}; XY=AC,BD,AD is expected, each plane once")
            ac, bd, ad = (number(FORMAT, line, length, "a length") * 1e-3 for length in lengths)
            try:
                planes[match[1]] = Parallelogram(ac_m=ac, bd_m=bd, ad_m=ad)
            except ValueError as error:
                refuse(FORMAT, line, str(error))
    if not planes:
        refuse(FORMAT, None, "holds no SET_SKEW")
    return planes


def corrected(x: float, y: float, z: float, *, xy: float = 0.0, xz: float = 0.0, yz: float = 0.0) -> tuple[float, float, float]:
    """Where Klipper drives for the commanded (x, y, z) with these factors. Any unit."""
    return x - y * xy - z * (xz - xy * yz), y - z * yz, z
