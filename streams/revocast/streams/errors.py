"""The one error tree of the streams program. `code` is stable; the text says what to do."""

__all__ = [
    "Behind",
    "ChunkMissing",
    "Inexact",
    "KafkaAway",
    "MalformedFrame",
    "NotHere",
    "StreamsError",
    "TopicMissing",
]


class StreamsError(Exception):
    """Something that a worker cannot do now."""

    code = "streams"


class MalformedFrame(StreamsError):
    """Bytes on an internal topic or in the table that this version did not write."""

    code = "malformed_frame"


class TopicMissing(StreamsError):
    """A topic that this worker reads does not exist, or loses records."""

    code = "topic_missing"


class ChunkMissing(StreamsError):
    """A chunk of a snapshot was overwritten or deleted since its manifest was read."""

    code = "chunk_missing"


class Inexact(StreamsError):
    """What a cut would take from a partition is not its state at that record."""

    code = "inexact"


class KafkaAway(StreamsError):
    """No broker lets this worker in."""

    code = "kafka_away"


class NotHere(StreamsError):
    """Another worker holds that partition, or none does at the moment."""

    code = "not_here"


class Behind(StreamsError):
    """The partition is here, but this worker cannot know whether it is current."""

    code = "behind"
