"""Upscaling of folders: the search for pictures, their processing, and the journal of results."""

from upconv.runtime.folders.file_task import FileResult
from upconv.runtime.folders.journal import Journal
from upconv.runtime.folders.run import process_folder
from upconv.runtime.folders.search import Shard, find_tasks, stream_tasks
from upconv.runtime.folders.tasks import FileTask, FolderListing

__all__ = ["FileResult", "FileTask", "FolderListing", "Journal", "Shard", "find_tasks", "process_folder", "stream_tasks"]
