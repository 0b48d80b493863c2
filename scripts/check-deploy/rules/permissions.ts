/** Rules for rights: no statement of AWS allows everything or everybody, trust of tokens is bound to their subject. */
import { allAttributes, blocksOf, findingAt, type HclDocument, type Located, type Rule, topBlocks } from "../documents.ts";
import type { Finding } from "../finding.ts";

/** Actions that AWS knows no resources for. */
const WITHOUT_RESOURCE =
  /^(\w+:(Describe|List)\w*|sts:GetCallerIdentity|ecr:GetAuthorizationToken|ssm:UpdateInstanceInformation|(ssmmessages|ec2messages):\w+|cloudwatch:PutMetricData)$/;
const STAR_FIX = "Name the actions and the resources that are needed.";

/** One statement of a policy, as text, with where it begins. */
interface Statement {
  readonly line: number;
  readonly text: string;
}

/** Object literals in a text that have an `Effect` of their own. */
function statementsIn(text: string, firstLine: number): Statement[] {
  const open: number[] = [];
  const found: Statement[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      at += /^"(?:[^"\\]|\\.)*/.exec(text.slice(at))?.[0].length ?? 0;
    } else if (character === "{") open.push(at);
    else if (character === "}") {
      const start = open.pop();
      if (start === undefined) continue;
      const body = text.slice(start, at + 1);
      // The innermost object with an Effect: what is around it are policies and lists of statements.
      if (/\bEffect\s*[=:]/.test(body) && !found.some((one) => body.includes(one.text))) {
        found.push({ line: firstLine + text.slice(0, start).split("\n").length - 1, text: body });
      }
    }
  }
  return found;
}

/** The texts in quotes of an argument of a statement. */
function listed(statement: string, name: string): string[] {
  const value = new RegExp(`\\b${name}s?\\s*[=:]\\s*("[^"]*"|\\[[^\\]]*\\]|concat\\([^)]*\\))`).exec(statement)?.[1] ?? "";
  return [...value.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? "");
}

function judge(document: HclDocument, { line, text }: Statement, ofKey: boolean): Finding[] {
  const finding = (rule: string, message: string, fix: string): Finding => ({ rule, file: document.file, line, message, fix });
  if (/\bEffect\s*[=:]\s*"Deny"/.test(text)) return [];
  const actions = listed(text, "Action");
  const findings: Finding[] = [];
  const wide = actions.find((action) => /^(\*|[\w-]+:\*)$/.test(action));
  if (wide !== undefined && !ofKey) findings.push(finding("iam-no-star", `a statement allows the action "${wide}"`, STAR_FIX));
  if (/\bNotActions?\s*[=:]/.test(text)) findings.push(finding("iam-no-star", "a statement allows all actions but some", STAR_FIX));
  // Actions that come from elsewhere are taken to need a resource.
  const bound = actions.length === 0 || actions.some((action) => !WITHOUT_RESOURCE.test(action));
  if (listed(text, "Resource").includes("*") && bound && !ofKey)
    findings.push(finding("iam-no-star", "a statement allows its actions on every resource", STAR_FIX));
  const everybody = /\bPrincipal\s*[=:]\s*("\*"|\{\s*AWS\s*[=:]\s*\[?\s*"\*")/.test(text);
  if (everybody)
    findings.push(finding("iam-no-public", "a statement allows everybody", "Name the principals; to refuse something to all, use Deny."));
  if (/\bFederated\s*[=:]/.test(text) && !(/:aud"/.test(text) && /:sub"/.test(text))) {
    findings.push(
      finding("iam-trust-bound", "a role trusts tokens of whoever they are for", "Add conditions on the token's :aud and :sub."),
    );
  }
  return findings;
}

const statements: Rule = ({ documents }) =>
  documents
    .filter(({ kind }) => kind === "terraform")
    .flatMap((document) =>
      document.body.blocks.flatMap((block) => {
        const ofKey = /^aws_kms_key/.test(block.labels[0] ?? "");
        return allAttributes(block).flatMap(([, attribute]) =>
          statementsIn(attribute.text, attribute.line).flatMap((one) => judge(document, one, ofKey)),
        );
      }),
    );

const policyDocuments: Rule = (project) =>
  topBlocks(project, "data", "aws_iam_policy_document").flatMap(({ document, block }) =>
    blocksOf(block, "statement").flatMap((statement): Finding[] => {
      const one: Located = { document, block: statement };
      if (statement.attributes.get("effect")?.value === "Deny") return [];
      const actions = [...(statement.attributes.get("actions")?.text ?? "").matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? "");
      const findings: Finding[] = [];
      if (actions.some((action) => /^(\*|[\w-]+:\*)$/.test(action)))
        findings.push(findingAt("iam-no-star", one, "actions", "a statement allows all actions", STAR_FIX));
      const wide =
        /"\*"/.test(statement.attributes.get("resources")?.text ?? "") && actions.some((action) => !WITHOUT_RESOURCE.test(action));
      if (wide) findings.push(findingAt("iam-no-star", one, "resources", "a statement allows its actions on every resource", STAR_FIX));
      return findings;
    }),
  );

/** Lists of actions in locals, of which statements are made. */
const localActions: Rule = ({ documents }) =>
  documents.flatMap((document) =>
    document.body.blocks
      .filter((block) => block.type === "locals")
      .flatMap((block) => [...block.attributes].filter(([, { text }]) => !/\bEffect\b/.test(text) && /"[a-z0-9-]+:\*"/.test(text)))
      .map(([name, { line }]) => ({
        rule: "iam-no-star",
        file: document.file,
        line,
        message: `the list "${name}" has all actions of a service`,
        fix: STAR_FIX,
      })),
  );

/** The rules of this file. */
export const PERMISSION_RULES: readonly Rule[] = [statements, policyDocuments, localActions];
