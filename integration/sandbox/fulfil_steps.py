"""Which method leads from which states to which, for every model that has states.

Sales, shipments, return shipments, moves and invoices: Tryton 4.0, on which Fulfil is built. Unconfirmed for Fulfil:
whether a method in the wrong state is an error (switch `wrong_transition`); that a packed or done shipment is never
cancelled; what `start_picking` and `done_picking` ask of the state.
"""

from integration.sandbox.fulfil_records import Row
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import user_error

Steps = dict[str, tuple[str, set[str]]]
"""Method to the state it leads to and the states it may be called in."""

SALE_METHODS: Steps = {
    "quote": ("quotation", {"draft"}),
    "confirm": ("confirmed", {"quotation"}),
    "process": ("processing", {"confirmed", "done"}),
    "cancel": ("cancel", {"draft", "quotation"}),
    "draft": ("draft", {"quotation", "cancel"}),
}

SHIPMENT_METHODS: Steps = {
    "wait": ("waiting", {"draft", "assigned"}),
    "assign": ("assigned", {"waiting"}),
    "start_picking": ("assigned", {"assigned"}),
    "done_picking": ("assigned", {"assigned"}),
    "pack": ("packed", {"assigned"}),
    "done": ("done", {"packed"}),
    "cancel": ("cancel", {"draft", "waiting", "assigned"}),
    "draft": ("draft", {"waiting", "cancel"}),
}

RETURN_METHODS: Steps = {
    "receive": ("received", {"draft"}),
    "done": ("done", {"received"}),
    "cancel": ("cancel", {"draft", "received"}),
    "draft": ("draft", {"received", "cancel"}),
}

MOVE_METHODS: Steps = {
    "assign": ("assigned", {"draft", "staging"}),
    "do": ("done", {"draft", "assigned", "staging"}),
    "cancel": ("cancel", {"draft", "assigned", "staging"}),
    "draft": ("draft", {"assigned", "cancel", "staging"}),
}

COUNT_METHODS: Steps = {
    "complete": ("draft", {"draft"}),
    "confirm": ("done", {"draft"}),
    "cancel": ("cancel", {"draft"}),
}

INVOICE_METHODS: Steps = {
    "validate_invoice": ("validated", {"draft"}),
    "post": ("posted", {"draft", "validated"}),
    "pay": ("paid", {"posted"}),
    "cancel": ("cancel", {"draft", "validated", "posted"}),
    "draft": ("draft", {"validated", "cancel"}),
}


def step(switches: FulfilSwitches, kind: str, steps: Steps, row: Row, method: str) -> str | None:
    """The state `method` leads `row` to; None when it is to be ignored. Raises the UserError when it is refused."""
    target, allowed = steps[method]
    if row["state"] in allowed:
        return target
    refuse(switches, kind, row, target)
    return None


def refuse(switches: FulfilSwitches, kind: str, row: Row, target: str) -> None:
    """Raise the UserError of a step that the state does not allow, unless such steps are ignored."""
    if switches.wrong_transition == "refuse":
        raise user_error(f"{kind} {row['rec_name']} is {row['state']} and cannot become {target}.")
