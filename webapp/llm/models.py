"""What models a key can use: the provider's own list, joined with our table of prices and abilities.

The list says what exists and, where it tells, what it can do; the table (model_catalog.json, which names its sources
and its date) adds prices. What neither knows is None or empty: it is shown as unknown, never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from webapp.llm.blocks import Json

_CATALOG: Json = json.loads((Path(__file__).parent / "model_catalog.json").read_text("utf-8"))
MOST_TRIED = 5  # models for one test

_DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
_LINE = re.compile(r"\b(opus|sonnet|haiku|fable|mythos)\b")


@dataclass(frozen=True)
class RemoteModel:
    """A model as a provider lists it; None and "" where the list does not say."""

    id: str
    name: str = ""
    line: str = ""
    context: int | None = None  # tokens
    max_output: int | None = None  # tokens
    vision: bool | None = None
    tools: bool | None = None
    thinking: tuple[str, ...] = ()  # the types it takes: adaptive, enabled, disabled, between_tools
    lifecycle: str = ""  # active, deprecated, retired
    price_in: float | None = None  # USD per million tokens, all of these
    price_out: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    long_from: int | None = None  # input tokens beyond which the whole call costs long_in and long_out
    long_in: float | None = None
    long_out: float | None = None


@dataclass(frozen=True)
class ModelPage:
    """A page of a provider's list. `after` asks for the next one; "" if this is the last."""

    models: tuple[RemoteModel, ...]
    after: str = ""


@dataclass(frozen=True)
class Model:
    """A model as the picker shows it and the receipt prices it. Prices are USD per million tokens, None if unknown."""

    id: str
    name: str
    line: str = ""
    context: int | None = None
    max_output: int | None = None
    tools: bool | None = None
    vision: bool | None = None
    thinking: tuple[str, ...] = ()
    price_in: float | None = None
    price_out: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None  # 5-minute entries
    cache_write_1h: float | None = None
    long_from: int | None = None  # input tokens beyond which the whole call costs long_in and long_out
    long_in: float | None = None
    long_out: float | None = None
    cache_min: int | None = None  # tokens below which nothing is cached
    lifecycle: str = ""
    priced_at: str = ""  # the date of the table the prices are from, "" without prices or with the provider's own

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "thinking": list(self.thinking)}

    @staticmethod
    def from_json(raw: Json) -> Model:
        """The inverse of to_json; fields that a newer or older version wrote are left out."""
        known = {f.name for f in fields(Model)}
        kept = {k: v for k, v in raw.items() if k in known}
        return Model(**{**kept, "thinking": tuple(kept.get("thinking", ()))})


def join(provider: str, remote: Iterable[RemoteModel]) -> list[Model]:
    """The remote models of the provider with that slug, in the provider's order, with what our table knows of them."""
    table: Json = _CATALOG["providers"].get(provider, {})
    return [_joined(model, _entry(table, model.id)) for model in remote]


def cheapest(models: Iterable[Model], usual: str = "") -> list[Model]:
    """What a test call is tried on, best first: the `usual` one if it is there, then one per line, haiku first, then by
    known price. What is free comes late, since it proves no credit; what is retired never."""
    usable = [m for m in models if m.lifecycle != "retired"]
    ranked = sorted(usable, key=lambda m: (m.id != usual, m.line != "haiku", not m.price_in, m.price_in or 0.0))
    best: dict[str, Model] = {}
    for model in ranked:
        best.setdefault(model.line or model.id, model)
    return list(best.values())[:MOST_TRIED]


def _entry(table: Json, id: str) -> Json:
    """A dated id is a snapshot of the model without the date, which the table may list as -latest or -0."""
    id = id.lower()
    undated = _DATED.sub("", id)
    return next((table[i] for i in (id, undated, f"{undated}-latest", f"{undated}-0") if i in table), {})


def _joined(remote: RemoteModel, entry: Json) -> Model:
    return Model(
        id=remote.id,
        name=remote.name or entry.get("name") or remote.id,
        line=remote.line or _line(remote.id),
        context=remote.context or entry.get("ctx"),
        max_output=remote.max_output or entry.get("max_out"),
        tools=entry.get("tools") if remote.tools is None else remote.tools,
        vision=entry.get("vision") if remote.vision is None else remote.vision,
        thinking=remote.thinking or (("adaptive",) if entry.get("thinks") else ()),
        cache_min=entry.get("cache_min"),
        lifecycle=remote.lifecycle,
        **(_own_prices(remote) if remote.price_in is not None else _table_prices(entry)),
    )


def _own_prices(remote: RemoteModel) -> dict[str, Any]:
    """What the provider itself asks, which goes before any table."""
    names = ("price_in", "price_out", "cache_read", "cache_write", "long_from", "long_in", "long_out")
    return {name: getattr(remote, name) for name in names}


def _table_prices(entry: Json) -> dict[str, Any]:
    threshold, (long_in, long_out) = _long(entry)
    return {
        "price_in": entry.get("in"),
        "price_out": entry.get("out"),
        "cache_read": entry.get("cr"),
        "cache_write": entry.get("cw"),
        "cache_write_1h": entry.get("cw1h"),
        "long_from": threshold,
        "long_in": long_in,
        "long_out": long_out,
        "priced_at": _CATALOG["generated"] if "in" in entry else "",
    }


def _line(id: str) -> str:
    found = _LINE.search(id)
    return found[1] if found else ""


def _long(entry: Json) -> tuple[int | None, tuple[float | None, float | None]]:
    for threshold, (price_in, price_out) in entry.get("long_ctx", {}).items():
        return int(threshold.removesuffix("k")) * 1000, (price_in, price_out)
    return None, (None, None)
