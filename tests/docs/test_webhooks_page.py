"""The page of webhooks lists what there is."""

import re
from pathlib import Path

from bakong_service.domain.event import EVENT_TYPES
from bakong_service.web.routes import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "service" / "webhooks.md").read_text(encoding="utf-8")


def test_every_event_type_is_explained_and_none_that_isnt_there() -> None:
    assert sorted(re.findall(r"^\| `((?:payment|subscription|endpoint)\.\w+)` \|", PAGE, re.MULTILINE)) == sorted(
        EVENT_TYPES
    )


def test_every_route_of_webhooks_is_named() -> None:
    for route in ROUTES:
        if route.scope == "webhooks":
            short = route.path.replace("/v1/endpoints/{reference}/", ".../")
            named = f"{route.method} {route.path}" in PAGE or f"{route.method} {short}" in PAGE
            assert named or route.path == "/v1/events/{reference}", route.path
