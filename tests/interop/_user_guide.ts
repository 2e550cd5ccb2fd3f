/**
 * The configurations that the original's user guide shows (at version 1.5, its last in this form),
 * in their own order and spelling, mistakes included. Ports, paths and certificates are the test's.
 * Its parts of files have a node and a backend added, without which no daemon starts. Work in
 * Kubernetes is left out.
 */
import type { Certificates } from "../support/certificates.ts";
import type { NodeKind } from "../support/peers.ts";

export interface GuideContext {
  /** A free port. */
  readonly port: number;
  /** A path in a private folder. */
  path(name: string): string;
  readonly certificates: Certificates;
  /** SHA-256 of the client's certificate. */
  readonly fingerprint: string;
  /** PEM files for signed work. */
  readonly signing: { readonly privateKey: string; readonly publicKey: string };
}

export interface GuideExample {
  /** Page of the guide, and what it is about. */
  readonly name: string;
  /** The file. Text only where it is not YAML. */
  config(context: GuideContext): Record<string, unknown> | string;
  /** What the daemons print that end instead of starting; the others start. */
  readonly ends?: Partial<Record<NodeKind, RegExp>>;
}

const foo = { version: 2, node: { id: "foo" } };
const bar = { version: 2, node: { id: "bar" } };
const debug = { "log-level": { level: "Debug" } };
const local = { "local-only": { local: true } };
const listener = ({ port }: GuideContext) => ({ "tcp-listeners": [{ port }] });
const peer = ({ port }: GuideContext) => ({ "tcp-peers": [{ address: `localhost:${port}` }] });
const control = ({ path }: GuideContext) => ({
  "control-services": [{ service: "control", filename: path("foo.sock") }],
});
/** Part of a file. */
const part = (values: Record<string, unknown>) => ({ ...foo, ...local, ...values });

const bash = (script: string) => ({ command: "bash", params: `-c "${script}"` });
const count = bash("for i in {1..5}; do echo $i; sleep 1; done");
const shout = bash("while read -r line; do echo ${line^^}; sleep 5; done");

const myServer = ({ certificates }: GuideContext, id: string) => ({
  name: "myserver",
  cert: certificates.cert(id),
  key: certificates.key(id),
  requireclientcert: true,
  clientcas: certificates.ca,
});
const myClient = ({ certificates }: GuideContext) => ({
  name: "myclient",
  rootcas: certificates.ca,
  insecureskipverify: false,
  cert: certificates.cert("bar"),
  key: certificates.key("bar"),
});

const firewall = (rule: Record<string, string>) => () => ({
  version: 2,
  node: { id: "foo", firewallrules: [rule] },
  ...local,
});

