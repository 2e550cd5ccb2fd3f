/** Carriers of links. */
export type { Backend, LinkPolicy, Session } from "./backend.ts";
export { formatHostPort, type HostPort, parseHostPort } from "./host_port.ts";
export { MemoryBackend, memorySessionPair } from "./memory.ts";
export { networkOf } from "./network_of.ts";
export type { BackendObserver, RefusedConnectionEvent } from "./observer.ts";
export { TcpListener, type TcpListenerOptions, TcpPeer, type TcpPeerOptions } from "./tcp.ts";
