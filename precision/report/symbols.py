"""Symbols with an index: written "x̄_i↑", "P_s max", "U_DEVICE" in figures and budgets, printed as x̄ᵢ↑ or with a true subscript in HTML.

An index belongs to one letter, with or without a bar or hat, that stands alone: names such as `mean_material_temperature` are left as they are.
"""

from __future__ import annotations

import re
from typing import Final

_INDEXED: Final = re.compile(r"(?<![A-Za-z0-9_.\-/\\])([^\W\d_][\u0300-\u036f]?(?:\([a-z]\))?)_(∞|[A-Za-z0-9]+(?:,[a-z]+\b| (?:max|mean|min)\b)?)(?![A-Za-z0-9_])")
"""One letter, as in G(b) with another in brackets, the underscore, and its index: a word or number, "∞", "XY,max", "s max"."""
_SUBSCRIPTS: Final = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))


def parts(text: str) -> list[tuple[str, str]]:
    """`text` cut into (letters as they are, index after them); the index is "" at the end.

    >>> parts("Target P_i, U_CAL·L")
    [('Target P', 'i'), (', U', 'CAL'), ('·L', '')]
    """
    found, start = [], 0
    for match in _INDEXED.finditer(text):
        found.append((text[start : match.end(1)], match[2]))
        start = match.end()
    return [*found, (text[start:], "")]


def plain(text: str) -> str:
    """For a terminal, Markdown or a drawing: lower-case indices as Unicode subscripts, others in brackets.

    >>> plain("x̄_i↑"), plain("P_s max"), plain("U_DEVICE"), plain("B_10"), plain("a_name_of_its_own")
    ('x̄ᵢ↑', 'Pₛ max', 'U(DEVICE)', 'B₁₀', 'a_name_of_its_own')
    """
    return "".join(letters + _plain_index(index) for letters, index in parts(text))


def _plain_index(index: str) -> str:
    word, space, rest = index.partition(" ")
    if word and all(letter in _SUBSCRIPTS for letter in word):
        return "".join(_SUBSCRIPTS[letter] for letter in word) + space + rest
    return f"({index})" if index else ""
