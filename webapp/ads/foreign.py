"""Text of foreign origin: campaign names and a platform's words, which whoever can edit an ad account writes.

A model gets it fenced, ⟦like this⟧: its instructions say that what stands between ⟦ and ⟧ is data. A page escapes it.
"""

from __future__ import annotations

import re

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff⟦⟧]")


def fence(text: str) -> str:
    """Text of foreign origin as data: one line, no control or direction marks, at most 200 characters, in ⟦ ⟧."""
    line = " ".join(CONTROL.sub(" ", text).split())
    return f"⟦{line if len(line) <= 200 else line[:199] + '…'}⟧"


def unfence(text: str) -> str:
    return text[1:-1] if text.startswith("⟦") and text.endswith("⟧") else text


def quoted(text: str) -> str:
    """A sentence that holds fenced names, for people: “like this”."""
    return text.replace("⟦", "“").replace("⟧", "”")
