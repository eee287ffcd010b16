"""[access] and [users.NAME] of the configuration: who may look, act and administer, and which clients they may see."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, Field

from monitor.blocks import Block
from monitor.faults import Fault
from monitor.kinds import Duration
from monitor.plugs import named_blocks, read_block

ACCESS = ("access", "users")
"""The keys of the configuration that are read here."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHORTEST = 20
"""Signs of a token: what is shorter can be guessed."""
Network = IPv4Network | IPv6Network
Segment = Literal["corporativo", "empresarial", "pyme"]


class Role(IntEnum):
    """Whoever may do more may do all that comes before."""

    LOOK = 1
    ACT = 2
    ADMINISTER = 3


@dataclass(frozen=True)
class User:
    """Somebody with a name. clients: `all`, `own` (those of whom `email` is post-sale, substitute or manager), or segments.

    digest: of the token, which itself is kept nowhere; b'' where only the proxy may name them.
    """

    name: str
    role: Role
    clients: Literal["all", "own"] | tuple[str, ...]
    email: str = ""
    digest: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Access:
    """Who may do what. Without users there is only who sits at this machine, and they may do everything."""

    users: Mapping[str, User] = field(default_factory=dict)
    header: str = ""
    proxies: tuple[Network, ...] = ()
    session: timedelta = timedelta(hours=12)
    metrics: bytes = field(default=b"", repr=False)
    open_metrics: bool = False

    def by_token(self, token: str) -> User | None:
        """Whose it is; as long for a wrong one as for a right one."""
        given, found = digest(token), None
        for user in self.users.values():
            if user.digest and hmac.compare_digest(user.digest, given):
                found = user
        return found

    def reads_metrics(self, token: str) -> bool:
        """Whether the token is that of the metrics, or somebody's."""
        alone = bool(self.metrics) and hmac.compare_digest(self.metrics, digest(token))
        return alone or self.by_token(token) is not None

    def by_header(self, said: str) -> User | None:
        """Whom the proxy names: by their name here, or their address."""
        word = said.strip().casefold()
        named = [u for u in self.users.values() if word and word in (u.name.casefold(), u.email.casefold())]
        return named[0] if len(named) == 1 else None

    def trusts(self, peer: str) -> bool:
        """Whether a request from there may say in a header who asks."""
        found = address(peer)
        return found is not None and any(found in network for network in self.proxies)


