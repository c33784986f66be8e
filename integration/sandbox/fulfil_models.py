"""Fulfil's models as this sandbox knows them: names and kinds of their fields.

One word declares one field:

    name            a plain value            channel>sale.channel      many2one, an id
    !name           the same, indexed        lines<sale.line:sale      one2many, the ids whose `sale` is this one
    origin?         Reference "model,id"     shipments*stock.shipment.out    many2many, ids kept with the record
    level=          computed when read

Names of sale.sale are those of a real record in a public test fixture (Ruby gem fulfil-io); the others come from the
vendor's guides and open modules. Unconfirmed: `tax_amount` of any line, `shipment_cost` of a sale.line, that a shipping
line has no product, `last_stock_change` of a product, the quarantine of a warehouse, `failures` of a webhook, and that
packages list their moves.
"""

import re
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"(!?)(\w+)(?:([>*<])([\w.]+)(?::(\w+))?|([?=]))?")
_KINDS = {">": "one", "*": "many", "<": "inverse", "?": "reference", "=": "computed", None: "plain"}


@dataclass(frozen=True)
class Field:
    """`kind` is plain, one, many, inverse, reference or computed; `model` and `inverse` belong to the relations."""

    kind: str
    model: str | None = None
    inverse: str | None = None
    indexed: bool = False


_MODELS = {
    "company.company": "name currency>currency.currency",
    "currency.currency": "name !code digits rate",
    "country.country": "name !code",
    "res.user": "name email active company>company.company language allowed_read_channels*sale.channel"
    " allowed_create_channels*sale.channel",
    "account.tax": "!name rate type active",
    "carrier": "!name",
    "carrier.service": "!code name carrier>carrier",
    "sale.channel.carrier": "!channel>sale.channel code carrier>carrier carrier_service>carrier.service",
    "payment_gateway.gateway": "name !code",
    "account.account": "name !code type active",
    "sale.return.reason": "!name active",
    "stock.location": "name !code type active parent>stock.location input_location>stock.location"
    " storage_location>stock.location output_location>stock.location quarantine_location>stock.location"
    " quantity_on_hand=",
    "sale.channel": "name !code source active company>company.company warehouse>stock.location"
    " currency>currency.currency timezone invoice_method shipment_method shipping_carriers<sale.channel.carrier:channel",
    "product.template": "!name type active products<product.product:template",
    "product.product": "!template>product.template !code variant_name upc type list_price active salable"
    " boms*production.bom quantity_on_hand= quantity_available= quantity_buildable= last_stock_change=",
    "production.bom": "name active inputs<production.bom.input:bom outputs<production.bom.output:bom",
    "production.bom.input": "!bom>production.bom !product>product.product quantity",
    "production.bom.output": "!bom>production.bom !product>product.product quantity",
    "party.party": "name !email active addresses<party.address:party",
    "party.address": "!party>party.party name street address1 address2 city zip subdivision_code"
    " country>country.country email phone channel_identifier",
    "sale.sale": "!number !reference !channel_identifier !channel>sale.channel channel_type !state !party>party.party"
    " company>company.company currency>currency.currency warehouse>stock.location sale_date confirmation_time"
    " invoice_address>party.address shipment_address>party.address lines<sale.line:sale"
    " moves*stock.move shipments*stock.shipment.out shipment_returns*stock.shipment.out.return drop_shipments"
    " invoices*account.invoice payments<sale.payment:sale"
    " gateway_transactions untaxed_amount tax_amount total_amount channel_tax_amount amount_invoiced payment_total"
    " payment_available payment_authorized payment_captured payment_collected credit invoice_state shipment_state"
    " invoice_method shipment_method has_return has_channel_exception exceptions*channel.exception origin? metadata"
    " priority is_cart gift_message comment payment_term carrier>carrier carrier_service>carrier.service",
    "sale.line": "!sale>sale.sale product>product.product type quantity unit_price amount !channel_identifier description"
    " taxes*account.tax tax_amount shipment_cost warehouse>stock.location list_price comment metadata shipping_date"
    " fulfil_strategy gift_message is_return !origin? return_type return_reason>sale.return.reason note",
    "sale.payment": "!sale>sale.sale gateway>payment_gateway.gateway amount provider_reference",
    "channel.exception": "!origin? channel>sale.channel log is_resolved",
    "stock.move": "!product>product.product quantity uom from_location>stock.location to_location>stock.location state"
    " !shipment? !origin? planned_date effective_date",
    "stock.shipment.out": "!number state customer>party.party delivery_address>party.address warehouse>stock.location"
    " planned_date effective_date picking_status carrier>carrier carrier_service>carrier.service"
    " tracking_number>shipment.tracking on_hold priority delivery_mode sales*sale.sale order_numbers total_quantity"
    " moves*stock.move outgoing_moves*stock.move inventory_moves*stock.move packages*stock.package"
    " shipping_instructions",
    "stock.shipment.out.return": "!number state customer>party.party origin_address>party.address"
    " delivery_address>party.address warehouse>stock.location planned_date effective_date sales*sale.sale"
    " order_numbers total_quantity moves*stock.move incoming_moves*stock.move inventory_moves*stock.move reference",
    "stock.package": "code !shipment? tracking_number>shipment.tracking moves*stock.move weight",
    "stock.inventory": "state location>stock.location lost_found>stock.location type date"
    " lines<stock.inventory.line:inventory moves*stock.move",
    "stock.inventory.line": "!inventory>stock.inventory product>product.product quantity expected_quantity",
    "shipment.tracking": "!tracking_number carrier>carrier tracking_url state is_master !origin?",
    "account.invoice": "!number !reference type state description comment party>party.party company>company.company"
    " currency>currency.currency account>account.account sales*sale.sale customer_shipments*stock.shipment.out"
    " customer_return_shipments*stock.shipment.out.return lines<account.invoice.line:invoice untaxed_amount tax_amount"
    " total_amount balance balance_due invoice_date earliest_due_date payment_term origins metadata",
    "account.invoice.line": "!invoice>account.invoice type product>product.product description quantity unit_price"
    " amount account>account.account taxes*account.tax tax_amount !origin? note metadata",
    "ir.webhook": "event url secret active failures",
}


def _field(word: str) -> tuple[str, Field]:
    found = _WORD.fullmatch(word)
    assert found is not None, word
    indexed, name, sign, model, inverse, mark = found.groups()
    return name, Field(_KINDS[sign or mark], model, inverse, bool(indexed))


_COMMON = dict(_field(word) for word in ("id", "rec_name", "create_date", "write_date"))

FIELDS: dict[str, dict[str, Field]] = {
    model: _COMMON | dict(_field(word) for word in words.split()) for model, words in _MODELS.items()
}


def rec_name(model: str, row: dict[str, Any]) -> str:
    """How Fulfil shows a record: "SO1 (#100)", "[SKU] Name", else its name, number or code."""
    if model == "sale.sale":
        return f"{row['number']} ({row['reference']})" if row["reference"] else str(row["number"])
    if model == "product.product":
        return f"[{row['code']}] {row['variant_name']}"
    return str(row.get("name") or row.get("number") or row.get("code") or row.get("description") or row["id"])
