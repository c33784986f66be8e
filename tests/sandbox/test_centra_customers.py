"""Customers after the goods have left: the same for the same seed, whoever looks when."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from integration.sandbox.centra import Centra
from integration.sandbox.centra_customers import AFTERWARDS, Customers
from integration.sandbox.centra_shipments import Wanted
from integration.sandbox.clock import HandClock
from integration.sandbox.generator import Generator

DAY = 86_400


@pytest.fixture
def clock():
    return HandClock(datetime(2026, 3, 2, 6, tzinfo=UTC))


def shop(clock, orders):
    """A Centra with this many orders, all shipped and captured."""
    centra, generator = Centra(clock), Generator(5)
    for _ in range(orders):
        number = centra.place_order(replace(generator.basket(), payment="paypal"))
        centra.confirm(number)
        ship(centra, number)
    return centra


def ship(centra, number):
    order = centra.orders[number]
    lines = [(line.id, line.unshipped) for line in order.lines]
    shipment, _ = centra.shipments.create(order, Wanted(lines, good_to_go=True, capture=True))
    centra.shipments.complete(shipment, None, send_email=False, changes={})


def test_every_course_happens_and_nothing_is_refunded_twice(clock):
    centra = shop(clock, 150)
    customers = Customers(centra, Random(3), clock)
    while customers.step() or customers.next_at():
        clock.pass_time(DAY)
    assert set(customers.seen.values()) == set(AFTERWARDS)
    refused = [done for done in customers.done if done.refusal]
    assert all("nothing to refund" in done.refusal or "cannot be refunded" in done.refusal for done in refused)
    for order in centra.orders.values():
        assert order.moved("REFUND") <= order.moved("CAPTURE")
    books = centra.books()
    statuses = Counter(made["status"] for book in books for made in book["returns"])
    assert set(statuses) == {"COMPLETED"}, "who changed their mind has no return"
    assert {made["stock"] for book in books for made in book["returns"]} == {"release", "remove"}
    assert any(refund["note"] == "goodwill" for book in books for refund in book["refunds"])
    assert any(made["return_cost"] for book in books for made in book["returns"])


@pytest.mark.parametrize("look", [DAY / 24, 3 * DAY])
def test_the_same_seed_does_the_same_however_often_somebody_looks(clock, look):
    centra = shop(clock, 40)
    customers = Customers(centra, Random(7), clock)
    for _ in range(int(60 * DAY / look)):
        customers.step()
        clock.pass_time(look)
    did = sorted((done.number, done.course, done.verb, done.refusal) for done in customers.done)
    other = HandClock(datetime(2026, 3, 2, 6, tzinfo=UTC))
    twin = Customers(shop(other, 40), Random(7), other)
    for _ in range(60):
        twin.step()
        other.pass_time(DAY)
    assert did == sorted((done.number, done.course, done.verb, done.refusal) for done in twin.done)
    money = [[refund["amount"] for refund in book["refunds"]] for book in centra.books()]
    assert money == [[refund["amount"] for refund in book["refunds"]] for book in twin.centra.books()]


def test_they_run_on_the_clock_as_fast_as_asked_and_stop_when_told(clock):
    centra = shop(clock, 30)
    customers = Customers(centra, Random(7), clock, speed=3600, courses={"returned": 1})
    customers.start()
    clock.pass_time(30 * DAY / 3600)
    assert {done.verb for done in customers.done} == {"return-all", "complete", "refund"}
    customers.stop()
    before = len(customers.done)
    number = centra.place_order(Generator(1).basket())
    centra.confirm(number)
    ship(centra, number)
    clock.pass_time(30 * DAY / 3600)
    assert len(customers.done) == before


def test_nothing_happens_before_goods_have_left(clock):
    centra = Centra(clock)
    centra.confirm(centra.place_order(Generator(1).basket()))
    customers = Customers(centra, Random(1), clock, courses={"returned": 1})
    clock.pass_time(60 * DAY)
    assert customers.step() == []
    assert customers.seen == {}
