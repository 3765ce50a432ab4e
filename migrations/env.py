"""Alembic's entry: runs the revisions against DATABASE_URL, under a lock so that two deploys cannot migrate at once."""

from alembic import context
from sqlalchemy import create_engine, text

from webapp.db.models import Base

LOCK = 0x61646D78  # any constant number; the same in every process


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    engine = create_engine(str(url))
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=False)
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()
    engine.dispose()


run()
