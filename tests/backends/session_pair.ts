/** Two sessions joined by real backends. */
import type { Backend, Session } from "../../lib/backends/backend.ts";
import type { SessionPair } from "./session_contract.ts";

/** A session from the inside of `onSession`, which holds it until `release`. */
export class HeldSession {
  readonly #session = Promise.withResolvers<Session>();
  readonly #over = Promise.withResolvers<{ established: boolean }>();
  /** The first one. */
  readonly session = this.#session.promise;

  readonly onSession = (session: Session) => {
    this.#session.resolve(session);
    return this.#over.promise.finally(() => session.close());
  };

  /** Ends the sessions. */
  release(): void {
    this.#over.resolve({ established: true });
  }
}

/**
 * Runs both backends until the pair is disposed of; `poke` may send what turns it into a session.
 */
export async function joinBackends(
  listener: Backend,
  peer: Backend,
  poke: (near: Session) => Promise<void> = () => Promise.resolve(),
): Promise<SessionPair> {
  const stop = new AbortController();
  const far = new HeldSession();
  const near = new HeldSession();
  const running = [
    listener.run(far.onSession, stop.signal),
    peer.run(near.onSession, stop.signal),
  ];
  await poke(await near.session);
  return {
    near: await near.session,
    far: await far.session,
    async [Symbol.asyncDispose]() {
      stop.abort();
      near.release();
      far.release();
      await Promise.all(running);
    },
  };
}

/** An `onSession` that must not be called. */
export function noSession(session: Session): Promise<never> {
  session.close();
  return Promise.reject(new Error("no session was expected"));
}
