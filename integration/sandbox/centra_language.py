"""From the text of a GraphQL request to something checked: schema, validation, permissions needed, complexity.

Parsing and validating are remembered by text. The complexity measure is **unconfirmed**: one point per field, times
`limit` (or `nested_list_weight`) for what is below a list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from integration.sandbox.centra_switches import CentraSwitches

TYPE_PERMISSIONS = {
    "Order": "Order:read", "DirectToConsumerOrder": "Order:read", "WholesaleOrder": "Order:read",
    "OrderConnection": "Order:read", "Shipment": "Shipment:read", "DirectToConsumerShipment": "Shipment:read",
    "WholesaleShipment": "Shipment:read", "Return": "Return:read", "DirectToConsumerReturn": "Return:read",
    "WholesaleReturn": "Return:read", "Product": "Product:read", "ProductVariant": "ProductVariant:read",
    "ProductSize": "ProductSize:read", "Store": "Store:read", "Market": "Market:read", "Pricelist": "Pricelist:read",
    "Country": "Country:read", "Warehouse": "Warehouse:read", "AllocationRule": "AllocationRule:read",
    "ShippingOption": "ShippingOption:read", "Customer": "Customer:read", "PaymentMethod": "StorePlugin:read",
    "PaymentHistoryEntry": "PaymentHistory:read", "Event": "Event:read", "StockChangeLine": "WarehouseDelivery:read",
}  # fmt: skip
"""What reading a field of this type needs. The names are documented, the exact pairing is unconfirmed."""

FIELD_PERMISSIONS = {
    "shippingAddress": "Order.shippingAddress:read", "billingAddress": "Order.billingAddress:read",
    "eventListeners": "Event:read", "confirmOrder": "Order:write", "updateDirectToConsumerOrder": "Order:write",
    "updateWholesaleOrder": "Order:write", "cancelDirectToConsumerOrder": "Order:write",
    "setOrdersLock": "Order.isLocked:write", "captureOrder": "Order:write",
    "releaseRemainingOrderAuthorization": "Payment.cancel:write", "createShipment": "Shipment:write",
    "updateShipment": "Shipment:write", "captureShipment": "Shipment:write", "completeShipment": "Shipment:write",
    "deleteShipment": "Shipment:write", "createReturn": "Return:write", "completeReturn": "Return:write",
    "uncompleteReturn": "Return:write", "deleteReturn": "Return:write", "refundReturn": "Return:write",
    "changeStock": "StockChange:write", "setStock": "StockChange:write", "setEventListeners": "Event:write",
    "unsetEventListeners": "Event:write", "confirmEvents": "Event:write",
    "updateProductVariant": "ProductVariant:write",
}  # fmt: skip


@cache
def schema(updated_at_filter: bool) -> GraphQLSchema:
    """The schema, with or without `OrderFilter.updatedAt`."""
    text = resources.files("integration.sandbox").joinpath("centra.graphql").read_text("utf-8")
    if not updated_at_filter:
        head, _, tail = text.partition("input OrderFilter {")
        text = head + "input OrderFilter {" + tail.replace(" updatedAt: DateTimeRange", "", 1)
    return build_schema(text)


@lru_cache(maxsize=512)
def _document(text: str, updated_at_filter: bool) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, (error,)
    return document, tuple(validate(schema(updated_at_filter), document))


@dataclass
class Need:
    """A permission one field needs, with its place in the text and in the answer."""

    permission: str
    field: str
    path: list[str]
    node: FieldNode

    def error(self) -> GraphQLError:
        """The refusal in the vendor's words."""
        return GraphQLError(
            f"You need {self.permission} permission to access {self.field}.",
            nodes=[self.node],
            path=self.path,
            extensions={"category": "authorization"},
        )


