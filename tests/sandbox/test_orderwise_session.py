"""OrderWise's e-commerce session against a shop: it pulls, acknowledges, posts, and never answers."""

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest

from integration.sandbox import serve
from integration.sandbox.clock import HandClock
from integration.sandbox.orderwise import OrderWise
from integration.sandbox.orderwise_web_service import Paths

LOG = (
    b"<XMLFile><Responses><Response><Type>Log</Type><Message>Posted 1 items</Message></Response></Responses></XMLFile>"
)
ORDER = """
<SalesOrder>
  <OrderNumber>{number}</OrderNumber><OrderDate>2026-10-09T10:21:33</OrderDate>
  <CustomerOrderRef>{number}</CustomerOrderRef><PricesAsNet>true</PricesAsNet>
  <DeliveryMethod>{method}</DeliveryMethod>
  <DeliveryGross>4.80</DeliveryGross><DeliveryNet>4.00</DeliveryNet><DeliveryTax>0.80</DeliveryTax>
  <DeliveryTaxCode>T1</DeliveryTaxCode>
  <OrderGross>58.80</OrderGross><OrderNet>49.00</OrderNet><OrderTax>9.80</OrderTax><AmountPaid>58.80</AmountPaid>
  <Customer><StatementName>Ann Example</StatementName><InvoiceName>Ann Example</InvoiceName>
    <DeliveryAddress><Name>Ann Example</Name><Address1>1 High St</Address1><Postcode>LS1 1AA</Postcode></DeliveryAddress>
  </Customer>
  <Payments><SalesPayment><Description>adyen</Description><Amount>58.80</Amount></SalesPayment></Payments>
  <Lines><SalesOrderLine><Code>{sku}</Code><Quantity>2</Quantity><ItemGross>30.00</ItemGross>
    <ItemNet>25.00</ItemNet><TaxCode>T1</TaxCode></SalesOrderLine></Lines>
  <Dissurs><SalesDissur><Description>{discount}</Description><Price>5.00</Price><TaxCode>T1</TaxCode>
    <GrossDiscount>false</GrossDiscount></SalesDissur></Dissurs>
</SalesOrder>
"""


def order(number: str, sku: str = "LS101NVS", method: str = "Royal Mail Tracked 48", discount: str = "SUMMER10") -> str:
    return ORDER.format(number=number, sku=sku, method=method, discount=discount)


