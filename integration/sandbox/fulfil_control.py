"""The sandbox's own doors under `/_sandbox/`: what a test may ask and change behind Fulfil's back. JSON both ways."""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import unquote

from integration.sandbox.faults import Faults, Plan
from integration.sandbox.fulfil_floor import Which
from integration.sandbox.fulfil_records import Row
from integration.sandbox.fulfil_switches import FulfilSwitches
from integration.sandbox.fulfil_wire import Reply, answer, http_error

ROOT = "/_sandbox/"


class Controlled(Protocol):
    """What the doors need of the app."""

    faults: Faults
    switches: FulfilSwitches

    def books(self) -> Row: ...
    def add_product(self, sku: str, name: str = ...) -> int: ...
    def grant(self, token: str, channels: list[int] | None = ...) -> int: ...
    def revoke(self, token: str | None = ...) -> None: ...
    def allow(self, channel: int) -> None: ...
    def forbid(self, channel: int) -> None: ...
    def pack(self, shipment: Which) -> list[int]: ...
    def ship(self, which: Which, *args: Any, **words: Any) -> list[int]: ...
    def void(self, which: Which) -> None: ...
    def relabel(self, which: Which, *args: Any, **words: Any) -> None: ...
    def receive_return(self, which: Which, *args: Any, **words: Any) -> list[int]: ...
    def inspect_return(self, which: Which, *args: Any, **words: Any) -> list[int]: ...
    def adjust(self, sku: str, quantity: float, warehouse: Which) -> int: ...
    def receive_goods(self, sku: str, quantity: float, warehouse: Which) -> int: ...
    def waiting_shipments(self) -> list[Row]: ...
    def expected_returns(self) -> list[Row]: ...


def open_door(app: Controlled, verb: str, path: str, body: Any) -> Reply:
    """Answer one control request; 404 for an unknown door, 400 naming what was wrong with the words."""
    words = body if isinstance(body, dict) else {}
    parts = path.removeprefix(ROOT).strip("/").split("/")
    act = _subject(app, verb, parts, words) if len(parts) == 3 else _doors(app, words).get((verb, parts[0]))
    if act is None or len(parts) not in (1, 3):
        raise http_error(404)
    try:
        return answer(act())
    except (KeyError, TypeError, ValueError) as error:
        raise http_error(400, str(error.args[0] if error.args else error)) from error


def _doors(app: Controlled, words: Row) -> dict[tuple[str, str], Callable[[], Any]]:
    return {
        ("GET", "faults"): lambda: _faults(app),
        ("POST", "faults"): lambda: _faults(app, app.faults.plan(**words)),
        ("DELETE", "faults"): app.faults.clear,
        ("GET", "switches"): app.switches.words,
        ("POST", "switches"): lambda: app.switches.change(words),
        ("GET", "books"): app.books,
        ("POST", "products"): lambda: {"id": app.add_product(**words)},
        ("POST", "grant"): lambda: {"user": app.grant(**words)},
        ("POST", "revoke"): lambda: app.revoke(**words),
        ("GET", "shipments"): app.waiting_shipments,
        ("GET", "returns"): app.expected_returns,
        ("POST", "counts"): lambda: {"id": app.adjust(**words)},
        ("POST", "receipts"): lambda: {"id": app.receive_goods(**words)},
    }


def _subject(app: Controlled, verb: str, parts: list[str], words: Row) -> Callable[[], Any] | None:
    """`shipments/<which>/pack|ship|void|relabel`, `returns/<which>/receive|inspect`, `channels/<id>/allow|forbid`.

    `<which>` is an id, or a number or channel_identifier as `Floor` understands it; the words are those of the method.
    """
    kind, which, act = parts
    acts: dict[tuple[str, str], Callable[..., Any]] = {
        ("shipments", "pack"): app.pack,
        ("shipments", "ship"): app.ship,
        ("shipments", "void"): app.void,
        ("shipments", "relabel"): app.relabel,
        ("returns", "receive"): app.receive_return,
        ("returns", "inspect"): app.inspect_return,
        ("channels", "allow"): app.allow,
        ("channels", "forbid"): app.forbid,
    }
    found = acts.get((kind, act))
    if found is None or verb != "POST" or (kind == "channels" and not which.isdigit()):
        return None
    return lambda: found(int(which) if which.isdigit() else unquote(which), **words)


def _faults(app: Controlled, *_new: Plan) -> Row:
    planned = [vars(plan) for plan in app.faults.plans]
    return {"known": app.faults.known, "planned": planned, "fired": dict(app.faults.fired)}
