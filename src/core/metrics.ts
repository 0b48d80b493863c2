/**
 * Counters of a process in Prometheus' form: one registry that is passed down, with those of Node itself under our own prefix. Names start
 * with `wadi_`.
 */
import { collectDefaultMetrics, Registry } from "prom-client";

/** The event loop's delay is sampled so often: each time wakes the process, of which there may be hundreds on a machine. */
const LOOP_PRECISION_MS = 500;

/** A new registry with the process' own figures: CPU, memory, event loop, garbage collection. */
export function makeRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "wadi_", eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  return registry;
}

interface Family {
  readonly comments: string[];
  readonly samples: string[];
}

/**
 * Several expositions in Prometheus' text form as one: the lines of a metric stay together, as the form wants it, and each sample gets the
 * label `service` with the name of its part, unless it has one.
 */
export function mergeExpositions(parts: ReadonlyMap<string, string>): string {
  const families = new Map<string, Family>();
  for (const [service, text] of parts) addExposition(families, service, text);
  return [...families.values()]
    .flatMap(({ comments, samples }) => [...comments, ...samples])
    .join("\n")
    .concat("\n");
}

function addExposition(families: Map<string, Family>, service: string, text: string): void {
  let current: Family = { comments: [], samples: [] };
  for (const line of text.split("\n")) {
    const comment = /^# (?:HELP|TYPE) (\S+)/.exec(line);
    if (comment?.[1] !== undefined) {
      current = familyOf(families, comment[1]);
      if (!current.comments.some((known) => known.startsWith(line.slice(0, "# HELP ".length) + comment[1]))) current.comments.push(line);
    } else if (line !== "" && !line.startsWith("#")) current.samples.push(withService(line, service));
  }
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const family = families.get(name) ?? { comments: [], samples: [] };
  families.set(name, family);
  return family;
}

function withService(sample: string, service: string): string {
  const match = /^([a-zA-Z_:][\w:]*)(\{.*\})?( .*)$/.exec(sample);
  if (match === null) return sample;
  const [, name = "", labels = "{}", value = ""] = match;
  if (/[{,]service="/.test(labels)) return sample;
  const rest = labels === "{}" ? "" : `,${labels.slice(1, -1)}`;
  return `${name}{service="${service}"${rest}}${value}`;
}
