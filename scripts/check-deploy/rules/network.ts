/** Rules for what is reachable: nothing from everywhere but 443, no SSH, TLS on load balancers, no public database. */
import {
  type Attribute,
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

const EVERYWHERE = /"(0\.0\.0\.0\/0|::\/0)"/;
const CIDR_ARGUMENTS = ["cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks"] as const;
const HTTPS = 443;
const SSH = 22;

/** Blocks that let traffic in: rules of their own, and those inside of security groups. */
function ingressBlocks(document: HclDocument): Located[] {
  return document.body.blocks.flatMap((block) => {
    if (block.type !== "resource") return [];
    const type = block.labels[0];
    if (type === "aws_vpc_security_group_ingress_rule") return [{ document, block }];
    if (type === "aws_security_group_rule") return block.attributes.get("type")?.value === "egress" ? [] : [{ document, block }];
    return /^aws_(default_)?security_group$/.test(type ?? "")
      ? blocksOf(block, "ingress").map((inner) => ({ document, block: inner }))
      : [];
  });
}

/** Values that an argument may have: its literal, the defaults of variables and the literals of locals that it names. */
function possibleText(document: Located["document"], documents: readonly HclDocument[], attribute: Attribute): string {
  const near = documents.filter((one) => one.folder === document.folder);
  const names = [...attribute.text.matchAll(/\bvar\.(\w+)/g)].map((match) => match[1]);
  const defaults = near.flatMap((one) => one.body.blocks.filter((block) => block.type === "variable" && names.includes(block.labels[0])));
  return [attribute.text, ...defaults.map((block) => block.attributes.get("default")?.text ?? "")].join("\n");
}

/** Whether ports of a block are exactly `port`. */
function isPort(block: Block, port: number): boolean {
  return ["from_port", "to_port"].every((name) => block.attributes.get(name)?.value === port);
}

/** Whether ports of a block contain `port`, as far as they are numbers. */
function reaches(block: Block, port: number): boolean {
  const from = block.attributes.get("from_port")?.value;
  const to = block.attributes.get("to_port")?.value;
  return typeof from === "number" && typeof to === "number" && from <= port && to >= port;
}

const ingress: Rule = ({ documents }) =>
  documents.flatMap((document) =>
    ingressBlocks(document).flatMap((one): Finding[] => {
      const { block } = one;
      if (reaches(block, SSH)) return [findingAt("no-ssh", one, "from_port", "port 22 is let in", "Use SSM's Session Manager.")];
      const open = CIDR_ARGUMENTS.find((name) => {
        const attribute = block.attributes.get(name);
        return attribute !== undefined && EVERYWHERE.test(possibleText(document, documents, attribute));
      });
      if (open === undefined || isPort(block, HTTPS)) return [];
      const ports = [block.attributes.get("from_port")?.text ?? "all", block.attributes.get("to_port")?.text ?? "all"];
      const message = `everybody reaches ports ${ports.join(" to ")}`;
      return [
        findingAt(
          "ingress-closed",
          one,
          open,
          message,
          "Only 443 may be open to everybody: name a security group or the variable allowed_cidrs.",
        ),
      ];
    }),
  );

/** Who may reach an installation is said by whoever installs it. */
const allowedCidrs: Rule = (project) =>
  topBlocks(project, "variable", /cidrs$/).flatMap((one) => {
    const preset = one.block.attributes.get("default");
    if (preset === undefined || !EVERYWHERE.test(preset.text)) return [];
    return [findingAt("ingress-closed", one, "default", "everybody may in by default", "Leave the default out, or allow nobody: [].")];
  });

const noKeys: Rule = (project) => {
  const machines = topBlocks(project, "resource", /^aws_(launch_template|instance|launch_configuration)$/).filter(({ block }) =>
    block.attributes.has("key_name"),
  );
  const pairs = topBlocks(project, "resource", "aws_key_pair");
  return [...machines, ...pairs].map((one) =>
    findingAt("no-ssh", one, "key_name", "machines get a key for SSH", "Use SSM's Session Manager."),
  );
};

const listeners: Rule = (project) =>
  topBlocks(project, "resource", "aws_lb_listener").flatMap((one): Finding[] => {
    const protocol = one.block.attributes.get("protocol")?.value;
    const redirects = blocksOf(one.block, "default_action").some((action) => action.attributes.get("type")?.value === "redirect");
    if (protocol === "HTTP" && !redirects)
      return [findingAt("listener-tls", one, "protocol", "a listener speaks plain HTTP", "Use HTTPS, or redirect to it.")];
    if (protocol !== "HTTPS" && protocol !== "TLS") return [];
    if (/TLS13|TLS-1-2/.test(String(one.block.attributes.get("ssl_policy")?.value))) return [];
    const fix = 'Set ssl_policy to a policy with TLS 1.2 or later, such as "ELBSecurityPolicy-TLS13-1-2-2021-06".';
    return [findingAt("listener-tls", one, "ssl_policy", "a listener accepts old versions of TLS", fix)];
  });

const subnets: Rule = (project) =>
  topBlocks(project, "resource", /^aws_/).flatMap(({ document, block }) =>
    [block, ...block.blocks].flatMap((inner) => {
      const attribute = inner.attributes.get("associate_public_ip_address") ?? inner.attributes.get("map_public_ip_on_launch");
      if (attribute?.value !== true) return [];
      const line = lineIn(attribute, /true/);
      return [
        {
          rule: "no-public-address",
          file: document.file,
          line,
          message: "machines get public addresses",
          fix: "Let them reach out by NAT.",
        },
      ];
    }),
  );

/** The rules of this file. */
export const NETWORK_RULES: readonly Rule[] = [ingress, allowedCidrs, noKeys, listeners, subnets];
