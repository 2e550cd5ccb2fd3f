/**
 * The users' checks of certificates, by the numbers that the core knows them by, and their
 * objections to the peers of handshakes under way.
 */
import { CertificateRefused } from "./tls.ts";

/** The core's number for the check of client certificates (`core/src/tls.rs`). */
const SERVER_TOKEN = 0;
/** TLS alert 80, internal_error: our check failed, not the certificate. */
const ALERT_INTERNAL_ERROR = 80;

export class PeerChecks {
  readonly #checks = new Map<number, Check>();
  /** By remote. */
  readonly #refusals = new Map<string, Error>();
  #lastToken = SERVER_TOKEN;

  /** Checks the clients of our server. */
  useForClients(check: Check): void {
    this.#checks.set(SERVER_TOKEN, check);
  }

  /** Checks one dialled server, under its token, until disposed of. */
  addForServer(check: Check): { readonly token: number } & Disposable {
    const token = ++this.#lastToken;
    this.#checks.set(token, check);
    return { token, [Symbol.dispose]: () => void this.#checks.delete(token) };
  }

  /**
   * The alert and reason for refusing the chain of a peer at `remote`; undefined if it is
   * acceptable. A check that itself fails refuses the peer.
   */
  run(
    token: number,
    chain: readonly Uint8Array[],
    remote: string,
  ): { alert: number; reason: string } | undefined {
    try {
      const check = this.#checks.get(token);
      if (check === undefined) throw new Error("the handshake was given up");
      check(chain, remote);
      return undefined;
    } catch (error) {
      const refusal = error instanceof Error ? error : new Error(String(error), { cause: error });
      this.#refusals.set(remote, refusal);
      const alert = error instanceof CertificateRefused ? error.alert : ALERT_INTERNAL_ERROR;
      return { alert, reason: refusal.message };
    }
  }

  /** The objection to `remote`, returned once. */
  takeRefusal(remote: string): Error | undefined {
    const refusal = this.#refusals.get(remote);
    this.#refusals.delete(remote);
    return refusal;
  }
}

/** Throws if the chain of the peer at `remote` is not acceptable. */
export type Check = (chain: readonly Uint8Array[], remote: string) => void;
