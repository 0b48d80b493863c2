/** Rules for S3: every bucket is private, encrypted, reached by TLS only, and forgets unfinished uploads. */
import { allAttributes, type Block, blocksOf, findingAt, type Located, type Project, type Rule, topBlocks } from "../documents.ts";
import type { Finding } from "../finding.ts";

const PUBLIC_BLOCK = ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] as const;

/** What every bucket needs a resource of its own for, and what has to be in it. */
interface Companion {
  readonly rule: string;
  readonly type: string;
  readonly lack: string;
  readonly fix: string;
  /** What is wrong with one that is there; undefined if nothing. */
  readonly wrong: (block: Block, bucket: Located) => string | undefined;
}

const COMPANIONS: readonly Companion[] = [
  {
    rule: "bucket-private",
    type: "aws_s3_bucket_public_access_block",
    lack: "has no public access block",
    fix: "Add an aws_s3_bucket_public_access_block with all four arguments true.",
    wrong: (block) => {
      const open = PUBLIC_BLOCK.filter((name) => block.attributes.get(name)?.value !== true);
      return open.length === 0 ? undefined : `may become public: ${open.join(", ")} must be true`;
    },
  },
  {
    rule: "bucket-encrypted",
    type: "aws_s3_bucket_server_side_encryption_configuration",
    lack: "is not encrypted",
    fix: "Add an aws_s3_bucket_server_side_encryption_configuration with a rule that says aws:kms or AES256.",
    wrong: (block) => {
      const rules = blocksOf(block, "rule").flatMap((rule) => blocksOf(rule, "apply_server_side_encryption_by_default"));
      const known = rules.some((rule) => /^(aws:kms|aws:kms:dsse|AES256)$/.test(String(rule.attributes.get("sse_algorithm")?.value)));
      return known ? undefined : "names no algorithm of encryption";
    },
  },
  {
    rule: "bucket-lifecycle",
    type: "aws_s3_bucket_lifecycle_configuration",
    lack: "has no lifecycle",
    fix: "Add an aws_s3_bucket_lifecycle_configuration that ends unfinished uploads and, with versioning, old versions.",
    wrong: (block) => {
      const rules = blocksOf(block, "rule");
      const enabled = rules.filter((rule) => rule.attributes.get("status")?.value === "Enabled");
      if (!enabled.some((rule) => blocksOf(rule, "abort_incomplete_multipart_upload").length > 0))
        return "keeps unfinished uploads for ever";
      return enabled.some((rule) => blocksOf(rule, "noncurrent_version_expiration").length > 0) ? undefined : "keeps old versions for ever";
    },
  },
  {
    rule: "bucket-tls-only",
    type: "aws_s3_bucket_policy",
    lack: "has no policy that refuses requests without TLS",
    fix: "Add an aws_s3_bucket_policy that denies s3:* where aws:SecureTransport is false.",
    wrong: (_block, { document }) => {
      return /"Deny"[\s\S]{0,300}"aws:SecureTransport"\s*=\s*"false"/.test(document.text)
        ? undefined
        : "does not refuse requests without TLS";
    },
  },
  {
    rule: "bucket-ownership",
    type: "aws_s3_bucket_ownership_controls",
    lack: "has no ownership controls, so that ACLs count",
    fix: "Add aws_s3_bucket_ownership_controls with object_ownership = BucketOwnerEnforced.",
    wrong: (block) => {
      const owner = blocksOf(block, "rule")[0]?.attributes.get("object_ownership")?.value;
      return owner === "BucketOwnerEnforced" ? undefined : "does not enforce that the bucket's owner owns objects";
    },
  },
];

/** Whether a block speaks of the bucket `aws_s3_bucket.NAME`. */
function isAbout(block: Block, bucket: Block): boolean {
  const reference = new RegExp(`\\baws_s3_bucket\\.${bucket.labels[1]}\\b`);
  return ["bucket", "for_each"].some((name) => reference.test(block.attributes.get(name)?.text ?? ""));
}

function checkBucket(project: Project, bucket: Located): Finding[] {
  const name = `the bucket "${bucket.block.labels[1]}"`;
  return COMPANIONS.flatMap(({ rule, type, lack, fix, wrong }) => {
    const found = topBlocks(project, "resource", type).filter(
      (one) => one.document.folder === bucket.document.folder && isAbout(one.block, bucket.block),
    );
    if (found.length === 0) return [findingAt(rule, bucket, undefined, `${name} ${lack}`, fix)];
    return found.flatMap((one) => {
      const problem = wrong(one.block, bucket);
      return problem === undefined ? [] : [findingAt(rule, one, undefined, `the ${type} of ${name} ${problem}`, fix)];
    });
  });
}

/** Each bucket has all its companions, and none of them opens it. */
const companions: Rule = (project) => topBlocks(project, "resource", "aws_s3_bucket").flatMap((bucket) => checkBucket(project, bucket));

/** No ACL, website or CORS rule lets the public in, and no bucket is thrown away with what is in it. */
const nothingPublic: Rule = (project) =>
  topBlocks(project, "resource", /^aws_s3_bucket/).flatMap((one) => {
    const type = one.block.labels[0] ?? "";
    const acl = allAttributes(one.block).find(([name, { value }]) => name === "acl" && /public|authenticated/.test(String(value)));
    const findings: Finding[] = [];
    if (acl !== undefined) {
      const finding = findingAt(
        "bucket-private",
        one,
        undefined,
        `the ACL ${JSON.stringify(acl[1].value)} lets strangers read`,
        "Remove the ACL.",
      );
      findings.push({ ...finding, line: acl[1].line });
    }
    if (type === "aws_s3_bucket_website_configuration") {
      findings.push(
        findingAt("bucket-private", one, undefined, "a bucket is served as a web site", "Serve documents by the load balancer."),
      );
    }
    if (one.block.attributes.get("force_destroy")?.value === true) {
      findings.push(
        findingAt("bucket-kept", one, "force_destroy", "a destroy deletes the bucket with its objects", "Set force_destroy = false."),
      );
    }
    return findings;
  });

/** The rules of this file. */
export const BUCKET_RULES: readonly Rule[] = [companions, nothingPublic];
