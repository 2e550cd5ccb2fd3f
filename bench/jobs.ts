/** The jobs of the scoreboard, and what a client does with one from submission to release. */
import type { SubmitFields } from "../lib/control/client.ts";
import type { Action } from "../tests/support/test_node.ts";
import type { NodeClient, Release } from "./node_client.ts";

const GREETING = "hello\n";

export const ECHO: Action = {
  "work-command": { worktype: "echo", command: "echo", params: GREETING.trim() },
};

/** Does nothing for a second, and then what `ECHO` does. */
export const SECOND: Action = {
  "work-command": {
    worktype: "second",
    command: "sh",
    params: `-c 'sleep 1; echo ${GREETING.trim()}'`,
  },
};

/** Runs for longer than any row. */
export const ENDLESS: Action = {
  "work-command": { worktype: "endless", command: "sleep", params: "100000" },
};

/** Writes as many bytes as its parameter says. */
export const PRODUCE: Action = {
  "work-command": {
    worktype: "produce",
    command: "head",
    params: "/dev/zero",
    allowruntimeparams: true,
  },
};

/** Reads its payload to the end and prints how many bytes it had. */
export const COUNT: Action = {
  "work-command": { worktype: "count", command: "wc", params: "-c" },
};

/** A submission of `PRODUCE` to the far node. */
export function produce(bytes: number): SubmitFields {
  return { node: "far", workType: "produce", params: { params: `-c ${bytes}` } };
}

/** Submits a job with the output of `ECHO` and reads its results; resolves to the unit's id. */
export async function submitAndRead(client: NodeClient, fields: SubmitFields): Promise<string> {
  const unitId = await client.submit(fields);
  await readGreeting(client, unitId);
  return unitId;
}

/** The whole life of such a job, as with AWX; resolves to how its release was answered. */
export async function wholeJob(client: NodeClient, fields: SubmitFields): Promise<Release> {
  return await client.release(await submitAndRead(client, fields));
}

async function readGreeting(client: NodeClient, unitId: string): Promise<void> {
  const size = await client.countResults(unitId);
  if (size !== GREETING.length) {
    const { StateName, Detail } = await client.command(`work status ${unitId}`);
    throw new Error(
      `Unit ${unitId} gave ${size} bytes, not ${GREETING.length}: ${StateName}, ${Detail}`,
    );
  }
}
