/** What goes over the wire between nodes: pure codecs. */
export {
  type Advertisement,
  ConnectionType,
  decodeAdvertisement,
  encodeAdvertisement,
  type WorkCommand,
} from "./advertisement.ts";
export {
  DESTINATION_NODE_AT,
  DESTINATION_SERVICE_AT,
  encodePacketHeader,
  MAX_HOPS,
  MAX_SERVICE_BYTES,
  PACKET_HEADER_BYTES,
  type PacketAddress,
  packetHops,
  packetInt32,
  packetPayload,
  packetService,
  type Service,
  serviceFromText,
  serviceText,
  setPacketHops,
  SOURCE_NODE_AT,
  SOURCE_SERVICE_AT,
} from "./data_packet.ts";
export {
  FRAME_HEADER_BYTES,
  FrameBatch,
  frameOf,
  FrameReader,
  MAX_MESSAGE_BYTES,
  messagesIn,
} from "./frame.ts";
export { MalformedMessage } from "./json_fields.ts";
export { encodeReject, MessageType } from "./message_type.ts";
export {
  hashNodeId,
  isLocalhost,
  isNodeId,
  isPrintable,
  MAX_NODE_ID_BYTES,
  type NodeHash,
} from "./node_id.ts";
export {
  decodeRouteMessage,
  encodeIntroduction,
  encodeRouteMessage,
  isCost,
  type RouteMessage,
} from "./route_message.ts";
export { formatTimestamp, parseTimestamp } from "./timestamp.ts";
export { decodeUnreachable, encodeUnreachable, Problem, type Unreachable } from "./unreachable.ts";
