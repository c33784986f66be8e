"""What each call of OWAPI does. Keys of a reply that were never seen are marked so."""

from collections.abc import Callable
from typing import Any

from integration.sandbox import orderwise_catalogue as own
from integration.sandbox.faults import Plan
from integration.sandbox.orderwise_access import Access
from integration.sandbox.orderwise_exports import Exports
from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_order_form import Form, read
from integration.sandbox.orderwise_orders import MISPRICED, Orders
from integration.sandbox.orderwise_routes import Request, Route, route
from integration.sandbox.orderwise_sessions import Session, Sessions
from integration.sandbox.orderwise_stock import Stock
from integration.sandbox.orderwise_switches import OrderWiseSwitches
from integration.sandbox.orderwise_variants import Variants
from integration.sandbox.orderwise_wire import Refused, Reply, Row, answer, shown

VALUE_LISTS = {
    1: "SELECT c_id AS id, c_code AS name FROM currency",
    2: "SELECT vr_id AS id, vr_vat_code AS name FROM vat_rate",
    4: "SELECT sl_id AS id, sl_description AS name FROM stock_location",
    18: "SELECT dm_id AS id, dm_description AS name FROM delivery_method",
    20: "SELECT pm_id AS id, pm_description AS name FROM payment_method",
}
"""Numbers claimed by one source; 15 (order types) and 56 (price lists) are no tables here."""


class Calls:
    """The routes and their acts; not locked."""

    def __init__(
        self, ledger: Ledger, access: Access, orders: Orders, sessions: Sessions, stock: Stock, exports: Exports,
        variants: Variants, credit: Callable[[Form, Plan | None], int], switches: OrderWiseSwitches,
    ) -> None:  # fmt: skip
        self._ledger, self._access, self._orders, self._sessions = ledger, access, orders, sessions
        self._stock, self._exports, self._variants, self._credit = stock, exports, variants, credit
        self._switches = switches
        self.routes: list[Route] = [
            route("POST", "sales/order", "create_order", "sales orders", self._create_order),
            route("GET", "sales/order/{id}/status", "order_status", "sales orders", self._order_status),
            route("POST", "system/export-definition/{id}", "export_definition", "export definitions", self._export),
            route("GET", "system/stock-locations", "stock_locations", "system", self._stock_locations),
            route("GET", "value-lists/{id}", "value_list", "value lists", self._value_list),
            route("GET", "customers", "customers", "customers", self._customers),
            route("GET", "customers/{id}", "customer", "customers", self._customer),
            route("GET", "stock/variants", "stock_variants", "stock", self._stock_variants),
            route("GET", "stock/{id}", "stock", "stock", self._stock_of),
            route("GET", "stock/{id}/free-stock", "free_stock", "stock", self._free_stock),
            route("GET", "variants/{id}", "variant", "variants", self._variants.get),
            route("PUT", "variants/{id}", "update_variant", "variants", self._variants.put),
            route("POST", "variants", "create_variant", "variants", self._variants.post),
        ]

    def import_order(self, form: Form, session: Session) -> int:
        """What a session's run does with one order."""
        return self._orders.take(form, session)

    def _create_order(self, request: Request, plan: Plan | None) -> Reply:
        """At once or queued, as the switches and the fault have it."""
        session = self._sessions.ready(request.whole("session_id", 0))
        form = read(session.id, request.body)
        fault = plan.fault if plan else ""
        if fault == "refused":
            raise Refused(400, f"Order {form.number} could not be imported.")
        if fault == "import-fails":
            self._sessions.queue(session, form, self._broken)
            return self._made(form, "order", None)
        late = self._switches.import_mode == "queued" or fault == "queued"
        if form.type == 4:
            if late:
                self._sessions.queue(session, form, lambda form, session: self._credit(form, None))
            return self._made(form, "credit", None if late else self._credit(form, plan))
        if self._switches.unknown_sku == "e-mail" and not late:
            late = any(self._stock.variant(line.code) is None for line in form.lines)
        if late:
            self._sessions.queue(session, form, self.import_order)
            return self._made(form, "order", None)
        return self._made(form, "order", self._orders.take(form, session, plan if fault in MISPRICED else None))

    def _broken(self, form: Form, session: Session) -> int:
        raise Refused(400, f"Order {form.number} could not be imported.")

    def _made(self, form: Form, kind: str, id: int | None) -> Reply:
        """What the caller hears; an order that only waits has no id yet."""
        status, words = self._switches.create_status, self._switches.create_response
        if words == "empty" or (id is None and words == "id"):
            return Reply(status)
        if words == "id":
            return answer(id, status)
        said: Row = {"eCommerceOrderNumber": form.number}
        if id is not None:
            number = "SELECT oh_order_number FROM order_header WHERE oh_id = ?"
            if kind == "credit":
                number = "SELECT ch_number FROM credit_header WHERE ch_id = ?"
            said = {"orderId": id, "orderNumber": self._ledger.value(number, id)} | said
        return answer(said, status)

    def _order_status(self, request: Request, plan: Plan | None) -> Reply:
        """Seen in one client: these four keys. What include_lines and include_delivery add was never seen; nothing here."""
        found = self._ledger.row(
            "SELECT oh_order_number, oh_ecommerce_number, os_description FROM order_header"
            " JOIN order_status ON os_id = oh_os_id WHERE oh_id = ?",
            request.id,
        )
        if found is None:
            raise Refused(404, f"Order {request.id} was not found.")
        number, reference, status = found.values()
        words = {"orderNumber": number, "eCommerceOrderNumber": reference, "orderStatus": status}
        return answer(words | {"subStatus": None})

    def _export(self, request: Request, plan: Plan | None) -> Reply:
        return answer(self._exports.run(request.id, request.body))

    def _stock_locations(self, request: Request, plan: Plan | None) -> Reply:
        """Unconfirmed: the keys."""
        return answer(
            self._ledger.rows("SELECT sl_id AS id, sl_description AS name FROM stock_location ORDER BY sl_id")
        )

    def _value_list(self, request: Request, plan: Plan | None) -> Reply:
        if request.id == 15:
            rows = [{"id": id, "name": name} for id, name in own.ORDER_TYPES.items()]
        elif request.id == 56:
            rows = [{"id": 1, "name": "Retail"}]
        elif request.id in VALUE_LISTS:
            rows = self._ledger.rows(VALUE_LISTS[request.id] + " ORDER BY 1")
        else:
            raise Refused(404, f"Value list {request.id} was not found.")
        return answer([{"id": row["id"], self._switches.value_list_name: row["name"]} for row in rows])

    def _page(self, request: Request, table: str, key: str) -> list[Row]:
        """`limit` rows after `last_id`, by id; an empty page ends it."""
        sql = f"SELECT * FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?"  # noqa: S608  # names are this code's own
        return self._ledger.rows(sql, request.whole("last_id", 0), request.whole("limit", self._switches.default_limit))

    def _customers(self, request: Request, plan: Plan | None) -> Reply:
        return answer([_customer(row) for row in self._page(request, "customer_detail", "cd_id")])

    def _customer(self, request: Request, plan: Plan | None) -> Reply:
        found = self._ledger.row("SELECT * FROM customer_detail WHERE cd_id = ?", request.id)
        if found is None:
            raise Refused(404, f"Customer {request.id} was not found.")
        return answer(_customer(found))

    def _stock_variants(self, request: Request, plan: Plan | None) -> Reply:
        """Seen: variantID and variantCode, and a limit of 200000; more keys are there, and not known."""
        rows = self._page(request, "variant_detail", "vad_id")
        return answer([{"variantID": row["vad_id"], "variantCode": row["vad_variant_code"]} for row in rows])

    def _stock_of(self, request: Request, plan: Plan | None) -> Reply:
        """Seen: one row a location with `freeStock`. Unconfirmed: what the location is called in it."""
        rows = self._ledger.rows(
            "SELECT * FROM variant_stock_location WHERE vsl_vad_id = ? ORDER BY vsl_sl_id", self._known(request.id)
        )
        return answer(
            [{"stockLocationId": row["vsl_sl_id"], "freeStock": shown(row["vsl_free_stock_quantity"])} for row in rows]
        )

    def _free_stock(self, request: Request, plan: Plan | None) -> Reply:
        """Over all locations."""
        free = "SELECT vasq_free_stock_quantity FROM variant_stock_quantity WHERE vasq_vad_id = ?"
        return answer({"freeStockQty": shown(self._ledger.value(free, self._known(request.id)))})

    def _known(self, id: int) -> int:
        if self._ledger.value("SELECT vad_id FROM variant_detail WHERE vad_id = ?", id) is None:
            raise Refused(404, f"Variant {id} was not found.")
        return id


