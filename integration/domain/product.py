"""A SKU as one system has it, and what two systems' words of the same SKU come to.

Spelling: a SKU is told from another without its outer spaces, its case, and the many dashes that a keyboard offers; what is
sent is always the system's own text.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

ON_SALE, HELD, ARCHIVED = "on sale", "held back", "archived"
"""What a SKU may be in a system. In an ERP one that is active is on sale, and one that is not is archived."""

ERP, STOREFRONT = "erp", "storefront"
MASTERS = (ERP, STOREFRONT)
EAN, NAME, BUNDLE, PRICE, SKU = "ean", "name", "bundle", "price", "sku"
COMPARED = (EAN, NAME, BUNDLE)
"""Fields that both systems tell, so that one of them can be master and the other be held against it."""
REQUIRED = (EAN, NAME, "weight", PRICE)
"""Fields that a new item may be required to have in the ERP before it is sold."""

_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Item:
    """A SKU as one system has it. `ref` is that system's own address of it.

    `fields` are those that the system tells, in plain text, empty where they are. `parts` are the pieces of a kit by SKU;
    `None` where the system does not tell them. `family` is what is put on sale as one (a colour with all its sizes), and
    `siblings` the SKUs in it, this one among them; both are the storefront's. `is_bundle`: the system surely has no stock of
    it, only of its parts.
    """

    sku: str
    ref: str
    status: str
    fields: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, int | Fraction] | None = None
    family: str = ""
    siblings: tuple[str, ...] = ()
    is_bundle: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two systems tell differently."""

    field: str
    storefront: str
    erp: str


def folded(sku: str) -> str:
    """What two spellings of one SKU have in common."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", sku))
    return _SPACES.sub(" ", plain.strip()).casefold()


def spelt(sku: str, found: Iterable[Item]) -> tuple[Item | None, list[Item]]:
    """Of the items that may be this SKU: the one that is spelt like it, outer spaces aside, and the others that only may be.

    Two that are spelt like it are both others: never a guess.
    """
    alike = [item for item in found if folded(item.sku) == folded(sku)]
    exact = [item for item in alike if item.sku.strip() == sku.strip()]
    if len(exact) == 1:
        return exact[0], [item for item in alike if item is not exact[0]]
    return None, alike


def lacking(item: Item, required: Collection[str]) -> list[str]:
    """The required fields that an item does not have, or has as nothing."""
    return [name for name in required if item.fields.get(name, "").strip() in ("", "0", "0.0", "0.00", "0.0000")]


def differences(offer: Item, item: Item, compared: Collection[str]) -> list[Difference]:
    """The fields of plain text that the storefront and the ERP tell differently; spaces and case do not differ."""
    told = [name for name in compared if name != BUNDLE and name in offer.fields and name in item.fields]
    pairs = [(name, offer.fields[name], item.fields[name]) for name in told]
    return [Difference(name, ours, theirs) for name, ours, theirs in pairs if folded(ours) != folded(theirs)]


def in_parts(parts: Mapping[str, int | Fraction]) -> str:
    """1 × A, 2 × B."""
    return ", ".join(f"{pieces} × {sku}" for sku, pieces in sorted(parts.items())) or "nothing"
