/**
 * The text form of certificates and keys (RFC 7468), with the usual leniency about surrounding
 * text.
 */

export interface PemBlock {
  /** Such as `CERTIFICATE`. */
  readonly label: string;
  /** Lines `Name: value` before the data, as old encrypted keys have. */
  readonly headers: string;
  readonly der: Uint8Array<ArrayBuffer>;
}

const BLOCK =
  /^-----BEGIN ([A-Z0-9 #]+)-----[ \t\r]*\n((?:[^\n:]+:[^\n]*\n)*)([A-Za-z0-9+/=\s]*)-----END \1-----/gm;

/** All blocks in `text`, in order; text between them is ignored, as is a broken block. */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label, headers, data] of text.matchAll(BLOCK)) {
    try {
      blocks.push({ label: label!, headers: headers!, der: Uint8Array.fromBase64(data!) });
    } catch {
      // Not base64: treated as missing, which is what the callers' errors then say.
    }
  }
  return blocks;
}

const LINE_LENGTH = 64;

/** One block, with a newline at its end. */
export function formatPem(label: string, der: Uint8Array): string {
  const data = der.toBase64().replace(new RegExp(`.{${LINE_LENGTH}}(?=.)`, "g"), "$&\n");
  return `-----BEGIN ${label}-----\n${data}\n-----END ${label}-----\n`;
}
