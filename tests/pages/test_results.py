"""What a tool found, drawn as a table: figures with their units, foreign text as text, and nothing that is not one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pages import attacks
from tests.people import Browser
from webapp.ads.foreign import fence
from webapp.pages.results import Drawn, drawn, tool_words, visible
from webapp.tools.results import Column, Result, to_text

COLUMNS = (
    Column("name", "Campaign", "name"),
    Column("spend", "Spend", "money"),
    Column("roas", "ROAS", "ratio"),
    Column("orders", "Orders", "count"),
    Column("share", "Share", "percent"),
)


def table(**more: Any) -> Drawn:
    row = {"name": fence("Brand | Search"), "spend": 1234.5, "roas": None, "orders": 7, "share": 0.031}
    result = Result(**{"title": "Campaigns", "columns": COLUMNS, "rows": [row], "currency": "EUR", **more})
    found = drawn(to_text(result), "block-1")
    assert found is not None
    return found


def texts(cells: Any) -> list[str]:
    return [cell.text for cell in cells]


def test_figures_carry_their_units_and_what_is_not_defined_says_so() -> None:
    (row,) = table().rows
    assert texts(row) == ["Brand | Search", "€1,234.50", "–", "7", "3.10%"]
    assert row[2].why == "Not defined"
    assert [head.number for head in table().heads] == [False, True, True, True, True]


def test_a_row_with_a_currency_of_its_own_is_not_the_results() -> None:
    rows = [{"name": "a", "spend": 100, "currency": "JPY"}, {"name": "b", "spend": 1, "currency": "USD"}]
    assert [texts(row)[1] for row in table(rows=rows, currency="").rows] == ["¥100", "$1.00"]


def test_sums_stand_below_and_say_what_they_are() -> None:
    found = table(
        totals={"spend": 10, "roas": 2.5},
        compared={"since": "2026-11-10", "until": "2026-11-16", "spend": 6},
        previous={"since": "2026-11-03", "until": "2026-11-09", "spend": 4},
        change={"spend": 0.5},
    )
    assert [texts(sums) for sums in found.sums] == [
        ["Total", "€10.00", "2.50×", "", ""],
        ["Compared 10–16 Nov 2026", "€6.00", "", "", ""],
        ["With 3–9 Nov 2026", "€4.00", "", "", ""],
        ["Change", "50.00%", "", "", ""],
    ]


def test_the_small_print_says_window_attribution_and_how_fresh() -> None:
    found = table(
        since="2026-11-01",
        until="2026-11-14",
        attribution="7-day click",
        data_through="2026-11-20",
        maturing_from="2026-11-17",
        caveats=(f"{fence('Shop')} was not tracked.",),
        definitions={"roas": "Revenue divided by spend."},
        link="/campaigns",
    )
    assert found.facts == (
        "1–14 Nov 2026",
        "in EUR",
        "attribution: 7-day click",
        "data through 20 Nov 2026",
        "still growing from 17 Nov 2026 on",
    )
    assert found.caveats == ("“Shop” was not tracked.",)
    assert found.heads[2].means == "Revenue divided by spend."
    assert found.link == "/campaigns"


@pytest.mark.parametrize("link", ["https://attacker.invalid", "//attacker.invalid", "javascript:alert(1)"])
def test_only_a_page_of_ours_is_a_link(link: str) -> None:
    assert table(link=link).link == ""


def test_a_cut_table_says_how_much_of_it_is_here() -> None:
    rows = [{"name": f"c{n}", "spend": n} for n in range(240)]
    found = table(rows=rows)
    assert len(found.rows) == 100
    assert found.count == "100 of 240 rows"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "6",
        "plain words",
        "[]",
        "{}",
        '{"title": "x", "columns": [1], "rows": []}',
        '{"title": "x", "columns": {}, "rows": []}',
        '{"title": "x", "columns": []}',
        '{"status": "finished", "items": []}',
        '{"columns": [{"key": "a"}], "rows": [{}]}',
    ],
)
def test_what_is_no_table_is_text(content: str) -> None:
    assert drawn(content, "block-1") is None


def test_odd_rows_and_units_are_shown_as_they_are() -> None:
    raw = {"title": "x", "columns": [{"key": "a", "unit": "furlongs"}, {"key": "b", "unit": "money"}]}
    found = drawn(json.dumps({**raw, "rows": [7, {"a": [1], "b": "much"}, {"a": True}]}), "block-1")
    assert found is not None
    assert [texts(row) for row in found.rows] == [["[1]", "much"], ["yes", "–"]]


def test_a_result_without_columns_keeps_its_caveats() -> None:
    found = drawn(to_text(Result("Not proposed", (), [], caveats=("The account is read-only.",))), "block-1")
    assert found is not None
    assert (found.title, found.heads, found.caveats) == ("Not proposed", (), ("The account is read-only.",))


def test_nothing_of_a_name_is_unseen() -> None:
    assert visible("a\u202eb\u200bc\x07") == "a[U+202E]b[U+200B]c[U+0007]"


def test_a_tool_has_a_name_in_words() -> None:
    assert tool_words("list_campaigns") == "Listing campaigns"
    assert tool_words("get_funnel") == "Get funnel"


def test_no_text_of_a_result_becomes_markup(alice: Browser) -> None:
    with alice.application.test_request_context():
        template = alice.application.jinja_env.get_template("chat/_result.html")
        for evil in attacks.OWN:
            raw = {"title": evil, "columns": [{"key": "a", "label": evil}], "rows": [{"a": evil}], "caveats": [evil]}
            page = template.render(table=drawn(json.dumps(raw), "block-1"), id="block-1")
            assert "<script" not in page
            assert "<img" not in page
            assert "<form" not in page
            assert "<hx-partial" not in page
