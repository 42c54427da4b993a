"""The additions to FastAPI's OpenAPI description: images, model files, tensors, errors and examples."""

from upconv.service.openapi.description import complete
from upconv.service.openapi.model_file import MODEL_FILE, PART_OF_FILE
from upconv.service.openapi.pictures import NOT_MODIFIED, PICTURE, PICTURE_BODY
from upconv.service.openapi.refusals import failures, problems
from upconv.service.openapi.tensors import INFER_ANSWER, INFER_BODY

__all__ = [
    "INFER_ANSWER",
    "INFER_BODY",
    "MODEL_FILE",
    "NOT_MODIFIED",
    "PART_OF_FILE",
    "PICTURE",
    "PICTURE_BODY",
    "complete",
    "failures",
    "problems",
]
