"""What may be asked, what is refused and in which words; and that no answer holds anything of another workspace."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.analytics.conftest import Place, fill_by_hand, place
from tests.analytics.shop import ago, ask, order, store, visit
from tests.campaigns import TODAY, account, campaign, day
from webapp.accounts import Scope
from webapp.analytics.answers import PipeRefused
from webapp.analytics.catalogue import PIPE_ALLOWLIST, SERVERS, Parameter, describe
from webapp.db import Database

EVERY = [(pipe, parameter) for pipe in PIPE_ALLOWLIST.values() for parameter in pipe.parameters]
ATTACKS = [
    "'; drop table visits; --",
    "meta' or '1'='1",
    "meta' union select workspace_id::text from store_orders --",
    "\\' or 1=1 --",
    "{{workspace_id}}",
    "%(workspace_id)s",
    ":workspace_id",
    "2026-11-01' or true or '",
    "1; select pg_sleep(60)",
    "nul\x00byte",
]


def refusal(shop: Place, pipe: str, **params: Any) -> str:
    with pytest.raises(PipeRefused) as refused:
        ask(shop.database, shop.alice, pipe, **params)
    return str(refused.value)


@pytest.mark.parametrize(
    ("pipe", "params", "words"),
    [
        ("kpi_sumary", {}, "Did you mean kpi_summary?"),
        ("users", {}, "The pipes: campaign_performance,"),
        ("kpi_summary", {"date_form": "2026-11-01"}, "Did you mean date_from?"),
        ("kpi_summary", {"workspace_id": str(uuid.uuid4())}, "workspace_id cannot be set."),
        ("kpi_summary", {"prev_from": "2026-11-01"}, "no parameter 'prev_from'"),
        ("kpi_summary", {"date_from": "1 November"}, "Write it as YYYY-MM-DD"),
        ("kpi_summary", {"date_from": "2026-02-30"}, "Write it as YYYY-MM-DD"),
        ("kpi_summary", {"date_from": 20261101}, "Write it as YYYY-MM-DD"),
        ("kpi_summary", {"date_to": "2026-11-25"}, "which has not come. The newest whole day is 2026-11-23."),
        ("kpi_summary", {"date_from": "2026-11-02", "date_to": "2026-11-01"}, "is after date_to"),
        ("kpi_summary", {"date_from": "2025-10-01"}, "419 days are too many. kpi_summary answers for 400 days at most"),
        ("kpi_summary", {"date_from": "0001-01-01", "date_to": "0001-01-05", "limit": 5}, "no parameter 'limit'"),
        ("campaign_performance", {"limit": 501}, "limit is 501. It goes from 1 to 500."),
        ("campaign_performance", {"limit": 0}, "It goes from 1 to 500."),
        ("campaign_performance", {"limit": "many"}, "is not a whole number"),
        ("campaign_performance", {"limit": 2.5}, "is not a whole number"),
        ("campaign_performance", {"limit": True}, "is not a whole number"),
        ("campaign_performance", {"min_spend": "nan"}, "is not a number"),
        ("campaign_performance", {"level": "adsets"}, "Did you mean adset? It is one of campaign, adset, ad."),
        ("channel_attribution", {"lookback": 31}, "It goes from 1 to 30."),
        ("cohort_ltv", {"periods": 13}, "It goes from 1 to 12."),
        ("metric_timeseries", {"metrics": ["spend", "profit"]}, "metrics cannot be 'profit'"),
        ("metric_timeseries", {"metrics": 7}, "is not a list"),
        ("segment_breakdown", {"dimension": ["channel"]}, "dimension cannot be ['channel']"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_would_be_right(shop: Place, pipe: str, params: dict[str, Any], words: str) -> None:
    assert words in refusal(shop, pipe, **params)


def test_null_is_as_good_as_absent_and_numbers_may_be_text(shop: Place) -> None:
    """Models send nulls for what they leave out, and a URL knows only text."""
    result = ask(shop.database, shop.alice, "campaign_performance", platform=None, limit="1", min_spend="5.5")
    assert len(result.rows) == 1


def test_the_first_days_of_the_calendar_are_survived(shop: Place) -> None:
    result = ask(shop.database, shop.alice, "kpi_summary", date_from="0001-01-01", date_to="0001-01-05")
    assert result.compared is None
    assert result.rows[0]["spend"] == 0


@pytest.mark.parametrize(("pipe", "parameter"), EVERY, ids=lambda each: each.name)
def test_no_parameter_carries_sql(shop: Place, pipe: Any, parameter: Parameter) -> None:
    for attack in ATTACKS:
        assert parameter.name in refusal(shop, pipe.name, **{parameter.name: attack}), attack
    assert ask(shop.database, shop.alice, "kpi_summary").rows[0]["orders"] == 3  # all is where it was


@pytest.mark.parametrize("pipe", PIPE_ALLOWLIST.values(), ids=lambda pipe: pipe.name)
def test_a_name_that_the_shop_holds_is_data(shop: Place, pipe: Any) -> None:
    """No row of ours is a template: a country code or a campaign is never read as SQL."""
    text, _ = pipe.compiled.render({"date_from": TODAY, "date_to": TODAY, "workspace_id": uuid.uuid4()})
    assert TODAY.isoformat() not in text
    assert ":workspace_id" in text


@pytest.mark.parametrize("name", PIPE_ALLOWLIST)
def test_the_schema_is_closed_and_has_no_server_value(name: str) -> None:
    schema = describe(PIPE_ALLOWLIST[name])
    assert schema["additionalProperties"] is False
    assert not set(schema["properties"]) & set(SERVERS)
    assert list(schema["properties"])[:2] == ["date_from", "date_to"]
    assert all(each["description"] for each in schema["properties"].values())
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("name", PIPE_ALLOWLIST)
def test_every_pipe_says_what_it_answers_and_what_its_columns_mean(name: str) -> None:
    pipe = PIPE_ALLOWLIST[name]
    assert len(pipe.description) > 40
    assert pipe.columns
    assert (pipe.max_days, pipe.max_rows, pipe.cache_seconds) == (400, 500, 300)
    assert all(each.label for each in pipe.columns)


# --- the stranger law -------------------------------------------------------------------------------------------

FOREIGN = 7_777_777  # an amount that nobody else has


@pytest.fixture(scope="module")
def neighbours(postgres: str, template_database: str) -> Iterator[Place]:
    """charlie's shop in the same tables: the same days, visitors and customers as alice's, and other amounts."""
    with place(postgres, template_database) as made:
        fill_by_hand(made.database, made.alice)
        fill_in_secret(made.database, made.charlie)
        yield made


def fill_in_secret(database: Database, charlie: Scope) -> None:
    store(database, charlie)
    theirs = campaign(database, charlie, account(database, charlie), "Charlie's secret campaign")
    for n in (5, 10, 14, 15, 40):
        day(database, theirs, n, FOREIGN, FOREIGN, orders=FOREIGN, adset_id="s1", adset_name="Charlie's secret set")
        visit(database, charlie, n, "anna", channel="referral", country="XX", landing_page="/secret")
        order(
            database,
            charlie,
            n,
            FOREIGN,
            customer="c1",
            is_first=True,
            visitor_id="anna",
            channel="social",
            country="XX",
        )


@pytest.mark.parametrize(("pipe", "parameter"), EVERY, ids=lambda each: each.name)
def test_no_answer_holds_anything_of_a_stranger(neighbours: Place, pipe: Any, parameter: Parameter) -> None:
    choices: list[Any] = list(parameter.choices) or [parameter.least or ago(60), parameter.most or ago(2)]
    if parameter.name in ("sensitivity", "min_spend", "limit", "lookback", "periods"):
        choices = [parameter.least, 2]
    for choice in choices:
        result = ask(neighbours.database, neighbours.alice, pipe.name, **{"date_from": ago(60), parameter.name: choice})
        said = repr((result.rows, result.totals)).lower()
        assert "secret" not in said
        assert "xx" not in said
        assert not [
            row for row in result.rows for value in row.values() if isinstance(value, float | int) and value > 5000
        ]


def test_a_stranger_sees_their_own(neighbours: Place) -> None:
    """Or the law above would hold for a pipe that answers nothing."""
    rows = ask(neighbours.database, neighbours.charlie, "campaign_performance").rows
    assert [row["name"] for row in rows] == ["Charlie's secret campaign"]
    assert ask(neighbours.database, neighbours.charlie, "kpi_summary").rows[0]["orders"] == 4


def test_without_a_shop_days_and_money_are_the_first_accounts(postgres: str, template_database: str) -> None:
    with place(postgres, template_database) as empty:
        account(empty.database, empty.alice, timezone="Asia/Tokyo", currency="JPY")
        account(empty.database, empty.alice, timezone="Europe/Berlin", currency="EUR")
        result = ask(empty.database, empty.alice, "kpi_summary")
    assert (result.timezone, result.currency or result.rows[0]["currency"]) == ("Asia/Tokyo", "JPY")
