"""What left the warehouse is shown in Centra once, equal, and the customer is told once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from stage import Stage
from steps.conftest import OpenStage
from steps.looking import TEXT, book, created, run_feed, without
from steps.parcels import (
    LINKS,
    asked,
    bought,
    case_of,
    dead,
    follow,
    goods,
    leave,
    mails,
    parcel,
    shipped,
    shown,
    stand,
    taken,
    told,
    tried,
    units,
    with_rule,
)

from integration.domain.order import Key
from integration.sandbox.catalogue import UNMAPPED_SERVICE
from integration.store import documents, ledger, proofs
from tasks import step, sweep


def test_what_left_is_shown_captured_completed_and_proved(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number, tracking=["1Z9"])
    told(stage, made)
    (there,) = shown(stage, number)
    assert (there["shipped"], there["carrier"], there["service"]) == (True, "Royal Mail", "Tracked 48")
    assert there["tracking"] == "1Z9"
    assert goods(stage, number) == [{stage.sku(): 2}]
    assert taken(stage, number) == [int(book(stage, number)["grand_total"] * 100)]
    assert mails(stage, number) == 1
    assert book(stage, number)["status"] == "SHIPPED"
    assert tried(stage, made) == [(link, "done") for link in LINKS]
    row = parcel(stage, made)
    assert (row.order_number, row.connection, row.erp_ref) == (number, "fulfil", made.removeprefix("fulfil-"))
    assert (row.market, row.currency, row.total_minor) == ("Europe / United Kingdom", "GBP", taken(stage, number)[0])
    assert stage.open_cases() == []


@pytest.mark.parametrize("label", [(), ("1Z9",)])
def test_a_label_without_a_dispatch_sends_nothing(stage: Stage, label: tuple[str, ...]) -> None:
    number = bought(stage)
    (made,) = stage.fulfil.pack(f"centra-{number}")
    if label:
        stage.fulfil.relabel(made, label)
    ledger.mark(stage.store, [Key("brand", "shipment", f"fulfil-{made}")], "operator", connection="fulfil")
    follow(stage, 10)
    run_feed(stage, "recount_dispatches", "fulfil")
    stage.clock.sleep(3600)
    run_feed(stage, "unacknowledged", "fulfil")
    assert parcel(stage, f"fulfil-{made}").state == "held"
    assert "a label alone" in parcel(stage, f"fulfil-{made}").reason
    assert (shown(stage, number), units(stage, f"fulfil-{made}"), stage.open_cases()) == ([], {}, [])
    stage.fulfil.ship(made, tracking=["1Z9"])
    follow(stage)
    told(stage, f"fulfil-{made}")


@pytest.mark.scenario("SHP-01")
@pytest.mark.parametrize("payment", ["card", "paypal"])
def test_three_lines_in_three_parcels_over_two_days_with_one_line_split_add_up_to_the_order(
    stage: Stage, payment: str
) -> None:
    number = bought(stage, 2, 3, 1, payment=payment)
    first = shipped(stage, number, {0: 2, 1: 1}, tracking=["A1"])
    told(stage, first)
    assert book(stage, number)["status"] == "PROCESSING"
    whole = int(book(stage, number)["grand_total"] * 100)
    assert 0 < taken(stage, number)[0] < whole
    stage.clock.sleep(20 * 3600)
    second = shipped(stage, number, {1: 2}, tracking=["A2"])
    assert book(stage, number)["status"] == "PROCESSING"
    stage.clock.sleep(20 * 3600)
    third = shipped(stage, number, {2: 1}, tracking=["A3"])
    follow(stage)
    told(stage, first, second, third)
    skus = [stage.sku(n) for n in range(3)]
    assert goods(stage, number) == [{skus[0]: 2, skus[1]: 1}, {skus[1]: 2}, {skus[2]: 1}]
    assert [made["tracking"] for made in shown(stage, number)] == ["A1", "A2", "A3"]
    assert sum(taken(stage, number)) == whole
    assert len(taken(stage, number)) == 3
    assert mails(stage, number) == 3
    assert book(stage, number)["status"] == "SHIPPED"
    assert stage.open_cases() == []


def test_every_parcel_s_tracking_number_is_told(stage: Stage) -> None:
    number = bought(stage, 2, 1)
    made = shipped(stage, number, tracking=["A1", "B2", "C3"])
    told(stage, made)
    assert shown(stage, number)[0]["tracking"] == "A1, B2, C3"


@pytest.mark.scenario("SHP-11")
def test_two_orders_in_one_parcel_have_the_same_tracking_and_each_its_own_lines(stage: Stage) -> None:
    one, other = bought(stage, 1), bought(stage, 0, 3)
    both = [leave(stage, one, tracking=["SAME"]), leave(stage, other, tracking=["SAME"])]
    follow(stage)
    told(stage, *both)
    assert (goods(stage, one), goods(stage, other)) == ([{stage.sku(): 1}], [{stage.sku(1): 3}])
    assert {shown(stage, number)[0]["tracking"] for number in (one, other)} == {"SAME"}


def test_the_pieces_count_from_the_moment_the_dispatch_is_known(stage: Stage) -> None:
    stage.apply(without('"royal-mail-48" = { carrier'))
    number = bought(stage, 2, 3)
    made = shipped(stage, number)
    dead(stage, made, "SHIPMENT_CARRIER_UNMAPPED")
    assert units(stage, made) == {stage.sku(): 2, stage.sku(1): 3}


@pytest.mark.scenario("SHP-03")
def test_an_unmapped_carrier_parks_its_parcels_on_one_card_with_a_suggestion_and_one_fix_releases_all(
    stage: Stage,
) -> None:
    stage.apply(TEXT.replace('"royal-mail-48" = { carrier', '"royal-mail-48h" = { carrier'))
    number, others = bought(stage), [bought(stage) for _ in range(3)]
    well = shipped(stage, number, service="royal-mail-24")
    parked = [leave(stage, other) for other in others]
    follow(stage)
    told(stage, well)
    for made, other in zip(parked, others, strict=True):
        case = dead(stage, made, "SHIPMENT_CARRIER_UNMAPPED")
        assert case.cause == "fulfil.toml:[shipments.services] royal-mail-48"
        assert "did you mean 'royal-mail-48h'" in case.message
        assert case.money_minor == int(book(stage, other)["grand_total"] * 100)
        assert shown(stage, other) == []
    stage.apply(TEXT)
    stage.sweep(3)
    told(stage, *parked)
    assert [mails(stage, other) for other in others] == [1, 1, 1]


@pytest.mark.scenario("SHP-03")
def test_a_service_that_the_warehouse_made_up_is_a_case_and_no_customer_reads_it(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number, service=UNMAPPED_SERVICE)
    assert UNMAPPED_SERVICE in dead(stage, made, "SHIPMENT_CARRIER_UNMAPPED").message
    assert (shown(stage, number), mails(stage, number)) == ([], 0)


@pytest.mark.scenario("SHP-04")
def test_tracking_that_comes_two_hours_late_is_waited_for_and_told(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number, tracking=[])
    assert (parcel(stage, made).state, "lacks a tracking number" in parcel(stage, made).reason) == ("held", True)
    assert shown(stage, number) == []
    stage.clock.sleep(2 * 3600)
    stage.sweep()
    assert parcel(stage, made).state == "held"
    stage.fulfil.relabel(int(made.removeprefix("fulfil-")), ["LATE1"])
    follow(stage)
    told(stage, made)
    assert shown(stage, number)[0]["tracking"] == "LATE1"


@pytest.mark.scenario("SHP-04")
def test_tracking_that_does_not_come_in_time_is_a_case_and_closes_when_it_comes(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number, tracking=[])
    stage.clock.sleep(240 * 60)
    stage.sweep(2)
    case = dead(stage, made, "SHIPMENT_INCOMPLETE")
    assert case.money_minor == int(book(stage, number)["grand_total"] * 100)
    stage.fulfil.relabel(int(made.removeprefix("fulfil-")), ["LATE1"])
    follow(stage)
    told(stage, made)


@pytest.mark.scenario("SHP-10")
@pytest.mark.parametrize("where", ["service", "connection"])
def test_what_is_collected_in_a_shop_is_told_without_a_made_up_tracking_number(stage: Stage, where: str) -> None:
    collect = '"royal-mail-local-collect" = { carrier = "Royal Mail", service = "Local Collect" }'
    assert collect in TEXT
    by_service = TEXT.replace(collect, collect.replace(" }", ', tracking = "optional" }'))
    stage.apply(by_service if where == "service" else with_rule('tracking = "optional"'))
    number = bought(stage)
    made = shipped(stage, number, tracking=[], service="royal-mail-local-collect")
    told(stage, made)
    assert (shown(stage, number)[0]["tracking"], mails(stage, number)) == (None, 1)
    if where == "service":
        strict = bought(stage)
        assert parcel(stage, shipped(stage, strict, tracking=[])).state == "held"


def test_a_dispatch_waits_for_its_order_to_be_proved_and_then_goes_on_at_once(stage: Stage) -> None:
    stage.fulfil.faults.plan("recalculated", operation="create_order")
    number = stage.order()
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "dead"
    made = shipped(stage, number)
    row = parcel(stage, made)
    assert (row.state, "its order is not proved" in row.reason) == ("held", True)
    assert units(stage, made) == {stage.sku(): 2}
    assert shown(stage, number) == []


def test_what_waited_for_its_order_is_woken_by_the_proof(stage: Stage) -> None:
    number = bought(stage)
    stand(stage, number, state="posted", done_at=None, not_before=stage.clock.now() + timedelta(minutes=3))
    made = shipped(stage, number)
    assert parcel(stage, made).state == "held"
    stand(stage, made, not_before=stage.clock.now() + timedelta(hours=1))
    stage.sweep(8)
    assert stage.row(number).state == "proven"
    told(stage, made)


def test_an_order_that_is_only_observed_has_its_dispatches_observed(stage: Stage) -> None:
    number = bought(stage)
    stand(stage, number, state="observed")
    made = shipped(stage, number)
    assert parcel(stage, made).state == "observed"
    assert shown(stage, number) == []


@pytest.mark.scenario("SHP-14")
def test_reading_order_and_dispatch_again_and_again_takes_nothing_back_and_tells_nobody_twice(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number)
    before = shown(stage, number)
    for _ in range(3):
        stage.clock.sleep(60)
        stage.hint(number)
        ledger.mark(stage.store, [Key("brand", "shipment", made)], "operator")
        for link in LINKS:
            stage.world.ring(link, Key("brand", "shipment", made))
        stage.work()
        stage.sweep(2)
    told(stage, made)
    assert shown(stage, number) == before
    assert mails(stage, number) == 1
    assert asked(stage, "createShipment") == asked(stage, "captureShipment") == asked(stage, "completeShipment") == 1
    assert created(stage, number) == 1


@pytest.mark.scenario("SHP-15")
def test_the_erp_s_instant_of_the_dispatch_is_kept_across_the_end_of_a_month(stage: Stage) -> None:
    stage.clock.sleep((datetime(2026, 5, 31, 22, 30, tzinfo=UTC) - stage.clock.now()).total_seconds())
    number = bought(stage)
    left = stage.clock.now()
    made = leave(stage, number)
    stage.clock.sleep(3 * 3600)
    follow(stage)
    told(stage, made)
    row = parcel(stage, made)
    assert timedelta(0) <= row.occurred_at - left < timedelta(seconds=5)
    assert row.done_at.month == 6
    assert abs(shown(stage, number)[0]["shipped_at"] - left) < timedelta(seconds=5)


def test_twenty_dispatches_are_read_and_proved_in_pages(stage: Stage) -> None:
    numbers = [bought(stage) for _ in range(20)]
    mades = [leave(stage, number) for number in numbers]
    run_feed(stage, "dispatches", "fulfil")
    before, erp = stage.centra.requests["orders"], stage.fulfil.requests["search_read"]
    for link in LINKS:
        for made in mades:
            step.run(step.LINKS["shipment", link], Key("brand", "shipment", made), stage.world, task_id="by hand")
    told(stage, *mades)
    assert stage.centra.requests["orders"] - before == 4  # orders and shipments, to decide and to prove
    assert stage.fulfil.requests["search_read"] - erp <= 6
    assert asked(stage, "createShipment") == asked(stage, "captureShipment") == asked(stage, "completeShipment") == 20


@pytest.mark.scenario("PLT-06")
def test_with_every_message_lost_the_sweeper_alone_brings_a_dispatch_to_its_end(stage: Stage) -> None:
    number = bought(stage)
    made = leave(stage, number)
    run_feed(stage, "dispatches", "fulfil")
    for _ in range(30):
        stage.clock.sleep(25)
        sweep.tick(stage.world)
        while stage.queue:
            name, key = stage.queue.popleft()
            if key.kind == "shipment":
                step.run(step.LINKS["shipment", name], key, stage.world, task_id="only this link")
    told(stage, made)
    assert mails(stage, number) == 1


def test_three_workers_at_one_dispatch_make_one_shipment_and_one_e_mail(stage: Stage) -> None:
    number = bought(stage)
    made = leave(stage, number)
    run_feed(stage, "dispatches", "fulfil")
    key, start = Key("brand", "shipment", made), threading.Barrier(3)
    raised: list[BaseException] = []

    def worker(name: str) -> None:
        start.wait()
        try:
            for link in LINKS:
                step.run(step.LINKS["shipment", link], key, stage.world, task_id=f"{name}-{link}")
        except BaseException as error:
            raised.append(error)
            raise

    threads = [threading.Thread(target=worker, args=(f"worker{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert raised == []
    stage.sweep(3)
    told(stage, made)
    assert (len(shown(stage, number)), len(taken(stage, number)), mails(stage, number)) == (1, 1, 1)


def test_no_tracking_number_stands_outside_the_vault(stage: Stage) -> None:
    number = bought(stage)
    made = shipped(stage, number, tracking=["JD0002-SECRET"])
    told(stage, made)
    stage.fulfil.relabel(int(made.removeprefix("fulfil-")), ["JD0003-SECRET"])
    follow(stage)
    case_of(stage, made, "SHIPMENT_REVERSED")
    with stage.store.read() as tx:
        text = " ".join(str(tuple(row)) for row in stage.rows()) + proofs.latest(tx, parcel(stage, made).id).document
        text += " ".join(row.message for row in stage.open_cases())
        assert "SECRET" not in text
        assert b"JD0003-SECRET" in (documents.latest(tx, stage.world.vault, parcel(stage, made).id, "dispatch") or b"")


@pytest.mark.parametrize("policy", ["on shipment", "elsewhere"])
def test_where_something_else_takes_the_money_nothing_is_captured_and_all_else_happens(
    stages: OpenStage, policy: str
) -> None:
    stage = stages()
    stage.apply(with_rule(f'capture = "{policy}"'))
    number = bought(stage)
    made = shipped(stage, number)
    told(stage, made)
    assert shown(stage, number)[0]["paid"]
    assert mails(stage, number) == 1
    assert len(taken(stage, number)) == asked(stage, "captureShipment") == (1 if policy == "on shipment" else 0)
