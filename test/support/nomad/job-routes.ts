/** Routes of jobs: register, plan, parse, read, stop, scale, evaluations, allocations, versions, statuses. */
import { randomUUID } from "node:crypto";
import { atLeast, type Cluster } from "./cluster.ts";
import { decide, type Evaluator, refreshJob } from "./evaluator.ts";
import { type Exchange, HttpError } from "./exchange.ts";
import { DecodeError, decodeJob, isObject, specOf } from "./job-decoder.ts";
import { diffJobs } from "./job-diff.ts";
import { checkJob, multiError } from "./job-rules.ts";
import type { Job } from "./records.ts";
import { jobKey } from "./state.ts";
import { allocationStub, findJob, jobStatus, jobStub, jobSummary, wireEvaluation } from "./wire.ts";

type Body = Readonly<Record<string, unknown>>;

const REGISTER_KEYS = [
  "Job",
  "EnforceIndex",
  "JobModifyIndex",
  "PolicyOverride",
  "PreserveCounts",
  "PreserveResources",
  "EvalPriority",
  "Submission",
  "Region",
  "Namespace",
  "SecretID",
];
const PLAN_KEYS = ["Job", "Diff", "PolicyOverride", "Region", "Namespace", "SecretID"];

function refuseUnknown(exchange: Exchange, body: Body, known: readonly string[]): void {
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined && exchange.cluster.options.strict) {
    throw new HttpError(400, `json: unknown field "${unknown}" (a real server would ignore it)`);
  }
}

/** The job of a body. 400 where it cannot be read. */
function jobOf(exchange: Exchange, body: Body): Job {
  if (body["Job"] === undefined || body["Job"] === null) throw new HttpError(400, "Job must be specified");
  const { cluster } = exchange;
  try {
    const job = decodeJob(body["Job"], exchange.query("namespace") === "" ? "default" : exchange.namespace, cluster.options.strict);
    if (exchange.query("namespace") !== "" && job.Namespace !== exchange.namespace)
      throw new HttpError(400, "mismatched request namespace");
    const region = isObject(body["Job"]) ? body["Job"]["Region"] : undefined;
    return region === undefined || region === null ? { ...job, Region: cluster.options.region } : job;
  } catch (error) {
    if (error instanceof DecodeError) throw new HttpError(400, error.message);
    throw error;
  }
}

function refuseInvalid(cluster: Cluster, job: Job): void {
  const errors = checkJob(job, cluster.state.namespaces, cluster.state.nodePools);
  if (errors.length > 0) throw new HttpError(500, multiError(errors));
}

function mayRegister(exchange: Exchange, namespace: string): void {
  exchange.allow(namespace, "submit-job", ...(atLeast(exchange.cluster.options.version, "1.11.2") ? ["register-job"] : []));
}

/** Routes of jobs. */
export class JobRoutes {
  readonly #cluster: Cluster;
  readonly #evaluator: Evaluator;

  constructor(cluster: Cluster, evaluator: Evaluator) {
    this.#cluster = cluster;
    this.#evaluator = evaluator;
  }

