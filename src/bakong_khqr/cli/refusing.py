"""How the commands that make, read and draw codes refuse: what is told, and the exit code."""

import json as json_module
import sys

from bakong_khqr.diagnosis import problem_dict
from bakong_khqr.errors import InvalidKHQR

WRONG, UNUSABLE = 1, 2
INTERRUPTED = 130
"""As shells say it: 128 and the number of SIGINT."""


def refused(command: str, error: InvalidKHQR, *, json: bool) -> int:
    """Tell what is wrong with a payload or a field, for programs as `khqr verify --json` does."""
    if json:
        print(json_module.dumps({"valid": False, "problems": [problem_dict(error)]}))
    print(f"khqr {command}: {error}", file=sys.stderr)
    return WRONG


def unusable(command: str, reason: object) -> int:
    """Tell which option can't be followed, or which file can't be read or written."""
    print(f"khqr {command}: {reason}", file=sys.stderr)
    return UNUSABLE
