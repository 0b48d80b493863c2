/** Values of `wadi deploy`: which job gets which, what is refused in which words, and that HCL reads back what was meant. */
import { parse } from "@cdktf/hcl2json";
import { expect } from "chai";
import { parseTemplate, readTemplates, shippedFolder } from "../../../src/cli/deploy/templates.ts";
import { checkNames, hclAssignments, parseSets, parseValuesFile, type ValueLayer, valuesFor } from "../../../src/cli/deploy/values.ts";
import { refusal } from "../../support/rejection.ts";

const HCL = `variable "port" {
  type        = number
  description = "Port of it."
  default     = 80
}

variable "instances" {
  type = number
}

variable "command" {
  type    = string
  default = "wadi"
}

variable "enabled" {
  type    = bool
  default = true
}

variable "arguments" {
  type    = list(string)
  default = []
}

variable "settings" {
  type    = map(string)
  default = {}
}

job "wadi-api" {}
`;
const API = parseTemplate("api", "api.nomad.hcl", HCL);
const PROMETHEUS = parseTemplate("prometheus", "prometheus.nomad.hcl", HCL.replace("wadi-api", "wadi-prometheus"));
const TEMPLATES = new Map([
  ["api", API],
  ["prometheus", PROMETHEUS],
]);

function layer(common: ValueLayer["common"], jobs: ValueLayer["jobs"] = {}): ValueLayer {
  return { from: "test", common, jobs };
}

describe("values of wadi deploy", () => {
  it("knows the variables of a template with type, description and whether there is a default", () => {
    expect([...API.variables.keys()]).to.deep.equal(["port", "instances", "command", "enabled", "arguments", "settings"]);
    expect(API.variables.get("port")).to.deep.equal({
      name: "port",
      type: "number",
      description: "Port of it.",
      required: false,
      fallback: "80",
    });
    expect(API.variables.get("instances")?.required).to.equal(true);
    expect(API.jobId).to.equal("wadi-api");
  });

  it("reads every template that is shipped, each with its job's name and only types that it checks", async () => {
    const { templates } = await readTemplates(shippedFolder());
    expect([...templates.keys()]).to.include.members(["postgres", "controller", "api", "prometheus", "pushgateway"]);
    for (const [name, { jobId, variables }] of templates) {
      expect(jobId).to.equal(`wadi-${name}`);
      expect(variables.size, name).to.be.greaterThan(3);
      expect([...variables.keys()], name).to.include.members(["namespace", "driver"]);
      expect(
        [...variables.values()].filter(({ required }) => required).map((one) => one.name),
        name,
      ).to.deep.equal([]);
    }
  });

  it("lets a job's own value win over that of all jobs, and a later place over an earlier one", () => {
    const layers = [layer({ port: 1, instances: 1 }, { api: { port: 2 } }), parseSets(["api.instances=3"])];
    expect(valuesFor(API, layers)).to.deep.equal({ port: 2, instances: 3 });
    expect(valuesFor(PROMETHEUS, layers)).to.deep.equal({ port: 1, instances: 1 });
  });

  it("merges tables key by key", () => {
    const file = parseValuesFile(
      "v.toml",
      '[values]\ninstances = 1\n[values.settings]\n"checkpoint-url" = "s3://a"\nnomad.driver = "exec"\n[jobs.api.settings]\n"checkpoint-url" = "s3://b"\n',
    );
    const sets = parseSets(["settings.logging.level=debug"]);
    expect(valuesFor(API, [file, sets])["settings"]).to.deep.equal({
      "checkpoint-url": "s3://b",
      "nomad.driver": "exec",
      "logging.level": "debug",
    });
  });

  it("does not give another server the program of Wadi", () => {
    const layers = [layer({ command: "/opt/wadi", instances: 1 })];
    expect(valuesFor(API, layers)["command"]).to.equal("/opt/wadi");
    expect(valuesFor(PROMETHEUS, layers)["command"]).to.equal(undefined);
    expect(valuesFor(PROMETHEUS, [...layers, layer({}, { prometheus: { command: "/usr/bin/prometheus" } })])["command"]).to.equal(
      "/usr/bin/prometheus",
    );
  });

  it("reads texts as what the variable's type wants", () => {
    const sets = parseSets(["instances=2", "enabled=false", "arguments=a,b", "command=7"]);
    expect(valuesFor(API, [sets])).to.deep.equal({ instances: 2, enabled: false, arguments: ["a", "b"], command: "7" });
  });

  it("names a value that is missing, what it is for and where to write it", async () => {
    const error = await refusal(() => valuesFor(API, []), "invalid-config", 'the job "api" needs a value for "instances"');
    expect(error.hint).to.contain("--set api.instances=");
  });

  const WRONG: readonly [set: string, words: string][] = [
    ["instances=many", 'api.instances is "many", and should be a number'],
    ["enabled=maybe", 'api.enabled is "maybe", and should be true or false'],
    ["settings=x", 'api.settings is "x", and should be a table of texts'],
    ["port.a=x", 'api.port is {"a":"x"}, and should be a number'],
  ];
  for (const [set, words] of WRONG) {
    it(`refuses ${set} and says what it should be`, async () => {
      await refusal(() => valuesFor(API, [parseSets([set])]), "invalid-config", words);
    });
  }

  it("refuses a value that no job has and proposes the one that was meant", async () => {
    const error = await refusal(() => checkNames([layer({ instanses: 1 })], TEMPLATES), "invalid-config", '"instanses", which no job has');
    expect(error.hint).to.equal('Did you mean "instances"?');
    await refusal(() => checkNames([layer({}, { api: { prot: 1 } })], TEMPLATES), "invalid-config", 'the job "api" does not have');
  });

  const FILES: readonly [text: string, words: string][] = [
    ["[values\n", "v.toml:1:"],
    ["[valeus]\n", 'has "valeus"'],
    ["[jobs.apj]\n", "which is no job of Wadi"],
    ['deploy = ["api", "postgre"]\n', 'deploy has "postgre"'],
    ['deploy = "api"\n', "deploy is not a list of names"],
    ["values = 3\n", "values is not a table"],
  ];
  for (const [text, words] of FILES) {
    it(`refuses the values file ${JSON.stringify(text)}`, async () => {
      await refusal(() => parseValuesFile("v.toml", text), "invalid-config", words);
    });
  }

  it("writes HCL that reads back as what was meant, templates in texts included", async () => {
    const text = 'a "b" \\ ${attr.cpu.arch} %{ if x }\n{{ env }} \b\f\t é';
    const values = { text, number: 1.5, flag: false, list: ["x", text], map: { "nomad.driver": "exec", other: text } };
    const read = (await parse("v.hcl", hclAssignments(values))) as Record<string, unknown>;
    // hcl2json leaves the escapes of templates in place.
    const meant = JSON.parse(JSON.stringify(read).replaceAll("$${", "${").replaceAll("%%{", "%{")) as unknown;
    expect(meant).to.deep.equal(values);
  });
});
