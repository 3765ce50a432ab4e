"""Settings, read once from the environment: the only reader of os.environ. What is missing or weak refuses to start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webapp.llm.addresses import AddressRefused, Host, named_hosts
from webapp.llm.providers import DEMO, PROVIDERS
from webapp.secret import Secret

PROVIDER_SLUGS = tuple(provider.slug for provider in (*PROVIDERS, DEMO))
WEAK_KEY = 32  # characters; `openssl rand -base64 32` gives 44


class SettingsError(Exception):
    """The environment is not fit to start with. The message says what to set, and never holds a value."""


@dataclass(frozen=True)
class Settings:
    """One frozen record of everything the environment decides. README has the table; a test keeps them equal."""

    database_url: str = field(repr=False)  # holds a password
    encryption_key: Secret
    other_encryption_keys: tuple[Secret, ...] = ()  # decrypt only: ENCRYPTION_KEY_NEXT, ENCRYPTION_KEY_PREVIOUS
    product_name: str = "Admaxxer"
    base_urls: Mapping[str, str] = field(default_factory=dict)  # provider slug -> override
    outbound_proxy: str = ""
    meta_graph_url: str = ""  # of the ad platforms; empty: their own, and the version that our client was written for
    meta_graph_version: str = ""
    google_ads_url: str = ""
    google_token_url: str = ""
    tinybird_host: str = ""  # where the pipes are asked; empty: our own database
    tinybird_token: Secret | None = None  # the admin token that signs; it is never sent
    tinybird_workspace_id: str = ""
    ads_writes: bool = True  # the operator's switch: off, nothing is changed in any ad account
    self_hosted_hosts: frozenset[Host] = frozenset()  # that people's own servers may be at, beside public https ones
    secure_cookies: bool = True
    trusted_proxies: int = 0
    log_level: str = "INFO"
    demo_sign_in: str = ""  # "email / password" shown on the sign-in page of `make run`
    idle_timeout: float = 120.0  # seconds between two bytes of a provider
    turn_timeout: float = 900.0  # seconds for one turn, all rounds
    turn_max_usd: float = 2.0  # for one turn, all rounds; 0: no limit

    @staticmethod
    def from_environ(env: Mapping[str, str] | None = None) -> Settings:
        """Raises SettingsError with one sentence that says what to set."""
        env = os.environ if env is None else env
        return Settings(
            database_url=_database_url(env),
            encryption_key=_encryption_key(env, "ENCRYPTION_KEY"),
            other_encryption_keys=tuple(
                _encryption_key(env, name)
                for name in ("ENCRYPTION_KEY_NEXT", "ENCRYPTION_KEY_PREVIOUS")
                if env.get(name)
            ),
            product_name=env.get("PRODUCT_NAME", "Admaxxer"),
            base_urls={
                slug: env[f"{slug.upper()}_BASE_URL"] for slug in PROVIDER_SLUGS if env.get(f"{slug.upper()}_BASE_URL")
            },
            outbound_proxy=env.get("OUTBOUND_PROXY", ""),
            meta_graph_url=env.get("META_GRAPH_URL", ""),
            meta_graph_version=env.get("META_GRAPH_VERSION", ""),
            google_ads_url=env.get("GOOGLE_ADS_URL", ""),
            google_token_url=env.get("GOOGLE_TOKEN_URL", ""),
            **_tinybird(env),
            ads_writes=_on(env, "ADS_WRITES"),
            self_hosted_hosts=_named_hosts(env.get("SELF_HOSTED_HOSTS", "")),
            secure_cookies=env.get("INSECURE_COOKIES", "") != "1",
            trusted_proxies=_number(env, "TRUSTED_PROXIES", 0),
            log_level=env.get("LOG_LEVEL", "INFO").upper(),
            demo_sign_in=env.get("DEMO_SIGN_IN", ""),
            idle_timeout=float(_number(env, "IDLE_TIMEOUT", 120)),
            turn_timeout=float(_number(env, "TURN_TIMEOUT", 900)),
            turn_max_usd=_dollars(env, "TURN_MAX_USD", 2.0),
        )


def _database_url(env: Mapping[str, str]) -> str:
    url = env.get("DATABASE_URL", "")
    if not url:
        raise SettingsError("DATABASE_URL is not set. Set it to postgresql://user:password@host/database.")
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise SettingsError("DATABASE_URL must be a PostgreSQL URL: postgresql://user:password@host/database.")
    return f"postgresql+psycopg://{rest}"


def _encryption_key(env: Mapping[str, str], name: str) -> Secret:
    value = env.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set. Set it to 32 random bytes: openssl rand -base64 32.")
    if len(value) < WEAK_KEY or len(set(value)) < 10:
        raise SettingsError(f"{name} is too weak. Set it to 32 random bytes: openssl rand -base64 32.")
    return Secret(value)


def _tinybird(env: Mapping[str, str]) -> dict[str, Any]:
    """All three or none: half of them would be another engine than the operator thinks."""
    names = ("TINYBIRD_HOST", "TINYBIRD_TOKEN", "TINYBIRD_WORKSPACE_ID")
    host, token, workspace = (env.get(name, "") for name in names)
    missing = [name for name in names if not env.get(name)]
    if len(missing) == len(names):
        return {}
    if missing:
        raise SettingsError(f"{missing[0]} is not set. Set {', '.join(names)}, or none of them.")
    if not host.startswith(("https://", "http://")):
        raise SettingsError("TINYBIRD_HOST must be a URL, as in https://api.tinybird.co.")
    return {"tinybird_host": host, "tinybird_token": Secret(token), "tinybird_workspace_id": workspace}


def _named_hosts(text: str) -> frozenset[Host]:
    try:
        return named_hosts(text)
    except AddressRefused as refused:
        raise SettingsError(
            f"SELF_HOSTED_HOSTS must be hosts with ports, as in ollama.internal:11434,10.0.0.5:8000. {refused}"
        ) from None


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, "")
    if not value:
        return default
    if not value.isdecimal():
        raise SettingsError(f"{name} must be a whole number.")
    return int(value)


def _on(env: Mapping[str, str], name: str) -> bool:
    """A switch that is on unless it says "off". Any other word refuses to start: a misspelt "off" is not "on"."""
    value = env.get(name, "") or "on"
    if value not in ("on", "off"):
        raise SettingsError(f"{name} must be on or off.")
    return value == "on"


def _dollars(env: Mapping[str, str], name: str, default: float) -> float:
    value = env.get(name, "")
    if not value:
        return default
    if not value.replace(".", "", 1).isdecimal():
        raise SettingsError(f"{name} must be a number of US dollars.")
    return float(value)
