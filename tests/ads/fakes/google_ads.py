"""A local stand-in for the Google Ads REST API v26 and for Google's token endpoint: GAQL, mutations, errors.

It does what the protos ask for: int64 as strings, zero metrics left out, camelCase names, failures among an error's
details. In tests/peers every body that comes and goes is read by the official protos, and the answers that a query gets
are the fields that the protos have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.ads.fakes.server import Fake, Reply, Request

Row = dict[str, Any]

FAILURE = "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure"
SEARCH = re.compile(
    r"SELECT (?P<fields>.+?) FROM (?P<resource>\w+)(?: WHERE (?P<where>.+?))?(?: LIMIT (?P<limit>\d+))?"
)
CONDITION = re.compile(r"(?P<field>[\w.]+) (?P<operator>=|!=|BETWEEN) (?P<value>.+)")
REQUEST = "Req-0123456789"


class Refused(Exception):
    def __init__(self, family: str, name: str, message: str = "", *, status: int = 400, **more: Any) -> None:
        super().__init__(name)
        self.reply = failure(family, name, message, status=status, **more)


def failure(family: str, name: str, message: str = "", *, status: int = 400, **more: Any) -> Reply:
    """An error of the API: {"quotaError": "RESOURCE_EXHAUSTED"} and what belongs to it."""
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}
    error = {"errorCode": {family: name}, "message": message or f"{name} happened.", **more}
    details = [{"@type": FAILURE, "errors": [error], "requestId": REQUEST}]
    told = {"code": status, "message": "Request contains an invalid argument.", "status": words.get(status, "INTERNAL")}
    return Reply({"error": {**told, "details": details}}, status)


def outage(code: int, status: str, message: str = "It is not available.") -> Reply:
    """An error from in front of the API."""
    return Reply({"error": {"code": code, "message": message, "status": status}}, code)


def campaign(id: str, budget: str, **more: Any) -> Row:
    usual = {
        "name": f"Campaign {id}",
        "status": "ENABLED",
        "primaryStatus": "ELIGIBLE",
        "primaryStatusReasons": [],
        "advertisingChannelType": "SEARCH",
        "biddingStrategyType": "TARGET_ROAS",
        "biddingStrategySystemStatus": "ENABLED",
        "startDateTime": "2026-05-01 00:00:00",
    }
    return {"id": id, "budget": budget, **usual, **more}


def budget(id: str, amount: str, **more: Any) -> Row:
    return {"id": id, "amountMicros": amount, "period": "DAILY", "explicitlyShared": False, **more}


def day(campaign_id: str, date: str, **metrics: Any) -> Row:
    """Metrics as the API spells them: costMicros and counts as text, conversions as numbers; without the zeros."""
    return {"campaign": campaign_id, "date": date, "metrics": metrics}


def customer(id: str, **more: Any) -> Row:
    usual = {"descriptiveName": f"Shop {id}", "currencyCode": "EUR", "timeZone": "Europe/Berlin", "status": "ENABLED"}
    return {"id": id, **usual, "manager": False, **more}


@dataclass
class GoogleAds(Fake):
    version: str = "v26"
    client: tuple[str, str] = ("client-1.apps.googleusercontent.com", "GOCSPX-canary-client-secret")
    refresh_token: str = "1//0canary-refresh-token-0123456789"
    ended: bool = False  # the refresh token
    access_tokens: list[str] = field(default_factory=list)  # the newest is good
    lives: int = 3599
    customer: str = "9990001112"
    customers: dict[str, Row] = field(default_factory=dict)  # directly accessible
    clients: dict[str, list[Row]] = field(default_factory=dict)  # manager -> below it
    closed: dict[str, Reply] = field(default_factory=dict)  # customer -> what it answers
    campaigns: dict[str, Row] = field(default_factory=dict)
    budgets: dict[str, Row] = field(default_factory=dict)
    days: list[Row] = field(default_factory=list)
    page: int = 10_000

    def add(self, *rows: Row, budgets: list[Row] | None = None) -> None:
        self.campaigns |= {each["id"]: each for each in rows}
        self.budgets |= {each["id"]: each for each in budgets or []}

    def answer(self, request: Request) -> Reply:
        try:
            reply = self._answer(request)
        except Refused as refused:
            reply = refused.reply
        return Reply(reply.body, reply.status, {"request-id": REQUEST, **reply.headers})

    def _answer(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request.form)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer not in self.access_tokens[-1:]:
            return outage(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        version, _, path = request.path.strip("/").partition("/")
        if version != self.version:
            return Reply(b"<html>404. That's an error.</html>", 404, {"content-type": "text/html"})
        if path == "customers:listAccessibleCustomers":
            return Reply({"resourceNames": [f"customers/{id}" for id in [*self.customers, *self.closed]]})
        found = re.fullmatch(r"customers/(\d+)/(\w+):(\w+)", path)
        if not found:
            return outage(404, "NOT_FOUND")
        return self._of_customer(found[1], f"{found[2]}:{found[3]}", request)

    def _token(self, form: dict[str, str]) -> Reply:
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return Reply({"error": "invalid_client", "error_description": "The OAuth client was not found."}, 401)
        if self.ended or form.get("refresh_token") != self.refresh_token:
            return Reply({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
        self.access_tokens.append(f"ya29.canary-access-token-{len(self.access_tokens):04}")
        return Reply({"access_token": self.access_tokens[-1], "expires_in": self.lives, "token_type": "Bearer"})

    def _of_customer(self, id: str, method: str, request: Request) -> Reply:
        if id in self.closed:
            return self.closed[id]
        below = [each["id"] for each in self.clients.get(request.headers.get("login-customer-id", ""), ())]
        if id not in (self.customer, *self.customers, *below):
            told = "User doesn't have permission to access customer."
            raise Refused("authorizationError", "USER_PERMISSION_DENIED", told, status=403)
        if method == "googleAds:search":
            return self._search(id, request.body)
        return self._mutate(id, method, request.body)

    # --- GAQL

    def _search(self, id: str, body: Row) -> Reply:
        query = SEARCH.fullmatch(body["query"])
        if not query:
            raise Refused("queryError", "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE")
        fields = query["fields"].split(", ")
        rows = [row for row in self._rows(id, query["resource"]) if _holds(row, query["where"])]
        if "segments.date" not in fields:
            rows = [*{row["campaign"]["id"] if "campaign" in row else n: row for n, row in enumerate(rows)}.values()]
        rows = rows[: int(query["limit"] or len(rows))]
        start = int(body.get("pageToken", "0").removeprefix("page-"))
        page: Row = {"results": [_chosen(row, fields) for row in rows[start : start + self.page]]}
        page["fieldMask"] = ",".join(_camel(each) for each in fields)
        if start + self.page < len(rows):
            page["nextPageToken"] = f"page-{start + self.page}"
        return Reply(page if page["results"] else {"fieldMask": page["fieldMask"]})

    def _rows(self, id: str, resource: str) -> Iterator[Row]:
        if resource == "customer":
            yield {"customer": {"resourceName": f"customers/{id}", **self.customers[id]}}
        if resource == "customer_client":
            for each in self.clients.get(id, ()):
                yield {"customerClient": {"resourceName": f"customers/{id}/customerClients/{each['id']}", **each}}
        if resource == "campaign":
            for each in self.campaigns.values():
                yield from self._rows_of(each)

    def _rows_of(self, found: Row) -> Iterator[Row]:
        name = f"customers/{self.customer}"
        shown = {key: value for key, value in found.items() if key != "budget"}
        row = {
            "campaign": {"resourceName": f"{name}/campaigns/{found['id']}", **shown},
            "campaignBudget": {
                "resourceName": f"{name}/campaignBudgets/{found['budget']}",
                **self.budgets[found["budget"]],
            },
        }
        yield row
        for each in self.days:
            if each["campaign"] == found["id"]:
                yield {**row, "segments": {"date": each["date"]}, "metrics": each["metrics"]}

    # --- changing

    def _mutate(self, id: str, method: str, body: Row) -> Reply:
        (operation,) = body["operations"]
        update = operation["update"]
        kind, _, there = update["resourceName"].removeprefix(f"customers/{id}/").partition("/")
        stored = {"campaigns": self.campaigns, "campaignBudgets": self.budgets}.get(kind, {}).get(there)
        if stored is None or method != f"{kind}:mutate":
            raise Refused("mutateError", "RESOURCE_NOT_FOUND", "Resource was not found.")
        field_name = operation["updateMask"]
        if field_name == "amountMicros" and int(update["amountMicros"]) % 10_000:
            raise Refused("campaignBudgetError", "NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT", "The amount is too fine.")
        if field_name == "name" and update["name"] in [each.get("name") for each in self.campaigns.values()]:
            raise Refused("campaignError", "DUPLICATE_CAMPAIGN_NAME", "There is a campaign of that name.")
        if body.get("validateOnly"):
            return Reply({})
        stored[field_name] = update[field_name]
        return Reply({"results": [{"resourceName": update["resourceName"]}]})


def _holds(row: Row, where: str | None) -> bool:
    conditions = re.split(r" AND (?!'\d)", where) if where else []
    return all(_is(row, condition) for condition in conditions)


def _is(row: Row, condition: str) -> bool:
    found = CONDITION.fullmatch(condition)
    if not found:
        raise Refused("queryError", "OPERATOR_FIELD_MISMATCH", condition)
    value = _at(row, found["field"])
    if found["operator"] == "BETWEEN":
        first, last = re.findall(r"'([^']*)'", found["value"])
        return value is not None and first <= value <= last
    wanted = {"TRUE": True, "FALSE": False}.get(found["value"], found["value"].strip("'"))
    return bool((value == wanted) == (found["operator"] == "="))


def _at(row: Row, path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(_camel(part)) if isinstance(value, dict) else None
    return value


def _chosen(row: Row, fields: list[str]) -> Row:
    """What was selected and has a value; a selected object names itself."""
    found: Row = {}
    for path in fields:
        value, (kind, name) = _at(row, path), _camel(path).split(".")
        if name == "primaryStatusReasons" and not value:
            continue
        if value is not None:
            named = {"resourceName": row[kind]["resourceName"]} if "resourceName" in row.get(kind, {}) else {}
            found[kind] = {**named, **found.get(kind, {}), name: value}
    return found


def _camel(path: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), path)
