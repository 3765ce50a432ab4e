"""Ids of tool calls in a form that every provider takes, made from any other id. Equal ids give equal ids."""

from __future__ import annotations

import hashlib
import string

LENGTH = 9  # letters and digits, as Mistral wants them; nobody refuses these
_DIGITS = string.digits + string.ascii_letters


def short(id: str) -> str:
    number = int.from_bytes(hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest())
    made = []
    for _ in range(LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        made.append(_DIGITS[digit])
    return "".join(made)
