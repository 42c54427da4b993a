"""Many pictures: found in folders, enlarged side by side, and not done twice."""

from upconv.runtime.folders.jobs import FolderListing, FileTask, find_tasks
from upconv.runtime.folders.journal import Journal
from upconv.runtime.folders.run import process_folder
from upconv.runtime.folders.work import FileResult

__all__ = ["FolderListing", "FileTask", "Journal", "FileResult", "find_tasks", "process_folder"]
