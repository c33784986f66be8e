"""OrderWise beside Fulfil: which seeds have it, on what terms, and what its books say to the judges.

A fifth of the seeds sell through both, and so does a third of those that are lived whole: two thirds of the orders go to
OrderWise, so that two ERPs cost little more than one. Waits that a mapping counts in quarters of an hour are minutes here. In some seeds an
e-commerce session fetches the orders from us, in the others we post them; memos are keyed by a person or posted. Despatches
are undone now and then, and suppliers send lines directly.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, ClassVar

from sim.sim_erps import ORDERWISE, PREFIX, REFUND, RETURN, Goods, Left, Memo, Sale, Shelf
from sim.sim_faults import KINDS_OF_ORDERWISE, Swarm, SwarmFaults
from sim.sim_network import Network, Post
from sim.sim_scheduler import Scheduler

from integration import casework
from integration.erp.orderwise.client import sql_of
from integration.sandbox.catalogue import CENTRA_WAREHOUSES, GOODS, ORDERWISE_MARKETS
from integration.sandbox.clock import Clock
from integration.sandbox.currencies import rounded
from integration.sandbox.orderwise import PASSWORD, OrderWise, OrderWiseSwitches
from integration.sandbox.orderwise_catalogue import CANCELLED, LEEDS
from integration.sandbox.orderwise_faults import ORDERWISE_FAULTS
from integration.sandbox.orderwise_web_service import SESSION_FAULTS, Paths
from integration.store import exceptions
from integration.wiring import World
from mappings import parse
from tasks.demo_clerk import credit_of, return_of

EVERY, OF = 5, 4
"""The order lane alone has both in seeds whose rest by the first is the second."""
TENS, OF_TENS = 6, (1, 3)
"""The same of whole seeds by their tens: none of those in which Fulfil's returns and memos are pressed."""
FETCHED = 0.25
"""In so many of these seeds orders are fetched by sessions."""
KEYED_EVERY, KEYED = 12, 9
"""By tens, too: in these a person keys memos, in the others they are posted."""
MARKETS = {1: 12, 2: 10, 3: 6, 4: 5, 5: 2, 6: 1, 8: 35, 9: 29}
"""How often which market is sold in."""
HOUSE = next(id for id, warehouse in CENTRA_WAREHOUSES.items() if not warehouse.fulfil_id)
SESSIONS = tuple(20 + market for market in ORDERWISE_MARKETS)
LOGIN = "orderwise:a-long-password"
DOORS, PATHS = "https://lockstep.test/orderwise/orderwise", Paths("/orders", "/success", "/despatch", "/stock")
LOOK_BACK = timedelta(minutes=5)
DILIGENCE = 0.6
UNDOES = 0.4
DONE = {"Awaiting receipt": "draft", "Awaiting inspection": "received", "Completed": "done"}
PACE = {
    "settle_minutes = 30": "settle_minutes = 1",
    "at_most_minutes = 240": "at_most_minutes = 4",
    "every_minutes = 15": "every_minutes = 1",
    "queue_minutes = 15": "queue_minutes = 4",
    "imports_within_minutes = 4": "imports_within_minutes = 2",
    "acknowledged_within_minutes = 30": "acknowledged_within_minutes = 6",
}
"""The mapping's waits, for days that last a quarter of an hour."""
CHAOS_LASTS_ON = 360.0
"""Faults last so much longer where orders settle first."""


def is_there(seed: int, *, whole: bool) -> bool:
    return seed // 10 % TENS in OF_TENS if whole else seed % EVERY == OF


@dataclass(frozen=True)
class Terms:
    """What a seed decides of its OrderWise."""

    fetched: bool
    """Orders are fetched by its sessions."""
    credits: bool
    """Memos are posted, not keyed."""
    switches: OrderWiseSwitches
    run_minutes: float
    """How often a session imports what waits."""

    def mapping(self, text: str, start_at: datetime) -> str:
        """The example, at the simulation's pace."""
        changed = PACE | {"start_at = 2026-01-01T00:00:00Z": f"start_at = {start_at:%Y-%m-%dT%H:%M:%SZ}"}
        changed |= {'transport = "api"': 'transport = "session"'} if self.fetched else {}
        changed |= {'strategy = "off"': 'strategy = "credit order"'} if self.credits else {}
        for before, after in changed.items():
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        return text


