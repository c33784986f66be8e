"""Variants of OrderWise as items: read by our own export definition, made from a template, discontinued.

Seen at an integrator: POST /variants?template_variant_id= copies everything that is not sent from the template and answers 201
with `variantInfo.id`; PUT /variants/{id} changes what is sent alone; an EAN is unique, so it is cleared as a variant is
discontinued, or the next product with it is refused. Unconfirmed: that a new variant can be read at once.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from integration.domain.money import digits
from integration.domain.product import ARCHIVED, ON_SALE, Item, spelt
from integration.erp.orderwise import wire
from integration.erp.orderwise.client import Refusal, Row
from integration.erp.orderwise.stock import kits, pieces_of, with_components
from integration.erp.orderwise.tenant import Tenant, fingerprint
from integration.errors import Rejected, Unknown
from integration.ports import DEACTIVATION, NEW_ITEM, EffectClass, Write

LANE = "stock"
SHOWN_WITHIN = timedelta(seconds=60)
"""Unconfirmed: how long after a doubtful call an absent variant proves nothing."""


class Products(Tenant):
    """`ERPItems`."""

    def definitions(self, skus: Collection[str], *, parts: bool = False) -> Sequence[Item]:
        """SQL Server compares texts without their case and the spaces behind them; so does what is found here."""
        rows = [row for row in self.named("products", skus, lane=LANE, after=0, until=0) if row["kind"] == "variant"]
        recipes: dict[str, dict[str, Fraction]] = {}
        if parts and any(row["kit"] for row in rows):
            skus = {str(row["sku"]) for row in rows if row["kit"]}
            recipes = kits(with_components(skus, lambda wanted: self.named("stock", wanted, lane=LANE)))
        built = {sku: pieces_of(sku, recipes) for sku in recipes}
        return [_item(row, built.get(str(row["sku"]).strip(), {}) if parts else None) for row in rows]

    def item(self, ref: str) -> Item:
        row = self.client.record(f"/variants/{int(ref)}?include_sales_info=true", lane=LANE)
        told, settings = row.get("variantinfo") or {}, row.get("variantsettings") or {}
        prices = [price.get("rspexcvat") for price in row.get("variantsalesinfo") or ()]
        fields = {
            "ean": _text(told.get("eancode")),
            "name": _text(told.get("description")),
            "weight": _figure((row.get("variantdimensions") or {}).get("weight")),
            "price": next((_figure(price) for price in prices if price), ""),
        }
        status = ARCHIVED if settings.get("discontinued") else ON_SALE
        return Item(_text(told.get("code")), ref, status, fields)

    def create_item(self, offer: Item, template: str) -> Write | None:
        if not template:
            return None
        body = {
            "variantInfo": {
                "code": offer.sku,
                "eanCode": offer.fields.get("ean") or None,
                "description": offer.fields["name"],
            },
            "variantSettings": {"templateVariant": False, "discontinued": False},
        }
        if offer.fields.get("weight"):
            body["variantDimensions"] = {"weight": digits(offer.fields["weight"])}
        return Write(
            name=NEW_ITEM,
            effect_class=EffectClass.LOOK_UP,
            reference=offer.sku,
            fingerprint=fingerprint([template, body]),
            send=lambda: self._make(body, offer.sku, template),
            find=lambda: [found.ref] if (found := spelt(offer.sku, self.definitions([offer.sku]))[0]) else [],
            wait=SHOWN_WITHIN,
            takes=self.takes(2),
        )

    def _make(self, body: Row, sku: str, template: str) -> str:
        from_, _ = spelt(template, self.definitions([template]))
        if from_ is None:
            message = f"OrderWise has no variant {template!r} to make {sku} from: [products] template names it"
            raise Rejected("PRODUCT_STAGING_INCOMPLETE", f"template {template}", message)
        try:
            answer = self.client.post(f"/variants?template_variant_id={from_.ref}", wire.plain(body), lane=LANE)
        except Refusal as refused:
            message = f"OrderWise refuses to make {sku}"
            raise Rejected(
                "PRODUCT_STAGING_INCOMPLETE", f"orderwise:{sku} refused", message, evidence=refused.words
            ) from refused
        ref = _text((answer.get("variantinfo") or {}).get("id") or answer.get("id"))
        if not ref.isdigit():
            raise Unknown(f"OrderWise took {sku} and names no id of it")
        return ref

    def deactivate_item(self, item: Item) -> Write | None:
        body = {"variantInfo": {"eanCode": None}, "variantSettings": {"discontinued": True}}

        def send() -> str:
            try:
                self.client.put(f"/variants/{int(item.ref)}", body, lane=LANE)
            except Refusal as refused:
                message = f"OrderWise refuses to discontinue {item.sku}"
                raise Rejected("PRODUCT_BY_HAND", f"orderwise:{item.sku}", message, evidence=refused.words) from refused
            return item.ref

        return Write(
            name=DEACTIVATION,
            effect_class=EffectClass.LOOK_UP,
            reference=f"variant {item.ref}",
            fingerprint=fingerprint([item.ref, body]),
            send=send,
            find=lambda: [item.ref] if self.item(item.ref).status == ARCHIVED else [],
            wait=timedelta(0),  # it may be said again
            takes=self.takes(1),
        )


def _item(row: Row, parts: dict[str, Fraction] | None) -> Item:
    status = ON_SALE if row["for_sale"] and not row["discontinued"] else ARCHIVED
    fields = {"ean": _text(row["ean"]), "name": _text(row["name"])}
    return Item(str(row["sku"]), str(row["id"]), status, fields, parts, is_bundle=bool(row["kit"]))


def _text(told: object) -> str:
    return "" if told is None else str(told).strip()


def _figure(told: object) -> str:
    """A plain figure, empty for nothing and for what is none."""
    try:
        value = Decimal(str(told))
    except InvalidOperation:
        return ""
    return format(value.normalize(), "f") if value else ""
