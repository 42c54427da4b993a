from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import anyio
import psycopg
import pytest
from anyio import to_thread
from tests.service.postgres import PASSWORD, PostgresServer

from upconv.runtime.errors import ParameterError
from upconv.service.errors import StorageError
from upconv.service.jobs import postgres_database
from upconv.service.jobs.postgres_database import MOST_CONNECTIONS, PostgresDatabase

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(postgres.url())
    yield database
    database.close()


@pytest.fixture
def own(own_postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(own_postgres.url())
    yield database
    database.close()


def insert(database: PostgresDatabase, id: str) -> None:
    database.write("INSERT INTO jobs (id) VALUES (?)", id)


def ids(database: PostgresDatabase) -> list[Any]:
    return [row["id"] for row in database.read("SELECT id FROM jobs ORDER BY id")]


def test_values_are_kept_as_they_are(database: PostgresDatabase) -> None:
    text = "it's 100 %s? now_s() ü"
    database.write("INSERT INTO jobs (id, owner, due) VALUES (?, ?, ?)", "a", text, 1764166000.123456)
    assert database.read("SELECT owner, due, tiles FROM jobs") == [{"owner": text, "due": 1764166000.123456, "tiles": None}]


def test_a_server_that_comes_back_is_used_at_once(own: PostgresDatabase, own_postgres: PostgresServer) -> None:
    insert(own, "a")
    own_postgres.stop()
    for _ in range(2):
        with pytest.raises(StorageError, match=r"the database of jobs cannot be used at the moment: .*try again in 10 s"):
            insert(own, "b")
    own_postgres.start()
    insert(own, "c")
    assert ids(own) == ["a", "c"]


def test_a_server_that_restarted_meanwhile_is_no_error(own: PostgresDatabase, own_postgres: PostgresServer) -> None:
    insert(own, "a")
    own_postgres.stop()
    own_postgres.start()
    time.sleep(1.1)  # a connection that was used a moment ago is not checked
    insert(own, "b")
    assert ids(own) == ["a", "b"]


def test_a_silent_server_keeps_nobody_for_long(own: PostgresDatabase, own_postgres: PostgresServer) -> None:
    insert(own, "a")
    own.patience_s = 0.3
    with own_postgres.paused(), pytest.raises(StorageError, match="timeout expired"):
        insert(own, "b")
    own.patience_s = 5.0
    insert(own, "c")
    assert "c" in ids(own)


def test_the_clock_is_that_of_the_database(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    true = time.time()
    monkeypatch.setattr(postgres_database, "time", SimpleNamespace(time=lambda: true + 60, monotonic=time.monotonic))
    assert database.now() == true + 60, "before the first connection, there is no other clock"
    insert(database, "a")
    assert database.now() == pytest.approx(true, abs=5)
    [row] = database.write("UPDATE jobs SET due = now_s() RETURNING due")
    assert row["due"] == pytest.approx(database.now(), abs=1)


def test_many_threads_share_eight_connections(postgres: PostgresServer) -> None:
    url = postgres.url()
    database = PostgresDatabase(f"{url}&application_name=many")
    insert(database, "a")
    failures = list[Exception]()
    most = list[int]()

    def use() -> None:
        try:
            for _ in range(5):
                row = database.read(
                    "SELECT count(*) AS number, pg_sleep(0.01)::text AS slept FROM pg_stat_activity WHERE application_name = 'many'"
                )
                most.append(row[0]["number"])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert failures == []
    assert max(most) <= MOST_CONNECTIONS
    with pytest.raises(StorageError, match="is closed"):
        ids(database)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hush-hush@host:port/jobs",
        "postgresql://ann:hush@hush@host/jobs",
        "postgresql://ann:hush/hush@host/jobs",
        "postgresql://ann:hush-hush@host/jobs?no=hush-hush",
        "mysql://ann:hush-hush@host/jobs",
        "host=host password=hush-hush",
        "",
    ],
)
def test_what_is_no_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ParameterError, match="expected postgresql://USER:PASSWORD@HOST/DATABASE") as refused:
        PostgresDatabase(url).read("SELECT 1")
    assert "hush" not in f"{refused.value!r} {refused.value.__cause__}"


