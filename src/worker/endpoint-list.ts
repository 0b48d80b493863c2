/**
 * Where controllers may be: what the worker was started with, or what a file says that somebody keeps up to date (Nomad's template of the
 * services), and what a leader has told. Nothing is forgotten for want of something newer: a file that is missing or empty leaves the list as
 * it was, because a worker without an address is lost.
 */
import { readFileSync } from "node:fs";
import { toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";

/** Where the list comes from. */
export type EndpointSource =
  | { readonly kind: "list"; readonly endpoints: readonly string[] }
  /** Lines or words "host:port"; read again whenever the worker has to dial. */
  | { readonly kind: "file"; readonly path: string };

/** See the file's comment. */
export class EndpointList {
  readonly #source: EndpointSource;
  readonly #logger: Logger;
  /** As the source has it. */
  #given: readonly string[];
  /** As a leader has told, itself first. */
  #learnt: readonly string[] = [];
  /** The file is newer than what was learnt. */
  #newer = false;
  /** What is wrong with the file, so that it is said once. */
  #trouble = "";

  constructor(source: EndpointSource, logger: Logger) {
    this.#source = source;
    this.#logger = logger;
    this.#given = source.kind === "list" ? source.endpoints : [];
  }

  /** "host:port", the likeliest first; empty only as long as a file has never had one. */
  get all(): readonly string[] {
    const order = this.#newer ? [...this.#given, ...this.#learnt] : [...this.#learnt, ...this.#given];
    return [...new Set(order)];
  }

  /** Reads the file again; whether it says something else than the last time. */
  refresh(): boolean {
    if (this.#source.kind === "list") return false;
    const found = this.#read(this.#source.path);
    if (found === undefined || found.join() === this.#given.join()) return false;
    if (this.#given.length > 0) this.#logger.info("controllers have moved", { before: this.#given, now: found });
    this.#given = found;
    this.#newer = true;
    return true;
  }

  /** Takes what a leader says; an empty list says nothing. */
  learn(endpoints: readonly string[]): void {
    if (endpoints.length === 0) return;
    this.#learnt = [...endpoints];
    this.#newer = false;
  }

  #read(path: string): readonly string[] | undefined {
    try {
      const { endpoints, refused } = parseEndpoints(readFileSync(path, "utf8"));
      if (endpoints.length === 0) return this.#complain(`"${path}" names no controller`);
      if (refused.length > 0) this.#complain(`"${path}" has what is no host:port: ${refused.join(" ")}`);
      else this.#trouble = "";
      return endpoints;
    } catch (error) {
      return this.#complain(`"${path}" cannot be read: ${toAppError(error).message}`);
    }
  }

  #complain(trouble: string): undefined {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#logger.warn("the list of controllers is not what it should be; the last known ones are kept", { trouble, known: this.all });
  }
}

/** "host:port" of a text with one or more per line, with or without "http://"; `#` begins a comment. Pure. */
export function parseEndpoints(text: string): { readonly endpoints: readonly string[]; readonly refused: readonly string[] } {
  const words = text
    .split("\n")
    .flatMap((line) => line.replace(/#.*$/, "").split(/[\s,]+/))
    .map((word) => word.replace(/^https?:\/\//, "").replace(/\/$/, ""))
    .filter((word) => word !== "");
  const fits = (word: string): boolean => /^(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):[1-9]\d{0,4}$/.test(word);
  return { endpoints: [...new Set(words.filter(fits))], refused: words.filter((word) => !fits(word)) };
}
