"""What a provider's word on a key means: an answer that is not asked for by a chat, and costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webapp.llm.dialects.answers import error_body, obj
from webapp.llm.errors import Fault, ProviderError
from webapp.llm.quirks import Verdict


def judge(body: bytes, verdicts: Iterable[Verdict]) -> None:
    """Raises ProviderError for a key that cannot chat, as the answer says; nothing for an answer it cannot read."""
    said = error_body(body) or {}
    for verdict in verdicts:
        if _holds(_at(said, verdict.field), verdict.value):
            raise ProviderError(Fault(verdict.kind, verdict.says, 200))


def _at(said: Mapping[str, Any], path: str) -> object:
    *way, last = path.split(".")
    for name in way:
        said = obj(said.get(name))
    return said.get(last)


def _holds(found: object, value: bool | int) -> bool:
    if isinstance(value, bool) or isinstance(found, bool):
        return found is value
    return isinstance(found, int | float) and found <= value
