/** CRC-32 (zlib's polynomial), the checksum of records and table files. It finds every flipped bit and every damaged run up to 32 bits. */
import { crc32 } from "node:zlib";

/** Checksum of `bytes`, going on from that of what came before (0 at the beginning). A u32. */
export function checksumOf(bytes: Uint8Array, before = 0): number {
  // zlib takes an empty buffer without memory as the request for the initial value and would forget `before`.
  return bytes.length === 0 ? before : crc32(bytes, before);
}
