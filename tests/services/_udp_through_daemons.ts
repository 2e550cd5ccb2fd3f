/** Datagrams through the UDP services of two real daemons, and their answers. */
import assert from "node:assert/strict";
import { UdpSocket } from "../../lib/backends/udp_socket.ts";
import { eventually } from "../support/eventually.ts";
import type { Mesh } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { randomBytes, sha256 } from "../support/payload.ts";

const ROUNDS = 20;
const HOST = "127.0.0.1";

export async function carryDatagrams(mesh: Mesh, near: NodeKind, far: NodeKind): Promise<void> {
  await using echo = await UdpSocket.bind({ host: HOST, port: 0 });
  echo.start({ onDatagram: (bytes, from) => void echo.send(bytes, from), onError() {} });
  const port = freePort();
  const { nodes: [n1] } = await mesh.line([near, far], (id) => ({
    actions: [
      id === "n1"
        ? { "udp-server": { port, remotenode: "n2", remoteservice: "svc" } }
        : { "udp-client": { service: "svc", address: `${HOST}:${echo.address.port}` } },
    ],
  }));
  await using client = await UdpSocket.bind({ host: HOST, port: 0 });
  const answers: string[] = [];
  client.start({ onDatagram: (bytes) => void answers.push(sha256(bytes)), onError() {} });
  for (let round = 0; round < ROUNDS; round++) {
    const datagram = randomBytes(1 + round * 400);
    const expected = sha256(datagram);
    // Datagrams may be lost.
    await eventually(async () => {
      await client.send(datagram, { host: HOST, port });
      await new Promise((resolve) => setTimeout(resolve, 20));
      return answers.includes(expected);
    }, { what: `the answer to datagram ${round}` });
  }
  assert.ok(answers.length >= ROUNDS);
  // Nobody had to wait for this: the Go daemon advertises a service five seconds after opening it.
  await eventually(async () => {
    const { Advertisements } = await n1!.status();
    return Advertisements?.some(({ NodeID, Service, ConnType, Tags }) =>
      NodeID === "n2" && Service === "svc" && ConnType === 0 &&
      (Tags as Record<string, string>).type === "UDP Proxy"
    );
  }, { what: "the advertisement of the service" });
}
