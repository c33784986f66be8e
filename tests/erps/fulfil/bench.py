"""Fulfil on a bench."""

from typing import Any

from erp_benches import Bench, return_of
from erp_folders import Connection
from stage import Stage

from integration.domain.order import Order
from integration.sandbox.fulfil import TOKEN, Fulfil

CONNECTION = Connection(
    sandbox=Fulfil,
    url="https://fulfil.test",
    token=TOKEN,
    calls={"return": "return_order", "memo": "create_invoice", "post": "post"},
)


def bench() -> Bench:
    stage = Stage(erps=("fulfil",))
    erp, mapping = stage.world.erp("fulfil"), stage.world.mapping("fulfil", 1)

    def documents(reference: str) -> list[dict[str, Any]]:
        return [s for s in stage.fulfil.books()["sales"] if s["channel_identifier"] == reference]

    def fault(name: str, call: str = "create_order", **terms: Any) -> None:
        stage.fulfil.faults.plan(name, operation=call, **terms)

    def credit_by_hand(reference: str) -> None:
        invoices = [int(id) for sale in documents(reference) for id in sale["invoices"]]
        first = next(i["id"] for i in stage.fulfil.books()["invoices"] if i["id"] in invoices and float(i["total"]) > 0)
        with stage.fulfil._changing():
            stage.fulfil._states.invoices.credit(stage.fulfil._records.get("account.invoice", first))

    def announced(reference: str) -> list[dict[str, Any]]:
        return [
            {
                "id": sale["id"],
                "pieces": {sku: -quantity for sku, quantity, *_ in sale["lines"]},
                "value": max(map(abs, (float(sale["total"]), *(float(line[3]) for line in sale["lines"])))),
            }
            for sale in documents(reference)
        ]

    def announce(order: Order, ref: str, pieces: dict[str, int], number: str) -> str:
        return erp.open_return(return_of(order, number, pieces), ref, mapping).send()

    return Bench(
        stage=stage,
        erp=erp,
        mapping=mapping,
        warehouse=4,
        fault=fault,
        documents=documents,
        finish=stage.fulfil.pack,
        count=stage.fulfil.adjust,
        ship=stage.fulfil.ship,
        relabel=stage.fulfil.relabel,
        receive=stage.fulfil.receive_return,
        inspect=stage.fulfil.inspect_return,
        memos=lambda reference: [i for i in stage.fulfil.books()["invoices"] if i["reference"] == reference],
        close_books=lambda day: stage.fulfil.switches.change({"closed_until": day}),
        credit_by_hand=credit_by_hand,
        calls=CONNECTION.calls,
        places=(4, 65, 66),
        cancel=lambda reference: erp.cancel_write(reference, str(documents(reference)[0]["id"])).send(),
        cancels=True,
        announce=announce,
        announced=announced,
        tells_arrival=True,
        shipments=lambda reference: documents(reference)[0]["shipments"],
        add_product=stage.fulfil.add_product,
        requests=stage.fulfil.requests.total,
    )
