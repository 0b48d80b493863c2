/** What the Nomad scheduler takes from the configuration, checked once: how Nomad is reached, and what worker jobs look like. */
import type { Config } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { parseHostVolumes, parseSecrets, type WorkerAccess } from "./access.ts";
import type { NomadAffinity, NomadConstraint } from "./job.ts";

/** How Nomad is reached. */
export interface NomadConnection {
  /** URLs of agents, tried in turn. */
  readonly addresses: readonly string[];
  /** Unix socket of the task API; preferred. */
  readonly unixAddress: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly region: string | undefined;
  readonly namespace: string;
  /** Files; undefined: the system's own authorities, no client certificate. */
  readonly tls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
    readonly serverName: string | undefined;
    readonly skipVerify: boolean;
  };
}

/** What worker jobs look like. */
export interface NomadJobSettings {
  readonly clusterId: string;
  readonly namespace: string;
  readonly region: string | undefined;
  readonly datacenters: readonly string[];
  readonly nodePool: string;
  readonly priority: number;
  readonly driver: "docker" | "exec" | "raw_exec";
  readonly image: string | undefined;
  readonly artifact: string | undefined;
  readonly artifactChecksum: string | undefined;
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly slotsPerWorker: number;
  readonly mhzPerSlot: number;
  /** 0: MHz are reserved. */
  readonly coresPerSlot: number;
  /** Bytes; 0: what a slot may use. */
  readonly memoryPerSlot: number;
  /** Bytes; 0: no more than is reserved. */
  readonly memoryMaxPerSlot: number;
  /** Bytes. */
  readonly disk: number;
  readonly constraints: readonly NomadConstraint[];
  readonly affinities: readonly NomadAffinity[];
  readonly spread: readonly string[];
  readonly distinctHosts: boolean;
  readonly networkMode: "host" | "bridge";
  readonly killTimeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly consoleAddress: string | undefined;
  readonly access: WorkerAccess;
}

/** The connection. Throws `invalid-config` for addresses that are none. */
export function nomadConnection(config: Config): NomadConnection {
  const addresses = config["nomad.address"].split(",").map((address) => address.trim());
  for (const address of addresses) {
    if (/^https?:\/\/[^/]+/.test(address)) continue;
    throw userError("invalid-config", `nomad.address "${address}" is not a URL`, { hint: "Write it like http://10.0.0.5:4646." });
  }
  return {
    addresses: addresses.map((address) => address.replace(/\/+$/, "")),
    unixAddress: config["nomad.unix-address"]?.replace(/^unix:\/\//, ""),
    token: config["nomad.token"],
    tokenFile: config["nomad.token-file"],
    region: config["nomad.region"],
    namespace: config["nomad.namespace"],
    tls: {
      ca: config["nomad.ca-cert"],
      cert: config["nomad.client-cert"],
      key: config["nomad.client-key"],
      serverName: config["nomad.tls-server-name"],
      skipVerify: config["nomad.skip-verify"],
    },
  };
}

/** What jobs look like. Throws `invalid-config` naming the setting that does not fit. */
export function nomadJobSettings(config: Config): NomadJobSettings {
  return {
    clusterId: config["nomad.cluster-id"],
    namespace: config["nomad.namespace"],
    region: config["nomad.region"],
    datacenters: config["nomad.datacenters"],
    nodePool: config["nomad.node-pool"],
    priority: config["nomad.priority"],
    driver: config["nomad.driver"],
    image: config["nomad.image"],
    artifact: config["nomad.artifact"],
    artifactChecksum: config["nomad.artifact-checksum"],
    command: config["nomad.command"],
    user: config["nomad.user"],
    slotsPerWorker: config["nomad.slots-per-worker"],
    mhzPerSlot: config["nomad.mhz-per-slot"],
    coresPerSlot: config["nomad.cores-per-slot"],
    memoryPerSlot: config["nomad.memory-per-slot"],
    memoryMaxPerSlot: config["nomad.memory-max-per-slot"],
    disk: config["nomad.disk"],
    constraints: config["nomad.constraints"].map(parseConstraint),
    affinities: config["nomad.affinities"].map(parseAffinity),
    spread: config["nomad.spread"].map(attributeName),
    distinctHosts: config["nomad.distinct-hosts"],
    networkMode: config["nomad.network-mode"],
    killTimeoutMs: config["nomad.kill-timeout"],
    environment: parsePairs("nomad.environment", config["nomad.environment"]),
    consoleAddress: config["nomad.console-address"],
    access: {
      awsRoleArn: config["nomad.aws-role-arn"],
      secrets: parseSecrets(config["nomad.secrets"]),
      hostVolumes: parseHostVolumes(config["nomad.host-volumes"]),
    },
  };
}

/** `node.datacenter` as Nomad interpolates it. */
export function attributeName(text: string): string {
  return text.startsWith("$") ? text : `\${${text}}`;
}

const CONSTRAINT = /^(\S+)\s+(=|!=|>=|<=|>|<|regexp|version|semver|set_contains|set_contains_any|is_set|is_not_set)(?:\s+(.+))?$/;

/** `attr.kernel.name = linux` as a constraint; the attribute with or without `${…}`. Throws `invalid-config`. */
export function parseConstraint(text: string): NomadConstraint {
  const [, attribute, operand, value] = CONSTRAINT.exec(text.trim()) ?? [];
  if (attribute === undefined || operand === undefined) {
    const hint = 'Write "attribute operator value", such as "attr.cpu.arch = amd64".';
    throw userError("invalid-config", `"${text}" is not a constraint on nodes`, { hint });
  }
  return { LTarget: attributeName(attribute), Operand: operand, ...(value === undefined ? {} : { RTarget: value }) };
}

/** `50 node.class = compute` as an affinity. Throws `invalid-config`. */
export function parseAffinity(text: string): NomadAffinity {
  const [, weight, rest] = /^\s*(-?\d{1,3})\s+(.+)$/.exec(text) ?? [];
  const value = Number(weight);
  if (rest === undefined || value === 0 || Math.abs(value) > 100) {
    const hint = 'Write "weight attribute operator value" with a weight from -100 to 100, such as "50 node.class = compute".';
    throw userError("invalid-config", `"${text}" is not an affinity`, { hint });
  }
  return { ...parseConstraint(rest), Weight: value };
}

/** `NAME=value` words of the setting `setting` as a table. Throws `invalid-config`. */
export function parsePairs(setting: string, words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      if (at > 0) return [word.slice(0, at).trim(), word.slice(at + 1)];
      throw userError("invalid-config", `${setting} has "${word}", which is not of the form name=value`);
    }),
  );
}
