/** `wadi kubernetes render`: the manifests that run Wadi in Kubernetes, or the Job that a pipeline's workers would be. Nothing is asked of a cluster. */
import type { LoadedConfig } from "../../core/config.ts";
import { renderSystem, SECRET_NAME } from "../../scheduler/kubernetes/manifests.ts";
import { renderRun } from "../../scheduler/kubernetes/spec.ts";
import { exampleRun } from "../example-run.ts";
import { EXIT, print, say } from "../output.ts";

/** Arguments of `render`. */
export interface RenderArguments {
  /** File with the SQL, "-" for stdin; undefined: Wadi itself. */
  readonly query: string | undefined;
  /** From 1. */
  readonly parallelism: number;
}

/** Prints YAML; the exit code. */
export async function render({ query, parallelism }: RenderArguments, { config }: LoadedConfig): Promise<number> {
  const { dumpYaml } = await import("@kubernetes/client-node");
  const yaml = (object: object): string => dumpYaml(object, { noRefs: true, lineWidth: -1 });
  if (query !== undefined) {
    const spec = await exampleRun(query, parallelism, config);
    if (spec === undefined) return EXIT.usage;
    print(yaml(renderRun(spec, config, config["kubernetes.namespace"] ?? "wadi").job));
    return EXIT.done;
  }
  print(renderSystem(config).map(yaml).join("---\n"));
  say(`The secret "${SECRET_NAME}" with the keys database-password and session-token is yours to make: its values are in no manifest.`);
  if (config["kubernetes.worker.image"] === undefined) say('kubernetes.worker.image is not set: the image "wadi" stands in its place.');
  if (!/^s3:/.test(config["checkpoint-url"]))
    say("checkpoint-url is no s3:// URL: pods share no directory, unless a volume of theirs is one.");
  return EXIT.done;
}
