/**
 * The fake as a process: `npx tsx test/support/nomad/main.ts [--port N] [--nodes N] [--version V] [--acl] [--cpu CORES] [--memory MB] [--folder PATH]`.
 * Prints its address as one line of JSON, with the management token if it asks for tokens, and ends with its tasks on SIGTERM or SIGINT.
 */
import { parseArgs } from "node:util";
import { FakeNomad } from "./fake-nomad.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    nodes: { type: "string", default: "3" },
    version: { type: "string", default: "2.0.5" },
    cpu: { type: "string", default: "4" },
    memory: { type: "string", default: "8192" },
    folder: { type: "string" },
    acl: { type: "boolean", default: false },
  },
});

const zones = ["a", "b", "c"];
const nodes = Array.from({ length: Number(values.nodes) }, (_, index) => ({
  name: `client-${index + 1}`,
  cpuCores: Number(values.cpu),
  memoryMb: Number(values.memory),
  attributes: { "platform.aws.placement.availability-zone": `zone-${zones[index % zones.length]}` },
}));
const nomad = await FakeNomad.start({
  port: Number(values.port),
  version: values.version,
  acl: values.acl,
  nodes,
  ...(values.folder === undefined ? {} : { folder: values.folder }),
});
process.stdout.write(`${JSON.stringify({ address: nomad.address, ...(values.acl ? { token: nomad.managementToken } : {}) })}\n`);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void nomad.stop().then(() => process.exit(0)));
}
