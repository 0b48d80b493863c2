/** The OpenAPI document: complete, and such that types and clients can be generated from it. */
import { expect } from "chai";
import { openApiDocument } from "../../../src/api/openapi.ts";
import { allRoutes } from "../../../src/api/routes/routes.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

/** Arroyo's endpoints: reference/arroyo-features.md §9. */
const ARROYO = `get /ping
get /connectors
post /connection_profiles
get /connection_profiles
post /connection_profiles/test
delete /connection_profiles/{id}
get /connection_profiles/{id}/autocomplete
get /connection_tables
post /connection_tables
post /connection_tables/test
post /connection_tables/schemas/test
delete /connection_tables/{id}
post /udfs
get /udfs
post /udfs/validate
delete /udfs/{id}
post /pipelines
get /pipelines
post /pipelines/preview
post /pipelines/validate_query
get /pipelines/{id}
put /pipelines/{id}
patch /pipelines/{id}
delete /pipelines/{id}
post /pipelines/{id}/restart
get /jobs
get /pipelines/{id}/jobs
get /pipelines/{id}/jobs/{job_id}/errors
get /pipelines/{id}/jobs/{job_id}/checkpoints
get /pipelines/{id}/jobs/{job_id}/checkpoints/{epoch}/operator_checkpoint_groups
get /pipelines/{id}/jobs/{job_id}/output
get /pipelines/{id}/jobs/{job_id}/operator_metric_groups`.split("\n");

describe("the OpenAPI document", () => {
  const routes = allRoutes("1.2.3");
  const document = openApiDocument(routes, "1.2.3") as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    readonly info: { readonly version: string };
    readonly components: { readonly schemas: Readonly<Record<string, object>> };
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path: path.replace("/api/v1", ""), method, operation })),
  );

  it("has every endpoint of Arroyo's", () => {
    expect(operations.map(({ method, path }) => `${method} ${path}`)).to.include.members(ARROYO);
    expect(document.info.version).to.equal("1.2.3");
  });

  it("names each operation once, describes it, and declares the parameters of its path", () => {
    expect(operations).to.have.length(routes.length);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).to.equal(routes.length);
    for (const { path, operation } of operations) {
      expect(operation.summary, operation.operationId).to.match(/^[A-Z].*[^.]$/);
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      expect(declared.map(({ name }) => name).sort(), path).to.deep.equal(named.sort());
      expect(declared.every(({ required }) => required)).to.equal(true);
    }
  });

  it("says of every operation how it refuses, and which need no token", () => {
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ path }) => path);
    expect(open.sort()).to.deep.equal(["/api-docs/openapi.json", "/ping"]);
    for (const { path, operation } of operations.filter(({ operation: { security } }) => security === undefined)) {
      expect(operation.responses, path).to.include.keys("200", "401", "403");
      if (path.includes("{")) expect(operation.responses, path).to.include.keys("404");
    }
  });

  it("defines what it refers to, and nothing that nobody uses", () => {
    const references = new Set([...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map((match) => match[1]));
    expect([...references].sort()).to.deep.equal(Object.keys(document.components.schemas).sort());
    expect(JSON.stringify(document)).not.to.contain("$defs");
  });

  it("tells optional fields of requests from required ones", () => {
    expect(document.components.schemas["PipelinePost"]).to.have.property("required").that.deep.equals(["name", "query"]);
    expect(document.components.schemas["PipelinePatch"]).not.to.have.property("required");
    expect(document.components.schemas["SourceField"]).to.have.nested.property("properties.fields");
  });
});
