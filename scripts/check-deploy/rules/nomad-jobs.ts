/** Rules for Nomad's jobs: what every service needs to be watched, renewed, restarted and ended well, and images that cannot change. */
import {
  type Attribute,
  allBlocks,
  type Block,
  blocksOf,
  findingAt,
  type HclDocument,
  type Located,
  lineIn,
  type Rule,
  topBlocks,
} from "../documents.ts";
import type { Finding } from "../finding.ts";

const DIGEST = /@sha256:[0-9a-f]{64}$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** Functions that Nomad 1.8 has in HCL; Terraform has more. `md5` and `sha1` are left out: later versions lack them. */
const FUNCTIONS: ReadonlySet<string> = new Set(
  `abs abspath base64decode base64encode basename bcrypt can ceil chomp chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce coalescelist
  compact concat contains convert csvdecode dirname distinct element file filebase64 fileexists fileset flatten floor format formatdate formatlist
  indent index join jsondecode jsonencode keys length log lookup lower max merge min parseint pathexpand pow range regex_replace replace reverse
  rsadecrypt setintersection setproduct setunion sha256 sha512 signum slice sort split strlen strrev substr timeadd title trim trimprefix trimspace
  trimsuffix try upper urlencode uuidv4 uuidv5 values yamldecode yamlencode zipmap`.split(/\s+/),
);

/** Jobs of a type. The template for workers is none: Wadi itself adds to it what is missing. */
function jobs(project: Parameters<Rule>[0], types: readonly string[]): Located[] {
  return topBlocks(project, "job").filter(
    ({ document, block }) =>
      document.kind === "nomad-job" &&
      types.includes(String(block.attributes.get("type")?.value ?? "service")) &&
      block.labels[0] !== "worker",
  );
}

/** A duration in ms; undefined if it is no literal. */
function duration(block: Block, name: string): number | undefined {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(String(block.attributes.get(name)?.value)) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit ?? ""] ?? 0);
}

/** Blocks of a type in the job or in its groups. */
function inJobOrGroups(job: Block, type: string): readonly Block[] {
  return [job, ...blocksOf(job, "group")].flatMap((one) => blocksOf(one, type));
}

function checkServices(document: HclDocument, group: Block): Finding[] {
  const ports = new Set(
    blocksOf(group, "network").flatMap((network) =>
      network.blocks
        .filter(({ type, labels }) => type === "port" || (type === "dynamic" && labels[0] === "port"))
        .map((port) => port.labels[port.type === "dynamic" ? 1 : 0]),
    ),
  );
  const services = [group, ...blocksOf(group, "task")].flatMap((one) => blocksOf(one, "service"));
  return services.flatMap((service): Finding[] => {
    const one: Located = { document, block: service };
    const name = `the service ${service.attributes.get("name")?.text ?? ""}`;
    const findings: Finding[] = [];
    if (service.attributes.get("provider")?.value !== "nomad")
      findings.push(findingAt("service-provider", one, "provider", `${name} would be registered in Consul`, 'Set provider = "nomad".'));
    const checks = blocksOf(service, "check");
    if (checks.length === 0)
      findings.push(findingAt("service-check", one, undefined, `${name} has no check`, "Add a check of type http or tcp."));
    for (const block of [service, ...checks]) {
      const port = block.attributes.get("port")?.value;
      if (typeof port === "string" && !ports.has(port))
        findings.push(
          findingAt(
            "service-port",
            { document, block },
            "port",
            `${name} is at port "${port}", which its group's network lacks`,
            `Its ports are ${[...ports].join(", ")}.`,
          ),
        );
    }
    return [...findings, ...checks.flatMap((check) => checkCheck({ document, block: check }, name))];
  });
}

function checkCheck(check: Located, name: string): Finding[] {
  const { block } = check;
  const findings: Finding[] = [];
  const type = block.attributes.get("type")?.value;
  if (type !== "http" && type !== "tcp")
    findings.push(
      findingAt("service-check", check, "type", `the check of ${name} is of a type that Nomad's own services lack`, "Use http or tcp."),
    );
  if (type === "http" && !block.attributes.has("path"))
    findings.push(findingAt("service-check", check, undefined, `the check of ${name} has no path`, "Add a path."));
  const [interval, timeout] = [duration(block, "interval"), duration(block, "timeout")];
  if (interval === undefined || timeout === undefined || timeout >= interval) {
    findings.push(
      findingAt(
        "service-check",
        check,
        "timeout",
        `the check of ${name} has no timeout below its interval`,
        "Set both, such as 3s and 10s.",
      ),
    );
  }
  return findings;
}

const services: Rule = (project) =>
  jobs(project, ["service", "system"]).flatMap((job) => {
    const groups = blocksOf(job.block, "group");
    const findings = groups.flatMap((group) => checkServices(job.document, group));
    const has = groups.some((group) => allBlocks(group).some(({ type }) => type === "service"));
    return has
      ? findings
      : [
          ...findings,
          findingAt(
            "service-check",
            job,
            undefined,
            "the job has no service",
            "Add a service with a check: else nobody knows whether it works.",
          ),
        ];
  });

