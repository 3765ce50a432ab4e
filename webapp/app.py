"""create_app(): settings, database, keyring, runner, blueprints, error pages put together. No behaviour of its own."""

from __future__ import annotations

import logging
import sys
from functools import partial

from flask import Flask
from flask.typing import ResponseReturnValue
from flask_login import LoginManager
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import cli
from webapp.ads import sync
from webapp.ads.opener import Opener
from webapp.analytics import tinybird
from webapp.chat.answering import Answering
from webapp.chat.log import TurnLog
from webapp.chat.model_lists import ModelLists
from webapp.chat.runner import Runner, owner_name
from webapp.config import Settings
from webapp.db import Database
from webapp.errors import UserError, not_found
from webapp.llm.client import Client
from webapp.llm.providers import catalogue
from webapp.pages import (
    account,
    ad_accounts,
    analytics,
    approvals,
    audit_log,
    auth,
    budgets,
    campaigns,
    changes,
    chat,
    collect,
    docs,
    drawer,
    guard_rails,
    imports,
    members,
    own_keys,
    providers,
    store,
    usage,
    web,
    workspaces,
)
from webapp.pages.web import Parts
from webapp.secret import Redactor
from webapp.vault.keyring import start_keyring

BLUEPRINTS = (
    auth.bp,
    account.bp,
    workspaces.bp,
    members.bp,
    providers.bp,
    audit_log.bp,
    ad_accounts.bp,
    guard_rails.bp,
    imports.bp,
    store.bp,
    collect.bp,
    chat.bp,
    drawer.bp,
    approvals.bp,
    changes.bp,
    campaigns.bp,
    analytics.bp,
    usage.bp,
    budgets.bp,
    own_keys.bp,
    docs.bp,
)


# Connections for what may not wait for a page: leases, the turn log, the ends of turns.
KEEPING = 4
SYNC_LOOKS = 300.0  # seconds between two looks for ad accounts that it is time to sync


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Raises SettingsError or KeyringError, each with a sentence that says what to set."""
    settings = settings or Settings.from_environ()
    start_logging(settings.log_level)
    app = Flask("webapp", root_path=str(web.STATIC.parent), static_folder="static", template_folder="templates")
    app.config.update(
        SESSION_COOKIE_SECURE=settings.secure_cookies, SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=8 * 1024 * 1024
    )
    parts = app.extensions["parts"] = assemble(settings)
    app.secret_key, *app.config["SECRET_KEY_FALLBACKS"] = parts.keyring.subkeys("flask session")
    app.jinja_env.globals.update(
        product_name=settings.product_name, static_url=web.static_url, catalogue=parts.providers
    )
    auth.install(LoginManager(app))
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for command in cli.COMMANDS:
        app.cli.add_command(command)
    app.before_request(web.check_origin)
    app.before_request(web.check_text)
    app.after_request(web.add_headers)
    app.register_error_handler(UserError, web.show_error)
    app.register_error_handler(HTTPException, show_http_error)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=1, x_host=1)  # type: ignore[method-assign]
    web.check_policies(app)
    return app


def assemble(settings: Settings) -> Parts:
    database = Database(settings.database_url)
    keyring = start_keyring(database, settings)
    providers_here = catalogue(settings.base_urls)
    client = Client(
        proxy=settings.outbound_proxy,
        idle_timeout=settings.idle_timeout,
        total_timeout=settings.turn_timeout,
        named_hosts=settings.self_hosted_hosts,
    )
    keeping = Database(settings.database_url, pool_size=KEEPING)
    log = TurnLog(keeping, owner_name())
    platforms = Opener(database, keyring, settings)
    engine = tinybird.engine(settings)
    answering = Answering(
        database=database,
        keeping=keeping,
        keyring=keyring,
        client=client,
        platforms=platforms,
        turn_timeout=settings.turn_timeout,
        turn_max_usd=settings.turn_max_usd,
        engine=engine,
    )
    runner = Runner(database, keeping, providers_here, log, platforms, answering)
    models = ModelLists(database, keyring, client, providers_here)
    runner.every(SYNC_LOOKS, partial(sync.run_due, database, platforms))
    return Parts(settings, database, providers_here, keyring, client, log, platforms, runner, engine, models)


def start_logging(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(Redactor())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def show_http_error(error: HTTPException) -> ResponseReturnValue:
    """werkzeug's own errors (404, 405, 413 ...) in our words and layout."""
    if error.code is None or error.code < 400:
        return error.get_response()
    shown = not_found() if error.code == 404 else UserError(error.name, error.description or "", status=error.code)
    return web.show_error(shown)
