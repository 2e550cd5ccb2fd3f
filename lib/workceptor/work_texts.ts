/**
 * Texts about units of work that clients see. AWX and others match the first group by prefix or as
 * a whole, so it is the original's byte for byte (checked against 1.6.9); those of `refusals` are
 * sent after `ERROR: `, those of `details` go into a unit's `Detail`.
 */

export const refusals = {
  unknownUnit: (id: string) => `unknown work unit ${id}`,
  unknownWorkType: (type: string) => `unknown work type ${type}`,
  unitIdInUse: (id: string) =>
    `workunit ID ${id} is already in use, cannot use the same workunit ID more than once`,
  runtimeParams: "extra params provided but not allowed",
  ttlNotRemote: "ttl option is intended for remote work only",
  secretsWithoutTls: "cannot send secrets over a non-TLS connection",
  unknownTls: (name: string) => `unknown TLS config ${name}`,
  unexpectedSignature: "work type did not expect a signature",
  emptySignature: "could not verify signature: signature is empty",
  noVerifyingKey: "could not verify signature: verifying key not specified",
  noSigningKey: "cannot sign work: signing key is empty",
  /** The original cuts `ERROR:` off the remote's line and keeps the blank: hence two of them. */
  remoteCancel: (remoteText: string) => `error cancelling remote unit:  ${remoteText}`,

  // The original has no texts for these.
  badUnitId: (id: string, maxLength: number) =>
    `workUnitID must be 1 to ${maxLength} letters and digits, got ${JSON.stringify(id)}`,
  badNode: (node: string) => `node must be the id of a node, got ${JSON.stringify(node)}`,
  notSigned: "this node signs work only for clients on its Unix socket, and for nodes that " +
    "signfor of work-signing names and that prove who they are by a TLS client certificate",
  noWorkElsewhere: "this node sends no work to other nodes",
  workTypeRegistered: (type: string) => `work type ${type} already registered`,
  cancelledBeforeStart: (id: string) => `work unit ${id} was cancelled before it could start`,
  releasedBeforeStart: (id: string) => `work unit ${id} was released before it could start`,
  startedAlready: (id: string) => `work unit ${id} has already been started`,
  notRemoved: (id: string, problem: string) => `could not remove work unit ${id}: ${problem}`,
  outputLost: (id: string) =>
    `the output of work unit ${id} was lost: its file was removed or cut short`,
  fromRemote: (remoteText: string) => `error from remote: ${remoteText}`,
} as const;

export const details = {
  waitingForInput: "Waiting for Input Data",
  startingWorker: "Starting Worker",
  errorStarting: (problem: string) => `Error starting worker: ${problem}`,
  running: (pid: number) => `Running: PID ${pid}`,
  canceled: "Canceled",
  locallyCancelled: "Locally Cancelled",
  pendingAtRestart: "Pending at restart",
  failedToRestart: (problem: string) => `Failed to restart: ${problem}`,
  /** The original's prefix: a submitter takes it as proof that the unit never ran. */
  inputError: "Error reading input data",
  remoteGone: "Remote work unit is gone",
  remoteTls: (problem: string) => `TLS error connecting to remote service: ${problem}`,
  expired: (date: string) => `Work unit expired on ${date}`,

  // The original leaves such units Running or Pending for ever.
  notStarted: "Error reading input data: the node restarted before the job was started",
  machineRestarted: "Job lost: the machine restarted while it was running",
  supervisorGone: (pid: number) =>
    `Job lost: its supervisor (PID ${pid}) ended without leaving an exit status`,
  /** Appended to the reason why a job was stopped. */
  notStopped: (processes: string) => `; processes of it could not be stopped: ${processes}`,
  processGone: "Job lost: it was running when the node stopped, and its process is gone",
  noStatus: "Failed to restart: the unit has no status file",
  outputShort: (have: number, want: number) =>
    `Job is complete, but the remote node gives only ${have} of ${want} bytes of its output`,
  payloadLost: (path: string) => `the payload was lost: ${path} was removed before it was sent`,
  outputLostThere: (detail: string) =>
    `Job is complete, but the remote node has lost its output: ${detail}`,
  outputLost: (detail: string) =>
    `${detail}; its output was lost: its file was removed while it was running`,
  secretsLost:
    "Node restarted before the unit was sent, and secret parameters are not kept on disk",
} as const;

/** `ExtraData` of a unit whose work type nobody has registered. */
export const UNKNOWN_WORK_TYPE = "Unknown WorkType";
