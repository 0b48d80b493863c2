/**
 * The life of one task on its client: set up, started, restarted as its policy says, its templates and identities kept up to date, killed with its
 * signal and, after its timeout (capped by the client), for good. It keeps the task's state; telling the servers is the agent's business.
 */
import type { Server } from "node:http";
import { type Cluster, goDuration } from "./cluster.ts";
import type { RestartPolicy, TaskEvent, TaskState, Template } from "./records.ts";
import { openTaskApi } from "./task-api.ts";
import { nodeNames, nomadVariables, taskEnvironment } from "./task-environment.ts";
import { LogWriter } from "./task-logs.ts";
import { type RunningTask, startPhantom, startProcess, type TaskExit } from "./task-process.ts";
import {
  commandOf,
  fetchArtifact,
  identitiesOf,
  identityFile,
  makeFolders,
  makeIdentity,
  renderOne,
  replaceFile,
  SetupFailure,
  type TaskContext,
  taskPath,
  variablesOf,
} from "./task-setup.ts";
import { TemplateWaits } from "./template.ts";

const EVENTS_KEPT = 10;
const MEGABYTE = 1024 * 1024;

/** What a runner asks of its surroundings. */
export interface TaskSurroundings {
  readonly maxKillTimeoutMs: number;
  /** Restart policy in force. */
  readonly policy: RestartPolicy;
  /** Whether the task is started again when it ends well: a service's, unless it only prepares something. */
  readonly endless: boolean;
  /** Called after every change of the state. */
  changed(): void;
}

