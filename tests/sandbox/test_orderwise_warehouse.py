"""The warehouse at work in OrderWise's sandbox, and the sandbox on a real port."""

import json
import signal
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

import pytest

from integration.sandbox.clock import HandClock
from integration.sandbox.orderwise import OrderWise
from integration.sandbox.orderwise_example import Client, order
from integration.sandbox.warehouse import Habits, Warehouse

BUSY = Habits(in_parts=0.5, in_parcels=0.4, relabelled=0.4, arrives_in_parts=0.4, mixed=0.4, goods_in=0.0)


def day(seed: int) -> OrderWise:
    """Thirty orders, shipped; then all of it comes back."""
    clock = HandClock(datetime(2026, 3, 1, tzinfo=UTC))
    orderwise = OrderWise(clock)
    client, warehouse = Client(orderwise.app), Warehouse(orderwise, Random(seed), clock, 60, BUSY)
    for number in range(30):
        body = order(f"centra-{number}", ("LS101NVS", 4, "37.50"), ("BX501ST1", 2, "107.50"))
        assert client.post("sales/order?session_id=21", body).status == 201
    for _ in range(1000):
        clock.pass_time(1)
        warehouse.step()
    assert {each["status"] for each in orderwise.books()["orders"]} == {"Completed"}
    for number in range(30):
        orderwise.raise_return(f"centra-{number}", None, f"centra-r{number}")
    for _ in range(2500):
        clock.pass_time(1)
        warehouse.step()
    return orderwise


@pytest.mark.parametrize("seed", range(2))
def test_everything_is_shipped_and_put_away_and_nothing_is_lost(seed):
    books = day(seed).books()
    assert len(books["deliveries"]) > 30
    assert {each["status"] for each in books["returns"]} == {"Completed"}
    verdict = Counter[str]()
    for row in books["returns"]:
        for line in row["lines"]:
            assert line["expected"] == line["received"]
            for word in ("restocked", "quarantined", "scrapped"):
                verdict[f"{line['sku']} {word}"] += line[word]
    assert sum(count for key, count in verdict.items() if key.startswith("LS101NVS")) == 120
    shirts = books["stock"]["LS101NVS"]["by_location"]
    assert shirts["Leeds"]["in_stock"] == 5000 - 120 + verdict["LS101NVS restocked"]
    assert shirts["Leeds returns"]["in_stock"] == verdict["LS101NVS quarantined"]
    coats = books["stock"]["LS104NVM"]["by_location"]
    assert coats["Leeds"] == dict.fromkeys(("free", "in_stock"), 5000 - 60 + verdict["BX501ST1 restocked"])


def test_equal_seeds_are_equal_days():
    assert day(5).books() == day(5).books()


def test_the_command_serves_orderwise_too():
    root = Path(__file__).parents[2]
    words = [sys.executable, "-m", "integration.sandbox.serve", "--warehouse", "60", "--scarce", "3"]
    process = subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        there = json.loads(process.stdout.readline())["orderwise"]
        basic = b64encode(f"{there['user']}:{there['password']}".encode()).decode()
        asked = Request(f"{there['url']}/token/gettoken", headers={"Authorization": f"Basic {basic}"})
        with urlopen(asked, timeout=10) as answer:
            token = json.loads(answer.read())
        asked = Request(f"{there['url']}/stock/variants", headers={"Authorization": f"Bearer {token}"})
        with urlopen(asked, timeout=10) as answer:
            assert json.loads(answer.read())[0]["variantCode"] == "LS101NVS"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        process.stdout.close()
