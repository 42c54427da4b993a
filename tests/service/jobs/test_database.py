from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from upconv.service.errors import StorageError
from upconv.service.jobs import database
from upconv.service.jobs.database import SqliteDatabase

BEFORE_VERSIONS = """
CREATE TABLE jobs (id TEXT PRIMARY KEY, owner TEXT NOT NULL, "order" TEXT NOT NULL, fingerprint TEXT NOT NULL, bytes_in INTEGER NOT NULL,
    created REAL NOT NULL, idempotency_key TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL, finished REAL, expires REAL,
    bytes_out INTEGER NOT NULL, result TEXT NOT NULL, error TEXT) STRICT;
CREATE UNIQUE INDEX by_idempotency_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX by_state ON jobs (state, created);
INSERT INTO jobs VALUES ('a', 'ann', '{"scale": 3}', 'f', 10, 5.0, 'k', 'queued', 2, NULL, NULL, 0, '{}', NULL);
"""
OLDER_STILL = """
CREATE TABLE jobs (id text primary key, owner text, state text, created real, idempotency_key text);
INSERT INTO jobs VALUES ('a', 'ann', 'queued', 5.0, 'k');
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.sqlite3"


@pytest.fixture
def opened(path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(path)
    yield opened
    opened.close()


def insert(database: SqliteDatabase, id: str) -> None:
    database.write("INSERT INTO jobs (id) VALUES (?)", id)


def ids(database: SqliteDatabase) -> list[str]:
    return [row["id"] for row in database.read("SELECT id FROM jobs ORDER BY id")]


@pytest.mark.parametrize(("schema", "order", "attempts"), [(BEFORE_VERSIONS, '{"scale": 3}', 2), (OLDER_STILL, "{}", 0)])
def test_an_older_schema_is_migrated_with_its_rows(
    path: Path, opened: SqliteDatabase, schema: str, order: str, attempts: int
) -> None:
    with closing(sqlite3.connect(path)) as older:
        older.executescript(schema)
    row = dict(opened.read("SELECT * FROM jobs")[0])
    expected = {"id": "a", "owner": "ann", "created": 5.0, "idempotency_key": "k", "order": order, "attempts": attempts}
    assert {name: row[name] for name in expected} == expected
    assert (row["due"], row["lease_s"], row["result_url"], row["upload_tries"]) == (0.0, None, None, 0), (
        "new columns have their defaults"
    )
    assert opened.read("PRAGMA user_version")[0]["user_version"] == database.VERSION
    with pytest.raises(StorageError, match="UNIQUE"):
        opened.write("INSERT INTO jobs (id, owner, idempotency_key) VALUES ('b', 'ann', 'k')")
    insert(opened, "c")


def test_a_later_schema_is_refused_and_left_alone(path: Path, opened: SqliteDatabase) -> None:
    with closing(sqlite3.connect(path)) as later:
        later.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    with pytest.raises(StorageError, match=r"later version of upconv \(schema 5, this version has 4\); start that version"):
        opened.read("SELECT 1")
    with closing(sqlite3.connect(path)) as later:
        assert later.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_migration_that_fails_changes_nothing(path: Path, opened: SqliteDatabase) -> None:
    with closing(sqlite3.connect(path)) as older:
        older.executescript(
            "CREATE TABLE jobs (id TEXT, created TEXT); INSERT INTO jobs VALUES ('a', '5'), ('b', 'no time at all')"
        )
    with pytest.raises(StorageError, match="cannot be used at the moment"):
        opened.write("DELETE FROM jobs")
    with closing(sqlite3.connect(path)) as same:
        assert same.execute("SELECT id, created FROM jobs").fetchall() == [("a", "5"), ("b", "no time at all")]
        assert same.execute("PRAGMA user_version").fetchone() == (0,)


def test_what_is_committed_outlives_a_loss_of_power(opened: SqliteDatabase) -> None:
    pragmas = {name: opened.write(f"PRAGMA {name}")[0][name] for name in ("journal_mode", "synchronous")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}  # FULL


def test_readers_do_not_wait_for_a_locked_file_and_writers_not_for_long(path: Path, opened: SqliteDatabase) -> None:
    insert(opened, "a")
    opened.patience_s = 0.1
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ids(opened) == ["a"]
        with pytest.raises(StorageError, match="locked; try again in 30 s") as refused:
            insert(opened, "b")
        assert refused.value.retry_after_s == 30
        other.execute("COMMIT")
    insert(opened, "b")
    assert ids(opened) == ["a", "b"]


@pytest.mark.parametrize("noise", [b"no database at all" * 1000, b""])
def test_a_damaged_file_is_an_error_until_it_is_replaced(path: Path, opened: SqliteDatabase, noise: bytes) -> None:
    insert(opened, "a")
    for file in path.parent.iterdir():
        file.write_bytes(noise)
    if noise:
        for _ in range(2):
            with pytest.raises(StorageError):
                insert(opened, "b")
    for file in path.parent.iterdir():
        file.unlink()
    insert(opened, "c")
    assert ids(opened) == ["c"]


def test_a_deleted_file_is_made_again(path: Path, opened: SqliteDatabase) -> None:
    insert(opened, "a")
    assert ids(opened) == ["a"]
    path.unlink()
    insert(opened, "b")
    assert ids(opened) == ["b"], "what is accepted now is in a file that has a name"
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT id FROM jobs").fetchall() == [("b",)]


def test_a_stop_shortens_a_wait_that_has_begun(path: Path, opened: SqliteDatabase) -> None:
    insert(opened, "a")
    opened.patience_s = 60.0
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        import threading

        threading.Timer(0.2, lambda: setattr(opened, "patience_s", 0.0)).start()
        started = time.monotonic()
        with pytest.raises(StorageError):
            insert(opened, "b")
        assert time.monotonic() - started < 30
