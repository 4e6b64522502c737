"""The keys that this process has seen to be good. They are known by their hash, and are looked up all the same."""

from collections import OrderedDict

_MOST = 1024


class ProvenKeys:
    """Hashes of good keys. A request with such a key needs no place of its address, where strangers may be."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, hashed: bytes) -> bool:
        return hashed in self._hashes

    def add(self, hashed: bytes) -> None:
        """Remember a key that is good; the one that was used longest ago is forgotten for it."""
        self._hashes[hashed] = None
        self._hashes.move_to_end(hashed)
        while len(self._hashes) > _MOST:
            self._hashes.popitem(last=False)

    def discard(self, hashed: bytes) -> None:
        """Forget a key that isn't good any more."""
        self._hashes.pop(hashed, None)
