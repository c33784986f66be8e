"""What left and is not shown in time is somebody's, whoever failed to tell; nothing that left is ever missed."""

from datetime import timedelta

import pytest
import requests
from stage import Stage
from steps.looking import book, case_by_id, run_feed
from steps.parcels import bought, case_of, follow, leave, mails, parcel, shipped, shown, told, with_rule

from integration.sandbox.centra import DEFAULT_TOKEN
from integration.store import deliveries, schedule


class Away:
    """A host that no connection reaches."""

    def __init__(self, host: str) -> None:
        self.host = host

    def __call__(self, request: requests.PreparedRequest) -> None:
        if self.host in str(request.url):
            raise requests.exceptions.ConnectTimeout("nobody is there", request=request)


def test_what_is_not_shown_within_its_promise_is_a_case_with_its_money_and_closes_by_proof(stage: Stage) -> None:
    number = bought(stage)
    made = leave(stage, number)
    run_feed(stage, "dispatches", "fulfil")
    stage.transport.around = Away("brand.centra.test")
    stage.sweep(5, every=300)
    assert "SHIPMENT_LATE" not in {case.type for case in stage.open_cases()}
    stage.sweep(4, every=300)
    case = case_of(stage, made, "SHIPMENT_LATE")
    assert case.money_minor == int(book(stage, number)["grand_total"] * 100)
    assert case.currency == "GBP"
    stage.transport.around = lambda request: None
    stage.sweep(6, every=60)
    told(stage, made)
    assert case_by_id(stage, case.id).resolution.startswith("verified")
    with stage.store.read() as tx:
        assert deliveries.told_late(tx, "fulfil", timedelta(minutes=30)) == 1


def test_the_promise_is_the_mapping_s(stage: Stage) -> None:
    stage.apply(with_rule("shown_within_minutes = 5"))
    bought(stage)
    made = leave(stage, "1", tracking=[])
    follow(stage)
    stage.sweep(3, every=300)
    assert "lacks a tracking number" in case_of(stage, made, "SHIPMENT_LATE").message


def test_what_is_told_in_time_is_no_case_and_counts_as_told(stage: Stage) -> None:
    made = shipped(stage, bought(stage))
    stage.sweep(10, every=600)
    told(stage, made)
    with stage.store.read() as tx:
        assert deliveries.told_late(tx, "fulfil", timedelta(minutes=30)) == 0


def test_a_dispatch_whose_order_stands_still_is_late_and_says_so(stage: Stage) -> None:
    number = bought(stage)
    stage.centra.edit(int(number), quantities={stage.sku(): 3})
    stage.clock.sleep(2)
    stage.hint(number)
    stage.work()
    made = shipped(stage, number)
    assert parcel(stage, made).state == "held"
    stage.sweep(8, every=300)
    assert "its order is not proved" in case_of(stage, made, "SHIPMENT_LATE").message


def test_a_dispatch_that_no_poll_told_of_is_found_by_the_look_back(stage: Stage) -> None:
    number = bought(stage)
    made = leave(stage, number)
    with stage.store.write() as tx:
        schedule.move_cursor(tx, "fulfil", "dispatches", (stage.clock.now() + timedelta(days=1)).isoformat())
    run_feed(stage, "dispatches", "fulfil")
    assert parcel(stage, made) is None
    stage.clock.sleep(5)
    run_feed(stage, "recount_dispatches", "fulfil")
    stage.sweep(3)
    told(stage, made)


def test_what_left_during_eight_hours_without_the_erp_is_told_when_it_is_back(stage: Stage) -> None:
    numbers = [bought(stage) for _ in range(4)]
    stage.sweep()
    stage.transport.around = Away("fulfil.test")
    mades = []
    for number in numbers:
        mades.append(leave(stage, number))
        stage.sweep(24, every=300)
    assert [case.type for case in stage.open_cases()] == ["CONNECTION_DOWN"]
    stage.transport.around = lambda request: None
    stage.sweep(8, every=60)
    told(stage, *mades)
    assert [mails(stage, number) for number in numbers] == [1, 1, 1, 1]


@pytest.mark.scenario("PLT-03")
def test_a_revoked_centra_token_costs_no_attempt_and_everything_is_told_afterwards(stage: Stage) -> None:
    numbers = [bought(stage) for _ in range(3)]
    mades = [leave(stage, number) for number in numbers]
    run_feed(stage, "dispatches", "fulfil")
    stage.centra.revoke(DEFAULT_TOKEN)
    stage.sweep(10, every=120)
    assert [case.type for case in stage.open_cases()] == ["CONNECTION_AUTH"]
    assert {parcel(stage, made).attempts for made in mades} == {0}
    stage.centra.grant(DEFAULT_TOKEN)
    stage.sweep(8, every=30)
    told(stage, *mades)
    assert [mails(stage, number) for number in numbers] == [1, 1, 1]


@pytest.mark.scenario("PLT-18")
def test_a_throttled_erp_delays_a_dispatch_and_a_refused_page_size_is_one_case(stage: Stage) -> None:
    number = bought(stage)
    stage.fulfil.faults.plan("throttled", "search_read", seconds=30)
    made = leave(stage, number)
    follow(stage)
    stage.sweep(10)
    told(stage, made)


def test_doubled_messages_and_doubled_feeds_tell_once(stage: Stage) -> None:
    number = bought(stage)
    made = leave(stage, number)
    for _ in range(3):
        run_feed(stage, "dispatches", "fulfil")
        run_feed(stage, "recount_dispatches", "fulfil")
    stage.sweep()
    stage.queue.extend(list(stage.queue) * 3)
    follow(stage)
    told(stage, made)
    assert (len(shown(stage, number)), mails(stage, number)) == (1, 1)
