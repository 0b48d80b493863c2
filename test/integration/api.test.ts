/**
 * The REST API with nothing but a database: every route of its own document is called, answers have the shapes that the document promises, and
 * what the controller would read is in the database.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { requestLogTail, writeTailChunk } from "../../src/db/log-tails.ts";
import { onBothDatabases } from "../support/api-databases.ts";
import type { ApiStage } from "../support/api-stage.ts";
import {
  answerLog,
  markRunning,
  RUN_FENCE,
  unknownUuid,
  writeCheckpoint,
  writeRows,
  writeSample,
  writeScheduled,
  writeTimeline,
  writeWorker,
} from "../support/job-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t WHERE counter % 2 = 0;";
const folder = temporaryFolder("api-files");

/** A pipeline whose job is in `state`. */
async function createPipeline(stage: ApiStage, state?: string) {
  const pipeline = await stage.ok("POST", "/pipelines", { name: "evens", query: IMPULSE, parallelism: 2 });
  if (state !== undefined) await stage.db("jobs").where({ id: pipeline.job_id }).update({ state });
  return { ...pipeline, job: `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}` };
}

async function walkPipelines(stage: ApiStage): Promise<void> {
  const { id } = await createPipeline(stage);
  await stage.ok("GET", "/pipelines");
  await stage.ok("GET", `/pipelines/${id}`);
  await stage.ok("POST", "/pipelines/validate_query", { query: IMPULSE });
  await stage.ok("POST", "/pipelines/preview", { query: IMPULSE });
  await stage.ok("PATCH", `/pipelines/${id}`, { stop: "checkpoint" });
  await stage.ok("PUT", `/pipelines/${id}`, { parallelism: 3 });
  await stage.ok("POST", `/pipelines/${id}/restart`, {});
  await stage.db("jobs").update({ state: "stopped" });
  await stage.ok("DELETE", `/pipelines/${id}`);
}

async function walkJobs(stage: ApiStage): Promise<void> {
  const { id, job, job_id: jobId } = await createPipeline(stage);
  await markRunning(stage.db, jobId);
  await writeTimeline(stage.db, jobId);
  await writeCheckpoint(stage.db, jobId, 1);
  await writeWorker(stage.db, jobId, "wk_1");
  await writeSample(stage.db, jobId, 4);
  await writeRows(stage.db, jobId, 3, 0, 2);
  await stage.ok("GET", "/jobs");
  await stage.ok("GET", `/pipelines/${id}/jobs`);
  for (const part of ["errors", "events", "checkpoints", "workers", "operator_metric_groups", "explain_output"]) {
    await stage.ok("GET", `${job}/${part}`);
  }
  await stage.ok("GET", `${job}/checkpoints/1/operator_checkpoint_groups`);
  await stage.stream("GET", `${job}/output`, { until: (events) => events.length > 0 });
  const log = await stage.ok("POST", `${job}/logs`, { worker_id: "wk_1" });
  await answerLog(stage.db, log.id, "a line\n");
  expect((await stage.ok("GET", `${job}/logs/${log.id}`)).chunks).to.deep.equal([{ offset: 0, text: "a line\n", last: true }]);
}

async function walkScheduler(stage: ApiStage): Promise<void> {
  const { job_id: job } = await createPipeline(stage);
  await markRunning(stage.db, job);
  await writeTimeline(stage.db, job);
  await writeWorker(stage.db, job, "wk_2");
  await writeScheduled(stage.db, job);
  for (const path of ["", "/runs?current=true", `/runs/${job}/1`, "/nodes", "/services", "/timeline"])
    await stage.ok("GET", `/scheduler${path}`);
  await stage.ok("GET", "/metrics/targets");
  const tail = { worker: "wk_2", stream: "stderr" } as const;
  await requestLogTail(stage.db, job, tail, 60_000);
  await writeTailChunk(stage.db, tail, { offset: 0, nextOffset: 6, text: "a line\n" }, 10);
  await stage.stream("GET", "/scheduler/workers/wk_2/logs", { until: (events) => events.length > 0 });
  await stage.stream("GET", `/scheduler/runs/${job}/1/logs`, { until: (events) => events.length > 0 });
}

