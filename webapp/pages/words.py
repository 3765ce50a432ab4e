"""The words of a turn: what its state, its error and its numbers read like to a person, and where to go from there.

What a provider's faults are called is in llm/errors.py; which of these words stand where is the templates' business.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import url_for

from webapp.accounts import RIGHTS, Right, members
from webapp.ads.plans import PlanView
from webapp.chat import picker
from webapp.chat.events import EXPIRED, Cause, Trouble, TurnState
from webapp.chat.limits import NEAR_BUDGET
from webapp.chat.picker import Group, Pick
from webapp.chat.transcript import SessionRow, TurnView
from webapp.errors import Link
from webapp.llm.errors import Kind, explain
from webapp.llm.events import FinishReason
from webapp.pages import stream, web
from webapp.pages.citations import rows_of
from webapp.pages.richtext import link_figures
from webapp.pages.richtext import render as rich_text

CONTINUE = "Continue exactly where you stopped."  # what the Continue button sends; shown as a quiet line
KEY_KINDS = frozenset({Kind.INVALID_KEY, Kind.KEY_FORBIDDEN, Kind.NO_CREDIT, Kind.MODEL_FORBIDDEN})  # go to the key


@dataclass(frozen=True)
class Said:
    """An error for a person: what, why and what next, the provider's own words, and where to go."""

    title: str
    hint: str
    words: str
    links: tuple[Link, ...]


OWN_WORDS = {
    Cause.KEY_REVOKED: (
        "The key was disconnected",
        "The answer was cut when the key was revoked. Connect a key to go on.",
    ),
    Cause.KEY_UNREADABLE: ("The key cannot be read", "It was stored under another ENCRYPTION_KEY. Connect it again."),
    Cause.TOO_MANY_ROUNDS: (
        "Maxxer stopped itself",
        "It had used its tools too many times in a row. Ask more narrowly.",
    ),
    Cause.TOO_EXPENSIVE: (
        "Maxxer stopped itself",
        "The answer had used {limit}, the most that one may. Ask more narrowly, or pick a cheaper model.",
    ),
    Cause.BUDGET: ("A budget stopped this answer", "{limit}"),
    Cause.UNPRICED: (
        "This model is not allowed here",
        "Nobody has told us the price of {limit}, and the workspace allows only models whose price is known.",
    ),
    Cause.TOO_LONG: ("The answer took too long", "It ran into the time limit. What arrived is kept."),
    Cause.INTERNAL: (
        "Something broke on our side",
        "The key was not at fault. Try again; if it stays, tell your operator.",
    ),
}


OWN_LIMITS = frozenset({Cause.TOO_MANY_ROUNDS, Cause.TOO_EXPENSIVE, Cause.TOO_LONG})  # no key was at fault


def explain_trouble(turn: TurnView) -> Said:
    trouble = turn.trouble
    assert trouble is not None
    providers = Link("Settings › AI providers", url_for("providers.index"))
    if trouble.cause in (Cause.BUDGET, Cause.UNPRICED):
        return _limited(trouble)
    if trouble.cause is Cause.KEY_REVOKED and turn.own_key:
        return Said(*OWN_KEY_GONE, "", (providers,))
    if trouble.fault is None:
        title, hint = OWN_WORDS[trouble.cause]
        own = trouble.cause in OWN_LIMITS
        return Said(title, hint.format(limit=trouble.detail), "", () if own else (providers,))
    provider = web.parts().providers.get(turn.provider)
    words = explain(trouble.fault, provider_name(turn.provider))
    links: list[Link] = [providers]
    if provider and trouble.fault.kind is Kind.NO_CREDIT and provider.billing_url:
        links.insert(0, Link(f"Billing at {provider.name}", provider.billing_url))
    return Said(words.title, words.hint, trouble.fault.message, tuple(links))


OWN_KEY_GONE = (
    "Your own key is no longer used",
    "It was disconnected, or own keys are switched off here. No other key was used. The picker says whose key is next.",
)


def _limited(trouble: Trouble) -> Said:
    """By what the workspace has set: who can change that is named."""
    title, hint = OWN_WORDS[trouble.cause]
    link = Link("Settings › Budgets", url_for("budgets.index"))
    return Said(title, f"{hint.format(limit=trouble.detail)} {who_can_raise()}", "", (link,))


def who_can_raise() -> str:
    scope = web.current_scope()
    if scope is None:
        return ""
    if scope.may(Right.MANAGE_WORKSPACE):
        return "You can change that."
    with web.database().look() as db:
        names = [m.name for m in members.listed(scope, db) if Right.MANAGE_WORKSPACE in RIGHTS[m.role]]
    return f"It can be changed by {' or '.join(names)}."


@dataclass(frozen=True)
class Detour:
    """Another connected provider that could answer instead, and what it would cost: a person's choice, never ours."""

    pick: Pick
    price: str


def ask_again_at(turn: TurnView) -> datetime | None:
    """When the provider said that it may be asked again, if that was said."""
    fault = turn.trouble.fault if turn.trouble else None
    if fault is None or not fault.retry_after or turn.ended_at is None:
        return None
    return turn.ended_at + timedelta(seconds=fault.retry_after)


SWITCH_HELPS = frozenset(Kind) - {Kind.REQUEST_INVALID, Kind.CONTENT_BLOCKED}


def detours(turn: TurnView) -> list[Detour]:
    """Where a failed question could go: a model of each other connected provider, and, where the model was the
    trouble, another one of the same."""
    scope = web.current_scope()
    if scope is None or not scope.may(Right.CHAT) or not _switch_helps(turn):
        return []
    with web.database().look() as db:
        groups = picker.groups(scope, db, web.parts().providers)
    here = next((p for g in groups for p in g.picks if p.provider.slug == turn.provider and _asked_for(p, turn)), None)
    groups = [g if g.provider.slug != turn.provider else _without(g, turn) for g in groups]
    return [Detour(pick, price_beside(pick, here)) for pick in map(picker.first_of, groups) if pick]


