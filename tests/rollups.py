"""What a roll-up has to be: its file for Tinybird (analytics/rollups/*.pipe), in SQL that PostgreSQL reads too."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, text

from webapp.analytics import datafile
from webapp.analytics.catalogue import FOLDER
from webapp.db import Session

FILES = {path.stem: path.read_text() for path in sorted(FOLDER.with_name("rollups").glob("*.pipe"))}
ROLLUPS = tuple(FILES)


def kept(db: Session, name: str) -> list[Row[Any]]:
    """The table's rows."""
    return _rows(db, name, f"select * from {name}")


def worked_out(db: Session, name: str) -> list[Row[Any]]:
    """The rows that the file makes of the tables."""
    nodes = datafile.parse(f"{FILES[name]}\nTYPE endpoint\n", f"{name}.pipe").nodes
    ctes = ", ".join(f"{node.name} as ({node.sql})" for node in nodes)
    return _rows(db, name, f"with {ctes} select * from {nodes[-1].name}")


def _rows(db: Session, name: str, query: str) -> list[Row[Any]]:
    """The columns as the file has them, in order; parts of an order as floats, of which the last digit may differ."""
    lines = FILES[name].rpartition("SELECT")[2].partition("FROM")[0].strip().splitlines()
    columns = [line.split(" AS ")[1].strip(" ,") for line in lines]
    shown = ", ".join("round(orders::numeric, 9)::float as orders" if each == "orders" else each for each in columns)
    return list(db.execute(text(f"select {shown} from ({query}) rolled order by {', '.join(columns)}")))
