"""A local stand-in for Meta's Graph API v26: campaigns, ad sets, insights, changes, tokens, pages and errors.

It does what recorded bodies show the real one to do: leaves out fields without a value, writes numbers as strings,
gives the last page a cursor but no `next`, puts the token into `next`, and answers a write with {"success": true}. The
official SDK drives it in tests/peers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.ads.fakes.server import Fake, Reply, Request, json_list

TRACE = "AbCdEfGhIjKlMnOpQrStUv"
HIDDEN = ("ARCHIVED", "DELETED")  # by default
Row = dict[str, Any]


class Refused(Exception):
    """An error as Graph spells it."""

    def __init__(self, code: int, message: str, *, status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.reply = error(code, message, status=status, **more)


def error(code: int, message: str, *, status: int = 400, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    told = {"message": message, "type": "OAuthException", "code": code, **more, "fbtrace_id": TRACE}
    return Reply({"error": told}, status, headers or {})


def campaign(id: str, **more: Any) -> Row:
    """An active campaign for sales, whose budget is where `more` puts it."""
    usual = {
        "name": f"Campaign {id}",
        "status": "ACTIVE",
        "effective_status": more.get("status", "ACTIVE"),
        "objective": "OUTCOME_SALES",
        "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
        "start_time": "2026-05-01T00:00:00+0200",
        "updated_time": "2026-11-01T10:00:00+0100",
    }
    return {"id": id, **usual, **more}


def adset(id: str, campaign_id: str, **more: Any) -> Row:
    return {"id": id, "campaign_id": campaign_id, "name": f"Ad set {id}", "effective_status": "ACTIVE", **more}


def day(campaign_id: str, date: str, spend: str, **more: Any) -> Row:
    return {"campaign_id": campaign_id, "date_start": date, "date_stop": date, "spend": spend, **more}


@dataclass
class Graph(Fake):
    token: str = "EAAGm0PX4ZCpsBA0canaryTOKEN0123456789"
    app_secret: str = ""
    version: str = "v26.0"
    scopes: tuple[str, ...] = ("ads_read", "ads_management")
    expires_at: int = 0
    dead: str = ""  # why the token is, if it is
    looks_at_itself: bool = True
    account: str = "100200300"
    accounts: list[Row] = field(default_factory=list)
    campaigns: dict[str, Row] = field(default_factory=dict)
    adsets: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    most: int = 500  # rows a page; more is "too much data"
    most_days: int = 90  # that insights can be asked for at once
    budget_writes: int = 4  # an hour

    def add(self, *campaigns: Row, adsets: list[Row] | None = None) -> None:
        for each in campaigns:
            self.campaigns[each["id"]] = {"account_id": self.account, **each}
        self.adsets += adsets or []

    def answer(self, request: Request) -> Reply:
        try:
            reply = self._answer(request)
        except Refused as refused:
            reply = refused.reply
        headers = {"x-fb-trace-id": TRACE, "facebook-api-version": self.version, **reply.headers}
        return Reply(reply.body, reply.status, headers)

    def _answer(self, request: Request) -> Reply:
        version, _, path = request.path.strip("/").partition("/")
        if version != self.version:
            raise Refused(2635, f"You are calling a deprecated version of the Ads API ({version}).")
        method = request.form.get("method", request.method).upper()
        asked = {**request.query, **request.form}
        self._check_token(request, asked)
        if path == "debug_token":
            return self._debug_token(method)
        if method == "POST":
            return self._change(path, asked)
        return self._read(path, asked)

    def _check_token(self, request: Request, asked: dict[str, str]) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = bearer or asked.get("access_token", "")
        if token != self.token or (self.dead and not request.path.endswith("debug_token")):
            raise Refused(190, self.dead or f"Malformed access token {token}", status=401, error_subcode=463)
        if self.app_secret:
            proof = hmac.new(self.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            if asked.get("appsecret_proof") != proof:
                raise Refused(100, "Invalid appsecret_proof provided in the API argument")

    # --- reading

    def _debug_token(self, method: str) -> Reply:
        if method != "GET" or not self.looks_at_itself:
            raise Refused(100, "You must provide an app access token, or a user access token that is an owner")
        found: Row = {"app_id": "42", "type": "SYSTEM_USER", "expires_at": self.expires_at, "is_valid": not self.dead}
        found |= {"scopes": list(self.scopes), "user_id": "7"}
        if self.dead:
            found["error"] = {"code": 190, "message": self.dead, "subcode": 463}
        return Reply({"data": found})

    def _read(self, path: str, asked: dict[str, str]) -> Reply:
        edges: dict[str, Callable[[], list[Row]]] = {
            "me/permissions": lambda: [{"permission": each, "status": "granted"} for each in self.scopes],
            "me/adaccounts": lambda: self.accounts,
            f"act_{self.account}/campaigns": lambda: self._listed([*self.campaigns.values()], asked),
            f"act_{self.account}/adsets": lambda: self._listed(self.adsets, asked),
            f"act_{self.account}/insights": lambda: self._insights(asked),
        }
        if path in edges:
            return self._page(edges[path](), path, asked)
        id, _, edge = path.partition("/")
        if id in self.campaigns and edge == "adsets":
            return self._page([each for each in self.adsets if each["campaign_id"] == id], path, asked)
        if id in self.campaigns and not edge:
            return Reply(_chosen(self.campaigns[id], asked))
        raise _missing(id)

    def _listed(self, rows: list[Row], asked: dict[str, str]) -> list[Row]:
        wanted = json_list(asked.get("effective_status", ""))
        return [
            row
            for row in rows
            if (row["effective_status"] in wanted if wanted else row["effective_status"] not in HIDDEN)
        ]

    def _insights(self, asked: dict[str, str]) -> list[Row]:
        span = json.loads(asked["time_range"])
        statuses = next(f["value"] for f in json.loads(asked["filtering"]) if f["field"] == "campaign.effective_status")
        days = [each for each in self.days if span["since"] <= each["date_start"] <= span["until"]]
        if len({each["date_start"] for each in days}) > self.most_days:
            raise Refused(100, "Too much data was requested.", error_subcode=1487534)
        return [each for each in days if self._status_of(each) in statuses]

    def _status_of(self, insight: Row) -> str:
        return str(self.campaigns[insight["campaign_id"]]["effective_status"])

    def _page(self, rows: list[Row], path: str, asked: dict[str, str]) -> Reply:
        limit, start = int(asked.get("limit", 25)), int(asked.get("after", "c0")[1:])
        page = rows[start : start + limit]
        if limit > self.most:
            told = "Please reduce the amount of data you're asking for, then retry your request"
            raise Refused(1, told, status=500)
        if not page:
            return Reply({"data": []})
        paging: Row = {"cursors": {"before": f"c{start}", "after": f"c{start + len(page)}"}}
        if start + len(page) < len(rows):
            paging["next"] = f"https://graph.facebook.com/{self.version}/{path}?access_token={self.token}&after=x"
        return Reply({"data": [_chosen(row, asked) for row in page], "paging": paging})

    # --- changing

    def _change(self, path: str, asked: dict[str, str]) -> Reply:
        found = self.campaigns.get(path)
        if found is None:
            raise _missing(path)
        if "ads_management" not in self.scopes:
            raise Refused(200, "(#200) Ad account owner has NOT granted ads_management permission", status=403)
        wanted = {name: asked[name] for name in ("status", "name", "daily_budget") if name in asked}
        self._check(found, wanted)
        if "validate_only" not in json_list(asked.get("execution_options", "")):
            self._apply(found, wanted)
        return Reply({"success": True})

    def _check(self, found: Row, wanted: Row) -> None:
        if found.get("smart_promotion_type") == "SMART_APP_PROMOTION":
            raise Refused(100, "Invalid parameter", error_subcode=3858504)
        if "daily_budget" not in wanted:
            return
        if not found.get("daily_budget"):
            told = "You can only set ad set budgets or campaign budgets."
            raise Refused(100, "Invalid parameter", error_subcode=1885621, error_user_msg=told)
        if int(wanted["daily_budget"]) < 100:
            title, told = "Your budget is too low", "The daily budget must be at least 1.00."
            more = {"error_user_title": title, "error_user_msg": told}
            raise Refused(100, "Invalid parameter", error_subcode=1885272, **more)
        if not self.budget_writes:
            raise Refused(613, "Calls to this api have exceeded the rate limit.", error_subcode=1487632)

    def _apply(self, found: Row, wanted: Row) -> None:
        found |= wanted
        if "status" in wanted:
            found["effective_status"] = wanted["status"]
        if "daily_budget" in wanted:
            self.budget_writes -= 1


def _chosen(row: Row, asked: dict[str, str]) -> Row:
    """The fields asked for that have a value; ids and dates come unasked, and rights have no choice of fields."""
    fields = {*asked.get("fields", "").split(","), "id", "date_start", "date_stop", "permission"}
    return {name: value for name, value in row.items() if name in fields or "permission" in row}


def _missing(id: str) -> Refused:
    told = f"Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions"
    return Refused(100, told, error_subcode=33)
