"""A PostgreSQL server of the tests, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PASSWORD = "hush/hush@0123"
_USER = "postgres"


def missing() -> str | None:
    """Return why no server can be started, or `None`."""
    if _programs() is None:
        return "PostgreSQL is not installed; install it with apt-get install postgresql"
    if os.geteuid() == 0 and _USER not in {each.pw_name for each in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return None


def _programs() -> Path | None:
    found = shutil.which("initdb")
    installed = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return installed[-1] if installed and (installed[-1] / "initdb").exists() else None


class PostgresServer:
    """A server that listens on a port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        self._run(
            "initdb", "--username=upconv", "--auth=scram-sha-256", f"--pwfile={folder}/password", "--encoding=UTF8", "--no-sync"
        )
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def url(self, schema: str | None = None) -> str:
        """Return the URL of a schema, by default of a new one."""
        if schema is None:
            schema = f"s{secrets.token_hex(4)}"
            self.query(f"CREATE SCHEMA {schema}")
        return f"{self.base}?options=-csearch_path%3D{schema}"

    @property
    def base(self) -> str:
        """The URL of the database."""
        return f"postgresql://upconv:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/postgres"

    def query(self, statement: str, url: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement and return its rows, if it has any."""
        import psycopg

        with psycopg.connect(url or self.base, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server."""
        self._run("pg_ctl", "start", "--wait", f"--log={self._folder}/log")

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--wait")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the server fall silent: its connections stay open, but nothing answers."""
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The first process of the server."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def _run(self, program: str, *options: str) -> None:
        programs = _programs()
        assert programs is not None
        command = [str(programs / program), f"--pgdata={self._data}", *options]
        other = {"user": _USER, "group": _USER, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._folder, check=False, **other)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that runs until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="upconv-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, _USER, _USER)
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
            time.sleep(0.1)
