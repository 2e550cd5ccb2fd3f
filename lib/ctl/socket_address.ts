/** Reads the address of a control socket, in the forms that the original's client accepts. */
import { CtlError } from "./ctl_error.ts";

export type SocketAddress =
  | { transport: "unix"; path: string }
  | { transport: "tcp" | "tls"; hostname: string; port: number };

const NETWORK = /^(tcp|tls):(?:\/\/)?([a-zA-Z0-9.:-]+|\[[0-9a-fA-F:.]+\]):([0-9]+)$/;
const UNIX = /^(?:unix:(?:\/\/)?)?([^:]+)$/;

/** `home` replaces the `~` of a leading `~/`. Throws a `CtlError` for any other form. */
export function parseSocketAddress(text: string, home: string | undefined): SocketAddress {
  const network = NETWORK.exec(text);
  if (network !== null) {
    const [, transport, hostname, port] = network as unknown as [
      string,
      "tcp" | "tls",
      string,
      string,
    ];
    if (Number(port) > 65_535) throw new CtlError(`Invalid socket address ${text}`);
    return { transport, hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
  }
  const path = UNIX.exec(text)?.[1];
  if (path === undefined) throw new CtlError(`Invalid socket address ${text}`);
  const expanded = home !== undefined && path.startsWith("~/") ? home + path.slice(1) : path;
  return { transport: "unix", path: expanded };
}
