/** The action that opens a control service. */
import { defineAction } from "../action.ts";
import { fileMode, filename, serviceName, string } from "../value_type.ts";

export const controlService = defineAction({
  name: "control-service",
  section: "general",
  description: "Runs a control service",
  parameters: {
    service: {
      type: serviceName,
      default: "control",
      unique: "service",
      description: 'Receptor service name to listen on ("" for none).',
    },
    filename: {
      type: filename,
      unique: "socket file",
      description: "Specifies the filename of a local Unix socket to bind to the service.",
    },
    permissions: {
      type: fileMode,
      default: 0o600,
      description: "Socket file permissions",
    },
    tls: {
      type: string,
      description: "Name of TLS server config for the Receptor listener",
    },
    tcplisten: {
      type: string,
      description: "Local TCP port or host:port to bind to the control service",
    },
    tcptls: {
      type: string,
      description: "Name of TLS server config for the TCP listener",
    },
  },
});
