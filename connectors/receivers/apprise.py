"""Notices by any of apprise's services (make extras), of those that are allowed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors import SourceError

try:
    from apprise import Apprise as Services
    from apprise import AppriseAsset, NotifyBase, NotifyFormat, NotifyType
except ImportError:
    raise ImportError("needs a package that is not installed: make extras") from None

if TYPE_CHECKING:
    from connectors import Notice

logging.getLogger("apprise").disabled = True  # it quotes addresses, which hold the services' passwords

KINDS = {"critical": NotifyType.FAILURE, "major": NotifyType.WARNING}


class Apprise:
    """Subject and text, to each of `urls`.

    urls: addresses as apprise writes them, each a secret as a whole: no more than its scheme stands in an error. allow: the schemes
    that may be used, such as ["slack", "mailtos"]: nothing leaves to a service that is not on it.

    Apprise says only that it did not go, so nothing is permanent. Those of the services that took a notice do not get it again when
    another has failed, unless Vigía was started again meanwhile. What names a recipient of its own is refused.
    """

    SECRET = ("urls",)

    def __init__(self, *, urls: list[str], allow: list[str]) -> None:
        if not urls:
            raise ValueError("urls: at least one is needed")
        asset = AppriseAsset(app_id="Vigia", app_desc="Vigia", app_url="", async_mode=False)
        self._services = [_service(number, url, allow, asset) for number, url in enumerate(urls, 1)]
        self._took: dict[str, set[int]] = {}

    def send(self, notice: Notice) -> str:
        """Send it to each that has not taken it yet."""
        if notice.to:
            raise SourceError("a channel is no place for what one recipient may read", permanent=True, fault="refused")
        told = {**notice.facts.get("fault", {}), **notice.facts.get("incident", {})}
        over = notice.event == "end" and not told.get("still_failing")  # closed by hand, it may fail on
        kind = NotifyType.SUCCESS if over else KINDS.get(str(told.get("severity")), NotifyType.INFO)
        took = self._took.setdefault(notice.key, set())
        for number, (_, service) in enumerate(self._services):
            if number not in took and _sent(service, notice, kind):
                took.add(number)
        missing = [scheme for number, (scheme, _) in enumerate(self._services) if number not in took]
        if missing:
            raise SourceError(f"not taken by {', '.join(missing)}")
        del self._took[notice.key]
        return ""

    def check(self) -> str:
        """What would be used; apprise knows no call that sends nothing."""
        return f"{', '.join(scheme for scheme, _ in self._services)}: known and allowed; whether they take notices, the first one shows"


def _service(number: int, url: str, allow: list[str], asset: AppriseAsset) -> tuple[str, NotifyBase]:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if not scheme or scheme in ("http", "https"):
        raise ValueError(f"urls: number {number} must be written as apprise does, such as slack://...")
    if scheme not in allow:
        raise ValueError(f"urls: number {number} is {scheme}, which is not on `allow`")
    service = Services.instantiate(url, asset=asset)
    if service is None:
        raise ValueError(f"urls: apprise cannot use number {number} ({scheme})")
    return scheme, service


def _sent(service: NotifyBase, notice: Notice, kind: NotifyType) -> bool:
    try:
        return bool(
            service.notify(title=notice.subject, body=notice.text, notify_type=kind, body_format=NotifyFormat.TEXT)
        )
    except Exception:  # noqa: BLE001 - its services raise what they will, with their addresses in it
        return False
