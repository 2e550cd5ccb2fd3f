/** Every command of receptorctl with its options, from which parser and help come. */
import { command, group } from "./command_spec.ts";
import { argument, boolean, flag, float, integer, restArguments, text, texts } from "./options.ts";

const remoteTlsClient = text(
  "--tls-client",
  "TLS client config name used when connecting to remote node",
);
const json = flag("--json", "Print as JSON");
const unitIds = restArguments("UNIT_IDS");

export const socketOptions = {
  socket: text(
    "--socket",
    "Control socket address of the node: a path, 'unix:path', 'tcp://host:port' or " +
      "'tls://host:port'. Without it: the first that exists of $RUNTIME_DIRECTORY/receptor.sock, " +
      "$XDG_RUNTIME_DIR/receptor.sock and /tmp/receptor-UID/receptor.sock",
    { env: "RECEPTORCTL_SOCKET" },
  ),
  config: text("--config", "Config filename configured for receptor", {
    short: "-c",
    env: "RECEPTORCTL_CONFIG",
  }),
  tlsClient: text("--tls-client", "TLS client name specified in config", {
    env: "RECEPTORCTL_TLSCLIENT",
  }),
  rootcas: text("--rootcas", "Root CA bundle to use when connecting with tls"),
  key: text("--key", "Client private key filename"),
  cert: text("--cert", "Client certificate filename"),
  insecureskipverify: boolean(
    "--insecureskipverify",
    "Accept a server certificate for another host name",
  ),
};

const work = group({
  name: "work",
  help: "Commands related to unit-of-work processing",
  options: {},
  commands: [
    command({
      name: "list",
      help: "List known units of work.",
      options: {
        quiet: flag("--quiet", "Only list unit IDs with no detail", { short: "-q" }),
        node: text("--node", "Receptor node to list work from. Defaults to the local node."),
        unitId: text("--unit_id", "Only show detail for a specific unit id"),
        tlsClient: remoteTlsClient,
      },
      load: async () => (await import("./commands/work_list.ts")).workList,
    }),
    command({
      name: "submit",
      help: "Submit a new unit of work.",
      options: {
        node: text("--node", "Receptor node to run the work on. Defaults to the local node."),
        payload: text("--payload", "File containing unit of work data. Use - for stdin.", {
          short: "-p",
        }),
        payloadLiteral: text(
          "--payload-literal",
          "Use the command line string as the literal unit of work data.",
          { short: "-l" },
        ),
        noPayload: flag("--no-payload", "Send an empty payload.", { short: "-n" }),
        tlsClient: text("--tls-client", "TLS client used when submitting work to a remote node"),
        ttl: text("--ttl", "Time to live until remote work must start, e.g. 1h20m30s or 30m10s"),
        signWork: flag("--signwork", "Digitally sign remote work submissions"),
        follow: flag("--follow", "Remain attached to the job and print its results to stdout", {
          short: "-f",
        }),
        release: flag("--rm", "Release unit after completion"),
        params: texts(
          "--param",
          "Additional Receptor parameter (key=value format); a value of the form @file is read " +
            "from that file",
          { short: "-a" },
        ),
        json,
      },
      arguments: { workType: argument("WORKTYPE"), commandParams: restArguments("CMDPARAMS") },
      load: async () => (await import("./commands/work_submit.ts")).workSubmit,
    }),
    command({
      name: "results",
      help: "Get results for a previously or currently running unit of work.",
      arguments: { unitId: argument("UNIT_ID") },
      load: async () => (await import("./commands/work_results.ts")).workResults,
    }),
    command({
      name: "cancel",
      help: "Cancel (kill) one or more units of work.",
      arguments: { unitIds },
      load: async () => (await import("./commands/work_cancel.ts")).workCancel,
    }),
    command({
      name: "release",
      help: "Release (delete) one or more units of work.",
      options: {
        force: flag("--force", "Delete locally even if we can't reach the remote node"),
        all: flag("--all", "Delete all work units"),
      },
      arguments: { unitIds },
      load: async () => (await import("./commands/work_release.ts")).workRelease,
    }),
  ],
});

export const receptorctl = group({
  name: "receptorctl",
  help: "",
  options: socketOptions,
  commands: [
    command({
      name: "status",
      help: "Show the status of the Receptor network.",
      options: { json },
      load: async () => (await import("./commands/status.ts")).status,
    }),
    command({
      name: "ping",
      help: "Ping a Receptor node.",
      options: {
        count: integer("--count", 4, "Number of pings to send"),
        delay: float("--delay", 1, "Time to wait between pings, in seconds"),
        json: flag("--json", "Print each reply as a line of JSON"),
      },
      arguments: { node: argument("NODE") },
      load: async () => (await import("./commands/ping.ts")).ping,
    }),
    command({
      name: "traceroute",
      help: "Do a traceroute to a Receptor node.",
      options: { json },
      arguments: { node: argument("NODE") },
      load: async () => (await import("./commands/traceroute.ts")).traceroute,
    }),
    command({
      name: "connect",
      help: "Connect the local terminal to a Receptor service on a remote node.",
      options: {
        raw: flag("--raw", "Set terminal to raw mode", { short: "-r" }),
        tlsClient: remoteTlsClient,
      },
      arguments: { node: argument("NODE"), service: argument("SERVICE") },
      load: async () => (await import("./commands/connect.ts")).connect,
    }),
    command({
      name: "reload",
      help: "Reload receptor configuration.",
      load: async () => (await import("./commands/reload.ts")).reload,
    }),
    command({
      name: "version",
      help: "Show version information for receptorctl and the receptor node",
      options: { json },
      load: async () => (await import("./commands/version.ts")).version,
    }),
    work,
  ],
});
