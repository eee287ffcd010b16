"""How the boards say things: data sources, queries, panels and variables, in few words. Texts are Spanish: the bank reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models import dashboard as shapes

PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="vigia-prometheus")
POSTGRES = models.DataSourceRef(type_val="grafana-postgresql-datasource", uid="vigia-postgres")
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#8e8e8e"
Steps = Sequence[tuple[float | None, str]]
CALM: Steps = ((None, BLUE),)
NONE_IS_WELL: Steps = ((None, GREEN), (1, RED))
BOARDS = {
    "vigia-torre": "Torre de control",
    "vigia-cliente": "Cliente 360",
    "vigia-casos": "Casos y ANS",
    "vigia-salud": "Salud de Vigía",
}
INCIDENT = ("Abrir la afectación", "${vigia}/incidents/${__data.fields.afectacion}")
GUIDE = ("Guía de primera instancia", "${vigia}/guias/${__data.fields.guia}")
CLIENT = ("Cliente 360", "/d/vigia-cliente?var-client=${__data.fields.nit}&${__url_time_range}")
PAGE = ("Ficha en Vigía", "${vigia}/clients/${__data.fields.nit}")
SEVERITIES = {"Crítica": RED, "Mayor": ORANGE, "Menor": YELLOW}
SEVERITY = "CASE i.severity WHEN 'critical' THEN 'Crítica' WHEN 'major' THEN 'Mayor' ELSE 'Menor' END"
KIND = (
    "CASE i.kind WHEN 'failed' THEN 'Fallas' WHEN 'rejected' THEN 'Rechazos' WHEN 'reversed' THEN 'Reversos' WHEN 'pending' THEN 'Pendientes'"
    " WHEN 'missing' THEN 'Volumen perdido' WHEN 'slow' THEN 'Lentitud' WHEN 'duplicated' THEN 'Duplicadas'"
    " WHEN 'other' THEN 'Estados desconocidos' ELSE 'Medida' END"
)
ACTION = "CASE {0} WHEN 'open' THEN 'Abierto' WHEN 'link' THEN 'Enlazado al del cliente' ELSE 'Sin caso' END"
CLOCK = (
    "CASE k.state WHEN 'running' THEN 'En plazo' WHEN 'paused' THEN 'En espera del cliente' WHEN 'at_risk' THEN 'En riesgo'"
    " WHEN 'breached' THEN 'Vencido' WHEN 'met' THEN 'A tiempo' ELSE 'Sin promesa' END"
)
CLOCKS = {
    "Vencido": RED,
    "En riesgo": ORANGE,
    "En espera del cliente": BLUE,
    "En plazo": GREEN,
    "A tiempo": GREEN,
    "Sin promesa": GREY,
}


def where(product: str = "product", channel: str = "channel") -> str:
    """A place as people name it: «pagos · web»; all of it where it is not narrower."""
    return f"coalesce(nullif(concat_ws(' · ', nullif({product}, ''), nullif({channel}, '')), ''), 'Todo el banco')"


def chosen(product: str = "product", channel: str | None = "channel") -> str:
    """What the board's variables let through; what is not narrowed down to one product or channel always is."""
    found = f"({product} = '' OR {product} IN (${{product:sqlstring}}))"
    return found if channel is None else f"{found} AND ({channel} = '' OR {channel} IN (${{channel:sqlstring}}))"


class _Sql(builder.Builder[variants.Dataquery]):
    """A query of PostgreSQL; the SDK has no model of it, and keeps what it is given."""

    def __init__(self, query: str, ref: str, form: str) -> None:
        self._told = {
            "datasource": {"type": POSTGRES.type_val, "uid": POSTGRES.uid}, "editorMode": "code", "format": form, "rawQuery": True,
            "rawSql": " ".join(query.split()), "refId": ref,
        }  # fmt: skip

    def build(self) -> variants.Dataquery:
        return UnknownDataquery(self._told)


def prom(expr: str, legend: str = "", ref: str = "A", *, instant: bool = False) -> prometheus.Dataquery:
    """A query of Prometheus."""
    made = prometheus.Dataquery().expr(" ".join(expr.split())).ref_id(ref).datasource(PROMETHEUS)
    made = made.legend_format(legend) if legend else made
    return made.instant() if instant else made.range()


