"""Contour error of a machine while it ran a G-code program, from a recording of command and position.

    ε = ± min |P − R(s)|        within s₀ ± w, s₀ the place of the recorded command along the program; + to the left of the direction of travel

`contour_error` judges positions whose commanded place is known; here that place is found by following the recorded command through the program, so that passes of
the same place are told apart. Command, feedback and tool are then judged against the same path: interpolator, servo and mechanics are told apart.

The approximations of servo practice are here for comparison: from the following error e and the heading θ,

    tangent                   ε ≈ −e_x sin θ + e_y cos θ                            wrong by lag²/(2ρ) on a circle
    circle (Koren and Lo)     ε ≈ −e_x (sin θ − e_x/2ρ) + e_y (cos θ + e_y/2ρ)      Annals of the CIRP 40 (1991) 371, from memory

What counts: samples in which the command moves. While it stands, and beyond the two ends of the path, the deviation is reported apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..kernels.contour import Toolpath, contour_error
from ..models.gcode_path import GcodePath
from ..uncertainty.readings import Readings
from .arrays import Array, frozen, positive, table
from .reported import Reported, figure, keyed

CORNER_RAD: Final = math.radians(5)
"""A joint where the path turns by more is a corner."""
WORST: Final = 10
"""Places in the list of worst places; two of them lie at least a window apart."""
_PIECE_RAD: Final = math.pi / 2
"""Arcs are cut into pieces of at most this: a window about the command must not see the other end of a full turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineError:
    """Contour error on one motion of the program, m. samples : moving ones whose foot lies on it; with 0 the others are None. max_m : of largest magnitude, signed."""

    line: int
    samples: int
    max_m: float | None
    rms_m: float | None
    mean_m: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place of large deviation. path_m : of its foot, from the program's begin. sample : from 0. at_m : position there."""

    line: int
    deviation_m: float
    path_m: float
    sample: int
    at_m: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """A corner between two motions of the program. turn_rad : positive to the left.

    overshoot_m : largest deviation to the outside of the turn within a window about the corner; 0 where there is none.
    undershoot_m : how far from the corner the track, between its samples too, passes on the inside; 0 where it passes outside.
    """

    line: int
    next_line: int
    turn_rad: float
    at_m: tuple[float, float]
    overshoot_m: float
    undershoot_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Commanded:
    """The recorded command. position_m : (2, n). path_m : (n,) along the path. moving : (n,) bool. off_m : (n,) distance from the path."""

    position_m: Array
    path_m: Array
    moving: NDArray[np.bool_]
    off_m: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Contour error. Figures "e_max" (magnitude), "e_rms", "e_mean" (signed), "e_left", "e_right", "e_rest", "e_end", "overshoot", "undershoot".

    deviation_m, foot_m : (n,) signed deviation and path parameter of its foot, of every sample. counted : (n,) bool, the samples of the first five figures.
    lines : one for each motion of the program. worst : largest deviations first. corners : in the order of the path.
    """

    deviation_m: Array
    foot_m: Array
    counted: NDArray[np.bool_]
    lines: tuple[LineError, ...]
    worst: tuple[Place, ...]
    corners: tuple[Corner, ...]
    window_m: float


def tangent_approximation(error_x: ArrayLike, error_y: ArrayLike, heading_rad: ArrayLike) -> Array:
    """ε ≈ −e_x sin θ + e_y cos θ, shaped as its arguments, in their unit; e = position − command: positive to the left, as ε."""
    ex, ey, heading = (np.asarray(value, dtype=np.float64) for value in (error_x, error_y, heading_rad))
    return np.asarray(-ex * np.sin(heading) + ey * np.cos(heading))


def circle_approximation(error_x: ArrayLike, error_y: ArrayLike, heading_rad: ArrayLike, radius: ArrayLike) -> Array:
    """ε ≈ −e_x (sin θ − e_x/2ρ) + e_y (cos θ + e_y/2ρ), shaped as its arguments, in their unit; ρ > 0 turning left.

    e = command − position, as Koren and Lo have it: positive where the command lies to the left of the tool, the opposite sign of ε.
    """
    ex, ey, heading, rho = (np.asarray(value, dtype=np.float64) for value in (error_x, error_y, heading_rad, radius))
    if not np.all(np.abs(rho) > 0):
        raise DataError("radius is zero; the radius of curvature is expected, in the unit of the errors")
    return np.asarray(-ex * (np.sin(heading) - ex / (2 * rho)) + ey * (np.cos(heading) + ey / (2 * rho)))


def follow_command(path: GcodePath, command_m: ArrayLike, *, tolerance_m: float = 1e-4) -> Commanded:
    """The place of each sample of a recorded command along the program's path.

    The command is followed from the begin of the program: what it travels is what it advances, corrected at every few steps to the nearest place on the path.

    Parameters
    ----------
    command_m : (2, n) recorded command, m; the recording begins before or with the first motion of the program
    tolerance_m : how far the command may be from the path: corners that the controller rounds, digits of the recording

    Raises
    ------
    DataError       the recording begins elsewhere, or leaves the path: which sample, near which line of the program, and how far
    """
    positive("tolerance_m", tolerance_m, "m")
    pieces = _pieces(path)
    position = table("command_m", command_m, (2, None))
    n = position.shape[1]
    step = np.concatenate([[0.0], np.hypot(*np.diff(position, axis=1))])
    travelled = np.cumsum(step)
    first = float(np.hypot(*(position[:, 0] - pieces.point_m[:, 0])))
    if first > tolerance_m:
        raise DataError(f"the recording begins {first * 1e3:.6g} mm from where the program begins; give the start of the program, or the whole recording")
    # travel and advance differ where corners are rounded: by less than this share of a stretch, after which the place is found anew
    reach = max(20 * tolerance_m, 4 * float(step.max()))
    path_m, off_m = np.zeros(n), np.zeros(n)
    at, here = 0, 0.0
    while at < n:
        since = travelled[at - 1] if at else 0.0
        end = max(at + 1, int(np.searchsorted(travelled, since + reach, side="right")))
        guess = np.minimum(here + travelled[at:end] - since, pieces.length_m)
        begin, stop = pieces.at(np.array([guess[0] - reach, guess[-1] + reach]))
        here_about = Toolpath(pieces.point_m[:, begin : stop + 2], pieces.centre_m[:, begin : stop + 1], pieces.sweep_rad[begin : stop + 1])
        found = contour_error(here_about, position[:, at:end], guess - pieces.along_m[begin], window_m=4 * tolerance_m)
        foot, off = np.asarray(found.path_m) + pieces.along_m[begin], np.abs(np.asarray(found.deviation_m))
        # Where the path comes back over itself the nearest place may be that of the way back: a command that is where it should be is not put elsewhere.
        miss = np.hypot(*(position[:, at:end] - pieces.place(guess)))
        stays = np.abs(foot - guess) > 2 * miss + 1e-9
        if stays.any():
            beside = guess[stays] + miss[stays] * np.array([[0.0], [1.0], [-1.0]])  # as it is, ahead, behind
            beside = np.clip(beside, pieces.along_m[begin], pieces.along_m[stop + 1])
            away = [np.hypot(*(position[:, at:end][:, stays] - pieces.place(one))) for one in beside]
            foot[stays] = np.choose(np.argmin(away, axis=0), beside)
        path_m[at:end], off_m[at:end] = foot, off
        if off_m[at:end].max() > tolerance_m:
            k = at + int(np.argmax(off_m[at:end] > tolerance_m))
            line = int(pieces.line[pieces.at(path_m[k : k + 1])[0]])
            raise DataError(
                f"sample {k + 1}: the command is {off_m[k] * 1e3:.6g} mm from the path near line {line} of the program, more than {tolerance_m * 1e3:g} mm; "
                "this is not a recording of this program, or its start, unit or work offset is another"
            )
        here, at = float(path_m[end - 1]), end
    return Commanded(position_m=position, path_m=frozen(path_m), moving=step > 0.0, off_m=frozen(off_m))


def evaluate(
    path: GcodePath,
    command: Commanded,
    position_m: ArrayLike,
    *,
    window_m: float | None = None,
    readings: Readings | None = None,
    source: str = "tool",
    rapids: bool = True,
) -> Result:
    """Contour error of one recorded position.

    Parameters
    ----------
    command : of `follow_command`, sample by sample beside the position
    position_m : (2, n) m: the tool, the feedback, or the command itself
    window_m : how far to look along the path before and after the command; None: twice the largest distance of position and command, and at least 0.1 mm
    readings : what is known about the sensors of both axes, alike; U is stated from it
    source : what the position is, for the title
    rapids : whether rapid motions (G0) count; without them their lines have no samples

    Raises
    ------
    DataError       shapes, values; a position farther from the path than the window; no sample in which the command moves
    """
    pieces = _pieces(path)
    position = table("position_m", position_m, command.position_m.shape)
    apart = float(np.hypot(*(position - command.position_m)).max())
    window = max(2 * apart, 1e-4) if window_m is None else positive("window_m", window_m, "m")
    toolpath = Toolpath(pieces.point_m, pieces.centre_m, pieces.sweep_rad)
    found = contour_error(toolpath, position, command.path_m, window_m=window)
    deviation, foot, beyond = np.asarray(found.deviation_m), np.asarray(found.path_m), np.asarray(found.beyond_end)
    counted = command.moving & ~beyond
    if not rapids:
        counted &= ~path.rapid[pieces.motion[pieces.at(foot)]]
    if not counted.any():
        at_feed = "" if rapids else " at a feed (rapid motions are left out)"
        raise DataError(f"the command never moves along the path{at_feed}; give the recording of a program that ran")
    farthest = int(np.argmax(np.abs(deviation)))
    if abs(deviation[farthest]) > window:
        raise DataError(
            f"sample {farthest + 1}: the position is {abs(deviation[farthest]) * 1e3:.6g} mm from the path, more than the window of {window * 1e3:g} mm; widen it"
        )
    left_out = np.zeros(path.rapid.size, dtype=np.bool_) if rapids else path.rapid
    corners = tuple(_corners(pieces, command, position, deviation, foot, window, left_out))
    covered = float(command.path_m.max())
    flags = []
    if covered < pieces.length_m - window:
        line = int(pieces.line[pieces.at(np.array([covered]))[0]])
        flags.append(f"the recording ends on line {line} of the program, after {covered / pieces.length_m:.1%} of its path")
    return Result(
        title=f"Contour error of the {source}",
        stated=(
            "positive to the left of the direction of travel",
            f"searched {window * 1e3:.4g} mm along the path before and after the command",
            f"the recorded command keeps within {float(command.off_m.max()) * 1e6:.3g} µm of the program",
            *([] if rapids else ["rapid motions (G0) are left out"]),
        ),
        figures=keyed(_figures(deviation, counted, ~command.moving & ~beyond, beyond, corners, readings)),
        flags=tuple(flags),
        deviation_m=frozen(deviation),
        foot_m=frozen(foot),
        counted=counted,
        lines=tuple(_lines(path, pieces, deviation, foot, counted)),
        worst=tuple(_worst(pieces, deviation, foot, position, counted, window)),
        corners=corners,
        window_m=window,
    )


# ---- the path in pieces ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pieces:
    """As `GcodePath`, arcs cut. motion : (k,) index of the motion that each belongs to. along_m : (k + 1,) path parameter of the points."""

    point_m: Array
    centre_m: Array
    sweep_rad: Array
    line: NDArray[np.int64]
    motion: NDArray[np.int64]
    along_m: Array

    @property
    def length_m(self) -> float:
        return float(self.along_m[-1])

    def place(self, path_m: Array) -> Array:
        """(2, n) positions of path parameters, (n,)."""
        k = self.at(path_m)
        along = path_m - self.along_m[k]
        share = along / np.where(self.along_m[k + 1] > self.along_m[k], self.along_m[k + 1] - self.along_m[k], 1.0)
        begin, arm, angle = self.point_m[:, k], self.point_m[:, k] - self.centre_m[:, k], share * self.sweep_rad[k]
        cos, sin = np.cos(angle), np.sin(angle)
        on_arc = self.centre_m[:, k] + np.array([cos * arm[0] - sin * arm[1], sin * arm[0] + cos * arm[1]])
        return np.asarray(np.where(self.sweep_rad[k] != 0, on_arc, begin + share * (self.point_m[:, k + 1] - begin)))

    def at(self, path_m: Array) -> NDArray[np.int64]:
        """Piece of each path parameter; a joint belongs to the piece before it."""
        return np.clip(np.searchsorted(self.along_m, path_m, side="left") - 1, 0, self.line.size - 1)


def _pieces(path: GcodePath) -> _Pieces:
    cuts = np.maximum(1, np.ceil(np.abs(path.sweep_rad) / _PIECE_RAD - 1e-9).astype(np.int64))
    motion = np.repeat(np.arange(cuts.size), cuts)
    number = np.arange(motion.size) - np.repeat(np.cumsum(cuts) - cuts, cuts)  # of the piece within its motion
    sweep = path.sweep_rad[motion] / cuts[motion]
    arm = path.point_m[:, motion] - path.centre_m[:, motion]
    cos, sin = np.cos(number * sweep), np.sin(number * sweep)
    begin = np.where(number > 0, path.centre_m[:, motion] + np.array([cos * arm[0] - sin * arm[1], sin * arm[0] + cos * arm[1]]), path.point_m[:, motion])
    return _Pieces(
        point_m=np.concatenate([begin, path.point_m[:, -1:]], axis=1),
        centre_m=path.centre_m[:, motion],
        sweep_rad=sweep,
        line=path.line[motion],
        motion=motion,
        along_m=np.concatenate([[0.0], np.cumsum(path.length_m[motion] / cuts[motion])]),
    )


def _heading(pieces: _Pieces, k: int, *, at_end: bool) -> float:
    """Direction of travel at an end of a piece, rad."""
    if pieces.sweep_rad[k] == 0:
        x, y = pieces.point_m[:, k + 1] - pieces.point_m[:, k]
        return math.atan2(y, x)
    x, y = pieces.point_m[:, k + at_end] - pieces.centre_m[:, k]
    return math.atan2(y, x) + math.copysign(math.pi / 2, float(pieces.sweep_rad[k]))


# ---- tables --------------------------------------------------------------------------------------------------------------------


def _lines(path: GcodePath, pieces: _Pieces, deviation: Array, foot: Array, counted: NDArray[np.bool_]) -> list[LineError]:
    e = deviation[counted]
    owner = pieces.motion[pieces.at(foot[counted])]
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(path.line.size + 1))
    rows = []
    for k, line in enumerate(path.line):
        here = e[order[bounds[k] : bounds[k + 1]]]
        if not here.size:
            rows.append(LineError(line=int(line), samples=0, max_m=None, rms_m=None, mean_m=None))
            continue
        largest = float(here[np.argmax(np.abs(here))])
        rows.append(LineError(line=int(line), samples=here.size, max_m=largest, rms_m=float(np.sqrt(np.mean(here**2))), mean_m=float(here.mean())))
    return rows


def _worst(pieces: _Pieces, deviation: Array, foot: Array, position: Array, counted: NDArray[np.bool_], window: float) -> list[Place]:
    """Largest deviations, no two of them nearer than a window along the path."""
    left = np.where(counted, np.abs(deviation), -1.0)
    places: list[Place] = []
    while len(places) < WORST and left[k := int(np.argmax(left))] >= 0:
        at = (float(position[0, k]), float(position[1, k]))
        line = int(pieces.line[pieces.at(foot[k : k + 1])[0]])
        places.append(Place(line=line, deviation_m=float(deviation[k]), path_m=float(foot[k]), sample=k, at_m=at))
        left[np.abs(foot - foot[k]) < window] = -1.0
    return places


def _corners(
    pieces: _Pieces, command: Commanded, position: Array, deviation: Array, foot: Array, window: float, left_out: NDArray[np.bool_]
) -> list[Corner]:
    """Between motions of which neither is `left_out`."""
    order = np.maximum.accumulate(command.path_m)  # at rest the command may lie a rounding before where it was
    corners = []
    for joint in (int(k) + 1 for k in np.flatnonzero(np.diff(pieces.motion))):
        arriving, leaving = _heading(pieces, joint - 1, at_end=True), _heading(pieces, joint, at_end=False)
        turn = math.remainder(leaving - arriving, 2 * math.pi)
        s = float(pieces.along_m[joint])
        # no farther than the neighbouring pieces reach: beyond them is another corner
        before, after = (min(window, float(pieces.along_m[k + 1] - pieces.along_m[k])) for k in (joint - 1, joint))
        near = slice(int(np.searchsorted(order, s - before)), int(np.searchsorted(order, s + after, side="right")))
        if abs(turn) <= CORNER_RAD or near.stop - near.start < 2 or left_out[pieces.motion[joint - 1]] or left_out[pieces.motion[joint]]:
            continue
        outside = -math.copysign(1.0, turn) * deviation[near][np.abs(foot[near] - s) <= window]
        inward = np.array([math.cos(leaving) - math.cos(arriving), math.sin(leaving) - math.sin(arriving)])
        to_track = _nearest_on_track(position[:, near], pieces.point_m[:, joint])
        corners.append(
            Corner(
                line=int(pieces.line[joint - 1]),
                next_line=int(pieces.line[joint]),
                turn_rad=turn,
                at_m=(float(pieces.point_m[0, joint]), float(pieces.point_m[1, joint])),
                overshoot_m=max(0.0, float(outside.max(initial=0.0))),
                undershoot_m=float(np.hypot(*to_track)) if float(to_track @ inward) > 0 else 0.0,
            )
        )
    return corners


def _nearest_on_track(track: Array, point: Array) -> Array:
    """(2,) from the point to the nearest place of the line through the samples (2, n)."""
    begin, along = track[:, :-1] - point[:, None], np.diff(track, axis=1)
    squared = np.sum(along**2, axis=0)
    share = np.clip(-np.sum(begin * along, axis=0) / np.where(squared > 0, squared, 1.0), 0.0, 1.0)
    nearest = begin + share * along
    return np.asarray(nearest[:, int(np.argmin(np.sum(nearest**2, axis=0)))])


# ---- figures -------------------------------------------------------------------------------------------------------------------


def _figures(
    deviation: Array, counted: NDArray[np.bool_], rest: NDArray[np.bool_], end: NDArray[np.bool_], corners: Sequence[Corner], readings: Readings | None
) -> list[Figure]:
    """U: a distance to a path changes by no more than the position does. The bounded errors may be those of both axes at once, √2; the noise across the path is
    that of one axis. How the frame of the sensors lies on that of the program is left out."""
    e = deviation[counted]
    both = math.sqrt(2)
    u = readings and Readings(device=both * readings.device, noise=readings.noise, drift_range=both * readings.drift_range, resolution=both * readings.resolution)
    extreme = u.of_extreme(e.size) if u else None
    # |rms(e + g + v) − rms(e)| ≤ max|g| + rms(v), and rms(v) of n normal values exceeds σ(1 + 2/√(2n)) in 2.3 % of all cases
    rms_u = u.device + u.drift_range + u.resolution / 2 + u.noise * (1 + 2 / math.sqrt(2 * e.size)) if u else None
    figures = [
        figure("e_max", "largest contour error, magnitude", float(np.abs(e).max()), "m", extreme, symbol="|ε|_max"),
        figure("e_rms", "root mean square of the contour error", float(np.sqrt(np.mean(e**2))), "m", rms_u, symbol="ε_rms"),
        figure("e_mean", "mean contour error, positive to the left", float(e.mean()), "m", u.of_mean(e.size) if u else None, symbol="ε_mean"),
        figure("e_left", "most positive contour error", float(e.max()), "m", extreme, symbol="ε_left"),
        figure("e_right", "most negative contour error", float(e.min()), "m", extreme, symbol="ε_right"),
    ]
    for key, name, at, why in (
        ("e_rest", "largest contour error while the command stands", rest, "the command never stands"),
        ("e_end", "largest distance from an end of the path, beyond it", end, "no position lies beyond the ends of the path"),
    ):
        value: float | str = float(np.abs(deviation[at]).max()) if at.any() else why
        figures.append(figure(key, name, value, "m", u.of_extreme(int(at.sum())) if u and at.any() else None, symbol=key.replace("e_", "ε_")))
    for key in ("overshoot", "undershoot"):
        reached: float | str = max((getattr(corner, f"{key}_m") for corner in corners), default="the recording passes no corner")
        figures.append(figure(key, f"largest {key} at a corner", reached, "m", extreme))
    return figures
