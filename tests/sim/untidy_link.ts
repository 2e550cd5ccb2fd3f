/**
 * A link over which what neighbours repeat about others arrives late, out of order and more than
 * once. What a neighbour says about itself arrives as it was sent: otherwise it would end the link.
 */
import type { Session } from "../../lib/backends/backend.ts";
import { memorySessionPair } from "../../lib/backends/memory.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { Random } from "../../lib/base/random.ts";
import { FrameBatch, messagesIn } from "../../lib/wire/frame.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { decodeRouteMessage } from "../../lib/wire/route_message.ts";

export interface UntidyLinkDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Called for each message that is sent; false loses it. */
  readonly onMessage: () => boolean;
}

/** Greatest usual delay of a message, in milliseconds. */
const DELAY_MS = 200;
/** Greatest delay of a second copy. */
const COPY_DELAY_MS = 5_000;
/** One in this many messages arrives twice. */
const COPIED = 4;

/** Two joined sessions. */
export function untidySessionPair(
  deps: UntidyLinkDeps,
  names: [string, string],
): [Session, Session] {
  const [one, other] = memorySessionPair(names);
  return [untidy(one, deps), untidy(other, deps)];
}

function untidy(session: Session, { clock, random, onMessage }: UntidyLinkDeps): Session {
  const below = (limit: number) => {
    const [low, high] = random.fill(new Uint8Array(2));
    return (low! + 256 * high!) % limit;
  };
  const deliver = (message: Uint8Array) => {
    const batch = new FrameBatch(message.length + 2);
    batch.append(message);
    // The link may be gone by then.
    session.send(batch.frames).catch(() => {});
  };
  return {
    description: session.description,
    receive: () => session.receive(),
    close: () => session.close(),
    async send(frames) {
      for (const view of messagesIn(frames)) {
        if (!onMessage()) continue;
        const message = view.slice();
        if (!isRepeated(message)) {
          deliver(message);
          continue;
        }
        clock.after(below(DELAY_MS), () => deliver(message));
        if (below(COPIED) === 0) clock.after(below(COPY_DELAY_MS), () => deliver(message));
      }
      await undefined;
    },
  };
}

function isRepeated(message: Uint8Array): boolean {
  if (message[0] !== MessageType.Route) return message[0] === MessageType.Advertisement;
  const { nodeId, forwardingNode } = decodeRouteMessage(message);
  return nodeId !== forwardingNode;
}
