"""Chooses the token that is used, and renews it. One replica at a time renews.

No transaction is open while Bakong is asked. A renewed token is sealed and stored before it is used.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bakong_khqr.api import Token, endpoints
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.errors import BakongError
from bakong_service.clock import Clock
from bakong_service.storage.bakong import token as storage
from bakong_service.storage.engine.executor import Executor
from bakong_service.vault import Vault

RENEW_BEFORE = timedelta(days=14)
_LOOK_AGAIN = timedelta(minutes=1)  # because another replica may have renewed it
_EARLY_AGAIN = timedelta(hours=6)  # after a renewal that failed well before the expiry
_LEASE = timedelta(minutes=1)  # time for one call, and the pause after a failed one

log = structlog.get_logger(__name__)


class TokenKeeper:
    """Keeps a client with the token in use, which `connect` makes.

    `setting` is the token of the settings. `email` is the registered address: without it no token can be renewed.
    `alerts` counts the renewals that were needed and didn't succeed.
    """

    def __init__(
        self,
        executor: Executor,
        vault: Vault,
        clock: Clock,
        connect: Callable[[Token], AsyncBakongClient],
        *,
        setting: str,
        email: str | None,
    ) -> None:
        self.client = connect(Token(setting))
        self.alerts = 0
        self._executor = executor
        self._vault = vault
        self._clock = clock
        self._connect = connect
        self._setting = setting
        self._email = email
        self._stored: storage.StoredToken | None = None
        self._looked_at: datetime | None = None
        self._early_at: datetime | None = None

    async def upkeep(self, now: datetime) -> None:
        """Take over a token that another replica renewed, and renew the token two weeks before its expiry."""
        if self._looked_at is not None and now - self._looked_at < _LOOK_AGAIN:
            return
        stored = await self._take_over(now)
        if stored.expires_at is None or stored.expires_at - now >= RENEW_BEFORE:
            return
        if self._early_at is None or now >= self._early_at:
            self._early_at = now + _EARLY_AGAIN
            await self._renew(stored, now)

    async def refused(self, client: AsyncBakongClient) -> bool:
        """Return whether there is another token, after Bakong refused the token of this client."""
        if client is not self.client:
            return True
        now = self._clock.now()
        stored = await self._take_over(now)
        return client is not self.client or await self._renew(stored, now)

    async def _take_over(self, now: datetime) -> storage.StoredToken:
        setting, expires_at = self._setting, Token(self._setting).expires_at
        stored = await self._executor.run(
            lambda c: storage.adopt(c, self._vault, setting=setting, expires_at=expires_at)
        )
        if stored.text != (self._stored.text if self._stored else setting):
            self.client = self._connect(Token(stored.text))
        self._stored, self._looked_at = stored, now
        return stored

    async def _renew(self, stored: storage.StoredToken, now: datetime) -> bool:
        if self._email is None:
            self._alert("bakong_token_needs_renewal", stored, "BAKONG_EMAIL isn't set")
            return False
        fence = await self._executor.run(lambda c: storage.lease(c, stored, lasting=_LEASE, now=now))
        if fence is None:
            return False
        try:
            token = await self.client.send(endpoints.renew_token(self._email))
        except BakongError as error:
            self._alert("bakong_token_not_renewed", stored, str(error))
            return False
        text, expires_at = token.reveal(), token.expires_at
        await self._executor.run(lambda c: storage.store(c, self._vault, text=text, expires_at=expires_at, fence=fence))
        await self._take_over(now)
        log.info("bakong_token_renewed", expires_at=expires_at and expires_at.isoformat())
        return True

    def _alert(self, event: str, stored: storage.StoredToken, why: str) -> None:
        self.alerts += 1
        log.error(event, expires_at=stored.expires_at and stored.expires_at.isoformat(), why=why)
