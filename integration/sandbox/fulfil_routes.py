"""Which call a request to `/api/v2` is: its operation (the name faults and counts know it by), its document, its act."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs

from integration.sandbox.faults import Plan
from integration.sandbox.fulfil_calls import Calls, terms
from integration.sandbox.fulfil_credit import NAME as CREDIT
from integration.sandbox.fulfil_credit import CreditWizard
from integration.sandbox.fulfil_models import FIELDS
from integration.sandbox.fulfil_orders import Orders
from integration.sandbox.fulfil_records import Records, Row
from integration.sandbox.fulfil_returns import Returns
from integration.sandbox.fulfil_seed import COMPANY
from integration.sandbox.fulfil_states import BACK, METHODS, OUT, States
from integration.sandbox.fulfil_wire import Reply, answer, http_error, parsed, user_error

ROOT = "/api/v2"
_GENERIC = ("search", "search_read", "search_count", "read", "create", "write", "delete")
_RECORD_METHODS = {("sale.sale", "return_order"), (OUT, "split")}
_WIZARD = ("create", "execute", "delete")


@dataclass(frozen=True)
class Request:
    """A request to the API, its query and body parsed; `user` is the id of the token's user."""

    verb: str
    path: str
    query: dict[str, list[str]]
    body: Any
    user: int

    @property
    def context(self) -> Row:
        context = parsed(self.query["context"][0].encode()) if "context" in self.query else {}
        return context if isinstance(context, dict) else {}


@dataclass(frozen=True)
class Call:
    """`number` is the channel_identifier (of an invoice the reference) the call is about; `act` does it."""

    operation: str
    number: str | None
    act: Callable[[Plan | None], Reply]


def query_of(text: str) -> dict[str, list[str]]:
    return parse_qs(text, keep_blank_values=True)


