/** Restoring the environment after a launcher; the built program is tested in tests/e2e. */
import assert from "node:assert/strict";
import { restoreEnvironment } from "../../tools/restore_environment.ts";

class Variables extends Map<string, string> {
  toObject(): Record<string, string> {
    return Object.fromEntries(this);
  }
}

function restored(present: Record<string, string>): Record<string, string> {
  const variables = new Variables(Object.entries(present));
  restoreEnvironment(variables);
  return variables.toObject();
}

/** What the launcher adds for the environment that `/proc` shows as `text`. */
function handedOver(text: string): Record<string, string> {
  const base64 = new TextEncoder().encode(text).toBase64();
  const pieces = base64.match(/.{1,8}/g) ?? [];
  return {
    RECEPTOR_OUTER_ENVIRONMENT: `${pieces.length}`,
    ...Object.fromEntries(
      pieces.map((piece, index) => [`RECEPTOR_OUTER_ENVIRONMENT_${index}`, piece]),
    ),
  };
}

Deno.test("what was given is restored, and what a shell added is removed", () => {
  const present = { A: "1", PWD: "/", name: "receptor", DENO_DIR: "/cache" };
  assert.deepEqual(restored({ ...present, ...handedOver("A=1\0name=n\0B.C=\0D=a\nb=c\0") }), {
    A: "1",
    name: "n",
    "B.C": "",
    D: "a\nb=c",
  });
});

Deno.test("an empty environment is restored", () => {
  assert.deepEqual(restored({ PWD: "/", ...handedOver("") }), {});
});

Deno.test("without a launcher, the environment stays as it is", () => {
  const environment = { A: "1", DENO_DIR: "/own", RECEPTOR_OUTER_ENVIRONMENT_0: "x" };
  assert.deepEqual(restored(environment), environment);
});

Deno.test("what is no entry is passed over", () => {
  assert.deepEqual(restored(handedOver("A=1\0none\0=x\0\0B=2")), { A: "1", B: "2" });
});
