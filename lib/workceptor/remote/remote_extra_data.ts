/** `ExtraData` of a unit that runs on another node: the Go daemon's members, and our own notes. */

/** The work type of such a unit on the submitting node. */
export const REMOTE_WORK_TYPE = "remote";

/** As `work status` shows it, in the Go daemon's order. */
export interface RemoteExtraData {
  readonly RemoteNode: string;
  readonly RemoteWorkType: string;
  readonly RemoteParams: Readonly<Record<string, string>>;
  /** The unit's id there. Set before the first byte of a submission is sent; "" until then. */
  readonly RemoteUnitID: string;
  /** The remote node has taken the complete payload. */
  readonly RemoteStarted: boolean;
  readonly LocalCancelled: boolean;
  readonly LocalReleased: boolean;
  readonly SignWork: boolean;
  readonly TLSClient: string;
  /** RFC 3339; `NO_EXPIRATION` for none. */
  readonly Expiration: string;
}

/** As stored on disk, with members that the Go daemon does not know and ignores. */
export interface StoredRemoteExtraData extends RemoteExtraData {
  /** The end of the payload may have been sent: from now on the unit may run there. */
  readonly PayloadSent?: true;
  /** Parameters that were left out of `RemoteParams`: the unit cannot be sent without them. */
  readonly SecretParams?: readonly string[];
}

/** Go's zero time. */
export const NO_EXPIRATION = "0001-01-01T00:00:00Z";

/** Whether a parameter must not be written or shown. */
export function isSecret(name: string): boolean {
  return name.toLowerCase().startsWith("secret_");
}

export function newRemoteExtraData(request: {
  node: string;
  workType: string;
  tlsClient: string;
  signWork: boolean;
  params: Readonly<Record<string, string>>;
  /** Wall-clock milliseconds. */
  expiresAt: number | undefined;
}): StoredRemoteExtraData {
  const params = Object.entries(request.params);
  const secrets = params.map(([name]) => name).filter(isSecret);
  return {
    RemoteNode: request.node,
    RemoteWorkType: request.workType,
    RemoteParams: Object.fromEntries(params.filter(([name]) => !isSecret(name))),
    RemoteUnitID: "",
    RemoteStarted: false,
    LocalCancelled: false,
    LocalReleased: false,
    SignWork: request.signWork,
    TLSClient: request.tlsClient,
    Expiration: request.expiresAt === undefined
      ? NO_EXPIRATION
      : new Date(request.expiresAt).toISOString(),
    ...(secrets.length > 0 ? { SecretParams: secrets } : {}),
  };
}

/**
 * Reads what is on disk, whichever daemon wrote it; missing or malformed members get their zero
 * value.
 */
export function readRemoteExtraData(value: unknown): StoredRemoteExtraData {
  const members = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const text = (name: string) => typeof members[name] === "string" ? members[name] as string : "";
  const strings = Object.entries(members.RemoteParams ?? {})
    .filter((entry): entry is [string, string] => typeof entry[1] === "string");
  // The Go daemon writes secrets to disk; what it left there is used to send the unit.
  const secrets = Array.isArray(members.SecretParams) ? members.SecretParams.map(String) : [];
  return {
    RemoteNode: text("RemoteNode"),
    RemoteWorkType: text("RemoteWorkType"),
    RemoteParams: Object.fromEntries(strings),
    RemoteUnitID: text("RemoteUnitID"),
    RemoteStarted: members.RemoteStarted === true,
    LocalCancelled: members.LocalCancelled === true,
    LocalReleased: members.LocalReleased === true,
    SignWork: members.SignWork === true,
    TLSClient: text("TLSClient"),
    Expiration: text("Expiration") || NO_EXPIRATION,
    ...(members.PayloadSent === true ? { PayloadSent: true } : {}),
    ...(secrets.length > 0 ? { SecretParams: secrets } : {}),
  };
}

/** What clients may see of it. */
export function visibleRemoteExtraData(stored: StoredRemoteExtraData): RemoteExtraData {
  const { PayloadSent: _, SecretParams: __, ...visible } = stored;
  const params = Object.entries(visible.RemoteParams).filter(([name]) => !isSecret(name));
  return { ...visible, RemoteParams: Object.fromEntries(params) };
}

/** Wall-clock milliseconds; `undefined` for none. */
export function expirationTime({ Expiration }: RemoteExtraData): number | undefined {
  const time = Date.parse(Expiration);
  return Number.isNaN(time) || time <= Date.parse(NO_EXPIRATION) ? undefined : time;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** As the Go daemon prints it: `Sat Nov 21 01:08:05`, in the node's own time zone. */
export function formatExpiration(timeMs: number): string {
  const date = new Date(timeMs);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"));
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${date.getDate()} ${clock.join(":")}`;
}
