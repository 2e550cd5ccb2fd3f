/** Actions about the node itself. */
import { defineAction } from "../action.ts";
import { firewallRules } from "../composite_types.ts";
import { printable } from "../../base/printable.ts";
import { bool, choice, duration, filename, nodeId, string, ValueMismatch } from "../value_type.ts";

/** Links that are silent for this long are dead; the original accepts no shorter time (21 s). */
const LEAST_IDLE_TIMEOUT_MS = 21_000;
const IDLE_TIMEOUT_WORDS = "failed to parse MaxIdleConnectionTimeout from configuration file -- " +
  "valid examples include '1.5h', '30m', '30m10s'";

const levels = choice("Error", "Warning", "Info", "Debug");
const logLevelName: typeof levels = {
  ...levels,
  read(raw) {
    try {
      return levels.read(raw);
    } catch (cause) {
      if (!(cause instanceof ValueMismatch) || typeof raw !== "string") throw cause;
      const words = `${printable(raw)} is not a valid log level name`;
      throw new ValueMismatch(cause.expected, { words, cause });
    }
  },
};

const dataFolder: typeof filename = {
  ...filename,
  read(raw) {
    const path = filename.read(raw);
    if (path === "") throw new ValueMismatch("a folder", { words: "baseDir must be provided" });
    return path;
  },
};

export const node = defineAction({
  name: "node",
  section: "general",
  description: "Specifies the node configuration of this instance",
  once: true,
  parameters: {
    id: {
      type: nodeId,
      bare: true,
      description: "Node ID. Defaults to the local hostname.",
    },
    datadir: {
      type: dataFolder,
      default: "/tmp/receptor",
      description: "Directory in which to store node data.",
    },
    firewallrules: {
      type: firewallRules,
      description: "Firewall rules: the first that matches a message decides. Each has an action " +
        "(accept, reject or drop) and any of fromnode, tonode, fromservice, toservice.",
    },
    maxidleconnectiontimeout: {
      type: duration({ leastMs: LEAST_IDLE_TIMEOUT_MS, words: IDLE_TIMEOUT_WORDS }),
      description: "Maximum duration with no traffic before a backend connection is timed out " +
        "and refreshed. Without it, 21s.",
    },
    receptorkubesupportreconnect: {
      type: string,
      description: "Whether a pod's log is read with time stamps: enabled, disabled or auto. " +
        "Without it, RECEPTOR_KUBE_SUPPORT_RECONNECT.",
    },
    receptorkubeclientsetqps: {
      type: string,
      description: "Requests to a Kubernetes API server in a second. Without it, " +
        "RECEPTOR_KUBE_CLIENTSET_QPS, or 100.",
    },
    receptorkubeclientsetburst: {
      type: string,
      description: "Requests to a Kubernetes API server at once. Without it, " +
        "RECEPTOR_KUBE_CLIENTSET_BURST, or ten times those in a second.",
    },
    receptorkubeclientsetratelimiter: {
      type: string,
      description: "Whether requests to a Kubernetes API server are limited: tokenbucket, " +
        "always (not limited) or never (none is made). Without it, " +
        "RECEPTOR_KUBE_CLIENTSET_RATE_LIMITER, or tokenbucket.",
    },
  },
});

export const localOnly = defineAction({
  name: "local-only",
  section: "general",
  description: "Runs a self-contained node with no backend",
  once: true,
  reloadable: true,
  parameters: {
    local: {
      type: bool,
      description: "Accepted, without effect: the action alone is enough.",
    },
  },
});

export const version = defineAction({
  name: "version",
  section: "general",
  description: "Displays the Receptor version.",
  once: true,
  exclusive: true,
  parameters: {},
});

export const logLevel = defineAction({
  name: "log-level",
  section: "general",
  description: "Specifies the verbosity level for command output. Without this action, Info.",
  once: true,
  parameters: {
    level: {
      type: logLevelName,
      bare: true,
      default: "Error",
      description: "The least urgent level to show.",
    },
    format: {
      type: choice("text", "json"),
      description: "Lines of text, or one JSON object per line. Without it, the environment " +
        "variable RECEPTOR_LOG_FORMAT decides, else text.",
    },
  },
});

export const trace = defineAction({
  name: "trace",
  section: "general",
  description: "Enables packet tracing output",
  once: true,
  parameters: {},
});
