"""Which Bakong accounts exist, and how `check_bakong_account` describes them."""

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class SimulatedAccount:
    """A Bakong account as clients of `check_bakong_account` read it; no live answer was published."""

    account_id: str
    full_name: str = "Sokha Demo"
    account_status: str = "ACTIVATED"
    kyc_status: str = "FULL_KYC"
    can_receive: bool = True
    frozen: bool = False

    def to_wire(self) -> dict[str, Any]:
        """The members as on the wire."""
        return {
            "fullName": self.full_name,
            "accountStatus": self.account_status,
            "kycStatus": self.kyc_status,
            "canReceive": self.can_receive,
            "frozen": self.frozen,
        }


class AccountBook:
    """The accounts that were added, and those that were removed."""

    def __init__(self) -> None:
        self._accounts: dict[str, SimulatedAccount | None] = {}

    def add(self, account_id: str, **details: Any) -> None:
        """Let an account exist; details as `SimulatedAccount` names them."""
        self._accounts[account_id] = SimulatedAccount(account_id=account_id, **details)

    def remove(self, account_id: str) -> None:
        """Let an account not exist, even where every well-formed one does."""
        self._accounts[account_id] = None

    def find(self, account_id: str, *, any_exists: bool) -> SimulatedAccount | None:
        """What is known of an account; `None` where it doesn't exist. `any_exists` is for those never mentioned."""
        stranger = SimulatedAccount(account_id=account_id) if any_exists else None
        return self._accounts.get(account_id, stranger)
