"""The sandbox's own doors under `/_sandbox/`: what a test may ask and change behind Fulfil's back. JSON both ways."""

from collections.abc import Callable
from typing import Any, Protocol

from integration.sandbox.faults import Faults, Plan
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
    def pack(self, shipment: int) -> None: ...
    def ship(self, shipment: int, tracking_number: str | None = ...) -> None: ...


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
    }


def _subject(app: Controlled, verb: str, parts: list[str], words: Row) -> Callable[[], Any] | None:
    """`shipments/<id>/pack|ship` and `channels/<id>/allow|forbid`."""
    kind, id, act = parts
    acts: dict[tuple[str, str], Callable[..., Any]] = {
        ("shipments", "pack"): app.pack,
        ("shipments", "ship"): app.ship,
        ("channels", "allow"): app.allow,
        ("channels", "forbid"): app.forbid,
    }
    found = acts.get((kind, act))
    if found is None or verb != "POST" or not id.isdigit():
        return None
    return lambda: found(int(id), **words)


def _faults(app: Controlled, *_new: Plan) -> Row:
    planned = [vars(plan) for plan in app.faults.plans]
    return {"known": app.faults.known, "planned": planned, "fired": dict(app.faults.fired)}
