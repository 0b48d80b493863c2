/**
 * MessagePack as Terraform writes its values: JSON's types, and one extension for a value that is not known yet. https://msgpack.org
 */
/** Stands for a value that Terraform does not know yet. */
export const UNKNOWN: unique symbol = Symbol("unknown");

/** Reads one MessagePack value as Terraform writes them: no binary strings, extensions for unknown values only. */
export function decodeMessagePack(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = (size: 1 | 2 | 4): number => {
    const value = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at);
    at += size;
    return value;
  };
  const text = (length: number): string => {
    at += length;
    return new TextDecoder().decode(bytes.subarray(at - length, at));
  };
  const array = (length: number): unknown[] => Array.from({ length }, () => read());
  const map = (length: number): Record<string, unknown> => Object.fromEntries(Array.from({ length }, () => [String(read()), read()]));
  const extension = (length: number): unknown => {
    at += 1 + length;
    return UNKNOWN;
  };
  const wide = (size: number, value: () => number | bigint): number => {
    const result = Number(value());
    at += size;
    return result;
  };
  const byCode: Readonly<Record<number, () => unknown>> = {
    192: () => null,
    194: () => false,
    195: () => true,
    199: () => extension(number(1)),
    202: () => wide(4, () => view.getFloat32(at)),
    203: () => wide(8, () => view.getFloat64(at)),
    204: () => number(1),
    205: () => number(2),
    206: () => number(4),
    207: () => wide(8, () => view.getBigUint64(at)),
    208: () => wide(1, () => view.getInt8(at)),
    209: () => wide(2, () => view.getInt16(at)),
    210: () => wide(4, () => view.getInt32(at)),
    211: () => wide(8, () => view.getBigInt64(at)),
    212: () => extension(1),
    213: () => extension(2),
    214: () => extension(4),
    217: () => text(number(1)),
    218: () => text(number(2)),
    219: () => text(number(4)),
    220: () => array(number(2)),
    221: () => array(number(4)),
    222: () => map(number(2)),
    223: () => map(number(4)),
  };
  const read = (): unknown => {
    const code = number(1);
    if (code < 0x80) return code;
    if (code < 0x90) return map(code & 0x0f);
    if (code < 0xa0) return array(code & 0x0f);
    if (code < 0xc0) return text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    return byCode[code]?.();
  };
  return read();
}

/** The header of a text, an array or a map of `length`: its short form, or a code with two or four bytes of length. */
function header(length: number, short: number, limit: number, code: number): Buffer {
  if (length < limit) return Buffer.from([short | length]);
  const bytes = Buffer.alloc(5);
  if (length > 0xffff) {
    bytes[0] = code + 1;
    bytes.writeUInt32BE(length, 1);
    return bytes;
  }
  bytes[0] = code;
  bytes.writeUInt16BE(length, 1);
  return bytes.subarray(0, 3);
}

function encodeNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 0x80) return Buffer.from([value]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** Writes a value of JSON's types, or `UNKNOWN`, as MessagePack; undefined as null. */
export function encodeMessagePack(value: unknown): Uint8Array {
  if (value === UNKNOWN) return Buffer.from([0xd4, 0, 0]);
  if (value === null || value === undefined) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([header(text.length, 0xa0, 32, 0xda), text]);
  }
  if (Array.isArray(value)) return Buffer.concat([header(value.length, 0x90, 16, 0xdc), ...value.map(encodeMessagePack)]);
  const entries = Object.entries(value);
  return Buffer.concat([header(entries.length, 0x80, 16, 0xde), ...entries.flatMap((pair) => pair.map(encodeMessagePack))]);
}
