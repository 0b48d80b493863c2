/**
 * The host's side of user-defined functions: turns cells into JavaScript values, calls, and turns the result back. A function runs in the
 * slot's thread and sees one row; what it throws, or gives of a wrong type, fails that row with the function's name and line.
 *
 * No sandbox is promised: whoever may create a function may run code in the worker.
 */
import { compileFunction } from "node:vm";
import { userError } from "../core/errors.ts";
import { isVariable, type ScalarType } from "../data/data-type.ts";
import { UDF_CELL, UDF_OUTCOME } from "../program/abi.ts";
import { type UdfDefinition, udfNumber } from "../program/udf.ts";

const NS_PER_MS = 1_000_000n;
const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

type Value = bigint | number | string | boolean | Date | null | undefined;

interface LoadedFunction {
  readonly definition: UdfDefinition;
  readonly call: (...args: readonly Value[]) => Value;
}

/** The functions of one slot. Used through `call`, which is the module's import, once `attach` has given it the memory. */
export class UdfHost {
  readonly #functions = new Map<number, LoadedFunction>();
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();
  #memory = new Uint8Array();
  #view = new DataView(new ArrayBuffer(0));
  #failure: string | undefined;
  readonly #entering: (number: number) => void;

  /** Loads the functions' text. Throws `invalid-udf` when one cannot be loaded. `entering` is told which function begins, and 0 when it is over. */
  constructor(definitions: readonly UdfDefinition[], entering: (number: number) => void = () => undefined) {
    this.#entering = entering;
    for (const definition of definitions) this.#functions.set(udfNumber(definition.id), { definition, call: load(definition) });
  }

  /** Gives it the module's memory. */
  attach(memory: ArrayBuffer): void {
    this.#memory = new Uint8Array(memory);
    this.#view = new DataView(memory);
  }

  /** Why the last call that failed did: "function f: message (line 3)". */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** See `ModuleImports.udf`. */
  readonly call = (number: number, frame: number): number => {
    const at = frame >>> 0;
    const loaded = this.#functions.get(number);
    if (loaded === undefined) return this.#fail(`function ${number} is not loaded`);
    const { parameters, result, name } = loaded.definition;
    this.#entering(number);
    try {
      const value = loaded.call(...parameters.map(({ type }, i) => this.#read(type, at + i * UDF_CELL)));
      return this.#write(name, result.type, result.nullable, value, at + parameters.length * UDF_CELL);
    } catch (error) {
      return this.#fail(`function ${name}: ${describe(error, name)}`);
    } finally {
      this.#entering(0);
    }
  };

  #fail(text: string): number {
    this.#failure = text;
    return UDF_OUTCOME.failed;
  }

  #read(type: ScalarType, at: number): Value {
    const view = this.#view;
    if (view.getUint32(at + 12, true) === 0) return null;
    if (isVariable(type)) {
      const start = view.getUint32(at, true);
      return this.#decoder.decode(this.#memory.subarray(start, start + view.getUint32(at + 8, true)));
    }
    if (type.kind === "float64") return view.getFloat64(at, true);
    const word = view.getBigInt64(at, true);
    if (type.kind === "boolean") return word !== 0n;
    if (type.kind !== "timestamp") return word;
    // Milliseconds towards the past, as a Date counts.
    return new Date(Number((word - (((word % NS_PER_MS) + NS_PER_MS) % NS_PER_MS)) / NS_PER_MS));
  }

  #write(name: string, type: ScalarType, nullable: boolean, value: Value, at: number): number {
    if (value === null || value === undefined) {
      if (nullable) return UDF_OUTCOME.null;
      return this.#fail(`function ${name}: gave ${value === null ? "null" : "undefined"}, but its signature says that it never does`);
    }
    if (type.kind === "text" && typeof value === "string") return this.#writeText(value, at);
    if (type.kind === "float64" && typeof value === "number") this.#view.setFloat64(at, value, true);
    else if (type.kind === "boolean" && typeof value === "boolean") this.#view.setBigInt64(at, value ? 1n : 0n, true);
    else if (type.kind === "int64" && typeof value === "bigint" && value >= I64_MIN && value <= I64_MAX)
      this.#view.setBigInt64(at, value, true);
    else if (type.kind === "timestamp" && value instanceof Date && !Number.isNaN(value.getTime()))
      this.#view.setBigInt64(at, BigInt.asIntN(64, BigInt(value.getTime()) * NS_PER_MS), true);
    else return this.#fail(`function ${name}: gave ${show(value)}, which is not a value of its result type`);
    return UDF_OUTCOME.value;
  }

  #writeText(text: string, at: number): number {
    const start = this.#view.getUint32(at, true);
    const capacity = this.#view.getUint32(at + 8, true);
    const { read, written } = this.#encoder.encodeInto(text, this.#memory.subarray(start, start + capacity));
    if (read < text.length) return UDF_OUTCOME.tooLarge;
    this.#view.setUint32(at + 8, written, true);
    return UDF_OUTCOME.value;
  }
}

function load({ name, javascript }: UdfDefinition): LoadedFunction["call"] {
  const exports: Record<string, unknown> = {};
  try {
    compileFunction(javascript, ["exports", "module"], { filename: `${name}.ts` })(exports, { exports });
  } catch (error) {
    throw userError("invalid-udf", `function "${name}" cannot be loaded: ${describe(error, name)}`, { cause: error });
  }
  const value = exports[name];
  if (typeof value !== "function") throw userError("invalid-udf", `function "${name}" is not exported by its definition`);
  return value as LoadedFunction["call"];
}

/** The message and the line of the function's own text. */
function describe(error: unknown, name: string): string {
  if (!(error instanceof Error) && Object.prototype.toString.call(error) !== "[object Error]") return `threw ${show(error)}`;
  const { message, stack = "" } = error as Error;
  const line = new RegExp(`${name.replace(/\W/g, ".")}\\.ts:(\\d+)`).exec(stack)?.[1];
  return line === undefined ? message : `${message} (line ${line})`;
}

function show(value: unknown): string {
  const text = typeof value === "bigint" ? `${value}n` : typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
