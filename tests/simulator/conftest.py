"""The simulator as a process, and the official SDK to judge it by. Answers come at once unless a test asks for pace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
import requests
from anthropic import Anthropic

from tests.simulation import start_simulator

Connect = Callable[..., Anthropic]


@pytest.fixture(scope="session")
def simulator() -> Iterator[str]:
    """Its base URL."""
    base_url, stop = start_simulator()
    yield base_url
    assert stop() == 0


@pytest.fixture(scope="session")
def openai_pool() -> Iterator[openai.DefaultHttpxClient]:
    """The connections of OpenAI's SDK; to make them anew for each client takes longer than the tests."""
    with openai.DefaultHttpxClient() as pool:
        yield pool


_numbers = itertools.count(1)


@pytest.fixture
def key() -> str:
    """A working key nobody else uses, so that its cache is empty and it may be revoked."""
    return f"sk-ant-api03-ok-{next(_numbers)}"


@pytest.fixture
def connect(simulator: str, key: str) -> Connect:
    """An SDK client that checks the types of all it receives, and does not retry unless told to."""

    def connected(api_key: str = key, **options: Any) -> Anthropic:
        settings = {"max_retries": 0, "timeout": 20.0, "_strict_response_validation": True, **options}
        return Anthropic(api_key=api_key, base_url=simulator, **settings)

    return connected


@pytest.fixture
def client(connect: Connect) -> Anthropic:
    return connect()


@pytest.fixture
def post(simulator: str, key: str) -> Callable[..., requests.Response]:
    """Posts to /v1/messages without the SDK, to send what it would not and to see the bytes."""

    def posted(body: Any, *, stream: bool = False, **headers: str) -> requests.Response:
        sent = {"x-api-key": key, "anthropic-version": "2026-10-21", **headers}
        data = {"json": body} if isinstance(body, dict) else {"data": body}
        return requests.post(f"{simulator}/v1/messages", headers=sent, stream=stream, timeout=20, **data)

    return posted


@pytest.fixture
def stats(simulator: str) -> Callable[[], dict[str, Any]]:
    return lambda: requests.get(f"{simulator}/__stats", timeout=5).json()


@pytest.fixture
def control(simulator: str) -> Callable[..., None]:
    def controlled(verb: str, **given: Any) -> None:
        requests.post(f"{simulator}/__control/{verb}", json=given, timeout=5).raise_for_status()

    return controlled
