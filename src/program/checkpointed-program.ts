/**
 * What a checkpoint's manifest says of a program: the shape that `checkpoint/manifest.ts` asks for, which lies in the same row and knows no
 * program. Pure.
 */
import type { Edge, Program } from "./program.ts";

/** A vertex as manifests name it. */
export interface CheckpointedVertex {
  readonly vertex: number;
  readonly name: string;
  /** What state is matched by. */
  readonly fingerprint: string;
  /** Hash of the layout of its state tables; "" without state. */
  readonly stateSchema: string;
  /** Whether every row in is a row out, filtered, late or bad. */
  readonly rowWise: boolean;
}

/** Vertices whose rows all come out, are filtered, late or bad. */
const ROW_WISE: ReadonlySet<string> = new Set(["source", "compute"]);

/** `program` as manifests describe it; `stateSchemas`: hash of the state's layout by vertex, from the artifact. */
export function checkpointedProgram(
  program: Program,
  stateSchemas: Readonly<Record<number, string>>,
): { readonly fingerprint: string; readonly vertices: readonly CheckpointedVertex[]; readonly edges: readonly Edge[] } {
  const vertices = program.vertices.map(({ id, name, fingerprint, operator }) => ({
    vertex: id,
    name,
    fingerprint,
    stateSchema: stateSchemas[id] ?? "",
    rowWise: ROW_WISE.has(operator.kind),
  }));
  return { fingerprint: program.fingerprint, vertices, edges: program.edges };
}
