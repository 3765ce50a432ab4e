"""Where each provider is found behind the simulator, and how its keys begin."""

from __future__ import annotations

from typing import Any

import requests

BASES = {
    "openai": "/openai/v1",
    "xai": "/xai/v1",
    "google": "/google/v1beta",
    "openrouter": "/openrouter/api/v1",
    "mistral": "/mistral/v1",
    "zai": "/zai/api/paas/v4",
    "deepseek": "/deepseek",
    "groq": "/groq/openai/v1",
    "moonshot": "/moonshot/v1",
    "together": "/together/v1",
    "fireworks": "/fireworks/inference/v1",
    "cerebras": "/cerebras/v1",
}
KEYS = {
    "openai": "sk-proj-",
    "xai": "xai-",
    "google": "AQ.",
    "openrouter": "sk-or-v1-",
    "mistral": "",
    "zai": "0123456789abcdef0123456789abcdef.",
    "deepseek": "sk-",
    "groq": "gsk_",
    "moonshot": "sk-",
    "together": "tgp_v1_",
    "fireworks": "fw_",
    "cerebras": "csk-",
}
MODELS = {  # one that thinks by itself, if the provider has it
    "openai": "gpt-6-luna",
    "xai": "grok-4.3",
    "google": "gemini-3.8-flash",
    "openrouter": "anthropic/claude-sonnet-5.5",
    "mistral": "magistral-medium-latest",
    "zai": "glm-5.3-flash",
    "deepseek": "deepseek-flash",
    "groq": "openai/gpt-oss-20b",
    "moonshot": "kimi-k2.6",
    "together": "deepseek-ai/DeepSeek-V4-Flash-0731",
    "fireworks": "accounts/fireworks/models/gpt-oss-120b",
    "cerebras": "zai-glm-4.7",
}
CHAT = [slug for slug in BASES if slug not in ("openai", "xai", "google")]
LOOK = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks",
        "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
    },
}


def working(slug: str, name: str = "") -> str:
    return f"{KEYS[slug]}ok{name}"


def asked(slug: str, text: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The path and body of a request that says `text`; `stream` as in chat completions, whatever the dialect."""
    model = changes.pop("model", MODELS[slug])
    if slug in ("openai", "xai"):
        return "/responses", {"model": model, "input": text, "store": False, **changes}
    if slug == "google":
        verb = "streamGenerateContent?alt=sse" if changes.pop("stream", False) else "generateContent"
        return f"/models/{model}:{verb}", {"contents": [{"role": "user", "parts": [{"text": text}]}], **changes}
    return "/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}], **changes}


def send(simulator: str, slug: str, path: str, body: Any = None, *, key: str = "") -> requests.Response:
    """Posts a body, or gets the path without one."""
    key = key or working(slug)
    headers = {"x-goog-api-key": key} if slug == "google" else {"authorization": f"Bearer {key}"}
    url = f"{simulator}{BASES[slug]}{path}"
    if body is None:
        return requests.get(url, headers=headers, timeout=20)
    return requests.post(url, json=body, headers=headers, timeout=20)
