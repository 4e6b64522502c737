"""What every operation is given: its transaction, the shop, the actor and the time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain.event import NewEvent
from bakong_service.domain.ledger import Account
from bakong_service.domain.money import Money
from bakong_service.operations.business import Business
from bakong_service.storage import audit
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.entries import MoveCause
from bakong_service.storage.webhooks import outbox

T = TypeVar("T")

CLOCK = "system:clock"
WATCHER = "system:watcher"
WEBHOOKS = "system:webhooks"


@frozen(kw_only=True)
class UnitOfWork:
    """One transaction, and what every operation writes in it.

    If another actor does a part of the operation, that part gets `evolve(work, actor=...)`.
    """

    connection: Connection
    business: Business
    actor: str  # "api:<key id>", "operator:<name>", "system:clock", as histories and the audit log name it
    now: datetime  # the same moment for everything in the transaction
    ip: str | None = None  # the address that the request came from; None for a worker and for the command line

    def number(self) -> int:
        """Return a new internal id."""
        return self.business.identifiers.number(self.now)

    def reference(self, kind: str) -> str:
        """Return a new public reference, such as `pay_5b0f6c1e-…` for `pay`."""
        return self.business.identifiers.reference(kind)

    def audit(
        self,
        action: str,
        subject: str | None = None,
        *,
        level: audit.Level = audit.INFO,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Write a line of the audit log. `details` has only public facts: no secret and no payload."""
        audit.write(
            self.connection, self.business.identifiers,
            action=action, actor=self.actor, subject=subject, level=level, ip=self.ip, details=details, now=self.now,
        )  # fmt: skip

    def append(self, event: NewEvent, *, first: bool = False) -> str:
        """Append an event to the outbox and return its reference. `first` says that its subject has no event yet."""
        return outbox.append(self.connection, self.business.identifiers, event, first=first, now=self.now)

    def move(
        self, amount: Money, source: Account, target: Account, cause: MoveCause, *, origin: str | None = None
    ) -> None:
        """Move value from one ledger account to another, as `storage.ledger.entries.move` does."""
        ledger.move(
            self.connection, self.business.identifiers, amount, source, target, cause, origin=origin, now=self.now
        )


def transaction(
    business: Business, actor: str, now: datetime, operation: Callable[[UnitOfWork], T], *, ip: str | None = None
) -> Callable[[Connection], T]:
    """Return an operation as an executor runs it: on a connection, perhaps more than once."""
    return lambda connection: operation(
        UnitOfWork(connection=connection, business=business, actor=actor, now=now, ip=ip)
    )
