/**
 * The interface's pictograms: strokes on a grid of 24, drawn for this project, always beside or instead of a named control.
 */

const PATHS = {
  home: "M4 11l8-7 8 7M6 9.500V20h12V9.500M10 20v-6h4v6",
  pipelines: "M3 7h5c4 0 4 10 8 10h5M3 17h5c1.500 0 2.500-1.500 3.300-3M16 7h5M18 4l3 3-3 3M18 14l3 3-3 3",
  connections: "M9 7V3M15 7V3M7 7h10v4a5 5 0 0 1-10 0zM12 16v5",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
  cluster: "M4 4h16v6H4zM4 14h16v6H4zM7.500 7h.01M7.500 17h.01M12 7h5M12 17h5",
  outside: "M9 5H5v14h14v-4M13 4h7v7M20 4l-9 9",
  down: "M6 9l6 6 6-6",
  search: "M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500L20 20",
  plus: "M12 5v14M5 12h14",
  play: "M7 4.500v15l12-7.500z",
  stop: "M6 6h12v12H6z",
  check: "M5 12.500l4.500 4.500L19 7.500",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  trash: "M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13M10 11v5M14 11v5",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  warning: "M12 4L2.500 20h19zM12 10v4.500M12 17.200v.3",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.500M12 7.500v.3",
  error: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.500v5.500M12 16.200v.3",
  table: "M4 5h16v14H4zM4 10h16M10 10v9",
  chevron: "M9 6l6 6-6 6",
  back: "M15 6l-6 6 6 6",
  restart: "M20 12a8 8 0 1 1-2.500-5.800M20 3v5h-5",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M20 14.500A8 8 0 0 1 9.500 4 8 8 0 1 0 20 14.500z",
  collapse: "M4 5h16v14H4zM9.500 5v14M16 9.500L13.500 12l2.500 2.500",
  expand: "M4 5h16v14H4zM9.500 5v14M13.500 9.500L16 12l-2.500 2.500",
  source: "M12 3v12M7 10.500l5 5 5-5M4 20h16",
  sink: "M12 15V3M7 7.500l5-5 5 5M4 20h16",
  book: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5.500l3.500 2",
  more: "M5.500 12a.5.500 0 1 0 1 0 .5.500 0 1 0-1 0zM11.500 12a.5.500 0 1 0 1 0 .5.500 0 1 0-1 0zM17.500 12a.5.500 0 1 0 1 0 .5.500 0 1 0-1 0z",
  offline: "M3 3l18 18M8.500 15.500a5 5 0 0 1 5-1.300M5 12a10 10 0 0 1 4-2.500M19 12a10 10 0 0 0-5.500-2.900M12 19.500h.01",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  file: "M6 3h8l5 5v13H6zM14 3v5h5M9 13h7M9 17h5",
  function: "M9 20c-2.500 0-2-2-1.500-5l1.300-7c.5-3 1.200-4 3.700-4M6 10h7M14 13l5 6M19 13l-5 6",
} as const;

/** A pictogram's name. */
export type IconName = keyof typeof PATHS;

/** A pictogram; screen readers skip it. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
