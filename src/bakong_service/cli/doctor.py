"""`doctor`: can this machine serve payments? Settings, database, token, and the way to Bakong, with what to do."""

import os
import sys
from collections.abc import Iterator

from attrs import asdict, frozen

from bakong_khqr import Token
from bakong_khqr.cli.language import Language as LanguageOption
from bakong_khqr.cli.language import spoken
from bakong_khqr.cli.writing import say
from bakong_khqr.doctor import Finding, Verdict, examine
from bakong_khqr.doctor.findings import Language
from bakong_service import app
from bakong_service.cli import logs, opening, output
from bakong_service.cli.options import AsJson
from bakong_service.domain.errors import Refused
from bakong_service.settings import Settings, SettingsError
from bakong_service.storage.bakong import budget
from bakong_service.storage.bakong import token as tokens
from bakong_service.storage.engine.executor import DatabaseUnavailable, UnfitDatabase
from bakong_service.storage.engine.opening import SchemaMismatch
from bakong_service.texts import CATALOGUE, text
from bakong_service.vault import Unopenable

_MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAILURE: "✗"}
_CALLS = 2  # one check and one list; if Bakong refuses the token, a third one, which asks its other environment


@frozen(kw_only=True)
class Line:
    """One finding, as it is printed."""

    code: str
    verdict: Verdict
    found: str
    advice: str


@frozen(kw_only=True)
class Way:
    """What the examination of the way to Bakong needs from the database."""

    token: Token
    may_ask: bool
    """Whether the day has calls left for the examination."""


def doctor(*, language: LanguageOption = None, json: AsJson = False) -> int:
    """Examine whether this service can work: its settings, its database, its token, and the way to Bakong.

    Each finding says what to do. This costs two calls of the token's daily quota, which are counted in the budget.

    Exit code 0: nothing is wrong, but there may be warnings. 1: something is wrong.
    """
    lines: list[Line] = []
    for line in _examined(spoken(language)):
        lines.append(line)
        if not json:
            say(f"{_MARKS[line.verdict]} {line.found}", *([f"  {line.advice}"] if line.advice else []))
            sys.stdout.flush()  # the next finding may take half a minute
    if json:
        output.json([asdict(line) for line in lines])
    return 1 if any(line.verdict is Verdict.FAILURE for line in lines) else 0


def _examined(language: Language) -> Iterator[Line]:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            yield _line("settings_wrong", Verdict.FAILURE, language, reason=problem)
        return
    logs.configure("ERROR", settings.log_format)
    yield _line("settings_right", Verdict.OK, language, mode=settings.mode)
    if settings.bakong_email is None:
        yield _line("email_missing", Verdict.WARNING, language)
    try:
        way = opening.uncaught(lambda: _way(settings))
    except SchemaMismatch as error:
        yield _line("schema_differs", Verdict.FAILURE, language, reason=error)
        return
    except DatabaseUnavailable as error:
        yield _line("database_unreachable", Verdict.FAILURE, language, reason=error)
        return
    except (UnfitDatabase, Unopenable, Refused) as error:
        yield _line("database_unfit", Verdict.FAILURE, language, reason=error)
        return
    yield _line("database_right", Verdict.OK, language)
    if not way.may_ask:
        yield _line("budget_spent", Verdict.WARNING, language)
    for finding in examine(way.token if way.may_ask else None, base_url=settings.bakong_base_url):
        if finding.code != "token_missing":  # the service has one, and doesn't try it now
            yield _shown(finding, language)


async def _way(settings: Settings) -> Way:
    async with app.opened(settings) as service:
        setting, vault = settings.bakong_developer_token.reveal(), service.business.vault
        limit, now = settings.bakong_daily_limit, service.clock.now()
        stored = await service.executor.read(lambda c: tokens.current(c, vault, setting=setting))
        may_ask = await service.executor.run(lambda c: budget.spend(c, limit=limit, calls=_CALLS, now=now))
    return Way(token=Token(setting if stored is None else stored.text), may_ask=may_ask)


def _line(code: str, verdict: Verdict, language: Language, **facts: object) -> Line:
    """Return a finding about the service itself."""
    key = f"doctor.{code}"
    advice = text(f"{key}.advice", language) if f"{key}.advice" in CATALOGUE else ""
    return Line(code=code, verdict=verdict, found=text(key, language).format_map(facts), advice=advice)


def _shown(finding: Finding, language: Language) -> Line:
    """Return a finding of the SDK's doctor, with the advice for the service if there is another one."""
    key = f"doctor.advice.{finding.code}"
    advice = text(key, language) if key in CATALOGUE else finding.advice(language)
    return Line(code=finding.code, verdict=finding.verdict, found=finding.found(language), advice=advice)