async function walkConnections(stage: ApiStage): Promise<void> {
  await stage.ok("GET", "/connectors");
  const profile = { name: "broker", connector: "broker", config: { servers: "a:1", password: "{{ BROKER_PASSWORD }}" } };
  await stage.ok("POST", "/connection_profiles/test", profile);
  const { id } = await stage.ok("POST", "/connection_profiles", profile);
  await stage.ok("GET", "/connection_profiles");
  await stage.ok("GET", `/connection_profiles/${id}/autocomplete`);
  const schema = { format: { type: "json" }, fields: [{ name: "x", type: "int64" }] };
  await stage.ok("POST", "/connection_tables/schemas/test", schema);
  const table = { name: "topic_a", connector: "broker", connection_profile_id: id, config: { topic: "a", type: "source" }, schema };
  await stage.stream("POST", "/connection_tables/test", { body: table });
  const made = await stage.ok("POST", "/connection_tables", table);
  await stage.ok("GET", "/connection_tables");
  await stage.ok("DELETE", `/connection_tables/${made.id}`);
  await stage.ok("DELETE", `/connection_profiles/${id}`);
}

async function walkOthers(stage: ApiStage): Promise<void> {
  for (const path of ["/ping", "/cluster", "/nodes", "/udfs", "/api_keys", "/api-docs/openapi.json"]) await stage.ok("GET", path);
  const definition = "export function double_it(x: bigint): bigint { return 2n * x; }";
  await stage.ok("POST", "/udfs/validate", { definition });
  const udf = await stage.ok("POST", "/udfs", { prefix: "math", definition });
  await stage.ok("DELETE", `/udfs/${udf.id}`);
  const key = await stage.ok("POST", "/api_keys", { name: "ci", role: "viewer" });
  await stage.ok("DELETE", `/api_keys/${key.id}`);
}

