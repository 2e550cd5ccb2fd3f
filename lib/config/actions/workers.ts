/** Actions about units of work: their types, and who may submit them. */
import { DEFAULT_CANCEL_GRACE_MS } from "../../workceptor/command/command_record.ts";
import { defineAction } from "../action.ts";
import { dictionary, strings } from "../composite_types.ts";
import { REMOTE_WORK_TYPE } from "../../workceptor/remote/remote_extra_data.ts";
import { refusals } from "../../workceptor/work_texts.ts";
import {
  bool,
  choice,
  duration,
  filename,
  string,
  ValueMismatch,
  type ValueType,
} from "../value_type.ts";

/** How long a signature is valid (`pkg/workceptor` in the original). */
const DEFAULT_TOKEN_EXPIRATION_MS = 5 * 60_000;
const TOKEN_EXPIRATION_WORDS = "failed to parse TokenExpiration -- " +
  "valid examples include '1.5h', '30m', '30m10s'";

const workTypeName: ValueType<string> = {
  ...string,
  read(raw) {
    const name = string.read(raw);
    if (name === REMOTE_WORK_TYPE) {
      throw new ValueMismatch("another name: it is the type of units that run on other nodes", {
        words: refusals.workTypeRegistered(name),
      });
    }
    return name;
  },
};

const workTypeParameter = {
  type: workTypeName,
  required: true,
  unique: "work type",
  description: "Name for this worker type",
} as const;

const verifySignatureParameter = {
  type: bool,
  default: false,
  description: "Verify a signed work submission",
} as const;

function allow(description: string) {
  return { type: bool, default: false, description } as const;
}

export const workSigning = defineAction({
  name: "work-signing",
  section: "workers",
  description: "Private key to sign work submissions",
  once: true,
  parameters: {
    privatekey: {
      type: filename,
      bare: true,
      description: "Private key to sign work submissions",
    },
    tokenexpiration: {
      type: duration({ words: TOKEN_EXPIRATION_WORDS }),
      default: DEFAULT_TOKEN_EXPIRATION_MS,
      description: "Expiration of the signed json web token, e.g. 3h or 3h30m",
    },
    signfor: {
      type: strings,
      description: "Nodes whose certificate lets them have work signed; Unix sockets always may",
    },
  },
});

export const workVerification = defineAction({
  name: "work-verification",
  section: "workers",
  description: "Public key to verify work submissions",
  once: true,
  parameters: {
    publickey: {
      type: filename,
      bare: true,
      description: "Public key to verify signed work submissions",
    },
    boundonly: {
      type: bool,
      default: false,
      description: "Refuse signatures that are good for any command, as those of Go nodes are",
    },
  },
});

export const workCommand = defineAction({
  name: "work-command",
  section: "workers",
  description: "Run a worker using an external command",
  parameters: {
    worktype: workTypeParameter,
    command: {
      type: filename,
      required: true,
      description: "Command to run to process units of work",
    },
    params: { type: string, description: "Command-line parameters" },
    allowruntimeparams: allow("Allow users to add more parameters"),
    verifysignature: verifySignatureParameter,
    cancelgrace: {
      type: duration(),
      default: DEFAULT_CANCEL_GRACE_MS,
      description: "How long a cancelled job may take to end before it is killed",
    },
  },
});

export const workKubernetes = defineAction({
  name: "work-kubernetes",
  mapKeys: ["work-kubernetes"],
  section: "workers",
  description: "Run a worker using Kubernetes",
  parameters: {
    worktype: workTypeParameter,
    namespace: { type: string, description: "Kubernetes namespace to create pods in" },
    image: { type: string, description: "Container image to use for the worker pod" },
    command: {
      type: string,
      description: "Command to run in the container (overrides entrypoint)",
    },
    params: { type: string, description: "Command-line parameters to pass to the entrypoint" },
    authmethod: {
      type: choice("kubeconfig", "incluster", "runtime"),
      default: "incluster",
      description: "Where the access to the Kubernetes API comes from",
    },
    kubeconfig: {
      type: filename,
      description: "Kubeconfig filename (for authmethod=kubeconfig)",
    },
    pod: { type: filename, description: "Pod definition filename, in json or yaml format" },
    allowruntimeauth: allow("Allow passing API parameters at runtime"),
    allowruntimecommand: allow("Allow specifying image & command at runtime"),
    allowruntimeparams: allow("Allow adding command parameters at runtime"),
    allowruntimepod: allow("Allow passing Pod at runtime"),
    deletepodonrestart: {
      type: bool,
      default: true,
      description: "On restart, delete the pod if in pending state",
    },
    streammethod: {
      type: choice("logger", "tcp"),
      default: "logger",
      description: "Method for connecting to worker pods",
    },
    verifysignature: verifySignatureParameter,
  },
});

export const workPython = defineAction({
  name: "work-python",
  section: "workers",
  description: "Run a worker using a Python plugin",
  // The original's own text, with which it exits since it has deprecated this action.
  retired: "'work-python' option is not currently being used: like Receptor 1.6.9, this version " +
    "does not start with it; run the plugin as the command of a work-command",
  parameters: {
    worktype: workTypeParameter,
    plugin: {
      type: string,
      required: true,
      description: "Python module name of the worker plugin",
    },
    function: {
      type: string,
      required: true,
      description: "Receptor-exported function to call",
    },
    config: { type: dictionary, description: "Plugin-specific configuration" },
  },
});
