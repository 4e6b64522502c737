"""Shows what a database or a backup holds."""

from typing import Any

from bakong_service.domain.moment import moment
from bakong_service.domain.money import Money
from bakong_service.storage.backups.contents import Contents, LedgerSum


def shown(contents: Contents) -> dict[str, Any]:
    """Return what a database holds, by the names of JSON."""
    newest = contents.newest_audit_entry
    return {
        "payments": contents.payments,
        "ledger_entries": contents.ledger_entries,
        "newest_audit_entry": None if newest is None else {"at": moment(newest[0]), "action": newest[1]},
        "newest_at": moment(contents.newest_at),
    }


def ledger(sums: list[LedgerSum]) -> list[dict[str, str]]:
    """Return the ledger's sums, by the names of JSON."""
    return [
        {"account": each.account, "currency": each.currency, "amount": str(Money(each.minor, each.currency))}
        for each in sums
    ]
