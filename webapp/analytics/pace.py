"""How much one shop and one address may send in a minute, counted in this process and nowhere else.

A count in the database would cost more than the event it counts, and would have to keep who sent it. Here an address is
a hash under a key that this process drew at its start and never tells; after a minute it is forgotten. The limits hold
per worker process.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from hashlib import blake2b

WINDOW = 60.0  # seconds
PER_ADDRESS, PER_SHOP = 120, 6_000
MOST = 50_000  # addresses remembered; beyond them only the shop's own limit counts


class Pace:
    """Counters of the current minute."""

    def __init__(self, *, per_address: int = PER_ADDRESS, per_shop: int = PER_SHOP) -> None:
        self._key = os.urandom(32)
        self._limits = {"address": per_address, "shop": per_shop}
        self._counts: Counter[bytes] = Counter()
        self._ends = 0.0

    def allows(self, address: str, shop: str) -> bool:
        """Count one event; False if it is one too many."""
        now = time.monotonic()
        if now >= self._ends:
            self._counts.clear()
            self._ends = now + WINDOW
        return self._count("address", address) and self._count("shop", shop)

    def _count(self, what: str, value: str) -> bool:
        bucket = blake2b(f"{what} {value}".encode(), key=self._key, digest_size=12).digest()
        if bucket not in self._counts and len(self._counts) >= MOST and what == "address":
            return True
        self._counts[bucket] += 1
        return self._counts[bucket] <= self._limits[what]
