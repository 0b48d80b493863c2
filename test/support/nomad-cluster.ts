/** Settings of a test cluster whose workers are started by a Nomad, the fake or a real one, from the same build. */
import { join } from "node:path";
import type { TestCluster } from "./cluster-process.ts";
import { FailurePipeline } from "./failure-pipeline.ts";

/** The settings. Workers find the files of the cluster's folder by relative paths, as those of the process scheduler do. */
export function nomadEnvironment(cluster: TestCluster, address: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { NODE_OPTIONS = "", WADI_TEST_READ_DELAY = "" } = FailurePipeline.environment(cluster.folder);
  const words = cluster.command("worker").map((word) => `'${word}'`);
  const script = `cd '${cluster.folder}' && exec '${process.execPath}' ${words.join(" ")}`;
  const environment = [
    `NODE_OPTIONS=${NODE_OPTIONS}`,
    `WADI_TEST_READ_DELAY=${WADI_TEST_READ_DELAY}`,
    `WADI__STATE_DIR=${cluster.stateDir}`,
    `WADI__COMPILER__CACHE_DIR=${join(cluster.folder, "artifacts")}`,
    "WADI__LOGGING__FORMAT=plaintext",
  ];
  return {
    WADI__CONTROLLER__SCHEDULER: "nomad",
    WADI__NOMAD__ADDRESS: address,
    WADI__NOMAD__DRIVER: "raw_exec",
    WADI__NOMAD__COMMAND: ["/bin/sh", "-c", script].join(","),
    WADI__NOMAD__ENVIRONMENT: environment.join(","),
    WADI__NOMAD__MHZ_PER_SLOT: "100",
    WADI__NOMAD__MEMORY_PER_SLOT: "256MiB",
    WADI__NOMAD__SLOTS_PER_WORKER: "1",
    WADI__NOMAD__KILL_TIMEOUT: "10s",
    ...more,
  };
}