/** Runs one task until it is over. */
export class TaskRunner {
  readonly context: TaskContext;
  readonly #around: TaskSurroundings;
  #state: TaskState = {
    State: "pending",
    Failed: false,
    Restarts: 0,
    LastRestart: null,
    StartedAt: null,
    FinishedAt: null,
    Paused: "",
    Events: [],
  };
  #running: RunningTask | undefined;
  #killed = false;
  #abandoned = false;
  #restartWanted = false;
  #starts: number[] = [];
  #extra: Record<string, string> = {};
  readonly #rendered = new Map<Template, string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #wakeWait: (() => void) | undefined;
  #logs: Record<"stdout" | "stderr", LogWriter> | undefined;
  #api: Server | undefined;

  constructor(context: TaskContext, around: TaskSurroundings) {
    this.context = context;
    this.#around = around;
  }

  /** As the servers are told. */
  get state(): TaskState {
    return this.#state;
  }

  /** Process id, while it runs. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  get #cluster(): Cluster {
    return this.context.cluster;
  }

  #event(type: string, message: string, details: Readonly<Record<string, string>> = {}, change: Partial<TaskState> = {}): void {
    const event: TaskEvent = {
      Type: type,
      Time: this.#cluster.state.nowNs(),
      DisplayMessage: message,
      Message: details["message"] ?? "",
      Details: details,
    };
    this.#state = { ...this.#state, ...change, Events: [...this.#state.Events, event].slice(-EVENTS_KEPT) };
    this.#around.changed();
  }

  #now(): string {
    return new Date(this.#cluster.state.nowMs()).toISOString();
  }

  /** Runs the task to its end; never rejects. Resolves with whether it has failed. */
  async run(): Promise<boolean> {
    if (this.#state.Events.length === 0) this.#event("Received", "Task received by client");
    for (;;) {
      if (this.#killed) return this.#over(false);
      const failure = await this.#once();
      if (this.#abandoned) return false;
      if (this.#killed) return this.#over(false);
      const again = await this.#restart(failure);
      if (this.#abandoned) return false;
      if (this.#killed) return this.#over(false);
      if (!again) return this.#over(failure !== undefined);
    }
  }

  #over(failed: boolean): boolean {
    this.#api?.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    if (this.#killed && this.#state.Events.some(({ Type }) => Type === "Killing")) this.#event("Killed", "Task successfully killed");
    this.#state = { ...this.#state, State: "dead", Failed: failed, FinishedAt: this.#now() };
    this.#around.changed();
    return failed;
  }

  /** One set-up and one start; what it failed with, or undefined: it exited with 0. */
  async #once(): Promise<{ readonly recoverable: boolean } | undefined> {
    try {
      await this.#setUp();
      if (this.#killed) return undefined;
      while (this.#stuck() && !this.#killed) await this.#wait();
      if (this.#killed) return undefined;
      const exit = await this.#start();
      return exit.code === 0 && !exit.outOfMemory ? undefined : { recoverable: true };
    } catch (error) {
      if (this.#killed) return undefined;
      const failure = error instanceof SetupFailure ? error : new SetupFailure("Setup Failure", "setup_error", String(error), true);
      this.#event(failure.type, failure.message, { [failure.detail]: failure.message });
      return { recoverable: failure.recoverable };
    }
  }

  #stuck(): boolean {
    const { stuckNodes } = this.#cluster.faults;
    return stuckNodes.has("*") || stuckNodes.has(this.context.node.ID);
  }

  /** Until the task is killed or something it may wait for has changed. */
  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wakeWait = resolve;
    });
    this.#wakeWait = undefined;
  }

  async #setUp(): Promise<void> {
    const { task } = this.context;
    if (this.#cluster.options.phantom) return;
    // The folder outlives a restart in place.
    if (this.#state.Restarts === 0 && this.#state.LastRestart === null) {
      this.#event("Task Setup", "Building Task Directory", { message: "Building Task Directory" });
    }
    makeFolders(this.context);
    this.#api ??= openTaskApi(this.#cluster, this.context.folders.secrets);
    this.#extra = {};
    for (const identity of identitiesOf(task)) this.#identify(identity);
    const artifacts = task.Artifacts ?? [];
    if (artifacts.length > 0) this.#event("Downloading Artifacts", "Client is downloading artifacts");
    for (const artifact of artifacts) await fetchArtifact(this.context, artifact);
    await this.#renderAll();
  }

  #identify(identity: ReturnType<typeof identitiesOf>[number]): void {
    const file = identityFile(this.context, identity);
    if (file === undefined && !identity.Env) return;
    const { token, expiresMs } = makeIdentity(this.context, identity);
    if (file !== undefined) replaceFile(file, token, 0o644);
    if (identity.Env) this.#extra[identity.Name === "default" ? "NOMAD_TOKEN" : `NOMAD_TOKEN_${identity.Name}`] = token;
    if (identity.TTL === 0) return;
    // Renewed after half its life, through the servers: without them the old one stays.
    const halfMs = Math.max(50, (expiresMs - this.#cluster.state.nowMs()) / 2);
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (this.#killed || this.#abandoned) return;
        this.#identify(identity);
        this.#changeMode(identity.ChangeMode, identity.ChangeSignal);
      },
      Math.min(halfMs, 2 ** 31 - 1),
    );
    timer.unref();
    this.#timers.add(timer);
  }

  #environment(): Record<string, string> {
    const { cluster, node, allocation, task, folders } = this.context;
    const own = { ...nomadVariables(cluster, node, allocation, task, folders), ...this.#extra };
    return taskEnvironment(own, nodeNames(cluster, node), task);
  }

  /** Renders all templates, waiting for what they need. */
  async #renderAll(): Promise<void> {
    let told = false;
    for (const template of this.context.task.Templates ?? []) {
      for (;;) {
        if (this.#killed) return;
        try {
          this.#write(template, renderOne(this.context, template, this.#environment()));
          break;
        } catch (error) {
          if (!(error instanceof TemplateWaits)) {
            const text = error instanceof Error ? error.message : String(error);
            throw new SetupFailure("Killing", "kill_reason", `Template failed: ${text}`, false);
          }
          if (!told) this.#event("Template", `Missing: ${error.message}`, { message: `Missing: ${error.message}` });
          told = true;
          await this.#wait();
        }
      }
    }
  }

  #write(template: Template, text: string): void {
    this.#rendered.set(template, text);
    replaceFile(taskPath(this.context, template.DestPath), text, Number.parseInt(template.Perms, 8));
    if (template.Envvars) this.#extra = { ...this.#extra, ...variablesOf(text) };
  }

  /** Variables or services have changed: renders again what runs, and goes on with what waits. */
  dataChanged(): void {
    this.#wakeWait?.();
    if (this.#running === undefined || this.#cluster.options.phantom || this.#killed) return;
    for (const template of this.context.task.Templates ?? []) {
      if (template.Once) continue;
      let text: string;
      try {
        text = renderOne(this.context, template, this.#environment());
      } catch {
        // What was rendered stays: a variable that is gone does not empty the file.
        continue;
      }
      if (text === this.#rendered.get(template)) continue;
      this.#write(template, text);
      this.#changeMode(template.ChangeMode, template.ChangeSignal);
    }
  }

  #changeMode(mode: string, signal: string): void {
    if (mode === "restart") {
      this.#event("Restart Signaled", "Template with change_mode restart re-rendered", {
        restart_reason: "Template with change_mode restart re-rendered",
      });
      this.restart();
    } else if (mode === "signal") {
      this.#event("Signaling", `Task being sent signal ${signal}`, { signal });
      this.#running?.signal(signal);
    }
  }

  async #start(): Promise<TaskExit> {
    const { task, folders } = this.context;
    if (this.#cluster.options.phantom) this.#running = startPhantom();
    else {
      const command = commandOf(this.context, this.#extra);
      if (task.Driver === "docker") this.#event("Driver", "Downloading image", { message: "Downloading image" });
      const { MaxFileSizeMB, MaxFiles } = task.LogConfig;
      const writer = (stream: "stdout" | "stderr") =>
        new LogWriter(`${folders.alloc}/logs`, task.Name, stream, MaxFileSizeMB * MEGABYTE, MaxFiles);
      this.#logs ??= { stdout: writer("stdout"), stderr: writer("stderr") };
      try {
        this.#running = await startProcess(command, this.#logs);
      } catch (error) {
        const reason = error instanceof Error && "code" in error && error.code === "ENOENT" ? "no such file or directory" : String(error);
        const text = `failed to launch command with executor: rpc error: code = Unknown desc = file ${command.program} not found: ${reason}`;
        throw new SetupFailure("Driver Failure", "driver_error", text, true);
      }
    }
    this.#event("Started", "Task started by client", {}, { State: "running", StartedAt: this.#now() });
    if (this.#killed) this.#terminate();
    const raw = await this.#running.exited;
    this.#running = undefined;
    if (this.#abandoned) return raw;
    const exit = this.#cluster.faults.outOfMemory.delete(this.context.allocation.ID) ? { ...raw, outOfMemory: true } : raw;
    const parts = [
      `Exit Code: ${exit.code}`,
      ...(exit.signal === 0 ? [] : [`Signal: ${exit.signal}`]),
      ...(exit.outOfMemory ? ['Exit Message: "OOM Killed"'] : []),
    ];
    const details = { exit_code: String(exit.code), signal: String(exit.signal), oom_killed: String(exit.outOfMemory) };
    this.#event("Terminated", parts.join(", "), exit.outOfMemory ? { ...details, exit_message: "OOM Killed" } : details);
    return exit;
  }

  /** Whether the task is started again; waits as the policy says. */
  async #restart(failure: { readonly recoverable: boolean } | undefined): Promise<boolean> {
    const { policy } = this.#around;
    if (this.#restartWanted) {
      this.#restartWanted = false;
      this.#again("User requested task to restart", 0, false);
      return true;
    }
    if (failure === undefined && !this.#around.endless) return false;
    const now = this.#cluster.state.nowMs();
    this.#starts = this.#starts.filter((at) => now - at < policy.Interval / 1e6);
    if (failure?.recoverable === false || policy.Attempts === 0 || (this.#starts.length >= policy.Attempts && policy.Mode === "fail")) {
      const exceeded = `Exceeded allowed attempts ${policy.Attempts} in interval ${goDuration(policy.Interval)} and mode is "fail"`;
      const reason =
        failure?.recoverable === false ? "Error was unrecoverable" : policy.Attempts === 0 ? "Policy allows no restarts" : exceeded;
      this.#event("Not Restarting", reason, { restart_reason: reason, fails_task: "true" });
      return false;
    }
    const over = this.#starts.length >= policy.Attempts;
    const delayMs = over ? policy.Interval / 1e6 - (now - (this.#starts[0] ?? now)) : (policy.Delay / 1e6) * 1.1;
    this.#starts.push(now);
    this.#again("Restart within policy", delayMs, true);
    await this.#sleep(delayMs);
    return !this.#killed;
  }

  #again(reason: string, delayMs: number, counted: boolean): void {
    const details = { restart_reason: reason, start_delay: String(Math.round(delayMs * 1e6)) };
    const change = { State: "pending", LastRestart: this.#now(), Restarts: this.#state.Restarts + (counted ? 1 : 0) };
    this.#event("Restarting", `Task restarting in ${goDuration(Math.round(delayMs) * 1e6)}`, details, change);
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#timers.add(timer);
      this.#wakeWait = () => {
        if (this.#killed) resolve();
      };
    });
    this.#wakeWait = undefined;
  }

  /** Stops the process and starts it again, whatever the policy says. */
  restart(): void {
    this.#restartWanted = true;
    if (this.#running !== undefined) this.#terminate();
  }

  /** Ends a phantom by itself with an exit code. */
  finish(code: number): void {
    this.#running?.finish(code);
  }

  /** Sends a signal to the process. */
  signal(name: string): boolean {
    if (this.#running === undefined) return false;
    this.#event("Signaling", `Task being sent signal ${name}`, { signal: name });
    this.#running.signal(name);
    return true;
  }

  /** Ends the task for good; `reason` is shown where it is not the servers' wish. */
  kill(type = "Killing", reason = ""): void {
    if (this.#killed || this.#state.State === "dead") return;
    this.#killed = true;
    const timeoutMs = this.#killTimeoutMs();
    if (this.#running !== undefined) {
      const text = reason === "" ? `Sent interrupt. Waiting ${goDuration(timeoutMs * 1e6)} before force killing` : reason;
      if (type !== "Killing") this.#event(type, reason);
      this.#event("Killing", text, { kill_timeout: goDuration(timeoutMs * 1e6) });
      const delayMs = this.context.task.ShutdownDelay / 1e6;
      if (delayMs > 0) setTimeout(() => this.#terminate(), delayMs);
      else this.#terminate();
    }
    this.#wakeWait?.();
  }

  #killTimeoutMs(): number {
    return Math.min(this.context.task.KillTimeout / 1e6, this.#around.maxKillTimeoutMs);
  }

  #terminate(): void {
    const running = this.#running;
    if (running === undefined) return;
    const { task } = this.context;
    running.signal(task.KillSignal === "" ? (task.Driver === "docker" ? "SIGTERM" : "SIGINT") : task.KillSignal);
    const timer = setTimeout(() => running.kill(), this.#killTimeoutMs());
    void running.exited.then(() => clearTimeout(timer));
  }

  /** As when the machine dies: the process is gone, nobody tells. */
  abandon(): void {
    this.#abandoned = true;
    this.#killed = true;
    this.#api?.close();
    this.#api?.closeAllConnections();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#running?.kill();
    this.#wakeWait?.();
  }
}
