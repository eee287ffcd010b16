"""Cliente 360: one failure as one client lives it, across all that the client holds. Clients are asked of PostgreSQL alone."""

from __future__ import annotations

from typing import Any

from boards.words import (
    ACTION,
    CALM,
    CLOCK,
    CLOCKS,
    GREEN,
    INCIDENT,
    KIND,
    NONE_IS_WELL,
    ORANGE,
    PAGE,
    RED,
    SEVERITIES,
    SEVERITY,
    YELLOW,
    board,
    from_postgres,
    lines,
    number,
    rows,
    where,
)  # fmt: skip

CLIENTS = """
    SELECT client || ' (' || client_id || ')' AS __text, client_id AS __value FROM v_clients
    WHERE client ILIKE '%$__searchFilter%' OR client_id LIKE '$__searchFilter%' ORDER BY client LIMIT 500"""
MINE = "client_id = '$client'"
CARD = f"""
    SELECT client AS "Cliente", client_id AS nit, segment AS "Segmento", value_rank AS "Puesto por valor", sensitivity AS "Sensibilidad",
      post_sale AS "Posventa", substitute AS "Suplente", manager AS "Gerente", group_id AS "Grupo", sector AS "Sector"
    FROM v_clients WHERE {MINE}"""
HELD = f"""
    SELECT {where("h.product", "h.channel")} AS "Producto y canal", h.since AS "Desde",
      CASE WHEN v.breach > 0 THEN 'En falla' WHEN v.healthy > 0 THEN 'Sano' ELSE 'Sin veredicto' END AS "Estado del lugar",
      coalesce((SELECT string_agg(DISTINCT CASE m.touch WHEN 'affected' THEN 'Afectado' ELSE 'Expuesto' END, ', ') FROM v_impacts m
        JOIN v_incidents i ON i.id = m.incident_id WHERE i.state = 'firing' AND m.client_id = h.client_id AND m.product = h.product), 'No')
        AS "Lo toca algo abierto"
    FROM v_holdings h LEFT JOIN v_verdicts v ON v.product = h.product AND v.channel = h.channel
    WHERE h.{MINE} AND (h.until IS NULL OR h.until > now()) ORDER BY h.product, h.channel"""
TOUCHED = f"""
    SELECT i.id AS afectacion, {SEVERITY} AS "Severidad", {where("i.product", "i.channel")} AS "Dónde", {KIND} AS "Qué",
      CASE m.touch WHEN 'affected' THEN 'Afectado' ELSE 'Expuesto' END AS "Cómo", m.product AS "Su producto", m.failures AS "Fallas",
      m.missing AS "No llegaron", m.amount AS "Valor", m.first_failure_at AS "Su primera falla", i.detected_at AS "Detectada",
      i.ended_at AS "Hasta", CASE i.state WHEN 'firing' THEN 'Abierta' ELSE 'Superada' END AS "Estado", m.priority AS "Prioridad"
    FROM v_impacts m JOIN v_incidents i ON i.id = m.incident_id WHERE m.{MINE} AND (i.state = 'firing' OR $__timeFilter(i.detected_at))
    ORDER BY i.detected_at DESC, m.priority DESC LIMIT 200"""
CASES = f"""
    SELECT d.opened_at AS "Cuándo", {ACTION.format("d.action")} AS "Caso", d.product AS "Producto", d.desk AS "Mesa",
      coalesce(nullif(d.reference, ''), d.linked_case_id) AS "Número", d.informed_at AS "Se le informó", d.client_reported_at AS "Reportó",
      d.lead_seconds AS "Ventaja", d.priority AS "Prioridad", d.incident_id AS afectacion
    FROM v_cases d WHERE d.{MINE} AND $__timeFilter(d.opened_at) ORDER BY d.opened_at DESC LIMIT 200"""
TOOLS = f"""
    SELECT k.case_id AS "Caso", k.source AS "Herramienta", {where("k.product", "k.channel")} AS "Producto y canal", k.kind AS "Tipo",
      k.status AS "Estado", k.level AS "Nivel", {CLOCK} AS "ANS", k.opened_at AS "Desde", k.due_at AS "Vence", k.ended_at AS "Resuelto",
      k.seconds AS "Extremo a extremo", k.returns AS "Devoluciones"
    FROM v_clocks k WHERE k.{MINE} ORDER BY k.ended_at IS NOT NULL, k.due_at LIMIT 200"""
BY_DAY = f"""
    SELECT date_trunc('hour', coalesce(m.first_failure_at, i.started_at)) AS time, {where("m.product", "''")} AS metric,
      sum(m.failures + m.missing)::double precision AS value
    FROM v_impacts m JOIN v_incidents i ON i.id = m.incident_id
    WHERE m.{MINE} AND m.touch = 'affected' AND $__timeFilter(coalesce(m.first_failure_at, i.started_at)) GROUP BY 1, 2 ORDER BY 1"""