def terms(seed: int) -> Terms:
    random = Random(f"{seed}:orderwise")
    switches = OrderWiseSwitches(
        create_response=random.choice(("ids", "ids", "id", "empty")),
        create_status=random.choice((200, 201)),
        error_body=random.choice(("json", "plain", "empty")),
        token_minutes=random.choice((0.0, 2.0)),
        offered_again=random.choice(("mailed", "named")),
        credit_by_order=True,
    )
    return Terms(
        fetched=random.random() < FETCHED,
        credits=seed // 10 % KEYED_EVERY != KEYED,
        switches=switches,
        run_minutes=random.choice((1.0, 2.0)),
    )


def open_tenant(clock: Clock, told: Terms, mapping: str, seed: int, swarm: Swarm) -> OrderWise:
    """With our export definitions pasted in, and the swarm's faults."""
    made = OrderWise(clock, told.switches, seed)
    made.faults = SwarmFaults(ORDERWISE_FAULTS | SESSION_FAULTS, swarm, KINDS_OF_ORDERWISE)
    exports = parse(mapping, "orderwise.toml").tenant["exports"]
    assert isinstance(exports, Mapping)
    for name, id in exports.items():
        made.paste_export(int(id), sql_of(name), name)
    made.add_discount("Handling")
    for session in SESSIONS:
        made.change_session(session, schedule_minutes=told.run_minutes)
    return made


def run_sessions(orderwise: OrderWise, told: Terms, network: Network, post: Post, scheduler: Scheduler) -> None:
    """An actor's work: OrderWise's scheduler fetches orders from us, and posts what has moved."""
    while True:
        scheduler.sleep(60 * told.run_minutes)
        for session in SESSIONS if network.is_up(ORDERWISE) else ():
            run = orderwise.run_session(
                f"{DOORS}/{session}", session, post.send, PATHS, LOGIN, LOOK_BACK, delivery_lines=True
            )
            failed = f", refused {' '.join(run.failed)}" if run.failed else ""
            scheduler.tell(f"session {session} has imported {' '.join(run.imported) or 'nothing'}{failed}")


class Clerk:
    """Who keys into OrderWise what has no call there, from nothing but the words of the cases, and presses Replay."""

    ASKED: ClassVar = {"RETURN_NOT_ANNOUNCED": return_of, "CREDIT_MISSING": credit_of}
    CANCEL = "ORDER_CANCEL_TOO_LATE"

    def __init__(self, random: Random, scheduler: Scheduler, orderwise: OrderWise, world: World) -> None:
        self.random, self.scheduler, self.orderwise, self.world = random, scheduler, orderwise, world
        self.keyed: set[int] = set()

    def work(self) -> None:
        while True:
            self.scheduler.sleep(self.random.uniform(20, 90))
            with self.world.store.read() as tx:
                cases = [case for case in exceptions.listed(tx) if case.connection == OrderWiseBooks.connection]
            for case in cases:
                if case.type in (*self.ASKED, self.CANCEL) and self.random.random() < DILIGENCE:
                    self._take_up(case)

    def _take_up(self, case: Any) -> None:
        """What was keyed is replayed until it is seen; what cannot be keyed stays a case."""
        if case.id not in self.keyed:
            try:
                if not self._key(case):
                    return
            except self.orderwise.refusals:
                return
            self.keyed.add(case.id)
        casework.replay(self.world, [case.id], "carla", "keyed by hand")

    def _key(self, case: Any) -> bool:
        if case.type == self.CANCEL:
            self.orderwise.cancel(f"{PREFIX}{case.number}")
            self.scheduler.tell(f"order {case.number} is cancelled in OrderWise by hand")
            return True
        asked = self.ASKED[case.type](case.message)
        if asked is None:
            return False
        *_, order, act = asked[0].split("/")
        acts = {"raise-return": self.orderwise.raise_return, "credit": self.orderwise.credit}
        acts[act](int(order), **asked[1])
        self.scheduler.tell(f"{act} of OrderWise's order {order} is keyed by hand")
        return True


