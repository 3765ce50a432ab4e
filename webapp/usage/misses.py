"""Why a call read nothing from its provider's cache: the provider's own word, else a comparison with the workspace's
last calls. Pure.

Providers keep caches per account and model, by the bytes that a request begins with (tools, then system, then the
conversation), for a time that each hit begins anew. So the first thing that differs from the last call that could have
warmed it is the reason; if nothing does, the provider let go of it earlier than it says.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Miss(StrEnum):
    FIRST = "first"  # nothing before it could have warmed the cache
    EXPIRED = "expired"
    TOOLS = "tools"  # others than the last call had
    SYSTEM = "system"
    MODEL = "model"
    MESSAGES = "messages"  # the conversation before this message was changed
    SETTINGS = "settings"  # how to answer: effort, verbosity, format, service tier
    KEY = "key"  # another one, perhaps of another account
    SHORT = "short"  # below the model's minimum
    GONE = "gone"  # no reason is known


OF_PROVIDERS = {
    "model_changed": Miss.MODEL,
    "tools_changed": Miss.TOOLS,
    "system_changed": Miss.SYSTEM,
    "messages_changed": Miss.MESSAGES,
    "input_changed": Miss.MESSAGES,
    "context_compacted": Miss.MESSAGES,
    "reasoning_effort_changed": Miss.SETTINGS,
    "verbosity_changed": Miss.SETTINGS,
    "text_format_changed": Miss.SETTINGS,
    "service_tier_changed": Miss.SETTINGS,
    "prompt_cache_key_changed": Miss.SETTINGS,
}
NO_WORDS = frozenset({"", "unavailable", "previous_message_not_found", "comparison_response_not_found"})


@dataclass(frozen=True)
class Earlier:
    """The last call of the workspace with one model and prefix. `ago` is in seconds."""

    ago: float
    model: str
    key_id: uuid.UUID | None
    same_prefix: bool
    same_tools: bool
    same_system: bool


def from_provider(word: str) -> str:
    """Its word in ours; as it is where we have none; "" where it says nothing."""
    return "" if word in NO_WORDS else str(OF_PROVIDERS.get(word, word[:40]))


def compared(earlier: Sequence[Earlier], model: str, key_id: uuid.UUID | None, kept: float) -> Miss:
    """For a call that read nothing, of which no provider has said why. `kept` is how many seconds its cache lives."""
    same = [call for call in earlier if call.model == model and call.same_prefix]
    if same:
        return _same(same[0], key_id, kept)
    warm = [call for call in earlier if call.ago <= kept]
    changed = next((call for call in warm if call.model == model), None)
    if changed is not None:
        return Miss.TOOLS if not changed.same_tools else Miss.SYSTEM
    return Miss.MODEL if any(call.same_prefix for call in warm) else Miss.FIRST


def _same(last: Earlier, key_id: uuid.UUID | None, kept: float) -> Miss:
    if last.ago > kept:
        return Miss.EXPIRED
    return Miss.KEY if last.key_id != key_id else Miss.GONE
