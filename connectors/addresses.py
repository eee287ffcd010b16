"""Addresses of the web: which can be asked, what two have in common, and as people may see them."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def shown(url: str, *, path: bool = True) -> str:
    """The address as people may see it: without query, name and password, and without its path where that is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path if path else '/...'}"


def origin(url: str) -> tuple[str, str | None, int | None]:
    """What must be the same of two addresses at one server: scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def joined(base: str, link: str) -> str:
    """Where a link on the page `base` leads; one that is no address as it is, which no session asks for."""
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def check_address(name: str, address: str) -> None:
    """ValueError, beginning with the option, unless it can be asked and holds no log-in."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{name}: must be an address such as https://host/path")
    if "@" in parts.netloc:
        raise ValueError(f"{name}: holds a name or password; give a token")
