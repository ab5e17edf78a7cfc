"""Which node runs which unit: each file is read by as few nodes as possible, and no node idles while work is left.

A node owns shards (files). It takes units of its own shards first, then a shard that nobody owns, the heaviest first;
when none is left, it takes from the shard with the most work left, whose file it then reads as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from wcodec_engines.protocol import Unit


class Shards:
    def __init__(self, units: Iterable[Unit]) -> None:
        self._left: dict[str, deque[Unit]] = {}
        for unit in units:
            self._left.setdefault(unit.shard, deque()).append(unit)
        self._seconds = {shard: sum(unit.seconds for unit in waiting) for shard, waiting in self._left.items()}
        self._owned: dict[Hashable, list[str]] = {}  # by node, oldest first
        self._free = sorted(self._left, key=lambda shard: self._seconds[shard], reverse=True)

    def __len__(self) -> int:
        return sum(map(len, self._left.values()))

    def take(self, node: Hashable) -> Unit | None:
        """The next unit for `node`; None when nothing is left."""
        owned = self._owned.setdefault(node, [])
        owned[:] = [shard for shard in owned if self._left[shard]]
        if not owned:
            if self._free:
                owned.append(self._free.pop(0))
            else:
                loaded = [shard for shard, waiting in self._left.items() if waiting]
                if not loaded:
                    return None
                owned.append(max(loaded, key=lambda shard: self._seconds[shard]))
        unit = self._left[owned[0]].popleft()
        self._seconds[owned[0]] -= unit.seconds
        return unit

    def give_back(self, unit: Unit) -> None:
        """A unit that its node did not run goes first next time."""
        self._left[unit.shard].appendleft(unit)
        self._seconds[unit.shard] += unit.seconds

    def forget(self, node: Hashable) -> None:
        """A node is gone; what it owned is anybody's."""
        for shard in self._owned.pop(node, []):
            if self._left[shard] and not any(shard in owned for owned in self._owned.values()):
                self._free.insert(0, shard)
