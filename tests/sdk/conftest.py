"""What holds for the whole run of the SDK's tests: no error that it raises shows what tests plant as secrets."""

from collections.abc import Iterator
from typing import Any

import pytest

from bakong_khqr.errors import BakongError

PLANTED = ("PLANTED", "planted")


@pytest.fixture(scope="session", autouse=True)
def no_message_or_repr_of_the_whole_run_tells_a_secret() -> Iterator[None]:
    made = BakongError.__init__
    leaks: list[str] = []

    def heard(self: BakongError, *arguments: Any, **options: Any) -> None:
        made(self, *arguments, **options)
        text = f"{self!s} {self!r}"
        if any(secret in text for secret in PLANTED):
            leaks.append(text)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BakongError, "__init__", heard)
        yield
    assert leaks == []
