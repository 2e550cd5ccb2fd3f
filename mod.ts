/**
 * Receptor as a library: a node of the mesh, its control protocol, units of work, and services for
 * other programs' connections, for a program that embeds them; `examples/` shows how. The two programs, `main.ts` and `ctl.ts`, are built from the same parts.
 */
export { type ByteConn, writeAll } from "./lib/base/byte_conn.ts";
export { type Clock, systemClock } from "./lib/base/clock.ts";
export { type Log, silentLog } from "./lib/base/log.ts";
export { type Random, systemRandom } from "./lib/base/random.ts";
export type { Backend, LinkPolicy, Session } from "./lib/backends/backend.ts";
export { formatHostPort, type HostPort, parseHostPort } from "./lib/backends/host_port.ts";
export { MemoryBackend, memorySessionPair } from "./lib/backends/memory.ts";
export { networkOf } from "./lib/backends/network_of.ts";
export type { BackendObserver, RefusedConnectionEvent } from "./lib/backends/observer.ts";
export {
  TcpListener,
  type TcpListenerOptions,
  TcpPeer,
  type TcpPeerOptions,
} from "./lib/backends/tcp.ts";
export { meshCaller, serveConnections, unixCaller } from "./lib/control/accept_loop.ts";
export { ControlClient } from "./lib/control/client.ts";
export { ControlError } from "./lib/control/control_error.ts";
export type { ControlDeps, SystemInfo } from "./lib/control/command.ts";
export { ControlServer } from "./lib/control/server.ts";
export type {
  Authorization,
  Caller,
  PendingUnit,
  SubmitRequest,
  UnitState,
  UnitStatus,
  WorkService,
} from "./lib/control/work_service.ts";
export {
  type Datagram,
  type DatagramHandler,
  type DatagramPort,
  type DatagramPortOptions,
  MAX_DATAGRAM_BYTES,
} from "./lib/netceptor/datagram_port.ts";
export type { FirewallRule } from "./lib/netceptor/firewall.ts";
export type {
  AdvertisedWorkType,
  DialOptions,
  ListenOptions,
  Mesh,
  MeshConn,
  MeshListener,
  MeshStatus,
  PingReply,
} from "./lib/netceptor/mesh.ts";
export {
  Netceptor,
  type NetceptorDeps,
  type NetceptorOptions,
  type RunningBackend,
} from "./lib/netceptor/netceptor.ts";
export type {
  DropEvent,
  LinkDownEvent,
  LinkEvent,
  NetceptorObserver,
  RefusalEvent,
  RoutesEvent,
} from "./lib/netceptor/observer.ts";
export { ServiceTakenError } from "./lib/netceptor/service_registry.ts";
export type { ClientTls, Identity, ServerTls, VerifyPeer } from "./lib/quic/tls.ts";
export { meshExit, type MeshTarget, tcpExit, unixExit } from "./lib/services/exits.ts";
export { MeshEntrance } from "./lib/services/mesh_entrance.ts";
export type { Carry, Entrance, Exit, Incoming, Service } from "./lib/services/service.ts";
export { StreamService, type StreamServiceDeps } from "./lib/services/stream_service.ts";
export { TcpEntrance, type TcpEntranceOptions } from "./lib/services/tcp_entrance.ts";
export { TerminalExit, type TerminalExitOptions } from "./lib/services/terminal_exit.ts";
export type { DatagramServiceDeps } from "./lib/services/datagrams.ts";
export { IpNetwork } from "./lib/base/ip_network.ts";
export { IpRouter, type IpRouterDeps, type IpRouterOptions } from "./lib/services/ip/ip_router.ts";
export { UdpClient, type UdpClientOptions } from "./lib/services/udp_client.ts";
export { UdpServer, type UdpServerOptions } from "./lib/services/udp_server.ts";
export { UnixEntrance } from "./lib/services/unix_entrance.ts";
export { commandWork, loadUnregistered } from "./lib/workceptor/command/command_work_type.ts";
export { REMOTE_WORK_TYPE } from "./lib/workceptor/remote/remote_extra_data.ts";
export { RemoteWork } from "./lib/workceptor/remote/remote_work_type.ts";
export type { UnitChangedEvent, UnitEvent, WorkceptorObserver } from "./lib/workceptor/observer.ts";
export type { WorkType } from "./lib/workceptor/work_type.ts";
export {
  Workceptor,
  type WorkceptorDeps,
  type WorkceptorOptions,
} from "./lib/workceptor/workceptor.ts";
