"""The configuration read anew while Vigía runs: another service over the same store takes the place of the one that works.

What was read is looked through before anything stops. Then the service pauses as at its end, all that it fetched committed; its successor
is built from what is committed, as after a restart, so nothing is lost and nothing told twice; pages follow at once. Judging stands
still meanwhile, for as long as a start takes. Where the successor cannot be built, the one before goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import chain
from threading import Event, Lock

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor import guides, words
from monitor.bereft import bereft, spanish, warn
from monitor.config import Config, read_config
from monitor.faults import ConfigError, Fault
from monitor.foreread import readable
from monitor.judge import Stopped
from monitor.people import Conflict
from monitor.reread import changed, digests
from monitor.service import LAST, Service
from monitor.store import Act, StoreError

log = structlog.get_logger()

Pages = Callable[[Service, Callable[[str], Sequence[str]]], ASGIApp]
"""The web face of a service, given what reads the configuration anew for somebody."""
SIGNAL = "SIGHUP"
"""Who reads it anew where nobody says."""


class Live:
    """The service that works and its pages, both made anew by `reload`. An ASGI application: that of the service there is.

    stop: set when all is to end.
    """

    def __init__(self, service: Service, pages: Pages, stop: Event) -> None:
        self.service = service
        self._make_pages, self._stop = pages, stop
        self._pages = pages(service, self.reload)
        self._read = digests(service.config)
        self._changing, self._works, self._left = Lock(), False, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the service that there is now would."""
        await self._pages(scope, receive, send)

    def run(self) -> None:
        """Until `stop` is set; then what was fetched is judged, what is due is sent, and all is closed."""
        with self._changing:
            self.service.begin()
            self._works = True
        self._stop.wait()
        log.info("stopping")
        with self._changing:
            if self._works:  # else a reload that the end has overtaken has paused it
                self.service.pause()
            self._works = False
        self.service.sending.rest(LAST)

    @property
    def hanging(self) -> bool:
        """Whether something that was asked, by this service or one before it, has not answered in time."""
        return self._left or bool(self.service.hanging)

    def hang_up(self) -> None:
        """SIGHUP: as `reload`; what is wrong is told in the log alone."""
        try:
            with suppress(ConfigError):
                self.reload()
        except Conflict as error:
            log.warning("the configuration was not read anew", why=str(error))

    def reload(self, who: str = SIGNAL) -> list[str]:
        """Read the configuration anew and put it in force, whole; what is to be known of it, in words. What changed stands in the trail.

        Raises ConfigError or Conflict, and all is as it was.
        """
        with self._changing:
            old = self.service
            if not self._works or self._stop.is_set():
                raise Conflict("Vigía comienza o termina: no es el momento")
            try:
                config = readable(old.config, wanted(old.config), old.clock())
            except ConfigError as error:
                old.metrics.reloaded(old.clock(), taken=False)
                log.error("the configuration stays as it was", faults=[str(fault) for fault in error.faults])  # noqa: TRY400 - no bug
                raise
            self._replace(old, config)
            self._note(who, old.clock())
            return [spanish(name, len(keys)) for name, keys in bereft(old.store, config.desks).items()]

    def _note(self, who: str, now: datetime) -> None:
        before, self._read = self._read, digests(self.service.config)
        if differs := changed(before, self._read):
            try:
                self.service.store.act(Act("", now, who, "reload", ", ".join(differs)))
            except StoreError:
                log.exception("the trail does not tell who read the configuration anew", files=differs)

    def _replace(self, old: Service, config: Config) -> None:
        log.info("a new configuration: the service starts anew")
        old.pause()
        self._left = self._left or bool(old.hanging)
        guides.guides.cache_clear()
        words.environment.cache_clear()
        try:
            new = Service(config, old.store, clock=old.clock, ending=self._stop.is_set)
            carried(old, new)
            pages = self._make_pages(new, self.reload)
        except Stopped:
            self._works = False
            raise Conflict("Vigía termina: no es el momento") from None
        except Exception as error:
            log.exception("the configuration stays as it was")
            old.metrics.reloaded(old.clock(), taken=False)
            old.begin(anew=True)
            raise Conflict(f"no se pudo comenzar con ella ({type(error).__name__}): sigue la de antes") from error
        new.begin()
        warn(old.store, config.desks)
        self.service, self._pages = new, pages
        log.info("the configuration was read anew", sources=len(config.sources), rules=len(config.rule_factories))


def wanted(old: Config) -> Config:
    """The configuration as its file has it now; raises ConfigError, also for what differs and cannot be changed while Vigía runs."""
    new = read_config(old.path)
    kept = {
        "monitor.database": old.monitor.database == new.monitor.database,
        "monitor.listen": old.monitor.listen == new.monitor.listen,
        "demo": old.demo == new.demo,
    }
    what = "cannot change while Vigía runs: restart it, or put back what it was"
    if faults := [Fault(new.path.name, key, what) for key, same in kept.items() if not same]:
        raise ConfigError(faults)
    return new


def carried(old: Service, new: Service) -> None:
    """What only memory knows of that which both have: since when something is wrong, so that it is not told as over and then as new."""
    told = (f"desk {name}" for name in new.sending if name), (f"board {name}" for name in new.boards)
    kept = {*new.config.sources, *chain(*told)}
    new.errors |= {name: error for name, error in old.errors.items() if name in kept}
    new.refreshing.errors |= {name: error for name, error in old.refreshing.errors.items() if name in new.refreshing}
    new.too_late |= {name: one for name, one in old.too_late.items() if name in kept}
    new.failed = old.failed
    new.troubled, new.runs.wrong = dict(old.troubled), dict(old.runs.wrong)
    for name in new.judge.sources.keys() & old.judge.sources.keys():
        standing, before = new.judge.sources[name], old.judge.sources[name]
        new.judge.sources[name] = replace(
            before, complete_until=standing.complete_until, dark_from=standing.dark_from, played=standing.played
        )
    for name in new.config.sources.keys() & old.metrics.sources.keys():
        new.metrics.source(name, up=old.metrics.sources[name].up, lag=old.metrics.sources[name].lag)
    if old.last_cycle:
        new.last_cycle = old.last_cycle
        new.metrics.cycle(old.last_cycle)
    new.metrics.last_step = old.metrics.last_step
