/** The same chains put to us and to rustls-webpki: good ones, faulty ones, and mutants. */
import assert from "node:assert/strict";
import { NOW } from "../pki/_certificates.ts";
import { type Case, describe, ourReason, someCases, someMutants } from "./_chains.ts";
import { Webpki } from "./_webpki.ts";

/** A few seconds of each. */
const CHAINS = 300;
const MUTANTS = 2_000;

const webpki = new Webpki();

function webpkiReason({ root, chain, host, purpose }: Case): string | undefined {
  const context = { root: root.der, purpose, host, nowMs: NOW };
  return webpki.reason(chain.map(({ der }) => der), context);
}

/** Where we refuse what it takes. */
const STRICTER = [
  // It takes a root as it is, whatever is in its certificate.
  /left out:/,
  /"CN=root"/,
  // It reads only what it needs.
  /failed to parse certificate/,
  /unusable public key of algorithm/,
  // It does not look at the key usage.
  /is not authorized to sign other certificates/,
  /RSA key of \d+ bits is too short/,
  /is of X\.509 version/,
];

/** Where it refuses what we take, and Go too. */
const LAXER = [
  // A certificate for any purpose.
  /RequiredEkuNotFound.*2\.5\.29\.37\.0/,
  // Names that no host could have, and kinds of names that do not exist: they fit nobody.
  /MalformedDnsIdentifier/,
  /BadDer/,
];

Deno.test("generated chains are judged as rustls-webpki judges them, but for what is documented", async () => {
  let accepted = 0;
  for await (const it of someCases(CHAINS)) {
    const [ours, theirs] = [ourReason(it), webpkiReason(it)];
    if (ours === undefined && theirs === undefined) accepted++;
    if ((ours === undefined) === (theirs === undefined)) continue;
    const documented = ours === undefined
      ? LAXER.some((reason) => reason.test(theirs!))
      : STRICTER.some((reason) => reason.test(ours));
    assert.ok(documented, `ours: ${ours}\ntheirs: ${theirs}\n${describe(it)}`);
  }
  // Neither of the two verdicts is there by accident.
  assert.ok(accepted > CHAINS / 10 && accepted < CHAINS, `${accepted} of ${CHAINS} accepted`);
});

Deno.test("no mutant that its authority signed is accepted by us and refused by rustls-webpki", async () => {
  let accepted = 0;
  for await (const it of someMutants(MUTANTS)) {
    if (ourReason(it) !== undefined) continue;
    const theirs = webpkiReason(it);
    if (theirs === undefined) accepted++;
    const documented = theirs === undefined || LAXER.some((reason) => reason.test(theirs));
    assert.ok(documented, `theirs: ${theirs}\n${describe(it)}`);
  }
  assert.ok(accepted > 0 && accepted < MUTANTS, `${accepted} of ${MUTANTS} accepted`);
});
