/** Costs per month: what is counted from sizes and from a plan, what a workload causes, and that the table in terraform/README.md is up to date. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { estimate, storeRequests, total } from "../../../scripts/cost/estimate.ts";
import { inventoryOfPlan, inventoryOfVariables } from "../../../scripts/cost/inventory.ts";
import { costSection, readPrices, readWorkload } from "../../../scripts/cost.ts";

const TFVARS = `
servers      = { count = 3, instance_type = "t4g.small", disk_gb = 20 }
client_pools = {
  default = { instance_types = ["m7g.large"], min = 2, max = 4, disk_gb = 50 }
  workers = { instance_types = ["c7g.xlarge", "m7g.xlarge"], min = 1, initial = 5, max = 9, disk_gb = 100 }
}
vpc      = { nat = "per-zone", interface_endpoints = ["ssm"] }
postgres = { instance_class = "db.t4g.medium", storage_gb = { initial = 50, max = 100 }, multi_az = true }
`;

/** The part of a plan that is paid for, in Terraform's own shape. */
const PLAN = {
  planned_values: {
    root_module: {
      child_modules: [
        {
          resources: [
            {
              address: 'module.c.aws_launch_template.clients["workers"]',
              type: "aws_launch_template",
              name: "clients",
              index: "workers",
              values: { block_device_mappings: [{ ebs: [{ volume_size: 100 }] }] },
            },
            {
              address: 'module.c.aws_autoscaling_group.clients["workers"]',
              type: "aws_autoscaling_group",
              name: "clients",
              index: "workers",
              values: {
                min_size: 1,
                desired_capacity: 5,
                mixed_instances_policy: [{ launch_template: [{ override: [{ instance_type: "c7g.xlarge" }] }] }],
              },
            },
            {
              address: "module.c.aws_launch_template.servers",
              type: "aws_launch_template",
              name: "servers",
              values: { instance_type: "t4g.small", block_device_mappings: [{ ebs: [{ volume_size: 20 }] }] },
            },
            { address: "module.c.aws_autoscaling_group.servers", type: "aws_autoscaling_group", name: "servers", values: { min_size: 3 } },
          ],
          child_modules: [
            {
              resources: [
                { address: 'aws_nat_gateway.this["a"]', type: "aws_nat_gateway", name: "this", index: "a", values: {} },
                { address: "aws_lb.this", type: "aws_lb", name: "this", values: {} },
                {
                  address: "aws_db_instance.this",
                  type: "aws_db_instance",
                  name: "this",
                  values: { instance_class: "db.t4g.medium", allocated_storage: 50, multi_az: true },
                },
              ],
            },
          ],
        },
      ],
    },
  },
};

describe("costs per month", () => {
  it("counts what a file of sizes names", async () => {
    expect(await inventoryOfVariables("x.tfvars", TFVARS)).to.deep.equal({
      instances: [
        { type: "t4g.small", count: 3, diskGb: 20 },
        { type: "m7g.large", count: 2, diskGb: 50 },
        { type: "c7g.xlarge", count: 5, diskGb: 100 },
      ],
      database: { type: "db.t4g.medium", storageGb: 50, multiAz: true },
      natGateways: 3,
      balancers: 1,
      endpoints: 3,
    });
  });

  it("counts what a plan makes, through its modules", () => {
    expect(inventoryOfPlan(PLAN)).to.deep.equal({
      instances: [
        { type: "c7g.xlarge", count: 5, diskGb: 100 },
        { type: "t4g.small", count: 3, diskGb: 20 },
      ],
      database: { type: "db.t4g.medium", storageGb: 50, multiAz: true },
      natGateways: 1,
      balancers: 1,
      endpoints: 0,
    });
  });

  it("names what a file of sizes lacks, and what is no plan", async () => {
    const error = await inventoryOfVariables("x.tfvars", TFVARS.replace("disk_gb = 20", "")).catch((thrown: unknown) => thrown);
    expect((error as Error).message).to.match(/^x\.tfvars does not name all sizes: servers\.disk_gb/);
    expect(() => inventoryOfPlan({})).to.throw("this is no plan of Terraform in JSON");
  });

  it("adds up machines by the hour", async () => {
    const prices = { ...readPrices(), instance_hour: { "t4g.small": 1, "m7g.large": 2, "c7g.xlarge": 3 } };
    const lines = estimate(await inventoryOfVariables("x.tfvars", TFVARS), readWorkload("small"), prices);
    expect(lines[0]).to.deep.equal({ item: "machines (servers, services, workers)", usd: (3 + 4 + 15) * 730 });
    expect(total(lines)).to.equal(lines.reduce((sum, { usd }) => sum + usd, 0));
  });

  it("refuses a type without a price by its name", async () => {
    const inventory = await inventoryOfVariables("x.tfvars", TFVARS.replace("t4g.small", "x9.huge"));
    expect(() => estimate(inventory, readWorkload("small"), readPrices())).to.throw('the price file has no instance "x9.huge"');
  });

  it("requests of checkpoints double when the interval is halved", () => {
    const load = readWorkload("medium");
    const twice = storeRequests({ ...load, checkpoint_interval_s: load.checkpoint_interval_s / 2 });
    expect(twice.puts).to.be.closeTo(2 * storeRequests(load).puts, 1);
    expect(twice.gets).to.be.closeTo(2 * storeRequests(load).gets, 1);
  });

  it("the table in terraform/README.md is what the sizes and prices say", async () => {
    const readme = readFileSync(fileURLToPath(new URL("../../../terraform/README.md", import.meta.url)), "utf8");
    expect(readme).to.include(`<!-- cost: npx tsx scripts/cost.ts --write -->\n${await costSection()}\n<!-- end of cost -->`);
  });
});
