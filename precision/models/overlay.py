"""Overlay models: terms that move marks on a wafer, linear in their coefficients.

Overlay (dx, dy) is the second layer's mark minus the first layer's, in m. X, Y are wafer (inter-field) coordinates, x, y field (intra-field) ones.

    6 parameters     dx = Tx + Mx·X − Rx·Y              dy = Ty + My·Y + Ry·X
    10 parameters    + mx·x − rx·y                      + my·y + ry·x
    8 parameters     + m·x − r·y                        + m·y + r·x         (a stepper's field: no asymmetry)
    4, 3, 2          Tx, Ty, M, R;  Tx, Ty, R;  Tx, Ty
    k1 … k20         dx = k1 + k3 X + k5 Y + k7 X² + k9 XY + k11 Y² + k13 X³ + k15 X²Y + k17 XY² + k19 Y³
                     dy = k2 + k4 Y + k6 X + k8 Y² + k10 XY + k12 X² + k14 Y³ + k16 XY² + k18 X²Y + k20 X³
    Zernike          dx or dy = Z_n^m(ρ, θ), ρ = r/R, amplitude 1 at the edge (no normalising factor)

The ordering of k1 … k10 is confirmed by an independent program, that of k11 … k20 is from memory. There is no translation of the field: it
is the same as Tx, Ty. Whether inter-field terms take the field's centre or the mark itself is `Coordinates`; tools differ, and so do the
coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from .overlay_marks import OverlayMarks

Array = NDArray[np.float64]
Polynomial = tuple[tuple[float, int, int], ...]
"""Sum of c·x^a·y^b: (c, a, b) each."""
Level = Literal["wafer", "field"]


class Coordinates(Enum):
    """Coordinates of the inter-field terms."""

    FIELD_CENTRE = "inter-field terms take the centre of the field, (X, Y)"
    MARK = "inter-field terms take the mark itself, (X + x, Y + y)"


class Sign(Enum):
    """What a positive overlay means. A scanner is given the correction: what moves the second layer back onto the first."""

    SECOND_MINUS_FIRST = "overlay is the second layer's mark minus the first layer's; the correction is minus the coefficient"
    FIRST_MINUS_SECOND = "overlay is the first layer's mark minus the second layer's; the correction is the coefficient"

    @property
    def correction(self) -> float:
        """Factor from coefficient to correction of the second layer."""
        return -1.0 if self is Sign.SECOND_MINUS_FIRST else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term: the overlay (dx, dy) for a coefficient of 1.

    key, symbol, name : for files, tables and people. unit : SI unit of the coefficient ("m", "" for a magnification, "rad", "1/m", "1/m²").
    level : whether its polynomials take wafer or field coordinates.
    """

    key: str
    symbol: str
    name: str
    unit: str
    level: Level
    dx: Polynomial = ()
    dy: Polynomial = ()

    def at(self, x_m: Array, y_m: Array) -> tuple[Array, Array]:
        """(dx, dy) at coordinates of the term's level, shaped as they are."""
        return _value(self.dx, x_m, y_m), _value(self.dy, x_m, y_m)


