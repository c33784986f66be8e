"""Five ways to fail, chosen once, at the edge, by what is known there. Each class says what happens next.

The text of an error is shown to support agents and stored in the open: it names documents, codes and amounts and
never a person. What another system answered word for word may hold personal data, so it travels in `evidence`, which
goes to the vault.
"""

from datetime import datetime, timedelta


class LockstepError(Exception):
    """Base of everything that is expected to go wrong."""

    evidence: str = ""


class Unavailable(LockstepError):
    """The other side is down, slow or throttling, and surely did nothing. Wait, then try again.

    `connection_wide` names the business type of an outage that concerns the whole connection, not this document:
    CONNECTION_DOWN or CONNECTION_AUTH. Such a failure uses up no attempt of the document.
    """

    def __init__(
        self, message: str, *, retry_after: timedelta | None = None, system: str = "", connection_wide: str = ""
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.system = system
        self.connection_wide = connection_wide


class NotReady(LockstepError):
    """The right document at the wrong moment. Parked until `until`; not an attempt."""

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class Unknown(LockstepError):
    """Sent, and no clear answer came. Resolved by asking with our own reference; never sent again blindly.

    `accepted`: they took it, or say that they have it, and name no id: it may stand in a queue of theirs for a night, so that
    its absence never is a reason to send it again.
    """

    def __init__(self, message: str, *, accepted: bool = False) -> None:
        super().__init__(message)
        self.accepted = accepted


class Rejected(LockstepError):
    """They understood and refused, or our own proof failed. A person or a changed cause must act.

    `type` is the exception type of the playbook, `cause` what it is grouped by (one missing market is one cause).
    """

    def __init__(self, type: str, cause: str, message: str, *, evidence: str = "") -> None:
        super().__init__(message)
        self.type = type
        self.cause = cause
        self.evidence = evidence


class Unmapped(Rejected):
    """Our own table has no row. The text names file, table and key; adding the row releases what waits."""

    def __init__(self, type: str, *, file: str, table: str, key: str, near: str = "") -> None:
        hint = f"; did you mean {near!r}?" if near else ""
        super().__init__(type, f"{file}:[{table}] {key}", f"{file} has no entry for {key!r} in [{table}]{hint}")
        self.file, self.table, self.key = file, table, key


class LeaseLost(LockstepError):
    """Another worker holds the job now. Not a failure: this one leaves without a trace of its own."""
