/**
 * What rustls-webpki says of chains, by way of the core of the hostile peer, of which it is a part.
 */
import { writeBlobs } from "../../lib/quic/blobs.ts";
import { hostileCore } from "../quic/_hostile_core.ts";

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  mailbox(): number;
  argument(length: number): number;
  second_opinion(nowSeconds: number, length: number): number;
}

export class Webpki {
  readonly #exports: Exports;

  constructor() {
    const unused = () => 0;
    const { exports } = new WebAssembly.Instance(hostileCore, {
      host: { random: unused, verify: unused, sign: unused, panicked: unused },
    });
    this.#exports = exports as unknown as Exports;
  }

  /** Why it refuses a chain, leaf first; undefined if it does not. */
  reason(
    chain: readonly Uint8Array[],
    { root, purpose, host, nowMs }: {
      root: Uint8Array;
      purpose: "server" | "client";
      /** "" for any. */
      host: string;
      nowMs: number;
    },
  ): string | undefined {
    const core = this.#exports;
    const encoder = new TextEncoder();
    const blobs = writeBlobs([encoder.encode(purpose), encoder.encode(host), root, ...chain]);
    // This may move the memory.
    const argumentAt = core.argument(blobs.length);
    new Uint8Array(core.memory.buffer).set(blobs, argumentAt);
    if (core.second_opinion(nowMs / 1000, blobs.length)) return undefined;
    const [at, length] = new Uint32Array(core.memory.buffer, core.mailbox(), 2);
    return new TextDecoder().decode(new Uint8Array(core.memory.buffer, at, length).slice());
  }
}
