"""A backup of a database, and its restore."""

from typing import Any

from attrs import Factory, define
from sqlalchemy import Connection, insert, select

from bakong_service.storage import triggers
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.schema import metadata


@define(eq=False)
class Backup:
    """Every row of the database at one moment; `restore` brings them back, and loses what was written since."""

    executor: Executor
    rows: dict[str, list[dict[str, Any]]] = Factory(dict)

    async def take(self) -> None:
        def copied(connection: Connection) -> dict[str, list[dict[str, Any]]]:
            return {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in metadata.sorted_tables
            }

        self.rows = await self.executor.read(copied)

    async def restore(self) -> None:
        def restored(connection: Connection) -> None:
            triggers.drop(connection)
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
            for table in metadata.sorted_tables:
                if self.rows[table.name]:
                    connection.execute(insert(table).inline(), self.rows[table.name])
            triggers.create(connection)

        await self.executor.run(restored)
