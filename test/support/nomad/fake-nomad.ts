/**
 * A Nomad cluster in this process: servers with the HTTP API, client nodes that run tasks as real processes, and the hands of operators and of fate
 * as methods. What it imitates was compared with real agents; differences that are known are listed in `README.md` beside this file.
 */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { externalError } from "../../../src/core/errors.ts";
import { AllocationRoutes } from "./allocation-routes.ts";
import { type Cluster, type ClusterOptions, type Faults, type NodeOptions, noFaults } from "./cluster.ts";
import { failDeployment, lateDeployments } from "./deployments.ts";
import { Evaluator } from "./evaluator.ts";
import { EventStreams } from "./event-stream.ts";
import { JobRoutes } from "./job-routes.ts";
import { parseRoute } from "./jobspec-route.ts";
import { LogRoutes } from "./log-routes.ts";
import { metrics } from "./metrics-route.ts";
import { NodeAgent } from "./node-agent.ts";
import type { ClientNode } from "./node-records.ts";
import { NodeRoutes } from "./node-routes.ts";
import { makeNode, Nodes } from "./nodes.ts";
import type { Allocation, Evaluation, Job } from "./records.ts";
import { type RouteEntry, Router } from "./router.ts";
import { makeSigningKey, signToken } from "./signing-key.ts";
import { jobKey, State } from "./state.ts";
import { addToken, SystemRoutes } from "./system-routes.ts";
import { VariableRoutes } from "./variable-routes.ts";

const DEFAULT_KILL_LIMIT_MS = 30_000;

/** A running fake. Times are in milliseconds; nodes are named by id or name. */
export class FakeNomad {
  readonly #cluster: Cluster;
  readonly #router: Router;
  readonly #evaluator: Evaluator;
  readonly #nodes: Nodes;
  readonly #streams: EventStreams;
  readonly #allocations: AllocationRoutes;
  readonly #agents = new Map<string, NodeAgent>();
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ownFolder: boolean;
  #port = 0;
  /** Secret of a token that may do everything; there is one also without `acl`. */
  readonly managementToken: string;
  /** What went wrong inside the fake itself; tests may look. */
  readonly notes: string[] = [];

