"""Objects in buckets of S3, Google Cloud Storage and Azure, as places of pictures beside files."""

from upconv.runtime.buckets.bucket import ObjectState
from upconv.runtime.buckets.bucket_path import BucketPath
from upconv.runtime.buckets.place import Place, is_inside, path_of, place

__all__ = ["BucketPath", "ObjectState", "Place", "is_inside", "path_of", "place"]
