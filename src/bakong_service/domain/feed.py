"""The feed's epochs, and a reader's place in the feed.

A database that was restored from a backup has lost the end of its feed, and it gives the lost positions to other
events. So each restore begins a new *epoch*, and a place names its epoch and its event. The service refuses a reader
whose place belongs to a lost part of the feed, because that reader would miss events without noticing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from attrs import frozen

_YEAR_2020 = datetime(2020, 1, 1, tzinfo=UTC)
FIRST_EPOCH = "0" * 16
"""The mark of the first epoch, before any restore."""
_MARK_BYTES, _POSITION_BYTES, _EVENT_BYTES = 8, 8, 4
PLACE_BYTES = _MARK_BYTES + _POSITION_BYTES + _EVENT_BYTES


@frozen(kw_only=True)
class Restore:
    """A restore of the database from a backup, and the epoch of the feed that began with it."""

    epoch: str  # 16 hex digits, random
    since: datetime  # the moment of the backup; later changes may be lost
    begun_at: datetime
    after_position: int  # the last position of the feed that was given out before `since`
    first_sequence: int  # the number from which the events of each subject go on


def first_sequence(now: datetime) -> int:
    """Return the number at which the events of each subject go on after a restore: the seconds since 2020.

    It is greater than any number that a receiver may have seen in the lost time, so that no event which is written
    after the restore looks stale to the receiver.
    """
    return int((now - _YEAR_2020).total_seconds())


@frozen(kw_only=True)
class FeedPlace:
    """A place in the feed: directly after the event at `position`."""

    epoch: str
    position: int
    event: str  # 8 hex digits: the beginning of the hash of the event's reference

    @classmethod
    def of(cls, epoch: str, position: int, reference: str) -> "FeedPlace":
        """Return the place after an event."""
        return cls(epoch=epoch, position=position, event=_digest(reference))

    @classmethod
    def from_bytes(cls, content: bytes) -> "FeedPlace":
        """Return the place that `as_bytes` wrote: `PLACE_BYTES` bytes."""
        end = _MARK_BYTES + _POSITION_BYTES
        return cls(
            epoch=content[:_MARK_BYTES].hex(),
            position=int.from_bytes(content[_MARK_BYTES:end], "big"),
            event=content[end:].hex(),
        )

    def as_bytes(self) -> bytes:
        """Return the place as a cursor holds it."""
        position = self.position.to_bytes(_POSITION_BYTES, "big")
        return bytes.fromhex(self.epoch) + position + bytes.fromhex(self.event)

    def stands(self, epoch: str, reference: str | None) -> bool:
        """Return whether the place belongs to the present feed.

        Its epoch must be `epoch`, and its event must be the one at its position, `reference` (None if the feed has no
        such position). A different event shows a restore after which nobody ran `recover`.
        """
        return self.epoch == epoch and self._is_after(reference)

    def kept_position(self, restores: Sequence[Restore], reference: str | None) -> int:
        """Return the last position up to which the reader's feed equals the present one; 0 if that isn't known.

        `restores` are all restores that the database knows, oldest first. `reference` is the event that is now at the
        position of this place.
        """
        epochs = [FIRST_EPOCH, *(restore.epoch for restore in restores)]
        later = restores[epochs.index(self.epoch) :] if self.epoch in epochs else ()
        if not later:
            return 0
        kept = min(restore.after_position for restore in later)
        if self.position > kept:
            return kept
        return self.position if self._is_after(reference) else 0

    def _is_after(self, reference: str | None) -> bool:
        return reference is not None and self.event == _digest(reference)


def _digest(reference: str) -> str:
    return sha256(reference.encode()).hexdigest()[: 2 * _EVENT_BYTES]
