/** Rules for machines and databases: metadata by tokens only, encrypted disks, a database that is private, kept and protected. */
import { type Attribute, type Block, blocksOf, findingAt, type HclDocument, type Rule, topBlocks } from "../documents.ts";
import type { Finding } from "../finding.ts";

/** An argument's literal, or the default of the variable that it is; undefined if it is neither. */
function known(documents: readonly HclDocument[], folder: string, attribute: Attribute | undefined): unknown {
  const name = /^var\.(\w+)$/.exec(attribute?.text ?? "")?.[1];
  if (name === undefined) return attribute?.value;
  const blocks = documents.filter((one) => one.folder === folder).flatMap((one) => one.body.blocks);
  return blocks.find((block) => block.type === "variable" && block.labels[0] === name)?.attributes.get("default")?.value;
}

const metadata: Rule = (project) =>
  topBlocks(project, "resource", /^aws_(launch_template|instance)$/).flatMap((one) => {
    const tokens = blocksOf(one.block, "metadata_options")[0]?.attributes.get("http_tokens");
    if (tokens?.value === "required") return [];
    const finding = findingAt(
      "imdsv2",
      one,
      undefined,
      "the instance's metadata answers without a token",
      'Set http_tokens = "required" in metadata_options.',
    );
    return [{ ...finding, line: tokens?.line ?? finding.line }];
  });

function unencrypted(block: Block): Block[] {
  const disks = [
    ...blocksOf(block, "block_device_mappings").flatMap((inner) => blocksOf(inner, "ebs")),
    ...["root_block_device", "ebs_block_device"].flatMap((type) => blocksOf(block, type)),
  ];
  return disks.filter((disk) => String(disk.attributes.get("encrypted")?.value) !== "true");
}

const disks: Rule = (project) =>
  topBlocks(project, "resource", /^aws_(launch_template|instance|ebs_volume)$/).flatMap((one): Finding[] => {
    const fix = "Set encrypted = true.";
    if (one.block.labels[0] === "aws_ebs_volume") {
      return one.block.attributes.get("encrypted")?.value === true
        ? []
        : [findingAt("disk-encrypted", one, "encrypted", "a volume is not encrypted", fix)];
    }
    if (one.block.labels[0] === "aws_launch_template" && blocksOf(one.block, "block_device_mappings").length === 0) {
      return [
        findingAt(
          "disk-encrypted",
          one,
          undefined,
          "the machine's disk is that of its image, not encrypted",
          "Add block_device_mappings with encrypted = true.",
        ),
      ];
    }
    return unencrypted(one.block).map((disk) => ({
      ...findingAt("disk-encrypted", one, undefined, "a disk is not encrypted", fix),
      line: disk.attributes.get("encrypted")?.line ?? disk.line,
    }));
  });

/** What a database's arguments have to be, and why. */
const DATABASE: readonly {
  readonly name: string;
  readonly right: (value: unknown) => boolean;
  readonly message: string;
  readonly fix: string;
}[] = [
  {
    name: "storage_encrypted",
    right: (value) => value === true,
    message: "the database's storage is not encrypted",
    fix: "Set storage_encrypted = true.",
  },
  {
    name: "publicly_accessible",
    right: (value) => value === false,
    message: "the database may be reached from the internet",
    fix: "Set publicly_accessible = false.",
  },
  {
    name: "deletion_protection",
    right: (value) => value === true,
    message: "nothing protects the database from deletion",
    fix: "Set deletion_protection = true, or a variable with that default.",
  },
  {
    name: "skip_final_snapshot",
    right: (value) => value === false,
    message: "a destroy keeps no last snapshot of the database",
    fix: "Set skip_final_snapshot = false.",
  },
  {
    name: "backup_retention_period",
    right: (value) => Number(value) >= 7,
    message: "the database's backups are kept for less than a week",
    fix: "Set backup_retention_period to 7 or more.",
  },
];

const databases: Rule = (project) =>
  topBlocks(project, "resource", /^aws_(db_instance|rds_cluster)$/).flatMap((one) =>
    DATABASE.filter(({ name, right }) => !right(known(project.documents, one.document.folder, one.block.attributes.get(name)))).map(
      ({ name, message, fix }) => findingAt(`database-${name.replaceAll("_", "-")}`, one, name, message, fix),
    ),
  );

const passwords: Rule = (project) =>
  topBlocks(project, "resource", /^aws_(db_instance|rds_cluster)$/)
    .filter(({ block }) => block.attributes.has("password") || block.attributes.has("master_password"))
    .map((one) => {
      const name = one.block.attributes.has("password") ? "password" : "master_password";
      const fix = "Use manage_master_user_password = true, or password_wo.";
      return findingAt("secret-in-state", one, name, "the database's password gets into the state", fix);
    });

const provisioners: Rule = (project) =>
  topBlocks(project, "resource").flatMap(({ document, block }) =>
    block.blocks
      .filter((inner) => inner.type === "provisioner")
      .map((inner) => ({
        rule: "no-provisioner",
        file: document.file,
        line: inner.line,
        message: `a ${inner.labels[0]} provisioner runs what no plan shows`,
        fix: "Use user data, or a job.",
      })),
  );

/** The rules of this file. */
export const MACHINE_RULES: readonly Rule[] = [metadata, disks, databases, passwords, provisioners];
