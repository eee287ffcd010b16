"""Casos y ANS: every tool's cases with their clocks, what Vigía opened, and the month's indicators."""

from __future__ import annotations

from typing import Any

from boards.words import (
    ACTION,
    CALM,
    CLIENT,
    CLOCK,
    CLOCKS,
    GREEN,
    INCIDENT,
    NONE_IS_WELL,
    ORANGE,
    RED,
    YELLOW,
    bars,
    board,
    chosen,
    from_postgres,
    lines,
    number,
    rows,
    where,
)  # fmt: skip

HERE = f"{chosen('k.product', 'k.channel')} AND (k.segment = '' OR k.segment IN (${{segment:sqlstring}}))"
OPEN = f"FROM v_clocks k WHERE k.ended_at IS NULL AND {HERE}"
OVER = f"FROM v_clocks k WHERE $__timeFilter(k.ended_at) AND {HERE}"
URGENT = f"""
    SELECT k.case_id AS "Caso", k.source AS "Herramienta", coalesce(k.client, '') AS "Cliente", k.client_id AS nit, k.segment AS "Segmento",
      {where("k.product", "k.channel")} AS "Producto y canal", k.typology AS "Tipología", k.status AS "Estado", k.level AS "Nivel",
      {CLOCK} AS "ANS", k.opened_at AS "Desde", k.due_at AS "Vence", extract(epoch FROM k.due_at - now())::bigint AS "Faltan",
      k.returns AS "Devoluciones"
    {OPEN} ORDER BY k.due_at NULLS LAST LIMIT 300"""
DECIDED = f"""
    SELECT d.opened_at AS "Cuándo", {ACTION.format("d.action")} AS "Caso", d.client AS "Cliente", d.client_id AS nit, d.segment AS "Segmento",
      d.product AS "Producto", d.desk AS "Mesa", d.reference AS "Número", CASE d.delivery WHEN 'sent' THEN 'Entregado' WHEN 'dead' THEN 'No se pudo'
      WHEN '' THEN '' ELSE 'En espera' END AS "Entrega", d.priority AS "Prioridad", d.client_reported_at AS "Reportó", d.lead_seconds AS "Ventaja",
      d.incident_id AS afectacion
    FROM v_cases d WHERE $__timeFilter(d.opened_at) AND {chosen("d.product", "d.channel")} ORDER BY d.opened_at DESC LIMIT 300"""
MEANT = f"FROM v_cases d WHERE $__timeFilter(d.opened_at) AND {chosen('d.product', 'd.channel')}"


def share(of: str, whole: str, source: str) -> str:
    """A part in a hundred of these rows; nothing where there are none: it is never guessed."""
    return (
        f"SELECT (count(*) FILTER (WHERE {of}))::double precision / nullif(count(*) FILTER (WHERE {whole}), 0) {source}"
    )


