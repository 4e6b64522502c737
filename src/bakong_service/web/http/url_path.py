"""The table of paths: which path of the service a request means, and which route answers its method.

A path is matched as the caller wrote it: it is cut at its slashes first, and each part is decoded once. A user id with
a slash in it, sent as `%2F`, stays one part.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send


class Answering(Protocol):
    """What answers to one method of a path: a route of the API, or a page."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> str:
        """The path, in which `{name}` takes one segment."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        ...


_PLAIN = 2  # a path is looked up by so many parts at its beginning, or by fewer if a parameter comes sooner


class UrlPath:
    """Everything that one path answers to."""

    def __init__(self, path: str, routes: Sequence[Answering]) -> None:
        self.path = path
        self.parts = path.strip("/").split("/")
        if self.parts[0].startswith("{"):
            raise ValueError(f"{path} begins with a parameter, and is looked up by its beginning")
        self._by_method = {route.method: route for route in routes}
        if "GET" in self._by_method:
            self._by_method["HEAD"] = self._by_method["GET"]
        self._allow = ", ".join(sorted(self._by_method))

    def values(self, given: Sequence[str]) -> dict[str, str] | None:
        """Return the values of the path's parameters; None if the given parts, as many as the path's, don't match."""
        values = {}
        for part, text in zip(self.parts, given, strict=True):
            if part.startswith("{"):
                if not text:
                    return None
                values[part[1:-1]] = text
            elif part != text:
                return None
        return values

    def route(self, method: str) -> Answering:
        """Return the route of a method. Raises a 405 that names the other methods."""
        found = self._by_method.get(method)
        if found is None:
            raise HTTPException(405, headers={"Allow": self._allow})
        return found


class Table:
    """Every path. Those that begin alike and have as many parts are tried in turn, those with fewer parameters first:
    `checks` isn't a payment's reference."""

    def __init__(self, routes: Iterable[Answering]) -> None:
        by_path: dict[str, list[Answering]] = {}
        for route in routes:
            by_path.setdefault(route.path, []).append(route)
        self._paths: dict[tuple[int, tuple[str, ...]], list[UrlPath]] = {}
        for path in sorted(by_path, key=lambda path: path.count("{")):
            made = UrlPath(path, by_path[path])
            plain = next((at for at, part in enumerate(made.parts) if part.startswith("{")), _PLAIN)
            self._paths.setdefault(_place(made.parts, min(plain, _PLAIN)), []).append(made)

    def find(self, scope: Scope) -> Answering:
        """Return the route of a request, and note in the scope what was found. Raises a 404 or a 405."""
        given = _parts(scope)
        for plain in range(_PLAIN, 0, -1):
            for path in self._paths.get(_place(given, plain), ()):
                values = path.values(given)
                if values is not None:
                    scope["path_params"], scope["route"] = values, path
                    scope["endpoint"] = route = path.route(scope["method"])
                    return route
        raise HTTPException(404)


def _place(parts: Sequence[str], plain: int) -> tuple[int, tuple[str, ...]]:
    return len(parts), tuple(parts[:plain])


def _parts(scope: Scope) -> list[str]:
    """Return the decoded parts of the path; none where they aren't UTF-8."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    raw = raw.partition(b"?")[0]
    try:
        if b"%" not in raw:
            return raw.decode().split("/")[1:]
        return [unquote_to_bytes(part).decode() for part in raw.split(b"/")[1:]]
    except UnicodeDecodeError:
        return []
