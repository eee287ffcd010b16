"""The API's description as a page of our own: the usual ones load their scripts from elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from monitor.web.page import rendered


def page(app: FastAPI) -> APIRouter:
    """/api/docs, made from the application's OpenAPI schema."""
    router = APIRouter()

    @router.get("/api/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs() -> HTMLResponse:
        schema = app.openapi()
        calls = [
            {"path": path, "method": method.upper(), "answer": _answer(call), "body": _body(call), **call}
            for path, methods in schema["paths"].items()
            for method, call in methods.items()
        ]
        return rendered("reference.html", api=schema, calls=calls, shapes=_shapes(schema))

    return router


def _answer(call: dict[str, Any]) -> str:
    said = call["responses"]["200"]["content"]
    return _kind(said["application/json"]["schema"]) if "application/json" in said else ", ".join(said)


def _body(call: dict[str, Any]) -> str:
    """What the call is sent, '' where nothing is."""
    sent = call.get("requestBody")
    return _kind(sent["content"]["application/json"]["schema"]) if sent else ""


def _shapes(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "description": shape.get("description", ""),
            "fields": {
                field: {"kind": _kind(of), "description": of.get("description", "")}
                for field, of in shape["properties"].items()
            },
        }
        for name, shape in schema["components"]["schemas"].items()
        if "Validation" not in name
    }


def _kind(of: dict[str, Any]) -> str:
    """A schema in a few words: `list of Incident`, `datetime or null`."""
    if "$ref" in of:
        return str(of["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in of:
        return " or ".join(_kind(part) for part in of["anyOf"])
    if "enum" in of:
        return " | ".join(repr(word) for word in of["enum"])
    if of.get("type") == "array":
        return f"list of {_kind(of['items'])}"
    if of.get("type") == "object":
        return f"object of {_kind(of['additionalProperties'])}" if of.get("additionalProperties") else "object"
    return str(of.get("format", of.get("type", "any")))
