/** All actions, in the order in which help lists them. */
import type { ActionSpec } from "./action.ts";
import {
  tcpListener,
  tcpPeer,
  udpListener,
  udpPeer,
  wsListener,
  wsPeer,
} from "./actions/backends.ts";
import { certInit, certMakeReq, certMesh, certSignReq } from "./actions/certificates.ts";
import { controlService } from "./actions/control_service.ts";
import { localOnly, logLevel, node, trace, version } from "./actions/general.ts";
import {
  commandService,
  ipRouter,
  tcpClient,
  tcpServer,
  udpClient,
  udpServer,
  unixSocketClient,
  unixSocketServer,
} from "./actions/services.ts";
import { tlsClient, tlsServer } from "./actions/tls.ts";
import {
  workCommand,
  workKubernetes,
  workPython,
  workSigning,
  workVerification,
} from "./actions/workers.ts";

export const actionTable: readonly ActionSpec[] = [
  node,
  localOnly,
  version,
  logLevel,
  trace,
  controlService,
  tlsServer,
  tlsClient,
  tcpListener,
  tcpPeer,
  udpListener,
  udpPeer,
  wsListener,
  wsPeer,
  commandService,
  ipRouter,
  tcpServer,
  tcpClient,
  udpServer,
  udpClient,
  unixSocketServer,
  unixSocketClient,
  workSigning,
  workVerification,
  workCommand,
  workKubernetes,
  workPython,
  certInit,
  certMakeReq,
  certSignReq,
  certMesh,
];

const actionsByName = new Map(actionTable.map((action) => [action.name, action]));

/** The action of that name, in any case. */
export function findAction(name: string): ActionSpec | undefined {
  return actionsByName.get(name.toLowerCase());
}