_NOTHING: dict[str, Any] = dict.fromkeys(
    ("statementAddress1", "statementAddress2", "statementAddress3", "statementTown", "statementPostcode",
     "statementCounty", "statementCountry", "statementWebsite", "statementTelephone", "statementFax",
     "invoiceName", "invoiceAddress1", "invoiceAddress2", "invoiceAddress3", "invoiceTown", "invoicePostcode",
     "invoiceCounty", "invoiceCountry", "invoiceEmail", "invoiceWebsite", "invoiceTelephone", "invoiceFax",
     "invoiceCountryCode", "vatNumber", "nominalCodeId", "departmentCodeId", "costCentreId", "priceListId",
     "priceListDiscountPercent", "multisaverDiscountGroupId", "discountStructureId"), None
)  # fmt: skip
"""Keys of a customer that are there and empty; an invoice address that is null is the statement's."""


def _customer(row: Row) -> Row:
    """The keys are as seen."""
    return _NOTHING | {
        "id": row["cd_id"],
        "accountNumber": row["cd_account_number"],
        "statementName": row["cd_statement_name"],
        "statementEmail": row["cd_statement_email"],
        "statementCountryCode": "GB",
        "defaultTaxCodeId": 1,
        "overrideVariantTax": False,
        "currencyId": row["cd_currency_id"],
        "defaultDeliveryMethodId": 1,
        "defaultDeliveryGroupId": None,
        "usePriceList": False,
        "defaultStockLocationId": own.LEEDS,
        "accountCustomer": False,
        "onHold": bool(row["cd_on_hold"]),
        "manualOnHold": False,
        "overCreditTerms": False,
        "creditLimit": 0,
        "openOrdersValue": 0,
        "availableToSpend": 0,
        "balance": 0,
    }
