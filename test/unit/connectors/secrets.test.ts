/** Secrets of tables: what is a reference, where values come from, and where they never go. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { z } from "zod";
import {
  handedOver,
  haveSecretOptions,
  type ProgramSecret,
  parseSecretReference,
  resolveSecrets,
  secretsOf,
  withSecrets,
} from "../../../src/connectors/secrets.ts";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import { toErrorRecord } from "../../../src/core/errors.ts";
import { encodeProgram } from "../../../src/program/codec.ts";
import type { ConnectorSpec } from "../../../src/program/connector-spec.ts";
import type { OptionValues } from "../../../src/program/operator.ts";
import type { Program } from "../../../src/program/program.ts";
import { refusal } from "../../support/rejection.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { sampleProgram } from "../program/sample-program.ts";

const VALUE = "hunter2-very-secret";

/** A connector with a secret, as brokers and databases have. */
const BROKER: ConnectorSpec = {
  name: "broker",
  description: "A broker.",
  uses: ["source", "sink"],
  options: z.object({ topic: z.string(), password: z.string().optional().meta({ description: "Password.", sensitive: true }) }),
  formatted: true,
  bounded: () => false,
  sinkWriters: "each-subtask",
  sinkGuarantee: "at-least-once",
};
const SPECS = [...CONNECTOR_SPECS, BROKER];

/** The sample program with its source's options replaced. */
function withSource(options: OptionValues): Program {
  const program = sampleProgram();
  const vertices = program.vertices.map((vertex) =>
    vertex.operator.kind === "source"
      ? { ...vertex, operator: { ...vertex.operator, connector: "broker", table: "orders", options } }
      : vertex,
  );
  return { ...program, vertices };
}

describe("a secret of a table", () => {
  it("is referred to by one of four forms, and nothing else is a reference", () => {
    expect(parseSecretReference("{{ KAFKA_PASSWORD }}")).to.deep.equal({
      store: "env",
      reference: "KAFKA_PASSWORD",
      variable: "KAFKA_PASSWORD",
    });
    expect(parseSecretReference("{{file:/run/secrets/kafka}}")).to.include({
      store: "file",
      reference: "/run/secrets/kafka",
      variable: undefined,
    });
    const nomad = parseSecretReference("{{ nomad:nomad/jobs/kafka:password }}");
    expect(nomad).to.include({ store: "nomad-variable", reference: "nomad/jobs/kafka#password" });
    expect(nomad?.variable).to.match(/^WADI_SECRET_[0-9A-F]{16}$/);
    expect(parseSecretReference("{{ kubernetes:kafka:password }}")).to.include({ store: "kubernetes-secret", reference: "kafka/password" });
    for (const text of [
      VALUE,
      "{{ }}",
      "{{ A B }}",
      "x{{ A }}",
      "{{ file:relative }}",
      "{{ nomad:path }}",
      "{{ vault:a:b }}",
      "{{ 1A }}",
      "{{ A }}\n",
    ]) {
      expect(parseSecretReference(text), text).to.equal(undefined);
    }
  });

  it("is found in options that are secrets, and only there", () => {
    expect(secretsOf(withSource({ topic: "{{ A }}", password: "{{ B }}" }), SPECS)).to.deep.equal([
      { store: "env", reference: "B", variable: "B", table: "orders", option: "password" },
    ]);
    expect(secretsOf(withSource({ topic: "{{ A }}" }), SPECS)).to.deep.equal([]);
    expect(secretsOf(sampleProgram(), SPECS)).to.deep.equal([]);
    expect([haveSecretOptions([BROKER]), haveSecretOptions([])]).to.deep.equal([true, false]);
  });

  it("is refused where it is written out, without being repeated", async () => {
    const error = await refusal(
      () => secretsOf(withSource({ topic: "t", password: VALUE }), SPECS),
      "invalid-option",
      "password",
      "orders",
    );
    expect(JSON.stringify(toErrorRecord(error))).not.to.contain(VALUE);
  });

  it("comes from the worker's environment, from a file, or from what the outside system handed over", () => {
    const folder = temporaryFolder("secrets");
    writeFileSync(join(folder, "kafka"), `${VALUE}\n`);
    const all = ["{{ A }}", `{{ file:${join(folder, "kafka")} }}`, "{{ nomad:a/b:c }}"].map((text, i): ProgramSecret => {
      return { ...(parseSecretReference(text) as ProgramSecret), table: `t${i}`, option: "password" };
    });
    const given: Record<string, string> = { A: "from A", [all[2]?.variable ?? ""]: "from Nomad" };
    const values = resolveSecrets(all, { variable: (name) => given[name], roots: [folder] });
    expect(values).to.deep.equal({ t0: { password: "from A" }, t1: { password: VALUE }, t2: { password: "from Nomad" } });
    expect(handedOver([...all, ...all])).to.deep.equal([{ store: "nomad-variable", reference: "a/b#c", variable: all[2]?.variable }]);
  });

  it("is refused in words if it is not there, is the worker's own, or is a file outside of the roots", async () => {
    const folder = temporaryFolder("secrets");
    mkdirSync(join(folder, "inside"));
    writeFileSync(join(folder, "outside"), VALUE);
    symlinkSync(join(folder, "outside"), join(folder, "inside", "link"));
    const sources = { variable: () => undefined, roots: [join(folder, "inside")] };
    const resolve = (text: string) => () =>
      resolveSecrets([{ ...(parseSecretReference(text) as ProgramSecret), table: "orders", option: "password" }], sources);
    await refusal(resolve("{{ MISSING }}"), "not-found", '"password" of table "orders"', "MISSING");
    await refusal(resolve("{{ nomad:a:b }}"), "not-found", "a#b");
    for (const own of ["WADI_RUN_TOKEN_FILE", "AWS_SECRET_ACCESS_KEY", "NOMAD_TOKEN", "DATABASE_PASSWORD"]) {
      await refusal(resolve(`{{ ${own} }}`), "permission-denied", own, "the worker's own");
    }
    await refusal(resolve(`{{ file:${join(folder, "outside")} }}`), "permission-denied", "may not refer to");
    await refusal(resolve(`{{ file:${join(folder, "inside", "link")} }}`), "permission-denied", "may not refer to");
    await refusal(resolve(`{{ file:${join(folder, "inside", "none")} }}`), "not-found", "cannot be read");
  });

  it("is put in for its own table's option when the connector is opened, and the program stays as it was", () => {
    const program = withSource({ topic: "{{ A }}", password: "{{ A }}" });
    const before = encodeProgram(program);
    const values = resolveSecrets(secretsOf(program, SPECS), { variable: () => VALUE, roots: [] });
    expect(withSecrets("orders", { topic: "{{ A }}", password: "{{ A }}" }, values)).to.deep.equal({ topic: "{{ A }}", password: VALUE });
    expect(withSecrets("others", { password: "{{ A }}" }, values)).to.deep.equal({ password: "{{ A }}" });
    expect(withSecrets("orders", { password: "x" }, undefined)).to.deep.equal({ password: "x" });
    expect(encodeProgram(program)).to.equal(before).and.not.contain(VALUE);
  });
});
