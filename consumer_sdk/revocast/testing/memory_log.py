"""A Kafka partition in memory: offsets, and everything that can happen to records on the way.

Offsets are given at the end and stay; a dropped record leaves a hole, as retention does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

__all__ = ["InMemoryLog", "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """One record: its offset, and the key and value that a producer would send."""

    offset: int
    key: bytes
    value: bytes | None


class InMemoryLog:
    """One partition. Indexes are places in what is there now, negative ones count from the end."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.end = 0
        """The offset that the next record gets."""
        self._listeners: list[Callable[[], object]] = []

    def append(self, key: bytes, value: bytes | None) -> Message:
        """Add a record at the end, as a producer does: a genuine one, or anybody's."""
        message = Message(self.end, key, value)
        self.end += 1
        self.messages.append(message)
        for listener in self._listeners:
            listener()
        return message

    def since(self, offset: int) -> list[Message]:
        """What a consumer that seeks to `offset` reads."""
        return [message for message in self.messages if message.offset >= offset]

    def replay(self, index: int) -> Message:
        """Send an older record again."""
        message = self.messages[index]
        return self.append(message.key, message.value)

    def drop(self, index: int) -> Message:
        """Lose a record, as retention, truncation or an unclean election does."""
        return self.messages.pop(index)

    def truncate(self, offset: int) -> None:
        """Lose everything before `offset`, as `DeleteRecords` does."""
        self.messages = self.since(offset)

    def compact(self) -> None:
        """Keep the last record of every key, and no tombstone, as compaction does in the end."""
        last = {message.key: message.offset for message in self.messages}
        self.messages = [
            each for each in self.messages if last[each.key] == each.offset and each.value is not None
        ]

    def restore(self, message: Message) -> None:
        """Put a dropped record back where it was."""
        self.messages.append(message)
        self.messages.sort(key=lambda each: each.offset)

    def swap(self, first: int, second: int) -> None:
        """Exchange two records; the offsets stay in order."""
        one, other = self.messages[first], self.messages[second]
        self.messages[first] = replace(other, offset=one.offset)
        self.messages[second] = replace(one, offset=other.offset)

    def forge(self, index: int) -> Message:
        """Append a record like the one at `index` with one bit of its signature changed."""
        message = self.messages[index]
        assert message.value is not None
        head, _, signature = message.value.rpartition(b".")
        flipped = (b"B" if signature[:1] == b"A" else b"A") + signature[1:]
        return self.append(message.key, head + b"." + flipped)

    def listen(self, listener: Callable[[], object]) -> None:
        """Call `listener` after every append."""
        self._listeners.append(listener)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __len__(self) -> int:
        return len(self.messages)
