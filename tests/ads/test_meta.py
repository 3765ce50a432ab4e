"""The client for Meta against a local Graph: what alice sees of her account, and what becomes of what she changes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.ads.fakes import graph as fake
from tests.ads.fakes.graph import Graph, adset, campaign, day
from tests.ads.fakes.server import SILENCE, Reply, serving
from webapp.ads import meta
from webapp.ads.meta import Meta
from webapp.ads.platform import Change, Field, PlatformError, Trouble
from webapp.secret import Secret

CANARY = "EAAGm0PX4ZCpsBA0canaryTOKEN0123456789"


@pytest.fixture
def graph() -> Graph:
    found = Graph(token=CANARY)
    found.add(
        campaign("1", name="Prospecting", daily_budget="5000"),
        campaign("2", name="Retargeting", status="PAUSED"),
        campaign("3", name="Last year", status="ARCHIVED", daily_budget="100"),
        campaign("4", name="Gone", status="DELETED"),
        adsets=[adset("21", "2", name="Berlin", daily_budget="1500", learning_stage_info={"status": "FAIL"})],
    )
    return found


@pytest.fixture
def base(graph: Graph) -> Iterator[str]:
    with serving(graph) as url:
        yield url


class Naps(list[float]):
    """The pauses that were made, without making them."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def alices(base: str, naps: Naps) -> Meta:
    return opened(base, naps)


def opened(base: str, naps: Naps, **more: Any) -> Meta:
    given = {"writable": True, "base_url": base, "pause": naps, **more}
    return Meta(Secret(CANARY), "act_100200300", "EUR", **given)


def change(client: Meta, id: str, field: Field, value: str | int) -> Change:
    return Change(id, field, value, client.read(id))


def trouble(failed: pytest.ExceptionInfo[PlatformError]) -> Trouble:
    return failed.value.trouble


# --- tokens and accounts ----------------------------------------------------------------------------------------


def test_a_token_tells_what_it_may(graph: Graph, base: str) -> None:
    graph.expires_at = 1_798_761_600
    found = meta.look(Secret(CANARY), base_url=base)
    assert found.scopes == ("ads_read", "ads_management")
    assert found.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert (found.writable, found.kind, found.app_id) == (True, "SYSTEM_USER", "42")


def test_a_token_that_may_only_read(graph: Graph, base: str) -> None:
    graph.scopes = ("ads_read",)
    found = meta.look(Secret(CANARY), base_url=base)
    assert (found.writable, found.expires_at) == (False, None)


def test_a_token_that_may_not_look_at_itself_lists_its_rights(graph: Graph, base: str) -> None:
    graph.looks_at_itself = False
    assert meta.look(Secret(CANARY), base_url=base).writable


def test_a_token_for_something_else(graph: Graph, base: str) -> None:
    graph.scopes = ("pages_show_list",)
    with pytest.raises(PlatformError, match="ads_read") as failed:
        meta.look(Secret(CANARY), base_url=base)
    assert trouble(failed) is Trouble.PERMISSION


def test_a_dead_token(graph: Graph, base: str) -> None:
    graph.dead = "Error validating access token: Session has expired on Sunday."
    with pytest.raises(PlatformError, match="Session has expired") as failed:
        meta.look(Secret(CANARY), base_url=base)
    assert trouble(failed) is Trouble.TOKEN


def test_every_account_on_every_page(graph: Graph, base: str) -> None:
    graph.accounts = [
        {
            "id": f"act_{n}",
            "account_id": str(n),
            "name": f"Shop {n}",
            "currency": "EUR",
            "timezone_name": "Europe/Berlin",
        }
        for n in range(1201)
    ]
    graph.accounts[7]["account_status"] = 2
    found = meta.accounts(Secret(CANARY), base_url=base)
    assert [each.external_id for each in found] == [str(n) for n in range(1201)]
    assert [each.external_id for each in found if not each.usable] == ["7"]
    assert len(graph.asked("me/adaccounts")) == 3


def test_an_app_secret_is_proven_and_not_sent(graph: Graph, base: str, naps: Naps) -> None:
    graph.app_secret = "an-app-secret-0123456789abcdef"
    with pytest.raises(PlatformError, match="appsecret_proof"):
        meta.accounts(Secret(CANARY), base_url=base)
    client = opened(base, naps, app_secret=Secret(graph.app_secret))
    client.update(change(client, "1", "status", "paused"))
    assert graph.campaigns["1"]["status"] == "PAUSED"
    assert not [each for each in graph.requests if graph.app_secret in repr(each)]


# --- reading ----------------------------------------------------------------------------------------------------


