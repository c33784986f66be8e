"""What every ERP adapter must do, whoever wrote it: a newcomer is a folder with a bench, and a sandbox with these verbs."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from erp_benches import Bench
from erp_folders import MAPPINGS, NAMES

from integration.domain.order import Key
from integration.errors import Rejected, Unavailable, Unknown
from integration.ports import EffectClass
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine, VoucherUse


def test_every_mapping_file_has_its_adapter_under_this_contract() -> None:
    assert {path.stem for path in MAPPINGS.glob("*.toml")} - {"playbook"} <= set(NAMES)


def test_posting_twice_gives_one_document_and_the_same_id(bench: Bench) -> None:
    draft = bench.draft()
    write = bench.erp.order_write(draft)
    first, again = write.send(), write.send() if write.effect_class is EffectClass.UNIQUE_KEY else write.find()[0]
    assert first == again
    assert len(bench.documents(draft.reference)) == 1


def test_a_time_out_after_the_write_is_unknown_and_its_look_up_finds_the_document(bench: Bench) -> None:
    draft = bench.draft()
    bench.fault("timeout-after")
    write = bench.erp.order_write(draft)
    with pytest.raises(Unknown):
        write.send()
    (ref,) = write.find()
    assert [str(d["id"]) for d in bench.documents(draft.reference)] == [ref]


@pytest.mark.parametrize(
    "fault", ["error-before", "error-after", "drop-after", "timeout-before", "html", "unavailable"]
)
def test_a_write_without_a_clear_answer_is_unknown_and_never_a_failure(bench: Bench, fault: str) -> None:
    draft = bench.draft()
    bench.fault(fault)
    with pytest.raises(Unknown):
        bench.erp.order_write(draft).send()


@pytest.mark.parametrize("form", ["throttled", "throttled-date", "throttled-timestamp", "throttled-silent"])
def test_throttling_surely_did_nothing_and_says_how_long(bench: Bench, form: str) -> None:
    draft = bench.draft()
    bench.fault(form, seconds=7)
    with pytest.raises(Unavailable) as raised:
        bench.erp.order_write(draft).send()
    assert raised.value.retry_after is not None
    assert timedelta(seconds=4) <= raised.value.retry_after <= timedelta(seconds=8)
    assert bench.documents(draft.reference) == []


def test_an_effect_that_comes_late_is_found_under_the_same_reference(bench: Bench) -> None:
    draft = bench.draft()
    bench.fault("late", seconds=50)
    write = bench.erp.order_write(draft)
    with pytest.raises(Unknown):
        write.send()
    assert write.find() == []
    bench.stage.clock.sleep(60)
    assert len(write.find()) == 1
    assert write.takes + write.wait > timedelta(seconds=50)  # nobody sends again before that


def test_an_unknown_sku_is_absent_and_a_known_one_has_its_id(bench: Bench) -> None:
    known, unknown = bench.stage.sku(), min(UNKNOWN_SKUS)
    found = bench.erp.items([known, unknown])
    assert found[known]
    assert found[unknown] is None
    assert bench.erp.items([known.lower()])[known.lower()] is None  # exact spelling only


def test_an_unknown_sku_is_refused_as_such_with_the_erps_words_apart(bench: Bench) -> None:
    with pytest.raises(Rejected) as raised:
        bench.erp.order_write(bench.draft(lines=[BasketLine(min(UNKNOWN_SKUS), 1)])).send()
    assert (raised.value.type, raised.value.cause) == ("ORDER_UNKNOWN_SKU", f"{min(UNKNOWN_SKUS)} refused")
    assert raised.value.evidence


@pytest.mark.parametrize(
    "terms",
    [
        {"lines": [BasketLine("LS106NVM", 7)], "vouchers": [VoucherUse("STAFF333")]},
        {"lines": [BasketLine("LS101NVM", 3), BasketLine("KD202NVS", 2)], "vouchers": [VoucherUse("FIVEOFF")]},
        {"market_id": 5, "country": "JP", "lines": [BasketLine("LS106NVM", 7)], "vouchers": [VoucherUse("LOYAL15")]},
        {"market_id": 6, "country": "KW", "lines": [BasketLine("FD402NVS", 9)], "vouchers": [VoucherUse("STAFF333")]},
        {"market_id": 4, "country": "US", "lines": [BasketLine("LS103NVM", 5)], "vouchers": [VoucherUse("FREESHIP")]},
        {"lines": [BasketLine("LS104NVM", 1)], "vouchers": [VoucherUse("PRESS100")], "shipping_price": Decimal(0)},
    ],
)
def test_what_is_read_back_equals_what_was_sent_to_the_minor_unit(bench: Bench, terms: dict[str, Any]) -> None:
    order = bench.order(**terms)
    draft = bench.erp.compose(order, bench.mapping)
    ref = bench.erp.order_write(draft).send()
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert standing.ref == ref
    assert dict(standing.components) == dict(draft.components)
    assert draft.components["total"] == order.grand_total


def test_composing_twice_gives_the_same_document(bench: Bench) -> None:
    order = bench.order()
    one, two = bench.erp.compose(order, bench.mapping), bench.erp.compose(order, bench.mapping)
    assert (one.fingerprint, one.reference, one.request) == (two.fingerprint, two.reference, two.request)
    moved = replace(order, ship_to=replace(order.ship_to, city="Leeds"))
    assert bench.erp.compose(moved, bench.mapping).fingerprint != one.fingerprint


def test_a_reference_names_its_order_and_a_strangers_names_none(bench: Bench) -> None:
    for number in ("1", "100234", "99999999"):
        assert bench.erp.number_of(bench.erp.reference(number)) == number
    for stranger in ("", "100234", "shop-100234", bench.erp.reference("x"), bench.erp.reference("1") + " ", "٣"):
        assert bench.erp.number_of(stranger) == ""


def test_references_nobody_has_posted_stand_for_nothing(bench: Bench) -> None:
    wanted = [bench.erp.reference(str(n)) for n in range(5000, 5250)]  # more than one page
    assert bench.erp.standing(wanted) == {reference: [] for reference in wanted}


def test_a_cancel_is_done_once_however_often_it_is_asked(bench: Bench) -> None:
    draft = bench.draft()
    ref = bench.erp.order_write(draft).send()
    cancel = bench.erp.cancel_write(draft.reference, ref)
    assert cancel.find() == []
    if not bench.cancels:  # it is a person's work, and done once the ERP shows it
        with pytest.raises(Rejected) as raised:
            cancel.send()
        assert raised.value.type == "ORDER_CANCEL_TOO_LATE"
        bench.cancel(draft.reference)
    assert [cancel.send(), cancel.send()] == [ref, ref]
    assert cancel.find() == [ref]
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert standing.life == "cancelled"


def test_a_cancel_that_comes_too_late_is_refused_in_business_terms(bench: Bench) -> None:
    draft = bench.draft()
    ref = bench.erp.order_write(draft).send()
    bench.finish(draft.reference)
    with pytest.raises(Rejected) as raised:
        bench.erp.cancel_write(draft.reference, ref).send()
    assert raised.value.type == "ORDER_CANCEL_TOO_LATE"


def test_what_changed_lately_is_listed_with_a_stamp_that_moves(bench: Bench) -> None:
    draft = bench.draft()
    began = bench.stage.clock.now() - timedelta(seconds=1)
    ref = bench.erp.order_write(draft).send()
    (seen,) = bench.erp.changed_since(began)
    assert (seen.ref, seen.reference) == (ref, draft.reference)
    bench.stage.clock.sleep(5)
    bench.cancel(draft.reference)
    (later,) = bench.erp.changed_since(began)
    assert later.stamp != seen.stamp
    assert bench.erp.changed_since(bench.stage.clock.now() + timedelta(seconds=1)) == []


def test_refused_credentials_concern_the_connection_and_not_the_order(bench: Bench) -> None:
    draft = bench.draft()
    bench.fault("unauthorised")
    with pytest.raises(Unavailable) as raised:
        bench.erp.order_write(draft).send()
    assert raised.value.connection_wide == "CONNECTION_AUTH"


def test_no_customers_word_is_in_a_refusal_that_is_shown(bench: Bench) -> None:
    order = bench.order(lines=[BasketLine(min(UNKNOWN_SKUS), 1)])
    with pytest.raises(Rejected) as raised:
        bench.erp.order_write(bench.erp.compose(order, bench.mapping)).send()
    shown = f"{raised.value} {raised.value.cause}"
    for word in (order.ship_to.name, order.ship_to.line1, order.ship_to.postcode, order.customer_email):
        assert word
        assert word not in shown


def test_the_key_of_an_order_is_all_that_its_reference_depends_on(bench: Bench) -> None:
    order = bench.order()
    other = replace(order, key=Key(order.key.instance, "order", "777"))
    assert bench.erp.compose(other, bench.mapping).reference == bench.erp.reference("777")
