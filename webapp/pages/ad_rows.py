"""What is said of a connected ad account: on its row, and in the banner on every page. The views: ad_accounts.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from werkzeug.local import LocalProxy

from webapp.ads import accounts
from webapp.ads.accounts import AccountRow
from webapp.ads.faults import explain
from webapp.pages import web
from webapp.pages.amounts import as_typed
from webapp.pages.sign_ins import Trouble


@dataclass(frozen=True)
class Shown:
    """A connected account's row. `target` is what the field holds."""

    account: AccountRow
    target: str
    target_error: str = ""

    @staticmethod
    def of(account: AccountRow) -> Shown:
        return Shown(account, as_typed(account.target_cpa_micros, account.currency))

    @property
    def ends(self) -> str:
        """When the token ends, if that is within a week: "expires in 5 days"."""
        return ends(self.account)

    @property
    def trouble(self) -> Trouble | None:
        fault = self.account.fault
        if fault is None:
            return None
        words = explain(fault.trouble, self.account.platform)
        return Trouble(words.title, words.hint, fault.said, fault.code)


def ends(account: AccountRow) -> str:
    days = account.expires_in(datetime.now(UTC))
    match days:
        case None:
            return ""
        case 0:
            return "expires today"
        case 1:
            return "expires tomorrow"
        case _:
            return f"expires in {days} days" if days > 0 else "has expired"


def left_to_do(account: AccountRow) -> str:
    """What disconnecting did, and what it did not."""
    match account.platform:
        case "demo":
            return "The demo's shop stays until you remove it below, under Shop."
        case "import":
            return "Import the file again to bring it back."
        case _:
            return "Its token is erased here. Revoke it at the platform, too."


def banner() -> dict[str, Any]:
    """`ads_attention` for every template: accounts whose sign-in is refused or about to end, read when looked at."""
    return {"ads_attention": LocalProxy(_attention)}


def _attention() -> list[dict[str, str]]:
    scope = web.scope_shown()
    if scope is None:
        return []
    with web.database().begin() as db:
        found = accounts.attention(scope, db)
    told: dict[tuple[object, ...], list[AccountRow]] = {}
    for account in found:  # one token may lead to many accounts
        told.setdefault((account.platform, account.prefix, account.fault, account.expires_at), []).append(account)
    return [_line(group[0], len(group) - 1) for group in told.values()]


def _line(account: AccountRow, more: int) -> dict[str, str]:
    name = account.name if not more else f"{account.name} and {more} more"
    if account.fault:
        return {"title": f"{account.platform_name} refused the sign-in for {name}.", "text": "Its figures stand still."}
    title = f"The {account.platform_name} token for {name} {ends(account)}."
    return {"title": title, "text": "Without a new one the figures stand still."}