def _value(polynomial: Polynomial, x: Array, y: Array) -> Array:
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for factor, a, b in polynomial:
        total = total + factor * x**a * y**b
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayModel:
    """Some terms together, and the coordinates that they take. `name` is printed in results."""

    name: str
    terms: tuple[Term, ...]
    coordinates: Coordinates = Coordinates.FIELD_CENTRE

    def __post_init__(self) -> None:
        twice = {key for key in self.keys if self.keys.count(key) > 1}
        if twice or not self.terms:
            raise ValueError(
                f"model {self.name!r}: {'term ' + ', '.join(sorted(twice)) + ' stands there twice' if twice else 'no term'}; expected different terms"
            )

    @property
    def keys(self) -> tuple[str, ...]:
        """The terms' keys, in order."""
        return tuple(term.key for term in self.terms)

    def design(self, marks: OverlayMarks) -> Array:
        """(2n, p) float64: value of each term at each mark, the n rows of dx above the n rows of dy."""
        wafer = marks.position_m if self.coordinates is Coordinates.MARK else marks.field_centre_m
        at = {"wafer": wafer, "field": marks.in_field_m}
        return np.stack([np.concatenate(term.at(at[term.level][:, 0], at[term.level][:, 1])) for term in self.terms], axis=-1)

    def overlay(self, marks: OverlayMarks, coefficients: Array) -> Array:
        """(n, 2) float64, m: the overlay that coefficients (p,), SI, make at the marks."""
        return (self.design(marks) @ coefficients).reshape(2, marks.count).T

    def only(self, *keys: str) -> OverlayModel:
        """The model with these terms alone. ValueError for a key that it has not."""
        self._check(keys)
        return replace(self, name=f"{self.name}, only {', '.join(keys)}", terms=tuple(term for term in self.terms if term.key in keys))

    def without(self, *keys: str) -> OverlayModel:
        """The model less these terms, as a scanner that cannot make them. ValueError for a key that it has not."""
        self._check(keys)
        if not keys:
            return self
        return replace(
            self, name=f"{self.name} without {', '.join(keys)}", terms=tuple(term for term in self.terms if term.key not in keys)
        )

    def with_terms(self, terms: Iterable[Term], name: str) -> OverlayModel:
        """The model and further terms, those that it has already left out, under a new name."""
        return replace(self, name=name, terms=(*self.terms, *(term for term in terms if term.key not in self.keys)))

    def of_component(self, component: Literal["x", "y"]) -> OverlayModel:
        """The terms that move marks in x, or in y: for layouts of which only that component was read."""
        kept = tuple(term for term in self.terms if (term.dx if component == "x" else term.dy))
        return replace(self, name=f"{self.name}, d{component} only", terms=kept)

    def absolute(self) -> OverlayModel:
        """The model with inter-field terms that take the mark itself."""
        return replace(self, coordinates=Coordinates.MARK)

    def _check(self, keys: Iterable[str]) -> None:
        unknown = [key for key in keys if key not in self.keys]
        if unknown:
            raise ValueError(f"model {self.name!r} has no term {', '.join(unknown)}; it has {', '.join(self.keys)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"name": self.name, "terms": list(self.keys), "coordinates": self.coordinates.value}


TX: Final = Term(key="Tx", symbol="Tx", name="translation in x", unit="m", level="wafer", dx=((1, 0, 0),))
TY: Final = Term(key="Ty", symbol="Ty", name="translation in y", unit="m", level="wafer", dy=((1, 0, 0),))


def _linear(level: Level, letter: str) -> tuple[Term, Term, Term, Term]:
    """Magnifications and rotations of each axis: Mx, My, Rx, Ry of the wafer, mx, my, rx, ry of the field."""
    m, r = ("M", "R") if letter == "upper" else ("m", "r")
    return (
        Term(key=f"{m}x", symbol=f"{m}x", name=f"{level} magnification in x", unit="", level=level, dx=((1, 1, 0),)),
        Term(key=f"{m}y", symbol=f"{m}y", name=f"{level} magnification in y", unit="", level=level, dy=((1, 0, 1),)),
        Term(key=f"{r}x", symbol=f"{r}x", name=f"{level} rotation, from dx = −{r}x·y", unit="rad", level=level, dx=((-1, 0, 1),)),
        Term(key=f"{r}y", symbol=f"{r}y", name=f"{level} rotation, from dy = {r}y·x", unit="rad", level=level, dy=((1, 1, 0),)),
    )


WAFER_LINEAR: Final = _linear("wafer", "upper")
FIELD_LINEAR: Final = _linear("field", "lower")


def _similarity(level: Level, m: str, r: str) -> tuple[Term, Term]:
    return (
        Term(key=m, symbol=m, name=f"{level} magnification, the same in x and y", unit="", level=level, dx=((1, 1, 0),), dy=((1, 0, 1),)),
        Term(key=r, symbol=r, name=f"{level} rotation of both axes", unit="rad", level=level, dx=((-1, 0, 1),), dy=((1, 1, 0),)),
    )


M, R = _similarity("wafer", "M", "R")
FIELD_M, FIELD_R = _similarity("field", "m", "r")

_K_POWERS: Final = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
"""Powers of X, Y in k1, k3, … k19; of Y, X in k2, k4, … k20."""
_K_UNITS: Final = ("m", "", "1/m", "1/m²")


def k_term(number: int, level: Level = "wafer") -> Term:
    """k1 … k20 of the wafer ("k7") or of the field ("field_k7").

    >>> k_term(10).dy, k_term(16).dy
    (((1.0, 1, 1),), ((1.0, 1, 2),))
    """
    if not 1 <= number <= 20:
        raise ValueError(f"k{number} is no term; expected k1 … k20")
    first, second = _K_POWERS[(number - 1) // 2]
    in_x = number % 2 == 1
    a, b = (first, second) if in_x else (second, first)
    written = "".join(letter + ("", "", "²", "³")[power] for letter, power in (("x", a), ("y", b)) if power) or "1"
    polynomial = ((1.0, a, b),)
    return Term(
        key=f"k{number}" if level == "wafer" else f"field_k{number}",
        symbol=f"k{number}" if level == "wafer" else f"k{number}f",
        name=f"{level} term, {'dx' if in_x else 'dy'} ∝ {written}",
        unit=_K_UNITS[a + b],
        level=level,
        dx=polynomial if in_x else (),
        dy=() if in_x else polynomial,
    )


def zernike(n: int, m: int, component: Literal["x", "y"], *, radius_m: float) -> Term:
    """Z_n^m of dx or dy over the wafer, cos(mθ) for m ≥ 0 and sin(|m|θ) for m < 0, with amplitude 1 at the edge; coefficient in m.

    Z = Σ_s (−1)^s (n − s)! / (s! ((n + |m|)/2 − s)! ((n − |m|)/2 − s)!) · ρ^{n − 2s} · cos or sin. The zero-based single index of the key
    is the one of ANSI Z80.28, j = (n(n + 2) + m)/2.

    Raises
    ------
    ValueError      n, m that are no Zernike polynomial, or a radius of 0 or less
    """
    if n < 0 or abs(m) > n or (n - abs(m)) % 2:
        raise ValueError(f"n = {n}, m = {m} is no Zernike polynomial; expected n ≥ |m| of the same parity")
    if not 0 < radius_m < math.inf:
        raise ValueError(f"radius_m is {radius_m}; expected a length above 0 m")
    terms: dict[tuple[int, int], float] = {}
    k = abs(m)
    for s in range((n - k) // 2 + 1):
        radial = (-1) ** s * math.comb(n - s, s) * math.comb(n - 2 * s, (n - k) // 2 - s)
        rest = (n - k) // 2 - s  # ρ^{n−2s} = ρ^k (x² + y²)^rest
        for (a, b), value in _angular(k, sine=m < 0).items():
            for i in range(rest + 1):
                place = (a + 2 * (rest - i), b + 2 * i)
                terms[place] = terms.get(place, 0.0) + radial * value * math.comb(rest, i)
    polynomial = tuple((value / radius_m ** (a + b), a, b) for (a, b), value in sorted(terms.items()) if value)
    j = (n * (n + 2) + m) // 2
    return Term(
        key=f"Z{j}{component}",
        symbol=f"Z{j}{component}",
        name=f"Zernike polynomial n = {n}, m = {m} of d{component}",
        unit="m",
        level="wafer",
        dx=polynomial if component == "x" else (),
        dy=polynomial if component == "y" else (),
    )


def _angular(k: int, *, sine: bool) -> dict[tuple[int, int], float]:
    """ρ^k cos kθ or ρ^k sin kθ as a polynomial: real or imaginary part of (x + iy)^k."""
    real_sign = (1, 0, -1, 0)
    return {
        (k - b, b): float(math.comb(k, b) * real_sign[(b - 1) % 4 if sine else b % 4])
        for b in range(k + 1)
        if real_sign[(b - 1) % 4 if sine else b % 4]
    }


TWO_PARAMETER: Final = OverlayModel(name="2-parameter (translation)", terms=(TX, TY))
THREE_PARAMETER: Final = OverlayModel(name="3-parameter (rigid)", terms=(TX, TY, R))
FOUR_PARAMETER: Final = OverlayModel(name="4-parameter (similarity)", terms=(TX, TY, M, R))
SIX_PARAMETER: Final = OverlayModel(name="6-parameter", terms=(TX, TY, *WAFER_LINEAR))
EIGHT_PARAMETER: Final = OverlayModel(name="8-parameter", terms=(TX, TY, *WAFER_LINEAR, FIELD_M, FIELD_R))
TEN_PARAMETER: Final = OverlayModel(name="10-parameter", terms=(TX, TY, *WAFER_LINEAR, *FIELD_LINEAR))
WAFER_CUBIC: Final = OverlayModel(name="wafer terms k1 … k20", terms=tuple(k_term(k) for k in range(1, 21)))
FIELD_CUBIC: Final = OverlayModel(name="field terms k3 … k20", terms=tuple(k_term(k, "field") for k in range(3, 21)))
FULL_CUBIC: Final = OverlayModel(name="wafer k1 … k20 and field k3 … k20", terms=(*WAFER_CUBIC.terms, *FIELD_CUBIC.terms))
PER_FIELD: Final = OverlayModel(name="field terms k1 … k6", terms=tuple(k_term(k, "field") for k in range(1, 7)))

MODELS: Final = {
    "2": TWO_PARAMETER,
    "3": THREE_PARAMETER,
    "4": FOUR_PARAMETER,
    "6": SIX_PARAMETER,
    "8": EIGHT_PARAMETER,
    "10": TEN_PARAMETER,
    "20": WAFER_CUBIC,
    "38": FULL_CUBIC,
}
"""By the number of parameters, as a plan names them."""


def zernike_model(highest_order: int, *, radius_m: float = 0.15) -> OverlayModel:
    """All Zernike polynomials of dx and dy up to an order n: (n + 1)(n + 2) terms. They are not orthogonal on marks; least squares takes
    care of that."""
    orders = [(n, m) for n in range(highest_order + 1) for m in range(-n, n + 1, 2)]
    terms = tuple(zernike(n, m, component, radius_m=radius_m) for component in ("x", "y") for n, m in orders)
    return OverlayModel(
        name=f"Zernike polynomials up to order {highest_order} on {radius_m * 1e3:g} mm", terms=terms, coordinates=Coordinates.MARK
    )
