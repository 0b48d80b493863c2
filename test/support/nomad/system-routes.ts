/** Routes of the servers themselves: health, leader, agent, keys, regions, namespaces, pools, scheduler configuration, tokens and policies. */
import { randomUUID } from "node:crypto";
import { type Cluster, goDuration } from "./cluster.ts";
import type { Evaluator } from "./evaluator.ts";
import { denied, type Exchange, HttpError } from "./exchange.ts";
import { isObject } from "./job-decoder.ts";
import type { SchedulerConfiguration, Token } from "./records.ts";

const CAPABILITIES = ["list-jobs", "read-job", "submit-job", "parse-job", "read-logs", "read-fs", "alloc-lifecycle", "dispatch-job"];

/** Routes of the servers. */
export class SystemRoutes {
  readonly #cluster: Cluster;
  readonly #evaluator: Evaluator;

  constructor(cluster: Cluster, evaluator: Evaluator) {
    this.#cluster = cluster;
    this.#evaluator = evaluator;
  }

  /** GET /v1/agent/health. */
  readonly health = async (exchange: Exchange): Promise<void> => {
    const bad = this.#cluster.faults.leaderless;
    const server = bad ? { message: "No cluster leader", ok: false } : { message: "ok", ok: true };
    exchange.send({ client: { message: "ok", ok: true }, server }, undefined, {}, bad ? 500 : 200);
  };

