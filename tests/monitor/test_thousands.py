"""An incident of thousands of clients: what is asked of it client by client costs no look at all of them."""

from __future__ import annotations

from time import process_time

from alerts import Impact, Touch
from monitor.calendar import Calendar
from monitor.impacts import Impacts
from monitor.portfolio import Portfolio
from monitor.windows import Windows
from tests.alerts.test_cases import INCIDENT

THOUSANDS = 8000


def test_on_which_products_each_of_them_is_hurt() -> None:
    impacts = Impacts(Windows(hold=5), Calendar("America/Bogota"), Portfolio())
    told = [
        Impact(INCIDENT.id, f"9{n:08}", product, Touch.AFFECTED if n % 2 else Touch.EXPOSED)
        for n in range(THOUSANDS)
        for product in ("pagos", "recaudos", "")
    ]
    impacts.recall([INCIDENT], told)
    began = process_time()
    found = [impacts.hurt_on(INCIDENT.id, f"9{n:08}") for n in range(THOUSANDS)]
    assert process_time() - began < 1.5
    assert found == [["pagos", "recaudos"], []][::-1] * (THOUSANDS // 2)
    impacts.known[INCIDENT.id] = {("900", "nomina"): Impact(INCIDENT.id, "900", "nomina", Touch.AFFECTED)}
    assert (impacts.hurt_on(INCIDENT.id, "900"), impacts.hurt_on(INCIDENT.id, "900000001")) == (["nomina"], [])
    impacts.forget(INCIDENT.id)
    assert impacts.hurt_on(INCIDENT.id, "900") == []
