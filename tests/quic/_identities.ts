/** Certificates and keys for tests: nobody trusts them. */
import type { Identity } from "../../lib/quic/tls.ts";

/** Self-signed P-256, CN=foo. */
export const fooIdentity: Identity = {
  chain: [decode(
    "MIIBczCCARmgAwIBAgIUb2+HMf5tusYUQ3wlZW0ynnidg+owCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDZm9vMCAX" +
      "DTI2MTEyMTAxMzkxN1oYDzIxMjYxMDI4MDEzOTE3WjAOMQwwCgYDVQQDDANmb28wWTATBgcqhkjOPQIBBggqhkjO" +
      "PQMBBwNCAAS2TQhNNVRkYlXc2cKB+tgEf21nSs+gwcWHligV2/UD8e6cp2cwIkfJYoVdXYSfg4Z21Wz2PWURPpL5" +
      "EsfuU48No1MwUTAdBgNVHQ4EFgQUWaKPEVB9IMoZyDsIErVRbJHTaTcwHwYDVR0jBBgwFoAUWaKPEVB9IMoZyDsI" +
      "ErVRbJHTaTcwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA2pnL08d/TUdnE5/8XhBsDbPwAFbT" +
      "we+Mh7nukbNos3sCIGDiBQcQIm1nlpp+GnkSHwRhYn5WQZ0rJOxcDkyGLcGI",
  )],
  privateKey: decode(
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj7GkUgYl9jGLOgUdbmNsiaLFmI+KsK2oWgaSPkIm" +
      "yWahRANCAAS2TQhNNVRkYlXc2cKB+tgEf21nSs+gwcWHligV2/UD8e6cp2cwIkfJYoVdXYSfg4Z21Wz2PWURPpL5" +
      "EsfuU48N",
  ),
};

/** Self-signed P-256, CN=bar. */
export const barIdentity: Identity = {
  chain: [decode(
    "MIIBdDCCARmgAwIBAgIUT0YhEZ0gU+/Q9c11MW6YtPMUfFUwCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDYmFyMCAX" +
      "DTI2MTEyMTAxMzkxN1oYDzIxMjYxMDI4MDEzOTE3WjAOMQwwCgYDVQQDDANiYXIwWTATBgcqhkjOPQIBBggqhkjO" +
      "PQMBBwNCAARoMD1GOjbG0vD1LTgQJkgAXQ07JVRc3h1fM7kS0UjfawO6PnUZ22gA6smFQwVGg5GfHyw3ZxNEEcJk" +
      "Jw8ZjpZJo1MwUTAdBgNVHQ4EFgQUVkmdqAyftbmumqyIwtVT1cckYU8wHwYDVR0jBBgwFoAUVkmdqAyftbmumqyI" +
      "wtVT1cckYU8wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAq46WdJiF69nWdnrJxmRrsDmYIXAc" +
      "SCCu0N+srbvIpYoCIQDVdID58DC0Gk0fyJxalsC/mAmco9S1TCNuL8dlVs+vwQ==",
  )],
  privateKey: decode(
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSL4IomSojUmDGqh8HjV1kUgi6JIMPURo0F5FbMql" +
      "lEihRANCAARoMD1GOjbG0vD1LTgQJkgAXQ07JVRc3h1fM7kS0UjfawO6PnUZ22gA6smFQwVGg5GfHyw3ZxNEEcJk" +
      "Jw8ZjpZJ",
  ),
};

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
