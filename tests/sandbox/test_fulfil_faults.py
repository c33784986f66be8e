"""Faults, time, throttling, the control doors and the books of Fulfil's sandbox."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from integration.sandbox.faults import WIRE_FAULTS, Drop, Hang
from integration.sandbox.fulfil import Fulfil
from integration.sandbox.fulfil_example import Session, order

CREATE = "model/sale.channel/create_order"


class StillClock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self._acts: list[tuple[datetime, Callable[[], None]]] = []

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        due = [act for at, act in self._acts if at <= self._now]
        self._acts = [(at, act) for at, act in self._acts if at > self._now]
        for act in due:
            act()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self._acts.append((self._now + timedelta(seconds=seconds), act))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def fulfil(clock: StillClock) -> Fulfil:
    return Fulfil(clock)


@pytest.fixture
def session(fulfil: Fulfil) -> Session:
    return Session(fulfil.app)


def sales(fulfil: Fulfil) -> int:
    return len(fulfil.books()["sales"])


# -------------------------------------------------------------------------------------------- faults of the wire


@pytest.mark.parametrize(
    ("fault", "status", "effects"),
    [
        ("error-before", 500, 0),
        ("error-after", 500, 1),
        ("unavailable", 503, 0),
        ("throttled", 429, 0),
        ("throttled-date", 429, 0),
        ("throttled-timestamp", 429, 0),
        ("throttled-silent", 429, 0),
        ("html", 200, 0),
        ("not-json", 200, 0),
        ("redirect", 302, 0),
        ("unauthorised", 401, 0),
        ("forbidden", 403, 0),
        ("slow", 200, 1),
        ("user-error", 400, 0),
        ("page-size", 429, 0),
    ],
)
def test_a_fault_answers_and_does_what_it_says(
    fulfil: Fulfil, session: Session, fault: str, status: int, effects: int
) -> None:
    fulfil.faults.plan(fault, "create_order")
    assert session.put(CREATE, [1, order("1")]).status == status
    assert sales(fulfil) == effects
    assert fulfil.faults.fired[fault] == 1
    assert session.put(CREATE, [1, order("1")]).status == 200
    assert sales(fulfil) == 1


@pytest.mark.parametrize(
    ("fault", "raised", "effects"),
    [("timeout-before", Hang, 0), ("timeout-after", Hang, 1), ("drop-after", Drop, 1), ("late", Hang, 0)],
)
def test_a_fault_without_an_answer_is_raised(
    fulfil: Fulfil, session: Session, fault: str, raised: type[Exception], effects: int
) -> None:
    with pytest.raises(raised):
        session.put(CREATE, [1, order("1")], HTTP_X_SANDBOX_FAULT=fault)
    assert sales(fulfil) == effects


def test_every_wire_fault_is_known_here(fulfil: Fulfil) -> None:
    assert fulfil.faults.known.keys() >= WIRE_FAULTS.keys()


def test_a_late_effect_comes_after_the_hang(fulfil: Fulfil, session: Session, clock: StillClock) -> None:
    fulfil.faults.plan("late", "create_order", seconds=30)
    with pytest.raises(Hang):
        session.put(CREATE, [1, order("1")])
    clock.sleep(29)
    assert sales(fulfil) == 0
    clock.sleep(1)
    assert sales(fulfil) == 1


def test_a_retry_before_a_late_effect_still_makes_one_sale(fulfil: Fulfil, session: Session, clock: StillClock) -> None:
    with pytest.raises(Hang):
        session.put(CREATE, [1, order("1")], HTTP_X_SANDBOX_FAULT="late")
    session.put(CREATE, [1, order("1")])
    clock.sleep(60)
    assert sales(fulfil) == 1


def test_a_dropped_answer_carries_the_body_it_promised(session: Session) -> None:
    with pytest.raises(Drop) as dropped:
        session.put(CREATE, [1, order("1")], HTTP_X_SANDBOX_FAULT="drop-after")
    assert b'"sale.sale"' in dropped.value.body


def test_a_server_error_is_html_with_a_sentry_id(session: Session) -> None:
    answer = session.put(CREATE, [1, order("1")], HTTP_X_SANDBOX_FAULT="error-after")
    assert answer.body.startswith(b"<!doctype html>")
    assert len(answer.headers["X-Sentry-ID"]) == 32


def test_retry_after_comes_in_every_form(session: Session, clock: StillClock) -> None:
    def retry_after(fault: str) -> str | None:
        return session.get("test", HTTP_X_SANDBOX_FAULT=fault).headers.get("Retry-After")

    until = clock.now() + timedelta(seconds=2)
    assert retry_after("throttled") == retry_after("unavailable") == "2"
    assert parsedate_to_datetime(retry_after("throttled-date") or "") == until
    assert retry_after("throttled-timestamp") == str(int(until.timestamp()))
    assert retry_after("throttled-silent") is None


def test_a_slow_answer_takes_its_seconds(fulfil: Fulfil, session: Session, clock: StillClock) -> None:
    begun = clock.now()
    fulfil.faults.plan("slow", seconds=20)
    session.get("test")
    assert clock.now() - begun == timedelta(seconds=20)


@pytest.mark.parametrize(
    ("operation", "path", "body"),
    [
        ("create_order", CREATE, [1, order("A")]),
        ("search_read", "model/sale.sale/search_read", [[["channel", "=", 1], ["channel_identifier", "=", "A"]]]),
        ("list", 'model/sale.sale?filter=[["channel_identifier","=","A"]]', None),
        ("read", "model/sale.sale/read", [[1], ["state"]]),
        ("cancel", "model/sale.sale/cancel", [[1]]),
        ("cancel", "model/stock.shipment.out/1/cancel", None),
        ("write", "model/sale.sale/1", {"comment": "x"}),
        ("create", "model/sale.sale/create", [[{"channel": 2, "channel_identifier": "A"}]]),
    ],
)
def test_a_fault_can_wait_for_one_document(
    fulfil: Fulfil, session: Session, operation: str, path: str, body: object
) -> None:
    session.put(CREATE, [1, order("A")])
    call = session.get if operation == "list" else lambda path: session.put(path, body)
    fulfil.faults.plan("forbidden", operation, number="another")
    assert call(path).status != 403
    fulfil.faults.plan("forbidden", operation, number="A")
    assert call(path).status == 403


# ---------------------------------------------------------------------------------------- faults of the meaning


def test_a_channel_exception_leaves_an_accepted_order_in_draft(fulfil: Fulfil, session: Session) -> None:
    fulfil.faults.plan("channel-exception", number="2")
    for number in ("1", "2"):
        assert session.put(CREATE, [1, order(number)]).status == 200
    one, two = fulfil.books()["sales"]
    assert (one["state"], two["state"]) == ("processing", "draft")
    assert (one["has_channel_exception"], two["has_channel_exception"]) == (False, True)


@pytest.mark.parametrize("seed", range(6))
def test_a_recalculated_order_differs_by_little_and_still_adds_up(clock: StillClock, seed: int) -> None:
    fulfil = Fulfil(clock, seed=seed)
    Session(fulfil.app).put(CREATE, [1, order("1")], HTTP_X_SANDBOX_FAULT="recalculated")
    (sale,) = fulfil.books()["sales"]
    assert sale["state"] == "processing"
    assert sale["total"] in ("112.81", "112.82")


def test_a_lost_race_answers_the_unique_constraint_and_the_order_is_there(fulfil: Fulfil, session: Session) -> None:
    fulfil.faults.plan("duplicate-race")
    answer = session.put(CREATE, [1, order("1")])
    assert answer.status == 400
    assert answer.words["message"] == "Channel identifier for a channel should be unique"
    assert session.put("model/sale.sale/search", [[["channel_identifier", "=", "1"]]]).value == [1]


def test_a_created_sale_is_invisible_while_the_search_lags(fulfil: Fulfil, session: Session, clock: StillClock) -> None:
    fulfil.faults.plan("search-lag", seconds=20)
    session.put(CREATE, [1, order("1")])
    search = ("model/sale.sale/search", [[["channel_identifier", "=", "1"]]])
    assert session.put(*search).value == []
    assert session.put("model/sale.line/search", [[["sale", "=", 1]]]).value == []
    assert session.put(CREATE, [1, order("1")]).words["id"] == 1
    clock.sleep(20)
    assert session.put(*search).value == [1]
    assert sales(fulfil) == 1


def test_a_fault_of_orders_is_not_used_up_by_another_call(fulfil: Fulfil, session: Session) -> None:
    fulfil.faults.plan("recalculated")
    session.get("test")
    assert fulfil.faults.fired["recalculated"] == 0
    session.put(CREATE, [1, order("1")])
    assert fulfil.faults.fired["recalculated"] == 1


# --------------------------------------------------------------------------------------------------------- time


def test_an_order_is_processed_some_seconds_later_by_switch(
    fulfil: Fulfil, session: Session, clock: StillClock
) -> None:
    fulfil.switches.change({"process": "after-seconds", "process_seconds": 8})
    session.put(CREATE, [1, order("1")])
    assert fulfil.books()["sales"][0]["state"] == "draft"
    clock.sleep(8)
    assert fulfil.books()["sales"][0]["state"] == "processing"
    assert session.get("model/sale.sale/1").value["write_date"] is not None


def test_an_order_cancelled_before_its_time_is_not_processed(
    fulfil: Fulfil, session: Session, clock: StillClock
) -> None:
    fulfil.switches.process = "after-seconds"
    session.put(CREATE, [1, order("1")])
    session.put("model/sale.sale/1/cancel")
    clock.sleep(60)
    assert fulfil.books()["sales"][0]["state"] == "cancel"


def test_requests_over_the_limit_are_throttled_until_the_next_second(
    fulfil: Fulfil, session: Session, clock: StillClock
) -> None:
    fulfil.switches.rate_limit = 2
    answers = [session.get("test") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["X-RateLimit-Limit"] == "2"
    assert answers[0].headers["X-RateLimit-Reset"] == str(int(clock.now().timestamp()) + 1)
    assert answers[2].headers["Retry-After"] == "1"
    assert answers[2].words["description"] == "This user has exceeded an allotted request count. Try again later."
    fulfil.grant("second token of the same user")
    assert Session(fulfil.app, "second token of the same user").get("test").status == 429
    clock.sleep(1)
    assert session.get("test").status == 200


def test_a_throttled_answer_may_lack_retry_after_by_switch(fulfil: Fulfil, session: Session) -> None:
    fulfil.switches.change({"rate_limit": 1, "retry_after": False})
    session.get("test")
    assert "Retry-After" not in session.get("test").headers


# -------------------------------------------------------------------------------------- control doors and books


def test_faults_are_planned_listed_and_cleared_over_http(session: Session) -> None:
    words = {"fault": "user-error", "operation": "create_order", "times": 2}
    assert session.post("/_sandbox/faults", words).words["planned"][0]["times"] == 2
    assert session.put(CREATE, [1, order("1")]).status == 400
    assert session.delete("/_sandbox/faults").status == 200
    listed = session.get("/_sandbox/faults").words
    assert (listed["planned"], listed["fired"]) == ([], {"user-error": 1})
    assert "search-lag" in listed["known"]


def test_switches_products_shipments_channels_and_tokens_are_controlled_over_http(session: Session) -> None:
    assert session.post("/_sandbox/switches", {"response": "id"}).status == 200
    assert session.get("/_sandbox/switches").words["response"] == "id"
    assert session.post("/_sandbox/products", {"sku": "ZZ901NVS", "name": "Cap"}).words["id"] == 112
    assert session.put(CREATE, [1, order("1", ("ZZ901NVS", 1, "5.00"))]).words == 1
    session.post("/_sandbox/shipments/1/pack")
    assert session.get("model/stock.shipment.out/1").value["state"] == "packed"
    session.post("/_sandbox/shipments/1/ship", {"tracking": ["T1"]})
    assert session.get("model/sale.sale/1").value["state"] == "done"
    session.post("/_sandbox/channels/1/forbid")
    assert session.put(CREATE, [1, order("2")]).status == 403
    session.post("/_sandbox/channels/1/allow")
    assert session.put(CREATE, [1, order("2")]).status == 200
    session.post("/_sandbox/revoke")
    assert session.get("test").status == 401
    session.post("/_sandbox/grant", {"token": "sandbox-token"})
    assert session.get("test").status == 200


@pytest.mark.parametrize(
    ("path", "words", "status"),
    [
        ("/_sandbox/nothing", {}, 404),
        ("/_sandbox/shipments/1/eat", {}, 404),
        ("/_sandbox/shipments/1/pack", {}, 404),
        ("/_sandbox/faults", {"fault": "no-such-fault"}, 400),
        ("/_sandbox/faults", {"operation": "x"}, 400),
        ("/_sandbox/switches", {"no_switch": 1}, 400),
        ("/_sandbox/products", {}, 400),
    ],
)
def test_a_door_that_is_asked_for_nonsense_says_so(
    session: Session, path: str, words: dict[str, object], status: int
) -> None:
    assert session.post(path, words).status == status


def test_the_books_count_effects_and_requests(fulfil: Fulfil, session: Session, clock: StillClock) -> None:
    session.put(CREATE, [1, order("1")])
    clock.sleep(5)
    session.put(CREATE, [1, order("1")])
    session.put("model/sale.sale/create", [[{"channel": 1, "channel_identifier": "2"}]])
    books = session.get("/_sandbox/books").words
    made = [(e["at"], e["channel"], e["channel_identifier"]) for e in books["effects"] if e["model"] == "sale.sale"]
    assert made == [("2026-03-01T12:00:00", 1, "1"), ("2026-03-01T12:00:05", 1, "2")]
    assert books["requests"] == {"create_order": 2, "create": 1}
    assert books["sales"][0]["lines"][0] == ["LS101NVS", 2.0, "45.00", "90.00", "18.00"]
    assert books["sales"][1]["total"] is None


def test_the_books_are_the_same_over_http_and_in_the_process(fulfil: Fulfil, session: Session) -> None:
    session.put(CREATE, [1, order("1")])
    assert session.get("/_sandbox/books").words["sales"][0]["total"] == fulfil.books()["sales"][0]["total"] == "112.80"
