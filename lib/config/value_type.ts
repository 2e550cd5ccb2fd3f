/**
 * The types that parameters have. A type knows how to read what was written, how to print a
 * default, and what help and completion say about it; each is one object, so that a new kind of
 * value is one declaration.
 */
import { parseHostPort } from "../backends/host_port.ts";
import { formatGoDuration, parseGoDurationNs } from "../base/go_duration.ts";
import { IpNetwork } from "../base/ip_network.ts";
import { printable } from "../base/printable.ts";
import { MAX_SERVICE_BYTES } from "../wire/data_packet.ts";
import { isLocalhost, MAX_NODE_ID_BYTES } from "../wire/node_id.ts";
import type { RawValue } from "./raw_action.ts";

export interface ValueType<T> {
  /** What help shows between `<` and `>`. */
  readonly label: string;
  /** Reads a value; throws a `ValueMismatch`. */
  read(raw: RawValue): T;
  /** Prints a value as an operator would write it. */
  print(value: T): string;
  /** Joins the values of a parameter that may be repeated; without it, the last one wins. */
  join?(first: T, second: T): T;
  /** What completion offers. */
  readonly candidates?: readonly string[] | "files";
}

export interface ValueMismatchOptions extends ErrorOptions {
  /** The original's text for the mistake, which its users and their tests look for. */
  readonly words?: string | undefined;
}

/**
 * Says what a value should have been; callers that know the place and the value add them.
 * `expected` is undefined if the original's text says it all.
 */
export class ValueMismatch extends TypeError {
  override readonly name = "ValueMismatch";
  constructor(
    readonly expected: string | undefined,
    { words, cause }: ValueMismatchOptions = {},
  ) {
    const sentences = [words, expected === undefined ? undefined : `expected ${expected}`];
    super(sentences.filter((sentence) => sentence !== undefined).join(": "), { cause });
  }
}

function readText(raw: RawValue, expected: string): string {
  if (typeof raw !== "string") throw new ValueMismatch(expected);
  return raw;
}

function text(label: string, candidates?: "files"): ValueType<string> {
  return {
    label,
    read: (raw) => readText(raw, "text"),
    print: (value) => value,
    ...(candidates && { candidates }),
  };
}

export const string = text("string");
/** A path, which completion can complete. */
export const filename = text("filename", "files");

const NODE_ID = /^[A-Za-z0-9._@:-]+$/;
const NODE_ID_WORDS = "node id can only contain a-z, A-Z, 0-9 or special characters . - _ @ :";

/** A node id. In the control protocol, `localhost` means the node itself. */
export const nodeId: ValueType<string> = {
  label: "string",
  read(raw) {
    const id = readText(raw, "a node id");
    if (!NODE_ID.test(id)) {
      const words = `${NODE_ID_WORDS} but received: ${printable(id)}`;
      throw new ValueMismatch(undefined, { words });
    }
    if (isLocalhost(id)) {
      throw new ValueMismatch(undefined, { words: 'node ID "localhost" is reserved' });
    }
    // All its characters are single bytes.
    if (id.length > MAX_NODE_ID_BYTES) {
      throw new ValueMismatch(`a node id of at most ${MAX_NODE_ID_BYTES} bytes`);
    }
    return id;
  },
  print: (value) => value,
};

/** A service on the mesh; the name has a field of fixed size in every packet. */
export const serviceName: ValueType<string> = {
  label: "string",
  read(raw) {
    const expected = `a service name of at most ${MAX_SERVICE_BYTES} bytes`;
    const name = readText(raw, expected);
    if (new TextEncoder().encode(name).length > MAX_SERVICE_BYTES) {
      throw new ValueMismatch(expected);
    }
    return name;
  },
  print: (value) => value,
};

/** `host:port`, kept as text. */
export const hostPort: ValueType<string> = {
  label: "host:port",
  read(raw) {
    const expected = "host:port, or [host]:port for IPv6";
    const address = readText(raw, expected);
    try {
      parseHostPort(address);
    } catch (cause) {
      const words = address.includes(":")
        ? undefined
        : `address ${printable(address)}: missing port in address`;
      throw new ValueMismatch(expected, { words, cause });
    }
    return address;
  },
  print: (value) => value,
};

const LOCAL_PREFIX = 30;

/** The network of a tun device, of which two addresses are used. */
export const localNetwork: ValueType<IpNetwork> = {
  label: "CIDR",
  read(raw) {
    const network = readNetwork(readText(raw, "an IPv4 network such as 10.9.0.0/30"));
    if (network.prefix !== LOCAL_PREFIX) {
      throw new ValueMismatch(undefined, { words: `local network ${network} must be a /30 CIDR` });
    }
    if (network.family !== 4) {
      throw new ValueMismatch(undefined, { words: `local network ${network} must be IPv4` });
    }
    return network;
  },
  print: String,
};

/** Networks with commas between them, each at most once. */
export function networkList({ most }: { most: number }): ValueType<readonly IpNetwork[]> {
  const expected = `networks with commas between them, such as 10.20.0.0/16,fd00:20::/64`;
  return {
    label: "CIDR,CIDR",
    read(raw) {
      const networks = new Map<string, IpNetwork>();
      for (const text of readText(raw, expected).split(",")) {
        const network = readNetwork(text.trim());
        networks.set(String(network), network);
      }
      if (networks.size > most) throw new ValueMismatch(`at most ${most} networks`);
      return [...networks.values()];
    },
    print: (networks) => networks.join(),
  };
}

