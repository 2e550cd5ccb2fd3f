/**
 * Every time and bound of the mesh node. Times that matter to both ends of a link are the
 * original's (`pkg/netceptor/netceptor.go`); bounds are ours, against neighbours that send more
 * than a mesh ever needs.
 */

const KiB = 1024;
const second = 1000;
const minute = 60 * second;

/** A node floods its links this often, which also keeps links alive. */
export const ROUTE_INTERVAL_MS = 10 * second;
/** And at most this often when they change. */
export const ROUTE_MIN_GAP_MS = 100;
/** Routes are recomputed at most this often. */
export const RECALCULATION_MIN_GAP_MS = 100;
/**
 * A node whose epoch has grown counts as restarted once nobody has taken that back for this long: an
 * objection needs up to `ROUTE_MIN_GAP_MS` to leave, and the way here.
 */
export const RESTART_STANDS_MS = second;
/** A node advertises its services this often. */
export const ADVERTISEMENT_INTERVAL_MS = minute;
/** And at most this often when they change. */
export const ADVERTISEMENT_MIN_GAP_MS = 5 * second;
/** An advertisement of this age has missed at least two of its node's renewals. */
export const ADVERTISEMENT_RENEWED_WITHIN_MS = 3 * ADVERTISEMENT_INTERVAL_MS;
/** Clocks that differ by more are wrong: an advertisement that is further ahead counts for less. */
export const MAX_CLOCK_AHEAD_MS = 5 * minute;
/** How long to remember that a service was withdrawn; no message travels for longer. */
export const WITHDRAWN_KEPT_MS = 60 * minute;
/**
 * A node that has had a link for longer no longer believes that it is the duplicate of an older
 * one: that one would have heard of it within seconds, and told it so every ten.
 */
export const DUPLICATE_TOLD_WITHIN_MS = 2 * minute;
/** How long a flood is remembered. */
export const SEEN_FLOOD_MS = 60 * minute;

/** A link with nothing received for this long is dropped; may be configured higher. */
export const MIN_IDLE_TIMEOUT_MS = 2 * ROUTE_INTERVAL_MS + second;
/** Links that were busy for so long let timers and other sockets have a turn of the event loop. */
export const MAX_BUSY_MS = 20;
/** How often links are checked for that. */
export const IDLE_CHECK_MS = 5 * second;
/** Until the neighbour answers, a new link sends a route message at this interval … */
export const SETUP_INTERVAL_MS = second;
/** … and this often in all. */
export const SETUP_MESSAGES = 11;
/** How often to ask a neighbour whose address may be forged to show that it is there. */
export const ADDRESS_CHECK_INTERVAL_MS = 100;
/** How long a refused neighbour has to receive our reject message. */
export const REJECT_LINGER_MS = second;

/** How long a ping waits for its answer, as in the original. */
export const PING_TIMEOUT_MS = 10 * second;
/** How often to repeat an unanswered ping: it or its answer may have been lost. */
export const PING_RETRY_MS = 250;

/** Data that may wait for one link; more is dropped, as is allowed in a datagram network. */
export const MAX_QUEUED_DATA_BYTES = 1024 * KiB;
/** From here on our own streams wait instead of queueing more. */
export const QUEUE_HIGH_WATER_BYTES = 256 * KiB;
/** Route messages, advertisements and rejects that may wait for one link. */
export const MAX_QUEUED_CONTROL_BYTES = 4096 * KiB;

/** Links of one backend opened by strangers that have not yet said who they are. */
export const MAX_UNIDENTIFIED_LINKS = 256;
/** The same for links from addresses that may be forged, which cost less. */
export const MAX_UNCHECKED_ADDRESSES = 1024;
/** How much to keep of what such a stranger says before it has shown that it is there. */
export const MAX_HELD_BYTES = 16 * KiB;
/** Our links as listed in our route message, which must fit into a message of 65,535 bytes. */
export const MAX_LISTED_BYTES = 60 * KiB;
/**
 * Links that are up from one host (of IPv6: a /64). Behind a proxy or a translated address there
 * are many neighbours; each costs its buffers, and a copy of each flood.
 */
export const MAX_LINKS_PER_HOST = 512;
/** What may wait for all links from one host together. */
export const MAX_GUEST_QUEUE_BYTES = 64 * 1024 * KiB;
/** Nodes whose links are remembered. */
export const MAX_NODES = 10_000;
/** Links of all those nodes together. */
export const MAX_CONNECTIONS_IN_MESH = 100_000;
/**
 * In a table full of nodes that can be reached, one that has been silent for this long makes room
 * for any new one.
 */
export const FORGET_NODE_AFTER_MS = minute;
/** Last route messages of nodes that are kept for new neighbours; beyond that none is. */
export const MAX_KNOWN_UPDATE_BYTES = 16 * 1024 * KiB;
/** What a new neighbour is told at once of other nodes, and of their services. */
export const MAX_TOLD_BYTES = 1024 * KiB;
/** The same for all new neighbours in a second. */
export const MAX_TOLD_BYTES_PER_SECOND = 8 * 1024 * KiB;
/** How long after its start or a new link a node waits for a route before it reports none. */
export const ROUTE_GRACE_MS = 3 * second;
/** At least this many route messages are remembered; older ones may be forgotten early. */
export const MAX_SEEN_UPDATES = 50_000;
/** At least this many advertisements are remembered: more than the links' queues hold in a ring. */
export const MAX_SEEN_ADVERTISEMENTS = 20_000;
/** Advertisements of other nodes, as they came, with the overhead of keeping them. */
export const MAX_ADVERTISEMENT_BYTES = 8 * 1024 * KiB;
/** Estimate of what an advertisement takes in addition to its own bytes. */
export const ADVERTISEMENT_OVERHEAD_BYTES = 512;
/** The same for each tag and work type: in `status` it may take more than it did in the message. */
export const ADVERTISED_ITEM_OVERHEAD_BYTES = 32;
/** Services of one node, recently withdrawn ones included. */
export const MAX_ADVERTISEMENTS_PER_NODE = 64;
/** Unreachable messages that this node sends per second. */
export const MAX_UNREACHABLES_PER_SECOND = 1000;
