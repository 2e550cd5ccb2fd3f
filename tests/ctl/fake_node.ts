/** A node with fakes behind its control socket, in this process. */
import { serveConnections, unixCaller } from "../../lib/control/accept_loop.ts";
import type { ControlDeps } from "../../lib/control/command.ts";
import { ControlServer } from "../../lib/control/server.ts";
import { listenUnix, type UnixListener } from "../../lib/base/unix_listener.ts";
import { fakeDeps, FakeWork } from "../control/fakes.ts";
import { TempFolder } from "../support/temp_folder.ts";

export class FakeNode implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly work: FakeWork;
  readonly #listener: UnixListener;
  readonly #stop = new AbortController();
  readonly #serving: Promise<void>;

  private constructor(
    folder: TempFolder,
    listener: UnixListener,
    work: FakeWork,
    replaced: Partial<ControlDeps>,
  ) {
    this.folder = folder;
    this.work = work;
    this.#listener = listener;
    const server = new ControlServer(fakeDeps({ work, ...replaced }));
    this.#serving = serveConnections(server, listener, unixCaller, this.#stop.signal);
  }

  static async start(replaced: Partial<ControlDeps> = {}): Promise<FakeNode> {
    const folder = await TempFolder.create();
    const listener = await listenUnix(folder.join("c.sock"), { mode: 0o600 });
    return new FakeNode(folder, listener, new FakeWork(), replaced);
  }

  get socket(): string {
    return this.#listener.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#listener.close();
    await this.#serving;
    await this.folder[Symbol.asyncDispose]();
  }
}
