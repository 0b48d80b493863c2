/** Native checks of an allocation's services, made when somebody asks: TCP connections and HTTP requests to the ports it was given. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import type { Cluster } from "./cluster.ts";
import { type Allocation, groupOf, type Service, type ServiceCheck } from "./records.ts";

async function reachable(host: string, port: number, timeoutMs: number): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const done = (output: string) => {
      socket.destroy();
      resolve(output);
    };
    socket.once("connect", () => done(""));
    socket.once("timeout", () => done(`dial tcp ${host}:${port}: i/o timeout`));
    socket.once("error", () => done(`dial tcp ${host}:${port}: connect: connection refused`));
  });
}

async function make(check: ServiceCheck, host: string, port: number): Promise<{ Status: string; Output: string; StatusCode: number }> {
  const timeoutMs = Math.max(100, check.Timeout / 1e6);
  if (check.Type === "tcp") {
    const output = await reachable(host, port, timeoutMs);
    return { Status: output === "" ? "success" : "failure", Output: output === "" ? "nomad: tcp ok" : output, StatusCode: 0 };
  }
  try {
    const response = await fetch(`http://${host}:${port}${check.Path === "" ? "/" : check.Path}`, {
      signal: AbortSignal.timeout(timeoutMs),
    });
    const good = response.status >= 200 && response.status < 300;
    return { Status: good ? "success" : "failure", Output: good ? "nomad: http ok" : await response.text(), StatusCode: response.status };
  } catch {
    return { Status: "failure", Output: `dial tcp ${host}:${port}: connect: connection refused`, StatusCode: 0 };
  }
}

/** Results by an id of each check, as `/v1/allocation/:id/checks` shows them. */
export async function checksOf(cluster: Cluster, allocation: Allocation): Promise<Readonly<Record<string, unknown>>> {
  const group = groupOf(allocation.Job, allocation.TaskGroup);
  const ofGroup = (group?.Services ?? []).map((service) => ({ service, task: "" }));
  const ofTasks = (group?.Tasks ?? []).flatMap((task) => (task.Services ?? []).map((service) => ({ service, task: task.Name })));
  const all = [...ofGroup, ...ofTasks].filter(({ service }) => service.Provider === "nomad");
  const found: Record<string, unknown> = {};
  const one = async (service: Service, task: string, check: ServiceCheck, number: number) => {
    const label = check.PortLabel === "" ? service.PortLabel : check.PortLabel;
    const port = allocation.placement.ports.find(({ Label }) => Label === label);
    const id = createHash("md5").update(`${allocation.ID} ${service.Name} ${task} ${number}`).digest("hex");
    const result = await make(check, port?.HostIP ?? "127.0.0.1", port?.Value ?? 0);
    const name = check.Name === "" ? `service: "${service.Name}" check` : check.Name;
    const timestamp = Math.floor(cluster.state.nowMs() / 1000);
    found[id] = {
      ...result,
      Check: name,
      Group: `${allocation.Name}`,
      ID: id,
      Mode: "healthiness",
      Service: service.Name,
      Task: task,
      Timestamp: timestamp,
    };
  };
  await Promise.all(
    all.flatMap(({ service, task }) => (service.Checks ?? []).map(async (check, number) => await one(service, task, check, number))),
  );
  return found;
}
