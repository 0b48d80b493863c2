/**
 * Machines with what is left on them and who runs there, those that are being emptied first to be seen.
 */
import type { Page } from "../../api/lists.ts";
import type { SchedulerNode } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { DataTable } from "../../components/data-table.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import { Note, type Tone } from "../../components/note.tsx";
import { formatBytes, formatClock } from "../../format.ts";
import { paths } from "../../paths.ts";
import { Link } from "../../router.tsx";
import { drainText } from "./words.ts";

const COLUMNS = [
  { label: "Node" },
  { label: "State" },
  { label: "Slots" },
  { label: "Processor", class: "hide-phone" },
  { label: "Memory", class: "hide-phone" },
  { label: "Runs here" },
];

const TONES: Readonly<Record<string, Tone>> = { ready: "ok", draining: "warn", ineligible: "warn", lost: "bad" };
/** Pipelines of a machine that are named. */
const NAMED = 4;

/** What is being emptied, closed or lost, with what that means for pipelines. */
export function DrainBanners({ nodes }: { readonly nodes: readonly SchedulerNode[] }) {
  const noted = nodes.filter(({ state }) => state !== "ready");
  if (noted.length === 0) return null;
  return (
    <div class="stack drain-banners">
      {noted.map((node) => (
        <Note key={node.id} tone={node.state === "lost" ? "bad" : "warn"}>
          {drainText(node)}
        </Note>
      ))}
    </div>
  );
}

interface NodesTabProps {
  readonly nodes: Page<SchedulerNode> | undefined;
  readonly scheduler: string | undefined;
}

/** The tab. */
export function NodesTab({ nodes, scheduler }: NodesTabProps) {
  if (nodes !== undefined && nodes.data.length === 0) {
    return (
      <Empty icon="cluster" title="No nodes">
        {scheduler === "node" ? "Start `wadi node` on a machine, and it shows here." : "No machine is known that could run workers."}
      </Empty>
    );
  }
  return (
    <>
      <DataTable columns={COLUMNS} rows={nodes?.data} row={(node) => <NodeRow key={node.id} node={node} />} />
      {nodes?.has_more === true && <p class="muted small table-note">Only the first {nodes.data.length} nodes by name are shown.</p>}
    </>
  );
}

function NodeRow({ node }: { readonly node: SchedulerNode }) {
  const where = [node.zone, node.pool === "default" ? "" : node.pool, node.address].filter((text) => text !== "").join(" · ");
  return (
    <tr>
      <td>
        <div class="cell-name">
          {node.link === null ? (
            <strong>{node.name}</strong>
          ) : (
            <a href={node.link} target="_blank" rel="noreferrer">
              {node.name} <Icon name="outside" />
            </a>
          )}
          <span class="muted small" title={attributesText(node)}>
            {where}
          </span>
        </div>
      </td>
      <td>
        <Badge tone={TONES[node.state] ?? "plain"}>{node.state}</Badge>
        {node.state === "draining" && node.drain_deadline_at !== null && (
          <div class="muted small num">until {formatClock(node.drain_deadline_at).slice(0, 5)}</div>
        )}
      </td>
      <td>
        {node.slots === null ? (
          <span class="num nowrap">{node.tenants.reduce((sum, { slots }) => sum + slots, 0)} in use</span>
        ) : (
          <CapacityBar what="Slots" capacity={node.slots} show={(value) => String(value)} />
        )}
      </td>
      <td class="hide-phone">{node.cpu === null ? "–" : <CapacityBar what="Processor" capacity={node.cpu} show={showCpu} />}</td>
      <td class="hide-phone">{node.memory === null ? "–" : <CapacityBar what="Memory" capacity={node.memory} show={formatBytes} />}</td>
      <td class="node-tenants">{node.tenants.length === 0 ? <span class="faint">nothing</span> : <Tenants node={node} />}</td>
    </tr>
  );
}

function Tenants({ node }: { readonly node: SchedulerNode }) {
  const more = node.tenants.length - NAMED;
  return (
    <ul>
      {node.tenants.slice(0, NAMED).map((tenant) => (
        <li key={`${tenant.job_id} ${tenant.run_id}`}>
          <Link to={paths.clusterRun(tenant.job_id, tenant.run_id)}>{tenant.pipeline_name}</Link>
          {tenant.workers > 1 && <span class="muted small num"> × {tenant.workers}</span>}
        </li>
      ))}
      {more > 0 && <li class="muted small">and {more} more</li>}
    </ul>
  );
}

function attributesText({ attributes, release }: SchedulerNode): string {
  const all = Object.entries(attributes).map(([name, value]) => `${name}: ${value}`);
  return [release, ...all].filter((text) => text !== "").join("\n");
}

function showCpu(millis: number): string {
  return millis < 1000 ? `${Math.round(millis)}m` : `${Number((millis / 1000).toFixed(1))}`;
}

interface CapacityBarProps {
  readonly what: string;
  readonly capacity: { readonly total: number; readonly used: number };
  show(value: number): string;
}

/** A bar of what is taken, with the figures. */
function CapacityBar({ what, capacity: { total, used }, show }: CapacityBarProps) {
  const share = total === 0 ? 0 : Math.min(1, used / total);
  return (
    <div class="capacity">
      <div class="capacity-bar" role="img" aria-label={`${what}: ${show(used)} of ${show(total)} taken`}>
        <span data-tone={share > 0.95 ? "bad" : share > 0.8 ? "warn" : "ok"} style={{ width: `${share * 100}%` }} />
      </div>
      <span class="num small">
        {show(used)} <span class="muted">of {show(total)}</span>
      </span>
    </div>
  );
}
