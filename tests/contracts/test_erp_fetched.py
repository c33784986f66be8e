"""The contract of an ERP that fetches its orders: the same as for any other, but that nobody is called with them.

On this bench a write's call is one run of OrderWise's session, which finds that one order on offer. Every contract of orders,
shipments, returns and credits runs on it, but for those in `LEFT_OUT`.
"""

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from contracts import test_erp_credit, test_erp_returns, test_erp_shipments, test_erps
from erp_benches import Bench
from erps.orderwise.bench import bench as orderwise

from integration.dispatch import in_order_lines
from integration.domain.shipment import Dispatch
from integration.erp.orderwise import xml_orders
from integration.errors import NotReady, Unknown, Unmapped
from integration.ports import Draft, EffectClass, Write
from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from integration.sandbox.orderwise_web_service import Paths

NOT_CALLED = "nobody is called with an order that is fetched, so no call can be refused, throttled or left unanswered"
LEFT_OUT = {
    "test_every_mapping_file_has_its_adapter_under_this_contract": "it is about the files, not about a transport",
    "test_a_write_without_a_clear_answer_is_unknown_and_never_a_failure": NOT_CALLED,
    "test_throttling_surely_did_nothing_and_says_how_long": NOT_CALLED,
    "test_refused_credentials_concern_the_connection_and_not_the_order": NOT_CALLED,
    "test_an_effect_that_comes_late_is_found_under_the_same_reference": "a session imports what it fetched in the same run, or never",
    "test_an_unknown_sku_is_refused_as_such_with_the_erps_words_apart": "an import refuses in an e-mail, which nobody tells us of",
    "test_no_customers_word_is_in_a_refusal_that_is_shown": "an import refuses in an e-mail, which nobody tells us of",
}
"""Contracts that this transport has no place for, and why."""
KEYED = ("announcing", "booking")
"""What these fixtures need, an announcement or a memo by call, OrderWise does not have by any transport."""


def _contracts() -> Iterator[tuple[str, Any]]:
    for module in (test_erps, test_erp_shipments, test_erp_returns, test_erp_credit):
        for name, contract in vars(module).items():
            if name.startswith("test_") and not set(KEYED) & set(inspect.signature(contract).parameters):
                yield name, contract


globals().update({name: contract for name, contract in _contracts() if name not in LEFT_OUT})


@pytest.mark.parametrize(("contract", "why"), LEFT_OUT.items())
def test_a_contract_without_a_place_here_is_one_and_says_why(contract: str, why: str) -> None:
    assert contract in dict(_contracts())
    pytest.skip(f"fetched orders: {why}")


class Fetched:
    """An adapter whose write is done by a run of the session, and whose dispatches are told with the lines of their orders.

    A session's import numbers lines by itself, so that a dispatch names SKUs: whoever reads it finds their lines.
    """

    def __init__(self, bench: Bench) -> None:
        self.erp, self.tenant, self.read, self.mapping = bench.erp, bench.stage.orderwise, bench.read, bench.mapping

    def dispatches(self, refs: Collection[str]) -> Mapping[str, Dispatch]:
        found = self.erp.dispatches(refs)
        by_sku = not self.erp.keeps_lines(self.mapping)
        return {
            ref: in_order_lines(dispatch, self.read(dispatch.order_number), by_sku=by_sku)
            for ref, dispatch in found.items()
        }

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
    faults = {"timeout-after": ("ack-lost", "session")}

    def fault(name: str, **terms: Any) -> None:
        named, operation = faults[name]
        made.stage.orderwise.faults.plan(named, operation=operation, **terms)

    made.fault = fault
    made.stage.orderwise.add_discount("Handling")
    yield made
    made.stage.store.close()


keyed_returns = keyed_memos = bench


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
    order = bench.order(handling=Decimal("2.40"))
    draft = bench.erp.compose(order, bench.mapping)
    bench.erp.order_write(draft).send()
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    assert dict(standing.components) == dict(draft.components)
    assert "surcharge Handling amount" in standing.components
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
    tenant = dict(bench.mapping.tenant)
    session = tenant["session"]
    tenant["session"] = session | {table: {id: name for id, name in session[table].items() if id != "1"}}
    with pytest.raises(Unmapped) as raised:
        bench.erp.compose(bench.order(), replace(bench.mapping, tenant=tenant))
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
