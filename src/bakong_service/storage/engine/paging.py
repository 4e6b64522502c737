"""The page of a list that shows the newest first, by numbers that rise with time."""

from typing import Any

from sqlalchemy import ColumnElement, Select


def newest_first(
    query: Select[Any],
    number: ColumnElement[int],
    *filters: tuple[ColumnElement[Any], object],
    below: int | None,
    above: int | None,
    limit: int,
) -> Select[Any]:
    """Return a query for at most `limit` rows with a number below `below`, the newest first.

    With `above`, they have a number above it, the oldest first: the page before the one that ends there. A filter is a
    column and the value that it must have; None means any value.
    """
    for column, value in filters:
        if value is not None:
            query = query.where(column == value)
    query = query.order_by(number.desc() if above is None else number).limit(limit)
    if below is not None:
        query = query.where(number < below)
    return query if above is None else query.where(number > above)
