"""OrderWise as an `ERP`, over OWAPI."""

import base64

from integration.erp.orderwise.client import OWAPI
from integration.erp.orderwise.credit import Credit
from integration.erp.orderwise.products import Products
from integration.erp.orderwise.profile import profile_of
from integration.erp.orderwise.returns import Returns
from integration.erp.orderwise.shipments import Shipments
from integration.erp.orderwise.stock import Stock
from integration.http import Http
from integration.ports import ERP
from mappings import Mapping as Mapped


class OrderWise(Credit, Stock, Shipments, Returns, Products):
    """One OrderWise tenant; its credit notes are orders of a kind, so orders come with them."""

    def check(self) -> str:
        return f"reachable; LOOKUPS names {len(self.looked_up())} records"


def connect(name: str, http: Http, mapping: Mapped) -> ERP:
    """The adapter of a connection. Raises `BrokenMapping` for a tenant profile that cannot be used."""
    profile = profile_of(mapping)
    return OrderWise(name, OWAPI(http, profile), profile)


def headers(token: str) -> dict[str, str]:
    """How `user:password` travels to the login; every other call bears the token that it gave."""
    return {"Authorization": "Basic " + base64.b64encode(token.encode()).decode()}
