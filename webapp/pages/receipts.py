"""The words of a receipt: what an answer used, cost and saved, who paid, and why a cache was missed. No SQL, no routes.

What is an estimate is called "about", a price that nobody knows "unknown"; neither is ever a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from webapp.chat.transcript import TurnView
from webapp.pages import figures, web
from webapp.usage.misses import Miss
from webapp.usage.prices import MICROS
from webapp.usage.receipts import Entry, Spent, total

UNKNOWN = "unknown"

MISSES: dict[str, str] = {
    Miss.FIRST: "it was the first call in a while that began so; the ones after it can read what it wrote.",
    Miss.EXPIRED: "what the last call had written was no longer kept.",
    Miss.TOOLS: "the tools had changed since the last call.",
    Miss.SYSTEM: "the instructions had changed since the last call.",
    Miss.MODEL: "the last call was to another model, and each has a cache of its own.",
    Miss.MESSAGES: "the conversation before this message had changed.",
    Miss.SETTINGS: "how the model was asked (its effort, format or tier) had changed since the last call.",
    Miss.KEY: "the last call was made with another key, perhaps of another account.",
    Miss.SHORT: "the request was shorter than the least that this model caches.",
    Miss.GONE: "the provider no longer had what the last call wrote, and does not say why.",
}


@dataclass(frozen=True)
class Receipt:
    """A table: a column for the whole answer, and with more than one call `heads` and a column for each."""

    summary: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]


def receipt_of(turn: TurnView) -> Receipt:
    """Of a turn that has entries in the ledger."""
    entries = turn.entries
    several = len(entries) > 1
    heads = ("Whole answer", *(f"Call {entry.round + 1}" for entry in entries)) if several else ()
    return Receipt(spent_words(total(entries)), heads, tuple(_rows(entries)), tuple(_notes(entries)))


def spent_words(spent: Spent) -> str:
    """A sum in one line: tokens, money, and how much of the input came from a cache."""
    return " · ".join([token_words(spent), cost_words(spent), *cache_words(spent)])


def token_words(spent: Spent) -> str:
    return f"{_about(spent)}{spent.tokens:,} tokens"


def cache_words(spent: Spent) -> list[str]:
    return [f"{percent(spent.from_cache)} from cache"] if spent.used.cache_read else []


def percent(part: float | None) -> str:
    """Rounded down: what is not all is not called 100%."""
    return figures.DASH if part is None else f"{int(part * 100)}%"


def cost_words(spent: Spent) -> str:
    """The price of a sum, with the calls that it leaves out."""
    if spent.cost is None:
        return f"price {UNKNOWN}"
    known = _about_if(spent, spent.micros) + dollars(spent.micros)
    return f"{known} and {_calls(spent.unpriced)} of {UNKNOWN} price" if spent.unpriced else known


def dollars(micros: int | None) -> str:
    """$1,234.50; with four places below a dollar, where answers cost parts of a cent."""
    if micros is None:
        return UNKNOWN
    sign, size = (figures.MINUS if micros < 0 else ""), abs(micros)
    if 0 < size < 100:
        return f"{sign}less than $0.0001" if not sign else f"{sign}$0.0001"
    places = 4 if 0 < size < MICROS else 2
    return f"{sign}${size / MICROS:,.{places}f}"


def _about(spent: Spent) -> str:
    return "about " if spent.estimated else ""


def _about_if(spent: Spent, count: int) -> str:
    return _about(spent) if count else ""


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


# --- the table --------------------------------------------------------------------------------------------------


Told = Callable[[Spent], int]

TOKENS: tuple[tuple[str, Told, bool], ...] = (  # label, count, whether a row of zeros is shown
    ("Input, fresh", lambda s: s.used.input, True),
    ("Input, read from cache", lambda s: s.used.cache_read, True),
    ("Input, written to cache", lambda s: s.used.cache_write, False),
    ("Input, written to cache for an hour", lambda s: s.used.cache_write_1h, False),
    ("Output", lambda s: s.used.output, True),
    ("of it thinking", lambda s: s.used.thinking, False),
)


def _rows(entries: Sequence[Entry]) -> Iterable[tuple[str, tuple[str, ...]]]:
    whole = total(entries)
    sums = [whole, *(entry.spent for entry in entries)] if len(entries) > 1 else [whole]
    for label, count, always in TOKENS:
        if always or count(whole):
            yield label, tuple(_about_if(each, count(each)) + f"{count(each):,}" for each in sums)
    yield "Price", tuple(price_words(each) for each in sums)
    yield "Saved by caching", tuple(_saved(each) for each in [entries, *([e] for e in entries)][: len(sums)])
    yield "First word after", _per_call(entries, [_seconds(entry.first_token_ms) for entry in entries])
    yield "Took", _per_call(entries, [_seconds(entry.duration_ms) for entry in entries])
    yield "Model", _per_call(entries, [entry.model_served or entry.model for entry in entries])


def price_words(spent: Spent) -> str:
    """The price of the calls that have one."""
    return UNKNOWN if spent.cost is None else _about_if(spent, spent.cost) + dollars(spent.cost)


def _saved(entries: Sequence[Entry]) -> str:
    """Unknown where no list has a price: a provider's own figure does not tell what it would have been."""
    known = [entry for entry in entries if entry.cost.saved is not None]
    return dollars(total(known).saved) if known else UNKNOWN


def _per_call(entries: Sequence[Entry], cells: Sequence[str]) -> tuple[str, ...]:
    """What calls do not add up to: the whole answer has it only where all calls agree."""
    if len(entries) == 1:
        return tuple(cells)
    return (cells[0] if len(set(cells)) == 1 else "", *cells)


def _seconds(ms: int | None) -> str:
    return figures.DASH if ms is None else f"{ms / 1000:,.1f} s"


# --- the sentences ----------------------------------------------------------------------------------------------


def _notes(entries: Sequence[Entry]) -> Iterable[str]:
    yield from dict.fromkeys(map(_paid, entries))
    yield from dict.fromkeys(map(_priced, entries))
    several = len(entries) > 1
    for entry in entries:
        if entry.miss:
            which = f"Call {entry.round + 1}" if several else "It"
            why = MISSES.get(entry.miss, f"the provider says “{entry.miss}”.")
            what = "missed a part of the cache" if entry.used.cache_read else "read nothing from the cache"
            yield f"{which} {what}: {why}"
    if any(entry.estimated for entry in entries):
        yield "What is called “about” is our estimate: the answer ended before the provider had counted it."


def _paid(entry: Entry) -> str:
    whose = "your own key" if entry.personal else "the team's key"
    paid = f"Paid with {whose} “{entry.key_label}” at {provider_name(entry.provider)}."
    return paid if entry.cost.micros == 0 else f"{paid} What counts is its bill."


def _priced(entry: Entry) -> str:
    match entry.cost.source:
        case "provider":
            return "The price is the provider's own figure."
        case "table" if entry.cost.priced_at:
            on = figures.day(date.fromisoformat(entry.cost.priced_at), year=True)
            return " ".join(filter(None, (f"Priced by our list of {on}.", _price_note(entry.provider))))
        case "table" if not entry.cost.micros:
            return "This model costs nothing."
        case "table":
            return "Priced by the provider's own list."
        case _:
            return "Nobody has told us what this model costs."


def _price_note(slug: str) -> str:
    known = web.parts().providers.get(slug)
    return known.price_note if known else ""


def provider_name(slug: str) -> str:
    known = web.parts().providers.get(slug)
    return known.name if known else slug
