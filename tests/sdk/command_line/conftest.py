"""The command line without a process for every line of a table. Each command also runs as a real process somewhere."""

import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from subprocess import CompletedProcess

import pytest

from bakong_khqr.cli.app import main


@pytest.fixture
def khqr_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., "CompletedProcess[bytes]"]:
    """`khqr_here("verify", payload, stdin=b"")` runs `khqr` in this process, as a shell would: all it says is bytes."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object, stdin: bytes = b"") -> "CompletedProcess[bytes]":
        said, complained = BytesIO(), BytesIO()
        words = [str(argument) for argument in arguments]
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["khqr", *words])
            patched.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin), encoding="utf-8"))
            patched.setattr(sys, "stdout", out := TextIOWrapper(said, encoding="utf-8"))
            patched.setattr(sys, "stderr", error := TextIOWrapper(complained, encoding="utf-8"))
            with pytest.raises(SystemExit) as ended:
                main()
            out.flush()
            error.flush()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return CompletedProcess(words, code, said.getvalue(), complained.getvalue())

    return run
