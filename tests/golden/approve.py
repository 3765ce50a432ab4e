"""The cached prefix of every chat surface as it was approved: system and tools, one file a surface.

`python -m tests.golden.approve` writes what the code says now. A changed file breaks the cache for everybody, once:
read the difference before you commit it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from webapp.chat.surfaces import SURFACES

FOLDER = Path(__file__).parent


def path(surface: str) -> Path:
    return FOLDER / f"prefix_{surface}.json"


def prefix(surface: str) -> str:
    """In the order that it is sent in; keys are not sorted, for their order is part of it."""
    found = SURFACES[surface]
    said = {"system": found.instructions.splitlines(), "tools": [asdict(spec) for spec in found.toolbox.specs()]}
    return json.dumps(said, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for name in SURFACES:
        path(name).write_text(prefix(name))