const updates: Rule = (project) =>
  jobs(project, ["service", "system"]).flatMap((job): Finding[] => {
    const updates = inJobOrGroups(job.block, "update");
    const isService = String(job.block.attributes.get("type")?.value) === "service";
    if (updates.length === 0)
      return [findingAt("job-update", job, undefined, "the job has no update block", "Add one with auto_revert = true.")];
    return updates.flatMap((block): Finding[] => {
      const one: Located = { document: job.document, block };
      const findings: Finding[] = [];
      // Nomad ignores it for system jobs before 1.11, and refuses nothing.
      if (isService && block.attributes.get("auto_revert")?.value !== true)
        findings.push(findingAt("job-update", one, "auto_revert", "a bad version stays", "Set auto_revert = true."));
      if (isService && block.attributes.get("health_check")?.value !== "checks")
        findings.push(findingAt("job-update", one, "health_check", "an update does not wait for checks", 'Set health_check = "checks".'));
      const [least, healthy, progress] = ["min_healthy_time", "healthy_deadline", "progress_deadline"].map((name) => duration(block, name));
      if (least !== undefined && healthy !== undefined && least >= healthy)
        findings.push(findingAt("job-update", one, "healthy_deadline", "healthy_deadline is not above min_healthy_time", "Raise it."));
      if (healthy !== undefined && progress !== undefined && healthy >= progress)
        findings.push(findingAt("job-update", one, "progress_deadline", "progress_deadline is not above healthy_deadline", "Raise it."));
      return findings;
    });
  });

const restarts: Rule = (project) =>
  jobs(project, ["service", "system", "batch", "sysbatch"]).flatMap((job): Finding[] => {
    const type = String(job.block.attributes.get("type")?.value);
    const findings: Finding[] = [];
    const missing = (name: string, fix: string) =>
      findings.push(findingAt(`job-${name}`, job, undefined, `the job has no ${name} block`, fix));
    if (
      blocksOf(job.block, "group").some(
        (group) => blocksOf(group, "restart").length + blocksOf(group, "task").flatMap((task) => blocksOf(task, "restart")).length === 0,
      )
    )
      missing("restart", "Say how often and how fast tasks are started again.");
    // Nomad has no rescheduling of system jobs.
    if ((type === "service" || type === "batch") && inJobOrGroups(job.block, "reschedule").length === 0)
      missing("reschedule", "Say whether and how fast allocations are placed again.");
    return findings;
  });

/** Tasks of a job with its type. */
function tasks(project: Parameters<Rule>[0]): { task: Located; type: string }[] {
  return jobs(project, ["service", "system", "batch", "sysbatch"]).flatMap(({ document, block }) =>
    blocksOf(block, "group").flatMap((group) =>
      blocksOf(group, "task").map((task) => ({ task: { document, block: task }, type: String(block.attributes.get("type")?.value) })),
    ),
  );
}

const resources: Rule = (project) =>
  tasks(project).flatMap(({ task }): Finding[] => {
    const name = `the task "${task.block.labels[0]}"`;
    const [block] = blocksOf(task.block, "resources");
    if (block === undefined)
      return [findingAt("task-resources", task, undefined, `${name} has no resources block`, "Say its cpu and memory.")];
    const missing = ["cpu", "memory"].filter((one) => !block.attributes.has(one) && !(one === "cpu" && block.attributes.has("cores")));
    return missing.map((one) =>
      findingAt("task-resources", { document: task.document, block }, undefined, `${name} reserves no ${one}`, `Set ${one}.`),
    );
  });

const endings: Rule = (project) =>
  tasks(project).flatMap(({ task, type }): Finding[] => {
    const short = blocksOf(task.block, "lifecycle").some(
      (block) =>
        /^(prestart|poststop)$/.test(String(block.attributes.get("hook")?.value)) && block.attributes.get("sidecar")?.value !== true,
    );
    if (short || type === "batch" || type === "sysbatch") return [];
    const missing = ["kill_timeout", "kill_signal"].filter((name) => !task.block.attributes.has(name));
    return missing.map((name) =>
      findingAt(
        "task-kill",
        task,
        undefined,
        `the task "${task.block.labels[0]}" has no ${name}`,
        "Say how it is asked to end, and how long it may take.",
      ),
    );
  });

