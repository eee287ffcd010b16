"""Salud de Vigía: whether the watchman watches."""

from __future__ import annotations

from typing import Any

from boards.words import CALM, GREEN, NONE_IS_WELL, ORANGE, RED, YELLOW, bars, board, from_prometheus, lines, number

FAULTS = {
    "unreachable": "Sin conexión", "timeout": "Sin respuesta a tiempo", "busy": "Pide esperar", "login": "No deja entrar",
    "refused": "Rechaza lo pedido", "server": "Error del otro lado", "unreadable": "No se entiende", "resting": "En reposo",
}  # fmt: skip
"""Those that say something; what is of no known kind is in the total alone."""
SOURCE = 'source=~"$source"'


def build() -> Any:
    """The board."""
    now = [
        number("En pie", "Prometheus alcanza a Vigía.", 'up{job="vigia"}', steps=((None, RED), (1, GREEN)), empty="No hay dato de Vigía"),
        number("Desde el último ciclo", "Tiempo desde que se juzgó el último minuto completo. Si nunca, desde el arranque.",
               "time() - (vigia_last_cycle_timestamp_seconds > 0 or vigia_process_start_time_seconds)", unit="s",
               steps=((None, GREEN), (180, YELLOW), (300, RED)), area=True),
        number("Fuentes arriba", "Parte de las fuentes cuya última consulta respondió.", "avg(vigia_source_up)", unit="percentunit",
               steps=((None, RED), (1, GREEN))),
        number("Errores en este rango", "Pasos que fallaron, consultas y entregas que fallaron.",
               {"Pasos": "increase(vigia_step_errors_total[$__range])", "Consultas": "sum(increase(vigia_source_errors_total[$__range]))",
                "Entregas": "sum(increase(vigia_outbox_errors_total[$__range]))"}, steps=((None, GREEN), (1, ORANGE)), size=(6, 4), decimals=0),
        number("Alertas sobre Vigía", "Las que Prometheus tiene encendidas; la de vigilancia (VigiaWatchdog) siempre lo está y no cuenta.",
               'count(ALERTS{alertname=~"Vigia.*", alertname!="VigiaWatchdog", alertstate="firing"}) or vector(0)', steps=NONE_IS_WELL, size=(3, 4)),
        number("Versión", "Mayor × 10000 + menor × 100 + parche.", "vigia_build_version", steps=CALM, size=(3, 4), decimals=0),
    ]  # fmt: skip
    sources = [
        lines("Fuentes", "1 si la última consulta respondió.", {"{{source}}": f"vigia_source_up{{{SOURCE}}}"}, size=(8, 8)),
        lines("Retraso de cada fuente", "Edad del momento hasta el cual la fuente está completa, y hasta dónde es la que se configuró.",
              {"{{source}}": f"vigia_source_lag_seconds{{{SOURCE}}}", "Configurado": "vigia_judging_lag_expected_seconds"}, unit="s", size=(8, 8)),
        lines("Tiempo de cada consulta (p95)", "En los últimos 5 minutos.",
              {"{{source}}": f"histogram_quantile(0.95, sum by (le, source) (rate(vigia_poll_seconds_bucket{{{SOURCE}}}[5m])))"}, unit="s", size=(8, 8)),
        lines("Filas leídas por segundo", "Por fuente.", {"{{source}}": f"rate(vigia_source_rows_total{{{SOURCE}}}[5m])"}, size=(8, 8)),
        lines("Filas con algo raro, por segundo", "Inservibles, tardías, demasiado tardías, repetidas, con estado que nadie nombró y de NIT con dígito errado.",
              {name: f"sum(rate(vigia_source_{word}_rows_total{{{SOURCE}}}[5m]))" for name, word in {
                  "Inservibles": "rejected", "Tardías": "late", "Demasiado tardías": "too_late", "Repetidas": "repeated",
                  "Estado sin nombre": "unknown_status", "Dígito de verificación errado": "wrong_digit"}.items()}, size=(8, 8)),
        bars("Consultas que fallaron", "En este rango, por fuente.", {"{{source}}": f"increase(vigia_source_errors_total{{{SOURCE}}}[$__range])"},
             steps=((None, GREEN), (1, ORANGE)), size=(8, 8)),
        lines("Por qué fallan las consultas", "Por minuto y por clase de falla, en las fuentes elegidas.",
              {words: f"60 * sum(rate(vigia_source_{fault}_errors_total{{{SOURCE}}}[5m]))" for fault, words in FAULTS.items()}, size=(12, 8)),
        lines("Consultas que empiezan tarde (p99)", "De la hora en que tocaban a la hora en que empiezan: solo nuestro.",
              {"{{source}}": f"histogram_quantile(0.99, sum by (le, source) (rate(vigia_poll_lag_seconds_bucket{{{SOURCE}}}[5m])))"}, unit="s",
              size=(12, 8), steps=((None, GREEN), (2, RED))),
    ]  # fmt: skip
    judging = [
        lines("Retraso al juzgar", "Edad del minuto más nuevo cuando se juzgó, y hasta dónde es el que se configuró.",
              {"Retraso": "vigia_judging_lag_seconds", "Configurado": "vigia_judging_lag_expected_seconds"}, unit="s", size=(8, 8)),
        lines("Tiempo de cada paso", "De las filas a lo guardado.", {f"p{share}": f"histogram_quantile(0.{share}, rate(vigia_step_seconds_bucket[5m]))"
              for share in (50, 95)}, unit="s", size=(8, 8)),
        lines("Tiempo juzgado por segundo", "Segundos del negocio que se juzgan cada segundo; en régimen, 1.",
              {"Juzgado": "rate(vigia_judged_seconds_total[5m])"}, size=(8, 8)),
        lines("Cola", "Consultas que esperan a ser juzgadas, y corridas que se saltaron.",
              {"En cola": "vigia_queue_length", "Saltadas por minuto": "60 * rate(vigia_missed_runs_total[5m])"}, size=(8, 8)),
        lines("Reglas por veredicto", "Lugares que cada regla mira: en falla, sin veredicto y en total.",
              {"En falla": "sum(vigia_rule_breach)", "Sin veredicto": "sum(vigia_rule_unknown)", "Total": "count(vigia_rule_breach)"}, size=(8, 8)),
        lines("Alertas de las reglas", "Lugares y clientes por regla, pendientes y encendidos.",
              {"Pendientes": "sum(vigia_rule_alerts_pending)", "Encendidas": "sum(vigia_rule_alerts_firing)"}, size=(8, 8)),
    ]  # fmt: skip
    delivery = [
        lines("Mensajes en espera", "Hacia mesas y destinatarios.", {"En espera": "vigia_outbox_pending"}, size=(8, 8)),
        lines("Edad del más viejo", "De los mensajes que esperan.", {"Edad": "vigia_outbox_oldest_age_seconds"}, unit="s", size=(8, 8),
              steps=((None, GREEN), (600, RED))),
        lines("Entregas por minuto", "Por mesa o destinatario: recibidas y fallidas.",
              {"{{desk}}": "60 * rate(vigia_outbox_sent_total[5m])", "{{desk}} fallidas": "60 * rate(vigia_outbox_errors_total[5m])"}, size=(8, 8)),
        lines("Espera de cada destino", "Edad del mensaje más viejo que espera a cada mesa o destinatario.", {"{{desk}}": "vigia_desk_lag_seconds"},
              unit="s", size=(12, 8), steps=((None, GREEN), (600, RED))),
        lines("Por qué fallan las entregas", "Por minuto y por clase de falla.",
              {words: f"60 * sum(rate(vigia_desk_{fault}_errors_total[5m]))" for fault, words in FAULTS.items()}, size=(12, 8)),
        lines("Latidos", "Avisos de vida hacia fuera por minuto: respondidos y no respondidos.",
              {"Respondidos": "60 * rate(vigia_heartbeats_total[5m])", "No respondidos": "60 * rate(vigia_heartbeat_errors_total[5m])"}, size=(8, 7)),
        number("Lugares contados aparte", "Productos y canales más allá de los primeros 200: Prometheus los ve juntos como «other».", "vigia_places_other",
               steps=((None, GREEN), (1, YELLOW)), size=(4, 7)),
        lines("Celdas en memoria", "Lo que se sostiene del pasado.", {"Celdas": "vigia_cells_held"}, size=(6, 7)),
        lines("Memoria", "La del proceso.", {"Memoria": "vigia_process_resident_memory_bytes"}, unit="bytes", size=(6, 7)),
    ]  # fmt: skip
    return board(
        "vigia-salud", "Si Vigía vigila: sus fuentes, su juicio, sus entregas y ella misma.",
        [from_prometheus("source", "Fuente", "label_values(vigia_source_up, source)")],
        [("Ahora", now), ("Fuentes", sources), ("Juicio", judging), ("Entregas y proceso", delivery)], since="now-3h",
    )  # fmt: skip
