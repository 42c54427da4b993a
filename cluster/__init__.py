"""Pictures on many machines: the same engine in Ray. Needs the extra `ray`."""

from upconv.cluster.folder_on_ray import process_on_ray
from upconv.cluster.picture_actor import ActorOrder

__all__ = ["ActorOrder", "process_on_ray"]
