"""What a call costs, against the providers' published prices and examples; and laws of the arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.llm.events import Usage
from webapp.llm.models import Model, RemoteModel, join
from webapp.usage.prices import Cost, cost, most


def model(provider: str, id: str, **listed: object) -> Model:
    return join(provider, [RemoteModel(id, **listed)])[0]  # type: ignore[arg-type]


SONNET = model("anthropic", "claude-sonnet-4-5")
HAIKU = model("anthropic", "claude-haiku-5-5")  # dearer from 100,000 tokens on
GPT = model("openai", "gpt-5.4")  # likewise from 272,000
NAMELESS = model("anthropic", "unheard-of")


@pytest.mark.parametrize(
    ("used", "micros", "saved"),
    [
        (Usage(input=1_000_000), 3_000_000, 0),
        (Usage(output=1_000_000, thinking=900_000), 15_000_000, 0),
        (Usage(cache_read=1_000_000), 300_000, 2_700_000),
        (Usage(cache_write=1_000_000), 3_750_000, -750_000),
        (Usage(cache_write_1h=1_000_000), 6_000_000, -3_000_000),
        (Usage(1000, 10_000, 2000, 500, 800), 28_500, 24_000),
    ],
)
def test_each_kind_of_token_has_anthropics_price(used: Usage, micros: int, saved: int) -> None:
    """Pricing, prompt caching: Sonnet 4.5 3.00 in, 3.75 and 6.00 written, 0.30 read, 15.00 out."""
    assert cost(used, SONNET) == Cost(micros, saved, "table", SONNET.priced_at)
    assert SONNET.priced_at > "2026"


def test_a_book_read_from_cache_costs_a_tenth_and_pays_at_the_second_question() -> None:
    """Anthropic's example of caching: a chat with a book of 100,000 tokens."""
    book, fresh = Usage(cache_read=100_000), Usage(input=100_000)
    assert cost(book, SONNET).micros == 30_000
    assert cost(fresh, SONNET).micros == 300_000
    written = cost(Usage(cache_write=100_000), SONNET).saved
    read = cost(book, SONNET).saved
    assert written is not None
    assert read is not None
    assert written < 0 < written + read


def test_an_hour_costs_twice_the_input_where_the_list_has_no_price_for_it() -> None:
    assert cost(Usage(cache_write_1h=1_000_000), replace(SONNET, cache_write_1h=None)).micros == 6_000_000


@pytest.mark.parametrize(
    ("of", "used", "micros"),
    [
        (HAIKU, Usage(input=100_000, output=1000), 10_000 + 500),
        (HAIKU, Usage(input=100_001, output=1000), 50_000 + 2500),
        (HAIKU, Usage(input=1, cache_read=100_000), 5_000),  # what is read counts for the threshold, and grows alike
        (GPT, Usage(input=272_000, output=1000), 680_000 + 15_000),
        (GPT, Usage(input=272_001, output=1000), 1_360_005 + 22_500),
    ],
)
def test_past_a_threshold_the_whole_call_is_dearer(of: Model, used: Usage, micros: int) -> None:
    assert cost(used, of).micros == micros


def test_openrouters_own_figure_goes_before_any_list() -> None:
    """Its usage says what was charged, in dollars; its list, dollars per token, tells what the cache saved."""
    listed = model("openrouter", "anthropic/claude-sonnet-4.5", price_in=3.0, price_out=15.0, cache_read=0.3)
    charged = cost(Usage(input=10, cache_read=1000, output=20, cost=0.00095), listed)
    assert charged == Cost(950, 2700, "provider")
    assert cost(Usage(input=10, cost=0.0001255), None) == Cost(126, None, "provider"), "half to even, once"


@pytest.mark.parametrize("of", [NAMELESS, None])
def test_what_nobody_knows_is_not_zero(of: Model | None) -> None:
    assert cost(Usage(input=10, output=10), of) == Cost(None)
    assert most(10, 10, of) is None


def test_what_is_free_is_zero() -> None:
    assert cost(Usage(input=10, output=10), model("demo", "demo-sonnet", price_in=0.0, price_out=0.0)).micros == 0


counts = st.integers(0, 60_000)
usages = st.builds(Usage, counts, counts, counts, counts, counts)


@given(usages, usages)
def test_two_calls_cost_what_both_cost(one: Usage, other: Usage) -> None:
    """Below a threshold; each call is rounded once, to a millionth of a dollar."""
    apart = [cost(each, SONNET).micros or 0 for each in (one, other)]
    assert abs((cost(one + other, SONNET).micros or 0) - sum(apart)) <= 1


@given(usages)
def test_the_price_and_the_saving_are_the_price_without_a_cache(used: Usage) -> None:
    fresh = Usage(input=used.total - used.output, output=used.output)
    paid = cost(used, SONNET)
    assert abs((paid.micros or 0) + (paid.saved or 0) - (cost(fresh, SONNET).micros or 0)) <= 1


@given(usages, st.sampled_from([SONNET, HAIKU, GPT]))
def test_no_call_costs_more_than_the_most(used: Usage, of: Model) -> None:
    limit = most(used.total - used.output, used.output, of)
    assert limit is not None
    assert 0 <= (cost(used, of).micros or 0) <= limit + 1
