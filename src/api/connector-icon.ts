/** Pictures of connectors, as SVG text that takes the colour of the text around it: one per kind of thing behind the connector. */
import type { ConnectorSpec } from "../program/connector-spec.ts";

const FILE = '<path d="M6 2h8l4 4v16H6z"/><path d="M14 2v4h4M9 12h6M9 16h6"/>';
const FOLDER = '<path d="M3 6h6l2 2h10v12H3z"/>';
const PULSE = '<path d="M2 12h5l3-8 4 16 3-8h5"/>';
const GAVEL = '<path d="M13 4l7 7M10 7l7 7M14 3l-5 5 7 7 5-5zM11 12l-8 8M3 22h10"/>';
const TERMINAL = '<path d="M3 4h18v16H3zM7 9l3 3-3 3M12 15h5"/>';
const EYE = '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z"/><circle cx="12" cy="12" r="3"/>';
const HOLE = '<circle cx="12" cy="12" r="9"/><circle cx="12" cy="12" r="4" fill="currentColor"/>';
const PLUG = '<path d="M9 2v6M15 2v6M6 8h12v4a6 6 0 0 1-12 0zM12 18v4"/>';

const PICTURES: Readonly<Record<string, string>> = {
  single_file: FILE,
  filesystem: FOLDER,
  impulse: PULSE,
  nexmark: GAVEL,
  stdout: TERMINAL,
  preview: EYE,
  blackhole: HOLE,
};

/** The connector's picture, 24 by 24. */
export function connectorIcon(spec: Pick<ConnectorSpec, "name">): string {
  const strokes = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" ${strokes}>${PICTURES[spec.name] ?? PLUG}</svg>`;
}
