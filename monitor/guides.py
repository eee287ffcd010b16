"""First-instance guides: what to do first, whom to go to, and what the client may use meanwhile, by place and way of failure.

One TOML file is one place: a product, a channel, or `general`. Its own keys (title, escalation, contingency, client) hold for every way; a
[section] is a way (fallas, lentitud, ...) with its title and solution, and may say any of the others anew. What a place leaves out is
general's. A step of the contingency, or the client's sentence, that sends people elsewhere says where: { text = "...", uses = ["PLACE"] };
while that place fails too it is not offered, nor ever where the bank has no such place. A guide's id is PLACE/SECTION. Files stand by
language in es/ and en/; the bank's go before the shipped ones of the same name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, model_validator

from monitor.blocks import Block
from monitor.faults import Fault, explained, read_toml
from monitor.languages import Code, words
from monitor.naming import named as naming

if TYPE_CHECKING:
    from monitor.config import Config

SHIPPED = Path(__file__).parents[1] / "rules" / "guides"
GENERAL = "general"
SECTIONS = {
    "failed": "fallas",
    "rejected": "rechazos",
    "reversed": "reversos",
    "pending": "pendientes",
    "missing": "silencio",
    "slow": "lentitud",
    "duplicated": "duplicadas",
    "value": "indicador",
    "other": "estados",
}
"""Of a way to be hurt: its section."""
Lines = list[Annotated[str, Field(min_length=1)]]


NOT_NOW = {"es": "No lo ofrezca ahora ({}: también con fallas): {}", "en": "Do not offer it now ({}: failing too): {}"}
"""How a step is told that leads to what fails as well."""
PLAIN = ("title", "solution", "escalation")
ONLY = "; { text = ..., uses = [...] } is for contingency and client alone"
"""What is told of a table in one of those."""


class Offer(Block):
    """What is offered meanwhile. uses: the products and channels without which it is no way out; none: plain text in the file."""

    text: Annotated[str, Field(min_length=1)]
    uses: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        return {"text": given} if isinstance(given, str) else given

    def stopped_by(self, places: Collection[str]) -> list[str]:
        """What it needs of these places."""
        return [place for place in self.uses if place in places]


class Section(Block):
    """A way of failing at a place. client: a sentence for the client, that post-sale can forward."""

    title: str = ""
    solution: Lines = Field(default_factory=list)
    escalation: Lines = Field(default_factory=list)
    contingency: list[Offer] = Field(default_factory=list)
    client: Offer | None = None


@dataclass(frozen=True, slots=True)
class Guide:
    """What is done first. solution, escalation, contingency: steps for the bank's people; client: what the client is told to use.

    not_now: the products and channels that it would send to and that fail themselves.
    """

    id: str
    title: str
    solution: tuple[str, ...]
    escalation: tuple[str, ...]
    contingency: tuple[str, ...]
    client: str
    not_now: tuple[str, ...] = ()


class Guides:
    """All guides in one language. folder: the bank's own ('' none); named: the products and channels that its configuration names.

    faults: what is wrong with its files, which then stand back; broken: the places of those. sent_to: the places that shipped steps send
    people to and nothing that the bank has written names.
    """

    def __init__(self, language: Code = "es", folder: str = "", named: Collection[str] = ()) -> None:
        self.faults: list[Fault] = []
        self.broken: set[str] = set()
        self._language: Code = language
        self._places: dict[str, tuple[Section, dict[str, Section]]] = {}
        self._uses: dict[str, set[str]] = {}
        for file in sorted((SHIPPED / language).glob("*.toml")):
            self._read(file)
        shipped = dict(self._uses)
        for file in sorted((Path(folder) / language).glob("*.toml")) if folder else ():
            self._read(file)
        own = {place: uses for place, uses in self._uses.items() if uses is not shipped.get(place)}
        self.sent_to = {*(use for place in shipped.keys() - own.keys() for use in shipped[place])}
        self.sent_to -= {*named, *own, *(use for uses in own.values() for use in uses)}

    def __iter__(self) -> Iterator[Guide]:
        """By place; the general ones first."""
        for place in sorted(self._places, key=lambda name: (name != GENERAL, name)):
            own = {*self._places[place][1], *(SECTIONS.values() if place != GENERAL else ())}
            yield from filter(None, (self.get(f"{place}/{section}") for section in sorted(own)))

    def get(self, guide_id: str, failing: Collection[str] = (), without: Collection[str] = ()) -> Guide | None:
        """The guide of this id, or None. failing: the products and channels that nobody is to be sent to now.

        without: those of which there is no need to say so: what needs them is left out.
        """
        place, _, section = guide_id.partition("/")
        if place not in self._places:
            return None
        own, ways = self._places[place]
        common, others = self._places[GENERAL]
        found = [ways.get(section), own, others.get(section), common]
        if not section or (found[0] is None and found[2] is None):
            return None

        def said(key: str) -> Any:
            return next((value for part in found if part and (value := getattr(part, key))), ())

        title = ways[section].title if section in ways else ""
        title = title or f"{own.title}: {_lower(others[section].title)}" if place != GENERAL else title
        offers = [one for one in said("contingency") if not one.stopped_by(without)]
        order = (found[0], found[2], own, common)  # what a client must not do goes by the way alone
        told = [part.client for part in order if part and part.client and not part.client.stopped_by(without)]
        client = next((one.text for one in told if not one.stopped_by(failing)), "")
        stopped = [stop for one in [*offers, *told[:1]] for stop in one.stopped_by(failing)]
        good = [one.text for one in offers if not one.stopped_by(failing)] or [one.text for one in common.contingency]
        steps = (*good, *(self._not_now(one, failing) for one in offers if one.stopped_by(failing)))
        solution, escalation = tuple(said("solution")), tuple(said("escalation"))
        return Guide(guide_id, title or own.title, solution, escalation, steps, client, tuple(dict.fromkeys(stopped)))

    def of(self, incident: Mapping[str, Any]) -> Guide:
        """The guide for an incident's row: its rule's own; else of its product, its channel, or the general one, by what fails.

        A rule that says general/SECTION says what fails, not where; one that says general, neither. Not offered is what fails itself,
        nor the row's `failing` and `nowhere` (`monitor.failing`).
        """
        named = str(incident.get("guide") or "")
        place, _, what = named.partition("/")
        product, channel = str(incident.get("product") or ""), str(incident.get("channel") or "")
        not_offered = incident.get("failing") or (), {product, channel, *(incident.get("nowhere") or ())}
        if place != GENERAL and (found := self.get(named, *not_offered)):
            return found
        by_way = SECTIONS.get(str(incident.get("kind")), SECTIONS["failed"])
        known = [section for section in (what, by_way) if self.get(f"{GENERAL}/{section}")] if place == GENERAL else []
        section = next(iter(known), by_way)
        places = (product, channel, GENERAL)
        found = next(filter(None, (self.get(f"{where}/{section}", *not_offered) for where in places)), None)
        return (
            self._aside(found, self.get(f"{channel}/{section}", *not_offered))
            if found
            else Guide(named, "", (), (), (), "")
        )

    def search(self, text: str) -> list[Guide]:
        """Those in which every word of the text stands, those with them in their title or id first."""
        words = _plain(text).split()
        found = [(guide, _plain(f"{guide.id} {guide.title}")) for guide in self]
        whole = [(guide, head) for guide, head in found if all(word in f"{head} {_body(guide)}" for word in words)]
        ordered = sorted(whole, key=lambda pair: not all(word in pair[1] for word in words))
        return [guide for guide, _ in ordered] if words else []

    def _aside(self, guide: Guide, there: Guide | None) -> Guide:
        """Where a product fails on one channel alone, what helps is another channel: that channel's way round (there) goes first."""
        if there is None or guide.id == there.id or guide.id.startswith(f"{GENERAL}/"):
            return guide
        mark = NOT_NOW[self._language].partition("{")[0]
        steps = dict.fromkeys((*there.contingency, *guide.contingency))
        contingency = tuple(sorted(steps, key=lambda step: step.startswith(mark)))
        not_now = tuple(dict.fromkeys((*there.not_now, *guide.not_now)))
        return replace(guide, contingency=contingency, client=there.client or guide.client, not_now=not_now)

    def _not_now(self, offer: Offer, failing: Collection[str]) -> str:
        say = words(self._language)
        return NOT_NOW[self._language].format(say.names(offer.stopped_by(failing)), offer.text)

    def _read(self, file: Path) -> None:
        shown = shown_as(file)
        faults: list[Fault] = []
        tables = read_toml(file, shown, faults)
        known = Section.model_fields
        ways = {key: value for key, value in tables.items() if isinstance(value, dict) and key not in known}
        common = {key: value for key, value in tables.items() if key not in ways}
        read = {key: _section(part, shown, key, faults) for key, part in {"": common, **ways}.items()}
        if not faults and not read[""].title:
            faults.append(Fault(shown, "title", "is missing"))
        self.faults += faults
        if faults:
            self.broken.add(file.stem)
        else:
            self._uses[file.stem] = {name for _, name in naming(tables)}
            self._places[file.stem] = (read.pop(""), read)


