/**
 * What an installation on AWS consists of, as far as it is paid by the month: from a file of variables for `terraform/aws`, or from a plan
 * (`terraform show -json PLAN`). Pools count with the instances they begin with: the autoscaler moves them between their limits.
 */
import { parse } from "@cdktf/hcl2json";
import { z } from "zod";
import { userError } from "../../src/core/errors.ts";

/** Instances of one kind. */
export interface Instances {
  readonly type: string;
  readonly count: number;
  /** GB of each one's volume. */
  readonly diskGb: number;
}

/** What is there. */
export interface Inventory {
  readonly instances: readonly Instances[];
  /** Undefined: PostgreSQL is a job on Nomad. */
  readonly database: { readonly type: string; readonly storageGb: number; readonly multiAz: boolean } | undefined;
  readonly natGateways: number;
  readonly balancers: number;
  /** Private endpoints times zones. */
  readonly endpoints: number;
}

const ZONES = 3;

const sizes = z.object({
  servers: z.object({ count: z.number(), instance_type: z.string(), disk_gb: z.number() }),
  client_pools: z.record(
    z.string(),
    z.object({ instance_types: z.array(z.string()).min(1), min: z.number(), initial: z.number().optional(), disk_gb: z.number() }),
  ),
  vpc: z.object({ nat: z.enum(["single", "per-zone"]), interface_endpoints: z.array(z.string()).default([]) }),
  postgres: z.object({ instance_class: z.string(), storage_gb: z.object({ initial: z.number() }), multi_az: z.boolean() }).nullable(),
});

/** The inventory of a file of variables, which has to name all sizes; with a domain, so there is a load balancer. Throws `invalid-config`. */
export async function inventoryOfVariables(name: string, text: string): Promise<Inventory> {
  const read = sizes.safeParse(await parse(name, text));
  if (!read.success) {
    const issue = read.error.issues[0];
    throw userError("invalid-config", `${name} does not name all sizes: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
  }
  const { servers, client_pools: pools, vpc, postgres } = read.data;
  const clients = Object.values(pools).map(({ instance_types: [type = ""], initial, min, disk_gb: diskGb }) => ({
    type,
    count: initial ?? min,
    diskGb,
  }));
  return {
    instances: [{ type: servers.instance_type, count: servers.count, diskGb: servers.disk_gb }, ...clients],
    database:
      postgres === null ? undefined : { type: postgres.instance_class, storageGb: postgres.storage_gb.initial, multiAz: postgres.multi_az },
    natGateways: vpc.nat === "single" ? 1 : ZONES,
    balancers: 1,
    endpoints: vpc.interface_endpoints.length * ZONES,
  };
}

const resource = z.object({
  address: z.string(),
  mode: z.string().optional(),
  type: z.string(),
  name: z.string(),
  index: z.union([z.string(), z.number()]).optional(),
  values: z.record(z.string(), z.unknown()),
});
type Resource = z.infer<typeof resource>;
interface PlannedModule {
  readonly resources: readonly Resource[];
  readonly child_modules: readonly PlannedModule[];
}
const planned: z.ZodType<PlannedModule> = z.lazy(() =>
  z.object({ resources: z.array(resource).default([]), child_modules: z.array(planned).default([]) }),
);
const plan = z.object({ planned_values: z.object({ root_module: planned }) });

function allResources({ resources, child_modules: children }: PlannedModule): Resource[] {
  return [...resources, ...children.flatMap(allResources)];
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const first = (value: unknown): Readonly<Record<string, unknown>> =>
  (Array.isArray(value) ? ((value[0] as Readonly<Record<string, unknown>> | undefined) ?? {}) : {}) as Readonly<Record<string, unknown>>;

/** A group's instances: their type is in the group's own list, or in the launch template of the same name. */
function instancesOf(group: Resource, templates: readonly Resource[]): Instances {
  const prefix = group.address.slice(0, group.address.lastIndexOf("aws_autoscaling_group."));
  const template = templates.find(
    ({ address, name, index }) => name === group.name && index === group.index && address.startsWith(`${prefix}aws_launch_template.`),
  );
  const policy = first(first(group.values["mixed_instances_policy"])["launch_template"]);
  const type = text(first(policy["override"])["instance_type"]) || text(template?.values["instance_type"]);
  const disk = first(first(template?.values["block_device_mappings"])["ebs"]);
  const count = number(group.values["desired_capacity"]) || number(group.values["min_size"]);
  return { type, count, diskGb: number(disk["volume_size"]) };
}

/** The inventory of a plan in JSON. Throws `invalid-config` for what is none. */
export function inventoryOfPlan(document: unknown): Inventory {
  const read = plan.safeParse(document);
  if (!read.success)
    throw userError("invalid-config", "this is no plan of Terraform in JSON", { hint: "Make it by terraform show -json PLAN." });
  const resources = allResources(read.data.planned_values.root_module).filter(({ mode }) => mode !== "data");
  const of = (type: string) => resources.filter((one) => one.type === type);
  const [database] = of("aws_db_instance");
  const endpoints = of("aws_vpc_endpoint").filter(({ values }) => values["vpc_endpoint_type"] === "Interface");
  return {
    instances: of("aws_autoscaling_group").map((group) => instancesOf(group, of("aws_launch_template"))),
    database:
      database === undefined
        ? undefined
        : {
            type: text(database.values["instance_class"]),
            storageGb: number(database.values["allocated_storage"]),
            multiAz: database.values["multi_az"] === true,
          },
    natGateways: of("aws_nat_gateway").length,
    balancers: of("aws_lb").length,
    endpoints: endpoints.length * ZONES,
  };
}
