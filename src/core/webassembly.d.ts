/**
 * The part of the WebAssembly JavaScript API that Wadi uses, which Node has and its type package leaves to the DOM library; that one would
 * also declare a browser's globals. Specification: https://webassembly.github.io/spec/js-api/
 */
declare namespace WebAssembly {
  /** A compiled module; immutable, can be posted to other threads. */
  class Module {
    constructor(bytes: BufferSource);
    private readonly brand;
    static exports(module: Module): { name: string; kind: ImportExportKind }[];
    static imports(module: Module): { module: string; name: string; kind: ImportExportKind }[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }

  /** A module with its memory and imports. */
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  /** Linear memory in pages of 64 KiB. Its buffer is detached when it grows, unless it is shared. */
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }

  /** A value outside of linear memory. */
  class Global {
    constructor(descriptor: { value: string; mutable?: boolean }, value?: unknown);
    value: number | bigint;
  }

  /** A trap. */
  class RuntimeError extends Error {}
  /** Bytes that are no valid module. */
  class CompileError extends Error {}
  /** Imports that do not fit. */
  class LinkError extends Error {}

  type ImportExportKind = "function" | "global" | "memory" | "table" | "tag";
  type BufferSource = ArrayBuffer | ArrayBufferView<ArrayBuffer>;
  type ImportValue = Memory | Global | number | ((...args: never[]) => unknown);
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, unknown>;

  function compile(bytes: BufferSource): Promise<Module>;
  function instantiate(bytes: BufferSource, imports?: Imports): Promise<{ module: Module; instance: Instance }>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function validate(bytes: BufferSource): boolean;
}