class Desk:
    """Who undoes a despatch now and then, has a supplier send a line directly, and hears that one did."""

    def __init__(self, random: Random, scheduler: Scheduler, orderwise: OrderWise) -> None:
        self.random, self.scheduler, self.orderwise = random, scheduler, orderwise

    def work(self) -> None:
        while True:
            self.scheduler.sleep(self.random.uniform(30, 150))
            told = self.orderwise.books()
            open = [order for order in told["orders"] if not order["complete"] and order["type"] == 1]
            returned = {each["order"] for each in told["returns"]}
            undone = {each["order"] for each in told["deliveries"] if each["cancelled"]}
            sent = [each for each in told["deliveries"] if each["order"] not in returned | undone]
            if sent and self.random.random() < UNDOES:
                order = self.random.choice(sent)["order"]
                self.orderwise.void(order)
                self.scheduler.tell(f"the last delivery of OrderWise's order {order} is undone")
            elif open:
                order = self.random.choice(open)
                if not any(line["direct"] and line["sent"] for line in order["lines"]):  # suppliers send all at once
                    self._order(order["id"], self.random.choice(order["lines"])["sku"])

    def _order(self, order: int, sku: str) -> None:
        try:
            self.orderwise.order_direct(order, sku)
        except self.orderwise.refusals:
            return
        self.scheduler.tell(f"a supplier is to send {sku} of OrderWise's order {order}")

    def supply(self) -> None:
        while True:
            self.scheduler.sleep(self.random.uniform(20, 120))
            for order in self.orderwise.books()["orders"]:
                waits = any(line["direct"] and line["sent"] < line["quantity"] for line in order["lines"])
                if waits and not order["complete"] and self.random.random() < DILIGENCE:
                    self.orderwise.supplier_ships(order["id"])
                    self.scheduler.tell(f"suppliers have sent their part of OrderWise's order {order['id']}")