  /** PUT /v1/jobs, and POST /v1/job/:id. */
  readonly register = async (exchange: Exchange): Promise<void> => {
    const body = await exchange.json();
    refuseUnknown(exchange, body, REGISTER_KEYS);
    const job = jobOf(exchange, body);
    if (exchange.parameters.length > 0 && exchange.part(0) !== job.ID) throw new HttpError(400, "Job ID does not match name");
    exchange.needLeader();
    mayRegister(exchange, job.Namespace);
    const { state } = this.#cluster;
    // Without tokens everybody is management, whom the setting does not concern.
    const refused = state.configuration.RejectJobRegistration && !exchange.caller.management;
    if (refused || this.#cluster.faults.registrationRefused) {
      throw new HttpError(403, "Job registration, dispatch, and scale are disabled by the scheduler configuration");
    }
    refuseInvalid(this.#cluster, job);
    const old = state.jobs.get(jobKey(job.Namespace, job.ID));
    this.#enforce(body, old);
    const kept = body["PreserveCounts"] === true ? keepCounts(job, old) : job;
    exchange.send(this.#write(kept, old, body), state.index);
  };

  #enforce(body: Body, old: Job | undefined): void {
    if (body["EnforceIndex"] !== true) return;
    const wanted = typeof body["JobModifyIndex"] === "number" ? body["JobModifyIndex"] : 0;
    const refused = (why: string) => new HttpError(500, `Enforcing job modify index ${wanted}: ${why}`);
    if (wanted === 0 && old !== undefined) throw refused("job already exists");
    if (wanted !== 0 && old === undefined) throw refused("job does not exist");
    if (old !== undefined && wanted !== old.JobModifyIndex)
      throw refused(`job exists with conflicting job modify index: ${old.JobModifyIndex}`);
  }

  #write(job: Job, old: Job | undefined, body: Body): Body {
    const { state } = this.#cluster;
    const changed = old === undefined || specOf(old) !== specOf(job) || old.Stop;
    const priority = typeof body["EvalPriority"] === "number" && body["EvalPriority"] > 0 ? body["EvalPriority"] : job.Priority;
    return state.commit("JobRegistered", (write) => {
      const version = old === undefined ? 0 : changed ? old.Version + 1 : old.Version;
      const fresh = job.Periodic === null && job.ParameterizedJob === null ? "pending" : "running";
      const status = old === undefined || old.Status === "dead" ? fresh : old.Status;
      const plain = {
        ...job,
        Stop: false,
        Stable: false,
        Status: status,
        StatusDescription: "",
        SubmitTime: state.nowNs(),
        Version: version,
      };
      const written = changed ? write.job(plain, true) : (old ?? plain);
      if (isObject(body["Submission"])) state.submissions.set(`${jobKey(job.Namespace, job.ID)}@${version}`, body["Submission"]);
      const reply = {
        EvalCreateIndex: 0,
        EvalID: "",
        Index: write.index,
        JobModifyIndex: written.JobModifyIndex,
        KnownLeader: false,
        LastContact: 0,
        NextToken: "",
        Warnings: "",
      };
      if (job.Periodic !== null || job.ParameterizedJob !== null) return reply;
      const request = {
        namespace: job.Namespace,
        job: job.ID,
        type: job.Type,
        priority,
        trigger: "job-register",
        jobModifyIndex: written.JobModifyIndex,
      };
      const evaluation = this.#evaluator.create(write, request);
      return { ...reply, EvalID: evaluation.ID, EvalCreateIndex: write.index };
    });
  }

