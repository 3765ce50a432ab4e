"""A conversation with a provider's demo model, over our own client, with tools on offer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.simulator.providers import BASES, KEYS, MODELS
from webapp.chat.surfaces import SURFACES
from webapp.llm.assembler import Assembler
from webapp.llm.blocks import Context, Message, Text, ToolResult, ToolUse
from webapp.llm.client import Client
from webapp.llm.history import replayable
from webapp.llm.providers import PROVIDERS, Provider
from webapp.llm.request import ModelRequest, ToolSpec
from webapp.secret import Secret

client = Client(idle_timeout=5.0, total_timeout=20.0)


class Talk:
    """A conversation of a provider's demo model with Maxxer's tools on offer."""

    def __init__(self, url: str, slug: str = "anthropic", tools: tuple[ToolSpec, ...] | None = None) -> None:
        found = next(provider for provider in PROVIDERS if provider.slug == slug)
        self.provider: Provider = replace(found, base_url=url + BASES.get(slug, ""))
        self.key = Secret(f"{KEYS.get(slug, 'sk-ant-api03-')}ok0123456789abcdef012345")
        self.model = MODELS.get(slug, "demo-sonnet")
        self.tools = SURFACES["chat"].toolbox.specs() if tools is None else tools
        self.messages: list[Message] = []

    def ask(self, question: str, *before: Context) -> Message:
        self.messages.append(Message("user", (*before, Text(question))))
        return self._answer()

    def answer(self, *contents: Any, is_error: bool = False) -> Message:
        """What the tools say to the calls of the last answer."""
        said = [content if isinstance(content, str) else json.dumps(content) for content in contents]
        uses = calls(self.messages[-1])
        results = [ToolResult(use.id, text, is_error) for use, text in zip(uses, said, strict=True)]
        self.messages.append(Message("user", tuple(results)))
        return self._answer()

    def _answer(self) -> Message:
        history = replayable(self.messages, self.provider.dialect, self.model)
        request = ModelRequest(self.model, history, "You are Maxxer.", self.tools)
        heard = Assembler()
        for event in client.stream(self.provider, request, self.key):
            heard.apply(event)
        self.messages.append(heard.message(self.provider.dialect))
        return self.messages[-1]


def calls(message: Message) -> list[ToolUse]:
    return [block for block in message.blocks if isinstance(block, ToolUse)]


def called(message: Message) -> list[tuple[str, dict[str, Any]]]:
    return [(use.name, {k: v for k, v in use.input.items() if k != "reason"}) for use in calls(message)]
