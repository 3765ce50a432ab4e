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

    def headers(self, style: str, key: str, input_tokens: int, output_tokens: int) -> list[tuple[str, str]]:
        """Counts one request and returns the headers it is answered with: `anthropic-ratelimit-*` or `x-ratelimit-*`,
        none for another style."""
        minute = int(self.clock() // _MINUTE)
        then, used = self._used.get(key, (minute, {}))
        if then != minute:
            used = {}
        for name, amount in (("requests", 1), ("input-tokens", input_tokens), ("output-tokens", output_tokens)):
            used[name] = used.get(name, 0) + amount
        self._used[key] = (minute, used)
        match style:
            case "anthropic":
                reset = datetime.fromtimestamp((minute + 1) * _MINUTE, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                return [header for name in _LIMITS for header in _anthropic(name, used[name], reset)]
            case "openai":
                reset = f"{(minute + 1) * _MINUTE - self.clock():.3f}s"
                return [header for name in ("requests", "tokens") for header in _openai(name, used, reset)]
        return []


def _anthropic(name: str, used: int, reset: str) -> list[tuple[str, str]]:
    prefix = f"anthropic-ratelimit-{name}"
    return [
        (f"{prefix}-limit", str(_LIMITS[name])),
        (f"{prefix}-remaining", str(max(0, _LIMITS[name] - used))),
        (f"{prefix}-reset", reset),
    ]


def _openai(name: str, used: dict[str, int], reset: str) -> list[tuple[str, str]]:
    kinds = [kind for kind in _LIMITS if kind.endswith(name)]
    limit = sum(_LIMITS[kind] for kind in kinds)
    left = max(0, limit - sum(used[kind] for kind in kinds))
    return [
        (f"x-ratelimit-limit-{name}", str(limit)),
        (f"x-ratelimit-remaining-{name}", str(left)),
        (f"x-ratelimit-reset-{name}", reset),
    ]
