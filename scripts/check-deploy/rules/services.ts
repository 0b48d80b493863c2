/** Rules for what jobs know of each other: names of jobs and services, the variables that hold secrets and who writes them, paths of checks. */
import { SERVICES } from "../../../src/cli/deploy/services.ts";
import {
  type Attribute,
  allAttributes,
  allBlocks,
  blocksOf,
  findingAt,
  type HclDocument,
  type Located,
  lineIn,
  type Rule,
  topBlocks,
} from "../documents.ts";
import type { Finding } from "../finding.ts";

/** Registered by the jobs that Wadi makes for runs, not by a file. */
const MADE_BY_WADI = ["wadi-worker"];
const TERRAFORM_WRITER = "terraform/modules/platform/secrets.tf";
const README = "nomad/README.md";
const SERVICE_NAME = /nomadService\s+\\?"([^"\\]+)\\?"/g;
const VARIABLE_PATH = /nomadVar\s+\\?"([^"\\]+)\\?"/g;

/** What a file of Nomad's is the job of, by its name: wadi-api of api.nomad.hcl. */
function jobOf(document: HclDocument): string {
  return `wadi-${document.file.replace(/^.*\//, "").replace(/\.nomad\.hcl$/, "")}`;
}

function nomadJobs(project: Parameters<Rule>[0]): Located[] {
  return topBlocks(project, "job").filter(({ document }) => document.kind === "nomad-job");
}

function at(rule: string, document: HclDocument, attribute: Attribute, text: string, message: string, fix: string): Finding {
  return { rule, file: document.file, line: lineIn(attribute, new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))), message, fix };
}

const jobNames: Rule = (project) =>
  nomadJobs(project)
    .filter(({ document, block }) => block.labels[0] !== "worker" && block.labels[0] !== jobOf(document))
    .map((one) =>
      findingAt(
        "job-name",
        one,
        undefined,
        `the job is called "${one.block.labels[0]}", its file says "${jobOf(one.document)}"`,
        "Others find jobs, services and secrets by the file's name.",
      ),
    );

/** Services that a file registers. */
function registered(project: Parameters<Rule>[0]): Set<string> {
  const blocks = nomadJobs(project).flatMap(({ block }) => allBlocks(block).filter(({ type }) => type === "service"));
  return new Set([...MADE_BY_WADI, ...blocks.map((block) => String(block.attributes.get("name")?.value))]);
}

const serviceNames: Rule = (project) => {
  const names = registered(project);
  const documents = project.documents.filter(({ kind }) => kind === "nomad-job");
  return documents.flatMap((document) =>
    allAttributes(document.body).flatMap(([, attribute]) =>
      [...attribute.text.matchAll(SERVICE_NAME)]
        .map((match) => match[1] ?? "")
        .filter((name) => !names.has(name) && !name.includes("${"))
        .map((name) =>
          at(
            "service-known",
            document,
            attribute,
            name,
            `no job registers the service "${name}"`,
            `Services are ${[...names].sort().join(", ")}.`,
          ),
        ),
    ),
  );
};

/** Every job registers a service of its own name, by which others find it. */
const ownService: Rule = (project) =>
  nomadJobs(project).flatMap((job): Finding[] => {
    const services = allBlocks(job.block).filter(({ type }) => type === "service");
    const name = job.block.labels[0] ?? "";
    const [first] = services;
    if (first === undefined || services.some((one) => one.attributes.get("name")?.value === name)) return [];
    return [
      findingAt(
        "service-known",
        { document: job.document, block: first },
        "name",
        `the job "${name}" registers no service of that name`,
        `Name the service "${name}".`,
      ),
    ];
  });

/** Items of a variable that a template cannot do without: asked for outside of `with` and `if`. */
function neededItems(text: string): string[] {
  return [...text.matchAll(/\{\{-?\s*\.([a-z][a-z0-9_]*)\s*(?:\|[^}]*)?-?\}\}/g)].map((match) => match[1] ?? "");
}

