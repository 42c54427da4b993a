"""The additions to FastAPI's OpenAPI description: images, tensors, errors and examples."""

from upconv.service.openapi.description import complete
from upconv.service.openapi.pictures import NOT_MODIFIED, PICTURE, PICTURE_BODY
from upconv.service.openapi.refusals import failures, problems
from upconv.service.openapi.tensors import INFER_ANSWER, INFER_BODY

__all__ = ["INFER_ANSWER", "INFER_BODY", "NOT_MODIFIED", "PICTURE", "PICTURE_BODY", "complete", "failures", "problems"]
