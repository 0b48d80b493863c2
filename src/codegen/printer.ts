/**
 * Text of one AssemblyScript file under construction: imports are collected while printing, static data is pooled, names
 * are numbered. Callers never write an import line or a literal of the user's.
 */

/** Where the runtime lies, as seen from generated files. */
const RUNTIME = "../runtime/";

/** One generated file. */
export class Printer {
  readonly #imports = new Map<string, Set<string>>();
  readonly #data = new Map<string, string>();
  readonly #top: string[] = [];
  readonly #lines: string[] = [];
  #indent = "";
  #next = 0;

  /** A name that nothing else in the file has. */
  fresh(prefix: string): string {
    return `${prefix}${this.#next++}`;
  }

  /** `name`, imported from the runtime file `file` (without extension). */
  use(file: string, name: string): string {
    return this.import(`${RUNTIME}${file}.ts`, name);
  }

  /** `name`, imported from `path` as written in the import. */
  import(path: string, name: string): string {
    const names = this.#imports.get(path) ?? new Set();
    this.#imports.set(path, names.add(name));
    return name;
  }

  /** The runtime's `name`, imported as `alias` because the file declares `name` itself. */
  useAs(file: string, name: string, alias: string): string {
    this.import(`${RUNTIME}${file}.ts`, `${name} as ${alias}`);
    return alias;
  }

  /** `name` of the generated file of `path`, imported as `alias`. */
  importAs(path: string, name: string, alias: string): string {
    this.import(path, `${name} as ${alias}`);
    return alias;
  }

  /** Name of a static block that holds `bytes`, 16-byte aligned, with 64 readable bytes behind. Equal blocks are shared. */
  bytes(bytes: Uint8Array): string {
    const padded = [...bytes, ...new Array<number>(64).fill(0)];
    return this.#pooled(`memory.data<u8>([${padded.join(", ")}], 16)`);
  }

  /** Name of a static block of 64-bit integers. */
  words(words: readonly bigint[]): string {
    return this.#pooled(`memory.data<i64>([${words.map((w) => BigInt.asIntN(64, w)).join(", ")}], 16)`);
  }

  #pooled(initialiser: string): string {
    let name = this.#data.get(initialiser);
    if (name === undefined) {
      name = this.fresh("DATA");
      this.#data.set(initialiser, name);
    }
    return name;
  }

  /** A module-level declaration, printed before the functions. */
  declare(line: string): void {
    this.#top.push(line);
  }

  line(text: string): void {
    this.#lines.push(text === "" ? "" : this.#indent + text);
  }

  /** Prints `head {`, the body one level deeper, `}`. */
  block(head: string, body: () => void): void {
    this.line(`${head} {`);
    this.#nested(body);
    this.line("}");
  }

  /** Prints an if with both branches. */
  branch(condition: string, yes: () => void, no: () => void): void {
    this.line(`if (${condition}) {`);
    this.#nested(yes);
    this.line("} else {");
    this.#nested(no);
    this.line("}");
  }

  #nested(body: () => void): void {
    this.#indent += "  ";
    body();
    this.#indent = this.#indent.slice(2);
  }

  /** Lines printed by `body`, taken out of the file: for a function whose text decides what its caller looks like. */
  capture(body: () => void): readonly string[] {
    const start = this.#lines.length;
    body();
    return this.#lines.splice(start);
  }

  /** Puts captured lines back. */
  append(lines: readonly string[]): void {
    this.#lines.push(...lines);
  }

  /** Number of lines printed so far. */
  get length(): number {
    return this.#lines.length;
  }

  /** The whole file. */
  text(): string {
    const imports = [...this.#imports].map(([path, names]) => `import { ${[...names].sort().join(", ")} } from "${path}";`);
    const data = [...this.#data].map(([initialiser, name]) => `const ${name}: usize = ${initialiser};`);
    return [...imports, ...data, ...this.#top, ...this.#lines, ""].join("\n");
  }
}