  /** GET /v1/status/leader and /v1/status/peers. */
  readonly status = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    exchange.send(exchange.part(0) === "peers" ? ["127.0.0.1:4647"] : "127.0.0.1:4647");
  };

  /** GET /v1/agent/self. */
  readonly self = async (exchange: Exchange): Promise<void> => {
    if (!exchange.caller.coarse("agent", "read")) throw denied();
    const { version, region, acl } = this.#cluster.options;
    const killMs = Math.min(...[...this.#cluster.agents.values()].map(({ maxKillTimeoutMs }) => maxKillTimeoutMs), 86_400_000);
    const member = {
      Addr: "127.0.0.1",
      Name: `server-1.${region}`,
      Port: 4648,
      Status: "alive",
      Tags: { build: version, region, role: "nomad", dc: "dc1" },
    };
    exchange.send({
      config: {
        ACL: { Enabled: acl },
        Client: { Enabled: true, MaxKillTimeout: goDuration(killMs * 1e6) },
        Server: { Enabled: true },
        Datacenter: "dc1",
        Region: region,
        Version: { Version: version, VersionPrerelease: "", VersionMetadata: "" },
      },
      member,
      stats: { nomad: { server: "true", leader: String(!this.#cluster.faults.leaderless), bootstrap: "true" } },
    });
  };

  /** GET /v1/agent/members. */
  readonly members = async (exchange: Exchange): Promise<void> => {
    if (!exchange.caller.coarse("node", "read")) throw denied();
    const { version, region } = this.#cluster.options;
    const tags = { build: version, region, role: "nomad", dc: "dc1", rpc_addr: "127.0.0.1", port: "4647" };
    exchange.send({
      Members: [{ Addr: "127.0.0.1", Name: `server-1.${region}`, Port: 4648, Status: "alive", Tags: tags }],
      ServerDC: "dc1",
      ServerName: "server-1",
      ServerRegion: region,
    });
  };

  /** GET /.well-known/jwks.json. */
  readonly keys = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    exchange.send({ keys: this.#cluster.signingKeys.map(({ jwk }) => jwk) }, 7, { "Cache-Control": "max-age=1308534" });
  };

  /** GET /.well-known/openid-configuration. */
  readonly discovery = async (exchange: Exchange): Promise<void> => {
    const issuer = this.#cluster.options.oidcIssuer;
    if (issuer === undefined) throw new HttpError(404, "OIDC Discovery endpoint disabled");
    exchange.send({
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      id_token_signing_alg_values_supported: [this.#cluster.options.signing],
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
    });
  };

  /** GET /v1/regions. */
  readonly regions = async (exchange: Exchange): Promise<void> => exchange.send([this.#cluster.options.region]);

  /** GET /v1/namespaces and /v1/namespace/:name. */
  readonly namespaces = async (exchange: Exchange): Promise<void> => {
    const all = [...this.#cluster.state.namespaces].sort();
    const shown = (Name: string) => ({
      Capabilities: null,
      CreateIndex: 1,
      Description: Name === "default" ? "Default shared namespace" : "",
      Meta: null,
      ModifyIndex: 1,
      Name,
      Quota: "",
    });
    if (exchange.parameters.length === 0) {
      exchange.send(all.filter((name) => exchange.caller.may(name, "list-jobs")).map(shown), 1);
      return;
    }
    const name = exchange.part(0);
    // Whoever may do anything at all in a namespace may read what it is.
    if (!CAPABILITIES.some((capability) => exchange.caller.may(name, capability))) throw denied();
    if (!all.includes(name)) throw new HttpError(404, "Namespace not found");
    exchange.send(shown(name), 1);
  };

  /** GET /v1/node/pool/:name. */
  readonly pool = async (exchange: Exchange): Promise<void> => {
    const Name = exchange.part(0);
    void exchange.caller;
    if (!this.#cluster.state.nodePools.has(Name)) throw new HttpError(404, "node pool not found");
    exchange.send(
      { CreateIndex: 1, Description: "", Meta: null, ModifyIndex: 1, Name, NodeIdentityTTL: 0, SchedulerConfiguration: null },
      1,
    );
  };

  /** GET /v1/node/pools and /v1/node/pool/:name. */
  readonly pools = async (exchange: Exchange): Promise<void> => {
    const visible = exchange.caller.management || exchange.caller.coarse("node_pool", "read");
    const shown = (Name: string) => ({
      CreateIndex: 1,
      Description: "",
      Meta: null,
      ModifyIndex: 1,
      Name,
      NodeIdentityTTL: 0,
      SchedulerConfiguration: null,
    });
    if (exchange.parameters.length === 0) {
      exchange.send(visible ? [...this.#cluster.state.nodePools].map(shown) : [], 1);
      return;
    }
    if (!visible) throw denied();
    if (!this.#cluster.state.nodePools.has(exchange.part(0))) throw new HttpError(404, "node pool not found");
    exchange.send(shown(exchange.part(0)), 1);
  };

  /** GET and PUT /v1/operator/scheduler/configuration. */
  readonly scheduler = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    const { state } = this.#cluster;
    if (exchange.method === "GET") {
      if (!exchange.caller.coarse("operator", "read")) throw denied();
      const { configuration } = state;
      exchange.send(
        { Index: configuration.ModifyIndex, KnownLeader: true, LastContact: 0, NextToken: "", SchedulerConfig: configuration },
        configuration.ModifyIndex,
      );
      return;
    }
    if (!exchange.caller.coarse("operator", "write")) throw denied();
    const body = await exchange.json();
    state.commit("SchedulerConfigRequest", (write) => write.configuration({ ...state.configuration, ...body } as SchedulerConfiguration));
    this.#evaluator.wake();
    exchange.send({ Index: state.index, Updated: true }, state.index);
  };

  /** GET /v1/acl/token/self. */
  readonly ownToken = async (exchange: Exchange): Promise<void> => {
    if (!this.#cluster.options.acl) throw new HttpError(400, "ACL support disabled");
    const header = exchange.request.headers["x-nomad-token"];
    const token = typeof header === "string" ? this.#cluster.state.tokens.get(header) : undefined;
    if (token === undefined) throw new HttpError(403, header === undefined ? "Permission denied" : "ACL token not found");
    void exchange.caller;
    exchange.send(shownToken(token), this.#cluster.state.index);
  };

  /** GET /v1/acl/policies: all, or those of the caller's token. */
  readonly policies = async (exchange: Exchange): Promise<void> => {
    if (!this.#cluster.options.acl) throw new HttpError(400, "ACL support disabled");
    const held = this.#held(exchange);
    const { state } = this.#cluster;
    const visible = [...state.policies.values()].filter(({ Name }) => exchange.caller.management || held.includes(Name));
    const shown = visible.map(({ Name, Description }) => ({ Name, Description, Hash: "", CreateIndex: 1, ModifyIndex: 1 }));
    exchange.send(shown, state.index);
  };

  /** GET, POST and DELETE /v1/acl/policy/:name. */
  readonly policy = async (exchange: Exchange): Promise<void> => {
    if (!this.#cluster.options.acl) throw new HttpError(400, "ACL support disabled");
    const { state } = this.#cluster;
    const name = exchange.part(0);
    if (exchange.method === "GET") {
      const found = state.policies.get(name);
      const held = exchange.caller.management || this.#held(exchange).includes(name);
      if (!held) throw denied();
      if (found === undefined) throw new HttpError(404, "ACL policy not found");
      exchange.send({ RulesJSON: null, JobACL: null, ...found, CreateIndex: 1, ModifyIndex: 1 }, state.index);
      return;
    }
    if (!exchange.caller.management) throw denied();
    if (exchange.method === "DELETE") {
      state.policies.delete(name);
      state.commit("ACLPolicyDeleted", (write) => write.acl());
      exchange.send(null, state.index);
      return;
    }
    const body = await exchange.json();
    const job = isObject(body["JobACL"]) ? body["JobACL"] : undefined;
    const attached =
      job === undefined ? {} : { JobACL: { Namespace: String(job["Namespace"] ?? "default"), JobID: String(job["JobID"] ?? "") } };
    state.policies.set(name, {
      Name: name,
      Description: String(body["Description"] ?? ""),
      Rules: String(body["Rules"] ?? ""),
      ...attached,
    });
    state.commit("ACLPolicyUpserted", (write) => write.acl());
    exchange.send(null, state.index);
  };

  #held(exchange: Exchange): readonly string[] {
    const header = exchange.request.headers["x-nomad-token"];
    return typeof header === "string" ? (this.#cluster.state.tokens.get(header)?.Policies ?? []) : [];
  }

  /** POST /v1/acl/token. */
  readonly newToken = async (exchange: Exchange): Promise<void> => {
    if (!exchange.caller.management) throw denied();
    const body = await exchange.json();
    const policies = Array.isArray(body["Policies"]) ? body["Policies"].map(String) : [];
    const type = body["Type"] === "management" ? "management" : "client";
    const token = addToken(this.#cluster, { name: String(body["Name"] ?? ""), type, policies });
    exchange.send(shownToken(token), this.#cluster.state.index);
  };
}

function shownToken(token: Token): Readonly<Record<string, unknown>> {
  return { ...token, Roles: null, Global: false, CreateIndex: 1, ModifyIndex: 1, CreateTime: "2026-01-01T00:00:00Z", ExpirationTTL: "" };
}

/** A new token; its secret is in the result. */
export function addToken(
  cluster: Cluster,
  given: {
    readonly name: string;
    readonly type: Token["Type"];
    readonly policies: readonly string[];
    readonly secret?: string;
    readonly expiresMs?: number;
  },
): Token {
  const expires = given.expiresMs === undefined ? undefined : new Date(given.expiresMs).toISOString();
  const token: Token = {
    AccessorID: randomUUID(),
    SecretID: given.secret ?? randomUUID(),
    Name: given.name,
    Type: given.type,
    Policies: given.policies,
    ExpirationTime: expires,
  };
  cluster.state.tokens.set(token.SecretID, token);
  cluster.state.commit("ACLTokenUpserted", (write) => write.acl());
  return token;
}
