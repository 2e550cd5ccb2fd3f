/**
 * The least that bytes between two processes can take: one Deno program writes them to a TCP
 * connection on loopback, another reads them. Nothing is encrypted or written to disk.
 */
import { afresh, type Limit } from "../row.ts";
import type { Copy } from "./_tcp_copy.ts";

const PROGRAM = new URL("./_tcp_copy.ts", import.meta.url).href;

/** `sender` and `receiver` are the row's keys for the CPU of the nodes in these roles. */
export function tcpCopy(
  bytes: number,
  { sender, receiver }: { sender: string; receiver: string },
): Limit {
  return {
    name: "bare TCP copy",
    setUp: () =>
      afresh(async (signal) => {
        const { stdout, success } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", PROGRAM, String(bytes)],
          stdin: "null",
          stderr: "inherit",
          signal,
        }).output();
        signal.throwIfAborted();
        if (!success) throw new Error("the copy failed");
        const copy: Copy = JSON.parse(new TextDecoder().decode(stdout));
        const gigabytes = bytes / 1e9;
        return {
          rate: bytes / 1e6 / copy.seconds,
          [sender]: copy.senderCpuSeconds / gigabytes,
          [receiver]: copy.receiverCpuSeconds / gigabytes,
        };
      }),
  };
}