def test_campaigns_with_their_ad_sets(alices: Meta) -> None:
    found = {each.external_id: each for each in alices.campaigns()}
    assert set(found) == {"1", "2", "3"}
    assert (found["1"].budget_level, found["1"].budget_micros) == ("campaign", 50_000_000)
    assert (found["2"].budget_level, found["2"].learning) == ("adset", "limited")
    assert found["2"].adsets[0].name == "Berlin"
    assert found["3"].status == "archived"


def test_one_campaign_as_it_is_now(graph: Graph, alices: Meta) -> None:
    graph.campaigns["1"]["daily_budget"] = "6500"
    assert alices.read("1").budget_micros == 65_000_000
    assert alices.read("4").status == "deleted"


@pytest.mark.parametrize("id", ["99", "me/accounts", "1?fields=owner", "", "１"])
def test_a_campaign_that_is_not_there(alices: Meta, id: str) -> None:
    with pytest.raises(PlatformError) as failed:
        alices.read(id)
    assert trouble(failed) is Trouble.NOT_FOUND


def test_a_campaign_of_another_account_is_not_hers(graph: Graph, alices: Meta) -> None:
    graph.campaigns["9"] = campaign("9", account_id="555")
    with pytest.raises(PlatformError) as failed:
        alices.read("9")
    assert trouble(failed) is Trouble.NOT_FOUND


def test_days_in_windows_of_thirty_deleted_campaigns_too(graph: Graph, alices: Meta) -> None:
    graph.days = [day("1", "2026-09-01", "10.5"), day("4", "2026-10-15", "3"), day("1", "2026-11-09", "7")]
    graph.days += [day("1", "2026-11-10", "1")]
    found = list(alices.insights(date(2026, 9, 1), date(2026, 11, 9)))
    assert [(each.campaign_id, each.spend_micros) for each in found] == [
        ("1", 10_500_000),
        ("4", 3_000_000),
        ("1", 7_000_000),
    ]
    spans = [json.loads(each.query["time_range"]) for each in graph.asked("insights")]
    assert spans == [
        {"since": "2026-09-01", "until": "2026-09-30"},
        {"since": "2026-10-01", "until": "2026-10-30"},
        {"since": "2026-10-31", "until": "2026-11-09"},
    ]


def test_pages_are_turned_by_cursor_and_the_url_with_the_token_is_not_followed(graph: Graph, alices: Meta) -> None:
    graph.days = [day("1", f"2026-11-{1 + n % 20:02}", "1") for n in range(1100)]
    assert len(list(alices.insights(date(2026, 11, 1), date(2026, 11, 20)))) == 1100
    assert [each.query.get("after") for each in graph.asked("insights")] == [None, "c500", "c1000"]


def test_pages_get_smaller_where_meta_says_too_much(graph: Graph, alices: Meta) -> None:
    graph.days = [day("1", f"2026-11-{1 + n % 20:02}", "1") for n in range(220)]
    graph.most = 100
    assert len(list(alices.insights(date(2026, 11, 1), date(2026, 11, 20)))) == 220
    assert [each.query["limit"] for each in graph.asked("insights")] == ["500", "250", "100", "100", "100"]


def test_windows_get_smaller_where_pages_cannot(graph: Graph, alices: Meta) -> None:
    graph.days = [day("1", f"2026-11-{n:02}", "1") for n in range(1, 31)]
    graph.most_days = 8
    found = [each.day.day for each in alices.insights(date(2026, 11, 1), date(2026, 11, 30))]
    assert found == list(range(1, 31))


def test_one_day_that_is_too_much_is_told(graph: Graph, alices: Meta) -> None:
    graph.most = 10
    with pytest.raises(PlatformError, match="reduce the amount of data") as failed:
        list(alices.insights(date(2026, 11, 1), date(2026, 11, 2)))
    assert trouble(failed) is Trouble.TOO_MUCH


def test_a_list_that_turns_in_a_circle_ends(graph: Graph, alices: Meta) -> None:
    page = {"data": [], "paging": {"cursors": {"after": "same"}, "next": "https://graph.facebook.com/x"}}
    graph.stumble("adsets", Reply(page), times=50)
    assert alices.campaigns()
    assert len(graph.asked("adsets")) == 2


# --- stumbling --------------------------------------------------------------------------------------------------

HICCUP = fake.error(2, "Service temporarily unavailable", status=503, is_transient=True)


@pytest.mark.parametrize("reply", [HICCUP, Reply(b"<html>Bad gateway</html>", 502), SILENCE])
def test_a_read_is_tried_three_more_times(graph: Graph, alices: Meta, naps: Naps, reply: Reply) -> None:
    graph.stumble("campaigns", reply, times=3)
    assert len(alices.campaigns()) == 3
    assert naps == [0.5, 1.0, 2.0]


def test_and_no_more(graph: Graph, alices: Meta) -> None:
    graph.stumble("campaigns", HICCUP, times=9)
    with pytest.raises(PlatformError, match="temporarily unavailable") as failed:
        alices.campaigns()
    assert trouble(failed) is Trouble.TRANSIENT
    assert len(graph.requests) == 4


