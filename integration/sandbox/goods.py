"""What the shops sell: about 110 sizes of 22 products, three bundles, two SKUs the ERP has never heard of, and what `grow`
adds to them.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from integration.sandbox.currencies import in_every_currency


@dataclass(frozen=True)
class Good:
    """One sellable size. `sku` = product number + variant number + size number, no separator.

    `prices` maps a currency to the list price of one piece; `parts` of a bundle are (sku, quantity).
    """

    product_id: int
    variant_id: int
    size_id: int
    product_number: str
    variant_number: str
    size_number: str
    product_name: str
    variant_name: str
    size_name: str
    tax_class: str
    ean: str
    prices: dict[str, Decimal]
    is_bundle: bool = False
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def sku(self) -> str:
        return self.product_number + self.variant_number + self.size_number


_PRODUCTS = (
    # product number, name, tax class, GBP list price, sizes
    ("LS101", "Linen Shirt", "standard", "45.00", "SML"),
    ("LS102", "Oxford Shirt", "standard", "59.00", "SML"),
    ("LS103", "Merino Jumper", "standard", "89.50", "SML"),
    ("LS104", "Rain Coat", "standard", "149.99", "SML"),
    ("LS105", "Canvas Trousers", "standard", "64.95", "SML"),
    ("LS106", "Wool Socks", "standard", "7.99", "SML"),
    ("LS107", "Leather Belt", "standard", "34.33", "SML"),
    ("LS108", "Down Vest", "standard", "119.00", "SML"),
    ("LS109", "Cotton Scarf", "standard", "19.97", "SML"),
    ("LS110", "Felt Hat", "standard", "39.00", "SML"),
    ("LS111", "Swim Shorts", "standard", "29.99", "SML"),
    ("LS112", "Tote Bag", "standard", "12.49", "SML"),
    ("KD201", "Kids' Rain Boots", "kids", "24.99", "SML"),
    ("KD202", "Kids' T-shirt", "kids", "9.99", "SML"),
    ("KD203", "Kids' Pyjamas", "kids", "17.33", "SML"),
    ("KD204", "Baby Blanket", "kids", "22.22", "SML"),
    ("BK301", "Mending Book", "books", "18.00", "S"),
    ("BK302", "Atlas of Wool", "books", "32.50", "S"),
    ("BK303", "Pattern Book", "books", "14.99", "S"),
    ("FD401", "Oat Biscuits", "food", "4.35", "S"),
    ("FD402", "Coffee Beans", "food", "11.11", "S"),
    ("FD403", "Green Tea", "food", "8.88", "S"),
)
_COLOURS = (("NV", "Navy"), ("GR", "Green"))
_SIZES = {"S": "Small", "M": "Medium", "L": "Large"}


def _ean(number: int) -> str:
    """A 13-digit EAN with a right check digit, in the range 20 for internal use."""
    body = f"20{number:010d}"
    weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-weighed % 10}"


def _plain_goods() -> list[Good]:
    goods: list[Good] = []
    for product_id, (number, name, tax_class, pounds, sizes) in enumerate(_PRODUCTS, start=1):
        for colour, (code, colour_name) in enumerate(_COLOURS):
            for size in sizes:
                size_id = 1000 + len(goods) + 1
                goods.append(
                    Good(
                        product_id, product_id * 10 + colour, size_id, number, code, size,
                        name, colour_name, _SIZES[size], tax_class, _ean(size_id), in_every_currency(Decimal(pounds)),
                    )
                )  # fmt: skip
    return goods


def _bundle(number: int, name: str, tax_class: str, pounds: str, *parts: tuple[str, int]) -> Good:
    """A bundle is a product of its own with one variant and one size; it is sold at its own price."""
    return Good(
        200 + number, 2000 + number * 10, 2500 + number, f"BX{500 + number}", "ST", "1",
        name, "Set", "One size", tax_class, _ean(2500 + number), in_every_currency(Decimal(pounds)), True, parts,
    )  # fmt: skip


def _unknown(number: int, name: str) -> Good:
    return Good(
        300 + number, 3000 + number * 10, 3500 + number, f"ZZ{900 + number}", "NV", "S",
        name, "Navy", "Small", "standard", _ean(3500 + number), in_every_currency(Decimal("27.00")),
    )  # fmt: skip


_GOODS = (
    *_plain_goods(),
    _bundle(1, "Rainy Day Set", "standard", "129.00", ("LS104NVM", 1), ("LS106NVM", 2)),
    _bundle(2, "Summer Set", "standard", "69.00", ("LS101GRM", 1), ("LS111GRM", 1)),
    _bundle(3, "Baby Box", "kids", "44.44", ("KD203NVS", 1), ("KD204NVS", 1), ("KD202NVS", 2)),
    _unknown(1, "Sample Sale Cap"),
    _unknown(2, "Forgotten Cardigan"),
)

GOODS: dict[str, Good] = {good.sku: good for good in _GOODS}
"""Everything Centra sells, by SKU."""

UNKNOWN_SKUS: tuple[str, ...] = tuple(sku for sku in GOODS if sku.startswith("ZZ"))
"""Sold in Centra, never created in the ERP."""

ERP_SKUS: tuple[str, ...] = tuple(sku for sku in GOODS if sku not in UNKNOWN_SKUS)
"""What the ERP knows, the bundles included (as products of their own)."""

SYNTHETIC: list[str] = []
"""SKUs that `grow` made; both systems know them, and no customer asks for them."""


def grow(count: int) -> None:
    """Add `count` plain SKUs, `SY000000` and so on, to every Centra and Fulfil that is made in this process from here on."""
    for number in range(len(SYNTHETIC), len(SYNTHETIC) + count):
        product, size = divmod(number, 3)
        good = Good(
            100_000 + product, 100_000 + product, 1_000_000 + number, f"SY{product:05d}", "", str(size),
            f"Synthetic {product}", "Plain", str(size), "standard", _ean(1_000_000 + number), _PLAIN_PRICE,
        )  # fmt: skip
        GOODS[good.sku] = good
        SYNTHETIC.append(good.sku)


_PLAIN_PRICE = in_every_currency(Decimal("10.00"))


@cache
def goods_by_size_id() -> dict[int, Good]:
    return {good.size_id: good for good in _GOODS}
