/** Rules for what runs on machines besides jobs: the configuration of Nomad's agents, and the scripts that set machines up. */
import { lineIn, type Project, type Rule } from "../documents.ts";
import type { Finding } from "../finding.ts";

/** A line that has to be in a block of an agent's configuration; `of` says of which agents. */
interface Demand {
  readonly of: "server" | "client" | "both";
  readonly block: string;
  readonly line: RegExp;
  readonly message: string;
}

const DEMANDS: readonly Demand[] = [
  { of: "both", block: "acl", line: /^\s*enabled\s*=\s*true/m, message: "ACLs are off" },
  { of: "both", block: "tls", line: /^\s*http\s*=\s*true/m, message: "the API speaks plain HTTP" },
  { of: "both", block: "tls", line: /^\s*rpc\s*=\s*true/m, message: "RPC is not encrypted" },
  {
    of: "both",
    block: "tls",
    line: /^\s*verify_server_hostname\s*=\s*true/m,
    message: "any certificate of the cluster passes for a server's",
  },
  { of: "client", block: 'plugin "raw_exec"', line: /^\s*enabled\s*=\s*false/m, message: "jobs may run as root on the machine" },
  { of: "client", block: 'plugin "docker"', line: /^\s*allow_privileged\s*=\s*false/m, message: "containers may be privileged" },
  { of: "both", block: "telemetry", line: /^\s*prometheus_metrics\s*=\s*true/m, message: "Prometheus gets no metrics" },
];

/** The text from a block's header to the closing brace at the same indentation; undefined if it is not there. */
function blockText(text: string, header: string): { text: string; line: number } | undefined {
  const found = new RegExp(`^( *)${header} \\{[\\s\\S]*?^\\1\\}`, "m").exec(text);
  return found === null ? undefined : { text: found[0], line: text.slice(0, found.index).split("\n").length };
}

/** Templates of agents' configurations, each with what it configures. */
function agents({ texts }: Project): { file: string; text: string; kind: "server" | "client" }[] {
  return [...texts].flatMap(([file, text]) => {
    if (!/^terraform\/.*\.hcl\.tftpl$/.test(file)) return [];
    const kind = (["server", "client"] as const).find((one) => blockText(text, one) !== undefined);
    return kind === undefined ? [] : [{ file, text, kind }];
  });
}

const hardened: Rule = (project) =>
  agents(project).flatMap(({ file, text, kind }) =>
    DEMANDS.filter(({ of }) => of === "both" || of === kind).flatMap(({ block, line, message }): Finding[] => {
      const found = blockText(text, block);
      if (found !== undefined && line.test(found.text)) return [];
      const fix = `In ${block} {…} there has to be ${line.source.replace(/\\s\*/g, " ").replace("^ ", "")}.`;
      return [{ rule: "agent-hardened", file, line: found?.line ?? 0, message: `${message} on Nomad's ${kind}s`, fix }];
    }),
  );

/** Tasks get ports that the clients' security group lets through. */
const taskPorts: Rule = (project) => {
  const flows = project.documents
    .filter(({ folder }) => folder === "terraform/modules/nomad-cluster")
    .flatMap((document) =>
      document.body.blocks
        .filter(({ type }) => type === "locals")
        .flatMap((block) => {
          const attribute = block.attributes.get("flows");
          const ports = /clients-tasks\s*=.*ports = \[(\d+), (\d+)\]/.exec(attribute?.text ?? "");
          return attribute === undefined || ports === null
            ? []
            : [{ document, line: lineIn(attribute, /clients-tasks/), ports: [ports[1], ports[2]] }];
        }),
    );
  return agents(project)
    .filter(({ kind }) => kind === "client")
    .flatMap(({ file, text }) => {
      const range = ["min_dynamic_port", "max_dynamic_port"].map((name) => new RegExp(`${name}\\s*=\\s*(\\d+)`).exec(text)?.[1]);
      return flows
        .filter(({ ports }) => ports.some((port, index) => port !== range[index]))
        .map(({ document, line, ports }) => ({
          rule: "port-agrees",
          file: document.file,
          line,
          message: `clients let ports ${ports.join(" to ")} through, ${file} gives tasks ${range.join(" to ")}`,
          fix: "Make them equal.",
        }));
    });
};

/** What no script may do, and why. */
const FORBIDDEN: readonly (readonly [RegExp, string, string])[] = [
  [/\bcurl\b[^|]*\s(-k|--insecure)\b/, "a certificate is not checked", "Give curl the authority with --cacert."],
  [/\bcurl\b[^#]*\|\s*(sudo\s+)?(ba)?sh\b/, "what was downloaded is run unseen", "Store it, compare its checksum, then run it."],
  [/^\s*set\s+-[a-z]*x/, "every command is written to a log, with its secrets", "Remove the x."],
  [/\bchmod\s+(-R\s+)?0?777\b/, "everybody may change a file", "Give it to its owner."],
];

const scripts: Rule = ({ texts }) =>
  [...texts]
    .filter(([file]) => /^(terraform|nomad)\/.*\.(sh|sh\.tftpl)$/.test(file))
    .flatMap(([file, text]): Finding[] => {
      // What has no interpreter of its own is part of another script.
      const strict = !text.startsWith("#!") || /^\s*set -(e\w*u|u\w*e)/m.test(text);
      const findings = text.split("\n").flatMap((line, at) =>
        FORBIDDEN.filter(([pattern]) => !/^\s*#/.test(line) && pattern.test(line)).map(([, message, fix]) => ({
          rule: "script-safe",
          file,
          line: at + 1,
          message,
          fix,
        })),
      );
      return strict
        ? findings
        : [
            ...findings,
            { rule: "script-safe", file, line: 1, message: "the script goes on after a failure", fix: "Begin it with set -eu." },
          ];
    });

/** The rules of this file. */
export const AGENT_RULES: readonly Rule[] = [hardened, taskPorts, scripts];
