"""Incidents and faults as alerts in Alertmanager (API v2), said again as long as they last."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from connectors import SourceError
from connectors.session import Session
from connectors.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors import Notice

LASTING = timedelta(minutes=4)
"""How far ahead an alert's end is set: it outlives three lost rounds of a minute, and no more, should nobody ever take it back."""
PASSING = timedelta(minutes=15)
"""How long an alert stands for what has no end of its own (a promise that was broken, a summary)."""
NAMES = {"incident": "VigiaAfectacion", "fault": "VigiaFalla", "breach": "VigiaIncumplimiento"}
REST = "VigiaAviso"
OURS = ("alertname", "severity", "product", "channel", "incident", "fault", "thread")
"""The labels that we set; the others are the receiver's own."""
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
Alert = dict[str, Any]


class Alertmanager:
    """One alert an incident or fault, at every instance; and Watchdog, which always fires, with each refresh.

    urls: of every instance, such as ["http://am-1:9093", "http://am-2:9093"]; labels: set on each alert, such as { team = "torre" }.
    token, or user and password: for all of them. ca_file: who vouches for their certificates, in place of the well-known (PEM).
    timeout: of one answer.

    Labels say what it is: alertname (VigiaAfectacion, VigiaFalla, VigiaIncumplimiento, VigiaAviso), severity, product, channel, and
    incident, fault or thread, so that two are two. Which segments it touches changes too often to be one of them. Severity may change,
    but routes ask for it: an alert that stands there under other labels than now is resolved in the post that brings the new one.

    What one instance takes is sent; the others get it with the next refresh, which tells of those that do not answer.
    """

    def __init__(
        self,
        *,
        urls: list[str],
        labels: dict[str, str] | None = None,
        token: str = "",
        user: str = "",
        password: str = "",
        ca_file: str = "",
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        if not urls:
            raise ValueError("urls: at least one is needed")
        for name in labels or {}:
            if not _LABEL.fullmatch(name) or name in OURS:
                raise ValueError(f"labels: {name} cannot be set")
        self._labels = {name: value for name, value in (labels or {}).items() if value}
        self._instances = []
        tls = Tls(ca_file)
        for number, url in enumerate(urls, 1):
            try:
                session = Session(url, token=token, user=user, password=password, tls=tls, timeout=timeout)
            except ValueError as error:
                name, _, what = str(error).partition(": ")
                raise ValueError(f"urls: number {number} {what}" if name == "url" else str(error)) from None
            self._instances.append(_Instance(session, url.rstrip("/")))
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send(self, notice: Notice) -> str:
        """Post it to every instance; SourceError if none took it. Alertmanager has no number for it."""
        if notice.to:
            raise SourceError("an alert is no place for what one recipient may read", permanent=True, fault="refused")
        now = self.clock()
        failed = self._post([self._alert(notice, now)], now)
        if len(failed) == len(self._instances):
            raise _joined(failed)
        return ""

    def refresh(self, notices: Sequence[Notice], now: datetime) -> None:
        """Post what stands or has just ended, and Watchdog; SourceError naming every instance that did not take it."""
        watchdog = _alert({"alertname": "Watchdog", "severity": "none"} | self._labels, now, now + LASTING)
        watchdog["annotations"] = {"summary": "Vigía vive: esta alerta está siempre activa"}
        lasting = [self._alert(one, now) for one in notices if one.facts.get("news") in ("incident", "fault")]
        if failed := self._post([*lasting, watchdog], now):
            raise _joined(failed)

    def check(self) -> str:
        """Ask every instance how it is; SourceError naming those that do not answer."""
        versions: list[str] = []
        if failed := self._each(lambda instance: versions.append(instance.version())):
            raise _joined(failed)
        return f"{len(versions)} of {len(versions)} instances answer: Alertmanager {', '.join(sorted(set(versions)))}"

    def _post(self, alerts: list[Alert], now: datetime) -> list[SourceError]:
        return self._each(lambda instance: instance.post(alerts, self._labels, now))

    def _each(self, ask: Callable[[_Instance], None]) -> list[SourceError]:
        """Ask all of them at once, so that one that hangs keeps nothing from the others; what went wrong."""

        def asked(instance: _Instance) -> SourceError | None:
            try:
                with instance.lock:
                    ask(instance)
            except SourceError as error:
                return error
            return None

        with ThreadPoolExecutor(len(self._instances)) as pool:
            return [error for error in pool.map(asked, self._instances) if error]

    def _alert(self, notice: Notice, now: datetime) -> Alert:
        news, facts = str(notice.facts.get("news")), notice.facts
        incident, fault, links = (facts.get(part) or {} for part in ("incident", "fault", "links"))
        told = fault if news == "fault" else incident
        labels = {"alertname": NAMES.get(news, REST), "severity": told.get("severity")}
        if news == "fault":
            labels["fault"] = fault.get("key")
        else:
            labels |= {name: incident.get(name) for name in ("product", "channel")}
            labels |= {"incident": incident.get("id")} if news == "incident" else {"thread": notice.thread}
        starts = _time(incident.get("started_at") if news == "incident" else fault.get("since")) or notice.at
        ends = now + (LASTING if news in ("incident", "fault") else PASSING)
        if notice.event == "end":
            ends = _time(incident.get("ended_at")) or _time(incident.get("resolved_at")) or notice.at
        alert = _alert({name: str(value) for name, value in labels.items() if value} | self._labels, starts, ends)
        alert["annotations"] = {"summary": notice.subject, "description": notice.text}
        if _leads(guide := links.get("guide")):
            alert["annotations"]["runbook_url"] = guide
        if _leads(page := links.get("incident") or links.get("board")):
            alert["generatorURL"] = page
        return alert


class _Instance:
    """One Alertmanager; sending and refreshing come from two threads, and take turns."""

    def __init__(self, session: Session, url: str) -> None:
        self.session, self.url, self.lock = session, f"{url}/api/v2", Lock()

    def post(self, alerts: list[Alert], labels: dict[str, str], now: datetime) -> None:
        """Post the alerts, and with them the end of those that stand there under other labels."""
        named = {_identity(alert["labels"]): alert["labels"] for alert in alerts}
        sought = next(iter(named)) if len(named) == 1 else None
        which = f"{sought[0]}={json.dumps(sought[1], ensure_ascii=False)}" if sought else 'alertname=~"Vigia.+"'
        standing = self.session.ask("GET", f"{self.url}/alerts", params={"filter": which}, repeat=False).body
        past = []
        try:
            for old in standing:
                was = old["labels"]
                ours = {name: value for name, value in was.items() if name not in OURS} == labels
                if ours and named.get(_identity(was), was) != was:
                    ended = _alert(was, datetime.fromisoformat(old["startsAt"]), now)
                    past.append(ended | {"annotations": old["annotations"]})
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SourceError(
                f"{self.session.shown}: its alerts are not as API v2 has them", fault="unreadable"
            ) from None
        self.session.ask("POST", f"{self.url}/alerts", body=[*past, *alerts], repeat=False, parse=False)

    def version(self) -> str:
        """Of the Alertmanager there."""
        found = self.session.ask("GET", f"{self.url}/status", repeat=False).body
        try:
            return str(found["versionInfo"]["version"])
        except (KeyError, TypeError):
            raise SourceError(f"{self.session.shown}: is no Alertmanager", permanent=True, fault="unreadable") from None


def _identity(labels: dict[str, str]) -> tuple[str, str]:
    """What an alert is about, whatever else its labels say."""
    return next(((name, labels[name]) for name in OURS[-1:-4:-1] if name in labels), ("alertname", labels["alertname"]))


def _alert(labels: dict[str, str], starts: datetime, ends: datetime) -> Alert:
    """An end that is not after its start is refused, so it is put a moment later."""
    ends = max(ends, starts + timedelta(seconds=1))
    return {"labels": labels, "annotations": {}, "startsAt": starts.isoformat(), "endsAt": ends.isoformat()}


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _leads(address: Any) -> bool:
    return str(address).startswith(("https://", "http://"))


def _joined(failed: list[SourceError]) -> SourceError:
    lasting, whole = all(error.permanent for error in failed), all(error.whole for error in failed)
    kinds = {error.fault for error in failed}
    kind = kinds.pop() if len(kinds) == 1 else "other"
    return SourceError("; ".join(map(str, failed)), permanent=lasting, whole=whole, fault=kind)
