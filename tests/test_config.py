"""Settings: README's table is complete, what is missing or weak refuses to start, and no value is ever printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from webapp.config import PROVIDER_SLUGS, Settings, SettingsError
from webapp.llm.providers import catalogue

ROOT = Path(__file__).resolve().parents[1]
GOOD_KEY = "q3Zr0V7mXw1Tn8Ks5Bd2Fh6Jp9Lc4Gy-uAeIo_EiWxQ"
GOOD = {"DATABASE_URL": "postgresql://alice:hunter2secret@db.example/app", "ENCRYPTION_KEY": GOOD_KEY}
WEAK = "tooshort-but-private"


class Noted(Mapping[str, str]):
    """An environment that remembers which names it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def names_in_readme() -> set[str]:
    table = re.search(r"^## Configuration$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert table
    first_cells = [line.split("|")[1] for line in table[1].splitlines() if line.startswith("| `")]
    return {name for cell in first_cells for name in re.findall(r"`([A-Z_]+)`", cell)}


def names_read_by_gunicorn() -> set[str]:
    return set(re.findall(r"os\.environ\.get\([\"']([A-Z_]+)[\"']", (ROOT / "gunicorn.conf.py").read_text()))


def test_readme_lists_every_variable_that_is_read_and_no_other() -> None:
    env = Noted(GOOD)
    Settings.from_environ(env)
    like_anthropics = {f"{slug.upper()}_BASE_URL" for slug in PROVIDER_SLUGS if slug not in ("anthropic", "demo")}
    assert like_anthropics < env.asked
    assert env.asked - like_anthropics | names_read_by_gunicorn() == names_in_readme()


def test_the_least_there_must_be() -> None:
    settings = Settings.from_environ(GOOD)
    assert settings.database_url == "postgresql+psycopg://alice:hunter2secret@db.example/app"
    assert settings.secure_cookies
    assert settings.outbound_proxy == ""
    assert settings.base_urls == {}
    assert settings.self_hosted_hosts == frozenset()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_a_postgresql_url_will_do(scheme: str) -> None:
    settings = Settings.from_environ({**GOOD, "DATABASE_URL": f"{scheme}://db.example/app"})
    assert settings.database_url == "postgresql+psycopg://db.example/app"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ADS_WRITES": "no"}, "ADS_WRITES must be on or off"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set. Set it to postgresql://"),
        ({"DATABASE_URL": "mysql://root:hunter2secret@db/app"}, "DATABASE_URL must be a PostgreSQL URL"),
        ({"DATABASE_URL": "hunter2secret"}, "DATABASE_URL must be a PostgreSQL URL"),
        ({"ENCRYPTION_KEY": ""}, "ENCRYPTION_KEY is not set. Set it to 32 random bytes: openssl rand -base64 32."),
        ({"ENCRYPTION_KEY": WEAK}, "ENCRYPTION_KEY is too weak."),
        ({"ENCRYPTION_KEY": "abababab" * 8}, "ENCRYPTION_KEY is too weak."),
        ({"ENCRYPTION_KEY_NEXT": WEAK}, "ENCRYPTION_KEY_NEXT is too weak."),
        ({"ENCRYPTION_KEY_PREVIOUS": WEAK}, "ENCRYPTION_KEY_PREVIOUS is too weak."),
        ({"SELF_HOSTED_HOSTS": "hunter2secret"}, "SELF_HOSTED_HOSTS must be hosts with ports, as in ollama.internal:"),
        ({"SELF_HOSTED_HOSTS": "a.internal:80,0.0.0.0:8000"}, "SELF_HOSTED_HOSTS must be hosts with ports"),
        ({"TRUSTED_PROXIES": "hunter2secret"}, "TRUSTED_PROXIES must be a whole number."),
        ({"IDLE_TIMEOUT": "-1"}, "IDLE_TIMEOUT must be a whole number."),
        ({"TURN_TIMEOUT": "1.5"}, "TURN_TIMEOUT must be a whole number."),
    ],
)
def test_what_is_missing_or_weak_is_refused_with_a_sentence_and_without_the_value(
    changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({**GOOD, **changes})
    assert str(refused.value).startswith(sentence)
    assert "hunter2secret" not in str(refused.value)
    assert WEAK not in str(refused.value)


def test_settings_print_without_keys_and_passwords() -> None:
    shown = repr(Settings.from_environ({**GOOD, "ENCRYPTION_KEY_NEXT": GOOD_KEY + "2"}))
    assert GOOD_KEY not in shown
    assert "hunter2secret" not in shown


def test_hosts_are_named_with_their_ports() -> None:
    settings = Settings.from_environ({**GOOD, "SELF_HOSTED_HOSTS": "Ollama.internal:11434, 10.0.0.5:8000"})
    assert settings.self_hosted_hosts == {("ollama.internal", 11434), ("10.0.0.5", 8000)}


@pytest.mark.parametrize("slug", PROVIDER_SLUGS)
def test_each_provider_can_be_given_another_address(slug: str) -> None:
    settings = Settings.from_environ({**GOOD, f"{slug.upper()}_BASE_URL": "https://gateway.example/v1/"})
    assert settings.base_urls == {slug: "https://gateway.example/v1/"}
    if slug in catalogue({}) or slug == "demo":
        assert catalogue(settings.base_urls)[slug].base_url == "https://gateway.example/v1"


def test_without_an_override_anthropic_is_itself_and_there_is_no_demo() -> None:
    assert catalogue({})["anthropic"].base_url == "https://api.anthropic.com"
    assert "demo" not in catalogue({})


def test_insecure_cookies_must_be_asked_for_in_so_many_words() -> None:
    assert Settings.from_environ({**GOOD, "INSECURE_COOKIES": "false"}).secure_cookies
    assert not Settings.from_environ({**GOOD, "INSECURE_COOKIES": "1"}).secure_cookies


@pytest.mark.parametrize("program", ["gunicorn", "flask", "migrate"])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set."),
        ({"ENCRYPTION_KEY": ""}, "ENCRYPTION_KEY is not set."),
        ({"ENCRYPTION_KEY": WEAK}, "ENCRYPTION_KEY is too weak."),
    ],
)
def test_the_real_programs_do_not_start_and_say_why(program: str, changes: dict[str, str], sentence: str) -> None:
    commands = {
        "gunicorn": ["-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", "127.0.0.1:0", "wsgi:app"],
        "flask": ["-m", "flask", "--app", "wsgi", "routes"],
        "migrate": ["-m", "webapp.db.migrate"],
    }
    ran = subprocess.run(
        [sys.executable, *commands[program]],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **GOOD, "WEB_CONCURRENCY": "1", **changes},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode != 0
    assert sentence in said
    assert "Traceback" not in said
    assert not any(value in said for value in (GOOD_KEY, WEAK, "hunter2secret"))
