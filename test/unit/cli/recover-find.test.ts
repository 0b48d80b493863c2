/** What is found of lost pipelines beside their checkpoints: whole ones, ones that never completed an epoch, and broken ones, which are named. */
import { expect } from "chai";
import { takeOver } from "../../../src/checkpoint/completion.ts";
import { descriptionPath, type JobDescription, readDescription, writeDescription } from "../../../src/checkpoint/description.ts";
import { completionPath } from "../../../src/checkpoint/paths.ts";
import { findJobs } from "../../../src/cli/recover/find.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";

function description(id: string): JobDescription {
  return {
    pipeline: {
      id: `pl_${id}`,
      name: `pipeline ${id}`,
      slug: id,
      query: "SELECT 1",
      udfs: [],
      program: "{}",
      program_version: 1,
      program_fingerprint: "00",
      state_url: null,
      tags: {},
      created_by: "",
      created_at: "2026-01-01T00:00:00.000000Z",
    },
    job: {
      id,
      desired_parallelism: 2,
      desired_checkpoint_interval_us: 10_000_000,
      desired_env_vars: {},
      desired_scheduler_config: {},
      desired_build: "",
      desired_ignore_state_before_epoch: null,
      created_at: "2026-01-01T00:00:00.000000Z",
    },
    profiles: [],
    tables: [],
    udfs: [],
  };
}

describe("finding lost pipelines", () => {
  let store: MemoryStore;
  beforeEach(() => {
    store = new MemoryStore("recover");
  });

  it("gives back the description that was written", async () => {
    await writeDescription(store, description("job_one"));
    expect(await readDescription(store, "job_one")).to.deep.equal(description("job_one"));
    expect(await readDescription(store, "job_two")).to.equal(undefined);
  });

  it("takes a job that never completed an epoch, with a word about it", async () => {
    await writeDescription(store, description("job_one"));
    await takeOver(store, "job_one", { fence: 3n, run: "run_oner3" }, undefined);
    const [found, ...others] = await findJobs(store, "memory://recover");
    expect(others).to.deep.equal([]);
    expect(found?.refused).to.equal(undefined);
    expect(found?.record?.fence).to.equal(3n);
    expect(found?.notes).to.deep.equal(["no epoch was complete: it begins anew"]);
  });

  it("names what is broken and goes on with the others", async () => {
    for (const id of ["job_a", "job_b", "job_c"]) await writeDescription(store, description(id));
    await takeOver(store, "job_d", { fence: 1n, run: "run_dr1" }, undefined);
    const flipped = await store.get(descriptionPath("job_a"));
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    await store.put(descriptionPath("job_a"), flipped);
    await store.put(completionPath("job_b"), new TextEncoder().encode("{}"));
    const found = await findJobs(store, "memory://recover");
    const refused = new Map(found.map((job) => [job.id, job.refused]));
    expect(refused.get("job_a")).to.match(/checkpoints\/job_a\/description/);
    expect(refused.get("job_b")).to.match(/checkpoints\/job_b\/latest/);
    expect(refused.get("job_c")).to.equal(undefined);
    expect(refused.get("job_d")).to.match(/no description/);
  });
});