class Routes:
    """The API's table of paths."""

    def __init__(self, records: Records, calls: Calls, orders: Orders, returns: Returns, states: States) -> None:
        self._records, self._calls, self._orders = records, calls, orders
        self._returns, self._states = returns, states
        self._credit = CreditWizard(records, states.invoices)

    def find(self, request: Request) -> Call:
        """The call; raises the 404 for an unknown path, model or method and the 405 for a wrong verb."""
        parts = request.path.removeprefix(ROOT).strip("/").split("/")
        if parts == ["test"]:
            return Call("test", None, lambda plan: answer({"user": request.user}))
        if parts[:2] == ["wizard", CREDIT] and parts[2:] in [[verb] for verb in _WIZARD] and request.verb == "PUT":
            act = getattr(self._credit, parts[2])
            return Call(f"credit_{parts[2]}", None, lambda plan: answer(act(request.body)))
        if parts[0] != "model" or not 2 <= len(parts) <= 4 or parts[1] not in FIELDS:
            raise http_error(404)
        model, rest = parts[1], parts[2:]
        if not rest:
            return self._collection(request, model)
        if rest[0].isdigit():
            return self._record(request, model, int(rest[0]), rest[1:])
        if len(rest) == 1 and request.verb in ("PUT", "POST"):
            return self._method(request, model, rest[0])
        raise http_error(404 if len(rest) > 1 else 405)

    def _collection(self, request: Request, model: str) -> Call:
        if request.verb == "GET":
            return Call("list", _filtered(request.query.get("filter")), lambda plan: self._list(request, model))
        if request.verb == "POST":
            rows = request.body if isinstance(request.body, list) else [request.body]
            return Call(_creation(model), _key_of_first(rows), lambda plan: self._post(request, model, rows, plan))
        raise http_error(405)

    def _list(self, request: Request, model: str) -> Reply:
        words = {name: parsed(request.query[name][0].encode()) for name in ("filter", "order") if name in request.query}
        domain = words.get("filter") or []
        if domain and isinstance(domain[0], str):
            domain = [domain]
        filters = {"domain": domain, "order": words.get("order")}
        try:
            return answer(self._calls.listed(model, request.query, filters, request.context, request.user))
        except ValueError as error:
            raise http_error(400, str(error)) from error

    def _create(self, request: Request, model: str, args: Any, plan: Plan | None) -> list[int]:
        """A new invoice may suffer faults of its own meaning."""
        ids = self._calls.create(model, args, request.context, request.user)
        if model == "account.invoice" and plan:
            for row in [self._records.get(model, id) for id in ids]:
                if plan.fault == "recalculated":
                    self._states.invoices.recalculate(row, Random(row["id"]))
                if plan.fault == "search-lag":
                    until = self._records.now() + timedelta(seconds=plan.seconds)
                    self._records.hidden[model, row["id"]] = until
        return ids

    def _post(self, request: Request, model: str, rows: list[Any], plan: Plan | None) -> Reply:
        ids = self._create(request, model, [rows], plan)
        return answer([{"id": id, "rec_name": self._records.get(model, id)["rec_name"]} for id in ids], 201)

    def _record(self, request: Request, model: str, id: int, rest: list[str]) -> Call:
        if rest:
            if request.verb not in ("PUT", "POST") or len(rest) > 1:
                raise http_error(404)
            return self._act(request, model, id, rest[0])
        number = self._number(model, [id])
        match request.verb:
            case "GET":
                return Call("get", number, lambda plan: self._get(request, model, id))
            case "PUT" | "POST":
                return Call("write", number, lambda plan: self._put(request, model, id))
            case "DELETE":
                return Call("delete", number, lambda plan: self._delete(request, model, id))
        raise http_error(405)

    def _act(self, request: Request, model: str, id: int, method: str) -> Call:
        """A method of one record; the arguments that follow its id are the body."""
        args, number = request.body if isinstance(request.body, list) else [], self._number(model, [id])
        if (model, method) == ("sale.sale", "return_order"):
            key = _key_of_first(args) or number
            return Call(
                method, key, lambda plan: answer(self._returns.return_order(id, request.body, request.user, plan))
            )
        if (model, method) == (OUT, "split"):
            return Call(method, number, lambda plan: answer(self._split([id, *args])))
        if method not in METHODS.get(model, ()):
            raise http_error(404)
        return Call(method, number, lambda plan: self._move(model, method, [id]))

    def _split(self, args: Any) -> int:
        """`[shipment, [{"id": move, "quantity": q}, …], planned_date]`; the id of the new shipment."""
        shipment, pieces, planned = terms(args, "shipment", "moves", "planned_date")
        row = self._records.get(OUT, shipment[0] if isinstance(shipment, list) else shipment)
        return int(self._states.shipments.split(row, pieces, planned)["id"])

    def _get(self, request: Request, model: str, id: int) -> Reply:
        fields = [part for word in request.query.get("fields", []) for part in word.split(",") if part]
        return answer(self._calls.read(model, [[id], fields], request.context, request.user)[0])

    def _put(self, request: Request, model: str, id: int) -> Reply:
        self._calls.write(model, [[id], request.body], request.context, request.user)
        return answer({"id": id, "rec_name": self._records.get(model, id)["rec_name"]})

    def _delete(self, request: Request, model: str, id: int) -> Reply:
        self._calls.delete(model, [[id]], request.context, request.user)
        return Reply(204, b"")

    def _method(self, request: Request, model: str, method: str) -> Call:
        args, user = request.body, request.user
        if method == "create":
            number = self._sought(model, method, args)
            return Call(_creation(model), number, lambda plan: answer(self._create(request, model, args, plan)))
        if method in _GENERIC:
            act = getattr(self._calls, method)
            number = self._sought(model, method, args)
            return Call(method, number, lambda plan: answer(act(model, args, request.context, user)))
        if (model, method) == ("sale.channel", "create_order"):
            number = _text(args[1].get("channel_identifier")) if _is_order(args) else None
            return Call(method, number, lambda plan: answer(self._orders.create_order(args, user, plan)))
        if (model, method) == ("res.user", "get_preferences"):
            return Call(method, None, lambda plan: answer(self._preferences(user)))
        if (model, method) == ("product.product", "get_product_inventory"):
            products, places = terms(args, "products", "locations")
            stock = self._states.stock
            return Call(method, None, lambda plan: answer(stock.get_product_inventory(products, places)))
        if (model, method) in _RECORD_METHODS:
            return self._method_of_first(request, model, method)
        if method in METHODS.get(model, ()):
            ids = terms(args, "ids")[0]
            ids = ids if isinstance(ids, list) else [ids]
            return Call(method, self._number(model, ids), lambda plan: self._move(model, method, ids))
        raise http_error(404, f"{model} has no method {method}.")

    def _method_of_first(self, request: Request, model: str, method: str) -> Call:
        """A record's method called with the record as first argument."""
        first, *rest = request.body if isinstance(request.body, list) and request.body else [None]
        id = first[0] if isinstance(first, list) and first else first
        if not isinstance(id, int):
            raise user_error(f"{method} takes the id of a record first.")
        return self._act(replace(request, body=rest), model, id, method)

    def _move(self, model: str, method: str, ids: list[Any]) -> Reply:
        for row in [self._records.get(model, id) for id in ids]:
            self._states.move(model, method, row)
        return answer(None)

    def _preferences(self, user: int) -> Row:
        row = self._records.get("res.user", user)
        channels = {name: row[name] for name in ("allowed_read_channels", "allowed_create_channels")}
        return {"user": user, "company": COMPANY, "language": row["language"], "timezone": "UTC", **channels}

    def _sought(self, model: str, method: str, args: Any) -> str | None:
        if method.startswith("search"):
            return _identifier(terms(args, "filters")[0])
        if method == "create":
            return _key_of_first(terms(args, "vlist")[0])
        ids = terms(args, "ids")[0]
        return self._number(model, ids) if isinstance(ids, list) else None

    def _number(self, model: str, ids: list[Any]) -> str | None:
        """The channel_identifier of the first sale or of the first shipment's sale; the reference of an invoice."""
        row = self._records.rows[model].get(ids[0]) if ids and isinstance(ids[0], int) else None
        if row and model in (OUT, BACK) and row["sales"]:
            row = self._records.rows["sale.sale"].get(row["sales"][0])
        if row and model == "account.invoice":
            return _text(row["reference"])
        return _text(row.get("channel_identifier")) if row else None


def _creation(model: str) -> str:
    """The creation of an invoice has a name of its own, for faults and counts."""
    return "create_invoice" if model == "account.invoice" else "create"


def _is_order(args: Any) -> bool:
    return isinstance(args, list) and len(args) > 1 and isinstance(args[1], dict)


def _key_of_first(rows: Any) -> str | None:
    first = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(first, dict):
        return None
    return _text(first.get("channel_identifier") or first.get("reference"))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _filtered(filters: list[str] | None) -> str | None:
    return _identifier(parsed(filters[0].encode())) if filters else None


def _identifier(domain: Any) -> str | None:
    """The one channel_identifier a domain asks for by "="."""
    if not isinstance(domain, list):
        return None
    if domain[:2] == ["channel_identifier", "="] and len(domain) == 3:
        return _text(domain[2])
    return next((found for part in domain if (found := _identifier(part))), None)
