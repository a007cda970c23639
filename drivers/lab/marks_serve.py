"""`python -m precision.drivers.lab.marks_serve BENCH RECIPE`: instruments that find marks, as frames on 127.0.0.1, one row a mark.

    overlay   an overlay tool with a lot of wafers; RECIPE is JSON: wafers, fields [[X, Y], ...], marks [[x, y], ...], m, meander (scan
    directions alternate) plate     an XY stage with a plate of marks; RECIPE: places, pitch_m, repeats, views [[turns, shift x, shift y], ...]

Frames hold no NaN: a reading that was not found is 0 with its `found` channel at 0. The first line on standard output is JSON, {"stream":
address, "truth": {...}}; the process leaves when its standard input ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.codec import Header
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel as Quantity

from . import serving
from .plate_stage import PlateStage
from .wafers import Lot

Array = NDArray[np.float64]
MOST_ROWS: Final = 5_000_000


class OverlayBench:
    """An overlay tool; wafer after wafer, field after field."""

    header = Header(
        identity="virtual overlay tool, image based",
        rate_hz=2.0,
        simulated=True,
        channels=(
            Quantity("wafer", ""),
            Quantity("field", ""),
            Quantity("field_x", "m"),
            Quantity("field_y", "m"),
            Quantity("mark_x", "m"),
            Quantity("mark_y", "m"),
            Quantity("scan_up", ""),
            Quantity("dx", "m"),
            Quantity("dy", "m"),
            Quantity("found_x", ""),
            Quantity("found_y", ""),
        ),
    )

    def __init__(self, seed: int, recipe: Mapping[str, Any]) -> None:
        fields, marks = (np.array(recipe[name], dtype=np.float64).reshape(-1, 2) for name in ("fields", "marks"))
        self.wafers = int(recipe["wafers"])
        self.centre = np.repeat(fields, marks.shape[0], axis=0)
        self.inside = np.tile(marks, (fields.shape[0], 1))
        self.field = np.repeat(np.arange(fields.shape[0]), marks.shape[0])
        self.up = self.field % 2 == 0 if recipe.get("meander", True) else np.ones(self.field.size, dtype=bool)
        self.per_wafer = self.field.size
        self.total = self.wafers * self.per_wafer
        self.lot = Lot.drawn(seed)
        self._made: dict[int, Array] = {}

    def rows(self, first: int, count: int) -> Array:
        """Marks number `first` on, counted through all wafers."""
        parts = []
        for wafer in range(first // self.per_wafer, (first + count - 1) // self.per_wafer + 1):
            start = wafer * self.per_wafer
            parts.append(self._wafer(wafer)[max(0, first - start) : first + count - start])
        return np.concatenate(parts)

    def _wafer(self, wafer: int) -> Array:
        if wafer not in self._made:
            overlay, found = self.lot.measured(wafer, self.centre, self.inside, self.field, self.up)
            number = np.full(self.per_wafer, float(wafer))
            rows = np.column_stack([number, self.field, self.centre, self.inside, self.up, np.where(found, overlay, 0.0), found])
            self._made = {wafer: rows.astype(np.float64)}
        return self._made[wafer]

    def truth(self) -> dict[str, Any]:
        """Published: what the lot holds."""
        return self.lot.truth(self.wafers, self.per_wafer)


class PlateBench:
    """A stage that goes to every place of every view, so often as the recipe says."""

    header = Header(
        identity="virtual XY stage with microscope, 10 mm travel",
        rate_hz=1.0,
        simulated=True,
        channels=(
            Quantity("view", ""),
            Quantity("repeat", ""),
            Quantity("column", ""),
            Quantity("row", ""),
            Quantity("dx", "m"),
            Quantity("dy", "m"),
            Quantity("found", ""),
        ),
    )

    def __init__(self, seed: int, recipe: Mapping[str, Any]) -> None:
        self.n, self.pitch, self.repeats = int(recipe["places"]), float(recipe["pitch_m"]), int(recipe["repeats"])
        self.views = [tuple(int(part) for part in view) for view in recipe["views"]]
        self.stage = PlateStage.drawn(seed)
        self.total = len(self.views) * self.repeats * self.n * self.n

    def rows(self, first: int, count: int) -> Array:
        """Places number `first` on, counted through all repeats and views."""
        size = self.n * self.n
        parts = []
        for part in range(first // size, (first + count - 1) // size + 1):
            view, repeat = divmod(part, self.repeats)
            turns, *shift = self.views[view]
            reading = self.stage.readings(view, turns, shift, self.n, self.pitch, repeat)
            found: NDArray[np.bool_] = np.asarray(np.isfinite(reading).all(axis=1))
            place = np.arange(size)
            whole = np.column_stack(
                [np.full(size, view), np.full(size, repeat), place % self.n, place // self.n, np.where(found[:, None], reading, 0.0), found]
            )
            start = part * size
            parts.append(whole[max(0, first - start) : first + count - start])
        return np.concatenate(parts).astype(np.float64)

    def truth(self) -> dict[str, Any]:
        """Published: what stage and plate hold."""
        return self.stage.truth(self.n, self.pitch, len(self.views))


BENCHES: Final[Mapping[str, type[OverlayBench] | type[PlateBench]]] = {"overlay": OverlayBench, "plate": PlateBench}


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("marks_serve", "Instruments that find marks, on 127.0.0.1.")
    parser.add_argument("bench", choices=tuple(BENCHES))
    parser.add_argument("recipe", help="JSON")
    arguments = parser.parse_args(argv)
    try:
        bench = BENCHES[arguments.bench](arguments.seed, json.loads(arguments.recipe))
    except (KeyError, TypeError, ValueError) as wrong:
        parser.error(f"the recipe is not what this bench reads: {wrong!r}")
    if not 0 < bench.total <= MOST_ROWS:
        parser.error(f"the recipe asks for {bench.total} marks; expected 1 to {MOST_ROWS}")
    return serving.serve(
        lambda: FrameSimulator(bench.header, bench.rows, total=bench.total, time_scale=arguments.time_scale, frame_s=200.0), bench.truth(), port=arguments.port
    )


if __name__ == "__main__":
    raise SystemExit(main())