def build() -> Any:
    """The board."""
    promised = "k.state IN ('met', 'breached')"
    solved = f"SELECT avg(k.seconds) {OVER} AND k.kind IN ('soporte', 'incidente')"
    repeated = (
        "SELECT (count(*) FILTER (WHERE EXISTS (SELECT 1 FROM v_clocks b WHERE b.client_id = k.client_id AND b.product = k.product AND b.reported_by <> 'monitor'"
        " AND b.opened_at < k.opened_at AND b.opened_at > k.opened_at - interval '30 days')))::double precision / nullif(count(*), 0)"
        f" FROM v_clocks k WHERE $__timeFilter(k.opened_at) AND k.client_id <> '' AND k.reported_by <> 'monitor' AND {HERE}"
    )
    first = share("k.level = 'N1' AND k.returns = 0", "k.level <> ''", OVER)
    goal = ((None, RED), (0.85, YELLOW), (0.95, GREEN))
    now = [
        number("Abiertos", "Casos abiertos en todas las herramientas.", f"SELECT count(*) {OPEN}", sql=True),
        number("En riesgo", "Ya gastaron la mayor parte de su plazo (por omisión, 80 %).", f"SELECT count(*) {OPEN} AND k.state = 'at_risk'",
               sql=True, steps=((None, GREEN), (1, ORANGE))),
        number("Vencidos", "Pasaron su promesa y siguen abiertos.", f"SELECT count(*) {OPEN} AND k.state = 'breached'", sql=True, steps=NONE_IS_WELL),
        number("Sin promesa", "Casos de los que nada se ha prometido: no cuentan como a tiempo.", f"SELECT count(*) {OPEN} AND k.state = ''", sql=True),
        number("Causas escaladas", "Causas que volvieron y se escalaron en este rango.",
               "SELECT count(*) FROM v_escalations WHERE $__timeFilter(escalated_at)", sql=True, steps=CALM),
        number("Último reloj", "Cuándo se miraron por última vez las promesas; se renueva cada minuto.",
               "SELECT extract(epoch FROM max(kept_at)) * 1000 FROM v_clocks", sql=True, unit="dateTimeFromNow"),
        rows("Casos abiertos, el que vence primero, primero", "Con el reloj de extremo a extremo en horas de servicio; negativo: cuánto lleva vencido.",
             URGENT, empty="Sin casos abiertos", size=(24, 9), units={"Faltan": "s"}, colors={"ANS": CLOCKS},
             links={"Cliente": [CLIENT], "nit": [CLIENT]}),
        lines("En riesgo y vencidos, en el tiempo", "Lo que dice Vigía cada minuto, por producto.",
              {"{{product}} en riesgo": "sum by (product) (vigia_cases_at_risk) or vector(0)",
               "{{product}} vencidos": "sum by (product) (vigia_cases_breached) or vector(0)"}, size=(12, 8)),
        bars("Abiertos por producto", "Casos abiertos ahora.", f"SELECT {where('k.product', chr(39) * 2)} AS producto, count(*) AS casos {OPEN} GROUP BY 1"
             " ORDER BY 2 DESC LIMIT 12", sql=True, size=(12, 8), empty="Sin casos abiertos"),
    ]  # fmt: skip
    month = [
        number("Cumplimiento de ANS", "Casos resueltos a tiempo / casos resueltos que tenían promesa, en este rango.", share("k.state = 'met'", promised, OVER),
               sql=True, unit="percentunit", steps=goal, empty="Nada se resolvió"),
        number("Tiempo promedio de resolución", "De la primera palabra del cliente a la solución, en soporte e incidente.", solved, sql=True, unit="s",
               empty="Nada se resolvió"),
        number("Reincidencia", "Casos de un cliente que ya tuvo otro suyo del mismo producto en los 30 días anteriores / casos de clientes abiertos en este rango.", repeated,
               sql=True, unit="percentunit", steps=((None, GREEN), (0.1, YELLOW), (0.2, RED)), empty="Sin casos"),
        number("Resueltos en primera instancia", "Resueltos en N1 sin devolución / resueltos cuyo nivel dice la herramienta.", first, sql=True,
               unit="percentunit", steps=((None, RED), (0.6, YELLOW), (0.8, GREEN)), empty="Ninguna herramienta dice el nivel"),
        number("Reprocesos", "Casos devueltos o reabiertos / casos resueltos en este rango.",
               share("k.returns > 0 OR k.reopened > 0", "true", OVER), sql=True, unit="percentunit",
               steps=((None, GREEN), (0.05, YELLOW), (0.1, RED)), empty="Nada se resolvió"),
        number("Preventivos", "Casos que abrió Vigía / casos abiertos en este rango en todas las herramientas.",
               share("k.reported_by = 'monitor'", "true", f"FROM v_clocks k WHERE $__timeFilter(k.opened_at) AND {HERE}"), sql=True,
               unit="percentunit", empty="Sin casos"),
        lines("Resueltos por día", "A tiempo, tarde y sin promesa.",
              f"SELECT date_trunc('day', k.ended_at) AS time, {CLOCK} AS metric, count(*)::double precision AS value {OVER} GROUP BY 1, 2 ORDER BY 1",
              sql=True, stacked=True),
        bars("Tiempo promedio por producto", "De extremo a extremo, de lo resuelto en este rango.",
             f"SELECT {where('k.product', chr(39) * 2)} AS producto, avg(k.seconds) AS segundos {OVER} GROUP BY 1 ORDER BY 2 DESC LIMIT 12",
             sql=True, unit="s", size=(12, 8), empty="Nada se resolvió"),
    ]  # fmt: skip
    ours = [
        bars("Qué se decidió", "Por cliente y afectación, en este rango.", f"SELECT {ACTION.format('d.action')} AS caso, count(*) AS clientes {MEANT} GROUP BY 1",
             sql=True, size=(8, 7)),
        bars("Quién habló primero", "De los clientes que reportaron, por segmento: la parte a la que llegamos antes.",
             f"SELECT coalesce(nullif(d.segment, ''), 'sin segmento') AS segmento, avg((d.lead_seconds > 0)::int) AS parte {MEANT}"
             " AND d.lead_seconds IS NOT NULL GROUP BY 1 ORDER BY 1", sql=True, unit="percentunit", size=(8, 7), top=1,
             steps=((None, RED), (0.5, YELLOW), (0.8, GREEN)), empty="Nadie ha reportado"),
        bars("Por qué no se abrió", "Los motivos, en este rango, del más frecuente al menos.",
             f"SELECT CASE d.reason WHEN 'budget' THEN 'Espera cupo de la mesa' WHEN 'too few failures yet' THEN 'Pocas fallas todavía'"
             " WHEN 'waits for approval' THEN 'Espera aprobación' WHEN 'only observed' THEN 'Solo se observa' WHEN 'withdrawn' THEN 'Retirado'"
             " WHEN 'the link was undone' THEN 'Se deshizo el enlace' WHEN 'no desk takes this product' THEN 'Ninguna mesa lo recibe'"
             " WHEN 'our case on what else fails for them stands for it' THEN 'Ya hay un caso nuestro por lo demás que falla'"
             " WHEN 'our case on what had ended for them stands for it again' THEN 'Vale el caso que ya tenía'"
             " WHEN 'their own case on it is closed already' THEN 'Su caso ya se cerró' WHEN 'their own case is older than the failure'"
             f" THEN 'Su caso es anterior a la falla' ELSE d.reason END AS motivo, count(*) AS clientes {MEANT} AND d.action <> 'open' GROUP BY 1 ORDER BY 2 DESC",
             sql=True, size=(8, 7), empty="Se abrieron todos"),
        rows("Casos de Vigía", "Lo último primero, con su entrega y quién habló primero.", DECIDED, empty="Ningún caso en este rango", size=(24, 9),
             units={"Ventaja": "s"}, links={"afectacion": [INCIDENT], "Cliente": [CLIENT], "nit": [CLIENT]}),
    ]  # fmt: skip
    return board(
        "vigia-casos",
        "Los casos de todas las herramientas con su reloj de servicio, lo que abrió Vigía y los indicadores del periodo elegido.",
        [
            from_postgres("product", "Producto", "SELECT DISTINCT product FROM v_holdings WHERE product <> '' UNION SELECT DISTINCT product FROM v_clocks WHERE product <> '' ORDER BY 1"),
            from_postgres("channel", "Canal", "SELECT DISTINCT channel FROM v_holdings WHERE channel <> '' UNION SELECT DISTINCT channel FROM v_clocks WHERE channel <> '' ORDER BY 1"),
            from_postgres("segment", "Segmento", "SELECT DISTINCT segment FROM v_clients WHERE segment <> '' ORDER BY 1"),
        ],
        [("Ahora", now), ("Indicadores del periodo", month), ("Casos preventivos", ours)], since="now-30d", refresh="1m",
    )  # fmt: skip
