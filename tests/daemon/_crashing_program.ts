/** `receptor` with a bug in the place named by the first argument. */
import { createSocket } from "node:dgram";
import { UdpSocket } from "../../lib/backends/udp_socket.ts";
import { type RunningNode, runReceptor } from "../../lib/daemon/command_line.ts";
import { Daemon } from "../../lib/daemon/daemon.ts";

const [place, ...args] = Deno.args;
const bug = new Error(`a bug in ${place}`, { cause: new Error("its cause") });
const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());

function throwBug(): never {
  throw bug;
}

/** Bugs that show while a node runs. */
const CALLBACKS: Record<string, () => void> = {
  timer: () => void setTimeout(throwBug),
  immediate: () => void setImmediate(throwBug),
  microtask: () => queueMicrotask(throwBug),
  rejection: () => void Promise.reject(bug),
  "signal listener": () => {
    Deno.addSignalListener("SIGUSR1", throwBug);
    Deno.kill(Deno.pid, "SIGUSR1");
  },
  "abort listener": () => {
    const abort = new AbortController();
    abort.signal.addEventListener("abort", throwBug);
    abort.abort();
  },
  "datagram handler": async () => {
    const socket = await UdpSocket.bind({ host: "127.0.0.1", port: 0 });
    socket.start({ onDatagram: throwBug, onError() {} });
    const sender = createSocket("udp4");
    sender.send("x", socket.address.port, "127.0.0.1", () => sender.close());
  },
};

const startNode: typeof Daemon.start = async (config, deps) => {
  if (place === "start") throw bug;
  const daemon = await Daemon.start(config, deps);
  CALLBACKS[place!]?.();
  if (place !== "stop") return daemon;
  const node: RunningNode = {
    failed: daemon.failed,
    reload: () => daemon.reload(),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      throw bug;
    },
  };
  return node as Daemon;
};

const code = await runReceptor(args, {
  // deno-lint-ignore no-console -- a program
  print: (text) => console.log(text),
  // deno-lint-ignore no-console -- a program
  complain: (text) => console.error(text),
  stop: stop.signal,
  onHangup: () => ({ [Symbol.dispose]() {} }),
  errors: globalThis,
}, startNode);
Deno.exit(code);
