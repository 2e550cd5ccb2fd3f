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

/** What a key of the map form stands for. */
export interface MapKey {
  readonly action: ActionSpec;
  /** Whether it takes a list, an action for each item. */
  readonly several: boolean;
}

/** By the keys of the map form, all in lower case. `version` is a key of another kind there. */
export const actionsByMapKey: ReadonlyMap<string, MapKey> = new Map(
  actionTable.filter((action) => action !== version).flatMap((action) =>
    mapKeysOf(action).map((key) => [key, { action, several: !action.once }] as const)
  ),
);

function mapKeysOf({ name, once, mapKeys }: ActionSpec): readonly string[] {
  return mapKeys ?? [once ? name : `${name}s`];
}

const actionsByName = new Map(actionTable.map((action) => [action.name, action]));

/** The action of that name, in any case. */
export function findAction(name: string): ActionSpec | undefined {
  return actionsByName.get(name.toLowerCase());
}
