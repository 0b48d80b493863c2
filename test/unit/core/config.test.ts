/** The configuration loader: layers and their order, names and aliases, refusals in words, secrets. */
import { expect } from "chai";
import { type ConfigFile, type ConfigInput, loadConfig, printConfig, settingNames } from "../../../src/core/config.ts";
import { AppError } from "../../../src/core/errors.ts";

const toml = (text: string, path = "wadi.toml"): ConfigFile => ({ path, text });
const load = (text: string, env: ConfigInput["env"] = {}) => loadConfig({ files: [toml(text)], env });

function refusal(text: string, env: ConfigInput["env"] = {}): AppError {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  return expect.fail(`${text} was accepted`);
}

describe("configuration: layers", () => {
  it("gives every setting its fallback when nothing is set", () => {
    const { config, origins, warnings } = loadConfig({ files: [], env: {} });
    expect(config["default-checkpoint-interval"]).to.equal(10_000);
    expect(config["checkpoint.retention"]).to.equal(5);
    expect(config["pipeline.source-batch-size"]).to.equal(8_192);
    expect(config["pipeline.update-flush-interval"]).to.equal(1_000);
    expect(config["udf.timeout"]).to.equal(10_000);
    expect([config["api.http-port"], config["controller.rpc-port"], config["admin.http-port"], config["node.rpc-port"]]).to.deep.equal([
      5115, 5116, 5114, 5118,
    ]);
    expect(settingNames().filter((name) => name.endsWith("bind-address") && config[name] !== "127.0.0.1")).to.deep.equal([]);
    expect([origins.size, warnings.length, Object.isFrozen(config)]).to.deep.equal([0, 0, true]);
  });

  it("lets the environment win over the first file and that over the next", () => {
    const files = [
      toml("udf.timeout = '2s'\napi.http-port = 2", "a.toml"),
      toml("udf.timeout = '3s'\napi.http-port = 3\nadmin.http-port = 3", "b.toml"),
    ];
    const { config, origins } = loadConfig({ files, env: { WADI__UDF__TIMEOUT: "1s", OTHER: "x" } });
    expect([config["udf.timeout"], config["api.http-port"], config["admin.http-port"]]).to.deep.equal([1_000, 2, 3]);
    expect([...origins]).to.have.deep.members([
      ["udf.timeout", "WADI__UDF__TIMEOUT"],
      ["api.http-port", "a.toml"],
      ["admin.http-port", "b.toml"],
    ]);
  });

  it("reads the legacy variables below those of today, and a database host as a server of one's own", () => {
    const env = {
      CHECKPOINT_URL: "s3://b/old",
      WADI__CHECKPOINT_URL: "s3://b/new",
      SCHEDULER: "nomad",
      DATABASE_HOST: "db",
      NOMAD_TOKEN: "",
    };
    const { config } = loadConfig({ files: [], env: { ...env, NOMAD_DC: "dc1,dc2", NOMAD_ALLOC_ID: "x", PROM_ENDPOINT: "http://p" } });
    expect(config["checkpoint-url"]).to.equal("s3://b/new");
    expect([config["controller.scheduler"], config["database.type"], config["database.postgres.host"]]).to.deep.equal([
      "nomad",
      "postgres",
      "db",
    ]);
    expect([config["nomad.token"], config["nomad.datacenters"], config["prometheus.endpoint"]]).to.deep.equal([
      undefined,
      ["dc1", "dc2"],
      "http://p",
    ]);
  });

  it("takes sections, dotted keys and Arroyo's names alike", () => {
    const { config, warnings } = load(
      "scheduler = 'node'\n[pipeline]\nupdate-aggregate-flush-interval = '5s'\n[pipeline.chaining]\nenabled = true\n[database.postgres.tls]\nmode = 'ca-cert'",
    );
    expect([config["controller.scheduler"], config["pipeline.update-flush-interval"], config["database.postgres.tls.mode"]]).to.deep.equal([
      "node",
      5_000,
      "ca-cert",
    ]);
    expect(warnings).to.deep.equal(['wadi.toml: "pipeline.chaining.enabled" has no effect. Operators are always chained.']);
  });
});

