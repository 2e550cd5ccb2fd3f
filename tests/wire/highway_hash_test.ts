import { equal, throws } from "node:assert/strict";
import { highwayHash64 } from "../../lib/wire/highway_hash.ts";
import { hashNodeId } from "../../lib/wire/node_id.ts";

const countingBytes = (length: number) => Uint8Array.from({ length }, (_, i) => i);

// The test vectors published with HighwayHash: key 0, 1, … 31, data 0, 1, … n - 1.
const VECTORS: [length: number, hash: bigint][] = [
  [0, 0x907a56de22c26e53n],
  [1, 0x7eab43aac7cddd78n],
  [2, 0xb8d0569ab0b53d62n],
  [3, 0x5c6befab8a463d80n],
  [4, 0xf205a46893007edan],
  [5, 0x2b8a1668e4a94541n],
  [8, 0xe1205108e55f3171n],
  [15, 0x40793f86a449f33bn],
  [16, 0xcfab3489f97eb832n],
  [17, 0x19fe67d2c8c5c0e2n],
  [31, 0x9fc7007ccf035a68n],
  [32, 0xa0c964d9ecd580fcn],
  [33, 0x2c90f73ca03181fcn],
  [63, 0xab8eebe9bf2139a0n],
  [64, 0x75542c5d4cd2a6ffn],
];

for (const [length, hash] of VECTORS) {
  Deno.test(`highwayHash64 matches the published vector of ${length} bytes`, () => {
    equal(highwayHash64(countingBytes(32), countingBytes(length)), hash);
  });
}

Deno.test("highwayHash64 refuses a key of the wrong length", () => {
  throws(() => highwayHash64(new Uint8Array(31), new Uint8Array()), RangeError);
});

Deno.test("hashNodeId gives what the Go daemon puts into packets", () => {
  equal(hashNodeId("foo").high, 0xef7a78b6);
  equal(hashNodeId("foo").low, 0x7f92bdf7);
  equal(hashNodeId("bar").high, 0x14ef88ca);
  equal(hashNodeId("bar").low, 0x522894d1);
});
