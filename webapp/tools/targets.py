"""What a model's words name: a campaign, an ad account, a window. Ids are short and of this workspace only.

A campaign is named by its campaign_id (c_ and the first ten digits of our id), by the platform's id, or by its whole
name where only one has it. Nothing is guessed: what fits two things, or nearly fits one, is an error that lists them.
"""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

from webapp.ads import reports
from webapp.ads.figures import Account, Named
from webapp.ads.foreign import fence
from webapp.ads.reports import ref
from webapp.ads.windows import LONGEST, PRESETS, Period, Preset, Window
from webapp.llm.blocks import Json
from webapp.tools import ToolContext, ToolError

__all__ = ["ACCOUNT", "CAMPAIGN", "PERIOD", "account_id", "account_of", "campaign", "period", "read_only", "ref"]

PERIOD: dict[str, Json] = {
    "period": {
        "type": "string",
        "enum": list(PRESETS),
        "description": "Whole days in the ad account's timezone, today left out. Not together with date_from.",
    },
    "date_from": {"type": "string", "format": "date", "description": "First day, YYYY-MM-DD. Needs date_to."},
    "date_to": {"type": "string", "format": "date", "description": "Last day, included, YYYY-MM-DD."},
}
CAMPAIGN: Json = {
    "type": "string",
    "maxLength": 400,
    "description": "The campaign_id from list_campaigns (c_1f2e3d4c5b), the platform's id, or the whole name.",
}
ACCOUNT: Json = {
    "type": "string",
    "maxLength": 200,
    "description": "One ad account: its account_id from get_account_insights, or its whole name. Left out: all.",
}
NO_ACCOUNT = (
    "No ad account is connected to this workspace. Somebody who may manage ad accounts can connect Meta or Google Ads, "
    "import a file, or start the demo account under Settings, Ad accounts (/settings/ad-accounts)."
)


def campaign(context: ToolContext, given: str) -> Named:
    """The campaign that is meant. Raises ToolError: not known (with what is near), or more than one."""
    with context.database.look() as db:
        known = reports.names(context.scope, db)
    fitting = [it for it in known if given.lower() in (it.ref, str(it.id), it.external_id.lower())]
    fitting = fitting or [it for it in known if it.name.strip().lower() == given.lower()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        which = ", ".join(f"{it.id} (the platform's {it.external_id})" for it in fitting)
        raise ToolError(
            f"campaign_id {fence(given)} fits {len(fitting)} campaigns: {which}. Say which, by the long id."
        )
    raise ToolError(f"campaign_id {fence(given)} is not known{_near(given, known)}. Call list_campaigns for the ids.")


def account_of(context: ToolContext, campaign: Named) -> Account:
    """The account that a campaign belongs to."""
    with context.database.look() as db:
        return reports.campaign(context.scope, db, campaign.id, "yesterday").campaign.account


def read_only(account: Account) -> str:
    """Why nothing can be changed in an account that is not writable, and how to come there."""
    name = fence(account.name)
    if account.platform == "import":
        return f"{name} comes from a file and is for reading only. To change campaigns, connect the ad account itself."
    return (
        f"{name} is connected for reading only. Somebody who may manage ad accounts can connect it again under "
        "Settings, Ad accounts (/settings/ad-accounts), with a sign-in that may manage campaigns."
    )


def _near(given: str, known: Sequence[Named]) -> str:
    by_name = {it.name.lower(): it for it in known}
    close = difflib.get_close_matches(given.lower(), by_name, 3, 0.5)
    holding = [name for name in by_name if given.lower() in name and len(given) > 2]
    found = [by_name[name] for name in dict.fromkeys([*holding[:3], *close])][:3]
    return "; near it: " + ", ".join(f"{it.ref} {fence(it.name)}" for it in found) if found else ""


def account_id(accounts: Sequence[Account], given: str | None) -> uuid.UUID | None:
    """The id of the account that is meant; None means all. Raises ToolError."""
    if not accounts:
        raise ToolError(NO_ACCOUNT)
    if given is None or given.lower() == "all":
        return None
    fitting = [it for it in accounts if given.lower() in (it.ref, str(it.id), it.name.strip().lower())]
    if len(fitting) == 1:
        return fitting[0].id
    said = "fits more than one" if fitting else "is not known"
    raise ToolError(f"account_id {fence(given)} {said}. There are: {_listed(accounts)}.")


def _listed(accounts: Sequence[Account]) -> str:
    return ", ".join(f"{it.ref} {fence(it.name)} ({it.platform}, {it.currency})" for it in accounts[:20])


def period(arguments: dict[str, Any], default: Preset = "last_30d") -> Period:
    """The window that is asked for. Raises ToolError where the days do not make one."""
    since, until = arguments.get("date_from"), arguments.get("date_to")
    if since is None and until is None:
        return next((it for it in PRESETS if it == arguments.get("period")), default)
    if since is None or until is None:
        raise ToolError("Not called. date_from and date_to go together: give both, or period instead.")
    if "period" in arguments:
        raise ToolError("Not called. Give either period, or date_from and date_to.")
    found = Window(date.fromisoformat(since), date.fromisoformat(until))
    if found.days < 1:
        raise ToolError(f"Not called. date_from {since} is after date_to {until}.")
    if found.days > LONGEST:
        raise ToolError(f"Not called. A window has at most {LONGEST} days; this one has {found.days}.")
    return found
