"""Answers questions with Tinybird's own parser and renderer on chDB (ClickHouse). It runs in the peers' environment.

In: a JSON with `project` (the folder of pipes and datasources), `tables` (name -> CSV with a header) and `questions`
([pipe, parameters as text]). Out: a JSON of the answers' rows, one list for each question.
"""

import json
import sys
from pathlib import Path

from chdb.session import Session
from tinybird.datafile.parse_datasource import parse_datasource
from tinybird.datafile.parse_pipe import parse_pipe
from tinybird.sql_template import render_sql_template


def create(session: Session, folder: Path, table: str, csv: str) -> None:
    """The table as its datasource declares it, filled. parse_datasource refuses what `tb deploy` would."""
    node = parse_datasource(str(folder / f"{table}.datasource")).datafile.nodes[0]
    key = dict(node["engine"]["args"])["sorting_key"]
    session.query(f"CREATE TABLE {table} ({node['schema']}) ENGINE = MergeTree ORDER BY ({key})")
    session.query(f"INSERT INTO {table} SELECT * FROM file('{csv}', 'CSVWithNames')")


def view(session: Session, path: Path) -> None:
    """A pipe without an output of its own, which others read by its name."""
    session.query(f"CREATE VIEW {path.stem} AS {statement(parse_pipe(str(path)).datafile, {})}")


def statement(pipe, values: dict[str, str]) -> str:
    """The nodes as Tinybird renders them, put together as CTEs; the last is what is asked."""
    nodes = []
    for node in pipe.nodes:
        sql = node["sql"].strip()
        if sql.startswith("%"):
            sql = render_sql_template(sql[1:], values, name=node["name"])[0]
        nodes.append((node["name"], sql))
    ctes = ", ".join(f"{name} AS ({sql})" for name, sql in nodes)
    return f"WITH {ctes} SELECT * FROM {nodes[-1][0]}"


def main() -> None:
    job = json.load(sys.stdin)
    project = Path(job["project"])
    session = Session()
    session.query("CREATE DATABASE peers")
    session.query("USE peers")
    for table, csv in job["tables"].items():
        create(session, project / "datasources", table, csv)
    for path in (project / "rollups").glob("*.pipe"):
        view(session, path)
    answers = []
    for name, values in job["questions"]:
        pipe = parse_pipe(str(project / "pipes" / f"{name}.pipe")).datafile
        answers.append(json.loads(str(session.query(statement(pipe, values), "JSON")))["data"])
    json.dump(answers, sys.stdout)


main()
