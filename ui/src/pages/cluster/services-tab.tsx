/**
 * Wadi's own services as the outside system runs them: instances, version, deployment, checks that fail.
 */
import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { SchedulerService } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { DataTable } from "../../components/data-table.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import { schedulerLabel } from "./words.ts";

const SERVICES_MS = 5000;
const COLUMNS = [
  { label: "Service" },
  { label: "Instances" },
  { label: "Version", class: "hide-phone" },
  { label: "Deployment", class: "hide-phone" },
  { label: "Addresses", class: "hide-phone" },
];

/** The tab. */
export function ServicesTab({ scheduler }: { readonly scheduler: string | undefined }) {
  const { data, error } = usePolled<Collection<SchedulerService>>("/scheduler/services", SERVICES_MS);
  if (error !== undefined && data === undefined) return <Empty icon="cluster" title={error.message} />;
  if (data !== undefined && data.data.length === 0) {
    const isLocal = scheduler === "process" || scheduler === "embedded";
    return (
      <Empty icon="cluster" title="No services">
        {isLocal
          ? "The API and the controller run on this machine beside the workers; nothing else starts them."
          : `The API and the controller are not run by ${schedulerLabel(scheduler)}.`}
      </Empty>
    );
  }
  return <DataTable columns={COLUMNS} rows={data?.data} row={(service) => <ServiceRow key={service.name} service={service} />} />;
}

function ServiceRow({ service }: { readonly service: SchedulerService }) {
  const { name, link, status, healthy, wanted, version, deployment, addresses, failing } = service;
  return (
    <tr>
      <td>
        <div class="cell-name">
          {link === null ? (
            <strong>{name}</strong>
          ) : (
            <a href={link} target="_blank" rel="noreferrer">
              {name} <Icon name="outside" />
            </a>
          )}
          <span class="muted small">{status}</span>
          {failing.map((check) => (
            <span key={check} class="failing small">
              {check}
            </span>
          ))}
        </div>
      </td>
      <td>
        <Badge tone={healthy >= wanted && failing.length === 0 ? "ok" : healthy === 0 ? "bad" : "warn"}>
          {healthy} of {wanted} healthy
        </Badge>
      </td>
      <td class="hide-phone mono small">{version === "" ? "–" : version}</td>
      <td class="hide-phone">{deployment === "" ? "–" : deployment}</td>
      <td class="hide-phone mono small">{addresses.length === 0 ? "–" : addresses.join(", ")}</td>
    </tr>
  );
}
