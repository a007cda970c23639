"""The lab's mirror square: three plane mirrors on the table, one across each axis, nearly at right angles to each other.

An interferometer that looks at such a mirror sees how far the tool moves along the mirror's normal, wherever it moves across it: straightness and squareness
of motions are read so. The square is put down by hand, its angles are as good as its certificate, its faces as plane as polishing makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from .kinematics import Vector, rotation, turned
from .noise import Channel
from .parameters import AXES
from .waves import Waves

ALIGNMENT_RAD: Final = 250e-6
SQUARE_U_RAD: Final = 1e-6
"""Certificate of its angles: U (k = 2)."""
FORM_RANGE_M: Final = 60e-9
"""Certificate of each face: largest − smallest height."""


@dataclass(frozen=True, slots=True)
class Square:
    """normals : of the mirrors across X, Y, Z. angles_rad : (XY, XZ, YZ), by which the faces are more than square. form : face -> along its two sides."""

    normals: tuple[Vector, Vector, Vector]
    angles_rad: tuple[float, float, float]
    form: tuple[tuple[Waves, Waves], ...]

    @classmethod
    def drawn(cls, seed: int) -> Square:
        """A square of its own for every seed."""
        hand = Channel(seed, "square/alignment")
        turn = rotation(*(hand.within(ALIGNMENT_RAD, k) for k in range(3)))
        certified = Channel(seed, "square/angles")
        xy, xz, yz = (max(-1.0, min(1.0, certified.normal(k) / 2)) * SQUARE_U_RAD for k in range(3))
        faces = ((1.0, xy, xz), (0.0, 1.0, yz), (0.0, 0.0, 1.0))
        form = tuple(
            (
                Waves.drawn(Channel(seed, f"square/form/{axis}/1"), bound=FORM_RANGE_M / 4, periods=(0.9, 0.31, 0.12)),
                Waves.drawn(Channel(seed, f"square/form/{axis}/2"), bound=FORM_RANGE_M / 4, periods=(0.9, 0.31, 0.12)),
            )
            for axis in AXES
        )
        normals = [_unit(turned(turn, face)) for face in faces]
        return cls((normals[0], normals[1], normals[2]), (xy, xz, yz), form)

    def seen_m(self, axis: int, point_m: Vector) -> float:
        """Distance of the tool from the mirror across `axis`, up to a constant."""
        n = self.normals[axis]
        across = [point_m[k] for k in range(3) if k != axis]
        return n[0] * point_m[0] + n[1] * point_m[1] + n[2] * point_m[2] + self.form[axis][0](across[0]) + self.form[axis][1](across[1])

    def truth(self) -> dict[str, Any]:
        """Published, as plain JSON types."""
        return {"normals": [list(normal) for normal in self.normals], "angles_rad": list(self.angles_rad)}


def _unit(vector: Vector) -> Vector:
    length = math.sqrt(sum(part * part for part in vector))
    return (vector[0] / length, vector[1] / length, vector[2] / length)
