"""The interface of a database of jobs, and the table that all of them have in common.

Statements are those of SQLite: `?` stands for a value, and `now_s()` for the time of the database. A database that has other
words for these, or for the types of the columns, translates them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]

COLUMNS = """
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL DEFAULT '',
    "order" TEXT NOT NULL DEFAULT '{}',
    fingerprint TEXT NOT NULL DEFAULT '',
    bytes_in INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    state TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    troubles INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    claim INTEGER NOT NULL DEFAULT 0,
    claimed_until REAL,
    finished REAL,
    expires REAL,
    bytes_out INTEGER NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '{}',
    error TEXT,
    tiles_done INTEGER NOT NULL DEFAULT 0,
    tiles INTEGER,
    lease_s REAL,
    renewed REAL NOT NULL DEFAULT 0,
    webhook TEXT,
    webhook_due REAL,
    webhook_tries INTEGER NOT NULL DEFAULT 0,
    webhook_held REAL NOT NULL DEFAULT 0,
    result_url TEXT,
    upload_due REAL,
    upload_tries INTEGER NOT NULL DEFAULT 0,
    upload_held REAL NOT NULL DEFAULT 0,
    upload_error TEXT,
    uploaded REAL
"""
INDEXES = (
    "CREATE UNIQUE INDEX by_idempotency_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE INDEX by_state ON jobs (state, created)",
    "CREATE INDEX by_owner ON jobs (owner, created)",
    "CREATE INDEX by_webhook ON jobs (webhook_due) WHERE webhook_due IS NOT NULL",
    "CREATE INDEX by_upload ON jobs (upload_due) WHERE upload_due IS NOT NULL",
)


class JobDatabase(Protocol):
    """A database with the table of jobs. Threads may share it. Each method except `now` and `close` raises `StorageError`."""

    shared: bool
    """True if several replicas of the service use the database."""
    locking: str
    """The words after a subquery with which it skips the rows that another transaction changes."""
    patience_s: float
    """Seconds for which a statement waits; less while the service stops."""

    def write(self, statement: str, *values: Any) -> Sequence[Row]:
        """Run one statement as a transaction, and return its rows."""

    def read(self, statement: str, *values: Any) -> Sequence[Row]:
        """Return the rows of a query, without waiting for writers."""

    def now(self) -> float:
        """Return the time of the database in seconds since 1970, without asking it."""

    def tell(self, message: str) -> None:
        """Send a message to all replicas."""

    def messages(self) -> AsyncGenerator[str | None]:
        """Yield the messages of all replicas, and `None` at first and after some seconds without one."""

    def close(self) -> None:
        """Close all connections for good."""