def _links(links: Sequence[tuple[str, str]]) -> list[Any]:
    return [dashboard.DashboardLink(title).url(url).target_blank(True) for title, url in links]


def _dressed(made: Any, title: str, told: str, size: tuple[int, int], empty: str) -> Any:
    return made.title(title).description(told).span(size[0]).height(size[1]).no_value(empty)


def _steps(steps: Steps) -> dashboard.ThresholdsConfig:
    made = [shapes.Threshold(value, color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(shapes.ThresholdsMode.ABSOLUTE).steps(made)


def _asked(made: Any, queries: str | Mapping[str, str], *, sql: bool, instant: bool, form: str = "table") -> Any:
    named = {"": queries} if isinstance(queries, str) else queries
    made = made.datasource(POSTGRES if sql else PROMETHEUS)
    for ref, (legend, query) in zip("ABCDEFGH", named.items(), strict=False):
        made = made.with_target(_Sql(query, ref, form) if sql else prom(query, legend, ref, instant=instant))
    return made


def number(
    title: str, told: str, queries: str | Mapping[str, str], *, unit: str = "short", steps: Steps = CALM, size: tuple[int, int] = (4, 4),
    sql: bool = False, empty: str = "Sin datos", decimals: int | None = None, area: bool = False, url: tuple[str, str] | None = None,
) -> stat.Panel:  # fmt: skip
    """One figure, or one a legend, as it is now."""
    made = _dressed(stat.Panel(), title, told, size, empty).unit(unit).thresholds(_steps(steps))
    made = made.color_scheme(dashboard.FieldColor().mode(shapes.FieldColorModeId.THRESHOLDS))
    made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).color_mode(
        models.BigValueColorMode.VALUE
    )
    made = made.graph_mode(models.BigValueGraphMode.AREA if area else models.BigValueGraphMode.NONE)
    made = made.decimals(decimals) if decimals is not None else made
    made = made.data_links(_links([url])) if url else made
    return _asked(made, queries, sql=sql, instant=not area)


def bars(
    title: str, told: str, queries: str | Mapping[str, str], *, unit: str = "short", steps: Steps = CALM, size: tuple[int, int] = (8, 8),
    sql: bool = False, empty: str = "Sin datos", top: float | None = None,
) -> bargauge.Panel:  # fmt: skip
    """A bar each, as it is now."""
    made = _dressed(bargauge.Panel(), title, told, size, empty).unit(unit).thresholds(_steps(steps)).min(0)
    made = made.orientation(models.VizOrientation.HORIZONTAL).display_mode(models.BarGaugeDisplayMode.BASIC)
    made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(sql))
    return _asked(made.max(top) if top else made, queries, sql=sql, instant=True)


