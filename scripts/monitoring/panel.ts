/**
 * Parts of Grafana dashboards: panels with PromQL, rows of panels laid out from left to right, variables. Plain data, no Grafana library: only
 * what its import and provisioning read. https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
 */

/** A query and how its lines are called, with labels as {{label}}. */
export interface Target {
  readonly expr: string;
  readonly legend: string;
}

/** A panel before it has a place. */
export interface Panel {
  readonly kind: "timeseries" | "stat" | "table";
  readonly title: string;
  /** What it says and what to look for, in a sentence. */
  readonly description: string;
  /** Of Grafana: "s", "bytes", "rowsps", "percentunit", "short". */
  readonly unit: string;
  readonly targets: readonly Target[];
  /** Columns of 24; 8 by default, 4 for a stat. */
  readonly width?: number;
  /** Values from which the colour is orange and red. */
  readonly thresholds?: readonly [orange: number, red: number];
  readonly stacked?: boolean;
}

/** A row of panels under a heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A variable that is chosen from the values of a label. */
export interface Choice {
  readonly name: string;
  readonly label: string;
  /** `label_values(series, label)`. */
  readonly query: string;
}

/** A dashboard. */
export interface Dashboard {
  /** Also the file's name. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly choices: readonly Choice[];
  readonly rows: readonly Row[];
}

/** JSON as Grafana has it. */
export interface DashboardModel {
  readonly uid: string;
  readonly [key: string]: unknown;
}

const COLUMNS = 24;
const HEIGHTS = { timeseries: 8, stat: 4, table: 8 } as const;
const WIDTHS = { timeseries: 8, stat: 4, table: 24 } as const;
/** Without braces: in HCL, where the text passes through, `${` would begin an expression. */
const DATASOURCE = { type: "prometheus", uid: "$datasource" } as const;

/** The dashboard's model, panels in their places. */
export function renderDashboard({ uid, title, description, choices, rows }: Dashboard): DashboardModel {
  return {
    uid,
    title,
    description,
    tags: ["wadi"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: { list: [datasourceVariable(), ...choices.map(choiceVariable)] },
    annotations: { list: [alertAnnotations()] },
    links: [{ type: "dashboards", tags: ["wadi"], title: "Wadi", asDropdown: true, includeVars: true, keepTime: true }],
    panels: placed(rows),
  };
}

function datasourceVariable(): object {
  return { type: "datasource", name: "datasource", label: "Prometheus", query: "prometheus", current: {}, hide: 0 };
}

function choiceVariable({ name, label, query }: Choice): object {
  return {
    type: "query",
    name,
    label,
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { selected: true, text: ["All"], value: ["$__all"] },
  };
}

/** Alerts that fire are marks on every chart. */
function alertAnnotations(): object {
  return {
    name: "Alerts",
    datasource: DATASOURCE,
    enable: true,
    iconColor: "red",
    expr: 'ALERTS{alertstate="firing", alertname=~"(Wadi|Nomad).*"}',
    titleFormat: "{{alertname}}",
    textFormat: "{{job_id}} {{exported_job}}",
    step: "60s",
  };
}

function placed(rows: readonly Row[]): readonly object[] {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: own } of rows) {
    panels.push({ id: panels.length + 1, type: "row", title, collapsed: false, gridPos: { x: 0, y, w: COLUMNS, h: 1 }, panels: [] });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of own) {
      const w = panel.width ?? WIDTHS[panel.kind];
      const h = HEIGHTS[panel.kind];
      if (x + w > COLUMNS) {
        x = 0;
        y += height;
        height = 0;
      }
      panels.push(panelModel(panel, panels.length + 1, { x, y, w, h }));
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

function panelModel(panel: Panel, id: number, gridPos: object): object {
  const { kind, title, description, unit, targets, thresholds, stacked = false } = panel;
  const [orange, red] = thresholds ?? [];
  const steps = [
    { color: "green", value: null },
    ...(orange === undefined ? [] : [{ color: "orange", value: orange }]),
    ...(red === undefined ? [] : [{ color: "red", value: red }]),
  ];
  const custom =
    kind === "timeseries" ? { lineWidth: 1, fillOpacity: stacked ? 30 : 0, stacking: { mode: stacked ? "normal" : "none" } } : {};
  return {
    id,
    type: kind,
    title,
    description,
    gridPos,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0, custom, thresholds: { mode: "absolute", steps } }, overrides: [] },
    options: optionsOf(kind),
    targets: targets.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(kind === "timeseries" ? { range: true } : { instant: true, range: false, format: kind === "table" ? "table" : "time_series" }),
    })),
  };
}

function optionsOf(kind: Panel["kind"]): object {
  if (kind === "stat") return { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" };
  if (kind === "table") return { showHeader: true };
  return { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } };
}
