/** Settings that are tables: from TOML, from the environment as JSON, and printed so that they read back. */
import { expect } from "chai";
import { loadConfig, printConfig } from "../../../src/core/config.ts";
import { AppError } from "../../../src/core/errors.ts";

const load = (text: string, env: Record<string, string> = {}) => loadConfig({ env, files: [{ path: "wadi.toml", text }] }).config;

function problemOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  return expect.fail("it was not refused");
}

describe("settings that are tables", () => {
  it("are read from TOML's own tables, and from JSON in the environment", () => {
    const text =
      '[kubernetes.worker]\nnode-selector = { pool = "a.b/c" }\ntolerations = [{ key = "x", tolerationSeconds = 5 }]\n[kubernetes.worker.overlay.spec]\nsuspend = true\n';
    const config = load(text);
    expect(config["kubernetes.worker.node-selector"]).to.deep.equal({ pool: "a.b/c" });
    expect(config["kubernetes.worker.tolerations"]).to.deep.equal([{ key: "x", tolerationSeconds: 5 }]);
    expect(config["kubernetes.worker.overlay"]).to.deep.equal({ spec: { suspend: true } });
    expect(load(text, { WADI__KUBERNETES__WORKER__NODE_SELECTOR: '{"pool":"b"}' })["kubernetes.worker.node-selector"]).to.deep.equal({
      pool: "b",
    });
  });

  it("are printed so that they read back", () => {
    const text =
      'kubernetes.worker.labels = { "a.b/c" = "d\\"e" }\nkubernetes.worker.volumes = [{ name = "v", nfs = { server = "s", readOnly = false, list = [1, 2] } }]\n';
    const config = load(text);
    expect(load(printConfig(config))).to.deep.equal(config);
  });

  it("are refused where they are something else", () => {
    for (const [line, wanted] of [
      ["kubernetes.worker.labels = { a = 1 }", "a table of texts"],
      ['kubernetes.worker.labels = "x"', "a table of texts"],
      ['kubernetes.worker.overlay = "[1]"', "a table"],
      ['kubernetes.worker.tolerations = ["x"]', "a list of tables"],
      ["kubernetes.worker.tolerations = { a = 1 }", "a list of tables"],
    ] as const) {
      expect(
        problemOf(() => load(line)),
        line,
      ).to.include(`must be ${wanted}`);
    }
  });
});
