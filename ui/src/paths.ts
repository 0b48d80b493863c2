/**
 * The addresses of the pages: how they are read and how they are made. Nothing else writes a path.
 */

/** A page with what its address says. */
export type Route =
  | { readonly page: "home" }
  | { readonly page: "pipelines" }
  | { readonly page: "editor"; readonly from: string | undefined }
  | { readonly page: "pipeline"; readonly id: string; readonly tab: string | undefined }
  | { readonly page: "connections" }
  | { readonly page: "connection-gallery" }
  | { readonly page: "connection-wizard"; readonly connector: string }
  | { readonly page: "cluster"; readonly tab: string | undefined }
  | { readonly page: "cluster-run"; readonly job: string; readonly run: string; readonly tab: string | undefined }
  | { readonly page: "settings" }
  | { readonly page: "not-found" };

/** The page at a path with its query, such as `/pipelines/new?from=pl_1`. */
export function parsePath(path: string): Route {
  const url = new URL(path, "http://wadi");
  const parts = url.pathname.split("/").filter((part) => part !== "");
  const [first, second, third, fourth] = parts.map((part) => decodePart(part));
  const tab = url.searchParams.get("tab") ?? undefined;
  if (first === "cluster" && second === undefined) return { page: "cluster", tab };
  if (first === "cluster" && second === "runs" && third !== undefined && fourth !== undefined && parts.length === 4) {
    return { page: "cluster-run", job: third, run: fourth, tab };
  }
  if (parts.length > 3) return { page: "not-found" };
  if (first === undefined) return { page: "home" };
  if (first === "settings" && second === undefined) return { page: "settings" };
  if (first === "pipelines") {
    if (second === undefined) return { page: "pipelines" };
    if (second === "new") return { page: "editor", from: url.searchParams.get("from") ?? undefined };
    return third === undefined ? { page: "pipeline", id: second, tab } : { page: "not-found" };
  }
  if (first === "connections") {
    if (second === undefined) return { page: "connections" };
    if (second === "new") return third === undefined ? { page: "connection-gallery" } : { page: "connection-wizard", connector: third };
  }
  return { page: "not-found" };
}

/** A part of a path that is not properly encoded stands for itself. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Paths of the pages. */
export const paths = {
  home: "/",
  pipelines: "/pipelines",
  editor: (from?: string) => (from === undefined ? "/pipelines/new" : `/pipelines/new?from=${encodeURIComponent(from)}`),
  pipeline: (id: string, tab?: string) =>
    `/pipelines/${encodeURIComponent(id)}${tab === undefined ? "" : `?tab=${encodeURIComponent(tab)}`}`,
  connections: "/connections",
  connectionGallery: "/connections/new",
  connectionWizard: (connector: string) => `/connections/new/${encodeURIComponent(connector)}`,
  cluster: (tab?: string) => (tab === undefined ? "/cluster" : `/cluster?tab=${encodeURIComponent(tab)}`),
  clusterRun: (job: string, run: number, tab?: string) =>
    `/cluster/runs/${encodeURIComponent(job)}/${run}${tab === undefined ? "" : `?tab=${encodeURIComponent(tab)}`}`,
  settings: "/settings",
} as const;
