/** Actions that link this node to its neighbours. */
import { defineAction } from "../action.ts";
import { costsByNode, strings } from "../composite_types.ts";
import { bool, cost, hostPort, port, string } from "../value_type.ts";

const costParameter = {
  type: cost,
  default: 1,
  description: "Connection cost (weight)",
} as const;

const allowedPeersParameter = {
  type: strings,
  description: "Peer node IDs to allow via this connection. Without it, all.",
} as const;

const listenerCosts = {
  cost: costParameter,
  nodecost: { type: costsByNode, description: "Per-node costs" },
  allowedpeers: allowedPeersParameter,
} as const;

const bindAddressParameter = {
  type: string,
  default: "0.0.0.0",
  description: "Local address to bind to. 0.0.0.0 and :: stand for all, of IPv4 and IPv6.",
} as const;

const redialParameter = {
  type: bool,
  default: true,
  description: "Keep redialing on lost connection",
} as const;

const serverTlsParameter = {
  type: string,
  description: "Name of TLS server config",
} as const;

const clientTlsParameter = {
  type: string,
  description: "Name of TLS client config",
} as const;

const verifyNodeIdParameter = {
  type: bool,
  default: false,
  description: "The neighbour's certificate must name the node ID that it gives (needs tls)",
} as const;

export const tcpListener = defineAction({
  name: "tcp-listener",
  section: "backends",
  description: "Run a backend listener on a TCP port",
  reloadable: true,
  parameters: {
    bindaddr: bindAddressParameter,
    port: { type: port, required: true, bare: true, description: "Local TCP port to listen on" },
    tls: serverTlsParameter,
    verifynodeid: verifyNodeIdParameter,
    ...listenerCosts,
  },
});

export const tcpPeer = defineAction({
  name: "tcp-peer",
  section: "backends",
  description: "Make an outbound backend connection to a TCP peer",
  reloadable: true,
  parameters: {
    address: {
      type: hostPort,
      required: true,
      bare: true,
      description: "Remote address (Host:Port) to connect to",
    },
    redial: redialParameter,
    tls: clientTlsParameter,
    verifynodeid: verifyNodeIdParameter,
    cost: costParameter,
    allowedpeers: allowedPeersParameter,
  },
});

export const udpListener = defineAction({
  name: "udp-listener",
  section: "backends",
  description: "Run a backend listener on a UDP port",
  reloadable: true,
  parameters: {
    bindaddr: bindAddressParameter,
    port: { type: port, required: true, bare: true, description: "Local UDP port to listen on" },
    ...listenerCosts,
  },
});

export const udpPeer = defineAction({
  name: "udp-peer",
  section: "backends",
  description: "Make an outbound backend connection to a UDP peer",
  reloadable: true,
  parameters: {
    address: {
      type: hostPort,
      required: true,
      bare: true,
      description: "Host:Port to connect to",
    },
    redial: redialParameter,
    cost: costParameter,
    allowedpeers: allowedPeersParameter,
  },
});

export const wsListener = defineAction({
  name: "ws-listener",
  section: "backends",
  description: "Run an http server that accepts websocket connections",
  reloadable: true,
  parameters: {
    bindaddr: bindAddressParameter,
    port: {
      type: port,
      required: true,
      bare: true,
      description: "Local TCP port to run http server on",
    },
    path: { type: string, default: "/", description: "URI path to the websocket server" },
    tls: serverTlsParameter,
    verifynodeid: verifyNodeIdParameter,
    ...listenerCosts,
  },
});

export const wsPeer = defineAction({
  name: "ws-peer",
  section: "backends",
  description: "Connect outbound to a websocket peer",
  reloadable: true,
  parameters: {
    address: { type: string, required: true, bare: true, description: "URL to connect to" },
    redial: redialParameter,
    extraheader: {
      type: string,
      // Usually an Authorization header.
      secret: true,
      description: "Sends extra HTTP header on initial connection",
    },
    tls: clientTlsParameter,
    verifynodeid: verifyNodeIdParameter,
    cost: costParameter,
    allowedpeers: allowedPeersParameter,
  },
});
