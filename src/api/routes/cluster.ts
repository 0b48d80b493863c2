/** Routes of the cluster itself: whether it answers, what it is, how it is, and the document of these routes. */
import { z } from "zod";
import { readClusterInfo } from "../../db/cluster.ts";
import { readNodes } from "../../db/nodes.ts";
import { countJobStates } from "../../db/pipelines.ts";
import { stateName } from "../job-action.ts";
import { type Route, route } from "../route.ts";
import { clusterShape, documentShape, nodeShape } from "../schema/cluster-shapes.ts";
import { list } from "../schema/shape.ts";

const NODES_MAX = 10_000;

const pingRoute = route({
  method: "get",
  path: "/ping",
  operation: "ping",
  tag: "cluster",
  summary: "Answer",
  role: "open",
  answer: z.object({ pong: z.string() }),
  handle: async () => ({ pong: "pong" }),
});

const clusterRoute = route({
  method: "get",
  path: "/cluster",
  operation: "getCluster",
  tag: "cluster",
  summary: "Get what this cluster is and whether its controller is alive",
  role: "viewer",
  answer: clusterShape,
  async handle({ api, caller }) {
    const [info, states] = [await readClusterInfo(api.db), await countJobStates(api.db)];
    return {
      id: info.id ?? null,
      name: info.name ?? null,
      created_at: info.createdUs ?? null,
      release: api.release,
      scheduler: api.settings["controller.scheduler"],
      schema_version: info.schemaVersion,
      role: caller.role,
      controller:
        info.controller === undefined
          ? null
          : {
              alive: info.controller.alive,
              holder: info.controller.holder ?? null,
              endpoint: info.controller.endpoint,
              release: info.controller.release,
              expires_at: info.controller.expiresUs,
            },
      nodes: info.nodes,
      workers: info.workers,
      jobs: Object.fromEntries([...states].map(([state, jobs]) => [stateName(state), jobs])),
    };
  },
});

const nodesRoute = route({
  method: "get",
  path: "/nodes",
  operation: "listNodes",
  tag: "cluster",
  summary: "List the machines that can run workers",
  role: "viewer",
  answer: list(nodeShape),
  async handle({ api }) {
    const nodes = await readNodes(api.db, NODES_MAX);
    return {
      data: nodes.map((node) => ({
        id: node.id,
        scheduler: node.scheduler,
        name: node.name,
        address: node.address,
        slots: node.slots,
        free_slots: node.freeSlots,
        state: node.state,
        drain_deadline_at: node.drainDeadlineUs ?? null,
        release: node.release,
        registered_at: node.registeredUs,
        heartbeat_at: node.heartbeatUs,
      })),
    };
  },
});

/** The document of all routes; `document` is called when it is asked for, because the routes are not known before. */
function documentRoute(document: () => Record<string, unknown>): Route {
  return route({
    method: "get",
    path: "/api-docs/openapi.json",
    operation: "getOpenApi",
    tag: "cluster",
    summary: "Get this document",
    role: "open",
    answer: documentShape,
    handle: async () => document(),
  });
}

/** All routes of the cluster. */
export function clusterRoutes(document: () => Record<string, unknown>): readonly Route[] {
  return [pingRoute, clusterRoute, nodesRoute, documentRoute(document)];
}
