"""What a guide may say of a provider: the `{{ provider.x }}` of docs/guides, drawn from its record and from the
requests that its dialect really makes. Prose is in the guides; nothing about one provider is written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from webapp.chat.picker import FRESH
from webapp.chat.turn import MAX_TRIES
from webapp.llm.blocks import Message, Text
from webapp.llm.client import SHORT
from webapp.llm.dialects import DIALECTS
from webapp.llm.errors import SAYS_OF_CODE, Fault, Kind, Words, explain
from webapp.llm.models import MOST_TRIED
from webapp.llm.providers import Provider, at
from webapp.llm.request import HttpCall, ModelRequest, ToolSpec
from webapp.pages.own_server import NOT_A_KEY, explain_own
from webapp.pages.providers import PER, TESTS
from webapp.secret import Secret

OWN_ADDRESS = "BASE_URL"  # stands for the address that a person types for a server of their own
PERSON, WORKSPACE = "an id of the person", "an id of the workspace"  # what we look for in a request
_KEY = Secret("the key")

TOLD = (  # what people meet, the most frequent first
    Fault(Kind.INVALID_KEY),
    Fault(Kind.KEY_FORBIDDEN),
    Fault(Kind.MODEL_FORBIDDEN),
    Fault(Kind.MODEL_NOT_FOUND),
    Fault(Kind.NO_CREDIT),
    Fault(Kind.RATE_LIMITED),
    Fault(Kind.OVERLOADED),
    Fault(Kind.CONTEXT_OVERFLOW),
    Fault(Kind.REGION_BLOCKED),
    Fault(Kind.TIMEOUT),
    Fault(Kind.NETWORK),
)
TOLD_OF_OWN = (  # and with a server of their own
    Fault(Kind.NETWORK, code="refused"),
    Fault(Kind.NETWORK, code="dns"),
    Fault(Kind.NETWORK, code="closed_address"),
    Fault(Kind.NETWORK, code="tls"),
    Fault(Kind.PROTOCOL, code="no_list"),
    Fault(Kind.MODEL_NOT_FOUND, code="no_models"),
    Fault(Kind.INVALID_KEY),
    Fault(Kind.TIMEOUT),
    Fault(Kind.OVERLOADED),
    Fault(Kind.CONTEXT_OVERFLOW),
)


def of_all(providers: Iterable[Provider], product_name: str) -> dict[str, str]:
    """What any guide may say."""
    limits = {
        "own.key": NOT_A_KEY,
        "limit.tests": str(TESTS),
        "limit.minutes": str(PER // 60),
        "limit.repeats": str(MAX_TRIES - 1),
        "limit.list": str(FRESH // timedelta(minutes=1)),
    }
    words = {f"says.{code}": _quoted(said) for code, said in SAYS_OF_CODE.items()}
    return {"product": product_name, "sent": _sent_table([p for p in providers if not p.demo]), **limits, **words}


def of(provider: Provider) -> dict[str, str]:
    """What the provider's own guide may say besides. Without the facts that its record leaves empty."""
    here = at(provider, provider.base_url or OWN_ADDRESS)
    fields = {name: str(getattr(provider, name)) for name in _FIELDS}
    drawn = {
        "header": _header(_chat_call(here, _usual_model(here))),
        "patience": str(round(SHORT * provider.patience)),
        "test": "\n".join(f"{n}. {step}" for n, step in enumerate(_test_steps(here), 1)),
        "caching": _caching(here),
        "wrong_keys": "\n".join(f"- `{wrong.prefix}…`: {wrong.says}" for wrong in provider.wrong_keys),
        "errors": table(("You read", "What to do"), _errors(provider)),
    }
    return {f"provider.{name}": value for name, value in {**fields, **drawn}.items() if value}


_FIELDS = ("name", "base_url", "keys_url", "usage_url", "billing_url", "key_hint", "key_prefix", "probe_model")


# --- what is sent -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """What a request of the chat carries beside the conversation itself, as names of its fields; "" for none."""

    marks: tuple[str, ...]  # what cache_control stands on
    cache_key: str
    person: str


def sent(provider: Provider, model: str) -> Sent:
    call = _chat_call(provider, model)
    body = json.loads(call.body)
    return Sent(tuple(_marks(body)), _path_to(WORKSPACE, body), _path_to(PERSON, body))


def _chat_call(provider: Provider, model: str) -> HttpCall:
    asked = ModelRequest(
        model=model,
        messages=(Message("user", (Text("Hello"),)),),
        system="instructions",
        tools=(ToolSpec("a_tool", "A tool.", {"type": "object", "properties": {"x": {"type": "string"}}}),),
        user_hash=PERSON,
        cache_key=WORKSPACE,
    )
    return DIALECTS[provider.dialect].call(provider, asked, _KEY)


