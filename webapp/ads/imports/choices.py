"""What a person may correct between looking at a file and saving it. Everything left open is as the file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from webapp.ads.imports import headers
from webapp.ads.imports.sniff import Sheet


@dataclass(frozen=True)
class Choices:
    """`columns`: field -> column. `dates`, `mark`, `currency` count only where the file leaves them open. `account` is
    the id of an imported ad account that the days go to; empty: a new one, called `name`. `timezone`: an IANA name."""

    columns: Mapping[str, int]
    dates: str = ""
    mark: str = ""
    currency: str = ""
    timezone: str = ""
    account: str = ""
    name: str = ""

    @staticmethod
    def of(sheet: Sheet, stored: Mapping[str, Any]) -> Choices:
        """What was chosen; at first what the names of the columns say."""
        if not stored:
            return Choices(headers.propose(sheet.kind, sheet.header))
        fits = {field: at for field, at in stored["columns"].items() if at < len(sheet.header)}
        return Choices(**{**stored, "columns": fits})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
