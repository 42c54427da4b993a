"""The schema of the PostgreSQL database of jobs: its table, its version, and the trigger that tells replicas of changes."""

from __future__ import annotations

from typing import Any

import psycopg

from upconv.service.errors import StorageError
from upconv.service.jobs.schema import COLUMNS, INDEXES

VERSION = 1
"""The version of the schema, in the table `upconv_schema`. Raise it with every change of `COLUMNS`, and migrate older ones."""

CHANNEL = "left('upconv_jobs.' || current_schema(), 63)"
"""The channel of the messages, as SQL. Each schema has its own, so that several services can share a database."""

_LOCK = 7_034_215_968
"""A number of an advisory lock: replicas that start at once prepare the schema one after the other."""
_RETRY_S = 30
_TRIGGER = """
CREATE FUNCTION upconv_announce() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jobs%ROWTYPE;
    now_is text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        changed := OLD;
        now_is := 'deleted';
    ELSE
        changed := NEW;
        now_is := NEW.state;
    END IF;
    PERFORM pg_notify(
        left('upconv_jobs.' || TG_TABLE_SCHEMA, 63),
        json_build_object('id', changed.id, 'state', now_is, 'claim', changed.claim)::text
    );
    RETURN NULL;
END $$"""
_STATEMENTS = (
    f"CREATE TABLE jobs ({COLUMNS.replace(' REAL', ' DOUBLE PRECISION').replace(' INTEGER', ' BIGINT')})",
    *INDEXES,
    _TRIGGER,
    "CREATE TRIGGER announce AFTER INSERT OR DELETE OR UPDATE OF state ON jobs FOR EACH ROW EXECUTE FUNCTION upconv_announce()",
    "CREATE TABLE upconv_schema (version INTEGER NOT NULL)",
    f"INSERT INTO upconv_schema VALUES ({VERSION})",  # noqa: S608, a number of our own
)


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Create the table if there is none.

    Raises `StorageError` if the database is of a later version, or has a table of this name that is not of the service.
    """
    with connection.transaction():
        connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if not _exists(connection, "upconv_schema"):
            if _exists(connection, "jobs"):
                raise StorageError(
                    "the database has a table `jobs` that is not of upconv; give the service a database or a schema of its own",
                    _RETRY_S,
                )
            for statement in _STATEMENTS:
                connection.execute(statement)
        row = connection.execute("SELECT max(version) AS version FROM upconv_schema").fetchone()
    version = row["version"] if row else None
    if version != VERSION:
        raise StorageError(
            f"the database of jobs is of another version of upconv (schema {version}, this version has {VERSION}); "
            "start that version, or choose another database by UPCONV_JOBS_STORE",
            _RETRY_S,
        )


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL AS found", [table]).fetchone()
    return bool(row and row["found"])
