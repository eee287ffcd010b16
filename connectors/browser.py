"""Pages behind a form to log in, read and filled in as a person would: asked to log in again in the middle, it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from connectors import SourceError
from connectors.addresses import joined, shown
from connectors.exchange import Answer
from connectors.headings import headings
from connectors.login import Login
from connectors.markup import Form, Markup
from connectors.session import ANY, Session

if TYPE_CHECKING:
    from collections.abc import Collection

MOVED = (301, 302, 303)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Browser:
    """The pages of one server. login: the page with the form to log in, what goes into it, and as its `basic` name and password."""

    def __init__(self, session: Session, login: Login | None) -> None:
        self._session, self._login = session, login

    def page(self, url: str) -> Markup:
        """The page, after logging in if it asks for that. Raises SourceError."""
        page, lacks = self._asked(url), ""
        if page is None and self._login:
            lacks = self._log_in(self._login)
            page = self._asked(url)
        if page is None:
            words = f"{self._session.shown}: asks to log in, and takes neither name nor password{lacks}"
            raise SourceError(words, whole=True, fault="login")
        return page

    def form(self, where: str, names: Collection[str]) -> Form:
        """The form of a page that has fields of these names. Raises SourceError, also where it lacks one."""
        page = self.page(where)
        form = next((form for form in page.forms if set(names) & set(form.fields)), None)
        if form is None:
            raise SourceError(
                f"{shown(where)}: no form has the fields {', '.join(names)}", permanent=True, fault="unreadable"
            )
        if lacking := [name for name in names if name not in form.fields]:
            raise SourceError(
                f"{shown(where)}: its form has no field {', '.join(lacking)}", permanent=True, fault="unreadable"
            )
        return form

    def send(self, where: str, sent: dict[str, Any]) -> Answer | None:
        """The answer to the form of a page, filled in; None where it led to the log-in: after that it may be sent again."""
        form = self.form(where, sent)
        answer = self._post(where, form, sent)
        leads = joined(joined(where, form.action), answer.place)
        last = self._session.ask("GET", leads, accept=ANY, parse=False) if answer.status in MOVED else answer
        if self._inside(leads, last):
            return answer
        self.page(where)
        return None

    def _asked(self, url: str) -> Markup | None:
        """The page; None if it leads to the log-in or is it."""
        answer = self._session.ask("GET", url, accept=MOVED, parse=False)
        return self._inside(url, answer)

    def _inside(self, url: str, answer: Answer) -> Markup | None:
        page = _read(url, answer.text)
        return None if answer.status in MOVED or _secret(page) else page

    def _log_in(self, login: Login) -> str:
        """Sends the form; what of ours it has no field for, in words."""
        where = login.url
        form = _secret(_read(where, self._session.ask("GET", where, parse=False).text))
        if form is None:
            raise SourceError(f"{shown(where)}: has no form with a password", whole=True, fault="login")
        # It makes nothing, and where it is refused it is answered with a page: what is temporary may be asked again.
        self._post(where, form, {**login.form, form.secret: login.basic[1] if login.basic else ""}, repeat=True)
        lacking = ", ".join(repr(name) for name in login.form if name not in form.fields)
        return f": its form has no field {lacking}, it has: {headings([*form.fields])}" if lacking else ""

    def _post(self, where: str, form: Form, sent: dict[str, Any], *, repeat: bool = False) -> Answer:
        body = urlencode({**form.fields, **{name: str(value) for name, value in sent.items()}}).encode()
        return self._session.ask(
            "POST", joined(where, form.action), body=body, headers=FORM, accept=MOVED, repeat=repeat, parse=False
        )


def _secret(page: Markup) -> Form | None:
    """Its form to log in."""
    return next((form for form in page.forms if form.secret), None)


def _read(where: str, text: bytes) -> Markup:
    try:
        return Markup(text.decode(errors="replace"))
    except ValueError as error:
        raise SourceError(f"{shown(where)}: {error}", permanent=True, fault="unreadable") from None