def test_a_refusal_is_not_tried_again(graph: Graph, alices: Meta) -> None:
    graph.stumble("campaigns", fake.error(100, "Invalid parameter"), times=9)
    with pytest.raises(PlatformError):
        alices.campaigns()
    assert len(graph.requests) == 1


def usage(percent: float) -> dict[str, str]:
    limit = {"type": "ads_insights", "call_count": percent, "estimated_time_to_regain_access": 5}
    return {"X-Business-Use-Case-Usage": json.dumps({"100200300": [limit]})}


def test_from_75_percent_on_it_slows_down(graph: Graph, alices: Meta, naps: Naps) -> None:
    graph.headers = usage(85)
    assert alices.campaigns()
    assert naps == [2.5]


def test_at_95_percent_only_what_a_person_waits_for_is_asked(graph: Graph, alices: Meta) -> None:
    graph.days = [day("1", "2026-09-01", "10.5"), day("1", "2026-11-09", "7")]
    graph.headers = usage(96)
    days = alices.insights(date(2026, 9, 1), date(2026, 11, 9))
    assert next(days).spend_micros == 10_500_000
    with pytest.raises(PlatformError, match="about 5 min") as failed:
        next(days)
    assert trouble(failed) is Trouble.THROTTLED
    assert failed.value.retry_after == pytest.approx(300, abs=5)
    alices.update(change(alices, "1", "status", "paused"))
    assert graph.campaigns["1"]["status"] == "PAUSED"


def test_a_throttled_call_is_not_repeated(graph: Graph, alices: Meta) -> None:
    graph.stumble("campaigns", fake.error(80004, "There have been too many calls", headers=usage(100)))
    with pytest.raises(PlatformError) as failed:
        alices.campaigns()
    assert (trouble(failed), failed.value.retry_after) == (Trouble.THROTTLED, 300.0)


def test_an_old_version_is_noted_for_the_operator(graph: Graph, alices: Meta, caplog: pytest.LogCaptureFixture) -> None:
    graph.headers = {"X-Ad-Api-Version-Warning": "The call has been auto-upgraded to v27.0"}
    alices.campaigns()
    assert alices.warnings == ["The call has been auto-upgraded to v27.0"]
    assert caplog.text.count("auto-upgraded to v27.0") == 1


def test_a_dead_version_is_an_operators_matter(graph: Graph, base: str, naps: Naps) -> None:
    with pytest.raises(PlatformError, match="META_GRAPH_VERSION") as failed:
        opened(base, naps, version="v21.0").campaigns()
    assert trouble(failed) is Trouble.VERSION


def test_the_version_we_speak_has_sixty_days_left() -> None:
    """Fails in time to move on: webapp/ads/meta_graph.py says where the dates are."""
    assert (meta.VERSION_ENDS - date.today()).days > 60


# --- changing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "there"),
    [
        ("status", "paused", "PAUSED"),
        ("daily_budget", 55_500_000, "5550"),
        ("name", "Prospecting EU", "Prospecting EU"),
    ],
)
def test_a_change_is_validated_made_and_read_back(
    graph: Graph, alices: Meta, field: Field, value: str | int, there: str
) -> None:
    wanted = change(alices, "1", field, value)
    before = dict(graph.campaigns["1"])
    alices.validate(wanted)
    assert graph.campaigns["1"] == before
    assert alices.update(wanted) == fake.TRACE
    assert graph.campaigns["1"][field] == there
    now = alices.read("1")
    assert {"status": now.status, "daily_budget": now.budget_micros, "name": now.name}[field] == value


def test_yen_are_not_multiplied_by_a_hundred(graph: Graph, base: str, naps: Naps) -> None:
    yen = Meta(Secret(CANARY), "100200300", "JPY", writable=True, base_url=base, pause=naps)
    assert yen.read("1").budget_micros == 5_000_000_000
    yen.update(change(yen, "1", "daily_budget", 6_000_000_000))
    assert graph.campaigns["1"]["daily_budget"] == "6000"


def test_a_budget_that_meta_finds_too_low_is_refused_before_anything_is_written(graph: Graph, alices: Meta) -> None:
    wanted = change(alices, "1", "daily_budget", 500_000)
    with pytest.raises(PlatformError, match="too low: The daily budget must be at least") as failed:
        alices.validate(wanted)
    assert (trouble(failed), failed.value.code) == (Trouble.REFUSED, "100/1885272")


def test_a_budget_on_ad_sets_is_never_written_to_the_campaign(graph: Graph, alices: Meta) -> None:
    wanted = change(alices, "2", "daily_budget", 9_000_000)
    for write in (alices.validate, alices.update):
        with pytest.raises(PlatformError, match="ad set “Berlin”"):
            write(wanted)
    assert [each for each in graph.requests if each.method == "POST"] == []


