"""Text from outside made visible: nothing in it can steer a terminal, hide, or run backwards.

Instrument names, notes and file names are other people's. Every writer passes them through `visible` first and then through the escaping of its own
format. Escapes are shown, not dropped, so that a reader sees that something was there: ESC becomes \\x1b.
"""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST: Final = 2000
"""Characters of one text that a report prints; the JSON output keeps the whole."""

_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories without a glyph: controls, formats (bidirectional overrides, zero widths), lone surrogates, private use, unassigned, separators."""
_MARKS: Final = 4
"""Combining marks on one letter; real scripts use up to three, a stack of a hundred paints over the neighbouring lines."""


def visible(text: str, *, longest: int = LONGEST) -> str:
    """`text` on one line, with every character that has no glyph written as an escape.

    >>> visible("A\\x1b[31m B\\n\\u202eC")
    'A\\\\x1b[31m B \\\\u202eC'
    """
    if text.isascii() and text.isprintable() and len(text) <= longest:
        return text
    shown: list[str] = []
    marks = 0
    for character in text[:longest]:
        if character in "\t\n\r\v\f":
            shown.append(" ")
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if category in _HIDDEN:
            shown.append(_escape(ord(character)))
        elif marks <= _MARKS:
            shown.append(character)
    if len(text) > longest:
        shown.append(f" … ({len(text) - longest} more characters)")
    return "".join(shown)


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
