"""A table of samples that a simulated controller is handed by control lines: `clear`, `add BASE64` (float64, little endian). Refused beyond its
limit or its memory."""

from __future__ import annotations

import base64
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LONGEST: Final = 1_000_000


class Waveform:
    """name : first word of its control lines.  limit : largest magnitude, in `unit`.  values : (n,) so far."""

    def __init__(self, name: str, limit: float, unit: str) -> None:
        self.name, self.limit, self.unit = name, limit, unit
        self.values: Array = np.zeros(0)

    def change(self, rest: str) -> dict[str, Any]:
        """Do what a control line says after its name; answers as `held`.

        Raises
        ------
        ValueError      another word, no base64 of float64, a sample beyond the limit, more than the memory holds
        """
        word, _, text = rest.partition(" ")
        if word == "clear":
            self.values = np.zeros(0)
        elif word == "add":
            self.values = np.concatenate([self.values, self._decoded(text)])
        else:
            raise ValueError(f"{self.name}: clear or add BASE64 is expected")
        return self.held()

    def held(self) -> dict[str, Any]:
        """How many samples there are, and the largest magnitude."""
        return {"samples": int(self.values.size), "peak": float(np.abs(self.values).max(initial=0.0))}

    def _decoded(self, text: str) -> Array:
        try:
            raw = base64.b64decode(text, validate=True)
        except ValueError:
            raise ValueError(f"{self.name} add: base64 of float64 samples is expected") from None
        if not raw or len(raw) % 8:
            raise ValueError(f"{self.name} add: {len(raw)} bytes; whole float64 samples are expected")
        part = np.frombuffer(raw, dtype="<f8")
        if not np.all(np.abs(part) <= self.limit):
            raise ValueError(f"{self.name} add: a sample of {np.nanmax(np.abs(part)):g} is beyond the limit of {self.limit:g} {self.unit}".rstrip())
        if self.values.size + part.size > LONGEST:
            raise ValueError(f"{self.name} add: the memory holds {LONGEST} samples")
        return np.asarray(part, dtype=np.float64)
