/** `receptorctl connect --raw` as people use it: a shell, an editor and `top` at another node. */
import assert from "node:assert/strict";
import { shellService } from "../services/_terminals_through_daemons.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import type { ClientKind, NodeKind } from "../support/peers.ts";
import type { TestNode } from "../support/test_node.ts";
import { receptorctlLine, Tmux, TMUX_TERM } from "../support/tmux.ts";

/** A user at the first node in front of a shell at the second one. */
async function shellInTmux(
  mesh: Mesh,
  { client, near, far }: { client: ClientKind; near: NodeKind; far: NodeKind },
): Promise<Tmux> {
  const { nodes } = await mesh.line([near, far], (id) => ({
    actions: id === "n2" ? [shellService()] : [],
  }));
  const [user] = nodes as [TestNode];
  const connect = receptorctlLine(client, user.socket, "connect n2 shell --raw");
  // Shows in what mode the terminal is left.
  const tmux = await Tmux.start(`${connect}; stty -a | grep -o '.icanon'; echo left; sleep 1000`);
  await tmux.shows(/prompt>$/m);
  return tmux;
}

function countOf(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0;
}

async function interrupts(tmux: Tmux): Promise<void> {
  await tmux.line("clear; bash -c 'echo rea\"\"dy; read line'");
  await tmux.shows(/^ready$/m);
  await tmux.keys("C-c");
  await tmux.shows(/^\^C\n?prompt>$/m);
}

async function leaves(tmux: Tmux): Promise<void> {
  await tmux.line("exit");
  assert.match(await tmux.shows(/^left$/m), /^ icanon\nleft$/m);
}

meshTest(
  "a shell, vi and top at another node work as over ssh",
  { kinds: ["ours"], programs: ["tmux", "vi", "top"] },
  async (mesh) => {
    await using tmux = await shellInTmux(mesh, { client: "ours", near: "ours", far: "ours" });
    await tmux.line("clear; stty size; echo $TERM");
    await tmux.shows(new RegExp(`^30 100\\n${TMUX_TERM}\\n`, "m"));
    await tmux.line("clear; printf '\\033[31m%s\\033[m\\n' red");
    await tmux.shows(/^.\[31mred$/m, { colours: true });
    await interrupts(tmux);

    await tmux.resize(120, 40);
    await tmux.line("clear; trap 'stty size' WINCH; sleep 0.2; stty size");
    await tmux.shows(/^40 120$/m);

    const file = (await mesh.folder()).join("text");
    await tmux.line(`clear; vi ${file}`);
    // One line of text, and one for messages.
    await eventually(async () => countOf(/^~/gm, await tmux.screen()) === 38, {
      what: "an editor as large as the window",
    });
    await tmux.resize(60, 20);
    await eventually(async () => countOf(/^~/gm, await tmux.screen()) === 18, {
      what: "an editor that fits into a smaller window",
    });
    await tmux.keys("i");
    await tmux.line("some words");
    await tmux.keys("Escape");
    await tmux.line(":wq");
    await tmux.shows(/^prompt>$/m);
    assert.equal(await Deno.readTextFile(file), "some words\n\n");

    await tmux.line("clear; top");
    await tmux.shows(/^top - [^]*^Tasks: .*[^]*^ +PID USER/m);
    await tmux.keys("q");
    // It drops what is typed before it has ended.
    await tmux.shows(/\nprompt>\s*$/);
    await tmux.line("clear; stty size");
    await tmux.shows(/^20 60\nprompt>$/m);
    await leaves(tmux);
  },
);

for (
  const [client, near, far] of [
    ["ours", "go", "ours"],
    ["ours", "ours", "go"],
    ["python", "ours", "ours"],
    ["python", "go", "ours"],
  ] as const
) {
  meshTest(
    `a terminal works without its size: client ${client}, node ${near}, shell at ${far}`,
    { kinds: [near, far], needs: ["RECEPTOR_PEERS"], programs: ["tmux"] },
    async (mesh) => {
      await using tmux = await shellInTmux(mesh, { client, near, far });
      await tmux.line("clear; stty size");
      await tmux.shows(far === "go" ? /^0 0\nprompt>$/m : /^24 80\nprompt>$/m);
      await interrupts(tmux);
      await leaves(tmux);
    },
  );
}
