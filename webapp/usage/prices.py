"""What a call costs: tokens times a dated price list, or the provider's own figure. Arithmetic only, in whole micros.

A micro is a millionth of a US dollar, so a price "per million tokens" in dollars is micros per token. Prices are taken
as decimals, exactly as the list writes them, and a call is rounded once, half to even. Where a call's input passes
`long_from` tokens, all of it costs the long-context prices; cache prices grow by the same factor as the input's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from webapp.llm.events import Usage
from webapp.llm.models import Model

Source = Literal["provider", "table", "unknown"]
MICROS = 1_000_000
HOUR_WRITE = Decimal(2)  # times the input price, where a list has no price for 1-hour entries (Anthropic's rule)


@dataclass(frozen=True)
class Cost:
    """`micros` None: nobody knows the price. `saved` compares with the same tokens, none of them cached; it is
    negative for the call that fills the cache. Cached tokens without a price of their own count as fresh ones."""

    micros: int | None
    saved: int | None = None
    source: Source = "unknown"
    priced_at: str = ""


UNKNOWN = Cost(None)


def cost(used: Usage, model: Model | None) -> Cost:
    """What `used` costs on `model`: the provider's own figure if it gave one, else the price list's."""
    listed = _listed(used, model)
    if used.cost is not None:
        return Cost(_whole(Decimal(str(used.cost)) * MICROS), listed.saved, "provider")
    return listed


def most(tokens_in: int, tokens_out: int, model: Model | None) -> int | None:
    """Micros that a call can cost at most: every input token written to the dearest cache, every output token used."""
    rates = _rates(model, tokens_in)
    if rates is None:
        return None
    return _whole(max(rates.input, rates.write, rates.write_1h) * tokens_in + rates.output * tokens_out)


@dataclass(frozen=True)
class _Rates:
    """Micros a token."""

    input: Decimal
    output: Decimal
    read: Decimal
    write: Decimal
    write_1h: Decimal


def _listed(used: Usage, model: Model | None) -> Cost:
    tokens_in = used.total - used.output
    rates = _rates(model, tokens_in)
    if model is None or rates is None:
        return UNKNOWN
    paid = (
        used.input * rates.input
        + used.cache_read * rates.read
        + used.cache_write * rates.write
        + used.cache_write_1h * rates.write_1h
    )
    saved = tokens_in * rates.input - paid
    return Cost(_whole(paid + used.output * rates.output), _whole(saved), "table", model.priced_at)


def _rates(model: Model | None, tokens_in: int) -> _Rates | None:
    """None where the list has no price for input or output."""
    if model is None or model.price_in is None or model.price_out is None:
        return None
    plain = _decimal(model.price_in)
    long = model.long_from is not None and tokens_in > model.long_from
    base = _decimal(model.long_in) if long and model.long_in is not None else plain
    factor = base / plain if plain else Decimal(1)
    return _Rates(
        input=base,
        output=_decimal(model.long_out if long and model.long_out is not None else model.price_out),
        read=_or(model.cache_read, plain) * factor,
        write=_or(model.cache_write, plain) * factor,
        write_1h=_or(model.cache_write_1h, plain * HOUR_WRITE) * factor,
    )


def _or(price: float | None, fallback: Decimal) -> Decimal:
    return fallback if price is None else _decimal(price)


def _decimal(price: float) -> Decimal:
    """As the list writes it: 0.1, not the float's 0.1000000000000000055."""
    return Decimal(str(price))


def _whole(micros: Decimal) -> int:
    return int(micros.to_integral_value(ROUND_HALF_EVEN))
