/**
 * Either end of a TCP connection, as a program of its own that runs in a network namespace:
 * `receive ADDRESS PORT` prints the seconds from the first byte to the last, `send ADDRESS PORT
 * BYTES` is the other end.
 */
import { writeAll } from "../../lib/base/byte_conn.ts";

const PIECE_BYTES = 256 * 1024;
const [mode, hostname, portText, bytesText] = Deno.args;
const address = { hostname: hostname!, port: Number(portText) };
const piece = new Uint8Array(PIECE_BYTES);

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (mode === "receive") {
  using listener = Deno.listen(address);
  print("listening");
  using conn = await listener.accept();
  let received = await conn.read(piece) ?? 0;
  const start = performance.now();
  for (let count; (count = await conn.read(piece)) !== null;) received += count;
  print(`${received} bytes in ${(performance.now() - start) / 1000} s`);
} else {
  using conn = await Deno.connect(address);
  for (let left = Number(bytesText); left > 0; left -= PIECE_BYTES) {
    await writeAll(conn, piece.subarray(0, Math.min(left, PIECE_BYTES)));
  }
  await conn.closeWrite();
}