  /** PUT /v1/job/:id/periodic/force: one run of a periodic job now. Its times are not kept. */
  readonly force = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    exchange.allow(exchange.namespace, "submit-job");
    const { state } = this.#cluster;
    const parent = findJob(state, exchange.namespace, exchange.part(0));
    if (parent === undefined) throw new HttpError(404, "job not found");
    if (parent.Periodic === null) throw new HttpError(500, "can't force launch non-periodic job");
    const id = `${parent.ID}/periodic-${Math.floor(state.nowMs() / 1000)}`;
    const child = { ...parent, ID: id, Name: id, ParentID: parent.ID, Periodic: null };
    const { EvalID, EvalCreateIndex, Index } = this.#write(child, undefined, {});
    exchange.send({ EvalCreateIndex, EvalID, Index }, state.index);
  };

  /** POST /v1/job/:id/plan. */
  readonly plan = async (exchange: Exchange): Promise<void> => {
    const body = await exchange.json();
    refuseUnknown(exchange, body, PLAN_KEYS);
    const job = jobOf(exchange, body);
    if (job.ID !== exchange.part(0)) throw new HttpError(400, "Job ID does not match");
    exchange.needLeader();
    exchange.allow(job.Namespace, "submit-job", ...(atLeast(this.#cluster.options.version, "1.11.2") ? ["plan-job", "register-job"] : []));
    refuseInvalid(this.#cluster, job);
    const { state } = this.#cluster;
    const old = state.jobs.get(jobKey(job.Namespace, job.ID));
    const changed = old === undefined || specOf(old) !== specOf(job) || old.Stop;
    const version = old === undefined ? 0 : changed ? old.Version + 1 : old.Version;
    const planned = { ...job, Version: version, CreateIndex: old?.CreateIndex ?? state.index + 1 };
    const evaluation = randomUUID();
    const outcome = decide(this.#cluster, planned, state.allocationsOfJob(job.Namespace, job.ID), evaluation);
    const failed = Object.keys(outcome.failed).length > 0;
    const now = state.nowNs();
    const blocked = {
      CreateTime: now,
      FailedTGAllocs: outcome.failed,
      ID: randomUUID(),
      JobID: job.ID,
      ModifyTime: now,
      Namespace: job.Namespace,
      PreviousEval: evaluation,
      Priority: job.Priority,
      Status: "blocked",
      StatusDescription: "created to place remaining allocations",
      TriggeredBy: "queued-allocs",
      Type: job.Type,
    };
    exchange.send({
      Annotations: { DesiredTGUpdates: outcome.updates, PreemptedAllocs: null },
      CreatedEvals: failed ? [blocked] : null,
      Diff: body["Diff"] === true ? diffJobs(old, planned, outcome.updates) : null,
      FailedTGAllocs: failed ? outcome.failed : null,
      Index: 0,
      JobModifyIndex: old?.JobModifyIndex ?? 0,
      NextPeriodicLaunch: null,
      Warnings: "",
    });
  };

  /** POST /v1/validate/job. */
  readonly validate = async (exchange: Exchange): Promise<void> => {
    const body = await exchange.json();
    const job = jobOf(exchange, body);
    mayRegister(exchange, job.Namespace);
    const errors = checkJob(job, this.#cluster.state.namespaces, this.#cluster.state.nodePools);
    exchange.send({
      DriverConfigValidated: true,
      Error: errors.length === 0 ? "" : multiError(errors),
      ValidationErrors: errors.length === 0 ? null : errors,
      Warnings: "",
    });
  };

  /** GET /v1/jobs. */
  readonly list = async (exchange: Exchange): Promise<void> => {
    const visible = exchange.namespaces("list-jobs");
    const [prefix, meta] = [exchange.query("prefix"), exchange.flag("meta")];
    const { state } = this.#cluster;
    await exchange.blocking(["jobs", "allocs"], () => {
      const jobs = [...state.jobs.values()].filter((job) => visible(job.Namespace) && job.ID.startsWith(prefix));
      const sorted = jobs.sort((left, right) => (left.ID < right.ID ? -1 : 1));
      return {
        index: Math.max(state.tableIndex("jobs"), state.tableIndex("allocs")),
        body: sorted.map((job) => jobStub(job, state, meta)),
      };
    });
  };

  /** GET and POST /v1/jobs/statuses, from 1.8 on. */
  readonly statuses = async (exchange: Exchange): Promise<void> => {
    const visible = exchange.namespaces("list-jobs");
    const body: Body = exchange.method === "GET" ? {} : await exchange.json();
    const listed = body["Jobs"] ?? body["jobs"];
    const wanted = Array.isArray(listed)
      ? new Set(listed.map((one: unknown) => (isObject(one) ? String(one["ID"] ?? one["id"]) : "")))
      : undefined;
    const { state } = this.#cluster;
    const prefix = exchange.query("prefix");
    await exchange.blocking(["jobs", "allocs", "deployments"], () => {
      const jobs = [...state.jobs.values()].filter(
        (job) => visible(job.Namespace) && job.ID.startsWith(prefix) && (wanted === undefined || wanted.has(job.ID)),
      );
      const sorted = jobs.sort((left, right) => right.ModifyIndex - left.ModifyIndex);
      return { index: Math.max(state.tableIndex("jobs"), state.tableIndex("allocs")), body: sorted.map((job) => jobStatus(job, state)) };
    });
  };

  /** GET /v1/job/:id. */
  readonly read = async (exchange: Exchange): Promise<void> => {
    exchange.allow(exchange.namespace, "read-job");
    const id = exchange.part(0);
    await exchange.blocking(
      ["jobs"],
      () => {
        const job = findJob(this.#cluster.state, exchange.namespace, id);
        return job === undefined ? undefined : { index: job.ModifyIndex, body: job };
      },
      "job not found",
    );
  };

  /** DELETE /v1/job/:id. */
  readonly deregister = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    const modern = atLeast(this.#cluster.options.version, "1.11.2");
    const purge = exchange.flag("purge");
    exchange.allow(exchange.namespace, "submit-job", ...(modern ? [purge ? "purge-job" : "deregister-job"] : []));
    const { state } = this.#cluster;
    const job = findJob(state, exchange.namespace, exchange.part(0));
    const reply = {
      EvalCreateIndex: 0,
      EvalID: "",
      Index: 0,
      JobModifyIndex: 0,
      KnownLeader: false,
      LastContact: 0,
      NextToken: "",
      VolumeEvalID: "",
      VolumeEvalIndex: 0,
    };
    if (job === undefined) {
      exchange.send(reply, state.index);
      return;
    }
    const result = state.commit("JobDeregistered", (write) => {
      const written = purge
        ? job
        : write.job({ ...job, Stop: true, Version: job.Stop ? job.Version : job.Version + 1, SubmitTime: state.nowNs() }, true);
      if (purge) {
        // Its allocations go with it at once; their clients end the tasks, and nobody is told how.
        for (const one of state.allocationsOfJob(job.Namespace, job.ID)) write.removeAllocation(one);
        write.removeJob(job);
      }
      // Real servers make it of type "service", whatever the job is: the job may be gone when it is looked at.
      const request = {
        namespace: job.Namespace,
        job: job.ID,
        type: "service",
        priority: job.Priority,
        trigger: "job-deregister",
        jobModifyIndex: write.index,
      };
      const evaluation = this.#evaluator.create(write, request);
      return {
        ...reply,
        EvalCreateIndex: write.index,
        EvalID: evaluation.ID,
        Index: write.index,
        JobModifyIndex: purge ? write.index : written.JobModifyIndex,
      };
    });
    if (purge) for (const agent of this.#cluster.agents.values()) agent.sync();
    exchange.send(result, state.index);
  };

  /** POST /v1/job/:id/scale. */
  readonly scale = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    exchange.allow(exchange.namespace, "scale-job", "submit-job");
    const body = await exchange.json();
    const { state } = this.#cluster;
    const job = findJob(state, exchange.namespace, exchange.part(0));
    if (job === undefined) throw new HttpError(404, `job "${exchange.part(0)}" not found`);
    const target = isObject(body["Target"]) ? String(body["Target"]["Group"] ?? "") : "";
    const groups = job.TaskGroups ?? [];
    if (!groups.some(({ Name }) => Name === target))
      throw new HttpError(400, `task group "${target}" specified for scaling does not exist in job`);
    const count = body["Count"];
    if (typeof count !== "number") {
      // Only a remark in the job's history of scaling.
      const reply = { EvalCreateIndex: 0, EvalID: "", Index: state.index, JobModifyIndex: job.JobModifyIndex, KnownLeader: true };
      exchange.send({ ...reply, LastContact: 0, NextToken: "", Warnings: "" }, state.index);
      return;
    }
    const enforced = body["JobModifyIndex"];
    if (typeof enforced === "number" && enforced !== 0 && enforced !== job.JobModifyIndex) {
      throw new HttpError(
        500,
        `Enforcing job modify index ${enforced}: job exists with conflicting job modify index: ${job.JobModifyIndex}`,
      );
    }
    const result = state.commit("JobRegistered", (write) => {
      const scaled = groups.map((group) => (group.Name === target ? { ...group, Count: count } : group));
      const written = write.job({ ...job, TaskGroups: scaled, Version: job.Version + 1, Stop: false }, true);
      const request = {
        namespace: job.Namespace,
        job: job.ID,
        type: job.Type,
        priority: job.Priority,
        trigger: "job-scaling",
        jobModifyIndex: written.JobModifyIndex,
      };
      const evaluation = this.#evaluator.create(write, request);
      return {
        EvalCreateIndex: write.index,
        EvalID: evaluation.ID,
        Index: write.index,
        JobModifyIndex: written.JobModifyIndex,
        KnownLeader: false,
        LastContact: 0,
        NextToken: "",
        Warnings: "",
      };
    });
    exchange.send(result, state.index);
  };

  /** POST /v1/job/:id/evaluate. */
  readonly evaluate = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    exchange.allow(exchange.namespace, "read-job");
    const { state } = this.#cluster;
    const job = findJob(state, exchange.namespace, exchange.part(0));
    if (job === undefined) throw new HttpError(404, "job not found");
    const result = state.commit("JobRegistered", (write) => {
      const request = {
        namespace: job.Namespace,
        job: job.ID,
        type: job.Type,
        priority: job.Priority,
        trigger: "job-register",
        jobModifyIndex: job.JobModifyIndex,
      };
      const evaluation = this.#evaluator.create(write, request);
      refreshJob(this.#cluster, write, job.Namespace, job.ID);
      return {
        EvalCreateIndex: write.index,
        EvalID: evaluation.ID,
        Index: write.index,
        JobModifyIndex: job.JobModifyIndex,
        KnownLeader: false,
        LastContact: 0,
        NextToken: "",
        Warnings: "",
      };
    });
    exchange.send(result, state.index);
  };

  /** GET /v1/job/:id/{allocations,evaluations,versions,summary,deployments,deployment,submission,services,actions}. */
  readonly part = async (exchange: Exchange): Promise<void> => {
    exchange.allow(exchange.namespace, "read-job");
    const [id, what] = [exchange.part(0), exchange.part(1)];
    const { state } = this.#cluster;
    const { namespace } = exchange;
    switch (what) {
      case "allocations":
        return exchange.blocking(["allocs"], () => {
          const found = state.allocationsOfJob(namespace, id);
          const job = findJob(state, namespace, id);
          // Those of an earlier job of the same name, which was purged, are shown only with `all`.
          const shown = exchange.flag("all") || job === undefined ? found : found.filter((one) => one.Job.CreateIndex === job.CreateIndex);
          return { index: state.tableIndex("allocs"), body: shown.map((one) => allocationStub(one)) };
        });
      case "evaluations":
        return exchange.blocking(["evals"], () => ({
          index: state.tableIndex("evals"),
          body: state.evaluationsOfJob(namespace, id).map(wireEvaluation),
        }));
      case "versions":
        return exchange.blocking(
          ["jobs"],
          () => {
            const versions = state.versions.get(jobKey(namespace, id));
            return versions === undefined ? undefined : { index: state.tableIndex("jobs"), body: { Diffs: null, Versions: versions } };
          },
          "job versions not found",
        );
      case "summary":
        return exchange.blocking(
          ["jobs", "allocs"],
          () => {
            const job = findJob(state, namespace, id);
            return job === undefined ? undefined : { index: state.index, body: jobSummary(job, state) };
          },
          "job not found",
        );
      case "deployments":
      case "deployment":
        return exchange.blocking(["deployments"], () => {
          const found = [...state.deployments.values()].filter(({ JobID, Namespace }) => JobID === id && Namespace === namespace);
          return { index: state.tableIndex("deployments"), body: what === "deployment" ? (found.at(-1) ?? null) : found };
        });
      case "services":
        return exchange.blocking(["services"], () => {
          const found = [...state.services.values()].filter(({ JobID, Namespace }) => JobID === id && Namespace === namespace);
          return { index: state.tableIndex("services"), body: found };
        });
      case "submission": {
        if (exchange.query("version") === "") throw new HttpError(400, "Unable to parse job submission version parameter");
        const version = Number(exchange.query("version"));
        const found = state.submissions.get(`${jobKey(namespace, id)}@${version}`);
        if (found === undefined) throw new HttpError(404, "job source not found");
        exchange.send(found, state.index);
        return;
      }
      case "actions": {
        const job = findJob(state, namespace, id);
        if (job === undefined) throw new HttpError(404, "job not found");
        const actions = (job.TaskGroups ?? []).flatMap((group) =>
          group.Tasks.flatMap((task) =>
            (task.Actions ?? []).map((action) => ({ ...action, TaskName: task.Name, TaskGroupName: group.Name })),
          ),
        );
        exchange.send(actions, state.index);
        return;
      }
      default:
        throw new HttpError(404, "Invalid URL");
    }
  };
}

function keepCounts(job: Job, old: Job | undefined): Job {
  const groups = job.TaskGroups?.map((group) => {
    const before = old?.TaskGroups?.find(({ Name }) => Name === group.Name);
    return before === undefined ? group : { ...group, Count: before.Count };
  });
  return { ...job, TaskGroups: groups ?? null };
}
