"""update_campaign and pause_all_low_roas: they propose, or say why not. No call of a model changes anything."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import func, select

from tests.campaigns import account, campaign, newcomer
from tests.tools.conftest import Chat, Made, chat
from webapp.ads import changes
from webapp.ads.demo import CAMPAIGN, INJECTION, STORY
from webapp.ads.plans import PlanView
from webapp.db import Database
from webapp.db.models import AdAccount, Campaign, ChangePlan
from webapp.tools import Proposed, ToolError

WHY = "The person asked for it."


@pytest.fixture
def alice(changing: Database, demo: Made, settings) -> Chat:
    """Her workspace lets plans be approved."""
    made = chat(changing, settings, demo.alice)
    made.rails()
    return made


def plan_of(alice: Chat, outcome: object) -> PlanView:
    assert isinstance(outcome, Proposed), outcome
    with alice.database.begin() as db:
        return changes.plan(alice.scope, db, outcome.plan_id)


def states(alice: Chat) -> dict[str, tuple[str, int | None, str]]:
    with alice.database.begin() as db:
        return {row.external_id: (row.status, row.budget_micros, row.name) for row in db.scalars(select(Campaign))}


def plans(alice: Chat) -> int:
    """Made in this turn."""
    with alice.database.begin() as db:
        mine = ChangePlan.turn_id == alice.context.turn_id
        return db.scalar(select(func.count()).select_from(ChangePlan).where(mine)) or 0


def named(story: str) -> str:
    return CAMPAIGN[STORY[story].campaigns[0]].name


# --- one campaign -----------------------------------------------------------------------------------------------


def test_a_pause_is_proposed_and_nothing_happens(alice):
    before = states(alice)
    outcome = alice.call("update_campaign", campaign_id="238410100003", status="paused", reason=WHY, confirmed=True)
    plan = plan_of(alice, outcome)
    (item,) = plan.items
    assert (plan.status, item.field, item.before, item.after) == ("pending", "status", "active", "paused")
    assert item.campaign_name == named("loser")
    assert "confirmed" not in plan.arguments
    assert states(alice) == before


def test_several_changes_of_one_campaign_make_one_plan(alice):
    outcome = alice.call(
        "update_campaign", campaign_id="238410100001", daily_budget="110.50", name="Broad, more", reason=WHY
    )
    assert [(item.field, item.before, item.after) for item in plan_of(alice, outcome).items] == [
        ("daily_budget", 100_000_000, 110_500_000),
        ("name", "Prospecting | Broad | campaign budget", "Broad, more"),
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"campaign_id": "238410100002", "daily_budget": "90"}, "sits on 4 ad sets"),
        ({"campaign_id": "238410100011", "daily_budget": "90"}, "has no daily budget"),
        (
            {"campaign_id": "238410100001", "daily_budget": "110", "currency": "EUR"},
            "currency is USD. The amount is in EUR",
        ),
        ({"campaign_id": "238410100001", "daily_budget": "1000"}, "The guard rails allow 20 %"),
        ({"campaign_id": "238410300001", "daily_budget": "8000.50"}, "no finer than its currency"),
        ({"campaign_id": "238410100001", "status": "active"}, "is active already"),
        ({"campaign_id": "238410100013", "status": "active"}, "is archived: it cannot be changed"),
    ],
)
def test_what_may_not_be_proposed_is_answered_with_the_reason(alice, wanted, said):
    found = alice.call("update_campaign", reason=WHY, **wanted)
    assert found["caveats"][0] == "Nothing was changed and nothing waits for approval."
    assert said in found["caveats"][1]
    assert plans(alice) == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"campaign_id": "238410100001", "reason": WHY}, "give status, daily_budget or name"),
        ({"campaign_id": "238410100001", "status": "paused"}, "reason is missing"),
        ({"campaign_id": "238410100001", "status": "deleted", "reason": WHY}, "it must be one of active, paused"),
        ({"campaign_id": "238410100001", "daily_budget": "1,200", "reason": WHY}, "in units of the account's currency"),
        ({"campaign_id": "238410100001", "daily_budget": "-5", "reason": WHY}, "in units of the account's currency"),
        ({"campaign_id": "everything", "status": "paused", "reason": WHY}, "is not known"),
    ],
)
def test_arguments_that_make_no_change_are_errors_the_model_can_act_on(alice, wanted, said):
    with pytest.raises(ToolError, match=said):
        alice.call("update_campaign", **wanted)
    assert plans(alice) == 0


# --- who does not pay -------------------------------------------------------------------------------------------


def test_the_old_loser_is_proposed_and_what_only_looks_bad_is_not(alice):
    plan = plan_of(alice, alice.call("pause_all_low_roas", threshold=1.5))
    assert [item.campaign_name for item in plan.items] == [named("loser")]
    assert plan.items[0].evidence is not None
    assert plan.items[0].evidence.probability > 0.9
    assert named("learning") in [it.campaign_name for it in plan.undecided]
    kept = {it.campaign_name: it.evidence.reason for it in plan.kept}
    assert kept[named("awareness")] == "Its aim is awareness: its ROAS does not judge it."
    assert INJECTION in kept
    assert plan.report["threshold"] == 1.5


def test_where_nothing_is_below_beyond_doubt_every_verdict_is_told_and_nothing_waits(alice):
    found = alice.call("pause_all_low_roas", threshold=2.0, platform="google")
    assert found["caveats"][0] == "Nothing was changed and nothing waits for approval."
    verdicts = {row["name"]: row for row in found["rows"]}
    assert {row["verdict"] for row in verdicts.values()} <= {"keep", "undecided"}
    assert any("its mature days" in caveat for caveat in found["caveats"])
    assert plans(alice) == 0


def test_little_spend_is_undecided_and_says_how_much_more_would_decide(alice):
    found = alice.call("pause_all_low_roas", threshold=1.5, account_id="Harbour & Hide (Meta)", min_spend="5000")
    loser = next(row for row in found["rows"] if row["name"] == f"⟦{named('loser')}⟧")
    assert loser["verdict"] == "undecided"
    assert loser["needs"] > 1000
    assert loser["reason"] == "Too little spend to tell."


def test_a_workspace_that_only_previews_says_what_would_change(alice):
    alice.rails(mode="preview")
    found = alice.call("pause_all_low_roas", threshold=1.5)
    assert found["status"] == "preview"
    assert "Nothing was changed" in found["meaning"]
    assert [item["campaign"] for item in found["items"]] == [f"⟦{named('loser')}⟧"]


def test_a_workspace_that_is_off_refuses_and_still_tells_the_verdicts(alice):
    alice.rails(mode="off")
    found = alice.call("pause_all_low_roas", threshold=1.5)
    assert "guard rails of this workspace are set to off" in found["caveats"][1]
    assert found["rows"][0]["verdict"] == "pause"
    assert plans(alice) == 0


def test_a_file_is_for_reading_only_and_the_answer_says_what_would_help(database, settings):
    alice = chat(database, settings, newcomer(database, "Alice"))
    alice.rails()
    files = account(database, alice.scope, platform="import", writable=False, name="Last year")
    campaign(database, alice.scope, files, "Old")
    found = alice.call("update_campaign", campaign_id="Old", status="paused", reason=WHY)
    assert "comes from a file and is for reading only" in found["caveats"][1]
    with database.begin() as db:
        db.get_one(AdAccount, files).platform = "meta"
    found = alice.call("update_campaign", campaign_id="Old", status="paused", reason=WHY)
    assert "/settings/ad-accounts" in found["caveats"][1]


def test_charlie_can_propose_nothing_for_alices_campaigns(changing, demo, settings, alice):
    charlie = chat(changing, settings, demo.charlie)
    charlie.rails()
    with pytest.raises(ToolError, match="is not known"):
        charlie.call("update_campaign", campaign_id="238410100003", status="paused", reason=WHY)
    with pytest.raises(ToolError, match="No ad account is connected"):
        charlie.call("pause_all_low_roas", threshold=9)
    with pytest.raises(ToolError, match="is not known"):
        charlie.call("update_campaign", campaign_id=str(uuid.uuid4()), status="paused", reason=WHY)
    assert plans(alice) == 0
