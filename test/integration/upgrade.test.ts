/** `wadi upgrade plan|apply|rollback` against an API that moves pipelines as the controller does: one comes up, one is taken back. */

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { ApiClient } from "../../src/cli/api-client.ts";
import { applyUpgrade, planUpgrade, rollbackUpgrade, type UpgradePlan } from "../../src/cli/commands/upgrade.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface FakePipeline {
  readonly id: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly state: string;
  /** Whether a new build comes up. */
  readonly good: boolean;
  build: string;
  running: string;
  rejected: string | null;
  epoch: number;
}

function pipeline(id: string, more: Partial<FakePipeline> = {}): FakePipeline {
  return { id, name: id.slice(3), tags: {}, state: "Running", good: true, build: "", running: "", rejected: null, epoch: 5, ...more };
}

/** An API with these pipelines. */
async function startApi(pipelines: readonly FakePipeline[]) {
  const patches: string[] = [];
  const patch = (one: FakePipeline, build: string): void => {
    patches.push(`${one.name} ${build}`);
    one.build = build;
    if (one.good || build === "") Object.assign(one, { running: build, rejected: null });
    else one.rejected = build;
  };
  const shown = (one: FakePipeline) => ({ ...one, preview: false, worker_build: one.build });
  const job = (one: FakePipeline) => ({
    ...one,
    run_id: 1,
    worker_build: one.build,
    running_worker_build: one.running,
    rejected_worker_build: one.rejected,
    failure_reason: null,
  });
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const one = pipelines.find(({ id }) => (request.url ?? "").includes(id));
    if (one === undefined) return { data: pipelines.map(shown), has_more: false };
    if (request.method !== "PATCH") {
      if (request.url?.endsWith("/jobs") !== true) return shown(one);
      one.epoch += 1;
      return { data: [job(one)] };
    }
    const body = JSON.parse((await request.toArray()).join("")) as { worker_build: string };
    patch(one, body.worker_build);
    return shown(one);
  };
  const server = createServer((request, response) => void answer(request).then((body) => response.end(JSON.stringify(body))));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new ApiClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: undefined });
  return { options: { client, json: true }, patches, stop: () => server.close() };
}

const MANNER = { timeoutMs: 5_000, goOn: false };

describe("wadi upgrade", () => {
  const file = join(temporaryFolder("upgrade"), "plan.json");

  it("plans: what runs is moved, what is stopped has it later, what is pinned stays", async () => {
    const api = await startApi([
      pipeline("pl_a"),
      pipeline("pl_b", { state: "Stopped" }),
      pipeline("pl_c", { tags: { build: "pinned" } }),
      pipeline("pl_d", { build: "v2", running: "v2" }),
    ]);
    expect(await planUpgrade(api.options, "v2", file)).to.equal(0);
    const plan = JSON.parse(readFileSync(file, "utf8")) as UpgradePlan;
    expect(plan.pipelines.map(({ name, move }) => `${name} ${move}`)).to.deep.equal(["a move", "b later", "c pinned", "d none"]);
    expect(api.patches).to.deep.equal([]);
    api.stop();
  });

  it("moves one after another and gives them back what they had in the opposite order", async () => {
    const api = await startApi([pipeline("pl_a"), pipeline("pl_b", { build: "v1", running: "v1" })]);
    await planUpgrade(api.options, "v2", file);
    expect(await applyUpgrade(api.options, file, MANNER)).to.equal(0);
    expect(await rollbackUpgrade(api.options, file, MANNER)).to.equal(0);
    expect(api.patches).to.deep.equal(["a v2", "b v2", "b v1", "a "]);
    api.stop();
  });

  it("leaves what was pinned since, and what has the build already", async () => {
    const late = pipeline("pl_a");
    const api = await startApi([late, pipeline("pl_b")]);
    await planUpgrade(api.options, "v2", file);
    Object.assign(late, { tags: { build: "pinned" } });
    expect(await applyUpgrade(api.options, file, MANNER)).to.equal(0);
    expect(await applyUpgrade(api.options, file, MANNER)).to.equal(0);
    expect(api.patches).to.deep.equal(["b v2"]);
    api.stop();
  });

  it("stops at the first that does not come up and takes the wish back, exit code 1, and goes on with --continue", async () => {
    const api = await startApi([pipeline("pl_a", { good: false }), pipeline("pl_b")]);
    await planUpgrade(api.options, "v2", file);
    expect(await applyUpgrade(api.options, file, MANNER)).to.equal(1);
    expect(api.patches).to.deep.equal(["a v2", "a "]);
    expect(await applyUpgrade(api.options, file, { ...MANNER, goOn: true })).to.equal(1);
    expect(api.patches).to.deep.equal(["a v2", "a ", "a v2", "a ", "b v2"]);
    api.stop();
  });

  it("refuses a file that is no plan", async () => {
    const api = await startApi([]);
    const refused = await applyUpgrade(api.options, import.meta.filename, MANNER).catch((error: unknown) => error);
    expect(refused).to.have.property("code", "invalid-usage");
    api.stop();
  });
});