DOUBTS = f"""
    SELECT count(*) FILTER (WHERE settled_at IS NULL) AS "Sin aclarar", count(*) FILTER (WHERE settled_at IS NOT NULL) AS "Aclaradas",
      coalesce(sum(amount) FILTER (WHERE settled_at IS NULL), 0) AS "Valor sin aclarar" FROM v_doubts WHERE {MINE}"""


def _one(query: str) -> str:
    return f"{query} AND m.{MINE}"


def build() -> Any:
    """The board."""
    hit = "SELECT {0} FROM v_impacts m JOIN v_incidents i ON i.id = m.incident_id WHERE i.state = 'firing'"
    now = [
        rows("Ficha", "Quién es, quién lo atiende y cuánto pesa.", CARD, empty="Elija un cliente", size=(24, 4), links={"Cliente": [PAGE], "nit": [PAGE]}),
        number("Afectaciones que lo afectan", "Abiertas, con transacciones suyas que fallaron o no llegaron.",
               _one(hit.format("count(DISTINCT i.id)")) + " AND m.touch = 'affected'", sql=True, steps=NONE_IS_WELL),
        number("Afectaciones a las que está expuesto", "Abiertas, en lo que tiene y todavía no le ha fallado.",
               _one(hit.format("count(DISTINCT i.id)")) + " AND m.touch = 'exposed'", sql=True, steps=((None, GREEN), (1, YELLOW))),
        number("Prioridad más alta", "De 0 a 100, entre lo que lo afecta ahora.", _one(hit.format("coalesce(max(m.priority), 0)")), sql=True,
               steps=((None, GREEN), (40, YELLOW), (70, RED))),
        number("Valor afectado ahora", "De sus transacciones que fallaron en lo que está abierto.",
               _one(hit.format("coalesce(sum(m.amount), 0)::double precision")), sql=True, unit="locale"),
        number("Casos abiertos", "En cualquier herramienta, de quien sean.",
               f"SELECT count(*) FROM v_clocks WHERE {MINE} AND ended_at IS NULL", sql=True, steps=CALM),
        number("Casos vencidos o en riesgo", "Entre los abiertos, por su promesa de servicio.",
               f"SELECT count(*) FROM v_clocks WHERE {MINE} AND ended_at IS NULL AND state IN ('at_risk', 'breached')", sql=True,
               steps=((None, GREEN), (1, ORANGE))),
    ]  # fmt: skip
    colors = {"Severidad": SEVERITIES, "Cómo": {"Afectado": RED, "Expuesto": YELLOW}}
    what = [
        rows("Lo que tiene", "Cada producto y canal suyo, cómo está el lugar y si algo abierto lo toca.", HELD, empty="No se conocen sus productos",
             size=(12, 9), colors={"Estado del lugar": {"En falla": RED, "Sano": GREEN, "Sin veredicto": "#8e8e8e"}}),
        lines("Fallas suyas por hora", "Transacciones suyas que fallaron o no llegaron, por la hora de la primera.", BY_DAY, sql=True, stacked=True,
              size=(12, 9), empty="Sin fallas en este rango"),
        rows("Afectaciones que lo tocan", "Las abiertas y las detectadas en este rango.", TOUCHED, empty="Nada lo ha tocado en este rango",
             size=(24, 8), units={"Valor": "locale"}, colors=colors, links={"afectacion": [INCIDENT]}),
    ]  # fmt: skip
    done = [
        rows("Qué se hizo", "Casos preventivos, cuándo se le informó y quién habló primero (ventaja negativa: el cliente).", CASES,
             empty="Ningún caso en este rango", size=(24, 7), units={"Ventaja": "s"}, links={"afectacion": [INCIDENT]}),
        rows("Sus casos y su ANS", "En todas las herramientas, con el reloj de extremo a extremo: una devolución no lo pone en cero.", TOOLS,
             empty="Sin casos", size=(24, 7), units={"Extremo a extremo": "s"}, colors={"ANS": CLOCKS}),
        rows("Operaciones en duda", "Pendientes, reversadas o duplicadas que dejó una afectación.", DOUBTS, empty="Ninguna", size=(24, 4),
             units={"Valor sin aclarar": "locale"}),
    ]  # fmt: skip
    return board(
        "vigia-cliente",
        "Un cliente en todo lo que tiene: qué lo toca, qué se hizo por él, cómo van sus casos. Lo que se mira aquí no queda"
        " en el registro de lecturas de Vigía; su ficha en Vigía sí lo deja.",
        [from_postgres("client", "Cliente", " ".join(CLIENTS.split()), multi=False)],
        [("Ahora", now), ("Qué le pasa", what), ("Qué se hizo", done)], since="now-90d", refresh="1m",
    )  # fmt: skip
