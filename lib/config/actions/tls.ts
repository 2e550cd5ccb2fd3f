/** TLS configurations, which other actions refer to by name. */
import { defineAction } from "../action.ts";
import { strings } from "../composite_types.ts";
import { bool, filename, string } from "../value_type.ts";

const skipNamesCheckParameter = {
  type: bool,
  default: false,
  description: "Skip verifying ReceptorNames OIDs in certificate at startup",
} as const;

/** The original's default since 1.6.9; before that, it was false. */
const minTls13Parameter = {
  type: bool,
  default: true,
  description: "Set minimum TLS version to 1.3. Otherwise the minimum is 1.2",
} as const;

export const tlsServer = defineAction({
  name: "tls-server",
  section: "resources",
  description: "Define a TLS server configuration",
  parameters: {
    name: { type: string, required: true, description: "Name of this TLS server configuration" },
    cert: { type: filename, required: true, description: "Server certificate filename" },
    key: { type: filename, required: true, description: "Server private key filename" },
    requireclientcert: {
      type: bool,
      default: false,
      description: "Require client certificates",
    },
    clientcas: {
      type: filename,
      description: "Filename of CA bundle to verify client certs with",
    },
    pinnedclientcert: {
      type: strings,
      description: "Pinned fingerprint of required client certificate",
    },
    skipreceptornamescheck: skipNamesCheckParameter,
    mintls13: minTls13Parameter,
  },
});

export const tlsClient = defineAction({
  name: "tls-client",
  section: "resources",
  description: "Define a TLS client configuration",
  parameters: {
    name: { type: string, required: true, description: "Name of this TLS client configuration" },
    cert: {
      type: filename,
      required: true,
      mayBeEmpty: true,
      description: "Client certificate filename, empty for none",
    },
    key: {
      type: filename,
      required: true,
      mayBeEmpty: true,
      description: "Client private key filename, empty for none",
    },
    rootcas: { type: filename, description: "Root CA bundle to use instead of system trust" },
    insecureskipverify: { type: bool, default: false, description: "Accept any server cert" },
    pinnedservercert: {
      type: strings,
      description: "Pinned fingerprint of required server certificate",
    },
    skipreceptornamescheck: skipNamesCheckParameter,
    mintls13: minTls13Parameter,
  },
});
