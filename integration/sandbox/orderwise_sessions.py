"""E-commerce sessions: one record for each shop, with the rules of its import and the orders that wait for its next run.

The names of the settings are those of the manual's Import Setup; what an unticked one does is read from its label. Nothing in
the public API reads or writes them.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import Any

from integration.sandbox import orderwise_catalogue as own
from integration.sandbox.clock import Clock
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_order_form import Form
from integration.sandbox.orderwise_wire import Refused, Row

Take = Callable[[Form, "Session"], int]
"""The import of one order: its oh_id, or the refusal raised."""


@dataclass
class Session:
    """A session; `schedule_minutes` is how often it runs."""

    id: int
    name: str
    currency: str
    active: bool = True
    transfer_type: str = "Web Service"
    schedule_minutes: float = 5.0
    stock_location: int = own.LEEDS
    use_delivery_method_tax_code: bool = False
    """If not provided; unticked, a missing tax code of the carriage fails."""
    use_variant_tax_code: bool = False
    """If not provided; unticked, a missing tax code of a line fails."""
    add_delivery_address: bool = True
    """To an existing customer if not found; here every address is."""
    add_customer_contact: bool = True
    use_variant_stock_location: bool = False
    """If the default is not available; unticked, an unknown location fails."""
    override_variant_disallow: bool = False
    customer_validation: bool = True
    import_as: str = "ECOMMERCE"
    waiting: list[tuple[Form, Take]] = field(default_factory=list)
    """Accepted, and not yet imported; each with what its import will be."""

    def change(self, words: dict[str, Any]) -> None:
        """Settings by name; raises `ValueError` for one that is not or a value of another type, and changes nothing."""
        known = {each.name for each in fields(self)} - {"id", "waiting"}
        for name, value in words.items():
            if name not in known:
                raise ValueError(f"no setting named {name!r}; there are: {', '.join(sorted(known))}")
            kind = type(getattr(self, name))
            if not (isinstance(value, kind) or (kind is float and type(value) is int)):
                raise ValueError(f"{name} cannot be {value!r}")
        for name, value in words.items():
            setattr(self, name, value)


class Sessions:
    """All sessions, and the run that imports what waits. What fails goes to an inbox, never back to the caller."""

    def __init__(self, ledger: Ledger, clock: Clock, locked: Callable[[], AbstractContextManager[Any]]) -> None:
        self._ledger, self._clock, self._locked = ledger, clock, locked
        self.all = {id: Session(id, name, own.currency_of(id)) for id, name in own.SESSIONS.items()}
        self.emails: list[Row] = []

    def ready(self, id: int | None) -> Session:
        """A session orders can come in by; raises the 400."""
        found = self.all.get(id or 0)
        if found is None or not found.active or found.transfer_type != "Web Service":
            raise Refused(400, f"E-commerce session {id} was not found or is not active.")
        return found

    def queue(self, session: Session, form: Form, take: Take) -> None:
        """Wait for the session's next run, which comes by itself."""
        session.waiting.append((form, take))

        def run() -> None:
            with self._locked():
                self.run(session)

        self._clock.later(session.schedule_minutes * 60, run)

    def run(self, session: Session) -> list[int]:
        """Import what waits, each order by itself; the oh_ids. A failure is an e-mail."""
        waiting, session.waiting = session.waiting, []
        done: list[int] = []
        for form, take in waiting:
            try:
                with self._ledger.whole():
                    done.append(take(form, session))
            except Refused as refused:
                self.mail(session, form.number, refused.message)
        return done

    def mail(self, session: Session, number: str, text: str) -> None:
        self.emails.append({"at": self._ledger.now(), "session": session.id, "reference": number, "text": text})
