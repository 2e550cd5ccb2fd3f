import assert from "node:assert/strict";
import { QuicError } from "../../../lib/quic/quic_error.ts";
import { CertificateRefused } from "../../../lib/quic/tls.ts";
import { isTlsFailure } from "../../../lib/workceptor/remote/remote_access.ts";

Deno.test("only certificates that do not match are a TLS failure that fails a unit", () => {
  const refused = new CertificateRefused("it names another node", 42);
  const cases: [unknown, boolean][] = [
    [refused, true],
    [new QuicError("refused", "refused", 0x100 + 42, { cause: refused }), true],
    [
      new Error("dial failed", { cause: new QuicError("no", "refused-by-peer", 0x100 + 116) }),
      true,
    ],
    // Our own check, or the peer's, broke down.
    [new QuicError("bug", "refused", 0x100 + 80, { cause: new TypeError("bug") }), false],
    [new QuicError("bug", "refused-by-peer", 0x100 + 80), false],
    // An application's code, even though it looks like one of TLS.
    [new QuicError("too many connections", "closed-by-peer", 500), false],
    [new QuicError("timed out", "timed-out"), false],
    [new TypeError("bug"), false],
    ["bug", false],
  ];
  for (const [error, is] of cases) assert.equal(isTlsFailure(error), is, String(error));
});
