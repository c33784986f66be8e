"""Where every ERP's translation begins: the market checked, the order priced, a refund taken apart into what was booked.

Nothing here is any ERP's word. What the storefront took off a refund for order-wide vouchers is put back where the sales
order has it: inside the prices of goods and shipping, by the same kinds, so a memo takes back what was booked. Only a voucher
that paid is a part of its own, without tax: the customer gets it back as a voucher and not as money.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from integration.domain.credit import Refund
from integration.domain.money import Money, MoneyError, tax_rate, total
from integration.domain.order import Order
from integration.domain.pricing import SHIPPING, TENDER, Inconsistent, PricedOrder, price
from integration.errors import Rejected
from mappings import Mapping as Mapped
from mappings import Market

TITLES = {
    "shipping": "Shipping",
    "handling": "Handling",
    "goodwill": "Goodwill",
    "fee": "Return fee",
    "vouchers": "Given back as a voucher",
}
"""The parts of a refund that are no goods, and what they are called where a person reads them."""


def priced(order: Order, mapping: Mapped, *, beside: Collection[int] = ()) -> PricedOrder:
    """The order with every voucher carried into its parts, but for those `beside` them. Raises `Unmapped` or `Rejected`."""
    kinds = {d.type: mapping.voucher_kind(d.type) for d in order.discounts}
    charge = mapping.charge_percent(order.ship_to.country) if order.shipping or order.handling else 0
    try:
        return price(order, kinds, charge, beside=beside)
    except (Inconsistent, MoneyError) as error:
        raise Rejected("ORDER_TOTAL_INCONSISTENT", f"centra:{order.market}", str(error)) from error


def market_of(order: Order, mapping: Mapped) -> Market:
    """The market's row, once currency and destination fit it."""
    market = mapping.market(order.market)
    if order.currency != market.currency:
        message = f"{order.market} sells in {market.currency}, this order is in {order.currency}"
        raise Rejected("ORDER_CURRENCY_REFUSED", f'{mapping.file}:[markets."{order.market}"] currency', message)
    if not order.ship_to.country or not order.ship_to.postcode + order.ship_to.city or not order.ship_to.line1:
        raise Rejected(
            "ORDER_ADDRESS_INVALID", "address incomplete", "the shipping address lacks country, place or street"
        )
    if order.ship_to.country not in market.countries:
        message = (
            f"{order.market} is mapped for {', '.join(market.countries)}, this order goes to {order.ship_to.country}"
        )
        raise Rejected("ORDER_MARKET_SUSPECT", f"{order.market} to {order.ship_to.country}", message)
    return market


def carried(found: PricedOrder) -> dict[str, str]:
    """Every discount that is no part of its own: it lives inside unit prices in the ERP, and stays visible in the proof."""
    beside = {reduction.place for reduction in found.reductions}
    return {
        f"discount {place + 1} {discount.type} ({kind})": str(discount.amount)
        for place, (discount, kind) in enumerate(found.discounts)
        if place not in beside
    }


GOODS = "goods"


@dataclass(frozen=True, slots=True)
class RefundPart:
    """A part of a memo; `net` and `tax` positive where money goes back, negative where it is kept. No percent: no tax."""

    note: str
    component: str
    order_line: str
    sku: str
    title: str
    quantity: int
    percent: Decimal | None
    net: Money
    tax: Money


def parts_of(refund: Refund, order: Order, mapping: Mapped) -> list[RefundPart]:
    """The parts, which add up to the refund. Raises `Unmapped`; `Rejected` (CREDIT_MISMATCH) where they do not add up."""
    try:
        parts = _parts(refund, order, mapping)
    except MoneyError as error:
        raise Rejected("CREDIT_MISMATCH", "centra:refund parts", str(error)) from error
    found = total([part.net + part.tax for part in parts], refund.amount.currency)
    if found != refund.amount:
        named = ", ".join(f"{part.note} {part.net.decimal}+{part.tax.decimal}" for part in parts) or "nothing"
        message = f"parts of the refund ({named}) sum to {found}, {refund.amount} was paid back"
        raise Rejected("CREDIT_MISMATCH", "centra:refund parts", message)
    return parts


