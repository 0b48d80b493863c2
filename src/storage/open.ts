/**
 * Opens an object store by its URL: `file:///dir` or a path, `memory://name`, `s3://bucket/prefix?endpoint=…&region=…`, and the form
 * `s3::http://host:port/bucket/prefix` that Arroyo's settings use.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type AppError, userError } from "../core/errors.ts";
import { LocalStore } from "./local.ts";
import { MemoryStore } from "./memory.ts";
import { objectPathFault } from "./object-path.ts";
import type { ObjectStore } from "./object-store.ts";
import { type S3Location, S3Store } from "./s3.ts";

/** Memory stores by name, so that the parts of one thread that open the same name meet. */
const memoryStores = new Map<string, MemoryStore>();

const S3_PARAMETERS = ["endpoint", "region", "path_style"];

/** Where a URL leads, parsed but not contacted. */
export type StoreLocation =
  | { readonly kind: "local"; readonly folder: string }
  | { readonly kind: "memory"; readonly name: string }
  | ({ readonly kind: "s3" } & S3Location);

/** Opens the store; contacts nothing (`probe` does). Throws `invalid-config` in words for what it cannot read. */
export async function openObjectStore(url: string): Promise<ObjectStore> {
  const location = parseStoreUrl(url);
  switch (location.kind) {
    case "local":
      return new LocalStore(location.folder);
    case "memory":
      return openMemoryStore(location.name);
    case "s3":
      return S3Store.open(location);
  }
}

/** The location that `url` names. A path without a scheme is taken from the working directory. */
export function parseStoreUrl(url: string): StoreLocation {
  if (url.trim() === "") throw invalid(url, "it is empty");
  const arroyo = /^s3::(https?:\/\/[^/?#]+)\/([^/?#]+)\/?([^?#]*)$/.exec(url);
  if (arroyo !== null) return s3Location(url, arroyo[2] ?? "", arroyo[3] ?? "", { endpoint: arroyo[1] });
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return { kind: "local", folder: resolve(url) };
    case "file":
      return { kind: "local", folder: localFolder(url) };
    case "memory":
      return { kind: "memory", name: parse(url).host };
    case "s3":
    case "s3a":
      return parseS3Url(url);
    default:
      throw invalid(url, `the scheme "${scheme}" is not known`);
  }
}

function openMemoryStore(name: string): MemoryStore {
  let store = memoryStores.get(name);
  if (store === undefined) {
    store = new MemoryStore(name);
    memoryStores.set(name, store);
  }
  return store;
}

function localFolder(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw invalid(url, "a file URL is file:///absolute/path", error);
  }
}

function parseS3Url(url: string): S3Location & { readonly kind: "s3" } {
  const parsed = parse(url);
  if (parsed.username !== "" || parsed.password !== "") {
    throw invalid(
      redact(url),
      "it carries credentials",
      undefined,
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role instead.",
    );
  }
  for (const name of parsed.searchParams.keys()) {
    if (!S3_PARAMETERS.includes(name)) throw invalid(url, `the parameter "${name}" is not one of ${S3_PARAMETERS.join(", ")}`);
  }
  const pathStyle = parsed.searchParams.get("path_style");
  if (pathStyle !== null && pathStyle !== "true" && pathStyle !== "false") throw invalid(url, `path_style must be true or false`);
  const endpoint = parsed.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint))
    throw invalid(url, "the endpoint must be http(s)://host[:port]");
  return s3Location(url, parsed.host, decodeURIComponent(parsed.pathname.slice(1)), {
    endpoint,
    region: parsed.searchParams.get("region") ?? undefined,
    ...(pathStyle === null ? {} : { pathStyle: pathStyle === "true" }),
  });
}

function s3Location(url: string, bucket: string, path: string, options: Partial<S3Location>): S3Location & { readonly kind: "s3" } {
  if (bucket === "") throw invalid(url, "it names no bucket");
  const prefix = path.replace(/\/+$/, "");
  const fault = prefix === "" ? undefined : objectPathFault(prefix);
  if (fault !== undefined) throw invalid(url, `its prefix is no path: ${fault}`);
  return { kind: "s3", bucket, prefix, ...options };
}

function parse(url: string): URL {
  try {
    return new URL(url);
  } catch (error) {
    throw invalid(url, "it is not a URL", error);
  }
}

function redact(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//…@");
}

function invalid(url: string, reason: string, cause?: unknown, hint?: string): AppError {
  return userError("invalid-config", `cannot open the object store "${url}": ${reason}`, {
    hint: hint ?? "Use a path, file:///dir, memory://name or s3://bucket/prefix?endpoint=http://host:port&region=….",
    ...(cause === undefined ? {} : { cause }),
  });
}
