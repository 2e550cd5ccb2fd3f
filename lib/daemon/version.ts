/** The program's version, kept in one place: `deno.json`. */
import project from "../../deno.json" with { type: "json" };

export const VERSION: string = project.version;
