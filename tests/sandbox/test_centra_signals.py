"""How Centra tells of changes: the event queue and the webhook plugin."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from integration.sandbox.call import graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_webhooks import WEBHOOK_FAULTS, signature
from integration.sandbox.clock import HandClock
from integration.sandbox.generator import Generator

EVENTS = "{ events(limit: 50) { id changeType objectReference object { ... on Order { orderId: id number status } } } }"


class Receiver:
    """Keeps every call; answers the statuses it was given, then 200."""

    def __init__(self, *statuses):
        self.statuses, self.calls = list(statuses), []

    def __call__(self, url, body, headers, timeout):
        self.calls.append((url, body, headers, timeout))
        return self.statuses.pop(0) if self.statuses else 200

    def told(self):
        return [
            event
            for _, body, _, _ in self.calls
            for event in json.loads(parse_qs(body.decode())["payload"][0])["events"]
        ]


@pytest.fixture
def clock():
    return HandClock(datetime(2026, 3, 2, 6, tzinfo=UTC))


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def centra(clock, receiver):
    made = Centra(clock, deliver=receiver)
    for store in (1, 2, 3):
        made.register_webhook(f"http://shop.example/{store}", "test123", store)
    return made


def place(centra, market_id=1):
    return centra.place_order(Generator(1).basket(market_id))


def run(centra, text, variables=None, **more):
    words = graphql(centra.app, text, variables, **more).json()
    assert "errors" not in words, words["errors"]
    return next(iter(words["data"].values()))


def listen(centra, **more):
    text = "mutation { setEventListeners(input: [{objectType: Order}]) { eventListeners { changeTypes } userErrors { message } } }"
    return run(centra, text, **more)


def confirm(centra, ids, **more):
    text = "mutation($i: [Int!]!) { confirmEvents(input: {eventsIds: $i}) { userErrors { message } userWarnings { message } } }"
    return run(centra, text, {"i": ids}, **more)


def test_events_come_oldest_first_until_confirmed(centra):
    listen(centra)
    number = place(centra)
    centra.confirm(number)
    first, second = run(centra, EVENTS)
    assert (first["changeType"], second["changeType"]) == ("CREATED", "UPDATED")
    assert first["object"]["status"] == "CONFIRMED", "the object is as it is now, not as it was"
    confirm(centra, [first["id"]])
    assert [event["id"] for event in run(centra, EVENTS)] == [second["id"]]


def test_confirming_twice_is_ignored_or_a_warning_by_switch(centra):
    assert confirm(centra, [77])["userWarnings"] == []
    centra.switches.confirm_events_again = "warning"
    assert confirm(centra, [77])["userWarnings"]


def test_queues_belong_to_the_integration_name(centra):
    centra.grant("other", integration="warehouse")
    listen(centra)
    place(centra)
    assert len(run(centra, EVENTS)) == 1
    assert run(centra, EVENTS, token="other") == []


def test_taking_a_listener_away_empties_its_queue(centra):
    listen(centra)
    place(centra)
    run(centra, "mutation { unsetEventListeners(input: [{objectType: Order}]) { userErrors { message } } }")
    assert run(centra, EVENTS) == []


def test_without_the_switch_no_event_is_made(centra):
    centra.switches.events_enabled = False
    listen(centra)
    place(centra)
    assert run(centra, EVENTS) == []


def test_events_can_be_doubled(centra):
    listen(centra)
    centra.faults.plan("events-doubled")
    place(centra)
    assert len(run(centra, EVENTS)) == 2


def test_the_signature_equals_the_vendors_test_vector():
    expected = "t=12345678,v1=0b9cd84f5d583e5e1aadfb9f160aa8080b51d5b85ff85808d6b75bdac356c549"
    assert signature("test123", 12345678, b"payload=%7B%22x%22%3A%22test%22%7D") == expected


def test_a_change_is_told_to_its_own_store_signed_and_form_encoded(centra, clock, receiver):
    number = place(centra)
    clock.pass_time(1)
    url, body, headers, timeout = receiver.calls[0]
    assert (url, timeout) == ("http://shop.example/1", 5.0)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    stamp = int(headers["X-Centra-Signature"].split(",")[0].removeprefix("t="))
    assert headers["X-Centra-Signature"] == signature("test123", stamp, body)
    assert receiver.told() == [
        {"type": "order", "action": "insert", "date": "2026-03-02 07:00:00.000000", "id": number}
    ]


def test_changes_are_gathered_and_at_most_max_events_go_in_one_call(clock):
    receiver = Receiver()
    centra = Centra(clock, deliver=receiver)
    centra.register_webhook("http://shop.example", "s", 1, max_events=2)
    for _ in range(5):
        place(centra)
    clock.pass_time(5)
    assert [len(json.loads(parse_qs(body.decode())["payload"][0])["events"]) for _, body, _, _ in receiver.calls] == [
        2,
        2,
        1,
    ]


def test_a_failed_call_is_tried_again_as_often_as_set_and_then_dropped(clock):
    receiver = Receiver(500, None, 503, 200)
    centra = Centra(clock, deliver=receiver)
    centra.register_webhook("http://shop.example", "s", 1, retries=2)
    place(centra)
    clock.pass_time(100)
    assert [event["id"] for event in receiver.told()] == [1, 1, 1]
    place(centra)
    clock.pass_time(100)
    assert [event["id"] for event in receiver.told()] == [1, 1, 1, 2]


def test_without_retries_a_failed_call_is_lost(clock):
    receiver = Receiver(500)
    centra = Centra(clock, deliver=receiver)
    centra.register_webhook("http://shop.example", "s", 1)
    place(centra)
    clock.pass_time(100)
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("webhook-lost", [2]),
        ("webhook-doubled", [1, 2, 1]),
        ("webhook-late", [2, 1]),
        ("webhook-reordered", [2, 1]),
        ("webhook-forged", [900_001, 1, 2]),
    ],
)
def test_a_webhook_can_be_lost_doubled_late_forged_or_out_of_order(centra, clock, receiver, fault, told):
    assert fault in WEBHOOK_FAULTS
    centra.faults.plan(fault, "webhook")
    place(centra)
    place(centra)
    clock.pass_time(10)
    assert [event["id"] for event in receiver.told()] == told


def test_a_forged_call_has_a_wrong_signature(centra, clock, receiver):
    centra.faults.plan("webhook-forged", "webhook")
    place(centra)
    clock.pass_time(10)
    right = []
    for _, body, headers, _ in receiver.calls:
        stamp = int(headers["X-Centra-Signature"].split(",")[0].removeprefix("t="))
        right.append(headers["X-Centra-Signature"] == signature("test123", stamp, body))
    assert sorted(right) == [False, True]