class Shop:
    """What an integration serves: orders until they are acknowledged, and somewhere to post to."""

    def __init__(self, *orders: str) -> None:
        self.orders = list(orders)
        self.called: list[tuple[str, str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.reply = LOG

    def __call__(self, method: str, address: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        path = "/" + address.partition("//")[2].partition("/")[2]
        form = parse_qs(body.decode()).get("ExportData", [""])[0]
        self.called.append((method, path, form))
        self.headers.append(dict(headers))
        if path.endswith("_export"):
            return (
                200,
                f"<?xml version='1.0'?><XMLFile><SalesOrders>{''.join(self.orders)}</SalesOrders></XMLFile>".encode(),
            )
        return (200, b"OK") if path.endswith("_success") else (200, self.reply)

    def posted(self, path: str) -> list[str]:
        return [form for _, called, form in self.called if called.endswith(path)]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 7, 1, 10, tzinfo=UTC))


@pytest.fixture
def orderwise(clock: HandClock) -> OrderWise:
    return OrderWise(clock)


def run(orderwise: OrderWise, shop: Shop, **terms):
    return orderwise.run_session("http://shop.test/secret", 21, shop, **terms)


def test_a_pulled_order_is_kept_value_by_value(orderwise):
    run(orderwise, Shop(order("12345")))
    (kept,) = orderwise.books()["orders"]
    assert (kept["reference"], kept["session"], kept["currency"]) == ("12345", 21, "GBP")
    assert (kept["gross"], kept["net"], kept["tax"]) == ("58.8000", "49.0000", "9.8000")
    assert [each["description"] for each in kept["dissurs"]] == ["SUMMER10"]
    assert kept["payments"] == [(1, "58.8000")]
    assert kept["addresses"]["delivery"]["postcode"] == "LS1 1AA"
    assert kept["lines"][0]["tax_code"] == kept["delivery_tax_code"] == 1


def test_what_imported_is_acknowledged_in_one_list_with_tildes(orderwise):
    shop = Shop(order("12345"), order("12346"))
    done = run(orderwise, shop)
    assert shop.called[:2] == [
        ("GET", "/secret/orderwise_export", ""),
        ("POST", "/secret/orderwise_success", "12345~12346"),
    ]
    assert done.imported == ["12345", "12346"]


@pytest.mark.parametrize(
    "bad",
    [
        order("2", sku="ZZ901NVS"),
        order("2", method="Royal mail tracked 48"),
        order("2", discount="Summer 10"),
        order("2").replace("58.80</OrderGross>", "many</OrderGross>"),
        order("2").replace("<Payments>", "<Payments><SalesPayment><Description>cash</Description></SalesPayment>"),
    ],
)
def test_one_bad_order_is_mailed_and_does_not_stop_the_others(orderwise, bad):
    shop = Shop(order("1"), bad, order("3"))
    done = run(orderwise, shop)
    assert shop.posted("_success") == ["1~3"]
    assert list(done.failed) == ["2"]
    assert [each["reference"] for each in orderwise.books()["emails"]] == ["2"]
    assert [each["reference"] for each in orderwise.books()["orders"]] == ["1", "3"]


def test_nothing_to_import_acknowledges_nothing(orderwise):
    shop = Shop()
    run(orderwise, shop)
    assert shop.posted("_success") == []


@pytest.mark.parametrize(("switch", "acknowledged"), [("mailed", []), ("named", ["1"])])
def test_an_order_that_is_offered_again_is_there_once(orderwise, switch, acknowledged):
    orderwise.switches.change({"offered_again": switch})
    orderwise.faults.plan("ack-lost", operation="session")
    run(orderwise, Shop(order("1")))
    again = Shop(order("1"))
    run(orderwise, again)
    assert again.posted("_success") == acknowledged
    assert len(orderwise.books()["orders"]) == 1
    assert len(orderwise.books()["emails"]) == (0 if acknowledged else 1)


def test_a_session_that_dies_after_its_pull_has_imported_nothing(orderwise):
    orderwise.faults.plan("pull-lost", operation="session")
    shop = Shop(order("1"))
    run(orderwise, shop)
    assert (orderwise.books()["orders"], len(shop.called)) == ([], 1)


def test_despatch_is_posted_in_the_form_and_repeats_what_is_complete(orderwise, clock):
    run(orderwise, Shop(order("1"), order("2")))
    clock.pass_time(3600)
    orderwise.ship("1", {"LS101NVS": 1}, ["A1", "A2"])
    orderwise.ship("1", None, ["B1"], method="DHL Express")
    shop = Shop()
    done = run(orderwise, shop)
    run(orderwise, shop)
    assert shop.posted("_despatch")[0] == shop.posted("_despatch")[1]
    one, two = ET.fromstring(shop.posted("_despatch")[0]).findall("order")
    assert (one.findtext("orderNo"), one.findtext("orderStatus")) == ("1", "Completed")
    assert [each.findtext("courierName") for each in one.findall("deliveries")] == ["Royal Mail", "DHL"]
    assert [each.text for each in one.iter("consignmentNumber")] == ["A1", "A2", "B1"]
    assert (two.findtext("orderStatus"), two.findall("deliveries")) == ("Awaiting despatch", [])
    assert done.replies["despatch"] == [("Log", "Posted 1 items")]


def test_a_despatch_template_may_say_what_a_delivery_holds(orderwise):
    run(orderwise, Shop(order("1")))
    orderwise.ship("1")
    shop = Shop()
    run(orderwise, shop, delivery_lines=True)
    line = ET.fromstring(shop.posted("_despatch")[0]).find("order/deliveries/deliveryLines/deliveryLine")
    assert (line.findtext("code"), line.findtext("quantity")) == ("LS101NVS", "2")


def test_stock_that_was_calculated_lately_is_posted(orderwise, clock):
    clock.pass_time(90_000)
    orderwise.adjust("LS101NVS", 7)
    shop = Shop()
    run(orderwise, shop, look_back=timedelta(minutes=30))
    rows = [tuple(each.text for each in row)[:4] for row in ET.fromstring(shop.posted("_stock")[0])]
    assert rows == [("LS101NVS", "12", "7", "7"), ("LS101NVS", "13", "0", "0")]


@pytest.mark.parametrize("reply", [b"OK", b"<XMLFile/>", b""])
def test_an_answer_that_is_no_list_of_responses_is_mailed(orderwise, reply):
    shop = Shop()
    shop.reply = reply
    run(orderwise, shop, paths=Paths(stock=None))
    assert len(orderwise.books()["emails"]) == 1


def test_an_order_document_that_is_none_is_mailed(orderwise):
    run(orderwise, Shop("<broken>"))
    assert "not XML" in orderwise.books()["emails"][0]["text"]


def test_the_shops_login_is_sent_as_basic(orderwise):
    shop = Shop()
    run(orderwise, shop, login="orderwise:secret")
    assert {headers["Authorization"] for headers in shop.headers} == {"Basic b3JkZXJ3aXNlOnNlY3JldA=="}


def test_a_session_runs_on_its_schedule_while_it_is_active(orderwise, clock):
    shop = Shop(order("1"))
    orderwise.schedule_session("http://shop.test", 21, send=shop, paths=Paths(despatch=None, stock=None))
    clock.pass_time(299)
    assert shop.posted("_export") == [""]
    orderwise.change_session(21, active=False)
    clock.pass_time(300)
    assert shop.posted("_export") == [""]
    orderwise.change_session(21, active=True)
    clock.pass_time(300)
    assert shop.posted("_export") == ["", ""]


def test_nobody_but_this_machine_is_called(orderwise):
    with pytest.raises(ValueError, match="nobody but this machine"):
        orderwise.run_session("http://shop.example.com")


@pytest.fixture
def real_shop() -> Iterator[tuple[str, Shop]]:
    shop = Shop(order("1"))

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = shop(self.command, f"http://shop{self.path}", body, dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *words: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", shop
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_session_runs_over_real_sockets(orderwise, real_shop):
    address, shop = real_shop
    done = orderwise.run_session(address)
    assert (done.imported, shop.posted("_success")) == (["1"], ["1"])
    assert done.replies["stock"] == [("Log", "Posted 1 items")]


def test_the_command_can_let_a_session_call_a_shop(clock, real_shop):
    address, shop = real_shop
    asked = serve._arguments(["--shop", "22", address, "orderwise:secret"])
    orderwise = serve.prepare_orderwise(asked, clock)
    clock.pass_time(0)
    assert [each["session"] for each in orderwise.books()["orders"]] == [22]
    assert shop.headers[0]["Authorization"].startswith("Basic ")


def test_a_shop_that_is_away_is_no_crash(orderwise):
    done = orderwise.run_session("http://127.0.0.1:9")
    assert (done.offered, done.replies) == ([], {"orders": 0})
