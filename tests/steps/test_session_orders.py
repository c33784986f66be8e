"""Orders that OrderWise fetches: on offer, fetched, acknowledged, proved; and everything that may get lost on the way."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from orderwise_shop import SESSION, Shop, session_stage, session_text
from sqlalchemy import select
from stage import ADDRESS, Stage, example
from steps.conftest import OpenStage
from steps.looking import run_feed

from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.store import documents
from integration.store.tables import document, effect


@pytest.fixture
def stage(stages: OpenStage) -> Stage:
    made = session_stage(stages)
    made.apply(at_once(session_text()), "orderwise")
    return made


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return Shop(stage)


def at_once(text: str) -> str:
    """Nothing settles first."""
    schedule = text[text.index("[schedule]") : text.index("[options]")]
    return text.replace(schedule, "")


def placed(stage: Stage, *orders: dict) -> list[str]:
    numbers = [stage.order(**terms) for terms in orders or ({},)]
    stage.hint(*numbers)
    stage.work()
    return numbers


def books(stage: Stage, number: str) -> list[dict]:
    return [order for order in stage.orderwise.books()["orders"] if order["reference"] == f"centra-{number}"]


def cases(stage: Stage) -> list[tuple[str, str]]:
    return [(case.type, case.number) for case in stage.open_cases()]


def test_an_order_is_offered_fetched_acknowledged_and_proved(stage, shop):
    (number,) = placed(stage)
    row = stage.row(number)
    assert (row.state, row.posted_at, books(stage, number)) == ("held", None, [])
    assert row.reason == "on offer to e-commerce session 28; OrderWise has not pulled it yet"
    done = shop.run()
    assert (done.imported, done.failed) == ([f"centra-{number}"], {})
    stage.work()
    row = stage.row(number)
    assert (row.state, row.erp_ref) == ("proven", str(books(stage, number)[0]["id"]))
    assert shop.run().offered == []
    assert cases(stage) == []


def test_only_the_session_of_its_market_is_offered_an_order(stage, shop):
    (number,) = placed(stage)
    assert shop.run(session=29).offered == []
    assert shop.run().offered == [f"centra-{number}"]


@pytest.mark.scenario("ORD-06")
def test_of_a_batch_only_what_is_acknowledged_is_accepted(stage, shop):
    numbers = placed(stage, {}, {}, {})
    stage.orderwise.faults.plan("import-fails", operation="session_import", times=9, number=f"centra-{numbers[1]}")
    shop.run()
    stage.work()
    assert [stage.row(number).state for number in numbers] == ["proven", "ready", "proven"]


def test_a_lost_acknowledgement_is_made_good_by_looking_and_nothing_is_there_twice(stage, shop):
    (number,) = placed(stage)
    stage.orderwise.faults.plan("ack-lost", operation="session")
    shop.run()
    stage.work()
    assert stage.row(number).state == "ready"
    assert shop.run().offered == []  # in doubt: not offered again before its absence is proved
    stage.sweep(10)
    assert stage.row(number).state == "proven"
    assert len(books(stage, number)) == 1
    assert [mail["reference"] for mail in stage.orderwise.books()["emails"]] == []


def test_a_pull_that_died_is_offered_again_once_it_is_proved_that_nothing_came_of_it(stage, shop):
    (number,) = placed(stage)
    stage.orderwise.faults.plan("pull-lost", operation="session")
    shop.run()
    assert shop.run().offered == []
    stage.sweep(10)
    assert shop.run().imported == [f"centra-{number}"]
    stage.work()
    assert stage.row(number).state == "proven"


def test_what_is_never_acknowledged_is_a_case_and_stays_on_offer_until_a_person_closes_it(stage, shop):
    from integration import casework

    (number,) = placed(stage)
    stage.orderwise.faults.plan("import-fails", operation="session_import", times=9)
    for _ in range(4):
        shop.run()
        stage.sweep(20)
    assert cases(stage) == [("ORDER_EXPORT_NOT_ACKED", number)]
    assert shop.run().offered == [f"centra-{number}"]
    (case,) = stage.open_cases()
    assert "not acknowledged" in case.message
    stage.sweep(10)
    casework.resolve(stage.world, case.id, "not needed any more", "sold in the shop", "ann")
    assert shop.run().offered == []


def test_a_late_acceptance_closes_the_case_by_itself(stage, shop):
    (number,) = placed(stage)
    stage.sweep(70)
    assert cases(stage) == [("ORDER_EXPORT_NOT_ACKED", number)]
    assert "never fetched" in stage.open_cases()[0].message
    shop.run()
    stage.work()
    assert (stage.row(number).state, cases(stage)) == ("proven", [])


def test_a_cancel_takes_an_order_that_was_never_fetched_from_the_offer(stage, shop):
    (number,) = placed(stage)
    stage.centra.cancel(int(number))
    stage.hint(number)
    assert shop.run().offered == []  # a hint that was not read yet holds it back
    stage.work()
    assert stage.row(number).state == "cancelled"
    assert shop.run().offered == []
    assert cases(stage) == []


def test_a_cancel_of_a_fetched_order_waits_until_it_is_certain_what_came_of_it(stage, shop):
    (number,) = placed(stage)
    stage.orderwise.faults.plan("pull-lost", operation="session")
    shop.run()
    stage.centra.cancel(int(number))
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "ready"  # in doubt: nobody knows yet what there is to cancel
    assert shop.run().offered == []
    stage.sweep(20)
    assert (stage.row(number).state, stage.row(number).reason) == (
        "cancelled",
        "cancelled in Centra; the ERP never got it",
    )


def test_what_is_fetched_is_what_centra_says_then(stage, shop):
    (number,) = placed(stage)
    stage.centra.edit(int(number), shippingAddress=ADDRESS | {"city": "Leeds"})
    stage.hint(number)
    stage.work()
    shop.run()
    stage.work()
    sent = ET.fromstring(next(body for _, headers, body in shop.answers if b"SalesOrder>" in body))
    assert sent.findtext("SalesOrders/SalesOrder/Customer/DeliveryAddress/Town") == "Leeds"
    assert stage.row(number).state == "proven"


def test_one_order_that_cannot_be_composed_is_left_out_and_has_its_own_case(stage, shop):
    good, bad = placed(stage, {}, {})
    with stage.store.write() as tx:
        documents.erase(tx, stage.row(bad).id)
    assert shop.run().imported == [f"centra-{good}"]
    stage.work()
    assert cases(stage) == [("ORDER_VANISHED", bad)]
    assert stage.row(good).state == "proven"


def test_what_is_on_offer_is_fetched_in_the_names_it_was_offered_with(stage, shop):
    (number,) = placed(stage)
    stage.apply(at_once(session_text()).replace('"1" = "Royal Mail Tracked 48"', '"3" = "Unknown"'), "orderwise")
    assert shop.run().imported == [f"centra-{number}"]
    stage.work()
    assert (stage.row(number).state, cases(stage)) == ("proven", [])


def test_a_batch_is_bounded_and_those_that_were_never_fetched_come_first(stage, shop):
    stage.apply(at_once(session_text()).replace("orders_per_pull = 50", "orders_per_pull = 2"), "orderwise")
    numbers = placed(stage, {}, {}, {})
    stage.orderwise.faults.plan("import-fails", operation="session_import", times=2)
    assert shop.run().offered == [f"centra-{number}" for number in numbers[:2]]
    stage.sweep(10)
    assert shop.run().offered == [f"centra-{numbers[2]}", f"centra-{numbers[0]}"]


def test_an_order_that_somebody_works_on_is_left_for_the_next_run(stage, shop):
    from integration.store import ledger

    (number,) = placed(stage)
    stage.clock.sleep(3600)
    (job,) = ledger.claim(
        stage.store, "take", stage_key(number), owner="other", task_id="t", lease=timedelta(seconds=60)
    )
    assert shop.run().offered == []
    stage.clock.sleep(61)
    assert shop.run().offered == [f"centra-{number}"]
    assert ledger.settle(stage.store, "take", [ledger.Outcome(job, "done", "", {"state": "cancelled"})]) == [job]


def stage_key(number: str):
    from integration.domain.order import Key

    return Key("brand", "order", number)


def test_an_acknowledgement_of_what_is_not_there_is_missing_and_not_offered_again_by_itself(stage, shop):
    (number,) = placed(stage)
    stage.orderwise.faults.plan("pull-lost", operation="session")
    shop.run()
    acknowledge(shop, f"centra-{number}")
    stage.sweep(15)
    assert cases(stage) == [("ORDER_MISSING_IN_ERP", number)]
    assert shop.run().offered == []


@pytest.mark.parametrize("told", ["centra-99999", "shop-1", "~~", "", "centra-1~centra-2"])
def test_acknowledging_what_was_never_offered_changes_nothing(stage, shop, told):
    (number,) = placed(stage)
    assert acknowledge(shop, told) == 200
    stage.work()
    assert stage.row(number).state == "held"
    assert shop.run().offered == [f"centra-{number}"]


def test_a_doubled_acknowledgement_is_one(stage, shop):
    (number,) = placed(stage)
    shop.run()
    for _ in range(2):
        assert acknowledge(shop, f"centra-{number}~centra-{number}") == 200
        stage.work()
    assert (stage.row(number).state, len(books(stage, number))) == ("proven", 1)


def test_nothing_personal_is_kept_of_what_was_fetched(stage, shop):
    placed(stage, {"lines": [BasketLine("LS106NVM", 7)], "vouchers": [VoucherUse("STAFF333")]})
    shop.run()
    with stage.store.read() as tx:
        sent = tx.execute(select(effect)).one()
        kinds = {row.kind for row in tx.execute(select(document))}
    assert (sent.state, sent.tries, kinds) == ("unknown", 2, {"order"})
    assert "Ann" not in repr(sent)


def test_what_left_is_shown_in_centra_though_an_import_numbers_lines_itself(stage, shop):
    (number,) = placed(stage, {"lines": [BasketLine("LS101NVS", 2), BasketLine("LS106NVM", 1)]})
    shop.run()
    stage.work()
    stage.orderwise.ship(f"centra-{number}", {"LS106NVM": 1}, ["A1"])
    shop.run()
    assert ("dispatches", "feed") in [(link, key.kind) for link, key in stage.queue]
    stage.work()
    stage.sweep(2)
    assert [row.state for row in stage.rows("shipment")] == ["proven"]


def test_an_import_has_numbered_the_lines_of_an_order_though_orders_are_posted_by_now(stage, shop):
    (number,) = placed(stage, {"lines": [BasketLine("LS101NVS", 2), BasketLine("LS106NVM", 1)]})
    shop.run()
    stage.work()
    stage.apply(at_once(example("orderwise", stock=False)), "orderwise")
    stage.orderwise.ship(f"centra-{number}", {"LS106NVM": 1}, ["A1"])
    run_feed(stage, "dispatches", "orderwise")
    stage.work()
    stage.sweep(2)
    assert ([row.state for row in stage.rows("shipment")], cases(stage)) == (["proven"], [])


def acknowledge(shop: Shop, told: str) -> int:
    from base64 import b64encode

    from orderwise_shop import LOGIN

    headers = {"Authorization": "Basic " + b64encode(LOGIN.encode()).decode()}
    body = f"ExportData={told}".encode()
    return shop.call("POST", f"/orderwise/orderwise/{SESSION}/success", body, headers)[0]
