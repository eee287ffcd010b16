"""Torre de control: what fails, for whom, since when, and what was done about it."""

from __future__ import annotations

from typing import Any

from boards.words import (
    CLIENT,
    GREEN,
    GUIDE,
    INCIDENT,
    KIND,
    NONE_IS_WELL,
    ORANGE,
    PAGE,
    RED,
    SEVERITIES,
    SEVERITY,
    YELLOW,
    bars,
    board,
    chosen,
    from_prometheus,
    lines,
    number,
    rows,
    states,
    where,
)  # fmt: skip

PLACE = 'product=~"$product", channel=~"$channel"'
BY = "sum by (product, channel)"
NAME = "{{product}} {{channel}}"
OPEN = f"""
    SELECT i.id AS afectacion, {SEVERITY} AS "Severidad", {where("i.product", "i.channel")} AS "Dónde", {KIND} AS "Qué",
      i.started_at AS "Desde", i.seconds AS "Dura", i.affected AS "Afectados", i.exposed AS "Expuestos", i.cases_opened AS "Casos abiertos",
      i.cases_linked AS "Enlazados", i.priority AS "Prioridad", coalesce(nullif(i.acknowledged_by, ''), 'nadie') AS "La reconoció",
      coalesce(nullif(i.assigned_to, ''), 'nadie') AS "La atiende", i.guide AS guia
    FROM v_incidents i WHERE i.state = 'firing' AND {chosen("i.product", "i.channel")}
    ORDER BY CASE i.severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 ELSE 2 END, i.priority DESC, i.started_at LIMIT 200"""
TOUCHED = f"""
    SELECT m.client AS "Cliente", m.client_id AS nit, m.segment AS "Segmento", m.product AS "Producto", m.failures AS "Fallas",
      m.missing AS "No llegaron", m.amount AS "Valor", m.first_failure_at AS "Primera falla", m.priority AS "Prioridad",
      coalesce(c.reference, '') AS "Caso", m.incident_id AS afectacion
    FROM v_impacts m JOIN v_incidents i ON i.id = m.incident_id
      LEFT JOIN v_cases c ON c.incident_id = m.incident_id AND c.client_id = m.client_id AND c.action = 'open'
    WHERE i.state = 'firing' AND m.touch = 'affected' AND {chosen("m.product", "i.channel")}
      AND (m.segment IS NULL OR m.segment IN (${{segment:sqlstring}}) OR m.segment = '')
    ORDER BY m.priority DESC, m.amount DESC LIMIT 200"""
OVER = f"""
    SELECT i.id AS afectacion, {SEVERITY} AS "Severidad", {where("i.product", "i.channel")} AS "Dónde", {KIND} AS "Qué",
      i.started_at AS "Desde", i.ended_at AS "Hasta", i.seconds AS "Duró",
      extract(epoch FROM i.detected_at - i.started_at)::bigint AS "En detectarse", i.affected AS "Afectados",
      i.cases_opened AS "Casos abiertos", coalesce(nullif(i.resolved_by, ''), 'sanó sola') AS "Quién la cerró"
    FROM v_incidents i WHERE i.state = 'resolved' AND $__timeFilter(i.resolved_at) AND {chosen("i.product", "i.channel")}
    ORDER BY i.resolved_at DESC LIMIT 200"""
ACTS = """
    SELECT a.at AS "Cuándo", a.who AS "Quién", CASE a.action WHEN 'ack' THEN 'Reconoció' WHEN 'note' THEN 'Anotó' WHEN 'resolve' THEN 'Resolvió'
      WHEN 'informed' THEN 'Informó al cliente' WHEN 'approve' THEN 'Aprobó' WHEN 'withdraw' THEN 'Retiró' WHEN 'promote' THEN 'Promovió a incidente'
      WHEN 'assign' THEN 'Asignó' ELSE a.action END AS "Qué hizo", a.text AS "Texto", a.incident_id AS afectacion
    FROM v_acts a WHERE $__timeFilter(a.at) ORDER BY a.at DESC LIMIT 100"""


