"""Plans, their versions, and which plans are on sale. A version never changes: a new price is a new row."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, text

from bakong_service.domain.cadence import Cadence
from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.schema import plans, withdrawn_plans

_LOCK = text("SELECT pg_advisory_xact_lock(7238)")


def latest(connection: Connection, code: str) -> Plan | None:
    """Return the newest version of a plan; None if there is no such plan."""
    query = select(plans).where(plans.c.code == code).order_by(plans.c.version.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else read(row)


def of_version(connection: Connection, code: str, version: int) -> Plan | None:
    """Return one version of a plan."""
    query = select(plans).where(plans.c.code == code, plans.c.version == version)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else read(row)


def every_latest(connection: Connection) -> list[Plan]:
    """Return the newest version of each plan, by code."""
    newest = select(plans.c.code, func.max(plans.c.version).label("version")).group_by(plans.c.code).subquery()
    query = (
        select(plans)
        .join(newest, (plans.c.code == newest.c.code) & (plans.c.version == newest.c.version))
        .order_by(plans.c.code)
    )
    return [read(row) for row in connection.execute(query).mappings()]


def withdrawn(connection: Connection) -> frozenset[str]:
    """Return the codes of the plans that aren't sold any more."""
    return frozenset(connection.execute(select(withdrawn_plans.c.code)).scalars())


def withdraw(connection: Connection, code: str, *, now: datetime) -> bool:
    """Withdraw a plan from sale. Return False if it isn't on sale."""
    return insert_new(connection, withdrawn_plans, {"code": code, "withdrawn_at": now})


def put_on_sale(connection: Connection, code: str) -> bool:
    """Put a plan on sale again. Return False if it is on sale already."""
    return connection.execute(delete(withdrawn_plans).where(withdrawn_plans.c.code == code)).rowcount == 1


def on_sale(connection: Connection) -> list[Plan]:
    """Return the newest version of each plan that is on sale, by code."""
    gone = withdrawn(connection)
    return [plan for plan in every_latest(connection) if plan.code not in gone]


def lock(connection: Connection) -> None:
    """Keep other transactions from writing a version until this one ends. SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)


def add(connection: Connection, plan: Plan) -> None:
    """Write a version. The caller holds `lock`."""
    connection.execute(
        insert(plans).inline(),
        {
            "id": plan.id,
            "code": plan.code,
            "version": plan.version,
            "name": plan.name,
            "price_minor": plan.price.minor,
            "currency": plan.price.currency,
            "cadence": plan.cadence.stored,
            "created_at": plan.created_at,
        },
    )


def read(row: RowMapping | dict[str, Any]) -> Plan:
    """Return the plan of a row of its table."""
    return Plan(
        id=row["id"],
        code=row["code"],
        version=row["version"],
        name=row["name"],
        price=Money(row["price_minor"], row["currency"]),
        cadence=Cadence.from_stored(row["cadence"]),
        created_at=row["created_at"],
    )
