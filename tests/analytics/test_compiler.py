"""A .pipe file as a value and as SQL; and what a file may not say, with its name, its line and the reason."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from webapp.analytics import datafile
from webapp.analytics.catalogue import FOLDER, PIPE_ALLOWLIST
from webapp.analytics.compiler import Compiled, compile_pipe
from webapp.analytics.datafile import DatafileError

GOOD = """DESCRIPTION >
    How many sessions there were.

NODE counted
DESCRIPTION >
    A note for the reader.
SQL >
    %
    SELECT channel AS channel, count(*) AS n
    FROM visits
    WHERE workspace_id = {{String(workspace_id)}}
        {% if defined(device) and not kind == 'all' %} AND device = {{String(device, description='A device')}}
        {% elif kind == 'none' or kind == 'all' %} AND 1 = 0
        {% else %} AND day = {{Date(day, '2026-01-01')}}
        {% end %}
    GROUP BY channel

NODE answer
SQL >
    %
    SELECT
        channel AS channel,
        n AS sessions,
        {{String(kind, 'some', enum=['some', 'all', 'none'])}} AS kind
    FROM counted
    ORDER BY channel
    LIMIT {{Int32(limit, 5)}}

TYPE endpoint
"""
TENANT = uuid.UUID(int=7)


def compiled(text: str = GOOD) -> Compiled:
    return compile_pipe(datafile.parse(text, "counted.pipe"))


def rendered(**values: Any) -> tuple[str, dict[str, Any]]:
    text, bound = compiled().render({"workspace_id": TENANT, **values})
    return " ".join(text.split()), bound


def test_nodes_become_ctes_and_parameters_are_bound() -> None:
    text, bound = rendered(device="mobile'; drop table visits")
    assert text == (
        "WITH counted AS ( SELECT channel AS channel, count(*) AS n FROM visits"
        " WHERE workspace_id = CAST(:workspace_id AS uuid) AND device = CAST(:device AS text) GROUP BY channel ),"
        " answer AS ( SELECT channel AS channel, n AS sessions, CAST(:kind AS text) AS kind"
        " FROM counted ORDER BY channel LIMIT CAST(:limit AS integer) ) SELECT * FROM answer"
    )
    assert bound == {"workspace_id": TENANT, "device": "mobile'; drop table visits", "kind": "some", "limit": 5}


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        ({}, "AND day = CAST(:day AS date)"),
        ({"device": "mobile"}, "AND device ="),
        ({"device": "mobile", "kind": "all"}, "AND 1 = 0"),
        ({"kind": "none"}, "AND 1 = 0"),
        ({"kind": "some"}, "AND day ="),
    ],
)
def test_the_first_condition_that_holds_decides(values: dict[str, str], condition: str) -> None:
    assert condition in rendered(**values)[0]


def test_a_file_tells_its_parameters_and_its_columns() -> None:
    pipe = compiled()
    assert pipe.description == "How many sessions there were."
    assert pipe.columns == ("channel", "sessions", "kind")
    assert pipe.parameters["kind"].choices == ("some", "all", "none")
    assert pipe.parameters["device"].description == "A device"


def test_without_a_workspace_nothing_is_rendered() -> None:
    with pytest.raises(ValueError, match="workspace_id is required"):
        compiled().render({})


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("TYPE endpoint", "TYPE materialized", 29, "the last line must be TYPE endpoint"),
        ("NODE answer", "NODE counted", 18, "there are two nodes named counted"),
        ("NODE answer", "NODE Answer!", 18, "'Answer!' is no name for a node"),
        ("NODE answer", "TOKEN admin READ\n\nNODE answer", 18, "TOKEN is not a command of ours"),
        ("NODE answer", "INCLUDE other.incl", 18, "INCLUDE is not a command of ours"),
        ("NODE answer\n", "", 18, "SQL by the next NODE"),
        ("    A note", "\nA note", 7, "is not a command of ours"),
        ("{% end %}", "", 12, "an {% if %} has no {% end %}"),
        ("{% else %}", "{% else %} {% else %}", 14, "after {% else %}"),
        ("{% if defined(device) and not kind == 'all' %}", "{% for x in y %}", 12, "{% for %} is not understood"),
        ("defined(device) and", "exists(device) and", 12, "the condition 'exists(device)' is not understood"),
        ("kind == 'none'", "kind != 'none'", 13, "the condition \"kind != 'none'\" is not understood"),
        ("kind == 'none'", "shape == 'none'", 9, "a condition asks for shape"),
        ("kind == 'none'", "__import__('os').system('x')", 13, "is not understood"),
        ("{{Int32(limit, 5)}}", "{{limit}}", 27, "a parameter is written as"),
        ("{{Int32(limit, 5)}}", "{{Int32(limit, 5 + 5)}}", 27, "'5 + 5' is no plain value"),
        ("{{Int32(limit, 5)}}", "{{Int32(limit, 5, format='x')}}", 27, "format is not understood"),
        ("{{Int32(limit, 5)}}", "{{columns(limit)}}", 27, "a parameter is written as"),
        ("{{Int32(limit, 5)}}", "{{Int32(limit, 5)} }", 27, "a brace stands alone"),
        ("LIMIT {{Int32(limit, 5)}}", "LIMIT {{Int32(limit)}} + {{Int32(limit, 6)}}", 21, "declared in two ways"),
        ("ORDER BY channel", "; DELETE FROM visits", 21, "';' has no place in a pipe"),
        ("ORDER BY channel", "ORDER BY channel -- first", 21, "'--' has no place in a pipe"),
        ("n AS sessions", "n::text AS sessions", 21, "'::' has no place in a pipe"),
        ("n AS sessions", ":other AS sessions", 21, "':o' has no place in a pipe"),
        ("FROM counted", "FROM users", 21, "users is neither an earlier node nor one of"),
        ("FROM counted", "FROM byok_keys", 21, "byok_keys is neither an earlier node"),
        ("FROM counted", "FROM (SELECT 1)", 21, "( is neither an earlier node"),
        ("FROM counted", "FROM counted c, visits v", 21, "tables are joined with JOIN, not listed"),
        ("FROM counted", "FROM counted JOIN visits ON 1 = 1", 21, "each table of node answer needs its own"),
        ("FROM counted", "FROM visits_daily", 21, "each table of node answer needs its own"),
        ("WHERE workspace_id = {{String(workspace_id)}}", "WHERE 1 = 1", 9, "each table of node counted needs its own"),
        (
            "WHERE workspace_id = {{String(workspace_id)}}",
            "WHERE 1 = 1 {% if defined(day) %} AND workspace_id = {{String(workspace_id)}} {% end %}",
            9,
            "each table of node counted needs its own",
        ),
        ("AND 1 = 0", "AND 1 IN (SELECT 1 FROM store_orders)", 9, "a condition must not decide what is read"),
        ("n AS sessions", "n + 1", 21, "the endpoint names its columns one a line"),
        ("n AS sessions", "n AS sessions, abs(n) AS other", 21, "the endpoint names its columns one a line"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(old: str, new: str, line: int, why: str) -> None:
    assert old in GOOD
    with pytest.raises(DatafileError) as error:
        compiled(GOOD.replace(old, new, 1))
    assert str(error.value).startswith("counted.pipe:")
    assert why in str(error.value)
    assert f":{line}:" in str(error.value)


def test_the_folder_holds_the_eight() -> None:
    assert sorted(PIPE_ALLOWLIST) == [
        "campaign_performance",
        "channel_attribution",
        "cohort_ltv",
        "conversion_funnel",
        "kpi_summary",
        "metric_anomalies",
        "metric_timeseries",
        "segment_breakdown",
    ]
    assert {path.stem for path in FOLDER.glob("*")} == set(PIPE_ALLOWLIST)
