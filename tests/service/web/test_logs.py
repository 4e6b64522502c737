"""No secret reaches a log, wherever in an event it stands."""

import json
import logging

import pytest
import structlog

from bakong_service.cli import logs

PLANTED = [
    ("authorization", "Bearer abc"),
    ("webhook_secret", "whatever"),
    ("api_key", "whatever"),
    ("token", "whatever"),
    ("qr", "00020101021229"),
    ("from_account", "payer@bank"),
]
IN_TEXT = [
    "bks_live_abcdefghijkl_0123456789012345678901234567890123456789abc01234567",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "00020101021229170013medicine@demo52045999530384054040.505802KH5908Medicine6304AD6C",
    "postgresql://user:hunter2secret@host/name",
    "Authorization: Bearer planted-token",
]


@pytest.mark.parametrize(("name", "value"), PLANTED)
def test_a_secret_is_known_by_its_name_at_any_depth(name: str, value: str) -> None:
    event = logs.redact(None, "", {"event": "x", name: value, "inner": [{"deep": {name: value}}]})
    assert value not in str(event)


@pytest.mark.parametrize("text", IN_TEXT)
def test_a_secret_is_known_by_its_look(text: str) -> None:
    secret = "hunter2secret" if "hunter2" in text else text.removeprefix("Authorization: Bearer ")
    cleaned = logs.redact(None, "", {"event": f"said {text}", "error": {"detail": [text]}})
    assert secret not in str(cleaned)


def test_what_is_no_secret_stays() -> None:
    event = {"event": "request", "key_id": "main", "status": 200, "token_days_left": 3, "tokens": None}
    assert logs.redact(None, "", dict(event)) == event


@pytest.fixture
def untouched() -> object:
    """Put the logging of this process back as it was."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_a_library_s_exception_with_a_secret_is_one_clean_json_line(
    untouched: object, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "json")
    try:
        raise ValueError("Bearer planted-token")
    except ValueError:
        logging.getLogger("some.library").exception("failed with %s", IN_TEXT[0])
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["level"] == "error"
    assert "ValueError" in told["exception"]
    assert "planted-token" not in line
    assert IN_TEXT[0] not in line


def test_text_is_for_people(untouched: object, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "text")
    structlog.get_logger("x").info("payment_paid", reference="pay_1")
    assert "payment_paid" in capsys.readouterr().err
