"""The choice of the storage of jobs: a folder of this process, or a database and files that replicas share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command
from upconv.service.jobs.folder import opened
from upconv.service.jobs.folder_files import FolderFiles
from upconv.service.jobs.job_files import JobFiles
from upconv.service.jobs.storage import JobStorage
from upconv.service.jobs.store import JobStore
from upconv.service.settings import Settings
from upconv.service.shared_rates import RateStore

_S3 = "s3://"


@contextmanager
def opened_storage(settings: Settings) -> Iterator[JobStorage]:
    """The storage of jobs as set up.

    Raises `ParameterError` if a setting cannot be used, or a package is missing. A database or bucket that does not answer is no
    error: pictures are served without jobs until it does.
    """
    if settings.jobs_store is None or settings.jobs_spool is None:
        with opened(settings.jobs_dir) as storage:
            yield storage
        return
    store, rates = _shared(settings.jobs_store.get_secret_value(), settings.job_claim_s)
    with closing(store), closing(_files(settings.jobs_spool)) as files:
        yield JobStorage(store, files, rates=rates)


def _shared(url: str, claim_s: float) -> tuple[JobStore, RateStore]:
    try:
        from upconv.service.jobs.postgres_database import PostgresDatabase
        from upconv.service.jobs.postgres_rates import PostgresRates
    except ImportError as error:
        raise ParameterError(f"jobs in PostgreSQL need the package psycopg; {install_command('postgres')}") from error
    database = PostgresDatabase(url)
    return JobStore(database, claim_s), PostgresRates(database)


def _files(spool: str) -> JobFiles:
    if not spool.startswith(_S3):
        folder = Path(spool)
        if not folder.parent.is_dir():
            raise ParameterError(f"the folder {folder.parent} of jobs_spool does not exist; mount it, or choose another")
        return FolderFiles(folder)
    try:
        from upconv.service.jobs.s3_files import S3Files
    except ImportError as error:
        raise ParameterError(f"jobs in S3 need the package boto3; {install_command('s3')}") from error
    return S3Files(spool)
