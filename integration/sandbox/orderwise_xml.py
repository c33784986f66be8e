"""The documents of an e-commerce session: the orders it pulls, and the despatch and stock it posts.

The elements of an order are those of six years of one integrator's production. The despatch document follows what was seen
there (its root is unconfirmed, and the template is each tenant's own); the stock document is invented, for the same reason.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree as ET

from integration.sandbox.orderwise_catalogue import WEB_CUSTOMER
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_order_form import ADDRESS, Dissur, Form, Line, moment
from integration.sandbox.orderwise_wire import Refused, Row, shown

Named = Callable[[str, str], int]
"""(kind, exact name) to an id; raises the refusal. Kinds: tax, method, payment, discount."""


def orders(text: bytes) -> list[ET.Element]:
    """The `SalesOrder` elements of a document; raises the 400 for what is no such document."""
    try:
        root = ET.fromstring(text)  # noqa: S314  # what the tenant's own shop serves
    except ET.ParseError as error:
        raise Refused(400, f"The order document is not XML: {error}") from error
    if root.tag != "XMLFile":
        raise Refused(400, f"The order document begins with {root.tag}, not with XMLFile.")
    return root.findall("SalesOrders/SalesOrder")


def number_of(order: ET.Element) -> str:
    return order.findtext("OrderNumber") or ""


def read(session: int, order: ET.Element, named: Named) -> Form:
    """One order; names are matched exactly to the tenant's records. Raises the refusal."""
    if not number_of(order):
        raise Refused(400, "OrderNumber is required.")
    delivery = order.findtext("DeliveryTaxCode")
    return Form(
        session=session,
        number=number_of(order),
        type=1,
        customer=WEB_CUSTOMER,
        order_date=moment(order.findtext("OrderDate") or None),
        method=named("method", order.findtext("DeliveryMethod") or ""),
        prices_as_net=_true(order, "PricesAsNet"),
        currency=None,
        on_hold=_true(order, "OrderOnHold"),
        customer_ref=order.findtext("CustomerOrderRef"),
        gross=_amount(order, "OrderGross"),
        net=_amount(order, "OrderNet"),
        tax=_amount(order, "OrderTax"),
        delivery_gross=_amount(order, "DeliveryGross"),
        delivery_net=_amount(order, "DeliveryNet"),
        delivery_tax=_amount(order, "DeliveryTax"),
        delivery_tax_rate=named("tax", delivery) if delivery else None,
        lines=tuple(
            _line(place, each, named) for place, each in enumerate(order.findall("Lines/SalesOrderLine"), start=1)
        ),
        dissurs=tuple(_dissur(each, named) for each in order.findall("Dissurs/SalesDissur")),
        payments=tuple(
            (named("payment", each.findtext("Description") or ""), _amount(each, "Amount") or Decimal(0))
            for each in order.findall("Payments/SalesPayment")
        ),
        addresses=_addresses(order),
    )


def despatch(ledger: Ledger, session: int, since: str, lines: bool) -> bytes:
    """Every order of a session that was amended since, whatever its status; `lines` puts SKUs and pieces in a delivery."""
    root = ET.Element("orders")
    found = ledger.rows(
        "SELECT oh_id, oh_ecommerce_number, os_description FROM order_header JOIN order_status ON os_id = oh_os_id"
        " JOIN order_header_detail ON ohd_oh_id = oh_id"
        " WHERE oh_session_id = ? AND ohd_last_amended_datetime >= ? ORDER BY oh_id",
        session,
        since,
    )
    for row in found:
        order = ET.SubElement(root, "order")
        _add(order, "orderNo", row["oh_ecommerce_number"])
        _add(order, "orderStatus", row["os_description"])
        for delivery in ledger.rows(
            "SELECT delivery_header.*, cod_description FROM delivery_header LEFT JOIN delivery_method ON dm_id = dh_dm_id"
            " LEFT JOIN courier_detail ON cod_id = dm_cod_id WHERE dh_oh_id = ? AND dh_cancelled = 0 ORDER BY dh_id",
            row["oh_id"],
        ):
            _delivery(ledger, ET.SubElement(order, "deliveries"), delivery, lines)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def stock(ledger: Ledger, since: str) -> bytes:
    """Every variant that was calculated since, in each location."""
    root = ET.Element("stock")
    for row in ledger.rows(
        "SELECT vad_variant_code, vsl_sl_id, vsl_free_stock_quantity, vsl_overall_stock_quantity,"
        " vasq_stock_levels_last_calculated FROM variant_stock_location JOIN variant_detail ON vad_id = vsl_vad_id"
        " JOIN variant_stock_quantity ON vasq_vad_id = vad_id WHERE vasq_stock_levels_last_calculated >= ?"
        " ORDER BY vad_id, vsl_sl_id",
        since,
    ):
        variant = ET.SubElement(root, "variant")
        names = ("code", "stockLocation", "freeStock", "inStock", "lastCalculated")
        for name, value in zip(names, row.values(), strict=True):
            _add(variant, name, str(shown(value)))
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def responses(text: bytes) -> list[tuple[str, str]]:
    """(Type, Message) of each `Response` in the answer to a post; raises the refusal for anything else."""
    try:
        root = ET.fromstring(text)  # noqa: S314  # what the tenant's own shop serves
    except ET.ParseError as error:
        raise Refused(400, f"The reply is not XML: {error}") from error
    found = root.findall("Responses/Response") if root.tag == "XMLFile" else []
    if not found:
        raise Refused(400, "The reply has no XMLFile/Responses/Response.")
    return [(each.findtext("Type") or "", each.findtext("Message") or "") for each in found]