def test_errors_do_not_show_the_password(postgres: PostgresServer) -> None:
    for url in (postgres.base.replace("hush", "wrong"), postgres.base.replace("/postgres", "/nowhere")):
        database = PostgresDatabase(url)
        with pytest.raises(StorageError) as failed:
            database.read("SELECT 1")
        assert not [word for word in (PASSWORD, "hush", "wrong") if word in str(failed.value)]
        assert failed.value.__cause__ is None
    database._parameters["password"] = "nowhere"
    assert "nowhere" not in str(database._trouble(psycopg.OperationalError('database "nowhere" does not exist')))


def test_changes_and_messages_are_heard(database: PostgresDatabase, postgres: PostgresServer) -> None:
    heard = list[str | None]()
    other = PostgresDatabase(postgres.url())

    def change() -> None:
        other.tell("of another schema")
        insert(database, "a")
        database.write("UPDATE jobs SET tiles_done = 1 WHERE id = ? RETURNING id", "a")
        database.write("UPDATE jobs SET state = 'running', claim = 1 WHERE id = ? RETURNING id", "a")
        database.tell("hello")
        database.write("DELETE FROM jobs WHERE id = ? RETURNING id", "a")
        database.tell("end")

    async def listen() -> None:
        async with aclosing(database.messages()) as messages:
            async for message in messages:
                if not heard:
                    await to_thread.run_sync(change)
                heard.append(message)
                if message == "end":
                    return

    insert(database, "of before")
    anyio.run(listen)
    other.close()
    assert heard == [
        None,
        '{"id" : "a", "state" : "queued", "claim" : 0}',
        '{"id" : "a", "state" : "running", "claim" : 1}',
        "hello",
        '{"id" : "a", "state" : "deleted", "claim" : 1}',
        "end",
    ]


def test_a_connection_is_closed_if_a_query_of_it_is_cancelled(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, execute = list[psycopg.AsyncConnection[Any]](), psycopg.AsyncConnection.execute

    async def slow(connection: psycopg.AsyncConnection[Any], query: Any) -> Any:
        if query == "SELECT 1":
            asked.append(connection)
            query = "SELECT pg_sleep(2)"
        return await execute(connection, query)

    async def listen() -> None:
        async with aclosing(database.messages()) as messages:
            await anext(messages)

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            while not (asked and asked[0].info.transaction_status.name == "ACTIVE"):
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", slow)
    anyio.run(run)
    assert [connection.closed for connection in asked] == [True]


def test_who_still_listens_is_cut_off_at_the_close(postgres: PostgresServer) -> None:
    database = PostgresDatabase(postgres.url())

    async def listen() -> None:
        async with aclosing(database.messages()) as messages:
            await anext(messages)
            database.close()
            await anext(messages)

    with pytest.raises(StorageError):
        anyio.run(listen)
    assert not database._further


def test_who_listens_learns_of_the_loss_of_the_connection(
    own: PostgresDatabase, own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "QUIET_S", 0.1)
    heard = list[str | None]()

    async def listen() -> None:
        async for message in own.messages():
            heard.append(message)
            if len(heard) == 3:
                await to_thread.run_sync(own_postgres.stop)

    insert(own, "a")
    with pytest.raises(StorageError, match="cannot be used at the moment"):
        anyio.run(listen)
    assert heard == [None] * 3
    own_postgres.start()


@pytest.mark.timeout(60)
def test_a_server_that_takes_connections_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_database, "PATIENCE_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        database = PostgresDatabase(f"postgresql://upconv@127.0.0.1:{listener.getsockname()[1]}/jobs")
        with pytest.raises(StorageError, match="the database of jobs cannot be used at the moment"):
            database.read("SELECT 1")
        database.close()