def test_a_budget_that_moved_to_the_ad_sets_meanwhile_is_metas_to_refuse(graph: Graph, alices: Meta) -> None:
    wanted = change(alices, "1", "daily_budget", 60_000_000)
    del graph.campaigns["1"]["daily_budget"]
    with pytest.raises(PlatformError, match="only set ad set budgets") as failed:
        alices.validate(wanted)
    assert failed.value.code == "100/1885621"


def test_a_reading_token_never_writes(graph: Graph, base: str, naps: Naps) -> None:
    bobs = opened(base, naps, writable=False)
    wanted = change(bobs, "1", "status", "paused")
    for write in (bobs.validate, bobs.update):
        with pytest.raises(PlatformError, match="ads_management") as failed:
            write(wanted)
        assert trouble(failed) is Trouble.PERMISSION
    assert [each for each in graph.requests if each.method == "POST"] == []


def test_an_old_advantage_campaign_is_refused_in_words(graph: Graph, alices: Meta) -> None:
    graph.add(campaign("5", smart_promotion_type="SMART_APP_PROMOTION"))
    with pytest.raises(PlatformError, match=r"old Advantage\+ app campaign.*Meta said: Invalid parameter"):
        alices.validate(change(alices, "5", "status", "paused"))


@pytest.mark.parametrize("reply", [SILENCE, HICCUP, Reply(b"<html>Bad gateway</html>", 502)])
def test_a_write_without_an_answer_is_sent_once_and_its_outcome_unknown(
    graph: Graph, alices: Meta, reply: Reply
) -> None:
    wanted = change(alices, "1", "status", "paused")
    graph.stumble("/1", reply, method="POST", after=True)
    with pytest.raises(PlatformError) as failed:
        alices.update(wanted)
    assert trouble(failed) is Trouble.UNKNOWN_OUTCOME
    assert len([each for each in graph.requests if each.method == "POST"]) == 1
    assert alices.read("1").status == "paused"


def test_a_dry_run_without_an_answer_is_tried_again(graph: Graph, alices: Meta) -> None:
    wanted = change(alices, "1", "status", "paused")
    graph.stumble("/1", SILENCE, method="POST")
    alices.validate(wanted)
    assert graph.campaigns["1"]["status"] == "ACTIVE"


def test_a_write_that_never_left_has_changed_nothing(naps: Naps, alices: Meta) -> None:
    wanted = change(alices, "1", "status", "paused")
    with pytest.raises(PlatformError, match="could not be reached") as failed:
        opened("http://127.0.0.1:1", naps).update(wanted)
    assert trouble(failed) is Trouble.UNREACHABLE


def test_a_write_that_meta_answers_with_no_is_not_done(graph: Graph, alices: Meta) -> None:
    wanted = change(alices, "1", "status", "paused")
    graph.stumble("/1", Reply({"success": False}), method="POST")
    with pytest.raises(PlatformError, match="did not take the change"):
        alices.update(wanted)


def test_too_many_budget_changes_are_throttled(graph: Graph, alices: Meta) -> None:
    graph.budget_writes = 0
    with pytest.raises(PlatformError) as failed:
        alices.update(change(alices, "1", "daily_budget", 60_000_000))
    assert trouble(failed) is Trouble.THROTTLED


# --- silence ----------------------------------------------------------------------------------------------------


def test_the_token_is_in_no_url_no_log_and_no_exception(
    graph: Graph, base: str, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    graph.days = [day("1", f"2026-11-{1 + n % 20:02}", "1") for n in range(600)]
    client = opened(base, naps, app_secret=Secret("an-app-secret-0123456789abcdef"))
    meta.look(Secret(CANARY), base_url=base)
    list(client.insights(date(2026, 11, 1), date(2026, 11, 20)))
    client.update(change(client, "1", "status", "paused"))
    graph.stumble("campaigns", fake.error(190, f"Malformed access token {CANARY}"))
    graph.stumble("campaigns", SILENCE, times=4)
    said = []
    for _ in range(2):
        with pytest.raises(PlatformError) as failed:
            client.campaigns()
        said.append(repr(everything(failed.value)))
    assert "Malformed access token [hidden]" in said[0]
    for text in (*said, caplog.text, repr(client), *(each.line for each in graph.requests)):
        assert CANARY[:20] not in text
        assert "an-app-secret" not in text
    assert all(each.headers["authorization"] == f"Bearer {CANARY}" for each in graph.requests)


def everything(error: BaseException | None) -> list[Any]:
    """An exception with all that it carries along."""
    found: list[Any] = []
    while error is not None:
        found += [error, vars(error), *vars(error).values()]
        found += [vars(each) for each in vars(error).values() if hasattr(each, "__dict__")]
        error = error.__context__
    return found
