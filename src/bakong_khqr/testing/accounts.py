"""The Bakong accounts that exist, and how `check_bakong_account` describes them."""

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class SimulatedAccount:
    """A Bakong account as clients read it from `check_bakong_account`. Nobody has published a live answer."""

    account_id: str
    full_name: str = "Sokha Demo"
    account_status: str = "ACTIVATED"
    kyc_status: str = "FULL_KYC"
    can_receive: bool = True
    frozen: bool = False

    def to_wire(self) -> dict[str, Any]:
        """Return the members as the answer has them."""
        return {
            "fullName": self.full_name,
            "accountStatus": self.account_status,
            "kycStatus": self.kyc_status,
            "canReceive": self.can_receive,
            "frozen": self.frozen,
        }


class AccountBook:
    """The accounts that were added, and the accounts that were removed."""

    def __init__(self) -> None:
        self._accounts: dict[str, SimulatedAccount | None] = {}

    def add(self, account_id: str, **details: Any) -> None:
        """Let an account exist. The details are the fields of `SimulatedAccount`."""
        self._accounts[account_id] = SimulatedAccount(account_id=account_id, **details)

    def remove(self, account_id: str) -> None:
        """Let an account not exist, even if every well-formed account does."""
        self._accounts[account_id] = None

    def find(self, account_id: str, *, any_exists: bool) -> SimulatedAccount | None:
        """Return an account; `None` if it doesn't exist. `any_exists` says whether an unknown account exists."""
        stranger = SimulatedAccount(account_id=account_id) if any_exists else None
        return self._accounts.get(account_id, stranger)
