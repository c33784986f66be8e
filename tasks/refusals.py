"""Reads that were refused: who was refused what, so that only the same reader, once it is answered, closes the case.

A reader is a feed, or a link that reads whole pages; it remembers what it was refused for last.
"""

from dataclasses import dataclass

from integration.store import Transaction, exceptions, schedule

READS_AGAIN = "verified: the same read is answered again"
OTHERWISE = "obsolete: the same read is refused for another reason now"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads which system: its instance or connection, and a name of at most 23 characters."""

    system: str
    name: str

    @property
    def stream(self) -> str:
        return f"refused {self.name}"


def remember(tx: Transaction, reader: Reader, type: str, cause: str) -> None:
    """Belongs into the transaction that opens the case. What the reader was refused for before is not known to stand."""
    told = f"{type} {cause}"[:255]
    if _refused(tx, reader) != told:
        _close(tx, reader, OTHERWISE)
        schedule.move_cursor(tx, reader.system, reader.stream, told)


def was_refused(tx: Transaction, reader: Reader) -> bool:
    return bool(_refused(tx, reader))


def answered(tx: Transaction, reader: Reader) -> None:
    """Close what the reader was refused for; where that was nothing, nothing is written."""
    if was_refused(tx, reader):
        _close(tx, reader, READS_AGAIN)
        schedule.move_cursor(tx, reader.system, reader.stream, "")


def _refused(tx: Transaction, reader: Reader) -> str:
    """Type and cause of what it was refused for last."""
    return schedule.read_cursor(tx, reader.system, reader.stream) or ""


def _close(tx: Transaction, reader: Reader, how: str) -> None:
    type, _, cause = _refused(tx, reader).partition(" ")
    exceptions.resolve_named(tx, reader.system, [type], [cause], how)
