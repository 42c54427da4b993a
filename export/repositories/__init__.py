"""The model repositories of other servers that an export writes, one file per server."""

from upconv.export.repositories.ovms import OvmsRepository
from upconv.export.repositories.repository_format import RepositoryFormat, RepositoryOptions
from upconv.export.repositories.served_file import ServedFile
from upconv.export.repositories.storing import WrittenRepository, add
from upconv.export.repositories.triton import TritonRepository

REPOSITORIES: dict[str, RepositoryFormat] = {"triton": TritonRepository(), "ovms": OvmsRepository()}
"""The servers by their name in `--to`."""

__all__ = [
    "REPOSITORIES",
    "OvmsRepository",
    "RepositoryFormat",
    "RepositoryOptions",
    "ServedFile",
    "TritonRepository",
    "WrittenRepository",
    "add",
]
