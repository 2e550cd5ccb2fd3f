/**
 * What a peer with valid keys can do to the core that is shipped: it sends any frames after the
 * handshake. `deno task quic:test` does the same at length, natively and with all checks of Rust.
 */
import assert from "node:assert/strict";
import type { Connection } from "../../lib/quic/connection.ts";
import { insecureServerTls } from "../../lib/quic/insecure_tls.ts";
import type { QuicStream } from "../../lib/quic/quic_stream.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { hostileCore } from "./_hostile_core.ts";
import { Hub } from "./_hub.ts";

const VICTIM = "bar:control";
/** Hostile connections in each direction. */
const CONNECTIONS = 200;
const ROUNDS = 60;
/** The original's protocol, or ours with few or many streams. */
const STREAMS = [0, 3, 16];

class Dice {
  readonly #random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(bound: number): number {
    return new DataView(this.#random.fill(new Uint8Array(4)).buffer).getUint32(0) % bound;
  }
}

/** Whatever a user may do with a stream, in any order; failures are what a broken peer brings. */
function use(stream: QuicStream, dice: Dice): void {
  const ignore = () => {};
  switch (dice.below(12)) {
    case 0:
      return stream.close();
    case 1:
      return stream.abort();
    case 2:
      return void stream.closeWrite().catch(ignore);
    case 3:
    case 4:
    case 5:
      return void stream.write(new Uint8Array(1 + dice.below(3_000))).catch(ignore);
    default:
      return void stream.read(new Uint8Array(1 + dice.below(10_000))).catch(ignore);
  }
}

/**
 * One hostile connection, used at random by both sides. Returns whether the victim ended it as
 * broken.
 */
async function attack(hub: Hub, seed: number, attackerDials: boolean): Promise<boolean> {
  const dice = new Dice(seed);
  const hostile = `evil${seed}:x`;
  using attacker = await hub.add(hostile, {
    core: hostileCore,
    random: seededRandom(seed),
    server: insecureServerTls(),
    limits: { maxStreams: STREAMS[seed % STREAMS.length]! },
    // It may stumble over its own nonsense.
    onError: () => {},
  });
  const [from, to] = attackerDials ? [hostile, VICTIM] : [VICTIM, hostile];
  const connections: Connection[] = [await hub.run(hub.dial(from, to))];
  const streams: QuicStream[] = [];
  const take = (connection: Connection) =>
    connection.acceptStream().then((stream) => {
      streams.push(stream);
      take(connection);
    }, () => {});
  for (let round = 0; round < ROUNDS; round++) {
    const accepted = hub.accepted(to).filter(({ remote }) => remote === from);
    for (const connection of accepted) {
      if (connections.includes(connection)) continue;
      connections.push(connection);
      take(connection);
    }
    const opened = connections[0]!.ended ? undefined : connections[0]!.tryOpenStream();
    if (opened) streams.push(opened);
    for (let i = 0; i < 4 && streams.length > 0; i++) {
      use(streams[dice.below(streams.length)]!, dice);
    }
    await hub.clock.advance(dice.below(20) === 0 ? 2_000 : 1 + dice.below(60));
  }
  attacker.close();
  const victims = attackerDials ? connections[1] : connections[0];
  return victims?.ended?.ending === "refused";
}

for (const attackerDials of [true, false]) {
  const who = attackerDials ? "a dialling peer" : "a service that is dialled";
  Deno.test(`${who} breaks nothing after the handshake, whatever it sends`, async () => {
    using hub = await Hub.create(VICTIM, "foo:a");
    let refused = 0;
    for (let seed = 1; seed <= CONNECTIONS; seed++) {
      if (await attack(hub, seed, attackerDials)) refused++;
    }
    assert.ok(refused > CONNECTIONS / 10, `${refused} broke the protocol in a way that shows`);
    assert.deepEqual(hub.errors, []);
    const { near, far } = await hub.open("foo:a", VICTIM);
    await near.write(Uint8Array.of(5));
    assert.equal(await hub.run(far.read(new Uint8Array(8))), 1, "others are still served");
  });
}
