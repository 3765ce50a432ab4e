"""Scenes with gevent's patches in force, each in a process of its own: python -m tests.llm.patched SCENE URL."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from webapp.llm.blocks import Message, Text  # noqa: E402
from webapp.llm.client import Client  # noqa: E402
from webapp.llm.errors import ProviderError  # noqa: E402
from webapp.llm.events import TextDelta  # noqa: E402
from webapp.llm.providers import ANTHROPIC, Provider  # noqa: E402
from webapp.llm.request import ModelRequest  # noqa: E402
from webapp.secret import Secret  # noqa: E402

KEY = Secret("sk-ant-api03-CANARY-0123456789-abcdef")
ASKED = ModelRequest("claude-haiku-4-5", (Message("user", (Text("Hello"),)),))
WAITED = 0.3


def kill(provider: Provider) -> dict[str, Any]:
    """A greenlet that waits for the next word is killed."""
    texts: list[str] = []

    def read() -> None:
        texts.extend(e.text for e in Client().stream(provider, ASKED, KEY) if isinstance(e, TextDelta))

    def listen() -> None:
        for event in Client(idle_timeout=20).stream(provider, ASKED, KEY):
            if isinstance(event, TextDelta):
                texts.append(event.text)

    greenlet = gevent.spawn(listen)
    gevent.sleep(WAITED)
    began = time.monotonic()
    greenlet.kill()
    seconds = time.monotonic() - began
    gevent.sleep(1.2)  # the process must not be what closes the connection
    return {"texts": len(texts), "seconds": seconds, "waited": WAITED}


def drip(provider: Provider) -> dict[str, Any]:
    """Bytes come, one at a time, for ever."""
    began = time.monotonic()
    try:
        for _ in Client(idle_timeout=0.4, total_timeout=1.0).stream(provider, ASKED, KEY):
            pass
    except ProviderError as error:
        return {"kind": error.fault.kind, "code": error.fault.code, "seconds": time.monotonic() - began}
    return {}


def tick(provider: Provider, certificate: str) -> dict[str, Any]:
    """Twenty streams at once."""
    client = Client(tick=0.05)
    client._session(provider).verify = certificate or True
    began = time.monotonic()

    def listen() -> list[float]:
        return [time.monotonic() - began for e in client.stream(provider, ASKED, KEY) if isinstance(e, TextDelta)]

    readers = [gevent.spawn(listen) for _ in range(20)]
    gevent.joinall(readers, raise_error=True)
    words = [reader.value for reader in readers]
    wakes = [sorted({round(at, 2) for at in each}) for each in words]
    return {
        "words": [len(each) for each in words],
        "wakes": [len(each) for each in wakes],
        "moments": len({at for each in wakes for at in each}),
        "seconds": time.monotonic() - began,
    }


if __name__ == "__main__":
    _, scene, url, *more = sys.argv
    made = Provider(**{**vars(ANTHROPIC), "base_url": url})
    scenes: dict[str, Callable[..., dict[str, Any]]] = {"kill": kill, "drip": drip, "tick": tick}
    print(json.dumps(scenes[scene](made, *more)))
