"""Law "prefix": system and tools serialise to identical bytes for every session of a surface, today and tomorrow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden import approve
from webapp.chat.surfaces import SURFACES
from webapp.llm.blocks import Message, Text
from webapp.llm.dialects import DIALECTS
from webapp.llm.providers import PROVIDERS, Provider
from webapp.llm.request import ModelRequest
from webapp.secret import Secret

ROOT = Path(__file__).parents[2]
PREFIX = ("system", "tools", "instructions", "systemInstruction")  # where the dialects put it
ONE_OF_EACH = {provider.dialect: provider for provider in PROVIDERS}

every_surface = pytest.mark.parametrize("surface", SURFACES)


@every_surface
def test_the_prefix_is_the_approved_one(surface: str) -> None:
    approved = approve.path(surface)
    assert approved.exists(), "python -m tests.golden.approve, and read what it wrote"
    assert approve.prefix(surface) == approved.read_text(), "a cache break: python -m tests.golden.approve, and read it"


@every_surface
@pytest.mark.parametrize("dialect", ONE_OF_EACH)
def test_two_people_on_two_days_in_two_workspaces_send_the_same_bytes(surface: str, dialect: str) -> None:
    hers = sent(ONE_OF_EACH[dialect], surface, "How did last week go?", "alice")
    his = sent(ONE_OF_EACH[dialect], surface, "Pause the losers", "bob")
    assert hers
    assert hers == his


def sent(provider: Provider, surface: str, question: str, whose: str) -> str:
    """The part of the request's body that comes before the conversation."""
    found = SURFACES[surface]
    request = ModelRequest(
        "model-1",
        (Message("user", (Text(question),)),),
        system=found.instructions,
        tools=found.toolbox.specs(),
        user_hash=whose,
        cache_key=f"workspace of {whose}",
    )
    body: dict[str, Any] = json.loads(DIALECTS[provider.dialect].call(provider, request, Secret("sk-x")).body)
    messages = [message for message in body.get("messages", []) if message["role"] in ("system", "developer")]
    return json.dumps({**{key: body[key] for key in PREFIX if key in body}, "messages": messages}, ensure_ascii=False)


def test_another_process_another_zone_and_another_hash_seed_make_no_difference() -> None:
    code = "from tests.golden.approve import SURFACES, prefix; print(*map(prefix, SURFACES))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "Asia/Tokyo"), ("2", "America/New_York"))
    }
    assert len(said) == 1


@every_surface
def test_nothing_in_it_changes_by_day_or_names_anybody(surface: str) -> None:
    said = SURFACES[surface].instructions
    assert not re.search(r"\b20\d\d\b|\btoday is\b|\bworkspace\b.*:", said, re.I)
    assert "⟦" in said
    assert "data" in said
