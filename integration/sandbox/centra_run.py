"""Runs a checked request over plain dictionaries.

graphql-core parses, validates and coerces; walking the answer is done here, because a page of fifty orders has some ten
thousand fields and the general executor spends its time on cases these dictionaries do not have. Arguments are read once
per place in the text. The answers equal graphql-core's own (a test runs both).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.values import get_argument_values, get_directive_values

from integration.sandbox.centra_language import Request

Resolver = Callable[[Any, Mapping[str, Any]], Any]
"""(source, arguments) -> value. Sources are dictionaries; the root's is None."""

Step = tuple[str, str, Callable[[Any], Any] | None, Callable[[Any], Any] | None]
"""(key in the answer, key in the source, how to fetch when not by key, how to complete when not a leaf)."""


class Run:
    """One execution. `resolvers` by (type, field); `dates` writes an instant, given the `format` asked for."""

    def __init__(
        self,
        request: Request,
        resolvers: Mapping[tuple[str, str], Resolver],
        dates: Callable[[datetime, str | None], str],
    ) -> None:
        self.request, self.resolvers, self.dates = request, resolvers, dates
        self.errors: list[GraphQLError] = []
        self._steps: dict[tuple[str, tuple[int, ...]], list[Step]] = {}

    def answer(self) -> dict[str, Any] | None:
        """The `data`; None when a field that may not be null failed. `errors` has the reasons."""
        writes = self.request.operation.operation is OperationType.MUTATION
        schema = self.request.schema
        root = schema.mutation_type if writes else schema.query_type
        if root is None:
            return None
        groups = self._collect(root, [self.request.operation.selection_set], {})
        if any(key.startswith("__s") or nodes[0].name.value in ("__schema", "__type") for key, nodes in groups.items()):
            return self._introspection()
        found: dict[str, Any] = {}
        for key, nodes in groups.items():
            _, name, fetch, complete = self._step(root, key, nodes)
            try:
                value = fetch(None) if fetch else None
                found[key] = complete(value) if complete and value is not None else value
            except GraphQLError as error:
                self.errors.append(GraphQLError(error.message, nodes=nodes, path=[key], extensions=error.extensions))
                if is_non_null_type(root.fields[name].type):
                    return None
                found[key] = None
        return found

    def _introspection(self) -> dict[str, Any] | None:
        asked = self.request
        name = asked.operation.name.value if asked.operation.name else None
        result = execute_sync(asked.schema, asked.document, variable_values=dict(asked.given), operation_name=name)
        self.errors.extend(result.errors or [])
        return result.data

    def _collect(
        self, type_: GraphQLObjectType, sets: list[SelectionSetNode], groups: dict[str, list[FieldNode]]
    ) -> dict[str, list[FieldNode]]:
        """The fields asked of a concrete type, by their key in the answer."""
        for selections in sets:
            for node in selections.selections:
                if node.directives and not self._included(node):
                    continue
                if isinstance(node, FieldNode):
                    groups.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                    continue
                part = self.request.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
                if isinstance(part, FragmentDefinitionNode | InlineFragmentNode) and self._applies(part, type_):
                    self._collect(type_, [part.selection_set], groups)
        return groups

    def _applies(self, part: FragmentDefinitionNode | InlineFragmentNode, type_: GraphQLObjectType) -> bool:
        if part.type_condition is None:
            return True
        schema = self.request.schema
        condition = schema.type_map[part.type_condition.name.value]
        return condition is type_ or (is_abstract_type(condition) and schema.is_sub_type(condition, type_))

    def _included(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self.request.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.request.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def _steps_of(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> list[Step]:
        place = (type_.name, tuple(map(id, nodes)))
        steps = self._steps.get(place)
        if steps is None:
            sets = [node.selection_set for node in nodes if node.selection_set]
            groups = self._collect(type_, sets, {})
            steps = self._steps[place] = [self._step(type_, key, group) for key, group in groups.items()]
        return steps

    def _step(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Step:
        name = nodes[0].name.value
        if name == "__typename":
            return key, name, lambda _source: type_.name, None
        field = type_.fields[name]
        fetch: Callable[[Any], Any] | None = None
        arguments = get_argument_values(field, nodes[0], self.request.variables) if field.args else {}
        resolver = self.resolvers.get((type_.name, name))
        if resolver:
            fetch = lambda source: resolver(source, arguments)  # noqa: E731  # a closure per place in the text
        if get_named_type(field.type).name == "String" and name in _DATES:
            form = arguments.get("format")
            return key, name, fetch, lambda value: self.dates(value, form) if isinstance(value, datetime) else value
        return key, name, fetch, self._completion(field.type, nodes)

    def _completion(self, type_: Any, nodes: list[FieldNode]) -> Callable[[Any], Any] | None:
        """How to turn a fetched value into the answer's; None where the value is the answer."""
        nullable = get_nullable_type(type_)
        if is_leaf_type(get_named_type(nullable)):
            return None
        if is_list_type(nullable):
            one = self._completion(nullable.of_type, nodes)
            return lambda values: [None if value is None else one(value) for value in values] if one else values
        if is_abstract_type(nullable):
            types = self.request.schema.type_map
            return lambda value: _walk(self._steps_of(types[value["__typename"]], nodes), value)  # type: ignore[arg-type]  # an object type
        steps = self._steps_of(nullable, nodes)
        return lambda value: _walk(steps, value)


_DATES = ("createdAt", "updatedAt", "orderDate", "date", "shippedAt", "paidAt", "capturedAt")


def _walk(steps: list[Step], source: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, name, fetch, complete in steps:
        value = source[name] if fetch is None else fetch(source)
        found[key] = value if complete is None or value is None else complete(value)
    return found
