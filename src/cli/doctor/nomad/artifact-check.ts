// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Nomad's clients interpolate these.
/**
 * The check that what workers are started from can be fetched: the archive of `nomad.artifact` or the image of `nomad.image`, asked for from this
 * machine without its contents. Registries that want a login are left to the nodes, which have their own.
 */
import { toAppError } from "../../../core/errors.ts";
import type { NomadJobSettings } from "../../../scheduler/nomad/settings.ts";
import { parseStoreUrl } from "../../../storage/open.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "../check.ts";

const LIMIT_MS = 5_000;
/** What `${attr.cpu.arch}` becomes on most nodes. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const MANIFESTS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const DEFAULT_REGISTRY = "registry-1.docker.io";

/** The check of archive or image. */
export function artifactCheck(settings: NomadJobSettings): Check {
  const { driver, image, artifact } = settings;
  return {
    id: "nomad-artifact",
    title: driver === "docker" ? "image" : "archive",
    limitMs: LIMIT_MS,
    ifSilent: "Look whether the server of the archive or image can be reached from here.",
    run: async (signal) => {
      if (driver === "docker") return image === undefined ? noImage() : checkImage(here(image), signal);
      if (artifact !== undefined) return checkArchive(here(artifact), settings.artifactChecksum, signal);
      if (settings.command.length > 0) return ok(`none: nomad.command "${settings.command[0]}" is expected on every node`);
      return fail(
        `driver ${driver} needs nomad.artifact or nomad.command, and neither is set`,
        "Set nomad.artifact to the URL of Wadi's archive.",
      );
    },
  };
}

function noImage(): Finding {
  return fail(
    "nomad.driver is docker and nomad.image is not set",
    'Set nomad.image to Wadi\'s image by digest ("registry/wadi@sha256:…").',
  );
}

function here(text: string): string {
  return text.replaceAll("${attr.cpu.arch}", ARCHITECTURES[process.arch] ?? process.arch);
}

async function checkArchive(url: string, checksum: string | undefined, signal: AbortSignal): Promise<Finding> {
  const plain = url.replace(/^(s3|http|git)::/, "").replace(/[?&](archive|checksum)=[^&]*/g, "");
  if (/^s3::/.test(url) || /^s3:/.test(url))
    return skip(`"${url}" is fetched with the rights of the nodes, which this machine does not have`);
  if (!/^https?:/.test(plain)) return checkOther(plain);
  try {
    const answer = await fetch(plain, { method: "HEAD", signal });
    if (answer.status === 404 || answer.status === 410)
      return fail(`the archive "${plain}" does not exist (status ${answer.status})`, "Upload it, or correct nomad.artifact.");
    if (!answer.ok)
      return fail(`the archive "${plain}" cannot be fetched: status ${answer.status}`, "Let the nodes read it, or correct nomad.artifact.");
    if (checksum === undefined && !url.includes("checksum="))
      return warn(`"${plain}" can be fetched, and nothing says what it must contain`, "Set nomad.artifact-checksum to its sha256.");
    return ok(`"${plain}" can be fetched`);
  } catch (thrown) {
    return fail(`the server of the archive "${plain}" does not answer: ${causeOf(thrown)}`, "Start the server, or correct nomad.artifact.");
  }
}

function checkOther(url: string): Finding {
  try {
    if (parseStoreUrl(url).kind === "local") return skip(`"${url}" is looked for on each node`);
  } catch {
    return skip(`"${url}" is fetched by each node in its own way`);
  }
  return skip(`"${url}" is fetched by each node in its own way`);
}

/** `[registry/]name[:tag|@digest]`: https://distribution.github.io/distribution/spec/api/#pulling-an-image-manifest */
async function checkImage(image: string, signal: AbortSignal): Promise<Finding> {
  const [first = "", ...rest] = image.split("/");
  const isRegistry = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const registry = isRegistry ? first : DEFAULT_REGISTRY;
  const name = isRegistry ? rest.join("/") : rest.length === 0 ? `library/${first}` : image;
  const [, repository = name, , reference = "latest"] = /^([^:@]+)(?:[:][^@]+)?([:@])(.+)$/.exec(name) ?? [];
  const scheme = /^(localhost|127\.|\[::1\])/.test(registry) ? "http" : "https";
  try {
    const answer = await fetch(`${scheme}://${registry}/v2/${repository}/manifests/${reference}`, {
      method: "HEAD",
      headers: { accept: MANIFESTS },
      signal,
    });
    if (answer.status === 401 || answer.status === 403)
      return skip(`registry ${registry} answers and wants a login, which the nodes may have`);
    if (answer.status === 404) return fail(`image "${image}" does not exist at ${registry}`, "Push it, or correct nomad.image.");
    if (!answer.ok)
      return fail(`registry ${registry} answers with status ${answer.status}`, "Look at the registry's log, or correct nomad.image.");
    if (!image.includes("@sha256:"))
      return warn(`image "${image}" exists, by a tag that may move`, "Name it by digest (…@sha256:…): all workers must be the same build.");
    return ok(`"${image}" exists`);
  } catch (thrown) {
    return fail(`registry ${registry} does not answer: ${causeOf(thrown)}`, "Start the registry, or correct nomad.image.");
  }
}

function causeOf(thrown: unknown): string {
  return toAppError(thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown).message;
}
