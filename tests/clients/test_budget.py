"""The gate: quotas, lanes, breaker, and the one case of an outage. Centra's own limits are the judge of the first."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsgi_transport import WsgiTransport

from integration.budget import KEPT_FOR_HIGHER_LANES, LANES, OUTAGE_TYPES, Gate, Quota, Terms, growth_plan
from integration.centra.client import CentraClient
from integration.errors import Unavailable
from integration.http import Http, new_session
from integration.sandbox.centra import Centra
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.store import Store, exceptions, schedule

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
TEN = Quota("requests", 10, timedelta(seconds=10))


def may(gate, lane="orders", **costs):
    """Whether the gate lets a call through; the wait it names otherwise."""
    try:
        gate.enter(lane, costs or {"requests": 1})
    except Unavailable as refusal:
        found = refusal
    else:
        return None
    assert found.retry_after > timedelta(0)
    return found


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 4), st.integers(1, 4), st.sampled_from(LANES)), max_size=60), st.floats(0, 9.9))
def test_no_window_ever_sees_more_than_the_quota(arrivals, offset):
    clock = HandClock(START + timedelta(seconds=offset))
    store = Store("sqlite://", clock)
    store.create()
    gate, passed = Gate(store, "remote", (TEN,)), []
    for pause, units, lane in arrivals:
        clock.sleep(pause)
        if may(gate, lane, requests=units) is None:
            passed.append((clock.now(), units))
    store.close()
    for begin, _ in passed:
        inside = sum(n for at, n in passed if begin <= at < begin + TEN.window)
        assert inside <= TEN.units


@settings(max_examples=3)
@given(st.lists(st.tuples(st.floats(0, 1.5), st.booleans()), min_size=150, max_size=150))
def test_a_client_that_keeps_to_its_budget_never_sees_a_429_of_centras_growth_plan(calls):
    clock = HandClock(START)
    centra = Centra(clock, CentraSwitches(limits="growth"))
    store = Store("sqlite://", clock)
    store.create()
    gate = Gate(store, "brand", growth_plan())
    transport = WsgiTransport({"brand.test": centra.app})
    headers = {"Authorization": "Bearer sandbox-centra-token"}
    http = Http(
        "https://brand.test", headers=headers, session=new_session(transport), gate=gate, sleep=clock.sleep,
        patience=timedelta(seconds=60),
    )  # fmt: skip
    client = CentraClient(http)
    for pause, writes in calls:
        clock.sleep(pause / 10)
        if writes:
            client.change("listen", {}, lane="orders")
        else:
            client.read("rate_limits", {}, lane="orders")
    store.close()
    assert transport.requests == len(calls)


def test_a_wait_that_is_kept_to_is_long_enough(store, clock):
    gate = Gate(store, "remote", (TEN,))
    for _ in range(10):
        assert may(gate) is None
    refusal = may(gate)
    assert refusal.retry_after <= timedelta(seconds=11)
    assert not refusal.connection_wide
    clock.sleep(refusal.retry_after.total_seconds())
    assert may(gate) is None


@pytest.mark.parametrize("lane", LANES)
def test_each_lane_leaves_the_reserve_of_the_higher_ones(store, lane):
    gate = Gate(store, "remote", (Quota("requests", 100, timedelta(seconds=10)),))
    passed = sum(may(gate, lane) is None for _ in range(101))
    assert passed == round(100 * (1 - KEPT_FOR_HIGHER_LANES[lane]))
    left = [lane for lane in LANES if may(gate, lane) is None]
    assert left == list(LANES[: LANES.index(lane)])


def test_lane_order_is_precedence():
    kept = [KEPT_FOR_HIGHER_LANES[lane] for lane in LANES]
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert len(set(kept)) == len(LANES)


def test_a_call_that_one_quota_refuses_spends_nothing_of_the_others(store):
    gate = Gate(store, "remote", (TEN, Quota("mutations", 1, timedelta(seconds=10))))
    assert may(gate, requests=1, mutations=1) is None
    for _ in range(20):
        assert "mutations" in str(may(gate, requests=1, mutations=1))
    assert sum(may(gate) is None for _ in range(20)) == 9


def test_budgets_are_shared_by_all_workers_and_kept_apart_by_system(store):
    one, other, elsewhere = Gate(store, "a", (TEN,)), Gate(store, "a", (TEN,)), Gate(store, "b", (TEN,))
    for gate in (one, other) * 5:
        assert may(gate) is None
    assert may(one)
    assert may(other)
    assert may(elsewhere) is None


def test_the_breaker_opens_at_the_failure_that_is_one_too_many(store):
    gate = Gate(store, "remote", terms=Terms(failures=3))
    assert [gate.failed() for _ in range(3)] == [False, False, True]
    refusal = may(gate)
    assert refusal.connection_wide == "CONNECTION_DOWN"
    assert refusal.system == "remote"


def test_a_success_in_between_begins_the_count_anew(store):
    gate = Gate(store, "remote", terms=Terms(failures=3))
    for _ in range(5):
        assert [gate.failed(), gate.failed()] == [False, False]
        gate.succeeded()
    assert may(gate) is None


def test_an_open_breaker_lets_one_probe_through_an_interval_whoever_asks(store, clock):
    gates = [Gate(store, "remote", terms=Terms(failures=1)) for _ in range(8)]
    gates[0].failed()
    for _ in range(3):
        assert all(may(gate) for gate in gates)
        clock.sleep(30)
        assert [may(gate) is None for gate in gates].count(True) == 1
        gates[0].failed()


def test_a_probe_that_never_came_back_is_followed_by_another(store, clock):
    gate = Gate(store, "remote", terms=Terms(failures=1))
    gate.failed()
    clock.sleep(30)
    assert may(gate) is None
    assert may(gate)
    clock.sleep(20)
    assert may(gate) is None


def test_a_green_probe_opens_the_road_for_all(store, clock):
    one, other = (Gate(store, "remote", terms=Terms(failures=1)) for _ in range(2))
    one.failed()
    clock.sleep(30)
    assert may(one) is None
    one.succeeded()
    assert may(one) is None
    assert may(other) is None


def test_a_throttle_is_no_outage_and_lets_nobody_probe(store, clock):
    gate = Gate(store, "remote")
    gate.throttled(timedelta(seconds=30))
    clock.sleep(29)
    refusal = may(gate)
    assert "throttling" in str(refusal)
    assert not refusal.connection_wide


def case(system, type):
    return exceptions.Case(
        type=type, cause=system, message="down", owner="Integration", act_within=timedelta(hours=1), connection=system
    )


@pytest.mark.parametrize("type", OUTAGE_TYPES)
def test_an_outage_is_one_case_and_the_first_success_resolves_it(store, clock, type):
    gate = Gate(store, "remote", terms=Terms(failures=1))
    with store.write() as tx:
        ids = {exceptions.open_case(tx, case("remote", type)) for _ in range(50)}
        other = exceptions.open_case(tx, case("elsewhere", type))
    assert len(ids) == 1
    gate.failed() if type == "CONNECTION_DOWN" else gate.unauthorised()
    clock.sleep(120)
    assert may(gate) is None
    gate.succeeded()
    with store.read() as tx:
        assert [row.id for row in exceptions.listed(tx)] == [other]


def test_a_new_process_clears_what_an_earlier_one_left_open(store):
    with store.write() as tx:
        exceptions.open_case(tx, case("remote", "CONNECTION_DOWN"))
    Gate(store, "remote").succeeded()
    with store.read() as tx:
        assert exceptions.listed(tx) == []


def test_refused_credentials_stop_everybody_at_once(store, clock):
    one, other = Gate(store, "remote"), Gate(store, "remote")
    one.unauthorised()
    assert may(other).connection_wide == "CONNECTION_AUTH"
    clock.sleep(60)
    assert [may(gate) is None for gate in (one, other)] == [True, False]


def test_a_short_refusal_is_waited_for_in_place_and_a_long_one_handed_back(store, clock):
    second = Quota("requests", 2, timedelta(seconds=1))
    gate = Gate(store, "remote", (second,))
    http = Http("https://remote.test", headers={}, session=new_session(), gate=gate, sleep=clock.sleep)
    for _ in range(6):
        http._wait_for_budget("orders", {"requests": 1})
    assert clock.slept
    assert sum(clock.slept) <= 4
    gate.throttled(timedelta(seconds=30))
    slept = len(clock.slept)
    with pytest.raises(Unavailable):
        http._wait_for_budget("orders", {"requests": 1})
    assert len(clock.slept) == slept


def test_what_other_integrations_spent_counts_against_the_budget_they_share_with_us(store):
    gate = Gate(store, "remote", (TEN,))
    for _ in range(3):
        assert may(gate) is None
    gate.told("requests", TEN.window, 9)  # three of them were ours
    assert may(gate) is None
    assert may(gate) is not None
    gate.told("requests", TEN.window, 4)  # told anew, not added up
    assert may(gate) is None
    gate.told("no such measure", TEN.window, 1_000)


def test_in_a_peak_finance_leaves_more_of_the_budget_to_the_higher_lanes(store, clock):
    gate, passed = Gate(store, "remote", (TEN,)), []
    for peak in (False, True):
        clock.sleep(60)
        with store.write() as tx:
            schedule.set_peak(tx, on=peak)
        passed.append(sum(may(gate, "finance") is None for _ in range(10)))
        assert sum(may(gate, "orders") is None for _ in range(10)) == 10 - passed[-1]
    assert passed == [5, 1]


SLOW = Terms(slow=timedelta(seconds=5))


def test_a_slow_system_holds_one_worker_at_a_time_until_it_is_fast_again(store):
    first, second = Gate(store, "remote", terms=SLOW), Gate(store, "remote", terms=SLOW)
    assert may(first) is None
    first.took(20)
    assert second.is_slow()
    assert may(first) is None
    refused = may(second)
    assert refused is not None
    assert "one call at a time" in str(refused)
    assert refused.retry_after == SLOW.ask_turn
    first.took(20)
    assert may(second) is None, "it is another's turn"
    assert may(first) is not None
    second.took(0.1)
    assert not first.is_slow()
    assert [may(first), may(second), may(first)] == [None] * 3


def test_whoever_died_in_a_slow_call_gives_its_turn_back_in_time(store, clock):
    dead, alive = Gate(store, "remote", terms=SLOW), Gate(store, "remote", terms=SLOW)
    dead.took(20)
    assert may(dead) is None
    assert may(alive) is not None
    clock.sleep(SLOW.call_takes.total_seconds() + 1)
    assert may(alive) is None


def test_a_system_that_nobody_called_slow_for_a_while_is_called_by_all(store, clock):
    gate, other = Gate(store, "remote", terms=SLOW), Gate(store, "remote", terms=SLOW)
    gate.took(20)
    clock.sleep(SLOW.slow_for.total_seconds() + 1)
    assert [may(gate), may(other)] == [None, None]


def test_where_nobody_else_needs_the_workers_a_slow_system_may_have_them_all(store):
    gate, other = Gate(store, "remote"), Gate(store, "remote")
    gate.took(20)
    assert [may(gate), may(other), gate.is_slow()] == [None, None, False]


def test_a_lower_lane_leaves_what_the_higher_ones_took_in_the_last_window_until_they_take_it_again_or_do_not(
    store, clock
):
    gate = Gate(store, "remote", (Quota("requests", 10, timedelta(seconds=1)),))
    for _ in range(9):
        assert may(gate, "orders") is None
    clock.sleep(1.05)
    assert may(gate, "stock") is not None, "the nine may be wanted again"
    for _ in range(9):
        assert may(gate, "orders") is None
    clock.sleep(2.2)
    assert may(gate, "stock") is None, "nobody wanted them"


def test_a_call_that_the_budget_refuses_has_not_had_the_turn_of_a_slow_system(store):
    terms = {"quotas": (Quota("requests", 1, timedelta(seconds=10)),), "terms": SLOW}
    first, second = Gate(store, "remote", **terms), Gate(store, "remote", terms=SLOW)
    first.took(20)
    assert may(first) is None
    first.took(20)
    assert "budget" in str(may(first)), "its quota is spent"
    assert may(second) is None, "nobody has the turn"
    first.took(0.1)
    assert first.is_slow(), "the call was another's, and says nothing of the system"