onBothDatabases(
  "the API",
  (stage) => {
    it("answers every route of its own document, each in the shape that it promises", async () => {
      const api = stage();
      await walkPipelines(api);
      await walkJobs(api);
      await walkScheduler(api);
      await walkConnections(api);
      await walkOthers(api);
      const { paths } = await api.ok("GET", "/api-docs/openapi.json");
      const documented = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path.replace("/api/v1", "")}`),
      );
      expect(documented.length).to.be.greaterThan(35);
      expect([...api.visited].sort()).to.deep.equal(documented.sort());
    });

    it("stores a pipeline as the controller reads it, and answers as Arroyo does", async () => {
      const api = stage();
      const body = {
        name: "Évens ÷ 2!",
        query: IMPULSE,
        parallelism: 4,
        checkpoint_interval_micros: 2_000_000,
        udfs: null,
        tags: { team: "a" },
        env_vars: { LEVEL: "debug" },
        scheduler_config: { cpu: 2 },
      };
      const pipeline = await api.ok("POST", "/pipelines", body);
      expect(pipeline).to.include({
        name: body.name,
        query: IMPULSE,
        stop: "none",
        preview: false,
        state_url: null,
        checkpoint_interval_micros: 2_000_000,
      });
      expect(pipeline).to.include({ action: "checkpoint", action_text: "Stop", action_in_progress: true });
      expect(pipeline.id).to.match(/^pl_[a-z0-9]{16}$/);
      expect(pipeline.created_at).to.be.within((Date.now() - 60_000) * 1_000, (Date.now() + 60_000) * 1_000);
      const { nodes, edges } = pipeline.graph;
      expect(nodes.map((node: { operator: string }) => node.operator)).to.deep.equal([
        "impulse_source",
        "compute",
        "encode",
        "preview_sink",
      ]);
      expect(nodes.map((node: { parallelism: number }) => node.parallelism)).to.deep.equal([4, 4, 4, 1]);
      expect(edges.map((edge: { edge_type: string }) => edge.edge_type)).to.deep.equal(["Forward", "Forward", "Gather"]);
      const [row] = await api.db("pipelines").select("slug", "program_fingerprint", "tags", "program_version");
      expect(row).to.deep.include({ slug: "evens-2", tags: { team: "a" }, program_version: 1 });
      const [job] = await api.db("jobs").select("*");
      expect(job).to.deep.include({
        desired_parallelism: 4,
        desired_env_vars: { LEVEL: "debug" },
        desired_scheduler_config: { cpu: 2 },
        ttl_us: null,
      });
      expect(job.desired_checkpoint_interval_us).to.equal(2_000_000n);
    });

    it("writes wishes with a growing revision, and refuses what Arroyo refuses", async () => {
      const api = stage();
      const { id } = await createPipeline(api);
      await api.ok("PATCH", `/pipelines/${id}`, { stop: "graceful", parallelism: 7, checkpoint_interval_micros: 5_000_000 });
      const [job] = await api.db("jobs").select("*");
      expect(job).to.include({ desired_stop: "graceful", desired_parallelism: 7 });
      expect(job.desired_revision).to.equal(2n);
      await api.refused(400, "DELETE", `/pipelines/${id}`, {}, "must have stopped, finished or failed");
      await api.refused(409, "POST", `/pipelines/${id}/restart`, { body: { ignore_state: true } }, "only a stopped or failed one");
      await api.db("jobs").update({ state: "failed", desired_stop: "none", epoch: 4 });
      await writeCheckpoint(api.db, job.id, 6);
      await api.ok("POST", `/pipelines/${id}/restart`, { ignore_state: true, force: true });
      const [restarted] = await api.db("jobs").select("*");
      expect(restarted).to.include({ desired_restart_nonce: 1, desired_restart_mode: "force", desired_stop: "none" });
      expect(restarted.desired_ignore_state_before_epoch).to.equal(7n);
      await api.db("jobs").update({ state: "finished" });
      await api.refused(409, "POST", `/pipelines/${id}/restart`, { body: {} }, "has finished");
      await api.ok("DELETE", `/pipelines/${id}`);
      for (const method of ["GET", "DELETE"]) await api.refused(404, method, `/pipelines/${id}`, {}, id);
      await api.refused(404, "PATCH", `/pipelines/${id}`, { body: { stop: "none" } }, id);
      expect((await api.ok("GET", "/pipelines")).data).to.deep.equal([]);
      expect(await api.db("jobs").pluck("desired_stop")).to.deep.equal(["immediate"]);
    });

    it("pages lists by the last id, also when that entry was deleted meanwhile, and leaves previews out", async () => {
      const api = stage();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.push((await api.ok("POST", "/pipelines", { name: `p${i}`, query: IMPULSE })).id);
      const preview = await api.ok("POST", "/pipelines/preview", { query: IMPULSE });
      ids.reverse();
      const first = await api.ok("GET", "/pipelines?limit=2");
      expect(first).to.include({ has_more: true, hasMore: true });
      expect(first.data.map((p: { id: string }) => p.id)).to.deep.equal(ids.slice(0, 2));
      await api.db("jobs").where({ pipeline_id: ids[1] }).update({ state: "stopped" });
      await api.ok("DELETE", `/pipelines/${ids[1]}`);
      const second = await api.ok("GET", `/pipelines?limit=3&starting_after=${ids[1]}`);
      expect(second.data.map((p: { id: string }) => p.id)).to.deep.equal(ids.slice(2));
      expect(second.has_more).to.equal(false);
      expect((await api.ok("GET", "/jobs")).data).to.have.length(4);
      expect((await api.ok("GET", `/pipelines/${preview.id}`)).preview).to.equal(true);
      for (const limit of ["0", "-1", "1001", "x", "9999999999"])
        await api.refused(400, "GET", `/pipelines?limit=${limit}`, {}, '"limit" must be an integer');
      await api.refused(400, "GET", "/pipelines?limit=1&limit=2", {}, '"limit" is given 2 times');
      expect((await api.ok("GET", "/pipelines?starting_after=pl_nothing")).data).to.deep.equal([]);
    });

    it("replaces the sinks of a preview, which ends after a minute, unless they are enabled", async () => {
      const api = stage();
      const sink = `CREATE TABLE o (counter BIGINT) WITH (connector = 'single_file', path = '${folder}/out.json', format = 'json', type = 'sink');`;
      const query = `${IMPULSE.split(";")[0]}; ${sink} INSERT INTO o SELECT counter FROM t;`;
      const operators = (pipeline: { graph: { nodes: { operator: string }[] } }) => pipeline.graph.nodes.at(-1)?.operator;
      const shown = await api.ok("POST", "/pipelines/preview", { query });
      expect(operators(shown)).to.equal("preview_sink");
      const real = await api.ok("POST", "/pipelines/preview", { query, enable_sinks: true });
      expect(operators(real)).to.equal("single_file_sink");
      expect(await api.db("jobs").pluck("ttl_us")).to.deep.equal([60_000_000n, 60_000_000n]);
      await api.refused(409, "POST", `/pipelines/${shown.id}/restart`, { body: {} }, "preview");
      await api.refused(409, "PATCH", `/pipelines/${shown.id}`, { body: { stop: "none" } }, "preview");
    });

    it("says every mistake in a query at its place, and plans nothing then", async () => {
      const api = stage();
      const query = "SELECT a FROM nowhere;\nSELECT 1 +;";
      const checked = await api.ok("POST", "/pipelines/validate_query", { query });
      expect(checked.graph).to.equal(null);
      expect(checked.errors.length).to.be.greaterThan(0);
      expect(checked.errors.at(-1).span.start.line).to.equal(2);
      const refusal = await api.refused(
        400,
        "POST",
        "/pipelines",
        { body: { name: "x", query: "SELECT a FROM nowhere" } },
        "nowhere",
        "line 1, column 15",
      );
      expect(refusal.code).to.equal("invalid-sql");
      expect(refusal.diagnostics[0]).to.include({ code: "unknown-table" });
      await api.refused(400, "POST", "/pipelines", { body: { name: "x", query: "EXPLAIN SELECT 1" } }, "query:");
      expect(await api.db("pipelines").pluck("id")).to.deep.equal([]);
    });

    it("keeps file connectors inside of the configured directories, in queries and tables", async () => {
      const api = stage();
      const source = (path: string) =>
        `CREATE TABLE f (x BIGINT) WITH (connector = 'single_file', path = '${path}', format = 'json', type = 'source'); SELECT * FROM f`;
      await api.refused(400, "POST", "/pipelines", { body: { name: "x", query: source("/etc/passwd") } }, 'may not reach "/etc/passwd"');
      await api.refused(400, "POST", "/pipelines", { body: { name: "x", query: source(`${folder}/../../etc/passwd`) } }, "may not reach");
      const table = {
        name: "f",
        connector: "single_file",
        config: { type: "source", path: "/etc/passwd" },
        schema: { format: { type: "json" }, fields: [{ name: "x", type: "int64" }] },
      };
      await api.refused(400, "POST", "/connection_tables", { body: table }, 'may not reach "/etc/passwd"');
      const events = await api.stream("POST", "/connection_tables/test", { body: table });
      expect(events.map((event) => event.data)).to.deep.equal([
        { error: true, done: true, message: 'table "f" may not reach "/etc/passwd"' },
      ]);
    });

    it("lets queries use connection tables by name, and keeps a used table from being deleted", async () => {
      const api = stage();
      const path = join(folder, "orders.json");
      writeFileSync(path, '{"id":1,"at":"2024-05-01T00:00:00Z"}\n{"id":"x","at":null}\n');
      const schema = {
        format: { type: "json" },
        bad_data: { behavior: "drop" },
        fields: [
          { name: "id", type: "int64", required: true },
          { name: "at", type: "timestamp", unit: "nanosecond" },
          { name: 'odd "name', type: "struct", fields: [{ name: "a", type: "f64" }] },
        ],
      };
      const table = { name: "Orders", connector: "single_file", config: { type: "source", path, event_time_field: "at" }, schema };
      const tried = await api.stream("POST", "/connection_tables/test", { body: table });
      expect(tried.map((event) => event.data.message).join("\n")).to.contain('row 2 field "id" must be an integer of 64 bits, not "x"');
      expect(tried.at(-1)?.data).to.include({ done: true, error: true });
      const made = await api.ok("POST", "/connection_tables", table);
      expect(made).to.include({ name: "Orders", table_type: "source", consumers: 0, connection_profile: null });
      expect(made.schema.fields[2].sql_name).to.equal('STRUCT<"a" DOUBLE>');
      await api.refused(400, "POST", "/connection_tables", { body: { ...table, name: "ORDERS" } }, "already exists");
      const query = '-- a comment\nSELECT id, "odd ""name".a FROM orders WHERE idd > 1';
      const [problem] = (await api.ok("POST", "/pipelines/validate_query", { query })).errors;
      expect(problem.span.start).to.include({ line: 2, offset: query.indexOf("idd") });
      const pipeline = await api.ok("POST", "/pipelines", { name: "p", query: query.replace("idd", "id") });
      expect(pipeline.graph.nodes[0]).to.include({ operator: "single_file_source", table: "Orders" });
      expect((await api.ok("GET", "/connection_tables")).data[0].consumers).to.equal(1);
      await api.refused(400, "DELETE", `/connection_tables/${made.id}`, {}, "still used by pipelines");
      await api.db("jobs").update({ state: "stopped" });
      await api.ok("DELETE", `/pipelines/${pipeline.id}`);
      await api.ok("DELETE", `/connection_tables/${made.id}`);
      await api.refused(404, "DELETE", `/connection_tables/${made.id}`, {}, made.id);
      // A table of the script hides one with the same name.
      await api.ok("POST", "/connection_tables", table);
      const own = await api.ok("POST", "/pipelines/validate_query", { query: IMPULSE.replaceAll(" t", " orders") });
      expect(own.errors).to.deep.equal([]);
    });

    it("takes secrets by reference only, and keeps a used profile", async () => {
      const api = stage();
      const profile = { name: "broker", connector: "broker", config: { servers: "a:1", password: "hunter2" } };
      await api.refused(400, "POST", "/connection_profiles", { body: profile }, '"config.password" is a secret');
      expect(await api.ok("POST", "/connection_profiles/test", profile)).to.include({ error: true, done: true });
      const good = { ...profile, config: { servers: "a:1", password: "{{ BROKER_PASSWORD }}" } };
      const { id, config } = await api.ok("POST", "/connection_profiles", good);
      expect(config).to.deep.equal(good.config);
      await api.refused(400, "POST", "/connection_profiles", { body: good }, "already exists");
      const table = {
        name: "a",
        connector: "broker",
        config: { topic: "a", type: "source" },
        schema: { format: { type: "json" }, fields: [{ name: "x", type: "int64" }] },
      };
      await api.refused(400, "POST", "/connection_tables", { body: table }, '"connection_profile_id" is missing');
      const made = await api.ok("POST", "/connection_tables", { ...table, connection_profile_id: id });
      expect(made.create_sql).to.contain("'password' = '{{ BROKER_PASSWORD }}'");
      await api.refused(400, "DELETE", `/connection_profiles/${id}`, {}, "still used by connection tables");
      // As if written by hand or by another release.
      await api.db("connection_profiles").update({ config: JSON.stringify({ servers: "a:1", password: "hunter2" }) });
      const answers = [await api.call("GET", "/connection_profiles"), await api.call("GET", "/connection_tables")];
      expect(answers[0]?.body.data[0].config).to.deep.equal({ servers: "a:1", password: "********" });
      expect(answers[0]?.text).not.to.contain("hunter2");
    });

    it("keeps functions with their signatures; a query may call them, and bring its own", async () => {
      const api = stage();
      const definition =
        "export function shout(x: string | null, n: number): string | null { return x === null ? null : x.toUpperCase() + n; }";
      const made = await api.ok("POST", "/udfs", { prefix: "text/case", definition, description: "louder" });
      expect(made).to.include({ name: "shout", prefix: "text/case", language: "typescript", dylib_url: null });
      expect(made.signature).to.deep.equal({
        parameters: [
          { name: "x", type: "TEXT", nullable: true },
          { name: "n", type: "DOUBLE", nullable: false },
        ],
        result: { type: "TEXT", nullable: true },
      });
      await api.refused(400, "POST", "/udfs", { body: { definition: definition.replace("shout", "Shout") } }, "already exists");
      await api.refused(400, "POST", "/udfs", { body: { definition, language: "rust" } }, '"language" must be "typescript"');
      const bad = await api.ok("POST", "/udfs/validate", { definition: "export function f(x: bigint): bigint {\n  return x + 1;\n}" });
      expect(bad.problems[0]).to.include({ line: 2 });
      expect(bad).to.include({ udf_name: null, signature: null });
      const two = await api.ok("POST", "/udfs/validate", { definition: `${definition}\nexport function g(): bigint { return 1n; }` });
      expect(two.errors[0]).to.contain("exactly one is needed");
      const call = (name: string) => `CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT ${name}('a', 1.5) AS s FROM t`;
      expect((await api.ok("POST", "/pipelines/validate_query", { query: call("shout") })).errors).to.deep.equal([]);
      expect((await api.ok("POST", "/pipelines/validate_query", { query: call("whisper") })).errors[0]).to.include({
        code: "unknown-function",
      });
      const local = { definition: definition.replace("shout", "whisper"), language: "typescript" };
      const pipeline = await api.ok("POST", "/pipelines", { name: "p", query: call("whisper"), udfs: [local] });
      expect(pipeline.udfs).to.deep.equal([local]);
      await api.refused(400, "POST", "/pipelines", { body: { name: "p", query: call("whisper"), udfs: [local, local] } }, "defined twice");
      await api.refused(
        400,
        "POST",
        "/pipelines",
        { body: { name: "p", query: call("f"), udfs: [{ definition: "export const f = 1;" }] } },
        "udfs.0.definition",
      );
    });

    it("shows errors, timeline, checkpoints, workers and metrics of a job as Arroyo does", async () => {
      const api = stage();
      const { job, job_id: jobId } = await createPipeline(api);
      await markRunning(api.db, jobId);
      await writeTimeline(api.db, jobId);
      await writeCheckpoint(api.db, jobId, 3);
      await writeSample(api.db, jobId, 4);
      const errors = await api.ok("GET", `${job}/errors`);
      expect(errors.data).to.have.length(1);
      expect(errors.data[0]).to.include({
        created_at: 2_000_000,
        operator_id: "1",
        task_index: 0,
        level: "error",
        details: "worker: wk_1",
        error_domain: "external",
      });
      const page = await api.ok("GET", `${job}/events?limit=1`);
      expect(page.data[0].kind).to.equal("worker-lost");
      const next = await api.ok("GET", `${job}/events?limit=1&starting_after=${page.data[0].id}`);
      expect(next.data[0]).to.deep.include({ kind: "state-changed", details: { from: "scheduling" }, run_id: Number(RUN_FENCE) });
      await api.refused(400, "GET", `${job}/errors?starting_after=pl_1`, {}, "starting_after");
      const [checkpoint] = (await api.ok("GET", `${job}/checkpoints`)).data;
      expect(checkpoint).to.include({
        epoch: 3,
        backend: "file",
        checkpoint_type: "scheduled",
        start_time: 1_000_000,
        finish_time: 1_500_000,
      });
      expect(checkpoint.events.map((event: { event: string }) => event.event)).to.deep.equal(["Checkpointing", "WritingMetadata"]);
      const [operator] = (await api.ok("GET", `${job}/checkpoints/3/operator_checkpoint_groups`)).data;
      expect(operator).to.include({ operator_id: "1", bytes: 100, finish_time: 1_200_500 });
      await api.refused(404, "GET", `${job}/checkpoints/4/operator_checkpoint_groups`, {}, "checkpoint");
      await api.refused(400, "GET", `${job}/checkpoints/x/operator_checkpoint_groups`, {}, "epoch");
      const groups = (await api.ok("GET", `${job}/operator_metric_groups`)).data;
      expect(groups.map((group: { node_id: number }) => group.node_id)).to.deep.equal([0, 1, 2, 3]);
      const received = groups[0].metric_groups.find((group: { name: string }) => group.name === "messages_recv");
      expect(received.subtasks[0].metrics[0].value).to.equal(5);
      await api.refused(404, "GET", `/pipelines/pl_other/jobs/${jobId}/errors`, {}, "pl_other");
      await api.refused(404, "GET", `${job.replace(jobId, "job_other")}/errors`, {}, "job_other");
      await api.refused(404, "POST", `${job}/logs`, { body: { worker_id: "wk_other" } }, "wk_other");
      await api.refused(404, "GET", `${job}/logs/${unknownUuid()}`, {}, "log request");
      await api.refused(400, "GET", `${job}/logs/1`, {}, "request_id");
    });

    it("creates any number of pipelines at once, and one of several things with one name", async () => {
      const api = stage();
      const pipelines = await Promise.all(
        Array.from({ length: 12 }, (_, i) => api.ok("POST", "/pipelines", { name: `p${i % 3}`, query: IMPULSE })),
      );
      expect(new Set(pipelines.map((p) => p.id)).size).to.equal(12);
      const table = { name: "same", connector: "impulse", config: { event_rate: 10 } };
      const made = await Promise.all(Array.from({ length: 6 }, () => api.call("POST", "/connection_tables", { body: table })));
      expect(made.map((answer) => answer.status).sort()).to.deep.equal([200, 400, 400, 400, 400, 400]);
    });

    it("serves its document, and names every route's shapes in it", async () => {
      const api = stage();
      const document = (await api.call("GET", "/api-docs/openapi.json", { token: null })).body;
      expect(document.openapi).to.equal("3.1.0");
      const references = new Set(JSON.stringify(document).match(/#\/components\/schemas\/\w+/g));
      expect(references.size).to.be.greaterThan(40);
      for (const reference of references)
        expect(document.components.schemas, reference).to.have.property(reference.split("/").at(-1) ?? "");
    });

    it("serves the UI's files, its page for the UI's own paths, and nothing outside", async () => {
      const api = stage();
      const page = await api.raw("GET", "/pipelines/pl_1", { token: null });
      expect(page.status).to.equal(200);
      expect(page.text).to.equal("<p>ui</p>");
      expect(page.headers["content-security-policy"]).to.contain("script-src 'self'").and.not.contain("script-src 'self' 'unsafe-inline'");
      expect(page.headers["cache-control"]).to.equal("no-cache");
      const file = await api.raw("GET", "/assets/app-12345678.js", { token: null });
      expect(file.headers).to.include({
        "cache-control": "public, max-age=31536000, immutable",
        "content-type": "text/javascript; charset=utf-8",
      });
      const accepting = (accepts: string) =>
        api.raw("GET", "/assets/app-12345678.js", { token: null, headers: { "accept-encoding": accepts } });
      const [brotli, gzip, plain] = [await accepting("gzip, br"), await accepting("br;q=0, gzip"), await accepting("identity")];
      expect([brotli, gzip, plain].map(({ text }) => text)).to.deep.equal(["brotli", "gzip", "1;"]);
      expect(brotli.headers).to.include({ "content-encoding": "br", "content-length": "6", vary: "accept-encoding" });
      expect(gzip.headers).to.include({ "content-encoding": "gzip", "content-type": "text/javascript; charset=utf-8" });
      expect(plain.headers).not.to.have.property("content-encoding");
      for (const path of ["/missing.js", "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%00.js", "/%zz.js"]) {
        const answer = await api.raw("GET", path, { token: null });
        expect([400, 404], path).to.include(answer.status);
        expect(answer.text).not.to.contain("secret words");
      }
      expect((await api.raw("POST", "/", { token: null, body: {} })).status).to.equal(405);
    });

    it("counts its requests", async () => {
      const api = stage();
      await api.ok("GET", "/jobs");
      expect(await api.metrics.metrics()).to.match(/wadi_api_requests_total\{method="GET",status="2xx"\} \d/);
    });
  },
  () => {
    const ui = join(folder, "ui");
    mkdirSync(join(ui, "assets"), { recursive: true });
    writeFileSync(join(ui, "index.html"), "<p>ui</p>");
    writeFileSync(join(ui, "assets", "app-12345678.js"), "1;");
    writeFileSync(join(ui, "assets", "app-12345678.js.br"), "brotli");
    writeFileSync(join(ui, "assets", "app-12345678.js.gz"), "gzip");
    writeFileSync(join(folder, "secret.txt"), "secret words");
    return {
      env: { WADI__CONNECTORS__FILE__ROOTS: folder },
      connectorModule: new URL("../support/profile-connector.ts", import.meta.url).href,
      uiFolder: ui,
    };
  },
);