function readNetwork(text: string): IpNetwork {
  try {
    return IpNetwork.parse(text);
  } catch (cause) {
    const words = `could not parse ${printable(text)} as a CIDR address`;
    throw new ValueMismatch(undefined, { words, cause });
  }
}

/** A name that Linux takes for a network interface. */
export const interfaceName: ValueType<string> = {
  label: "string",
  read(raw) {
    const expected = "the name of a network interface, 1 to 15 characters without / : %";
    const name = readText(raw, expected);
    if (!/^[!-~]{1,15}$/.test(name) || /[/:%]|^\.\.?$/.test(name)) {
      throw new ValueMismatch(expected);
    }
    return name;
  },
  print: (value) => value,
};

/** A whole number in the bounds, decimal or with Go's prefixes 0x, 0o, 0b. */
export function integer(bounds: { least: number; most: number }): ValueType<number> {
  const expected = `a whole number from ${bounds.least} to ${bounds.most}`;
  return {
    label: "int",
    read(raw) {
      const written = readText(raw, expected);
      const value = /^[+-]?(0|[1-9][0-9]*)(\.0*)?$|^0[xob][0-9a-f]+$/i.test(written)
        ? Number(written)
        : NaN;
      if (!(value >= bounds.least && value <= bounds.most)) throw new ValueMismatch(expected);
      return value;
    },
    print: String,
  };
}

/** A TCP or UDP port to listen on; 0 lets the system choose one. */
export const port = integer({ least: 0, most: 65_535 });

const COST_EXPECTED = "a number above 0";

/** The cost of a link. */
export const cost: ValueType<number> = {
  label: "float",
  read(raw) {
    const written = readText(raw, COST_EXPECTED);
    const value = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(written)
      ? Number(written)
      : NaN;
    if (!(value > 0 && value < Infinity)) {
      const words = value <= 0 ? "connection cost must be positive" : undefined;
      throw new ValueMismatch(COST_EXPECTED, { words });
    }
    return value;
  },
  print: (value) => Number.isInteger(value) ? value.toFixed(1) : String(value),
};

/** The words of YAML 1.1, which the original reads, and those of its command line. */
const TRUE_WORDS = new Set(["true", "yes", "on", "y", "t", "1"]);
const FALSE_WORDS = new Set(["false", "no", "off", "n", "f", "0"]);

export const bool: ValueType<boolean> = {
  label: "bool",
  read(raw) {
    const word = readText(raw, "true or false").toLowerCase();
    if (TRUE_WORDS.has(word)) return true;
    if (FALSE_WORDS.has(word)) return false;
    throw new ValueMismatch("true or false");
  },
  print: String,
  candidates: ["true", "false"],
};

const ALL_PERMISSIONS = 0o777;

/**
 * A file mode. With a leading 0 or 0o it is octal, quoted or not. Without, it is decimal as in the
 * original (PyYAML and Ansible turn a plain 0660 into 432); a decimal 660 is not a valid mode,
 * which reveals the usual mistake.
 */
export const fileMode: ValueType<number> = {
  label: "octal mode",
  read(raw) {
    const expected = "an octal file mode with a leading 0, such as 0660";
    const written = readText(raw, expected);
    let mode = NaN;
    if (/^0o?[0-7]+$/i.test(written)) mode = parseInt(written.replace(/o/i, ""), 8);
    else if (/^[0-9]+$/.test(written)) mode = Number(written);
    if (!(mode >= 0 && mode <= ALL_PERMISSIONS)) throw new ValueMismatch(expected);
    return mode;
  },
  print: (mode) => `0${mode.toString(8).padStart(3, "0")}`,
};

const NS_PER_MS = 1e6;

/**
 * A Go duration such as `1h30m`, at least `leastMs`. The value is in milliseconds. `words` is the
 * original's text for what is not a duration.
 */
export function duration(
  options: { leastMs?: number; words?: string } = {},
): ValueType<number> {
  const { leastMs = 0, words } = options;
  const print = (ms: number) => formatGoDuration(ms * NS_PER_MS);
  const expected = "a duration such as 30s, 10m or 1h30m" +
    (leastMs > 0 ? `, at least ${print(leastMs)}` : "");
  return {
    label: "duration",
    read(raw) {
      const written = readText(raw, expected);
      let ms: number;
      try {
        ms = parseGoDurationNs(written) / NS_PER_MS;
      } catch (cause) {
        throw new ValueMismatch(expected, { cause, words });
      }
      if (ms < leastMs) throw new ValueMismatch(expected);
      return ms;
    },
    print,
  };
}

/** One of a few words, in any case; the value is the word as listed. */
export function choice<const W extends string>(...words: readonly W[]): ValueType<W> {
  const expected = `one of ${words.join(", ")}`;
  return {
    label: words.join("|"),
    read(raw) {
      const written = readText(raw, expected).toLowerCase();
      const word = words.find((word) => word.toLowerCase() === written);
      if (word === undefined) throw new ValueMismatch(expected);
      return word;
    },
    print: (word) => word,
    candidates: words,
  };
}
