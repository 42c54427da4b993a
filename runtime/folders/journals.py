"""The choice of the journal: that of a folder of files, or that of a folder in a bucket."""

from __future__ import annotations

from upconv.runtime.buckets import BucketPath, Place
from upconv.runtime.folders.bucket_journal import BucketJournal
from upconv.runtime.folders.journal import Journal
from upconv.runtime.options import UpscaleOptions

AnyJournal = Journal | BucketJournal


def open_journal(folder: Place, model_sha256: str, options: UpscaleOptions) -> AnyJournal:
    """Return the journal of an output folder. A result of another model or other options is not done.

    Raises `OutputError` or `MachineError` if it cannot be read.
    """
    kind = BucketJournal if isinstance(folder, BucketPath) else Journal
    return kind(folder, model_sha256, options)  # type: ignore[arg-type]
