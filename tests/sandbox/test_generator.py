from collections import Counter
from datetime import UTC, datetime

import pytest

from integration.sandbox.catalogue import UNKNOWN_SKUS, UNMAPPED_MARKET
from integration.sandbox.centra import Centra
from integration.sandbox.clock import HandClock
from integration.sandbox.generator import COURSES, Generator, Mishaps, play


@pytest.fixture
def clock():
    return HandClock(datetime(2026, 3, 2, 6, tzinfo=UTC))


def test_the_same_seed_makes_the_same_day():
    assert Generator(7).day(50) == Generator(7).day(50)
    assert Generator(7).day(50) != Generator(8).day(50)


def test_a_day_has_every_currency_several_tax_rates_vouchers_and_courses(clock):
    centra = Centra(clock)
    day = Generator(1).day(400)
    played = play(centra, day, clock)
    clock.pass_time(3 * 86_400)
    books = centra.books()
    assert played.done
    assert not played.refused
    assert {book["currency"] for book in books} == {"GBP", "EUR", "SEK", "USD", "JPY", "KWD"}
    assert any(len({line["percent"] for line in book["lines"]}) > 1 for book in books)
    assert {line["quantity"] for book in books for line in book["lines"]} >= {1, 2, 12, 37}
    kinds = {use["type"] for book in books for use in book["vouchers"]}
    assert kinds == {"PERCENTAGE", "FIXED_AMOUNT", "FREE_SHIPPING", "GIFT_CARD"}
    assert any(len(book["vouchers"]) > 1 for book in books)
    assert any(book["grand_total"] == 0 for book in books)
    assert {timeline.course for timeline in day} == set(COURSES)
    assert {book["status"] for book in books} == {"PENDING", "CONFIRMED", "CANCELLED"}


def test_every_generated_order_adds_up(clock):
    centra = Centra(clock)
    play(centra, Generator(2).day(200), clock)
    clock.pass_time(3 * 86_400)
    for book in centra.books():
        tax_added = 0 if book["tax_inclusive"] else book["tax"]
        parts = book["line_values"] + book["shipping"] + book["handling"] + book["discounts"] + tax_added
        assert book["grand_total"] == parts


def test_mishaps_are_as_many_as_asked_for_and_no_others(clock):
    centra = Centra(clock)
    day = Generator(3).day(60, mishaps=Mishaps(unmapped=2, unknown=3, wrong=4))
    play(centra, day, clock)
    clock.pass_time(3 * 86_400)
    books = centra.books()
    assert Counter(book["market_id"] == UNMAPPED_MARKET for book in books)[True] == 2
    assert sum(any(line["sku"] in UNKNOWN_SKUS for line in book["lines"]) for book in books) == 3
    assert sum(not book["adds_up"] for book in books) == 4


def test_a_day_can_be_played_faster_than_it_was_written(clock):
    centra = Centra(clock)
    played = play(centra, Generator(4).day(20, seconds=3600), clock, speed=60)
    clock.pass_time(3 * 60 * 60)
    assert played.done
    assert len(centra.orders) == 20


def test_a_held_order_is_confirmed_held_and_released(clock):
    centra = Centra(clock)
    play(centra, [Generator(5).timeline(course="held")], clock)
    clock.pass_time(60)
    assert centra.books()[0]["on_hold"]
    clock.pass_time(8000)
    assert not centra.books()[0]["on_hold"]


def test_an_order_that_waits_for_payment_is_authorised_when_it_comes(clock):
    centra = Centra(clock)
    play(centra, [Generator(5).timeline(course="paid-later")], clock)
    clock.pass_time(60)
    assert centra.books()[0]["waiting_for_payment"]
    assert centra.books()[0]["payments"] == []
    clock.pass_time(8000)
    assert not centra.books()[0]["waiting_for_payment"]


def test_what_the_shop_refuses_is_noted_and_the_day_goes_on(clock):
    centra = Centra(clock)
    timelines = [Generator(6).timeline(course="cancelled"), Generator(7).timeline(start=9000, course="plain")]
    played = play(centra, timelines, clock)
    clock.pass_time(3)
    centra.edit(1, comment="x")
    centra.cancel(1)
    clock.pass_time(20_000)
    assert len(played.refused) >= 1
    assert centra.books()[1]["status"] == "CONFIRMED"
