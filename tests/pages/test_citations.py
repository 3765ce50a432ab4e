"""Figures of an answer lead to the row they came from, and nothing else becomes a link."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webapp.chat.fold import BlockView
from webapp.llm.blocks import ToolResult
from webapp.pages.citations import rows_of, telling
from webapp.pages.richtext import link_figures, render

COLUMNS = [
    {"key": "name", "label": "Campaign", "unit": "name"},
    {"key": "spend", "label": "Spend", "unit": "money"},
    {"key": "roas", "label": "ROAS", "unit": "ratio"},
    {"key": "ctr", "label": "CTR", "unit": "percent"},
]
ROWS = [
    {"name": "⟦Shoes⟧", "spend": 5082.12, "roas": 2.84, "ctr": 0.0317},
    {"name": "⟦Bags⟧", "spend": 1206, "roas": 0.5, "ctr": 0.0129},
]
RESULT = {"title": "Campaigns", "columns": COLUMNS, "rows": ROWS, "currency": "USD"}


def call(result: dict[str, Any], *, number: int = 0, is_error: bool = False) -> BlockView:
    return BlockView(number, "tool_use", id="c", name="t", result=ToolResult("c", json.dumps(result), is_error))


def links(prose: str, *blocks: BlockView) -> dict[str, str]:
    """What is a link in the prose, and where it leads."""
    html = str(link_figures(render(prose, "p"), rows_of(blocks or (call(RESULT),), "T")))
    pieces = [piece.partition("</a>")[0] for piece in html.split('<a class="cite" href="')[1:]]
    return {shown: to for to, _, shown in (piece.partition('">') for piece in pieces)}


def test_a_figure_leads_to_its_row() -> None:
    assert links("Shoes spent **$5,082.12** at 2.84, with a CTR of 3.17 %; Bags spent 1,206.") == {
        "5,082.12": "#block-T-0-r0",
        "2.84": "#block-T-0-r0",
        "3.17": "#block-T-0-r0",
        "1,206": "#block-T-0-r1",
    }


def test_a_rounded_one_too() -> None:
    assert links("About 5,082 dollars.") == {"5,082": "#block-T-0-r0"}


@pytest.mark.parametrize(
    "prose",
    [
        "It spent 5,082.13.",  # another number
        "In 2026 and on 2026-11-24, in 14 days, for 10 campaigns",  # years, days, small numbers
        "`5082.12`",  # code
        "[5,082.12](https://example.com)",  # a link already
        "v5082.12, 5082.12.1 and a5082.12",  # parts of words
    ],
)
def test_nothing_else_becomes_a_link(prose: str) -> None:
    assert links(prose) == {}


def test_a_number_in_two_rows_leads_nowhere() -> None:
    twice = {**RESULT, "rows": [*ROWS, {"name": "⟦Hats⟧", "spend": 5082.12, "roas": 9.91, "ctr": 0.02}]}
    assert links("5,082.12 and 9.91", call(twice)) == {"9.91": "#block-T-0-r2"}


def test_totals_and_changes_have_rows_of_their_own() -> None:
    whole = {**RESULT, "totals": {"spend": 6288.12}, "change": {"spend": -0.1234}}
    assert links("In all 6,288.12, down 12.34 %", call(whole)) == {
        "6,288.12": "#block-T-0-s0",
        "12.34": "#block-T-0-s1",
    }


def test_an_error_and_plain_text_give_no_rows() -> None:
    plain = BlockView(0, "tool_use", result=ToolResult("c", "5082.12"))
    assert links("5,082.12", call(RESULT, is_error=True), plain) == {}


@pytest.mark.parametrize(
    ("number", "says"), [("5082.12", True), ("284", True), ("2026", False), ("100", False), ("14", False)]
)
def test_what_says_enough(number: str, says: bool) -> None:
    assert telling(number) is says


def test_attacks_in_the_prose_stay_what_they_are() -> None:
    html = str(link_figures(render('<a href="#x">5,082.12</a> <img src=x> 2.84', "p"), rows_of((call(RESULT),), "T")))
    assert "<img" not in html
    assert html.count('class="cite"') == 2  # raw HTML is text, and figures in text are linked
