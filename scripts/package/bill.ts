/**
 * The bill of materials of a package: every npm package that lies in it and Node itself, with version, licence and checksum, as CycloneDX 1.6
 * (https://cyclonedx.org/docs/1.6/json/). Without times and random numbers: the same package has the same bill.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../process.ts";
import { manifest, type PackageName } from "./contents.ts";
import { NODE_VERSION } from "./node-binary.ts";

interface Component {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly { readonly license: { readonly name: string } }[];
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
}

/** The bill of what lies in `folder`, as the text of a file. */
export function billOfMaterials(name: PackageName, folder: string, nodePath: string): string {
  const { version } = manifest();
  const node: Component = {
    type: "application",
    name: "node",
    version: NODE_VERSION,
    purl: `pkg:generic/node@${NODE_VERSION}`,
    licenses: [{ license: { name: "MIT" } }],
    hashes: [{ alg: "SHA-512", content: createHash("sha512").update(readFileSync(nodePath)).digest("hex") }],
  };
  const root = { type: "application", name, version, purl: `pkg:generic/${name}@${version}` };
  const components = [...npmComponents(folder), node].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  const bill = { bomFormat: "CycloneDX", specVersion: "1.6", version: 1, metadata: { component: root }, components };
  return `${JSON.stringify(bill, null, 1)}\n`;
}

function npmComponents(folder: string): Component[] {
  const locked = (JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lock).packages;
  return packageFolders(folder, "node_modules").map((path): Component => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, path, "package.json"), "utf8")) as Installed;
    const integrity = locked[path]?.integrity;
    return {
      type: "library",
      name,
      version,
      purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      ...(typeof license === "string" ? { licenses: [{ license: { name: license } }] } : {}),
      ...(integrity?.startsWith("sha512-") === true ? { hashes: [{ alg: "SHA-512", content: hex(integrity) }] } : {}),
    };
  });
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

interface Installed {
  readonly name: string;
  readonly version: string;
  readonly license?: unknown;
}

function hex(integrity: string): string {
  return Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
}

/** Folders of installed packages below `folder`, relative to it, also those within others. */
function packageFolders(folder: string, modules: string): string[] {
  if (!existsSync(join(folder, modules))) return [];
  const names = readdirSync(join(folder, modules), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.flatMap(({ name }): string[] => {
    if (name.startsWith(".")) return [];
    const path = `${modules}/${name}`;
    if (name.startsWith("@")) return packageFolders(folder, path);
    return [...(existsSync(join(folder, path, "package.json")) ? [path] : []), ...packageFolders(folder, `${path}/node_modules`)];
  });
}
