"""The sandbox's own doors under `/_sandbox/`: what a test may ask and change behind OrderWise's back. JSON both ways."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from integration.sandbox.faults import Plan
from integration.sandbox.orderwise_wire import Refused, Reply, Row, answer

if TYPE_CHECKING:
    from integration.sandbox.orderwise import OrderWise

ROOT = "/_sandbox/"


def open_door(app: "OrderWise", verb: str, path: str, body: bytes) -> Reply:
    """Answer one control request; 404 for an unknown door, 400 naming what was wrong with the words."""
    try:
        words = json.loads(body) if body else {}
        parts = path.removeprefix(ROOT).strip("/").split("/")
        act = _subject(app, verb, parts, words) if len(parts) == 3 else _doors(app, words).get((verb, "/".join(parts)))
        if act is None:
            raise Refused(404, "no such door")
        return answer(act())
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(400, str(error.args[0] if error.args else error)) from error


def _doors(app: "OrderWise", words: Row) -> dict[tuple[str, str], Callable[[], Any]]:
    return {
        ("GET", "faults"): lambda: _faults(app),
        ("POST", "faults"): lambda: _faults(app, app.faults.plan(**words)),
        ("DELETE", "faults"): app.faults.clear,
        ("GET", "switches"): app.switches.words,
        ("POST", "switches"): lambda: app.switches.change(words),
        ("GET", "books"): app.books,
        ("POST", "export-definitions"): lambda: app.paste_export(**words),
        ("POST", "tokens"): app.expire_tokens,
        ("POST", "products"): lambda: {"id": app.add_product(**words)},
        ("POST", "counts"): lambda: app.adjust(**words),
        ("POST", "receipts"): lambda: app.receive_goods(**words),
        ("POST", "calculations"): lambda: app.recalculate(*words),
        ("GET", "shipments"): app.waiting_shipments,
        ("GET", "returns"): app.expected_returns,
        ("POST", "allow"): lambda: app.allow(**words),
        ("POST", "forbid"): lambda: app.forbid(**words),
    }


def _subject(app: "OrderWise", verb: str, parts: list[str], words: Row) -> Callable[[], Any] | None:
    """`orders/<which>/<act>`, `returns/<which>/receive|inspect`, `sessions/<id>/change|run`, `products/<sku>/change`,
    `export-definitions/<id>/rename`. `<which>` is an id, or text; the words are those of the method.
    """
    kind, which, act = parts
    acts: dict[tuple[str, str], Callable[..., Any]] = {
        ("orders", "pack"): app.pack,
        ("orders", "ship"): app.ship,
        ("orders", "order-direct"): app.order_direct,
        ("orders", "supplier-ships"): app.supplier_ships,
        ("orders", "void"): app.void,
        ("orders", "relabel"): app.relabel,
        ("orders", "cancel"): app.cancel,
        ("orders", "amend"): app.amend,
        ("orders", "hold"): app.hold,
        ("orders", "status"): app.set_status,
        ("orders", "raise-return"): app.raise_return,
        ("orders", "credit"): app.credit,
        ("returns", "receive"): app.receive_return,
        ("returns", "inspect"): app.inspect_return,
        ("sessions", "change"): app.change_session,
        ("sessions", "run"): app.run_import,
        ("products", "change"): app.change_product,
        ("export-definitions", "rename"): app.rename_column,
    }
    found = acts.get((kind, act))
    if found is None or verb != "POST":
        return None
    named = int(which) if which.isdigit() and kind != "products" else unquote(which)
    return lambda: found(named, **words)


def _faults(app: "OrderWise", *_new: Plan) -> Row:
    planned = [vars(plan) for plan in app.faults.plans]
    return {"known": app.faults.known, "planned": planned, "fired": dict(app.faults.fired)}