def lines(
    title: str, told: str, queries: str | Mapping[str, str], *, unit: str = "short", size: tuple[int, int] = (12, 8), sql: bool = False,
    empty: str = "Sin datos en este rango", steps: Steps | None = None, stacked: bool = False, least: float | None = 0,
) -> timeseries.Panel:  # fmt: skip
    """Over time."""
    made = (
        _dressed(timeseries.Panel(), title, told, size, empty)
        .unit(unit)
        .fill_opacity(20 if stacked else 6)
        .line_width(1)
    )
    made = made.show_points(models.VisibilityMode.NEVER if not sql else models.VisibilityMode.AUTO)
    made = made.draw_style(models.GraphDrawStyle.BARS if sql else models.GraphDrawStyle.LINE)
    made = made.tooltip(
        common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI).sort(models.SortOrder.DESCENDING)
    )
    made = made.legend(
        common.VizLegendOptions()
        .display_mode(models.LegendDisplayMode.LIST)
        .placement(models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    made = made.axis_soft_min(least) if least is not None else made
    made = made.stacking(common.StackingConfig().mode(models.StackingMode.NORMAL)) if stacked else made
    if steps:
        made = made.thresholds(_steps(steps)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(models.GraphThresholdsStyleMode.DASHED)
        )
    return _asked(made, queries, sql=sql, instant=False, form="time_series")


def states(
    title: str,
    told: str,
    query: str,
    legend: str,
    named: Mapping[str, tuple[str, str]],
    *,
    size: tuple[int, int] = (24, 9),
) -> Any:
    """A row each, coloured by its state."""
    results = {
        value: shapes.ValueMappingResult(text=text, color=color, index=n)
        for n, (value, (text, color)) in enumerate(named.items())
    }
    made = _dressed(statetimeline.Panel(), title, told, size, "Todavía no se juzga nada").mappings(
        [shapes.ValueMap(options=results)]
    )
    made = (
        made.merge_values(True).show_value(models.VisibilityMode.NEVER).row_height(0.8).line_width(0).fill_opacity(80)
    )
    made = made.legend(
        common.VizLegendOptions()
        .display_mode(models.LegendDisplayMode.LIST)
        .placement(models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    return made.datasource(PROMETHEUS).with_target(prom(query, legend))


def rows(
    title: str, told: str, query: str, *, empty: str, size: tuple[int, int] = (24, 8), links: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    units: Mapping[str, str] | None = None, colors: Mapping[str, Mapping[str, str]] | None = None, sql: bool = True,
) -> table.Panel:  # fmt: skip
    """A table. links, units, colors: by column; a column that a link needs and nobody reads is hidden by its name's underscore."""
    made = _dressed(table.Panel(), title, told, size, empty).filterable(True).show_header(True)
    for column, wanted in (links or {}).items():
        told_links = [{"title": name, "url": url, "targetBlank": True} for name, url in wanted]
        made = made.override_by_name(column, [shapes.DynamicConfigValue("links", told_links)])
    for column, unit in (units or {}).items():
        made = made.override_by_name(column, [shapes.DynamicConfigValue("unit", unit)])
    for column, named in (colors or {}).items():
        options = {text: {"text": text, "color": color, "index": n} for n, (text, color) in enumerate(named.items())}
        mapping, cell = [{"type": "value", "options": options}], {"type": "color-text"}
        made = made.override_by_name(
            column,
            [shapes.DynamicConfigValue("mappings", mapping), shapes.DynamicConfigValue("custom.cellOptions", cell)],
        )
    return _asked(made, query, sql=sql, instant=True)


def from_prometheus(
    name: str, label: str, query: str, *, multi: bool = True, default: str = ""
) -> dashboard.QueryVariable:
    """A variable of what Prometheus knows."""
    made = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .refresh(shapes.VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    made = made.query({"query": query, "refId": name}).definition(query).sort(shapes.VariableSort.ALPHABETICAL_ASC)
    if not multi:
        return made.current(shapes.VariableOption(selected=True, text=default, value=default))
    return (
        made.multi(True)
        .include_all(True)
        .all_value(".*")
        .current(shapes.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def from_postgres(name: str, label: str, query: str, *, multi: bool = True) -> dashboard.QueryVariable:
    """A variable of what the state knows: the only place of clients."""
    made = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(POSTGRES)
        .refresh(shapes.VariableRefresh.ON_DASHBOARD_LOAD)
    )
    made = made.query(query).definition(query)
    if not multi:
        return made.allow_custom_value(True)
    return (
        made.multi(True).include_all(True).current(shapes.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def board(
    uid: str,
    told: str,
    variables: Sequence[Any],
    content: Sequence[tuple[str, Sequence[Any]]],
    *,
    since: str,
    refresh: str = "30s",
) -> Any:
    """A board: rows of panels, each with its title. Its address never changes."""
    made = (
        dashboard.Dashboard(BOARDS[uid])
        .uid(uid)
        .description(told)
        .tags(["vigia"])
        .timezone("America/Bogota")
        .readonly()
    )
    made = (
        made.time(since, "now")
        .refresh(refresh)
        .tooltip(shapes.DashboardCursorSync.CROSSHAIR)
        .week_start("monday")
        .version(1)
    )
    address = dashboard.TextBoxVariable("vigia").label("Dirección de Vigía").default_value("http://127.0.0.1:8080")
    made = made.with_variable(address.description("A dónde llevan los enlaces a las páginas de Vigía."))
    for variable in variables:
        made = made.with_variable(variable)
    for other, title in BOARDS.items():
        if other != uid:
            link = dashboard.DashboardLink(title).type(shapes.DashboardLinkType.LINK).url(f"/d/{other}")
            made = made.link(link.keep_time(True))
    made = made.link(
        dashboard.DashboardLink("Tablero de Vigía")
        .type(shapes.DashboardLinkType.LINK)
        .url("${vigia}/")
        .target_blank(True)
    )
    number = 0
    for title, panels in content:
        number += 1
        made = made.with_row(dashboard.Row(title).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(panel.id(number))
    return made
