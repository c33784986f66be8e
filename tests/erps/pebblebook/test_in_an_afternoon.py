"""A third ERP is a folder: nothing else in the repository names it, every contract runs for it, and it works beside the others."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from erp_benches import SHIRT, SOCKS
from stage import Stage, example

from integration.sandbox.catalogue import UNKNOWN_SKUS
from integration.sandbox.centra_orders import BasketLine
from mappings import check_one_feed, check_one_home

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NAME = HERE.name
OSAKA = 4
"""As Centra numbers it."""


def test_no_file_outside_its_folder_names_it() -> None:
    found = subprocess.run(
        ["git", "grep", "--untracked", "-Iil", NAME], cwd=ROOT, capture_output=True, text=True, check=True
    )
    naming = {ROOT / path for path in found.stdout.splitlines()}
    assert {path.parent for path in naming} == {HERE}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {path for path in listed if NAME in path} <= {str(path.relative_to(ROOT)) for path in HERE.iterdir()}


def test_every_contract_of_an_erp_that_has_the_same_calls_runs_for_it() -> None:
    run = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "tests/contracts",
    ]
    told = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    contracts: defaultdict[str, set[str]] = defaultdict(set)
    for test, terms in re.findall(r"^(.*?)\[(.*)\]$", told, flags=re.MULTILINE):
        for erp in {"fulfil", NAME} & set(terms.split("-")):
            contracts[erp].add(f"{test}[{'-'.join(term for term in terms.split('-') if term != erp)}]")
    assert len(contracts[NAME]) > 100
    assert contracts[NAME] == contracts["fulfil"]


def without_asia(text: str) -> str:
    """A mapping from which Asia has moved to another connection."""
    tables = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    moved = re.compile(rf'\[(stock\.places\.{OSAKA}|(markets|carriers)\."Asia / .*")\]')
    return "".join(table for table in tables if not moved.match(table))


@pytest.fixture
def stage():
    made = Stage(erps=("fulfil", "orderwise", NAME), stock=True)
    made.apply(without_asia(example("fulfil")), "fulfil")
    yield made
    made.store.close()


def sweep_until(stage: Stage, done, rounds: int = 90) -> None:
    for _ in range(rounds):
        if done():
            return
        stage.sweep(every=60)
    raise AssertionError([(row.kind, row.number, row.state, row.reason) for row in stage.rows()])


HOMES = {"fulfil": (1, "GB"), "orderwise": (8, "GB"), NAME: (5, "JP")}


def test_each_market_has_its_own_erp_and_this_one_takes_orders_tells_stock_and_ships(stage: Stage) -> None:
    mappings = stage.world.connections()
    check_one_home(mappings)
    check_one_feed(mappings)
    lines = [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]
    numbers = {
        erp: stage.order(market_id=market, country=country, lines=lines) for erp, (market, country) in HOMES.items()
    }
    stage.hint(*numbers.values())
    stage.work()
    sweep_until(stage, lambda: all(stage.row(number).state == "proven" for number in numbers.values()))
    assert {erp: stage.row(number).connection for erp, number in numbers.items()} == {erp: erp for erp in HOMES}
    tenant, number = getattr(stage, NAME), numbers[NAME]
    assert [row["reference"] for row in tenant.books.kept["orders"].values()] == [f"centra-{number}"]
    assert len(stage.sales(number)) == 0

    tenant.adjust(SHIRT, 50, 1)
    sweep_until(stage, lambda: stage.centra.book.stock.free(OSAKA, SHIRT) == 48)

    tenant.ship(f"centra-{number}", tracking=["JP123"])
    sweep_until(stage, lambda: [row.state for row in stage.rows("shipment")] == ["proven"])
    (shown,) = stage.world.storefronts["brand"].shipments([number])[number]
    assert (shown.shipped, shown.captured, shown.carrier, shown.tracking) == (True, True, "Post", "JP123")
    assert {line.sku: line.quantity for line in shown.lines} == {SHIRT: 2, SOCKS: 3}
    assert [case for case in stage.open_cases() if case.cause not in UNKNOWN_SKUS] == []
