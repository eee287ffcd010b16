"""What every receiver must do, run over every kind there is: against real servers on real sockets, which go wrong."""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors import Notice, SourceError
from connectors.kinds import kinds, load
from tests.contract.conftest import Plugin
from tests.notices import incident_notice

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # which apprise imports
every_receiver = pytest.mark.parametrize("receiver", kinds("receivers"), indirect=True)


def made(receiver: Plugin, **options: Any) -> Any:
    """A new one, as after a restart, that does not sleep between its tries."""
    one = load("receivers", receiver.kind)(**receiver.setup.options | options)
    if hasattr(one, "session"):
        one.session.sleep = lambda _: None
    return one


def fault(receiver: Plugin, one: Any, notice: Notice) -> SourceError:
    with pytest.raises(SourceError) as error:
        one.send(notice)
    told = "".join(traceback.format_exception(error.value)) + repr(one)
    assert all(secret not in told for secret in receiver.setup.secrets)
    assert len(str(error.value)) > len("error")
    assert "\n" not in str(error.value)
    return error.value


@every_receiver
def test_a_notice_arrives(receiver: Plugin) -> None:
    notice = incident_notice()
    made(receiver).send(notice)
    assert receiver.setup.arrived(notice) == 1
    assert receiver.setup.arrived(incident_notice(number=2)) == 0


@every_receiver
def test_the_same_notice_again_is_one_where_the_other_side_can_tell(receiver: Plugin) -> None:
    notice = incident_notice()
    assert len({made(receiver).send(notice) for _ in range(2)}) == 1
    assert receiver.setup.arrived(notice) == (1 if receiver.setup.tells else 2)


@every_receiver
def test_an_error_after_it_was_taken_is_no_loss_and_no_double(receiver: Plugin) -> None:
    notice = incident_notice()
    receiver.setup.after()
    assert not fault(receiver, made(receiver), notice).permanent
    made(receiver).send(notice)
    assert receiver.setup.arrived(notice) == (1 if receiver.setup.tells else 2)


@every_receiver
def test_a_refusal_for_good_is_told_from_one_until_later(receiver: Plugin) -> None:
    notice, one = incident_notice(), made(receiver)
    receiver.setup.refuse()
    assert fault(receiver, one, notice).permanent is receiver.setup.lasting
    receiver.setup.busy()
    assert not fault(receiver, one, notice).permanent
    assert receiver.setup.arrived(notice) == 0


@every_receiver
def test_who_is_busy_gets_it_once_he_is_not(receiver: Plugin) -> None:
    notice = incident_notice()
    receiver.setup.busy()
    for _ in range(20):
        with suppress(SourceError):
            made(receiver).send(notice)
            break
    assert receiver.setup.arrived(notice) == 1


@every_receiver
def test_who_asks_for_an_hour_gets_an_hour(receiver: Plugin) -> None:
    one = made(receiver)
    if not hasattr(one, "session"):
        pytest.skip(f"{receiver.kind}: has no one session")
    receiver.setup.busy()
    fault(receiver, one, incident_notice())
    assert "left alone" in str(fault(receiver, one, incident_notice()))


@every_receiver
def test_nobody_there_is_told_in_words_and_not_permanent(receiver: Plugin) -> None:
    gone = made(receiver, **receiver.setup.nobody)
    error = fault(receiver, gone, incident_notice())
    assert not error.permanent
    if receiver.kind != "apprise":
        assert "no connection" in str(error)
        with pytest.raises(SourceError):
            gone.check()


@every_receiver
def test_who_does_not_answer_is_not_waited_for(receiver: Plugin) -> None:
    options = {} if receiver.kind == "apprise" else {"timeout": timedelta(seconds=0.3)}
    wait = receiver.setup.slow()
    try:
        error = fault(receiver, made(receiver, **options), incident_notice())
    finally:
        wait.set()
    assert not error.permanent
    assert receiver.kind == "apprise" or "no answer within 0.3 s" in str(error)


@every_receiver
def test_a_strange_answer_to_what_was_taken_is_no_error(receiver: Plugin) -> None:
    if receiver.setup.strange is None:
        pytest.skip(f"{receiver.kind}: its answers are codes")
    notice = incident_notice()
    receiver.setup.strange()
    made(receiver).send(notice)
    assert receiver.setup.arrived(notice) == 1


@every_receiver
def test_a_certificate_that_nobody_vouches_for_gets_nothing(receiver: Plugin) -> None:
    error = fault(receiver, made(receiver, **receiver.setup.untrusted()), incident_notice())
    assert error.permanent is receiver.setup.lasting
    assert receiver.kind == "apprise" or "certificate" in str(error)


@every_receiver
def test_one_that_is_vouched_for_gets_it(receiver: Plugin) -> None:
    if receiver.setup.trusted is None:
        pytest.skip(f"{receiver.kind}: its service's certificate is a well-known one")
    made(receiver, **receiver.setup.trusted()).send(incident_notice())


@every_receiver
def test_what_one_recipient_may_read_does_not_go_to_a_place_of_many(receiver: Plugin) -> None:
    notice = replace(incident_notice(), to="ana@banco.example")
    assert getattr(load("receivers", receiver.kind), "personal", False) is not receiver.setup.one_place
    if receiver.setup.one_place:
        assert fault(receiver, made(receiver), notice).permanent
        assert receiver.setup.arrived(notice) == 0
    else:
        made(receiver).send(notice)
        assert receiver.setup.arrived(notice) == 1


@every_receiver
def test_check_says_a_line_and_sends_nothing(receiver: Plugin) -> None:
    notice = incident_notice()
    line = made(receiver).check()
    assert line
    assert "\n" not in line
    assert all(secret not in line for secret in receiver.setup.secrets)
    assert receiver.setup.arrived(notice) == 0
