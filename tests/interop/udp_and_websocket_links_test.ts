/** The backends with Go daemons: UDP and WebSocket, each side listening once. */
import { deepEqual, equal } from "node:assert/strict";
import type { Backend } from "../../lib/backends/backend.ts";
import { UdpListener, UdpPeer } from "../../lib/backends/udp.ts";
import { WebSocketListener, WebSocketPeer } from "../../lib/backends/websocket.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import type { Action } from "../support/test_node.ts";
import { OwnNode } from "../support/own_node.ts";

const loopback = "127.0.0.1";
const deps = {
  clock: systemClock,
  log: silentLog,
  random: systemRandom,
  environment: () => undefined,
};

interface Link {
  readonly name: string;
  /** Our backend that waits for a Go node, and what the Go node needs for it. */
  readonly listen: () => Promise<{ backend: Backend; action: Action }>;
  /** What a Go node needs to wait for us, and our backend that dials it. */
  readonly dial: (port: number) => { backend: Backend; action: Action };
}

const links: readonly Link[] = [
  {
    name: "UDP",
    async listen() {
      const backend = await UdpListener.bind(deps, { bindAddress: loopback, port: 0 });
      const address = `${loopback}:${backend.address.port}`;
      return { backend, action: { "udp-peer": { address } } };
    },
    dial(port) {
      const backend = new UdpPeer(deps, { address: `${loopback}:${port}`, redial: true });
      return { backend, action: { "udp-listener": { bindaddr: loopback, port } } };
    },
  },
  {
    name: "UDP over IPv6",
    async listen() {
      const backend = await UdpListener.bind(deps, { bindAddress: "::1", port: 0 });
      return { backend, action: { "udp-peer": { address: `[::1]:${backend.address.port}` } } };
    },
    dial(port) {
      const backend = new UdpPeer(deps, { address: `[::1]:${port}`, redial: true });
      return { backend, action: { "udp-listener": { bindaddr: "[::1]", port } } };
    },
  },
  {
    name: "WebSocket",
    listen() {
      const backend = WebSocketListener.bind(deps, { bindAddress: loopback, port: 0 });
      const address = `ws://${loopback}:${backend.address.port}/any/path`;
      return Promise.resolve({ backend, action: { "ws-peer": { address } } });
    },
    dial(port) {
      const address = `ws://${loopback}:${port}/`;
      const backend = new WebSocketPeer(deps, { address, redial: true });
      return { backend, action: { "ws-listener": { bindaddr: loopback, port } } };
    },
  },
  {
    name: "WebSocket on a path, with an extra header",
    listen() {
      const options = { bindAddress: loopback, port: 0, path: "/mesh" };
      const backend = WebSocketListener.bind(deps, options);
      const address = `ws://${loopback}:${backend.address.port}/mesh`;
      const action = { "ws-peer": { address, extraheader: "Authorization: Bearer x" } };
      return Promise.resolve({ backend, action });
    },
    dial(port) {
      const backend = new WebSocketPeer(deps, {
        address: `ws://localhost:${port}/mesh`,
        redial: true,
        extraHeader: "Authorization: Bearer x",
      });
      return {
        backend,
        action: { "ws-listener": { bindaddr: loopback, port, path: "/mesh" } },
      };
    },
  },
];

for (const { name, listen, dial } of links) {
  meshTest(`${name}: a Go node dials us, and both ping`, { kinds: ["go"] }, async (mesh) => {
    await using ours = new OwnNode("ours");
    const { backend, action } = await listen();
    ours.netceptor.addBackend(backend, { cost: 1, nodeCost: {} });
    const go = await mesh.node({ kind: "go", id: "go", actions: [action] });
    await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
    equal((await ours.netceptor.ping("go")).from, "go");
    deepEqual((await go.json("ping ours")).From, "ours");
  });

  meshTest(`${name}: we dial a Go node, and both ping`, { kinds: ["go"] }, async (mesh) => {
    await using ours = new OwnNode("ours");
    const { backend, action } = dial(freePort());
    const go = await mesh.node({ kind: "go", id: "go", actions: [action] });
    ours.netceptor.addBackend(backend, { cost: 1, nodeCost: {} });
    await Promise.all([ours.waitForRoute("go"), go.waitForRoute("ours")]);
    equal((await ours.netceptor.ping("go")).from, "go");
    deepEqual((await go.json("ping ours")).From, "ours");
  });
}
