"""The wizard `account.invoice.credit`, three calls over HTTP.

Shapes of the calls: the official client. Form, checks and messages: Tryton 4.0. That Fulfil has a wizard of this name is
unconfirmed, and so is the answer of `execute`.
"""

from typing import Any

from integration.sandbox.fulfil_calls import terms
from integration.sandbox.fulfil_invoices import MODEL, Invoices
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_wire import http_error, user_error

NAME = "account.invoice.credit"


class CreditWizard:
    """Sessions live until they are deleted."""

    def __init__(self, records: Records, invoices: Invoices) -> None:
        self._records, self._invoices = records, invoices
        self._sessions: dict[int, Row] = {}
        self._next = 1

    def create(self, args: Any) -> list[Any]:
        """`[ctx]` -> `[session id, "start", "end"]`."""
        session, self._next = self._next, self._next + 1
        self._sessions[session] = _words(terms(args, "context")[0])
        return [session, "start", "end"]

    def execute(self, args: Any) -> Row:
        """`[session, data, state, ctx]`: `start` answers the form, `credit` makes the notes, `end` nothing."""
        session, given, state, context = terms(args, "session", "data", "state", "context")
        context = self._known(session) | _words(context)
        form = _words(_words(given).get("start"))
        match state:
            case "start":
                return {"view": {"state": "start", "defaults": {"with_refund": False}}}
            case "credit":
                wanted = context.get("active_ids") or []
                notes = [self._credit(self._records.get(MODEL, id), bool(form.get("with_refund"))) for id in wanted]
                action = {"type": "ir.action.act_window", "res_model": MODEL, "res_id": [note["id"] for note in notes]}
                return {"actions": [[action, {}]]}
            case "end":
                return {}
        raise user_error(f"The wizard has no state {state!r}.")

    def delete(self, args: Any) -> None:
        session = terms(args, "session")[0]
        self._known(session)
        del self._sessions[session]

    def _known(self, session: Any) -> Row:
        if not isinstance(session, int) or session not in self._sessions:
            raise http_error(404, f"The session {session!r} does not exist.")
        return self._sessions[session]

    def _credit(self, invoice: Row, with_refund: bool) -> Row:
        if not with_refund:
            return self._invoices.credit(invoice)
        refusal = f'You can not credit with refund invoice "{invoice["rec_name"]}" because it'
        if invoice["state"] == "paid":
            raise user_error(f"{refusal} has payments.")
        if invoice["state"] != "posted":
            raise user_error(f"{refusal} is not posted.")
        if invoice["type"] != "out":
            raise user_error(f"{refusal} is a supplier invoice.")
        note = self._invoices.credit(invoice)
        for document, methods in ((note, ("post", "pay")), (invoice, ("pay",))):
            for method in methods:
                self._invoices.step(document, method)
        return note


def _words(value: Any) -> Row:
    return value if isinstance(value, dict) else {}
