"""Files that are written whole or not at all, so that a reader never sees half a picture."""

import os
from pathlib import Path
from secrets import token_hex


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`: first to a new file beside it, which then replaces it.

    Raises `OSError` as `open` does, and leaves what was there before.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)  # a pipe or a device such as /dev/stdout is written to, never replaced
        return
    partial = target.with_name(f".{token_hex(8)}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # the caller never heard of the other file
    finally:
        partial.unlink(missing_ok=True)
