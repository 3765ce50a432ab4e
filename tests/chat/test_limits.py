"""What a turn may cost: by price where it is known, by tokens where it is not."""

from __future__ import annotations

import pytest

from webapp.chat.events import Cause
from webapp.chat.limits import UNPRICED_TOKENS, Limit
from webapp.llm.events import Usage
from webapp.llm.models import Model

SONNET = Model("m", "M", price_in=3.0, price_out=15.0)
FREE = Model("f", "F", price_in=0.0, price_out=0.0)
UNKNOWN = Model("u", "U")


@pytest.mark.parametrize(
    ("model", "spent", "limit"),
    [
        (SONNET, Usage(output=133_000), ""),
        (SONNET, Usage(output=134_000), "2.00 USD"),
        (SONNET, Usage(output=1, cost=2.0), "2.00 USD"),
        (FREE, Usage(output=10**9), ""),
        (UNKNOWN, Usage(output=UNPRICED_TOKENS - 1), ""),
        (UNKNOWN, Usage(output=UNPRICED_TOKENS), "500,000 tokens"),
        (None, Usage(input=UNPRICED_TOKENS), "500,000 tokens"),
    ],
)
def test_the_limit_says_what_it_is(model: Model | None, spent: Usage, limit: str) -> None:
    trouble = Limit(2.0, model).allow(spent)
    assert (trouble.detail if trouble else "") == limit
    assert trouble is None or trouble.cause is Cause.TOO_EXPENSIVE


def test_no_limit_is_no_limit() -> None:
    assert Limit(0, UNKNOWN).allow(Usage(output=10**9)) is None
