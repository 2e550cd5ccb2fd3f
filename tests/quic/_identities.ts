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

/** Self-signed RSA 2048, CN=foo. */
export const rsaIdentity: Identity = {
  chain: [decode(
    "MIIC/TCCAeWgAwIBAgIUPpE+64u1B5ouDNr5I/7r7s60tZ8wDQYJKoZIhvcNAQELBQAwDjEMMAoGA1UEAwwDZm9vMB4X" +
      "DTI2MTEyNTA5MDAyNVoXDTM1MDIxMTA5MDAyNVowDjEMMAoGA1UEAwwDZm9vMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" +
      "MIIBCgKCAQEA7pHmz+uS0qzJKimnFM0RLHREtYofANmnhhMgXak1t/U69H47JIteZMy3/jkVnhGwcG/9GGat9H0mNznd" +
      "C+7LBgafX0xhtPIOe3xRSL3a8TcfCIv31mmSUS26cUKSKJ8doCKYu3BgsXlywoCTgHcuw4I6cEEwMoDRqzESlcoXXj0r" +
      "aCye9Xumxd6ymNtplenCglPKNLFrww4Z0UwV+1EPJ22zB0ts7wibQ2tttMwDOlt09bV1F3B2QH4TKWv/HphQrH5cIFtz" +
      "ZaFsaQv7zwfC5naAjUy2ukbvCpfq7iGpaKUpUX94sqNM4zURFMoPpi0L4ld/Qh26jV4elYv+IQGZSwIDAQABo1MwUTAd" +
      "BgNVHQ4EFgQUzVpFQk4yvVjBQBpwNk/X9NDX8ikwHwYDVR0jBBgwFoAUzVpFQk4yvVjBQBpwNk/X9NDX8ikwDwYDVR0T" +
      "AQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAXyww4LcUJpEjmnEhHyt5E21IYHhXNNrmR2qOfvgpQlOPeJ4eqIJl" +
      "0vJAir/RtyOAfil/YOIFZkFrxOIvNjU1yUcjxo125a6uEa0q6S9nojaj7PZJQPSIw0eKM32nbU2OzXYIpcISkDh9rs78" +
      "mDrNiVBu/cxpQ3iCZEK3bWmnlilMGrlhtz+jt9xyb/5GjyimqIf2Fi0WmPbXdTHAWcDkj2LPUj4XQ3+FZyOqAyZRttxZ" +
      "mnbMsQIGmKhJqU9GaSkBcruDX7+iR2jsbNaauXnLvultb1hKhGUKllVHTQ/+8saZcBm5g/pdGC33+m4PPpTQNxOsANrc" +
      "fwGKAOhJfFS9Xw==",
  )],
  privateKey: decode(
    "MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDukebP65LSrMkqKacUzREsdES1ih8A2aeGEyBdqTW3" +
      "9Tr0fjski15kzLf+ORWeEbBwb/0YZq30fSY3Od0L7ssGBp9fTGG08g57fFFIvdrxNx8Ii/fWaZJRLbpxQpIonx2gIpi7" +
      "cGCxeXLCgJOAdy7DgjpwQTAygNGrMRKVyhdePStoLJ71e6bF3rKY22mV6cKCU8o0sWvDDhnRTBX7UQ8nbbMHS2zvCJtD" +
      "a220zAM6W3T1tXUXcHZAfhMpa/8emFCsflwgW3NloWxpC/vPB8LmdoCNTLa6Ru8Kl+ruIalopSlRf3iyo0zjNREUyg+m" +
      "LQviV39CHbqNXh6Vi/4hAZlLAgMBAAECggEAPjpbaLeLTB2auT81IDVfOee39lxpOtkLG+tIQXX+F5ZFQvncJmud+w/1" +
      "HEA6lckKa0Gi1GcQD9pHChezQ0YNuewnTP3I7KBIy8gBEcbH4axdkWalBk3yRu91Fs7k/eiHGzp6+UVWS2Sg3QAZuWQd" +
      "FA0Xfilaz4mPZyZ9MQoOL1unTcFV7ybBzvUxgNkae5a9PJSjoZaYveB0DXr3nOzNfY02lDYwJG3QNpo20Ff43pEDa3IU" +
      "aNl5f+RvKKo3knkdKcBXxZYMudyPWwkUL74/IYnFORt2HH4PZwQS+u77qj7zGa75vjLV0lJE6S3JH8iPgN5ehiAtG2bt" +
      "7OmDBWFF6QKBgQD8+kZQkIOYBwnaNoHHoqnH+X1R+XePmtySJ/IdiYLTWsXavMKtr2jA6+tyDUPo5WDGxAMXYjEk8mCD" +
      "iQmW3+7ddymYxf9COWC3XLUFiDZCK9o2zvFsxaebf+Jsnf0gbXf/m14p4b6duVM0O/QWiGWwNvueK/MQggg5IU/b4iWm" +
      "cwKBgQDxa4+1BbEFhGtOMkjPYhpx6j+OvmTIVGnW0svKfHJvQA3siCHYNgiB8TXZAe9XXy/UN71JELKKvQxNCT7IxFqE" +
      "60EbeGdfySHznV8kkZ1phSBvpgp+DH2priJQQWwaFWWdnOj8X3HUKI46ZIpAhr1jNewePUt6z2UudHIL/lMzyQKBgQDE" +
      "y1UDu0gDbgZGEHzo9ispe3X33R8bQZcww45fV+fDzyt3O7weLQRKf7yK3rLja/za4wScnjAo07ws1t/01IMXGWnshKpL" +
      "tCL+wUm44fuDgmWgmV/KBACcwOE9KbIOFdpxp0WbQxdrzw1g5vq8xKKGcF9Q7lOJlf4bo0RigwxS7QKBgQC64QNWIni8" +
      "h5u05VHdTtifs6/NZG6JcGaZh4V/UcQXgCMHJP3l6zW8uKZxPIE0Rhe1FAyvQYCjyuF5xJ1YNj7Hw4AbrqF+0Sg592kN" +
      "2rZaV1YbdxGKL0sbDRO8wlfW/Rcy4aKssYlgrKAkbW1js6lo4fXMFrCV+XMeeb9Kr21imQKBgQCHVerIEWsO7SuXLwUA" +
      "1Q3S5pnqsRBJqHoaAXXX4trXdv3m4xgx66bMzn4IS89zHuuhKw4UCdyCRFmJcgBegungcXm2OodCw2pjPe/LA4XwmFjf" +
      "xFh+apKwgmDJhXcg3CZszmU95QEmGVzAFrsp8wQw4oyZwmt6qDCYqEoveRJ5TQ==",
  ),
};

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
