/**
 * Where in the configuration something was written: for errors found while reading and at run time.
 */

/** A line of a file, or an argument of the command line. */
export type Position =
  | {
    readonly kind: "file";
    /** As it was named on the command line. */
    readonly source: string;
    /** Counted from 1. */
    readonly line: number;
    /** Counted from 1. */
    readonly column: number;
  }
  | {
    readonly kind: "argument";
    /** Counted from 1, without the program's own name. */
    readonly index: number;
  }
  /** Nobody wrote it: an action that the original adds when it is missing. */
  | { readonly kind: "implicit" };

/** `receptor.yml:12`, `argument 3`. */
export function describePosition(position: Position): string {
  switch (position.kind) {
    case "file":
      return `${position.source}:${position.line}`;
    case "argument":
      return `argument ${position.index}`;
    case "implicit":
      return "configuration";
  }
}
