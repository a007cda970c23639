"""Where the tool is in the workpiece's frame: rotations and translations multiplied out exactly.

A vertical machining centre whose table carries the workpiece on X and Y and whose head carries the tool on Z (chain XYFZ, workpiece to tool).
Every error is that of the tool relative to the workpiece (ISO 230-1 notation): an axis's frame is displaced by its three translational errors and
turned by roll, pitch and yaw, and everything nearer the tool is carried along. Nothing is linearised.

    p = E_X + R_X ( x û_X + E_Y + R_Y ( y û_Y + z û_Z + E_Z + R_Z t ) )

where û are the true directions of the axes (squareness) and t is the tool offset from the spindle's reference point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Rotation = tuple[Vector, Vector, Vector]


@dataclass(frozen=True, slots=True)
class SixErrors:
    """The six errors of one linear axis at one position: translations along X, Y, Z in m, then rotations about X, Y, Z in rad."""

    x_m: float
    y_m: float
    z_m: float
    a_rad: float
    b_rad: float
    c_rad: float


def rotation(a_rad: float, b_rad: float, c_rad: float) -> Rotation:
    """Rotation about X by a, then about the fixed Y by b, then about the fixed Z by c: R_z(c) R_y(b) R_x(a)."""
    ca, sa = math.cos(a_rad), math.sin(a_rad)
    cb, sb = math.cos(b_rad), math.sin(b_rad)
    cc, sc = math.cos(c_rad), math.sin(c_rad)
    return (
        (cc * cb, cc * sb * sa - sc * ca, cc * sb * ca + sc * sa),
        (sc * cb, sc * sb * sa + cc * ca, sc * sb * ca - cc * sa),
        (-sb, cb * sa, cb * ca),
    )


def turned(matrix: Rotation, vector: Vector) -> Vector:
    """Matrix times vector."""
    x, y, z = vector
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix
    return (xx * x + xy * y + xz * z, yx * x + yy * y + yz * z, zx * x + zy * y + zz * z)


@dataclass(frozen=True, slots=True)
class Directions:
    """True directions of motion of the Y and Z axes; X is the reference."""

    y: Vector
    z: Vector

    @classmethod
    def from_squareness(cls, *, c0y_rad: float, b0z_rad: float, a0z_rad: float) -> Directions:
        """E_C0Y turns Y about Z; E_B0Z and E_A0Z turn Z about Y and X (ISO 230-1: positive is the right-handed rotation)."""
        return cls(turned(rotation(0.0, 0.0, c0y_rad), (0.0, 1.0, 0.0)), turned(rotation(a0z_rad, b0z_rad, 0.0), (0.0, 0.0, 1.0)))


def tool_point(position_m: Vector, errors: tuple[SixErrors, SixErrors, SixErrors], tool_m: Vector, directions: Directions) -> Vector:
    """Tool point in the workpiece's frame, m.

    position_m : x, y, z that the axes were asked for. errors : of X, Y, Z at those positions. tool_m : offset from the spindle's reference point.
    """
    of_x, of_y, of_z = errors
    x, y, z = position_m
    px, py, pz = turned(rotation(of_z.a_rad, of_z.b_rad, of_z.c_rad), tool_m)
    uy, uz = directions.y, directions.z
    px, py, pz = turned(
        rotation(of_y.a_rad, of_y.b_rad, of_y.c_rad),
        (px + of_z.x_m + z * uz[0] + y * uy[0], py + of_z.y_m + z * uz[1] + y * uy[1], pz + of_z.z_m + z * uz[2] + y * uy[2]),
    )
    px, py, pz = turned(rotation(of_x.a_rad, of_x.b_rad, of_x.c_rad), (px + of_y.x_m + x, py + of_y.y_m, pz + of_y.z_m))
    return (px + of_x.x_m, py + of_x.y_m, pz + of_x.z_m)


def rotations(angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """`rotation` of many: (n, 3) angles about X, Y, Z -> (n, 3, 3)."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angle_rad.T), np.sin(angle_rad.T)
    rows = [
        [cc * cb, cc * sb * sa - sc * ca, cc * sb * ca + sc * sa],
        [sc * cb, sc * sb * sa + cc * ca, sc * sb * ca - cc * sa],
        [-sb, cb * sa, cb * ca],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def tool_points(position_m: NDArray[np.float64], errors: Sequence[NDArray[np.float64]], tool_m: Vector, directions: Directions) -> NDArray[np.float64]:
    """`tool_point` of many places: (n, 3) m.

    position_m : (n, 3). errors : of X, Y, Z, (n, 6) each: translations, then rotations.
    """
    of_x, of_y, of_z = errors
    at = rotations(of_z[:, 3:]) @ np.array(tool_m)
    at = at + of_z[:, :3] + position_m[:, 2:3] * np.array(directions.z) + position_m[:, 1:2] * np.array(directions.y)
    at = np.einsum("nij,nj->ni", rotations(of_y[:, 3:]), at) + of_y[:, :3]
    at[:, 0] += position_m[:, 0]
    return np.asarray(np.einsum("nij,nj->ni", rotations(of_x[:, 3:]), at) + of_x[:, :3])
