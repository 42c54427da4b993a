"""`GET /v1/upscale/{signature}/{options}/{source}`: a picture of an allowed host, enlarged, for pages and CDNs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from upconv.runtime.errors import ParameterError
from upconv.service import signed_urls
from upconv.service.errors import SignatureError
from upconv.service.fetching import fetch
from upconv.service.openapi import NOT_MODIFIED, PICTURE, problems
from upconv.service.routes.dependencies import Shared, Until
from upconv.service.routes.upscale import GivenPicture, answer
from upconv.service.settings import Settings

MAX_AGE_S = 86_400
"""Seconds for which caches may keep a result without asking again."""

router = APIRouter(prefix="/v1", tags=["pictures"])
_PREFIX = b"/v1/upscale/"


@router.get(
    "/upscale/{signature}/{path:path}",
    summary="Upscale a picture of an allowed host",
    response_class=Response,
    responses={200: PICTURE, 304: NOT_MODIFIED, **problems(400, 403, 404, 413, 415, 422, 429, 502, 503)},
)
async def upscale_source(request: Request, signature: str, path: str, state: Shared, until: Until) -> Response:
    """Upscale the picture that the path names: options such as `scale:2/format:webp`, and `plain/URL` or the URL in base64.

    The signature is the HMAC-SHA256 of the salt and `/path`, in URL-safe base64 without padding. No API key is needed.
    """
    asked = _checked(request, state.settings)
    given = GivenPicture(
        lambda ticket: fetch(asked.source, state.fetch_hosts, state.settings, ticket, until),
        "",
        {"Cache-Control": f"public, max-age={MAX_AGE_S}"},
    )
    return await answer(request, asked.query, given, state, until)


def _checked(request: Request, settings: Settings) -> signed_urls.SignedPath:
    """Return what the path asks for, from its bytes as they were sent."""
    if settings.url_key is None or settings.url_salt is None:
        raise SignatureError("signed URLs are off; the operator sets UPCONV_URL_KEY, UPCONV_URL_SALT and --fetch-hosts")
    given, slash, rest = request.scope["raw_path"].partition(_PREFIX)[2].partition(b"/")
    key, salt = (bytes.fromhex(each.get_secret_value()) for each in (settings.url_key, settings.url_salt))
    signed_urls.check_signature(given, slash + rest, key, salt)
    if request.url.query:
        raise ParameterError("a signed URL has no query, because the signature does not cover it; put options into the path")
    return signed_urls.parse(rest)
