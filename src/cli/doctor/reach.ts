/**
 * Checks of what can be reached from where this process runs, without any configuration but addresses: what the probe allocation runs on a node
 * (`wadi doctor --reach controller=10.0.0.5:5116`).
 */
import { connect } from "node:net";
import { userError } from "../../core/errors.ts";
import { type Check, type Finding, fail, ok } from "./check.ts";

const LIMIT_MS = 3_000;

/** A TCP address with a name for people. */
export interface Target {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** `name=host:port`. Throws `invalid-usage`. */
export function parseTarget(text: string): Target {
  const [, name, host, port] = /^([\w-]+)=(.+):(\d{1,5})$/.exec(text) ?? [];
  if (name === undefined || host === undefined) {
    throw userError("invalid-usage", `--reach "${text}" is not of the form name=host:port`, { hint: "Such as controller=10.0.0.5:5116." });
  }
  return { name, host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/** A check for each target: whether a connection is accepted. */
export function reachChecks(targets: readonly Target[]): readonly Check[] {
  return targets.map(({ name, host, port }) => ({
    id: `reach-${name}`,
    title: name,
    limitMs: LIMIT_MS,
    ifSilent: `Open the way from here to ${host}:${port}: firewall, security group, route.`,
    run: (signal) => reach(host, port, signal),
  }));
}

function reach(host: string, port: number, signal: AbortSignal): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    const end = (finding: Finding): void => {
      socket.destroy();
      resolve(finding);
    };
    socket.on("connect", () => end(ok(`${host}:${port} accepts connections`)));
    socket.on("error", (error: NodeJS.ErrnoException) => end(refusal(host, port, error)));
  });
}

function refusal(host: string, port: number, { code, message }: NodeJS.ErrnoException): Finding {
  const at = `${host}:${port}`;
  if (code === "ECONNREFUSED")
    return fail(`nothing listens at ${at}`, "Start it there, or let it listen on an address that other machines reach.");
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return fail(`the host name of ${at} is not known here`, "Use an address, or mend the name service of this machine.");
  return fail(`${at} cannot be reached: ${message}`, "Open the way from here to there: firewall, security group, route.");
}
