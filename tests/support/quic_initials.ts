/** First packets of QUIC handshakes that nobody continues. */
import { systemRandom } from "../../lib/base/random.ts";
import { Endpoint } from "../../lib/quic/endpoint.ts";
import { insecureClientTls } from "../../lib/quic/insecure_tls.ts";
import { settle, VirtualClock } from "../sim/virtual_clock.ts";

/** One datagram for each of `count` handshakes. */
export async function recordInitials(count: number): Promise<Uint8Array[]> {
  const initials: Uint8Array[] = [];
  const giveUp = new AbortController();
  using client = await Endpoint.create({
    clock: new VirtualClock(),
    random: systemRandom,
    send: (_to, datagram) => void initials.push(datagram.slice()),
    onError: reportError,
  });
  const dials = Array.from(
    { length: count },
    () =>
      client.connect("server:control", insecureClientTls(), "server", { signal: giveUp.signal })
        .catch(() => {}),
  );
  await settle();
  giveUp.abort();
  await Promise.all(dials);
  // The rest only says that the dials were given up.
  return initials.slice(0, count);
}
