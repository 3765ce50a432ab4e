"""Reasoning in chat completions, beyond a plain field of text: OpenRouter's reasoning_details, <think> tags.

The details are pieces of a list that the next request must bring back: text and summaries grow piece by piece and are
told apart by type and index; a signature comes with or after its text; encrypted ones come whole. Joining the joined
lists of two blocks is the same as joining the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webapp.llm.dialects.answers import text

Details = list[dict[str, Any]]

_GROWS = {"reasoning.text": "text", "reasoning.summary": "summary"}
_OPENS, _CLOSES = "<think>", "</think>"


def add_details(kept: Details, fresh: Iterable[Mapping[str, Any]]) -> None:
    """Join `fresh` pieces to those that were `kept`."""
    for piece in fresh:
        grows = _GROWS.get(text(piece.get("type")))
        begun = next((d for d in reversed(kept) if _same(d, piece)), None) if grows else None
        if grows and begun is not None:
            said = text(begun.get(grows)) + text(piece.get(grows))
            begun.update({k: v for k, v in piece.items() if v not in (None, "")})
            begun[grows] = said
        else:
            kept.append(dict(piece))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one.get("type"), one.get("index")) == (other.get("type"), other.get("index"))


def details_text(details: Iterable[Mapping[str, Any]]) -> str:
    """What of them a person can read."""
    return "".join(text(d.get(_GROWS.get(text(d.get("type")), ""))) for d in details)


def have_substance(details: Iterable[Mapping[str, Any]]) -> bool:
    return any(d.get(name) for d in details for name in ("text", "summary", "data", "signature"))


class ThinkTags:
    """Text in pieces, parted into reasoning and the rest: what stands between <think> and </think> at the beginning."""

    def __init__(self) -> None:
        self._held = ""
        self._tag = _OPENS  # the tag that is looked for, "" after the last
        self._begun = False

    def feed(self, piece: str) -> list[tuple[bool, str]]:
        """Pieces of (is it reasoning, text), as far as they are certain."""
        if not self._tag:
            return [(False, self._unspaced(piece))]
        self._held += piece
        if self._tag is _OPENS:
            return self._look_for_opening()
        return self._look_for_closing()

    def close(self) -> list[tuple[bool, str]]:
        """What was held back, when nothing follows."""
        held, self._held = self._held, ""
        return [(self._tag is _CLOSES, held)]

    def _look_for_opening(self) -> list[tuple[bool, str]]:
        said = self._held.lstrip()
        if said.startswith(_OPENS):
            self._tag, self._held = _CLOSES, said.removeprefix(_OPENS).lstrip("\n")
            return self._look_for_closing()
        if _OPENS.startswith(said):
            return []
        self._tag, self._begun = "", True
        return self.close()

    def _look_for_closing(self) -> list[tuple[bool, str]]:
        thought, tag, rest = self._held.partition(_CLOSES)
        if tag:
            self._tag, self._held = "", ""
            return [(True, thought), (False, self._unspaced(rest))]
        sure = len(thought) - _overlap(thought)
        self._held = thought[sure:]
        return [(True, thought[:sure])]

    def _unspaced(self, piece: str) -> str:
        """The answer does not begin with the empty lines that follow the tag."""
        if not self._begun:
            piece = piece.lstrip()
            self._begun = bool(piece)
        return piece


def _overlap(said: str) -> int:
    """How many of the last characters may be the beginning of the closing tag."""
    return next((n for n in range(min(len(_CLOSES) - 1, len(said)), 0, -1) if _CLOSES.startswith(said[-n:])), 0)
