"""Webhooks of Fulfil's sandbox: what is told, how it is signed, what happens when nobody listens."""

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fulfil_client import verify_webhook
from requests.structures import CaseInsensitiveDict

from integration.sandbox.clock import HandClock
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order
from integration.sandbox.fulfil_webhooks import EVENT, post, signature

CREATE = "model/sale.channel/create_order"
URL = "https://lockstep.test/fulfil"
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0"


class Receiver:
    """Stands where the network would be."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.calls: list[tuple[str, bytes, Mapping[str, str], float]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> int | None:
        self.calls.append((url, body, headers, timeout))
        return self.status

    @property
    def events(self) -> list[Any]:
        return [json.loads(body) for _, body, _, _ in self.calls]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def fulfil(clock: HandClock, receiver: Receiver) -> Fulfil:
    return Fulfil(clock, deliver=receiver)


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    session = Session(fulfil.app)
    answer = session.post("model/ir.webhook", [{"event": EVENT, "url": URL, "secret": SECRET}])
    assert answer.status == 201
    return session


def test_a_reservation_is_told_as_an_array(session: Session, receiver: Receiver, clock: HandClock) -> None:
    session.put(CREATE, [1, order("1", ("LS101NVS", 2, "45.00"))])
    clock.pass_time(5)
    ((url, body, headers, timeout),) = receiver.calls
    assert (url, timeout, headers["X-Fulfil-Event"]) == (URL, 5.0, EVENT)
    assert headers["X-Fulfil-Organization"]
    (event,) = json.loads(body)
    assert (event["product_id"], event["product_code"], event["listing_quantities"]) == (1, "LS101NVS", [])
    assert event["timestamp"] == "2026-03-01T12:00:00.000000"
    london = {"warehouse_id": 4, "warehouse_code": "LON", "quantity_on_hand": 5000, "quantity_available": 4998}
    assert event["warehouse_quantities"][0] == london


def test_the_vendors_client_accepts_the_signature(session: Session, receiver: Receiver, clock: HandClock) -> None:
    session.put(CREATE, [1, order("1")])
    clock.pass_time(5)
    ((_, body, headers, _),) = receiver.calls
    assert headers["X-Fulfil-Hmac-SHA256"] == signature(SECRET, body)
    signed = headers["X-Fulfil-Hmac-SHA256"]
    assert verify_webhook(body.decode(), SECRET, signed)
    assert not verify_webhook(body.decode() + " ", SECRET, signed)


def test_deliveries_may_be_unsigned_by_switch(
    fulfil: Fulfil, session: Session, receiver: Receiver, clock: HandClock
) -> None:
    fulfil.switches.sign_webhooks = False
    session.put(CREATE, [1, order("1")])
    clock.pass_time(5)
    assert "X-Fulfil-Hmac-SHA256" not in receiver.calls[0][2]


def test_only_a_changed_level_is_told(fulfil: Fulfil, session: Session, receiver: Receiver, clock: HandClock) -> None:
    session.put(CREATE, [1, order("1")])
    session.put("model/stock.shipment.out/assign", [[1]])
    session.get("model/sale.sale/1")
    clock.pass_time(5)
    assert len(receiver.calls) == 1
    fulfil.ship(1)
    clock.pass_time(5)
    assert receiver.events[1][0]["warehouse_quantities"][0]["quantity_on_hand"] == 4998


def test_one_act_tells_all_its_products_in_one_call(
    session: Session, fulfil: Fulfil, receiver: Receiver, clock: HandClock
) -> None:
    session.put(CREATE, [1, order("1", ("LS101NVS", 2, "45.00"), ("BX501ST1", 1, "129.00"))])
    clock.pass_time(5)
    (events,) = receiver.events
    assert [event["product_code"] for event in events] == ["LS101NVS", "BX501ST1", "LS104NVM", "LS106NVM"]
    fulfil.adjust("LS102NVS", 7, 65)
    clock.pass_time(5)
    assert receiver.events[1][0]["product_code"] == "LS102NVS"


def test_a_refused_call_tells_nothing_new(session: Session, receiver: Receiver, clock: HandClock) -> None:
    session.put(CREATE, [1, order("1", ("LS101NVS", 2, "45.00"))])
    session.put("model/stock.shipment.out/cancel", [[1, 99]])
    clock.pass_time(5)
    assert len(receiver.calls) == 1


def test_what_fails_is_told_again_and_a_success_forgets_the_failures(
    session: Session, receiver: Receiver, clock: HandClock
) -> None:
    receiver.status = 302
    session.put(CREATE, [1, order("1")])
    clock.pass_time(1000)
    assert len(receiver.calls) == 2
    assert session.get("model/ir.webhook/1").words["failures"] == 2
    receiver.status = 204
    clock.pass_time(172_800)
    assert len(receiver.calls) == 3
    assert session.get("model/ir.webhook/1").words["failures"] == 0


def test_after_nineteen_failures_in_a_row_nothing_is_told_any_more(
    fulfil: Fulfil, session: Session, receiver: Receiver, clock: HandClock
) -> None:
    fulfil.switches.webhook_retry_step = 1.0
    receiver.status = None
    session.put(CREATE, [1, order("1")])
    clock.pass_time(500)
    assert len(receiver.calls) == 19
    assert session.get("model/ir.webhook/1").words["active"] is False
    assert session.put("model/ir.webhook/search", [[]]).words == []
    fulfil.ship(1)
    clock.pass_time(500)
    assert len(receiver.calls) == 19
    session.put("model/ir.webhook/1", {"active": True, "failures": 0})
    receiver.status = 200
    fulfil.receive_goods("LS101NVS", 1, 4)
    clock.pass_time(5)
    assert len(receiver.calls) == 20


@pytest.mark.parametrize(
    ("fault", "calls"),
    [("webhook-lost", 1), ("webhook-doubled", 3), ("webhook-forged", 3), ("webhook-late", 2), ("webhook-reordered", 2)],
)
def test_a_fault_changes_the_delivery(
    fulfil: Fulfil, session: Session, receiver: Receiver, clock: HandClock, fault: str, calls: int
) -> None:
    fulfil.faults.plan(fault, seconds=60)
    session.put(CREATE, [1, order("1", ("LS101NVS", 1, "45.00"))])
    clock.pass_time(2)
    session.put(CREATE, [1, order("2", ("LS101NVS", 1, "45.00"))])
    clock.pass_time(120)
    assert len(receiver.calls) == calls
    told = [events[0]["warehouse_quantities"][0]["quantity_available"] for events in receiver.events]
    good = [signature(SECRET, body) == headers["X-Fulfil-Hmac-SHA256"] for _, body, headers, _ in receiver.calls]
    expected = {
        "webhook-lost": [4998],
        "webhook-doubled": [4999, 4998, 4999],
        "webhook-forged": [4999, 2499, 4998],
        "webhook-late": [4998, 4999],
        "webhook-reordered": [4998, 4999],
    }
    assert told == expected[fault]
    assert good == [fault != "webhook-forged" or quantity != 2499 for quantity in told]


def test_a_webhook_without_a_secret_gets_one(session: Session) -> None:
    session.post("model/ir.webhook", [{"url": URL}])
    row = session.get("model/ir.webhook/2").words
    assert len(row["secret"]) == 44
    assert (row["active"], row["event"]) == (True, EVENT)


# ------------------------------------------------------------------------------------------------ a real receiver


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize("status", [200, 204, 302, 500])
def test_a_delivery_for_real_answers_what_came(address: str, status: int) -> None:
    assert post(f"{address}/{status}", b"[]", CaseInsensitiveDict({"X-Fulfil-Event": EVENT}), 5) == status


def test_nobody_listening_is_no_answer() -> None:
    assert post("http://127.0.0.1:9/", b"[]", {}, 1) is None
