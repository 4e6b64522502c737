"""Every sealed field, the place that it is bound to, and the promise that each of them opens (I15)."""

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Select,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.sql.expression import case, cast
from sqlalchemy.types import Text

from bakong_service.storage.checks.invariants import Violation
from bakong_service.storage.schema import (
    endpoint_secrets,
    endpoints,
    idempotency_keys,
    payments,
    provider_token,
    receipts,
    review_items,
)
from bakong_service.vault import Unopenable, Vault, head_of

_AT_ONCE = 1000


@frozen
class SealedValue:
    """A sealed value, the place that it is bound to, and the primary key of its row."""

    place: str
    value: bytes = field(repr=False)
    key: tuple[Any, ...]


@frozen
class SealedField:
    """A column of sealed values. `place` is the part after `table.column.` of the place that a value is bound to."""

    column: Column[bytes]
    place: ColumnElement[str]
    source: FromClause

    @property
    def name(self) -> str:
        """The column, as `payments.qr_enc`."""
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """The primary key of the column's table."""
        return tuple(self.column.table.primary_key)

    def query(self) -> Select[*tuple[Any, ...]]:
        """Return the query for all places that have a value, their sealed values, and the rows' primary keys."""
        place = literal(f"{self.name}.", Text) + self.place
        sealed = cast(self.column, LargeBinary)  # a text that somebody wrote there by hand is read like a sealed value
        return select(place, sealed, *self.key).select_from(self.source).where(self.column.is_not(None))

    def page(self, connection: Connection, *, after: tuple[Any, ...] | None, limit: int) -> list[SealedValue]:
        """Return values in the order of the rows' primary keys, those behind `after`."""
        query = self.query().order_by(*self.key).limit(limit)
        if after is not None:
            query = query.where(tuple_(*self.key) > tuple_(*after))
        return [SealedValue(place, value, tuple(key)) for place, value, *key in connection.execute(query)]

    def count(self, connection: Connection, key_ids: tuple[str, ...]) -> tuple[int, ...]:
        """Return how many values there are, and how many of them are sealed with each of the keys."""
        by_key = [func.sum(case((self._begins(key_id), 1), else_=0)) for key_id in key_ids]
        counted = connection.execute(select(func.count(), *by_key).where(self.column.is_not(None))).one()
        return tuple(number or 0 for number in counted)

    def sealed_with(self, key_id: str) -> Select[int]:
        """Return the query that has one row if a value is sealed with this key, and else none."""
        return select(literal(1)).select_from(self.column.table).where(self._begins(key_id)).limit(1)

    def _begins(self, key_id: str) -> ColumnElement[bool]:
        head = head_of(key_id)
        return func.substr(self.column, 1, len(head)) == head


FIELDS = (
    SealedField(payments.c.qr_enc, payments.c.reference, payments),
    SealedField(receipts.c.from_account_enc, receipts.c.tx_hash, receipts),
    SealedField(receipts.c.raw_enc, receipts.c.tx_hash, receipts),
    SealedField(review_items.c.raw_enc, review_items.c.reference, review_items),
    SealedField(
        endpoint_secrets.c.secret_enc,
        endpoints.c.reference + "." + cast(endpoint_secrets.c.id, Text),
        endpoint_secrets.join(endpoints, endpoints.c.id == endpoint_secrets.c.endpoint_id),
    ),
    SealedField(provider_token.c.token_enc, cast(provider_token.c.id, Text), provider_token),
    SealedField(
        idempotency_keys.c.body_enc,
        idempotency_keys.c.family + "." + idempotency_keys.c.route + "." + idempotency_keys.c.key,
        idempotency_keys,
    ),
)


PROMISE = "every sealed field opens with a key of the ring"


def unopenable(connection: Connection, vault: Vault) -> Iterator[Violation]:
    """Yield every field that no key of the ring opens, or that was altered or moved."""
    for each in FIELDS:
        for place, sealed, *_ in connection.execute(each.query().execution_options(yield_per=_AT_ONCE)):
            try:
                vault.open(sealed, place)
            except Unopenable as error:
                yield Violation(invariant="I15", promise=PROMISE, subject=place, found=str(error))
