"""The PostgreSQL database of jobs, which replicas share: its connections, its clock and its messages.

Every failure of PostgreSQL becomes a `StorageError` without the password. Connections are opened when they are needed and opened
again after a failure, so a server that comes back is used at once.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import anyio
import psycopg
from psycopg import conninfo, sql
from psycopg.rows import DictRow, dict_row

from upconv.runtime.errors import ParameterError, first_line
from upconv.service.errors import StorageError
from upconv.service.jobs import postgres_schema
from upconv.service.jobs.schema import Row

T = TypeVar("T")

PATIENCE_S = 5.0
"""Seconds for which a statement may take, and a connection may take to open."""
MOST_CONNECTIONS = 8
QUIET_S = 5.0
"""Seconds without a message after which the connection that receives them is checked."""

_RETRY_S = 10
_FRESH_S = 1.0
"""Seconds for which an idle connection is used without a check."""
_HOST = r"(\[[0-9a-fA-F:.]+\]|[\w.%-]*)(:\d+)?"
_URL = re.compile(rf"postgres(ql)?://([^@/?#:]*(:[^@/?#:]*)?@)?{_HOST}(,{_HOST})*(/[^@/?#]*)?(\?[^#]*)?")
_NOW = "extract(epoch FROM clock_timestamp())::float8"


class PostgresDatabase:
    """Up to eight connections to a database. Threads may share it."""

    shared = True
    locking = "FOR UPDATE SKIP LOCKED"

    def __init__(self, url: str) -> None:
        """Raise `ParameterError` if `url` is not a URL of PostgreSQL. The database is not asked yet."""
        self._parameters = _parameters(url)
        self.patience_s = PATIENCE_S
        self._idle: list[_PatientConnection] = []
        self._further = set[psycopg.AsyncConnection[Any]]()
        self._lock, self._slots = threading.Lock(), threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._offset_s: float | None = None
        """The clock of the database minus the monotonic clock of this machine."""
        self._prepared = self._closed = False

    def write(self, statement: str, *values: Any) -> list[Row]:
        """Run one statement as a transaction, and return its rows. Raises `StorageError`."""
        return self._run(statement, values)

    def read(self, statement: str, *values: Any) -> list[Row]:
        """Return the rows of a query. Raises `StorageError`."""
        return self._run(statement, values)

    def now(self) -> float:
        """Return the time of the database, as of the last use of a connection; that of the machine before the first one."""
        return time.time() if self._offset_s is None else time.monotonic() + self._offset_s

    def tell(self, message: str) -> None:
        """Send a message to all replicas. Raises `StorageError`."""
        self.write(f"SELECT pg_notify({postgres_schema.CHANNEL}, ?)", message)

    async def messages(self) -> AsyncGenerator[str | None]:
        """Yield the messages of all replicas, and `None` at first and after some seconds without one.

        Raises `StorageError` when the connection is lost: messages that are sent until the next call are lost, too.
        """
        async with self.connection() as connection:
            with anyio.fail_after(PATIENCE_S):
                cursor = await connection.execute(f"SELECT {postgres_schema.CHANNEL}")
                [channel] = await cursor.fetchone() or [""]
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            while True:
                with anyio.fail_after(PATIENCE_S):
                    await connection.execute("SELECT 1")
                yield None
                async with aclosing(connection.notifies(timeout=QUIET_S)) as notices:
                    async for notice in notices:
                        yield notice.payload

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A further connection inside the context, for one task of an event loop. Raises `StorageError` for its failures."""
        try:
            async with self._opened() as connection:
                yield connection
        except (psycopg.Error, TimeoutError) as error:
            raise self._trouble(error) from None

    def close(self) -> None:
        """Close all connections for good, also those that listen."""
        self._closed = True
        self._disconnect()
        for connection in tuple(self._further):
            connection.pgconn.finish()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        with anyio.fail_after(2 * PATIENCE_S):
            connection = await psycopg.AsyncConnection.connect(**self._parameters, autocommit=True)
        self._further.add(connection)
        try:
            yield connection
        finally:
            self._further.discard(connection)
            await connection.close()  # psycopg's own context would first wait for a rollback, which a cancellation ends

    def _run(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        if self._closed:
            raise StorageError("the database of jobs is closed, because the service stops; try again in a moment", 1)
        if not self._slots.acquire(timeout=self.patience_s):
            raise StorageError(f"the database of jobs is too slow at the moment; try again in {_RETRY_S} s", _RETRY_S)
        try:
            return self._on_connection(_translated(statement), values)
        except psycopg.Error as error:
            raise self._trouble(error) from None
        finally:
            self._slots.release()

    def _on_connection(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        connection = self._take()
        try:
            cursor = connection.execute(statement, values or None)
            rows: list[Row] = [*cursor.fetchall()] if cursor.description else []
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.OperationalError):
                self._disconnect()  # the others have probably lost their server, too
            if isinstance(error, psycopg.errors.UndefinedTable):
                self._prepared = False
            raise
        self._put_back(connection)
        return rows

    def _take(self) -> _PatientConnection:
        """Return an idle connection that works, or a new one."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            connection.timeout_s = self.patience_s
            try:
                if time.monotonic() - connection.used_at > _FRESH_S:
                    self._read_clock(connection)
            except psycopg.Error:
                connection.close()
                self._disconnect()
            else:
                return connection
        return self._connect()

    def _connect(self) -> _PatientConnection:
        connection = _PatientConnection.connect(
            **self._parameters, autocommit=True, row_factory=dict_row, prepare_threshold=None
        )
        connection.timeout_s = self.patience_s
        try:
            # A statement whose client has given it up must not take effect later.
            connection.execute(f"SET statement_timeout = {round(PATIENCE_S * 1000)}")
            self._read_clock(connection)
            with self._lock:
                if not self._prepared:
                    postgres_schema.prepare(connection)
                    self._prepared = True
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_back(self, connection: _PatientConnection) -> None:
        connection.used_at = time.monotonic()
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _disconnect(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _read_clock(self, connection: _PatientConnection) -> None:
        before = time.monotonic()
        row = connection.execute(f"SELECT {_NOW} AS now").fetchone()
        assert row is not None
        self._offset_s = float(row["now"]) - (before + time.monotonic()) / 2

    def _trouble(self, error: Exception) -> StorageError:
        cause = "it did not answer in time" if isinstance(error, TimeoutError) else first_line(error)
        password = str(self._parameters.get("password") or "")
        if password:
            cause = cause.replace(password, "…")
        return StorageError(f"the database of jobs cannot be used at the moment: {cause}; try again in {_RETRY_S} s", _RETRY_S)


class _PatientConnection(psycopg.Connection[DictRow]):
    """A connection whose statements end after a time, even if the server is silent."""

    timeout_s = PATIENCE_S
    used_at = 0.0

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for the server, but not for ever."""
        return super().wait(gen, *arguments, **{"timeout": self.timeout_s, **options})


def _parameters(url: str) -> dict[str, Any]:
    try:
        if _URL.fullmatch(url) is None:  # PostgreSQL would take a part of a password with @ or / for a host, and show it
            raise ValueError
        given = conninfo.conninfo_to_dict(url)
    except (ValueError, psycopg.Error):  # its message may hold the password
        raise ParameterError(
            "the setting jobs_store is not a URL of PostgreSQL; expected postgresql://USER:PASSWORD@HOST/DATABASE, "
            "with other characters than letters and digits of the password as %XX"
        ) from None
    keep_alive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    # Without connect_timeout, psycopg waits 130 s for a server that takes the connection and says nothing.
    return {"application_name": "upconv", "connect_timeout": round(PATIENCE_S), **keep_alive, **given}


def _translated(statement: str) -> str:
    return statement.replace("?", "%s").replace("now_s()", _NOW)
