"""The vendor's own Python client drives the sandbox over a real port: an independent reader of the same protocol."""

import threading
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from fulfil_client import Client, ClientError, ServerError, UserError
from fulfil_client.client import BearerAuth
from fulfil_client.exceptions import AuthenticationError, RateLimitError
from waitress.server import create_server

from integration.sandbox.clock import RealClock
from integration.sandbox.fulfil import TOKEN, Fulfil
from integration.sandbox.fulfil_example import order


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Fulfil, str]]:
    fulfil = Fulfil(RealClock())
    server = create_server(fulfil.app, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield fulfil, f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(1)


@pytest.fixture
def fulfil(served: tuple[Fulfil, str]) -> Iterator[Fulfil]:
    fulfil, _ = served
    yield fulfil
    fulfil.faults.clear()
    fulfil.switches.change({"rate_limit": 0})


@pytest.fixture
def client(served: tuple[Fulfil, str]) -> Iterator[Client]:
    client = Client("sandbox", TOKEN, context={})
    yield aimed(client, served[1])
    client.session.close()


def aimed(client: Client, address: str) -> Client:
    client.host, client.base_url = address, f"{address}/api/v2"
    client.session.trust_env = False
    return client


def test_the_client_learns_its_context(client: Client) -> None:
    assert client.refresh_context()["company"] == 1


def test_a_bearer_token_works_too(served: tuple[Fulfil, str]) -> None:
    client = Client("sandbox", context={})
    client.set_auth(BearerAuth(TOKEN))
    assert aimed(client, served[1]).model("sale.channel").search_count([]) == 7
    client.session.close()


def test_the_client_searches_reads_creates_and_writes(client: Client) -> None:
    party = client.model("party.party")
    (id,) = party.create([{"name": "Zoë", "email": "zoe@example.com"}])
    assert party.search([("email", "=", "zoe@example.com")]) == [id]
    assert party.search_read([("id", "=", id)], None, None, None, ["name"]) == [{"id": id, "name": "Zoë"}]
    client.record("party.party", id).update(name="Zoe")
    assert party.get(id)["name"] == "Zoe"
    assert party.find([("id", "=", id)], fields=["name"]) == [{"id": id, "name": "Zoe"}]
    assert party.delete([id]) is None
    assert party.search([("id", "=", id)]) == []


def test_the_client_pages_through_everything(client: Client) -> None:
    found = list(client.model("product.product").search_read_all([], [("id", "ASC")], ["code"], batch_size=50))
    assert len(found) == 111
    assert found[0]["code"] == "LS101NVS"


def test_an_order_created_twice_is_one_sale(client: Client, fulfil: Fulfil) -> None:
    channel = client.model("sale.channel")
    first, again = (channel.create_order(1, order("twice")) for _ in range(2))
    assert (first.model_name, first.id, first.rec_name) == ("sale.sale", again.id, again.rec_name)
    domain = [("channel", "=", 1), ("channel_identifier", "=", "twice")]
    assert client.model("sale.sale").search_count(domain) == 1
    assert len([sale for sale in fulfil.books()["sales"] if sale["channel_identifier"] == "twice"]) == 1


def test_values_arrive_with_their_types(client: Client) -> None:
    client.model("sale.channel").create_order(1, order("typed"))
    sale = client.model("sale.sale")
    fields = ["total_amount", "sale_date", "create_date", "write_date", "state"]
    (row,) = sale.search_read([("channel_identifier", "=", "typed")], 0, 1, [("id", "ASC")], fields)
    assert row["total_amount"] == Decimal("112.80")
    assert row["sale_date"] == date(2026, 3, 1)
    assert isinstance(row["create_date"], datetime)
    assert row["write_date"] is None
    assert sale.search([("create_date", ">=", row["create_date"]), ("id", "=", row["id"])]) == [row["id"]]
    (line, *_) = client.model("sale.line").search_read(
        [("sale", "=", row["id"])], 0, 5, None, ["quantity", "unit_price"]
    )
    assert isinstance(line["quantity"], float)
    assert line["unit_price"] == Decimal("45.00")


def test_a_business_refusal_is_the_clients_user_error(client: Client) -> None:
    with pytest.raises(UserError) as refused:
        client.model("sale.channel").create_order(1, order("bad", ("ZZ901NVS", 1, "1.00")))
    assert refused.value.message == 'Product with code "ZZ901NVS" was not found.'
    assert refused.value.code == "E1000"


def test_a_bad_token_is_the_clients_authentication_error(served: tuple[Fulfil, str]) -> None:
    client = aimed(Client("sandbox", "wrong", context={}), served[1])
    with pytest.raises(AuthenticationError):
        client.model("sale.sale").search([])
    client.session.close()


def test_too_many_requests_and_too_many_rows_are_the_clients_rate_limit_error(client: Client, fulfil: Fulfil) -> None:
    with pytest.raises(RateLimitError):
        client.model("sale.sale").search([], 0, 501)
    fulfil.switches.rate_limit = 1
    with pytest.raises(RateLimitError):  # three calls fall into two seconds at most
        [client.model("sale.sale").search([], 0, 1) for _ in range(3)]


def test_a_missing_record_and_a_server_error_are_the_clients_own_too(client: Client, fulfil: Fulfil) -> None:
    with pytest.raises(ClientError) as missing:
        client.model("sale.sale").get(10_000)
    assert missing.value.code == 404
    fulfil.faults.plan("error-before", "search")
    with pytest.raises(ServerError) as broken:
        client.model("sale.sale").search([])
    assert broken.value.sentry_id


def test_inventory_is_read_as_the_vendor_shows_it(client: Client, fulfil: Fulfil) -> None:
    client.model("sale.channel").create_order(
        2, order("stock", ("LS110GRM", 2, "39.00"), currency="EUR", shipping=None)
    )
    product = client.model("product.product")
    (id,) = product.search([("code", "=", "LS110GRM")])
    client.context = {"locations": [65]}
    (row,) = product.read([id], ["quantity_on_hand", "quantity_available"])
    assert (row["quantity_on_hand"], row["quantity_available"]) == (5000.0, 4998.0)
    client.context = {}
    levels = product.get_product_inventory([id], [4, 65])
    assert levels[str(id)]["65"] == {"quantity_on_hand": 5000.0, "quantity_available": 4998.0}
    inventory = client.model("stock.inventory")
    count = {"location": 66, "lost_found": 9003, "type": "cycle", "date": date(2026, 3, 1)}
    lines = [("create", [{"product": id, "quantity": 4990}])]
    (made,) = inventory.create([count | {"lines": lines}])
    inventory.complete([made])
    inventory.confirm([made])
    assert product.get_product_inventory([id], [66])[str(id)]["66"]["quantity_on_hand"] == 4990.0
    moved = client.model("stock.move").search([("product", "=", id), ("create_date", ">", datetime(2020, 1, 1))])
    assert len(moved) == 2


def test_a_return_order_goes_its_whole_way(client: Client, fulfil: Fulfil) -> None:
    sale = client.model("sale.channel").create_order(1, order("to return", ("LS101NVS", 2, "45.00")))
    fulfil.ship("to return", tracking=("1ZA", "1ZB"))
    shipments = client.model("stock.shipment.out").search_read(
        [("sales", "in", [sale.id]), ("state", "=", "done")],
        None, None, None, ["tracking_number.tracking_number", "effective_date"],
    )  # fmt: skip
    assert shipments[0]["tracking_number.tracking_number"] == "1ZA"
    (line, _) = client.model("sale.line").search([("sale", "=", sale.id)])
    wish = {
        "channel_identifier": "RMA-1",
        "reference": "rma-1",
        "lines": [{"order_line_id": line, "return_quantity": 1}],
    }
    first, again = (client.model("sale.sale").return_order(sale.id, wish) for _ in range(2))
    assert first.id == again.id
    back = client.model("sale.sale").get(first.id)
    assert (back["has_return"], back["total_amount"]) == (True, Decimal("-54.00"))
    returned = client.model("stock.shipment.out.return")
    returned.receive(back["shipment_returns"])
    returned.done(back["shipment_returns"])
    (credit,) = client.model("sale.sale").get(first.id)["invoices"]
    assert client.model("account.invoice").get(credit)["total_amount"] == Decimal("-54.00")
    with pytest.raises(UserError) as refused:
        client.model("sale.sale").return_order(sale.id, wish | {"channel_identifier": "RMA-2", "lines": [
            {"order_line_id": line, "return_quantity": 2}]})  # fmt: skip
    assert "only 1 can be returned" in refused.value.message


def test_an_invoice_is_written_posted_and_credited(client: Client, fulfil: Fulfil) -> None:
    (party,) = client.model("party.party").create([{"name": "Ann"}])
    (tax,) = client.model("account.tax").search([("name", "=", "UK VAT Standard"), ("rate", "=", Decimal("0.20"))])
    line = {"quantity": -1, "unit_price": Decimal("45.00"), "description": "Shirt", "taxes": [("add", [tax])]}
    invoice = client.model("account.invoice")
    document = {"type": "out", "party": party, "reference": "CM-1", "invoice_date": date(2026, 3, 1)}
    (id,) = invoice.create([document | {"lines": [("create", [line])]}])
    assert invoice.get(id)["total_amount"] == Decimal("-54.00")
    invoice.post([id])
    assert invoice.search_read([("reference", "=", "CM-1")], None, None, None, ["state", "number"]) == [
        {"id": id, "state": "posted", "number": f"INV{id:05d}"}
    ]
    with pytest.raises(UserError):
        invoice.write([id], {"comment": "too late"})
    wizard = client.wizard("account.invoice.credit")
    with wizard.session(active_ids=[id], active_id=id, active_model="account.invoice") as credit:
        assert credit.data["start"] == {"with_refund": False}
        result = credit.execute("credit")
    ((action, _),) = result["actions"]
    assert invoice.get(action["res_id"][0])["total_amount"] == Decimal("54.00")


def test_several_clients_create_at_once_without_a_duplicate(served: tuple[Fulfil, str]) -> None:
    fulfil, address = served
    answers: list[int] = []

    def create() -> None:
        client = aimed(Client("sandbox", TOKEN, context={}), address)
        answers.extend(client.model("sale.channel").create_order(1, order(f"race-{n}")).id for n in range(5))
        client.session.close()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 20
    assert len(set(answers)) == 5
    assert sum(str(sale["channel_identifier"]).startswith("race-") for sale in fulfil.books()["sales"]) == 5
