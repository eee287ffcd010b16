"""Much at once: what a thousand incidents and thousands of clients cost. Seconds of the processor, ten times what they need."""

from __future__ import annotations

from time import process_time

from rules import Scope, Spec, Verdict
from tests.alerts.test_incidents import MINUTE, Watch


def test_a_thousand_clients_that_begin_to_fail_in_one_minute_do_not_hold_up_the_others() -> None:
    watch, spec = Watch(), Spec(name="fallas", keep_firing_for=2 * MINUTE)
    scopes = [Scope(f"p{n % 50}", "web", f"9{n:08}") for n in range(800)]
    began = process_time()
    watch.minute("10:00", *((spec, scope, Verdict.BREACH) for scope in scopes))
    assert len(watch.open) == len(scopes)
    for clock in ("10:01", "10:02"):
        watch.minute(clock, *((spec, scope, Verdict.HEALTHY) for scope in scopes))
    assert (len(watch.open), len(watch.all)) == (0, len(scopes))
    assert process_time() - began < 5
