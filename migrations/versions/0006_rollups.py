"""daily sums of ads, visits and orders, kept by the database itself

A roll-up is the GROUP BY of its table, after every statement, whoever wrote it: triggers see what a statement took away
and what it put there (transition tables) and add the difference. Sums are whole numbers or `numeric`, so that adding
and taking away leaves nothing behind. Rows are locked in the order of their key, and stay locked until the writer
commits. A row that nothing stands behind any more is deleted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


@dataclass(frozen=True)
class Rollup:
    """`keys` and `sums`: a column of the roll-up, and what it is of a row of `table`. The first sum counts the rows."""

    name: str
    table: str
    keys: dict[str, str]
    sums: dict[str, str]


CAME_FAR = {  # who came further is counted in every step before
    "viewed": "(viewed or carted or checkout or purchased)::int",
    "carted": "(carted or checkout or purchased)::int",
    "checkout": "(checkout or purchased)::int",
    "purchased": "purchased::int",
}
BUYER = "case when is_first then 'new' when not is_first then 'returning' else '' end"


def same(*columns: str) -> dict[str, str]:
    return {each: each for each in columns}


ROLLUPS = (
    Rollup(
        "account_daily",
        "ad_daily",
        same("workspace_id", "day", "account_id"),
        {"parts": "1"}
        | same("spend_micros", "impressions", "clicks")
        | {"orders": "orders::numeric", "revenue_micros": "revenue_micros"},
    ),
    Rollup(
        "visits_daily",
        "visits",
        same("workspace_id", "day", "channel", "device", "country", "is_new"),
        {"sessions": "1"} | CAME_FAR,
    ),
    Rollup(
        "orders_daily",
        "store_orders",
        same("workspace_id", "day", "currency", "channel", "device", "country") | {"buyer": BUYER},
        {"orders": "1"} | same("gross_micros", "refund_micros"),
    ),
)
EVENTS = {  # what a statement put there counts once, what it took away is taken off
    "insert": {"put": "1"},
    "update": {"put": "1", "taken": "-1"},
    "delete": {"taken": "-1"},
}


def upgrade() -> None:
    op.create_table(
        "account_daily",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        *_sums("parts", "spend_micros", "impressions", "clicks"),
        sa.Column("orders", sa.Numeric(), nullable=False),
        *_sums("revenue_micros"),
        sa.PrimaryKeyConstraint("workspace_id", "day", "account_id", name=op.f("pk_account_daily")),
    )
    op.create_table(
        "visits_daily",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=24), nullable=False),
        sa.Column("device", sa.String(length=8), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        *_sums("sessions", "viewed", "carted", "checkout", "purchased"),
        sa.PrimaryKeyConstraint(
            "workspace_id", "day", "channel", "device", "country", "is_new", name=op.f("pk_visits_daily")
        ),
    )
    op.create_table(
        "orders_daily",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("channel", sa.String(length=24), nullable=False),
        sa.Column("device", sa.String(length=8), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("buyer", sa.String(length=9), nullable=False),
        *_sums("orders", "gross_micros", "refund_micros"),
        sa.PrimaryKeyConstraint(
            "workspace_id", "day", "currency", "channel", "device", "country", "buyer", name=op.f("pk_orders_daily")
        ),
    )
    for rollup in ROLLUPS:
        for statement in _triggers(rollup):
            op.execute(statement)
        op.execute(_backfill(rollup))


def downgrade() -> None:
    for rollup in ROLLUPS:
        for event in (*EVENTS, "truncate"):
            op.execute(f"drop function {rollup.name}_{event} cascade")
        op.drop_table(rollup.name)


def _sums(*names: str) -> Iterator[sa.Column[int]]:
    return (sa.Column(name, sa.BigInteger(), nullable=False) for name in names)


def _triggers(rollup: Rollup) -> Iterator[str]:
    """The first of them locks the table against writers until the backfill is committed: none slips in between."""
    for event, sides in EVENTS.items():
        tables = {"put": "new table as put", "taken": "old table as taken"}
        yield f"""
            create function {rollup.name}_{event}() returns trigger language plpgsql as $$
            declare came_to_nothing boolean;
            begin {_follow(rollup, sides)} return null; end $$;
            create trigger {rollup.name}_{event} after {event} on {rollup.table}
            referencing {" ".join(tables[side] for side in sides)}
            for each statement execute function {rollup.name}_{event}();
        """
    yield f"""
        create function {rollup.name}_truncate() returns trigger language plpgsql as
        $$ begin truncate {rollup.name}; return null; end $$;
        create trigger {rollup.name}_truncate after truncate on {rollup.table}
        for each statement execute function {rollup.name}_truncate();
    """


def _follow(rollup: Rollup, sides: dict[str, str]) -> str:
    keys, sums = ", ".join(rollup.keys), ", ".join(rollup.sums)
    count = next(iter(rollup.sums))
    added = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in rollup.sums)
    changed = " union all ".join(f"select {way} as way, {_columns(rollup)} from {side}" for side, way in sides.items())
    upsert = f"""
        insert into {rollup.name} as kept ({keys}, {sums})
        select {keys}, {", ".join(f"sum(way * {name})" for name in rollup.sums)}
        from ({changed}) changed group by {keys}
        having {" or ".join(f"sum(way * {name}) <> 0" for name in rollup.sums)}
        order by {keys}
        on conflict ({keys}) do update set {added}
    """
    if "taken" not in sides:
        return f"{upsert};"
    return f"""
        with changed as ({upsert} returning kept.{count} as n) select bool_or(n = 0) into came_to_nothing from changed;
        if came_to_nothing then
            delete from {rollup.name} kept using (select distinct {_columns(rollup)} from taken) gone
            where kept.{count} = 0 and {" and ".join(f"kept.{key} = gone.{key}" for key in rollup.keys)};
        end if;
    """


def _backfill(rollup: Rollup) -> str:
    return f"""
        insert into {rollup.name} ({", ".join((*rollup.keys, *rollup.sums))})
        select {", ".join(rollup.keys)}, {", ".join(f"sum({name})" for name in rollup.sums)}
        from (select {_columns(rollup)} from {rollup.table}) every group by {", ".join(rollup.keys)}
    """


def _columns(rollup: Rollup) -> str:
    return ", ".join(f"{what} as {name}" for name, what in (rollup.keys | rollup.sums).items())
