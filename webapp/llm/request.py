"""ModelRequest: what we ask a model, as a value. The prefix (system, tools) comes first and is byte-stable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from webapp.llm.blocks import Json, Message
from webapp.secret import Secret


@dataclass(frozen=True)
class ToolSpec:
    """A tool as the model sees it. `schema` is a flat JSON Schema object."""

    name: str
    description: str
    schema: Json


@dataclass(frozen=True)
class ModelRequest:
    """`max_output` counts thinking. `thinking` asks for visible reasoning where the model has it; "off" asks for none
    where that can be said. "" leaves it to the model."""

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[ToolSpec, ...] = ()
    max_output: int = 16_000
    thinking: Literal["", "adaptive", "off"] = ""
    drop_thinking: bool = False  # set after STALE_THINKING: replay without earlier reasoning
    user_hash: str = ""  # an opaque id of the asking person, for the provider's abuse control
    cache_key: str = ""  # an opaque id of those who share a prefix, so that their calls meet the same cache
    cache_ttl: Literal["5m", "1h"] = "5m"  # how long system and tools are to be kept, where that can be chosen
    follows: str | None = None  # the provider's id of the session's last answer, "" for none: it is asked why its cache
    # was missed, where it says so; None asks nothing


@dataclass(frozen=True)
class HttpCall:
    """An HTTP request as a value. `key_header` names the header that carries the key, with its prefix in `key_prefix`;
    the client puts the key in at the moment of sending, so that a printed call never holds one."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    key: Secret | None = None
    key_header: str = ""
    key_prefix: str = ""