export const USER_GUIDE: readonly GuideExample[] = [
  { name: "basic usage", config: () => ({ ...foo, ...local, ...debug }) },
  { name: "connecting nodes: a listener", config: (c) => ({ ...foo, ...debug, ...listener(c) }) },
  { name: "connecting nodes: a peer", config: (c) => ({ ...bar, ...debug, ...peer(c) }) },
  {
    name: "connecting nodes: costs of a listener",
    config: ({ port }) => ({
      ...foo,
      "tcp-listeners": [{ port, cost: 1.0, nodecost: { bar: 1.6, fish: 2.0 } }],
    }),
  },
  {
    name: "connecting nodes: the cost of a peer",
    config: ({ port }) => ({
      ...foo,
      "tcp-peers": [{ address: `localhost:${port}`, cost: 2.0 }],
    }),
  },
  {
    name: "edge networks: a listener",
    config: (c) => ({
      version: 2,
      node: { id: "foo", maxidleconnectiontimeout: "60s" },
      ...debug,
      ...listener(c),
    }),
  },
  {
    name: "edge networks: a peer, without the version",
    config: (c) => ({
      node: { id: "bar", maxidleconnectiontimeout: "60s" },
      ...debug,
      ...peer(c),
    }),
  },
  { name: "firewall: accept", config: firewall({ action: "accept" }) },
  {
    name: "firewall: drop",
    config: firewall({ action: "drop", fromnode: "foo", tonode: "bar", toservice: "control" }),
  },
  {
    name: "firewall: reject by a pattern",
    config: firewall({ action: "reject", fromnode: "/a.*b/" }),
  },
  {
    name: "firewall: reject by a pattern that ignores case",
    config: firewall({ action: "reject", tonode: "/(?i)a.*b/" }),
  },
  {
    name: "interacting with nodes: a control socket",
    config: (c) => ({ ...foo, ...debug, ...listener(c), ...control(c) }),
  },
  {
    name: "interacting with nodes: a control service without a socket",
    config: (c) => ({ ...bar, ...debug, ...peer(c), "control-services": [{ service: "control" }] }),
  },
  {
    name: "kubernetes: a listener that is not in a list",
    config: (c) => ({ ...foo, ...debug, "tcp-listeners": { port: c.port }, ...control(c) }),
  },
  {
    name: "TLS: a listener",
    config: (c) => ({
      ...foo,
      ...debug,
      "tls-servers": [myServer(c, "foo")],
      "tcp-listeners": [{ port: c.port, tls: "myserver" }],
    }),
  },
  {
    name: "TLS: a peer",
    config: (c) => ({
      ...bar,
      ...debug,
      "tls-clients": [myClient(c)],
      "tcp-peers": [{ address: `localhost:${c.port}`, tls: "myclient" }],
    }),
  },
  {
    name: "TLS: a pinned certificate",
    config: (c) => ({
      ...foo,
      "tls-servers": [{ ...myServer(c, "foo"), pinnedclientcert: [c.fingerprint] }],
      "tcp-listeners": [{ port: c.port, tls: "myserver" }],
    }),
  },
  {
    name: "TLS: certificates without node ids",
    config: (c) => ({
      ...bar,
      ...debug,
      "tls-clients": [{ ...myClient(c), skipreceptornamescheck: true }],
      "tls-servers": [{
        ...myServer(c, "foo"),
        pinnedclientcert: [c.fingerprint],
        skipreceptornamescheck: true,
      }],
      "tcp-peers": [{ address: `localhost:${c.port}`, tls: "myclient" }],
    }),
  },
  {
    name: "workceptor: work types, one spelled in camel case",
    config: (c) => ({
      ...foo,
      ...debug,
      ...listener(c),
      ...control(c),
      "work-commands": [{ workType: "echoint", ...count }],
    }),
  },
  {
    name: "workceptor: a peer under the key of the other form",
    config: ({ port }) => ({
      ...bar,
      ...debug,
      "tcp-peer": { address: `localhost:${port}` },
      "control-services": [{ service: "control" }],
      "work-commands": [{ worktype: "echoint", ...count }, { workType: "echopayload", ...shout }],
    }),
    ends: {
      ours: /unknown config type tcp-peer: did you mean "tcp-peers"/,
      go: /Nothing to do - no backends are running/,
    },
  },
  {
    name: "workceptor: parameters of the submitter",
    config: () =>
      part({
        "work-commands": [{ workType: "listcontents", command: "ls", allowruntimeparams: true }],
      }),
  },
  {
    name: "workceptor: a verifying key and a work type under one key",
    config: ({ signing }) =>
      [
        "node: {id: foo}",
        "local-only: {local: true}",
        "work-verification:",
        `  publickey: ${signing.publicKey}`,
        "  - workType: echopayload",
        "    command: bash",
        "    verifysignature: true",
        "",
      ].join("\n"),
    ends: { ours: /x\.yml:5: error loading config file: yaml: /, go: /empty receptor config/ },
  },
  {
    name: "workceptor: a signing key",
    config: ({ signing }) =>
      part({ "work-signing": { privatekey: signing.privateKey, tokenexpiration: "30m" } }),
  },
  {
    name: "configuration options: a control service of another name",
    config: ({ path }) =>
      part({ "control-services": [{ service: "foo", filename: path("foo.sock") }] }),
  },
  {
    name: "configuration options: a tls-client",
    config: ({ certificates }) =>
      part({
        "tls-clients": [{
          name: "tlsclient",
          cert: certificates.cert("foo"),
          key: certificates.key("foo"),
        }],
      }),
  },
  {
    name: "configuration options: a tls-server",
    config: ({ certificates }) =>
      part({
        "tls-servers": [{
          name: "tlsserver",
          cert: certificates.cert("foo"),
          key: certificates.key("foo"),
        }],
      }),
  },
  {
    name: "configuration options: udp-listeners",
    config: ({ port }) => ({ ...foo, "udp-listeners": [{ port }] }),
  },
  {
    name: "configuration options: udp-peers",
    config: ({ port }) => ({ ...foo, "udp-peers": [{ address: `localhost:${port}` }] }),
  },
  {
    name: "configuration options: ws-listeners",
    config: ({ port }) => ({ ...foo, "ws-listeners": [{ port }] }),
  },
  {
    name: "configuration options: ws-peers",
    config: ({ port }) => ({ ...foo, "ws-peers": [{ address: `ws://localhost:${port}` }] }),
  },
  {
    name: "configuration options: ip-routers, with a network that is none",
    config: () => part({ "ip-routers": [{ networkname: "hello", localnet: "abc" }] }),
    // The original starts without the router, and says nothing.
    ends: { ours: /ip-router: / },
  },
  {
    name: "configuration options: tcp-clients",
    config: ({ port }) =>
      part({ "tcp-clients": [{ address: `localhost:${port}`, service: "foo" }] }),
  },
  {
    name: "configuration options: tcp-servers",
    config: ({ port }) =>
      part({ "tcp-servers": [{ port, remotenode: "foo", remoteservice: "foo" }] }),
  },
  {
    name: "configuration options: udp-clients",
    config: ({ port }) =>
      part({ "udp-clients": [{ address: `localhost:${port}`, service: "foo" }] }),
  },
  {
    name: "configuration options: udp-servers, with an address where the port should be",
    config: ({ port }) =>
      part({ "udp-servers": [{ address: port, remotenode: "foo", remoteservice: "foo" }] }),
    // The original starts with a port that nobody gets to know.
    ends: { ours: /udp-server: unknown field name address/ },
  },
  {
    name: "configuration options: unix-socket-clients",
    config: ({ path }) =>
      part({ "unix-socket-clients": [{ filename: path("foo.sock"), service: "foo" }] }),
  },
  {
    name: "configuration options: unix-socket-servers",
    config: ({ path }) =>
      part({
        "unix-socket-servers": [{
          filename: path("foo.sock"),
          remotenode: "foo",
          remoteservice: "foo",
        }],
      }),
  },
  {
    name: "configuration options: work-commands",
    config: () => part({ "work-commands": [{ command: "cat", worktype: "cat" }] }),
  },
  {
    name: "configuration options: work-verification",
    config: ({ signing }) => part({ "work-verification": { publickey: signing.publicKey } }),
  },
  {
    name: "configuration options: cert-init",
    config: ({ path }) => ({
      "cert-init": {
        commonname: "test CA",
        bits: 2048,
        outcert: path("ca.crt"),
        outkey: path("ca.key"),
      },
    }),
    // Ours makes the authority; the original does nothing.
    ends: { ours: /^$/, go: /empty receptor config/ },
  },
  {
    name: "configuration options: cert-makereqs, with the parameters of something else",
    config: ({ port }) =>
      part({ "cert-makereqs": [{ address: `localhost:${port}`, service: "foo" }] }),
    // The original says that it is wrong, and starts.
    ends: { ours: /cert-makereq: unknown field name address/ },
  },
  {
    name: "getting started: the node between two others",
    config: ({ port, path }) => ({
      ...bar,
      "control-services": [{ service: "control", filename: path("bar.sock") }],
      "tcp-listeners": [{ port }],
      "log-level": { level: "debug" },
    }),
  },
  {
    name: "getting started: a list in a map",
    config: ({ port }) =>
      [
        "version: 2",
        "node:",
        "  id: baz",
        "tcp-peers:",
        `  - address: localhost:${port}`,
        "- work-command:",
        "    workType: echo",
        "    command: bash",
        "",
      ].join("\n"),
    ends: { ours: /x\.yml:6: error loading config file: yaml: /, go: /empty receptor config/ },
  },
];
