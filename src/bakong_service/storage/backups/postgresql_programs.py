"""Runs pg_dump and pg_restore. What DATABASE_URL says goes to them by the environment, and never by their arguments."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL, make_url

from bakong_service.storage.backups.new_file import size_of
from bakong_service.storage.backups.refused import CopyRefused, Progress

MAGIC = b"PGDMP"

VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""The variable of libpq for each option of DATABASE_URL. `sslpassword` has none."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "APPDATA", "TMP")
_SECRET = ("password", "sslpassword")
_LOOK_SECONDS = 0.5


async def dump(url: str, to: Path, final: Path, *, server: int, snapshot: str, progress: Progress) -> None:
    """Write an archive of one snapshot to `to`. A message names the file `final`, which `to` will be.

    Raises `CopyRefused` if pg_dump isn't there, is older than the server, or fails.
    """
    words = ["--format=custom", "--no-owner", "--no-acl"]
    _must_do(url, "pg_dump", [*words, f"--file={final}"], server=server)
    await _run(url, "pg_dump", [*words, "--no-password", f"--snapshot={snapshot}", f"--file={to}"], to, progress)


async def restore(url: str, archive: Path, *, server: int, progress: Progress) -> None:
    """Read an archive into an empty database, in one transaction. Raises `CopyRefused` as `dump` does."""
    words = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-acl"]
    _must_do(url, "pg_restore", [*words, str(archive)], server=server)
    name = _options(make_url(url)).get("dbname", "postgres")
    await _run(url, "pg_restore", [*words, "--no-password", f"--dbname={name}", str(archive)], None, progress)


def environment(url: str) -> dict[str, str]:
    """Return the environment of a program that connects as DATABASE_URL says. Other settings aren't in it.

    Raises `CopyRefused` for `sslpassword`, which these programs take only by their arguments.
    """
    options = _options(make_url(url))
    if "sslpassword" in options:
        raise CopyRefused(
            "the option sslpassword of the URL can be given to pg_dump and pg_restore only where everybody on this "
            "machine sees it: use a key without a password, in a file of its owner alone (chmod 600)"
        )
    own = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("PG")}
    return own | {VARIABLES[option]: value for option, value in options.items()}


def by_hand(url: str, program: str, words: Sequence[str]) -> str:
    """Return the command that a person runs, which asks for the password."""
    found = make_url(url)
    query = {name: value for name, value in found.query.items() if name not in _SECRET}
    shown = URL.create(
        "postgresql", found.username, None, found.host, found.port, found.database, query
    ).render_as_string(hide_password=False)
    *options, last = words
    ordered = [*options, last, f"--dbname={shown}"] if last.startswith("--") else [*options, f"--dbname={shown}", last]
    return shlex.join([program, *ordered])


def _options(url: URL) -> dict[str, str]:
    named = {
        "host": url.host,
        "port": None if url.port is None else str(url.port),
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    return {name: str(value) for name, value in (*named.items(), *url.query.items()) if value}


def _must_do(url: str, program: str, words: Sequence[str], *, server: int) -> None:
    """Raise `CopyRefused` with the command to run if the program isn't there, or is older than the server."""
    if (version := version_of(program)) is not None and version >= server:
        return
    found = "isn't on the PATH" if version is None else f"is of version {version}, which is older than the server"
    raise CopyRefused(
        f"{program} {found}. Install the client programs of PostgreSQL {server} or newer here, or run this on a "
        f"machine that has them:\n{by_hand(url, program, words)}"
    )


def version_of(program: str) -> int | None:
    """Return the major version of a program of PostgreSQL; None if it isn't on the PATH, or doesn't say."""
    path = shutil.which(program)
    if path is None:
        return None
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - found on the PATH
    found = re.search(r"\(PostgreSQL\) (\d+)", told)
    return None if found is None else int(found[1])


async def _run(url: str, program: str, words: Sequence[str], grows: Path | None, progress: Progress) -> None:
    path = shutil.which(program)
    assert path is not None
    process = await asyncio.create_subprocess_exec(
        path, *words, env=environment(url), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        telling = asyncio.create_task(process.communicate())
        while not (await asyncio.wait({telling}, timeout=_LOOK_SECONDS))[0]:
            progress(0 if grows is None else size_of(grows), None)
        _, said = await telling
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise CopyRefused(f"{program} failed:\n{said.decode(errors='replace').strip()}")
