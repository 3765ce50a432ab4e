"""Rate-limit headers: what a key used in this minute. They inform; only a `ratelimited` key is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_MINUTE = 60.0
_LIMITS = {"requests": 4_000, "input-tokens": 4_000_000, "output-tokens": 800_000}


@dataclass
class Limits:
    """`clock` is in seconds since 1970."""

    clock: Callable[[], float]
    _used: dict[str, tuple[int, dict[str, int]]] = field(default_factory=dict)

    def headers(self, key: str, input_tokens: int, output_tokens: int) -> list[tuple[str, str]]:
        """Counts one request and returns the `anthropic-ratelimit-*` headers it is answered with."""
        minute = int(self.clock() // _MINUTE)
        then, used = self._used.get(key, (minute, {}))
        if then != minute:
            used = {}
        for name, amount in (("requests", 1), ("input-tokens", input_tokens), ("output-tokens", output_tokens)):
            used[name] = used.get(name, 0) + amount
        self._used[key] = (minute, used)
        reset = datetime.fromtimestamp((minute + 1) * _MINUTE, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [header for name, limit in _LIMITS.items() for header in _three(name, limit, used[name], reset)]


def _three(name: str, limit: int, used: int, reset: str) -> list[tuple[str, str]]:
    prefix = f"anthropic-ratelimit-{name}"
    return [
        (f"{prefix}-limit", str(limit)),
        (f"{prefix}-remaining", str(max(0, limit - used))),
        (f"{prefix}-reset", reset),
    ]
