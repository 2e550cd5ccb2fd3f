/**
 * Distinguished encoding rules (X.690), as far as certificates need them. Reading is strict on
 * purpose: under Deno's `node:tls`, rustls does not check a handshake's signature if it cannot read
 * the certificate, so anything malformed must be refused here rather than skipped.
 */

/** Tags as encoded in the first byte. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
  /** `[number]`, around a whole value (`constructed`) or in place of a primitive type's tag. */
  context: (number: number, options: { constructed: boolean }): number =>
    (options.constructed ? 0xa0 : 0x80) | number,
} as const;

/** The bytes are not the DER of what was expected. */
export class DerError extends SyntaxError {
  override readonly name = "DerError";
}

/** A tag, a length and what they enclose; both are views of the bytes that were read. */
export interface DerElement {
  readonly tag: number;
  /** Tag and length included. */
  readonly whole: Uint8Array;
  readonly contents: Uint8Array;
}

/** Reads one element after the other. Every method throws a `DerError` for anything unexpected. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Reads `bytes` as one element with `tag` and nothing after it; returns a reader of its contents.
   */
  static unwrap(bytes: Uint8Array, tag: number = Tag.sequence): DerReader {
    const outer = new DerReader(bytes);
    const inner = outer.enter(tag);
    outer.end();
    return inner;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next element's tag; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  element(): DerElement {
    const bytes = this.#bytes;
    const start = this.#at;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined) throw new DerError("data ends early");
    if ((tag & 0x1f) === 0x1f) throw new DerError("tag of more than one byte");
    let contentsAt = start + 2;
    let length = first;
    if (first >= 0x80) {
      // 65,535 bytes are enough for any certificate; rustls does not read more either.
      const lengthBytes = first & 0x7f;
      if (lengthBytes !== 1 && lengthBytes !== 2) throw new DerError("length out of range");
      length = 0;
      for (let i = 0; i < lengthBytes; i++) length = length << 8 | (bytes[contentsAt++] ?? 0);
      if (length < (lengthBytes === 1 ? 0x80 : 0x100)) throw new DerError("length is not minimal");
    }
    const end = contentsAt + length;
    if (end > bytes.length) throw new DerError("data ends early");
    this.#at = end;
    return {
      tag,
      whole: bytes.subarray(start, end),
      contents: bytes.subarray(contentsAt, end),
    };
  }

  /** The contents of the next element, which must have `tag`. */
  read(tag: number): Uint8Array {
    return this.expect(tag).contents;
  }

  /** The next element, which must have `tag`. */
  expect(tag: number): DerElement {
    if (this.nextTag !== tag) {
      const found = this.nextTag === undefined ? "the end" : `0x${this.nextTag.toString(16)}`;
      throw new DerError(`expected tag 0x${tag.toString(16)}, found ${found}`);
    }
    return this.element();
  }

  /** The contents of the next element if it has `tag`; otherwise nothing is read. */
  optional(tag: number): Uint8Array | undefined {
    return this.nextTag === tag ? this.read(tag) : undefined;
  }

  /** A reader of the contents of the next element, which must have `tag`. */
  enter(tag: number = Tag.sequence): DerReader {
    return new DerReader(this.read(tag));
  }

  end(): void {
    if (!this.atEnd) throw new DerError("data after the end");
  }

  /** A boolean that may be left out, which means false. */
  optionalBoolean(): boolean {
    const contents = this.optional(Tag.boolean);
    if (contents === undefined) return false;
    if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) {
      throw new DerError("malformed boolean");
    }
    return contents[0] === 0xff;
  }

  /** Bytes of an integer, big-endian, at least one. Throws for a negative one. */
  unsignedInteger(): Uint8Array {
    const contents = this.read(Tag.integer);
    const [first, second] = contents;
    if (first === undefined) throw new DerError("empty integer");
    if (first >= 0x80) throw new DerError("negative integer");
    if (first === 0 && second !== undefined && second < 0x80) {
      throw new DerError("integer is not minimal");
    }
    return first === 0 && second !== undefined ? contents.subarray(1) : contents;
  }

  /** An integer of at most 31 bits. */
  smallInteger(): number {
    const bytes = this.unsignedInteger();
    if (bytes.length > 4 || (bytes.length === 4 && bytes[0]! >= 0x80)) {
      throw new DerError("integer out of range");
    }
    return bytes.reduce((value, byte) => value << 8 | byte, 0);
  }

  /** Object identifier in dotted form. */
  oid(): string {
    return decodeOid(this.read(Tag.oid));
  }

  /** The bytes of a bit string whose length is a multiple of eight bits. */
  wholeBitString(): Uint8Array {
    const contents = this.read(Tag.bitString);
    if (contents[0] !== 0) throw new DerError("bit string is not made of whole bytes");
    return contents.subarray(1);
  }
}

/** Longest component that is sure to fit a `number`. */
const MAX_OID_COMPONENT_BYTES = 7;

function decodeOid(contents: Uint8Array): string {
  const components: number[] = [];
  let value = 0;
  let bytes = 0;
  for (const byte of contents) {
    if (bytes === 0 && byte === 0x80) throw new DerError("malformed object identifier");
    if (++bytes > MAX_OID_COMPONENT_BYTES) throw new DerError("object identifier out of range");
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      components.push(value);
      value = 0;
      bytes = 0;
    }
  }
  const first = components.shift();
  if (first === undefined || bytes > 0) throw new DerError("malformed object identifier");
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...components].join(".");
}

/** One element with `tag` around `parts`, in order. Throws a `RangeError` above 65,535 bytes. */
export function der(tag: number, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > 0xffff) throw new RangeError(`${length} bytes are too many for one element`);
  const header = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  const bytes = new Uint8Array(header.length + length);
  bytes.set(header);
  let at = header.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** An object identifier in dotted form as an element. */
export function derOid(dotted: string): Uint8Array<ArrayBuffer> {
  const [root = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const contents: number[] = [];
  for (const component of [root * 40 + second, ...rest]) {
    const bytes = [component % 128];
    for (let left = Math.floor(component / 128); left > 0; left = Math.floor(left / 128)) {
      bytes.unshift(left % 128 | 0x80);
    }
    contents.push(...bytes);
  }
  return der(Tag.oid, Uint8Array.from(contents));
}
