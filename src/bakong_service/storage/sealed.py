"""Every sealed field and the place it is bound to: I15 says that each opens with a key of the ring."""

from collections.abc import Iterator

from attrs import frozen
from sqlalchemy import Column, ColumnElement, Connection, FromClause, Select, literal, select
from sqlalchemy.sql.expression import cast
from sqlalchemy.types import Text

from bakong_service.storage.invariants import Violation
from bakong_service.storage.schema import (
    endpoint_secrets,
    endpoints,
    idempotency_keys,
    payments,
    provider_token,
    receipts,
    review_items,
)
from bakong_service.vault import Unopenable, Vault

_AT_ONCE = 1000


@frozen
class SealedField:
    """A column of sealed values. `place` is what follows `table.column.` in the place each is bound to."""

    column: Column[bytes]
    place: ColumnElement[str]
    source: FromClause

    def query(self) -> Select[str, bytes]:
        """Places and sealed values, those that are there."""
        name = literal(f"{self.column.table.name}.{self.column.name}.", Text)
        return select(name + self.place, self.column).select_from(self.source).where(self.column.is_not(None))


FIELDS = (
    SealedField(payments.c.qr_enc, payments.c.reference, payments),
    SealedField(receipts.c.from_account_enc, receipts.c.tx_hash, receipts),
    SealedField(receipts.c.raw_enc, receipts.c.tx_hash, receipts),
    SealedField(review_items.c.raw_enc, review_items.c.reference, review_items),
    SealedField(
        endpoint_secrets.c.secret_enc,
        endpoints.c.reference,
        endpoint_secrets.join(endpoints, endpoints.c.id == endpoint_secrets.c.endpoint_id),
    ),
    SealedField(provider_token.c.token_enc, cast(provider_token.c.id, Text), provider_token),
    SealedField(
        idempotency_keys.c.body_enc,
        idempotency_keys.c.key_id + "." + idempotency_keys.c.route + "." + idempotency_keys.c.key,
        idempotency_keys,
    ),
)


def unopenable(connection: Connection, vault: Vault) -> Iterator[Violation]:
    """Every field that no key of the ring opens, or that was altered or moved."""
    for field in FIELDS:
        for place, sealed in connection.execute(field.query().execution_options(yield_per=_AT_ONCE)):
            try:
                vault.open(sealed, place)
            except Unopenable as error:
                yield Violation(
                    invariant="I15",
                    promise="every sealed field opens with a key of the ring",
                    subject=place,
                    found=str(error),
                )
