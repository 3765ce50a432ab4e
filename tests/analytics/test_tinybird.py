"""Pipes asked at Tinybird: the same answers, for each call a token for one pipe of one workspace, plain errors."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.analytics.conftest import Place
from tests.analytics.fake_tinybird import TOKEN, WORKSPACE, Refused, Tinybird, decoded, tinybird
from tests.analytics.shop import ask
from tests.campaigns import NOW
from webapp.analytics import source
from webapp.analytics import tinybird as ours
from webapp.analytics.answers import PipeRefused, PipeResult
from webapp.analytics.catalogue import PIPE_ALLOWLIST
from webapp.config import Settings, SettingsError
from webapp.secret import Secret

ENV = {
    "DATABASE_URL": "postgresql://alice:hunter2secret@db.example/app",
    "ENCRYPTION_KEY": "Zq3vX9yB2mN7pL4kJ8hG5fD1sA6wE0rT",
    "TINYBIRD_HOST": "https://api.tinybird.co",
    "TINYBIRD_TOKEN": TOKEN,
    "TINYBIRD_WORKSPACE_ID": WORKSPACE,
}


@pytest.fixture(scope="module")
def bird(shop: Place) -> Iterator[Tinybird]:
    with tinybird(shop.database) as fake:
        yield fake


@pytest.fixture
def engine(bird: Tinybird) -> ours.Tinybird:
    bird.seen.clear()
    bird.next.clear()
    return ours.Tinybird(bird.url, Secret(TOKEN), WORKSPACE)


def far(shop: Place, engine: ours.Tinybird, pipe: str, /, **params: Any) -> PipeResult:
    source.forget()
    return source.run(shop.alice, shop.database, pipe, params, engine=engine, now=NOW)


def refused(shop: Place, bird: Tinybird, engine: ours.Tinybird, answer: Refused | bytes | float) -> PipeRefused:
    bird.next.append(answer)
    with pytest.raises(PipeRefused) as error:
        far(shop, engine, "kpi_summary")
    assert TOKEN not in str(error.value)
    return error.value


@pytest.mark.parametrize("pipe", PIPE_ALLOWLIST)
def test_the_answer_is_the_same(shop: Place, engine: ours.Tinybird, pipe: str) -> None:
    there, here = far(shop, engine, pipe), ask(shop.database, shop.alice, pipe)
    assert replace(there, elapsed_ms=0) == replace(here, elapsed_ms=0)


def test_each_call_has_a_token_of_its_own_for_one_pipe_of_one_workspace(
    shop: Place, bird: Tinybird, engine: ours.Tinybird
) -> None:
    far(shop, engine, "conversion_funnel", device="mobile")
    ((path, headers),) = bird.seen
    claims = json.loads(decoded(headers["Authorization"].split(".")[1]))
    assert claims["scopes"] == [
        {
            "type": "PIPES:READ",
            "resource": "conversion_funnel",
            "fixed_params": {"workspace_id": str(shop.alice.workspace_id)},
        }
    ]
    assert 55 < claims["exp"] - time.time() <= 60
    assert path == "/v0/pipes/conversion_funnel.json?device=mobile&date_from=2026-10-27&date_to=2026-11-23"


def test_a_token_opens_no_other_pipe_and_its_workspace_cannot_be_overridden(
    shop: Place, bird: Tinybird, engine: ours.Tinybird
) -> None:
    """Whatever a bug of ours might put into the URL."""
    token = {"Authorization": f"Bearer {engine.pass_for('conversion_funnel', str(shop.charlie.workspace_id))}"}
    days = {"date_from": "2026-10-27", "date_to": "2026-11-23"}
    other = requests.get(f"{bird.url}/v0/pipes/kpi_summary.json", params=days, headers=token, timeout=10)
    assert other.status_code == 403
    hers = {**days, "workspace_id": str(shop.alice.workspace_id)}
    found = requests.get(f"{bird.url}/v0/pipes/conversion_funnel.json", params=hers, headers=token, timeout=10)
    assert [row["sessions"] for row in found.json()["data"]] == [0, 0, 0, 0, 0]


def test_a_token_dies_after_a_minute(shop: Place, bird: Tinybird, engine: ours.Tinybird) -> None:
    with pytest.raises(PipeRefused, match="does not accept our token"):
        far(shop, replace(engine, clock=lambda: time.time() - 61), "kpi_summary")


def test_the_admin_token_is_never_sent_and_never_logged(
    shop: Place, bird: Tinybird, engine: ours.Tinybird, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    far(shop, engine, "kpi_summary")
    refused(shop, bird, engine, Refused(500, f"the token {TOKEN} broke"))
    assert len(bird.seen) == 2
    assert TOKEN not in repr(bird.seen)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(engine)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (
            Refused(400, "Error validating 'x' to type Date"),
            422,
            "was not understood. Error validating 'x' to type Date",
        ),
        (Refused(403, "invalid token"), 502, "Tinybird does not accept our token. The operator can check"),
        (Refused(404, "no such pipe"), 502, "kpi_summary is not deployed at Tinybird. The operator can run tb deploy."),
        (Refused(408, "timeout"), 504, "kpi_summary took longer than 10 seconds. Ask for fewer days"),
        (Refused(429, "slow down", **{"Retry-After": "7"}), 429, "too many questions. Ask again in 7 seconds."),
        (Refused(429, "slow down"), 429, "Ask again in a minute."),
        (Refused(500, "Memory limit exceeded"), 502, "Tinybird failed (500). Memory limit exceeded. Try again."),
        (Refused(301, "moved", Location="http://127.0.0.1:1/"), 502, "Tinybird failed (301)."),
        (b"<html>", 502, "an answer we cannot read"),
        (b'{"rows": 1}', 502, "an answer we cannot read"),
        (b'{"data": "all of it"}', 502, "an answer we cannot read"),
        (b'{"data": ' + b"[" * 100_000, 502, "an answer we cannot read"),
        (Refused(500, "no gzip", **{"Content-Encoding": "gzip"}), 502, "cannot be reached"),
        (Refused(500, "cut", **{"Content-Length": "20", "Connection": "close"}), 502, "cannot be reached"),
    ],
)
def test_what_goes_wrong_is_said_plainly(
    shop: Place, bird: Tinybird, engine: ours.Tinybird, answer: Refused | bytes, status: int, words: str
) -> None:
    error = refused(shop, bird, engine, answer)
    assert words in str(error)
    assert error.status == status


def test_no_proxy_and_no_netrc_of_the_environment_comes_between(
    shop: Place, bird: Tinybird, engine: ours.Tinybird, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    far(shop, engine, "kpi_summary")
    assert bird.seen[-1][1]["Authorization"].startswith("Bearer ")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    far(shop, engine, "kpi_summary")


def test_silence_is_too_slow_and_nobody_there_is_unreachable(
    shop: Place, bird: Tinybird, engine: ours.Tinybird
) -> None:
    assert "took longer than 0.1 seconds" in str(refused(shop, bird, replace(engine, timeout=0.1), 0.5))
    with pytest.raises(PipeRefused, match="cannot be reached right now"):
        far(shop, replace(engine, host="http://127.0.0.1:1"), "kpi_summary")


def test_long_integers_spelt_as_text_are_numbers(shop: Place, bird: Tinybird, engine: ours.Tinybird) -> None:
    bird.next.append(b'{"data": [{"step": "visit", "sessions": "6", "step_rate": 1, "overall_rate": null}]}')
    result = far(shop, engine, "conversion_funnel", date_to=date(2026, 11, 22))
    assert result.rows == ({"step": "visit", "sessions": 6, "step_rate": 1, "overall_rate": None},)


def test_three_settings_choose_it_and_two_do_not_start() -> None:
    engine = ours.engine(Settings.from_environ(ENV))
    assert engine is not None
    assert (engine.host, engine.workspace) == ("https://api.tinybird.co", WORKSPACE)
    assert ours.engine(Settings.from_environ({key: ENV[key] for key in ("DATABASE_URL", "ENCRYPTION_KEY")})) is None
    for missing in ("TINYBIRD_HOST", "TINYBIRD_TOKEN", "TINYBIRD_WORKSPACE_ID"):
        with pytest.raises(SettingsError, match=f"{missing} is not set"):
            Settings.from_environ({key: value for key, value in ENV.items() if key != missing})
    with pytest.raises(SettingsError, match="must be a URL"):
        Settings.from_environ({**ENV, "TINYBIRD_HOST": "api.tinybird.co"})