describe("configuration: refusals", () => {
  it("names the nearest setting of an unknown one, in the file's and in the environment's spelling", () => {
    const error = refusal("[pipeline]\nsource-batch-sise = 5");
    expect(error.message).to.equal('wadi.toml: unknown setting "pipeline.source-batch-sise", the nearest is "pipeline.source-batch-size"');
    expect([error.domain, error.code, error.hint]).to.deep.equal(["user", "invalid-config", 'Did you mean "pipeline.source-batch-size"?']);
    expect(refusal("", { WADI__API__HTP_PORT: "1" }).message).to.contain('WADI__API__HTP_PORT, the nearest is "WADI__API__HTTP_PORT"');
  });

  it("finds a setting written in the wrong section", () => {
    expect(refusal("[pipeline]\nudf.timeout = '1s'").message).to.contain('the nearest is "udf.timeout"');
    expect(refusal("[pipeline]\norphan-timeout = '1s'").message).to.contain('the nearest is "worker.orphan-timeout"');
  });

  it("says what a value must be, where it was set and what it is", () => {
    const cases: readonly (readonly [string, string])[] = [
      ["pipeline.source-batch-size = 0", "wadi.toml: pipeline.source-batch-size must be an integer from 1 to 8192, not 0"],
      ["pipeline.source-batch-size = 1.5", "must be an integer from 1 to 8192, not 1.5"],
      ["udf.timeout = 10", 'must be a duration such as "10s" from 1ms to 1h, not 10'],
      ["udf.timeout = '2h'", 'not "2h"'],
      ["pipeline.state-limit = '5GiB'", 'must be a size such as "64MiB" from 16MiB to 3584MiB, not "5GiB"'],
      ["controller.scheduler = 'manual'", 'must be one of "process", "embedded", "node", "nomad", "kubernetes", not "manual"'],
      ["connectors.file.roots = [1]", "must be a list of texts, not [1]"],
      ["nomad.skip-verify = 'perhaps'", 'must be true or false, not "perhaps"'],
      ["checkpoint-url = ''", 'must be a text that is not empty, not ""'],
      ["udf = 3", 'unknown setting "udf"'],
    ];
    for (const [text, message] of cases) expect(refusal(text).message, text).to.contain(message);
    expect(refusal("", { WADI__UDF__TIMEOUT: "x" }).message).to.match(/^WADI__UDF__TIMEOUT must be a duration/);
  });

  it("reports all problems at once, TOML's own with line and column, and one setting set by two names", () => {
    expect(refusal("a = 1\nb = 2\nudf.timeout = 3").detail).to.match(/^Also: .*"b".* Also: .*udf\.timeout/);
    expect(refusal("a = [1,\n = 2").message).to.match(/^wadi\.toml:2:\d+: /);
    expect(refusal("scheduler = 'node'\ncontroller.scheduler = 'node'").message).to.contain("are the same setting");
  });

  it("never shows a secret, neither in a refusal nor in print", () => {
    expect(refusal("nomad.token = 12345").message).to.equal("wadi.toml: nomad.token must be a text");
    const printed = printConfig(load("nomad.token = 's3cret'\ndatabase.postgres.password = 'pa55'").config);
    expect(printed)
      .to.contain('nomad.token = "***"')
      .and.not.match(/s3cret|pa55/);
    const urls = printConfig(load("metrics.pushgateway = 'http://user:s3cret@host:9091/a@b'\nprometheus.endpoint = 'http://host'").config);
    expect(urls).to.contain('metrics.pushgateway = "http://***@host:9091/a@b"').and.to.contain('prometheus.endpoint = "http://host"');
  });
});

describe("configuration: print", () => {
  it("reads back to the same configuration", () => {
    const { config } = load(
      "pipeline.state-limit = '100MB'\nudf.timeout = '90s'\nconnectors.file.roots = ['a', 'b']\nnomad.skip-verify = true",
    );
    expect(load(printConfig(config)).config).to.deep.equal(config);
  });
});
