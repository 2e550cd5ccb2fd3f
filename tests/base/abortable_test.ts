import assert from "node:assert/strict";
import { abortable } from "../../lib/base/abortable.ts";

Deno.test("abortable settles as its promise does", async () => {
  const { signal } = new AbortController();
  assert.equal(await abortable(Promise.resolve(1), signal), 1);
  assert.equal(await abortable(Promise.resolve(2), undefined), 2);
  await assert.rejects(abortable(Promise.reject(new Error("own")), signal), /own/);
});

Deno.test("abortable rejects with the reason, before or during the wait", async () => {
  const reason = new Error("reason");
  const never = new Promise(() => {});
  await assert.rejects(abortable(never, AbortSignal.abort(reason)), reason);
  const abort = new AbortController();
  const waiting = abortable(never, abort.signal);
  abort.abort(reason);
  await assert.rejects(waiting, reason);
});

Deno.test("abortable ignores a failure of its promise after the abort", async () => {
  const late = Promise.withResolvers<void>();
  const abort = new AbortController();
  const waiting = abortable(late.promise, abort.signal);
  abort.abort(new Error("reason"));
  await assert.rejects(waiting, /reason/);
  late.reject(new Error("late"));
});
