/** Dollars per month of an inventory under a workload: machines by the hour, traffic and requests by what pipelines cause. */
import { z } from "zod";
import { userError } from "../../src/core/errors.ts";
import type { Inventory } from "./inventory.ts";

/** Hours of a month, as AWS counts them. */
const HOURS = 730;
const SECONDS = HOURS * 3600;
/** Of rows that go to another worker, so many leave the zone: workers are spread over three. */
const CROSSING = 2 / 3;

const byName = z.record(z.string(), z.number());

/** The price file. */
export const priceSchema = z.object({
  date: z.iso.date(),
  region: z.string(),
  currency: z.literal("USD"),
  note: z.string(),
  instance_hour: byName,
  database_hour: byName,
  database_gb_month: z.number(),
  volume_gb_month: z.number(),
  nat_hour: z.number(),
  nat_gb: z.number(),
  address_hour: z.number(),
  balancer_hour: z.number(),
  balancer_unit_hour: z.number(),
  endpoint_hour: z.number(),
  cross_zone_gb: z.number(),
  internet_gb: z.number(),
  store_gb_month: z.number(),
  store_put: z.number(),
  store_get: z.number(),
  secret_month: z.number(),
});
/** Prices with their date and region. */
export type Prices = z.infer<typeof priceSchema>;

/** What pipelines do: amounts per month where nothing else is said. */
export const workloadSchema = z.object({
  says: z.string(),
  pipelines: z.number(),
  parallelism: z.number(),
  stateful_operators: z.number(),
  checkpoint_interval_s: z.number().positive(),
  state_gb: z.number(),
  shuffle_mb_s: z.number(),
  nat_gb: z.number(),
  internet_gb: z.number(),
  secrets: z.number(),
});
/** A workload. */
export type Workload = z.infer<typeof workloadSchema>;

/** One line of the table. */
export interface CostLine {
  readonly item: string;
  /** Dollars per month. */
  readonly usd: number;
}

/** Requests of all pipelines to the object store in a month. */
export function storeRequests(load: Workload): { readonly puts: number; readonly gets: number } {
  const epochs = (SECONDS / load.checkpoint_interval_s) * load.pipelines;
  // Per epoch: one file per stateful subtask, the manifest, the completion record; the record is read twice before it is written; old epochs are listed.
  const files = load.stateful_operators * load.parallelism;
  return { puts: epochs * (files + 2 + 0.2), gets: epochs * 4 };
}

function hourly(prices: Readonly<Record<string, number>>, type: string, what: string): number {
  const price = prices[type];
  if (price === undefined)
    throw userError("invalid-config", `the price file has no ${what} "${type}"`, { hint: "Add it to scripts/cost/prices.json." });
  return price;
}

function databaseCost({ database }: Inventory, prices: Prices): number {
  if (database === undefined) return 0;
  const servers = database.multiAz ? 2 : 1;
  const machine = hourly(prices.database_hour, database.type, "database") * HOURS;
  return servers * (machine + database.storageGb * prices.database_gb_month);
}

/** The lines of an installation. Throws `invalid-config` for a type without a price. */
export function estimate(inventory: Inventory, load: Workload, prices: Prices): readonly CostLine[] {
  const { instances, natGateways, balancers, endpoints } = inventory;
  const machines = instances.reduce((sum, { type, count }) => sum + hourly(prices.instance_hour, type, "instance") * count * HOURS, 0);
  const disks = instances.reduce((sum, { count, diskGb }) => sum + count * diskGb * prices.volume_gb_month, 0);
  const crossing = ((load.shuffle_mb_s * SECONDS) / 1000) * CROSSING;
  const { puts, gets } = storeRequests(load);
  return [
    { item: "machines (servers, services, workers)", usd: machines },
    { item: "their volumes", usd: disks },
    { item: "database", usd: databaseCost(inventory, prices) },
    { item: "NAT gateways with their addresses", usd: natGateways * (prices.nat_hour + prices.address_hour) * HOURS },
    { item: "traffic through NAT", usd: load.nat_gb * prices.nat_gb },
    { item: "traffic between zones", usd: crossing * prices.cross_zone_gb },
    { item: "traffic to the internet", usd: load.internet_gb * prices.internet_gb },
    { item: "load balancer", usd: balancers * (prices.balancer_hour + prices.balancer_unit_hour + 3 * prices.address_hour) * HOURS },
    { item: "private endpoints", usd: endpoints * prices.endpoint_hour * HOURS },
    { item: "S3: requests of checkpoints", usd: puts * prices.store_put + gets * prices.store_get },
    { item: "S3: state and backups", usd: load.state_gb * prices.store_gb_month },
    { item: "secrets", usd: load.secrets * prices.secret_month },
  ];
}

/** Dollars of all lines. */
export function total(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}
