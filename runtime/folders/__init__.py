"""Many pictures: found in folders, enlarged side by side, and not done twice."""

from upconv.runtime.folders.jobs import Found, Job, find
from upconv.runtime.folders.journal import Journal
from upconv.runtime.folders.run import run
from upconv.runtime.folders.work import Outcome

__all__ = ["Found", "Job", "Journal", "Outcome", "find", "run"]
