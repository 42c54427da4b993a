"""The SQLite file of jobs: its schema, its version, and the connections to it.

A reader that has a connection of its own never waits for writers (https://sqlite.org/wal.html). Every failure of SQLite becomes
a `StorageError`, and a connection to a file that was damaged, deleted or replaced is opened again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from upconv.runtime.errors import first_line
from upconv.service.errors import StorageError
from upconv.service.jobs.schema import COLUMNS, INDEXES, Row

VERSION = 4
"""The version of the schema (`PRAGMA user_version`). Raise it with every change of `COLUMNS`; each column needs a default."""

PATIENCE_S = 2.0
"""Seconds for which a statement waits while another process has locked the file."""

_RETRY_S = 30
_POLL_S = 0.02
_TABLE = f"CREATE TABLE jobs ({COLUMNS}) STRICT"
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_USABLE = (*_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT)
"""Errors after which a connection can be used further."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SqliteDatabase:
    """The connections to the file, one for writing and one for reading. Threads may share it."""

    shared = False
    locking = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.patience_s = PATIENCE_S
        """Seconds for which statements wait for a lock; less while the service stops."""
        self._writer, self._reader = _Connection(path), _Connection(path)
        self._closed = False

    def write(self, statement: str, *values: Any) -> list[Row]:
        """Run one statement as a transaction, and return its rows. Raises `StorageError`."""
        return self._run(self._writer, statement, values)

    def read(self, statement: str, *values: Any) -> list[Row]:
        """Return the rows of a query, without waiting for writers. Raises `StorageError`."""
        return self._run(self._reader, statement, values)

    def now(self) -> float:
        """Return the time of the machine."""
        return time.time()

    def tell(self, message: str) -> None:
        """Do nothing, because no other process uses the file."""

    async def messages(self) -> AsyncGenerator[str | None]:
        """Yield nothing but that there are no messages."""
        yield None

    def close(self) -> None:
        """Close both connections for good."""
        self._closed = True
        self._disconnect()

    def _disconnect(self) -> None:
        for connection in (self._writer, self._reader):
            with connection.lock:
                connection.close()

    def _run(self, connection: _Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
        if self._closed:
            raise StorageError("the database of jobs is closed, because the service stops; try again in a moment", 1)
        if self._writer.outdated or self._reader.outdated:
            # Both at once: two files of one path would share their -wal and -shm.
            self._disconnect()
        try:
            return connection.run(statement, values, lambda: self.patience_s)
        except sqlite3.Error as error:
            if _code(error) not in _USABLE:
                self._disconnect()
            raise _storage_error(error) from error


def _storage_error(error: sqlite3.Error) -> StorageError:
    if _code(error) in _DAMAGED:
        cause = f"is damaged: {first_line(error)}; restore it, or move jobs.sqlite3 away to start with an empty one"
    else:
        cause = f"cannot be used at the moment: {first_line(error)}; try again in {_RETRY_S} s"
    return StorageError(f"the database of jobs {cause}", _RETRY_S)


class _Connection:
    """A connection that is opened at its first use. One thread uses it at a time."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        self._path = path
        self._opened: sqlite3.Connection | None = None
        self._file: int | None = None
        """The inode of the file that is open."""

    @property
    def outdated(self) -> bool:
        """True if the open file was deleted or replaced."""
        return self._opened is not None and self._file != _inode(self._path)

    def run(self, statement: str, values: tuple[Any, ...], patience_s: Callable[[], float]) -> list[Row]:
        if not self.lock.acquire(timeout=patience_s()):
            raise sqlite3.OperationalError("another request waits for it")
        try:
            return [dict(row) for row in _patiently(lambda: self._current().execute(statement, values).fetchall(), patience_s)]
        finally:
            self.lock.release()

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _current(self) -> sqlite3.Connection:
        if self._opened is None:
            opened = sqlite3.connect(self._path, timeout=0, check_same_thread=False, isolation_level=None)
            try:
                _prepare(opened)
            except BaseException:
                opened.close()
                raise
            self._opened, self._file = opened, _inode(self._path)
        return self._opened


def _patiently(run: Callable[[], list[sqlite3.Row]], patience_s: Callable[[], float]) -> list[sqlite3.Row]:
    """Repeat `run` while the file is locked. SQLite's own timeout could not be shortened when the service stops."""
    started = time.monotonic()
    while True:
        try:
            return run()
        except sqlite3.OperationalError as error:
            if _code(error) not in _BUSY or time.monotonic() - started > patience_s():
                raise
        time.sleep(_POLL_S)


def _prepare(database: sqlite3.Connection) -> None:
    """Set up a connection, and bring the schema to this version.

    FULL: a job that was accepted with 202 is on the disk, even if the machine loses power.
    """
    database.row_factory = sqlite3.Row
    database.create_function("now_s", 0, time.time)
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StorageError(
            f"the database of jobs is of a later version of upconv (schema {version}, this version has {VERSION}); "
            "start that version, or choose another folder by --jobs-dir",
            _RETRY_S,
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    if version < VERSION:
        _migrate(database)


def _migrate(database: sqlite3.Connection) -> None:
    """Create the table, with the rows of an older one. Columns that are missing there get their defaults."""
    database.execute("BEGIN IMMEDIATE")
    try:
        if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:  # the other connection may have been faster
            before = _columns(database)
            if before:
                database.execute("ALTER TABLE jobs RENAME TO jobs_before")
            database.execute(_TABLE)
            if before:
                shared = ", ".join(f'"{name}"' for name in _columns(database) if name in before)
                database.execute(f"INSERT INTO jobs ({shared}) SELECT {shared} FROM jobs_before")  # noqa: S608, the names are our own
                database.execute("DROP TABLE jobs_before")
            for index in INDEXES:
                database.execute(index)
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _columns(database: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in database.execute("PRAGMA table_info(jobs)")]


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code (https://sqlite.org/rescode.html); 0 if the error is Python's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
