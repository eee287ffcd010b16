"""fsspec's file systems: how each protocol is told who we are and how long an answer may take (make extras)."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

try:
    from fsspec import get_filesystem_class
except ImportError:
    raise ImportError("needs a package that is not installed: make extras") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult

CONNECT = 10.0
TIMEOUT = 30.0
"""Seconds, unless it is said otherwise."""
WHOLE = 600.0
"""Seconds for one file, and for one listing, however steadily they come."""
TRIES = 2
"""Of each request to S3."""
SFTP, S3 = ("sftp", "ssh"), ("s3", "s3a")
"""What these protocols are called."""


def filesystem(
    url: str,
    address: SplitResult,
    *,
    username: str,
    password: str,
    key_file: str,
    known_hosts: str,
    endpoint: str,
    timeout: float,
    options: Mapping[str, Any],
) -> Callable[[], Any]:
    """Makes a connection to `url`, whose parts are `address`. Raises ValueError, beginning with the option, or ImportError."""
    scheme = address.scheme
    given: dict[str, Any] = {"username": username, "password": password}
    if scheme in SFTP:
        made = _sftp(address, given | {"key_file": key_file, "known_hosts": known_hosts, "timeout": timeout}, options)
    else:
        for name, value in (("key_file", key_file), ("known_hosts", known_hosts)):
            if value:
                raise ValueError(f"{name}: is for sftp:// alone")
        made = _other(scheme, url, given, endpoint, timeout, options)
    if endpoint and scheme not in S3:
        raise ValueError("endpoint: is for s3:// alone")
    return made


def _sftp(address: SplitResult, given: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], Any]:
    try:
        from connectors.sftp import Sftp  # noqa: PLC0415 - paramiko is loaded where it is needed
    except ImportError:
        raise ImportError("needs a package that is not installed: make extras") from None
    if options:
        raise ValueError("options: sftp:// takes none")
    if not given["username"] or not (given["password"] or given["key_file"]):
        raise ValueError("path: sftp:// needs `username`, and `password` or `key_file`")
    if not address.hostname:
        raise ValueError("path: has no host, as in sftp://host/folder/*.csv")
    given |= {"host": address.hostname, "port": address.port or 22, "whole": WHOLE, "skip_instance_cache": True}
    return lambda: Sftp(**given)


def _other(
    scheme: str, url: str, given: dict[str, Any], endpoint: str, timeout: float, options: Mapping[str, Any]
) -> Callable[[], Any]:
    try:
        cls = get_filesystem_class(scheme)
    except ImportError:
        where = "make extras" if scheme in S3 else f"the package of fsspec for {scheme}://"
        raise ImportError(f"path: needs a package that is not installed: {where}") from None
    except ValueError:
        raise ValueError(
            f"path: {scheme}:// is no protocol that fsspec knows; there are sftp://, s3://, gs://, ..."
        ) from None
    if scheme in S3:
        limits = {"connect_timeout": min(CONNECT, timeout), "read_timeout": timeout, "retries": {"max_attempts": 0}}
        made: dict[str, Any] = {
            "key": given["username"] or None,
            "secret": given["password"] or None,
            "endpoint_url": endpoint or None,
        }
        made["config_kwargs"] = limits | dict(options.get("config_kwargs", {}))
    else:
        made = cls._get_kwargs_from_urls(url) | {name: value for name, value in given.items() if value}
        made |= _limited(scheme, cls, timeout)
    for name, value in options.items():
        if name != "config_kwargs":
            held = made.get(name)
            made[name] = {**held, **value} if isinstance(held, dict) and isinstance(value, dict) else value

    def make() -> Any:
        fs = cls(**made, use_listings_cache=False, skip_instance_cache=True)
        if hasattr(fs, "retries"):
            fs.retries = TRIES
        return fs

    return make


def _limited(scheme: str, cls: Any, timeout: float) -> dict[str, Any]:
    """How the protocol is told how long an answer may take. Raises ValueError where it knows no such thing."""
    if scheme in ("http", "https"):
        from aiohttp import ClientTimeout  # noqa: PLC0415 - fsspec's own for the web

        return {"client_kwargs": {"timeout": ClientTimeout(sock_connect=min(CONNECT, timeout), sock_read=timeout)}}
    if "timeout" in signature(cls.__init__).parameters:
        return {"timeout": timeout}
    if timeout != TIMEOUT:
        raise ValueError(f"timeout: {scheme}:// knows none, but for what its `options` may say")
    return {}
