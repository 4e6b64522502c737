"""Reads `DATABASE_URL`: the kinds of databases, and libpq's options after the question mark of a PostgreSQL URL.

Every option that is accepted works for all connections. Any other option is refused by name, because an option that is
ignored without a word may be the one that asked for TLS.
"""

from collections.abc import Mapping

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from bakong_service.settings.readers import Reader, choice, file, text, whole
from bakong_service.settings.secret import Secret

_RULE = "it takes sqlite:///file or postgresql://user:password@host/name"
_VERIFYING = ("verify-ca", "verify-full")
_TLS_VERSIONS = ("TLSv1.2", "TLSv1.3")

OPTIONS: dict[str, Reader[object]] = {
    "host": text(),
    "port": text(),
    "user": text(),
    "password": text(),
    "dbname": text(),
    "passfile": file,
    "sslmode": choice("disable", "allow", "prefer", "require", *_VERIFYING),
    "sslrootcert": file,
    "sslcert": file,
    "sslkey": file,
    "sslpassword": text(),
    "sslcrl": file,
    "sslnegotiation": choice("postgres", "direct"),
    "ssl_min_protocol_version": choice(*_TLS_VERSIONS),
    "ssl_max_protocol_version": choice(*_TLS_VERSIONS),
    "connect_timeout": whole(1, 60),
    "application_name": text(1, 63),
    "options": text(1, 1000),
    "target_session_attrs": choice("any", "primary", "read-write"),  # the others lead to servers that take no writes
}

# Options of libpq, and of other drivers and tools, that a copied URL may have. A message names them. It doesn't name
# any other word, because that may be a part of a password with a ? or & in it.
_KNOWN_ELSEWHERE = {
    "channel_binding", "client_encoding", "command_timeout", "connection_limit", "database",
    "fallback_application_name", "gssencmode", "gsslib", "hostaddr", "keepalives", "keepalives_count",
    "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "pgbouncer", "pool_timeout",
    "prepared_statement_cache_size", "replication", "require_auth", "requirepeer", "schema", "service", "servicefile",
    "ssl", "sslcompression", "sslsni", "statement_cache_size", "tcp_user_timeout", "timeout",
}  # fmt: skip


def database_url(value: str) -> Secret:
    """Read `sqlite:///file` or `postgresql://...`. The URL may have a password, so it is a secret."""
    try:
        url = make_url(value)
    except ArgumentError as error:
        raise ValueError(_RULE) from error
    if url.drivername == "sqlite":
        _sqlite(url)
    elif url.drivername == "postgresql":
        _postgresql(url)
    else:
        raise ValueError(_RULE)
    return Secret(value)


def name_without_secrets(value: str) -> str:
    """Return a database's URL without its password and without its options, for a message."""
    url = make_url(value)
    host, name = (given or url.query.get(option) for given, option in ((url.host, "host"), (url.database, "dbname")))
    place = URL.create(url.drivername, url.username, None, _text(host), url.port, _text(name))
    return place.render_as_string(hide_password=True)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _sqlite(url: URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise ValueError(f"{_RULE}; a SQLite database must be a file, because memory forgets payments")
    if url.query:
        raise ValueError(f"{_RULE}; a SQLite file takes no options after a question mark")


def _postgresql(url: URL) -> None:
    given = _options(url.query)
    for option, there in (("host", url.host), ("user", url.username), ("password", url.password)):
        if there and option in given:
            raise ValueError(f"it names the {option} twice: before the question mark and in the option {option}")
    if url.port is not None and "port" in given:
        raise ValueError("it names the port twice: before the question mark and in the option port")
    if given.get("sslmode", "").casefold() in _VERIFYING and "sslrootcert" not in given:
        raise ValueError("sslmode verify-ca and verify-full need sslrootcert, the file with the server's authority")


def _options(query: Mapping[str, str | tuple[str, ...]]) -> dict[str, str]:
    """Return the options by name. Each is read once, to check its rule."""
    given: dict[str, str] = {}
    for name, value in query.items():
        if name not in OPTIONS:
            named = f"the option {name} isn't supported" if name in _KNOWN_ELSEWHERE else "it has an unknown option"
            raise ValueError(f"{named}; there are {', '.join(OPTIONS)}")
        if isinstance(value, tuple):
            raise ValueError(f"the option {name} is there twice")  # noqa: TRY004 - what is wrong is the text
        try:
            OPTIONS[name](value)
        except ValueError as error:
            raise ValueError(f"the option {name}: {error}") from error
        given[name] = value
    return given
