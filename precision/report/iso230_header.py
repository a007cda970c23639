"""What a positioning report under ISO 230-2 must tell about the test: each field is filled, or printed as "not recorded".

The list is from memory of ISO 230-2:2014, clauses 7 and 8, and of what acceptance laboratories expect; check it against the standard before
claiming conformity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .document import HeaderGroup

FIELDS: Final[dict[str, dict[str, str]]] = {
    "Test": {
        "standard": "Standard and edition",
        "date": "Date",
        "operator": "Operator",
        "site": "Site",
        "cycle": "Test cycle",
        "targets": "Targets",
        "runs": "Runs in each direction",
        "feed": "Feed",
        "dwell": "Dwell at each target",
        "warm_up": "Warm-up",
    },
    "Machine": {
        "machine": "Machine",
        "serial": "Serial number",
        "axis": "Axis under test",
        "travel": "Travel",
        "chain": "Kinematic chain",
        "other_axes": "Position of the other axes",
        "offset": "Offset to tool and workpiece",
        "scale": "Feedback device",
        "compensations": "Compensations active",
    },
    "Instrument": {
        "instrument": "Measuring instrument",
        "instrument_serial": "Serial numbers",
        "certificate": "Certificate and date",
        "sensor_positions": "Sensor positions",
    },
    "Environment": {
        "temperature_start": "Machine and air, start",
        "temperature_end": "Machine and air, end",
        "pressure": "Air pressure",
        "humidity": "Relative humidity",
        "expansion": "Expansion coefficient",
        "nde": "Corrected to 20 °C",
    },
}
"""Group -> key -> label."""


def header(fields: Mapping[str, str | None]) -> tuple[HeaderGroup, ...]:
    """The header groups, filled from `fields` (keys of `FIELDS`); what is missing, None or blank stays "not recorded".

    Raises
    ------
    ValueError      a key that is no field: what somebody recorded must not get lost
    """
    known = {key for group in FIELDS.values() for key in group}
    if set(fields) - known:
        raise ValueError(f"header field {', '.join(sorted(set(fields) - known))} is not known; known are {', '.join(sorted(known))}")

    def value(key: str) -> str | None:
        text = fields.get(key)
        return text if text and text.strip() else None

    return tuple(HeaderGroup(title=title, rows=[(label, value(key)) for key, label in group.items()]) for title, group in FIELDS.items())
