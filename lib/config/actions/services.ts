/** Services that run on top of the mesh. */
import { defineAction } from "../action.ts";
import { MAX_ANNOUNCED_ROUTES } from "../../services/ip/announcement.ts";
import {
  fileMode,
  filename,
  hostPort,
  interfaceName,
  localNetwork,
  networkList,
  port,
  serviceName,
  string,
} from "../value_type.ts";

const serviceParameter = {
  type: serviceName,
  required: true,
  unique: "service",
  description: "Receptor service name to bind to",
} as const;

const bindAddressParameter = {
  type: string,
  default: "0.0.0.0",
} as const;

const remoteParameters = {
  remotenode: { type: string, required: true, description: "Receptor node to connect to" },
  remoteservice: {
    type: serviceName,
    required: true,
    description: "Receptor service name to connect to",
  },
} as const;

export const commandService = defineAction({
  name: "command-service",
  section: "services",
  description: "Run an interactive command via a Receptor service",
  reloadable: true,
  parameters: {
    service: serviceParameter,
    command: { type: filename, required: true, description: "Command to execute on a connection" },
    tls: { type: string, description: "Name of TLS server config" },
  },
});

export const ipRouter = defineAction({
  name: "ip-router",
  // The second is what the original happens to call it.
  mapKeys: ["ip-routers", "iprouters"],
  section: "services",
  description: "Run an IP router using a tun interface",
  reloadable: true,
  parameters: {
    networkname: {
      type: serviceName,
      required: true,
      unique: "service",
      description: "Name of this network and service.",
    },
    interface: {
      type: interfaceName,
      unique: "interface",
      description: "Name of the local tun interface",
    },
    localnet: {
      type: localNetwork,
      required: true,
      unique: "local network",
      description: "Local /30 CIDR address",
    },
    routes: {
      type: networkList({ most: MAX_ANNOUNCED_ROUTES }),
      description: "Comma separated list of CIDR subnets to advertise",
    },
  },
});

export const tcpServer = defineAction({
  name: "tcp-server",
  section: "services",
  description: "Listen for TCP and forward via Receptor",
  reloadable: true,
  parameters: {
    port: { type: port, required: true, description: "Local TCP port to bind to" },
    bindaddr: { ...bindAddressParameter, description: "Address to bind TCP listener to" },
    ...remoteParameters,
    tlsserver: { type: string, description: "Name of TLS server config for the TCP listener" },
    tlsclient: {
      type: string,
      description: "Name of TLS client config for the Receptor connection",
    },
  },
});

export const tcpClient = defineAction({
  name: "tcp-client",
  section: "services",
  description: "Listen on a Receptor service and forward via TCP",
  reloadable: true,
  parameters: {
    service: serviceParameter,
    address: {
      type: hostPort,
      required: true,
      description: "Address for outbound TCP connection",
    },
    tlsserver: {
      type: string,
      description: "Name of TLS server config for the Receptor service",
    },
    tlsclient: { type: string, description: "Name of TLS client config for the TCP connection" },
  },
});

export const udpServer = defineAction({
  name: "udp-server",
  section: "services",
  description: "Listen for UDP and forward via Receptor",
  reloadable: true,
  parameters: {
    port: { type: port, required: true, description: "Local UDP port to bind to" },
    bindaddr: { ...bindAddressParameter, description: "Address to bind UDP listener to" },
    ...remoteParameters,
  },
});

export const udpClient = defineAction({
  name: "udp-client",
  section: "services",
  description: "Listen on a Receptor service and forward via UDP",
  reloadable: true,
  parameters: {
    service: serviceParameter,
    address: {
      type: hostPort,
      required: true,
      description: "Address for outbound UDP connection",
    },
  },
});

export const unixSocketServer = defineAction({
  name: "unix-socket-server",
  section: "services",
  description: "Listen on a Unix socket and forward via Receptor",
  reloadable: true,
  parameters: {
    filename: {
      type: filename,
      required: true,
      unique: "socket file",
      description: "Socket filename, which will be overwritten",
    },
    permissions: { type: fileMode, default: 0o600, description: "Socket file permissions" },
    ...remoteParameters,
    tls: { type: string, description: "Name of TLS client config for the Receptor connection" },
  },
});

export const unixSocketClient = defineAction({
  name: "unix-socket-client",
  section: "services",
  description: "Listen via Receptor and forward to a Unix socket",
  reloadable: true,
  parameters: {
    service: serviceParameter,
    filename: {
      type: filename,
      required: true,
      description: "Socket filename, which must already exist",
    },
    tls: { type: string, description: "Name of TLS server config for the Receptor connection" },
  },
});