@cache
def guides(language: Code = "es", folder: str = "", named: frozenset[str] = frozenset()) -> Guides:
    """The same, read once."""
    return Guides(language, folder, named)


def shown_as(file: Path) -> str:
    """A guide's file as faults name it: guias/es/pagos.toml."""
    return "/".join(file.parts[-3:])


def meant(row: Mapping[str, Any], folder: str = "") -> dict[str, Any]:
    """An incident's row with the id of the guide that is meant, as messages and the board have it, in place of its rule's word."""
    return {**row, "guide": guides("es", folder).of(row).id}


def unknown_guides(config: Config) -> list[Fault]:
    """The rules whose own guide there is not; such a rule's incidents get that of their place. What a faulty file has is not known."""
    known = guides("es", config.words.guides)
    named = ((rule.spec.name, rule.spec.guide) for rule in config.rules())
    what = "there is no guide {!r}; vigia guides list names them"
    return [
        Fault(f"rule {rule}", "guide", what.format(guide))
        for rule, guide in named
        if guide not in ("", GENERAL) and not known.get(guide) and guide.partition("/")[0] not in known.broken
    ]


def _section(given: Mapping[str, Any], file: str, key: str, faults: list[Fault]) -> Section:
    try:
        return Section.model_validate(given)
    except ValidationError as error:
        told = explained(error, file, key, sorted(Section.model_fields))
        plain = [problem["loc"][0] in PLAIN and isinstance(problem["input"], dict) for problem in error.errors()]
        faults += [replace(one, what=one.what + ONLY) if bare else one for one, bare in zip(told, plain, strict=True)]
        return Section()


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _body(guide: Guide) -> str:
    return _plain(" ".join((*guide.solution, *guide.escalation, *guide.contingency, guide.client)))


def _plain(text: str) -> str:
    """Without capitals and accents: «Depósitos» is found by «depositos»."""
    told = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in told if not unicodedata.combining(sign))