/** What is wrong with one variable that a template of a job reads. */
function checkVariable(
  project: Parameters<Rule>[0],
  document: HclDocument,
  attribute: Attribute,
  path: string,
  optional: boolean,
): Finding[] {
  const job = jobOf(document);
  const expected = `nomad/jobs/${job}`;
  if (path !== expected) {
    return [
      at("variable-path", document, attribute, path, `the job may not read "${path}"`, `Without a policy a job reads ${expected} alone.`),
    ];
  }
  const service = SERVICES.find(({ name }) => `wadi-${name}` === job);
  const terraform = project.documents.find(({ file }) => file === TERRAFORM_WRITER)?.text ?? project.texts.get(TERRAFORM_WRITER) ?? "";
  const readme = project.texts.get(README) ?? "";
  return neededItems(attribute.text).flatMap((item) => {
    const writers: [string, boolean][] = [
      ["wadi deploy (src/cli/deploy/services.ts)", service?.secrets.some(({ name }) => name === item) ?? false],
      [TERRAFORM_WRITER, new RegExp(`\\b${item}\\b`).test(terraform)],
      [README, new RegExp(`\\b${item}\\b`).test(readme)],
    ];
    return writers
      .filter(([writer, writes]) => !writes && (!optional || writer === README))
      .map(([writer]) =>
        at(
          "variable-written",
          document,
          attribute,
          `.${item}`,
          `the item "${item}" of ${expected} is not written by ${writer}`,
          "Without it the task waits for ever.",
        ),
      );
  });
}

const variables: Rule = (project) =>
  project.documents
    .filter(({ kind }) => kind === "nomad-job")
    .flatMap((document) =>
      allBlocks(document.body).flatMap((block) =>
        [...block.attributes.values()].flatMap((attribute) =>
          // A template that is there only for some values asks for what whoever gives these values writes.
          [...attribute.text.matchAll(VARIABLE_PATH)].flatMap((match) =>
            checkVariable(project, document, attribute, match[1] ?? "", block.type === "content"),
          ),
        ),
      ),
    );

/** Paths that Wadi's own services answer; those of other programs are theirs to know. */
const checkPaths: Rule = (project) => {
  const sources = [...project.texts].filter(([file]) => file.startsWith("src/")).map(([, text]) => text);
  if (sources.length === 0) return [];
  return nomadJobs(project)
    .filter(({ block }) => /^wadi-(api|controller|node)$/.test(block.labels[0] ?? ""))
    .flatMap(({ document, block }) =>
      allBlocks(block)
        .filter(({ type }) => type === "service")
        .flatMap((service) => blocksOf(service, "check"))
        .flatMap((check): Finding[] => {
          const path = check.attributes.get("path")?.value;
          if (typeof path !== "string") return [];
          const known = sources.some((text) => text.includes(`"${path}"`) || text.includes(`"${path.replace(/^\/api\/v1/, "")}"`));
          return known
            ? []
            : [
                findingAt(
                  "check-path",
                  { document, block: check },
                  "path",
                  `Wadi does not answer "${path}"`,
                  "The admin port has /status, the API /api/v1/ping.",
                ),
              ];
        }),
    );
};

/** Jobs of the toolkit are known to `wadi deploy`, and those it knows are there. */
const known: Rule = (project) => {
  const files = nomadJobs(project).filter(({ block }) => block.labels[0] !== "worker");
  const names = new Set(SERVICES.map(({ name }) => `wadi-${name}`));
  const there = new Set(files.map(({ block }) => block.labels[0]));
  const unknown = files.filter(({ document }) => !names.has(jobOf(document)));
  const missing = files.length === 0 ? [] : [...names].filter((name) => !there.has(name));
  return [
    ...unknown.map((one) =>
      findingAt(
        "job-known",
        one,
        undefined,
        `wadi deploy does not know the job "${one.block.labels[0]}"`,
        "Add it to src/cli/deploy/services.ts.",
      ),
    ),
    ...missing.map((name) => ({
      rule: "job-known",
      file: "src/cli/deploy/services.ts",
      line: 0,
      message: `there is no file with the job "${name}"`,
      fix: "Remove it there or write the job.",
    })),
  ];
};

/** The rules of this file. */
export const SERVICE_RULES: readonly Rule[] = [jobNames, serviceNames, ownService, variables, checkPaths, known];
