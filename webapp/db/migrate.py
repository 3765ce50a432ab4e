"""Bring the database to the newest revision. `python -m webapp.db.migrate` is `make migrate`.

Not a flask command: those run inside the application, which does not start on a database without tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from webapp.config import Settings, SettingsError

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def config(url: str) -> Config:
    cfg = Config()
    cfg.set_main_option("script_location", str(MIGRATIONS))
    cfg.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return cfg


def upgrade(url: str) -> None:
    """Run every revision that has not run yet. `url` is a SQLAlchemy URL."""
    command.upgrade(config(url), "head")


if __name__ == "__main__":
    try:
        upgrade(Settings.from_environ().database_url)
    except SettingsError as wrong:
        sys.exit(f"Not migrated. {wrong}")
