"""What lists of models say, in the shapes that speakers of chat completions give them.

A list is {"data": [...]} or a bare array (Together). What an entry says about its model is in fields of many names; the
first that is there counts, and what is not said stays unknown. Prices are strings in dollars a token (OpenRouter, Groq)
or numbers in dollars per million tokens (Together).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import isfinite
from typing import Any

from webapp.llm.dialects.answers import count, not_the_provider, obj, parse, text
from webapp.llm.models import ModelPage, RemoteModel
from webapp.llm.providers import Provider

_CONTEXT = ("context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens")
_MAX_OUTPUT = ("max_completion_tokens", "max_output_length", "max_output_tokens")
_PRICES = {  # ours -> theirs, the first that is there counts
    "price_in": ("prompt", "input"),
    "price_out": ("completion", "output"),
    "cache_read": ("input_cache_read", "cached_input", "cache_read"),
    "cache_write": ("input_cache_write", "cache_write"),
}
_MILLION = 1_000_000


def read_models(provider: Provider, body: bytes) -> ModelPage:
    """The models of the list that can chat. Raises ProviderError (PROTOCOL) for anything else than a list."""
    try:
        said = parse(body)
    except ValueError:
        said = None
    listed = said if isinstance(said, list) else obj(said).get("data")
    if not isinstance(listed, list):
        raise not_the_provider("The answer is no list of models.", status=200)
    entries = {text(e.get("id")): e for e in map(obj, listed) if provider.offers(text(e.get("id"))) and _chats(e)}
    return ModelPage(tuple(_model(e) for e in entries.values() if not _is_alias(e, entries.keys())))


def _chats(entry: Mapping[str, Any]) -> bool:
    """Whether the model answers in text and is in use, as far as the entry tells."""
    abilities = obj(entry.get("capabilities"))
    outputs = obj(entry.get("architecture")).get("output_modalities") or entry.get("output_modalities")
    return (
        entry.get("type") in (None, "", "chat", "base", "fine-tuned", "model")
        and entry.get("active") is not False
        and abilities.get("completion_chat") is not False
        and entry.get("supports_chat") is not False
        and (not isinstance(outputs, list) or "text" in outputs)
    )


def _is_alias(entry: Mapping[str, Any], ids: Set[str]) -> bool:
    """Mistral lists a model once per name: the one that says `name` stands for all, with "-latest" if there is one."""
    names = [n for n in _list(entry.get("aliases")) if isinstance(n, str) and n in ids]
    if not names:
        return False
    group = sorted([*names, text(entry.get("id"))], key=lambda id: (not id.endswith("-latest"), len(id), id))
    return text(entry.get("id")) != group[0]


def _model(entry: Mapping[str, Any]) -> RemoteModel:
    abilities, features = obj(entry.get("capabilities")), _features(entry)
    inputs = obj(entry.get("architecture")).get("input_modalities") or entry.get("input_modalities")
    serving = obj(entry.get("top_provider"))
    return RemoteModel(
        id=text(entry.get("id")),
        name=_name(entry),
        context=_number(entry, _CONTEXT),
        max_output=_number(serving, _MAX_OUTPUT) or _number(entry, _MAX_OUTPUT),
        vision=_first_bool(
            "image" in inputs if isinstance(inputs, list) else None,
            abilities.get("vision"),
            entry.get("supports_image_in"),
            entry.get("supports_image_input"),
        ),
        tools=_first_bool(
            "tools" in features if features is not None else None,
            abilities.get("function_calling"),
            entry.get("supports_tools"),
        ),
        thinking=("adaptive",) if _reasons(entry, features) else (),
        lifecycle=_lifecycle(entry),
        **_prices(obj(entry.get("pricing"))),
        **_long_prices(entry),
    )


def _features(entry: Mapping[str, Any]) -> list[Any] | None:
    for name in ("supported_parameters", "supported_features"):
        if isinstance(entry.get(name), list):
            found: list[Any] = entry[name]
            return found
    return None


def _reasons(entry: Mapping[str, Any], features: list[Any] | None) -> bool:
    said = (obj(entry.get("capabilities")).get("reasoning"), entry.get("supports_reasoning"))
    return True in said or "reasoning" in (features or [])


def _name(entry: Mapping[str, Any]) -> str:
    name = text(entry.get("display_name")) or text(entry.get("name"))
    return "" if name == entry.get("id") else name


def _number(entry: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((count(entry.get(name)) for name in names if count(entry.get(name))), None)


def _first_bool(*values: object) -> bool | None:
    return next((value for value in values if isinstance(value, bool)), None)


def _lifecycle(entry: Mapping[str, Any]) -> str:
    """A date on which the model goes, or went."""
    ends = text(entry.get("deprecation")) or text(entry.get("expiration_date"))
    return "deprecated" if ends else ""


def _prices(said: Mapping[str, Any]) -> dict[str, Any]:
    """USD per million tokens; a negative price (OpenRouter's router) means that it depends."""
    found = {ours: _price(next((said[n] for n in theirs if n in said), None)) for ours, theirs in _PRICES.items()}
    return {name: price for name, price in found.items() if price is not None}


def _long_prices(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The first of OpenRouter's price steps for long prompts."""
    steps = [obj(o) for o in _list(obj(entry.get("pricing")).get("overrides"))]
    for step in steps:
        prices, begins = _prices(step), count(step.get("min_prompt_tokens"))
        if begins and {"price_in", "price_out"} <= set(prices):
            return {"long_from": begins, "long_in": prices["price_in"], "long_out": prices["price_out"]}
    return {}


def _price(said: object) -> float | None:
    if isinstance(said, str):
        try:
            dollars = float(said) * _MILLION
        except ValueError:
            return None
    elif isinstance(said, int | float) and not isinstance(said, bool):
        dollars = float(said) if said < 1e9 else -1.0
    else:
        return None
    return round(dollars, 6) if isfinite(dollars) and dollars >= 0 else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
