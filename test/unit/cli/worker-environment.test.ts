/** What a worker is not told of the environment that starts it. */
import { expect } from "chai";
import { configArguments, workerEnvironment } from "../../../src/cli/worker-environment.ts";

describe("environment of workers", () => {
  it("has nothing that only others need: database, API, Prometheus, Nomad, our own tokens", () => {
    const secrets = {
      DATABASE_PASSWORD: "x",
      DATABASE_HOST: "x",
      WADI__DATABASE__POSTGRES__PASSWORD: "x",
      WADI__API__SESSION_TOKEN: "x",
      WADI_API_TOKEN: "x",
      PROM_AUTH: "x",
      PUSHGATEWAY_URL: "x",
      NOMAD_TOKEN: "x",
      WADI__NOMAD__TOKEN: "x",
    };
    expect(workerEnvironment(secrets)).to.deep.equal({});
  });

  it("has what connectors, the object store and the worker itself need", () => {
    const needed = {
      PATH: "/bin",
      HOME: "/root",
      AWS_ACCESS_KEY_ID: "x",
      AWS_SECRET_ACCESS_KEY: "x",
      KAFKA_PASSWORD: "x",
      CHECKPOINT_URL: "s3://b",
      WADI__WORKER__ORPHAN_TIMEOUT: "1m",
      WADI__CONNECTORS__FILE__ROOTS: "/data",
    };
    expect(workerEnvironment(needed)).to.deep.equal(needed);
  });

  it("names the configuration file that the starting process was given, in every way to say it", () => {
    const forms = [["-c", "x.toml"], ["--config", "x.toml"], ["--config=x.toml"], ["-c=x.toml"], ["-cx.toml"]];
    for (const form of forms) expect(configArguments(["node", "main.js", "controller", ...form])).to.deep.equal(["--config", "x.toml"]);
    for (const other of [[], ["--", "-c", "x"], ["-c"], ["--color"]]) expect(configArguments(["controller", ...other])).to.deep.equal([]);
  });
});
