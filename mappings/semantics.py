"""Set-ups that contradict themselves: stock deducted twice or not at all, a market served from the wrong country, a promise
that no poll can keep.

They are refused before they are in force, with the arithmetic in words.
"""

from collections.abc import Mapping
from typing import Any

from integration.domain.stock import ON_HAND
from mappings.schema import BrokenMapping


def check_stock(told: Mapping[str, Any], file: str) -> None:
    """Raises `BrokenMapping` when a mapping's stock contradicts itself or its markets and bundles."""
    _bundles(told["bundles"], file)
    stock = told["stock"]
    if stock is None:
        return
    if stock["figure"] == ON_HAND and stock["other_channels"]:
        problem = (
            "what other channels have sold is still on hand until it is shipped, and nobody here knows of it: with 10 on "
            "hand and 3 sold on a marketplace, shoppers would be offered 10 of the 7 that are left. Use the figure "
            "'available'"
        )
        raise BrokenMapping(file, "stock", "figure", problem)
    if stock["figure"] == ON_HAND and not all(row["zones"] for row in stock["places"].values()):
        problem = (
            "what came back and is not inspected, or lies in quarantine, is on hand too: with 10 on hand and 2 of them in "
            "quarantine, shoppers would be offered all 10. Name the zones that hold what can be sold, in zones of every place"
        )
        raise BrokenMapping(file, "stock", "figure", problem)
    behind = _behind(stock["places"], file)
    for market, row in told["markets"].items():
        if row["warehouse"] not in behind:
            problem = (
                f"the orders of {market} take from the ERP's warehouse {row['warehouse']}, which stands behind no place: "
                "they would be counted as deducted from a figure that never saw them"
            )
            raise BrokenMapping(file, "stock", "places", problem)
    for place, row in stock["places"].items():
        threshold, most = row["storefront_threshold"], max([stock["buffer"], *stock["buffers"].values()])
        if threshold and most:
            problem = (
                f"two buffers: of 10 available Lockstep holds back {most} and the storefront another {threshold}, so that "
                f"shoppers see {max(0, 10 - most - threshold)} instead of {max(0, 10 - most)}. Keep one of them"
            )
            raise BrokenMapping(file, f"stock.places.{place}", "storefront_threshold", problem)


def _behind(places: Mapping[str, Any], file: str) -> dict[int, str]:
    behind: dict[int, str] = {}
    for place, row in places.items():
        for warehouse in row["warehouses"]:
            other = behind.setdefault(warehouse, place)
            if other != place or row["warehouses"].count(warehouse) > 1:
                problem = (
                    f"the ERP's warehouse {warehouse} is counted twice: with 10 pieces in it, 20 would be offered. It stands "
                    f"behind {other}"
                )
                raise BrokenMapping(file, f"stock.places.{place}", "warehouses", problem)
    return behind


def _bundles(bundles: Mapping[str, Mapping[str, int]], file: str) -> None:
    for bundle, parts in bundles.items():
        for part in parts:
            if part in bundles:
                problem = f"{part} is a bundle itself: name the pieces that are stocked"
                raise BrokenMapping(file, f"bundles.{bundle}", part, problem)


def check_polls(told: Mapping[str, Any], file: str) -> None:
    """Raises `BrokenMapping` when the ERP would be asked more rarely than a promise allows."""
    rarely = told["options"]["poll_minutes"]
    for table in ("stock", "shipments"):
        promise = told[table]["shown_within_minutes"] if told[table] else None
        if promise is not None and rarely >= promise:
            problem = (
                f"the ERP is asked every {rarely} minutes, and [{table}] promises to show what changed there within {promise}: "
                "the promise would be broken again and again. Ask more often, or promise less"
            )
            raise BrokenMapping(file, "options", "poll_minutes", problem)


def check_facilities(told: Mapping[str, Any], file: str) -> None:
    """Raises `BrokenMapping` when a market's warehouse does not send to where the market sells.

    Nothing is held against it where `[facilities]` is left out.
    """
    sends = told["facilities"]
    for market, row in told["markets"].items() if sends else ():
        reached = sends.get(str(row["warehouse"]))
        far = [country for country in row["countries"] if country not in (reached or ())]
        if far:
            known = f"sends to {', '.join(reached)} only" if reached else "is not in [facilities]"
            problem = (
                f"{market} sells to {', '.join(far)}, and the ERP's warehouse {row['warehouse']} {known}: its orders would leave "
                "from the wrong place. Correct the market's warehouse, or say in [facilities] that it sends there"
            )
            raise BrokenMapping(file, f"markets.{market}", "warehouse", problem)
