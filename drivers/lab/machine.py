"""The machine as the controller moves it and as it really stands: commanded positions, and the tool point in the workpiece's frame.

The controller begins an activity (motion, dwell, homing), learns what it will last in the lab, and completes it, or holds it on the way; only then
does lab time move. All lengths in machine coordinates, m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from precision.units import REFERENCE_TEMPERATURE_K

from .axis import Axis
from .clock import NS_PER_S, LabClock, nanoseconds
from .kinematics import Directions, Vector, tool_point
from .motion import Trapezoid
from .parameters import AXES, Parameters
from .servo import STILL, Settling
from .workshop import Workshop

_NODES = 16
"""Moments at which a window that reaches back into a motion is sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriage:
    """One axis as its last motion left it."""

    commanded_m: float
    load_m: float
    """Where the play leaves the carriage, before lead error, growth and what still settles."""
    direction: int
    """Of the last motion: +1, −1; 0 before the first."""
    zero_m: float
    """Where referencing put the machine's zero."""
    scatter_m: float
    settling: Settling
    screw_rise_k: float
    """Screw above its surroundings at `rise_ns`."""
    rise_ns: int


Carriages = tuple[Carriage, Carriage, Carriage]
"""X, Y, Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """Part of a circle in the plane of two axes (0 X, 1 Y, 2 Z); positive from the first to the second."""

    axes: tuple[int, int]
    centre_m: tuple[float, float]
    radius_m: float
    start_rad: float
    sweep_rad: float

    def turning_rad(self, index: int, share: float = 1.0) -> list[float]:
        """Angles on the first `share` of the way, in their order, at which an axis turns round."""
        offset = 0.0 if index == self.axes[0] else math.pi / 2
        begin, end = self.start_rad - offset, self.start_rad + share * self.sweep_rad - offset
        low, high = min(begin, end), max(begin, end)
        angles = [offset + k * math.pi for k in range(math.ceil(low / math.pi), math.floor(high / math.pi) + 1)]
        return angles if self.sweep_rad > 0 else angles[::-1]

    def at_m(self, index: int, angle_rad: float) -> float:
        """Position of one of the two axes."""
        first = index == self.axes[0]
        return self.centre_m[0 if first else 1] + self.radius_m * (math.cos(angle_rad) if first else math.sin(angle_rad))


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What the controller has begun: a straight motion, an arc, a dwell (no way), or homing."""

    start_ns: int
    duration_ns: int
    start_m: Vector
    end_m: Vector
    profile: Trapezoid
    homes: bool = False
    arc: Arc | None = None

    def share(self, t_ns: int) -> float:
        """How much of the way is behind at lab time `t_ns`, 0 … 1."""
        if self.profile.distance_m == 0:
            return 1.0 if t_ns >= self.start_ns + self.duration_ns else 0.0
        return min(1.0, self.profile.travelled_m((t_ns - self.start_ns) / NS_PER_S) / self.profile.distance_m)

    def way_m(self, index: int, t_ns: int) -> list[float]:
        """Where axis `index` turned round until lab time `t_ns`, and where it then is; it goes straight from each to the next."""
        arc = self.arc
        turns = [] if arc is None or index not in arc.axes else [arc.at_m(index, angle) for angle in arc.turning_rad(index, self.share(t_ns))]
        return [*turns, self.position_m(t_ns)[index]]

    def position_m(self, t_ns: int) -> Vector:
        """Commanded position at lab time `t_ns`: the start before, the end after."""
        if t_ns >= self.start_ns + self.duration_ns:
            return self.end_m
        if self.profile.distance_m == 0:
            return self.start_m
        share = self.share(t_ns)
        if self.arc is not None:
            at = list(self.start_m)
            for index in self.arc.axes:
                at[index] = self.arc.at_m(index, self.arc.start_rad + share * self.arc.sweep_rad)
            return (at[0], at[1], at[2])
        x, y, z = (a + share * (b - a) for a, b in zip(self.start_m, self.end_m, strict=True))
        return (x, y, z)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """All that decides where the tool point is, at the end of an averaging window."""

    carriages: tuple[Carriage, Carriage, Carriage]
    settled_m: Vector
    """What is left to settle, per axis."""
    t_ns: int


