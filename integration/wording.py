"""Where a document stands, in words that an agent reads out: by its kind and its state."""

STANDS = {
    "seen": "is known and is to be read from Centra",
    "held": "is not released in Centra yet",
    "observed": "is watched and not posted",
    "ready": "is released and is to be posted to {erp}",
    "posted": "was accepted by {erp} and is to be read back",
    "proven": "stands in {erp}, equal to the minor unit",
    "cancelling": "was cancelled in Centra, and {erp} must follow",
    "cancelled": "is cancelled",
    "dead": "stands still until its cause is gone or somebody acts",
    "closed": "was closed by a person: nothing more is sent for it",
}
STANDS_OF: dict[str, dict[str, str]] = {
    "shipment": {
        "seen": "is known and is to be read from {erp}",
        "held": "cannot be told yet",
        "observed": "is watched and not told",
        "ready": "has left the warehouse and is to be shown in Centra",
        "created": "is shown in Centra, and its money is to be captured",
        "captured": "is shown and asked to be paid for, and the customer is to be told",
        "posted": "was told to the customer and is to be read back",
        "proven": "was told to the customer, and Centra shows it as it left the warehouse",
        "cancelled": "was cancelled in {erp} before anything was told",
    },
    "return": {
        "held": "cannot go on yet",
        "observed": "is watched and not announced",
        "ready": "is to be announced to {erp}",
        "opened": "is awaited by the warehouse in {erp}",
        "received": "has come back and is to be completed in Centra",
        "proven": "has come back: received and inspected in {erp}, completed in Centra",
        "cancelling": "was deleted in Centra, and {erp} must follow",
    },
    "refund": {
        "held": "cannot be credited yet",
        "observed": "needs no credit memo",
        "ready": "is to be credited in {erp}",
        "posted": "has its credit memo in {erp}, which is to be read back",
        "proven": "is credited in {erp}, equal to the minor unit",
        "cancelled": "failed, and its credit memo is cancelled",
    },
    "product": {
        "seen": "is to be launched: it is to be read from Centra and {erp}",
        "held": "cannot be launched yet",
        "ready": "is to be made in {erp} where it is missing there, and to be read back",
        "created": "is complete in {erp}, read back, and is to be put on sale in Centra",
        "proven": "is launched: complete in {erp}, and no longer held back by Lockstep",
        "cancelled": "is not launched any more",
    },
    "archive": {
        "seen": "is to be archived: every system is to be read first",
        "held": "is being archived, and its next check waits",
        "ready": "is to be archived and still on sale: Centra is to stop selling it first",
        "created": "is off sale and drained, and is to be deactivated in {erp}",
        "posted": "is deactivated in {erp}, and is to be archived in Centra",
        "proven": "is archived: no system sells it",
    },
}
"""How a kind of document stands where the words differ from an order's."""
NAMED = {"product": "SKU", "archive": "SKU"}
"""What a kind of document is called where that is not its own name."""
OF_SKU = tuple(NAMED)
LIVES = {"product": "launch", "archive": "archiving"}
"""What is done to a SKU, as a noun."""
MILESTONES = {
    "return": {"released_at": "booked in by the warehouse"},
    "product": {"released_at": "complete in the ERP"},
    "archive": {"released_at": "off sale since"},
}
"""What an instant of a row means where the words differ from an order's."""


def called(kind: str) -> str:
    """The word before a document's number."""
    return NAMED.get(kind, kind.capitalize())


def noun(kind: str) -> str:
    """A kind of document in the middle of a sentence."""
    return LIVES.get(kind, kind)


def stands(kind: str, state: str, erp: str) -> str:
    """How a document stands, in words that go on after its number."""
    words = STANDS_OF.get(kind, {}).get(state) or STANDS.get(state, f"is {state}")
    return words.format(erp=erp)
