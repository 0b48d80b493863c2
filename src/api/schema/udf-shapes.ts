/** Shapes of user-defined functions, as Arroyo has them; the language is TypeScript. */
import { z } from "zod";
import { micros, optional } from "./shape.ts";

/** Characters of a definition at most: the planner's own limit. */
const DEFINITION_MAX = 262_144;
const definition = z.string().max(DEFINITION_MAX, `must have at most ${DEFINITION_MAX} characters`);
const language = optional(z.string()).meta({ description: '"typescript"' });

/** A folder of the editor's tree. */
const prefix = z
  .string()
  .max(255)
  .regex(/^(?:[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*)?\/?$/, "must be names of letters, digits, - and _ with / between them");

/** A function in a request. */
export const udfPost = z
  .strictObject({ prefix: optional(prefix), language, definition, description: optional(z.string().max(10_000)) })
  .meta({ id: "UdfPost" });

/** A definition to be checked. */
export const validateUdfPost = z.strictObject({ definition, language }).meta({ id: "ValidateUdfPost" });

const problem = z.object({ message: z.string(), line: z.int(), column: z.int(), start: z.int(), end: z.int() }).meta({ id: "UdfProblem" });

const signature = z
  .object({
    parameters: z.array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() })),
    result: z.object({ type: z.string(), nullable: z.boolean() }),
  })
  .meta({ id: "UdfSignature" });

/** What a check found: `errors` as Arroyo's texts, `problems` with their places. */
export const udfValidationShape = z
  .object({ udf_name: z.string().nullable(), errors: z.array(z.string()), problems: z.array(problem), signature: signature.nullable() })
  .meta({ id: "UdfValidationResult" });

/** A function. */
export const globalUdfShape = z
  .object({
    id: z.string(),
    prefix: z.string(),
    name: z.string(),
    created_at: micros,
    updated_at: micros,
    definition: z.string(),
    description: z.string(),
    dylib_url: z.null().meta({ description: "Arroyo's: functions are compiled into the pipeline here" }),
    language: z.string(),
    signature,
  })
  .meta({ id: "GlobalUdf" });