class Machine:
    """Mechanics of the lab: what a controller's simulator moves, and what the interferometer looks at."""

    def __init__(self, parameters: Parameters, seed: int, clock: LabClock, workshop: Workshop) -> None:
        self.parameters = parameters
        self._clock, self._workshop = clock, workshop
        self.axes = tuple(Axis(name, axis, seed) for name, axis in zip(AXES, parameters.axes, strict=True))
        self.directions = Directions.from_squareness(
            c0y_rad=parameters.squareness_c0y_rad, b0z_rad=parameters.squareness_b0z_rad, a0z_rad=parameters.squareness_a0z_rad)
        # Switched on in the middle of every axis: nobody knows where until it has been referenced.
        middles = [0.5 * (axis.lowest_m + axis.highest_m) for axis in parameters.axes]
        x, y, z = (Carriage(commanded_m=m, load_m=m, direction=0, zero_m=0.0, scatter_m=0.0, settling=STILL, screw_rise_k=0.0, rise_ns=0) for m in middles)
        self._carriages: tuple[Carriage, Carriage, Carriage] = (x, y, z)
        self._before = self._carriages
        self._last: Activity | None = None
        """The last motion that ended; a window may reach back into it."""
        self._activity: Activity | None = None
        self._fraction = 0.0
        self.listeners: list[Callable[[Activity, Carriages], None]] = []
        """Told of each activity when it is over, with the carriages as they were before it: instruments that sample while the machine moves."""

    # What the controller does.

    def begin_move(self, target_steps_m: Mapping[str, float], feed_m_per_s: float) -> float:
        """Start straight towards `target_steps_m` (rounded to whole steps; axes that are missing stay); returns the lab duration in s.

        The speed is the feed, or less where an axis cannot follow. Raises ValueError for an unknown axis, a feed that is not positive, or a number
        that is not finite; RuntimeError while another activity is under way.
        """
        unknown = set(target_steps_m) - set(AXES)
        if unknown or not all(math.isfinite(value) for value in target_steps_m.values()):
            raise ValueError(f"target_steps_m is {dict(target_steps_m)!r}; expected finite positions in m for some of {', '.join(AXES)}")
        if not (math.isfinite(feed_m_per_s) and feed_m_per_s > 0):
            raise ValueError(f"feed_m_per_s is {feed_m_per_s!r}; expected a positive number of m/s")
        start = self._commanded()
        x, y, z = (self._on_step(target_steps_m.get(name, now)) for name, now in zip(AXES, start, strict=True))
        end = (x, y, z)
        distance = math.dist(start, end)
        feed, acceleration = feed_m_per_s, math.inf
        for axis, a, b in zip(self.parameters.axes, start, end, strict=True):
            if a != b:
                share = abs(b - a) / distance
                feed = min(feed, axis.max_feed_m_per_s / share)
                acceleration = min(acceleration, axis.acceleration_m_per_s2 / share)
        profile = Trapezoid.over(distance, feed_m_per_s=feed, acceleration_m_per_s2=acceleration)
        return self._begin(end, profile, profile.duration_s)

    def begin_arc(self, axes: tuple[str, str], centre_m: tuple[float, float], sweep_rad: float, feed_m_per_s: float) -> float:
        """Start along an arc about `centre_m` in the plane of two axes, positive from the first to the second; returns the lab duration in s.

        The speed is the feed, or less where an axis cannot follow or centripetal acceleration is beyond the slower axis. Raises as `begin_move`.
        """
        if not set(axes) <= set(AXES) or axes[0] == axes[1] or not all(math.isfinite(value) for value in (*centre_m, sweep_rad)):
            raise ValueError(f"an arc of {axes!r} about {centre_m!r} by {sweep_rad!r}; two axes of {', '.join(AXES)} and finite numbers are expected")
        if not (math.isfinite(feed_m_per_s) and feed_m_per_s > 0):
            raise ValueError(f"feed_m_per_s is {feed_m_per_s!r}; expected a positive number of m/s")
        start, plane = self._commanded(), (AXES.index(axes[0]), AXES.index(axes[1]))
        first, second = (start[index] - centre for index, centre in zip(plane, centre_m, strict=True))
        arc = Arc(axes=plane, centre_m=centre_m, radius_m=math.hypot(first, second), start_rad=math.atan2(second, first), sweep_rad=sweep_rad)
        acceleration = min(self.parameters.axes[index].acceleration_m_per_s2 for index in plane)
        feed = min(feed_m_per_s, math.sqrt(acceleration * arc.radius_m), *(self.parameters.axes[index].max_feed_m_per_s for index in plane))
        profile = Trapezoid.over(arc.radius_m * abs(sweep_rad), feed_m_per_s=feed, acceleration_m_per_s2=acceleration)
        end = list(start)
        for index in plane:
            end[index] = self._on_step(arc.at_m(index, arc.start_rad + sweep_rad))
        return self._begin((end[0], end[1], end[2]), profile, profile.duration_s, arc=arc)

    def begin_dwell(self, duration_s: float) -> float:
        """Stand still for `duration_s` ≥ 0; returns it."""
        if not (math.isfinite(duration_s) and duration_s >= 0):
            raise ValueError(f"duration_s is {duration_s!r}; expected 0 s or more")
        return self._begin(self._commanded(), Trapezoid.over(0.0, feed_m_per_s=1.0, acceleration_m_per_s2=1.0), duration_s)

    def home(self) -> float:
        """Start referencing all axes: onto the switch beyond the end of travel, and off it to zero; returns the lab duration in s."""
        start = self._commanded()
        x, y, z = (axis.home_m for axis in self.parameters.axes)
        end = (x, y, z)
        slowest = min(self.parameters.axes, key=lambda axis: axis.homing_feed_m_per_s)
        profile = Trapezoid.over(math.dist(start, end), feed_m_per_s=slowest.homing_feed_m_per_s, acceleration_m_per_s2=slowest.acceleration_m_per_s2)
        # Three switch approaches (seek, back off, find again) last about a second each.
        return self._begin(end, profile, profile.duration_s + 3.0, homes=True)

    def commanded_position(self, fraction: float) -> Mapping[str, float]:
        """Commanded position after `fraction` (0 … 1) of the activity's duration; where it stands if there is none.

        Until the activity is completed or held, instruments see the machine at the fraction last asked for here.
        """
        if self._activity is None:
            return dict(zip(AXES, self._commanded(), strict=True))
        self._fraction = min(1.0, max(0.0, fraction))
        return dict(zip(AXES, self._activity.position_m(self.now_ns), strict=True))

    def hold(self, fraction: float) -> None:
        """Feed hold: what is under way ends after `fraction` (0 … 1) of its duration, and the machine stands at the step nearest to where it was."""
        activity = self._activity
        if activity is None:
            return
        duration_ns = round(min(1.0, max(0.0, fraction)) * activity.duration_ns)
        way_m = activity.profile.travelled_m(duration_ns / NS_PER_S)
        x, y, z = (self._on_step(at) for at in activity.position_m(activity.start_ns + duration_ns))
        arc = activity.arc
        if arc is not None and activity.profile.distance_m > 0:
            arc = replace(arc, sweep_rad=arc.sweep_rad * way_m / activity.profile.distance_m)
        # An interrupted search for the switches references nothing.
        self._finish(replace(activity, end_m=(x, y, z), duration_ns=duration_ns, homes=False, profile=replace(activity.profile, distance_m=way_m), arc=arc))

    def complete(self) -> None:
        """The activity is over: lab time has advanced by its duration and the machine stands at its end."""
        if self._activity is not None:
            self._finish(self._activity)

    # What is true.

    @property
    def moving(self) -> bool:
        """Whether an activity with a way to go is under way (a dwell stands still)."""
        return self._activity is not None and self._activity.profile.distance_m > 0

    @property
    def activity_s(self) -> float:
        """Lab duration of what is under way; 0 if nothing is."""
        return 0.0 if self._activity is None else self._activity.duration_ns / NS_PER_S

    @property
    def busy(self) -> bool:
        """Whether a motion, dwell or homing is under way."""
        return self._activity is not None

    @property
    def now_ns(self) -> int:
        """Lab time now; within an activity, at the fraction last asked for."""
        if self._activity is None:
            return self._clock.now_ns
        return self._clock.now_ns + round(self._fraction * self._activity.duration_ns)

    @property
    def carriages(self) -> tuple[Carriage, Carriage, Carriage]:
        """X, Y, Z as their last motion left them."""
        return self._carriages

    def stops(self, window_s: float) -> list[Stop]:
        """The state over the averaging window that ends now: one stop if it stood still throughout (settling averaged in closed form), else samples."""
        now = self.now_ns
        window_ns = nanoseconds(window_s)
        if self.moving:
            activity = self._activity
            assert activity is not None
            return [self._under_way(activity, self._carriages, max(activity.start_ns, t)) for t in _nodes(now, window_ns)]
        last = self._last
        arrived_ns = 0 if last is None else last.start_ns + last.duration_ns
        if last is None or now - window_ns >= arrived_ns:
            return [self._standing(now - window_ns, now)]
        return [self._standing(t, t) if t >= arrived_ns else self._under_way(last, self._before, max(last.start_ns, t)) for t in _nodes(now, window_ns)]

    def point_m(self, stop: Stop, tool_m: Vector, *, at_reference: bool = False) -> Vector:
        """Where a point that the tool carries is in the workpiece's frame; with `at_reference`, had all been at 20 °C and the structure still."""
        p = self.parameters
        errors, positions = [], []
        for axis, carriage, settled_m in zip(self.axes, stop.carriages, stop.settled_m, strict=True):
            position = carriage.load_m
            along = axis.lead_error_m(position) + carriage.zero_m + carriage.scatter_m + settled_m
            if not at_reference:
                along += axis.growth_m(position, self.screw_temperature_k(axis, carriage, stop.t_ns) - REFERENCE_TEMPERATURE_K, p.expansion_per_k)
            errors.append(axis.guideway(position, along))
            positions.append(position)
        x, y, z = tool_point((positions[0], positions[1], positions[2]), (errors[0], errors[1], errors[2]), tool_m, self.directions)
        if at_reference:
            return (x, y, z)
        dx, dy, dz = self._workshop.structure_m(stop.t_ns)
        return (x + dx, y + dy, z + dz)

    def screw_temperature_k(self, axis: Axis, carriage: Carriage, t_ns: int) -> float:
        """Mean temperature of the screw: the machine's, and what motion left in it."""
        return self._workshop.machine_temperature_k(t_ns) + carriage.screw_rise_k * _decay(axis, t_ns - carriage.rise_ns)

    def _commanded(self) -> Vector:
        x, y, z = (carriage.commanded_m for carriage in self._carriages)
        return (x, y, z)

    def _on_step(self, position_m: float) -> float:
        return round(position_m / self.parameters.step_m) * self.parameters.step_m

    def _begin(self, end: Vector, profile: Trapezoid, duration_s: float, *, homes: bool = False, arc: Arc | None = None) -> float:
        if self._activity is not None:
            raise RuntimeError("the machine is still busy with the activity before; complete or hold it first")
        self._activity = Activity(start_ns=self._clock.now_ns, duration_ns=nanoseconds(duration_s), start_m=self._commanded(), end_m=end,
                                  profile=profile, homes=homes, arc=arc)
        self._fraction = 0.0
        return duration_s

    def _finish(self, activity: Activity) -> None:
        end_ns = self._clock.advance_ns(activity.duration_ns)
        before = self._carriages
        if activity.profile.distance_m > 0 or activity.homes:
            self._before, self._last = self._carriages, activity
            x, y, z = (self._arrived(index, activity, end_ns) for index in range(3))
            self._carriages = (x, y, z)
        self._activity, self._fraction = None, 0.0
        for listener in self.listeners:
            listener(activity, before)

    def _arrived(self, index: int, activity: Activity, end_ns: int) -> Carriage:
        axis, carriage = self.axes[index], self._carriages[index]
        start, end = activity.start_m[index], activity.end_m[index]
        way = [start, *activity.way_m(index, end_ns)]
        # The last step of an arc may be a rounding of nothing; the direction is that of the last way.
        pieces = [b - a for a, b in pairwise(way) if abs(b - a) > (0.0 if activity.arc is None else self.parameters.step_m)]
        direction = (pieces[-1] > 0) - (pieces[-1] < 0) if pieces else 0
        # Friction warms the screw in proportion to the mean speed; between motions it cools towards its surroundings.
        speed = math.fsum(map(abs, pieces)) * NS_PER_S / activity.duration_ns if activity.duration_ns else 0.0
        kept = _decay(axis, activity.duration_ns)
        rise = carriage.screw_rise_k * _decay(axis, end_ns - carriage.rise_ns) + axis.parameters.screw_heating_k_s_per_m * speed * (1 - kept)
        if activity.homes:
            # The play is taken up by the way off the switch.
            off = -1 if axis.parameters.homes_upwards else 1
            load = axis.carried(axis.carried(carriage.load_m, end - off * self.parameters.home_pull_off_m), end)
            return replace(carriage, commanded_m=end, load_m=load, direction=off, zero_m=axis.home_scatter_m(end_ns), scatter_m=axis.scatter_m(end_ns),
                           settling=axis.settling(off, axis.parameters.homing_feed_m_per_s), screw_rise_k=rise, rise_ns=end_ns)
        if direction == 0:
            return replace(carriage, screw_rise_k=rise, rise_ns=end_ns, settling=STILL)
        share = min(1.0, math.fsum(map(abs, pieces)) / activity.profile.distance_m) if activity.profile.distance_m else 0.0
        return replace(carriage, commanded_m=end, load_m=_carried(axis, carriage.load_m, way[1:]), direction=direction, scatter_m=axis.scatter_m(end_ns),
                       settling=axis.settling(direction, share * activity.profile.peak_m_per_s), screw_rise_k=rise, rise_ns=end_ns)

    def _standing(self, start_ns: int, end_ns: int) -> Stop:
        arrived_ns = 0 if self._last is None else self._last.start_ns + self._last.duration_ns
        x, y, z = (c.settling.mean_m((start_ns - arrived_ns) / NS_PER_S, (end_ns - arrived_ns) / NS_PER_S) for c in self._carriages)
        return Stop(carriages=self._carriages, settled_m=(x, y, z), t_ns=end_ns)

    def _under_way(self, activity: Activity, before: tuple[Carriage, Carriage, Carriage], t_ns: int) -> Stop:
        position = activity.position_m(t_ns)
        x, y, z = (
            replace(carriage, commanded_m=at, load_m=_carried(axis, carriage.load_m, activity.way_m(index, t_ns)))
            for index, (axis, carriage, at) in enumerate(zip(self.axes, before, position, strict=True))
        )
        return Stop(carriages=(x, y, z), settled_m=(0.0, 0.0, 0.0), t_ns=t_ns)


def _carried(axis: Axis, load_m: float, way_m: Sequence[float]) -> float:
    """Where the carriage ends after the screw went from place to place."""
    for at in way_m:
        load_m = axis.carried(load_m, at)
    return load_m


def _nodes(end_ns: int, window_ns: int) -> list[int]:
    """Midpoints of equal parts of the window that ends at `end_ns`."""
    if window_ns == 0:
        return [end_ns]
    return [end_ns - round(window_ns * (k + 0.5) / _NODES) for k in range(_NODES)]


def _decay(axis: Axis, duration_ns: int) -> float:
    return math.exp(-duration_ns / NS_PER_S / axis.parameters.screw_time_constant_s)