  private constructor(options: ClusterOptions) {
    this.#ownFolder = options.folder === undefined;
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), "nomad-"));
    const state = new State();
    for (const namespace of options.namespaces ?? []) state.namespaces.add(namespace);
    for (const pool of options.nodePools ?? []) state.nodePools.add(pool);
    this.#cluster = {
      options: {
        version: options.version ?? "2.0.5",
        acl: options.acl ?? false,
        namespaces: options.namespaces ?? [],
        nodePools: options.nodePools ?? [],
        region: options.region ?? "global",
        port: options.port ?? 0,
        folder,
        heartbeatMs: options.heartbeatMs ?? 1000,
        clientUpdateMs: options.clientUpdateMs ?? 50,
        streamHeartbeatMs: options.streamHeartbeatMs ?? 30_000,
        phantom: options.phantom ?? false,
        images: options.images ?? {},
        signing: options.signing ?? "RS256",
        oidcIssuer: options.oidcIssuer,
        maxConnections: options.maxConnections ?? 1000,
        strict: options.strict ?? true,
        checkHurry: options.checkHurry ?? 10,
        deadlineHurry: options.deadlineHurry ?? 1,
      },
      state,
      faults: noFaults(),
      agents: this.#agents,
      signingKeys: [makeSigningKey(options.signing ?? "RS256")],
      wake: () => this.#evaluator.wake(),
      httpAddress: () => `127.0.0.1:${this.#port}`,
      answer: (request, response) => this.#router.handle(request, response),
      note: (text) => this.notes.push(text),
    };
    this.#evaluator = new Evaluator(this.#cluster);
    this.#nodes = new Nodes(this.#cluster, this.#evaluator);
    this.#streams = new EventStreams(this.#cluster);
    this.#allocations = new AllocationRoutes(this.#cluster, this.#evaluator);
    this.#router = new Router(this.#cluster, this.#routes());
    this.managementToken = addToken(this.#cluster, { name: "Bootstrap Token", type: "management", policies: [] }).SecretID;
    for (const [index, node] of (options.nodes ?? [{}]).entries()) this.addNode({ name: `client-${index + 1}`, ...node });
    state.observe((_batch, tables) => {
      if (!tables.has("variables") && !tables.has("services")) return;
      for (const agent of this.#agents.values()) agent.dataChanged();
    });
    this.#watchDeployments();
    this.#router.server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /** Fails deployments that make no progress in time. */
  #watchDeployments(): void {
    const timer = setInterval(() => {
      for (const deployment of lateDeployments(this.#cluster)) {
        this.state.commit("DeploymentStatusUpdate", (write) => {
          const job = failDeployment(this.#cluster, write, deployment);
          if (job === undefined) return;
          const { Namespace: namespace, ID, Type: type, Priority: priority, JobModifyIndex: jobModifyIndex } = job;
          this.#evaluator.create(write, { namespace, job: ID, type, priority, trigger: "deployment-watcher", jobModifyIndex });
        });
      }
    }, 100);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Starts a cluster; it is ready when the promise resolves. */
  static async start(options: ClusterOptions = {}): Promise<FakeNomad> {
    const fake = new FakeNomad(options);
    await fake.#listen(options.port ?? 0);
    return fake;
  }

  async #listen(port: number): Promise<void> {
    this.#router.server.listen(port, "127.0.0.1");
    await once(this.#router.server, "listening");
    this.#port = (this.#router.server.address() as AddressInfo).port;
  }

  #routes(): RouteEntry[] {
    const jobs = new JobRoutes(this.#cluster, this.#evaluator);
    const nodes = new NodeRoutes(this.#cluster, this.#nodes);
    const variables = new VariableRoutes(this.#cluster);
    const system = new SystemRoutes(this.#cluster, this.#evaluator);
    const logs = new LogRoutes(this.#cluster, this.#allocations);
    const [get, put, remove] = [["GET"], ["PUT", "POST"], ["DELETE"]];
    const entry = (methods: readonly string[], pattern: RegExp, route: RouteEntry["route"]): RouteEntry => ({ methods, pattern, route });
    return [
      entry(get, /^\/v1\/jobs$/, jobs.list),
      entry(put, /^\/v1\/jobs$/, jobs.register),
      entry(put, /^\/v1\/jobs\/parse$/, parseRoute),
      entry([...get, ...put], /^\/v1\/jobs\/statuses$/, jobs.statuses),
      entry(put, /^\/v1\/validate\/job$/, jobs.validate),
      entry(put, /^\/v1\/job\/(.+)\/plan$/, jobs.plan),
      entry(put, /^\/v1\/job\/(.+)\/periodic\/force$/, jobs.force),
      entry(put, /^\/v1\/job\/(.+)\/scale$/, jobs.scale),
      entry(put, /^\/v1\/job\/(.+)\/evaluate$/, jobs.evaluate),
      entry(
        get,
        /^\/v1\/job\/(.+)\/(allocations|evaluations|versions|summary|deployments|deployment|services|submission|actions)$/,
        jobs.part,
      ),
      entry(get, /^\/v1\/job\/(.+)$/, jobs.read),
      entry(remove, /^\/v1\/job\/(.+)$/, jobs.deregister),
      entry(put, /^\/v1\/job\/(.+)$/, jobs.register),
      entry(get, /^\/v1\/allocations$/, this.#allocations.list),
      entry(put, /^\/v1\/allocation\/([^/]+)\/stop$/, this.#allocations.stop),
      entry(get, /^\/v1\/allocation\/([^/]+)\/(services|checks)$/, this.#allocations.part),
      entry(get, /^\/v1\/allocation\/([^/]+)$/, this.#allocations.read),
      entry([...get, ...put], /^\/v1\/client\/allocation\/([^/]+)\/(restart|signal|stats)$/, this.#allocations.client),
      entry(get, /^\/v1\/evaluations$/, this.#allocations.evaluations),
      entry(get, /^\/v1\/evaluation\/([^/]+)(?:\/(allocations))?$/, this.#allocations.evaluation),
      entry(get, /^\/v1\/deployments$/, this.#allocations.deployments),
      entry(get, /^\/v1\/deployment\/([^/]+)$/, this.#allocations.deployments),
      entry(get, /^\/v1\/services$/, this.#allocations.services),
      entry(get, /^\/v1\/service\/([^/]+)$/, this.#allocations.service),
      entry(get, /^\/v1\/nodes$/, nodes.list),
      entry(get, /^\/v1\/node\/pools$/, system.pools),
      entry(get, /^\/v1\/node\/pool\/([^/]+)$/, system.pools),
      entry(get, /^\/v1\/node\/pool\/([^/]+)$/, system.pool),
      entry(get, /^\/v1\/node\/([^/]+)\/allocations$/, nodes.allocations),
      entry(put, /^\/v1\/node\/([^/]+)\/(drain|eligibility|purge)$/, nodes.change),
      entry(get, /^\/v1\/node\/([^/]+)$/, nodes.read),
      entry(get, /^\/v1\/vars$/, variables.list),
      entry(get, /^\/v1\/var\/(.+)$/, variables.read),
      entry(put, /^\/v1\/var\/(.+)$/, variables.write),
      entry(remove, /^\/v1\/var\/(.+)$/, variables.remove),
      entry(get, /^\/v1\/event\/stream$/, this.#streams.handle),
      entry(get, /^\/v1\/client\/fs\/logs\/([^/]*)$/, logs.logs),
      entry(get, /^\/v1\/client\/fs\/(ls|stat|cat)\/([^/]*)$/, logs.files),
      entry(get, /^\/v1\/agent\/health$/, system.health),
      entry(get, /^\/v1\/metrics$/, (exchange) => metrics(this.#cluster, exchange)),
      entry(get, /^\/v1\/agent\/self$/, system.self),
      entry(get, /^\/v1\/agent\/members$/, system.members),
      entry(get, /^\/v1\/status\/(leader|peers)$/, system.status),
      entry(get, /^\/v1\/regions$/, system.regions),
      entry(get, /^\/v1\/namespaces$/, system.namespaces),
      entry(get, /^\/v1\/namespace\/([^/]+)$/, system.namespaces),
      entry([...get, ...put], /^\/v1\/operator\/scheduler\/configuration$/, system.scheduler),
      entry(get, /^\/v1\/acl\/token\/self$/, system.ownToken),
      entry(put, /^\/v1\/acl\/token$/, system.newToken),
      entry(get, /^\/v1\/acl\/policies$/, system.policies),
      entry([...get, ...put, ...remove], /^\/v1\/acl\/policy\/([^/]+)$/, system.policy),
      entry(get, /^\/\.well-known\/jwks\.json$/, system.keys),
      entry(get, /^\/\.well-known\/openid-configuration$/, system.discovery),
      entry(put, /^\/v1\/system\/gc$/, async (exchange) => {
        this.#cluster.state.collectGarbage();
        exchange.send(null);
      }),
    ];
  }

  /** "http://127.0.0.1:port". */
  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What is imitated. */
  get version(): string {
    return this.#cluster.options.version;
  }

  /** Folder of everything that the fake writes. */
  get folder(): string {
    return this.#cluster.options.folder;
  }

  /** The replicated state, for tests that look at it directly. */
  get state(): State {
    return this.#cluster.state;
  }

  /** Faults in force; may be set directly. */
  get faults(): Faults {
    return this.#cluster.faults;
  }

  /** Ends everything: tasks are killed, files removed. Does nothing the second time. */
  async stop(): Promise<void> {
    this.#evaluator.stop();
    this.#nodes.close();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const agent of this.#agents.values()) agent.close();
    this.#streams.dropAll();
    for (const socket of this.#sockets) socket.destroy();
    this.#cluster.state.wakeAll();
    if (this.#router.server.listening) await new Promise((resolve) => this.#router.server.close(resolve));
    if (this.#ownFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  // Nodes

  /** A node joins; its id. */
  addNode(options: NodeOptions = {}): string {
    const node = makeNode(this.#cluster, options, this.#agents.size + 1);
    if (!this.state.nodePools.has(node.NodePool)) this.state.nodePools.add(node.NodePool);
    const folder = join(this.folder, node.Name, "alloc");
    if (!this.#cluster.options.phantom) mkdirSync(folder, { recursive: true });
    const agent = new NodeAgent(this.#cluster, node.ID, {
      folder,
      maxKillTimeoutMs: options.maxKillTimeoutMs ?? DEFAULT_KILL_LIMIT_MS,
      deliver: (id, reports) => {
        if (this.faults.leaderless) return false;
        this.#nodes.report(id, reports);
        return true;
      },
    });
    this.#agents.set(node.ID, agent);
    this.#nodes.register(node);
    return node.ID;
  }

  /** All nodes, as they are now. */
  get nodes(): ClientNode[] {
    return [...this.state.nodes.values()];
  }

  /** A node by id or name. */
  node(name: string): ClientNode {
    const found = this.nodes.find(({ ID, Name }) => ID === name || Name === name);
    if (found === undefined) throw externalError("not-found", `no node "${name}"`);
    return found;
  }

  #agent(name: string): NodeAgent {
    const agent = this.#agents.get(this.node(name).ID);
    if (agent === undefined) throw externalError("not-found", `no agent of node "${name}"`);
    return agent;
  }

  /** Begins a drain. Without a deadline it waits for ever; `force`: everything leaves at once. */
  drain(name: string, options: { readonly deadlineMs?: number; readonly force?: boolean } = {}): void {
    this.#nodes.drain(this.node(name).ID, options.force === true ? -1 : options.deadlineMs);
  }

  /** Ends a drain. */
  cancelDrain(name: string, eligible = true): void {
    this.#nodes.cancelDrain(this.node(name).ID, eligible);
  }

  /** Whether the node gets new allocations. */
  setEligible(name: string, eligible: boolean): void {
    this.#nodes.eligibility(this.node(name).ID, eligible);
  }

  /**
   * The node is silent; after the heartbeat's time the servers count it as down or disconnected. Its tasks go on ("partitioned") or die with the
   * machine ("killed").
   */
  loseNode(name: string, how: "partitioned" | "killed" = "partitioned"): void {
    const { ID } = this.node(name);
    this.#agent(name).disconnect(how === "killed");
    this.#later(this.#cluster.options.heartbeatMs, () => {
      if (this.#agents.get(ID)?.connected === false && !this.faults.leaderless) this.#nodes.missed(ID);
    });
  }

  /** The node is heard again. */
  returnNode(name: string): void {
    const { ID, Status } = this.node(name);
    const agent = this.#agent(name);
    agent.reconnect();
    if (Status !== "ready") this.#nodes.heard(ID);
    agent.flush();
    agent.sync();
  }

  /** The provider takes the machine away after `noticeMs`: until then nothing is to be seen, unless somebody drains it. */
  spotNotice(name: string, noticeMs: number): void {
    this.#later(noticeMs, () => this.loseNode(name, "killed"));
  }

  // Jobs and allocations

  /** A job. */
  job(id: string, namespace = "default"): Job | undefined {
    return this.state.jobs.get(jobKey(namespace, id));
  }

  /** Allocations of a job, oldest first; of all jobs without an id. */
  allocations(job?: string, namespace = "default"): Allocation[] {
    return job === undefined ? [...this.state.allocations.values()] : this.state.allocationsOfJob(namespace, job);
  }

  /** Evaluations of a job, oldest first. */
  evaluations(job: string, namespace = "default"): Evaluation[] {
    return this.state.evaluationsOfJob(namespace, job);
  }

  /** Stops an allocation as an operator does with `nomad alloc stop`: Nomad replaces it. */
  stopAllocation(id: string): void {
    const found = this.state.allocations.get(id);
    if (found === undefined) throw externalError("not-found", `no allocation "${id}"`);
    this.#allocations.stopAllocation(found);
  }

  /** Process ids of an allocation's tasks. */
  pids(allocation: string): number[] {
    const node = this.state.allocations.get(allocation)?.NodeID;
    return node === undefined ? [] : (this.#agents.get(node)?.pids(allocation) ?? []);
  }

  /** Kills the tasks of an allocation as the kernel does when memory is short: reported with `oom_killed`. */
  outOfMemory(allocation: string): void {
    this.faults.outOfMemory.add(allocation);
    for (const pid of this.pids(allocation)) process.kill(pid, "SIGKILL");
  }

  /** Ends the phantom tasks of an allocation by themselves, with an exit code; does nothing if they have ended. */
  endPhantom(allocation: string, exitCode: number): void {
    const node = this.state.allocations.get(allocation)?.NodeID;
    if (node !== undefined) this.#agents.get(node)?.endPhantom(allocation, exitCode);
  }

  /** Runs an action of a task, as `nomad action` does; its output and exit code. */
  async runAction(allocation: string, task: string, action: string): Promise<{ readonly output: string; readonly code: number }> {
    const found = this.state.allocations.get(allocation);
    const spec = found?.Job.TaskGroups?.flatMap(({ Tasks }) => Tasks)
      .find(({ Name }) => Name === task)
      ?.Actions?.find(({ Name }) => Name === action);
    const agent = found === undefined ? undefined : this.#agents.get(found.NodeID);
    if (spec === undefined || agent === undefined) throw externalError("not-found", `no action "${action}" of task "${task}"`);
    const output: Buffer[] = [];
    const code = await agent.runInTask(allocation, task, [spec.Command, ...(spec.Args ?? [])], (_stream, data) => output.push(data));
    return { output: Buffer.concat(output).toString(), code };
  }

  /** Forgets dead jobs. */
  collectGarbage(): void {
    this.state.collectGarbage();
  }

  // Faults

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  /** The leader is lost and none is elected until `electLeader`: 500 "No cluster leader", event streams end. */
  loseLeader(): void {
    this.faults.leaderless = true;
    this.#streams.dropAll();
    this.state.wakeAll();
  }

  /** There is a leader again. */
  electLeader(): void {
    this.faults.leaderless = false;
    this.#evaluator.wake();
    for (const agent of this.#agents.values()) agent.flush();
  }

  /** All servers are away: connections are refused until `serversBack`, or for `ms` and then they are back. Tasks go on. */
  async serversAway(ms?: number): Promise<void> {
    this.loseLeader();
    const closed = new Promise((resolve) => this.#router.server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    if (ms !== undefined) this.#later(ms, () => void this.serversBack());
  }

  /** The servers are back, on the same port; their event ring is empty. */
  async serversBack(): Promise<void> {
    if (this.#router.server.listening) return;
    this.state.ring.length = 0;
    await this.#listen(this.#port);
    this.electLeader();
  }

  /** Ends all event streams. */
  dropStreams(): void {
    this.#streams.dropAll();
  }

  /** How many event streams are open. */
  get openStreams(): number {
    return this.#streams.count;
  }

  /** As after a restore from an old snapshot: indexes start low again. */
  resetIndex(): void {
    this.state.resetIndex();
    this.#streams.dropAll();
  }

  /** The next `times` requests that fit are answered with `status` and `body`. */
  answer(method: string, path: RegExp, status: number, body: string, times = 1): void {
    this.faults.answers.push({ method, path, status, body, times });
  }

  /** Whether registration of jobs is refused, to everybody. */
  refuseRegistration(refused: boolean): void {
    this.faults.registrationRefused = refused;
  }

  /** Clocks of servers and clients are wrong by this much. */
  skewClock(ms: number): void {
    this.state.skewMs = ms;
  }

  /** A new signing key; the old one stays published, as after a rotation. */
  rotateKeys(): void {
    this.#cluster.signingKeys.unshift(makeSigningKey(this.#cluster.options.signing));
  }

  /** Signs any claims, for tests of what must be refused. */
  signClaims(claims: Readonly<Record<string, unknown>>): string {
    const [key] = this.#cluster.signingKeys;
    if (key === undefined) throw externalError("not-found", "no signing key");
    return signToken(key, claims);
  }

  /** A token with policies' rules, in HCL; its secret. */
  addToken(name: string, rules: string, options: { readonly expiresMs?: number } = {}): string {
    this.state.policies.set(name, { Name: name, Description: "", Rules: rules });
    return addToken(this.#cluster, { name, type: "client", policies: [name], ...options }).SecretID;
  }

  /** Takes a token away. */
  removeToken(secret: string): void {
    this.state.tokens.delete(secret);
    this.#streams.dropAll();
  }

  /** What workloads of a job, or of a namespace, may do besides reading their own variables. */
  addWorkloadPolicy(rules: string, namespace = "default", job?: string): void {
    const name = job === undefined ? `workload:${namespace}` : `workload:${namespace}:${job}`;
    this.state.policies.set(name, { Name: name, Description: "", Rules: rules, JobACL: { Namespace: namespace, JobID: job ?? "" } });
  }

  // Counting

  /** Requests so far, by "METHOD path" with ids as ":id". */
  get requests(): ReadonlyMap<string, number> {
    return this.#router.counts;
  }

  /** Requests so far, all together. */
  get requestCount(): number {
    return this.#router.total;
  }
}
