"""The providers, one record each. What differs between two providers of one dialect is data here, never an `if`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class WrongKey:
    """A known kind of key that cannot chat, recognised by its prefix, with the sentence that says so."""

    prefix: str
    says: str


@dataclass(frozen=True)
class Provider:
    slug: str
    name: str
    dialect: str  # a module name in llm/dialects
    base_url: str
    keys_url: str  # where a key is created and revoked
    usage_url: str
    billing_url: str
    key_hint: str  # what a key looks like, shown in the form
    key_prefix: str  # soft: a mismatch only warns
    wrong_keys: tuple[WrongKey, ...] = ()
    probe_model: str = ""  # used when the model list cannot be read
    logo: str = ""  # static/logos/<logo>.svg
    model_prefix: str = ""  # only models whose ids begin so are offered
    chats: str = ""  # pattern: where given, only listed models that match it can chat
    never_chats: str = ""  # pattern: listed models that cannot
    probe_tokens: int = 1  # the shortest answer that its models can be asked for
    demo: bool = False

    def offers(self, model: str) -> bool:
        """Whether a model that it lists is one to chat with, as far as its id tells."""
        if not model or not model.startswith(self.model_prefix):
            return False
        return bool(re.search(self.chats, model)) and not (self.never_chats and re.search(self.never_chats, model))


ANTHROPIC = Provider(
    slug="anthropic",
    name="Anthropic",
    dialect="anthropic_messages",
    base_url="https://api.anthropic.com",
    keys_url="https://platform.claude.com/settings/keys",
    usage_url="https://platform.claude.com/usage",
    billing_url="https://platform.claude.com/settings/billing",
    key_hint="sk-ant-api03-…",
    key_prefix="sk-ant-",
    wrong_keys=(
        WrongKey(
            "sk-ant-admin",
            "This is an Anthropic admin key. It manages an organisation and cannot chat. Create an API key instead.",
        ),
        WrongKey(
            "sk-ant-oat",
            "This is an OAuth token of a Claude subscription, not an API key. Create an API key instead.",
        ),
        WrongKey(
            "sk-ant-ort",
            "This is an OAuth refresh token, not an API key. Create an API key in the console instead.",
        ),
        WrongKey(
            "sk-ant-sid",
            "This is a browser session key of claude.ai, not an API key. Create an API key in the console instead.",
        ),
    ),
    probe_model="claude-haiku-4-5",
    logo="anthropic",
)

DEMO = Provider(
    slug="demo",
    name="Demo model",
    dialect="anthropic_messages",
    base_url="",
    keys_url="",
    usage_url="",
    billing_url="",
    key_hint="sk-ant-demo-…",
    key_prefix="sk-ant-demo",
    probe_model="demo-sonnet",
    model_prefix="demo-",
    logo="demo",
    demo=True,
)


def catalogue(base_urls: Mapping[str, str]) -> dict[str, Provider]:
    """The providers of this installation by slug, each with its base URL overridden where one is given.

    The demo provider is there only if it was given a base URL (make run gives it the simulator's).
    """
    known = [ANTHROPIC, *([DEMO] if base_urls.get("demo") else [])]
    return {p.slug: _at(p, base_urls.get(p.slug, p.base_url)) for p in known}


def _at(provider: Provider, base_url: str) -> Provider:
    fields = {**vars(provider), "base_url": base_url.rstrip("/")}
    return Provider(**fields)
