/**
 * Every time and bound of the mesh node. Times that both ends of a link know of are the
 * original's (`pkg/netceptor/netceptor.go`); bounds are ours, against neighbours that send more
 * than a mesh ever needs.
 */

const KiB = 1024;
const second = 1000;
const minute = 60 * second;

/** A node floods its links this often, which keeps links alive too. */
export const ROUTE_INTERVAL_MS = 10 * second;
/** And at most this often when they change. */
export const ROUTE_MIN_GAP_MS = 100;
/** Routes are recomputed at most this often. */
export const RECALCULATION_MIN_GAP_MS = 100;
/** A node advertises its services this often. */
export const ADVERTISEMENT_INTERVAL_MS = minute;
/** And at most this often when they change. */
export const ADVERTISEMENT_MIN_GAP_MS = 5 * second;
/** An advertisement that is this old has missed at least two of its node's turns. */
export const ADVERTISEMENT_RENEWED_WITHIN_MS = 3 * ADVERTISEMENT_INTERVAL_MS;
/** Clocks that differ by more are wrong: an advertisement from so far ahead counts for less. */
export const MAX_CLOCK_AHEAD_MS = 5 * minute;
/** How long it is remembered that a service was withdrawn; no message is on its way for longer. */
export const WITHDRAWN_KEPT_MS = 60 * minute;
/**
 * A node that has a link for longer no longer believes that it is the duplicate of an older one:
 * that one hears of it within seconds, and tells it so every ten.
 */
export const DUPLICATE_TOLD_WITHIN_MS = 2 * minute;
/** How long a flood is remembered. */
export const SEEN_FLOOD_MS = 60 * minute;

/** A link with nothing received for this long is dropped; may be configured higher. */
export const MIN_IDLE_TIMEOUT_MS = 2 * ROUTE_INTERVAL_MS + second;
/** How often links are checked for that. */
export const IDLE_CHECK_MS = 5 * second;
/** Until the neighbour answers, a new link sends a route message this often … */
export const SETUP_INTERVAL_MS = second;
/** … and this many in all. */
export const SETUP_MESSAGES = 11;
/** How often a neighbour whose address may be forged is asked to show that it is there. */
export const ADDRESS_CHECK_INTERVAL_MS = 100;
/** How long a refused neighbour has to take our reject message. */
export const REJECT_LINGER_MS = second;

/** How long a ping waits for its answer, as in the original. */
export const PING_TIMEOUT_MS = 10 * second;
/** A ping that nobody answers is sent again this often: it or its answer may have been lost. */
export const PING_RETRY_MS = 250;

/** Data that may wait for one link; more is dropped, as a datagram network may. */
export const MAX_QUEUED_DATA_BYTES = 1024 * KiB;
/** From here on our own streams wait instead of queueing more. */
export const QUEUE_HIGH_WATER_BYTES = 256 * KiB;
/** Route, advert and reject messages that may wait for one link. */
export const MAX_QUEUED_CONTROL_BYTES = 4096 * KiB;

/** Links of one backend that strangers opened and that have not said who they are yet. */
export const MAX_UNIDENTIFIED_LINKS = 256;
/** The same for links from addresses that may be forged, which cost less. */
export const MAX_UNCHECKED_ADDRESSES = 1024;
/** What such a stranger says before it has shown that it is there is kept up to here. */
export const MAX_HELD_BYTES = 16 * KiB;
/** Our links as listed in our route message, which has to fit into a message of 65,535 bytes. */
export const MAX_LISTED_BYTES = 60 * KiB;
/** Nodes whose links are remembered. */
export const MAX_NODES = 10_000;
/** Links of all those nodes together. */
export const MAX_CONNECTIONS_IN_MESH = 200_000;
/**
 * In a table full of nodes that can be reached, one that was silent for this long makes room for
 * any new one.
 */
export const FORGET_NODE_AFTER_MS = minute;
/** Last route messages of nodes that are kept for new neighbours; beyond that none is. */
export const MAX_KNOWN_UPDATE_BYTES = 16 * 1024 * KiB;
/** What a new neighbour is told at once of other nodes, and of their services. */
export const MAX_TOLD_BYTES = 1024 * KiB;
/** After its start or a new link a node waits this long for a route before it says there is none. */
export const ROUTE_GRACE_MS = 3 * second;
/** Route messages that are remembered, at least; older ones are forgotten before their time. */
export const MAX_SEEN_UPDATES = 50_000;
/** Advertisements that are remembered, at least: more than the links' queues hold in a ring. */
export const MAX_SEEN_ADVERTISEMENTS = 20_000;
/** Advertisements of other nodes, as they came and with what it takes to keep them. */
export const MAX_ADVERTISEMENT_BYTES = 16 * 1024 * KiB;
/** Estimate of what an advertisement takes beside its own bytes. */
export const ADVERTISEMENT_OVERHEAD_BYTES = 512;
/** Services of one node, those withdrawn of late included. */
export const MAX_ADVERTISEMENTS_PER_NODE = 64;
/** Unreachable messages that this node sends in a second. */
export const MAX_UNREACHABLES_PER_SECOND = 1000;
/** Lines in the log about nodes with the same id, in a second. */
export const MAX_DUPLICATE_LINES_PER_SECOND = 5;
/** Lines in the log about unreachable messages that came in a second. */
export const MAX_UNREACHABLE_LINES_PER_SECOND = 50;
