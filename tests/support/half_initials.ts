/**
 * First packets of QUIC handshakes that carry the beginning of a ClientHello only, so that the
 * server has to wait for the rest. Anybody can seal such a packet: its keys follow from the
 * connection id in it (RFC 9001, 5.2).
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";

const INITIAL_SALT = Buffer.from("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "hex");
const VERSION_1 = Buffer.from([0, 0, 0, 1]);
const CONNECTION_ID_BYTES = 8;
/** An Initial is padded to this (RFC 9000, 14.1). */
const DATAGRAM_BYTES = 1200;
const PACKET_NUMBER_BYTES = 4;
const TAG_BYTES = 16;
/** Handshake type ClientHello, its length, TLS 1.2 as the version of old, and no session id. */
const BEGINNING = { type: 1, length: [0, 1, 44], version: [3, 3], sessionId: [0] };
/** All suites of TLS 1.3, and no compression. */
const SUITES = [0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0];

function halfClientHello(): Buffer {
  const { type, length, version, sessionId } = BEGINNING;
  return Buffer.from([type, ...length, ...version, ...randomBytes(32), ...sessionId, ...SUITES]);
}

function hmac(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** HKDF-Expand-Label of at most one block (RFC 8446, 7.1). */
function expandLabel(secret: Uint8Array, label: string, length: number): Buffer {
  const full = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, full.length]), full, Buffer.from([0, 1])]);
  return hmac(secret, info).subarray(0, length);
}

/** Two bytes of a varint. */
function varint2(value: number): Buffer {
  return Buffer.from([0x40 | value >> 8, value & 0xff]);
}

/** One datagram with half a ClientHello, of a connection of its own. */
export function halfInitial(): Uint8Array {
  const destination = randomBytes(CONNECTION_ID_BYTES);
  const source = randomBytes(CONNECTION_ID_BYTES);
  const hello = halfClientHello();
  const ids = [destination, source].flatMap((id) => [Buffer.from([id.length]), id]);
  const headBytes = 1 + VERSION_1.length + 2 * (1 + CONNECTION_ID_BYTES) + 1 + 2;
  const payload = Buffer.alloc(DATAGRAM_BYTES - headBytes - PACKET_NUMBER_BYTES - TAG_BYTES);
  // A CRYPTO frame at offset 0; the rest is PADDING.
  Buffer.concat([Buffer.from([0x06, 0]), varint2(hello.length), hello]).copy(payload);
  const header = Buffer.concat([
    Buffer.from([0xc0 | PACKET_NUMBER_BYTES - 1]),
    VERSION_1,
    ...ids,
    // No token.
    Buffer.from([0]),
    varint2(PACKET_NUMBER_BYTES + payload.length + TAG_BYTES),
    Buffer.alloc(PACKET_NUMBER_BYTES),
  ]);

  const secret = expandLabel(hmac(INITIAL_SALT, destination), "client in", 32);
  // With packet number 0 the nonce is the IV.
  const sealing = createCipheriv(
    "aes-128-gcm",
    expandLabel(secret, "quic key", 16),
    expandLabel(secret, "quic iv", 12),
  );
  sealing.setAAD(header);
  const sealed = Buffer.concat([sealing.update(payload), sealing.final(), sealing.getAuthTag()]);
  const masking = createCipheriv("aes-128-ecb", expandLabel(secret, "quic hp", 16), null);
  const mask = masking.update(sealed.subarray(4 - PACKET_NUMBER_BYTES, 20 - PACKET_NUMBER_BYTES));
  masking.setAutoPadding(false).final();
  header[0]! ^= mask[0]! & 0x0f;
  for (let i = 0; i < PACKET_NUMBER_BYTES; i++) {
    header[headBytes + i]! ^= mask[1 + i]!;
  }
  return new Uint8Array(Buffer.concat([header, sealed]));
}
