"""The contract of an ERP that fetches its orders: the same as for any other, but that nobody is called with them.

On this bench a write's call is one run of OrderWise's session, which finds that one order on offer.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from contracts.test_erps import (  # noqa: F401 - the contract itself, on this module's bench
    test_a_cancel_is_done_once_however_often_it_is_asked,
    test_a_cancel_that_comes_too_late_is_refused_in_business_terms,
    test_a_time_out_after_the_write_is_unknown_and_its_look_up_finds_the_document,
    test_composing_twice_gives_the_same_document,
    test_posting_twice_gives_one_document_and_the_same_id,
    test_the_key_of_an_order_is_all_that_its_reference_depends_on,
    test_what_changed_lately_is_listed_with_a_stamp_that_moves,
    test_what_is_read_back_equals_what_was_sent_to_the_minor_unit,
)
from erp_benches import Bench
from erps.orderwise.bench import bench as orderwise

from integration.erp.orderwise import xml_orders
from integration.errors import NotReady, Unknown, Unmapped
from integration.ports import Draft, EffectClass, Write
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.orderwise_web_service import Paths


class Fetched:
    """An adapter whose write is done by a run of the session."""

    def __init__(self, bench: Bench) -> None:
        self.erp, self.tenant = bench.erp, bench.stage.orderwise

    def __getattr__(self, name: str) -> Any:
        return getattr(self.erp, name)

    def order_write(self, draft: Draft) -> Write:
        write = self.erp.order_write(draft)
        return replace(write, send=lambda: self._run(draft, write))

    def _run(self, draft: Draft, write: Write) -> str:
        told: list[bytes] = []

        def shop(method: str, address: str, body: bytes, headers: Any) -> tuple[int, bytes]:
            if method == "GET":
                return 200, xml_orders.document([str(draft.request["xml"])])
            told.append(body)
            return 200, b""

        assert write.offer is not None
        self.tenant.run_session("https://shop.test", int(write.offer.channel), shop, Paths(despatch=None, stock=None))
        if told != [f"ExportData={draft.reference}".encode()]:
            raise Unknown("nothing was acknowledged")
        return write.find()[0]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = orderwise(transport="session")
    made.erp = Fetched(made)
    faults = {"timeout-after": ("ack-lost", "session"), "late": ("pull-lost", "session")}

    def fault(name: str, **terms: Any) -> None:
        named, operation = faults[name]
        made.stage.orderwise.faults.plan(named, operation=operation, **terms)

    made.fault = fault
    yield made
    made.stage.store.close()


def test_nobody_is_called_with_an_order_that_is_fetched(bench: Bench) -> None:
    draft, before = bench.draft(), bench.requests()
    write = bench.erp.erp.order_write(draft)
    with pytest.raises(NotReady, match="on offer to e-commerce session 28"):
        write.send()
    assert write.effect_class is EffectClass.LOOK_UP
    assert bench.requests() == before


def test_an_order_that_is_offered_again_although_it_is_there_is_there_once(bench: Bench) -> None:
    draft = bench.draft()
    write = bench.erp.order_write(draft)
    ref = write.send()
    with pytest.raises(Unknown):
        write.send()
    assert write.find() == [ref]
    assert len(bench.documents(draft.reference)) == 1


def test_an_order_that_an_import_refuses_is_in_an_e_mail_and_nowhere_else(bench: Bench) -> None:
    draft = bench.draft(lines=[BasketLine(min(UNKNOWN_SKUS), 1)])
    write = bench.erp.order_write(draft)
    with pytest.raises(Unknown):
        write.send()
    assert write.find() == []
    assert [mail["reference"] for mail in bench.stage.orderwise.books()["emails"]] == [draft.reference]


@pytest.mark.scenario("MON-22")
def test_no_discount_of_orderwises_own_appears_and_handling_is_a_surcharge(bench: Bench) -> None:
    bench.stage.orderwise.add_discount("Handling")
    order = bench.order(handling=Decimal("2.40"))
    draft = bench.erp.compose(order, bench.mapping)
    bench.erp.order_write(draft).send()
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert dict(standing.components) == dict(draft.components)
    assert "handling amount" in standing.components
    assert bench.stage.orderwise.books()["log"] == []


@pytest.mark.parametrize(
    ("table", "type"),
    [
        ("tax_codes", "ORDER_TAX_UNMAPPED"),
        ("delivery_methods", "ORDER_SHIPPING_UNMAPPED"),
        ("payment_methods", "ORDER_PAYMENT_UNMAPPED"),
    ],
)
def test_a_record_without_its_name_is_named_by_table_and_id(bench: Bench, table: str, type: str) -> None:
    order, profile = bench.order(), bench.erp.profile
    session = replace(
        profile.session, **{table: {id: n for id, n in getattr(profile.session, table).items() if id != "1"}}
    )
    bench.erp.erp.profile = replace(profile, session=session)
    with pytest.raises(Unmapped) as raised:
        bench.erp.compose(order, bench.mapping)
    assert (raised.value.type, raised.value.table, raised.value.key) == (type, f"tenant.session.{table}", "1")


@pytest.mark.parametrize("name", ["Zoë <b>&amp;</b>", "a\x0bb\x00c", "\ud800half", "名前", "]]><!DOCTYPE x>"])
def test_any_name_that_a_customer_can_have_arrives_or_is_a_space(bench: Bench, name: str) -> None:
    order = bench.order()
    order = replace(order, ship_to=replace(order.ship_to, name=name))
    draft = bench.erp.compose(order, bench.mapping)
    bench.erp.order_write(draft).send()
    (document,) = bench.documents(draft.reference)
    wanted = "".join(" " if c in "\x0b\x00\ud800" else c for c in name)
    assert document["addresses"]["delivery"]["name"] == wanted
