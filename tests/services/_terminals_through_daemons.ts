/** What tests of the action command-service have in common. */
import assert from "node:assert/strict";
import { makeCertificates } from "../support/certificates.ts";
import type { ControlSession } from "../support/control_session.ts";
import { within } from "../support/eventually.ts";
import type { Mesh } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import type { Action, TestNode } from "../support/test_node.ts";

const PATIENCE_MS = 60_000;

/** A terminal at the other end of `connect`, as seen on a control session. */
export class RemoteTerminal implements Disposable {
  readonly #session: ControlSession;
  #shown = "";

  private constructor(session: ControlSession) {
    this.#session = session;
  }

  static async open(node: TestNode, to: string): Promise<RemoteTerminal> {
    const session = await node.session();
    assert.equal(await session.command(`connect ${to}`), "Connecting");
    return new RemoteTerminal(session);
  }

  async type(text: string): Promise<void> {
    await this.#session.write(new TextEncoder().encode(text));
  }

  closeWrite(): Promise<void> {
    return this.#session.closeWrite();
  }

  [Symbol.dispose](): void {
    this.#session.close();
  }

  /** What was shown, without control sequences and carriage returns. */
  get text(): string {
    // deno-lint-ignore no-control-regex
    return this.#shown.replaceAll(/\x1b\[[?0-9;]*[A-Za-z]|\r/g, "");
  }

  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) return match;
      if (!await this.#more()) assert.fail(`no ${pattern} in ${JSON.stringify(this.text)}`);
    }
  }

  /** Resolves at the end of the connection. */
  async ends(): Promise<void> {
    while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const what = () => `more than ${JSON.stringify(this.text)}`;
    const bytes = await within(PATIENCE_MS, what, this.#session.readSome());
    if (bytes !== null) this.#shown += new TextDecoder().decode(bytes);
    return bytes !== null;
  }
}

/** `service` with a shell that has a known prompt, and no history. */
export function shellService(tls?: string): Action {
  const command = "env PS1='prompt> ' bash --norc --noprofile +o history";
  return { "command-service": { service: "shell", command, ...(tls !== undefined && { tls }) } };
}

/**
 * Starts two linked nodes and has a user at the first one work with a shell at the second: what they
 * type, see and interrupt. With `tls`, both show certificates.
 */
export async function workWithShell(
  mesh: Mesh,
  { near, far, tls = false }: { near: NodeKind; far: NodeKind; tls?: boolean },
): Promise<void> {
  const certificates = tls
    ? await makeCertificates((await mesh.folder()).path, ["n1", "n2"])
    : undefined;
  const profiles = (id: string): Action[] => {
    if (certificates === undefined) return [];
    const { ca, cert, key } = certificates;
    const own = { cert: cert(id), key: key(id) };
    return id === "n1"
      ? [{ "tls-client": { name: "client", ...own, rootcas: ca } }]
      : [{ "tls-server": { name: "server", ...own, clientcas: ca, requireclientcert: true } }];
  };
  const { nodes: [user] } = await mesh.line([near, far], (id) => ({
    actions: [
      ...profiles(id),
      ...(id === "n2" ? [shellService(tls ? "server" : undefined)] : []),
    ],
  }));
  using terminal = await RemoteTerminal.open(user!, tls ? "n2 shell client" : "n2 shell");
  await terminal.shows(/prompt> $/);
  await terminal.type("tty; echo $((6 * 7))\n");
  await terminal.shows(/\n\/dev\/pts\/\d+\n42\nprompt> $/);
  // No program starts in between, in which a signal to dash would be lost.
  await terminal.type("bash -c 'echo ready; read line'\n");
  await terminal.shows(/\nready\n/);
  await terminal.type("\x03");
  await terminal.shows(/\^C\nprompt> $/);
  await terminal.type("seq 1 20000 | tail -n +2; exit\n");
  await terminal.ends();
  assert.match(terminal.text, /\n19999\n20000\nexit\n$/);
}