def _usual_model(provider: Provider) -> str:
    """One whose requests carry marks, where only some do."""
    return next((f"{beginning}a-model" for beginning in provider.chat.marks_cache), provider.probe_model or "a-model")


def _marks(body: Mapping[str, Any]) -> Iterator[str]:
    if any("cache_control" in tool for tool in body.get("tools", ())):
        yield "the last tool, where the chat has tools"
    said = [m for m in body.get("messages", ()) if m["role"] == "system" and isinstance(m["content"], list)]
    blocks = [*(body.get("system") or ()), *(part for m in said for part in m["content"])]
    if any("cache_control" in block for block in blocks):
        yield "the instructions"
    if "cache_control" in body:
        yield "the conversation so far"


def _path_to(value: str, body: Mapping[str, Any], above: str = "") -> str:
    """The field that holds `value`, with dots."""
    for name, held in body.items():
        if held == value:
            return above + name
        if isinstance(held, Mapping) and (found := _path_to(value, held, f"{above}{name}.")):
            return found
    return ""


def _caching(provider: Provider) -> str:
    found = sent(provider, _usual_model(provider))
    said = []
    if found.marks:
        of_some = (
            f" for models that begin with {_listed(provider.chat.marks_cache)}" if provider.chat.marks_cache else ""
        )
        said.append(f"We set `cache_control`{of_some} on {enumerated(found.marks)}.")
    if found.cache_key:
        said.append(
            f"We send `{found.cache_key}` with an opaque id of the workspace, so that its calls meet one cache."
        )
    return " ".join(said) or "We send nothing about caching: what is cached is decided there."


def _sent_table(providers: Iterable[Provider]) -> str:
    rows = []
    for provider in providers:
        found = sent(at(provider, provider.base_url or OWN_ADDRESS), _usual_model(provider))
        marks = "`cache_control`" if found.marks else "none"
        some = f" ({_listed(provider.chat.marks_cache)} models)" if found.marks and provider.chat.marks_cache else ""
        rows.append((provider.name, marks + some, _code(found.cache_key), _code(found.person)))
    return table(("Provider", "Cache marks", "Workspace, as a hash", "Person, as a hash"), rows)


# --- the test call ------------------------------------------------------------------------------------------------


def _test_steps(provider: Provider) -> Iterator[str]:
    """What Client.probe does, in its order."""
    dialect = DIALECTS[provider.dialect]
    check = dialect.check_call(provider, _KEY)
    if check is not None:
        verdicts = provider.chat.verdicts + provider.responses.verdicts
        noes = "".join(f" “{verdict.says}”" for verdict in verdicts)
        yield f"`{check.method} {_address(check)}`, which is free. It can end the test with:{noes}"
    models = dialect.models_call(provider, _KEY)
    yield f"`{models.method} {_address(models)}`, for the models that the key may use."
    call = _chat_call(provider, provider.probe_model or "MODEL")
    yield (
        f"`{call.method} {_address(call)}` with the word “ping” and room for {_tokens(provider.probe_tokens)}, to "
        f"{_tested_model(provider)}. If that model is refused, the next one is tried, up to {MOST_TRIED}."
    )


def _tested_model(provider: Provider) -> str:
    if not provider.probe_model:
        return "the first model of the list"
    if provider.probe_listed:
        return f"`{provider.probe_model}`, or to the cheapest model of the list if that one is not in it"
    return f"the cheapest model of the list, or to `{provider.probe_model}` if the list is refused"


def _tokens(count: int) -> str:
    return "one token" if count == 1 else f"{count} tokens"


def _address(call: HttpCall) -> str:
    return call.url.partition("?")[0]


def _header(call: HttpCall) -> str:
    return f"{call.key_header}: {call.key_prefix}…"


# --- errors -------------------------------------------------------------------------------------------------------


def _errors(provider: Provider) -> Iterator[tuple[str, str]]:
    for fault in TOLD_OF_OWN if provider.self_hosted else TOLD:
        own = explain_own(fault, with_key=True) if provider.self_hosted else None
        words = own or explain(fault, provider.name)
        yield words.title, words.hint


def _quoted(words: Words) -> str:
    return f"“{words.title.replace('{provider}', 'The provider')}”"


# --- Markdown -----------------------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def enumerated(words: Sequence[str], last: str = "and") -> str:
    """One, two and three. There must be one."""
    return ", ".join(words[:-1]) + (f" {last} " if words[1:] else "") + words[-1]
