"""The OpenAPI 3.1 document of the admin API, made from its operations and the types of their values.

Not covered: the proxied APIs under `/v1/`, which are the providers'.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from freehold import __version__
from freehold.console.api import models as m
from freehold.console.api.operations import OPERATIONS, Operation

_NAME = re.compile(r"\{(\w+)\}")
_WHY = {
    400: "The request cannot be read as this document says.",
    401: "The gateway key does not open this gateway.",
    403: "Not served to this caller.",
    404: "There is nothing of this name.",
    409: "Somebody else changed it at the same moment.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    429: "The gateway key has reached a limit.",
    503: "The database does not answer.",
}


def openapi(prefix: str) -> dict[str, Any]:
    """The document; its paths stand under `prefix`."""
    types = [m.Problem, *(op.gives for op in OPERATIONS), *(op.body for op in OPERATIONS if op.body is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(str, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        described = _operation(operation, schema_of)
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Freehold",
            "version": __version__,
            "summary": "What the gateway's record and routes say, and the way in for feedback.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"gatewayKey": {"type": "http", "scheme": "bearer", "description": "A key fhk_..."}},
        },
    }


def _operation(operation: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation.query)],
        "responses": {str(operation.status): _json("Done.", schema_of[str(operation.gives)])},
    }
    for status in sorted({400, 401, 403, 503, *operation.errors}):
        described["responses"][str(status)] = _json(_WHY[status], schema_of[str(m.Problem)])
    if operation.body is not None:
        described["requestBody"] = {"required": True, **_content(schema_of[str(operation.body)])}
    described["security"] = [{}, {"gatewayKey": []}]
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\w-]+$"}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in _NAME.findall(path)]


def _query_parameters(query: Any) -> list[dict[str, Any]]:
    described = msgspec.json.schema(query)
    properties = described["$defs"][query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": _without_null(schema)} for name, schema in properties.items()]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; it is never null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return dict(choices[0])
    if "enum" in schema:
        return {"type": "string", "enum": [value for value in schema["enum"] if value is not None]}
    return schema


def _json(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, **_content(schema)}


def _content(schema: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
