from __future__ import annotations

import threading

import pytest
from tests.service.postgres import PostgresServer

from upconv.service.errors import StorageError
from upconv.service.jobs.postgres_database import PostgresDatabase


def test_replicas_that_start_at_once_make_one_table(postgres: PostgresServer) -> None:
    url, failures = postgres.url(), list[Exception]()
    databases = [PostgresDatabase(url) for _ in range(8)]

    def use(database: PostgresDatabase) -> None:
        try:
            assert database.read("SELECT count(*) AS jobs FROM jobs") == [{"jobs": 0}]
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert failures == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE jobs (name text)", "has a table `jobs` that is not of upconv"),
        ("CREATE TABLE upconv_schema (version integer); INSERT INTO upconv_schema VALUES (2)", r"schema 2, this version has 1"),
    ],
)
def test_another_schema_is_refused_and_left_alone(postgres: PostgresServer, statement: str, message: str) -> None:
    url = postgres.url()
    for each in statement.split("; "):
        postgres.query(each, url)
    before = postgres.query("SELECT count(*) FROM pg_class", url)
    database = PostgresDatabase(url)
    with pytest.raises(StorageError, match=message):
        database.read("SELECT 1")
    database.close()
    assert postgres.query("SELECT count(*) FROM pg_class", url) == before


def test_a_table_that_was_dropped_is_made_again(postgres: PostgresServer) -> None:
    url = postgres.url()
    database = PostgresDatabase(url)
    database.write("INSERT INTO jobs (id) VALUES ('a')")
    postgres.query("DROP TABLE jobs, upconv_schema; DROP FUNCTION upconv_announce", url)
    with pytest.raises(StorageError, match="does not exist"):
        database.read("SELECT id FROM jobs")
    assert database.read("SELECT id FROM jobs") == []
    database.close()
