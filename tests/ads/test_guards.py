"""Guard rails: who sets them, what they refuse, and that what is not known refuses, too."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.ads.acme import join
from tests.campaigns import EUR, NOW, newcomer
from webapp.accounts import Scope
from webapp.ads import checks, guards
from webapp.ads.checks import Circumstances, Target
from webapp.ads.guards import Rails
from webapp.ads.platform import AdSetState, CampaignState
from webapp.db import Database
from webapp.errors import UserError

ON = Rails(mode="on")
CAMPAIGN = CampaignState(
    "7",
    "Summer",
    "active",
    budget_micros=100 * EUR,
    budget_period="daily",
    budget_level="campaign",
    learning="learned",
)


def target(
    field: Any = "status", value: str | int = "paused", *, state: dict[str, Any] | None = None, **but: Any
) -> Target:
    given = {"currency": "EUR", "value_currency": "EUR", "week_micros": 700 * EUR, **but}
    seen = replace(CAMPAIGN, **(state or {}))
    return Target(uuid.uuid4(), uuid.UUID(int=1), state=seen, field=field, value=value, **given)


def around(rails: Rails = ON, **but: Any) -> Circumstances:
    given = {"by_name": True, "week_micros": {"EUR": 2800 * EUR}, "budgets_micros": {"EUR": 400 * EUR}, **but}
    return Circumstances(rails, NOW, **given)


def objections(one: Target, where: Circumstances | None = None) -> str:
    where = where or around()
    return " ".join(checks.objections(one, where, brake=checks.is_brake([one], where)))


def budget(euros: float, **but: Any) -> Target:
    return target("daily_budget", round(euros * EUR), **but)


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.fixture
def alice(database: Database) -> Scope:
    return newcomer(database, "Alice")


@pytest.fixture
def bob(database: Database, alice: Scope) -> Scope:
    return join(database, alice, "Bob", "member")


def test_a_new_workspace_only_previews(database, alice):
    with database.begin() as db:
        found = guards.rails(alice, db)
    assert found == Rails()
    assert (found.mode, found.budget_change_pct, found.max_campaigns, found.max_spend_share_pct) == (
        "preview",
        20,
        10,
        30,
    )


def test_alice_sets_the_rails_of_her_workspace_and_of_no_other(database, alice):
    charlie = newcomer(database, "Charlie")
    wanted = Rails(mode="on", approvers="members", workspace_cap_micros=900 * EUR, cap_currency="EUR", cooldown_hours=0)
    with database.begin() as db:
        guards.set_rails(alice, db, Rails(mode="off"))
        guards.set_rails(alice, db, wanted)
    with database.begin() as db:
        assert guards.rails(alice, db) == wanted
        assert guards.rails(charlie, db) == Rails()


def test_bob_cannot_set_them(database, bob):
    with pytest.raises(UserError) as refused, database.begin() as db:
        guards.set_rails(bob, db, ON)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("but", "says"),
    [
        ({"budget_change_pct": 0}, "1 to 200 percent"),
        ({"budget_change_pct": 201}, "1 to 200 percent"),
        ({"max_campaigns": 51}, "1 to 50"),
        ({"max_spend_share_pct": 101}, "1 to 100 percent"),
        ({"cooldown_hours": -1}, "0 to 168"),
        ({"campaign_cap_micros": 0, "cap_currency": "EUR"}, "more than zero"),
        ({"campaign_cap_micros": EUR}, "currency"),
        ({"mode": "yolo"}, "one of the options"),
        ({"approvers": "everybody"}, "one of the options"),
    ],
)
def test_a_value_out_of_range_is_named_and_nothing_is_saved(database, alice, but, says):
    with pytest.raises(UserError) as refused, database.begin() as db:
        guards.set_rails(alice, db, replace(ON, **but))
    assert says in refused.value.hint
    with database.begin() as db:
        assert guards.rails(alice, db) == Rails()


def test_members_approve_only_where_the_rails_let_them(alice, bob, database):
    vera = join(database, alice, "Vera", "viewer")
    members = replace(ON, approvers="members")
    assert [guards.may_approve(who, ON) for who in (alice, bob, vera)] == [True, False, False]
    assert [guards.may_approve(who, members) for who in (alice, bob, vera)] == [True, True, False]


# --- one item ---------------------------------------------------------------------------------------------------


def test_a_budget_may_change_by_twenty_percent_and_no_more():
    assert objections(budget(120)) == ""
    assert objections(budget(80)) == ""
    assert "From 100.00 EUR to 120.01 EUR is 20.01 %. The guard rails allow 20 %." in objections(budget(120.01))
    assert "allow 20 %" in objections(budget(79))
    assert objections(budget(140), around(replace(ON, budget_change_pct=40))) == ""


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (budget(0), "above zero"),
        (budget(-5), "above zero"),
        (budget(110.001), "no finer than its currency: 110.001 EUR"),
        (target("daily_budget", 1_500_000, currency="JPY", value_currency="JPY"), "no finer"),
        (budget(110, value_currency="USD"), "The account's currency is EUR. The amount is in USD"),
        (budget(110, value_currency=""), "The amount is in none"),
        (budget(100), "has this budget already"),
        (budget(110, state={"budget_level": "unknown"}), "is not known"),
        (budget(110, state={"budget_level": "none"}), "is not known"),
        (budget(110, state={"budget_period": "lifetime"}), "no daily budget: it has lifetime budget"),
        (budget(110, state={"budget_micros": None}), "no daily budget"),
        (budget(110, state={"budget_level": "shared"}), "with which campaigns is not known"),
        (budget(110, state={"learning": "unknown"}), "learning phase is not known"),
        (budget(110, currency="", value_currency=""), "currency of ⟦Summer⟧ is not known"),
        (budget(110, budgets_this_hour=4), "4 times in the last hour"),
        (budget(110, changed_by_us=NOW - timedelta(hours=23)), "less than 24 hours ago"),
        (budget(110, state={"status": "archived"}), "it cannot be changed"),
        (target(value="deleted"), "never deleted or archived"),
        (target(value="archived"), "never deleted or archived"),
        (target(value="paused", state={"status": "paused"}), "is paused already"),
        (target(value="active", state={"status": "paused", "learning": "unknown"}), "learning phase is not known"),
        (target("name", ""), "1 to 400"),
        (target("name", "a\u202eb"), "printable"),
        (target("name", "Summer"), "this name already"),
    ],
)
def test_what_is_not_allowed_or_not_known_is_refused_with_a_reason(one, says):
    assert says in objections(one)


def test_a_budget_on_ad_sets_is_refused_and_the_ad_sets_are_named():
    adsets = tuple(AdSetState(str(n), f"Set {n}", "active", 25 * EUR) for n in range(4))
    said = objections(budget(110, state={"budget_level": "adset", "budget_micros": None, "adsets": adsets}))
    assert "sits on 4 ad sets: ⟦Set 0⟧, ⟦Set 1⟧, ⟦Set 2⟧, ⟦Set 3⟧" in said


def test_a_shared_budget_may_change_and_the_others_are_named():
    one = budget(110, state={"budget_level": "shared", "shared_with": ("Brand", "Generic")})
    assert objections(one) == ""
    assert "also one for ⟦Brand⟧, ⟦Generic⟧" in " ".join(checks.cautions(one, around(), brake=False))


def test_a_single_campaign_that_was_named_can_always_be_paused():
    unknown = {"learning": "unknown", "budget_level": "unknown", "budget_micros": None}
    one = target(state=unknown, changed_by_us=NOW, week_micros=None)
    assert objections(one) == ""
    assert checks.of_the_whole([one], around()) == []
    assert len(checks.cautions(one, around(), brake=True)) == 3  # and what is not known is said


def test_one_that_a_rule_picked_is_held_to_all_of_them():
    picked = around(by_name=False)
    one = target(state={"learning": "unknown"}, changed_by_us=NOW)
    assert "learning phase is not known" in objections(one, picked)
    assert "less than 24 hours" in objections(one, picked)


def test_what_is_learning_by_now_is_not_paused_by_a_rule_and_a_person_is_told():
    one = target(state={"learning": "learning"})
    assert "no rule may judge it yet" in objections(one, around(by_name=False))
    assert objections(one) == ""
    assert "may start it anew" in " ".join(checks.cautions(one, around(), brake=True))


def test_a_rename_needs_to_know_nothing_else():
    assert objections(target("name", "Spring", state={"learning": "unknown", "budget_level": "unknown"})) == ""


def test_an_undo_is_not_held_back_by_percentage_and_cooldown():
    one = budget(300, changed_by_us=NOW, state={"learning": "unknown"})
    assert objections(one, around(undoing=True)) == ""


# --- the whole plan ---------------------------------------------------------------------------------------------


def whole(*targets: Target, **but: Any) -> str:
    return " ".join(checks.of_the_whole(targets, around(**but)))


def test_a_plan_pauses_at_most_ten_campaigns():
    week = {"EUR": 100_000 * EUR}
    assert whole(*[target() for _ in range(10)], by_name=False, week_micros=week) == ""
    assert "These are 11 campaigns" in whole(*[target() for _ in range(11)], by_name=False, week_micros=week)


def test_a_plan_pauses_at_most_thirty_percent_of_the_spend_in_each_currency():
    assert whole(target(), by_name=False) == ""  # 25 %
    assert "They made 50 % of the last 7 days' spend in EUR" in whole(target(), target(), by_name=False)
    mixed = {"EUR": 7000 * EUR, "JPY": 1000 * EUR}
    assert "70 % of the last 7 days' spend in JPY" in whole(
        target(), target(currency="JPY"), by_name=False, week_micros=mixed
    )


def test_spend_that_is_not_known_refuses():
    assert "is not known. Sync" in whole(target(week_micros=None), target(), by_name=False)


def test_a_budget_stays_below_the_campaigns_cap():
    capped = replace(ON, campaign_cap_micros=110 * EUR, cap_currency="EUR")
    assert objections(budget(110), around(capped)) == ""
    assert "above the cap of 110.00 EUR" in objections(budget(111), around(capped))
    assert objections(budget(90), around(capped)) == ""


def test_more_spend_stays_below_the_workspaces_cap():
    capped = replace(ON, workspace_cap_micros=415 * EUR, cap_currency="EUR")
    assert whole(budget(115), rails=capped) == ""
    assert "With 420.00 EUR a day" in whole(budget(110), budget(110), rails=capped)
    assert "500.00 EUR" in whole(target(value="active", state={"status": "paused"}), rails=capped)
    assert whole(target(), rails=capped) == ""


def test_a_cap_in_another_currency_cannot_be_compared_and_refuses():
    capped = replace(ON, workspace_cap_micros=415 * EUR, campaign_cap_micros=500 * EUR, cap_currency="USD")
    assert "cannot be compared" in whole(budget(110), rails=capped)
    assert "cannot be compared" in objections(budget(110), around(capped))


# --- what has to be typed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "rails", "asked"),
    [
        ([budget(120)], ON, ""),
        ([budget(150)], ON, ""),
        ([budget(150.5)], ON, "150.5 EUR"),
        ([budget(40)], ON, "40 EUR"),
        ([target() for _ in range(10)], ON, ""),
        ([target() for _ in range(11)], ON, "11 campaigns"),
        ([target()], replace(ON, step_up_micros=99 * EUR, cap_currency="EUR"), "1 campaign"),
        ([target()], replace(ON, step_up_micros=100 * EUR, cap_currency="EUR"), ""),
        ([target()], replace(ON, step_up_micros=999 * EUR, cap_currency="USD"), "1 campaign"),
        ([target("name", "Spring")], replace(ON, step_up_micros=1, cap_currency="USD"), ""),
    ],
)
def test_much_money_or_many_campaigns_have_to_be_typed(targets, rails, asked):
    assert checks.to_be_typed(targets, rails) == asked


@pytest.mark.parametrize("typed", ["1500.5 EUR", " 1,500.5 eur ", "1500.5EUR"])
def test_what_was_typed_may_be_spelt_as_people_do(typed):
    assert checks.same_words(typed, "1500.5 EUR")


@pytest.mark.parametrize("typed", ["", "1500 EUR", "15005 EUR", "1500.5", "EUR"])
def test_another_amount_is_not_what_was_asked_for(typed):
    assert not checks.same_words(typed, "1500.5 EUR")


def test_a_pause_saves_what_was_spent_and_not_the_budget():
    assert target(week_micros=350 * EUR).effect_micros == -50 * EUR
    assert target(week_micros=0).effect_micros == -100 * EUR
    assert budget(115).effect_micros == 15 * EUR
    assert target(value="active", state={"status": "paused"}).effect_micros == 100 * EUR
