/**
 * The part of Terraform's plugin protocol (version 6) that a stand-in for a provider needs, written out by field numbers: a provider's schema
 * as a message, the few other answers, and the dynamic values in them. Terraform sends values as MessagePack and takes JSON as well, we
 * speak the first. https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { decodeMessagePack, encodeMessagePack } from "./message-pack.ts";
import type { ProviderSchema, SchemaAttribute, SchemaBlock, SchemaNestedBlock, TypeSchema } from "./schema.ts";

/** Numbers of the ways in which blocks nest. */
const NESTING = { single: 1, list: 2, set: 3, map: 4 } as const;

/** Begins a message of its own in field `field`. */
function nested(writer: BinaryWriter, field: number, write: (writer: BinaryWriter) => void): void {
  writer.tag(field, 2).fork();
  write(writer);
  writer.join();
}

function writeAttribute(writer: BinaryWriter, name: string, attribute: SchemaAttribute): void {
  writer.tag(1, 2).string(name);
  if (attribute.type !== undefined) writer.tag(2, 2).string(JSON.stringify(attribute.type));
  const flags = [attribute.required, attribute.optional, attribute.computed, attribute.sensitive];
  for (const [at, flag] of flags.entries()) if (flag === true) writer.tag(4 + at, 0).bool(true);
  const object = attribute.nested_type;
  if (object !== undefined) {
    nested(writer, 10, (inner) => {
      for (const [member, type] of Object.entries(object.attributes)) nested(inner, 1, (one) => writeAttribute(one, member, type));
      inner.tag(3, 0).int32(NESTING[object.nesting_mode]);
    });
  }
  if (attribute.write_only === true) writer.tag(11, 0).bool(true);
}

function writeNestedBlock(
  writer: BinaryWriter,
  name: string,
  { block, nesting_mode, min_items = 0, max_items = 0 }: SchemaNestedBlock,
): void {
  writer.tag(1, 2).string(name);
  nested(writer, 2, (inner) => writeBlock(inner, block));
  writer.tag(3, 0).int32(NESTING[nesting_mode]);
  writer.tag(4, 0).int64(min_items);
  writer.tag(5, 0).int64(max_items);
}

function writeBlock(writer: BinaryWriter, block: SchemaBlock): void {
  for (const [name, attribute] of Object.entries(block.attributes ?? {})) nested(writer, 2, (one) => writeAttribute(one, name, attribute));
  for (const [name, type] of Object.entries(block.block_types ?? {})) nested(writer, 3, (one) => writeNestedBlock(one, name, type));
}

function writeSchema(writer: BinaryWriter, schema: TypeSchema): void {
  writer.tag(1, 0).int64(schema.version);
  nested(writer, 2, (inner) => writeBlock(inner, schema.block));
}

/** The answer to GetProviderSchema. */
export function encodeProviderSchema(schema: ProviderSchema): Uint8Array {
  const writer = new BinaryWriter();
  nested(writer, 1, (inner) => writeSchema(inner, schema.provider));
  const groups = [
    [2, schema.resource_schemas],
    [3, schema.data_source_schemas],
    [8, schema.ephemeral_resource_schemas],
  ] as const;
  for (const [field, types] of groups) {
    for (const [name, type] of Object.entries(types)) {
      nested(writer, field, (entry) => {
        entry.tag(1, 2).string(name);
        nested(entry, 2, (inner) => writeSchema(inner, type));
      });
    }
  }
  // That the schema need not be asked for again: else Terraform does so for every instance of the provider, and reads it anew.
  nested(writer, 6, (inner) => inner.tag(2, 0).bool(true));
  return writer.finish();
}

/** A request about one object of a type: its name and the values that it comes with, by the number of their field. */
export interface TypeRequest {
  readonly type: string;
  readonly values: ReadonlyMap<number, unknown>;
}

/** Reads a request whose first field is a type's name and whose other fields are dynamic values, which those in `fields` are. */
export function decodeTypeRequest(bytes: Uint8Array, fields: readonly number[]): TypeRequest {
  const reader = new BinaryReader(bytes);
  const values = new Map<number, unknown>();
  let type = "";
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) type = reader.string();
    else if (fields.includes(field)) values.set(field, decodeDynamicValue(reader.bytes()));
    else reader.skip(wire);
  }
  return { type, values };
}

/** Reads a request whose first field is a type's name and whose field 3 is a state as it is stored, in JSON. */
export function decodeStoredState(bytes: Uint8Array): { readonly type: string; readonly state: unknown } {
  const reader = new BinaryReader(bytes);
  let type = "";
  let state: unknown;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) type = reader.string();
    else if (field === 3) {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) {
        const [inner, innerWire] = reader.tag();
        if (inner === 1) state = JSON.parse(reader.string());
        else reader.skip(innerWire);
      }
    } else reader.skip(wire);
  }
  return { type, state };
}

/** An answer with a dynamic value in field `field`, and `true` in the fields of `flags`. */
export function encodeDynamicAnswer(field: number, value: unknown, flags: readonly number[] = []): Uint8Array {
  const writer = new BinaryWriter();
  nested(writer, field, (inner) => inner.tag(1, 2).bytes(encodeMessagePack(value)));
  for (const flag of flags) writer.tag(flag, 0).bool(true);
  return writer.finish();
}

function decodeDynamicValue(bytes: Uint8Array): unknown {
  const reader = new BinaryReader(bytes);
  let value: unknown;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) value = decodeMessagePack(reader.bytes());
    else if (field === 2) value = JSON.parse(reader.string());
    else reader.skip(wire);
  }
  return value;
}
