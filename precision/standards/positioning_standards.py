"""The standards that a positioning test can be evaluated after: the name in a plan, the title in a report, and the formulas behind it.

GB/T 17421.2, JIS B 6190-2 and GOST ISO 230-2 are identical adoptions of an edition of ISO 230-2, GB 10931-89 and GOST 27843-88 follow the 1988 edition,
and ASME B5.54-2005 takes over the ISO quantities with k = 2: all from memory of the standards. Which edition an adoption took over decides its factor k
and its names; between 1997 and 2014 the formulas did not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .iso230_2 import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class PositioningStandard:
    """One name that `--standard` takes.

    edition : of ISO 230-2 whose formulas it uses; None is VDI/DGQ 3441. adopts : False for the ISO editions and VDI/DGQ 3441 themselves.
    remark : what a reader of the report must know about it, or "".
    """

    title: str
    edition: Edition | None
    adopts: bool = False
    remark: str = ""


def _adoption(title: str, edition: Edition, remark: str = "") -> PositioningStandard:
    said = f"{title} is evaluated as an adoption of ISO 230-2:{edition} (from memory of the standard)."
    return PositioningStandard(title=title, edition=edition, adopts=True, remark=f"{said} {remark}".strip())


_B5_54: Final = (
    "ASME B5.54 asks for more tests than positioning: environmental and spindle drift, periodic error, straightness, squareness, diagonals and ball bar."
)

STANDARDS: Final[Mapping[str, PositioningStandard]] = MappingProxyType({
    "iso230-2:2014": PositioningStandard(title="ISO 230-2:2014", edition="2014"),
    "iso230-2:2006": PositioningStandard(title="ISO 230-2:2006", edition="2006"),
    "iso230-2:1997": PositioningStandard(title="ISO 230-2:1997", edition="1997"),
    "iso230-2:1988": PositioningStandard(title="ISO 230-2:1988", edition="1988"),
    "vdi3441": PositioningStandard(title="VDI/DGQ 3441", edition=None),
    "gbt17421.2:2016": _adoption("GB/T 17421.2-2016", "2014"),
    "gbt17421.2:2000": _adoption("GB/T 17421.2-2000", "1997"),
    "gb10931:1989": _adoption("GB 10931-89", "1988"),
    "jisb6190-2:2016": _adoption("JIS B 6190-2:2016", "2014"),
    "jisb6190-2:2008": _adoption("JIS B 6190-2:2008", "2006"),
    "gost-iso230-2:2016": _adoption("GOST ISO 230-2-2016", "2014"),
    "gost27843:1988": _adoption("GOST 27843-88", "1988"),
    "asme-b5.54:2005": _adoption("ASME B5.54-2005", "1997", _B5_54),
})  # fmt: skip
"""Name -> standard. Not here: NMTBA 1972 and JIS B 6330, whose texts nobody had at hand."""

ORIGINALS: Final = tuple(name for name, standard in STANDARDS.items() if not standard.adopts)
"""The names with formulas of their own; the others repeat one of these."""


def adoptions(name: str) -> tuple[str, ...]:
    """Titles of the standards that give the same figures as the original `name`, number for number.

    >>> adoptions("iso230-2:2006")
    ('JIS B 6190-2:2008',)
    """
    original = STANDARDS[name]
    return tuple(other.title for other in STANDARDS.values() if other.adopts and other.edition == original.edition)
