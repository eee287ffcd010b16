"""The words of a request: what a call of the API does not know is refused, for a misspelt filter would be an answer about everything."""

from __future__ import annotations

from difflib import get_close_matches

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


def known_words(request: Request) -> None:
    """Raises RequestValidationError (422), word by word; the pages, which people keep as links, pass over what they do not know."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith("/api/"):
        return
    there = [field.alias for field in route.dependant.query_params]
    if wrong := [word for word in dict.fromkeys(request.query_params) if word not in there]:
        raise RequestValidationError([_unknown(word, there) for word in wrong])


def _unknown(word: str, there: list[str]) -> dict[str, object]:
    near = get_close_matches(word, there, n=1)
    hint = f"¿quiso decir {near[0]}?" if near else f"hay: {', '.join(there)}" if there else "aquí no hay ninguna"
    return {"type": "unknown_word", "loc": ("query", word), "msg": "", "ctx": {"expected": hint}, "input": word}
