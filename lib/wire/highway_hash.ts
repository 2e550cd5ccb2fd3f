/**
 * HighwayHash-64 (Alakuijala, Cox, Wassenberg: "Fast keyed hash/pseudo-random function using SIMD
 * multiply and permute", 2016), by its portable definition. The mesh hashes each node id once, so
 * plain 64-bit arithmetic on bigints is fast enough and needs no loading; the packages on npm are
 * native or WebAssembly modules.
 */

const MASK_32 = 0xffff_ffffn;
const PACKET_BYTES = 32;

const MUL0 = [
  0xdbe6d5d5fe4cce2fn,
  0xa4093822299f31d0n,
  0x13198a2e03707344n,
  0x243f6a8885a308d3n,
] as const;
const MUL1 = [
  0x3bd39e10cb0ef593n,
  0xc0acf169b5f18a8cn,
  0xbe5466cf34e90c6cn,
  0x452821e638d01377n,
] as const;

type Lanes = [bigint, bigint, bigint, bigint];

interface State {
  v0: Lanes;
  v1: Lanes;
  mul0: Lanes;
  mul1: Lanes;
}

/** The 64-bit hash of `data` under a 32-byte `key`. */
export function highwayHash64(key: Uint8Array, data: Uint8Array): bigint {
  if (key.length !== PACKET_BYTES) {
    throw new RangeError(`a HighwayHash key has ${PACKET_BYTES} bytes, not ${key.length}`);
  }
  const keyLanes = lanesOf(key);
  const state: State = {
    v0: mapLanes((i) => MUL0[i]! ^ keyLanes[i]!),
    v1: mapLanes((i) => MUL1[i]! ^ swapHalves(keyLanes[i]!)),
    mul0: [...MUL0],
    mul1: [...MUL1],
  };
  const whole = data.length - (data.length % PACKET_BYTES);
  for (let at = 0; at < whole; at += PACKET_BYTES) {
    update(state, lanesOf(data.subarray(at, at + PACKET_BYTES)));
  }
  if (whole < data.length) updateRemainder(state, data.subarray(whole));
  for (let round = 0; round < 4; round++) {
    const [a, b, c, d] = state.v0;
    update(state, [swapHalves(c), swapHalves(d), swapHalves(a), swapHalves(b)]);
  }
  return u64(state.v0[0] + state.v1[0] + state.mul0[0] + state.mul1[0]);
}

function update({ v0, v1, mul0, mul1 }: State, lanes: Lanes): void {
  for (let i = 0; i < 4; i++) {
    v1[i] = u64(v1[i]! + mul0[i]! + lanes[i]!);
    mul0[i] = mul0[i]! ^ ((v1[i]! & MASK_32) * (v0[i]! >> 32n));
    v0[i] = u64(v0[i]! + mul1[i]!);
    mul1[i] = mul1[i]! ^ ((v0[i]! & MASK_32) * (v1[i]! >> 32n));
  }
  zipperMergeAndAdd(v0, v1, 0);
  zipperMergeAndAdd(v0, v1, 2);
  zipperMergeAndAdd(v1, v0, 0);
  zipperMergeAndAdd(v1, v0, 2);
}

/** Adds the shuffled bytes of two lanes of `from` to the same two lanes of `to`. */
function zipperMergeAndAdd(to: Lanes, from: Lanes, lane: 0 | 2): void {
  const low = from[lane];
  const high = from[(lane + 1) as 1 | 3];
  to[lane] = u64(
    to[lane] +
      ((((low & 0xff000000n) | (high & 0xff00000000n)) >> 24n) |
        (((low & 0xff0000000000n) | (high & 0xff000000000000n)) >> 16n) |
        (low & 0xff0000n) |
        ((low & 0xff00n) << 32n) |
        ((high & 0xff00000000000000n) >> 8n) |
        u64(low << 56n)),
  );
  to[(lane + 1) as 1 | 3] = u64(
    to[(lane + 1) as 1 | 3] +
      ((((high & 0xff000000n) | (low & 0xff00000000n)) >> 24n) |
        (high & 0xff0000n) |
        ((high & 0xff0000000000n) >> 16n) |
        ((high & 0xff00n) << 24n) |
        ((low & 0xff000000000000n) >> 8n) |
        ((high & 0xffn) << 48n) |
        (low & 0xff00000000000000n)),
  );
}

/** Adds the last 1 to 31 bytes, spread over one packet. */
function updateRemainder(state: State, rest: Uint8Array): void {
  const size = rest.length;
  const tail = size & 3;
  const whole = size - tail;
  const count = BigInt(size);
  for (let i = 0; i < 4; i++) {
    state.v0[i] = u64(state.v0[i]! + (count << 32n) + count);
    state.v1[i] = rotateHalves(state.v1[i]!, count);
  }
  const packet = new Uint8Array(PACKET_BYTES);
  packet.set(rest.subarray(0, whole));
  if (size & 16) {
    packet.set(rest.subarray(size - 4), 28);
  } else if (tail > 0) {
    packet[16] = rest[whole]!;
    packet[17] = rest[whole + (tail >> 1)]!;
    packet[18] = rest[size - 1]!;
  }
  update(state, lanesOf(packet));
}

function lanesOf(packet: Uint8Array): Lanes {
  const view = new DataView(packet.buffer, packet.byteOffset, PACKET_BYTES);
  return mapLanes((i) => view.getBigUint64(8 * i, true));
}

function mapLanes(lane: (index: number) => bigint): Lanes {
  return [lane(0), lane(1), lane(2), lane(3)];
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function swapHalves(value: bigint): bigint {
  return (value >> 32n) | ((value & MASK_32) << 32n);
}

/** Rotates each 32-bit half to the left by 1 to 31 bits. */
function rotateHalves(value: bigint, by: bigint): bigint {
  const rotate = (half: bigint) => ((half << by) | (half >> (32n - by))) & MASK_32;
  return (rotate(value >> 32n) << 32n) | rotate(value & MASK_32);
}
