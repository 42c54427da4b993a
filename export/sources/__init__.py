"""What can be exported: torch modules, by factory or in memory, with their weights."""

from upconv.export.sources.factory import from_factory
from upconv.export.sources.module import from_module
from upconv.export.sources.source import Original, Source
from upconv.export.sources.weights import load_weights

__all__ = ["Original", "Source", "from_factory", "from_module", "load_weights"]
