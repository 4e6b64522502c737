"""How the commands that make, read and draw codes refuse: the message, and the exit code."""

from bakong_khqr.cli.writing import complain, say_json
from bakong_khqr.errors import InvalidKHQR

WRONG, UNUSABLE = 1, 2
INTERRUPTED = 130
"""The exit code of shells: 128 and the number of SIGINT."""


def refused(command: str, error: InvalidKHQR, *, json: bool, told: str | None = None) -> int:
    """Print what is wrong with a payload or a field, in JSON as `khqr verify` does. Return the exit code."""
    if json:
        from bakong_khqr.diagnosis._verification import problem_dict

        say_json({"valid": False, "problems": [problem_dict(error)]})
    complain(f"khqr {command}: {error if told is None else told}")
    return WRONG


def unusable(command: str, reason: object) -> int:
    """Print which option is wrong, or which file can't be read or written. Return the exit code."""
    complain(f"khqr {command}: {reason}")
    return UNUSABLE
