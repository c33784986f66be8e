"""Variants over OWAPI: read, created from a template, changed in part; EANs are unique."""

import json
from decimal import Decimal
from typing import Any

from integration.sandbox import orderwise_seed as seed
from integration.sandbox.faults import Plan
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_routes import Request
from integration.sandbox.orderwise_stock import Stock
from integration.sandbox.orderwise_switches import OrderWiseSwitches
from integration.sandbox.orderwise_wire import Refused, Reply, Row, answer, four, shown

_DIMENSIONS = ("weight", "volume", "length", "width", "depth")


class Variants:
    """`variantInfo`, `variantSettings`, `variantSalesInfo`, `variantDimensions` and `analysis`, as seen at one integrator."""

    def __init__(self, ledger: Ledger, stock: Stock, switches: OrderWiseSwitches) -> None:
        self._ledger, self._stock, self._switches = ledger, stock, switches

    def get(self, request: Request, plan: Plan | None) -> Reply:
        """An array of one or the object itself; prices only with include_sales_info."""
        words = self._words(self._row(request.id), request.flag("include_sales_info"))
        return answer([words] if self._switches.variant_reply == "array" else words)

    def put(self, request: Request, plan: Plan | None) -> Reply:
        """Only what is sent is changed; a price only by the Id it has. No code changes here."""
        row = self._row(request.id)
        self._change(row["vad_id"], _parts(request.body))
        return answer(self._words(self._row(request.id), True))

    def post(self, request: Request, plan: Plan | None) -> Reply:
        """Everything that is not sent is the template's; its stock is nobody's. Unconfirmed: a code that is taken is a 400."""
        template = self._row(request.whole("template_variant_id", 0))
        body = _parts(request.body)
        code = body["variantinfo"].get("code")
        if not code:
            raise Refused(400, "variantInfo.code is required.")
        if self._stock.variant(code) is not None:
            raise Refused(400, f"Variant code {code} already exists.")
        price = "SELECT vafp_rsp_inc_vat FROM variant_foreign_price WHERE vafp_vad_id = ?"
        pounds = Decimal(str(self._ledger.value(price, template["vad_id"]) or 0))
        name = body["variantinfo"].get("description") or template["vad_description"]
        id = seed.variant(self._ledger, code, name, "", pounds, template["vad_pd_id"])
        self._ledger.update("variant_detail", "vad_id", id, vad_vr_id=template["vad_vr_id"])
        known = "SELECT * FROM sandbox_variant_words WHERE svw_vad_id = ?"
        copied = self._ledger.row(known, template["vad_id"]) or {}
        words = {key: value for key, value in copied.items() if key != "svw_vad_id"}
        self._ledger.update("sandbox_variant_words", "svw_vad_id", id, **words)
        body["variantsalesinfo"] = [
            price | {"id": self._ledger.value("SELECT vafp_id FROM variant_foreign_price WHERE vafp_vad_id = ?", id)}
            for price in body["variantsalesinfo"]
        ]
        self._change(id, body)
        return answer(self._words(self._row(id), True), 201)

    def _row(self, id: int) -> Row:
        found = self._ledger.row(
            "SELECT * FROM variant_detail JOIN variant_setting ON vas_vad_id = vad_id"
            " JOIN sandbox_variant_words ON svw_vad_id = vad_id WHERE vad_id = ?",
            id,
        )
        if found is None:
            raise Refused(404, f"Variant {id} was not found.")
        return found

    def _change(self, id: int, body: Row) -> None:
        ledger, known = self._ledger, body["variantinfo"]
        if known.get("eancode"):
            taken = "SELECT vad_id FROM variant_detail WHERE vad_ean_code = ? AND vad_id <> ?"
            if ledger.value(taken, known["eancode"], id):
                raise Refused(400, f"The ean already exists: {known['eancode']}.")
        columns = {"vad_last_amended_datetime": ledger.now()}
        for key, column in (("eancode", "vad_ean_code"), ("description", "vad_description")):
            if key in known:
                columns[column] = known[key]
        ledger.update("variant_detail", "vad_id", id, **columns)
        settings = body["variantsettings"]
        for key, column in (("discontinued", "vas_discontinued_product"), ("templatevariant", "vas_template_variant")):
            if key in settings:
                ledger.update("variant_setting", "vas_vad_id", id, **{column: int(bool(settings[key]))})
        for price in body["variantsalesinfo"]:
            self._price(id, price)
        row = self._row(id)
        for key, column in (("variantdimensions", "svw_dimensions"), ("analysis", "svw_analysis")):
            kept = json.loads(row[column]) | {name: _plain(value) for name, value in body[key].items()}
            ledger.update("sandbox_variant_words", "svw_vad_id", id, **{column: json.dumps(kept)})

    def _price(self, id: int, words: Row) -> None:
        mine = "SELECT vafp_vr_id FROM variant_foreign_price WHERE vafp_id = ? AND vafp_vad_id = ?"
        vat = self._ledger.value(mine, words.get("id"), id)
        if vat is None:
            raise Refused(400, "variantSalesInfo.Id was not found on this variant.")
        if "rspexcvat" in words:
            percent = self._ledger.value("SELECT vr_vat_rate FROM vat_rate WHERE vr_id = ?", vat)
            net = four(words["rspexcvat"])
            gross = four(net * (1 + Decimal(str(percent)) / 100))
            stamp = {"vafp_last_amended_datetime": self._ledger.now()}
            price = {"vafp_rsp_exc_vat": net, "vafp_rsp_inc_vat": gross, "vafp_base_price": net}
            self._ledger.update("variant_foreign_price", "vafp_id", words["id"], **price, **stamp)

    def _words(self, row: Row, prices: bool) -> Row:
        dimensions = json.loads(row["svw_dimensions"])
        words: Row = {
            "variantInfo": {
                "id": row["vad_id"],
                "code": row["vad_variant_code"],
                "eanCode": row["vad_ean_code"],
                "description": row["vad_description"],
            },
            "variantSettings": {
                "templateVariant": bool(row["vas_template_variant"]),
                "discontinued": bool(row["vas_discontinued_product"]),
            },
            "variantDimensions": {name: dimensions.get(name, 0) for name in _DIMENSIONS},
            "variantPurchaseSettings": {"estimatedCost": 0},
            "analysis": json.loads(row["svw_analysis"]),
        }
        if prices:
            found = self._ledger.rows("SELECT * FROM variant_foreign_price WHERE vafp_vad_id = ?", row["vad_id"])
            words["variantSalesInfo"] = [
                {"Id": price["vafp_id"], "rspExcVat": shown(price["vafp_rsp_exc_vat"])} for price in found
            ]
        return words


def _parts(body: Any) -> Row:
    """The five parts of a body, each there."""
    if not isinstance(body, dict):
        raise Refused(400, "The body must be an object.")
    parts = {name: body.get(name) or {} for name in ("variantinfo", "variantsettings", "variantdimensions", "analysis")}
    return parts | {"variantsalesinfo": list(body.get("variantsalesinfo") or [])}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
