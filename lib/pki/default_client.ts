/** The client profile that always exists: system trust, no certificate of our own, TLS 1.2. */
export const DEFAULT_CLIENT = "default";
