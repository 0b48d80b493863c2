/**
 * Lines over time on uPlot: one per subtask, in the page's colours, redrawn when data, size or theme change.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatClock } from "../format.ts";
import { onThemeChange, tokenColor } from "../theme.ts";

/** A line: its name and its values by the chart's times. */
export interface Line {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

interface LineChartProps {
  readonly label: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** How a value is written on the axis. */
  format(value: number): string;
  readonly height?: number;
}

const COLORS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];

/** The chart, as wide as its parent. */
export function LineChart({ label, times, lines, format, height = 132 }: LineChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [[...times], ...lines.map((line) => [...line.values])];
  const names = lines.map((line) => line.label).join("\n");
  const [at, setAt] = useState<number>();
  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(chartOptions(names.split("\n"), element.clientWidth, height, format, setAt), data.current, element);
    };
    draw();
    const sizes = new ResizeObserver(() => {
      if (chart.current !== undefined && chart.current.width !== element.clientWidth) {
        chart.current.setSize({ width: element.clientWidth, height });
      }
    });
    sizes.observe(element);
    const unsubscribe = onThemeChange(draw);
    return () => {
      sizes.disconnect();
      unsubscribe();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [names, height]);

  useEffect(() => {
    chart.current?.setData(data.current);
  }, [times, lines]);

  return (
    <figure class="chart" aria-label={label}>
      <div ref={host} style={{ height: `${height}px` }} />
      <figcaption class="chart-values num">
        <span>{at === undefined ? "" : formatClock((times[at] ?? 0) * 1e6)}</span>
        {lines.map((line, i) => (
          <span key={line.label} title={line.label}>
            <i class="swatch" style={{ background: `var(${COLORS[i % COLORS.length] ?? ""})` }} />
            {format(line.values[at ?? line.values.length - 1] ?? 0)}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function chartOptions(
  names: readonly string[],
  width: number,
  height: number,
  format: (value: number) => string,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const axis = {
    stroke: tokenColor("--text-3"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: tokenColor("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [8, 6, 0, 0],
    legend: { show: false },
    hooks: { setCursor: [(chart) => onPoint(chart.cursor.idx ?? undefined)] },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        size: 24,
        space: 50,
        values: (_, splits) => splits.map((seconds) => formatClock(seconds * 1e6).slice(0, 5)),
        grid: { show: false },
      },
      { ...axis, size: 46, space: 22, values: (_, splits) => splits.map(format) },
    ],
    series: [
      {},
      ...names.map((label, i) => ({
        label,
        stroke: tokenColor(COLORS[i % COLORS.length] ?? "--series-1"),
        width: 1.5,
        points: { show: false },
        ...(names.length === 1 ? { fill: tokenColor("--accent-soft") } : {}),
      })),
    ],
  };
}
