/**
 * The cluster as the scheduler shows it, whichever it is: how it is reached, what runs, where, which services, what happened.
 */

import type { Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { Scheduler, SchedulerNode } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Note, type Tone } from "../../components/note.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { useTitle } from "../../components/title.ts";
import { formatAgo } from "../../format.ts";
import { paths } from "../../paths.ts";
import { navigate } from "../../router.tsx";
import { DrainBanners, NodesTab } from "./nodes-tab.tsx";
import { RunsTab } from "./runs-tab.tsx";
import { ServicesTab } from "./services-tab.tsx";
import { TimelineTab } from "./timeline-tab.tsx";
import { schedulerLabel } from "./words.ts";

const STATUS_MS = 2000;
const NODES_MS = 4000;
const NODES = 100;

const LINKS: Readonly<Record<string, readonly [tone: Tone, text: string]>> = {
  live: ["ok", "live"],
  polling: ["warn", "polling"],
  down: ["bad", "down"],
  unknown: ["plain", "unknown"],
};

/** The page; `tab` as the address has it. */
export function ClusterPage({ tab = "runs" }: { readonly tab: string | undefined }) {
  useTitle("Cluster");
  const status = usePolled<Scheduler>("/scheduler", STATUS_MS);
  const nodes = usePolled<Page<SchedulerNode>>(`/scheduler/nodes?limit=${NODES}`, NODES_MS);
  const { data } = status;
  const tabs = [
    { id: "runs", label: "Runs", count: data?.waiting, alarming: true },
    { id: "nodes", label: "Nodes", count: data?.nodes },
    { id: "services", label: "Services", count: data?.services },
    { id: "timeline", label: "Timeline" },
  ];
  const selected = tabs.some(({ id }) => id === tab) ? tab : "runs";
  return (
    <div class="page">
      <div class="page-head">
        <h1>Cluster</h1>
      </div>
      <StatusCard status={data} />
      {status.error !== undefined && status.error.status !== 0 && data === undefined && <Note tone="bad">{status.error.message}</Note>}
      <DrainBanners nodes={nodes.data?.data ?? []} />
      <section class="card cluster-tabs">
        <Tabs
          label="Cluster"
          tabs={tabs}
          selected={selected}
          onSelect={(id) => navigate(paths.cluster(id === "runs" ? undefined : id), true)}
        >
          {selected === "runs" && <RunsTab scheduler={data?.scheduler} />}
          {selected === "nodes" && <NodesTab nodes={nodes.data} scheduler={data?.scheduler} />}
          {selected === "services" && <ServicesTab scheduler={data?.scheduler} />}
          {selected === "timeline" && <TimelineTab scheduler={data?.scheduler} />}
        </Tabs>
      </section>
    </div>
  );
}

/** How the outside system is reached, in a height that never changes. */
function StatusCard({ status }: { readonly status: Scheduler | undefined }) {
  const [tone, text] = LINKS[status?.link ?? "unknown"] ?? ["plain", "unknown"];
  const facts = status === undefined ? [] : factsOf(status);
  return (
    <section class="card status-card" aria-label="Scheduler">
      <div class="status-main">
        <span class="status-name">{status === undefined ? <span class="skeleton skeleton-title" /> : nameOf(status)}</span>
        {status !== undefined && <Badge tone={tone}>{text}</Badge>}
        <span class="status-sync muted small num">
          {status === undefined ? "" : status.synced_at === null ? "not seen yet" : `seen ${formatAgo(status.synced_at)}`}
        </span>
      </div>
      <dl class="status-facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={value}>{value}</dd>
          </div>
        ))}
      </dl>
      {status !== undefined && status.trouble !== "" && (
        <div class="status-trouble">
          <Note tone={status.link === "down" ? "bad" : "warn"}>
            {status.trouble}
            {status.link === "down" && ". Running pipelines go on; what is shown is the last that was known."}
          </Note>
        </div>
      )}
    </section>
  );
}

function nameOf({ scheduler, version }: Scheduler): string {
  const name = scheduler === "process" || scheduler === "embedded" ? "This machine" : schedulerLabel(scheduler);
  return version === "" || name === "This machine" ? name : `${name} ${version}`;
}

function factsOf(status: Scheduler): readonly (readonly [name: string, value: string])[] {
  const place = Object.entries(status.place).filter(([, value]) => value !== "");
  const { controller } = status;
  return [
    ["Controller", controller === null ? "none" : controller.alive ? controller.endpoint : "none leads"],
    ...place,
    ["Runs", String(status.runs)],
    ["Workers", String(status.workers)],
    ["Nodes", status.draining_nodes > 0 ? `${status.nodes}, ${status.draining_nodes} closed` : String(status.nodes)],
  ];
}
