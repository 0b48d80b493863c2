/** Rules for Nomad's ACL policies and for tasks' identities: fine-grained, enough for what the jobs do, and for jobs that there are. */
import {
  allBlocks,
  type Block,
  findingAt,
  type HclDocument,
  type Located,
  lineIn,
  type Project,
  type Rule,
  topBlocks,
} from "../documents.ts";
import type { Finding } from "../finding.ts";

/** What a job does that needs a right, by the place in its policy. */
interface Need {
  readonly job: string;
  /** Type and label of the block that gives it. */
  readonly block: readonly [string, string?];
  readonly capabilities?: readonly string[];
  readonly policy?: string;
  readonly purpose: string;
}

const NEEDS: readonly Need[] = [
  {
    job: "controller",
    block: ["namespace", "default"],
    capabilities: ["list-jobs", "read-job", "submit-job"],
    purpose: "starting and watching workers",
  },
  { job: "controller", block: ["namespace", "default"], capabilities: ["alloc-lifecycle"], purpose: "ending single workers" },
  { job: "controller", block: ["namespace", "default"], capabilities: ["read-logs", "read-fs"], purpose: "showing why a worker died" },
  {
    job: "controller",
    block: ["path", "nomad/jobs/w-*"],
    capabilities: ["list", "read", "write", "destroy"],
    purpose: "credentials of runs",
  },
  {
    job: "controller",
    block: ["path", "wadi/*"],
    capabilities: ["list", "read", "write", "destroy"],
    purpose: "the record of runs that are over",
  },
  { job: "controller", block: ["node"], policy: "read", purpose: "seeing drains and room on nodes" },
  { job: "autoscaler", block: ["node"], policy: "write", purpose: "draining nodes" },
];

/** Documents of policies, each with the job it is for. */
function policies({ documents }: Project): { document: HclDocument; job: string }[] {
  return documents
    .filter(({ kind }) => kind === "nomad-policy")
    .map((document) => ({ document, job: document.file.replace(/^.*\//, "").replace(/\.policy\.hcl$/, "") }));
}

/** Whether a block gives what is needed. */
function gives(block: Block, { capabilities = [], policy }: Need): boolean {
  const text = block.attributes.get("capabilities")?.text ?? "";
  const level = block.attributes.get("policy")?.value;
  return capabilities.every((one) => text.includes(`"${one}"`)) && (policy === undefined || level === policy || level === "write");
}

const sufficient: Rule = (project) =>
  policies(project).flatMap(({ document, job }) =>
    NEEDS.filter((need) => need.job === job).flatMap((need): Finding[] => {
      const [type, label] = need.block;
      const blocks = allBlocks(document.body).filter((block) => block.type === type && (label === undefined || block.labels[0] === label));
      if (blocks.some((block) => gives(block, need))) return [];
      const what = need.policy === undefined ? (need.capabilities ?? []).join(", ") : `policy = "${need.policy}"`;
      const fix = `Give ${what} in ${[type, ...(label === undefined ? [] : [`"${label}"`])].join(" ")}.`;
      return [
        {
          rule: "policy-suffices",
          file: document.file,
          line: blocks[0]?.line ?? 0,
          message: `the job wadi-${job} lacks rights for ${need.purpose}`,
          fix,
        },
      ];
    }),
  );

/** Others put the installation's namespace in the place of `default`, so that it has to be there. */
const places: Rule = (project) => {
  const jobs = new Set(topBlocks(project, "job").map(({ block }) => block.labels[0]));
  return policies(project).flatMap(({ document, job }): Finding[] => {
    const namespaces = document.body.blocks.filter((block) => block.type === "namespace" && !/^(default|\*)$/.test(block.labels[0] ?? ""));
    const wrong = namespaces.map((block) =>
      findingAt(
        "policy-place",
        { document, block },
        undefined,
        `the namespace "${block.labels[0]}" is nobody's`,
        'Write "default": Terraform and wadi deploy put the real one in its place.',
      ),
    );
    const orphan = jobs.has(`wadi-${job}`)
      ? []
      : [
          {
            rule: "policy-place",
            file: document.file,
            line: 0,
            message: `there is no job wadi-${job}`,
            fix: "Name the file after the job that it is for.",
          },
        ];
    return [...wrong, ...orphan];
  });
};

const fineGrained: Rule = ({ documents }) =>
  documents
    .filter(({ kind }) => kind === "nomad-policy")
    .flatMap((document) =>
      allBlocks(document.body).flatMap((block): Finding[] => {
        const one: Located = { document, block };
        const level = block.attributes.get("policy")?.value;
        if (block.type === "namespace" && level === "write")
          return [findingAt("policy-fine-grained", one, "policy", "a job may do everything in a namespace", "List capabilities.")];
        if (/^(operator|quota|agent)$/.test(block.type) && level === "write")
          return [findingAt("policy-fine-grained", one, "policy", `a job may write to ${block.type}`, "Allow read.")];
        const capabilities = block.attributes.get("capabilities")?.text ?? "";
        const path = block.labels[0];
        if (block.type === "path" && (path === "*" || path === "nomad/jobs/*") && /write|destroy/.test(capabilities)) {
          return [
            findingAt(
              "policy-fine-grained",
              one,
              "capabilities",
              "a job may write every job's secrets",
              "Name the beginning of the paths.",
            ),
          ];
        }
        return [];
      }),
    );

/** Roles of AWS are for jobs that there are, and their audience is that of the jobs' identities. */
const subjects: Rule = (project) => {
  const jobs = new Set(topBlocks(project, "job").map(({ block }) => block.labels[0]));
  return project.documents
    .filter(({ folder }) => folder === "terraform/modules/identity")
    .flatMap((document) =>
      document.body.blocks
        .filter(({ type }) => type === "locals")
        .flatMap((block): Finding[] => {
          const roles = block.attributes.get("roles");
          const audience = block.attributes.get("audience");
          const names = [...(roles?.text ?? "").matchAll(/"(wadi-[\w-]+)/g)].map((match) => match[1] ?? "");
          const unknown = names.filter((name) => !jobs.has(name));
          const asked = project.documents.filter(({ kind }) => kind === "nomad-job").filter(({ text }) => /aud\s*=\s*\["sts/.test(text));
          const other = asked.filter(({ text }) => !text.includes(`["${String(audience?.value)}"]`));
          return [
            ...(roles === undefined ? [] : unknown).map((name) => ({
              rule: "identity-subject",
              file: document.file,
              line: lineIn(roles ?? { line: 0, text: "", value: "" }, new RegExp(`"${name}`)),
              message: `a role is for the job "${name}", which there is not`,
              fix: "Name jobs as nomad/ does.",
            })),
            ...(audience === undefined ? [] : other).map(({ file }) => ({
              rule: "identity-subject",
              file: document.file,
              line: audience?.line ?? 0,
              message: `roles want another audience than the identity in ${file} has`,
              fix: "Make them equal.",
            })),
          ];
        }),
    );
};

/** The rules of this file. */
export const POLICY_RULES: readonly Rule[] = [sufficient, places, fineGrained, subjects];
