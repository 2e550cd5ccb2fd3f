/** Binds a UDP port as configurations name it. */
import { messageOf } from "../base/error_message.ts";
import { formatHostPort } from "./host_port.ts";
import { listenAddresses, ListenError } from "./listen_address.ts";
import type { BindOptions } from "./socket_listener.ts";
import { resolveHost, UdpSocket } from "./udp_socket.ts";

/** Rejects with a `ListenError` if the address is not ours or the port is taken. */
export async function bindUdp({ bindAddress, port }: BindOptions): Promise<UdpSocket> {
  let failure: unknown;
  for (const address of listenAddresses(bindAddress)) {
    try {
      const [host = address] = await resolveHost(address);
      return await UdpSocket.bind({ host, port });
    } catch (cause) {
      if (cause instanceof ListenError && cause.portTaken) throw cause;
      failure = cause;
    }
  }
  if (failure instanceof ListenError) throw failure;
  const shown = formatHostPort({ host: bindAddress, port });
  throw new ListenError(`cannot listen on UDP ${shown}: ${messageOf(failure)}`, { cause: failure });
}
