/** The same chains put to us and to Go's `crypto/x509`: good ones, faulty ones, and mutants. */
import assert from "node:assert/strict";
import { NOW } from "../pki/_certificates.ts";
import { type Case, describe, ourReason, someCases, someMutants } from "./_chains.ts";
import { goTest, type GoX509 } from "./_go_x509.ts";

/** A few seconds of each. */
const CHAINS = 300;
const MUTANTS = 2_000;

async function goReason(go: GoX509, { root, chain, host, purpose }: Case) {
  const answer = await go.ask({
    Do: "verify",
    Roots: [root.der],
    Chain: chain.map(({ der }) => der),
    Purpose: purpose,
    Now: NOW,
    Host: host,
  });
  return answer.OK ? undefined : answer.Reason;
}

/** Where we refuse on purpose what Go takes, as `docs/tls.md` says. */
const STRICTER = [
  /RSA key of \d+ bits is too short/,
  /is of X\.509 version/,
  // The handshake would fail anyway.
  /unusable public key of algorithm/,
  // Names of other kinds under critical constraints, which nothing here compares.
  /unhandled critical extension 2\.5\.29\.30/,
];

/** What Go refuses and we do not, as nothing here uses it. Names are compared byte by byte. */
const LAXER = [
  /invalid RDNSequence: invalid attribute value/,
  /policy|policies|key identifier|authority info access/,
];

goTest("generated chains are judged as Go judges them, but for what is documented", async (go) => {
  let accepted = 0;
  for await (const it of someCases(CHAINS)) {
    const [ours, gos] = [ourReason(it), await goReason(go, it)];
    if (ours === undefined) accepted++;
    if ((ours === undefined) === (gos === undefined)) continue;
    const documented = ours !== undefined && STRICTER.some((reason) => reason.test(ours));
    assert.ok(documented, `ours: ${ours}\nGo's: ${gos}\n${describe(it)}`);
  }
  // Neither of the two verdicts is there by accident.
  assert.ok(accepted > CHAINS / 10 && accepted < CHAINS, `${accepted} of ${CHAINS} accepted`);
});

goTest("no mutant that its authority signed is accepted by us and refused by Go", async (go) => {
  let accepted = 0;
  for await (const it of someMutants(MUTANTS)) {
    if (ourReason(it) !== undefined) continue;
    accepted++;
    const gos = await goReason(go, it);
    const documented = gos !== undefined && LAXER.some((reason) => reason.test(gos));
    assert.ok(gos === undefined || documented, `Go's: ${gos}\n${describe(it)}`);
  }
  assert.ok(accepted > 0 && accepted < MUTANTS, `${accepted} of ${MUTANTS} accepted`);
});
