"""`ETag` and `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2): a caller that knows a version isn't sent it again."""

import re
from hashlib import sha256
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.resources import encode
from bakong_service.web.http import answers

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@frozen
class Known:
    """The tags that a caller says to know."""

    tags: frozenset[str]  # without `W/`: the comparison is a weak one
    every: bool = False  # `*`: whatever there is

    def has(self, tag: str) -> bool:
        """Whether the caller knows what has this tag."""
        return self.every or tag.removeprefix("W/") in self.tags

    def __bool__(self) -> bool:
        return self.every or bool(self.tags)


_NOTHING = Known(frozenset())


def of(body: Any) -> str:
    """Return the tag of an answer, from all that it says: some members change within one `version`."""
    return f'W/"{sha256(encode(body)).hexdigest()[:20]}"'


def known(request: Request) -> Known:
    """Return the tags of `If-None-Match`, which may be given more than once and hold several."""
    given = request.headers.getlist("if-none-match")
    if not given:
        return _NOTHING
    text = ", ".join(given)
    return Known(frozenset(_TAG.findall(text)), every=text.strip() == "*")


def answer(request: Request, body: Any, *, tag: str) -> Response:
    """Return the body with its tag, or 304 where the caller knows it."""
    headers = {"ETag": tag}
    if known(request).has(tag):
        return Response(status_code=304, headers=headers)
    return answers.json(body, headers=headers)
