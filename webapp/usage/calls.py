"""Call: one call to a provider that is over, as the ledger books it. Counted by the provider, else estimated by us.

A provider counts while it speaks or when it has finished, and a call that was cut never hears its last count. What it
had counted until then stands; what it had not (the input at most providers, the output at all of them) is estimated
from the request's size and the words that were heard, and the call is marked so for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from webapp.llm.events import Usage


@dataclass(frozen=True)
class Call:
    """Round `round` of a turn. `asked_at` is in seconds since 1970, 0 where it is not known; `missed` is the provider's
    own word for why its cache was missed."""

    round: int
    used: Usage
    estimated: bool = False
    asked_at: float = 0.0
    first_token_ms: int | None = None
    duration_ms: int | None = None
    model_served: str = ""
    response_id: str = ""
    missed: str = ""


def estimated(counted: Usage, asked: int, said: int) -> Usage:
    """What a call used about, of which the provider has told `counted`: a request of `asked` tokens, an answer of which
    `said` were heard. What was not counted is taken for fresh, which costs no less."""
    told_input = counted.total > counted.output
    return replace(counted, input=counted.input if told_input else asked, output=max(counted.output, said))
