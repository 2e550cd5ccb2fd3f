/** The node in the mesh. */
export type { Datagram, DatagramHandler, DatagramPort } from "./datagram_port.ts";
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
