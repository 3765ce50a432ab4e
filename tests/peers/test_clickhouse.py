"""The pipes by two engines that nobody here wrote, over the same rows: PostgreSQL with our compiler, and ClickHouse
(chDB) with Tinybird's own parser and renderer. `make test-peers` installs those into an environment of their own.

Tinybird's wheel has no licence field and chDB weighs 500 MB: neither is shipped or imported here. clickhouse.py runs
them in a process; rows go there as CSV, as docs/tinybird.md exports them.
"""

from __future__ import annotations

import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.analytics.conftest import Place, demo, shop  # noqa: F401
from tests.campaigns import NOW
from webapp.analytics import questions, standing
from webapp.analytics.catalogue import FOLDER
from webapp.analytics.local import Local
from webapp.analytics.questions import Question

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "pipes-peers" / "bin" / "python"
METRICS = ("revenue", "orders", "sessions", "aov", "cvr", "spend", "platform_revenue", "platform_orders", "roas", "cpa",
           "ctr", "cpm")  # fmt: skip
DIMENSIONS = ("channel", "platform", "country", "device", "landing_page", "new_vs_returning")

QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("kpi_summary", {}),
    ("kpi_summary", {"platform": "meta", "compare": "none"}),
    ("kpi_summary", {"compare": "year", "date_from": "2026-11-01"}),
    ("metric_timeseries", {}),
    ("metric_timeseries", {"granularity": "week", "platform": "google"}),
    ("metric_timeseries", {"granularity": "month", "date_from": "2026-01-01"}),
    *(("segment_breakdown", {"dimension": dimension}) for dimension in DIMENSIONS),
    ("segment_breakdown", {"limit": 2, "platform": "google"}),
    *(("campaign_performance", {"sort": sort}) for sort in ("spend", "revenue", "orders", "roas", "cpa")),
    ("campaign_performance", {"level": "adset", "min_spend": 100.5}),
    ("campaign_performance", {"level": "ad", "platform": "meta", "limit": 7, "compare": "none"}),
    ("conversion_funnel", {}),
    ("conversion_funnel", {"channel": "meta", "device": "mobile"}),
    ("conversion_funnel", {"channel": "unknown"}),
    *(("channel_attribution", {"model": model}) for model in ("first", "last", "linear", "platform")),
    ("channel_attribution", {"model": "first", "lookback": 3}),
    ("cohort_ltv", {"periods": 12}),
    ("cohort_ltv", {"periods": 1, "limit": 5}),
    *(("metric_anomalies", {"metric": metric, "sensitivity": 2}) for metric in METRICS),
)


def ask(place: Place) -> list[Question]:
    with place.database.begin() as db:
        stands = standing.read(place.alice, db, NOW)
    workspace_id = place.alice.workspace_id
    return [questions.ask(questions.find(name), params, stands, workspace_id) for name, params in QUESTIONS]


def columns(table: str) -> str:
    """What the datasource takes, as it is exported: times in UTC."""
    schema = (FOLDER.parent / "datasources" / f"{table}.datasource").read_text()
    found = re.findall(r"^    `(\w+)` (\S+)", schema, re.MULTILINE)
    return ", ".join(
        f"{name} at time zone 'utc' as {name}" if kind.startswith("DateTime") else name for name, kind in found
    )


def export(place: Place, folder: Path) -> dict[str, str]:
    tables = {}
    url = place.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        for table in sorted(path.stem for path in (FOLDER.parent / "datasources").glob("*.datasource")):
            tables[table] = str(folder / f"{table}.csv")
            statement = f"copy (select {columns(table)} from {table}) to stdout (format csv, header)"
            with open(tables[table], "wb") as file, connection.cursor().copy(statement) as copy:  # type: ignore[call-overload]
                for piece in copy:
                    file.write(piece)
    return tables


def theirs(place: Place, asked: list[Question], folder: Path) -> Any:
    if not PYTHON.with_name("tb").exists():
        pytest.fail("Tinybird's parser is not installed. Run: make test-peers")
    texts = [(each.pipe.name, {name: str(value) for name, value in each.values.items()}) for each in asked]
    job = {"project": str(FOLDER.parent), "tables": export(place, folder), "questions": texts}
    command = [str(PYTHON), str(HERE / "clickhouse.py")]
    ran = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=300, cwd=folder)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout)


@pytest.fixture(scope="module", params=["shop", "demo"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every question's rows, ours and theirs."""
    place = request.getfixturevalue(request.param)
    asked = ask(place)
    ours = [Local(place.database).rows(each.pipe, each.values) for each in asked]
    return list(zip(ours, theirs(place, asked, tmp_path_factory.mktemp("csv")), strict=True))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(len(QUESTIONS)), ids=lambda n: f"{QUESTIONS[n][0]} {QUESTIONS[n][1]}")
def test_postgresql_and_clickhouse_answer_alike(answers: Any, number: int) -> None:
    ours, other = answers[number]
    assert [list(row) for row in ours] == [list(row) for row in other]
    assert cells(ours) == [pytest.approx(cell, rel=1e-9) if isinstance(cell, float) else cell for cell in cells(other)]


def test_the_questions_are_not_about_nothing(answers: Any) -> None:
    answered = {name for (name, _), (rows, _) in zip(QUESTIONS, answers, strict=True) if rows}
    assert answered >= {name for name, _ in QUESTIONS} - {"metric_anomalies"}


def cells(rows: list[dict[str, Any]]) -> list[float | str | None]:
    """All values one after another; any number is a float."""
    values = (value for row in rows for value in row.values())
    return [float(v) if isinstance(v, Decimal | int | float) else v if v is None else str(v) for v in values]