def build() -> Any:
    """The board."""
    seen = {"Visto": "value", "Esperado": "expected", "Banda, abajo": "lower", "Banda, arriba": "upper"}
    return board(
        "vigia-torre",
        "Qué falla, a quién le falla, desde cuándo y qué se hizo. Lo abierto viene primero; cada fila lleva a su página.",
        [
            from_prometheus("product", "Producto", "label_values(vigia_transactions_total, product)"),
            from_prometheus("channel", "Canal", "label_values(vigia_transactions_total, channel)"),
            from_prometheus("segment", "Segmento", "label_values(vigia_clients_affected, segment)"),
            from_prometheus(
                "rule", "Regla", "label_values(vigia_rule_upper, rule)", multi=False, default="volumen_caido"
            ),
        ],
        [("Ahora", _now()), ("Qué falla", _what(seen)), ("A quién", _whom()), ("Qué se hizo", _done())],
        since="now-6h",
    )


def _now() -> list[Any]:
    severities = {"Críticas": "critical", "Mayores": "major", "Menores": "minor"}
    return [
        number(
            "Afectaciones abiertas", "Las que hay en este momento, por severidad.",
            {name: f'sum(vigia_incidents_open{{severity="{word}"}})' for name, word in severities.items()},
            steps=NONE_IS_WELL, size=(6, 4),
        ),
        number(
            "Sin reconocer", "Afectaciones abiertas que nadie ha tomado todavía.",
            "sum(vigia_incidents_open) - sum(vigia_incidents_acknowledged)", steps=((None, GREEN), (1, ORANGE)),
        ),
        number(
            "Clientes afectados", "Clientes con transacciones propias que fallaron, fueron lentas o no llegaron, en lo que está abierto.",
            'sum(vigia_clients_affected{segment=~"$segment"})', steps=NONE_IS_WELL, area=True,
        ),
        number(
            "Clientes expuestos", "Tienen lo que falla y todavía no les ha fallado.", 'sum(vigia_clients_exposed{segment=~"$segment"})',
            steps=((None, GREEN), (1, YELLOW)), area=True,
        ),
        number(
            "Lugares sin veredicto", "Producto y canal de los que no se sabe en la mayoría de lo que se vigila, o si fallan: sin historia, sin volumen o sin fuente."
            " No es lo mismo que sano.",
            "count(max by (product, channel) (vigia_place_verdict) == 1) or vector(0)", steps=((None, GREEN), (1, YELLOW)),
        ),
        number(
            "Fuentes caídas", "Fuentes cuya última consulta no respondió.", "count(vigia_source_up == 0) or vector(0)", steps=NONE_IS_WELL,
            size=(2, 4),
        ),
        rows(
            "Afectaciones abiertas", "Una fila por causa, la más grave primero. La afectación y la guía llevan a sus páginas.", OPEN,
            empty="Sin afectaciones abiertas", size=(24, 9), units={"Dura": "s"}, colors={"Severidad": SEVERITIES},
            links={"afectacion": [INCIDENT], "guia": [GUIDE]},
        ),
    ]  # fmt: skip


def _what(seen: dict[str, str]) -> list[Any]:
    return [
        states(
            "Estado de cada lugar", "Por producto y canal, como en el tablero: en falla si una regla lo dice; sano si lo está en la mayoría de lo que se vigila.",
            f"max by (product, channel) (vigia_place_verdict{{{PLACE}}})",
            NAME, {"0": ("Sano", GREEN), "1": ("Sin veredicto", "#8e8e8e"), "2": ("En falla", RED)},
        ),
        lines(
            "Tasa de fallas", "Fallas técnicas sobre el total, en los últimos 5 minutos.",
            {NAME: f"{BY} (rate(vigia_transactions_failed_total{{{PLACE}}}[5m])) / ({BY} (rate(vigia_transactions_total{{{PLACE}}}[5m])) > 0)"},
            unit="percentunit",
        ),
        lines(
            "Transacciones por minuto", "Todas, por producto y canal.",
            {NAME: f"60 * {BY} (rate(vigia_transactions_total{{{PLACE}}}[5m]))"},
        ),
        lines(
            "Rechazos, reversos, pendientes y estados desconocidos", "Parte del total, en los últimos 5 minutos.",
            {
                name: f"sum(rate(vigia_transactions_{word}_total{{{PLACE}}}[5m])) / (sum(rate(vigia_transactions_total{{{PLACE}}}[5m])) > 0)"
                for name, word in {"Rechazadas": "rejected", "Reversadas": "reversed", "Pendientes": "pending", "Otro estado": "other"}.items()
            }, unit="percentunit",
        ),
        lines(
            "Latencia", "La mitad de las transacciones tarda menos que p50, y 95 de cada 100 menos que p95.",
            {
                f"{NAME} p{share}": f"histogram_quantile(0.{share}, sum by (le, product, channel) (rate(vigia_latency_seconds_bucket{{{PLACE}}}[5m])))"
                for share in (50, 95)
            }, unit="s",
        ),
        lines(
            "Visto contra esperado: $rule", "Lo que vio la regla, lo que esperaba y su banda, en la unidad de su medida.",
            {f"{NAME} {name}": f'vigia_rule_{word}{{rule="$rule", {PLACE}}}' for name, word in seen.items()},
        ),
        bars(
            "Lo más inusual ahora", "Puntaje de cada regla y lugar, de 0 a 1: los diez más altos.",
            {"{{rule}} {{product}} {{channel}}": f"topk(10, max by (rule, product, channel) (vigia_rule_score_ratio{{{PLACE}}}))"},
            steps=((None, GREEN), (0.9, YELLOW), (0.99, RED)), size=(12, 8), top=1,
        ),
    ]  # fmt: skip


