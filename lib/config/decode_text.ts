/**
 * The bytes of a configuration file as text: UTF-8, or UTF-16 with a byte order mark, as in the
 * original.
 */

/** The bytes are in an encoding that is not supported. */
export class UnreadableText extends TypeError {
  override readonly name = "UnreadableText";
}

/** Byte order marks. */
const UTF16_MARKS = { "utf-16le": [0xff, 0xfe], "utf-16be": [0xfe, 0xff] } as const;
/** Enough to include one of the zeros that ASCII has in UTF-16. */
const LOOKED_AT = 4;

/** Throws an `UnreadableText` that names the encoding. */
export function decodeText(bytes: Uint8Array): string {
  for (const [encoding, mark] of Object.entries(UTF16_MARKS)) {
    if (mark.every((byte, at) => bytes[at] === byte)) {
      return new TextDecoder(encoding).decode(bytes);
    }
  }
  if (bytes.subarray(0, LOOKED_AT).includes(0)) {
    throw new UnreadableText(
      "control characters are not allowed: the file seems to be UTF-16, save it as UTF-8",
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UnreadableText("invalid UTF-8: save the file as UTF-8", { cause });
  }
}
