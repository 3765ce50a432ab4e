"""Numbers in words: money with its currency, percent, ratios, counts, deltas and days, for pages and tool cards.

Nothing is computed here but a delta. What is not defined (a ratio without a denominator) is a dash that says why, never
a zero. Currencies are spelled as CLDR's English does (unicode.org/cldr, en.xml): a symbol of its own where it has one,
else the code; never a bare "$" for a dollar that is not the American one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from webapp.ads.money import META_WHOLE, MICROS

Unit = Literal["money", "percent", "ratio", "count", "days"]
Tone = Literal["ok", "bad", "quiet"]

DASH = "–"
MINUS = "−"
NBSP = "\u00a0"  # no line ends between a code and its amount
SYMBOLS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "AUD": "A$",
    "CAD": "CA$",
    "NZD": "NZ$",
    "HKD": "HK$",
    "MXN": "MX$",
    "TWD": "NT$",
    "BRL": "R$",
    "INR": "₹",
    "KRW": "₩",
    "ILS": "₪",
    "VND": "₫",
}
SHORT = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
ALMOST = 0.9995  # 999,600 is 1M, not 1,000K
TENTH = 0.0005  # of a relative change: what rounds to 0.0% is no change


@dataclass(frozen=True)
class Figure:
    """A number as text. `why` says what a dash stands for; `exact` is the long form where `text` is a short one."""

    text: str
    why: str = ""
    exact: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Delta:
    """A relative change: "+12.3%", whether that is good news, and the whole sentence for who cannot see the sign."""

    text: str
    tone: Tone
    words: str


def number(
    value: float | None, unit: Unit, currency: str = "", *, why: str = "Not defined", short: bool = False
) -> Figure:
    """A value of any unit. Money is in units of `currency` (not micros); percent 0.031 is 3.1%."""
    if value is None:
        return Figure(DASH, why)
    text = _spelled(value, unit, currency, short)
    return Figure(text, exact=_spelled(value, unit, currency, False) if short else "")


def money(micros: int | None, currency: str, *, why: str = "Not known", short: bool = False) -> Figure:
    """Micros of a currency: €1,234.50."""
    return number(None if micros is None else micros / MICROS, "money", currency, why=why, short=short)


def spell(value: float, unit: Unit, currency: str = "", *, short: bool = False) -> str:
    """The text alone, of a number that is there."""
    return _spelled(value, unit, currency, short)


def _spelled(value: float, unit: Unit, currency: str, short: bool) -> str:
    size = abs(value)
    match unit:
        case "money":
            body = _symbol(currency) + (_short(size) if short else f"{size:,.{places(currency)}f}")
        case "percent":
            body = _trimmed(size * 100, 2) + "%" if short else f"{size * 100:.2f}%"
        case "ratio":
            body = (_trimmed(size, 2) if short else f"{size:.2f}") + "×"
        case "days":
            body = _count(size) + (" day" if size == 1 else " days")
        case _:
            body = _short(size) if short and size >= 10_000 else _count(size)
    return MINUS + body if value < 0 and any(digit in "123456789" for digit in body) else body


def places(currency: str) -> int:
    """Decimals of an amount: none where the currency has no smaller unit in use."""
    return 0 if currency in META_WHOLE else 2


def _symbol(currency: str) -> str:
    return SYMBOLS.get(currency) or (currency + NBSP if currency else "")


def _count(size: float) -> str:
    return f"{size:,.0f}" if size == int(size) else f"{size:,.1f}"


def _short(size: float) -> str:
    for unit, letter in SHORT:
        if size >= ALMOST * unit:
            return _trimmed(size / unit, 0 if size >= 100 * unit else 1) + letter
    return _trimmed(size, 0 if size >= 100 else 2)


def _trimmed(size: float, digits: int) -> str:
    text = f"{size:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- changes ----------------------------------------------------------------------------------------------------


def delta(
    now: float | None, before: float | None, unit: Unit, currency: str = "", *, good: Literal["up", "down", ""] = "up"
) -> Delta:
    """The change from `before` to `now`, relative to `before`. `good` says which way is good news; empty: neither."""
    if before is None or now is None:
        return Delta(DASH, "quiet", "Nothing to compare with")
    then = f"from {_spelled(before, unit, currency, False)} to {_spelled(now, unit, currency, False)}"
    if before == 0:
        return Delta("new" if now else "±0%", "quiet", then)
    return relative((now - before) / abs(before), then, good=good)


def relative(change: float, then: str, *, good: Literal["up", "down", ""] = "up") -> Delta:
    """A relative change that was made elsewhere; `then` says of what."""
    if abs(change) < TENTH:
        return Delta("±0%", "quiet", f"unchanged, {then}")
    up = change > 0
    size = f"{abs(change) * 100:,.{0 if abs(change) >= 1 else 1}f}%"
    tone: Tone = "quiet" if not good else "ok" if up == (good == "up") else "bad"
    return Delta(("+" if up else MINUS) + size, tone, f"{'up' if up else 'down'} {size}, {then}")


# --- days -------------------------------------------------------------------------------------------------------


def day(of: date, *, year: bool = False) -> str:
    """24 Nov, or 24 Nov 2026."""
    return f"{of.day} {of:%b %Y}" if year else f"{of.day} {of:%b}"


@lru_cache(2048)
def weekday(of: date) -> str:
    """Tue 24 Nov 2026."""
    return f"{of:%a} {day(of, year=True)}"


def days(since: date, until: date) -> str:
    """1–24 Nov 2026, 27 Oct – 24 Nov 2026, 24 Dec 2025 – 6 Jan 2026, or the one day."""
    if since == until:
        return day(until, year=True)
    if since.year != until.year:
        return f"{day(since, year=True)} – {day(until, year=True)}"
    if since.month != until.month:
        return f"{day(since)} – {day(until, year=True)}"
    return f"{since.day}–{day(until, year=True)}"
