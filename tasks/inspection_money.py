"""The promises about money: what was captured, paid back and booked, per currency and market, in minor units.

Pure functions over the books; each returns the sentences that break it, or the sums.
"""

from collections.abc import Iterator
from decimal import Decimal

from integration.domain.money import Money
from tasks.books import REFUND_PREFIX, Books, Row, Rows, is_live
from tasks.inspection import payable

POSTED = ("posted", "paid")


def inspect_money(books: Books) -> dict[str, list[str]]:
    """Every invariant by name; an empty list means that it holds."""
    uneven = [f"{market}, {currency}: {c} in Centra, {e} in the ERP" for (market, currency), (c, e) in _uneven(books)]
    return {
        "captures_add_up": _captured(books),
        "every_refund_one_memo": [*refunds_without_memo(books), *_wrong_memos(books)],
        "money_in_is_money_out": uneven,
        "every_exception_has_an_owner": [f"{c['type']}: nobody owns it" for c in books.cases if not c["owner"]],
    }


def _captured(books: Books) -> list[str]:
    """Every order that Centra calls shipped has been paid: what was captured, or asked for, is its total."""
    taken: dict[str, int] = {}
    for capture in books.whole["captures"]:
        if capture["status"] != "FAILED":
            number = str(capture["order"])
            taken[number] = taken.get(number, 0) + capture["amount"]
    broken = []
    for number, order in books.orders.items():
        due = Money.of(order["grand_total"], order["currency"])
        if order["status"] == "SHIPPED" and number not in books.troubled and taken.get(number, 0) != due.minor:
            broken.append(f"{number}: {Money(taken.get(number, 0), due.currency)} captured, the order comes to {due}")
    return broken


def refused_captures(books: Books) -> tuple[list[str], list[str]]:
    """Shipments whose last capture failed, by their numbers: those of orders that were edited above what their customers had
    authorised, which no provider pays, and all others.
    """
    last = {str(row["shipment"]): row for row in books.whole["captures"] if row["shipment"]}
    refused = [(number, books.orders[str(row["order"])]) for number, row in last.items() if row["status"] == "FAILED"]
    above = [number for number, order in refused if Decimal(str(order["grand_total"])) > _authorised(order)]
    return above, [number for number, _ in refused if number not in above]


def _authorised(order: Row) -> Decimal:
    given = (entry for entry in order["payments"] if (entry["entry_type"], entry["status"]) == ("AUTH", "SUCCESS"))
    return sum((Decimal(str(entry["value"])) for entry in given), Decimal(0))


def _booked(memo: Row) -> Money:
    """What a credit note gives back, positive."""
    return -Money.of(memo["total"], str(memo["currency"]))


def refunds_without_memo(books: Books) -> list[str]:
    """Refunds that were settled and have neither a posted memo nor an exception."""
    broken = []
    for number in books.refunds:
        posted = [memo for memo in books.memos.get(REFUND_PREFIX + number, []) if memo["state"] in POSTED]
        if not posted and ("refund", number) not in books.case:
            job = books.job.get(("refund", number))
            told = f"{job['state']}: {job['reason']}" if job else "unknown to the ledger"
            broken.append(f"refund {number}: no posted memo ({told})")
    return broken


def _wrong_memos(books: Books) -> list[str]:
    """Memos that are doubled, unequal, or explained by no refund."""
    broken = []
    for reference, memos in books.memos.items():
        number = reference.removeprefix(REFUND_PREFIX)
        refund = books.refunds.get(number) if reference.startswith(REFUND_PREFIX) else None
        if ("refund", number) in books.case:
            continue
        if refund is None:
            broken += [f"memo {memo['number']}: no refund explains it" for memo in memos if memo["state"] in POSTED]
        elif len(memos) != 1:
            broken.append(f"refund {number}: {len(memos)} memos")
        elif _booked(memos[0]).minor != refund["amount"]:
            broken.append(f"refund {number}: {refund['amount']} paid back, {_booked(memos[0])} credited")
    return broken


def money(books: Books) -> dict[tuple[str, str], tuple[int, int]]:
    """(market, currency) to (Centra's sum, the ERP's sum): what customers were charged less what they got back.

    Centra: living orders at what they are worth (`payable`), less settled refunds. The ERP: its sales orders, less posted
    credit notes. An order counts once our ledger calls it proven; what waits, and what is an open exception, counts on
    neither side: an order's exception takes the order out with its refunds, a refund's takes that refund and its memo.
    A posted credit note that no refund explains counts, so that it shows.
    """
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for key, centra, erp in _movements(books):
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + centra, before[1] + erp)
    return sums


def by_currency(*told: dict[tuple[str, str], tuple[int, int]]) -> dict[str, dict[str, int]]:
    """The sums of all markets of all these together: {currency: {"centra": minor, "erp": minor}}."""
    found: dict[str, dict[str, int]] = {}
    for (_, currency), (centra, erp) in sorted(entry for sums in told for entry in sums.items()):
        row = found.setdefault(currency, {"centra": 0, "erp": 0})
        row["centra"] += centra
        row["erp"] += erp
    return found


def _movements(books: Books) -> Iterator[tuple[tuple[str, str], int, int]]:
    """((market, currency), minor units in Centra, minor units in the ERP) of everything that counts."""
    counting = {number: order for number, order in books.orders.items() if _counts(books, number, order)}
    for number, order in counting.items():
        booked = sum(Money.of(sale["total"], str(sale["currency"])).minor for sale in books.sales.get(number, []))
        yield _place(order), payable(order).minor, booked
    for number, refund in books.refunds.items():
        order_or_none = counting.get(str(refund["order"]))
        if order_or_none and ("refund", number) not in books.case:
            yield _place(order_or_none), -refund["amount"], -_posted(books.memos.get(REFUND_PREFIX + number, ()))
    for reference, memos in books.memos.items():
        number = reference.removeprefix(REFUND_PREFIX)
        if number not in books.refunds and ("refund", number) not in books.case:
            yield ("no refund of ours", str(memos[0]["currency"])), 0, -_posted(memos)


def _place(order: Row) -> tuple[str, str]:
    return str(order["market"]), str(order["currency"])


def _posted(memos: Rows) -> int:
    return sum(_booked(memo).minor for memo in memos if memo["state"] in POSTED)


def _counts(books: Books, number: str, order: Row) -> bool:
    job = books.job.get(("order", number))
    return is_live(order) and job is not None and job["state"] == "proven" and ("order", number) not in books.case


def _uneven(books: Books) -> list[tuple[tuple[str, str], tuple[int, int]]]:
    return [(key, both) for key, both in sorted(money(books).items()) if both[0] != both[1]]
