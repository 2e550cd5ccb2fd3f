/** The node in the mesh. */
export {
  type Datagram,
  type DatagramHandler,
  type DatagramPort,
  type DatagramPortOptions,
  MAX_DATAGRAM_BYTES,
} from "./datagram_port.ts";
export type { FirewallRule } from "./firewall.ts";
export type {
  AdvertisedWorkType,
  DialOptions,
  ListenOptions,
  Mesh,
  MeshConn,
  MeshListener,
  MeshStatus,
  PingReply,
} from "./mesh.ts";
export {
  Netceptor,
  type NetceptorDeps,
  type NetceptorOptions,
  type RunningBackend,
} from "./netceptor.ts";
export type {
  DropEvent,
  LinkDownEvent,
  LinkEvent,
  NetceptorObserver,
  RefusalEvent,
  RoutesEvent,
} from "./observer.ts";
export { ServiceTakenError } from "./service_registry.ts";
