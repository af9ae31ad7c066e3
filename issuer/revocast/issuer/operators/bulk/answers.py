"""What is answered while a file is read: JSON lines, one event each."""

from typing import Literal

from pydantic import BaseModel, Field

__all__ = ["BadLines", "Counts", "Done", "Event", "Progress", "Stopped"]


class Counts(BaseModel):
    """So far, in this request."""

    operation: str = Field(
        description="names the whole undertaking in audit; give it again when you go on with it"
    )
    line: int = Field(description="the last line that is done with: go on behind it")
    rows: int = Field(description="written; in a dry run those that would be")
    unchanged: int = Field(description="said what the table said already, or another line before")
    bad: int
    empty: int = Field(description="and a CSV's first row")
    records: int
    epoch: int
    n: int = Field(description="all of it is in the log up to this record")


class Progress(Counts):
    """All up to `line` is durable."""

    event: Literal["progress"] = "progress"


class BadLines(BaseModel):
    """Lines that were left out, as (first, last), for one reason."""

    event: Literal["bad"] = "bad"
    reason: str
    lines: list[tuple[int, int]]


class Done(Counts):
    """The end of the file. `pending`: durable, and not all of it on Kafka yet."""

    event: Literal["done"] = "done"
    status: Literal["published", "pending", "dry_run"]


class Stopped(Counts):
    """The request ends before the file does. What is behind `line` may be done in part: repeating it is harmless."""

    event: Literal["stopped"] = "stopped"
    code: str = Field(description="stable; programs decide by it")
    detail: str
    retry_after: int | None = Field(None, description="seconds")


Event = Progress | BadLines | Done | Stopped
