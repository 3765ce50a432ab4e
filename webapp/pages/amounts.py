"""Amounts of money as people type them: "1,200.50", "1 200,50", "12". What numbers look like to people: figures.py."""

from __future__ import annotations

import re
from decimal import Decimal

from webapp.ads.money import META_WHOLE, MICROS

GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d{1,2})?")
PLAIN = re.compile(r"\d{1,9}([.,]\d{1,2})?")
MOST = Decimal(100_000_000)  # units


def micros_typed(text: str) -> int | None:
    """Millionths; None for an empty field. Raises ValueError with a sentence for the field."""
    text = re.sub(r"[\s\u00a0\u202f]", "", text)
    if not text:
        return None
    if GROUPED.fullmatch(text):
        text = text.replace(",", "")
    elif PLAIN.fullmatch(text):
        text = text.replace(",", ".")
    else:
        raise ValueError("Enter an amount such as 25 or 25.50.")
    amount = Decimal(text)
    if not 0 < amount <= MOST:
        raise ValueError("The amount is more than zero and at most 100,000,000.")
    return int(amount * MICROS)


def as_typed(micros: int | None, currency: str) -> str:
    """What the field shows: "25.50"; for a currency without small coins "25"."""
    if micros is None:
        return ""
    amount = Decimal(micros) / MICROS
    whole = amount == amount.to_integral_value()
    return f"{amount:.0f}" if whole or currency in META_WHOLE else f"{amount:.2f}"