def _parts(refund: Refund, order: Order, mapping: Mapped) -> list[RefundPart]:
    country = order.ship_to.country
    goods, shipping, paid = _vouchers(refund, order, mapping)
    titles = {line.id: line.name for line in order.lines}
    parts = [
        RefundPart(
            note=f"order line {line.order_line}",
            component=GOODS,
            order_line=line.order_line,
            sku=line.sku,
            title=titles.get(line.order_line, line.sku),
            quantity=line.quantity,
            percent=line.tax_percent,
            net=line.net,
            tax=line.gross - line.net,
        )
        for line in refund.lines
    ]
    if goods:
        lowered = goods.allocate([max(0, line.gross.minor) for line in refund.lines])
        parts = [_lowered(part, share) for part, share in zip(parts, lowered, strict=True)]
    if refund.shipping - shipping:
        parts.append(_shipping(refund.shipping - shipping, shipping, order, mapping.charge_percent(country)))
    charges = {"handling": refund.handling, "fee": -refund.fee}
    parts += [_charge(name, gross, mapping.charge_percent(country)) for name, gross in charges.items() if gross]
    if refund.goodwill:
        parts.append(_charge("goodwill", refund.goodwill, mapping.goodwill_percent(country)))
    if paid:
        parts.append(_charge("vouchers", -paid, None))
    return parts


def _vouchers(refund: Refund, order: Order, mapping: Mapped) -> tuple[Money, Money, Money]:
    """What the refund lost to vouchers, as the order has them: off goods, off shipping, and given back as vouchers.

    The storefront tells one sum; it is divided by the order's own vouchers, in proportion. An order without any has paid
    with none, so what it is given back as a voucher is new credit.
    """
    nothing = Money.zero(refund.amount.currency)
    kinds = [(mapping.voucher_kind(discount.type), discount.amount.minor) for discount in order.discounts]
    kinds = [(kind, weight) for kind, weight in kinds if weight and (kind != SHIPPING or refund.shipping)]
    if not refund.vouchers or not kinds:
        return nothing, nothing, refund.vouchers
    shares = refund.vouchers.allocate([weight for _, weight in kinds])
    by_kind: dict[str, Money] = {}
    for (kind, _), share in zip(kinds, shares, strict=True):
        by_kind[kind] = by_kind.get(kind, nothing) + share
    shipping = min(by_kind.get(SHIPPING, nothing), refund.shipping, key=lambda amount: amount.minor)
    paid = by_kind.get(TENDER, nothing)
    return refund.vouchers - shipping - paid, shipping, paid


def _lowered(part: RefundPart, share: Money) -> RefundPart:
    """A part whose gross is less by `share`; its tax follows by its rate."""
    if not share:
        return part
    gross = part.net + part.tax - share
    net = _net(gross, part.percent)
    return replace(part, net=net, tax=gross - net)


def _charge(name: str, gross: Money, percent: Decimal | None) -> RefundPart:
    net = _net(gross, percent)
    return RefundPart(name, name, "", "", TITLES[name], 1, percent, net, gross - net)


def _shipping(gross: Money, lowered: Money, order: Order, percent: Decimal) -> RefundPart:
    """Shipping with the very tax that the sale had on it, in proportion; by its rate where a voucher had lowered it."""
    part = _charge("shipping", gross, percent)
    whole = order.shipping if order.prices_include_tax else order.shipping + order.shipping_tax
    if lowered or not whole:
        return part
    tax = order.shipping_tax.share(Fraction(gross.minor, whole.minor))
    return replace(part, net=gross - tax, tax=tax)


def _net(gross: Money, percent: Decimal | None) -> Money:
    return gross if percent is None else gross.share(1 / (1 + tax_rate(percent)) if percent else Fraction(1))
