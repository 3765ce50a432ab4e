"""The simulator beside recordings of the real services: what it sends has the shape of what they sent.

The recordings are no part of the repository; without them these tests are skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import ROOT
from tests.simulator.providers import KEYS, LOOK, asked, send

RECORDINGS = ROOT.parent / "shared" / "recordings"
FOLDERS = {"google": "gemini"}
EVERYTHING = '[[sim thinking=60 tool=look {"where": "here"}]] go'
RESPONSES_LOOK = {"type": "function", **LOOK["function"], "strict": False}
GEMINI_LOOK = {"functionDeclarations": [{"name": "look", "parametersJsonSchema": LOOK["function"]["parameters"]}]}
NEWER = {".candidates[].content.parts[].functionCall.id"}  # Gemini 3 has it, the recorded calls are older

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="recordings are not part of the repository")


def recorded(slug: str, *, dialect: str = "", framing: str = "sse") -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((RECORDINGS / FOLDERS.get(slug, slug)).glob("*.json")):
        exchange = json.loads(path.read_text())
        if exchange["framing"] == framing and dialect in exchange["dialect"]:
            yield path, exchange


def payloads(text: str) -> Iterator[Any]:
    for line in re.split(r"\r?\n", text):
        if line.startswith("data:") and line[5:].strip() not in ("[DONE]", ""):
            yield json.loads(line[5:])


def paths(value: Any, prefix: str = "") -> set[str]:
    """Every place of a JSON value, lists merged: `choices[].delta.content`. Not those of tools' own."""
    if isinstance(value, dict):
        found = {
            path
            for name, inner in value.items()
            if name not in ("args", "arguments", "parameters")
            for path in paths(inner, f"{prefix}.{name}")
        }
        return found | {prefix}
    if isinstance(value, list):
        return {path for inner in value for path in paths(inner, f"{prefix}[]")} | {prefix}
    return {prefix}


def streamed(simulator: str, slug: str, text: str = EVERYTHING, **options: Any) -> str:
    tools = {"google": GEMINI_LOOK, "openai": RESPONSES_LOOK, "xai": RESPONSES_LOOK}.get(slug, LOOK)
    thinking = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}} if slug == "google" else {}
    path, body = asked(slug, text, stream=True, tools=[tools], **thinking, **options)
    return send(simulator, slug, path, body).text


CASES = [
    ("openai", "responses"), ("google", ""), ("openrouter", "chat"), ("mistral", "chat"), ("zai", "chat"),
    ("deepseek", "chat"), ("groq", "chat"),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "dialect"), CASES)
def test_every_field_sent_is_one_that_was_recorded(simulator, slug, dialect):
    known: set[str] = set()
    for _, exchange in recorded(slug, dialect=dialect):
        for payload in payloads(exchange["response"]["body"]):
            known |= paths(payload)
    assert known, "there is something to compare with"
    asked_for = {"stream_options": {"include_usage": True}} if slug in ("deepseek", "groq") else {}
    ours = {path for payload in payloads(streamed(simulator, slug, **asked_for)) for path in paths(payload)}
    assert ours - known - NEWER == set()


@pytest.mark.parametrize(("slug", "dialect"), CASES)
def test_lines_are_framed_as_recorded_ones(simulator, slug, dialect):
    ours = streamed(simulator, slug)
    for path, exchange in recorded(slug, dialect=dialect):
        if exchange["fidelity"] != "wire" or "error" in path.stem:
            continue
        theirs = exchange["response"]["body"]
        for sign in ("\r\n", "[DONE]", "event: ", "data: {"):
            assert (sign in ours) is (sign in theirs), (path.name, sign)


BAD_KEYS = {
    "openai": "openai/error-401-gpt-4o-mirascope.json",
    "google": "gemini/error-400-gemini-2.5-flash-rubyllm.json",
    "xai": "xai/resp-error-400-grok-4.3-rubyllm.json",
    "deepseek": "deepseek/error-401-deepseek-chat-rubyllm.json",
}
SCRIPTED = [
    ("openai", "nocredit", "openai/error-429-ellmer.json"),
    ("openai", "context", "openai/resp-error-400-gpt-5-nano-rubyllm.json"),
    ("openai", "server", "openai/resp-error-500-gpt-4.1-nano-rubyllm.json"),
    ("xai", "nomodel", "xai/resp-error-400-grok-nonexistent-model-for-ident-rig.json"),
    ("google", "ratelimited", "gemini/error-429-gemini-2.5-flash-rubyllm.json"),
    ("google", "overloaded", "gemini/error-503-gemini-2.5-pro-pydai.json"),
    ("openrouter", "ratelimited", "openrouter/error-429-gemini-2.0-flash-exp-free-pydai.json"),
    ("openrouter", "nokey", "openrouter/error-401-claude-haiku-4.5-rubyllm.json"),
    ("openrouter", "context", "openrouter/error-400-claude-haiku-4.5-rubyllm.json"),
    ("mistral", "ratelimited", "mistral/error-429-mistral-small-latest-rubyllm.json"),
    ("mistral", "overloaded", "mistral/error-500-mistral-small-latest-rubyllm.json"),
    ("zai", "overloaded", "zai/error-429-glm-4.7-pydai.json"),
    ("deepseek", "context", "deepseek/error-400-deepseek-chat-rubyllm.json"),
    ("groq", "nomodel", "groq/error-404-non-existent-pydai.json"),
    ("groq", "ratelimited", "groq/error-429-llama-4-maverick-17b-128e-instru-pydai.json"),
    ("cerebras", "ratelimited", "cerebras/error-429-qwen-3-coder-480b-pydai.json"),
]
OPEN = {"message", "user_id", "metadata", "details", "error_type"}  # whose content differs from case to case


@pytest.mark.parametrize(("slug", "name", "file"), SCRIPTED)
def test_an_error_has_the_status_and_the_body_of_a_recorded_one(simulator, slug, name, file):
    path, body = asked(slug, f"[[sim error={name}]] go")
    _same_error(send(simulator, slug, path, body), file)


@pytest.mark.parametrize("slug", BAD_KEYS)
def test_a_bad_key_has_the_status_and_the_body_of_a_recorded_one(simulator, slug):
    path, body = asked(slug, "hello")
    _same_error(send(simulator, slug, path, body, key=f"{KEYS[slug]}revoked"), BAD_KEYS[slug])


def _same_error(got: Any, file: str) -> None:
    theirs = json.loads((RECORDINGS / file).read_text())["response"]
    body = theirs["body"] if isinstance(theirs["body"], dict) else json.loads(theirs["body"])
    ours = got.json()
    assert got.status_code == theirs["status"]
    assert _bare(ours) == _bare(body)


def _bare(body: Any) -> Any:
    """An error without its words."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("error"), str):
        return {**body, "error": body["error"].split(":")[0].split(".")[0]}
    return {name: _bare(inner) for name, inner in body.items() if name not in OPEN}


@pytest.mark.parametrize("slug", ["openai", "xai", "google", "openrouter", "mistral", "deepseek", "groq"])
def test_model_lists_have_the_shape_of_recorded_ones(simulator, slug):
    ((_, exchange),) = [(path, e) for path, e in recorded(slug, framing="json") if path.stem.startswith("models")]
    body = exchange["response"]["body"]
    theirs = paths(body if isinstance(body, dict | list) else json.loads(body))
    ours = paths(send(simulator, slug, "/models").json())
    optional = {".data[].capabilities.reasoning", ".object"}
    strange = {path for path in ours - theirs - optional if not path.startswith(".data[].default_parameters")}
    assert strange == set()
