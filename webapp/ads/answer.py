"""What came back over HTTP, as a value: nothing of how it was sent, and no token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes

    def json(self) -> Any:
        """None for anything that is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None