@dataclass
class Request:
    """A valid request: the operation to run, its coerced variables, and what it costs."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variables: VariableValues
    given: Mapping[str, Any]
    complexity: int = 0
    mutations: int = 0
    needs: list[Need] = field(default_factory=list)

    @property
    def root(self) -> FieldNode:
        """The first root field; its name is what faults call the operation."""
        return next(_fields(self, self.operation.selection_set))

    @property
    def arguments(self) -> dict[str, Any]:
        """The first root field's arguments, variables filled in."""
        writes = self.operation.operation is OperationType.MUTATION
        type_ = self.schema.mutation_type if writes else self.schema.query_type
        field_ = type_.fields.get(self.root.name.value) if type_ else None
        return get_argument_values(field_, self.root, self.variables) if field_ else {}

    @property
    def permissions(self) -> list[str]:
        return list(dict.fromkeys(need.permission for need in self.needs))


class Invalid(Exception):
    """Not a request Centra would run: syntax, validation or variables. Carries the GraphQL errors."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


def read(text: str, name: str | None, given: Mapping[str, Any], switches: CentraSwitches) -> Request:
    """A request ready to run; raises `Invalid`."""
    document, errors = _document(text, switches.updated_at_filter)
    if document is None or errors:
        raise Invalid(list(errors))
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [node for node in operations if name is None or (node.name and node.name.value == name)]
    if len(chosen) != 1:
        raise Invalid([GraphQLError(f'Unknown operation named "{name}".' if name else "Must provide operation name.")])
    known = schema(switches.updated_at_filter)
    values = get_variable_values(known, chosen[0].variable_definitions or (), dict(given))
    if isinstance(values, list):
        raise Invalid(values)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    request = Request(known, document, chosen[0], fragments, values, given)
    _weigh(request, switches)
    return request


def _fields(request: Request, selections: SelectionSetNode) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(request, node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(request, request.fragments[node.name.value].selection_set)


def _weigh(request: Request, switches: CentraSwitches) -> None:
    """Fill in the complexity, the number of mutations and the permissions needed."""
    writes = request.operation.operation is OperationType.MUTATION
    root = request.schema.mutation_type if writes else request.schema.query_type

    def walk(parent: Any, selections: SelectionSetNode, path: list[str]) -> int:
        points = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                points += weigh_field(parent, node, path)
            elif isinstance(node, InlineFragmentNode):
                below = node.type_condition
                points += walk(request.schema.type_map[below.name.value] if below else parent, node.selection_set, path)
            elif isinstance(node, FragmentSpreadNode):
                fragment = request.fragments[node.name.value]
                below_type = request.schema.type_map[fragment.type_condition.name.value]
                points += walk(below_type, fragment.selection_set, path)
        return points

    def weigh_field(parent: Any, node: FieldNode, path: list[str]) -> int:
        name = node.name.value
        if name.startswith("__") or not hasattr(parent, "fields"):
            return 0
        here = [*path, node.alias.value if node.alias else name]
        type_ = parent.fields[name].type
        below = get_named_type(type_)
        permission = FIELD_PERMISSIONS.get(name) or TYPE_PERMISSIONS.get(below.name)
        if permission:
            request.needs.append(Need(permission, name, here, node))
        if not node.selection_set:
            return 1
        points = walk(below, node.selection_set, here)
        if is_list_type(get_nullable_type(type_)) or name == "orderConnection":
            paged = not {"limit", "first"}.isdisjoint(parent.fields[name].args)
            points *= _rows(request, node, switches.limit_default if paged else switches.nested_list_weight)
        return 1 + points

    if isinstance(root, GraphQLObjectType):
        request.complexity = walk(root, request.operation.selection_set, [])
    if writes:
        request.mutations = sum(1 for _ in _fields(request, request.operation.selection_set))


def _rows(request: Request, node: FieldNode, otherwise: int) -> int:
    """How many rows a list is taken to have: what was asked for, or an estimate."""
    for argument in node.arguments or ():
        if argument.name.value in ("limit", "first", "last"):
            if isinstance(argument.value, IntValueNode):
                return max(1, int(argument.value.value))
            if isinstance(argument.value, VariableNode):
                asked = request.variables.coerced.get(argument.value.name.value)
                return max(1, int(asked)) if asked else otherwise
    return otherwise
