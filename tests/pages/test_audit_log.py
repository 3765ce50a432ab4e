"""Settings › Audit log: every deed as a sentence, none lost between its pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.people import Browser
from webapp import audit
from webapp.pages.audit_log import DEEDS

PAGE = "/settings/audit"
ROOT = Path(__file__).resolve().parents[2]


def deeds(browser: Browser) -> list[str]:
    """What the page says of each entry, the newest first."""
    rows = re.findall(r'<tr id="entry-\d+">\s*<td>(.*?)</td>', browser.get(PAGE).text, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", row) for row in rows]


def test_limits_are_told_with_their_size_and_for_whom(alice: Browser, bob: Browser) -> None:
    usd = {"applies_to": "workspace", "period": "day", "unit": "usd", "amount": "25.50"}
    alice.send("/settings/budgets", **usd)
    alice.send("/settings/budgets", **{**usd, "applies_to": "member", "user_id": str(bob.user_id), "amount": "3"})
    alice.send("/settings/budgets", applies_to="turn", period="turn", unit="tokens", amount="9000")
    [remove] = re.findall(r'action="(/settings/budgets/[^"]+/remove)"', alice.get("/settings/budgets").text)[:1]
    alice.send(remove)
    removed, *said = deeds(bob)[:4]
    assert removed.startswith("Alice removed the limit of ")
    assert said == [
        "Alice set a limit of 9,000 tokens an answer",
        "Alice set a limit of 3.00 USD a day for Bob",
        "Alice set a limit of 25.50 USD a day for the workspace",
    ]


def test_older_entries_are_a_link_away_and_none_is_lost(alice: Browser) -> None:
    with alice.database.begin() as db:
        for n in range(120):
            audit.record(alice.scope, db, "workspace.renamed", f"name-{n:03}", was="x")
            db.flush()
    seen: list[str] = []
    url: str | None = "/settings/audit"
    while url:
        page = alice.get(url).text
        seen += re.findall(r"name-\d\d\d", page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        url = older[1].replace("&amp;", "&") if older else None
    assert seen == [f"name-{n:03}" for n in reversed(range(120))]


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 30, "1"])
def test_any_position_in_the_audit_page_is_a_page(alice: Browser, before: str) -> None:
    assert alice.get(f"/settings/audit?before={before}").status_code == 200


def test_every_deed_has_its_sentence() -> None:
    """What the stores record is what the table knows, so that no page shows a word of the code."""
    sources = "".join(path.read_text() for path in (ROOT / "webapp").rglob("*.py") if path.name != "audit_log.py")
    named = set(re.findall(r'audit\.record\(scope, db, "([a-z_.]+)"', sources))
    chosen = set(re.findall(r'"((?:key|ads)\.(?:connected|replaced|revoked|disconnected))"', sources))
    own = {f"own_{each}" for each in chosen if each.startswith("key.")}
    assert named | chosen | own == set(DEEDS)
