/** The small certificate authority: each of these does its work and exits. */
import { defineAction } from "../action.ts";
import { strings } from "../composite_types.ts";
import { bool, choice, filename, integer, string } from "../value_type.ts";

const commonNameParameter = {
  type: string,
  required: true,
  description: "Common name to assign to the certificate",
} as const;

/** EC keys in addition to the original's RSA. */
const keyTypeParameter = {
  type: choice("rsa", "ec"),
  description: "Type of the key: rsa, or ec (elliptic curve), which the original does not have. " +
    "Without it, rsa.",
} as const;

/** RSA key lengths, and those of the NIST curves. */
const keyBits = integer({ least: 256, most: 16_384 });

const validityParameters = {
  notbefore: {
    type: string,
    description: "Effective (NotBefore) date/time, in RFC3339 format",
  },
  notafter: {
    type: string,
    description: "Expiration (NotAfter) date/time, in RFC3339 format",
  },
} as const;

export const certInit = defineAction({
  name: "cert-init",
  mapKeys: ["cert-init"],
  section: "certificates",
  description: "Initialize PKI CA",
  exclusive: true,
  parameters: {
    commonname: commonNameParameter,
    keytype: keyTypeParameter,
    bits: {
      type: keyBits,
      required: true,
      description: "Bit length of the encryption keys of the certificate",
    },
    ...validityParameters,
    outcert: {
      type: filename,
      required: true,
      description: "File to save the CA certificate to",
    },
    outkey: {
      type: filename,
      required: true,
      description: "File to save the CA private key to",
    },
  },
});

export const certMakeReq = defineAction({
  name: "cert-makereq",
  section: "certificates",
  description: "Create certificate request",
  exclusive: true,
  parameters: {
    commonname: commonNameParameter,
    keytype: keyTypeParameter,
    bits: {
      type: keyBits,
      description: "Bit length of the encryption keys of the certificate",
    },
    dnsname: { type: strings, description: "DNS names to add to the certificate" },
    ipaddress: { type: strings, description: "IP addresses to add to the certificate" },
    nodeid: { type: strings, description: "Receptor node IDs to add to the certificate" },
    outreq: {
      type: filename,
      required: true,
      description: "File to save the certificate request to",
    },
    inkey: { type: filename, description: "Private key to use for the request" },
    outkey: {
      type: filename,
      description: "File to save the private key to (new key will be generated)",
    },
  },
});

export const certSignReq = defineAction({
  name: "cert-signreq",
  section: "certificates",
  description: "Sign request and produce certificate",
  exclusive: true,
  parameters: {
    req: { type: filename, required: true, description: "Certificate Request PEM filename" },
    cacert: { type: filename, required: true, description: "CA certificate PEM filename" },
    cakey: { type: filename, required: true, description: "CA private key PEM filename" },
    ...validityParameters,
    outcert: {
      type: filename,
      required: true,
      description: "File to save the signed certificate to",
    },
    verify: {
      type: bool,
      default: false,
      description: "If true, do not prompt the user for verification",
    },
  },
});

export const certMesh = defineAction({
  name: "cert-mesh",
  mapKeys: ["cert-mesh"],
  section: "certificates",
  description: "Create a CA and a certificate for each node, in one folder (not in the original)",
  exclusive: true,
  parameters: {
    node: {
      type: strings,
      required: true,
      description: "A node ID, or ID=HOST,ADDRESS,… with the names others connect to it by",
    },
    outdir: {
      type: filename,
      required: true,
      description: "Folder for ca.crt, ca.key, and .crt and .key of each node",
    },
    commonname: { type: string, description: "Common name of the CA" },
    keytype: keyTypeParameter,
    bits: { type: keyBits, description: "Bit length of the keys" },
    notafter: {
      type: string,
      description: "Expiration (NotAfter) date/time of the nodes' certificates, in RFC3339 format",
    },
  },
});