/** Whether an expression can only be an image by digest: a literal, or a variable whose validation says so. */
function isPinned(document: HclDocument, text: string, depth = 0): boolean {
  const literal = /^"([^"]*)"$/.exec(text)?.[1];
  if (literal !== undefined && !literal.includes("${")) return literal === "" || DIGEST.test(literal);
  const references = [...text.matchAll(/\b(var|local)\.(\w+)/g)];
  const images = references.filter(([, , name]) => /image/.test(name ?? ""));
  const followed = images.length > 0 ? images : references.filter(([, kind]) => kind === "local");
  if (followed.length === 0 || depth > 4) return false;
  return followed.every(([, kind, name = ""]) => {
    if (kind === "var") {
      const variable = document.body.blocks.find((block) => block.type === "variable" && block.labels[0] === name);
      return (
        variable?.blocks.some(
          (block) => block.type === "validation" && (block.attributes.get("condition")?.text ?? "").includes("@sha256:"),
        ) ?? false
      );
    }
    const local = document.body.blocks
      .filter((block) => block.type === "locals")
      .map((block) => block.attributes.get(name))
      .find((one) => one !== undefined);
    return local !== undefined && isPinned(document, local.text, depth + 1);
  });
}

const images: Rule = (project) =>
  tasks(project).flatMap(({ task }) =>
    blocksOf(task.block, "config").flatMap((block) => {
      const image = block.attributes.get("image");
      if (image === undefined || isPinned(task.document, image.text)) return [];
      return [
        findingAt(
          "image-digest",
          { document: task.document, block },
          "image",
          "the image is not named by its digest",
          "Name it as name@sha256:…, or by a variable whose validation asks for that.",
        ),
      ];
    }),
  );

/** What of an expression is code: without heredocs and quoted text, but with what is interpolated in quotes. */
function codeOf(expression: string): string {
  const text = expression.replace(/<<-?(\w+)\n[\s\S]*?^\s*\1/gm, "").replace(/^\s*(#|\/\/).*$/gm, "");
  let code = "";
  // What each open bracket or quote is, the innermost last.
  const inside: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    const quoted = inside.at(-1) === '"';
    if (quoted && character === "\\") at += 1;
    else if (character === '"') {
      if (quoted) inside.pop();
      else inside.push('"');
    } else if (quoted && character === "$" && text[at + 1] === "{") {
      inside.push("{");
      at += 1;
    } else if (!quoted && character === "{") inside.push("{");
    else if (!quoted && character === "}") inside.pop();
    else if (!quoted) code += character;
  }
  return code;
}

function unknownFunctions(document: HclDocument, attribute: Attribute): Finding[] {
  const names = [...codeOf(attribute.text).matchAll(/\b([a-z][a-z0-9_]*)\(/g)].map((match) => match[1] ?? "");
  return [...new Set(names.filter((name) => !FUNCTIONS.has(name)))].map((name) => ({
    rule: "nomad-function",
    file: document.file,
    line: lineIn(attribute, new RegExp(`\\b${name}\\(`)),
    message: `Nomad has no function "${name}" in HCL`,
    fix: "Terraform's functions are more than Nomad's; see jobspec2's functions.",
  }));
}

const functions: Rule = ({ documents }) =>
  documents
    .filter(({ kind }) => kind === "nomad-job")
    .flatMap((document) =>
      allBlocks(document.body).flatMap((block) =>
        // Types are written like calls.
        [...block.attributes]
          .filter(([name]) => block.type !== "variable" || name !== "type")
          .flatMap(([, attribute]) => unknownFunctions(document, attribute)),
      ),
    );

const templates: Rule = (project) =>
  tasks(project).flatMap(({ task: { document, block: task } }) =>
    blocksOf(task, "template").flatMap((block): Finding[] => {
      const one: Located = { document, block };
      const mode = block.attributes.get("change_mode")?.value;
      const findings: Finding[] = [];
      if (mode !== undefined && !/^(noop|restart|signal|script)$/.test(String(mode)) && !String(mode).includes("${")) {
        findings.push(
          findingAt(
            "template-change",
            one,
            "change_mode",
            `there is no change mode "${String(mode)}"`,
            "Use noop, restart, signal or script.",
          ),
        );
      }
      if (mode === "signal" && !block.attributes.has("change_signal"))
        findings.push(findingAt("template-change", one, "change_mode", "no signal is named", "Set change_signal."));
      const secret = /nomadVar\b/.test(block.attributes.get("data")?.text ?? "");
      const destination = String(block.attributes.get("destination")?.value ?? "");
      if (secret && !/^(\$\{NOMAD_SECRETS_DIR\}|secrets)\//.test(destination)) {
        findings.push(
          findingAt(
            "template-secret",
            one,
            "destination",
            "a secret is written outside of the task's directory for secrets",
            "Write it below NOMAD_SECRETS_DIR.",
          ),
        );
      }
      return findings;
    }),
  );

const places: Rule = (project) =>
  jobs(project, ["service", "system", "batch", "sysbatch"]).flatMap((job) =>
    ["namespace", "datacenters", "node_pool"]
      .filter((name) => job.block.attributes.get(name)?.text !== `var.${name}`)
      .map((name) => findingAt("job-place", job, name, `the job's ${name} is not the variable of that name`, `Set ${name} = var.${name}.`)),
  );

/** The rules of this file. */
export const NOMAD_JOB_RULES: readonly Rule[] = [services, updates, restarts, resources, endings, images, functions, templates, places];