class OrderWiseBooks:
    """`Erp`. What was read is kept until something changes."""

    connection, host, houses = "orderwise", ORDERWISE, (HOUSE,)

    def __init__(self, orderwise: OrderWise) -> None:
        self.tenant = orderwise
        self._ledger = orderwise._ledger
        self._read: dict[str, list[dict[str, Any]]] = {}
        self._as_of = -1

    def changes(self) -> int:
        return self._ledger.base.total_changes

    def moves(self) -> int:
        return self.changes()

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        if self._as_of != self.changes():
            self._read, self._as_of = {}, self.changes()
        if sql not in self._read:
            self._read[sql] = self._ledger.rows(sql)
        return self._read[sql]

    def sales(self) -> list[Sale]:
        found = self._rows(
            "SELECT oh_id, oh_session_id, oh_ecommerce_number, oh_os_id FROM order_header ORDER BY oh_id"
        )
        return [
            Sale(str(id), str(session), reference, state != CANCELLED)
            for id, session, reference, state in _values(found)
        ]

    def sale(self, id: str) -> Mapping[str, Any]:
        (order,) = [order for order in self.tenant.books()["orders"] if str(order["id"]) == id]
        lines = [
            (line["sku"], pieces, None, rounded(Decimal(line["net"]) * pieces, order["currency"]), None)
            for line in order["lines"]
            for pieces in (Decimal(str(line["quantity"])),)
        ]
        additions = [each["description"] for each in order["dissurs"] if each["discount"]]
        totals = {"total": order["gross"], "tax": order["tax"], "untaxed": order["net"]}
        return totals | {"currency": order["currency"], "lines": lines, "additions": additions}

    def wanted(self, what: str, body: Any) -> str:
        if what != "order":
            return ""
        head = json.loads(body)["orderHeader"]
        return str(head["eCommerceOrderNumber"]) if head["systemOrderType"] == 1 else ""

    def dispatches(self) -> Mapping[int, list[tuple[str, Goods]]]:
        return self._sent(f"{_SENT} AND dh_cancelled = 0", _SENT_DIRECTLY)

    def undone(self) -> Mapping[int, list[tuple[str, Goods]]]:
        return self._sent(f"{_SENT} AND dh_cancelled = 1")

    def _sent(self, *told: str) -> Mapping[int, list[tuple[str, Goods]]]:
        goods: dict[tuple[str, int, Any], Counter[str]] = defaultdict(Counter)
        for sql in told:
            for reference, order, delivery, sku, pieces in _values(self._rows(sql)):
                goods[reference, order, delivery][sku] += round(pieces)
        found: dict[int, list[tuple[str, Goods]]] = defaultdict(list)
        for (reference, order, delivery), sent in goods.items():
            found[_number(reference)].append((f"{self.connection}-{order}-{delivery}", tuple(sorted(sent.items()))))
        return found

    def memos(self) -> Mapping[str, list[Memo]]:
        """To the last digit that OrderWise has: an amount that is no whole number of minor units is no refund's."""
        found: dict[str, list[Memo]] = defaultdict(list)
        rows = self._rows("SELECT ch_reference, ch_posted, ch_gross FROM credit_header ORDER BY ch_id")
        for reference, posted, gross in _values(rows):
            if str(reference).startswith(REFUND):
                amount = Decimal(str(gross))
                found[reference.removeprefix(REFUND)].append(Memo(bool(posted), amount, f"a credit of {amount}"))
        return found

    def receipts(self) -> Mapping[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for reference, status in _values(
            self._rows("SELECT rh_reference, rh_status FROM return_header ORDER BY rh_id")
        ):
            if str(reference).startswith(RETURN):
                found[int(reference.removeprefix(RETURN))].append(DONE[status])
        return found

    def lying(self, skus: Collection[str]) -> dict[Shelf, int]:
        return {(HOUSE, sku): self._level(sku, "lies") for sku in skus}

    def available(self, skus: Collection[str]) -> dict[Shelf, int]:
        return {(HOUSE, sku): self._level(sku, "free") for sku in skus}

    def _level(self, sku: str, name: str) -> int:
        return next(round(row[name]) for row in self._rows(_LEVELS) if row["sku"] == sku)

    def left(self) -> list[Left]:
        """What a supplier is to send takes nothing from the shelf: it counts as if it had come in and left."""
        found = []
        sent = _values(self._rows(f"{_SENT} AND dh_cancelled = 0"))
        for reference, _, _, sku, pieces in [*sent, *_values(self._rows(_DIRECT))]:
            for part, each in GOODS[sku].parts or ((sku, 1),):
                found.append(Left(_number(reference), (HOUSE, part), round(pieces * each)))
        return found

    def held(self) -> Mapping[int, Counter[str]]:
        found: dict[int, Counter[str]] = defaultdict(Counter)
        for reference, sku, pieces in _values(self._rows(_HELD)):
            for part, each in GOODS[sku].parts or ((sku, 1),):
                found[_number(reference)][part] += round(pieces * each)
        return found

    def pack(self, which: int) -> None:
        self.tenant.pack(which)

    def waiting(self) -> list[int]:
        return [row["id"] for row in self.tenant.waiting_shipments()]

    def set_stock(self, shelf: Shelf, pieces: float) -> None:
        self.tenant.adjust(shelf[1], pieces, LEEDS)

    def goods_in(self, shelf: Shelf, pieces: int) -> None:
        self.tenant.receive_goods(shelf[1], pieces, LEEDS)

    def revoke(self) -> None:
        self.tenant.set_password("another-password")
        self.tenant.expire_tokens()

    def grant(self) -> None:
        self.tenant.set_password(PASSWORD)


_SENT = """
SELECT oh_ecommerce_number, oh_id, dh_id, vad_variant_code, dli_qty_sent FROM delivery_header
JOIN order_header ON oh_id = dh_oh_id JOIN delivery_line_item ON dli_dh_id = dh_id
JOIN order_line_item ON oli_id = dli_oli_id JOIN variant_detail ON vad_id = oli_vad_id
WHERE 1 = 1"""
_DIRECT = f"""
SELECT oh_ecommerce_number, oh_id, 'direct', vad_variant_code, oli_qty_sent + oli_qty_tbsent FROM order_header
JOIN order_line_item ON oli_oh_id = oh_id JOIN variant_detail ON vad_id = oli_vad_id
WHERE oli_direct = 1 AND oh_os_id <> {CANCELLED}"""
_SENT_DIRECTLY = f"{_DIRECT} AND oli_qty_sent > 0"
_HELD = f"""
SELECT oh_ecommerce_number, vad_variant_code, oli_qty_sent + oli_qty_tbsent FROM order_header
JOIN order_line_item ON oli_oh_id = oh_id JOIN variant_detail ON vad_id = oli_vad_id
WHERE oh_os_id <> {CANCELLED} ORDER BY oli_id
"""
_LEVELS = f"""
SELECT vad_variant_code AS sku, vsl_overall_stock_quantity AS lies, vsl_free_stock_quantity AS free
FROM variant_stock_location JOIN variant_detail ON vad_id = vsl_vad_id WHERE vsl_sl_id = {LEEDS}
"""


def _values(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows]


def _number(reference: str) -> int:
    return int(reference.removeprefix(PREFIX))
