/** All routes of the API, in the order of the document. */
import { openApiDocument } from "../openapi.ts";
import type { Route } from "../route.ts";
import { apiKeyRoutes } from "./api-keys.ts";
import { clusterRoutes } from "./cluster.ts";
import { connectionRoutes } from "./connections.ts";
import { jobRoutes } from "./jobs.ts";
import { pipelineRoutes } from "./pipelines.ts";
import { schedulerRoutes } from "./scheduler.ts";
import { udfRoutes } from "./udfs.ts";

/** Every route; `release` is what their document says of itself. */
export function allRoutes(release: string): readonly Route[] {
  const routes: Route[] = [];
  let document: Record<string, unknown> | undefined;
  const make = (): Record<string, unknown> => {
    document ??= openApiDocument(routes, release);
    return document;
  };
  routes.push(
    ...clusterRoutes(make),
    ...pipelineRoutes,
    ...jobRoutes,
    ...connectionRoutes,
    ...udfRoutes,
    ...apiKeyRoutes,
    ...schedulerRoutes,
  );
  return routes;
}
