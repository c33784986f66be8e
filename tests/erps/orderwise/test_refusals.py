"""What OrderWise's words of a refusal are taken for: no wording of it is known, so what we sent is looked for in them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from erp_benches import Bench
from erps.orderwise.bench import bench as made

from integration.erp.orderwise import wire
from integration.erp.orderwise.client import Refusal
from integration.errors import Rejected, Unknown
from integration.sandbox.centra_orders import BasketLine, VoucherUse


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = made()
    found.mapping = replace(found.mapping, tenant=found.mapping.tenant | {"discounts": {"PERCENTAGE": "Promotion"}})
    yield found
    found.stage.store.close()


@pytest.mark.parametrize(
    ("words", "type"),
    [
        ("Discount 'Promotion' was not found", "ORDER_DISCOUNT_UNMAPPED"),
        ("Variant code LS106NVM was not found.", "ORDER_UNKNOWN_SKU"),
        ("Tax rate 1 was not found.", "ORDER_TAX_UNMAPPED"),
        ("The taxRateId '1' does not exist", "ORDER_TAX_UNMAPPED"),
        ("Delivery method 1 was not found.", "ORDER_SHIPPING_UNMAPPED"),
        ("deliveryMethodId: 1 is disabled", "ORDER_SHIPPING_UNMAPPED"),
        ("Line 1: no tax code was provided.", "ORDER_REJECTED_BY_ERP"),
        ("VAT is 1.20 and should be 1.21", "ORDER_REJECTED_BY_ERP"),
        ("Line 1: there is no delivery method", "ORDER_REJECTED_BY_ERP"),
    ],
)
def test_a_refusal_names_what_is_to_be_mapped_and_a_bare_number_names_nothing(
    bench: Bench, words: str, type: str
) -> None:
    order = bench.draft(lines=[BasketLine("LS106NVM", 7)], vouchers=[VoucherUse("WELCOME10")]).request["order"]
    refused = wire.refusal(words, order, "orderwise.toml")
    assert (refused.type, refused.evidence) == (type, words)


@pytest.mark.parametrize(
    ("words", "doubt"),
    [
        ("Order number {} already exists in this e-commerce session.", True),
        ("The eCommerceOrderNumber already exists", True),
        ("Duplicate order number", True),
        ("{} was already imported", True),
        ("Order {}: the e-mail address ann@example.com already exists", False),
        ("The delivery address already exists on the customer.", False),
        ("Duplicate contact, order not imported", False),
    ],
)
def test_only_a_number_that_is_taken_is_our_own_order_and_anything_else_that_exists_is_refused_with_its_words(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: str, doubt: bool
) -> None:
    draft = bench.draft()
    said = words.format(draft.reference)

    def refuse(*_: object, **__: object) -> None:
        raise Refusal(400, said)

    monkeypatch.setattr(bench.erp, "post_order", refuse)
    with pytest.raises(Unknown if doubt else Rejected) as raised:
        bench.erp.order_write(draft).send()
    assert raised.value.evidence == ("" if doubt else said)
    assert getattr(raised.value, "accepted", False) == doubt