def _asked_for(pick: Pick, turn: TurnView) -> bool:
    return pick.model.name == turn.model_name or pick.model.id == turn.model


def _without(group: Group, turn: TurnView) -> Group:
    """The failed turn's own provider: its other models, if it was the model that was wrong, else nothing."""
    fault = turn.trouble.fault if turn.trouble else None
    if fault is None or fault.kind not in (Kind.MODEL_FORBIDDEN, Kind.MODEL_NOT_FOUND):
        return replace(group, picks=())
    return replace(group, picks=tuple(p for p in group.picks if not _asked_for(p, turn)))


def _switch_helps(turn: TurnView) -> bool:
    fault = turn.trouble.fault if turn.trouble else None
    return fault is not None and fault.kind in SWITCH_HELPS


def price_beside(pick: Pick, other: Pick | None) -> str:
    """A model's price in words, beside the price of the one it would stand in for."""
    price = _price(pick)
    return f"{price} instead of {_price(other)}" if other and other.model.price_in is not None else price


def _price(pick: Pick) -> str:
    model = pick.model
    if pick.provider.demo:
        return "free"
    if model.price_in is None or model.price_out is None:
        return "price unknown"
    return f"{usd(model.price_in)} in, {usd(model.price_out)} out"


FINISHES: dict[str, str] = {
    EXPIRED: "Nobody approved the change within ten minutes, so nothing was changed. Ask again to get a new card.",
    FinishReason.LENGTH: "The answer reached its length limit. Ask to continue.",
    FinishReason.CONTEXT_OVERFLOW: "The conversation filled the model's context. Start a new chat to go on.",
    FinishReason.REFUSAL: "The model declined to go on.",
    FinishReason.CONTENT_FILTER: "The provider's filter ended the answer.",
    FinishReason.PAUSE: "The provider paused here. Ask to continue.",
}
NOTICES = {"thinking_dropped": "Earlier reasoning was left out: the provider no longer accepted it."}


def provider_name(slug: str) -> str:
    provider = web.parts().providers.get(slug)
    return provider.name if provider else slug


def turn_notices(turn: TurnView) -> list[str]:
    said = []
    if turn.came_from:
        old, new = provider_name(turn.came_from), provider_name(turn.provider)
        said.append(f"Switched from {old} to {new}: the conversation went along, {old}'s own reasoning did not.")
    said += [NOTICES[n.kind] for n in turn.notices if n.kind in NOTICES]
    said += [n.detail for n in turn.notices if n.kind == NEAR_BUDGET]
    finish = FINISHES.get(turn.finish) if not turn.live else None
    return [*said, finish] if finish else said


def shown_plans(turn: TurnView) -> dict[str, PlanView]:
    """The cards of a turn, by the call that proposed them. One to be approved is shown only once the turn waits: by
    then all that was said before it is stored."""
    waits = turn.state is TurnState.WAITING or not turn.live
    return {plan.tool_use_id: plan for plan in turn.plans if plan.settled or waits}


def turn_status(turn: TurnView) -> str:
    return stream.waiting_for(turn.state, None, turn.blocks, provider_name(turn.provider))


@dataclass(frozen=True)
class Day:
    name: str
    rows: list[SessionRow]


def groupby_day(rows: Iterable[SessionRow], today: date | None = None) -> list[Day]:
    """Today (even if empty), Yesterday, the last seven days, then older; in the order given."""
    today = today or datetime.now(UTC).date()
    days = [Day("Today", [])]
    for row in rows:
        name = _day_name(row.updated_at.astimezone(UTC).date(), today)
        if days[-1].name != name:
            days.append(Day(name, []))
        days[-1].rows.append(row)
    return days


def _day_name(day: date, today: date) -> str:
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return "Last 7 days" if day > today - timedelta(days=7) else "Older"


def compact(number: int) -> str:
    """1000000 -> 1M, 200000 -> 200K."""
    if number >= 1_000_000:
        return f"{round(number / 1_000_000, 1):g}M"
    return f"{round(number / 1000)}K" if number >= 1000 else str(number)


def usd(price: float) -> str:
    """Dollars per million tokens: two decimals only where they say something."""
    return f"${price:g}" if price == round(price) else f"${price:.2f}"


def announcement(turn: TurnView) -> str:
    """What a screen reader is told once, when the answer has ended."""
    if turn.trouble:
        return explain_trouble(turn).title
    text = rich_text("\n\n".join(b.text for b in turn.blocks if b.kind == "text"), "said").striptags()
    return text if len(text) <= 600 else f"The answer is ready, {len(text.split())} words."


def minutes_until(moment: datetime) -> str:
    left = seconds_until(moment)
    return f"{math.ceil(left / 60)} min" if left > 90 else f"{left} s"


def seconds_until(moment: datetime) -> int:
    return max(0, math.ceil((moment - datetime.now(UTC)).total_seconds()))


def for_templates() -> dict[str, Any]:
    """The functions and constants that the chat's templates use."""
    return {
        "rich_text": rich_text,
        "link_figures": link_figures,
        "cited_rows": rows_of,
        "turn_notices": turn_notices,
        "turn_status": turn_status,
        "shown_plans": shown_plans,
        "explain_trouble": explain_trouble,
        "detours": detours,
        "ask_again_at": ask_again_at,
        "new_request_id": uuid.uuid4,
        "minutes_until": minutes_until,
        "seconds_until": seconds_until,
        "continue_words": CONTINUE,
        "key_kinds": KEY_KINDS,
    }
