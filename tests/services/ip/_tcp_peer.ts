/**
 * One end of a TCP connection, as a program of its own, for it runs among other network interfaces
 * than the test: `receive ADDRESS PORT`, or `send ADDRESS PORT BYTES`. Both print the SHA-256 of
 * what went over it.
 */
import { createHash, randomBytes } from "node:crypto";
import { writeAll } from "../../../lib/base/byte_conn.ts";

const BLOCK_BYTES = 1 << 20;
const [mode, hostname, portText, bytesText] = Deno.args;
const port = Number(portText);
const hash = createHash("sha256");

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (mode === "receive") {
  using listener = Deno.listen({ hostname: hostname!, port });
  print("listening");
  using conn = await listener.accept();
  for await (const chunk of conn.readable) hash.update(chunk);
} else {
  using conn = await Deno.connect({ hostname: hostname!, port });
  for (let left = Number(bytesText); left > 0; left -= BLOCK_BYTES) {
    const block = randomBytes(Math.min(left, BLOCK_BYTES));
    hash.update(block);
    await writeAll(conn, block);
  }
  await conn.closeWrite();
}
print(`sha256 ${hash.digest("hex")}`);
