/** The core's own cipher against RFC 8439 and against node:crypto's. */
import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { Core } from "../../lib/quic/core.ts";
import { loadCore } from "../../lib/quic/load_core.ts";
import { seededRandom } from "../sim/seeded_random.ts";

interface Message {
  key: Uint8Array;
  nonce: Uint8Array;
  header: Uint8Array;
  data: Uint8Array;
}

function argument({ key, nonce, header, data }: Message): Uint8Array {
  return Uint8Array.from([...key, ...nonce, ...header, ...data]);
}

async function startCore(): Promise<Core> {
  return new Core(await loadCore(), {
    random: seededRandom(1),
    verify: () => undefined,
    coreBroke: (error) => assert.fail(error),
  });
}

function seal(core: Core, message: Message): Uint8Array {
  core.call.check_seal(core.pass(argument(message)), message.header.length);
  return core.output().slice();
}

/** The data, or undefined if the tag does not match. */
function open(core: Core, message: Message): Uint8Array | undefined {
  const opens = core.call.check_open(core.pass(argument(message)), message.header.length);
  return opens ? core.output().slice() : undefined;
}

function sealElsewhere({ key, nonce, header, data }: Message): Uint8Array {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  cipher.setAAD(header, { plaintextLength: data.length });
  return Uint8Array.from([...cipher.update(data), ...cipher.final(), ...cipher.getAuthTag()]);
}

const hex = (text: string) =>
  Uint8Array.from(text.match(/../g)!, (digits) => Number.parseInt(digits, 16));

Deno.test("the example of RFC 8439, 2.8.2, comes out byte for byte", async () => {
  const core = await startCore();
  const message: Message = {
    key: Uint8Array.from({ length: 32 }, (_, index) => 0x80 + index),
    nonce: hex("070000004041424344454647"),
    header: hex("50515253c0c1c2c3c4c5c6c7"),
    data: new TextEncoder().encode(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the " +
        "future, sunscreen would be it.",
    ),
  };
  const sealed = seal(core, message);
  assert.deepEqual(
    sealed,
    hex(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
        "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    ),
  );
  assert.deepEqual(open(core, { ...message, data: sealed }), message.data);
});

Deno.test("the core seals as other implementations do, at any length", async () => {
  const core = await startCore();
  const random = seededRandom(8439);
  const lengths = [...Array(600).keys(), 1199, 1452, 4095, 4096, 16_348, 65_535];
  for (const length of lengths) {
    const message: Message = {
      key: random.fill(new Uint8Array(32)),
      nonce: random.fill(new Uint8Array(12)),
      header: random.fill(new Uint8Array(length % 40)),
      data: random.fill(new Uint8Array(length)),
    };
    const sealed = seal(core, message);
    assert.deepEqual(sealed, sealElsewhere(message), `${length} bytes`);
    assert.deepEqual(open(core, { ...message, data: sealed }), message.data, `${length} bytes`);
  }
});

Deno.test("sums at the edge of the modulus are reduced as by other implementations", async () => {
  const core = await startCore();
  const random = seededRandom(1305);
  // Long runs of ones and zeros in the ciphertext make limbs full or empty.
  for (let round = 0; round < 500; round++) {
    const message: Message = {
      key: random.fill(new Uint8Array(32)),
      nonce: random.fill(new Uint8Array(12)),
      header: new Uint8Array(round % 33).fill(round % 2 ? 0xff : 0),
      data: new Uint8Array(16 * (1 + round % 9)),
    };
    // Data equal to the key stream, inverted or not, seals to all ones or zeros.
    const keystream = sealElsewhere(message).subarray(0, message.data.length);
    message.data = keystream.map((byte) => round % 3 ? ~byte : byte);
    assert.deepEqual(seal(core, message), sealElsewhere(message), `round ${round}`);
  }
});

Deno.test("nothing opens if one bit is changed anywhere", async () => {
  const core = await startCore();
  const random = seededRandom(77);
  const message: Message = {
    key: random.fill(new Uint8Array(32)),
    nonce: random.fill(new Uint8Array(12)),
    header: random.fill(new Uint8Array(11)),
    data: random.fill(new Uint8Array(90)),
  };
  const sealed = seal(core, message);
  for (let bit = 0; bit < 8 * sealed.length; bit += 3) {
    const data = sealed.slice();
    data[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(open(core, { ...message, data }), undefined, `bit ${bit}`);
  }
  const header = message.header.slice();
  header[5]! ^= 1;
  assert.equal(open(core, { ...message, header, data: sealed }), undefined);
  assert.equal(open(core, { ...message, data: sealed.subarray(0, 15) }), undefined);
});