def digest(token: str) -> bytes:
    """What of a token is kept and compared."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def address(text: str) -> IPv4Address | IPv6Address | None:
    """An address of the network; one of version 4 that is written as of version 6 is of version 4."""
    try:
        found = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def on_loopback(listen: str) -> bool:
    """Whether nobody but this machine can reach what listens there."""
    return listen.rpartition(":")[0].strip("[]") in LOOPBACK


def _long(token: str) -> str:
    if len(token) < SHORTEST or len(set(token)) <= SHORTEST // 4:
        raise ValueError(
            f"is too short or too plain to be a token: at least {SHORTEST} signs, as of `openssl rand -hex 24`"
        )
    return token


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network, such as 127.0.0.1 or 10.1.0.0/16") from None
    return text


def _some_time(length: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= length <= timedelta(days=30):
        raise ValueError("must be 1m to 30d")
    return length


def _clients(said: Any) -> Any:
    known = get_args(Segment)
    if said in (None, "all", "own") or (isinstance(said, list) and said and all(word in known for word in said)):
        return said
    raise ValueError(f'must be "all", "own" or a list of segments: {", ".join(known)}')


def _mailbox(text: str) -> str:
    if text and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("must be an address such as ana@banco.example")
    return text


def _name_of_header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]*", text) or text.lower() in ("authorization", "cookie", "host", "origin"):
        raise ValueError("must be the name of a header of the proxy's own, such as X-Forwarded-User")
    return text


Token = Annotated[str, AfterValidator(_long)]


class UserBlock(Block):
    """[users.NAME]. clients: `all`, `own` or a list of segments; who administers sees all where nothing is said."""

    role: Literal["look", "act", "administer"]
    token: Token | None = None
    clients: Annotated[Any, AfterValidator(_clients)] = None
    email: Annotated[str, AfterValidator(_mailbox)] = ""


class AccessBlock(Block):
    """[access]: how people are known, and who may read the metrics.

    header: in which a reverse proxy names the user; proxies: from where alone that is believed; session: how long a log-in lasts;
    metrics_token: for /metrics where Vigía listens beyond loopback; open_metrics: nobody needs one there.
    """

    header: Annotated[str, AfterValidator(_name_of_header)] = ""
    proxies: list[Annotated[str, AfterValidator(_network)]] = Field(default_factory=list)
    session: Annotated[Duration, AfterValidator(_some_time)] = timedelta(hours=12)
    metrics_token: Token | None = None
    open_metrics: bool = False


def read_access(tables: Mapping[str, Any], file: str, faults: list[Fault]) -> Access:
    """What the configuration says of users; what is wrong with it goes to `faults`."""
    said = cast("AccessBlock | None", read_block(AccessBlock, tables.get("access", {}), file, "access", faults))
    block = said or AccessBlock()
    users: dict[str, User] = {}
    blocks = named_blocks(tables, "users", file, faults)
    for name, given in blocks:
        one = cast("UserBlock | None", read_block(UserBlock, given, file, f"users.{name}", faults))
        if one and (user := _user(name, one, block, file, faults)):
            users[name] = user
    for key in ("email", "digest"):
        faults += _shared(users, key, file)
    if bool(block.header) != bool(block.proxies):
        key, other = ("proxies", "header") if block.header else ("header", "proxies")
        faults.append(Fault(file, f"access.{key}", f"is missing: {other} alone is not believed"))
    monitor = tables.get("monitor", {})
    listen = monitor.get("listen", "") if isinstance(monitor, dict) else ""
    if isinstance(listen, str) and ":" in listen and not on_loopback(listen) and not blocks:
        faults.append(
            Fault(
                file, "monitor.listen", "beyond loopback users are needed, as in [users.NAME]; or listen on 127.0.0.1"
            )
        )
    beyond = isinstance(listen, str) and ":" in listen and not on_loopback(listen)
    if beyond and tables.get("receivers") and not monitor.get("address"):
        faults.append(Fault(file, "monitor.address", "is missing: links in messages would lead nowhere"))
    return Access(
        users,
        block.header.lower(),
        tuple(ip_network(network) for network in block.proxies),
        block.session,
        digest(block.metrics_token) if block.metrics_token else b"",
        block.open_metrics,
    )


def _user(name: str, block: UserBlock, access: AccessBlock, file: str, faults: list[Fault]) -> User | None:
    role, clients = Role[block.role.upper()], block.clients
    told = len(faults)
    if not name.strip() or not name.isprintable():
        faults.append(Fault(file, f"users.{name!r}", "must be a name that people can read"))
    if clients is None and role is not Role.ADMINISTER:
        faults.append(Fault(file, f"users.{name}.clients", 'is missing: "all", "own" or a list of segments'))
    if clients == "own" and not block.email:
        faults.append(Fault(file, f"users.{name}.email", "is missing: own clients are known by it"))
    if block.token is None and not access.header:
        faults.append(Fault(file, f"users.{name}.token", "is missing: without access.header nobody could be this user"))
    if len(faults) > told:
        return None
    seen: Any = tuple(clients) if isinstance(clients, list) else clients or "all"
    return User(name, role, seen, block.email, digest(block.token) if block.token else b"")


def _shared(users: Mapping[str, User], key: str, file: str) -> list[Fault]:
    """Users whom one mark would name, two of them."""
    first: dict[Any, str] = {}
    faults = []
    for name, user in users.items():
        mark = getattr(user, key)
        if mark and (other := first.setdefault(mark.casefold() if isinstance(mark, str) else mark, name)) != name:
            word = "token" if key == "digest" else key
            faults.append(Fault(file, f"users.{name}.{word}", f"is that of {other} already"))
    return faults
