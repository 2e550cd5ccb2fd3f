/**
 * The program of a bare TCP copy. Given a number of bytes, it receives them from another instance,
 * which it starts with a port as well, and prints a `Copy` as JSON.
 */
import { cpuUsage } from "node:process";

export interface Copy {
  /** From the first byte to the last. */
  readonly seconds: number;
  readonly senderCpuSeconds: number;
  readonly receiverCpuSeconds: number;
}

const PIECE_BYTES = 256 * 1024;

/** Returns a function that gives the CPU seconds of this process since now. */
function cpuMeter(): () => number {
  const start = cpuUsage();
  return () => {
    const { user, system } = cpuUsage(start);
    return (user + system) / 1e6;
  };
}

async function print(value: unknown): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(value)));
}

async function send(bytes: number, port: number): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const piece = new Uint8Array(PIECE_BYTES);
  const used = cpuMeter();
  for (let left = bytes; left > 0;) {
    left -= await conn.write(piece.subarray(0, Math.min(left, PIECE_BYTES)));
  }
  await conn.closeWrite();
  return used();
}

async function receive(bytes: number): Promise<Copy> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sender = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, String(bytes), String(listener.addr.port)],
    stdin: "null",
    stderr: "inherit",
  }).output();
  using conn = await listener.accept();
  const piece = new Uint8Array(PIECE_BYTES);
  const used = cpuMeter();
  const start = performance.now();
  let received = 0;
  for (let count; (count = await conn.read(piece)) !== null;) received += count;
  const seconds = (performance.now() - start) / 1000;
  const receiverCpuSeconds = used();
  if (received !== bytes) throw new Error(`received ${received} bytes of ${bytes}`);
  const senderCpuSeconds = JSON.parse(new TextDecoder().decode((await sender).stdout));
  return { seconds, senderCpuSeconds, receiverCpuSeconds };
}

if (import.meta.main) {
  const [bytes, port] = Deno.args.map(Number);
  await print(port === undefined ? await receive(bytes!) : await send(bytes!, port));
}