def _line(place: int, line: ET.Element, named: Named) -> Line:
    if not line.findtext("Code"):
        raise Refused(400, f"Line {place}: Code is required.")
    tax = line.findtext("TaxCode")
    return Line(
        number=place,
        code=line.findtext("Code") or "",
        quantity=_amount(line, "Quantity") or Decimal(0),
        net=_amount(line, "ItemNet"),
        gross=_amount(line, "ItemGross"),
        tax_rate=named("tax", tax) if tax else None,
        place=None,
        direct=_true(line, "Direct"),
    )


def _dissur(words: ET.Element, named: Named) -> Dissur:
    """A discount, unless `Discount` is N."""
    text, tax = words.findtext("Description") or "", words.findtext("TaxCode")
    named("discount", text)
    return Dissur(
        description=text,
        price=_amount(words, "Price") or Decimal(0),
        tax_rate=named("tax", tax) if tax else None,
        discount=(words.findtext("Discount") or "Y").upper() not in ("N", "FALSE", "0"),
        gross=_true(words, "GrossDiscount"),
    )


def _addresses(order: ET.Element) -> dict[str, Row]:
    names = dict(zip(ADDRESS, ("Name", "Address1", "Address2", "Address3", "Town", "County", "Country", "CountryCode",
                               "Postcode", "Email", "Telephone"), strict=True))  # fmt: skip
    prefixes = {"delivery": "DeliveryAddress/", "invoice": "Invoice", "statement": "Statement"}
    customer = order.find("Customer")
    if customer is None:
        raise Refused(400, "Customer is required.")
    return {
        role: {key: customer.findtext(prefix + name) or None for key, name in names.items()}
        for role, prefix in prefixes.items()
    }


def _delivery(ledger: Ledger, words: ET.Element, delivery: Row, lines: bool) -> None:
    _add(words, "deliveryNumber", delivery["dh_number"])
    _add(words, "deliveryDate", delivery["dh_datetime"])
    _add(words, "courierName", delivery["cod_description"] or "")
    numbers = ET.SubElement(words, "consignmentNumbers")
    for row in ledger.rows("SELECT * FROM delivery_consignment WHERE dc_dh_id = ? ORDER BY rowid", delivery["dh_id"]):
        _add(numbers, "consignmentNumber", row["dc_consignment_number"])
    if lines:
        sent = ET.SubElement(words, "deliveryLines")
        for row in ledger.rows(
            "SELECT vad_variant_code, dli_qty_sent FROM delivery_line_item JOIN order_line_item ON oli_id = dli_oli_id"
            " JOIN variant_detail ON vad_id = oli_vad_id WHERE dli_dh_id = ? ORDER BY oli_id",
            delivery["dh_id"],
        ):
            line = ET.SubElement(sent, "deliveryLine")
            _add(line, "code", row["vad_variant_code"])
            _add(line, "quantity", str(shown(row["dli_qty_sent"])))


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _true(words: ET.Element, name: str) -> bool:
    return (words.findtext(name) or "").strip().lower() in ("true", "1", "y")


def _amount(words: ET.Element, name: str) -> Decimal | None:
    text = (words.findtext(name) or "").strip()
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise Refused(400, f"{name} is not a number.") from error
