"""The benchmark's yardstick: a Celery chain as one would first write it. The same HTTP calls, none of the promises."""

import os
from pathlib import Path
from typing import Any

import requests
from celery import Celery, chain

app = Celery("plain_chain", broker=os.environ["BENCH_BROKER_URL"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True)

CENTRA, FULFIL = os.environ["BENCH_CENTRA_URL"], os.environ["BENCH_FULFIL_URL"]
ORDER = Path(os.environ["BENCH_QUERY"]).read_text(encoding="utf-8")
HEADERS = {"Authorization": "Bearer sandbox-centra-token"}
KEY = {"X-API-KEY": "sandbox-token"}
session = requests.Session()
session.trust_env = False

CHANNELS = {"GBP": 1, "EUR": 2, "SEK": 3, "USD": 4, "JPY": 5, "KWD": 6}


@app.task
def fetch(number: int) -> dict[str, Any]:
    """Read one order."""
    body = {"query": ORDER, "variables": {"numbers": [number], "limit": 1}}
    answer = session.post(f"{CENTRA}/graphql", json=body, headers=HEADERS, timeout=30).json()
    return dict(answer["data"]["orders"][0])


@app.task
def create(node: dict[str, Any]) -> str:
    """Write it to the ERP as it stands."""
    identifier = f"centra-{node['number']}"
    lines = [
        {
            "channel_identifier": str(line["id"]),
            "sku": line["productSize"]["SKU"],
            "quantity": line["quantity"],
            "unit_price": str(round(line["net"]["value"] / line["quantity"], 4)),
            "amount": str(line["net"]["value"]),
            "tax_lines": [],
        }
        for line in node["lines"]
    ]
    total = sum(line["net"]["value"] for line in node["lines"])
    currency = node["grandTotal"]["currency"]["code"]
    place = {"name": "A", "address1": "1", "city": "C", "zip": "1", "country_code": "GB"}
    order = {
        "channel_identifier": identifier,
        "reference": identifier,
        "confirmed_at": node["createdAt"],
        "customer": {"name": "A", "contacts": []},
        "billing_address": place,
        "shipping_address": place,
        "sale_lines": lines,
        "shipping_lines": [],
        "payments": [],
        "amount": str(total),
        "currency_code": currency,
    }
    url = f"{FULFIL}/api/v2/model/sale.channel/create_order"
    session.put(url, json=[CHANNELS[currency], order], headers=KEY, timeout=30).raise_for_status()
    return identifier


@app.task
def read_back(identifier: str) -> None:
    """Look at what the ERP has, header and lines."""
    for model, domain in (
        ("sale.sale", [["channel_identifier", "=", identifier]]),
        ("sale.line", [["sale.channel_identifier", "=", identifier]]),
    ):
        url = f"{FULFIL}/api/v2/model/{model}/search_read"
        fields = ["id", "amount"] if model == "sale.line" else ["id", "state", "total_amount"]
        session.put(url, json=[domain, 0, 500, None, fields], headers=KEY, timeout=30).raise_for_status()


def send(numbers: list[int]) -> None:
    """Ring one chain an order."""
    for number in numbers:
        chain(fetch.si(number), create.s(), read_back.s()).apply_async()
