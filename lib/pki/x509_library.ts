/**
 * The library that makes certificates. It is big (about 20 MB and 0.2 s), so only the commands that
 * make certificates load it, when they run.
 */
import type * as X509 from "@peculiar/x509";

export async function loadX509(): Promise<typeof X509> {
  // The library's parts find each other by metadata, for which it needs this to be loaded.
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}
