/** Placeholder until the state helper's emitter lands. */
import { userError } from "../../core/errors.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

export function emitWindowJoin(_context: EmitContext): VertexModule {
  throw userError("unsupported", "window-join");
}
