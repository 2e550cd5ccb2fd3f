/**
 * The far ends of a service's streams. QUIC knows them by a text key, the mesh by node and service;
 * each packet must be mapped from one to the other at the cost of a look-up.
 */
import { type Service, serviceText } from "../wire/data_packet.ts";
import type { MeshNode, NodeTable } from "./node_table.ts";

export interface StreamAddress {
  /** `node:service`, with the service escaped so that the last colon is the separator. */
  readonly key: string;
  readonly node: MeshNode;
  readonly service: Service;
  /** Header of the packets that go there. */
  readonly header: Uint8Array<ArrayBuffer>;
}

/**
 * With more than this many the table is emptied; addresses in use come back with their next packet.
 */
const MAX_ADDRESSES = 4096;

export class StreamAddresses {
  readonly #nodes: NodeTable;
  readonly #makeHeader: (to: MeshNode, service: Service) => Uint8Array<ArrayBuffer>;
  readonly #byKey = new Map<string, StreamAddress>();
  readonly #byNode = new Map<MeshNode, Map<Service, StreamAddress>>();

  constructor(
    nodes: NodeTable,
    makeHeader: (to: MeshNode, service: Service) => Uint8Array<ArrayBuffer>,
  ) {
    this.#nodes = nodes;
    this.#makeHeader = makeHeader;
  }

  of(node: MeshNode, service: Service): StreamAddress {
    return this.#byNode.get(node)?.get(service) ?? this.#add(node, service);
  }

  /** The address that `key` stands for; undefined if its node is no longer known. */
  ofKey(key: string): StreamAddress | undefined {
    const address = this.#byKey.get(key);
    if (address !== undefined && !address.node.forgotten) return address;
    const { node, service } = parseKey(key);
    const known = this.#nodes.get(node);
    return known === undefined ? undefined : this.of(known, service);
  }

  #add(node: MeshNode, service: Service): StreamAddress {
    if (this.#byKey.size >= MAX_ADDRESSES) {
      this.#byKey.clear();
      this.#byNode.clear();
    }
    const address: StreamAddress = {
      key: streamKey(node.id, service),
      node,
      service,
      header: this.#makeHeader(node, service),
    };
    this.#byKey.set(address.key, address);
    let services = this.#byNode.get(node);
    if (services === undefined) this.#byNode.set(node, services = new Map());
    services.set(service, address);
    return address;
  }
}

/** The key of a service's address. */
export function streamKey(nodeId: string, service: Service): string {
  return `${nodeId}:${encodeURIComponent(service)}`;
}

/** Node and service text of a key, for people. */
export function describeKey(key: string): { readonly node: string; readonly service: string } {
  const { node, service } = parseKey(key);
  return { node, service: serviceText(service) };
}

function parseKey(key: string): { readonly node: string; readonly service: Service } {
  const colon = key.lastIndexOf(":");
  return {
    node: key.slice(0, colon),
    service: decodeURIComponent(key.slice(colon + 1)) as Service,
  };
}
