"""What stands in a web page: its text by lines, its tables, its forms and its links."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

LINES = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "table", "ul", "ol"})
UNSEEN = frozenset({"script", "style", "head", "title"})
VAIN = 2_000_000
"""Characters that are looked through in vain for the ends of what has none; where it is more, the page is no page."""
TIMES = 4
"""As many times its length, where a page is long."""


@dataclass
class Form:
    """Where it goes, how, and what it sends if nobody fills it in; secret: the name of its field for a password.

    choices: of the fields that are lists, the words that each takes.
    """

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    secret: str = ""
    choices: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Markup(HTMLParser):
    """A page, read as far as it goes: broken markup does no harm. tables: rows of cells, in order of appearance; links: text -> address.

    Takes time in proportion to its length, whatever is in it. Raises ValueError for what cannot be read at all.
    """

    html: str
    tables: list[list[list[str]]] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)
        self._pieces: list[str] = []
        self._unseen, self._cell = 0, False
        self._link: tuple[str, int] | None = None
        self._form: Form | None = None
        self._select = ""
        self._written: tuple[str, dict[str, str], list[str]] | None = None
        self._vain = max(VAIN, TIMES * len(self.html))
        try:
            self.feed(self.html)
            self.close()
            self._wrote()
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001 - the parser raises whatever it stumbles on
            raise ValueError(f"its markup cannot be read ({type(error).__name__})") from None
        self.tables = [[[" ".join(cell.split()) for cell in row] for row in table] for table in self.tables]

    @property
    def text(self) -> str:
        """What is to be read, a line a paragraph."""
        lines = (" ".join(line.split()) for line in "".join(self._pieces).split("\n"))
        return "\n".join(line for line in lines if line)

    # The parser looks for an end from every beginning anew: of many without one, each costs what is left of the page.

    def parse_starttag(self, i: int) -> int:  # noqa: D102 - HTMLParser's
        return self._ends(i, super().parse_starttag(i))

    def parse_endtag(self, i: int) -> int:  # noqa: D102 - HTMLParser's
        return self._ends(i, super().parse_endtag(i))

    def parse_pi(self, i: int) -> int:  # noqa: D102 - HTMLParser's
        return self._ends(i, super().parse_pi(i))

    def parse_comment(self, i: int, report: bool = True) -> int:  # noqa: D102, FBT001, FBT002 - HTMLParser's
        return self._ends(i, super().parse_comment(i, report))

    def parse_html_declaration(self, i: int) -> int:  # noqa: D102 - HTMLParser's
        try:
            return self._ends(i, super().parse_html_declaration(i))
        except AssertionError:  # so it meets `<![foo]>`, which is a comment to a browser
            return self._ends(i, self.parse_bogus_comment(i))

    def _ends(self, begins: int, ends: int) -> int:
        if ends < 0:
            self._vain -= len(self.rawdata) - begins
            if self._vain < 0:
                raise ValueError("its markup cannot be read: too much of it has no end")
        return ends

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102 - HTMLParser's
        has = {name: value or "" for name, value in attrs}
        if tag in LINES:
            self.handle_data("\n")
        if tag in UNSEEN:
            self._unseen += 1
        elif tag == "table":
            self.tables.append([])
            self._cell = False
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
            self._cell = False
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self._cell = True
        elif tag == "a":
            self._link = (has.get("href", ""), len(self._pieces))
        elif tag == "form":
            self._form = Form(has.get("action", ""), has.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._input(self._form, tag, has)

    def handle_endtag(self, tag: str) -> None:  # noqa: D102 - HTMLParser's
        if tag in LINES:
            self._pieces.append("\n")
        if tag in UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in ("td", "th", "tr", "table"):
            self._cell = False
        elif tag == "a" and self._link:
            address, began = self._link
            self.links.setdefault(" ".join("".join(self._pieces[began:]).split()), address)
            self._link = None
        elif tag in ("option", "select", "textarea", "form"):
            self._wrote()
            self._select = self._select if tag == "option" else ""
            self._form = None if tag == "form" else self._form

    def handle_data(self, data: str) -> None:  # noqa: D102 - HTMLParser's
        if self._unseen:
            return
        self._pieces.append(data)
        if self._written:
            self._written[2].append(data)
        if self._cell:
            self.tables[-1][-1][-1] += data

    def _input(self, form: Form, tag: str, has: dict[str, str]) -> None:
        name, kind = has.get("name", ""), has.get("type", "text").lower()
        if tag in ("select", "option", "textarea"):
            self._wrote()
        if tag == "select":
            self._select = name
            form.choices.setdefault(name, [])
        if (tag == "option" and self._select) or (tag == "textarea" and name):
            self._written = (tag, has | {"name": name or self._select}, [])
        if tag != "input" or not name or kind in ("submit", "button", "image", "reset", "file"):
            return
        if kind == "password":
            form.secret = name
        if kind not in ("checkbox", "radio") or "checked" in has:
            form.fields[name] = has.get("value", "")

    def _wrote(self) -> None:
        """What stood between the tags of a choice or of a field for text, which has ended."""
        written, self._written = self._written, None
        if written is None or self._form is None:
            return
        tag, has, pieces = written
        name, said, fields = has["name"], "".join(pieces), self._form.fields
        if tag == "textarea":
            fields[name] = said.removeprefix("\r").removeprefix("\n")
            return
        word = has.get("value", " ".join(said.split()))
        self._form.choices.setdefault(name, []).append(word)
        if name not in fields or "selected" in has:
            fields[name] = word
