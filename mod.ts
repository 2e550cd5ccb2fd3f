/**
 * Receptor as a library: a node of the mesh, its control protocol, and units of work, for a program
 * that embeds them. The two programs, `main.ts` and `ctl.ts`, are built from the same parts.
 */
export type { ByteConn } from "./lib/base/byte_conn.ts";
export { type Clock, systemClock } from "./lib/base/clock.ts";
export { type Log, silentLog } from "./lib/base/log.ts";
export { type Random, systemRandom } from "./lib/base/random.ts";
export * from "./lib/backends/mod.ts";
export { ControlClient } from "./lib/control/client.ts";
export { ControlError } from "./lib/control/control_error.ts";
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
export * from "./lib/netceptor/mod.ts";
export type { ClientTls, Identity, ServerTls, VerifyPeer } from "./lib/quic/tls.ts";
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
