/** Placeholder until the state helper's emitter lands. */
import { userError } from "../../core/errors.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

export function emitWindowAggregate(_context: EmitContext): VertexModule {
  throw userError("unsupported", "window-aggregate");
}