def _whom() -> list[Any]:
    return [
        lines(
            "Afectados por segmento", "Clientes afectados por lo que estaba abierto en cada momento.",
            {"{{segment}}": 'sum by (segment) (vigia_clients_affected{segment=~"$segment"})'}, stacked=True,
        ),
        lines(
            "Expuestos por segmento", "Clientes expuestos en cada momento.",
            {"{{segment}}": 'sum by (segment) (vigia_clients_exposed{segment=~"$segment"})'}, stacked=True,
        ),
        rows(
            "Clientes afectados ahora", "Los de mayor prioridad primero, con su caso si ya se abrió.", TOUCHED,
            empty="Ningún cliente afectado ahora", size=(24, 9), units={"Valor": "locale"},
            links={"Cliente": [CLIENT, PAGE], "nit": [CLIENT, PAGE], "afectacion": [INCIDENT]},
        ),
    ]  # fmt: skip


def _done() -> list[Any]:
    return [
        number(
            "Casos en este rango", "Casos preventivos abiertos, enlazados al del propio cliente, y clientes a los que no se les abrió.",
            {
                name: f"sum(increase(vigia_cases_{word}_total[$__range]))"
                for name, word in {"Abiertos": "opened", "Enlazados": "linked", "Sin caso": "left"}.items()
            }, size=(8, 4), decimals=0,
        ),
        number(
            "Alcanzados primero", "De los clientes que reportaron en los últimos 30 días, la parte a la que antes se le abrió el caso o se le informó.",
            "sum(vigia_clients_reached_first) / (sum(vigia_clients_reached_first) + sum(vigia_clients_spoke_first))", unit="percentunit",
            steps=((None, RED), (0.5, YELLOW), (0.8, GREEN)), empty="Nadie ha reportado",
        ),
        number(
            "Ventaja (mediana)", "Del caso o el aviso al reporte del cliente, en los últimos 30 días. Negativa si el cliente fue primero.",
            "histogram_quantile(0.5, vigia_lead_time_seconds_bucket)", unit="s", steps=((None, RED), (0, GREEN)), empty="Nadie ha reportado",
        ),
        number(
            "Tiempo a la detección (p95)", "De la primera falla a la detección, en este rango.",
            "histogram_quantile(0.95, sum by (le) (increase(vigia_time_to_detect_seconds_bucket[$__range])))", unit="s",
            steps=((None, GREEN), (300, YELLOW), (900, RED)), empty="Nada se detectó",
        ),
        number(
            "Mensajes en espera", "Casos y avisos que todavía no salen a su mesa o destinatario.", "vigia_outbox_pending",
            steps=((None, GREEN), (20, YELLOW), (100, RED)), area=True,
        ),
        rows(
            "Superadas en este rango", "Lo que ya pasó: cuánto duró, cuánto tardó en detectarse, a cuántos tocó.", OVER,
            empty="Nada terminó en este rango", units={"Duró": "s", "En detectarse": "s"}, colors={"Severidad": SEVERITIES},
            links={"afectacion": [INCIDENT]},
        ),
        rows(
            "Bitácora", "Lo que hicieron las personas, lo último primero.", ACTS, empty="Nadie ha hecho nada en este rango",
            links={"afectacion": [INCIDENT]},
        ),
    ]  # fmt: skip
