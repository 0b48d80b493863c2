/**
 * How the entries of a state table are laid out: after the 16 bytes of `runtime/group-table.ts` the key slots, then whatever
 * the operator keeps. Every value takes 8 bytes (text: address and length); NULL and other yes-or-no facts are flag bits.
 */

import { userError } from "../core/errors.ts";
import type { ScalarType } from "../data/data-type.ts";
import { integerShape, isInteger, isVariable } from "../data/data-type.ts";

/** A key column's place in an entry. `nullMask`: its bit in the flags that is set for NULL; 0 if it cannot be NULL. */
export interface KeySlot {
  readonly type: ScalarType;
  readonly nullable: boolean;
  readonly offset: number;
  readonly nullMask: number;
}

/** A bit of a u32 at `offset` of the entry. */
export interface FlagBit {
  readonly offset: number;
  readonly mask: number;
}

/** A slot that checkpoints contain: width 8, 4, or 0 for text. */
interface StateSlot {
  readonly offset: number;
  readonly width: number;
  readonly type: string;
}

const FLAGS_OFFSET = 8;
const WORD_OFFSET = 12;
const FIRST_SLOT = 16;
/** Bits 0–2 of the flags belong to the runtime. */
const FIRST_FLAG = 3;
const ENTRY_MAX = 65_472;

/** Builds a layout: keys first, then slots and flags in any order. */
export class EntryLayout {
  readonly #keys: KeySlot[] = [];
  readonly #slots: StateSlot[] = [
    { offset: 0, width: 8, type: "hash" },
    { offset: FLAGS_OFFSET, width: 4, type: "flags" },
    { offset: WORD_OFFSET, width: 4, type: "word" },
  ];
  #size = FIRST_SLOT;
  #flagOffset = FLAGS_OFFSET;
  #nextFlag = FIRST_FLAG;
  #inserted = 3;

  get keys(): readonly KeySlot[] {
    return this.#keys;
  }

  /** Bits of the flags that say which keys are NULL. */
  get nullMask(): number {
    return this.#keys.reduce((mask, k) => mask | k.nullMask, 0) >>> 0;
  }

  /** Bytes of an entry. Throws `unsupported` for one larger than a segment. */
  get size(): number {
    if (this.#size > ENTRY_MAX) throw userError("unsupported", `a state entry of ${this.#size} bytes is larger than ${ENTRY_MAX} bytes`);
    return this.#size;
  }

  /** Adds a key column; keys come before everything else. */
  key(type: ScalarType, nullable: boolean): KeySlot {
    const nullMask = nullable ? this.flag().mask : 0;
    if (this.#flagOffset !== FLAGS_OFFSET) throw userError("unsupported", "more than 29 nullable key columns are not supported");
    const slot = { type, nullable, offset: this.slot(type), nullMask };
    this.#inserted++;
    this.#keys.push(slot);
    return slot;
  }

  /** Adds the slot of a value set's value, which identifies the entry together with the keys. */
  member(type: ScalarType): KeySlot {
    this.#inserted++;
    return { type, nullable: false, nullMask: 0, offset: this.slot(type) };
  }

  /** Adds a slot for a value of `type` to the entry and to checkpoints; returns its offset. */
  slot(type: ScalarType): number {
    if (type.kind === "interval" || type.kind === "decimal")
      throw userError("unsupported", `state of type ${type.kind} is not supported yet`);
    return this.#add(isVariable(type) ? 0 : 8, type.kind);
  }

  /** Adds `words` 64-bit words to the entry and to checkpoints; returns the offset of the first. */
  words(words: number, what: string): number {
    const offsets = Array.from({ length: words }, () => this.#add(8, what));
    return offsets[0] ?? this.#size;
  }

  /** Adds a 64-bit word that checkpoints do not contain. */
  transient(): number {
    this.#size += 8;
    return this.#size - 8;
  }

  /** A free flag bit; clear in new entries. */
  flag(): FlagBit {
    if (this.#nextFlag === 32) {
      this.#flagOffset = this.#flagOffset !== FLAGS_OFFSET && this.#flagOffset % 8 === 0 ? this.#flagOffset + 4 : this.#add(8, "flags");
      this.#nextFlag = 0;
    }
    return { offset: this.#flagOffset, mask: (1 << this.#nextFlag++) >>> 0 };
  }

  #add(width: number, type: string): number {
    this.#slots.push({ offset: this.#size, width, type });
    this.#size += 8;
    return this.#size - 8;
  }

  /** The layout as `runtime/state-snapshot.ts` reads it. */
  encode(): Uint8Array {
    const words = [this.#slots.length, this.#inserted, ...this.#slots.flatMap((s) => [s.offset, s.width])];
    return new Uint8Array(Uint32Array.from(words).buffer);
  }

  /** Types of the checkpointed columns in order, and the flags in use: the part of the state schema that this table is. */
  schema(): readonly string[] {
    return [...this.#slots.map((s) => s.type), `${this.#flagOffset}+${this.#nextFlag}`];
  }

  /** Number of columns of the table's state frames. */
  get columns(): number {
    return this.#slots.length;
  }
}

/** Column of slot `i` of the keys in a state frame. */
export const FIRST_KEY_COLUMN = 3;

/** How values of a type are compared and held in an 8-byte slot. */
export type SlotClass = "signed" | "unsigned" | "float" | "text";

/** The slot class of `type`. */
export function slotClass(type: ScalarType): SlotClass {
  if (isVariable(type)) return "text";
  if (type.kind === "float32" || type.kind === "float64") return "float";
  if (type.kind === "boolean") return "unsigned";
  return isInteger(type) && !integerShape(type.kind).signed ? "unsigned" : "signed";
}

/** AssemblyScript type of a fixed-width slot class. */
export function slotLocal(kind: SlotClass): "i64" | "u64" | "f64" {
  return kind === "float" ? "f64" : kind === "unsigned" ? "u64" : "i64";
}
